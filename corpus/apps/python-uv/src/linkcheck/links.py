import re
from urllib.parse import urlsplit

LINK = re.compile(r"\bhttps?://[^\s<>\"]+")


def links(text: str) -> list[dict[str, object]]:
    """Every link of a text, in order, with whether its host looks complete."""
    return [{"link": link, "ok": "." in (urlsplit(link).hostname or "")} for link in LINK.findall(text)]
