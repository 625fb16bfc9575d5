"""Proofs as one self-contained page, made from the document of ``verify --format json``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from refactor.proof.chart import escaped, proofs, render_svg, versions
from refactor.proof.render import Row, megabytes, share

_STYLE = """\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#1f2328;background:#fff}
table{border-collapse:collapse}th,td{border:1px solid #8b949e;padding:.2em .7em;text-align:left}
pre{overflow:auto;border:1px solid #8b949e;padding:.7em}svg{max-width:100%;height:auto}
.bad{color:#cf222e}
@media (prefers-color-scheme: dark){body{color:#f0f6fc;background:#0d1117}.bad{color:#f85149}}
"""


def render_html(document: Mapping[str, Any]) -> str:
    """The page, which is well-formed XML too. It loads nothing and, by its own policy, could not."""
    engine = f"{document['engine']['name']} {document['engine']['version']}".strip()
    lines = [
        "<!DOCTYPE html>",
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>',
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>""",
        '<meta name="viewport" content="width=device-width"/>',
        f"<title>dockerfix verify</title><style>\n{_STYLE}</style></head><body>",
        f"<h1>dockerfix verify</h1><p>Built and started with {escaped(engine)}.</p>",
    ]
    for file in document["files"]:
        lines += _file(document, file)
    return "\n".join([*lines, "</body></html>\n"])


def _file(document: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{escaped(file['path'])}: {escaped(file['status'])}</h2>"
    if file["message"]:
        yield f"<p>{escaped(file['message'])}</p>"
    if "proof" in file:
        yield render_svg({**document, "files": [file]})
    for caption, proof in proofs(file):
        if caption:
            yield f"<h3>{escaped(caption)}</h3>"
        yield from _proof(proof)
    for culprit in file.get("culprits", ()):
        yield f"<h3>Broken by {escaped(culprit['codemod'])}</h3>"
        yield _list(culprit["problems"], ' class="bad"')
    if file.get("findings"):
        yield "<h3>What was rewritten, and why</h3>"
        for finding in file["findings"]:
            why = f" {finding['why']}" if finding["why"] else ""
            name = f"<code>{escaped(finding['codemod'])}</code> ({escaped(finding['safety'])})"
            yield f"<p>{name}: {escaped(finding['message'] + why)}</p>"
            yield _list(finding["evidence"])


def _proof(proof: Mapping[str, Any]) -> Iterator[str]:
    yield _list(proof["problems"], ' class="bad"')
    found = list(_rows(proof))
    if found:
        yield "<table><tr><th></th><th>before</th><th>after</th><th></th></tr>"
        for row in found:
            yield f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>"
        yield "</table>"
    changed = [difference for difference in proof["differences"] if difference["expected_by"]]
    if changed:
        yield "<h3>Announced changes of the image's configuration</h3>"
        yield _list(f"{it['field']}: {it['before'] or '(none)'} → {it['after'] or '(none)'}" for it in changed)
    gone = proof["gone"]
    lost = [
        *(f"{kind.replace('_', ' ')}: {', '.join(gone[kind])}" for kind in gone if kind != "folders" and gone[kind]),
        *(f"{folder['path']} ({megabytes(folder['bytes'])})" for folder in gone["folders"] if folder["bytes"]),
    ]
    if lost:
        yield f"<details><summary>Went away</summary>{_list(lost)}</details>"
    if proof["notes"]:
        yield "<h3>Notes</h3>"
        yield _list(proof["notes"])
    if proof["log"]:
        yield "<h3>Its last words</h3>"
        yield "<pre>" + "\n".join(escaped(line) for line in proof["log"]) + "</pre>"


def _rows(proof: Mapping[str, Any]) -> Iterator[Row]:
    built = dict(versions(proof))
    if len(built) < 2:
        return
    old, new = built["before"], built["after"]
    sizes = old["image"]["bytes"], new["image"]["bytes"]
    yield Row("image size", megabytes(sizes[0]), megabytes(sizes[1]), share(*sizes))
    yield Row("layers", str(len(old["image"]["layers"])), str(len(new["image"]["layers"])))
    yield Row("cold build", f"{old['build']['seconds']:.1f} s", f"{new['build']['seconds']:.1f} s")
    if "rebuild" in old and "rebuild" in new:
        was, now = old["rebuild"], new["rebuild"]
        yield Row(f"rebuild after an edit of {proof['edited']}", f"{was['seconds']:.1f} s", f"{now['seconds']:.1f} s")
        ran = [f"{it['steps_run']} of {it['steps_run'] + it['steps_cached']}" for it in (was, now)]
        yield Row("steps re-run", *ran)
        yield Row("installs re-run", str(len(was["installs"])), str(len(now["installs"])))
    if "start" in old and "start" in new:
        yield Row("started", old["start"]["text"], new["start"]["text"], "alike" if proof["alike"] else "NOT alike")
    yield Row("runs as", old["image"]["user"], new["image"]["user"])
    if "contents" in old and "contents" in new:
        for what in ("files", "system_packages", "node_packages", "python_packages"):
            cells = old["contents"][what], new["contents"][what]
            if any(cells):
                yield Row(what.replace("_", " "), str(cells[0]), str(cells[1]))
        for key, what in (("set_uid", "set-uid programs"), ("shells", "shells")):
            yield Row(what, str(len(old["contents"][key])), str(len(new["contents"][key])))


def _list(entries: Iterable[str], attributes: str = "") -> str:
    items = "".join(f"<li>{escaped(entry)}</li>" for entry in entries)
    return f"<ul{attributes}>{items}</ul>" if items else ""
