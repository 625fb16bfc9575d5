"""skip-recommended-packages"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Instruction,
    PackageCall,
    Phase,
    Refusal,
    Replace,
    Safety,
    StageReading,
    leaves,
    package_calls,
    refuse,
    rewrites,
    script_of,
)

FLAG = "--no-install-recommends"
SETTING = r"(?i)APT::Install-Recommends"


class SkipRecommendedPackages(Codemod):
    """Install what is asked for and what it depends on, not what it recommends.

    Why
    ---
    apt-get installs what a package recommends for a desktop as well: documentation, compilers for pip, a mail server
    for cron. In an image that is often more than the program itself.

    What it does
    ------------
    Adds `--no-install-recommends` to `apt-get install`, and to its list those recommended packages that programs need:
    `ca-certificates` for curl, wget and git, which otherwise refuse every https address, `libc6-dev` for gcc, `xauth`
    for xvfb. What is installed in the stage already is not named again.

    When it refuses
    ---------------
    When the RUN asks for recommended packages, or the file sets `APT::Install-Recommends`; when the packages are in a
    file, or the script cannot be analysed.

    Safety
    ------
    REVIEW, and only where it is selected: packages are left out that nobody asked for. UNSAFE where it is not known
    what one of the packages recommends.
    """

    phase = Phase.LAYERS
    safety = Safety.REVIEW
    opt_in = True
    may_change = frozenset({Aspect.COMMANDS, Aspect.CACHE})
    hadolint = ("DL3015",)
    examples = (
        rewrites(
            "certificates for a program that fetches",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl jq
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends curl jq ca-certificates
            """,
        ),
        rewrites(
            "a list with a line for each package, and what is there already",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
            RUN apt-get install -yq \\
                git \\
                gcc \\
                xvfb=2:21.1.* \\
                && git --version
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
            RUN apt-get install -yq --no-install-recommends \\
                git \\
                gcc \\
                xvfb=2:21.1.* \\
                libc6-dev \\
                xauth \\
                && git --version
            """,
        ),
        rewrites(
            "what one needs is named once in a stage",
            before="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y curl
            RUN apt-get install -y git wget
            """,
            after="""
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates
            RUN apt-get install -y --no-install-recommends git wget
            """,
        ),
        leaves(
            "it is not known what a package recommends",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y texlive
            RUN apt-get update && apt-get install -y $PACKAGES
            """,
        ),
        leaves(
            "they are asked for",
            """
            FROM debian:bookworm-slim
            RUN apt-get update && apt-get install -y --install-recommends curl
            RUN apt-get -o APT::Install-Recommends=false install -y git
            """,
        ),
        leaves(
            "a setting says so",
            """
            FROM debian:bookworm-slim
            RUN echo 'APT::Install-Recommends "0";' > /etc/apt/apt.conf.d/90small
            RUN apt-get update && apt-get install -y curl
            """,
            because="sets APT::Install-Recommends",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        texts = (text for node in file.instructions for text in (node.argument, *(each.body for each in node.heredocs)))
        is_set = any(re.search(SETTING, text) and "apt.conf" in text for text in texts)
        for stage in file.stages:
            reading = StageReading.of(file, stage, context)
            named: set[str] = set()
            for node in stage.instructions:
                script = script_of(file, node) if node.keyword == "RUN" else ""
                if isinstance(script, str):
                    continue
                calls = [call for call in package_calls(script) if _takes_all(call)]
                if calls and is_set:
                    yield refuse(node, "the file sets APT::Install-Recommends for all calls")
                elif calls:
                    yield _finding(reading, node, calls, named)


def _takes_all(call: PackageCall) -> bool:
    """An install that brings what its packages recommend, and does not say that it should."""
    if call.program not in ("apt", "apt-get") or call.verb != "install" or not call.packages:
        return False
    settings = " ".join(call.values("-o", "--option"))
    return not call.has(FLAG, "--install-recommends") and re.search(SETTING, settings) is None


def _finding(reading: StageReading, node: Instruction, calls: list[PackageCall], named: set[str]) -> Finding:
    """``named`` are packages that findings above add in the same stage; those of this one go to them."""
    from refactor import recommended

    there = named | set(reading.image.preinstalled if reading.image is not None else ())
    before = (each for step, each in reading.calls if reading.position(step.node) <= reading.position(node))
    there |= {
        re.split("[=/:]", word.literal)[0] for each in before if each.action == "install" for word in each.packages
    }
    changes: list[tuple[int, int, str]] = []
    unknown: list[str] = []
    kept: list[str] = []
    for call in calls:
        more: list[str] = []
        for word in call.packages:
            needed = None if re.search(r"[$`]", word.literal) else recommended(word.literal)
            if needed is None:
                unknown.append(word.text)
            else:
                more += [name for name in needed if name not in there and name not in more]
        there.update(more)
        kept += more
        words = call.command.words
        verb = words.index(call.verb_word)
        while verb + 1 < len(words) and re.fullmatch(
            r"-[a-zA-Z]*[yqf]|--(?:yes|assume-yes|quiet)", words[verb + 1].text
        ):
            verb += 1
        changes.append((words[verb].span[1], words[verb].span[1], f" {FLAG}"))
        end = call.packages[-1].span[1]
        gap = node.raw(words[-2].span[1], words[-1].span[0]) if words[-1] is call.packages[-1] else " "
        gap = gap if "\n" in gap and "#" not in gap else " "
        changes += [(end, end, "".join(gap + name for name in more))] if more else []
    if not unknown:
        named.update(kept)
    return Finding(
        node,
        "leave recommended packages out",
        [Replace(node, [node.splice(changes, as_written=True)])],
        why="what packages recommend for a desktop is often larger than they are",
        evidence=([f"named, because programs need it: {', '.join(dict.fromkeys(kept))}"] if kept else [])
        + ([f"not known: what {', '.join(unknown)} recommends"] if unknown else []),
        safety=Safety.UNSAFE if unknown else None,
    )
