"""mount-secrets"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    SECRET_NAME,
    Aspect,
    BuildContext,
    Codemod,
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

FILES = {"package.json": "{}", "package-lock.json": "{}", ".npmrc": "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"}
INSTALL = """
            FROM node:20
            ARG NPM_TOKEN
            WORKDIR /app
            COPY package*.json .npmrc ./
            RUN npm ci
            CMD ["node", "server.js"]
            """
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
SETTINGS = frozenset({".npmrc", ".yarnrc", ".yarnrc.yml", "pip.conf", "auth.json", "settings.xml", "nuget.config"})
PASSWORD = r"(?i)(?:_authToken|_auth|_password|npmAuthToken)[\"']?\s*[=:]\s*[\"']?[^\s$\"'<]|://[^/\s:@$]+:[^/\s@$]+@"
CREDENTIALS = frozenset({"id_rsa", "id_ed25519", "id_ecdsa", ".netrc", ".git-credentials", ".pypirc"})


class MountSecrets(Codemod):
    """Give tokens to the steps that need them as secrets, instead of ARG and ENV.

    Why
    ---
    The value of an ARG is in the image's history, that of an ENV in its configuration: whoever pulls the image has the
    token. A secret mount is there for one RUN, and in no layer.

    What it does
    ------------
    An ARG that holds a token goes, and an ENV that repeats it. The RUNs that use it get `--mount=type=secret` and the
    variable from it, in a form that every builder with mounts takes. The new build command is printed; Compose files
    that passed the argument pass the secret. Secrets that stand in the file are reported as leaked: renew them.

    When it refuses
    ---------------
    When something else than an install or a download uses the token, when it is written into the image, or may be read
    when the container runs; without BuildKit. A key that is copied in is refused with what to write instead.

    Safety
    ------
    REVIEW: the build is given its token in another way. UNSAFE where a pipeline in the repository passes the argument,
    because it has to be changed as well.
    """

    phase = Phase.SECRETS
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.ENV, Aspect.MOUNTS, Aspect.COMMANDS, Aspect.LAYERS, Aspect.FILES})
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
            "a file with a token",
            """
            FROM node:20
            COPY package.json .npmrc ./
            """,
            files={"package.json": "{}", ".npmrc": "//registry.npmjs.org/:_authToken=abc\n"},
            because=".npmrc has a password or a token in it",
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
        has_marks = may_leak(bytes(file).decode("utf-8", "replace"))
        for node in file.instructions:
            reported = _leak(node, has_marks) or _copied(node, context)
            if reported is not None:
                yield reported
        taken: set[Instruction] = set()
        for stage in file.stages:
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
        for name, value in re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", node.argument):
            if re.search(SECRET_NAME, name, re.IGNORECASE) and re.fullmatch(PLACEHOLDERS, value) is None:
                because = f"{name} has a value in the file: whoever has the image can read it"
                return refuse(node, because, "renew it if it is in use, and give it when the container starts")
    return None


def _copied(node: Instruction, context: BuildContext) -> Refusal | None:
    """A key that is copied from the build context, or a file that holds a password."""
    if node.keyword in {"COPY", "ADD"} and node.flag("from") is None:
        for source in node.sources:
            name = source.rstrip("/").rpartition("/")[2]
            if name in CREDENTIALS:
                because = f"{source} is a key, and stays in a layer of the image even where a later RUN removes it"
                if name.startswith("id_"):
                    return refuse(node, because, "write `RUN --mount=type=ssh git ...`, and build with --ssh default")
                mount = f"--mount=type=secret,id={name.strip('.')},target=/root/{name}"
                return refuse(node, because, f"write `RUN {mount} ...`, and build with --secret id={name.strip('.')}")
            text = context.read(source.lstrip("/")) if name in SETTINGS else None
            if isinstance(text, str) and re.search(PASSWORD, text):
                id = name.strip(".").replace(".", "-")
                because = f"{source} has a password or a token in it, and stays in a layer of the image"
                hint = f"leave it out of the COPY, write `RUN --mount=type=secret,id={id},target={name} ...`"
                return refuse(node, because, f"{hint}, and build with --secret id={id},src={source}")
    return None
