"""mount-secrets"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from refactor import (
    SECRET_NAME,
    Aspect,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Edit,
    FileEdit,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Remove,
    Replace,
    Safety,
    StageReading,
    Step,
    Token,
    body_of,
    is_token,
    leaked,
    leaves,
    may_leak,
    refuse,
    rewrites,
    tokens,
)

if TYPE_CHECKING:
    from refactor import SecretFile

FILES = {"package.json": "{}", "package-lock.json": "{}", ".npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"}
INSTALL = """
            FROM node:20
            ARG NPM_TOKEN
            WORKDIR /app
            COPY package*.json .npmrc ./
            RUN npm ci
            CMD ["node", "server.js"]
            """
COPIES = frozenset({"COPY", "ADD"})
FILES_OF_SECRETS = (
    r"id_(?:rsa|ed25519|ecdsa)\b|\.(?:netrc|git-credentials|pypirc|npmrc|yarnrc)|bunfig\.toml|pip\.conf|auth\.json"
    r"|(?i:nuget\.config)|settings\.xml|gradle\.properties|requirements|constraints"
)
COMPOSE = """\
services:
  web:
    build:
      context: .
      args:
        # for the private packages
        - NPM_TOKEN
"""
PLACEHOLDERS = r"(?i)[\"']?(?:|\$.*|.*(?:change|example|replace|your|dummy|todo|xxx|<|\*\*\*).*)[\"']?"


class MountSecrets(Codemod):
    """Give tokens and keys to the steps that need them as secrets, instead of ARG, ENV and COPY.

    Why
    ---
    The value of an ARG is in the image's history, that of an ENV in its configuration, and a file that is copied stays
    in its layer where a later RUN removes it: whoever pulls the image has the token. A secret mount is there for one
    RUN, and in no layer.

    What it does
    ------------
    An ARG that holds a token goes, and an ENV that repeats it. The RUNs that use it get `--mount=type=secret` and the
    variable from it, in a form that every builder with mounts takes. The new build command is printed; Compose files
    that passed the argument pass the secret. A key (`id_rsa`, `.netrc`) and a file of settings with a password in it
    (`.npmrc`, `pip.conf`, `settings.xml`) are no longer copied: the RUNs that may read one get it at the same place,
    and what only changed its mode or removed it goes; `.dockerignore` keeps it out of copies of the folder, and Compose
    files give it to the build. Secrets that stand in the file are reported as leaked: renew them.

    When it refuses
    ---------------
    When something else than an install or a download uses the token, when it is written into the image, or may be read
    when the container runs; without BuildKit. A file is left where a step that is not known may read it, or copies it
    on, and where a file of the program names it.

    Safety
    ------
    REVIEW: the build is given its token in another way. UNSAFE where a pipeline in the repository passes the argument
    or builds the image, because it has to be changed as well, and for a key in the stage that is shipped, whose program
    may use it.
    """

    phase = Phase.SECRETS
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.ENV, Aspect.MOUNTS, Aspect.COMMANDS, Aspect.LAYERS, Aspect.COPIES, Aspect.FILES})
    checks = ("SecretsUsedInArgOrEnv",)
    examples = (
        rewrites(
            "npm's token",
            before=INSTALL,
            after="""
            FROM node:20
            WORKDIR /app
            COPY package*.json .npmrc ./
            RUN --mount=type=secret,id=npm_token export NPM_TOKEN="$(cat /run/secrets/npm_token)" && npm ci
            CMD ["node", "server.js"]
            """,
            files=FILES,
        ),
        rewrites(
            "Compose gives the secret, too",
            before=INSTALL,
            after="""
            FROM node:20
            WORKDIR /app
            COPY package*.json .npmrc ./
            RUN --mount=type=secret,id=npm_token export NPM_TOKEN="$(cat /run/secrets/npm_token)" && npm ci
            CMD ["node", "server.js"]
            """,
            files={**FILES, "compose.yaml": COMPOSE},
            written={
                "compose.yaml": """
                services:
                  web:
                    build:
                      context: .
                      secrets:
                        - npm_token
                        # for the private packages

                secrets:
                  npm_token:
                    environment: NPM_TOKEN
                """
            },
        ),
        rewrites(
            "a file with a token",
            before="""
            FROM node:20
            WORKDIR /app
            COPY package.json .npmrc ./
            RUN npm install && rm -f .npmrc
            COPY . .
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20
            WORKDIR /app
            COPY package.json ./
            RUN --mount=type=secret,id=npmrc,target=/app/.npmrc,required=true \\
                npm install
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={"package.json": "{}", ".npmrc": "//registry.npmjs.org/:_authToken=abc\n", "server.js": "1\n"},
            written={".dockerignore": ".npmrc\n"},
        ),
        rewrites(
            "a key for a clone",
            before="""
            FROM alpine/git AS sources
            COPY id_ed25519 /root/.ssh/id_ed25519
            RUN chmod 600 /root/.ssh/id_ed25519 && ssh-keyscan example.org > /root/.ssh/known_hosts
            RUN git clone git@example.org:team/app.git /src
            FROM nginx:1.27
            COPY --from=sources /src /usr/share/nginx/html
            """,
            after="""
            FROM alpine/git AS sources
            RUN --mount=type=secret,id=id_ed25519,target=/root/.ssh/id_ed25519,required=true \\
                ssh-keyscan example.org > /root/.ssh/known_hosts
            RUN --mount=type=secret,id=id_ed25519,target=/root/.ssh/id_ed25519,required=true \\
                git clone git@example.org:team/app.git /src
            FROM nginx:1.27
            COPY --from=sources /src /usr/share/nginx/html
            """,
            files={},
        ),
        leaves(
            "the program reads it",
            INSTALL,
            files={**FILES, "server.js": "fetch(url, {headers: {key: process.env.NPM_TOKEN}})\\n"},
            because="server.js names NPM_TOKEN",
        ),
        leaves(
            "it stays in git's settings",
            """
            FROM golang:1.24
            ARG GITHUB_TOKEN
            RUN git config --global url."https://$GITHUB_TOKEN@github.com/".insteadOf "https://github.com/"
            """,
            files={},
            because="stay in the image",
        ),
        leaves(
            "a secret in the file",
            """
            FROM alpine
            ENV DEPLOY_KEY=AKIAIOSFODNN7EXAMPLE
            """,
            because="an access key of AWS",
        ),
        leaves(
            "a key that is copied in",
            """
            FROM alpine
            COPY id_rsa /root/.ssh/id_rsa
            """,
            because="id_rsa is a key",
        ),
        leaves(
            "a key that a script may use",
            """
            FROM alpine AS builder
            COPY .netrc /root/.netrc
            RUN ./fetch
            FROM alpine
            COPY --from=builder /x /x
            """,
            files={".netrc": "machine example.org login a password b\n"},
            because="runs fetch, which may use it",
        ),
        leaves(
            "not every builder has mounts",
            INSTALL,
            files=FILES,
            settings={"builder": "portable"},
            because='builder = "portable"',
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        has_marks = may_leak(file.text)
        for node in file.instructions:
            reported = _leak(node, has_marks) if has_marks or node.keyword in {"ENV", "ARG"} else None
            if reported is not None:
                yield reported
        taken: set[Instruction] = set()
        files: set[str] = set()
        for stage in file.stages:
            # A file's own name is a rare word in a Dockerfile: nothing is read for the others.
            if any(re.search(FILES_OF_SECRETS, node.text) for node in stage.instructions if node.keyword in COPIES):
                from refactor import secret_files

                for node, secret in secret_files(StageReading.of(file, stage, context)):
                    if isinstance(secret, Refused):
                        yield refuse(node, secret.because, secret.hint)
                    elif taken.isdisjoint(_touched(node, secret)) and secret.path not in files:
                        # The last copy of a file is seen alone: it says what keeps the file out of the folder's copies.
                        files.add(secret.path)
                        taken.update(_touched(node, secret))
                        yield self._mounted_file(file, context, node, secret)
            if not any(map(is_token, stage.instructions)):
                continue
            for node, token in tokens(StageReading.of(file, stage, context)):
                if isinstance(token, Refused):
                    yield refuse(node, token.because, token.hint)
                elif taken.isdisjoint(run.node for run in token.runs):
                    # Two tokens of one RUN are done one after the other.
                    taken.update(run.node for run in token.runs)
                    yield self._answer(file, context, node, token)

    def _answer(self, file: Dockerfile, context: BuildContext, node: Instruction, token: Token) -> Finding | Refusal:
        why = self._why_no_mount(context)
        if why is not None:
            return refuse(node, f"{token.name} could be a secret, but {why}")
        edits: list[Edit] = [Remove(argument) for argument in token.arguments]
        for run in token.runs:
            new = _mounted(file, run, token)
            if isinstance(new, str):
                return refuse(run.node, f"{token.name} could be a secret, but {new}")
            edits.append(Replace(run.node, [new]))
        command = f"docker build --secret id={token.id},env={token.name} ."
        passed = [f"{path} passes {token.name} as a build argument: pass the secret there" for path in token.passed_by]
        return Finding(
            node,
            f"give {token.name} to the steps that use it as a secret",
            edits,
            why="the value of a build argument is in the image's history, for whoever pulls it",
            evidence=[*token.evidence, *passed, f"the build is now: {command}"],
            safety=Safety.UNSAFE if token.passed_by or not token.is_sure else None,
            files=[FileEdit(*file) for file in token.compose],
        )

    def _mounted_file(
        self, file: Dockerfile, context: BuildContext, node: Instruction, secret: SecretFile
    ) -> Finding | Refusal:
        because = f"{secret.name} {secret.what}, and stays in a layer even where a later RUN removes it"
        why = self._why_no_mount(context)
        if why is not None:
            return refuse(node, f"{because}; {why}")
        others = [word for word in node.sources if word != secret.name]
        edits: list[Edit] = [Replace(node, [_without(node, secret.name)]) if others else Remove(node)]
        mounts = {
            step.node: f"type=secret,id={secret.id},target={secret.target}{owner},required=true"
            for step, owner in secret.runs
        }
        idle = {step.node: commands for step, commands in secret.idle}
        for run in dict.fromkeys((*mounts, *idle)):
            new = _without_commands(file, run, idle.get(run, ()))
            if isinstance(new, str):
                return refuse(run, f"{because}; {new}")
            if new is not None and run in mounts:
                new = new.with_flag("mount", mounts[run])
                # A long flag stands on a line of its own, as in Docker's documentation.
                if not run.heredocs and not new.text.partition(new.raw_argument)[0].rstrip(" \t").endswith("\n"):
                    new = new.splice([(0, 0, "\\\n    ")])
            edits.append(Remove(run) if new is None else Replace(run, [new]))
        ignored = _ignored(context, secret)
        if isinstance(ignored, str):
            return refuse(node, f"{because}; {ignored}")
        passed = [f"{path} builds images: give the secret there" for path in secret.passed_by]
        command = f"docker build --secret id={secret.id},src={secret.path} ."
        return Finding(
            node,
            f"give {secret.name} to the steps that use it as a secret",
            edits,
            why="what is copied stays in a layer, for whoever pulls the image",
            evidence=[*secret.evidence, *passed, f"the build is now: {command}"],
            safety=Safety.UNSAFE if secret.passed_by or not secret.is_sure else None,
            files=[*(FileEdit(*each) for each in secret.compose), *ignored],
        )

    def _why_no_mount(self, context: BuildContext) -> str | None:
        if self.settings.builder == "portable":
            return 'the configuration says builder = "portable": not every builder has secret mounts'
        other = context.deployment.other_builder
        return f"{other}: not every builder has secret mounts" if other else None


def _mounted(file: Dockerfile, run: Step, token: Token) -> Instruction | str:
    """The RUN with the secret in its variable; the reason where its shell cannot be given one."""
    body = body_of(file, run.node)
    if isinstance(body, str):
        return body
    if body.is_heredoc or run.node.json is not None:
        return "the RUN has another form than a line of shell"
    if any(item.connector_before == "&" for item in body.script.top):
        return "the RUN starts something in the background"
    is_root = run.user is None or run.user.partition(":")[0] in {"root", "0"}
    mount = f"type=secret,id={token.id}" + ("" if is_root else ",mode=0444")
    setting = f'export {token.name}="$(cat /run/secrets/{token.id})" && '
    return body.splice([(0, 0, setting)]).with_flag("mount", mount)


def _leak(node: Instruction, has_marks: bool) -> Refusal | None:
    """A secret that stands in the file itself; its value is not said again."""
    kind = leaked(node.text) if has_marks else None
    if kind is not None:
        because = f"{kind} stands in the file, and in every image that was built from it: it has leaked"
        return refuse(node, because, "renew it where it was made, then give the new one as a secret")
    if node.keyword in {"ENV", "ARG"}:
        for name, value in node.pairs:
            if re.search(SECRET_NAME, name, re.IGNORECASE) and re.fullmatch(PLACEHOLDERS, value) is None:
                because = f"{name} has a value in the file: whoever has the image can read it"
                return refuse(node, because, "renew it if it is in use, and give it when the container starts")
    return None


def _touched(node: Instruction, secret: SecretFile) -> set[Instruction]:
    return {node, *(step.node for step, _ in secret.runs), *(step.node for step, _ in secret.idle)}


def _without(node: Instruction, source: str) -> Instruction:
    """The COPY without one of its sources, and the blanks behind it."""
    found = re.search(rf"(?<!\S){re.escape(source)}\s+", node.argument)
    return node if found is None else node.splice([(*found.span(), "")])


def _without_commands(file: Dockerfile, run: Instruction, commands: Sequence[Command]) -> Instruction | str | None:
    """The RUN without commands that have nothing left to do; None where nothing is left of it."""
    if not commands:
        return run
    body = body_of(file, run)
    if isinstance(body, str):
        return body
    if len(commands) == len(body.script.commands):
        return None
    removal = body.removal([command for command in body.script.commands if any(command is one for one in commands)])
    if removal is None:
        return f"`{commands[0].name}` cannot be taken out of the RUN on line {file.line_of(run)}"
    return body.splice(removal)


def _ignored(context: BuildContext, secret: SecretFile) -> list[FileEdit] | str:
    if secret.is_ignored:
        return []
    from refactor import with_patterns

    path = context.ignore_file or ".dockerignore"
    stored = context.stored(path)
    if (stored is not None and not isinstance(stored, bytes)) or re.fullmatch(r"[\w./-]+", secret.path) is None:
        return f"{path} cannot be extended by a line for it"
    return [FileEdit(path, stored, with_patterns(stored or b"", [secret.path]))]
