"""pom.xml: the modules of a Maven project, what they are packed into, and which plugins do that.

Source: maven.apache.org, "POM Reference" and "Introduction to the Build Lifecycle"; the Maven plugins of Spring Boot,
Quarkus and Micronaut, shade and assembly.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.xml import filled, read_xml, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DEPTH = 8
_REFERENCE = r"\$\{([^}]+)\}"
_FINAL_NAME = r"<artifactId>maven-(?:shade|assembly)-plugin</artifactId>.*?<finalName>([^<]+)<"
RELEASES = ("maven.compiler.release", "java.version", "maven.compiler.target")
"""Properties that name the version of Java."""


class Module(NamedTuple):
    """One pom.xml."""

    folder: str
    """Its context path; "" for the context itself."""
    artifact: str
    packaging: str
    jar: str
    """Name of the file that it is packed into, wildcards for what the pom does not spell out."""
    plugins: frozenset[str]
    """Artifact ids of the plugins that run, the parents' in the context among them."""
    libraries: frozenset[str]
    """Artifact ids of what it needs at run time (scopes compile and runtime)."""
    properties: Mapping[str, str]
    submodules: tuple[str, ...] = ()
    """Context paths of the folders that it builds as well."""
    text: str = ""
    """The pom as text, the parents' behind it."""
    parent: str = ""
    """Artifact id of the parent that comes from a repository: what its plugins do is not seen."""

    @property
    def release(self) -> str | None:
        """The version of Java that it is compiled for."""
        values = (self.properties.get(name, "") for name in (*RELEASES, "jdk.version"))
        return next((value for value in values if re.fullmatch(r"(?:1\.)?\d+", value)), None)

    @property
    def beside(self) -> Iterator[str]:
        """What its plugins pack into target/ besides."""
        stem = self.jar.rpartition(".")[0]
        if "quarkus-maven-plugin" in self.plugins:
            yield from ("quarkus-app", f"{stem}-runner.jar")
        if "maven-assembly-plugin" in self.plugins and not re.search(r"<appendAssemblyId>\s*false", self.text):
            yield f"{stem}-jar-with-dependencies.jar"
        named = re.search(_FINAL_NAME, self.text, re.DOTALL)
        if named is not None:
            yield f"{self._spelled(named[1])}*.jar"
        for file in re.findall(r"<outputFile>\s*\$\{project\.build\.directory\}/([^<\s]+)", self.text):
            yield self._spelled(file)
        for classifier in re.findall(r"<(?:shadedClassifierName|classifier)>([\w-]+)<", self.text):
            yield f"{stem}-{classifier}.jar"

    def _spelled(self, text: str) -> str:
        return filled(text, self.properties, _REFERENCE)


@remembered
def module(context: BuildContext, folder: str) -> Module | Unknown:
    """The pom.xml of a folder, with what it inherits from poms of the context."""
    chain = dict(_chain(context, folder))
    if not chain:
        return Unknown(f"{posixpath.join(folder, 'pom.xml')} is not in the build context, or cannot be read")
    own = chain[folder]
    properties: dict[str, str] = {}
    for pom in reversed(chain.values()):
        properties.update({str(one.tag): (one.text or "").strip() for one in pom.iterfind("properties/*")})
    artifact, packaging = text_of(own, "artifactId") or "*", text_of(own, "packaging") or "jar"

    def inherited(*paths: str) -> str | None:
        return next((found for pom in chain.values() for path in paths if (found := text_of(pom, path))), None)

    version = inherited("version", "parent/version") or "*"
    names = {**properties, "project.artifactId": artifact, "artifactId": artifact, "project.version": version,
             "version": version, "pom.version": version, "project.name": text_of(own, "name") or artifact}  # fmt: skip
    names = {key: filled(value, names, _REFERENCE) for key, value in names.items()}
    final = filled(inherited("build/finalName") or "${artifactId}-${version}", names, _REFERENCE)
    submodules = (*own.iterfind("modules/module"), *own.iterfind("profiles/profile/modules/module"))
    return Module(
        folder,
        artifact,
        packaging,
        f"{final}.{packaging if packaging in {'war', 'ear'} else 'jar'}",
        frozenset(name for pom in chain.values() for name in _plugins(pom)),
        frozenset(name for pom in chain.values() for name in _libraries(pom)),
        names,
        tuple(posixpath.normpath(posixpath.join(folder, (one.text or "").strip())) for one in submodules),
        "\n".join(filter(None, (context.text(posixpath.join(one, "pom.xml")) for one in chain))),
        text_of([*chain.values()][-1], "parent/artifactId") or "",
    )


def modules(context: BuildContext, folder: str, depth: int = 0) -> Iterator[Module]:
    """A module and all that it builds."""
    own = module(context, folder)
    if isinstance(own, Unknown):
        return
    yield own
    for path in own.submodules if depth < _DEPTH else ():
        yield from modules(context, path.removesuffix("/pom.xml"), depth + 1)


def poms(context: BuildContext, folder: str) -> tuple[str, ...]:
    """Context paths of the poms that a build from a folder reads: its modules' and its parents'."""
    folders = (*(one.folder for one in modules(context, folder)), *dict(_chain(context, folder)))
    return tuple(dict.fromkeys(posixpath.join(one, "pom.xml") for one in folders))


def _chain(context: BuildContext, folder: str) -> Iterator[tuple[str, Element]]:
    """The folder and those of its parents in the context, each with its pom."""
    at = folder
    for _ in range(_DEPTH):
        pom = read_xml(context, posixpath.join(at, "pom.xml"))
        if isinstance(pom, Unknown):
            return
        yield at, pom
        parent = pom.find("parent")
        path = None if parent is None else parent.find("relativePath")
        written = "../pom.xml" if path is None else (path.text or "").strip()
        place = posixpath.normpath(posixpath.join(at, written))
        at = posixpath.dirname(place) if place.endswith(".xml") else place
        if parent is None or not written or at.startswith(".."):
            return


def _plugins(pom: Element) -> Iterator[str]:
    if text_of(pom, "parent/artifactId") == "spring-boot-starter-parent":
        yield "spring-boot-starter-parent"
    for path in ("build/plugins/plugin", "profiles/profile/build/plugins/plugin"):
        for plugin in pom.findall(path):
            name = text_of(plugin, "artifactId")
            if name is not None:
                yield name


def _libraries(pom: Element) -> Iterator[str]:
    for dependency in pom.findall("dependencies/dependency"):
        scope = text_of(dependency, "scope") or "compile"
        name = text_of(dependency, "artifactId")
        if name is not None and scope in {"compile", "runtime"} and text_of(dependency, "optional") != "true":
            yield name


__all__ = ["RELEASES", "Module", "module", "modules", "poms"]
