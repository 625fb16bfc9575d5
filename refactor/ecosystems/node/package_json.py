"""A Node project's ``package.json`` (docs.npmjs.com), its workspace, and what its tsconfig.json says."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.dockerignore import clean
from refactor.context.literals import NOT_SOURCES
from refactor.context.tables import table, text, texts, words

INSTALL_SCRIPTS = (
    "preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
)  # fmt: skip
"""Scripts of the project that ``npm ci`` and ``npm install`` run (docs.npmjs.com, scripts, life cycle)."""

LOCAL = ("file:", "link:", "portal:", "./", "../", "~/", "/")


@dataclass(frozen=True, slots=True)
class PackageJson:
    """A ``package.json``. What has the wrong type is left out."""

    path: str
    name: str | None
    is_module: bool
    """``"type": "module"``: .js files are ES modules."""
    main: str | None
    scripts: Mapping[str, str]
    dependencies: Mapping[str, str]
    """name -> range; without those that are optional too, as npm reads it."""
    dev_dependencies: Mapping[str, str]
    optional_dependencies: Mapping[str, str]
    peer_dependencies: Mapping[str, str]
    package_manager: str | None
    """As written, such as ``pnpm@8.6.0+sha256.abc``."""
    workspaces: tuple[str, ...]
    """Patterns of the members' folders, relative to this file."""
    patches: tuple[str, ...]
    """Files under ``pnpm.patchedDependencies``, read at install."""
    resolutions: frozenset[str]
    """Packages whose ranges are overridden (``resolutions``, ``overrides``, ``pnpm.overrides``)."""
    data: Mapping[str, object] = field(repr=False, compare=False)
    """The whole document."""

    @property
    def folder(self) -> str:
        """Its folder, "" for the root of the context."""
        return self.path.rpartition("/")[0]

    @property
    def install_scripts(self) -> Mapping[str, str]:
        """The project's own scripts that an install runs; they may read sources."""
        return {name: self.scripts[name] for name in INSTALL_SCRIPTS if name in self.scripts}

    @property
    def wanted(self) -> Mapping[str, str]:
        """Everything an install of this project asks for: dependencies, optional and development ones."""
        return {**self.dev_dependencies, **self.optional_dependencies, **self.dependencies}

    @property
    def local_dependencies(self) -> Mapping[str, str]:
        """name -> path, for dependencies that are folders or archives (``file:``, ``link:``)."""
        found = {}
        for name, wanted in self.wanted.items():
            if wanted.startswith(LOCAL):
                found[name] = re.sub(r"^(?:file|link|portal):(?://)?", "", wanted)
        return found

    def is_production(self, name: str) -> bool:
        """Whether an install without development dependencies has this package."""
        return name in self.dependencies or name in self.optional_dependencies


@remembered
def read_package_json(context: BuildContext, path: str = "package.json") -> PackageJson | Unknown:
    """The manifest of a project, or why it cannot be known."""
    data = context.json(path)
    if isinstance(data, Unknown):
        return data
    if not isinstance(data, dict):
        return context.report_broken(path, "is not a JSON object")
    root = table(data)
    optional = texts(root.get("optionalDependencies"))
    workspaces = root.get("workspaces")
    pnpm = table(root.get("pnpm"))
    resolutions = {
        override_name(key)
        for section in (root.get("resolutions"), root.get("overrides"), pnpm.get("overrides"))
        for key in table(section)
    }
    return PackageJson(
        path=path,
        name=text(root.get("name")),
        is_module=root.get("type") == "module",
        main=text(root.get("main")),
        scripts=texts(root.get("scripts")),
        dependencies={k: v for k, v in texts(root.get("dependencies")).items() if k not in optional},
        dev_dependencies=texts(root.get("devDependencies")),
        optional_dependencies=optional,
        peer_dependencies=texts(root.get("peerDependencies")),
        package_manager=text(root.get("packageManager")),
        workspaces=words(table(workspaces).get("packages") if isinstance(workspaces, dict) else workspaces),
        patches=tuple(texts(pnpm.get("patchedDependencies")).values()),
        resolutions=frozenset(resolutions),
        data=root,
    )


def override_name(key: str) -> str:
    """The package of an override key: ``foo``, ``foo@^1``, ``a>foo@2``, ``**/foo``."""
    key = re.split(r"[>]", key)[-1].strip()
    scoped = re.search(r"(@[^/@]+/[^/@]+)(?:@[^/]*)?$", key)
    return scoped.group(1) if scoped else key.rpartition("/")[2].split("@")[0]


def workspace_members(context: BuildContext, package: PackageJson) -> tuple[str, ...] | Unknown:
    """Paths of the members' ``package.json`` in the context, sorted, without the root's own. The patterns of their
    folders are in ``pnpm-workspace.yaml`` beside it, or in ``workspaces``."""
    path = posixpath.join(package.folder, "pnpm-workspace.yaml")
    settings = context.yaml(path) if context.exists(path) is not False else None
    if isinstance(settings, Unknown):
        return settings
    patterns = package.workspaces if settings is None else words(table(settings).get("packages"))
    if not patterns:
        return ()
    files = context.files(package.folder, without=NOT_SOURCES)
    if isinstance(files, Unknown):
        return files
    prefix = package.folder + "/" if package.folder else ""
    rules = [(pattern.startswith("!"), _folder_rule(pattern.removeprefix("!"))) for pattern in patterns]
    found = []
    for path in files:
        folder = path[len(prefix) :].removesuffix("package.json")
        if not path.endswith("/package.json") or not folder:
            continue
        is_member = False
        for is_exception, rule in rules:
            if rule.match(folder.rstrip("/")):
                is_member = not is_exception
        if is_member:
            found.append(path)
    return tuple(found)


def _folder_rule(pattern: str) -> re.Pattern[str]:
    """A workspace pattern compiled: ``*`` stops at a slash, ``**`` does not, ``{a,b}`` is a choice."""
    pattern = pattern.removeprefix("./").strip("/")
    parts = []
    for piece in re.findall(r"\*\*+/?|\*|\{[^{}]*\}|[^*{]+|.", pattern):
        if piece.startswith("**"):
            parts.append("(?:[^/]+/)*" if piece.endswith("/") else ".*")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece.startswith("{") and piece.endswith("}"):
            parts.append("(?:" + "|".join(re.escape(choice) for choice in piece[1:-1].split(",")) + ")")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts) + r"\Z")


def tsconfig_option(context: BuildContext, path: str, name: str) -> tuple[object, str] | Unknown | None:
    """A compiler option of a tsconfig and the folder of the file that sets it, through ``extends``; None without it."""
    seen: set[str] = set()
    while path not in seen and len(seen) < 10:
        seen.add(path)
        data = context.jsonc(path)
        if isinstance(data, Unknown):
            return data
        root, folder = table(data), path.rpartition("/")[0]
        options, parents = table(root.get("compilerOptions")), words(root.get("extends"))
        if name in options:
            return options[name], folder
        local = [word for word in parents if word.startswith(".")]
        if not local:
            return Unknown(f"{path} extends {parents[-1]}, a package") if parents else None
        path = clean(f"{folder}/{local[-1]}" if folder else local[-1])
        path = path if path.endswith(".json") else f"{path}.json"
    return Unknown(f"{path} extends itself")


def tsconfig_out_dir(context: BuildContext, path: str = "tsconfig.json") -> str | Unknown | None:
    """``compilerOptions.outDir`` as a path in the context; None without one."""
    found = tsconfig_option(context, path, "outDir")
    if found is None or isinstance(found, Unknown):
        return found
    out = clean("/".join(filter(None, (found[1], text(found[0]) or "."))))
    return Unknown(f"{path}: outDir {found[0]} leaves the build context") if out.startswith("..") else out
