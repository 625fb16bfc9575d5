"""The version of Java that a project names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.context import BuildContext
from refactor.ecosystems.java.projects import RELEASE, TOOLCHAIN, of_maven
from refactor.ecosystems.versions import Naming, Place, Stated, stated


def _number(text: str) -> str:
    """17 of ``temurin-17.0.9``, 8 of ``1.8``."""
    found = re.search(r"(?:1\.(?=8))?(\d+)", text)
    return text if found is None else found[1]


def _maven(context: BuildContext, folder: str) -> Iterator[Stated]:
    """What Maven compiles for, where the JDK of that version can: the javac of Java 8 has no --release."""
    for one in of_maven(context, folder)[:1]:
        key, value = one.release or ("", "")
        version = ">=9" if key == RELEASE and int(_number(value)) < 9 else _number(value)
        if key:
            yield stated(f"{one.manifests[0]} ({key})", version, 1)._replace(text=value)


NAMING = Naming(
    "Java",
    "maven.compiler.release to pom.xml, or a toolchain to build.gradle",
    (
        Place(".java-version", plain=_number),
        Place(".sdkmanrc", pattern=r"(?m)^java\s*=\s*(\d+)"),
        _maven,
        Place("build.gradle*", pattern=TOOLCHAIN, said="toolchain"),
    ),
    ("java",),
    depth=1,
    plain=_number,
)
