"""A stage taken apart by the flow: the runner gets what the program's closure needs, all else stays in the builder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems import bare, registry, system
from refactor.ecosystems.answers import SplitPlan
from refactor.ecosystems.artefacts import Owned, artefacts, edited, from_builder, own_workdir, tops
from refactor.ecosystems.brought import stays_behind, with_linker_cache
from refactor.ecosystems.deployed import why_other_start
from refactor.ecosystems.ecosystem import Ecosystem
from refactor.ecosystems.kept import fetched, kept, trees
from refactor.ecosystems.program import Needs, Program, Runner, Sliced
from refactor.ecosystems.runner_packages import RunnerPackages, runner_packages
from refactor.ecosystems.set_up import makes_only_folders, repeated, works_on_files
from refactor.ecosystems.split import Role, assemble, builder_name
from refactor.ecosystems.user_line import user_line
from refactor.flow.closure import why_unseen
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.flow.roots import SHELLS, Root, files_started, health_roots
from refactor.images import lookup
from refactor.once import cached_property
from refactor.shell import Command
from refactor.shell.posix import QUIET, Does, tools
from refactor.syntax import Instruction

if TYPE_CHECKING:
    from refactor.flow.effects import Invocation
    from refactor.flow.graph import Act, Flow, FlowStep


def split(language: Sliced, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`; None where nothing of the language is built or installed in the stage."""
    if reading.context.why_unknown is not None:
        is_at_work = any((step.script is not None and any(
            posixpath.basename(command.name or "") in language.programs for command in step.commands
        )) for step in reading.runs)  # fmt: skip
        because = f"the build context is not known: {reading.context.why_unknown}"
        return Refused(because, "name it with --context") if is_at_work else None
    acts = language.acts(reading)
    if acts:
        return Slicer(language, reading, wish, acts).plan()
    # What is started may compile at every start (`cargo run`): that is worth a word.
    programs = language.programs_of(reading) if _is_of(language, reading) else None
    if not isinstance(programs, Refused):
        return None
    return why_unknown(language.flow(reading), reading) or programs


def _is_of(language: Sliced, reading: StageReading) -> bool:
    start = reading.start
    return start is not None and posixpath.basename(start.program) in language.programs


def why_unknown(flow: Flow, reading: StageReading, without: Collection[Command] = ()) -> Refused | None:
    """The first command of which it is not known what it writes; ``without`` are some that go anyway."""
    gone = {id(command) for command in without}
    acts = (act for act in flow.acts(reading) if act.call is None or id(act.call.command) not in gone)
    unknown = next((act for act in acts if act.effect.why_unknown is not None), None)
    if unknown is None:
        return None
    shown = unknown.text if len(unknown.text) <= 60 else unknown.text[:59] + "…"
    return Refused(
        f"line {unknown.step.line} runs `{shown}`: {unknown.effect.why_unknown}",
        "call what it does in the Dockerfile, or move that step into a stage of its own",
    )


class Slicer:
    """One stage, its language and what is found out about them on the way to a plan."""

    def __init__(self, language: Sliced, reading: StageReading, wish: str | None, acts: Sequence[Act]) -> None:
        self.language = language
        self.reading = reading
        self.wish = wish
        self.flow: Flow = language.flow(reading)
        self.acts = acts
        self.evidence: list[str] = []
        self.again: dict[Instruction, str] = {}
        """What the runner does of a RUN that builds and sets the system up."""
        self.needed = Needs()
        """What the programs of the stage ask for."""
        self.own_roles: Collection[Instruction] = ()
        """Instructions whose role the language changed."""
        self.copied: Mapping[str, str] = {}
        """What the runner gets from the builder."""
        self.programs: Sequence[Program] = ()
        self.is_static = False
        self.last_build = max((reading.position(act.step.step.node) for act in acts), default=-1)

    @cached_property
    def trees(self) -> tuple[str, ...]:
        """Where the sources lie, and where the language's tools work."""
        return trees(self.language, self.reading, self.acts)

    @cached_property
    def fetched(self) -> dict[str, str]:
        """Programs that are started and that a RUN fetched."""
        roots = self.language.roots(self.reading)
        own = {word for program in self.programs for word in program.root.words[:1]}
        return {} if isinstance(roots, Refused) else dict(fetched(self.language, self.reading, roots, own))

    @cached_property
    def behind(self) -> dict[Ecosystem, tuple[str, ...]]:
        """The folders of other languages that stay in the builder."""
        others = [one for one in registry.known if one.name != self.language.name and one.recognises(self.reading)]
        found = [(other, other.left_behind(self.reading)) for other in others]
        return {other: folders for other, folders in found if isinstance(folders, tuple)}

    def plan(self) -> SplitPlan | Refused | None:
        chosen = self.chosen()
        if isinstance(chosen, Refused):
            return chosen
        wanted, runner = chosen
        self.copied = self._paths(wanted, is_bare=not runner.has_shell)
        wanted = wanted._replace(paths=self.copied)
        packages = self.packages(wanted, runner)
        if isinstance(packages, Refused):
            return packages
        return self._assembled(wanted, runner, packages)

    def chosen(self, shell: Sequence[str] = ()) -> tuple[Needs, Runner] | Refused:
        """What is needed at run time, and the image that carries it; ``shell`` has reasons for one with a shell."""
        refused = self._obstacle()
        if refused is not None:
            return refused
        programs = self.language.programs_of(self.reading)
        if isinstance(programs, Refused):
            return programs
        self.programs = programs
        refused = self._why_other_programs()
        if refused is not None:
            return refused
        wanted = self._needs()
        if isinstance(wanted, Refused):
            return wanted
        self.needed = wanted
        self.copied = self._paths(wanted, is_bare=False)
        self.is_static = wanted.is_static
        asked = self.packages(wanted, None)
        if isinstance(asked, Refused):
            return asked
        more = {package: "the stage installs it" for package in asked.packages if package not in wanted.packages}
        wanted = wanted._replace(packages={**wanted.packages, **more}, shell=(*shell, *self._shell(asked, wanted)))
        runner = self.language.runner(self.reading, wanted, self.wish)
        return runner if isinstance(runner, Refused) else (wanted, runner)

    def _obstacle(self) -> Refused | None:
        reading = self.reading
        if reading.image is None:
            name = reading.image_reference or reading.stage.image
            return Refused(f"the base image {name} is not in the catalogue", "start from an official image")
        refused = why_unseen(reading) or why_other_start(reading)
        if refused is not None:
            return refused
        for step in reading.steps:
            if step.keyword == "ONBUILD":
                line = reading.file.line_of(step.node)
                return Refused(f"ONBUILD on line {line} is for images built from this one, which would get the runner")
        for act in self.flow.acts(reading):
            if (
                act.call is not None
                and act.call.name in {"dpkg", "rpm"}
                and {"-i", "--install", "-ivh", "-Uvh", "-U"} & {*act.call.command.args}
            ):
                return Refused(
                    f"line {act.step.line} installs a package from a file, which the runner would not have",
                    "install it by the package manager, by name",
                )
        inside = [act.call.command for act in self.flow.acts(reading) if act.call and self.language.stays_inside(act)]
        return why_unknown(self.flow, reading, inside)

    # What the container needs

    def _why_other_programs(self) -> Refused | None:
        """A program that is neither the language's nor a usual one of a shell script, nor of an installed package."""
        roots = self.language.roots(self.reading)
        if isinstance(roots, Refused):
            return roots
        own = {program.root for program in self.programs if not program.root.where.startswith("HEALTHCHECK")}
        if not own:
            shown = " ".join(roots[0].words) if roots else "nothing"
            return Refused(
                f"{roots[0].where if roots else 'CMD'} starts {shown}, which is no {self.language.name} program that"
                " this stage is known to build",
                "start the program itself in CMD",
            )
        for root in roots:
            if root not in own and not self._is_of_system(root):
                return Refused(f"{root.where} starts {root.name}, and what that needs is not known", "split by hand")
        return None

    def _is_of_system(self, root: Root) -> bool:
        """The runner has it: an everyday program of the shell, or one that a package of its own brings."""
        installed = system.installed(self.reading)
        is_usual = root.name in QUIET or root.name in SHELLS
        if self.language.fetched_stand_alone and any(posixpath.basename(path) == root.name for path in self.fetched):
            return True
        if root.name == "service" and root.words[1:2]:
            return root.words[1] in installed
        return is_usual or system.PROVIDERS.get(root.name, root.name) in installed

    def _needs(self) -> Needs | Refused:
        paths: dict[str, str] = {}
        found: list[Needs] = []
        for program in self.programs:
            refused = self.language.why_not_split(self.reading, program)
            answer = refused or self.language.needs(program)
            if isinstance(answer, Refused):
                return answer
            paths.update(answer.paths)
            found.append(answer)
            self.evidence += answer.evidence
            if program.act is not None:
                self.evidence.append(f"`{program.act.text}` on line {program.act.step.line} makes {program.made}")
        more = {path: why for path, why in files_started(self.reading).items()
                if path not in paths and not any(one.is_chosen(path) for one in found)}  # fmt: skip
        return Needs(
            {**more, **paths},
            {name: where for one in found for name, where in one.programs.items()},
            {name: why for one in found for name, why in one.packages.items()},
            all(one.is_static for one in found),
            linked_by=next((one.linked_by for one in found if one.linked_by), ""),
            is_cpp=any(one.is_cpp for one in found),
            edits=tuple(dict.fromkeys(edit for one in found for edit in one.edits)),
            before=tuple(dict.fromkeys(one for each in found for one in each.before)),
            names_downloads=all(one.names_downloads for one in found),
            variables=frozenset(name for one in found for name in one.variables),
            files=frozenset(path for one in found for path in one.files),
            chosen=tuple(path for one in found for path in one.chosen),
            owner=next((one.owner for one in found if one.owner), ""),
            left="|".join(dict.fromkeys(one.left for one in found)) or r"(?!)",
            linker_cache=next((one.linker_cache for one in found if one.linker_cache), ""),
        )

    def _paths(self, wanted: Needs, *, is_bare: bool) -> dict[str, str]:
        """What the runner gets from the builder -> why."""
        made = kept(self.language, self.reading, self.acts, wanted, self.last_build, is_bare=is_bare)
        more = {**self.fetched, **made}.items()
        paths = {
            **wanted.paths,
            **{path: why for path, why in more if path not in wanted.paths and not wanted.is_chosen(path)},
        }
        # Programs change most often: they are copied last.
        for program in (one for one in self.programs if one.path):
            paths.pop(program.path, None)
            paths[program.path] = f"{program.root.where} starts it"
        return tops(paths)

    def packages(self, wanted: Needs, runner: Runner | None) -> RunnerPackages | Refused:
        """What the runner installs; for None what it would on an image that has nothing."""
        built_with = dict.fromkeys(self.language.build_packages, f"{self.language.name} programs are built with it")
        for other in self.behind:
            built_with.update(dict.fromkeys(other.system_packages, f"nothing at run time needs {other.name}"))
        if wanted.is_static:
            why = "the program is linked statically"
            built_with.update(
                {name: why for name in system.installed(self.reading) if name.endswith(("-dev", "-devel"))}
            )
        return runner_packages(
            self.reading,
            None if runner is None else lookup(runner.image),
            needed={} if runner is None else wanted.packages,
            programs=wanted.programs,
            build_only=built_with,
            builder=builder_name(self.reading),
            not_called=self.language.programs,
        )

    def _shell(self, packages: RunnerPackages, wanted: Needs) -> Iterator[str]:
        """Why the runner has to have a shell."""
        reading, start = self.reading, self.reading.start
        yield from self.fetched.values()
        if start is not None and start.is_shell and bare.exec_form(reading) is None:
            yield f"{start.nodes[-1].keyword} on line {reading.file.line_of(start.nodes[-1])} is a shell script"
        roots = self.language.roots(reading)
        for root in roots if not isinstance(roots, Refused) else ():
            if root.name in QUIET or root.name in SHELLS or (root.command is not None and start and not start.is_shell):
                yield f"{root.where} starts {root.name}"
        health = reading.last("HEALTHCHECK")
        is_own = any(root.command is None and any(root == program.root for program in self.programs)
                     for root in health_roots(reading))  # fmt: skip
        if health is not None and health.argument.upper() != "NONE" and not is_own:
            yield f"HEALTHCHECK on line {reading.file.line_of(health)} calls programs"
        # A static program has no use for settings of the system; folders and files are copied.
        is_bare = wanted.is_static or self.wish in {"distroless", "scratch"}
        for step in reading.runs if not is_bare else ():
            line = reading.file.line_of(step.node)
            is_mixed = system.system_role(step) is None and self._repeated(step)
            if step.node not in packages.roles and (is_mixed or self._set_up(step) == Role.BOTH):
                yield f"line {line} sets the system up"

    # The two stages

    def _assembled(self, wanted: Needs, runner: Runner, packages: RunnerPackages) -> SplitPlan | Refused:
        reading = self.reading
        roles = self._roles(packages, wanted)
        if isinstance(roles, Refused):
            return roles
        roles.update(dict.fromkeys(self._brought_directly(wanted.paths), Role.BOTH))
        late = [path for act in self.flow.acts(reading) if act.step.step.keyword in {"COPY", "ADD"}
                and Role.RUNNER in roles.get(act.step.step.node, Role.BUILDER)
                for path in act.effect.writes if isinstance(path, str)]  # fmt: skip
        paths = [path for path in wanted.paths if not any(is_within(path, target) for target in late)]
        lost = next((path for path in paths if not self.flow.makers(reading, path)), None)
        if lost is not None:
            return Refused(
                f"{lost} is needed ({wanted.paths[lost]}), and no step of the stage is known to make it",
                "split by hand",
            )
        self.evidence += [f"{path} is in the runner: {wanted.paths[path]}" for path in paths]
        user = user_line(reading, roles, runner, self.last_build)
        if isinstance(user, Refused):
            return user
        self.evidence += user.evidence
        head, copies = self._brought(paths, wanted, runner, packages)
        narrowed = self._narrowed(roles, runner)
        plain = None if runner.has_shell else bare.exec_form(reading)
        spelled = bare.spelled_out(reading, runner)
        workdir = own_workdir(reading, wanted.paths, runner)
        is_written = any(text.startswith("COPY") and " /writable " in text for text in head)
        plan = assemble(
            reading,
            narrowed,
            runner_image=runner.image,
            artefacts=copies,
            builder_tail=[*self._tail(wanted, runner), *(["RUN mkdir -p /writable"] if is_written else [])],
            runner_head=[*head, *workdir],
            reads_no_artefact={
                *(step.node for step in reading.runs if makes_only_folders(step)),
                *(node for node, role in roles.items() if node in self.own_roles and Role.RUNNER in role),
            },
            before={node: [text for other, text in wanted.before if other is node] for node, _ in wanted.before},
            instead_in_runner={**spelled, **self.again, **user.lines, **({} if plain is None else dict([plain]))},
            is_artefact_absolute=reading.last("WORKDIR") is None or wanted.is_elsewhere(reading.final_workdir),
            evidence=tuple(dict.fromkeys(self.evidence)),
        )
        if isinstance(plan, Refused):
            return plan
        sets_user = bool(user.lines) or any(narrowed.get(step.node) == Role.BUILDER for step in reading.steps
                                      if step.keyword == "USER")  # fmt: skip
        return plan._replace(
            builder=edited(plan.builder, wanted),
            builder_image=runner.builder,
            sets_user=sets_user,
            sets_workdir=bool(workdir) or any(node.keyword == "WORKDIR" for node in spelled),
        )

    def _brought(
        self, paths: Sequence[str], wanted: Needs, runner: Runner, packages: RunnerPackages
    ) -> tuple[list[str], list[str]]:
        """What the runner installs, or gets from the builder, at its head; and the COPYs of what it is made of."""
        reading = self.reading
        brought = [path for path in paths if path not in runner.made]
        files = dict(bare.system_files(reading, wanted, runner))
        self.evidence += [*(packages.evidence if runner.has_shell else ()), *runner.evidence, *files.values()]
        if runner.has_shell:
            head = [*runner.head, *packages.before, *([packages.install] if packages.install else [])]
            copied = artefacts(reading, brought, self.programs, Owned(), wanted, runner)
            copies = with_linker_cache(copied, self.programs, wanted)
            self.evidence += [f"ldconfig is run: {wanted.linker_cache}"] if wanted.linker_cache else []
            return head, [*files, *runner.installs, *copies]
        owned = Owned(bare.owned(self.language, reading, wanted.paths), bare.owner_in(reading, runner))
        new = [path for path in owned.paths if not any(is_within(path, one) for one in paths)]
        head = [*runner.head, *(from_builder(reading, "/writable", path, owned.owner) for path in sorted(new))]
        return head, [*files, *runner.installs, *artefacts(reading, brought, self.programs, owned, wanted, runner)]

    def _brought_directly(self, paths: Collection[str]) -> Iterator[Instruction]:
        """COPYs of what another stage made, which the runner copies from there as well."""
        for path in paths:
            maker = next(iter(self.flow.makers(self.reading, path)), None)
            act = maker.act if maker is not None and maker.kind == "copy" and maker.path == path else None
            if act is not None and act.step.reading is self.reading and len(act.effect.writes) == 1:
                yield act.step.step.node

    def _narrowed(self, roles: dict[Instruction, Role], runner: Runner) -> dict[Instruction, Role]:
        """The roles without what one of both stages does in vain."""
        reading = self.reading
        if not runner.has_shell:
            own = {node: Role.BUILDER if node.keyword == "RUN" else role for node, role in roles.items()}
            return bare.without_passed_workdirs(reading, own)
        narrowed = system.narrow(reading, roles)
        if self.needed.left != Needs().left:
            narrowed = bare.without_passed_workdirs(reading, narrowed)
        for step in self.flow.steps(reading):
            # Folders among the sources: the build may write there (`artisan optimize`), the program as well.
            if step.step.node in narrowed and reading.position(step.step.node) < self.last_build:
                writes = [path for act in step.acts for path in act.effect.writes if isinstance(path, str)]
                if roles.get(step.step.node) == Role.BOTH and any(
                    is_within(path, tree) for path in writes for tree in self.trees
                ):
                    narrowed[step.step.node] = Role.BOTH
        return narrowed

    def _tail(self, wanted: Needs, runner: Runner) -> list[str]:
        """What the builder removes at its end, as the runner gets the folders around it."""
        gone = [
            path
            for folders in self.behind.values()
            for path in folders
            if any(is_within(path, one) for one in wanted.paths)
        ]
        self.evidence += [f"{path} is left behind: nothing at run time reads it" for path in gone]
        commands = [*runner.tail, *([f"rm -rf {' '.join(gone)}"] if gone else [])]
        return ["RUN " + " \\\n    && ".join(commands)] if commands else []

    def _roles(self, packages: RunnerPackages, wanted: Needs) -> dict[Instruction, Role] | Refused:
        reading = self.reading
        roles: dict[Instruction, Role] = dict(packages.roles)
        last_run = max((at for at, step in enumerate(reading.steps) if step.keyword == "RUN"), default=-1)
        for index, step in enumerate(reading.steps):
            node = step.node
            if step.keyword in {"COPY", "ADD"}:
                own = reading.copied_by(node)
                is_chosen = bool(own) and all(wanted.is_chosen(one.target) for one in own)
                is_late = index > max(self.last_build, last_run) and not is_chosen
                # What lies all over the image is not told apart by paths.
                is_wide = bool(wanted.chosen) and not is_chosen and any(one.target == "/" for one in own)
                is_wide = is_wide or bool(node.heredocs)
                roles[node] = Role.RUNNER if is_late else Role.BOTH if is_wide else Role.BUILDER
            elif step.keyword == "ENV" and self._is_for_build(step, wanted.variables):
                roles[node] = Role.BUILDER
            elif step.keyword == "RUN" and node not in roles:
                roles[node] = (Role.BUILDER if node in packages.shared else None) or self._set_up(step) or Role.BUILDER
                if roles[node] == Role.BUILDER and system.system_role(step) is None:
                    again = self._repeated(step)
                    if isinstance(again, Refused):
                        return again
                    if again:
                        roles[node] = Role.BOTH
                        self.again[node] = "RUN " + " \\\n    && ".join(again)
        changed = self.language.roles(reading, dict(roles), packages)
        if not isinstance(changed, Refused):
            self.own_roles = {node for node, role in changed.items() if roles.get(node) != role}
        return changed

    def _is_for_build(self, step: Step, variables: frozenset[str]) -> bool:
        """An ENV of which nothing but the language's tools reads anything; ``variables`` are those of the program."""
        names = [name for name, _ in step.node.pairs]
        rest = [one.node.argument for one in self.reading.steps if one is not step and one.keyword != "RUN"]
        if not names or not all(re.fullmatch(self.language.build_variables, name) for name in names):
            return False
        is_read = any(f"${name}" in text or f"${{{name}" in text for text in rest for name in names)
        return not is_read and variables.isdisjoint(names)

    def _set_up(self, step: Step) -> Role | None:
        role = system.system_role(step)
        if role != Role.BOTH:
            return role
        if self.is_static and all(command.name == "update-ca-certificates" for command in step.commands):
            # The list that it makes is copied, so that an edit of the sources does not make it again.
            return Role.BUILDER
        acts = [act for act in self._flow_step(step).acts if act.effect.reads or act.effect.writes]
        if stays_behind(acts, self.needed):
            return Role.BUILDER
        if acts and all(self._comes_over(act) for act in acts):
            return Role.BUILDER
        return role

    def _repeated(self, step: Step) -> tuple[str, ...] | Refused:
        over = [act.call.command for act in self._flow_step(step).acts
                if act.call is not None
                and (self._comes_over(act) or (self.needed.linker_cache and act.call.name == "ldconfig"))]  # fmt: skip
        return repeated(step, self.reading.file.line_of(step.node), self.trees, over)

    def _flow_step(self, step: Step) -> FlowStep:
        return next(one for one in self.flow.steps(self.reading) if one.step is step)

    def _comes_over(self, act: Act) -> bool:
        """It changes files that the runner gets from the builder as it left them. Those of packages, and those that a
        step only sets up, are in the runner without it."""
        if act.call is None or not works_on_files(act.call.command):
            return False
        paths = [*act.effect.reads, *(path for path, _ in act.effect.carries)]
        if act.call.command.redirects:
            paths += act.effect.writes
        if act.call.name in {"mkdir", "ln"}:
            return all(isinstance(path, str) and self._is_copied(path) for path in act.effect.writes)
        trees = () if self._is_of_folder(act.call) else self.trees
        return any(
            isinstance(path, str) and self._is_copied(path, *trees) and self.flow.makers(self.reading, path, act)
            for path in paths
        )

    def _is_of_folder(self, call: Invocation) -> bool:
        """It changes whose a folder is of which only parts are copied, or its mode."""
        if not self.needed.chosen or call.name not in tools(Does.CHANGES):
            return False
        is_deep = any(re.match(r"-\w*R|--recursive", arg) for arg in call.command.args)
        return not is_deep or (call.name != "chmod" and not self.needed.owner)

    def _is_copied(self, path: str, *folders: str) -> bool:
        return any(is_within(path, one) for one in (*self.copied, *folders))


__all__ = ["split", "why_unknown"]
