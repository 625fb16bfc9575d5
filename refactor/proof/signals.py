"""Signals while a proof is made: what was made is removed before the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """A signal that asks to end came; what was made is removed on the way out."""


def catch_signals() -> Callable[[], None]:
    """Makes SIGTERM and SIGHUP end the run in order, as Ctrl-C does. Returns what undoes that."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def stop(number: int, _: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number).name)

    old = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What the caller has set to be ignored (nohup) stays so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            old[number] = signal.signal(number, stop)

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    return restore


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not stop the removal of containers and images, which has time limits of its
    own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            old[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
