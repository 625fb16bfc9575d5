"""Where a program of Bun goes, and what goes along: packages beside a bundle, libraries, settings that Bun reads."""

from __future__ import annotations

import posixpath
import re

from refactor.context import Unknown
from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.context.tables import table
from refactor.ecosystems.node.bun import compiled
from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.layout import below
from refactor.ecosystems.node.needs import Server
from refactor.ecosystems.node.outputs import option_value
from refactor.ecosystems.node.packages import packages
from refactor.ecosystems.node.programs import MANAGERS, RUNTIMES
from refactor.ecosystems.node.sources import facts
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.system import MANAGERS as SYSTEM_MANAGERS
from refactor.flow.reading import Refused


def why_not_alone(case: Case, server: Server) -> str | None:
    """Why what is started needs an image that has Bun; None for a program of its own."""
    made = compiled(case.layout)
    if made is None:
        return ""
    for ran in case.start.all:
        if ran.program.split(" ")[0] in RUNTIMES | MANAGERS | {"bunx"}:
            return f"{ran.shown} is called"
    target = option_value(made.ran.args, "--target") or "bun"
    is_same = "linux" in target and ("musl" in target) == (case.image.distro == "alpine")
    if target != "bun" and not is_same:
        return f"{made.ran.shown} compiles for {target}"
    for path in server.files:
        about = facts(case.context, path)
        name = next((one for one in about.spawns if one in {"bun", "bunx", "node"}), None)
        # Bun's own shell: $`bunx prisma migrate deploy`
        shell = re.search(r"\$`\s*(bunx?|node)\b", about.text) if name is None else None
        if name is not None or shell is not None:
            return f"{path} calls {name or (shell[1] if shell else '')}"
    for step, call in case.reading.calls:
        if call.manager in SYSTEM_MANAGERS and call.action == "install":
            return f"line {case.reading.file.line_of(step.node)} installs packages of the release that Bun's image has"
    return None


def runner(case: Case, server: Server, wish: str | None) -> str | Refused:
    """A small distribution for a compiled program, else the slim image of the same Bun."""
    image, made = case.image, compiled(case.layout)
    if wish in {"scratch", "distroless"}:
        return Refused(f"what Bun needs is not in {wish}", 'use runner = "slim"')
    why = why_not_alone(case, server)
    if made is not None and why is None:
        is_alpine = image.distro == "alpine"
        if wish == ("slim" if is_alpine else "alpine"):
            return Refused(f"{made.ran.shown} makes a program for {'musl' if is_alpine else 'glibc'}")
        needs = "musl, libstdc++ and libgcc" if is_alpine else "glibc"
        case.say.append(f"{made.ran.shown} makes a program that has Bun inside and is linked with {needs} alone")
        # The program is a copy of Bun itself: it runs on any release that has such a C library.
        return f"alpine:{image.release or '3'}" if is_alpine else f"debian:{image.release or 'bookworm'}-slim"
    if why:
        case.say.append(f"the runner has Bun: {why}")
    return variant_reference(case.reading, "slim") if image.variant == "fat" else case.reading.stage.image


def libraries(case: Case, server: Server) -> dict[str, str]:
    """Packages of the distribution that a compiled program is linked with, beside its C library."""
    if case.image.family != "bun" or case.image.distro != "alpine" or why_not_alone(case, server) is not None:
        return {}
    # readelf of the musl build of Bun 1.2: libc.musl, libstdc++.so.6, libgcc_s.so.1
    return dict.fromkeys(("libgcc", "libstdc++"), "a program that Bun compiles is linked with it")


def why_not_read(case: Case, server: Server) -> Refused | None:
    """What Bun loads at start besides what the sources name."""
    folder = case.layout.source(case.reading.final_workdir) or ""
    settings = posixpath.join(folder, "bunfig.toml")
    found = case.context.toml(settings) if case.context.exists(settings) is True else {}
    if isinstance(found, Unknown):
        return Refused(f"what Bun loads at start is not known: {found.reason}")
    if table(found).get("preload"):
        return Refused(f"{settings} has Bun load other sources at start (preload)", "import them in the program itself")
    for path in () if server.is_interpreted else server.files:
        if re.search(r"\bnew\s+Worker\s*\(", facts(case.context, path).text) is not None:
            return Refused(
                f"{path} starts a worker, whose source Bun looks for where the program runs",
                "start the program from its source, or split by hand",
            )
    if any(ran.program == "bun" for ran in case.start.runs) and server.is_interpreted:
        for path in server.files:
            page = next((one for one in facts(case.context, path).relative if one.endswith(".html")), None)
            if page is not None:
                return Refused(
                    f"{path} imports {page}, whose scripts Bun bundles when the program starts",
                    "build with `bun build --target bun` in a RUN, and start the result",
                )
    return None


def has_packages_inside(case: Case, root: PackageJson, lock: NodeLock | None, server: Server) -> bool:
    """Nothing that is started looks for a package in node_modules: the bundles have them inside."""
    made = [built for _, _, built in case.kind.builds if built.outputs and built.brings_code]
    if not made or not all(built.ran.program == "bun build" and built.is_bundle for built in made):
        return False
    entries = dict(case.start.entries())
    outputs = [output for built in made for output in built.outputs or ()]
    for ran in case.start.all:
        place = entries.get(ran)
        if place is None or not any(below(place, output) is not None for output in outputs):
            return False
    names = {one.name for one in lock.packages if not one.is_dev} if lock is not None else None
    if names is None:
        names = {*root.dependencies, *root.optional_dependencies}
    other = sorted(name for name in names - packages("opens-nothing") if not name.startswith("@types/"))
    if other or server.dynamic is not None:
        why = (
            f"whether {other[0]} opens files of its own is not known"
            if other
            else f"{server.dynamic} loads by computed names"
        )
        case.say.append(f"node_modules is copied beside the bundle: {why}")
        return False
    case.say.append(
        f"node_modules is left behind: {', '.join(outputs)} has {', '.join(sorted(root.dependencies)) or 'all'} inside"
    )
    return True


__all__ = ["has_packages_inside", "libraries", "runner", "why_not_read"]
