"""`mvn spring-boot:run` and `gradle bootRun` as CMD: the jar that the same build packs is started instead."""

from __future__ import annotations

import re
import shlex

from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.java.tools import java_call
from refactor.ecosystems.own_start import own_start
from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading, join

_INSTEAD = {("spring-boot:run",): "package -DskipTests", ("bootRun",): "bootJar"}
_MORE = frozenset(("-B", "-q", "--no-daemon", "--batch-mode", "--quiet", "-ntp", "--no-transfer-progress", "--info"))


def built_start(language: Language, reading: StageReading) -> BuiltStart | Refused | None:
    """See :meth:`Ecosystem.built_start`."""
    start = own_start(reading)
    asked = None if start is None else java_call(start.call())
    if start is None or asked is None or asked.goals not in _INSTEAD:
        return None
    other = next((flag for flag in asked.package.flags if flag not in _MORE), None)
    if other is not None:
        return start.refused(f"what {other} means for the program is not known", "start it with java -jar")
    build = f"{shlex.join((start.argv[0], *asked.package.flags))} {_INSTEAD[asked.goals]}"
    built = java_call(start.call(build))
    packed = () if built is None else built.packed()
    jar = next((path for path, one in packed if path.endswith(".jar") and re.search("(?i)spring.boot", one.packer or "")
                and one.folder == asked.source), "*")  # fmt: skip
    if "*" in jar:
        return start.refused("how the jar is called that the build packs is not known", "name it in the build")
    makers = language.flow(reading).makers(reading, join(reading.final_workdir, jar))
    made = next((one.act for one in makers if one.act is not None and one.kind == "command"), None)
    if made is not None:
        said = f"{start.shown}; `{made.text}` on line {made.step.line} packs {jar} already"
        return BuiltStart(start.cmd, "", ("java", "-jar", jar), (said,))
    return start.built(build, ("java", "-jar", jar), jar)
