"""What the RUN instructions of a Go stage do besides building: which of it the runner has to have."""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refactor.ecosystems import system
from refactor.ecosystems.go.program import GoStage
from refactor.flow.reading import Refused, Step, join
from refactor.shell import Command
from refactor.shell.files import downloads, option


class Effect(enum.Enum):
    """What a command leaves behind."""

    FOLDER = "makes a folder"
    FILE = "writes a file"
    DOWNLOAD = "fetches"
    OWNER = "changes an owner"


class Made(NamedTuple):
    """A path that a command makes."""

    path: str
    """Absolute."""
    effect: Effect
    step: Step
    command: Command


_QUIET = frozenset(
    """echo true : ls pwd which whoami id date cat printf set cd export test [ env uname head tail grep
    find stat file du df sleep go gofmt rm rmdir chmod chown chgrp strip upx umask wait ulimit type
    command ldd readelf objdump sha256sum md5sum ssh-keyscan apt-mark update-ca-certificates ldconfig useradd
    adduser groupadd addgroup usermod passwd locale-gen gpg apt-key exit trap hash setcap sed
    dos2unix git-lfs eval source .""".split()
)
"""Commands that make nothing a program opens; files that they change in place are taken as they are."""

_GENERATORS = frozenset(
    """swag templ sqlc protoc wire mockgen mockery buf easyjson statik packr packr2 go-bindata rice qtc
    gqlgen stringer ent goimports golangci-lint golint staticcheck gosec revive ineffassign misspell
    goyacc msgp ffjson enumer oapi-codegen oto pkger vfsgendev esc fileb0x genny goverter gotestsum
    ginkgo gocov godep glide dep govendor vgo mage richgo go-licenses cyclonedx-gomod syft
    goreleaser kratos goctl hz kitex thriftgo bee revel grpc_tools protoc-gen-go govulncheck""".split()
)
"""Programs that write Go sources, check them or fetch dependencies."""

_IGNORED = re.compile(
    r"^(?:/go(?:/|$)|/usr/local/go(?:/|$)|/root/(?:\.cache|\.ssh|\.gitconfig|\.netrc|\.config|go)(?:/|$)|/tmp(?:/|$)|/var/tmp(?:/|$)|/dev/"
    r"|/etc/(?:apt|apk|ssh|nsswitch\.conf|pki|ssl)(?:/|$)|/var/(?:lib/apt|cache|log)(?:/|$)|/lib64(?:/|$)|/proc/|/sys/)"
)
"""Where builds keep their own things."""

_ON_PATH = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/go/bin")


def made(stage: GoStage) -> tuple[Made, ...] | Refused:
    """Paths that commands make in the image, in order; a command that is not known is refused by name."""
    found: list[Made] = []
    for step in stage.reading.runs:
        line = stage.line(step)
        if step.script is None:
            return Refused(f"the RUN on line {line} has its commands in a heredoc, which are not read", "use && lists")
        if step.script.opaque is not None:
            return Refused(f"the RUN on line {line} cannot be read: {step.script.opaque}", "write it simpler")
        calls = {id(call.command): call for call in step.calls}
        for command in step.commands:
            call = calls.get(id(command))
            if call is not None and (call.manager in system.MANAGERS or call.manager == "go"):
                found += _redirected(stage, step, command)
                continue
            answer = _of(stage, step, command)
            if isinstance(answer, Refused):
                return answer
            if command.name == "rm":
                gone = _removed(stage, step, command)
                found = [one for one in found if not any((one.path + "/").startswith(path + "/") for path in gone)]
            found += answer
    return tuple(found)


def _removed(stage: GoStage, step: Step, command: Command) -> tuple[str, ...]:
    folder = step.folder_of(command)
    names = [stage.expanded(step, arg) for arg in command.args if not arg.startswith("-")]
    return tuple(join(folder or "/", name.rstrip("/")) for name in names if name)


def _of(stage: GoStage, step: Step, command: Command) -> tuple[Made, ...] | Refused:
    written = tuple(_redirected(stage, step, command))
    if command.name is None:
        return written
    name = command.name.rpartition("/")[2]
    if name in _QUIET or name in _GENERATORS:
        return written
    if name in {"sh", "bash"} and command.in_pipeline and not any(arg.endswith(".sh") for arg in command.args):
        # `curl ... | sh` installs a tool; a program that is started from there is looked for by name.
        return written
    folder = step.folder_of(command)
    operands = [stage.expanded(step, arg) for arg in command.args if not arg.startswith("-")]
    paths = [join(folder, path) if folder is not None else path for path in operands if path]

    def make(effect: Effect, *where: str) -> tuple[Made, ...]:
        return (
            *written,
            *(Made(path, effect, step, command) for path in where if path.startswith("/") and "$" not in path),
        )

    if name == "mkdir":
        own = [
            path
            for arg, path in zip([a for a in command.args if not a.startswith("-")], paths)
            if not re.fullmatch(r"[0-7]{3,4}", arg)
        ]
        return make(Effect.FOLDER, *own)
    if name in {"touch", "tee"}:
        return make(Effect.FILE, *paths)
    if name in {"cp", "mv", "ln", "install", "rsync"}:
        if name == "install" and "-d" in command.args:
            return make(Effect.FOLDER, *paths)
        if len(paths) < 2:
            return written
        target = paths[-1]
        if name == "ln" and paths[0].startswith("/usr/share/zoneinfo") and not _has_zones(stage):
            # The link leads nowhere: this image has no zones, and Go takes those of its toolchain.
            return written
        into = command.args[-1].endswith("/") or len(paths) > 2 or target in _ON_PATH or target == folder
        return make(
            Effect.FILE, *([join(target, posixpath.basename(path)) for path in paths[:-1]] if into else [target])
        )
    if name in {"wget", "curl"}:
        paths = list(downloads(command)) if folder is not None else []
        return make(Effect.DOWNLOAD, *(join(folder or "/", path) for path in paths))
    if name in {"tar", "unzip", "gunzip", "bunzip2", "xz", "gzip", "7z", "bsdtar"}:
        place = option(command, "-C", "--directory", "-d") or folder
        return make(Effect.DOWNLOAD, join(folder or "/", place or "/"))
    if name == "git":
        if command.args[:1] == ("clone",):
            rest = [path for path in operands[1:] if path]
            base = rest[1] if len(rest) > 1 else posixpath.basename(rest[0]).removesuffix(".git") if rest else ""
            return make(Effect.DOWNLOAD, join(folder or "/", base)) if base else written
        return written
    if name in {
        "npm",
        "yarn",
        "pnpm",
        "npx",
        "node",
        "make",
        "cmake",
        "sh",
        "bash",
        "python3",
        "python",
        "pip",
        "pip3",
        "cargo",
        "meson",
        "ninja",
    }:
        return Refused(
            f"line {stage.line(step)} runs `{_shown(step, command)}`, and what that builds is not known",
            "call go build itself in the Dockerfile"
            if name in {"make", "sh", "bash"}
            else "build that in a stage of its own",
        )
    if folder is not None and "/" in command.name and stage.reading.in_context(join(folder, command.name)) is not None:
        return Refused(
            f"line {stage.line(step)} runs {command.name}, and what it makes is not known",
            "call its commands in the Dockerfile",
        )
    if _is_tool_of_go(stage, name):
        return written
    return Refused(f"line {stage.line(step)} runs `{_shown(step, command)}`, and what it makes is not known",
                   "split by hand, or move that step into a stage of its own")  # fmt: skip


def _has_zones(stage: GoStage) -> bool:
    image = stage.reading.image
    if image is not None and "tzdata" in image.preinstalled:
        return True
    return any(word.literal == "tzdata" for _, call in stage.reading.calls for word in call.packages)


def _shown(step: Step, command: Command) -> str:
    text = step.script.text[slice(*command.span)] if step.script is not None else command.name or ""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def _is_tool_of_go(stage: GoStage, name: str) -> bool:
    """A program that ``go install`` or ``go get`` fetched, called to work on the sources."""
    for go in stage.commands:
        if go.verb in {"install", "get"}:
            for operand in go.operands:
                if name in operand.partition("@")[0].split("/"):
                    return True
    return False


def _redirected(stage: GoStage, step: Step, command: Command) -> Iterator[Made]:
    folder = step.folder_of(command)
    for redirect in command.redirects:
        parts = re.match(r"([0-9]*[<>&|]+)\s*(.*)", redirect, re.DOTALL)
        sign, target = (parts[1], parts[2]) if parts is not None else ("", "")
        path = stage.expanded(step, target.strip("\"'")) if target else None
        if ">" in sign and path and "&" not in sign and not path.startswith("/dev/") and folder is not None:
            yield Made(join(folder, path), Effect.FILE, step, command)


def is_kept(one: Made, stage: GoStage, binaries: Sequence[str]) -> bool:
    """Whether the runner gets what a command made on purpose, named in the sources or not: folders and files outside of
    the sources, folders of its own beside them."""
    reading = stage.reading
    path = one.path.rstrip("/") or "/"
    if _IGNORED.match(path + "/") or _IGNORED.match(path) or path in binaries:
        return False
    above = path.rstrip("/") + "/"
    places = [reading.final_workdir, *binaries, *(copied.target for copied in reading.copies)]
    places += [step.workdir for step in reading.steps]
    if path == "/" or any(place == path or place.startswith(above) for place in places):
        return False
    if one.effect is Effect.DOWNLOAD or posixpath.dirname(path) in _ON_PATH:
        return False
    if one.effect is Effect.FOLDER:
        return True
    inside = any(
        copied.is_folder and copied.target != "/" and path.startswith(copied.target.rstrip("/") + "/")
        for copied in reading.copies
    )
    return not inside


__all__ = ["Effect", "Made", "is_kept", "made"]
