"""Makefiles, read as text: which commands make runs for a target. What only make knows is left open.

Source: GNU make's manual, "Writing Rules", "Automatic Variables", "Catalogue of Built-In Rules".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refactor.context import Unknown
from refactor.flow.effects import Invocation
from refactor.flow.reading import StageReading, join

_NAMES = ("GNUmakefile", "makefile", "Makefile")
_OBJECTS = "objects.o"
"""Stands for a list that only make computes."""
_ASSIGNED = r"(?:export\s+|override\s+)?([\w.-]+)\s*(\?|\+|::?:?|!)?=\s*(.*)"
_RULE = r"([^\t#:=][^:=]*?)\s*::?(?!=)\s*([^;]*)(?:;(.*))?"
_BUILT_IN = {"CC": "cc", "CXX": "g++", "AR": "ar", "RM": "rm -f", "MAKE": "make", "CPP": "cc -E", "LD": "ld",
             "INSTALL": "install"}  # fmt: skip
_DEPTH = 8


class Rule(NamedTuple):
    targets: tuple[str, ...]
    needs: tuple[str, ...]
    recipe: tuple[str, ...]


class Makefile(NamedTuple):
    text: str
    variables: Mapping[str, str]
    rules: tuple[Rule, ...]

    def expanded(self, text: str, own: Mapping[str, str] | None = None) -> str:
        """With variables filled in, lists that functions of make compute by a name that stands for any."""
        return _expanded(text, {**self.variables, **(own or {})})

    def default(self) -> str | None:
        """The target of a call without one."""
        names = (name for rule in self.rules for name in rule.targets if not name.startswith(".") and "%" not in name)
        return next(names, None)

    def commands(self, target: str, seen: set[str] | None = None, depth: int = 0) -> Iterator[tuple[str, str]]:
        """Target and shell text of what make runs for a target and what that needs, in order."""
        seen = set() if seen is None else seen
        if target in seen or depth > _DEPTH:
            return
        seen.add(target)
        own = [rule for rule in self.rules if target in rule.targets]
        needs = [name for rule in own for name in rule.needs]
        for name in needs:
            yield from self.commands(name, seen, depth + 1)
        recipe = [line for rule in own for line in rule.recipe]
        pattern = next((rule for rule in self.rules for name in rule.targets if _fits(name, target)), None)
        if not recipe and pattern is not None:
            recipe = list(pattern.recipe)
            needs = [*(name.replace("%", "*") for name in pattern.needs), *needs]
        if not recipe and own and any(name.endswith(".o") for name in needs):
            # The built-in rule that links.
            recipe = ["$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@"]
        first = needs[0] if needs else _OBJECTS
        filled = {"@": target, "<": first, "^": " ".join(needs) or _OBJECTS, "+": " ".join(needs), "?": " ".join(needs),
                  "*": target.rpartition(".")[0]}  # fmt: skip
        for line in recipe:
            yield target, self.expanded(line.lstrip("@-+ \t"), filled)


def _fits(pattern: str, target: str) -> bool:
    head, sign, tail = pattern.partition("%")
    return bool(sign) and target.startswith(head) and target.endswith(tail)


def parsed(text: str, given: Mapping[str, str]) -> Makefile:
    """A makefile's text; ``given`` are variables of the command line."""
    joined = re.sub(r"\\\r?\n[ \t]*", " ", text)
    variables: dict[str, str] = dict(_BUILT_IN)
    rules: list[Rule] = []
    current: list[str] | None = None
    for raw in joined.splitlines():
        line = raw if raw.startswith("\t") else re.sub(r"(?<!\\)#.*", "", raw)
        assigned = re.fullmatch(_ASSIGNED, line.strip())
        if line.startswith("\t"):
            if current is not None:
                current.append(line.strip())
        elif assigned is not None:
            name, kind, value = assigned[1], assigned[2], assigned[3].strip()
            variables[name] = f"{variables.get(name, '')} {value}".strip() if kind == "+" else (
                variables.get(name, value) if kind == "?" and name not in _BUILT_IN else value
            )  # fmt: skip
        else:
            rule = re.fullmatch(_RULE, line.strip())
            if rule is not None:
                current = [rule[3].strip()] if rule[3] else []
                names = {**variables, **given}
                found = (tuple(_expanded(rule[1], names).split()), tuple(_expanded(rule[2], names).split()))
                rules.append(Rule(*found, current))  # type: ignore[arg-type]
    own = tuple(Rule(one.targets, tuple(name for name in one.needs if name != "|"), tuple(one.recipe)) for one in rules)
    return Makefile(text, {**variables, **given}, own)


def _expanded(text: str, names: Mapping[str, str], depth: int = 0) -> str:
    def filled(found: re.Match[str]) -> str:
        inner = found[1] or found[2] or found[3]
        if found[1] is None and found[2] is None:
            return names.get(inner, "")
        if re.match(r"[\w-]+\s", inner):
            return inner.split(None, 1)[1] if inner.startswith("addprefix") else _OBJECTS
        name, _, suffixes = inner.partition(":")
        value = names.get(name.strip())
        if suffixes:
            old, _, new = suffixes.partition("=")
            words = (value or "").split()
            return " ".join(word.removesuffix(old) + new if word.endswith(old) else word for word in words) or _OBJECTS
        return "" if value is None else value

    if depth > _DEPTH:
        return text
    found = re.sub(r"\$\(((?:[^()$]|\$[@<^+?*])*)\)|\$\{([^{}$]*)\}|\$([@<^+?*])", filled, text)
    return found.replace("$$", "$") if found == text else _expanded(found, names, depth + 1)


def makefile_of(call: Invocation) -> tuple[str, Makefile] | None:
    """The makefile of the context that a call of make reads."""
    folder = call.path(call.option("-C", "--directory") or ".")
    asked = call.option("-f", "--file", "--makefile")
    for name in (asked,) if asked else _NAMES:
        place = Unknown("") if isinstance(folder, Unknown) else join(folder, name)
        path = None if isinstance(place, Unknown) else call.reading.in_context(place, call.step.node)
        text = call.reading.context.read(path) if path else None
        if path and isinstance(text, str):
            given = dict(word.split("=", 1) for word in call.command.args if re.match(r"\w+=", word))
            environment = {
                name: value for name, value in call.reading.file.environment(call.step.node).items() if value
            }
            text += _included(call.reading, path, text)
            return path, parsed(text, {**{k: v for k, v in environment.items() if k != "PATH"}, **given})
    return None


def _included(reading: StageReading, path: str, text: str) -> str:
    """The text of the files that a makefile includes; one that is not there stands as a library of that name."""
    found = ""
    for optional, name in re.findall(r"(?m)^(-|s)?include\s+([\w./-]+)\s*$", text):
        more = reading.context.read(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
        if isinstance(more, str):
            found += f"\n{more}"
        elif not optional:
            found += f"\nMISSING_LIBS = -l{name}"
    return found


__all__ = ["Makefile", "makefile_of", "parsed"]
