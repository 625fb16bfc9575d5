"""The front end of a program in another language: how its build gets a stage of its own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from refactor.context.literals import line_at
from refactor.ecosystems import registry, system
from refactor.ecosystems.answers import Assets, Install
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.node.beside import CALLS_NODE, Part, is_repeatable, made_by_others, texts_of
from refactor.ecosystems.node.builds import Built, kind_of
from refactor.ecosystems.node.known import grouped
from refactor.ecosystems.node.native import judge, libraries
from refactor.ecosystems.node.projects import Project, project_installs
from refactor.ecosystems.node.version import NAMING
from refactor.ecosystems.slicing import why_unknown
from refactor.ecosystems.versions import decide
from refactor.flow.closure import why_unseen
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, is_within
from refactor.images import BaseImage, lookup
from refactor.once import cached_property
from refactor.syntax import Instruction

_SET_UP = r"setup_(\d+)\.x|node_(\d+)\.x"
_RUNS_IT = frozenset("node nodejs npm npx yarn pnpm bun tsx ts-node nodemon pm2 pm2-runtime".split())
_FRONT_END = "[cm]?[jt]sx?|vue|svelte|s?css|sass|less|html"
_OF_PROGRAMS = (
    "py|rb|php|go|java|kt|cs|rs|exs?|html?|twig|erb|haml|slim|jinja2?|j2|tmpl|conf|ini|service|yaml|yml|toml|cfg"
)
_TOOL = r"(?:node|npm|npx|yarn|pnpm)\b"
_STARTS = (
    r"\b(?:run|call|check_call|check_output|Popen|exec[lv]?p?|shell_exec|system|passthru|proc_open|popen|Process|Command|"
    r"CommandContext|spawn\w*|capture2?e?)"
    rf"(?:[ \t]*[(\[]\s*|[ \t]+)[^\n)]{{0,60}}?[\"'](?:[\w./-]*/)?{_TOOL}"
    rf"|(?m:^\s*command\s*=\s*(?:\S*/)?{_TOOL}|^//go:generate\s+{_TOOL})"
)
_READS_ANY = r"process\.env(?!\s*(?:\.\s*\w|\[\s*[\"']))"
_ALWAYS = r"(?:NODE|NPM|YARN|PNPM|COREPACK)_\w+|npm_config_\w+|CI"
_ELSEWHERE = r"/(?:etc|bin|sbin|usr|lib)(?:/|\Z)"
_NOT_OWN = ("node_modules", "vendor", ".git")


def assets(reading: StageReading) -> Assets | Refused | None:
    """See :meth:`Ecosystem.assets`."""
    if _is_started(reading) or not _makes(kind_of(reading).builds):
        return None
    front_end = _FrontEnd(reading)
    if not _makes(front_end.builds):
        return None
    return front_end.why_not() or front_end.found()


def _makes(builds: Sequence[tuple[object, object, Built]]) -> bool:
    """Whether one of the builds makes files, or may."""
    return any(built.outputs != () for _, _, built in builds)


def left_behind(reading: StageReading) -> tuple[str, ...] | Refused | None:
    """See :meth:`Ecosystem.left_behind`."""
    if _is_started(reading):
        return None
    front_end = _FrontEnd(reading)
    if not front_end.acts:
        return None
    written = [path for act in front_end.acts for path in act.effect.writes if isinstance(path, str)]
    folders = tuple(dict.fromkeys(path for path in written if path.endswith("/node_modules") and path.count("/") > 1))
    return front_end.why_read() or tuple(path for path in folders if not path.startswith("/usr/"))


def _is_started(reading: StageReading) -> bool:
    """The container runs a program of Node, or it is not known what it runs."""
    image = reading.image
    if image is not None and image.family in {"node", "bun"}:
        return True
    started = {*programs_started(reading)}
    if reading.start is None and image is not None:
        started.update(posixpath.basename(word) for word in (*image.entrypoint, *image.cmd)[:1])
    return bool(started & _RUNS_IT) or reading.context.why_unknown is not None


class _FrontEnd:
    def __init__(self, reading: StageReading) -> None:
        self.reading, self.context = reading, reading.context
        self.flow = registry.flow_of(reading.file, reading.context)
        packages = next(language.system_packages for language in registry.known if language.name == "Node")
        self.parts = {one.step: Part(one, packages) for one in self.flow.steps(reading) if one.step.keyword == "RUN"}
        self.acts = tuple(act for act in self.flow.acts(reading) if act.effect.by == "Node" and act.call is not None)
        own = {id(act.call.command): act for act in self.acts if act.call is not None}
        kind = kind_of(reading)
        self.builds: tuple[tuple[Act, Step, Built], ...] = tuple(
            (own[id(command)], step, built) for step, command, built in kind.builds if id(command) in own
        )
        self.last = max((reading.position(act.step.step.node) for act in self.acts), default=-1)
        self.evidence: list[str] = []

        calls = [act.call for act in self.acts if act.call is not None and act.effect.reads]
        folders = [call.folder for call in calls if call.folder]
        self.folder = posixpath.commonpath(folders) if folders else "/"
        """That all of its commands work in."""
        self.source = reading.in_context(self.folder, reading.steps[self.last].node) if self.acts else None
        """The same in the context."""
        made = [path for _, _, built in self.builds for path in built.outputs or () if "/node_modules" not in path]
        inner = {path for path in made if any(path != other and is_within(path, other) for other in made)}
        self.outputs = tuple(dict.fromkeys(path for path in made if path not in inner))

    def why_not(self) -> Refused | None:
        reading = self.reading
        # Commands that only bring Node go.
        bringers = [command for part in self.parts.values() for command in part.of("node")]
        refused = why_unseen(reading) or why_unknown(self.flow, reading, bringers)
        if refused is not None:
            return refused
        lost = next((built for _, _, built in self.builds if built.outputs is None), None)
        if lost is not None:
            return Refused(f"what the front end's build makes is not known: {lost.why_unknown}", "name the folder")
        if self.folder == "/" or self.source is None:
            return Refused(f"the front end in {self.folder} is no folder of the build context", "copy it as one folder")
        for step in reading.steps[: self.last + 1]:
            line = reading.file.line_of(step.node)
            if step.keyword == "USER":
                return Refused(f"the front end is built as the user of line {line}", "build it above the USER")
            part = self.parts.get(step)
            texts = (step.node.argument, *(heredoc.body for heredoc in step.node.heredocs))
            if part is not None and not part.is_readable and re.search(CALLS_NODE, "\n".join(texts)):
                return Refused(f"line {line} calls Node in a script that is not read here", "write it with &&")
        for act in self.flow.acts(reading):
            if "node" in act.effect.needs and act.effect.by != "Node":
                return Refused(f"`{act.text}` on line {act.step.line} calls Node itself", "split by hand")
        return self._why_compiled() or self.why_read() or self._why_others() or self._why_written()

    def _why_compiled(self) -> Refused | None:
        """A package is compiled with what the stage installs for it."""
        image = self.reading.image
        for project in project_installs(self.reading):
            if not isinstance(project, Project):
                return project[1]
            found = judge(self.context, project.lock, project.package, production=False).compiled
            needed = libraries(found, "debian", "bookworm")
            shown = needed if isinstance(needed, str) else ", ".join(needed)
            why = f"with libraries of the system ({shown})" if needed else ""
            if found and image is not None and image.distro == "alpine":
                why = "and Node's image on Alpine has no compiler"
            if why:
                return Refused(f"{found[0].name} may be compiled, {why}", "split by hand")
        return None

    def why_read(self) -> Refused | None:
        """Something of the program starts Node, or reads its packages, when it runs."""
        for language in registry.known:
            called = language.interpreters(self.reading) if language.recognises(self.reading) else {}
            if isinstance(called, Refused):
                return called
            if "node" in called:
                return Refused(f"{called['node']}, which looks for Node when the program starts", "split by hand")
        for copied in self.reading.copies:
            for path, text in texts_of(self.reading, copied.source, _NOT_OWN, _OF_PROGRAMS):
                # Not in a file of the front end alone, or one that the image does not read (of a pipeline, Compose).
                is_own = self.source != "" and path.startswith(f"{self.source}/")
                is_told = re.match(r"\.|(?:.*/)?docker-compose|compose\.|pnpm-|netlify|vercel", path)
                found = None if is_own or is_told else re.search(rf"\bnode_modules\b|{_STARTS}", text)
                if found is not None:
                    what = "names node_modules" if found[0] == "node_modules" else "starts Node"
                    place = line_at(path, text, found.start())
                    return Refused(f"{place} {what}, which the program would lack", "build it into the front end")
        self.evidence.append("no source, template or setting of the program names node_modules or starts Node")
        return None

    def _why_others(self) -> Refused | None:
        """The build reads what another language's command makes."""
        names: dict[str, Act] = {}
        for act, path in made_by_others(self.flow, self.reading, self.folder, self.last, self._repeated()):
            names.setdefault(path, act)
        for path, act in names.items():
            if posixpath.basename(path).startswith(".env"):
                return Refused(f"line {act.step.line} makes {path}, which the front end's build may read", "copy it")
        source = self.source or ""
        for file, text in texts_of(self.reading, source, _NOT_OWN, f"{_FRONT_END}|json"):
            for path, act in names.items():
                if re.search(rf"(?<![\w-]){re.escape(path)}(?:/|[\"'])", text):
                    return Refused(
                        f"{file} names {path}, which `{act.text}` on line {act.step.line} makes: the front end is not"
                        " built without it",
                        "build both in one stage by hand, or keep a copy among the sources",
                    )
        if names:
            self.evidence.append(f"the front end's files name nothing of {', '.join(sorted(names)[:4])}")
        return None

    def _why_written(self) -> Refused | None:
        """Another language's command writes into what the build makes."""
        for act in self.flow.acts(self.reading):
            is_early = self.reading.position(act.step.step.node) <= self.last and act.step.step.keyword == "RUN"
            for path in act.effect.writes if is_early and act.effect.by not in {"", "Node"} else ():
                if isinstance(path, str) and any(is_within(path, out) for out in self.outputs):
                    return Refused(f"line {act.step.line} writes to {path} too, which the front end's build makes")
        return None

    def _repeated(self) -> tuple[Step, ...]:
        return tuple(one.step for one in self.flow.steps(self.reading)
                     if one.step.keyword == "RUN" and is_repeatable(one, self.folder))  # fmt: skip

    def found(self) -> Assets | Refused:
        image = self._image()
        if isinstance(image, Refused):
            return image
        left: dict[Instruction, Instruction | None] = {}
        needs_lists = False
        for step, part in self.parts.items():
            if not part.is_readable:
                continue
            rest = part.left() if part.is_touched else step.node
            if isinstance(rest, Refused):
                return rest
            needs_lists = needs_lists or (part.is_touched and part.brings_lists)
            if rest is not None and needs_lists:
                rest = part.with_lists(rest)
            if rest is not step.node:
                left[step.node] = rest
        for step in self.reading.steps:
            if self._brings_node(step):
                left[step.node] = None
        place = max((self.reading.position(step.node) for _, step, built in self.builds if built.outputs), default=-1)
        for act, _, built in self.builds:
            if built.outputs:
                self.evidence.append(f"`{act.text}` on line {act.step.line} makes {', '.join(built.outputs)}")
        stage = tuple(self._stage(set(self._manifests_of_others())))
        kinds = self.parts[self.reading.steps[place]].kinds
        is_last = "other" not in kinds[kinds.index("front end") :]
        return Assets(image, stage, left, self.reading.steps[place].node, self.outputs, is_last, tuple(self.evidence))

    def _stage(self, others: set[str]) -> Iterator[Instruction | str]:
        """What its own stage does: copies, settings, and its part of the RUNs, up to the last of these."""
        found: list[tuple[Step, Instruction | str]] = []
        repeated = self._repeated()
        for step in self.reading.steps[: self.last + 1]:
            node = step.node
            if step.keyword in {"WORKDIR", "SHELL", "ENV", "ARG"}:
                found.append((step, node))
            elif step.keyword in {"COPY", "ADD"} and node.flag("from") is None:
                copied = self.reading.copied_by(node)
                is_other = all(not one.is_folder and one.source in others for one in copied)
                is_far = not self.climbs and not any(self._meets(one.target) for one in copied)
                if not is_other and not is_far and not all(re.match(_ELSEWHERE, one.target) for one in copied):
                    found.append((step, self._narrowed(step)))
            elif step.keyword == "RUN":
                moved = node if step in repeated else self.parts[step].moved() if self.parts[step].is_readable else None
                if moved is not None:
                    found.append((step, moved))
        used = self._variables([entry for step, entry in found if step.keyword not in {"ENV", "ARG"}])
        image = self.reading.image
        first = next((step.node.argument for step, _ in found if step.keyword not in {"ENV", "ARG", "SHELL"}), "")
        if image is not None and image.workdir not in {"", "/"} and not first.startswith("/"):
            yield f"WORKDIR {image.workdir}"
        for step, entry in found:
            if step.keyword not in {"ENV", "ARG"} or any(re.fullmatch(used, name) for name, _ in step.node.pairs):
                yield entry

    def _meets(self, target: str) -> bool:
        return is_within(target, self.folder) or is_within(self.folder, target)

    @cached_property
    def climbs(self) -> bool:
        """A file of the front end names one outside of its folder, or may."""
        source = self.source or ""
        if not source:
            return False
        for path, text in texts_of(self.reading, source, ("node_modules", ".git"), f"{_FRONT_END}|json|\\w*rc"):
            if re.search(r"[\"'`]\.\.[\"'`]", text):
                return True
            for found in re.finditer(r"(?<![\w.])((?:\.\./)+[^\s\"'`)]*)", text):
                reached = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), found[1]))
                place = posixpath.normpath(posixpath.join(self.folder, posixpath.relpath(reached, f"/{source}")))
                if not is_within(reached, f"/{source}") and place not in self.outputs:
                    return True
        return False

    def _narrowed(self, step: Step) -> Instruction | str:
        """A copy as root, and of the front end's folder alone where that is all it reads: users of the stage need not
        be in Node's image, and an edit of the program builds no front end."""
        node, source, copied = step.node, self.source or "", self.reading.copied_by(step.node)
        flags = [flag.text for flag in node.flags if flag.name not in {"chown", "chmod"}]
        whole = next((one for one in copied if one.is_folder and one.source != source), None)
        is_inside = whole is not None and (whole.source == "" or source.startswith(f"{whole.source}/"))
        is_plain = node.json is None and "exclude" not in {flag.name for flag in node.flags} and len(copied) == 1
        if is_inside and is_plain and not self.climbs and re.fullmatch(r"[\w./-]+", source):
            place = posixpath.relpath(self.folder, step.workdir)
            target = self.folder if place.startswith("..") else f"./{place}"
            return " ".join(("COPY", *flags, source, target))
        return node if len(flags) == len(node.flags) else " ".join((node.keyword, *flags, node.argument))

    def _manifests_of_others(self) -> Iterator[str]:
        for language in registry.known:
            if language.name != "Node":
                for install in language.installs(self.reading):
                    if isinstance(install, Install):
                        yield from install.manifests
        yield from ("composer.json", "composer.lock", "requirements.txt", "Gemfile", "Gemfile.lock", "go.mod", "go.sum")

    def _variables(self, entries: Sequence[Instruction | str]) -> str:
        """Pattern of the variables that its stage or its build may read."""
        found: set[str] = set()
        for entry in entries:
            found.update(re.findall(r"\$\{?(\w+)", entry if isinstance(entry, str) else entry.argument))
        for _, text in texts_of(self.reading, self.source or "", _NOT_OWN, _FRONT_END):
            if re.search(_READS_ANY, text):
                return r"\w+"
            found.update(re.findall(r"\benv\s*(?:\.|\[\s*[\"'])\s*(\w+)", text))
        return "|".join([_ALWAYS, *map(re.escape, sorted(found))])

    def _brings_node(self, step: Step) -> BaseImage | None:
        """Node's image, where a COPY takes Node from it."""
        name = step.node.flag("from") if step.keyword == "COPY" else None
        image = lookup(name) if name and self.reading.file.stage(name) is None else None
        return image if image is not None and image.family == "node" else None

    def _image(self) -> str | Refused:
        """Node in the version that builds today, on the same C library: packages of one platform are not of another."""
        version, image = self._version(), self.reading.image
        if isinstance(version, Refused):
            return version
        if image is None or image.libc is None:
            name = self.reading.image_reference or self.reading.stage.image
            return Refused(f"the base image {name} is not in the catalogue", "start from an official image")
        return f"node:{version}-alpine" if image.distro == "alpine" else f"node:{version}"

    def _version(self) -> str | Refused:
        reading, release = self.reading, self.reading.image.release if self.reading.image is not None else None
        for step in reading.runs:
            found = re.search(_SET_UP, step.node.argument)
            if found is not None:
                number = found[1] or found[2]
                self.evidence.append(f"line {reading.file.line_of(step.node)} installs Node {number}")
                return number
        copied = next((image for step in reading.steps if (image := self._brings_node(step)) and image.version), None)
        if copied is not None:
            return copied.version
        installed = system.installed(reading) & {"nodejs", "npm", "nodejs-npm"}
        packaged = grouped("packaged").get(release or "") if installed else None
        if packaged is not None:
            self.evidence.append(f"the package nodejs of {release} is Node {packaged[0]}")
            return packaged[0]
        named = decide(NAMING, reading)
        if isinstance(named, Refused):
            return Refused("nothing says which version of Node builds the front end", "add .nvmrc with the version")
        self.evidence += named.evidence
        return named.version
