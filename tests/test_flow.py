"""What is known of a started program: the files it is made of, or why they were not all seen."""

from __future__ import annotations

import pytest

from refactor import BuildContext, Refused, StageReading, fix, low_ports, parse, program_of
from refactor.flow.closure import unseen_copies

PYTHON = "FROM python:3.12-slim\nWORKDIR /code\nCOPY . .\n"


def asked(dockerfile: str, files: dict[str, str]) -> tuple[str, ...] | Refused:
    file = parse(dockerfile.encode())
    context = BuildContext.of({"Dockerfile": dockerfile, **files})
    return program_of(StageReading.of(file, file.stages[-1], context))


@pytest.mark.parametrize(
    ("dockerfile", "files", "program"),
    [
        (PYTHON + 'CMD ["python", "-u", "app.py"]\n', {"app.py": "", "lib/a.py": ""}, ("app.py", "lib/a.py")),
        (PYTHON + 'CMD ["gunicorn", "-b", "0.0.0.0:80", "web.wsgi:app"]\n', {"web/wsgi.py": ""}, ("web/wsgi.py",)),
        (PYTHON + 'CMD ["python", "-m", "web"]\n', {"web/__main__.py": ""}, ("web/__main__.py",)),
        (PYTHON + "CMD python scripts/run.py\n", {"scripts/run.py": "", "scripts/b.py": ""}, ("scripts/run.py",)),
        (PYTHON + "ENV FLASK_APP=web.py\nCMD flask run\n", {"web.py": ""}, ("web.py",)),
        (
            PYTHON + 'ENTRYPOINT ["tini", "--", "./start.sh"]\nCMD ["python", "app.py"]\n',
            {"start.sh": '#!/bin/sh\nset -e\nexec "$@"\n', "app.py": ""},
            ("app.py",),
        ),
        (
            "FROM python:3.12 AS builder\nWORKDIR /src\nCOPY . .\n"
            'FROM python:3.12-slim\nCOPY --from=builder /src /app\nCMD ["python", "/app/app.py"]\n',
            {"app.py": ""},
            ("app.py",),
        ),
        (
            'FROM node:20\nWORKDIR /app\nCOPY . .\nCMD ["npm", "start"]\n',
            {"package.json": '{"scripts": {"start": "node a.js"}}', "a.js": "require('./b')", "b.js": "", "c.js": ""},
            ("a.js", "b.js"),
        ),
        (
            'FROM golang:1.22\nWORKDIR /app\nCOPY . .\nRUN go build -o /x .\nCMD ["/x"]\n',
            {"go.mod": "module x\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() {}\n"},
            ("main.go",),
        ),
    ],
)
def test_the_files_of_the_started_program_are_named(
    dockerfile: str, files: dict[str, str], program: tuple[str, ...]
) -> None:
    assert asked(dockerfile, files) == program


@pytest.mark.parametrize(
    ("dockerfile", "files", "because"),
    [
        (PYTHON + 'CMD ["gunicorn", "wsgi:app"]\n', {}, "line 3 copies ., which holds no program"),
        (PYTHON + 'CMD ["gunicorn", "wsgi:app"]\n', {"a.py": ""}, "the module wsgi, which CMD on line 4 starts"),
        (PYTHON + 'CMD ["python", "app.py"]\n', {"a.py": ""}, "app.py, which CMD on line 4 starts"),
        (PYTHON + 'CMD ["python", "app.py"]\n', {"app.py": "((("}, "line 1 is not Python 3"),
        (PYTHON + 'CMD ["python", "app.py"]\n', {"app.py": "", "b.py": "x = (\n"}, "b.py: line 1 is not Python 3"),
        (PYTHON + 'CMD ["python", "app.py"]\n', {"app.py": "#" * 9_000_000}, "larger than"),
        (PYTHON + "ADD README.rst /x/\nCMD python app.py\n", {"app.py": ""}, "README.rst, which is not in the build"),
        (PYTHON + 'CMD ["/bin/bash"]\n', {"app.py": ""}, "starts a shell"),
        (PYTHON + "CMD exec bash -l\n", {"app.py": ""}, "starts a shell"),
        (PYTHON + 'CMD ["sometool"]\n', {"app.py": ""}, "what is started (sometool) is no program"),
        ('FROM ubuntu\nCMD ["python3", "app.py"]\n', {"app.py": ""}, "what is started (python3 app.py)"),
        (
            'FROM node:20\nCOPY a.js package.json /app/\nWORKDIR /app\nCMD ["node", "a"]\n',
            {"package.json": "{}", "a.js": "require('./b')"},
            "a.js imports ./b, which was not found",
        ),
        (
            'FROM node:20\nCOPY . /app\nWORKDIR /app\nCMD ["node", "dist/a.js"]\n',
            {"package.json": "{}", "a.ts": ""},
            "/app/dist/a.js",
        ),
    ],
)
def test_what_was_not_seen_is_said(dockerfile: str, files: dict[str, str], because: str) -> None:
    answer = asked(dockerfile, files)
    assert isinstance(answer, Refused)
    assert because in answer.because


def test_copies_that_may_be_missing_and_copies_that_must_not() -> None:
    text = "FROM node:20\nCOPY package.json yarn.lock* ./\nCOPY lib?/ /lib/\nADD https://example.org/a.tgz /tmp/\n"
    file = parse(text.encode())
    reading = StageReading.of(file, file.stages[-1], BuildContext.of({"package.json": "{}"}))
    assert [(unseen.line, unseen.source) for unseen in unseen_copies(reading)] == [(3, "lib?/")]


@pytest.mark.parametrize(
    ("file", "kilobytes", "copy", "run"),
    [
        ("app.db", 10, "COPY . .", "RUN chown app:app /code /code/app.db"),
        ("app.db", 200, "COPY --chown=10001:10001 . .", "RUN chown app:app /code"),
        ("data/app.db", 10, "COPY . .", "RUN chown -R app:app /code/data"),
        ("data/app.db", 200, "COPY --chown=10001:10001 . .", None),
    ],
)
def test_no_file_is_stored_twice_for_its_owner(file: str, kilobytes: int, copy: str, run: str | None) -> None:
    program = f"import sqlite3\nsqlite3.connect('{file}').execute('insert into visits values (1)')\n"
    files = {"app.py": program, file: "x" * (kilobytes << 10)}
    dockerfile = PYTHON + 'CMD ["python", "app.py"]\n'
    change = fix(dockerfile.encode(), BuildContext.of(files), select=["run-as-user"])
    after = change.after.decode().splitlines()
    assert "USER 10001:10001" in after, change.refused
    assert copy in after
    assert [line for line in after if "chown" in line and line.startswith("RUN")] == ([run] if run else [])


@pytest.mark.parametrize(
    ("dockerfile", "files", "low"),
    [
        (PYTHON + 'CMD ["gunicorn", "web:app"]\n', {}, {}),
        (PYTHON + 'CMD ["gunicorn", "-b", ":80", "web:app"]\n', {}, {80: "the start command"}),
        (PYTHON + "ENV LISTEN=0.0.0.0:443\nCMD python web.py\n", {}, {443: "LISTEN on line 4"}),
        (PYTHON + "ENV API_URL=http://api:80\nCMD python web.py\n", {}, {}),
        (PYTHON + 'CMD ["lighttpd", "-D", "-f", "/etc/web.conf"]\n', {}, {80: "what lighttpd listens on by default"}),
        (PYTHON + 'CMD ["lighttpd", "-D", "-p", "8080"]\n', {}, {}),
        (
            'FROM mcr.microsoft.com/dotnet/aspnet:7.0\nCMD ["dotnet", "a.dll"]\n',
            {},
            {80: "ASPNETCORE_URLS of mcr.microsoft.com/dotnet/aspnet:7.0"},
        ),
        (
            'FROM mcr.microsoft.com/dotnet/aspnet:7.0\nENV ASPNETCORE_URLS=http://+:5000\nCMD ["dotnet", "a.dll"]\n',
            {},
            {},
        ),
        ('FROM mcr.microsoft.com/dotnet/aspnet:8.0\nCMD ["dotnet", "a.dll"]\n', {}, {}),
        (
            PYTHON + 'CMD ["python", "web.py"]\n',
            {"compose.yaml": "services:\n  web:\n    build: .\n    ports: ['8080:81']\n"},
            {81: "compose.yaml"},
        ),
    ],
)
def test_ports_below_1024(dockerfile: str, files: dict[str, str], low: dict[int, str]) -> None:
    file = parse(dockerfile.encode())
    context = BuildContext.of({"Dockerfile": dockerfile, "web.py": "", **files})
    assert low_ports(StageReading.of(file, file.stages[-1], context)) == low


@pytest.mark.parametrize(
    ("written", "now"),
    [
        ("COPY --from=builder", "COPY --from=builder --chown=1000:1000"),
        ("COPY --from=builder --chown=node:node", "COPY --from=builder --chown=node:node"),
        ("COPY --from=builder --chown=www-data", ""),
    ],
)
def test_a_folder_that_a_stage_fills_gets_its_owner_where_it_is_copied(written: str, now: str) -> None:
    text = (
        "FROM node:20 AS builder\nWORKDIR /app\nCOPY . .\nRUN mkdir -p out/uploads && node build.js > out/uploads/a\n"
        f"FROM node:20-slim\nWORKDIR /app\n{written} /app/out ./out\nCOPY server.js ./\n"
        'CMD ["node", "server.js"]\n'
    )
    server = "require('fs').writeFileSync('/app/out/uploads/latest', '')\n"
    change = fix(text.encode(), BuildContext.of({"server.js": server, "build.js": ""}), select=["run-as-user"])
    assert change.failure is None
    if not now:
        assert [one.because for one in change.refused] == [
            "a COPY gives /app/out/uploads, which the program writes to, to www-data"
        ]
        return
    after = change.after.decode()
    assert f"\n{now} /app/out ./out\n" in after
    assert "\nUSER 1000:1000\n" in after
    assert "RUN mkdir -p /app" not in after
