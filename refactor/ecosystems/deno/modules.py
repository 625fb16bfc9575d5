"""deno.json, deno.lock and the modules that a program of Deno imports, as far as they are named by text.

Sources: docs.deno.com (Configuration, Modules and dependencies, deno install), the schemas of deno.json and deno.lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.literals import blanked
from refactor.context.tables import table, text, texts
from refactor.ecosystems.calls import SLASHES
from refactor.flow.reading import Refused

CODE = r"\.[cm]?[jt]sx?\Z"
REMOTE = r"(?:npm:|jsr:|https?://)"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"
_IMPORTS = (
    r"(?:\b(?:import|export)\b[^;\"'`()]*?\bfrom\s*|\bimport\s*|\bimport\s*\(\s*|\brequire\s*\(\s*"
    r"|\bnew\s+URL\s*\(\s*(?=[^,)]+,\s*import\.meta\.url))([\"'`])([^\"'`$\n]+)\1"
)
_DYNAMIC = r"(?<![\w.])import\s*\((?!\s*(?:\"[^\"]*\"|'[^']*'|`[^`$]*`)\s*[,)])"
_MAX_MODULES = 2_000


class Config(NamedTuple):
    """A deno.json, or none."""

    path: str | None
    """Its context path."""
    imports: Mapping[str, str]
    tasks: Mapping[str, str]
    lock: str | None
    """The context path of the lockfile; None where it is switched off."""
    manifests: tuple[str, ...]
    """Context paths of everything that decides on the packages, as far as it is there."""
    packages: Mapping[str, str]
    """The dependencies of package.json, those for development too."""


def config_of(context: BuildContext, folder: str) -> Config | Unknown:
    """The configuration that a call in a folder of the context finds."""
    paths = [posixpath.join(folder, name) for name in ("deno.json", "deno.jsonc")]
    path = next((one for one in paths if context.exists(one) is True), None)
    found = None if path is None else context.jsonc(path)
    if isinstance(found, Unknown):
        return found
    data = table(found)
    imports = dict(texts(data.get("imports")))
    named = text(data.get("importMap"))
    mapped = None if named is None else posixpath.normpath(posixpath.join(folder, named))
    if mapped is not None:
        other = context.jsonc(mapped)
        if isinstance(other, Unknown) or "://" in (named or ""):
            return Unknown(f"{path} names the import map {named}, which is not known")
        imports.update(texts(table(other).get("imports")))
    if data.get("workspace") or data.get("workspaces"):
        return Unknown(f"{path} is that of a workspace")
    lock = data.get("lock")
    name = text(lock) or text(table(lock).get("path")) or "deno.lock"
    lockfile = None if lock is False else posixpath.join(folder, name)
    names = [path, lockfile, mapped, *(posixpath.join(folder, name) for name in ("package.json", ".npmrc"))]
    package = table(context.json(posixpath.join(folder, "package.json")))
    kinds = [texts(package.get(kind)) for kind in ("devDependencies", "dependencies")]
    return Config(
        path,
        imports,
        {name: value if isinstance(value, str) else text(table(value).get("command")) or "" for name, value in
         table(data.get("tasks")).items()},
        lockfile,
        tuple(name for name in names if name is not None and context.exists(name) is True),
        {name: version for kind in kinds for name, version in kind.items()},
    )  # fmt: skip


class Modules(NamedTuple):
    """What a program imports, directly or not."""

    files: Mapping[str, str]
    """Context path -> text without comments."""
    remote: Mapping[str, str]
    """``npm:ms@2``, a URL -> the file that imports it; those of package.json by ``npm:`` and their name."""


def modules_of(context: BuildContext, config: Config, entry: str) -> Modules | Refused:
    """The modules of a program whose first file is at a context path."""
    files: dict[str, str] = {}
    remote: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        content = context.read(path)
        if isinstance(content, Unknown) or len(files) > _MAX_MODULES:
            return Refused(f"the modules of {entry} cannot be read: {path}", "name the folder that is built from")
        files[path] = code = blanked(content, SLASHES, _QUOTED)
        if not re.search(CODE, path):
            continue
        dynamic = re.search(_DYNAMIC, code)
        if dynamic is not None:
            line = code.count("\n", 0, dynamic.start()) + 1
            return Refused(f"{path}:{line} imports what only the running program knows", "name the module as text")
        for call in re.finditer(_IMPORTS, code):
            target = _resolved(context, config, path, call[2])
            if isinstance(target, Refused):
                return target
            if re.match(REMOTE, target):
                remote.setdefault(target, path)
            elif target:
                waiting.append(target)
    return Modules(files, remote)


def _resolved(context: BuildContext, config: Config, path: str, name: str) -> str | Refused:
    """A remote module, the context path of a local one, or "" for one that Deno has."""
    folder = posixpath.dirname(path)
    if not name.startswith(("./", "../", "/")) and not re.match(rf"{REMOTE}|node:|data:|blob:", name):
        keys = [key for key in config.imports if name == key or (name.startswith(key) and key.endswith("/")) or (
            name.startswith(f"{key}/") and re.match(REMOTE, config.imports[key]))]  # fmt: skip
        if keys:
            key = max(keys, key=len)
            name, folder = config.imports[key] + name[len(key) :], posixpath.dirname(config.path or "")
        elif (package := next((one for one in config.packages if f"{name}/".startswith(f"{one}/")), None)) is not None:
            return f"npm:{package}"
        else:
            return Refused(f"{path} imports {name}, which deno.json does not name", "name it in `imports`")
    if re.match(REMOTE, name):
        return name
    if re.match(r"node:|data:|blob:", name):
        return ""
    target = posixpath.normpath(posixpath.join(folder, name)).lstrip("/")
    if context.is_dir(target) is True:
        return ""
    return target if context.exists(target) is True else Refused(
        f"{path} imports {name}, which is not in the build context", "name the folder that is built from with --context"
    )  # fmt: skip


def why_lock_moves(context: BuildContext, config: Config, remote: Mapping[str, str]) -> str | None:
    """Why Deno would write another lockfile than it finds; None where that has all that is asked for, or is none."""
    if config.lock is None or context.exists(config.lock) is not True:
        return None
    data = table(context.json(config.lock))
    known = {*table(data.get("specifiers")), *table(table(data.get("packages")).get("specifiers"))}
    known |= {*table(data.get("remote")), *table(data.get("redirects"))}
    for name in remote:
        base = re.match(r"(?:npm|jsr):/?(?:@[^/]+/)?[^/]+", name)
        if base is None and name not in known:
            return f"{config.lock} does not have {name}"
        is_packaged = base is not None and base[0].removeprefix("npm:") in config.packages
        if base is not None and not is_packaged and not {base[0], f"{base[0]}@*"} & known:
            return f"{config.lock} does not have {base[0]}"
    for name, version in config.packages.items():
        if f"npm:{name}@{version}" not in known:
            return f"{config.lock} does not have npm:{name}@{version} of package.json"
    return None


def literals(code: str, names: str, argument: int = 0) -> Iterator[tuple[re.Match[str], str | None]]:
    """Calls of functions, each with the string that an argument is; None where only the running program knows it."""
    given = r"(?:[^,()]|\([^()]*\))+,\s*" * argument
    for call in re.finditer(rf"(?<![\w.])(?:{names})\s*\(", code):
        value = re.match(rf"\s*{given}([\"'`])([^\"'`$\\]+)\1\s*[,)]", code[call.end() :])
        yield call, None if value is None else value[2]
