"""What the commands of Java and Kotlin read and write: mvn, gradle, their wrappers, javac, jar."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.java import gradle, maven
from refactor.flow.effects import Effect, Invocation
from refactor.flow.reading import join
from refactor.shell import PackageCall

_PACKS = frozenset({"package", "install", "verify", "deploy", "integration-test"})
_TASKS = frozenset(
    "build assemble jar war bootJar bootWar shadowJar buildFatJar installDist installShadowDist distTar distZip".split()
)
Packed = Iterator[tuple[str, maven.Module | gradle.Project]]
"""Paths from the folder of the build, each with the project that a task packs it of."""


class _Tool(NamedTuple):
    """A tool that builds whole projects."""

    scripts: tuple[str, ...]
    """Names of the files, one of which the root of a build has."""
    cache: str
    output: str
    """The folder of what it builds."""
    wrapper: tuple[str, ...]
    """Files that its wrapper reads."""
    kind: Callable[[PackageCall], str]
    """What a call does: "wrapper" (only fetches the tool), "clean", "run", "download" or "build"."""
    manifests: Callable[[BuildContext, str], tuple[str, ...]]
    packed: Callable[[BuildContext, PackageCall, str], Packed]


def effect(call: Invocation) -> Effect | None:
    """See :meth:`Language.effect`."""
    package = call.package
    if call.name in {"javac", "kotlinc"}:
        return _javac(call)
    if call.name == "jar":
        return Effect(call.paths("."), call.paths(call.option("-f", "--file") or next(iter(call.operands[1:]), ".")))
    return None if package is None or package.manager not in _TOOLS else _built(call, package)


def _built(call: Invocation, package: PackageCall) -> Effect | None:
    tool, folder = _TOOLS[package.manager], _folder(package)
    kind, where, root = tool.kind(package), call.path(folder), _root_of(call, package)
    cache, output = call.paths(tool.cache), call.paths(posixpath.join(folder, tool.output))
    if kind == "wrapper":
        return Effect(call.paths(*_there(call, tool.wrapper)), cache, needs=("network",))
    if kind in {"clean", "run"}:
        return Effect(removes=output) if kind == "clean" else None
    if isinstance(where, Unknown) or root is None:
        missing = Unknown(f"its {tool.scripts[-1]} is not copied from the build context")
        return (
            Effect((missing,), needs=("network",))
            if kind == "download"
            else Effect((where,), output, needs=("network",))
        )
    if kind == "download":
        paths = tool.manifests(call.reading.context, root)
        if package.manager == "mvn":
            paths = (*paths, *(posixpath.join(root, name) for name in _there(call, tool.wrapper)))
        return Effect(call.places(paths), cache, needs=("network",))
    fails = gradle.left_out(call.reading.context, root, package.operands) if package.manager == "gradle" else None
    if fails is not None:
        return Effect((where,), (fails,), needs=("network",))
    writes = (join(where, path) for path, _ in tool.packed(call.reading.context, package, root))
    return Effect((where,), tuple(dict.fromkeys(writes)), needs=("network",))


def built_by(call: Invocation, made: str) -> maven.Module | gradle.Project | None:
    """The project that the file which a build makes at an absolute path is packed of."""
    package = call.package
    where = None if package is None else call.path(_folder(package))
    root = None if package is None else _root_of(call, package)
    if package is None or root is None or not isinstance(where, str):
        return None
    for path, project in _TOOLS[package.manager].packed(call.reading.context, package, root):
        place = join(where, path)
        if made == place or made.startswith(place + "/") or posixpath.dirname(made) == posixpath.dirname(place):
            return project
    return None


def _folder(package: PackageCall) -> str:
    named = package.option(*(("-f", "--file") if package.manager == "mvn" else ("-p", "--project-dir"))) or "."
    return posixpath.dirname(named) or "." if named.endswith(".xml") else named


def _root_of(call: Invocation, package: PackageCall) -> str | None:
    """The context path of the folder that a call builds; None where that is not known."""
    found = (call.source(posixpath.join(_folder(package), name)) for name in _TOOLS[package.manager].scripts)
    return next((posixpath.dirname(path) for path in found if path is not None), None)


def _there(call: Invocation, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if call.source(name) is not None)


def _words(package: PackageCall) -> set[str]:
    return {word.literal for word in package.operands}


def _kind_of_maven(package: PackageCall) -> str:
    goals = _words(package)
    if package.action == "download" and not goals & _PACKS:
        return "download"
    if package.action in {"run", "", "--version"} and not goals:
        return "wrapper"
    is_run = package.action == "run" or any(goal.startswith(("spring-boot:run", "exec:")) for goal in goals)
    return "clean" if package.action == "clean" else "run" if is_run else "build"


def _packed_by_maven(context: BuildContext, package: PackageCall, root: str) -> Packed:
    goals = _words(package)
    for one in maven.modules(context, root):
        target = posixpath.join(posixpath.relpath(one.folder or ".", root or "."), "target")
        names = ["classes"]
        if goals & _PACKS and one.packaging != "pom":
            names += [one.jar, *one.beside]
            # Maven and its plugins write below target/ alone (maven.apache.org, "Standard Directory Layout").
            names += ["."] if one.parent and not one.parent.startswith("spring-boot") else []
        if "maven-dependency-plugin" in one.plugins or any(goal.startswith("dependency:copy") for goal in goals):
            folder = re.search(r"<outputDirectory>\s*\$\{project\.build\.directory\}/([\w./-]+)", one.text)
            names.append(folder[1] if folder else "dependency")
        yield from ((posixpath.join(target, name), one) for name in names)


def _kind_of_gradle(package: PackageCall) -> str:
    names = {task for _, task in gradle.tasks_of(package.operands)} - set(package.values("-x", "--exclude-task"))
    if not names or names <= {"wrapper", "--version", "help", "tasks"}:
        return "wrapper"
    is_run = package.action == "run" or names & {"run", "bootRun"}
    return (
        "clean" if names <= {"clean"} else "run" if is_run else "download" if package.action == "download" else "build"
    )


def _packed_by_gradle(context: BuildContext, package: PackageCall, root: str) -> Packed:
    found = gradle.projects(context, root)
    for path, task in gradle.tasks_of(package.operands):
        for one in found if not isinstance(found, Unknown) and task in _TASKS else ():
            relative = posixpath.relpath(one.folder or ".", root or ".")
            if path is None or relative == path.replace(":", "/"):
                made = one._replace(task=task)
                yield from ((posixpath.join(relative, "build", name), made) for name in one.outputs(task))


_TOOLS = {
    "mvn": _Tool(
        ("pom.xml",),
        "~/.m2",
        "target",
        ("mvnw", ".mvn/wrapper/maven-wrapper.properties", ".mvn/wrapper/maven-wrapper.jar", ".mvn/jvm.config",
         ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/settings.xml", "settings.xml"),
        _kind_of_maven,
        maven.poms,
        _packed_by_maven,
    ),
    "gradle": _Tool(
        gradle.SCRIPTS,
        "~/.gradle",
        "build",
        ("gradlew", "gradle/wrapper/gradle-wrapper.jar", "gradle/wrapper/gradle-wrapper.properties"),
        _kind_of_gradle,
        gradle.manifests,
        _packed_by_gradle,
    ),
}  # fmt: skip


def _javac(call: Invocation) -> Effect:
    sources = [word for word in call.operands if re.search(r"\.(?:java|kt)$", word)]
    folder = call.option("-d")
    classes = (f"{posixpath.splitext(word)[0]}.class" for word in sources)
    return Effect(call.paths("."), call.paths(*([folder] if folder is not None else classes)))


__all__ = ["built_by", "effect"]
