"""Ruby: projects of Bundler, Rails with its assets, Rack servers, plain scripts, on the slim image of the version."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from refactor.ecosystems.table import Language
from refactor.flow.reading import Refused

if TYPE_CHECKING:
    from refactor.flow.roots import Root

_SERVERS = frozenset("puma unicorn rackup thin falcon iodine pitchfork passenger rainbows itsi agoo".split())
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
    manifest = "Gemfile"
    other_folders = ("node_modules", "vendor", "spec", "test", ".git")
    development_server = (
        r"\brails s(?:erver)?\b(?=.*-e development)",
        "Rails in development",
        "start it with -e production",
    )
    build_packages = frozenset({"ruby-dev", "ruby-full", "yarn"})

    def entry(self, root: Root) -> str | Refused | None:
        from refactor.ecosystems.ruby.tools import unwrapped

        words = unwrapped(root.words)
        name = posixpath.basename(words[0])
        if name == "ruby":
            return self.script(root, words, "-e", {"-r", "-I"})
        if name in _SERVERS:
            return next((word for word in words[1:] if word.endswith(".ru")), "config.ru")
        if name == "rails" or name in _WORKERS:
            own = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in {"-r", "--require", "-f"}), None)
            return own or ("Rakefile" if name == "rake" else "config/application.rb")
        return words[0] if re.search(self.sources, words[0]) else None
