"""What a rewrite does to images: ``python -m tests.bench_images [--only NAME|LANGUAGE]... [--markdown]``.

Builds every runnable application of corpus/ as it is and as dockerfix rewrites it, each from a cold cache and with
cache mounts that are empty, and starts both. Then one source file is edited and both are built again, with the cache
and the mounts that the first build left, as on a developer's machine; what was rebuilt is started again. ``--runs N``
repeats that with another edit each time, and medians count. One row an application; the last lines sum up. Needs a
container engine that reaches the package registries (``DOCKERFIX_BUILD_NETWORK=host`` where its builds need that).

Two times are shown, before and after alike: the rebuild alone, and from the edit until the program answers (or ends),
which is the rebuild and the start. A rewrite counts as slower by its rebuild. Where the build took over what the start
did (``go run``, ``nest start``: the container compiled whenever it started), the rebuild alone compares a build that
compiles with one that leaves that for later; such a rewrite is judged by the time until the answer, and its row says
so (*).

``--preset modern`` does it with the opt-in codemods of that preset.

``--keep FILE`` writes each result there as it comes, and takes from there what was measured before as often, so that a
run that was stopped goes on. Exit status 1 where a rewritten application does not build or start as before, its image
grew, or it became slower by more than noise; 2 where there is no engine.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from refactor.codemod.codemod import PRESETS
from refactor.engine.run import Options
from refactor.proof import EngineProblem, ProbeOptions, ProofOptions, Verdict, find_engine
from refactor.proof.engine import Engine
from refactor.proof.prove import GROWTH_BYTES, Version
from refactor.proof.rebuild import is_slower
from refactor.proof.verify import Verified, verify_file

CORPUS = Path(__file__).parents[1] / "corpus"
START_SECONDS = 120.0
"""What compiles when it starts takes long on a busy machine."""


@dataclass(frozen=True, slots=True)
class Result:
    """One application. Sizes in bytes, times in seconds; zeros where there is no such number."""

    name: str
    language: str
    state: str
    """"proved", "failed", "unchanged", or "does not build" (before)."""
    codemods: tuple[str, ...] = ()
    before: int = 0
    after: int = 0
    cold_before: float = 0
    cold_after: float = 0
    rebuild_before: float = 0
    rebuild_after: float = 0
    answer_before: float = 0
    """From the edit until the program answered or ended; 0 where it did neither."""
    answer_after: float = 0
    runs: int = 1
    """Of how many edits the times are the median."""
    preset: str | None = None
    is_taken_over: bool = False
    """The build does what the start did before."""
    ran_before: int = 0
    steps_before: int = 0
    ran_after: int = 0
    steps_after: int = 0
    installs_before: int = 0
    installs_after: int = 0
    started: str = ""
    is_alike: bool = False
    is_expected: bool = True
    """The answer, or output, has the text that apps.toml expects."""
    why: str = ""

    @property
    def works(self) -> bool:
        return self.state == "unchanged" or (self.state == "proved" and self.is_expected)

    @property
    def is_larger(self) -> bool:
        return self.after > self.before + GROWTH_BYTES

    @property
    def is_slower(self) -> bool:
        if self.is_taken_over and self.answer_before and self.answer_after:
            return is_slower(self.answer_before, self.answer_after)
        return bool(self.steps_after) and is_slower(self.rebuild_before, self.rebuild_after)

    @property
    def gain(self) -> float:
        """By which share of its time the rebuild became faster."""
        return 1 - self.rebuild_after / self.rebuild_before if self.rebuild_before else 0.0


def applications() -> dict[str, dict[str, Any]]:
    """The tables of corpus/apps.toml whose application can be started."""
    with open(CORPUS / "apps.toml", "rb") as file:
        return {name: app for name, app in tomllib.load(file).items() if app.get("kind") in {"http", "output"}}


def measure(
    name: str, app: dict[str, Any], engine: Engine, runs: int, preset: str | None = None, is_verbose: bool = False
) -> Result:
    """Proves one application's rewrite. The result says what went wrong, nothing is raised for it."""
    probe = ProbeOptions(timeout=START_SECONDS)
    if app["kind"] == "http":
        probe = replace(probe, port=app.get("port"), path=app.get("path", "/"))
    verified = verify_file(
        str(CORPUS / "apps" / name / "Dockerfile"),
        Options(is_isolated=True, preset=preset),
        ProofOptions(probe=probe, has_contents=False, rebuilds=runs, has_restart=True),
        engine,
        say=(lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)) if is_verbose else lambda text: None,
    )
    return replace(result_of(name, app, verified), runs=runs, preset=preset)


def result_of(name: str, app: dict[str, Any], verified: Verified) -> Result:
    """The numbers of one proof."""
    proof, language = verified.proof, str(app["language"])
    if proof is None:
        state = "failed" if verified.is_error else "unchanged"
        return Result(name, language, state, why=verified.message if verified.is_error else "")
    state = {Verdict.PROVED: "proved", Verdict.FAILED: "failed", Verdict.UNJUDGED: "does not build"}[proof.verdict]
    numbers: dict[str, Any] = {}
    for when, version in (("before", proof.before), ("after", proof.after)):
        if version is not None and version.described is not None:
            numbers[when] = version.described.size
            numbers[f"cold_{when}"] = round(version.built.seconds, 1)
        if version is not None and version.rebuild is not None:
            rebuild = version.rebuild
            numbers[f"rebuild_{when}"] = round(rebuild.seconds, 2)
            numbers[f"answer_{when}"] = round(rebuild.answered or 0, 2)
            numbers[f"ran_{when}"] = rebuild.ran
            numbers[f"steps_{when}"] = rebuild.ran + rebuild.cached
            numbers[f"installs_{when}"] = len(rebuild.installs)
    outcome = proof.after.outcome if proof.after is not None else None
    said = f"{outcome.body}\n{outcome.output}" if outcome is not None else ""
    return Result(
        name,
        language,
        state,
        verified.codemods,
        started=str(outcome) if outcome is not None else "",
        is_alike=bool(proof.likeness),
        is_expected=str(app.get("expect", "")) in said,
        is_taken_over="build-before-start" in verified.codemods
        or (_compiles(proof.before) and not _compiles(proof.after)),
        why="; ".join(proof.problems),
        **numbers,
    )


def _compiles(version: Version | None) -> bool:
    """Whether a container compiles when it starts, by its command."""
    if version is None or version.described is None:
        return False
    words = (*version.described.configuration.entrypoint, *version.described.configuration.cmd)
    return re.search(COMPILES, " ".join(words)) is not None


COMPILES = r"\bgo run\b|\b(?:nest|ng) (?:start|serve)\b|\b(?:ts-node|tsx|babel-node)\b"
"""Commands that compile, then start the result."""
HEAD = (
    "application",
    "language",
    "MB before",
    "MB after",
    "saved",
    "cold build",
    "rebuild",
    "edit to answer",
    "steps re-run",
    "installs",
    "start",
)


def cells(result: Result) -> tuple[str, ...]:
    """One row of the table; pairs are before → after."""
    first = (result.name, result.language)
    if result.state == "unchanged":
        return (*first, *[""] * 8, "nothing to rewrite")
    if not result.after:
        return (*first, *[""] * 8, f"{result.state}: {result.why[:80]}")
    start = f"alike: {result.started}" if result.is_alike else f"OTHERWISE: {result.why[:80]}"
    if result.is_alike and not result.is_expected:
        start += ", UNEXPECTED TEXT"
    return (
        *first,
        f"{result.before / 1e6:.0f}",
        f"{result.after / 1e6:.0f}",
        f"{100 - 100 * result.after / result.before:.0f} %",
        f"{result.cold_before:.0f} → {result.cold_after:.0f} s",
        *(_rebuilt(result) if result.steps_after else [""] * 4),
        start,
    )


def _rebuilt(result: Result) -> Iterator[str]:
    yield f"{result.rebuild_before:.1f} → {result.rebuild_after:.1f} s"
    mark = " *" if result.is_taken_over else ""
    is_known = result.answer_before and result.answer_after
    yield f"{result.answer_before:.1f} → {result.answer_after:.1f} s{mark}" if is_known else ""
    yield f"{result.ran_before}/{result.steps_before} → {result.ran_after}/{result.steps_after}"
    yield f"{result.installs_before} → {result.installs_after}"


def table(results: Sequence[Result], is_markdown: bool) -> Iterator[str]:
    """The whole table, line by line."""
    rows = [HEAD, *(cells(result) for result in results)]
    if is_markdown:
        yield f"| {' | '.join(HEAD)} |"
        yield f"|{' --- |' * 2}{' ---: |' * 8} --- |"
        yield from (f"| {' | '.join(row)} |" for row in rows[1:])
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def summary(results: Sequence[Result]) -> Iterator[str]:
    """Median and total reduction, rebuilds, and the share that works."""
    judged = [result for result in results if result.state != "does not build"]
    built = [result for result in judged if result.after and result.before]
    works = sum(result.works for result in judged)
    yield f"{works} of {len(judged)} applications work as before after the rewrite."
    if built:
        before, after = sum(result.before for result in built), sum(result.after for result in built)
        saved = median(1 - result.after / result.before for result in built)
        yield (
            f"Image size: median {saved:.0%} smaller; {before / 1e6:.0f} MB → {after / 1e6:.0f} MB in total "
            f"({1 - after / before:.0%} smaller)."
        )
    edited = [result for result in built if result.steps_after]
    if edited:
        yield _times(edited, "Rebuild after a source edit", "rebuild")
        for language in sorted({result.language for result in edited}):
            those = [result for result in edited if result.language == language]
            yield f"  {language}: median {_share([result.gain for result in those])} ({len(those)} applications)."
        answered = [result for result in edited if result.answer_before and result.answer_after]
        if answered:
            yield _times(answered, "From the edit until it answers", "answer")
        if any(result.is_taken_over for result in edited):
            yield "* The container compiled whenever it started, now the build does: judged by the edit to the answer."
        again = sum(result.installs_after > 0 for result in edited)
        once = sum(result.installs_before > 0 for result in edited)
        yield f"A source edit installs dependencies again in {once} applications before, in {again} after."
    for what, those in (
        ("does not work", [result for result in judged if not result.works]),
        ("has a larger image", [result for result in built if result.is_larger]),
        ("is slower after an edit", [result for result in edited if result.is_slower]),
        ("does not build here as it is", [result for result in results if result.state == "does not build"]),
    ):
        if those:
            yield f"{what.capitalize()}: {', '.join(result.name for result in those)}."


def _times(results: Sequence[Result], what: str, name: str) -> str:
    was, now = ([getattr(result, f"{name}_{when}") for result in results] for when in ("before", "after"))
    runs = max(result.runs for result in results)
    gain = _share([1 - after / before for before, after in zip(was, now) if before])
    of = f" (median of {runs})" if runs > 1 else ""
    return f"{what}{of}: median {gain}; {sum(was):.0f} s → {sum(now):.0f} s in total."


def _share(gains: Sequence[float]) -> str:
    gain = median(gains)
    return f"{gain:.0%} faster" if gain >= 0 else f"{-gain:.0%} slower"


def read_kept(path: Path | None) -> dict[str, Result]:
    """The results of an earlier run, by name; a name that is there twice was measured again."""
    if path is None or not path.exists():
        return {}
    kept = (json.loads(line) for line in path.read_text().splitlines() if line.strip())
    return {entry["name"]: Result(**{**entry, "codemods": tuple(entry["codemods"])}) for entry in kept}


def run(
    names: Iterable[str], keep: Path | None, engine: Engine, runs: int, preset: str | None, is_verbose: bool
) -> Iterator[Result]:
    known, apps = read_kept(keep), applications()
    for name in names:
        result = known.get(name)
        if result is None or (result.runs, result.preset) != (runs, preset):
            result = measure(name, apps[name], engine, runs, preset, is_verbose)
            if keep is not None:
                with open(keep, "a") as file:
                    file.write(json.dumps(asdict(result)) + "\n")
        if is_verbose:
            print("  ".join(cells(result)), file=sys.stderr, flush=True)
        yield result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench_images", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="only this application, or those of this language; again for more",
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="edit and rebuild N times; medians count")
    parser.add_argument("--preset", choices=PRESETS, help="which codemods are applied")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep results there, and take known ones from there")
    parser.add_argument("--engine", choices=("docker", "podman", "buildah"))
    arguments = parser.parse_args()
    apps = applications()
    languages = {app["language"] for app in apps.values()}
    wanted = set(arguments.only or apps)
    if arguments.runs < 1:
        parser.error("--runs: at least 1")
    unknown = sorted(wanted - set(apps) - languages)
    if unknown:
        parser.error(f"no such application or language: {', '.join(unknown)}")
    try:
        engine = find_engine(arguments.engine)
    except EngineProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    names = [name for name in apps if wanted & {name, apps[name]["language"]}]
    names.sort(key=lambda name: (apps[name]["language"], name))
    results = list(run(names, arguments.keep, engine, arguments.runs, arguments.preset, sys.stderr.isatty()))
    print("\n".join(table(results, arguments.markdown)))
    print()
    print("\n".join(summary(results)))
    judged = [result for result in results if result.state != "does not build"]
    return 0 if all(result.works and not result.is_larger and not result.is_slower for result in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
