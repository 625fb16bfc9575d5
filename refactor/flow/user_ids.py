"""The numbers of a user that a Dockerfile names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading, Step
from refactor.shell import Command, read
from refactor.shell.posix import operands, option

_MAKE_USER = frozenset({"useradd", "adduser"})
_MAKE_GROUP = frozenset({"groupadd", "addgroup"})


class Ids(NamedTuple):
    """A user by its numbers."""

    uid: int
    gid: int
    where: str
    """What says so, as evidence."""


def user_ids(reading: StageReading, name: str, group: str | None) -> Ids | Refused:
    """The ids of the user ``name`` in the stage: from a RUN that makes it with a fixed id, or from the base image.

    ``group`` is what USER names behind the colon, None where it names nothing: the user's own group then.
    """
    hint = f"make the user with fixed ids (-u and -g), or write USER with its numbers in place of {name}"
    if "$" in name or "$" in (group or ""):
        return Refused(f"which user {name} is depends on a variable", hint)
    groups: dict[str, int] = {}
    found: Ids | None = None
    for command, line in _commands(reading):
        program = (command.name or "").rpartition("/")[2]
        own = option(command.args, "-g", "--gid")
        target = command.args[-1] if command.args else ""
        if program in _MAKE_GROUP and own is not None and own.isdigit():
            groups[target] = int(own)
        elif name in command.args and (
            program in {"usermod", "groupmod", "deluser", "userdel", "gpasswd"}
            or (program == "addgroup" and operands(command.args)[:-1] == (name,))
        ):
            return Refused(f"line {line} changes the user {name}, whose numbers are then not known", hint)
        elif program in _MAKE_USER and name in command.args:
            more = option(command.args, "-G")
            if more is not None and program == "useradd":
                return Refused(f"line {line} puts the user {name} into more groups, which numbers do not keep", hint)
            uid = option(command.args, "-u", "--uid") or ""
            own = own or more or option(command.args, "--ingroup")
            gid = own if own is not None and own.isdigit() else str(groups.get(own or name, ""))
            if not uid.isdigit() or (group is None and not gid.isdigit()):
                return Refused(f"line {line} makes the user {name} without fixed numbers", hint)
            found = Ids(int(uid), int(gid or 0), f"line {line} makes {name} with these numbers")
    image = reading.image
    if found is None and image is not None and name in image.users:
        found = Ids(*image.users[name], f"{image.reference} has the user {name} with these numbers")
        groups.setdefault(name, image.users[name][1])
    if found is None:
        return Refused(f"the numbers of the user {name} are not known", hint)
    if group is not None and not group.isdigit():
        if group not in groups:
            return Refused(f"the number of the group {group} is not known", hint)
        return found._replace(gid=groups[group])
    return found if group is None else found._replace(gid=int(group))


def mount_owner(reading: StageReading, step: Step) -> str | None:
    """The options of a mount that give it to the user that a RUN runs as: "" for root, None for one whose numbers are
    not known."""
    image = reading.image
    written = step.user or ("root" if image is None else image.default_user)
    name = (reading.expand(written, step.node) or "?").partition(":")[0]
    if name in {"root", "0"}:
        return ""
    if name.isdigit():
        return f",uid={name}"
    ids = user_ids(reading, name, None)
    return None if isinstance(ids, Refused) else f",uid={ids.uid},gid={ids.gid}"


def made_home(reading: StageReading, name: str) -> str | None:
    """The home folder of a user that a RUN makes together with one, by name or number; None where that is not known.

    Defaults of useradd(8) with `-m`, of Debian's adduser(8) and of busybox: ``/home/NAME``; users of the system have
    others.
    """
    found = None
    for command, _ in _commands(reading):
        program, args = (command.name or "").rpartition("/")[2], command.args
        if program not in _MAKE_USER or not args or name not in {args[-1], option(args, "-u", "--uid")}:
            continue
        letters = "".join(arg[1:] for arg in args if arg.startswith("-") and not arg.startswith("--"))
        named = option(args, "-d", "--home-dir", "--home", "-h")
        is_made = program == "adduser" or "m" in letters or "--create-home" in args
        is_other = {"S", "H"} & set(letters) or {"--system", "--no-create-home"} & set(args) or "$" in args[-1]
        found = (named or (None if is_other else f"/home/{args[-1]}")) if is_made else None
    return found if found is not None and found.startswith("/") and "$" not in found else None


def _commands(reading: StageReading) -> Iterator[tuple[Command, int]]:
    """The commands of all RUNs of the stage and of those that it is built from, heredocs' as well."""
    for one in reversed(tuple(reading.lineage())):
        for step in one.runs:
            bodies = [read(heredoc.body) for heredoc in step.node.heredocs]
            for script in [step.script] if step.script is not None else bodies:
                for command in script.commands:
                    yield command, one.file.line_of(step.node)


__all__ = ["Ids", "made_home", "mount_owner", "user_ids"]
