"""Read-only view of the files a build sees. Each fact is known, or unknown with a reason.

Manifests and Python sources are read by ``cargo_manifests``, ``go_manifests``, ``mix_manifests``, ``node_manifests``,
``python_manifests`` and ``python_source``; they are not imported here, nor are ``deployment`` and ``history``: most
files need none of them.
"""

from __future__ import annotations

from refactor.context.build_context import BuildContext
from refactor.context.facts import Unknown

__all__ = ["BuildContext", "Unknown"]
