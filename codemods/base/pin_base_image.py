"""pin-base-image"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Option,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    Stage,
    StageReading,
    is_known_tag,
    leaves,
    moves,
    parse_reference,
    refuse,
    rewrites,
    version_named,
    with_version,
)


class PinBaseImage(Codemod):
    """Build on the version that the project names, not on whichever is newest.

    Why
    ---
    `FROM node` is another Node every few months: a build that worked yesterday fails today, and what was tested is not
    what is shipped.

    What it does
    ------------
    Gives a base image without a version (`node`, `node:latest`, `node:alpine`) the one that the project names: in
    `.nvmrc`, `.node-version`, `engines` and `volta` of `package.json`, `.python-version`, `requires-python`, `Pipfile`,
    `runtime.txt`, the `toolchain` and `go` lines of `go.mod`, `pom.xml`, the toolchain of `build.gradle`,
    `global.json`, `rust-toolchain.toml`, `.ruby-version`, `Gemfile`, `composer.json`, `mix.exs`, `.tool-versions` or
    `mise.toml`.
    A version that is there stays as it is: `node:20` does not become `node:20.11`.

    With `--online` the image's registry is asked whether the tag exists, and with `digest = true` each base image also
    gets the digest of what its tag stands for now.

    When it refuses
    ---------------
    When no file names a version, when they name a channel (`lts/*`) or only a minimum (`>=18`), when two of them
    contradict each other, when the tag is not known to exist, and for images whose versions no project names.

    Safety
    ------
    REVIEW: the version changes on purpose, to the one that the named files ask for.
    """

    # It runs last: the others choose the image, and a digest pins what they chose.
    phase = Phase.STYLE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.BASE})
    hadolint = ("DL3006", "DL3007")
    options = {
        "digest": Option(False, "with `--online`, write the digest of each base image behind its tag", (False, True)),
    }
    examples = (
        rewrites(
            "the version that developers use",
            before="""
            FROM node:latest
            COPY . .
            CMD ["node", "server.js"]
            """,
            after="""
            FROM node:20.11.1
            COPY . .
            CMD ["node", "server.js"]
            """,
            files={".nvmrc": "v20.11.1\n", "package.json": '{"engines": {"node": ">=18"}}', "server.js": ""},
        ),
        rewrites(
            "one minor version of Python, in the variant that is there",
            before="""
            FROM python:slim AS app
            COPY app.py ./
            """,
            after="""
            FROM python:3.12-slim AS app
            COPY app.py ./
            """,
            files={"pyproject.toml": '[project]\nrequires-python = ">=3.12,<3.13"\n', "app.py": ""},
        ),
        rewrites(
            "the line of a Go module, and the image that runs the program as it is",
            before="""
            FROM golang:alpine AS build
            COPY . /src
            FROM alpine:3.20
            COPY --from=build /src /src
            """,
            after="""
            FROM golang:1.24-alpine AS build
            COPY . /src
            FROM alpine:3.20
            COPY --from=build /src /src
            """,
            files={"go.mod": "module example.org/app\n\ngo 1.24.3\n", "main.go": "package main\n"},
        ),
        leaves(
            "a minimum is no version",
            """
            FROM python
            COPY app.py ./
            """,
            files={"pyproject.toml": '[project]\nrequires-python = ">=3.9"\n', "app.py": ""},
            because="pyproject.toml (requires-python) names a minimum (>=3.9)",
        ),
        leaves(
            "two files, two versions",
            """
            FROM node
            COPY server.js ./
            """,
            files={".nvmrc": "18\n", "package.json": '{"engines": {"node": "20.x"}}', "server.js": ""},
            because=".nvmrc names 18 and package.json (engines.node) names 20.x, which contradict each other",
        ),
        leaves(
            "no file names one",
            """
            FROM node:alpine
            COPY server.js ./
            """,
            files={"package.json": "{}", "server.js": ""},
            because="no file of the build context names a version of Node.js",
        ),
        leaves(
            "a version that was never published",
            """
            FROM node
            COPY server.js ./
            """,
            files={".nvmrc": "20.11.77\n", "server.js": ""},
            because="node:20.11.77 is not known to exist",
        ),
        leaves(
            "a language's oldest version in Cargo.toml",
            """
            FROM rust
            COPY . .
            """,
            files={"Cargo.toml": '[package]\nname = "x"\nrust-version = "1.70"\n'},
            because="names a minimum (>=1.70)",
        ),
        leaves(
            "no project names its distribution",
            """
            FROM ubuntu:latest
            COPY . .
            """,
            files={"a.txt": ""},
            because="no file of a project names a version of ubuntu",
        ),
        leaves("a version is there", "FROM node:20\n", files={".nvmrc": "20.11.1\n"}),
        leaves("a channel that was asked for", "FROM node:lts\n", files={".nvmrc": "20.11.1\n"}),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            if file.stage_before(stage.index, stage.image) is not None or stage.image == "scratch":
                continue
            reading = StageReading.of(file, stage, context)
            reference = reading.image_reference
            if reference is None or parse_reference(reference).digest:
                continue
            found = self._pinned(reading, reference)
            if isinstance(found, Refused):
                yield refuse(stage.from_, found.because, found.hint)
            elif found is not None:
                yield found
            elif self.option("digest"):
                yield _with_digest(stage, reference)

    def _pinned(self, reading: StageReading, reference: str) -> Finding | Refused | None:
        """The image with a version; None where it has one."""
        stage, image, parsed = reading.stage, reading.image, parse_reference(reference)
        if image is None:
            if parsed.tag not in (None, "latest"):
                return None
            return Refused(
                f"{reference} has no version, and the tags of {parsed.name} are not known to dockerfix",
                "write the tag that was tested",
            )
        if not moves(image):
            return None
        named = version_named(reading)
        if named is None:
            now = f", {image.release} when dockerfix was made" if image.release else ""
            return Refused(
                f"no file of a project names a version of {image.family}, and {reference} is whichever is newest{now}",
                f"write a tag that names one into the FROM line, such as {image.release}" if image.release else "",
            )
        if isinstance(named, Refused):
            return Refused(f"{reference} is whichever version is newest: {named.because}", named.hint)
        if stage.image != reference:
            return Refused(
                f"the tag of {stage.image} is written with build arguments, {reference} as they stand",
                f"give the build argument the default {named.version}",
            )
        from refactor import ask_registry

        pinned = with_version(image, named.version)
        digest = ask_registry(pinned)
        if digest == "" or (digest is None and not is_known_tag(pinned)):
            says = f"the registry has no {pinned}" if digest == "" else f"{pinned} is not known to exist"
            return Refused(says, "check the version" if digest == "" else "ask the registry with --online")
        return Finding(
            stage.from_,
            f"build on {pinned}",
            [Replace(stage.from_, [stage.with_image(pinned)])],
            why=f"{reference} is another version every few months",
            evidence=(*named.evidence, *((f"the registry has {pinned}",) if digest else ())),
        )


def _with_digest(stage: Stage, reference: str) -> Finding | Refusal:
    from refactor import ask_registry

    if stage.image != reference:
        return refuse(stage.from_, f"{stage.image} is written with build arguments: its digest changes with them")
    digest = ask_registry(reference)
    if not digest:
        why = "was not asked for the digest of" if digest is None else "has no"
        return refuse(stage.from_, f"the registry {why} {reference}", "name the registry with --online")
    return Finding(
        stage.from_,
        f"pin {reference} to what it stands for now",
        [Replace(stage.from_, [stage.with_image(f"{reference}@{digest}")])],
        why="a tag can be moved to another image, a digest cannot",
        evidence=(f"the registry says that {reference} is {digest}",),
    )
