"""replace-retired-base: what has ended, and what takes its place."""

from __future__ import annotations

import pytest

from refactor import BuildContext, fix
from refactor.images.retired import AS_OF, end_of, kept_line
from refactor.images.temurin import temurin_of


def rewritten(text: str, **files: str) -> tuple[str, str]:
    """The Dockerfile afterwards, and the reasons of what was refused."""
    change = fix(text.encode(), BuildContext.of(files) if files else None, ["replace-retired-base"])
    assert change.failure is None
    return change.after.decode(), "\n".join(refusal.because for refusal in change.refused)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("openjdk:17", "eclipse-temurin:17"),
        ("openjdk:17-jdk-slim", "eclipse-temurin:17-jdk"),
        ("openjdk:8-jdk-alpine", "eclipse-temurin:8-jdk-alpine"),
        ("openjdk:8-jre-alpine3.9", "eclipse-temurin:8-jre-alpine"),
        ("openjdk:11.0.11-jre-slim-buster", "eclipse-temurin:11-jre"),
        ("openjdk:8u212-jdk", "eclipse-temurin:8-jdk"),
        ("openjdk:17-oraclelinux8", "eclipse-temurin:17"),
        ("java:8", "eclipse-temurin:8"),
        ("docker.io/library/openjdk:21", "docker.io/library/eclipse-temurin:21"),
        ("openjdk:14", None),
        ("openjdk:16-jre", None),
        ("openjdk:22-ea-22", None),
        ("openjdk", None),
        ("openjdk:11@sha256:0", None),
        ("openjdk:17-windowsservercore", None),
    ],
)
def test_temurin_in_the_place_of_openjdk(old: str, new: str | None) -> None:
    assert temurin_of(old) == new


@pytest.mark.parametrize(
    ("instruction", "because"),
    [
        ("ENV JAVA_HOME=/usr/lib/jvm/java-1.8-openjdk", "names /usr/lib/jvm"),
        ("RUN apt-get update && apt-get install -y libfreetype6", "libfreetype6"),
        ("RUN git clone https://example.org/x", "calls git"),
        ("RUN useradd -u 1000 app", "makes a user 1000"),
        ("RUN yum install -y curl", "calls yum"),
    ],
)
def test_what_temurin_does_not_have_keeps_openjdk(instruction: str, because: str) -> None:
    text = f"FROM openjdk:11-jdk\n{instruction}\n"
    after, reasons = rewritten(text)
    assert after == text
    assert because in reasons
    assert "2022-07" in reasons


def test_a_program_that_the_file_installs_is_no_loss() -> None:
    text = "FROM openjdk:11-jdk\nRUN apt-get update && apt-get install -y git\nRUN git clone https://example.org/x\n"
    assert rewritten(text)[0].startswith("FROM eclipse-temurin:11-jdk\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python:3.9-buster", "python:3.9-bookworm"),
        ("python:3.11-slim-buster", "python:3.11-slim-bookworm"),
        ("node:16-buster-slim", "node:16-bookworm-slim"),
        ("golang:1.19-buster", "golang:1.19-bookworm"),
        # The newest Debian that these were built on is not kept for another year.
        ("node:14-buster", None),
        ("php:7.3-fpm-buster", None),
        # Built on Debian 11 by itself, which had a few days left.
        ("python:3.9-bullseye", None),
    ],
)
def test_a_newer_debian_below_the_same_version(old: str, new: str | None) -> None:
    assert rewritten(f"FROM {old}\n")[0] == f"FROM {new or old}\n"


@pytest.mark.parametrize(
    ("receiver", "moves"),
    [("debian:buster-slim", False), ("debian:12", True), ("alpine:3.24", True), ("scratch", True), ("own/base", False)],
)
def test_files_for_an_older_c_library_keep_the_builder(receiver: str, moves: bool) -> None:
    text = f"FROM golang:1.19-buster AS build\nFROM {receiver}\nCOPY --from=build /app /app\n"
    after, reasons = rewritten(text)
    assert ("golang:1.19-bookworm" in after) == moves
    assert ("copies from it" in reasons) != moves


def test_a_release_that_is_named_elsewhere_stays() -> None:
    text = "FROM python:3.9-buster\nRUN echo deb http://archive.debian.org/debian buster main > /etc/apt/sources.list\n"
    after, reasons = rewritten(text)
    assert after == text
    assert "line 2 names" in reasons


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("node:12", "node 12 ended on 2022-04-30"),
        ("debian:stretch-slim", "debian stretch ended on 2022-07-01"),
        ("ubuntu:18.04", "ubuntu bionic ended on 2023-05-31"),
        ("alpine:3.14", "alpine 3.14 ended on 2023-05-01"),
        ("centos:8", "centos ended on 2024-06-30"),
        ("mcr.microsoft.com/dotnet/sdk:6.0", "dotnet 6 ended on 2024-11-12"),
        ("python:3.8-slim", "python 3.8 ended on 2024-10-07"),
    ],
)
def test_what_has_ended_is_said_with_its_day(image: str, said: str) -> None:
    text = f"FROM {image}\n"
    after, reasons = rewritten(text)
    assert after == text
    assert said in reasons
    assert "https://" in reasons


@pytest.mark.parametrize("image", ["node:22", "python:3.13", "debian:12", "ubuntu:24.04", "alpine:3.24", "own/base:1"])
def test_what_is_kept_is_met_with_silence(image: str) -> None:
    assert rewritten(f"FROM {image}\n") == (f"FROM {image}\n", "")


def test_a_newer_version_that_the_project_names() -> None:
    text = "FROM node:14\nCOPY . .\n"
    assert rewritten(text, **{"package.json": '{"engines": {"node": "22.x"}}'})[0] == "FROM node:22\nCOPY . .\n"
    for engines in ("14.x", "18.x", ">=14"):
        after, reasons = rewritten(text, **{"package.json": f'{{"engines": {{"node": "{engines}"}}}}'})
        assert after == text
        assert "node 14 ended" in reasons


def test_the_table() -> None:
    assert AS_OF == "2026-08-22"
    assert end_of("debian", "") == ""
    assert end_of("node", "22.1.0") == "2027-04-30"
    assert kept_line("node") == "26"
