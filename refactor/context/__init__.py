"""Read-only view of the files a build sees. Each fact is known, or unknown with a reason.

Manifests and Python sources are read by :mod:`refactor.context.manifests` and
:mod:`refactor.context.python_source`; they are not imported here, because most files need neither.
"""

from __future__ import annotations

from refactor.context.build_context import BuildContext
from refactor.context.deployment import Deployment
from refactor.context.facts import Unknown

__all__ = ["BuildContext", "Deployment", "Unknown"]
