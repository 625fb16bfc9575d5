"""What a codemod may declare that it changes, and what a comparison of two builds can find."""

from __future__ import annotations

from enum import Enum


class Aspect(Enum):
    LAYERS = "layers"
    """How RUN commands are grouped into layers."""
    COMMANDS = "commands"
    """A RUN command was added, removed or altered, or runs under other conditions (shell operators)."""
    ENV = "environment"
    """ENV of an image, or the build arguments (ARG) of a file."""
    USER = "user"
    """The user a container, or a RUN, runs as."""
    BASE = "base image"
    STAGES = "stages"
    """Number, order or names of the stages."""
    CMD = "cmd"
    ENTRYPOINT = "entrypoint"
    WORKDIR = "workdir"
    """The working directory of a container, or of a RUN."""
    EXPOSE = "exposed ports"
    LABELS = "labels"
    """LABEL, and MAINTAINER."""
    VOLUMES = "volumes"
    HEALTHCHECK = "healthcheck"
    STOPSIGNAL = "stop signal"
    SHELL = "shell"
    """The shell of shell-form instructions, of a RUN too."""
    COPIES = "copied files"
    """COPY and ADD: sources, destination, stage, owner, mode."""
    CACHE = "order"
    """The order of instructions, and so what a change invalidates in the build cache."""
    ONBUILD = "onbuild"
    MOUNTS = "mounts"
    """RUN --mount, --network, --security."""
