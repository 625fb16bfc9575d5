"""GitHub Apps: their key signs a request for a token that holds for one repository and one hour."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from refactor.forge import github
from refactor.forge.http import Api
from refactor.forge.protocol import ForgeProblem

LIFETIME = 540
"""Seconds that a signed request is good for; GitHub takes ten minutes at most ("Generating a JWT for a GitHub App")."""
RIGHTS = {"contents": "write", "pull_requests": "write", "issues": "write"}
"""What the token may do, of what the App may; labels are an issue's."""


class Installation(NamedTuple):
    """A token of an App for one repository."""

    token: str
    account: str
    """Who opens pull requests with it: ``<slug>[bot]``."""


def installation_token(
    base_url: str, name: str, environment: Mapping[str, str], transport: httpx.BaseTransport | None = None
) -> Installation:
    """Asks for a token for the repository ``name`` by DOCKERFIX_APP_ID and DOCKERFIX_APP_KEY (the key in PEM, or the
    path of a file that holds it). Raises :class:`ForgeProblem`."""
    signed = _signed(environment["DOCKERFIX_APP_ID"], _key(environment.get("DOCKERFIX_APP_KEY", "")))
    api = Api(base_url, github.headers(signed), transport=transport)
    try:
        slug = api.get("/app")["slug"]
        installed = api.get(f"/repos/{name}/installation")["id"]
        wanted = {"repositories": [name.rpartition("/")[2]], "permissions": RIGHTS}
        answer = api.write("POST", f"/app/installations/{installed}/access_tokens", wanted).json()
    except ForgeProblem as problem:
        status = problem.status
        if status == 404:
            raise ForgeProblem(f"the App is not installed on {name}", "install it there, or leave it out") from None
        if status == 422:
            raise ForgeProblem(
                f"the App lacks rights on {name}", f"grant it {', '.join(f'{key}: write' for key in RIGHTS)}"
            ) from None
        raise
    finally:
        api.close()
    return Installation(answer["token"], f"{slug}[bot]")


def _key(text: str) -> str:
    if text.startswith("-----BEGIN"):
        # Many places where secrets are kept turn line ends into "\n".
        return text.replace("\\n", "\n")
    try:
        with open(text, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        raise ForgeProblem(
            "DOCKERFIX_APP_KEY is neither a key nor a file that can be read",
            "put the App's private key (PEM) into it, or the path of its file",
        ) from None


def _signed(app_id: str, key: str) -> str:
    try:
        import jwt
    except ImportError:
        raise ForgeProblem("signing for a GitHub App needs PyJWT", "pip install 'dockerfix[app]'") from None
    now = int(time.time())
    try:
        # A minute back, for clocks that differ.
        return jwt.encode({"iat": now - 60, "exp": now + LIFETIME, "iss": app_id}, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError):
        raise ForgeProblem(
            "DOCKERFIX_APP_KEY holds no RSA key", "take the file that GitHub gave for the App (.private-key.pem)"
        ) from None
