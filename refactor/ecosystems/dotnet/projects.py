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

_PROJECT, _SOLUTION = r"\.(?:cs|fs|vb)proj\Z", r"\.slnx?\Z"
FILES = rf"{_PROJECT}|{_SOLUTION}"
_SHARED = (
    r"Directory\.(?:Build\.(?:props|targets|rsp)|Packages\.props|Solution\.props)|(?i:nuget\.config)|global\.json\Z"
)
"""Files of a project's folder, and of all above it, that every build reads."""


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
    """Context paths of further files that it imports."""

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    @property
    def assembly(self) -> str:
        """Name of the program, without ``.dll``; "*" where it is not known."""
        return self.properties.get("AssemblyName") or posixpath.splitext(posixpath.basename(self.path))[0]

    @property
    def framework(self) -> str:
        """``net8.0``, "*" where there are several."""
        return self.properties.get("TargetFramework") or "*"

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
        return re.search(_SOLUTION, self.file) is not None

    @property
    def named(self) -> tuple[Project, ...]:
        """Those whose output is put where the call says."""
        return self.projects if self.is_solution else self.projects[:1]


@remembered
def build_of(context: BuildContext, path: str) -> Build | Unknown:
    """The build of a project or solution file of the context, or of the one that ``dotnet`` takes in a folder."""
    file = path if re.search(FILES, path) else _chosen(context, path)
    if isinstance(file, Unknown):
        return file
    starts = _listed(context, file)
    if isinstance(starts, Unknown):
        return starts
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
        return Unknown(f"{file} has no project in C#, F# or Visual Basic")
    return Build(file, tuple(found.values()), _manifests(context, (file, *starts), found.values()))


def _chosen(context: BuildContext, folder: str) -> str | Unknown:
    names = context.children(folder)
    if isinstance(names, Unknown):
        return names
    for pattern in (_SOLUTION, _PROJECT):
        found = [name for name in names if re.search(pattern, name)]
        if len(found) == 1:
            return posixpath.join(folder, found[0])
        if found:
            return Unknown(f"{', '.join(found)} are all in {folder or 'the context'}, and none is named")
    return Unknown(f"no project or solution file is in {folder or 'the root'} of the build context")


def _listed(context: BuildContext, file: str) -> tuple[str, ...] | Unknown:
    """Context paths of the projects that a solution file lists and that are there; a project alone."""
    if re.search(_PROJECT, file):
        return (file,)
    text = context.read(file)
    if isinstance(text, Unknown):
        return text
    root = read_xml(context, file) if file.endswith(".slnx") else Unknown("")
    words = re.findall(r'(?m)^\s*Project\("[^"]*"\)\s*=\s*"[^"]*",\s*"([^"]+proj)"', text)
    words = words if isinstance(root, Unknown) else [one.get("Path", "") for one in root.iter("Project")]
    found = tuple(place for word in words if context.exists(place := _beside(file, word)) is True)
    return found or Unknown(f"{file} names no project that is in the build context")


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
    values = {name: filled(value, properties, r"\$\(([^()]*)\)") for name, value in properties.items()}
    references = _files(context, path, "refers to", _included(root, "ProjectReference"))
    if isinstance(references, Unknown):
        return references
    imports = _files(context, path, "imports", _imports(root))
    if isinstance(imports, Unknown):
        return imports
    return Project(
        path,
        (root.get("Sdk") or next((one.get("Name", "") for one in root.findall("Sdk")), "")).partition("/")[0],
        {name: "*" if "*" in value else value for name, value in values.items()},
        references,
        frozenset(_included(root, "PackageReference")),
        frozenset(_included(root, "FrameworkReference")),
        imports,
    )


def _read_properties(root: Element, found: dict[str, str]) -> None:
    for group in root.iter("PropertyGroup"):
        for one in group:
            value, tag = (one.text or "").strip(), str(one.tag)
            condition = group.get("Condition") or one.get("Condition")
            if condition is not None and re.fullmatch(rf"\s*'\$\({tag}\)'\s*==\s*''\s*", condition):
                found.setdefault(tag, value)
            else:
                found[tag] = value if condition is None or found.get(tag) == value else "*"


def _included(root: Element, tag: str) -> Iterator[str]:
    words = (word.strip() for one in root.iter(tag) for word in one.get("Include", "").split(";"))
    return filter(None, words)


def _imports(root: Element) -> Iterator[str]:
    """Without those of the SDK, and Directory.Build.props, which is read anyway."""
    for one in root.iter("Import"):
        word = re.sub(r"\$\(MSBuild(?:ThisFile|Project)Directory\)[\\/]?", "", one.get("Project", ""))
        if word and not one.get("Sdk") and "GetPathOfFileAbove" not in word and "$(MSBuildToolsPath)" not in word:
            yield word


def _files(context: BuildContext, path: str, names: str, words: Iterable[str]) -> tuple[str, ...] | Unknown:
    """The context paths of files that a project names; unknown where only a build knows one."""
    found: list[str] = []
    for word in words:
        place = _beside(path, word)
        if "$(" in word or "*" in word:
            return Unknown(f"{path} {names} {word}, which only MSBuild knows")
        if context.exists(place) is True:
            found.append(place)
        elif names == "refers to":
            return Unknown(f"{path} refers to {place}, which is not in the build context")
    return tuple(found)


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
        beside = {name: posixpath.join(one.folder, name) for name in context.names(one.folder)}
        paket = next((path for name, path in beside.items() if name.startswith("paket.")), None)
        if paket is not None:
            return Unknown(f"{paket}: Paket restores by scripts of its own")
        locks = (path for name, path in beside.items() if re.match(r"packages\..*lock\.json\Z", name))
        found.update(dict.fromkeys((*_above(context, one.folder), one.path, *one.imports, *locks)))
    for path in (one for one in found if one.lower().endswith("nuget.config")):
        root = read_xml(context, path)
        sources = () if isinstance(root, Unknown) else root.iterfind(".//packageSources/add")
        values = (one.get("value", "") for one in sources)
        feed = next((value for value in values if value and not re.match(r"https?://", value)), None)
        if feed is not None:
            return Unknown(f"{path} takes packages from {feed}, a folder of the project")
    return tuple(found)
