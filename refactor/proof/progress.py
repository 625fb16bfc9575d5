"""What a builder's progress says of each step: run or taken from the cache, and how long it took.

Two languages: BuildKit's ``--progress=plain`` (moby/buildkit, util/progress/progressui), and the older one of
the classic builder, podman and buildah (``STEP 2/5: RUN ...`` and ``--> Using cache``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_VERTEX = re.compile(r"^#(\d+) \[(?:([^\]]*) )?(\d+)/(\d+)\] (\S.*)$")
_ENDED = re.compile(r"^#(\d+) (CACHED|DONE|ERROR|CANCELED)(?:[: ]+(.*))?$")
_CLASSIC = re.compile(r"^(?:\[(\d+)/\d+\] )?step (\d+)/(\d+) ?: (\S.*)$", re.I)
_CLASSIC_CACHED = re.compile(r"^\s*(?:--->|-->) Using cache\b")
_MAKES_FILES = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})


class Step(NamedTuple):
    """One instruction that the builder carried out. FROM lines are none."""

    stage: str
    """The stage as the builder names it, "" where there is one only."""
    text: str
    """The instruction with its variables resolved: ``RUN npm ci``."""
    is_cached: bool
    seconds: float | None
    """How long it ran; None where the builder does not say."""

    @property
    def is_install(self) -> bool:
        """Whether a package manager fetches and installs dependencies in this step."""
        return is_install(self.text)


class Progress:
    """Takes the lines of a build's log in either language; ``steps`` at its end has them in their order."""

    def __init__(self) -> None:
        self._found: dict[str, Step] = {}
        self._done: set[str] = set()
        self._current: str | None = None

    def take(self, line: str) -> None:
        line = line.rstrip("\r\n")
        match = _VERTEX.match(line)
        if match is not None:
            number, stage, _, _, text = match.groups()
            if number not in self._found:
                self._found[number] = Step(stage or "", text, False, None)
            return
        match = _ENDED.match(line)
        if match is not None:
            number, how, rest = match.groups()
            step = self._found.get(number)
            if step is None:
                return
            if how == "CACHED":
                self._found[number] = step._replace(is_cached=True)
            elif how in ("DONE", "ERROR"):
                self._found[number] = step._replace(seconds=_seconds(rest) if how == "DONE" else None)
            else:
                return
            self._done.add(number)
            return
        match = _CLASSIC.match(line)
        if match is not None:
            stage, number, total, text = match.groups()
            if text.split()[0].upper() not in _MAKES_FILES:
                # ENV, CMD and their like are no steps to BuildKit either.
                self._current = None
                return
            self._current = f"{stage or ''}:{number}/{total}:{text}"
            self._found[self._current] = Step(stage or "", text, False, None)
            self._done.add(self._current)
        elif self._current is not None and _CLASSIC_CACHED.match(line):
            self._found[self._current] = self._found[self._current]._replace(is_cached=True)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was carried out or taken from the cache; a step that was never begun is not among them."""
        return tuple(
            step for key, step in self._found.items() if key in self._done and not step.text.upper().startswith("FROM ")
        )


def _seconds(text: str | None) -> float | None:
    match = re.match(r"^(\d+(?:\.\d+)?)s$", text or "")
    return float(match.group(1)) if match else None


_INSTALLS = frozenset({"install", "ci", "sync", "download", "restore", "global-install", "add", "upgrade"})
_NO_DEPENDENCIES = frozenset({"corepack", "venv"})
_OF_PROJECTS = frozenset({"uv", "poetry", "pdm", "pip", "go"})


class _Install(NamedTuple):
    manager: str
    is_project: bool
    """It installs the project at hand, with what is missing of its dependencies."""


def is_install(step: str) -> bool:
    """Whether a build step has a package manager fetch or install packages."""
    return bool(_installs(step))


def reinstalled(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps that were run, not cached, and installed dependencies anew.

    ``uv sync``, ``poetry install`` and ``pip install .`` behind a cached install by the same tool only add
    the project itself, which a source edit is meant to do; ``go get`` behind a cached ``go mod download`` finds all
    modules there.
    """
    ran: list[Step] = []
    cached: set[tuple[str, str]] = set()
    for step in steps:
        installs = _installs(step.text)
        if step.is_cached:
            cached.update((step.stage, install.manager) for install in installs if _is_first_half(install, step.text))
        elif any(not (install.is_project and (step.stage, install.manager) in cached) for install in installs):
            ran.append(step)
    return tuple(ran)


def _is_first_half(install: _Install, text: str) -> bool:
    return install.is_project or " -r" in text or "--requirement" in text


def _installs(step: str) -> list[_Install]:
    keyword, _, body = step.partition(" ")
    if keyword.upper() != "RUN":
        return []
    from refactor.shell import package_calls, read

    # Words are what matters here: the blanks and line ends of the original are lost in a builder's log
    # anyway.
    body = re.sub(r"^(?:--[a-z]+(?:=\S*)? +)+", "", body.strip())
    found = []
    for call in package_calls(read(body)):
        if call.action not in _INSTALLS or call.manager in _NO_DEPENDENCIES:
            continue
        words = [word.value or word.text for word in call.packages]
        is_local = bool(words) and all(_is_local(word) for word in words)
        if call.manager == "go" and call.action == "install" and not any("@" in word for word in words):
            continue
        if call.manager == "pip" and call.has("--no-deps") and is_local:
            continue
        is_project = call.manager in _OF_PROJECTS and (is_local or (call.manager != "pip" and not words))
        found.append(_Install(call.manager, is_project))
    return found


def _is_local(word: str) -> bool:
    return word.startswith((".", "/")) or word.endswith((".whl", ".tar.gz"))
