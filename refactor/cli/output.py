"""Where reports go: standard output, or the file of ``--output``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from refactor.engine.files import FileProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    _T = TypeVar("_T")


class Output:
    """Raises :class:`FileProblem` where something cannot be written (a full disk), BrokenPipeError for a reader that is
    gone, so that neither is taken for a fault of the run itself."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        """None: standard output."""
        self._stream = self._attempt(lambda: sys.stdout.buffer if path is None else open(path, "wb"))  # noqa: SIM115

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self._attempt(self._stream.flush if self.path is None else self._stream.close)
        except FileProblem:
            # What the run raised says more than that its output is incomplete.
            if error is None:
                raise

    def write(self, text: str | bytes) -> None:
        """Text is written as UTF-8; bytes of a file that are not are kept as they were."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        self._attempt(lambda: self._stream.write(data))

    def flush(self) -> None:
        """Shows what was written so far."""
        self._attempt(self._stream.flush)

    def _attempt(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except BrokenPipeError:
            raise
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise FileProblem(self.path or "standard output", what, "name another file, or free some space") from None
