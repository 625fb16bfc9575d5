"""What a Java program needs when it runs, which image carries it, and where it writes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found, called, calls, opened, sources
from refactor.ecosystems.java import maven
from refactor.ecosystems.java.tools import Built, built_by
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import folders_written
from refactor.flow.reading import Refused, StageReading, join
from refactor.images import lookup

SUFFIXES = (".java", ".kt", ".scala", ".groovy")
_FAT = frozenset(
    """spring-boot-maven-plugin maven-shade-plugin quarkus-maven-plugin onejar-maven-plugin
    micronaut-maven-plugin""".split()
)
_READS: Mapping[str, int] = {
    r"new\s+FileInputStream": 0, r"new\s+FileReader": 0, r"new\s+Scanner": 0, r"(?:\w+\.)*Files\.(?:read\w*|lines|"
    r"list|walk|newBufferedReader|newInputStream|exists|size)": 0, r"new\s+(?:java\.io\.)?File": 0, r"\bFile": 0,
    r"(?:\w+\.)*(?:Paths\.get|Path\.of)": 0,
}  # fmt: skip
_WRITES: Mapping[str, int] = {
    r"new\s+FileOutputStream": 0, r"new\s+FileWriter": 0, r"new\s+PrintWriter": 0, r"new\s+RandomAccessFile": 0,
    r"(?:\w+\.)*Files\.(?:write\w*|newBufferedWriter|newOutputStream|createFile)": 0,
    r"(?:\w+\.)*Files\.(?:copy|move)": 1,
}  # fmt: skip
_MAKES: Mapping[str, int] = {r"(?:\w+\.)*Files\.createDirector(?:y|ies)": 0}
_COMPILES = r"javax\.tools\b|ToolProvider\.getSystemJavaCompiler|com\.sun\.tools\.|jdk\.jshell\b"
_SETTINGS = r"(?:^|/)(?:application|bootstrap)[\w-]*\.(?:properties|ya?ml)\Z|(?:^|/)log(?:back|4j2?)[\w-]*\.xml\Z"
_LOGS = (
    r"logging\.file(?:\.name|\.path)?\s*[:=]\s*(\S+)|^logging:(?:\n[ \t]+[^\n]*)*?\n[ \t]+(?:name|path):\s*(\S+)"
    r"|<[fF]ile>\s*([^<]+)<|fileName=\"([^\"]+)\""
    r"|jdbc:(?:h2:(?:file:)?|sqlite:|hsqldb:file:)((?!mem:|tcp:)[\w./~-]+)"
)
"""Files that loggers and databases write to, in settings."""
_KEEPERS = (
    r"activemq-(?:broker|all|kahadb-store)|spring-boot-starter-activemq|artemis-server|derby|lucene-core|ehcache|neo4j|"
    r"mapdb|rocksdbjni|chronicle-map|sqlite-jdbc|infinispan-embedded|jetty-session|spring-boot-starter-artemis"
)
"""Libraries that write to a folder of their own choice, or of a setting."""
_BY_HAND = "write USER with an id in front of CMD, and give that user the folders that the program writes to"
_FOLDERS = frozenset("conf config public static templates views webapp webapps".split())
"""Spring: config/; Jooby and Play: conf/, public/, views/; embedded servers: webapp/."""
_BESIDE = r"(?:^|/)(?:application|bootstrap)[\w-]*\.(?:properties|ya?ml)\Z"


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    texts = dict(sources(program.reading.context, files))
    compiling = next((path for path, text in texts.items() if re.search(_COMPILES, text)), None)
    if compiling is not None:
        return Refused(f"{compiling} calls the compiler, which a JRE does not have", "keep the JDK, or split by hand")
    by_path = _why_other_java(program)
    if by_path is not None:
        return by_path
    beside = _libraries(program)
    if isinstance(beside, Refused):
        return beside
    programs = called(texts, {r"new\s+ProcessBuilder": 0, r"(?:\w+\.)*getRuntime\(\)\.exec": 0})
    if isinstance(programs, Refused):
        return programs
    paths = {**opened(program, files, _READS, SUFFIXES, packed=r"(?:^|/)(?:src|buildSrc|gradle)/|(?:^|/)pom\.xml\Z"),
             **_settings(program)}  # fmt: skip
    return Needs({**paths, **beside[0]}, programs, evidence=beside[1])


def _why_other_java(program: Program) -> Refused | None:
    words, reading = program.root.words, program.reading
    if "/" in words[0] and posixpath.basename(words[0]) == "java" and not words[0].startswith("$JAVA_HOME"):
        return Refused(f"{program.root.where} starts {words[0]}, the place of java in the base image",
                       "start it as `java`")  # fmt: skip
    for step in reading.steps:
        if step.keyword == "ENV" and any(name == "JAVA_HOME" for name, _ in step.node.pairs):
            line = reading.file.line_of(step.node)
            return Refused(f"line {line} sets JAVA_HOME to a folder of the base image", "leave that to the base image")
    return None


def _settings(program: Program) -> dict[str, str]:
    """Files and folders that frameworks look for in the working directory, though no source names them."""
    reading, found = program.reading, {}
    inside = reading.in_context(reading.final_workdir)
    names = () if inside is None else reading.context.children(inside)
    names = () if isinstance(names, Unknown) else names
    places = [join(reading.final_workdir, name.rstrip("/")) for name in names]
    places += [copied.target for copied in reading.copies if posixpath.dirname(copied.target) == reading.final_workdir]
    for place in dict.fromkeys(places):
        name = posixpath.basename(place)
        if re.search(_BESIDE, name) or (name in _FOLDERS and reading.in_context(place) is not None):
            found[place] = "frameworks look for it in the working directory"
    return found


def _libraries(program: Program) -> tuple[dict[str, str], tuple[str, ...]] | Refused:
    """What must lie beside the program, and why that is all."""
    if program.act is None or program.act.call is None:
        return Refused(f"{program.made} is in the build context as it is: nothing of it is built here")
    class_path = _class_path(program)
    if class_path:
        return class_path, (f"{program.root.where} names its class path",)
    built = built_by(program.act.call, program.made)
    if built is None:
        if program.act.call.name == "javac":
            return _classes(program), ("javac writes classes, which need nothing else",)
        return Refused(f"which project packs {program.made} is not known", "name the jar in CMD as the build names it")
    return _of_maven(program, built, built.module) if built.module is not None else _of_gradle(program, built)


def _class_path(program: Program) -> dict[str, str]:
    words = program.root.words
    at = next((index for index, word in enumerate(words) if word in {"-cp", "-classpath", "--class-path"}), None)
    if at is None or at + 1 >= len(words):
        return {}
    found = {}
    for part in words[at + 1].split(":"):
        if part and part != ".":
            place = join(program.root.folder, part.removesuffix("/*").rstrip("/"))
            found[place] = f"{program.root.where} has it in its class path"
    return found


def _classes(program: Program) -> dict[str, str]:
    assert program.act is not None
    return {path: f"`{program.act.text}` writes it" for path in program.act.effect.writes if isinstance(path, str)}


def _of_maven(program: Program, built: Built, module: maven.Module) -> tuple[dict[str, str], tuple[str, ...]] | Refused:
    made, folder = program.made, posixpath.dirname(program.made)
    pom = posixpath.join(module.folder, "pom.xml")
    if "/quarkus-app" in made:
        return {folder: f"{made} starts from what lies beside it"}, (f"{pom} packs by quarkus-maven-plugin",)
    fat = sorted(_FAT & module.plugins)
    if "maven-assembly-plugin" in module.plugins and "jar-with-dependencies" in module.text:
        fat.append("maven-assembly-plugin")
    if fat:
        return {}, (f"{pom} packs the program with all that it needs ({fat[0]})",)
    if "maven-dependency-plugin" in module.plugins and "<addClasspath>true" in module.text:
        prefix = re.search(r"<classpathPrefix>([^<]*)<", module.text)
        place = join(folder, (prefix[1] if prefix else "lib").strip("/") or ".")
        return {place: f"the manifest of {made} names the libraries in it"}, (f"{pom} copies libraries beside the jar",)
    if not module.libraries:
        return {}, (f"{pom} has no dependencies at run time",)
    return Refused(
        f"{made} needs {sorted(module.libraries)[0]} and others of {pom}, and nothing says that it holds them",
        "pack them with it (spring-boot-maven-plugin, maven-shade-plugin)",
    )


def _of_gradle(program: Program, built: Built) -> tuple[dict[str, str], tuple[str, ...]] | Refused:
    project, made = built.project, program.made
    assert project is not None
    if "/build/install/" in made:
        top = made[: made.index("/", made.index("/build/install/") + len("/build/install/"))]
        return {top: f"{made} starts from what lies beside it"}, (f"{built.task} puts all that it needs there",)
    if made.endswith("-plain.jar"):
        return Refused(f"{made} is the jar without what the program needs", "start the other one, without -plain")
    for what, is_so in (("Spring Boot", project.is_boot), ("Shadow", project.is_shadow),
                        ("Ktor", built.task == "buildFatJar"), ("a script of its own", project.is_fat)):  # fmt: skip
        if is_so:
            return {}, (f"{project.script} packs the program with all that it needs ({what})",)
    if not project.has_dependencies:
        return {}, (f"{project.script} has no dependencies at run time",)
    return Refused(
        f"{made} needs the dependencies of {project.script}, and nothing says that it holds them",
        "pack them with it (bootJar, shadowJar), or start what installDist makes",
    )


def jdk_of(reading: StageReading, release: str | None) -> str | Refused:
    """The major version of Java: by the image's tag, else the release that the project compiles for."""
    image = reading.image
    assert image is not None
    text = image.parsed.tag or ""
    found = None
    if image.family in {"eclipse-temurin", "openjdk", "amazoncorretto", "ibm-semeru-runtimes"}:
        found = re.match(r"(\d+)", text)
    else:
        found = re.search(r"(?:temurin|openjdk|jdk|jre|corretto|semeru|java)-?(\d+)", text)
    if found is not None:
        return found[1]
    installed = (
        re.search(r"(?:openjdk-?|java-)(\d+)", word.literal) for _, call in reading.calls for word in call.packages
    )
    packaged = next((one for one in installed if one is not None), None)
    if packaged is not None:
        return packaged[1]
    if release is not None:
        return release.removeprefix("1.")
    return Refused(
        f"which Java {reading.image_reference or reading.stage.image} has is not known",
        "name it in the tag, as in -jdk21",
    )


def release_of(program: Program) -> str | None:
    """The Java release that the project compiles for, as its build says."""
    built = (
        built_by(program.act.call, program.made) if program.act is not None and program.act.call is not None else None
    )
    if built is not None and built.module is not None:
        names = ("maven.compiler.release", "java.version", "maven.compiler.target", "jdk.version")
        values = (built.module.properties.get(name, "") for name in names)
        return next((value for value in values if re.fullmatch(r"(?:1\.)?\d+", value)), None)
    if built is not None and built.project is not None:
        pattern = (
            r"JavaLanguageVersion\.of\((\d+)\)|jvmToolchain\((\d+)\)"
            r"|(?:target|source)Compatibility\s*=?\s*(?:JavaVersion\.VERSION_)?['\"]?((?:1[._])?\d+)"
        )
        match = re.search(pattern, built.project.text)
        found = next((one for one in match.groups() if one), None) if match is not None else None
        return None if found is None else found.replace("_", ".")
    return None


def runner(language: Language, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """The JRE of the same version and C library."""
    image, programs = reading.image, language.programs_of(reading)
    assert image is not None
    releases = () if isinstance(programs, Refused) else map(release_of, programs)
    major = jdk_of(reading, next(iter(releases), None))
    if isinstance(major, Refused):
        return major
    if wish in {"scratch", "distroless"}:
        return Refused(f"there is no {wish} image with Java {major} here", 'use runner = "slim" or "alpine"')
    is_alpine = image.distro == "alpine" if wish is None else wish == "alpine"
    base = f"eclipse-temurin:{major}-jdk"
    if image.family == "eclipse-temurin" and not is_alpine:
        base = image.reference
    known = lookup(base)
    found = None if known is None else known.with_variant("jre-alpine" if is_alpine else "jre")
    if found is None:
        return Refused(f"there is no image with a JRE of Java {major}", "name a version that has one: 8, 11, 17, 21")
    if image.family == "openjdk":
        return Runner(found, evidence=(f"{image.reference} is retired, and has no JRE: Eclipse Temurin has the same",))
    return Runner(found, evidence=(f"the program needs Java {major}, not its compiler",))


def _keeper(program: Program) -> str | None:
    """A library of the project that keeps data in files on its own."""
    call = program.act.call if program.act is not None else None
    built = built_by(call, program.made) if call is not None else None
    if built is None:
        return None
    text = built.module.text if built.module is not None else built.project.text if built.project is not None else ""
    named = re.search(_KEEPERS, text)
    return None if named is None else named[0]


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    context = program.reading.context
    texts = dict(sources(context, files))
    found = [*((call, False) for call in calls(texts, _WRITES)), *((call, True) for call in calls(texts, _MAKES))]
    for path, text in texts.items():
        made = re.search(r"\.mkdirs?\(\)|\bcreateNewFile\(\)", text)
        if made is not None:
            line = text.count("\n", 0, made.start()) + 1
            return Refused(f"{path}:{line} makes a folder that only the running program knows", _BY_HAND)
    everything = context.files()
    for path in everything if not isinstance(everything, Unknown) else ():
        read = context.read(path) if re.search(_SETTINGS, path) and "/test/" not in path else None
        for match in re.finditer(_LOGS, read if isinstance(read, str) else "", re.MULTILINE):
            named = next(one for one in match.groups() if one)
            value = None if "$" in named or "~" in named else named.strip("'\"")
            found.append((Found("its settings", value, path), False))
    keeper = None if found else _keeper(program)
    if keeper is not None:
        return Refused(f"{keeper} keeps files whose place the sources do not name", _BY_HAND)
    ports = {int(one) for path in texts for one in re.findall(r"server\.port\s*[:=]\s*(\d+)", texts[path])}
    return folders_written(program, files, found, tuple(sorted(ports)))


__all__ = ["needs_of", "runner", "writes"]
