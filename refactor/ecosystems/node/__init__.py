"""Node projects: npm, Yarn, pnpm and Bun; TypeScript and other builds; plain JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.rules import rule
from refactor.ecosystems.table import Language

if TYPE_CHECKING:
    from refactor.ecosystems.answers import SplitPlan
    from refactor.ecosystems.program import Program
    from refactor.ecosystems.versions import Naming
    from refactor.flow.reading import Refused, StageReading
    from refactor.flow.roots import Root

_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun", "corepack"})
_PROGRAMS = frozenset(
    {"node", "npm", "npx", "yarn", "pnpm", "bun", "bunx", "nodejs", "nodemon", "pm2", "pm2-runtime", "tsx", "ts-node"}
)


class Node(Language):
    """What is known of Node's tooling. The rules are in the modules of this package, imported when they are asked."""

    name = "Node"
    carries_builds = False
    families = frozenset({"node", "bun"})
    sources = r"\.(?:[cm]?[jt]sx?|vue|svelte)\Z|(?:^|/)package\.json\Z"
    build_packages = frozenset(
        """python3 python python2 python-is-python3 python3-minimal python3-distutils python3-setuptools
        py3-setuptools""".split()
    )
    system_packages = frozenset("nodejs npm nodejs-npm nodejs-current yarn yarnpkg corepack libnode-dev".split())
    programs = frozenset(
        "npm npx yarn yarnpkg pnpm pnpx bun bunx corepack node nodejs tsc vite next nest ng webpack esbuild".split()
    )

    effect = rule("installing")
    installs = rule("installing")
    production_install = rule("installing")
    own_scripts = rule("manifests")
    handed_on = rule("pruning")
    pruned = rule("pruning")
    built_start = rule("starting")
    direct_start = rule("starting")
    static_site = rule("static_site")
    assets = rule("assets")
    left_behind = rule("assets")
    slim = rule("slimming")
    needs = rule("runner")
    runner = rule("runner")
    stays_inside = rule("splitting")
    roles = rule("splitting")
    tests = rule("testing")
    program = rule("needs")
    probe = rule("health")
    serving = rule("health")
    written = rule("writing")

    def recognises(self, reading: StageReading) -> bool:
        image, start = reading.image, reading.start
        if image is not None and (image.family in {"node", "bun"} or "/nodejs" in image.reference):
            return True
        if not reading.managers.isdisjoint(_MANAGERS):
            return True
        if start is None or start.program.rpartition("/")[2] in _PROGRAMS:
            return start is not None
        if reading.parent is None and not reading.copies_of_stages:
            return False
        from refactor.ecosystems.node.bun import compiled
        from refactor.ecosystems.node.layout import Layout

        return compiled(Layout.of(reading)) is not None

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.node.splitting import split

        return split(self, reading, runner)

    def roots(self, reading: StageReading) -> tuple[Root, ...]:
        """One for all that is started: scripts of package.json stand behind it."""
        from refactor.flow.roots import Root

        start = reading.start
        if start is None:
            return ()
        where = f"{start.nodes[-1].keyword} on line {reading.file.line_of(start.nodes[-1])}"
        return (Root(start.argv or ("node",), reading.final_workdir, where),)

    def programs_of(self, reading: StageReading) -> tuple[Program, ...]:
        from refactor.ecosystems.program import Program

        flow = self.flow(reading)
        return tuple(Program(root, "", None, "", reading, flow) for root in self.roots(reading))

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.node.version import NAMING

        return NAMING if family == "node" else None
