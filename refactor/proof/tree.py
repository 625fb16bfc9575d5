"""Two images file by file: type, mode, owner, content, link target, extended attributes.

Times of files are not compared: each build makes them anew. What package managers stamp is left out (stamps.py), and
so is what differs between two builds of one Dockerfile, where that was looked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from refactor.proof.stamps import Leave, stamp_of
from refactor.proof.tar import digest_of

_TYPES = {"0": "a file", "1": "a hard link", "2": "a symbolic link", "3": "a device", "4": "a device", "5": "a folder"}


class Entry(NamedTuple):
    """What an image has at one path."""

    kind: str
    """As in a tar stream: "0" file, "2" symbolic link, "5" folder, others special."""
    mode: int
    owner: tuple[int, int]
    size: int
    digest: bytes
    link: str
    attributes: tuple[tuple[bytes, bytes], ...] = ()


Tree = Mapping[str, Entry]
"""Path without the leading slash to entry. A hard link has the entry of the file that it is another name of."""


class PathDifference(NamedTuple):
    """One path that is not the same in both images."""

    path: str
    aspects: tuple[str, ...]
    """"missing", "new", or of what is in both: "type", "mode", "owner", "content", "link", "attributes"."""
    text: str
    """The aspects with what they were and are."""
    below: int = 0
    """How many entries below a missing or new folder are missing or new with it."""

    def __str__(self) -> str:
        below = f", with {self.below} entries below" if self.below else ""
        return f"/{self.path}: {self.text}{below}"


@dataclass(frozen=True, slots=True)
class TreeComparison:
    """What differs between two images' files."""

    count: int = 0
    """Paths in either image."""
    differences: tuple[PathDifference, ...] = ()
    cleaned: tuple[tuple[str, int], ...] = ()
    """Caches that went: the path of each removed entry and its bytes."""
    stamped: tuple[tuple[str, str], ...] = ()
    """Other paths that differ and were left out: the path, and why that says nothing."""
    unstable: tuple[str, ...] = ()
    """Paths that differ between two builds of the version before, too."""

    @property
    def is_equal(self) -> bool:
        return not self.differences


def compare_trees(before: Tree, after: Tree, sources: tuple[bytes, bytes] = (b"", b"")) -> TreeComparison:
    """Compares two images' files, less what :data:`refactor.proof.stamps.STAMPS` leaves out.

    ``sources`` are the two Dockerfiles: a file that has the one's content before and the other's after is a copy of it.
    """
    found, cleaned, stamped = [], [], []
    rewritten = (digest_of(sources[0]), digest_of(sources[1]))
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        texts, row = _differ(old, new), stamp_of(path)
        if row is not None and row.leave is Leave.CACHE and old is not None and new is None:
            cleaned.append((path, old.size))
            continue
        if old is not None and new is not None and (old.digest, new.digest) == rewritten:
            texts.pop("content", None)
            if not texts:
                stamped.append((path, "the Dockerfile itself, copied into the image"))
                continue
        if row is not None and row.leave is not Leave.CONTENT:
            texts = {}
        elif row is not None and row.normal is None:
            texts.pop("content", None)
        if texts:
            found.append(PathDifference(path, tuple(texts), ", ".join(texts.values())))
        elif row is not None:
            stamped.append((path, row.reason))
    return TreeComparison(len(before.keys() | after.keys()), tuple(_folded(found)), tuple(cleaned), tuple(stamped))


def less_unstable(comparison: TreeComparison, before: Tree, again: Tree) -> TreeComparison:
    """The comparison without what differs in the same way between ``before`` and ``again``, two builds of one
    Dockerfile from cold.

    What is there in one build and not in the other (a log with the time in its name) is left out where as many such
    entries of the same folder are missing as are new, between the two builds and here.
    """
    noise = compare_trees(before, again)
    known = {difference.path: set(difference.aspects) for difference in noise.differences}
    flickering = _balanced(noise.differences)
    here = _balanced(comparison.differences)
    left, unstable = [], []
    for difference in comparison.differences:
        if {"missing", "new"} & set(difference.aspects):
            folder = difference.path.rpartition("/")[0]
            is_known = folder in flickering and folder in here
        else:
            is_known = set(difference.aspects) <= known.get(difference.path, set())
        if is_known:
            unstable.append(difference.path)
        else:
            left.append(difference)
    return replace(comparison, differences=tuple(left), unstable=tuple(unstable))


def _balanced(differences: Iterable[PathDifference]) -> set[str]:
    """Folders that lost as many entries as they gained, at least one."""
    counts: dict[str, Counter[str]] = {}
    for difference in differences:
        for aspect in difference.aspects:
            counts.setdefault(difference.path.rpartition("/")[0], Counter())[aspect] += 1
    return {folder for folder, count in counts.items() if count["missing"] == count["new"] > 0}


def _differ(old: Entry | None, new: Entry | None) -> dict[str, str]:
    """Each aspect that differs, with what it was and is. The size is told, and not compared: the content is."""
    if old is None or new is None:
        entry, word = (old, "missing") if new is None else (new, "new")
        assert entry is not None
        return {word: f"{word} ({_TYPES.get(entry.kind, 'a special file')})"}
    if old.kind != new.kind:
        return {"type": " -> ".join(_TYPES.get(entry.kind, "a special file") for entry in (old, new))}
    texts = {}
    if old.mode != new.mode:
        texts["mode"] = f"mode {old.mode:04o} -> {new.mode:04o}"
    if old.owner != new.owner:
        texts["owner"] = f"owner {old.owner[0]}:{old.owner[1]} -> {new.owner[0]}:{new.owner[1]}"
    if old.digest != new.digest:
        texts["content"] = f"content ({old.size} -> {new.size} bytes)" if old.size != new.size else "content"
    if old.link != new.link:
        texts["link"] = f"link to {old.link} -> {new.link}"
    if old.attributes != new.attributes:
        texts["attributes"] = "extended attributes"
    return texts


def _folded(differences: Iterable[PathDifference]) -> list[PathDifference]:
    """Without what is missing or new below a folder that is so itself; the folder counts it. In the order of
    paths."""
    folded: list[PathDifference] = []
    tops: dict[tuple[str, str], int] = {}
    for difference in differences:
        word = difference.aspects[0]
        if word in {"missing", "new"}:
            parts = difference.path.split("/")
            above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
            top = next((tops[word, folder] for folder in above if (word, folder) in tops), None)
            if top is not None:
                folded[top] = folded[top]._replace(below=folded[top].below + 1)
                continue
            tops[word, difference.path] = len(folded)
        folded.append(difference)
    return folded
