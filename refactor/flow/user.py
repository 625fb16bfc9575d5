"""Whether a container can run as another user than root: what it starts, what it mounts, whose files it needs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from refactor.context import Unknown
from refactor.context.literals import NOT_SOURCES
from refactor.flow.reading import Refused, StageReading, is_within, join
from refactor.flow.roots import Root, roots_of
from refactor.shell import SYSTEM_MANAGERS, package_call, read

DROPS = frozenset("gosu su-exec setpriv su runuser chroot s6-setuidgid sudo".split())
"""Programs that start another one as another user; only root may."""
_STARTS_AS_ROOT = frozenset(
    """nginx apache2 apache2-foreground apachectl apache2ctl httpd httpd-foreground supervisord cron crond sshd dockerd
    systemd init php-fpm postgres mysqld mysqld_safe mongod rabbitmq-server redis-server haproxy caddy uwsgi service
    s6-svscan runsvdir my_init rsyslogd
    """.split()
)
_ONLY_ROOT_CAN = frozenset(
    "chown chgrp setcap useradd adduser usermod groupadd addgroup groupmod mount umount iptables sysctl".split()
)
_ROOT_IMAGES = frozenset("nginx httpd mysql postgres redis mongo mariadb haproxy traefik".split())
_HOME_DOWNLOADS = (
    r"playwright install|nltk\.download|nltk\.downloader|huggingface-cli|puppeteer browsers install"
    r"|corepack (?:prepare|use|install)|pip3? install .*--user|spacy download .*--user|npx playwright"
)
_INSTALLS = frozenset("install update ci sync global-install".split())
_NOT_SHIPPED = (
    r"(?i)(?:.*[-_.])?(?:dev|devel|development|devcontainer|test|tests|testing|debug|debugger|ci|lint|linter|e2e|bench|"
    r"benchmark|coverage)(?:[-_.].*|\d*)"
)
"""Names of stages that people and pipelines work in (``dev-envs`` is Docker's own example for it)."""
_TOLD = r"(?:\A|/)(?:Makefile|[Jj]ustfile|Taskfile\.ya?ml|[^/]+\.(?:sh|bash|md|rst|txt|py|go|js|ts|toml))\Z"
_MAX_TOLD = 10_000
_MAX_TOLD_BYTES = 256 * 1024
_SOCKET = "docker.sock"
BY_HAND = "write USER with an id in front of CMD, and give that user the folders that the program writes to"


def why_not_shipped(reading: StageReading) -> Refused | None:
    """What shows that the stage is not the image that is deployed: its name, or another stage that is built."""
    targets = reading.context.deployment.targets
    name = reading.stage.name
    if targets and name not in targets and str(reading.stage.index) not in targets:
        return Refused(
            f"{reading.context.deployment.named_by('target')} builds the stage {targets[0]}, not the last one",
            "write USER into the stage that is shipped",
        )
    if name is not None and re.fullmatch(_NOT_SHIPPED, name) and name not in targets:
        return Refused(
            f"the last stage is called {name}: people and pipelines work in it, it is not what is shipped",
            "write USER into the stage that is shipped, or make that the last one",
        )
    return None


def why_root(reading: StageReading) -> Refused | None:
    """Why a container of the stage has to start as root, or why that cannot be told; None where nothing shows it."""
    return (
        why_not_shipped(reading)
        or _why_run_so(reading)
        or _why_image(reading)
        or _why_start(reading)
        or _why_home(reading)
    )


def _why_run_so(reading: StageReading) -> Refused | None:
    """How others run the container."""
    deployment = reading.context.deployment
    if deployment.users:
        return Refused(
            f"{deployment.named_by('user')} runs the image as user {deployment.users[0]}", "remove `user` there first"
        )
    for service in deployment.services:
        for mount in service.mounts:
            if _SOCKET in mount.target or _SOCKET in mount.source:
                return Refused(f"{service.source} mounts the engine's socket, which only root can open")
            if mount.source.startswith(("/", "~", "$HOME", "${HOME")):
                return Refused(
                    f"{service.source} mounts {mount.source} of the host, whose files may be readable by root alone",
                    "check the owner of those files, then write USER by hand",
                )
    return _why_socket_told(reading)


def _why_socket_told(reading: StageReading) -> Refused | None:
    """The first file of the repository (script, test, source, documentation) that names the engine's socket."""
    context = reading.context

    def look() -> Refused | None:
        files = context.files(without=NOT_SOURCES)
        told = [path for path in files if re.search(_TOLD, path)] if not isinstance(files, Unknown) else []
        if len(told) > _MAX_TOLD:
            return Refused(
                f"whether one of {len(told)} scripts, sources and documents has the container use the engine's socket"
                " was not looked up: they are too many",
                BY_HAND,
            )
        for path in told:
            data = context.read_bytes(path)
            if not isinstance(data, Unknown) and len(data) <= _MAX_TOLD_BYTES and _SOCKET.encode() in data:
                return Refused(f"{path} names the engine's socket, which only root can open")
        return None

    return context.remember("engine-socket", look)


def _why_image(reading: StageReading) -> Refused | None:
    image = reading.image
    if image is None:
        name, hint = reading.stage.image, "write USER with an id in front of CMD"
        if installs_as_root(reading) is None:
            return Refused(f"the users of the base image {name} are not in the catalogue", hint)
        start = reading.start
        if start is None or all(node.keyword != "ENTRYPOINT" for node in start.nodes):
            return Refused(
                f"the entrypoint of the base image {name}, which gets what CMD says, is not in the catalogue",
                "write ENTRYPOINT as well, if the base image's own is not needed",
            )
        return None
    if image.family in _ROOT_IMAGES or (image.family == "php" and "apache" in image.reference):
        return Refused(f"{image.family} starts as root and drops privileges itself")
    if image.family == "swoole" and all(node.keyword != "ENTRYPOINT" for node in reading.stage.instructions):
        # swoole/docker-swoole, rootfilesystem/entrypoint.sh
        return Refused(
            f"the entrypoint of {reading.stage.image} runs what lies in /usr/local/boot, and supervisord, as root",
            "write ENTRYPOINT as well, if the base image's own is not needed",
        )
    return None


def installs_as_root(reading: StageReading) -> str | None:
    """What shows that the base image's own user is root: packages of the system are installed without a USER. None
    where nothing does."""
    for step, call in reading.calls:
        if step.user is None and call.manager in SYSTEM_MANAGERS and call.action == "install":
            line = reading.file.line_of(step.node)
            return f"line {line} installs with {call.program}: root is the user of {reading.stage.image}"
    return None


def _why_start(reading: StageReading) -> Refused | None:
    roots, start = roots_of(reading), reading.start
    # Wrappers say it even where the rest cannot be followed.
    drops = _dropping(start.argv[:5] if start is not None else ())
    if drops is not None:
        return Refused(f"what is started drops privileges itself ({drops})")
    if isinstance(roots, Refused):
        return roots
    return next((reason for root in roots if (reason := _why_root_program(root)) is not None), None)


def _dropping(words: Iterable[str]) -> str | None:
    return min(DROPS.intersection(map(posixpath.basename, words)), default=None)


def _why_root_program(root: Root) -> Refused | None:
    drops = _dropping((root.name, *(root.command.wrappers if root.command is not None else ())))
    if drops is not None:
        return Refused(f"{root.where} drops privileges itself ({drops})")
    if root.name in _STARTS_AS_ROOT:
        return Refused(f"{root.name} is meant to start as root and drops privileges itself")
    if root.name in _ONLY_ROOT_CAN:
        return Refused(f"{root.where}, which is started, calls {root.name}, which only root can do")
    command = root.command
    if command is None:
        import shlex

        command = next(iter(read(shlex.join(root.words)).commands), None)
    call = package_call(command) if command is not None else None
    if call is not None and call.action in _INSTALLS:
        return Refused(
            f"{root.where}, which is started, installs packages ({call.program} {call.action})", "install them in a RUN"
        )
    return None


def _why_home(reading: StageReading) -> Refused | None:
    """Files that only root can reach: the home of root has mode 0700 on every distribution."""
    roots = roots_of(reading)
    for root in roots if not isinstance(roots, Refused) else ():
        named = next((word for word in root.words if re.search(r"(?:^|[=:,])/root/", word)), None)
        if named is not None:
            return Refused(f"{root.where} names a file below /root, which only root can read", "use another folder")
    for step in reading.steps:
        node, line = step.node, reading.file.line_of(step.node)
        if node.keyword == "WORKDIR" and is_within(join(step.workdir, node.argument), "/root"):
            return Refused(f"line {line} works below /root, which only root can read", "use another WORKDIR, /app say")
        if is_within(reading.targets.get(node, "/"), "/root"):
            return Refused(f"line {line} copies below /root, which only root can read", "copy elsewhere")
        if node.keyword == "ENV" and any("/root" in value for _, value in node.pairs):
            return Refused(f"line {line} sets a variable to a path below /root, which only root can read")
        if node.keyword == "RUN" and ("/root/" in node.argument.replace("/root/.cache", "") or "~/" in node.argument):
            return Refused(f"line {line} uses root's home folder, which only root can read")
        if node.keyword == "RUN" and re.search(_HOME_DOWNLOADS, node.argument):
            return Refused(f"line {line} downloads into root's home folder, which only root can read")
    return None


__all__ = ["DROPS", "installs_as_root", "why_not_shipped", "why_root"]
