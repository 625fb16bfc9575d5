"""Names of an image's other variants, where they have been published."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from refactor.images.history import default_release, is_known, version_of
from refactor.images.reference import Reference
from refactor.images.tag import Tag, read_tag

if TYPE_CHECKING:
    from typing import Protocol

    class Image(Protocol):
        """What names of variants follow from; `BaseImage` says what each is."""

        @property
        def reference(self) -> str: ...
        @property
        def parsed(self) -> Reference: ...
        @property
        def family(self) -> str: ...
        @property
        def version(self) -> str: ...
        @property
        def variant(self) -> str: ...
        @property
        def distro(self) -> str | None: ...
        @property
        def release(self) -> str | None: ...


_OLD_NODE_SLIM = {6: (6, 15), 8: (8, 14), 10: (10, 14), 11: (11, 3)}
"""First versions with a `-slim` beside `-jessie` and `-stretch`; from Node 12 on every release has one."""
_NO_PYTHON_SLIM = frozenset(("2.7.7", "3.3.5", "3.4.1"))
_DISTROLESS_NODE = {
    "bullseye": ("16", "18"), "bookworm": ("18", "20", "22", "24"), "trixie": ("20", "22", "24", "26"),
}  # fmt: skip
_DISTROLESS_NUMBER = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
_DISTROLESS_PYTHON = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}


_ELSEWHERE = frozenset({"dotnet"})
"""Families with a repository for each variant: the other is another image, named by its tag as any other."""


def with_variant(image: Image, variant: str) -> str | None:
    """See `BaseImage.with_variant`."""
    parsed = image.parsed
    if parsed.digest and image.family not in _ELSEWHERE:
        return None
    if variant == image.variant:
        return image.reference
    name = _NAMES.get(image.family)
    if name is None:
        return None
    tag = read_tag(parsed.tag or "latest")
    lead = _lead(parsed.tag or "latest", tag)
    return name(image, tag, lead, variant)


def _lead(text: str, tag: Tag) -> str:
    """The part of the tag that names the version: "20", "lts", "" for latest."""
    if tag.version:
        return tag.version
    words = "-".join(tag.words)
    return "" if words == "latest" else words


def _join(*parts: str | None) -> str:
    return "-".join(part for part in parts if part) or "latest"


def _node(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    version = version_of(image.version) if image.version else None
    if image.version and (version is None or not is_known("node", version)):
        return None
    parsed = image.parsed
    if variant == "fat":
        return parsed.with_tag(_join(lead, tag.release))
    if variant == "slim":
        if tag.alpine is not None:
            return parsed.with_tag(_join(lead, "slim"))
        if tag.release == "wheezy":
            return None
        if tag.release in ("jessie", "stretch") and version is not None and version[0] < 12:
            first = _OLD_NODE_SLIM.get(version[0])
            if first is None or (len(version) > 1 and version < first) or version == (10, 14, 0):
                return None
        return parsed.with_tag(_join(lead, tag.release, "slim"))
    if variant == "alpine":
        if version is not None and (version < (6,) or (len(version) > 1 and version < (6, 9, 1))):
            return None
        return parsed.with_tag(_join(lead, "alpine"))
    if variant == "distroless" and image.release and version is not None and image.distro == "debian":
        major = str(version[0])
        if major in _DISTROLESS_NODE.get(image.release, ()):
            return f"gcr.io/distroless/nodejs{major}-debian{_DISTROLESS_NUMBER[image.release]}:nonroot"
    return None


def _python(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    version = version_of(image.version) if image.version else None
    if image.version and (version is None or not is_known("python", version)):
        return None
    if lead == "rc":
        return None
    parsed = image.parsed
    if variant == "fat":
        return parsed.with_tag(_join(lead, tag.release))
    if variant == "slim":
        if tag.alpine is not None:
            return parsed.with_tag(_join(lead, "slim"))
        if tag.release == "wheezy" or image.version in _NO_PYTHON_SLIM:
            return None
        return parsed.with_tag(_join(lead, "slim", tag.release))
    if variant == "alpine":
        if version is not None and len(version) > 1 and (version < (2, 7, 11) and len(version) > 2):
            return None
        if version is not None and version[:2] == (3, 2):
            return None
        return parsed.with_tag(_join(lead, "alpine"))
    if variant == "distroless" and version is not None and len(version) > 1 and image.distro == "debian":
        release = _DISTROLESS_PYTHON.get(f"{version[0]}.{version[1]}")
        if release is not None and release == image.release:
            return f"gcr.io/distroless/python3-debian{_DISTROLESS_NUMBER[release]}:nonroot"
    return None


def _golang(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    version = version_of(image.version) if image.version else None
    if image.version and (version is None or not is_known("golang", version)):
        return None
    if variant == "alpine" and (version is None or version >= (1, 4)):
        return image.parsed.with_tag(_join(lead, "alpine"))
    return image.parsed.with_tag(_join(lead, tag.release)) if variant == "fat" else None


def _slim_before_release(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    """rust and ruby: `1.75-slim-bookworm`."""
    version = version_of(image.version) if image.version else None
    if image.version and (version is None or default_release(image.family, version) is None):
        return None
    parsed = image.parsed
    if variant == "fat":
        return parsed.with_tag(_join(lead, tag.release))
    if variant == "slim":
        return parsed.with_tag(_join(lead, "slim", tag.release if tag.alpine is None else None))
    return parsed.with_tag(_join(lead, "alpine")) if variant == "alpine" else None


def _debian(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    if image.release in ("wheezy", "jessie") and variant == "slim" and tag.version.count("."):
        return None
    whole = (image.parsed.tag or "stable").removesuffix("-slim")
    if whole == "latest":
        whole = "stable"
    if variant == "fat":
        return image.parsed.with_tag(whole)
    return image.parsed.with_tag(f"{whole}-slim") if variant == "slim" and "backports" not in whole else None


def _slim_last(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    """erlang, elixir and swift: `1.18-otp-27-slim`, `6.0-jammy-slim`."""
    words = "-".join((tag.version, *[word for word in tag.words if word != "latest"])).strip("-")
    if variant not in ("fat", "slim") or (tag.alpine is not None and image.release):
        return None
    return image.parsed.with_tag(_join(words, tag.release, "slim" if variant == "slim" else ""))


def _perl(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    """perl: `5.40-slim-threaded-bookworm`."""
    words = "-".join(word for word in tag.words if word not in ("latest", "stable"))
    stable = "stable" if "stable" in tag.words else ""
    if variant not in ("fat", "slim"):
        return None
    return image.parsed.with_tag(_join(tag.version or stable, "slim" if variant == "slim" else "", words, tag.release))


def _tomcat(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    """tomcat: `10.1-jre17-temurin-jammy`; without a word the Java version changes with time."""
    kind = next((word for word in tag.words if word[:3] in ("jdk", "jre")), None)
    if kind is None or variant not in ("jdk", "jre"):
        return None
    words = [variant + kind[3:] if word == kind else word for word in (image.parsed.tag or "").split("-")]
    return image.parsed.with_tag("-".join(words))


def _temurin(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    number = version_of(image.version.split("_")[0].split("u")[0]) if image.version else None
    kind, _, flavour = variant.partition("-")
    if kind == "alpine":
        kind, flavour = ("jre" if "jre" in tag.words else "jdk"), "alpine"
    if number is None or kind not in ("jdk", "jre") or flavour not in ("", "alpine"):
        return None
    if number[0] < 8 or (kind == "jre" and 11 < number[0] < 16):
        return None
    # A full version is written 17.0.9_9 with the kind behind it, as a short one is.
    if flavour == "alpine" or tag.alpine is not None:
        release = f"alpine{tag.alpine or ''}" if tag.alpine is not None else "alpine"
    else:
        release = tag.release or ""
    return image.parsed.with_tag(_join(lead.split("-")[0], kind, release))


def _nginx(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    if tag.words not in ((), ("latest",), ("stable",), ("mainline",)) or tag.release:
        return None
    if variant == "alpine":
        return image.parsed.with_tag(_join(lead, "alpine"))
    if variant == "alpine-slim":
        return image.parsed.with_tag(_join(lead, "alpine", "slim"))
    return image.parsed.with_tag(_join(lead)) if variant == "fat" else None


def _bun(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    if tag.release or variant not in {"fat", "slim", "alpine"}:
        return None
    return image.parsed.with_tag(_join(lead, None if variant == "fat" else variant))


def _pypy(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    words = "-".join(word for word in tag.words if word != "latest")
    if variant not in {"fat", "slim"}:
        return None
    first = _join(tag.version, words) if tag.version or words else None
    return image.parsed.with_tag(_join(first, "slim" if variant == "slim" else None, tag.release))


def _dotnet(image: Image, tag: Tag, lead: str, variant: str) -> str | None:
    """What carries the programs of an SDK: `sdk:8.0.404-jammy` gives `aspnet:8.0-jammy`, as patches of the two are
    counted apart (dotnet-docker, "Supported tags")."""
    kind = re.fullmatch(r"(aspnet|runtime|runtime-deps)(-alpine|-chiseled)?", variant)
    words = re.fullmatch(r"(?:(\d+\.\d+)(?:\.\d+)?|latest)((?:-[\w.]+)*)", image.parsed.tag or "latest")
    is_alpine = tag.alpine is not None
    if kind is None or words is None or not image.variant.startswith("sdk"):
        return None
    line, rest = words[1] or "latest", words[2].replace("-aot", "")
    if kind[2] == "-chiseled":
        if is_alpine or int(line.partition(".")[0].replace("latest", "0")) < 8:
            return None
        rest = "-noble-chiseled-extra"
    elif is_alpine != (kind[2] == "-alpine"):
        return None
    return f"{image.parsed.prefix.removesuffix('sdk')}{kind[1]}:{line}{rest}"


_NAMES = {
    "bun": _bun,
    "dotnet": _dotnet,
    "pypy": _pypy,
    "node": _node,
    "python": _python,
    "golang": _golang,
    "rust": _slim_before_release,
    "ruby": _slim_before_release,
    "debian": _debian,
    "eclipse-temurin": _temurin,
    "erlang": _slim_last,
    "elixir": _slim_last,
    "swift": _slim_last,
    "perl": _perl,
    "tomcat": _tomcat,
    "nginx": _nginx,
    "nginx-unprivileged": _nginx,
}
