"""The programs that a container calls by name, whatever the language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context.deployment import Words
from refactor.flow.reading import StageReading
from refactor.flow.roots import shell_file
from refactor.shell import ShellScript, read


def programs_started(reading: StageReading) -> Mapping[str, str]:
    """Programs that the container calls by name -> where: CMD, ENTRYPOINT, HEALTHCHECK, what Compose, Kubernetes, CI
    and scripts start and call in it, and shell scripts that those start.

    Names are without their folder. What the program's own sources call is a matter of its language.
    """
    found: dict[str, str] = {}
    start = reading.start
    if start is not None:
        for node in start.nodes:
            where = f"{node.keyword} on line {reading.file.line_of(node)}"
            script = start.script if start.is_shell else None
            for program in _called(reading, script, () if start.is_shell else start.argv, where):
                found.setdefault(*program)
    health = reading.last("HEALTHCHECK")
    if health is not None:
        where = f"HEALTHCHECK on line {reading.file.line_of(health)}"
        words = re.sub(r"^CMD\s+", "", health.argument, count=1, flags=re.IGNORECASE)
        script = read(words) if health.json is None and words.upper() != "NONE" else None
        for program in _called(reading, script, health.json or (), where):
            found.setdefault(*program)
    for called, where in _called_from_outside(reading):
        calls = (
            _called(reading, read(called), (), where)
            if isinstance(called, str)
            else _called(reading, None, called, where)
        )
        for program in calls:
            found.setdefault(*program)
    return found


def _called_from_outside(reading: StageReading) -> Iterator[tuple[Words, str]]:
    if reading.stage is not reading.file.stages[-1]:
        return
    for service in reading.context.deployment.services:
        for words in (service.entrypoint, service.command):
            if words:
                yield words, service.source
        for call in service.calls:
            yield call.words, call.by


def _called(
    reading: StageReading, script: ShellScript | None, argv: Sequence[str], where: str, depth: int = 0
) -> Iterator[tuple[str, str]]:
    if script is not None:
        for command in script.commands:
            for wrapper in command.wrappers:
                yield wrapper.rpartition("/")[2], where
            if command.name is not None:
                yield from _called(reading, None, (command.name, *command.args), where, depth)
        return
    if not argv:
        return
    yield argv[0].rpartition("/")[2], where
    if argv[0] in {"sh", "bash", "/bin/sh", "/bin/bash", "ash"} and len(argv) > 2 and argv[1] in {"-c", "-lc", "-ec"}:
        yield from _called(reading, read(argv[2]), (), where, depth)
        return
    if argv[0].rpartition("/")[2] in {"tini", "dumb-init", "exec", "gosu", "su-exec"}:
        rest = [word for word in argv[1:] if not word.startswith("-")]
        if rest:
            yield from _called(reading, None, rest, where, depth)
    if depth >= 3:
        return
    for word in argv[:3]:
        yield from _in_script(reading, word, depth)


def _in_script(reading: StageReading, word: str, depth: int) -> Iterator[tuple[str, str]]:
    found = shell_file(reading, word, reading.final_workdir)
    if found is None:
        return
    path, text = found
    body = text.split("\n", 1)[1] if text.startswith("#!") and "\n" in text else text
    yield from _called(reading, read(body), (), path, depth + 1)
    first = re.match(r"#!\s*(?:/usr/bin/env\s+)?(\S+)", text)
    if first is not None:
        yield first[1].rpartition("/")[2], path


__all__ = ["programs_started"]
