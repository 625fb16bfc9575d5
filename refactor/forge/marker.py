"""The hidden line in a pull request's body by which the bot knows its own: there is no database.

``<!-- dockerfix:{"v":1,"key":...,"base":...,"head_sha":...,"findings":[...]} -->``. It is believed only in pull
requests that the bot's own account opened.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

VERSION = 1
_PATTERN = re.compile(r"<!-- dockerfix:(\{.*?\}) -->")


@dataclass(frozen=True, slots=True)
class Marker:
    """What a pull request proposes, and from where."""

    key: str
    """The branch's name."""
    base: str
    """SHA that the branch starts from."""
    head: str
    """SHA of the branch."""
    findings: tuple[str, ...]
    """Fingerprints (:func:`refactor.engine.record.fingerprint`), sorted."""
    replaces: str = ""
    """The head before, written down before it is pushed over: so a run that ended between the two goes on."""
    is_closed: bool = False
    """The bot closed it itself: nothing was found any more."""

    def __str__(self) -> str:
        data: dict[str, object] = {"v": VERSION, "key": self.key, "base": self.base, "head_sha": self.head}
        if self.replaces:
            data["replaces"] = self.replaces
        if self.is_closed:
            data["closed"] = True
        data["findings"] = list(self.findings)
        return f"<!-- dockerfix:{json.dumps(data, separators=(',', ':'))} -->"


def read_marker(body: str, key: str) -> Marker | None:
    """The marker of a body, None where there is none for this branch, or none of this version."""
    # The last one: it is at the end, below all words that come from the repository.
    found = _PATTERN.findall(body)
    if not found:
        return None
    try:
        data = json.loads(found[-1])
    except (ValueError, RecursionError):
        return None
    texts = [data.get(name, "") for name in ("base", "head_sha", "replaces")]
    findings = data.get("findings")
    if data.get("v") != VERSION or data.get("key") != key or not all(isinstance(text, str) for text in texts):
        return None
    if not isinstance(findings, list) or not all(isinstance(item, str) for item in findings):
        return None
    return Marker(key, texts[0], texts[1], tuple(findings), texts[2], data.get("closed") is True)
