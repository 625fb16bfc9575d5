"""Which version of its language a project names, by all files that could say so together.

The languages read their own files (``Ecosystem.stated_versions``); whether what they say names one version, only a
minimum, or two that contradict each other is decided here.
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from refactor.context import BuildContext, Unknown
from refactor.context.tables import at, table, words
from refactor.ecosystems.ranges import Interval, intervals, meets, only_line
from refactor.flow.reading import Copied, Refused, StageReading, upwards


class Stated(NamedTuple):
    """What one file says of the version."""

    place: str
    """The file, and what in it: ``package.json (engines.node)``."""
    text: str
    """As it is written there."""
    version: str = ""
    """The version that it names ("20", "3.11", "1.22.3"); "" where it names none."""
    allowed: tuple[Interval, ...] = ()
    """The versions that it allows; () where it says nothing of that kind."""
    what: str = ""
    """What it names instead of a version: "a channel"."""


class Named(NamedTuple):
    """The version that the project names."""

    version: str
    evidence: tuple[str, ...]


Reader: TypeAlias = "Callable[[BuildContext, str], Iterator[Stated]]"
"""What the files of a context's folder ("" or "apps/web") say."""


class Place(NamedTuple):
    """A file of a folder in which a version is written plainly."""

    file: str
    """Its name; it may have wildcards."""
    key: str = ""
    """Where it is in a JSON or TOML file: ``engines.node``."""
    pattern: str = ""
    """Its first group is the version; without a key or a pattern that is the first line with content."""
    said: str | None = None
    """What in the file it is, for messages: by default the key."""
    plain: "Callable[[str], str]" = str
    """The version, or the range, in what is written."""
    is_pessimistic: bool = False
    """See :func:`stated`."""


class Naming(NamedTuple):
    """How a language's version is found."""

    language: str
    hint: str
    """The file to add where none names a version, with an example."""
    places: "tuple[Place | Reader, ...]"
    tools: tuple[str, ...] = ()
    """Its names in the files of asdf and mise."""
    depth: int = 2
    """See :func:`stated`."""
    plain: "Callable[[str], str]" = str
    """The version in what those files say."""

    def read(self, context: BuildContext, folder: str) -> Iterator[Stated]:
        """What the files of a folder say, in the order of the places."""
        for place in self.places:
            yield from _read(context, folder, place, self.depth) if isinstance(place, Place) else place(context, folder)
        for one in of_tools(context, folder, self.tools, self.depth):
            yield stated(one.place, self.plain(one.text), self.depth)


def _read(context: BuildContext, folder: str, place: Place, depth: int) -> Iterator[Stated]:
    whole = posixpath.join(folder, place.file)
    found = context.glob(whole) if "*" in place.file else (whole,)
    for path in () if isinstance(found, Unknown) else found:
        if place.key:
            parsed = context.toml(path) if path.endswith((".toml", "Pipfile")) else context.json(path)
            value = at(parsed, *place.key.split("."))
        else:
            value = found_in(context, path, place.pattern) if place.pattern else first_line(context, path)
        said = place.key if place.said is None else place.said
        if isinstance(value, str):
            yield stated(f"{path} ({said})" if said else path, place.plain(value), depth, place.is_pessimistic)


def stated(place: str, text: str, depth: int, is_pessimistic: bool = False) -> Stated:
    """A statement from a version or a range; ``depth`` numbers name a release line (of Node 1, of Python 2)."""
    allowed = intervals(text, is_pessimistic)
    if allowed is None:
        return Stated(place, text, what="a channel or a version that dockerfix cannot read")
    line = only_line(allowed, depth)
    what = "a minimum" if any(high is None for _, high in allowed) else "a range"
    return Stated(place, text, "" if line is None else ".".join(map(str, line)), allowed, what)


def first_line(context: BuildContext, path: str) -> str | None:
    """The first line with content of a file such as ``.nvmrc``, None where there is none."""
    content = context.read(path)
    if isinstance(content, Unknown):
        return None
    lines = (line.split("#")[0].strip() for line in content.removeprefix("\ufeff").splitlines())
    return next((line for line in lines if line), None)


def found_in(context: BuildContext, path: str, pattern: str) -> str | None:
    """The first group of a pattern that is found in a file, None where none is."""
    content = context.read(path)
    found = None if isinstance(content, Unknown) else re.search(pattern, content)
    return None if found is None else next(group for group in found.groups() if group)


def of_tools(context: BuildContext, folder: str, names: tuple[str, ...], depth: int) -> Iterator[Stated]:
    """What asdf's ``.tool-versions`` and mise's settings say of a tool, under any of its names."""
    path = posixpath.join(folder, ".tool-versions")
    content = context.read(path)
    for line in [] if isinstance(content, Unknown) else content.splitlines():
        parts = line.split("#")[0].split()
        if len(parts) > 1 and parts[0] in names:
            yield stated(f"{path} ({parts[0]})", _bare(parts[1]), depth)
    for name in ("mise.toml", ".mise.toml"):
        path = posixpath.join(folder, name)
        tools = table(table(context.toml(path)).get("tools"))
        for tool in names:
            value = tools.get(tool)
            value = table(value).get("version", value)
            for text in words(value)[:1]:
                yield stated(f"{path} ({tool})", _bare(text), depth)


def _bare(text: str) -> str:
    """``temurin-17.0.9+9`` and ``ruby-3.2.2`` without the vendor and the build."""
    found = re.fullmatch(r"[a-z][a-z-]*-v?(\d[\d.]*)(?:\+\S*)?", text)
    return found[1] if found else text


def folders_of(reading: StageReading) -> tuple[str, ...]:
    """The folders of the context whose files may say it: those that the stage copies from, and all above them."""
    if reading.copies:
        return _folders(reading.copies)
    file, context = reading.file, reading.context
    # Once for the file and its context: each of thousands of stages may ask.
    return StageReading.of(file, file.stages[0], context).remember(
        "folders that are copied from",
        lambda: _folders(copied for stage in file.stages for copied in StageReading.of(file, stage, context).copies),
    )


def _folders(copies: Iterable[Copied]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for copied in copies:
        found.update(dict.fromkeys(upwards(copied.source if copied.is_folder else posixpath.dirname(copied.source))))
    found.pop("", None)
    return (*found, "")


def decide(naming: Naming, reading: StageReading) -> Named | Refused:
    """The version that the files of the stage's project name together."""
    context = reading.context
    if context.why_unknown is not None:
        return Refused(f"the build context is not known: {context.why_unknown}", "name it with --context")
    found = [each for folder in folders_of(reading) for each in naming.read(context, folder)]
    naming_ones = [each for each in found if each.version]
    add = f"add {naming.hint}, or write the version into the FROM line"
    if not naming_ones:
        if not found:
            return Refused(f"no file of the build context names a version of {naming.language}", add)
        first = found[0]
        return Refused(f"{first.place} names {first.what} ({first.text}), which is no version to build with", add)
    best = max(naming_ones, key=lambda each: len(each.version.split(".")))
    for other in found:
        if other.allowed and not meets(best.version, other.allowed):
            return Refused(
                f"{best.place} names {best.text} and {other.place} names {other.text}, which contradict each other",
                "make them agree",
            )
    return Named(best.version, tuple(f"{each.place} names {each.text}" for each in naming_ones))
