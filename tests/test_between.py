"""Copies that stand between the copy of the sources and the install that moves above it."""

from __future__ import annotations

import json

import pytest

from refactor import BuildContext, fix

FILES = {
    "requirements.txt": "flask\n", "app.py": "", "pip.conf": "", "certs/own.crt": "", "entry.sh": "", "web/a.py": "",
    "dist/x.js": "", "docker/requirements.txt": "",
}  # fmt: skip
TEXT = """FROM alpine AS other
FROM python:3.12-slim
WORKDIR /app
COPY . .
{}
RUN pip install -r requirements.txt
CMD ["/entry.sh"]
"""


def after(line: str) -> tuple[str, str]:
    """The result, and what copy-manifests-first refused."""
    change = fix(TEXT.format(line).encode(), BuildContext.of(FILES), select=["copy-manifests-first"])
    assert change.failure is None
    return change.after.decode(), " ".join(one.because for one in change.refused)


@pytest.mark.parametrize(
    "line",
    [
        "COPY pip.conf /etc/",
        "COPY pip.conf /opt/settings/pip.conf",
        "COPY certs /usr/local/share/ca-certificates/\nRUN update-ca-certificates",
        "COPY <<EOF /etc/pip.conf\n[global]\nEOF",
        "COPY <<EOF ./.pip.conf\n[global]\nEOF",
        "ADD https://example.org/netrc /root/.netrc",
        "COPY --from=other /etc/apk /opt/apk",
        "RUN export FLASK_APP=app.py",
        "RUN mkdir -p /srv/data\nRUN chmod 700 /srv/data",
    ],
)
def test_what_the_install_may_read_comes_before_it(line: str) -> None:
    text, _ = after(line)
    assert text.index(line) < text.index("RUN pip install") < text.index("COPY . .")


@pytest.mark.parametrize("line", ["COPY entry.sh /entry.sh", "COPY web /srv/web", "COPY dist /srv/dist"])
def test_sources_and_what_is_started_stay_behind_it(line: str) -> None:
    text, _ = after(line)
    assert text.index("RUN pip install") < text.index(line)


@pytest.mark.parametrize("line", ["RUN rm -rf ./components", "RUN rm -rf .git docs && mkdir -p logs"])
def test_what_is_removed_from_the_copy_is_removed_behind_it(line: str) -> None:
    """Though the build context has nothing of the kind today."""
    text, _ = after(line)
    assert text.index("RUN pip install") < text.index("COPY . .") < text.index(line)


def test_a_manifest_that_takes_the_place_of_another_is_the_one_that_is_read() -> None:
    line = "COPY docker/requirements.txt ./"
    text, _ = after(line)
    assert f"{line}\nRUN pip install -r requirements.txt\nCOPY . .\n{line}\n" in text


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("COPY --from=other /app ./", "puts /app in the place of what the sources bring"),
        ("COPY --from=other /dist ./dist", "puts /app/dist in the place of what the sources bring"),
        (
            "COPY <<EOF requirements.txt\nflask\nEOF",
            "puts /app/requirements.txt in the place of what the sources bring",
        ),
        ("COPY missing /etc/", "copies missing, which is not in the build context"),
        ("COPY web /etc/web", "copies sources to /etc/web, where the install may look for its settings"),
        ("COPY pip.conf $WHERE", "where line 5 copies to depends on a variable"),
    ],
)
def test_refused_where_the_order_may_matter(line: str, because: str) -> None:
    text, refused = after(line)
    assert text == TEXT.format(line)
    assert because in refused


@pytest.mark.parametrize(
    ("target", "files", "order"),
    [
        (".env", {".env": "A=0\n"}, ["npm ci", "COPY . .", "RUN echo"]),
        (".env", {}, ["RUN echo", "npm ci", "COPY . ."]),
        ("/etc/motd", {}, ["RUN echo", "npm ci", "COPY . ."]),
        (".npmrc", {".npmrc": "fund=false\n"}, ["COPY . .", "RUN echo", "npm ci"]),
    ],
)
def test_what_is_written_into_a_copied_file_stays_behind_the_copy(
    target: str, files: dict[str, str], order: list[str]
) -> None:
    text = f'FROM node:22\nWORKDIR /app\nCOPY . .\nRUN echo A=1 >> {target}\nRUN npm ci\nCMD ["node", "server.js"]\n'
    packages = {"": {"dependencies": {"express": "^4"}}, "node_modules/express": {"version": "4.0.0"}}
    project = {
        "package.json": json.dumps({"name": "a", "dependencies": {"express": "^4"}}),
        "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages}),
        "server.js": "require('express')().listen(3000)\n",
    }
    after = fix(text.encode(), BuildContext.of({**project, **files})).after.decode()
    places = [after.index(word) for word in order]
    assert places == sorted(places), after
