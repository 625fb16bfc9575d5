"""Compile caches in cache mounts: where they are right, and what they must not hide."""

from __future__ import annotations

from pathlib import Path

import pytest

from refactor import Aspect, BuildContext, Change, Settings, fix
from refactor.engine.run import Options, Worker
from refactor.model.build_model import BuildModel
from refactor.model.comparison import compare

FILES = {
    "go.mod": "module example.org/server\n\ngo 1.24\n\nrequire github.com/go-chi/chi/v5 v5.2.1\n",
    "go.sum": "github.com/go-chi/chi/v5 v5.2.1 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n",
    "main.go": 'package main\n\nimport _ "github.com/go-chi/chi/v5"\n\nfunc main() {}\n',
}
MOUNT = "RUN --mount=type=cache,target=/root/.cache/go-build \\\n    "
RUNNER = 'FROM scratch\nCOPY --from=builder /bin/server /server\nCMD ["/server"]\n'


def run(text: str, *, is_alone: bool = True) -> Change:
    context = BuildContext.of(FILES)
    select = ["add-cache-mounts"] if is_alone else None
    change = fix(text.encode(), context, select)
    assert change.failure is None
    assert fix(change.after, change.context_after(context), select).after == change.after, (
        "a second run finds something"
    )
    return change


def builder(*lines: str, image: str = "golang:1.24") -> str:
    return "\n".join([f"FROM {image} AS builder", *lines, RUNNER])


def refusals(change: Change) -> str:
    return "\n".join(refusal.because for refusal in change.refused if refusal.codemod == "add-cache-mounts")


def test_the_download_of_modules_gets_no_mount() -> None:
    text = 'FROM golang:1.24\nWORKDIR /app\nCOPY . .\nRUN go mod download && go build -o server .\nCMD ["./server"]\n'
    after = run(text, is_alone=False).after.decode()
    assert "COPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n" in after
    assert MOUNT + 'CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o server .\n' in after


def test_mounts_of_the_author_go_with_the_half_that_uses_them() -> None:
    mounts = "--mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/go/pkg/mod"
    text = builder("WORKDIR /src", "COPY . .", f"RUN {mounts} go mod download && go build -o /bin/server .")
    after = run(text, is_alone=False).after.decode()
    assert "RUN --mount=type=cache,target=/go/pkg/mod go mod download\nCOPY . .\n" in after
    assert f"RUN {mounts} go build -o /bin/server .\n" in after


@pytest.mark.parametrize(
    ("lines", "flag"),
    [
        (["ENV XDG_CACHE_HOME=/var/cache"], "target=/var/cache/go-build"),
        (["ENV HOME=/work"], "target=/work/.cache/go-build"),
        (["ARG CACHE=/tmp/go", "ENV GOCACHE=$CACHE"], "target=/tmp/go"),
        (["USER 0:0"], "target=/root/.cache/go-build"),
        (["ENV HOME=/work", "USER 1000:1000"], "target=/work/.cache/go-build,uid=1000"),
    ],
)
def test_the_mount_is_where_the_user_has_the_cache(lines: list[str], flag: str) -> None:
    after = run(builder(*lines, "COPY . /src", "WORKDIR /src", "RUN go build -o /bin/server .")).after.decode()
    assert f"RUN --mount=type=cache,{flag} \\\n" in after


@pytest.mark.parametrize(
    ("lines", "because"),
    [
        (["COPY . .", "USER 1000", "RUN go build -o /bin/server ."], "where that keeps its cache is not known"),
        (["COPY . .", "RUN GOCACHE=/x go build -o /bin/server ."], "has GOCACHE="),
        (["COPY . .", "RUN export HOME=/x && go build -o /bin/server ."], "has HOME="),
        (["COPY . .", "RUN go build -o /bin/server . && go clean -cache"], "empties the cache"),
        (["COPY . .", "RUN go build -o /bin/server . && rm -rf /root/*"], "empties the cache"),
        (["COPY . .", "RUN go build -a -o /bin/server ."], "`-a` on line 3"),
        (
            ["RUN go build std", "COPY . .", "RUN go build -o /bin/server ."],
            "line 2 compiles ahead, for line 4 to use: a mount would hide it",
        ),
    ],
)
def test_where_a_mount_would_be_of_no_use_or_in_the_way(lines: list[str], because: str) -> None:
    change = run(builder(*lines))
    assert not change.applied
    assert because in refusals(change)


def test_an_image_that_is_not_known() -> None:
    change = run(builder("COPY . .", "RUN go build -o /bin/server .", image="example.org/toolchain"))
    assert "not in the catalogue" in refusals(change)


def test_a_stage_that_is_shipped_may_compile_when_it_starts() -> None:
    change = run('FROM golang:1.24\nCOPY . /src\nWORKDIR /src\nRUN go build ./...\nCMD ["make", "serve"]\n')
    assert "the one that is shipped" in refusals(change)


def test_a_copy_that_takes_the_cache_along() -> None:
    change = run(
        "FROM golang:1.24 AS builder\nCOPY . /src\nWORKDIR /src\nRUN go build -o /root/server .\n"
        'FROM debian:12-slim\nCOPY --from=builder /root /root\nCMD ["/root/server"]\n'
    )
    assert "copies /root from this stage" in refusals(change)


def test_a_tool_of_another_module_is_no_reason() -> None:
    change = run(builder("RUN go install example.org/tool@latest", "COPY . .", "RUN go build -o /bin/server ."))
    assert change.after.decode().count("--mount") == 1
    assert MOUNT + "go build -o /bin/server ." in change.after.decode()


@pytest.mark.parametrize(
    ("image", "line", "flag"),
    [
        ("gradle:8-jdk21", "RUN gradle build", "target=/home/gradle/.gradle,sharing=locked"),
        ("eclipse-temurin:21-jdk", "RUN ./gradlew bootJar", "target=/root/.gradle,sharing=locked"),
        ("eclipse-temurin:21-jdk", "RUN ./mvnw package", "target=/root/.m2/repository,sharing=locked"),
        ("mcr.microsoft.com/dotnet/sdk:8.0", "RUN dotnet publish -o /bin/server", "target=/root/.nuget/packages"),
        ("rust:1.80", "RUN cargo build --release", "target=/usr/local/cargo/registry"),
    ],
)
def test_build_tools_of_other_languages(image: str, line: str, flag: str) -> None:
    after = run(builder("WORKDIR /src", "COPY . .", line, image=image)).after.decode()
    assert f"RUN --mount=type=cache,{flag} \\\n    {line.removeprefix('RUN ')}\n" in after


@pytest.mark.parametrize(
    ("image", "lines"),
    [
        ("mcr.microsoft.com/dotnet/sdk:8.0", ["RUN dotnet restore", "RUN dotnet publish --no-restore -o /bin/server"]),
        ("mcr.microsoft.com/dotnet/sdk:8.0", ["RUN dotnet restore", "RUN dotnet publish -o /bin/server"]),
        ("rust:1.80", ["RUN cargo fetch", "RUN cargo build --release"]),
        ("maven:3.9-eclipse-temurin-21", ["RUN mvn package -Dmaven.repo.local=/repo"]),
        ("gradle:8-jdk21", ["COPY gradle.properties /home/gradle/.gradle/", "RUN gradle build"]),
    ],
)
def test_what_another_step_needs_is_not_hidden(image: str, lines: list[str]) -> None:
    change = run(builder("WORKDIR /src", "COPY . .", *lines, image=image))
    assert not change.applied
    assert refusals(change)


def test_the_gates_tell_a_cache_mount_from_a_secret() -> None:
    plain = BuildModel.read(b"FROM a\nRUN x\n")
    cached = BuildModel.read(b"FROM a\nRUN --mount=type=cache,target=/c x\n")
    secret = BuildModel.read(b"FROM a\nRUN --mount=type=cache,target=/c --mount=type=secret,id=s x\n")
    assert {found.aspect for found in compare(plain, cached)} == {Aspect.CACHE_MOUNTS}
    assert {found.aspect for found in compare(cached, secret)} == {Aspect.MOUNTS}


def test_an_old_frontend_has_no_mounts() -> None:
    text = "# syntax=docker/dockerfile:1.0\n" + builder("COPY . .", "RUN go build -o /bin/server .")
    assert "has no RUN --mount" in refusals(run(text))


def test_the_portable_builder() -> None:
    text = builder("COPY . .", "RUN go build -o /bin/server .").encode()
    change = fix(text, BuildContext.of(FILES), ["add-cache-mounts"], settings=Settings(builder="portable"))
    assert change.after == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".gitlab-ci.yml", "build:\n  image: gcr.io/kaniko-project/executor:debug\n  script: [/kaniko/executor]\n"),
        (".github/workflows/ci.yml", 'env:\n  DOCKER_BUILDKIT: "0"\njobs: {}\n'),
        ("Makefile", "image:\n\tDOCKER_BUILDKIT=0 docker build .\n"),
        ("skaffold.yaml", "build:\n  cluster: {}\n  artifacts:\n  - image: a\n    kaniko: {}\n"),
    ],
)
def test_a_repository_that_builds_without_buildkit(tmp_path: Path, path: str, text: str) -> None:
    dockerfile = builder("COPY . .", "RUN go build -o /bin/server .")
    for name, content in {**FILES, path: text, "Dockerfile": dockerfile}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    record = Worker(Options(select=("add-cache-mounts",), is_isolated=True)).work(str(tmp_path / "Dockerfile"))
    assert not record.applied
    assert next(refusal.because for refusal in record.refused).startswith(f"{path} has ")
