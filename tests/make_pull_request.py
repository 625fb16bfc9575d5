"""Writes a pull request's body, as it would be read, into refactor/forge/README.md.

    python -m tests.make_pull_request [corpus/apps/node-express]

The application becomes a repository on a local forge, the bot runs with --verify on it (a container engine has to
answer, both versions are built), and the body of what it opened is copied, without the marker.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from refactor.cli.measure import measure_with_engine
from refactor.engine.run import Options
from refactor.forge.bot import Bot, Settings
from refactor.forge.repository import Repository
from refactor.forge.workplace import Address, open_forge
from tests.forge.fake import NAME, TOKEN, GitHubFake, World
from tests.test_bot import git

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "refactor" / "forge" / "README.md"
MARKS = ("<!-- begin: made by tests/make_pull_request.py -->\n", "<!-- end -->\n")


def body_of(app: Path, folder: Path) -> str:
    """The title and the body of the pull request for an application. Raises SystemExit where nothing was built."""
    bare, person = folder / "remote.git", folder / "person"
    git(folder, "init", "-q", "--bare", str(bare))
    shutil.copytree(app, person)
    git(person, "init", "-q")
    git(person, "checkout", "-q", "-b", "main")
    git(person, "add", "-A")
    git(person, "commit", "-q", "-m", "an application")
    git(person, "push", "-q", str(bare), "main")
    git(folder, "clone", "-q", "--bare", str(bare), str(folder / "bot.git"))
    world = World(bare)
    forge = open_forge(
        Address("github", "github.com", NAME), TOKEN, GitHubFake(world).transport(), sleep=lambda seconds: None
    )
    with Repository(str(folder / "bot.git")) as repository:
        bot = Bot(repository, forge, Settings(per="all"), Options(), measure=measure_with_engine(repository))
        items = bot.plan()
        bot.run(items)
    if not world.pulls:
        raise SystemExit(f"nothing was proposed: {[(item.state, item.why) for item in items]}")
    (pull,) = world.pulls
    if "not built" in pull.body:
        raise SystemExit("the image was not built: start a container engine first")
    return f"**{pull.title}**\n\n{pull.body.rpartition('<!-- dockerfix:')[0].strip()}\n"


def main(app: str = "corpus/apps/node-express") -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = body_of(ROOT / app, Path(folder))
    shown = "".join(f"> {line}".rstrip() + "\n" for line in text.splitlines())
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text(f"{before}{MARKS[0]}{shown}{MARKS[1]}{rest.partition(MARKS[1])[2]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
