"""What pipefail and bash would change in a script, against what the shells themselves do."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from refactor.shell import read
from refactor.shell.pipes import earnest, why_not_pipefail, why_other_in_bash

FAILS_BY_ITSELF = [
    "cat /etc/passwd | grep nobody-of-that-name | wc -l",
    "yes | head -n 1",
    "cat /dev/zero | head -c 10",
    "cat /etc/passwd /dev/zero | sed 1q",
    "find /no/such/folder | sort",
    "seq 1 3 | sort | grep 9 | cat",
    "A=$(cat /etc/passwd | grep nobody-of-that-name | cut -d: -f1) && echo $A",
]
GOES_WELL = [
    "cat /etc/passwd | cut -d: -f1 | sort > /dev/null",
    "echo a | tee /dev/null && cat /etc/passwd | tr a b > /dev/null",
    "if true; then cat /etc/passwd | wc -l; fi",
    "echo abc | grep -q b",
]


def status(script: str, *words: str) -> int:
    return subprocess.run([*words, script], capture_output=True, timeout=20).returncode


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("script", FAILS_BY_ITSELF)
def test_what_fails_under_pipefail_although_all_is_well_is_named(script: str) -> None:
    assert status(script, "bash", "-c") == 0
    assert status(script, "bash", "-o", "pipefail", "-c") != 0
    assert why_not_pipefail(read(script)) is not None


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("script", GOES_WELL)
def test_what_goes_well_under_pipefail_is_not_refused(script: str) -> None:
    assert status(script, "bash", "-o", "pipefail", "-c") == 0
    assert why_not_pipefail(read(script)) is None


@pytest.mark.parametrize(
    "script",
    [
        "curl x | tar x || true",
        "if curl x | tar x; then echo; fi",
        "! curl x | sh",
        "curl x | while read y; do echo $y; done",
        "{ curl x; } | sh",
        "curl x | tool",
        "tool | sh",
        "echo $(curl x | $(echo sh))",
    ],
)
def test_what_is_not_known_is_refused(script: str) -> None:
    assert why_not_pipefail(read(script)) is not None


def test_only_what_brings_something_is_worth_a_shell() -> None:
    assert earnest(read("echo a | sort | tee b")) is None
    found = earnest(read("echo a && sudo wget -qO- x | sudo tar x"))
    assert found is not None
    assert found.name == "wget"


@pytest.mark.skipif(shutil.which("dash") is None or shutil.which("bash") is None, reason="needs dash and bash")
@pytest.mark.parametrize(
    "script",
    [
        'echo "a\\nb"',
        "echo -e a",
        "printf '\\x41'",
        "echo a{b,c}",
        "[ a == a ] && echo same; true",
        "echo ${BASH_VERSION:-none}",
        "(echo a &> /dev/null) && true",
        "echo $'a'",
        "[[ a = a ]] && echo same; true",
        "A=abc && echo ${A:1}; true",
    ],
)
def test_what_bash_and_dash_do_in_two_ways_is_named(script: str) -> None:
    outputs = {subprocess.run([shell, "-c", script], capture_output=True).stdout for shell in ("bash", "dash")}
    assert len(outputs) == 2
    assert why_other_in_bash(read(script)) is not None


@pytest.mark.parametrize("script", ["set -eux; apt-get update; rm -rf /tmp/*", 'A="$(uname -m)" && echo "$A" > /arch'])
def test_what_both_do_alike_is_not_refused(script: str) -> None:
    assert why_other_in_bash(read(script)) is None
