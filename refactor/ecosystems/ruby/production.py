"""`bundle install` without the groups that only development and tests use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from refactor.ecosystems.answers import Rewrite
from refactor.ecosystems.development import why_production, why_used
from refactor.ecosystems.ruby.tools import Bundle, bundle_of, groups, installs_of, settings
from refactor.flow.reading import Refused, StageReading, Step

_DEVELOPMENT = ("development", "test")
_ENVIRONMENTS = ("RAILS_ENV", "RACK_ENV", "APP_ENV", "HANAMI_ENV")
_OF_DEVELOPMENT = (
    r"(?:^|/)(?:spec|test|features)/|config/environments/(?:development|test)\.rb|(?:^|/)Gemfile|\.rake\Z|Guardfile"
)


def production_install(reading: StageReading) -> Iterator[Rewrite | tuple[Step, Refused]]:
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
        where = why_production(reading, _ENVIRONMENTS, {"production"})
        if where is None:
            because = (
                f"nothing says that the image is for production, and {bundle.manifest} has the"
                f" group{'s' if len(left) > 1 else ''} {' and '.join(left)}"
            )
            yield step, Refused(because, "set RAILS_ENV or RACK_ENV to production by ENV")
            continue
        out = bundle.gemfile.out(groups(" ".join(left)), ())
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


__all__ = ["production_install"]
