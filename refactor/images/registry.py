"""``--online``: whether a registry has a tag, and which digest it stands for.

The distribution API with anonymous tokens: https://distribution.github.io/distribution/spec/api/ and
https://distribution.github.io/distribution/spec/auth/token/. Docker Hub's tokens come from auth.docker.io, as its
answer says; nothing here is particular to one registry but Docker Hub's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from refactor.images.reference import Reference, parse_reference

if TYPE_CHECKING:
    import httpx

DOCKER_HUB = "https://registry-1.docker.io"
_HOSTS = frozenset(
    "gcr.io ghcr.io mcr.microsoft.com mirror.gcr.io public.ecr.aws quay.io registry.access.redhat.com".split()
)
"""Registries that a Dockerfile may name: any other host in a file that others wrote is not asked for anything."""
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)

_asker: Callable[[str], str | None] | None = None


def ask(asker: Callable[[str], str | None] | None) -> None:
    """From now on this process asks ``asker`` for digests; None ends that."""
    global _asker
    _asker = asker


def ask_registry(reference: str) -> str | None:
    """The digest that a tag stands for; "" where there is no such tag, None where no registry was asked or answered."""
    return None if _asker is None else _asker(reference)


class Registry:
    """What ``--online`` asks for: each reference once, for as long as the process lives."""

    MOST = 200
    """References of one process; what comes after stays unknown."""
    TIMEOUT = 10.0
    """Seconds for one answer."""

    def __init__(self, docker_hub: str = DOCKER_HUB) -> None:
        self.url = docker_hub
        """Where images without a registry in their name are asked for: Docker Hub, or a mirror of it."""
        self.problem = ""
        """Why a registry was asked no more, in words; "" while all answer."""
        self._digests: dict[str, str | None] = {}
        self._silent: set[str] = set()
        self._client: httpx.Client | None = None

    def __call__(self, reference: str) -> str | None:
        if reference not in self._digests and len(self._digests) < self.MOST:
            self._digests[reference] = self._digest(parse_reference(reference))
        return self._digests.get(reference)

    def _digest(self, image: Reference) -> str | None:
        import httpx

        is_hub = image.registry in {"docker.io", "index.docker.io", "registry-1.docker.io"}
        if not is_hub and image.registry not in _HOSTS:
            return None
        base = self.url.rstrip("/") if is_hub else f"https://{image.registry}"
        if base in self._silent:
            return None
        if self._client is None:
            self._client = httpx.Client(timeout=self.TIMEOUT)
        try:
            return self._ask(self._client, base, f"/v2/{image.repository}/manifests/{image.tag or 'latest'}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self._silent.add(base)
            self.problem = f"does not answer as a registry at {base}: {error}"
            return None

    def _ask(self, client: httpx.Client, base: str, path: str) -> str | None:
        headers = {"Accept": _ACCEPT}
        answer = client.head(base + path, headers=headers)
        if answer.status_code == 401:
            token = self._token(client, base, answer.headers.get("WWW-Authenticate", ""))
            if token is None:
                return None
            answer = client.head(base + path, headers={**headers, "Authorization": f"Bearer {token}"})
        if answer.status_code == 404:
            return ""
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
        # A repository that is private, or is not there, is refused alike: it stays unknown.
        return digest if answer.status_code == 200 and digest.startswith("sha256:") else None

    def _token(self, client: httpx.Client, base: str, challenge: str) -> str | None:
        wanted = _challenge(challenge)
        realm = wanted.pop("realm", "")
        there, here = urlsplit(realm), urlsplit(base)
        if there.scheme != "https" and there.hostname != here.hostname:
            return None
        answer = client.get(realm, params=wanted)
        if answer.status_code != 200:
            return None
        found = answer.json()
        token = (found.get("token") or found.get("access_token")) if isinstance(found, Mapping) else None
        return token if isinstance(token, str) else None


def _challenge(header: str) -> dict[str, str]:
    """The parts of ``Bearer realm="https://auth...",service="...",scope="..."``; {} for another scheme."""
    import re

    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "bearer":
        return {}
    return {key: value for key, value in re.findall(r'(\w+)="([^"]*)"', rest) if key in {"realm", "service", "scope"}}
