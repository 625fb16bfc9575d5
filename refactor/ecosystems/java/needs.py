"""What a Java program needs when it runs, which image carries it, where it writes, and how it tells that it is well."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from refactor.ecosystems.answers import Written
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.calls import beside, called, first_at, opened, sources, texts_below
from refactor.ecosystems.java.projects import Project
from refactor.ecosystems.java.tools import project_of
from refactor.ecosystems.program import Needs, Program, Runner
from refactor.ecosystems.serving import Port, Serving, only_port, served
from refactor.ecosystems.split import variant_reference
from refactor.ecosystems.system import installed
from refactor.ecosystems.table import Language
from refactor.ecosystems.written import BY_HAND, folders_written, named_in, ports_in, written_by
from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import Root
from refactor.images.temurin import OF_THE_JDK, java_of, jre_of

SUFFIXES = (".java", ".kt", ".scala", ".groovy")
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
_MAKES: Mapping[str, int] = {
    r"(?:\w+\.)*Files\.createDirector(?:y|ies)": 0, r"[\w.]*\.(?:mkdirs?|createNewFile)": 0
}  # fmt: skip
_COMPILES = r"javax\.tools\b|ToolProvider\.getSystemJavaCompiler|com\.sun\.tools\.|jdk\.jshell\b"
SETTINGS = r"(?:^|/)(?:application|bootstrap)[\w-]*\.(?:properties|ya?ml)\Z|(?:^|/)log(?:back|4j2?)[\w-]*\.xml\Z"
_LOGS = (
    r"(?m)logging\.file(?:\.name|\.path)?\s*[:=]\s*(\S+)|^logging:(?:\n[ \t]+[^\n]*)*?\n[ \t]+(?:name|path):\s*(\S+)"
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
_CLASS_PATH = frozenset({"-cp", "-classpath", "--class-path"})
_VALUED = _CLASS_PATH | set("-p --module-path --add-modules --add-opens --add-exports --add-reads".split())
"""Options of java whose value is the next word."""
_MANIFEST = r"(?:^|/)(?:pom\.xml|build\.gradle(?:\.kts)?|libs\.versions\.toml)$"
_MOVED = r"context-path|base-path|path-mapping|server\.ssl|\bssl\s*:|management\.server|exposure\.exclude|key-store"
"""Settings after which the route, its port or its protocol is another one; as properties and as YAML has them."""
_PORT = (
    r"(?m)^(?:server\.port\s*[=:]|server:\s*\n(?:[ \t]+[^\n]*\n)*?[ \t]+port:)[ \t]*[\"']?"
    r"(?:\$\{(\w+)(?::(\d+))?\}|(\d+))?"
)


def entry(language: Language, root: Root) -> str | Refused | None:
    """See :meth:`Language.entry`."""
    words, refused = root.words, language.why_compiles(root)
    if refused is not None or root.name != "java":
        return refused or (words[0] if "/" in words[0] else None)
    if "-jar" in words[:-1]:
        return words[words.index("-jar") + 1]
    # A variable stands for options: java $JAVA_OPTS Main.
    named = language.script(root, [f"-{word}" if word[:1] == "$" else word for word in words], "", _VALUED)
    if isinstance(named, str) and named.endswith(".java"):
        return Refused(f"{root.where} compiles {named} at every start", "compile it in a RUN with javac")
    program = f"{named.replace('.', '/')}.class" if isinstance(named, str) else named
    return next(iter(_class_path(root)), program)


def _class_path(root: Root) -> list[str]:
    """The parts of the class path that the start command names, the working directory left out."""
    named = next((value for option, value in pairwise(root.words) if option in _CLASS_PATH), "")
    return [part.removesuffix("/*").rstrip("/") for part in named.split(":") if part not in {"", "."}]


def needs_of(program: Program, files: Sequence[str]) -> Needs | Refused:
    """See :meth:`Language.needs_of`."""
    texts = dict(sources(program.reading.context, files))
    compiling = first_at(texts, _COMPILES)
    if compiling is not None:
        return Refused(f"{compiling} calls the compiler, which a JRE does not have", "keep the JDK, or split by hand")
    libraries = _libraries(program, files)
    if isinstance(libraries, Refused):
        return libraries
    programs = called(texts, {r"new\s+ProcessBuilder": 0, r"(?:\w+\.)*getRuntime\(\)\.exec": 0})
    if isinstance(programs, Refused):
        return programs
    paths = opened(program, texts, _READS, SUFFIXES, packed=r"(?:^|/)(?:src|buildSrc|gradle)/|(?:^|/)pom\.xml\Z")
    return Needs({**paths, **beside(program, _BESIDE), **libraries[0]}, programs, evidence=(libraries[1],))


def _libraries(program: Program, files: Sequence[str]) -> tuple[dict[str, str], str] | Refused:
    """What must lie beside the program, and why that is all."""
    root, made, project = program.root, program.made, project_of(program)
    if root.name == "java" and "/" in root.words[0] and not root.words[0].startswith("$JAVA_HOME"):
        because = f"{root.where} starts {root.words[0]}, the place of java in the base image"
        return Refused(because, "start it as `java`")
    if "JAVA_HOME" in program.reading.environment:
        return Refused("JAVA_HOME is set to a folder of the base image", "leave that to the base image")
    if program.unpacked:
        return {}, f"{made} has all that the program needs, and it is unpacked whole"
    places = [join(root.folder, part) for part in _class_path(root)]
    if places:
        return dict.fromkeys(places, f"{root.where} has it in its class path"), f"{root.where} names its class path"
    if project is not None:
        return _packed_with(made, project)
    if program.act is None or program.call is None or program.call.name != "javac":
        return Refused(f"which project packs {made} is not known", "name the jar in CMD as the build names it")
    classes = [path for path in program.act.effect.writes if isinstance(path, str)]
    folders = {posixpath.dirname(path) for path in classes if path.endswith("*.class")}
    for file in files if folders else ():
        if folders.isdisjoint(map(posixpath.dirname, program.origin.in_image(file))):
            because = f"`{program.act.text}` may compile {file} as well, and leave its classes beside it"
            return Refused(because, "compile into a folder of its own (javac -d), and start from there (java -cp)")
    return dict.fromkeys(classes, f"`{program.act.text}` writes it"), "javac writes classes, which need nothing else"


def _packed_with(made: str, project: Project) -> tuple[dict[str, str], str] | Refused:
    """What must lie beside the file that a project is packed into."""
    manifest, whole = project.manifests[0], re.match(r".*?/(?:quarkus-app|build/install/[^/]+)(?=/|\Z)", made)
    if whole is not None:
        return {whole[0]: f"{made} starts from what lies beside it"}, f"{manifest} puts all that it needs there"
    if made.endswith("-plain.jar"):
        return Refused(f"{made} is the jar without what the program needs", "start the other one, without -plain")
    if project.packer is not None:
        return {}, f"{manifest} packs the program with all that it needs ({project.packer})"
    if project.lib is not None:
        place = join(posixpath.dirname(made), project.lib)
        return {place: f"the manifest of {made} names the libraries in it"}, f"{manifest} copies libraries beside it"
    if not project.needed:
        return {}, f"{manifest} has no dependencies at run time"
    return Refused(
        f"{made} needs {project.needed} of {manifest}, and nothing says that it holds them",
        "pack them with it (spring-boot-maven-plugin, maven-shade-plugin; bootJar, shadowJar), or start what"
        " installDist makes",
    )


def runner(language: Language, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
    """The JRE of the same version and C library."""
    image, programs = reading.image, language.programs_of(reading)
    assert image is not None
    project = project_of(programs[0]) if not isinstance(programs, Refused) and programs else None
    named = (re.search(r"(?:openjdk-?|java-)(\d+)", name) for name in installed(reading))
    release = None if project is None or project.release is None else project.release[1].removeprefix("1.")
    major = java_of(image) or next((found[1] for found in named if found is not None), None) or release
    if major is None:
        because = f"which Java {reading.image_reference or reading.stage.image} has is not known"
        return Refused(because, "name it in the tag, as in -jdk21")
    tools = {**needs.programs, **programs_started(reading)}.items()
    tool = next((one for one in tools if posixpath.basename(one[0]) in OF_THE_JDK), None)
    if tool is not None:
        return Refused(f"{tool[1]} calls {tool[0]}, which only the JDK has", "keep the JDK, or split by hand")
    is_alpine = image.distro == "alpine" if wish is None else wish == "alpine"
    is_same = image.family == "eclipse-temurin" and is_alpine == (image.distro == "alpine")
    found = variant_reference(reading, "jre") if is_same else jre_of(major, is_alpine)
    if wish in {"scratch", "distroless"}:
        return Refused(f"there is no {wish} image with Java {major} here", 'use runner = "slim" or "alpine"')
    if found is None:
        return Refused(f"there is no image with a JRE of Java {major}", "name a version that has one: 8, 11, 17, 21")
    if isinstance(found, Refused):
        return found
    retired = f"{image.reference} is retired, and has no JRE: Eclipse Temurin has the same"
    why = retired if image.family == "openjdk" else f"the program needs Java {major}, not its compiler"
    return Runner(found, evidence=(why,))


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    context = program.reading.context
    texts = dict(sources(context, files))
    found = [*written_by(texts, _WRITES, _MAKES), *named_in(texts_below(context, SETTINGS), _LOGS)]
    project = None if found else project_of(program)
    keeper = None if project is None else re.search(_KEEPERS, project.text)
    if keeper is not None:
        return Refused(f"{keeper[0]} keeps files whose place the sources do not name", BY_HAND)
    return folders_written(program, files, found, ports_in(texts.values(), r"server\.port\s*[:=]\s*(\d+)"))


def serving(language: Language, reading: StageReading) -> Serving | Refused | None:
    """By Spring Boot's actuator, which answers to ``/actuator/health`` where it is a dependency (its reference
    documentation, "Endpoints")."""
    programs = language.programs_of(reading)
    if isinstance(programs, Refused):
        return programs
    if not programs:
        return None
    folders = dict.fromkeys(folder for program in programs for folder in program.folders)
    texts = texts_below(reading.context, _MANIFEST, folders)
    manifest = next((path for path, text in texts.items() if "spring-boot-starter-actuator" in text), None)
    if manifest is None:
        return Refused("no manifest of the program has spring-boot-starter-actuator", f"add it, or {BY_HAND}")
    if not any(re.search(r"spring-boot-starter-web(?:flux|mvc)?\b", text) for text in texts.values()):
        return Refused(f"{manifest} has no web server: spring-boot-starter-web is missing", BY_HAND)
    if any(re.search(r"spring-boot-starter-(?:security|oauth2)", text) for text in texts.values()):
        return Refused("Spring Security may ask for a login at /actuator/health", BY_HAND)
    settings = texts_below(reading.context, SETTINGS, folders)
    standard = Port(8080, "SERVER_PORT", f"Spring Boot, as no setting of {manifest} names a port,")
    ports = (
        Port(int(default or number or 0) or None, variable or "SERVER_PORT", path)
        for path, text in settings.items()
        for variable, default, number in re.findall(_PORT, text)[:1]
    )
    port = only_port(ports) or standard
    return served(reading, settings, _MOVED, ("/actuator/health", f"the actuator of {manifest}"), port)
