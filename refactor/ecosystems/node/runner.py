"""What the runner of a Node or Bun stage gets, and the image that it is built on."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.tables import closed, table
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.node.builds import compiled
from refactor.ecosystems.node.keeping import Keep, keep
from refactor.ecosystems.node.known import names, packages
from refactor.ecosystems.node.layout import Unit, below
from refactor.ecosystems.node.lockfiles import NodeLock
from refactor.ecosystems.node.native import called_programs, judge, libraries, needed_packages
from refactor.ecosystems.node.needs import Server, program, why_dev_needed
from refactor.ecosystems.node.outputs import option_value
from refactor.ecosystems.node.package_json import PackageJson
from refactor.ecosystems.node.programs import RUNTIMES
from refactor.ecosystems.node.projects import Project, why_plug_and_play
from refactor.ecosystems.node.pruning import WHOLE, Pruning, prune
from refactor.ecosystems.node.sources import facts, found_in
from refactor.ecosystems.node.splitting import Case, case_of, owner_of, why_not_followed
from refactor.ecosystems.node.writing import written
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS, build_only, is_set_up
from refactor.flow.closure import named, why_not_seen
from refactor.flow.reading import Refused, StageReading, join
from refactor.images import lookup

_SLIM = 'use runner = "slim"'


class _Parts(NamedTuple):
    """What the needs and the choice of an image rest on, found out once."""

    case: Case
    unit: Unit
    server: Server
    needs_dev: str | None
    """Why what is started needs development dependencies."""
    kept: Keep


def _parts(reading: StageReading) -> _Parts | Refused:
    return reading.remember("node parts", lambda: _read_parts(case_of(reading)))


def _read_parts(case: Case) -> _Parts | Refused:
    unit, server = case.unit, case.start.server
    if unit is None:
        return Refused(f"no package.json is known for what is started in {case.reading.final_workdir}")
    if isinstance(server, Refused):
        return server
    seen = why_not_seen(case.reading) or program(case.reading)
    refused = seen if isinstance(seen, Refused) else _why_not_read(case, server)
    needed = _members(case.project, unit) if refused is None else refused
    if isinstance(needed, Refused):
        return needed
    root, lock = case.root.package, case.lock
    is_bundled = _is_bundled(case, unit, server)
    needs_dev = why_dev_needed(case.start, unit, root, lock, is_bundled=is_bundled)
    # What an install without development dependencies makes a node_modules of.
    has_packages = bool(root.dependencies or root.optional_dependencies or root.peer_dependencies)
    has_packages = has_packages or bool(needed) or needs_dev is not None
    is_inside = is_bundled and not needed and _has_packages_inside(case, root, lock, server)
    kept = keep(case, unit, needed, server, has_packages=has_packages and not is_inside)
    return kept if isinstance(kept, Refused) else _Parts(case, unit, server, needs_dev, kept)


def _is_bundled(case: Case, unit: Unit, server: Server) -> bool:
    """What is started has the packages that its sources import inside."""
    builds = [built for _, _, built in case.kind.builds if built.outputs and built.brings_code]
    own = [built for built in builds if below(built.ran.folder, unit.folder) is not None]
    return not server.is_interpreted and bool(own) and all(built.is_bundle for built in own)


def _members(project: Project | None, unit: Unit) -> tuple[Unit, ...] | Refused:
    """The members of the workspace that what is started depends on, itself included; () without a workspace."""
    others = project.members if project is not None else ()
    if not others or project is None or isinstance(others, Refused):
        return others if isinstance(others, Refused) else ()
    by_name = {member.name: member.path for member in others if member.name}
    packages = {package.path: package for package in (*others, project.package, unit.package)}
    # Where the root itself is started, it may load any of its members.
    started = packages if unit.package.path == project.package.path else (unit.package.path,)
    needed = {path: [by_name[name] for name in (*one.dependencies, *one.optional_dependencies, *one.peer_dependencies)
                     if name in by_name] for path, one in packages.items()}  # fmt: skip
    wanted = closed(started, needed)
    units = (Unit(project.unit.place(one.folder), one) for path, one in packages.items() if path in wanted)
    return tuple(one for one in units if one.folder != project.folder)


# What it gets


def needs(program: Program) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    reading, flow = program.reading, program.flow
    parts = _parts(reading)
    if isinstance(parts, Refused):
        return parts
    case, kept, acts = parts.case, parts.kept, tuple(flow.acts(reading))
    refusal = why_not_followed(case, acts, kept.chosen, is_whole=kept.whole) or _why_not_copied(kept)
    if refusal is not None:
        return refusal
    removed = [path for act in acts for path in act.effect.removes if isinstance(path, str)]
    gone = [path for path in removed if not flow.makers(reading, path)]
    paths = {path: "the application" for path in kept.paths if not any(below(path, one) is not None for one in gone)}
    for act in acts:
        if act.call is None and act.step.step.node.flag("from") is not None:
            inside = [path for path in act.effect.writes if isinstance(path, str) and path not in kept.chosen]
            paths.update({path: "a COPY makes it" for path in inside if any(below(path, one) for one in kept.chosen)})
    needed: dict[str, str] = {}
    if case.image.variant == "fat":
        found = libraries(case.natives, case.image.distro or "debian", case.image.release)
        needed = {**(found if isinstance(found, dict) else {}), **needed_packages(case.lock, case.root.package)}
    if case.image.distro == "alpine" and case.image.family == "bun" and _why_not_alone(case, parts.server) is None:
        # readelf of the musl build of Bun 1.2: libc.musl, libstdc++.so.6, libgcc_s.so.1
        needed |= dict.fromkeys(("libgcc", "libstdc++"), "a program that Bun compiles is linked with it")
    called = called_programs(case.context, parts.server.files)
    called.update({ran.program: ran.shown for ran in case.start.all if ran.program in {"python", "python3"}})
    builds = [built for _, _, built in case.kind.builds]
    story = [f"{built.ran.shown} writes {', '.join(built.outputs)}" for built in builds if built.outputs]
    evidence = (*story, *(native.why for native in case.natives), *kept.evidence, *case.say)
    return Needs(paths, called, needed, evidence=evidence, files=kept.files, chosen=kept.chosen, owner=owner_of(case))


def _why_not_copied(kept: Keep) -> Refused | None:
    for path in kept.paths:
        if re.search(r"[\s\"'$\[\]*?\\]", path) is not None:
            return Refused(f"the name of {path} has characters that COPY treats specially")
        if path[1:] in names("system-folders"):
            because = f"the application lives in / and brings a folder {path}, which is the system's"
            return Refused(because, "set a WORKDIR such as /app")
    return None


# The image


def runner(reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """See :meth:`Language.runner`."""
    parts = _parts(reading)
    if isinstance(parts, Refused):
        return parts
    parts = parts._replace(case=parts.case._replace(say=[]))
    case, kept, pruning, project = parts.case, parts.kept, WHOLE, parts.case.project
    found = _bun_image(parts, wish) if case.image.family == "bun" else _image(parts, needs, wish)
    if isinstance(found, Refused):
        return found
    if project is not None and kept.needs_packages:
        refusal = why_plug_and_play(case.context, project.unit) if project.manager == "yarn" else None
        if refusal is not None:
            return refusal
        pruning = prune(case, project, parts.needs_dev, found, is_whole=kept.whole)
    refusal = _why_no_gain(found, pruning, parts)
    if refusal is not None:
        return refusal
    workdir, head = _last_workdir(case), _environment(parts)
    tail = [pruning.written(workdir)] if pruning.command else []
    if kept.removals:
        tail.append("rm -rf " + " ".join(below(path, workdir) or path for path in kept.removals))
    made = ("node_modules", "package.json") if pruning.installs else ()
    return Runner(
        found,
        has_shell=wish != "distroless",
        evidence=tuple(case.say),
        head=(head,) if head is not None else (),
        installs=pruning.installs,
        made=frozenset(join(reading.final_workdir, name) for name in made),
        tail=tuple(tail),
    )


def _last_workdir(case: Case) -> str:
    """Where the builder's last step works."""
    built = [step for step, _, _ in case.kind.builds] + [project.step for project in case.projects]
    built += [step for step in case.reading.steps if step.keyword in {"COPY", "ADD"} and step.node.flag("from") is None]
    last = max(built, key=lambda step: case.reading.position(step.node), default=None)
    return case.reading.final_workdir if last is None else last.workdir


def _image(parts: _Parts, needs: Needs, wish: str | None) -> str | Refused:
    case, image, own = parts.case, parts.case.image, parts.case.reading.stage.image
    if wish == "scratch":
        because = "a Node program needs node, which scratch has not"
        return Refused(because, 'use runner = "slim", "alpine" or "distroless"')
    if wish == "distroless" or (wish == "alpine" and image.distro != "alpine"):
        found = variant_reference(case.reading, wish)
        if isinstance(found, Refused):
            return found
        why = _why_not_alpine(parts) if wish == "alpine" else _why_not_distroless(case, needs)
        return why or _why_not_installed(case, found, needs) or found
    if image.variant != "fat":
        return own
    found, needed = variant_reference(case.reading, "slim"), libraries(
        case.natives, image.distro or "debian", image.release
    )  # fmt: skip
    if isinstance(needed, str) and not isinstance(found, Refused):
        case.say.append(f"the runner keeps {own}: which libraries of it {needed} is linked with is not known")
        return own
    for project in case.projects if not isinstance(found, Refused) else ():
        judged = judge(case.context, project.lock, project.package, production=True)
        if judged.unknown:
            rest = "with the libraries that are known to be needed"
            case.say.append(f"{judged.why_unknown}: what is compiled is compiled on {own} and copied, {rest}")
    return found


def _why_not_installed(case: Case, found: str, needs: Needs) -> Refused | None:
    """A package that the program needs, and that the image has not and cannot get."""
    image = lookup(case.reading.file.expand(found, case.reading.stage.from_) or found)
    has = image.preinstalled if image is not None else frozenset[str]()
    missing = ", ".join(name for name in needs.packages if name not in has)
    return Refused(f"{missing}, which the program needs, may not be found on {found}", _SLIM) if missing else None


def _why_not_alpine(parts: _Parts) -> Refused | None:
    lock, reading = parts.case.lock, parts.case.reading
    if lock is None:
        return Refused(
            "without a lockfile that can be read it is not known whether packages are bound to glibc,"
            " which Alpine lacks"
        )
    why = lock.why_not_pure(production=True)
    if why is not None:
        return Refused(f"the packages cannot move to Alpine's C library: {why}", _SLIM)
    if "bash" in programs_started(reading):
        return Refused("what is started is run by bash, which Alpine has not", _SLIM)
    for step in reading.runs:
        called = {(one.name or "").rpartition("/")[2] for one in step.commands if is_set_up(one)}
        missing = min(called & names("not-on-alpine"), default=None)
        if missing is not None:
            line = reading.file.line_of(step.node)
            return Refused(f"Alpine has no {missing}, which the runner needs on line {line}", _SLIM)
    return None


def _why_not_distroless(case: Case, needs: Needs) -> Refused | None:
    reading = case.reading
    cmd, health = reading.last("CMD"), reading.last("HEALTHCHECK")
    if reading.last("ENTRYPOINT") is not None or cmd is None or cmd.json is None or cmd.json[:1] != ("node",):
        because = "distroless has no shell and no package manager, and the program is not started by node in exec form"
        return Refused(because, 'write CMD ["node", "file.js"]')
    if health is not None and health.argument.upper() != "NONE" and health.json is None:
        return Refused("distroless has no shell, which the HEALTHCHECK needs", "write the HEALTHCHECK in exec form")
    answer = written(reading)
    places = answer.paths if not isinstance(answer, Refused) else ("a place that is not known",)
    if places:
        because = f"the program writes to {places[0]}, which distroless has no shell to give to its user"
        return Refused(because, f"write below /tmp, or {_SLIM}")
    needed = libraries(case.natives, "debian", case.image.release)
    if needed:
        name = needed if isinstance(needed, str) else next(iter(needed))
        return Refused(f"{name} is not known to run with the libraries that distroless has", _SLIM)
    shell = next((why for why in needs.shell if "sets the system up" in why), None)
    return None if shell is None else Refused(f"{shell}, and distroless has no shell", _SLIM)


def _why_no_gain(runner: str, pruning: Pruning, parts: _Parts) -> Refused | None:
    """Why the image would not get smaller."""
    case = parts.case
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


def _environment(parts: _Parts) -> str | None:
    """NODE_ENV=production where the author's own sources do not look at it."""
    case, files = parts.case, parts.server.files
    is_set = any(name == "NODE_ENV" for step in case.reading.steps if step.keyword in {"ENV", "ARG"}
                 for name, _ in step.node.pairs)  # fmt: skip
    if is_set or (not parts.kept.needs_packages and case.start.is_static):
        return None
    for ran in case.start.runs:
        unit = case.layout.unit(ran.folder)
        if unit is not None and ran.via and any("NODE_ENV" in text for text in unit.package.scripts.values()):
            return None
    found = found_in(case.context, files, r"\bNODE_ENV\b")
    package = next((name for name in sorted(names("choose-by-node-env")) if name in parts.unit.package.wanted), None)
    if found is not None or package is not None:
        why = f"{found[0]} decides" if found is not None else f"{package} chooses settings"
        case.say.append(f"NODE_ENV is left as it was: {why} by it")
        return None
    if files:
        case.say.append(f"{named(files)}: none reads NODE_ENV; production makes express and its like faster")
    return "ENV NODE_ENV=production"


# Bun


def _why_not_read(case: Case, server: Server) -> Refused | None:
    """What Bun loads at start besides what the sources name."""
    if case.image.family != "bun":
        return None
    settings = posixpath.join(case.layout.source(case.reading.final_workdir) or "", "bunfig.toml")
    found = case.context.toml(settings) if case.context.exists(settings) is True else {}
    if isinstance(found, Unknown):
        return Refused(f"what Bun loads at start is not known: {found.reason}")
    if table(found).get("preload"):
        return Refused(f"{settings} has Bun load other sources at start (preload)", "import them in the program itself")
    worker = found_in(case.context, () if server.is_interpreted else server.files, r"\bnew\s+Worker\s*\(")
    if worker is not None:
        because = f"{worker[0].rpartition(':')[0]} starts a worker, whose source Bun looks for where the program runs"
        return Refused(because, "start the program from its source, or split by hand")
    is_source = any(ran.program == "bun" for ran in case.start.runs) and server.is_interpreted
    for path in server.files if is_source else ():
        page = next((one for one in facts(case.context, path).relative if one.endswith(".html")), None)
        if page is not None:
            because = f"{path} imports {page}, whose scripts Bun bundles when the program starts"
            return Refused(because, "build with `bun build --target bun` in a RUN, and start the result")
    return None


def _has_packages_inside(case: Case, root: PackageJson, lock: NodeLock | None, server: Server) -> bool:
    """Nothing that is started looks for a package in node_modules: the bundles have them inside."""
    made = [built for _, _, built in case.kind.builds if built.outputs and built.brings_code]
    if not made or not all(built.ran.program == "bun build" and built.is_bundle for built in made):
        return False
    entries, outputs = dict(case.start.entries()), [output for built in made for output in built.outputs or ()]
    places = [entries.get(ran) for ran in case.start.all]
    if not all(place and any(below(place, output) is not None for output in outputs) for place in places):
        return False
    names = {*root.dependencies, *root.optional_dependencies}
    names = names if lock is None else {one.name for one in lock.packages if not one.is_dev}
    other = sorted(name for name in names - packages("opens-nothing") if not name.startswith("@types/"))
    why = f"whether {other[0]} opens files of its own is not known" if other else ""
    why = why or (f"{server.dynamic} loads by computed names" if server.dynamic is not None else "")
    inside = f"{', '.join(outputs)} has {', '.join(sorted(root.dependencies)) or 'all'} inside"
    told = f"node_modules is copied beside the bundle: {why}" if why else f"node_modules is left behind: {inside}"
    case.say.append(told)
    return not why


def _bun_image(parts: _Parts, wish: str | None) -> str | Refused:
    """A small distribution for a compiled program, else the slim image of the same Bun."""
    case, image, made = parts.case, parts.case.image, compiled(parts.case.layout)
    if wish in {"scratch", "distroless"}:
        return Refused(f"what Bun needs is not in {wish}", _SLIM)
    why, is_alpine = _why_not_alone(case, parts.server), image.distro == "alpine"
    if made is not None and why is None:
        if wish == ("slim" if is_alpine else "alpine"):
            return Refused(f"{made.ran.shown} makes a program for {'musl' if is_alpine else 'glibc'}")
        linked = "musl, libstdc++ and libgcc" if is_alpine else "glibc"
        case.say.append(f"{made.ran.shown} makes a program that has Bun inside and is linked with {linked} alone")
        # The program is a copy of Bun itself: it runs on any release that has such a C library.
        return f"alpine:{image.release or '3'}" if is_alpine else f"debian:{image.release or 'bookworm'}-slim"
    case.say.extend([f"the runner has Bun: {why}"] if why else [])
    return variant_reference(case.reading, "slim") if image.variant == "fat" else case.reading.stage.image


def _why_not_alone(case: Case, server: Server) -> str | None:
    """Why what is started needs an image that has Bun; None for a program of its own."""
    made = compiled(case.layout)
    if made is None:
        return ""
    called = next((ran for ran in case.start.all if ran.manager or ran.program in RUNTIMES | {"bunx"}), None)
    if called is not None:
        return f"{called.shown} is called"
    target = option_value(made.ran.args, "--target") or "bun"
    if target != "bun" and not ("linux" in target and ("musl" in target) == (case.image.distro == "alpine")):
        return f"{made.ran.shown} compiles for {target}"
    for path in server.files:
        about = facts(case.context, path)
        # Bun's own shell: $`bunx prisma migrate deploy`
        names = [*about.spawns, *re.findall(r"\$`\s*(bunx?|node)\b", about.text)]
        name = next((one for one in names if one in {"bun", "bunx", "node"}), None)
        if name is not None:
            return f"{path} calls {name}"
    for step, call in case.reading.calls:
        if call.manager in SYSTEM_MANAGERS and call.action == "install":
            return f"line {case.reading.file.line_of(step.node)} installs packages of the release that Bun's image has"
    return None
