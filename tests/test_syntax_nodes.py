"""What is read from instructions: flags, argument, words, pairs, heredocs, ONBUILD, lines, stages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from refactor.syntax import Instruction, Trivia, parse


def one(text: str, start: str = "") -> Instruction:
    (node,) = parse((start + text).encode()).instructions
    return node


def test_parts_of_an_instruction() -> None:
    node = one("copy --from=build --chown=1:2 a b/ \\\n  # note\n  /c/\n")
    assert (node.keyword, node.keyword_text) == ("COPY", "copy")
    assert [(flag.name, flag.value, flag.text) for flag in node.flags] == [
        ("from", "build", "--from=build"),
        ("chown", "1:2", "--chown=1:2"),
    ]
    assert node.argument == "a b/   /c/"
    assert node.words == ("a", "b/", "/c/")
    assert [node.argument[start:end] for start, end in node.word_spans] == ["a", "b/", "/c/"]
    assert (node.sources, node.destination) == (("a", "b/"), "/c/")
    assert node.has_inner_comment
    assert node.is_continued
    assert node.newline == "\n"


def test_flags() -> None:
    node = one('RUN --mount=type=cache,target=/a --mount="type=bind,target=/b c" --network=none id')
    assert node.flag("network") == "none"
    assert node.flag("security") is None
    assert node.flag("mount") == "type=bind,target=/b c"
    assert node.flag_values("mount") == ("type=cache,target=/a", "type=bind,target=/b c")
    assert one("COPY --link a b").flag("link") == ""
    assert one("COPY --link a b").flags[0].value is None


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ('CMD ["a", "b c"]', ("a", "b c")),
        ("CMD [ ]", ()),
        ('CMD [ "a" , "" ] ', ("a", "")),
        ('CMD ["\\u00e9\\"", "\\\\"]', ('é"', "\\")),
        ('CMD ["a" "b"]', None),
        ('CMD ["a",]', None),
        ('CMD ["a"] b', None),
        ("CMD ['a']", None),
        ("CMD [a]", None),
        ('CMD ["a\tb"]', None),
        ('CMD ["a", NaN]', None),
        ('CMD "a"', None),
        ('HEALTHCHECK --interval=1s CMD ["a", "b"]', ("a", "b")),
        ("HEALTHCHECK NONE", None),
        ('USER ["a"]', None),
        ("CMD " + "[" * 5000, None),
    ],
)
def test_exec_form(text: str, json: tuple[str, ...] | None) -> None:
    assert one(text).json == json


def test_words_by_instruction() -> None:
    assert one("EXPOSE 80  443/udp").words == ("80", "443/udp")
    assert one('VOLUME /a "/b c"').words == ("/a", '"/b', 'c"')
    assert one("WORKDIR /a b").words == ("/a b",)
    assert one("RUN a  b").words == ("a  b",)
    assert one("RUN").words == ()
    assert one("HEALTHCHECK --retries=3 CMD a b").words == ("CMD", "a b")
    assert one('HEALTHCHECK CMD ["a", "b"]').words == ("CMD", "a", "b")
    assert one('COPY ["a b", "c"]').words == ("a b", "c")
    assert one('COPY ["a b", "c"]').word_spans == ()
    assert one("ENV a=\"b c\" d='e f' g=h\\ i").words == ('a="b c"', "d='e f'", "g=h\\ i")


def test_pairs() -> None:
    assert one('ENV a=b c="d e" f=').pairs == (("a", "b"), ("c", '"d e"'), ("f", ""))
    old = one('ENV  a   b "c"')
    assert old.is_legacy_pair
    assert old.pairs == (("a", 'b "c"'),)
    assert not one("ENV a=b c").is_legacy_pair
    assert one("LABEL a b").is_legacy_pair
    assert one("ARG A B=1 C=").pairs == (("A", ""), ("B", "1"), ("C", ""))
    assert one("RUN a=b").pairs == ()


def test_copies() -> None:
    node = one("COPY <<EOF a.txt /to/\nbody\nEOF\n")
    assert node.sources == ("a.txt",)
    assert node.destination == "/to/"
    assert one("COPY a").destination is None
    assert one("RUN a b").sources == ()


def test_heredocs() -> None:
    node = one("RUN cat <<'ONE' <<-TWO && true\n$a\nONE\n\tb\n\tTWO\n")
    assert [(doc.name, doc.expand, doc.strip_tabs, doc.body) for doc in node.heredocs] == [
        ("ONE", False, False, "$a\n"),
        ("TWO", True, True, "\tb\n"),
    ]
    assert node.argument == "cat <<'ONE' <<-TWO && true"
    assert not node.is_continued
    assert one("RUN cat <<\\EOF\nEOF\n").heredocs[0].name == "EOF"


def test_onbuild() -> None:
    inner = one("ONBUILD RUN --network=none a && \\\n  b <<EOF\nc\nEOF\n").onbuild
    assert inner is not None
    assert (inner.keyword, inner.flag("network"), inner.argument) == ("RUN", "none", "a &&   b <<EOF")
    assert inner.heredocs[0].body == "c\n"
    assert one("ONBUILD").onbuild is None
    assert one("RUN a").onbuild is None


def test_nodes_cover_the_file() -> None:
    file = parse(b"\xef\xbb\xbf# syntax=x\n# note\n\nFROM a\n# c\nRUN b \\\n  c\n  \nUSER d")
    kinds = [node.kind if isinstance(node, Trivia) else node.keyword for node in file.nodes]
    assert kinds == ["bom", "directive", "comment", "blank", "FROM", "comment", "RUN", "blank", "USER"]
    assert [file.line_of(node) for node in file.nodes] == [1, 1, 2, 3, 4, 5, 6, 8, 9]
    assert [file.end_line_of(node) for node in file.nodes] == [1, 1, 2, 3, 4, 5, 7, 8, 9]


def test_escape_directive() -> None:
    file = parse(b"# escape=`\nFROM a\nCOPY a c:\\\nRUN x `\n  y\n")
    assert file.escape == "`"
    assert [node.argument for node in file.instructions] == ["a", "a c:\\", "x   y"]
    assert parse(b"\n# escape=`\nFROM a\n").escape == "\\"
    assert parse(b"#comment\n# escape=`\nFROM a\n").escape == "\\"


def test_directives() -> None:
    directives: Mapping[str, str] = parse(b"#syntax = docker/dockerfile:1 \n# CHECK=skip=A,B\nFROM a\n").directives
    assert dict(directives) == {"syntax": "docker/dockerfile:1", "check": "skip=A,B"}


def test_comments_above() -> None:
    file = parse(b"# syntax=x\n# a\n\n# b\n# c\nFROM a\nRUN b\n")
    from_, run = file.instructions
    assert [comment.text for comment in file.comments_above(from_)] == ["# b\n", "# c\n"]
    assert file.comments_above(run) == ()


def test_stages() -> None:
    file = parse(
        b"ARG V=1\n# about the builder\nFROM --platform=$BUILDPLATFORM golang:$V AS Build\nRUN a\n\n"
        b"# about the runner\nFROM scratch\nCOPY --from=build /a /\n# end\n"
    )
    build, last = file.stages
    assert (build.index, build.name, build.image, build.platform) == (
        0,
        "Build",
        "golang:$V",
        "$BUILDPLATFORM",
    )
    assert (last.index, last.name, last.image, last.platform) == (1, None, "scratch", None)
    assert (build.is_last, last.is_last) == (False, True)
    assert [node.text for node in build.nodes[:2]] == ["# about the builder\n", build.from_.text]
    assert [node.text for node in last.nodes] == [
        "# about the runner\n", "FROM scratch\n", "COPY --from=build /a /\n", "# end\n",
    ]  # fmt: skip
    assert [node.keyword for node in build.instructions] == ["FROM", "RUN"]
    assert file.stage_of(file.instructions[0]) is None
    assert file.stage_of(last.nodes[0]) is last


def test_stage_references() -> None:
    file = parse(b"FROM a AS x\nFROM b AS Y\nFROM x AS x\n")
    first, second, third = file.stages
    assert file.stage("0") is first
    assert file.stage("y") is second
    assert file.stage("X") is third
    assert file.stage("3") is None
    assert file.stage("9" * 5000) is None
    assert file.stage("nginx") is None
    assert file.stage("") is None


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("FROM a\nRUN b\n", False),
        ("# syntax=docker/dockerfile:1\nFROM a\n", True),
        ("FROM a\nRUN --mount=type=cache,target=/b c\n", True),
        ("FROM a\nCOPY --chown=1 --from=b c d\n", False),
        ("FROM a\nCOPY --chmod=755 c d\n", True),
        ("FROM a\nRUN <<EOF\nb\nEOF\n", True),
        ("FROM a\nONBUILD RUN --mount=type=cache,target=/b c\n", True),
        ("FROM --platform=linux/amd64 a\nHEALTHCHECK --interval=1s CMD b\n", False),
    ],
)
def test_uses_buildkit(source: str, uses: bool) -> None:
    assert parse(source.encode()).uses_buildkit is uses


def test_nodes_are_compared_by_identity() -> None:
    first, second = parse(b"FROM a\nFROM a\n").instructions
    assert first != second


def test_bytes_that_are_no_utf8_stay() -> None:
    node = parse(b"RUN echo \xe9\xff \\\n  b\n").instructions[0]
    assert node.argument.encode("utf-8", "surrogateescape") == b"echo \xe9\xff   b"
    assert parse(b'CMD ["\xff"]').instructions[0].json == ("\ufffd",)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_new_last_line_does_not_take_over_the_blanks_of_the_old_one(end: str) -> None:
    node = parse(f"FROM a\nRUN one \t{end}".encode()).instructions[1]
    assert node.splice([(3, 3, " \\\n    && two")]).text.endswith(f"&& two{end}")
    assert node.splice([(0, 3, "two")]).text == f"RUN two \t{end}"
    assert node.chained(["two"]).text.endswith(f"&& two{end}")
