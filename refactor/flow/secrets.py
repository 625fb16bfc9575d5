"""Tokens that a build is given: which steps use one, what reads it, and what of it would stay in the image."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.storage import SKIPPED_FOLDERS
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command
from refactor.syntax import Instruction

SHAPES = (
    ("an access key of AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a token of GitHub", r"\b(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50,})\b"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    ("a token of npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a token of PyPI", r"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    ("a token of Slack", r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    ("a key of Stripe", r"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
    ("a key of Google's API", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
)
"""What a secret looks like that needs no name: the prefixes that their makers document for scanners."""
_MARKS = tuple(
    """AKIA ASIA gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ glpat- npm_ pypi-AgE xoxa- xoxb- xoxp- xoxr- xoxs- k_live_ AIza
    PRIVATE""".split()
)
NAME = r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|AUTH|CREDENTIALS?)$"
_INDEX = r"(?:PIP|UV)_(?:EXTRA_)?INDEX_URL|COMPOSER_AUTH"
"""Settings that hold a password where there is one to give."""
_SETTINGS = {
    ".npmrc": {"npm", "yarn", "pnpm", "bun"},
    ".yarnrc": {"yarn"},
    ".yarnrc.yml": {"yarn"},
    "bunfig.toml": {"bun"},
    "pip.conf": {"pip"},
    "auth.json": {"composer"},
    "nuget.config": {"dotnet"},
    "settings.xml": {"mvn"},
    "gradle.properties": {"gradle"},
}
"""Files in which a package manager replaces the names of variables."""
_READS = {f"{name.upper()}_": name for name in ("pip", "uv", "poetry", "bundle", "composer", "yarn")}
"""Package managers that read variables of such names themselves."""
NO_READER = r"(?i:.*\.(?:md|rst|lock|lockb|svg|css|html?|map|sum)|(?:package|npm).*lock.*|.*dockerfile.*|\.env.*)"
PASSES = r"(?i:(?:.*/)?(?:\.github/.*|\.gitlab-ci.*|\.circleci/.*|jenkinsfile.*|(?:azure|bitbucket)-pipelines.*))"
COMPOSE = r"(?i:(?:docker-)?compose.*\.ya?ml)"
_MAX_FILES = 3000
_MAX_BYTES = 256 * 1024


class Token(NamedTuple):
    """A token that a stage gets by ARG, and the RUNs that are given it as a secret instead."""

    name: str
    arguments: tuple[Instruction, ...]
    """The ARG, and an ENV that repeats it."""
    runs: tuple[Step, ...]
    evidence: tuple[str, ...]
    passed_by: tuple[str, ...] = ()
    """Files that give the build argument, and have to give the secret: not edited here."""
    compose: tuple[tuple[str, bytes, bytes], ...] = ()
    """Compose files: path, what they hold, and what they hold once they give the secret."""
    is_sure: bool = True
    """Its name says that it is a secret."""

    @property
    def id(self) -> str:
        return self.name.lower()


def tokens(reading: StageReading) -> Iterator[tuple[Instruction, Token | Refused]]:
    """The tokens of a stage that come by ARG without a value."""
    for step in reading.steps:
        if is_token(step.node):
            yield step.node, _Token(reading, step, step.node.argument).found()


def is_token(node: Instruction) -> bool:
    """An ARG without a value whose name says that it is given a secret."""
    if node.keyword != "ARG" or not re.fullmatch(r"\w+", node.argument):
        return False
    return bool(re.search(NAME, node.argument, re.IGNORECASE) or re.fullmatch(_INDEX, node.argument))


class _Token:
    def __init__(self, reading: StageReading, argument: Step, name: str) -> None:
        self.reading, self.context, self.name, self.argument = reading, reading.context, name, argument
        self.uses = re.compile(rf"\$\{{?{re.escape(name)}\b")

    def found(self) -> Token | Refused:
        name = self.name
        if self.context.why_unknown is not None:
            why = f"which steps read {name} from the environment is not known: {self.context.why_unknown}"
            return Refused(why, "name the build context with --context")
        readers = self._readers()
        if isinstance(readers, Refused):
            return readers
        settings, passed_by, compose = readers
        managers = {manager for path in settings for manager in managers_of(path)}
        managers |= {manager for prefix, manager in _READS.items() if name.startswith(prefix)}
        arguments = [self.argument.node]
        runs: list[Step] = []
        for step in self.reading.steps[self.reading.position(self.argument.node) + 1 :]:
            is_named = self.uses.search(step.node.text) is not None
            if step.keyword == "RUN":
                if is_named:
                    stays = self._why_it_stays(step)
                    if stays is not None:
                        return Refused(f"`{name}` is in line {self.reading.file.line_of(step.node)}: {stays}")
                if is_named or any(call.manager in managers for call in step.calls):
                    runs.append(step)
            elif is_named and step.keyword == "ENV" and self._repeats(step.node):
                arguments.append(step.node)
            elif is_named or (step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"} and name in step.node.text):
                return Refused(f"`{step.node.text.strip()}` uses {name}, so that it stays in the image")
        if not runs:
            return Refused(f"no step is known to use {name}", "remove the ARG, or say in the Dockerfile what it is for")
        if len(arguments) > 1 and any(one.parent is self.reading.stage for one in self.reading.siblings()):
            return Refused(f"{name} is in the environment of a stage that is built from this one, too")
        told = [f"{path} has {name} filled in by {', '.join(sorted(managers_of(path)))}" for path in settings]
        is_sure = re.search(NAME, name, re.IGNORECASE) is not None
        return Token(name, tuple(arguments), tuple(runs), tuple(told), passed_by, compose, is_sure)

    def _repeats(self, node: Instruction) -> bool:
        return re.fullmatch(rf"{self.name}[= ]\s*\"?\$(?:{self.name}|{{{self.name}}})\"?", node.argument) is not None

    def _readers(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, bytes, bytes], ...]] | Refused:
        """The files that name the variable: settings of package managers, who passes it, Compose files as they get."""
        from refactor.context.compose_secrets import gives_to_container, with_build_secret

        name, context = self.name, self.context
        files = files_to_search(context)
        if files is None:
            return Refused(f"the build context has too many files to look for what reads {name}")
        outside = [path for path in context.deployment.sources if path not in files]
        settings, passed_by = [], []
        compose: list[tuple[str, bytes, bytes]] = []
        word = re.compile(rf"\b{re.escape(name)}\b".encode())
        for path, data in texts(context, (*files, *outside)):
            base = posixpath.basename(path)
            if re.fullmatch(NO_READER, base) or word.search(data) is None:
                continue
            if re.fullmatch(COMPOSE, base):
                text = data.decode("utf-8", "surrogateescape")
                if gives_to_container(text, name):
                    return Refused(f"{path} gives {name} to the container, so that the program may read it")
                edited = with_build_secret(text, name, name.lower())
                if edited is None:
                    passed_by.append(path)
                else:
                    compose.append((path, data, edited.encode("utf-8", "surrogateescape")))
            elif re.fullmatch(PASSES, path) or b"build-arg" in data:
                passed_by.append(path)
            elif managers_of(path):
                settings.append(path)
            else:
                return Refused(f"{path} names {name}, and whether it reads it when the container runs is not known")
        return tuple(settings), tuple(passed_by), tuple(compose)

    def _why_it_stays(self, step: Step) -> str | None:
        """Why a RUN that names the variable would leave its value in the layer."""
        script = step.script
        if script is None or script.opaque is not None or step.node.json is not None:
            return "what the RUN does with it cannot be read"
        if re.search(r"(?<![&>|])&(?![&>])", script.text):
            return "the RUN starts something in the background"
        named = [command for command in script.commands if self._is_in(command)]
        if len(self.uses.findall(script.text)) > sum(len(self.uses.findall(_text(command))) for command in named):
            return "what the RUN does with it cannot be read"
        calls = {id(call.command) for call in step.calls}
        for command in named:
            if command.name in {"echo", "printf", "cat"} and command.redirects:
                target = re.sub(r"^\d*>>?\s*", "", command.redirects[-1]).strip("'\"")
                if not self._is_removed(script.commands, command, target):
                    return f"it is written into {target}, which stays in the image"
            elif command.name == "git" or "config" in command.args:
                return f"`{command.name}` writes it into its settings or into the clone, which stay in the image"
            elif command.name not in {"curl", "wget"} and id(command) not in calls:
                return f"what `{command.name}` does with it is not known"
        return None

    def _is_in(self, command: Command) -> bool:
        return self.uses.search(_text(command)) is not None

    def _is_removed(self, commands: Sequence[Command], writer: Command, target: str) -> bool:
        return any(
            command.name == "rm" and target in command.args and command.span[0] > writer.span[0] for command in commands
        )


def files_to_search(context: BuildContext) -> tuple[str, ...] | None:
    """The files of the context but for what others wrote; None where they are too many to look for something."""
    files = context.files(without=SKIPPED_FOLDERS)
    return None if isinstance(files, Unknown) or len(files) > _MAX_FILES else files


def texts(context: BuildContext, files: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Those of the files that are texts, and not too long; ignored ones too."""
    for path in files:
        data = context.stored(path)
        if isinstance(data, bytes) and len(data) <= _MAX_BYTES and b"\0" not in data[:1024]:
            yield path, data


def _text(command: Command) -> str:
    return " ".join((*(word.text for word in command.words), *command.redirects))


def managers_of(path: str) -> set[str]:
    """The package managers that read a file of settings of this name."""
    base = posixpath.basename(path)
    if re.fullmatch(r"requirements.*\.txt|constraints.*\.txt", base):
        return {"pip"}
    return _SETTINGS.get(base, _SETTINGS.get(base.lower(), set()))


def may_leak(text: str) -> bool:
    """Whether a whole file is worth to be searched for secrets of a known shape."""
    return any(map(text.__contains__, _MARKS))


def leaked(text: str) -> str | None:
    """What kind of secret a text holds by its shape, None where it has none of a known shape."""
    return next((name for name, shape in SHAPES if re.search(shape, text)), None)
