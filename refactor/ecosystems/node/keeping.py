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
from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.layout import SKIPPED, Layout, Unit, below
from refactor.ecosystems.node.needs import STATIC_SERVERS, Server, served
from refactor.ecosystems.node.projects import any_lock
from refactor.ecosystems.node.sources import COMPILED, SUFFIXES, facts, is_test
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Refused, is_within, join
from refactor.once import cached_property

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


class Tree:
    """The files of the context as they lie in the image of a stage."""

    def __init__(self, layout: Layout) -> None:
        reading = layout.reading
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
    chosen: tuple[str, ...]
    """Folders of the application in the image, of which ``paths`` has all that is needed."""
    files: frozenset[str] = frozenset()
    """Those of ``paths`` that are single files."""
    whole: bool = False
    """The folder is copied as a whole."""
    needs_packages: bool = False
    removals: tuple[str, ...] = ()
    """Absolute paths that the builder deletes before the copy."""
    evidence: tuple[str, ...] = ()


class _Keeper:
    """``unit`` is the project that is started, ``members`` those of a workspace that are needed."""

    def __init__(self, case: Case, unit: Unit, members: tuple[Unit, ...], server: Server) -> None:
        self.case = case
        self.tree = Tree(case.layout)
        self.layout, self.start, self.server = case.layout, case.start, server
        self.unit, self.members = unit, members
        self.root = case.project.unit if case.project is not None else unit
        """The project whose install brings the packages."""
        self.projects = tuple(project.unit for project in case.projects)
        self.builds = tuple(built for _, _, built in case.kind.builds)
        self.runtime = tuple({one.folder: one for one in (self.root, *members, unit)}.values())
        self.evidence: list[str] = []
        self.kept: dict[str, bool] = {}
        """Path -> is a file."""
        own = [one.folder for one in (*self.runtime, *self.projects)]
        written = [output for built in self.builds for output in built.outputs or ()]
        self.outputs = tuple(dict.fromkeys(path for path in written if _is_in(path, own)))
        found, sources = paths_named(case.context, tuple(sorted(SUFFIXES))), set(server.files)
        self.named = {} if isinstance(found, Unknown) else {
            path: place for path, place in found.items() if place.rpartition(":")[0] in sources
        }  # fmt: skip
        self.removed = case.kind.removed(case.layout)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders that the application lies in."""
        own = [one.folder for one in (*self.runtime, *self.projects)]
        targets = [one for one in self.tree.targets if one != "/" and any(_is_in(path, (one,)) for path in own)]
        return tuple(sorted(one for one in {*own, *targets} if not _is_in(one, {*own, *targets} - {one})))

    @cached_property
    def chosen(self) -> tuple[str, ...]:
        """See :attr:`Needs.chosen`; of an application in the root folder only what is its own."""
        if "/" not in self.roots:
            return self.roots
        names = {*self.tree.names("/"), "node_modules", *(output.strip("/").split("/")[0] for output in self.outputs)}
        return ("/", *(f"/{name}" for name in sorted(names)))

    def keep(self, *, is_static: bool, has_packages: bool) -> Keep | Refused:
        if is_static:
            return self._static()
        why = self._why_whole()
        alone = self._standalone()
        if alone is not None:
            return alone
        if why is not None:
            return self._whole(why)
        for one in self.runtime:
            self._choose_in(one.folder, one)
        self.kept = {path: is_file for path, is_file in self.kept.items() if not _is_in(path, self.removed)}
        return self._missing_entry() or self._parts(has_packages)

    def _why_whole(self) -> str | None:
        """Why the application's folder is copied whole, None where its parts are known."""
        own = [one.folder for one in self.runtime]
        for built in self.builds:
            if built.outputs is None and _is_in(built.ran.folder, own):
                return built.why_unknown
        for path in self.removed:
            if re.search(r"[*?\[$]", path) and _is_in(path, own):
                return f"a RUN removes {path}"
        return None

    # Parts of the sources

    def _choose_in(self, folder: str, unit: Unit) -> None:
        nested = {posixpath.dirname(path) for path in self.tree.files if path.endswith("/package.json")}
        nested |= {one.folder for one in self.projects}
        # Other projects, also members that are not needed.
        others = [one for one in sorted(nested) if one != folder and _is_in(one, (folder,))]
        for name, is_folder in self.tree.names(folder).items():
            path = join(folder, name)
            if any(path == other.folder for other in self.runtime) or path in others:
                continue
            if any(_is_in(other, (path,)) for other in others):
                # A folder that holds other projects: its own files are kept where sources name them.
                for child, is_inner in self.tree.names(path).items():
                    place = join(path, child)
                    if not any(_is_in(one, (place,)) or _is_in(place, (one,)) for one in others) and self._names(place):
                        self.kept[place] = not is_inner
            elif self._why_left_out(path, name, unit, is_folder=is_folder) is None:
                self.kept[path] = not is_folder

    def _names(self, path: str) -> str | None:
        """Where the sources name a path or something in it."""
        own = self.tree.files.get(path)
        for source in [own] if own else [source for _, source in self.tree.under(path)]:
            if source in self.named:
                return self.named[source]
        context_path = self.layout.source(path)
        return self.named.get(context_path) if context_path else None

    def _why_left_out(self, path: str, name: str, unit: Unit, *, is_folder: bool) -> str | None:
        if _is_in(path, self.outputs):
            return "an output"
        return self._why_folder_left_out(path, name, unit) if is_folder else self._why_file_left_out(path, name)

    def _why_file_left_out(self, path: str, name: str) -> str | None:
        if name == "package.json":
            return "copied first"
        runs = {ran.program for ran in self.start.runs}
        if name.startswith(("next.config.", "nuxt.config.")):
            return None if runs & {"next", "nuxt", "nuxi"} else "settings of the build"
        if name.startswith(READS_AT_START) and ("bun" in runs or compiled(self.layout) is not None):
            return None
        if name.startswith("tsconfig.") and "bun" in runs and self.server.is_interpreted:
            return None
        is_loaded = any("tsconfig-paths" in word for ran in self.start.all for word in ran.args)
        if name == "tsconfig.json" and ("next" in runs or is_loaded):
            return None
        if self.tree.files.get(path, "") in self.server.files and self.server.is_interpreted:
            return None
        place = self._names(path)
        if _BUILD_FILES.match(name) or name == "index.html" or is_test(name):
            # A list of files such as a linter's names them too.
            if place is None or place.rpartition(":")[0] not in self.server.files:
                return "a file of the build"
        elif name.endswith(COMPILED):
            return "a source"
        if place is not None:
            self.evidence.append(f"{path} is kept: {place} names it")
        return None

    def _why_folder_left_out(self, path: str, name: str, unit: Unit) -> str | None:
        sources = [source for _, source in self.tree.under(path)]
        rooted, is_read = self._rooted(name), self.server.is_interpreted and self.server.dynamic is None
        if is_read and any(source in self.server.files for source in sources):
            return None
        place = rooted or self._names(path)
        why = f"{path} is kept: {place} names it" if place else f"{path} is kept: it may be opened at run time"
        if name in _BUILD_FOLDERS:
            if place is None or name in {"node_modules", ".git"}:
                return "a folder of the build"
        elif sources and all(source.endswith((".d.ts", ".d.mts")) for source in sources):
            return "types"
        elif any(one.endswith(COMPILED) and not one.endswith((".d.ts", ".d.mts", ".d.cts")) for one in sources) and (
            not self.server.is_interpreted or self.server.dynamic is None
        ):
            if rooted is None:
                return "sources of the build"
        elif rooted is None and self._is_compiled(path, unit):
            return "sources of the build"
        self.evidence.append(why)
        return None

    def _is_compiled(self, path: str, unit: Unit) -> bool:
        """A folder that babel, swc or a bundler compiles (plain JavaScript in, JavaScript out)."""
        if below(path, unit.folder) in self._front_end_folders(unit) and self.server.dynamic is None:
            return True
        for built in self.builds if not self.server.is_interpreted else ():
            if not built.outputs or built.ran.program not in _COMPILERS or built.ran.folder != unit.folder:
                continue
            for word in built.ran.args:
                target = join(built.ran.folder, word.split("*")[0])
                if not word.startswith("-") and _is_in(target, (path,)) and not _is_in(target, built.outputs):
                    return True
        return False

    def _front_end_folders(self, unit: Unit) -> frozenset[str]:
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

    def _rooted(self, name: str) -> str | None:
        """Where a source names a folder from the application's root (``src/mail/x.html``, ``join(cwd, 'src')``)."""
        rule = re.compile(rf"[\"'`](?:\./|\.\./|/)*{re.escape(name)}(?:/[^\"'`\n]*)?[\"'`]")
        for path in self.server.files:
            text = facts(self.layout.context, path).text
            for found in rule.finditer(text) if name in text else ():
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

    # What goes along

    def _static(self) -> Keep | Refused:
        """A static file server: it needs the folder that it serves, and no package of the project."""
        runs = [ran for ran in self.start.runs if ran.program in STATIC_SERVERS]
        folders = tuple(served(ran) for ran in runs)
        for folder in folders:
            if not _is_in(folder, self.outputs) and not self.tree.names(folder):
                return Refused(f"{folder}, which is served, is written by no build step that is known")
            if folder in self.roots:
                return Refused(f"{folder}, the application's own folder, is served", "serve the folder of the build")
        shown = f"{self.start.runs[-1].shown} serves {', '.join(folders)}"
        return Keep(folders, self.chosen, evidence=(f"{shown} and needs no package of the project",))

    def _standalone(self) -> Keep | None:
        """Servers that bring their packages along: Next's standalone output, Nuxt's and Nitro's ``.output``."""
        entries = [place for ran, place in self.start.entries() if ran in self.start.runs]
        if not entries or len(entries) != len(self.start.runs):
            return None
        folders = []
        for place in entries:
            found = re.match(r"(.*?/\.next/standalone|.*?/\.output)(?:/|$)", place)
            if found is None or not _is_in(found[1], self.outputs):
                return None
            folders.append(found[1])
        paths = tuple(dict.fromkeys(folders))
        return Keep(paths, self.chosen, evidence=(f"{', '.join(folders)} has the packages that the server needs",))

    def _whole(self, why: str) -> Keep | Refused:
        if "/" in self.roots:
            return Refused(
                f"the application lives in /, so that only named parts of it can be copied, and {why}",
                "set a WORKDIR such as /app",
            )
        # What only the build of another project installed does not go along.
        own = {one.folder for one in self.runtime}
        removals = tuple(join(one.folder, "node_modules") for one in self.projects if one.folder not in own)
        told = (f"{', '.join(self.roots)} is copied as a whole: {why}",)
        return Keep(self.roots, self.chosen, whole=True, needs_packages=True, removals=removals, evidence=told)

    def _missing_entry(self) -> Refused | None:
        """The program that is started must be among what is copied."""
        for ran, place in self.start.entries():
            unit = self.layout.unit(place)
            is_project = unit is not None and unit.folder == place
            target = join(place, unit.package.main or "index.js") if unit is not None and is_project else place
            if _is_in(place, self.outputs) or _is_in(target, self.outputs):
                continue
            names = (target + ending for ending in ("", ".js", ".mjs", ".cjs", "/index.js"))
            found = next((name for name in names if name in self.tree.files), None)
            if found is not None:
                if not _is_in(found, self.kept):
                    self.kept[found] = True
            elif "/node_modules/" not in target and not any(_is_in(output, (place,)) for output in self.outputs):
                outputs = ", ".join(self.outputs) or "nothing that is known"
                return Refused(
                    f"{ran.shown} starts {place}, which no build step is known to write (they write {outputs})",
                    "name the output folder in the settings of the build",
                )
        return None

    def _parts(self, has_packages: bool) -> Keep:
        """What changes least comes first: manifests, packages, files, outputs."""
        paths = {join(one.folder, "package.json"): True for one in self.runtime}
        modules, whole = self._modules()
        if whole:
            told = "are copied as a whole, as they may have a node_modules of their own"
            self.evidence.append(f"{', '.join(whole)} {told}")
        paths.update(dict.fromkeys(modules if has_packages else (), False))
        paths.update(sorted(self.kept.items(), key=lambda item: (not item[1], item[0])))
        # A file that the build writes outside of any output folder counts as what it looks like.
        paths.update({output: _is_file(output) for output in self.outputs})
        paths = {path: is_file for path, is_file in paths.items() if not _is_in(path, whole)} | dict.fromkeys(
            whole, False
        )
        folders = [path for path, is_file in paths.items() if not is_file]
        shown = [path for path in paths if not any(path != one and _is_in(path, (one,)) for one in folders)]
        removals = tuple(join(output, "cache") for output in self.outputs if posixpath.basename(output) == ".next")
        files = frozenset(path for path in shown if paths[path])
        return Keep(tuple(shown), self.chosen, files, False, has_packages, removals, tuple(self.evidence))

    def _modules(self) -> tuple[list[str], list[str]]:
        """Where packages lie, and members that are copied as a whole for the sake of theirs."""
        lock = any_lock(self.layout.context, self.root)
        modules, whole = [join(self.root.folder, "node_modules")], list[str]()
        for one in self.runtime:
            if one.folder == self.root.folder:
                continue
            if self.members and lock is not None and lock.manager == "npm" and lock.version != "1":
                inside = f"{below(one.folder, self.root.folder)}/node_modules/"
                if any(package.location.startswith(inside) and not package.is_dev for package in lock.packages):
                    modules.append(join(one.folder, "node_modules"))
            elif any(one.folder == member.folder for member in self.members):
                # Other managers put packages into the members' own folders, which may or may not be there.
                whole.append(one.folder)
        return modules, whole


def _is_in(path: str, folders: Iterable[str]) -> bool:
    """The path is one of the folders, or lies in one."""
    return any(is_within(path, folder) for folder in folders)


def keep(
    case: Case, unit: Unit, members: tuple[Unit, ...], server: Server, *, is_static: bool, has_packages: bool
) -> Keep | Refused:
    """Chooses what the runner gets, or says what keeps it from being known.

    ``unit`` is the project that is started, ``members`` those of a workspace that are needed. Without ``has_packages``
    there is no node_modules once development dependencies are gone.
    """
    keeper = _Keeper(case, unit, members, server)
    if keeper.tree.why_unknown is not None:
        return Refused(f"the build context is not known: {keeper.tree.why_unknown}")
    return keeper.keep(is_static=is_static, has_packages=has_packages)


_FILE_ENDINGS = re.compile(
    r"\.(?:[mc]?[jt]sx?|json|css|html?|map|txt|wasm|node|ya?ml|xml|svg|png|ico|sql|sqlite3?|db|env|sh|conf|ini|md"
    r"|graphql|proto)\Z"
)


def _is_file(path: str) -> bool:
    """Whether an output, which no listing shows, is a single file: by its ending."""
    return _FILE_ENDINGS.search(posixpath.basename(path)[1:]) is not None


__all__ = ["Keep", "keep"]
