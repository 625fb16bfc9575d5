"""Families known in less detail: Java, .NET, Deno, httpd and the RPM distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refactor.images import contents
from refactor.images.base_image import BaseImage
from refactor.images.contents import on_alpine, on_apt, on_rpm
from refactor.images.history import version_of
from refactor.images.reference import Reference
from refactor.images.runtimes import bun, pypy, site
from refactor.images.since import has_come
from refactor.images.tag import Tag, read_tag

_HUB = "https://github.com/docker-library/official-images/blob/master/library/"


def read_more(text: str, reference: Reference) -> BaseImage | None:
    return _READERS[reference.name](text, reference, read_tag(reference.tag or "latest"))


def _java_system(tag: Tag, words: list[str], default: dict[str, Any]) -> dict[str, Any] | None:
    if tag.alpine is not None:
        return on_alpine(tag.alpine)
    if tag.release in contents.UBUNTU_RELEASES:
        return on_apt("ubuntu", tag.release, False)
    if tag.release:
        return on_apt("debian", tag.release, False)
    for word in words:
        if word.startswith(("ubi", "oracle")):
            number = word.lstrip("abcdefghijklmnopqrstuvwxyz") or None
            manager = "microdnf" if "minimal" in words or word.startswith("oracle") else "dnf"
            if word.startswith("oracle") and number == "7":
                manager = "yum"
            return on_rpm("oracle" if word.startswith("oracle") else "ubi", number, manager)
        if word.startswith("centos"):
            return on_rpm("centos", word[6:] or None, "yum")
    return default


def _temurin(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    # Java 8 has its build in a word of its own: 8u302-b08-jre.
    words = [word for word in tag.words if word != "latest" and not (word[:1] == "b" and word[1:].isdigit())]
    kind = "jre" if "jre" in words else "jdk"
    rest = [word for word in words if word not in ("jdk", "jre")]
    if any(not word.startswith(("ubi", "centos")) and word != "minimal" for word in rest) or tag.is_slim:
        return None
    # The default moved from focal to jammy, noble and (2026) resolute, at each Ubuntu LTS.
    system = _java_system(tag, rest, on_apt("ubuntu", "resolute", True))
    assert system is not None
    users: dict[str, tuple[int, int]] = {}
    holds = frozenset(("ca-certificates", "curl", "tzdata", "locales"))
    if system["package_manager"] == "apt":
        users = dict(contents.DEBIAN_USERS)
        if system["release"] in ("noble", "resolute"):
            users["ubuntu"] = (1000, 1000)
        holds |= contents.UBUNTU | {"wget", "fontconfig"}
    elif system["package_manager"] == "apk":
        # No curl there: busybox's wget fetches the JDK.
        users, holds = (
            dict(contents.ALPINE_USERS),
            (holds - {"curl"}) | contents.ALPINE | {"fontconfig", "musl-locales"},
        )
    return BaseImage(
        text,
        "eclipse-temurin",
        tag.version,
        f"{kind}-alpine" if tag.alpine is not None else kind,
        users=users,
        entrypoint=("/__cacert_entrypoint.sh",) if has_come("eclipse-temurin entrypoint", tag.version) else (),
        cmd=("jshell",) if kind == "jdk" and not tag.version.startswith("8") else (),
        env={"JAVA_HOME": "/opt/java/openjdk", "PATH": f"/opt/java/openjdk/bin:{contents.PATH}"},
        preinstalled=holds | ({"java", "javac"} if kind == "jdk" else {"java"}),
        sources=("https://github.com/adoptium/containers", _HUB + "eclipse-temurin"),
        **system,
    )


def _openjdk(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    words = [word for word in tag.words if word not in ("latest", "ea")]
    kind = "jre" if "jre" in words else "jdk"
    rest = [word for word in words if word not in ("jdk", "jre", "buster", "ea")]
    number = version_of(tag.version.split("u")[0].split("_")[0]) if tag.version else None
    major = number[0] if number else None
    if any(not word.startswith("oracle") for word in rest):
        return None
    # library/openjdk: Debian by default up to 11 and for every -slim, Oracle Linux from 12 on.
    default: dict[str, Any]
    if tag.is_slim and major is not None and 17 < major < 21:
        default = on_apt("debian", "bullseye", False)
    elif tag.is_slim and major is not None and major >= 21:
        default = on_apt("debian", "bookworm" if major < 25 else "trixie", False)
    elif tag.is_slim and major in (12, 13, 14, 15):
        default = on_apt("debian", "buster", False)
    elif tag.is_slim or (major is not None and major < 12):
        default = on_apt("debian", "bullseye" if major in (8, 11, 16, 17) else None, False)
    elif major is None:
        default = on_apt("debian", None, True)
    else:
        default = on_rpm("oracle", "8" if 14 <= major <= 21 else None, "microdnf")
    system = _java_system(tag, rest, default)
    assert system is not None
    if tag.alpine is not None:
        holds = contents.ALPINE
        users = dict(contents.ALPINE_USERS)
        home = f"/usr/lib/jvm/java-1.{major}-openjdk" if major and major < 9 else f"/opt/openjdk-{major}"
    else:
        holds = contents.debian(system["release"]) | {"ca-certificates"} if system["libc"] else frozenset()
        if system["distro"] == "debian":
            holds |= {"bzip2", "fontconfig", "p11-kit", "unzip", "wget", "xz-utils"} if not tag.is_slim else set()
            if not tag.is_slim and kind == "jdk":
                holds |= contents.SCM
        users = dict(contents.DEBIAN_USERS) if system["distro"] == "debian" else {}
        home = f"/usr/local/openjdk-{major}" if system["distro"] == "debian" else f"/usr/java/openjdk-{major}"
    variant = "alpine" if tag.alpine is not None else "slim" if tag.is_slim else "fat"
    return BaseImage(
        text,
        "openjdk",
        tag.version,
        f"{kind}-{variant}" if variant != "fat" else kind,
        users=users,
        cmd=("jshell",) if kind == "jdk" and (major or 0) > 8 else (),
        env={"JAVA_HOME": home, "PATH": f"{home}/bin:{contents.PATH}"} if major else {},
        preinstalled=frozenset(holds | ({"java", "javac"} if kind == "jdk" else {"java"})),
        sources=("https://github.com/docker-library/openjdk (retired)", _HUB + "openjdk"),
        **system,
    )


def _maven(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    entrypoint = ("/usr/local/bin/mvn-entrypoint.sh",) if has_come("maven entrypoint", tag.version) else ()
    return _java_builder(
        text, tag, "maven", entrypoint, ("mvn",), "mvn",
        {"MAVEN_HOME": "/usr/share/maven", "MAVEN_CONFIG": "/root/.m2"}, "/", {},
    )  # fmt: skip


def _gradle(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    return _java_builder(
        text, tag, "gradle", (), ("gradle",), "gradle",
        {"GRADLE_HOME": "/opt/gradle"}, "/home/gradle", {"gradle": (1000, 1000)},
    )  # fmt: skip


def _java_builder(
    text: str,
    tag: Tag,
    family: str,
    entrypoint: tuple[str, ...],
    cmd: tuple[str, ...],
    program: str,
    env: dict[str, str],
    workdir: str,
    own: dict[str, tuple[int, int]],
) -> BaseImage | None:
    # The JDK's version is in the words: maven:3.9-eclipse-temurin-21, gradle:8-jdk17,
    # maven:3-openjdk-11-slim.
    words = [word for word in tag.words if word != "latest"]
    vendor = "-".join(word for word in words if not word.isdigit() and word not in ("jdk", "jre"))
    system: dict[str, Any]
    if tag.alpine is not None:
        system = on_alpine(tag.alpine)
    elif "amazoncorretto" in vendor and "debian" not in vendor:
        system = on_rpm("amazon", "2023" if "al2023" in vendor else None, "dnf" if "al2023" in vendor else "yum")
    elif "openjdk" in vendor and "adopt" not in vendor:
        number = next((int(word) for word in words if word.isdigit()), None)
        on_debian = tag.is_slim or number in (8, 11)
        system = on_apt("debian", None, True) if on_debian else on_rpm("oracle", None, "microdnf")
    elif tag.release in contents.UBUNTU_RELEASES:
        system = on_apt("ubuntu", tag.release, False)
    elif tag.release:
        system = on_apt("debian", tag.release, False)
    else:
        system = on_apt("ubuntu", None, True)
    is_apk = system["package_manager"] == "apk"
    return BaseImage(
        text,
        family,
        tag.version,
        "alpine" if is_apk else "slim" if tag.is_slim else "fat",
        users={**own, **(contents.ALPINE_USERS if is_apk else contents.DEBIAN_USERS)},
        entrypoint=entrypoint,
        cmd=cmd,
        workdir=workdir,
        env=env,
        preinstalled=frozenset(("java", "javac", program, "ca-certificates", "git", "unzip")),
        sources=(_HUB + family,),
        **system,
    )


def _composer(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    if tag.words not in ((), ("latest",)) or tag.is_slim or tag.release or tag.alpine is not None:
        return None
    return BaseImage(
        text,
        "composer",
        tag.version,
        "alpine",
        "alpine",
        None,
        "musl",
        True,
        contents.ALPINE_SHELLS,
        "apk",
        {"www-data": (82, 82), **contents.ALPINE_USERS},
        entrypoint=("/docker-entrypoint.sh",),
        cmd=("composer",),
        workdir="/app",
        env={"COMPOSER_HOME": "/tmp", "COMPOSER_ALLOW_SUPERUSER": "1"},
        preinstalled=contents.ALPINE | {"bash", "composer", "git", "openssh-client", "php", "unzip", "zip"},
        sources=("https://github.com/composer/docker", _HUB + "composer"),
    )


def _httpd(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    if tag.words not in ((), ("latest",)) or tag.is_slim:
        return None
    is_alpine = tag.alpine is not None
    system = on_alpine(tag.alpine) if is_alpine else on_apt("debian", tag.release, tag.release is None)
    return BaseImage(
        text,
        "httpd",
        tag.version,
        "alpine" if is_alpine else "fat",
        users={"nobody": (65534, 65534), "www-data": (82, 82) if is_alpine else (33, 33)},
        cmd=("httpd-foreground",),
        ports=(80,),
        workdir="/usr/local/apache2",
        env={"PATH": f"/usr/local/apache2/bin:{contents.PATH}", "HTTPD_PREFIX": "/usr/local/apache2"},
        preinstalled=frozenset(("ca-certificates", "httpd")),
        sources=("https://github.com/docker-library/httpd", _HUB + "httpd"),
        **system,
    )


def _deno(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
    kind = next((word for word in tag.words if word in ("debian", "ubuntu", "distroless", "bin")), "debian")
    rest = [word for word in tag.words if word not in ("latest", kind)]
    if kind == "debian" and tag.words[:1] == ("alpine",):
        return None
    # Up to 1.x the tag was debian-1.20.0, since then 1.20.0 or debian.
    if rest and version_of(rest[0]) is None:
        return None
    version = tag.version or (rest[0] if rest else "")
    if kind == "bin":
        return None
    is_alpine = tag.alpine is not None
    system: dict[str, Any]
    if is_alpine:
        # alpine-1.20.0 names the version of Deno.
        version, system = tag.alpine or "", on_alpine(None)
    elif kind == "distroless":
        system = {"distro": "debian", "release": None, "libc": "glibc", "is_floating": True}
    else:
        system = on_apt(kind, None, True)
    return BaseImage(
        text,
        "deno",
        version,
        "alpine" if is_alpine else kind if kind != "debian" else "fat",
        users={} if kind == "distroless" else _deno_user(version, is_alpine),
        entrypoint=_deno_entrypoint(version, kind),
        env={"DENO_DIR": "/deno-dir/"},
        preinstalled=frozenset(("deno", "ca-certificates")),
        sources=("https://github.com/denoland/deno_docker",),
        **system,
    )


def _deno_user(version: str, is_alpine: bool) -> dict[str, tuple[int, int]]:
    if is_alpine and has_come("deno alpine user of 1000", version):
        return {"deno": (1000, 1000)}
    # Which of the two 1.10.1 has is not known.
    is_known = has_come("deno user", version) and not (is_alpine and version == "1.10.1")
    return {"deno": (1993, 1993)} if is_known else {}


def _deno_entrypoint(version: str, kind: str) -> tuple[str, ...]:
    """() where it is not known: before 1.3 it changed with nearly each version."""
    if kind == "distroless":
        return ("/tini", "--", "/bin/deno") if has_come("deno tini", version) else ("/bin/deno",)
    if has_come("deno tini", version):
        return ("/tini", "--", "docker-entrypoint.sh")
    return ("docker-entrypoint.sh",) if has_come("deno entrypoint", version) else ()


def _dotnet(kind: str) -> Callable[[str, Reference, Tag], BaseImage | None]:
    def read(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
        words = [word for word in tag.words if word not in ("latest", "amd64", "arm64v8", "arm32v7", "aot")]
        codename = next(
            (word for word in words for name in ("azurelinux", "cbl", "mariner") if word.startswith(name)),
            None,
        )
        is_chiseled = "chiseled" in words
        if not set(words) - {"chiseled", "extra", "composite", "preview", "distroless"} <= {codename}:
            return None
        number = version_of(tag.version) if tag.version else None
        major = number[0] if number else None
        system: dict[str, Any]
        if tag.alpine is not None:
            system = on_alpine(tag.alpine)
        elif codename:
            system = on_rpm("azurelinux", codename.removeprefix("azurelinux") or None, "tdnf")
        elif tag.release in contents.UBUNTU_RELEASES:
            system = on_apt("ubuntu", tag.release, False)
        elif tag.release:
            system = on_apt("debian", tag.release, False)
        elif major is None:
            system = on_apt("debian", None, True)
        else:
            # The default of a version does not move: dotnet-docker, "Supported tags".
            releases = {2: "stretch", 3: "buster", 5: "buster", 6: "bullseye", 7: "bullseye"}
            release = releases.get(major, "bookworm")
            system = on_apt("debian", release, False) if major < 10 else on_apt("ubuntu", "noble", major > 10)
        if is_chiseled or "distroless" in words:
            system = {**system, "shells": (), "package_manager": None}
        # The chiseled images of .NET 6 and 7 had another id at first (101), those of their lines end with this one.
        has_user = has_come("dotnet user", tag.version) or (is_chiseled and len(number or ()) < 3)
        own = {"app": (1654, 1654)} if has_user else {}
        common = contents.ALPINE_USERS if tag.alpine is not None else contents.DEBIAN_USERS
        port = 8080 if is_chiseled or has_come("dotnet user", tag.version) else 80
        env = {"DOTNET_RUNNING_IN_CONTAINER": "true"}
        if kind in ("aspnet", "runtime", "runtime-deps"):
            if has_come("dotnet user", tag.version):
                env |= {"ASPNETCORE_HTTP_PORTS": "8080", "APP_UID": "1654"}
            elif kind == "aspnet":
                env |= {"ASPNETCORE_URLS": f"http://+:{port}"}
        holds = {"ca-certificates", "tzdata"} | (set() if kind == "runtime-deps" else {"dotnet"})
        if kind == "sdk":
            holds |= {"curl", "git", "wget"}
        return BaseImage(
            text,
            "dotnet",
            tag.version,
            f"{kind}-chiseled" if is_chiseled else f"{kind}-alpine" if tag.alpine is not None else kind,
            users={**own, **common},
            default_user=("1654" if own else "app") if is_chiseled else "root",
            entrypoint=(),
            cmd=() if tag.alpine is None else ("/bin/sh",),
            ports=(port,) if kind == "aspnet" else (),
            env=env,
            preinstalled=frozenset(holds),
            sources=("https://github.com/dotnet/dotnet-docker",),
            **system,
        )

    return read


def _rpm_family(family: str) -> Callable[[str, Reference, Tag], BaseImage | None]:
    def read(text: str, reference: Reference, tag: Tag) -> BaseImage | None:
        version = tag.version or next((word for word in tag.words if word[-1:].isdigit()), "")
        release = version.removeprefix("centos").removeprefix("stream") or None
        number = version_of(release) if release else None
        is_minimal = "minimal" in tag.words
        manager = "microdnf" if is_minimal else "dnf"
        if family == "centos" and (number is None or number[0] < 8 or number[0] > 10):
            manager = "yum" if number is not None and number[0] < 8 else "dnf"
        if family == "amazonlinux":
            # Amazon Linux 1 and 2 come with yum, 2023 with dnf (yum is a link to it).
            manager = "yum" if number is not None and number[0] in (1, 2) else "dnf"
        return BaseImage(
            text,
            family,
            version,
            "minimal" if is_minimal else "fat",
            cmd=("/bin/bash",),
            env={"PATH": contents.PATH},
            preinstalled=frozenset(("bash", "ca-certificates", "coreutils", "curl")),
            sources=(_HUB + family,),
            **on_rpm({"amazonlinux": "amazon", "rockylinux": "rocky", "almalinux": "alma"}.get(family, family),
                   release, manager),
        )  # fmt: skip

    return read


_READERS: dict[str, Callable[[str, Reference, Tag], BaseImage | None]] = {
    "eclipse-temurin": _temurin,
    "openjdk": _openjdk,
    "maven": _maven,
    "gradle": _gradle,
    "composer": _composer,
    "httpd": _httpd,
    "oven/bun": bun,
    "pypy": pypy,
    "klakegg/hugo": site("hugo", "https://github.com/klakegg/docker-hugo", "/src", ("hugo",), (), 1313),
    "hugomods/hugo": site(
        "hugo", "https://github.com/hugomods/docker", "/src", ("docker-entrypoint.sh",), ("hugo",), 1313
    ),
    "squidfunk/mkdocs-material": site(
        "mkdocs-material",
        "https://github.com/squidfunk/mkdocs-material",
        "/docs",
        ("mkdocs",),
        ("serve", "--dev-addr=0.0.0.0:8000"),
        8000,
    ),
    "jekyll/jekyll": site(
        "jekyll",
        "https://github.com/envygeeks/jekyll-docker",
        "/srv/jekyll",
        ("/usr/jekyll/bin/entrypoint",),
        ("jekyll", "--help"),
        4000,
    ),
    "denoland/deno": _deno,
    "fedora": _rpm_family("fedora"),
    "centos": _rpm_family("centos"),
    "rockylinux": _rpm_family("rockylinux"),
    "almalinux": _rpm_family("almalinux"),
    "amazonlinux": _rpm_family("amazonlinux"),
    "mcr.microsoft.com/dotnet/sdk": _dotnet("sdk"),
    "mcr.microsoft.com/dotnet/aspnet": _dotnet("aspnet"),
    "mcr.microsoft.com/dotnet/runtime": _dotnet("runtime"),
    "mcr.microsoft.com/dotnet/runtime-deps": _dotnet("runtime-deps"),
    # .NET Core up to 3.1 had a folder of its own.
    "mcr.microsoft.com/dotnet/core/sdk": _dotnet("sdk"),
    "mcr.microsoft.com/dotnet/core/aspnet": _dotnet("aspnet"),
    "mcr.microsoft.com/dotnet/core/runtime": _dotnet("runtime"),
    "mcr.microsoft.com/dotnet/core/runtime-deps": _dotnet("runtime-deps"),
}
MORE_NAMES = tuple(_READERS)
