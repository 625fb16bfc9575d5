"""Files that have stages already and ship what a single one would: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from refactor import BuildContext, Settings, fix
from tests.taken_apart import refusal, run

RUST = {
    "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\n',
    "Cargo.lock": 'version = 3\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    "src/main.rs": 'fn main() { let _ = std::net::TcpListener::bind("0.0.0.0:8080"); }\n',
}
GO = {
    "go.mod": "module example.org/a\n\ngo 1.22\n",
    "main.go": 'package main\n\nimport "net/http"\n\nfunc main() { http.ListenAndServe(":8080", nil) }\n',
}
JAVA = {
    "pom.xml": """<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>shop</artifactId>
<version>1</version><build><finalName>shop</finalName><plugins><plugin><artifactId>maven-jar-plugin</artifactId>
<configuration><archive><manifest><mainClass>a.Shop</mainClass></manifest></archive></configuration></plugin></plugins>
</build></project>""",
    "src/main/java/a/Shop.java": "package a; public class Shop { public static void main(String[] a) {} }\n",
}
TWO = """
FROM rust:1.80 AS build
WORKDIR /app
COPY . .
RUN cargo build --release
FROM rust:1.80
WORKDIR /app
COPY --from=build /app .
CMD ["./target/release/shop"]
"""


@pytest.mark.parametrize(
    ("files", "image", "make", "program", "runner"),
    [
        (RUST, "rust:1.80", "cargo build --release", "target/release/shop", "debian:bookworm-slim"),
        (GO, "golang:1.22", "go build -o server .", "server", "gcr.io/distroless/static-debian12:nonroot"),
        (JAVA, "maven:3.9-eclipse-temurin-21", "mvn -q package", "target/shop.jar", "eclipse-temurin:21-jre"),
    ],
    ids=["Rust", "Go", "Java"],
)
def test_a_final_stage_on_the_builders_image_gets_the_program_alone(
    files: Mapping[str, str], image: str, make: str, program: str, runner: str
) -> None:
    start = f'"java", "-jar", "{program}"' if program.endswith("jar") else f'"./{program}"'
    text = f"""
FROM {image} AS build
WORKDIR /app
COPY . .
RUN {make}

# Shipped.
FROM {image} AS shipped
# The program.
COPY --from=build /app /app
WORKDIR /app
EXPOSE 8080
CMD [{start}]
"""
    after = run(text, files).after.decode()
    final = after.partition("\n\n")[2]
    assert final.startswith(f"# Shipped.\nFROM {runner} AS shipped\n")
    assert f"# The program.\nCOPY --from=build /app/{program} ./" in final
    assert after.count("COPY --from=") == 1
    assert after.count("FROM ") == 2
    assert f"EXPOSE 8080\nUSER {'65532' if 'distroless' in runner else '10001'}" in final


def test_a_program_copied_alone_leaves_the_compilers_image() -> None:
    text = TWO.replace("/app .", "/app/target/release/shop ./target/release/shop")
    assert "\nFROM debian:bookworm-slim\n" in run(text, RUST).after.decode()


def test_what_the_final_stage_chose_besides_stays() -> None:
    text = TWO.replace("CMD", "COPY --from=build --chown=1:1 /opt /opt\nCMD").replace("RUN ", "RUN touch /opt/a && ")
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert "./target/release/shop\nCOPY --from=build --chown=1:1 /opt /opt\n" in final


def test_several_files_to_a_folder_stay_as_they_are() -> None:
    more = "COPY --from=build /etc/passwd /etc/group /opt/\n"
    final = run(TWO.replace("CMD", more + "CMD"), RUST).after.decode().rpartition("FROM ")[2]
    assert more in final


def test_what_was_copied_from_another_folder_goes_to_the_same_place() -> None:
    text = TWO.replace("CMD", "WORKDIR /opt\nCOPY --link --from=build /opt/tool tool\nWORKDIR /app\nCMD")
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert "COPY --link --from=build /opt/tool /opt/tool\n" in final


def test_several_copies_of_a_program_and_its_files() -> None:
    text = TWO.replace("/app .", "/app/target/release/shop ./target/release/shop\nCOPY --from=build /app/src /app/src")
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert (
        "COPY --from=build /app/target/release/shop ./target/release/shop\nCOPY --from=build /app/src /app/src" in final
    )
    assert final.startswith("debian:bookworm-slim\n")


def test_a_stage_by_number_gets_its_name() -> None:
    after = run(TWO.replace(" AS build", "").replace("--from=build", "--from=0"), RUST).after.decode()
    assert after.startswith("FROM rust:1.80 AS builder\n")
    assert "COPY --from=builder /app/target/release/shop" in after


def test_what_only_the_builder_had_is_not_added() -> None:
    text = TWO.replace("RUN cargo", "ENV RUSTFLAGS=-g LEVEL=1\nRUN mkdir /data && touch /data/seed && cargo")
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert "/data" not in final
    assert "LEVEL" not in final
    assert "RUSTFLAGS" not in final


def test_settings_of_the_final_stage_stay_in_their_place() -> None:
    text = TWO.replace("CMD", 'LABEL a="b"\nENV LEVEL=2\nVOLUME /app/uploads\nHEALTHCHECK NONE\nCMD')
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert 'LABEL a="b"\nENV LEVEL=2\nVOLUME /app/uploads\nUSER 10001:10001\nHEALTHCHECK NONE\n' in final


def test_a_user_is_made_before_files_become_that_users() -> None:
    text = TWO.replace(
        "WORKDIR /app\nCOPY --from=build", "RUN useradd -u 7 web\nWORKDIR /app\nCOPY --from=build --chown=web"
    )
    final = run(text, RUST).after.decode().rpartition("FROM ")[2]
    assert final.index("useradd -u 7 web") < final.index("COPY --chown=web --from=build /app/target/release/shop")


def test_a_stage_in_front_stays() -> None:
    text = "\nFROM alpine:3.20 AS tools\nRUN echo 1 > /one\n" + TWO
    after = run(text, RUST).after.decode()
    assert after.startswith("FROM alpine:3.20 AS tools\nRUN echo 1 > /one\n\nFROM rust:1.80 AS build")
    assert after.count("FROM ") == 3


@pytest.mark.parametrize(
    ("old", "new", "because"),
    [
        ("COPY . .", "COPY . .\nUSER nobody", "USER on line 4 is the builder's alone"),
        ("WORKDIR /app\nCOPY --from", "ENV H=/app\nWORKDIR $H\nCOPY --from", "not written as a path"),
        ("WORKDIR /app\nCOPY --from=build /app .", "COPY --from=build /app /app", "starts in / while"),
        ("FROM rust:1.80\n", "FROM alpine:3.20\n", "on alpine:3.20, and what is built is known to run on debian"),
    ],
)
def test_two_stages_that_are_not_one(old: str, new: str, because: str) -> None:
    assert because in refusal(TWO.replace(old, new), RUST)


def test_a_stage_that_is_built_by_name_keeps_what_it_has() -> None:
    files = {**RUST, "compose.yaml": "services:\n  a:\n    build:\n      context: .\n      target: build\n"}
    assert "builds the stage build by name" in refusal(TWO, files)


def test_lines_that_are_named_are_those_of_the_file() -> None:
    text = TWO.replace("RUN cargo", "RUN ./configure.bin\nRUN cargo")
    assert "line 4 runs `./configure.bin`" in refusal(text, RUST)


@pytest.mark.parametrize(
    "copies",
    [
        "COPY --from=build /app/target/release/shop /usr/local/bin/shop",
        "COPY --from=build /app/target/release/ /app/",
    ],
)
def test_a_final_stage_that_chooses_is_left_alone(copies: str) -> None:
    text = f"""
FROM rust:1.80 AS build
WORKDIR /app
COPY . .
RUN cargo build --release
FROM debian:bookworm-slim
{copies}
CMD ["shop"]
"""
    change = fix(text.lstrip("\n").encode(), BuildContext.of(RUST), select=("split-build-stage",), settings=Settings())
    assert not change.applied
    assert not change.refused


def test_sources_of_an_interpreted_program_come_from_the_context_last() -> None:
    text = """
FROM python:3.11 AS build
RUN apt-get update && apt-get install -y gcc libpq-dev
WORKDIR /app
COPY . .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install -r requirements.txt
FROM python:3.11
RUN useradd -u 1001 web
WORKDIR /app
COPY --from=build --chown=web:web /app .
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
CMD ["uvicorn", "main:app"]
"""
    files = {
        "requirements.txt": "fastapi==0.115.0\npsycopg2==2.9.9\nuvicorn==0.30.0\n",
        "main.py": "import fastapi\n\napp = fastapi.FastAPI()\n",
    }
    final = run(text, files).after.decode().rpartition("FROM ")[2]
    assert "--no-install-recommends libpq5" in final
    assert "COPY --from=build /opt/venv /opt/venv\nCOPY --chown=web:web . .\nENV PATH" in final


def test_a_run_that_reads_the_builder_keeps_the_stages() -> None:
    text = TWO.replace("CMD", "RUN --mount=from=build,source=/app,target=/m cp /m/Cargo.lock /etc/lock\nCMD")
    assert "line 8 reads the builder in a RUN" in refusal(text, RUST)
