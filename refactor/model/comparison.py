"""What differs between two builds, by aspect. Whatever is not found here is the same."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from refactor.model.aspects import Aspect
from refactor.model.steps import enters_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from refactor.model.build_model import BuildModel, Command, Configuration, Copy, StageModel

_SHOWN = 120


class Difference(NamedTuple):
    aspect: Aspect
    stage: str | None
    """Name or number of the stage in the result; None where it is about the whole file."""
    before: str | None
    """None: it was not there. One command, variable, label, copy, ... per difference."""
    after: str | None
    text: str
    """One sentence for a reader."""


def compare(before: BuildModel, after: BuildModel) -> tuple[Difference, ...]:
    """Differences of two readings of a file. Unreadable files have none, unless only the result is
    unreadable."""
    if before is after or before.why_unreadable:
        return ()
    if after.why_unreadable:
        reason = after.why_unreadable
        return (Difference(Aspect.STAGES, None, None, reason, f"the result cannot be read: {reason}"),)
    return tuple(_differences(before, after))


def _differences(before: BuildModel, after: BuildModel) -> Iterator[Difference]:
    same_count = len(before.stages) == len(after.stages)
    pairs = _pairs(before, after)
    yield from _stages(before, after, pairs)
    yield from _arguments(before, after)
    for was, now in pairs:
        if same_count and was == now:
            continue
        yield from _base(before, after, was, now, same_count)
        yield from _configuration(was.config, now.config, _label(now))
        if same_count:
            label = _label(now)
            yield from _commands(was.commands, now.commands, label)
            was_copies, now_copies = _copy_keys((was,), before, True), _copy_keys((now,), after, True)
            yield from _copies(was_copies, now_copies, label)
            yield from _layers(was, now)
            yield from _order(_tokens(was, was_copies), _tokens(now, now_copies), label)
    if not same_count:
        all_before = [command for stage in before.stages for command in stage.commands]
        all_after = [command for stage in after.stages for command in stage.commands]
        yield from _commands(all_before, all_after, None)
        yield from _copies(_copy_keys(before.stages, before, False), _copy_keys(after.stages, after, False), None)
        layers = (sum(stage.layers for stage in model.stages) for model in (before, after))
        was_layers, now_layers = layers
        if was_layers != now_layers:
            yield Difference(
                Aspect.LAYERS,
                None,
                str(was_layers),
                str(now_layers),
                f"{was_layers} RUNs become {now_layers}",
            )


def _label(stage: StageModel) -> str:
    return stage.name or str(stage.number)


def _pairs(before: BuildModel, after: BuildModel) -> list[tuple[StageModel, StageModel]]:
    if len(before.stages) == len(after.stages):
        return list(zip(before.stages, after.stages))
    if not before.stages or not after.stages:
        return []
    names = {stage.name.lower(): stage for stage in after.stages[:-1] if stage.name}
    pairs = [
        (stage, names[stage.name.lower()]) for stage in before.stages[:-1] if stage.name and stage.name.lower() in names
    ]
    return [*pairs, (before.stages[-1], after.stages[-1])]


def _stages(before: BuildModel, after: BuildModel, pairs: list[tuple[StageModel, StageModel]]) -> Iterator[Difference]:
    was, now = len(before.stages), len(after.stages)
    if was != now:
        yield Difference(Aspect.STAGES, None, str(was), str(now), f"{was} stages become {now}")
    for old, new in pairs:
        if (old.name or "").lower() != (new.name or "").lower():
            named = f"is named {new.name!r}" if new.name else "loses its name"
            named += f", was {old.name!r}" if old.name else ""
            yield Difference(Aspect.STAGES, _label(new), old.name, new.name, f"stage {new.number} {named}")


def _arguments(before: BuildModel, after: BuildModel) -> Iterator[Difference]:
    def declared(model: BuildModel) -> dict[tuple[str, str | None], None]:
        found = dict.fromkeys(model.args)
        for stage in model.stages:
            found.update(dict.fromkeys(stage.args))
        return found

    was, now = declared(before), declared(after)
    if was.keys() == now.keys():
        return
    # A build argument declared once more, in another stage, with the same default is no change of the file's
    # interface.
    for name, value in was:
        if (name, value) not in now and not (value is None and any(name == other for other, _ in now)):
            yield Difference(
                Aspect.ENV,
                None,
                _argument(name, value),
                None,
                f"build argument {_argument(name, value)} goes",
            )
    for name, value in now:
        if (name, value) not in was and not (value is None and any(name == other for other, _ in was)):
            yield Difference(
                Aspect.ENV,
                None,
                None,
                _argument(name, value),
                f"build argument {_argument(name, value)} comes",
            )


def _argument(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def _base(
    before: BuildModel, after: BuildModel, was: StageModel, now: StageModel, same_count: bool
) -> Iterator[Difference]:
    if same_count and was.parent is not None and now.parent is not None:
        old: str = f"stage {was.parent}"
        new: str = f"stage {now.parent}"
    else:
        old, new = before.root_image(was), after.root_image(now)
        if same_count and (was.parent is None) != (now.parent is None):
            old, new = was.image, now.image
    if old != new:
        yield Difference(Aspect.BASE, _label(now), old, new, f"the base image {old} becomes {new}")
    if was.platform != now.platform:
        yield Difference(
            Aspect.BASE,
            _label(now),
            was.platform,
            now.platform,
            f"the platform {was.platform or 'of the build'} becomes {now.platform or 'that of the build'}",
        )


def _configuration(was: Configuration, now: Configuration, stage: str) -> Iterator[Difference]:
    if was == now:
        return
    yield from _mapping(Aspect.ENV, stage, was.env, now.env, "ENV {}")
    yield from _mapping(Aspect.LABELS, stage, was.labels, now.labels, "label {}")
    for aspect, name, old, new in (
        (Aspect.USER, "USER", was.user, now.user),
        (Aspect.WORKDIR, "WORKDIR", was.workdir, now.workdir),
        (Aspect.STOPSIGNAL, "STOPSIGNAL", was.stopsignal, now.stopsignal),
        (Aspect.HEALTHCHECK, "HEALTHCHECK", was.healthcheck, now.healthcheck),
        (Aspect.CMD, "CMD", was.cmd, now.cmd),
        (Aspect.ENTRYPOINT, "ENTRYPOINT", was.entrypoint, now.entrypoint),
        (Aspect.SHELL, "SHELL", was.shell, now.shell),
    ):
        if old != new:
            yield _changed(aspect, stage, name, _show(old), _show(new))
    yield from _sets(Aspect.EXPOSE, stage, "EXPOSE", was.exposed, now.exposed)
    yield from _sets(Aspect.VOLUMES, stage, "VOLUME", was.volumes, now.volumes)
    if was.onbuild != now.onbuild:
        yield from _counted(Aspect.ONBUILD, stage, "ONBUILD", Counter(was.onbuild), Counter(now.onbuild))
        if Counter(was.onbuild) == Counter(now.onbuild):
            yield Difference(Aspect.ONBUILD, stage, None, None, "the order of the ONBUILD triggers changes")


@lru_cache(maxsize=256)
def _show(form: tuple[str, ...] | str | None) -> str | None:
    if form is None or isinstance(form, str):
        return form
    import json

    return json.dumps(list(form), ensure_ascii=False)


def _changed(aspect: Aspect, stage: str, name: str, old: str | None, new: str | None) -> Difference:
    if old is None:
        text = f"{name} {_short(new)} comes"
    elif new is None:
        text = f"{name} {_short(old)} goes"
    else:
        text = f"{name} {_short(old)} becomes {_short(new)}"
    return Difference(aspect, stage, old, new, text)


def _short(text: str | None) -> str:
    shown = " ".join((text or "").split())
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def _mapping(
    aspect: Aspect, stage: str, was: Mapping[str, str], now: Mapping[str, str], name: str
) -> Iterator[Difference]:
    if was == now:
        return
    for key in {**was, **now}:
        old, new = was.get(key), now.get(key)
        if old != new:
            yield _changed(aspect, stage, name.format(key), old, new)


def _sets(aspect: Aspect, stage: str, name: str, was: frozenset[str], now: frozenset[str]) -> Iterator[Difference]:
    for item in sorted(was - now):
        yield _changed(aspect, stage, name, item, None)
    for item in sorted(now - was):
        yield _changed(aspect, stage, name, None, item)


def _counted(
    aspect: Aspect, stage: str | None, name: str, was: Counter[str], now: Counter[str]
) -> Iterator[Difference]:
    for item, count in (was - now).items():
        twice = f" ({count} times)" if count > 1 else ""
        yield Difference(aspect, stage, item, None, f"{name} is lost{twice}: {_short(item)}")
    for item, count in (now - was).items():
        word = "is run once more" if was[item] else "is new"
        twice = f" ({count} times)" if count > 1 else ""
        yield Difference(aspect, stage, None, item, f"{name} {word}{twice}: {_short(item)}")


def _commands(was: Sequence[Command], now: Sequence[Command], stage: str | None) -> Iterator[Difference]:
    if was == now:
        return
    old, new = _by_text(was), _by_text(now)
    was_count, now_count = (Counter(command.text for command in each) for each in (was, now))
    for text in was_count.keys() & now_count.keys():
        if enters_folder(text):
            # A list that is taken apart enters its folder again; what it does there is compared with its folder.
            now_count[text] = min(now_count[text], was_count[text])
    yield from _counted(Aspect.COMMANDS, stage, "a command", was_count, now_count)
    for text in old.keys() & new.keys():
        if len(old[text]) != len(new[text]) or [each[2:] for each in old[text]] == [each[2:] for each in new[text]]:
            # The text is the same, the layer is compared elsewhere: all else is.
            continue
        for aspect, name, view in _CONDITIONS:
            olds, news = sorted(map(view, old[text])), sorted(map(view, new[text]))
            if olds != news:
                before, after = ", ".join(olds), ", ".join(news)
                yield Difference(
                    aspect,
                    stage,
                    before,
                    after,
                    f"{name} of `{_short(text)}` is {after or 'the default'}, was {before or 'the default'}",
                )


def _by_text(commands: Iterable[Command]) -> dict[str, list[Command]]:
    found: dict[str, list[Command]] = {}
    for command in commands:
        found.setdefault(command.text, []).append(command)
    return found


def _folder(command: Command) -> str:
    """Where a command runs; "" for those that do the same in any folder (packages and users are named, not found)."""
    return "" if _FOLDERLESS.match(command.text) else command.workdir or ""


def _is_cache(flag: str) -> bool:
    return flag.startswith("--mount=") and "type=cache" in flag.removeprefix("--mount=").split(",")


_FOLDERLESS = re.compile(
    r"(?:sudo )?(?:apt-get|apt|apk|dnf|microdnf|yum|zypper|useradd|adduser|groupadd|addgroup)(?: (?!\.{0,2}/)\S+)*\Z"
    r"|rm -rf /var/\S+\Z"
)

_CONDITIONS: tuple[tuple[Aspect, str, Callable[[Command], str]], ...] = (
    (Aspect.WORKDIR, "the working directory", _folder),
    (Aspect.USER, "the user", lambda command: command.user or ""),
    (Aspect.SHELL, "the shell", lambda command: _show(command.shell) or ""),
    (Aspect.COMMANDS, "the shell's state", lambda command: " && ".join(command.state)),
    (Aspect.ENV, "the environment", lambda command: ", ".join(command.variables)),
    (Aspect.MOUNTS, "the flag", lambda command: " ".join(flag for flag in command.flags if not _is_cache(flag))),
    (Aspect.CACHE_MOUNTS, "the cache mount", lambda command: " ".join(filter(_is_cache, command.flags))),
)


def _copy_keys(stages: Iterable[StageModel], model: BuildModel, by_number: bool) -> list[str]:
    return [_copy_key(copy, model, by_number) for stage in stages for copy in stage.copies]


def _copy_key(copy: Copy, model: BuildModel, by_number: bool) -> str:
    origin = copy.from_image
    if copy.from_stage is not None:
        stage = model.stages[copy.from_stage] if copy.from_stage < len(model.stages) else None
        origin = str(copy.from_stage) if by_number or stage is None else _label(stage).lower()
    head = [copy.kind, *copy.flags, *([f"--from={origin}"] if origin is not None else [])]
    bodies = "".join(f"\n{body}" for _, body in copy.heredocs)
    return " ".join((*head, *copy.sources, copy.destination)) + bodies


def _copies(was: list[str], now: list[str], stage: str | None) -> Iterator[Difference]:
    if was != now:
        yield from _counted(Aspect.COPIES, stage, "a copy", Counter(was), Counter(now))


def _layers(was: StageModel, now: StageModel) -> Iterator[Difference]:
    if was.commands == now.commands:
        return
    kept = _kept([command.text for command in was.commands], [command.text for command in now.commands])
    if was.layers != now.layers or _groups(was, kept) != _groups(now, kept):
        old, new = was.layers, now.layers
        text = f"{old} RUNs become {new}" if old != new else "commands move between RUNs"
        yield Difference(Aspect.LAYERS, _label(now), str(old), str(new), text)


def _kept(was: list[str], now: list[str]) -> set[str]:
    """What is there as often as before. Of what is there more or less often, nobody can say which one is which."""
    old, new = Counter(was), Counter(now)
    return {text for text, count in old.items() if new[text] == count}


def _groups(stage: StageModel, kept: set[str]) -> list[tuple[str, ...]]:
    groups: dict[int, list[str]] = {}
    for command in stage.commands:
        if command.text in kept:
            groups.setdefault(command.layer, []).append(command.text)
    return sorted(tuple(sorted(group)) for group in groups.values())


def _order(old: list[str], new: list[str], stage: str) -> Iterator[Difference]:
    if old == new:
        return
    kept = _kept(old, new)
    kept_old, kept_new = ([token for token in tokens if token in kept] for tokens in (old, new))
    if kept_old != kept_new:
        at = next(i for i, (a, b) in enumerate(zip(kept_old, kept_new)) if a != b)
        yield Difference(
            Aspect.CACHE,
            stage,
            kept_old[at],
            kept_new[at],
            f"the order changes: {_short(kept_new[at])} now comes before {_short(kept_old[at])}",
        )


def _tokens(stage: StageModel, copy_keys: list[str]) -> list[str]:
    commands: dict[int, list[str]] = {}
    for command in stage.commands:
        commands.setdefault(command.layer, []).append(command.text)
    copies = {copy.effect: key for copy, key in zip(stage.copies, copy_keys)}
    tokens: list[str] = []
    layer = 0
    for number, effect in enumerate(stage.effects):
        if effect.keyword == "RUN":
            tokens.extend(f"RUN {text}" for text in commands.get(layer, ()))
            layer += 1
        elif number in copies:
            tokens.append(copies[number])
        else:
            tokens.append(f"{effect.keyword} {effect.value}")
    return tokens
