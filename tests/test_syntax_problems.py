"""Where BuildKit would refuse a file: its parser, and its checks of single instructions."""

from __future__ import annotations

import pytest

from refactor.syntax import Problem, parse

REFUSED = [
    ("", 1, "no instructions"),
    ("# only\n\n", 2, "no instructions"),
    ("ARG A=1\n", 1, "no stages"),
    ("RUN a\nFROM b\n", 1, "no build stage"),
    ("FROM a\nFOO b\n", 2, "unknown instruction: FOO"),
    ("FROM a\n\n  - b\n", 3, "unknown instruction: -"),
    ("FROM a\nRUN b\nc d\n", 3, "unknown instruction: c"),
    ("FROM\n", 1, "one or three arguments"),
    ("FROM a b\n", 1, "one or three arguments"),
    ("FROM a IS b\n", 1, "one or three arguments"),
    ("FROM a AS 1b\n", 1, "invalid name for build stage"),
    ("FROM a AS b c\n", 1, "one or three arguments"),
    ("FROM --platform a\n", 1, "missing a value on flag: --platform"),
    ("FROM a\nRUN --mont=x b\n", 2, "unknown flag: --mont"),
    ("FROM a\nRUN --mount=type=cash,target=/b c\n", 2, "unsupported mount type"),
    ("FROM a\nRUN --mount=type=cache,taget=/b c\n", 2, "unexpected key 'taget'"),
    ("FROM a\nRUN --mount=cache c\n", 2, "must be a key=value pair"),
    ("FROM a\nRUN --mount=from=$A,target=/b c\n", 2, "variable expansion"),
    ("FROM a\nRUN --network=bridge b\n", 2, "invalid network mode"),
    ("FROM a\nCOPY --from=b --from=c d e\n", 2, "duplicate flag"),
    ("FROM a\nCOPY --link=maybe b c\n", 2, "expecting boolean"),
    ("FROM a\nCOPY --link= b c\n", 2, "missing a value"),
    ("FROM a\nADD --from=b c d\n", 2, "unknown flag: --from"),
    ("FROM a\nUSER --x me\n", 2, "unknown flag: --x"),
    ("FROM a\nCOPY b\n", 2, "at least two arguments"),
    ("FROM a\nCOPY b <<EOF\nEOF\n", 2, "heredoc as a destination"),
    ('FROM a\nADD ["b"]\n', 2, "at least two arguments"),
    ("FROM a\nENV\n", 2, "at least one argument"),
    ("FROM a\nENV b\n", 2, "must have two arguments"),
    ("FROM a\nENV b=c d\n", 2, "can't find = in 'd'"),
    ("FROM a\nENV =b\n", 2, "names can not be blank"),
    ("FROM a\nARG\n", 2, "at least one argument"),
    ("FROM a\nLABEL b=c \\\n d\nRUN e\n", 2, "can't find ="),
    ("FROM a\nWORKDIR\n", 2, "exactly one argument"),
    ("FROM a\nEXPOSE\n", 2, "at least one argument"),
    ('FROM a\nVOLUME [""]\n', 2, "empty string"),
    ('FROM a\nCMD ["b", 1]\n', 2, "strings only"),
    ("FROM a\nSHELL bash -c\n", 2, "JSON form"),
    ("FROM a\nSHELL []\n", 2, "at least one argument"),
    ("FROM a\nHEALTHCHECK\n", 2, "at least one argument"),
    ("FROM a\nHEALTHCHECK CMD\n", 2, "missing command"),
    ("FROM a\nHEALTHCHECK NONE b\n", 2, "takes no arguments"),
    ("FROM a\nHEALTHCHECK curl b\n", 2, "unknown type 'curl'"),
    ("FROM a\nHEALTHCHECK --interval=5 CMD b\n", 2, "invalid duration"),
    ("FROM a\nHEALTHCHECK --retries=x CMD b\n", 2, "not a number"),
    ("FROM a\nHEALTHCHECK --retries=-1 CMD b\n", 2, "negative"),
    ("FROM a\nONBUILD\n", 2, "at least one argument"),
    ("FROM a\nONBUILD ONBUILD RUN b\n", 2, "chaining ONBUILD"),
    ("FROM a\nonbuild from b\n", 2, "FROM isn't allowed"),
    ("FROM a\nONBUILD MAINTAINER b\n", 2, "MAINTAINER isn't allowed"),
    ("FROM a\nONBUILD ENV b\n", 2, "must have two arguments"),
    ("FROM a\nRUN <<EOF\nb\n", 2, "unterminated heredoc: EOF"),
    ("FROM a\nONBUILD RUN <<EOF\nb\n", 2, "unterminated heredoc: EOF"),
    ("# escape=x\nFROM a\n", 1, "invalid escape token"),
    ("# syntax=a\n# syntax=b\nFROM a\n", 2, "only one syntax"),
    ("FROM a\nRUN b \\\n" + "x" * 65_536 + "\n", 3, "max allowed size"),
    ("FROM a\n# " + "é" * 40_000 + "\n", 2, "max allowed size"),
]

ACCEPTED = [
    "FROM a\n",
    "ARG A\nFROM $A AS b-1_2.c\n",
    "FROM --platform=linux/amd64 a as B\n",
    "from a\nrun --mount=type=cache,target=/b,sharing=locked --mount=type=secret,id=c,required d\n",
    "FROM a\nRUN --mount=type=$T,target=/b --network=host c\n",
    'FROM a\nRUN --mount="type=bind,target=/b" c\n',
    "FROM a\nCOPY --link --parents=true --exclude=*.a --exclude=*.b --chmod=755 c d /e\n",
    "FROM a\nADD --checksum=sha256:0 --keep-git-dir=false --unpack https://b /c\n",
    "FROM a\nRUN\nCMD\nENTRYPOINT []\n",
    "FROM a\nHEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=3 CMD b\n",
    "FROM a\nHEALTHCHECK --start-interval=1.5s CMD b\n",
    "FROM a\nHEALTHCHECK --whatever=1 NONE\n",
    "FROM a\nARG --whatever B\n",
    "FROM a\nARG A B=1 C=\n",
    "FROM a\nONBUILD FOO b\n",
    "FROM a\nONBUILD RUN --wrong b\n",
    "FROM a\nRUN " + "x" * 65_000 + "\n",
    "FROM a\nRUN " + "x \\\n" * 20_000 + "\n",
    "FROM a\nRUN b \\\n",
    "\ufeffFROM a\r\n",
]


@pytest.mark.parametrize(("source", "line", "reason"), REFUSED)
def test_refused(source: str, line: int, reason: str) -> None:
    problems = parse(source.encode()).problems
    assert [(problem.line, reason in problem.reason) for problem in problems] == [(line, True)], problems


@pytest.mark.parametrize("source", ACCEPTED)
def test_accepted(source: str) -> None:
    assert parse(source.encode()).problems == ()


def test_all_problems_are_told_in_order() -> None:
    problems = parse(b"# escape=x\nFROM a\nFOO\nCOPY b\n").problems
    assert [problem.line for problem in problems] == [1, 3, 4]


def test_the_longest_line_that_buildkit_takes() -> None:
    """Its scanner holds 65,536 bytes, the ending included; without an ending it must see one byte less."""
    assert parse(b"FROM a\nRUN " + b"x" * 65_531 + b"\n").problems == ()
    assert len(parse(b"FROM a\nRUN " + b"x" * 65_532 + b"\n").problems) == 1
    assert parse(b"FROM a\nRUN " + b"x" * 65_531).problems == ()
    assert len(parse(b"FROM a\nRUN " + b"x" * 65_532).problems) == 1


def test_problems_compare_by_value() -> None:
    assert parse(b"FOO").problems == (Problem(1, "unknown instruction: FOO"),)
