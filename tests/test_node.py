"""What Node applications get: the Dockerfile that comes out, or the reason why not."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

import pytest

from refactor import BuildContext, Refused, StageReading, fix, parse
from refactor.codemod import Settings
from refactor.context import Unknown
from refactor.ecosystems.answers import Install, Rewrite, Slim, Written
from refactor.ecosystems.node import Node
from refactor.ecosystems.node.outputs import literal_of
from refactor.ecosystems.node.programs import Ran
from refactor.ecosystems.node.sources import facts_of

TSCONFIG = '{"compilerOptions": {"outDir": "./dist", "rootDir": "src"}, "include": ["src"]}'
SERVER = "import express from 'express'\nexpress().listen(3000)\n"
EXPRESS = {"express": "^4.21.2"}


def package(**fields: object) -> str:
    return json.dumps({"name": "app", "version": "1.0.0", **fields})


def npm_lock(
    dependencies: Mapping[str, str],
    dev: Mapping[str, str] | None = None,
    more: Mapping[str, Mapping[str, object]] | None = None,
    version: int = 3,
) -> str:
    """A package-lock.json for the ranges given; ``more`` adds to or overrides the entries."""
    entries: dict[str, dict[str, object]] = {
        "": {
            "name": "app",
            "version": "1.0.0",
            "dependencies": dict(dependencies),
            "devDependencies": dict(dev or {}),
        }
    }
    for name, wanted in {**dependencies, **(dev or {})}.items():
        entries[f"node_modules/{name}"] = {"version": wanted.lstrip("^~"), "dev": name not in dependencies}
    for location, fields in (more or {}).items():
        entries.setdefault(location, {}).update(fields)
    return json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": version, "packages": entries})


def yarn_lock(wanted: Mapping[str, str]) -> str:
    entries = [f'{name}@{spec}:\n  version "{spec.lstrip("^")}"\n' for name, spec in wanted.items()]
    return "# yarn lockfile v1\n\n" + "\n".join(entries)


def typescript_api(**changes: str) -> dict[str, str]:
    dev = {"typescript": "^5.0.0"}
    files = {
        "package.json": package(
            scripts={"build": "tsc", "start": "node dist/index.js"}, dependencies=EXPRESS, devDependencies=dev
        ),
        "package-lock.json": npm_lock(EXPRESS, dev),
        "tsconfig.json": TSCONFIG,
        "src/index.ts": SERVER,
    }
    files.update(changes)
    return files


def dockerfile(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def reading(text: str, files: Mapping[str, str | bytes]) -> StageReading:
    file = parse(dockerfile(text).encode())
    return StageReading(file, file.stages[-1], BuildContext.of(files))


def splits(text: str, files: Mapping[str, str | bytes], runner: str | None = None) -> str:
    """The file after ``split-build-stage`` alone."""
    change = fix(
        dockerfile(text).encode(),
        BuildContext.of(files),
        select=["split-build-stage"],
        settings=Settings(runner=runner),
    )
    assert change.failure is None
    assert change.applied, [refusal.because for refusal in change.refused]
    return change.after.decode()


def refuses(text: str, files: Mapping[str, str | bytes], runner: str | None = None) -> str:
    """The reason why the stage is not split."""
    answer = Node().split(reading(text, files), runner)
    assert isinstance(answer, Refused), answer
    return answer.because


TYPESCRIPT = """
    FROM node:20
    WORKDIR /app
    COPY package*.json ./
    RUN npm install
    COPY . .
    RUN npm run build
    EXPOSE 3000
    CMD ["node", "dist/index.js"]
    """


# The split


def test_typescript_api_becomes_builder_and_runner() -> None:
    assert splits(TYPESCRIPT, typescript_api()) == dockerfile(
        """
        FROM node:20 AS builder
        WORKDIR /app
        COPY package*.json ./
        RUN npm install
        COPY . .
        RUN npm run build
        RUN npm prune --omit=dev

        FROM node:20-slim AS runner
        ENV NODE_ENV=production
        WORKDIR /app
        COPY --from=builder /app/package.json ./
        COPY --from=builder /app/node_modules ./node_modules
        COPY --from=builder /app/dist ./dist
        EXPOSE 3000
        CMD ["node", "dist/index.js"]
        """
    )


def test_everything_together_is_the_expert_file() -> None:
    change = fix(
        dockerfile(
            """
            FROM node:20
            WORKDIR /app
            COPY . .
            RUN npm install && npm run build
            EXPOSE 3000
            CMD npm start
            """
        ).encode(),
        BuildContext.of(typescript_api()),
    )
    assert change.failure is None
    after = change.after.decode()
    assert after.index("COPY package.json package-lock.json ./") < after.index("RUN npm ci\n")
    assert after.index("RUN npm ci\n") < after.index("COPY . .") < after.index("RUN npm run build")
    assert "USER 1000:1000" in after
    again = fix(change.after, change.context_after(BuildContext.of(typescript_api())))
    assert again.after == change.after
    assert not again.applied


@pytest.mark.parametrize(
    ("build", "extra", "start", "kept"),
    [
        (
            "tsc -p tsconfig.build.json",
            {"tsconfig.build.json": '{"extends": "./tsconfig.json"}'},
            "dist/index.js",
            "/app/dist",
        ),
        ("tsc --outDir lib", {}, "lib/index.js", "/app/lib"),
        ("rimraf dist && tsc && tsc-alias", {}, "dist/index.js", "/app/dist"),
        ("node -e \"fs.rmSync('dist', {recursive: true})\" && tsc", {}, "dist/index.js", "/app/dist"),
        ("npm run clean && npm run compile", {}, "dist/index.js", "/app/dist"),
        ("nest build", {"nest-cli.json": '{"sourceRoot": "src"}'}, "dist/main", "/app/dist"),
        ("esbuild src/index.ts --bundle --platform=node --outdir=out", {}, "out/index.js", "/app/out"),
        (
            "tsup src/index.ts",
            {"tsup.config.ts": "export default { outDir: 'bundle' }"},
            "bundle/index.js",
            "/app/bundle",
        ),
        ("babel src --out-dir lib", {}, "lib/index.js", "/app/lib"),
        ("swc src -d build", {}, "build/index.js", "/app/build"),
        (
            "webpack",
            {"webpack.config.js": "module.exports = {output: {path: path.resolve(__dirname, 'bin')}}"},
            "bin/main.js",
            "/app/bin",
        ),
        ("ncc build src/index.ts -o release", {}, "release/index.js", "/app/release"),
        ("run-s compile", {}, "dist/index.js", "/app/dist"),
        ("cross-env NODE_OPTIONS=--max-old-space-size=4096 tsc", {}, "dist/index.js", "/app/dist"),
        ("tsc --build", {"tsconfig.json": TSCONFIG}, "dist/index.js", "/app/dist"),
    ],
)
def test_output_folder_comes_from_the_tools_settings(build: str, extra: dict[str, str], start: str, kept: str) -> None:
    tools = dict.fromkeys(["typescript", "rimraf", "tsc-alias", "@nestjs/cli", "esbuild", "tsup",
    "@babel/cli", "@swc/cli",
                           "webpack-cli", "@vercel/ncc", "npm-run-all", "cross-env"], "1.0.0")  # fmt: skip
    files = typescript_api(**extra)
    files["package.json"] = package(
        scripts={"build": build, "clean": "rimraf dist", "compile": "tsc"},
        dependencies=EXPRESS,
        devDependencies=tools,
    )
    del files["package-lock.json"]
    after = splits(TYPESCRIPT.replace("dist/index.js", start), files)
    assert f"COPY --from=builder {kept} ./" in after
    assert "/app/src" not in after


def test_unknown_output_copies_the_whole_folder_after_pruning() -> None:
    files = typescript_api(**{"build.js": "require('fs').writeFileSync('dist/index.js', '')\n"})
    files["package.json"] = package(
        scripts={"build": "node build.js"}, dependencies=EXPRESS, devDependencies={"typescript": "^5.0.0"}
    )
    after = splits(TYPESCRIPT, files)
    assert "COPY --from=builder /app .\n" in after
    assert "RUN npm prune --omit=dev" in after


def test_unknown_output_in_the_root_folder_is_refused() -> None:
    files = typescript_api(**{"build.js": ""})
    files["package.json"] = package(scripts={"build": "node build.js"}, dependencies=EXPRESS)
    text = TYPESCRIPT.replace("WORKDIR /app\n", "")
    assert "the application lives in /" in refuses(text, files)


def test_an_application_in_the_root_folder_is_copied_part_by_part() -> None:
    files = typescript_api(**{"views/home.ejs": "<p>", "src/index.ts": SERVER + "app.set('views', 'views')\n"})
    after = splits(TYPESCRIPT.replace("    WORKDIR /app\n", ""), files)
    assert "COPY --from=builder /dist /dist\n" in after
    assert "COPY --from=builder /node_modules /node_modules\n" in after
    assert "COPY --from=builder /views /views\n" in after
    assert "COPY --from=builder / " not in after


def test_a_folder_in_the_root_that_is_the_systems_is_refused() -> None:
    files = typescript_api(**{"bin/www": "#!/usr/bin/env node\n"})
    assert "/bin, which is the system's" in refuses(TYPESCRIPT.replace("    WORKDIR /app\n", ""), files)


def test_files_opened_at_run_time_go_along_and_build_files_do_not() -> None:
    files = typescript_api(
        **{
            "views/index.ejs": "<p>hello</p>",
            "public/style.css": "",
            "config/cities.json": "{}",
            "migrations/001.sql": "",
            "prompts/system.txt": "be kind",
            "README.md": "",
            ".eslintrc.json": "{}",
            "jest.config.js": "",
            "tests/app.test.ts": "",
            "docs/api.md": "",
            "src/mail/welcome.html": "",
            "Dockerfile": "FROM node:20",
            "src/index.ts": SERVER + "app.set('views', 'views'); readFileSync('config/cities.json')\n",
        }
    )
    after = splits(TYPESCRIPT, files)
    for name in ("views", "public", "config", "migrations", "prompts"):
        assert f"COPY --from=builder /app/{name} ./{name}\n" in after
    for name in ("README", "eslintrc", "jest", "tests", "docs", "src", "tsconfig", "lock.json ./\nRUN", "Dockerfile"):
        assert name not in after.split("AS runner")[1]


def test_sources_named_from_the_working_folder_stay() -> None:
    files = typescript_api(
        **{
            "src/mail/welcome.html": "",
            "src/index.ts": SERVER + "readFileSync(path.join(process.cwd(), 'src/mail/welcome.html'))\n",
        }
    )
    assert "COPY --from=builder /app/src ./src\n" in splits(TYPESCRIPT, files)


def test_a_start_that_no_build_writes_is_refused() -> None:
    text = TYPESCRIPT.replace("dist/index.js", "build/server.js")
    because = refuses(text, typescript_api())
    assert "/app/build/server.js, which no build step is known to write" in because


@pytest.mark.parametrize(
    ("script", "because"),
    [
        ("nodemon src/index.ts", "nodemon, which restarts on changes"),
        ("tsx src/index.ts", "tsx, which compiles at start"),
        ("node -r ts-node/register src/index.ts", "ts-node, which compiles at start"),
        ("nest start --watch", "nest start, a development server"),
        ("vite preview --host", "a front end needs another server"),
        ("react-scripts start", "a front end needs another server"),
        ("ng serve", "a front end needs another server"),
        ("next dev", "a front end needs another server"),
        ("npm install && node dist/index.js", "installs packages when the container starts"),
        ("tsc && node dist/index.js", "builds when the container starts"),
    ],
)
def test_development_servers_are_refused_by_name(script: str, because: str) -> None:
    tools = dict.fromkeys(["typescript", "nodemon", "tsx", "ts-node", "@nestjs/cli", "vite", "react-scripts"], "*")
    files = typescript_api()
    files["package.json"] = package(
        scripts={"build": "tsc", "start": script}, dependencies=EXPRESS, devDependencies=tools
    )
    assert because in refuses(TYPESCRIPT.replace('["node", "dist/index.js"]', '["npm", "start"]'), files)


def test_a_start_through_a_development_dependency_keeps_node_modules_whole() -> None:
    dev = {"typescript": "^5.0.0", "cross-env": "^7.0.0"}
    files = typescript_api()
    files["package.json"] = package(
        scripts={"build": "tsc", "start": "cross-env A=1 node dist/index.js"}, dependencies=EXPRESS, devDependencies=dev
    )
    text = TYPESCRIPT.replace('["node", "dist/index.js"]', "npx cross-env-shell node dist/index.js")
    assert "prune" in splits(text, files)  # cross-env is followed to node; its own call is next
    files["package.json"] = package(
        scripts={"build": "tsc", "start": "db-migrate up && node dist/index.js"},
        dependencies=EXPRESS,
        devDependencies={**dev, "db-migrate": "1.0.0"},
    )
    after = splits(TYPESCRIPT.replace('["node", "dist/index.js"]', '["npm", "start"]'), files)
    assert "prune" not in after
    assert "COPY --from=builder /app/node_modules ./node_modules" in after


def test_an_import_of_a_development_dependency_keeps_node_modules_whole() -> None:
    files = typescript_api(**{"src/index.ts": SERVER + "import chalk from 'chalk'\n"})
    files["package.json"] = package(
        scripts={"build": "tsc"}, dependencies=EXPRESS, devDependencies={"typescript": "^5.0.0", "chalk": "^4.0.0"}
    )
    assert "prune" not in splits(TYPESCRIPT, files)
    files["src/index.ts"] = SERVER + "import type { Chalk } from 'chalk'\n"
    assert "RUN npm prune --omit=dev" in splits(TYPESCRIPT, files)


def test_a_bundle_has_its_imports_inside() -> None:
    files = typescript_api(**{"src/index.ts": SERVER + "import chalk from 'chalk'\n"})
    files["package.json"] = package(
        scripts={"build": "esbuild src/index.ts --bundle --platform=node --outdir=dist"},
        dependencies=EXPRESS,
        devDependencies={"esbuild": "*", "chalk": "^4.0.0"},
    )
    assert "prune" in splits(TYPESCRIPT, files)


def test_old_npm_prunes_by_its_own_option() -> None:
    after = splits(TYPESCRIPT.replace("node:20", "node:14"), typescript_api())
    assert "RUN npm prune --production" in after
    assert "FROM node:14-slim AS runner" in after


def test_peer_dependency_option_reaches_the_prune() -> None:
    after = splits(TYPESCRIPT.replace("npm install", "npm install --legacy-peer-deps"), typescript_api())
    assert "RUN npm prune --omit=dev --legacy-peer-deps" in after


def test_slim_base_without_anything_to_leave_out_is_not_split() -> None:
    files = typescript_api()
    files["package.json"] = package(scripts={"build": "tsc"}, dependencies={**EXPRESS, "typescript": "^5.0.0"})
    assert "would not get smaller" in refuses(TYPESCRIPT.replace("node:20", "node:20-slim"), files)


def test_alpine_stays_alpine() -> None:
    after = splits(TYPESCRIPT.replace("node:20", "node:20-alpine"), typescript_api())
    assert "FROM node:20-alpine AS runner" in after


def test_plain_javascript_without_a_build_is_not_split() -> None:
    text = TYPESCRIPT.replace("    RUN npm run build\n", "").replace("dist/index.js", "server.js")
    files = {"package.json": package(dependencies=EXPRESS), "server.js": "require('express')\n"}
    assert Node().split(reading(text, files), None) is None


def test_a_native_module_is_built_on_the_full_image() -> None:
    wanted = {"bcrypt": "^6.0.0"}
    files = {
        "package.json": package(dependencies=wanted),
        "package-lock.json": npm_lock(wanted, more={"node_modules/bcrypt": {"hasInstallScript": True}}),
        "server.js": "require('bcrypt')\n",
        "lib/users.js": "",
    }
    text = TYPESCRIPT.replace("    RUN npm run build\n", "").replace("dist/index.js", "server.js")
    after = splits(text, files)
    assert "FROM node:20 AS builder" in after
    assert "FROM node:20-slim AS runner" in after
    assert "COPY --from=builder /app/server.js ./" in after
    assert "COPY --from=builder /app/lib ./lib" in after


def test_install_scripts_that_compile_nothing_need_no_builder() -> None:
    wanted = {"core-js": "^3.0.0"}
    files = {
        "package.json": package(dependencies=wanted),
        "package-lock.json": npm_lock(wanted, more={"node_modules/core-js": {"hasInstallScript": True}}),
        "server.js": "",
    }
    text = TYPESCRIPT.replace("    RUN npm run build\n", "").replace("dist/index.js", "server.js")
    assert Node().split(reading(text, files), None) is None


def test_an_unknown_compiled_package_keeps_the_full_image() -> None:
    wanted = {"strange-native": "^1.0.0", **EXPRESS}
    dev = {"typescript": "^5.0.0"}
    files = typescript_api()
    files["package.json"] = package(scripts={"build": "tsc"}, dependencies=wanted, devDependencies=dev)
    files["package-lock.json"] = npm_lock(
        wanted, dev, more={"node_modules/strange-native": {"hasInstallScript": True, "dependencies": {"nan": "^2.0.0"}}}
    )
    assert "FROM node:20 AS runner" in splits(TYPESCRIPT, files)


def test_compilers_of_a_slim_image_stay_in_the_builder() -> None:
    wanted = {"bcrypt": "^5.0.0"}
    files = {
        "package.json": package(dependencies=wanted),
        "package-lock.json": npm_lock(wanted, more={"node_modules/bcrypt": {"hasInstallScript": True}}),
        "server.js": "require('bcrypt')\n",
    }
    text = """
        FROM node:20-slim
        RUN apt-get update && apt-get install -y python3 make g++ curl
        WORKDIR /app
        COPY . .
        RUN npm ci
        HEALTHCHECK CMD curl -f http://localhost:3000/
        CMD ["node", "server.js"]
        """
    builder, runner = splits(text, files).split("\nFROM ")
    assert "python3 make g++" in builder
    assert "curl" in runner
    assert "g++" not in runner


def test_nothing_of_what_only_another_projects_build_installed_goes_along() -> None:
    files = {
        "package.json": package(scripts={"start": "node server.js"}, dependencies=EXPRESS),
        "server.js": "require('express').static(require('path').join(__dirname, 'client/build'))\n",
        "client/package.json": package(scripts={"build": "react-scripts build"}, dependencies={"react-scripts": "5"}),
        "client/src/App.js": "",
        "client/public/index.html": "",
    }
    text = """
        FROM node:20
        WORKDIR /srv
        COPY . .
        RUN npm install
        RUN cd client && npm install && npm run build
        CMD ["npm", "start"]
        """
    after = splits(text, files)
    assert "COPY --from=builder /srv/client/build ./client/build\n" in after
    assert "client/node_modules" not in after
    assert "client/src" not in after


def test_a_workspace_member_brings_its_own_dependencies_along() -> None:
    files = {
        "package.json": package(
            workspaces=["packages/*", "apps/*"],
            scripts={"build": "npm run build -w @x/lib && npm run build -w @x/api"},
            devDependencies={"typescript": "5"},
        ),
        "packages/lib/package.json": json.dumps(
            {"name": "@x/lib", "main": "dist/index.js", "scripts": {"build": "tsc"}}
        ),
        "packages/lib/tsconfig.json": TSCONFIG,
        "packages/lib/src/index.ts": "export const a = 1\n",
        "packages/other/package.json": '{"name": "@x/other"}',
        "packages/other/big.txt": "",
        "apps/api/package.json": json.dumps(
            {"name": "@x/api", "scripts": {"build": "tsc"}, "dependencies": {"@x/lib": "*"}}
        ),
        "apps/api/tsconfig.json": TSCONFIG,
        "apps/api/src/index.ts": "import '@x/lib'\n",
    }
    text = """
        FROM node:20
        WORKDIR /repo
        COPY . .
        RUN npm install && npm run build
        WORKDIR /repo/apps/api
        CMD ["node", "dist/index.js"]
        """
    runner = splits(text, files).split("AS runner")[1]
    for path in ("/repo/node_modules", "/repo/packages/lib", "/repo/apps/api", "/repo/package.json"):
        assert path in runner
    assert "other" not in runner


def test_next_standalone_needs_no_packages() -> None:
    files = {
        "package.json": package(scripts={"build": "next build"}, dependencies={"next": "15"}),
        "next.config.js": "module.exports = { output: 'standalone' }",
        "app/page.js": "",
    }
    text = TYPESCRIPT.replace("dist/index.js", ".next/standalone/server.js")
    runner = splits(text, files).split("AS runner")[1]
    assert "COPY --from=builder /app/.next/standalone ./.next/standalone\n" in runner
    assert "node_modules" not in runner


def test_next_start_needs_its_settings_public_files_and_packages_but_no_cache() -> None:
    files = {
        "package.json": package(
            scripts={"build": "next build", "start": "next start"},
            dependencies={"next": "15"},
            devDependencies={"eslint": "9"},
        ),
        "next.config.js": "module.exports = {}",
        "public/logo.svg": "",
        "pages/index.jsx": "",
    }
    after = splits(TYPESCRIPT.replace('["node", "dist/index.js"]', '["npm", "start"]'), files)
    builder, runner = after.split("AS runner")
    assert "RUN npm prune --omit=dev \\\n    && rm -rf .next/cache\n" in builder
    for name in ("node_modules", ".next", "public", "next.config.js"):
        assert f"/app/{name}" in runner
    assert "/app/pages" not in runner


def test_a_global_static_server_serves_the_build_alone() -> None:
    files = {
        "package.json": package(scripts={"build": "vite build"}, devDependencies={"vite": "5"}),
        "index.html": "",
        "src/main.js": "",
    }
    text = """
        FROM node:20
        WORKDIR /app
        COPY . .
        RUN npm install
        RUN npm run build
        RUN npm install -g serve
        CMD ["serve", "-s", "dist", "-l", "3000"]
        """
    runner = splits(text, files).split("AS runner")[1]
    assert "RUN npm install -g serve" in runner
    assert "COPY --from=builder /app/dist ./dist" in runner
    assert "node_modules" not in runner


def test_pnpm_through_corepack_as_start_is_refused_and_by_node_is_split() -> None:
    files = typescript_api(**{"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    text = """
        FROM node:20
        WORKDIR /app
        RUN corepack enable
        COPY . .
        RUN pnpm install
        RUN pnpm build
        CMD ["pnpm", "start"]
        """
    assert "corepack" in refuses(text, files)
    after = splits(text.replace('["pnpm", "start"]', '["node", "dist/index.js"]'), files)
    assert "RUN pnpm prune --prod" in after
    assert "corepack" not in after.split("AS runner")[1]


def test_yarn_1_installs_production_packages_beside_the_builder() -> None:
    files = typescript_api(**{"yarn.lock": yarn_lock({**EXPRESS, "typescript": "^5.0.0"})})
    del files["package-lock.json"]
    text = TYPESCRIPT.replace("package*.json", "package.json yarn.lock")
    text = text.replace("npm install", "yarn install").replace("npm run", "yarn")
    runner = splits(text, files).split("AS runner")[1]
    assert "COPY package.json yarn.lock ./\nRUN yarn install --frozen-lockfile --production" in runner
    assert "/app/node_modules" not in runner


def test_the_owner_of_the_application_is_kept() -> None:
    text = """
        FROM node:20
        WORKDIR /app
        COPY --chown=node:node . .
        USER node
        RUN npm install && npm run build
        CMD ["node", "dist/index.js"]
        """
    runner = splits(text, typescript_api()).split("AS runner")[1]
    assert "COPY --from=builder --chown=node:node /app/dist ./dist" in runner
    assert "USER node" in runner


def test_what_is_outside_of_the_application_is_copied_again() -> None:
    files = typescript_api(**{"docker/entry.sh": '#!/bin/sh\nexec "$@"\n'})
    text = """
        FROM node:20
        WORKDIR /app
        COPY docker/entry.sh /usr/local/bin/entry.sh
        RUN chmod +x /usr/local/bin/entry.sh
        COPY . .
        RUN npm install && npm run build
        ENTRYPOINT ["entry.sh"]
        CMD ["node", "dist/index.js"]
        """
    runner = splits(text, files).split("AS runner")[1]
    assert "COPY --from=builder /usr/local/bin/entry.sh /usr/local/bin/entry.sh" in runner
    assert "chmod" not in runner
    given = splits(text.replace("COPY . .", "COPY --chown=node:node . ."), files).split("AS runner")[1]
    assert "COPY --from=builder /usr/local/bin/entry.sh /usr/local/bin/entry.sh" in given
    assert "COPY --from=builder --chown=node:node /app/dist ./dist" in given


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("RUN cp -r dist /srv/dist", "COPY --from=builder /srv/dist /srv/dist\n"),
        (
            "RUN curl -fsSLo /usr/local/bin/t https://example.com/t",
            "COPY --from=builder /usr/local/bin/t /usr/local/bin/t\n",
        ),
        ("RUN npm run build && mkdir -p /data", "RUN mkdir -p /data\n"),
        ("RUN ln -s /app/dist/cli.js /usr/local/bin/cli", "RUN ln -s /app/dist/cli.js /usr/local/bin/cli\n"),
        ("RUN chown node:node /app", "RUN chown node:node /app\n"),
        ("COPY rootfs /", "COPY rootfs /\n"),
        ("COPY --from=busybox /bin/sh /app/bin/sh\n    RUN node -v", "COPY --from=busybox /bin/sh /app/bin/sh\n"),
    ],
)
def test_what_a_step_puts_elsewhere_goes_along(line: str, kept: str) -> None:
    text = TYPESCRIPT.replace("    EXPOSE", f"    {line}\n    EXPOSE")
    assert kept in splits(text, typescript_api(**{"rootfs/etc/x.conf": ""})).split("AS runner")[1]


def test_an_output_that_is_moved_is_copied_from_its_new_place_alone() -> None:
    text = TYPESCRIPT.replace("    EXPOSE", "    RUN mv dist build\n    EXPOSE").replace("dist/index", "build/index")
    runner = splits(text, typescript_api()).split("AS runner")[1]
    assert "COPY --from=builder /app/build ./build\n" in runner
    assert "/app/dist" not in runner


def test_a_link_that_a_build_step_makes_is_refused() -> None:
    text = TYPESCRIPT.replace("npm run build", "npm run build && ln -s /app/dist/cli.js /usr/local/bin/cli")
    assert "also sets the system up (ln)" in refuses(text, typescript_api())


def test_node_env_is_left_alone_where_the_program_decides_by_it() -> None:
    files = typescript_api(**{"src/index.ts": SERVER + "const db = config[process.env.NODE_ENV || 'development']\n"})
    assert "NODE_ENV" not in splits(TYPESCRIPT, files)


def test_prisma_brings_openssl() -> None:
    wanted = {**EXPRESS, "@prisma/client": "^5.0.0"}
    files = typescript_api(**{"prisma/schema.prisma": 'generator client { provider = "prisma-client-js" }\n'})
    files["package.json"] = package(
        scripts={"build": "prisma generate && tsc"},
        dependencies=wanted,
        devDependencies={"prisma": "5", "typescript": "5"},
    )
    del files["package-lock.json"]
    runner = splits(TYPESCRIPT, files).split("AS runner")[1]
    assert "openssl" in runner
    assert "/app/prisma" in runner


def test_programs_that_the_sources_call_are_installed() -> None:
    files = typescript_api(**{"src/index.ts": SERVER + "execSync('git log')\n"})
    assert "git" in splits(TYPESCRIPT, files).split("AS runner")[1]


@pytest.mark.parametrize(
    ("runner", "image"),
    [
        ("slim", "node:20-slim"),
        ("alpine", "node:20-alpine"),
        ("distroless", "gcr.io/distroless/nodejs20-debian12:nonroot"),
    ],
)
def test_a_pure_lockfile_takes_the_wished_runner(runner: str, image: str) -> None:
    answer = Node().split(reading(TYPESCRIPT.replace("npm install", "npm ci"), typescript_api()), runner)
    assert not isinstance(answer, Refused), answer
    assert answer is not None
    assert answer.runner_image == image


def test_runners_that_the_facts_do_not_carry_are_refused() -> None:
    files = typescript_api()
    files["package-lock.json"] = npm_lock(
        EXPRESS, {"typescript": "^5.0.0"}, more={"node_modules/express": {"hasInstallScript": True}}
    )
    assert "express runs an install script" in refuses(TYPESCRIPT, files, "alpine")
    assert "scratch has not" in refuses(TYPESCRIPT, files, "scratch")
    shell = TYPESCRIPT.replace('["node", "dist/index.js"]', "node dist/index.js")
    assert "no shell" in refuses(shell, typescript_api(), "distroless")


def test_a_digest_or_another_image_is_refused_by_name() -> None:
    digest = "node:20@sha256:" + "a" * 64
    assert "digest" in refuses(TYPESCRIPT.replace("node:20", digest), typescript_api())
    other = refuses(TYPESCRIPT.replace("node:20", "example.com/base:1"), typescript_api())
    assert "example.com/base:1 is no official image of Node or Bun" in other


def test_a_context_that_is_not_known_is_said() -> None:
    file = parse(dockerfile(TYPESCRIPT).encode())
    answer = Node().split(StageReading(file, file.stages[0], BuildContext.unknown("read from stdin")), None)
    assert isinstance(answer, Refused)
    assert "read from stdin" in answer.because


def test_what_a_run_removes_or_makes_is_followed() -> None:
    files = typescript_api(**{"samples/a.json": "", "settings.sample.json": "{}", "old/x.txt": ""})
    text = """
        FROM node:20
        WORKDIR /app
        COPY . .
        RUN npm install && npm run build
        RUN rm -rf samples && cp settings.sample.json settings.json && echo 1 > version.txt
        CMD ["node", "dist/index.js"]
        """
    runner = splits(text, files).split("AS runner")[1]
    assert "samples" not in runner
    assert "/app/settings.json" in runner
    assert "/app/version.txt" in runner
    assert "/app/old" in runner
    glob = splits(text.replace("rm -rf samples", "rm -rf sam*"), files).split("AS runner")[1]
    assert "COPY --from=builder /app .\n" in glob


def test_a_program_without_packages_has_no_node_modules_to_copy() -> None:
    files = typescript_api()
    files["package.json"] = package(scripts={"build": "tsc"}, devDependencies={"typescript": "5"})
    files["src/index.ts"] = "import http from 'http'\n"
    assert "node_modules" not in splits(TYPESCRIPT, files)


def test_the_authors_own_prune_is_enough() -> None:
    text = TYPESCRIPT.replace("RUN npm run build", "RUN npm run build && npm prune --production")
    after = splits(text, typescript_api())
    assert "npm prune --omit=dev" not in after
    second = TYPESCRIPT.replace(
        "RUN npm run build", "RUN npm run build\n    RUN rm -rf node_modules && npm ci --omit=dev"
    )
    assert "npm prune" not in splits(second, typescript_api())


def test_pm2_starts_what_its_settings_name() -> None:
    files = typescript_api(**{"ecosystem.config.js": "module.exports = { apps: [{ script: 'dist/index.js' }] }\n"})
    text = TYPESCRIPT.replace("    EXPOSE", "    RUN npm install -g pm2\n    EXPOSE")
    text = text.replace('["node", "dist/index.js"]', '["pm2-runtime", "ecosystem.config.js"]')
    runner = splits(text, files).split("AS runner")[1]
    assert "RUN npm install -g pm2" in runner
    # An edit of a source does not install it again.
    assert runner.index("RUN npm install -g pm2") < runner.index("COPY --from=builder")
    assert "/app/ecosystem.config.js" in runner
    assert "COPY --from=builder /app/dist ./dist" in runner


def test_server_and_front_end_of_one_package() -> None:
    files = {
        "package.json": package(
            scripts={"build": "vite build", "start": "node server/index.js"},
            dependencies=EXPRESS,
            devDependencies={"vite": "6", "vue": "3"},
        ),
        "server/index.js": "const express = require('express')\nrequire('./routes')\nexpress.static('dist')\n",
        "server/routes.js": "",
        "src/App.vue": "import { ref } from 'vue'",
        "index.html": "",
        "vite.config.js": "",
    }
    runner = splits(TYPESCRIPT.replace("dist/index.js", "server/index.js"), files).split("AS runner")[1]
    for path in ("/app/server", "/app/dist", "/app/node_modules"):
        assert path in runner
    for path in ("/app/src", "index.html", "vite.config"):
        assert path not in runner


def test_plain_javascript_that_a_front_end_build_takes_in_stays_behind() -> None:
    files = {
        "package.json": package(
            scripts={"build": "vite build", "start": "node server.js"},
            dependencies=EXPRESS,
            devDependencies={"vite": "6"},
        ),
        "index.html": '<script type="module" src="/client/main.js"></script>',
        "client/main.js": "",
        "shared/text.js": "",
        "server.js": "require('express'); require('./shared/text')\n",
    }
    runner = splits(TYPESCRIPT.replace("dist/index.js", "server.js"), files).split("AS runner")[1]
    assert "/app/client" not in runner
    assert "/app/shared" in runner
    files["server.js"] += "require('./client/main')\n"
    assert "/app/client" in splits(TYPESCRIPT.replace("dist/index.js", "server.js"), files).split("AS runner")[1]


def test_an_application_below_the_root_of_the_context() -> None:
    files = {f"backend/{path}": text for path, text in typescript_api(**{"views/a.ejs": ""}).items()}
    text = """
        FROM node:20
        WORKDIR /srv/api
        COPY backend/package*.json ./
        RUN npm ci
        COPY backend/ .
        RUN npm run build
        CMD ["node", "dist/index.js"]
        """
    runner = splits(text, files).split("AS runner")[1]
    assert "COPY --from=builder /srv/api/views ./views" in runner
    assert "COPY --from=builder /srv/api/dist ./dist" in runner


def test_steps_between_that_cannot_be_explained_are_refused_by_line() -> None:
    for wanted in ("git clone https://example.com/x.git", "pip install flask", "wget -qO- https://example.com/x"):
        text = TYPESCRIPT.replace("    COPY . .", f"    RUN {wanted}\n    COPY . .")
        assert f"what `{wanted.split()[0]}` on line 5 brings into" in refuses(text, typescript_api())
    text = TYPESCRIPT.replace("    COPY . .", "    RUN curl -sSL https://example.com/x.sh | sh\n    COPY . .")
    assert "what `curl` on line 5 brings into the image is not known" in refuses(text, typescript_api())
    text = TYPESCRIPT.replace("    COPY . .", "    RUN cp package.json /opt/p.json\n    COPY . .")
    assert "COPY --from=builder /opt/p.json /opt/p.json\n" in splits(text, typescript_api())


def test_alpine_is_refused_where_the_runner_installs_debian_packages() -> None:
    text = TYPESCRIPT.replace("npm install", "npm ci").replace(
        "    EXPOSE", "    RUN apt-get update && apt-get install -y ffmpeg\n    EXPOSE"
    )
    assert "ffmpeg" in refuses(text, typescript_api(), "alpine")


def test_plug_and_play_is_refused() -> None:
    files = typescript_api(
        **{
            "yarn.lock": '__metadata:\n  version: 8\n\n"app@workspace:.":\n  resolution: "app@workspace:."\n',
            ".yarnrc.yml": "enableTelemetry: false\n",
        }
    )
    text = TYPESCRIPT.replace("package*.json", "package.json yarn.lock .yarnrc.yml").replace("npm", "yarn")
    assert "nodeLinker" in refuses(text, files)
    files[".yarnrc.yml"] = "nodeLinker: node-modules\n"
    files["package.json"] = json.dumps({**json.loads(files["package.json"]), "packageManager": "yarn@4.1.0"})
    assert "RUN yarn workspaces focus --all --production" in splits(text, files)


# Installs


def manifests(text: str, files: Mapping[str, str | bytes]) -> tuple[str, ...] | str:
    (answer,) = Node().installs(reading(text, files))
    return answer.manifests if isinstance(answer, Install) else answer[1].because


COPY_FIRST = """
    FROM node:20
    WORKDIR /app
    COPY . .
    RUN npm install
    CMD ["node", "server.js"]
    """


def test_an_install_reads_manifest_lockfile_and_settings() -> None:
    files = {"package.json": package(), "package-lock.json": "{}", ".npmrc": "", "server.js": "", "yarn.lock": ""}
    assert manifests(COPY_FIRST, files) == ("package.json", "package-lock.json", ".npmrc")


def test_yarn_berry_reads_its_folder() -> None:
    files = {
        "package.json": package(packageManager="yarn@4.1.0"),
        "yarn.lock": "__metadata:\n  version: 8\n",
        ".yarnrc.yml": "nodeLinker: node-modules\n",
        ".yarn/releases/yarn-4.1.0.cjs": "",
    }
    assert manifests(COPY_FIRST.replace("npm", "yarn"), files) == (
        "package.json",
        "yarn.lock",
        ".yarnrc.yml",
        ".yarn",
    )


def test_an_install_reads_patches_the_prisma_schema_and_scripts_that_open_nothing() -> None:
    files = {
        "package.json": package(
            scripts={"postinstall": "patch-package && node scripts/hello.js"},
            dependencies={"@prisma/client": "5"},
        ),
        "patches/left-pad+1.0.0.patch": "",
        "prisma/schema.prisma": "",
        "scripts/hello.js": "console.log(require('./text'))\n",
        "scripts/text.js": "module.exports = 'hello'\n",
        "server.js": "",
    }
    assert set(manifests(COPY_FIRST, files)) == {
        "package.json",
        "patches",
        "prisma/schema.prisma",
        "scripts/hello.js",
        "scripts/text.js",
    }


@pytest.mark.parametrize(
    ("scripts", "because"),
    [
        ({"prepare": "tsc"}, "`prepare` of package.json runs `tsc`, which may read the sources"),
        ({"postinstall": "npm run build", "build": "vite build"}, "runs `vite build`"),
        ({"prepare": "node tools/build.js"}, "runs tools/build.js, which reads other files"),
        ({"preinstall": "node missing.js"}, "missing.js, which is not in the build context"),
        (
            {"postinstall": "node tools/broken.js"},
            "tools/broken.js, which cannot be read: `(` and `)` do not match",
        ),
        ({"postinstall": "node tools/binary.js"}, "which cannot be read: tools/binary.js is no source"),
        ({"postinstall": "node tools/hidden.js"}, "runs tools/hidden.js, which "),
        ({"prepare": "node tools/far.js"}, "runs tools/far.js, whose tools/broken.js cannot be read"),
        (
            {"prepare": "node tools/foreign.js"},
            "tools/foreign.js, which uses svgo, and what that reads is not known",
        ),
        ({"prepare": "node tools/first.coffee"}, "tools/first.coffee, which is in a language that is not read"),
        ({"prepare": "node -e \"require('fs').copyFileSync('a', 'b')\""}, "which may read the sources"),
    ],
)
def test_install_scripts_that_read_sources_are_refused(scripts: dict[str, str], because: str) -> None:
    files = {
        "package.json": package(scripts=scripts),
        "tools/build.js": "require('fs').readFileSync('x')\n",
        "tools/broken.js": "(((",
        "tools/binary.js": "\0",
        "tools/hidden.js": "name.replace(/\\/*$/, '')\nrequire('fs').readFileSync('x')\n",
        "tools/far.js": "require('./broken')\n",
        "tools/foreign.js": "require('svgo').optimize()\n",
        "tools/first.coffee": "console.log 1\n",
        "server.js": "",
    }
    assert because in str(manifests(COPY_FIRST, files))


@pytest.mark.parametrize(
    "script", ["husky", "husky install || true", "npx only-allow pnpm", "svelte-kit sync || echo ''"]
)
def test_install_scripts_that_read_nothing_are_no_hindrance(script: str) -> None:
    files = {"package.json": package(scripts={"prepare": script}), "server.js": ""}
    assert manifests(COPY_FIRST, files) == ("package.json",)


def test_scripts_that_are_not_run_do_not_matter() -> None:
    files = {"package.json": package(scripts={"prepare": "tsc"}), "server.js": ""}
    assert manifests(COPY_FIRST.replace("install", "install --ignore-scripts"), files) == ("package.json",)


def test_npm_works_on_the_nearest_folder_above() -> None:
    text = COPY_FIRST.replace("WORKDIR /app\n    COPY . .", "COPY . .\n    WORKDIR /app")
    files = {"package.json": package(), "server.js": ""}
    (install,) = Node().installs(reading(text, files))
    assert isinstance(install, Install)
    assert install.folder == "/"


def test_installs_in_other_folders_are_found() -> None:
    text = """
        FROM node:20
        WORKDIR /app
        COPY . .
        RUN npm --prefix server ci && cd client && npm ci
        CMD ["node", "server/index.js"]
        """
    files = {"server/package.json": package(), "client/package.json": package(), "server/index.js": ""}
    found = [install for install in Node().installs(reading(text, files)) if isinstance(install, Install)]
    assert [(install.folder, install.manifests) for install in found] == [
        ("/app/server", ("server/package.json",)),
        ("/app/client", ("client/package.json",)),
    ]


def test_a_missing_or_broken_manifest_is_named() -> None:
    assert "no package.json that is known" in str(manifests(COPY_FIRST, {"server.js": ""}))
    assert "package.json cannot be read" in str(manifests(COPY_FIRST, {"package.json": "{", "server.js": ""}))


# Production installs


def production(text: str, files: Mapping[str, str | bytes]) -> tuple[list[str], list[str]]:
    """New texts of the installs, and the reasons against others."""
    answers = Node().production_install(reading(text, files))
    texts = [answer.text for answer in answers if isinstance(answer, Rewrite)]
    return texts, [answer[1].because for answer in answers if not isinstance(answer, Rewrite)]


PLAIN = """
    FROM node:20
    WORKDIR /app
    COPY package.json package-lock.json ./
    RUN npm install
    COPY . .
    CMD ["npm", "start"]
    """


def express(**changes: str) -> dict[str, str]:
    dev = {"nodemon": "^3.0.0"}
    return {
        "package.json": package(
            scripts={"start": "node server.js", "dev": "nodemon server.js"}, dependencies=EXPRESS, devDependencies=dev
        ),
        "package-lock.json": npm_lock(EXPRESS, dev),
        "server.js": "const express = require('express')\n",
        **changes,
    }


def test_a_matching_lockfile_gives_npm_ci_without_development_dependencies() -> None:
    assert production(PLAIN, express()) == (["npm ci --omit=dev"], [])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("npm i", "npm ci --omit=dev"),
        ("npm install --no-audit --no-fund", "npm ci --no-audit --no-fund --omit=dev"),
        ("npm install --production", "npm ci --production"),
        ("npm install --only=production", "npm ci --only=production"),
        ("npm ci", "npm ci --omit=dev"),
        ("NODE_ENV=production npm install", "NODE_ENV=production npm ci --omit=dev"),
    ],
)
def test_options_of_the_install_stay(written: str, expected: str) -> None:
    assert production(PLAIN.replace("npm install", written), express())[0] == [expected]


@pytest.mark.parametrize("written", ["npm ci --omit=dev", "npm ci --only=production", "npm ci --production"])
def test_what_is_production_already_stays(written: str) -> None:
    assert production(PLAIN.replace("npm install", written), express()) == ([], [])


def test_old_npm_has_another_option() -> None:
    files = express(**{"package-lock.json": npm_lock(EXPRESS, {"nodemon": "^3.0.0"}, version=2)})
    assert production(PLAIN.replace("node:20", "node:14"), files)[0] == ["npm ci --only=production"]


@pytest.mark.parametrize(
    ("changes", "text", "because"),
    [
        ({"package-lock.json": npm_lock({"express": "^3.0.0"})}, PLAIN, "does not match"),
        ({"package-lock.json": "{"}, PLAIN, "cannot be read"),
        (
            {".dockerignore": "package-lock.json\n"},
            PLAIN.replace(" package-lock.json", ""),
            "left out by .dockerignore",
        ),
        (
            {},
            PLAIN.replace("COPY package.json package-lock.json ./", "COPY package.json /app/package.json"),
            "not copied before the install",
        ),
        (
            {"package-lock.json": npm_lock({"express": "^3.0.0"})},
            PLAIN.replace(" package-lock.json", ""),
            "does not match",
        ),
        (
            {"package-lock.json": npm_lock(EXPRESS, {"nodemon": "^3.0.0"}, version=3)},
            PLAIN.replace("node:20", "node:14"),
            "of version 3",
        ),
        (
            {
                "package-lock.json": npm_lock(
                    EXPRESS, {"nodemon": "^3.0.0"}, more={"node_modules/express": {"peerDependencies": {"ghost": "1"}}}
                )
            },
            PLAIN,
            "lacks ghost",
        ),
    ],
)
def test_lockfiles_that_npm_ci_would_refuse_are_named(changes: dict[str, str], text: str, because: str) -> None:
    texts, reasons = production(text, express(**changes))
    assert any(because in reason for reason in reasons), reasons
    assert not any("ci" in new.split() for new in texts)


def test_an_old_lockfile_is_not_trusted_to_a_new_npm() -> None:
    locked = {"express": {"version": "4.21.2"}, "nodemon": {"version": "3.0.0"}}
    lock = json.dumps({"lockfileVersion": 1, "dependencies": locked})
    texts, reasons = production(PLAIN, express(**{"package-lock.json": lock}))
    assert texts == ["npm install --omit=dev"]
    assert "version 1" in reasons[0]


def test_without_a_lockfile_the_reason_is_named_and_development_dependencies_go() -> None:
    files = express()
    del files["package-lock.json"]
    texts, reasons = production(PLAIN.replace(" package-lock.json", ""), files)
    assert texts == ["npm install --omit=dev"]
    assert "has no lockfile" in reasons[0]


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"scripts": {"start": "nodemon server.js"}}, "runs nodemon, a development dependency"),
        ({"scripts": {"start": "node server.js", "postinstall": "nodemon -v"}}, "runs nodemon"),
        ({"scripts": {"start": "node -r nodemon server.js"}}, "loads nodemon"),
    ],
)
def test_development_dependencies_stay_where_they_are_called(change: dict[str, object], because: str) -> None:
    dev = {"nodemon": "^3.0.0"}
    files = express(**{"package.json": package(dependencies=EXPRESS, devDependencies=dev, **change)})
    texts, reasons = production(PLAIN, files)
    assert texts == ["npm ci"]
    assert because in reasons[0]


def test_an_imported_development_dependency_stays() -> None:
    texts, reasons = production(PLAIN, express(**{"server.js": "require('express'); require('nodemon')\n"}))
    assert texts == ["npm ci"]
    assert "server.js:1 imports nodemon" in reasons[0]


def test_a_build_in_the_stage_keeps_development_dependencies() -> None:
    texts, reasons = production(TYPESCRIPT, typescript_api())
    assert texts == ["npm ci"]
    assert "builds in this stage" in reasons[0]


def test_the_builder_of_a_file_with_stages_installs_everything_by_the_lockfile() -> None:
    text = """
        FROM node:20 AS builder
        WORKDIR /app
        COPY . .
        RUN npm install
        RUN npm run build

        FROM node:20-slim
        WORKDIR /app
        COPY --from=builder /app/dist ./dist
        CMD ["node", "dist/index.js"]
        """
    file = parse(dockerfile(text).encode())
    answers = Node().production_install(StageReading(file, file.stages[0], BuildContext.of(typescript_api())))
    assert [answer.text for answer in answers if isinstance(answer, Rewrite)] == ["npm ci"]


def test_yarn_and_pnpm_have_their_own_words() -> None:
    files = express(**{"yarn.lock": yarn_lock({**EXPRESS, "nodemon": "^3.0.0"})})
    text = PLAIN.replace("package-lock.json", "yarn.lock")
    expected = ["yarn install --frozen-lockfile --production"]
    assert production(text.replace("npm install", "yarn"), files)[0] == expected
    assert production(text.replace("npm install", "yarn install"), files)[0] == expected


def test_a_lockfile_of_another_manager_is_named() -> None:
    files = express(**{"yarn.lock": "# yarn lockfile v1\n"})
    del files["package-lock.json"]
    _, reasons = production(PLAIN.replace(" package-lock.json", ""), files)
    assert "only yarn.lock, which npm does not read" in reasons[0]


# Slim bases


def slims(text: str, files: Mapping[str, str | bytes]) -> Slim | Refused | None:
    return Node().slim(reading(text, files))


def test_a_plain_server_needs_nothing_of_the_full_image() -> None:
    answer = slims(PLAIN, express())
    assert isinstance(answer, Slim)
    assert answer.packages == ()


def test_what_the_health_check_and_the_sources_call_is_added() -> None:
    files = express(**{"server.js": "require('express'); require('child_process').execSync('git log')\n"})
    answer = slims(PLAIN.replace("CMD", "HEALTHCHECK CMD curl -f http://localhost/\n    CMD"), files)
    assert isinstance(answer, Slim)
    assert set(answer.packages) == {"curl", "git"}


@pytest.mark.parametrize(("start", "packages"), [("nest start --watch", ("procps",)), ("nest start", ())])
def test_nest_needs_ps_where_it_restarts_the_program(start: str, packages: tuple[str, ...]) -> None:
    dev = {"@nestjs/cli": "^10.4.0"}
    manifest = package(scripts={"start:dev": start}, devDependencies=dev)
    files = {"package.json": manifest, "package-lock.json": npm_lock({}, dev), "src/main.ts": "console.log(1)\n"}
    answer = slims(PLAIN.replace('CMD ["npm", "start"]', 'CMD ["npm", "run", "start:dev"]'), files)
    assert isinstance(answer, Slim)
    assert answer.packages == packages


def test_packages_that_are_compiled_in_the_stage_refuse_slim() -> None:
    lock = npm_lock(EXPRESS, {"nodemon": "^3.0.0"}, more={"node_modules/bcrypt": {"hasInstallScript": True}})
    answer = slims(PLAIN, express(**{"package-lock.json": lock}))
    assert isinstance(answer, Refused)
    assert "bcrypt may be compiled" in answer.because


def test_the_lockfile_says_that_nothing_is_compiled() -> None:
    manifest = package(dependencies={"own-lib": "1.0.0"}, scripts={"start": "node server.js"})
    files = {"package.json": manifest, "package-lock.json": npm_lock({"own-lib": "1.0.0"}), "server.js": ""}
    answer = slims(PLAIN, files)
    assert isinstance(answer, Slim)
    assert answer.evidence[0] == "read package-lock.json: of 1 packages that it lists, none runs an install script"


SCRIPT = npm_lock({"own-lib": "1.0.0"}, more={"node_modules/own-lib": {"hasInstallScript": True}})


@pytest.mark.parametrize(
    "locked",
    [{}, {"yarn.lock": yarn_lock({"own-lib": "1.0.0"})}, {"package-lock.json": SCRIPT}],
)
def test_what_is_not_known_to_be_plain_refuses_slim(locked: dict[str, str]) -> None:
    manifest = package(dependencies={"own-lib": "1.0.0"}, scripts={"start": "node server.js"})
    answer = slims(PLAIN, {"package.json": manifest, "server.js": "", **locked})
    assert isinstance(answer, Refused)
    assert "nothing says whether own-lib can be installed without a compiler" in answer.because


def test_a_split_says_what_is_not_known_to_be_plain() -> None:
    files = typescript_api()
    del files["package-lock.json"]
    files["yarn.lock"] = yarn_lock({**EXPRESS, "own-lib": "1.0.0", "typescript": "^5.0.0"})
    change = fix(textwrap.dedent(TYPESCRIPT).lstrip().encode(), BuildContext.of(files), select=["split-build-stage"])
    said = [line for one in change.applied for line in one.evidence]
    assert any("nothing says whether own-lib can be installed without a compiler" in line for line in said), said


def test_without_a_lockfile_the_table_decides() -> None:
    manifest = package(dependencies={"express": "^4.0.0"}, scripts={"start": "node server.js"})
    answer = slims(PLAIN, {"package.json": manifest, "server.js": ""})
    assert isinstance(answer, Slim)
    assert "all 1 packages that package.json names are known to install without a compiler" in answer.evidence[0]


def test_a_dependency_from_git_needs_git() -> None:
    files = express(**{"package.json": package(dependencies={"a": "github:x/a"}, scripts={"start": "node server.js"})})
    answer = slims(PLAIN, files)
    assert isinstance(answer, Slim)
    assert answer.packages == ("git", "ca-certificates")


# Where a program writes


def writes(source: str, *, text: str = PLAIN, **files: str) -> tuple[str, ...] | str:
    answer = Node().written(reading(text, express(**{"server.js": source, **files})))
    return answer.paths if isinstance(answer, Written) else answer.because


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("console.log(1)", ()),
        ("fs.readFileSync('a.txt')", ()),
        ("fs.writeFileSync('data/db.json', x)", ("/app/data",)),
        ("fs.appendFile(path.join(__dirname, 'logs', 'a.log'), x)", ("/app/logs",)),
        ("fs.mkdirSync('uploads', { recursive: true })", ("/app/uploads",)),
        ("fs.createWriteStream(`/var/data/${name}.bin`)", ("/var/data",)),
        ("const dir = path.resolve('out')\nfs.promises.writeFile(path.join(dir, name), x)", ("/app/out",)),
        ("const file = process.env.DB || './store/x.json'\nfs.writeFile(file, x)", ("/app/store",)),
        ("fs.writeFileSync(os.tmpdir() + '/x', y)", ()),
        ("const up = multer({ dest: 'uploads/' })", ("/app/uploads",)),
        ("new sqlite3.Database('./db/app.sqlite')", ("/app/db",)),
        ("new sqlite3.Database(':memory:')", ()),
        ("new winston.transports.File({ filename: 'logs/error.log' })", ("/app/logs",)),
        ("fs.writeFileSync('visits.txt', n)", ("/app",)),
        ("graphql({ autoSchemaFile: join(process.cwd(), 'src/schema.gql') })", ("/app/src",)),
        ("graphql({ autoSchemaFile: { federation: 2, path: 'gql/schema.gql' } })", ("/app/gql",)),
        ("graphql({ autoSchemaFile: true })", ()),
    ],
)
def test_paths_that_the_sources_spell_out(source: str, paths: tuple[str, ...]) -> None:
    assert writes(f"const fs = require('fs')\n{source}\n") == paths


def test_a_path_from_elsewhere_is_not_guessed() -> None:
    because = str(writes("const fs = require('fs')\nexports.save = (p, x) => fs.writeFileSync(p, x)\n"))
    assert "server.js:2 (writeFileSync p) writes where only the running program knows" in because


def test_modules_that_are_loaded_count_and_tests_do_not() -> None:
    paths = writes(
        "require('./lib/store')\n",
        **{
            "lib/store.js": "require('fs').writeFileSync(__dirname + '/state.json', '')\n",
            "test/x.test.js": "require('fs').writeFileSync(p)\n",
        },
    )
    assert paths == ("/app/lib",)


def test_a_program_behind_one_that_waits_is_followed() -> None:
    waits = '#!/bin/sh\nuntil nc -z $1; do sleep 1; done\nshift 2\nexec "$@"\n'
    files = typescript_api(**{"wait-for-it.sh": waits})
    text = TYPESCRIPT.replace('["node"', '["./wait-for-it.sh", "db:5432", "--", "node"')
    assert '"--", "node", "dist/index.js"]' in text
    assert "COPY --from=builder /app/dist ./dist" in splits(text, files)
    assert isinstance(Node().written(reading(text, files)), Written)


def test_compiled_sources_write_beside_their_output() -> None:
    files = typescript_api(**{"src/db/index.ts": "fs.writeFileSync(path.join(__dirname, 'x.json'), '')\n"})
    answer = Node().written(reading(TYPESCRIPT, files))
    assert isinstance(answer, Written)
    assert answer.paths == ("/app/dist/db",)


def test_a_runner_is_read_through_its_builder() -> None:
    text = """
        FROM node:20 AS builder
        WORKDIR /src
        COPY . .
        RUN npm ci

        FROM node:20-slim
        WORKDIR /app
        COPY --from=builder /src/package.json /src/server.js ./
        COPY --from=builder /src/lib ./lib
        CMD ["npm", "start"]
        """
    paths = writes("require('./lib/a')\n", text=text, **{"lib/a.js": "require('fs').mkdirSync(__dirname + '/tmp')\n"})
    assert paths == ("/app/lib/tmp",)


def test_development_servers_write_into_node_modules() -> None:
    files = express(**{"package.json": package(scripts={"start": "vite"}, devDependencies={"vite": "5"})})
    answer = Node().written(reading(PLAIN, files))
    assert isinstance(answer, Written)
    assert "/app/node_modules/.vite" in answer.paths


@pytest.mark.parametrize(
    ("version", "more", "writes_beside"),
    [
        ("^4.0.0", {"type": "module"}, True),
        ("^5.4.0", {"type": "module"}, True),
        ("^6.0.0", {"type": "module"}, False),
        ("^4.0.0", {}, False),
    ],
)
def test_old_vite_compiles_a_module_configuration_into_a_file_beside_it(
    version: str, more: dict[str, str], writes_beside: bool
) -> None:
    files = {
        "package.json": package(scripts={"start": "vite preview"}, devDependencies={"vite": version}, **more),
        "vite.config.js": "export default {}\n",
    }
    answer = Node().written(reading(PLAIN, files))
    assert isinstance(answer, Written)
    assert ("/app" in answer.paths) is writes_beside


@pytest.mark.parametrize(("setting", "writes_beside"), [("true", True), ("false", False)])
def test_nest_deletes_its_output_folder_where_it_is_told_to(setting: str, writes_beside: bool) -> None:
    files = {
        "package.json": package(scripts={"start": "nest start --watch"}, devDependencies={"@nestjs/cli": "^10.0.0"}),
        "nest-cli.json": f'{{"compilerOptions": {{"deleteOutDir": {setting}}}}}',
        "src/main.ts": "console.log(1)\n",
    }
    answer = Node().written(reading(PLAIN, files))
    assert isinstance(answer, Written)
    assert ("/app" in answer.paths) is writes_beside


@pytest.mark.parametrize("build", ["vite build", "next build", "ng build --configuration production"])
def test_a_build_at_start_is_refused(build: str) -> None:
    files = express(**{"package.json": package(scripts={"start": f"{build} && node server.js"})})
    answer = Node().written(reading(PLAIN, files))
    assert isinstance(answer, Refused)
    assert "builds when the container starts" in answer.because


def test_an_install_at_start_is_refused() -> None:
    files = express(**{"package.json": package(scripts={"start": "npm install && node server.js"})})
    answer = Node().written(reading(PLAIN, files))
    assert isinstance(answer, Refused)
    assert "installs packages when the container starts" in answer.because


# Sources


def test_imports_are_found_in_every_form_and_types_are_left_out() -> None:
    found = facts_of(
        """
        import a from 'a'
        import * as b from "@s/b/deep"
        import { c,
                 d } from 'c'
        import 'side'
        export { x } from 'reexported'
        const e = require('e')
        const f = await import('f')
        import g = require('g')
        import type { T } from 'types-only'
        import { type U, type V } from 'types-too'
        export type { W } from 'types-three'
        // import h from 'commented'
        /* require('blocked') */
        import fs from 'node:fs'
        import path from 'path'
        import './relative'
        """
    )
    assert set(found.packages) == {"a", "@s/b", "c", "side", "reexported", "e", "f", "g"}
    assert found.relative == ("./relative",)
    assert not found.is_dynamic


def test_computed_imports_are_said_to_be_dynamic() -> None:
    assert facts_of("require(name)").is_dynamic
    assert facts_of("import(`./pages/${page}.js`)").is_dynamic
    assert not facts_of("require('x')").is_dynamic


def test_scripts_that_call_each_other_end() -> None:
    scripts = {"build": "tsc", "start": "npm run a"}
    scripts.update({name: " && ".join([f"npm run {chr(ord(name) + 1)}"] * 5) for name in "abcdefghijklm"})
    scripts["n"] = "npm run a"
    files = typescript_api(**{"package.json": package(scripts=scripts, dependencies=EXPRESS)})
    because = refuses(TYPESCRIPT.replace('["node", "dist/index.js"]', '["npm", "start"]'), files)
    assert "calls itself" in because


@pytest.mark.parametrize(
    "broken", ["[]", "{", '{"scripts": [], "dependencies": "x", "workspaces": {"packages": 3}}', '"text"', "nul\0"]
)
def test_broken_manifests_are_no_exception(broken: str) -> None:
    change = fix(dockerfile(TYPESCRIPT).encode(), BuildContext.of(typescript_api(**{"package.json": broken})))
    assert change.failure is None


@pytest.mark.parametrize(
    "text", ["import " + " " * 100_000, "/*" * 100_000, "import a b c " * 20_000, "import\n" * 50_000]
)
def test_sources_made_to_cost_time_are_read(text: str) -> None:
    assert facts_of(text + "\n").packages == {}


@pytest.mark.parametrize(
    ("program", "args", "shown"),
    [
        ("npm ci", ("ci", "--omit=dev"), "`npm ci --omit=dev`"),
        ("yarn install", (), "`yarn install`"),
        ("tsc", (), "`tsc`"),
    ],
)
def test_a_command_is_shown_as_it_was_written(program: str, args: tuple[str, ...], shown: str) -> None:
    assert Ran(program, args, "/app", ()).shown == shown


def test_settings_of_apt_hold_for_what_both_stages_install() -> None:
    text = splits(
        """
        FROM node:20
        # A mirror that is slow at times
        RUN echo 'Acquire::Retries "5";' > /etc/apt/apt.conf.d/80-retries
        RUN apt-get update && apt-get install -y --no-install-recommends g++ make ffmpeg && rm -rf /var/lib/apt/lists/*
        WORKDIR /app
        COPY package.json package-lock.json ./
        RUN npm ci
        COPY . .
        RUN npm run build
        CMD ["node", "dist/index.js"]
        """,
        typescript_api(),
    )
    builder, runner = text.split(" AS runner\n")
    for stage in (builder, runner):
        assert stage.index("80-retries") < stage.index("apt-get install")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("outDir: 'dist'", "dist"),
        ("outDir: path.resolve(__dirname, '..', 'dist'),", "../dist"),
        ("build: { outDir: `dist`, minify: true }", "dist"),
        ("minify: true", None),
        ("outDir: isProduction ? 'dist' : 'out'", Unknown("outDir is not a literal")),
        ("outDir: process.env.OUT || 'dist'", Unknown("outDir is not a literal")),
        ("outDir: options.out || 'dist'", Unknown("outDir is not a literal")),
        ("outDir: folder", Unknown("outDir is not a literal")),
        ("outDir: fileURLToPath(new URL('./dist', import.meta.url))", Unknown("outDir is not a literal")),
    ],
)
def test_a_folder_that_settings_name(setting: str, expected: object) -> None:
    assert (
        literal_of(f"const folder = process.env.OUT || 'dist'\nexport default {{\n  {setting}\n}}\n", "outDir")
        == expected
    )
