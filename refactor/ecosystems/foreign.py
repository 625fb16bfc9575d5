"""Languages that have no folder here yet: their tools are known by name, so that silence does not meet their stages."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from collections.abc import Mapping
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading, Step
from refactor.images import why_windows
from refactor.shell import Command


def _programs(table: Mapping[str, str]) -> dict[str, str]:
    return {program: language for language, programs in table.items() for program in programs.split()}


_OF_PROGRAM = _programs(
    {
        "Java": "sbt lein mill ant scala",
        ".NET Framework": "mono msbuild xbuild nuget",
        "C or C++": "meson scons bazel",
        "Perl": "perl cpan cpanm plackup",
        "Erlang": "rebar3 erl erlc",
        "Haskell": "stack cabal ghc",
        "Swift": "swift swiftc",
        "Dart": "dart flutter",
        "Crystal": "crystal shards",
        "Nim": "nim nimble",
        "Julia": "julia",
        "R": "R Rscript",
        "Lua": "lua luajit luarocks",
        "Zig": "zig",
        "D": "dub dmd ldc2",
        "OCaml": "opam dune ocaml ocamlfind",
    }
)
_APART = "by hand: build in a stage of its own, and copy"
_BY_HAND = {
    "Java": f"{_APART} the .jar into an image with a JRE only (eclipse-temurin:<version>-jre)",
    "C or C++": f"{_APART} the program, and the libraries that `ldd` shows for it, into a smaller image",
}


class Foreign(NamedTuple):
    """A stage whose language is not known here."""

    language: str
    build: Step | None
    """The first RUN that installs or builds with tools of the language."""
    refused: Refused


def foreign(reading: StageReading) -> Foreign | None:
    """The language that a stage is in as far as its tools show, and why nothing is done about it.

    Windows counts as one. None for a stage in which no known tool is at work; to be asked where no language of ours
    is recognised.
    """
    return reading.remember("foreign", lambda: _read(reading))


def _read(reading: StageReading) -> Foreign | None:
    windows = why_windows(reading.file, reading.stage)
    if windows is not None:
        return Foreign("Windows", next(iter(reading.runs), None), Refused(windows))
    for step in reading.runs:
        for command in step.commands:
            language = _of_program(command)
            if language is not None:
                line = reading.file.line_of(step.node)
                return _foreign(language, step, f"`{_shown(command)}` on line {line}")
    language = _started(reading)
    if language is not None and reading.start is not None:
        return _foreign(language, None, f"{reading.start.program} is started")
    return None


def _foreign(language: str, step: Step | None, what: str) -> Foreign:
    because = (
        f"{what}: how {language} programs are built, and what they need at run time, is not known to dockerfix yet"
    )
    return Foreign(
        language, step, Refused(because, _BY_HAND.get(language, f"{_APART} the result into a smaller image"))
    )


def _of_program(command: Command) -> str | None:
    name = (command.name or "").rpartition("/")[2]
    # `java -version` and the like look, they do not build.
    return None if set(command.args) & {"--version", "-version", "-v", "-V"} else _OF_PROGRAM.get(name)


def _started(reading: StageReading) -> str | None:
    start = reading.start
    if start is None or not start.program:
        return None
    name = start.program.rpartition("/")[2]
    # mvnw, gradlew: the project's own copy.
    return _OF_PROGRAM.get(name)


def _shown(command: Command) -> str:
    words = [word.text for word in command.words]
    text = " ".join(words[:3] if len(" ".join(words[:3])) <= 50 else words[:2])
    return text if len(text) <= 50 else f"{text[:50]}..."


__all__ = ["Foreign", "foreign"]
