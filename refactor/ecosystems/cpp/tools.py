"""What the commands of C and C++ read and write: compilers, make, CMake."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.calls import single_files
from refactor.ecosystems.cpp.makefiles import NAMES, Makefile, parsed
from refactor.flow.effects import Effect, Invocation, effects_of
from refactor.flow.reading import StageReading, join
from refactor.shell import Command, read

COMPILERS = frozenset("gcc g++ cc c++ clang clang++".split())
_INPUT = r"\.(?:c|cc|cpp|cxx|o|a|S|s)\Z|[*?]"
_LOOKS = frozenset("--version -v -dumpversion -dumpmachine --help -V".split())
_MAX_FILES = 200


class Build(NamedTuple):
    """What a command builds from, as far as its build files say."""

    folder: str
    """Context path of the sources."""
    texts: Mapping[str, str]
    """Where it is written -> text of the build files, and the command itself."""
    is_cmake: bool = False


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    found = _effect(call)
    return None if found is None else found._replace(reads=(*found.reads, *single_files(call, found.reads)))


def _effect(call: Invocation) -> Effect | None:
    if call.name == "pkg-config" or _LOOKS & set(call.command.args):
        return Effect()
    if call.name in COMPILERS:
        return _compiler(call)
    if call.name == "cmake":
        return _cmake(call)
    if call.name in {"autoreconf", "configure"}:
        folder = call.path(posixpath.dirname(call.command.name or "") or ".")
        if call.name == "configure" and (folder != call.path(".") or automake_texts(call) is None):
            return None
        return Effect(
            call.paths("."), call.paths("configure", "aclocal.m4", "Makefile.in", "Makefile", "config.status")
        )
    return _make(call) if call.name in {"make", "gmake", "ninja"} else None


def shown(call: Invocation) -> str:
    """A command as it is written."""
    script = call.step.script
    return "" if script is None else " ".join(script.text[slice(*call.command.span)].split())


def _compiler(call: Invocation) -> Effect:
    args = call.command.args
    valued = {args[at + 1] for at, arg in enumerate(args[:-1]) if arg in {"-o", "-I", "-L", "-MF", "-x", "-include"}}
    inputs = [arg for arg in args if re.search(_INPUT, arg) and not arg.startswith("-") and arg not in valued]
    out = call.option("-o")
    if not inputs:
        return Effect((Unknown("which sources it compiles is not known"),), (call.path(out or "a.out"),))
    folders = [posixpath.dirname(word) or "." for word in inputs]
    folders += [arg[2:] for arg in args if re.match(r"-I[\w.]", arg)]
    reads = tuple(dict.fromkeys(path for path in call.paths(*folders) if path != "/")) or call.paths(*inputs)
    if "-c" in args and out is None:
        names = (posixpath.splitext(posixpath.basename(word))[0] for word in inputs)
        return Effect(reads, call.paths(*(f"{name}.o" for name in names)))
    return Effect(reads, call.paths(out or "a.out"))


# CMake


def _configured(call: Invocation) -> tuple[str, str] | Unknown:
    """Absolute folders of the sources and of the build that a call configures."""
    words = [
        word for word in call.operands if not re.match(r"-?[DWG]\w*=?", word) or "/" in word or word in {"..", "."}
    ]
    named = call.option("-S") or next(iter(words), "." if call.option("-B") else "..")
    source, build = call.path(named), call.path(call.option("-B") or ".")
    if isinstance(source, Unknown) or isinstance(build, Unknown):
        return source if isinstance(source, Unknown) else Unknown("the build folder is not known")
    return source, build


def _configures(reading: StageReading, build: str) -> str | None:
    """The source folder that an earlier cmake was given for a build folder."""
    for step in reading.runs:
        for command in step.commands:
            if command.name == "cmake" and not {"--build", "--install"} & set(command.args):
                found = _configured(Invocation(command, reading, step, step.folder_of(command), {}))
                if not isinstance(found, Unknown) and found[1] == build:
                    return found[0]
    return None


def _cmake(call: Invocation) -> Effect | None:
    args = call.command.args
    if {"-E", "-P"} & set(args):
        return None
    build = call.option("--build", "--install")
    if build is None:
        found = _configured(call)
        if isinstance(found, Unknown):
            return Effect((found,), (found,))
        kept = ("CMakeCache.txt", "CMakeFiles", "Makefile", "build.ninja", "cmake_install.cmake")
        return Effect((found[0],), tuple(join(found[1], name) for name in kept))
    place = call.path(build)
    is_install = "--install" in args or "install" in args
    return _built_by_cmake(call, place, is_install, call.option("--prefix"))


def _why_downloaded(call: Invocation) -> str | None:
    """Sources of others, that a RUN fetches: what is built, where it goes and what it links is said in them alone."""
    reading = call.reading
    first = reading.remember(
        "first download of sources",
        lambda: next((step for step in reading.runs if any(map(_fetches_sources, step.commands))), None),
    )
    if first is None or reading.position(first.node) > reading.position(call.step.node):
        return None
    line = reading.file.line_of(first.node)
    return (
        f"line {line} downloads sources: what is made of them, where that goes and which libraries it links stands in"
        " them alone (copy what `make install` puts there, and the libraries that `ldd` shows, by hand)"
    )


def _fetches_sources(command: Command) -> bool:
    if command.name == "git":
        return "clone" in command.args
    words = " ".join(command.args)
    return command.name in {"curl", "wget"} and re.search(r"\.(?:tar|t?gz|zip|t?bz2|t?xz)\b", words) is not None


def _built_by_cmake(call: Invocation, build: str | Unknown, is_install: bool, prefix: str | None) -> Effect:
    source = None if isinstance(build, Unknown) else _configures(call.reading, build)
    if isinstance(build, Unknown) or source is None:
        missing = f"neither a makefile nor the CMakeLists.txt that `{shown(call)}` builds from is copied here"
        return _unknown(_why_downloaded(call) or missing)
    folder = call.reading.in_context(join(source, "CMakeLists.txt"), call.step.node)
    if folder is None:
        missing = f"{join(source, 'CMakeLists.txt')} is not copied from the build context"
        return _unknown(_why_downloaded(call) or missing)
    lists = cmake_texts(call.reading, posixpath.dirname(folder))
    writes: list[str] = []
    for path, text in lists.items():
        sub = posixpath.relpath(posixpath.dirname(path) or ".", posixpath.dirname(folder) or ".")
        place = _runtime_folder(text, lists, source, build) or join(build, sub)
        names = re.findall(r"(?i)\badd_executable\s*\(\s*([^\s()]+)", text)
        project = re.search(r"(?i)\bproject\s*\(\s*([^\s()]+)", "\n".join(lists.values()))
        names = [name.replace("${PROJECT_NAME}", project[1] if project else "*") for name in names]
        if any("$" in name for name in names):
            return _unknown(f"{path} names a program by a variable")
        writes += [join(place, name) for name in names]
        if is_install:
            into = re.search(r"CMAKE_INSTALL_PREFIX=(\S+)", _all_commands(call.reading))
            bin_folder = join(prefix or (into[1] if into else "/usr/local"), "bin")
            targets = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"(?i)\binstall\s*\(\s*TARGETS\s+([^)]*)", text))))
            other = re.search(r"(?i)\binstall\s*\(\s*(FILES|DIRECTORY|PROGRAMS|CODE|SCRIPT)", text)
            if other is not None:
                return _unknown(f"{path} installs more than programs ({other[1]})")
            writes += [join(bin_folder, name) for name in names if name in targets or "PROJECT_NAME" in targets]
    return Effect((source, build) if source != build else (source,), tuple(writes) or (build,))


def _runtime_folder(text: str, lists: Mapping[str, str], source: str, build: str) -> str | None:
    """Where programs go, if the project says so."""
    pattern = r"(?:CMAKE_RUNTIME_OUTPUT_DIRECTORY|EXECUTABLE_OUTPUT_PATH)\s+\"?([^\s)\"]+)"
    found = re.search(pattern, text) or next(
        (one for other in lists.values() if (one := re.search(pattern, other))), None
    )
    if found is None:
        return None
    place = re.sub(r"\$\{(?:CMAKE|PROJECT)_(?:CURRENT_)?BINARY_DIR\}", build, found[1])
    place = re.sub(r"\$\{(?:CMAKE|PROJECT)_(?:CURRENT_)?SOURCE_DIR\}", source, place)
    return join(build, re.sub(r"\$\{\w+\}", "*", place))


def cmake_texts(reading: StageReading, folder: str) -> dict[str, str]:
    """The CMakeLists.txt of a folder of the context and of those that it adds, without comments."""
    context = reading.context
    found: dict[str, str] = {}
    waiting = [posixpath.join(folder, "CMakeLists.txt")]
    while waiting and len(found) < _MAX_FILES:
        path = waiting.pop(0)
        text = context.read(path)
        if path in found or not isinstance(text, str):
            continue
        found[path] = re.sub(r"(?m)#.*$", "", text)
        for name in re.findall(r"(?i)\badd_subdirectory\s*\(\s*\"?([\w./-]+)", found[path]):
            waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), name, "CMakeLists.txt")))
        for name in re.findall(r"(?i)\binclude\s*\(\s*\"?([\w./-]+\.cmake)", found[path]):
            waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
    return found


def _all_commands(reading: StageReading) -> str:
    return "\n".join(step.script.text for step in reading.runs if step.script is not None)


# make


def _make(call: Invocation) -> Effect:
    folder = call.path(call.option("-C", "--directory") or ".")
    found = makefile(call)
    targets = [word for word in call.operands if "=" not in word and not word.isdigit()]
    if isinstance(folder, Unknown):
        return Effect((folder,), (folder,))
    if found is None and _all_commands_name(call.reading, "configure"):
        return _built_by_automake(call, folder, "install" in targets)
    if found is None:
        return _built_by_cmake(call, folder, "install" in targets, None)
    path, file = found
    first = file.default()
    wanted = targets or ([first] if first else [])
    if any(not any(name in rule.targets for rule in file.rules) for name in wanted):
        missing = next(name for name in wanted if not any(name in rule.targets for rule in file.rules))
        return _unknown(f"{path} has no rule for {missing}")
    text = "\n".join(line for name in wanted for line in file.commands(name))
    if "$(" in text or "`" in text:
        text = re.sub(r"[$]\((?:shell\s+)?pkg-config[^)]*\)|`pkg-config[^`]*`", "", text)
    inner = call._replace(folder=folder)
    effects = [one for _, one in effects_of(inner, read(text), effect, 2)]
    unknown = next((reason for one in effects if (reason := one.why_unknown) is not None), None)
    if unknown is not None:
        return _unknown(f"a recipe of {path}: {unknown}")
    writes = tuple(dict.fromkeys(place for one in effects for place in one.writes))
    return Effect((folder,), writes)


def _included(reading: StageReading, path: str, text: str) -> str:
    """The text of the files that a makefile includes; one that is not there stands as a library of that name."""
    found = ""
    for optional, name in re.findall(r"(?m)^(-|s)?include\s+([\w./-]+)\s*$", text):
        more = reading.context.read(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
        if isinstance(more, str):
            found += f"\n{more}"
        elif not optional:
            found += f"\nMISSING_LIBS = -l{name}"
    return found


def automake_texts(call: Invocation) -> dict[str, str] | None:
    """configure.ac and each Makefile.am of the folder that a call works in; None without them."""
    folder = call.path(call.option("-C", "--directory") or ".")
    place = Unknown("") if isinstance(folder, Unknown) else join(folder, "Makefile.am")
    first = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
    if first is None:
        return None
    context, found, waiting = call.reading.context, dict[str, str](), [posixpath.dirname(first)]
    while waiting and len(found) < _MAX_FILES:
        path = posixpath.join(waiting.pop(0), "Makefile.am")
        text = context.read(path)
        if path not in found and isinstance(text, str):
            found[path] = re.sub(r"\\\r?\n", " ", re.sub(r"(?m)#.*$", "", text))
            names = re.findall(r"(?m)^SUBDIRS\s*\+?=\s*(.*)", found[path])
            waiting += [posixpath.join(posixpath.dirname(path), name) for line in names for name in line.split()
                        if re.fullmatch(r"[\w-]+", name)]  # fmt: skip
    settings = posixpath.join(posixpath.dirname(first), "configure.ac")
    text = context.read(settings)
    return {**found, settings: re.sub(r"(?m)^\s*(?:dnl\b|#).*$", "", text)} if isinstance(text, str) else None


def _built_by_automake(call: Invocation, folder: str, is_install: bool) -> Effect:
    texts = automake_texts(call)
    if texts is None:
        return _unknown(f"no Makefile.am and configure.ac of the build context are in {folder}")
    prefix = re.search(r"configure\b[^&|;\n]*--prefix[= ](\S+)", _all_commands(call.reading))
    root, writes = posixpath.dirname(next(iter(texts))), list[str]()
    for path, text in texts.items():
        other = re.search(r"(?m)^(?:dist_|nodist_)?\w+_(?:DATA|SCRIPTS|HOOK)\s*\+?=|^install-\S+-(?:local|hook):", text)
        if is_install and other is not None:
            return _unknown(f"{path} installs more than programs ({other[0].rstrip('=: ')})")
        place = join(folder, posixpath.relpath(posixpath.dirname(path) or ".", root or "."))
        for kind, names in re.findall(r"(?m)^(bin|sbin|noinst)_PROGRAMS\s*\+?=\s*(.*)", text):
            writes += [join(place, name) for name in names.split()]
            if is_install and kind != "noinst":
                writes += [join(prefix[1] if prefix else "/usr/local", f"{kind}/{name}") for name in names.split()]
    if not writes or any("$" in name for name in writes):
        return _unknown(f"which programs {next(iter(texts))} builds is not known")
    return Effect((folder,), tuple(writes))


def _all_commands_name(reading: StageReading, program: str) -> bool:
    """Whether a RUN calls a program by a path."""
    return any(posixpath.basename(command.name or "") == program for step in reading.runs for command in step.commands)


def makefile(call: Invocation) -> tuple[str, Makefile] | None:
    """The makefile of the context that a call of make reads."""
    folder = call.path(call.option("-C", "--directory") or ".")
    asked = call.option("-f", "--file", "--makefile")
    for name in (asked,) if asked else NAMES:
        place = Unknown("") if isinstance(folder, Unknown) else join(folder, name)
        path = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
        text = call.reading.context.read(path) if path else None
        if path and isinstance(text, str):
            given = dict(word.split("=", 1) for word in call.command.args if re.match(r"\w+=", word))
            environment = {
                name: value for name, value in call.reading.file.environment(call.step.node).items() if value
            }
            text += _included(call.reading, path, text)
            return path, parsed(text, {**{k: v for k, v in environment.items() if k != "PATH"}, **given})
    return None


def _unknown(reason: str) -> Effect:
    return Effect((Unknown(reason),), (Unknown(reason),))


def build_of(call: Invocation) -> Build | None:
    """The build files behind a command that made a program."""
    own = {f"`{shown(call)}`": shown(call)}
    if call.name in COMPILERS:
        return Build("", own)
    found = makefile(call) if call.name in {"make", "gmake"} else None
    if found is not None:
        path, file = found
        return Build(posixpath.dirname(path), {path: "\n".join((file.text, *_values(file))), **own})
    configured = automake_texts(call) if call.name in {"make", "gmake"} else None
    if configured is not None:
        return Build(
            posixpath.dirname(next(iter(configured))),
            {**configured, **own, "the Dockerfile": _all_commands(call.reading)},
        )
    build = call.option("--build", "--install") or call.option("-C", "--directory") or "."
    place = call.path(build)
    source = None if isinstance(place, Unknown) else _configures(call.reading, place)
    listed = None if source is None else call.reading.in_context(join(source, "CMakeLists.txt"), call.step.node)
    if listed is None:
        return None
    commands = {"the call of cmake": _all_commands(call.reading)}
    return Build(posixpath.dirname(listed), {**cmake_texts(call.reading, posixpath.dirname(listed)), **commands}, True)


def _values(file: Makefile) -> Iterator[str]:
    yield from (value for name, value in file.variables.items() if name.endswith(("FLAGS", "LIBS")))


__all__ = ["COMPILERS", "Build", "build_of", "effect", "shown"]
