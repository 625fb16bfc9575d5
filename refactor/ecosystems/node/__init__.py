"""Node projects: npm, Yarn, pnpm and Bun; TypeScript and other builds; plain JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language

if TYPE_CHECKING:
    from refactor.ecosystems.program import Program
    from refactor.flow.reading import StageReading
    from refactor.flow.roots import Root

_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun", "corepack"})
_PROGRAMS = frozenset(
    {"node", "npm", "npx", "yarn", "pnpm", "bun", "bunx", "nodejs", "nodemon", "pm2", "pm2-runtime", "tsx", "ts-node"}
)


class Node(Language):
    """What is known of Node's tooling. The rules are in the modules of this package, imported when they are asked."""

    name = "Node"
    rooms = {
        "installing": "own_scripts effect installs production_install",
        "pruning": "handed_on pruned",
        "native": "slim",
        "starting": "built_start direct_start",
        "static_site": "static_site",
        "assets": "assets left_behind",
        "splitting": "split stays_inside roles tests",
        "runner": "needs runner",
        "needs": "program",
        "health": "probe serving",
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
        image, start = reading.image, reading.start
        if image is not None and (image.family in {"node", "bun"} or "/nodejs" in image.reference):
            return True
        if not reading.managers.isdisjoint(_MANAGERS):
            return True
        if start is None or start.program.rpartition("/")[2] in _PROGRAMS:
            return start is not None
        if reading.parent is None and not reading.copies_of_stages:
            return False
        from refactor.ecosystems.node.builds import compiled
        from refactor.ecosystems.node.layout import Layout

        return compiled(Layout.of(reading)) is not None

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
