"""Talking to a forge's HTTP API: patient, paced, and without ever telling a secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from refactor.forge.protocol import ForgeProblem

WRITE_PAUSE = 1.0
"""Seconds between two writes: GitHub's "best practices for using the REST API" ask for one at least."""
MAX_WAIT = 900.0
"""Longest wait, in seconds, that a forge may ask for (``Retry-After``) before a run gives up."""
TRIES = 5
PAGES = 50


class Api:
    """One forge's API below ``base_url``. Reads and writes JSON.

    ``sleep`` and ``clock`` are the time's (seconds); tests give their own.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            headers={"User-Agent": "dockerfix", **headers},
            timeout=httpx.Timeout(30.0),
            transport=transport,
            # A redirect to another host would take the token along: a repository that moved is followed by hand.
            follow_redirects=False,
        )
        self._sleep, self._clock = sleep, clock
        self._last_write = 0.0

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Any:
        return self.send("GET", path, parameters=parameters).json()

    def pages(self, path: str, **parameters: str | int) -> Iterator[Any]:
        """The items of all pages, by the ``Link`` header (RFC 8288) that the three forges send."""
        response = self.send("GET", path, parameters={"per_page": 100, **parameters})
        for _ in range(PAGES):
            yield from response.json()
            following = response.links.get("next", {}).get("url")
            if following is None or urlsplit(following).netloc != self._client.base_url.netloc.decode():
                return
            response = self.send("GET", following)

    def write(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        """Sends a change, at the pace that forges ask for."""
        wait = self._last_write + WRITE_PAUSE - self._clock()
        if wait > 0:
            self._sleep(wait)
        try:
            return self.send(method, path, body)
        finally:
            self._last_write = self._clock()

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        parameters: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """One exchange, again where the forge says "later" or fails, up to :data:`TRIES` times.

        A write is repeated only where the forge surely did not carry it out (rate limits); a lost answer is the
        caller's to read again. Raises :class:`ForgeProblem`.
        """
        for attempt in range(TRIES):
            try:
                response = self._client.request(method, path, json=body, params=parameters or None)
            except httpx.HTTPError as error:
                if method == "GET" and attempt + 1 < TRIES:
                    self._sleep(2.0**attempt)
                    continue
                raise ForgeProblem(f"{self._host} does not answer: {type(error).__name__}", "try again later") from None
            wait = self._wait(response, attempt)
            if wait is None or (method != "GET" and response.status_code >= 500):
                return _checked(response, method, path)
            if wait > MAX_WAIT or attempt + 1 == TRIES:
                break
            self._sleep(wait)
        raise ForgeProblem(f"{self._host} asks to come back later ({response.status_code})", "run again in an hour")

    @property
    def _host(self) -> str:
        return self._client.base_url.host

    def _wait(self, response: httpx.Response, attempt: int) -> float | None:
        """Seconds to wait before the same request is sent again, None where the answer is one."""
        status, headers = response.status_code, response.headers
        is_limit = status == 429 or (status == 403 and ("retry-after" in headers or _is_used_up(headers)))
        if not is_limit and status < 500:
            return None
        told = headers.get("retry-after", "")
        if told.isdigit():
            return float(told)
        if _is_used_up(headers):
            return max(1.0, float(headers.get("x-ratelimit-reset", "0")) - self._clock())
        return 60.0 if is_limit else 2.0**attempt


def _is_used_up(headers: httpx.Headers) -> bool:
    return bool(headers.get("x-ratelimit-remaining") == "0")


def _checked(response: httpx.Response, method: str, path: str) -> httpx.Response:
    status = response.status_code
    if status < 300:
        return response
    if status == 401:
        raise ForgeProblem("the token is not valid", "make a new one and put it into the environment", status)
    if status in {301, 302, 307, 308}:
        raise ForgeProblem("the repository has moved", "name it by its new owner and name", status)
    try:
        message = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        message = ""
    raise ForgeProblem(
        f"{method} {path.partition('?')[0]} was refused ({status}{': ' + message if message else ''})",
        "check that the token may write contents and pull requests" if status in {403, 404} else "see the forge's log",
        status,
    )
