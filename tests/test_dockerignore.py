"""The rules of .dockerignore, against what moby/patternmatcher answers for the same patterns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from refactor.context import BuildContext, Unknown, dockerignore
from refactor.context.dockerignore import BadPattern, DockerIgnore, clean, match


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        # plain names are anchored at the root, unlike .gitignore
        ("logs", "logs", True),
        ("logs", "logs/today.txt", True),
        ("logs", "app/logs", False),
        ("logs/", "logs/a/b", True),
        ("/logs", "logs/a", True),
        ("./logs/../logs", "logs", True),
        ("a//b", "a/b/c", True),
        ("Logs", "logs", False),
        # one star stops at a slash
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("*/temp*", "a/temporary", True),
        ("*/temp*", "a/b/temporary", False),
        ("*/temp*", "temporary", False),
        ("*", "a/b/c", True),
        ("temp?", "temps", True),
        ("temp?", "temp", False),
        ("temp?", "temp/", False),
        # two stars do not
        ("**/*.md", "README.md", True),
        ("**/*.md", "a/b/c.md", True),
        ("**/node_modules", "node_modules", True),
        ("**/node_modules", "a/node_modules/x/y.js", True),
        ("**/node_modules", "a/my_node_modules", False),
        ("**node_modules", "a/my_node_modules", True),
        ("build/**", "build", False),
        ("build/**", "build/a/b", True),
        ("**", "anything/at/all", True),
        ("**/", "anything", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z/1", True),
        ("a/**/z", "b/z", False),
        ("**/*.py[co]", "a/b.pyc", True),
        ("**/*.py[co]", "a/b.py", False),
        ("**/test*/**/*.[ch]*", "x/tests/y/z.cpp", True),
        ("**/test*/**/*.[ch]*", "x/tests/y/z.rs", False),
        ("**/a*/**/b*c", "x/aa/y/bbc", True),
        ("**/a*/**/b*c", "x/aa/y/bbd", False),
        # classes and escapes
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        ("[!a].txt", "b.txt", False),
        ("[!a].txt", "!.txt", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"\!keep", "!keep", True),
        # what regular expressions would read in another way
        ("a.c", "abc", False),
        ("a+b", "a+b", True),
        ("a(b)", "a(b)", True),
        ("*.{js,ts}", "a.js", False),
        ("*.{js,ts}", "a.{js,ts}", True),
        ("$HOME", "$HOME", True),
        ("# no comment: a blank is before it", "x", False),
        # the builder does not escape `|` beside a wildcard: an alternative, anchored on one side
        ("docs|*.tmp", "docs-old", True),
        ("é*", "étude", True),
    ],
)
def test_pattern(pattern: str, path: str, ignored: bool) -> None:
    rules = DockerIgnore(pattern)
    assert rules.why_broken is None
    assert rules.is_ignored(path) is ignored


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        (["*", "!src"], "src/a.py", False),
        (["*", "!src"], "other/a.py", True),
        (["!src", "*"], "src/a.py", True),
        (["*.md", "!README.md", "README*"], "README.md", True),
        (["docs", "!docs/README.md"], "docs/README.md", False),
        (["docs", "!docs/README.md"], "docs/other.md", True),
        (["docs/", "!docs/*.md"], "docs/a.md", False),
        (["**", "!**/*.go"], "a/b/c.go", False),
        (["**", "!**/*.go", "**/c.go"], "vendor/c.go", True),
        # BuildKit's walk does not try `vendor` on a folder that `**` matched already, and keeps this file
        (["**", "!**/*.go", "vendor"], "vendor/c.go", False),
        (["*", "!/src"], "src/a", False),
        (["*", "! src "], "src/a", False),
        # an exception without wildcards cannot reach into a folder it does not name
        (["a/b", "!a/c"], "a/b/c", True),
    ],
)
def test_last_match_wins(lines: list[str], path: str, ignored: bool) -> None:
    assert DockerIgnore("\n".join(lines)).is_ignored(path) is ignored


def test_file_format() -> None:
    rules = DockerIgnore("\ufeff# a comment\r\n\r\n  node_modules/  \r\n#*.md\r\n*.log\r\n")
    assert [(pattern.text, line) for pattern, line in zip(rules.patterns, rules.lines)] == [
        ("node_modules", 3),
        ("*.log", 5),
    ]


def test_root_is_never_ignored() -> None:
    rules = DockerIgnore("**\n.\n/")
    assert not rules.is_ignored("")
    assert not rules.is_ignored(".")


@pytest.mark.parametrize("text", ["[", "a[", "[a-", "[]a]", "[-a]", "!", "ok\n!\n", "\\", "a\n" + "b" * 70_000])
def test_what_the_builder_refuses_is_broken(text: str) -> None:
    assert DockerIgnore(text).why_broken is not None


def test_reason_names_line_and_pattern() -> None:
    rules = DockerIgnore("*.md\n\nsecret[\n")
    assert rules.why_broken == "the pattern `secret[` in line 3 has a malformed [character class]"


def test_broken_file_makes_the_context_unknown() -> None:
    context = BuildContext.of({".dockerignore": "a[\n", "b": ""})
    exists = context.exists("b")
    assert isinstance(exists, Unknown)
    assert ".dockerignore" in exists.reason
    assert context.why_unknown == exists.reason
    assert isinstance(context.files(), Unknown)


@pytest.mark.parametrize("pattern", ["*a" * 400, "**/a" * 400, "**a" * 300 + "b", "*" * 3000, "a*" * 100 + "[b]"])
def test_many_wildcards_end(pattern: str) -> None:
    path = "/".join(["a" * 100] * 30) + "!"
    rules = DockerIgnore(pattern)
    if rules.why_broken is None:
        assert rules.is_ignored(path) in (True, False)


def test_many_wildcards_match_as_few_do() -> None:
    text = "**/x*y*z/**/*.t[a-c]t"
    rules = DockerIgnore(text)
    assert rules.is_ignored("a/x1y2z/b/c/d.tbt")
    assert rules.is_ignored("xyz/d.tat")
    assert not rules.is_ignored("a/x1y2z/b/c/d.tdt")
    assert not rules.is_ignored("a/x1y/2z/d.tbt")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "a", True),
        ("*", ".hidden", True),
        ("*", "a/b", False),
        ("a*b", "ab", True),
        ("a*/b", "ax/b", True),
        ("**", "a/b", False),
        ("[a-c]*", "bx", True),
        ("[^a-c]*", "bx", False),
        ("?", "é", True),
        ("a?", "a/", False),
        (r"\[x\]", "[x]", True),
        ("package*.json", "package-lock.json", True),
        ("*.tar.*", "a.tar.gz", True),
    ],
)
def test_go_filepath_match(pattern: str, name: str, expected: bool) -> None:
    assert match(pattern, name) is expected


def test_a_pattern_of_many_stars_ends_soon() -> None:
    # A search that gives back what it took would need longer than the universe has been there.
    assert match("*a" * 40 + "b", "a" * 4000) is False
    assert match("*a" * 40 + "*b", "a" * 4000 + "b") is True


@pytest.mark.parametrize("pattern", ["[", "[]", "[a", "[-]", "a\\"])
def test_go_filepath_match_refuses(pattern: str) -> None:
    with pytest.raises(BadPattern):
        match(pattern, "a")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "."),
        ("./a//b/", "a/b"),
        ("a/../b", "b"),
        ("../a", "../a"),
        ("/../a", "/a"),
        ("a/../..", ".."),
        ("/", "/"),
    ],
)
def test_clean(path: str, expected: str) -> None:
    assert clean(path) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60), st.lists(st.text(st.characters(blacklist_characters="/"), min_size=1, max_size=6), min_size=1)
)
def test_any_text_is_a_file_of_patterns_or_broken(text: str, parts: list[str]) -> None:
    rules = DockerIgnore(text)
    assert rules.why_broken is not None or rules.is_ignored("/".join(parts)) in (True, False)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "**/", "/", "?", ".", "[ab]", "[^a]", r"\*", "é"]), max_size=8).map(
        "".join
    ),
    st.text("ab./*é", min_size=1, max_size=12),
)
def test_both_ways_to_match_agree(pattern: str, path: str) -> None:
    """Patterns of many wildcards are matched without regular expressions, and mean the same."""
    try:
        tokens = dockerignore._tokens(clean(pattern))
        expected = dockerignore._regex("^" + "".join(tokens) + r"\Z").search(path) is not None
        steps = dockerignore._steps(tokens)
    except BadPattern:
        return
    assert dockerignore._simulate(steps, path) is expected
