"""What dockerfix makes of a folder of applications: ``python -m tests.apps_table DIR [--summary]``.

One row a Dockerfile of a Node, Python or Go application: what was applied, or why the split was refused. The last lines
say how many of the single-stage ones with a build step or build-only packages are split, and which final stages got
neither a finding nor a refusal, whatever their language. Exit status 1 where anything crashed, a refusal does not say
what is missing, or nothing was said.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from refactor import StageReading, parse, recognise
from refactor.context import BuildContext
from refactor.engine.discovery import is_dockerfile_name
from refactor.engine.record import Record
from refactor.engine.run import Options, Worker

# Judged by the text of the RUNs alone, apart from what the codemods think.
BUILDS = re.compile(
    r"\b(?:npm|yarn|pnpm|bun)\s+(?:run\s+)?(?:\S+\s+)?build\b|\bnext build\b|\btsc\b|\bgo\s+(?:build|install|get)\b"
    r"|\b(?:mvn|mvnw|gradle|gradlew|sbt|ant|cargo|rustc)\b|\bdotnet\s+(?:build|publish)\b|\bmix\s+(?:compile|release|deps\.compile)\b"
    r"|\b(?:gcc|g\+\+|make|cmake|build-essential|build-base|musl-dev|libc-dev|linux-headers|python3?-dev)(?![-\w.])"
    r"|\b(?!no-dev)[a-z0-9+.]+-dev\b|\bcomposer\s+(?:install|require|update|create-project)\b|\b(?:poetry|pipenv|pdm)\b|\buv\s+(?:sync|pip)\b|\bgo\s+run\b"
)
FAILS = "the build fails as it is"
"""Of an application that no builder builds."""
VAGUE = re.compile(r"\bunknown\b(?! (?:instruction|flag))")


class Row(NamedTuple):
    app: str
    dockerfile: str
    languages: str
    stages: int
    builds: bool
    record: Record
    shipped: int
    """Line of the FROM of the final stage."""

    @property
    def is_split(self) -> bool:
        return any(finding.codemod == "split-build-stage" for finding in self.record.applied)

    @property
    def refusal(self) -> str:
        refused = self.record.refused
        return next((r.because for r in refused if "split-build-stage" in (r.codemod, *r.others)), "")

    @property
    def is_silent(self) -> bool:
        """Nothing is said of the final stage."""
        said = (*self.record.applied, *self.record.suggested, *self.record.refused)
        return all(place.line < self.shipped for place in said)


def rows(folder: Path) -> Iterator[Row]:
    for app in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(app.rglob("*")):
            if path.is_file() and is_dockerfile_name(path.name):
                row = read(app, path)
                if row is not None:
                    yield row


def read(app: Path, path: Path) -> Row | None:
    source = path.read_bytes()
    tree = parse(source)
    if not tree.stages:
        return None
    context = BuildContext.open(str(app), str(path))
    names = [language.name for stage in tree.stages for language in recognise(StageReading(tree, stage, context))]
    worker = Worker(Options(is_isolated=True, context=str(app if path.parent == app else path.parent)))
    record = worker.work(str(path))
    text = " ".join(node.argument for node in tree.instructions if node.keyword in {"RUN", "CMD", "ENTRYPOINT"})
    relative = str(path.relative_to(app))
    shipped = tree.line_of(tree.stages[-1].from_)
    return Row(
        app.name, relative, "+".join(dict.fromkeys(names)), len(tree.stages), bool(BUILDS.search(text)), record, shipped
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--summary", action="store_true", help="only the counts and what is wrong")
    arguments = options.parse_args()
    found = list(rows(arguments.folder))
    ours = [row for row in found if row.languages]
    if not arguments.summary:
        print("| application | Dockerfile | language | stages | builds | split | applied, or why it is not split |")
        print("|---|---|---|---|---|---|---|")
        for row in ours:
            done = ", ".join(dict.fromkeys(finding.codemod for finding in row.record.applied))
            told = done if row.is_split or not row.refusal else f"{row.refusal} (applied: {done or 'nothing'})"
            print(
                f"| {row.app} | {row.dockerfile} | {row.languages} | {row.stages} | {'yes' if row.builds else ''} "
                f"| {'yes' if row.is_split else ''} | {told} |"
            )
    wrong = []
    for row in found:
        wrong += [f"{row.app}/{row.dockerfile}: {e.what}" for e in row.record.errors if "bug of dockerfix" in e.advice]
        wrong += [f"{row.app}/{row.dockerfile}: {r.because}" for r in row.record.refused if VAGUE.search(r.because)]
    single = [row for row in ours if row.stages == 1 and row.builds and FAILS not in row.refusal]
    split = sum(row.is_split for row in single)
    changed = sum(row.record.is_changed for row in found)
    print(f"\n{len(found)} Dockerfiles, {len(ours)} of a language that dockerfix knows; {changed} change")
    print(f"single-stage with a build step or build-only packages: {len(single)}, split: {split}")
    for languages, count in Counter(row.languages for row in single).most_common():
        of_them = sum(row.is_split for row in single if row.languages == languages)
        print(f"    {languages}: {of_them} of {count}")
    silent = [row for row in found if row.is_silent]
    print(f"final stages of which nothing is said: {len(silent)}")
    wrong += [f"{row.app}/{row.dockerfile}: nothing is said of its final stage" for row in silent]
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
