"""Containers of Kubernetes manifests and Helm templates: commands, probes, hooks, mounts, users and ports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from refactor.context.deployment import Call, Kind, Mount, Service
from refactor.context.safe_yaml import load

_MAX_DOCUMENTS = 200
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


class Container(NamedTuple):
    """One container of a manifest, with the name of its image as written."""

    service: Service
    image: str


def is_manifest(text: str) -> bool:
    """A manifest, or a template of one, that names containers."""
    return (
        "apiVersion:" in text and "kind:" in text and re.search(r"(?m)^[\s-]*(?:initC|c)ontainers:", text) is not None
    )


def read_manifest(path: str, text: str) -> Iterator[Container]:
    """The containers of all documents of a file, of any kind that has some; a template is read without its logic."""
    kind: Kind = "kubernetes"
    if "{{" in text:
        kind = "helm"
        text = re.sub(r"(?m)^\s*\{\{.*\}\}\s*$", "", text)
        # An unknown word, and in no quotes of its own: `image: "{{ .Values.image }}:{{ .Values.tag }}"`.
        text = re.sub(r"\{\{.*?\}\}", "$HELM", text)
    for document in re.split(r"(?m)^---(?=\s|$)", text)[:_MAX_DOCUMENTS]:
        try:
            data = load(document)
        except ValueError:
            continue
        if isinstance(data, dict):
            yield from _containers(path, kind, data)


def _containers(path: str, kind: Kind, data: dict[Any, Any]) -> Iterator[Container]:
    pending: list[object] = [data]
    for here in pending:
        if isinstance(here, list):
            pending += here
        if not isinstance(here, dict):
            continue
        pending += here.values()
        for key in ("containers", "initContainers"):
            entries = here.get(key)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict):
                    yield Container(_service(path, kind, here, entry), str(entry.get("image") or ""))


def _service(path: str, kind: Kind, pod: dict[Any, Any], table: dict[Any, Any]) -> Service:
    name = str(table.get("name") or "")
    user = _at(table, "securityContext", "runAsUser")
    if user is None:
        user = _at(pod, "securityContext", "runAsUser")
    ports = table.get("ports")
    return Service(
        path,
        kind,
        name,
        _words(table.get("args")),
        _words(table.get("command")),
        tuple(_calls(path, name, table)),
        tuple(_mounts(pod, table)),
        str(user) if isinstance(user, int) else None,
        tuple(
            port["containerPort"]
            for port in (ports if isinstance(ports, list) else ())
            if isinstance(port, dict) and isinstance(port.get("containerPort"), int)
        ),
    )


def _at(table: object, *keys: str) -> object:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _words(value: object) -> tuple[str, ...] | None:
    return tuple(str(word) for word in value) if isinstance(value, list) else None


def _calls(path: str, name: str, table: dict[Any, Any]) -> Iterator[Call]:
    for keys in (*((probe,) for probe in _PROBES), *(("lifecycle", hook) for hook in _HOOKS)):
        words = _words(_at(table, *keys, "exec", "command"))
        if words:
            yield Call(words, f"{keys[-1]} of {name} in {path}")


def _mounts(pod: dict[Any, Any], table: dict[Any, Any]) -> Iterator[Mount]:
    volumes = {}
    listed, mounts = pod.get("volumes"), table.get("volumeMounts")
    for volume in listed if isinstance(listed, list) else ():
        if isinstance(volume, dict):
            volumes[volume.get("name")] = _at(volume, "hostPath", "path")
    for entry in mounts if isinstance(mounts, list) else ():
        target = entry.get("mountPath") if isinstance(entry, dict) else None
        if isinstance(target, str):
            name = entry.get("name")
            yield Mount(target, str(volumes.get(name) or name or ""), entry.get("readOnly") is True)
