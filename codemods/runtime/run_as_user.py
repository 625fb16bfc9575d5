"""run-as-user"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    BaseImage,
    BuildContext,
    Codemod,
    Command,
    Dockerfile,
    Edit,
    Finding,
    InsertAfter,
    InsertBefore,
    Instruction,
    Phase,
    Refusal,
    Refused,
    Safety,
    StageReading,
    Start,
    Step,
    Trivia,
    Written,
    leaves,
    package_calls,
    read,
    recognise,
    refuse,
    rewrites,
)

UID = 10001
"""Fixed, so that volumes keep their owner from build to build; above the range that distributions hand out."""
OWN_DROP = frozenset({"gosu", "su-exec", "setpriv", "su", "runuser", "chroot", "s6-setuidgid", "sudo"})
ROOT_PROGRAMS = frozenset(
    """nginx apache2 apache2-foreground apachectl httpd httpd-foreground supervisord cron crond sshd dockerd systemd
    init php-fpm postgres mysqld mongod rabbitmq-server redis-server haproxy caddy uwsgi service s6-svscan
    """.split()
)
ROOT_IMAGES = frozenset({"nginx", "httpd", "mysql", "postgres", "redis", "mongo", "mariadb", "haproxy", "traefik"})
BUILT_IN = {"node": "node"}
HOME_DOWNLOADS = re.compile(
    r"playwright install|nltk\.download|nltk\.downloader|huggingface-cli|puppeteer browsers install"
    r"|corepack (?:prepare|use|install)|pip3? install .*--user|spacy download .*--user|npx playwright"
)
FLASK = {"requirements.txt": "flask==3.0.0\n", "app.py": "from flask import Flask\napp = Flask(__name__)\n"}


class RunAsUser(Codemod):
    """Run the program as a user other than root.

    Why
    ---
    A process that breaks out of its container is on the host whoever it was inside. Kubernetes' restricted profile
    refuses images that run as root.

    What it does
    ------------
    Adds USER before the start command: the user that the base image brings for it (`node`), or one of its own with a
    fixed id. Folders that the program writes to, as far as its sources show, become that user's; all else stays
    root's, so that a process cannot change its own code.

    When it refuses
    ---------------
    When the program drops privileges itself (gosu, nginx, supervisord), installs packages when it starts, or lives
    below `/root`; when a Compose file decides on the user, or mounts the folders that the program writes to; when
    it is not known what is started or where it writes.

    Safety
    ------
    REVIEW: the user changes on purpose. Ports below 1024 stay reachable: container engines have allowed them to every
    user since Docker 20.10.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.USER, Aspect.COMMANDS, Aspect.LAYERS, Aspect.COPIES})
    hadolint = ("DL3002",)
    examples = (
        rewrites(
            "Node has a user of its own",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            EXPOSE 3000
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            EXPOSE 3000
            USER node
            CMD ["node", "server.js"]
            """,
            files={"server.js": "require('http').createServer().listen(3000)\n", "package.json": "{}"},
        ),
        rewrites(
            "a folder that the author gave to the user already",
            before="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir data && chown node:node data
            CMD ["node", "app.js"]
            """,
            after="""
            FROM node:20-slim
            WORKDIR /app
            COPY . .
            RUN mkdir data && chown node:node data
            USER node
            CMD ["node", "app.js"]
            """,
            files={"app.js": "require('fs').appendFileSync('data/visits.txt', 'one')\n", "package.json": "{}"},
        ),
        rewrites(
            "Python gets one",
            before="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -r -g 10001 app \\
                && useradd --no-log-init -r -u 10001 -g app app
            WORKDIR /app
            COPY . .
            USER 10001:10001
            CMD ["python", "app.py"]
            """,
            files=FLASK,
        ),
        rewrites(
            "a volume belongs to the user before it is declared",
            before="""
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            VOLUME /data
            CMD ["python", "app.py"]
            """,
            after="""
            FROM python:3.11-slim
            RUN groupadd -r -g 10001 app \\
                && useradd --no-log-init -r -u 10001 -g app app
            WORKDIR /app
            COPY . .
            RUN mkdir -p /data \\
                && chown -R app:app /data
            VOLUME /data
            USER 10001:10001
            CMD ["python", "app.py"]
            """,
            files={
                "requirements.txt": "",
                "app.py": "with open('/data/log.txt', 'a') as log:\n    log.write('started')\n",
            },
        ),
        leaves(
            "the author made a user and does not say for what",
            """
            FROM python:3.11-slim AS base
            RUN groupadd -r app && useradd -r -g app app
            FROM base
            WORKDIR /app
            COPY . .
            CMD ["python", "app.py"]
            """,
            files=FLASK,
            because="makes a user or a group already (groupadd)",
        ),
        leaves(
            "the entrypoint drops privileges itself",
            """
            FROM python:3.11-slim
            WORKDIR /app
            COPY . .
            CMD ["gosu", "app", "python", "app.py"]
            """,
            files=FLASK,
            because="drops privileges itself",
        ),
        leaves(
            "a user is set",
            """
            FROM node:20-slim
            WORKDIR /app
            COPY server.js ./
            USER node
            CMD ["node", "server.js"]
            """,
            files={"server.js": "", "package.json": "{}"},
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not file.stages:
            return
        reading = StageReading.of(file, file.stages[-1], context)
        languages = recognise(reading)
        if not _runs_as_root(reading) or not languages:
            return
        place = reading.last("CMD") or reading.last("ENTRYPOINT") or reading.stage.from_
        if context.why_unknown is not None:
            yield refuse(place, f"the build context is not known: {context.why_unknown}", "name it with --context")
            return
        reason = _why_root(reading)
        if reason is not None:
            yield refuse(place, reason.because, reason.hint)
            return
        written = Written()
        for language in languages:
            answer = language.written(reading)
            if isinstance(answer, Refused):
                yield refuse(place, answer.because, answer.hint)
                return
            written = Written(
                tuple(dict.fromkeys((*written.paths, *answer.paths))),
                (*written.evidence, *answer.evidence),
                (*written.filled, *answer.filled),
            )
        answer_or_finding = _add_user(reading, written)
        if isinstance(answer_or_finding, Refused):
            yield refuse(place, answer_or_finding.because, answer_or_finding.hint)
        else:
            yield answer_or_finding


def _runs_as_root(reading: StageReading) -> bool:
    user = reading.final_user
    if user is not None:
        return False
    image = reading.image
    return image is None or image.default_user in {"", "root", "0", None}


def _why_root(reading: StageReading) -> Refused | None:
    """Why the container has to start as root, or why that cannot be told."""
    deployment = reading.context.deployment
    if deployment.users:
        where = deployment.named_by("user")
        return Refused(f"{where} runs the image as user {deployment.users[0]}", "remove `user` there first")
    if any("docker.sock" in mount for mount in deployment.mounts):
        where = deployment.named_by("mounts")
        return Refused(f"{where} mounts the engine's socket, which only root can open")
    image = reading.image
    if image is None:
        return Refused(f"the users of the base image {reading.stage.image} are not in the catalogue")
    if image.family in ROOT_IMAGES or (image.family == "php" and "apache" in image.reference):
        return Refused(f"{image.family} starts as root and drops privileges itself")
    start = reading.start
    if start is None:
        return Refused("it is not known what the container runs: there is no CMD or ENTRYPOINT", "add a CMD")
    return _why_start_needs_root(reading, start.argv, _text(start)) or _why_home(reading)


def _text(start: Start) -> str:
    return start.script.text if start.script is not None else ""


def _why_start_needs_root(reading: StageReading, argv: tuple[str, ...], text: str) -> Refused | None:
    programs = {posixpath.basename(word) for word in argv[:3]} | {command.name or "" for command in read(text).commands}
    drops = sorted(programs & OWN_DROP)
    if drops:
        return Refused(f"what is started drops privileges itself ({drops[0]})")
    starts = sorted(programs & ROOT_PROGRAMS)
    if starts:
        return Refused(f"{starts[0]} is meant to start as root and drops privileges itself")
    for word in (*argv, *text.split()):
        path = reading.in_context(posixpath.normpath(posixpath.join(reading.final_workdir, word.strip("'\"`();&|"))))
        script = _shell_script(reading, path)
        if script is None:
            continue
        commands = read(script)
        names = {command.name or "" for command in commands.commands}
        found = sorted(names & (OWN_DROP | ROOT_PROGRAMS | {"chown", "useradd", "adduser", "usermod"}))
        if found:
            return Refused(f"{path}, which is started, calls {found[0]}, which only root can do")
        calls = [call for call in package_calls(commands) if call.action in {"install", "update", "global-install"}]
        if calls:
            return Refused(f"{path}, which is started, installs packages ({calls[0].program} {calls[0].action})")
        if commands.opaque is not None and (OWN_DROP | {"chown"}) & set(re.findall(r"[\w-]+", script)):
            return Refused(f"{path}, which is started, cannot be read: {commands.opaque}")
    for call in package_calls(read(text)):
        if call.action in {"install", "update", "ci", "sync", "global-install"}:
            return Refused(
                f"the start command installs packages ({call.program} {call.action})", "install them in a RUN"
            )
    return None


def _shell_script(reading: StageReading, path: str | None) -> str | None:
    """The text of a shell script of the build context, None where the path is none."""
    if not path:
        return None
    is_named_so = path.endswith((".sh", ".bash"))
    if not is_named_so and "." in posixpath.basename(path):
        return None
    text = reading.context.read(path)
    if not isinstance(text, str):
        return None
    if text.startswith("#!"):
        return text if re.match(r"#!.*\b(?:ba|da|a)?sh\b", text) else None
    return text if is_named_so else None


def _why_home(reading: StageReading) -> Refused | None:
    """Files that only root can reach: the home of root has mode 0700 on every distribution."""
    for step in reading.steps:
        node, line = step.node, reading.file.line_of(step.node)
        if node.keyword == "WORKDIR" and _is_root_home(posixpath.normpath(posixpath.join(step.workdir, node.argument))):
            return Refused(f"line {line} works below /root, which only root can read", "use another WORKDIR, /app say")
        if node.keyword in {"COPY", "ADD"} and node.destination is not None:
            target = posixpath.normpath(posixpath.join(step.workdir, node.destination))
            if _is_root_home(target):
                return Refused(f"line {line} copies below /root, which only root can read", "copy elsewhere")
        if node.keyword == "ENV" and any("/root" in value for _, value in node.pairs):
            return Refused(f"line {line} sets a variable to a path below /root, which only root can read")
        if node.keyword == "RUN" and ("/root/" in node.argument.replace("/root/.cache", "") or "~/" in node.argument):
            return Refused(f"line {line} uses root's home folder, which only root can read")
        if node.keyword == "RUN" and HOME_DOWNLOADS.search(node.argument):
            return Refused(f"line {line} downloads into root's home folder, which only root can read")
    return None


def _is_root_home(path: str) -> bool:
    return _is_within(path, "/root")


def _add_user(reading: StageReading, written: Written) -> Finding | Refused:
    file, image = reading.file, reading.image
    assert image is not None
    mounts = reading.context.deployment.mounts
    folders = []
    for path in written.paths:
        if any(_is_within(path, mount) for mount in mounts):
            return Refused(
                f"the program writes to {path}, which Compose mounts: the host decides whose that is",
                "give the mounted folder an owner and add USER by hand",
            )
        if path in {
            "/",
            "/usr",
            "/etc",
            "/var",
            "/bin",
            "/lib",
            "/opt",
            "/home",
            "/root",
            "/run",
            "/dev",
            "/proc",
            "/sys",
        }:
            return Refused(f"the program writes to {path}")
        if not path.startswith(("/tmp/", "/var/tmp/", "/dev/")) and path not in {"/tmp", "/var/tmp"}:
            folders.append(path)
    name, creation = _user(image)
    if creation is not None and reading.why_no_new_user is not None:
        return Refused(reading.why_no_new_user, "write USER with its name in front of CMD")
    owner = "app:app" if creation else f"{name}:{name}" if name in image.users else name
    if folders and not image.has_shell:
        return Refused(f"the program writes to {folders[0]}, and {image.reference} has no shell to prepare that")
    edits: list[Edit] = []
    given = _given(reading, folders, owner, written.filled)
    ownership = _ownership(reading, [path for path in folders if path not in given], owner, written.filled)
    head: list[Instruction | Trivia] = [file.new(f"RUN {creation}")] if creation else []
    if head:
        # Where the author sets what follows apart, the new step stands apart as well.
        if _is_blank_below(file, _head_anchor(reading)):
            head.insert(0, file.blank())
        edits.append(InsertAfter(_head_anchor(reading), head))
    user = file.new(f"USER {name}")
    before_user = [file.new(f"RUN {ownership}")] if ownership else []
    volume = _first_volume(reading, folders)
    if volume is not None and before_user:
        # What is changed in a volume after VOLUME is lost on builders other than BuildKit.
        comments = file.comments_above(volume)
        edits.append(InsertBefore(comments[0] if comments else volume, before_user))
        before_user = []
    place = _place_of_user(reading)
    if place is None:
        last = reading.stage.instructions[-1]
        if head and last is _head_anchor(reading):
            edits = [InsertAfter(last, [*head, *before_user, user])]
        else:
            edits.append(InsertAfter(last, [*before_user, user]))
    else:
        above = file.comments_above(place)
        anchor: Instruction | Trivia = above[0] if above else place
        apart = [file.blank()] if above else []
        edits.append(InsertBefore(anchor, [*before_user, user, *apart]))
    what = f"run as {name}" if creation is None else f"run as a user of its own ({name})"
    return Finding(
        place or reading.stage.instructions[-1],
        what + (f", who owns {', '.join(folders)}" if folders else ""),
        edits,
        why="a process that gets out of its container is not root on the host",
        evidence=written.evidence,
    )


def _first_volume(reading: StageReading, folders: list[str]) -> Instruction | None:
    """The first VOLUME that declares a folder the program writes to."""
    for step in reading.steps:
        if step.keyword == "VOLUME" and any(_is_within(folder, path) for path in step.node.words for folder in folders):
            return step.node
    return None


def _is_blank_below(file: Dockerfile, node: Instruction) -> bool:
    index = file.nodes.index(node) + 1
    following = file.nodes[index] if index < len(file.nodes) else None
    return isinstance(following, Trivia) and following.kind == "blank"


def _user(image: BaseImage) -> tuple[str, str | None]:
    """The USER argument and the RUN that makes the user, None where the base image has one for programs."""
    if image.family in BUILT_IN and BUILT_IN[image.family] in image.users:
        return BUILT_IN[image.family], None
    if image.family == "distroless" and "nonroot" in image.users:
        return "{}:{}".format(*image.users["nonroot"]), None
    if not image.has_shell:
        return f"{UID}:{UID}", None
    if image.distro == "alpine":
        return f"{UID}:{UID}", f"addgroup -S -g {UID} app \\\n    && adduser -S -D -H -u {UID} -G app app"
    return f"{UID}:{UID}", f"groupadd -r -g {UID} app \\\n    && useradd --no-log-init -r -u {UID} -g app app"


def _given(reading: StageReading, folders: list[str], owner: str, filled: tuple[str, ...]) -> set[str]:
    """The folders that a RUN of the author's gives to this user already, with nothing put into them behind it."""
    given: set[str] = set()
    for step in reading.steps:
        if step.keyword in {"COPY", "ADD"} and step.node.destination is not None:
            target = posixpath.normpath(posixpath.join(step.workdir, step.node.destination))
            given -= {path for path in given if _is_within(path, target) or _is_within(target, path)}
        elif step.keyword == "RUN":
            script = step.script
            if script is None or script.opaque is not None or any(command.name == "cd" for command in script.commands):
                given.clear()
                continue
            named = {path for command in step.commands for path in _paths(step, command)}
            given -= {path for path in given if path in filled or any(_is_within(one, path) for one in named)}
            made = {path for command in step.commands if command.name == "mkdir" for path in _paths(step, command)}
            for command in step.commands:
                if command.name == "chown" and {owner, owner.partition(":")[0]}.intersection(command.args):
                    is_deep = any(arg in {"-R", "--recursive"} for arg in command.args)
                    paths = _paths(step, command)
                    given.update(path for path in folders if path in paths and (is_deep or path in made))
    return given


def _paths(step: Step, command: Command) -> set[str]:
    return {posixpath.normpath(posixpath.join(step.workdir, arg)) for arg in command.args if not arg.startswith("-")}


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _ownership(reading: StageReading, folders: list[str], owner: str, filled: tuple[str, ...]) -> str:
    if not folders:
        return ""
    made = [folder for folder in folders if reading.in_context(folder) is None and folder != reading.final_workdir]
    # The folder itself and what the build put into it: a database that lies in the sources is written in place.
    flat = [folder for folder in folders if folder == reading.final_workdir]
    deep = [folder for folder in folders if folder not in flat]
    commands = []
    if made:
        commands.append("mkdir -p " + " ".join(made))
    if deep:
        commands.append(f"chown -R {owner} " + " ".join(deep))
    if flat and flat[0] in filled:
        commands.append(f"chown -R {owner} {flat[0]}")
    elif flat:
        commands.append(f"chown {owner} {flat[0]}")
        files = [path for path in _own_files(reading, flat[0]) if not any(path.startswith(f + "/") for f in deep)]
        if files:
            commands[-1] += " " + " ".join(files)
    return " \\\n    && ".join(commands)


def _own_files(reading: StageReading, folder: str) -> list[str]:
    """Data files that the build copies right into a folder the program writes to."""
    source = reading.in_context(folder)
    if source is None:
        return []
    names = reading.context.children(source)
    suffixes = (".db", ".sqlite", ".sqlite3", ".log", ".csv", ".json.db")
    return (
        [posixpath.join(folder, name) for name in names if name.endswith(suffixes)] if isinstance(names, tuple) else []
    )


def _head_anchor(reading: StageReading) -> Instruction:
    """After which instruction the user is made: early, where source edits do not repeat it."""
    anchor = reading.stage.from_
    for step in reading.steps:
        if step.keyword == "RUN" and step.calls and all(call.manager in {"apt", "apk", "dnf"} for call in step.calls):
            anchor = step.node
        elif step.keyword not in {"ARG", "LABEL", "ENV", "SHELL"}:
            break
        elif anchor is not reading.stage.from_ or step.keyword in {"SHELL"}:
            anchor = step.node
    return anchor


def _place_of_user(reading: StageReading) -> Instruction | None:
    """The first CMD, ENTRYPOINT or HEALTHCHECK after everything that still has to run as root."""
    last = -1
    for index, step in enumerate(reading.steps):
        if step.keyword in {"RUN", "COPY", "ADD", "WORKDIR", "VOLUME"}:
            last = index
    following: list[Step] = list(reading.steps[last + 1 :])
    return next((step.node for step in following if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}), None)
