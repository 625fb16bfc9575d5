"""use-exec-form"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    Stage,
    StageReading,
    leaves,
    read,
    refuse,
    rewrites,
)

BUILTINS = frozenset(
    """source . cd export set unset ulimit umask trap eval exit return read alias unalias type command builtin wait jobs
    bg fg times shift hash getopts : let local declare typeset readonly pushd popd shopt history help if then else for
    while until case do done fi function time { } ! [[""".split()
)


class UseExecForm(Codemod):
    """Start the program itself, not a shell that starts it.

    Why
    ---
    `CMD node server.js` starts `/bin/sh -c "node server.js"`. Where the shell stays in between, the signal of
    `docker stop` ends the shell and never reaches the program, which is killed ten seconds later.

    What it does
    ------------
    Writes CMD and ENTRYPOINT as JSON where their text uses nothing that a shell does: one command of plain words.

    When it refuses
    ---------------
    When the shell is needed: variables, `&&`, pipes, redirections, patterns, builtins such as `source`; when a script
    may lack its `#!` line, which only a shell forgives; when another SHELL is set; and when ENTRYPOINT would begin to
    receive the words of CMD.

    Safety
    ------
    SAFE; REVIEW for ENTRYPOINT, which then also takes the arguments of `docker run`, and where the base image's own
    entrypoint is not known.
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
        leaves(
            "exec replaces the shell already",
            """
            FROM debian:bookworm-slim
            CMD exec sleep infinity
            """,
            because="`exec` replaces the shell already",
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
        for stage in file.stages:
            reading: StageReading | None = None
            for keyword in ("ENTRYPOINT", "CMD"):
                # Only the last of each counts; an earlier one is dead text.
                node = next((node for node in reversed(stage.instructions) if node.keyword == keyword), None)
                if node is None or node.json is not None or not node.argument:
                    continue
                reading = reading or StageReading.of(file, stage, context)
                yield self._convert(file, stage, node, reading)

    def _convert(self, file: Dockerfile, stage: Stage, node: Instruction, reading: StageReading) -> Finding | Refusal:
        text = node.argument
        if text.startswith("["):
            return refuse(node, "this looks like exec form but is not JSON, so the shell gets it", "use double quotes")
        if any(other.keyword == "SHELL" for other in stage.instructions):
            return refuse(node, "SHELL sets another shell, which may set up more than it starts")
        if node.has_inner_comment or node.heredocs:
            return refuse(node, "there is a comment between the words")
        script = read(text)
        if script.opaque is not None:
            return refuse(node, f"the command cannot be analysed: {script.opaque}")
        command = script.top[0].command if len(script.top) == 1 and not script.trailing else None
        if command is not None and command.wrappers[:1] == ("exec",):
            return refuse(node, "`exec` replaces the shell already")
        if command is None or command.redirects or command.assignments or command.wrappers:
            return refuse(node, "the command needs a shell: it is more than one program and its words")
        words = []
        for word in command.words:
            if word.value is None:
                what = (
                    "is expanded by the shell" if "$" in word.text or "`" in word.text else "is a pattern for the shell"
                )
                shown = next((part for part in word.text.split() if "$" in part), word.text)
                return refuse(node, f"`{shown.strip(chr(34))}` {what}")
            words.append(word.value)
        if not words or words[0] in BUILTINS:
            return refuse(node, f"`{words[0] if words else text}` is a builtin of the shell")
        reason = self._why_not_started(node, words, reading)
        if reason is not None:
            return refuse(node, reason)
        import json

        is_sure = node.keyword == "CMD" and (reading.image is not None or reading.stage.image == "scratch")
        return Finding(
            node,
            f"start {words[0]} itself, without a shell in between",
            [Replace(node, [node.with_argument(json.dumps(words, ensure_ascii=False))])],
            why="signals reach the program, so that it can stop in time",
            evidence=() if is_sure else (self._note(node, stage),),
            safety=None if is_sure else Safety.REVIEW,
        )

    def _note(self, node: Instruction, stage: Stage) -> str:
        if node.keyword == "ENTRYPOINT":
            return "in exec form ENTRYPOINT also takes the arguments of docker run"
        return f"whether {stage.image} has an entrypoint that takes CMD's words is not known"

    def _why_not_started(self, node: Instruction, words: list[str], reading: StageReading) -> str | None:
        entrypoint, cmd = reading.last("ENTRYPOINT"), reading.last("CMD")
        if node.keyword == "ENTRYPOINT" and cmd is not None:
            return "in exec form ENTRYPOINT would begin to receive the words of CMD"
        if node.keyword == "CMD" and entrypoint is not None:
            if entrypoint.json is None:
                return "a shell-form ENTRYPOINT ignores CMD"
            return "ENTRYPOINT gets CMD as its arguments, and would see other words"
        program = words[0]
        path = posixpath.normpath(posixpath.join(reading.final_workdir, program))
        source = reading.in_context(path) if "/" in program else None
        if source:
            text = reading.context.read(source)
            if isinstance(text, str) and not text.startswith(("#!", "\x7fELF")):
                return f"{source} does not begin with `#!`, and only a shell starts such a script"
            if isinstance(text, str):
                return None
        if program.endswith((".sh", ".bash")):
            return f"whether {program} begins with `#!` is not known, and only a shell starts a script that does not"
        return None
