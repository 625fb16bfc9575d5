"""Every codemod's own examples, run as its tests, in the shapes that real files have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from refactor import BuildContext, Change, Codemod, Example, Safety, Settings, fix, parse
from refactor.codemod.codemod import discover
from refactor.report.rules import SECTIONS

EXAMPLES = [(cls, example) for cls in discover() for example in cls.examples]


def run(cls: type[Codemod], source: bytes, example: Example, written: Mapping[str, str] | None = None) -> Change:
    files = example.files
    context = BuildContext.unknown("none") if files is None else BuildContext.of({**files, **(written or {})})
    tables = {cls.id: {key: value for key, value in example.settings.items() if key not in {"runner", "builder"}}}
    runner, builder = (str(example.settings[key]) if key in example.settings else None for key in ("runner", "builder"))
    settings = Settings(runner, tables, builder)
    return fix(source, context, codemods=[cls], safety=Safety.REVIEW, settings=settings)


def as_it_is(text: str) -> str:
    return text


def with_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def without_final_newline(text: str) -> str:
    return text.removesuffix("\n")


def with_header(text: str) -> str:
    return "# Copyright of somebody\n\n" + text


def with_backtick(text: str) -> str:
    return "# escape=`\n" + text.replace("\\\n", "`\n")


VARIANTS: list[Callable[[str], str]] = [as_it_is, with_crlf, without_final_newline, with_header, with_backtick]


def fits(example: Example, variant: Callable[[str], str]) -> bool:
    """Whether the variant still means the same: directives come first, a heredoc keeps its line endings, and a
    backslash inside a word means something else with another escape character."""
    if variant is with_backtick:
        return "\\" not in example.before.replace("\\\n", "") and not example.before.startswith("# ")
    if variant is with_header:
        return not example.before.startswith("#")
    return not (variant is with_crlf and "<<" in example.before)


CASES = [(cls, example, variant) for cls, example in EXAMPLES for variant in VARIANTS if fits(example, variant)]


@pytest.mark.parametrize(
    ("cls", "example", "variant"),
    CASES,
    ids=[f"{cls.id}: {example.name}-{variant.__name__}" for cls, example, variant in CASES],
)
def test_example(cls: type[Codemod], example: Example, variant: Callable[[str], str]) -> None:
    change = run(cls, variant(example.before).encode(), example)
    assert change.failure is None
    assert not change.problems
    wanted = example.before if example.after is None else example.after
    assert change.after.decode() == variant(wanted)
    if example.after is None:
        assert not change.applied
        reasons = [refusal.because for refusal in change.refused]
        if example.because is not None:
            assert any(example.because in reason for reason in reasons), reasons
    else:
        assert all(finding.codemod == cls.id and finding.message and finding.why for finding in change.applied)
        assert {file.path: file.after.decode() for file in change.files} == example.written
        again = run(cls, change.after, example, example.written)
        assert not again.applied, "a second run finds something"
        assert bytes(parse(change.after)) == change.after


@pytest.mark.parametrize("cls", discover(), ids=lambda cls: cls.id)
def test_codemod_is_documented(cls: type[Codemod]) -> None:
    assert sum(example.after is not None for example in cls.examples) >= 1
    assert sum(example.after is None for example in cls.examples) >= 2
    doc = cls.__doc__ or ""
    assert doc.partition("\n")[0].endswith(".")
    for section in SECTIONS:
        assert f"\n    {section}\n    ---" in doc, f"{section} is missing"
    assert cls.may_change, "a codemod that may change nothing cannot do anything"
