"""What a release needs when it runs: its folder, which brings the virtual machine, and the libraries of that.

Sources: hexdocs.pm/mix (Mix.Tasks.Release), the Dockerfiles of erlang/docker-erlang-otp and hexpm/bob: they build
Erlang with OpenSSL, ncurses and zlib of the distribution, and its run-time stages say what is left of that.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from refactor.context import Unknown
from refactor.ecosystems import system
from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.calls import called, opened
from refactor.ecosystems.elixir.manifests import Locked, Project, read_lock, read_project
from refactor.ecosystems.elixir.text import without_comments
from refactor.ecosystems.elixir.tools import project_of, tasks_of
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.runners import small_system
from refactor.ecosystems.split import variant_reference
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.images.hex import CALLS, LINKS, NATIVE, PLAIN, TLS
from refactor.shell import read

_READS: Mapping[str, int] = {
    r"File\.(?:read|stream|open|ls|stat|exists\?|dir\?|regular\?)!?": 0, r"Path\.wildcard": 0,
    r"YamlElixir\.read_\w+!?": 0, r"EEx\.eval_file": 0, r"Code\.eval_file": 0,
}  # fmt: skip
_STARTS: Mapping[str, int] = {
    r"System\.(?:cmd|shell|find_executable)": 0, r":os\.(?:cmd|find_executable)": 0,
    r"(?:MuonTrap|Rambo)\.(?:cmd|run)": 0, r"Port\.open": 0, r"Porcelain\.(?:exec|spawn|shell)": 0,
}  # fmt: skip
_IN_RELEASE = r"(?:^|/)(?:priv|assets|config|rel|deps|_build)/"
"""What a release holds already, or is made of."""
_CRYPTO = r":(?:crypto|ssl|public_key|ssh|httpc|inets)\b"


def folder_of(program: Program) -> str | Refused:
    """The folder of the release that a program starts, where it is started."""
    call = program.act.call if program.act is not None else None
    if call is None:
        return Refused(
            f"{program.root.where} starts {program.path}, a script that needs Elixir itself",
            "build a release (mix release), and start it: bin/<name> start",
        )
    folder = next((path for path in program.act.effect.writes if isinstance(path, str) and
                   is_within(program.made, path)), None) if program.act is not None else None  # fmt: skip
    is_release = any(task.name == "release" for task in tasks_of(call.command.args)) or "/rel/" in (folder or "")
    rest = "" if folder is None else program.made[len(folder) :]
    if not is_release or not re.fullmatch(r"/bin/[\w.-]+", rest) or not program.path.endswith(rest):
        return Refused(
            f"{program.root.where} starts {program.path}, which is not the program of a release",
            "build a release (mix release), and start it: bin/<name> start",
        )
    return program.path[: -len(rest)]


def project_of_program(program: Program) -> Project | Refused:
    call = program.act.call if program.act is not None else None
    project = Unknown("no command makes it") if call is None else project_of(call)
    return Refused(f"the project of {program.path} is not known: {project.reason}", "write mix.exs in plain lists") if (
        isinstance(project, Unknown)
    ) else project  # fmt: skip


def locked_of(program: Program, project: Project) -> Mapping[str, Locked] | Refused:
    """The packages that a release is made of."""
    context = program.reading.context
    lock = read_lock(context, posixpath.join(project.folder, "mix.lock"))
    if not isinstance(lock, Unknown):
        return lock
    asked = [dep.name for one in _projects(program, project) for dep in one.deps if dep.path is None and not dep.is_own]
    if not asked:
        return {}
    return Refused(
        f"mix.lock is not in the build context: which packages {', '.join(asked[:3])} bring is not known",
        "run `mix deps.get`, and commit mix.lock",
    )


def _projects(program: Program, project: Project) -> Iterator[Project]:
    yield project
    if project.apps_path is not None:
        found = program.reading.context.glob(posixpath.join(project.folder, project.apps_path, "*/mix.exs"))
        for path in () if isinstance(found, Unknown) else found:
            one = read_project(program.reading.context, path)
            if not isinstance(one, Unknown):
                yield one


def needs(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    folder, project = folder_of(program), project_of_program(program)
    if isinstance(folder, Refused):
        return folder
    if isinstance(project, Refused):
        return project
    options = project.releases.get(posixpath.basename(folder_made(program)), {}) or {}
    if options.get("include_erts", "true") != "true":
        return Refused(
            f"{project.path} has include_erts: {options['include_erts']}, and Erlang would not be in the runner",
            "leave include_erts out",
        )
    lock = locked_of(program, project)
    if isinstance(lock, Refused):
        return lock
    refused = _why_unknown_package(program.origin, lock)
    if refused is not None:
        return refused
    texts = texts_of(program, files)
    started = called(texts, _STARTS)
    if isinstance(started, Refused):
        return started
    started.update(_scripts(program, project))
    started.update({CALLS[name]: f"the package {name}" for name in lock if name in CALLS})
    has_crypto = bool(lock) or re.search(_CRYPTO, "\n".join([project.text, *texts.values()])) is not None
    packages = _libraries(program.origin, lock, has_crypto, texts)
    if isinstance(packages, Refused):
        return packages
    paths = {folder: "the release, with the virtual machine in it"}
    paths.update(opened(program, tuple(texts), _READS, (".ex", ".exs", ".eex", ".heex", ".leex"), _IN_RELEASE))
    said = f"mix.lock lists {len(lock)} packages" if lock else f"{project.path} has no dependencies"
    more = ", ".join(packages) or "no library that its image has not"
    return Needs(paths, started, packages, evidence=(f"{said}: the release needs {more}",))


def _scripts(program: Program, project: Project) -> dict[str, str]:
    """The programs that scripts of the release call by name (rel/env.sh.eex, rel/overlays/bin)."""
    context = program.reading.context
    files = context.files(posixpath.join(project.folder, "rel"))
    found: dict[str, str] = {}
    for path in () if isinstance(files, Unknown) else files:
        text = context.read(path)
        if isinstance(text, str) and (text.startswith("#!") or path.endswith(("env.sh.eex", ".sh"))):
            names = [command.name for command in read(text).commands if command.name and "/" not in command.name]
            found.update({name: path for name in names if name in system.PROVIDERS})
    return found


def folder_made(program: Program) -> str:
    """The folder of the release where mix makes it."""
    return posixpath.dirname(posixpath.dirname(program.made))


def texts_of(program: Program, files: Sequence[str]) -> dict[str, str]:
    """The sources that run in a release, without comments: no tasks of mix, no tests, no mix.exs; of the configuration
    what is read when it starts."""
    found = {}
    for path in files:
        is_build = path.endswith("mix.exs") or re.search(r"(?:^|/)(?:test|mix/tasks)/|_test\.exs\Z", path)
        is_config = re.search(r"(?:^|/)config/", path) and not path.endswith("runtime.exs")
        text = None if is_build or is_config else program.reading.context.read(path)
        if isinstance(text, str):
            found[path] = without_comments(text)
    return found


def carries_erlang(reading: StageReading) -> bool:
    """The official image: its tags do not name the release of their distribution, and so its own slim variant is what
    has the libraries that its Erlang was built with."""
    image = reading.image
    return image is not None and image.parsed.name == "elixir"


def _libraries(
    reading: StageReading, lock: Mapping[str, Locked], has_crypto: bool, texts: Mapping[str, str]
) -> dict[str, str] | Refused:
    from refactor.images.system_packages import classify

    image = reading.image
    found: dict[str, str] = {}
    if image is None:
        return found
    is_client = any(name in TLS for name in lock) or re.search(
        r":httpc\b|:ssl\.|cacerts_get", "\n".join(texts.values())
    )
    if is_client and "ca-certificates" in image.preinstalled:
        found["ca-certificates"] = "the release opens connections, and checks certificates where they use TLS"
    if image.distro == "alpine":
        if not carries_erlang(reading):
            found.update({"libstdc++": "Erlang is linked with it", "ncurses-libs": "Erlang is linked with it"})
            found.update({"openssl": "Erlang's crypto is linked with it"} if has_crypto else {})
        # Which headers a build there has is in its `apk add`, and with them the libraries.
        return found
    wanted = {name: dev for name, dev in LINKS.items() if name in lock}
    if has_crypto and not carries_erlang(reading):
        wanted["Erlang's crypto"] = "libssl-dev"
    for name, dev in wanted.items():
        runtime = classify(dev, image.distro or "", image.release).runtime
        if runtime is None:
            return Refused(
                f"{name} is linked with the library of {dev}, whose package is not known for {image.reference}",
                "install the run-time package by name",
            )
        found.update(dict.fromkeys(runtime, f"{name} is linked with it"))
    return found


def _why_unknown_package(reading: StageReading, lock: Mapping[str, Locked]) -> Refused | None:
    """A package that may be compiled to machine code, where the image has libraries that nobody asked for."""
    image = reading.image
    if image is None or image.variant != "fat" or image.family != "elixir" or image.parsed.name != "elixir":
        return None
    unknown = [name for name, one in lock.items() if name not in NATIVE and name not in LINKS and name not in PLAIN
               and (one.managers - {"mix"} or "elixir_make" in one.needs)]  # fmt: skip
    if not unknown:
        return None
    return Refused(
        f"whether {system.named(unknown)} {'links' if len(unknown) == 1 else 'link'} libraries of the full image is not"
        " known",
        "start from the slim image, and install the -dev packages that the packages need by name",
    )


# The runner


def runner(reading: StageReading, wish: str | None) -> Runner | Refused:
    """The small image of the same distribution and release, as Erlang is linked with its libraries."""
    image = reading.image
    if image is None or not carries_erlang(reading):
        return small_system(reading, wish)
    if wish in {"scratch", "distroless"}:
        return Refused(f"Erlang is linked with libraries that {wish} does not bring", 'use runner = "slim"')
    if wish == "alpine" and image.distro != "alpine":
        return Refused("Erlang is linked with glibc, which Alpine has not", 'use runner = "slim"')
    if image.variant != "fat":
        return Runner(reading.stage.image)
    found = variant_reference(reading, "slim")
    why = f"{image.reference} does not name its Debian release: its own slim image stays on the same one"
    return found if isinstance(found, Refused) else Runner(found, evidence=(why,))


def with_locale(reading: StageReading, plan: SplitPlan) -> SplitPlan:
    """The plan with the LANG that images of Elixir set: without it Erlang takes names of files for Latin-1."""
    image = reading.image
    given = "" if image is None else image.env.get("LANG", "")
    own = reading.file.environment(reading.steps[-1].node) if reading.steps else {}
    from refactor.images import lookup

    target = lookup(plan.runner_image)
    if not given or {"LANG", "LC_ALL"} & own.keys() or (target is not None and target.env.get("LANG")):
        return plan
    said = f"{reading.stage.image} sets LANG, which {plan.runner_image} does not"
    return plan._replace(runner=(f"ENV LANG={given}", *plan.runner), evidence=(*plan.evidence, said))


__all__ = ["folder_of", "locked_of", "needs", "project_of_program", "runner", "texts_of", "with_locale"]
