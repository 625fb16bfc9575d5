"""The projects that Maven and Gradle build: their modules, what they are packed into, and which plugins do that.

A pom.xml is read with its parents; a Gradle script is a program, of which what it spells out is read as text, and all
else is left open (a pattern, or not known). Source: maven.apache.org, "POM Reference", "Standard Directory Layout" and
"Introduction to the Build Lifecycle"; docs.gradle.org, "The Java Plugin", "The Application Plugin"; the plugins of
Spring Boot, Quarkus, Micronaut, shade and assembly, Shadow and Ktor.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.xml import filled, read_xml, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class Project(NamedTuple):
    """A folder with a pom.xml or a build script."""

    folder: str
    """Its context path; "" for the context itself."""
    manifests: tuple[str, ...]
    """Context paths of its own pom or script, then of the parents' in the context, and of what the tool, or its
    wrapper, reads beside it."""
    text: str
    """What the poms or scripts say."""
    release: tuple[str, str] | None
    """What names the version of Java that it is compiled for, and that version; None where nothing does."""
    packer: str | None
    """What puts all that the program needs into its jar; None where nothing is seen to."""
    needed: str
    """What it needs at run time, in words; "" for nothing."""
    made: tuple[tuple[str, str], ...]
    """Pattern of goals or tasks, and what one of them makes, below its folder; wildcards for what is not spelled
    out."""
    lib: str | None = None
    """The folder beside its jar that has the libraries which the jar's manifest names; None where there is none."""


_BESIDE_POMS = (
    "mvnw", ".mvn/wrapper/maven-wrapper.properties", ".mvn/wrapper/maven-wrapper.jar", ".mvn/jvm.config",
    ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/settings.xml", "settings.xml",
)  # fmt: skip
"""What a wrapper, or Maven itself, reads besides the poms."""
RELEASE = "maven.compiler.release"
_RELEASES = (RELEASE, "java.version", "maven.compiler.target", "jdk.version")
"""Properties that name the version of Java."""
_DEPTH = 8
_MAX_PROJECTS = 500
_PROPERTY = r"\$\{([^}]+)\}"
_PACKS = "package|install|verify|deploy|integration-test"
_PACKING = r"(?:spring-boot|maven-shade|quarkus|onejar|micronaut)(?:-maven)?-plugin"
"""Plugins that pack a jar with all that it needs."""
_MORE = r"quarkus-maven-plugin|maven-(?:assembly|dependency)-plugin"
"""Plugins that put more than the jar into target."""
_NAMES = ("finalName", "outputFile", "shadedClassifierName", "classifier")
"""Settings of a plugin that names a file of its own."""


@remembered
def of_maven(context: BuildContext, folder: str) -> tuple[Project, ...]:
    """What a build of a folder builds, its own project first; () where no pom.xml can be read there."""
    found: dict[str, Project] = {}
    waiting = [folder]
    while waiting and len(found) < _MAX_PROJECTS:
        at = waiting.pop(0)
        chain = {} if at in found else dict(_chain(context, at))
        if chain:
            found[at] = _by_poms(context, chain)
            modules = ((one.text or "").strip() for one in _all(chain[at], "modules/module"))
            waiting += (posixpath.normpath(posixpath.join(at, one.removesuffix("pom.xml"))) for one in modules)
    return tuple(found.values())


def _by_poms(context: BuildContext, chain: Mapping[str, Element]) -> Project:
    """The first of some folders, with what it inherits from the poms of the others."""
    poms, paths = [*chain.values()], tuple(posixpath.join(one, "pom.xml") for one in chain)
    text, names = "\n".join(map(context.text, paths)), _names(poms)
    plugins = {text_of(one, "artifactId") or "" for pom in poms for one in _all(pom, "build/plugins/plugin")}
    is_assembled = "maven-assembly-plugin" in plugins and "jar-with-dependencies" in text
    libraries = {text_of(one, "artifactId") or "" for pom in poms for one in pom.iterfind("dependencies/dependency")
                 if text_of(one, "scope") in {None, "compile", "runtime"}
                 and text_of(one, "optional") != "true"}  # fmt: skip
    releases = ((name, names.get(name, "")) for name in _RELEASES)
    prefix = re.search(r"<classpathPrefix>([^<]*)<", text)
    has_lib = "maven-dependency-plugin" in plugins and "<addClasspath>true" in text
    packaging = text_of(poms[0], "packaging") or "jar"
    final = filled(_inherited(poms, "build/finalName") or "${artifactId}-${version}", names, _PROPERTY)
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
        (*paths, *context.there(posixpath.join(folder, name) for name in _BESIDE_POMS)),
        text,
        next((one for one in releases if re.fullmatch(r"(?:1\.)?\d+", one[1])), None),
        min(filter(re.compile(_PACKING).fullmatch, plugins), default="maven-assembly-plugin" if is_assembled else None),
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
    return {key: filled(value, found, _PROPERTY) for key, value in found.items()}


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


_SETTINGS = ("settings.gradle", "settings.gradle.kts")
_SCRIPTS = ("build.gradle", "build.gradle.kts")
SCRIPTS = (*_SETTINGS, *reversed(_SCRIPTS))
"""One of them is in the folder that a build starts from."""
_BESIDE_SCRIPTS = (
    *_SETTINGS, "gradle.properties", "gradlew", "gradle/wrapper/gradle-wrapper.jar",
    "gradle/wrapper/gradle-wrapper.properties", "gradle/libs.versions.toml", "gradle/verification-metadata.xml",
)  # fmt: skip
"""What Gradle, or its wrapper, reads besides the scripts."""
TOOLCHAIN = r"JavaLanguageVersion\.of\(\s*[\"']?(\d+)[\"']?\s*\)|\bjvmToolchain\(\s*(\d+)\s*\)"
_RELEASE = rf"{TOOLCHAIN}|(?:target|source)Compatibility\s*=?\s*(?:JavaVersion\.VERSION_)?['\"]?((?:1[._])?\d+)"
_REFERENCE = r"\$\{[^}]*\}|\$\w+"
_BOOT = r"org\.springframework\.boot"
_SHADOW = r"com\.github\.johnrengelman\.shadow|com\.gradleup\.shadow|(?<=[\"' (])shadow(?=[\"')])|\bshadowJar\b"
_FAT = r"zipTree|runtimeClasspath\s*\.\s*(?:get\(\)\.)?(?:map|collect|filter)|configurations\.compile\s*\.\s*collect"
_PACKERS = {
    "Spring Boot": _BOOT,
    "Shadow": _SHADOW,
    "a script of its own": _FAT,
    "Ktor": r"io\.ktor\.plugin|\bplugins\.ktor\b|\bktor\s*\{",
}
_PLAIN = r"jar\s*\{[^}]*enabled\s*=?\s*false|named\(.jar.\)[^}]*enabled"
"""Spring Boot's plugin is told to leave the jar without the libraries out."""
_CLEARED = r"archiveClassifier\S*\s*[=(]\s*(?:\(?\s*)?(?:null|['\"]['\"])"
_INCLUDES = r"includeBuild|includeFlat|\bfor\b|\w*[eE]ach\b|\bapply\b|\$"
"""Settings may include projects in other ways than by their names."""


@remembered
def of_gradle(context: BuildContext, root: str) -> tuple[Project, ...]:
    """The projects of the build whose root is a folder of the context, the root's own first."""
    text = _read(context, _first(context, root, _SETTINGS))
    found = [*_by_script(context, root, "", _setting(text, "rootProject.name", "rootProject.setName") or "*", "")]
    shared = "".join(re.findall(r"(?s)\b(?:allprojects|subprojects)\s*\{.*", found[0].text)) if found else ""
    for path in _included(text):
        found += _by_script(context, root, path, path.rpartition(":")[2], shared)
    return tuple(found)


def _included(settings: str) -> list[str]:
    """The paths of the projects that settings include: ``apps:web``."""
    calls = re.findall(r"(?s)\binclude\s*\(?((?:\s*['\"][^'\"]+['\"]\s*,?)+)", settings)
    return [path for call in calls for path in re.findall(r"['\"]:*([^'\"]+)['\"]", call)]


def _by_script(context: BuildContext, root: str, at: str, name: str, shared: str) -> Iterator[Project]:
    """The project at a path of the build (``apps:web``); ``shared`` are those parts of the root's script that hold for
    all projects."""
    folder = posixpath.join(root, *filter(None, at.split(":")))
    script = _first(context, folder, _SCRIPTS)
    manifests = context.there(posixpath.join(folder, name) for name in (*_SCRIPTS, *_BESIDE_SCRIPTS))
    text = _read(context, script) + "\n" + shared
    release = re.search(_RELEASE, text)
    has_any = re.search(r"\b(?:implementation|api|runtimeOnly|compile)\b\s*[(\"'\w]", text)
    made = _made_by_tasks(text, name, _version(context, folder, text))
    if script or (manifests and not at):
        yield Project(
            folder,
            manifests,
            text,
            None if release is None else (script, next(filter(None, release.groups())).replace("_", ".")),
            next((what for what, pattern in _PACKERS.items() if re.search(pattern, text)), None),
            "the dependencies" if has_any else "",
            tuple((rf":?(?:{re.escape(at)}:)?(?:{tasks})", f"build/{path}") for tasks, path in made if script),
        )


def _version(context: BuildContext, folder: str, text: str) -> str:
    """Its version; "*" where the script does not spell it out, "" where there is none."""
    # `id 'plugin' version '1'` is another one's.
    own = re.search(r"(?m)^\s*(?:project\.)?version\s*(?:=|\s)\s*['\"]([^'\"]*)['\"]", text)
    if own is not None:
        return re.sub(_REFERENCE, "*", own[1])
    written = re.search(r"(?m)^version\s*=\s*(\S+)", context.text(posixpath.join(folder, "gradle.properties")))
    return written[1] if written else "*" if re.search(r"(?m)^\s*version\b", text) else ""


def _made_by_tasks(text: str, name: str, version: str) -> Iterator[tuple[str, str]]:
    """Tasks, and what one of them makes below build."""
    base = _setting(text, "archiveBaseName", "archivesBaseName", "baseName") or name
    version = (_setting(text, "archiveVersion") or "") if "archiveVersion" in text else version
    stem = f"{base}-{version}" if version else base
    own = _setting(text, "archiveFileName", "archiveName")
    classifier = "" if re.search(_CLEARED, text) else f"-{_setting(text, 'archiveClassifier', 'classifier') or 'all'}"
    application = _setting(text, "applicationName") or name
    is_boot, is_shadow = re.search(_BOOT, text), re.search(_SHADOW, text)
    yield "bootJar|jar|build|assemble", f"libs/{own or f'{stem}.jar'}"
    yield "bootWar|war", f"libs/{own or f'{stem}.war'}"
    if is_boot and not re.search(_PLAIN, text):
        yield "jar|build|assemble", f"libs/{stem}-plain.jar"
    yield f"shadowJar|buildFatJar{'|build|assemble' if is_shadow else ''}", f"libs/{own or f'{stem}{classifier}.jar'}"
    yield "installDist", f"install/{application}"
    yield "installShadowDist", f"install/{application}-shadow"
    if "application" in text:
        yield "build|assemble|distTar|distZip", "distributions"


def left_out(context: BuildContext, root: str, tasks: Iterable[str]) -> Unknown | None:
    """Why a call fails that names a project which the settings do not include. None where all are there."""
    settings = _first(context, root, _SETTINGS)
    text, named = _read(context, settings), (task.rpartition(":")[0].strip(":") for task in tasks)
    known = ["", *_included(text)]
    missing = next((at for at in named if not any(f"{one}:".startswith(f"{at}:") for one in known)), None)
    if not settings or missing is None or re.search(_INCLUDES, text):
        return None
    return Unknown(f"the build fails as it is: {settings} does not include {missing}")


def _first(context: BuildContext, folder: str, names: Iterable[str]) -> str:
    """The context path of the first of some files that is there; "" for none."""
    return next(iter(context.there(posixpath.join(folder, name) for name in names)), "")


def _read(context: BuildContext, path: str) -> str:
    return re.sub(r"(?m)(?<![:\w])//[^\n]*$", "", context.text(path))


def _setting(text: str, *names: str) -> str | None:
    """The string that a property is set to: ``version = '1'``, ``version("1")``, ``archiveFileName.set("a.jar")``."""
    pattern = r"(?<!\w){}(?:\.set)?\s*(?:=|\(|\s)\s*['\"]([^'\"]*)['\"]"
    found = (re.search(pattern.format(re.escape(name)), text) for name in names)
    return next((re.sub(_REFERENCE, "*", one[1]) for one in found if one is not None), None)
