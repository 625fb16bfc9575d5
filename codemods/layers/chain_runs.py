"""chain-runs"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Finding,
    Instruction,
    Option,
    Phase,
    Refusal,
    Remove,
    Replace,
    Safety,
    ShellScript,
    Trivia,
    leaves,
    package_call,
    package_calls,
    refuse,
    rewrites,
    script_of,
)

SYSTEM = frozenset({"apt", "apk", "dnf", "yum", "microdnf", "zypper"})
INSTALLS = frozenset({"install", "update", "upgrade", "clean", "remove"})
GROUPABLE = ("`cd` ", "`export` ", "`pushd` ")
DOWNLOADS = frozenset({"wget", "curl", "git", "tar", "unzip", "cp", "mv", "mkdir", "ln", "install", "dpkg"})


class ChainRuns(Codemod):
    """Join consecutive RUN instructions that belong together into one layer.

    Why
    ---
    Each RUN is a layer. What a later one removes still lies in the earlier one and is shipped, and an `apt-get update`
    in a layer of its own is served from the cache for months while the packages behind it move on.

    What it does
    ------------
    Joins RUNs with `&&` where the second continues the first: an update and the install it is for, installs by the same
    package manager, and everything from where a thing is made (downloaded, unpacked, installed for the build) to where
    it is removed. `cd` and `export` keep to themselves in a subshell. `chain = "all"` joins every consecutive pair that
    can be joined.

    When it refuses
    ---------------
    When a comment or another instruction stands between, when the flags (`--mount`, `--network`) differ, and when a
    construct would change the meaning of what it is joined to: `||`, a trailing `;` or `&`, variables, `set -e`,
    `exit`, a heredoc, a comment, a script that cannot be analysed.

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
        leaves(
            "a comment between",
            """
            FROM debian:bookworm
            RUN apt-get update
            # The client of the health check.
            RUN apt-get install -y curl
            """,
            because="a comment stands between",
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
            for group in _consecutive(stage.nodes):
                yield from self._chain(file, group)

    def _chain(self, file: Dockerfile, group: Sequence[_Run]) -> Iterator[Finding | Refusal]:
        """Joins the related stretches of consecutive RUNs; ``group`` has at least two."""
        links = [_Link(file, run, group[index - 1] if index else None) for index, run in enumerate(group)]
        stretches = _every_pair(links) if self.option("chain") == "all" else _related(links)
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
    """A RUN and whether a comment stands above it."""

    __slots__ = ("has_comment", "node")

    def __init__(self, node: Instruction, has_comment: bool) -> None:
        self.node = node
        self.has_comment = has_comment


class _Link:
    """A RUN as a link of a chain: what keeps it from being one, and where."""

    __slots__ = ("node", "reason", "script", "why_not_after", "why_not_before", "why_not_last")

    def __init__(self, file: Dockerfile, run: _Run, previous: _Run | None) -> None:
        self.node = run.node
        script = script_of(file, run.node)
        self.script = script
        self.reason = script if isinstance(script, str) else script.why_not_chainable()
        self.why_not_before = script if isinstance(script, str) else _why_not_part(script, self.reason, False)
        """Why nothing can be joined behind it."""
        self.why_not_last = script if isinstance(script, str) else _why_not_part(script, self.reason, True)
        """Why it cannot be the last either."""
        self.why_not_after = None if previous is None else _why_not_neighbours(previous, run)
        """Why it cannot be joined to the RUN above it, whatever the scripts are."""

    @property
    def is_grouped(self) -> bool:
        return self.reason is not None and self.reason.startswith(GROUPABLE)


def _consecutive(nodes: Sequence[Instruction | Trivia]) -> Iterator[list[_Run]]:
    group: list[_Run] = []
    has_comment = False
    for node in nodes:
        if isinstance(node, Trivia):
            has_comment = has_comment or node.kind == "comment"
            continue
        if node.keyword == "RUN":
            group.append(_Run(node, has_comment))
        else:
            if len(group) > 1:
                yield group
            group = []
        has_comment = False
    if len(group) > 1:
        yield group


def _why_not_neighbours(first: _Run, second: _Run) -> str | None:
    if second.has_comment:
        return "a comment stands between the two RUNs"
    if [flag.text for flag in first.node.flags] != [flag.text for flag in second.node.flags]:
        return "the flags differ: a mount or network holds for one of the RUNs only"
    return None


def _every_pair(links: Sequence[_Link]) -> list[tuple[int, int]]:
    def is_free(index: int) -> bool:
        one, two = links[index], links[index + 1]
        return one.why_not_before is None and two.why_not_last is None and two.why_not_after is None

    return [(index, index + 1) for index in range(len(links) - 1) if is_free(index)]


def _related(links: Sequence[_Link]) -> list[tuple[int, int]]:
    """Stretches of RUNs that belong together, ordered by their end: an installation that goes on, and everything from
    where a thing is made to where it is removed."""
    found = []
    makers: dict[str, int] = {}
    for index, link in enumerate(links):
        script = link.script
        if isinstance(script, str):
            continue
        start = index
        if index and _is_one_installation(links[index - 1].script, script):
            start = index - 1
        start = min([start, *(makers[name] for name in _gone(script) if name in makers)])
        if start < index:
            found.append((start, index))
        for name in _made(script):
            makers.setdefault(name, index)
    return found


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


def _is_one_installation(first: ShellScript | str, second: ShellScript) -> bool:
    """Two scripts of package manager calls by one system package manager, or pip with itself."""
    one = _installer(first)
    return one is not None and one == _installer(second)


def _installer(script: ShellScript | str) -> str | None:
    """The one package manager that all commands of a script are for."""
    if isinstance(script, str):
        return None
    calls = package_calls(script)
    if not calls or any(call.action not in INSTALLS for call in calls):
        return None
    managers = {call.manager for call in calls}
    if len(managers) > 1 or managers.isdisjoint({*SYSTEM, "pip"}):
        return None
    return calls[0].manager if all(_is_installing(command) for command in script.commands) else None


def _is_installing(command: Command) -> bool:
    if package_call(command) is not None:
        return True
    lists = command.name == "rm" and all(
        arg.startswith(("-", "/var/lib/apt/lists", "/var/cache", "/tmp", "/var/tmp", "/root/.cache"))
        for arg in command.args
    )
    # A lone assignment is `PACKAGE=curl`: it is for the next command, so the two are one thing to the author.
    return lists or not command.words or command.name in {"true", ":"}


def _gone(script: ShellScript) -> set[str]:
    """Names of what a script takes away: files, package lists, packages (in the words of :func:`_made`)."""
    names: set[str] = set()
    for command in script.commands:
        if command.name == "rm":
            for arg in command.args:
                if arg.startswith("/var/lib/apt/lists"):
                    names.add("apt:")
                elif not arg.startswith("-"):
                    names.add(posixpath.basename(arg.rstrip("/*")))
        call = package_call(command)
        if call is not None and call.manager in SYSTEM:
            if call.action == "clean":
                names.add(f"{call.manager}:")
            elif call.action == "remove":
                names.update(f"{call.manager}:{word.literal}" for word in call.packages)
    return names - {""}


def _made(script: ShellScript) -> set[str]:
    """Names of the files and folders that a script's commands mention as new ones, and of packages it installs."""
    names: set[str] = set()
    for call in package_calls(script):
        if call.manager in SYSTEM:
            names.add(f"{call.manager}:")
            if call.action == "install":
                names.update(f"{call.manager}:{word.literal}" for word in call.packages)
                virtual = call.option("--virtual", "-t")
                if virtual is not None:
                    names.add(f"{call.manager}:{virtual}")
    for command in script.commands:
        if command.name in DOWNLOADS:
            for arg in command.args:
                base = posixpath.basename(arg.rstrip("/").removesuffix(".git"))
                if not arg.startswith("-"):
                    names.add(base)
    return names - {""}


def _join(links: Sequence[_Link]) -> Finding:
    # What keeps `cd` to itself costs a pair of brackets; the last command may leave its folder as it likes.
    grouped = [link.is_grouped and link is not links[-1] for link in links]
    bodies = [f"({link.node.raw_argument})" if group else link.node.raw_argument for link, group in zip(links, grouped)]
    first = links[0].node
    if grouped[0]:
        size = len(first.argument)
        first = first.splice([(0, 0, "("), (size, size, ")")])
    return Finding(
        links[0].node,
        f"join {len(links)} RUN instructions into one layer",
        [Replace(links[0].node, [first.chained(bodies[1:])]), *(Remove(link.node) for link in links[1:])],
        why="what one of them leaves behind and another removes is no longer shipped, and they are cached as one",
    )
