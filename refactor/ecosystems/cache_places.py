"""Where a tool keeps its cache in an image: by its variables, and by the home of the user that it runs as."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading, Step, is_within, join

_HOMES = {"node": "/home/node", "gradle": "/home/gradle", "bun": "/home/bun", "ubuntu": "/home/ubuntu"}
"""Homes of users that official images bring, by their Dockerfiles."""
_XDG = (("~/.cache", "XDG_CACHE_HOME"), ("~/.local/share", "XDG_DATA_HOME"))
"""XDG Base Directory Specification 0.8."""


class Kept(NamedTuple):
    """How a tool finds its cache."""

    title: str
    """The tool, as it is called in sentences."""
    default: str
    """The folder without any variable, `~` for the user's home; "" where that is not known."""
    variables: tuple[tuple[str, str], ...] = ()
    """Variables that name another folder, the first one first, each with what is below it ("" for nothing)."""
    below: str = ""
    """What of the default folder is the cache."""


class Place(NamedTuple):
    folder: str
    """Absolute path in the image."""
    owner: str
    """The options of a mount that give it to the tool's user; "" for root."""


def place_of(reading: StageReading, step: Step, kept: Kept) -> Place | Refused:
    """The cache of a tool that ``step`` runs, as the effective user has it."""
    image, line = reading.image, reading.file.line_of(step.node)
    known = reading.file.environment(step.node)
    if image is None:
        return Refused(
            f"the base image {reading.image_reference or reading.stage.image} is not in the catalogue: whose home"
            f" {kept.title} keeps its cache in is not known",
            "write the mount by hand, or start from an official image",
        )
    written = image.default_user if step.user is None else reading.expand(step.user, step.node)
    name = (written or "?").partition(":")[0]
    base, below = kept.default, kept.below
    for start, variable in _XDG:
        if base.startswith(start) and variable in known:
            base = (known[variable] or "?") + base[len(start) :]
    for variable, rest in kept.variables:
        if variable in known or variable in image.env:
            base, below = (known[variable] or "?") if variable in known else image.env[variable], rest
            break
    if base.startswith("~"):
        home = known["HOME"] if "HOME" in known else _home(reading, name)
        base = "?" if home is None else home + base[1:]
    if not base.startswith("/") or any(sign in base for sign in "?$, \"'\\"):
        hint = f"set ENV {kept.variables[0][0]} to a folder" if kept.variables else "write the mount by hand"
        return Refused(f"line {line} runs {kept.title} as {name}, and where that keeps its cache is not known", hint)
    from refactor.flow.user_ids import mount_owner

    owner = mount_owner(reading, step)
    if owner is None:
        return Refused(
            f"line {line} runs {kept.title} as {name}, whose number is not known, and a cache mount belongs to one",
            "write USER with the number",
        )
    return Place(join(join("/", base), below or "."), owner)


def _home(reading: StageReading, name: str) -> str | None:
    """The home of a user: BuildKit sets HOME for a RUN by /etc/passwd."""
    if name in {"root", "0"}:
        return "/root"
    image = reading.image
    for user, (uid, _) in () if image is None else image.users.items():
        if name in {user, str(uid)} and user in _HOMES:
            return _HOMES[user]
    from refactor.flow.user_ids import made_home

    return made_home(reading, name)


def target_of(reading: StageReading, step: Step, mount: str, kind: str) -> str | None:
    """The absolute target of a mount of that kind; of a bind mount only if it shows the build context."""
    options = dict(part.partition("=")[::2] for part in mount.split(","))
    if options.get("type", "bind") != kind or (kind == "bind" and "from" in options):
        return None
    written = options.get("target") or options.get("dst") or options.get("destination") or ""
    return join(step.workdir, reading.expand(written, step.node) or written)


def is_mounted(reading: StageReading, step: Step, folder: str) -> bool:
    """Whether a cache mount of the RUN covers the folder."""
    targets = (target_of(reading, step, value, "cache") for value in step.node.flag_values("mount"))
    return any(target is not None and is_within(folder, target) for target in targets)


__all__ = ["Kept", "Place", "is_mounted", "place_of", "target_of"]
