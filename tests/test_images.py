"""The base-image catalogue and the system packages: what a rewrite relies on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from refactor.images import BaseImage, lookup, parse_reference
from refactor.images.system_packages import (
    classify,
    loads_system_library,
    native_build_needs,
    native_needs,
    npm_native_needs,
)


def known(reference: str) -> BaseImage:
    image = lookup(reference)
    assert image is not None, reference
    return image


# References.


@pytest.mark.parametrize(
    ("text", "registry", "repository", "name", "tag", "digest"),
    [
        ("node", "docker.io", "library/node", "node", None, None),
        ("node:20", "docker.io", "library/node", "node", "20", None),
        ("library/node:20", "docker.io", "library/node", "node", "20", None),
        ("docker.io/library/node:20", "docker.io", "library/node", "node", "20", None),
        ("docker.io/node", "docker.io", "library/node", "node", None, None),
        ("oven/bun:1", "docker.io", "oven/bun", "oven/bun", "1", None),
        ("localhost:5000/a/b", "localhost:5000", "a/b", "localhost:5000/a/b", None, None),
        ("localhost:5000/a/b:c", "localhost:5000", "a/b", "localhost:5000/a/b", "c", None),
        (
            "public.ecr.aws/docker/library/node:20",
            "public.ecr.aws",
            "docker/library/node",
            "node",
            "20",
            None,
        ),
        ("mirror.gcr.io/library/python:3", "mirror.gcr.io", "library/python", "python", "3", None),
        ("arm64v8/python:3", "docker.io", "arm64v8/python", "python", "3", None),
        ("gcr.io/distroless/cc", "gcr.io", "distroless/cc", "gcr.io/distroless/cc", None, None),
        ("a@sha256:0", "docker.io", "library/a", "a", None, "sha256:0"),
        ("h.io/a:b@sha256:0", "h.io", "a", "h.io/a", "b", "sha256:0"),
    ],
)
def test_references(text: str, registry: str, repository: str, name: str, tag: str | None, digest: str | None) -> None:
    seen = parse_reference(text)
    assert (seen.registry, seen.repository, seen.name) == (registry, repository, name)
    assert (seen.tag, seen.digest) == (tag, digest)


@pytest.mark.parametrize("text", ["", ":", "@", "a:b:c", "//", "$BASE", "${X:-node}:20", " node"])
def test_odd_references_do_not_raise(text: str) -> None:
    parse_reference(text)
    lookup(text)


@pytest.mark.parametrize(
    "text",
    [
        "$BASE",
        "node:$V",
        "node@sha256:0",
        "example.com/node:20",
        "someone/node:20",
        "node:20-windowsservercore",
        "python:3.11-nanoserver",
        "node:20-alpineish",
        "ubuntu:99.04",
        "debian:nosuch",
        "gcr.io/distroless/unheard-of",
        "scratch:latest",
        "golang:1.22-slim",
        "mysql:8",
        # A Perl before 5.34 started elsewhere, a Tomcat before 2022 stood on Debian, oraclelinux has no latest.
        "perl:5.30",
        "tomcat:9.0.8-jre8",
        "oraclelinux",
        "elixir:1.99",
        "caddy:2-windowsservercore",
    ],
)
def test_what_is_not_known_is_none(text: str) -> None:
    assert lookup(text) is None


# Releases: what a tag without one was built on.


@pytest.mark.parametrize(
    ("reference", "release", "floating"),
    [
        ("node:16", "buster", False),
        ("node:14", "buster", False),
        ("node:14.17.0", "stretch", False),
        ("node:12", "stretch", False),
        ("node:17", "bullseye", False),
        ("node:18", "bookworm", False),
        ("node:18.12.1", "bullseye", False),
        ("node:20", "bookworm", False),
        ("node:20.2", "bullseye", False),
        ("node:20.3.0-slim", "bookworm", False),
        ("node:24", "bookworm", True),
        ("node:24.1.0", "bookworm", False),
        ("node:iron", "bookworm", False),
        ("node:gallium-slim", "buster", False),
        ("node:lts", "bookworm", True),
        ("node", "trixie", True),
        ("node:20-bullseye", "bullseye", False),
        ("node:99", None, True),
        ("python:3.6", "bullseye", False),
        ("python:3.8", "bookworm", False),
        ("python:3.8.0", "buster", False),
        ("python:3.9", "trixie", False),
        ("python:3.11", "trixie", True),
        ("python:3.11.3", "bullseye", False),
        ("python:3.11.9-slim", "bookworm", False),
        ("python:2.7", "buster", False),
        ("python:3", "trixie", True),
        ("python:2", "buster", False),
        ("python:3.10-slim-bullseye", "bullseye", False),
        ("python:3.15-rc", None, True),
        ("golang:1.19", "bookworm", False),
        ("golang:1.19.3", "bullseye", False),
        ("golang:1.16", "bullseye", False),
        ("golang:1.13", "buster", False),
        ("golang:1.21", "bookworm", False),
        ("golang:1.26", "trixie", True),
        ("rust:1.75", "bookworm", False),
        ("rust:1.60-slim", "bullseye", False),
        ("rust", "trixie", True),
        ("ruby:3.1", "bookworm", False),
        ("php:7.4-fpm", "bullseye", False),
        ("debian:11", "bullseye", False),
        ("debian:bookworm-slim", "bookworm", False),
        ("debian", "trixie", True),
        ("debian:bookworm-20240110-slim", "bookworm", False),
        ("ubuntu:22.04", "jammy", False),
        ("ubuntu:focal", "focal", False),
        ("ubuntu", "resolute", True),
        ("alpine:3.19", "3.19", False),
        ("alpine:3.19.1", "3.19", False),
        ("alpine", None, True),
        ("node:20-alpine3.18", "3.18", False),
        ("node:20-alpine", None, True),
        ("gcr.io/distroless/base-debian12", "bookworm", False),
        ("gcr.io/distroless/base", None, True),
        ("buildpack-deps:jammy", "jammy", False),
        ("eclipse-temurin:17-jre-jammy", "jammy", False),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "bookworm", False),
        ("mcr.microsoft.com/dotnet/aspnet:6.0", "bullseye", False),
        ("mcr.microsoft.com/dotnet/aspnet:8.0-jammy", "jammy", False),
        ("mcr.microsoft.com/dotnet/core/sdk:3.1", "buster", False),
        ("erlang:27", "bookworm", True),
        ("erlang:23-slim", "buster", False),
        ("erlang:27.3.4.16", None, False),
        ("elixir:1.17", "bookworm", True),
        ("elixir:1.18-otp-27-slim", "bookworm", True),
        ("elixir:1.14-alpine", None, True),
        ("perl:5.40-slim-bookworm", "bookworm", False),
        ("perl:5.42", "trixie", True),
        ("haskell:9.6-slim-bullseye", "bullseye", False),
        ("swift:5.6", "bionic", True),
        ("swift:5.9.1-slim", "jammy", False),
        ("swift", "noble", True),
        ("swift:6.0-amazonlinux2", "2", False),
        ("gcc:13", "bookworm", True),
        ("amazoncorretto:17", None, True),
        ("amazoncorretto:17-al2023-headless", "2023", False),
        ("amazoncorretto:8u402-alpine3.19-jre", "3.19", False),
        ("tomcat:10.1-jre17-temurin-jammy", "jammy", False),
        ("caddy:2.8-alpine", None, True),
        ("oraclelinux:8-slim", "8", False),
        ("registry.access.redhat.com/ubi9/ubi-minimal:9.4", "9", False),
        ("eclipse-temurin:8u302-b08-jre-focal", "focal", False),
        ("eclipse-temurin:17-jdk-alpine-3.22", "3.22", False),
    ],
)
def test_release_of_a_tag(reference: str, release: str | None, floating: bool) -> None:
    image = known(reference)
    assert (image.release, image.is_floating) == (release, floating)


# Variants of the same version and release.


@pytest.mark.parametrize(
    ("reference", "variant", "expected"),
    [
        ("node:20", "slim", "node:20-slim"),
        ("node:20-bullseye", "slim", "node:20-bullseye-slim"),
        ("node:20.11.1-bookworm", "slim", "node:20.11.1-bookworm-slim"),
        ("node", "slim", "node:slim"),
        ("node:latest", "slim", "node:slim"),
        ("node:lts", "slim", "node:lts-slim"),
        ("node:lts-iron", "slim", "node:lts-iron-slim"),
        ("node:bullseye", "slim", "node:bullseye-slim"),
        ("node:20-slim", "fat", "node:20"),
        ("node:20-slim", "slim", "node:20-slim"),
        ("node:20-alpine", "slim", "node:20-slim"),
        ("node:20", "alpine", "node:20-alpine"),
        ("node:10.13-stretch", "slim", None),
        ("node:10-stretch", "slim", "node:10-stretch-slim"),
        ("node:9-stretch", "slim", None),
        ("node:5", "alpine", None),
        ("node:20", "distroless", "gcr.io/distroless/nodejs20-debian12:nonroot"),
        ("node:20-bullseye", "distroless", None),
        ("docker.io/library/node:20", "slim", "docker.io/library/node:20-slim"),
        ("public.ecr.aws/docker/library/node:20", "slim", "public.ecr.aws/docker/library/node:20-slim"),
        ("node:20@sha256:0", "slim", None),
        ("python:3.11", "slim", "python:3.11-slim"),
        ("python:3.11-buster", "slim", "python:3.11-slim-buster"),
        ("python:3.11-slim-buster", "fat", "python:3.11-buster"),
        ("python", "slim", "python:slim"),
        ("python:bullseye", "slim", "python:slim-bullseye"),
        ("python:2.7", "slim", "python:2.7-slim"),
        ("python:2.6", "slim", None),
        ("python:3.4.1", "slim", None),
        ("python:3.12", "alpine", "python:3.12-alpine"),
        ("python:3.11-bookworm", "distroless", "gcr.io/distroless/python3-debian12:nonroot"),
        ("python:3.12-bookworm", "distroless", None),
        ("golang:1.22", "slim", None),
        ("golang:1.22-bookworm", "alpine", "golang:1.22-alpine"),
        ("golang:1.3", "alpine", None),
        ("rust:1.75-bookworm", "slim", "rust:1.75-slim-bookworm"),
        ("ruby:3.3", "slim", "ruby:3.3-slim"),
        ("debian:bookworm", "slim", "debian:bookworm-slim"),
        ("debian:12-slim", "fat", "debian:12"),
        ("debian", "slim", "debian:stable-slim"),
        ("eclipse-temurin:21", "jre", "eclipse-temurin:21-jre"),
        ("eclipse-temurin:21-jdk-jammy", "jre", "eclipse-temurin:21-jre-jammy"),
        ("eclipse-temurin:17-jdk-alpine", "jre", "eclipse-temurin:17-jre-alpine"),
        ("eclipse-temurin:17.0.9_9-jdk", "jre", "eclipse-temurin:17.0.9_9-jre"),
        ("eclipse-temurin:21-jre", "alpine", "eclipse-temurin:21-jre-alpine"),
        ("nginx:1.25", "alpine", "nginx:1.25-alpine"),
        ("nginxinc/nginx-unprivileged", "alpine", "nginxinc/nginx-unprivileged:alpine"),
        ("erlang:27", "slim", "erlang:27-slim"),
        ("elixir:1.18-otp-27", "slim", "elixir:1.18-otp-27-slim"),
        ("swift:6.0-jammy", "slim", "swift:6.0-jammy-slim"),
        ("swift", "slim", "swift:slim"),
        ("perl:5.40-threaded-bookworm", "slim", "perl:5.40-slim-threaded-bookworm"),
        ("perl:stable", "slim", "perl:stable-slim"),
        ("tomcat:10.1-jdk17-temurin-jammy", "jre", "tomcat:10.1-jre17-temurin-jammy"),
        ("tomcat:10", "jre", None),
        ("mcr.microsoft.com/dotnet/sdk:8.0.404-jammy", "aspnet", "mcr.microsoft.com/dotnet/aspnet:8.0-jammy"),
        (
            "mcr.microsoft.com/dotnet/sdk:9.0-alpine3.21",
            "runtime-alpine",
            "mcr.microsoft.com/dotnet/runtime:9.0-alpine3.21",
        ),
        ("mcr.microsoft.com/dotnet/sdk:9.0-alpine", "runtime", None),
        (
            "mcr.microsoft.com/dotnet/sdk:8.0-noble-aot",
            "runtime-deps",
            "mcr.microsoft.com/dotnet/runtime-deps:8.0-noble",
        ),
        ("mcr.microsoft.com/dotnet/sdk", "aspnet", "mcr.microsoft.com/dotnet/aspnet:latest"),
        (f"mcr.microsoft.com/dotnet/sdk:8.0@sha256:{'a' * 64}", "aspnet", "mcr.microsoft.com/dotnet/aspnet:8.0"),
        (
            "mcr.microsoft.com/dotnet/sdk:8.0",
            "runtime-deps-chiseled",
            "mcr.microsoft.com/dotnet/runtime-deps:8.0-noble-chiseled-extra",
        ),
        ("mcr.microsoft.com/dotnet/core/sdk:3.1", "aspnet-chiseled", None),
        ("mcr.microsoft.com/dotnet/sdk:8", "aspnet", None),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "slim", None),
        ("mcr.microsoft.com/dotnet/aspnet:8.0", "runtime", None),
        ("alpine", "slim", None),
        ("ubuntu:22.04", "slim", None),
        ("scratch", "slim", None),
    ],
)
def test_variants(reference: str, variant: str, expected: str | None) -> None:
    assert known(reference).with_variant(variant) == expected


def test_a_named_variant_is_itself_known_on_the_same_release() -> None:
    for reference in (
        "node:20",
        "node:16",
        "python:3.8",
        "python:3.11-buster",
        "rust:1.75",
        "ruby:3.2",
        "debian:11",
    ):
        image = known(reference)
        slim = known(image.with_variant("slim") or "")
        assert (slim.variant, slim.release, slim.version) == ("slim", image.release, image.version)
        assert slim.with_variant("fat") == reference


# Facts.


def test_users() -> None:
    assert known("node:20-slim").users["node"] == (1000, 1000)
    assert known("node:20-alpine").users["node"] == (1000, 1000)
    assert known("nginx").users["nginx"] == (101, 101)
    assert known("debian").users["www-data"] == (33, 33)
    assert "www-data" not in known("alpine").users
    assert known("php:8.2-fpm").users["www-data"] == (33, 33)
    assert known("php:8.2-fpm-alpine").users["www-data"] == (82, 82)
    assert known("ubuntu:24.04").users["ubuntu"] == (1000, 1000)
    assert "ubuntu" not in known("ubuntu:22.04").users
    assert known("mcr.microsoft.com/dotnet/aspnet:8.0").users["app"] == (1654, 1654)
    assert "app" not in known("mcr.microsoft.com/dotnet/aspnet:6.0").users
    assert known("gradle:8-jdk17").users["gradle"] == (1000, 1000)
    assert known("oven/bun:1").users["bun"] == (1000, 1000)
    assert "python" not in known("python:3.11").users
    assert known("erlang:27").users["www-data"] == (33, 33)
    assert "www-data" not in known("amazoncorretto:17").users
    assert "www-data" not in known("caddy:2").users


def test_servers_and_further_languages() -> None:
    assert (known("tomcat:10").cmd, known("tomcat:10").ports) == (("catalina.sh", "run"), (8080,))
    assert known("caddy:2").ports == (80, 443, 2019)
    assert known("caddy:2").workdir == "/srv"
    assert known("perl:5.40").workdir == "/usr/src/app"
    assert known("gcr.io/oss-fuzz-base/base-builder-go").workdir == "/src"
    assert known("gcr.io/oss-fuzz-base/base-builder:ubuntu-24-04").release == "noble"
    assert lookup("gcr.io/oss-fuzz-base/base-builder-swift") is None
    assert known("elixir:1.17").cmd == ("iex",)
    managers = {"oraclelinux:7-slim": "yum", "oraclelinux:9": "dnf", "oraclelinux:9-slim": "microdnf"}
    assert {name: known(name).package_manager for name in managers} == managers
    assert "g++" in known("erlang:27").preinstalled
    assert "g++" not in known("erlang:27-slim").preinstalled


@pytest.mark.parametrize(
    ("reference", "user"),
    [
        ("node:20", "root"),
        ("nginxinc/nginx-unprivileged", "101"),
        ("gcr.io/distroless/static-debian12:nonroot", "65532"),
        ("gcr.io/distroless/static-debian12", "0"),
        ("mcr.microsoft.com/dotnet/aspnet:8.0-jammy-chiseled", "1654"),
    ],
)
def test_default_user(reference: str, user: str) -> None:
    assert known(reference).default_user == user


@pytest.mark.parametrize(
    ("reference", "shells", "libc", "manager"),
    [
        ("node:20", ("/bin/sh", "/bin/bash"), "glibc", "apt"),
        ("node:20-alpine", ("/bin/sh", "/bin/ash"), "musl", "apk"),
        ("busybox:musl", ("/bin/sh", "/bin/ash"), "musl", None),
        ("scratch", (), None, None),
        ("gcr.io/distroless/static", (), None, None),
        ("gcr.io/distroless/cc-debian12", (), "glibc", None),
        ("gcr.io/distroless/cc-debian12:debug", ("/busybox/sh",), "glibc", None),
        ("mcr.microsoft.com/dotnet/runtime:8.0-jammy-chiseled", (), "glibc", None),
        ("openjdk:17", ("/bin/sh", "/bin/bash"), "glibc", "microdnf"),
        ("fedora:40", ("/bin/sh", "/bin/bash"), "glibc", "dnf"),
        ("centos:7", ("/bin/sh", "/bin/bash"), "glibc", "yum"),
        ("amazonlinux:2", ("/bin/sh", "/bin/bash"), "glibc", "yum"),
        ("amazonlinux:2023", ("/bin/sh", "/bin/bash"), "glibc", "dnf"),
    ],
)
def test_shells_libc_and_package_manager(
    reference: str, shells: tuple[str, ...], libc: str | None, manager: str | None
) -> None:
    image = known(reference)
    assert (image.shells, image.libc, image.package_manager) == (shells, libc, manager)
    assert image.has_shell is bool(shells)


def test_what_a_container_starts() -> None:
    assert known("node:20").entrypoint == ("docker-entrypoint.sh",)
    assert known("node:20").cmd == ("node",)
    assert known("python:3.11").cmd == ("python3",)
    assert known("python:2.7").cmd == ("python2",)
    assert known("nginx").cmd == ("nginx", "-g", "daemon off;")
    assert known("nginx").ports == (80,)
    assert known("nginxinc/nginx-unprivileged:1.25").ports == (8080,)
    assert known("gcr.io/distroless/nodejs20-debian12").entrypoint == ("/nodejs/bin/node",)
    assert known("gcr.io/distroless/java21-debian12").entrypoint == ("/usr/bin/java", "-jar")
    assert known("gcr.io/distroless/python3-debian12").version == "3.11"
    assert known("gcr.io/distroless/nodejs:16").version == "16"
    assert known("php:8.2-fpm").ports == (9000,)
    assert known("mcr.microsoft.com/dotnet/aspnet:8.0").ports == (8080,)
    assert known("mcr.microsoft.com/dotnet/aspnet:7.0").ports == (80,)
    assert known("golang:1.22").workdir == "/go"


@pytest.mark.parametrize(
    ("reference", "present", "absent"),
    [
        (
            "node:20",
            "git curl ca-certificates gcc g++ make python3 libpq-dev libpq5 libssl3 yarn corepack",
            "tini",
        ),
        ("node:20-slim", "node npm yarn corepack tzdata bash", "ca-certificates curl git python3 gcc procps"),
        ("node:22-trixie-slim", "node", "tzdata"),
        ("node:26", "node npm", "yarn corepack"),
        ("node:24", "yarn corepack", ""),
        ("node:25", "yarn", "corepack"),
        ("node:20-alpine", "node yarn busybox", "bash git curl python3"),
        ("python:3.11", "pip gcc git libpq5 libxml2 libmariadb3 setuptools", ""),
        ("python:3.11-slim", "pip ca-certificates tzdata netbase", "gcc git curl libpq5 libxml2"),
        ("python:3.11-slim-bookworm", "libssl3 libffi8 libsqlite3-0", "libssl3t64"),
        ("python:3.11-slim-trixie", "libssl3t64", "libssl3"),
        ("python:3.12-slim", "pip", "setuptools wheel"),
        ("golang:1.22", "git gcc make pkg-config ca-certificates", "libpq-dev"),
        ("golang:1.22-alpine", "ca-certificates go", "git gcc bash tzdata"),
        ("debian:bookworm-slim", "bash tzdata", "ca-certificates curl"),
        ("debian:trixie-slim", "bash", "tzdata ca-certificates"),
        ("ubuntu:22.04", "bash", "tzdata ca-certificates curl"),
        ("buildpack-deps:bookworm-curl", "curl wget", "git gcc"),
        ("buildpack-deps:bookworm-scm", "git", "gcc"),
        ("nginx:alpine", "curl", "bash"),
        ("nginx:alpine-slim", "nginx", "curl"),
        ("gcr.io/distroless/static", "ca-certificates tzdata", "libc6"),
        ("gcr.io/distroless/base-debian12", "libc6", "libstdc++6"),
        ("gcr.io/distroless/cc-debian12", "libstdc++6", ""),
        ("rust:1.75-slim", "cargo gcc", "git libssl-dev pkg-config"),
    ],
)
def test_what_is_preinstalled(reference: str, present: str, absent: str) -> None:
    held = known(reference).preinstalled
    assert set(present.split()) <= held
    assert not set(absent.split()) & held


def test_each_image_names_its_sources() -> None:
    for reference in (
        "node",
        "python",
        "golang",
        "debian",
        "scratch",
        "gcr.io/distroless/cc",
        "openjdk:8",
        "httpd",
    ):
        assert known(reference).sources


# System packages.


@pytest.mark.parametrize(
    ("package", "release", "kind", "runtime"),
    [
        ("libpq-dev", "bookworm", "build-only", ("libpq5",)),
        ("libpq-dev=15.3-0+deb12u1", "bookworm", "build-only", ("libpq5",)),
        ("libpq-dev", None, "build-only", ("libpq5",)),
        ("default-libmysqlclient-dev", "bookworm", "build-only", ("libmariadb3",)),
        ("libffi-dev", "bullseye", "build-only", ("libffi7",)),
        ("libffi-dev", "bookworm", "build-only", ("libffi8",)),
        ("libffi-dev", None, "build-only", None),
        ("libssl-dev", "bullseye", "build-only", ("libssl1.1",)),
        ("libssl-dev", "bookworm", "build-only", ("libssl3",)),
        ("libssl-dev", "trixie", "build-only", ("libssl3t64",)),
        ("libssl-dev", "sid", "build-only", None),
        ("libldap2-dev", "bookworm", "build-only", ("libldap-2.5-0",)),
        ("libcurl4-openssl-dev", "trixie", "build-only", ("libcurl4t64",)),
        ("libxml2-dev", "trixie", "build-only", ("libxml2",)),
        ("libjpeg62-turbo-dev", "bookworm", "build-only", ("libjpeg62-turbo",)),
        ("unixodbc-dev", "bookworm", "build-only", ("libodbc2", "libodbcinst2")),
        ("libpcre3-dev", "trixie", "build-only", None),
        ("libboost-all-dev", "bookworm", "build-only", None),
        ("libunheardof-dev", "bookworm", "build-only", None),
        ("libeigen3-dev", "bookworm", "build-only", ()),
        ("libbison-dev", "bookworm", "build-only", ()),
        ("libuv1-dev", "trixie", "build-only", ("libuv1t64",)),
        ("build-essential", "bookworm", "build-only", ()),
        ("g++:amd64", "bookworm", "build-only", ()),
        ("gcc-12", "bookworm", "build-only", ()),
        ("python3-dev", "bookworm", "build-only", ()),
        ("pkg-config", None, "build-only", ()),
        ("gfortran", "bookworm", "build-only", ("libgfortran5",)),
        ("cargo", "bookworm", "build-only", ()),
        ("git", "bookworm", "unknown", ("git",)),
        ("curl", "bookworm", "unknown", ("curl",)),
        ("openjdk-17-jdk-headless", "bookworm", "unknown", ("openjdk-17-jdk-headless",)),
        ("ffmpeg", "bookworm", "runtime", ("ffmpeg",)),
        ("libpq5", "bookworm", "runtime", ("libpq5",)),
        ("libglib2.0-0t64", "trixie", "runtime", ("libglib2.0-0t64",)),
        ("fonts-noto-cjk", "bookworm", "runtime", ("fonts-noto-cjk",)),
        ("tini", "bookworm", "runtime", ("tini",)),
        ("something-else", "bookworm", "unknown", ("something-else",)),
    ],
)
def test_debian_packages(package: str, release: str | None, kind: str, runtime: tuple[str, ...] | None) -> None:
    seen = classify(package, "debian", release)
    assert (seen.kind, seen.runtime) == (kind, runtime)


@pytest.mark.parametrize(
    ("package", "release", "runtime"),
    [
        ("default-libmysqlclient-dev", "jammy", ("libmysqlclient21",)),
        ("libjpeg-dev", "jammy", ("libjpeg-turbo8",)),
        ("libssl-dev", "focal", ("libssl1.1",)),
        ("libssl-dev", "jammy", ("libssl3",)),
        ("libssl-dev", "noble", ("libssl3t64",)),
        ("libpq-dev", "noble", ("libpq5",)),
        ("libicu-dev", "focal", ("libicu66",)),
        ("libicu-dev", "resolute", None),
        ("libmagic-dev", "noble", ("libmagic1t64",)),
        ("libev-dev", "jammy", ("libev4",)),
        ("libgcrypt11-dev", "xenial", ("libgcrypt20",)),
        ("libpng-dev", "xenial", ("libpng12-0",)),
        ("libmagickwand-dev", "xenial", ("libmagickwand-6.q16-2",)),
        ("libjsoncpp-dev", "focal", ("libjsoncpp1",)),
        ("libjsoncpp-dev", "jammy", ("libjsoncpp25",)),
        ("postgresql-server-dev-all", "jammy", ("libpq5",)),
        ("libluajit-5.1-dev", "jammy", ("libluajit-5.1-2",)),
    ],
)
def test_ubuntu_packages(package: str, release: str, runtime: tuple[str, ...] | None) -> None:
    assert classify(package, "ubuntu", release).runtime == runtime


@pytest.mark.parametrize(
    ("package", "kind", "runtime"),
    [
        ("postgresql-dev", "build-only", ("libpq",)),
        ("mariadb-dev", "build-only", ("mariadb-connector-c",)),
        ("jpeg-dev", "build-only", ("libjpeg-turbo",)),
        ("zlib-dev", "build-only", ("zlib",)),
        ("libffi-dev", "build-only", ("libffi",)),
        ("openssl-dev>3", "build-only", ("libcrypto3", "libssl3")),
        ("musl-dev", "build-only", ()),
        ("build-base", "build-only", ()),
        ("gcc~12", "build-only", ()),
        ("boost-dev", "build-only", None),
        ("unheardof-dev", "build-only", None),
        ("git", "unknown", ("git",)),
        ("libpq", "runtime", ("libpq",)),
        ("tzdata", "runtime", ("tzdata",)),
        (".build-deps", "unknown", ()),
    ],
)
def test_alpine_packages(package: str, kind: str, runtime: tuple[str, ...] | None) -> None:
    seen = classify(package, "alpine", None)
    assert (seen.kind, seen.runtime) == (kind, runtime)


def test_other_distributions_are_unknown() -> None:
    assert classify("gcc", "fedora", "40").kind == "unknown"
    assert classify("gcc", "fedora", "40").runtime is None


def test_python_distributions_built_from_source() -> None:
    assert native_needs("psycopg2") == ("libpq5",)
    assert native_needs("mysqlclient") == ("libmariadb3",)
    assert native_needs("LXML") == ("libxml2", "libxslt1.1")
    assert native_needs("python_ldap", "debian", "bullseye") == ("libldap-2.4-2", "libsasl2-2")
    assert native_needs("psycopg2", "alpine") == ("libpq",)
    assert native_needs("mysqlclient", "ubuntu", "jammy") == ("libmysqlclient21",)
    assert native_needs("psycopg2-binary") == ()
    assert native_needs("flask") == ()
    assert native_build_needs("pycairo") == ("libcairo2-dev",)


def test_python_distributions_that_load_libraries_of_the_system() -> None:
    assert loads_system_library("python-magic")
    assert not loads_system_library("psycopg2")


def test_npm_packages_built_from_source() -> None:
    assert npm_native_needs("pg-native") == ("libpq5",)
    assert "libcairo2" in npm_native_needs("canvas")
    assert npm_native_needs("express") == ()


def test_importing_the_room_is_cheap() -> None:
    code = "import sys, refactor.images; assert not {'json', 'subprocess', 'tempfile'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)


@pytest.mark.parametrize(
    ("reference", "entrypoint"),
    [
        ("node:8.15.1", ()),
        ("node:8", ("docker-entrypoint.sh",)),
        ("node:10.15.3-alpine", ()),
        ("node:10.16.0", ("docker-entrypoint.sh",)),
        ("node:12.3.1", ()),
        ("node:12.4.0-slim", ("docker-entrypoint.sh",)),
        ("nginx:1.17.10", ()),
        ("nginx:1.18-alpine", ("/docker-entrypoint.sh",)),
        ("nginx", ("/docker-entrypoint.sh",)),
        ("php:7.0.13-cli", ()),
        ("php:7.1.0-cli", ("docker-php-entrypoint",)),
        ("php:5.6-apache", ("docker-php-entrypoint",)),
        ("eclipse-temurin:17.0.7_7-jdk-jammy", ()),
        ("eclipse-temurin:17.0.8_7-jdk-jammy", ("/__cacert_entrypoint.sh",)),
        ("eclipse-temurin:8u372-b07-jre", ()),
        ("eclipse-temurin:8u382-b05-jre", ("/__cacert_entrypoint.sh",)),
        ("eclipse-temurin:18-jdk", ()),
        ("eclipse-temurin:17", ("/__cacert_entrypoint.sh",)),
        ("maven:3.3.3-jdk-8", ()),
        ("maven:3.9-eclipse-temurin-21", ("/usr/local/bin/mvn-entrypoint.sh",)),
        ("denoland/deno:0.40.0", ()),
        ("denoland/deno:1.12.0", ("docker-entrypoint.sh",)),
        ("denoland/deno:alpine-1.20.0", ("/tini", "--", "docker-entrypoint.sh")),
        ("denoland/deno:distroless-1.13.0", ("/bin/deno",)),
        ("denoland/deno:distroless", ("/tini", "--", "/bin/deno")),
    ],
)
def test_an_entrypoint_is_known_from_the_version_that_brought_it(reference: str, entrypoint: tuple[str, ...]) -> None:
    assert known(reference).entrypoint == entrypoint


@pytest.mark.parametrize(
    ("reference", "name", "ids"),
    [
        ("nginx:1.15", "nginx", None),
        ("nginx:1.16", "nginx", (101, 101)),
        ("denoland/deno:0.6.0", "deno", None),
        ("denoland/deno:alpine-1.10.0", "deno", (1993, 1993)),
        ("denoland/deno:alpine-1.10.1", "deno", None),
        ("denoland/deno:alpine-1.10.2", "deno", (1000, 1000)),
        ("denoland/deno:debian-1.20.0", "deno", (1993, 1993)),
        ("mcr.microsoft.com/dotnet/aspnet:6.0-jammy-chiseled", "app", (1654, 1654)),
        ("mcr.microsoft.com/dotnet/aspnet:6.0", "app", None),
    ],
)
def test_a_user_is_known_from_the_version_that_brought_it(
    reference: str, name: str, ids: tuple[int, int] | None
) -> None:
    assert known(reference).users.get(name) == ids


def test_chiseled_images_listen_as_a_user() -> None:
    image = known("mcr.microsoft.com/dotnet/aspnet:6.0-jammy-chiseled")
    assert (image.default_user, image.ports) == ("1654", (8080,))
    assert image.env["ASPNETCORE_URLS"] == "http://+:8080"
    assert known("denoland/deno:alpine-1.20.0").release is None


def test_which_images_can_make_users() -> None:
    able = (
        "debian:12 ubuntu:24.04 alpine:3.20 fedora:40 rockylinux:9 oraclelinux:9-slim amazoncorretto:21-alpine node:22"
    )
    unable = "amazonlinux:2023 amazoncorretto:21 rockylinux:9-minimal redhat/ubi9-minimal scratch"
    found = {name: lookup(name) for name in (*able.split(), *unable.split())}
    assert None not in found.values()
    assert {name for name, image in found.items() if image is not None and image.has_useradd} == set(able.split())
