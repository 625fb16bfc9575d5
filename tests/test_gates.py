"""The gates in production: a codemod that is wrong changes no file, and says that it is our bug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from refactor import Aspect, BuildContext, Codemod, Dockerfile, Finding, Phase, Refusal, Remove, Replace, Safety, fix

SOURCE = b"""FROM node:20 AS builder
WORKDIR /app
COPY . .
RUN npm ci && npm run build

FROM node:20-slim
WORKDIR /app
ENV NODE_ENV=production
LABEL team="core"
COPY --from=builder /app /app
EXPOSE 3000
VOLUME /data
HEALTHCHECK CMD node /app/health.js
STOPSIGNAL SIGINT
USER node
ENTRYPOINT ["node"]
CMD ["dist/index.js"]
"""


def breaking(keyword: str, text: str | None, may_change: frozenset[Aspect]) -> type[Codemod]:
    """A codemod that replaces the last instruction of a keyword by ``text`` (None: removes it)."""

    class Wrong(Codemod):
        """Breaks things."""

        phase = Phase.STYLE
        safety = Safety.SAFE

        def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
            nodes = [node for node in file.instructions if node.keyword == keyword]
            if text is None and nodes:
                yield Finding(nodes[-1], "remove", [Remove(nodes[-1])], why="a test")
            elif text is not None and nodes and nodes[-1].text.strip() != text:
                yield Finding(nodes[-1], "replace", [Replace(nodes[-1], [file.new(text)])], why="a test")

    Wrong.may_change = may_change
    return Wrong


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("CMD", None),
        ("CMD", 'CMD ["dist/other.js"]'),
        ("ENTRYPOINT", None),
        ("EXPOSE", "EXPOSE 3001"),
        ("ENV", None),
        ("LABEL", None),
        ("VOLUME", None),
        ("HEALTHCHECK", "HEALTHCHECK NONE"),
        ("STOPSIGNAL", None),
        ("USER", None),
        ("USER", "USER root"),
        ("WORKDIR", "WORKDIR /elsewhere"),
        ("COPY", "COPY --from=builder /app/dist /app/dist"),
        ("RUN", "RUN npm ci"),
        ("RUN", "RUN npm ci && npm run build && npm run build"),
        ("FROM", "FROM node:20-alpine"),
    ],
)
def test_an_undeclared_change_is_stopped(keyword: str, text: str | None) -> None:
    change = fix(SOURCE, codemods=[breaking(keyword, text, frozenset({Aspect.CACHE}))])
    assert change.after == SOURCE
    assert change.failure is not None
    assert "would change" in change.failure


def test_a_declared_change_passes() -> None:
    change = fix(SOURCE, codemods=[breaking("EXPOSE", "EXPOSE 3001", frozenset({Aspect.EXPOSE}))])
    assert change.failure is None
    assert b"EXPOSE 3001" in change.after


def test_a_copy_of_what_no_stage_makes_is_stopped() -> None:
    wrong = breaking("COPY", "COPY --from=builder /nowhere/dist /app", frozenset(Aspect))
    change = fix(SOURCE, codemods=[wrong])
    assert change.after == SOURCE
    assert change.failure is not None
    assert "/nowhere/dist" in change.failure


def test_a_result_that_does_not_build_is_stopped() -> None:
    change = fix(SOURCE, codemods=[breaking("EXPOSE", "COPY only-one", frozenset(Aspect))])
    assert change.after == SOURCE
    assert change.failure is not None


def test_a_codemod_that_does_not_settle_is_stopped() -> None:
    class Endless(Codemod):
        """Adds a port at every turn."""

        phase = Phase.STYLE
        safety = Safety.SAFE
        may_change = frozenset({Aspect.EXPOSE})

        def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
            node = next(node for node in file.instructions if node.keyword == "EXPOSE")
            yield Finding(node, "more", [Replace(node, [node.with_argument(node.argument + " 1")])], why="a test")

    change = fix(SOURCE, codemods=[Endless])
    assert change.after == SOURCE
    assert change.failure is not None
    assert "settle" in change.failure


def test_a_codemod_that_raises_costs_only_its_file() -> None:
    class Raises(Codemod):
        """Raises."""

        phase = Phase.STYLE
        safety = Safety.SAFE

        def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
            raise KeyError("surprise")
            yield

    change = fix(SOURCE, codemods=[Raises])
    assert change.after == SOURCE
    assert change.failure is not None
    assert "surprise" in change.failure


def test_what_the_author_copied_from_a_stage_without_it_is_no_bug_of_ours() -> None:
    source = b"FROM debian:12\nRUN touch /x\nFROM debian:12\nCOPY --from=0 /x0 /y\n"
    change = fix(source, select=["name-stages"])
    assert change.failure is None
    assert b"COPY --from=builder /x0 /y\n" in change.after
