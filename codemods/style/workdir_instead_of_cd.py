"""workdir-instead-of-cd"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Edit,
    Finding,
    InsertAfter,
    InsertBefore,
    Instruction,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    ShellScript,
    StageReading,
    Step,
    is_within,
    join,
    leaves,
    only_installs,
    refuse,
    rewrites,
    script_of,
)

MANY = 3
"""Calls of `cd` that are worth two WORKDIR lines, where the old folder has to be set again."""
FOLDERLESS = frozenset(("ENV", "ARG", "LABEL", "EXPOSE", "USER", "STOPSIGNAL", "MAINTAINER"))
MOVES = frozenset(("cd", "chdir", "pushd", "popd"))


class WorkdirInsteadOfCd(Codemod):
    """Name the folder that RUNs work in by WORKDIR, not by a cd in each of them.

    Why
    ---
    A `cd` holds for one RUN, so each of them says it anew, and the reader looks for the folder inside of commands.
    WORKDIR says it once, and a folder that is renamed is one line of a diff.

    What it does
    ------------
    Takes `cd FOLDER` out of RUNs that begin with it (behind `set -e`, or behind the `mkdir` of that folder, which goes
    as well) and puts `WORKDIR FOLDER` above them: where a WORKDIR follows that ends its effect, at the end of a stage
    that only builds, or where three or more RUNs in a row begin with the same `cd`; the old folder is then set again
    behind them. A `cd` to the folder that WORKDIR names already just goes, and so does a RUN that only makes the folder
    of the WORKDIR below it.

    When it refuses
    ---------------
    When nothing in the file says that the folder is there (WORKDIR would make it, and hide that it is not); when the
    RUN changes the folder once more, removes it, or asks for `$PWD`; when its name depends on what only the shell
    knows; when the old folder is not known but matters. A single `cd` in front of other instructions is left alone: two
    lines for one would make the file longer. So is a `cd` in the middle of a RUN, into what its first half has made.

    Safety
    ------
    SAFE: the same commands run in the same folder, and all other instructions see the folder they saw before.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    words = ("cd", "mkdir")
    may_change = frozenset({Aspect.WORKDIR, Aspect.COMMANDS, Aspect.CACHE, Aspect.LAYERS})
    hadolint = ("DL3003",)
    examples = (
        rewrites(
            "a folder that another WORKDIR follows",
            before="""
            FROM debian:bookworm
            COPY tool /usr/src/tool/
            RUN cd /usr/src/tool && ./configure && make install

            WORKDIR /app
            CMD ["tool"]
            """,
            after="""
            FROM debian:bookworm
            COPY tool /usr/src/tool/
            WORKDIR /usr/src/tool
            RUN ./configure && make install

            WORKDIR /app
            CMD ["tool"]
            """,
        ),
        rewrites(
            "to the folder that WORKDIR names",
            before="""
            FROM debian:bookworm
            WORKDIR /app
            COPY . .
            RUN cd /app && make install
            CMD ["tool"]
            """,
            after="""
            FROM debian:bookworm
            WORKDIR /app
            COPY . .
            RUN make install
            CMD ["tool"]
            """,
        ),
        rewrites(
            "several in a row",
            before="""
            FROM debian:bookworm
            WORKDIR /app
            RUN git clone https://example.org/tool.git
            # Build it.
            RUN cd tool && ./configure
            RUN cd tool \\
                && make
            RUN cd tool && make install
            COPY . .
            """,
            after="""
            FROM debian:bookworm
            WORKDIR /app
            RUN git clone https://example.org/tool.git
            WORKDIR /app/tool
            # Build it.
            RUN ./configure
            RUN make
            RUN make install
            WORKDIR /app
            COPY . .
            """,
        ),
        rewrites(
            "behind set -e, one after the other, and a folder that is made for it",
            before="""
            FROM debian:bookworm AS builder
            RUN set -ex; \\
                cd /usr/src; \\
                make
            RUN mkdir -p /usr/src/tool && cd /usr/src/tool && git clone https://example.org/tool.git .
            RUN set -x \\
                && cd /usr/src/tool \\
                && make install
            WORKDIR /app
            """,
            after="""
            FROM debian:bookworm AS builder
            WORKDIR /usr/src
            RUN set -ex; \\
                make
            WORKDIR /usr/src/tool
            RUN git clone https://example.org/tool.git .
            RUN set -x \\
                && make install
            WORKDIR /app
            """,
        ),
        rewrites(
            "at the end of a stage that only builds",
            before="""
            FROM golang:1.24 AS builder
            COPY . /src/
            RUN cd /src && go build -o /tool .
            FROM debian:bookworm-slim
            COPY --from=builder /tool /usr/local/bin/
            """,
            after="""
            FROM golang:1.24 AS builder
            COPY . /src/
            WORKDIR /src
            RUN go build -o /tool .
            FROM debian:bookworm-slim
            COPY --from=builder /tool /usr/local/bin/
            """,
        ),
        rewrites(
            "WORKDIR makes its folder",
            before="""
            FROM debian:bookworm
            # The program.
            RUN mkdir -p /app
            WORKDIR /app
            RUN mkdir -m 700 keys
            WORKDIR keys
            RUN mkdir /srv/app
            RUN apt-get install -y git
            WORKDIR /srv/app
            RUN mkdir /data
            COPY data /data
            WORKDIR /data
            USER 1000
            RUN mkdir /tmp/own
            WORKDIR /tmp/own
            """,
            after="""
            FROM debian:bookworm
            # The program.
            WORKDIR /app
            RUN mkdir -m 700 keys
            WORKDIR keys
            RUN apt-get install -y git
            WORKDIR /srv/app
            RUN mkdir /data
            COPY data /data
            WORKDIR /data
            USER 1000
            RUN mkdir /tmp/own
            WORKDIR /tmp/own
            """,
        ),
        leaves(
            "a single one, whose folder must be left again",
            """
            FROM debian:bookworm
            WORKDIR /app
            RUN cd /opt && touch file
            COPY . .
            """,
        ),
        leaves(
            "it is not known whether the folder is there",
            """
            FROM debian:bookworm
            RUN cd /usr/src/tool && make install
            WORKDIR /app
            """,
            because="nothing says that /usr/src/tool is there",
        ),
        leaves(
            "it goes on to another folder",
            """
            FROM debian:bookworm
            RUN cd /opt && touch file && cd /tmp && touch file
            WORKDIR /app
            """,
            because="changes the folder once more",
        ),
        rewrites(
            "a RUN that starts in the old folder stands between",
            before="""
            FROM debian:bookworm AS builder
            RUN mkdir /tool && cd /tool && git clone https://example.org/tool.git .
            RUN cd tool; make || true
            RUN cd /opt && touch file
            WORKDIR /app
            """,
            after="""
            FROM debian:bookworm AS builder
            RUN mkdir /tool && cd /tool && git clone https://example.org/tool.git .
            RUN cd tool; make || true
            WORKDIR /opt
            RUN touch file
            WORKDIR /app
            """,
        ),
        leaves(
            "the folder is removed",
            """
            FROM debian:bookworm
            RUN mkdir /opt/tool
            RUN cd /opt/tool && make install && rm -rf /opt/tool
            WORKDIR /app
            """,
            because="removes",
        ),
        leaves(
            "only the shell knows the name",
            """
            FROM debian:bookworm
            RUN cd $(mktemp -d) && make
            RUN cd "$HOME" && make
            RUN cd ~ && make
            RUN cd /opt/tool-* && make
            WORKDIR /app
            """,
            because="only the shell knows",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            results: list[Finding | Refusal] = []
            named: Instruction | None = None
            for row, behind in reversed(_rows(reading)):
                result = _named(reading, row, behind, behind is not None and behind is named)
                is_named = isinstance(result, Finding) and len(result.edits) > len(row)
                named = row[0].node if is_named else None
                if result is not None:
                    results.append(result)
            yield from results[::-1] or _made_twice(reading)


def _rows(reading: StageReading) -> list[tuple[list[_Cd], Instruction | None]]:
    """RUNs that follow one another and begin in the same folder, and the instruction behind them that minds it."""
    found: list[tuple[list[_Cd], Instruction | None]] = []
    row: list[_Cd] = []
    for node in (*reading.stage.instructions, None):
        cd = None if node is None else _cd(reading, node)
        if cd is not None and (not row or row[-1].folder == cd.folder):
            row.append(cd)
        elif row and (node is None or not _is_folderless(node)):
            found.append((row, node))
            row = [] if cd is None else [cd]
    return found


def _is_folderless(node: Instruction) -> bool:
    """Whether an instruction does the same in any working directory."""
    return node.keyword in FOLDERLESS or (node.destination or "").startswith("/")


class _Cd(NamedTuple):
    node: Instruction
    script: ShellScript
    written: str
    folder: str | None
    """Absolute; None where only the shell knows it."""
    at: tuple[int, int]
    """The first item of the script that goes, and the first behind it that stays."""


def _cd(reading: StageReading, node: Instruction) -> _Cd | None:
    """The folder that a RUN begins to work in, if more commands follow."""
    script = script_of(reading.file, node) if node.keyword == "RUN" else ""
    step = reading.step(node)
    if isinstance(script, str) or step is None or len(script.top) < 2:
        return None
    first = _first_at_work(script)
    made = _made_alone(script.top[first].command)
    at = first + (made is not None)
    if at + 1 >= len(script.top):
        return None
    command = script.top[at].command
    if command is None or command.name != "cd" or len(command.words) != 2 or command.redirects or command.assignments:
        return None
    joints = {item.connector_before for item in script.top[1:]}
    if joints & {"||", "&"} or script.trailing == "&":
        return None
    written = command.words[1].text.strip("\"'")
    if made is not None and (made != command.words[1].text or not _is_root(reading, step)):
        return None
    value = reading.expand(written, node) if re.fullmatch(r"[\w./@+${}][\w./@+${}-]*", written) else None
    if value is not None and not value.startswith("/") and _old(reading, node) is None:
        value = None
    return _Cd(node, script, written, None if value is None else join(step.workdir, value), (first, at + 1))


def _first_at_work(script: ShellScript) -> int:
    """The place of the first command that is no `set`, or of the last one."""
    names = [None if item.command is None else item.command.name for item in script.top]
    return next((at for at, name in enumerate(names) if name != "set"), len(names) - 1)


def _made_alone(command: Command | None) -> str | None:
    """The one folder that a `mkdir` makes, as it is written there."""
    if command is None or command.name != "mkdir" or command.wrappers or command.redirects or command.assignments:
        return None
    words = [word.text for word in command.words[1:] if word.text != "-p"]
    return words[0] if len(words) == 1 and not words[0].startswith("-") else None


def _is_root(reading: StageReading, step: Step) -> bool:
    """Whether a RUN makes its folders for root, as WORKDIR does."""
    user = step.user or (reading.image.default_user if reading.image is not None else None)
    return user in ("root", "0")


def _made_twice(reading: StageReading) -> Iterator[Finding]:
    """RUNs that make nothing but the folder of the WORKDIR that follows, with installs in between at most."""
    file = reading.file
    for at, step in enumerate(reading.steps):
        node = step.node
        script = script_of(file, node) if node.keyword == "RUN" and not node.flags else ""
        if isinstance(script, str) or len(script.top) != 1 or not _is_root(reading, step):
            continue
        made = _made_alone(script.top[0].command)
        below = reading.steps[at + 1 :]
        behind = next((each.node for each in below if not only_installs(reading, each)), None)
        if made is None or behind is None or behind.keyword != "WORKDIR" or script.trailing:
            continue
        paths = [reading.expand(path, each) for path, each in ((made, node), (behind.argument, behind))]
        is_told = bool(file.comments_above(node)) and behind is not below[0].node
        if None not in paths and len({join(step.workdir, path or "") for path in paths}) == 1 and not is_told:
            yield Finding(
                node, f"leave the making of {made} to WORKDIR", [Remove(node)], why="WORKDIR makes the folder it names"
            )


def _old(reading: StageReading, node: Instruction) -> str | None:
    """The working directory before an instruction, None where only an image from outside the catalogue knows it."""
    step = reading.step(node)
    names = [before.node for before in reading.steps[: reading.position(node)] if before.keyword == "WORKDIR"]
    if step is None or "$" in step.workdir or not (names or reading.image is not None):
        return None
    return step.workdir


def _named(
    reading: StageReading, row: Sequence[_Cd], behind: Instruction | None, is_left: bool
) -> Finding | Refusal | None:
    """The answer for RUNs that follow one another and begin in the same folder; ``is_left``: those that follow are
    given a WORKDIR of their own."""
    from refactor import is_folder_there

    first, last = row[0], row[-1]
    if behind is None:
        is_left = not _is_final_folder_seen(reading)
    else:
        is_left = is_left or (behind.keyword == "WORKDIR" and behind.argument.startswith("/"))
    old = _old(reading, first.node)
    is_there_already = old is not None and old == first.folder
    if not is_left and len(row) < MANY and not is_there_already:
        return None
    hint = "make the folder by WORKDIR, or leave the cd"
    reason = next((reason for cd in row if (reason := _why_not(cd)) is not None), None)
    if reason is None and not is_left and old is None:
        reason = "the folder that it has to come back to is the base image's, which is not known"
    is_made = first.at[1] - first.at[0] > 1
    if reason is None and not is_made and not is_folder_there(reading, first.folder or "", first.node):
        reason = f"nothing says that {first.folder} is there: WORKDIR would make it where cd fails"
    if reason is not None or first.folder is None:
        return refuse(first.node, reason or "", hint)
    file = reading.file
    anchor = next(iter(file.comments_above(first.node)), first.node)
    name = first.folder if first.written[:1] not in "/$" else first.written
    edits: list[Edit] = [Replace(cd.node, [cd.node.splice([(*_span(cd), "")])]) for cd in row]
    if is_there_already:
        return Finding(
            first.node,
            f"leave out the cd to {first.folder}",
            edits,
            why="a RUN starts in the folder that WORKDIR names",
        )
    edits.insert(0, InsertBefore(anchor, [file.new(f"WORKDIR {name}\n")]))
    if not is_left:
        edits.append(InsertAfter(last.node, [file.new(f"WORKDIR {old}\n")]))
    return Finding(
        first.node,
        f"name the folder of {len(row)} RUN{'s' * (len(row) > 1)} by WORKDIR",
        edits,
        why="the folder is said once, where the reader looks for it",
    )


def _span(cd: _Cd) -> tuple[int, int]:
    """The text of the script that goes, up to the command that follows."""
    first, end = cd.at
    return cd.script.top[first].span[0], cd.script.top[end].span[0]


def _is_final_folder_seen(reading: StageReading) -> bool:
    """Whether the stage is shipped, can be built by itself (``--target``), or others are built from it."""
    file, stage = reading.file, reading.stage
    is_parent = any(file.stage_before(each.index, each.image) is stage for each in file.stages)
    runs = any(node.keyword in ("CMD", "ENTRYPOINT") for node in stage.instructions)
    return stage.index in file.shipped or is_parent or runs


def _why_not(cd: _Cd) -> str | None:
    if cd.folder is None:
        return f"only the shell knows what `cd {cd.written}` means"
    start, end = _span(cd)
    if "#" in cd.node.raw(start, end):
        return "a comment stands behind the cd"
    for command in cd.script.commands:
        if command.span[0] < end:
            continue
        name = (command.name or "").rpartition("/")[2]
        if name in MOVES and not command.in_subshell:
            return "it changes the folder once more"
        if name in ("rm", "rmdir", "mv") and any(is_within(cd.folder, join(cd.folder, arg)) for arg in command.args):
            return f"it removes {cd.folder}"
        if name == "pwd" or (command.name is None and not command.words):
            return "it asks for the folder's name, or sets a variable for itself"
    if re.search(r"PWD|\bpwd\b|cd -", cd.script.text):
        return "it asks for the folder's name"
    return None
