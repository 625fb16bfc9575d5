"""Edits of files and of instructions, checked by the file they lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from refactor.syntax import (
    Dockerfile,
    Edit,
    EditConflict,
    InsertAfter,
    InsertBefore,
    Instruction,
    MoveAfter,
    MoveBefore,
    Remove,
    Replace,
    parse,
)


def edit(source: str, make: Callable[[Dockerfile, Sequence[Instruction]], Sequence[Edit]]) -> str:
    file = parse(source.encode())
    return bytes(file.apply(make(file, file.instructions))).decode()


def change(source: str, make: Callable[[Instruction], Instruction], index: int = -1) -> str:
    """The file with one instruction replaced by what ``make`` makes of it."""
    return edit(source, lambda file, nodes: [Replace(nodes[index], [make(nodes[index])])])


# Edits of files


def test_every_kind_of_edit() -> None:
    after = edit(
        "FROM a\nRUN b\nRUN c\nRUN d\nRUN e\nRUN f\n",
        lambda file, n: [
            Replace(n[1], [file.new("RUN B"), file.comment("two")]),
            Remove(n[2]),
            InsertBefore(n[3], [file.blank(), file.comment("# above d")]),
            InsertAfter(n[3], [file.new("USER me")]),
            MoveBefore(n[5], n[1]),
            MoveAfter(n[4], n[0]),
        ],
    )
    assert after == "FROM a\nRUN e\nRUN f\nRUN B\n# two\n\n# above d\nRUN d\nUSER me\n"


def test_insertions_at_one_place_keep_their_order() -> None:
    after = edit(
        "FROM a\nRUN b\n",
        lambda file, n: [
            InsertAfter(n[0], [file.new("RUN 1")]),
            InsertAfter(n[0], [file.new("RUN 2")]),
            InsertBefore(n[1], [file.new("RUN 3")]),
            InsertBefore(n[1], [file.new("RUN 4")]),
        ],
    )
    assert after == "FROM a\nRUN 1\nRUN 2\nRUN 3\nRUN 4\nRUN b\n"


def test_insertions_around_a_removed_node_stay() -> None:
    after = edit("FROM a\nRUN b\nRUN c\n", lambda f, n: [Remove(n[1]), InsertBefore(n[1], [f.new("RUN 1")])])
    assert after == "FROM a\nRUN 1\nRUN c\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda n: [Remove(n[1]), Remove(n[1])],
        lambda n: [Remove(n[1]), Replace(n[1], [])],
        lambda n: [MoveAfter(n[1], n[2]), MoveBefore(n[1], n[0])],
        lambda n: [MoveAfter(n[1], n[2]), Replace(n[1], [n[0]])],
    ],
)
def test_two_changes_of_one_node_conflict(make: Callable[[Sequence[Instruction]], Sequence[Edit]]) -> None:
    file = parse(b"FROM a\nRUN b\nRUN c\n")
    with pytest.raises(EditConflict):
        file.apply(make(file.instructions))


def test_nodes_of_another_file_conflict() -> None:
    file, other = parse(b"FROM a\n"), parse(b"FROM a\n")
    with pytest.raises(EditConflict):
        file.apply([Remove(other.instructions[0])])
    with pytest.raises(EditConflict):
        file.apply([MoveAfter(file.instructions[0], other.instructions[0])])


def test_the_escape_character_cannot_change_by_accident() -> None:
    hidden = parse(b"# note\n# escape=`\nFROM a\nRUN b \\\n  c\n")
    with pytest.raises(EditConflict):
        hidden.apply([Remove(hidden.nodes[0])])
    escaped = parse(b"# escape=`\nFROM a\n")
    with pytest.raises(EditConflict):
        escaped.apply([InsertBefore(escaped.nodes[0], [escaped.comment("note")])])


def test_a_directive_can_be_added() -> None:
    file = parse(b"# escape=`\nFROM a\n")
    after = file.apply([InsertBefore(file.nodes[0], [file.comment("syntax=docker/dockerfile:1")])])
    assert dict(after.directives) == {"syntax": "docker/dockerfile:1", "escape": "`"}


def test_no_edits_change_nothing() -> None:
    assert edit("FROM a\r\n RUN b\\", lambda file, n: []) == "FROM a\r\n RUN b\\"


def test_missing_final_newline_stays_missing() -> None:
    source = "FROM a\nRUN b"
    assert edit(source, lambda f, n: [InsertAfter(n[1], [f.new("USER me")])]) == "FROM a\nRUN b\nUSER me"
    assert edit(source, lambda f, n: [MoveBefore(n[1], n[0])]) == "RUN b\nFROM a"
    assert edit(source, lambda f, n: [Remove(n[1])]) == "FROM a"
    assert edit(source, lambda f, n: [InsertAfter(n[1], [f.blank(), f.comment("c")])]) == "FROM a\nRUN b\n\n# c"
    assert edit(source, lambda f, n: [InsertAfter(n[1], [f.blank()])]) == "FROM a\nRUN b"


def test_final_newline_stays() -> None:
    assert edit("FROM a\nRUN b\n", lambda f, n: [Remove(n[1])]) == "FROM a\n"
    assert edit("FROM a\nRUN b\n", lambda f, n: [InsertAfter(n[1], [f.new("USER me")])]) == "FROM a\nRUN b\nUSER me\n"


def test_a_continuation_at_the_end_does_not_swallow_what_follows() -> None:
    add = lambda f, n: [InsertAfter(n[1], [f.new("USER me")])]  # noqa: E731
    assert edit("FROM a\nRUN b \\", add) == "FROM a\nRUN b\nUSER me"
    assert edit("FROM a\nRUN b \\\n", add) == "FROM a\nRUN b\nUSER me\n"
    assert edit("FROM a\nRUN b && \\\n  c \\\n  \\\n# d\n\n", add) == "FROM a\nRUN b && \\\n  c\n# d\nUSER me\n"
    assert edit("FROM a\nRUN b \\", lambda f, n: [MoveBefore(n[1], n[0])]) == "RUN b\nFROM a"


def test_crlf_and_byte_order_mark() -> None:
    after = edit(
        "\ufeffFROM a\r\nRUN b\r\n",
        lambda f, n: [InsertBefore(n[0], [f.comment("c")]), InsertAfter(n[1], [f.new("RUN x && \\\n    y")])],
    )
    assert after == "\ufeff# c\r\nFROM a\r\nRUN b\r\nRUN x && \\\r\n    y\r\n"


def test_untouched_lines_stay_byte_for_byte() -> None:
    source = b"FROM a\r\n\tRUN  b\t\\\n\n   # c\xff\n\tc\n\n  env  A  b \nUSER  me \r\n"
    file = parse(source)
    after = bytes(file.apply([InsertAfter(file.instructions[0], [file.new("RUN x")])]))
    assert after == source.replace(b"FROM a\r\n", b"FROM a\r\nRUN x\n")


# New nodes


def test_new_instructions_follow_the_file() -> None:
    file = parse(b"# escape=`\r\nfrom a as b\r\nrun x `\r\n\t&& y\r\n")
    assert file.new("RUN a && \\\n    b \\\n        c").text == "run a && `\r\n\tb `\r\n\t\tc"
    assert file.new("FROM a AS b").text == "from a as b"
    assert file.new("ONBUILD RUN AS").text == "onbuild run AS"
    assert file.new('ENV A="B \\\\ C"').text == 'env A="B \\\\ C"'
    assert file.comment("a").text == "# a\r\n"
    assert file.blank().text == "\r\n"


def test_new_heredoc_keeps_its_body() -> None:
    file = parse(b"from a\r\nrun b\r\n")
    node = file.new("RUN <<EOF\na \\\n    b\nEOF")
    assert node.text == "run <<EOF\r\na \\\n    b\nEOF"
    assert node.heredocs[0].body == "a \\\n    b\n"


@pytest.mark.parametrize("text", ["RUN a\nRUN b", "# c", "", "# c\nRUN a", "RUN a \\\n"])
def test_new_takes_one_instruction(text: str) -> None:
    with pytest.raises(ValueError, match="not one instruction"):
        parse(b"FROM a\n").new(text)


def test_new_refuses_what_the_escape_character_changes() -> None:
    with pytest.raises(ValueError, match="escape character"):
        parse(b"# escape=`\nFROM a\n").new("RUN a=`date`")


def test_comment_is_one_line() -> None:
    with pytest.raises(ValueError, match="not one line"):
        parse(b"FROM a\n").comment("a\nRUN b")


@pytest.mark.parametrize(
    ("source", "newline", "indent", "case"),
    [
        ("FROM a\n", "\n", "    ", "upper"),
        ("", "\n", "    ", "upper"),
        ("FROM a\r\nRUN b\r\nRUN c\n", "\r\n", "    ", "upper"),
        ("from a\nRUN b \\\n\t&& c \\\n\t&& d \\\n  && e\nuser f\n", "\n", "\t", "lower"),
        ("FROM a\nRUN b \\\n# c\n\n  && d\n", "\n", "  ", "upper"),
        ("FROM a\nRUN b \\\nc\nRUN <<EOF\n        d\nEOF\n", "\n", "    ", "upper"),
    ],
)
def test_style(source: str, newline: str, indent: str, case: str) -> None:
    style = parse(source.encode()).style
    assert (style.newline, style.indent, style.keyword_case) == (newline, indent, case)


# Edits of instructions


def at(node: Instruction, word: str) -> tuple[int, int]:
    start = node.argument.index(word)
    return start, start + len(word)


def put(word: str, new: str) -> Callable[[Instruction], Instruction]:
    return lambda node: node.splice([(*at(node, word), new)])


def put_behind(word: str, new: str) -> Callable[[Instruction], Instruction]:
    return lambda node: node.splice([(at(node, word)[1], at(node, word)[1], new)])


INSTALL = "FROM a\nRUN apt-get update && \\\n  # tools\n\tapt-get install \\\n      curl \\\n\n      git  \n"
INSTALL += "USER me\n"


def test_splice_keeps_everything_else() -> None:
    assert change(INSTALL, put("curl", "wget"), 1) == INSTALL.replace("curl", "wget")
    assert change(INSTALL, put_behind("apt-get install", " -y"), 1) == INSTALL.replace("install ", "install -y ")
    assert change(INSTALL, put_behind("git", " jq"), 1) == INSTALL.replace("git", "git jq")
    assert change(INSTALL, put("apt-get update", "true"), 1) == INSTALL.replace("apt-get update", "true")


def test_splice_over_a_continuation_replaces_what_is_between() -> None:
    make = lambda node: node.splice([(node.argument.index("apt-get update"), at(node, "install")[1], "x")])  # noqa: E731
    assert change(INSTALL, make, 1) == "FROM a\nRUN x \\\n      curl \\\n\n      git  \nUSER me\n"


def test_splices_at_several_places() -> None:
    make = lambda node: node.splice([(*at(node, "git"), "jq"), (0, 0, "true; "), (*at(node, "curl"), "wget")])  # noqa: E731
    expected = INSTALL.replace("git", "jq").replace("curl", "wget").replace("RUN ", "RUN true; ")
    assert change(INSTALL, make, 1) == expected


def test_splice_with_new_lines_takes_the_instruction_s_indentation() -> None:
    after = change("FROM a\r\nRUN b \\\r\n\t&& c\r\n", put_behind("c", " \\\n    && d"))
    assert after == "FROM a\r\nRUN b \\\r\n\t&& c \\\r\n\t&& d\r\n"
    after = change("# escape=`\nFROM a\nRUN b\n", put_behind("b", " \\\n    && d"))
    assert after == "# escape=`\nFROM a\nRUN b `\n    && d\n"


def test_splice_of_what_follows_flags() -> None:
    source = "FROM a\nRUN --mount=type=cache,target=/x \\\n  a b\n"
    assert change(source, put("a", "c")) == source.replace("  a b", "  c b")


def test_splice_keeps_heredoc_bodies() -> None:
    source = "FROM a\nRUN cat <<EOF > /a\na\nEOF\nUSER me\n"
    assert change(source, put("/a", "/b"), 1) == source.replace("> /a", "> /b")


def test_splice_fills_an_empty_argument() -> None:
    assert change("FROM a\nCMD\n", lambda node: node.splice([(0, 0, "a")])) == "FROM a\nCMD a\n"
    assert (
        change("FROM a\nRUN --network=none ", lambda node: node.with_argument("a")) == "FROM a\nRUN --network=none a "
    )


def test_splice_that_would_make_a_comment_or_open_the_line_is_written_on_one_line() -> None:
    # "  #b" alone on its line would be a comment.
    assert change("FROM a\nRUN x \\\n  a#b \\\n  c\n", put("a", "")) == "FROM a\nRUN x   #b   c\n"
    # With "c" gone, the continuation before it would take in the next instruction.
    after = change("FROM a\nRUN x \\\n  b \\\n  c\nUSER me\n", put("c", ""), 1)
    assert [node.argument for node in parse(after.encode()).instructions] == ["a", "x   b", "me"]


@pytest.mark.parametrize(
    "changes",
    [
        [(0, 2, "x"), (1, 3, "y")],
        [(2, 99, "x")],
        [(-1, 1, "x")],
        [(2, 1, "x")],
        [(0, 1, "x\nRUN y")],
        [(0, 1, "<<EOF")],
    ],
)
def test_splice_refuses_what_cannot_be(changes: list[tuple[int, int, str]]) -> None:
    node = parse(b"RUN abc def\n").instructions[0]
    with pytest.raises(ValueError, match=r"span|cannot be"):
        node.splice(changes)


def test_splice_does_not_take_a_heredoc_from_its_body() -> None:
    node = parse(b"RUN cat <<EOF\na\nEOF\n").instructions[0]
    with pytest.raises(ValueError, match="cannot be"):
        node.with_argument("cat")


def test_with_argument() -> None:
    assert change("FROM a\n  run  --network=none  b \\\n  c \r\n", lambda n: n.with_argument("d")) == (
        "FROM a\n  run  --network=none  d \r\n"
    )


def test_raw_argument() -> None:
    node = parse(INSTALL.encode()).instructions[1]
    assert node.raw_argument == INSTALL[INSTALL.index("apt-get") : INSTALL.index("git") + 3]
    assert parse(b"RUN\n").instructions[0].raw_argument == ""


def test_chained() -> None:
    source = "FROM a\r\nRUN a \\\r\n\t&& b\r\nRUN c \\\r\n  # why\r\n  d\r\n"
    file = parse(source.encode())
    _, first, second = file.instructions
    after = file.apply([Replace(first, [first.chained([second.raw_argument])]), Remove(second)])
    assert bytes(after).decode() == "FROM a\r\nRUN a \\\r\n\t&& b \\\r\n\t&& c \\\r\n  # why\r\n  d\r\n"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a && \\\n  b", "c", "a && \\\n  b && \\\n  c"),
        ("a \\\n && b", "c", "a \\\n && b \\\n && c"),
        ("a \\\n&& b", "c", "a \\\n&& b \\\n&& c"),
        ("a", "b && \\\n\tc", "a && \\\n\tb && \\\n\tc"),
        ("a \\\n      --one", "b", "a \\\n      --one \\\n      && b"),
        ("a && \\\n  if b; then \\\n    c && \\\n    d; \\\n  fi", "e",
         "a && \\\n  if b; then \\\n    c && \\\n    d; \\\n  fi && \\\n  e"),
        ("a", "b", "a \\\n    && b"),
    ],
)  # fmt: skip
def test_chained_as_the_lines_are_joined_already(first: str, second: str, expected: str) -> None:
    one, two = parse(f"RUN {first}\nRUN {second}\n".encode()).instructions
    assert one.chained([two.raw_argument]).argument == parse(f"RUN {expected}\n".encode()).instructions[0].argument
    assert one.chained([two.raw_argument]).text == f"RUN {expected}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN a\n\nRUN x\n\nCMD b\n", "RUN a\n\nCMD b\n"),
        ("RUN a\n\nRUN x\n\n\nCMD b\n", "RUN a\n\n\nCMD b\n"),
        ("RUN a\nRUN x\n\nCMD b\n", "RUN a\n\nCMD b\n"),
        ("RUN a\n\nRUN x\n\nRUN x\n\nRUN x\n", "RUN a\n"),
        ("RUN a\n\nRUN x\n\n", "RUN a\n\n"),
        ("RUN a\n\n\nCMD b\n\nRUN x\nLABEL c=d\n", "RUN a\n\n\nCMD b\n\nLABEL c=d\n"),
        ("RUN a\n\n# why\nRUN x\n\nCMD b\n", "RUN a\n\n# why\n\nCMD b\n"),
    ],
)
def test_no_gap_grows_where_a_node_went(text: str, expected: str) -> None:
    file = parse(b"FROM a\n" + text.encode())
    gone = [Remove(node) for node in file.instructions if node.argument == "x"]
    assert bytes(file.apply(gone)).decode() == "FROM a\n" + expected


@pytest.mark.parametrize(
    ("text", "name", "value", "expected"),
    [
        ("COPY a b", "chown", "1:2", "COPY --chown=1:2 a b"),
        ("COPY --from=x a b", "chown", "1:2", "COPY --from=x --chown=1:2 a b"),
        ("COPY --from=0 \\\n  a b", "from", "build", "COPY --from=build \\\n  a b"),
        ("COPY --link a b", "link", None, "COPY --link a b"),
        ("copy \\\n  a b", "link", None, "copy --link \\\n  a b"),
        ("RUN --mount=type=ssh a", "mount", "type=tmpfs", "RUN --mount=type=ssh --mount=type=tmpfs a"),
        ("RUN --mount=type=ssh a", "mount", "type=ssh", "RUN --mount=type=ssh a"),
        ("RUN a", "mount", 'id=a b"c', 'RUN --mount="id=a b\\"c" a'),
        ("RUN <<EOF\nEOF\n", "network", "none", "RUN --network=none <<EOF\nEOF\n"),
    ],
)
def test_with_flag(text: str, name: str, value: str | None, expected: str) -> None:
    node = parse(text.encode()).instructions[0].with_flag(name, value)
    assert node.text == expected
    assert value is None or value in node.flag_values(name)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("COPY --from=x a b", "from", "COPY a b"),
        ("COPY --link --from=x a b", "from", "COPY --link a b"),
        ("RUN --mount=a \\\n  --mount=b \\\n  --network=none \\\n  c", "mount", "RUN --network=none \\\n  c"),
        ("RUN --mount=a \\\n  # note\n  c", "mount", "RUN  \\\n  # note\n  c"),
        ("COPY a b", "from", "COPY a b"),
    ],
)
def test_without_flag(text: str, name: str, expected: str) -> None:
    node = parse(text.encode()).instructions[0].without_flag(name)
    assert node.text == expected
    assert node.flag(name) is None
