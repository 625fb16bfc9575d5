"""How development dependencies are left out of what the builder hands on."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from refactor.context import Unknown
from refactor.context.node_manifests import NodeLock
from refactor.ecosystems.node.case import Case
from refactor.ecosystems.node.installing import is_production, node_env
from refactor.ecosystems.node.manifests import reads
from refactor.ecosystems.node.native import judge
from refactor.ecosystems.node.projects import Project, lock_path, members, npm_major, why_not_frozen
from refactor.ecosystems.system import build_only
from refactor.flow.reading import Refused
from refactor.images import BaseImage, lookup


class Pruning(NamedTuple):
    command: str = ""
    """Shell text for the end of the builder, "" for none."""
    folder: str = ""
    """Absolute folder that it works in."""
    option: str = ""
    """The manager's option that names the folder."""
    installs: tuple[str, ...] = ()
    """Instructions that install production dependencies in the runner instead."""

    def written(self, workdir: str) -> str:
        """The command as it reads in that working folder."""
        if not self.command or self.folder == workdir:
            return self.command
        program, _, rest = self.command.partition(" ")
        return f"{program} {self.option} {self.folder} {rest}"


WHOLE = Pruning()
"""node_modules goes along as it is."""


def prune(
    case: Case, project: Project, lock: NodeLock | None, needs_dev: str | None, runner: str, *, is_whole: bool
) -> Pruning:
    """How the packages of the started project become production dependencies; says why where they stay whole.

    ``is_whole``: the application's folder is copied with the packages in it.
    """
    others = members(case.context, project.package)
    manifests = (project.package, *(others if not isinstance(others, Unknown) else ()))
    if any(
        is_production(other, node_env(case.reading, other)) for other in case.projects if other.folder == project.folder
    ):
        return WHOLE
    if any(call.action == "prune" for _, call in case.reading.calls):
        return WHOLE
    if not any(manifest.dev_dependencies for manifest in manifests):
        case.say.append(f"{project.package.path} has no development dependencies to leave out")
        return WHOLE
    if needs_dev is None and any("--no-save" in command.args for _, command in case.kind.added):
        needs_dev = "packages are installed with --no-save, which pruning would remove"
    if needs_dev is not None:
        case.say.append(f"node_modules is kept whole: {needs_dev}")
        return WHOLE
    return _by_manager(case, project, lock, bool(others), None if is_whole else runner)


def by_command(project: Project, image: BaseImage | None) -> Pruning:
    """What npm, pnpm or Yarn 1 take development dependencies away with, once they are installed."""
    if project.manager == "npm":
        major = npm_major(image)
        command = "npm prune --production" if major is not None and major < 7 else "npm prune --omit=dev"
        for flag in ("--legacy-peer-deps", "--force"):
            command += f" {flag}" if project.call.has(flag) else ""
        return Pruning(command, project.folder, "--prefix")
    if project.manager == "pnpm":
        return Pruning("pnpm prune --prod", project.folder, "--dir")
    # Yarn's own replacement for `yarn prune`; built files of kept packages stay.
    command = "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline"
    return Pruning(command, project.folder, "--cwd")


def _by_manager(case: Case, project: Project, lock: NodeLock | None, has_members: bool, runner: str | None) -> Pruning:
    manager = project.manager
    generates = "@prisma/client" in project.package.wanted or any(
        built.ran.program == "prisma" for _, _, built in case.kind.builds
    )
    if manager == "npm":
        return by_command(project, case.image)
    if manager == "bun" and not generates and lock_path(case.context, project.source, "bun"):
        inside = _in_runner(case, project, lock, has_members, runner)
        if inside is not None:
            case.say.append("Bun cannot prune: production dependencies are installed in the runner, beside the builder")
            return Pruning(installs=inside)
    if manager == "pnpm" and not has_members and not generates:
        return by_command(project, case.image)
    if manager == "yarn" and lock is not None and lock.is_berry:
        return _berry(case, project)
    if manager == "yarn" and not generates:
        inside = _in_runner(case, project, lock, has_members, runner)
        if inside is not None:
            case.say.append(
                "Yarn 1 cannot prune: production dependencies are installed in the runner, beside the builder"
            )
            return Pruning(installs=inside)
        if lock_path(case.context, project.source, "yarn") is not None:
            return by_command(project, case.image)
    what = (
        "a generated Prisma client" if generates else "a workspace" if has_members else "an install without a lockfile"
    )
    case.say.append(
        f"node_modules is kept whole: {manager} cannot leave development dependencies out of {what} afterwards"
    )
    return WHOLE


def _berry(case: Case, project: Project) -> Pruning:
    settings = case.context.read(posixpath.join(project.source, ".yarnrc.yml"))
    text = settings.replace('"', "") if isinstance(settings, str) else ""
    version = re.match(r"yarn@(\d+)", project.package.package_manager or "")
    has_focus = "plugin-workspace-tools" in text or (version is not None and int(version[1]) >= 4)
    if not has_focus:
        case.say.append("node_modules is kept whole: this Yarn has no `workspaces focus`")
        return WHOLE
    return Pruning("yarn workspaces focus --all --production", project.folder, "--cwd")


def why_plug_and_play(case: Case, project: Project, lock: NodeLock | None) -> Refused | None:
    """Yarn 2 and later keep packages as archives unless told otherwise; then there is no node_modules to copy."""
    if project.manager != "yarn" or lock is None or not lock.is_berry:
        return None
    path = posixpath.join(project.source, ".yarnrc.yml")
    settings = case.context.read(path)
    text = settings.replace('"', "") if isinstance(settings, str) else ""
    if re.search(r"(?m)^nodeLinker:\s*(?:node-modules|pnpm)\s*$", text):
        return None
    return Refused(
        f"{path} does not set nodeLinker, so Yarn keeps packages as archives (Plug'n'Play) and not in node_modules",
        "set `nodeLinker: node-modules`",
    )


def _in_runner(
    case: Case, project: Project, lock: NodeLock | None, has_members: bool, runner: str | None
) -> tuple[str, ...] | None:
    """A second install beside the builder: it is cached as long as the manifests stay. None where it may differ."""
    image, manager = lookup(runner or ""), project.manager
    if lock is None or has_members or image is None or not image.has_shell or manager not in image.preinstalled:
        return None
    package = project.package
    judged = judge(case.context, lock, package, production=False)
    # Bun's images have the same packages, so that what installs in one does in the other.
    is_same = manager == "bun" and not build_only(case.reading)
    if not is_same and (judged.compiled or judged.unknown):
        return None
    if package.install_scripts or package.local_dependencies:
        return None
    if any(".git#" in (one.resolved or "") or (one.resolved or "").startswith("git") for one in lock.packages):
        return None
    is_plain = not project.step.node.flags and not project.command.is_conditional
    if not is_plain or isinstance(why_not_frozen(case.layout, project), Refused):
        return None
    found = reads(case.layout, project)
    if isinstance(found, Refused) or project.folder != case.reading.final_workdir:
        return None
    if any(case.context.is_dir(path) is True or posixpath.dirname(path) != project.source for path in found.manifests):
        return None
    flags = "".join(
        f" {flag}" for flag in project.call.flags if flag.startswith(("--network-", "--registry=", "--ignore-engines"))
    )
    if any(flag == "--network-timeout" for flag in project.call.flags):
        flags = flags.replace("--network-timeout", f"--network-timeout {project.call.option('--network-timeout')}")
    copy = f"COPY {' '.join(found.manifests)} ./"
    if manager == "bun":
        return copy, f"RUN bun install --frozen-lockfile --production{flags}"
    return (copy, f"RUN yarn install --frozen-lockfile --production{flags} && yarn cache clean")


__all__ = ["WHOLE", "Pruning", "by_command", "prune", "why_plug_and_play"]
