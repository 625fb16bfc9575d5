"""Proofs as text for people, as Markdown for a pull request's body, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from refactor.proof.engine import Image
from refactor.proof.prove import Proof, Verdict, Version
from refactor.proof.tree import TreeComparison
from refactor.proof.verify import Verified

FORMATS = ("text", "json", "markdown")
_NAMES_SHOWN = 12
_PATHS_SHOWN = 20
_LOG_LINES = 25


class Row(NamedTuple):
    """One line of the table: what is compared, before, after, and what to think of it."""

    what: str
    before: str
    after: str
    remark: str = ""


def megabytes(size: int) -> str:
    """A size as docker prints it: in millions of bytes."""
    return f"{size / 1e6:.1f} MB"


def share(before: float, after: float) -> str:
    """The change in per cent, as ``-79 %``; "" where there is nothing to compare with."""
    return f"{(after - before) / before * 100:+.0f} %" if before > 0 else ""


def rows(proof: Proof) -> tuple[Row, ...]:
    """The table of a proof; of a version that was not built the cells are empty."""
    return tuple(_rows(proof))


def _rows(proof: Proof) -> Iterator[Row]:
    before, after = proof.before, proof.after
    if after is None or before.described is None or after.described is None:
        return
    old, new = before.described, after.described
    yield Row("image size", megabytes(old.size), megabytes(new.size), share(old.size, new.size))
    yield Row("layers", str(len(old.layers)), str(len(new.layers)))
    if any(layer.bytes for layer in old.layers):
        yield Row("largest layer", _largest(old), _largest(new))
    yield Row("cold build", f"{before.built.seconds:.1f} s", f"{after.built.seconds:.1f} s")
    if before.rebuild is not None and after.rebuild is not None:
        was, now = before.rebuild, after.rebuild
        yield Row(f"rebuild after an edit of {proof.edited}", f"{was.seconds:.1f} s", f"{now.seconds:.1f} s")
        yield Row("steps re-run", f"{was.ran} of {was.ran + was.cached}", f"{now.ran} of {now.ran + now.cached}")
        yield Row("installs re-run", _installs(was.installs), _installs(now.installs))
    if before.outcome is not None and after.outcome is not None:
        verdict = "alike" if proof.likeness else "NOT alike"
        yield Row("started", str(before.outcome), str(after.outcome), verdict)
        yield Row("runs as", _user(before), _user(after))
    if before.contents is not None and after.contents is not None:
        a, b = before.contents, after.contents
        for what, x, y, lost in (
            ("system packages", a.system_packages, b.system_packages, proof.gone.system_packages),
            ("Node packages", a.node_packages, b.node_packages, proof.gone.node_packages),
            ("Python packages", a.python_packages, b.python_packages, proof.gone.python_packages),
        ):
            if x or y:
                yield Row(what, str(len(x)), str(len(y)), f"{len(lost)} went away" if lost else "")
        if proof.files is not None:
            verdict = "equal one by one" if proof.files.is_equal else f"{len(proof.files.differences)} differ"
            yield Row("files", str(a.count), str(b.count), verdict)
        yield Row("set-uid programs", str(len(a.set_uid)), str(len(b.set_uid)))
        yield Row("shells", _basenames(a.shells), _basenames(b.shells))


def _largest(image: Image) -> str:
    layer = max(image.layers, key=lambda layer: layer.bytes)
    made_by = layer.made_by if len(layer.made_by) <= 32 else f"{layer.made_by[:31]}…"
    return f"{megabytes(layer.bytes)} {made_by}".strip()


def _installs(installs: Sequence[str]) -> str:
    return str(len(installs)) if installs else "none"


def _user(version: Version) -> str:
    assert version.described is not None
    name = version.described.configuration.user or "root"
    uid = version.outcome.uid if version.outcome is not None else None
    return name if uid is None or name == str(uid) or name == "root" else f"{name} (uid {uid})"


def _basenames(paths: Sequence[str]) -> str:
    return ", ".join(sorted({path.rpartition("/")[2] for path in paths})) or "none"


def _details(proof: Proof) -> Iterator[tuple[str, list[str]]]:
    """What does not fit into the table: a title and its lines."""
    if proof.problems:
        yield "why not", list(proof.problems)
    expected = [
        f"{difference} ({difference.expected_by})" for difference in proof.differences if difference.expected_by
    ]
    if expected:
        yield "announced changes of the image's configuration", expected
    lost = proof.gone
    lines = [
        f"{what}: {_some(names)}"
        for what, names in (
            ("system packages", lost.system_packages),
            ("Node packages", lost.node_packages),
            ("Python packages", lost.python_packages),
            ("folders", [f"/{path} ({megabytes(size)})" for path, size in lost.folders if size]),
        )
        if names
    ]
    if lines:
        yield "went away", lines
    if proof.files is not None:
        yield from _files(proof.files)
    if proof.after is not None and proof.after.contents is not None:
        left = proof.after.contents
        lines = [
            f"{what}: {_some(['/' + path for path in paths])}"
            for what, paths in (("set-uid programs", left.set_uid), ("shells", left.shells))
            if paths
        ]
        if lines:
            yield "left in the image", lines
    if proof.after is not None and proof.after.rebuild is not None and proof.after.rebuild.installs:
        yield "installs that a source edit runs again", list(proof.after.rebuild.installs)
    if proof.notes:
        yield "notes", list(proof.notes)


def _files(files: TreeComparison) -> Iterator[tuple[str, list[str]]]:
    """What a comparison of all files found, and what it left out and why."""
    if files.differences:
        more = len(files.differences) - _PATHS_SHOWN
        lines = [str(difference) for difference in files.differences[:_PATHS_SHOWN]]
        yield "files that differ", lines + ([f"and {more} more"] if more > 0 else [])
    lines = []
    if files.cleaned:
        size = megabytes(sum(size for _, size in files.cleaned))
        lines.append(f"caches that went ({size}): {_some(_folders(path for path, _ in files.cleaned))}")
    reasons: dict[str, list[str]] = {}
    for path, reason in files.stamped:
        reasons.setdefault(reason, []).append(f"/{path}")
    lines += [f"{reason}: {_some(paths)}" for reason, paths in reasons.items()]
    if files.unstable:
        lines.append(f"differs from build to build: {_some([f'/{path}' for path in files.unstable])}")
    if lines:
        yield "left out of the comparison of files", lines


def _folders(paths: Iterable[str]) -> list[str]:
    return sorted({"/" + path.rpartition("/")[0] for path in paths})


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _headline(verified: Verified) -> str:
    proof = verified.proof
    if proof is None:
        return verified.message
    if proof.is_proved and proof.likeness is not None:
        return f"proved with {proof.engine}: both versions build; {proof.likeness.text} before and after"
    if proof.verdict is Verdict.FAILED:
        return "the rewrite failed its proof"
    return str(proof.verdict.value)


def _bisected(verified: Verified) -> Iterator[str]:
    for culprit in verified.culprits:
        yield f"broken by {culprit.codemod}: {culprit.problems[0]}"
    if verified.culprits:
        if verified.after is not None:
            them = "it" if len(verified.culprits) == 1 else "them"
            yield f"without {them} it proves: {', '.join(verified.kept)}"
        else:
            yield "nothing of the rewrite proves without " + ("it" if len(verified.culprits) == 1 else "them")


def _log(proof: Proof) -> list[str]:
    """The end of the build log of the version that does not build, or of what the container said that
    starts otherwise."""
    version = proof.after or proof.before
    if version.built.problem is not None:
        return [line.rstrip() for line in version.built.log.splitlines() if line.strip()][-_LOG_LINES:]
    if proof.likeness is not None and not proof.likeness and version.outcome is not None:
        return [line.rstrip() for line in version.outcome.output.splitlines() if line.strip()][-_LOG_LINES:]
    return []


def render_text(verified: Verified) -> str:
    """A proof for a terminal."""
    lines = [f"{verified.path}: {_headline(verified)}"]
    for proof in _proofs(verified):
        if proof is verified.kept_proof:
            lines += [f"  {line}" for line in _bisected(verified)]
        table = [Row("", "before", "after"), *rows(proof)]
        if len(table) > 1:
            widths = [max(len(row[column]) for row in table) for column in range(3)]
            for row in table:
                cells = [row[column].ljust(widths[column]) for column in range(3)]
                lines.append(f"  {'  '.join([*cells, row.remark])}".rstrip())
        for title, entries in _details(proof):
            lines.append(f"  {title}:")
            lines += [f"    {entry}" for entry in entries]
        log = _log(proof)
        if log:
            lines += ["  its last words:", *(f"    | {line}" for line in log)]
    if verified.kept_proof is None:
        lines += [f"  {line}" for line in _bisected(verified)]
    return "\n".join(lines) + "\n"


def _proofs(verified: Verified) -> list[Proof]:
    return [proof for proof in (verified.proof, verified.kept_proof) if proof is not None]


def render_markdown(verified: Verified) -> str:
    """A proof for the body of a pull request."""
    lines = [f"### `{verified.path}`: {_escaped(_headline(verified))}", ""]
    for proof in _proofs(verified):
        if proof is verified.kept_proof:
            lines += [*(f"- {_escaped(line)}" for line in _bisected(verified)), ""]
        table = rows(proof)
        if table:
            lines += ["| | before | after | |", "| --- | --- | --- | --- |"]
            lines += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in table]
            lines.append("")
        for title, entries in _details(proof):
            lines += [
                f"**{title[0].upper()}{title[1:]}**",
                "",
                *(f"- {_escaped(entry)}" for entry in entries),
                "",
            ]
        log = _log(proof)
        if log:
            fence = "~" * max(4, max((len(line) - len(line.lstrip("~")) + 1 for line in log), default=4))
            lines += [fence + "text", *log, fence, ""]
    if verified.kept_proof is None:
        lines += [f"- {_escaped(line)}" for line in _bisected(verified)]
    return "\n".join(lines).rstrip() + "\n"


def _escaped(text: str) -> str:
    # Output of containers and names of files are not ours: they must not become markup, links or mentions.
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, safe)
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("@", "@\u200b").replace("\n", " ")


def as_json(verified: Verified) -> dict[str, Any]:
    """A proof in plain values. Sizes in bytes, times in seconds."""
    result: dict[str, Any] = {
        "path": verified.path,
        "status": ("proved", "failed", "error")[verified.status]
        if verified.proof or verified.is_error
        else "unchanged",
        "codemods": list(verified.codemods),
        "message": verified.message,
        "findings": [
            {
                "codemod": finding.codemod,
                "line": finding.line,
                "message": finding.message,
                "why": finding.why,
                "evidence": list(finding.evidence),
                "safety": finding.safety,
            }
            for finding in verified.findings
        ],
    }
    if verified.proof is not None:
        result["proof"] = _proof(verified.proof)
    if verified.culprits:
        result["culprits"] = [
            {"codemod": culprit.codemod, "problems": list(culprit.problems)} for culprit in verified.culprits
        ]
        result["kept"] = list(verified.kept)
    if verified.kept_proof is not None:
        result["kept_proof"] = _proof(verified.kept_proof)
    return result


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "verdict": proof.verdict.name.lower(),
        "engine": proof.engine,
        "problems": list(proof.problems),
        "before": _version(proof.before),
        "after": _version(proof.after) if proof.after is not None else None,
        "alike": proof.likeness.is_alike if proof.likeness is not None else None,
        "start": proof.likeness.text if proof.likeness is not None else None,
        "differences": [
            {
                "field": difference.field,
                "before": difference.before,
                "after": difference.after,
                "expected_by": difference.expected_by or None,
            }
            for difference in proof.differences
        ],
        "gone": {
            "system_packages": list(proof.gone.system_packages),
            "node_packages": list(proof.gone.node_packages),
            "python_packages": list(proof.gone.python_packages),
            "folders": [{"path": f"/{path}", "bytes": size} for path, size in proof.gone.folders],
        },
        "files": _compared(proof.files) if proof.files is not None else None,
        "edited": proof.edited,
        "notes": list(proof.notes),
        "log": _log(proof),
    }


def _compared(files: TreeComparison) -> dict[str, Any]:
    return {
        "count": files.count,
        "equal": files.is_equal,
        "differences": [
            {"path": f"/{difference.path}", "what": list(difference.aspects), "text": difference.text}
            | ({"below": difference.below} if difference.below else {})
            for difference in files.differences
        ],
        "cleaned": [{"path": f"/{path}", "bytes": size} for path, size in files.cleaned],
        "stamped": [{"path": f"/{path}", "reason": reason} for path, reason in files.stamped],
        "unstable": [f"/{path}" for path in files.unstable],
    }


def _version(version: Version) -> dict[str, Any]:
    result: dict[str, Any] = {
        "build": {
            "problem": version.built.problem,
            "seconds": round(version.built.seconds, 2),
            "steps": len(version.built.steps),
        }
    }
    if version.described is not None:
        result["image"] = {
            "bytes": version.described.size,
            "layers": [{"bytes": layer.bytes, "made_by": layer.made_by} for layer in version.described.layers],
            "user": version.described.configuration.user or "root",
        }
    if version.outcome is not None:
        outcome = version.outcome
        result["start"] = {
            "kind": outcome.kind,
            "text": str(outcome),
            "port": outcome.port,
            "status": outcome.status,
            "exit_code": outcome.exit_code if outcome.kind in {"exit", "probe"} else None,
            "health": outcome.health or None,
            "body": outcome.body,
            "uid": outcome.uid,
            "seconds": round(outcome.seconds, 2),
        }
    if version.contents is not None:
        contents = version.contents
        result["contents"] = {
            "files": contents.count,
            "system_packages": len(contents.system_packages),
            "node_packages": len(contents.node_packages),
            "python_packages": len(contents.python_packages),
            "set_uid": [f"/{path}" for path in contents.set_uid],
            "shells": [f"/{path}" for path in contents.shells],
        }
    if version.rebuild is not None:
        rebuild = version.rebuild
        result["rebuild"] = {
            "seconds": round(rebuild.seconds, 2),
            "steps_run": rebuild.ran,
            "steps_cached": rebuild.cached,
            "installs": list(rebuild.installs),
        }
    return result
