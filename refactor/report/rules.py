"""The documentation of codemods: a page each in ``codemods/RULES.md``, printed by ``dockerfix explain``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from refactor.codemod import Codemod, Example
from refactor.codemod.codemod import discover
from refactor.engine.change import unified_diff

SECTIONS = ("Why", "What it does", "When it refuses", "Safety")


def summary(cls: type[Codemod]) -> str:
    """The first line of the docstring, without its full stop."""
    return (inspect.getdoc(cls) or "").partition("\n")[0].rstrip(".")


def opt_in(cls: type[Codemod]) -> str:
    """How a codemod that does not run by default is selected; "" for those that do."""
    return "" if not cls.opt_in else "opt-in, --preset modern" if cls.modern else "opt-in"


def section(cls: type[Codemod], title: str) -> str:
    """One of :data:`SECTIONS` of the docstring as a paragraph, "" where there is none."""
    lines = (inspect.getdoc(cls) or "").split("\n")
    starts = [at for at, line in enumerate(lines[1:]) if line.startswith("---") and lines[at] in SECTIONS]
    for start, stop in zip(starts, [*starts[1:], len(lines)]):
        if lines[start] == title:
            return " ".join(" ".join(lines[start + 2 : stop]).split())
    return ""


def explain(cls: type[Codemod]) -> str:
    """The page of one codemod, in Markdown."""
    lines = [f"## {cls.id}", "", f"{summary(cls)}.", ""]
    how = opt_in(cls).replace("--preset modern", "`--preset modern`")
    lines.append(f"Safety: **{cls.safety}** · phase: {cls.phase.name.lower()}{f' · {how}' if how else ''}")
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
            allowed = f" ({', '.join(f'`{_toml(value)}`' for value in option.values)})" if option.values else ""
            modern = "" if option.modern is None else f", `{_toml(option.modern)}` with `--preset modern`"
            lines.append(f"- `{name}`{allowed}, default `{_toml(option.default)}`{modern}: {option.doc}")
    shown = next((example for example in cls.examples if example.after is not None), None)
    if shown is not None:
        lines += ["", f"### Example: {shown.name}", "", "```diff", *_diff(shown), "```"]
    left = [example for example in cls.examples if example.because]
    if left:
        lines += ["", "### Left alone", ""]
        lines += [f"- {example.name}: *{example.because}*" for example in left]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def rules_table(classes: Sequence[type[Codemod]], page: str = "") -> str:
    """The codemods as a table; ``page`` is the path of RULES.md as seen from where the table stands."""
    rows = ["| id | safety | what |", "|---|---|---|"]
    for cls in classes:
        how = f" ({opt_in(cls)})" if cls.opt_in else ""
        rows.append(f"| [{cls.id}]({page}#{cls.id}) | {cls.safety}{how} | {summary(cls)} |")
    return "\n".join(rows)


def rules_page(classes: Sequence[type[Codemod]]) -> str:
    """The whole of RULES.md."""
    head = "# Codemods\n\nMade from the codemods' own documentation by `python -m refactor.report.rules`.\n"
    return "\n\n".join([head + "\n" + rules_table(classes), *(explain(cls) for cls in classes)]) + "\n"


def with_table(readme: str, classes: Sequence[type[Codemod]]) -> str:
    """README.md with its table of codemods renewed, between the two markers."""
    head, start, rest = readme.partition(_START)
    _, end, tail = rest.partition(_END)
    if not start or not end:
        raise ValueError("README.md has no markers for the table of codemods")
    return f"{head}{_START}\n{rules_table(classes, 'codemods/RULES.md')}\n{_END}{tail}"


_START = "<!-- codemods: made by python -m refactor.report.rules -->"
_END = "<!-- end of codemods -->"


def _diff(example: Example) -> list[str]:
    assert example.after is not None
    files = example.files or {}
    versions = [("Dockerfile", example.before, example.after)]
    versions += [(path, files.get(path, ""), text) for path, text in example.written.items()]
    changed = [version for version in versions if version[1] != version[2]]
    lines: list[str] = []
    for path, before, after in changed:
        text = "".join(unified_diff(before.encode(), after.encode(), path))
        lines += [f"# {path}"] if len(changed) > 1 or path != "Dockerfile" else []
        lines += [line for line in text.split("\n")[2:] if line and not line.startswith("@@")]
    return lines


def _renew() -> None:
    """Writes RULES.md and the table in README.md of the checkout."""
    import os

    import codemods

    folder = os.path.dirname(codemods.__file__ or "")
    readme = os.path.join(os.path.dirname(folder), "README.md")
    with open(os.path.join(folder, "RULES.md"), "w", encoding="utf-8") as page:
        page.write(rules_page(discover()))
    with open(readme, encoding="utf-8") as file:
        renewed = with_table(file.read(), discover())
    with open(readme, "w", encoding="utf-8") as file:
        file.write(renewed)


if __name__ == "__main__":
    _renew()
