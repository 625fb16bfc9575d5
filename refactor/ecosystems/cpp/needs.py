"""What a C or C++ program needs when it runs, and where it writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from refactor.ecosystems.answers import Written
from refactor.ecosystems.brought import Brought, brought, data_beside
from refactor.ecosystems.calls import Found, called, calls, opened, sources
from refactor.ecosystems.cpp.linking import is_static, packages
from refactor.ecosystems.cpp.tools import BROUGHT, Build, build_folder, build_of, installed, unseen
from refactor.ecosystems.program import Needs, Program
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import folders_written
from refactor.flow.effects import Invocation
from refactor.flow.reading import Refused, is_within
from refactor.flow.source_builds import Built

SUFFIXES = (".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".o", ".a", ".cmake",
            "CMakeLists.txt")  # fmt: skip
_PACKED = r"(?:^|/)(?:CMakeLists\.txt|configure|Makefile(?:\.\w+)?)\Z"
_MADE = r"(?=\s*\([^;]*,\s*\"[wa])"
_READS: Mapping[str, int] = {
    r"(?:std::)?fopen": 0, r"(?:std::)?ifstream\s+\w+": 0, r"(?:std::)?ifstream": 0, r"\bopen": 0, r"\bopendir": 0,
    r"(?:std::)?(?:filesystem|fs)::(?:directory_iterator|exists)": 0, r"\bstat": 0, r"\baccess": 0,
    r"\w+(?:\.|->)open": 0,
}  # fmt: skip
_WRITES: Mapping[str, int] = {
    rf"(?:std::)?fopen{_MADE}": 0, r"(?:std::)?ofstream\s+\w+": 0, r"(?:std::)?ofstream": 0,
    r"(?:std::)?fstream\s+\w+": 0,
    r"\bopen(?=\s*\([^;]*O_(?:CREAT|WRONLY|RDWR))": 0, r"\bsqlite3_open(?:_v2)?": 0, r"(?:std::)?rename": 1,
    r"\bcreat": 0,
}  # fmt: skip
_MAKES: Mapping[str, int] = {r"\bmkdir": 0, r"(?:std::)?(?:filesystem|fs)::create_director(?:y|ies)": 0}
_STARTS: Mapping[str, int] = {r"(?:std::)?system": 0, r"\bpopen": 0, r"\bexec[lv]p?e?": 0, r"\bposix_spawnp?": 1}
_OPEN_MODE = r"\bfopen\s*\((?:[^;\"]|\"[^\"]*\")*,\s*(?!\")\w+\s*\)"
_NAMES_OF_SYSTEM = r"\b(?:getaddrinfo|gethostbyname|getpwnam|getpwuid|getgrnam|dlopen)\s*\("
_BY_HAND = "write USER with an id in front of CMD, and give that user the folders that the program writes to"


def sources_of(language: Language, program: Program) -> tuple[str, ...] | Refused:
    """See :meth:`Language.sources_of`."""
    found = None if program.act is None or program.act.call is None else _unseen(program.act.call)
    if found is None:
        return Language.sources_of(language, program)
    name = program.root.name
    return Refused(f"line {found.line} brings the sources of {name}, which are not in the build context")


def _unseen(call: Invocation) -> Built | None:
    return unseen(call) if build_of(call) is None else None


def needs(language: Language, program: Program) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    call = program.act.call if program.act is not None else None
    build = None if call is None else build_of(call)
    own = _brought(program, build)
    if isinstance(own, Refused):
        return own
    beside = dict(data_beside(program, SUFFIXES, _PACKED, own.why)) if own.why else {}
    if call is not None and _unseen(call) is not None:
        libraries = packages(program, Build("", {}), True, own.why)
        if isinstance(libraries, Refused):
            return libraries
        return own.needs._replace(paths={**beside, **own.needs.paths}, packages=libraries)
    if build is None:
        return Refused(f"what {program.made} is built from is not in the build context", "build it in a RUN")
    files = language.sources_of(program)
    if isinstance(files, Refused):
        return files
    texts = dict(sources(program.reading.context, files))
    loading = next((path for path, text in texts.items() if re.search(r"\bdlopen\s*\(", text)), None)
    if loading is not None:
        return Refused(f"{loading} loads libraries while it runs (dlopen)", "split by hand")
    braces = next((path for path, text in texts.items() if re.search(r"\bi?fstream\s+\w+\s*\{\s*[^\"\s}]", text)), None)
    if braces is not None:
        return Refused(f"{braces} opens a file whose name only the running program knows", "name it as text")
    started = called(texts, _STARTS)
    if isinstance(started, Refused):
        return started
    if any(re.search(r"\b(?:system|popen)\s*\(", text) for text in texts.values()):
        started = {**started, "sh": "system() and popen() start a shell"}
    libraries_built = _libraries_built(program, build)
    if isinstance(libraries_built, Refused):
        return libraries_built
    found = opened(program, texts, _READS, SUFFIXES, packed=_PACKED)
    more = own.needs._replace(paths={**found, **beside, **libraries_built, **own.needs.paths}, programs=started)
    static = is_static(build)
    asks = next((path for path, text in texts.items() if re.search(_NAMES_OF_SYSTEM, text)), None)
    image = program.origin.image
    if static is not None and not own.why and (asks is None or (image is not None and image.libc == "musl")):
        return more._replace(is_static=True, evidence=(static,))
    is_cpp = any(re.search(r"\.(?:cc|cpp|cxx|hpp|hh|hxx)\Z", path) for path in files)
    libraries = packages(program, build, is_cpp and static is None, own.why)
    if isinstance(libraries, Refused):
        return libraries
    said = ", ".join(libraries) or "no library but the C library's and those of packages"
    named = f"{next(iter(build.texts))} names what it links: {said}"
    return more._replace(packages=libraries, evidence=(*more.evidence, own.why or named))


def _brought(program: Program, build: Build | None) -> Brought | Refused:
    return brought(program, _unseen, installed, "" if build is None else "\n".join(build.texts.values()))


def _libraries_built(program: Program, build: Build) -> dict[str, str] | Refused:
    """Shared libraries that its own build makes: as it names them, else all of the folder that it builds in."""
    where = next((where for where, text in build.texts.items() if re.search(BROUGHT, text)), None)
    call = program.act.call if program.act is not None else None
    if where is None or call is None or installed(call):
        return {}
    made = [path for act in program.flow.acts(program.origin) if act.effect.by for path in act.effect.writes
            if isinstance(path, str) and re.search(r"\.so(?:\.|\Z)", path)]  # fmt: skip
    folder = build_folder(call) if build.kind else None
    paths = [folder] if isinstance(folder, str) else made
    if not paths or (folder is not None and is_within(program.reading.final_workdir, paths[0])):
        return Refused(
            f"{where} builds or brings libraries of its own, and which of them the program loads is not known",
            "build in a folder of its own (cmake -B build), or link them statically",
        )
    return dict.fromkeys(paths, f"{where} builds or brings libraries")


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    call = program.act.call if program.act is not None else None
    own = _brought(program, None if call is None else build_of(call))
    if isinstance(own, Refused):
        return own
    if own.why:
        return Refused(f"{own.why}, and where they write is not known", _BY_HAND)
    texts = dict(sources(program.reading.context, files))
    found = [*((call, False) for call in calls(texts, _WRITES)), *((call, True) for call in calls(texts, _MAKES))]
    found = [(call, is_folder) for call, is_folder in found if call.value not in {":memory:", ""}]
    streams = {path: text for path, text in texts.items() if re.search(r"\b(?:o|(?<![io]))fstream\b", text)}
    found += [(call, False) for call in calls(streams, {r"\w+(?:\.|->)open": 0})]
    for path, text in texts.items():
        line = next((text.count("\n", 0, one.start()) + 1 for one in re.finditer(_OPEN_MODE, text)), None)
        if line is not None:
            found.append((Found("fopen", None, f"{path}:{line}"), False))
        if re.search(r"\b[ow]?fstream\b", text) and re.search(r"\bstd::ofstream\b|\bofstream\s+\w+\s*[;{]", text):
            named = [call for call, _ in found if call.where.startswith(f"{path}:") and "fstream" in call.name]
            if not named:
                return Refused(f"{path} writes files by a stream, and where is not seen", _BY_HAND)
    ports = {int(one) for text in texts.values() for one in re.findall(r"\bhtons\s*\(\s*(\d+)\s*\)", text)}
    return folders_written(program, files, found, tuple(sorted(ports)))


__all__ = ["needs", "sources_of", "writes"]
