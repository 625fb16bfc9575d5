"""How each generator is called: its server, and the build with the same options."""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
import posixpath
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from refactor.flow.reading import Refused, StageReading, join
from refactor.flow.roots import Root, roots_of


class Tool(NamedTuple):
    """A generator with a development server; options as its own help lists them."""

    title: str
    verbs: frozenset[str]
    """Subcommands that serve; empty where the program does nothing else."""
    build: tuple[str, ...]
    """What builds instead of the program with such a subcommand."""
    port: int
    output: str
    """Default folder, seen from the source folder."""
    kept: frozenset[str]
    """Options of the build as well, without a value."""
    kept_values: frozenset[str]
    served: frozenset[str]
    """Options of the server alone, without a value."""
    served_values: frozenset[str]
    ports: tuple[str, ...]
    """Those of them that name the port."""
    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# `hugo help server` 0.111 to 0.150, `jekyll help serve` 4, `mkdocs serve --help` 1.6, `sphinx-autobuild --help` 2024.
TOOLS = {
    "hugo": Tool(
        "Hugo", frozenset({"server", "serve"}), ("hugo",), 1313, "public",
        kept=_words("-D --buildDrafts -E --buildExpired -F --buildFuture --minify --gc --enableGitInfo "
                    "--ignoreCache --cleanDestinationDir --noChmod --noTimes --templateMetrics --templateMetricsHints "
                    "--panicOnWarning -v --verbose --quiet --debug --noBuildLock --printI18nWarnings "
                    "--printPathWarnings"),
        kept_values=_words("-b --baseURL -e --environment --config --configDir -s --source -d --destination -c "
                           "--contentDir -t --theme -l --layoutDir --themesDir --cacheDir --logLevel --disableKinds "
                           "--ignoreVendorPaths --clock"),
        served=_words("-w --watch --appendPort --disableLiveReload --noHTTPCache --disableFastRender "
                      "--navigateToChanged --renderToDisk --renderToMemory --renderStaticToDisk "
                      "--disableBrowserError --forceSyncStatic -O --openBrowser"),
        served_values=_words("--bind -p --port --liveReloadPort --poll"),
        ports=("-p", "--port"), source=("-s", "--source"), destination=("-d", "--destination"),
    ),
    "jekyll": Tool(
        "Jekyll", frozenset({"serve", "server", "s"}), ("jekyll", "build"), 4000, "_site",
        kept=_words("-D --drafts --future --unpublished --lsi -q --quiet -V --verbose --safe -t --trace "
                    "--strict_front_matter --profile --disable-disk-cache"),
        kept_values=_words("--config -s --source -d --destination -b --baseurl --limit_posts --layouts -p --plugins"),
        served=_words("-w --watch --no-watch --force_polling -l --livereload -I --incremental -o --open-url"),
        served_values=_words("-H --host -P --port --livereload-ignore --livereload-min-delay --livereload-max-delay "
                             "--livereload-port"),
        ports=("-P", "--port"), source=("-s", "--source"), destination=("-d", "--destination"),
    ),
    "mkdocs": Tool(
        "MkDocs", frozenset({"serve"}), ("mkdocs", "build"), 8000, "site",
        kept=_words("-s --strict -q --quiet -v --verbose --use-directory-urls --no-directory-urls"),
        kept_values=_words("-f --config-file -t --theme"),
        served=_words("--livereload --no-livereload --dirty --dirtyreload -c --clean --watch-theme -o --open"),
        served_values=_words("-a --dev-addr -w --watch"),
        ports=("-a", "--dev-addr"),
    ),
    "sphinx-autobuild": Tool(
        "Sphinx", frozenset(), ("sphinx-build",), 8000, "",
        kept=_words("-a -E -n -v -q -Q -W -N --keep-going"),
        kept_values=_words("-b -D -A -t -c -d -j -w"),
        served=_words("--open-browser --no-initial --poll"),
        served_values=_words("--host --port --watch --ignore --re-ignore --delay"),
        ports=("--port",),
    ),
}  # fmt: skip


class Server(NamedTuple):
    """A generator's server that a container starts."""

    tool: Tool
    root: Root
    before: "tuple[str, ...]"
    """What calls the program: ``bundle exec``, ``python -m``."""
    arguments: "tuple[str, ...]"

    @property
    def shown(self) -> str:
        return f"`{' '.join(self.root.words)[:80]}`"


class Options(NamedTuple):
    """The arguments of a server, told apart."""

    kept: "tuple[str, ...]"
    """Those of a build, as written."""
    values: "dict[str, str]"
    operands: "tuple[str, ...]"

    def value(self, names: Sequence[str]) -> "str | None":
        """The last value of an option under one of its names."""
        return next((self.values[name] for name in names if name in self.values), None)


def server_of(reading: StageReading) -> "Server | Refused | None":
    """The development server that the container starts; refused where something is started beside it."""
    return reading.remember("site server", lambda: _server_of(reading))


def _server_of(reading: StageReading) -> "Server | Refused | None":
    roots = roots_of(reading)
    if isinstance(roots, Refused) or not roots:
        return None
    image, last = reading.image, roots[-1]
    words = last.words
    if image is not None and reading.last("ENTRYPOINT") is None and image.family in {"hugo", "mkdocs-material"}:
        # The image's own ENTRYPOINT: the program, or a script that calls it unless another one is named.
        name = "hugo" if image.family == "hugo" else "mkdocs"
        words = words if posixpath.basename(words[0]) in {*TOOLS, "sh", "bash", "bundle"} else (name, *words)
    found = _called(words)
    if found is None:
        return None
    before, name, rest = found
    tool = TOOLS[name]
    if tool.verbs:
        if not rest or rest[0] not in tool.verbs:
            return None
        rest = rest[1:]
    server = Server(tool, last._replace(words=words), before, rest)
    if len(roots) > 1:
        return Refused(f"{server.shown} is not all that is started: `{' '.join(roots[0].words)[:60]}` is as well")
    return server


def _called(words: Sequence[str]) -> "tuple[tuple[str, ...], str, tuple[str, ...]] | None":
    """What stands before the generator, its name, and its arguments."""
    name = posixpath.basename(words[0])
    if name in {"bundle", "bundler"} and tuple(words[1:2]) == ("exec",) and len(words) > 2:
        before, rest = tuple(words[:2]), tuple(words[2:])
    elif name.startswith("python") and tuple(words[1:2]) == ("-m",) and len(words) > 2:
        before, rest = tuple(words[:2]), (words[2].replace("_", "-"), *words[3:])
    else:
        before, rest = (), tuple(words)
    name = posixpath.basename(rest[0])
    return (before, name, rest[1:]) if name in TOOLS else None


def options_of(server: Server) -> "Options | Refused":
    """Which arguments go to the build; refused by name where one is not known."""
    tool, kept, operands = server.tool, list[str](), list[str]()
    values: dict[str, str] = {}
    words = list(server.arguments)
    while words:
        word = words.pop(0)
        if "$" in word:
            return Refused(f"{server.shown} gets {word} when the container starts; a build would not see it")
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        name, equals, value = word.partition("=")
        if len(name) > 2 and not name.startswith("--") and name[:2] in tool.kept_values | tool.served_values:
            # `-p1313`
            name, equals, value = name[:2], "=", name[2:]
        is_valued = name in tool.kept_values | tool.served_values
        if is_valued and not equals:
            if not words:
                return Refused(f"{server.shown} has no value for {name}")
            value = words.pop(0)
            word = f"{word} {shlex.quote(value)}"
        if name in tool.kept_values | tool.kept:
            kept.append(word)
        elif name not in tool.served_values | tool.served:
            return Refused(
                f"what {name} of {server.shown} is to a build is not known", "leave it out where it is not needed"
            )
        if "$" in value:
            return Refused(f"{server.shown} gets {value} when the container starts; a build would not see it")
        values[name] = value
    return Options(tuple(kept), values, tuple(operands))


def folder_of(server: Server, options: Options) -> str:
    """Absolute folder that the generator works in."""
    return join(server.root.folder, options.value(server.tool.source) or ".")
