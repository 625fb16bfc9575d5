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
from refactor.context.xml import read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DEPTH = 8
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
        return re.sub(r"\$\{([^}]+)\}", lambda found: self.properties.get(found[1], "*"), text)


@remembered
def module(context: BuildContext, folder: str) -> Module | Unknown:
    """The pom.xml of a folder, with what it inherits from poms of the context."""
    chain = _chain(context, folder)
    if isinstance(chain, Unknown):
        return chain
    own = chain[0]
    properties: dict[str, str] = {}
    for pom in reversed(chain):
        properties.update(_properties(pom))
    artifact = _text(own, "artifactId") or "*"
    version = next((found for pom in chain for found in (_text(pom, "version"), _text(pom, "parent/version")) if found),
                   "*")  # fmt: skip
    names = {**properties, "project.artifactId": artifact, "artifactId": artifact, "project.version": version,
             "version": version, "pom.version": version, "project.name": _text(own, "name") or artifact}  # fmt: skip
    names = {key: _filled(value, names) for key, value in names.items()}
    final = next((found for pom in chain if (found := _text(pom, "build/finalName"))), "${artifactId}-${version}")
    packaging = _text(own, "packaging") or "jar"
    ending = packaging if packaging in {"war", "ear"} else "jar"
    submodules = tuple(
        posixpath.normpath(posixpath.join(folder, _words(one)))
        for one in [*own.findall("modules/module"), *own.findall("profiles/profile/modules/module")]
    )
    return Module(
        folder,
        artifact,
        packaging,
        f"{_filled(final, names)}.{ending}",
        frozenset(name for pom in chain for name in _plugins(pom)),
        frozenset(name for pom in chain for name in _libraries(pom)),
        names,
        submodules,
        "\n".join(filter(None, (_source(context, one) for one in _folders(context, folder)))),
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
    found = [posixpath.join(one.folder, "pom.xml") for one in modules(context, folder)]
    return tuple(dict.fromkeys([*found, *(posixpath.join(one, "pom.xml") for one in _folders(context, folder))]))


def _folders(context: BuildContext, folder: str) -> Iterator[str]:
    """The folder and those of its parents in the context."""
    at = folder
    for _ in range(_DEPTH):
        pom = read_xml(context, posixpath.join(at, "pom.xml"))
        if isinstance(pom, Unknown):
            return
        yield at
        parent = pom.find("parent")
        if parent is None:
            return
        path = parent.find("relativePath")
        written = "../pom.xml" if path is None else _words(path)
        if not written:
            return
        place = posixpath.normpath(posixpath.join(at, written))
        at = posixpath.dirname(place) if place.endswith(".xml") else place
        if at.startswith(".."):
            return


def _chain(context: BuildContext, folder: str) -> list[Element] | Unknown:
    found: list[Element] = []
    for at in _folders(context, folder):
        pom = read_xml(context, posixpath.join(at, "pom.xml"))
        if not isinstance(pom, Unknown):
            found.append(pom)
    return found or Unknown(f"{posixpath.join(folder, 'pom.xml')} is not in the build context, or cannot be read")


def _source(context: BuildContext, folder: str) -> str:
    found = context.read(posixpath.join(folder, "pom.xml"))
    return found if isinstance(found, str) else ""


def _words(element: Element) -> str:
    return (element.text or "").strip()


def _text(pom: Element, path: str) -> str | None:
    found = pom.find(path)
    return None if found is None else _words(found) or None


def _properties(pom: Element) -> dict[str, str]:
    section = pom.find("properties")
    return {} if section is None else {str(one.tag): _words(one) for one in section}


def _filled(text: str, names: Mapping[str, str]) -> str:
    for _ in range(4):
        text = re.sub(r"\$\{([^}]+)\}", lambda found: names.get(found[1], "*"), text)
    return re.sub(r"\*+", "*", text)


def _plugins(pom: Element) -> Iterator[str]:
    if _text(pom, "parent/artifactId") == "spring-boot-starter-parent":
        yield "spring-boot-starter-parent"
    for path in ("build/plugins/plugin", "profiles/profile/build/plugins/plugin"):
        for plugin in pom.findall(path):
            name = _text(plugin, "artifactId")
            if name is not None:
                yield name


def _libraries(pom: Element) -> Iterator[str]:
    for dependency in pom.findall("dependencies/dependency"):
        scope = _text(dependency, "scope") or "compile"
        name = _text(dependency, "artifactId")
        if name is not None and scope in {"compile", "runtime"} and _text(dependency, "optional") != "true":
            yield name


__all__ = ["RELEASES", "Module", "module", "modules", "poms"]
