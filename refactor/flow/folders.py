"""Which folders an image has, as far as its file says."""

from __future__ import annotations

from refactor.flow.reading import StageReading, Step, is_within, join
from refactor.shell import files_of
from refactor.syntax import Instruction

STANDARD = frozenset(
    "/ /bin /etc /home /lib /mnt /opt /root /sbin /srv /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin"
    " /usr/local/lib /usr/local/share /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/tmp".split()
)
"""Folders of Debian's and Alpine's base files, and of distributions with RPM."""
SOURCES = "/usr/src"
"""Debian's base-files and the package filesystem of distributions with RPM have it, Alpine's has not."""


def is_folder_there(reading: StageReading, folder: str, at: Instruction) -> bool:
    """Whether the absolute ``folder`` is one of every distribution, or an instruction of the stage before ``at`` makes
    it, by name or around it."""
    manager = reading.image.package_manager if reading.image is not None else None
    if folder == SOURCES and manager not in (None, "apk"):
        return True
    if folder in STANDARD or folder == (reading.image.workdir if reading.image is not None else None):
        return True
    return any(_makes(reading, step, folder) for step in reading.steps[: reading.position(at)])


def _makes(reading: StageReading, step: Step, folder: str) -> bool:
    node = step.node

    def expand(word: str) -> str | None:
        return reading.expand(word, node)

    if step.keyword == "WORKDIR":
        value = expand(node.argument)
        return value is not None and is_within(join(step.workdir, value), folder)
    if node.destination is not None:
        value = expand(node.destination)
        is_folder = value is not None and (
            value.endswith("/") or any(each.is_folder for each in reading.copied_by(node))
        )
        return is_folder and is_within(join(step.workdir, value or ""), folder)
    if step.script is None or step.script.opaque is not None:
        return False
    return any(is_within(path, folder) for path in files_of(step.script, step.workdir, expand).made)
