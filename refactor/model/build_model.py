"""What a Dockerfile means: per stage the ordered effects, the commands, the copies and the image's
configuration."""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from refactor.model.reader import Reading, Statement, read
from refactor.model.steps import Step, steps_of
from refactor.model.words import expand, json_list, normal_path, pairs_of, split_words, squeeze, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"\$\{?([A-Za-z_]\w*)", re.ASCII)

Exec = tuple[str, ...]
"""Exec form; shell form is a str."""

_ARCHIVES = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst")


Effect = Statement
"""One instruction, in order."""

_NONE: Mapping[str, str] = MappingProxyType({})


class Configuration(NamedTuple):
    """What the image of a stage says about its containers; instructions of parent stages in the file
    included."""

    env: Mapping[str, str] = _NONE
    """Values without quotes; a variable that this file does not set stays as `${name}`."""
    user: str | None = None
    workdir: str | None = None
    cmd: Exec | str | None = None
    entrypoint: Exec | str | None = None
    exposed: frozenset[str] = frozenset()
    labels: Mapping[str, str] = _NONE
    """MAINTAINER is the label "MAINTAINER"."""
    volumes: frozenset[str] = frozenset()
    stopsignal: str | None = None
    healthcheck: str | None = None
    shell: Exec | None = None
    onbuild: tuple[str, ...] = ()


class Command(NamedTuple):
    """One step of a RUN's `&&` list, and what it runs under."""

    text: str
    layer: int
    """Number of its RUN in the stage, from 0."""
    workdir: str | None
    """Where it runs: WORKDIR, and the `cd`s before it in the same shell."""
    user: str | None
    shell: Exec | None
    flags: tuple[str, ...]
    """--mount, --network, --security of its RUN, sorted."""
    state: tuple[str, ...] = ()
    """Steps before it in the same shell that set variables, options, functions, ..."""
    variables: tuple[str, ...] = ()
    """ENV (with its value) and ARG of this file that its text names, sorted."""


class Copy(NamedTuple):
    """A COPY or ADD."""

    kind: str
    """"COPY", or "ADD" where that does more: an address, or an archive to unpack."""
    from_stage: int | None
    from_image: str | None
    sources: tuple[str, ...]
    destination: str
    """Absolute; ends in "/" where what it names is a folder by its spelling."""
    flags: tuple[str, ...]
    """All but --from, sorted."""
    effect: int
    """Number of its instruction among the stage's effects."""
    heredocs: tuple[tuple[str, str], ...] = ()


class StageModel(NamedTuple):
    number: int
    name: str | None
    image: str
    """Base as written, global build arguments put in."""
    parent: int | None
    """Stage this one is built FROM, if it is one of this file."""
    platform: str | None
    effects: tuple[Effect, ...]
    config: Configuration
    commands: tuple[Command, ...]
    copies: tuple[Copy, ...]
    args: tuple[tuple[str, str | None], ...]
    """Build arguments declared in the stage."""
    layers: int
    """Number of RUNs."""


class BuildModel(NamedTuple):
    stages: tuple[StageModel, ...]
    args: tuple[tuple[str, str | None], ...] = ()
    """Global build arguments."""
    escape: str = "\\"
    why_unreadable: str | None = None
    """Set where the file is outside the reader's domain; there are no stages then."""

    @classmethod
    def read(cls, source: bytes) -> BuildModel:
        """Never raises."""
        return _model_of(source)

    @property
    def final(self) -> StageModel | None:
        return self.stages[-1] if self.stages else None

    def root_image(self, stage: StageModel) -> str:
        """The image that a stage's chain of parents in this file begins with."""
        while stage.parent is not None:
            stage = self.stages[stage.parent]
        return stage.image

    def chain(self, stage: StageModel) -> tuple[StageModel, ...]:
        """The stage and the stages of this file it is built from, the nearest first."""
        found = [stage]
        while stage.parent is not None:
            stage = self.stages[stage.parent]
            found.append(stage)
        return tuple(found)


@lru_cache(maxsize=4)
def _model_of(source: bytes) -> BuildModel:
    reading = read(source)
    if isinstance(reading, str):
        return BuildModel((), why_unreadable=reading)
    return _Builder(reading).build()


def _image_and_name(argument: str) -> tuple[str, str | None]:
    words = argument.split()
    if len(words) >= 3 and words[1].upper() == "AS":
        return words[0], words[2]
    return (words[0] if words else ""), None


class _Builder:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.escape = reading.escape
        self.stages: list[StageModel] = []
        self.names: dict[str, int] = {}
        self.declared: list[frozenset[str]] = []
        self.global_args: list[tuple[str, str | None]] = []
        self.globals: dict[str, str] = {}

    def build(self) -> BuildModel:
        chunks: list[list[Statement]] = []
        for statement in self.reading.statements:
            if statement.keyword == "FROM":
                chunks.append([statement])
            elif chunks:
                chunks[-1].append(statement)
            elif statement.keyword == "ARG":
                self._declare(statement, self.global_args, self.globals)
        for chunk in chunks:
            self._stage(chunk)
        return BuildModel(tuple(self.stages), tuple(self.global_args), self.escape)

    def _declare(self, statement: Statement, into: list[tuple[str, str | None]], known: dict[str, str] | None) -> None:
        for word in split_words(statement.argument, self.escape):
            name, has_default, raw = word.partition("=")
            value = value_of(raw, self.escape) if has_default else None
            into.append((name, value))
            if known is not None and value is not None:
                known[name] = expand(value, known)

    def _stage(self, chunk: list[Statement]) -> None:
        index = len(self.stages)
        from_ = chunk[0]
        image, name = _image_and_name(from_.argument)
        image = expand(value_of(image, self.escape), self.globals) if "$" in image else image
        parent = self.names.get(image.lower())
        platform = next((flag[11:] for flag in from_.flags if flag.startswith("--platform=")), None)
        config = self.stages[parent].config if parent is not None else Configuration()
        state = _StageState(self, config, self.declared[parent] if parent is not None else ())
        for number, statement in enumerate(chunk[1:]):
            state.take(statement, number)
        self.stages.append(
            StageModel(
                index,
                name,
                image,
                parent,
                platform,
                tuple(chunk[1:]),
                state.finish(),
                tuple(state.commands),
                tuple(state.copies),
                tuple(state.args),
                state.layers,
            )
        )
        self.declared.append(frozenset(state.declared))
        if name:
            self.names[name.lower()] = index


class _StageState:
    """What the instructions of one stage add up to."""

    def __init__(self, builder: _Builder, config: Configuration, declared: Iterable[str]) -> None:
        self.builder = builder
        self.escape = builder.escape
        self.config = config
        self.env = dict(config.env)
        self.labels = dict(config.labels)
        self.user = config.user
        self.workdir = config.workdir
        self.shell = config.shell
        self.values: dict[str, object] = {}
        self.exposed: list[str] = []
        self.volumes: list[str] = []
        self.onbuild: list[str] = []
        self.commands: list[Command] = []
        self.copies: list[Copy] = []
        self.args: list[tuple[str, str | None]] = []
        # A stage built FROM another one of the file sees its build arguments too.
        self.declared = set(declared)
        self.layers = 0
        self.number = 0

    def take(self, statement: Statement, number: int) -> None:
        self.number = number
        handler = _HANDLERS.get(statement.keyword)
        if handler is not None:
            handler(self, statement)

    def finish(self) -> Configuration:
        config = self.config
        changes: dict[str, object] = dict(self.values)
        if "entrypoint" in changes and "cmd" not in changes:
            # BuildKit's dispatchEntrypoint: an ENTRYPOINT resets a CMD that an earlier image set.
            changes["cmd"] = None
        if self.exposed:
            changes["exposed"] = config.exposed | frozenset(self.exposed)
        if self.volumes:
            changes["volumes"] = config.volumes | frozenset(self.volumes)
        if self.onbuild:
            changes["onbuild"] = config.onbuild + tuple(self.onbuild)
        return config._replace(
            env=self.env,
            labels=self.labels,
            user=self.user,
            workdir=self.workdir,
            shell=self.shell,
            **changes,  # type: ignore[arg-type]
        )

    def _value(self, raw: str) -> str:
        value = value_of(raw, self.escape)
        return expand(value, self.env) if "$" in value else value

    def path(self, raw: str) -> str:
        """Absolute, where the working directory is known or "/"; with its trailing slash."""
        text = self._value(raw)
        is_folder = text.endswith(("/", "/.")) or text in (".", "..")
        if self.escape != "\\" or "\\" in text or text[1:2] == ":":
            return text
        if not text.startswith(("/", "$")):
            text = f"{self.workdir or '/'}/{text}"
        path = normal_path(text)
        return f"{path}/" if is_folder and path != "/" else path

    def run(self, statement: Statement) -> None:
        argument = statement.argument
        exec_form = json_list(argument)
        steps: tuple[Step, ...]
        if exec_form is not None:
            steps = (Step(f"exec {' '.join(repr(word) for word in exec_form)}"),)
        elif statement.heredocs:
            bodies = "".join(f"\n{body}" for _, body in statement.heredocs)
            steps = (Step(squeeze(argument) + bodies),)
        else:
            steps = steps_of(argument)
        flags = tuple(sorted(statement.flags))
        for step in steps:
            folder = self.workdir
            for target in step.folders:
                folder = _joined(folder, value_of(target, self.escape))
            self.commands.append(
                Command(
                    step.text,
                    self.layers,
                    folder,
                    self.user,
                    self.shell,
                    flags,
                    step.state,
                    self._named_in(step.text) if "$" in step.text else (),
                )
            )
        self.layers += 1

    def _named_in(self, text: str) -> tuple[str, ...]:
        found = []
        for name in sorted(set(_NAME.findall(text))):
            if name in self.env:
                found.append(f"{name}={self.env[name]}")
            elif name in self.declared:
                found.append(name)
        return tuple(found)

    def copy(self, statement: Statement) -> None:
        words = json_list(statement.argument)
        if words is None:
            words = split_words(statement.argument, self.escape)
        if len(words) < 2 and not statement.heredocs:
            return
        from_ = next((flag[7:] for flag in statement.flags if flag.startswith("--from=")), None)
        flags = tuple(sorted(flag for flag in statement.flags if not flag.startswith("--from=")))
        from_stage: int | None = None
        if from_ is not None:
            from_ = from_.strip("'\"")
            from_stage = self.builder.names.get(from_.lower())
            if from_stage is None and from_.isascii() and from_.isdigit():
                from_stage = int(from_)
        sources = tuple(self._source(word, from_ is not None) for word in words[:-1])
        kind = statement.keyword
        if kind == "ADD" and not any(map(_does_more, sources)):
            kind = "COPY"
        self.copies.append(
            Copy(
                kind,
                from_stage,
                from_ if from_stage is None else None,
                sources,
                self.path(words[-1]) if words else "/",
                flags,
                self.number,
                statement.heredocs,
            )
        )

    def _source(self, raw: str, is_absolute: bool) -> str:
        text = self._value(raw)
        if "://" in text or text.startswith("<<") or self.escape != "\\":
            return text
        is_folder = text.endswith("/") and text.strip("/") != ""
        path = normal_path(f"/{text}") if not text.startswith("$") else text
        # A source is relative to the context's or the stage's root, with and without a leading slash.
        if not is_absolute:
            path = path.lstrip("/") or "."
        return f"{path}/" if is_folder else path

    def set_env(self, statement: Statement) -> None:
        # What one ENV sets, its own values do not see.
        self.env |= {
            value_of(key, self.escape): self._value(raw) for key, raw in pairs_of(statement.argument, self.escape)
        }

    def set_labels(self, statement: Statement) -> None:
        for key, raw in pairs_of(statement.argument, self.escape):
            self.labels[value_of(key, self.escape)] = self._value(raw)

    def set_maintainer(self, statement: Statement) -> None:
        self.labels["MAINTAINER"] = statement.argument

    def declare(self, statement: Statement) -> None:
        self.builder._declare(statement, self.args, None)
        self.declared.update(name for name, _ in self.args)

    def set_user(self, statement: Statement) -> None:
        self.user = self._value(statement.argument)

    def set_workdir(self, statement: Statement) -> None:
        path = self.path(statement.argument)
        self.workdir = path.rstrip("/") or "/"

    def set_shell(self, statement: Statement) -> None:
        self.shell = json_list(statement.argument)

    def set_cmd(self, statement: Statement) -> None:
        self.values[statement.keyword.lower()] = _form(statement.argument)

    def set_stopsignal(self, statement: Statement) -> None:
        self.values["stopsignal"] = self._value(statement.argument)

    def set_healthcheck(self, statement: Statement) -> None:
        word, _, rest = statement.argument.partition(" ")
        form = _form(rest.strip())
        shown = "" if form in ("", None) else f" {form if isinstance(form, str) else list(form)}"
        self.values["healthcheck"] = " ".join((*sorted(statement.flags), word.upper())) + shown

    def expose(self, statement: Statement) -> None:
        for word in split_words(statement.argument, self.escape):
            port, _, protocol = self._value(word).partition("/")
            self.exposed.append(f"{port}/{protocol.lower() or 'tcp'}")

    def add_volumes(self, statement: Statement) -> None:
        words = json_list(statement.argument)
        if words is None:
            words = split_words(statement.argument, self.escape)
        self.volumes.extend(self._value(word) for word in words)

    def add_trigger(self, statement: Statement) -> None:
        bodies = "".join(f"\n{body}" for _, body in statement.heredocs)
        self.onbuild.append(squeeze(statement.value) + bodies)


def _form(argument: str) -> Exec | str:
    words = json_list(argument)
    return squeeze(argument) if words is None else words


def _joined(folder: str | None, path: str) -> str:
    return normal_path(path if path.startswith("/") else f"{folder or '/'}/{path}")


def _does_more(source: str) -> bool:
    return "://" in source or source.startswith("git@") or source.lower().endswith(_ARCHIVES)


_HANDLERS = {
    "RUN": _StageState.run,
    "COPY": _StageState.copy,
    "ADD": _StageState.copy,
    "ENV": _StageState.set_env,
    "LABEL": _StageState.set_labels,
    "MAINTAINER": _StageState.set_maintainer,
    "ARG": _StageState.declare,
    "USER": _StageState.set_user,
    "WORKDIR": _StageState.set_workdir,
    "SHELL": _StageState.set_shell,
    "CMD": _StageState.set_cmd,
    "ENTRYPOINT": _StageState.set_cmd,
    "STOPSIGNAL": _StageState.set_stopsignal,
    "HEALTHCHECK": _StageState.set_healthcheck,
    "EXPOSE": _StageState.expose,
    "VOLUME": _StageState.add_volumes,
    "ONBUILD": _StageState.add_trigger,
}
