"""absolute-workdir"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    Phase,
    Refusal,
    Replace,
    Safety,
    Stage,
    StageReading,
    join,
    leaves,
    refuse,
    rewrites,
    why_windows,
)


class AbsoluteWorkdir(Codemod):
    """Write WORKDIR as an absolute path.

    Why
    ---
    A relative WORKDIR is appended to the one before it, or to whatever folder the base image leaves: the same line
    means another folder when a line above it, or the base image, changes. Builds warn about it
    (`WorkdirRelativePath`).

    What it does
    ------------
    Writes the folder that the relative path leads to, counted from an absolute WORKDIR above it in the stage, from the
    end of the stage that it is built from, or from the working directory that the base image is known to have.

    When it refuses
    ---------------
    When it is not known where the base image starts; when the path above holds a variable that is set anew in between,
    or may itself be relative; when the path has quotes or escapes; on Windows.

    Safety
    ------
    SAFE: BuildKit joins the two paths by their text in the same way. REVIEW where a build argument chooses the base
    image.
    """

    phase = Phase.STYLE
    words = ("workdir",)
    safety = Safety.SAFE
    # A second reader that does not know where base images start sees other folders, and other targets of copies.
    may_change = frozenset({Aspect.WORKDIR, Aspect.COPIES})
    hadolint = ("DL3000",)
    checks = ("WorkdirRelativePath",)
    examples = (
        rewrites(
            "from the base image and from the path above",
            before="""
            FROM debian:bookworm-slim AS base
            WORKDIR app
            WORKDIR ./src/
            FROM base
            WORKDIR ../dist
            """,
            after="""
            FROM debian:bookworm-slim AS base
            WORKDIR /app
            WORKDIR /app/src
            FROM base
            WORKDIR /app/dist
            """,
        ),
        rewrites(
            "golang images work in /go",
            before="""
            FROM golang:1.22
            WORKDIR src/app
            COPY . .
            RUN go build .
            """,
            after="""
            FROM golang:1.22
            WORKDIR /go/src/app
            COPY . .
            RUN go build .
            """,
        ),
        rewrites(
            "the base image is unknown, but a path above is absolute; variables stay",
            before="""
            FROM example.com/base
            ARG NAME=app
            ENV ROOT=/srv
            WORKDIR $ROOT
            WORKDIR $NAME
            WORKDIR /opt/${NAME}
            WORKDIR bin
            """,
            after="""
            FROM example.com/base
            ARG NAME=app
            ENV ROOT=/srv
            WORKDIR $ROOT
            WORKDIR $NAME
            WORKDIR /opt/${NAME}
            WORKDIR /opt/${NAME}/bin
            """,
        ),
        leaves(
            "an unknown base image",
            """
            FROM example.com/base
            WORKDIR app
            """,
            because="where example.com/base starts is not known",
        ),
        leaves(
            "a variable that only the build knows, and may be relative",
            """
            FROM debian:bookworm-slim
            ARG HOME_FOLDER
            WORKDIR $HOME_FOLDER
            WORKDIR src
            """,
            because="$HOME_FOLDER, may itself be relative",
        ),
        leaves(
            "the variable means something else by then",
            """
            FROM debian:bookworm-slim
            ARG NAME=a
            WORKDIR /opt/$NAME
            ENV NAME=b
            WORKDIR src
            """,
            because="NAME is set anew",
        ),
        leaves(
            "quotes",
            """
            FROM debian:bookworm-slim
            WORKDIR "my app"
            """,
            because="the path has quotes or escapes",
        ),
        leaves(
            "absolute already",
            """
            FROM debian:bookworm-slim
            WORKDIR /app
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        if not any(_is_relative(node) for node in file.instructions):
            return
        ends: dict[int, _Folder] = {}
        for stage in file.stages:
            parent = file.stage_before(stage.index, stage.image)
            folder = ends[parent.index] if parent is not None else _of_image(file, stage, context)
            for node in stage.instructions:
                if node.keyword in ("ENV", "ARG"):
                    folder = folder.after({name for name, _ in node.pairs})
                elif node.keyword == "WORKDIR":
                    result = _joined(file, stage, node, folder) if _is_relative(node) else None
                    if result is not None:
                        yield result
                    folder = _left_by(file, node, folder, result)
            ends[stage.index] = folder


class _Folder(NamedTuple):
    """The absolute working directory as it can be written, variables and all; or why it cannot."""

    path: str | None
    why: str = ""
    image: str = ""
    """The base image where a build argument decides which one it is."""

    def after(self, assigned: set[str]) -> _Folder:
        """The folder once variables have other values."""
        again = sorted(assigned.intersection(re.findall(r"\$\{?(\w+)", self.path or "")))
        return _Folder(None, f"{again[0]} is set anew after {self.path}") if again else self


def _is_relative(node: Instruction) -> bool:
    path = node.argument
    return node.keyword == "WORKDIR" and bool(path) and not re.match(r"[\"'`]?(?:[/\\$]|[A-Za-z]:)", path)


def _of_image(file: Dockerfile, stage: Stage, context: BuildContext) -> _Folder:
    image = StageReading.of(file, stage, context).image
    if image is None:
        return _Folder(None, f"where {stage.image} starts is not known")
    return _Folder(image.workdir or "/", image=image.reference if "$" in stage.image else "")


def _joined(file: Dockerfile, stage: Stage, node: Instruction, folder: _Folder) -> Finding | Refusal:
    hint = "write the absolute path"
    windows = why_windows(file, stage)
    if windows is not None:
        return refuse(node, windows, hint)
    written = node.argument
    if re.search(r"[\"'\\`]", written) or node.has_inner_comment:
        return refuse(node, "the path has quotes or escapes, or a comment inside", hint)
    if folder.path is None:
        return refuse(node, f"the path is relative, and {folder.why}", hint)
    if ".." in written.split("/") and "$" in folder.path + written:
        return refuse(node, "`..` of a path with variables leads to a folder that only the build knows", hint)
    path = join(folder.path, written)
    return Finding(
        node,
        f"write WORKDIR as {path}",
        [Replace(node, [node.with_argument(path)])],
        why="a relative WORKDIR means another folder when a line above it or the base image changes",
        evidence=[f"{folder.image} starts in {folder.path}; another image may not"] if folder.image else (),
        safety=Safety.REVIEW if folder.image else None,
    )


def _left_by(file: Dockerfile, node: Instruction, folder: _Folder, result: Finding | Refusal | None) -> _Folder:
    """The working directory below a WORKDIR."""
    written = node.argument
    if isinstance(result, Finding):
        return folder._replace(path=join(folder.path or "/", written))
    if result is not None:
        return folder if folder.path is None else _Folder(None, f"line {file.line_of(node)} is relative as well")
    value = file.expand(written, node)
    if value is not None and "$" not in written:
        return _Folder(join("/", value) if value.startswith("/") else None, "the path above may be relative")
    if written.startswith("/") and not re.search(r"[\"'\\`]", written):
        return _Folder(join("/", written))
    return _Folder(None, f"the path above, {written}, may itself be relative")
