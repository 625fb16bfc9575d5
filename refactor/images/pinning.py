"""Tags that move, and the tags of a version in their place."""

from __future__ import annotations

from refactor.images.base_image import BaseImage
from refactor.images.catalogue import lookup
from refactor.images.history import RUNS, default_release, version_of
from refactor.images.tag import read_tag

_VARIANTS = frozenset({"latest", "cli", "fpm", "apache", "zts", "jdk"})
"""Words beside which a version is missing; by others (`lts`, `stable`, `nightly`) an author asks for what moves."""
_MAJOR_ONLY = frozenset({"eclipse-temurin", "amazoncorretto", "openjdk"})
_DOTNET = frozenset({"5.0", "6.0", "7.0", "8.0", "9.0", "10.0"})


def moves(image: BaseImage) -> bool:
    """Whether the version changes under a tag: `latest`, none, or a variant alone (`alpine`, `slim-bookworm`)."""
    tag = read_tag(image.parsed.tag or "latest")
    is_system = image.family in {"debian", "ubuntu", "buildpack-deps"}
    if image.parsed.digest or image.version or (is_system and tag.release):
        return False
    return all(word in _VARIANTS for word in tag.words)


def with_version(image: BaseImage, version: str) -> str:
    """The same variant of the image for a version: `node:alpine` and 20 give `node:20-alpine`."""
    if image.family in _MAJOR_ONLY:
        version = version.split(".")[0]
    tag = image.parsed.tag or "latest"
    return image.parsed.with_tag(version if tag == "latest" else f"{version}-{tag}")


def is_known_tag(reference: str) -> bool:
    """Whether such an image is known to have been published: its version, and its variant on that version."""
    from refactor.images.published import is_published

    image = lookup(reference)
    number = version_of(image.version) if image is not None else None
    if image is None or not number:
        return False
    if image.family == "dotnet":
        return image.version in _DOTNET and read_tag(image.parsed.tag or "").alpine in (None, "")
    if not is_published(image.parsed.name, image.version):
        return False
    tag = read_tag(image.parsed.tag or "")
    if tag.alpine:
        return False
    if tag.release is not None and (image.family not in RUNS or default_release(image.family, number) != tag.release):
        return False
    if image.family in {"node", "python"} and image.variant in {"slim", "alpine"}:
        plain = lookup(image.parsed.with_tag("-".join(filter(None, (image.version, tag.release)))))
        return plain is not None and plain.with_variant(image.variant) == reference
    return True
