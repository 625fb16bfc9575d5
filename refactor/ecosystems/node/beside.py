"""What of a RUN belongs to a front end that is built beside a program of another language, and what is left of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence

from refactor.ecosystems import system
from refactor.flow.graph import Act, Flow, FlowStep
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.shell import Command
from refactor.shell.posix import Does, tools
from refactor.syntax import Instruction

CALLS_NODE = r"(?<![\w./@-])(?:node|nodejs|npm|npx|yarn|pnpm|corepack)(?![\w./@=:-])"
_ARCHIVES = r"deb\.nodesource\.com|rpm\.nodesource\.com|dl\.yarnpkg\.com|nodesource\.(?:list|gpg)|yarn\.list"
_TOOLS_OF_NODE = r"node_modules/(?:npm|corepack)/|/bin/(?:npm|npx|corepack|node|nodejs|yarn)\b"
_ALONE = "give each a RUN of its own"
_NEUTRAL = frozenset("cd set : true echo printf export".split())
_SHELL_STATE = frozenset("cd set export . source pushd popd".split())
_GOES = frozenset({"front end", "node"})
_Change = tuple[int, int, str]


class Part:
    """One RUN, taken apart: the items of its list that are the front end's, those that only bring Node, and others."""

    def __init__(self, step: FlowStep, packages: Collection[str]) -> None:
        self.flow_step = step
        self.packages = packages
        """System packages that bring Node."""
        self.step: Step = step.step
        self.acts = {id(act.call.command): act for act in step.acts if act.call is not None}
        self.script = self.step.script
        self.is_readable = self.script is not None and self.script.opaque is None
        self.items = [(item.span, self._kind(item.span)) for item in (self.script.top if self.script else ())
                      if self.is_readable]  # fmt: skip
        """Each with its kind: "front end", "node" (it only brings Node), "neutral", "other"."""
        self.kinds = [kind for _, kind in self.items]

    def _text(self, span: tuple[int, int]) -> str:
        return self.script.text[slice(*span)] if self.script is not None else ""

    def _within(self, span: tuple[int, int]) -> list[Command]:
        return [one for one in self.step.commands if span[0] <= one.span[0] and one.span[1] <= span[1]]

    def _kind(self, span: tuple[int, int]) -> str:
        if re.search(_ARCHIVES, self._text(span)):
            return "node"
        kinds = {self._kind_of(command) for command in self._within(span)}
        return next((kind for kind in ("other", "front end", "node") if kind in kinds), "neutral")

    def _kind_of(self, command: Command) -> str:
        act, name = self.acts.get(id(command)), posixpath.basename(command.name or "")
        call = next((one for one in self.step.calls if one.command is command), None)
        words = [] if call is None else [word.literal for word in call.packages]
        if call is not None and call.manager in system.MANAGERS:
            installed = {word.partition("=")[0] for word in words}
            if call.action == "install" and installed and installed <= set(self.packages):
                return "node"
            return "other" if call.action in {"install", "remove", "build-dep"} else "neutral"
        if act is not None and act.effect.by == "Node":
            # The images of Node have Yarn, and npm would not write over it.
            is_global = call is not None and call.action == "global-install"
            is_tool = is_global and all(re.fullmatch(r"yarn(?:@1\S*)?", word) for word in words)
            looks = not act.effect.writes and not act.effect.reads
            return "node" if is_tool or looks else "front end"
        if name in {"ln", "rm"} and command.args and re.search(_TOOLS_OF_NODE, " ".join(command.args)):
            return "node"
        if name == "rm" and all(re.search(r"^-|node_modules/?$|/\.npm\b|^/tmp|^/var", arg) for arg in command.args):
            return "neutral"
        return "neutral" if (name in _NEUTRAL and not command.redirects) or not command.words else "other"

    def of(self, kind: str) -> Iterator[Command]:
        """The commands of the items of one kind."""
        return (command for span, own in self.items if own == kind for command in self._within(span))

    @property
    def is_front_end(self) -> bool:
        return "front end" in self.kinds

    @property
    def is_touched(self) -> bool:
        return not _GOES.isdisjoint(self.kinds) or any(self._packages())

    def _packages(self) -> Iterator[_Change]:
        """Node's packages in the list of an install that others are in too, each with the blank before it."""
        for call in self.step.calls:
            own = [word for word in call.packages if word.literal.partition("=")[0] in self.packages]
            is_install = call.manager in system.MANAGERS and call.action == "install"
            for word in own if is_install and len(own) < len(call.packages) else ():
                yield max(one.span[1] for one in call.command.words if one.span[1] <= word.span[0]), word.span[1], ""

    def moved(self) -> Instruction | str | None:
        """What the front end's own stage gets of it."""
        if not self.is_front_end:
            return None
        if not {"other", "node"} & {*self.kinds}:
            return self.step.node
        # left() refuses options of such a RUN: they may be of either half.
        texts = [self._text(span).strip() for span, kind in self.items if kind in {"front end", "neutral"}]
        return "RUN " + " \\\n    && ".join(texts)

    @property
    def brings_lists(self) -> bool:
        """What goes of it also fetches the lists of apt: the script of Node's archive does, too."""
        is_whole = "other" not in self.kinds
        return any(
            (is_whole and re.search(r"\bupdate\b", self._text(span)))
            or (kind == "node" and re.search(r"\|\s*(?:sudo\s+(?:-E\s+)?)?(?:ba)?sh\b", self._text(span)))
            for span, kind in self.items
        )

    def with_lists(self, left: Instruction) -> Instruction:
        """An install that is left gets the lists of apt by itself."""
        found = re.search(r"\bapt(?:-get)?\s+(?:-\S+\s+)*install\b", left.argument)
        if found is None or re.search(r"\bapt(?:-get)?\s+(?:-\S+\s+)*update\b", left.argument[: found.start()]):
            return left
        return left.splice([(found.start(), found.start(), "apt-get update && ")])

    def left(self) -> Instruction | Refused | None:
        """What is left of it; None for nothing."""
        node, line, changes = self.step.node, self.flow_step.line, [*self._packages()]
        if "other" not in self.kinds:
            return None
        if not _GOES.isdisjoint(self.kinds):
            names = {command.name for command in self.step.commands}
            is_list = self.script is not None and self.script.is_and_list
            if self.is_front_end and node.flags:
                return Refused(f"line {line} builds the front end and does other things, with options", _ALONE)
            if not is_list or (self.is_front_end and names & _SHELL_STATE):
                return Refused(f"line {line} builds the front end and does other things", _ALONE)
            gone = [span for span, kind in self.items if kind in _GOES]
            changes = [one for one in changes if not any(span[0] <= one[0] < span[1] for span in gone)]
            changes += self._gone()
        left = node.splice(changes)
        if re.search(CALLS_NODE, left.argument):
            return Refused(f"line {line} calls Node in a way that is not known", "call npm in a RUN of its own")
        return left

    def _gone(self) -> Iterator[_Change]:
        """The spans of what goes, each with the connector to what stays."""
        spans, goes = [span for span, _ in self.items], [kind in _GOES for kind in self.kinds]
        first = goes.index(False)
        if first:
            yield spans[0][0], spans[first][0], ""
        for at in range(first + 1, len(spans)):
            if goes[at]:
                yield spans[at - 1][1], spans[at][1], ""


def is_repeatable(step: FlowStep, folder: str) -> bool:
    """It puts files of the front end's folder in place (``cp .env.example .env``), by tools of the system alone."""
    acts = [act for act in step.acts if act.effect.reads or act.effect.writes]
    return bool(acts) and all(
        not act.effect.by
        and not act.effect.needs
        and act.call is not None
        and act.call.name in tools(Does.MAKES, Does.COPIES, Does.LINKS, Does.SAYS)
        and all(isinstance(path, str) and is_within(path, folder) for path in (*act.effect.reads, *act.effect.writes))
        for act in acts
    )


def made_by_others(
    flow: Flow, reading: StageReading, folder: str, before: int, repeated: Collection[Step]
) -> Iterator[tuple[Act, str]]:
    """What commands of other languages make in the front end's folder before a position of the stage, or beside it
    (``../deps`` of Phoenix), each path as seen from that folder."""
    for act in flow.acts(reading):
        step, name = act.step.step, "" if act.call is None else act.call.name
        is_before = step.keyword == "RUN" and reading.position(step.node) <= before and step not in repeated
        if not is_before or act.effect.by == "Node" or name in tools(Does.CHANGES) | {"mkdir"}:
            continue
        for path in act.effect.writes:
            if not isinstance(path, str) or path == folder:
                continue
            is_beside = bool(act.effect.by) and is_within(folder, posixpath.dirname(path))
            if is_within(path, folder) or (is_beside and not is_within(folder, path)):
                yield act, posixpath.relpath(path, folder)


def texts_of(reading: StageReading, folder: str, without: Sequence[str], endings: str) -> Iterator[tuple[str, str]]:
    """Context files below a folder with one of the endings, each with its text."""
    files = reading.context.files(folder, without=without)
    for path in files if isinstance(files, tuple) else ():
        text = reading.context.read(path) if re.search(rf"\.(?:{endings})\Z", path) else None
        if isinstance(text, str):
            yield path, text
