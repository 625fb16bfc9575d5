"""What lies in a build context that no build needs: git's history, what package managers and tools put there, secrets.

A copy of the whole folder brings it along. Whether it may stay out is asked of every Dockerfile that builds from the
folder, and of the files that are copied: what anything names, or reads, stays.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from refactor.context import BuildContext, Unknown
from refactor.context.names import is_dockerfile_name
from refactor.context.storage import SKIPPED_FOLDERS
from refactor.flow.places import brought, mounts
from refactor.flow.reading import StageReading, Step, is_within, join
from refactor.once import cached_property
from refactor.syntax import Dockerfile, Instruction, parse

if TYPE_CHECKING:
    from refactor.flow.graph import Flow
    from refactor.flow.outputs import Output


class Leftover(NamedTuple):
    """Something that a copy of its folder brings into the image, and that nothing needs there."""

    path: str
    pattern: str
    """The line of ``.dockerignore``."""
    evidence: tuple[str, ...]
    is_worth: bool = True
    """A reason for a ``.dockerignore`` by itself."""


class Needed(NamedTuple):
    """Something that looks like a leftover and is needed, or may be."""

    path: str
    because: str
    hint: str = ""


class _Packages(NamedTuple):
    """A folder that a package manager makes of a manifest, on the author's machine as in the image."""

    name: str
    manifest: str
    managers: frozenset[str]


_PACKAGES = (
    _Packages("node_modules", "package.json", frozenset({"npm", "yarn", "pnpm", "bun"})),
    _Packages("vendor", "composer.json", frozenset({"composer"})),
    _Packages(".venv", "uv.lock", frozenset({"uv"})),
)
_FILLS = frozenset({"install", "ci", "sync"})

_CACHES = frozenset({".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".nyc_output", ".terraform"})
_LIGHT = frozenset({".idea", ".vscode", ".DS_Store"})
_ENVIRONMENTS = (".env", ".env.local")

_GIT = r"""(?x)
    \bgit\s+(?:describe|rev-parse|log|rev-list|show|status|diff|branch|ls-files|tag|submodule)\b
    | ["'](?:describe|rev-parse|rev-list)["'] | \.git/ | vcs\.revision | -buildvcs=true
    | setuptools[_-]scm | versioneer | hatch[_-]vcs | dynamic-versioning | versioningit | dunamai | \bpbr\b
    | git-commit-id | git[_-]?(?:version|revision|info|rev)\b | gitversion | minver | nerdbank | vergen | shadow-rs
    | simple-git | isomorphic-git | nodegit | gitpython | ^import\ git\b | pygit2 | go-git | libgit2 | jgit
    | \bgit2\b"""
"""What reads git's history, in a source, a manifest or a build script."""
_RUN_GIT = r"\bgit\s+(?!clone\b|config\b|lfs\b|init\b|--version\b)[a-z-]+"
_HOOKS = r"husky|lefthook|simple-git-hooks|yorkie|pre-commit"
"""Packages whose install script stops where there is no repository."""
_READS_ENV = r"""(?xi)
    dotenv | (?<![\w\])])\.env\b(?!\.(?:example|sample|template|dist)) | read_env | load_env | env_file | --env-file
    | \bdecouple\b | pydantic[_-]settings | BaseSettings | \benvirons\b | \bviper\b | \bfigaro\b | laravel | symfony
    | \bvite\b | react-scripts | "next" | \bnuxt\b | \bastro\b | \bexpo\b | \bbun\b | @vue/cli-service | \bgatsby\b"""
"""What reads an environment file, by itself too."""
_NO_SOURCES = (
    r"(?i)\..*|.*\.(?:md|rst|txt|lock|lockb|svg|css|scss|less|html?|csv|map|sum)|(?:package|npm).*lock.*|pnpm-.*"
)
_COMPOSE = r"(?i)(?:docker-)?compose.*|docker-bake.*|.*dockerfile.*"
_MAX_FILES = 3000
_MAX_BYTES = 256 * 1024
_MAX_DOCKERFILES = 50


def leftovers(
    file: Dockerfile, context: BuildContext, flow_of: FlowOf
) -> Iterator[tuple[Instruction, Leftover | Needed]]:
    """What the whole-folder copies of ``file`` bring along, with the first copy that does. Nothing where the context is
    unknown. ``flow_of`` gives the graph of a file."""
    if context.why_unknown is not None:
        return
    readings = (StageReading.of(file, stage, context) for stage in file.stages)
    wholes = [copied for reading in readings for copied in reading.copies if copied.is_folder]
    if not wholes:
        return
    search = _Search(file, context, flow_of)
    for path, make in search.candidates():
        node = next((copied.node for copied in wholes if is_within(f"/{path}", f"/{copied.source}")), None)
        if node is not None and context.is_ignored(path) is False:
            found = search.why_unclear(path) or make(path)
            if found is not None:
                yield node, found


class OtherName(NamedTuple):
    """Another instruction that names a path of the build context."""

    where: str
    is_copy_here: bool
    """A COPY of the same Dockerfile."""


def other_names(file: Dockerfile, context: BuildContext, path: str, node: Instruction) -> OtherName | None:
    """What else than ``node`` names a path, or may name it, in a Dockerfile that builds from this folder; None where
    nothing does, so that a line of ``.dockerignore`` for it is harmless."""
    search = _Search(file, context, None)
    if isinstance(search.readings, str):
        return OtherName(search.readings, False)
    for reading, other, is_known in search.naming(path):
        if other is not node:
            is_copy_here = reading.file is file and other.keyword == "COPY" and is_known
            return OtherName(f"`{other.text.strip()}`", is_copy_here)
    return None


FlowOf: TypeAlias = "Callable[[Dockerfile, BuildContext], Flow]"
_Judge: TypeAlias = Callable[[str], Leftover | Needed | None]


class _Search:
    def __init__(self, file: Dockerfile, context: BuildContext, flow_of: FlowOf | None) -> None:
        self.context = context
        self.file = file
        self.flow_of = flow_of

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files of the context but for what others wrote; () where there are too many to read."""
        found = self.context.files(without=SKIPPED_FOLDERS - {"__pycache__"})
        return () if isinstance(found, Unknown) or len(found) > _MAX_FILES else found

    @cached_property
    def readings(self) -> tuple[StageReading, ...] | str:
        """The stages of all Dockerfiles that build from this folder with this ignore file, or why they are unknown."""
        dockerfiles = [self.file]
        own = self.context.dockerfile
        if own is None and self.context.root is not None:
            return "the Dockerfile lies outside of its build context"
        if self.context.ignore_file != f"{own}.dockerignore":
            others = [path for path in self.files if path != own and is_dockerfile_name(posixpath.basename(path))]
            if len(others) > _MAX_DOCKERFILES:
                return f"more than {_MAX_DOCKERFILES} Dockerfiles lie in the build context"
            for path in others:
                data = self.context.stored(path)
                parsed = parse(data) if isinstance(data, bytes) else None
                if parsed is not None and not parsed.problems and self._shares(path, parsed):
                    dockerfiles.append(parsed)
        return tuple(StageReading.of(one, stage, self.context) for one in dockerfiles for stage in one.stages)

    @property
    def _readings(self) -> tuple[StageReading, ...]:
        return () if isinstance(self.readings, str) else self.readings

    def _shares(self, path: str, file: Dockerfile) -> bool:
        """Whether another Dockerfile may build from this folder: not where its own has what it copies."""
        folder = posixpath.dirname(path)
        if not folder or path in self.context.built_here:
            return True
        sources = [source.lstrip("/") for node in file.instructions for source in _context_sources(node)]
        return any(self.context.exists(posixpath.join(folder, source)) is not True for source in sources)

    def candidates(self) -> Iterator[tuple[str, _Judge]]:
        context = self.context
        if context.is_dir(".git") is True:
            yield ".git", self._history
        kinds = {kind.manifest: kind for kind in _PACKAGES}
        for manifest in self.files:
            folder, _, name = manifest.rpartition("/")
            if name in kinds:
                yield posixpath.join(folder, kinds[name].name), partial(self._packages, kinds[name])
        if self.flow_of is not None:
            from refactor.flow.outputs import outputs

            for output in outputs(context, self.files):
                if "/" in output.path or not self._is_cache(output.path):
                    yield output.path, partial(self._output, self.flow_of, output)
        names = context.children()
        for entry in () if isinstance(names, Unknown) else names:
            name = entry.removesuffix("/")
            if name in _ENVIRONMENTS:
                yield name, self._environment
            elif entry.endswith("/") and self._is_cache(name):
                yield name, self._cache
            elif name in _LIGHT:
                yield name, self._settings
        compiled = next((path for path in self.files if "__pycache__/" in path), None)
        if compiled is not None or any(path.endswith(".py") for path in self.files):
            yield compiled or next(path for path in self.files if path.endswith(".py")), self._bytecode

    def _is_cache(self, name: str) -> bool:
        """A tool's cache, a virtual environment or a report of coverage, by what lies in it."""
        signs = ["CACHEDIR.TAG"]
        if name != ".venv":
            signs.append("pyvenv.cfg")
        if name in {"coverage", "htmlcov"}:
            signs += ["lcov.info", "coverage-final.json", "clover.xml", "index.html", "lcov-report"]
        return name in _CACHES or any(self.context.is_on_disk(f"{name}/{sign}") is True for sign in signs)

    def why_unclear(self, path: str) -> Needed | None:
        """Why a path must stay that some instruction names, or may name."""
        if isinstance(self.readings, str):
            return Needed(path, self.readings, "name the build context with --context")
        if "__pycache__" in path or path.endswith(".py"):
            return None
        found = next(self.naming(path), None)
        if found is None:
            return None
        _, node, is_known = found
        return Needed(path, "" if is_known else f"`{node.text.strip()}` copies what a variable says")

    def naming(self, path: str) -> Iterator[tuple[StageReading, Instruction, bool]]:
        """What names a path, or may name it, to copy or mount it; False where a variable says what that is."""
        for reading in self._readings:
            for step in reading.steps:
                for source in (*_context_sources(step.node), *_bind_sources(step.node)):
                    named = reading.expand(source, step.node)
                    if named is None or self._is_named(named.strip("/").removeprefix("./"), path):
                        yield reading, step.node, named is not None

    def _is_named(self, source: str, path: str) -> bool:
        """Whether a source of a copy is the path, lies in it or is a pattern that takes it."""
        source = posixpath.normpath(source)
        if any(sign in source for sign in "*?["):
            found = self.context.glob(source)
            return isinstance(found, Unknown) or any(is_within(f"/{one}", f"/{path}") for one in found)
        return is_within(f"/{source}", f"/{path}")

    def _history(self, path: str) -> Leftover | Needed:
        hint = "name .git in .dockerignore if the build does without"
        for reading, step in self._steps({"RUN"}):
            found = re.search(_RUN_GIT, step.node.text)
            if found is not None:
                return Needed(path, f"`{found[0]}` in a RUN reads git's history", hint)
            if self._hooks is not None and _is_after_whole_copy(reading, step) and _fills(step, None):
                return Needed(path, f"{self._hooks} has git hooks installed, which stops where .git is missing", hint)
        reader = self._reader(_GIT)
        if isinstance(reader, str):
            return Needed(path, f"{reader} may read git's history", hint)
        if reader is None:
            return Needed(path, "the build context has too many files to look for what reads git's history", hint)
        return Leftover(path, path, (self._weighed(path), "no RUN and no file that is copied reads git's history"))

    @cached_property
    def _hooks(self) -> str | None:
        text = self.context.read("package.json")
        return "package.json" if isinstance(text, str) and re.search(_HOOKS, text) else None

    def _packages(self, kind: _Packages, path: str) -> Leftover | Needed | None:
        folder = posixpath.dirname(path)
        manifest = posixpath.join(folder, kind.manifest)
        is_there = self.context.is_on_disk(path) is True
        if not is_there and not self._has_dependencies(manifest):
            return None
        makers = set()
        for reading, place, _ in brought(self._readings, folder):
            maker = self._maker(reading, place, kind)
            if maker is None:
                if not is_there:
                    return None
                because = f"nothing in the image installs what {path} holds, so that it may have to be copied"
                return Needed(path, because, f"install from {manifest} in the Dockerfile")
            makers.add(maker)
        made = f"{', '.join(sorted(makers))} makes {path} in the image from {manifest}"
        if is_there:
            return Leftover(path, path, (self._weighed(path), made))
        return Leftover(path, path, (f"{made}, and on the host the same command leaves one to be copied over it",))

    def _maker(self, reading: StageReading, place: str, kind: _Packages) -> str | None:
        """What makes the folder of packages beside ``place`` in a stage, or brings it from another."""
        steps = [(where, step) for where in reading.lineage() for step in where.steps]
        for where, step in steps:
            found = _fills(step, kind.managers, place)
            if found is not None:
                return found
            if step.keyword == "COPY" and step.node.flag("from") is not None:
                target = where.targets.get(step.node, "/")
                named = any(posixpath.basename(source.rstrip("/")) == kind.name for source in step.node.sources)
                if (named and is_within(target, place)) or target == join(place, kind.name):
                    return "a COPY --from"
        return None

    def _has_dependencies(self, manifest: str) -> bool:
        if not manifest.endswith(".json"):
            return True
        data = self.context.json(manifest)
        keys = ("dependencies", "devDependencies", "require")
        return isinstance(data, dict) and any(data.get(key) for key in keys)

    def _cache(self, path: str) -> Leftover | Needed:
        name = re.escape(path)
        for reading, step in self._steps({"RUN", "CMD", "ENTRYPOINT", "ENV", "HEALTHCHECK"}):
            if re.search(rf"(?<![\w.-]){name}(?![\w.-])", step.node.text):
                built = path == "target" and any(call.manager == "cargo" for _, call in reading.calls)
                if not built:
                    return Needed(path, f"`{step.node.text.strip()}` names it")
        if self._readings and self._readings[-1].start is None:
            return Needed(path, "")
        return Leftover(path, path, (self._weighed(path),))

    def _output(self, flow_of: FlowOf, output: Output, path: str) -> Leftover | Needed:
        from refactor.flow.outputs import ignored_by_git, made_by

        ignore = ignored_by_git(self.context, path)
        hint = "name it in .dockerignore if the image makes it itself"
        if ignore is None:
            return Needed(path, "no .gitignore names it, so that it may hold what was written by hand", hint)
        makers = set()
        for reading, place, node in brought(self._readings, path):
            maker = made_by(flow_of(reading.file, self.context), reading, place, output, node)
            if maker is None:
                return Needed(path, "no step is known to make it before another one may read it", hint)
            makers.add(maker)
        made = f"{', '.join(sorted(makers))} makes {path} in the image, and {ignore} says that it holds no sources"
        return Leftover(path, path, (self._weighed(path), made))

    def _settings(self, path: str) -> Leftover:
        return Leftover(path, path, (self._weighed(path),), False)

    def _bytecode(self, path: str) -> Leftover | None:
        pattern = "**/__pycache__"
        if self.context.is_ignored("a/__pycache__") is True or self.context.is_ignored("__pycache__") is True:
            return None
        is_there = "__pycache__" in path
        told = (
            f"{path} is Python's own cache" if is_there else "Python leaves its caches beside the sources on the host"
        )
        return Leftover(path, pattern, (told,), is_there)

    def _environment(self, path: str) -> Leftover | Needed:
        hint = f"give it when the container starts (`docker run --env-file {path}`), and name it in .dockerignore"
        for _, step in self._steps({"RUN", "CMD", "ENTRYPOINT"}):
            if re.search(r"(?<![\w\])])\.env\b", step.node.text):
                return Needed(path, f"it goes into the image, and `{step.node.text.strip()}` reads it", hint)
        reader = self._reader(_READS_ENV)
        if isinstance(reader, str):
            return Needed(path, f"it goes into the image with whatever secrets it has, and {reader} may read it", hint)
        if reader is None:
            return Needed(path, "the build context has too many files to look for what reads it", hint)
        return Leftover(path, path, (f"{path} holds settings of this machine, and no file that is copied reads it",))

    def _steps(self, keywords: Collection[str]) -> Iterator[tuple[StageReading, Step]]:
        return ((reading, step) for reading in self._readings for step in reading.steps if step.keyword in keywords)

    def _reader(self, pattern: str) -> str | bool | None:
        """The first file of program, manifest or script that matches; False: none does, None: not all could be read."""
        if not self.files:
            return None
        expression = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
        for path in self.files:
            name = posixpath.basename(path)
            if re.fullmatch(_NO_SOURCES, name) or re.fullmatch(_COMPOSE, name) or "__pycache__" in path:
                continue
            data = self.context.read_bytes(path)
            if not isinstance(data, bytes) or len(data) > _MAX_BYTES or b"\0" in data[:1024]:
                continue
            if expression.search(data.decode("utf-8", "replace")):
                return path
        return False

    def _weighed(self, path: str) -> str:
        weight = self.context.weight(path)
        if isinstance(weight, Unknown):
            return f"{path} is in the build context"
        more = "more than " if weight.is_more else ""
        files = "1 file" if weight.files == 1 else f"{more}{weight.files:,} files"
        return f"{path} is in the build context: {files}, {_size(weight.bytes)}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def _context_sources(node: Instruction) -> Sequence[str]:
    if node.keyword not in {"COPY", "ADD"} or node.flag("from") is not None:
        return ()
    return [source for source in node.sources if "://" not in source and not source.startswith("git@")]


def _bind_sources(node: Instruction) -> Iterator[str]:
    for options in mounts(node) if node.keyword == "RUN" else ():
        if options["type"] == "bind" and not options.get("from"):
            yield options.get("source") or "."


def _is_after_whole_copy(reading: StageReading, step: Step) -> bool:
    return any(copied.is_folder for copied in reading.copies_before(step.node))


def _fills(step: Step, managers: Collection[str] | None, place: str | None = None) -> str | None:
    """The call of a RUN that installs what a manifest lists (in ``place``), as it is written."""
    for call in step.calls:
        if managers is not None and call.manager not in managers:
            continue
        if (call.action not in _FILLS and not (call.manager in {"yarn", "pnpm"} and not call.verb)) or call.packages:
            continue
        folder = step.folder_of(call.command)
        prefix = call.option("--prefix", "-C", "--cwd", "--dir", "--directory", "--working-dir")
        if prefix is not None and folder is not None:
            folder = join(folder, prefix)
        if place is None or folder == place:
            return f"`{call.program} {call.verb}`".replace(" `", "`")
    return None
