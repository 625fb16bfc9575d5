"""Development dependencies in what a Node builder hands on: taken away behind the build, or kept for a named reason."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run

WANTED = {"dependencies": {"express": "^4.0.0"}, "devDependencies": {"typescript": "^5.0.0"}}
LOCKED = {
    "": WANTED,
    "node_modules/express": {"version": "4.21.0"},
    "node_modules/typescript": {"version": "5.6.0", "dev": True},
}


def project(**manifest: object) -> dict[str, str]:
    own = {"name": "a", "version": "1.0.0", "scripts": {"build": "tsc", "test": "node --test"}, **WANTED, **manifest}
    return {
        "package.json": json.dumps(own),
        "package-lock.json": json.dumps({"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": LOCKED}),
        "tsconfig.json": '{"compilerOptions": {"outDir": "dist", "rootDir": "src"}}',
        "src/index.ts": "import express from 'express';\nexpress().listen(3000);\n",
        ".dockerignore": "node_modules\n",
    }


FILE = """
FROM node:20 AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
FROM node:20-slim
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
CMD ["node", "dist/index.js"]
"""
ID = "install-production-dependencies"


def test_packages_of_the_build_stay_in_a_stage_beside_it() -> None:
    after = run(FILE, project()).after.decode()
    assert "FROM deps AS prod-deps\nRUN npm prune --omit=dev\n" in after
    assert "COPY --from=prod-deps /app/node_modules ./node_modules\n" in after


@pytest.mark.parametrize(
    ("lock", "install", "prune"),
    [
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm prune --prod"),
        ("yarn.lock", "yarn install --frozen-lockfile", "yarn install --production --frozen-lockfile"),
    ],
)
def test_each_manager_has_its_own_command(lock: str, install: str, prune: str) -> None:
    files = {name: text for name, text in project().items() if name != "package-lock.json"}
    texts = {
        "pnpm-lock.yaml": """lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      express: {specifier: ^4.0.0, version: 4.21.0}
    devDependencies:
      typescript: {specifier: ^5.0.0, version: 5.6.0}
packages:
  express@4.21.0:
    resolution: {integrity: sha512-a}
  typescript@5.6.0:
    resolution: {integrity: sha512-b}
snapshots:
  express@4.21.0: {}
  typescript@5.6.0: {}
""",
        "yarn.lock": """# yarn lockfile v1


express@^4.0.0:
  version "4.21.0"

typescript@^5.0.0:
  version "5.6.0"
""",
    }
    text = FILE.replace("package-lock.json", lock).replace("npm ci", install)
    assert prune in run(text, {**files, lock: texts[lock]}).after.decode()


def test_a_project_below_the_working_folder_is_named() -> None:
    text = FILE.replace("WORKDIR /app\nCOPY package.json package-lock.json ./", "WORKDIR /app\nCOPY . .", 1)
    text = text.replace("RUN npm run build\n", "RUN npm run build\nWORKDIR /tmp\n", 1)
    assert "npm --prefix /app prune --omit=dev" in run(text, project()).after.decode()


@pytest.mark.parametrize(
    ("text", "files", "because"),
    [
        (
            FILE.replace("FROM node:20-slim", "FROM build AS test\nRUN npm test\nFROM node:20-slim"),
            project(),
            "the stage test has its packages from this one",
        ),
        (
            FILE.replace(
                "FROM node:20-slim", "FROM alpine AS x\nCOPY --from=build /app/node_modules /m\nFROM node:20-slim"
            ),
            project(),
            "the stage x has its packages from this one",
        ),
        (FILE, {**project(), "src/index.ts": "import ts from 'typescript';\nts.version;\n"}, "typescript"),
        (
            FILE,
            {**project(), "compose.yaml": "services: {a: {build: {context: ., target: build}}}\n"},
            "builds the stage build by name",
        ),
    ],
)
def test_packages_that_something_else_may_need_stay(text: str, files: Mapping[str, str], because: str) -> None:
    assert because in refusal(text, files, codemod=ID)


def test_the_copy_of_the_packages_is_the_evidence() -> None:
    dist = "COPY --from=build /app/dist ./dist\n"
    text = FILE.replace(dist, "").replace("COPY --from=build", dist + "COPY --from=build")
    evidence = [line for one in run(text, project()).applied if one.codemod == ID for line in one.evidence]
    assert "line 10 copies /app/node_modules, development dependencies included" in evidence


def test_another_user_than_the_one_who_installs_cannot_take_packages_away() -> None:
    text = FILE.replace("RUN npm run build", "USER node\nRUN npm run build")
    assert "line 7 builds as node, and line 4 installs as root" in refusal(text, project(), codemod=ID)


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace("RUN npm run build", "RUN npm run build && npm prune --omit=dev"),
        FILE.replace("npm ci", "npm ci --omit=dev"),
        FILE.replace("COPY --from=build /app/node_modules ./node_modules\n", ""),
    ],
)
def test_nothing_is_taken_away_twice(text: str) -> None:
    after = run(text, project()).after.decode()
    assert after.count("prune") == text.count("prune")
