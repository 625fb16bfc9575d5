"""A Go stage taken apart: the builder compiles, the runner gets the program and the files that it opens by path."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from refactor.ecosystems import system
from refactor.ecosystems.answers import Instead, SplitPlan
from refactor.ecosystems.deployed import why_other_start
from refactor.ecosystems.go.cgo import Linking, linking, why_no_cgo
from refactor.ecosystems.go.launch import Launch, launch
from refactor.ecosystems.go.needs import Needs, Use, needs, tops
from refactor.ecosystems.go.program import Binary, GoCommand, GoStage
from refactor.ecosystems.go.source import GoSource
from refactor.ecosystems.go.steps import Effect, Made, is_kept, made
from refactor.ecosystems.go.values import Evaluator
from refactor.ecosystems.go.writing import program_of, written_by
from refactor.ecosystems.split import Role, assemble, builder_name
from refactor.flow.closure import why_unseen
from refactor.flow.ports import low_ports, only_docker
from refactor.flow.reading import Copied, Refused, StageReading, Step, join
from refactor.images import BaseImage, lookup
from refactor.syntax import Instruction

STATIC = "gcr.io/distroless/static-debian12"
_DISTROLESS = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
_OF_THE_BUILD = re.compile(
    r"(?:GO[A-Z0-9_]*|CGO_[A-Z_]+|CC|CXX|LDFLAGS|CFLAGS|PKG_CONFIG(?:_PATH)?|GIT_TERMINAL_PROMPT)\Z"
)
_NOT_OF_THE_BUILD = frozenset({"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK"})
_PRESENT = frozenset({"ca-certificates", "tzdata"})
_OF_GO = """
    git git-lfs openssh openssh-client mercurial bzr subversion curl wget bash make vim vim-tiny nano
    less tree unzip zip tar gzip xz-utils xz jq upx upx-ucl protobuf protobuf-compiler protoc
    libprotobuf-dev build-base gcc g++ musl-dev libc-dev libc6-compat gcompat gnupg apt-utils
    software-properties-common lsb-release file binutils binutils-gold pkgconf pkgconfig pkg-config
    linux-headers golang golang-go go musl-utils coreutils findutils procps htop net-tools iputils-ping
    dnsutils telnet netcat rsync patch apt-transport-https graphviz inotify-tools entr sudo locales zsh
""".split()
"""Packages that Go Dockerfiles install to build and to look around; the program uses none unless it starts one."""
_NONROOT = "65532:65532"
"""Distroless's ``nonroot``, by number: Kubernetes' ``runAsNonRoot`` cannot check a name."""
_RUN_TIME_OF_CPP = {"alpine": ("libstdc++", "libgcc"), "debian": (), "ubuntu": ()}


class _Choice(NamedTuple):
    image: str
    builder: str | None
    has_shell: bool
    """RUN instructions are possible there."""
    names_users: bool
    """``nonroot`` is a user there."""


class _Program(NamedTuple):
    binary: Binary
    sources: dict[str, GoSource]
    linking: Linking
    is_static: bool
    adds_cgo: bool
    """``CGO_ENABLED=0`` is ours to write."""


def split(reading: StageReading, wish: str | None) -> SplitPlan | Refused | None:
    """See :meth:`Ecosystem.split`."""
    stage = GoStage(reading)
    start = reading.start
    runs = start is not None and "go" in start.argv[:1] and "run" in start.argv
    if not stage.builds and not runs:
        return _why_nothing(stage)
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    return _Splitter(stage, wish).plan()


def _why_nothing(stage: GoStage) -> Refused | None:
    """No go build or go install: said aloud where the image is there to build."""
    image, start = stage.reading.image, stage.reading.start
    if image is None or image.family != "golang" or start is None:
        return None
    for step in stage.reading.runs:
        for command in step.commands:
            name = (command.name or "").rpartition("/")[2]
            if name in {"make", "mage", "task", "just", "bazel", "goreleaser", "sh", "bash"} or name.endswith(".sh"):
                shown = " ".join(word.text for word in command.words)[:60]
                return Refused(
                    f"line {stage.line(step)} runs `{shown}`, and what that builds is not known",
                    "call go build itself in the Dockerfile",
                )
    answer = launch(stage, (), ())
    if isinstance(answer, Refused) and start.argv:
        return Refused(f"no go build or go install of the project is found; {answer.because}", answer.hint)
    return None


class _Splitter:
    def __init__(self, stage: GoStage, wish: str | None) -> None:
        self.stage = stage
        self.reading = stage.reading
        self.context = stage.context
        self.wish = wish
        self.evidence: list[str] = []
        self.roles: dict[Instruction, Role] = {}
        self.runner_head: list[str] = []
        self.builder_tail: list[str] = []

    def plan(self) -> SplitPlan | Refused:
        obstacle = self._obstacle()
        if obstacle is not None:
            return obstacle
        effects = made(self.stage)
        if isinstance(effects, Refused):
            return effects
        binaries = self.stage.binaries()
        if isinstance(binaries, Refused):
            return binaries
        launched = launch(self.stage, binaries, effects)
        if isinstance(launched, Refused):
            return launched
        programs = self._programs(launched)
        if isinstance(programs, Refused):
            return programs
        kept = [Use(one.path, f"line {self.stage.line(one.step)} {one.effect.value}") for one in effects
                if is_kept(one, self.stage, [binary.path for binary in binaries])]  # fmt: skip
        wanted = self._needs(programs, effects, binaries)
        if wanted.why_open_program is not None:
            return Refused(
                f"{wanted.why_open_program} starts a program whose name is only known when it runs",
                "name the program in the source, or split by hand",
            )
        shell = [*launched.shell, *self._programs_called(wanted, programs)]
        choice = self._choose(programs, shell, wanted)
        if isinstance(choice, Refused):
            return choice
        return self._assembled(choice, launched, programs, wanted, kept, effects, binaries)

    # Whether it can be done

    def _obstacle(self) -> Refused | None:
        reading = self.reading
        image = reading.image
        if image is None:
            name = reading.image_reference or reading.stage.image
            return Refused(f"the base image {name} is not in the catalogue", "start from golang:<version>")
        if image.family not in {"golang", "debian", "ubuntu", "alpine"}:
            return Refused(f"the base image {reading.stage.image} is no Go image: what else it brings is not known",
                           "build in a stage of its own, from golang:<version>")  # fmt: skip
        refusal = why_unseen(reading) or why_other_start(reading)
        if refusal is not None:
            return refusal
        for step in reading.steps:
            if step.keyword == "ONBUILD":
                line = self.stage.line(step)
                return Refused(f"ONBUILD on line {line} is for images built from this one, which would get the runner")
        return None

    def _programs(self, launched: Launch) -> tuple[_Program, ...] | Refused:
        binaries = list(launched.binaries)
        if launched.run is not None:
            binary = self._run_binary(launched.run)
            if isinstance(binary, Refused):
                return binary
            binaries = [binary]
        found = []
        for binary in binaries:
            sources = self.stage.program(binary)
            if isinstance(sources, Refused):
                return sources
            linked = linking(self.stage, binary, sources)
            if isinstance(linked, Refused):
                return linked
            setting = self.stage.variable(binary.go, "CGO_ENABLED")
            linker = f"{binary.go.flags.get('-ldflags', '')} {self.stage.variable(binary.go, 'GOFLAGS') or ''}"
            external = "external" in linker or "-static" in linker
            musl = self.reading.image is not None and self.reading.image.libc == "musl"
            fully = "-static" in linker and (musl or {"netgo", "osusergo"} <= self.stage.tags(binary.go))
            adds = setting is None and linked.why_cgo is None and not external
            found.append(_Program(binary, sources, linked, adds or setting == "0" or fully, adds))
        return tuple(found)

    def _run_binary(self, go: GoCommand) -> Binary | Refused:
        where = "CMD" if self.reading.last("CMD") is not None else "ENTRYPOINT"
        module = self.stage.module_of(go)
        if isinstance(module, Refused):
            return Refused(f"what {where} runs is not known: {module.because}", module.hint)
        packages = self.stage.packages(go, module)
        if isinstance(packages, Refused):
            return Refused(f"what {where} runs is not known: {packages.because}", packages.hint)
        if len(packages) != 1:
            return Refused(f"{where} runs {' '.join(go.operands)}, which is no main package of the build context")
        name, folder, files = packages[0]
        return Binary(f"/usr/local/bin/{name}", folder, files, go)

    # What the program needs

    def _needs(self, programs: Sequence[_Program], effects: Sequence[Made], binaries: Sequence[Binary]) -> Needs:
        uses = [Use(one.path, f"line {self.stage.line(one.step)} {one.effect.value}") for one in effects
                if one.effect is not Effect.OWNER and not self._is_above(one.path)]  # fmt: skip
        ignored = frozenset(binary.path for binary in binaries)
        files: dict[str, str] = {}
        called: dict[str, str] = {}
        result = Needs((), {}, None, None, None, None)
        for program in programs:
            module = self.stage.module_of(program.binary.go)
            manifest = None if isinstance(module, Refused) else module.manifest
            requires = [need.module for need in manifest.requires] if manifest is not None else []
            evaluator = Evaluator(program_of(self.reading, program.sources))
            one = needs(self.reading, evaluator, uses, requires, ignored)
            files.update({use.path: use.why for use in one.files})
            called.update(one.programs)
            result = Needs(
                (), {}, result.why_open_program or one.why_open_program, result.zones or one.zones,
                result.temporary or one.temporary, result.by_source or one.by_source,
            )  # fmt: skip
        return result._replace(files=tuple(Use(*item) for item in files.items()), programs=called)

    def _is_above(self, path: str) -> bool:
        """The folder of the sources themselves, or one above."""
        above = path.rstrip("/") + "/"
        places = [self.reading.final_workdir, *(copied.target for copied in self.reading.copies)]
        return any((place.rstrip("/") + "/").startswith(above) for place in places)

    def _programs_called(self, wanted: Needs, programs: Sequence[_Program]) -> list[str]:
        own = {posixpath.basename(program.binary.path) for program in programs}
        found = []
        for name, where in wanted.programs.items():
            if posixpath.basename(name) not in own and posixpath.basename(name) not in _ELSEWHERE:
                found.append(f"{where} starts {name}")
        return found

    def _packages(
        self, runner: BaseImage | None, wanted: Needs, programs: Sequence[_Program]
    ) -> system.RunnerPackages | Refused:
        """The system packages that the runner needs, on an image that can install them."""
        static = all(program.is_static for program in programs)
        called = {posixpath.basename(name): where for name, where in wanted.programs.items()}
        reasons = dict.fromkeys(_OF_GO, "the program starts none of it")
        if static:
            names = [
                word.literal.partition("=")[0]
                for _, call in self.reading.calls
                if call.manager in system.MANAGERS
                for word in call.packages
            ]
            reasons.update(
                {name: "the program is linked statically" for name in names if name.endswith(("-dev", "-devel"))}
            )
        needed: dict[str, str] = {}
        has = runner.preinstalled if runner is not None else frozenset[str]()
        if runner is not None and not {"ca-certificates", "ca-certificates-bundle"} & has and self._is_online(programs):
            needed["ca-certificates"] = "programs that speak TLS look for certificates"
        if runner is not None and wanted.zones is not None and "tzdata" not in has:
            needed["tzdata"] = f"{wanted.zones} asks for a time zone"
        if not static and any(program.linking.is_cpp for program in programs) and runner is not None:
            for name in _RUN_TIME_OF_CPP.get(runner.distro or "", ()):
                needed.setdefault(name, "the program may be linked with the C++ library")
        return system.runner_packages(
            self.reading, runner, needed=needed, programs=called, build_only=reasons, not_called=("go",)
        )

    def _is_online(self, programs: Sequence[_Program]) -> bool:
        return any(
            path in {"net/http", "crypto/tls", "net/smtp"} or "." in path.partition("/")[0]
            for program in programs
            for source in program.sources.values()
            for _, path in source.imports
        )

    # The runner

    def _choose(self, programs: Sequence[_Program], shell: list[str], wanted: Needs) -> _Choice | Refused:
        image = self.reading.image
        assert image is not None
        usual = self._with_shell(image, static=True)
        packages = self._packages(None if isinstance(usual, Refused) else lookup(usual), wanted, programs)
        if isinstance(packages, Refused):
            return packages
        left = [name for name in packages.packages if name.partition("=")[0] not in _PRESENT]
        dynamic = next((program for program in programs if not program.is_static), None)
        if dynamic is not None:
            return self._dynamic(image, dynamic, shell, left)
        if any(role == Role.BOTH for role in packages.roles.values()):
            shell = [*shell, "packages come from a repository of their own"]
        shell = [*shell, *(f"{name} is installed" for name in left)]
        if not shell:
            if self.wish in {None, "distroless"}:
                self.evidence += [why_no_cgo(self.stage, one.binary, one.sources) for one in programs if one.adds_cgo]
                self.evidence.append("the program is linked statically and needs no C library")
                return _Choice(STATIC, None, False, True)
            if self.wish == "scratch":
                self.evidence.append("the program is linked statically")
                return _Choice("scratch", None, False, False)
        reasons = "; ".join(dict.fromkeys(shell))
        if self.wish in {"distroless", "scratch"}:
            return Refused(
                f"{self.wish} has no shell and installs nothing, but {reasons}", 'use runner = "slim" or "alpine"'
            )
        if shell:
            self.evidence.append(f"the runner has a shell: {reasons}")
        if self.wish == "alpine" and image.distro != "alpine":
            if left:
                return Refused(
                    f"{', '.join(left)} would have to be installed on Alpine, where names differ", 'use runner = "slim"'
                )
            return _Choice("alpine:3", None, True, False)
        if self.wish == "slim" and image.distro == "alpine":
            if left:
                return Refused(
                    f"{', '.join(left)} would have to be installed on Debian, where names differ",
                    'use runner = "alpine"',
                )
            return _Choice("debian:bookworm-slim", None, True, False)
        if isinstance(usual, Refused):
            return usual
        return _Choice(usual, None, True, False)

    def _with_shell(self, image: BaseImage, *, static: bool) -> str | Refused:
        """The small image of the builder's own distribution."""
        if image.distro == "alpine":
            return f"alpine:{image.release}" if image.release else "alpine:3"
        if image.family == "ubuntu":
            return self.reading.stage.image
        if image.distro == "debian" and image.release:
            return f"debian:{image.release}-slim"
        return (
            "debian:bookworm-slim"
            if static
            else Refused(f"the Debian release of {self.reading.stage.image} is not known", "name it in the tag")
        )

    def _dynamic(self, image: BaseImage, program: _Program, shell: list[str], left: list[str]) -> _Choice | Refused:
        why = program.linking.why_cgo or "CGO_ENABLED is set"
        if self.wish == "scratch":
            return Refused(
                f"the program is linked with the C library, which scratch has not: {why}", 'use runner = "slim"'
            )
        if self.wish == "alpine" and image.libc != "musl":
            return Refused(f"the program is linked with glibc, which Alpine has not: {why}", 'use runner = "slim"')
        if self.wish == "slim" and image.libc == "musl":
            return Refused(f"the program is linked with musl, which Debian has not: {why}", 'use runner = "alpine"')
        runner = self._with_shell(image, static=False)
        if isinstance(runner, Refused):
            return runner
        if image.distro == "alpine" and not image.release and left:
            return Refused(
                f"the program is linked with {', '.join(left)}, and the Alpine release of {self.reading.stage.image} is"
                " not known",
                "name the release in the tag, as in golang:1.24-alpine3.21",
            )
        builder: str | None = None
        if image.distro == "debian" and image.is_floating:
            pinned = self._pinned(image)
            if isinstance(pinned, Refused):
                return pinned
            builder = pinned
        self.evidence.append(f"{why}: the program is linked with the C library of the builder's release")
        if self.wish == "distroless":
            number = _DISTROLESS.get(image.release or "")
            if number is None or image.libc != "glibc":
                return Refused(
                    f"there is no distroless image of {image.distro} {image.release or '(release not known)'}",
                    'use runner = "slim"',
                )
            if shell or left:
                reasons = [*shell, *(f"{name} is installed" for name in left)]
                return Refused(
                    f"distroless has no shell and installs nothing, but {'; '.join(reasons)}", 'use runner = "slim"'
                )
            kind = "cc" if program.linking.is_cpp else "base"
            return _Choice(f"gcr.io/distroless/{kind}-debian{number}", builder, False, True)
        if builder is not None:
            self.evidence.append(
                f"{self.reading.stage.image} moves to newer Debian releases: the builder names its own"
            )
        return _Choice(runner, builder, True, False)

    def _pinned(self, image: BaseImage) -> str | Refused:
        """`golang:1.26` -> `golang:1.26-trixie`: both stages have to stay on one release."""
        written, parsed = self.reading.stage.image, image.parsed
        refusal = Refused(
            f"{written} moves to newer Debian releases, and the program is linked with the C library of one",
            f"name the release in the tag, as in golang:{image.version or '1'}-{image.release}",
        )
        if "$" in written or parsed.digest:
            return refusal
        tag = parsed.tag or "latest"
        found = parsed.with_tag(image.release or "" if tag == "latest" else f"{tag}-{image.release}")
        known = lookup(found) if found else None
        return found if found and known is not None and known.release == image.release else refusal

    # The two stages

    def _assembled(
        self,
        choice: _Choice,
        launched: Launch,
        programs: Sequence[_Program],
        wanted: Needs,
        kept: Sequence[Use],
        effects: Sequence[Made],
        binaries: Sequence[Binary],
    ) -> SplitPlan | Refused:
        packages = self._packages(lookup(choice.image), wanted, programs) if choice.has_shell else None
        if isinstance(packages, Refused):
            return packages
        files: dict[str, str] = {use.path: use.why for use in (*wanted.files, *kept)}
        files.update(dict(launched.files))
        files.update(self._purposes(programs))
        late = self._late(programs)
        # What a COPY of the runner's own brings need not come from the builder.
        files = {path: why for path, why in tops(files).items() if path not in late}
        if self._has_own_certificates():
            files["/etc/ssl/certs/ca-certificates.crt"] = "the stage adds certificates of its own"
        if packages is not None:
            install = self._install(packages, choice)
            if isinstance(install, Refused):
                return install
            self.runner_head += [install] if install else []
            self.evidence += packages.evidence
        user, owned = self._user(choice, launched, programs, kept, effects)
        image = f"{choice.image}:nonroot" if choice.names_users and user == _NONROOT else choice.image
        self._place(choice, programs, user)
        artefacts = self._artefacts(choice, launched, programs, files, owned, user, wanted)
        instead, tail = self._builds(programs, launched, wanted)
        self.builder_tail += tail
        in_runner: dict[Instruction, str] = {}
        if not choice.has_shell:
            for node, words in launched.exec_form:
                in_runner[node] = f"{node.keyword} {_exec(words)}"
                self.evidence.append(
                    f"{node.keyword} on line {self.reading.file.line_of(node)} uses nothing of a shell: exec form"
                )
        if launched.run is not None:
            self._start_binary(launched, programs[0].binary, in_runner)
        named = self._rename_user(choice, user, in_runner)
        is_spelled = self._spell_out(in_runner)
        for program in programs:
            line = self.stage.line(program.binary.go.step)
            if launched.run is None:
                self.evidence.append(f"line {line} builds {program.binary.path}, which is what is started")
        started = {program.binary.path for program in programs}
        others = sorted(
            {posixpath.basename(b.path) for b in binaries if b.path not in started}
            - {posixpath.basename(p) for p in started}
        )
        if others:
            self.evidence.append(f"{', '.join(others)} is built as well, and not started: it stays in the builder")
        self.evidence += [f"{path} is in the runner: {why}" for path, why in files.items()]
        roles = system.narrow(self.reading, self.roles) if choice.has_shell else self.roles
        plan = assemble(
            self.reading,
            roles,
            runner_image=image,
            artefacts=artefacts,
            builder_tail=self.builder_tail,
            before={program.binary.go.step.node: ["ENV CGO_ENABLED=0"] for program in programs
                    if launched.run is None and program.adds_cgo and program.binary.go.step.node.json is not None},
            instead_in_runner=in_runner,
            runner_head=self.runner_head,
            is_artefact_absolute=not self._has_workdir(),
            evidence=tuple(dict.fromkeys(self.evidence)),
        )  # fmt: skip
        if isinstance(plan, Refused):
            return plan
        sets_user = user is not None or named
        builder = tuple(
            Instead(entry, instead[entry]) if isinstance(entry, Instruction) and entry in instead else entry
            for entry in plan.builder
        )
        runner = plan.runner if user is None else _with_user(plan.runner, user)
        adds_workdir = not self._has_workdir() and self._needs_workdir(launched, files, owned)
        if adds_workdir:
            runner = (*_before_start(runner, f"WORKDIR {self.reading.final_workdir}"),)
        return plan._replace(
            builder=builder,
            runner=runner,
            builder_image=choice.builder,
            sets_user=sets_user,
            sets_workdir=adds_workdir or is_spelled,
        )

    def _late(self, programs: Sequence[_Program]) -> frozenset[str]:
        last = max(
            (i for i, step in enumerate(self.reading.steps) if step.keyword == "RUN"),
            default=self._last_build(programs),
        )
        last = max(last, self._last_build(programs))
        return frozenset(one.target for one in self.reading.copies if self.reading.position(one.node) > last)

    def _has_own_certificates(self) -> bool:
        """Certificates are copied in, and put into the system's list."""
        text = "\n".join(step.node.argument for step in self.reading.steps if step.keyword in {"RUN", "COPY", "ADD"})
        return "update-ca-certificates" in text and "/usr/local/share/ca-certificates" in text

    def _has_workdir(self) -> bool:
        return self.reading.last("WORKDIR") is not None

    def _needs_workdir(self, launched: Launch, files: Mapping[str, str], owned: Mapping[str, str]) -> bool:
        """A base image's own WORKDIR is only written down where a relative path counts on it."""
        here = self.reading.final_workdir.rstrip("/") + "/"
        start = self.reading.start
        relative = start is not None and any(
            word.startswith("./") or ("/" in word and not word.startswith(("/", "-"))) for word in start.argv[:1]
        )
        return relative or any(path.startswith(here) for path in (*files, *owned))

    def _install(self, packages: system.RunnerPackages, choice: _Choice) -> str | Refused | None:
        """The RUN that installs, in the words of the runner's own package manager."""
        image, base = lookup(choice.image), self.reading.image
        if packages.install is None or image is None or base is None or image.package_manager == base.package_manager:
            return packages.install
        names = " ".join(packages.packages)
        if image.package_manager == "apk":
            return f"RUN apk add --no-cache {names}"
        return (
            f"RUN apt-get update \\\n    && apt-get install -y --no-install-recommends {names} \\\n"
            "    && rm -rf /var/lib/apt/lists/*"
        )

    # User

    def _user(
        self,
        choice: _Choice,
        launched: Launch,
        programs: Sequence[_Program],
        kept: Sequence[Use],
        effects: Sequence[Made],
    ) -> tuple[str | None, dict[str, str]]:
        """The USER of the runner (None: not ours to say), and the folders that belong to it, with reasons."""
        folders: dict[str, str] = {}
        why: str | None = None
        for program in programs:
            answer = written_by(self.reading, Evaluator(program_of(self.reading, program.sources)))
            if isinstance(answer, Refused):
                why = why or answer.because
            else:
                folders.update(dict(zip(answer.paths, answer.evidence)))
        made_folders = {one.path for one in effects if one.effect is Effect.FOLDER}
        folders.update({use.path: use.why for use in kept if use.path in made_folders})
        deployment = self.context.deployment
        final = self.reading.final_user
        if choice.has_shell and (final is not None or not self._is_volume(folders) or launched.shell):
            # The codemod `run-as-user` knows what a runner with a shell needs.
            return None, {}
        if final is not None:
            is_root = final.partition(":")[0] in {"root", "0"}
            return None, {} if is_root else folders
        for path in folders:
            if any(path == mount or path.startswith(mount.rstrip("/") + "/") for mount in deployment.mounts):
                why = why or f"it writes to {path}, which {deployment.named_by('mounts')} mounts"
            if path in _SYSTEM_FOLDERS:
                why = why or f"it writes to {path}"
        if deployment.users:
            why = why or f"{deployment.named_by('user')} runs the image as user {deployment.users[0]}"
        if any("docker.sock" in mount for mount in deployment.mounts):
            why = why or f"{deployment.named_by('mounts')} mounts the engine's socket, which only root can open"
        if choice.has_shell:
            why = why or self.reading.why_no_new_user
        ports = () if only_docker(self.reading) else low_ports(self.reading)
        for port in ports:
            why = why or f"port {port} is root's under Kubernetes and podman: listen above 1023, or write USER by hand"
        if why is not None:
            self.evidence.append(f"the user stays root: {why}")
            return None, {}
        if choice.has_shell:
            # What is changed in a VOLUME behind its declaration is lost on some builders: its owner comes first.
            self.runner_head.append(_MAKE_USER["alpine" if choice.image.startswith("alpine") else "debian"])
            return "10001:10001", folders
        return _NONROOT, folders

    def _is_volume(self, folders: Iterable[str]) -> bool:
        declared = [
            path.rstrip("/") or "/"
            for step in self.reading.steps
            if step.keyword == "VOLUME"
            for path in step.node.words
        ]
        return any(path == one or path.startswith(one + "/") for path in folders for one in declared)

    def _rename_user(self, choice: _Choice, user: str | None, in_runner: dict[Instruction, str]) -> bool:
        """A user that a RUN made is none of an image without a shell: the built-in one takes its place."""
        final = self.reading.final_user
        if choice.has_shell or user is not None or final is None:
            return False
        users = [step for step in self.reading.steps if step.keyword == "USER"]
        for step in users[:-1]:
            self.roles[step.node] = Role.BUILDER
        name = final.partition(":")[0]
        if name.isdigit() or name == "root" or "$" in name or (choice.names_users and name in {"nonroot", "nobody"}):
            return False
        line = self.stage.line(users[-1])
        in_runner[users[-1].node] = f"USER {_NONROOT}"
        self.evidence.append(
            f"the user {final} of line {line} is made by a RUN, which {choice.image} cannot do: "
            f"{_NONROOT} takes its place"
        )
        return True

    def _spell_out(self, in_runner: dict[Instruction, str]) -> bool:
        """Variables that the builder's image brings ($GOPATH) are none of the runner's: their values take their place.
        True where a WORKDIR is among what changes."""
        image = self.reading.image
        known = dict(image.env) if image is not None else {}
        known.pop("PATH", None)
        is_workdir = False
        for step in self.reading.steps:
            node = step.node
            if node.keyword not in {"WORKDIR", "ENV", "VOLUME"} or "$" not in node.argument or node in in_runner:
                continue
            text = node.argument
            for name, value in known.items():
                if name not in self.reading.file.environment(node):
                    text = re.sub(rf"\$(?:\{{{name}\}}|{name}\b)", value, text)
            if text != node.argument and self.roles.get(node) != Role.BUILDER:
                in_runner[node] = f"{node.keyword} {text}"
                is_workdir = is_workdir or node.keyword == "WORKDIR"
        return is_workdir

    # Instructions

    def _place(self, choice: _Choice, programs: Sequence[_Program], user: str | None) -> None:
        """Roles of RUN, COPY and of configuration that only the build reads."""
        reading = self.reading
        last_build = self._last_build(programs)
        last_run = max((i for i, step in enumerate(reading.steps) if step.keyword == "RUN"), default=-1)
        if any(program.binary.go.command.span == (0, 0) for program in programs):
            for step in reading.steps:
                if step.keyword in {"WORKDIR", "ENV", "ARG"}:
                    self.roles[step.node] = Role.BOTH if step.keyword != "ARG" else Role.BUILDER
        for index, step in enumerate(reading.steps):
            node = step.node
            if step.keyword == "RUN":
                is_user = choice.has_shell and system.makes_user(step) and system.system_role(step) == Role.BOTH
                self.roles[node] = Role.BOTH if is_user else Role.BUILDER
            elif step.keyword in {"COPY", "ADD"}:
                is_late = index > max(last_build, last_run)
                if node.flag("from") is not None:
                    self.roles[node] = Role.RUNNER if is_late else Role.BOTH
                else:
                    self.roles[node] = Role.RUNNER if is_late else Role.BUILDER
        for node in self._for_build(programs):
            self.roles[node] = Role.BUILDER
        self._place_workdirs(choice)

    def _purposes(self, programs: Sequence[_Program]) -> dict[str, str]:
        """Files that a COPY puts outside of the sources, or behind the build: absolute paths with the reason. What has
        to go through the builder, as a RUN works on it there, is copied from it."""
        reading = self.reading
        last_build = self._last_build(programs)
        last_run = max((i for i, step in enumerate(reading.steps) if step.keyword == "RUN"), default=-1)
        trees = {one.target for one in reading.copies if self._has_sources(one)} | {reading.final_workdir}
        found: dict[str, str] = {}
        for copied in reading.copies:
            index = reading.position(copied.node)
            if index > max(last_build, last_run) or self._has_sources(copied) or _PRIVATE.search(copied.target):
                continue
            inside = any(copied.target == tree or copied.target.startswith(tree.rstrip("/") + "/") for tree in trees)
            if index < last_build and inside:
                continue
            why = f"line {reading.file.line_of(copied.node)} puts it there"
            if copied.is_folder and (copied.target in _SYSTEM_FOLDERS or copied.target in trees):
                names = self.context.children(copied.source)
                for name in names if isinstance(names, tuple) else ():
                    found[join(copied.target, name.rstrip("/"))] = why
            else:
                found[copied.target] = why
        return found

    def _has_sources(self, copied: Copied) -> bool:
        """Go sources or manifests are copied."""
        if not copied.is_folder:
            return copied.source.endswith((".go", "go.mod", "go.sum", "go.work", "go.work.sum"))
        files = self.context.files(copied.source, without=("node_modules", ".git"))
        return isinstance(files, tuple) and any(path.endswith((".go", "/go.mod")) or path == "go.mod" for path in files)

    def _last_build(self, programs: Sequence[_Program]) -> int:
        if any(program.binary.go.command.span == (0, 0) for program in programs):
            return max((i for i, s in enumerate(self.reading.steps) if s.keyword in {"RUN", "COPY", "ADD"}), default=0)
        return max((self.reading.position(program.binary.go.step.node) for program in programs), default=0)

    def _for_build(self, programs: Sequence[_Program]) -> list[Instruction]:
        """ENV instructions with variables of the go command alone, none of which the program or the runner asks for."""
        literals = {one.value for program in programs for source in program.sources.values() for one in source.literals}
        found: list[Step] = []
        for step in self.reading.steps:
            if step.keyword != "ENV" or not step.node.pairs:
                continue
            if all(self._is_setting(step, name, value) and name not in literals for name, value in step.node.pairs):
                found.append(step)
        rest = [
            step.node.argument
            for step in self.reading.steps
            if step.keyword in {"ENV", "CMD", "ENTRYPOINT", "WORKDIR", "HEALTHCHECK", "LABEL", "VOLUME"}
            and step not in found
        ]
        text = "\n".join(rest)
        return [
            step.node
            for step in found
            if not any(name != "PATH" and re.search(rf"\$\{{?{name}\b", text) for name, _ in step.node.pairs)
        ]

    def _is_setting(self, step: Step, name: str, value: str) -> bool:
        if name == "PATH":
            # Only folders of the toolchain are added.
            parts = [part for part in value.strip("\"'").split(":") if part not in {"$PATH", "${PATH}"}]
            own = {"/go/bin", "/usr/local/go/bin", f"{self.stage.gopath}/bin"}
            return all((self.reading.expand(part, step.node) or part).rstrip("/") in own for part in parts)
        return _OF_THE_BUILD.match(name) is not None and name not in _NOT_OF_THE_BUILD

    def _place_workdirs(self, choice: _Choice) -> None:
        """Only the last WORKDIR matters to a runner in which nothing is run between two of them."""
        nodes = [step for step in self.reading.steps if step.keyword == "WORKDIR"]
        if choice.has_shell or len(nodes) < 2:
            return
        last = next((at for at in range(len(nodes) - 1, -1, -1) if nodes[at].node.argument.startswith("/")), 0)
        for step in nodes[:last]:
            self.roles[step.node] = Role.BUILDER

    def _artefacts(
        self,
        choice: _Choice,
        launched: Launch,
        programs: Sequence[_Program],
        files: Mapping[str, str],
        owned: Mapping[str, str],
        user: str | None,
        wanted: Needs,
    ) -> list[str]:
        name = builder_name(self.reading)
        owner = user or self._owner(choice)
        texts: list[str] = []
        if choice.image == "scratch":
            texts += self._for_scratch(name, wanted)
        new = [path for path in owned if not any(path == f or path.startswith(f.rstrip("/") + "/") for f in files)]
        if choice.image == "scratch" and wanted.temporary is not None and owner:
            new.append("/tmp")
            self.evidence.append(f"{wanted.temporary} makes temporary files: scratch gets a /tmp")
        if new:
            self.builder_tail.append("RUN mkdir -p /writable")
            # Before WORKDIR, which would make the folder root's.
            self.runner_head += [f"COPY --from={name} --chown={owner} /writable {path}" for path in sorted(new)]
            self.evidence += [
                f"{path} belongs to the program's user: {owned.get(path, 'temporary files')}" for path in new
            ]
        paths = [program.binary.path for program in programs]
        paths = [self._seen(path, launched) for path in paths]
        pairs = dict.fromkeys(zip([program.binary.path for program in programs], paths))
        groups: dict[tuple[str, str], list[str]] = {}
        for path in files:
            flag = (
                f"--chown={owner} "
                if owner and any(path == o or posixpath.dirname(path) == o or o.startswith(path + "/") for o in owned)
                else ""
            )
            if self._is_file(path) and "/" in path:
                groups.setdefault((flag, posixpath.dirname(path)), []).append(path)
            else:
                texts.append(f"COPY --from={name} {flag}{path} {self._written(path, path)}")
        for (flag, _), members in groups.items():
            target = self._written(members[0], members[0])
            if len(members) > 1 and not target.endswith("/"):
                target = posixpath.dirname(target) + "/"
            texts.append(f"COPY --from={name} {flag}{' '.join(members)} {target}")
        # The programs change with every edit: what changes more rarely comes before them and stays cached.
        for source, target in pairs:
            texts.append(f"COPY --from={name} {source} {self._written(target, source, is_file=True)}")
        return texts

    def _owner(self, choice: _Choice) -> str | None:
        final = self.reading.final_user
        if final is None or choice.has_shell or final.partition(":")[0] in {"root", "0"}:
            return None
        if final.partition(":")[0].isdigit():
            return final
        return _NONROOT

    def _is_file(self, path: str) -> bool:
        inside = self.reading.in_context(path)
        return inside is not None and self.context.is_dir(inside) is False

    def _seen(self, path: str, launched: Launch) -> str:
        """Where the runner has the program: the same path, or on the PATH of any image where it was found by name."""
        folder = posixpath.dirname(path)
        if folder in {"/go/bin", "/usr/local/go/bin", f"{self.stage.gopath}/bin"} and self._is_called_by_name(path):
            return f"/usr/local/bin/{posixpath.basename(path)}"
        return path

    def _is_called_by_name(self, path: str) -> bool:
        start = self.reading.start
        words = list(start.argv) if start is not None else []
        return path not in words and not any(
            path in step.node.argument
            for step in self.reading.steps
            if step.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}
        )

    def _written(self, path: str, source: str, *, is_file: bool | None = None) -> str:
        """A destination: relative to WORKDIR where it lies there; the folder alone where a file keeps its name."""
        here = self.reading.final_workdir
        same = posixpath.basename(path) == posixpath.basename(source)
        is_folder = not (self._is_file(path) if is_file is None else is_file)
        if not self._has_workdir() or here == "/" or not path.startswith(here.rstrip("/") + "/"):
            return path if is_folder or not same else posixpath.dirname(path).rstrip("/") + "/"
        relative = "./" + path[len(here.rstrip("/")) + 1 :]
        if is_folder or not same:
            return relative
        return posixpath.dirname(relative) + "/"

    def _for_scratch(self, name: str, wanted: Needs) -> list[str]:
        """Certificates, and time zones where the program asks for one."""
        image = self.reading.image
        assert image is not None
        texts = [f"COPY --from={name} /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/"]
        if wanted.zones is None:
            return texts
        if "tzdata" in image.preinstalled or any(
            word.literal == "tzdata" for _, call in self.reading.calls for word in call.packages
        ):
            texts.append(f"COPY --from={name} /usr/share/zoneinfo /usr/share/zoneinfo")
        else:
            # golang:alpine and golang on trixie have no tzdata; Go brings the zones in one file of its own.
            texts += [f"COPY --from={name} /usr/local/go/lib/time/zoneinfo.zip /", "ENV ZONEINFO=/zoneinfo.zip"]
        self.evidence.append(f"{wanted.zones} asks for a time zone")
        return texts

    def _builds(
        self, programs: Sequence[_Program], launched: Launch, wanted: Needs
    ) -> tuple[dict[Instruction, Instruction], list[str]]:
        """The build commands with what an expert adds to them; for ``go run`` the build that takes its place."""
        if launched.run is not None:
            program = programs[0]
            return {}, [self._build_of_run(launched.run, program, wanted)]
        changes: dict[Instruction, list[tuple[int, int, str]]] = {}
        done: set[tuple[int, int, int]] = set()
        for program in programs:
            go = program.binary.go
            node, span = go.step.node, go.command.span
            if node.json is not None or (id(node), *span) in done:
                continue
            done.add((id(node), *span))
            added = changes.setdefault(node, [])
            if program.adds_cgo:
                at = span[0] if not go.command.wrappers else go.command.words[0].span[0]
                added.append((at, at, "CGO_ENABLED=0 "))
            verb = go.command.words[1].span[1]
            flags = self._flags(go, wanted)
            if flags:
                added.append((verb, verb, flags))
        return {node: node.splice(edits) for node, edits in changes.items() if edits}, []

    def _flags(self, go: GoCommand, wanted: Needs) -> str:
        """`-trimpath -ldflags="-s -w"`, where the author has no linker flags of their own."""
        own = self.stage.variable(go, "GOFLAGS") or ""
        image = self.reading.image
        if (
            "-ldflags" in go.flags
            or "-ldflags" in own
            or "-gcflags" in go.flags
            or image is None
            or image.family != "golang"
        ):
            return ""
        trim = (
            "-trimpath" in go.flags
            or "-trimpath" in own
            or wanted.by_source is not None
            or (self.stage.version and self.stage.version < (1, 13))
        )
        return ("" if trim else " -trimpath") + ' -ldflags="-s -w"'

    def _build_of_run(self, go: GoCommand, program: _Program, wanted: Needs) -> str:
        flags = "".join(
            f" {name}={_quoted(value)}" if value else f" {name}"
            for name, value in go.flags.items()
            if name not in {"-exec", "-C"}
        )
        cgo = "CGO_ENABLED=0 " if program.adds_cgo else ""
        return f"RUN {cgo}go build{self._flags(go, wanted)}{flags} -o {program.binary.path} {' '.join(go.operands)}"

    def _start_binary(self, launched: Launch, binary: Binary, in_runner: dict[Instruction, str]) -> None:
        start = self.reading.start
        assert start is not None
        assert launched.run is not None
        words = (binary.path, *launched.arguments)
        first, *more = start.nodes
        if more and first.json is not None and more[0].json is not None:
            count = len(more[0].json)
            words = (binary.path, *launched.arguments[: len(launched.arguments) - count])
        in_runner[first] = f"{first.keyword} {_exec(words)}"
        self.evidence.append(
            f"{first.keyword} compiled {' '.join(launched.run.operands)} at every start; now it is built once"
        )


_MAKE_USER = {
    "debian": "RUN groupadd -r -g 10001 app \\\n    && useradd --no-log-init -r -u 10001 -g app app",
    "alpine": "RUN addgroup -S -g 10001 app \\\n    && adduser -S -D -H -u 10001 -G app app",
}
"""As the codemod `run-as-user` writes it."""
_PRIVATE = re.compile(
    r"^/root/|/\.(?:netrc|ssh|gitconfig|git-credentials|npmrc|aws|docker)\b|^/etc/(?:apt|apk|ssh)/|ca-certificates"
)
"""Where credentials and settings of the build lie."""
_ELSEWHERE = frozenset(
    {"open", "xdg-open", "rundll32", "explorer", "cmd", "cmd.exe", "powershell", "launchctl", "osascript"}
)
"""Programs of other systems, called in code that picks one by the system it is on."""
_SYSTEM_FOLDERS = frozenset(
    {"/", "/usr", "/etc", "/var", "/bin", "/lib", "/opt", "/home", "/root", "/run", "/dev", "/proc", "/sys"}
)


def _exec(words: Sequence[str]) -> str:
    return json.dumps(list(words), ensure_ascii=False)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w.,/:=@+-]+", value) else '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _with_user(entries: Sequence[Instruction | str | Instead], user: str) -> tuple[Instruction | str | Instead, ...]:
    return _before_start(entries, f"USER {user}")


def _before_start(entries: Sequence[Instruction | str | Instead], text: str) -> tuple[Instruction | str | Instead, ...]:
    """Puts an instruction before the first CMD, ENTRYPOINT or HEALTHCHECK behind everything that has to run as root."""

    def keyword(entry: Instruction | str | Instead) -> str:
        return (
            entry.split(" ", 1)[0]
            if isinstance(entry, str)
            else (entry.node if isinstance(entry, Instead) else entry).keyword
        )

    last = max(
        (i for i, entry in enumerate(entries) if keyword(entry) in {"RUN", "COPY", "ADD", "WORKDIR", "VOLUME"}),
        default=-1,
    )
    at = next(
        (
            i
            for i, entry in enumerate(entries)
            if i > last and keyword(entry) in {"CMD", "ENTRYPOINT", "HEALTHCHECK", "USER"}
        ),
        len(entries),
    )
    return (*entries[:at], text, *entries[at:])


__all__ = ["STATIC", "split"]
