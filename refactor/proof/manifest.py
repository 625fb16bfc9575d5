"""The size of an image by its manifest, from a registry or an image layout on disk.

Source: https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md, image-layout.md).
A manifest's sizes are those of the layers as they are stored and pulled: compressed, as a rule.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform as machine
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

from refactor.images.distribution import INDEXES, MANIFESTS, MAX_ANSWER, Distribution, registry_of
from refactor.images.reference import parse_reference
from refactor.proof.client import instruction
from refactor.proof.engine import Layer
from refactor.proof.size import COMPRESSED, STORED, UNCOMPRESSED, Measured, SizeProblem

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DEPTH = 4
"""Indexes in indexes; one is usual."""
Fetch = Callable[[str], bytes]
"""What gives a manifest or a configuration by its digest."""


def measure_in_registry(name: str, platform: str | None) -> Measured:
    """An image by what its registry says. Raises :class:`SizeProblem` and
    :class:`~refactor.images.distribution.RegistryProblem`."""
    image = parse_reference(name)
    registry = Distribution(registry_of(image))
    accept = (*INDEXES, *MANIFESTS)

    def fetch(digest: str) -> bytes:
        return registry.get(image.repository, "blobs", digest)

    def manifest(reference: str) -> bytes:
        return registry.get(image.repository, "manifests", reference, accept)

    first = manifest(image.digest or image.tag or "latest")
    if image.digest is not None:
        _check(first, image.digest, name)
    return _measured(name, first, manifest, fetch, platform, f"the registry {image.registry}")


def is_layout(path: str) -> bool:
    """Whether a folder or a tar file is an image layout."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, "oci-layout"))
    return tarfile.is_tarfile(path)


def measure_layout(path: str, platform: str | None) -> Measured:
    """An image layout: a folder, or a tar file of one. Raises :class:`SizeProblem`."""
    with _opened(path) as (read, size):
        if size("oci-layout") is None:
            advice = "save it as one: docker buildx build --output type=oci, or docker save"
            raise SizeProblem(path, "is a tar file without an image layout in it", advice)

        def fetch(digest: str) -> bytes:
            found = read(_blob(digest, path))
            if found is None:
                raise SizeProblem(path, f"lacks the blob {digest}", "it is incomplete: save it again")
            return found

        index = read("index.json")
        if index is None:
            raise SizeProblem(path, "has no index.json", "it is incomplete: save it again")
        measured = _measured(path, index, fetch, fetch, platform, "the image layout")
        for digest, layer in zip(measured.digests, measured.layers):
            if size(_blob(digest, path)) != layer.bytes:
                raise SizeProblem(path, f"lacks the layer {digest}, or a part of it", "save it again")
        return measured


@contextmanager
def _opened(path: str) -> Iterator[tuple[Callable[[str], bytes | None], Callable[[str], int | None]]]:
    """What reads a file of a layout, and what gives its size; None for one that is not there."""
    if os.path.isdir(path):

        def size(name: str) -> int | None:
            full = os.path.join(path, *name.split("/"))
            return os.path.getsize(full) if os.path.isfile(full) else None

        def read(name: str) -> bytes | None:
            if size(name) is None:
                return None
            with open(os.path.join(path, *name.split("/")), "rb") as file:
                return _bounded(file, path, name)

        try:
            yield read, size
        except OSError as error:
            raise SizeProblem(path, f"cannot be read: {error.strerror}", "check its permissions") from None
        return
    try:
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive if member.isfile()}

            def read_member(name: str) -> bytes | None:
                file = archive.extractfile(members[name]) if name in members else None
                return None if file is None else _bounded(file, path, name)

            yield read_member, lambda name: members[name].size if name in members else None
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SizeProblem(path, f"cannot be read: {error}", "save it again") from None


def _bounded(file: IO[bytes], path: str, name: str) -> bytes:
    data = file.read(MAX_ANSWER + 1)
    if len(data) > MAX_ANSWER:
        raise SizeProblem(path, f"has a {name} of more than {MAX_ANSWER >> 20} MiB", "this is no manifest")
    return data


def _blob(digest: str, path: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise SizeProblem(path, f"names a blob {digest!r}, which is no digest", "save it again")
    return "blobs/" + digest.replace(":", "/")


class _Chosen(NamedTuple):
    digest: str
    manifest: Mapping[str, Any]


def _measured(name: str, first: bytes, manifest: Fetch, fetch: Fetch, platform: str | None, source: str) -> Measured:
    try:
        chosen = _choose(name, first, manifest, platform)
        digest = str(chosen.manifest["config"]["digest"])
        config = _document(name, fetch(digest), digest)
        layers = [(str(one["digest"]), int(one["size"]), str(one["mediaType"])) for one in chosen.manifest["layers"]]
        makers = [entry for entry in config.get("history") or () if not entry.get("empty_layer")]
        made_by = [instruction(str(entry.get("created_by") or "")).strip() for entry in makers]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SizeProblem(name, f"has a manifest that cannot be read: {error!r}", "push or save it again") from None
    if len(made_by) != len(layers):
        made_by = [""] * len(layers)
    packed = {not kind.endswith((".tar", "diff.tar")) for _, _, kind in layers}
    kind = STORED if len(packed) > 1 else COMPRESSED if True in packed else UNCOMPRESSED
    return Measured(
        name,
        chosen.digest,
        sum(size for _, size, _ in layers),
        tuple(Layer(size, text) for (_, size, _), text in zip(layers, made_by)),
        kind,
        source,
        tuple(digest for digest, _, _ in layers),
    )


def _choose(name: str, data: bytes, manifest: Fetch, platform: str | None) -> _Chosen:
    """The manifest of the wanted platform, through indexes."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    for _ in range(_DEPTH):
        found = _document(name, data, digest)
        if "layers" in found:
            return _Chosen(digest, found)
        # Attestations of BuildKit stand beside the images, for no platform that there is.
        images = [entry for entry in found["manifests"] if _platform(entry) != "unknown/unknown"]
        wanted = platform or f"linux/{_ARCHITECTURES.get(machine.machine(), machine.machine())}"
        fitting = [entry for entry in images if _fits(_platform(entry), wanted)]
        if len(images) == 1 and (platform is None or not _platform(images[0])):
            fitting = images
        if len(fitting) != 1:
            there = ", ".join(sorted(filter(None, map(_platform, images)))) or f"{len(images)} images"
            what = f"has {len(fitting) or 'no'} image{'s' if fitting else ''} for {wanted}"
            raise SizeProblem(name, what, f"name the platform with --platform; there are: {there}")
        digest = str(fitting[0]["digest"])
        data = manifest(digest)
        _check(data, digest, name)
    raise SizeProblem(name, "has indexes in indexes without end", "push or save it again")


_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}


def _platform(entry: Mapping[str, Any]) -> str:
    """``linux/arm64/v8``; "" where it is not said."""
    about = entry.get("platform") or {}
    return "/".join(filter(None, (about.get("os"), about.get("architecture"), about.get("variant"))))


def _fits(found: str, wanted: str) -> bool:
    return found == wanted or found.startswith(f"{wanted}/")


def _document(name: str, data: bytes, digest: str) -> Mapping[str, Any]:
    _check(data, digest, name)
    found = json.loads(data)
    if not isinstance(found, dict):
        raise SizeProblem(name, "has a manifest that is no JSON object", "push or save it again")
    return found


def _check(data: bytes, digest: str, name: str) -> None:
    """A digest is the name of its content: another content is a fault, or an attack."""
    algorithm, _, wanted = digest.partition(":")
    if algorithm in {"sha256", "sha512"} and hashlib.new(algorithm, data).hexdigest() != wanted:
        raise SizeProblem(name, f"has another content than {digest} says", "push or save it again")
