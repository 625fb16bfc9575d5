"""What an installation reads of the build context: manifests, lockfiles, settings, and what its own scripts open."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.node_manifests import PackageJson
from refactor.ecosystems.node.layout import Layout, Unit
from refactor.ecosystems.node.programs import INSTALLING, MANAGERS, Programs, Ran, node_entry
from refactor.ecosystems.node.projects import LOCKFILES, Project, members, npm_major
from refactor.ecosystems.node.sources import opens_files, script_files, why_reads
from refactor.ecosystems.node.tables import words
from refactor.flow.reading import Refused

_SETTINGS: dict[str, tuple[str, ...]] = {
    "npm": (".npmrc",),
    "yarn": (".npmrc", ".yarnrc", ".yarnrc.yml", ".yarn", ".pnp.cjs"),
    "pnpm": (".npmrc", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs"),
    "bun": (".npmrc", "bunfig.toml"),
}
_READS_NOTHING = words(
    """
    husky husky-run only-allow echo true exit : check-node-version npx-only-allow is-ci patch-package
    opencollective-postinstall opencollective npm-force-resolutions ngcc electron-builder ivy-ngcc
    simple-git-hooks lefthook playwright puppeteer print rimraf test [ command if-env allow-scripts
    yarn-deduplicate sort-package-json skip-ci pinst is-docker cypress ts-patch tspc
    effect-language-service
    """
)
"""Programs of install scripts that read nothing of the project's sources."""
_TOLERANT = frozenset({"svelte-kit", "nuxt", "nuxi", "git", "lefthook", "husky", "simple-git-hooks"})
"""Programs that may fail at install without harm where the script says so (``|| true``)."""
_APART = "run it in a RUN of its own after the sources are copied, and install with --ignore-scripts"


class Reads(NamedTuple):
    """What an install reads."""

    manifests: tuple[str, ...]
    """Context paths."""
    evidence: tuple[str, ...]


def reads(layout: Layout, project: Project) -> Reads | Refused:
    """Context paths of everything that the install reads, or what keeps that from being known."""
    reader = _Reader(layout, project)
    problem = reader.collect(project.unit, 0)
    if problem is not None:
        return problem
    there = [path for path in reader.found if layout.reading.in_image(path, project.step.node)]
    if layout.context.exists("package.json") is True and not there:
        return Refused("nothing of what the install reads is known to be copied before it")
    return Reads(tuple(there), tuple(reader.evidence))


def without_scripts(project: Project) -> Project:
    """The install as it would be with --ignore-scripts."""
    call = project.call
    flags, options = (*call.flags, "--ignore-scripts"), (*call.options, ("--ignore-scripts", None))
    return project._replace(call=call._replace(flags=flags, options=options))


class _Reader:
    def __init__(self, layout: Layout, project: Project) -> None:
        self.layout, self.context, self.project = layout, layout.context, project
        self.found: dict[str, None] = {}
        self.evidence: list[str] = []

    def add(self, path: str, why: str = "") -> None:
        self.found[path] = None
        self.evidence += [why] if why else []

    def collect(self, unit: Unit, depth: int) -> Refused | None:
        context, package, manager = self.context, unit.package, self.project.manager
        self.add(package.path)
        for name in (*LOCKFILES.get(manager, ()), *_SETTINGS.get(manager, ())):
            path = posixpath.join(unit.source, name)
            if context.exists(path) is True and not (name == ".yarn" and not _has_files(context, path)):
                self.add(path)
        for path in package.patches:
            self.add(posixpath.join(unit.source, path.removeprefix("./")))
        patches = posixpath.join(unit.source, "patches")
        calls_patch = any("patch-package" in script for script in package.install_scripts.values())
        if calls_patch and context.is_dir(patches) is True:
            self.add(patches, f"patch-package applies {patches}/ at the install")
        others = members(context, package)
        if isinstance(others, Unknown):
            return Refused(f"the workspace's members are not known: {others.reason}")
        for member in others:
            self.add(member.path)
        if others:
            told = f"{package.path} has {len(others)} workspace members, whose manifests the install reads"
            self.evidence.append(told)
        for manifest in (package, *others):
            for name, path in manifest.local_dependencies.items():
                target = posixpath.normpath(posixpath.join(manifest.folder, path))
                if any(other.folder == target for other in others):
                    continue
                if context.exists(target) is not True:
                    return Refused(f"{manifest.path} wants {name} from {path}, which is not in the build context")
                self.add(target, f"{name} is a local package, {target}")
        return None if "--ignore-scripts" in self.project.call.flags else self._scripts(unit, (package, *others), depth)

    def _scripts(self, unit: Unit, manifests: tuple[PackageJson, ...], depth: int) -> Refused | None:
        """The manifests' own install scripts, each of which must be known to read no sources, and those of packages."""
        npm, package = npm_major(self.layout.reading.image), unit.package
        for manifest in manifests:
            folder = unit.folder
            if manifest is not package:
                folder = posixpath.join(unit.folder, manifest.folder[len(unit.source) :].lstrip("/"))
            for name, text in manifest.install_scripts.items():
                if name == "prepublish" and (npm is None or npm >= 7 or self.project.manager != "npm"):
                    continue
                programs = Programs(self.layout, self.project.step.node)
                for ran in programs.of_text(text, folder, (f"{name} of {manifest.path}",)):
                    problem = self._one_script(unit, manifest, name, ran, depth)
                    if problem is not None:
                        return problem
        schema = posixpath.join(unit.source, "prisma/schema.prisma")
        if "@prisma/client" in package.wanted and self.context.exists(schema) is True:
            # @prisma/client's own postinstall generates the client where it finds a schema (until Prisma 7).
            folder = posixpath.join(unit.source, "prisma")
            self.add(schema, f"@prisma/client generates its client from {folder}/ at the install")
        svelte = posixpath.join(unit.source, "svelte.config.js")
        if "@sveltejs/kit" in package.wanted and self.context.exists(svelte) is True:
            # Its postinstall (until 2.16) runs `svelte-kit sync`, which does nothing without svelte.config.js; the
            # build syncs as well, and warns once that tsconfig.json extends a file which it is about to write.
            told = "@sveltejs/kit makes .svelte-kit/ when it builds, not at the install, which has no sources"
            self.evidence.append(told)
        return None

    def _one_script(self, unit: Unit, manifest: PackageJson, name: str, ran: Ran, depth: int) -> Refused | None:
        if ran.program in _READS_NOTHING or (ran.is_tolerated and ran.program in _TOLERANT):
            return None
        if ran.program == "prisma":
            schema = posixpath.join(manifest.folder, "prisma/schema.prisma")
            if self.context.exists(schema) is True:
                self.add(schema, f"`{name}` runs prisma, which reads {schema}")
                return None
        entry = node_entry(ran.args) if ran.program == "node" else None
        if entry is not None:
            return self._node_script(manifest, name, ran, entry)
        if ran.program == "node" and ("-e" in ran.args or "--eval" in ran.args):
            code = " ".join(ran.args)
            if not re.search(r"require\(\s*['\"]\.|import\(", code) and not opens_files(code):
                return None
        manager, _, verb = ran.program.rpartition(" ")
        if verb in INSTALLING and manager in MANAGERS and depth < 3:
            nested = self.layout.unit(ran.folder, self.project.step.node)
            if nested is not None and nested.folder != unit.folder:
                self.evidence.append(f"`{name}` installs {nested.package.path} too")
                return self.collect(nested, depth + 1)
        shown = f"{ran.program} {' '.join(ran.args)}".strip()
        if ran.program == "?":
            return Refused(f"`{name}` of {manifest.path} cannot be read: {ran.args[0]}", _APART)
        return Refused(f"`{name}` of {manifest.path} runs `{shown[:60]}`, which may read the sources", _APART)

    def _node_script(self, manifest: PackageJson, name: str, ran: Ran, entry: str) -> Refused | None:
        place = posixpath.normpath(posixpath.join(ran.folder, entry))
        path = self.layout.source(place, self.project.step.node)
        files = script_files(self.context, path) if path else None
        told = f"`{name}` of {manifest.path} runs {entry}"
        if files is None:
            return Refused(f"{told}, which is not in the build context as named", _APART)
        for file in files:
            why = why_reads(self.context, file)
            if why is not None:
                return Refused(f"{told}, {f'which {why}' if file == files[0] else f'whose {file} {why}'}", _APART)
            self.add(file)
        self.evidence.append(f"`{name}` runs {', '.join(files)}, which opens no other file")
        return None


def _has_files(context: BuildContext, path: str) -> bool:
    names = context.children(path)
    return isinstance(names, tuple) and any(name != "cache/" or context.children(path + "/cache") for name in names)


__all__ = ["Reads", "reads", "without_scripts"]
