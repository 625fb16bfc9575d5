"""workdir-instead-of-cd"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Edit,
    Finding,
    InsertAfter,
    InsertBefore,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    ShellScript,
    StageReading,
    Step,
    files_of,
    is_within,
    join,
    leaves,
    refuse,
    rewrites,
    script_of,
)

MANY = 3
"""Calls of `cd` that are worth two WORKDIR lines, where the old folder has to be set again."""
FOLDERLESS = frozenset(("ENV", "ARG", "LABEL", "EXPOSE", "USER", "STOPSIGNAL", "MAINTAINER"))
STANDARD = frozenset(
    "/ /bin /etc /home /lib /mnt /opt /root /sbin /srv /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin"
    " /usr/local/lib /usr/local/share /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/tmp".split()
)
"""Folders of Debian's and Alpine's base files, and of distributions with RPM."""
MOVES = frozenset(("cd", "chdir", "pushd", "popd"))


class WorkdirInsteadOfCd(Codemod):
    """Name the folder that RUNs work in by WORKDIR, not by a cd in each of them.

    Why
    ---
    A `cd` holds for one RUN, so each of them says it anew, and the reader looks for the folder inside of commands.
    WORKDIR says it once, and a folder that is renamed is one line of a diff.

    What it does
    ------------
    Takes `cd FOLDER &&` out of RUNs that begin with it and puts `WORKDIR FOLDER` above them: where a WORKDIR follows
    that ends its effect, at the end of a stage that only builds, or where three or more RUNs in a row begin with the
    same `cd`; the old folder is then set again behind them. A `cd` to the folder that WORKDIR names already just goes.

    When it refuses
    ---------------
    When nothing in the file says that the folder is there (WORKDIR would make it, and hide that it is not); when the
    RUN changes the folder once more, removes it, or asks for `$PWD`; when its name depends on what only the shell
    knows; when the old folder is not known but matters. A single `cd` in front of other instructions is left alone: two
    lines for one would make the file longer.

    Safety
    ------
    SAFE: the same commands run in the same folder, and all other instructions see the folder they saw before.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    may_change = frozenset({Aspect.WORKDIR, Aspect.COMMANDS, Aspect.CACHE})
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
            row: list[_Cd] = []
            for node in (*stage.instructions, None):
                cd = None if node is None else _cd(reading, node)
                if isinstance(cd, _Cd) and (not row or row[-1].folder == cd.folder):
                    row.append(cd)
                    continue
                if row and (node is None or not _is_folderless(node)):
                    yield from _named(reading, row, node)
                    row = [cd] if isinstance(cd, _Cd) else []


def _is_folderless(node: Instruction) -> bool:
    """Whether an instruction does the same in any working directory."""
    return node.keyword in FOLDERLESS or (node.destination or "").startswith("/")


class _Cd(NamedTuple):
    node: Instruction
    script: ShellScript
    written: str
    folder: str | None
    """Absolute; None where only the shell knows it."""


def _cd(reading: StageReading, node: Instruction) -> _Cd | None:
    """The folder that a RUN begins to work in, if more commands follow."""
    script = script_of(reading.file, node) if node.keyword == "RUN" else ""
    step = reading.step(node)
    if isinstance(script, str) or step is None or len(script.top) < 2:
        return None
    first = script.top[0].command
    if first is None or first.name != "cd" or len(first.words) != 2 or first.redirects or first.assignments:
        return None
    joints = {item.connector_before for item in script.top[1:]}
    if script.top[1].connector_before != "&&" or joints & {"||", "&"} or script.trailing == "&":
        return None
    written = first.words[1].text.strip("\"'")
    value = reading.expand(written, node) if re.fullmatch(r"[\w./@+${}][\w./@+${}-]*", written) else None
    if value is not None and not value.startswith("/") and _old(reading, node) is None:
        value = None
    return _Cd(node, script, written, None if value is None else join(step.workdir, value))


def _old(reading: StageReading, node: Instruction) -> str | None:
    """The working directory before an instruction, None where only an image from outside the catalogue knows it."""
    step = reading.step(node)
    names = [before.node for before in reading.steps[: reading.position(node)] if before.keyword == "WORKDIR"]
    if step is None or "$" in step.workdir or not (names or reading.image is not None):
        return None
    return step.workdir


def _named(reading: StageReading, row: Sequence[_Cd], behind: Instruction | None) -> Iterator[Finding | Refusal]:
    """The answer for RUNs that follow one another and begin in the same folder."""
    first, last = row[0], row[-1]
    if behind is None:
        is_left = not _is_final_folder_seen(reading)
    else:
        is_left = behind.keyword == "WORKDIR" and behind.argument.startswith("/")
    old = _old(reading, first.node)
    is_there_already = old is not None and old == first.folder
    if not is_left and len(row) < MANY and not is_there_already:
        return
    hint = "make the folder by WORKDIR, or leave the cd"
    reason = next((reason for cd in row if (reason := _why_not(cd)) is not None), None)
    if reason is None and not is_left and old is None:
        reason = "the folder that it has to come back to is the base image's, which is not known"
    if reason is None and not _is_there(reading, first):
        reason = f"nothing says that {first.folder} is there: WORKDIR would make it where cd fails"
    if reason is not None or first.folder is None:
        yield refuse(first.node, reason or "", hint)
        return
    file = reading.file
    anchor = next(iter(file.comments_above(first.node)), first.node)
    name = first.folder if first.written[:1] not in "/$" else first.written
    edits: list[Edit] = [Replace(cd.node, [cd.node.splice([(0, cd.script.top[1].span[0], "")])]) for cd in row]
    if is_there_already:
        yield Finding(
            first.node,
            f"leave out the cd to {first.folder}",
            edits,
            why="a RUN starts in the folder that WORKDIR names",
        )
        return
    edits.insert(0, InsertBefore(anchor, [file.new(f"WORKDIR {name}\n")]))
    if not is_left:
        edits.append(InsertAfter(last.node, [file.new(f"WORKDIR {old}\n")]))
    yield Finding(
        first.node,
        f"name the folder of {len(row)} RUN{'s' * (len(row) > 1)} by WORKDIR",
        edits,
        why="the folder is said once, where the reader looks for it",
    )


def _is_final_folder_seen(reading: StageReading) -> bool:
    """Whether the stage is shipped, can be built by itself (``--target``), or others are built from it."""
    file, stage = reading.file, reading.stage
    is_parent = any(file.stage_before(each.index, each.image) is stage for each in file.stages)
    runs = any(node.keyword in ("CMD", "ENTRYPOINT") for node in stage.instructions)
    return stage.index in file.shipped or is_parent or runs


def _why_not(cd: _Cd) -> str | None:
    if cd.folder is None:
        return f"only the shell knows what `cd {cd.written}` means"
    if "#" in cd.node.raw(0, cd.script.top[1].span[0]):
        return "a comment stands behind the cd"
    for command in cd.script.commands[1:]:
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


def _is_there(reading: StageReading, cd: _Cd) -> bool:
    """Whether the folder is one of every distribution, or an instruction before makes it, by name or around it."""
    folder = cd.folder or ""
    if folder in STANDARD or folder == (reading.image.workdir if reading.image is not None else None):
        return True
    return any(_makes(reading, step, folder) for step in reading.steps[: reading.position(cd.node)])


def _makes(reading: StageReading, step: Step, folder: str) -> bool:
    node = step.node

    def expand(word: str) -> str | None:
        return reading.expand(word, node)

    if step.keyword == "WORKDIR":
        value = expand(node.argument)
        return value is not None and is_within(join(step.workdir, value), folder)
    if node.destination is not None:
        value = expand(node.destination)
        is_folder = value is not None and (
            value.endswith("/") or any(each.is_folder for each in reading.copied_by(node))
        )
        return is_folder and is_within(join(step.workdir, value or ""), folder)
    if step.script is None or step.script.opaque is not None:
        return False
    return any(is_within(path, folder) for path in files_of(step.script, step.workdir, expand).made)
