"""What one command does to the files of an image: one table for the tools of POSIX systems and their package managers.

Languages bring tables of their own (:data:`Tools`); a command that neither knows has an effect that is unknown, with a
reason. Sources: POSIX.1 XCU, the manual pages of GNU coreutils, tar(1), curl(1), wget(1), git(1).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.reading import StageReading, Step, join
from refactor.flow.shell_writes import QUIET
from refactor.shell import (
    SYSTEM_MANAGERS,
    Command,
    PackageCall,
    ShellScript,
    downloads,
    operands,
    option,
    package_call,
    read,
    with_folders,
)

Path = str | Unknown
"""Absolute path in the image, with wildcards where they are written so; or why it is not known."""


class Effect(NamedTuple):
    """What a command does."""

    reads: tuple[Path, ...] = ()
    """Files, and folders with all that lies in them."""
    writes: tuple[Path, ...] = ()
    """Files that it makes or changes, and folders into which it puts some."""
    removes: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    """What must be there besides files: ``network``, or a program by name."""
    carries: tuple[tuple[str, str], ...] = ()
    """Pairs of paths: what is at the first is, unchanged, at the second afterwards (``cp``, ``mv``, ``ln``)."""
    by: str = ""
    """The language whose tool it is, "" for the system's."""

    @property
    def why_unknown(self) -> str | None:
        """Why it is not known what it writes or removes; None where it is."""
        return next((path.reason for path in (*self.writes, *self.removes) if isinstance(path, Unknown)), None)


def together(effects: Sequence[Effect]) -> Effect:
    """What several commands do, one after the other."""
    return Effect(
        tuple(path for one in effects for path in one.reads),
        tuple(path for one in effects for path in one.writes),
        tuple(path for one in effects for path in one.removes),
        tuple(dict.fromkeys(need for one in effects for need in one.needs)),
        tuple(pair for one in effects for pair in one.carries),
    )


class Invocation(NamedTuple):
    """One command where it stands, as the tables of tools see it."""

    command: Command
    reading: StageReading
    step: Step
    folder: str | None
    """Absolute folder that it runs in, None where that is not known."""
    values: Mapping[str, str | None]
    """Variables that the script itself has set so far."""

    @property
    def name(self) -> str:
        """The program without its folder; "" where only the running shell knows."""
        return (self.command.name or "").rpartition("/")[2]

    @property
    def package(self) -> PackageCall | None:
        return package_call(self.command)

    @property
    def operands(self) -> tuple[str, ...]:
        return tuple(operands(self.command))

    def option(self, *names: str) -> str | None:
        return option(self.command, *names)

    def variable(self, name: str) -> str | None:
        """The value of an environment variable where the command runs; None where it is not set, or not known."""
        given = next((word.value for key, word in self.command.assignments if key == name), None)
        if given is None:
            given = self.values.get(name)
        if given is None:
            given = self.reading.file.environment(self.step.node).get(name)
        if given is None and self.reading.image is not None:
            given = self.reading.image.env.get(name)
        return given

    def expanded(self, word: str) -> str | None:
        """A word with its variables filled in; None where one is not known."""
        if "$" not in word and "`" not in word:
            return word

        def filled(found: re.Match[str]) -> str:
            value = self.values.get(found[1] or found[2])
            return found[0] if value is None else value

        # Double quotes go wherever they stand: `"$HOME"/*.log`.
        bare = word.strip('"') if "'" in word or "\\" in word else word.replace('"', "")
        text = re.sub(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", filled, bare)
        return text if "$" not in text and "`" not in text else self.reading.expand(text, self.step.node)

    def path(self, word: str) -> Path:
        """The absolute path that a word names."""
        text = self.expanded(word)
        if text is None:
            return Unknown(f"{word} depends on a variable")
        if text.startswith("~"):
            home = self.reading.file.environment(self.step.node).get("HOME") or "/root"
            return join(home, text[1:].lstrip("/") or ".") if text[1:2] in {"", "/"} else Unknown(f"{text} is a home")
        if self.folder is None and not text.startswith("/"):
            return Unknown(f"{text} lies in a folder that is not known")
        return join(self.folder or "/", text)

    def paths(self, *words: str) -> tuple[Path, ...]:
        return tuple(self.path(word) for word in words)

    def source(self, word: str) -> str | None:
        """The context path of what a word names; None where that is not known to come from there."""
        place = self.path(word)
        return None if isinstance(place, Unknown) else self.reading.in_context(place, self.step.node)

    def places(self, sources: Iterable[str]) -> tuple[str, ...]:
        """Where context paths lie in the image when the command runs, as far as they do."""
        return tuple(place for path in sources for place in self.reading.in_image(path, self.step.node)[-1:])


Tools = Callable[[Invocation], Effect | None]
"""A table of tools: the effect of a command, None where it is none of its own."""


def _reads(call: Invocation) -> Effect:
    return Effect(reads=call.paths(*(word for word in call.operands if "/" in word or "." in word)))


def _makes(call: Invocation) -> Effect:
    words = [word for word in call.operands if call.name != "mkdir" or not re.fullmatch(r"[0-7]{3,4}", word)]
    return Effect(writes=call.paths(*words))


def _copies(call: Invocation) -> Effect:
    if call.name == "install" and {"-d", "--directory"} & set(call.command.args):
        return _makes(call)
    words = [word for word in call.operands if not (call.name == "install" and re.fullmatch(r"0?[0-7]{3}", word))]
    target = call.option("-t", "--target-directory")
    if target is not None:
        sources = [word for word in words if word != target]
    elif len(words) > 1:
        *sources, target = words
    else:
        # `ln -s source` makes a link of that name here.
        sources, target = words, "."
    into = call.path(target)
    whence = call.paths(*sources)
    is_folder = target.endswith("/") or target in {".", ".."} or len(sources) > 1 or call.folder == into
    is_folder = is_folder or into in (*ON_PATH, "/opt", "/tmp", "/go/bin")
    carries = []
    for path in whence:
        if isinstance(path, str) and isinstance(into, str):
            name = posixpath.basename(path)
            # Into a folder that is there already, or as its content: which of them is not seen here.
            carries.append((path, join(into, name) if is_folder and not _is_pattern(path) else into))
    writes = tuple(target for _, target in carries) if carries and len(carries) == len(whence) else (into,)
    removes = whence if call.name == "mv" else ()
    return Effect(whence, writes, removes, carries=tuple(carries))


def _removes(call: Invocation) -> Effect:
    return Effect(removes=tuple(path for path in call.paths(*call.operands) if path != "/"))


def _changes(call: Invocation) -> Effect:
    """``chmod 755 file``, ``chown user file``: in place, so that the content stays."""
    paths = call.paths(*call.operands[1:])
    return Effect(paths, paths)


def _in_place(call: Invocation) -> Effect:
    paths = call.paths(*call.operands)
    return Effect(paths, paths)


def _edits(call: Invocation) -> Effect:
    is_in_place = any(re.match(r"-[nErsuz]*i|--in-place", arg) for arg in call.command.args)
    files = call.operands if {"-e", "--expression", "-f"} & set(call.command.args) else call.operands[1:]
    paths = call.paths(*(word for word in files if call.option("-e", "--expression", "-f") != word))
    return Effect(paths, paths if is_in_place else ())


def _unpacks(call: Invocation) -> Effect:
    args = list(call.command.args)
    if call.name in {"tar", "bsdtar"} and args and re.fullmatch(r"[A-Za-z]+", args[0]):
        # `tar xzf a.tgz`: the old form, without a dash.
        args[0] = f"-{args[0]}"
    folder = call.option("-C", "--directory", "-d")
    archive = call.option("-f", "--file")
    for at, arg in enumerate(args[:-1]):
        if archive is None and re.fullmatch(r"-[A-Za-z]*f", arg):
            archive = args[at + 1]
    members = [arg for arg in args if not arg.startswith("-") and arg not in {archive, folder}]
    if call.name in {"tar", "bsdtar"} and not any(re.match(r"-[A-Za-z]*x|--extract|--get", arg) for arg in args):
        is_listed = any(re.match(r"-[A-Za-z]*t|--list", arg) for arg in args)
        return Effect(call.paths(*members), call.paths(archive) if archive and not is_listed else ())
    read_from = [archive] if archive else members[:1] if call.name in {"unzip", "7z"} else []
    return Effect(call.paths(*(word for word in read_from if word != "-")), call.paths(folder or "."))


def _compresses(call: Invocation) -> Effect:
    paths = call.paths(*call.operands)
    return Effect(paths, tuple(posixpath.dirname(path) if isinstance(path, str) else path for path in paths))


def _downloads(call: Invocation) -> Effect:
    return Effect(writes=call.paths(*downloads(call.command)), needs=("network",))


def _openssl(call: Invocation) -> Effect:
    """Keys and certificates (openssl-req(1), openssl-x509(1))."""
    made = [value for name in ("-out", "-keyout") if (value := call.option(name)) is not None]
    return Effect(writes=call.paths(*made))


def _git(call: Invocation) -> Effect:
    if call.operands[:1] == ("clone",):
        own = [word for word in call.operands[1:] if not word.isdigit()]
        at = next((index for index, word in enumerate(own) if re.search(r"://|@|:", word)), 0)
        names = own[at + 1 :] or [posixpath.basename(own[at].rstrip("/")).removesuffix(".git")] if own else ["."]
        return Effect(writes=call.paths(*names[:1]), needs=("network",))
    if call.operands[:1] == ("config",):
        return Effect(writes=call.paths("~/.gitconfig"))
    changes = call.operands[:1] and call.operands[0] not in {"describe", "log", "rev-parse", "status", "show", "diff"}
    return Effect(call.paths("."), call.paths(".") if changes else ())


def _finds(call: Invocation) -> Effect:
    acts = {"-delete", "-exec", "-execdir", "-ok", "-fprint"} & set(call.command.args)
    start = [word for word in call.operands[:1] if not word.startswith("(")] or ["."]
    return Effect(call.paths(*start), call.paths(*start) if acts else ())


def _users(call: Invocation) -> Effect:
    return Effect(("/etc/passwd", "/etc/group"), ("/etc/passwd", "/etc/group", "/etc/shadow", "/home"))


def _settings(call: Invocation) -> Effect:
    return Effect(("/etc", "/usr"), ("/etc", "/usr/lib", "/usr/share", "/var/cache"))


def _quiet(call: Invocation) -> Effect:
    return Effect()


UNPACKS = frozenset(("tar", "bsdtar", "unzip", "7z"))
"""What an archive holds comes to what is in the folder already."""
ON_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
SYSTEM = ("/usr", "/lib", "/bin", "/sbin", "/etc", "/var", "/lib64", "/opt")
"""Where packages of the system put their files."""


def _table(groups: Mapping[str, Tools]) -> dict[str, Tools]:
    return {name: effect for names, effect in groups.items() for name in names.split()}


_TOOLS = {
    **dict.fromkeys(QUIET, _reads),
    **_table(
        {
            "mkdir touch tee truncate mkfifo mktemp": _makes,
            "cp mv ln install rsync": _copies,
            "rm rmdir unlink shred": _removes,
            "chmod chown chgrp setcap setfacl": _changes,
            "strip upx patchelf dos2unix unix2dos": _in_place,
            "sed": _edits,
            " ".join(sorted(UNPACKS)): _unpacks,
            "gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd": _compresses,
            "curl wget": _downloads,
            "git": _git,
            "openssl": _openssl,
            "find xargs": _finds,
            "useradd adduser usermod groupadd addgroup groupmod deluser userdel passwd chpasswd": _users,
            "a2enmod a2dismod a2ensite a2dissite a2enconf a2disconf"
            " ldconfig locale-gen localedef update-locale update-ca-certificates update-ca-trust fc-cache"
            " update-alternatives dpkg-reconfigure dpkg apt-key apt-mark apt-cache add-apt-repository rpm gpg"
            " debconf-set-selections yum-config-manager trust": _settings,
            ": true false echo printf export unset set cd shift exit return trap wait umask ulimit sleep exec hash"
            " alias shopt local declare typeset readonly pushd popd pwd date whoami id hostname uname": _quiet,
            "cmp dir file ldd nm objdump readelf nproc arch getconf locale sha1sum sha512sum": _reads,
        }
    ),
}
_OF_THE_SYSTEM = frozenset((_makes, _copies, _removes, _changes, _in_place, _edits, _unpacks, _users, _settings))


def is_of_the_system(name: str) -> bool:
    """Whether a program only does to files what its words say (``mkdir``, ``useradd``), and starts no other."""
    return _TOOLS.get(name) in _OF_THE_SYSTEM


def is_everyday(name: str) -> bool:
    """Whether the table of the system's tools has the program."""
    return name in _TOOLS


_DEPTH = 3
_READ_SCRIPTS = frozenset(("sh", "bash", "ash", "dash", ".", "source"))


def effect_of(call: Invocation, tools: Tools, depth: int = 0) -> Effect:
    """The effect of a command: by the languages' tables, by the table of POSIX tools, or unknown with a reason.

    Redirections count; a shell script of the build context is read in its turn.
    """
    own = tools(call) or _own(call, tools, depth)
    if not call.command.redirects:
        return own
    redirected = _redirected(call)
    return own._replace(reads=(*own.reads, *redirected.reads), writes=(*own.writes, *redirected.writes))


def _own(call: Invocation, tools: Tools, depth: int) -> Effect:
    if not call.command.words:
        return Effect()
    if call.command.name is None:
        return _unknown(f"`{call.command.words[0].text}` is only known when it runs")
    package = call.package
    if package is not None and package.manager in SYSTEM_MANAGERS:
        if package.action in {"install", "upgrade", "build-dep", "remove", "autoremove"}:
            return Effect(writes=SYSTEM, needs=("network",))
        return Effect(writes=("/var/lib", "/var/cache"), needs=("network",) if package.action == "update" else ())
    known = _TOOLS.get(call.name)
    script = _script(call) if depth < _DEPTH else None
    if script is not None:
        return together([one for _, one in effects_of(call, read(script), tools, depth + 1)])
    if known is None or "/" in (call.command.name or "").removeprefix("/usr/bin/").removeprefix("/bin/"):
        return _unknown(f"what {call.command.name} reads and writes is not known")
    return known(call) or Effect()


def _unknown(reason: str) -> Effect:
    return Effect((Unknown(reason),), (Unknown(reason),))


def _script(call: Invocation) -> str | None:
    """The text of a shell script of the build context that a command runs."""
    name = call.command.name or ""
    if "/" not in name and name not in _READ_SCRIPTS:
        return None
    words = [name, *call.command.args]
    if call.name in _READ_SCRIPTS:
        if len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
            return words[2]
        words = [word for word in words[1:] if not word.startswith("-")]
    place = call.path(words[0]) if words else Unknown("no script")
    path = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    text = call.reading.context.read(path) if path else None
    if not isinstance(text, str) or not (re.match(r"#!.*\b(?:ba|da|a)?sh\b", text) or (path or "").endswith(".sh")):
        return None
    return text


def effects_of(
    call: Invocation, script: ShellScript, tools: Tools, depth: int = 0
) -> Iterator[tuple[Invocation, Effect]]:
    """The effects of the commands of a script, in order, run where ``call`` runs."""
    if script.opaque is not None:
        yield call, _unknown(f"the script cannot be read: {script.opaque}")
        return
    values: dict[str, str | None] = dict(call.values)
    first = call._replace(values=values)
    for command, here in with_folders(script, call.folder or "/", first.expanded):
        if not command.words or command.name in {"export", "readonly", "local"}:
            for name, word in command.assignments:
                values[name] = first.expanded(word.literal)
            for arg in command.args:
                name, equals, value = arg.partition("=")
                if equals:
                    values[name] = first.expanded(value)
        one = Invocation(command, call.reading, call.step, here, values)
        yield one, effect_of(one, tools, depth)


def effects_of_step(reading: StageReading, step: Step, tools: Tools) -> Iterator[tuple[Invocation, Effect]]:
    """The effects of the commands of a RUN, in order."""
    scripts = [step.script] if step.script is not None else [read(heredoc.body) for heredoc in step.node.heredocs]
    blank = Command(None, (), (), (), (), (0, 0), 0, False, False, False)
    for script in scripts:
        yield from effects_of(Invocation(blank, reading, step, step.workdir, {}), script, tools)


def _redirected(call: Invocation) -> Effect:
    reads: list[Path] = []
    writes: list[Path] = []
    for redirect in call.command.redirects:
        found = re.match(r"\d*(&?>[>|]?|<)\s*([^&<>\s].*)", redirect, re.DOTALL)
        if found is None or found[2].startswith("/dev/"):
            continue
        (reads if found[1] == "<" else writes).append(call.path(found[2].strip("\"'")))
    return Effect(tuple(reads), tuple(writes))


def _is_pattern(path: str) -> bool:
    return re.search(r"[*?\[]", path) is not None


__all__ = [
    "ON_PATH", "SYSTEM", "Effect", "Invocation", "Path", "Tools", "effect_of", "effects_of", "effects_of_step",
    "together",
]  # fmt: skip
