"""Since which version an image has its user or its entrypoint.

Source: the revision of each image's repository that brought it, and the first versions that
github.com/docker-library/official-images built from that revision or a later one. A version that was built before and
after counts as having it: its tag stands for the last image.
"""

from __future__ import annotations

from collections.abc import Mapping

from refactor.images.history import Version, version_of

_Lines = Mapping[int, Mapping[int, int]]
FIRST: Mapping[str, _Lines] = {
    # nodejs/docker-node b18c441d, November 2016; 7e47b378, May 2019
    "node user": {0: {10: 48, 12: 17}, 4: {6: 2}, 6: {9: 1}, 7: {0: 0}},
    "node entrypoint": {8: {16: 0}, 10: {16: 0}, 11: {15: 0}, 12: {4: 0}},
    # nginx/docker-nginx e36b4f5, May 2020. The user's numbers were those that were free when 1.15 was built.
    "nginx user": {1: {16: 0}},
    "nginx entrypoint": {1: {18: 0}},
    # docker-library/php 703ba52e, December 2016
    "php entrypoint": {5: {6: 29}, 7: {0: 14, 1: 0}},
    # adoptium/containers 05b7f082, August 2023
    "eclipse-temurin entrypoint": {8: {0: 382}, 11: {0: 20}, 17: {0: 8}, 20: {0: 2}},
    # carlossg/docker-maven 363ef27, March 2016
    "maven entrypoint": {3: {3: 9}},
    # denoland/deno_docker, by the DENO_VERSION of each revision: 1a8b0cd (user), the alpine image's other id, c. May
    # 2021, docker-entrypoint.sh in August 2020, tini (#165) in August 2021
    "deno user": {0: {7: 0}},
    "deno alpine user of 1000": {1: {10: 2}},
    "deno entrypoint": {1: {3: 0}},
    "deno tini": {1: {14: 0}},
    # dotnet/dotnet-docker: the images of .NET 8 have the user, and listen on 8080
    "dotnet user": {8: {0: 0}},
}
"""What -> major version -> minor version -> first patch. A later minor version of a major has it, an earlier has not;
majors between have none of it, later ones have."""


def has_come(what: str, version: str) -> bool:
    """Whether the image of a tag's ``version`` has it; "" is the newest. False also where that cannot be read."""
    if not version:
        return True
    # Java 8 writes 8u302, later ones 17.0.8_7.
    number = version_of(version.partition("_")[0].replace("u", ".0."))
    return number is not None and _has(FIRST[what], number)


def _has(first: _Lines, version: Version) -> bool:
    """A tag of a line stands for the last image of that line."""
    major, minor = version[0], version[1] if len(version) > 1 else None
    lines = first.get(major)
    if lines is None:
        return major > max(first)
    if minor is None or minor in lines:
        return len(version) < 3 or version[2] >= lines.get(minor or 0, 0)
    return minor > max(lines)
