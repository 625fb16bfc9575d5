"""Instruction lists equal to those of BuildKit's own parser (PyPI ``dockerfile``) and to recorded results."""

from __future__ import annotations

import re
from pathlib import Path

import dockerfile as oracle
import pytest
from hypothesis import given, settings, strategies as st

from refactor.syntax import Dockerfile, Instruction, parse
from refactor.syntax.expansion import ExpansionError, expand_word, expand_words
from refactor.syntax.problems import KEYWORDS

from .oracle.cases import AGREED, DISAGREED, REFUSED

Line = tuple[object, ...]

# Files of ../shared/real that are read in another way than the oracle does, with the reason.
KNOWN = {
    "inline_dockerfile.Dockerfile": "no Dockerfile; unknown instructions have no argument in the oracle",
    "Dockerfile_19c.Dockerfile": "a line of it is an unknown instruction; the oracle drops its argument",
}


def values(node: Instruction) -> tuple[str, ...]:
    if node.keyword in {"ENV", "LABEL"}:
        return tuple(part for pair in node.pairs for part in pair)
    return node.words


def ours(file: Dockerfile) -> list[Line]:
    lines: list[Line] = []
    for node in file.instructions:
        inner = node.onbuild or node
        # The oracle keeps the heredocs of an ONBUILD to itself; its line range shows that it read them.
        heredocs = () if node.onbuild else tuple((heredoc.name, heredoc.body) for heredoc in node.heredocs)
        flags = tuple((flag.name, flag.value) for flag in node.flags)
        keywords = (node.keyword, node.onbuild.keyword if node.onbuild else "")
        where = (file.line_of(node), file.end_line_of(node))
        lines.append((*keywords, *where, flags, inner.json is not None, values(inner), heredocs))
    return lines


def theirs(source: str) -> list[Line]:
    lines: list[Line] = []
    for command in oracle.parse_string(source):
        flags = []
        for flag in command.flags:
            name, equals, value = flag.removeprefix("--").partition("=")
            flags.append((name, value if equals else None))
        heredocs = tuple((heredoc.name, heredoc.content) for heredoc in command.heredocs)
        # An instruction without argument has one empty word in the oracle's list.
        value = () if command.value == ("",) and not command.json else command.value
        lines.append((
            (command.cmd or "").upper(), (command.sub_cmd or "").upper(),
            command.start_line, command.end_line, tuple(flags), command.json, value,
            () if command.sub_cmd else heredocs,
        ))  # fmt: skip
    return lines


@pytest.mark.parametrize("name", AGREED)
def test_own_case_is_read_as_buildkit_reads_it(name: str) -> None:
    assert ours(parse(AGREED[name].encode())) == theirs(AGREED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_own_case_is_refused_as_buildkit_refuses_it(name: str) -> None:
    with pytest.raises(oracle.GoParseError):
        oracle.parse_string(REFUSED[name])
    assert parse(REFUSED[name].encode()).problems


@pytest.mark.parametrize("name", DISAGREED)
def test_known_disagreement_still_is_one(name: str) -> None:
    source, reason = DISAGREED[name]
    assert ours(parse(source.encode())) != theirs(source), f"no longer true: {reason}"


def test_newer_buildkit_rules() -> None:
    """What the disagreements are read as: the rules of the current BuildKit."""
    spaced = parse(DISAGREED["heredoc name behind a blank"][0].encode())
    assert [node.keyword for node in spaced.instructions] == ["FROM", "RUN", "RUN"]
    assert [(doc.name, doc.body) for doc in spaced.instructions[1].heredocs] == [("EOF", "a\n")]
    assert parse(DISAGREED["text behind exec form"][0].encode()).instructions[1].json is None
    checked = parse(DISAGREED["check directive before escape"][0].encode())
    assert dict(checked.directives) == {"check": "skip=all", "escape": "`"}
    assert checked.escape == "`"
    flagged = parse(DISAGREED["flag with an escape in a backtick file"][0].encode())
    assert flagged.instructions[1].flag("mount") == "type=bind,target=c:\\x"


def test_blank_before_a_heredoc_name_is_reported_and_swallows_nothing() -> None:
    """Older builders leave it to the shell; the BuildKit of Docker 28 says "unterminated heredoc"."""
    source = "FROM alpine\nRUN echo $((1 << 2))\nRUN d\n"
    assert ours(parse(source.encode())) == theirs(source)
    (problem,) = parse(source.encode()).problems
    assert problem.line == 2
    assert "heredoc" in problem.reason


PIECES = [
    "FROM ", "RUN ", "run ", "COPY ", "ENV ", "LABEL ", "ARG ", "CMD ", "EXPOSE ", "USER ",
    "HEALTHCHECK CMD ", "ONBUILD RUN ", "ONBUILD ENV ", "#", "# c\n", " ", "\t", "\n", "\r\n", "\\\n",
    "\\ \n", "\\\r\n", "\\\n\n", "\\\n# c\n", "\\", "\\\\", "'", '"', "$", "${", "}", "a", "a=b", "=",
    "--x ", "--from=x ", "-- ", "<<EOF", "<<-EOF", "<<'EOF'", '<<"E F"', "<<\\EOF", "EOF\n", "\tEOF\n",
    "E F\n", "<", "[", '["a"]\n', '["a", "b"]\n', "]", ",", "\x0b", "\x0c", "\r", "\x1c", "\u2003",
    "\u00e9", "&&",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_text_is_read_as_buildkit_reads_it(text: str) -> None:
    source = "FROM alpine\n" + text
    try:
        expected = theirs(source)
    except (oracle.GoParseError, ValueError):
        # The Go side refuses the file, or a NUL; what it refuses must have a problem here.
        assert parse(source.encode()).problems
        return
    found = ours(parse(source.encode()))
    assert comparable(found, source) == comparable(expected, source)


def comparable(lines: list[Line], source: str) -> list[Line]:
    """Without what the known disagreements are about."""
    kept: list[Line] = []
    exec_forms_count = re.search(r"\][^\n]", source.replace("\r", "").replace("\\\n", "x")) is None
    flags_count = "--" not in source or source.isascii()
    for keyword, inner, start, end, flags, json, value, heredocs in lines:
        known = keyword in KEYWORDS and (not inner or (inner in KEYWORDS and inner != "ONBUILD"))
        shown = known and exec_forms_count
        kept.append((
            keyword, inner, start, end, flags if flags_count else (), json if exec_forms_count else None,
            value if shown and flags_count else (), heredocs,
        ))  # fmt: skip
    return kept


# Real data


def real_dockerfiles(real_data: Path) -> list[Path]:
    wild = [path for path in (real_data / "wild").rglob("*") if path.is_file()]
    apps = [path for path in (real_data / "apps").rglob("*") if path.is_file() and "ockerfile" in path.name]
    return wild + apps


def test_real_dockerfiles_are_read_as_buildkit_reads_them(real_data: Path) -> None:
    seen = 0
    different = []
    for path in real_dockerfiles(real_data):
        data = path.read_bytes()
        try:
            expected = theirs(data.decode())
        except (UnicodeDecodeError, oracle.GoParseError):
            continue
        seen += 1
        if ours(parse(data)) != expected and not any(path.name.endswith(name) for name in KNOWN):
            different.append(path.name)
    assert seen > 1500
    assert different == []


ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\0": "\\x00",
}


def quoted(text: str) -> str:
    """Like Go's ``strconv.Quote`` for the characters that BuildKit's results hold."""
    return '"' + "".join(ESCAPES.get(char, char) for char in text) + '"'


def dump(node: Instruction) -> str:
    """The notation of BuildKit's ``result`` files."""
    text = node.keyword.lower()
    if node.flags:
        text += " [" + " ".join(quoted(flag.text) for flag in node.flags) + "]"
    if node.onbuild:
        return f"{text} ({dump(node.onbuild)})"
    if node.keyword in {"ENV", "LABEL"}:
        mark = "" if node.is_legacy_pair else "="
        parts = [part for key, value in node.pairs for part in (key, value, mark)]
    else:
        parts = list(node.words)
    return " ".join([text, *map(quoted, parts)])


def test_recorded_results_of_buildkit(real_data: Path) -> None:
    cases = sorted((real_data / "buildkit" / "testfiles").iterdir())
    assert cases
    for case in cases:
        expected = re.sub(r"\s+", " ", (case / "result").read_text()).strip()
        found = " ".join(f"({dump(node)})" for node in parse((case / "Dockerfile").read_bytes()).instructions)
        assert re.sub(r"\s+", " ", found) == expected, case.name


def test_buildkit_s_refused_files_are_refused(real_data: Path) -> None:
    cases = sorted((real_data / "buildkit" / "testfiles-negative").iterdir())
    assert cases
    assert [case.name for case in cases if not parse((case / "Dockerfile").read_bytes()).problems] == []


def test_line_numbers_of_buildkit(real_data: Path) -> None:
    source = (real_data / "buildkit" / "testfile-line" / "Dockerfile").read_bytes()
    assert ours(parse(source)) == theirs(source.decode())


def test_expansion_table_of_buildkit(real_data: Path) -> None:
    """``envVarTest``: columns are the platform (U is not Windows, W is), the word, the result or "error"."""
    variables = {"PWD": "/home", "SHELL": "bash", "KOREAN": "한국어", "NULL": ""}
    rows = 0
    for line in (real_data / "buildkit" / "envVarTest").read_text(encoding="utf-8").splitlines():
        line = re.sub(r"#.*", "", line) if line.startswith("#") else line
        if not line.strip():
            continue
        platform, word, expected = (part.strip() for part in line.split("|"))
        if platform == "W":
            continue
        rows += 1
        if expected == "error":
            with pytest.raises(ExpansionError):
                expand_word(word, variables.get)
        else:
            assert expand_word(word, variables.get) == expected, word
    assert rows > 200


def test_word_table_of_buildkit(real_data: Path) -> None:
    variables: dict[str, str] = {}
    rows = 0
    for line in (real_data / "buildkit" / "wordsTest").read_text(encoding="utf-8").split("\n"):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("ENV "):
            name, _, value = line[4:].partition("=")
            variables[name] = value
            continue
        test, _, expected = line.partition("|")
        rows += 1
        if expected.strip() == "error":
            with pytest.raises(ExpansionError):
                expand_words(test.strip(), variables.get)
        else:
            assert expand_words(test.strip(), variables.get) == expected.removeprefix(" ").split(","), test
    assert rows > 15
