"""A language that a newcomer adds: the example of refactor/ecosystems/README.md, run as it stands there."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from textwrap import dedent

import pytest

from refactor import BuildContext, Change, fix, parse
from refactor.ecosystems import ecosystems, flow_of, registry

ROOT = Path(__file__).parents[1]
CODE = re.findall(r"```python\n(.*?)```", (ROOT / "refactor/ecosystems/README.md").read_text(), re.DOTALL)[0]
SHOP = {
    "toy.json": '{"name": "shop", "uses": ["web"]}',
    "toy.lock": "web 1.2\n",
    "main.toy": 'page = open("pages/index.html")\nserve(8000, page)\n',
    "pages/index.html": "<h1>Shop</h1>",
    "notes.txt": "",
    ".dockerignore": "notes.txt\n",
}
BEFORE = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y toy-compiler toy-vm
WORKDIR /app
COPY . .
RUN toy install
RUN toy build
EXPOSE 8000
CMD ["toyvm", "out/shop.toyc"]
"""


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("toy")
    monkeypatch.setitem(sys.modules, "toy", module)
    exec(compile(CODE, "README.md", "exec"), module.__dict__)
    monkeypatch.setattr(registry, "known", (*ecosystems(), module.Toy()))


def fixed(source: str = BEFORE, files: dict[str, str] = SHOP, **more: str) -> Change:
    return fix(dedent(source).encode(), BuildContext.of({**files, **more}))


def told(change: Change) -> str:
    return "\n".join(refusal.because for refusal in change.refused)


def test_it_is_short() -> None:
    assert len(CODE.splitlines()) <= 60


def test_split_manifests_first_and_user() -> None:
    change = fixed()
    assert change.after.decode() == dedent(
        """\
        FROM debian:bookworm AS builder
        RUN apt-get update && apt-get install -y toy-compiler toy-vm \\
            && rm -rf /var/lib/apt/lists/*
        WORKDIR /app
        COPY toy.json toy.lock ./
        RUN toy install
        COPY . .
        RUN toy build

        FROM debian:bookworm-slim AS runner
        RUN apt-get update \\
            && apt-get install -y toy-vm \\
            && rm -rf /var/lib/apt/lists/*
        RUN groupadd -r -g 10001 app \\
            && useradd --no-log-init -r -u 10001 -g app app
        WORKDIR /app
        COPY --from=builder /app/pages/index.html ./pages/index.html
        COPY --from=builder /app/out/shop.toyc ./out/shop.toyc
        EXPOSE 8000
        USER 10001:10001
        CMD ["toyvm", "out/shop.toyc"]
        """
    )
    assert not fix(change.after, change.context_after(BuildContext.of(SHOP))).applied


def reached(source: bytes, path: str) -> list[str]:
    file = parse(source)
    return [step.text for step in flow_of(file, BuildContext.of(SHOP)).reached(path)]


def test_what_an_edit_builds_again() -> None:
    assert reached(BEFORE.encode(), "main.toy") == ["COPY . .", "RUN toy install", "RUN toy build"]
    after = fixed().after
    builds = ["COPY . .", "RUN toy build", "COPY --from=builder /app/out/shop.toyc ./out/shop.toyc"]
    assert reached(after, "main.toy") == builds
    assert "RUN toy install" in reached(after, "toy.lock")
    assert reached(after, "notes.txt") == []


def test_a_file_that_only_the_running_program_knows_refuses_the_split() -> None:
    change = fixed(**{"main.toy": "open(argument(1))"})
    assert "calls open() with what only the running program knows" in told(change)
    assert b"AS runner" not in change.after


def test_a_folder_that_the_program_writes_to_becomes_its_own() -> None:
    change = fixed(**{"main.toy": 'save("data/visits.txt")'})
    assert b"mkdir -p /app/data" in change.after or b"mkdir -p data" in change.after, change.after.decode()


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("RUN ./configure", "what ./configure reads and writes is not known"),
        ("COPY missing.txt .", "missing.txt, which is not in the build context"),
    ],
)
def test_what_is_not_known_refuses_by_name(line: str, because: str) -> None:
    change = fixed(BEFORE.replace("RUN toy build", f"{line}\nRUN toy build"))
    assert because in told(change)
    assert b"AS runner" not in change.after


def test_a_program_that_nothing_builds_is_refused() -> None:
    change = fixed(BEFORE.replace('"out/shop.toyc"', '"other.toyc"'))
    assert "which no command of the Dockerfile is known to make" in told(change)


def test_the_program_is_followed_through_copies_of_copies() -> None:
    change = fixed(
        """\
        FROM debian:bookworm
        RUN apt-get update && apt-get install -y toy-compiler toy-vm
        WORKDIR /src
        COPY . .
        RUN toy install && toy build && mkdir /srv/shop && cp out/shop.toyc /srv/shop/a.toyc
        RUN mv /srv/shop/a.toyc /srv/shop/b.toyc
        WORKDIR /srv/shop
        CMD ["toyvm", "b.toyc"]
        """,
        **{"main.toy": "serve(8000)"},
    )
    assert b"COPY --from=builder /srv/shop/b.toyc ./b.toyc" in change.after, told(change)
