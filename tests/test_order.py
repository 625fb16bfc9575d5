"""order-by-change: what may pass an install, and what may not."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from refactor import BuildContext, History, fix
from refactor.engine.history import read_history
from refactor.engine.run import Options, Worker


def ordered(*lines: str) -> list[str]:
    source = "\n".join(("FROM debian:12", "WORKDIR /app", *lines, ""))
    change = fix(source.encode(), None, ["order-by-change"])
    assert change.failure is None
    assert not fix(change.after, None, ["order-by-change"]).applied
    return change.after.decode().splitlines()[2:]


APT = "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*"


@pytest.mark.parametrize(
    "install",
    [
        APT,
        "RUN --mount=type=cache,target=/var/cache/apt apt-get install -y curl",
        "RUN set -eux; apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y curl=7.88.1-10 > /dev/null",
        "RUN apk add --no-cache --virtual .build gcc && apk del .build",
        "RUN yum install -y gcc && yum clean all",
        "RUN pip install --no-cache-dir 'gunicorn>=20' uvicorn[standard]==0.30.0",
        "RUN npm install -g pnpm@9 @angular/cli",
        "RUN gem install bundler -v 2.5.0",
    ],
)
def test_sources_go_below_what_is_installed_by_name(install: str) -> None:
    assert ordered("COPY . .", install, "RUN make") == [install, "COPY . .", "RUN make"]


@pytest.mark.parametrize(
    "step",
    [
        "RUN apt-get install -y ./tool.deb",
        "RUN apt-get install -y $(cat packages.txt)",
        "RUN apt-get install -y $PACKAGES",
        "RUN apt-get install -y curl && make",
        "RUN apt-get install -y curl < answers",
        "RUN apt-get install -y curl > log",
        "RUN apt-get -c apt.conf -o Dir::Etc=/app/etc install -y curl",
        "RUN --mount=type=bind,target=/x apt-get install -y curl",
        "RUN pip install -r requirements.txt",
        "RUN pip install .",
        "RUN pip install -f wheels tool",
        "RUN python -m pip install flask",
        "RUN npm install",
        "RUN npm install -g ./tool",
        "RUN npm install -g tool.tgz",
        "RUN gem install -g",
        "RUN yarn global add serve",
        "RUN cargo install ripgrep",
        "RUN echo hello",
    ],
)
def test_what_may_read_the_sources_stays_below_them(step: str) -> None:
    assert ordered("COPY . .", step) == ["COPY . .", step]


@pytest.mark.parametrize(
    "between",
    [
        "WORKDIR /app/web",
        "RUN make",
        "ADD https://example.org/key /etc/apt/key",
        "COPY apt.conf /etc/apt/",
        "VOLUME /app",
        "ONBUILD RUN true",
        "ENV SRC=web",
    ],
)
def test_what_stands_between_may_depend_on_the_order(between: str) -> None:
    lines = ["ARG SRC=api", "COPY $SRC ./", between, APT]
    assert ordered(*lines) == lines


@pytest.mark.parametrize("between", ["ENV A=1", "ARG A", "EXPOSE 80", "LABEL a=b", "USER root", 'CMD ["x"]'])
def test_what_has_no_order_is_passed(between: str) -> None:
    assert ordered("COPY . .", between, APT) == [between, APT, "COPY . ."]


@pytest.mark.parametrize("setting", ["PATH=/app/venv/bin:$PATH", "PIP_CONSTRAINT=/app/c.txt", "PYTHONPATH=/app"])
def test_variables_that_lead_pip_to_the_sources(setting: str) -> None:
    lines = [f"ENV {setting}", "COPY . .", "RUN pip install flask"]
    assert ordered(*lines) == lines
    assert ordered(f"ENV {setting}", "COPY . .", APT) == [f"ENV {setting}", APT, "COPY . ."]


def test_several_copies_keep_their_order_and_several_installs_are_passed() -> None:
    lines = ["COPY a .", APT, "# b", "COPY b .", "RUN apt-get install -y git", "RUN make", "COPY c ."]
    assert ordered(*lines) == [
        APT, "RUN apt-get install -y git", "COPY a .", "# b", "COPY b .", "RUN make", "COPY c ."
    ]  # fmt: skip


def test_files_of_another_image_do_not_come_with_edits() -> None:
    lines = ["COPY --from=composer:2 /usr/bin/composer /app/composer", APT]
    assert ordered(*lines) == lines


def test_an_argument_of_every_build_goes_down_with_what_uses_it() -> None:
    own = ["ARG GIT_COMMIT", "ENV COMMIT=$GIT_COMMIT", "LABEL commit=$COMMIT"]
    rest = ["COPY . .", "RUN make"]
    assert ordered(*own, "ENV PORT=80", APT, *rest) == ["ENV PORT=80", APT, *own, *rest]


@pytest.mark.parametrize(
    "lines",
    [
        # With a value it is the same at every build.
        ["ARG BUILD_DATE=2024-01-01", APT],
        ["ARG CURL_VERSION", APT],
        ["ARG COMMIT", "RUN ./build.sh", APT],
        ["ARG COMMIT", "RUN npm ci"],
        ["ARG COMMIT", "ENV COMMIT=$COMMIT DEBIAN_FRONTEND=noninteractive", f"{APT} # $COMMIT"],
        ["ARG COMMIT", "COPY $COMMIT.txt .", "RUN make", APT],
    ],
)
def test_arguments_that_stay(lines: list[str]) -> None:
    assert ordered(*lines) == lines


FILES = {"src/a.py": "", "src/b.py": "", "assets/big": "", "docs/x": "", "run.sh": "", "app/src/x": ""}


def commits(**counts: int) -> tuple[tuple[str, ...], ...]:
    names = {"src": "src/a.py", "assets": "assets/big", "docs": "docs/x", "run": "run.sh"}
    return tuple((names[name],) for name, count in counts.items() for _ in range(count))


def by_history(history: History, *lines: str) -> list[str]:
    context = BuildContext.of(FILES)
    context.history = history
    source = "\n".join(("FROM debian:12", "WORKDIR /app", *lines, ""))
    change = fix(source.encode(), context, ["order-by-change"])
    assert change.failure is None
    assert not fix(change.after, change.context_after(context), ["order-by-change"]).applied
    return change.after.decode().splitlines()[2:]


SRC, ASSETS, DOCS = "COPY src ./src", "COPY assets ./assets", "COPY docs ./docs"


@pytest.mark.parametrize(
    ("changed", "lines", "wanted"),
    [
        ({"src": 40, "assets": 2}, [SRC, ASSETS], [ASSETS, SRC]),
        ({"src": 40}, [SRC, ASSETS], [ASSETS, SRC]),
        ({"src": 40, "assets": 2}, [SRC, "# large", ASSETS], ["# large", ASSETS, SRC]),
        ({"src": 40, "assets": 2, "docs": 10}, [SRC, DOCS, ASSETS], [ASSETS, DOCS, SRC]),
        ({"src": 40, "run": 3}, [SRC, "COPY run.sh /"], ["COPY run.sh /", SRC]),
        ({"src": 5, "assets": 1}, [SRC, ASSETS], [SRC, ASSETS]),
        ({"src": 20, "assets": 12}, [SRC, ASSETS], [SRC, ASSETS]),
        ({}, [SRC, ASSETS], [SRC, ASSETS]),
        ({"src": 40, "assets": 2}, [SRC, "RUN make", ASSETS], [SRC, "RUN make", ASSETS]),
        ({"src": 40, "assets": 2}, ["COPY src ./", "COPY assets ./"], ["COPY src ./", "COPY assets ./"]),
        ({"src": 40, "assets": 2}, ["COPY . .", ASSETS], ["COPY . .", ASSETS]),
        ({"src": 40, "assets": 2}, ["COPY src ./x", "COPY assets ./x/y"], ["COPY src ./x", "COPY assets ./x/y"]),
        ({"src": 40, "assets": 2}, [SRC, "COPY assets $WHERE"], [SRC, "COPY assets $WHERE"]),
    ],
)
def test_what_changed_often_goes_below_what_did_not(
    changed: dict[str, int], lines: list[str], wanted: list[str]
) -> None:
    assert by_history(History(commits(**changed), frozenset(FILES)), *lines) == wanted


def test_of_a_file_in_no_commit_nothing_is_known() -> None:
    history = History(commits(src=40), frozenset(FILES) - {"assets/big"})
    assert by_history(history, SRC, ASSETS) == [SRC, ASSETS]


def test_the_history_is_that_of_the_repository(tmp_path: Path) -> None:
    dockerfile = tmp_path / "web" / "Dockerfile"
    for name in FILES:
        path = dockerfile.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    dockerfile.write_text(f"FROM debian:12\nWORKDIR /app\n{SRC}\n{ASSETS}\n")
    with git.Repo.init(tmp_path) as repo:
        # A program that the repository's own configuration names must not be started.
        repo.git.config("log.showSignature", "true")
        repo.git.config("gpg.program", str(tmp_path / "evil"))
        repo.git.config("core.fsmonitor", str(tmp_path / "evil"))
        (tmp_path / "evil").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (tmp_path / "evil").chmod(0o755)
        for number in range(8):
            (dockerfile.parent / "src" / "a b.py").write_text(str(number))
            repo.git.execute(["git", "-c", "core.fsmonitor=false", "add", "web"])
            repo.index.commit(f"edit {number}", skip_hooks=True)
        record = Worker(Options(select=("order-by-change",), is_isolated=True)).work(str(dockerfile))
    [finding] = record.applied
    assert "of the latest 8 commits 8 changed what line 3 copies, and 1 what line 4 copies" in finding.evidence
    assert not (tmp_path / "started").exists()


def test_without_a_repository_there_is_no_history(tmp_path: Path) -> None:
    assert read_history(str(tmp_path)) == History()
