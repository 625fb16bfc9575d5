"""Bun, PyPy, and the images of generators of sites."""

from __future__ import annotations

from collections.abc import Callable

from refactor.images import contents
from refactor.images.base_image import BaseImage
from refactor.images.contents import on_alpine, on_apt
from refactor.images.history import version_of
from refactor.images.reference import Reference
from refactor.images.tag import Tag

_HUB = "https://github.com/docker-library/official-images/blob/master/library/"


def bun(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    words = [word for word in tag.words if word not in ("latest", "canary", "debian")]
    if words == ["distroless"]:
        return BaseImage(
            text, "bun", tag.version, "distroless", "debian", None, "glibc", True,
            users={"nonroot": (65532, 65532)}, default_user="65532", entrypoint=("/usr/local/bin/bun",),
            workdir="/home/nonroot", preinstalled=frozenset(("bun", "ca-certificates")),
            sources=("https://github.com/oven-sh/bun/tree/main/dockerhub",),
        )  # fmt: skip
    if words:
        return None
    is_alpine = tag.alpine is not None
    system = on_alpine(tag.alpine) if is_alpine else on_apt("debian", tag.release, tag.release is None)
    return BaseImage(
        text,
        "bun",
        tag.version,
        "alpine" if is_alpine else "slim" if tag.is_slim else "fat",
        users={"bun": (1000, 1000), **(contents.ALPINE_USERS if is_alpine else contents.DEBIAN_USERS)},
        entrypoint=("/usr/local/bin/docker-entrypoint.sh",),
        cmd=("/usr/local/bin/bun",),
        workdir="/home/bun/app",
        env={"PATH": f"{contents.PATH}:/usr/local/bun-node-fallback-bin"},
        preinstalled=frozenset(("bun", "libgcc", "libstdc++") if is_alpine else ("bun",)),
        sources=("https://github.com/oven-sh/bun/tree/main/dockerhub",),
        **system,
    )


_PYPY = {
    "2.7": "trixie", "3.8": "bullseye", "3.9": "bullseye", "3.10": "bookworm", "3.11": "trixie",
}  # fmt: skip
"""The release of a tag without one: that of generate-stackbrew-library.sh when the version was last built."""


def pypy(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    words = [word for word in tag.words if word != "latest"]
    number = version_of(tag.version) if tag.version else (3,)
    if number is None or tag.alpine is not None or any(version_of(word.lstrip("v")) is None for word in words):
        return None
    version = "3.11" if number == (3,) else "2.7" if number == (2,) else ".".join(map(str, number[:2]))
    release = tag.release or _PYPY.get(version)
    if tag.is_slim:
        # What PyPy itself is linked with is there as well.
        holds = contents.debian(release) | {"ca-certificates"}
    else:
        holds = (
            contents.debian(release)
            | contents.BUILDPACK
            | contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, "debian", release)
        )
    tools = {"pypy", "pip"} if version == "2.7" else {"pypy3", "python", "python3", "pip", "pip3"}
    return BaseImage(
        text,
        "pypy",
        version,
        "slim" if tag.is_slim else "fat",
        users=dict(contents.DEBIAN_USERS),
        cmd=("pypy",) if version == "2.7" else ("pypy3",),
        env={"PATH": f"/opt/pypy/bin:{contents.PATH}", "LANG": "C.UTF-8"},
        preinstalled=frozenset(holds | tools),
        sources=("https://github.com/docker-library/pypy", _HUB + "pypy"),
        **on_apt("debian", release, tag.release is None and version in ("2.7", "3.11")),
    )


def site(
    family: str, sources: str, workdir: str, entrypoint: tuple[str, ...], cmd: tuple[str, ...], port: int
) -> Callable[[str, Reference, Tag], BaseImage | None]:
    """Images of generators of sites; on which system depends on words of the tag that are their own."""

    def read(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
        if any("onbuild" in word or "nginx" in word for word in tag.words):
            return None
        return BaseImage(
            text, family, tag.version, "fat", None, None, None, True, contents.DEBIAN_SHELLS[:1],
            entrypoint=entrypoint, cmd=cmd, ports=(port,), workdir=workdir, env={"PATH": contents.PATH},
            sources=(sources,),
        )  # fmt: skip

    return read


__all__ = ["bun", "pypy", "site"]
