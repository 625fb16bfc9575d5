"""A registry's answers, by the distribution API with anonymous tokens.

https://distribution.github.io/distribution/spec/api/ and https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from refactor.images.reference import Reference

DOCKER_HUB = "https://registry-1.docker.io"
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_ANSWER = 16 << 20
"""Bytes of one answer; a manifest has some thousand, and registries take none above 4 MiB."""


class RegistryProblem(Exception):
    """A registry does not answer, or not with what was asked for; the text says so, ``advice`` what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what
        self.advice = advice


class Distribution:
    """One registry. Tokens are asked for where it wants them, and go to nobody else."""

    def __init__(self, base: str, timeout: float = 10.0) -> None:
        self.base = base.rstrip("/")
        # Blobs are answered by a redirect to a store; httpx leaves the token out where the host is another one.
        self._client = httpx.Client(timeout=timeout, follow_redirects=True, headers={"User-Agent": "dockerfix"})
        self._tokens: dict[str, str] = {}

    def get(self, repository: str, kind: str, name: str, accept: Sequence[str] = ()) -> bytes:
        """A manifest (``kind`` "manifests", by tag or digest) or a blob ("blobs"). Raises :class:`RegistryProblem`."""
        status, _, data = self._authorised("GET", repository, kind, name, accept)
        if status == 200:
            return data
        if status in {401, 403, 404}:
            what = f"the registry {self.base} has no {repository} {name} for everyone to read ({status})"
            raise RegistryProblem(what, "check the name; an image behind a login is measured once it is pulled")
        raise self._overdone(status)

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest that a tag stands for, "" where there is no such tag, None for a repository that is not for
        everyone (or is not there: both are answered alike). Raises :class:`RegistryProblem`."""
        status, headers, _ = self._authorised("HEAD", repository, "manifests", tag, (*INDEXES, *MANIFESTS))
        if status in {401, 403, 404}:
            return "" if status == 404 else None
        digest = str(headers.get("docker-content-digest", ""))
        if status != 200 or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            raise self._overdone(status)
        return digest

    def _overdone(self, status: int) -> RegistryProblem:
        if status == 429:
            return RegistryProblem(f"the registry {self.base} has had enough requests ({status})", "try again later")
        return RegistryProblem(f"the registry {self.base} answers with status {status}", "try again later")

    def _authorised(
        self, method: str, repository: str, kind: str, name: str, accept: Sequence[str]
    ) -> tuple[int, httpx.Headers, bytes]:
        path = f"{self.base}/v2/{repository}/{kind}/{name}"
        try:
            status, headers, data = self._ask(method, path, accept, self._tokens.get(repository))
            if status == 401:
                token = self._token(headers.get("www-authenticate", ""))
                if token is not None:
                    self._tokens[repository] = token
                    status, headers, data = self._ask(method, path, accept, token)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = str(error) or type(error).__name__
            raise RegistryProblem(f"the registry {self.base} does not answer: {why}", "check the network") from None
        return status, headers, data

    def _ask(self, method: str, url: str, accept: Sequence[str], token: str | None) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Accept": ", ".join(accept)} if accept else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        with self._client.stream(method, url, headers=headers) as answer:
            data = b""
            for part in answer.iter_bytes():
                data += part
                if len(data) > MAX_ANSWER:
                    raise ValueError(f"its answer is longer than {MAX_ANSWER >> 20} MiB")
            return answer.status_code, answer.headers, data

    def _token(self, challenge: str) -> str | None:
        """The token that ``Bearer realm="https://auth...",service="...",scope="..."`` sends for."""
        scheme, _, rest = challenge.partition(" ")
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', rest)) if scheme.lower() == "bearer" else {}
        realm = urlsplit(wanted.get("realm", ""))
        if realm.scheme != "https" and (realm.scheme, realm.hostname) != ("http", urlsplit(self.base).hostname):
            return None
        asked = {key: wanted[key] for key in ("service", "scope") if key in wanted}
        answer = self._client.get(wanted["realm"], params=asked)
        found = answer.json() if answer.status_code == 200 else None
        token = (found.get("token") or found.get("access_token")) if isinstance(found, Mapping) else None
        return token if isinstance(token, str) else None


def registry_of(image: Reference) -> str:
    """Where the registry of an image answers. Those on this machine speak plain HTTP, as engines take it."""
    if image.registry in _HUB:
        return DOCKER_HUB
    host = urlsplit(f"//{image.registry}").hostname or ""
    return f"{'http' if _is_local(host) else 'https'}://{image.registry}"


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
