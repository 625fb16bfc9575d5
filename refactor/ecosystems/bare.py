"""A runner without a shell: what a RUN would prepare there comes from the builder, and nothing of a shell is left."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from refactor.ecosystems.kept import has_package
from refactor.ecosystems.program import Needs, Runner, Sliced
from refactor.ecosystems.split import Role, builder_name
from refactor.flow.reading import Refused, StageReading
from refactor.images import lookup
from refactor.syntax import Instruction

NONROOT = "65532:65532"
"""Distroless's ``nonroot``, by number: Kubernetes' ``runAsNonRoot`` cannot check a name."""
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def exec_form(reading: StageReading) -> tuple[Instruction, str] | None:
    """A start command in shell form that uses nothing of a shell, and its exec form."""
    start = reading.start
    if start is None or not start.is_shell or len(start.nodes) != 1 or not start.argv or start.script is None:
        return None
    node, script = start.nodes[0], start.script
    command = script.commands[0]
    is_plain = all(word.value is not None for word in command.words) and not script.trailing
    if reading.last("SHELL") is not None or (node.keyword == "ENTRYPOINT" and reading.last("CMD") is not None):
        return None
    if not is_plain or command.redirects or command.assignments or set(command.wrappers) - {"exec"}:
        return None
    words = [word.value for word in command.words]
    return node, f"{node.keyword} {json.dumps(words, ensure_ascii=False)}"


def system_files(reading: StageReading, needs: Needs, runner: Runner) -> Iterator[tuple[str, str]]:
    """Instructions that bring certificates and time zones which the image has not, each with the reason."""
    image, builder = lookup(runner.image), builder_name(reading)
    has = frozenset[str]() if image is None else image.preinstalled
    text = "\n".join(step.node.argument for step in reading.steps if step.keyword in {"RUN", "COPY", "ADD"})
    has_own = "update-ca-certificates" in text and "/usr/local/share/ca-certificates" in text
    if has_own and (needs.is_static or not runner.has_shell):
        yield f"COPY --from={builder} {_CERTIFICATES} {_CERTIFICATES}", "the stage adds certificates of its own"
    if runner.has_shell:
        return
    if not has_own and "ca-certificates" in needs.packages and "ca-certificates" not in has:
        yield f"COPY --from={builder} {_CERTIFICATES} /etc/ssl/certs/", needs.packages["ca-certificates"]
    if "tzdata" not in needs.packages or "tzdata" in has:
        return
    if has_package(reading, "tzdata"):
        yield f"COPY --from={builder} /usr/share/zoneinfo /usr/share/zoneinfo", needs.packages["tzdata"]
    elif reading.image is not None and reading.image.family == "golang":
        # golang:alpine and golang on trixie have no tzdata; Go brings the zones in one file of its own.
        yield f"COPY --from={builder} /usr/local/go/lib/time/zoneinfo.zip /", needs.packages["tzdata"]
        yield "ENV ZONEINFO=/zoneinfo.zip", needs.packages["tzdata"]


def user_of(reading: StageReading) -> str | None:
    """The user that the author sets, as COPY gives files to it: by numbers; None where that is root, or nobody."""
    name = (reading.final_user or "root").partition(":")[0]
    if name in {"root", "0"}:
        return None
    return reading.final_user if name.isdigit() else NONROOT


def without_passed_workdirs(reading: StageReading, roles: dict[Instruction, Role]) -> dict[Instruction, Role]:
    """Only the last absolute WORKDIR matters to a runner in which nothing is run between two of them."""
    nodes = [step.node for step in reading.steps if step.keyword == "WORKDIR"]
    is_absolute = [(reading.expand(node.argument, node) or "").startswith("/") for node in nodes]
    last = max((at for at, own in enumerate(is_absolute) if own), default=0)
    copies = [node for node, role in roles.items() if Role.RUNNER in role and node.keyword in {"COPY", "ADD", "RUN"}]
    at = [reading.position(node) for node in copies if reading.position(node) < reading.position(nodes[last])]
    passed = [node for node in nodes[:last] if reading.position(node) > max(at, default=-1)]
    return {**roles, **dict.fromkeys(passed, Role.BUILDER)}


def spelled_out(reading: StageReading, runner: Runner) -> dict[Instruction, str]:
    """Instructions of the runner with the values of variables ($GOPATH) that only the builder's image brings."""
    image, other = reading.image, lookup(runner.image)
    own = dict(image.env) if image is not None else {}
    missing = {
        name: value for name, value in own.items() if name != "PATH" and (other is None or name not in other.env)
    }
    found: dict[Instruction, str] = {}
    for step in reading.steps if missing else ():
        node = step.node
        if node.keyword in {"WORKDIR", "ENV", "VOLUME"} and "$" in node.argument:
            text = node.argument
            for name, value in missing.items():
                if name not in reading.file.environment(node):
                    text = re.sub(rf"\$(?:\{{{name}\}}|{name}\b)", value, text)
            if text != node.argument:
                found[node] = f"{node.keyword} {text}"
    return found


def owned(language: Sliced, reading: StageReading, copied: Collection[str]) -> list[str]:
    """What the program may change in a runner where no RUN can give it to its user: empty folders and files that the
    stage makes, of those that are ``copied``; where the author says who the user is, all that it writes to."""
    made = [path for act in language.flow(reading).acts(reading) if act.call is not None
            and act.call.name in {"mkdir", "touch"} for path in act.effect.writes
            if isinstance(path, str) and path in copied]  # fmt: skip
    written = None if user_of(reading) is None else language.written(reading)
    more = () if written is None or isinstance(written, Refused) else written.paths
    return list(dict.fromkeys([*made, *more]))


def owner_in(reading: StageReading, runner: Runner) -> str:
    """Who gets files that the program may change: the author's user, else the one that suits the image."""
    image = lookup(runner.image)
    own = user_of(reading)
    return own or (NONROOT if image is not None and "nonroot" in image.users else "10001:10001")


__all__ = [
    "NONROOT", "exec_form", "owned", "owner_in", "spelled_out", "system_files", "user_of", "without_passed_workdirs",
]  # fmt: skip
