"""Images that their makers build on PHP's official ones: Swoole and FrankenPHP.

Read in August 2026 from swoole/docker-swoole (Dockerfile.twig) and php/frankenphp (Dockerfile, docker-bake.hcl).
"""

from __future__ import annotations

from collections.abc import Callable

from refactor.images.base_image import BaseImage
from refactor.images.reference import Reference
from refactor.images.tag import Tag, read_tag

Lookup = Callable[[str], BaseImage | None]


def _below(tag: Tag, kind: str, lookup: Lookup, release: str = "") -> BaseImage | None:
    """PHP's official image that a tag such as ``6.0-php8.4-alpine`` is built on; None where it names no version."""
    version = next((word[3:] for word in tag.words if word[:3] == "php" and word[3:4].isdigit()), None)
    place = tag.release or release
    system = f"alpine{tag.alpine}" if tag.alpine is not None else place
    return lookup("php:" + "-".join(word for word in (version, kind, system) if word)) if version else None


def _swoole(text: str, reference: Reference, lookup: Lookup) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    base = _below(tag, "cli", lookup)
    if base is None or any(not word.startswith("php") for word in tag.words):
        return None
    return base._replace(
        reference=text,
        family="swoole",
        entrypoint=("/entrypoint.sh",) if tag.alpine is None else base.entrypoint,
        cmd=() if tag.alpine is None else base.cmd,
        workdir="/var/www",
        preinstalled=base.preinstalled
        | (frozenset("cmake composer supervisor unzip".split()) if tag.alpine is None else {"composer"}),
        sources=("https://github.com/swoole/docker-swoole", *base.sources),
    )


def _frankenphp(text: str, reference: Reference, lookup: Lookup) -> BaseImage | None:
    tag = read_tag(reference.tag or "latest")
    # Its tags name no release where they mean trixie, whatever that version's official image stands on.
    base = _below(tag, "zts", lookup, "trixie")
    if base is None or any(not word.startswith("php") for word in tag.words):
        return None
    return base._replace(
        reference=text,
        family="frankenphp",
        is_floating=tag.release is None,
        cmd=("--config", "/etc/frankenphp/Caddyfile", "--adapter", "caddyfile"),
        ports=(80, 443, 2019),
        workdir="/app",
        env={**base.env, "XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
        preinstalled=base.preinstalled | {"frankenphp", "install-php-extensions", "mailcap"},
        sources=("https://github.com/php/frankenphp", *base.sources),
    )


READERS = {"phpswoole/swoole": _swoole, "dunglas/frankenphp": _frankenphp}

__all__ = ["READERS"]
