"""Programs of others, run within limits: of time, and of what they may print.

Arguments are always a list and never pass a shell. Each program is the leader of a process group of its own,
so that what it started ends with it, and so that a Ctrl-C reaches dockerfix alone, which then ends it in
order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple

OUTPUT_BYTES = 4 << 20
"""Bytes kept of what a program prints."""

_CHUNK = 1 << 16


class Finished(NamedTuple):
    """How a program ended. ``status`` is negative for a signal, and 127 where there is no such program."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    is_late: bool
    """It was killed at its time limit."""
    is_flooded: bool
    """It printed more than was kept."""

    @property
    def is_good(self) -> bool:
        return self.status == 0 and not self.is_late

    @property
    def text(self) -> str:
        """The standard output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last lines of the standard error, or of the output where that is empty: what to show when it
        failed."""
        if self.is_late:
            return f"stopped after {self.seconds:.0f} s"
        text = (self.err.strip() or self.out.strip()).decode("utf-8", "replace")
        return "\n".join(text.split("\n")[-5:]) or f"ended with status {self.status}"


class _Kept:
    """The first or the last bytes of a stream; whole lines are handed on as they come."""

    def __init__(self, limit: int, is_tail: bool, on_line: Callable[[bytes], None] | None) -> None:
        self.limit = limit
        self.is_tail = is_tail
        self.on_line = on_line
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.is_flooded = False
        self._line = b""

    def take(self, data: bytes) -> None:
        if self.on_line is not None:
            # A line without end is cut, so that what it costs stays bounded.
            *lines, self._line = (self._line + data).split(b"\n")
            for line in lines:
                self.on_line(line)
            if len(self._line) > _CHUNK:
                self.on_line(self._line)
                self._line = b""
        if not self.is_tail:
            room = self.limit - self.size
            self.is_flooded |= len(data) > room
            data = data[: max(room, 0)]
        self.chunks.append(data)
        self.size += len(data)
        while self.is_tail and self.size > self.limit and len(self.chunks) > 1:
            self.size -= len(self.chunks.popleft())
            self.is_flooded = True

    def end(self) -> bytes:
        if self.on_line is not None and self._line:
            self.on_line(self._line)
        data = b"".join(self.chunks)
        return data[-self.limit :] if self.is_tail else data


def run(
    arguments: Sequence[str],
    *,
    timeout: float,
    limit: int = OUTPUT_BYTES,
    input: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[bytes], None] | None = None,
) -> Finished:
    """Runs a program to its end, or to ``timeout`` seconds. Never raises for what the program does.

    ``environment`` is added to this process's own. Kept are the first ``limit`` bytes of the standard output
    and the last of the standard error; the rest is read and dropped, so that the program goes on. With
    ``on_line``, which gets each line as it comes, both streams are one, and the end of it is kept: this is
    for logs.
    """
    start = time.monotonic()
    is_log = on_line is not None
    try:
        process = _start(arguments, subprocess.STDOUT if is_log else subprocess.PIPE, input is not None, environment)
    except OSError as error:
        return Finished(127, b"", f"{arguments[0]}: {error.strerror or error}".encode(), 0.0, False, False)
    out, err = _Kept(limit, is_log, on_line), _Kept(limit, True, None)
    readers = [_reader(pipe, kept) for pipe, kept in ((process.stdout, out), (process.stderr, err)) if pipe is not None]
    if input is not None:
        readers.append(threading.Thread(target=_feed, args=(process.stdin, input), daemon=True))
    is_late = False
    try:
        for reader in readers:
            reader.start()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            is_late = True
        else:
            for reader in readers:
                # A grandchild may hold the pipe open beyond the program's own end.
                reader.join(max(1.0, min(10.0, start + timeout - time.monotonic())))
    finally:
        kill(process)
    for reader in readers:
        reader.join(1.0)
    is_flooded = out.is_flooded or err.is_flooded
    return Finished(process.returncode, out.end(), err.end(), time.monotonic() - start, is_late, is_flooded)


@contextmanager
def stream(arguments: Sequence[str], *, timeout: float) -> Iterator[IO[bytes]]:
    """The standard output of a program while it runs; at the end, or after ``timeout`` seconds, it is killed.

    Raises OSError where the program cannot be started.
    """
    process = _start(arguments, subprocess.DEVNULL, False, None)
    watch = threading.Timer(timeout, kill, (process,))
    watch.daemon = True
    watch.start()
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        watch.cancel()
        kill(process)
        process.stdout.close()


class Background:
    """A program that runs on while other things are done; the last bytes of what it prints are kept."""

    def __init__(self, arguments: Sequence[str], limit: int = OUTPUT_BYTES) -> None:
        self._process = _start(arguments, subprocess.STDOUT, False, None)
        self._kept = _Kept(limit, True, None)
        assert self._process.stdout is not None
        self._reader = _reader(self._process.stdout, self._kept)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> bytes:
        """What it printed so far, both streams; all of it once it has ended."""
        if self.status is not None:
            self._reader.join(2.0)
        return b"".join(tuple(self._kept.chunks))

    def end(self) -> None:
        """Ends it, and all that it started."""
        kill(self._process)
        self._reader.join(2.0)


def _start(
    arguments: Sequence[str], err: int, has_input: bool, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(arguments),
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=err,
        env={**os.environ, **environment} if environment else None,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and all that it started: asked first, so that a builder cancels its build, then by
    force."""
    if process.poll() is not None:
        return
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
        return
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _reader(pipe: IO[bytes], kept: _Kept) -> threading.Thread:
    def read() -> None:
        with suppress(OSError, ValueError):
            while data := os.read(pipe.fileno(), _CHUNK):
                kept.take(data)

    return threading.Thread(target=read, daemon=True)


def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None
    with suppress(OSError, ValueError):
        pipe.write(data)
    with suppress(OSError, ValueError):
        pipe.close()
