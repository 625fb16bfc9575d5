"""Final stages on an image for building that build nothing: the image they get, and why they keep theirs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run
from tests.test_joined import GO, RUST

GO_FILE = """
FROM golang:1.22 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o shop .
FROM golang:1.22-bookworm
WORKDIR /app
COPY --from=build /src/shop /usr/local/bin/shop
CMD ["shop"]
"""
RUST_FILE = """
FROM rust:1.80 AS build
WORKDIR /src
COPY . .
RUN cargo build --release
FROM rust:1.80-bookworm
COPY --from=build /src/target/release/shop /usr/local/bin/shop
WORKDIR /app
CMD ["shop"]
"""


@pytest.mark.parametrize(
    ("text", "files", "image"),
    [
        (GO_FILE, GO, "FROM debian:bookworm-slim\n"),
        (GO_FILE.replace("-bookworm", "-alpine3.20"), GO, "FROM alpine:3.20\n"),
        (GO_FILE.replace("CMD", "USER 7\nCMD"), GO, "FROM gcr.io/distroless/static-debian12\n"),
        (RUST_FILE, RUST, "FROM debian:bookworm-slim\n"),
    ],
)
def test_a_program_needs_no_compiler_beside_it(text: str, files: Mapping[str, str], image: str) -> None:
    after = run(text, files).after.decode()
    assert image in after
    assert after.count("FROM ") == 2


def test_what_the_program_is_linked_with_is_installed() -> None:
    lock = """version = 3
[[package]]
name = "shop"
version = "0.1.0"
dependencies = ["openssl"]
[[package]]
name = "openssl"
version = "0.10.0"
dependencies = ["openssl-sys"]
[[package]]
name = "openssl-sys"
version = "0.9.0"
"""
    files = {**RUST, "Cargo.lock": lock, "Cargo.toml": RUST["Cargo.toml"] + '[dependencies]\nopenssl = "0.10"\n'}
    final = run(RUST_FILE, files).after.decode().rpartition("FROM ")[2]
    assert "--no-install-recommends libssl3" in final


def test_the_working_folder_of_the_image_stays() -> None:
    final = run(GO_FILE.replace("WORKDIR /app\n", ""), GO).after.decode().rpartition("FROM ")[2]
    assert "\nWORKDIR /go\n" in final


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (GO_FILE.replace("CMD", "RUN git init /app\nCMD"), "may need the larger image"),
        (GO_FILE.replace('"shop"]', '"go", "version"]'), "needs the toolchain"),
    ],
)
def test_a_stage_that_does_more_keeps_its_image(text: str, because: str) -> None:
    assert because in refusal(text, GO, codemod="use-slim-base")
