"""The JSON Schema of configuration files, made from the tables that they are checked by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refactor.codemod.codemod import BUILDERS, PRESETS, RUNNERS, Option, discover
from refactor.engine.configuration import BOT_KEYS, KEYS, PER

_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "list of text": _TEXTS,
    "true or false": {"type": "boolean"},
    "text": {"type": "string"},
    "table of lists of text": {"type": "object", "additionalProperties": _TEXTS},
}


def configuration_schema() -> dict[str, Any]:
    """What ``.dockerfix.toml``, ``dockerfix.toml`` and ``[tool.dockerfix]`` may hold (JSON Schema 2020-12)."""
    keys: dict[str, Mapping[str, Any]] = {key: _TYPES[words] for key, words in KEYS.items() if words in _TYPES}
    keys["runner"] = {"enum": list(RUNNERS)}
    keys["preset"] = {"enum": list(PRESETS)}
    keys["builder"] = {"enum": list(BUILDERS)}
    keys["codemods"] = _table(
        {cls.id: _table({name: _option(one) for name, one in cls.options.items()}) for cls in discover()}
    )
    keys["bot"] = _table({name: _bot_key(name, kind) for name, (kind, _) in BOT_KEYS.items()})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of dockerfix",
        **_table({key: keys[key] for key in KEYS}),
    }


def _table(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _option(option: Option) -> dict[str, Any]:
    allowed = {"enum": list(option.values)} if option.values else {"type": "string"}
    return {"description": option.doc, "default": option.default, **allowed}


def _bot_key(name: str, kind: type) -> Mapping[str, Any]:
    if name == "per":
        return {"enum": list(PER)}
    return {int: {"type": "integer", "minimum": 0}, list: _TEXTS, str: {"type": "string"}}[kind]
