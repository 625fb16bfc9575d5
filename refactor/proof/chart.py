"""The layers and sizes of both versions as a picture: SVG, made from the document of ``verify --format json``.

Nothing in it is loaded from elsewhere and nothing runs: no script, no font, no link. Text comes from repositories and
containers, so all of it passes through :func:`escaped`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from refactor.proof.render import megabytes, share

WIDTH = 860
STYLE = """\
.df-page{fill:#fff}.df-text{fill:#1f2328}.df-faint{fill:#59636e}.df-good{fill:#1a7f37}.df-bad{fill:#cf222e}
.df-text,.df-faint,.df-good,.df-bad{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}
.df-title{font-weight:bold}
.df-0{fill:#4c8dd6}.df-1{fill:#d98c2b}.df-2{fill:#3fa37a}.df-3{fill:#b667c4}.df-4{fill:#c9615b}.df-5{fill:#7f8c2e}
.df-6{fill:#2e9aa8}.df-7{fill:#8a73d1}.df-rest{fill:#8b949e}
@media (prefers-color-scheme: dark){.df-page{fill:#0d1117}.df-text{fill:#f0f6fc}.df-faint{fill:#9198a1}
.df-good{fill:#3fb950}.df-bad{fill:#f85149}}
"""
"""Colours that can be read on white and on black; names begin with ``df-``, as a page's own styles may lie beside."""

_LARGEST = 8
_ROW = 18
_MARGIN = 16
_BAR = 250
_SIZES_END = 360
_MAKERS = 64
_PATH = 100
# What XML 1.0 has no place for, and signs that turn the direction of the text around them.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Bar(NamedTuple):
    """A layer, or all that are too small to be named."""

    bytes: int
    label: str
    style: str


def escaped(text: object) -> str:
    """Text for an element or an attribute of XML and HTML; what neither can hold becomes U+FFFD."""
    return escape(_NOT_TEXT.sub("\ufffd", str(text)))


def shortened(text: str, length: int) -> str:
    """The text on one line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def bars(layers: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    """The layers from the base up, the largest by name; the sizes add up to those of all layers."""
    order = sorted(range(len(layers)), key=lambda index: (-layers[index]["bytes"], index))
    named = sorted(index for index in order[:_LARGEST] if layers[index]["bytes"])
    found = [
        Bar(layers[index]["bytes"], layers[index]["made_by"] or "(the base image)", f"df-{place}")
        for place, index in enumerate(named)
    ]
    left = len(layers) - len(named)
    if left and found:
        rest = sum(layer["bytes"] for layer in layers) - sum(bar.bytes for bar in found)
        found.append(Bar(rest, f"{left} smaller layer{'' if left == 1 else 's'}", "df-rest"))
    return tuple(found)


def proofs(file: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The proofs of a file with what to call them: of the whole rewrite, and of the part that holds."""
    if "proof" in file:
        yield "", file["proof"]
    if file.get("kept_proof") is not None:
        yield f"without what broke it: {', '.join(file.get('kept', ())) or 'nothing is left'}", file["kept_proof"]


def versions(proof: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The versions that were built: ("before", ...), ("after", ...)."""
    for name in ("before", "after"):
        if proof[name] is not None and "image" in proof[name]:
            yield name, proof[name]


def render_svg(document: Mapping[str, Any]) -> str:
    """The picture of all files of a document."""
    drawing = Drawing()
    for file in document["files"]:
        _draw_file(drawing, file)
    return drawing.finish("dockerfix verify: layers and sizes before and after")


class Drawing:
    """SVG elements in lines from top to bottom."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._height = _MARGIN

    def line(self, height: int = _ROW) -> None:
        """Goes on below."""
        self._height += height

    def text(
        self, text: str, x: int = _MARGIN, style: str = "df-text", *, hint: str = "", to_end: bool = False
    ) -> None:
        """Text on this line; it ends at ``x`` for ``to_end``. ``hint`` is shown under the pointer."""
        anchor = ' text-anchor="end"' if to_end else ""
        title = f"<title>{escaped(hint)}</title>" if hint else ""
        place = f'x="{x}" y="{self._height + 13}"'
        self._parts.append(f'<text class="{style}" {place}{anchor}>{title}{escaped(text)}</text>')

    def box(self, x: float, width: float, style: str, *, hint: str = "", height: int = 12) -> None:
        """A box on this line."""
        title = f"<title>{escaped(hint)}</title>" if hint else ""
        place = f'x="{x:.2f}" y="{self._height + 3}" width="{width:.2f}" height="{height}"'
        self._parts.append(f'<rect class="{style}" {place}>{title}</rect>')

    def finish(self, title: str, width: int = WIDTH) -> str:
        """The whole document."""
        height = self._height + _MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" font-family="monospace" font-size="12" xml:space="preserve">\n'
            f"<title>{escaped(title)}</title>\n<style>\n{STYLE}</style>\n"
            f'<rect class="df-page" width="{width}" height="{height}"/>\n' + "\n".join([*self._parts, "</svg>\n"])
        )


def _draw_file(drawing: Drawing, file: Mapping[str, Any]) -> None:
    status = file["status"]
    drawing.text(shortened(file["path"], _PATH), style="df-text df-title", hint=file["path"])
    drawing.line()
    drawing.text(status, style={"proved": "df-good", "unchanged": "df-faint"}.get(status, "df-bad"))
    if file["message"]:
        drawing.text(shortened(file["message"], _MAKERS), 110, hint=file["message"])
    drawing.line()
    for caption, proof in proofs(file):
        if caption:
            drawing.text(shortened(caption, _PATH), style="df-faint")
            drawing.line()
        _draw_proof(drawing, proof)
    drawing.line()


def _draw_proof(drawing: Drawing, proof: Mapping[str, Any]) -> None:
    found = list(versions(proof))
    totals = [version["image"]["bytes"] for _, version in found]
    sums = [sum(layer["bytes"] for layer in version["image"]["layers"]) for _, version in found]
    largest = max([*totals, *sums, 1])
    for (name, version), total in zip(found, totals, strict=True):
        drawing.line(_ROW // 2)
        layers = bars(version["image"]["layers"])
        drawing.text(name, style="df-text df-title")
        drawing.text(_summary(version, share(totals[0], total) if name == "after" else ""), 80)
        drawing.line()
        full = WIDTH - 2 * _MARGIN
        x = float(_MARGIN)
        for bar in layers or (Bar(total, "the image", "df-rest"),):
            width = bar.bytes / largest * full
            drawing.box(x, width, bar.style, hint=f"{_size(bar.bytes)} {bar.label}", height=22)
            x += width
        drawing.line(30)
        for bar in layers:
            drawing.box(_MARGIN, bar.bytes / largest * _BAR, bar.style)
            drawing.text(_size(bar.bytes), _SIZES_END, to_end=True)
            drawing.text(shortened(bar.label, _MAKERS), _SIZES_END + 12, "df-faint", hint=bar.label)
            drawing.line()
    for problem in proof["problems"]:
        drawing.text(shortened(problem, _PATH), style="df-bad", hint=problem)
        drawing.line()


def _size(size: int) -> str:
    if size >= 100_000:
        return megabytes(size)
    return f"{size / 1e3:.1f} kB" if size >= 1000 else f"{size} B"


def _summary(version: Mapping[str, Any], change: str) -> str:
    image = version["image"]
    count = len(image["layers"])
    parts = [
        f"{megabytes(image['bytes'])}{f' ({change})' if change else ''} in {count} layer{'' if count == 1 else 's'}",
        f"built in {version['build']['seconds']:.1f} s",
    ]
    if "rebuild" in version:
        again = version["rebuild"]
        steps = again["steps_run"] + again["steps_cached"]
        parts.append(f"rebuilt in {again['seconds']:.1f} s ({again['steps_run']} of {steps} steps)")
    return ", ".join(parts)
