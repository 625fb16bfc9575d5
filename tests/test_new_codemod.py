"""Adding a codemod is adding one file: it is found, its examples run, its page is made."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODEMOD = '''
"""label-author"""

from refactor import Aspect, Codemod, Finding, Phase, Replace, Safety, leaves, rewrites


class LabelAuthor(Codemod):
    """Write MAINTAINER as a LABEL.

    Why
    ---
    MAINTAINER is deprecated.

    What it does
    ------------
    Replaces it.

    When it refuses
    ---------------
    Never.

    Safety
    ------
    SAFE.
    """

    phase = Phase.STYLE
    safety = Safety.SAFE
    may_change = frozenset({Aspect.LABELS})
    examples = (
        rewrites("one", before="FROM scratch\\nMAINTAINER me\\n", after="FROM scratch\\nLABEL maintainer=\\"me\\"\\n"),
        leaves("none", "FROM scratch\\n"),
        leaves("a label", "FROM scratch\\nLABEL maintainer=me\\n"),
    )

    def find(self, file, context):
        for node in file.instructions:
            if node.keyword == "MAINTAINER":
                new = file.new(f'LABEL maintainer="{node.argument}"')
                yield Finding(node, "use a label", [Replace(node, [new])], why="it is deprecated")
'''
DRIVER = """
import sys
import codemods
codemods.__path__.append(sys.argv[1])
if sys.argv[2] == "pytest":
    import pytest
    sys.exit(pytest.main(["-v", "tests/test_examples.py", "-k", "label-author"]))
if sys.argv[2] == "page":
    from refactor.codemod.codemod import discover
    from refactor.report.rules import rules_page
    print(rules_page(discover()))
else:
    from refactor.cli.main import main
    main(sys.argv[2:])
"""


def drive(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(package), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def test_one_file_is_all_it_takes(tmp_path: Path) -> None:
    package = tmp_path / "more"
    (package / "house").mkdir(parents=True)
    (package / "house" / "label_author.py").write_text(CODEMOD)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nMAINTAINER me\n")

    rules = drive(package, "rules").stdout
    assert "label-author" in rules
    assert "Write MAINTAINER as a LABEL" in rules
    explained = drive(package, "explain", "label-author").stdout
    assert '+LABEL maintainer="me"' in textwrap.dedent(explained)
    assert "## label-author" in drive(package, "page", "").stdout
    tested = drive(package, "pytest")
    assert tested.returncode == 0, tested.stdout
    assert "passed" in tested.stdout
    assert "failed" not in tested.stdout
    assert drive(package, "--write", "--isolated", str(dockerfile)).returncode == 0
    assert dockerfile.read_text() == 'FROM scratch\nLABEL maintainer="me"\n'


def test_a_wrong_example_fails(tmp_path: Path) -> None:
    package = tmp_path / "more"
    (package / "house").mkdir(parents=True)
    wrong = 'leaves("x", "FROM scratch\\nMAINTAINER me\\n"), leaves("a label"'
    (package / "house" / "label_author.py").write_text(CODEMOD.replace('leaves("a label"', wrong))
    tested = drive(package, "pytest")
    assert tested.returncode == 1
    assert "failed" in tested.stdout
