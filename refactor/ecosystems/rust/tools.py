"""What the commands of Rust read and write: cargo, rustc, rustup, cargo-chef."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from refactor.context import Unknown
from refactor.context.build_context import upwards
from refactor.context.tables import at, text
from refactor.ecosystems.rust.manifests import Package, Workspace, locked, workspace
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Effect, Invocation, Path
from refactor.flow.reading import join
from refactor.once import cached_property

_WRITES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys("test t check c clippy fmt doc bench audit deny tree nextest fetch".split(), ()),
    "vendor": ("vendor",),
    **dict.fromkeys(("update", "generate-lockfile", "metadata"), ("Cargo.lock",)),
}


class CargoCall(ToolCall):
    """A call of cargo where it stands."""

    manager = "cargo"
    manifest_names = ("Cargo.toml",)
    named_by = ("--manifest-path", "--path")

    @cached_property
    def space(self) -> Workspace | Unknown:
        """The workspace that it works in."""
        if self.source is None:
            return Unknown("the Cargo.toml that it builds is not copied from the build context")
        return workspace(self.call.reading.context, self.source)

    @cached_property
    def packages(self) -> tuple[Package, ...] | Unknown:
        """The packages that it builds."""
        space = self.space
        if isinstance(space, Unknown) or self.package.has("--workspace", "--all"):
            return space if isinstance(space, Unknown) else space.packages
        wanted = {word.partition("@")[0] for word in self.package.values("-p", "--package")}
        missing = wanted - {one.name for one in space.packages}
        if missing:
            return Unknown(f"the workspace has no package {', '.join(sorted(missing))}")
        if not wanted and self.package.action == "install":
            return tuple(one for one in space.packages if one.folder == self.source)
        return tuple(one for one in space.packages if one.name in (wanted or space.default))

    def package_of(self, made: str) -> Package | Unknown:
        """The one of them that makes the program at an absolute path."""
        if isinstance(self.packages, Unknown):
            return self.packages
        name = posixpath.basename(made)
        found = next((one for one in self.packages if name in one.programs), None)
        return found or Unknown(f"which package of the workspace makes {name} is not known")

    @cached_property
    def crates(self) -> Mapping[str, frozenset[str]] | Unknown:
        """See :func:`locked`."""
        space = self.space
        return space if isinstance(space, Unknown) else locked(self.call.reading.context, space.root)

    def programs(self, packages: tuple[Package, ...]) -> tuple[str, ...]:
        """The names of the programs of some packages that it makes."""
        wanted = self.package.values("--bin")
        return tuple(name for one in packages for name in one.programs if not wanted or name in wanted)

    @cached_property
    def home(self) -> tuple[str, ...]:
        """Where the root of the workspace lies in the image; () where that is not known."""
        root = "" if isinstance(self.space, Unknown) else posixpath.join(self.space.root, "Cargo.toml")
        return tuple(map(posixpath.dirname, self.call.places([root] if root else [])))

    def configured(self, *keys: str) -> object:
        """A setting of ``.cargo/config.toml``, of the nearest folder upwards that has it; None where none has."""
        context, folders = self.call.reading.context, upwards(self.source or "")
        names = (posixpath.join(one, name) for one in folders for name in (".cargo/config.toml", ".cargo/config"))
        return next((found for name in names if (found := at(context.toml(name), *keys)) is not None), None)

    @cached_property
    def triple(self) -> str | None:
        """The target that is built for, where it is not the machine's own."""
        asked = self.package.option("--target") or self.call.variable("CARGO_BUILD_TARGET")
        return text(self.configured("build", "target")) if asked is None else self.call.expanded(asked) or asked

    @cached_property
    def output(self) -> Path:
        """The folder ``target``."""
        asked = self.package.option("--target-dir") or self.call.variable("CARGO_TARGET_DIR")
        if asked is not None or isinstance(self.space, Unknown) or not self.home:
            return self.call.path(asked or "target")
        return join(self.home[0], text(self.configured("build", "target-dir")) or "target")

    @property
    def profile(self) -> str:
        """The folder of the profile: ``release``, ``debug``."""
        named = self.package.option("--profile")
        if named is not None:
            return {"dev": "debug", "test": "debug", "bench": "release"}.get(named, named)
        return "release" if self.package.has("--release", "-r") else "debug"

    @property
    def place(self) -> Path:
        """The folder of its programs: ``target/release``."""
        output = self.output
        return output if isinstance(output, Unknown) else posixpath.join(output, self.triple or "", self.profile)

    @property
    def started(self) -> Path:
        """What `cargo run` starts of it."""
        if isinstance(self.packages, Unknown) or isinstance(self.place, Unknown):
            return self.packages if isinstance(self.packages, Unknown) else self.place
        names = self.programs(self.packages)
        chosen = [at(one.manifest, "package", "default-run") for one in self.packages]
        names = tuple(name for name in names if name in chosen) if len(names) > 1 else names
        if len(names) != 1 or self.package.option("--example"):
            return Unknown("it may be more than one, or none")
        return join(self.place, names[0])

    @property
    def why_static(self) -> str | None:
        """Why its programs need no C library; None where they do, or may."""
        target = self.triple or ""
        written = [self.configured("build", "rustflags"), self.configured("target", target, "rustflags")]
        words = [str(word) for one in written for word in (one if isinstance(one, list) else [one]) if word]
        flags = " ".join([self.call.variable("RUSTFLAGS") or "", *words])
        if re.search(r"target-feature=[^ ]*-crt-static", flags):
            return None
        if "musl" in target:
            return f"built for {target}, which links statically"
        image = self.call.reading.image
        if not target and image is not None and image.libc == "musl" and image.family == "rust":
            return f"{image.reference} builds for musl, which links statically"
        return "built with +crt-static" if target and re.search(r"target-feature=[^ ]*\+crt-static", flags) else None


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    if call.name == "rustup":
        return Effect(writes=("/usr/local/rustup", "/root/.rustup"), needs=("network",))
    if call.name == "rustc":
        return _rustc(call)
    cargo = CargoCall.of(call)
    verb = "" if cargo is None else cargo.package.verb
    if call.name == "cargo-chef" or verb.startswith("chef"):
        recipe = call.paths(call.option("--recipe-path") or "recipe.json")
        if "prepare" in call.command.args:
            return Effect(call.paths("."), recipe)
        return Effect(recipe, call.paths("target"), needs=("network",))
    if cargo is None:
        return None
    if verb in {"build", "b", "rustc", "zigbuild"}:
        return _build(cargo)
    if cargo.package.action == "install":
        return _install(cargo)
    if cargo.package.action == "clean":
        # Of a package alone: what was built of the others stays.
        return Effect() if cargo.package.has("-p", "--package") else Effect(removes=(cargo.output,))
    if verb in _WRITES:
        return Effect(call.paths("."), call.paths(*_WRITES[verb]), needs=("network",))
    if verb in {"new", "init"}:
        return Effect(writes=call.paths(*([word.literal for word in cargo.package.operands] or ["."])))
    return None


def _build(cargo: CargoCall) -> Effect:
    found, place = cargo.packages, cargo.place
    reads = cargo.call.paths(posixpath.dirname(cargo.package.option("--manifest-path") or "") or ".")
    if isinstance(place, Unknown) or isinstance(found, Unknown):
        # `cargo new` and the like made what is built; its programs are in there.
        return Effect(reads, (cargo.output,), needs=("network",))
    names = (*cargo.programs(found), *(library for one in found for library in one.shared))
    return Effect(
        cargo.home or reads, tuple(join(place, name) for name in names) or (cargo.output,), needs=("network",)
    )


def _install(cargo: CargoCall) -> Effect:
    call, found, path = cargo.call, cargo.packages, cargo.package.option("--path")
    root = cargo.package.option("--root") or call.variable("CARGO_INSTALL_ROOT") or call.variable("CARGO_HOME")
    folder = call.path(posixpath.join(root or "~/.cargo", "bin"))
    if path is None:
        # Tools by name: what they are called need not be the package's name.
        return Effect(writes=(folder,), needs=("network",))
    if isinstance(found, Unknown) or isinstance(folder, Unknown):
        return Effect(call.paths(path), (folder,), needs=("network",))
    programs = tuple(join(folder, name) for name in cargo.programs(found))
    return Effect(cargo.home or call.paths(path), programs, needs=("network",))


def _rustc(call: Invocation) -> Effect | None:
    files = [word for word in call.operands if word.endswith(".rs")]
    if len(files) != 1:
        return None if not files else Effect(call.paths("."), (Unknown("what rustc writes is not known"),))
    target = call.option("-o") or posixpath.basename(files[0]).removesuffix(".rs")
    return Effect(call.paths(posixpath.dirname(files[0]) or "."), call.paths(target))
