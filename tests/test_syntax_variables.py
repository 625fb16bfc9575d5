"""Variables: what is in scope where, and the expansion of words."""

from __future__ import annotations

import pytest

from refactor.syntax import Dockerfile, Instruction, parse
from refactor.syntax.environment import DEFAULT_PATH, PLATFORM_ARGS
from refactor.syntax.expansion import ExpansionError, UnknownValue, expand_word, expand_words

VARIABLES = {"A": "one", "PATHS": "/a/b/c.tar.gz", "EMPTY": "", "SPACED": "x  y", "STAR": "a*c"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$A-${A}", "one-one"),
        ("$NO${NO}", ""),
        ("\\$A '$A' \"$A\"", "$A $A one"),
        ("${A:-x}${NO:-x}${EMPTY:-y}", "onexy"),
        ("${A-x}${NO-x}${EMPTY-y}", "onex"),
        ("${A:+x}${NO:+x}${EMPTY:+y}", "x"),
        ("${A+x}${NO+x}${EMPTY+y}", "xy"),
        ("${NO:-${NO2:-$A}}", "one"),
        ("${PATHS#*/}", "a/b/c.tar.gz"),
        ("${PATHS##*/}", "c.tar.gz"),
        ("${PATHS%.*}", "/a/b/c.tar"),
        ("${PATHS%%.*}", "/a/b/c"),
        ("${PATHS%/*}", "/a/b"),
        ("${PATHS#?a}", "/b/c.tar.gz"),
        ("${PATHS#x}", "/a/b/c.tar.gz"),
        ("${PATHS#/a.b}", "/a/b/c.tar.gz"),
        ("${PATHS/\\//-}", "-a/b/c.tar.gz"),
        ("${PATHS//\\//-}", "-a-b-c.tar.gz"),
        ("${PATHS//[ab]/x}", "/a/b/c.tar.gz"),
        ("${PATHS/a*z/x}", "/x"),
        ("${STAR/\\*/-}", "a-c"),
        ("${A//*/x}", "x"),
        ("${A/n/$A}", "oonee"),
        ("$1$@$$", ""),
        ("$", "$"),
        ("a$.b", "a$.b"),
        ("a < b << c", "a < b << c"),
    ],
)
def test_expansion(word: str, expected: str) -> None:
    assert expand_word(word, VARIABLES.get) == expected


def test_expansion_in_a_backtick_file() -> None:
    assert expand_word("c:\\$A `$A", VARIABLES.get, "`") == "c:\\one $A"


@pytest.mark.parametrize(
    "word",
    [
        "'a",
        '"a',
        "${A",
        "${}",
        "${A:}",
        "${A=x}",
        "${A:=x}",
        "${NO?}",
        "${NO:?gone}",
        "${EMPTY:?}",
        "${A:#x}",
        "${A/x}",
        "${A#\\x}",
        "${A:-" * 5000,
    ],
)
def test_expansion_that_buildkit_refuses(word: str) -> None:
    with pytest.raises(ExpansionError):
        expand_word(word, VARIABLES.get)


def test_words_are_cut_behind_the_expansion() -> None:
    assert expand_words("a$SPACED 'b  c' \"$SPACED\" ''", VARIABLES.get) == ["ax", "y", "b  c", "x  y"]


def test_pattern_that_would_take_for_ever_is_unknown() -> None:
    with pytest.raises(UnknownValue):
        expand_word("${LONG#" + "*a" * 20 + "b}", {"LONG": "a" * 5000}.get)


FILE = b"""\
ARG VERSION=20
ARG TAG=${VERSION}-slim
ARG REGISTRY
FROM --platform=$BUILDPLATFORM node:$TAG AS base
ARG VERSION
ARG LOCAL=$VERSION/x NEXT=$LOCAL
ENV A=1 B=$A
ENV C="$A $B" A=2
RUN inside
FROM base AS child
ENV A=${A}3 D=$HOME
RUN inherited
FROM scratch
ENV E=$PATH F=${UNSET}x
RUN from_scratch
FROM ${REGISTRY}/image
ENV G=$A
RUN unknown_base
"""


def find(file: Dockerfile, argument: str) -> Instruction:
    return next(node for node in file.instructions if node.argument == argument)


def own(file: Dockerfile, node: Instruction) -> dict[str, str | None]:
    return {name: value for name, value in file.environment(node).items() if name not in PLATFORM_ARGS}


def test_global_arguments_are_for_from_only() -> None:
    file = parse(FILE)
    from_ = file.stages[0].from_
    assert own(file, from_) == {"VERSION": "20", "TAG": "20-slim", "REGISTRY": None}
    assert own(file, file.instructions[1]) == {"VERSION": "20"}
    assert file.expand("node:$TAG", from_) == "node:20-slim"
    assert file.expand("$BUILDPLATFORM", from_) is None
    assert file.expand("$UNDECLARED", from_) == ""
    assert file.expand("$TAG", find(file, "inside")) is None


def test_environment_of_a_stage() -> None:
    file = parse(FILE)
    assert own(file, file.instructions[4]) == {}
    # All values of one ENV see the variables from before it.
    assert own(file, find(file, "inside")) == {
        "VERSION": "20", "LOCAL": "20/x", "NEXT": "20/x", "A": "2", "B": None, "C": None,
    }  # fmt: skip
    assert file.expand("$A/$LOCAL", find(file, "inside")) == "2/20/x"


def test_a_stage_inherits_from_the_stage_it_is_built_from() -> None:
    file = parse(FILE)
    values = own(file, find(file, "inherited"))
    assert values["A"] == "23"
    assert values["LOCAL"] == "20/x"
    assert values["D"] is None


def test_nothing_comes_from_outside_into_scratch() -> None:
    file = parse(FILE)
    node = find(file, "from_scratch")
    assert own(file, node) == {"PATH": DEFAULT_PATH, "E": DEFAULT_PATH, "F": "x"}
    assert file.expand("[$ANY]", node) == "[]"


def test_base_image_may_set_anything() -> None:
    file = parse(FILE)
    node = find(file, "unknown_base")
    assert own(file, node) == {"G": None}
    assert file.expand("$ANY", node) is None
    assert file.expand("${ANY:-x}", node) is None
    assert file.expand("plain", node) == "plain"
    assert file.expand("'quoted' \\$ANY", node) == "quoted $ANY"
    assert file.expand("'open", node) is None


def test_argument_without_default_is_known_by_name_only() -> None:
    file = parse(b"FROM scratch\nARG A\nENV B=1\nARG B\nRUN x\n")
    assert own(file, find(file, "x")) == {"PATH": DEFAULT_PATH, "A": None, "B": "1"}


def test_stages_of_one_name() -> None:
    file = parse(b"FROM scratch AS a\nENV V=1\nFROM a AS a\nENV V=${V}2\nFROM A\nRUN x\n")
    assert file.expand("$V", find(file, "x")) == "12"


def test_variable_of_unknown_name_makes_all_unknown() -> None:
    file = parse(b"FROM scratch\nARG N\nENV A=1\nENV $N=2\nRUN x\nENV A=3\nRUN y\n")
    assert file.expand("$A", find(file, "x")) is None
    assert file.expand("$A", find(file, "y")) == "3"
    assert file.expand("$OTHER", find(file, "y")) is None


def test_many_variables_stay_linear() -> None:
    """20,000 ENV lines; a copy of the environment for each would not fit into memory."""
    lines = b"".join(b"ENV V%d=$V%d-\n" % (number + 1, number) for number in range(20_000))
    file = parse(b"FROM scratch\nENV V0=x\n" + lines.replace(b"-", b"") + b"RUN x\n")
    assert file.expand("$V20000", file.instructions[-1]) == "x"
