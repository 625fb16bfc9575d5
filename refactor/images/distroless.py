"""gcr.io/distroless images. Source: github.com/GoogleContainerTools/distroless (README, nodejs, java,
python3)."""

from __future__ import annotations

import re

from refactor.images.base_image import BaseImage
from refactor.images.contents import DEBIAN_NUMBERS, PATH
from refactor.images.reference import Reference

_NAME = r"(static|base-nossl|base|cc|java-base|java|nodejs|python3|python2\.7)(\d*)(?:-debian(\d+))?$"
_ARCHITECTURES = frozenset(("amd64", "arm", "arm64", "ppc64le", "riscv64", "s390x"))
_PYTHON = {"buster": "3.7", "bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13"}
_SOURCE = "https://github.com/GoogleContainerTools/distroless"


def read_distroless(text: str, reference: Reference) -> BaseImage | None:
    match = re.match(_NAME, reference.name.removeprefix("gcr.io/distroless/"))
    if match is None:
        return None
    kind, version, number = match[1], match[2], match[3]
    if version and kind not in ("java", "nodejs"):
        return None
    tags = [word for word in (reference.tag or "latest").split("-") if word not in _ARCHITECTURES]
    if not version and tags and tags[0].isdigit():
        # Until Debian 11 the version was the tag: gcr.io/distroless/nodejs:16.
        version = tags.pop(0)
    if not set(tags) <= {"latest", "nonroot", "debug"}:
        return None
    release = DEBIAN_NUMBERS.get(number or "")
    if kind == "python3" and release:
        version = _PYTHON.get(release, "")
    is_debug, is_nonroot = "debug" in tags, "nonroot" in tags
    interpreter: dict[str, tuple[tuple[str, ...], str]] = {
        "nodejs": (("/nodejs/bin/node",), "node"),
        "java": (("/usr/bin/java", "-jar"), "java"),
        "python3": ((f"/usr/bin/python{version}" if version else "/usr/bin/python3",), "python3"),
    }
    entrypoint, program = interpreter.get(kind, ((), ""))
    holds = {"ca-certificates", "netbase", "tzdata"}
    if kind not in ("static",):
        holds |= {"libc6"} if kind == "base-nossl" else {"libc6", "libssl"}
    if kind in ("cc", "java-base", "java", "nodejs", "python3"):
        holds |= {"libgcc-s1", "libgomp1", "libstdc++6"}
    if program:
        holds.add(program)
    return BaseImage(
        text,
        "distroless",
        version,
        kind,
        "debian",
        release,
        None if kind == "static" else "glibc",
        release is None,
        ("/busybox/sh",) if is_debug else (),
        None,
        {"nonroot": (65532, 65532), "nobody": (65534, 65534)},
        "65532" if is_nonroot else "0",
        entrypoint or (("/busybox/sh",) if is_debug else ()),
        workdir="/home/nonroot" if is_nonroot else "/",
        env={
            "PATH": f"{PATH}:/busybox" if is_debug else PATH,
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        },
        preinstalled=frozenset(holds),
        sources=(_SOURCE,),
    )
