"""Which files of the application the runner needs: outputs of the build, packages, and what the program may open.

Left out is only what is known to be for the build (sources of a compiled program, settings of tools, tests, lockfiles);
what is not known is kept.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.literals import paths_named
from refactor.ecosystems.node.bun import READS_AT_START, compiled
from refactor.ecosystems.node.layout import SKIPPED, Layout, Unit, below
from refactor.ecosystems.node.needs import STATIC_SERVERS, Server, Started
from refactor.ecosystems.node.programs import Ran
from refactor.ecosystems.node.projects import any_lock
from refactor.ecosystems.node.sources import COMPILED, SUFFIXES, facts, is_test
from refactor.ecosystems.node.steps import Kind
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Refused, StageReading, join

_BUILD_FILES = re.compile(
    r"""(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|pnpm-workspace\.yaml|bun\.lockb?|bunfig\.toml
    |\.npmrc|\.yarnrc(?:\.yml)?|\.nvmrc|\.node-version|\.tool-versions|[tj]sconfig[\w.-]*\.json|tslint\.json|nest-cli\.json|angular\.json
    |nodemon[\w.-]*\.json|lerna\.json|turbo\.jsonc?|nx\.json|project\.json|workspace\.json|\.swcrc|\.babelrc[\w.]*|components\.json
    |(?:babel|webpack|vite|vitest|rollup|esbuild|tsup|jest|karma|cypress|playwright|postcss|tailwind|eslint|prettier|commitlint
       |lint-staged|stylelint|release|svelte|astro|vue|craco|metro|snowpack|rspack|rsbuild|unocss|windi|knip|syncpack|capacitor|drizzle
       |quasar|vercel|netlify|i18next-parser|codegen)[\w.-]*\.(?:config|conf)\.[mc]?[jt]s(?:on)?
    |(?:webpack|rollup|esbuild|karma|vite)[\w.-]*\.[mc]?[jt]s|(?:gulpfile|Gruntfile|Gulpfile)[\w.]*\.[mc]?[jt]s
    |jest[\w.-]*\.json|\.mocharc[\w.]*|\.nycrc[\w.]*|\.eslint[\w.]*|\.prettier[\w.]*|\.stylelint[\w.]*|\.commitlintrc[\w.]*
    |\.lintstagedrc[\w.]*|\.editorconfig|\.git(?:ignore|attributes|modules|keep)|\.dockerignore|[\w.-]*[Dd]ockerfile[\w.-]*
    |(?:docker-)?compose[\w.-]*\.ya?ml|[Mm]akefile|Jenkinsfile|Procfile|Taskfile\.ya?ml|\.travis\.yml|\.gitlab-ci\.yml|azure-pipelines\.yml
    |cloudbuild\.ya?ml|fly\.toml|render\.ya?ml|vercel\.json|netlify\.toml|railway\.(?:json|toml)|skaffold\.ya?ml|renovate\.json5?
    |[\w.-]*\.mdx?|LICEN[CS]E[\w.-]*|COPYING[\w.]*|AUTHORS|CHANGELOG[\w.]*|NOTICE[\w.]*|CODEOWNERS|CONTRIBUTING[\w.]*|SECURITY[\w.]*
    |\.env\.(?:example|sample|template|dist|test)|env\.example|codecov\.yml|sonar-project\.properties|typedoc\.json|\.browserslistrc
    |[\w.-]*\.(?:test|spec)\.[mc]?[jt]sx?|[\w.-]*\.d\.[mc]?ts|[\w.-]*\.tsbuildinfo|[\w.-]*\.log|[\w.-]*\.code-workspace|[\w.-]*\.(?:http|rest)
    |\.releaserc[\w.]*|\.markdownlint[\w.]*|\.DS_Store|\.htmlhintrc|\.jshintrc|\.jscsrc|\.flowconfig|\.watchmanconfig|\.all-contributorsrc
    |\.size-limit[\w.]*|\.ncurc[\w.]*|\.npmignore|\.huskyrc[\w.]*|\.czrc|\.cz[\w.]*|\.sentryclirc|\.snyk|\.taprc|\.c8rc[\w.]*|TREE\.txt)\Z""",
    re.VERBOSE,
)
"""Names of files that only builds, linters, tests, package managers and hosts read."""

_BUILD_FOLDERS = words(
    """
    node_modules .git .github .gitlab .circleci .vscode .idea .husky .devcontainer coverage test tests
    __tests__ __mocks__ spec specs e2e cypress playwright docs doc .storybook stories k8s kubernetes
    helm charts terraform .yarn .nx .turbo .changeset types typings @types .cache .parcel-cache .angular
    .nyc_output .swc .vite .config .cursor .claude .fleet .zed patches
    """
)
_COMPILERS = words("babel swc esbuild ncc webpack tsc rollup tsup")
_FRONT_PAGES = frozenset({"index.html"})


class Tree:
    """The files of the context as they lie in the image of a stage."""

    def __init__(self, reading: StageReading, layout: Layout) -> None:
        self.reading = reading
        self.layout = layout
        self.why_unknown: str | None = None
        self.files: dict[str, str] = {}
        """Absolute image path -> context path."""
        self.targets: list[str] = []
        """Image folders that folders of the context are copied to."""
        context = reading.context
        for copied in reading.copies:
            if not copied.is_folder:
                self.files[copied.target] = copied.source
                continue
            self.targets.append(copied.target)
            found = context.files(copied.source, without=SKIPPED)
            if isinstance(found, Unknown):
                self.why_unknown = found.reason
                return
            for path in found:
                self.files[join(copied.target, path[len(copied.source) :].lstrip("/"))] = path

    def names(self, folder: str) -> dict[str, bool]:
        """Names in an image folder -> whether each is a folder."""
        result: dict[str, bool] = {}
        for path in self.files:
            rest = below(path, folder)
            if rest:
                name, _, more = rest.partition("/")
                result[name] = result.get(name, False) or bool(more)
        return dict(sorted(result.items()))

    def under(self, folder: str) -> Iterator[tuple[str, str]]:
        """Image path and context path of the files in a folder, at any depth."""
        prefix = folder.rstrip("/") + "/"
        return ((path, source) for path, source in self.files.items() if path.startswith(prefix))


class Keep(NamedTuple):
    """What the runner gets."""

    paths: tuple[str, ...]
    """Absolute image paths, in the order they are copied: what changes least comes first."""
    files: frozenset[str]
    """Those of them that are single files."""
    chosen: tuple[str, ...]
    """Folders of the application in the image, of which ``paths`` has all that is needed."""
    whole: bool
    """The folder is copied as a whole."""
    needs_packages: bool
    removals: tuple[str, ...]
    """Absolute paths that the builder deletes before the copy."""
    evidence: tuple[str, ...]


class _Keeper:
    def __init__(
        self,
        tree: Tree,
        start: Started,
        unit: Unit,
        root: Unit,
        projects: tuple[Unit, ...],
        members: tuple[Unit, ...],
        kind: Kind,
        server: Server,
    ) -> None:
        self.tree = tree
        self.layout = start.layout
        self.start = start
        self.unit = unit
        self.root = root
        self.members = members
        self.kind = kind
        self.builds = tuple(built for _, _, built in kind.builds)
        self.server = server
        self.runtime = tuple({one.folder: one for one in (root, *members, unit)}.values())
        self.projects = projects
        self.evidence: list[str] = []
        self.kept: dict[str, bool] = {}
        """Path -> is a file."""
        self.outputs: dict[str, None] = {}
        found = paths_named(tree.layout.context, tuple(sorted(SUFFIXES)))
        own = set(server.files)
        self.named = (
            {}
            if isinstance(found, Unknown)
            else {path: place for path, place in found.items() if place.rpartition(":")[0] in own}
        )

    def units_below(self, folder: str) -> list[str]:
        """Folders of other projects below one, also of members that are not needed."""
        found = {posixpath.dirname(path) for path in self.tree.files if path.endswith("/package.json")}
        found |= {one.folder for one in self.projects}
        return sorted(one for one in found if one != folder and below(one, folder) is not None)

    def why_whole(self) -> str | None:
        """Why the application's folder is copied whole, None where its parts are known."""
        for built in self.builds:
            if built.outputs is None and any(below(built.ran.folder, one.folder) is not None for one in self.runtime):
                return built.why_unknown
        for path in self.kind.removed(self.layout):
            if re.search(r"[*?\[$]", path) and any(below(path, one.folder) is not None for one in self.runtime):
                return f"a RUN removes {path}"
        return None

    def choose(self) -> None:
        for one in self.runtime:
            self.choose_in(one.folder, one)
        removed = self.kind.removed(self.layout)
        for path in tuple(self.kept):
            if any(below(path, gone) is not None for gone in removed):
                del self.kept[path]

    def choose_in(self, folder: str, unit: Unit) -> None:
        nested = self.units_below(folder)
        for name, is_folder in self.tree.names(folder).items():
            path = join(folder, name)
            if any(path == other.folder for other in self.runtime) or path in nested:
                continue
            if any(below(other, path) is not None for other in nested):
                self.choose_in_mixed(path, nested)
                continue
            reason = self.why_left_out(path, name, is_folder, unit)
            if reason is None:
                self.kept[path] = not is_folder

    def choose_in_mixed(self, path: str, nested: list[str]) -> None:
        """A folder that holds other projects: its own files are kept where sources name them."""
        for name, is_folder in self.tree.names(path).items():
            child = join(path, name)
            if any(below(other, child) is not None or below(child, other) is not None for other in nested):
                continue
            if self.names_it(child):
                self.kept[child] = not is_folder

    def names_it(self, path: str) -> str | None:
        """Where the sources name a path or something in it."""
        sources = [source for _, source in self.tree.under(path)]
        own = self.tree.files.get(path)
        for source in [own] if own else sources:
            place = self.named.get(source)
            if place is not None:
                return place
        context_path = self.layout.source(path)
        return self.named.get(context_path) if context_path else None

    def why_left_out(self, path: str, name: str, is_folder: bool, unit: Unit) -> str | None:
        if any(below(path, output) is not None for output in self.outputs):
            return "an output"
        if not is_folder:
            return self.why_file_left_out(path, name)
        return self.why_folder_left_out(path, name, unit)

    def why_file_left_out(self, path: str, name: str) -> str | None:
        if name == "package.json":
            return "copied first"
        runs = {ran.program for ran in self.start.runs}
        if name.startswith(("next.config.", "nuxt.config.")):
            return None if runs & {"next", "nuxt", "nuxi"} else "settings of the build"
        if name.startswith(READS_AT_START) and "bun" in self.starters():
            return None
        if name.startswith("tsconfig.") and "bun" in runs and self.server.is_interpreted:
            return None
        if name == "tsconfig.json" and ("next" in runs or self.loads("tsconfig-paths")):
            return None
        source = self.tree.files.get(path, "")
        if source in self.server.files and self.server.is_interpreted:
            return None
        place = self.names_it(path)
        if _BUILD_FILES.match(name) or name in _FRONT_PAGES or is_test(name):
            if place is None or not _is_opened(self, path, place):
                return "a file of the build"
            self.evidence.append(f"{path} is kept: {place} names it")
            return None
        if name.endswith(COMPILED):
            return "a source"
        if place is not None:
            self.evidence.append(f"{path} is kept: {place} names it")
        return None

    def starters(self) -> frozenset[str]:
        """Programs that are started, "bun" for one that it compiled."""
        runs = {ran.program for ran in self.start.runs}
        return frozenset(runs | {"bun"} if compiled(self.layout) is not None else runs)

    def loads(self, module: str) -> bool:
        return any(module in word for ran in self.start.all for word in ran.args)

    def why_folder_left_out(self, path: str, name: str, unit: Unit) -> str | None:
        sources = [source for _, source in self.tree.under(path)]
        rooted = self.rooted(name)
        if self.server.is_interpreted:
            reached = [source for source in sources if source in self.server.files]
            if (reached and self.server.dynamic is None) or any(source in self.reached() for source in sources):
                return None
        if name in _BUILD_FOLDERS:
            place = rooted or (self.names_it(path) if name not in {"node_modules", ".git"} else None)
            if place is None or name in {"node_modules", ".git"}:
                return "a folder of the build"
            self.evidence.append(f"{path} is kept: {place} names it")
            return None
        compiled = [s for s in sources if s.endswith(COMPILED) and not s.endswith((".d.ts", ".d.mts", ".d.cts"))]
        only_types = bool(sources) and all(s.endswith((".d.ts", ".d.mts")) for s in sources)
        if only_types:
            return "types"
        if compiled and (not self.server.is_interpreted or self.server.dynamic is None):
            if rooted is not None:
                self.evidence.append(f"{path} is kept: {rooted} names it")
                return None
            return "sources of the build"
        if rooted is None and self.is_compiled_input(path, unit):
            return "sources of the build"
        place = rooted or self.names_it(path)
        self.evidence.append(
            f"{path} is kept: {place} names it" if place else f"{path} is kept: it may be opened at run time"
        )
        return None

    def reached(self) -> frozenset[str]:
        if not self.server.is_interpreted or self.server.dynamic is None:
            return frozenset(self.server.files) if self.server.is_interpreted else frozenset()
        return frozenset()

    def is_compiled_input(self, path: str, unit: Unit) -> bool:
        """A folder that babel, swc or a bundler compiles (plain JavaScript in, JavaScript out)."""
        if below(path, unit.folder) in self.front_end_folders(unit) and self.server.dynamic is None:
            return True
        if self.server.is_interpreted:
            return False
        for built in self.builds:
            if not built.outputs or built.ran.program not in _COMPILERS:
                continue
            if built.ran.folder != unit.folder:
                continue
            for word in built.ran.args:
                if not word.startswith("-") and join(built.ran.folder, word.split("*")[0]).startswith(path.rstrip("/")):
                    target = join(built.ran.folder, word.split("*")[0])
                    if below(target, path) is not None and not any(
                        below(target, output) is not None for output in built.outputs
                    ):
                        return True
        return False

    def front_end_folders(self, unit: Unit) -> frozenset[str]:
        """Folders whose sources a front-end build of the project turns into its output."""
        programs = {built.ran.program for built in self.builds if built.outputs and built.ran.folder == unit.folder}
        found: set[str] = set()
        if programs & {"react-scripts", "react-app-rewired", "craco", "vue-cli-service", "ng"}:
            found.add("src")
        if "next" in programs:
            found |= {"pages", "app", "src"}
        if programs & {"vite", "parcel"}:
            page = self.layout.context.read(posixpath.join(unit.source, "index.html"))
            if not isinstance(page, Unknown):
                found |= set(re.findall(r"<script[^>]{0,200}\bsrc=[\"']?\.?/?([\w.-]+)/[^\"'> ]+", page))
        return frozenset(found)

    def rooted(self, name: str) -> str | None:
        """Where a source names a folder from the application's root (``src/mail/x.html``, ``join(cwd, 'src')``)."""
        rule = re.compile(rf"[\"'`](?:\./|\.\./|/)*{re.escape(name)}(?:/[^\"'`\n]*)?[\"'`]")
        for path in self.server.files:
            text = facts(self.layout.context, path).text
            if name not in text:
                continue
            for found in rule.finditer(text):
                before = text[max(0, found.start() - 20) : found.start()]
                if re.search(r"(?:\bfrom|\bimport|\brequire)\s*\(?\s*$", before):
                    continue
                if re.search(r"\.ts[\"'`}]|\{\.?ts|\.tsx[\"'`]", found[0]):
                    continue
                value = found[0][1:-1].removeprefix("./").strip("/")
                if value == name and not re.search(
                    r"(?:join|resolve|static|sendFile|readdir\w*|cwd\(\),?|dirname,?|\+)\s*\(?[^()]*$", before
                ):
                    continue
                return f"{path}:{text.count(chr(10), 0, found.start()) + 1}"
        return None


def _is_opened(keeper: _Keeper, path: str, place: str) -> bool:
    """The place that names a build file is no list of files such as a linter's."""
    return place.rpartition(":")[0] in keeper.server.files


def keep(
    tree: Tree,
    start: Started,
    unit: Unit,
    root: Unit,
    projects: tuple[Unit, ...],
    members: tuple[Unit, ...],
    kind: Kind,
    server: Server,
    *,
    is_static: bool,
    has_packages: bool,
) -> Keep | Refused:
    """Chooses what the runner gets, or says what keeps it from being known.

    ``unit`` is the project that is started, ``root`` the one whose install brings its packages, ``projects`` all that
    are installed, ``members`` those of a workspace that are needed. Without ``has_packages`` there is no node_modules
    once development dependencies are gone.
    """
    keeper = _Keeper(tree, start, unit, root, projects, members, kind, server)
    for built in keeper.builds:
        for output in built.outputs or ():
            if any(below(output, one.folder) is not None for one in (*keeper.runtime, *projects)):
                keeper.outputs[output] = None
    roots = _roots(tree, (unit, root, *members, *projects))
    chosen = _chosen(keeper, roots)
    if is_static:
        return _static(keeper, start, roots, chosen)
    alone = _standalone(keeper, start, chosen)
    if alone is not None:
        return alone
    why = keeper.why_whole()
    if why is not None:
        return _whole(keeper, root, projects, roots, why)
    keeper.choose()
    missing = _missing_entry(keeper, start)
    if missing is not None:
        return missing
    return _parts(keeper, root, chosen, has_packages)


def _roots(tree: Tree, units: Iterable[Unit]) -> tuple[str, ...]:
    """The folders that the application lies in."""
    folders = {one.folder for one in units}
    for target in tree.targets:
        if target != "/" and any(below(folder, target) is not None for folder in folders):
            folders.add(target)
    return tuple(
        sorted(one for one in folders if not any(one != other and below(one, other) is not None for other in folders))
    )


def _chosen(keeper: _Keeper, roots: tuple[str, ...]) -> tuple[str, ...]:
    """See :attr:`Needs.chosen`; of an application in the root folder only what is its own."""
    if "/" not in roots:
        return roots
    names = {*keeper.tree.names("/"), "node_modules", *(output.strip("/").split("/")[0] for output in keeper.outputs)}
    return ("/", *(f"/{name}" for name in sorted(names)))


def _static(keeper: _Keeper, start: Started, roots: tuple[str, ...], chosen: tuple[str, ...]) -> Keep | Refused:
    """A static file server: it needs the folder that it serves, and no package of the project."""
    folders = []
    for ran in start.runs:
        if ran.program in STATIC_SERVERS:
            served = _served(ran)
            folders.append(join(ran.folder, served))
    for folder in folders:
        if not any(below(folder, output) is not None for output in keeper.outputs) and not keeper.tree.names(folder):
            return Refused(f"{folder}, which is served, is written by no build step that is known")
        if folder in roots:
            return Refused(f"{folder}, the application's own folder, is served", "serve the folder of the build")
    evidence = (f"{start.runs[-1].shown} serves {', '.join(folders)} and needs no package of the project",)
    return Keep(tuple(folders), frozenset(), chosen, False, False, (), evidence)


def _served(ran: Ran) -> str:
    valued = {"-l", "-p", "--listen", "--port", "-c", "--config", "-a", "--address", "-d", "--host"}
    args = list(ran.args)
    while args:
        word = args.pop(0)
        if word in valued and args:
            args.pop(0)
        elif not word.startswith("-"):
            return word
    return "."


def _standalone(keeper: _Keeper, start: Started, chosen: tuple[str, ...]) -> Keep | None:
    """Servers that bring their packages along: Next's standalone output, Nuxt's and Nitro's ``.output``."""
    entries = [place for ran, place in start.entries() if ran in start.runs]
    if not entries or len(entries) != len(start.runs):
        return None
    folders = []
    for place in entries:
        found = re.match(r"(.*?/\.next/standalone|.*?/\.output)(?:/|$)", place)
        if found is None or not any(below(found[1], output) is not None for output in keeper.outputs):
            return None
        folders.append(found[1])
    evidence = (f"{', '.join(folders)} has the packages that the server needs",)
    return Keep(tuple(dict.fromkeys(folders)), frozenset(), chosen, False, False, (), evidence)


def _whole(keeper: _Keeper, root: Unit, projects: tuple[Unit, ...], roots: tuple[str, ...], why: str) -> Keep | Refused:
    if "/" in roots:
        return Refused(
            f"the application lives in /, so that only named parts of it can be copied, and {why}",
            "set a WORKDIR such as /app",
        )
    # What only the build of another project installed does not go along.
    removals = [
        join(one.folder, "node_modules")
        for one in projects
        if one.folder != root.folder and not any(one.folder == other.folder for other in keeper.runtime)
    ]
    evidence = (f"{', '.join(roots)} is copied as a whole: {why}",)
    return Keep(roots, frozenset(), roots, True, True, tuple(removals), evidence)


def _missing_entry(keeper: _Keeper, start: Started) -> Refused | None:
    """The program that is started must be among what is copied."""
    for ran, place in start.entries():
        if place in keeper.outputs or any(below(place, output) is not None for output in keeper.outputs):
            continue
        target = place
        unit = keeper.layout.unit(place)
        if unit is not None and unit.folder == place:
            target = join(place, unit.package.main or "index.js")
            if any(below(target, output) is not None for output in keeper.outputs):
                continue
        found = next(
            (
                one
                for ending in ("", ".js", ".mjs", ".cjs", "/index.js")
                if (one := target + ending) in keeper.tree.files
            ),
            None,
        )
        if found is not None:
            if not any(below(found, path) is not None for path in keeper.kept):
                keeper.kept[found] = True
            continue
        if "/node_modules/" in target:
            continue
        if any(below(output, place) is not None for output in keeper.outputs):
            continue
        outputs = ", ".join(keeper.outputs) or "nothing that is known"
        return Refused(
            f"{ran.shown} starts {place}, which no build step is known to write (they write {outputs})",
            "name the output folder in the settings of the build",
        )
    return None


def _parts(keeper: _Keeper, root: Unit, chosen: tuple[str, ...], has_packages: bool) -> Keep:
    context = keeper.layout.context
    first: dict[str, bool] = {}
    lock = any_lock(context, root)
    whole_members: list[str] = []
    modules = [join(root.folder, "node_modules")]
    for one in keeper.runtime:
        first[join(one.folder, "package.json")] = True
        if one.folder == root.folder:
            continue
        if keeper.members and lock is not None and lock.manager == "npm" and lock.version != "1":
            prefix = below(one.folder, root.folder)
            if any(
                package.location.startswith(f"{prefix}/node_modules/") and not package.is_dev
                for package in lock.packages
            ):
                modules.append(join(one.folder, "node_modules"))
        elif any(one.folder == member.folder for member in keeper.members):
            # Other managers put packages into the members' own folders, which may or may not be there.
            whole_members.append(one.folder)
    if whole_members:
        keeper.evidence.append(
            f"{', '.join(whole_members)} are copied as a whole, as they may have a node_modules of their own"
        )
    paths: dict[str, bool] = {}
    paths.update(first)
    paths.update(dict.fromkeys(modules if has_packages else (), False))
    kept = sorted(keeper.kept.items(), key=lambda item: (not item[1], item[0]))
    paths.update(kept)
    paths.update({output: _is_file(output) for output in keeper.outputs})
    for member in whole_members:
        for path in [path for path in paths if below(path, member) is not None]:
            del paths[path]
        paths[member] = False
    shown = {
        path: is_file
        for path, is_file in paths.items()
        if not any(path != other and not paths[other] and below(path, other) is not None for other in paths)
    }
    # A file that the build writes outside of any output folder counts as what it looks like.
    removals = tuple(join(output, "cache") for output in keeper.outputs if posixpath.basename(output) == ".next")
    return Keep(
        tuple(shown),
        frozenset(path for path, is_file in shown.items() if is_file),
        chosen,
        False,
        has_packages,
        removals,
        tuple(keeper.evidence),
    )


_FILE_ENDINGS = re.compile(
    r"\.(?:[mc]?[jt]sx?|json|css|html?|map|txt|wasm|node|ya?ml|xml|svg|png|ico|sql|sqlite3?|db|env|sh|conf|ini|md"
    r"|graphql|proto)\Z"
)


def _is_file(path: str) -> bool:
    """Whether an output, which no listing shows, is a single file: by its ending."""
    return _FILE_ENDINGS.search(posixpath.basename(path)[1:]) is not None


__all__ = ["Keep", "Tree", "keep"]
