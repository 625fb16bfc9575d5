"""System packages and system set-up of a stage: which of it the runner needs, whatever the language.

An ``apt-get install`` list of a naive stage mixes three kinds of packages: what only a build calls
(compilers, headers),
libraries of which the program needs the run-time half (``libpq-dev`` -> ``libpq5``), and what the program
itself uses.
:func:`runner_packages` takes them apart; what is not known is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.context.deployment import Words
from refactor.ecosystems.split import Role, sets_up_apt
from refactor.flow.reading import Refused, StageReading, Start, Step
from refactor.flow.roots import shell_file
from refactor.shell import SYSTEM_MANAGERS, Command, PackageCall, ShellScript, keeps_archives, read
from refactor.shell.posix import PLACES, SILENT, Does, redirected, tools, use_of
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.images import BaseImage

MANAGERS = SYSTEM_MANAGERS

_RPM_BUILD = frozenset(
    """
    autoconf automake bison cmake flex gcc gcc-c++ glibc-devel kernel-headers libtool make patch
    python3-devel redhat-rpm-config rpm-build
    """.split()
)

_QUIET = frozenset({"update", "clean", "autoremove", "upgrade"})
"""Actions that say nothing of which packages a stage has."""

_CLEANING = re.compile(
    r"/var/(?:lib/apt|cache)\b|/tmp\b|/var/tmp\b|/root/\.cache\b|/var/log\b|/usr/share/(?:doc|man)\b"
)
_SYSTEM_FILES = ("/etc/", "/var/", "/tmp/", "/usr/share/")
_REPOSITORY = re.compile(
    r"sources\.list|apt-key|add-apt-repository|/etc/apt/(?!apt\.conf\.d/docker-clean)|/etc/yum\.repos\.d|/etc/apk/repositories|/usr/share/keyrings"
    r"|nodesource|deb\.[\w.-]+/setup|config-manager"
)
_DOWNLOADERS = tools(Does.DOWNLOADS, Does.REPOSITORIES) | {"tee", "dpkg", "rpm"}

_USERS, _SETTINGS = tools(Does.USERS), tools(Does.SETTINGS)


def _pairs(text: str) -> dict[str, str]:
    """`git ssh:openssh-client` -> {"git": "git", "ssh": "openssh-client"}."""
    pairs = (word.partition(":") for word in text.split())
    return {program: package or program for program, _, package in pairs}


PROVIDERS: Mapping[str, str] = _pairs(
    """
    curl wget git ssh:openssh-client scp:openssh-client ssh-keygen:openssh-client ssh-keyscan:openssh-client
    ps:procps pgrep:procps pkill:procps top:procps free:procps uptime:procps unzip xz:xz-utils bzip2 openssl
    gpg:gnupg hg:mercurial svn:subversion file make gcc g++ cc:gcc convert:imagemagick magick:imagemagick
    identify:imagemagick mogrify:imagemagick patch psql:postgresql-client pg_isready:postgresql-client
    pg_dump:postgresql-client mysql:default-mysql-client nc:netcat-openbsd jq tini dumb-init gosu
    envsubst:gettext-base ffmpeg ffprobe:ffmpeg nginx supervisord:supervisor cron ping:iputils-ping dig:dnsutils
    nslookup:dnsutils ip:iproute2 redis-cli:redis-tools zip rsync python3 perl java:default-jre-headless telnet
    lsof htop sudo msgfmt:gettext
    """
)
"""Program -> Debian package that holds it (packages.debian.org, contents search)."""

_APK_PROVIDERS: Mapping[str, str] = _pairs(
    """
    ssh:openssh-client psql:postgresql-client pg_isready:postgresql-client mysql:mysql-client gpg:gnupg
    envsubst:gettext su-exec bash xz redis-cli:redis java:openjdk17-jre-headless dig:bind-tools ip:iproute2
    ping:iputils nc:netcat-openbsd
    """
)


class RunnerPackages(NamedTuple):
    """The system packages of a stage, taken apart for its runner."""

    install: str | None
    """Canonical text of the one RUN that installs them, None where the runner needs none."""
    packages: tuple[str, ...]
    """What that RUN installs, as written there."""
    dropped: tuple[str, ...]
    """Packages of the stage that only its build needs."""
    evidence: tuple[str, ...]
    roles: Mapping[Instruction, Role] = {}
    """Roles of the RUN instructions that only handle packages: BUILDER where ``install`` stands for them in
    the runner.
    """
    before: tuple[str, ...] = ()
    """Canonical instructions that go before ``install``."""
    shared: Mapping[Instruction, tuple[Command, ...]] = {}
    """RUN instructions that handle packages and do something else too, with those other commands. No role is
    given.
    """


class _Wanted(NamedTuple):
    name: str
    """Package name without version, architecture or release."""
    written: str
    call: PackageCall
    step: Step


def is_package_step(step: Step) -> bool:
    """A RUN that calls the system's package manager."""
    return any(call.manager in MANAGERS for call in step.calls)


def build_only(reading: StageReading) -> tuple[str, ...]:
    """Packages that the final image of this stage holds although only a build needs them, in the order of the
    file.

    What a RUN removes again itself is not in the image and does not count; what a later RUN removes still
    does, as
    the layer below keeps it.
    """
    found = []
    for wanted in _wanted(reading):
        if _is_removed_in(wanted.step, wanted) or not is_for_building(reading, wanted.name):
            continue
        found.append(wanted.name)
    return tuple(dict.fromkeys(found))


def is_kept(reading: StageReading, package: str) -> bool:
    """A RUN installs the package and does not remove it again, so that the image holds it."""
    return any(one.name == package and not _is_removed_in(one.step, one) for one in _wanted(reading))


def named(packages: Sequence[str]) -> str:
    """Packages in a message: the first few by name."""
    shown = ", ".join(packages[:4])
    return shown if len(packages) <= 4 else f"{shown} and {len(packages) - 4} more"


def are(packages: Sequence[str]) -> str:
    """The same with its verb: ``gcc is``, ``gcc, make are``."""
    return f"{named(packages)} {'is' if len(packages) == 1 else 'are'}"


def installed(reading: StageReading) -> frozenset[str]:
    """Names of the packages that the stage's package managers are called with."""
    calls = (call for _, call in reading.calls if call.manager in MANAGERS)
    return frozenset(_bare(word.literal) for call in calls for word in call.packages)


def removed_at_once(reading: StageReading) -> tuple[str, ...]:
    """Build-only packages that are removed in the RUN that installs them, so that no layer holds them."""
    return tuple(
        dict.fromkeys(
            one.name for one in _wanted(reading) if _is_removed_in(one.step, one) and is_for_building(reading, one.name)
        )
    )


def is_for_building(reading: StageReading, package: str) -> bool:
    """A compiler, a build tool or the headers of a library, by the data of the images room."""
    kind, _ = _classify(reading, package)
    return kind in {"build", "dev"}


def runner_packages(
    reading: StageReading,
    runner: BaseImage | None,
    *,
    needed: Mapping[str, str] | None = None,
    programs: Mapping[str, str] | None = None,
    build_only: Mapping[str, str] | None = None,
    builder: str | None = None,
    not_called: Collection[str] = (),
) -> RunnerPackages | Refused:
    """What the runner on the image ``runner`` has to install of what the stage installs.

    Build-only packages are dropped, ``-dev`` packages become the libraries of the distribution's release, the
    rest is
    kept, known or not; a program such as git or curl is dropped where a RUN calls it and nothing at run time
    does.
    ``needed`` are packages to add, ``programs`` programs that are called at run time, ``build_only`` packages
    that the
    language knows to be used by its build alone (each with the reason), ``not_called`` those that the runner's new
    start command does without. Programs are added where the stage's
    base image
    has them and the runner's has not. With the name of the ``builder`` stage, package repositories that the
    stage adds
    are copied from it (``before``); without, their RUNs are kept whole in both stages or refused. What CMD,
    ENTRYPOINT, HEALTHCHECK and the scripts they start call is looked up here.
    """
    wanted = tuple(_wanted(reading))
    started = {name: where for name, where in programs_started(reading).items() if name not in not_called}
    started.update(programs or {})
    found = _repositories(reading, runner, builder)
    if isinstance(found, Refused):
        return found
    whole, copies = found
    roles: dict[Instruction, Role] = {}
    shared: dict[Instruction, tuple[Command, ...]] = {}
    removed = {name for step, call in reading.calls if call.manager in MANAGERS and call.action == "remove"
               for name in (word.literal for word in call.packages)}  # fmt: skip
    has = runner.preinstalled if runner is not None else frozenset[str]()
    has |= {"ca-certificates"} if "ca-certificates-bundle" in has else set()
    install: dict[str, str] = {}
    dropped: list[str] = []
    evidence: list[str] = []
    recommends = False
    called = {_provider(reading, program): (program, where) for program, where in started.items()}
    for one in wanted:
        if one.step.node in whole:
            continue
        if one.call.command.is_conditional or one.step.script is None or one.step.script.opaque is not None:
            line = reading.file.line_of(one.step.node)
            return Refused(f"line {line} installs {one.name} only under a condition", "install it in a plain `&&` list")
        kind, runtime = _classify(reading, one.name)
        virtual = one.call.option("-t", "--virtual") if one.call.manager == "apk" else None
        if one.name in called:
            program, where = called[one.name]
            evidence.append(f"{one.name} stays in the runner: {where} calls {program}")
            kind = "run"
        elif one.name in (build_only or {}):
            kind = "build"
            evidence.append(f"{one.name} is used by the build only: {(build_only or {})[one.name]}")
        elif kind == "unknown" and (where_called := _called_by_build(reading, one.name)) is not None:
            kind = "build"
            evidence.append(
                f"{one.name} is used by the build only: line {where_called} calls it, and nothing at run time does"
            )
        elif one.name in removed or (virtual is not None and virtual in removed):
            if kind == "dev" and runtime:
                # `apk del` of the headers takes the library along unless something else holds it; the
                # author's image
                # works, so the library came from elsewhere.
                kind = "build"
            dropped.append(one.name)
            continue
        if kind == "build":
            dropped.append(one.name)
        elif kind == "dev":
            dropped.append(one.name)
            if runtime is None:
                install[one.written] = one.written
                dropped.pop()
                evidence.append(f"{one.name} stays in the runner: the library it belongs to is not known by name")
                continue
            for library in runtime:
                if library not in has:
                    install.setdefault(library, library)
            if runtime:
                evidence.append(f"{one.name} is needed to compile; at run time {', '.join(runtime)}")
        else:
            if "$" in one.written or "`" in one.written:
                line = reading.file.line_of(one.step.node)
                return Refused(
                    f"which package {one.written} on line {line} installs depends on a variable",
                    "write the package name, or split by hand",
                )
            install.setdefault(one.name, one.written)
            recommends = recommends or not one.call.has("--no-install-recommends", "--no-recommends")
    for package, why in (needed or {}).items():
        if package not in has and package not in install:
            install[package] = package
            evidence.append(f"{package} is added to the runner: {why}")
    image = reading.image
    fat = image.preinstalled if image is not None else frozenset[str]()
    for program, where in started.items():
        package_name = _provider(reading, program)
        if package_name in has or package_name in install or program in has:
            continue
        if package_name in fat or program in fat:
            install[package_name] = package_name
            evidence.append(f"{package_name} is added to the runner: {where} calls {program}")
    repositories = _repository_steps(reading) if copies else ()
    for step in reading.steps:
        if step.keyword != "RUN" or not (is_package_step(step) or step in repositories):
            continue
        if step.node in whole:
            roles[step.node] = Role.BOTH
            continue
        others = () if step in repositories else _others(step)
        if others:
            shared[step.node] = others
        else:
            roles[step.node] = Role.BUILDER
    for node in whole:
        roles[node] = Role.BOTH
        line = reading.file.line_of(node)
        evidence.append(f"line {line} is kept whole in both stages: it sets up a package repository of its own")
    for step in reading.runs:
        if step.node not in roles and step.node not in shared and is_cleaning(step):
            roles[step.node] = Role.BUILDER
    if dropped:
        evidence.insert(0, f"only the build needs {', '.join(dict.fromkeys(dropped))}")
    text = _text(reading, tuple(install.values()), recommends, runner) if install else None
    if isinstance(text, Refused):
        return text
    names = tuple(install.values())
    if copies and text is not None:
        evidence.append("the package repositories that the stage adds are copied from the builder")
    return RunnerPackages(
        text, names, tuple(dict.fromkeys(dropped)), tuple(evidence), roles, copies if text else (), shared
    )


def _classify(reading: StageReading, package: str) -> tuple[str, tuple[str, ...] | None]:
    """("build" | "dev" | "run" | "unknown", run-time packages of a "dev" one or None where they are not
    known).
    """
    from refactor.images.system_packages import classify

    image = reading.image
    distro = image.distro if image is not None and image.distro else _distro_of(reading)
    if distro not in {"debian", "ubuntu", "alpine"}:
        return (
            ("build", ())
            if package in _RPM_BUILD
            else ("dev", None)
            if package.endswith("-devel")
            else ("unknown", None)
        )
    found = classify(package, distro, image.release if image is not None else None)
    if found.kind == "build-only":
        return ("build" if found.runtime == () else "dev"), found.runtime
    return ("run" if found.kind == "runtime" else "unknown"), found.runtime


def _called_by_build(reading: StageReading, package: str) -> int | None:
    """The line of a RUN that calls a program of this package."""
    for step in reading.runs:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if name and _provider(reading, name) == package:
                return reading.file.line_of(step.node)
    return None


def _distro_of(reading: StageReading) -> str:
    """By the package manager, where the base image is not in the catalogue."""
    managers = {call.manager for _, call in reading.calls}
    return "alpine" if "apk" in managers else "debian" if "apt" in managers else "fedora"


def _provider(reading: StageReading, program: str) -> str:
    if reading.image is not None and reading.image.package_manager == "apk":
        return _APK_PROVIDERS.get(program, PROVIDERS.get(program, program) if program not in {"ps", "xz"} else program)
    return PROVIDERS.get(program, program)


def _wanted(reading: StageReading) -> Iterator[_Wanted]:
    for step, call in reading.calls:
        if call.manager not in MANAGERS or call.action not in {"install", "build-dep"}:
            continue
        for word in call.packages:
            written = word.text if word.value is None else word.value
            yield _Wanted(_bare(written), written, call, step)


def _bare(written: str) -> str:
    """`libpq5=13.4*` -> libpq5, `gcc:amd64`, `nginx/stable`, `foo~=1.2`, `gcc-`."""
    return re.split(r"[=:/<>~@]", written, maxsplit=1)[0]


def _is_removed_in(step: Step, wanted: _Wanted) -> bool:
    virtual = wanted.call.option("-t", "--virtual")
    for call in step.calls:
        if call.manager == wanted.call.manager and call.action == "remove":
            names = {_bare(word.literal) for word in call.packages}
            if wanted.name in names or (virtual is not None and virtual in names):
                return True
    return False


_WITH_REPOSITORIES = frozenset({"rm", "bash", "sh", "sed", "cat", "mkdir", "chmod", "install", "lsb_release", "."})


def _repository_steps(reading: StageReading) -> tuple[Step, ...]:
    """RUNs that add a package repository or its key."""
    found: list[Step] = []
    for step in reading.runs:
        text = step.node.argument
        if _REPOSITORY.search(text) is None:
            continue
        names = {(command.name or "").rpartition("/")[2] for command in step.commands}
        if not names & (_DOWNLOADERS | {"echo", "printf", "sed", "bash", "sh"}) and ">" not in text:
            continue
        # A mirror put into sources.list by sed changes where packages come from, not which there are.
        moved = {"sed", "cp", "cat", "mv", "rm"} | SILENT
        is_mirror = re.search(r"\bdeb(?:-src)?\s", text) is None and all(
            command.name in moved or _is_system_call(step, command) for command in step.commands
        )
        if not is_mirror:
            found.append(step)
    return tuple(found)


def adds_repositories(reading: StageReading) -> bool:
    """A RUN adds a package repository to those of the base image."""
    return bool(_repository_steps(reading))


def _why_not_apart(reading: StageReading, steps: Sequence[Step]) -> Refused | None:
    for step in steps:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if _is_system_call(step, command) or name in _DOWNLOADERS | SILENT | _WITH_REPOSITORIES:
                continue
            line = reading.file.line_of(step.node)
            return Refused(
                f"line {line} sets up a package repository and also calls {name or command.words[:1]}",
                "move the repository and its packages into a RUN of their own",
            )
    return None


def _repositories(
    reading: StageReading, runner: BaseImage | None, builder: str | None
) -> tuple[frozenset[Instruction], tuple[str, ...]] | Refused:
    """RUNs with a repository of their own that both stages have to run, and what the runner copies in their
    place.
    """
    steps = _repository_steps(reading)
    if not steps:
        return frozenset(), ()
    reason = _why_not_apart(reading, steps)
    if reason is not None:
        return reason
    has = runner.preinstalled if runner is not None else frozenset[str]()
    if builder is not None and _manager(reading) == "apt" and _is_same_release(reading, runner):
        # The same release on both sides: its lists of repositories and their keys are of use there as they
        # are. Most repositories speak TLS.
        text = "\n".join(step.node.argument for step in steps)
        certificates = _text(reading, ("ca-certificates",), False)
        copies = [] if "ca-certificates" in has or isinstance(certificates, Refused) else [certificates]
        copies.append(f"COPY --from={builder} /etc/apt /etc/apt")
        if "/usr/share/keyrings" in text or re.search(r"\|\s*(?:sudo\s+(?:-E\s+)?)?(?:ba)?sh\b", text):
            copies.append(f"COPY --from={builder} /usr/share/keyrings /usr/share/keyrings")
        return frozenset(), tuple(copies)
    first = reading.position(steps[0].node)
    found = [
        step
        for step in reading.runs
        if step in steps or (reading.position(step.node) > first and is_package_step(step))
    ]
    wanted = [one for one in _wanted(reading) if one.step in found]
    if wanted and all(is_for_building(reading, one.name) for one in wanted):
        return frozenset(), ()
    brought = {one.name for one in wanted}
    for step in found:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if name not in _DOWNLOADERS - {"tee", "dpkg", "rpm"}:
                continue
            if _provider(reading, name) not in has | brought and name not in has | brought:
                line = reading.file.line_of(step.node)
                return Refused(
                    f"line {line} sets up a package repository with {name}, which the runner's image does not have",
                    f"install {name} in the same RUN, or split by hand",
                )
    return frozenset(step.node for step in found), ()


def _is_same_release(reading: StageReading, runner: BaseImage | None) -> bool:
    image = reading.image
    return runner is None or (image is not None and (image.distro, image.release) == (runner.distro, runner.release))


def _is_system_call(step: Step, command: Command) -> bool:
    return any(call.command is command and call.manager in MANAGERS for call in step.calls)


def _others(step: Step) -> tuple[Command, ...]:
    """Commands of a RUN that are neither package handling nor its cleanup."""
    found = []
    for command in step.commands:
        if _is_system_call(step, command) or _cleans(command):
            continue
        if command.name in SILENT and not command.redirects:
            continue
        if command.name == "export" or (command.name is None and command.assignments and not command.words):
            continue
        found.append(command)
    return tuple(found)


def _cleans(command: Command) -> bool:
    if command.name != "rm":
        return False
    if keeps_archives(command):
        return True
    paths = [arg for arg in command.args if not arg.startswith("-")]
    return bool(paths) and all(_CLEANING.match(path) for path in paths)


def is_cleaning(step: Step) -> bool:
    """A RUN that only removes package lists, caches and temporary files, or refreshes package lists."""
    if step.script is None or step.script.opaque is not None or not step.commands:
        return False
    return all(_cleans(command) or (command.name in SILENT and not command.redirects) or _is_quiet(step, command)
               for command in step.commands)  # fmt: skip


def _is_quiet(step: Step, command: Command) -> bool:
    return any(call.command is command and call.manager in MANAGERS and call.action in _QUIET for call in step.calls)


def install_text(reading: StageReading, packages: Sequence[str], recommends: bool = False) -> str | Refused:
    """The canonical RUN that installs these packages with the base image's package manager and leaves no
    lists.
    """
    return _text(reading, tuple(packages), recommends)


def _text(
    reading: StageReading, packages: tuple[str, ...], recommends: bool, runner: BaseImage | None = None
) -> str | Refused:
    manager = _manager(reading)
    own = None if runner is None else runner.package_manager
    if own in {"apt", "apk"} and own != manager:
        manager, recommends = own, False
    names = (
        " ".join(packages) if len(packages) <= 4 else "".join(f" \\\n        {name}" for name in packages).lstrip(" ")
    )
    gap = "" if names.startswith("\\") else " "
    if manager == "apk":
        return f"RUN apk add --no-cache{gap or ' '}{names}"
    if manager == "apt":
        frontend = "DEBIAN_FRONTEND=noninteractive " if "DEBIAN_FRONTEND" in _all_text(reading) else ""
        flag = "" if recommends else " --no-install-recommends"
        return (
            f"RUN apt-get update \\\n    && {frontend}apt-get install -y{flag} {names} \\\n"
            "    && rm -rf /var/lib/apt/lists/*"
        )
    if manager in {"dnf", "yum", "microdnf"}:
        cache = {"dnf": "/var/cache/dnf", "yum": "/var/cache/yum", "microdnf": "/var/cache/yum"}[manager]
        return f"RUN {manager} install -y {names} \\\n    && {manager} clean all \\\n    && rm -rf {cache}"
    if manager == "zypper":
        return f"RUN zypper --non-interactive install {names} \\\n    && zypper clean --all"
    return Refused(f"how {', '.join(packages)} is installed on {reading.stage.image} is not known")


def _manager(reading: StageReading) -> str | None:
    called = [call.manager for _, call in reading.calls if call.manager in MANAGERS]
    if called:
        return called[0]
    return reading.image.package_manager if reading.image is not None else None


def _all_text(reading: StageReading) -> str:
    return "\n".join(step.node.argument for step in reading.steps if step.keyword in {"RUN", "ENV", "ARG"})


# What is called at run time


def programs_started(reading: StageReading) -> Mapping[str, str]:
    """Programs that the container calls by name -> where: CMD, ENTRYPOINT, HEALTHCHECK, what Compose, Kubernetes, CI
    and scripts start and call in it, and shell scripts that those start.

    Names are without their folder. What the program's own sources call is a matter of its language.
    """
    found: dict[str, str] = {}
    start = reading.start
    if start is not None:
        for node in start.nodes:
            where = f"{node.keyword} on line {reading.file.line_of(node)}"
            script = start.script if start.is_shell else None
            for program in _called(reading, script, () if start.is_shell else start.argv, where):
                found.setdefault(*program)
    health = reading.last("HEALTHCHECK")
    if health is not None:
        where = f"HEALTHCHECK on line {reading.file.line_of(health)}"
        words = re.sub(r"^CMD\s+", "", health.argument, count=1, flags=re.IGNORECASE)
        script = read(words) if health.json is None and words.upper() != "NONE" else None
        for program in _called(reading, script, health.json or (), where):
            found.setdefault(*program)
    for called, where in _called_from_outside(reading):
        calls = (
            _called(reading, read(called), (), where)
            if isinstance(called, str)
            else _called(reading, None, called, where)
        )
        for program in calls:
            found.setdefault(*program)
    return found


def _called_from_outside(reading: StageReading) -> Iterator[tuple[Words, str]]:
    if reading.stage is not reading.file.stages[-1]:
        return
    for service in reading.context.deployment.services:
        for words in (service.entrypoint, service.command):
            if words:
                yield words, service.source
        for call in service.calls:
            yield call.words, call.by


def _called(
    reading: StageReading, script: ShellScript | None, argv: Sequence[str], where: str, depth: int = 0
) -> Iterator[tuple[str, str]]:
    if script is not None:
        for command in script.commands:
            for wrapper in command.wrappers:
                yield wrapper.rpartition("/")[2], where
            if command.name is not None:
                yield from _called(reading, None, (command.name, *command.args), where, depth)
        return
    if not argv:
        return
    yield argv[0].rpartition("/")[2], where
    if argv[0] in {"sh", "bash", "/bin/sh", "/bin/bash", "ash"} and len(argv) > 2 and argv[1] in {"-c", "-lc", "-ec"}:
        yield from _called(reading, read(argv[2]), (), where, depth)
        return
    if argv[0].rpartition("/")[2] in {"tini", "dumb-init", "exec", "gosu", "su-exec"}:
        rest = [word for word in argv[1:] if not word.startswith("-")]
        if rest:
            yield from _called(reading, None, rest, where, depth)
    if depth >= 3:
        return
    for word in argv[:3]:
        yield from _in_script(reading, word, depth)


def _in_script(reading: StageReading, word: str, depth: int) -> Iterator[tuple[str, str]]:
    found = shell_file(reading, word, reading.final_workdir)
    if found is None:
        return
    path, text = found
    body = text.split("\n", 1)[1] if text.startswith("#!") and "\n" in text else text
    yield from _called(reading, read(body), (), path, depth + 1)
    first = re.match(r"#!\s*(?:/usr/bin/env\s+)?(\S+)", text)
    if first is not None:
        yield first[1].rpartition("/")[2], path


# Roles of system set-up


def system_role(step: Step) -> Role | None:
    """BOTH for a RUN that only sets the system up (users, folders, permissions, locale, time zone), BUILDER
    for one that
    only cleans up after a package manager; None for anything else.

    The same commands in the same order give the same result in both stages; :func:`narrow` takes them out of
    the
    builder where nothing there needs them.
    """
    if step.keyword != "RUN" or step.script is None or step.script.opaque is not None or not step.commands:
        return None
    if is_cleaning(step):
        return Role.BUILDER
    return Role.BOTH if all(is_set_up(command) for command in step.commands) else None


def is_set_up(command: Command) -> bool:
    """A command that makes users, folders, links, permissions, locales or files of /etc: needs no program of
    a build.
    """
    name = (command.name or "").rpartition("/")[2]
    if name in _USERS | _SETTINGS | PLACES:
        return True
    if name in SILENT:
        return all(
            path.startswith(("/etc/", "/var/", "/root/.", "/home/")) for path, _ in redirected(command.redirects)
        )
    use = use_of(name, command.args)
    if use is None or name not in {"sed", "tee", "rm", "cp", "mv"}:
        return False
    files = (*use.reads, *use.makes, *use.removes)
    return bool(files) and all(path.startswith("/etc/" if name in {"sed", "tee"} else _SYSTEM_FILES) for path in files)


def makes_user(step: Step) -> bool:
    return any((command.name or "").rpartition("/")[2] in _USERS for command in step.commands)


def narrow(reading: StageReading, roles: Mapping[Instruction, Role]) -> dict[Instruction, Role]:
    """``roles`` without set-up steps in the builder that nothing there needs: no step of the builder runs as,
    or gives
    files to, a user they make, or names a folder they make."""
    result = dict(roles)
    last = max(
        (
            i
            for i, s in enumerate(reading.steps)
            if roles.get(s.node) == Role.BUILDER and s.keyword in {"RUN", "COPY", "ADD"}
        ),
        default=-1,
    )

    def building(own: Step) -> list[Step]:
        return [
            step
            for step in reading.steps[: last + 1]
            if step is not own and Role.BUILDER in result.get(step.node, Role.BUILDER)
        ]

    users = [s for s in reading.steps[: last + 1] if s.keyword == "USER"]
    given = [
        s
        for s in reading.steps
        if s.node.flag("chown") is not None and Role.BUILDER in result.get(s.node, Role.DROPPED)
    ]
    for index, step in reversed(list(enumerate(reading.steps))):
        if result.get(step.node) != Role.BOTH or step.keyword != "RUN" or system_role(step) != Role.BOTH:
            continue
        if index > last:
            result[step.node] = Role.RUNNER
            continue
        if any((command.name or "") in _SETTINGS | {"sed", "tee"} for command in step.commands):
            continue
        if (makes_user(step) and (users or given)) or sets_up_apt(step):
            continue
        paths = [
            arg.rstrip("/")
            for command in step.commands
            if (command.name or "").rpartition("/")[2] in PLACES
            for arg in command.args
            if not arg.startswith("-")
        ]
        texts = [other.node.argument for other in building(step) if other.keyword == "RUN"]
        if any(path and path in text for path in paths if "/" in path for text in texts):
            continue
        if any(
            "/" not in path
            for path in paths
            if not re.fullmatch(r"[0-7]{3,4}|[ugoa]*[+-=][rwxXst]+|[\w.-]*:?[\w.-]*", path)
        ):
            continue
        result[step.node] = Role.RUNNER
    return result


__all__ = [
    "MANAGERS",
    "PROVIDERS",
    "RunnerPackages",
    "Start",
    "adds_repositories",
    "build_only",
    "install_text",
    "is_cleaning",
    "is_for_building",
    "is_package_step",
    "is_set_up",
    "makes_user",
    "narrow",
    "programs_started",
    "removed_at_once",
    "runner_packages",
    "system_role",
]
