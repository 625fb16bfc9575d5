"""Projects and solutions of .NET: names, references, packages, and the files that decide on a restore.

Sources: learn.microsoft.com, "MSBuild reference for .NET SDK projects", "Customize your build" (Directory.Build.props),
"Central Package Management", "nuget.config reference", "global.json overview".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from refactor.context import BuildContext, Unknown
from refactor.context.build_context import remembered
from refactor.context.xml import filled, read_xml
from refactor.flow.reading import upwards

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PROJECT, SOLUTION = r"\.(?:cs|fs|vb)proj\Z", r"\.slnx?\Z"
_LISTED = r'^\s*Project\("[^"]*"\)\s*=\s*"[^"]*",\s*"([^"]+proj)"|<Project\s[^>]*?\bPath="([^"]+proj)"'
"""A project in a solution, ``.sln`` and ``.slnx``."""
_REFERENCE = r"\$\(([^()]*)\)"
_OF_SDK = r"\$\(MSBuild\w+Path\w*\)|GetPathOfFileAbove"
"""Imports of what comes with the SDK, and of Directory.Build.props, which is read anyway."""
_SHARED = (
    r"Directory\.(?:Build\.(?:props|targets|rsp)|Packages\.props|Solution\.props)|(?i:nuget\.config)|global\.json\Z"
    r"|packages\..*lock\.json\Z|paket\."
)
"""Files of a project's folder, and of all above it, that a build may read."""


class Project(NamedTuple):
    """One project file."""

    path: str
    """In the build context."""
    sdk: str
    """``Microsoft.NET.Sdk.Web``; "" for the format of the .NET Framework."""
    properties: Mapping[str, str]
    """Those of Directory.Build.props and its own; "*" where a value depends on a condition, or is computed."""
    references: tuple[str, ...]
    """Context paths of the projects that it refers to."""
    packages: frozenset[str]
    frameworks: frozenset[str]
    """``Microsoft.AspNetCore.App``, as far as they are named."""
    imports: tuple[str, ...]
    """Context paths of further files that it imports, where they are there."""

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    @property
    def assembly(self) -> str:
        """Name of the program, without ``.dll``; "*" where it is not known."""
        return self.properties.get("AssemblyName") or posixpath.splitext(posixpath.basename(self.path))[0]

    def is_set(self, *names: str) -> bool:
        return any(self.properties.get(name, "").lower() == "true" for name in names)


class Build(NamedTuple):
    """What ``dotnet`` works on."""

    file: str
    """Context path of the project or solution file."""
    projects: tuple[Project, ...]
    """Those that it builds: the named ones first, then what they refer to."""
    manifests: tuple[str, ...] | Unknown
    """Context paths of all that a restore reads."""

    @property
    def is_solution(self) -> bool:
        return re.search(SOLUTION, self.file) is not None


@remembered
def files_of(context: BuildContext) -> tuple[str, ...]:
    """Context paths of all projects and solutions."""
    found = context.files()
    kinds = rf"{_PROJECT}|{SOLUTION}"
    return () if isinstance(found, Unknown) else tuple(path for path in found if re.search(kinds, path))


@remembered
def build_of(context: BuildContext, file: str) -> Build | Unknown:
    """The build of a project or solution file of the context."""
    words = (word for pair in re.findall(_LISTED, context.text(file), re.MULTILINE) for word in pair if word)
    listed = tuple(path for word in words if context.exists(path := _beside(file, word)) is True)
    starts = listed if re.search(SOLUTION, file) else (file,)
    waiting, found = [one for one in starts if re.search(_PROJECT, one)], dict[str, Project]()
    while waiting:
        place = waiting.pop(0)
        if place not in found:
            one = _project(context, place)
            if isinstance(one, Unknown):
                return one
            found[place] = one
            waiting += one.references
    if not found:
        return Unknown(f"{file} names no project in C#, F# or Visual Basic that is in the build context")
    return Build(file, tuple(found.values()), _manifests(context, (file, *starts), found.values()))


def _project(context: BuildContext, path: str) -> Project | Unknown:
    """A project file of the context, with what it inherits from Directory.Build.props."""
    root = read_xml(context, path)
    if isinstance(root, Unknown):
        return root
    properties = {"MSBuildProjectName": posixpath.splitext(posixpath.basename(path))[0]}
    shared = (one for one in _above(context, posixpath.dirname(path)) if one.endswith("Directory.Build.props"))
    for element in (*(read_xml(context, one) for one in shared), root):
        if not isinstance(element, Unknown):
            _read_properties(element, properties)
    values = {name: filled(value, properties, _REFERENCE) for name, value in properties.items()}
    values = {name: "*" if "*" in value else value for name, value in values.items()}
    references = [*_named(root, "ProjectReference")]
    imports = [word for word in _named(root, "Import", "Project") if re.search(_OF_SDK, word) is None]
    here = {**values, "MSBuildThisFileDirectory": "./", "MSBuildProjectDirectory": "."}
    places = {word: _beside(path, filled(word, here, _REFERENCE)) for word in (*references, *imports)}
    unknown = next((word for word, place in places.items() if "*" in place), None)
    if unknown is not None:
        return Unknown(f"{path} names {unknown}, which only MSBuild knows")
    return Project(
        path,
        (root.get("Sdk") or next((one.get("Name", "") for one in root.findall("Sdk")), "")).partition("/")[0],
        values,
        tuple(places[word] for word in references),
        frozenset(_named(root, "PackageReference")),
        frozenset(_named(root, "FrameworkReference")),
        tuple(places[word] for word in imports if context.exists(places[word]) is True),
    )


def _read_properties(root: Element, found: dict[str, str]) -> None:
    for group in root.iter("PropertyGroup"):
        for one in group:
            value, tag = (one.text or "").strip(), str(one.tag)
            is_sure = group.get("Condition") is None and one.get("Condition") is None
            found[tag] = value if is_sure or found.get(tag) == value else "*"


def _named(root: Element, tag: str, by: str = "Include") -> Iterator[str]:
    words = (word.strip() for one in root.iter(tag) for word in one.get(by, "").split(";"))
    return filter(None, words)


def _beside(path: str, word: str) -> str:
    """The context path that a file names from its own folder, as Windows writes it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), word.replace("\\", "/")))


def _above(context: BuildContext, folder: str) -> Iterator[str]:
    """Context paths of what all builds of a folder read, from the context's root down to the folder."""
    for one in reversed([*upwards(folder)]):
        yield from (posixpath.join(one, name) for name in context.names(one) if re.match(_SHARED, name))


def _manifests(context: BuildContext, named: Iterable[str], projects: Iterable[Project]) -> tuple[str, ...] | Unknown:
    """See :attr:`Build.manifests`; unknown also where a restore reads more than files of these kinds."""
    found = dict.fromkeys(named)
    for one in projects:
        found.update(dict.fromkeys((one.path, *_above(context, one.folder), *one.imports)))
    paket = next((path for path in found if re.search(r"(?i)(?:\A|/)paket\.", path)), None)
    if paket is not None:
        return Unknown(f"{paket}: Paket restores by scripts of its own")
    for path in (one for one in found if one.lower().endswith("nuget.config")):
        root = read_xml(context, path)
        sources = () if isinstance(root, Unknown) else root.iterfind(".//packageSources/add[@value]")
        feed = next((one.get("value") for one in sources if not re.match(r"https?://", one.get("value", ""))), None)
        if feed is not None:
            return Unknown(f"{path} takes packages from {feed}, a folder of the project")
    return tuple(found)
