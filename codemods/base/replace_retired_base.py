"""replace-retired-base"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from refactor import (
    Aspect,
    BaseImage,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    Stage,
    StageReading,
    end_of,
    is_known_tag,
    kept_line,
    leaves,
    lookup,
    next_debian,
    parse_reference,
    refuse,
    release_end,
    repository_end,
    rewrites,
    version_end,
    version_named,
)

JAVA = frozenset({"openjdk", "java"})
HOMES = r"/usr/local/openjdk-\d+|/usr/java/openjdk-\d+|/usr/lib/jvm\b|/docker-java-home|/opt/openjdk-\d+"
"""Where those images have their Java, and Temurin's have not."""
PROGRAMS = {"openssh-client": "ssh", "mercurial": "hg", "subversion": "svn", "xz-utils": "xz", "bzip2": "bunzip2"}
DEBIAN = ["buster", "bullseye", "bookworm", "trixie", "forky"]
SYSTEM = frozenset({"apt", "apk", "dnf", "yum", "microdnf"})


class ReplaceRetiredBase(Codemod):
    """Replace a base image that gets no more fixes by its family's successor, or say when it ended.

    Why
    ---
    An image that is no longer built keeps every hole that was found since, and its package archive disappears one day:
    then the build fails.

    What it does
    ------------
    `openjdk` and `java` images become Eclipse Temurin's of the same major version, kind and C library
    (`openjdk:17-jdk-slim` becomes `eclipse-temurin:17-jdk`). A retired Debian release below a language's image becomes
    the nearest one that is kept for another year, the language's version stays (`python:3.9-buster` becomes
    `python:3.9-bookworm`). A language's version that has ended is replaced where the project names a newer one.

    When it refuses
    ---------------
    Everything else is said with its date and source: a retired distribution, a version whose successor nobody has
    named. Also where the file calls what the new image does not have, or installs packages whose names differ between
    releases.

    Safety
    ------
    REVIEW: the system below the program changes on purpose, to one that gets fixes.
    """

    phase = Phase.BASE
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.BASE})
    examples = (
        rewrites(
            "openjdk",
            before="""
            FROM openjdk:17-jdk-slim
            COPY app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
            after="""
            FROM eclipse-temurin:17-jdk
            COPY app.jar /app.jar
            CMD ["java", "-jar", "/app.jar"]
            """,
        ),
        rewrites(
            "openjdk on Alpine",
            before="""
            FROM openjdk:8-jre-alpine
            RUN apk add --no-cache curl
            CMD ["java", "-version"]
            """,
            after="""
            FROM eclipse-temurin:8-jre-alpine
            RUN apk add --no-cache curl
            CMD ["java", "-version"]
            """,
        ),
        rewrites(
            "a retired Debian below the same Python, in all stages together",
            before="""
            FROM python:3.9-buster AS build
            RUN apt-get update && apt-get install -y libpq-dev gcc
            RUN pip install psycopg2
            FROM python:3.9-slim-buster
            COPY --from=build /usr/local /usr/local
            """,
            after="""
            FROM python:3.9-bookworm AS build
            RUN apt-get update && apt-get install -y libpq-dev gcc
            RUN pip install psycopg2
            FROM python:3.9-slim-bookworm
            COPY --from=build /usr/local /usr/local
            """,
        ),
        rewrites(
            "the project names a newer version",
            before="""
            FROM node:14-alpine
            COPY . .
            """,
            after="""
            FROM node:22-alpine
            COPY . .
            """,
            files={".nvmrc": "22\n", "server.js": ""},
        ),
        leaves(
            "a version that has ended",
            "FROM node:12\nCOPY . .\n",
            files={"package.json": "{}"},
            because="node 12 ended on 2022-04-30 (https://endoflife.date/nodejs)",
        ),
        leaves("a distribution that has ended", "FROM centos:7\nRUN yum install -y httpd\n", because="centos ended"),
        leaves(
            "a package that the newer release does not have",
            """
            FROM python:3.9-buster
            RUN apt-get update && apt-get install -y python-pip
            """,
            because="python-pip",
        ),
        leaves(
            "the built files go to the old release",
            """
            FROM python:3.9-buster AS build
            FROM debian:buster
            COPY --from=build /usr/local /usr/local
            """,
            because="stays on Debian buster and copies from it",
        ),
        leaves(
            "Oracle Linux's package manager",
            """
            FROM openjdk:17
            RUN microdnf install -y findutils
            """,
            because="calls microdnf, which the new image does not have",
        ),
        leaves(
            "Java's folder is named",
            """
            FROM openjdk:11-jdk-slim AS jdk
            FROM debian:12
            COPY --from=jdk /usr/local/openjdk-11 /jdk
            """,
            because="names /usr/local/openjdk-11",
        ),
        leaves("a version that is kept", 'FROM python:3.13-slim\nCMD ["python"]\n'),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        own = [stage for stage in file.stages if file.stage_before(stage.index, stage.image) is None]
        readings = [StageReading.of(file, stage, context) for stage in own]
        yield from _releases(file, readings)
        for reading in readings:
            reference, stage = reading.image_reference, reading.stage
            if reference is None or reference == "scratch" or parse_reference(reference).digest:
                continue
            name = parse_reference(reference).name
            gone = repository_end(name)
            if name in JAVA and gone is not None:
                yield _java(file, reading, reference)
            elif gone is not None:
                day, source, _ = gone
                yield refuse(stage.from_, f"{name} ended on {day} ({source})", "choose a distribution that is kept")
            elif reading.image is not None:
                found = _version(reading, reading.image)
                if found is not None:
                    yield found


def _java(file: Dockerfile, reading: StageReading, reference: str) -> Finding | Refusal:
    from refactor import temurin_of

    stage = reading.stage
    name = parse_reference(reference).name
    gone = repository_end(name)
    assert gone is not None
    day, source, says = gone
    said = f"{name} {says} since {day} ({source})"
    new = temurin_of(reference)
    if new is None:
        what = (
            "eclipse-temurin has no image of that version" if parse_reference(reference).tag else "no version is named"
        )
        return refuse(
            stage.from_, f"{said}, and {what}", "name a version that eclipse-temurin has: 8, 11, 17, 21 or 25"
        )
    why = _why_not_written(stage, reference) or _why_not_java(file, reading, new)
    if why is not None:
        return refuse(stage.from_, f"{said}; {why.because}", why.hint)
    return Finding(
        stage.from_,
        f"build on {new}",
        [Replace(stage.from_, [stage.with_image(new)])],
        why=f"{name} {says} since {day}",
        evidence=(said, f"{new} is published"),
    )


def _why_not_java(file: Dockerfile, reading: StageReading, new: str) -> Refused | None:
    for node in file.instructions:
        found = re.search(HOMES, node.argument)
        if found is not None:
            return Refused(f"line {file.line_of(node)} names {found[0]}", "use $JAVA_HOME in its place")
    old, image = reading.image, lookup(new)
    manager = None if image is None else image.package_manager
    # Of an image that is not in the catalogue (java) nothing is known to be missing in the new one.
    lost = (old.preinstalled - image.preinstalled) if old is not None and image is not None else frozenset()
    reason = _why_not_packages(file, reading, manager, frozenset(_programs(lost)))
    if reason is None and image is not None and "ubuntu" in image.users:
        makes = [step.node for step in reading.runs if re.search(r"(?:user|group).*\b1000\b", step.node.argument)]
        for node in makes[:1]:
            return Refused(f"line {file.line_of(node)} makes a user 1000, which {new} has", "choose another number")
    return reason


def _programs(packages: frozenset[str]) -> Iterator[str]:
    """What RUNs call of packages: most are called like their program."""
    for package in packages:
        yield PROGRAMS.get(package, package)


def _why_not_packages(
    file: Dockerfile, reading: StageReading, manager: str | None, lost: frozenset[str]
) -> Refused | None:
    """Packages that the other release may call differently, and programs that the other image does not have."""
    from refactor import is_in_all_releases

    installed: set[str] = set()
    for step, call in reading.calls:
        if call.manager not in SYSTEM:
            continue
        line = file.line_of(step.node)
        if call.manager != manager:
            return Refused(
                f"line {line} calls {call.manager}, which the new image does not have", "change the RUN first"
            )
        if call.action != "install":
            continue
        for word in call.packages:
            if word.value is None or not is_in_all_releases(word.value, call.manager):
                return Refused(
                    f"line {line} installs {word.text}, which is not known to have the same name in the newer release",
                    "check the package there, then change the base by hand",
                )
            installed.add(word.value)
    for step in reading.runs:
        called = {command.name for command in step.commands} & (lost - installed)
        if called:
            program = min(name for name in called if name)
            return Refused(
                f"line {file.line_of(step.node)} calls {program}, which the new image does not have", "install it first"
            )
    return None


def _releases(file: Dockerfile, readings: list[StageReading]) -> Iterator[Finding | Refusal]:
    """Languages' images on a retired Debian: all stages move together, or none does."""
    retired = [(reading, end) for reading in readings if reading.image and (end := release_end(reading.image))]
    moving: list[tuple[StageReading, str, str]] = []
    reasons: list[tuple[Stage, str, Refused]] = []
    for reading, end in retired:
        image = reading.image
        assert image is not None
        new = None if image.family in JAVA else next_debian(image)
        tag = image.parsed.tag or ""
        if image.family in JAVA or (version_end(image) is not None and image.release not in tag.split("-")):
            continue
        if new is None or image.release is None or image.release not in tag.split("-"):
            why = Refused(f"no image of {image.reference} on a newer release is known", "choose one by hand")
            reasons.append((reading.stage, end.text, why))
            continue
        renamed = image.parsed.with_tag("-".join(new if part == image.release else part for part in tag.split("-")))
        reason = _why_not_written(reading.stage, image.reference) or _why_not_release(file, reading, image)
        if reason is not None:
            reasons.append((reading.stage, end.text, reason))
        else:
            moving.append((reading, renamed, end.text))
    moved = {reading.stage.index: renamed for reading, renamed, _ in moving}
    for reading, _, said in moving:
        receiver = _left_behind(file, readings, reading.stage, moved)
        if receiver is not None:
            reasons.append((reading.stage, said, receiver))
    for stage, said, why in reasons:
        yield refuse(stage.from_, f"{said}; {why.because}", why.hint)
    if moving and not reasons:
        first = moving[0]
        yield Finding(
            first[0].stage.from_,
            "build on " + ", ".join(dict.fromkeys(renamed for _, renamed, _ in moving)),
            [Replace(reading.stage.from_, [reading.stage.with_image(renamed)]) for reading, renamed, _ in moving],
            why="the distribution below gets no more fixes",
            evidence=tuple(dict.fromkeys(said for _, _, said in moving)),
        )


def _left_behind(
    file: Dockerfile, readings: list[StageReading], stage: Stage, moved: Mapping[int, str]
) -> Refused | None:
    """A stage that gets files from this one, and whose C library may be older than what they were built with."""
    new = lookup(moved[stage.index])
    for other in readings:
        image = lookup(moved.get(other.stage.index, "")) or other.image
        is_newer = image is not None and (image.libc != "glibc" or _is_as_new(image.release, new))
        for step in () if is_newer else other.steps:
            name = step.node.flag("from") if step.keyword == "COPY" else None
            origin = None if name is None else file.stage(name)
            if origin is not None and origin.index == stage.index:
                line = file.line_of(other.stage.from_)
                is_debian = image is not None and image.distro == "debian" and image.release
                release = f"Debian {image.release}" if image is not None and is_debian else other.stage.image
                return Refused(f"line {line} stays on {release} and copies from it", "change both bases together")
    return None


def _is_as_new(release: str | None, image: BaseImage | None) -> bool:
    order = DEBIAN
    return image is not None and release in order and order.index(release) >= order.index(image.release or "")


def _why_not_release(file: Dockerfile, reading: StageReading, image: BaseImage) -> Refused | None:
    for node in file.instructions:
        text = "\n".join((node.argument, *(heredoc.body for heredoc in node.heredocs)))
        found = re.search(rf"\b{image.release}\b|archive\.debian\.org", text) if node.keyword != "FROM" else None
        if found is not None:
            return Refused(f"line {file.line_of(node)} names {found[0]}", "take that line out first")
    return _why_not_packages(file, reading, "apt", frozenset())


def _version(reading: StageReading, image: BaseImage) -> Finding | Refusal | None:
    """A version that has ended: replaced by the newer one that the project names, or said."""
    stage, end = reading.stage, version_end(image)
    if end is None:
        return None
    kept = kept_line(image.family)
    hint = f"{kept} is kept until {end_of(image.family, kept)}" if kept else "choose a version that is kept"
    named = version_named(reading)
    if named is None or isinstance(named, Refused):
        return refuse(stage.from_, end.text, hint)
    tag = image.parsed.tag or ""
    new = image.parsed.with_tag(named.version + tag.removeprefix(image.version))
    is_newer = _numbers(named.version) > _numbers(image.version)
    renewed = lookup(new)
    if not is_newer or renewed is None or version_end(renewed) is not None or not is_known_tag(new):
        return refuse(stage.from_, end.text, hint)
    why = _why_not_written(stage, image.reference) or _why_not_packages(
        reading.file, reading, image.package_manager, frozenset()
    )
    if why is not None:
        return refuse(stage.from_, f"{end.text}; {why.because}", why.hint)
    return Finding(
        stage.from_,
        f"build on {new}",
        [Replace(stage.from_, [stage.with_image(new)])],
        why=f"{end.what} gets no more fixes",
        evidence=(end.text, *named.evidence),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _why_not_written(stage: Stage, reference: str) -> Refused | None:
    if stage.image == reference:
        return None
    return Refused(f"{stage.image} is written with build arguments", "change their defaults")
