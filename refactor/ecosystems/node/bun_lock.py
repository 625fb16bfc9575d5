"""``bun.lock``, the lockfile in text that Bun writes since 1.2; ``bun.lockb`` before that is binary and not read."""

from __future__ import annotations

from collections.abc import Mapping

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.tables import closed, items, number, table, text, texts, words
from refactor.ecosystems.node.lockfiles import LockedPackage, NodeLock

_NEEDED = ("optionalDependencies", "dependencies")


@remembered
def read_bun_lock(context: BuildContext, path: str = "bun.lock") -> NodeLock | Unknown:
    """The lockfile (src/install/lockfile/bun.lock.zig); Unknown for the binary one, and for one that was cut."""
    if path.endswith(".lockb"):
        return Unknown(f"{path} is binary: `bun install --save-text-lockfile` writes it as text")
    data = context.jsonc(path)
    if isinstance(data, Unknown):
        return data
    root = table(data)
    projects, entries = table(root.get("workspaces")), table(root.get("packages"))
    if not projects:
        return context.report_broken(path, "has no workspaces")
    declared: dict[str, Mapping[str, str]] = {}
    production: list[str] = []
    for folder, value in projects.items():
        sections = {name: texts(table(value).get(name)) for name in ("devDependencies", *_NEEDED)}
        declared[folder] = {name: wanted for section in sections.values() for name, wanted in section.items()}
        production += [*sections["dependencies"], *sections["optionalDependencies"]]
        for name in (*sections["dependencies"], *sections["devDependencies"]):
            if name not in entries:
                return context.report_broken(path, f"has no entry for {name}: it was cut")
    reached = closed(production, _needs(entries))
    packages = [_package(key, items(value), key not in reached) for key, value in entries.items()]
    return NodeLock(path, "bun", number(root.get("lockfileVersion")), tuple(packages), declared)


def _about(entry: tuple[object, ...]) -> Mapping[str, object]:
    """The table of an entry: behind the name, and the registry where there is one."""
    return next((table(one) for one in entry if isinstance(one, dict)), {})


def _needs(entries: Mapping[str, object]) -> dict[str, list[str]]:
    """What each entry needs, by keys: a name, or that of the package it is nested in and a name."""
    keys: dict[str, list[str]] = {}
    for key in entries:
        parts = key.split("/")
        is_scoped = len(parts) > 1 and parts[-2].startswith("@")
        keys.setdefault("/".join(parts[-2 if is_scoped else -1 :]), []).append(key)
    found: dict[str, list[str]] = {}
    for key, entry in entries.items():
        about = _about(items(entry))
        # An optional peer is installed for others alone. Which of several versions one gets is not looked for.
        wanted = {name for section in (*_NEEDED, "peerDependencies") for name in texts(about.get(section))}
        wanted -= {*words(about.get("optionalPeers"))}
        found[key] = [one for name in wanted for one in keys.get(name, ())]
    return found


def _package(key: str, entry: tuple[object, ...], is_dev: bool) -> LockedPackage:
    resolved = text(entry[0]) if entry else None
    name, _, version = (resolved or key).rpartition("@")
    return LockedPackage(
        location=key,
        name=name or key,
        version=version or None,
        is_dev=is_dev,
        is_link=version.startswith(("workspace:", "file:", "link:")),
    )
