"""Go projects: modules, vendored and GOPATH trees; static programs, cgo, and what a program reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.answers import SplitPlan, Written
    from refactor.ecosystems.program import Program
    from refactor.flow.effects import Effect, Invocation
    from refactor.flow.roots import Root
    from refactor.syntax import Instruction

_RELOADERS = frozenset(
    "air reflex CompileDaemon realize nodemon modd watchexec fresh arelo wgo gow gin-bin entr fswatch".split()
)
_BASES = frozenset({"golang", "debian", "ubuntu", "alpine"})


class Go(Language):
    name = "Go"
    rooms = {
        "installing": "installed",
        "starting": "built_start",
        "needs": "sources_of needs",
        "writing": "writes",
        "crossing": "crossing",
        "health": "serving",
    }
    families = frozenset({"golang"})
    versioned = frozenset({"golang"})
    compilers = frozenset({"golang"})
    programs = frozenset({"go"})
    tool_folders = r"/(?:go|usr/local/go|root/go)(?:/|\Z)"
    fetched_stand_alone = True
    tools = frozenset(
        """gofmt swag templ sqlc protoc wire mockgen mockery buf easyjson statik packr packr2 go-bindata rice qtc
        gqlgen stringer ent goimports golangci-lint golint staticcheck gosec revive ineffassign misspell
        goyacc msgp ffjson enumer oapi-codegen oto pkger vfsgendev esc fileb0x genny goverter gotestsum
        ginkgo gocov godep glide dep govendor vgo mage richgo go-licenses cyclonedx-gomod syft
        goreleaser kratos goctl hz kitex thriftgo bee revel grpc_tools protoc-gen-go govulncheck sh bash *""".split()
    )
    sources = r"(?<!_test)\.go\Z|(?:^|/)go\.(?:mod|sum|work)\Z"
    build_packages = frozenset(
        """git git-lfs openssh openssh-client mercurial bzr subversion curl wget bash make vim vim-tiny nano
        less tree unzip zip tar gzip xz-utils xz jq upx upx-ucl protobuf protobuf-compiler protoc
        libprotobuf-dev build-base gcc g++ musl-dev libc-dev libc6-compat gcompat gnupg apt-utils
        software-properties-common lsb-release file binutils binutils-gold pkgconf pkgconfig pkg-config
        linux-headers golang golang-go go musl-utils coreutils findutils procps htop net-tools iputils-ping
        dnsutils telnet netcat rsync patch apt-transport-https graphviz inotify-tools entr sudo locales zsh""".split()
    )
    """What Go Dockerfiles install to build and to look around; a program uses none unless it starts one."""
    build_variables = (
        r"GO(?!MAXPROCS\Z|GC\Z|MEMLIMIT\Z|DEBUG\Z|TRACEBACK\Z)[A-Z0-9_]*|CGO_[A-Z_]+|CC|CXX|LDFLAGS|CFLAGS"
        r"|PKG_CONFIG(?:_PATH)?|GIT_TERMINAL_PROMPT"
    )

    def effect(self, call: Invocation) -> Effect | None:
        if call.name not in self.programs | self.tools and "go" not in call.reading.programs:
            return None
        from refactor.ecosystems.go.tools import effect

        return effect(call, self.tools)

    def entry(self, root: Root) -> str | Refused | None:
        shown = " ".join(root.words)[:60]
        if root.name == "go":
            because = f"{root.where} calls `{shown}`, which needs the toolchain"
            return Refused(because, "build in a RUN (go build -o), and start the program in CMD")
        if root.name in _RELOADERS:
            because = f"{root.where} starts {root.name}, which compiles the sources again when they change"
            return Refused(because, "start the built program")
        if root.name == "dlv":
            because = f"{root.where} starts the debugger dlv, which needs the toolchain and the sources"
            return Refused(because, "start the built program")
        return root.words[0]

    def split(self, reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
        from refactor.ecosystems.go.commands import go_calls
        from refactor.ecosystems.go.starting import why_nothing_is_built

        if any(go.builds for go in go_calls(reading)):
            return super().split(reading, wish)
        return why_nothing_is_built(self, reading)

    def why_not_split(self, reading: StageReading, program: Program) -> Refused | None:
        image = reading.image
        if image is not None and image.family not in _BASES:
            return Refused(f"the base image {reading.stage.image} is no Go image: what else it brings is not known",
                           "build in a stage of its own, from golang:<version>")  # fmt: skip
        other = next((act for act in program.flow.acts(reading) if act.effect.by not in {"", self.name}), None)
        if other is None:
            return None
        because = f"line {other.step.line} runs `{other.text[:60]}`, and what that builds is not known"
        is_of_go = other.call is not None and other.call.name in {"make", "gmake"}
        hint = "call go build itself in the Dockerfile" if is_of_go else "build that in a stage of its own"
        return Refused(because, hint)

    def tests(self, reading: StageReading, plan: SplitPlan) -> tuple[Instruction | str, ...] | Refused:
        from refactor.ecosystems.testing import why_no_tests

        return why_no_tests(reading, ("_test.go",)) or ("RUN go test ./...",)

    def written(self, reading: StageReading) -> Written | Refused:
        from refactor.flow.shell_writes import unknown_program

        programs, roots = self.programs_of(reading), self.roots(reading)
        own = () if isinstance(programs, Refused) else [program.root for program in programs]
        others = () if isinstance(roots, Refused) or not own else [root for root in roots if root not in own]
        reasons = (reason for root in others if (reason := unknown_program(root)) is not None)
        return next(reasons, None) or super().written(reading)
