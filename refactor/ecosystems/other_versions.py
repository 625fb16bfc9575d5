"""Versions that projects name of languages which have no folder here yet: Java, .NET, Ruby, PHP and Rust."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from refactor.context import BuildContext, Unknown
from refactor.context.tables import table
from refactor.ecosystems.versions import Naming, Stated, first_line, of_tools, stated

_TOOLCHAIN = r"JavaLanguageVersion\.of\(\s*[\"']?(\d+)[\"']?\s*\)|\bjvmToolchain\(\s*(\d+)\s*\)"


def _java(context: BuildContext, folder: str) -> Iterator[Stated]:
    """The JDK's version: what Maven compiles for, where the JDK of that version can, and Gradle's toolchain."""
    path = posixpath.join(folder, ".java-version")
    text = first_line(context, path)
    if text is not None:
        yield _jdk(path, text)
    path = posixpath.join(folder, ".sdkmanrc")
    text = _found(context, path, r"(?m)^java\s*=\s*(\d+)")
    if text is not None:
        yield _jdk(path, text)
    yield from _maven(context, posixpath.join(folder, "pom.xml"))
    for name in ("build.gradle", "build.gradle.kts"):
        path = posixpath.join(folder, name)
        text = _found(context, path, _TOOLCHAIN)
        if text is not None:
            yield _jdk(f"{path} (toolchain)", text)
    for each in of_tools(context, folder, ("java",), 1):
        yield _jdk(each.place, each.text)


def _jdk(place: str, text: str) -> Stated:
    found = re.search(r"(?:1\.(?=8))?(\d+)", text)
    return Stated(place, text, what="no version of Java") if found is None else stated(place, found[1], 1)


def _maven(context: BuildContext, path: str) -> Iterator[Stated]:
    from refactor.context.xml import read_xml

    root = read_xml(context, path)
    if isinstance(root, Unknown):
        return
    values = {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in root.iterfind("./{*}properties/*")}
    for key in ("maven.compiler.release", "java.version", "maven.compiler.target"):
        value = re.sub(r"^\$\{([\w.-]+)\}$", lambda found: values.get(found[1], ""), values.get(key, ""))
        found = re.fullmatch(r"(?:1\.)?(\d+)", value)
        if found is None:
            continue
        if key == "maven.compiler.release" and int(found[1]) < 9:
            # Its javac has no --release: a newer JDK compiles for it.
            yield Stated(f"{path} ({key})", value, allowed=(((9, 0, 0), None),), what="a minimum")
        else:
            yield stated(f"{path} ({key})", found[1], 1)
        return


def _dotnet(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "global.json")
    sdk = table(table(context.jsonc(path)).get("sdk"))
    value, forward = sdk.get("version"), sdk.get("rollForward")
    if isinstance(value, str):
        line = ".".join(value.split(".")[:2])
        # Only such a policy takes the SDK of another feature band, which the image of the line has.
        is_free = forward in {"feature", "latestFeature", "minor", "latestMinor", "major", "latestMajor"}
        yield stated(f"{path} (sdk.version)", line if is_free else value, 2)
    projects = context.glob(posixpath.join(folder, "*.csproj"))
    for path in () if isinstance(projects, Unknown) else projects:
        text = _found(context, path, r"<TargetFramework>\s*net(\d+\.\d+)\s*</TargetFramework>")
        if text is not None:
            yield stated(f"{path} (TargetFramework)", text, 2)


def _ruby(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, ".ruby-version")
    text = first_line(context, path)
    if text is not None:
        yield stated(path, text.removeprefix("ruby-"), 2)
    path = posixpath.join(folder, "Gemfile")
    text = _found(context, path, r"(?m)^\s*ruby\s*\(?\s*[\"']([^\"']+)[\"']")
    if text is not None:
        yield stated(path, text, 2)
    path = posixpath.join(folder, "Gemfile.lock")
    text = _found(context, path, r"(?m)^RUBY VERSION\n\s+ruby (\d+\.\d+\.\d+)")
    if text is not None:
        yield stated(path, text, 2)
    yield from of_tools(context, folder, ("ruby",), 2)


def _php(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "composer.json")
    composer = table(context.json(path))
    platform = table(table(composer.get("config")).get("platform")).get("php")
    if isinstance(platform, str):
        # What packages are chosen for; the last number is often a plain 0.
        yield stated(f"{path} (config.platform.php)", ".".join(platform.split(".")[:2]), 2)
    wanted = table(composer.get("require")).get("php")
    if isinstance(wanted, str):
        yield stated(f"{path} (require.php)", wanted, 2, is_pessimistic=True)
    path = posixpath.join(folder, ".php-version")
    text = first_line(context, path)
    if text is not None:
        yield stated(path, text, 2)
    yield from of_tools(context, folder, ("php",), 2)


def _rust(context: BuildContext, folder: str) -> Iterator[Stated]:
    path = posixpath.join(folder, "rust-toolchain.toml")
    channel = table(table(context.toml(path)).get("toolchain")).get("channel")
    if isinstance(channel, str):
        yield stated(f"{path} (channel)", channel, 2)
    path = posixpath.join(folder, "rust-toolchain")
    text = _found(context, path, r"(?m)^\s*channel\s*=\s*[\"']([^\"']+)[\"']") or first_line(context, path)
    if text is not None:
        yield stated(path, text, 2)
    path = posixpath.join(folder, "Cargo.toml")
    cargo = table(context.toml(path))
    for section in (cargo, table(cargo.get("workspace"))):
        minimum = table(section.get("package")).get("rust-version")
        if isinstance(minimum, str):
            yield stated(f"{path} (rust-version)", f">={minimum}", 2)
    yield from of_tools(context, folder, ("rust",), 2)


def _found(context: BuildContext, path: str, pattern: str) -> str | None:
    content = context.read(path)
    found = None if isinstance(content, Unknown) else re.search(pattern, content)
    return None if found is None else next(group for group in found.groups() if group)


_JAVA = Naming("Java", _java, "maven.compiler.release to pom.xml, or a toolchain to build.gradle")
OTHERS = {
    "eclipse-temurin": _JAVA,
    "amazoncorretto": _JAVA,
    "openjdk": _JAVA,
    "dotnet": Naming(".NET", _dotnet, "TargetFramework to the project file, such as net10.0"),
    "ruby": Naming("Ruby", _ruby, ".ruby-version with the version, such as 3.4"),
    "php": Naming("PHP", _php, "config.platform.php to composer.json, such as 8.4"),
    "rust": Naming("Rust", _rust, "rust-toolchain.toml with a channel, such as 1.90"),
}
"""By family of the base image."""
