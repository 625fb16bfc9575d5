"""Eclipse Temurin's images in the place of others with the same Java: of `openjdk` or `java`, and those with a JRE."""

from __future__ import annotations

import re

from refactor.images.base_image import BaseImage
from refactor.images.history import version_of
from refactor.images.published import is_published
from refactor.images.reference import parse_reference
from refactor.images.tag import read_tag

OF_THE_JDK = frozenset(
    """
    jar jarsigner javac javadoc javap jcmd jconsole jdb jdeprscan jdeps jhsdb jinfo jlink jmap jmod jpackage jps jshell
    jstack jstat jstatd serialver
    """.split()
)
"""Its tools (https://docs.oracle.com/en/java/javase/21/docs/specs/man/)."""


def temurin_of(reference: str) -> str | None:
    """`openjdk:17-jdk-slim` gives `eclipse-temurin:17-jdk`; None where Temurin has no such image.

    Registry mirrors keep their prefix. A full version becomes its major one: Temurin's releases begin where those of
    `openjdk` ended.
    """
    parsed = parse_reference(reference)
    tag = read_tag(parsed.tag or "latest")
    number = version_of(tag.version.split("u")[0].split("_")[0])
    if not number or parsed.digest or not is_published("eclipse-temurin", str(number[0])):
        return None
    kinds = [word for word in tag.words if word in ("jdk", "jre")]
    others = [word for word in tag.words if word not in kinds and not word.startswith("oracle")]
    if others or len(kinds) > 1 or (kinds == ["jre"] and 11 < number[0] < 17):
        return None
    alpine = "" if tag.alpine is None else "alpine"
    prefix = parsed.prefix[: len(parsed.prefix) - len(parsed.name)] + "eclipse-temurin"
    return f"{prefix}:{'-'.join(part for part in (str(number[0]), *kinds, alpine) if part)}"


_PLAIN = frozenset({"eclipse-temurin", "openjdk", "amazoncorretto", "ibm-semeru-runtimes"})
"""Families whose tags begin with the version of Java."""


def java_of(image: BaseImage) -> str | None:
    """The major version of Java that an image has, as its tag says it: 21 of ``maven:3.9-eclipse-temurin-21``."""
    pattern = r"\A(\d+)" if image.family in _PLAIN else r"(?:temurin|openjdk|jdk|jre|corretto|semeru|java)-?(\d+)"
    found = re.search(pattern, image.parsed.tag or "")
    return None if found is None else found[1]


def jre_of(major: str, is_alpine: bool) -> str | None:
    """Temurin's image with the JRE alone, of a major version; None where there is none."""
    from refactor.images.catalogue import lookup

    known = lookup(f"eclipse-temurin:{major}-jdk")
    return None if known is None else known.with_variant("jre-alpine" if is_alpine else "jre")
