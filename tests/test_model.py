"""The second reader and the build model: what a user would see of a rewrite that went wrong."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from refactor.model.aspects import Aspect
from refactor.model.build_model import BuildModel
from refactor.model.comparison import compare
from refactor.model.produced import why_not_carried_out, why_not_produced, why_not_startable
from refactor.model.reader import instructions, why_not_readable

SHARED = Path(__file__).parents[2] / "shared" / "real"


def model(text: str) -> BuildModel:
    return BuildModel.read(text.encode())


def aspects(before: str, after: str) -> set[Aspect]:
    return {difference.aspect for difference in compare(model(before), model(after))}


def texts(before: str, after: str) -> list[str]:
    return [difference.text for difference in compare(model(before), model(after))]


# What dockerfile-parse alone reads wrongly (each once measured against BuildKit).


def test_heredoc_bodies_are_no_instructions() -> None:
    source = b"FROM a\nRUN <<EOF\nCOPY this is shell\nEOF\nCOPY x /y\n"
    assert instructions(source) == (("FROM", "a"), ("RUN", "<<EOF"), ("COPY", "x /y"))
    assert BuildModel.read(source).stages[0].effects[0].heredocs == (("EOF", "COPY this is shell\n"),)


def test_a_blank_line_does_not_end_a_continuation() -> None:
    assert instructions(b"FROM a\nRUN x \\\n\n  y\nCMD z\n") == (
        ("FROM", "a"),
        ("RUN", "x   y"),
        ("CMD", "z"),
    )


def test_comments_inside_a_continuation_are_dropped() -> None:
    source = b"FROM a\nRUN x && \\\n# why\n   # indented\n  y\n"
    assert instructions(source) == (("FROM", "a"), ("RUN", "x &&   y"))


def test_an_escaped_backslash_does_not_continue() -> None:
    source = b"FROM a\nCOPY x c:\\\\\nRUN y\n"
    assert instructions(source) == (("FROM", "a"), ("COPY", "x c:\\\\"), ("RUN", "y"))


def test_a_continuation_that_hits_the_end_of_the_file_is_still_an_instruction() -> None:
    assert instructions(b"FROM a\nRUN x \\") == (("FROM", "a"), ("RUN", "x"))
    assert instructions(b"FROM a\nRUN x \\\n\n# end\n") == (("FROM", "a"), ("RUN", "x"))


def test_the_byte_order_mark_is_not_part_of_the_keyword() -> None:
    assert instructions(b"\xef\xbb\xbfFROM a\r\nCMD b\r\n") == (("FROM", "a"), ("CMD", "b"))


def test_bytes_that_are_not_utf8_are_read() -> None:
    seen = instructions(b"FROM a\nLABEL by=Jos\xe9\n")
    assert seen is not None
    assert seen[1][1].encode("utf-8", "surrogateescape") == b"by=Jos\xe9"


def test_arguments_and_bare_keywords_that_make_dockerfile_parse_raise_or_skip() -> None:
    source = b"ARG A=1 B=2 C\nFROM a\nENV\nCMD\n"
    assert instructions(source) == (("ARG", "A=1 B=2 C"), ("FROM", "a"), ("ENV", ""), ("CMD", ""))
    assert BuildModel.read(source).args == (("A", "1"), ("B", "2"), ("C", None))


def test_defaults_of_variables_are_expanded_as_buildkit_does() -> None:
    seen = model("ARG V=\nARG W=w\nFROM node:${V:-20}-${W:+slim} AS b\n")
    assert seen.stages[0].image == "node:20-slim"
    assert model("FROM a\nENV A=1 B=$A\nENV C=${A:-x}/${NO:-y}\n").stages[0].config.env == {
        "A": "1",
        "B": "${A}",
        "C": "1/${NO:-y}",
    }


def test_backtick_escapes() -> None:
    source = b"# escape=`\nFROM a\nRUN x `\n  y\nCOPY a c:\\\nRUN z\n"
    seen = instructions(source)
    assert seen == (("FROM", "a"), ("RUN", "x   y"), ("COPY", "a c:\\"), ("RUN", "z"))


def test_directives_count_only_before_the_first_other_line() -> None:
    assert instructions(b"# syntax=x\n# escape=`\nFROM a `\n\n AS b\n") == (("FROM", "a  AS b"),)
    assert instructions(b"# a comment\n# escape=`\nRUN a `\n") == (("RUN", "a `"),)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('RUN echo "x <<EOF y"', []),
        ("RUN cat << EOF", []),
        ("RUN cat <<'A B'", ["A B"]),
        ("RUN cat <<\\EOF", ["EOF"]),
        ("RUN cat <<-EOF", ["EOF"]),
        ("COPY <<a <<b /x/", ["a", "b"]),
        ("ONBUILD RUN <<E", ["E"]),
        ("ENV A=<<E", []),
        ('CMD ["<<E"]', []),
    ],
)
def test_heredocs_are_found_as_the_shell_lexer_finds_them(line: str, names: list[str]) -> None:
    bodies = "".join(f"body of {name}\n{name}\n" for name in names)
    source = f"FROM a\n{line}\n{bodies}CMD last\n"
    seen = model(source)
    assert [name for name, _ in seen.stages[0].effects[0].heredocs] == names
    assert seen.stages[0].effects[-1].keyword == "CMD"


@pytest.mark.parametrize("line", ["RUN echo $((1 <<2))", "RUN cat <<EOF>/x"])
def test_what_buildkit_refuses_is_outside_the_domain(line: str) -> None:
    source = f"FROM a\n{line}\nbody\nEOF\n".encode()
    assert instructions(source) is None
    assert "unterminated heredoc" in (why_not_readable(source) or "")
    assert BuildModel.read(source).stages == ()


def test_flags_are_told_from_the_argument() -> None:
    source = b"FROM --platform=linux/amd64   a AS b\nRUN --mount=type=cache,target=/x   --network=none  y --z\n"
    assert instructions(source) == (
        ("FROM", "--platform=linux/amd64 a AS b"),
        ("RUN", "--mount=type=cache,target=/x --network=none y --z"),
    )
    assert model('FROM a\nCOPY --chown="a b:c" x y\n').stages[0].copies[0].flags == ('--chown="a b:c"',)


def test_nothing_is_written_to_disk(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM untouched\n")
    code = (
        "from refactor.model.build_model import BuildModel;"
        "from refactor.model.reader import instructions;"
        "assert instructions(b'FROM x\\nRUN y') == (('FROM', 'x'), ('RUN', 'y'));"
        "assert BuildModel.read(b'FROM x').stages[0].image == 'x'"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(root)}, check=True)
    assert (tmp_path / "Dockerfile").read_text() == "FROM untouched\n"
    assert [path.name for path in tmp_path.iterdir()] == ["Dockerfile"]


def test_importing_the_room_does_not_import_dockerfile_parse() -> None:
    code = "import sys, refactor.model.aspects;assert not {'dockerfile_parse', 'json', 'logging'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)


def test_a_long_continued_run_is_read_in_linear_time() -> None:
    # dockerfile-parse alone is quadratic here: 20 seconds.
    source = b"FROM a\nRUN " + b" && \\\n  ".join(b"echo %d" % number for number in range(50_000)) + b"\n"
    assert len(BuildModel.read(source).stages[0].commands) == 50_000


# Stages, configuration.


def test_stages_and_their_parents() -> None:
    seen = model(
        "FROM node:20 AS Base\nENV A=1\nUSER node\nFROM base AS b\nENV B=$A/x\nFROM 0\nCOPY --from=BASE /x /y\n"
    )
    assert [stage.name for stage in seen.stages] == ["Base", "b", None]
    assert seen.stages[1].parent == 0
    assert seen.stages[1].config.env == {"A": "1", "B": "1/x"}
    assert seen.stages[1].config.user == "node"
    assert seen.root_image(seen.stages[1]) == "node:20"
    # FROM takes names only, COPY --from numbers too.
    assert seen.stages[2].parent is None
    assert seen.stages[2].copies[0].from_stage == 0


def test_configuration_of_the_image() -> None:
    config = (
        model(
            "FROM a\nMAINTAINER me\nENV OLD some  words\nENV A='x $y' B=\"q\\\"r\"\nLABEL a=b 'c d'=e\n"
            "WORKDIR /srv\n"
            'WORKDIR app/\nEXPOSE 80 53/UDP $P\nVOLUME ["/a", "/b"]\nVOLUME /c /d\nSTOPSIGNAL 9\nUSER me:us\n'
            'SHELL ["/bin/bash", "-c"]\nHEALTHCHECK --timeout=1s --interval=2s CMD curl  x\n'
            'ENTRYPOINT ["e", "f"]\nCMD run  it\nONBUILD RUN  x\n'
        )
        .stages[0]
        .config
    )
    assert config.env == {"OLD": "some  words", "A": "x \\$y", "B": 'q"r'}
    assert config.labels == {"MAINTAINER": "me", "a": "b", "c d": "e"}
    assert config.workdir == "/srv/app"
    assert config.exposed == {"80/tcp", "53/udp", "${P}/tcp"}
    assert config.volumes == {"/a", "/b", "/c", "/d"}
    assert (config.stopsignal, config.user) == ("9", "me:us")
    assert config.shell == ("/bin/bash", "-c")
    assert config.healthcheck == "--interval=2s --timeout=1s CMD curl x"
    assert (config.entrypoint, config.cmd) == (("e", "f"), "run it")
    assert config.onbuild == ("RUN x",)


def test_an_entrypoint_resets_an_inherited_cmd_but_not_its_own() -> None:
    assert model("FROM a AS b\nCMD x\nFROM b\nENTRYPOINT y\n").stages[1].config.cmd is None
    assert model("FROM a\nCMD x\nENTRYPOINT y\n").stages[0].config.cmd == "x"


def test_a_json_look_alike_is_shell_form() -> None:
    assert model("FROM a\nCMD ['a', 'b']\n").stages[0].config.cmd == "['a', 'b']"
    assert model('FROM a\nCMD ["a" ,"b"]\n').stages[0].config.cmd == ("a", "b")


# Commands of RUN.


def commands(run: str) -> list[str]:
    return [command.text for command in model(f"FROM a\nRUN {run}\n").stages[0].commands]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("a  &&  b", ["a", "b"]),
        ("a; b", ["a; b"]),
        ("a && b || c", ["a && b || c"]),
        ("a && b;", ["a", "b"]),
        ("a | b && c", ["a | b", "c"]),
        ("{ a; b; } && c", ["a; b", "c"]),
        ("( cd x && a ) && c", ["cd x", "a", "c"]),
        ("echo 'a && b' \"c && d\" && e", ["echo 'a && b' \"c && d\"", "e"]),
        ('echo "$(a && b)" && c', ['echo "$(a && b)"', "c"]),
        ("echo `a && b` && c", ["echo `a && b`", "c"]),
        ('echo "$(cut -d \'"\')"  && c', ['echo "$(cut -d \'"\')"', "c"]),
        ("if a; then b && c; fi && d", ["if a; then b && c; fi", "d"]),
        ("for i in a b; do c && d; done && e", ["for i in a b; do c && d; done", "e"]),
        ("case $x in a|b) c ;; *) d ;; esac && e", ["case $x in a|b) c ;; *) d ;; esac", "e"]),
        ("[[ -f a && -f b ]] && c", ["[[ -f a && -f b ]]", "c"]),
        ("a 2>&1 && b >&2 && c &> d", ["a 2>&1", "b >&2", "c &> d"]),
        ("a & b", ["a & b"]),
        ("f() { a; } && f", ["f() { a; }", "f"]),
        ("a && # b && c", ["a && # b && c"]),
        ("echo a#b && c", ["echo a#b", "c"]),
        ("echo ${A:-x && y} && c", ["echo ${A:-x && y}", "c"]),
        ("echo done && fi", ["echo done", "fi"]),
        ("echo \\&\\& && c", ["echo \\&\\&", "c"]),
        ("echo 'open && b", ["echo 'open && b"]),
        ('["a", "b && c"]', ["exec 'a' 'b && c'"]),
    ],
)
def test_steps_of_a_run(run: str, expected: list[str]) -> None:
    assert commands(run) == expected


def test_a_step_knows_where_it_runs() -> None:
    seen = model("FROM a\nWORKDIR /app\nUSER u\nRUN a && cd sub && b && (cd /x && c) && d\nRUN e\n").stages[0]
    assert [(command.text, command.workdir) for command in seen.commands] == [
        ("a", "/app"),
        ("cd sub", "/app"),
        ("b", "/app/sub"),
        ("cd /x", "/app/sub"),
        ("c", "/x"),
        ("d", "/app/sub"),
        ("e", "/app"),
    ]
    assert {command.user for command in seen.commands} == {"u"}


# Comparison: what the gates must see.


def test_a_file_and_itself_in_another_spelling_do_not_differ() -> None:
    before = (
        'from node:20 as build\nENV A b c\nENV D="e"\nWORKDIR app\nRUN a \\\n  && b\n'
        "ADD ./src/ src/\nexpose 80\n"
        'CMD [ "x","y" ]\nFROM build\nCOPY --from=0 /a /b\n'
    )
    after = (
        "FROM node:20 AS build\nENV A='b c'\nENV D=e\nWORKDIR /app\nRUN a && b\n"
        "COPY src/ ./src/\nEXPOSE 80/tcp\n"
        'CMD ["x", "y"]\nFROM build\nCOPY --from=build a /b\n'
    )
    assert compare(model(before), model(after)) == ()


@pytest.mark.parametrize(
    ("before", "after", "aspect"),
    [
        ("FROM a\nRUN x && y", "FROM a\nRUN x", Aspect.COMMANDS),
        ("FROM a\nRUN x", "FROM a\nRUN x && x", Aspect.COMMANDS),
        ("FROM a\nRUN x; y", "FROM a\nRUN x && y", Aspect.COMMANDS),
        ("FROM a\nRUN x\nRUN y", "FROM a\nRUN x && y", Aspect.LAYERS),
        ("FROM a\nRUN x\nRUN y && z", "FROM a\nRUN x && y\nRUN z", Aspect.LAYERS),
        ("FROM a\nRUN x && y", "FROM a\nRUN y && x", Aspect.CACHE),
        ("FROM a\nCOPY a b\nRUN y", "FROM a\nRUN y\nCOPY a b", Aspect.CACHE),
        ("FROM a\nENV A=1", "FROM a\nENV A=2", Aspect.ENV),
        ("FROM a\nENV A='$B'", "FROM a\nENV A=$B", Aspect.ENV),
        ("ARG A=1\nFROM a", "ARG A=2\nFROM a", Aspect.ENV),
        ("FROM a", "FROM a\nUSER x", Aspect.USER),
        ("FROM a", "FROM b", Aspect.BASE),
        ("ARG V=1\nFROM a:$V", "ARG V=2\nFROM a:$V", Aspect.BASE),
        ("FROM a", "FROM --platform=x a", Aspect.BASE),
        ("FROM a", "FROM a AS b", Aspect.STAGES),
        ("FROM a", "FROM a\nFROM a", Aspect.STAGES),
        ("FROM a\nCMD x", 'FROM a\nCMD ["x"]', Aspect.CMD),
        ("FROM a\nCMD x", "FROM a\nCMD x\nENTRYPOINT y", Aspect.ENTRYPOINT),
        ("FROM a\nWORKDIR /x", "FROM a\nWORKDIR /y", Aspect.WORKDIR),
        ("FROM a\nEXPOSE 1", "FROM a\nEXPOSE 1 2", Aspect.EXPOSE),
        ("FROM a\nLABEL a=b", "FROM a\nLABEL a=c", Aspect.LABELS),
        ("FROM a\nMAINTAINER x", "FROM a\nLABEL maintainer=x", Aspect.LABELS),
        ("FROM a\nVOLUME /x", "FROM a", Aspect.VOLUMES),
        ("FROM a\nHEALTHCHECK NONE", "FROM a", Aspect.HEALTHCHECK),
        ("FROM a\nSTOPSIGNAL 1", "FROM a", Aspect.STOPSIGNAL),
        ('FROM a\nSHELL ["a"]', "FROM a", Aspect.SHELL),
        ("FROM a\nCOPY a b", "FROM a\nCOPY a c", Aspect.COPIES),
        ("FROM a\nCOPY a b", "FROM a\nCOPY --chown=x a b", Aspect.COPIES),
        ("FROM a\nADD a.tar.gz /x", "FROM a\nCOPY a.tar.gz /x", Aspect.COPIES),
        ("FROM a\nADD https://x/y /x", "FROM a\nCOPY https://x/y /x", Aspect.COPIES),
        ("FROM a\nCOPY <<E /x\na\nE", "FROM a\nCOPY <<E /x\nb\nE", Aspect.COPIES),
        ("FROM a\nONBUILD RUN x", "FROM a", Aspect.ONBUILD),
        ("FROM a\nRUN --mount=type=ssh x", "FROM a\nRUN x", Aspect.MOUNTS),
        ("FROM a\nRUN <<E\nx\nE", "FROM a\nRUN <<E\ny\nE", Aspect.COMMANDS),
    ],
)
def test_one_change_is_seen_as_one_aspect(before: str, after: str, aspect: Aspect) -> None:
    found = aspects(before, after)
    assert aspect in found
    companions = {Aspect.ENV} if before.startswith("ARG V") else set()
    assert found <= {aspect, *companions}


def test_a_directory_that_leaks_into_a_joined_run_is_seen() -> None:
    before = "FROM a\nWORKDIR /app\nRUN cd sub && x\nRUN y\n"
    assert aspects(before, "FROM a\nWORKDIR /app\nRUN cd sub && x && y\n") == {Aspect.LAYERS, Aspect.WORKDIR}
    assert aspects(before, "FROM a\nWORKDIR /app\nRUN (cd sub && x) && y\n") == {Aspect.LAYERS}


@pytest.mark.parametrize("leak", ["export A=1", "A=1", "set -e", "umask 077", ". ./env", "f() { x; }"])
def test_state_that_leaks_into_a_joined_run_is_seen(leak: str) -> None:
    before = f"FROM a\nRUN {leak} && x\nRUN y\n"
    assert aspects(before, f"FROM a\nRUN {leak} && x && y\n") == {Aspect.LAYERS, Aspect.COMMANDS}
    assert aspects(before, f"FROM a\nRUN ( {leak} && x ) && y\n") == {Aspect.LAYERS}


@pytest.mark.parametrize("line", ["ARG V", "ARG V=1", "ENV V=1"])
def test_a_variable_that_goes_out_of_scope_of_its_command_is_seen(line: str) -> None:
    before = f"ARG V=1\nFROM a\n{line}\nRUN x $V\n"
    assert Aspect.ENV in aspects(before, f"ARG V=1\nFROM a\nRUN x $V\n{line}\n")
    assert Aspect.ENV in aspects(before, f"ARG V=1\nFROM a AS b\nRUN x $V\nFROM c\n{line}\n")
    assert Aspect.ENV not in aspects(before, f"ARG V=1\nFROM a AS b\n{line}\nFROM b AS c\nRUN x $V\nFROM c\n")


def test_a_command_that_moves_over_a_user_or_workdir_is_seen() -> None:
    before = "FROM a\nRUN x\nUSER u\nWORKDIR /w\nRUN y\n"
    assert {Aspect.USER, Aspect.WORKDIR} <= aspects(before, "FROM a\nUSER u\nWORKDIR /w\nRUN x && y\n")


def test_a_cleanup_added_to_one_run_that_another_has_already_moves_nothing() -> None:
    before = "FROM a\nRUN x\nRUN y && clean\n"
    assert aspects(before, "FROM a\nRUN x && clean\nRUN y && clean\n") == {Aspect.COMMANDS}


def test_lost_commands_are_named() -> None:
    assert texts("FROM a\nRUN make && make   install", "FROM a\nRUN make") == ["a command is lost: make install"]
    assert texts("FROM a\nRUN make", "FROM a\nRUN make\nRUN make") == [
        "a command is run once more: make",
        "1 RUNs become 2",
    ]


SPLIT_BEFORE = """\
FROM node:20
ENV NODE_ENV=production
LABEL a=b
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build
EXPOSE 3000
CMD ["node", "dist/main.js"]
"""
SPLIT_AFTER = """\
FROM node:20 AS builder
WORKDIR /app
COPY . .
RUN npm ci
RUN npm run build

FROM node:20-slim AS runner
ENV NODE_ENV=production
LABEL a=b
WORKDIR /app
COPY --from=builder /app/node_modules ./node_modules
COPY --from=builder /app/dist ./dist
EXPOSE 3000
CMD ["node", "dist/main.js"]
"""


def test_a_split_that_carries_everything_over_changes_base_stages_and_copies_only() -> None:
    assert aspects(SPLIT_BEFORE, SPLIT_AFTER) == {Aspect.STAGES, Aspect.BASE, Aspect.COPIES}
    assert why_not_carried_out(model(SPLIT_BEFORE), model(SPLIT_AFTER)) is None


@pytest.mark.parametrize(
    ("lost", "aspect"),
    [
        ("ENV NODE_ENV=production\n", Aspect.ENV),
        ("LABEL a=b\n", Aspect.LABELS),
        ("EXPOSE 3000\n", Aspect.EXPOSE),
        ('CMD ["node", "dist/main.js"]\n', Aspect.CMD),
        ("RUN npm ci\n", Aspect.COMMANDS),
    ],
)
def test_a_split_that_forgets_something_is_seen(lost: str, aspect: Aspect) -> None:
    assert aspect in aspects(SPLIT_BEFORE, SPLIT_AFTER.replace(lost, ""))


def test_a_split_that_forgets_the_workdir_is_seen() -> None:
    head, _, tail = SPLIT_AFTER.rpartition("WORKDIR /app\n")
    assert Aspect.WORKDIR in aspects(SPLIT_BEFORE, head + tail)


def test_an_unreadable_result_is_a_difference() -> None:
    assert [d.aspect for d in compare(model("FROM a"), model("FROM a\nRUN <<E\n"))] == [Aspect.STAGES]
    assert compare(model("FROM a\nRUN <<E\n"), model("FROM a")) == ()


# What stages hold.


def why(stage: str, path: str) -> str | None:
    return why_not_produced(model(stage), model(stage).stages[0], path)


BUILD = "FROM node:20 AS b\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n"


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        (BUILD, "/app/node_modules"),
        (BUILD, "app/package.json"),
        (BUILD, "/app"),
        (BUILD + "COPY . .\n", "/app/anything/at/all"),
        (BUILD + "COPY src ./src\n", "/app/src/x"),
        (BUILD, "/usr/local/bin/node"),
        ("FROM rust:1\nENV CARGO_TARGET_DIR=/out\nRUN cargo build\n", "/out/debug/shop"),
        ("FROM golang:1.22\nWORKDIR /src\nRUN go build -o /out/app ./cmd\n", "/out/app"),
        ("FROM golang:1.22\nWORKDIR /src\nRUN go build -o ../bin/ ./...\n", "/bin/app"),
        ("FROM golang:1.22\nRUN go build -o $OUT .\n", "/anywhere"),
        ("FROM alpine\nRUN ./build.sh\n", "/dist"),
        ("FROM alpine\nRUN curl x | tar xz -C /data\n", "/data/y"),
        ("FROM alpine\nRUN mkdir -p /data/x\n", "/data"),
        ("FROM alpine\nRUN echo hi > /data\n", "/data"),
        ("FROM alpine\nRUN cd /build && make\n", "/dist"),
        ("FROM example.com/base\n", "/dist"),
        ("FROM scratch\nCOPY server /\n", "/server"),
        ("FROM alpine\nCOPY --chown=x $FILES /x/\n", "/x/y"),
        ("FROM python:3.11\nRUN python -m venv /venv && /venv/bin/pip install x\n", "/venv"),
        (BUILD, "/app/*.json"),
        ("FROM a\nRUN x\nFROM alpine\n", "/y/$Z"),
        (
            "FROM rust:1\nWORKDIR /app\nRUN --mount=type=cache,target=/app/target cargo build && cp target/r/x /out\n",
            "/out",
        ),
        ("# escape=`\nFROM alpine\n", "C:\\x"),
    ],
)
def test_paths_that_may_be_there(stage: str, path: str) -> None:
    assert why(stage, path) is None


@pytest.mark.parametrize(
    ("stage", "path", "reason"),
    [
        (BUILD, "/src/dist", "nothing in stage b makes /src/dist"),
        ("FROM scratch\nCOPY server /server\n", "/bin/sh", "nothing in stage 0 makes /bin/sh"),
        (
            "FROM golang:1.22\nWORKDIR /src\nRUN go build -o /out/app .\n",
            "/server",
            "nothing in stage 0 makes /server",
        ),
        (
            BUILD + "RUN rm -rf node_modules\n",
            "/app/node_modules",
            "is removed in stage b by `rm -rf node_modules`",
        ),
        (
            "FROM rust:1 AS b\nWORKDIR /app\nRUN --mount=type=cache,target=/app/target cargo build --release\n",
            "/app/target/release/x",
            "lies in the cache mount /app/target of stage b",
        ),
        (
            "FROM alpine\nWORKDIR /app\nCOPY package.json ./\nRUN apk add curl\n",
            "/app/dist",
            "nothing in stage 0",
        ),
    ],
)
def test_paths_that_cannot_be_there(stage: str, path: str, reason: str) -> None:
    assert reason in (why(stage, path) or "")


def test_a_wrong_path_of_a_split_is_refused() -> None:
    after = SPLIT_AFTER.replace("/app/dist ./dist", "/usr/src/dist ./dist").replace("WORKDIR /app", "WORKDIR /code", 1)
    assert "COPY --from=builder /app/node_modules: nothing in stage builder" in (
        why_not_carried_out(model(SPLIT_BEFORE), model(after)) or ""
    )


def test_a_copy_from_a_stage_that_comes_later_or_never_is_refused() -> None:
    before = model("FROM a\n")
    assert why_not_carried_out(before, model("FROM a\nCOPY --from=builder /x /x\n")) == (
        "COPY --from=builder names no earlier stage"
    )
    assert why_not_carried_out(before, model("FROM a\nCOPY --from=1 /x /x\nFROM b\n")) == (
        "COPY --from=1 names no earlier stage"
    )
    assert why_not_carried_out(before, model("FROM a\nCOPY --from=ghcr.io/astral-sh/uv:0.4 /uv /bin/\n")) is None


def test_an_authors_own_doubtful_copy_is_not_held_against_a_rewrite() -> None:
    text = "FROM alpine AS b\nFROM alpine\nCOPY --from=b /dist /x\n"
    assert why_not_carried_out(model(text), model(text + "LABEL a=b\n")) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM scratch\nCOPY app /app\nCMD /app\n", "CMD is in shell form and scratch has no shell"),
        ("FROM gcr.io/distroless/static-debian12\nENTRYPOINT node x\n", "has no shell"),
        (
            'FROM scratch\nCOPY app /srv/app\nCMD ["/app"]\n',
            "CMD starts /app, but nothing in stage 0 makes /app",
        ),
        ('FROM scratch\nCOPY app /srv/\nCMD ["app"]\n', "scratch has no app"),
        ('FROM gcr.io/distroless/static\nCMD ["python", "x"]\n', "has no python"),
        (
            'FROM node:20-slim\nWORKDIR /app\nCOPY package.json ./\nCMD ["node", "dist/main.js"]\n',
            "CMD starts node, but nothing in stage 0 makes /app/dist/main.js",
        ),
        (
            'FROM eclipse-temurin:21-jre\nCOPY --from=x /b/a.jar /app/a.jar\nCMD ["java", "-jar", "/app.jar"]\n',
            "nothing in stage 0 makes /app.jar",
        ),
        ('FROM node:20\nWORKDIR /a\nCOPY x.js .\nENTRYPOINT ["node"]\nCMD ["y.js"]\n', "makes /a/y.js"),
    ],
)
def test_programs_that_cannot_start(text: str, reason: str) -> None:
    assert reason in (why_not_startable(model(text)) or "")


@pytest.mark.parametrize(
    "text",
    [
        'FROM scratch\nCOPY app /app\nCMD ["/app"]\n',
        'FROM scratch\nWORKDIR /srv\nCOPY app .\nENTRYPOINT ["./app"]\n',
        'FROM scratch\nCOPY app /usr/bin/app\nCMD ["app"]\n',
        'FROM gcr.io/distroless/nodejs20-debian12\nWORKDIR /app\nCOPY . .\nCMD ["main.js"]\n',
        'FROM node:20\nWORKDIR /app\nCOPY . .\nCMD ["node", "dist/main.js"]\n',
        'FROM node:20\nCMD ["node", "--inspect", "x.js"]\n',
        "FROM node:20\nCMD node $APP\n",
        'FROM python:3.11\nCMD ["gunicorn", "app:app"]\n',
        "FROM node:20\n",
    ],
)
def test_programs_that_may_start(text: str) -> None:
    assert why_not_startable(model(text)) is None


# Any input.

_PIECES = st.sampled_from(
    [
        "FROM a", "FROM a AS b", "FROM b", "from $X AS", "ARG A=1 B", "ENV A b", "ENV A=\"b", "ENV", "LABEL 'a'=$b",
        "RUN a && (b", "RUN { a; } && b; ", "RUN <<E", "E", "RUN [\"a\"", "RUN cd $X && y", "RUN --mount=type=cache x",
        "COPY --from=b /x* /y", "COPY --from=9 x y", "COPY [\"a\", \"b\"]", "COPY x", "ADD", "WORKDIR ../..", "WORKDIR",
        "CMD", "CMD []", "ENTRYPOINT [\"\"]", "HEALTHCHECK", "EXPOSE 1/", "VOLUME [1]", "SHELL x", "USER", "ONBUILD",
        "ONBUILD RUN <<E", "# escape=`", "#", "", "\\", "`", "\t# x", "RUN 'a", "RUN $((1",
        "CMD ${", "RUN a \\", "\x00", "\xa0",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=8), st.lists(_PIECES, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_no_input_raises(first: list[str], second: list[str], newline: str) -> None:
    before, after = model(newline.join(first)), model(newline.join(second))
    compare(before, after)
    why_not_carried_out(before, after)
    for stage in after.stages:
        why_not_startable(after, stage)
        for path in ("/x", "/x/*", "$A", "..", "", "/usr/bin/x"):
            why_not_produced(after, stage, path)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(source: bytes) -> None:
    assert (instructions(source) is None) == (why_not_readable(source) is not None)
    assert compare(BuildModel.read(source), BuildModel.read(source)) == ()


def test_a_body_of_many_assignments_is_read_in_linear_time() -> None:
    body = " && ".join(["A=1"] * 50_000)
    assert len(model(f"FROM a\nRUN {body}\n").stages[0].commands) == 50_000


# Agreement with BuildKit's own parser.


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archives = [SHARED / "wild.tar.xz", SHARED / "buildkit.tar.xz"]
    if not all(archive.exists() for archive in archives):
        pytest.skip(f"no real files at {SHARED}")
    folder = tmp_path_factory.mktemp("real")
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


def test_agrees_with_buildkits_parser_on_real_files(real: Path) -> None:
    dockerfile = pytest.importorskip("dockerfile")
    files = sorted(path for path in real.rglob("*") if path.is_file() and "ockerfile" in path.name)
    assert len(files) > 1_000
    compared = 0
    for path in files:
        source = path.read_bytes()
        try:
            oracle = dockerfile.parse_string(source.decode())
        except UnicodeDecodeError:
            continue
        except dockerfile.GoParseError:
            continue
        seen = instructions(source)
        assert seen is not None, (path, why_not_readable(source))
        assert [keyword for keyword, _ in seen] == [node.cmd.upper() for node in oracle], path
        for (keyword, value), node in zip(seen, oracle):
            original = node.original.split("\n", 1)[0] if "<<" in value else node.original
            words = original.strip().split(maxsplit=1)
            expected = words[1].split() if len(words) > 1 else []
            if "--" in expected and "--" not in value.split():
                # `--` ends the flags and is part of neither side.
                expected.remove("--")
            assert value.split() == expected, (path, keyword)
        compared += 1
    assert compared > 1_000


def test_real_files_do_not_differ_from_themselves(real: Path) -> None:
    for path in sorted((real / "wild").iterdir()):
        source = path.read_bytes()
        seen = BuildModel.read(source)
        BuildModel.read(b"FROM other")
        again = BuildModel.read(
            b"# a comment\n\n" + source if not source.startswith((b"#", b"\xef")) else source + b"\n"
        )
        assert compare(seen, again) == (), path
        assert why_not_carried_out(seen, again) is None, path


def test_real_multi_stage_files_ask_for_nothing_that_is_certainly_missing(real: Path) -> None:
    doubtful = []
    for path in sorted((real / "wild").iterdir()):
        seen = BuildModel.read(path.read_bytes())
        for stage in seen.stages:
            for copy in stage.copies:
                if copy.from_stage is not None and copy.from_stage < stage.number:
                    doubtful += [
                        (path.name, reason)
                        for source in copy.sources
                        if (reason := why_not_produced(seen, seen.stages[copy.from_stage], source))
                    ]
        if seen.stages and (reason := why_not_startable(seen)):
            doubtful.append((path.name, reason))
    assert doubtful == []
