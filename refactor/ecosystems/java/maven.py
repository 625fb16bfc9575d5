"""pom.xml: the modules of a Maven project, what they are packed into, and which plugins do that.

Source: maven.apache.org, "POM Reference", "Standard Directory Layout" and "Introduction to the Build Lifecycle"; the
Maven plugins of Spring Boot, Quarkus and Micronaut, shade and assembly.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.xml import filled, read_xml, text_of
from refactor.ecosystems.java.project import Project

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_BESIDE = (
    "mvnw", ".mvn/wrapper/maven-wrapper.properties", ".mvn/wrapper/maven-wrapper.jar", ".mvn/jvm.config",
    ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/settings.xml", "settings.xml",
)  # fmt: skip
"""What a wrapper, or Maven itself, reads besides the poms."""
RELEASE = "maven.compiler.release"
_RELEASES = (RELEASE, "java.version", "maven.compiler.target", "jdk.version")
"""Properties that name the version of Java."""
_DEPTH = 8
_MAX_PROJECTS = 500
_REFERENCE = r"\$\{([^}]+)\}"
_RUN = frozenset({"compile", "runtime"})
"""Scopes of what a program needs when it runs."""
_PACKS = "package|install|verify|deploy|integration-test"
_FAT = r"(?:spring-boot|maven-shade|quarkus|onejar|micronaut)(?:-maven)?-plugin"
"""Plugins that pack a jar with all that it needs."""
_MORE = r"quarkus-maven-plugin|maven-(?:assembly|dependency)-plugin"
"""Plugins that put more than the jar into target."""
_NAMES = ("finalName", "outputFile", "shadedClassifierName", "classifier")
"""Settings of a plugin that names a file of its own."""


@remembered
def projects(context: BuildContext, folder: str) -> tuple[Project, ...]:
    """What a build of a folder builds, its own project first; () where no pom.xml can be read there."""
    found: dict[str, Project] = {}
    waiting = [folder]
    while waiting and len(found) < _MAX_PROJECTS:
        at = waiting.pop(0)
        chain = {} if at in found else dict(_chain(context, at))
        if chain:
            found[at] = _project(context, chain)
            modules = ((one.text or "").strip() for one in _all(chain[at], "modules/module"))
            waiting += (posixpath.normpath(posixpath.join(at, one.removesuffix("pom.xml"))) for one in modules)
    return tuple(found.values())


def _project(context: BuildContext, chain: Mapping[str, Element]) -> Project:
    """The first of some folders, with what it inherits from the poms of the others."""
    poms, paths = [*chain.values()], tuple(posixpath.join(one, "pom.xml") for one in chain)
    text, names = "\n".join(map(context.text, paths)), _names(poms)
    plugins = {text_of(one, "artifactId") or "" for pom in poms for one in _all(pom, "build/plugins/plugin")}
    is_assembled = "maven-assembly-plugin" in plugins and "jar-with-dependencies" in text
    libraries = {text_of(one, "artifactId") or "" for pom in poms for one in pom.iterfind("dependencies/dependency")
                 if (text_of(one, "scope") or "compile") in _RUN and text_of(one, "optional") != "true"}  # fmt: skip
    releases = ((name, names.get(name, "")) for name in _RELEASES)
    prefix = re.search(r"<classpathPrefix>([^<]*)<", text)
    has_lib = "maven-dependency-plugin" in plugins and "<addClasspath>true" in text
    packaging = text_of(poms[0], "packaging") or "jar"
    final = filled(_inherited(poms, "build/finalName") or "${artifactId}-${version}", names, _REFERENCE)
    made = [(".*", "target/classes"), ("dependency:copy.*", "target")]
    if packaging != "pom":
        made.append((_PACKS, f"target/{final}.{packaging if packaging in {'war', 'ear'} else 'jar'}"))
        # Maven and its plugins write below target/ alone; those of a parent in a repository are not seen.
        is_named = any(pom.find(f".//plugin//{name}") is not None for pom in poms for name in _NAMES)
        parent = text_of(poms[-1], "parent/artifactId") or "spring-boot"
        if is_named or any(re.fullmatch(_MORE, one) for one in plugins) or not parent.startswith("spring-boot"):
            made.append((_PACKS, "target"))
    folder = next(iter(chain))
    return Project(
        folder,
        (*paths, *context.there(posixpath.join(folder, name) for name in _BESIDE)),
        text,
        next((one for one in releases if re.fullmatch(r"(?:1\.)?\d+", one[1])), None),
        min(filter(re.compile(_FAT).fullmatch, plugins), default="maven-assembly-plugin" if is_assembled else None),
        f"{min(libraries)} and others" if libraries else "",
        tuple(made),
        ((prefix[1] if prefix else "").strip("/") or ".") if has_lib else None,
    )


def _names(poms: Sequence[Element]) -> dict[str, str]:
    """The properties of a project, and what Maven calls by a name besides."""
    found = {str(one.tag): (one.text or "").strip() for pom in reversed(poms) for one in pom.iterfind("properties/*")}
    artifact = text_of(poms[0], "artifactId") or "*"
    version = _inherited(poms, "version", "parent/version") or "*"
    found |= {"project.artifactId": artifact, "artifactId": artifact, "project.version": version, "version": version,
              "pom.version": version, "project.name": text_of(poms[0], "name") or artifact}  # fmt: skip
    return {key: filled(value, found, _REFERENCE) for key, value in found.items()}


def _inherited(poms: Sequence[Element], *paths: str) -> str | None:
    return next((found for pom in poms for path in paths if (found := text_of(pom, path))), None)


def _chain(context: BuildContext, folder: str) -> Iterator[tuple[str, Element]]:
    """The folder and those of its parents in the context, each with its pom."""
    at = folder
    for _ in range(_DEPTH):
        pom = read_xml(context, posixpath.join(at, "pom.xml"))
        if isinstance(pom, Unknown):
            return
        yield at, pom
        path = pom.find("parent/relativePath")
        written = ".." if path is None else (path.text or "").strip().removesuffix("pom.xml")
        at = posixpath.dirname(posixpath.normpath(posixpath.join(at, written, "pom.xml")))
        if pom.find("parent") is None or not written or at.startswith(".."):
            return


def _all(pom: Element, path: str) -> Iterator[Element]:
    """The elements at a path of a pom, and of its profiles."""
    yield from pom.iterfind(path)
    yield from pom.iterfind(f"profiles/profile/{path}")
