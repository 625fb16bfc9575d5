"""What of a RUN belongs to a front end that is built beside a program of another language, and what is left of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence

from refactor.ecosystems import system
from refactor.ecosystems.node.tables import words
from refactor.flow.graph import Act, Flow, FlowStep
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.shell import Command
from refactor.syntax import Instruction

CALLS_NODE = r"(?<![\w./@-])(?:node|nodejs|npm|npx|yarn|pnpm|corepack)(?![\w./@=:-])"
_ARCHIVES = r"deb\.nodesource\.com|rpm\.nodesource\.com|dl\.yarnpkg\.com|nodesource\.(?:list|gpg)|yarn\.list"
_TOOLS_OF_NODE = r"node_modules/(?:npm|corepack)/|/bin/(?:npm|npx|corepack|node|nodejs|yarn)\b"
_ALONE = "give each a RUN of its own"
_NEUTRAL = words("cd set : true echo printf export")
_SHELL_STATE = words("cd set export . source pushd popd")


class Part:
    """One RUN, taken apart: the items of its list that are the front end's, those that only bring Node, and others."""

    def __init__(self, step: FlowStep, packages: Collection[str]) -> None:
        self.flow_step = step
        self.packages = packages
        """System packages that bring Node."""
        self.step: Step = step.step
        self.acts = {id(act.call.command): act for act in step.acts if act.call is not None}
        self.is_readable = self.step.script is not None and self.step.script.opaque is None
        items = self.step.script.top if self.step.script is not None and self.is_readable else ()
        self.kinds = [self._kind(item.span) for item in items]
        self.spans = [item.span for item in items]

    def _kind(self, span: tuple[int, int]) -> str:
        """ "front end", "node" (it only brings Node), "neutral", "other"."""
        assert self.step.script is not None
        commands = [one for one in self.step.commands if span[0] <= one.span[0] and one.span[1] <= span[1]]
        if re.search(_ARCHIVES, self.step.script.text[slice(*span)]):
            return "node"
        kinds = {self._kind_of(command) for command in commands}
        return next((kind for kind in ("other", "front end", "node") if kind in kinds), "neutral")

    def _kind_of(self, command: Command) -> str:
        act = self.acts.get(id(command))
        name = posixpath.basename(command.name or "")
        call = next((one for one in self.step.calls if one.command is command), None)
        if call is not None and call.manager in system.MANAGERS:
            installed = [word.literal.partition("=")[0] for word in call.packages]
            if call.action == "install" and installed and set(installed) <= set(self.packages):
                return "node"
            return "other" if call.action in {"install", "remove", "build-dep"} else "neutral"
        if act is not None and act.effect.by == "Node":
            # The images of Node have Yarn, and npm would not write over it.
            is_tool = (
                call is not None
                and call.action == "global-install"
                and all(re.fullmatch(r"yarn(?:@1\S*)?", word.literal) for word in call.packages)
            )
            looks = not act.effect.writes and not act.effect.reads
            return "node" if is_tool or looks else "front end"
        if name in {"ln", "rm"} and command.args and re.search(_TOOLS_OF_NODE, " ".join(command.args)):
            return "node"
        if name == "rm" and all(re.search(r"^-|node_modules/?$|/\.npm\b|^/tmp|^/var", arg) for arg in command.args):
            return "neutral"
        return "neutral" if (name in _NEUTRAL and not command.redirects) or not command.words else "other"

    def of(self, kind: str) -> Iterator[Command]:
        """The commands of the items of one kind."""
        for span, own in zip(self.spans, self.kinds, strict=True):
            if own == kind:
                yield from (one for one in self.step.commands if span[0] <= one.span[0] and one.span[1] <= span[1])

    @property
    def is_front_end(self) -> bool:
        return "front end" in self.kinds

    @property
    def is_touched(self) -> bool:
        return bool({"front end", "node"} & set(self.kinds)) or bool(list(self._packages()))

    def _packages(self) -> Iterator[tuple[int, int, str]]:
        """Node's packages in the list of an install that others are in too, each with the blank before it."""
        for call in self.step.calls:
            if call.manager not in system.MANAGERS or call.action != "install":
                continue
            own = [word for word in call.packages if word.literal.partition("=")[0] in self.packages]
            if own and len(own) < len(call.packages):
                for word in own:
                    before = max(one.span[1] for one in call.command.words if one.span[1] <= word.span[0])
                    yield before, word.span[1], ""

    def moved(self) -> Instruction | str | None:
        """What the front end's own stage gets of it."""
        assert self.step.script is not None
        if not self.is_front_end:
            return None
        if "other" not in self.kinds and "node" not in self.kinds:
            return self.step.node
        # left() refuses options of such a RUN: they may be of either half.
        texts = [self.step.script.text[slice(*span)] for span, kind in zip(self.spans, self.kinds, strict=True)
                 if kind in {"front end", "neutral"}]  # fmt: skip
        return "RUN " + " \\\n    && ".join(text.strip() for text in texts)

    @property
    def brings_lists(self) -> bool:
        """What goes of it also fetches the lists of apt: the script of Node's archive does, too."""
        assert self.step.script is not None
        is_whole = "other" not in self.kinds
        for span, kind in zip(self.spans, self.kinds, strict=True):
            text = self.step.script.text[slice(*span)]
            if re.search(r"\bupdate\b", text) and is_whole:
                return True
            if kind == "node" and re.search(r"\|\s*(?:sudo\s+(?:-E\s+)?)?(?:ba)?sh\b", text):
                return True
        return False

    def with_lists(self, left: Instruction) -> Instruction:
        """An install that is left gets the lists of apt by itself."""
        found = re.search(r"\bapt(?:-get)?\s+(?:-\S+\s+)*install\b", left.argument)
        if found is None or re.search(r"\bapt(?:-get)?\s+(?:-\S+\s+)*update\b", left.argument[: found.start()]):
            return left
        return left.splice([(found.start(), found.start(), "apt-get update && ")])

    def left(self) -> Instruction | Refused | None:
        """What is left of it; None for nothing."""
        script, node = self.step.script, self.step.node
        line = self.flow_step.line
        assert script is not None
        if "other" not in self.kinds:
            return None
        changes = list(self._packages())
        if {"front end", "node"} & set(self.kinds):
            names = {command.name for command in self.step.commands}
            if node.flags and self.is_front_end:
                return Refused(f"line {line} builds the front end and does other things, with options", _ALONE)
            if not script.is_and_list or (self.is_front_end and names & _SHELL_STATE):
                return Refused(f"line {line} builds the front end and does other things", _ALONE)
            changes = [change for change in changes if not self._is_gone(change)]
            changes += self._gone()
        left = node.splice(changes)
        if re.search(CALLS_NODE, left.argument):
            return Refused(f"line {line} calls Node in a way that is not known", "call npm in a RUN of its own")
        return left

    def _is_gone(self, change: tuple[int, int, str]) -> bool:
        return any(
            span[0] <= change[0] < span[1] and kind in {"front end", "node"}
            for span, kind in zip(self.spans, self.kinds, strict=True)
        )

    def _gone(self) -> Iterator[tuple[int, int, str]]:
        """The spans of what goes, each with the connector to what stays."""
        goes = [kind in {"front end", "node"} for kind in self.kinds]
        at = 0
        while at < len(goes):
            end = at
            while end < len(goes) and goes[end]:
                end += 1
            if end > at:
                if at == 0:
                    yield self.spans[0][0], self.spans[end][0], ""
                else:
                    yield self.spans[at - 1][1], self.spans[end - 1][1], ""
            at = max(end, at + 1)


def is_repeatable(step: FlowStep, folder: str) -> bool:
    """It puts files of the front end's folder in place (``cp .env.example .env``), by tools of the system alone."""
    acts = [act for act in step.acts if act.effect.reads or act.effect.writes]
    return bool(acts) and all(
        not act.effect.by
        and not act.effect.needs
        and act.call is not None
        and act.call.name in {"cp", "mv", "touch", "mkdir", "ln", "echo", "printf"}
        and all(isinstance(path, str) and is_within(path, folder) for path in (*act.effect.reads, *act.effect.writes))
        for act in acts
    )


def made_by_others(
    flow: Flow, reading: StageReading, folder: str, before: int, repeated: Collection[Step]
) -> Iterator[tuple[Act, str]]:
    """What commands of other languages make in the front end's folder before a position of the stage, or beside it
    (``../deps`` of Phoenix), each path as seen from that folder."""
    for act in flow.acts(reading):
        step = act.step.step
        if step.keyword != "RUN" or reading.position(step.node) > before or step in repeated or act.effect.by == "Node":
            continue
        if act.call is not None and act.call.name in {"chmod", "chown", "chgrp", "mkdir"}:
            continue
        for path in act.effect.writes:
            if not isinstance(path, str) or path == folder:
                continue
            is_beside = (
                bool(act.effect.by) and is_within(folder, posixpath.dirname(path)) and not is_within(folder, path)
            )
            if is_within(path, folder) or is_beside:
                yield act, posixpath.relpath(path, folder)


def texts_of(reading: StageReading, folder: str, without: Sequence[str], endings: str) -> Iterator[tuple[str, str]]:
    """Context files below a folder with one of the endings, each with its text."""
    files = reading.context.files(folder, without=without)
    for path in files if isinstance(files, tuple) else ():
        if re.search(rf"\.(?:{endings})\Z", path):
            text = reading.context.read(path)
            if isinstance(text, str):
                yield path, text


__all__ = ["CALLS_NODE", "Part", "is_repeatable", "made_by_others", "texts_of"]
