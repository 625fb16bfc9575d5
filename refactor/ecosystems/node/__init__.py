"""Node projects: npm, Yarn, pnpm and Bun; TypeScript and other builds; plain JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import (
        Assets,
        Behind,
        BuiltStart,
        DirectStart,
        Install,
        Pruned,
        Rewrite,
        Slim,
        SplitPlan,
        StaticSite,
        Written,
    )
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.ecosystems.serving import Serving
    from refactor.ecosystems.split import Role
    from refactor.ecosystems.system import RunnerPackages
    from refactor.ecosystems.versions import Naming
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.graph import Act
    from refactor.flow.roots import Root
    from refactor.syntax import Instruction

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

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.node.installing import effect

        return effect(call)

    def recognises(self, reading: StageReading) -> bool:
        image = reading.image
        if image is not None and (image.family in {"node", "bun"} or "/nodejs" in image.reference):
            return True
        if not reading.managers.isdisjoint(_MANAGERS):
            return True
        start = reading.start
        if start is None or start.program.rpartition("/")[2] in _PROGRAMS:
            return start is not None
        if reading.parent is None and not reading.copies_of_stages:
            return False
        from refactor.ecosystems.node.bun import has_bun_compile

        return has_bun_compile(reading)

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.node.installing import installs

        return installs(reading)

    def built_start(self, reading: StageReading) -> BuiltStart | Refused | None:
        from refactor.ecosystems.node.starting import built_start

        return built_start(reading)

    def direct_start(self, reading: StageReading) -> DirectStart | Refused | None:
        from refactor.ecosystems.node.starting import direct_start

        return direct_start(reading)

    def static_site(self, reading: StageReading) -> StaticSite | Refused | None:
        from refactor.ecosystems.node.static_site import static_site

        return static_site(reading)

    def assets(self, reading: StageReading) -> Assets | Refused | None:
        from refactor.ecosystems.node.assets import assets

        return assets(reading)

    def left_behind(self, reading: StageReading) -> tuple[str, ...] | Refused | None:
        from refactor.ecosystems.node.assets import left_behind

        return left_behind(reading)

    def own_scripts(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        from refactor.ecosystems.node.manifests import own_scripts

        return own_scripts(reading)

    def production_install(self, reading: StageReading) -> Sequence[Rewrite | tuple[Step, Refused]]:
        from refactor.ecosystems.node.installing import production_install

        return production_install(reading)

    def handed_on(self, reading: StageReading) -> Sequence[Behind | tuple[Step, Refused]]:
        from refactor.ecosystems.node.pruning import handed_on

        return handed_on(reading)

    def pruned(self, reading: StageReading) -> Pruned | tuple[Step, Refused] | None:
        from refactor.ecosystems.node.pruning import pruned

        return pruned(reading)

    def slim(self, reading: StageReading) -> Slim | Refused | None:
        from refactor.ecosystems.node.slimming import slim

        return slim(reading)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.node.splitting import split

        return split(self, reading, runner)

    def roots(self, reading: StageReading) -> tuple[Root, ...] | Refused:
        """One for all that is started: scripts of package.json stand behind it."""
        from refactor.flow.roots import Root

        start = reading.start
        if start is None:
            return ()
        where = f"{start.nodes[-1].keyword} on line {reading.file.line_of(start.nodes[-1])}"
        return (Root(start.argv or ("node",), reading.final_workdir, where),)

    def programs_of(self, reading: StageReading) -> tuple[Program, ...] | Refused:
        from refactor.ecosystems.program import Program

        roots = self.roots(reading)
        if isinstance(roots, Refused):
            return roots
        return tuple(Program(root, "", None, "", reading, self.flow(reading)) for root in roots)

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.node.runner import needs

        return needs(program.reading, program.flow)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.node.runner import runner

        return runner(reading, needs, wish)

    def stays_inside(self, act: Act) -> bool:
        from refactor.ecosystems.node.splitting import stays_inside

        return stays_inside(act)

    def roles(
        self, reading: StageReading, roles: dict[Instruction, Role], packages: RunnerPackages
    ) -> dict[Instruction, Role] | Refused:
        from refactor.ecosystems.node.case import case_of
        from refactor.ecosystems.node.splitting import roles_of

        return roles_of(case_of(reading), roles, packages)

    def tests(self, reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
        from refactor.ecosystems.node.testing import tests

        return tests(reading, plan)

    def program(self, reading: StageReading) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.node.needs import program

        return program(reading)

    def probe(self, reading: StageReading, route: str, port: int) -> tuple[str, ...]:
        from refactor.ecosystems.node.health import probe
        from refactor.ecosystems.serving import Port

        return probe(reading, route, Port(port))

    def serving(self, reading: StageReading) -> Serving | Refused | None:
        from refactor.ecosystems.node.health import serving

        return serving(reading)

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.ecosystems.node.writing import written

        return written(reading)

    def naming(self, family: str) -> Naming | None:
        from refactor.ecosystems.node.version import NAMING

        return NAMING if family == "node" else None
