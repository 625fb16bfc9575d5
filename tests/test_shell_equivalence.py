"""What chain-runs joins is executed, before and after, with every command made to fail in turn.

Each RUN is a shell of its own that starts in the working directory with the image's environment; the build ends at the
first that fails. After the join the same commands must run, in the same folder, with the same variables, and the build
must end the same way. What must not be joined is listed with the construct that forbids it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from codemods.layers.chain_runs import ChainRuns
from codemods.layers.clean_package_cache import CleanPackageCache
from codemods.layers.join_installs import JoinInstalls
from codemods.layers.pair_apt_update import PairAptUpdate
from refactor import Codemod, Settings, fix, package_call, parse, read

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
COMMANDS = (
    "apt-get apt apk dnf curl wget tar make gcc rm mkdir"
    " touch git pip npm cp ln chmod useradd groupadd sh-tool ls true-ish"
).split()

STUB = """#!/bin/sh
what="$(basename "$0") $*"
echo "$what | in=$(pwd) A=${A-unset} B=${B-unset}" >> "$STATE/log"
[ "$what" = "$FAIL" ] && exit 7
[ "$(basename "$0")" = mkdir ] && /bin/mkdir "$@"
exit 0
"""

JOINED = [
    ["apt-get update", "apt-get install -y curl"],
    ["apt-get update && apt-get upgrade -y", "apt-get install -y curl git"],
    ["apk add --no-cache gcc", "apk add --no-cache make"],
    ["touch one", "touch two", "touch three"],
    ["touch 'a b' \"c d\"", "rm 'a b'"],
    ["curl -o x.tar https://e.org/x.tar", "tar xf x.tar", "rm x.tar"],
    ["curl -o x.tar https://e.org/x.tar", "tar xf x.tar && cd sub && make", "rm -rf sub x.tar"],
    ["cd sub && make", "make install"],
    ["cd sub && cd .. && make", "cd sub && touch y", "ls"],
    ["export A=1 && make", "make install"],
    ["touch x", "cd sub && make"],
    ["touch x", "export A=5 && make"],
    ["touch x", "A=5 && make $A"],
    ["A=1 make", "make install"],
    ["A=1 B=2 make all", "B=3 make install"],
    ["make | touch log", "rm log"],
    ["make > out.txt", "rm out.txt"],
    ["make 2>&1 | touch log", "ls"],
    ["if ls; then touch yes; fi", "touch after"],
    ["(for i in 1 2 3; do touch $i; done)", "rm 1 2 3"],
    ["{ touch a && touch b; }", "touch c"],
    ["(cd sub && make)", "make install"],
    ["(A=1; export A; make)", "make $A"],
    ["case x in x) touch x;; esac", "touch y"],
    ["! ls", "touch y"],
    ["test -d sub && touch a", "touch b"],
    ["[ -d sub ] && touch a", "touch b"],
    ['echo "$A" && touch x', "touch y"],
    ["touch $(echo name)", "rm $(echo name)"],
    ["touch `echo name`", "rm name"],
    ["echo 'a && b; c' && touch x", "touch y"],
    ['echo "# no comment" && touch x', "touch y"],
    ["touch x#y", "rm x#y"],
    ["apt-get update", "apt-get install -y \\\n    curl \\\n    git"],
    ["apt-get install -y curl \\\n  && rm -rf lists", "touch done"],
    ["apt-get update && \\\n  apt-get upgrade -y", "apt-get install -y curl"],
    ["ls", "apt-get update && \\\n\tapt-get install -y curl && \\\n\trm lists"],
    ["useradd app", "mkdir data && touch data/x"],
    ["while ls && false; do touch z; done", "touch y"],
    ["until ls || true; do touch z; done", "touch y"],
    ["true && touch x", "touch y && false"],
    ["mkdir -p deep/er", "cd deep/er && touch here", "rm -rf deep"],
    ["A=${B:-x} make", "make install"],
    ["printf '%s\\n' x && touch x", "touch y"],
    ["time touch x", "touch y"],
    ["env A=2 make", "make install"],
]

REFUSED = [
    (["ls || touch x", "touch y"], "`||` would regroup"),
    (["touch x", "ls || touch y"], "`||` would regroup"),
    (["touch x; touch z", "touch y"], "`;`"),
    (["touch x", "touch y; touch z"], "`;`"),
    (["touch x;", "touch y"], "`;`"),
    (["touch x &", "touch y"], "`&`"),
    (["touch x & touch z", "touch y"], "`&`"),
    (["set -e && touch x", "touch y"], "`set`"),
    (["A=1", "touch y"], "`A=`"),
    (["A=1 && touch $A", "touch y"], "`A=`"),
    (["exit 0", "touch y"], "`exit`"),
    (["exec touch x", "touch y"], "`exec`"),
    (["touch x # note", "touch y"], "comment"),
    (["touch x", "touch y # note"], "comment"),
    (["trap 'touch z' EXIT", "touch y"], "`trap`"),
    (["umask 077 && touch x", "touch y"], "`umask`"),
    ([". ./env.sh && touch x", "touch y"], "`.`"),
    (["alias x=y && touch x", "touch y"], "`alias`"),
    (["unset A && touch x", "touch y"], "`unset`"),
    (["eval touch x", "touch y"], "`eval`"),
    (["f() { touch x; } && f", "touch y"], "function"),
    (["touch ${A:=1}", "touch y"], "variable"),
    (["for i in 1 2; do touch $i; done", "touch $i"], "`for`"),
    (["read A < file && touch $A", "touch y"], "`read`"),
]


def joined(bodies: list[str]) -> tuple[list[str], list[str]]:
    """The RUN bodies after chain-runs with ``chain = "all"``, as BuildKit hands them to the shell; and the refusals."""
    source = "FROM debian:bookworm\n" + "".join(f"RUN {body}\n" for body in bodies)
    change = fix(source.encode(), codemods=[ChainRuns], settings=Settings(None, {"chain-runs": {"chain": "all"}}))
    assert change.failure is None
    runs = [node.argument for node in parse(change.after).instructions if node.keyword == "RUN"]
    return runs, [refusal.because for refusal in change.refused]


def logical(bodies: list[str]) -> list[str]:
    source = "FROM debian:bookworm\n" + "".join(f"RUN {body}\n" for body in bodies)
    return [node.argument for node in parse(source.encode()).instructions if node.keyword == "RUN"]


def execute(shell: str, bodies: list[str], folder: Path, failing: str = "") -> tuple[list[str], int]:
    """What ran, with folder and variables, and the exit status of the build; ``failing`` is the command that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "work" / "sub").mkdir(parents=True)
    (folder / "work" / "file").write_text("value\n")
    (folder / "work" / "env.sh").write_text("A=sourced\n")
    stub = folder / "bin" / ".stub"
    stub.write_text(STUB)
    stub.chmod(0o755)
    for name in COMMANDS:
        (folder / "bin" / name).symlink_to(stub)
    environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "STATE": str(folder / "state"), "FAIL": failing}
    status = 0
    for body in bodies:
        done = subprocess.run(
            [shell, "-c", body], cwd=folder / "work", env=environment, capture_output=True, timeout=20, check=False
        )
        status = done.returncode
        if status != 0:
            break
    log = folder / "state" / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    # The ends of a pipeline run at once, so their order in the log says nothing.
    return sorted(lines) if any("|" in body.replace("||", "") for body in bodies) else lines, status


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("bodies", JOINED, ids=lambda bodies: " + ".join(bodies)[:60])
def test_joined_runs_do_the_same(bodies: list[str], shell: str, tmp_path: Path) -> None:
    after, refusals = joined(bodies)
    assert len(after) == 1, f"not joined: {refusals}"
    before = logical(bodies)
    folder = tmp_path / "box"
    whole, status = execute(shell, before, folder)
    assert whole, "nothing ran: the pair shows nothing"
    assert execute(shell, after, folder) == (whole, status)
    for command in dict.fromkeys(line.partition(" | ")[0] for line in whole):
        assert execute(shell, after, folder, command) == execute(shell, before, folder, command), command


@pytest.mark.parametrize(
    ("bodies", "reason"), REFUSED, ids=lambda value: " + ".join(value)[:60] if isinstance(value, list) else ""
)
def test_what_changes_meaning_is_not_joined(bodies: list[str], reason: str) -> None:
    after, _ = joined(bodies)
    assert after == logical(bodies)
    reasons = [read(body).why_not_chainable() or "" for body in logical(bodies)]
    assert any(reason in text for text in reasons), reasons


ADDED_TO = [
    "apt-get update && apt-get install -y curl",
    "apt-get update; apt-get install -y curl",
    "apt-get update && apt-get install -y curl;",
    "set -eux; apt-get update; apt-get install -y curl",
    "set -eux; \\\n  apt-get update; \\\n  apt-get install -y curl;",
    "set -x; apt-get update; apt-get install -y curl;",
    "set -e; apt-get update; apt-get install -y curl || true",
    "set -e && apt-get update && apt-get install -y curl; ls",
    "apt-get update && apt-get install -y curl # as a client",
    "apt-get update && \\\n  apt-get install -y curl # as a client",
    "if ls; then apt-get update; apt-get install -y curl; fi",
    "cd sub && apt-get update && apt-get install -y curl && make",
]


def changed(cls: type[Codemod], source: str) -> list[str]:
    change = fix(source.encode(), codemods=[cls])
    assert change.failure is None
    assert change.is_changed, change.refused
    return [node.argument for node in parse(change.after).instructions if node.keyword == "RUN"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("body", ADDED_TO)
def test_a_cleaning_is_run_where_all_before_it_went_well(body: str, shell: str, tmp_path: Path) -> None:
    (before,) = logical([body])
    (after,) = changed(CleanPackageCache, f"FROM debian:bookworm\nRUN {body}\n")
    folder = tmp_path / "box"
    whole, status = execute(shell, [before], folder)
    added, now = execute(shell, [after], folder)
    assert now == status == 0
    assert next(line.partition(" | ")[0] for line in added if line not in whole).startswith("rm -rf /var/")
    assert [line for line in added if line in whole] == whole
    for command in dict.fromkeys(line.partition(" | ")[0] for line in whole):
        old, status = execute(shell, [before], folder, command)
        new, now = execute(shell, [after], folder, command)
        assert now == status, command
        assert [line for line in new if line in whole] == old
        assert len(new) == len(old) + (1 if status == 0 else 0), command


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "body",
    [
        "apt-get install -y git && ls",
        "set -e; apt-get install -y git; ls",
        "set -e; \\\n  ls; \\\n  apt-get install -y git",
        "touch x && apt-get install -y git",
        "cd sub && A=1 apt-get install -y git && ls",
    ],
)
def test_an_update_is_run_right_before_the_install(body: str, shell: str, tmp_path: Path) -> None:
    first = "apt-get update && apt-get install -y curl"
    (before,) = logical([body])
    _, after = changed(PairAptUpdate, f"FROM debian:bookworm\nRUN {first}\nENV A=1\nRUN {body}\n")
    folder = tmp_path / "box"
    whole, _ = execute(shell, [before], folder)
    lines, status = execute(shell, [after], folder)
    names = [line.partition(" | ")[0] for line in lines]
    at = names.index("apt-get update")
    assert status == 0
    assert lines[:at] + lines[at + 1 :] == whole
    assert names[at + 1] == "apt-get install -y git"
    for command in dict.fromkeys(line.partition(" | ")[0] for line in whole):
        old, status = execute(shell, [before], folder, command)
        new, now = execute(shell, [after], folder, command)
        assert ([line for line in new if not line.startswith("apt-get update ")], now) == (old, status), command
    assert execute(shell, [after], folder, "apt-get update")[1] == 7


LISTS = [
    ["apt-get update && apt-get install -y curl && apt-get install -yq git=1.2 'a b' && rm lists"],
    ["set -e; apt-get update; apt-get install -y a b c; apt-get install -y d e; ls"],
    ["apk add --no-cache a", "apk add --no-cache b", "apk add --no-cache a c d e f"],
    [
        "apt-get update && apt-get install -y a && rm -rf /var/lib/apt/lists/*",
        "apt-get update && apt-get install -y b && apt-get clean && rm -rf /var/lib/apt/lists/*",
    ],
    ["apt-get install -y a \\\n    b && \\\n  apt-get install -y c && \\\n  ls"],
    ["A=1 apt-get install -y a b c > log && A=1 apt-get install -y d e > log && dnf install -y x && dnf install -y y"],
]


def installed(lines: list[str]) -> set[tuple[str, str]]:
    """What was installed, and with what variables."""
    found = set()
    for line in lines:
        what, _, where = line.partition(" | ")
        call = package_call(read(what).commands[0])
        if call is not None and call.action == "install":
            found.update((word.text, where) for word in call.packages)
    return found


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("bodies", LISTS, ids=lambda bodies: " + ".join(bodies)[:60])
def test_one_list_installs_the_same(bodies: list[str], shell: str, tmp_path: Path) -> None:
    before = logical(bodies)
    after = changed(JoinInstalls, "FROM debian:bookworm\n" + "".join(f"RUN {body}\n" for body in bodies))
    assert len(after) == 1
    folder = tmp_path / "box"
    whole, status = execute(shell, before, folder)
    joined, now = execute(shell, after, folder)
    assert now == status == 0
    assert installed(joined) == installed(whole)
    assert len(joined) < len(whole)
    others = [line for line in whole if not installed([line])]
    assert set(others) == {line for line in joined if not installed([line])}
    for command in dict.fromkeys(line.partition(" | ")[0] for line in joined):
        assert execute(shell, after, folder, command)[1] == 7, command


def test_enough_pairs() -> None:
    assert len(JOINED) >= 40
    assert os.path.basename(SHELLS[0]) == "dash"
