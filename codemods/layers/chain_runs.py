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
    PackageCall,
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
    construct would change the meaning of what it is joined to: `||`, a trailing `;` or `&`, variables, `set -e`, `exit`,
    a heredoc, a comment, a script that cannot be analysed.

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

    def _chain(self, file: Dockerfile, group: Sequence[Instruction]) -> Iterator[Finding | Refusal]:
        """Joins the longest related stretches of consecutive RUNs; ``group`` has at least two."""
        scripts = [script_of(file, node) for node in group]
        start = 0
        while start < len(group) - 1:
            end = self._end(scripts, start)
            if end == start:
                start += 1
                continue
            reason = None
            for index in range(start + 1, end + 1):
                reason = _why_not_joined(file, group[index - 1 : index + 1], scripts[index - 1 : index + 1], index == end)
                if reason is not None:
                    yield refuse(group[index], reason)
                    break
            if reason is not None:
                start += 1
                continue
            yield _join(group[start : end + 1], [s for s in scripts[start : end + 1] if not isinstance(s, str)])
            start = end + 1

    def _end(self, scripts: Sequence[ShellScript | str], start: int) -> int:
        """Index of the last RUN that belongs to the one at ``start``, itself where none does."""
        if self.option("chain") == "all":
            end = start
            while end + 1 < len(scripts) and _is_joinable(scripts[end], False) and _is_joinable(scripts[end + 1], True):
                end += 1
            return end
        end = start
        for index in range(start + 1, len(scripts)):
            first, last = scripts[start], scripts[index]
            if isinstance(last, str):
                break
            if _is_one_installation(scripts[end : index + 1]) if end == index - 1 else False:
                end = index
            elif not isinstance(first, str) and _removes(last, first):
                end = index
        return end


def _consecutive(nodes: Sequence[Instruction | Trivia]) -> Iterator[list[Instruction]]:
    group: list[Instruction] = []
    for node in nodes:
        if isinstance(node, Trivia):
            continue
        if node.keyword == "RUN":
            group.append(node)
            continue
        if len(group) > 1:
            yield group
        group = []
    if len(group) > 1:
        yield group


def _is_joinable(script: ShellScript | str, is_last: bool) -> bool:
    return not isinstance(script, str) and _why_not_part(script, is_last) is None


def _why_not_joined(
    file: Dockerfile, nodes: Sequence[Instruction], scripts: Sequence[ShellScript | str], is_last: bool
) -> str | None:
    first, second = nodes
    if file.comments_above(second) or _has_trivia_between(file, first, second):
        return "a comment stands between the two RUNs"
    if [flag.text for flag in first.flags] != [flag.text for flag in second.flags]:
        return "the flags differ: a mount or network holds for one of the RUNs only"
    for script, last in zip(scripts, (False, is_last)):
        if isinstance(script, str):
            return script
        reason = _why_not_part(script, last)
        if reason is not None:
            return reason
    return None


def _has_trivia_between(file: Dockerfile, first: Instruction, second: Instruction) -> bool:
    nodes = file.nodes[file.nodes.index(first) + 1 : file.nodes.index(second)]
    return any(isinstance(node, Trivia) and node.kind == "comment" for node in nodes)


def _why_not_part(script: ShellScript, is_last: bool) -> str | None:
    """Why the script cannot be a link of the chain; what it leaves behind in its shell is no matter in the last."""
    reason = script.why_not_chainable()
    if reason is None or reason.startswith(GROUPABLE):
        return None
    leaks_only = script.is_and_list and not script.has_heredoc and not script.leaks
    return None if is_last and leaks_only and _only_leaks(reason) else reason


def _only_leaks(reason: str) -> bool:
    return "into the next command" in reason or "for the next command" in reason


def _is_one_installation(scripts: Sequence[ShellScript | str]) -> bool:
    """Two scripts of package manager calls by one system package manager, or pip with itself."""
    managers: set[str] = set()
    for script in scripts:
        if isinstance(script, str):
            # The reason is told where everything else says that the two belong together; here nothing does.
            return False
        calls = package_calls(script)
        if not calls or not all(_is_installing(command) for command in script.commands):
            return False
        managers.update(call.manager for call in calls)
        if any(call.action not in INSTALLS for call in calls):
            return False
    return len(managers) == 1 and not managers.isdisjoint({*SYSTEM, "pip"})


def _is_installing(command: Command) -> bool:
    if package_call(command) is not None:
        return True
    lists = command.name == "rm" and all(
        arg.startswith(("-", "/var/lib/apt/lists", "/var/cache", "/tmp", "/var/tmp", "/root/.cache"))
        for arg in command.args
    )
    # A lone assignment is `PACKAGE=curl`: it is for the next command, so the two are one thing to the author.
    return lists or not command.words or command.name in {"true", ":"}


def _removes(later: ShellScript, earlier: ShellScript) -> bool:
    """Whether ``later`` takes away what ``earlier`` made, so that both in one layer leave nothing behind."""
    made = _made(earlier)
    if not made:
        return False
    for command in later.commands:
        if command.name == "rm":
            gone = {posixpath.basename(arg.rstrip("/*")) for arg in command.args if not arg.startswith("-")}
            if gone & made:
                return True
            if "/var/lib/apt/lists" in command.args or any(arg.startswith("/var/lib/apt/lists") for arg in command.args):
                return any(call.manager == "apt" for call in package_calls(earlier))
        call = package_call(command)
        if call is not None and call.manager in SYSTEM:
            if call.action == "clean" and any(other.manager == call.manager for other in package_calls(earlier)):
                return True
            if call.action == "remove" and any(_is_installed(word.literal, call, earlier) for word in call.packages):
                return True
    return False


def _made(script: ShellScript) -> set[str]:
    """Names of the files and folders that a script's commands mention as new ones."""
    names: set[str] = set()
    for command in script.commands:
        call = package_call(command)
        if call is not None:
            names.add(call.manager)
        if command.name in DOWNLOADS:
            for arg in command.args:
                base = posixpath.basename(arg.rstrip("/").removesuffix(".git"))
                if base and not arg.startswith("-"):
                    names.add(base)
    return names


def _is_installed(name: str, removal: PackageCall, earlier: ShellScript) -> bool:
    for call in package_calls(earlier):
        if call.manager == removal.manager and call.action == "install":
            if name in {word.literal for word in call.packages} or name == call.option("--virtual", "-t"):
                return True
    return False


def _join(nodes: Sequence[Instruction], scripts: Sequence[ShellScript]) -> Finding:
    bodies = []
    for index, (node, script) in enumerate(zip(nodes, scripts)):
        reason = script.why_not_chainable()
        is_grouped = reason is not None and reason.startswith(GROUPABLE) and index < len(nodes) - 1
        bodies.append(f"({node.raw_argument})" if is_grouped else node.raw_argument)
    first = nodes[0]
    if bodies[0] != first.raw_argument:
        size = len(first.argument)
        first = first.splice([(0, 0, "("), (size, size, ")")])
    return Finding(
        nodes[0],
        f"join {len(nodes)} RUN instructions into one layer",
        [Replace(nodes[0], [first.chained(bodies[1:])]), *(Remove(node) for node in nodes[1:])],
        why="what one of them leaves behind and another removes is no longer shipped, and they are cached as one",
    )
