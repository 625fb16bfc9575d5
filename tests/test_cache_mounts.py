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


LOCKED = "# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n"


def downloads(image: str, *lines: str, files: dict[str, str] | None = None) -> Change:
    context = BuildContext.of(files or {})
    settings = Settings(tables={"add-cache-mounts": {"downloads": True}})
    text = "\n".join([f"FROM {image}", *lines, ""])
    change = fix(text.encode(), context, ["add-cache-mounts"], settings=settings)
    assert change.failure is None
    assert not fix(change.after, context, ["add-cache-mounts"], settings=settings).applied
    return change


@pytest.mark.parametrize(
    ("image", "lines", "files", "target"),
    [
        ("node:22", ["RUN npm ci"], {}, "/root/.npm"),
        ("node:22", ["USER node", "RUN npm ci"], {}, "/home/node/.npm,uid=1000,gid=1000"),
        ("node:22", ["ENV npm_config_cache=/c", "RUN npm ci"], {}, "/c"),
        (
            "node:22",
            ["COPY yarn.lock ./", "RUN yarn"],
            {"yarn.lock": LOCKED},
            "/usr/local/share/.cache/yarn,sharing=locked",
        ),
        (
            "node:22",
            ["WORKDIR /a", "COPY yarn.lock ./", "USER node", "RUN yarn"],
            {"yarn.lock": LOCKED},
            "/home/node/.cache/yarn,uid=1000,gid=1000,sharing=locked",
        ),
        (
            "node:22",
            ["ENV PNPM_HOME=/pnpm", "COPY pnpm-lock.yaml ./", "RUN pnpm install"],
            {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"},
            "/pnpm/store",
        ),
        ("python:3.12", ["RUN pip install flask"], {}, "/root/.cache/pip"),
        ("python:3.12", ["ENV XDG_CACHE_HOME=/c", "RUN pip install flask"], {}, "/c/pip"),
        (
            "python:3.12",
            ["RUN useradd -m -u 7 -g 7 -d /srv/w w", "USER w", "RUN pip install x"],
            {},
            "/srv/w/.cache/pip,uid=7,gid=7",
        ),
        ("composer:2", ["RUN composer install"], {}, "/tmp/cache"),
        ("php:8.3-cli", ["ENV COMPOSER_CACHE_DIR=/c", "RUN composer install"], {}, "/c"),
        ("ruby:3.3", ["RUN bundle install"], {}, "/usr/local/bundle/cache,sharing=locked"),
    ],
)
def test_downloads_are_kept_where_the_user_has_them(
    image: str, lines: list[str], files: dict[str, str], target: str
) -> None:
    after = downloads(image, *lines, files=files).after.decode()
    assert f"RUN --mount=type=cache,target={target} \\\n    {lines[-1].removeprefix('RUN ')}\n" in after


@pytest.mark.parametrize(
    ("image", "lines", "files", "because"),
    [
        ("python:3.12", ["ENV PIP_NO_CACHE_DIR=1", "RUN pip install flask"], {}, "PIP_NO_CACHE_DIR is set"),
        ("python:3.12", ["RUN pip install x && rm -rf ~/.cache"], {}, "removes what pip keeps"),
        ("python:3.12", ["RUN useradd -m w", "USER w", "RUN pip install x"], {}, "whose number is not known"),
        ("python:3.12", ["RUN pip install x", "RUN cp -r /root/.cache/pip /out"], {}, "works with /root/.cache/pip"),
        ("example.org/own:1", ["RUN pip install x"], {}, "is not in the catalogue"),
        ("node:22", ["RUN npm ci && npm cache clean --force"], {}, "empties the cache of npm"),
        ("node:22", ["COPY .npmrc ./", "RUN npm ci"], {".npmrc": "cache=/c\n"}, ".npmrc has cache="),
        ("node:22", ["COPY package.json ./", "RUN yarn"], {"package.json": "{}"}, "no yarn.lock shows"),
        ("node:22", ["COPY yarn.lock ./", "RUN yarn"], {"yarn.lock": "__metadata:\n"}, "no yarn.lock shows"),
        ("php:8.3-cli", ["RUN composer install"], {}, "where that keeps its cache is not known"),
        ("ruby:3.3", ["ENV BUNDLE_PATH=/gems", "RUN bundle install"], {}, "BUNDLE_PATH is set"),
        ("golang:1.24", ["COPY go.sum ./", "RUN go mod download"], {"go.sum": "x"}, "may compile again"),
        ("alpine:3.20", ["RUN apt-get update && apt-get install -y git"], {}, "not known to be Debian's"),
        ("debian:12", ["RUN apt-get update", "RUN apt-get install -y git"], {}, "from lists that a mount would hide"),
        ("debian:12", ["RUN apt update && apt install -y git"], {}, "removes its archives after every call"),
        ("debian:12", ["USER 1", "RUN apt-get update && apt-get install -y git"], {}, "by sudo, or as 1"),
    ],
)
def test_downloads_that_get_no_mount(image: str, lines: list[str], files: dict[str, str], because: str) -> None:
    change = downloads(image, *lines, files=files)
    assert not change.applied
    assert because in refusals(change)


def test_a_script_that_lives_on_the_lists_keeps_them() -> None:
    lines = ["COPY more.sh /", "RUN apt-get update && apt-get install -y git", "RUN sh /more.sh"]
    change = downloads("debian:12", *lines, files={"more.sh": "apt-get install -y vim\n"})
    assert "relies on the package lists" in refusals(change)


def test_archives_are_kept_from_the_first_install_on() -> None:
    line = "RUN apt-get update && apt-get install -y"
    after = downloads("debian:12", f"{line} git && rm -rf /var/lib/apt/lists/*", f"{line} vim").after.decode()
    assert after.count("docker-clean") == 1
    assert after.count("type=cache,target=/var/cache/apt") == after.count("target=/var/lib/apt/lists") == 2
    assert "rm -rf" not in after


def test_modules_are_in_the_same_mount_for_all_or_in_none() -> None:
    files = {**FILES, "Makefile": "server:\n\tgo build -o /bin/server .\n"}
    settings = Settings(preset="modern")

    def run_with(last: str) -> Change:
        lines = ["WORKDIR /src", "COPY go.mod go.sum ./", "RUN go mod download", "COPY . .", last]
        return fix(builder(*lines).encode(), BuildContext.of(files), ["add-cache-mounts"], settings=settings)

    both = run_with("RUN go build -o /bin/server .").after.decode()
    assert both.count("--mount=type=cache,target=/go/pkg/mod") == 2
    assert "runs make, which may look for what go downloaded" in refusals(run_with("RUN make"))


def test_a_mount_of_downloads_goes_with_the_half_that_downloads() -> None:
    files = {"package.json": '{"scripts": {"build": "node b.js"}}', "b.js": "1\n", "server.js": "1\n"}
    text = 'FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm install && npm run build\nCMD ["node", "server.js"]\n'
    select = ["add-cache-mounts", "copy-manifests-first"]
    after = fix(text.encode(), BuildContext.of(files), select, settings=Settings(preset="modern")).after.decode()
    assert "RUN --mount=type=cache,target=/root/.npm \\\n    npm install\nCOPY . .\nRUN npm run build\n" in after


def test_a_cache_in_a_mount_is_not_cleaned() -> None:
    text = "FROM node:22\nUSER node\nRUN --mount=type=cache,target=/home/node/.npm,uid=1000 npm ci\n"
    assert not fix(text.encode(), select=["clean-package-cache"]).applied
    text = "FROM debian:12\nRUN --mount=type=cache,target=/root/.cache apt-get update && apt-get install -y git\n"
    assert fix(text.encode(), select=["clean-package-cache"]).applied


def test_an_install_with_mounts_still_goes_above_the_sources() -> None:
    files = {"package.json": '{"dependencies": {"express": "4"}}', "server.js": "1\n"}
    lines = [
        "FROM node:22",
        "WORKDIR /app",
        "COPY . .",
        "RUN apt-get update && apt-get install -y git",
        "RUN npm install",
    ]
    text = "\n".join([*lines, 'CMD ["node", "server.js"]', ""])
    select = ["add-cache-mounts", "copy-manifests-first"]
    after = fix(text.encode(), BuildContext.of(files), select, settings=Settings(preset="modern")).after.decode()
    assert after.index("apt-get install") < after.index("COPY package.json ./") < after.index("COPY . .")
