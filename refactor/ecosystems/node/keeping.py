"""Which files of the application the runner needs: outputs of the build, packages, and what the program may open.

Left out is only what is known to be for the build (sources of a compiled program, settings of tools, tests, lockfiles);
what is not known is kept.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.literals import line_at, paths_named
from refactor.ecosystems.node.builds import READS_AT_START, compiled
from refactor.ecosystems.node.known import names
from refactor.ecosystems.node.layout import SKIPPED, Layout, Unit, below
from refactor.ecosystems.node.needs import STATIC_SERVERS, Server, served
from refactor.ecosystems.node.sources import COMPILED, SUFFIXES, facts, is_test
from refactor.ecosystems.node.splitting import Case
from refactor.flow.reading import Refused, is_within, join
from refactor.once import cached_property

_BUILD_FILES = "|".join(names("build-files"))

_FILE_ENDINGS = (
    r".+\.(?:[mc]?[jt]sx?|json|css|html?|map|txt|wasm|node|ya?ml|xml|svg|png|ico|sql|sqlite3?|db|env|sh|conf|ini|md"
    r"|graphql|proto)"
)
"""Of an output, which no listing shows, that is a single file."""


class Tree:
    """The files of the context as they lie in the image of a stage."""

    def __init__(self, layout: Layout) -> None:
        self.why_unknown: str | None = None
        self.files: dict[str, str] = {}
        """Absolute image path -> context path."""
        copies, context = layout.reading.copies, layout.context
        self.targets = [copied.target for copied in copies if copied.is_folder]
        """Image folders that folders of the context are copied to."""
        for copied in copies:
            found = context.files(copied.source, without=SKIPPED) if copied.is_folder else (copied.source,)
            if isinstance(found, Unknown):
                self.why_unknown = found.reason
                return
            for path in found:
                rest = path[len(copied.source) :].lstrip("/")
                self.files[join(copied.target, rest) if copied.is_folder else copied.target] = path

    def names(self, folder: str) -> dict[str, bool]:
        """Names in an image folder -> whether each is a folder."""
        result: dict[str, bool] = {}
        for path in self.files:
            name, _, more = (below(path, folder) or "").partition("/")
            if name:
                result[name] = result.get(name, False) or bool(more)
        return dict(sorted(result.items()))

    def at(self, place: str) -> list[str]:
        """The context paths of a file, or of those in a folder, at any depth."""
        return [source for path, source in self.files.items() if is_within(path, place)]


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


def keep(case: Case, unit: Unit, members: tuple[Unit, ...], server: Server, *, has_packages: bool) -> Keep | Refused:
    """Chooses what the runner gets, or says what keeps it from being known.

    ``unit`` is the project that is started, ``members`` those of a workspace that are needed. Without ``has_packages``
    there is no node_modules once development dependencies are gone.
    """
    keeper = _Keeper(case, unit, members, server)
    if keeper.tree.why_unknown is not None:
        return Refused(f"the build context is not known: {keeper.tree.why_unknown}")
    runs = case.start.runs
    if case.start.is_static and not any(ran.program in unit.package.wanted for ran in runs):
        return keeper.static()
    alone, why = keeper.standalone(), keeper.why_whole()
    if alone is not None:
        return alone
    return keeper.whole(why) if why is not None else keeper.chosen_parts(has_packages)


class _Keeper:
    """See :func:`keep`."""

    def __init__(self, case: Case, unit: Unit, members: tuple[Unit, ...], server: Server) -> None:
        self.tree, self.layout, self.start, self.server = Tree(case.layout), case.layout, case.start, server
        self.members = members
        self.root = case.root
        """The project whose install brings the packages."""
        self.lock = case.lock
        self.projects = tuple(project.unit for project in case.projects)
        self.builds = tuple(built for _, _, built in case.kind.builds)
        self.runtime = tuple({one.folder: one for one in (self.root, *members, unit)}.values())
        self.evidence: list[str] = []
        self.kept: dict[str, bool] = {}
        """Path -> is a file."""
        self.folders = [one.folder for one in (*self.runtime, *self.projects)]
        written = [output for built in self.builds for output in built.outputs or ()]
        self.outputs = tuple(dict.fromkeys(path for path in written if _is_in(path, self.folders)))
        found = paths_named(case.context, tuple(sorted(SUFFIXES)))
        self.named = {} if isinstance(found, Unknown) else {
            path: place for path, place in found.items() if place.rpartition(":")[0] in server.files
        }  # fmt: skip
        removes = [path for act in case.layout.flow.acts(case.reading) for path in act.effect.removes]
        self.removed = [path for path in removes if isinstance(path, str)]
        self.why_lost = next((f"a RUN removes {path.reason}" for path in removes if isinstance(path, Unknown)), None)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders that the application lies in."""
        around = [one for one in self.tree.targets if one != "/"]
        found = {*self.folders, *(one for one in around if any(is_within(path, one) for path in self.folders))}
        return tuple(sorted(one for one in found if not _is_in(one, found - {one})))

    @cached_property
    def chosen(self) -> tuple[str, ...]:
        """See :attr:`Needs.chosen`; of an application in the root folder only what is its own."""
        if "/" not in self.roots:
            return self.roots
        names = {*self.tree.names("/"), "node_modules", *(output.strip("/").split("/")[0] for output in self.outputs)}
        return ("/", *(f"/{name}" for name in sorted(names)))

    # The whole folder, or outputs alone

    def why_whole(self) -> str | None:
        """Why the application's folder is copied whole, None where its parts are known."""
        own = [one.folder for one in self.runtime]
        lost = (built.why_unknown for built in self.builds if built.outputs is None and _is_in(built.ran.folder, own))
        gone = (f"a RUN removes {path}" for path in self.removed if re.search(r"[*?\[$]", path) and _is_in(path, own))
        return next(lost, None) or next(gone, None) or self.why_lost

    def whole(self, why: str) -> Keep | Refused:
        if "/" in self.roots:
            because = f"the application lives in /, so that only named parts of it can be copied, and {why}"
            return Refused(because, "set a WORKDIR such as /app")
        # What only the build of another project installed does not go along.
        own = {one.folder for one in self.runtime}
        removals = tuple(join(one.folder, "node_modules") for one in self.projects if one.folder not in own)
        told = (f"{', '.join(self.roots)} is copied as a whole: {why}",)
        return Keep(self.roots, self.chosen, whole=True, needs_packages=True, removals=removals, evidence=told)

    def static(self) -> Keep | Refused:
        """A static file server: it needs the folder that it serves, and no package of the project."""
        folders = tuple(served(ran) for ran in self.start.runs if ran.program in STATIC_SERVERS)
        for folder in folders:
            if not _is_in(folder, self.outputs) and not self.tree.names(folder):
                return Refused(f"{folder}, which is served, is written by no build step that is known")
            if folder in self.roots:
                return Refused(f"{folder}, the application's own folder, is served", "serve the folder of the build")
        shown = f"{self.start.runs[-1].shown} serves {', '.join(folders)}"
        return Keep(folders, self.chosen, evidence=(f"{shown} and needs no package of the project",))

    def standalone(self) -> Keep | None:
        """Servers that bring their packages along: Next's standalone output, Nuxt's and Nitro's ``.output``."""
        entries = [place for ran, place in self.start.entries() if ran in self.start.runs]
        found = [re.match(r"(.*?/\.next/standalone|.*?/\.output)(?:/|$)", place) for place in entries]
        folders = [one[1] for one in found if one is not None and _is_in(one[1], self.outputs)]
        if not entries or not len(folders) == len(entries) == len(self.start.runs):
            return None
        paths = tuple(dict.fromkeys(folders))
        return Keep(paths, self.chosen, evidence=(f"{', '.join(paths)} has the packages that the server needs",))

    # Parts of the sources

    def chosen_parts(self, has_packages: bool) -> Keep | Refused:
        for one in self.runtime:
            self._choose_in(one.folder, one)
        self.kept = {path: is_file for path, is_file in self.kept.items() if not _is_in(path, self.removed)}
        return self._missing_entry() or self._parts(has_packages)

    def _choose_in(self, folder: str, unit: Unit) -> None:
        nested = {posixpath.dirname(path) for path in self.tree.files if path.endswith("/package.json")}
        nested |= {one.folder for one in (*self.projects, *self.runtime)}
        # Other projects, also members that are not needed.
        others = [one for one in sorted(nested) if one != folder and is_within(one, folder)]
        for name, is_folder in self.tree.names(folder).items():
            path = join(folder, name)
            if path in others:
                continue
            if any(is_within(other, path) for other in others):
                # A folder that holds other projects: its own files are kept where sources name them.
                for child, is_inner in self.tree.names(path).items():
                    place = join(path, child)
                    if not any(is_within(place, one) or is_within(one, place) for one in others) and self._names(place):
                        self.kept[place] = not is_inner
            elif not _is_in(path, self.outputs):
                leaves = self._leaves_folder(path, name, unit) if is_folder else self._leaves_file(path, name)
                self.kept |= {} if leaves else {path: not is_folder}

    def _names(self, path: str) -> str | None:
        """Where the sources name a path or something in it."""
        found = (self.named[source] for source in self.tree.at(path) if source in self.named)
        return next(found, None) or self.named.get(self.layout.source(path) or "")

    def _leaves_file(self, path: str, name: str) -> bool:
        """A file is known to be for the build."""
        runs, is_interpreted = {ran.program for ran in self.start.runs}, self.server.is_interpreted
        if name == "package.json":
            # Copied first.
            return True
        if name.startswith(("next.config.", "nuxt.config.")):
            return not runs & {"next", "nuxt", "nuxi"}
        loads_paths = any("tsconfig-paths" in word for ran in self.start.all for word in ran.args)
        if (
            (name.startswith(READS_AT_START) and ("bun" in runs or compiled(self.layout) is not None))
            or (name.startswith("tsconfig.") and "bun" in runs and is_interpreted)
            or (name == "tsconfig.json" and ("next" in runs or loads_paths))
            or (self.tree.files.get(path, "") in self.server.files and is_interpreted)
        ):
            return False
        place = self._names(path)
        if re.fullmatch(_BUILD_FILES, name) or name == "index.html" or is_test(name):
            if place is None:
                return True
        elif name.endswith(COMPILED):
            return True
        self.evidence += [f"{path} is kept: {place} names it"] if place is not None else []
        return False

    def _leaves_folder(self, path: str, name: str, unit: Unit) -> bool:
        """A folder is known to be for the build: its own things, types, or sources that are compiled."""
        sources, server = self.tree.at(path), self.server
        is_followed = server.dynamic is None
        if server.is_interpreted and is_followed and any(source in server.files for source in sources):
            return False
        rooted = self._rooted(name)
        place = rooted or self._names(path)
        if name in names("build-folders"):
            leaves = place is None or name in {"node_modules", ".git"}
        elif sources and all(source.endswith((".d.ts", ".d.mts")) for source in sources):
            leaves = True
        else:
            code = [one for one in sources if one.endswith(COMPILED) and not re.search(r"\.d\.[mc]?ts\Z", one)]
            is_compiled = bool(code) and (is_followed or not server.is_interpreted)
            leaves = rooted is None and (is_compiled or self._is_compiled(path, unit))
        why = f"{place} names it" if place else "it may be opened at run time"
        self.evidence += [] if leaves else [f"{path} is kept: {why}"]
        return leaves

    def _is_compiled(self, path: str, unit: Unit) -> bool:
        """A folder that babel, swc or a bundler compiles (plain JavaScript in, JavaScript out)."""
        if below(path, unit.folder) in self._front_end_folders(unit) and self.server.dynamic is None:
            return True
        for built in self.builds if not self.server.is_interpreted else ():
            if built.outputs and built.ran.program in names("compilers") and built.ran.folder == unit.folder:
                targets = [join(built.ran.folder, word.split("*")[0]) for word in built.ran.operands]
                if any(is_within(target, path) and not _is_in(target, built.outputs) for target in targets):
                    return True
        return False

    def _front_end_folders(self, unit: Unit) -> frozenset[str]:
        """Folders whose sources a front-end build of the project turns into its output."""
        programs = {built.ran.program for built in self.builds if built.outputs and built.ran.folder == unit.folder}
        found = {"src"} if programs & names("in-src") else set()
        found |= {"pages", "app", "src"} if "next" in programs else set()
        page = self.layout.context.read(unit.file("index.html")) if programs & {"vite", "parcel"} else ""
        if isinstance(page, str):
            found |= set(re.findall(r"<script[^>]{0,200}\bsrc=[\"']?\.?/?([\w.-]+)/[^\"'> ]+", page))
        return frozenset(found)

    def _rooted(self, name: str) -> str | None:
        """Where a source names a folder from the application's root (``src/mail/x.html``, ``join(cwd, 'src')``)."""
        rule = re.compile(rf"[\"'`](?:\./|\.\./|/)*{re.escape(name)}(?:/[^\"'`\n]*)?[\"'`]")
        opens = r"(?:join|resolve|static|sendFile|readdir\w*|cwd\(\),?|dirname,?|\+)\s*\(?[^()]*$"
        for path in self.server.files:
            text = facts(self.layout.context, path).text
            for found in rule.finditer(text) if name in text else ():
                before = text[max(0, found.start() - 20) : found.start()]
                is_import = re.search(r"(?:\bfrom|\bimport|\brequire)\s*\(?\s*$", before)
                if is_import or re.search(r"\.ts[\"'`}]|\{\.?ts|\.tsx[\"'`]", found[0]):
                    continue
                if found[0][1:-1].removeprefix("./").strip("/") != name or re.search(opens, before):
                    return line_at(path, text, found.start())
        return None

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
                self.kept |= {} if _is_in(found, self.kept) else {found: True}
            elif "/node_modules/" not in target and not any(is_within(output, place) for output in self.outputs):
                outputs = ", ".join(self.outputs) or "nothing that is known"
                because = f"{ran.shown} starts {place}, which no build step is known to write (they write {outputs})"
                return Refused(because, "name the output folder in the settings of the build")
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
        paths.update(
            {output: re.fullmatch(_FILE_ENDINGS, posixpath.basename(output)) is not None for output in self.outputs}
        )
        paths = {path: is_file for path, is_file in paths.items() if not _is_in(path, whole)}
        paths |= dict.fromkeys(whole, False)
        folders = [path for path, is_file in paths.items() if not is_file]
        shown = [path for path in paths if not any(path != one and is_within(path, one) for one in folders)]
        removals = tuple(join(output, "cache") for output in self.outputs if posixpath.basename(output) == ".next")
        files = frozenset(path for path in shown if paths[path])
        return Keep(tuple(shown), self.chosen, files, False, has_packages, removals, tuple(self.evidence))

    def _modules(self) -> tuple[list[str], list[str]]:
        """Where packages lie, and members that are copied as a whole for the sake of theirs."""
        is_npm = self.lock is not None and self.lock.manager == "npm" and self.lock.version != "1"
        modules, whole = [join(self.root.folder, "node_modules")], list[str]()
        for one in self.members:
            inside = f"{below(one.folder, self.root.folder)}/node_modules/"
            if one.folder == self.root.folder:
                continue
            if not is_npm:
                # Other managers put packages into the members' own folders, which may or may not be there.
                whole.append(one.folder)
            elif self.lock and any(p.location.startswith(inside) and not p.is_dev for p in self.lock.packages):
                modules.append(join(one.folder, "node_modules"))
        return modules, whole


def _is_in(path: str, folders: Iterable[str]) -> bool:
    """The path is one of the folders, or lies in one."""
    return any(is_within(path, folder) for folder in folders)
