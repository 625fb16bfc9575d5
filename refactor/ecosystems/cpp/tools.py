"""What the commands of C and C++ read and write: compilers, make, CMake."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems import registry
from refactor.ecosystems.cpp import PREPARES
from refactor.flow.effects import Effect, Invocation, Path, effects_of
from refactor.flow.makefiles import makefile_of
from refactor.flow.reading import StageReading, is_within, join
from refactor.flow.source_builds import PREFIX, Built, built, posix_calls
from refactor.shell import Command, read

COMPILERS = frozenset("gcc g++ cc c++ clang clang++".split())
_BUILDS = frozenset("make gmake cmake ninja meson b2 bjam".split())
_INPUT = r"\.(?:c|cc|cpp|cxx|o|a|S|s)\Z|[*?]"
BROUGHT = (
    r"(?i:\b(?:FetchContent_\w+|ExternalProject_Add|CPMAddPackage)\b|(?<![\w-])-shared\b"
    r"|add_library\s*\([^)]*\bSHARED\b|BUILD_SHARED_LIBS[ =]+ON)|lib_LTLIBRARIES"
)
"""Libraries that the program may load, and that its own build makes."""
_MORE_INSTALLED = r"(?i:\binstall\s*\(\s*(?!TARGETS\b)\w+)|(?m:^(?:dist_|nodist_)?\w+_(?:DATA|SCRIPTS|HEADERS)\s*\+?=)"
_LOOKS = frozenset("--version -v -dumpversion -dumpmachine --help -V".split())
_MAX_FILES = 200


class Build(NamedTuple):
    """What a command builds from, as far as its build files say."""

    folder: str
    """Context path of the sources."""
    texts: Mapping[str, str]
    """Where it is written -> text of the build files, and the command itself."""
    kind: str = ""
    """"cmake", "automake"; "" where each command that is run was read."""


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    if call.name == "pkg-config" or _LOOKS & set(call.command.args):
        return Effect()
    if call.name in COMPILERS:
        return _compiler(call)
    if call.name == "cmake":
        return _cmake(call)
    if call.name in PREPARES:
        folder = call.path(posixpath.dirname(call.command.name or "") or ".")
        is_own = folder == call.path(".") and automake_texts(call) is not None
        if call.name == "autoreconf" or (is_own and call.name == "configure"):
            return Effect(
                call.paths("."), call.paths("configure", "aclocal.m4", "Makefile.in", "Makefile", "config.status")
            )
        return None if unseen(call) is None else _not_copied(call, "")
    return _make(call) if call.name in _BUILDS else None


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


def _configuring(reading: StageReading, build: Path) -> tuple[str, Command] | None:
    """The call that set up what is built in a folder, and where its sources are."""
    for step in reading.runs if reading.programs & {"cmake", "configure"} else ():
        for command in step.commands:
            call = Invocation(command, reading, step, step.folder_of(command), {})
            found: Path | tuple[str, str] = Unknown("no such call")
            if call.name == "cmake" and not {"--build", "--install"} & set(command.args):
                found = _configured(call)
            elif call.name == "configure" and call.path(".") == build:
                found = call.path(posixpath.dirname(command.name or ""))
            if isinstance(found, tuple) and found[1] == build:
                return found[0], command
            if isinstance(found, str):
                return found, command
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
    return _built_by_cmake(call, call.path(build))


def unseen(call: Invocation) -> Built | None:
    """The build of sources that a RUN brings (``git clone``, ``tar x``), which are not in the build context."""
    if call.name == "cmake" and not {"--build", "--install"} & set(call.command.args):
        configured = _configured(call)
        source = configured if isinstance(configured, Unknown) else configured[0]
    elif call.name in PREPARES:
        source = call.path(posixpath.dirname(call.command.name or "") or ".")
    else:
        place = build_folder(call)
        found = _configuring(call.reading, place)
        source = place if found is None else found[0]
    return None if isinstance(source, Unknown) else built(call, source)


def _not_copied(call: Invocation, missing: str) -> Effect:
    """The effect of a build whose files are not copied from the build context."""
    found = unseen(call)
    if found is None:
        return _unknown(missing)
    other = next((one.name for one in registry.known if one.name != "C or C++" and one.recognises(call.reading)), None)
    if other is not None:
        return _unknown(
            f"line {found.line} brings sources: where they are installed, and which libraries they link, is not known"
            f" to the split of {other} (copy what `make install` puts there by hand)"
        )
    return found.effect


def _built_by_cmake(call: Invocation, build: Path) -> Effect:
    configured = _configuring(call.reading, build)
    if isinstance(build, Unknown) or configured is None:
        return _not_copied(
            call, f"neither a makefile nor the CMakeLists.txt that `{shown(call)}` builds from is copied here"
        )
    source = configured[0]
    folder = call.reading.in_context(join(source, "CMakeLists.txt"), call.step.node)
    if folder is None:
        return _not_copied(call, f"{join(source, 'CMakeLists.txt')} is not copied from the build context")
    lists = cmake_texts(call.reading, posixpath.dirname(folder))
    whole = "\n".join(lists.values())
    project = re.search(r"(?i)\bproject\s*\(\s*([^\s()]+)", whole)
    writes: list[str] = []
    for path, text in lists.items():
        sub = posixpath.relpath(posixpath.dirname(path) or ".", posixpath.dirname(folder) or ".")
        here = {"SOURCE_DIR": source, "CURRENT_SOURCE_DIR": join(source, sub), "BINARY_DIR": build,
                "CURRENT_BINARY_DIR": join(build, sub), "TARGET_FILE_DIR": ""}  # fmt: skip
        here["TARGET_FILE_DIR"] = place = _runtime_folder(whole, text, here)
        names = re.findall(r"(?i)\badd_executable\s*\(\s*([^\s()]+)", text)
        names = [name.replace("${PROJECT_NAME}", project[1] if project else "*") for name in names]
        if any("$" in name for name in names):
            return _unknown(f"{path} names a program by a variable")
        writes += [join(place, name) for name in names]
        writes += _data_copied(call, text, here)
        bin_folder = join(_prefix(call) or "/", "bin")
        targets = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"(?i)\binstall\s*\(\s*TARGETS\s+([^)]*)", text))))
        own = [name for name in names if name in targets or "PROJECT_NAME" in targets]
        writes += [join(bin_folder, name) for name in own if _is_install(call)]
    known = tuple(writes) or (build,)
    return Effect((source, build) if source != build else (source,), (*known, *installed(call)))


def _data_copied(call: Invocation, text: str, places: Mapping[str, str]) -> Iterator[str]:
    """What a project copies beside its programs: ``cmake -E copy``, ``configure_file``, ``file(COPY)``."""
    found = re.findall(r"(?i)-E\s+copy(?:_if_different|_directory)?\s+([^()]*?)\s+(\S+?)\s*(?:\)|\bCOMMAND\b)", text)
    found += re.findall(r"(?i)\bconfigure_file\s*\(\s*(\S+)\s+([^\s)]+)", text)
    found += re.findall(r"(?i)\bfile\s*\(\s*COPY\s+([^()]*?)\s+DESTINATION\s+([^\s)]+)", text)

    for sources, target in found:
        into = join(places["CURRENT_BINARY_DIR"], _filled(target, places))
        is_file = posixpath.splitext(into)[1] != "" and len(sources.split()) == 1
        for word in sources.split():
            place = join(places["CURRENT_SOURCE_DIR"], _filled(word, places))
            origin, name = call.reading.in_context(posixpath.dirname(place)), posixpath.basename(place)
            listed = () if origin is None else call.reading.context.glob(posixpath.join(origin, name))
            names = [posixpath.basename(one) for one in listed] if isinstance(listed, tuple) else [name]
            yield from ((into if is_file else join(into, one)) for one in names)


def _filled(word: str, places: Mapping[str, str]) -> str:
    named = re.sub(r"\$\{(?:CMAKE|PROJECT)_(\w+)\}", lambda one: places.get(one[1], one[0]), word.strip('"'))
    return re.sub(r"\$<TARGET_FILE_DIR:[^>]*>", places["TARGET_FILE_DIR"], named)


def _runtime_folder(whole: str, text: str, places: Mapping[str, str]) -> str:
    """Where programs go: as the project says, else where their own CMakeLists.txt is."""
    pattern = r"(?:CMAKE_RUNTIME_OUTPUT_DIRECTORY|EXECUTABLE_OUTPUT_PATH)\s+\"?([^\s)\"]+)"
    found = re.search(pattern, text) or re.search(pattern, whole)
    said = places["CURRENT_BINARY_DIR"] if found is None else _filled(found[1], places)
    return join(places["BINARY_DIR"], re.sub(r"\$\{\w+\}", "*", said))


def _prefix(call: Invocation) -> str | None:
    """Where the project of the build context is installed to, by the call that set its build up."""
    configured = _configuring(call.reading, build_folder(call))
    text = "" if configured is None else " ".join(configured[1].args)
    given = re.search(r"(?:CMAKE_INSTALL_PREFIX(?::\w+)?=|--prefix[= ])(\S+)", text)
    return call.reading.expand(call.option("--prefix") or (given[1] if given else PREFIX), call.step.node)


def build_folder(call: Invocation) -> Path:
    """The folder that a call of cmake, ninja or make builds in."""
    return call.path(call.option("--build", "--install") or call.option("-C", "--directory") or ".")


def _is_install(call: Invocation) -> bool:
    return any(re.match(r"(?:--)?install", arg) for arg in call.command.args)


def installed(call: Invocation) -> tuple[Path, ...]:
    """Folders that an installation fills with more than programs that are known by name."""
    if not _is_install(call):
        return ()
    build = build_of(call)
    if build is None:
        found = unseen(call)
        return () if found is None else found.installed
    whole = "\n".join(build.texts.values())
    if not build.kind or not re.search(f"{_MORE_INSTALLED}|{BROUGHT}", whole):
        return ()
    fixed = re.search(r"(?i)\bDESTINATION\s+\"?/[\w/.-]*|(?m:^install-\S+-(?:local|hook):)", whole)
    prefix = _prefix(call)
    if fixed is not None or prefix is None:
        return (Unknown(f"where its installation puts files is not known ({fixed[0] if fixed else 'its prefix'})"),)
    return (join("/", prefix),)


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
            added = posixpath.normpath(posixpath.join(posixpath.dirname(path), name, "CMakeLists.txt"))
            waiting.append(added)
            if context.exists(added) is not True:
                # A submodule, or what a RUN brings: its libraries may be shared ones.
                found[path] += f"\nFetchContent_of({name})"
        for name in re.findall(r"(?i)\binclude\s*\(\s*\"?([\w./-]+\.cmake)", found[path]):
            waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
    return found


def _all_commands(reading: StageReading) -> str:
    return "\n".join(step.script.text for step in reading.runs if step.script is not None)


# make


def _make(call: Invocation) -> Effect:
    folder = call.path(call.option("-C", "--directory") or ".")
    found = makefile_of(call)
    targets = [word for word in call.operands if "=" not in word and not word.isdigit()]
    if isinstance(folder, Unknown):
        return Effect((folder,), (folder,))
    if found is None:
        texts = automake_texts(call)
        return _built_by_cmake(call, folder) if texts is None else _built_by_automake(call, folder, texts)
    path, file = found
    first = file.default()
    wanted = targets or ([first] if first else [])
    if any(not any(name in rule.targets for rule in file.rules) for name in wanted):
        missing = next(name for name in wanted if not any(name in rule.targets for rule in file.rules))
        return _unknown(f"{path} has no rule for {missing}")
    effects: list[Effect] = []
    for target, line in (pair for name in wanted for pair in file.commands(name)):
        text = re.sub(r"[$]\((?:shell\s+)?pkg-config[^)]*\)|`pkg-config[^`]*`", "", line)
        for inner, one in effects_of(call._replace(folder=folder), read(text), effect, 2):
            is_installed = one.why_unknown is not None and _is_installed(inner)
            # A tool that other sources brought makes what its rule says.
            effects.append(Effect((folder,), (join(folder, target),)) if is_installed else one)
    unknown = next((reason for one in effects if (reason := one.why_unknown) is not None), None)
    if unknown is not None:
        return _unknown(f"a recipe of {path}: {unknown}")
    writes = tuple(dict.fromkeys(place for one in effects for place in one.writes))
    return Effect((folder,), writes)


def _is_installed(call: Invocation) -> bool:
    """The program lies where a build of unseen sources installed it."""
    reading, place = call.reading, call.path(call.command.name or "")
    if isinstance(place, Unknown):
        return False
    for at in range(reading.position(call.step.node) + 1):
        for one, _ in posix_calls(reading, at) if reading.steps[at].keyword == "RUN" else ():
            found = unseen(one) if one.name in _BUILDS else None
            if found is not None and any(isinstance(path, str) and is_within(place, path) for path in found.installed):
                return True
    return False


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


def _built_by_automake(call: Invocation, folder: str, texts: Mapping[str, str]) -> Effect:
    root, writes = posixpath.dirname(next(iter(texts))), list[str]()
    for path, text in texts.items():
        place = join(folder, posixpath.relpath(posixpath.dirname(path) or ".", root or "."))
        for kind, names in re.findall(r"(?m)^(bin|sbin|noinst)_PROGRAMS\s*\+?=\s*(.*)", text):
            writes += [join(place, name) for name in names.split()]
            if _is_install(call) and kind != "noinst":
                writes += [join(_prefix(call) or "/", f"{kind}/{name}") for name in names.split()]
    if not writes or any("$" in name for name in writes):
        return _unknown(f"which programs {next(iter(texts))} builds is not known")
    return Effect((folder,), (*writes, *installed(call)))


def _unknown(reason: str) -> Effect:
    return Effect((Unknown(reason),), (Unknown(reason),))


def build_of(call: Invocation) -> Build | None:
    """The build files behind a command that made a program."""
    own = {f"`{shown(call)}`": shown(call)}
    if call.name in COMPILERS:
        return Build("", own)
    found = makefile_of(call) if call.name in {"make", "gmake"} else None
    if found is not None:
        path, file = found
        values = (value for name, value in file.variables.items() if name.endswith(("FLAGS", "LIBS")))
        return Build(posixpath.dirname(path), {path: "\n".join((file.text, *values)), **own})
    configured = automake_texts(call) if call.name in {"make", "gmake"} else None
    if configured is not None:
        return Build(
            posixpath.dirname(next(iter(configured))),
            {**configured, **own, "the Dockerfile": _all_commands(call.reading)},
            "automake",
        )
    source = _configuring(call.reading, build_folder(call))
    listed = None if source is None else call.reading.in_context(join(source[0], "CMakeLists.txt"), call.step.node)
    if listed is None:
        return None
    texts = cmake_texts(call.reading, posixpath.dirname(listed))
    return Build(posixpath.dirname(listed), {**texts, "the call of cmake": _all_commands(call.reading)}, "cmake")


__all__ = ["COMPILERS", "Build", "build_of", "effect", "shown"]
