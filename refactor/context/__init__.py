"""Read-only view of the files a build sees. Each fact is known, or unknown with a reason.

``deployment`` and ``history`` are not imported here: most files need none of them. What the files of a language say
is read in :mod:`refactor.ecosystems`.
"""

from __future__ import annotations

from refactor.context.build_context import BuildContext
from refactor.context.facts import Unknown

__all__ = ["BuildContext", "Unknown"]
