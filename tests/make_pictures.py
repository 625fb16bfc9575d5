"""Makes the pictures of the documentation from real runs.

    python -m tests.make_pictures [RESULT.json]

refactor/report/diff.svg is what ``dockerfix --diff`` prints for an application of the corpus. refactor/proof/verify.svg
is the report of ``dockerfix verify --format json`` for another: RESULT.json, or a run of its own (a container engine
has to answer, both versions are built).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from refactor.proof.chart import WIDTH, Drawing, render_svg

ROOT = Path(__file__).parents[1]
DIFF = ROOT / "refactor" / "report" / "diff.svg"
REPORT = ROOT / "refactor" / "proof" / "verify.svg"
STYLES = {"+++": "df-text df-title", "---": "df-text df-title", "@@": "df-faint", "+": "df-good", "-": "df-bad"}


def run(*arguments: str) -> str:
    """What dockerfix prints. Raises SystemExit where it had an error."""
    call = [sys.executable, "-m", "refactor", *arguments]
    done = subprocess.run(call, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"{' '.join(arguments)} ended with status {done.returncode}")
    return done.stdout


def draw_diff(command: str, diff: str) -> str:
    """A unified diff below the command that made it, as SVG."""
    drawing = Drawing()
    lines = diff.removesuffix("\n").split("\n")
    drawing.text(f"$ {command}", style="df-text df-title")
    drawing.line()
    for line in lines:
        style = next((STYLES[sign] for sign in STYLES if line.startswith(sign)), "df-text")
        drawing.text(line.expandtabs(8), style=style)
        drawing.line()
    return drawing.finish(command, max(WIDTH, 8 * max(len(line.expandtabs(8)) for line in ["", *lines])))


def main(arguments: list[str]) -> None:
    app = "corpus/apps/node-typescript-api"
    DIFF.write_text(draw_diff(f"dockerfix --diff {app}", run("--isolated", "--diff", app)))
    text = (
        Path(arguments[0]).read_text() if arguments else run("verify", "--format", "json", "corpus/apps/node-express")
    )
    REPORT.write_text(render_svg(json.loads(text)))


if __name__ == "__main__":
    main(sys.argv[1:])
