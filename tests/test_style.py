"""Values that are written anew: whatever their letters are, the image gets the same."""

from __future__ import annotations

import dockerfile
import pytest
from hypothesis import given, settings, strategies as st

from refactor import fix, is_archive, is_archive_name, is_same_word, parse

VALUES = st.text("ab \\`\"'${}:-=#/", min_size=1, max_size=16)
ESCAPES = pytest.mark.parametrize("escape", ["\\", "`"])


def head(escape: str) -> str:
    return f"# escape={escape}\nFROM scratch\n"


def by_buildkit(source: str) -> tuple[str, ...]:
    """What BuildKit's parser reads from the last instruction: names and raw values in turn."""
    value: tuple[str, ...] = dockerfile.parse_string(source)[-1].value
    return value


@ESCAPES
@given(value=VALUES)
@settings(max_examples=150, deadline=None)
def test_a_legacy_value_is_the_same_with_an_equals_sign(escape: str, value: str) -> None:
    source = f"{head(escape)}ENV NAME {value}\n"
    change = fix(source.encode(), select=["env-key-value"])
    assert change.failure is None
    if not change.applied:
        return
    name, before = by_buildkit(source)
    new_name, after = by_buildkit(change.after.decode())
    assert new_name == name
    assert is_same_word(before, after, escape)


@ESCAPES
@given(value=VALUES)
@settings(max_examples=150, deadline=None)
def test_a_label_says_what_maintainer_said(escape: str, value: str) -> None:
    source = f"{head(escape)}MAINTAINER a {value}\n"
    change = fix(source.encode(), select=["label-maintainer"])
    assert change.failure is None
    if change.problems:
        return
    said = parse(source.encode()).instructions[-1].argument
    file = parse(change.after)
    (_, raw), *others = file.instructions[-1].pairs
    assert not others
    # No variable is expanded: MAINTAINER expands none.
    assert file.expand(raw, file.instructions[-1]) == said
    assert by_buildkit(change.after.decode())[1:] == (raw,)


def test_an_archive_is_known_by_its_content() -> None:
    import io
    import tarfile

    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode=mode) as archive:
            archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
        assert is_archive(made.getvalue())
    assert not is_archive(b"")
    assert not is_archive(b"0" * 600)
    assert not is_archive(b"#!/bin/sh\necho\n" * 99)
    assert not is_archive(b"\0" * 1024)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.tar", True),
        ("a/b.TGZ", True),
        ("x.tar.zst", True),
        ("tool.gem", True),
        ("a.tar.txt", False),
        ("app.jar", False),
        ("dir/.bashrc", False),
        ("Makefile", False),
        ("server", None),
        ("tool-1.2", None),
        ("tar", None),
    ],
)
def test_an_archive_by_its_name(name: str, known: bool | None) -> None:
    assert is_archive_name(name) is known
