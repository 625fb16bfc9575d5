"""Calls of package managers and build tools, read from a command by one table per tool (tools.py)."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from typing import NamedTuple, TypeVar

from refactor.shell.command import Command, Word
from refactor.shell.script import ShellScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from refactor.shell.tools import Tool, Verb

_K = TypeVar("_K")
_V = TypeVar("_V")


class PackageCall(NamedTuple):
    """One call of a package manager, its options and operands told apart."""

    manager: str
    """"apt" (for apt, apt-get and aptitude), "apk", "dnf", "yum", "microdnf", "zypper", "pip", "venv", "npm",
    "yarn", "pnpm", "bun", "gem", "bundle", "go", "cargo", "mvn", "gradle", "dotnet", "composer", "poetry",
    "uv", "pdm", "pipenv", "corepack"."""
    program: str
    """What is called, without its folder: `apt-get`, `pip3`, `python3 -m pip`, `gradlew`."""
    verb: str
    """The subcommand as written: "purge", "i", "mod download"; "" if there is none."""
    action: str
    """The subcommand normalised over all managers: "install", "remove", "update" (package lists), "upgrade",
    "clean", "autoremove", "run", "build", "ci", "prune", "sync", "download", "restore", "test", "publish",
    "global-install", ...; the verb itself where no manager shares it."""
    script: str | None
    """What `npm run X`, `yarn X`, `poetry run X`, `bundle exec X` starts."""
    packages: tuple[Word, ...]
    """Operands of an install, remove, upgrade or download."""
    operands: tuple[Word, ...]
    """Every word behind the verb that is neither an option nor an option's value."""
    flags: tuple[str, ...]
    """Every option word as written, without values that stand in the next word."""
    options: tuple[tuple[str, str | None], ...]
    """Option names and their values; letters of a cluster (`-yqq`) one by one."""
    command: Command

    @property
    def verb_word(self) -> Word:
        """The word that says what to do, as `install` in `pip --quiet install`; the program's where there is none."""
        verb = self.verb.rpartition(" ")[2]
        return next((word for word in self.command.words[1:] if word.value == verb), self.command.words[0])

    def option(self, *names: str) -> str | None:
        """The last value given to one of `names` (`option("-r", "--requirement")`); None if there is none."""
        values = self.values(*names)
        return values[-1] if values else None

    def values(self, *names: str) -> tuple[str, ...]:
        """All values given to `names`, in order."""
        return tuple([value for name, value in self.options if name in names and value is not None])

    def has(self, *flags: str) -> bool:
        """Whether one of `flags` is given, alone, in a cluster (`-y` in `-yqq`) or with a value.

        A full `--name=value` asks for that value too.
        """
        return any(flag in self.flags for flag in flags) or _is_any_given(flags, self.options)


def _is_any_given(flags: "Collection[str]", options: "Iterable[tuple[str, str | None]]") -> bool:
    return any(name in flags or (value is not None and f"{name}={value}" in flags) for name, value in options)


def _by_identity(read: "Callable[[_K], _V]") -> "Callable[[_K], _V]":
    """Keeps the answers for the last thousands of scripts or commands: every codemod asks again in every pass.

    They are told apart by identity (`read` keeps its scripts): to compare their words costs as much as to read them.
    """
    known: dict[int, tuple[_K, _V]] = {}

    def again(one: _K) -> _V:
        found = known.get(id(one))
        if found is None or found[0] is not one:
            if len(known) > _MAX_KNOWN:
                known.clear()
            found = known[id(one)] = (one, read(one))
        return found[1]

    return again


_MAX_KNOWN = 2_000


@_by_identity
def package_calls(script: ShellScript) -> tuple[PackageCall, ...]:
    """The package manager calls of a script, in order; none for an opaque one."""
    return tuple([call for command in script.commands if (call := package_call(command)) is not None])


# Names that can begin a call, so that the table is not even imported for other commands.
_PROGRAMS = frozenset(
    (
        *(
            "apt-get",
            "apt",
            "aptitude",
            "apk",
            "dnf",
            "yum",
            "microdnf",
            "zypper",
            "pip",
            "venv",
            "virtualenv",
        ),
        *(
            "npm",
            "npx",
            "yarn",
            "yarnpkg",
            "pnpm",
            "pnpx",
            "bun",
            "bunx",
            "gem",
            "bundle",
            "bundler",
            "go",
            "cargo",
        ),
        *(
            "mvn",
            "mvnw",
            "gradle",
            "gradlew",
            "dotnet",
            "composer",
            "composer.phar",
            "poetry",
            "uv",
            "uvx",
            "pdm",
        ),
        *("pipenv", "corepack"),
    )
)
_PYTHONS = frozenset(("python", "pypy", "py"))


@_by_identity
def package_call(command: Command) -> PackageCall | None:
    """The package manager call that `command` is, or None."""
    name = command.name
    if name is None:
        return None
    program = name.rpartition("/")[2]
    words = command.words[1:]
    base = program
    if base not in _PROGRAMS:
        base = program.rstrip("0123456789.").removesuffix("-")  # pip3, pip-3.8, python3.11, go1.22, php8.2
        if base in _PYTHONS:
            at = _python_module(words)
            if at is None or words[at].literal not in _PROGRAMS:
                return None
            base = words[at].literal
            program, words = f"{program} -m {base}", words[at + 1 :]
            if not _table()[base].is_python_module:
                return None
        elif base == "php":
            at = _php_script(words)
            base = words[at].literal.rpartition("/")[2] if at is not None else ""
            if at is None or base not in ("composer", "composer.phar"):
                return None
            program, words = base, words[at + 1 :]
        elif base not in _PROGRAMS:
            return None
    if base == "corepack" and words and words[0].literal in ("npm", "npx", "yarn", "pnpm"):
        program = base = words[0].literal
        words = words[1:]
    tool = _table()[base]
    if tool.manager == "dotnet" and words and words[0].literal.endswith(".dll"):
        return None
    return _read_call(tool, program, words, command)


def _table() -> "dict[str, Tool]":
    from refactor.shell.tools import PROGRAMS

    return PROGRAMS


def _php_script(words: tuple[Word, ...]) -> int | None:
    """Index of the script in `php -d memory_limit=-1 /usr/bin/composer.phar install`."""
    at = 0
    while at < len(words) and words[at].literal.startswith("-"):
        at += 2 if words[at].literal in ("-d", "-c") else 1
    return at if at < len(words) else None


def _python_module(words: tuple[Word, ...]) -> int | None:
    """Index of the module's name in `-u -m pip install`; None without `-m`."""
    at = 0
    while at < len(words):
        text = words[at].literal
        if text == "-m":
            return at + 1 if at + 1 < len(words) else None
        if text in ("-W", "-X"):
            at += 2
        elif text.startswith("-") and text != "-c" and len(text) > 1:
            if text.endswith("m") and text[1:].isalpha():
                return at + 1 if at + 1 < len(words) else None
            at += 1
        else:
            return None
    return None


def _read_call(tool: "Tool", program: str, words: tuple[Word, ...], command: Command) -> PackageCall | None:
    flags: list[str] = []
    options: list[tuple[str, str | None]] = []
    operands: list[Word] = []
    verb_words: list[str] = []
    verb: Verb | None = None
    verbs = tool.verbs
    valued = tool.valued
    script: str | None = None
    at = 0
    while at < len(words):
        word = words[at]
        text = word.literal
        at += 1
        if text == "--":
            operands.extend(words[at:])
            break
        if tool.is_option(text):
            flags.append(word.text)
            at += _take_option(tool, valued, text, words, at, options)
            continue
        if tool.selector and not verb_words and not operands and text.startswith(tool.selector):
            flags.append(word.text)
            continue
        found = verbs.get(text) if not operands else None
        if found is None:
            if verb is None and tool.runs_scripts and not verb_words:
                script = text
                operands.extend(words[at:])
                verb = tool.runs_scripts
                break
            operands.append(word)
            if verb is not None and verb.passes_on:
                operands.extend(words[at:])
                break
            continue
        verb_words.append(text)
        verb = found
        verbs = found.verbs
        if found.valued:
            valued = valued | found.valued
    if verb is None:
        if tool.goals is not None:
            action = tool.goals(tuple([word.literal for word in operands]))
        elif operands:
            verb_words = [operands.pop(0).literal]
            action = verb_words[0]
        elif tool.bare is not None and not any(name in _INFORMATIVE for name, _ in options):
            action = tool.bare
        else:
            action = ""
    else:
        action = verb.action or verb_words[-1]
    if verb is not None and verb.is_script and script is None:
        if verb.script is not None:
            script = verb.script
        elif operands:
            script = operands.pop(0).literal
    if action == "install" and _is_any_given(tool.global_flags, options):
        action = "global-install"
    takes = verb is not None and verb.takes_packages
    return PackageCall(
        manager=tool.manager,
        program=program,
        verb=" ".join(verb_words),
        action=action,
        script=script,
        packages=tuple(operands) if takes else (),
        operands=tuple(operands),
        flags=tuple(flags),
        options=tuple(options),
        command=command,
    )


_INFORMATIVE = frozenset(("--version", "-v", "-V", "--help", "-h"))


def _take_option(
    tool: "Tool",
    valued: frozenset[str],
    text: str,
    words: tuple[Word, ...],
    at: int,
    options: list[tuple[str, str | None]],
) -> int:
    """Add the option `text` to `options`; returns how many of the words from `at` on are its value."""
    name, equals, value = text.partition("=")
    if equals and (name.startswith("--") or tool.single_dash or len(name) == 2):
        options.append((tool.full_name(name), value))
        return 0
    if text.startswith("--") or tool.single_dash or len(text) == 2:
        name = tool.full_name(text)
        if name in tool.greedy or name in tool.optional:
            taken = 0
            while at + taken < len(words) and not words[at + taken].literal.startswith("-"):
                taken += 1
                if name in tool.optional:
                    break
            value = " ".join([word.literal for word in words[at : at + taken]])
            options.append((name, value if taken else None))
            return taken
        if name in valued and at < len(words):
            options.append((name, words[at].literal))
            return 1
        if tool.booleans_take_words and at < len(words) and words[at].literal in ("true", "false"):
            options.append((name, words[at].literal))
            return 1
        options.append((name, None))
        return 0
    for index in range(1, len(text)):
        letter = f"-{text[index]}"
        if letter in valued:
            attached = text[index + 1 :]
            if attached:
                options.append((letter, attached))
                return 0
            if at < len(words):
                options.append((letter, words[at].literal))
                return 1
        options.append((letter, None))
    return 0
