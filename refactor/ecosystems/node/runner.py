"""What the runner of a Node stage gets, and the image that it is built on."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.ecosystems.node import bun_split
from refactor.ecosystems.node.case import Case, case_of
from refactor.ecosystems.node.keeping import Keep, keep
from refactor.ecosystems.node.layout import Unit, below
from refactor.ecosystems.node.native import called_programs, judge, libraries, needed_packages
from refactor.ecosystems.node.needs import STATIC_SERVERS, Server, program, why_dev_needed
from refactor.ecosystems.node.projects import Project
from refactor.ecosystems.node.pruning import WHOLE, Pruning, prune, why_plug_and_play
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.node.splitting import owner_of, why_not_followed
from refactor.ecosystems.node.tables import words
from refactor.ecosystems.node.writing import written
from refactor.ecosystems.program import Needs, Runner
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.system import build_only, is_set_up, programs_started
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, join
from refactor.images import lookup

if TYPE_CHECKING:
    from refactor.flow.graph import Flow

_SYSTEM_FOLDERS = words(
    "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var"
)
_CHOOSE_BY_NODE_ENV = words("config node-config sequelize-cli @feathersjs/configuration convict dotenv-flow nconf")
_NOT_ON_ALPINE = words("useradd groupadd usermod groupmod apt-get apt dpkg locale-gen")


class _Parts(NamedTuple):
    """What the needs and the choice of an image rest on, found out once."""

    case: Case
    unit: Unit
    lock: NodeLock | None
    server: Server
    needs_dev: str | None
    """Why what is started needs development dependencies."""
    kept: Keep

    @property
    def root(self) -> PackageJson:
        """The manifest that is installed."""
        return self.case.project.package if self.case.project is not None else self.unit.package


def _parts(reading: StageReading) -> _Parts | Refused:
    return reading.remember("node parts", lambda: _read_parts(case_of(reading)))


def _read_parts(case: Case) -> _Parts | Refused:
    unit, project = case.unit, case.project
    if unit is None:
        return Refused(f"no package.json is known for what is started in {case.reading.final_workdir}")
    lock = project.lock if project is not None else None
    server = case.start.server
    if isinstance(server, Refused):
        return server
    seen = why_not_seen(case.reading) or program(case.reading)
    if isinstance(seen, Refused):
        return seen
    root = project.package if project is not None else unit.package
    is_bundled = _is_bundled(case, unit, server)
    needs_dev = why_dev_needed(case.start, unit, root, lock, is_bundled=is_bundled)
    refusal = bun_split.why_not_read(case, server) if case.image.family == "bun" else None
    needed = _members(case, project, unit)
    if refusal is not None:
        return refusal
    if isinstance(needed, Refused):
        return needed
    kept = keep(
        case,
        unit,
        needed,
        server,
        has_packages=(bool(needed) or needs_dev is not None or _has_packages(root))
        and not (is_bundled and not needed and bun_split.has_packages_inside(case, root, lock, server)),
    )
    return kept if isinstance(kept, Refused) else _Parts(case, unit, lock, server, needs_dev, kept)


def _has_packages(package: PackageJson) -> bool:
    """An install without development dependencies makes a node_modules."""
    return bool(package.dependencies or package.optional_dependencies or package.peer_dependencies)


def _is_bundled(case: Case, unit: Unit, server: Server) -> bool:
    """What is started has the packages that its sources import inside."""
    if server.is_interpreted:
        return False
    builds = [built for _, _, built in case.kind.builds if built.outputs and built.brings_code]
    own = [built for built in builds if below(built.ran.folder, unit.folder) is not None]
    return bool(own) and all(built.is_bundle for built in own)


def _members(case: Case, project: Project | None, unit: Unit) -> tuple[Unit, ...] | Refused:
    """The members of the workspace that what is started depends on, itself included; () without a workspace."""
    others = project.members if project is not None else ()
    if not others or project is None or isinstance(others, Refused):
        return others if isinstance(others, Refused) else ()
    by_name = {member.name: member for member in others if member.name}
    wanted = {unit.package.path: unit.package}
    if unit.package.path == project.package.path:
        # The root itself is started: it may load any of its members.
        wanted.update({member.path: member for member in others})
    waiting = list(wanted.values())
    while waiting:
        package = waiting.pop()
        for name in (*package.dependencies, *package.optional_dependencies, *package.peer_dependencies):
            member = by_name.get(name)
            if member is not None and member.path not in wanted:
                wanted[member.path] = member
                waiting.append(member)
    units = (Unit(project.unit.place(package.folder), package) for package in wanted.values())
    return tuple(one for one in units if one.folder != project.folder)


# What it gets


def needs(reading: StageReading, flow: Flow) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    parts = _parts(reading)
    if isinstance(parts, Refused):
        return parts
    case, kept = parts.case, parts.kept
    acts = tuple(flow.acts(reading))
    refusal = why_not_followed(case, acts, kept.chosen, is_whole=kept.whole) or _why_not_copied(kept)
    if refusal is not None:
        return refusal
    gone = [path for path in case.kind.removed(case.layout) if not flow.makers(reading, path)]
    paths = {path: "the application" for path in kept.paths if not any(below(path, one) is not None for one in gone)}
    for act in acts:
        if act.call is None and act.step.step.node.flag("from") is not None:
            inside = [path for path in act.effect.writes if isinstance(path, str) and path not in kept.chosen]
            paths.update({path: "a COPY makes it" for path in inside if any(below(path, one) for one in kept.chosen)})
    packages: dict[str, str] = {}
    if case.image.variant == "fat":
        found = libraries(case.natives, case.image.distro or "debian", case.image.release)
        packages.update(found if isinstance(found, dict) else {})
        packages.update(needed_packages(parts.lock, parts.root))
    packages.update(bun_split.libraries(case, parts.server))
    called = called_programs(case.context, parts.server.files)
    called.update({ran.program: ran.shown for ran in case.start.all if ran.program in {"python", "python3"}})
    builds = [built for _, _, built in case.kind.builds]
    story = [f"{built.ran.shown} writes {', '.join(built.outputs)}" for built in builds if built.outputs]
    evidence = (*story, *(native.why for native in case.natives), *kept.evidence, *case.say)
    return Needs(paths, called, packages, evidence=evidence, files=kept.files, chosen=kept.chosen, owner=owner_of(case))


def _why_not_copied(kept: Keep) -> Refused | None:
    for path in kept.paths:
        if re.search(r"[\s\"'$\[\]*?\\]", path) is not None:
            return Refused(f"the name of {path} has characters that COPY treats specially")
        if posixpath.dirname(path) == "/" and path[1:] in _SYSTEM_FOLDERS:
            return Refused(
                f"the application lives in / and brings a folder {path}, which is the system's",
                "set a WORKDIR such as /app",
            )
    return None


# The image


def runner(reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """See :meth:`Language.runner`."""
    parts = _parts(reading)
    if isinstance(parts, Refused):
        return parts
    case = parts.case._replace(say=[])
    found = (
        bun_split.runner(case, parts.server, wish) if case.image.family == "bun" else _image(case, parts, needs, wish)
    )
    if isinstance(found, Refused):
        return found
    pruning, project = WHOLE, case.project
    if project is not None and parts.kept.needs_packages:
        refusal = why_plug_and_play(project)
        if refusal is not None:
            return refusal
        pruning = prune(case, project, parts.needs_dev, found, is_whole=parts.kept.whole)
    refusal = _why_no_gain(case, found, pruning, parts)
    if refusal is not None:
        return refusal
    home, workdir = reading.final_workdir, _last_workdir(case)
    made = {join(home, name) for name in ("node_modules", "package.json")} if pruning.installs else set()
    tail = [pruning.written(workdir)] if pruning.command else []
    if parts.kept.removals:
        tail.append("rm -rf " + " ".join(below(path, workdir) or path for path in parts.kept.removals))
    head = _environment(case, parts)
    return Runner(
        found,
        has_shell=wish != "distroless",
        evidence=tuple(case.say),
        head=(head,) if head is not None else (),
        installs=pruning.installs,
        made=frozenset(made),
        tail=tuple(tail),
    )


def _last_workdir(case: Case) -> str:
    """Where the builder's last step works."""
    built = [step for step, _, _ in case.kind.builds] + [project.step for project in case.projects]
    built += [step for step in case.reading.steps if step.keyword in {"COPY", "ADD"} and step.node.flag("from") is None]
    last = max(built, key=lambda step: case.reading.position(step.node), default=None)
    return case.reading.final_workdir if last is None else last.workdir


def _image(case: Case, parts: _Parts, needs: Needs, wish: str | None) -> str | Refused:
    image = case.image
    if wish == "scratch":
        return Refused(
            "a Node program needs node, which scratch has not", 'use runner = "slim", "alpine" or "distroless"'
        )
    if wish == "alpine" and image.distro != "alpine":
        return _alpine(case, parts.lock, needs)
    if wish == "distroless":
        return _distroless(case, needs)
    if image.variant != "fat":
        return case.reading.stage.image
    found = variant_reference(case.reading, "slim")
    if isinstance(found, Refused):
        return found
    needed = libraries(case.natives, image.distro or "debian", image.release)
    if isinstance(needed, str):
        case.say.append(
            f"the runner keeps {case.reading.stage.image}: which libraries of it {needed} is linked with is not known"
        )
        return case.reading.stage.image
    for project in case.projects:
        judged = judge(case.context, project.lock, project.package, production=True)
        if judged.unknown:
            case.say.append(
                f"{judged.why_unknown}: what is compiled is compiled on {case.reading.stage.image} and copied, with the"
                " libraries that are known to be needed"
            )
    return found


def _why_not_installed(case: Case, found: str, needs: Needs, why: str) -> Refused | None:
    """A package that the program needs, and that the image has not and cannot get."""
    image = lookup(case.reading.file.expand(found, case.reading.stage.from_) or found)
    has = image.preinstalled if image is not None else frozenset[str]()
    missing = [name for name in needs.packages if name not in has]
    return Refused(f"{why} {', '.join(missing)}, which the program needs", 'use runner = "slim"') if missing else None


def _alpine(case: Case, lock: NodeLock | None, needs: Needs) -> str | Refused:
    if lock is None:
        return Refused(
            "without a lockfile that can be read it is not known whether packages are bound to glibc,"
            " which Alpine lacks"
        )
    why = lock.why_not_pure(production=True)
    if why is not None:
        return Refused(f"the packages cannot move to Alpine's C library: {why}", 'use runner = "slim"')
    if "bash" in programs_started(case.reading):
        return Refused("what is started is run by bash, which Alpine has not", 'use runner = "slim"')
    for step in case.reading.runs:
        names = {(one.name or "").rpartition("/")[2] for one in step.commands if is_set_up(one)} & _NOT_ON_ALPINE
        if names:
            line = case.reading.file.line_of(step.node)
            return Refused(f"Alpine has no {min(names)}, which the runner needs on line {line}", 'use runner = "slim"')
    found = variant_reference(case.reading, "alpine")
    if isinstance(found, Refused):
        return found
    return _why_not_installed(case, found, needs, "alpine may have other names for") or found


def _distroless(case: Case, needs: Needs) -> str | Refused:
    reading = case.reading
    found = variant_reference(reading, "distroless")
    if isinstance(found, Refused):
        return found
    cmd, health = reading.last("CMD"), reading.last("HEALTHCHECK")
    if reading.last("ENTRYPOINT") is not None or cmd is None or cmd.json is None or cmd.json[:1] != ("node",):
        return Refused(
            "distroless has no shell and no package manager, and the program is not started by node in exec form",
            'write CMD ["node", "file.js"]',
        )
    if health is not None and health.argument.upper() != "NONE" and health.json is None:
        return Refused("distroless has no shell, which the HEALTHCHECK needs", "write the HEALTHCHECK in exec form")
    answer = written(reading)
    places = answer.paths if not isinstance(answer, Refused) else ("a place that is not known",)
    lasting = [path for path in places if path != "/tmp" and not path.startswith("/tmp/")]
    if lasting:
        return Refused(
            f"the program writes to {lasting[0]}, which distroless has no shell to give to its user",
            'write below /tmp, or use runner = "slim"',
        )
    needed = libraries(case.natives, "debian", case.image.release)
    if needed:
        name = needed if isinstance(needed, str) else next(iter(needed))
        return Refused(f"{name} is not known to run with the libraries that distroless has", 'use runner = "slim"')
    shell = next((why for why in needs.shell if "sets the system up" in why), None)
    if shell is not None:
        return Refused(f"{shell}, and distroless has no shell", 'use runner = "slim"')
    return _why_not_installed(case, found, needs, "distroless cannot install") or found


def _why_no_gain(case: Case, runner: str, pruning: Pruning, parts: _Parts) -> Refused | None:
    """Why the image would not get smaller."""
    if runner != case.reading.stage.image or build_only(case.reading) or pruning.command or pruning.installs:
        return None
    others = [project for project in case.projects if project.folder != parts.unit.folder]
    if not parts.kept.needs_packages or any(below(project.folder, parts.unit.folder) for project in others):
        return None
    why = next((line for line in case.say if line.startswith("node_modules is kept whole")), "")
    return Refused(
        f"the image would not get smaller: the base is {runner} already, and there is nothing to"
        " leave out" + (f" ({why})" if why else ""),
        "move what only the build needs to devDependencies",
    )


def _environment(case: Case, parts: _Parts) -> str | None:
    """NODE_ENV=production where the author's own sources do not look at it."""
    if not parts.kept.needs_packages and all(ran.program in STATIC_SERVERS for ran in case.start.runs):
        return None
    for step in case.reading.steps:
        if step.keyword in {"ENV", "ARG"} and any(name == "NODE_ENV" for name, _ in step.node.pairs):
            return None
    for ran in case.start.runs:
        unit = case.layout.unit(ran.folder)
        if unit is not None and ran.via and any("NODE_ENV" in text for text in unit.package.scripts.values()):
            return None
    files = parts.server.files
    for path in files:
        line = facts(case.context, path).node_env
        if line is not None:
            case.say.append(f"NODE_ENV is left as it was: {path}:{line} decides by it")
            return None
    for name in sorted(_CHOOSE_BY_NODE_ENV):
        if name in parts.unit.package.wanted:
            case.say.append(f"NODE_ENV is left as it was: {name} chooses settings by it")
            return None
    if files:
        case.say.append(f"{named(files)}: none reads NODE_ENV; production makes express and its like faster")
    return "ENV NODE_ENV=production"


__all__ = ["needs", "runner"]
