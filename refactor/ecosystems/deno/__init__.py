"""Deno: programs that run from their sources with the modules in DENO_DIR, and those that `deno compile` makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, Step

if TYPE_CHECKING:
    from refactor.ecosystems.answers import Install, SplitPlan, Written
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root


class Deno(Language):
    name = "Deno"
    families = frozenset({"deno"})
    programs = frozenset({"deno"})
    sources = r"\.[cm]?[jt]sx?\Z"
    build_variables = r"DENO_\w+"

    def effect(self, call: Invocation) -> Effect | None:
        from refactor.ecosystems.deno.tools import effect

        return effect(call) if call.name == "deno" else None

    def roots(self, reading: StageReading) -> tuple[Root, ...] | Refused:
        """The entrypoint of the image runs what CMD says with deno; tasks are those of deno.json."""
        from refactor.ecosystems.deno.modules import config_of
        from refactor.ecosystems.deno.tools import SUBCOMMANDS, task_of

        roots = super().roots(reading)
        if isinstance(roots, Refused):
            return roots
        found = []
        is_image = reading.last("ENTRYPOINT") is None and reading.image is not None and reading.image.family == "deno"
        for root in roots:
            words = ("deno", *root.words) if is_image and root.words[0] in SUBCOMMANDS else root.words
            if words[:2] == ("deno", "task") and len(words) > 2:
                folder = reading.in_context(root.folder)
                task = task_of(config_of(reading.context, folder or ""), words[2])
                if isinstance(task, Refused):
                    return task
                words = (*task, *words[3:])
            found.append(root._replace(words=words))
        return tuple(found)

    def entry(self, root: Root) -> str | Refused | None:
        from refactor.ecosystems.deno.modules import REMOTE
        from refactor.ecosystems.deno.tools import parsed

        if root.name != "deno":
            return root.words[0]
        one = parsed(root.words[1:])
        script = one.operands[0] if one.verb in {"run", "serve"} and one.operands else None
        if script is None or re.match(REMOTE, script):
            shown = " ".join(root.words)
            return Refused(f"{root.where} starts `{shown}`, which is no file of the project", "start a file: deno run")
        return script

    def installs(self, reading: StageReading) -> Sequence[Install | tuple[Step, Refused]]:
        from refactor.ecosystems.deno.tools import installs

        if reading.context.why_unknown is not None:
            return ()
        return tuple(installs(reading, self.acts(reading), super().installs(reading)))

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.deno.needs import modules

        found = modules(program)
        return (
            found
            if isinstance(found, Refused)
            else tuple(path for path in found.files if re.search(self.sources, path))
        )

    def needs(self, program: Program) -> Needs | Refused:
        from refactor.ecosystems.deno.needs import needs

        return needs(program)

    def writes(self, program: Program, files: Sequence[str]) -> Written | Refused:
        from refactor.ecosystems.deno.needs import writes

        return writes(program, files)

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.deno.needs import runner

        return runner(reading, wish)

    def split(self, reading: StageReading, runner: str | None) -> SplitPlan | Refused | None:
        """Only what is compiled leaves something behind: sources, modules and Deno are what runs them otherwise."""
        from refactor.ecosystems.deno.tools import FETCHES, parsed

        calls = [act.call for act in self.acts(reading) if act.call is not None]
        if all(parsed(call.command.args).verb in FETCHES for call in calls):
            return None
        return super().split(reading, runner)
