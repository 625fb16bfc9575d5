"""pom.xml: the modules of a Maven project, what they are packed into, and which plugins do that.

Source: maven.apache.org, "POM Reference" and "Introduction to the Build Lifecycle"; the Maven plugins of Spring Boot,
Quarkus and Micronaut, shade and assembly.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.xml import filled, read_xml, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

WRAPPER = (
    "mvnw", ".mvn/wrapper/maven-wrapper.properties", ".mvn/wrapper/maven-wrapper.jar", ".mvn/jvm.config",
    ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/settings.xml", "settings.xml",
)  # fmt: skip
"""What a wrapper, or Maven itself, reads besides the poms."""
RELEASES = ("maven.compiler.release", "java.version", "maven.compiler.target")
"""Properties that name the version of Java."""
_DEPTH = 8
_REFERENCE = r"\$\{([^}]+)\}"
_TARGET = r"\$\{project\.build\.directory\}/"
_FINAL_NAME = r"<artifactId>maven-(?:shade|assembly)-plugin</artifactId>.*?<finalName>([^<]+)<"
_PACKS = frozenset({"package", "install", "verify", "deploy", "integration-test"})
_FAT = frozenset(
    """spring-boot-maven-plugin maven-shade-plugin quarkus-maven-plugin onejar-maven-plugin
    micronaut-maven-plugin""".split()
)
"""Plugins that pack a jar with all that it needs."""


class MavenProject(NamedTuple):
    """One pom.xml."""

    folder: str
    """Its context path; "" for the context itself."""
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
    def path(self) -> str:
        return posixpath.join(self.folder, "pom.xml")

    @property
    def release(self) -> str | None:
        """The version of Java that it is compiled for."""
        values = (self.properties.get(name, "") for name in (*RELEASES, "jdk.version"))
        return next((value for value in values if re.fullmatch(r"(?:1\.)?\d+", value)), None)

    @property
    def packer(self) -> str | None:
        """What puts all that the program needs into its jar; None where nothing is seen to."""
        is_assembled = "maven-assembly-plugin" in self.plugins and "jar-with-dependencies" in self.text
        return min(_FAT & self.plugins, default="maven-assembly-plugin" if is_assembled else None)

    @property
    def lib(self) -> str | None:
        """The folder beside its jar that has the libraries which the jar's manifest names; None where there is none."""
        if "maven-dependency-plugin" not in self.plugins or "<addClasspath>true" not in self.text:
            return None
        prefix = re.search(r"<classpathPrefix>([^<]*)<", self.text)
        return (prefix[1] if prefix else "lib").strip("/") or "."

    @property
    def needed(self) -> str:
        """What it needs at run time, in words; "" for nothing."""
        return f"{min(self.libraries)} and others" if self.libraries else ""

    def outputs(self, goals: Collection[str]) -> Iterator[str]:
        """What a build by some goals makes, below its folder."""
        yield "target/classes"
        if not _PACKS.isdisjoint(goals) and self.packaging != "pom":
            yield from (f"target/{name}" for name in (self.jar, *self._beside()))
            if self.parent and not self.parent.startswith("spring-boot"):
                # Maven and its plugins write below target/ alone (maven.apache.org, "Standard Directory Layout").
                yield "target"
        if "maven-dependency-plugin" in self.plugins or any(goal.startswith("dependency:copy") for goal in goals):
            folder = re.search(rf"<outputDirectory>\s*{_TARGET}([\w./-]+)", self.text)
            yield f"target/{folder[1] if folder else 'dependency'}"

    def _beside(self) -> Iterator[str]:
        """What its plugins pack into target/ besides."""
        stem = self.jar.rpartition(".")[0]
        if "quarkus-maven-plugin" in self.plugins:
            yield from ("quarkus-app", f"{stem}-runner.jar")
        if "maven-assembly-plugin" in self.plugins and not re.search(r"<appendAssemblyId>\s*false", self.text):
            yield f"{stem}-jar-with-dependencies.jar"
        named = re.search(_FINAL_NAME, self.text, re.DOTALL)
        if named is not None:
            yield f"{filled(named[1], self.properties, _REFERENCE)}*.jar"
        for file in re.findall(rf"<outputFile>\s*{_TARGET}([^<\s]+)", self.text):
            yield filled(file, self.properties, _REFERENCE)
        for classifier in re.findall(r"<(?:shadedClassifierName|classifier)>([\w-]+)<", self.text):
            yield f"{stem}-{classifier}.jar"


@remembered
def maven_project(context: BuildContext, folder: str) -> MavenProject | Unknown:
    """The pom.xml of a folder, with what it inherits from poms of the context."""
    chain = dict(_chain(context, folder))
    if not chain:
        return Unknown(f"{posixpath.join(folder, 'pom.xml')} is not in the build context, or cannot be read")
    own = chain[folder]
    properties: dict[str, str] = {}
    for pom in reversed(chain.values()):
        properties.update({str(one.tag): (one.text or "").strip() for one in pom.iterfind("properties/*")})

    def inherited(*paths: str) -> str | None:
        return next((found for pom in chain.values() for path in paths if (found := text_of(pom, path))), None)

    artifact, packaging = text_of(own, "artifactId") or "*", text_of(own, "packaging") or "jar"
    version = inherited("version", "parent/version") or "*"
    names = {**properties, "project.artifactId": artifact, "artifactId": artifact, "project.version": version,
             "version": version, "pom.version": version, "project.name": text_of(own, "name") or artifact}  # fmt: skip
    names = {key: filled(value, names, _REFERENCE) for key, value in names.items()}
    final = filled(inherited("build/finalName") or "${artifactId}-${version}", names, _REFERENCE)
    submodules = (*own.iterfind("modules/module"), *own.iterfind("profiles/profile/modules/module"))
    return MavenProject(
        folder,
        packaging,
        f"{final}.{packaging if packaging in {'war', 'ear'} else 'jar'}",
        frozenset(name for pom in chain.values() for name in _plugins(pom)),
        frozenset(name for pom in chain.values() for name in _libraries(pom)),
        names,
        tuple(posixpath.normpath(posixpath.join(folder, (one.text or "").strip())) for one in submodules),
        "\n".join(filter(None, (context.text(posixpath.join(one, "pom.xml")) for one in chain))),
        text_of([*chain.values()][-1], "parent/artifactId") or "",
    )


def projects(context: BuildContext, folder: str, depth: int = 0) -> Iterator[MavenProject]:
    """A module and all that it builds."""
    own = maven_project(context, folder)
    if isinstance(own, Unknown):
        return
    yield own
    for path in own.submodules if depth < _DEPTH else ():
        yield from projects(context, path.removesuffix("/pom.xml"), depth + 1)


def manifests(context: BuildContext, folder: str) -> tuple[str, ...]:
    """Context paths of what decides on the dependencies of a build: the poms of its modules and of their parents."""
    folders = (*(one.folder for one in projects(context, folder)), *dict(_chain(context, folder)))
    beside = (path for name in WRAPPER if context.exists(path := posixpath.join(folder, name)) is True)
    return tuple(dict.fromkeys((*(posixpath.join(one, "pom.xml") for one in folders), *beside)))


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
    for path in ("build/plugins/plugin", "profiles/profile/build/plugins/plugin"):
        yield from filter(None, (text_of(plugin, "artifactId") for plugin in pom.iterfind(path)))


def _libraries(pom: Element) -> Iterator[str]:
    for dependency in pom.iterfind("dependencies/dependency"):
        name = text_of(dependency, "artifactId")
        is_run = (text_of(dependency, "scope") or "compile") in {"compile", "runtime"}
        if name is not None and is_run and text_of(dependency, "optional") != "true":
            yield name
