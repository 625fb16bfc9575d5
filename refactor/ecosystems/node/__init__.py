"""Node projects: npm, Yarn, pnpm and Bun; TypeScript and other builds; plain JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.program import Needs, Program
    from refactor.ecosystems.split import Role
    from refactor.ecosystems.system import RunnerPackages
    from refactor.flow.roots import Root
    from refactor.syntax import Instruction

_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun", "corepack"})
_PROGRAMS = frozenset(
    {"node", "npm", "npx", "yarn", "pnpm", "bun", "bunx", "nodejs", "nodemon", "pm2", "pm2-runtime", "tsx", "ts-node"}
)


class Node(Language):
    """What is known of Node's tooling. The rules are in the modules of this package, imported when they are asked."""

    name = "Node"
    rooms = {
        "effects": "effect",
        "installing": "installs production_install",
        "starting": "built_start",
        "direct": "direct_start",
        "static_site": "static_site",
        "assets": "assets left_behind",
        "scripts": "own_scripts",
        "handed_on": "handed_on",
        "apart": "pruned",
        "slimming": "slim",
        "splitting": "split stays_inside",
        "runner": "runner",
        "testing": "tests",
        "program": "program",
        "health": "serving",
        "writing": "written",
    }
    carries_builds = False
    families = frozenset({"node", "bun"})
    versioned = frozenset({"node"})
    sources = r"\.(?:[cm]?[jt]sx?|vue|svelte)\Z|(?:^|/)package\.json\Z"
    build_packages = frozenset(
        """python3 python python2 python-is-python3 python3-minimal python3-distutils python3-setuptools
        py3-setuptools""".split()
    )
    system_packages = frozenset("nodejs npm nodejs-npm nodejs-current yarn yarnpkg corepack libnode-dev".split())
    programs = frozenset(
        "npm npx yarn yarnpkg pnpm pnpx bun bunx corepack node nodejs tsc vite next nest ng webpack esbuild".split()
    )

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

    def roles(
        self, reading: StageReading, roles: dict[Instruction, Role], packages: RunnerPackages
    ) -> dict[Instruction, Role] | Refused:
        from refactor.ecosystems.node.case import case_of
        from refactor.ecosystems.node.roles import roles_of

        return roles_of(case_of(reading), roles, packages)

    def probe(self, reading: StageReading, route: str, port: int) -> tuple[str, ...]:
        from refactor.ecosystems.node.health import probe
        from refactor.ecosystems.serving import Port

        return probe(reading, route, Port(port))
