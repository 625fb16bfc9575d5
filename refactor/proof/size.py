"""How large an image is, whether that keeps to a budget, and what grew since it was measured last."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from refactor.proof.engine import Engine, Layer

UNCOMPRESSED = "uncompressed"
"""As the files lie on an engine's disk."""
COMPRESSED = "compressed"
"""As layers are stored and pulled."""
STORED = "as stored"
"""Some layers are compressed, others are not."""
_UNITS: Mapping[str, int] = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)},
}
_MAX_HISTORY = 64 << 20


class SizeProblem(Exception):
    """Something that cannot be measured: ``name``, ``what`` is wrong and ``advice`` on what to do."""

    def __init__(self, name: str, what: str, advice: str) -> None:
        super().__init__(f"{name}: {what}; {advice}")


class Measured(NamedTuple):
    """The size of one image, in bytes."""

    name: str
    digest: str
    """Of the manifest, or the engine's id of the image."""
    total: int
    layers: tuple[Layer, ...]
    """The base's first."""
    kind: str
    """:data:`UNCOMPRESSED`, :data:`COMPRESSED` or :data:`STORED`: sizes of two kinds are not compared."""
    source: str
    """Who said so."""
    digests: tuple[str, ...] = ()
    """Of the layers' blobs, where they have any."""


class Growth(NamedTuple):
    """One layer, and how many bytes it has more (less: negative) than before."""

    bytes: int
    made_by: str


def measure_in_engine(engine: Engine, image: str, name: str | None = None) -> Measured:
    """An image that an engine has. Raises :class:`~refactor.proof.engine.EngineProblem`."""
    found = engine.inspect(image)
    return Measured(name or image, found.id, found.size, found.layers, UNCOMPRESSED, f"{engine.name} {engine.version}")


def bytes_of(text: str) -> int | None:
    """A size as people write it: ``200MB`` (millions, as docker prints sizes), ``190MiB``, ``1.5 GB``, or bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if found is None:
        return None
    unit = _UNITS.get(found[2], _UNITS.get(f"{found[2]}b"))
    return None if unit is None else round(float(found[1]) * unit)


def growth(old: Sequence[Layer], new: Sequence[Layer]) -> list[Growth]:
    """What differs, layer by layer, the largest growth first. Layers are the same that the same instruction made, in
    order; sizes that did not change are left out."""
    matcher = SequenceMatcher(None, [layer.made_by for layer in old], [layer.made_by for layer in new], autojunk=False)
    found = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            found += [Growth(b.bytes - a.bytes, b.made_by) for a, b in zip(old[i1:i2], new[j1:j2])]
        else:
            found += [Growth(-layer.bytes, layer.made_by) for layer in old[i1:i2]]
            found += [Growth(layer.bytes, layer.made_by) for layer in new[j1:j2]]
    return sorted((one for one in found if one.bytes), key=lambda one: -one.bytes)


class Entry(NamedTuple):
    """One line of a history."""

    date: str
    """RFC 3339, UTC."""
    digest: str
    total: int
    layers: tuple[Layer, ...]


def last_entry(path: str, measured: Measured) -> Entry | None:
    """The last measurement of the same name and kind in a history; None where there is none, or no file yet. Raises
    :class:`SizeProblem` for a file that is no history."""
    found = None
    for number, line in enumerate(_lines(path), 1):
        try:
            data = json.loads(line)
            entry = Entry(
                str(data["date"]),
                str(data["digest"]),
                int(data["total"]),
                tuple(Layer(int(layer["bytes"]), str(layer["made_by"])) for layer in data["layers"]),
            )
            is_same = (data["name"], data["kind"]) == (measured.name, measured.kind)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            advice = "a line is one measurement as JSON: mend or remove it, or name another file with --history"
            raise SizeProblem(f"{path}:{number}", "is no measurement", advice) from None
        found = entry if is_same else found
    return found


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_HISTORY)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SizeProblem(path, f"cannot be read: {error}", "name another file with --history") from None
    yield from (line for line in text.split("\n") if line.strip())


def add_entry(path: str, measured: Measured, date: str) -> None:
    """Adds a measurement to a history. Raises :class:`SizeProblem`."""
    line = json.dumps({"date": date, **as_json(measured)}, ensure_ascii=True) + "\n"
    try:
        with open(path, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"
            file.write(line.encode())
    except OSError as error:
        raise SizeProblem(path, f"cannot be written: {error.strerror}", "name another file with --history") from None


def as_json(measured: Measured) -> dict[str, Any]:
    """A measurement as a history and ``--format json`` have it."""
    return {
        "name": measured.name,
        "digest": measured.digest,
        "kind": measured.kind,
        "total": measured.total,
        "layers": [{"bytes": layer.bytes, "made_by": layer.made_by} for layer in measured.layers],
    }
