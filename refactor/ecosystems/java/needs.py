"""What a Java program needs when it runs, which image carries it, and where it writes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from refactor.context import Unknown
from refactor.ecosystems.answers import Written
from refactor.ecosystems.calls import Found, beside, called, first_at, opened, sources
from refactor.ecosystems.java.gradle import Project
from refactor.ecosystems.java.maven import Module
from refactor.ecosystems.java.tools import built_by
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import BY_HAND, folders_written, ports_in, written_by
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import Root
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
    r"mapdb|rocksdbjni|chronicle-map|sqlite-jdbc|infinispan-embedded|jetty-session|spring-boot-starter-artemis|"
    r"act-starter-parent"
)
"""Libraries that write to a folder of their own choice, or of a setting."""
_BESIDE = (
    r"(?:application|bootstrap)[\w-]*\.(?:properties|ya?ml)"
    r"|(?:conf|config|public|static|templates|views|webapp|webapps)/?"
)
"""Spring: config/; Jooby and Play: conf/, public/, views/; embedded servers: webapp/."""
_RUNS = r"spring-boot:run|quarkus:dev|exec:java|jetty:run|tomcat7:run|micronaut:run|mn:run|bootRun|run|:run|quarkusDev"


def entry(root: Root) -> str | Refused | None:
    """See :meth:`Language.entry`."""
    words = root.words
    if root.name in {"mvn", "mvnw", "gradle", "gradlew"}:
        goal = next((word for word in words[1:] if re.fullmatch(rf"(?:[\w.-]*:)?(?:{_RUNS})", word)), None)
        what = f"`{' '.join(words)}`, which compiles at every start" if goal else f"`{' '.join(words)}`"
        return Refused(f"{root.where} starts {what}", "build the jar in a RUN, and start it: java -jar")
    if root.name != "java":
        return words[0] if "/" in words[0] else None
    if "-jar" in words[:-1]:
        return words[words.index("-jar") + 1]
    first = next(_class_path(root), None)
    if first is not None:
        return first.removesuffix("/*")
    named = [word for word in words[1:] if not word.startswith("-")]
    if named and named[0].endswith(".java"):
        return Refused(f"{root.where} compiles {named[0]} at every start", "compile it in a RUN with javac")
    return f"{named[-1].replace('.', '/')}.class" if named else None


def _class_path(root: Root) -> Iterator[str]:
    """The parts of the class path that the start command names, the working directory left out."""
    for option, value in pairwise(root.words):
        if option in {"-cp", "-classpath", "--class-path"}:
            yield from (part for part in value.split(":") if part not in {"", "."})
            return


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    texts = dict(sources(program.reading.context, files))
    compiling = next((path for path, text in texts.items() if re.search(_COMPILES, text)), None)
    if compiling is not None:
        return Refused(f"{compiling} calls the compiler, which a JRE does not have", "keep the JDK, or split by hand")
    libraries = _why_other_java(program) or _libraries(program)
    if isinstance(libraries, Refused):
        return libraries
    programs = called(texts, {r"new\s+ProcessBuilder": 0, r"(?:\w+\.)*getRuntime\(\)\.exec": 0})
    if isinstance(programs, Refused):
        return programs
    paths = opened(program, texts, _READS, SUFFIXES, packed=r"(?:^|/)(?:src|buildSrc|gradle)/|(?:^|/)pom\.xml\Z")
    beside_it, why = libraries
    return Needs({**paths, **beside(program, _BESIDE), **beside_it}, programs, evidence=(why,))


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


def _libraries(program: Program) -> tuple[dict[str, str], str] | Refused:
    """What must lie beside the program, and why that is all."""
    root = program.root
    if program.act is None or program.call is None:
        return Refused(f"{program.made} is in the build context as it is: nothing of it is built here")
    if program.unpacked:
        return {}, f"`{program.act.text}` packs the program with all that it needs, and it is unpacked whole"
    places = [join(root.folder, part.removesuffix("/*").rstrip("/")) for part in _class_path(root)]
    if places:
        return dict.fromkeys(places, f"{root.where} has it in its class path"), f"{root.where} names its class path"
    built = built_by(program.call, program.made)
    if built is not None:
        return _of_maven(program, built) if isinstance(built, Module) else _of_gradle(program, built)
    if program.call.name != "javac":
        return Refused(f"which project packs {program.made} is not known", "name the jar in CMD as the build names it")
    classes = [path for path in program.act.effect.writes if isinstance(path, str)]
    why = "javac writes classes, which need nothing else"
    return dict.fromkeys(classes, f"`{program.act.text}` writes it"), why


def _of_maven(program: Program, module: Module) -> tuple[dict[str, str], str] | Refused:
    made, folder = program.made, posixpath.dirname(program.made)
    pom = posixpath.join(module.folder, "pom.xml")
    if "/quarkus-app" in made:
        return {folder: f"{made} starts from what lies beside it"}, f"{pom} packs by quarkus-maven-plugin"
    fat = sorted(_FAT & module.plugins)
    if "maven-assembly-plugin" in module.plugins and "jar-with-dependencies" in module.text:
        fat.append("maven-assembly-plugin")
    if fat:
        return {}, f"{pom} packs the program with all that it needs ({fat[0]})"
    if "maven-dependency-plugin" in module.plugins and "<addClasspath>true" in module.text:
        prefix = re.search(r"<classpathPrefix>([^<]*)<", module.text)
        place = join(folder, (prefix[1] if prefix else "lib").strip("/") or ".")
        return {place: f"the manifest of {made} names the libraries in it"}, f"{pom} copies libraries beside the jar"
    if not module.libraries:
        return {}, f"{pom} has no dependencies at run time"
    return Refused(
        f"{made} needs {sorted(module.libraries)[0]} and others of {pom}, and nothing says that it holds them",
        "pack them with it (spring-boot-maven-plugin, maven-shade-plugin)",
    )


def _of_gradle(program: Program, project: Project) -> tuple[dict[str, str], str] | Refused:
    made, script = program.made, project.script
    installed = re.match(r".*?/build/install/[^/]+", made)
    if installed is not None:
        return {installed[0]: f"{made} starts from what lies beside it"}, f"{project.task} puts all that it needs there"
    if made.endswith("-plain.jar"):
        return Refused(f"{made} is the jar without what the program needs", "start the other one, without -plain")
    if project.packer is not None:
        return {}, f"{script} packs the program with all that it needs ({project.packer})"
    if not project.has_dependencies:
        return {}, f"{script} has no dependencies at run time"
    return Refused(
        f"{made} needs the dependencies of {script}, and nothing says that it holds them",
        "pack them with it (bootJar, shadowJar), or start what installDist makes",
    )


def _jdk_of(reading: StageReading, release: str | None) -> str | Refused:
    """The major version of Java: by the image's tag, else the release that the project compiles for."""
    image = reading.image
    assert image is not None
    is_plain = image.family in {"eclipse-temurin", "openjdk", "amazoncorretto", "ibm-semeru-runtimes"}
    tagged = r"\A(\d+)" if is_plain else r"(?:temurin|openjdk|jdk|jre|corretto|semeru|java)-?(\d+)"
    packages = (word.literal for _, call in reading.calls for word in call.packages)
    asked = [(tagged, image.parsed.tag or ""), *((r"(?:openjdk-?|java-)(\d+)", name) for name in packages)]
    found = next((match[1] for pattern, text in asked if (match := re.search(pattern, text))), None)
    if found is None and release is not None:
        found = release.removeprefix("1.")
    return found or Refused(
        f"which Java {reading.image_reference or reading.stage.image} has is not known",
        "name it in the tag, as in -jdk21",
    )


def _project(program: Program) -> Module | Project | None:
    return None if program.call is None else built_by(program.call, program.made)


def runner(language: Language, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """The JRE of the same version and C library."""
    image, programs = reading.image, language.programs_of(reading)
    assert image is not None
    first = _project(programs[0]) if not isinstance(programs, Refused) and programs else None
    major = _jdk_of(reading, None if first is None else first.release)
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


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    context = program.reading.context
    texts = dict(sources(context, files))
    made = first_at(texts, r"\.mkdirs?\(\)|\bcreateNewFile\(\)")
    if made is not None:
        return Refused(f"{made} makes a folder that only the running program knows", BY_HAND)
    found = written_by(texts, _WRITES, _MAKES)
    everything = context.files()
    for path in everything if not isinstance(everything, Unknown) else ():
        read = context.text(path) if re.search(_SETTINGS, path) and "/test/" not in path else ""
        for match in re.finditer(_LOGS, read, re.MULTILINE):
            named = next(one for one in match.groups() if one)
            value = None if "$" in named or "~" in named else named.strip("'\"")
            found.append((Found("its settings", value, path), False))
    project = None if found else _project(program)
    keeper = None if project is None else re.search(_KEEPERS, project.text)
    if keeper is not None:
        return Refused(f"{keeper[0]} keeps files whose place the sources do not name", BY_HAND)
    return folders_written(program, files, found, ports_in(texts.values(), r"server\.port\s*[:=]\s*(\d+)"))
