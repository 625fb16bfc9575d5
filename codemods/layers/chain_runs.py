"""chain-runs"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from refactor import (
    SYSTEM_MANAGERS,
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Option,
    PackageCall,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    ShellScript,
    Stage,
    StageReading,
    Trivia,
    installer,
    is_cleaning,
    kept_apart,
    leaves,
    package_calls,
    refuse,
    rewrites,
    script_of,
    why_not_one_list,
)

GROUPABLE = ("`cd` ", "`export` ", "`pushd` ")
FOR_A_LINTER = r"(?i)\s*#\s*(?:dockerfix|hadolint|tally|check|shellcheck)\b"


class ChainRuns(Codemod):
    """Join consecutive RUN instructions that belong together into one layer.

    Why
    ---
    Each RUN is a layer. What a later one removes still lies in the earlier one and is shipped, and an `apt-get update`
    in a layer of its own is served from the cache for months while the packages behind it move on.

    What it does
    ------------
    Joins neighbouring RUNs with `&&` where the second continues the first: an update, the installs that live on its
    lists and the cleaning; installs by one system package manager with equal flags; and, in a stage that is shipped,
    everything from where a thing is made (downloaded, cloned, unpacked, installed for the build) to where the same path
    or package is removed. An install that has an update of its own stays apart. `cd` and `export` keep to themselves in
    a subshell. `chain = "all"` joins every consecutive pair that can be joined.

    When it refuses
    ---------------
    When another instruction stands between, or RUNs that have nothing to do with what is made and removed;
    when the flags (`--mount`, `--network`) differ, and when a construct would change the meaning of what it is joined
    to: `||`, a trailing `;` or `&`, variables, `set -e`, `exit`, a heredoc, a comment, a script that cannot be
    analysed. When a comment above them asks for separate commands.

    Safety
    ------
    SAFE: the same commands with the same folder and environment, and the same failure points.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    may_change = frozenset({Aspect.LAYERS, Aspect.CACHE})
    options = {
        "chain": Option("related", "join what belongs together, or every pair that can be joined", ("related", "all"))
    }
    hadolint = ("DL3059",)
    examples = (
        rewrites(
            "update and install",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update
            RUN apt-get install -y curl
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update \\
                && apt-get install -y curl
            """,
        ),
        rewrites(
            "download, build and remove",
            before="""
            FROM debian:bookworm
            RUN curl -fsSLO https://example.org/tool-1.0.tar.gz
            RUN tar xzf tool-1.0.tar.gz && cd tool-1.0 && make install
            RUN rm -rf tool-1.0 tool-1.0.tar.gz
            """,
            after="""
            FROM debian:bookworm
            RUN curl -fsSLO https://example.org/tool-1.0.tar.gz \\
                && (tar xzf tool-1.0.tar.gz && cd tool-1.0 && make install) \\
                && rm -rf tool-1.0 tool-1.0.tar.gz
            """,
        ),
        rewrites(
            "build packages that are deleted again",
            before="""
            FROM alpine:3.20
            RUN apk add --no-cache --virtual .build-deps gcc musl-dev
            RUN gcc --version
            RUN apk del .build-deps
            """,
            after="""
            FROM alpine:3.20
            RUN apk add --no-cache --virtual .build-deps gcc musl-dev \\
                && gcc --version \\
                && apk del .build-deps
            """,
        ),
        rewrites(
            "everything, when asked",
            before="""
            FROM debian:bookworm
            RUN touch /one
            RUN ls /
            """,
            after="""
            FROM debian:bookworm
            RUN touch /one \\
                && ls /
            """,
            settings={"chain": "all"},
        ),
        leaves(
            "the RUNs have nothing to do with each other",
            """
            FROM debian:bookworm
            RUN touch /one
            RUN ls /
            """,
        ),
        leaves(
            "an install that has an update of its own, and one that has old lists",
            """
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y curl
            RUN curl -fsSL -o /usr/local/bin/gosu https://example.org/gosu
            RUN apt-get install -y redis-server

            RUN apt-get update && apt-get install -y git
            """,
        ),
        leaves(
            "the file that is removed is another one of that name",
            """
            FROM debian:bookworm
            WORKDIR /etc/php5/fpm
            RUN wget https://example.org/php.ini
            RUN rm -r /etc/php5/cli/php.ini
            """,
        ),
        rewrites(
            "the same file, seen from another folder",
            before="""
            FROM debian:bookworm
            WORKDIR /usr/src

            RUN git clone https://example.org/tool.git
            RUN cd tool && make install

            RUN cd / && rm -R usr/src/tool

            CMD ["tool"]
            """,
            after="""
            FROM debian:bookworm
            WORKDIR /usr/src

            RUN git clone https://example.org/tool.git \\
                && (cd tool && make install) \\
                && cd / && rm -R usr/src/tool

            CMD ["tool"]
            """,
        ),
        leaves(
            "a RUN between has nothing to do with it",
            """
            FROM debian:bookworm
            RUN curl -fsSLO https://example.org/tool.tar.gz
            RUN useradd --system app
            RUN tar xzf tool.tar.gz -C /opt && rm tool.tar.gz
            """,
            because="has nothing to do with that",
        ),
        leaves(
            "the stage is not shipped",
            """
            FROM debian:bookworm AS builder
            RUN curl -fsSLO https://example.org/tool.tar.gz
            RUN tar xzf tool.tar.gz -C /opt && rm tool.tar.gz
            FROM debian:bookworm-slim
            COPY --from=builder /opt/tool /opt/tool
            """,
        ),
        rewrites(
            "the cleaning of the lists",
            before="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y curl

            RUN rm -rf /var/lib/apt/lists/* /tmp/*

            RUN pip install flask
            """,
            after="""
            FROM debian:bookworm
            RUN apt-get update && apt-get install -y curl \\
                && rm -rf /var/lib/apt/lists/* /tmp/*

            RUN pip install flask
            """,
        ),
        leaves(
            "a failure is tolerated in the first",
            """
            FROM debian:bookworm
            RUN apt-get update || true
            RUN apt-get install -y curl
            """,
            because="`||` would regroup",
        ),
        leaves(
            "a variable would be seen by the next command",
            """
            FROM debian:bookworm
            RUN apt-get update && PACKAGE=curl
            RUN apt-get install -y $PACKAGE
            """,
            because="`PACKAGE=`",
        ),
        rewrites(
            "a comment between",
            before="""
            FROM debian:bookworm
            RUN curl -o /tmp/go.tar.gz https://go.dev/dl/go1.24.0.linux-amd64.tar.gz

            # The programs that the tests need.
            RUN tar -C /usr/local -xzf /tmp/go.tar.gz && rm /tmp/go.tar.gz

            CMD ["go", "version"]
            """,
            after="""
            FROM debian:bookworm
            RUN curl -o /tmp/go.tar.gz https://go.dev/dl/go1.24.0.linux-amd64.tar.gz \\
                # The programs that the tests need.
                && tar -C /usr/local -xzf /tmp/go.tar.gz && rm /tmp/go.tar.gz

            CMD ["go", "version"]
            """,
        ),
        leaves(
            "a comment for a linter between",
            """
            FROM alpine:3.20
            RUN apk update
            # hadolint ignore=DL3018
            RUN apk add curl
            """,
            because="the comment above it is for a linter",
        ),
        leaves(
            "what is removed was gone already",
            """
            FROM debian:bookworm
            RUN cd /tmp && curl -O https://example.org/a.tar.gz && tar -xzf a.tar.gz && cd a && mkdir build \\
                && make -C build install && rm -rf /tmp/a /tmp/a.tar.gz
            RUN pip3 install six==1.15.0 && rm -rf /tmp/*
            """,
        ),
        leaves(
            "the author wants them apart",
            """
            FROM debian:bookworm
            # in separate commands, to avoid time outs
            RUN apt-get update
            RUN apt-get install -y libgtk-3-0
            RUN apt-get install -y xvfb
            """,
            because="the comment above them asks for separate commands",
        ),
        leaves(
            "flags differ",
            """
            # syntax=docker/dockerfile:1
            FROM debian:bookworm
            RUN apt-get update
            RUN --mount=type=cache,target=/var/cache/apt apt-get install -y curl
            """,
            because="flags differ",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            apart = kept_apart(file, stage)
            for group in _consecutive(stage.nodes):
                links = [_Link(file, run, before, apart) for before, run in zip([None, *group], group, strict=False)]
                yield from self._chain(file, context, stage, links)

    def _chain(
        self, file: Dockerfile, context: BuildContext, stage: Stage, links: Sequence[_Link]
    ) -> Iterator[Finding | Refusal]:
        """Joins the related stretches of consecutive RUNs, of which there are at least two."""
        if self.option("chain") == "all":
            stretches = _every_pair(links)
        else:
            stretches = _installations(links)
            if stage.index in file.shipped and len(links) > 1:
                for stretch in _made_and_removed(StageReading.of(file, stage, context), links):
                    if isinstance(stretch, Refusal):
                        yield stretch
                    else:
                        stretches.append(stretch)
            stretches.sort(key=lambda stretch: (stretch[1], -stretch[0]))
        # How many obstacles lie before each RUN: a stretch is free where the count does not rise within it.
        between, inside = [0], [0]
        for link in links:
            between.append(between[-1] + (link.why_not_after is not None))
            inside.append(inside[-1] + (link.why_not_before is not None))
        chosen: list[tuple[int, int]] = []
        for start, end in stretches:
            if between[end + 1] == between[start + 1] and inside[end] == inside[start] and not links[end].why_not_last:
                if chosen and start <= chosen[-1][1]:
                    first, last = chosen[-1]
                    if end > last and links[last].why_not_before is None:
                        chosen[-1] = (min(first, start), end)
                else:
                    chosen.append((start, end))
            else:
                yield _refusal(links, start, end)
        for start, end in chosen:
            yield _join(links[start : end + 1])


class _Run:
    """A RUN and the comments between it and the one before."""

    __slots__ = ("comments", "node")

    def __init__(self, node: Instruction, comments: Sequence[Trivia]) -> None:
        self.node = node
        self.comments = comments


class _Link:
    """A RUN as a link of a chain: what keeps it from being one, and where."""

    def __init__(self, file: Dockerfile, run: _Run, previous: _Run | None, apart: Collection[Instruction]) -> None:
        self.node = run.node
        self.comments = run.comments
        script = script_of(file, run.node)
        self.script = script
        self.reason = script if isinstance(script, str) else script.why_not_chainable()
        self.why_not_before = script if isinstance(script, str) else _why_not_part(script, self.reason, False)
        """Why nothing can be joined behind it."""
        self.why_not_last = script if isinstance(script, str) else _why_not_part(script, self.reason, True)
        """Why it cannot be the last either."""
        self.why_not_after = None if previous is None else _why_not_neighbours(previous, run, apart)
        """Why it cannot be joined to the RUN above it, whatever the scripts are."""

    @property
    def is_grouped(self) -> bool:
        return self.reason is not None and self.reason.startswith(GROUPABLE)

    @cached_property
    def calls(self) -> tuple[PackageCall, ...]:
        """Calls of system package managers."""
        script = self.script
        calls = () if isinstance(script, str) else package_calls(script)
        return tuple(call for call in calls if call.manager in SYSTEM_MANAGERS)


def _consecutive(nodes: Sequence[Instruction | Trivia]) -> Iterator[list[_Run]]:
    group: list[_Run] = []
    comments: list[Trivia] = []
    for node in nodes:
        if isinstance(node, Trivia):
            if node.kind == "comment":
                comments.append(node)
            continue
        if node.keyword == "RUN":
            group.append(_Run(node, comments))
        else:
            if len(group) > 1:
                yield group
            group = []
        comments = []
    if len(group) > 1:
        yield group


def _why_not_neighbours(first: _Run, second: _Run, apart: Collection[Instruction]) -> str | None:
    if second.node in apart:
        return "the comment above them asks for separate commands"
    if any(re.match(FOR_A_LINTER, line.text) for line in second.comments):
        return "the comment above it is for a linter, which looks for it above an instruction"
    if [flag.text for flag in first.node.flags] != [flag.text for flag in second.node.flags]:
        return "the flags differ: a mount or network holds for one of the RUNs only"
    return None


def _every_pair(links: Sequence[_Link]) -> list[tuple[int, int]]:
    def is_free(index: int) -> bool:
        one, two = links[index], links[index + 1]
        return one.why_not_before is None and two.why_not_last is None and two.why_not_after is None

    return [(index, index + 1) for index in range(len(links) - 1) if is_free(index)]


def _installations(links: Sequence[_Link]) -> list[tuple[int, int]]:
    """Pairs of neighbours of which the second goes on with the first one's installation."""
    return [(index - 1, index) for index in range(1, len(links)) if _goes_on(links[index - 1], links[index])]


def _goes_on(first: _Link, second: _Link) -> bool:
    if isinstance(second.script, str) or not first.calls:
        return False
    if all(is_cleaning(command, and_scratch=True) for command in second.script.commands):
        return any(is_cleaning(command, first.calls[-1].manager, True) for command in second.script.commands)
    manager = None if isinstance(second.script, str) else installer(second.script)
    if manager is None or second.calls[0].action == "update":
        return False
    if isinstance(first.script, str) or manager != installer(first.script) or is_cleaning(first.script.commands[-1]):
        return False
    if second.comments and any(call.action == "install" for call in first.calls):
        # Two installs that the author explains apart.
        return False
    if manager == "apt":
        return True
    own = [call for call in first.calls if call.action == "install"]
    return not own or why_not_one_list(own[-1], second.calls[0]) is None


def _made_and_removed(reading: StageReading, links: Sequence[_Link]) -> Iterator[tuple[int, int] | Refusal]:
    """Stretches from where a thing is made to where it is removed."""
    from refactor import short_lived

    runs = [(link.node, None if isinstance(link.script, str) else link.script) for link in links]
    for start, end, apart in short_lived(reading, runs):
        if apart:
            first, other = links[start].node, links[apart[0]].node
            yield refuse(
                links[end].node,
                f"it removes what `{_shown(first)}` made, which its layer keeps; but `{_shown(other)}`, which stands"
                " between, has nothing to do with that",
                "make, use and remove a thing in RUNs that follow one another, or in one",
            )
        else:
            yield start, end


def _shown(node: Instruction) -> str:
    text = " ".join(node.argument.split())
    return text if len(text) <= 50 else f"{text[:49]}…"


def _refusal(links: Sequence[_Link], start: int, end: int) -> Refusal:
    for index in range(start, end + 1):
        link = links[index]
        reason = link.why_not_after if index > start else None
        reason = reason or (link.why_not_before if index < end else link.why_not_last)
        if reason is not None:
            return refuse(link.node, reason)
    raise AssertionError("a stretch without an obstacle is joined")


def _why_not_part(script: ShellScript, reason: str | None, is_last: bool) -> str | None:
    """Why the script cannot be a link of the chain; what it leaves behind in its shell is no matter in the last."""
    if reason is None or reason.startswith(GROUPABLE):
        return None
    leaks_only = script.is_and_list and not script.has_heredoc and not script.leaks
    return None if is_last and leaks_only and _only_leaks(reason) else reason


def _only_leaks(reason: str) -> bool:
    return "into the next command" in reason or "for the next command" in reason


def _join(links: Sequence[_Link]) -> Finding:
    # What keeps `cd` to itself costs a pair of brackets; the last command may leave its folder as it likes.
    grouped = [link.is_grouped and link is not links[-1] for link in links]
    bodies = [f"({link.node.raw_argument})" if group else link.node.raw_argument for link, group in zip(links, grouped)]
    first = first_node = links[0].node
    comments = [[line.text.strip() for line in link.comments] for link in links[1:]]
    if grouped[0]:
        size = len(first.argument)
        first = first.splice([(0, 0, "("), (size, size, ")")])
    return Finding(
        links[0].node,
        f"join {len(links)} RUN instructions into one layer",
        [
            Replace(first_node, [first.chained(bodies[1:], comments)]),
            *(Remove(comment) for link in links[1:] for comment in link.comments),
            *(Remove(link.node) for link in links[1:]),
        ],
        why="what one of them leaves behind and another removes is no longer shipped, and they are cached as one",
    )
