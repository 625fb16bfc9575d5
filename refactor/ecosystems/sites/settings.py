"""Settings of a site that decide what is built and where it is served."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from refactor.context import BuildContext, Unknown
from refactor.context.tables import items, table, text
from refactor.flow.reading import Refused

_HUGO = tuple(f"{name}.{ending}" for name in ("hugo", "config") for ending in ("toml", "yaml", "yml", "json"))

_RELATIVE = frozenset({"minima"})
"""Themes whose pages load everything by `relative_url` (jekyll/minima, _includes/head.html)."""


def _document(context: BuildContext, path: str) -> object | Unknown:
    ending = path.rpartition(".")[2]
    return context.toml(path) if ending == "toml" else context.json(path) if ending == "json" else context.yaml(path)


def _named(context: BuildContext, source: str, given: str | None, names: tuple[str, ...]) -> Iterator[str]:
    """The files that are read: those that an option lists, else the ones that are there under the usual names."""
    if given is not None:
        yield from (posixpath.normpath(posixpath.join(source, one)) for one in given.split(","))
        return
    yield from context.there(posixpath.join(source, name) for name in names)


def hugo_settings(context: BuildContext, source: str, values: Mapping[str, str]) -> dict[str, str] | Refused:
    """``output``, ``address`` and ``where`` of a site of Hugo; its keys are read in any case."""
    folder = values.get("--configDir", "config")
    names = (*_HUGO, *(f"{folder}/_default/{name}" for name in _HUGO))
    found: dict[str, object] = {}
    where = ""
    for path in _named(context, source, values.get("--config"), names):
        data = _document(context, path)
        if isinstance(data, Unknown):
            return Refused(f"{path} cannot be read: {data.reason.removeprefix(f'{path}: ')}")
        found = {**{key.lower(): value for key, value in table(data).items()}, **found}
        where = where or path
    if not where:
        return Refused(
            f"no settings of a site (hugo.toml) are in {source or 'the build context'}", "copy the whole site"
        )
    if table(found.get("server")):
        return Refused(f"{where} has headers or redirects for the server, which nginx would not follow")
    languages = [table(one) for one in table(found.get("languages")).values()]
    if any("baseurl" in (key.lower() for key in one) for one in languages):
        return Refused(f"{where} has languages with addresses of their own, which are served on several ports")
    themes = values.get("--themesDir") or text(found.get("themesdir")) or "themes"
    theme = values.get("--theme") or values.get("-t") or found.get("theme")
    for name in (theme,) if isinstance(theme, str) else items(theme):
        place = posixpath.join(source, themes, str(name))
        if "/" not in str(name) and not context.children(place):
            return Refused(
                f"the theme {name} is not in the build context ({place})", "fetch submodules before the build"
            )
    answer = {"where": f"baseURL of {where}", "address": text(found.get("baseurl")) or ""}
    if items(table(found.get("module")).get("imports")):
        answer["unread"] = f"{where} imports modules, whose templates are not read"
    output = text(found.get("publishdir"))
    return {**answer, "output": output} if output else answer


def jekyll_settings(context: BuildContext, source: str, values: Mapping[str, str]) -> dict[str, str] | Refused:
    """The same of a site of Jekyll, and the port that its server is told."""
    found: dict[str, object] = {}
    where = ""
    for path in _named(context, source, values.get("--config"), ("_config.yml", "_config.yaml", "_config.toml")):
        data = _document(context, path)
        if isinstance(data, Unknown):
            return Refused(f"{path} cannot be read: {data.reason.removeprefix(f'{path}: ')}")
        # Later files win (`jekyll help build`).
        found.update(table(data))
        where = path
    if not where:
        return Refused(f"no _config.yml is in {source or 'the build context'}", "copy the whole site")
    if found.get("source") is not None:
        return Refused(f"{where} names another folder as source", "name it with --source")
    given = values.get("--baseurl", values.get("-b"))
    address = given if given is not None else text(found.get("baseurl")) or ""
    answer = {"where": f"baseurl of {where}", "address": address}
    url = text(found.get("url"))
    if url:
        answer["told"] = f"absolute links become {url} (url of {where}), where the server put its own address"
        theme = text(found.get("theme")) or text(found.get("remote_theme"))
        if theme and theme not in _RELATIVE:
            answer["unread"] = f"{where} takes the theme {theme}, whose templates may have absolute links"
    for key, name in (("destination", "output"), ("port", "listens")):
        value = found.get(key)
        if isinstance(value, (str, int)) and str(value):
            answer[name] = str(value)
    return answer


def mkdocs_settings(context: BuildContext, source: str, values: Mapping[str, str]) -> dict[str, str] | Refused:
    """The same of a site of MkDocs. Only plain keys are read: its YAML may call Python (``!!python/name``)."""
    given = values.get("--config-file", values.get("-f"))
    path = next(_named(context, source, given, ("mkdocs.yml", "mkdocs.yaml")), None)
    if path is None:
        return Refused(f"no mkdocs.yml is in {source or 'the build context'}", "copy the whole site")
    data = context.read(path)
    if isinstance(data, Unknown):
        return Refused(f"{path} cannot be read: {data.reason}")
    found = {key: value.strip().strip("\"'") for key, value in re.findall(r"(?m)^(\w+):[ \t]*([^#\n]*)", data)}
    if "INHERIT" in found:
        return Refused(f"{path} takes settings from {found['INHERIT']} (INHERIT)")
    if found.get("hooks") is not None and "on_serve" in data:
        return Refused(f"{path} has hooks for the server")
    beside = posixpath.relpath(posixpath.dirname(path) or ".", source or ".")
    answer = {"where": f"site_url of {path}", "address": found.get("site_url", "")}
    if found.get("site_dir") or beside != ".":
        # Its folder is seen from the settings.
        answer["output"] = posixpath.normpath(posixpath.join(beside, found.get("site_dir") or "site"))
    if found.get("dev_addr"):
        answer["listens"] = found["dev_addr"]
    return answer


__all__ = ["hugo_settings", "jekyll_settings", "mkdocs_settings"]
