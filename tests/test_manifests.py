"""Manifests and lockfiles of Node, Python, Go and Java, as their own tools read them."""

from __future__ import annotations

import json
import re

import pytest

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.go.manifests import (
    GoMod,
    GoWork,
    read_go_mod,
    read_go_work,
)
from refactor.ecosystems.java.projects import left_out, of_gradle as gradle_projects, of_maven as maven_projects
from refactor.ecosystems.node.lockfiles import NodeLock, lock_matches, read_npm_lock, read_pnpm_lock, read_yarn_lock
from refactor.ecosystems.node.package_json import PackageJson, read_package_json, tsconfig_out_dir, workspace_members
from refactor.ecosystems.python.lockfiles import read_lock
from refactor.ecosystems.python.pyproject import Pyproject, SetupCfg, read_pyproject, read_setup_cfg
from refactor.ecosystems.python.requirements import Requirement, RequirementsFile, parse_requirement, read_requirements
from refactor.ecosystems.versions import first_line


def package(data: object, path: str = "package.json") -> PackageJson:
    found = read_package_json(BuildContext.of({path: json.dumps(data)}), path)
    assert isinstance(found, PackageJson), found
    return found


def npm_lock(data: object) -> NodeLock:
    found = read_npm_lock(BuildContext.of({"package-lock.json": json.dumps(data)}))
    assert isinstance(found, NodeLock), found
    return found


def yarn_lock(text: str) -> NodeLock:
    found = read_yarn_lock(BuildContext.of({"yarn.lock": text}))
    assert isinstance(found, NodeLock), found
    return found


def pnpm_lock(text: str) -> NodeLock:
    found = read_pnpm_lock(BuildContext.of({"pnpm-lock.yaml": text}))
    assert isinstance(found, NodeLock), found
    return found


# package.json


def test_package_json() -> None:
    found = package(
        {
            "name": "@org/app",
            "version": "1.0.0",
            "private": True,
            "type": "module",
            "main": "index.js",
            "bin": "cli.js",
            "scripts": {"start": "node .", "prepare": "husky install", "postinstall": "node fix.js", "n": 1},
            "dependencies": {"a": "^1", "b": "file:../b", "c": "workspace:*", "fsevents": "^2"},
            "devDependencies": {"d": "link:./d", "e": "git+https://example.org/e.git"},
            "optionalDependencies": {"fsevents": "^2"},
            "engines": {"node": ">=18"},
            "packageManager": "pnpm@8.6.0+sha256.1",
            "workspaces": {"packages": ["packages/*"], "nohoist": []},
            "pnpm": {"patchedDependencies": {"x@1": "patches/x.patch"}, "overrides": {"a>y@^1": "2"}},
            "resolutions": {"**/@s/z": "1"},
        }
    )
    assert found.name == "@org/app"
    assert found.is_module
    assert found.scripts == {"start": "node .", "prepare": "husky install", "postinstall": "node fix.js"}
    assert list(found.install_scripts) == ["postinstall", "prepare"]
    assert found.dependencies == {"a": "^1", "b": "file:../b", "c": "workspace:*"}
    assert found.is_production("fsevents")
    assert not found.is_production("d")
    assert found.local_dependencies == {"b": "../b", "d": "./d"}
    assert found.package_manager == "pnpm@8.6.0+sha256.1"
    assert found.workspaces == ("packages/*",)
    assert found.patches == ("patches/x.patch",)
    assert found.resolutions == {"y", "@s/z"}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {
            "name": 1,
            "scripts": [],
            "dependencies": "x",
            "workspaces": 3,
            "bin": 1,
            "engines": None,
            "pnpm": [],
        },
        {"dependencies": {"a": {"version": "1"}, "b": None}, "workspaces": [1, {}], "private": "yes"},
    ],
)
def test_package_json_of_wrong_types_is_read_as_far_as_it_goes(data: object) -> None:
    found = package(data)
    assert found.dependencies == {}
    assert found.workspaces == ()


def test_package_json_with_byte_order_mark() -> None:
    found = read_package_json(BuildContext.of({"package.json": b'\xef\xbb\xbf{"name": "a"}'}))
    assert isinstance(found, PackageJson)
    assert found.name == "a"


@pytest.mark.parametrize("text", ["[]", "null", '"a"', "", "{", '{"a": 1,}', "{'a': 1}"])
def test_package_json_that_is_none(text: str) -> None:
    context = BuildContext.of({"package.json": text})
    assert isinstance(read_package_json(context), Unknown)
    assert [path for path, _ in context.broken] == ["package.json"]


def test_workspace_members() -> None:
    files = {
        "package.json": '{"workspaces": ["packages/*", "apps/**", "!apps/old", "tools/{a,b}"]}',
        "packages/a/package.json": "{}",
        "packages/a/sub/package.json": "{}",
        "packages/node_modules/x/package.json": "{}",
        "apps/web/client/package.json": "{}",
        "apps/old/package.json": "{}",
        "tools/b/package.json": "{}",
        "tools/c/package.json": "{}",
        "other/package.json": "{}",
    }
    context = BuildContext.of(files)
    found = read_package_json(context)
    assert isinstance(found, PackageJson)
    assert workspace_members(context, found) == (
        "apps/web/client/package.json",
        "packages/a/package.json",
        "tools/b/package.json",
    )
    pnpm = BuildContext.of({**files, "pnpm-workspace.yaml": "packages:\n  - 'other'\n"})
    assert workspace_members(pnpm, found) == ("other/package.json",)
    broken = BuildContext.of({**files, "pnpm-workspace.yaml": "packages: [\n"})
    assert isinstance(workspace_members(broken, found), Unknown)


# npm


NPM3 = {
    "lockfileVersion": 3,
    "packages": {
        "": {
            "workspaces": ["packages/*"],
            "dependencies": {"express": "^4.18.0", "al": "npm:lodash@^4.0.0"},
            "devDependencies": {"rollup": "^4.0.0"},
        },
        "node_modules/express": {"version": "4.18.2", "dependencies": {"ms": "2"}},
        "node_modules/express/node_modules/ms": {"version": "2.0.0"},
        "node_modules/al": {"name": "lodash", "version": "4.17.21"},
        "node_modules/rollup": {
            "version": "4.1.0",
            "dev": True,
            "optionalDependencies": {
                "@rollup/rollup-linux-x64-gnu": "4.1.0",
                "@rollup/rollup-linux-x64-musl": "4.1.0",
            },
        },
        "node_modules/@rollup/rollup-linux-x64-gnu": {
            "version": "4.1.0",
            "dev": True,
            "optional": True,
            "os": ["linux"],
            "cpu": ["x64"],
            "libc": ["glibc"],
        },
        "node_modules/@org/lib": {"resolved": "packages/lib", "link": True},
        "packages/lib": {"name": "@org/lib", "dependencies": {"ms": "^2.1.0"}},
        "packages/lib/node_modules/ms": {"version": "2.1.3"},
    },
}


def test_npm_lock_with_packages() -> None:
    lock = npm_lock(NPM3)
    assert (lock.manager, lock.version) == ("npm", "3")
    assert lock.declared[""] == {"express": "^4.18.0", "al": "npm:lodash@^4.0.0", "rollup": "^4.0.0"}
    assert lock.declared["packages/lib"] == {"ms": "^2.1.0"}
    assert [one.location for one in lock.named("ms")] == [
        "node_modules/express/node_modules/ms",
        "packages/lib/node_modules/ms",
    ]
    assert [one.version for one in lock.named("lodash")] == ["4.17.21"]
    assert [one.libc for one in lock.packages if one.libc] == [("glibc",)]
    assert lock.with_install_scripts() == ()
    assert [one.name for one in lock.packages if one.is_link] == ["@org/lib"]


def test_npm_lock_that_lost_its_platform_packages() -> None:
    lock = npm_lock(NPM3)
    assert lock.missing == ("@rollup/rollup-linux-x64-musl",)


def test_npm_lock_purity() -> None:
    def lock(**entry: object) -> NodeLock:
        return npm_lock({"lockfileVersion": 2, "packages": {"": {}, "node_modules/a": {"version": "1.0.0", **entry}}})

    assert lock().why_not_pure() is None
    assert lock(hasInstallScript=True).why_not_pure() == "a runs an install script"
    assert lock(os=["linux"]).why_not_pure() == "a is built for one platform"
    assert lock(os=["darwin"], hasInstallScript=True).why_not_pure() is None
    assert lock(os=["!win32"], cpu=["x64"]).why_not_pure() == "a is built for one platform"
    assert lock(hasInstallScript=True, dev=True).why_not_pure(production=True) is None
    old = npm_lock({"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}}})
    assert old.why_not_pure() == "package-lock.json does not record which packages run install scripts"


def test_npm_lock_version_1() -> None:
    lock = npm_lock(
        {
            "lockfileVersion": 1,
            "requires": True,
            "dependencies": {
                "a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0", "dev": True}}},
                "c": {"version": "file:../c"},
            },
        }
    )
    assert lock.version == "1"
    assert {one.location: one.version for one in lock.packages} == {
        "node_modules/a": "1.0.0",
        "node_modules/a/node_modules/b": "2.0.0",
        "node_modules/c": "file:../c",
    }
    assert lock.named("b")[0].is_dev
    assert lock.named("c")[0].is_link
    assert lock.named("a")[0].has_install_script is None
    assert isinstance(lock_matches(package({"dependencies": {"a": "~1.0.0"}}), lock), Unknown)


@pytest.mark.parametrize(
    ("dependencies", "expected"),
    [
        ({"express": "^4.18.0", "al": "npm:lodash@^4.0.0"}, True),
        ({"express": "^4.18.0"}, True),  # npm ci does not mind what is no longer asked for
        ({"express": "4.x"}, True),
        ({"express": "^4.19.0"}, False),
        ({"express": "^5.0.0"}, False),
        ({"express": "^4.18.0", "left-pad": "^1.0.0"}, False),
        ({"ms": "2"}, False),  # only nested below express
    ],
)
def test_npm_lock_matches(dependencies: dict[str, str], expected: bool) -> None:
    manifest = package({"dependencies": dependencies, "devDependencies": {"rollup": "^4.0.0"}})
    assert lock_matches(manifest, npm_lock(NPM3)) is expected


def test_npm_lock_of_another_tag_is_in_doubt() -> None:
    assert isinstance(lock_matches(package({"dependencies": {"express": "latest"}}), npm_lock(NPM3)), Unknown)


def test_npm_lock_must_match_the_members_too() -> None:
    root = package({"dependencies": {}})
    lib = package({"name": "@org/lib", "dependencies": {"ms": "^2.1.0"}}, "packages/lib/package.json")
    changed = package({"name": "@org/lib", "dependencies": {"ms": "^3.0.0"}}, "packages/lib/package.json")
    added = package({"name": "new"}, "packages/new/package.json")
    lock = npm_lock(NPM3)
    assert lock_matches(root, lock, [lib]) is True
    assert lock_matches(root, lock, [changed]) is False
    assert lock_matches(root, lock, [added]) is False


def test_npm_lock_in_a_folder() -> None:
    context = BuildContext.of(
        {
            "web/package.json": '{"dependencies": {"a": "^1.0.0"}}',
            "web/package-lock.json": json.dumps(
                {
                    "lockfileVersion": 3,
                    "packages": {"": {"dependencies": {"a": "^1.0.0"}}, "node_modules/a": {}},
                }
            ),
        }
    )
    manifest = read_package_json(context, "web/package.json")
    lock = read_npm_lock(context, "web/package-lock.json")
    assert isinstance(manifest, PackageJson)
    assert isinstance(lock, NodeLock)
    assert lock_matches(manifest, lock) is True


def test_cut_npm_lock_is_broken_but_there() -> None:
    context = BuildContext.of({"package-lock.json": json.dumps(NPM3, indent=2)[:400]})
    lock = read_npm_lock(context)
    assert isinstance(lock, Unknown)
    assert lock.reason.startswith("package-lock.json: broken JSON at line ")
    assert context.exists("package-lock.json") is True
    assert [path for path, _ in context.broken] == ["package-lock.json"]


@pytest.mark.parametrize("text", ["[]", '{"lockfileVersion": 3}', '{"lockfileVersion": 2, "packages": []}'])
def test_npm_lock_that_is_none(text: str) -> None:
    assert isinstance(read_npm_lock(BuildContext.of({"package-lock.json": text})), Unknown)


# yarn 1


YARN1 = """# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.
# yarn lockfile v1


"@babel/code-frame@^7.0.0", "@babel/code-frame@^7.12.13":
  version "7.12.13"
  resolved "https://registry.yarnpkg.com/@babel/code-frame/-/code-frame-7.12.13.tgz#dc"
  integrity sha512-HV1Cm0Q3ZrpCR93tkWOYiuYIgLxZXZFVG2VgK+MBWjUqZTundupbfx2aXarXuw5Ko5aMcjtJgbSs4vUGBS5v6g==
  dependencies:
    "@babel/highlight" "^7.12.13"
  optionalDependencies:
    fsevents "~2.3.1"

"@babel/highlight@^7.12.13":
  version "7.13.10"

js-tokens@^4.0.0, "js-tokens@^3.0.0 || ^4.0.0":
  version "4.0.0"

"lod@npm:lodash@^4.17.0":
  version "4.17.21"
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_yarn_lock_version_1(newline: str) -> None:
    lock = yarn_lock(YARN1.replace("\n", newline))
    assert (lock.manager, lock.version, lock.is_berry) == ("yarn", "1", False)
    assert [(one.name, one.version) for one in lock.packages] == [
        ("@babel/code-frame", "7.12.13"),
        ("@babel/highlight", "7.13.10"),
        ("js-tokens", "4.0.0"),
        ("lod", "4.17.21"),
    ]
    assert "js-tokens@^3.0.0 || ^4.0.0" in lock.specs


def test_yarn_lock_without_its_last_newline() -> None:
    assert yarn_lock(YARN1.rstrip("\n")).packages == yarn_lock(YARN1).packages
    entry = YARN1[: YARN1.index("  dependencies:")]
    assert yarn_lock(entry.rstrip("\n")).packages
    cut = BuildContext.of({"yarn.lock": entry[:-6]})
    assert isinstance(read_yarn_lock(cut), Unknown)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({"dependencies": {"js-tokens": "^4.0.0", "lod": "npm:lodash@^4.17.0"}}, True),
        (
            {
                "dependencies": {"js-tokens": "^3.0.0 || ^4.0.0"},
                "devDependencies": {"@babel/code-frame": "^7.0.0"},
            },
            True,
        ),
        ({"dependencies": {"js-tokens": "^4.0.1"}}, False),
        ({"dependencies": {"new": "^1"}}, False),
        ({"dependencies": {"local": "link:../local"}}, True),
        ({"peerDependencies": {"react": "*"}}, True),
        ({}, True),
    ],
)
def test_yarn_lock_matches(manifest: object, expected: bool) -> None:
    assert lock_matches(package(manifest), yarn_lock(YARN1)) is expected


def test_yarn_resolutions_are_in_doubt() -> None:
    manifest = package({"dependencies": {"js-tokens": "^2.0.0"}, "resolutions": {"js-tokens": "4.0.0"}})
    assert isinstance(lock_matches(manifest, yarn_lock(YARN1)), Unknown)


def test_empty_yarn_lock_matches_no_dependency() -> None:
    lock = yarn_lock("")
    assert lock_matches(package({"dependencies": {"a": "1"}}), lock) is False


def test_workspace_members_have_no_entry_in_yarn_1() -> None:
    root = package({"dependencies": {}})
    lib = package({"name": "lib", "dependencies": {"js-tokens": "^4.0.0"}}, "packages/lib/package.json")
    app = package({"name": "app", "dependencies": {"lib": "1.0.0"}}, "packages/app/package.json")
    assert lock_matches(root, yarn_lock(YARN1), [lib, app]) is True


@pytest.mark.parametrize(
    "end",
    [
        'resolved "https://registry',
        "sha512-HV1Cm0Q3ZrpCR93tk",
        '"@babel/high',
        '    "@babel/highlight" "^7.12.13"\n',
        "js-tokens@^4.0.0, ",
        'js-tokens@^3.0.0 || ^4.0.0":\n',
        "  optionalDepend",
    ],
)
def test_cut_yarn_lock_is_broken(end: str) -> None:
    text = YARN1[: YARN1.index(end) + len(end)]
    context = BuildContext.of({"yarn.lock": text})
    lock = read_yarn_lock(context)
    assert isinstance(lock, Unknown)
    assert [path for path, _ in context.broken] == ["yarn.lock"]


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n", '{"a": 1}', "a@1:\n  version\n", " version 1\n", '"' * 2000 + ":"])
def test_yarn_lock_that_is_none(text: str) -> None:
    assert isinstance(read_yarn_lock(BuildContext.of({"yarn.lock": text})), Unknown)


# yarn 2 and later


BERRY = """__metadata:
  version: 8
  cacheKey: 10c0

"@esbuild/linux-x64@npm:0.19.12":
  version: 0.19.12
  resolution: "@esbuild/linux-x64@npm:0.19.12"
  conditions: os=linux & cpu=x64 & libc=glibc
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    esbuild: "npm:^0.19.0"
    ms: "npm:^2.0.0"
  languageName: unknown
  linkType: soft

"esbuild@npm:^0.19.0, esbuild@npm:~0.19.1":
  version: 0.19.12
  resolution: "esbuild@npm:0.19.12"
  dependencies:
    "@esbuild/linux-x64": "npm:0.19.12"
    fsevents: "npm:~2.3.2"
  dependenciesMeta:
    fsevents:
      optional: true
  linkType: hard

"ms@npm:^2.0.0":
  version: 2.1.3
  resolution: "ms@npm:2.1.3"
  linkType: hard
"""


def test_berry_lock() -> None:
    lock = yarn_lock(BERRY)
    assert (lock.version, lock.is_berry) == ("8", True)
    assert lock.declared[""] == {"esbuild": "^0.19.0", "ms": "^2.0.0"}
    assert {one.name: one.version for one in lock.packages}["esbuild"] == "0.19.12"
    assert lock_matches(package({"dependencies": {"ms": "^2.0.0"}, "devDependencies": {"esbuild": "^0.19.0"}}), lock)
    assert lock_matches(package({"dependencies": {"ms": "^2.0.0"}}), lock) is False
    assert lock_matches(package({"dependencies": {"ms": "^3.0.0", "esbuild": "^0.19.0"}}), lock) is False


@pytest.mark.parametrize("end", ["fsevents:\n", '"ms@npm:^2.0.0":\n', "  resolution", "esbuild@npm:~0.19.1"])
def test_cut_berry_lock_is_broken(end: str) -> None:
    context = BuildContext.of({"yarn.lock": BERRY[: BERRY.index(end) + len(end)]})
    assert isinstance(read_yarn_lock(context), Unknown)
    assert [path for path, _ in context.broken] == ["yarn.lock"]


# pnpm


PNPM5 = """lockfileVersion: 5.4
specifiers:
  '@a/b': ^1.0.0
  esbuild: ^0.19.0
dependencies:
  '@a/b': 1.0.0_react@18.0.0
devDependencies:
  esbuild: 0.19.12
packages:
  /@a/b/1.0.0_react@18.0.0:
    resolution: {integrity: sha512-x}
    dependencies:
      ms: 2.1.3
    dev: false
  /esbuild/0.19.12:
    resolution: {integrity: sha512-x}
    requiresBuild: true
    dev: true
  /ms/2.1.3:
    resolution: {integrity: sha512-x}
    dev: false
"""

PNPM6 = """lockfileVersion: '6.0'
dependencies:
  '@a/b':
    specifier: ^1.0.0
    version: 1.0.0(react@18.0.0)
devDependencies:
  esbuild:
    specifier: ^0.19.0
    version: 0.19.12
packages:
  /@a/b@1.0.0(react@18.0.0):
    resolution: {integrity: sha512-x}
    dependencies:
      ms: 2.1.3
    dev: false
  /esbuild@0.19.12:
    resolution: {integrity: sha512-x}
    requiresBuild: true
    dev: true
  /ms@2.1.3:
    resolution: {integrity: sha512-x}
    dev: false
"""

PNPM9 = """lockfileVersion: '9.0'
overrides:
  zod@^3: 3.1.0
importers:
  .:
    dependencies:
      '@a/b':
        specifier: ^1.0.0
        version: 1.0.0(react@18.0.0)
      lib:
        specifier: workspace:*
        version: link:packages/lib
    devDependencies:
      esbuild:
        specifier: ^0.19.0
        version: 0.19.12
  packages/lib:
    dependencies:
      alias:
        specifier: npm:ms@^2.0.0
        version: ms@2.1.3
packages:
  '@a/b@1.0.0':
    resolution: {integrity: sha512-x}
  esbuild@0.19.12:
    resolution: {integrity: sha512-x}
    cpu: [x64]
    os: [linux]
    libc: [musl]
  ms@2.1.3:
    resolution: {integrity: sha512-x}
snapshots:
  '@a/b@1.0.0(react@18.0.0)':
    dependencies:
      ms: 2.1.3
  esbuild@0.19.12: {}
  ms@2.1.3: {}
"""


@pytest.mark.parametrize(("text", "version"), [(PNPM5, "5.4"), (PNPM6, "6.0")])
def test_pnpm_lock(text: str, version: str) -> None:
    lock = pnpm_lock(text)
    assert (lock.manager, lock.version) == ("pnpm", version)
    assert [(one.name, one.version) for one in lock.packages] == [
        ("@a/b", "1.0.0"),
        ("esbuild", "0.19.12"),
        ("ms", "2.1.3"),
    ]
    assert [one.name for one in lock.with_install_scripts()] == ["esbuild"]
    assert lock.with_install_scripts(production=True) == ()
    assert lock.why_not_pure(production=True) is None
    good = package({"dependencies": {"@a/b": "^1.0.0"}, "devDependencies": {"esbuild": "^0.19.0"}})
    assert lock_matches(good, lock) is True
    assert lock_matches(package({"dependencies": {"@a/b": "^1.0.0"}}), lock) is False
    assert lock_matches(package({"dependencies": {"@a/b": "^1.0.1", "esbuild": "^0.19.0"}}), lock) is False


def test_pnpm_lock_version_9() -> None:
    lock = pnpm_lock(PNPM9)
    assert lock.overrides == {"zod"}
    assert lock.declared["packages/lib"] == {"alias": "npm:ms@^2.0.0"}
    assert lock.why_not_pure() == "pnpm-lock.yaml does not record which packages run install scripts"
    assert [one.libc for one in lock.packages if one.libc] == [("musl",)]
    root = package(
        {
            "dependencies": {"@a/b": "^1.0.0", "lib": "workspace:*"},
            "devDependencies": {"esbuild": "^0.19.0"},
        }
    )
    lib = package({"dependencies": {"alias": "npm:ms@^2.0.0"}}, "packages/lib/package.json")
    assert lock_matches(root, lock, [lib]) is True
    assert lock_matches(root, lock, [package({}, "packages/new/package.json")]) is False


@pytest.mark.parametrize("text", [PNPM5, PNPM6, PNPM9])
def test_cut_pnpm_lock_is_broken_or_does_not_match(text: str) -> None:
    manifest = package(
        {"dependencies": {"@a/b": "^1.0.0", "lib": "workspace:*"}, "devDependencies": {"esbuild": "^0.19.0"}}
    )
    lines = text.splitlines(keepends=True)
    for count in range(1, len(lines) - 1):
        context = BuildContext.of({"pnpm-lock.yaml": "".join(lines[:count])})
        lock = read_pnpm_lock(context)
        if isinstance(lock, Unknown):
            assert [path for path, _ in context.broken] == ["pnpm-lock.yaml"]
        elif {"ms", "esbuild", "@a/b"} - {one.name for one in lock.packages}:
            assert lock_matches(manifest, lock) is False, lines[count - 1]


@pytest.mark.parametrize(
    "text", ["", "[]", "a: 1", "lockfileVersion: [", "lockfileVersion: '9.0'\npackages:\n  a@1:\n"]
)
def test_pnpm_lock_that_is_none(text: str) -> None:
    assert isinstance(read_pnpm_lock(BuildContext.of({"pnpm-lock.yaml": text})), Unknown)


# tsconfig.json


def test_tsconfig_out_dir() -> None:
    context = BuildContext.of(
        {
            "tsconfig.json": '{"extends": "./tsconfig.base", // base\n}',
            "tsconfig.base.json": '{"compilerOptions": {"outDir": "./dist"}}',
            "a/tsconfig.json": '{"compilerOptions": {"outDir": "../out"}}',
            "b/tsconfig.json": "{}",
            "c/tsconfig.json": '{"extends": "@tsconfig/node18/tsconfig.json"}',
            "d/tsconfig.json": '{"extends": "./tsconfig.json"}',
            "e/tsconfig.json": '{"compilerOptions": {"outDir": "../../out"}}',
        }
    )
    assert tsconfig_out_dir(context) == "dist"
    assert tsconfig_out_dir(context, "a/tsconfig.json") == "out"
    assert tsconfig_out_dir(context, "b/tsconfig.json") is None
    for path in ("c/tsconfig.json", "d/tsconfig.json", "e/tsconfig.json", "nothing.json"):
        assert isinstance(tsconfig_out_dir(context, path), Unknown)


# requirements files


def requirements(files: dict[str, str | bytes], path: str = "requirements.txt") -> RequirementsFile:
    found = read_requirements(BuildContext.of(files), path)
    assert isinstance(found, RequirementsFile), found
    return found


def test_requirements_file() -> None:
    found = requirements(
        {
            "requirements.txt": "# top\n"
            "Django>=2.1,<3  # comment\n"
            "psycopg2_binary == 2.9.1 ; python_version < '3.9'\n"
            "requests[socks, security]~=2.0\n"
            "urllib3==1.26.5 \\\n"
            "    --hash=sha256:aaa \\\n"
            "    --hash=sha256:bbb\n"
            "--index-url https://${USER}:${TOKEN}@example.org/simple\n"
            "-e .\n"
            "-e ./libs/a[extra]\n"
            "./vendor/x-1.0-py3-none-any.whl\n"
            "git+https://example.org/y.git@v1#egg=y\n"
            "z @ https://example.org/z-1.0.tar.gz ; sys_platform == 'linux'\n"
            "-r requirements/dev.txt\n"
            "-c constraints.txt\n",
            "requirements/dev.txt": "-r ../base.txt\npytest\n-r missing.txt\n",
            "base.txt": "flask\n",
            "constraints.txt": "flask<3\n",
        }
    )
    assert [need.name for need in found.requirements] == [
        "django", "psycopg2-binary", "requests", "urllib3", None, None, "x", "y", "z", "flask", "pytest",
    ]  # fmt: skip
    by_name = {need.name: need for need in found.requirements}
    assert by_name["django"].specifier == ">=2.1,<3"
    assert by_name["psycopg2-binary"].marker == "python_version < '3.9'"
    assert by_name["urllib3"].specifier == "==1.26.5"
    assert by_name["requests"].extras == ("socks", "security")
    assert by_name["y"].url == "git+https://example.org/y.git@v1#egg=y"
    assert by_name["y"].needs_git
    assert by_name["z"].url == "https://example.org/z-1.0.tar.gz"
    assert by_name["z"].marker == "sys_platform == 'linux'"
    assert [(need.path, need.is_editable) for need in found.requirements if need.path] == [
        (".", True), ("./libs/a", True), ("./vendor/x-1.0-py3-none-any.whl", False),
    ]  # fmt: skip
    assert found.included == ("requirements/dev.txt", "base.txt", "constraints.txt")
    assert found.missing == ("missing.txt",)


@pytest.mark.parametrize(
    "data",
    [
        "a==1\r\nb==2\r\n".encode("utf-8-sig"),
        "a==1\nb==2".encode("utf-16"),
        b"\xfe\xff" + "a==1\nb==2\n".encode("utf-16-be"),
        b"a==1\nb==2",
    ],
)
def test_requirements_in_the_encodings_that_pip_takes(data: bytes) -> None:
    found = requirements({"requirements.txt": data})
    assert [(need.name, need.specifier) for need in found.requirements] == [("a", "==1"), ("b", "==2")]


def test_comment_ends_a_continuation() -> None:
    found = requirements({"requirements.txt": "a==1 \\\n# note \\\nb==2\nc \\\n"})
    assert [need.name for need in found.requirements] == ["a", "b", "c"]


def test_requirements_that_include_each_other() -> None:
    found = requirements(
        {"requirements.txt": "-r b.txt\na\n", "b.txt": "-r requirements.txt\n-rc.txt\nb\n", "c.txt": "c"}
    )
    assert [need.name for need in found.requirements] == ["c", "b", "a"]
    assert found.included == ("b.txt", "c.txt")


def test_requirements_that_leave_the_context() -> None:
    found = requirements({"a/requirements.txt": "-r ../../x.txt\n-c https://example.org/c.txt\n"}, "a/requirements.txt")
    assert found.missing == ("../../x.txt",)


@pytest.mark.parametrize(
    "line",
    ["<<<<<<< HEAD", "a=1.0", "a ==", "==1", "a b", "a>=1 <2", "a" + ">=1," * 2000 + "(", "!", "a;;b>"],
)
def test_lines_that_pip_refuses(line: str) -> None:
    found = requirements({"requirements.txt": f"good\n{line}\n"})
    # pip splits at the first `;`: what follows is a marker.
    assert [need.name for need in found.requirements] == ["good", *("a" for _ in (line,) if line == "a;;b>")]


def test_missing_and_binary_requirements() -> None:
    assert isinstance(read_requirements(BuildContext.of({})), Unknown)
    context = BuildContext.of({"requirements.txt": b"a\0b"})
    assert isinstance(read_requirements(context), Unknown)
    assert context.broken == (("requirements.txt", "is not a text file"),)


@pytest.mark.parametrize(
    ("line", "name", "path", "url"),
    [
        ("file:./lib", None, "./lib", None),
        ("lib @ file:///app/lib", "lib", "/app/lib", None),
        ("-e", None, None, None),
        ("pkg-1.0.tar.gz", "pkg", "pkg-1.0.tar.gz", None),
        ("git+ssh://git@example.org/a/b.git@main", None, None, "git+ssh://git@example.org/a/b.git@main"),
        ("https://example.org/my_pkg-2.0-py3-none-any.whl#sha256=1", "my-pkg", None,
         "https://example.org/my_pkg-2.0-py3-none-any.whl#sha256=1"),
        ("A.b_c", "a-b-c", None, None),
    ],
)  # fmt: skip
def test_requirement_lines(line: str, name: str | None, path: str | None, url: str | None) -> None:
    need = parse_requirement(line)
    if line == "-e":
        assert need is None
        return
    assert isinstance(need, Requirement)
    assert (need.name, need.path, need.url) == (name, path, url)


# pyproject.toml


def pyproject(text: str, path: str = "pyproject.toml") -> Pyproject:
    found = read_pyproject(BuildContext.of({path: text}), path)
    assert isinstance(found, Pyproject), found
    return found


def test_pyproject_of_pep_621() -> None:
    found = pyproject(
        """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "My_App"
dynamic = ["version"]
requires-python = ">=3.9"
readme = {file = "docs/README.md", content-type = "text/markdown"}
license = {file = "LICENSE"}
dependencies = ["flask>=2", "lib @ file:./lib", "not valid ==="]
[project.optional-dependencies]
pg = ["psycopg2"]
[project.scripts]
app = "my_app:main"
[dependency-groups]
test = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
loop = [{include-group = "loop"}]
[tool.uv.sources]
other = {path = "../other", editable = true}
many = [{path = "x"}, {git = "https://example.org"}]
""",
        "app/pyproject.toml",
    )
    assert found.name == "My_App"
    assert [need.name for need in found.dependencies] == ["flask", "lib"]
    assert [need.name for need in found.groups["test"]] == ["pytest", "ruff"]
    assert found.groups["loop"] == ()
    assert found.scripts == {"app": "my_app:main"}
    assert found.build_backend == "hatchling.build"
    assert found.reads == ("app/docs/README.md", "app/LICENSE")
    assert found.is_package
    assert found.local_paths == ("./lib", "../other", "x")


def test_pyproject_of_setuptools() -> None:
    found = pyproject(
        """
[build-system]
requires = ["setuptools>=61"]
[project]
name = "a"
dynamic = ["version", "dependencies", "readme"]
[tool.setuptools.dynamic]
version = {attr = "a.about.__version__"}
readme = {file = ["README.rst", "HISTORY.rst"]}
dependencies = {file = "requirements.txt"}
optional-dependencies.dev = {file = ["dev.txt"]}
"""
    )
    assert found.build_backend == "setuptools.build_meta:__legacy__"
    assert found.finds_version
    assert found.reads == ("README.rst", "HISTORY.rst", "requirements.txt", "dev.txt")


POETRY = """
[tool.poetry]
name = "a"
readme = ["README.md", "CHANGES.md"]
packages = [{include = "a", from = "src"}]
[tool.poetry.dependencies]
python = "^3.9"
flask = "^2.0"
opt = {version = "1", optional = true}
lib = {path = "../lib", develop = true}
dep = {git = "https://example.org/dep.git", tag = "v1"}
multi = [{version = "<2", python = "<3.8"}, {version = ">=2", python = ">=3.8"}]
[tool.poetry.group.dev.dependencies]
pytest = "*"
"""


def test_pyproject_of_poetry() -> None:
    found = pyproject(POETRY)
    assert [need.name for need in found.dependencies] == ["flask", "lib", "dep", "multi", "multi"]
    assert found.dependencies[2].needs_git
    assert found.groups["dev"][0].name == "pytest"
    assert found.local_paths == ("../lib",)
    assert found.reads == ("README.md", "CHANGES.md")
    assert found.is_package
    assert not pyproject(POETRY.replace('name = "a"', "package-mode = false")).is_package


def test_pipfile() -> None:
    text = """
[packages]
flask = "*"
lib = {path = "./lib", editable = true}
dep = {git = "https://example.org/dep.git", ref = "v1"}
[dev-packages]
pytest = "*"
[scripts]
serve = "flask run"
"""
    found = pyproject(text, "Pipfile")
    assert [need.name for need in found.dependencies] == ["flask", "lib", "dep"]
    assert found.dependencies[2].needs_git
    assert found.groups["dev"][0].name == "pytest"
    assert found.local_paths == ("./lib",)
    assert not found.is_package
    assert not found.scripts


def test_pyproject_that_only_holds_settings() -> None:
    found = pyproject("[tool.black]\nline-length = 100\n")
    assert found.name is None
    assert not found.is_package
    assert found.dependencies == ()


@pytest.mark.parametrize(
    "text", ["project = 1\ntool = []", "[project]\ndependencies = 'flask'\nreadme = 3\n[tool]\npoetry = 1"]
)
def test_pyproject_of_wrong_types(text: str) -> None:
    found = pyproject(text)
    assert found.name is None
    assert found.reads == ()


def test_broken_pyproject() -> None:
    context = BuildContext.of({"pyproject.toml": "[project\nname = 'a'"})
    found = read_pyproject(context)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("pyproject.toml: broken TOML: ")
    assert "line 1" in found.reason


# setup.cfg


def test_setup_cfg() -> None:
    text = """[metadata]
name = a
version = attr: a.version.__version__
long_description = file: README.md, CHANGES.md
license_files = LICENSE
[options]
python_requires = >=3.8
install_requires =
    flask>=2
    # comment
    requests; python_version < "3.9"
[options.extras_require]
dev = pytest
[flake8]
max-line-length = 100%
"""
    found = read_setup_cfg(BuildContext.of({"setup.cfg": text}))
    assert isinstance(found, SetupCfg)
    assert found.reads == ("README.md", "CHANGES.md", "LICENSE")
    assert [need.name for need in found.requires] == ["flask", "requests"]


@pytest.mark.parametrize("text", ["no section\n", "[a]\n[a]\n", "[a]\nx=1\nx=2\n"])
def test_broken_setup_cfg(text: str) -> None:
    context = BuildContext.of({"setup.cfg": text})
    assert isinstance(read_setup_cfg(context), Unknown)
    assert len(context.broken) == 1


# Python lockfiles


POETRY_LOCK = """
[[package]]
name = "Flask"
version = "2.0.1"
files = [{file = "Flask-2.0.1-py3-none-any.whl", hash = "sha256:1"}]
[[package]]
name = "psycopg2"
version = "2.9.1"
[[package]]
name = "lib"
version = "0.1.0"
[package.source]
type = "directory"
url = "../lib"
[metadata]
lock-version = "2.0"
python-versions = "^3.9"
content-hash = "HASH"
[metadata.files]
psycopg2 = [{file = "psycopg2-2.9.1.tar.gz", hash = "sha256:1"}]
"""


def test_poetry_lock() -> None:
    found = read_lock(BuildContext.of({"poetry.lock": POETRY_LOCK}), "poetry.lock")
    assert isinstance(found, tuple)
    flask, psycopg2, lib = found
    assert (flask.name, flask.is_pure, flask.is_source_only) == ("flask", True, False)
    assert psycopg2.is_source_only
    assert (lib.source, lib.path) == ("path", "../lib")


@pytest.mark.parametrize("end", ["[metadata]\n", "[[package]]\n", 'name = "psycopg2"\n', "sha256:1"])
def test_cut_poetry_lock_is_broken(end: str) -> None:
    cut = POETRY_LOCK[: POETRY_LOCK.index(end) + len(end)]
    context = BuildContext.of({"poetry.lock": cut})
    found = read_lock(context, "poetry.lock")
    assert isinstance(found, Unknown)
    assert len(context.broken) == 1


UV_LOCK = """
version = 1
requires-python = ">=3.9"
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "flask" }]
[package.metadata]
requires-dist = [{ name = "flask", specifier = ">=2,<4" }, { name = "x", marker = "extra == 'y'" }]
[[package]]
name = "flask"
version = "3.0.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.example.org/flask-3.0.0.tar.gz", hash = "sha256:1" }
wheels = [{ url = "https://files.example.org/flask-3.0.0-cp39-cp39-musllinux_1_1_x86_64.whl" }]
"""


def test_uv_lock() -> None:
    found = read_lock(BuildContext.of({"uv.lock": UV_LOCK}), "uv.lock")
    assert isinstance(found, tuple)
    app, flask = found
    assert (app.source, app.path) == ("project", ".")
    assert flask.files == ("flask-3.0.0-cp39-cp39-musllinux_1_1_x86_64.whl", "flask-3.0.0.tar.gz")
    assert not flask.is_pure


@pytest.mark.parametrize(
    "end", ['name = "flask" }]', 'version = "3.0.0"', '[[package]]\nname = "fl', "extra == 'y'\" }]\n"]
)
def test_cut_uv_lock_is_broken(end: str) -> None:
    cut = UV_LOCK[: UV_LOCK.index(end) + len(end)]
    context = BuildContext.of({"uv.lock": cut})
    if end == 'version = "3.0.0"':
        # The name is there, and TOML has no end mark.
        assert isinstance(read_lock(context, "uv.lock"), tuple)
        return
    assert isinstance(read_lock(context, "uv.lock"), Unknown)
    assert len(context.broken) == 1


def test_pdm_lock() -> None:
    text = (
        '[metadata]\nlock_version = "4.4"\ncontent_hash = "sha256:1"\n'
        '[[package]]\nname = "A"\nversion = "1"\nfiles = [{file = "a-1-py3-none-any.whl", hash = "x"}]\n'
        '[[package]]\nname = "b"\nversion = "1"\npath = "./b"\n'
    )
    found = read_lock(BuildContext.of({"pdm.lock": text}), "pdm.lock")
    assert isinstance(found, tuple)
    assert [one.name for one in found] == ["a", "b"]
    assert found[0].is_pure
    assert (found[1].source, found[1].path) == ("path", "./b")


def test_version_files() -> None:
    context = BuildContext.of(
        {".nvmrc": "\n# node\n v18.17.0 # lts\n", ".python-version": "3.11\n", "runtime.txt": "\n"}
    )
    assert first_line(context, ".nvmrc") == "v18.17.0"
    assert first_line(context, ".python-version") == "3.11"
    assert first_line(context, "runtime.txt") is None
    assert first_line(context, ".node-version") is None


# Go


def test_go_mod() -> None:
    text = """// Deprecated: no
module example.org/cmd/tool/v2 // comment

go 1.22.1
toolchain go1.22.5

require example.org/single v1.0.0
require (
\tgithub.com/mattn/go-sqlite3 v1.14.0
\t"quoted.org/x" v0.1.0 // indirect
)
replace example.org/single => ../single
replace (
\texample.org/a v1.0.0 => ./libs/a
\texample.org/b => example.org/fork v1.2.0
)
exclude example.org/z v1.0.0
retract [v1.0.0, v1.9.9]
tool golang.org/x/tools/cmd/stringer
godebug default=go1.21
"""
    found = read_go_mod(BuildContext.of({"svc/go.mod": text}), "svc/go.mod")
    assert isinstance(found, GoMod)
    assert found.module == "example.org/cmd/tool/v2"
    assert found.go == "1.22.1"
    assert found.requires == ("example.org/single", "github.com/mattn/go-sqlite3", "quoted.org/x")
    assert [(one.target, one.is_local, one.folder) for one in found.replaces] == [
        ("../single", True, "single"),
        ("./libs/a", True, "svc/libs/a"),
        ("example.org/fork", False, None),
    ]


def test_go_replace_that_leaves_the_context() -> None:
    found = read_go_mod(BuildContext.of({"go.mod": "module a\nreplace b => ../b\nreplace c => /opt/c\n"}))
    assert isinstance(found, GoMod)
    assert [(one.is_local, one.folder) for one in found.replaces] == [(True, None), (True, None)]


@pytest.mark.parametrize(
    "text",
    [
        "module a\nrequire (\n\tb v1.0.0\n",
        "go 1.20\n",
        "module a\nrequire b\n",
        "module a\nreplace b\n",
        "module a\nreplace b => \n",
        "module a b\n",
        "module a\n<<<<<<< HEAD\n",
        "",
    ],
)
def test_broken_go_mod(text: str) -> None:
    context = BuildContext.of({"go.mod": text})
    assert isinstance(read_go_mod(context), Unknown)
    assert len(context.broken) == 1


def test_go_work() -> None:
    text = "go 1.22\nuse .\nuse (\n\t./api\n\t./libs/x // comment\n\t../outside\n)\nreplace a => ./a\n"
    found = read_go_work(BuildContext.of({"go.work": text}))
    assert isinstance(found, GoWork)
    assert found.uses == ("", "api", "libs/x")


def test_a_module_inherits_from_the_poms_above_it() -> None:
    plugin = "<plugin><artifactId>maven-shade-plugin</artifactId></plugin>"
    above = (
        "<project><artifactId>all</artifactId><version>2.0</version><packaging>pom</packaging>"
        "<properties><java.version>1.8</java.version><end>${project.version}-app</end></properties>"
        f"<modules><module>web</module></modules><build><plugins>{plugin}</plugins></build></project>"
    )
    web = (
        "<project><parent><artifactId>all</artifactId><version>2.0</version></parent><artifactId>web</artifactId>"
        "<dependencies><dependency><artifactId>gson</artifactId></dependency>"
        "<dependency><artifactId>junit</artifactId><scope>test</scope></dependency></dependencies>"
        "<build><finalName>${artifactId}-${end}</finalName></build></project>"
    )
    context = BuildContext.of({"pom.xml": above, "web/pom.xml": web})
    found = maven_projects(context, "web")[0]
    assert (found.packer, found.needed) == ("maven-shade-plugin", "gson and others")
    assert found.release == ("java.version", "1.8")
    assert [path for _, path in found.made] == ["target/classes", "target", "target/web-2.0-app.jar"]
    assert [one.manifests for one in maven_projects(context, "")] == [("pom.xml",), ("web/pom.xml", "pom.xml")]
    assert maven_projects(context, "other") == ()


def test_projects_of_a_gradle_build() -> None:
    root = "allprojects {\n  version = '3'\n}\n"
    web = (
        "plugins { id 'application' }\nsourceCompatibility = JavaVersion.VERSION_1_8\nbase.archivesBaseName = 'shop'\n"
    )
    settings = "rootProject.name = 'all'\ninclude ':apps:web', 'lib'\n"
    files = {
        "settings.gradle": settings,
        "build.gradle": root,
        "apps/web/build.gradle": web,
        "lib/build.gradle.kts": "",
    }
    context = BuildContext.of(files)
    found = gradle_projects(context, "")
    assert [(one.folder, *one.manifests, one.made[0][1]) for one in found] == [
        ("", "build.gradle", "settings.gradle", "build/libs/all-3.jar"),
        ("apps/web", "apps/web/build.gradle", "build/libs/shop-3.jar"),
        ("lib", "lib/build.gradle.kts", "build/libs/lib-3.jar"),
    ]
    assert (found[1].release, found[1].packer, found[1].needed) == (("apps/web/build.gradle", "1.8"), None, "")
    made = {task: [path for tasks, path in found[1].made if re.fullmatch(tasks, task)]
            for task in ("build", ":apps:web:installDist", "lib:jar")}  # fmt: skip
    assert made["build"] == ["build/libs/shop-3.jar", "build/distributions"]
    assert (made[":apps:web:installDist"], made["lib:jar"]) == (["build/install/web"], [])
    assert left_out(context, "", ["apps:web:build", "apps:build", "test"]) is None
    assert left_out(context, "", ["api:build"]) == Unknown(
        "the build fails as it is: settings.gradle does not include api"
    )
