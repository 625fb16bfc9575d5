"""Taking a stage apart: what every language's split has in common.

A language says which role each RUN and COPY plays; the instructions that configure the image follow rules that hold for
all of them. The result is a :class:`SplitPlan`, rendered by the codemod ``split-build-stage``.
"""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Collection, Mapping, Sequence

from refactor.context import BuildContext
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.images import lookup
from refactor.shell import files_of, read
from refactor.syntax import Instruction

_RUNNER_ONLY = frozenset({"LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "CMD", "ENTRYPOINT", "MAINTAINER"})
_BOTH = frozenset({"ENV", "WORKDIR", "SHELL"})
_WORKS = frozenset({"RUN", "COPY", "ADD"})
_ENDS = frozenset({"USER", "CMD", "ENTRYPOINT", "HEALTHCHECK"})
_SEEN_BY_RUN = frozenset({"ENV", "ARG", "USER", "SHELL", "RUN"})
_VARIABLE = r"\$\{?([A-Za-z_][A-Za-z0-9_]*)"
_APT_SETTINGS = "/etc/apt/apt.conf.d"


class Role(enum.Flag):
    """Where an instruction goes."""

    DROPPED = 0
    BUILDER = enum.auto()
    RUNNER = enum.auto()
    BOTH = BUILDER | RUNNER


def assemble(
    reading: StageReading,
    roles: Mapping[Instruction, Role],
    *,
    runner_image: str,
    artefacts: Sequence[str],
    builder_tail: Sequence[str] = (),
    builder_head: Sequence[str] = (),
    instead: Mapping[Instruction, str | Sequence[str]] | None = None,
    instead_in_runner: Mapping[Instruction, str] | None = None,
    before: Mapping[Instruction, Sequence[str]] | None = None,
    runner_head: Sequence[str] = (),
    is_artefact_absolute: bool = False,
    reads_no_artefact: Collection[Instruction] = (),
    evidence: Sequence[str] = (),
) -> SplitPlan | Refused:
    """The plan for a stage whose RUN and COPY instructions have the given ``roles``.

    ``artefacts`` (``COPY --from=builder ...``) take the place of the first COPY or RUN that stays in the builder;
    ``runner_head`` (system packages, users) comes right after the runner's FROM, ``builder_tail`` after the last
    step of the builder. ``instead`` has new canonical text for nodes of the builder (several texts: several
    instructions), ``instead_in_runner`` for nodes of the runner, ``before`` what the builder gets just before a
    node. Artefacts that are named by absolute paths (``is_artefact_absolute``) need not wait for the last WORKDIR.
    RUNs of ``reads_no_artefact`` (tools installed by name) come before the artefacts, which change more often.
    An instruction without a role that is not plain configuration refuses the plan by name.
    """
    placed = _placed(reading, roles)
    if isinstance(placed, Refused):
        return placed
    builder: list[Instruction | str | Instead] = list(builder_head)
    runner = _Runner(placed, runner_head, artefacts, is_artefact_absolute)
    for step, role in placed:
        node = step.node
        if Role.BUILDER in role:
            builder += (before or {}).get(node, ())
            texts = (instead or {}).get(node)
            if texts is None:
                builder.append(node)
            else:
                first, *more = (texts,) if isinstance(texts, str) else texts
                builder += [Instead(node, first), *more]
            runner.follow_builder(step, role)
        if runner.takes(step, role):
            changed = (instead_in_runner or {}).get(node)
            runner.add(step, node if changed is None else Instead(node, changed), node in reads_no_artefact)
    return SplitPlan((*builder, *builder_tail), runner_image, (*runner.lines, *runner.waiting), tuple(evidence))


def _placed(reading: StageReading, roles: Mapping[Instruction, Role]) -> list[tuple[Step, Role]] | Refused:
    """Each step with its role: the given one, or that of plain configuration."""
    built = (index for index, step in enumerate(reading.steps)
             if Role.BUILDER in roles.get(step.node, Role.DROPPED) and step.keyword in _WORKS)  # fmt: skip
    last_built = max(built, default=-1)
    placed: list[tuple[Step, Role]] = []
    for index, step in enumerate(reading.steps):
        role = roles.get(step.node)
        role = _configuration_role(step, index <= last_built) if role is None else role
        if role is None:
            line = reading.file.line_of(step.node)
            what = step.node.argument.split("\n")[0][:60]
            return Refused(
                f"what line {line} is for is not known: {step.keyword} {what}",
                "say in the Dockerfile's own stage what is needed at run time, or move that step apart",
            )
        placed.append((step, role))
    return placed


class _Runner:
    """The lines of the runner, as the steps of the stage are gone through."""

    def __init__(
        self, placed: Sequence[tuple[Step, Role]], head: Sequence[str], artefacts: Sequence[str], is_absolute: bool
    ) -> None:
        self.placed = placed
        self.lines: list[Instruction | str | Instead] = list(head)
        self.waiting = list(artefacts)
        """Artefacts that have no place yet."""
        self.is_absolute = is_absolute
        self.used = {name for step, role in placed if Role.RUNNER in role
                     for name in re.findall(_VARIABLE, step.node.argument)}  # fmt: skip
        self.settings = 0
        """Where settings of apt go: in front of what is installed there."""
        self.cached_until: int | None = None
        """Where the artefacts begin, as long as nothing behind that changes what a RUN sees."""

    def takes(self, step: Step, role: Role) -> bool:
        """The runner has the step, or an ARG that it reads."""
        is_read = step.keyword == "ARG" and any(name in self.used for name, _ in step.node.pairs)
        return is_read or Role.RUNNER in role

    def follow_builder(self, step: Step, role: Role) -> None:
        """What the builder alone does is what the artefacts stand for."""
        if step.keyword in _WORKS and Role.RUNNER not in role and (self.is_absolute or self._is_home_set(step)):
            self._place_artefacts()

    def add(self, step: Step, line: Instruction | Instead, reads_no_artefact: bool) -> None:
        # What is copied rarely comes before what is copied from the sources: it stays cached when they change.
        is_copied = self.is_absolute and step.keyword in {"COPY", "ADD"}
        # USER, HEALTHCHECK and the like may stand above WORKDIR, from which the artefacts' places are seen.
        is_end = step.keyword in _ENDS and (self.is_absolute or self._is_home_set(step))
        if is_copied or is_end:
            self._place_artefacts()
        if self.cached_until is not None and reads_no_artefact:
            self.lines.insert(self.cached_until, step.node)
            self.cached_until += 1
        elif sets_up_apt(step):
            self.lines.insert(self.settings, step.node)
            self.settings += 1
            self.cached_until = None if self.cached_until is None else self.cached_until + 1
        else:
            self.cached_until = None if step.keyword in _SEEN_BY_RUN else self.cached_until
            self.lines.append(line)

    def _place_artefacts(self) -> None:
        if self.waiting:
            self.cached_until = len(self.lines)
            self.lines += self.waiting
            self.waiting = []

    def _is_home_set(self, here: Step) -> bool:
        """No WORKDIR follows: artefacts placed now are seen from the folder that the program starts in."""
        index = next(at for at, (step, _) in enumerate(self.placed) if step is here)
        return all(step.keyword != "WORKDIR" for step, _ in self.placed[index:])


def sets_up_apt(step: Step) -> bool:
    """A RUN that does nothing but write settings of apt, which hold for every installation behind it."""
    if step.script is None or any(command.name not in {"echo", "printf", "tee"} for command in step.commands):
        return False
    made = files_of(step.script, step.workdir).made
    return bool(made) and all(is_within(path, _APT_SETTINGS) for path in made)


def _configuration_role(step: Step, is_before_build: bool) -> Role | None:
    if step.keyword in _RUNNER_ONLY:
        return Role.RUNNER
    if step.keyword in _BOTH or step.keyword == "USER":
        return Role.BOTH if is_before_build else Role.RUNNER
    if step.keyword == "ARG":
        return Role.BUILDER if is_before_build else Role.RUNNER
    return None


def variant_reference(reading: StageReading, variant: str) -> str | Refused:
    """The base image of the stage in another variant (``node:20`` -> ``node:20-slim``), variables kept as written."""
    written, expanded = reading.stage.image, reading.image_reference
    if expanded is None:
        return Refused(
            f"the base image {written} depends on a build argument without a default", "give the ARG a default"
        )
    image = lookup(expanded)
    if image is None:
        return Refused(f"the base image {expanded} is not in the catalogue", "name an official image")
    found = image.with_variant(variant)
    if found is None and "@" in expanded:
        return Refused(f"the base image is pinned by digest, and the digest of its {variant} variant is not known here")
    if found is None:
        return Refused(f"{expanded} has no {variant} variant")
    if written == expanded:
        return found
    # ${VERSION} at the end of what stays, or the repository in front of it: what changes is literal text.
    prefix = len(posixpath.commonprefix((expanded, found)))
    suffix = len(posixpath.commonprefix((expanded[::-1], found[::-1])))
    tail, changed = expanded[prefix:], expanded[prefix : len(expanded) - suffix]
    kept = [written[: len(written) - len(tail)] + found[prefix:]] if written.endswith(tail) else []
    kept += [written.replace(changed, found[prefix : len(found) - suffix])] if changed else []
    for text in kept:
        if reading.file.expand(text, reading.stage.from_) == found:
            return text
    return Refused(f"the {variant} variant of {written} cannot be written with its variables")


def laid_out(text: str) -> str:
    """A list of commands joined by ``&&``, one to a line where it was written over several lines."""
    script = read(text)
    if "  " not in text or not script.is_and_list or len(script.top) < 2 or "\n" in text:
        return text
    pieces = [text[item.span[0] : item.span[1]].strip() for item in script.top]
    return " \\\n    && ".join(
        " ".join(part.split()) if "'" not in part and '"' not in part else part for part in pieces
    )


def copies_to(context: BuildContext, places: Mapping[str, str], workdir: str, flags: str = "") -> list[str]:
    """COPY instructions that bring context paths to their absolute ``places`` in the image, files of one folder
    together."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for path, place in places.items():
        is_folder = context.is_dir(path) is True
        groups.setdefault((place if is_folder else posixpath.dirname(place), is_folder), []).append(path)
    texts = []
    for (folder, _), paths in groups.items():
        relative = posixpath.relpath(folder, workdir) if workdir != "/" else folder
        target = "./" if relative == "." else (folder if relative.startswith("..") else relative).rstrip("/") + "/"
        texts.append(f"COPY {flags}{' '.join(paths)} {target}")
    return texts


def builder_name(reading: StageReading) -> str:
    """What ``COPY --from=`` calls the builder: the stage's own name where it has one."""
    return reading.stage.name or "builder"
