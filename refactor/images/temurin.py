"""Eclipse Temurin's image in the place of an `openjdk` or `java` one: the same major version, kind and C library."""

from __future__ import annotations

from refactor.images.history import version_of
from refactor.images.published import is_published
from refactor.images.reference import parse_reference
from refactor.images.tag import read_tag


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
