"""A stage taken apart by the flow: the runner gets what the program's closure needs, all else stays in the builder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refactor.ecosystems import bare, registry, system
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.ecosystems.deployed import why_other_start
from refactor.ecosystems.ecosystem import Ecosystem
from refactor.ecosystems.kept import fetched, kept, trees
from refactor.ecosystems.program import Needs, Program, Runner, Sliced
from refactor.ecosystems.set_up import repeated, works_on_files
from refactor.ecosystems.split import Role, assemble, builder_name
from refactor.flow.closure import why_unseen
from refactor.flow.effects import ON_PATH
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.flow.roots import SHELLS, Root, files_started
from refactor.flow.shell_writes import QUIET
from refactor.images import lookup
from refactor.once import cached_property
from refactor.shell import Command
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
        return _Slicer(language, reading, wish, acts).plan()
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


class _Slicer:
    def __init__(self, language: Sliced, reading: StageReading, wish: str | None, acts: Sequence[Act]) -> None:
        self.language = language
        self.reading = reading
        self.wish = wish
        self.flow: Flow = language.flow(reading)
        self.acts = acts
        self.evidence: list[str] = []
        self.again: dict[Instruction, str] = {}
        """What the runner does of a RUN that builds and sets the system up."""
        self.chosen: tuple[str, ...] = ()
        self.owner = ""
        """See :class:`Needs`."""
        self.own_roles: Collection[Instruction] = ()
        """Instructions whose role the language changed."""
        self.copied: Mapping[str, str] = {}
        """What the runner gets from the builder."""
        self.last_build = max(reading.position(act.step.step.node) for act in acts)

    @cached_property
    def trees(self) -> tuple[str, ...]:
        """Where the sources lie, and where the language's tools work."""
        return trees(self.language, self.reading, self.acts)

    @cached_property
    def fetched(self) -> dict[str, str]:
        """Programs that are started and that a RUN fetched."""
        roots = self.language.roots(self.reading)
        return {} if isinstance(roots, Refused) else dict(fetched(self.language, self.reading, roots))

    @cached_property
    def behind(self) -> dict[Ecosystem, tuple[str, ...]]:
        """The folders of other languages that stay in the builder."""
        return dict(_left_behind(self.language, self.reading))

    def plan(self) -> SplitPlan | Refused | None:
        refused = self._obstacle()
        if refused is not None:
            return refused
        programs = self.language.programs_of(self.reading)
        if isinstance(programs, Refused):
            return programs
        refused = self._why_other_programs(programs)
        if refused is not None:
            return refused
        wanted = self._needs(programs)
        if isinstance(wanted, Refused):
            return wanted
        self.chosen, self.owner = wanted.chosen, wanted.owner
        self.copied = self._paths(programs, wanted, is_bare=False)
        asked = self._packages(wanted, None)
        if isinstance(asked, Refused):
            return asked
        more = {package: "the stage installs it" for package in asked.packages if package not in wanted.packages}
        wanted = wanted._replace(
            packages={**wanted.packages, **more}, shell=tuple(self._shell(asked, programs, wanted))
        )
        runner = self.language.runner(self.reading, wanted, self.wish)
        if isinstance(runner, Refused):
            return runner
        self.copied = self._paths(programs, wanted, is_bare=not runner.has_shell)
        wanted = wanted._replace(paths=self.copied)
        packages = self._packages(wanted, runner)
        if isinstance(packages, Refused):
            return packages
        return self._assembled(programs, wanted, runner, packages)

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

    def _why_other_programs(self, programs: Sequence[Program]) -> Refused | None:
        """A program that is neither the language's nor a usual one of a shell script, nor of an installed package."""
        roots = self.language.roots(self.reading)
        if isinstance(roots, Refused):
            return roots
        own = {program.root for program in programs if not program.root.where.startswith("HEALTHCHECK")}
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
        installed = {word.literal for _, call in self.reading.calls if call.manager in system.MANAGERS
                     for word in call.packages}  # fmt: skip
        is_usual = root.name in QUIET or root.name in SHELLS
        if root.name == "service" and root.words[1:2]:
            return root.words[1] in installed
        return is_usual or system.PROVIDERS.get(root.name, root.name) in installed

    def _needs(self, programs: Sequence[Program]) -> Needs | Refused:
        paths: dict[str, str] = {}
        found: list[Needs] = []
        for program in programs:
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
            variables=frozenset(name for one in found for name in one.variables),
            files=frozenset(path for one in found for path in one.files),
            chosen=tuple(path for one in found for path in one.chosen),
            owner=next((one.owner for one in found if one.owner), ""),
        )

    def _paths(self, programs: Sequence[Program], wanted: Needs, *, is_bare: bool) -> dict[str, str]:
        """What the runner gets from the builder -> why."""
        made = kept(self.language, self.reading, self.acts, self.last_build, is_bare=is_bare)
        more = {**self.fetched, **made}.items()
        paths = {
            **wanted.paths,
            **{path: why for path, why in more if path not in wanted.paths and not wanted.is_chosen(path)},
        }
        # Programs change most often: they are copied last.
        for program in (one for one in programs if one.path):
            paths.pop(program.path, None)
            paths[program.path] = f"{program.root.where} starts it"
        return _tops(paths)

    def _packages(self, wanted: Needs, runner: Runner | None) -> system.RunnerPackages | Refused:
        """What the runner installs; for None what it would on an image that has nothing."""
        built_with = dict.fromkeys(self.language.build_packages, f"{self.language.name} programs are built with it")
        for other in self.behind:
            built_with.update(dict.fromkeys(other.system_packages, f"nothing at run time needs {other.name}"))
        if wanted.is_static:
            names = [word.literal.partition("=")[0] for _, call in self.reading.calls if call.manager in system.MANAGERS
                     for word in call.packages]  # fmt: skip
            why = "the program is linked statically"
            built_with.update({name: why for name in names if name.endswith(("-dev", "-devel"))})
        return system.runner_packages(
            self.reading,
            None if runner is None else lookup(runner.image),
            needed={} if runner is None else wanted.packages,
            programs=wanted.programs,
            build_only=built_with,
            builder=builder_name(self.reading),
            not_called=self.language.programs,
        )

    def _shell(self, packages: system.RunnerPackages, programs: Sequence[Program], wanted: Needs) -> Iterator[str]:
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
        is_own = health is not None and bare.health_calls_only(reading, {program.path for program in programs})
        if health is not None and health.argument.upper() != "NONE" and not is_own:
            yield f"HEALTHCHECK on line {reading.file.line_of(health)} calls programs"
        # A static program has no use for settings of the system, and folders and files are copied.
        for step in reading.runs if not wanted.is_static else ():
            line = reading.file.line_of(step.node)
            is_mixed = system.system_role(step) is None and self._repeated(step)
            if step.node not in packages.roles and (is_mixed or self._set_up(step) == Role.BOTH):
                yield f"line {line} sets the system up"

    # The two stages

    def _assembled(
        self, programs: Sequence[Program], wanted: Needs, runner: Runner, packages: system.RunnerPackages
    ) -> SplitPlan | Refused:
        reading = self.reading
        roles = self._roles(packages, wanted)
        if isinstance(roles, Refused):
            return roles
        late = {copied.target for copied in reading.copies if roles[copied.node] == Role.RUNNER}
        paths = [path for path in wanted.paths if not any(is_within(path, target) for target in late)]
        lost = next((path for path in paths if not self.flow.makers(reading, path)), None)
        if lost is not None:
            return Refused(
                f"{lost} is needed ({wanted.paths[lost]}), and no step of the stage is known to make it",
                "split by hand",
            )
        self.evidence += [f"{path} is in the runner: {wanted.paths[path]}" for path in paths]
        owned = [] if runner.has_shell else self._owned()
        brought = [path for path in paths if path not in runner.made]
        image = lookup(runner.image)
        is_home = reading.last("WORKDIR") is not None or (image is not None and image.workdir == reading.final_workdir)
        workdir = self._own_workdir(wanted, runner)
        is_home = (is_home or bool(wanted.chosen and workdir)) and not self._is_elsewhere(wanted)
        artefacts = [*runner.installs, *self._artefacts(brought, programs, owned, wanted, is_home=is_home)]
        user = self._user(roles, runner)
        if isinstance(user, Refused):
            return user
        self.evidence += [*(packages.evidence if runner.has_shell else ()), *runner.evidence]
        narrowed = self._narrowed(roles, runner)
        plain = None if runner.has_shell else bare.exec_form(reading)
        head = [*runner.head, *packages.before, *([packages.install] if packages.install else [])]
        if not runner.has_shell:
            files = dict(bare.system_files(reading, wanted, runner))
            self.evidence += files.values()
            new = [path for path in owned if not any(is_within(path, one) or is_within(one, path) for one in paths)]
            head = [*runner.head, *(self._copy("/writable", path, bare.user_of(reading)) for path in sorted(new))]
            artefacts = [*files, *artefacts]
        spelled = bare.spelled_out(reading, runner)
        plan = assemble(
            reading,
            narrowed,
            runner_image=runner.image,
            artefacts=artefacts,
            builder_tail=[*self._tail(wanted, runner), *(["RUN mkdir -p /writable"] if owned else [])],
            runner_head=[*head, *workdir],
            instead_in_runner={**spelled, **self.again, **user, **({} if plain is None else dict([plain]))},
            is_artefact_absolute=reading.last("WORKDIR") is None or self._is_elsewhere(wanted),
            reads_no_artefact={node for node, role in roles.items() if node in self.own_roles and Role.RUNNER in role},
            evidence=tuple(dict.fromkeys(self.evidence)),
        )
        if isinstance(plan, Refused):
            return plan
        sets_user = bool(user) or any(narrowed.get(step.node) == Role.BUILDER for step in reading.steps
                                      if step.keyword == "USER")  # fmt: skip
        return plan._replace(
            builder=self._edited(plan.builder, wanted),
            builder_image=runner.builder,
            sets_user=sets_user,
            sets_workdir=bool(workdir) or any(node.keyword == "WORKDIR" for node in spelled),
        )

    def _narrowed(self, roles: dict[Instruction, Role], runner: Runner) -> dict[Instruction, Role]:
        """The roles without what one of both stages does in vain."""
        reading = self.reading
        if not runner.has_shell:
            own = {node: Role.BUILDER if node.keyword == "RUN" else role for node, role in roles.items()}
            return bare.without_passed_workdirs(reading, own)
        narrowed = system.narrow(reading, roles)
        for step in self.flow.steps(reading):
            # Folders among the sources: the build may write there (`artisan optimize`), the program as well.
            if step.step.node in narrowed and reading.position(step.step.node) < self.last_build:
                writes = [path for act in step.acts for path in act.effect.writes if isinstance(path, str)]
                if roles[step.step.node] == Role.BOTH and any(
                    is_within(path, tree) for path in writes for tree in self.trees
                ):
                    narrowed[step.step.node] = Role.BOTH
        return narrowed

    def _own_workdir(self, wanted: Needs, runner: Runner) -> list[str]:
        """The base image's own WORKDIR, written down where a relative path counts on it."""
        reading, start = self.reading, self.reading.start
        home, image = reading.final_workdir, lookup(runner.image)
        if reading.last("WORKDIR") is not None or home == "/" or (image is not None and image.workdir == home):
            return []
        program = "" if start is None else start.program
        is_relative = "/" in program and not program.startswith("/")
        return [f"WORKDIR {home}"] if is_relative or any(is_within(path, home) for path in wanted.paths) else []

    def _edited(
        self, entries: Sequence[Instruction | str | Instead], wanted: Needs
    ) -> tuple[Instruction | str | Instead, ...]:
        """The builder with what its build commands get."""
        edits: dict[Instruction, list[tuple[int, int, str]]] = {}
        for node, at, text in wanted.edits:
            edits.setdefault(node, []).append((at, at, text))
        return tuple(
            Instead(entry, entry.splice(edits[entry])) if isinstance(entry, Instruction) and entry in edits else entry
            for entry in entries
        )

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

    def _user(self, roles: dict[Instruction, Role], runner: Runner) -> dict[Instruction, str] | Refused:
        """The last USER as the runner has to write it, where its name is one of the builder's image; users that were
        set for the build alone stay there."""
        reading, image, base = self.reading, lookup(runner.image), self.reading.image
        users = [step for step in reading.steps if step.keyword == "USER"]
        runs = [step for step in reading.steps if Role.RUNNER in roles.get(step.node, Role.BUILDER)
                and step.keyword == "RUN"]  # fmt: skip
        for at, step in enumerate(users):
            position = reading.position(step.node)
            is_root = step.node.argument.partition(":")[0] in {"root", "0"}
            is_last = at == len(users) - 1
            if position > self.last_build or any(reading.position(run.node) > position for run in runs):
                continue
            if not is_last or (is_root and image is not None and image.default_user in {"root", "0", ""}):
                roles[step.node] = Role.BUILDER
        if not users or roles.get(users[-1].node) == Role.BUILDER:
            return {}
        node = users[-1].node
        name = node.argument.partition(":")[0]
        line = reading.file.line_of(node)
        known = image.users if image is not None else {}
        if name.isdigit() or name == "root" or "$" in name or name in known:
            return {}
        if not runner.has_shell:
            self.evidence.append(f"the user {name} of line {line} is made by a RUN, which {runner.image} cannot do:"
                                 f" {bare.NONROOT} takes its place")  # fmt: skip
            return {node: f"USER {bare.NONROOT}"}
        if reading.why_no_new_user is not None:
            return {}
        if base is None or name not in base.users:
            return Refused(
                f"the user {name} of line {line} is none that {runner.image} has",
                "make it in a RUN, with fixed numbers",
            )
        uid, gid = base.users[name]
        self.evidence.append(f"{name} is a user of {base.reference} alone: the runner has it by its numbers")
        return {node: f"USER {uid}:{gid}"}

    def _place(self, path: str, programs: Sequence[Program]) -> str:
        """Where a path goes in the runner: where it is, but for a program that is found along a PATH which only the
        builder's image has (/usr/local/cargo/bin)."""
        program = next((one for one in programs if one.path == path and "/" not in one.root.words[0]), None)
        own = [step.node.argument for step in self.reading.steps if step.keyword == "ENV"]
        folder = posixpath.dirname(path)
        is_usual = folder in ON_PATH or any(folder in text for text in own)
        return path if program is None or is_usual else f"/usr/local/bin/{posixpath.basename(path)}"

    def _owned(self) -> list[str]:
        """Folders that belong to the author's user in a runner without a shell, where no RUN can give them to it."""
        if bare.user_of(self.reading) is None:
            return []
        written = self.language.written(self.reading)
        made = [path for act in self.flow.acts(self.reading) if act.call is not None and act.call.name == "mkdir"
                for path in act.effect.writes if isinstance(path, str) and path in self.copied]  # fmt: skip
        return list(dict.fromkeys([*made, *(() if isinstance(written, Refused) else written.paths)]))

    def _artefacts(
        self, paths: Sequence[str], programs: Sequence[Program], owned: Sequence[str], wanted: Needs, *, is_home: bool
    ) -> Iterator[str]:
        """The COPYs that bring paths from the builder: files of one folder together, all else one by one."""
        home, groups = self.reading.final_workdir, dict[tuple[str, bool, int], list[str]]()
        started, turn = {program.path for program in programs}, 0
        for path in paths:
            source = self.reading.in_context(path)
            is_file = source is not None and self.reading.context.is_dir(source) is False and path not in started
            is_owned = any(is_within(path, one) or is_within(one, path) for one in owned) and path not in started
            is_file = is_file or path in wanted.files
            # What changes least is copied first, so that files wait for their turn.
            turn += path not in wanted.files and bool(wanted.files)
            groups.setdefault((posixpath.dirname(path) if is_file else path, is_owned, turn), []).append(path)
        for (_, is_owned, _), members in groups.items():
            path = members[0]
            target = self._place(path, programs)
            if is_home and path == home:
                target = "."
            elif is_home and is_within(path, home) and home != "/":
                target = "./" + path[len(home.rstrip("/")) + 1 :]
            if len(members) > 1 or re.search(r"[*?\[]", path) or path in wanted.files:
                target = posixpath.dirname(target).rstrip("/") + "/"
            owner = wanted.owner if wanted.is_chosen(path) else None
            yield self._copy(" ".join(members), target, bare.user_of(self.reading) if is_owned else owner)

    def _is_elsewhere(self, wanted: Needs) -> bool:
        """Part of the application lies outside of the folder that the program starts in: named alike, all of it is."""
        return any(not is_within(folder, self.reading.final_workdir) for folder in wanted.chosen)

    def _copy(self, source: str, target: str, owner: str | None) -> str:
        flags = f"--from={builder_name(self.reading)}{f' --chown={owner}' if owner else ''}"
        return f"COPY {flags} {source} {target}"

    def _roles(self, packages: system.RunnerPackages, wanted: Needs) -> dict[Instruction, Role] | Refused:
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

    def _is_for_build(self, step: Step, variables: Collection[str]) -> bool:
        """An ENV of which nothing but the language's tools reads anything; ``variables`` are those of the program."""
        names = [name for name, _ in step.node.pairs]
        rest = [one.node.argument for one in self.reading.steps if one is not step and one.keyword != "RUN"]
        return bool(names) and all(
            re.fullmatch(self.language.build_variables, name) and name not in variables and not any(f"${name}" in text or f"${{{name}" in text
                                                                          for text in rest)
            for name in names
        )  # fmt: skip

    def _set_up(self, step: Step) -> Role | None:
        role = system.system_role(step)
        if role != Role.BOTH:
            return role
        acts = [act for act in self._flow_step(step).acts if act.effect.reads or act.effect.writes]
        if acts and all(self._comes_over(act) for act in acts):
            return Role.BUILDER
        return role

    def _repeated(self, step: Step) -> tuple[str, ...] | Refused:
        over = [act.call.command for act in self._flow_step(step).acts
                if act.call is not None and self._comes_over(act)]  # fmt: skip
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
        if not self.chosen or call.name not in {"chown", "chgrp", "chmod"}:
            return False
        is_deep = any(re.match(r"-\w*R|--recursive", arg) for arg in call.command.args)
        return not is_deep or (call.name != "chmod" and not self.owner)

    def _is_copied(self, path: str, *folders: str) -> bool:
        return any(is_within(path, one) for one in (*self.copied, *folders))


def _left_behind(language: Sliced, reading: StageReading) -> Iterator[tuple[Ecosystem, tuple[str, ...]]]:
    """Other languages that only the build uses, each with the folders of its packages."""
    for other in registry.known:
        if other.name != language.name and other.recognises(reading):
            folders = other.left_behind(reading)
            if isinstance(folders, tuple):
                yield other, folders


def _tops(paths: Mapping[str, str]) -> dict[str, str]:
    """Without paths that lie in another one of them."""
    return {
        path: why for path, why in paths.items() if not any(path != other and is_within(path, other) for other in paths)
    }


__all__ = ["split", "why_unknown"]
