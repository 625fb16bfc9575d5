"""The report of ``dockerfix verify`` as a picture and as a page: well-formed, escaped, and true to the numbers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from click.testing import CliRunner
from defusedxml.ElementTree import fromstring

from refactor.cli.verify import verify_command
from refactor.proof import Verdict
from refactor.proof.chart import bars, escaped, render_svg
from refactor.proof.html import render_html
from refactor.proof.render import as_json
from tests.make_pictures import DIFF, REPORT, ROOT, draw_diff
from tests.test_proof import BAD, FINE, GOOD, PaperEngine, app, verified  # noqa: F401 (a fixture)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> ]]> \"'& <!-- \x00\x1b[31m\x7f\u202e\udcff \ufffe"
RENDERERS = (render_svg, render_html)


def version(sizes: list[int], made_by: str = "RUN x") -> dict[str, Any]:
    return {
        "build": {"problem": None, "seconds": 7.25, "steps": 4},
        "image": {
            "bytes": sum(sizes),
            "layers": [{"bytes": size, "made_by": made_by} for size in sizes],
            "user": "root",
        },
        "rebuild": {"seconds": 1.5, "steps_run": 2, "steps_cached": 3, "installs": []},
    }


def document(before: list[int], after: list[int], path: str = "Dockerfile") -> dict[str, Any]:
    proof = {
        "verdict": "proved",
        "problems": [],
        "before": version(before),
        "after": version(after),
        "alike": True,
        "differences": [],
        "gone": {"system_packages": [], "node_packages": [], "python_packages": [], "folders": []},
        "edited": "a.js",
        "notes": [],
        "log": [],
    }
    file = {"path": path, "status": "proved", "message": "", "codemods": [], "findings": [], "proof": proof}
    return {"engine": {"name": "docker", "version": "28"}, "files": [file]}


def with_every_text(value: Any, text: str) -> Any:
    """The same document with ``text`` for what a repository, an image or a container says; empty lists get one such."""
    if isinstance(value, dict):
        return {key: with_every_text(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [with_every_text(item, text) for item in value] or [text]
    return text if isinstance(value, str) else value


def boxes(svg: str, height: str) -> list[Element]:
    return [box for box in fromstring(svg).iter(f"{SVG}rect") if box.get("height") == height]


@pytest.mark.parametrize("render", RENDERERS)
def test_both_say_what_was_measured(render: Any) -> None:
    two = document([900_000_000, 100_000_000], [240_000_000], path="one/Dockerfile")
    two["files"] += document([5_000_000], [4_000_000], path="two/Dockerfile")["files"]
    text = "".join(fromstring(render(two)).itertext())
    for words in ("one/Dockerfile", "two/Dockerfile", "1000.0 MB", "240.0 MB", "-76 %", "2 of 5", "RUN x", "7.2 s"):
        assert words in text
    assert render(two) == render(copy.deepcopy(two))


@pytest.mark.parametrize("render", RENDERERS)
def test_nothing_of_a_repository_becomes_markup(render: Any) -> None:
    hostile = with_every_text(document([900], [100]), HOSTILE)
    hostile["files"][0]["findings"] = [
        dict.fromkeys(("codemod", "message", "why", "safety"), HOSTILE) | {"line": 1, "evidence": [HOSTILE]}
    ]
    hostile["files"][0]["culprits"] = [{"codemod": HOSTILE, "problems": [HOSTILE]}]
    proof = hostile["files"][0]["proof"]
    proof["gone"]["folders"] = [{"path": HOSTILE, "bytes": 1}]
    proof["differences"] = [dict.fromkeys(("field", "before", "after", "expected_by"), HOSTILE)]
    text = render(hostile)
    tree = fromstring(text)
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert "script" not in names
    assert "alert(1)" in "".join(tree.itertext())
    assert not set("\x00\x1b\x7f\u202e\ufffe") & set(text)
    text.encode()
    assert "http" not in text.replace("http://www.w3.org/", "").replace("http-equiv", "")


def test_text_is_escaped_for_elements_and_attributes() -> None:
    assert escaped("<a b=\"c\" d='e'>&]]>\x08\udc80\ttab") == (
        "&lt;a b=&quot;c&quot; d=&#x27;e&#x27;&gt;&amp;]]&gt;\ufffd\ufffd\ttab"
    )


@pytest.mark.parametrize("sizes", [[5], [0, 5, 0], [1000 - place for place in range(40)], [7] * 9, [3, 1, 2]])
def test_sizes_add_up(sizes: list[int]) -> None:
    found = bars([{"bytes": size, "made_by": f"RUN {place}"} for place, size in enumerate(sizes)])
    assert sum(bar.bytes for bar in found) == sum(sizes)
    assert len(found) <= 9
    named = [int(bar.label.removeprefix("RUN ")) for bar in found if bar.style != "df-rest"]
    assert named == sorted(named), "layers stand as they lie in the image"
    assert [bar.bytes for bar in found][: len(named)] == [sizes[place] for place in named]


def test_bars_are_as_long_as_sizes_are() -> None:
    before, after = [600_000, 200_000], [300_000, 100_000]
    widths = [float(str(box.get("width"))) for box in boxes(render_svg(document(before, after)), "22")]
    assert [width / sum(widths[:2]) for width in widths] == pytest.approx([0.75, 0.25, 0.375, 0.125], abs=1e-3)


def test_an_image_whose_layers_have_no_sizes_is_one_bar() -> None:
    unknown = document([0, 0], [0])
    for name, size in (("before", 4_000_000), ("after", 1_000_000)):
        unknown["files"][0]["proof"][name]["image"]["bytes"] = size
    widths = [float(str(box.get("width"))) for box in boxes(render_svg(unknown), "22")]
    assert widths[0] / widths[1] == pytest.approx(4, abs=1e-2)


@pytest.mark.parametrize("render", RENDERERS)
def test_all_that_verify_can_say_is_shown(app: Path, render: Any) -> None:  # noqa: F811
    good, bad, same = verified(app, GOOD, FINE), verified(app, GOOD, BAD), verified(app)
    files = [as_json(each) for each in (good, bad, same)]
    assert [file["status"] for file in files] == ["proved", "failed", "unchanged"]
    text = "".join(fromstring(render({"engine": {"name": "paper", "version": "1"}, "files": files})).itertext())
    for words in ("it does not start alike", "without what broke it: use-slim-base", "nothing to rewrite", "5.0 kB"):
        assert words in text or (words == "5.0 kB" and render is render_html)
    broken = verified(app, ("do-not-build", b"COPY . .", b"RUN FAIL"), is_bisecting=False)
    assert broken.proof is not None
    assert broken.proof.verdict is Verdict.FAILED
    assert "exit code: 1" in render({"engine": {"name": "paper", "version": "1"}, "files": [as_json(broken)]})


@pytest.mark.parametrize(("format_name", "root"), [("svg", "svg"), ("html", "html")])
def test_one_file_for_all_dockerfiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str, root: str
) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "main.py").write_text("print('hello')\n")
        (folder / "Dockerfile").write_text("FROM python:3.11\nCOPY . .\nCMD python main.py\n")
    monkeypatch.setattr("refactor.proof.engines.find_engine", lambda *_: PaperEngine())
    output = tmp_path / "report"
    call = [str(tmp_path), "--isolated", "--select", "use-exec-form", "--format", format_name, "--output", str(output)]
    done = CliRunner().invoke(verify_command, call)
    assert done.exit_code == 0, done.output
    text = output.read_text()
    tree = fromstring(text)
    assert tree.tag.rpartition("}")[2] == root
    whole = "".join(tree.itertext())
    assert "one/Dockerfile" in whole
    assert "two/Dockerfile" in whole
    if format_name == "html":
        assert "use-exec-form" in whole, "a page says which codemods, with their evidence"


def test_a_diff_is_drawn_line_by_line() -> None:
    diff = f"--- a/D\n+++ b/D\n@@ -1 +1 @@\n-RUN <a>\n+RUN\t{HOSTILE}\n"
    lines = list(fromstring(draw_diff("dockerfix", diff)).iter(f"{SVG}text"))
    assert [line.get("class") for line in lines[1:]] == [
        "df-text df-title", "df-text df-title", "df-faint", "df-bad", "df-good",
    ]  # fmt: skip
    assert lines[4].text == "-RUN <a>"


@pytest.mark.parametrize("path", [DIFF, REPORT], ids=lambda path: path.name)
def test_the_stored_pictures_are_shown_and_well_formed(path: Path) -> None:
    assert fromstring(path.read_text()).tag == f"{SVG}svg"
    assert str(path.relative_to(ROOT)) in (ROOT / "README.md").read_text()
