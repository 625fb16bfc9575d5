"""Where a copy that stands between the copy of the sources and an install goes when these two change places."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from refactor.context import Unknown
from refactor.flow.closure import is_of_program, why_copy_unseen
from refactor.flow.reading import Copied, Refused, StageReading, join
from refactor.flow.user import is_within
from refactor.syntax import Instruction

_SETTINGS = ("/etc", "/root", "/home", "/usr/local/etc", "/usr/local/share/ca-certificates", "/usr/share")
"""Where package managers look for settings, credentials and certificates."""
_OF_THE_SYSTEM = r"/(?:bin|etc|home|lib|opt|root|sbin|srv|tmp|usr|var)(?:/|\Z)"
_CODE = r".*\.(?:[cm]?[jt]sx?|cs|go|java|kt|php|py|rb|rs|scala)"
_ABOVE = "move it above the copy of the sources, if the install needs it"


def goes_first(reading: StageReading, node: Instruction, sources: Instruction) -> bool | Refused:
    """Whether a COPY or ADD goes before the install (True: the install may read what it brings, such as
    ``/etc/pip.conf``), or stays behind it with the sources (False: it brings sources, or what the container starts).

    ``sources`` is the copy that will come behind the install.
    """
    line = reading.file.line_of(node)
    step = reading.step(node)
    written = None if node.destination is None else reading.expand(node.destination, node)
    if written is None or step is None:
        return Refused(f"where line {line} copies to depends on a variable", _ABOVE)
    target = join(step.workdir, written)
    own = reading.copied_by(node)
    places = [one.target if one.is_folder else posixpath.dirname(one.target) for one in reading.copied_by(sources)]
    is_inside = any(
        is_within(target, place) and not (place == "/" and re.match(_OF_THE_SYSTEM, target)) for place in places
    )
    unseen = why_copy_unseen(reading, node)
    if unseen is not None:
        return Refused(f"line {line} copies {unseen}", "name the folder that is built from with --context")
    if own and is_inside:
        # Where it replaces a manifest, that one is copied before the install in its place.
        return False
    if not own:
        # From another stage or an address, or written in the Dockerfile: the sources must not take its place.
        ends = list(_ends(reading, node, written, target))
        hidden = next((end for end in ends if reading.in_context(end, node) is not None), None)
        if hidden is not None:
            return Refused(f"line {line} puts {hidden} in the place of what the sources bring", _ABOVE)
        return True
    if not any(_has_sources(reading, copied) for copied in own):
        start = reading.start
        is_started = start is not None and any(copied.target in start.argv for copied in own)
        return not is_started and all(not copied.is_folder or is_settings(reading, copied) for copied in own)
    if any(is_within(target, folder) for folder in _SETTINGS):
        return Refused(f"line {line} copies sources to {target}, where the install may look for its settings", _ABOVE)
    return False


def is_settings(reading: StageReading, copied: Copied) -> bool:
    """Settings or certificates for programs of the image: no sources, to where package managers look for such."""
    return any(is_within(copied.target, folder) for folder in _SETTINGS) and not _has_sources(reading, copied)


def _ends(reading: StageReading, node: Instruction, written: str, target: str) -> Iterator[str]:
    """The image paths that a copy from elsewhere is known to write to."""
    is_folder = written.endswith("/") or written in {".", ".."} or len(node.sources) > 1
    step = reading.step(node)
    is_folder = is_folder or (step is not None and is_within(step.workdir, target))
    if not is_folder:
        yield target
        return
    for raw in node.sources:
        name = posixpath.basename(reading.expand(raw, node) or raw)
        # Of a folder the content is copied, and what that is called is not known.
        yield join(target, name) if "." in name.lstrip(".") else target


def _has_sources(reading: StageReading, copied: Copied) -> bool:
    if not copied.is_folder:
        return re.fullmatch(_CODE, copied.source) is not None
    files = reading.context.files(copied.source)
    return isinstance(files, Unknown) or any(re.fullmatch(_CODE, path) for path in files)


def brings_sources(reading: StageReading, node: Instruction) -> bool:
    """Whether an edit of the sources may change what an instruction copies: code of the context, or what an earlier
    stage made."""
    name = node.flag("from")
    if node.keyword == "COPY" and name is not None:
        return reading.file.stage(name) is not None
    return node.keyword in {"COPY", "ADD"} and any(_has_sources(reading, one) for one in reading.copied_by(node))


def why_no_sources(reading: StageReading, node: Instruction, manifests: Sequence[str]) -> str | None:
    """Why a copy is not known to bring sources beside the manifests: a folder that holds nothing else is hardly the one
    that is built from, and what an install reads of it proves nothing. None where a source was seen."""
    for copied in reading.copied_by(node):
        files = reading.context.files(copied.source) if copied.is_folder else (copied.source,)
        if isinstance(files, Unknown):
            return files.reason
        if any(path not in manifests and is_of_program(posixpath.basename(path)) for path in files):
            return None
    return "nothing but manifests was found there"


__all__ = ["brings_sources", "goes_first", "is_settings", "why_no_sources"]
