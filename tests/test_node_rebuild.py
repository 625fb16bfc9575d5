"""What an edit of a source repeats in a Node build, and what it no longer does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from refactor import BuildContext, Change, fix
from tests.test_node import EXPRESS, dockerfile, npm_lock, package, typescript_api, yarn_lock

DEV = {"typescript": "^5.0.0"}
BUILDER = """
    FROM node:20 AS builder
    WORKDIR /app
    COPY package.json package-lock.json ./
    RUN npm ci
    COPY . .
    RUN npm run build
    RUN npm prune --omit=dev

    FROM node:20-slim
    WORKDIR /app
    COPY --from=builder /app/package*.json ./
    COPY --from=builder /app/node_modules ./node_modules
    COPY --from=builder /app/dist ./dist
    CMD ["node", "dist/index.js"]
    """


def changed(text: str, files: Mapping[str, str | bytes], *codemods: str) -> Change:
    change = fix(dockerfile(text).encode(), BuildContext.of(files), select=codemods)
    assert change.failure is None
    return change


def pruned(text: str, files: Mapping[str, str | bytes] | None = None) -> list[str]:
    """Lines of the file after ``prune-beside-build`` alone."""
    change = changed(text, typescript_api() if files is None else files, "prune-beside-build")
    assert change.applied, [refusal.because for refusal in change.refused]
    return change.after.decode().splitlines()


def stage(lines: list[str], name: str) -> list[str]:
    """The instructions of a stage, without its FROM."""
    start = next(i for i, line in enumerate(lines) if line.endswith(f" AS {name}"))
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("FROM")), len(lines))
    return [line for line in lines[start + 1 : end] if line]


def test_only_the_build_follows_the_sources() -> None:
    lines = pruned(BUILDER)
    assert stage(lines, "deps") == ["WORKDIR /app", "COPY package.json package-lock.json ./", "RUN npm ci"]
    assert stage(lines, "builder") == ["COPY . .", "RUN npm run build"]
    assert stage(lines, "prod-deps") == ["RUN npm prune --omit=dev"]
    assert "COPY --from=prod-deps /app/node_modules ./node_modules" in lines
    assert "COPY --from=builder /app/package*.json ./" in lines


@pytest.mark.parametrize(
    ("install", "prune", "lock"),
    [
        ("yarn install --frozen-lockfile", "yarn install --production --ignore-scripts", yarn_lock({**EXPRESS, **DEV})),
        ("pnpm install --frozen-lockfile", "pnpm prune --prod", "lockfileVersion: '6.0'\n"),
        ("npm ci", "npm ci --omit=dev", npm_lock(EXPRESS, DEV)),
    ],
)
def test_every_manager_prunes_from_the_manifests(install: str, prune: str, lock: str) -> None:
    name = {"yarn": "yarn.lock", "pnpm": "pnpm-lock.yaml", "npm": "package-lock.json"}[install.split()[0]]
    files = typescript_api()
    del files["package-lock.json"]
    text = BUILDER.replace("npm ci", install).replace("npm prune --omit=dev", prune).replace("package-lock.json", name)
    lines = pruned(text, {**files, name: lock})
    assert stage(lines, "prod-deps") == [f"RUN {prune}"]
    assert stage(lines, "builder") == ["COPY . .", "RUN npm run build"]


def test_packages_of_workspace_members_come_from_there_too() -> None:
    files = {
        **typescript_api(),
        "package.json": package(workspaces=["server"], scripts={"build": "tsc -p server"}, devDependencies=DEV),
        "server/package.json": package(dependencies=EXPRESS),
        "server/tsconfig.json": '{"compilerOptions": {"outDir": "../dist"}}',
    }
    more = "COPY --from=builder /app/server/node_modules ./server/node_modules\n    CMD"
    late = changed(BUILDER.replace("CMD", more), files, "prune-beside-build")
    assert "server/package.json decides on the packages, and is copied after" in late.refused[0].because
    lines = pruned(
        BUILDER.replace("RUN npm ci", "COPY server/package.json server/\n    RUN npm ci").replace("CMD", more), files
    )
    assert "COPY --from=prod-deps /app/server/node_modules ./server/node_modules" in lines


def test_settings_between_the_sources_and_the_pruning_hold_for_both() -> None:
    text = BUILDER.replace("RUN npm run build\n", "RUN npm run build\n    ENV NODE_ENV=production\n")
    lines = pruned(text.replace("prune --omit=dev", "prune"))
    assert stage(lines, "builder") == ["COPY . .", "RUN npm run build", "ENV NODE_ENV=production"]
    assert stage(lines, "prod-deps") == ["ENV NODE_ENV=production", "RUN npm prune"]


def test_names_of_the_file_are_not_taken_twice() -> None:
    lines = pruned(BUILDER.replace("    FROM node:20 AS", "    FROM alpine AS deps\n    FROM node:20 AS", 1))
    assert "FROM node:20 AS deps-2" in lines
    assert "FROM deps-2 AS prod-deps" in lines


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        ("/app/dist ./dist", "/app ./", "with the packages in it"),
        ("RUN npm run build", "RUN npm run build && chown -R node /app", "works on /app"),
        ("RUN npm run build", "RUN node make.js", "may write into node_modules"),
        ("RUN npm run build", "RUN npx patch-package && npm run build", "writes into node_modules"),
        ("RUN npm run build", "RUN npm install left-pad && npm run build", "may change packages"),
        ("RUN npm run build", "RUN sed -i s/a/b/ package.json && npm run build", "writes /app/package.json"),
        ("omit=dev\n", "omit=dev\n    RUN npm run build\n", "runs after the packages were pruned"),
        ("--from=builder /app/node", "--from=0 /app/node", "by its number"),
        ("node:20-slim", "builder", "starts from builder"),
    ],
)
def test_pruning_stays_where_it_depends_on_the_build(before: str, after: str, because: str) -> None:
    change = changed(BUILDER.replace(before, after), typescript_api(), "prune-beside-build")
    assert not change.applied
    assert because in " ".join(refusal.because for refusal in change.refused)


def test_packages_of_the_context_would_be_copied_over() -> None:
    change = changed(BUILDER, typescript_api(**{"node_modules/a/index.js": ""}), "prune-beside-build")
    assert "node_modules of the build context is copied over" in change.refused[0].because


# Scripts of the project that run at the install

PREPARE = """
    FROM node:20
    WORKDIR /app
    COPY . .
    RUN npm ci
    CMD ["node", "dist/index.js"]
    """


def with_script(name: str, text: str, **more: object) -> dict[str, str]:
    return typescript_api(
        **{"package.json": package(scripts={name: text}, dependencies=EXPRESS, devDependencies=DEV, **more)}
    )


@pytest.mark.parametrize("name", ["prepare", "postinstall"])
def test_dependencies_come_before_the_sources_and_own_scripts_after(name: str) -> None:
    change = fix(dockerfile(PREPARE).encode(), BuildContext.of(with_script(name, "tsc")))
    lines = change.after.decode().splitlines()
    assert "RUN npm ci --ignore-scripts" in stage(lines, "deps")
    assert stage(lines, "builder") == ["COPY . .", f"RUN npm run {name}"]
    assert stage(lines, "prod-deps") == ["RUN npm prune --omit=dev"]


@pytest.mark.parametrize(
    ("files", "because"),
    [
        (
            {"package-lock.json": npm_lock(EXPRESS, DEV, {"node_modules/express": {"hasInstallScript": True}})},
            "express",
        ),
        ({"package-lock.json": npm_lock(EXPRESS, DEV, {"node_modules/express": {"resolved": "git+ssh://x"}})}, "built"),
        ({"binding.gyp": ""}, "binding.gyp"),
        ({"package-lock.json": npm_lock(EXPRESS, DEV, version=1)}, "does not record"),
    ],
)
def test_scripts_of_others_are_not_left_out(files: dict[str, str], because: str) -> None:
    change = changed(PREPARE, {**with_script("prepare", "tsc"), **files}, "part-own-scripts")
    assert not change.applied
    assert because in change.refused[0].because


def test_a_script_of_another_platform_does_not_matter() -> None:
    mac = {"hasInstallScript": True, "os": ["darwin"], "version": "2.3.3", "optional": True}
    files = {
        **with_script("prepare", "tsc"),
        "package-lock.json": npm_lock(EXPRESS, DEV, {"node_modules/fsevents": mac}),
    }
    assert changed(PREPARE, files, "part-own-scripts").applied


HOOKS = PREPARE.replace("dist/index.js", "server.js").replace(
    "COPY . .\n    RUN npm ci", "COPY . .\n    RUN npm install"
)


def hooks(more: Mapping[str, Mapping[str, object]] | None = None) -> dict[str, str]:
    return {
        "package.json": package(
            scripts={"prepare": "husky"}, dependencies=EXPRESS, devDependencies={"husky": "^9.0.0"}
        ),
        "package-lock.json": npm_lock(EXPRESS, {"husky": "^9.0.0"}, more),
        "server.js": "require('express')\n",
    }


def test_hooks_of_a_clone_are_no_reason_for_development_dependencies() -> None:
    change = changed(HOOKS, hooks(), "install-production-dependencies")
    assert "RUN npm ci --omit=dev --ignore-scripts" in change.after.decode()


def test_hooks_are_not_left_out_together_with_what_a_dependency_needs() -> None:
    change = changed(
        HOOKS, hooks({"node_modules/express": {"hasInstallScript": True}}), "install-production-dependencies"
    )
    assert "--omit=dev" not in change.after.decode()
    assert "express has an install script of its own" in " ".join(refusal.because for refusal in change.refused)


# Sources that were not seen prove nothing


@pytest.mark.parametrize(
    ("missing", "because"),
    [
        ("src/index.ts", "src"),
        ("tsconfig.json", "tsconfig.json, which is not in the build context"),
    ],
)
def test_no_split_without_the_sources_of_the_program(missing: str, because: str) -> None:
    text = BUILDER.split("RUN npm prune", maxsplit=1)[0].replace(
        "COPY . .", "COPY tsconfig.json ./\n    COPY src ./src"
    )
    files = typescript_api()
    del files[missing]
    change = changed(text + 'CMD ["node", "dist/index.js"]\n', files, "split-build-stage")
    assert not change.applied
    assert because in change.refused[0].because


@pytest.mark.parametrize("server", [None, b"\0\0", b"require('./gone.js')\n"])
def test_development_dependencies_stay_where_the_program_was_not_read(server: bytes | None) -> None:
    files: dict[str, str | bytes] = {
        "package.json": package(dependencies=EXPRESS, devDependencies=DEV),
        "package-lock.json": npm_lock(EXPRESS, DEV),
    }
    if server is not None:
        files["server.js"] = server
    text = PREPARE.replace("dist/index.js", "server.js")
    change = changed(text, files, "install-production-dependencies")
    assert "omit" not in change.after.decode()
    assert change.refused


# Compiled at every start

NEST = """
    FROM node:20
    WORKDIR /app
    COPY package*.json ./
    RUN npm install
    COPY . .
    EXPOSE 3000
    CMD npm run start
    """


def nest(**scripts: str) -> dict[str, str]:
    dev = {"@nestjs/cli": "^10.0.0"}
    more = {"build": "nest build", "start": "nest start", "start:prod": "node dist/main", **scripts}
    return {
        "package.json": package(scripts=more, dependencies=EXPRESS, devDependencies=dev),
        "package-lock.json": npm_lock(EXPRESS, dev),
        "tsconfig.json": '{"compilerOptions": {"outDir": "./dist"}}',
        "src/main.ts": "import express from 'express'\nexpress().listen(3000)\n",
    }


def test_what_compiles_at_start_is_built_once_and_split() -> None:
    lines = fix(dockerfile(NEST).encode(), BuildContext.of(nest())).after.decode().splitlines()
    assert stage(lines, "builder") == ["COPY . .", "RUN npm run build"]
    assert 'CMD ["node", "dist/main"]' in lines
    assert "COPY --from=builder /app/dist ./dist" in lines


def test_what_is_built_already_is_not_built_twice() -> None:
    text = NEST.replace("COPY . .", "COPY . .\n    RUN npm run build")
    after = changed(text, nest(), "build-before-start").after.decode()
    assert after.count("npm run build") == 1
    assert 'CMD ["node", "dist/main"]' in after


def test_a_start_with_settings_goes_through_its_script() -> None:
    after = changed(NEST, nest(**{"start:prod": "NODE_ENV=production node dist/main"}), "build-before-start").after
    assert b'CMD ["npm", "run", "start:prod"]' in after


@pytest.mark.parametrize(
    ("scripts", "before", "because"),
    [
        ({"start:prod": "pm2 start dist/main"}, "", "is not one start of node"),
        ({"build": "make"}, "", "is not known to make dist/main"),
        ({}, "npm install", "the install leaves out what `npm run build` needs"),
    ],
)
def test_a_build_that_is_not_sure_is_not_added(scripts: dict[str, str], before: str, because: str) -> None:
    text = NEST.replace(before, before + " --omit=dev") if before else NEST
    change = changed(text, nest(**scripts), "build-before-start")
    assert not change.applied
    assert because in change.refused[0].because
