"""Whether an install that may not change the lockfile accepts it for a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable

from refactor.context import Unknown
from refactor.ecosystems.node.lockfiles import NodeLock, spec_name, spec_range
from refactor.ecosystems.node.package_json import LOCAL, PackageJson
from refactor.ecosystems.ranges import intervals, meets


def lock_matches(package: PackageJson, lock: NodeLock, members: Iterable[PackageJson] = ()) -> bool | Unknown:
    """Whether an install that may not change the lockfile accepts it for this manifest.

    ``npm ci``, ``yarn install --frozen-lockfile`` (or ``--immutable``), ``pnpm install --frozen-lockfile`` and
    ``bun install --frozen-lockfile`` fail where this is False. ``members`` are the workspace's other manifests.
    """
    manifests = (package, *members)
    if lock.manager == "npm":
        checks = [_npm_matches(manifest, package.folder, lock) for manifest in manifests]
    elif lock.manager in {"pnpm", "bun"} or lock.is_berry:
        checks = [_declared_matches(manifest, package.folder, lock) for manifest in manifests]
    else:
        local = {manifest.name for manifest in manifests}
        checks = [_yarn_matches(manifest, lock, local) for manifest in manifests]
    if any(check is False for check in checks):
        return False
    return next((check for check in checks if isinstance(check, Unknown)), True)


def _relative(manifest: PackageJson, root: str) -> str:
    return manifest.folder.removeprefix(root).strip("/")


def _npm_matches(manifest: PackageJson, root: str, lock: NodeLock) -> bool | Unknown:
    """npm compares each dependency's locked version with the range that is asked for now."""
    folder = _relative(manifest, root)
    if lock.version != "1":
        declared = lock.declared.get(folder)
        if declared is None:
            return False
        if declared == manifest.wanted:
            return True
    else:
        declared = {}
    installed = {package.location: package for package in lock.packages}
    doubt: Unknown | None = None
    for name, wanted in manifest.wanted.items():
        if declared.get(name) == wanted:
            continue
        package = installed.get(f"{folder}/node_modules/{name}") or installed.get(f"node_modules/{name}")
        if package is None:
            if name in manifest.optional_dependencies:
                continue
            return False
        if package.is_link or wanted.startswith(LOCAL):
            continue
        fits = satisfies(package.version or "", wanted)
        if fits is False:
            return False
        if fits is None:
            doubt = Unknown(f"{lock.path} was written for another range of {name} than {wanted}")
    return True if doubt is None else doubt


def _declared_matches(manifest: PackageJson, root: str, lock: NodeLock) -> bool | Unknown:
    declared = lock.declared.get(_relative(manifest, root))
    if declared is None:
        return False
    overridden = manifest.resolutions | lock.overrides
    wanted = {n: s.removeprefix("npm:") for n, s in manifest.wanted.items() if n not in overridden}
    recorded = {n: s.removeprefix("npm:") for n, s in declared.items() if n not in overridden}
    if wanted == recorded:
        return True
    if lock.is_berry and set(wanted) == set(recorded):
        changed = next(n for n in wanted if wanted[n] != recorded[n])
        if ":" in wanted[changed] or ":" in recorded[changed]:
            # Patches and other protocols are rewritten when they are recorded.
            return Unknown(f"{lock.path} records {changed} in another form")
    return False


def _yarn_matches(manifest: PackageJson, lock: NodeLock, local: set[str | None]) -> bool | Unknown:
    for name, wanted in manifest.wanted.items():
        if f"{name}@{wanted}" in lock.specs or name in local or wanted.startswith("link:"):
            continue
        if name in manifest.resolutions and any(spec_name(spec) == name for spec in lock.specs):
            return Unknown(f"the version of {name} is overridden by resolutions")
        return False
    return True


def satisfies(version: str, wanted: str) -> bool | None:
    """Whether a version lies in an npm range; None for tags, URLs and pre-releases."""
    version, wanted = _without_alias(version), _without_alias(wanted)
    if not re.fullmatch(r"\d+\.\d+\.\d+(?:\+\S*)?", version):
        return True if version == wanted else None
    results = [intervals(part.strip() or "*") for part in wanted.split("||")]
    if any(one is not None and meets(version.partition("+")[0], one) for one in results):
        return True
    return None if None in results else False


def _without_alias(spec: str) -> str:
    """``^1.0.0`` of ``npm:other@^1.0.0``."""
    return spec_range(spec.removeprefix("npm:")) if spec.startswith("npm:") else spec
