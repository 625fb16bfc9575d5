"""What a Ruby program needs when it runs, by its lockfile, and where it writes, by its sources and its framework."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from refactor.context.literals import line_at
from refactor.ecosystems import system
from refactor.ecosystems.answers import Rewrite, Slim, Written
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.calls import Found, sources
from refactor.ecosystems.development import why_production, why_used
from refactor.ecosystems.libraries import linked, why_not_linked
from refactor.ecosystems.program import Needs, Program, project_folder
from refactor.ecosystems.ruby.tools import GEMS, Bundle, bundle_of, installs_of, settings, why_not_carried
from refactor.ecosystems.runners import lacking
from refactor.ecosystems.written import folders_written, ports_in
from refactor.flow.places import origins
from refactor.flow.reading import Refused, StageReading, Step, join
from refactor.images.gems import CALLS, LINKS, NATIVE, OPENS, is_plain

_STRING = r"""(?:"[^"\n#]*"|'[^'\n]*')"""
_PLACE = (
    r"(?P<base>File\.join\s*\(\s*(?P<here>__dir__|Rails\.root)\s*,\s*|Rails\.root\.join\s*\(\s*)?"
    rf"(?P<parts>{_STRING}(?:\s*,\s*{_STRING})*)(?P<end>\s*\))?"
)
_WRITES = (
    r"(?<![\w.])(?:(?:File|IO)\.(?:bin)?write|FileUtils\.(?:touch|mkdir_p|mkdir|makedirs)|Dir\.mkdir|PStore\.new|"
    r"YAML::Store\.new|SQLite3::Database\.(?:new|open)|Sequel\.sqlite|Logger\.new|GDBM\.open|SDBM\.open|DBM\.open|"
    r"Daybreak::DB\.new)"
)
_OPENS = r"(?<![\w.])(?:File\.(?:open|new)|CSV\.open|Zip::File\.open|Zip::OutputStream\.open|open)"
_TASKS = r"\.rake\Z|(?:^|/)(?:db/(?:migrate|seeds)|lib/(?:tasks|generators))"
_LISTENS = r"\b(?:set\s+:port\s*,|port\s+|:?Port(?:\s*=>|:)|TCPServer\.new\([^)]*,)\s*(\d{2,5})\b"
_SILENT = r"(?i)[\s(]*(?:\$?std(?:out|err)|nil|IO::NULL|File::NULL)"
_MODE = r",\s*(?:mode:\s*)?[\"'](?:[wa][bt]?\+?|r[bt]?\+)[bt]?(?::[\w:|-]+)?[\"']"
"""Opened to write."""
_FOLDERS = r"FileUtils\.(?:mkdir_p|mkdir|makedirs)|Dir\.mkdir"
_SQLITE = r"sqlite3?:(?://)?/?([\w./-]+)|database:\s*[\"']?([\w./-]+\.(?:sqlite3?|db))"

_DEVELOPMENT = ("development", "test")
_ENVIRONMENTS = ("RAILS_ENV", "RACK_ENV", "APP_ENV", "HANAMI_ENV")
_OF_DEVELOPMENT = (
    r"(?:^|/)(?:spec|test|features)/|config/environments/(?:development|test)\.rb|(?:^|/)Gemfile|\.rake\Z|Guardfile"
)


class _Gems(NamedTuple):
    """What is installed in a stage."""

    bundles: tuple[Bundle, ...]
    names: frozenset[str]
    compiled: Mapping[str, bool]
    """Gems that are, or may be, compiled in the image -> whether that is known."""
    libraries: dict[str, str] | Refused
    """System packages for the libraries that gems link or open."""

    @property
    def programs(self) -> dict[str, str]:
        return {CALLS[name]: f"the gem {name}" for name in self.names if name in CALLS}


def _gems(reading: StageReading) -> _Gems | Refused:
    bundles: list[Bundle] = []
    names: set[str] = set()
    for _, package, manifest in installs_of(reading):
        if package.manager == "gem":
            names.update(word.literal.partition(":")[0] for word in package.packages)
            continue
        if manifest is None:
            return Refused("the Gemfile of `bundle install` is not copied from the build context", "COPY it by name")
        bundle = bundle_of(reading, manifest)
        if isinstance(bundle, Refused):
            return bundle
        bundles.append(bundle)
        names |= bundle.names
    libc = reading.image.libc if reading.image is not None else None
    forced = settings(reading).get("force_ruby_platform", "").lower() in {"true", "1"}
    ready = {name for one in bundles for name, gem in one.lock.gems.items() if gem.is_compiled_for(libc) and not forced}
    built = (name for name in sorted(names) if name not in ready and not is_plain(name) and name not in OPENS)
    compiled = {name: name in NATIVE or name in LINKS for name in built}
    wanted = {name: LINKS[name] for name in compiled if LINKS.get(name)}
    wanted.update({name: OPENS[name] for name in names if name in OPENS})
    return _Gems(tuple(bundles), frozenset(names), compiled, linked(reading, wanted, "the gem {} uses it"))


def needs(program: Program) -> Needs | Refused:
    """See :meth:`Language.needs`."""
    reading = program.reading
    folder, gems = project_folder(program, "Gemfile"), _gems(reading)
    if isinstance(folder, Refused):
        return folder
    if isinstance(gems, Refused):
        return gems
    unknown, image = [name for name, is_known in gems.compiled.items() if not is_known], reading.image
    refused = why_not_carried(reading)
    if unknown and image is not None and image.variant == "fat":
        refused = refused or why_not_linked(unknown, "gems")
    libraries = refused or gems.libraries
    if isinstance(libraries, Refused):
        return libraries
    own = settings(reading).get("path")
    paths = {GEMS: "its gems, and the settings of Bundler", **({join(folder[1], own): "its gems"} if own else {})}
    evidence = tuple(f"{len(one.names)} gems of {one.manifest}.lock were looked up" for one in gems.bundles)
    return Needs({**paths, folder[1]: "the application"}, gems.programs, libraries, evidence=evidence)


def interpreters(reading: StageReading) -> dict[str, str] | Refused:
    """See :meth:`Ecosystem.interpreters`: ExecJS looks for a run-time of JavaScript as soon as it is loaded."""
    found = _gems(reading)
    if isinstance(found, Refused):
        return found
    lock = next((f"{bundle.manifest}.lock" for bundle in found.bundles if "execjs" in bundle.names), None)
    return {"node": f"{lock} has execjs"} if lock else {}


def why_not_split(reading: StageReading, program: Program) -> Refused | None:
    """The benefit gate: where nothing compiles there is nothing to leave behind."""
    image = reading.image
    if image is not None and image.family != "ruby":
        because = f"{reading.stage.image} is no image of Ruby, and where its packages put gems is not known"
        return Refused(because, "start from ruby:<version>")
    gems = _gems(reading)
    if image is None or isinstance(gems, Refused) or system.build_only(reading):
        return None
    if image.variant != "fat":
        return Refused("the stage has no packages that only its build needs: a second one would not be smaller")
    if not gems.compiled and not _builds(reading):
        return Refused(
            "no gem is compiled, so that a second stage would leave nothing behind but the full image",
            "start from the slim image (use-slim-base)",
        )
    return None


def _builds(reading: StageReading) -> bool:
    return any("precompile" in step.node.argument for step in reading.runs)


def slim(reading: StageReading) -> Slim | Refused | None:
    """See :meth:`Ecosystem.slim`."""
    image = reading.image
    if image is None or image.family != "ruby":
        return None
    gems = _gems(reading)
    if isinstance(gems, Refused):
        return gems
    first = next(iter(gems.compiled), None)
    if first is not None:
        is_built = "is" if gems.compiled[first] else "may be"
        because = f"{first} {is_built} compiled when it is installed, and the slim image has no compiler"
        return Refused(because, "split the stage: build on the full image, run on the slim one")
    tools = system.build_only(reading)
    if tools:
        return Refused(f"{system.named(tools)} is here to compile something", "split the stage")
    git = next((address for one in gems.bundles for address in one.lock.git), None)
    if git is not None:
        return Refused(f"a gem comes from {git}, and the slim image has no git", "take it from a registry of gems")
    if isinstance(gems.libraries, Refused):
        return gems.libraries
    lacks = lacking(image, {**gems.programs, **programs_started(reading)})
    packages = {**gems.libraries, **{package: f"{where} calls {name}" for name, package, where in lacks}}
    evidence = [f"{name}: {why}" for name, why in packages.items()]
    evidence += [f"none of the {len(one.names)} gems of {one.manifest}.lock is compiled" for one in gems.bundles]
    return Slim(tuple(packages), tuple(evidence) or ("no RUN installs a gem",))


def production_install(reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    if reading.context.why_unknown is not None:
        return
    for step, package, manifest in installs_of(reading):
        bundle = None if manifest is None else bundle_of(reading, manifest)
        if not isinstance(bundle, Bundle):
            continue
        left = [name for name in _DEVELOPMENT if any(name in one for one in bundle.gemfile.groups.values())]
        if not left or {"without", "with", "only"} & settings(reading).keys() or package.values("--without", "--with"):
            continue
        where = why_production(reading, _ENVIRONMENTS, {"production"})
        if where is None:
            because = (
                f"nothing says that the image is for production, and {bundle.manifest} has the"
                f" group{'s' if len(left) > 1 else ''} {' and '.join(left)}"
            )
            yield step, Refused(because, "set RAILS_ENV or RACK_ENV to production by ENV")
            continue
        out = bundle.gemfile.out(left, ())
        names = "|".join(sorted(map(re.escape, out)))
        used = why_used(
            reading,
            bundle.manifest.rpartition("/")[0],
            rf"(?<![\w/-])({names})(?![\w/.-])",
            rf"(?m)^\s*require\s*\(?\s*[\"']({names})(?:/[\w/.-]*)?[\"']",
            (r"\.(?:rb|ru)\Z", _OF_DEVELOPMENT),
            ("requires", "in a group for development", "move it to another group"),
        )
        if used is not None:
            yield step, used
            continue
        image = reading.image
        # Ruby 2.7 brings Bundler 2.1, the first with `bundle config set`.
        numbers = [int(number) for number in re.findall(r"\d+", image.version)[:2]] if image is not None else []
        if image is None or image.family != "ruby" or (numbers and numbers < [2, 7]):
            yield step, Refused("whether this Bundler has `bundle config set` is not known", "use ruby:2.7 or newer")
            continue
        text = step.script.text[slice(*package.command.span)].strip() if step.script else ""
        setting = f"bundle config set --local without '{' '.join(left)}'"
        evidence = f"{', '.join(sorted(out)[:6])} of {bundle.manifest} are in {' and '.join(left)} only, and {where}"
        yield Rewrite(step, package.command, f"{setting} \\\n    && {text}", (evidence,))


# Where it writes


def writes(program: Program, files: Sequence[str]) -> Written | Refused:
    """See :meth:`Language.writes`."""
    folder = project_folder(program, "Gemfile")
    if isinstance(folder, Refused):
        return folder
    root, place = folder
    context = program.reading.context
    texts = dict(sources(context, files, r"(?m:^\s*#.*$|^=begin\b(?s:.*?)^=end\b.*$)"))
    is_rails = context.exists(posixpath.join(root, "config/application.rb")) is True
    # Tasks are run by hand, not by the server.
    run = {path: text for path, text in texts.items() if not re.search(_TASKS, path)}
    found = [call for path, text in run.items() for call in _calls(path, text)]
    answer = folders_written(program, files, found, ports_in(texts.values(), _LISTENS))
    if isinstance(answer, Refused):
        return answer
    kept = {join(place, name): why for name, why in _rails(program, root) if is_rails}
    kept.update({path: f"{where} keeps a database there" for path, where in _databases(program, root, place, texts)})
    is_built = any(_builds(one) for one in origins(program.reading))
    caches = tuple(join(place, name) for name in ("tmp", "log") if is_built and is_rails)
    return answer.besides(kept)._replace(caches=caches)


def _rails(program: Program, root: str) -> Iterator[tuple[str, str]]:
    context = program.reading.context
    yield "tmp", "Rails writes its caches and its process id to tmp"
    yield "log", "Rails writes its log to log"
    is_on_disk = "Disk" in context.text(posixpath.join(root, "config/storage.yml"))
    if is_on_disk or context.is_dir(posixpath.join(root, "storage")) is True:
        yield "storage", "Active Storage, or a database, keeps files in storage"


def _databases(program: Program, root: str, place: str, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    config = posixpath.join(root, "config/database.yml")
    text = program.reading.context.text(config)
    for path, content in {**texts, config: text if "sqlite" in text else ""}.items():
        for match in re.finditer(_SQLITE, content):
            name = match[1] or match[2]
            if name and not name.startswith("memory"):
                absolute = match[1] is not None and "////" in content[match.start() : match.end() + 1]
                yield posixpath.dirname(join("/" if absolute else place, name)), path


def _calls(path: str, text: str) -> Iterator[tuple[Found, bool]]:
    """Calls that write files, each with whether it names a folder."""
    for match in re.finditer(rf"{_WRITES}[\s(]+", text):
        if not re.match(_SILENT, text[match.end() - 1 :]):
            call = _found(path, text, match)
            yield call, re.match(_FOLDERS, match[0]) is not None and not (call.value or "").endswith("*")
    for match in re.finditer(rf"{_OPENS}[\s(]+", text):
        if re.search(_MODE, text[match.end() :].partition("\n")[0]):
            yield _found(path, text, match), False


def _found(path: str, text: str, match: re.Match[str]) -> Found:
    rest = text[match.end() : match.end() + 400]
    place = re.match(_PLACE, rest)
    named = None
    if place is not None and (place["base"] is None or place["end"]):
        parts = [part[1:-1] for part in re.findall(_STRING, place["parts"])]
        named = "/".join(parts) if place["base"] else parts[0]
        if place["here"] == "__dir__":
            named = posixpath.join(posixpath.dirname(path), named)
    elif (part := re.match(r"\"([\w./-]+/)[^/\"]*#\{[^}]*\}[^/\"]*\"", rest)) is not None:
        # "logs/#{name}": the folder is known where the variable part is only the file's name.
        named = part[1] + "*"
    return Found(match[0].strip(" (\n"), named, line_at(path, text, match.start()))
