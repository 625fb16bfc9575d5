"""What the commands of Java and Kotlin read and write: mvn, gradle, their wrappers, javac, jar."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor.context import Unknown
from refactor.ecosystems.java import gradle, maven
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import join
from refactor.shell import PackageCall

_PACKS = frozenset({"package", "install", "verify", "deploy", "integration-test"})
_TASKS = "build assemble jar war bootJar bootWar shadowJar buildFatJar installDist installShadowDist distTar distZip"


class Built(NamedTuple):
    """The module or project that packs a file."""

    folder: str
    """Its context path."""
    module: maven.Module | None
    project: gradle.Project | None
    task: str = ""
    """Gradle's task, or Maven's goals."""


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    package = call.package
    if call.name in {"javac", "kotlinc"}:
        return _javac(call)
    if call.name == "jar":
        return Effect(call.paths("."), call.paths(call.option("-f", "--file") or next(iter(call.operands[1:]), ".")))
    if package is None:
        return None
    if package.manager == "mvn":
        return _maven(call, package)
    if package.manager == "gradle":
        return _gradle(call, package)
    return None


def root_of(call: Invocation, package: PackageCall) -> str | None:
    """The context path of the folder that a call builds; None where that is not known."""
    place = call.path(_folder(package))
    if isinstance(place, Unknown):
        return None
    names = ("pom.xml",) if package.manager == "mvn" else (
        "settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts"
    )  # fmt: skip
    for name in names:
        found = call.reading.in_context(join(place, name), call.step.node)
        if found is not None:
            return posixpath.dirname(found)
    return None


def _folder(package: PackageCall) -> str:
    if package.manager == "mvn":
        file = package.option("-f", "--file") or "."
        return posixpath.dirname(file) or "." if file.endswith(".xml") else file
    return package.option("-p", "--project-dir") or "."


def _maven(call: Invocation, package: PackageCall) -> Effect | None:
    goals = [word.literal for word in package.operands]
    where = call.path(_folder(package))
    root = root_of(call, package)
    context = call.reading.context
    if package.action == "download" and not set(goals) & _PACKS:
        if isinstance(where, Unknown) or root is None:
            return Effect((Unknown("its pom.xml is not copied from the build context"),), needs=("network",))
        paths = [*maven.poms(context, root), *(posixpath.join(root, name) for name in _wrapper(call, "mvn"))]
        reads = [call.reading.in_image(path, call.step.node)[-1:] for path in paths]
        return Effect(tuple(path for one in reads for path in one), call.paths("~/.m2"), needs=("network",))
    if package.action in {"run", "", "--version"} and not goals:
        return Effect(call.paths(*_wrapper(call, "mvn")), call.paths("~/.m2"), needs=("network",))
    if package.action == "clean":
        return Effect(removes=call.paths(posixpath.join(_folder(package), "target")))
    if package.action == "run" or any(goal.startswith(("spring-boot:run", "exec:")) for goal in goals):
        return None
    if isinstance(where, Unknown) or root is None:
        return Effect((where,), call.paths(posixpath.join(_folder(package), "target")), needs=("network",))
    writes = [join(where, path) for path in _packed(call, package, root)]
    return Effect((where,), tuple(writes), needs=("network",))


def _packed(call: Invocation, package: PackageCall, root: str) -> Iterator[str]:
    """Paths from the root's folder that a Maven build writes."""
    goals = {word.literal for word in package.operands}
    for one in maven.modules(call.reading.context, root):
        target = posixpath.join(posixpath.relpath(one.folder or ".", root or "."), "target")
        yield posixpath.join(target, "classes")
        if goals & _PACKS and one.packaging != "pom":
            yield posixpath.join(target, one.jar)
            yield from (posixpath.join(target, name) for name in _beside(one))
        if "maven-dependency-plugin" in one.plugins or any(goal.startswith("dependency:copy") for goal in goals):
            folder = re.search(r"<outputDirectory>\s*\$\{project\.build\.directory\}/([\w./-]+)", one.text)
            yield posixpath.join(target, folder[1] if folder else "dependency")


def _beside(module: maven.Module) -> Iterator[str]:
    """What else a module's plugins pack into target/."""
    stem = module.jar.rpartition(".")[0]
    if "quarkus-maven-plugin" in module.plugins:
        yield "quarkus-app"
        yield f"{stem}-runner.jar"
    if "maven-assembly-plugin" in module.plugins:
        plain = re.search(r"<appendAssemblyId>\s*false", module.text)
        if not plain:
            yield f"{stem}-jar-with-dependencies.jar"
    named = re.search(r"<artifactId>maven-(?:shade|assembly)-plugin</artifactId>.*?<finalName>([^<]+)<", module.text,
                      re.DOTALL)  # fmt: skip
    if named is not None:
        yield f"{re.sub(r'[$][{]([^}]+)[}]', lambda found: module.properties.get(found[1], '*'), named[1])}*.jar"
    for file in re.findall(r"<outputFile>\s*\$\{project\.build\.directory\}/([^<\s]+)", module.text):
        yield re.sub(r"\$\{([^}]+)\}", lambda found: module.properties.get(found[1], "*"), file)
    for classifier in re.findall(r"<(?:shadedClassifierName|classifier)>([\w-]+)<", module.text):
        yield f"{stem}-{classifier}.jar"


def _wrapper(call: Invocation, tool: str) -> tuple[str, ...]:
    names = {
        "mvn": ("mvnw", ".mvn/wrapper/maven-wrapper.properties", ".mvn/wrapper/maven-wrapper.jar", ".mvn/jvm.config",
                ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/settings.xml", "settings.xml"),
        "gradle": ("gradlew", "gradle/wrapper/gradle-wrapper.jar", "gradle/wrapper/gradle-wrapper.properties"),
    }  # fmt: skip
    folder = call.path(".")
    return tuple(
        name
        for name in names[tool]
        if isinstance(folder, str) and call.reading.in_context(join(folder, name), call.step.node) is not None
    )


def _gradle(call: Invocation, package: PackageCall) -> Effect | None:
    where = call.path(_folder(package))
    root = root_of(call, package)
    tasks = list(gradle.tasks_of(word.literal for word in package.operands))
    left_out = set(package.values("-x", "--exclude-task"))
    names = {task for _, task in tasks} - left_out
    if not names or names <= {"wrapper", "--version", "help", "tasks"}:
        return Effect(call.paths(*_wrapper(call, "gradle")), call.paths("~/.gradle"), needs=("network",))
    if names <= {"clean"}:
        return Effect(removes=call.paths(posixpath.join(_folder(package), "build")))
    if package.action == "run" or names & {"run", "bootRun"}:
        return None
    if package.action == "download":
        if isinstance(where, Unknown) or root is None:
            return Effect((Unknown("its build script is not copied from the build context"),), needs=("network",))
        paths = gradle.manifests(call.reading.context, root)
        reads = [call.reading.in_image(path, call.step.node)[-1:] for path in paths]
        return Effect(tuple(path for one in reads for path in one), call.paths("~/.gradle"), needs=("network",))
    if isinstance(where, Unknown) or root is None:
        return Effect((where,), call.paths(posixpath.join(_folder(package), "build")), needs=("network",))
    writes = [join(where, path) for path, _ in packed_by_gradle(call, package, root)]
    return Effect((where,), tuple(dict.fromkeys(writes)), needs=("network",))


def packed_by_gradle(call: Invocation, package: PackageCall, root: str) -> Iterator[tuple[str, Built]]:
    """Paths from the root's folder that a build by Gradle writes, with the project that does."""
    found = gradle.projects(call.reading.context, root)
    for path, task in gradle.tasks_of(word.literal for word in package.operands):
        if task not in _TASKS.split():
            continue
        for one in found if not isinstance(found, Unknown) else ():
            relative = posixpath.relpath(one.folder or ".", root or ".")
            if path is not None and relative != path.replace(":", "/"):
                continue
            made = Built(one.folder, None, one, task)
            folder = posixpath.join(relative, "build")
            if task in {"installDist", "installShadowDist"}:
                suffix = "-shadow" if task == "installShadowDist" else ""
                yield posixpath.join(folder, "install", gradle.install_name(one) + suffix), made
                continue
            for name in one.jars(task):
                yield posixpath.join(folder, "libs", name), made
            if task in {"build", "assemble", "distTar", "distZip"} and "application" in one.text:
                yield posixpath.join(folder, "distributions"), made


def built_by(call: Invocation, made: str) -> Built | None:
    """What packs the file that a build makes at an absolute path."""
    package = call.package
    where = None if package is None else call.path(_folder(package))
    root = None if package is None else root_of(call, package)
    if package is None or root is None or not isinstance(where, str):
        return None
    if package.manager == "mvn":
        goals = " ".join(word.literal for word in package.operands)
        for one in maven.modules(call.reading.context, root):
            folder = join(where, posixpath.relpath(one.folder or ".", root or "."))
            if made.startswith(f"{folder}/target/"):
                return Built(one.folder, one, None, goals)
        return None
    for path, project in packed_by_gradle(call, package, root):
        place = join(where, path)
        if made == place or made.startswith(place + "/") or posixpath.dirname(made) == posixpath.dirname(place):
            return project
    return None


def _javac(call: Invocation) -> Effect:
    sources = [word for word in call.operands if re.search(r"\.(?:java|kt)$", word)]
    folder = call.option("-d")
    if folder is not None:
        return Effect(call.paths("."), call.paths(folder))
    classes = (f"{posixpath.splitext(word)[0]}.class" for word in sources)
    return Effect(call.paths("."), call.paths(*classes))


__all__ = ["Built", "built_by", "effect", "root_of"]
