"""use-exec-form"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from refactor import (
    SHELL_BUILTINS,
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    ShellScript,
    StageReading,
    flow_of,
    leaves,
    read,
    refuse,
    rewrites,
    shell_at,
    why_not_posix,
)

HANDS_ON = frozenset({"node", "php", "eclipse-temurin", "maven", "gradle"})
"""Families whose own entrypoint starts the words of CMD whatever they are (`exec "$@"`)."""
PLAIN_SHELL = r"-[ceux]+|-o|pipefail"
"""Options of SHELL that are nothing to a single program."""
CHECK = r"(?is)CMD\s+(.+)"
COMPILERS = frozenset(("cargo", "go"))
"""Build tools whose programs are binaries."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UseExecForm(Codemod):
    """Start the program itself, not a shell that starts it.

    Why
    ---
    `CMD node server.js` starts `/bin/sh -c "node server.js"`. Where the shell stays in between, the signal of
    `docker stop` ends the shell and never reaches the program, which is killed ten seconds later.

    What it does
    ------------
    Writes CMD, ENTRYPOINT and HEALTHCHECK's CMD as JSON where their text uses nothing that a shell does: one command of
    plain words.

    When it refuses
    ---------------
    When the shell is needed: variables, `&&`, pipes, redirections, patterns, builtins such as `source`; when a script
    may lack its `#!` line, which only a shell forgives; when SHELL is set to one that does more than start a program;
    and when ENTRYPOINT would begin to receive the words of CMD, or arguments that a Compose file or a manifest gives.

    Safety
    ------
    SAFE for CMD; REVIEW for ENTRYPOINT, which then also takes the arguments of `docker run` and of Kubernetes, and for
    CMD where the base image's own entrypoint is not known to start any command.
    """

    phase = Phase.RUNTIME
    safety = Safety.SAFE
    may_change = frozenset({Aspect.CMD, Aspect.ENTRYPOINT})
    hadolint = ("DL3025",)
    checks = ("JSONArgsRecommended",)
    examples = (
        rewrites(
            "plain words",
            before="""
            FROM node:20-slim
            CMD node server.js --name "two words"
            """,
            after="""
            FROM node:20-slim
            CMD ["node", "server.js", "--name", "two words"]
            """,
        ),
        rewrites(
            "ENTRYPOINT takes arguments from now on",
            before="""
            FROM debian:bookworm-slim
            COPY --from=ghcr.io/example/server:1 /server /server
            ENTRYPOINT /server --port 8080
            """,
            after="""
            FROM debian:bookworm-slim
            COPY --from=ghcr.io/example/server:1 /server /server
            ENTRYPOINT ["/server", "--port", "8080"]
            """,
        ),
        leaves(
            "exec replaces the shell: signals reach the program already",
            """
            FROM debian:bookworm-slim
            CMD exec sleep infinity
            """,
        ),
        leaves(
            "a variable",
            """
            FROM node:20-slim
            CMD node server.js --port $PORT
            """,
            because="`$PORT` is expanded by the shell",
        ),
        leaves(
            "a builtin",
            """
            FROM debian:bookworm-slim
            CMD source /env.sh
            """,
            because="`source` is a builtin of the shell",
        ),
        leaves(
            "two commands",
            """
            FROM node:20-slim
            CMD npm run migrate && node server.js
            """,
            because="needs a shell",
        ),
        leaves(
            "a script without a first line of its own",
            """
            FROM debian:bookworm-slim
            WORKDIR /app
            COPY start.sh ./
            CMD ./start.sh
            """,
            files={"start.sh": "sleep infinity\n"},
            because="does not begin with `#!`",
        ),
        rewrites(
            "what a compiler writes is no script",
            before="""
            FROM rust:1.93 AS builder
            WORKDIR /app
            COPY . .
            RUN cargo build --release
            CMD ./target/release/server
            FROM golang:1.24
            COPY . /go/src
            WORKDIR /go/src
            RUN go build -o server .
            CMD ./server --port 80
            FROM debian:bookworm-slim
            COPY . /app
            COPY --from=builder /app/target/release/server /app/server
            CMD /app/server
            """,
            after="""
            FROM rust:1.93 AS builder
            WORKDIR /app
            COPY . .
            RUN cargo build --release
            CMD ["./target/release/server"]
            FROM golang:1.24
            COPY . /go/src
            WORKDIR /go/src
            RUN go build -o server .
            CMD ["./server", "--port", "80"]
            FROM debian:bookworm-slim
            COPY . /app
            COPY --from=builder /app/target/release/server /app/server
            CMD ["/app/server"]
            """,
        ),
        rewrites(
            "health checks",
            before="""
            FROM node:22-slim
            HEALTHCHECK --interval=30s \\
                CMD node healthcheck.js '\\\\host'
            CMD ["node", "server.js"]
            FROM node:22-slim
            HEALTHCHECK CMD curl -f http://localhost/ || exit 1
            FROM node:22-slim
            HEALTHCHECK NONE
            """,
            after="""
            FROM node:22-slim
            HEALTHCHECK --interval=30s \\
                CMD ["node", "healthcheck.js", "\\\\\\\\host"]
            CMD ["node", "server.js"]
            FROM node:22-slim
            HEALTHCHECK CMD curl -f http://localhost/ || exit 1
            FROM node:22-slim
            HEALTHCHECK NONE
            """,
        ),
        leaves(
            "a script that is not seen",
            """
            FROM debian:bookworm-slim
            WORKDIR /app
            COPY . .
            CMD ./start
            """,
            because="whether ./start begins with `#!` is not known",
        ),
        leaves(
            "the entrypoint of an earlier stage takes CMD's words",
            """
            FROM debian:bookworm-slim AS base
            ENTRYPOINT ["tini", "--"]
            FROM base
            CMD sleep infinity
            """,
            because="ENTRYPOINT gets CMD as its arguments",
        ),
        leaves(
            "Windows",
            """
            FROM someone/steamcmd-wincore
            CMD powershell.exe c:\\app\\serverstart.ps1
            """,
            because="is written for Windows (`powershell.exe`)",
        ),
        leaves(
            "exec form already",
            """
            FROM node:20-slim
            CMD ["node", "server.js"]
            """,
        ),
        leaves(
            "JSON with the wrong quotes is run by the shell",
            """
            FROM node:20-slim
            CMD ['node', 'server.js']
            """,
            because="is not JSON",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        inherited: dict[int, dict[str, Instruction]] = {}
        for stage in file.stages:
            parent = file.stage_before(stage.index, stage.image)
            last = dict(inherited[parent.index]) if parent is not None else {}
            # Only the last of each counts; an earlier one is dead text.
            own = {node.keyword: node for node in stage.instructions if node.keyword in {"ENTRYPOINT", "CMD"}}
            last.update(own)
            inherited[stage.index] = last
            for keyword in ("ENTRYPOINT", "CMD"):
                node = own.get(keyword)
                if node is not None and node.json is None and node.argument:
                    result = _convert(StageReading.of(file, stage, context), node, node.argument, last)
                    if result is not None:
                        yield result
            for node in stage.instructions:
                if node.keyword == "HEALTHCHECK" and node.json is None and (text := re.match(CHECK, node.argument)):
                    # `|| exit 1` behind a check is as good: no need to speak of it.
                    result = _convert(StageReading.of(file, stage, context), node, text[1], {})
                    if isinstance(result, Finding):
                        yield result


def _convert(
    reading: StageReading, node: Instruction, text: str, last: Mapping[str, Instruction]
) -> Finding | Refusal | None:
    reason = why_not_posix(reading.file, node)
    if reason is not None:
        return refuse(node, reason)
    if text.startswith("["):
        return refuse(node, "this looks like exec form but is not JSON, so the shell gets it", "use double quotes")
    reason = _why_shell(reading, node)
    if reason is not None:
        return refuse(node, reason, "write the exec form by hand where the program does without that")
    if node.has_inner_comment or node.heredocs:
        return refuse(node, "there is a comment between the words", "move the comment above the instruction")
    script = read(text)
    if script.opaque is not None:
        return refuse(node, f"the command cannot be analysed: {script.opaque}")
    words = _words(node, script)
    if isinstance(words, Refusal):
        # What the shell is needed for is no matter where `exec` gives its place to the program.
        is_replaced = bool(script.top) and (end := script.top[-1].command) is not None and end.wrappers[:1] == ("exec",)
        return None if is_replaced else words
    refused = _why_other_words(reading, node, last) or _why_not_started(reading, words[0])
    if refused is not None:
        return refuse(node, refused.because, refused.hint)
    import json

    written = json.dumps(words, ensure_ascii=False)
    if node.keyword == "HEALTHCHECK":
        return Finding(
            node,
            f"ask {words[0]} itself, without a shell in between",
            [Replace(node, [node.with_argument(f"CMD {written}")])],
            why="each check starts one process less, and needs no shell in the image",
            may_change=(Aspect.HEALTHCHECK,),
        )
    note = _note(reading, node)
    return Finding(
        node,
        f"start {words[0]} itself, without a shell in between",
        [Replace(node, [node.with_argument(written)])],
        why="the signal of `docker stop` reaches the program, so that it can stop in time",
        evidence=(note,) if note else (),
        safety=Safety.REVIEW if note else None,
    )


def _why_shell(reading: StageReading, node: Instruction) -> str | None:
    """What the shell in force does besides starting a program."""
    shell = shell_at(reading.file, node)
    if shell is not None and not all(re.fullmatch(PLAIN_SHELL, word) for word in (shell.json or ("",))[1:]):
        return f"line {reading.file.line_of(shell)} sets a SHELL that may set up more than it starts"
    is_bash = shell is not None and "bash" in (shell.json or ("",))[0]
    if is_bash and "BASH_ENV" in reading.file.environment(node):
        return "BASH_ENV is set: bash reads that file before it starts the program"
    return None


def _words(node: Instruction, script: ShellScript) -> list[str] | Refusal:
    """The words of the only command, or what a shell is needed for."""
    hint = "`exec` in front of the program lets it take the shell's place, so that signals reach it"
    if len(script.top) != 1 or script.trailing:
        sign = next((item.connector_before for item in script.top if item.connector_before), script.trailing)
        return refuse(
            node, f"the command needs a shell: `{sign}` joins several", "put them into a script that ends in `exec`"
        )
    command = script.top[0].command
    if command is None:
        return refuse(node, "the command needs a shell: it is more than one program and its words", hint)
    if command.redirects:
        return refuse(node, f"`{command.redirects[0]}` is done by the shell", hint)
    if command.assignments or command.wrappers:
        sign = command.wrappers[0] if command.wrappers else f"{command.assignments[0][0]}="
        setting = "set the variable with ENV" if command.assignments else hint
        return refuse(node, f"`{sign}` in front of the program is done by the shell", setting)
    words = []
    for word in command.words:
        if word.value is None:
            what = "is expanded by the shell" if "$" in word.text or "`" in word.text else "is a pattern for the shell"
            shown = next((part for part in word.text.split() if "$" in part), word.text)
            return refuse(node, f"`{shown.strip(chr(34))}` {what}", hint)
        words.append(word.value)
    if not words or words[0] in SHELL_BUILTINS:
        return refuse(node, f"`{words[0] if words else script.text}` is a builtin of the shell")
    if words[0] == "echo" and any("\\" in word or word.startswith("-") for word in words[1:]):
        return refuse(node, "`echo` is a builtin of the shell, and /bin/echo takes options and escapes differently")
    return words


def _note(reading: StageReading, node: Instruction) -> str:
    """Why the rewrite asks for a look; "" where it is the same by construction."""
    image, name = reading.image, reading.stage.image
    if node.keyword == "ENTRYPOINT":
        return (
            "in exec form ENTRYPOINT also takes the arguments of `docker run` and Kubernetes, which the shell ignored"
        )
    if image is None and name != "scratch":
        return f"whether {name} has an entrypoint that takes CMD's words is not known"
    if image is not None and image.entrypoint and image.family not in HANDS_ON:
        return f"{image.entrypoint[0]}, the entrypoint of {name}, gets CMD's words and saw only /bin/sh before"
    return ""


def _why_other_words(reading: StageReading, node: Instruction, last: Mapping[str, Instruction]) -> Refused | None:
    """CMD and ENTRYPOINT are put together by the engine, and the shell form is one of its words or ends them."""
    entrypoint = last.get("ENTRYPOINT")
    if node.keyword == "HEALTHCHECK":
        return None
    if node.keyword == "CMD":
        if entrypoint is None:
            return None
        if entrypoint.json is None:
            return Refused("a shell-form ENTRYPOINT ignores CMD", "write ENTRYPOINT as JSON, or remove CMD")
        return Refused("ENTRYPOINT gets CMD as its arguments, and would see other words")
    if "CMD" in last:
        return Refused("in exec form ENTRYPOINT would begin to receive the words of CMD", "remove CMD")
    deployment = reading.context.deployment
    if any(service.arguments for service in deployment.services):
        where = deployment.named_by("arguments")
        return Refused(
            f"{where} gives arguments that the shell ignores: in exec form ENTRYPOINT would take them",
            "remove `command` or `args` there, or write the exec form by hand",
        )
    return None


def _why_not_started(reading: StageReading, program: str) -> Refused | None:
    """The kernel starts only what begins with `#!` or is a binary; a shell runs any text."""
    is_path = "/" in program
    paths = [posixpath.normpath(posixpath.join(reading.final_workdir, program))]
    if not is_path:
        search = reading.image.env.get("PATH", PATH) if reading.image is not None else PATH
        paths = [f"{folder}/{program}" for folder in search.split(":")]
    for path in paths:
        source = reading.in_context(path)
        text = reading.context.read(source) if source else None
        if isinstance(text, str) and not text.startswith(("#!", "\x7fELF")):
            return Refused(f"{source} does not begin with `#!`, and only a shell starts such a script", "add that line")
        if isinstance(text, str):
            return None
    is_script = program.endswith((".sh", ".bash"))
    if is_script or (
        any(_may_be_text(reading, path, is_path) for path in paths) and not _is_compiled(reading, paths[0])
    ):
        return Refused(
            f"whether {program} begins with `#!` is not known, and only a shell starts a script that does not",
            "write the exec form by hand where it does, or name the build context that it comes from with --context",
        )
    return None


def _is_compiled(reading: StageReading, path: str) -> bool:
    """Whether a compiler writes the program in this stage or in one that it is copied from."""
    flow = flow_of(reading.file, reading.context)
    maker = flow.trace(reading, path)
    for act in flow.acts(reading) if maker is None else () if maker.act is None else (maker.act,):
        call = None if act.call is None else act.call.package
        if act.call is not None and call is not None and call.manager in COMPILERS:
            output = call.option("-o")
            if maker is not None or (output is not None and act.call.path(output) == path):
                return True
    return False


def _may_be_text(reading: StageReading, path: str, is_path: bool) -> bool:
    """The program may be a file of the author's whose first line was not seen."""
    for step in reading.steps:
        node = step.node
        if node.keyword == "RUN" and any(
            path in redirect or redirect.endswith(posixpath.basename(path))
            for command in step.commands
            for redirect in command.redirects
            if is_path
        ):
            return True
        if node.keyword in {"COPY", "ADD"} and node.destination is not None and node.flag("from") is None:
            is_unseen = node.heredocs or any("://" in source for source in node.sources)
            if is_unseen and posixpath.join(step.workdir, node.destination) == path:
                return True
    for copied in reading.copies:
        is_seen = reading.context.why_unknown is None and reading.context.exists(copied.source) is True
        if not is_seen and (path == copied.target or (is_path and path.startswith(copied.target.rstrip("/") + "/"))):
            return True
    return False
