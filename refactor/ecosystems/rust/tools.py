"""What the commands of Rust read and write: cargo, rustc, rustup, cargo-chef."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import Unknown
from refactor.context.tables import table, text
from refactor.ecosystems.rust.manifests import Package, Workspace, configured, workspace
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, join
from refactor.shell import PackageCall

_TOOLCHAIN = ("/usr/local/rustup", "/root/.rustup")
_MANIFESTS = ("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/config.toml")


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    if call.name == "rustup":
        return Effect(writes=_TOOLCHAIN, needs=("network",))
    if call.name == "rustc":
        return _rustc(call)
    package = call.package
    if call.name in {"cargo-chef"} or (package is not None and package.verb.startswith("chef")):
        return _chef(call)
    if package is None or package.manager != "cargo":
        return None
    if package.verb in {"build", "b", "rustc", "zigbuild"}:
        return _build(call, package)
    if package.action == "install":
        return _install(call, package)
    if package.action == "clean":
        # Of a package alone: what was built of the others stays.
        return Effect() if package.has("-p", "--package") else Effect(removes=(_target_folder(call, package),))
    if package.verb in {"test", "t", "check", "c", "clippy", "fmt", "doc", "bench", "audit", "deny", "tree", "nextest"}:
        return Effect(call.paths("."), needs=("network",))
    if package.verb in {"fetch", "update", "generate-lockfile", "metadata", "vendor"}:
        written = {"vendor": "vendor", "fetch": None}.get(package.verb, "Cargo.lock")
        return Effect(call.paths("."), call.paths(*([written] if written else [])), needs=("network",))
    if package.verb in {"new", "init"}:
        names = [word.literal for word in package.operands] or ["."]
        return Effect(writes=call.paths(*names))
    return None


def context_folder(call: Invocation, package: PackageCall) -> str | None:
    """The context path of the folder whose manifest a call of cargo reads; None where that is not known."""
    manifest = package.option("--manifest-path", "--path")
    where = manifest if manifest is not None else "."
    place = call.path(posixpath.dirname(where) or "." if where.endswith(".toml") else where)
    if isinstance(place, Unknown):
        return None
    found = call.reading.in_context(join(place, "Cargo.toml"), call.step.node)
    return None if found is None else posixpath.dirname(found)


def built(call: Invocation, package: PackageCall) -> tuple[Workspace, tuple[Package, ...]] | Refused:
    """The workspace that a call of cargo works in, and the packages that it builds."""
    folder = context_folder(call, package)
    if folder is None:
        return Refused("the Cargo.toml that it builds is not copied from the build context")
    space = workspace(call.reading.context, folder)
    if isinstance(space, Refused):
        return space
    wanted = {word.partition("@")[0] for word in package.values("-p", "--package")}
    if package.has("--workspace", "--all"):
        return space, space.packages
    own = {one.name for one in space.packages}
    if wanted - own:
        return Refused(f"the workspace has no package {', '.join(sorted(wanted - own))}")
    names = wanted or set(space.default)
    if not wanted and package.action == "install":
        names = {one.name for one in space.packages if one.folder == folder}
    return space, tuple(one for one in space.packages if one.name in names)


def programs_of(package: PackageCall, packages: tuple[Package, ...]) -> tuple[str, ...]:
    """The names of the programs that a call makes."""
    wanted = package.values("--bin")
    return tuple(name for one in packages for name in one.programs if not wanted or name in wanted)


def triple(call: Invocation, package: PackageCall) -> str | None:
    """The target that is built for, where it is not the machine's own."""
    asked = package.option("--target") or call.variable("CARGO_BUILD_TARGET")
    if asked is not None:
        return call.expanded(asked) or asked
    folder = context_folder(call, package)
    section = table(configured(call.reading.context, folder or "").get("build"))
    return text(section.get("target"))


def profile(package: PackageCall) -> str:
    """The folder of the profile: ``release``, ``debug``."""
    named = package.option("--profile")
    if named is not None:
        return {"dev": "debug", "test": "debug", "bench": "release"}.get(named, named)
    return "release" if package.has("--release", "-r") else "debug"


def _target_folder(call: Invocation, package: PackageCall) -> str | Unknown:
    asked = package.option("--target-dir") or call.variable("CARGO_TARGET_DIR")
    if asked is not None:
        return call.path(asked)
    folder = context_folder(call, package)
    space = Refused("") if folder is None else workspace(call.reading.context, folder)
    if isinstance(space, Refused) or folder is None:
        return call.path("target")
    section = table(configured(call.reading.context, space.root).get("build"))
    own = text(section.get("target-dir"))
    root = call.reading.in_image(posixpath.join(space.root, "Cargo.toml"), call.step.node)
    return join(posixpath.dirname(root[-1]), own or "target") if root else call.path("target")


def _build(call: Invocation, package: PackageCall) -> Effect:
    found = built(call, package)
    folder = _target_folder(call, package)
    reads = call.paths(posixpath.dirname(package.option("--manifest-path") or "") or ".")
    if isinstance(folder, Unknown):
        return Effect(reads, (folder,), needs=("network",))
    place = join(folder, posixpath.join(triple(call, package) or "", profile(package)))
    if isinstance(found, Refused):
        # `cargo new` and the like made what is built; its programs are in there.
        return Effect(reads, (folder,), needs=("network",))
    space, packages = found
    root = call.reading.in_image(posixpath.join(space.root, "Cargo.toml"), call.step.node)
    reads = (posixpath.dirname(root[-1]),) if root else reads
    names = (*programs_of(package, packages), *(library for one in packages for library in one.libraries))
    return Effect(reads, tuple(join(place, name) for name in names) or (folder,), needs=("network",))


def _install(call: Invocation, package: PackageCall) -> Effect:
    root = package.option("--root") or call.variable("CARGO_INSTALL_ROOT") or call.variable("CARGO_HOME")
    folder = call.path(posixpath.join(root or "~/.cargo", "bin"))
    if package.option("--path") is None:
        # Tools by name: what they are called need not be the package's name.
        return Effect(writes=(folder,), needs=("network",))
    found = built(call, package)
    reads = call.paths(package.option("--path") or ".")
    if isinstance(found, Refused) or isinstance(folder, Unknown):
        return Effect(reads, (folder,), needs=("network",))
    space, packages = found
    place = call.reading.in_image(posixpath.join(space.root, "Cargo.toml"), call.step.node)
    reads = (posixpath.dirname(place[-1]),) if place else reads
    return Effect(reads, tuple(join(folder, name) for name in programs_of(package, packages)), needs=("network",))


def _chef(call: Invocation) -> Effect:
    recipe = call.option("--recipe-path") or "recipe.json"
    if "prepare" in call.command.args:
        return Effect(call.paths("."), call.paths(recipe))
    return Effect(call.paths(recipe), call.paths("target"), needs=("network",))


def _rustc(call: Invocation) -> Effect | None:
    files = [word for word in call.operands if word.endswith(".rs")]
    if len(files) != 1:
        return None if not files else Effect(call.paths("."), (Unknown("what rustc writes is not known"),))
    target = call.option("-o") or posixpath.basename(files[0]).removesuffix(".rs")
    return Effect(call.paths(posixpath.dirname(files[0]) or "."), call.paths(target))


def manifests(call: Invocation, space: Workspace) -> Iterator[str]:
    """Context paths of what decides on the dependencies, as far as they are there."""
    context = call.reading.context
    for path in (*(posixpath.join(space.root, name) for name in _MANIFESTS), *space.manifests):
        if context.exists(path) is True:
            yield path


def is_static(call: Invocation, package: PackageCall) -> str | None:
    """Why a program needs no C library; None where it does, or may."""
    target = triple(call, package) or ""
    flags = f"{call.variable('RUSTFLAGS') or ''} {_configured_flags(call, package, target)}"
    if re.search(r"target-feature=[^ ]*-crt-static", flags):
        return None
    if "musl" in target:
        return f"built for {target}, which links statically"
    image = call.reading.image
    if not target and image is not None and image.libc == "musl" and image.family == "rust":
        return f"{image.reference} builds for musl, which links statically"
    if re.search(r"target-feature=[^ ]*\+crt-static", flags) and target:
        return "built with +crt-static"
    return None


def _configured_flags(call: Invocation, package: PackageCall, target: str) -> str:
    folder = context_folder(call, package)
    found = configured(call.reading.context, folder or "")
    flags = [table(found.get("build")).get("rustflags"), table(table(found.get("target")).get(target)).get("rustflags")]
    return " ".join(str(word) for one in flags for word in (one if isinstance(one, list) else [one]) if word)


__all__ = ["built", "effect", "is_static", "manifests", "profile", "programs_of", "triple"]
