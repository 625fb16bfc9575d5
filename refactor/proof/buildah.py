"""Buildah: it builds images, and runs a process in a container in the foreground, without a daemon."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, ClassVar

from refactor.proof.client import QUICK, ClientEngine, configuration
from refactor.proof.command import Background, run, stream
from refactor.proof.engine import (
    LABEL,
    REPOSITORY,
    BuildRequest,
    EngineProblem,
    Image,
    Layer,
    RunRequest,
    State,
)
from refactor.proof.filesystem import read_contents

_OWN_WORDS = re.compile(
    rb"(?:^|(?<=\n))(?:Error: |error )(?:while running runtime|running container|exit status)[^\n]*\n?\Z"
)


class BuildahEngine(ClientEngine):
    """Buildah. A container is a working container with ``buildah run`` in it; it has no limit of processes."""

    name = "buildah"
    is_cache_ambiguous = True
    runs_health_checks = False
    log_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, program: Sequence[str], version: str) -> None:
        super().__init__(program, version)
        self._running: dict[str, Background] = {}

    @classmethod
    def connect(cls) -> BuildahEngine:
        """Buildah, where it is installed and works. Raises :class:`EngineProblem` where not."""
        finished = run(["buildah", "version", "--json"], timeout=30)
        if not finished.is_good:
            raise EngineProblem(finished.complaint.split("\n")[0][:200])
        try:
            version = str(json.loads(finished.text)["version"])
        except (ValueError, KeyError, TypeError):
            raise EngineProblem("`buildah version --json` has no version in it") from None
        listed = run(["buildah", "images", "--quiet"], timeout=30)
        if not listed.is_good:
            raise EngineProblem(listed.complaint.split("\n")[0][:200])
        return cls(("buildah",), version)

    def build_command(self, request: BuildRequest) -> list[str]:
        command = ["buildah", "build", "--format=docker", "--layers", "--force-rm"]
        if request.ignore_file is not None:
            command.append(f"--ignorefile={request.ignore_file}")
        return command

    def inspect(self, image: str) -> Image:
        described = json.loads(self.must("inspect", "--type=image", image))
        docker: Mapping[str, Any] = described.get("Docker") or {}
        layers = ((docker.get("rootfs") or {}).get("diff_ids")) or ()
        return Image(
            str(described.get("FromImageID") or image),
            self._size(image),
            tuple(Layer(0, "") for _ in layers),
            configuration(docker.get("config") or {}),
        )

    def _size(self, image: str) -> int:
        # `images --json` has the size in words of people only ("1.13 GB"): counting the files is exact.
        with self.files(image, "size") as pipe:
            return read_contents(pipe).bytes

    def start(self, request: RunRequest) -> str:
        limits = (f"--memory={request.memory}", f"--memory-swap={request.memory}")
        self.must("from", f"--name={request.name}", "--pull-never", *limits, request.image, timeout=300)
        self.must("config", f"--label={LABEL}={request.run}", request.name)
        config = self.inspect_config(request.name)
        command = [*config.entrypoint, *config.cmd]
        words = ["buildah", "run", f"--network={request.network}"]
        if request.hostname is not None:
            words.append(f"--hostname={request.hostname}")
        words += [f"--env={entry}" for entry in (*_entries(request.env_files), *request.env)]
        self._running[request.name] = Background([*words, request.name, "--", *(command or ["/bin/sh"])])
        return request.name

    def inspect_config(self, container: str) -> Any:
        """The configuration of a working container."""
        described = json.loads(self.must("inspect", container))
        return configuration((described.get("Docker") or {}).get("config") or {})

    def state(self, container: str) -> State:
        running = self._running[container]
        status = running.status
        return State(status is None, status or 0, _payload(running.pid), False, "")

    def port(self, container: str, port: int) -> int | None:
        return None

    def output(self, container: str, limit: int) -> bytes:
        running = self._running[container]
        output = running.output
        if running.status:
            # Buildah's own last word is the same for every program that fails.
            output = _OWN_WORDS.sub(b"", output)
        return output[-limit:]

    def call(self, request: RunRequest, beside: str | None, timeout: float, input: bytes = b"") -> tuple[int, bytes]:
        if beside is not None:
            raise EngineProblem("buildah cannot put a container into the network of another")
        name = self.start(request)
        deadline = time.monotonic() + timeout
        try:
            while self.state(name).is_running and time.monotonic() < deadline:
                time.sleep(0.1)
            state = self.state(name)
            return (-1 if state.is_running else state.exit_code), self.output(name, 1 << 20)
        finally:
            self.remove_container(name)

    @contextmanager
    def files(self, image: str, run: str) -> Iterator[IO[bytes]]:
        name = f"{REPOSITORY}-{run}-files-{os.urandom(3).hex()}"
        self.must("from", f"--name={name}", "--pull-never", image, timeout=300)
        try:
            folder = self.must("mount", name).strip()
            with stream(["tar", "-C", folder, "-cf", "-", "."], timeout=900) as pipe:
                yield pipe
        finally:
            self.remove_container(name)

    def remove_container(self, container: str) -> None:
        running = self._running.pop(container, None)
        if running is not None:
            running.end()
        self.ask("rm", container)

    def remove_image(self, image: str) -> None:
        self.ask("rmi", "--force", image, timeout=120)

    def leftovers(self, run: str | None) -> Iterator[tuple[str, str]]:
        prefix = f"{REPOSITORY}-{run or ''}"
        listed = self.ask("containers", "--format={{.ContainerName}}", timeout=QUICK).text.split()
        yield from (("container", name) for name in listed if name.startswith(prefix))
        label = f"--filter=label={LABEL}" + (f"={run}" if run else "")
        for image in dict.fromkeys(self.ask("images", "--quiet", "--no-trunc", label).text.split()):
            yield "image", image


def _entries(files: Sequence[str]) -> Iterator[str]:
    """The lines of env files, as docker reads them: ``KEY=VALUE``, or ``KEY`` for the client's own value."""
    for path in files:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                entry = line.strip()
                if entry and not entry.startswith("#"):
                    yield entry if "=" in entry else f"{entry}={os.environ.get(entry, '')}"


def _payload(pid: int) -> int:
    """The container's first process: the highest below ``buildah run`` in a PID namespace of its own; 0 before it is
    there, or where that cannot be seen."""
    own = _pid_namespace(os.getpid())
    pending = [pid]
    while pending:
        pid = pending.pop(0)
        if _pid_namespace(pid) not in (own, ""):
            return pid
        try:
            # Each thread has children of its own.
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    pending += [int(child) for child in file.read().split()]
        except OSError:
            continue
    return 0


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""
