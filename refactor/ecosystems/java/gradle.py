"""Gradle builds, read as text: projects, plugins, and the names of what they pack.

A build script is a program; what it spells out is read, all else is left open (a pattern, or not known). Source:
docs.gradle.org, "The Java Plugin", "The Application Plugin"; the plugins of Spring Boot, Shadow and Ktor.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered

_SETTINGS = ("settings.gradle", "settings.gradle.kts")
SCRIPTS = (*_SETTINGS, "build.gradle.kts", "build.gradle")
"""One of them is in the folder that a build starts from."""
WRAPPER = ("gradlew", "gradle/wrapper/gradle-wrapper.jar", "gradle/wrapper/gradle-wrapper.properties")
"""What the wrapper reads."""
_BESIDE = ("gradle.properties", *WRAPPER, "gradle/libs.versions.toml", "gradle/verification-metadata.xml")
_REFERENCE = r"\$\{[^}]*\}|\$\w+"
_BOOT = r"org\.springframework\.boot"
_SHADOW = r"com\.github\.johnrengelman\.shadow|com\.gradleup\.shadow|(?<=[\"' (])shadow(?=[\"')])|\bshadowJar\b"
_FAT = r"zipTree|runtimeClasspath\s*\.\s*(?:get\(\)\.)?(?:map|collect|filter)|configurations\.compile\s*\.\s*collect"
_ENDINGS = {"bootJar": "jar", "bootWar": "war", "war": "war", **dict.fromkeys(("jar", "build", "assemble"), "jar")}
_PACKERS = {
    "Spring Boot": _BOOT,
    "Shadow": _SHADOW,
    "a script of its own": _FAT,
    "Ktor": r"io\.ktor\.plugin|\bplugins\.ktor\b|\bktor\s*\{",
}
_DISTRIBUTED = frozenset({"build", "assemble", "distTar", "distZip"})
_RELEASE = (
    r"JavaLanguageVersion\.of\((\d+)\)|jvmToolchain\((\d+)\)"
    r"|(?:target|source)Compatibility\s*=?\s*(?:JavaVersion\.VERSION_)?['\"]?((?:1[._])?\d+)"
)
_INCLUDES = r"includeBuild|includeFlat|\bfor\b|\w*[eE]ach\b|\bapply\b|\$"
"""Settings may include projects in other ways than by their names."""


class GradleProject(NamedTuple):
    """One Gradle project: a folder with a build script."""

    folder: str
    at: str
    """Its path in the build, without the first colon: ``apps:web``; "" for the root."""
    name: str
    version: str
    """"*" where the script does not spell it out, "" where there is none."""
    text: str
    """Its build script, and those parts of the root's that hold for all projects."""
    path: str
    """Context path of the build script."""

    @property
    def packer(self) -> str | None:
        """What puts all that the program needs into its jar; None where nothing is seen to."""
        return next((what for what, pattern in _PACKERS.items() if re.search(pattern, self.text)), None)

    @property
    def lib(self) -> None:
        """A folder beside its jar that has libraries: what scripts copy there is not read."""

    @property
    def needed(self) -> str:
        """What it needs at run time, in words; "" for nothing."""
        has_any = re.search(r"\b(?:implementation|api|runtimeOnly|compile)\b\s*[(\"'\w]", self.text)
        return "the dependencies" if has_any else ""

    @property
    def release(self) -> str | None:
        """The version of Java that it is compiled for."""
        match = re.search(_RELEASE, self.text)
        return None if match is None else next(filter(None, match.groups())).replace("_", ".")

    def outputs(self, tasks: Collection[str]) -> Iterator[str]:
        """What some tasks make, below its folder."""
        for named in tasks:
            where, _, task = named.rpartition(":")
            if where.strip(":") in {"", self.at}:
                yield from (f"build/{path}" for path in self._made(task))

    def _made(self, task: str) -> Iterator[str]:
        if task in {"installDist", "installShadowDist"}:
            name = _setting(self.text, "applicationName") or self.name
            yield f"install/{name}{'-shadow' if task == 'installShadowDist' else ''}"
        yield from (f"libs/{name}" for name in self._jars(task))
        if task in _DISTRIBUTED and "application" in self.text:
            yield "distributions"

    def _jars(self, task: str) -> Iterator[str]:
        """Names of what a task packs into build/libs."""
        base = _setting(self.text, "archiveBaseName", "archivesBaseName", "baseName") or self.name
        version = _setting(self.text, "archiveVersion") if "archiveVersion" in self.text else self.version
        stem = f"{base}-{version}" if version else base
        own = _setting(self.text, "archiveFileName", "archiveName")
        if task in {"shadowJar", "buildFatJar"}:
            classifier = _setting(self.text, "archiveClassifier", "classifier")
            cleared = re.search(r"archiveClassifier\S*\s*[=(]\s*(?:\(?\s*)?(?:null|['\"]['\"])", self.text)
            yield own or (f"{stem}.jar" if cleared else f"{stem}-{classifier or 'all'}.jar")
        if task not in _ENDINGS:
            return
        yield own or f"{stem}.{_ENDINGS[task]}"
        if task.startswith("boot"):
            return
        is_plain = r"jar\s*\{[^}]*enabled\s*=?\s*false|named\(.jar.\)[^}]*enabled"
        if re.search(_BOOT, self.text) and not re.search(is_plain, self.text):
            yield f"{stem}-plain.jar"
        if task != "jar" and re.search(_SHADOW, self.text):
            yield from self._jars("shadowJar")


@remembered
def projects(context: BuildContext, root: str) -> tuple[GradleProject, ...]:
    """The projects of the build whose root is a folder of the context, the root's own first."""
    text = "".join(_read(context, path) for path in _there(context, root, _SETTINGS)[:1])
    name = _setting(text, "rootProject.name", "rootProject.setName") or "*"
    found = [*_project(context, root, "", name, "")]
    shared = "".join(re.findall(r"(?s)\b(?:allprojects|subprojects)\s*\{.*", found[0].text)) if found else ""
    for call in re.finditer(r"(?s)\binclude\s*\(?((?:\s*['\"][^'\"]+['\"]\s*,?)+)", text):
        for path in re.findall(r"['\"]:*([^'\"]+)['\"]", call[1]):
            folder = posixpath.join(root, path.replace(":", "/"))
            found += _project(context, folder, path, path.rpartition(":")[2], shared)
    return tuple(found)


def _project(context: BuildContext, folder: str, at: str, name: str, shared: str) -> Iterator[GradleProject]:
    for script in _there(context, folder, ("build.gradle", "build.gradle.kts"))[:1]:
        text = _read(context, script) + "\n" + shared
        # `id 'plugin' version '1'` is another one's.
        own = re.search(r"(?m)^\s*(?:project\.)?version\s*(?:=|\s)\s*['\"]([^'\"]*)['\"]", text)
        version = None if own is None else re.sub(_REFERENCE, "*", own[1])
        if version is None:
            written = re.search(r"(?m)^version\s*=\s*(\S+)", context.text(posixpath.join(folder, "gradle.properties")))
            version = written[1] if written else "*" if re.search(r"(?m)^\s*version\b", text) else ""
        yield GradleProject(folder, at, name, version, text, script)


def left_out(context: BuildContext, root: str, tasks: Iterable[str]) -> Unknown | None:
    """That a call names a project which the settings do not include: Gradle refuses it. None where all are there."""
    found, settings = projects(context, root), _there(context, root, _SETTINGS)[:1]
    known = {"", *(one.at for one in found)}
    missing = next((at for task in tasks if (at := task.rpartition(":")[0].strip(":")) not in known), None)
    if not found or not settings or missing is None or re.search(_INCLUDES, _read(context, settings[0])):
        return None
    return Unknown(f"the build fails as it is: {settings[0]} does not include {missing}")


def manifests(context: BuildContext, root: str) -> tuple[str, ...]:
    """Context paths of what decides on the dependencies of a build."""
    scripts = (one.path for one in projects(context, root))
    return tuple(dict.fromkeys((*_there(context, root, (*_SETTINGS, *_BESIDE)), *scripts)))


def _there(context: BuildContext, folder: str, names: Iterable[str]) -> list[str]:
    """The context paths of files of a folder, as far as they are there."""
    return [path for name in names if context.exists(path := posixpath.join(folder, name)) is True]


def _read(context: BuildContext, path: str) -> str:
    return re.sub(r"(?m)(?<![:\w])//[^\n]*$", "", context.text(path))


def _setting(text: str, *names: str) -> str | None:
    """The string that a property is set to: ``version = '1'``, ``version("1")``, ``archiveFileName.set("a.jar")``."""
    for name in names:
        found = re.search(rf"(?<!\w){re.escape(name)}(?:\.set)?\s*(?:=|\(|\s)\s*['\"]([^'\"]*)['\"]", text)
        if found is not None:
            return re.sub(_REFERENCE, "*", found[1])
    return None
