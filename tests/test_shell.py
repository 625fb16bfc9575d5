"""RUN bodies: what is read from them, and what a real shell says of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings, strategies as st

from refactor.shell import Command, ShellScript, read
from refactor.shell.command import literal
from refactor.shell.fast import read_fast
from refactor.shell.grammar import read_tree

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def shell_command(shell: str, script: str) -> list[str]:
    return ["busybox", "sh", "-c", script] if shell == "busybox" else [shell, "-c", script]


def names(text: str) -> list[str | None]:
    script = read(text)
    assert script.opaque is None, script.opaque
    return [command.name for command in script.commands]


def only(text: str) -> Command:
    script = read(text)
    assert script.opaque is None, script.opaque
    assert len(script.commands) == 1
    return script.commands[0]


def outline(text: str) -> list[tuple[str, str, str]]:
    """(connector, kind, text) of the top-level items; the fast reader and tree-sitter must not differ."""
    tree = read_tree(text)
    assert tree.opaque is None, tree.opaque
    assert read_fast(text) in (None, tree)
    return [(item.connector_before, item.kind, text[slice(*item.span)]) for item in tree.top]


# Lists -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a", [("", "command", "a")]),
        ("a && b  &&  c d", [("", "command", "a"), ("&&", "command", "b"), ("&&", "command", "c d")]),
        ("a || b; c", [("", "command", "a"), ("||", "command", "b"), (";", "command", "c")]),
        ("a & b", [("", "command", "a"), ("&", "command", "b")]),
        ("a\nb\n\nc", [("", "command", "a"), ("\n", "command", "b"), ("\n", "command", "c")]),
        ("a;\nb", [("", "command", "a"), (";", "command", "b")]),
        ("a && # note\nb", [("", "command", "a"), ("&&", "command", "b")]),
        ("a | b 2>&1 | c && d", [("", "pipeline", "a | b 2>&1 | c"), ("&&", "command", "d")]),
        # tree-sitter nests each of the following otherwise than a shell does
        ("a && b > f", [("", "command", "a"), ("&&", "command", "b > f")]),
        ("a && b > f | c", [("", "command", "a"), ("&&", "pipeline", "b > f | c")]),
        (
            "a || b 2>&1 | c && d",
            [("", "command", "a"), ("||", "pipeline", "b 2>&1 | c"), ("&&", "command", "d")],
        ),
        ("! a | b && c", [("", "negation", "! a | b"), ("&&", "command", "c")]),
        ("a && ! b > f", [("", "command", "a"), ("&&", "negation", "! b > f")]),
        (
            "a && (b; c) > f || d",
            [("", "command", "a"), ("&&", "subshell", "(b; c) > f"), ("||", "command", "d")],
        ),
        ("a && { b; } 2>&1 | c", [("", "command", "a"), ("&&", "pipeline", "{ b; } 2>&1 | c")]),
        ("{ a; b; }; (c)", [("", "group", "{ a; b; }"), (";", "subshell", "(c)")]),
        ("if a; then b; fi && c", [("", "if", "if a; then b; fi"), ("&&", "command", "c")]),
        ("for i in a b; do c; done", [("", "for", "for i in a b; do c; done")]),
        ("for ((i=0;i<3;i++)); do c; done", [("", "for", "for ((i=0;i<3;i++)); do c; done")]),
        ("select i in a; do c; done", [("", "for", "select i in a; do c; done")]),
        ("while a; do b; done < f", [("", "while", "while a; do b; done < f")]),
        ("until a; do b; done", [("", "while", "until a; do b; done")]),
        ("case $x in a) b;; esac", [("", "case", "case $x in a) b;; esac")]),
        ("f() { a; }; f", [("", "function", "f() { a; }"), (";", "command", "f")]),
        ("function f { a; }", [("", "function", "function f { a; }")]),
        ("A=1", [("", "command", "A=1")]),
        ("A=1 B=2 && c", [("", "command", "A=1 B=2"), ("&&", "command", "c")]),
        ("export A=1 B && c", [("", "command", "export A=1 B"), ("&&", "command", "c")]),
        ("[ -f x ] && [[ a == b ]]", [("", "command", "[ -f x ]"), ("&&", "command", "[[ a == b ]]")]),
        ("> f", [("", "command", "> f")]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_top_level_list(text: str, items: list[tuple[str, str, str]]) -> None:
    assert outline(text) == items


@pytest.mark.parametrize(
    ("text", "trailing"),
    [
        ("a", ""),
        ("a;", ";"),
        ("a &", "&"),
        ("a # b", "comment"),
        ("a; # b", "comment"),
        ("# a\nb", ""),
        ("a\n", ""),
    ],
)
def test_trailing(text: str, trailing: str) -> None:
    assert read(text).trailing == trailing
    assert read_tree(text).trailing == trailing


def test_and_list() -> None:
    assert read("a && b | c && (d; e)").is_and_list
    for text in ("", "a; b", "a || b", "a && b;", "a && b &", "a && b # c", "a\nb", "a 'b"):
        assert not read(text).is_and_list


# Commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a; (b; c | d) && { e; }", ["a", "b", "c", "d", "e"]),
        ("if [ -f x ]; then a; elif b; then c; else d; fi", ["[", "a", "b", "c", "d"]),
        ("for i in $(seq 3); do a $i; done", ["a"]),
        ("while read x; do a; done < f", ["read", "a"]),
        ("case $x in a|b) c; d;; *) e;; esac", ["c", "d", "e"]),
        ("f() { a; }; f", ["a", "f"]),
        ('a $(b) `c` "$(d)" <(e)', ["a"]),
        ("sh -c 'a && b'", ["sh"]),
        ('bash -c "a; b"', ["bash"]),
        ("export A=1; unset B; declare -x C; local d", ["export", "unset", "declare", "local"]),
        ("A=1; > f; $X y", [None, None, None]),
        ("\\cd x; 'c'd y; \"cd\" z; /bin/cd w", ["cd", "cd", "cd", "/bin/cd"]),
        ("cat <<EOF > x && a\nb; c\nEOF\nd", ["cat", "a", "d"]),
        ("cat <<-'E F' | a\nb && (c\nE F\nd", ["cat", "a", "d"]),
        ("cat <<EOF > /etc/x && apt-get update", ["cat", "apt-get"]),
        ("cat <<A <<B > x", ["cat"]),
        ("echo \"a <<EOF b\" '<<E' \\<<x && b", ["echo", "b"]),
        ("echo $((1 << 2)) && b", ["echo", "b"]),
        ("cat <<< x", ["cat"]),
        ("a |& b", ["a", "b"]),
    ],
)
def test_commands(text: str, expected: list[str | None]) -> None:
    assert names(text) == expected


def test_words_values_and_raw_text() -> None:
    command = only('apt-get install -y \'a b\' "c"d $X "${Y}z" *.deb e\\ f --opt="g h"')
    assert command.args == ("install", "-y", "a b", "cd", "$X", '"${Y}z"', "*.deb", "e f", "--opt=g h")
    assert [word.value for word in command.words][5:8] == [None, None, None]


def test_redirections_are_no_words() -> None:
    for text in (
        "a b > f 2>&1 c",
        "a > f b 2>&1 c",
        "> f a b 2>&1 c",
        "a b c >f 2>&1",
        "a b c > f$X 2>&- 3<g",
    ):
        command = only(text)
        assert [word.text for word in command.words] == ["a", "b", "c"], text
        assert len(command.redirects) in (2, 3)
    assert only("a 2>/dev/null >> 'x y'").redirects == ("2>/dev/null", ">> 'x y'")
    assert only("cat <<EOF > f").redirects == ("<<EOF", "> f")
    assert only("cat 2>&- f").args == ("f",)


def test_a_version_bound_without_quotes_is_a_redirection() -> None:
    command = only("pip install flask>=2 gunicorn")
    assert command.args == ("install", "flask", "gunicorn")
    assert command.redirects == (">=2",)


def test_assignments() -> None:
    command = only("A=1 B='x y' C= make all D=4")
    assert [(name, word.value) for name, word in command.assignments] == [("A", "1"), ("B", "x y"), ("C", "")]
    assert command.args == ("all", "D=4")
    alone = only("A=$(b)")
    assert alone.name is None
    assert alone.words == ()
    assert alone.assignments[0][1].text == "$(b)"
    assert [name for name, _ in only("PATH+=:/x a").assignments] == ["PATH"]


@pytest.mark.parametrize(
    ("text", "wrappers", "name"),
    [
        ("sudo apt-get update", ("sudo",), "apt-get"),
        ("sudo -E -u root -H apt-get update", ("sudo",), "apt-get"),
        ("sudo -uroot -- apt-get update", ("sudo",), "apt-get"),
        ("sudo --user=root A=1 apt-get update", ("sudo",), "apt-get"),
        ("sudo -i apt-get update", (), "sudo"),
        ("env -i A=1 B=2 make", ("env",), "make"),
        ("env", (), "env"),
        ("time nice -n 5 make", ("time", "nice"), "make"),
        ("nice -n5 make", ("nice",), "make"),
        ("timeout -k 5 60s make", ("timeout",), "make"),
        ("exec make", ("exec",), "make"),
        ("exec > f", (), "exec"),
        ("command cd x", ("command",), "cd"),
        ("command -v cd", (), "command"),
        ("/usr/bin/sudo make", ("/usr/bin/sudo",), "make"),
        ("sudo -u $USER make", ("sudo",), "make"),
        ("sudo $OPTIONS make", ("sudo",), None),
    ],
)
def test_wrappers(text: str, wrappers: tuple[str, ...], name: str | None) -> None:
    command = only(text)
    assert (command.wrappers, command.name) == (wrappers, name)
    assert command.span == (0, len(text))


def test_env_and_sudo_take_assignments() -> None:
    command = only("A=1 sudo B=2 env C=3 make")
    assert [name for name, _ in command.assignments] == ["A", "B", "C"]


def test_where_a_command_stands() -> None:
    script = read("a && b | c && (d) && if e; then f; else g; fi && ! h && i & j")
    place = {c.name: (c.depth, c.in_pipeline, c.in_subshell, c.is_conditional) for c in script.commands}
    assert place == {
        "a": (0, False, True, False),
        "b": (1, True, True, False),
        "c": (1, True, True, False),
        "d": (1, False, True, False),
        "e": (1, False, True, False),
        "f": (1, False, True, True),
        "g": (1, False, True, True),
        "h": (1, False, True, False),
        "i": (0, False, True, False),
        "j": (0, False, False, False),
    }


@pytest.mark.parametrize(
    ("text", "conditional"),
    [
        ("a && b && c", []),
        ("a || b", ["b"]),
        ("a && b || c", ["b", "c"]),
        ("a || b && c", ["b"]),
        ("a; b && c", []),
        ("a || b; c", ["b"]),
        ("a || b\nc", ["b"]),
        ("while a; do b; done", ["b"]),
        ("for i in x; do b; done", ["b"]),
        ("case x in a) b;; esac", ["b"]),
        ("if a; then b; elif c; then d; else e; fi", ["b", "c", "d", "e"]),
        ("a || (b && c)", ["b", "c"]),
        ("f() { a; }", ["a"]),
    ],
)
def test_conditional(text: str, conditional: list[str]) -> None:
    assert [command.name for command in read(text).commands if command.is_conditional] == conditional


def check_spans(script: ShellScript) -> None:
    text = script.text
    for item in script.top:
        assert 0 <= item.span[0] < item.span[1] <= len(text)
    ends = [item.span[1] for item in script.top]
    starts = [item.span[0] for item in script.top]
    assert all(end <= start for end, start in zip(ends, starts[1:]))
    for command in script.commands:
        assert command.span[0] < command.span[1]
        for word in (*command.words, *[word for _, word in command.assignments]):
            assert text[slice(*word.span)] == word.text
            assert command.span[0] <= word.span[0] <= word.span[1] <= command.span[1]


def test_offsets_are_characters() -> None:
    for text in ("écho ü | cat > 'ñ' && 𝒳=1 ß", "echo \udcff\udce9 && (b \udc80)", "a\u00a0b c"):
        script = read(text)
        assert script.opaque is None
        assert read_tree(text).commands == script.commands
        check_spans(script)
    assert only("a\u00a0b c").name == "a\u00a0b"
    assert only("(écho)").name == "écho"
    assert only("é=1 a").name == "é=1"


def test_carriage_return_is_part_of_a_word() -> None:
    assert only("a b\r").args == ("b\r",)


# Opaque ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a 'b", "parse error near"),
        ("if a; then b", "parse error near"),
        ("a && ", "parse error near"),
        ("<<EOF", ""),
        ("a \\", "ends in a backslash"),
        ("a \0 b", "NUL"),
        ("#!/usr/bin/env python3\nprint(1)", "another interpreter"),
        ("((a++))", "`((` is arithmetic to bash"),
        ("( " * 5000 + "a" + " )" * 5000, "nested deeper than 100 levels"),
        ("if a; then " * 5000 + "b" + "; fi" * 5000, "nested deeper than 100 levels"),
        ("$x = (Start-Process a.exe -Wait); exit 1", "parse error near"),
    ],
)
def test_opaque(text: str, reason: str) -> None:
    script = read(text)
    if not reason:  # a here-document whose body is elsewhere: no command, but nothing to misread either
        assert script.commands[0].words == ()
        return
    assert script.opaque is not None
    assert reason in script.opaque
    assert script.commands == ()
    assert script.top == ()
    refused = script.why_not_chainable()
    assert refused is not None
    assert script.opaque in refused


def test_a_shell_shebang_is_not_opaque() -> None:
    for line in ("#!/bin/sh", "#!/bin/bash -e", "#!/usr/bin/env bash", "#! /bin/ash"):
        assert names(f"{line}\na\n") == ["a"]


@pytest.mark.parametrize("unit", ["$(a ", '"$(', "`", "{ ", "[ ", "((", "<(", "${", "<<a ", "case a in b) ", "! "])
def test_nested_bombs_do_not_raise(unit: str) -> None:
    read(unit * 5000)


def test_long_scripts() -> None:
    """Lists must not be walked by recursion, and no step may look at the whole list."""
    for unit, connector in (("echo a b", " && "), ("a > f", "; "), ("(a)", " && "), ("a 2>&1", " | ")):
        count = 50_000 // len(unit + connector)
        script = read_tree(connector.join([unit] * count))
        assert script.opaque is None
        assert len(script.commands) == count
    script = read(" && ".join(["echo a b"] * 20_000))
    assert len(script.top) == 20_000


# Chaining ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("cd /opt && make", "`cd`"),
        ("pushd /opt", "`pushd`"),
        ("export A=1", "`export`"),
        ("A=1", "`A=`"),
        ("A=$(b) && c", "`A=`"),
        ("set -e && a", "`set`"),
        ("set -o pipefail && a | b", "`set`"),
        ("shopt -s globstar", "`shopt`"),
        ("unset A", "`unset`"),
        ("trap 'a' EXIT", "`trap`"),
        ("umask 022", "`umask`"),
        ("ulimit -n 5", "`ulimit`"),
        ("source ./x", "`source`"),
        (". ./x", "`.`"),
        ("exec a", "`exec`"),
        ("exec > log", "`exec`"),
        ("exit 0", "`exit`"),
        ("return", "`return`"),
        ("alias a=b", "`alias`"),
        ("f() { a; }", "function `f`"),
        ("function g { a; }", "function `g`"),
        ('eval "$X"', "`eval`"),
        ("a;", "`;`"),
        ("a &", "`&`"),
        ("a # note", "comment"),
        ("a || b", "`||`"),
        ("a; b", "`;`"),
        ("a & b", "`&`"),
        ("a\nb", "line break"),
        ("read x < f", "`read`"),
        ("readonly A", "`readonly`"),
        ("declare -x A=1", "`declare`"),
        ("printf -v x a", "`printf -v`"),
        ("for i in a b; do c; done", "variable `i`"),
        ("for ((i=0;i<3;i++)); do c; done", "`for ((...))`"),
        ("((a++))", "`((`"),
        ("shift", "`shift`"),
        ("hash -r", "`hash`"),
        ("command cd x", "`cd`"),
        ("builtin cd x", "`cd`"),
        ("\\cd x", "`cd`"),
        ("$CD x", "`$CD`"),
        ('"$CD" x', '`"$CD"`'),
        ("$HOME/x", "`$HOME/x`"),
        ("if a; then cd b; fi", "`cd`"),
        ("{ cd b; }", "`cd`"),
        ("a && { export B=1; c; }", "`export`"),
        ("! cd x", "`cd`"),
        ("echo ${A:=b}", "`${A:=...}`"),
        ("echo $((A=1))", "`$((A=1))`"),
        ("echo $((A++))", "`$((A++))`"),
        ("echo $_", "`$_`"),
        ("A=1 :", "`A=`"),
        ("a &> log", "`&>`"),
        ("cat <<EOF > x", "here-document"),
        ("cat <<EOF > x\nb\nEOF", "here-document"),
        ("coproc a", "`coproc`"),
        ("{ a & }", "`&`"),
        ("(a & b)", "`&`"),
        ("if a; then b & fi", "`&`"),
        ("wait", "`wait`"),
        ("", "no command"),
        ("# note", "no command"),
        ("a 'b", "cannot be analysed"),
    ],
)
def test_not_chainable(text: str, construct: str) -> None:
    reason = read(text).why_not_chainable()
    assert reason is not None
    assert construct in reason


CHAINABLE = (
    "x a b",
    "x a && y b",
    "x | y",
    "x a | y && z",
    "(cd /; x a)",
    "(export A=1; x && exit 3)",
    "(x; y)",
    "! x",
    "! x | y",
    "if x; then y; fi",
    "if x; then y; else z; fi",
    "{ x && y; }",
    "{ x || y; }",
    "while ! x; do y; done",
    "A=1 x && y $A",
    "[ -d / ] && x",
    "x $(cd /; pwd; y)",
    "case a in a) x;; *) y;; esac",
    "x > /dev/null 2>&1",
    "env A=1 x",
    "cd / | x",
    "x ${A:-b} $((1 + 2)) $((3 == 3))",
    '"$TOOLS/x" a && y',
    "x 'a; b' \"c || d\" e\\;",
)


@pytest.mark.parametrize("text", CHAINABLE)
def test_chainable(text: str) -> None:
    assert read(text).why_not_chainable() is None


STUB = """#!/bin/sh
name=${0##*/}
echo "$name $* in $(pwd) with A=$A" >> "$TRACE"
[ "$name" != "$FAIL" ]
"""


@pytest.mark.skipif(not SHELLS, reason="no POSIX shell on this machine")
@pytest.mark.parametrize("text", [text for text in CHAINABLE if not text.startswith("while")])
def test_joining_keeps_what_is_run(text: str, tmp_path: Path) -> None:
    """Run `p`, the script and `q` as three RUNs and as one, with each of the stubs made to fail in turn."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("p", "q", "x", "y", "z"):
        stub = folder / name
        stub.write_text(STUB)
        stub.chmod(0o755)

    def trace(bodies: list[str], shell: str, fail: str) -> tuple[bool, str]:
        log = tmp_path / "trace"
        log.write_text("")
        environment = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "TRACE": str(log),
            "FAIL": fail,
            "TOOLS": str(folder),
        }
        passed = True
        for body in bodies:
            done = subprocess.run(
                shell_command(shell, body), env=environment, cwd=tmp_path, capture_output=True, check=False
            )
            if done.returncode:
                passed = False
                break
        return passed, "".join(sorted(log.read_text().splitlines(keepends=True)))

    for fail in ("", "p", "x", "y"):
        separate = trace(["p", text, "q"], SHELLS[0], fail)
        joined = trace([f"p && {text} && q"], SHELLS[0], fail)
        assert joined == separate, (SHELLS[0], fail)


# Words and the shell -----------------------------------------------------------------------------------

WORDS = st.lists(
    st.one_of(
        st.text("abz019-+=:./,@%^_]!", min_size=1, max_size=3),
        st.text("ab '\"$`\\*?[]{}~é", min_size=1, max_size=4),
        st.sampled_from(["'a b'", '"a b"', '"\\""', "\\ ", "\\$", '"it\'s"', "'$A'", '"\\a"', "{}", "[", "~", "é"]),
    ),
    min_size=1,
    max_size=5,
).map("".join)


@pytest.mark.skipif(not SHELLS, reason="no POSIX shell on this machine")
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(WORDS, min_size=40, max_size=80))
@example(
    [
        "a\\b",
        "'a'\"b\"c",
        '"a\\\\b\\nc"',
        "{}",
        "x{a",
        "a]",
        "a~",
        "b=c",
        "a!",
        "''",
        '""',
        '"$"',
        "a$",
        '"a\'b"',
    ]
)
def test_literal_values_are_what_a_shell_passes_on(texts: list[str]) -> None:
    words = [word for text in texts for command in read(f"a {text}").commands[:1] for word in command.words[1:]]
    known = [word for word in words if word.value is not None and "\n" not in word.text]
    script = "".join([f"printf '%s\\0' {word.text}\n" for word in known])
    for shell in SHELLS:
        done = subprocess.run(
            shell_command(shell, script), capture_output=True, check=False, cwd="/", env={"LC_ALL": "C.UTF-8"}
        )
        got = done.stdout.decode().split("\0")[:-1]
        wrong = [(word.text, word.value, value) for word, value in zip(known, got) if word.value != value]
        assert wrong == [], shell
        assert len(got) == len(known), shell


@pytest.mark.parametrize(
    "word",
    ["$A", '"$A"', "$(a)", "`a`", "*.c", "a?", "[ab]c", "~/x", "~", "{a,b}", "{1..3}", "$'a'", '$"a"', "a=~"],
)
def test_what_depends_on_more_than_the_text_has_no_value(word: str) -> None:
    assert literal(word) is None


# The fast reader and tree-sitter -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def real_bodies(real_data: Path) -> list[str]:
    """The RUN bodies of public Dockerfiles, as BuildKit's parser joins them."""
    dockerfile = pytest.importorskip("dockerfile")
    bodies: set[str] = set()
    for path in sorted([*(real_data / "wild").iterdir(), *(real_data / "apps").rglob("Dockerfile*")]):
        if not path.is_file():
            continue
        try:
            commands = dockerfile.parse_string(path.read_bytes().decode("utf-8", "surrogateescape"))
        except (dockerfile.GoParseError, UnicodeError):
            continue
        bodies.update(c.value[0] for c in commands if c.cmd.upper() == "RUN" and not c.json and c.value)
    return sorted(bodies)


def test_fast_is_tree_on_real_files(real_bodies: list[str]) -> None:
    assert len(real_bodies) > 3000
    fast = opaque = 0
    for body in real_bodies:
        quick, tree = read_fast(body), read_tree(body)
        opaque += tree.opaque is not None
        check_spans(tree)
        if quick is not None:
            fast += 1
            assert quick == tree, body
    assert fast > 0.8 * len(real_bodies), "the fast reader takes too few"
    assert opaque < 0.005 * len(real_bodies), "too many bodies are opaque"


# fmt: off
PIECES = st.sampled_from((
    *("a", "b1", "-y", "--opt=x", "/usr/bin", "'q r'", '"d $X e"', '"a\\"b"', "$X", "${Y}", "${Z:-w}", "\\ "),
    *("\\&", "é", "x=1", "A=", "{}", "{a,b}", "*.c", "?", "~", "a#b", ".", "[", "]", "!", "2", "10", "="),
    *("==", ":", "$?", "$@", "+", "%", "^", "@", ",", "-", "_", "a[1]", "<", "if", "do", "in", "time"),
    *("export", "sudo", "env", "exec"),
))
PLAIN_GLUE = st.sampled_from((
    *[" "] * 20, " && ", "; ", " | ", " || ", " > ", " 2>&1 ", " >&2 ", " 2> ", " < ", " >> ", "  ", "\t",
    " &> ",
))
ODD_GLUE = st.sampled_from((
    *("", "&&", ";", "|", ">", ">>", "&>", " & ", "\n", " # ", " ( ", " ) ", " { ", "; } ", " $( ", ")"),
    *("`", "'", '"', "\\", " <<", " ! ", " [ -f ", " ] ", " A=1 ", " |& ", " ;; ", " 3>&- "),
))
# fmt: on
SCRIPTS = st.one_of(
    *[
        st.lists(st.tuples(PIECES, glue), min_size=1, max_size=9).map(
            lambda pairs: "".join([part for pair in pairs for part in pair])
        )
        for glue in (PLAIN_GLUE, PLAIN_GLUE, st.one_of(PLAIN_GLUE, ODD_GLUE))
    ]
)


@settings(max_examples=600, deadline=None)
@given(SCRIPTS)
@example("a && b > f | c")
@example("[ ! -f x ] || a")
@example("A=1 B=2")
@example("time a | b")
@example("a 2>&- b")
def test_fast_is_tree(text: str) -> None:
    quick = read_fast(text)
    tree = read_tree(text)
    check_spans(tree)
    if quick is not None:
        assert quick == tree


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))))
def test_read_never_raises(text: str) -> None:
    script = read(text)
    assert script.text == text
    check_spans(script)
    script.why_not_chainable()


# Start-up ----------------------------------------------------------------------------------------------


def test_tree_sitter_is_loaded_only_where_it_is_needed() -> None:
    program = (
        "import sys\n"
        "from refactor.shell import read, package_calls\n"
        "package_calls(read('apt-get update && apt-get install -y \"a b\" > /dev/null'))\n"
        "print('tree_sitter' in sys.modules)\n"
        "print(read('(a)').commands[0].name, 'tree_sitter' in sys.modules)\n"
        "print('importlib.resources' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.split() == ["False", "a", "True", "False"]
