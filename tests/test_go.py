"""Go stages: what they become, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from refactor import BuildContext, Settings, fix
from refactor.context.deployment import Deployment, Service
from refactor.ecosystems.go.source import is_built, read_source
from refactor.ecosystems.go.values import Evaluator, Program, Text
from refactor.engine.change import Change

SUM = "github.com/go-chi/chi/v5 v5.2.1 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n"
MOD = "module example.org/shop\n\ngo 1.24\n"
STATIC = "gcr.io/distroless/static-debian12:nonroot"


def main(body: str = "", imports: str = "", top: str = "") -> str:
    names = "\n".join(f'\t"{name}"' for name in imports.split())
    return f"package main\n\nimport (\n{names}\n)\n\n{top}\n\nfunc main() {{\n\t{body}\n}}\n"


SERVER = {"go.mod": MOD, "main.go": main('http.ListenAndServe(":8080", nil)', "net/http")}
NAIVE = """
FROM golang:1.24
WORKDIR /app
COPY . .
RUN go build -o server .
EXPOSE 8080
CMD ["./server"]
"""


def run(
    text: str, files: Mapping[str, str | bytes], runner: str | None = None, deployment: Deployment | None = None
) -> Change:
    context = BuildContext.of(files)
    if deployment is not None:
        context.deployment = deployment
    change = fix(text.lstrip("\n").encode(), context, settings=Settings(runner, builder="portable"))
    assert change.failure is None
    again = fix(change.after, change.context_after(context), settings=Settings(runner, builder="portable"))
    assert again.after == change.after, "a second run finds something"
    return change


def split(text: str, files: Mapping[str, str | bytes], runner: str | None = None) -> tuple[str, str]:
    """Builder and runner of the result."""
    change = run(text, files, runner)
    after = change.after.decode()
    assert after.count("FROM ") == 2, [refusal.because for refusal in change.refused]
    builder, final = after.split("\n\nFROM ", 1)
    return builder, "FROM " + final


def refusal(
    text: str, files: Mapping[str, str | bytes], runner: str | None = None, deployment: Deployment | None = None
) -> str:
    change = run(text, files, runner, deployment)
    assert change.after.decode().count("FROM ") == 1
    reasons = [one.because for one in change.refused if one.codemod == "split-build-stage"]
    assert len(reasons) == 1, reasons
    assert "unknown" not in reasons[0]
    return reasons[0]


# The usual server


def test_static_program_goes_to_distroless_as_nonroot() -> None:
    after = run(NAIVE, SERVER).after.decode()
    assert (
        after
        == """FROM golang:1.24 AS builder
WORKDIR /app
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o server .

FROM gcr.io/distroless/static-debian12:nonroot AS runner
WORKDIR /app
COPY --from=builder /app/server ./server
EXPOSE 8080
USER 65532:65532
CMD ["./server"]
"""
    )


def test_modules_are_downloaded_before_the_sources_are_copied() -> None:
    files = {**SERVER, "go.mod": MOD + "\nrequire github.com/go-chi/chi/v5 v5.2.1\n", "go.sum": SUM}
    builder, _ = split(NAIVE, files)
    assert builder.index("COPY go.mod go.sum ./") < builder.index("RUN go mod download") < builder.index("COPY . .")
    assert builder.count("go mod download") == 1


def test_no_requirements_no_download() -> None:
    assert "go mod download" not in run(NAIVE, SERVER).after.decode()


def test_without_go_sum_nothing_is_downloaded_first() -> None:
    change = run(NAIVE, {**SERVER, "go.mod": MOD + "\nrequire github.com/go-chi/chi/v5 v5.2.1\n"})
    assert b"go mod download" not in change.after
    assert any("go.sum is not in the build context" in one.because for one in change.refused)


def test_vendored_modules_are_not_downloaded() -> None:
    files = {
        **SERVER,
        "go.mod": MOD + "\nrequire github.com/go-chi/chi/v5 v5.2.1\n",
        "go.sum": SUM,
        "vendor/modules.txt": "#\n",
    }
    builder, _ = split(NAIVE, files)
    assert "go mod download" not in builder


def test_local_replacements_and_workspaces_are_manifests_too() -> None:
    files = {
        "go.work": "go 1.24\n\nuse (\n\t./api\n\t./lib\n)\n",
        "api/go.mod": "module example.org/api\n\ngo 1.24\n\nrequire (\n\tgithub.com/go-chi/chi/v5 v5.2.1\n"
        "\texample.org/old v0.0.0\n)\n\nreplace example.org/old => ../old\n",
        "api/go.sum": SUM,
        "lib/go.mod": "module example.org/lib\n\ngo 1.24\n",
        "old/go.mod": "module example.org/old\n\ngo 1.24\n",
        "api/main.go": main(),
    }
    builder, final = split(
        'FROM golang:1.24\nWORKDIR /src\nCOPY . .\nRUN go build -o /usr/local/bin/api ./api\nCMD ["api"]\n', files
    )
    above = builder[: builder.index("RUN go mod download")]
    for path in ("go.work", "api/go.mod", "api/go.sum", "lib/go.mod", "old/go.mod"):
        assert path in above
    assert "COPY --from=builder /usr/local/bin/api /usr/local/bin/" in final


def test_manifests_keep_their_places_below_a_copied_folder() -> None:
    files = {
        "src/go.mod": MOD + "\nrequire github.com/go-chi/chi/v5 v5.2.1\n",
        "src/go.sum": SUM,
        "src/main.go": main(),
    }
    builder, final = split(
        "FROM docker.io/golang:1.24.2\nADD ./src /app\nWORKDIR /app\nRUN GOAMD64=v3 go build -o server .\n"
        "CMD ./server -prefork\n",
        files,
    )
    assert "COPY src/go.mod src/go.sum ./" in builder
    assert 'RUN CGO_ENABLED=0 GOAMD64=v3 go build -trimpath -ldflags="-s -w" -o server .' in builder
    assert 'CMD ["./server", "-prefork"]' in final


# What the author wrote stays


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ('go build -ldflags "-X main.v=1" -o server .', 'CGO_ENABLED=0 go build -ldflags "-X main.v=1" -o server .'),
        (
            "CGO_ENABLED=0 go build -trimpath -o server .",
            'CGO_ENABLED=0 go build -ldflags="-s -w" -trimpath -o server .',
        ),
        ("cd /app && go build -o server", 'CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o server'),
        (
            "env GOOS=linux go build -o server",
            'env GOOS=linux CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o server',
        ),
        (
            "go vet ./... && go build -v -o server",
            'go vet ./... && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -v -o server',
        ),
        ("go build -gcflags 'all=-N -l' -o server", "CGO_ENABLED=0 go build -gcflags 'all=-N -l' -o server"),
    ],
)
def test_flags_of_the_author_stay(build: str, expected: str) -> None:
    builder, final = split(NAIVE.replace("go build -o server .", build), SERVER)
    assert f"RUN {expected}\n" in builder + "\n"
    assert f"FROM {STATIC}" in final


def test_continued_run_keeps_its_lines() -> None:
    builder, _ = split(
        NAIVE.replace("RUN go build -o server .", "RUN GOOS=linux \\\n      go build \\\n      -o server ."), SERVER
    )
    assert 'RUN CGO_ENABLED=0 GOOS=linux \\\n      go build -trimpath -ldflags="-s -w" \\\n      -o server .' in builder


def test_old_toolchains_do_not_know_trimpath() -> None:
    builder, _ = split(NAIVE.replace("1.24", "1.12"), SERVER)
    assert '-ldflags="-s -w"' in builder
    assert "-trimpath" not in builder


def test_build_variables_stay_in_the_builder() -> None:
    text = NAIVE.replace("WORKDIR", "ENV GO111MODULE=on GOPROXY=direct\nENV PORT=80\nWORKDIR")
    builder, final = split(text, SERVER)
    assert "GO111MODULE" in builder
    assert "GO111MODULE" not in final
    assert "ENV PORT=80" in final


# Where the program is


@pytest.mark.parametrize(
    ("build", "start", "copied"),
    [
        ("go build", '["./shop"]', "/app/shop ./shop"),
        ("go build .", '["/app/shop"]', "/app/shop ./shop"),
        ("go build main.go", '["./main"]', "/app/main ./main"),
        ("go build -o bin/ ./...", '["./bin/shop"]', "/app/bin/shop ./bin/shop"),
        ("go build -o /bin/x", '["x"]', "/bin/x /bin/x"),
        ("go install", '["shop"]', "/go/bin/shop /usr/local/bin/shop"),
        ("go install .", '["/go/bin/shop"]', "/go/bin/shop /go/bin/shop"),
        ("go build -o a && mv a /usr/bin/b", '["b"]', "/usr/bin/b /usr/bin/b"),
        ("go build -o=/out/shop", '["/out/shop", "-v"]', "/out/shop /out/shop"),
        ("go build -o .", '["./shop"]', "/app/shop ./shop"),
    ],
)
def test_output(build: str, start: str, copied: str) -> None:
    text = NAIVE.replace("go build -o server .", build).replace('["./server"]', start)
    _, final = split(text, SERVER)
    assert f"COPY --from=builder {copied}\n" in final
    assert f"CMD {start}" in final


def test_version_suffix_is_no_program_name() -> None:
    files = {**SERVER, "go.mod": "module example.org/shop/v2\n\ngo 1.24\n"}
    text = NAIVE.replace("go build -o server .", "go build").replace("./server", "./shop")
    assert "/app/shop" in split(text, files)[1]


def test_only_the_started_program_of_several() -> None:
    files = {"go.mod": MOD, "cmd/server/main.go": main(), "cmd/tool/main.go": main()}
    text = NAIVE.replace("go build -o server .", "go build -o bin/ ./cmd/...").replace("./server", "./bin/server")
    change = run(text, files)
    assert "COPY --from=builder /app/bin/server ./bin/" in change.after.decode()
    assert b"/app/bin/tool" not in change.after
    assert any("tool is built as well" in line for finding in change.applied for line in finding.evidence)


def test_go_build_of_many_packages_builds_nothing() -> None:
    files = {"go.mod": MOD, "a/main.go": main(), "b/main.go": main()}
    text = NAIVE.replace("go build -o server .", "go build ./...").replace("./server", "./a")
    assert "is no Go program that this stage is known to build" in refusal(text, files)


def test_gopath_project() -> None:
    text = "FROM golang:1.7-alpine\nCOPY . /go/src/app\nWORKDIR /go/src/app\nRUN go get -d\n"
    text += 'RUN go install -v\nCMD ["app"]\n'
    builder, final = split(text, {"main.go": main()})
    assert 'RUN CGO_ENABLED=0 go install -ldflags="-s -w" -v' in builder
    assert "COPY --from=builder /go/bin/app /usr/local/bin/" in final


def test_workdir_with_a_variable_of_the_base_image() -> None:
    text = (
        'FROM golang:1.12\nWORKDIR $GOPATH/src/example.org/shop\nCOPY . .\nRUN go build -o server\nCMD ["./server"]\n'
    )
    _, final = split(text, {"main.go": main()})
    assert "WORKDIR /go/src/example.org/shop" in final


def test_single_file_copied_to_the_working_directory() -> None:
    text = "FROM golang:1.19\nWORKDIR /app\nCOPY main.go /app\nRUN go build -o /usr/local/bin/rec .\nCMD rec\n"
    _, final = split(text, {"main.go": main(), "go.mod": MOD})
    assert 'CMD ["rec"]' in final


def test_go_run_becomes_a_build() -> None:
    text = 'FROM golang:1.22\nWORKDIR /app\nCOPY . .\nCMD ["go", "run", "-tags", "x", ".", "-p", "8080"]\n'
    builder, final = split(text, SERVER)
    assert 'RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -tags x -o /usr/local/bin/shop .' in builder
    assert 'CMD ["/usr/local/bin/shop", "-p", "8080"]' in final
    assert f"FROM {STATIC}" in final


def test_go_run_as_entrypoint_becomes_a_build() -> None:
    text = 'FROM golang:1.22\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["go", "run", "."]\nCMD ["-p", "8080"]\n'
    builder, final = split(text, SERVER)
    assert "-o /usr/local/bin/shop ." in builder
    assert 'ENTRYPOINT ["/usr/local/bin/shop"]\nCMD ["-p", "8080"]' in final


@pytest.mark.parametrize(
    "build", ["RUN <<EOF\ngo vet ./...\ngo build -o server .\nEOF", 'RUN ["go", "build", "-o", "server", "."]']
)
def test_a_build_that_is_not_edited_gets_its_variable_by_env(build: str) -> None:
    builder, final = split(NAIVE.replace("RUN go build -o server .", build), SERVER)
    assert f"ENV CGO_ENABLED=0\n{build}" in builder
    assert f"FROM {STATIC}" in final


@pytest.mark.parametrize(
    "tool",
    [
        "go install example.org/tools/cmd/draw@latest && draw docs",
        "curl -sSfL https://example.org/install.sh | sh -s -- -b /go/bin v1.2 && golangci-lint run",
        "go run ./gen && go generate ./...",
    ],
)
def test_tools_of_the_build_stay_in_the_builder(tool: str) -> None:
    builder, final = split(NAIVE.replace("RUN", f"RUN {tool}\nRUN"), SERVER)
    assert tool in builder
    assert f"FROM {STATIC}" in final


# cgo


CGO = {
    "go.mod": MOD + "\nrequire github.com/mattn/go-sqlite3 v1.14.28\n",
    "go.sum": "github.com/mattn/go-sqlite3 v1.14.28 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n",
    "main.go": main('sql.Open("sqlite3", "/data/x.db")', "database/sql github.com/mattn/go-sqlite3"),
}


def test_cgo_keeps_the_release_of_the_builder() -> None:
    builder, final = split(NAIVE.replace("1.24", "1.24-bookworm"), CGO)
    assert "CGO_ENABLED" not in builder
    assert "FROM debian:bookworm-slim AS runner" in final


def test_cgo_on_a_moving_tag_names_the_release() -> None:
    builder, final = split(NAIVE.replace("1.24", "latest"), CGO)
    assert builder.startswith("FROM golang:1.24-trixie AS builder")
    assert "FROM debian:trixie-slim AS runner" in final


def test_owner_of_a_volume_comes_before_its_declaration() -> None:
    text = NAIVE.replace("1.24", "1.24-bookworm").replace("EXPOSE", "RUN mkdir /data\nVOLUME /data\nEXPOSE")
    _, final = split(text, CGO)
    assert final.index("COPY --from=builder --chown=10001:10001 /data /data") < final.index("VOLUME /data")
    assert "USER 10001:10001" in final


@pytest.mark.parametrize(
    "files",
    [
        {"go.mod": MOD, "main.go": "package main\n\n// #include <math.h>\nimport \"C\"\n\nfunc main() {}\n"},
        {"go.mod": MOD, "main.go": main(imports="example.org/shop/x"), "x/x.go": 'package x\n\nimport "C"\n'},
        {"go.mod": MOD, "main.go": main(imports="plugin")},
        {
            "go.mod": MOD, "main.go": main(imports="a.org/b"), "vendor/modules.txt": "",
            "vendor/a.org/b/b.go": 'package b\n\nimport "C"\n',
        },
        {"go.mod": "module x\n\ngo 1.15\n", "main.go": main(),
         "go.sum": "github.com/mattn/go-sqlite3 v1.14.28 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n"},
    ],
)  # fmt: skip
def test_needs_cgo(files: dict[str, str]) -> None:
    builder, final = split(NAIVE.replace("1.24", "1.22"), files)
    assert "CGO_ENABLED=0" not in builder
    assert "debian:bookworm-slim" in final


@pytest.mark.parametrize(
    "files",
    [
        {**SERVER, "c_test.go": 'package main\n\nimport "C"\n'},
        {**SERVER, "c_windows.go": 'package main\n\nimport "C"\n'},
        {**SERVER, "tool.go": '//go:build ignore\n\npackage main\n\nimport "C"\n'},
        {**SERVER, "other/x.go": 'package other\n\nimport "C"\n'},
        {**SERVER, "go.sum": "github.com/mattn/go-sqlite3 v1.14.28 h1:KOIHODQj58PmL80G2Eak4WdvUzjSJSm0vG72crDCqb8=\n"},
        {
            "go.mod": MOD, "main.go": main(imports="a.org/b"), "vendor/modules.txt": "",
            "vendor/a.org/b/b.go": 'package b\n\nimport "C"\n', "vendor/a.org/b/n.go": "//go:build !cgo\n\npackage b\n",
        },
    ],
)  # fmt: skip
def test_needs_no_cgo(files: dict[str, str]) -> None:
    assert "CGO_ENABLED=0" in split(NAIVE, files)[0]


def test_a_user_of_the_author_is_not_made_a_second_time() -> None:
    text = NAIVE.replace("1.24", "1.24-bookworm").replace("CMD", "RUN groupadd -r app && useradd -r -g app app\nCMD")
    final = split(text, CGO)[1]
    assert final.count("groupadd") == 1
    assert "USER" not in final


def test_cgo_refuses_static_runners() -> None:
    text = NAIVE.replace("1.24", "1.24-bookworm")
    assert "linked with the C library, which scratch has not" in refusal(text, CGO, "scratch")
    assert "linked with glibc, which Alpine has not" in refusal(text, CGO, "alpine")
    assert "FROM gcr.io/distroless/base-debian12:nonroot AS runner" in split(text, CGO, "distroless")[1]


def test_libraries_of_headers_come_along() -> None:
    files = {**CGO, "main.go": 'package main\n\n// #cgo LDFLAGS: -lpq\nimport "C"\n\nfunc main() {}\n'}
    text = NAIVE.replace("1.24", "1.24-bookworm").replace(
        "COPY", "RUN apt-get update && apt-get install -y libpq-dev\nCOPY"
    )
    _, final = split(text, files)
    assert "libpq5" in final
    assert "libpq-dev" not in final


# Other runners


def test_scratch_gets_certificates_and_zones() -> None:
    files = {**SERVER, "main.go": main('time.LoadLocation("Asia/Tokyo"); os.CreateTemp("", "x")', "time os net/http")}
    _, final = split(NAIVE.replace("1.24", "1.22-bookworm"), files, "scratch")
    assert final.startswith("FROM scratch AS runner")
    assert "/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/" in final
    assert "COPY --from=builder /usr/share/zoneinfo /usr/share/zoneinfo" in final
    assert "--chown=10001:10001 /writable /tmp" in final
    assert "USER 10001:10001" in final


def test_scratch_from_alpine_takes_the_zones_of_go() -> None:
    files = {**SERVER, "main.go": main('time.LoadLocation("Asia/Tokyo")', "time")}
    _, final = split(NAIVE.replace("1.24", "1.22-alpine"), files, "scratch")
    assert "/usr/local/go/lib/time/zoneinfo.zip" in final
    assert "ENV ZONEINFO=/zoneinfo.zip" in final
    assert "/usr/share/zoneinfo" not in final


@pytest.mark.parametrize(
    ("base", "wish", "runner"),
    [
        ("1.22", "alpine", "alpine:3"),
        ("1.22-alpine3.19", "alpine", "alpine:3.19"),
        ("1.22-bookworm", "slim", "debian:bookworm-slim"),
        ("1.22-alpine", "slim", "debian:bookworm-slim"),
        ("1.22-alpine", "distroless", STATIC),
        ("1.22-alpine", None, STATIC),
    ],
)
def test_wish(base: str, wish: str | None, runner: str) -> None:
    assert f"FROM {runner} AS runner" in split(NAIVE.replace("1.24", base), SERVER, wish)[1]


# What is started


def test_shell_features_need_a_shell() -> None:
    text = NAIVE.replace('["./server"]', "./server -port $PORT")
    _, final = split(text, SERVER)
    assert final.startswith("FROM debian:trixie-slim AS runner")
    assert "CMD exec ./server -port $PORT" in final
    assert "has no shell" in refusal(text, SERVER, "distroless")


def test_health_check_keeps_its_program() -> None:
    _, final = split(NAIVE.replace("CMD", "HEALTHCHECK CMD curl -f http://localhost:8080/ || exit 1\nCMD"), SERVER)
    assert "debian:trixie-slim" in final
    assert "curl" in final.split("WORKDIR")[0]


def test_health_check_by_the_program_itself_needs_no_shell() -> None:
    _, final = split(NAIVE.replace("CMD", 'HEALTHCHECK CMD ["/app/server", "-health"]\nCMD'), SERVER)
    assert STATIC in final


def test_entrypoint_script() -> None:
    files = {**SERVER, "run.sh": '#!/bin/sh\nset -e\nexec ./server "$@"\n'}
    text = NAIVE.replace("EXPOSE", "RUN chmod +x run.sh\nEXPOSE").replace('["./server"]', '["./run.sh"]')
    _, final = split(text, files)
    assert "debian:trixie-slim" in final
    assert "/app/run.sh" in final
    assert "/app/server" in final


@pytest.mark.parametrize(
    ("start", "because"),
    [
        ('["air"]', "compiles the sources again"),
        ('["dlv", "exec", "./server"]', "debugger"),
        ('["./other"]', "is no Go program that this stage is known to build"),
        ('["sh", "-c", "go run ."]', "needs the toolchain"),
    ],
)
def test_start_that_needs_the_toolchain(start: str, because: str) -> None:
    assert because in refusal(NAIVE.replace('["./server"]', start), SERVER)


def test_no_start_command() -> None:
    assert "no CMD or ENTRYPOINT" in refusal(NAIVE.replace('CMD ["./server"]\n', ""), SERVER)


def test_compose_with_a_command_of_its_own() -> None:
    deployment = Deployment((Service("compose.yaml", "compose", "web", ("./other",)),))
    assert "compose.yaml (web) starts the image" in refusal(NAIVE, SERVER, deployment=deployment)


def test_compose_with_the_same_program() -> None:
    deployment = Deployment((Service("compose.yaml", "compose", "web", ("./server", "--verbose")),))
    change = run(NAIVE, SERVER, deployment=deployment)
    assert change.after.count(b"FROM ") == 2


def test_program_fetched_by_a_run_keeps_the_base_of_its_libc() -> None:
    text = """
FROM golang:1.22-alpine
WORKDIR /app
COPY . .
RUN go build -o /usr/local/bin/app
RUN wget https://example.org/dockerize.tar.gz && tar -C /usr/local/bin -xzf dockerize.tar.gz
CMD ["dockerize", "-timeout", "20s", "app"]
"""
    _, final = split(text, SERVER)
    assert "FROM alpine:3 AS runner" in final
    assert "COPY --from=builder /usr/local/bin/dockerize" in final
    assert "COPY --from=builder /usr/local/bin/app" in final


@pytest.mark.parametrize(
    "brought",
    [
        "ADD https://example.org/tini /tini\nRUN chmod +x /tini",
        "RUN wget -O /tini https://example.org/tini && chmod +x /tini",
        "COPY --from=example.org/tini:1 /tini /tini",
    ],
)
def test_an_init_that_is_fetched_comes_along_with_a_system(brought: str) -> None:
    text = NAIVE.replace("WORKDIR", f"{brought}\nWORKDIR").replace("CMD", 'ENTRYPOINT ["/tini", "--"]\nCMD')
    _, final = split(text, SERVER)
    assert final.startswith("FROM debian:trixie-slim AS runner")
    assert "/tini /tini\n" in final


def test_a_tool_that_is_fetched_comes_along_where_it_is_called() -> None:
    text = NAIVE.replace("EXPOSE", "RUN wget -O /usr/local/bin/tool https://example.org/tool\nEXPOSE")
    assert "tool" not in split(text, SERVER)[1]
    called = {**SERVER, "main.go": main('exec.Command("tool").Run()', "os/exec")}
    assert "COPY --from=builder /usr/local/bin/tool /usr/local/bin/tool" in split(text, called)[1]


def test_a_tool_that_go_install_fetched_is_not_started_without_it() -> None:
    text = NAIVE.replace("WORKDIR", "RUN go install example.org/cmd/goose@latest\nWORKDIR").replace(
        '["./server"]', "goose up && ./server"
    )
    assert "/go/bin/goose" in refusal(text, SERVER)


@pytest.mark.parametrize("waiter", ["wait-for-it.sh", "wait-for"])
def test_a_script_that_waits_starts_what_stands_behind_it(waiter: str) -> None:
    files = {**SERVER, waiter: '#!/usr/bin/env bash\nCLI=("$@")\nexec "${CLI[@]}"\n'}
    text = NAIVE.replace('["./server"]', f'["./{waiter}", "db:5432", "--", "./server"]')
    _, final = split(text, files)
    assert final.startswith("FROM debian:trixie-slim AS runner")
    assert f"/app/{waiter} ./{waiter}" in final
    assert "/app/server ./server" in final


def test_programs_that_the_sources_start() -> None:
    files = {**SERVER, "main.go": main('exec.Command("git", "pull").Run()', "os/exec")}
    _, final = split(NAIVE, files)
    assert "install -y --no-install-recommends" in final
    assert "git" in final.split("WORKDIR")[0]


def test_program_started_by_a_name_from_outside() -> None:
    files = {**SERVER, "main.go": main('exec.Command(os.Getenv("TOOL")).Run()', "os os/exec")}
    assert "main.go:11 (exec.Command) starts a program whose name is only known when it runs" in refusal(NAIVE, files)


def test_itself_is_no_other_program() -> None:
    files = {**SERVER, "main.go": main('exec.Command(os.Args[0], "-child").Run()', "os os/exec")}
    assert STATIC in split(NAIVE, files)[1]


def test_step_that_is_not_known_is_named() -> None:
    assert "runs `make all`" in refusal(NAIVE.replace("COPY . .", "COPY . .\nRUN make all"), SERVER)
    assert "`frobnicate --now`" in refusal(NAIVE.replace("EXPOSE", "RUN frobnicate --now\nEXPOSE"), SERVER)


def test_other_base_image_is_named() -> None:
    assert "example.org/go:1 is not in the catalogue" in refusal(
        NAIVE.replace("golang:1.24", "example.org/go:1"), SERVER
    )


# Files


def test_files_opened_by_path_come_along_and_embedded_ones_do_not() -> None:
    files = {
        "go.mod": MOD,
        "main.go": main(
            'template.ParseGlob("templates/*.html"); os.ReadFile(filepath.Join("data", name)); http.Dir("./static")\n'
            '\tweb.Open("web")',
            "html/template os path/filepath embed net/http",
            "//go:embed web\nvar web embed.FS\nconst x = \"docs\"",
        ),
        "templates/a.html": "", "data/a.json": "", "static/a.css": "", "web/a.html": "", "README.md": "",
        "unused/a.txt": "",
    }  # fmt: skip
    _, final = split(NAIVE, files)
    for folder in ("templates", "data", "static"):
        assert f"COPY --from=builder /app/{folder} ./{folder}\n" in final
    assert "web" not in final
    assert "unused" not in final
    assert "README" not in final


def test_files_of_the_start_command_and_of_variables() -> None:
    files = {**SERVER, "conf/app.toml": "", "conf/other.toml": "", "rules.json": ""}
    text = NAIVE.replace('["./server"]', '["./server", "-c", "conf/app.toml"]').replace(
        "EXPOSE", "ENV RULES=/app/rules.json\nEXPOSE"
    )
    _, final = split(text, files)
    assert "COPY --from=builder /app/conf/app.toml ./conf/" in final
    assert "/app/rules.json ./" in final
    assert "other.toml" not in final


def test_open_paths_keep_every_file_that_is_no_source() -> None:
    files = {**SERVER, "main.go": main("os.ReadFile(os.Args[1])", "os"), "etc/a.yaml": "", "pkg/b.yaml": "",
             "pkg/b.go": "package pkg\n", "Makefile": "", "Dockerfile": "", ".github/workflows/a.yml": ""}  # fmt: skip
    _, final = split(NAIVE, files)
    assert "COPY --from=builder /app/etc ./etc" in final
    assert "COPY --from=builder /app/pkg/b.yaml ./pkg/" in final
    for name in ("Makefile", ".github", "b.go", "go.mod"):
        assert name not in final


def test_a_parameter_is_what_its_callers_give() -> None:
    files = {
        **SERVER,
        "main.go": main('load("a.json")', "os", "func load(name string) {\n\tos.ReadFile(name)\n}"),
        "a.json": "",
        "b.json": "",
    }
    _, final = split(NAIVE, files)
    assert "/app/a.json ./" in final
    assert "b.json" not in final


def test_sources_beside_the_program_are_found_untrimmed() -> None:
    files = {**SERVER, "main.go": main("runtime.Caller(0); filepath.Dir(f)", "runtime path/filepath"), "etc/a.yaml": ""}
    builder, final = split(NAIVE, files)
    assert "-trimpath" not in builder
    assert "./etc" in final


def test_a_method_of_the_same_name_looks_for_nothing_beside_the_sources() -> None:
    body = "log.With().Caller(); filepath.Dir(f)"
    files = {**SERVER, "main.go": main(body, "github.com/rs/zerolog/log path/filepath"), "etc/a.yaml": ""}
    builder, final = split(NAIVE, files)
    assert "-trimpath" in builder
    assert "etc" not in final


def test_copies_outside_of_the_sources_have_a_purpose() -> None:
    files = {**SERVER, "conf/a.yaml": "", "id_rsa": "secret"}
    text = NAIVE.replace("COPY . .", "COPY id_rsa /root/.ssh/id_rsa\nCOPY conf /etc/shop\nCOPY *.go go.mod ./")
    _, final = split(text, files)
    assert "COPY --from=builder /etc/shop /etc/shop" in final
    assert "id_rsa" not in final


def test_copies_behind_the_build_stay_as_they_are() -> None:
    _, final = split(NAIVE.replace("EXPOSE", "COPY conf ./conf\nEXPOSE"), {**SERVER, "conf/a.yaml": ""})
    assert "\nCOPY conf ./conf\n" in final
    assert "/app/conf" not in final


def test_working_directory_of_the_base_image() -> None:
    text = 'FROM golang:1.22\nCOPY . .\nRUN go build -o server .\nCMD ["./server"]\n'
    _, final = split(text, SERVER)
    assert "WORKDIR /go\n" in final
    assert "COPY --from=builder /go/server /go/" in final


def test_a_link_to_a_time_zone_that_is_not_there_is_not_copied() -> None:
    text = NAIVE.replace("EXPOSE", "ENV TZ=Asia/Tokyo\nRUN ln -snf /usr/share/zoneinfo/$TZ /etc/localtime\nEXPOSE")
    assert "/etc/localtime" not in split(text, SERVER)[1]
    assert "COPY --from=builder /etc/localtime /etc/" in split(text.replace("1.24", "1.22"), SERVER)[1]
    assert "tzdata" in split(text, SERVER, "slim")[1]


def test_what_is_removed_again_is_not_copied() -> None:
    _, final = split(NAIVE.replace("EXPOSE", "RUN mkdir /opt/x && rm -rf /opt/x\nEXPOSE"), SERVER)
    assert "/opt/x" not in final


# Written


def test_written_folders_belong_to_the_user() -> None:
    files = {
        **SERVER,
        "main.go": main('os.MkdirAll("/data/up", 0o755); os.Create(filepath.Join("logs", n))', "os path/filepath"),
    }
    builder, final = split(NAIVE.replace("EXPOSE", "RUN mkdir -p /data\nEXPOSE"), files)
    assert "COPY --from=builder --chown=65532:65532 /data /data" in final
    assert "COPY --from=builder --chown=65532:65532 /writable /app/logs" in final
    assert "RUN mkdir -p /writable" in builder


def test_the_working_directory_is_given_before_workdir_makes_it() -> None:
    files = {**SERVER, "main.go": main('os.WriteFile("state.json", nil, 0o644)', "os")}
    _, final = split(NAIVE, files)
    assert final.index("--chown=65532:65532 /writable /app") < final.index("WORKDIR /app")


def test_a_runner_with_a_shell_gives_each_folder_its_owner() -> None:
    body = 'os.Create("state"); os.Create(filepath.Join("logs", n)); os.Create("/data/a"); os.Create("/data/b/c")'
    _, final = split(NAIVE, {**SERVER, "main.go": main(body, "os path/filepath")}, "slim")
    command = next(line for line in final.replace("\\\n", "").split("\n") if "chown" in line)
    assert "-R" not in command
    assert {"/app", "/app/logs", "/data"} <= set(command.partition("chown")[2].split())
    assert "/data/b" not in final


def test_a_user_of_the_author_keeps_what_a_run_gave_it() -> None:
    files = {**SERVER, "main.go": main('os.Create("/data/a"); os.Create("state")', "os")}
    text = NAIVE.replace("EXPOSE", "RUN useradd -u 1000 app && mkdir /data && chown app /data /app\nUSER app\nEXPOSE")
    builder, final = split(text, files)
    assert "COPY --from=builder --chown=65532:65532 /data /data" in final
    assert "COPY --from=builder --chown=65532:65532 /writable /app" in final
    assert "RUN mkdir -p /writable" in builder
    assert "USER 65532:65532" in final


def test_files_that_the_program_changes_belong_to_the_user() -> None:
    files = {**SERVER, "main.go": main('os.OpenFile("/app/a.db", os.O_RDWR, 0)', "os")}
    _, final = split(NAIVE.replace("EXPOSE", "RUN touch a.db\nEXPOSE"), files)
    assert "COPY --from=builder --chown=65532:65532 /app/a.db ./a.db" in final
    assert "COPY --from=builder --chown=65532:65532 /writable /app\n" in final


def test_keys_that_a_run_makes_come_along() -> None:
    files = {**SERVER, "main.go": main('http.ListenAndServeTLS(":8443", "c.pem", "k.pem", nil)', "net/http")}
    _, final = split(NAIVE.replace("EXPOSE", "RUN openssl req -x509 -nodes -keyout k.pem -out c.pem\nEXPOSE"), files)
    assert "/app/c.pem ./c.pem" in final
    assert "/app/k.pem ./k.pem" in final


def test_what_is_left_open_takes_nothing_of_the_system_along() -> None:
    files = {**SERVER, "main.go": main("os.ReadFile(os.Args[1])", "os"), "etc/a.yaml": ""}
    text = NAIVE.replace(
        "EXPOSE", "RUN useradd app\nRUN curl -L https://example.org | tar xz -C /usr/local/bin\nEXPOSE"
    )
    _, final = split(text, files)
    assert final.count("COPY") == 2


def test_open_writes_keep_root() -> None:
    change = run(NAIVE, {**SERVER, "main.go": main('os.Create(os.Getenv("OUT"))', "os")})
    after = change.after.decode()
    assert "FROM gcr.io/distroless/static-debian12 AS runner" in after
    assert "USER" not in after
    assert any(
        "only the running program knows" in one.because for one in change.refused if one.codemod == "run-as-user"
    )


def test_user_of_a_run_becomes_the_built_in_one() -> None:
    text = NAIVE.replace("EXPOSE", "RUN useradd -u 1000 app\nUSER app\nEXPOSE")
    _, final = split(text, SERVER)
    assert "USER 65532:65532" in final
    assert "useradd" not in final


def test_number_of_a_user_stays() -> None:
    _, final = split(NAIVE.replace("EXPOSE", "USER 1000\nEXPOSE"), SERVER)
    assert final.count("USER") == 1
    assert "USER 1000" in final


def test_user_of_compose_stays_the_only_one() -> None:
    change = run(NAIVE, SERVER, deployment=Deployment((Service("compose.yaml", "compose", "web", user="1000"),)))
    assert b"USER" not in change.after


# Reading sources


def test_source_facts() -> None:
    source = read_source(
        '//go:build linux && !race\n\npackage x // "no"\n\nimport (\n\tf "fmt"\n\t_ "a.org/b/v2"\n)\n\n'
        '//go:embed a.txt "b c.txt"\nvar s = `raw "x" // y`\nvar r = \'"\'\nvar t = "a\\tb"\n'
    )
    assert source.package == "x"
    assert source.imports == (("f", "fmt"), ("_", "a.org/b/v2"))
    assert source.embeds == ("a.txt", "b c.txt")
    assert [literal.text for literal in source.strings] == ['raw "x" // y', "a\tb"]
    assert is_built("x.go", source)
    assert is_built("x_linux_amd64.go", source)
    assert not is_built("x_windows.go", source)
    assert not is_built("x_test.go", source)
    assert not is_built("x.go", source, frozenset({"race"}))


def test_old_build_constraints() -> None:
    assert not is_built("x.go", read_source("// +build windows darwin\n\npackage x\n"))
    assert is_built("x.go", read_source("// +build linux,!cgo windows\n\npackage x\n"), cgo=False)


def test_syntax_of_the_newest_go() -> None:
    source = read_source(
        'package x\n\nfunc (t *T) Get[K comparable, V any](key K) *V {\n\treturn new(open("a"))\n}\n'
        "\ntype Set[T any] = map[T]struct{}\n\nfunc f() {\n\tfor i := range 10 {\n\t\tmin(i, 2)\n\t}\n}\n"
    )
    assert source.why_not_go is None
    assert [call.text for call in source.calls] == ["New", "open", "min"]


def test_deep_sources_take_no_long() -> None:
    calls = read_source("package x\n\nfunc f() {\n" + "f(" * 50_000 + ")" * 50_000 + "\n}\n").calls
    assert len(calls) > 1_000
    assert read_source("package x\n\nvar s = " + '"a" + ' * 20_000 + '"b"\n').given["s"]


@pytest.mark.parametrize(
    "text",
    ["", "package", "(" * 10_000, '"' * 9_999, "func f(" + "(" * 5_000, "\x00\xff", "//go:build " + "!(" * 3_000],
)
def test_broken_sources_do_no_harm(text: str) -> None:
    source = read_source(text)
    assert source.why_not_go is not None
    is_built("x.go", source)


@pytest.mark.parametrize(
    ("body", "expected", "is_open"),
    [
        ('open("a" + "/b")', [Text("a/b")], False),
        ('open(filepath.Join("a", x))', [Text("a/", False)], False),
        ('p := "c"\n\topen(p)', [Text("c")], False),
        ('p := os.Getenv("DB")\n\tif p == "" {\n\t\tp = "d"\n\t}\n\topen(p)', [Text("/data/db")], False),
        ('p := os.Getenv("NO")\n\topen(p)', [], True),
        ('open(getEnv("NO", "fallback"))', [Text("fallback")], False),
        ('open(fmt.Sprintf("logs/%d.txt", n))', [Text("logs/", False)], False),
        ("open(os.Args[1])", [], True),
        ('p := flag.String("p", "def", "")\n\topen(*p)', [Text("def")], False),
        ('p, q := "a", "b"\n\topen(q)', [Text("b")], False),
        ('p := "a"\n\tfor _, p = range os.Args {\n\t\topen(p)\n\t}', [Text("a")], True),
        ("func(p string) { open(p) }(os.Args[1])", [], True),
        ('p := config.Path\n\tconfig.Path = "a"\n\topen(p)', [], True),
    ],
)
def test_values(body: str, expected: list[Text], is_open: bool) -> None:
    source = read_source(main(body))
    evaluator = Evaluator(Program({"main.go": source}, {"DB": "/data/db"}))
    call = next(call for call in source.calls if call.text == "open")
    values = evaluator.argument("main.go", call, 0)
    assert (list(values.known), values.is_open) == (expected, is_open)


# Evidence is positive


@pytest.mark.parametrize(
    ("files", "because"),
    [
        ({"go.mod": MOD, "Dockerfile": NAIVE}, "no Go source of it is in the build context"),
        ({"go.mod": MOD, "main.go": "(((\n"}, "main.go: line 1 is no Go"),
        ({"go.mod": MOD, "main.go": "package main\n" + '"' * 600_000}, "main.go: it has more than 512 KiB"),
        ({**SERVER, "bad.go": "package main\n\nfunc f() {\n"}, "bad.go: line 3 is no Go"),
        ({**SERVER, "large.go": b"package main\n\x00"}, "large.go"),
        (
            {"go.mod": MOD, "main.go": main("db.Open()", "example.org/shop/internal/db")},
            "main.go imports example.org/shop/internal/db, and no Go source of it is in the build context",
        ),
    ],
    ids=["none", "no-go", "huge", "cut", "no-text", "package-missing"],
)
def test_what_was_not_read_is_not_known(files: dict[str, str | bytes], because: str) -> None:
    assert because in refusal(NAIVE, files)


def test_a_copy_that_is_not_there_leaves_the_runner_unknown() -> None:
    text = NAIVE.replace("COPY . .", "COPY go.mod main.go ./\nCOPY templates /app/templates")
    assert "line 4 copies templates, which is not in the build context" in refusal(text, SERVER)


def test_a_link_out_of_the_context_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, text in SERVER.items():
        (folder / name).write_text(text)
    (tmp_path / "secret.go").write_text("package main\n")
    (folder / "other.go").symlink_to(tmp_path / "secret.go")
    change = fix(NAIVE.lstrip("\n").encode(), BuildContext.open(folder))
    assert b"AS builder" not in change.after
    assert any("other.go" in one.because for one in change.refused if one.codemod == "split-build-stage")


def test_says_what_the_absence_of_cgo_rests_on() -> None:
    evidence = [line for one in run(NAIVE, SERVER).applied for line in one.evidence]
    assert any(
        line.startswith("the only file of the program (main.go) needs no cgo, and go.mod requires no module")
        for line in evidence
    ), evidence


@pytest.mark.parametrize(
    "files",
    [
        {"go.mod": MOD, "main.go": main("chi.NewRouter()", "github.com/go-chi/chi/v5")},
        {"go.mod": MOD.replace("1.24", "1.16") + "require github.com/go-chi/chi/v5 v5.2.1\n",
         "main.go": main("chi.NewRouter()", "github.com/go-chi/chi/v5")},
    ],
    ids=["not-required", "no-checksums"],
)  # fmt: skip
def test_packages_that_no_manifest_names_may_need_cgo(files: dict[str, str]) -> None:
    builder, runner = split(NAIVE, files)
    assert "CGO_ENABLED=0" not in builder
    assert "FROM debian:" in runner


def test_a_module_in_a_folder_that_is_not_there_is_not_downloaded() -> None:
    files = {
        **SERVER,
        "go.mod": f"{MOD}require example.org/lib v0.0.0\nreplace example.org/lib => ./lib\n",
        "go.sum": SUM,
    }
    change = run(NAIVE, files)
    assert b"go mod download" not in change.after
    assert any("replaces example.org/lib by ./lib, whose go.mod is not" in one.because for one in change.refused)
