"""`mvn spring-boot:run` and `gradle bootRun` as CMD: the jar that the same build packs is started instead."""

from __future__ import annotations

import posixpath
import shlex

from refactor.context import Unknown
from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.java import gradle, maven
from refactor.ecosystems.own_start import own_start
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, join

_MORE = frozenset(("-B", "-q", "--no-daemon", "--batch-mode", "--quiet", "-ntp", "--no-transfer-progress", "--info"))


def built_start(language: Language, reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start = own_start(reading)
    package = None if start is None else start.package
    if start is None or package is None:
        return None
    goals = [word.literal for word in package.operands]
    is_maven = package.manager == "mvn" and goals == ["spring-boot:run"]
    if not is_maven and not (package.manager == "gradle" and goals == ["bootRun"]):
        return None
    other = next((flag for flag in package.flags if flag not in _MORE), None)
    if other is not None:
        return start.refused(f"what {other} means for the program is not known", "start it with java -jar")
    folder = reading.in_context(reading.final_workdir)
    jar = None if folder is None else _jar(reading, folder, is_maven)
    if jar is None or "*" in jar:
        return start.refused("how the jar is called that the build packs is not known", "name it in the build")
    task = ("package", "-DskipTests") if is_maven else ("bootJar",)
    build = shlex.join((start.argv[0], *package.flags, *task))
    makers = language.flow(reading).makers(reading, join(reading.final_workdir, jar))
    made = next((one.act for one in makers if one.act is not None and one.kind == "command"), None)
    if made is not None:
        said = f"{start.shown}; `{made.text}` on line {made.step.line} packs {jar} already"
        return BuiltStart(start.cmd, "", ("java", "-jar", jar), (said,))
    return start.built(build, ("java", "-jar", jar), jar)


def _jar(reading: StageReading, folder: str, is_maven: bool) -> str | None:
    if is_maven:
        module = maven.module(reading.context, folder)
        is_boot = not isinstance(module, Unknown) and any("spring-boot" in name for name in module.plugins)
        return f"target/{module.jar}" if is_boot and not isinstance(module, Unknown) else None
    projects = gradle.projects(reading.context, folder)
    if isinstance(projects, Unknown) or not projects[0].is_boot or projects[0].folder != folder:
        return None
    return posixpath.join("build/libs", projects[0].jars("bootJar")[0])
