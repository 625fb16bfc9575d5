"""Rust's dependencies in a layer of their own: built once for empty programs, from the manifests alone.

cargo has no command for it (rust-lang/cargo issue 2644), so everybody builds the project with empty sources first.
`cargo clean -p` then forgets the project's own packages: BuildKit keeps the files' times, and cargo would take the
empty programs, which are younger, for the real ones.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping
from itertools import takewhile

from refactor.context import Unknown
from refactor.context.tables import at
from refactor.ecosystems.answers import BuiltStart, Install, ahead
from refactor.ecosystems.own_start import own_start
from refactor.ecosystems.rust.manifests import Workspace
from refactor.ecosystems.rust.tools import CargoCall
from refactor.ecosystems.table import Language
from refactor.flow.effects import Invocation
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import PackageCall, read

_MANIFESTS = ("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/config.toml")
_BY_HAND = "copy the manifests and build the dependencies by hand, with cargo-chef say"


def installed(language: Language, reading: StageReading) -> Iterator[Install | tuple[Step, Refused]]:
    """See :meth:`Language.installed`: what the first build of the stage would else compile after every edit."""
    acts = language.acts(reading)
    act = next((act for act in acts if act.call is not None and act.call.name in {"cargo", "cargo-chef"}), None)
    cargo = None if act is None else CargoCall.of(act.call)
    new = None if act is None or cargo is None else _ahead_of(act, cargo)
    if act is not None and new is not None:
        yield new if isinstance(new, Install) else (act.step.step, new)
    yield from Language.installed(language, reading)


def _ahead_of(act: Act, cargo: CargoCall) -> Install | Refused | None:
    """The dependencies, built before the sources are there."""
    package, reading, space = cargo.package, cargo.call.reading, cargo.space
    if package.verb not in {"build", "b"} and not (package.option("--path") and package.has("--locked")):
        # `cargo install` without --locked takes other versions than those of the lockfile.
        return None
    root = next((path for path in act.effect.reads if isinstance(path, str)), None)
    if root is None or cargo.call.folder != root or reading.in_context(root, cargo.call.step.node) is None:
        return None
    if isinstance(space, Unknown) or not any(one.dependencies for one in space.packages):
        return None
    lock = posixpath.join(space.root, "Cargo.lock")
    if reading.context.exists(lock) is not True:
        return Refused(
            f"{lock} is not in the build context, and the versions that are built ahead would not be those of the"
            " build",
            "commit Cargo.lock",
        )
    members = {one.folder for one in space.packages}
    outside = next((one.path for one in space.packages if not members.issuperset(one.beside)), None)
    if outside is not None:
        return Refused(f"{outside} names a package outside of the workspace, whose sources the build reads", _BY_HAND)
    if package.values("--bin", "--example", "--test", "--bench") and not cargo.programs(space.packages):
        return None
    macro = next((one.name for one in space.packages if at(one.manifest, "lib", "proc-macro") is True), None)
    if macro is not None:
        return Refused(f"{macro} is a procedural macro, which must be there to build the others", _BY_HAND)
    files = {path: has_main for one in space.packages for path, has_main in one.sources.items()}
    commands = [*_empty(space, files), _ahead(act, package), _forget(cargo, space)]
    named = (*(posixpath.join(space.root, name) for name in _MANIFESTS), *(one.path for one in space.packages))
    paths = tuple(dict.fromkeys(reading.context.there(named)))
    return ahead(act, root, paths, commands, "compile all crates")


def _ahead(act: Act, package: PackageCall) -> str:
    """The build of the empty programs; `cargo install` goes on from what `cargo build` left in target/."""
    if package.action != "install":
        return " ".join(act.written.split())
    options = ("--locked", "--features", "-F", "--target", "--profile", "--all-features", "--no-default-features")
    return " ".join(["cargo build", *_given(package, *options)])


def _given(package: PackageCall, *names: str) -> Iterator[str]:
    """Options of a call as it has them; `cargo install` builds for release where no profile is named."""
    if package.action == "install" and not package.option("--profile"):
        yield "--release"
    for name in filter(package.has, names):
        values = (f'"{value}"' if " " in value else value for value in package.values(name))
        yield from [f"{name} {value}" for value in values] or [name]


def _empty(space: Workspace, files: Mapping[str, bool]) -> Iterator[str]:
    """Shell commands that make empty sources; paths are from the workspace's root."""
    relative = {posixpath.relpath(path, space.root or "."): has_main for path, has_main in files.items()}
    folders = sorted({posixpath.dirname(path) for path in relative} - {""})
    if folders:
        yield f"mkdir -p {shlex.join(folders)}"
    mains = [shlex.quote(path) for path, has_main in relative.items() if has_main]
    if len(mains) == 1:
        yield f'echo "fn main() {{}}" > {mains[0]}'
    elif mains:
        yield f'echo "fn main() {{}}" | tee {" ".join(mains)} > /dev/null'
    libraries = [path for path, has_main in relative.items() if not has_main]
    if libraries:
        yield f"touch {shlex.join(libraries)}"


def _forget(cargo: CargoCall, space: Workspace) -> str:
    """The command that removes what was built of the empty sources, and nothing else."""
    given = _given(cargo.package, "--release", "-r", "--profile", "--target")
    return " ".join(["cargo clean", *(f"-p {one.name}" for one in space.packages), *given])


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """`cargo run` as CMD: build it once, and start the program. See :meth:`Ecosystem.built_start`."""
    start = own_start(reading, "cargo")
    package = None if start is None else start.package
    if start is None or package is None or package.action != "run":
        return None
    rest = start.argv[start.argv.index("run") + 1 :]
    if "--" not in rest and package.operands:
        return start.refused("which words are for the program is not seen", "write `--` before them")
    options = tuple(takewhile(lambda word: word != "--", rest))
    build = " ".join(("cargo build", *options))
    cargo = CargoCall.of(Invocation(read(build).commands[0], reading, reading.steps[-1], reading.final_workdir, {}))
    assert cargo is not None
    if isinstance(cargo.started, Unknown):
        return start.refused(f"which program it is is not known: {cargo.started.reason}", "name it with --bin")
    path = posixpath.relpath(cargo.started, reading.final_workdir)
    words = (f"./{path}" if not path.startswith(".") else path, *rest[len(options) + 1 :])
    return start.built(build, words, path)
