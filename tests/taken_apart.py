"""What dockerfix makes of a Dockerfile and a few files, for the tests of languages: builder, runner, refusal."""

from __future__ import annotations

from collections.abc import Mapping

from refactor import BuildContext, Change, Settings, fix


def run(text: str, files: Mapping[str, str], runner: str | None = None) -> Change:
    """The change, which a second run must not change again."""
    context, settings = BuildContext.of(files), Settings(runner, builder="portable")
    change = fix(text.lstrip("\n").encode(), context, settings=settings)
    assert change.failure is None
    again = fix(change.after, change.context_after(context), settings=settings)
    assert again.after == change.after, "a second run finds something"
    return change


def stages(text: str, files: Mapping[str, str], runner: str | None = None) -> tuple[str, str]:
    """Builder and runner of the result."""
    change = run(text, files, runner)
    after = change.after.decode()
    assert after.count("FROM ") == 2, [refusal.because for refusal in change.refused]
    builder, final = after.split("\n\nFROM ", 1)
    return builder, "FROM " + final


def refusal(text: str, files: Mapping[str, str], runner: str | None = None, codemod: str = "split-build-stage") -> str:
    """Why the file keeps its stages, as ``codemod`` says it."""
    change = run(text, files, runner)
    assert change.after.decode().count("FROM ") == text.count("FROM "), change.after.decode()
    return next(one.because for one in change.refused if codemod in (one.codemod, *one.others))
