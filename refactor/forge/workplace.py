"""Where the bot works: which forge a repository is on, with which token, and a clone for as long as it is needed."""

from __future__ import annotations

import base64
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import git
import httpx

from refactor.engine.configuration import Configuration, closest_configuration
from refactor.engine.files import FileProblem
from refactor.forge import gitea, github, gitlab
from refactor.forge.app import installation_token
from refactor.forge.bot import Settings
from refactor.forge.branch import exported
from refactor.forge.http import Api
from refactor.forge.protocol import Forge, ForgeProblem, RemoteRepository
from refactor.forge.repository import Repository

TOKENS = {
    "github": ("DOCKERFIX_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"),
    "gitlab": ("DOCKERFIX_TOKEN", "GITLAB_TOKEN"),
    "gitea": ("DOCKERFIX_TOKEN", "GITEA_TOKEN"),
}
"""Environment variables that may hold the token, the first one that is set wins."""
_KNOWN = {"codeberg.org": "gitea", "salsa.debian.org": "gitlab"}
_FORGES: Mapping[str, tuple[Any, Callable[[Api, str, str], Forge]]] = {
    "github": (github, github.GitHub),
    "gitlab": (gitlab, gitlab.GitLab),
    "gitea": (gitea, gitea.Gitea),
}
ACTIONS_ACCOUNT = "github-actions[bot]"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Access(NamedTuple):
    """How forges are reached, where the name of a repository does not tell."""

    kind: str | None = None
    api: str | None = None
    """The URL that all API paths begin with (``https://github.example.org/api/v3``)."""
    remote: str = "origin"
    """With a clone that is there: the remote that is the forge's."""


class Address(NamedTuple):
    """A repository on a forge."""

    kind: str
    host: str
    name: str
    """``owner/name``."""

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


def read_address(text: str, kind: str | None = None) -> Address:
    """``owner/name``, ``host/owner/name`` or the URL of a remote; ``kind`` is the forge's where its name does not tell.

    Raises :class:`ForgeProblem`.
    """
    scp = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)", text)
    if scp is not None:
        host, path = scp[1], scp[2]
    elif "://" in text:
        url = urlsplit(text)
        host, path = url.hostname or "", url.path
    else:
        first, _, rest = text.partition("/")
        host, path = (first, rest) if "." in first and "/" in rest else ("github.com", text)
    name = path.strip("/").removesuffix(".git")
    if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", name) or not host or ".." in name.split("/"):
        raise ForgeProblem(f"{without_secret(text)!r} names no repository on a forge", "write it as OWNER/NAME")
    return Address(kind or _kind(host), host, name)


def _kind(host: str) -> str:
    words = re.split(r"[.-]", host)
    return next((kind for kind in ("gitlab", "gitea") if kind in words), _KNOWN.get(host, "github"))


def find_token(kind: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The token of a kind of forge and the variable that holds it. Raises :class:`ForgeProblem`."""
    for name in TOKENS[kind]:
        if environment.get(name):
            return environment[name], name
    raise ForgeProblem(f"there is no token for {kind}", f"put one into the environment as {TOKENS[kind][0]}")


def open_forge(
    address: Address,
    token: str,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
    api: str | None = None,
    account: str | None = None,
) -> Forge:
    """The repository on its forge. ``account`` is the token's where the forge does not say it (GitHub Apps)."""
    module, make = _FORGES[address.kind]
    client = Api(api or module.api_url(address.host), module.headers(token), transport=transport, sleep=sleep)
    if address.kind == "github":
        return github.GitHub(client, address.name, token, account)
    return make(client, address.name, token)


def forge_of(name: str, access: Access, environment: Mapping[str, str] = os.environ) -> Forge:
    """The repository ``name`` on its forge, with the token of the environment. Raises :class:`ForgeProblem`."""
    address = read_address(name, access.kind)
    api = access.api or environment.get("DOCKERFIX_API_URL") or None
    if api is not None:
        _check_api(api)
    if address.kind == "github" and environment.get("DOCKERFIX_APP_ID"):
        base = api or github.api_url(address.host)
        installation = installation_token(base, address.name, environment)
        return open_forge(address, installation.token, api=api, account=installation.account)
    token, variable = find_token(address.kind, environment)
    is_actions = variable == "GITHUB_TOKEN" and environment.get("GITHUB_ACTIONS") == "true"
    # The token of GitHub Actions may not ask whose it is.
    return open_forge(address, token, api=api, account=ACTIONS_ACCOUNT if is_actions else None)


def _check_api(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        raise ForgeProblem(
            f"{without_secret(url)!r} is no URL of an API to send a token to",
            "give one that begins with https:// (http:// goes to this machine only)",
        )


def git_credentials(url: str, credentials: tuple[str, str]) -> dict[str, str]:
    """Environment variables that give git the secret for one host; in no argument and in no stored URL is it seen."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return {}
    secret = base64.b64encode(":".join(credentials).encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {secret}",
    }


@contextmanager
def cloned(about: RemoteRepository, credentials: tuple[str, str]) -> Iterator[Repository]:
    """A bare clone in a temporary folder. Raises :class:`FileProblem`."""
    environment = git_credentials(about.clone_url, credentials)
    with tempfile.TemporaryDirectory(prefix="dockerfix-") as folder:
        try:
            env = {"GIT_TERMINAL_PROMPT": "0", **environment}
            git.Repo.clone_from(about.clone_url, folder, env=env, bare=True, no_tags=True).close()
        except git.GitCommandError as error:
            said = str(error.stderr).strip().splitlines()
            what = f"cannot be cloned: {said[-1].strip(chr(39)) if said else error.status}"
            raise FileProblem(about.name, what, "check the name and the token's rights") from None
        with Repository(folder, environment) as repository:
            yield repository


def settings_at(repository: Repository, base: git.Commit) -> tuple[Settings, Configuration]:
    """What ``[bot]`` says at the top of a commit. Raises :class:`FileProblem` for a broken configuration."""
    with exported(repository, base) as folder:
        found = closest_configuration(folder, {os.path.dirname(folder): Configuration()})
    table, default = found.bot, Settings()
    settings = Settings(
        table.get("per", default.per),
        table.get("max-open", default.max_open),
        table.get("new-per-run", default.new_per_run),
        tuple(table.get("labels", default.labels)),
        table.get("stop-label", default.stop_label),
        table.get("account"),
    )
    return settings, found


def without_secret(text: str) -> str:
    """A URL without its user's name and password."""
    return re.sub(r"//[^/@]*@", "//", text)


def warn_of_actions_token(environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Says what the token of GitHub Actions cannot do, where it is the one that will be used."""
    if environment.get("GITHUB_ACTIONS") != "true" or environment.get("DOCKERFIX_APP_ID"):
        return
    if next((name for name in TOKENS["github"] if environment.get(name)), "") == "GITHUB_TOKEN":
        say(
            "pull requests opened with the token of GitHub Actions start no workflows; "
            "use an App's or a person's token as DOCKERFIX_TOKEN where their checks must run"
        )
