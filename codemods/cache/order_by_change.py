"""order-by-change"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from refactor import (
    SYSTEM_MANAGERS,
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    MoveAfter,
    MoveBefore,
    Phase,
    Refusal,
    Safety,
    StageReading,
    Step,
    are_apart,
    commits_to,
    copies_apart,
    leaves,
    only_installs,
    refuse,
    rewrites,
)

METADATA = frozenset({"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "STOPSIGNAL"})
"""They are written to the image's configuration and cost no rebuild of what stands below them."""
SETTINGS = frozenset({"ARG", "ENV", "SHELL", "USER"})
OF_EVERY_BUILD = (
    r"(?i)(?:.*_)?(?:commit(?:_(?:sha|hash|id|ref))?|vcs_ref|revision|git_(?:sha|hash|ref|rev|branch|tag)"
    r"|build_?(?:date|time|timestamp|number|num|id)|created|timestamp|short_sha|sha_short)"
)
"""Names of build arguments that are another value at every build. `CACHEBUST` is one as well, and stands where it does
on purpose."""
MIN_DIFFERENCE = 5
"""Commits by which two copies must differ: fewer of them are chance."""


class OrderByChange(Codemod):
    """Put what changes with every build below what does not.

    Why
    ---
    The first step that changed is built again, and so is every step below it. Sources above `apt-get install` install
    all system packages again after each edit; a build argument with the commit in it does so for every build, since
    each RUN below it gets it in its environment.

    What it does
    ------------
    Moves a COPY of the build context, or of an earlier stage, below the installs of system packages, and of tools that
    pip, npm and gem install by name, which read nothing of it. Moves a build argument of every build (`COMMIT`,
    `BUILD_DATE`, `VCS_REF`), and the ENV and LABEL that use it, below the installs of system packages.

    In a git repository also a COPY that changed rarely above COPYs that changed often, where they stand together and
    write to different places: how many of the latest 300 commits changed what each of them copies decides.

    Metadata that does not depend on such an argument stays where it is: moving it saves nothing.

    When it refuses
    ---------------
    When the copy goes to a folder of the system (`/etc`, `/usr/local`), where an install may find it, and when a step
    between the two may depend on the order.

    Safety
    ------
    SAFE: the same steps, of which none reads what another one writes.
    """

    phase = Phase.CACHE
    safety = Safety.SAFE
    words = ("copy", "add", "arg")
    may_change = frozenset({Aspect.CACHE})
    examples = (
        rewrites(
            "sources above the system's packages",
            before="""
            FROM debian:12
            WORKDIR /app
            # the program
            COPY . .
            ENV PORT=80
            RUN apt-get update && apt-get install -y nginx && rm -rf /var/lib/apt/lists/*
            RUN pip install gunicorn
            RUN make
            """,
            after="""
            FROM debian:12
            WORKDIR /app
            ENV PORT=80
            RUN apt-get update && apt-get install -y nginx && rm -rf /var/lib/apt/lists/*
            RUN pip install gunicorn
            # the program
            COPY . .
            RUN make
            """,
        ),
        rewrites(
            "the commit above the packages",
            before="""
            FROM alpine:3.20
            ARG COMMIT
            LABEL revision=$COMMIT
            RUN apk add --no-cache curl
            COPY run.sh /
            CMD ["/run.sh"]
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache curl
            ARG COMMIT
            LABEL revision=$COMMIT
            COPY run.sh /
            CMD ["/run.sh"]
            """,
        ),
        leaves(
            "settings that the install reads",
            """
            FROM debian:12
            COPY sources.list /etc/apt/
            RUN apt-get update && apt-get install -y nginx
            """,
            because="may be read by the install on line",
        ),
        leaves(
            "a package that was copied",
            """
            FROM debian:12
            COPY tool.deb /opt/tool/
            RUN apt-get update && apt-get install -y /opt/tool/tool.deb
            """,
        ),
        leaves(
            "the install uses the argument",
            """
            FROM alpine:3.20
            ARG BUILD_DATE
            RUN echo $BUILD_DATE && apk add --no-cache curl
            """,
        ),
        leaves(
            "a folder made in between",
            """
            FROM debian:12
            COPY . /app
            WORKDIR /app
            RUN apt-get update && apt-get install -y nginx
            """,
            because="WORKDIR on line",
        ),
        leaves(
            "metadata saves nothing",
            """
            FROM alpine:3.20
            LABEL team=web
            EXPOSE 80
            RUN apk add --no-cache curl
            """,
        ),
        leaves(
            "an argument that is there to repeat what follows",
            """
            FROM alpine:3.20
            ARG CACHEBUST
            RUN apk add --no-cache curl
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            first = next((at for at, step in enumerate(reading.steps) if step.keyword in {"COPY", "ADD", "ARG"}), None)
            below = () if first is None else reading.steps[first:]
            installs = [step for step in below if only_installs(reading, step)]
            if installs:
                moved = _copies(file, reading, set(map(id, installs)))
                yield from moved
                if any(isinstance(found, Finding) for found in moved):
                    continue
                # All change the same lines: what comes next is asked about in the next round.
                arguments = list(_arguments(file, reading))
                yield from arguments
                if arguments:
                    continue
            yield from _by_history(file, reading)


def _by_history(file: Dockerfile, reading: StageReading) -> Iterator[Finding]:
    """A COPY that changed rarely, above the first of its neighbours that changed often."""
    for group in _neighbours(reading):
        nodes = [step.node for step in group]
        for late in range(1, len(nodes)):
            # How far up it may go is known without asking git.
            top = late
            while top and are_apart(reading, nodes[top - 1], nodes[late]):
                top -= 1
            rarely = commits_to(reading, nodes[late]) if top < late else None
            if rarely is None:
                continue
            counts = [commits_to(reading, node) for node in nodes[top:late]]
            often = max(rarely * 2, rarely + MIN_DIFFERENCE)
            at = next((at for at, count in enumerate(counts, top) if count is not None and count >= often), None)
            if at is not None:
                yield _above(file, reading, nodes[late], rarely, nodes[at], counts[at - top] or 0)
                break


def _above(
    file: Dockerfile, reading: StageReading, node: Instruction, rarely: int, anchor: Instruction, often: int
) -> Finding:
    place = next(iter(file.comments_above(anchor)), anchor)
    total = len(reading.context.history.commits)
    lines = file.line_of(anchor), file.line_of(node)
    return Finding(
        node,
        "copy what rarely changes above what often does",
        [*(MoveBefore(comment, place) for comment in file.comments_above(node)), MoveBefore(node, place)],
        why="an edit of the sources no longer makes its layer again",
        evidence=(
            f"of the latest {total} commits {often} changed what line {lines[0]} copies,"
            f" and {rarely} what line {lines[1]} copies",
        ),
    )


def _neighbours(reading: StageReading) -> Iterator[list[Step]]:
    """Groups of COPYs from the build context that follow one another."""
    group: list[Step] = []
    for step in (*reading.steps, None):
        if step is not None and step.keyword == "COPY" and step.node.flag("from") is None and not step.node.heredocs:
            group.append(step)
            continue
        if len(group) > 1:
            yield group
        group = []


def _copies(file: Dockerfile, reading: StageReading, installs: set[int]) -> list[Finding | Refusal]:
    """Copies that go below the installs behind them."""
    found: list[Finding | Refusal] = []
    pending: list[Step] = []
    passed: list[Step] = []

    def flush(reason: str = "", hint: str = "") -> None:
        if passed:
            ahead = [step for step in pending if reading.position(step.node) < reading.position(passed[-1].node)]
            found.append(_moved(file, [step.node for step in ahead], passed, "the copy", "an edit of the sources"))
        elif pending and reason:
            found.append(refuse(pending[-1].node, reason, hint))
        pending.clear()
        passed.clear()

    for index, step in enumerate(reading.steps):
        line = file.line_of(step.node)
        if step.keyword in {"COPY", "ADD"}:
            if _comes_with_edits(file, step) and copies_apart(reading, step):
                pending.append(step)
                continue
            following = next((other for other in reading.steps[index + 1 :] if other.keyword == "RUN"), None)
            flush()
            if following is not None and id(following) in installs and _comes_with_edits(file, step):
                where = f"what line {line} copies may be read by the install on line {file.line_of(following.node)}"
                found.append(refuse(step.node, where, "copy it below the install if that needs nothing of it"))
        elif id(step) in installs:
            if pending:
                passed.append(step)
        elif step.keyword in METADATA or (step.keyword in SETTINGS and not _names_used(step, pending)):
            continue
        else:
            after = next((other for other in reading.steps[index + 1 :] if other.keyword == "RUN"), None)
            is_between = step.keyword == "WORKDIR" and after is not None and id(after) in installs
            flush(f"WORKDIR on line {line} stands between the copy and the install" if is_between else "",
                  "write WORKDIR above the copy")  # fmt: skip
    flush()
    return found


def _comes_with_edits(file: Dockerfile, step: Step) -> bool:
    """The copy brings files of the build context, or of a stage of this file."""
    name = step.node.flag("from")
    if step.node.heredocs or any("://" in source for source in step.node.sources):
        return False
    return name is None or file.stage(name) is not None


def _names_used(step: Step, pending: Sequence[Step]) -> bool:
    """An ENV or ARG assigns what a copy in front of it uses."""
    names = _assigned(step.node) if step.keyword in {"ENV", "ARG"} else set()
    return any(_mentions(other.node, names) for other in pending)


def _assigned(node: Instruction) -> set[str]:
    if node.keyword == "ARG":
        return {word.partition("=")[0] for word in node.argument.split()}
    return {name for name, _ in node.pairs}


def _mentions(node: Instruction, names: set[str]) -> bool:
    text = "\n".join((node.argument, *(heredoc.body for heredoc in node.heredocs)))
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


def _arguments(file: Dockerfile, reading: StageReading) -> Iterator[Finding | Refusal]:
    """The first argument of every build that stands above an install of system packages."""
    steps = reading.steps
    for index, step in enumerate(steps):
        name = step.node.argument.strip()
        if step.keyword != "ARG" or re.fullmatch(OF_EVERY_BUILD, name) is None:
            continue
        names, group, passed = {name}, [step.node], []
        for other in steps[index + 1 :]:
            if other.keyword == "RUN":
                if _mentions(other.node, names) or not only_installs(reading, other, SYSTEM_MANAGERS):
                    break
                passed.append(other)
            elif other.keyword in {"ENV", "LABEL"} and _mentions(other.node, names):
                pairs = other.node.pairs
                if not all(any(re.search(rf"\b{name}\b", value) for name in names) for _, value in pairs):
                    break  # what else it sets may be used on the way
                group.append(other.node)
                if other.keyword == "ENV":
                    names |= {key for key, _ in pairs}
            elif _mentions(other.node, names) or other.keyword in {"ONBUILD", "VOLUME", "SHELL"}:
                break
        end = reading.position(passed[-1].node) if passed else 0
        group = [node for node in group if reading.position(node) < end]
        if group:
            yield _moved(file, group, passed, f"{name}, which is another at every build", "every build")
            return


def _moved(file: Dockerfile, nodes: Sequence[Instruction], passed: Sequence[Step], what: str, when: str) -> Finding:
    anchor = passed[-1].node
    edits = []
    for node in nodes:
        edits += [MoveAfter(comment, anchor) for comment in file.comments_above(node)]
        edits.append(MoveAfter(node, anchor))
    lines = ", ".join(str(file.line_of(step.node)) for step in passed)
    installs = "installs" if len(passed) > 1 else "install"
    places = f"line{'s' if len(passed) > 1 else ''} {lines}"
    return Finding(
        nodes[0],
        f"move {what} below the {installs} on {places}",
        edits,
        why=f"{when} no longer installs the packages again",
        evidence=(f"the packages on {places} are named there, and installing them reads nothing of it",),
    )
