"""The version of Java that a project names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.ecosystems.java.maven import RELEASES, maven_project
from refactor.ecosystems.versions import Naming, Place, Stated, stated

_TOOLCHAIN = r"JavaLanguageVersion\.of\(\s*[\"']?(\d+)[\"']?\s*\)|\bjvmToolchain\(\s*(\d+)\s*\)"


def _number(text: str) -> str:
    """17 of ``temurin-17.0.9``, 8 of ``1.8``."""
    found = re.search(r"(?:1\.(?=8))?(\d+)", text)
    return text if found is None else found[1]


def _maven(context: BuildContext, folder: str) -> Iterator[Stated]:
    """What Maven compiles for, where the JDK of that version can."""
    found = maven_project(context, folder)
    values = {} if isinstance(found, Unknown) else found.properties
    path = posixpath.join(folder, "pom.xml")
    for key in RELEASES:
        value = re.fullmatch(r"(?:1\.)?(\d+)", values.get(key, ""))
        if value is None:
            continue
        if key == "maven.compiler.release" and int(value[1]) < 9:
            # Its javac has no --release: a newer JDK compiles for it.
            yield Stated(f"{path} ({key})", value[0], allowed=(((9, 0, 0), None),), what="a minimum")
        else:
            yield stated(f"{path} ({key})", value[1], 1)
        return


NAMING = Naming(
    "Java",
    "maven.compiler.release to pom.xml, or a toolchain to build.gradle",
    (
        Place(".java-version", plain=_number),
        Place(".sdkmanrc", pattern=r"(?m)^java\s*=\s*(\d+)"),
        _maven,
        Place("build.gradle*", pattern=_TOOLCHAIN, said="toolchain"),
    ),
    ("java",),
    depth=1,
    plain=_number,
)
