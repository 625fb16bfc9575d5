"""``dockerfix workflow``: a GitHub Actions workflow that builds, tests, scans and publishes an image."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn

import click

from refactor.cli.output import Output
from refactor.engine.change import unified_diff
from refactor.engine.contexts import ContextFinder
from refactor.engine.discovery import repository_of
from refactor.engine.files import FileProblem, create_file, read_source
from refactor.forge.actions import REGISTRIES, SCANNERS, Wish, to_set_up, workflow
from refactor.syntax import Dockerfile, parse

_FOLDER = ".github/workflows"
_IMAGE = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
_PLATFORM = r"[a-z0-9]+/[a-z0-9]+(?:/v[0-9]+)?"
_EPILOG = """\b
Exit status:
  0  the workflow is written
  1  it was printed (--diff, the default)
  2  there is one already, or the call has an error
"""


@click.command("dockerfix workflow", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("dockerfile", default="Dockerfile", metavar="[DOCKERFILE]")
@click.option("--registry", type=click.Choice(REGISTRIES), required=True, help="Where the image is published.")
@click.option("--image", metavar="NAME", help="The image's name there; default: the repository's.")
@click.option("--platforms", metavar="LIST", help="As docker takes it: linux/amd64,linux/arm64.")
@click.option("--test-target", metavar="STAGE", help="Build this stage first: the one that runs the tests.")
@click.option("--scan", type=click.Choice(SCANNERS), help="Scan the image and stop at fixable high or critical faults.")
@click.option("--branch", metavar="NAME", help="Pushes to it publish; default: the remote's own, or main.")
@click.option("--context", metavar="DIR", help="The build context; default: as for dockerfix itself.")
@click.option("--file", "name", metavar="NAME.yml", help=f"File in {_FOLDER}; default: image.yml, image-FOLDER.yml.")
@click.option("--diff", is_flag=True, help="Print the workflow as a diff; `git apply` takes it (the default).")
@click.option("--write", is_flag=True, help="Write it; one that is there is never overwritten.")
def workflow_command(
    dockerfile: str,
    registry: str,
    image: str | None,
    platforms: str | None,
    test_target: str | None,
    scan: str | None,
    branch: str | None,
    context: str | None,
    name: str | None,
    diff: bool,
    write: bool,
) -> NoReturn:
    """Prints or writes a GitHub Actions workflow that builds the image of a Dockerfile.

    Pull requests build it (and run its tests, and scan it); pushes publish it under the commit's hash, too. GitHub's
    registry is logged in to with the run's own token, ECR with an OIDC role; Docker Hub needs a stored access token.
    """
    if diff and write:
        _stop("--write and --diff exclude each other")
    chosen = tuple(word for word in (platforms or "").split(",") if word)
    wrong = next((word for word in chosen if not re.fullmatch(_PLATFORM, word)), None)
    if wrong is not None:
        _stop(f"{wrong!r} is no platform; write linux/amd64,linux/arm64")
    if image is not None and not re.fullmatch(_IMAGE, image):
        _stop(f"{image!r} is no name of an image; write it in lower case, without registry and tag: team/shop")
    if name is not None and not re.fullmatch(r"[\w.-]+\.ya?ml", name):
        _stop(f"--file {name} is no name of a file in {_FOLDER}; write image.yml")
    try:
        file = parse(read_source(dockerfile))
        top = repository_of(os.path.dirname(os.path.abspath(dockerfile))) or os.getcwd()
        wish = Wish(
            registry,
            image,
            _inside(dockerfile, top, "the Dockerfile"),
            _inside(_context(dockerfile, file, context), top, "the build context"),
            branch or _default_branch(top),
            chosen,
            _tested(dockerfile, file, test_target),
            scan,
            _secrets(file),
        )
        path = os.path.join(top, *_FOLDER.split("/"), name or _name(wish.dockerfile))
        sys.exit(_finish(path, top, wish, write))
    except FileProblem as problem:
        click.echo(f"dockerfix: {problem}", err=True)
        sys.exit(2)


def _finish(path: str, top: str, wish: Wish, write: bool) -> int:
    shown = os.path.relpath(path, top)
    if os.path.lexists(path):
        raise FileProblem(shown, "is there already", "it is left alone: move it away, or name another with --file")
    content = workflow(wish).encode()
    if write:
        folder = os.path.dirname(path)
        if os.path.commonpath([os.path.realpath(folder), os.path.realpath(top)]) != os.path.realpath(top):
            raise FileProblem(_FOLDER, "leads out of the repository", "make it a folder of its own")
        create_file(path, content)
        click.echo(f"{shown} written", err=True)
    else:
        with Output() as out:
            out.write("".join(unified_diff(b"", content, shown)).replace(f"--- a/{shown}", "--- /dev/null", 1))
    for todo in to_set_up(wish):
        click.echo(f"to do in the repository's settings: {todo}", err=True)
    return 0 if write else 1


def _inside(path: str, top: str, what: str) -> str:
    found = os.path.relpath(os.path.realpath(path), os.path.realpath(top)).replace(os.sep, "/")
    if found == ".." or found.startswith("../"):
        raise FileProblem(
            path, f"is outside of the repository {top}", f"a workflow sees the repository alone: move {what}"
        )
    return found


def _context(path: str, file: Dockerfile, given: str | None) -> str:
    if given is not None and not os.path.isdir(given):
        raise FileProblem(given, "is no folder", "name the build context's folder with --context")
    return ContextFinder().open(path, file, given).root or os.path.dirname(path) or "."


def _tested(path: str, file: Dockerfile, target: str | None) -> str | None:
    if target is not None and (target.isdigit() or file.stage(target) is None):
        names = ", ".join(stage.name for stage in file.stages if stage.name)
        advice = (
            f"name one of its stages: {names}" if names else "write one, FROM the stage that builds, which runs them"
        )
        raise FileProblem(path, f"has no stage {target!r}", advice)
    return target


def _secrets(file: Dockerfile) -> tuple[str, ...]:
    """Ids of the secrets that RUNs mount."""
    found: dict[str, None] = {}
    for node in file.instructions:
        for mount in node.flag_values("mount") if node.keyword == "RUN" else ():
            given = dict(part.partition("=")[::2] for part in mount.split(","))
            if given.get("type") == "secret":
                # BuildKit takes the target's last name where no id is given.
                id_ = given.get("id") or os.path.basename(given.get("target") or given.get("dst") or "")
                if re.fullmatch(r"[\w.-]+", id_):
                    found[id_] = None
    return tuple(found)


def _default_branch(top: str) -> str:
    """What the remote calls its default branch, as far as the clone knows."""
    try:
        with open(os.path.join(top, ".git", "refs", "remotes", "origin", "HEAD"), encoding="utf-8") as file:
            found = re.fullmatch(r"ref: refs/remotes/origin/([\w./-]+)\n?", file.read(1000))
    except (OSError, UnicodeDecodeError):
        return "main"
    return found[1] if found else "main"


def _name(dockerfile: str) -> str:
    """One workflow for each Dockerfile: ``image.yml`` for that at the top, named after folder or suffix for others."""
    folder, _, base = dockerfile.rpartition("/")
    suffix = re.sub(r"(?i)^(?:docker|container)file[.-]?|\.?(?:docker|container)file$", "", base)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", f"{folder} {suffix}") if word]
    return "-".join(["image", *words]).lower() + ".yml"


def _stop(message: str) -> NoReturn:
    click.echo(f"dockerfix: {message} (see dockerfix workflow --help)", err=True)
    sys.exit(2)
