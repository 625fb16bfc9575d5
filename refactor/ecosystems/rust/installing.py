"""Rust's dependencies in a layer of their own: built once for empty programs, from the manifests alone.

cargo has no command for it (rust-lang/cargo issue 2644), so everybody builds the project with empty sources first.
`cargo clean -p` then forgets the project's own packages: BuildKit keeps the files' times, and cargo would take the
empty programs, which are younger, for the real ones.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import takewhile

from refactor.context import BuildContext
from refactor.context.tables import at, items, table, text
from refactor.ecosystems.answers import BuiltStart, Install, ahead
from refactor.ecosystems.own_start import own_start
from refactor.ecosystems.rust.manifests import Package, Workspace, workspace
from refactor.ecosystems.rust.tools import CargoCall
from refactor.ecosystems.table import Language
from refactor.flow.graph import Act
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.shell import PackageCall

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
    if isinstance(space, Refused) or not any(one.dependencies for one in space.packages):
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
    files = {}
    for one in space.packages:
        found = _targets(reading.context, one)
        if isinstance(found, Refused):
            return found
        files.update(found)
    commands = [*_empty(space, files), _ahead(act, package), _forget(cargo, space)]
    named = (*(posixpath.join(space.root, name) for name in _MANIFESTS), *(one.path for one in space.packages))
    paths = tuple(dict.fromkeys(reading.context.there(named)))
    return ahead(act, root, paths, commands, "compile all crates")


def _ahead(act: Act, package: PackageCall) -> str:
    """The build of the empty programs; `cargo install` goes on from what `cargo build` left in target/."""
    if package.action != "install":
        return " ".join(act.written.split())
    more = [f"{name} {value}" for name in ("--features", "-F", "--target", "--profile")
            for value in package.values(name)]  # fmt: skip
    more += [name for name in ("--all-features", "--no-default-features") if package.has(name)]
    return " ".join(["cargo build", *(() if package.option("--profile") else ["--release"]), "--locked", *more])


def _empty(space: Workspace, files: dict[str, bool]) -> Iterator[str]:
    """Shell commands that make empty sources; paths are from the workspace's root."""
    relative = {posixpath.relpath(path, space.root or "."): has_main for path, has_main in files.items()}
    folders = sorted({posixpath.dirname(path) for path in relative} - {""})
    if folders:
        yield f"mkdir -p {' '.join(folders)}"
    mains = [path for path, has_main in relative.items() if has_main]
    if len(mains) == 1:
        yield f'echo "fn main() {{}}" > {mains[0]}'
    elif mains:
        yield f'echo "fn main() {{}}" | tee {" ".join(mains)} > /dev/null'
    libraries = [path for path, has_main in relative.items() if not has_main]
    if libraries:
        yield f"touch {' '.join(libraries)}"


def _targets(context: BuildContext, package: Package) -> dict[str, bool] | Refused:
    """Context paths of the sources that cargo looks for -> whether each has a ``main``."""
    manifest = package.manifest
    found = dict.fromkeys(package.programs.values(), True)
    library = table(manifest.get("lib"))
    path = posixpath.join(package.folder, text(library.get("path")) or "src/lib.rs")
    if library or context.exists(path) is True:
        if library.get("proc-macro") is True:
            return Refused(f"{package.name} is a procedural macro, which must be there to build the others", _BY_HAND)
        found[path] = False
    script = text(at(manifest, "package", "build"))
    if script is not None:
        found[posixpath.join(package.folder, script)] = True
    for kind, folder in (("test", "tests"), ("bench", "benches"), ("example", "examples")):
        for item in items(manifest.get(kind)):
            named = text(table(item).get("name"))
            own = text(table(item).get("path")) or f"{folder}/{named}.rs"
            found[posixpath.join(package.folder, own)] = True
    if any(re.search(r"[^\w./-]", one) for one in found):
        return Refused(f"a source of {package.name} has a name that the shell treats specially", _BY_HAND)
    return found


def _forget(cargo: CargoCall, space: Workspace) -> str:
    """The command that removes what was built of the empty sources, and nothing else."""
    named, asked = cargo.package.option("--profile"), cargo.package.option("--target")
    words = ["cargo clean", *(f"-p {one.name}" for one in space.packages)]
    if cargo.package.has("--release", "-r") or (cargo.package.action == "install" and not named):
        words.append("--release")
    words += [] if named is None else [f"--profile {named}"]
    words += [] if asked is None or cargo.triple is None else [f"--target {asked}"]
    return " ".join(words)


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """`cargo run` as CMD: build it once, and start the program. See :meth:`Ecosystem.built_start`."""
    start = own_start(reading, "cargo")
    package = None if start is None else start.package
    if start is None or package is None or package.action != "run":
        return None
    folder = reading.in_context(reading.final_workdir)
    space = Refused("its Cargo.toml is not in the context") if folder is None else workspace(reading.context, folder)
    if isinstance(space, Refused):
        return start.refused(f"which program it is is not known: {space.because}")
    if package.option("--target") or package.option("--target-dir") or package.option("--manifest-path"):
        return start.refused("where it puts the program depends on its options", "build it in a RUN")
    wanted, named = package.option("--bin"), package.option("-p", "--package")
    own = [name for one in space.packages for name in one.programs
           if one.name in ((named,) if named else space.default)]  # fmt: skip
    default = text(at(reading.context.toml(posixpath.join(space.root, "Cargo.toml")), "package", "default-run"))
    names = [wanted] if wanted else [default] if default else own
    if len(names) != 1 or names[0] not in own:
        return start.refused("which program it is is not known", "name it with --bin")
    rest = start.argv[start.argv.index("run") + 1 :]
    if "--" not in rest and package.operands:
        return start.refused("which words are for the program is not seen", "write `--` before them")
    options = tuple(takewhile(lambda word: word != "--", rest))
    profile = "release" if package.has("--release", "-r") else package.option("--profile") or "debug"
    path = posixpath.relpath(join("/" + space.root, f"target/{profile}/{names[0]}"), "/" + (folder or ""))
    build = " ".join(("cargo build", *options))
    words = (f"./{path}" if not path.startswith(".") else path, *rest[len(options) + 1 :])
    return start.built(build, words, path)
