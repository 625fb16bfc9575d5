"""How Go programs are started that nothing builds before: `go run`, and builds that are not seen."""

from __future__ import annotations

import posixpath
import shlex

from refactor.ecosystems.answers import BuiltStart
from refactor.ecosystems.go.commands import GoCall
from refactor.ecosystems.go.packages import main_packages
from refactor.ecosystems.table import Language
from refactor.flow.effects import Invocation
from refactor.flow.reading import Refused, StageReading
from refactor.shell import package_call, read

_BUILDERS = frozenset({"make", "mage", "task", "just", "bazel", "goreleaser", "sh", "bash"})


def built_start(reading: StageReading) -> BuiltStart | Refused | None:
    """`go run` as CMD or ENTRYPOINT: build it once, and start the program. See :meth:`Ecosystem.built_start`."""
    start = reading.start
    if start is None or start.argv[:2] != ("go", "run") or not reading.steps:
        return None
    if reading.context.deployment.has_own_command:
        return None
    first, where = start.nodes[0], f"{start.nodes[0].keyword} on line {reading.file.line_of(start.nodes[0])}"
    own = start.argv if first.json is None else tuple(first.json)
    package = package_call(read(shlex.join(own)).commands[0])
    words = () if package is None else (*filter(None, [package.script]), *(word.literal for word in package.operands))
    if not words:
        return Refused(f"{where} runs no package, or shares `go run` with another instruction", "name the package")
    count = sum(word.endswith(".go") for word in words) if words[0].endswith(".go") else 1
    end = next(at for at, word in enumerate(own) if at > 1 and word == words[count - 1]) + 1
    # CMD's place in the file does not matter: it runs in the last WORKDIR.
    build = read(shlex.join(("go", "build", *own[2:end]))).commands[0]
    go = GoCall.of(Invocation(build, reading, reading.steps[-1], reading.final_workdir, {}))
    module = Refused("it is no call of go") if go is None else go.module()
    packages = module if isinstance(module, Refused) or go is None else main_packages(go, module)
    if isinstance(packages, Refused):
        return Refused(f"what {where} runs is not known: {packages.because}", packages.hint)
    if len(packages) != 1:
        return Refused(f"{where} runs {' '.join(words)}, which is no main package of the build context")
    path = f"/usr/local/bin/{packages[0][0]}"
    options = [word for word in own[2 : end - count] if not word.startswith("-exec")]
    text = shlex.join(["go", "build", *options, "-o", path, *words[:count]])
    said = f"{where} compiled {' '.join(words[:count])} at every start; now it is built once"
    return BuiltStart(first, text, (path, *own[end:]), (said,))


def why_nothing_is_built(language: Language, reading: StageReading) -> Refused | None:
    """No go build or go install: said aloud where the image is there to build."""
    image, start = reading.image, reading.start
    if image is None or image.family != "golang" or start is None:
        return None
    for step in reading.runs:
        for command in step.commands:
            name = posixpath.basename(command.name or "")
            if name in _BUILDERS or name.endswith(".sh"):
                shown = " ".join(word.text for word in command.words)[:60]
                because = f"line {reading.file.line_of(step.node)} runs `{shown}`, and what that builds is not known"
                return Refused(because, "call go build itself in the Dockerfile")
    if reading.context.why_unknown is not None:
        return Refused(f"the build context is not known: {reading.context.why_unknown}", "name it with --context")
    programs = language.programs_of(reading) if start.argv else ()
    because = f"what is started ({start.text}) is not built by this stage"
    hint = "build it with go build -o, and start that path"
    if isinstance(programs, Refused):
        because, hint = programs
    return Refused(f"no go build or go install of the project is found; {because}", hint) if start.argv else None


__all__ = ["built_start", "why_nothing_is_built"]
