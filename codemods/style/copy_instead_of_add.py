"""copy-instead-of-add"""

from __future__ import annotations

import posixpath
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
    StageReading,
    Unknown,
    join,
    leaves,
    refuse,
    rewrites,
)

_VARIABLE = r"\$(?:\{[^}]*\}|\w+)"
_ADDRESS = r"(?i)[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|github\.com/"
_OWN_FLAGS = ("checksum", "keep-git-dir", "unpack")
_MATCHES_READ = 200


class CopyInsteadOfAdd(Codemod):
    """Copy local files with COPY, not with ADD.

    Why
    ---
    ADD downloads addresses, clones repositories and unpacks archives. Where it is given plain files and folders, COPY
    does the same and says that nothing else can happen, whatever a file holds one day.

    What it does
    ------------
    Writes COPY for an ADD that has only local sources of which none is unpacked: folders (ADD never looks for archives
    in one), files whose content was read in the build context, names of formats that are no tar archive, heredocs.
    Flags, words and lines stay; a relative destination without a WORKDIR above it is written out, as the reader would
    have to look it up in the base image.

    When it refuses
    ---------------
    When ADD does something that COPY does not: an address, a git repository, an archive by content or by name,
    `--checksum`, `--keep-git-dir`, `--unpack`. When a variable that only the build knows may stand for any of them.

    Safety
    ------
    SAFE where the file was read or its name tells the format. REVIEW where a file is not in the build context that was
    seen and its name says nothing, or an ARG may be given another value. UNSAFE for a pattern that may match archives.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    words = ("add",)
    may_change = frozenset({Aspect.COPIES})
    hadolint = ("DL3020",)
    examples = (
        rewrites(
            "the folder itself, and files whose names tell what they are",
            before="""
            FROM python:3.12-slim
            ADD --chown=1000:1000 requirements*.txt setup.py /app/
            ADD ["start script.sh", "/start.sh"]
            ADD . /app
            """,
            after="""
            FROM python:3.12-slim
            COPY --chown=1000:1000 requirements*.txt setup.py /app/
            COPY ["start script.sh", "/start.sh"]
            COPY . /app
            """,
        ),
        rewrites(
            "a file that was read, and a folder",
            before="""
            FROM debian:bookworm-slim
            ADD server /usr/local/bin/server
            ADD conf* /etc/server/
            """,
            after="""
            FROM debian:bookworm-slim
            COPY server /usr/local/bin/server
            COPY conf* /etc/server/
            """,
            files={"server": "#!/bin/sh\n", "config/a.tar": "", "conf.d/b": ""},
        ),
        rewrites(
            "into the folder that the base image starts in",
            before="""
            FROM debian:bookworm-slim AS tool
            ADD check.sh ./check.sh
            ADD a.txt b.txt tool/
            WORKDIR /srv
            ADD c.txt ./
            FROM example/base
            ADD check.sh ./check.sh
            """,
            after="""
            FROM debian:bookworm-slim AS tool
            COPY check.sh /check.sh
            COPY a.txt b.txt /tool/
            WORKDIR /srv
            COPY c.txt ./
            FROM example/base
            COPY check.sh ./check.sh
            """,
        ),
        rewrites(
            "a name that says nothing, and an ARG, are for review",
            before="""
            FROM eclipse-temurin:21-jre
            ARG JAR_FILE=target/*.jar
            ENV HOME_FILE=home.html
            ADD ${JAR_FILE} app.jar
            ADD $HOME_FILE build/$TITLE.html /srv/
            ADD src /srv/src
            """,
            after="""
            FROM eclipse-temurin:21-jre
            ARG JAR_FILE=target/*.jar
            ENV HOME_FILE=home.html
            COPY ${JAR_FILE} /app.jar
            COPY $HOME_FILE build/$TITLE.html /srv/
            COPY src /srv/src
            """,
        ),
        rewrites(
            "in small letters, over two lines, in ONBUILD, and a heredoc",
            before="""
            # syntax=docker/dockerfile:1
            from debian:bookworm-slim
            add a.txt \\
                b.txt /srv/
            onbuild add . /srv
            add <<EOF /srv/note
            ADD x /y
            EOF
            """,
            after="""
            # syntax=docker/dockerfile:1
            from debian:bookworm-slim
            copy a.txt \\
                b.txt /srv/
            onbuild copy . /srv
            copy <<EOF /srv/note
            ADD x /y
            EOF
            """,
        ),
        leaves(
            "an archive by its name",
            """
            FROM debian:bookworm-slim
            ADD rootfs.tar.xz /
            """,
            because="ADD unpacks rootfs.tar.xz",
        ),
        leaves(
            "an archive by its content",
            """
            FROM debian:bookworm-slim
            ADD bundle /srv/
            """,
            files={"bundle": "\x1f\udc8b\x08"},
            because="bundle is an archive or compressed",
        ),
        leaves(
            "an address and a repository",
            """
            FROM debian:bookworm-slim
            ADD https://example.com/a.txt /srv/
            ADD git@github.com:example/app.git /src
            """,
            because="ADD downloads https://example.com/a.txt",
        ),
        leaves(
            "an address in a variable",
            """
            FROM debian:bookworm-slim
            ENV SITE=https://example.com
            ADD $SITE/a.txt /srv/
            """,
            because="ADD downloads https://example.com/a.txt",
        ),
        leaves(
            "a variable that only the build knows",
            """
            FROM debian:bookworm-slim
            ARG BUNDLE
            ADD $BUNDLE /srv/
            """,
            because="what $BUNDLE stands for is known to the build alone",
        ),
        leaves(
            "a flag that COPY lacks",
            """
            # syntax=docker/dockerfile:1
            FROM debian:bookworm-slim
            ADD --unpack=true bundle.txt /srv/
            """,
            because="--unpack is a flag of ADD alone",
        ),
        leaves(
            "a pattern that may match archives",
            """
            FROM debian:bookworm-slim
            ADD dist/* /srv/
            """,
        ),
        leaves(
            "COPY already",
            """
            FROM debian:bookworm-slim
            COPY rootfs.tar.xz /
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for node in file.instructions:
            trigger = node.onbuild if node.keyword == "ONBUILD" else None
            add = trigger or node
            if add.keyword != "ADD":
                continue
            # A trigger runs in the context of the image that is built from this one.
            judged = _judged(file, node, add, None if trigger else context)
            if isinstance(judged, str):
                yield refuse(node, judged)
                continue
            made = add if trigger is not None else _written_out(file, add, context)
            made = made.with_keyword("copy" if add.keyword_text.islower() else "COPY")
            yield Finding(
                node,
                "copy local files with COPY",
                [Replace(node, [made if trigger is None else node.wrapping(made)])],
                why="ADD also downloads and unpacks, which is not meant here",
                evidence=[note for _, note in judged if note],
                safety=max((safety for safety, _ in judged), default=Safety.SAFE),
                may_change=() if trigger is None else (Aspect.ONBUILD,),
            )


def _written_out(file: Dockerfile, node: Instruction, context: BuildContext) -> Instruction:
    """The same with an absolute destination, where it is relative to the folder that the base image starts in."""
    stage, written = file.stage_of(node), node.destination
    if (
        stage is None
        or written is None
        or node.json is not None
        or not re.fullmatch(r"(?![A-Za-z]:)[\w.][\w./-]*", written)
    ):
        return node
    reading = StageReading.of(file, stage, context)
    above = stage.instructions[: stage.instructions.index(node)]
    step = reading.step(node)
    if (
        reading.image is None
        or step is None
        or reading.parent is not None
        or any(n.keyword == "WORKDIR" for n in above)
    ):
        return node
    path = join(step.workdir, written)
    is_folder = written.endswith("/") or posixpath.basename(written) in (".", "..")
    return node.splice([(*node.word_spans[-1], path.rstrip("/") + "/" * is_folder)])


class _Source(NamedTuple):
    safety: Safety
    note: str = ""


def _judged(file: Dockerfile, node: Instruction, add: Instruction, context: BuildContext | None) -> list[_Source] | str:
    """How sure it is of each source that COPY does the same with it; or why it does not."""
    own = next((name for name in _OWN_FLAGS if add.flag(name) is not None), None)
    if own is not None:
        return f"--{own} is a flag of ADD alone"
    found = []
    for raw in add.sources:
        judged = _judge(file, node, raw, context)
        if isinstance(judged, str):
            return judged
        found.append(judged)
    return found


def _judge(file: Dockerfile, node: Instruction, raw: str, context: BuildContext | None) -> _Source | str:
    value = raw if "$" not in raw else None if context is None else file.expand(raw, node)
    if value is None:
        return _judge_unknown(raw)
    if re.match(_ADDRESS, value):
        return f"ADD downloads {value}"
    judged = _judge_path(value, context)
    given = sorted(name for name in re.findall(r"\$\{?(\w+)", raw) if _is_argument(file, name))
    if given and isinstance(judged, _Source) and judged.safety is Safety.SAFE:
        return _Source(Safety.REVIEW, f"{raw} is {value} where the build gives ARG {given[0]} no other value")
    return judged


def _judge_unknown(raw: str) -> _Source | str:
    """Of a source with a variable that is not known: what stands before it shows that it is a path, what stands behind
    it what kind of file."""
    parts = re.split(_VARIABLE, raw)
    head, tail = parts[0], parts[-1]
    if tail and "/" in head and not re.match(_ADDRESS, head):
        return _judge_path(tail if "/" in tail else f"x{tail}", None)
    return f"what {raw} stands for is known to the build alone: it may be an address or an archive"


def _judge_path(path: str, context: BuildContext | None) -> _Source | str:
    from refactor import is_archive_name

    if context is not None:
        seen = _judge_seen(path, context)
        if seen is not None:
            return seen
    clean = posixpath.normpath(path)
    if path.endswith("/") or posixpath.basename(clean) in ("", ".", ".."):
        return _Source(Safety.SAFE)
    is_named = is_archive_name(clean)
    if is_named:
        return f"ADD unpacks {path}, which COPY does not"
    if is_named is False:
        return _Source(Safety.SAFE)
    if any(sign in posixpath.basename(clean) for sign in "*?["):
        return _Source(Safety.UNSAFE, f"no archive that ADD would unpack matches {path}: that was not seen")
    return _Source(Safety.REVIEW, f"{path} was not seen; it is not named like an archive that ADD would unpack")


def _judge_seen(path: str, context: BuildContext) -> _Source | str | None:
    """By what the build context has there; None where that was not seen."""
    from refactor import is_archive, is_archive_name

    matches = context.glob(path)
    if isinstance(matches, Unknown) or not 0 < len(matches) <= _MATCHES_READ:
        return None
    for match in matches:
        if match == "" or context.is_dir(match) is True:
            continue
        data = context.read_bytes(match)
        if isinstance(data, Unknown):
            return None
        if is_archive(data) or is_archive_name(match):
            return f"{match} is an archive or compressed, and ADD unpacks archives"
    return _Source(Safety.SAFE, f"{', '.join(matches[:3])} in the build context is not packed" if matches[0] else "")


def _is_argument(file: Dockerfile, name: str) -> bool:
    return any(node.keyword == "ARG" and any(name == key for key, _ in node.pairs) for node in file.instructions)
