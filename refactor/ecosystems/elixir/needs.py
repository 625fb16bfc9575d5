"""What a release needs when it runs: its folder, which brings the virtual machine, and the libraries of that. Where it
writes, by its sources, its configuration and its start script.

Sources: hexdocs.pm/mix (Mix.Tasks.Release), the Dockerfiles of erlang/docker-erlang-otp and hexpm/bob: they build
Erlang with OpenSSL, ncurses and zlib of the distribution, and what their run-time stages install is what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.tables import table
from refactor.ecosystems import system
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import called, first_at, opened
from refactor.ecosystems.elixir import BUILD
from refactor.ecosystems.elixir.mix import Locked, Project, projects, read_lock, without_comments
from refactor.ecosystems.elixir.tools import PLAINLY, project_of
from refactor.ecosystems.libraries import linked, why_not_linked
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.runners import interpreted, small_system
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
from refactor.flow.reading import Refused, StageReading, join
from refactor.images import lookup
from refactor.images.hex import CALLS, LINKS, NATIVE, PLAIN, TLS
from refactor.images.history import version_of
from refactor.shell import read

_INSIDE = r"[\s(]*(?:Path\.\w+\(\s*\[?\s*)?(?:Application\.app_dir|:code\.(?:priv_dir|lib_dir)|System\.tmp_dir)"
"""An argument that names a place of the release itself, or of the system's."""
_READS: Mapping[str, int] = {
    rf"(?:File\.(?:read|stream|open|ls|stat|exists\?|dir\?|regular\?)!?|Path\.wildcard)(?!{_INSIDE})": 0,
    r"YamlElixir\.read_\w+!?": 0, r"EEx\.eval_file": 0, r"Code\.eval_file": 0,
}  # fmt: skip
_STARTS: Mapping[str, int] = {
    r"System\.(?:cmd|shell|find_executable)": 0, r":os\.(?:cmd|find_executable)": 0,
    r"(?:MuonTrap|Rambo)\.(?:cmd|run)": 0, r"Port\.open": 0, r"Porcelain\.(?:exec|spawn|shell)": 0,
}  # fmt: skip
_SUFFIXES = (".ex", ".exs", ".eex", ".heex", ".leex")
_IN_RELEASE = r"(?:^|/)(?:priv|assets|config|rel|deps|_build)/"
"""What a release holds already, or is made of."""
_NOT_RUN = r"(?:^|/)(?:test|mix/tasks|config(?!/runtime\.exs))/|(?:^|/)mix\.exs\Z"
"""Sources of the build alone; of the configuration runtime.exs is read when a release starts."""
_CRYPTO = r":(?:crypto|ssl|public_key|ssh|httpc|inets)\b"
_TO_WRITE = r"(?=[^\n]*:(?:write|append|exclusive|delayed_write)\b)"
_TMP = r"[\s(]*(?:Path\.join\(\s*\[?\s*)?System\.tmp_dir"
_WRITES: Mapping[str, int] = {
    rf"(?:File\.(?:write|touch|rm)!?|File\.(?:open|stream)!?{_TO_WRITE}|:file\.(?:write_file|delete)|:dets\.open_file)"
    rf"(?!{_TMP})": 0,
    r"File\.(?:cp|rename|ln_s)!?|:file\.rename|:ets\.tab2file": 1,
}  # fmt: skip
_MAKES: Mapping[str, int] = {rf"File\.(?:mkdir|mkdir_p|rm_rf|rmdir)!?(?!{_TMP})": 0, r"File\.cp_r!?": 1}
_STORES = r"MnesiaCache|:disk_log\.open|:mnesia\.(?:create_schema|change_table_copy_type)|\bdisc_(?:only_)?copies:"
_PACKAGES = frozenset("cubdb rocksdb eleveldb bitcask mnesiac ecto_mnesia khepri ra waffle arc ua_inspector".split())
"""Packages that keep data, or uploads, in files."""
_NO_UPDATE = r":tzdata,\s*(?::autoupdate,|autoupdate:)\s*:disabled"
_LOGS = r"\bfile:\s*(?:~c)?[\"']([^\"'#\n]+\.log)[\"']|\bpath:\s*\"([^\"#\n]+\.log)\""
_DATABASE = r"\bdatabase:\s*([^\n]+?),?\s*(?:\n|\Z)"
_COMPUTED = r"\A(?!\"[^\"\\#]*\"\Z)"
_SQLITE = frozenset({"ecto_sqlite3", "exqlite", "esqlite", "sqlitex", "ecto_libsql"})
_LISTENS = r"\bport:\s*(\d{2,5})\b|\"PORT\"\s*,\s*\"(\d{2,5})\"|\"PORT\"\)\s*\|\|\s*\"(\d{2,5})\""
_NEW = frozenset({"bookworm", "trixie", "noble"})
"""Releases of Debian and Ubuntu whose own Elixir is 1.14 or later."""


class Release(NamedTuple):
    """A release that a container starts."""

    folder: str
    """Where it is started from; it may have been moved since it was made."""
    project: Project
    lock: Mapping[str, Locked]
    texts: Mapping[str, str]
    """Sources that run in it, without comments, by their context paths."""


def release_of(program: Program, files: Sequence[str]) -> Release | Refused:
    """The release whose program a container starts."""
    act, context, own = program.act, program.reading.context, re.search(r"/bin/[\w.-]+\Z", program.path)
    if own is None or act is None or act.call is None or program.made.removesuffix(own[0]) not in act.effect.writes:
        return Refused(f"{program.root.where} starts {program.path}, which is not the program of a release", BUILD)
    project = project_of(act.call)
    if isinstance(project, Unknown):
        return Refused(f"the project of {program.path} is not known: {project.reason}", PLAINLY)
    lock, whole = read_lock(context, project.lock), projects(context, project)
    if not lock and any(one.asked or not one.settings for one in whole):
        because = "mix.lock is not in the build context: which packages the release holds is not known"
        return Refused(because, "run `mix deps.get`, and commit mix.lock")
    code = {path: without_comments(context.text(path)) for path in files if not re.search(_NOT_RUN, path)}
    return Release(program.path.removesuffix(own[0]), project, lock, code)


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    release = release_of(program, files)
    if isinstance(release, Refused):
        return release
    project, lock = release.project, release.lock
    if any(table(options).get("include_erts", "true") != "true" for options in project.releases.values()):
        because = f"{project.path} sets include_erts, and Erlang would not be in the runner"
        return Refused(because, "leave include_erts out")
    started, packages = called(release.texts, _STARTS, is_bare=True), _libraries(program.origin, release)
    if isinstance(started, Refused):
        return started
    if isinstance(packages, Refused):
        return packages
    started.update(_scripts(program.reading.context, project))
    started.update({CALLS[name]: f"the package {name}" for name in lock if name in CALLS})
    paths = {release.folder: "the release, with the virtual machine in it"}
    paths.update(opened(program, release.texts, _READS, _SUFFIXES, _IN_RELEASE, is_bare=True))
    said = f"mix.lock lists {len(lock)} packages" if lock else f"{project.path} has no dependencies"
    more = ", ".join(packages) or "no library that its image has not"
    return Needs(paths, started, packages, evidence=(f"{said}: the release needs {more}",))


def _scripts(context: BuildContext, project: Project) -> dict[str, str]:
    """The programs that scripts of the release call by name (rel/env.sh.eex, rel/overlays/bin)."""
    files = context.files(project.inside("rel"))
    texts = ((path, context.text(path)) for path in (() if isinstance(files, Unknown) else files))
    scripts = (one for one in texts if one[1].startswith("#!") or one[0].endswith(("env.sh.eex", ".sh")))
    names = ((command.name or "", path) for path, text in scripts for command in read(text).commands)
    return {name: path for name, path in names if name in system.PROVIDERS}


def _carries_erlang(reading: StageReading) -> bool:
    """The official image: its tags do not name the release of their distribution, and so its own slim variant is what
    has the libraries that its Erlang was built with."""
    return reading.image is not None and reading.image.parsed.name == "elixir"


def _libraries(reading: StageReading, release: Release) -> dict[str, str] | Refused:
    image, lock, found = reading.image, release.lock, dict[str, str]()
    if image is None:
        return found
    # Packages that may be compiled to machine code, where the image has libraries that nobody asked for.
    unknown = [name for name, one in lock.items() if one.may_compile and name not in {*NATIVE, *LINKS, *PLAIN}]
    if unknown and _carries_erlang(reading) and image.variant == "fat":
        return why_not_linked(unknown, "packages")
    code = "\n".join([release.project.text, *release.texts.values()])
    is_client = bool(TLS & lock.keys()) or re.search(r":httpc\b|:ssl\.|cacerts_get", code) is not None
    if is_client and "ca-certificates" in image.preinstalled:
        found["ca-certificates"] = "the release opens connections, and checks certificates where they use TLS"
    has_crypto = (bool(lock) or re.search(_CRYPTO, code) is not None) and not _carries_erlang(reading)
    if image.distro == "alpine":
        # Which headers a build there has is in its `apk add`, and with them the libraries.
        names = () if _carries_erlang(reading) else ("libstdc++", "ncurses-libs", *(["openssl"] if has_crypto else []))
        return {**found, **dict.fromkeys(names, "Erlang is linked with it")}
    wanted = {name: dev for name, dev in LINKS.items() if name in lock}
    wanted.update({"Erlang's crypto": "libssl-dev"} if has_crypto else {})
    libraries = linked(reading, wanted, "{} is linked with it")
    return libraries if isinstance(libraries, Refused) else {**found, **libraries}


def runner(reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """The small image of the same distribution and release, as Erlang is linked with its libraries, with the LANG that
    images of Elixir set: without it Erlang takes names of files for Latin-1."""
    image = reading.image
    found = interpreted(reading, wish, "Erlang") if _carries_erlang(reading) else small_system(reading, wish)
    if isinstance(found, Refused) or image is None:
        return found
    target, given = lookup(found.image), image.env.get("LANG")
    if not given or {"LANG", "LC_ALL"} & reading.environment.keys() or (target is not None and target.env.get("LANG")):
        return found
    said = f"{reading.stage.image} sets LANG, which {found.image} does not"
    return found._replace(head=(f"ENV LANG={given}",), evidence=(*found.evidence, said))


# Where it writes


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    release = release_of(program, files)
    if isinstance(release, Refused):
        return release
    store = next(iter(sorted(_PACKAGES & release.lock.keys())), None) or first_at(release.texts, _STORES)
    if store is not None:
        return Refused(f"{store} keeps files whose place is only known when it runs", BY_HAND)
    paths = [release.project.inside(f"config/{name}.exs") for name in ("config", "prod", "runtime", "releases")]
    settings = {path: without_comments(program.origin.context.text(path)) for path in paths}
    if "tzdata" in release.lock and first_at(settings, _NO_UPDATE) is None:
        because = "the package tzdata keeps its time zones up to date, in files of the release"
        return Refused(because, "config :tzdata, :autoupdate, :disabled")
    found = written_by(release.texts, _WRITES, _MAKES, is_bare=True) + named_in(settings, _LOGS, r"(?!)")
    if _SQLITE & release.lock.keys():
        databases = named_in(settings, _DATABASE, _COMPUTED, "its database")
        if not databases:
            return Refused("where the SQLite database is kept is not known", BY_HAND)
        found += databases
    answer = folders_written(program, files, found, ports_in(release.texts.values(), _LISTENS))
    if isinstance(answer, Refused) or not _writes_tmp(program, release):
        return answer
    folder = join(release.folder, program.reading.environment.get("RELEASE_TMP") or "tmp")
    return answer.besides({folder: "the release writes its configuration to tmp when it starts"})


def _writes_tmp(program: Program, release: Release) -> bool:
    """Whether the start script writes the configuration of the running container down and starts again, as releases
    did before Elixir 1.14."""
    image = program.origin.image
    number = version_of(image.version) if image is not None and image.family == "elixir" else None
    is_new = number >= (1, 14) if number is not None else image is not None and image.release in _NEW
    return not is_new or re.search(r"reboot_system_after_config:\s*true", release.project.text) is not None
