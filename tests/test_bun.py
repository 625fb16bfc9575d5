"""What Bun's applications get, and why not."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from refactor import BuildContext
from refactor.context import Unknown
from refactor.ecosystems.node.bun_lock import read_bun_lock
from refactor.ecosystems.node.lockfiles import lock_matches
from refactor.ecosystems.node.package_json import read_package_json
from tests.test_node import dockerfile, fix, package, reading, refuses, splits

SERVER = "import { Elysia } from 'elysia'\nnew Elysia().get('/', () => 'hi').listen(3000)\n"
WANTED = {"elysia": "^1.4.0"}
DEV = {"typescript": "^5.9.0"}


def lock(dependencies: Mapping[str, str] = WANTED, dev: Mapping[str, str] = DEV, **more: list[object]) -> str:
    """A bun.lock with the trailing commas that Bun writes."""
    packages = {
        name: [f"{name}@{wanted.lstrip('^')}", "", {}, "sha512-x"] for name, wanted in {**dependencies, **dev}.items()
    }
    root = {"name": "app", "dependencies": dict(dependencies), "devDependencies": dict(dev)}
    text = json.dumps({"lockfileVersion": 1, "workspaces": {"": root}, "packages": {**packages, **more}}, indent=1)
    return text.replace("]\n", "],\n", 1)


def project(**changes: str) -> dict[str, str]:
    files = {
        "package.json": package(dependencies=WANTED, devDependencies=DEV),
        "bun.lock": lock(),
        "src/index.ts": SERVER,
    }
    files.update(changes)
    return files


COMPILED = """
    FROM oven/bun:1.2{tag}
    WORKDIR /app
    COPY package.json bun.lock ./
    RUN bun install --frozen-lockfile
    COPY . .
    RUN bun build src/index.ts --compile{flags} --outfile server
    CMD ["./server"]
"""
BUNDLED = """
    FROM oven/bun:1.2
    WORKDIR /app
    COPY package.json bun.lock ./
    RUN bun install --frozen-lockfile
    COPY . .
    RUN bun build src/index.ts --target bun --outdir dist{flags}
    CMD ["bun", "dist/index.js"]
"""


def compiled(tag: str = "", flags: str = "") -> str:
    return COMPILED.format(tag=tag, flags=flags)


def test_a_program_of_glibc() -> None:
    after = splits(compiled(), project())
    assert after.partition("\nFROM debian:bookworm-slim AS runner\n")[2] == dockerfile(
        """
        ENV NODE_ENV=production
        WORKDIR /app
        COPY --from=builder /app/package.json ./
        COPY --from=builder /app/server ./server
        CMD ["./server"]
        """
    )


def test_a_program_of_musl_gets_the_libraries_of_cpp() -> None:
    after = splits(compiled("-alpine"), project())
    assert "FROM alpine:3 AS runner" in after
    assert "RUN apk add --no-cache libgcc libstdc++" in after


@pytest.mark.parametrize(
    ("flags", "files"),
    [
        pytest.param(" --target=bun-linux-x64-musl", {}, id="for another C library"),
        pytest.param("", {"src/index.ts": SERVER + "await $`bunx prisma db push`\n"}, id="calls bunx in Bun's shell"),
        pytest.param("", {"src/index.ts": SERVER + "Bun.spawn(['bun', 'x', 'cowsay'])\n"}, id="calls bun"),
    ],
)
def test_a_program_that_needs_bun_beside_it(flags: str, files: dict[str, str]) -> None:
    assert "FROM oven/bun:1.2-slim AS runner" in splits(compiled(flags=flags), project(**files))


def test_packages_of_the_system_stay_on_their_release() -> None:
    text = compiled().replace("COPY . .", "RUN apt-get update && apt-get install -y tzdata\n    COPY . .")
    assert "FROM oven/bun:1.2-slim AS runner" in splits(text, project())


def test_an_optional_peer_is_no_production_package() -> None:
    peers: dict[str, object] = {"peerDependencies": {"typescript": ">= 5"}, "optionalPeers": ["typescript"]}
    files = project(**{"bun.lock": lock(elysia=["elysia@1.4.0", "", peers, "sha512-x"])})
    assert "node_modules" not in splits(BUNDLED.format(flags=""), files)


def test_a_program_is_followed_from_a_builder() -> None:
    text = """
        FROM oven/bun:1.2 AS build
        WORKDIR /app
        COPY . .
        RUN bun install --production && bun build src/index.ts --compile --outfile server
        FROM debian:bookworm-slim
        WORKDIR /srv
        COPY --from=build /app/server ./server
        CMD ["./server"]
    """
    change = fix(dockerfile(text).encode(), BuildContext.of(project()), select=["run-as-user"])
    assert b"USER 10001:10001" in change.after


@pytest.mark.parametrize(
    ("flags", "dependencies", "keeps"),
    [
        ("", WANTED, False),
        (" --packages external", WANTED, True),
        (" --external elysia", WANTED, True),
        ("", {**WANTED, "swagger-ui-dist": "^5.0.0"}, True),
    ],
    ids=["bundled", "all outside", "one outside", "a package that may open its own files"],
)
def test_packages_beside_a_bundle(flags: str, dependencies: dict[str, str], keeps: bool) -> None:
    files = project(**{"package.json": package(dependencies=dependencies, devDependencies=DEV)})
    files["bun.lock"] = lock(dependencies)
    after = splits(BUNDLED.format(flags=flags), files)
    assert ("COPY package.json bun.lock ./\nRUN" in after.partition("AS runner")[2]) is keeps
    assert ("RUN bun install --frozen-lockfile --production" in after) is keeps
    assert "FROM oven/bun:1.2-slim AS runner" in after


def test_settings_that_bun_reads_at_start_go_along() -> None:
    after = splits(compiled(), project(**{".env": "PORT=80\n", "bunfig.toml": "smol = true\n", "tsconfig.json": "{}"}))
    assert "/app/.env" in after
    assert "/app/bunfig.toml" in after
    assert "tsconfig" not in after


@pytest.mark.parametrize(
    ("start", "files", "because"),
    [
        ('["./server"]', {"bunfig.toml": 'preload = ["./a.ts"]\n'}, "bunfig.toml has Bun load other sources at start"),
        ('["bun", "--watch", "src/index.ts"]', {}, "loads sources again at every change"),
        ('["./server"]', {"src/index.ts": SERVER + "new Worker('./src/worker.ts')\n"}, "src/index.ts starts a worker"),
        (
            '["bun", "src/index.ts"]',
            {
                "src/index.ts": "import page from './page.html'\nBun.serve({routes: {'/': page}})\n",
                "src/page.html": "<p>",
            },
            "src/index.ts imports ./page.html, whose scripts Bun bundles",
        ),
    ],
)
def test_why_not_split(start: str, files: dict[str, str], because: str) -> None:
    text = compiled().replace('["./server"]', start)
    assert because in refuses(text, project(**files))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bun install", "bun install --frozen-lockfile --production"),
        ("bun install --frozen-lockfile", "bun install --frozen-lockfile --production"),
        ("bun install --production", "bun install --production"),
        ("bun ci", "bun ci --production"),
    ],
)
def test_production_dependencies(before: str, after: str) -> None:
    text = """
        FROM oven/bun:1.2-slim
        ENV NODE_ENV=production
        WORKDIR /app
        COPY package.json bun.lock ./
        RUN {}
        COPY . .
        CMD ["bun", "run", "src/index.ts"]
    """
    change = fix(
        dockerfile(text.format(before)).encode(), BuildContext.of(project()), select=["install-production-dependencies"]
    )
    assert change.after.decode() == dockerfile(text.format(after))


def test_a_lockfile_that_does_not_fit() -> None:
    files = project(**{"package.json": package(dependencies={**WANTED, "zod": "^4.0.0"}, devDependencies=DEV)})
    context = BuildContext.of(files)
    found, manifest = read_bun_lock(context), read_package_json(context)
    assert not isinstance(found, Unknown)
    assert not isinstance(manifest, Unknown)
    assert lock_matches(manifest, found) is False


def test_what_a_lockfile_says() -> None:
    nested: list[object] = ["ms@2.0.0", "", {}, "sha512-x"]
    context = BuildContext.of(
        project(
            **{
                "bun.lock": lock(
                    **{"elysia": ["elysia@1.4.1", "", {"dependencies": {"ms": "2"}}, "x"], "elysia/ms": nested}
                )
            }
        )
    )
    found = read_bun_lock(context)
    assert not isinstance(found, Unknown)
    assert [(one.name, one.version, one.is_dev) for one in found.packages] == [
        ("elysia", "1.4.1", False),
        ("typescript", "5.9.0", True),
        ("ms", "2.0.0", False),
    ]
    assert isinstance(read_bun_lock(BuildContext.of({"bun.lockb": b"#!/usr/bin/env bun\n"}), "bun.lockb"), Unknown)
    assert isinstance(read_bun_lock(BuildContext.of({"bun.lock": '{"lockfileVersion": 1}'})), Unknown)


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("await Bun.write('data/a.json', '1')", ("/app/data",)),
        ("Bun.file('log.txt').writer()", ("/app",)),
        ("await Bun.write(Bun.stdout, 'hi')", ()),
        ("import { Database } from 'bun:sqlite'\nnew Database('db/app.sqlite')", ("/app/db",)),
    ],
)
def test_what_a_program_writes(source: str, paths: tuple[str, ...]) -> None:
    from refactor.ecosystems.node import Node

    text = 'FROM oven/bun:1\nWORKDIR /app\nCOPY . .\nCMD ["src/index.ts"]\n'
    answer = Node().written(reading(text, project(**{"src/index.ts": source})))
    assert getattr(answer, "paths", answer) == paths
