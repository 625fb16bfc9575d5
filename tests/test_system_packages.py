"""System packages of a stage, taken apart for its runner, and the roles of system set-up."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pytest

from refactor import BuildContext, StageReading, lookup, parse
from refactor.ecosystems import system
from refactor.ecosystems.called import programs_started
from refactor.ecosystems.runner_packages import RunnerPackages, runner_packages
from refactor.ecosystems.split import Role
from refactor.flow.reading import Refused
from refactor.images.recommended import recommended


def reading(text: str, files: Mapping[str, str] | None = None) -> StageReading:
    file = parse(textwrap.dedent(text).lstrip("\n").encode())
    return StageReading(file, file.stages[-1], BuildContext.of(files or {}))


def packages(
    text: str, runner: str = "python:3.11-slim-bookworm", files: Mapping[str, str] | None = None, **options: object
) -> RunnerPackages:
    answer = runner_packages(reading(text, files), lookup(runner), **options)  # type: ignore[arg-type]
    assert not isinstance(answer, Refused), answer.because
    return answer


def why_not(text: str, runner: str = "node:20-slim") -> str:
    answer = runner_packages(reading(text), lookup(runner))
    assert isinstance(answer, Refused)
    return answer.because


def test_build_only_headers_and_the_rest() -> None:
    found = packages(
        """
        FROM python:3.11-bookworm
        RUN apt-get update && apt-get install -y --no-install-recommends gcc libpq-dev ffmpeg foobar=1.2
        CMD ["python", "app.py"]
        """
    )
    assert found.dropped == ("gcc", "libpq-dev")
    assert found.packages == ("libpq5", "ffmpeg", "foobar=1.2")
    assert found.install == (
        "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends libpq5 ffmpeg foobar=1.2 \\\n"
        "    && rm -rf /var/lib/apt/lists/*"
    )
    assert list(found.roles.values()) == [Role.BUILDER]


def test_nothing_left_means_no_run() -> None:
    found = packages("FROM python:3.11-slim\nRUN apt-get update && apt-get install -y gcc make\n")
    assert found.install is None
    assert found.packages == ()


@pytest.mark.parametrize(
    ("image", "runner"),
    [
        ("python:3.9-bullseye", "python:3.9-slim-bullseye"),
        ("python:3.11-bookworm", "python:3.11-slim-bookworm"),
    ],
)
def test_libraries_are_those_of_the_release(image: str, runner: str) -> None:
    found = packages(f"FROM {image}\nRUN apt-get update && apt-get install -y libgdal-dev\n", runner)
    assert found.packages == (("libgdal28",) if "bullseye" in image else ("libgdal32",))


def test_a_library_that_the_runner_has_is_not_installed_again() -> None:
    found = packages("FROM python:3.11-bookworm\nRUN apt-get update && apt-get install -y zlib1g-dev libffi-dev\n")
    assert found.install is None
    assert found.dropped == ("zlib1g-dev", "libffi-dev")


def test_headers_of_a_library_that_is_not_known_stay() -> None:
    found = packages("FROM python:3.11-bookworm\nRUN apt-get update && apt-get install -y libstrange-dev\n")
    assert found.packages == ("libstrange-dev",)
    assert any("libstrange-dev stays in the runner" in line for line in found.evidence)


def test_recommended_packages_stay_as_the_author_had_them() -> None:
    with_them = packages("FROM python:3.11-bookworm\nRUN apt-get update && apt-get install -y gcc ffmpeg\n")
    assert with_them.install is not None
    assert "--no-install-recommends" not in with_them.install
    only_library = packages("FROM python:3.11-bookworm\nRUN apt-get update && apt-get install -y libpq-dev\n")
    assert only_library.install is not None
    assert "--no-install-recommends" in only_library.install


def test_a_long_list_has_a_line_for_each() -> None:
    found = packages("FROM python:3.11-bookworm\nRUN apt-get update && apt-get install -y a1 b c d e\n")
    assert found.install is not None
    assert "install -y \\\n        a1 \\\n        b \\\n" in found.install
    assert len(parse(f"FROM x\n{found.install}\n".encode()).instructions) == 2


def test_what_is_started_keeps_its_packages() -> None:
    found = packages(
        """
        FROM node:20-bookworm
        RUN apt-get update && apt-get install -y --no-install-recommends tini make
        COPY run.sh /run.sh
        HEALTHCHECK CMD curl -f http://localhost/ || exit 1
        ENTRYPOINT ["tini", "--", "/run.sh"]
        """,
        "node:20-bookworm-slim",
        {"run.sh": "#!/bin/bash\nwget -q http://x\nexec make serve\n"},
    )
    assert set(found.packages) == {"tini", "make", "wget", "curl"}
    assert any("HEALTHCHECK on line 4 calls curl" in line for line in found.evidence)
    assert any("run.sh calls wget" in line for line in found.evidence)


def test_programs_of_the_build_alone_are_dropped() -> None:
    found = packages(
        """
        FROM python:3.11-slim-bookworm
        RUN apt-get update && apt-get install -y --no-install-recommends curl unzip git
        RUN curl -O https://example.org/x.zip && unzip x.zip
        CMD ["python", "app.py"]
        """
    )
    assert found.dropped == ("curl", "unzip")
    # git is called by no RUN: what it is for is not known.
    assert found.packages == ("git",)


def test_a_language_may_know_more() -> None:
    found = packages(
        "FROM python:3.11-slim-bookworm\nRUN apt-get update && apt-get install -y --no-install-recommends git\n",
        build_only={"git": "requirements.txt is fetched with it"},
        needed={"libxml2": "uwsgi is linked with it"},
    )
    assert found.packages == ("libxml2",)
    assert "git is used by the build only: requirements.txt is fetched with it" in found.evidence


def test_what_a_later_run_removes_is_build_only() -> None:
    found = packages(
        """
        FROM node:20-alpine
        RUN apk add --no-cache --virtual .gyp python3 make g++
        RUN npm ci
        RUN apk del .gyp
        """,
        "node:20-alpine",
    )
    assert found.install is None
    assert found.dropped == ("python3", "make", "g++")


def test_apk_names() -> None:
    found = packages("FROM python:3.11-alpine\nRUN apk add postgresql-dev jpeg-dev gcc tzdata\n", "python:3.11-alpine")
    assert found.install == "RUN apk add --no-cache libpq libjpeg-turbo tzdata"


def test_dnf_names() -> None:
    found = packages("FROM fedora:40\nRUN dnf install -y gcc python3-devel ffmpeg\n", "fedora:40")
    assert found.install == "RUN dnf install -y ffmpeg \\\n    && dnf clean all \\\n    && rm -rf /var/cache/dnf"


def test_build_only_packages_of_the_image() -> None:
    text = """
    FROM python:3.11-alpine
    RUN apk add --virtual .now gcc musl-dev && pip install x && apk del .now
    RUN apk add make bash
    """
    assert system.build_only(reading(text)) == ("make",)
    assert system.removed_at_once(reading(text)) == ("gcc", "musl-dev")


def test_a_condition_is_refused_by_name() -> None:
    text = "FROM node:20\nRUN apt-get update && if [ -n x ]; then apt-get install -y ffmpeg; fi\n"
    assert why_not(text) == "line 2 installs ffmpeg only under a condition"


def test_a_variable_package_is_refused_by_name() -> None:
    text = "FROM node:20\nARG EXTRA\nRUN apt-get update && apt-get install -y $EXTRA\n"
    assert "which package $EXTRA on line 3 installs depends on a variable" in why_not(text)


REPOSITORY = """
FROM python:3.9-bullseye
RUN curl -s http://nginx.org/keys/nginx_signing.key | apt-key add -
RUN echo "deb http://nginx.org/packages/debian/ bullseye nginx" >> /etc/apt/sources.list
RUN apt-get update && apt-get install -y nginx gcc
CMD ["nginx"]
"""


def test_repositories_are_copied_from_the_builder() -> None:
    found = packages(REPOSITORY, "python:3.9-slim-bullseye", builder="builder")
    assert found.before == ("COPY --from=builder /etc/apt /etc/apt",)
    assert found.packages == ("nginx",)
    assert set(found.roles.values()) == {Role.BUILDER}
    assert len(found.roles) == 3


def test_repositories_without_certificates_or_builder_are_refused_by_name() -> None:
    assert "line 2 sets up a package repository with curl" in why_not(REPOSITORY, "python:3.9-slim-bullseye")


def test_a_repository_with_its_own_tools_is_kept_whole() -> None:
    found = packages(
        """
        FROM debian:bookworm
        RUN apt-get update && apt-get install -y curl && curl -fsSL https://deb.nodesource.com/setup_20.x | bash -
        RUN apt-get update && apt-get install -y nodejs
        RUN apt-get update && apt-get install -y gcc
        """,
        "debian:bookworm-slim",
    )
    assert list(found.roles.values()) == [Role.BOTH, Role.BOTH, Role.BOTH]


def test_another_mirror_is_no_other_repository() -> None:
    found = packages(
        """
        FROM python:3.11-slim-bookworm
        RUN sed -i 's/deb.debian.org/mirror.example.org/g' /etc/apt/sources.list
        RUN apt-get update && apt-get install -y gcc
        """
    )
    assert found.install is None


def test_other_commands_of_an_install_are_handed_over() -> None:
    found = packages(
        "FROM python:3.11\nRUN apt-get update && apt-get install -y gcc && useradd app && rm -rf /var/lib/apt/lists/*\n"
    )
    assert found.roles == {}
    assert [[command.name for command in commands] for commands in found.shared.values()] == [["useradd"]]


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("useradd -m app", Role.BOTH),
        ("addgroup -S app && adduser -S app -G app", Role.BOTH),
        ("mkdir -p /data && chown app /data", Role.BOTH),
        ("ln -sf /usr/share/zoneinfo/UTC /etc/localtime && echo UTC > /etc/timezone", Role.BOTH),
        ("sed -i 's/# en_US/en_US/' /etc/locale.gen && locale-gen", Role.BOTH),
        ("rm -rf /var/lib/apt/lists/*", Role.BUILDER),
        ("apt-get clean && rm -rf /tmp/* /var/tmp/*", Role.BUILDER),
        ("make install", None),
        ("useradd app && ./configure", None),
        ("sed -i s/a/b/ app.conf", None),
        ("echo x > app.conf", None),
        ("npm ci", None),
        ("if true; then echo; fi; ((", None),
    ],
)
def test_roles_of_system_set_up(command: str, role: Role | None) -> None:
    (step,) = reading(f"FROM debian\nRUN {command}\n").runs
    assert system.system_role(step) == role


def test_set_up_stays_in_the_builder_only_where_it_is_needed() -> None:
    text = """
    FROM python:3.11
    RUN useradd app
    RUN mkdir -p /wheels
    RUN mkdir -p /data
    RUN pip wheel -w /wheels flask
    RUN locale-gen
    COPY . .
    """
    stage = reading(text)
    nodes = [step.node for step in stage.runs]
    roles = dict.fromkeys(nodes, Role.BOTH)
    roles[nodes[3]] = Role.BUILDER
    narrowed = system.narrow(stage, roles)
    assert [narrowed[node] for node in nodes] == [Role.RUNNER, Role.BOTH, Role.RUNNER, Role.BUILDER, Role.RUNNER]


def test_users_stay_in_a_builder_that_runs_as_them() -> None:
    stage = reading("FROM python:3.11\nRUN useradd app\nUSER app\nRUN pip install flask\n")
    nodes = [step.node for step in stage.runs]
    assert system.narrow(stage, {nodes[0]: Role.BOTH, nodes[1]: Role.BUILDER})[nodes[0]] == Role.BOTH


def test_scripts_that_are_started_are_found() -> None:
    stage = reading(
        'FROM debian\nWORKDIR /srv\nCOPY . .\nCOPY bin/go /usr/local/bin/go\nENTRYPOINT ["go"]\n',
        {"bin/go": "#!/bin/sh\ncurl x\n. ./env.sh\n"},
    )
    assert programs_started(stage)["curl"] == "bin/go"


@pytest.mark.parametrize(
    ("package", "needed"),
    [
        ("curl=7.88.*", ("ca-certificates",)),
        ("git/bookworm-backports", ("ca-certificates",)),
        ("gcc-12", ("libc6-dev",)),
        ("xvfb", ("xauth",)),
        ("libpq-dev", ()),
        ("libasio-dev", ("libboost-dev", "libboost-regex-dev", "libboost-date-time-dev", "libssl-dev")),
        ("python3.11", ("ca-certificates",)),
        ("openjdk-17-jre-headless", ()),
        ("texlive", None),
        ("openjdk-17-jre", None),
        ("chromium", None),
    ],
)
def test_what_a_package_recommends(package: str, needed: tuple[str, ...] | None) -> None:
    assert recommended(package) == needed
