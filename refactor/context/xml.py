"""XML of a build context: untrusted, so entities and external references are refused (defusedxml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from refactor.context.build_context import BuildContext
from refactor.context.facts import Unknown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def read_xml(context: BuildContext, path: str) -> Element | Unknown:
    """The root element of a file such as ``pom.xml``, names without their namespaces. A broken one is reported and
    unknown."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    data = context.read_bytes(path)
    if isinstance(data, Unknown):
        return data
    try:
        root: Element = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        return context.report_broken(path, f"is no XML that can be read: {error}")
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: Element, path: str) -> str | None:
    """The text of the first element at a path; None where there is none, or it is empty."""
    found = element.find(path)
    return None if found is None else (found.text or "").strip() or None


def filled(text: str, names: Mapping[str, str], reference: str) -> str:
    """A text with the properties that it refers to, their own references filled in as well; ``*`` for what is not
    known. ``reference`` is a pattern, with the name as its group."""
    for _ in range(4):
        text = re.sub(reference, lambda found: names.get(found[1], "*"), text)
    return re.sub(r"\*+", "*", text)
