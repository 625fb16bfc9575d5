"""System packages and system set-up of a stage, whatever the language: what is there, and what for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.ecosystems.split import Role, sets_up_apt
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import SYSTEM_MANAGERS, Command, PackageCall, keeps_archives
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


class Wanted(NamedTuple):
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
    for wanted in wanted_packages(reading):
        if _is_removed_in(wanted.step, wanted) or not is_for_building(reading, wanted.name):
            continue
        found.append(wanted.name)
    return tuple(dict.fromkeys(found))


def is_kept(reading: StageReading, package: str) -> bool:
    """A RUN installs the package and does not remove it again, so that the image holds it."""
    return any(one.name == package and not _is_removed_in(one.step, one) for one in wanted_packages(reading))


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
            one.name
            for one in wanted_packages(reading)
            if _is_removed_in(one.step, one) and is_for_building(reading, one.name)
        )
    )


def is_for_building(reading: StageReading, package: str) -> bool:
    """A compiler, a build tool or the headers of a library, by the data of the images room."""
    kind, _ = classified(reading, package)
    return kind in {"build", "dev"}


def classified(reading: StageReading, package: str) -> tuple[str, tuple[str, ...] | None]:
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


def _distro_of(reading: StageReading) -> str:
    """By the package manager, where the base image is not in the catalogue."""
    managers = {call.manager for _, call in reading.calls}
    return "alpine" if "apk" in managers else "debian" if "apt" in managers else "fedora"


def provider(reading: StageReading, program: str) -> str:
    if reading.image is not None and reading.image.package_manager == "apk":
        return _APK_PROVIDERS.get(program, PROVIDERS.get(program, program) if program not in {"ps", "xz"} else program)
    return PROVIDERS.get(program, program)


def wanted_packages(reading: StageReading) -> Iterator[Wanted]:
    for step, call in reading.calls:
        if call.manager not in MANAGERS or call.action not in {"install", "build-dep"}:
            continue
        for word in call.packages:
            written = word.text if word.value is None else word.value
            yield Wanted(_bare(written), written, call, step)


def _bare(written: str) -> str:
    """`libpq5=13.4*` -> libpq5, `gcc:amd64`, `nginx/stable`, `foo~=1.2`, `gcc-`."""
    return re.split(r"[=:/<>~@]", written, maxsplit=1)[0]


def _is_removed_in(step: Step, wanted: Wanted) -> bool:
    virtual = wanted.call.option("-t", "--virtual")
    for call in step.calls:
        if call.manager == wanted.call.manager and call.action == "remove":
            names = {_bare(word.literal) for word in call.packages}
            if wanted.name in names or (virtual is not None and virtual in names):
                return True
    return False


def is_system_call(step: Step, command: Command) -> bool:
    return any(call.command is command and call.manager in MANAGERS for call in step.calls)


def cleans(command: Command) -> bool:
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
    return all(cleans(command) or (command.name in SILENT and not command.redirects) or _is_quiet(step, command)
               for command in step.commands)  # fmt: skip


def _is_quiet(step: Step, command: Command) -> bool:
    return any(call.command is command and call.manager in MANAGERS and call.action in _QUIET for call in step.calls)


def install_text(
    reading: StageReading, packages: tuple[str, ...], recommends: bool, runner: BaseImage | None = None
) -> str | Refused:
    """The canonical RUN that installs packages with the package manager of the stage, or the runner's, and leaves no
    lists."""
    manager = manager_of(reading)
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


def manager_of(reading: StageReading) -> str | None:
    called = [call.manager for _, call in reading.calls if call.manager in MANAGERS]
    if called:
        return called[0]
    return reading.image.package_manager if reading.image is not None else None


def _all_text(reading: StageReading) -> str:
    return "\n".join(step.node.argument for step in reading.steps if step.keyword in {"RUN", "ENV", "ARG"})


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
    "MANAGERS", "PROVIDERS", "Wanted", "are", "build_only", "classified", "cleans", "install_text", "installed",
    "is_cleaning", "is_for_building", "is_kept", "is_package_step", "is_set_up", "is_system_call", "makes_user",
    "manager_of", "named", "narrow", "provider", "removed_at_once", "system_role", "wanted_packages",
]  # fmt: skip
