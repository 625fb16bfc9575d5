"""What docker and podman have in common: the same commands for containers and images."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import IO, Any, ClassVar

from refactor.proof.command import Finished, run, stream
from refactor.proof.engine import (
    LABEL,
    REPOSITORY,
    BuildRequest,
    Built,
    Configuration,
    EngineProblem,
    Image,
    Layer,
    RunRequest,
    State,
)
from refactor.proof.progress import Progress, Step

QUICK = 60.0
"""Seconds for what an engine answers from its books."""
EXPORT_SECONDS = 900.0
LOG_BYTES = 256 << 10
_OWN_VARIABLES = re.compile(
    r"^(PATH|HOME|USER|LANG|LC_.*|LD_.*|TMPDIR|XDG_.*|DOCKER_.*|BUILDX_.*|BUILDKIT_.*|CONTAINER.*|PODMAN_.*|BUILDAH_.*|"
    r"SSH_.*|[A-Za-z]+_proxy|[A-Z]+_PROXY)$"
)


class ClientEngine:
    """An engine behind a docker-like command. ``program`` is its first words."""

    name: str
    is_cache_ambiguous = False
    runs_health_checks = True
    log_options: ClassVar[tuple[str, ...]]

    def __init__(self, program: Sequence[str], version: str) -> None:
        self.program = tuple(program)
        self.version = version

    def ask(
        self,
        *arguments: str,
        timeout: float = QUICK,
        limit: int = 16 << 20,
        input: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Runs one command of the client."""
        return run([*self.program, *arguments], timeout=timeout, limit=limit, input=input, environment=environment)

    def must(self, *arguments: str, timeout: float = QUICK) -> str:
        """Runs one command and returns its output. Raises :class:`EngineProblem` where it fails."""
        finished = self.ask(*arguments, timeout=timeout)
        if not finished.is_good:
            raise EngineProblem(f"{self.name} {arguments[0]}: {finished.complaint}")
        return finished.text

    def is_alive(self) -> bool:
        return self.ask("version", timeout=15).is_good

    def build_command(self, request: BuildRequest) -> list[str]:
        """The builder's words before the options that all builders share."""
        raise NotImplementedError

    def build(self, request: BuildRequest) -> Built:
        command = [*self.build_command(request), f"--file={request.dockerfile}", f"--tag={request.image}"]
        command.append(f"--label={LABEL}={request.run}")
        environment: dict[str, str] = {}
        for option in request.build_args:
            command.append(f"--build-arg={_hidden(option, environment)}")
        for name in ("secret", "ssh"):
            command += [f"--{name}={value}" for value in getattr(request, "secrets" if name == "secret" else name)]
        for name in ("network", "target", "platform"):
            if getattr(request, name):
                command.append(f"--{name}={getattr(request, name)}")
        if request.is_cold:
            command.append("--no-cache")
        progress = Progress()
        finished = run(
            [*command, "--", request.context],
            timeout=request.timeout,
            limit=LOG_BYTES,
            environment={**self.build_environment(), **environment},
            on_line=lambda line: progress.take(line.decode("utf-8", "replace")),
        )
        log = finished.text
        problem = None
        if finished.is_late:
            problem = f"the build was stopped after {request.timeout:.0f} s (--build-timeout)"
        elif finished.status != 0:
            problem = why_it_failed(log) or f"the builder ended with status {finished.status}"
            if not self.is_alive():
                raise EngineProblem(f"{self.name} stopped answering during a build: {problem}")
        return Built(problem, log, progress.steps, finished.seconds)

    def build_environment(self) -> dict[str, str]:
        return {}

    def check(self, request: BuildRequest) -> frozenset[str] | None:
        return None

    def inspect(self, image: str) -> Image:
        described = json.loads(self.must("image", "inspect", "--", image))[0]
        return Image(
            str(described["Id"]),
            int(described.get("Size") or 0),
            self._layers(image, described),
            configuration(self._config(described)),
        )

    def _config(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        return described.get("Config") or {}

    def _layers(self, image: str, described: Mapping[str, Any]) -> tuple[Layer, ...]:
        """The layers' sizes from the history; what adds no file has no layer, and the history does not say
        which."""
        finished = self.ask("history", "--no-trunc", "--human=false", "--format={{.Size}}\t{{.CreatedBy}}", image)
        count = len((described.get("RootFS") or {}).get("Layers") or ())
        layers = []
        for line in finished.text.splitlines():
            size, _, made_by = line.partition("\t")
            if size.isdigit() and int(size) > 0:
                layers.append(Layer(int(size), instruction(made_by)))
        layers.reverse()
        # An empty WORKDIR or a mkdir of what is there is a layer of no bytes.
        return tuple(layers) + (Layer(0, ""),) * (count - len(layers))

    def start(self, request: RunRequest) -> str:
        options = [*self._run_options(request), *self.log_options, "--detach"]
        if request.has_healthcheck:
            options += self.health_options()
        environment: dict[str, str] = {}
        options += [f"--env={_hidden(option, environment)}" for option in request.env]
        finished = self.ask("run", *options, request.image, *request.command, environment=environment)
        if finished.is_good:
            return finished.text.strip().splitlines()[-1]
        # Created, but its process could not be started: a result (its state says why), not a fault of the
        # engine.
        known = self.ask("container", "inspect", "--format={{.Id}}", "--", request.name)
        if known.is_good and known.text.strip():
            return known.text.strip()
        raise EngineProblem(f"{self.name} run: {finished.complaint}")

    def _run_options(self, request: RunRequest) -> list[str]:
        options = [
            f"--name={request.name}",
            f"--label={LABEL}={request.run}",
            "--pull=never",
            f"--network={request.network}",
            f"--memory={request.memory}",
            f"--memory-swap={request.memory}",
            f"--pids-limit={request.pids}",
        ]
        if request.hostname is not None:
            options.append(f"--hostname={request.hostname}")
        if request.is_read_only:
            options.append("--read-only")
        if request.entrypoint is not None:
            options.append(f"--entrypoint={request.entrypoint}")
        options += [f"--env-file={path}" for path in request.env_files]
        options += [f"--publish=127.0.0.1::{port}" for port in request.published]
        return options

    def health_options(self) -> list[str]:
        return []

    def state(self, container: str) -> State:
        state = json.loads(self.must("container", "inspect", "--format={{json .State}}", "--", container))
        return State(
            bool(state.get("Running")),
            int(state.get("ExitCode") or 0),
            int(state.get("Pid") or 0),
            bool(state.get("OOMKilled")),
            self.health(container, state),
            str(state.get("Error") or ""),
        )

    def health(self, container: str, state: Mapping[str, Any]) -> str:
        return str((state.get("Health") or {}).get("Status") or "").replace("none", "")

    def port(self, container: str, port: int) -> int | None:
        finished = self.ask("port", container, f"{port}/tcp")
        match = re.search(r":(\d+)\s*$", finished.text.splitlines()[0]) if finished.text.strip() else None
        return int(match.group(1)) if match else None

    def output(self, container: str, limit: int) -> bytes:
        finished = self.ask("logs", container, limit=max(limit, LOG_BYTES))
        out, err = finished.out, finished.err
        return (out[-limit:] + (b"\n" if out and err and not out.endswith(b"\n") else b"") + err)[-limit:]

    def call(self, request: RunRequest, beside: str | None, timeout: float, input: bytes = b"") -> tuple[int, bytes]:
        if beside is not None:
            request = replace(request, network=f"container:{beside}", hostname=None)
        options = [*self._run_options(request), *self.log_options, "--rm", "--interactive"]
        finished = self.ask(
            "run", *options, request.image, *request.command, timeout=timeout, limit=1 << 20, input=input
        )
        if finished.is_late:
            self.remove_container(request.name)
        return (-1 if finished.is_late else finished.status), finished.out

    @contextmanager
    def files(self, image: str, run: str) -> Iterator[IO[bytes]]:
        # No process of it is ever started; an image without CMD needs some word here all the same.
        name = f"{REPOSITORY}-{run}-files-{os.urandom(3).hex()}"
        self.must("create", f"--name={name}", f"--label={LABEL}={run}", "--pull=never", "--network=none", image, "/")
        try:
            with stream([*self.program, "export", name], timeout=EXPORT_SECONDS) as pipe:
                yield pipe
        finally:
            self.remove_container(name)

    def remove_container(self, container: str) -> None:
        self.ask("rm", "--force", "--volumes", container)

    def remove_image(self, image: str) -> None:
        self.ask("image", "rm", "--force", image, timeout=120)

    def remove_cache(self, steps: Sequence[Step], since: float) -> None:
        """Podman's and buildah's cache are images, which go with the images that were built on them."""

    def leftovers(self, run: str | None) -> Iterator[tuple[str, str]]:
        label = f"--filter=label={LABEL}" + (f"={run}" if run else "")
        for container in self.must("ps", "--all", "--quiet", "--no-trunc", label).split():
            yield "container", container
        for image in dict.fromkeys(self.must("images", "--quiet", "--no-trunc", label).split()):
            yield "image", image


def configuration(config: Mapping[str, Any]) -> Configuration:
    """Docker's ``.Config`` of an image. Empty, null and missing mean the same, root and "" the same user."""
    env = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    health = config.get("Healthcheck") or {}
    test = tuple(health.get("Test") or ())
    user = str(config.get("User") or "")
    return Configuration(
        cmd=tuple(config.get("Cmd") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        env=env,
        working_dir=str(config.get("WorkingDir") or "/"),
        exposed=frozenset(config.get("ExposedPorts") or ()),
        labels={key: value for key, value in (config.get("Labels") or {}).items() if not _is_builders(key)},
        volumes=frozenset(config.get("Volumes") or ()),
        stop_signal=str(config.get("StopSignal") or "").replace("SIGTERM", ""),
        healthcheck=() if test[:1] == ("NONE",) else test,
        healthcheck_times=tuple(
            f"{name}={health[name]}"
            for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
            if test and health.get(name)
        ),
        user="" if user in {"root", "0", "0:0", "root:root", "root:0", "0:root"} else user,
        shell=tuple(config.get("Shell") or ()),
        onbuild=tuple(config.get("OnBuild") or ()),
    )


def _is_builders(label: str) -> bool:
    return label == LABEL or label == "io.buildah.version"


def instruction(made_by: str) -> str:
    """A history entry in the words of the Dockerfile."""
    text = re.sub(r" ?# buildkit$", "", made_by)
    text = re.sub(r"^(?:RUN )?(?:\|\d+ .*?)?/bin/sh -c #\(nop\) +", "", text)
    text = re.sub(r"^(RUN )?(?:\|\d+ .*? )?/bin/sh -c ", "RUN ", text)
    return text[:200]


def _hidden(option: str, environment: dict[str, str]) -> str:
    """``KEY=VALUE`` as ``KEY`` with the value in the client's environment, where no process listing shows
    it."""
    key, equals, value = option.partition("=")
    if not equals or _OWN_VARIABLES.match(key) or not re.fullmatch(r"[A-Za-z_]\w*", key):
        return option
    environment[key] = value
    return key


_FAILURES = (
    re.compile(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?(.*)$", re.M),
    re.compile(r"^Error: (?:building at STEP .*?: )?(.*)$", re.M),
    re.compile(r"^(?:error|Error response from daemon): (.*)$", re.M),
    re.compile(r"^(The command .* returned a non-zero code: \d+)$", re.M),
)


def why_it_failed(log: str) -> str | None:
    """The builder's own last word on a failed build."""
    for pattern in _FAILURES:
        found = pattern.findall(log)
        if found:
            return str(found[-1])[:400]
    return None


def parse_time(text: str) -> float:
    """Seconds of the epoch of ``2026-11-21 09:24:50.82835647 +0000 UTC`` (Go) or RFC 3339; 0 where it is
    neither."""
    match = re.match(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)?", text)
    if match is None:
        return 0.0
    zone = (match.group(3) or "Z").replace("Z", "+0000").replace(":", "")
    return datetime.strptime(f"{match.group(1)} {match.group(2)} {zone}", "%Y-%m-%d %H:%M:%S %z").timestamp()
