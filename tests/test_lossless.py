"""Nothing is lost: any bytes come back, and an edit changes what it names and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from refactor.syntax import (
    Dockerfile,
    Edit,
    InsertAfter,
    InsertBefore,
    Instruction,
    MoveAfter,
    MoveBefore,
    Remove,
    Replace,
    Trivia,
    parse,
)

from .conftest import CORPUS
from .oracle.cases import AGREED, DISAGREED, REFUSED

OWN = [*AGREED.values(), *REFUSED.values(), *(source for source, _ in DISAGREED.values())]

LINES = [
    b"FROM alpine\n",
    b"from node:20 AS b\r\n",
    b"RUN a && \\\n    b\n",
    b"RUN a \\\r\n  # c\r\n\r\n  b\r\n",
    b"RUN a \\\n",
    b"RUN a << b\n",
    b"RUN \xe9\n",
    b"\tRUN x\n",
    b"RUN <<EOF\nbody\nEOF\n",
    b"RUN --mount=type=cache,target=/x y\n",
    b"COPY <<-A <<B /x\n\tA\nb\nB\n",
    b'ENV a=1 b="2 3"\n',
    b'CMD ["a"]\n',
    b"ONBUILD RUN a \\\n b\n",
    b"LABEL x=\xe2\x82\xac\n",
    b"# note\n",
    b"#\n",
    b"\n",
    b"  \t\r\n",
    b"\\\n",
    b"\r",
    b"\xff\xfe\n",
]
STARTS = [
    b"",
    b"",
    b"\xef\xbb\xbf",
    b"# escape=`\n",
    b"\xef\xbb\xbf# syntax=a\r\n# escape=`\r\n",
    b"# escape=`\n# escape=`\n",
]
files = st.builds(
    lambda start, lines, ending: start + b"".join(lines) + ending,
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from([b"", b"RUN last", b"# last", b"RUN last \\", b"RUN \\\n  last \\\n  \\", b"RUN <<X\n1\nX"]),
)


def read_everything(file: Dockerfile) -> None:
    """Touches every part, so that a property that raises is found."""
    assert file.problems is not None
    assert (file.style, file.stages, file.uses_buildkit, file.escape) is not None
    line = 1
    for node in file.nodes:
        assert file.line_of(node) == line
        assert file.end_line_of(node) >= line
        line += node.text.count("\n")
        file.comments_above(node)
        file.stage_of(node)
        if isinstance(node, Instruction):
            read_instruction(node)
            file.expand(node.argument, node)
            file.environment(node)


def read_instruction(node: Instruction) -> None:
    for flag in node.flags:
        assert flag.text in node.dissection.head.logical
    assert len(node.words) >= len(node.pairs)
    assert (
        node.json,
        node.heredocs,
        node.sources,
        node.destination,
        node.newline,
        node.word_spans,
    ) is not None
    logical = node.argument
    dissection = node.dissection
    if logical:
        start = dissection.split.argument_start
        for offset in range(len(logical)):
            assert node.text[dissection.raw_start(start + offset)] == logical[offset]
    if node.onbuild:
        read_instruction(node.onbuild)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_come_back(source: bytes) -> None:
    file = parse(source)
    assert bytes(file) == source
    read_everything(file)


@settings(max_examples=300, deadline=None)
@given(files)
def test_any_dockerfile_comes_back(source: bytes) -> None:
    file = parse(source)
    assert bytes(file) == source
    read_everything(file)


@pytest.mark.parametrize("source", OWN)
def test_own_cases_come_back(source: str) -> None:
    file = parse(source.encode())
    assert bytes(file) == source.encode()
    read_everything(file)


@settings(max_examples=200, deadline=None)
@given(files)
def test_a_node_parses_to_itself(source: bytes) -> None:
    """So that a node can be moved: its text alone is one node with the same parts."""
    file = parse(source)
    start = f"# escape={file.escape}\n"
    for node in file.instructions:
        again = parse((start + node.text).encode("utf-8", "surrogateescape")).instructions
        assert [other.text for other in again] == [node.text]
        assert (again[0].argument, again[0].words) == (node.argument, node.words)


@settings(max_examples=300, deadline=None)
@given(files, st.data())
def test_edits_change_what_they_name(source: bytes, data: st.DataObject) -> None:
    file = parse(source)
    if b"<< b" in source or any("heredoc" in problem.reason for problem in file.problems):
        # A heredoc that never ends takes everything behind it; `<< b` is one if any later line is `b`.
        return
    free = [node for node in file.nodes if not isinstance(node, Trivia) or node.kind not in {"bom", "directive"}]
    if not free:
        return
    edits: list[Edit] = []
    for node in data.draw(st.lists(st.sampled_from(free), max_size=3, unique=True)):
        anchor = data.draw(st.sampled_from(free))
        new = [file.new("RUN new \\\n    line"), file.comment("new"), file.blank()]
        edits.append(
            data.draw(
                st.sampled_from(
                    [
                        Remove(node),
                        Replace(node, new),
                        InsertAfter(node, new),
                        InsertBefore(node, new),
                        MoveBefore(node, anchor),
                        MoveAfter(node, anchor),
                    ]
                )
            )
        )
    changed = file.apply(edits)
    changed_text = bytes(changed)
    if source.strip(b"\xef\xbb\xbf") and not source.endswith(b"\n"):
        assert not changed_text.endswith(b"\n") or not changed.nodes
    gone = {edit.node for edit in edits if isinstance(edit, Remove | Replace)}
    # A lone continuation at the end of the file is an instruction without keyword; elsewhere it would be none.
    kept = [words(node) for node in file.instructions if node not in gone and node.keyword]
    assert sorted(kept) == sorted(
        words(node) for node in changed.instructions if "new" not in node.text and node.keyword
    )
    assert bytes(parse(changed_text)) == changed_text


def words(node: Instruction) -> tuple[str, ...]:
    return (node.keyword, *node.argument.split(), *(heredoc.body for heredoc in node.heredocs))


@settings(max_examples=300, deadline=None)
@given(files, st.data())
def test_splices_change_the_argument_and_nothing_else(source: bytes, data: st.DataObject) -> None:
    file = parse(source)
    if not file.instructions or file.problems:
        return
    node = data.draw(st.sampled_from(file.instructions))
    size = len(node.argument)
    start, end = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
    new = data.draw(st.sampled_from(["", "x", "x y", "#x"]))
    expected = (node.argument[:start] + new + node.argument[end:]).strip()
    if "<<" in node.argument:
        # A splice there can make a heredoc that nothing ends, which is refused.
        return
    made = node.splice([(start, end, new)])
    assert made.argument == expected
    if expected:
        assert (made.keyword, made.newline) == (node.keyword, node.newline)
    changed = file.apply([Replace(node, [made])])
    assert len(changed.instructions) == len(file.instructions)
    others = [other.text.strip() for other in file.instructions if other is not node]
    index = file.instructions.index(node)
    assert others == [other.text.strip() for i, other in enumerate(changed.instructions) if i != index]


def test_corpus_comes_back() -> None:
    sources = [path for path in CORPUS.rglob("*") if path.is_file() and "ockerfile" in path.name]
    if not sources:
        pytest.skip("corpus/ holds no Dockerfile")
    for path in sources:
        source = path.read_bytes()
        assert bytes(parse(source)) == source, path
        read_everything(parse(source))


def test_real_files_come_back(real_data: Path) -> None:
    """All of them, manifests and lockfiles too: whatever is in a file, it comes back."""
    count = 0
    for path in real_data.rglob("*"):
        if path.is_file() and path.stat().st_size < 1_000_000:
            source = path.read_bytes()
            assert bytes(parse(source)) == source, path
            count += 1
    assert count > 1800


def test_a_very_long_continued_run_comes_back() -> None:
    """100,000 lines; a quadratic reading would not end within the patience of any user."""
    source = b"FROM alpine\nRUN true \\\n" + b"    && echo '<<x' \\\n    # why\n" * 50_000 + b"    && true\nUSER me\n"
    file = parse(source)
    assert bytes(file) == source
    assert [node.keyword for node in file.instructions] == ["FROM", "RUN", "USER"]
    assert file.instructions[1].argument.count("&&") == 50_001
    assert file.problems == ()
