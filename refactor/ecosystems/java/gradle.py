"""Gradle builds, read as text: projects, plugins, and the names of what they pack.

A build script is a program; what it spells out is read, all else is left open (a pattern, or not known). Source:
docs.gradle.org, "The Java Plugin", "The Application Plugin"; the plugins of Spring Boot, Shadow and Ktor.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.shell import Word

_SETTINGS = ("settings.gradle", "settings.gradle.kts")
SCRIPTS = (*_SETTINGS, "build.gradle.kts", "build.gradle")
"""One of them is in the folder that a build starts from."""
_BESIDE = (
    "gradle.properties",
    "gradlew",
    "gradle/wrapper/gradle-wrapper.jar",
    "gradle/wrapper/gradle-wrapper.properties",
    "gradle/libs.versions.toml",
    "gradle/verification-metadata.xml",
)
_REFERENCE = r"\$\{[^}]*\}|\$\w+"
_BOOT = r"org\.springframework\.boot"
_SHADOW = r"com\.github\.johnrengelman\.shadow|com\.gradleup\.shadow|(?<=[\"' (])shadow(?=[\"')])|\bshadowJar\b"
_FAT = r"zipTree|runtimeClasspath\s*\.\s*(?:get\(\)\.)?(?:map|collect|filter)|configurations\.compile\s*\.\s*collect"
_PACKERS = {"Spring Boot": _BOOT, "Shadow": _SHADOW, "a script of its own": _FAT}
_RELEASE = (
    r"JavaLanguageVersion\.of\((\d+)\)|jvmToolchain\((\d+)\)"
    r"|(?:target|source)Compatibility\s*=?\s*(?:JavaVersion\.VERSION_)?['\"]?((?:1[._])?\d+)"
)


_INCLUDES = r"includeBuild|includeFlat|\bfor\b|\w*[eE]ach\b|\bapply\b|\$"
"""Settings may include projects in other ways than by their names."""


class Project(NamedTuple):
    """One Gradle project: a folder with a build script."""

    folder: str
    name: str
    version: str
    """"*" where the script does not spell it out, "" where there is none."""
    text: str
    """Its build script, and those parts of the root's that hold for all projects."""
    script: str
    """Context path of the build script."""
    task: str = ""
    """The one that packs what is asked about."""

    @property
    def is_boot(self) -> bool:
        return re.search(_BOOT, self.text) is not None

    @property
    def packer(self) -> str | None:
        """What puts all that the program needs into its jar; None where nothing is seen to."""
        found = (what for what, pattern in _PACKERS.items() if re.search(pattern, self.text))
        return next(found, "Ktor" if self.task == "buildFatJar" else None)

    @property
    def has_dependencies(self) -> bool:
        return re.search(r"\b(?:implementation|api|runtimeOnly|compile)\b\s*[(\"'\w]", self.text) is not None

    @property
    def release(self) -> str | None:
        """The version of Java that it is compiled for."""
        match = re.search(_RELEASE, self.text)
        found = next((one for one in match.groups() if one), None) if match is not None else None
        return None if found is None else found.replace("_", ".")

    def outputs(self, task: str) -> Iterator[str]:
        """What a task makes below build/."""
        if task in {"installDist", "installShadowDist"}:
            name = _setting(self.text, "applicationName") or self.name
            yield f"install/{name}{'-shadow' if task == 'installShadowDist' else ''}"
            return
        yield from (f"libs/{name}" for name in self.jars(task))
        if task in {"build", "assemble", "distTar", "distZip"} and "application" in self.text:
            yield "distributions"

    def jars(self, task: str) -> tuple[str, ...]:
        """Names of the jars that a task packs into build/libs; () where it packs none."""
        base = _setting(self.text, "archiveBaseName", "archivesBaseName", "baseName") or self.name
        version = _setting(self.text, "archiveVersion") if "archiveVersion" in self.text else self.version
        stem = f"{base}-{version}" if version else base
        own = _setting(self.text, "archiveFileName", "archiveName")
        if task in {"shadowJar", "buildFatJar"}:
            classifier = _setting(self.text, "archiveClassifier", "classifier")
            cleared = re.search(r"archiveClassifier\S*\s*[=(]\s*(?:\(?\s*)?(?:null|['\"]['\"])", self.text)
            return (own or (f"{stem}.jar" if cleared else f"{stem}-{classifier or 'all'}.jar"),)
        if task == "bootJar":
            return (own or f"{stem}.jar",)
        if task == "bootWar":
            return (own or f"{stem}.war",)
        if task not in {"jar", "build", "assemble", "war"}:
            return ()
        found = [own or f"{stem}.{'war' if task == 'war' else 'jar'}"]
        if self.is_boot and not re.search(r"jar\s*\{[^}]*enabled\s*=?\s*false|named\(.jar.\)[^}]*enabled", self.text):
            found.append(f"{stem}-plain.jar")
        if re.search(_SHADOW, self.text) and task != "jar":
            found += self.jars("shadowJar")
        return tuple(dict.fromkeys(found))


@remembered
def projects(context: BuildContext, root: str) -> tuple[Project, ...] | Unknown:
    """The projects of the build whose root is a folder of the context, the root's own first."""
    settings = _first(context, root, _SETTINGS)
    text = "" if settings is None else _read(context, settings)
    name = _setting(text, "rootProject.name", r"rootProject\.setName") or "*"
    found = [one for one in (_project(context, root, name, ""),) if one is not None]
    shared = "".join(re.findall(r"(?s)\b(?:allprojects|subprojects)\s*\{.*", found[0].text)) if found else ""
    for call in re.finditer(r"(?s)\binclude\s*\(?((?:\s*['\"][^'\"]+['\"]\s*,?)+)", text):
        for path in re.findall(r"['\"]([^'\"]+)['\"]", call[1]):
            parts = [part for part in path.split(":") if part]
            one = _project(context, posixpath.join(root, *parts), parts[-1] if parts else "*", shared)
            if one is not None:
                found.append(one)
    return tuple(found) or Unknown(f"{posixpath.join(root, 'build.gradle')} is not in the build context")


def left_out(context: BuildContext, root: str, words: Iterable[Word]) -> Unknown | None:
    """That a call names a project which the settings do not include: Gradle refuses it. None where all are there."""
    found = projects(context, root)
    if isinstance(found, Unknown):
        return None
    known = {posixpath.relpath(one.folder or ".", root or ".").replace("/", ":") for one in found}
    settings = _first(context, root, _SETTINGS)
    if settings is None or re.search(_INCLUDES, _read(context, settings)):
        return None
    one = next((path for path, _ in tasks_of(words) if path is not None and path not in known), None)
    return None if one is None else Unknown(f"the build fails as it is: {settings} does not include {one}")


def manifests(context: BuildContext, root: str) -> tuple[str, ...]:
    """Context paths of what decides on the dependencies of a build."""
    own = projects(context, root)
    paths = [posixpath.join(root, name) for name in (*_SETTINGS, *_BESIDE)]
    paths += [] if isinstance(own, Unknown) else [one.script for one in own]
    return tuple(dict.fromkeys(path for path in paths if context.exists(path) is True))


def _project(context: BuildContext, folder: str, name: str, shared: str) -> Project | None:
    script = _first(context, folder, ("build.gradle", "build.gradle.kts"))
    if script is None:
        return None
    text = _read(context, script) + "\n" + shared
    # `id 'plugin' version '1'` is another one's.
    own = re.search(r"(?m)^\s*(?:project\.)?version\s*(?:=|\s)\s*['\"]([^'\"]*)['\"]", text)
    version = None if own is None else re.sub(_REFERENCE, "*", own[1])
    if version is None:
        written = re.search(r"(?m)^version\s*=\s*(\S+)", context.text(posixpath.join(folder, "gradle.properties")))
        version = written[1] if written else "*" if re.search(r"(?m)^\s*version\b", text) else ""
    return Project(folder, name, version, text, script)


def _first(context: BuildContext, folder: str, names: tuple[str, ...]) -> str | None:
    return next((path for name in names if context.exists(path := posixpath.join(folder, name)) is True), None)


def _read(context: BuildContext, path: str) -> str:
    return re.sub(r"(?m)(?<![:\w])//[^\n]*$", "", context.text(path))


def _setting(text: str, *names: str) -> str | None:
    """The string that a property is set to: ``version = '1'``, ``version("1")``, ``archiveFileName.set("a.jar")``."""
    for name in names:
        pattern = name if "\\" in name else re.escape(name)
        found = re.search(rf"(?m)(?<![\w.]){pattern}(?:\.set)?\s*(?:=|\(|\s)\s*['\"]([^'\"]*)['\"]", text)
        if found is None:
            found = re.search(rf"(?m)\.{pattern}(?:\.set)?\s*(?:=|\()\s*['\"]([^'\"]*)['\"]", text)
        if found is not None:
            return re.sub(_REFERENCE, "*", found[1])
    return None


def tasks_of(words: Iterable[Word]) -> Iterator[tuple[str | None, str]]:
    """(project path or None for all, task) of the tasks that a call names."""
    for word in words:
        path, _, task = word.literal.rpartition(":")
        yield (path.strip(":") if path.strip(":") else None), task


__all__ = ["SCRIPTS", "Project", "left_out", "manifests", "projects", "tasks_of"]
