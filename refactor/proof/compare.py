"""The image configurations of two versions: what differs, and whether that was to be expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from refactor.model.aspects import Aspect
from refactor.proof.engine import Configuration
from refactor.syntax import parse


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that an image's configuration says otherwise than before."""

    field: str
    """In Docker's words: ``User``, ``Env PATH``, ``Labels version``."""
    before: str
    after: str
    expected_by: str
    """The aspect that the applied codemods said they may change; "" where nobody announced it."""

    def __str__(self) -> str:
        return f"{self.field}: {self.before or '(none)'} -> {self.after or '(none)'}"


_FIELDS: tuple[tuple[str, str, str, Aspect], ...] = (
    ("Cmd", "cmd", "CMD", Aspect.CMD),
    ("Entrypoint", "entrypoint", "ENTRYPOINT", Aspect.ENTRYPOINT),
    ("WorkingDir", "working_dir", "WORKDIR", Aspect.WORKDIR),
    ("ExposedPorts", "exposed", "EXPOSE", Aspect.EXPOSE),
    ("Volumes", "volumes", "VOLUME", Aspect.VOLUMES),
    ("StopSignal", "stop_signal", "STOPSIGNAL", Aspect.STOPSIGNAL),
    ("Healthcheck", "healthcheck", "HEALTHCHECK", Aspect.HEALTHCHECK),
    ("Healthcheck times", "healthcheck_times", "HEALTHCHECK", Aspect.HEALTHCHECK),
    ("User", "user", "USER", Aspect.USER),
    ("Shell", "shell", "SHELL", Aspect.SHELL),
    ("OnBuild", "onbuild", "ONBUILD", Aspect.ONBUILD),
)


def differences(
    before: Configuration,
    after: Configuration,
    sources: tuple[bytes, bytes],
    may_change: frozenset[Aspect],
    target: str | None = None,
) -> tuple[Difference, ...]:
    """What the two configurations say otherwise, in Docker's order.

    ``sources`` are the two Dockerfiles: what neither of them sets comes from the base image, and is expected
    to change where the base image was.
    """
    declared = _declared(sources[0], target) | _declared(sources[1], target)
    return tuple(_compare(before, after, declared, may_change))


def _compare(
    before: Configuration, after: Configuration, declared: frozenset[str], may_change: frozenset[Aspect]
) -> Iterator[Difference]:
    def expected(aspect: Aspect, key: str) -> str:
        if aspect in may_change:
            return aspect.value
        return Aspect.BASE.value if Aspect.BASE in may_change and key not in declared else ""

    for field, attribute, keyword, aspect in _FIELDS:
        old, new = getattr(before, attribute), getattr(after, attribute)
        if old != new:
            yield Difference(field, _shown(old), _shown(new), expected(aspect, keyword))
    for field, keyword, aspect in (("env", "ENV", Aspect.ENV), ("labels", "LABEL", Aspect.LABELS)):
        olds, news = getattr(before, field), getattr(after, field)
        for key in sorted({**olds, **news}):
            if olds.get(key) != news.get(key):
                key_expected = expected(aspect, f"{keyword} {key}")
                yield Difference(f"{field.title()} {key}", olds.get(key, ""), news.get(key, ""), key_expected)


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(value))
    if isinstance(value, tuple):
        import json

        return json.dumps(list(value), ensure_ascii=False) if value else ""
    return str(value)


def _declared(source: bytes, target: str | None) -> frozenset[str]:
    """What the final stage, or a stage of the file it is built on, sets itself: keywords, ``ENV KEY``,
    ``LABEL KEY``."""
    file = parse(source)
    stage = (file.stage(target) if target else None) or (file.stages[-1] if file.stages else None)
    found: set[str] = set()
    seen: set[int] = set()
    while stage is not None and stage.index not in seen:
        seen.add(stage.index)
        for node in stage.instructions:
            keyword = "LABEL" if node.keyword == "MAINTAINER" else node.keyword
            if keyword in {"ENV", "LABEL"}:
                found.update(f"{keyword} {key.strip(chr(34))}" for key, _ in node.pairs)
            else:
                found.add(keyword)
        parent = file.stage(stage.image)
        stage = parent if parent is not None and parent.index < stage.index else None
    return frozenset(found)
