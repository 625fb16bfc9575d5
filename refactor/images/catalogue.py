"""Look up what is known of a base image."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from refactor.images import contents
from refactor.images.base_image import BaseImage
from refactor.images.contents import on_alpine, on_apt
from refactor.images.history import default_release, is_floating, is_known, version_of
from refactor.images.more_families import MORE_NAMES, read_more
from refactor.images.reference import Reference, parse_reference
from refactor.images.since import has_come
from refactor.images.tag import Tag, read_tag

_HUB = "https://github.com/docker-library/official-images/blob/master/library/"
_NODE_LTS = {
    "argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14",
    "gallium": "16", "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}  # fmt: skip


@lru_cache(maxsize=512)
def lookup(reference: str) -> BaseImage | None:
    """What is known of a base image, or None.

    Official images are known under Docker Hub's names and in mirrors that keep the `library/` namespace.
    A reference with a variable in it, a tag this catalogue cannot read (Windows, release candidates with
    unknown suffixes) and any other repository are unknown.
    """
    text = reference.strip()
    if not text or "$" in text or any(char.isspace() for char in text):
        return None
    parsed = parse_reference(text)
    if parsed.name == "scratch":
        return None if parsed.tag or parsed.digest else _scratch(text)
    read = _READERS.get(parsed.name)
    if read is not None:
        # A digest without a tag says which image it is, but not to us.
        return None if parsed.digest and not parsed.tag else read(text, parsed)
    if parsed.name.startswith("gcr.io/distroless/"):
        from refactor.images.distroless import read_distroless

        return read_distroless(text, parsed)
    if parsed.digest and not parsed.tag:
        return None
    from refactor.images import php_images
    from refactor.images.language_images import READERS

    reader, above = READERS.get(parsed.name), php_images.READERS.get(parsed.name)
    return reader(text, parsed) if reader else above(text, parsed, lookup) if above else None


def _scratch(text: str) -> BaseImage:
    return BaseImage(text, "scratch", "", "scratch", None, None, None, sources=("https://hub.docker.com/_/scratch",))


def _system(tag: Tag, family: str, version: str) -> dict[str, Any] | None:
    """Fields that follow from the distribution an image of that family and tag is built on."""
    if tag.alpine is not None:
        return on_alpine(tag.alpine)
    if tag.release in contents.UBUNTU_RELEASES:
        distro, release, floating = "ubuntu", tag.release, False
    elif tag.release is not None:
        distro, release, floating = "debian", tag.release, False
    else:
        number = version_of(version) if version else None
        if version and number is None:
            distro, release, floating = "debian", None, True
        else:
            if number is not None and not is_known(family, number):
                distro, release, floating = "debian", None, False
            else:
                distro = "debian"
                release = default_release(family, number)
                floating = is_floating(family, number)
    return on_apt(distro, release, floating)


def _variant(tag: Tag) -> str:
    return "alpine" if tag.alpine is not None else "slim" if tag.is_slim else "fat"


def _users(tag: Tag, own: dict[str, tuple[int, int]] | None = None) -> dict[str, tuple[int, int]]:
    common = contents.ALPINE_USERS if tag.alpine is not None else contents.DEBIAN_USERS
    return {**(own or {}), **common}


def _node(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "current")]
    version = tag.version
    if words and words[0] == "lts":
        words = words[1:]
    if words and words[0] in _NODE_LTS:
        version = _NODE_LTS[words[0]]
        words = words[1:]
    if words or version.endswith("rc"):
        return None
    system = _system(tag, "node", version)
    assert system is not None
    if "lts" in tag.words and not version and tag.alpine is None and tag.release is None:
        system["release"] = "bookworm"
    number = version_of(version) if version else None
    major = number[0] if number else None
    tools = {"node", "npm"}
    if major is None or major < 26:
        # nodejs/docker-node dropped Yarn 1 with Node 26, Node itself dropped corepack with 25.
        tools.add("yarn")
    if major is not None and (16 < major < 25 or (major == 16 and number is not None and number[1:2] >= (9,))):
        tools.add("corepack")
    if tag.alpine is not None:
        holds = contents.ALPINE | {"libstdc++"}
    elif tag.is_slim:
        holds = contents.debian(system["release"])
    else:
        holds = (
            contents.debian(system["release"])
            | contents.BUILDPACK
            | contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, "debian", system["release"])
        )
    return BaseImage(
        text,
        "node",
        version,
        _variant(tag),
        users=_users(tag, {"node": (1000, 1000)} if has_come("node user", version) else None),
        # The script runs `node` when the command is a flag or no program.
        entrypoint=("docker-entrypoint.sh",) if has_come("node entrypoint", version) else (),
        cmd=("node",),
        env={"PATH": contents.PATH},
        preinstalled=frozenset(holds | tools),
        sources=("https://github.com/nodejs/docker-node", _HUB + "node"),
        **system,
    )


def _python(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "rc")]
    if words:
        return None
    system = _system(tag, "python", tag.version)
    assert system is not None
    if "rc" in tag.words and tag.release is None:
        system["release"] = None
    if tag.alpine is not None:
        holds = contents.ALPINE | {
            "ca-certificates",
            "tzdata",
            "libffi",
            "sqlite-libs",
            "readline",
            "xz-libs",
        }
    else:
        dev = contents.PYTHON_SLIM_LIBRARIES
        holds = contents.debian(system["release"]) | {"ca-certificates", "netbase", "tzdata"}
        if not tag.is_slim:
            holds |= contents.BUILDPACK | {"libbluetooth-dev", "tk-dev", "uuid-dev"}
            dev = dev | contents.BUILDPACK_LIBRARIES
        holds |= contents.runtime_libraries(dev, "debian", system["release"])
    number = version_of(tag.version)
    tools = {"python", "python3", "pip", "pip3"} if number is None or number[0] >= 3 else {"python", "pip"}
    if number is not None and number < (3, 12):
        # docker-library/python leaves setuptools and wheel out from 3.12 on.
        tools |= {"setuptools", "wheel"}
    return BaseImage(
        text,
        "python",
        tag.version,
        _variant(tag),
        users=_users(tag),
        cmd=("python2",) if number is not None and number[0] == 2 else ("python3",),
        env={"PATH": f"/usr/local/bin:{contents.PATH}", "LANG": "C.UTF-8"},
        preinstalled=frozenset(holds | tools),
        sources=("https://github.com/docker-library/python", _HUB + "python"),
        **system,
    )


def _golang(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "rc")]
    if words or tag.is_slim:
        return None
    system = _system(tag, "golang", tag.version)
    assert system is not None
    if tag.alpine is not None:
        holds = contents.ALPINE | {"ca-certificates"}
    else:
        holds = (
            contents.debian(system["release"])
            | contents.SCM
            | {"g++", "gcc", "libc6-dev", "make", "pkg-config", "binutils"}
        )
    return BaseImage(
        text,
        "golang",
        tag.version,
        _variant(tag),
        users=_users(tag),
        cmd=("sh",) if tag.alpine is not None else ("bash",),
        workdir="/go",
        env={"PATH": f"/go/bin:/usr/local/go/bin:{contents.PATH}", "GOPATH": "/go"},
        preinstalled=frozenset(holds | {"go"}),
        sources=("https://github.com/docker-library/golang", _HUB + "golang"),
        **system,
    )


def _rust(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    if [word for word in tag.words if word != "latest"]:
        return None
    system = _system(tag, "rust", tag.version)
    assert system is not None
    if tag.alpine is not None:
        holds = contents.ALPINE | {"ca-certificates", "gcc", "musl-dev"}
    elif tag.is_slim:
        holds = contents.debian(system["release"]) | {"ca-certificates", "gcc", "libc6-dev"}
    else:
        holds = (
            contents.debian(system["release"])
            | contents.BUILDPACK
            | contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, "debian", system["release"])
        )
    return BaseImage(
        text,
        "rust",
        tag.version,
        _variant(tag),
        users=_users(tag),
        cmd=("/bin/sh",) if tag.alpine is not None else ("bash",),
        env={
            "PATH": f"/usr/local/cargo/bin:{contents.PATH}",
            "RUSTUP_HOME": "/usr/local/rustup",
            "CARGO_HOME": "/usr/local/cargo",
        },
        preinstalled=frozenset(holds | {"cargo", "rustc", "rustup"}),
        sources=("https://github.com/rust-lang/docker-rust", _HUB + "rust"),
        **system,
    )


def _ruby(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    if [word for word in tag.words if word != "latest"]:
        return None
    system = _system(tag, "ruby", tag.version)
    assert system is not None
    if tag.alpine is not None:
        holds = contents.ALPINE | {"bzip2", "ca-certificates", "gmp-dev", "libffi-dev", "procps", "yaml-dev"}
        holds |= {"zlib-dev"}
    elif tag.is_slim:
        holds = contents.debian(system["release"]) | {"bzip2", "ca-certificates", "procps"}
        holds |= {"libffi-dev", "libgmp-dev", "libssl-dev", "libyaml-dev", "zlib1g-dev"}
    else:
        holds = (
            contents.debian(system["release"])
            | contents.BUILDPACK
            | contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, "debian", system["release"])
        )
    return BaseImage(
        text,
        "ruby",
        tag.version,
        _variant(tag),
        users=_users(tag),
        cmd=("irb",),
        env={
            "PATH": f"/usr/local/bundle/bin:{contents.PATH}",
            "LANG": "C.UTF-8",
            "GEM_HOME": "/usr/local/bundle",
            "BUNDLE_APP_CONFIG": "/usr/local/bundle",
            "BUNDLE_SILENCE_ROOT_WARNING": "1",
        },
        preinstalled=frozenset(holds | {"ruby", "gem", "bundle"}),
        sources=("https://github.com/docker-library/ruby", _HUB + "ruby"),
        **system,
    )


def _php(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    kinds = [word for word in tag.words if word != "latest"]
    if len(kinds) > 1 or tag.is_slim or not set(kinds) <= {"cli", "fpm", "apache", "zts"}:
        return None
    kind = kinds[0] if kinds else "cli"
    system = _system(tag, "php", tag.version)
    assert system is not None
    # Alpine's own www-data is 82, Debian's 33; php-fpm and apache start as root and drop to it.
    www = (82, 82) if tag.alpine is not None else (33, 33)
    if tag.alpine is not None:
        holds = contents.ALPINE | {"ca-certificates", "curl", "openssl", "tar", "xz"}
    else:
        holds = contents.debian(system["release"]) | {
            "autoconf", "ca-certificates", "curl", "dpkg-dev", "file", "g++", "gcc", "libc-dev", "make",
            "pkg-config", "re2c", "xz-utils",
        }  # fmt: skip
    commands = {"cli": ("php", "-a"), "zts": ("php", "-a"), "fpm": ("php-fpm",)}
    return BaseImage(
        text,
        "php",
        tag.version,
        f"{kind}-alpine" if tag.alpine is not None else kind,
        users={**_users(tag), "www-data": www},
        entrypoint=("docker-php-entrypoint",) if has_come("php entrypoint", tag.version) else (),
        cmd=commands.get(kind, ("apache2-foreground",)),
        ports={"fpm": (9000,), "apache": (80,)}.get(kind, ()),
        workdir="/var/www/html" if kind in ("fpm", "apache") else "/",
        env={"PATH": contents.PATH, "PHP_INI_DIR": "/usr/local/etc/php"},
        preinstalled=frozenset(holds | {"php"}),
        sources=("https://github.com/docker-library/php", _HUB + "php"),
        **system,
    )


def _debian(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    version, release, floating = tag.version, tag.release, False
    words = [word for word in tag.words if not (word.isdigit() and len(word) == 8)]
    if version:
        release = contents.DEBIAN_NUMBERS.get(version.split(".")[0])
    elif words in (["latest"], ["stable"]) or (not words and not release and tag.is_slim):
        release, floating = "trixie", True
        words = []
    elif words == ["oldstable"]:
        release, floating, words = "bookworm", True, []
    elif words in (["testing"], ["unstable"]):
        words, floating = [], True
    if words == ["backports"]:
        words = []
    if words or (release is None and not floating):
        return None
    return BaseImage(
        text,
        "debian",
        version,
        "slim" if tag.is_slim else "fat",
        "debian",
        release,
        "glibc",
        floating,
        contents.DEBIAN_SHELLS,
        "apt",
        dict(contents.DEBIAN_USERS),
        cmd=("bash",),
        env={"PATH": contents.PATH},
        preinstalled=contents.debian(release),
        sources=("https://github.com/debuerreotype/docker-debian-artifacts", _HUB + "debian"),
    )


def _ubuntu(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    release, floating = tag.release, False
    words = [word for word in tag.words if not word.replace(".", "").isdigit()]
    if tag.version:
        release = contents.UBUNTU_NUMBERS.get(tag.version)
    elif words == ["latest"]:
        release, floating, words = "resolute", True, []
    elif words in (["rolling"], ["devel"]):
        floating, words = True, []
    if words or tag.is_slim or (release is None and not floating):
        return None
    users = dict(contents.DEBIAN_USERS)
    if release in ("mantic", "noble", "oracular", "plucky", "questing", "resolute"):
        # The cloud image's first user has been part of the container image since 23.04.
        users["ubuntu"] = (1000, 1000)
    return BaseImage(
        text,
        "ubuntu",
        tag.version,
        "fat",
        "ubuntu",
        release,
        "glibc",
        floating,
        contents.DEBIAN_SHELLS,
        "apt",
        users,
        cmd=("/bin/bash",),
        env={"PATH": contents.PATH},
        preinstalled=contents.UBUNTU,
        sources=(_HUB + "ubuntu",),
    )


def _alpine(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    if tag.words not in ((), ("latest",), ("edge",)) or tag.is_slim or tag.release or tag.alpine is not None:
        return None
    number = version_of(tag.version) if tag.version else None
    if tag.version and number is None:
        return None
    release = ".".join(str(part) for part in number[:2]) if number and len(number) > 1 else None
    return BaseImage(
        text,
        "alpine",
        tag.version,
        "alpine",
        "alpine",
        release,
        "musl",
        release is None,
        contents.ALPINE_SHELLS,
        "apk",
        dict(contents.ALPINE_USERS),
        cmd=("/bin/sh",),
        env={"PATH": contents.PATH},
        preinstalled=contents.ALPINE,
        sources=("https://github.com/alpinelinux/docker-alpine", _HUB + "alpine"),
    )


def _busybox(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    libc: str | None = None
    words = [word for word in tag.words if word not in ("latest", "stable", "unstable")]
    if words in (["glibc"], ["musl"], ["uclibc"]):
        libc = words[0]
    elif words:
        return None
    return BaseImage(
        text,
        "busybox",
        tag.version,
        libc or "fat",
        None,
        None,
        libc,
        shells=("/bin/sh", "/bin/ash"),
        users={"www-data": (33, 33), "nobody": (65534, 65534)},
        cmd=("sh",),
        env={"PATH": contents.PATH},
        preinstalled=frozenset(("busybox",)),
        sources=(_HUB + "busybox",),
    )


def _buildpack_deps(text: str, reference: Reference) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "stable")]
    release = tag.release or (contents.UBUNTU_NUMBERS.get(tag.version) if tag.version else None)
    if len(words) > 1 or not set(words) <= {"curl", "scm"} or (tag.version and release is None):
        return None
    variant = words[0] if words else "fat"
    floating = release is None
    release = release or "trixie"
    distro = "ubuntu" if release in contents.UBUNTU_RELEASES else "debian"
    holds = {"curl": contents.CURL, "scm": contents.SCM}.get(variant, contents.BUILDPACK)
    if variant == "fat":
        holds |= contents.runtime_libraries(contents.BUILDPACK_LIBRARIES, distro, release)
    return BaseImage(
        text,
        "buildpack-deps",
        tag.version,
        variant,
        distro,
        release,
        "glibc",
        floating,
        contents.DEBIAN_SHELLS,
        "apt",
        dict(contents.DEBIAN_USERS),
        cmd=("bash",),
        env={"PATH": contents.PATH},
        preinstalled=holds | (contents.debian(release) if distro == "debian" else contents.UBUNTU),
        sources=("https://github.com/docker-library/buildpack-deps", _HUB + "buildpack-deps"),
    )


def _nginx(text: str, reference: Reference) -> BaseImage | None:
    return _nginx_like(text, reference, "nginx")


def _nginx_unprivileged(text: str, reference: Reference) -> BaseImage | None:
    return _nginx_like(text, reference, "nginx-unprivileged")


def _nginx_like(text: str, reference: Reference, family: str) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    words = [word for word in tag.words if word not in ("latest", "stable", "mainline")]
    if not set(words) <= {"perl", "otel"}:
        return None
    alpine = tag.alpine is not None
    if alpine:
        holds = contents.ALPINE if tag.is_slim else contents.ALPINE | {"ca-certificates", "curl", "tzdata"}
    else:
        holds = contents.debian(tag.release) | {"ca-certificates", "curl", "gettext-base", "tzdata"}
    variant = "alpine-slim" if alpine and tag.is_slim else "alpine" if alpine else "fat"
    return BaseImage(
        text,
        family,
        tag.version,
        variant,
        "alpine" if alpine else "debian",
        (tag.alpine or None) if alpine else tag.release,
        "musl" if alpine else "glibc",
        not tag.release and not tag.alpine,
        contents.ALPINE_SHELLS if alpine else contents.DEBIAN_SHELLS,
        "apk" if alpine else "apt",
        {**({"nginx": (101, 101)} if has_come("nginx user", tag.version) else {}), **_users(tag)},
        "101" if family == "nginx-unprivileged" else "root",
        ("/docker-entrypoint.sh",) if has_come("nginx entrypoint", tag.version) else (),
        ("nginx", "-g", "daemon off;"),
        (8080,) if family == "nginx-unprivileged" else (80,),
        env={"PATH": contents.PATH},
        preinstalled=holds | {"nginx"},
        sources=(
            ("https://github.com/nginx/docker-nginx-unprivileged",)
            if family == "nginx-unprivileged"
            else ("https://github.com/nginx/docker-nginx", _HUB + "nginx")
        ),
    )


_READERS = {
    "node": _node,
    "python": _python,
    "golang": _golang,
    "rust": _rust,
    "ruby": _ruby,
    "php": _php,
    "debian": _debian,
    "ubuntu": _ubuntu,
    "alpine": _alpine,
    "busybox": _busybox,
    "buildpack-deps": _buildpack_deps,
    "nginx": _nginx,
    "nginxinc/nginx-unprivileged": _nginx_unprivileged,
    **dict.fromkeys(MORE_NAMES, read_more),
}
