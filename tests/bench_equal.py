"""Equal images, file by file: ``python -m tests.bench_equal FOLDER [--count 25] [--keep FILE]``.

FOLDER holds Dockerfiles of other people, each without its build context. Taken, in the order of a fixed seed, are those
that copy nothing of a context, fetch from package registries alone, whose base images the engine has, and that SAFE
codemods change. The first ``--count`` of them that build as they are, are built again as rewritten, and every file of
both images is compared by what ``dockerfix verify`` compares with. Those that do not build (they ask for packages that
are gone, or that this machine cannot reach) are counted.

``--stand-in 'ubuntu:*=debian:bookworm'`` builds what is on an image that the engine lacks on another one, before and
after alike; the table shows both. ``--keep FILE`` writes each result there, and takes from there what was judged
before. Exit status 1 where a file differs or an image starts otherwise, 2 where there is no engine.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from refactor.codemod import Safety
from refactor.context import BuildContext
from refactor.engine.fix import fix
from refactor.engine.run import Options
from refactor.proof import EngineProblem, ProbeOptions, ProofOptions, find_engine
from refactor.proof.engine import Engine
from refactor.proof.verify import Verified, verify_file
from refactor.syntax import Dockerfile, parse

SEED = 7
PROBE = ProbeOptions(timeout=10, alive=3)


@dataclass(frozen=True, slots=True)
class Result:
    """One Dockerfile that was tried."""

    name: str
    state: str
    """"equal", "differs", or "does not build" (as it is)."""
    base: str = ""
    codemods: tuple[str, ...] = ()
    count: int = 0
    stamped: int = 0
    unstable: int = 0
    cleaned: int = 0
    """Bytes of caches that went."""
    before: int = 0
    after: int = 0
    seconds: float = 0
    why: str = ""


def bases(file: Dockerfile) -> list[str]:
    """The images of other people that a Dockerfile is built on."""
    return [stage.image for stage in file.stages if file.stage(stage.image) is None and stage.image != "scratch"]


def needs_context(file: Dockerfile) -> bool:
    """Whether a Dockerfile copies or mounts anything of its build context."""
    for node in file.instructions:
        if node.keyword in {"COPY", "ADD"} and node.flag("from") is None and not all(map(is_remote, node.sources)):
            return True
        if node.keyword == "ONBUILD" or (
            node.keyword == "RUN" and "type=bind" in node.text and "from=" not in node.text
        ):
            return True
    return False


def is_remote(source: str) -> bool:
    return source.startswith(("http://", "https://", "git@"))


REGISTRIES = r"(?:deb|security|archive)\.debian\.org|(?:archive|security)\.ubuntu\.com|registry\.npmjs\.org|pypi\.org"


def fetches_elsewhere(file: Dockerfile) -> bool:
    """Whether a step names an address that is no package registry's: what is there changes, or is gone."""
    steps = (node.text for node in file.instructions if node.keyword in {"RUN", "ADD"})
    return any(re.search(rf"(?:https?|git|ftp|ssh)://(?!{REGISTRIES})|git@|--keyserver", text) for text in steps)


@cache
def has_image(engine: str, image: str) -> bool:
    return subprocess.run([engine, "image", "inspect", image], capture_output=True, check=False).returncode == 0


def standing_in(source: bytes, engine: Engine, stand_ins: dict[str, str]) -> bytes:
    """The Dockerfile with each base image that the engine lacks replaced by the one of the first pattern it matches."""
    lines = []
    for line in source.split(b"\n"):
        words = line.split()
        if len(words) > 1 and words[0].upper() == b"FROM":
            image = words[1].decode("utf-8", "replace")
            new = next((new for pattern, new in stand_ins.items() if fnmatchcase(image, pattern)), None)
            if new is not None and not has_image(engine.name, image):
                line = line.replace(words[1], new.encode(), 1)
        lines.append(line)
    return b"\n".join(lines)


def candidates(
    paths: Sequence[Path], engine: Engine, stand_ins: dict[str, str], passed: Counter[str]
) -> Iterator[tuple[Path, bytes]]:
    """The Dockerfiles to try, in the order given; why others are none is counted in ``passed``."""
    for path in paths:
        source = standing_in(path.read_bytes(), engine, stand_ins)
        file = parse(source)
        if not file.stages or file.problems:
            passed["cannot be read"] += 1
        elif needs_context(file):
            passed["copies of a context"] += 1
        elif fetches_elsewhere(file):
            passed["fetch from elsewhere than a package registry"] += 1
        elif not all("$" not in image and has_image(engine.name, image) for image in bases(file)):
            passed["the engine lacks its base image"] += 1
        elif fix(source, BuildContext.of({}), safety=Safety.SAFE).after == source:
            passed["SAFE codemods change nothing"] += 1
        else:
            yield path, source


def judge(path: Path, source: bytes, engine: Engine, timeout: float) -> Result:
    """Builds both versions in an empty folder and compares them as ``dockerfix verify --safe`` does."""
    options = ProofOptions(build_timeout=timeout, probe=PROBE, has_rebuild=False)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-equal-") as folder:
        goal = Path(folder) / "Dockerfile"
        goal.write_bytes(source)
        verified = verify_file(str(goal), Options(safe=True, is_isolated=True), options, engine)
    wanted, built = bases(parse(path.read_bytes())), bases(parse(source))
    base = ", ".join(new if old == new else f"{old} (here {new})" for old, new in zip(wanted, built))
    return result_of(path.name, base, verified, round(time.monotonic() - start, 1))


def result_of(name: str, base: str, verified: Verified, seconds: float) -> Result:
    proof = verified.proof
    if proof is None:
        return Result(name, "differs", base, why=verified.message, seconds=seconds)
    if proof.before.built.problem is not None:
        return Result(name, "does not build", base, why=proof.before.built.problem, seconds=seconds)
    numbers = {}
    for when, version in (("before", proof.before), ("after", proof.after)):
        if version is not None and version.described is not None:
            numbers[when] = version.described.size
    files = proof.files
    if files is not None:
        numbers |= {"count": files.count, "stamped": len(files.stamped), "unstable": len(files.unstable)}
        numbers["cleaned"] = sum(size for _, size in files.cleaned)
    is_equal = proof.is_proved and files is not None and files.is_equal
    state, why = "equal" if is_equal else "differs", "; ".join(proof.problems)
    return Result(name, state, base, verified.codemods, seconds=seconds, why=why, **numbers)


HEAD = ("Dockerfile", "base", "SAFE codemods", "files", "stamped", "unstable", "MB", "caches that went", "trees")


def cells(result: Result) -> tuple[str, ...]:
    return (
        result.name[-60:],
        result.base,
        ", ".join(result.codemods),
        str(result.count),
        str(result.stamped),
        str(result.unstable),
        f"{result.before / 1e6:.0f} -> {result.after / 1e6:.0f}",
        f"{result.cleaned / 1e6:.1f} MB",
        "equal" if result.state == "equal" else f"DIFFER: {result.why[:300]}",
    )


def report(results: Sequence[Result], passed: Counter[str]) -> Iterator[str]:
    """The table of those that were judged, and how the others were left."""
    judged = [result for result in results if result.state != "does not build"]
    rows = [HEAD, *map(cells, judged)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
    yield ""
    equal = sum(result.state == "equal" for result in judged)
    yield f"{equal} of {len(judged)} images are equal file by file, {len(judged) - equal} differ."
    unbuilt = [result for result in results if result.state == "does not build"]
    yield f"{len(results)} candidates were tried; {len(unbuilt)} of them do not build here as they are:"
    yield from (f"  {result.name[-60:]}: {result.why[:140]}" for result in unbuilt)
    yield "No candidates: " + ", ".join(f"{count} {reason}" for reason, count in passed.most_common()) + "."


def read_kept(keep: Path | None) -> dict[str, Result]:
    if keep is None or not keep.exists():
        return {}
    entries = (json.loads(line) for line in keep.read_text().splitlines() if line.strip())
    return {entry["name"]: Result(**{**entry, "codemods": tuple(entry["codemods"])}) for entry in entries}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench_equal", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of Dockerfiles")
    parser.add_argument("--count", type=int, default=25, help="how many that build are wanted")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--timeout", type=float, default=240, metavar="SECONDS", help="for each build")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep results there, and take known ones from there")
    parser.add_argument("--stand-in", action="append", default=[], metavar="PATTERN=IMAGE", help="another image")
    parser.add_argument("--engine", choices=("docker", "podman", "buildah"))
    arguments = parser.parse_args()
    try:
        engine = find_engine(arguments.engine)
    except EngineProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    paths = sorted(path for path in arguments.folder.iterdir() if path.is_file())
    random.Random(arguments.seed).shuffle(paths)
    stand_ins = dict(entry.split("=", 1) for entry in arguments.stand_in)
    passed: Counter[str] = Counter()
    kept, results = read_kept(arguments.keep), list[Result]()
    for path, source in candidates(paths, engine, stand_ins, passed):
        result = kept.get(path.name) or judge(path, source, engine, arguments.timeout)
        if arguments.keep is not None and path.name not in kept:
            with open(arguments.keep, "a") as file:
                file.write(json.dumps(asdict(result)) + "\n")
        results.append(result)
        print(f"{result.state}: {path.name} {result.why[:100]}", file=sys.stderr, flush=True)
        if sum(result.state != "does not build" for result in results) >= arguments.count:
            break
    print("\n".join(report(results, passed)))
    return 0 if all(result.state != "differs" for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
