"""`bundle install` without the groups that only development and tests use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.ruby.tools import Bundle, bundle_of, groups, installs_of, settings
from refactor.flow.reading import Refused, StageReading, Step

_DEVELOPMENT = ("development", "test")
_ENVIRONMENTS = ("RAILS_ENV", "RACK_ENV", "APP_ENV", "HANAMI_ENV")
_OF_DEVELOPMENT = (
    r"(?:^|/)(?:spec|test|features)/|config/environments/(?:development|test)\.rb|(?:^|/)Gemfile|\.rake\Z|Guardfile"
)


def production(reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
    """See :meth:`Ecosystem.production_install`."""
    if reading.context.why_unknown is not None:
        return
    for package, manifest in installs_of(reading):
        step = next(step for step, call in reading.calls if call is package)
        bundle = None if manifest is None else bundle_of(reading, manifest)
        if not isinstance(bundle, Bundle) or bundle.lock is None:
            continue
        known = settings(reading)
        left = [name for name in _DEVELOPMENT if any(name in one for one in bundle.gemfile.groups.values())]
        if not left or {"without", "with", "only"} & known.keys() or package.values("--without", "--with"):
            continue
        where = _why_production(reading)
        if where is None:
            yield (
                step,
                Refused(
                    f"nothing says that the image is for production, and {bundle.manifest} has the"
                    f" group{'s' if len(left) > 1 else ''} {' and '.join(left)}",
                    "set RAILS_ENV or RACK_ENV to production by ENV",
                ),
            )
            continue
        out = bundle.gemfile.out(groups(" ".join(left)), ())
        used = _why_used(reading, bundle, out)
        if used is not None:
            yield step, used
            continue
        if reading.image is None or reading.image.family != "ruby" or not _has_set(reading.image.version):
            yield step, Refused("whether this Bundler has `bundle config set` is not known", "use ruby:2.7 or newer")
            continue
        text = step.script.text[slice(*package.command.span)].strip() if step.script else ""
        setting = f"bundle config set --local without '{' '.join(left)}'"
        evidence = f"{', '.join(sorted(out)[:6])} of {bundle.manifest} are in {' and '.join(left)} only, and {where}"
        yield Rewrite(step, package.command, f"{setting} \\\n    && {text}", (evidence,))


def _has_set(version: str) -> bool:
    """Ruby 2.7 brings Bundler 2.1, the first with `bundle config set`."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    return not numbers or numbers >= [2, 7] or numbers[0] > 2


def _why_production(reading: StageReading) -> str | None:
    return next(
        (f"{name} is production" for name in _ENVIRONMENTS if reading.variables.get(name) == "production"), None
    )


def _why_used(reading: StageReading, bundle: Bundle, out: frozenset[str]) -> Refused | None:
    """A step or a source that uses one of the gems."""
    names = "|".join(sorted(map(re.escape, out)))
    for step in reading.steps:
        if step.keyword in {"RUN", "CMD", "ENTRYPOINT"}:
            found = re.search(rf"(?<![\w/-])(?:{names})(?![\w/.-])", step.node.argument)
            if found is not None:
                line = reading.file.line_of(step.node)
                return Refused(
                    f"line {line} runs {found[0]}, which is in a group for development", "move it to another"
                )
    files = reading.context.files(bundle.manifest.rpartition("/")[0], without=("node_modules", "vendor", ".git"))
    for path in files if isinstance(files, tuple) else ():
        if not re.search(r"\.(?:rb|ru)\Z", path) or re.search(_OF_DEVELOPMENT, path):
            continue
        text = reading.context.read(path)
        found = (
            re.search(rf"(?m)^\s*require\s*\(?\s*[\"']({names})(?:/[\w/.-]*)?[\"']", text)
            if isinstance(text, str)
            else None
        )
        if found is not None:
            return Refused(
                f"{path} requires {found[1]}, which is in a group for development", "move it to another group"
            )
    return None


__all__ = ["production"]
