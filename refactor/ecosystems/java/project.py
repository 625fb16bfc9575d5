"""What Maven's and Gradle's readers say alike of a project that is built."""

from __future__ import annotations

from typing import NamedTuple


class Project(NamedTuple):
    """A folder with a pom.xml or a build script."""

    folder: str
    """Its context path; "" for the context itself."""
    manifests: tuple[str, ...]
    """Context paths of its own pom or script, then of the parents' in the context, and of what the tool, or its
    wrapper, reads beside it."""
    text: str
    """What the poms or scripts say."""
    release: tuple[str, str] | None
    """What names the version of Java that it is compiled for, and that version; None where nothing does."""
    packer: str | None
    """What puts all that the program needs into its jar; None where nothing is seen to."""
    needed: str
    """What it needs at run time, in words; "" for nothing."""
    made: tuple[tuple[str, str], ...]
    """Pattern of goals or tasks, and what one of them makes, below its folder; wildcards for what is not spelled
    out."""
    lib: str | None = None
    """The folder beside its jar that has the libraries which the jar's manifest names; None where there is none."""
