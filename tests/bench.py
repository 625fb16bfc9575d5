"""Times dockerfix beside its peers, in one run, in turns: ``python -m tests.bench`` (needs the ``bench`` extra).

Start-up on one clean file, CPU a file over many, growth with the size of a file and the number of files, and memory.
Every figure is a median; ratios are of figures of the same run. Peers that are not installed are left out with a word.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from refactor import parse

ROOT = Path(__file__).parents[1]
CLEAN = """FROM debian:bookworm-slim
RUN apt-get update \\
    && apt-get install -y --no-install-recommends curl \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY run.sh ./
USER 65534:65534
ENTRYPOINT ["/app/run.sh"]
"""


def _repeated(first: str, each: str, last: str = "") -> Callable[[int], str]:
    """A file of any size: ``each`` is written with a number, and the one before it."""
    return lambda size: first + "".join(each.format(n=n, before=n - 1) for n in range(1, size + 1)) + last


SHAPES = {
    "instructions in a file": _repeated("FROM debian:bookworm\n", "RUN touch /f{n}\n"),
    "lines of one continued RUN": _repeated(
        "FROM debian:bookworm\nRUN true \\\n", "    && touch /f \\\n", "    && true\n"
    ),
    "comment lines inside a RUN": _repeated("FROM debian:bookworm\nRUN true \\\n", "# note\n", "    && true\n"),
    "stages": _repeated("", "FROM debian:bookworm AS s{n}\nRUN touch /f\n"),
    "stages, each from the one before": _repeated(
        "FROM node:20 AS s0\n", "FROM s{before} AS s{n}\nWORKDIR /app\nCOPY . .\nRUN npm ci\n", 'CMD ["node", "."]\n'
    ),
    "stages, each copying from the one before": _repeated(
        "FROM node:20 AS s0\nCOPY . /app\n", "FROM node:20 AS s{n}\nCOPY --from=s{before} /app /app\nRUN npm ci\n"
    ),
    "COPY and npm install": _repeated("FROM node:20\n", "COPY p{n} /p{n}\nRUN npm install --prefix /p{n}\n"),
    "COPY and go build": _repeated(
        "FROM golang:1.22\nWORKDIR /app\n", "COPY p{n} p{n}\nRUN go build -o /b{n} ./p{n}\n", 'CMD ["/b1"]\n'
    ),
    "COPY and pip install": _repeated("FROM python:3.12\n", "COPY p{n} /p{n}\nRUN pip install -r /p{n}/r.txt\n"),
    "ENV, ARG and their use": _repeated("FROM debian:bookworm\n", "ENV A{n}=$A1\nARG B{n}\nRUN echo $A{n} $B1\n"),
    "LABEL and EXPOSE": _repeated("FROM debian:bookworm\n", "LABEL a{n}=b\nEXPOSE {n}\n"),
    "COPY --from": _repeated(
        "FROM debian:bookworm AS b\nRUN touch /x\nFROM debian:bookworm\n", "COPY --from=b /x /y{n}\n"
    ),
    "RUNs of apt-get": _repeated("FROM debian:bookworm\n", "RUN apt-get update && apt-get install -y p{n}\n"),
    "stages, each installing over the one before": _repeated(
        "FROM debian:bookworm AS s0\n",
        "FROM s{before} AS s{n}\nENV A{n}=b\nRUN apt-get update && apt-get install -y p{n}\n",
    ),
    "heredocs": _repeated("FROM debian:bookworm\n", "RUN <<EOF\ntouch /f{n}\nEOF\n"),
}
_CHEAP = ("instructions in a file", "lines of one continued RUN", "comment lines inside a RUN")


class Figure(NamedTuple):
    """One run of a command: seconds of CPU and of wall time, and the largest resident set in MiB."""

    cpu: float
    wall: float
    memory: float


def tools() -> dict[str, list[str]]:
    """The commands to compare, by name; files follow as arguments."""
    binaries = Path(sys.executable).parent
    found = {"dockerfix": [str(binaries / "dockerfix"), "--isolated"]}
    for name, words in (
        ("hadolint", ["hadolint", "--no-fail"]),
        ("tally", ["tally", "lint", "--no-config", "--slow-checks", "off", "--fail-level", "none"]),
        (
            "tally without shellcheck",
            [
                "tally",
                "lint",
                "--no-config",
                "--slow-checks",
                "off",
                "--fail-level",
                "none",
                "--ignore",
                "shellcheck/*",
            ],
        ),
    ):
        program = binaries / words[0] if (binaries / words[0]).exists() else shutil.which(words[0])
        if program is None:
            print(f"{words[0]} is not installed and left out: pip install '.[bench]'", file=sys.stderr)
        else:
            found[name] = [str(program), *words[1:]]
    return found


def measure(command: Sequence[str]) -> Figure:
    """Runs a command once, by the operating system's own accounting of the finished process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        print(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}: its figure means nothing", file=sys.stderr)
    return Figure(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def in_turns(commands: dict[str, list[str]], arguments: Sequence[str], runs: int) -> dict[str, Figure]:
    """Medians of all commands on the same arguments, run in turns after one warm-up each."""
    figures: dict[str, list[Figure]] = {name: [] for name in commands}
    for round_ in range(runs + 1):
        for name, command in commands.items():
            figure = measure([*command, *arguments])
            if round_:
                figures[name].append(figure)
    return {name: median(found) for name, found in figures.items()}


def median(figures: Sequence[Figure]) -> Figure:
    return Figure(*(statistics.median(values) for values in zip(*figures)))


def real_files(folder: Path, count: int) -> list[str]:
    """Dockerfiles to time on, each in a folder of its own: real ones where they are, else copies of corpus/."""
    unpack = ROOT.parent / "shared" / "real" / "unpack"
    if unpack.exists():
        subprocess.run([str(unpack), str(folder / "real")], check=True, stdout=subprocess.DEVNULL)
        sources = sorted((folder / "real" / "wild").iterdir())
    else:
        print("real Dockerfiles are not beside this checkout; timing on copies of corpus/", file=sys.stderr)
        sources = sorted(path for path in (ROOT / "corpus").rglob("Dockerfile") if b"\0" not in path.read_bytes())
    # A tool that gives up at the first file it cannot parse would look fast: only files that every builder takes.
    sources = [path for path in sources if not parse(path.read_bytes()).problems]
    files = []
    for number in range(count):
        source = sources[number * len(sources) // count if count <= len(sources) else number % len(sources)]
        target = folder / "files" / f"{number:05}" / "Dockerfile"
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
        files.append(str(target))
    return files


def without_refused(files: list[str], commands: dict[str, list[str]]) -> list[str]:
    """The files that every tool gets through: one that it refuses can end a peer's whole run, which would look fast."""
    for command in commands.values():
        for _ in range(20):
            done = subprocess.run([*command, *files], capture_output=True, text=True, errors="replace", check=False)
            named = [path for path in files if f"{path}:" in done.stderr]
            if done.returncode in (0, 1) or not named:
                break
            files = [path for path in files if path not in set(named)]
    return files


def table(title: str, rows: dict[str, Figure], divisor: float = 1.0) -> Iterator[str]:
    ours = rows["dockerfix"]
    yield f"\n### {title}\n"
    yield "| | CPU ms | wall ms | memory MiB | CPU of dockerfix is |"
    yield "|---|---|---|---|---|"
    for name, figure in rows.items():
        ratio = "" if name == "dockerfix" else f"{ours.cpu / figure.cpu:.2f} of it"
        cpu, wall = 1000 * figure.cpu / divisor, 1000 * figure.wall / divisor
        yield f"| {name} | {cpu:.2f} | {wall:.2f} | {figure.memory:.0f} | {ratio} |"


def growth(folder: Path, command: list[str], runs: int) -> Iterator[str]:
    """CPU at one and at ten times the size; linear is that one more costs the same in both."""
    clean = folder / "clean" / "Dockerfile"
    start = median([measure([*command, str(clean)]) for _ in range(runs)]).cpu
    yield "\n### Growth\n"
    yield "| what | size | CPU s | µs for each | ten times the size | CPU s | µs for each |"
    yield "|---|---|---|---|---|---|---|"
    for name, shape in SHAPES.items():
        small, large = (10_000, 100_000) if name in _CHEAP else (400, 4_000)
        figures = []
        for size in (small, large):
            path = folder / f"grow-{size}" / "Dockerfile"
            path.parent.mkdir(exist_ok=True)
            path.write_text(shape(size))
            figures.append(median([measure([*command, str(path)]) for _ in range(max(1, runs // 2))]).cpu)
        cells = (
            f"{size} | {cpu:.2f} | {1e6 * max(cpu - start, 0) / size:.0f}" for size, cpu in zip((small, large), figures)
        )
        yield f"| {name} | {' | '.join(cells)} |"


def many(folder: Path, files: list[str], command: list[str]) -> Iterator[str]:
    """Ten thousand files in one run: memory does not grow with their number."""
    target = folder / "many"
    for number in range(10_000):
        place = target / f"{number:05}"
        place.mkdir(parents=True)
        os.link(files[number % len(files)], place / "Dockerfile")
    few, lots = measure([*command, *files[:100]]), measure([*command, str(target)])
    yield "\n### Ten thousand files\n"
    cpu = 1000 * lots.cpu / 10_000
    yield f"{cpu:.2f} ms of CPU a file; {lots.memory:.0f} MiB at most ({few.memory:.0f} MiB for 100 files)"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=1000, help="Dockerfiles in the comparison (default 1000)")
    options.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    options.add_argument("--only", choices=("start", "files", "growth", "many"), help="one part of it")
    arguments = options.parse_args()
    commands = tools()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="dockerfix-bench-") as name:
        folder = Path(name)
        clean = folder / "clean" / "Dockerfile"
        clean.parent.mkdir()
        clean.write_text(CLEAN)
        (clean.parent / "run.sh").write_text("#!/bin/sh\n")
        if arguments.only in (None, "start"):
            # As a hook calls it; the comparisons below are of one process each.
            rows = in_turns(commands, [str(clean)], max(arguments.runs, 11))
            print("\n".join(table("Start-up: one clean file", rows)), flush=True)
        commands["dockerfix"].append("-j1")
        if arguments.only in (None, "files", "many"):
            files = real_files(folder, arguments.files)
        if arguments.only in (None, "files"):
            files = without_refused(files, {name: words for name, words in commands.items() if "tally" in name})
            rows = in_turns(commands, files, arguments.runs)
            title = f"A file, of {len(files)} in one run"
            print("\n".join(table(title, rows, len(files))), flush=True)
        if arguments.only in (None, "growth"):
            print("\n".join(growth(folder, commands["dockerfix"], arguments.runs)), flush=True)
        if arguments.only in (None, "many"):
            print("\n".join(many(folder, files, commands["dockerfix"])), flush=True)


if __name__ == "__main__":
    main()
