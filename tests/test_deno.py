"""Deno stages: what they become, and what is refused by name."""

from __future__ import annotations

import json

import pytest

from refactor import BuildContext
from refactor.context import Unknown
from refactor.ecosystems.deno.modules import config_of, modules_of, why_lock_moves
from refactor.ecosystems.deno.tools import parsed
from refactor.flow.reading import Refused
from tests.taken_apart import refusal, run, stages

TIDES = """
FROM denoland/deno:2.3.1
WORKDIR /app
COPY . .
RUN deno install
EXPOSE 8000
CMD ["deno", "run", "-A", "main.ts"]
"""
COMPILED = TIDES.replace("RUN deno install", "RUN deno compile -A -o server main.ts").replace(
    '["deno", "run", "-A", "main.ts"]', '["./server"]'
)
FILES = {
    "deno.json": '{\n  // comments\n  "imports": {"hono": "npm:hono@4", "@std/path": "jsr:@std/path@^1"},\n}\n',
    "deno.lock": json.dumps({"version": "5", "specifiers": {"npm:hono@4": "4.6.14", "jsr:@std/path@^1": "1.0.0"}}),
    "main.ts": (
        'import { Hono } from "hono";\nimport { join } from "@std/path/join";\n// import x from "npm:x@1";\n'
        "import { level } from './level.ts';\nDeno.serve({ port: 8000 }, new Hono().fetch);\n"
    ),
    "level.ts": "export const level = 1;\n",
}


def level(code: str) -> dict[str, str]:
    return {**FILES, "level.ts": f"export const level = (name: string) => {code};\n"}


def told(text: str, files: dict[str, str], codemod: str) -> str:
    return next(one.because for one in run(text, files).refused if codemod in (one.codemod, *one.others))


def test_packages_come_before_the_sources() -> None:
    after = run(TIDES, FILES).after.decode()
    assert "WORKDIR /app\nCOPY deno.json deno.lock ./\nRUN deno install\nCOPY . .\n" in after
    assert "USER 1993:1993\nCMD" in after


def test_a_compiled_program_goes_to_a_small_debian() -> None:
    files = {**level('Deno.readTextFileSync("data/levels.txt")'), "data/levels.txt": "1\n"}
    builder, runner = stages(COMPILED, files)
    assert "COPY deno.json deno.lock ./\nRUN deno install\nCOPY . .\nRUN deno compile" in builder
    assert runner.startswith("FROM debian:bookworm-slim AS runner\n")
    assert (
        "COPY --from=builder /app/data/levels.txt ./data/levels.txt\nCOPY --from=builder /app/server ./server\n"
        in runner
    )
    _, runner = stages(COMPILED, files, runner="distroless")
    assert runner.startswith("FROM gcr.io/distroless/cc-debian12:nonroot AS runner\n")


def test_modules_that_only_name_others_come_first() -> None:
    files = {**FILES, "deps.ts": 'export { Hono } from "npm:hono@4";\nexport * from "jsr:@std/path@^1";\n'}
    after = run(TIDES.replace("deno install", "deno cache deps.ts"), files).after.decode()
    assert "COPY deno.json deno.lock deps.ts ./\nRUN deno cache deps.ts\nCOPY . .\n" in after


@pytest.mark.parametrize(
    "command", ['["run", "-A", "main.ts"]', '["deno", "task", "start"]', '["deno", "-A", "main.ts"]']
)
def test_how_it_is_started(command: str) -> None:
    files = {
        **FILES,
        "deno.json": FILES["deno.json"].replace("{\n", '{\n"tasks": {"start": "deno run -A main.ts"},', 1),
    }
    assert "USER 1993:1993" in run(TIDES.replace('["deno", "run", "-A", "main.ts"]', command), files).after.decode()


@pytest.mark.parametrize(
    ("flags", "code", "folder"),
    [
        ("-A", 'Deno.writeTextFile("log/tides.txt", name)', "/app/log"),
        ("-A", "Deno.mkdirSync('/var/tides')", "/var/tides"),
        ("-A", "Deno.writeTextFile(name, name)", None),
        ("-A", 'Deno.openKv("state/kv.db")', "/app/state"),
        ("-A", "Deno.openKv()", None),
        ("-A", 'localStorage.getItem("a")', None),
        ("-A", 'Deno.open("notes.txt")', ""),
        ("-A", 'Deno.open("log/notes.txt", { append: true })', "/app/log"),
        ("--allow-net", "Deno.writeTextFile(name, name)", ""),
        ("--allow-write=uploads", "Deno.writeTextFile(name, name)", "/app/uploads"),
        ("--allow-write", "Deno.writeTextFile(name, name)", None),
        ("-RWN", "Deno.writeTextFile(name, name)", None),
        ("-RN", "Deno.writeTextFile(name, name)", ""),
        ("-A", "Object.create(null)", ""),
        ("-A", "{ const { remove } = Deno; remove(name); }", None),
    ],
)
def test_where_it_writes(flags: str, code: str, folder: str | None) -> None:
    change = run(TIDES.replace('"-A"', f'"{flags}"'), level(code))
    after = change.after.decode()
    if folder is None:
        assert "USER" not in after
        assert any("run-as-user" in (one.codemod, *one.others) for one in change.refused)
    else:
        assert "USER 1993:1993" in after
        assert f"chown deno:deno {folder}\n" in after if folder else "chown" not in after


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({"RUN deno install\n": ""}, FILES, "npm:hono@4 may be fetched when the program starts"),
        ({"denoland/deno:2.3.1": "debian:bookworm"}, FILES, "DENO_DIR is not set"),
        ({'"-A"': '"-A", "--reload"'}, FILES, "fetches modules or watches files"),
        ({}, {**FILES, "deno.lock": '{"version": "5"}'}, "deno.lock does not have npm:hono@4"),
        ({"main.ts": "npm:serve"}, FILES, "which is no file of the project"),
        ({'"run", "-A", "main.ts"': '"task", "start"'}, FILES, "has a task start"),
        ({}, level("import(name)"), "level.ts:1 imports what only the running program knows"),
        ({}, {**FILES, "level.ts": 'import "lost";\n'}, "level.ts imports lost, which deno.json does not name"),
    ],
)
def test_why_it_stays_root(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = TIDES
    for old, new in change.items():
        text = text.replace(old, new)
    assert reason in told(text, files, "run-as-user")


@pytest.mark.parametrize(
    ("command", "files", "reason"),
    [
        ("deno install", {**FILES, "deno.lock": "{}"}, "deno.lock does not have npm:hono@4: it is written anew"),
        ("deno install", {**FILES, "node_modules/hono/package.json": "{}"}, "node_modules lies in the build context"),
        ("deno install", {**FILES, "deno.json": '{"workspace": ["./a"]}'}, "deno.json is that of a workspace"),
        ("deno cache main.ts", FILES, "`deno cache main.ts` reads the sources"),
    ],
)
def test_packages_that_stay_behind_the_sources(command: str, files: dict[str, str], reason: str) -> None:
    assert reason in told(TIDES.replace("deno install", command), files, "copy-manifests-first")


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({"deno compile -A -o server main.ts": "deno task build"}, FILES, "has a task build"),
        ({"deno compile -A -o server main.ts": "deno run -A build.ts"}, FILES, "what `deno run -A build.ts` writes"),
        ({"-o server": "--target x86_64-pc-windows-msvc"}, FILES, "it compiles for another system"),
        ({"deno:2.3.1": "deno:alpine-2.3.1"}, FILES, "brings the GNU C library beside Alpine's own"),
        ({}, level("Deno.readTextFileSync(name)"), "opens what only the running program knows"),
        ({}, level("new Deno.Command(name)"), "may start a program whose name is only known when it runs"),
        ({}, level('Deno.dlopen("libz.so", {})'), "opens a library"),
    ],
)
def test_what_is_not_known_is_refused_by_name(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = COMPILED
    for old, new in change.items():
        text = text.replace(old, new)
    assert reason in refusal(text, files)


def test_a_program_that_runs_from_its_sources_is_not_split() -> None:
    change = run(TIDES, FILES)
    assert change.after.decode().count("FROM ") == 1
    assert not any("split-build-stage" in (one.codemod, *one.others) for one in change.refused)


def test_modules_are_followed() -> None:
    context = BuildContext.of(FILES)
    config = config_of(context, "")
    assert not isinstance(config, Unknown)
    found = modules_of(context, config, "main.ts")
    assert not isinstance(found, Refused)
    assert sorted(found.files) == ["level.ts", "main.ts"]
    assert sorted(found.remote) == ["jsr:@std/path@^1/join", "npm:hono@4"]
    assert why_lock_moves(context, config, found.remote) is None


def test_words_of_a_call() -> None:
    assert parsed(["run", "-A", "--port", "80", "main.ts", "--port", "90"]).flags == {"-A": "", "--port": "80"}
    assert parsed(["main.ts"]).verb == "run"
    assert parsed(["compile", "--output=x", "a.ts"]).flags["--output"] == "x"
