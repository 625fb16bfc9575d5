"""What the commands of Java and Kotlin read and write: mvn, gradle, their wrappers, javac, jar."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.java import gradle, maven
from refactor.ecosystems.program import Program
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import is_within
from refactor.once import cached_property

Project = maven.MavenProject | gradle.GradleProject
_IDLE = frozenset({"wrapper", "help", "tasks"})
_RUNS = r"(?:[\w.-]*:)?(?:run|dev|bootRun|quarkusDev)|exec:.*"
_NETWORK = ("network",)


class _Reader(Protocol):
    """The module that reads the manifests of a tool."""

    def projects(self, context: BuildContext, folder: str) -> Iterable[Project]: ...
    def manifests(self, context: BuildContext, folder: str) -> tuple[str, ...]: ...


class JavaCall(ToolCall):
    """A call of a tool that builds whole projects."""

    reader: _Reader
    cache = ""
    output = ""
    """The folder of what it builds."""
    wrapper: tuple[str, ...] = ()
    """Files that its wrapper reads."""

    @cached_property
    def goals(self) -> tuple[str, ...]:
        """Goals of Maven, tasks of Gradle."""
        return tuple(word.literal for word in self.package.operands)

    @property
    def kind(self) -> str:
        """What it does: "wrapper" (only fetches the tool), "clean", "run", "download" or "build"."""
        if {goal.strip(":") for goal in self.goals} <= _IDLE:
            return "wrapper"
        if any(re.fullmatch(_RUNS, goal) for goal in self.goals):
            return "run"
        return self.package.action if self.package.action in {"clean", "download"} else "build"

    @property
    def manifests(self) -> tuple[str, ...]:
        """Context paths of what decides on the dependencies of a build, as far as they are known."""
        return () if self.source is None else self.reader.manifests(self.call.reading.context, self.source)

    @property
    def why_fails(self) -> Unknown | None:
        """Why the tool refuses the call; None where it is not seen to."""
        return None

    def packed(self) -> Iterator[tuple[str, Project]]:
        """Paths of what it makes, as the call would name them, each with the project that it is made of."""
        source = self.source or "."
        for one in () if self.source is None else self.reader.projects(self.call.reading.context, self.source):
            folder = posixpath.join(self.where, posixpath.relpath(one.folder or ".", source))
            yield from ((posixpath.normpath(posixpath.join(folder, path)), one) for path in one.outputs(self.goals))

    def effect(self) -> Effect | None:
        """See :meth:`Language.effect`."""
        call, kind = self.call, self.kind
        where, cache = call.paths(self.where), call.paths(self.cache)
        output = call.paths(posixpath.join(self.where, self.output))
        if kind in {"clean", "run"}:
            return Effect(removes=output) if kind == "clean" else None
        if kind == "wrapper":
            there = (name for name in self.wrapper if call.source(name) is not None)
            return Effect(call.paths(*there), cache, needs=_NETWORK)
        if kind == "download":
            missing = Unknown(f"its {self.manifest_names[-1]} is not copied from the build context")
            reads = (missing,) if self.source is None else call.places(self.manifests)
            return Effect(reads, cache, needs=_NETWORK)
        if self.source is None or self.why_fails is not None:
            return Effect(where, output if self.why_fails is None else (self.why_fails,), needs=_NETWORK)
        return Effect(where, call.paths(*dict.fromkeys(path for path, _ in self.packed())), needs=_NETWORK)


class MavenCall(JavaCall):
    """A call of mvn or mvnw."""

    manager = "mvn"
    manifest_names = ("pom.xml",)
    named_by = ("-f", "--file")
    reader = maven
    cache = "~/.m2"
    output = "target"
    wrapper = maven.WRAPPER


class GradleCall(JavaCall):
    """A call of gradle or gradlew."""

    manager = "gradle"
    manifest_names = gradle.SCRIPTS
    named_by = ("-p", "--project-dir")
    reader = gradle
    cache = "~/.gradle"
    output = "build"
    wrapper = gradle.WRAPPER

    @property
    def why_fails(self) -> Unknown | None:
        context = self.call.reading.context
        return None if self.source is None else gradle.left_out(context, self.source, self.goals)


def java_call(call: Invocation | None) -> JavaCall | None:
    """The call as one of Maven or Gradle; None where it is none."""
    return MavenCall.of(call) or GradleCall.of(call)


def project_of(program: Program) -> Project | None:
    """The project that a program is packed of."""
    build, made = java_call(program.call), program.made
    for path, project in () if build is None else build.packed():
        place = program.call.path(path) if program.call is not None else None
        if isinstance(place, str) and (is_within(made, place) or posixpath.dirname(made) == posixpath.dirname(place)):
            return project
    return None


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    build = java_call(call)
    if build is not None:
        return build.effect()
    if call.name == "jar":
        return Effect(call.paths("."), call.paths(call.option("-f", "--file") or next(iter(call.operands[1:]), ".")))
    if call.name not in {"javac", "kotlinc"}:
        return None
    sources = (word for word in call.operands if word.endswith((".java", ".kt")))
    folder = call.option("-d")
    classes = (f"{posixpath.splitext(word)[0]}.class" for word in sources)
    return Effect(call.paths("."), call.paths(*([folder] if folder is not None else classes)))
