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

PROJECT = r"\.(?:cs|fs|vb)proj\Z"
SOLUTION = r"\.slnx?\Z"
FILES = rf"{PROJECT}|{SOLUTION}"
_SHARED = (
    r"Directory\.(?:Build\.(?:props|targets|rsp)|Packages\.props|Solution\.props)|(?i:nuget\.config)|global\.json\Z"
)
"""Files of a project's folder, and of all above it, that every build reads."""
_MAX_PROJECTS = 500


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
    why_open: str | None = None
    """What of it is only known to MSBuild."""

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


@remembered
def project(context: BuildContext, path: str) -> Project | Unknown:
    """A project file of the context, with what it inherits from Directory.Build.props."""
    root = read_xml(context, path)
    if isinstance(root, Unknown):
        return root
    properties = {"MSBuildProjectName": posixpath.splitext(posixpath.basename(path))[0]}
    shared = (one for one in above(context, posixpath.dirname(path)) if one.endswith("Directory.Build.props"))
    for element in (*(read_xml(context, one) for one in shared), root):
        if not isinstance(element, Unknown):
            _read_properties(element, properties)
    values = {name: filled(value, properties, r"\$\(([^()]*)\)") for name, value in properties.items()}
    values = {name: "*" if "*" in value else value for name, value in values.items()}
    included = (word for one in root.iter("ProjectReference") for word in one.get("Include", "").split(";"))
    references = [*_named(context, path, "refers to", included)]
    imports = [*_named(context, path, "imports", _imports(root))]
    sdk = root.get("Sdk") or next((one.get("Name", "") for one in root.findall("Sdk")), "")
    return Project(
        path,
        sdk.partition("/")[0],
        values,
        tuple(one for one in references if isinstance(one, str)),
        frozenset(one.get("Include", "") for one in root.iter("PackageReference")) - {""},
        frozenset(one.get("Include", "") for one in root.iter("FrameworkReference")) - {""},
        tuple(one for one in imports if isinstance(one, str)),
        next((one.reason for one in (*references, *imports) if isinstance(one, Unknown)), None),
    )


def _read_properties(root: Element, found: dict[str, str]) -> None:
    for group in root.iter("PropertyGroup"):
        for one in group:
            value = (one.text or "").strip()
            condition = group.get("Condition") or one.get("Condition")
            is_default = condition is not None and re.fullmatch(rf"\s*'\$\({one.tag}\)'\s*==\s*''\s*", condition)
            if condition is not None and not is_default and found.get(str(one.tag)) != value:
                found[str(one.tag)] = "*"
            elif not is_default or str(one.tag) not in found:
                found[str(one.tag)] = value


def _imports(root: Element) -> Iterator[str]:
    """Without those of the SDK, and Directory.Build.props, which is read anyway."""
    for one in root.iter("Import"):
        word = re.sub(r"\$\(MSBuild(?:ThisFile|Project)Directory\)[\\/]?", "", one.get("Project", ""))
        if not one.get("Sdk") and "GetPathOfFileAbove" not in word and "$(MSBuildToolsPath)" not in word:
            yield word


def _named(context: BuildContext, path: str, names: str, words: Iterable[str]) -> Iterator[str | Unknown]:
    """The context paths of files that a project names; unknown those that only a build knows."""
    for word in filter(None, map(str.strip, words)):
        place = _beside(path, word)
        if "$(" in word or "*" in word:
            yield Unknown(f"{path} {names} {word}, which only MSBuild knows")
        elif context.exists(place) is True:
            yield place
        elif names == "refers to":
            yield Unknown(f"{path} refers to {place}, which is not in the build context")


def _beside(path: str, word: str) -> str:
    """The context path that a file names from its own folder, as Windows writes it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), word.replace("\\", "/")))


def above(context: BuildContext, folder: str) -> Iterator[str]:
    """Context paths of what all builds of a folder read, from the context's root down to the folder."""
    for one in reversed([*upwards(folder)]):
        yield from (posixpath.join(one, name) for name in context.names(one) if re.match(_SHARED, name))


@remembered
def solution(context: BuildContext, path: str) -> tuple[str, ...] | Unknown:
    """Context paths of the projects that a solution file lists and that are there."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    if path.endswith(".slnx"):
        root = read_xml(context, path)
        words = [] if isinstance(root, Unknown) else [one.get("Path", "") for one in root.iter("Project")]
    else:
        words = re.findall(r'(?m)^\s*Project\("[^"]*"\)\s*=\s*"[^"]*",\s*"([^"]+proj)"', text)
    found = context.there(_beside(path, word) for word in words)
    return found or Unknown(f"{path} names no project that is in the build context")


def chosen(context: BuildContext, folder: str) -> str | Unknown:
    """The solution or project file that ``dotnet`` takes in a folder of the context."""
    names = context.children(folder)
    if isinstance(names, Unknown):
        return names
    for pattern in (SOLUTION, PROJECT):
        found = [name for name in names if re.search(pattern, name)]
        if len(found) == 1:
            return posixpath.join(folder, found[0])
        if found:
            return Unknown(f"{', '.join(found)} are all in {folder or 'the context'}, and none is named")
    return Unknown(f"no project or solution file is in {folder or 'the root'} of the build context")


@remembered
def closure(context: BuildContext, path: str) -> tuple[Project, ...] | Unknown:
    """The projects that a build of a project or solution file takes in, those that it names first."""
    starts = solution(context, path) if re.search(SOLUTION, path) else (path,)
    if isinstance(starts, Unknown):
        return starts
    waiting, found = [one for one in starts if re.search(PROJECT, one)], dict[str, Project]()
    while waiting:
        place = waiting.pop(0)
        if place in found:
            continue
        one = project(context, place)
        if isinstance(one, Unknown):
            return one
        if one.why_open is not None:
            return Unknown(one.why_open)
        if len(found) >= _MAX_PROJECTS:
            return Unknown(f"{path} has more than {_MAX_PROJECTS} projects")
        found[place] = one
        waiting += one.references
    return tuple(found.values())


def manifests(context: BuildContext, path: str) -> tuple[str, ...] | Unknown:
    """Context paths of all that a restore of a project or solution file reads."""
    own = closure(context, path)
    if isinstance(own, Unknown):
        return own
    found = [path]
    if re.search(SOLUTION, path):
        listed = solution(context, path)
        found += [] if isinstance(listed, Unknown) else listed
    for one in own:
        beside = context.names(one.folder)
        found += [*above(context, one.folder), one.path, *one.imports]
        found += [posixpath.join(one.folder, name) for name in beside if re.match(r"packages\..*lock\.json\Z", name)]
        paket = next((name for name in beside if name.startswith("paket.")), None)
        if paket is not None:
            return Unknown(f"{posixpath.join(one.folder, paket)}: Paket restores by scripts of its own")
    for config in found:
        feed = _local_feed(context, config)
        if feed is not None:
            return Unknown(f"{config} takes packages from {feed}, a folder of the project")
    return tuple(dict.fromkeys(found))


def _local_feed(context: BuildContext, path: str) -> str | None:
    """A package source of a nuget.config that is a folder."""
    root = read_xml(context, path) if posixpath.basename(path).lower() == "nuget.config" else Unknown("")
    if isinstance(root, Unknown):
        return None
    sources = [one.get("value", "") for group in root.iter("packageSources") for one in group if one.tag == "add"]
    return next((one for one in sources if one and not re.match(r"https?://", one)), None)
