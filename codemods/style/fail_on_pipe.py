"""fail-on-pipe"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from refactor import (
    SYSTEM_MANAGERS,
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
    Option,
    Phase,
    Refusal,
    Safety,
    ShellScript,
    Stage,
    StageReading,
    leaves,
    refuse,
    rewrites,
    script_of,
    shell_at,
)

SH = ("/bin/sh", "-c")
BASH = ("/bin/bash",)
HAVE = {"apk": ("/bin/ash",)}
"""Shells with pipefail of distributions, by package manager: bash is essential to Debian's and to those with RPM (their
/bin/sh is bash), BusyBox's ash to Alpine."""
PIPEFAIL = frozenset(("bash", "ash", "zsh", "ksh"))
FORMS = frozenset(("CMD", "ENTRYPOINT", "HEALTHCHECK"))


class FailOnPipe(Codemod):
    """Let a RUN fail when a command in front of a pipe fails.

    Why
    ---
    The status of a pipe is that of its last command. Where `curl` fails, `curl ... | sh` runs nothing, says that all is
    well, and the image is built and cached without what was to be installed.

    What it does
    ------------
    Sets a shell with `pipefail` in front of the first RUN in which a download, an archive or another source of a pipe
    may fail unnoticed: bash where the base image is known to have it, ash on Alpine. It holds for the RUNs that follow
    as long as it changes nothing else for them; before one that it would change, and before shell-form CMD, ENTRYPOINT
    and HEALTHCHECK, the old shell is set again. `pipes = "all"` does it before every pipe, also where nothing in front
    of it can fail (`echo ... | debconf-set-selections`), as hadolint asks for.

    When it refuses
    ---------------
    When a command in the pipe fails as a matter of course (`grep` that finds nothing, `yes`), when one stops reading
    early (`head`, `grep -q`: what writes to it fails then), when the pipe is a condition; when the script has what bash
    and dash take in different ways (`echo -e`, `echo "a\\nb"`); when it is not known that the base image has bash.

    Safety
    ------
    REVIEW: the RUN fails where it went on so far, and the image's configuration names the shell.
    """

    phase = Phase.STYLE
    safety = Safety.REVIEW
    reach = Phase.CACHE
    words = ("|",)
    may_change = frozenset({Aspect.SHELL, Aspect.CACHE})
    options = {
        "pipes": Option("earnest", "pipes whose first commands may fail unnoticed, or every pipe", ("earnest", "all"))
    }
    hadolint = ("DL4006",)
    examples = (
        rewrites(
            "a script and an archive from the network",
            before="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y curl

            # The runtime.
            RUN curl -fsSL https://deb.nodesource.com/setup_20.x | bash -
            RUN curl -fsSL https://example.org/tool.tar.gz | tar xz -C /opt
            CMD ["node"]
            """,
            after="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y curl

            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            # The runtime.
            RUN curl -fsSL https://deb.nodesource.com/setup_20.x | bash -
            RUN curl -fsSL https://example.org/tool.tar.gz | tar xz -C /opt
            CMD ["node"]
            """,
        ),
        rewrites(
            "the old shell for what needs it",
            before="""
            FROM ubuntu:22.04
            RUN wget -qO- https://example.org/key.asc | gpg --dearmor -o /usr/share/keyrings/example.gpg
            RUN echo "one\\ntwo" > /etc/lines
            CMD exec tool $OPTIONS
            """,
            after="""
            FROM ubuntu:22.04
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN wget -qO- https://example.org/key.asc | gpg --dearmor -o /usr/share/keyrings/example.gpg
            SHELL ["/bin/sh", "-c"]
            RUN echo "one\\ntwo" > /etc/lines
            CMD exec tool $OPTIONS
            """,
        ),
        rewrites(
            "Alpine's ash, and a shell that is set",
            before="""
            FROM alpine:3.20 AS tools
            RUN wget -O- https://example.org/tool.tar.gz | tar xz -C /opt
            FROM example/base
            SHELL ["/bin/bash", "-e", "-c"]
            RUN curl -fsSL https://example.org/install.sh | sh
            """,
            after="""
            FROM alpine:3.20 AS tools
            SHELL ["/bin/ash", "-o", "pipefail", "-c"]
            RUN wget -O- https://example.org/tool.tar.gz | tar xz -C /opt
            FROM example/base
            SHELL ["/bin/bash", "-e", "-c"]
            SHELL ["/bin/bash", "-e", "-o", "pipefail", "-c"]
            RUN curl -fsSL https://example.org/install.sh | sh
            """,
        ),
        rewrites(
            "another stage is built from it",
            before="""
            FROM debian:bookworm AS base
            RUN curl -fsSL https://example.org/tool.tar.gz | tar xz -C /opt
            FROM base
            RUN echo -e "a"
            """,
            after="""
            FROM debian:bookworm AS base
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN curl -fsSL https://example.org/tool.tar.gz | tar xz -C /opt
            SHELL ["/bin/sh", "-c"]
            FROM base
            RUN echo -e "a"
            """,
        ),
        rewrites(
            "every pipe, if asked for",
            before="""
            FROM debian:bookworm
            RUN echo "tzdata tzdata/Areas select Europe" | debconf-set-selections
            RUN echo -e "a"
            RUN VERSION=$(curl -fsSL https://example.org/version | tr -d v) && echo "$VERSION"
            RUN grep -v a /etc/passwd | sort
            """,
            after="""
            FROM debian:bookworm
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN echo "tzdata tzdata/Areas select Europe" | debconf-set-selections
            SHELL ["/bin/sh", "-c"]
            RUN echo -e "a"
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN VERSION=$(curl -fsSL https://example.org/version | tr -d v) && echo "$VERSION"
            SHELL ["/bin/sh", "-c"]
            RUN grep -v a /etc/passwd | sort
            """,
            settings={"pipes": "all"},
        ),
        leaves(
            "a second time",
            """
            FROM ubuntu:22.04
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN curl -fsSL https://example.org/install.sh | sh
            SHELL ["/bin/sh", "-c"]
            RUN echo -e "a"
            RUN curl -fsSL https://example.org/more.sh | sh
            """,
            because="has to be set again",
        ),
        leaves(
            "nothing that fails unnoticed",
            """
            FROM debian:bookworm
            RUN echo "sum  file" | sha256sum -c -
            SHELL ["/bin/bash", "-o", "pipefail", "-c"]
            RUN curl -fsSL https://example.org/install.sh | sh
            """,
        ),
        leaves(
            "a search that may find nothing",
            """
            FROM debian:bookworm
            RUN cat /etc/passwd | grep -v nologin | cut -d: -f1 > /users
            """,
            because="`grep` fails as a matter of course",
        ),
        leaves(
            "a reader that stops",
            """
            FROM debian:bookworm
            RUN curl -s https://example.org/versions | head -n 1 > /version
            """,
            because="SIGPIPE",
        ),
        leaves(
            "the pipe is a condition",
            """
            FROM debian:bookworm
            RUN curl -fs https://example.org/a.tar | tar x || echo none
            """,
            because="decides what is run",
        ),
        leaves(
            "the two shells write it in different ways",
            """
            FROM debian:bookworm
            RUN curl -fs https://example.org/a.tar | tar x && echo -e "a\\tb" > /table
            """,
            because="`echo` takes backslashes",
        ),
        leaves(
            "it is not known whether there is bash",
            """
            FROM example/base
            RUN curl -fsSL https://example.org/install.sh | sh
            """,
            because="it is not known whether example/base has bash",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        from refactor import earnest, has_pipe

        is_every = self.option("pipes") == "all"
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            covered: list[Instruction] = []
            is_set = False
            for node in stage.instructions:
                is_set = is_set or (node.keyword == "SHELL" and "pipefail" in node.argument)
                script = script_of(file, node) if node.keyword == "RUN" else ""
                if isinstance(script, str) or node in covered:
                    continue
                source = earnest(script)
                if source is None and not (is_every and has_pipe(script)):
                    continue
                shells = _shells(reading, node)
                if shells is None:
                    continue
                hint = "download into a file first, or set a shell with pipefail where it is meant to fail"
                reason = shells if isinstance(shells, str) else _why_not(reading, shells, node)
                if isinstance(shells, str) or reason is not None:
                    yield refuse(node, reason or "", hint)
                elif (covered or is_set) and not is_every:
                    yield refuse(node, "the old shell has to be set again between it and an earlier RUN", hint)
                else:
                    stretch = _stretch(reading, shells, node)
                    covered += stretch
                    name = "a command in front of a pipe" if source is None else _shown(script, source)
                    yield Finding(
                        node,
                        "let a RUN fail when a command in front of a pipe fails",
                        _edits(reading, shells, stretch),
                        why=f"where {name} fails, the RUN goes on and its layer is cached",
                        evidence=shells.evidence,
                    )


def _shown(script: ShellScript, command: Command) -> str:
    return f"`{' '.join(script.text[slice(*command.span)].split())[:60]}`"


class _Shells(NamedTuple):
    old: tuple[str, ...]
    new: tuple[str, ...]
    is_other: bool
    """The new one is bash where the old one is dash."""
    evidence: tuple[str, ...] = ()


def _shells(reading: StageReading, node: Instruction) -> _Shells | str | None:
    """The shell in force and the one with pipefail; None where it has that, or the reason why there is none."""
    shell, image = shell_at(reading.file, node), reading.image
    old = SH if shell is None or not shell.json else tuple(shell.json)
    if "pipefail" in " ".join(old):
        return None
    if old[0].rpartition("/")[2] in PIPEFAIL and old[-1] == "-c" and not set("".join(old)) & set('"\\'):
        return _Shells(old, (*old[:-1], "-o", "pipefail", "-c"), False)
    if old != SH:
        return f"SHELL {_listed(old)} has no pipefail that is known"
    manager = image.package_manager if image is not None and image.has_shell else None
    evidence: tuple[str, ...] = ()
    if image is None:
        called = next((call for _, call in reading.calls if call.manager in SYSTEM_MANAGERS), None)
        if called is not None:
            manager = called.manager
            evidence = (f"{called.program} is called: its distributions have {HAVE.get(manager, BASH)[0]}",)
    if manager is None:
        return f"it is not known whether {reading.stage.image} has bash, and its /bin/sh may have no pipefail"
    program = HAVE.get(manager, BASH)[0]
    if program == BASH[0] and "BASH_ENV" in reading.file.environment(node):
        return "bash would read what BASH_ENV names before each RUN"
    return _Shells(SH, (program, "-o", "pipefail", "-c"), manager == "apt", evidence)


def _listed(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _why_not(reading: StageReading, shells: _Shells, node: Instruction) -> str | None:
    """Why a RUN does not do the same in the new shell where all goes well."""
    from refactor import why_not_pipefail, why_other_in_bash

    script = script_of(reading.file, node)
    if isinstance(script, str):
        return script
    reason = why_not_pipefail(script)
    if reason is None and shells.is_other and (other := why_other_in_bash(script)) is not None:
        reason = f"pipefail needs bash, which does not do the same as the shell of this base image: {other}"
    return reason


def _takes(reading: StageReading, shells: _Shells, node: Instruction) -> bool:
    """Whether an instruction does the same under the new shell."""
    is_shell_form = node.json is None and node.argument.strip().upper() != "NONE"
    if node.keyword in ("SHELL", "ONBUILD", "FROM") or (node.keyword in FORMS and is_shell_form):
        return False
    is_script = node.keyword == "RUN" and (node.json is None or bool(node.heredocs))
    return not is_script or _why_not(reading, shells, node) is None


def _stretch(reading: StageReading, shells: _Shells, first: Instruction) -> list[Instruction]:
    """The instructions from ``first`` on for which the new shell is set."""
    nodes = reading.stage.instructions
    return list(takewhile(lambda node: _takes(reading, shells, node), nodes[nodes.index(first) :]))


def _edits(reading: StageReading, shells: _Shells, stretch: Sequence[Instruction]) -> list[Edit]:
    file, stage = reading.file, reading.stage

    def set_before(node: Instruction, words: tuple[str, ...]) -> Edit:
        anchor = next(iter(file.comments_above(node)), node)
        return InsertBefore(anchor, [file.new(f"SHELL {_listed(words)}\n")])

    edits = [set_before(stretch[0], shells.new)]
    nodes = stage.instructions
    behind = nodes[nodes.index(stretch[-1]) + 1 :]
    uses = any(node.keyword in ("RUN", "ONBUILD", *FORMS) and node.json is None for node in behind)
    if behind and uses:
        if behind[0].keyword != "SHELL":
            edits.append(set_before(behind[0], shells.old))
    elif _is_asked_later(file, stage):
        edits.append(InsertAfter(stretch[-1], [file.new(f"SHELL {_listed(shells.old)}\n")]))
    return edits


def _is_asked_later(file: Dockerfile, stage: Stage) -> bool:
    """Whether the stage's last shell is another one's first, or runs its health check (``CMD-SHELL``)."""
    is_checked = any(node.keyword == "HEALTHCHECK" and node.json is None for node in stage.instructions)
    return is_checked or any(file.stage_before(each.index, each.image) is stage for each in file.stages)
