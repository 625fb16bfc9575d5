"""XML of a build context: untrusted, so entities and external references are refused (defusedxml)."""

from __future__ import annotations

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
