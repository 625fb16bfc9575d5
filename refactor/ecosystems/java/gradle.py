"""Gradle builds, read as text: projects, plugins, and the names of what they pack.

A build script is a program; what it spells out is read, all else is left open (a pattern, or not known). Source:
docs.gradle.org, "The Java Plugin", "The Application Plugin"; the plugins of Spring Boot, Shadow and Ktor.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.ecosystems.java.project import Project

_SETTINGS = ("settings.gradle", "settings.gradle.kts")
_SCRIPTS = ("build.gradle", "build.gradle.kts")
NAMES = (*_SETTINGS, *reversed(_SCRIPTS))
"""One of them is in the folder that a build starts from."""
_BESIDE = (
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
def projects(context: BuildContext, root: str) -> tuple[Project, ...]:
    """The projects of the build whose root is a folder of the context, the root's own first."""
    text = _read(context, _first(context, root, _SETTINGS))
    found = [*_project(context, root, "", _setting(text, "rootProject.name", "rootProject.setName") or "*", "")]
    shared = "".join(re.findall(r"(?s)\b(?:allprojects|subprojects)\s*\{.*", found[0].text)) if found else ""
    for path in _included(text):
        found += _project(context, root, path, path.rpartition(":")[2], shared)
    return tuple(found)


def _included(settings: str) -> list[str]:
    """The paths of the projects that settings include: ``apps:web``."""
    calls = re.findall(r"(?s)\binclude\s*\(?((?:\s*['\"][^'\"]+['\"]\s*,?)+)", settings)
    return [path for call in calls for path in re.findall(r"['\"]:*([^'\"]+)['\"]", call)]


def _project(context: BuildContext, root: str, at: str, name: str, shared: str) -> Iterator[Project]:
    """The project at a path of the build (``apps:web``); ``shared`` are those parts of the root's script that hold for
    all projects."""
    folder = posixpath.join(root, *filter(None, at.split(":")))
    script = _first(context, folder, _SCRIPTS)
    manifests = context.there(posixpath.join(folder, name) for name in (*_SCRIPTS, *_BESIDE))
    text = _read(context, script) + "\n" + shared
    release = re.search(_RELEASE, text)
    has_any = re.search(r"\b(?:implementation|api|runtimeOnly|compile)\b\s*[(\"'\w]", text)
    made = _made(text, name, _version(context, folder, text))
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


def _made(text: str, name: str, version: str) -> Iterator[tuple[str, str]]:
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
    for name in names:
        found = re.search(rf"(?<!\w){re.escape(name)}(?:\.set)?\s*(?:=|\(|\s)\s*['\"]([^'\"]*)['\"]", text)
        if found is not None:
            return re.sub(_REFERENCE, "*", found[1])
    return None
