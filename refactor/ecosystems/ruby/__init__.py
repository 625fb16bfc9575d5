"""Ruby: projects of Bundler, Rails with its assets, Rack servers, plain scripts, on the slim image of the version."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused, StageReading

if TYPE_CHECKING:
    from refactor.ecosystems.program import Needs, Program, Runner
    from refactor.flow.roots import Root

_SERVERS = frozenset("puma unicorn rackup thin falcon iodine pitchfork passenger rainbows itsi agoo".split())
_VALUED = frozenset(("-r", "-I", "-C"))
_WORKERS = frozenset("sidekiq good_job resque delayed_job solid_queue jobs rake".split())


class Ruby(Language):
    name = "Ruby"
    rooms = {
        "tools": "effect",
        "needs": "needs interpreters why_not_split writes slim",
        "production": "production_install",
    }
    families = frozenset({"ruby"})
    versioned = frozenset({"ruby"})
    programs = frozenset({"ruby", "bundle", "bundler", "gem", "rails", "bootsnap", *_SERVERS, *_WORKERS})
    sources = r"\.(?:rb|ru|rake|gemspec)\Z|(?:^|/)(?:Gemfile|Rakefile|(?:bin|exe|script)/[\w-]+)\Z"
    build_packages = frozenset({"ruby-dev", "ruby-full", "yarn"})

    def entry(self, root: Root) -> str | Refused | None:
        from refactor.ecosystems.ruby.tools import unwrapped

        words = unwrapped(root.words)
        name = posixpath.basename(words[0])
        if name == "ruby":
            if "-e" in words:
                return Refused(f"{root.where} starts a program that it names by -e", "put it in a file")
            rest = [
                word for at, word in enumerate(words[1:]) if not word.startswith("-") and words[at] not in {"-r", "-I"}
            ]
            return next(iter(rest), None)
        if name in _SERVERS:
            return next((word for word in words[1:] if word.endswith(".ru")), "config.ru")
        if name == "rails" or name in _WORKERS:
            own = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in {"-r", "--require", "-f"}), None)
            return own or ("Rakefile" if name == "rake" else "config/application.rb")
        return words[0] if re.search(self.sources, words[0]) else None

    def sources_of(self, program: Program) -> tuple[str, ...] | Refused:
        from refactor.ecosystems.program import project_folder

        folder = project_folder(program, "Gemfile")
        if isinstance(folder, Refused):
            return folder
        files = program.reading.context.files(folder[0], without=("node_modules", "vendor", "spec", "test", ".git"))
        if not isinstance(files, tuple):
            return Refused(f"the sources of {program.path} cannot be read: {files.reason}")
        return tuple(path for path in files if re.search(self.sources, path)) or Refused(
            f"no source of {program.path} is in the build context"
        )

    def runner(self, reading: StageReading, needs: Needs, wish: str | None) -> Runner | Refused:
        from refactor.ecosystems.runners import interpreted

        return interpreted(reading, wish, self.name)

    def production_server(self, reading: StageReading) -> Refused | None:
        if reading.start is None or re.search(r"\brails s(?:erver)?\b(?=.*-e development)", reading.start.text) is None:
            return None
        return Refused("the container starts Rails in development, a development server", "start it with -e production")
