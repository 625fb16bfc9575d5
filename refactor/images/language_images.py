"""Images of further languages and servers: Erlang, Elixir, Perl, Haskell, Swift, GCC, Corretto, Tomcat, Caddy, the
builders of OSS-Fuzz, and the distributions of Oracle and Red Hat.

Read in August 2026 from the Dockerfiles that docker-library/official-images names; each entry says where.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from refactor.images import contents
from refactor.images.base_image import BaseImage
from refactor.images.contents import on_alpine, on_apt, on_rpm
from refactor.images.history import Version, version_of
from refactor.images.reference import Reference
from refactor.images.tag import Tag, read_tag

_HUB = "https://github.com/docker-library/official-images/blob/master/library/"
_ERLANG = {
    17: "jessie", 18: "stretch", 19: "stretch", 20: "buster", 21: "buster", 22: "buster", 23: "buster",
    24: "bullseye", 25: "bullseye", 26: "bookworm", 27: "bookworm", 28: "trixie", 29: "trixie",
}  # fmt: skip
"""Debian release of the last image of each line of Erlang/OTP."""
_ELIXIR: dict[Version, int] = {
    (1, 2): 18, (1, 3): 19, (1, 4): 19, (1, 5): 20, (1, 6): 20, (1, 7): 21, (1, 8): 21, (1, 9): 22, (1, 10): 22,
    (1, 11): 23, (1, 12): 24, (1, 13): 24, (1, 14): 26, (1, 15): 26, (1, 16): 26, (1, 17): 27, (1, 18): 28,
    (1, 19): 28, (1, 20): 29,
}  # fmt: skip
"""Line of Erlang/OTP below an Elixir tag that names none."""
_STILL_BUILT_ERLANG = 24
_GCC = {12: "bookworm", 13: "bookworm", 14: "trixie", 15: "trixie", 16: "trixie"}
_SWIFT = ((6, 0), "noble"), ((5, 7), "jammy"), ((5, 0), "bionic")
"""First version whose tags without a distribution are those of this Ubuntu."""


def _kind(tag: Tag) -> str:
    return "alpine" if tag.alpine is not None else "slim" if tag.is_slim else "fat"


def _holds(tag: Tag, release: str | None) -> frozenset[str]:
    """What an image on buildpack-deps, on debian or on alpine holds."""
    if tag.alpine is not None:
        return contents.ALPINE
    if tag.is_slim:
        return contents.debian(release)
    libraries = contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, "debian", release)
    return contents.debian(release) | contents.BUILDPACK | libraries


def _users(tag: Tag) -> dict[str, tuple[int, int]]:
    return dict(contents.ALPINE_USERS if tag.alpine is not None else contents.DEBIAN_USERS)


def _beam(text: str, family: str, tag: Tag, otp: int | None, is_line: bool, cmd: str, programs: set[str]) -> BaseImage:
    release = _ERLANG.get(otp or max(_ERLANG)) if is_line else None
    floating = is_line and (otp or max(_ERLANG)) >= _STILL_BUILT_ERLANG
    system = on_alpine(tag.alpine) if tag.alpine is not None else on_apt("debian", release, floating)
    return BaseImage(
        text,
        family,
        tag.version,
        _kind(tag),
        users=_users(tag),
        cmd=(cmd,),
        env={"PATH": contents.PATH, **({"LANG": "C.UTF-8"} if family == "elixir" else {})},
        preinstalled=frozenset(_holds(tag, system["release"]) | programs),
        sources=(
            "https://github.com/erlang/docker-erlang-otp",
            *(("https://github.com/erlef/docker-elixir",) if family == "elixir" else ()),
            _HUB + family,
        ),
        **system,
    )


def _erlang(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    if number is None or tag.words not in ((), ("latest",)) or tag.release:
        return None
    # A full version stays on the release that it was last built on, which only the repository's history knows.
    return _beam(text, "erlang", tag, number[0] if number else None, len(number) < 2, "erl", {"erl", "rebar3"})


def _elixir(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    words = [word for word in tag.words if word != "latest"]
    if number is None or tag.release or (words and (len(words) != 2 or words[0] != "otp" or not words[1].isdigit())):
        return None
    otp = int(words[1]) if words else _ELIXIR.get(number[:2])
    if number and otp is None:
        return None
    return _beam(text, "elixir", tag, otp, len(number) < 3, "iex", {"elixir", "erl", "iex", "mix"})


def _hexpm(text: str, reference: Reference) -> BaseImage | None:
    """`1.17.2-erlang-27.0.1-debian-bookworm-20240722-slim`, `...-alpine-3.20.2`, `...-ubuntu-noble-20240801`."""
    found = re.fullmatch(
        r"(?:(\d[\w.]*(?:-rc\.\d+)?)-erlang-)?(\d[\d.]*(?:-rc\d)?)-(debian|ubuntu|alpine)-([a-z]+|\d[\d.]*)(-\d{8})?(-slim)?",
        reference.tag or "",
    )
    family = reference.name.rpartition("/")[2]
    if found is None or (found[1] is None) == (family == "elixir"):
        return None
    is_alpine = found[3] == "alpine"
    if not is_alpine and found[4] not in (
        contents.DEBIAN_RELEASES if found[3] == "debian" else contents.UBUNTU_RELEASES
    ):
        return None
    alpine = ".".join(found[4].split(".")[:2])
    programs = {"erl"} | ({"elixir", "iex", "mix"} if family == "elixir" else set())
    libraries = {"libstdc++", "ncurses", "ncurses-libs", "openssl"} if is_alpine else {"ca-certificates"} | (
        contents.runtime_libraries(frozenset({"libssl-dev"}), found[3], found[4])
    )  # fmt: skip
    return BaseImage(
        text,
        family,
        found[1] or found[2],
        "alpine" if is_alpine else "slim",
        users=dict(contents.ALPINE_USERS if is_alpine else contents.DEBIAN_USERS),
        cmd=("/bin/sh",) if is_alpine else ("bash",),
        env={} if is_alpine else {"LANG": "C.UTF-8"},
        preinstalled=frozenset(
            (contents.ALPINE if is_alpine else contents.debian(found[4]) if found[3] == "debian" else contents.UBUNTU)
            | programs
            | libraries
        ),
        sources=("https://github.com/hexpm/bob/tree/main/priv/scripts/docker",),
        **(on_alpine(alpine) if is_alpine else on_apt(found[3], found[4], False)),
    )


def _perl(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    words = [word for word in tag.words if word not in ("latest", "stable", "threaded")]
    # Older ones started in /root or /, and were built on other releases.
    if number is None or words or tag.alpine is not None or (len(number) > 1 and number[:2] < (5, 34)):
        return None
    if number and number[0] != 5:
        return None
    is_built = number[:2] in ((), (5,), (5, 40), (5, 42), (5, 44)) and len(number) < 3
    system = on_apt("debian", tag.release or ("trixie" if is_built else None), is_built and tag.release is None)
    holds = _holds(tag, system["release"])
    if tag.is_slim:
        holds |= {"ca-certificates", "make", "netbase", "zlib1g-dev", "libssl-dev"}
    return BaseImage(
        text,
        "perl",
        tag.version,
        _kind(tag),
        users=_users(tag),
        cmd=("perl", "-de0"),
        workdir="/usr/src/app",
        env={"PATH": contents.PATH},
        preinstalled=holds | {"cpanm", "cpm", "perl"},
        sources=("https://github.com/perl/docker-perl", _HUB + "perl"),
        **system,
    )


def _haskell(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    if number is None or tag.words not in ((), ("latest",)) or tag.alpine is not None:
        return None
    return BaseImage(
        text,
        "haskell",
        tag.version,
        _kind(tag),
        users=_users(tag),
        cmd=("ghci",),
        env={"LANG": "C.UTF-8"},
        preinstalled=contents.debian(tag.release)
        | frozenset("ca-certificates cabal curl dpkg-dev g++ gcc ghc git gnupg libc6-dev libffi-dev libgmp-dev".split())
        | frozenset("libnuma-dev libtinfo-dev make netbase stack xz-utils zlib1g-dev".split()),
        sources=("https://github.com/haskell/docker-haskell", _HUB + "haskell"),
        **on_apt("debian", tag.release, tag.release is None),
    )


def _swift(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    words = [word for word in tag.words if word != "latest"]
    if number is None or tag.alpine is not None or len(words) > 2:
        return None
    system: dict[str, Any]
    if not words:
        distro = "debian" if tag.release in contents.DEBIAN_RELEASES else "ubuntu"
        first = number if len(number) > 1 else (number or (6,)) + (99,)
        release = tag.release or next((name for since, name in _SWIFT if since <= first), None)
        system = on_apt(distro, release, not tag.release and len(number) < 3)
    elif words[0].startswith("amazonlinux"):
        release = words[0].removeprefix("amazonlinux")
        system = on_rpm("amazon", release or None, "yum" if release == "2" else "dnf")
    elif words[:1] == ["rhel"] and words[-1].startswith("ubi"):
        system = on_rpm("ubi", words[-1].removeprefix("ubi") or None, "dnf")
    else:
        return None
    holds = {"tzdata"} if tag.is_slim else {"binutils", "git", "swift", "tzdata"}
    is_apt = system["package_manager"] == "apt"
    return BaseImage(
        text,
        "swift",
        tag.version,
        _kind(tag),
        users=_users(tag) if is_apt else {},
        cmd=("/bin/bash",),
        env={"PATH": contents.PATH},
        preinstalled=frozenset(holds) | (contents.UBUNTU if is_apt else {"bash", "coreutils"}),
        sources=("https://github.com/swiftlang/swift-docker", _HUB + "swift"),
        **system,
    )


def _gcc(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else ()
    if number is None or tag.words not in ((), ("latest",)) or tag.alpine is not None or tag.is_slim:
        return None
    release = tag.release or (_GCC.get(number[0] if number else max(_GCC)) if len(number) < 3 else None)
    return BaseImage(
        text,
        "gcc",
        tag.version,
        "fat",
        users=_users(tag),
        cmd=("bash",),
        env={"PATH": contents.PATH},
        preinstalled=_holds(tag, release) | {"g++", "gcc", "gfortran", "make"},
        sources=("https://github.com/docker-library/gcc", _HUB + "gcc"),
        **on_apt("debian", release, tag.release is None and (not number or number[0] in _GCC)),
    )


def _corretto(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "full", "generic", "native", "jdk")]
    kinds = [word for word in words if word in ("jre", "headless", "headful")]
    systems = [word for word in words if word.startswith("al2")]
    if len(kinds) + len(systems) != len(words) or len(kinds) > 1 or len(systems) > 1 or tag.is_slim:
        return None
    system: dict[str, Any]
    if tag.alpine is not None:
        system = on_alpine(tag.alpine)
    else:
        # A tag without one was Amazon Linux 2 until July 2026 and is 2023 since.
        release = {"al2": "2", "al2023": "2023"}.get(systems[0]) if systems else None
        system = on_rpm("amazon", release, "yum" if release == "2" else "dnf")
    major = tag.version.split(".")[0].split("u")[0]
    name = "1.8.0" if major == "8" else major
    home = f"/usr/lib/jvm/java-{name}-amazon-corretto" if tag.alpine is None else "/usr/lib/jvm/default-jvm"
    kind = "jre" if kinds else "jdk"
    return BaseImage(
        text,
        "amazoncorretto",
        tag.version,
        f"{kind}-alpine" if tag.alpine is not None else kind,
        users=_users(tag) if tag.alpine is not None else {},
        env={"LANG": "C.UTF-8", **({"JAVA_HOME": home} if major else {})},
        preinstalled=frozenset({"java"} if kinds else {"java", "javac"})
        | (contents.ALPINE if tag.alpine is not None else {"bash", "ca-certificates", "coreutils", "curl"}),
        sources=("https://github.com/corretto/corretto-docker", _HUB + "amazoncorretto"),
        **system,
    )


def _tomcat(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "temurin", "openjdk")]
    kinds = [word[:3] for word in words if word.startswith(("jdk", "jre")) and word[3:].isdigit()]
    number = version_of(tag.version) if tag.version else ()
    # Before 2022 a tag without a word stood for OpenJDK's Debian images; slim and alpine ones ended then.
    if len(number or ()) > 2 and not tag.release and "temurin" not in tag.words:
        return None
    if number is None or len(kinds) != len(words) or len(kinds) > 1 or tag.is_slim or tag.alpine is not None:
        return None
    if "openjdk" in tag.words or tag.release in contents.DEBIAN_RELEASES:
        system = on_apt("debian", tag.release, tag.release is None)
    else:
        system = on_apt("ubuntu", tag.release, tag.release is None and len(number) < 3)
    kind = kinds[0] if kinds else "jdk"
    home = "/usr/local/tomcat"
    return BaseImage(
        text,
        "tomcat",
        tag.version,
        kind,
        users=dict(contents.DEBIAN_USERS),
        cmd=("catalina.sh", "run"),
        ports=(8080,),
        workdir=home,
        env={"CATALINA_HOME": home, "PATH": f"{home}/bin:/opt/java/openjdk/bin:{contents.PATH}"},
        preinstalled=contents.UBUNTU | {"ca-certificates", "java", "tomcat"} | ({"javac"} if kind == "jdk" else set()),
        sources=("https://github.com/docker-library/tomcat", _HUB + "tomcat"),
        **system,
    )


def _caddy(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word != "latest"]
    if words not in ([], ["builder"]) or tag.is_slim or tag.release:
        return None
    # Caddy has no image on another Linux: a tag without a word is the one on Alpine.
    system = on_alpine(tag.alpine)
    is_builder = bool(words)
    holds = {"ca-certificates", "curl", "libcap"} | ({"git", "go", "xcaddy"} if is_builder else {"caddy", "mailcap"})
    return BaseImage(
        text,
        "caddy",
        tag.version,
        "builder" if is_builder else "alpine",
        users=dict(contents.ALPINE_USERS),
        cmd=() if is_builder else ("caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"),
        ports=() if is_builder else (80, 443, 2019),
        workdir="/usr/bin" if is_builder else "/srv",
        env={"PATH": contents.PATH} if is_builder else {"XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
        preinstalled=contents.ALPINE | holds,
        sources=("https://github.com/caddyserver/caddy-docker", _HUB + "caddy"),
        **system,
    )


def _oracle(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    number = version_of(tag.version) if tag.version else None
    if number is None or tag.words or tag.release or tag.alpine is not None:
        # There is no `latest` of oraclelinux any more.
        return None
    manager = "yum" if number[0] < 8 else "microdnf" if tag.is_slim else "dnf"
    return _enterprise(text, "oraclelinux", tag.version, _kind(tag), on_rpm("oracle", str(number[0]), manager),
                       "https://github.com/oracle/container-images")  # fmt: skip


def _ubi(major: str, is_minimal: bool) -> Callable[[str, Reference], BaseImage | None]:
    def read(text: str, reference: Reference) -> BaseImage | None:
        manager = "microdnf" if is_minimal else "yum" if major == "7" else "dnf"
        return _enterprise(text, "ubi", major, "minimal" if is_minimal else "fat", on_rpm("ubi", major, manager),
                           "https://catalog.redhat.com/software/base-images")  # fmt: skip

    return read


def _enterprise(text: str, family: str, version: str, variant: str, system: dict[str, Any], source: str) -> BaseImage:
    return BaseImage(
        text,
        family,
        version,
        variant,
        cmd=("/bin/bash",),
        env={"PATH": contents.PATH},
        preinstalled=frozenset(("bash", "ca-certificates", "coreutils", "curl")),
        sources=(source,),
        **system,
    )


def _fuzz_builder(text: str, reference: Reference) -> BaseImage | None:
    releases = {"ubuntu-20-04": "focal", "ubuntu-24-04": "noble"}
    tag = reference.tag or "latest"
    if tag not in (*releases, "latest"):
        return None
    return BaseImage(
        text,
        "oss-fuzz",
        "",
        "fat",
        cmd=("compile",),
        workdir="/src",
        env={"SRC": "/src", "OUT": "/out", "WORK": "/work"},
        preinstalled=contents.UBUNTU | {"git", "make", "zip", "jq", "python3"},
        sources=("https://github.com/google/oss-fuzz/tree/master/infra/base-images",),
        **on_apt("ubuntu", releases.get(tag), tag == "latest"),
    )


READERS: dict[str, Callable[[str, Reference], BaseImage | None]] = {
    "erlang": _erlang,
    "elixir": _elixir,
    "hexpm/elixir": _hexpm,
    "hexpm/erlang": _hexpm,
    "perl": _perl,
    "haskell": _haskell,
    "swift": _swift,
    "gcc": _gcc,
    "amazoncorretto": _corretto,
    "tomcat": _tomcat,
    "caddy": _caddy,
    "oraclelinux": _oracle,
    "ghcr.io/oracle/oraclelinux": _oracle,
    "container-registry.oracle.com/os/oraclelinux": _oracle,
    **{
        f"gcr.io/oss-fuzz-base/base-builder{language}": _fuzz_builder
        for language in ("", "-go", "-rust", "-python", "-jvm", "-javascript")
    },
    **{
        f"{place}{number}{dash}{suffix}": _ubi(number, suffix == "minimal")
        for number in ("7", "8", "9", "10")
        for place in ("registry.access.redhat.com/ubi", "registry.redhat.io/ubi", "redhat/ubi")
        for dash, suffix in (("", ""), ("/ubi", ""), ("-", "minimal"), ("/ubi-", "minimal"))
    },
}
