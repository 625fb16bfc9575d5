"""pin-base-image: which version the files of a project name, which tags exist, and what a registry says."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from refactor import BuildContext, Change, fix
from refactor.context.ranges import intervals, only_line
from refactor.engine.record import Record
from refactor.engine.run import Options, Worker
from refactor.images import is_known_tag
from refactor.images.published import is_published
from refactor.images.registry import ask

JAVA = "<project><properties><%s>%s</%s></properties></project>"


def pinned(image: str, **files: str) -> Change:
    context = BuildContext.of({"Dockerfile": "", **{name.replace("|", "."): text for name, text in files.items()}})
    return fix(f"FROM {image}\nCOPY . .\n".encode(), context, ["pin-base-image"])


@pytest.mark.parametrize(
    ("image", "path", "content", "expected"),
    [
        ("node", ".nvmrc", "20\n", "node:20"),
        ("node", ".nvmrc", "# tools\nv20.11.1\n", "node:20.11.1"),
        ("node:slim", ".node-version", "22.1.0", "node:22.1.0-slim"),
        ("node", "package.json", '{"volta": {"node": "18.20.4"}}', "node:18.20.4"),
        ("node", "package.json", '{"engines": {"node": "^20.11.0"}}', "node:20"),
        ("node", "package.json", '{"engines": {"node": ">=20 <21"}}', "node:20"),
        ("node:bookworm", "package.json", '{"engines": {"node": "20.x"}}', "node:20-bookworm"),
        ("node", ".tool-versions", "python 3.11.4\nnodejs 20.11.1 18.0.0\n", "node:20.11.1"),
        ("docker.io/library/node", ".nvmrc", "20", "docker.io/library/node:20"),
        ("python", ".python-version", "3.11\n", "python:3.11"),
        ("python", "runtime.txt", "python-3.11.4", "python:3.11.4"),
        ("python", "Pipfile", '[requires]\npython_version = "3.10"\n', "python:3.10"),
        ("python", "pyproject.toml", '[tool.poetry.dependencies]\npython = "~3.11"\n', "python:3.11"),
        ("python", "pyproject.toml", '[project]\nrequires-python = "==3.12.*"\n', "python:3.12"),
        ("python:alpine", "mise.toml", '[tools]\npython = "3.12"\n', "python:3.12-alpine"),
        ("golang", "go.mod", "module x\n\ngo 1.22.3\n", "golang:1.22"),
        ("golang", "go.mod", "module x\n\ngo 1.21\n\ntoolchain go1.22.5\n", "golang:1.22.5"),
        ("eclipse-temurin", "pom.xml", JAVA % ("java.version", "17", "java.version"), "eclipse-temurin:17"),
        ("eclipse-temurin", "pom.xml", JAVA % ("java.version", "1.8", "java.version"), "eclipse-temurin:8"),
        (
            "amazoncorretto:alpine",
            "pom.xml",
            JAVA % ("maven.compiler.release", "21", "maven.compiler.release"),
            "amazoncorretto:21-alpine",
        ),
        (
            "eclipse-temurin",
            "build.gradle",
            "java { toolchain { languageVersion = JavaLanguageVersion.of(21) } }",
            "eclipse-temurin:21",
        ),
        ("eclipse-temurin", ".tool-versions", "java temurin-17.0.9+9\n", "eclipse-temurin:17"),
        (
            "mcr.microsoft.com/dotnet/sdk",
            "global.json",
            '{"sdk": {"version": "8.0.100", "rollForward": "latestFeature"}}',
            "mcr.microsoft.com/dotnet/sdk:8.0",
        ),
        (
            "mcr.microsoft.com/dotnet/aspnet:latest",
            "web.csproj",
            "<Project><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>",
            "mcr.microsoft.com/dotnet/aspnet:8.0",
        ),
        ("rust", "rust-toolchain.toml", '[toolchain]\nchannel = "1.75.0"\n', "rust:1.75.0"),
        ("rust:slim", "rust-toolchain", "1.75\n", "rust:1.75-slim"),
        ("ruby", ".ruby-version", "ruby-3.2.2\n", "ruby:3.2.2"),
        ("ruby", "Gemfile", "source 'x'\nruby '~> 3.2.0'\n", "ruby:3.2"),
        ("ruby:alpine", "Gemfile.lock", "GEM\n\nRUBY VERSION\n   ruby 3.3.0p0\n", "ruby:3.3.0-alpine"),
        ("php:fpm-alpine", "composer.json", '{"config": {"platform": {"php": "8.2.0"}}}', "php:8.2-fpm-alpine"),
        ("php:apache", "composer.json", '{"require": {"php": "~8.3.0"}}', "php:8.3-apache"),
    ],
)
def test_a_version_that_a_file_names(image: str, path: str, content: str, expected: str) -> None:
    change = pinned(image, **{path: content})
    assert change.after.decode() == f"FROM {expected}\nCOPY . .\n", change.refused
    assert path in change.applied[0].evidence[0]


@pytest.mark.parametrize(
    ("image", "files", "because"),
    [
        ("node", {"package.json": '{"engines": {"node": ">=18"}}'}, "names a minimum (>=18)"),
        ("node", {"package.json": '{"engines": {"node": "18 || 20"}}'}, "names a range (18 || 20)"),
        ("node", {".nvmrc": "lts/iron"}, "names a channel"),
        ("node", {".nvmrc": "20", "package.json": '{"engines": {"node": ">=22"}}'}, "contradict each other"),
        ("node", {".nvmrc": "20.11.1", ".node-version": "20.10.0"}, "contradict each other"),
        ("python", {"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\n'}, "names a range (^3.11)"),
        ("python", {"pyproject.toml": '[project]\nrequires-python = "~=3.11"\n'}, "names a range (~=3.11)"),
        ("python", {".python-version": "pypy3.9-7.3.9"}, "names a channel"),
        ("golang", {"go.mod": "module x\n\ngo 1.16\n"}, "names a minimum (1.16)"),
        (
            "eclipse-temurin",
            {"pom.xml": JAVA % ("maven.compiler.release", "8", "maven.compiler.release")},
            "names a minimum (8)",
        ),
        (
            "mcr.microsoft.com/dotnet/sdk",
            {"global.json": '{"sdk": {"version": "8.0.100"}}'},
            "sdk:8.0.100 is not known to exist",
        ),
        ("rust", {"rust-toolchain": "nightly"}, "names a channel"),
        ("ruby", {"Gemfile": "ruby '>= 3.0'"}, "names a minimum (>= 3.0)"),
        ("php", {"composer.json": '{"require": {"php": "^8.2"}}'}, "names a range (^8.2)"),
        ("node:alpine3.99", {".nvmrc": "20"}, "node:20-alpine3.99 is not known to exist"),
        ("python:slim-bookworm", {".python-version": "3.6"}, "python:3.6-slim-bookworm is not known to exist"),
        ("debian", {"a": ""}, "no file of a project names a version of debian"),
        ("example.com/team/base", {"a": ""}, "the tags of example.com/team/base are not known"),
    ],
)
def test_what_names_no_version_is_refused(image: str, files: dict[str, str], because: str) -> None:
    change = pinned(image, **files)
    assert not change.applied
    (refusal,) = change.refused
    assert because in refusal.because
    assert refusal.hint


@pytest.mark.parametrize("image", ["node:20", "node:lts-alpine", "debian:bookworm", "debian:stable", "scratch"])
def test_a_version_or_a_channel_stays_in_silence(image: str) -> None:
    change = pinned(image, **{".nvmrc": "20.11.1"})
    assert not change.applied
    assert not change.refused


def test_without_a_context_it_says_what_to_add() -> None:
    (refusal,) = fix(b"FROM node\n", None, ["pin-base-image"]).refused
    assert "the build context is not known" in refusal.because
    assert "--context" in refusal.hint


def test_files_of_the_folder_that_is_copied_count_and_those_of_others_do_not() -> None:
    files = {"web/package.json": '{"engines": {"node": "20"}}', "api/package.json": '{"engines": {"node": "18"}}'}
    change = fix(b"FROM node\nCOPY web/ .\n", BuildContext.of(files), ["pin-base-image"])
    assert change.after == b"FROM node:20\nCOPY web/ .\n"
    both = fix(b"FROM node\nCOPY web/ web\nCOPY api/ api\n", BuildContext.of(files), ["pin-base-image"])
    assert "contradict each other" in both.refused[0].because


def test_a_tag_from_a_build_argument_is_left_to_the_author() -> None:
    context = BuildContext.of({".nvmrc": "20"})
    change = fix(b"ARG TAG=latest\nFROM node:${TAG}\n", context, ["pin-base-image"])
    assert not change.applied
    assert "build arguments" in change.refused[0].because


@pytest.mark.parametrize(
    ("text", "is_pessimistic", "depth", "line"),
    [
        ("20", False, 1, (20,)),
        ("v20.11.1", False, 1, (20, 11, 1)),
        ("~20.11.3", False, 1, (20, 11)),
        ("^0.12.0", False, 1, (0, 12)),
        (">=3.11,<3.12", False, 2, (3, 11)),
        (">=3.11.2 <3.12", False, 2, (3, 11)),
        ("~1.2", True, 2, None),
        ("~1.2", False, 2, (1, 2)),
        ("18 - 20", False, 1, None),
        ("3", False, 2, None),
        ("*", False, 1, None),
    ],
)
def test_ranges(text: str, is_pessimistic: bool, depth: int, line: tuple[int, ...] | None) -> None:
    allowed = intervals(text, is_pessimistic)
    assert allowed is not None
    assert only_line(allowed, depth) == line


@pytest.mark.parametrize("text", ["latest", "lts/*", "20-rc1", "", "file:../x", "3.12.0rc1"])
def test_what_is_no_range_is_none(text: str) -> None:
    assert intervals(text) is None


def test_published_versions() -> None:
    assert is_published("node", "20.11.1")
    assert not is_published("node", "20.11.2")
    assert is_published("golang", "1.22")
    assert not is_published("debian", "12")
    assert not is_published("node", "x")
    assert is_known_tag("node:20-slim")
    assert not is_known_tag("node:10.13-stretch-slim")
    assert not is_known_tag("golang:1.22-slim")


# A registry of our own.

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class Stub(BaseHTTPRequestHandler):
    """Gives anonymous tokens for a repository, and manifests for these alone, as Docker Hub does."""

    tags = frozenset({("library/node", "20.99.0"), ("library/node", "20"), ("library/debian", "12")})

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        wanted = parse_qs(asked.query)
        assert asked.path == "/token"
        assert wanted["service"] == ["stub"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"token": "%s"}' % wanted["scope"][0].encode())

    def do_HEAD(self) -> None:
        _, _, *repository, _, tag = self.path.split("/")
        name = "/".join(repository)
        scope = f"repository:{name}:pull"
        if self.headers.get("Authorization") != f"Bearer {scope}":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="stub",scope="{scope}"')
        elif (name, tag) in self.tags:
            assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    ask(None)


def online(folder: Path, registry: str | None, dockerfile: str, settings: str = "", **files: str) -> Record:
    for name, text in {"Dockerfile": dockerfile, "dockerfix.toml": settings, **files}.items():
        (folder / name).write_text(text)
    url = None if registry is None else "http://127.0.0.1:1"
    return Worker(Options(select=("pin-base-image",), diff=True, online=url, registry=registry)).work(
        str(folder / "Dockerfile")
    )


def test_a_registry_knows_tags_that_the_table_lacks(tmp_path: Path, registry: str) -> None:
    files = {".nvmrc": "20.99.0"}
    assert not online(tmp_path, None, "FROM node\nCOPY . .\n", **files).is_changed
    record = online(tmp_path, registry, "FROM node\nCOPY . .\n", **files)
    assert not record.errors
    assert "+FROM node:20.99.0\n" in (record.diff or "")


def test_a_tag_that_the_registry_does_not_have_is_not_written(tmp_path: Path, registry: str) -> None:
    record = online(tmp_path, registry, "FROM node\nCOPY . .\n", **{".nvmrc": "20.11.1"})
    assert not record.is_changed
    assert "the registry has no node:20.11.1" in str(record.refused)


DIGESTS = "[codemods.pin-base-image]\ndigest = true\n"


def test_digests_are_written_where_they_are_asked_for(tmp_path: Path, registry: str) -> None:
    text = "FROM debian:12 AS a\nRUN true\nFROM node\nCOPY --from=a / .\nCOPY . .\n"
    record = online(tmp_path, registry, text, DIGESTS, **{".nvmrc": "20"})
    assert f"+FROM debian:12@{DIGEST} AS a\n" in (record.diff or "")
    assert f"+FROM node:20@{DIGEST}\n" in (record.diff or "")


def test_a_digest_needs_a_registry(tmp_path: Path) -> None:
    record = online(tmp_path, None, "FROM debian:12\n", DIGESTS)
    assert not record.is_changed
    assert "--online" in str(record.refused)


def test_a_silent_registry_is_said_once_and_the_table_decides(tmp_path: Path, registry: str) -> None:
    record = online(tmp_path, "http://127.0.0.1:1", "FROM node\nCOPY . .\n", **{".nvmrc": "20.11.1"})
    assert "+FROM node:20.11.1\n" in (record.diff or "")
    (error,) = record.errors
    assert "the registry http://127.0.0.1:1 does not answer" in str(error)


def test_a_host_that_only_the_file_names_is_not_asked(tmp_path: Path, registry: str) -> None:
    host = registry.removeprefix("http://")
    record = online(tmp_path, registry, f"FROM {host}/library/node\nCOPY . .\n", **{".nvmrc": "20.99.0"})
    assert not record.is_changed
    assert not record.errors
