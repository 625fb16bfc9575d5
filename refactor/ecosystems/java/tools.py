"""What the commands of Java and Kotlin read and write: mvn, gradle, their wrappers, javac, jar."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.java.projects import SCRIPTS, Project, left_out, of_gradle, of_maven
from refactor.ecosystems.own_start import own_start
from refactor.ecosystems.program import Program
from refactor.ecosystems.tool_call import ToolCall
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import Refused, StageReading, is_within
from refactor.once import cached_property

_INSTEAD = {("spring-boot:run",): "package -DskipTests", ("bootRun",): "bootJar"}
_IDLE = frozenset("-B -q --no-daemon --batch-mode --quiet -ntp --no-transfer-progress --info -DskipTests".split())
"""Options after which the same program is built, and run."""


class JavaCall(ToolCall):
    """A call of a tool that builds whole projects."""

    read: Callable[[BuildContext, str], tuple[Project, ...]]
    """The projects that a folder of the context builds, its own first."""
    cache: str
    output: str
    """The folder of what it builds."""

    @cached_property
    def goals(self) -> tuple[str, ...]:
        """Goals of Maven, tasks of Gradle."""
        return tuple(word.literal for word in self.package.operands)

    @cached_property
    def projects(self) -> tuple[Project, ...]:
        """Those that it builds, as far as they are known."""
        return () if self.source is None else self.read(self.call.reading.context, self.source)

    @property
    def manifests(self) -> tuple[str, ...]:
        """Context paths of what decides on the dependencies of a build, as far as they are known."""
        return tuple(dict.fromkeys(path for one in self.projects for path in one.manifests))

    def packed(self) -> Iterator[tuple[str, Project]]:
        """Paths of what it makes, as the call would name them, each with the project that it is made of."""
        for one in self.projects:
            folder = posixpath.join(self.where, posixpath.relpath(one.folder or ".", self.source or "."))
            for pattern, path in one.made:
                if any(re.fullmatch(pattern, goal) for goal in self.goals):
                    yield posixpath.normpath(posixpath.join(folder, path)), one

    def effect(self) -> Effect | None:
        """See :meth:`Language.effect`."""
        call, action = self.call, self.package.action
        where, cache = call.paths(self.where), call.paths(self.cache)
        output = call.paths(posixpath.join(self.where, self.output))
        if action == "run":
            return None
        if action == "clean":
            return Effect(removes=output)
        if not action:
            wrapper = (path for path in self.manifests if re.search("mvn|gradlew|wrapper", path))
            return Effect(call.places(wrapper), cache, needs=("network",))
        if action == "download":
            missing = Unknown(f"its {self.manifest_names[-1]} is not copied from the build context")
            return Effect(call.places(self.manifests) if self.projects else (missing,), cache, needs=("network",))
        made = call.paths(*dict.fromkeys(path for path, _ in self.packed())) if self.projects else output
        is_gradle = self.manager == "gradle" and self.source is not None
        why = left_out(call.reading.context, self.source or "", self.goals) if is_gradle else None
        return Effect(where, made if why is None else (why,), needs=("network",))


class MavenCall(JavaCall):
    """A call of mvn or mvnw."""

    manager = "mvn"
    manifest_names = ("pom.xml",)
    named_by = ("-f", "--file")
    read = staticmethod(of_maven)
    cache = "~/.m2"
    output = "target"


class GradleCall(JavaCall):
    """A call of gradle or gradlew."""

    manager = "gradle"
    manifest_names = SCRIPTS
    named_by = ("-p", "--project-dir")
    read = staticmethod(of_gradle)
    cache = "~/.gradle"
    output = "build"


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
    if call.name not in {"javac", "kotlinc"}:
        return None
    folder = call.option("-d")
    # Beside a source lies more than the class of its name: `Main$1.class`, and what it refers to of that folder.
    classes = {posixpath.join(posixpath.dirname(word), "*.class"): None for word in call.operands
               if word.endswith((".java", ".kt"))}  # fmt: skip
    return Effect(call.paths("."), call.paths(*([folder] if folder is not None else classes)))


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start = own_start(reading)
    asked = None if start is None else java_call(start.call())
    if start is None or asked is None or asked.goals not in _INSTEAD:
        return None
    other = next((flag for flag in asked.package.flags if flag not in _IDLE), None)
    if other is not None:
        return start.refused(f"what {other} means for the program is not known", "start it with java -jar")
    build = f"{shlex.join((start.argv[0], *asked.package.flags))} {_INSTEAD[asked.goals]}"
    built = java_call(start.call(build))
    packed = {path: one.packer or "" for path, one in (() if built is None else built.packed())
              if one.folder == asked.source}  # fmt: skip
    jar = next((path for path, by in packed.items() if path.endswith(".jar") and re.search("(?i)spring.boot", by)), "*")
    if "*" in jar or any(is_within(jar, path) for path in packed if path != jar):
        return start.refused("how the jar is called that the build packs is not known", "name it in the build")
    return start.built(build, ("java", "-jar", jar), jar, idle={*_IDLE, "-x"})
