"""The documentation of codemods: a page each in ``codemods/RULES.md``, printed by ``dockerfix explain``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from refactor.codemod import Codemod, Example
from refactor.engine.change import unified_diff

SECTIONS = ("Why", "What it does", "When it refuses", "Safety")


def summary(cls: type[Codemod]) -> str:
    """The first line of the docstring, without its full stop."""
    return (inspect.getdoc(cls) or "").partition("\n")[0].rstrip(".")


def explain(cls: type[Codemod]) -> str:
    """The page of one codemod, in Markdown."""
    lines = [f"## {cls.id}", "", f"{summary(cls)}.", ""]
    lines.append(f"Safety: **{cls.safety}** · phase: {cls.phase.name.lower()}{' · opt-in' if cls.opt_in else ''}")
    body = (inspect.getdoc(cls) or "").partition("\n")[2].strip("\n").split("\n")
    for number, line in enumerate(body):
        underlined = number + 1 < len(body) and body[number + 1].startswith("---")
        if underlined and line in SECTIONS:
            lines += ["", f"### {line}"]
        elif line.startswith("---"):
            lines.append("")
        elif line or lines[-1]:
            lines.append(line)
    if cls.options:
        lines += ["", f"### Options of `[codemods.{cls.id}]`", ""]
        for name, option in cls.options.items():
            allowed = f" ({', '.join(f'`{value}`' for value in option.values)})" if option.values else ""
            lines.append(f"- `{name}`{allowed}, default `{option.default}`: {option.doc}")
    shown = next((example for example in cls.examples if example.after is not None), None)
    if shown is not None:
        lines += ["", f"### Example: {shown.name}", "", "```diff", *_diff(shown), "```"]
    left = [example for example in cls.examples if example.because]
    if left:
        lines += ["", "### Left alone", ""]
        lines += [f"- {example.name}: *{example.because}*" for example in left]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def rules_page(classes: Sequence[type[Codemod]]) -> str:
    """The whole of RULES.md."""
    head = ["# Codemods", "", "Made from the codemods' own documentation by `python -m refactor.report.rules`.", ""]
    head += ["| id | safety | what |", "|---|---|---|"]
    for cls in classes:
        opt_in = " (opt-in)" if cls.opt_in else ""
        head.append(f"| [{cls.id}](#{cls.id}) | {cls.safety}{opt_in} | {summary(cls)} |")
    return "\n".join(head) + "\n\n" + "\n\n".join(explain(cls) for cls in classes) + "\n"


def _diff(example: Example) -> list[str]:
    assert example.after is not None
    text = "".join(unified_diff(example.before.encode(), example.after.encode(), "Dockerfile"))
    return [line for line in text.split("\n")[2:] if line and not line.startswith("@@")]


if __name__ == "__main__":
    import os

    import codemods
    from refactor.codemod.codemod import discover

    with open(os.path.join(os.path.dirname(codemods.__file__ or ""), "RULES.md"), "w", encoding="utf-8") as page:
        page.write(rules_page(discover()))
