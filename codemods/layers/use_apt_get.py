"""use-apt-get"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    Body,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    PackageCall,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    body_of,
    leaves,
    package_calls,
    refuse,
    rewrites,
)

SAME = frozenset(
    (
        *("install", "remove", "purge", "autoremove", "auto-remove", "update", "clean", "autoclean", "auto-clean"),
        *("build-dep", "download", "source", "changelog", "dist-upgrade", "full-upgrade", "upgrade"),
    )
)
"""Verbs that both programs have since apt 1.0 (the tables in cmdline/apt.cc and cmdline/apt-get.cc)."""
CACHE = frozenset(("policy", "show", "showsrc", "depends", "rdepends", "search"))
ONE_RESOLVER = frozenset(
    (
        *("jessie", "stretch", "buster", "bullseye", "bookworm", "trusty", "xenial", "bionic", "focal"),
        *("jammy", "kinetic", "lunar", "mantic", "noble", "oracular"),
    )
)
"""Releases with an apt before 3.0, in which both programs resolve dependencies alike."""
OWN_SETTINGS = r"(?i)\bBinary::apt::(?!APT::Keep-Downloaded-Packages\W+true)"
NO_CLEANING = r"apt\.conf\.d/(?:docker-clean|\*)"


class UseAptGet(Codemod):
    """Call apt-get instead of apt.

    Why
    ---
    apt is for people at a terminal: it warns in every build log that it has no stable interface, and its words, its
    output and its defaults change between releases. apt-get is the same program with the stable one.

    What it does
    ------------
    Writes `apt-get` where both take the same words, `apt-get dist-upgrade` for `apt full-upgrade`, `apt-get upgrade
    --with-new-pkgs` for `apt upgrade` (which installs new packages where it has to), and `apt-cache` for `apt policy`,
    `show` and `search`. Options, packages and what stands around the call stay as they are.

    When it refuses
    ---------------
    When apt-get has no such word (`apt list`), or one that not every release has (`satisfy`); when the output of `show`
    or `search`, which reads otherwise, goes into a file or a pipe; when the file changes settings of apt alone, or
    has apt-get keep the packages it downloads (`docker-clean` is removed, and no cache is mounted), which apt deletes.

    Safety
    ------
    SAFE on Debian up to bookworm and Ubuntu up to 24.10: the same packages by the same code. REVIEW where the release
    is newer or not known: since apt 3.0 the two may resolve conflicts between packages in different ways.
    """

    phase = Phase.LAYERS
    safety = Safety.SAFE
    reach = Phase.CACHE
    words = ("apt",)
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE})
    hadolint = ("DL3027",)
    examples = (
        rewrites(
            "update and install",
            before="""
            FROM debian:bookworm-slim
            RUN apt update -yqq && apt -y --no-install-recommends install \\
                curl \\
                && rm -rf /var/lib/apt/lists/*
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update -yqq && apt-get -y --no-install-recommends install \\
                curl \\
                && rm -rf /var/lib/apt/lists/*
            """,
        ),
        rewrites(
            "the words of apt-get and of apt-cache",
            before="""
            FROM ubuntu:22.04
            RUN apt update && apt -y upgrade && apt full-upgrade -y
            RUN sudo /usr/bin/apt purge -y nano && apt policy curl && apt show curl
            """,
            after="""
            FROM ubuntu:22.04
            RUN apt-get update && apt-get -y upgrade --with-new-pkgs && apt-get dist-upgrade -y
            RUN sudo /usr/bin/apt-get purge -y nano && apt-cache policy curl && apt-cache show curl
            """,
        ),
        rewrites(
            "in a heredoc, and under a condition",
            before="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm
            RUN <<EOF
            apt update
            apt install -y curl
            EOF
            RUN if ! command -v git; then apt install -y git; fi
            """,
            after="""
            # syntax=docker/dockerfile:1
            FROM debian:bookworm
            RUN <<EOF
            apt-get update
            apt-get install -y curl
            EOF
            RUN if ! command -v git; then apt-get install -y git; fi
            """,
        ),
        leaves(
            "apt-get has no such word",
            """
            FROM debian:bookworm
            RUN apt list --installed
            """,
            because="apt-get has no `list`",
        ),
        leaves(
            "what is shown is read by a program",
            """
            FROM debian:bookworm
            RUN apt show curl | grep Version
            """,
            because="apt-cache writes it in another form",
        ),
        leaves(
            "packages that are downloaded would be kept",
            """
            FROM debian:bookworm
            RUN rm -f /etc/apt/apt.conf.d/docker-clean
            RUN apt update && apt install -y curl
            """,
            because="would keep the packages that it downloads",
        ),
        leaves(
            "the name of a package, and of another program",
            """
            FROM debian:bookworm
            RUN apt-get install -y apt && apt-key list && man apt
            """,
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages:
            image = StageReading.of(file, stage, context).image
            is_same = image is not None and image.package_manager == "apt" and image.release in ONE_RESOLVER
            for node in stage.instructions:
                body = body_of(file, node) if node.keyword == "RUN" else ""
                if isinstance(body, str):
                    continue
                calls = [call for call in package_calls(body.script) if call.program == "apt" and call.verb]
                reason = next((reason for call in calls if (reason := _why_not(file, body, call))), None)
                if reason is not None:
                    yield refuse(node, reason, "name the program that the RUN is to call")
                elif calls:
                    changes = [change for call in calls for change in _changes(call)]
                    yield Finding(
                        node,
                        "call apt-get instead of apt",
                        [Replace(node, [body.splice(changes)])],
                        why="apt has no stable interface and says so in the log of every build",
                        safety=None if is_same else Safety.REVIEW,
                    )


def _why_not(file: Dockerfile, body: Body, call: PackageCall) -> str | None:
    if call.verb not in SAME and call.verb not in CACHE:
        return f"apt-get has no `{call.verb}` that every release knows"
    if call.verb in ("show", "search") and (call.command.in_pipeline or call.command.redirects):
        return f"what `apt {call.verb}` prints is used, and apt-cache writes it in another form"
    if not call.command.words[0].text.endswith("apt"):
        return "the program's name is in quotes"
    texts = [text for node in file.instructions for text in (node.argument, *(each.body for each in node.heredocs))]
    if any(re.search(OWN_SETTINGS, text) for text in texts):
        return "settings for apt alone (`Binary::apt`) would not hold for apt-get"
    is_mounted = any("/var/cache/apt" in mount for mount in body.node.flag_values("mount"))
    fetches = call.action in ("install", "upgrade") and not is_mounted
    if fetches and any(re.search(NO_CLEANING, text) for text in texts):
        return "apt-get would keep the packages that it downloads: the file removes docker-clean"
    return None


def _changes(call: PackageCall) -> Iterator[tuple[int, int, str]]:
    end = call.command.words[0].span[1]
    if call.verb in CACHE:
        yield end - len("apt"), end, "apt-cache"
        return
    yield end, end, "-get"
    if call.verb == "full-upgrade":
        yield *call.verb_word.span, "dist-upgrade"
    elif call.verb == "upgrade" and not call.has("--with-new-pkgs"):
        last = call.command.words[-1].span[1]
        yield last, last, " --with-new-pkgs"
