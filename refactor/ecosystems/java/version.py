"""The version of Java that a project names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.java.maven import module
from refactor.ecosystems.versions import Naming, Stated, first_line, found_in, of_tools, stated

_TOOLCHAIN = r"JavaLanguageVersion\.of\(\s*[\"']?(\d+)[\"']?\s*\)|\bjvmToolchain\(\s*(\d+)\s*\)"


def _read(context: BuildContext, folder: str) -> Iterator[Stated]:
    """The JDK's version: what Maven compiles for, where the JDK of that version can, and Gradle's toolchain."""
    path = posixpath.join(folder, ".java-version")
    text = first_line(context, path)
    if text is not None:
        yield _jdk(path, text)
    path = posixpath.join(folder, ".sdkmanrc")
    text = found_in(context, path, r"(?m)^java\s*=\s*(\d+)")
    if text is not None:
        yield _jdk(path, text)
    yield from _maven(context, folder)
    for name in ("build.gradle", "build.gradle.kts"):
        path = posixpath.join(folder, name)
        text = found_in(context, path, _TOOLCHAIN)
        if text is not None:
            yield _jdk(f"{path} (toolchain)", text)
    for each in of_tools(context, folder, ("java",), 1):
        yield _jdk(each.place, each.text)


def _jdk(place: str, text: str) -> Stated:
    found = re.search(r"(?:1\.(?=8))?(\d+)", text)
    return Stated(place, text, what="no version of Java") if found is None else stated(place, found[1], 1)


def _maven(context: BuildContext, folder: str) -> Iterator[Stated]:
    found = module(context, folder)
    values = {} if isinstance(found, Unknown) else found.properties
    path = posixpath.join(folder, "pom.xml")
    for key in ("maven.compiler.release", "java.version", "maven.compiler.target"):
        value = re.fullmatch(r"(?:1\.)?(\d+)", values.get(key, ""))
        if value is None:
            continue
        if key == "maven.compiler.release" and int(value[1]) < 9:
            # Its javac has no --release: a newer JDK compiles for it.
            yield Stated(f"{path} ({key})", value[0], allowed=(((9, 0, 0), None),), what="a minimum")
        else:
            yield stated(f"{path} ({key})", value[1], 1)
        return


NAMING = Naming("Java", _read, "maven.compiler.release to pom.xml, or a toolchain to build.gradle")
