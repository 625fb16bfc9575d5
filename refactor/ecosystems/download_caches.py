"""Where package managers keep what they download, and whether a cache mount may take its place.

What only the manager itself looks for again, and fetches where it is not there, may lie in a mount: the archives of
apt, pip, npm, yarn 1, Composer and Bundler. What a later command of the manager reads (Go's modules, the repositories
of Maven, Gradle and cargo) has to be in the same mount for all of them, or in none.
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.cache_places import Kept, Place, is_mounted, place_of
from refactor.ecosystems.compile_caches import facts_of, why_not_shipped
from refactor.ecosystems.registry import flow_of
from refactor.flow.reading import Refused, StageReading, Step, is_within, join
from refactor.shell import DOCKER_CLEAN, Command, PackageCall, is_cleaning, package_call


class DownloadCache(NamedTuple):
    """What one manager keeps of one RUN."""

    step: Step
    manager: str
    """As in `PackageCall.manager`."""
    commands: tuple[Command, ...]
    """Those of the step that use it."""
    folder: str
    """Absolute path in the image."""
    mounts: tuple[tuple[str, str], ...]
    """Folders, and values of ``--mount`` for them."""
    is_mounted: bool
    """A mount of the RUN covers the folder already."""
    evidence: tuple[str, ...]
    cleanings: tuple[Command, ...] = ()
    """Commands of the step that would empty the mount, and are of no use then."""
    first: str = ""
    """Shell text of a command that has to come before the others, "" where none has to."""


class _Manager(NamedTuple):
    kept: Kept
    actions: frozenset[str]
    """What downloads (`PackageCall.action`); empty: all it does but to say something."""
    elsewhere: str
    """Words of a RUN with which it keeps another cache, or none."""
    off: tuple[str, ...] = ()
    """Variables of which any value does the same."""
    settings: tuple[tuple[str, str], ...] = ()
    """Files of the project, and what says in them that the cache is elsewhere."""
    wanted: tuple[str, str, str] | None = None
    """A file of the project, what must stand in it, and what that shows."""
    is_locked: bool = False
    """Two builds at once must not share it."""
    is_shared: bool = False
    """A later command reads what an earlier one left there."""


_NEEDLESS = "remove that: a mount is no part of the image"
_SAYING = frozenset({"", "version", "env", "fmt", "config", "clean", "help"})
_INSTALLS = frozenset({"install", "ci", "global-install", "add", "upgrade", "download", "wheel", "sync", "fetch"})

# Go: `go help environment`. Maven and Gradle lock their folders between processes of one machine only. pip:
# `pip cache`. npm: docs.npmjs.com/cli/cache. Yarn 1 has root's cache below /usr/local/share
# (src/util/user-home-dir.js). pnpm has its store in PNPM_HOME or XDG_DATA_HOME since version 7, and copies out of it
# where it cannot link. Composer: "cache-dir" of its documentation. RubyGems keeps archives in the folder "cache" of
# GEM_HOME, where Bundler looks before it fetches.
_MANAGERS = {
    "pip": _Manager(Kept("pip", "~/.cache/pip", (("PIP_CACHE_DIR", ""),)), _INSTALLS, r"--no-cache-dir|--cache-dir",
                    off=("PIP_NO_CACHE_DIR",)),
    "uv": _Manager(Kept("uv", "~/.cache/uv", (("UV_CACHE_DIR", ""),)), _INSTALLS,
                   r"--no-cache\b|--cache-dir|(?<!\S)-n(?!\S)|link-mode", off=("UV_NO_CACHE", "UV_LINK_MODE")),
    "npm": _Manager(Kept("npm", "~/.npm", (("npm_config_cache", ""), ("NPM_CONFIG_CACHE", ""))), _INSTALLS,
                    r"--cache\b|\bnpx\b|npm (?:exec|x|init|create)\b|--offline\b",
                    settings=((".npmrc", r"(?m)^\s*cache\s*="),)),
    "yarn": _Manager(Kept("yarn", "~/.cache/yarn", (("YARN_CACHE_FOLDER", ""),)), _INSTALLS,
                     r"--cache-folder|--offline\b", settings=((".yarnrc", r"cache-folder|offline-mirror"),),
                     wanted=("yarn.lock", r"\A[^\n]*\n# yarn lockfile v1", "that yarn is version 1"), is_locked=True),
    "bun": _Manager(Kept("Bun", "~/.bun/install/cache",
                         (("BUN_INSTALL_CACHE_DIR", ""), ("BUN_INSTALL", "install/cache"))), _INSTALLS,
                    r"--cache-dir|--no-cache\b|--backend",
                    settings=(("bunfig.toml", r"(?m)^\s*(?:\[install\.cache\]|cache\b|install\.cache)"),)),
    "pnpm": _Manager(Kept("pnpm", "~/.local/share/pnpm/store", (("PNPM_HOME", "store"),)), _INSTALLS,
                     r"--store-dir|--offline\b|pnpm (?:fetch|store|config)\b|--package-import-method",
                     settings=((".npmrc", r"(?m)^\s*(?:store-dir|package-import-method)\s*="),
                               ("pnpm-workspace.yaml", r"storeDir|enableGlobalVirtualStore|packageImportMethod")),
                     wanted=("pnpm-lock.yaml", r"\AlockfileVersion: '?(?:5\.[4-9]|[6-9]|\d\d)",
                             "that pnpm is 7 or newer")),
    "composer": _Manager(Kept("Composer", "", (("COMPOSER_CACHE_DIR", ""), ("COMPOSER_HOME", "cache"))),
                         _INSTALLS | {"create-project"}, r"--no-cache\b", settings=(("composer.json", r'"cache-'),)),
    "bundle": _Manager(Kept("Bundler", "", (("GEM_HOME", "cache"),)), _INSTALLS,
                       r"--path|--deployment|--local\b"
                       r"|config (?:set )?(?:--\w+ )?(?:path|deployment|cache_|no_install)",
                       off=("BUNDLE_PATH", "BUNDLE_DEPLOYMENT", "BUNDLE_CACHE_PATH"),
                       settings=((".bundle/config", r"PATH|DEPLOYMENT|CACHE"),), is_locked=True),
    "go": _Manager(Kept("go", "~/go/pkg/mod", (("GOMODCACHE", ""), ("GOPATH", "pkg/mod"))), frozenset(),
                   r"-mod=vendor|-modcacherw|\bgo env -w\b|GOPROXY=off|\bgo mod vendor\b", off=("GOFLAGS",),
                   settings=(("vendor/modules.txt", r"\A.*"),), wanted=("go.sum", r"\S", "that modules are downloaded"),
                   is_shared=True),
    "mvn": _Manager(Kept("Maven", "~/.m2/repository"), frozenset(),
                    r"maven\.repo\.local|(?<!\S)(?:-o|--offline)(?!\S)", off=("MAVEN_OPTS", "MAVEN_ARGS"),
                    settings=((".mvn/maven.config", r"repo\.local"),), is_locked=True, is_shared=True),
    "gradle": _Manager(Kept("Gradle", "~/.gradle", (("GRADLE_USER_HOME", ""),)), frozenset(),
                       r"(?<!\S)(?:-g|--gradle-user-home|--offline)(?![\w-])", is_locked=True, is_shared=True),
    "cargo": _Manager(Kept("cargo", "~/.cargo/registry", (("CARGO_HOME", "registry"),)), frozenset(),
                      r"--offline|--frozen|\bcargo vendor\b", is_shared=True),
}  # fmt: skip
_APT = ("/var/cache/apt", "/var/lib/apt/lists")


def download_caches(reading: StageReading) -> Iterator[DownloadCache | tuple[Step, Refused]]:
    """The download caches of a stage's RUNs, or why one gets no mount."""
    for manager in dict.fromkeys(call.manager for step in reading.runs for call in step.calls):
        if manager == "apt":
            yield from _of_stage(reading, manager, _apt)
        elif manager in _MANAGERS:
            yield from _of_stage(reading, manager, _kept) if _MANAGERS[manager].is_shared else _each(reading, manager)


def _each(reading: StageReading, manager: str) -> Iterator[DownloadCache | tuple[Step, Refused]]:
    for step in reading.runs:
        if _downloading(step, manager):
            answer = _kept(reading, step, manager)
            yield (step, answer) if isinstance(answer, Refused) else answer


def _of_stage(
    reading: StageReading, manager: str, one: Callable[[StageReading, Step, str], DownloadCache | Refused]
) -> Iterator[DownloadCache | tuple[Step, Refused]]:
    """The RUNs of a stage, and of those that are built on the same one: a mount for all of them, or for none."""
    own: list[DownloadCache] = []
    for other in _family(reading):
        for step in other.runs:
            calls = _downloading(step, manager)
            if not calls:
                continue
            answer = one(other, step, manager)
            if isinstance(answer, Refused):
                first = next((each for each in reading.runs if _downloading(each, manager)), None)
                if first is not None:
                    yield first, answer
                return
            if other is reading:
                own.append(answer)
    yield from own


def _family(reading: StageReading) -> list[StageReading]:
    facts = facts_of(reading.file, reading.context)
    root = facts.roots[reading.stage.index]
    return [one for one in facts.readings if facts.roots[one.stage.index] == root]


def _downloading(step: Step, manager: str) -> list[PackageCall]:
    calls = [call for call in step.calls if call.manager == manager]
    if manager == "apt":
        return [call for call in calls if call.action in {"install", "upgrade", "build-dep"}]
    actions = _MANAGERS[manager].actions
    if actions:
        return [call for call in calls if call.action in actions]
    # A wrapper fetches the tool itself before it says anything.
    return [call for call in calls if call.action not in _SAYING or call.program.endswith(("gradlew", "mvnw"))]


def _kept(reading: StageReading, step: Step, manager: str) -> DownloadCache | Refused:
    tool, line = _MANAGERS[manager], reading.file.line_of(step.node)
    place = _place(reading, step, manager)
    if isinstance(place, Refused):
        return place
    folder, owner = place
    commands = tuple(call.command for call in step.calls if call.manager == manager)
    mount = f"type=cache,target={folder}{owner}{',sharing=locked' if tool.is_locked else ''}"
    has_mount = is_mounted(reading, step, folder)
    if not has_mount:
        reason = (
            _why_off(reading, step, manager)
            or _why_project(reading, step, manager)
            or _why_emptied(reading, step, tool.kept.title, folder, manager)
            or _why_seen(reading, tool.kept.title, folder, step)
            or (_why_read_elsewhere(reading, step, manager) if tool.is_shared else None)
        )
        if reason is not None:
            return reason
    said = (
        f"line {line} runs {tool.kept.title}, which keeps in {folder} what it downloaded, and fetches what is not there"
    )
    return DownloadCache(step, manager, commands, folder, ((folder, mount),), has_mount, (said,))


def _place(reading: StageReading, step: Step, manager: str) -> Place | Refused:
    kept, image = _MANAGERS[manager].kept, reading.image
    if manager == "gradle" and image is not None and image.family == "gradle":
        kept = kept._replace(default="/home/gradle/.gradle")
    user = step.user or ("" if image is None else image.default_user)
    if manager == "yarn" and user.partition(":")[0] in {"root", "0"}:
        kept = kept._replace(default="/usr/local/share/.cache/yarn")
    return place_of(reading, step, kept)


def _why_off(reading: StageReading, step: Step, manager: str) -> Refused | None:
    tool, line = _MANAGERS[manager], reading.file.line_of(step.node)
    names = [name for name, _ in tool.kept.variables] + ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", *tool.off]
    found = re.search(rf"{tool.elsewhere}|\b(?:{'|'.join(names)})=", step.node.argument)
    if found is not None:
        because = f"line {line} has {found[0].strip()}: {tool.kept.title} keeps its downloads elsewhere, or not at all"
        return Refused(because, "leave that out to have them in a cache mount")
    known = reading.file.environment(step.node)
    name = next((name for name in tool.off if known.get(name, "") != ""), None)
    if name is not None:
        return Refused(f"{name} is set: {tool.kept.title} keeps its downloads elsewhere, or not at all")
    if any("sudo" in call.command.wrappers for call in _downloading(step, manager)):
        return Refused(f"line {line} runs {tool.kept.title} by sudo, as another user", "set USER instead")
    return None


def _why_project(reading: StageReading, step: Step, manager: str) -> Refused | None:
    """The project's own files say that the cache is elsewhere, or do not say what has to be known."""
    tool = _MANAGERS[manager]
    folders = {step.folder_of(call.command) for call in _downloading(step, manager)}
    if None in folders:
        return Refused(f"the folder that line {reading.file.line_of(step.node)} runs {tool.kept.title} in is not known")
    texts: dict[str, str | None] = {}
    for name in dict.fromkeys([*(name for name, _ in tool.settings), *(tool.wanted[:1] if tool.wanted else ())]):
        for folder in sorted(str(folder) for folder in folders):
            path = reading.in_context(join(folder, name), step.node)
            text = None if path is None else reading.context.read(path)
            if isinstance(text, Unknown):
                return Refused(f"{path}, which may move the cache of {tool.kept.title}, cannot be read: {text.reason}")
            texts[name] = text if text is not None else texts.get(name)
    for name, pattern in tool.settings:
        found = re.search(pattern, texts[name] or "") if texts.get(name) else None
        if found is not None:
            return Refused(f"{name} has {found[0].strip()}: {tool.kept.title} may keep its downloads elsewhere")
    if tool.wanted is not None and all(call.action != "global-install" for call in _downloading(step, manager)):
        name, pattern, shown = tool.wanted
        if re.search(pattern, texts.get(name) or "") is None:
            return Refused(f"no {name} shows {shown}: where it keeps its downloads is not known", f"copy {name} first")
    return None


def _why_emptied(reading: StageReading, step: Step, title: str, folder: str, manager: str) -> Refused | None:
    """The RUN removes what the mount is to keep; the folder that a mount is on cannot be removed at all."""
    line = reading.file.line_of(step.node)
    for command in step.commands:
        call = package_call(command)
        if call is not None:
            if call.manager == manager and call.action == "clean":
                return Refused(
                    f"line {line} empties the cache of {title}", "remove that: a mount is no part of the image"
                )
        elif command.name in {"rm", "find"} and any(_may_be(reading, step, arg, folder) for arg in command.args):
            return Refused(f"line {line} removes what {title} keeps", _NEEDLESS)
    return None


def _may_be(reading: StageReading, step: Step, written: str, folder: str) -> bool:
    if written.startswith("-"):
        return False
    value = reading.expand(written, step.node) if "$" in written else written
    if value is None or "$" in value or "`" in value:
        return True
    if value.startswith("~"):
        value = folder  # Whose home it is makes no difference to a refusal.
    place = join(step.workdir, re.sub(r"[^/]*[*?\[{].*", "", value) or ".")
    return is_within(folder, place) or is_within(place, folder)


def _why_seen(reading: StageReading, title: str, folder: str, step: Step) -> Refused | None:
    """Another step names the folder, or copies it out of the stage."""
    facts, file = facts_of(reading.file, reading.context), reading.file
    for one in _family(reading):
        for node in facts.copies.get(one.stage.index, ()):
            for source in node.sources:
                path = join("/", reading.expand(source, node) or source)
                if is_within(folder, path) or is_within(path, folder):
                    return Refused(f"line {file.line_of(node)} copies {source} from this stage, and what {title} keeps")
        for other in one.steps:
            if other is not step and other.keyword in {"RUN", "COPY", "ADD"} and folder in other.node.argument:
                return Refused(f"line {file.line_of(other.node)} works with {folder}, which a mount would hide")
    for one in facts.readings:
        for other in one.runs:
            if any("from=" in value and folder in value for value in other.node.flag_values("mount")):
                return Refused(f"line {file.line_of(other.node)} mounts {folder} of another stage")
    return None


def _why_read_elsewhere(reading: StageReading, step: Step, manager: str) -> Refused | None:
    """Something that has no mount may look for what was downloaded: the image when it is started, another program."""
    reason = why_not_shipped(reading, step)
    if reason is not None:
        return reason
    flow = flow_of(reading.file, reading.context)
    title = _MANAGERS[manager].kept.title
    for one in _family(reading):
        has_come = False
        for flow_step in flow.steps(one):
            if _downloading(flow_step.step, manager):
                has_come = True
                continue
            for act in flow_step.acts if has_come and flow_step.step.keyword == "RUN" else ():
                is_manager = act.call is not None and act.call.package is not None
                if act.effect.why_unknown is not None and not is_manager:
                    name = posixpath.basename(act.text.partition(" ")[0])
                    return Refused(f"line {flow_step.line} runs {name}, which may look for what {title} downloaded")
    return None


# apt


def _apt(reading: StageReading, step: Step, manager: str) -> DownloadCache | Refused:
    image, line = reading.image, reading.file.line_of(step.node)
    calls = [call for call in step.calls if call.manager == manager]
    commands = tuple(call.command for call in calls)
    mounts = tuple((folder, f"type=cache,target={folder},sharing=locked") for folder in _APT)
    said = (
        f"line {line} installs with apt, whose archives and lists are then no part of the image",
        f"{DOCKER_CLEAN} goes, with which the base image has the archives removed: an image that is built on this one"
        " keeps its own",
    )
    if all(is_mounted(reading, step, f"{folder}/x") for folder in _APT):
        return DownloadCache(step, manager, commands, _APT[0], mounts, True, ())
    if image is None or image.distro not in {"debian", "ubuntu"}:
        return Refused(f"line {line} runs apt in an image that is not known to be Debian's or Ubuntu's")
    user = image.default_user if step.user is None else step.user
    if user.partition(":")[0] not in {"root", "0"} or any(command.wrappers for command in commands):
        return Refused(f"line {line} runs apt by sudo, or as {user}", "install as root, before USER")
    if any(call.program != "apt-get" for call in calls):
        return Refused(f"apt on line {line} removes its archives after every call", "call apt-get")
    ends = [call.command.span[1] for call in calls if call.action == "update" and not call.command.is_conditional]
    installs = [call.command for call in _downloading(step, manager)]
    if not ends or min(ends) > installs[0].span[0]:
        return Refused(f"line {line} installs from lists that a mount would hide", "run apt-get update in the same RUN")
    cleanings = tuple(command for command in step.commands if is_cleaning(command, "apt"))
    for command in step.commands:
        is_remover = command.name in {"rm", "find"} and command not in cleanings
        if is_remover and any(_may_be(reading, step, arg, folder) for arg in command.args for folder in _APT):
            return Refused(
                f"line {line} removes what apt keeps, with other things", "remove that in a command of its own"
            )
    reason = next((found for folder in _APT if (found := _why_archives_seen(reading, folder)) is not None), None)
    if reason is not None:
        return reason
    first = "" if _has_archives(reading, step) else f"rm -f {DOCKER_CLEAN}"
    return DownloadCache(step, manager, commands, _APT[0], mounts, False, said if first else said[:1], cleanings, first)


def _why_archives_seen(reading: StageReading, folder: str) -> Refused | None:
    facts = facts_of(reading.file, reading.context)
    for one in _family(reading):
        for node in facts.copies.get(one.stage.index, ()):
            found = [source for source in node.sources if is_within(join("/", source), folder)]
            if found:
                return Refused(f"line {reading.file.line_of(node)} copies {found[0]} from this stage")
    return None


def _has_archives(reading: StageReading, step: Step) -> bool:
    """A step before keeps archives already or will do so, in the stage or in one that it is built from."""
    at: StageReading | None = reading
    while at is not None:
        for other in at.runs:
            if at is reading and other is step:
                break
            if "docker-clean" in other.node.text or _downloading(other, "apt"):
                return True
        at = None if at.parent is None else StageReading.of(at.file, at.parent, at.context)
    return "docker-clean" in step.node.text


def idle_mounts(reading: StageReading, step: Step, commands: Sequence[Command]) -> list[str]:
    """Folders of download caches that none of ``commands``, a part of the RUN, uses."""
    found = []
    for manager in dict.fromkeys(call.manager for call in step.calls if call.manager in _MANAGERS):
        own = {call.command for call in _downloading(step, manager)}
        place = _place(reading, step, manager)
        if own.isdisjoint(commands) and not isinstance(place, Refused):
            found.append(place.folder)
    return found


__all__ = ["DownloadCache", "download_caches", "idle_mounts"]
