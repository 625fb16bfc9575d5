"""Starting an image and seeing what it does: answer, pass its health check, stay alive, or print and end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from refactor.proof.engine import REPOSITORY, Configuration, Engine, EngineProblem, RunRequest, State
from refactor.proof.reach import Helper, Namespace, Published, Reach

BODY_BYTES = 1024
OUTPUT_BYTES = 64 << 10
_POLL = 0.25
_SETTLE_SECONDS = 5.0
"""How long an answer may still change: a server that is warming up says 503 first."""
_QUIET_SECONDS = 3.0
"""How long a port that was not announced must be listened on, alone, before it is taken for the one that
is meant."""
_HEALTH_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How containers are started and what is asked of them."""

    port: int | None = None
    path: str = "/"
    command: str | None = None
    """A command line that is run in a container beside, from the image before; status 0 is what is hoped
    for."""
    network: str = "none"
    memory: int = 1 << 30
    pids: int = 512
    is_read_only: bool = False
    env: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    timeout: float = 30.0
    """Seconds that it may take to answer, or to end."""
    alive: float = 8.0
    """Seconds after which a process that listens nowhere counts as staying alive."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of starting an image. ``kind``:

    - ``http``, ``tcp``: it answers on ``port``
    - ``probe``: the user's own command was run, with ``exit_code``
    - ``healthy``: its health check passes, and nothing listens
    - ``alive``: it stays alive and listens nowhere
    - ``exit``: it ended, with ``exit_code`` and ``output``
    - ``refused``: the engine could not start its process; ``output`` has its words
    """

    kind: str
    seconds: float = 0.0
    port: int | None = None
    status: int | None = None
    content_type: str = ""
    location: str = ""
    body: str = ""
    """The first KB of the answer, or what the user's probe printed."""
    exit_code: int = 0
    output: str = ""
    """The end of what the container printed."""
    health: str = ""
    uid: int | None = None
    """User id of the main process; None where the engine is elsewhere."""
    is_out_of_memory: bool = False
    how: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it works, as far as can be seen from outside."""
        if self.health == "unhealthy" or self.is_out_of_memory:
            return False
        if self.kind == "http":
            return self.status is not None and self.status < 500
        return self.kind in {"tcp", "healthy", "alive"} or (self.kind in {"exit", "probe"} and self.exit_code == 0)

    def __str__(self) -> str:
        if self.kind == "http":
            text = f"HTTP {self.status} on port {self.port}"
        elif self.kind == "tcp":
            text = f"accepts connections on port {self.port}"
        elif self.kind == "probe":
            text = "passes the probe" if self.exit_code == 0 else f"fails the probe (status {self.exit_code})"
        elif self.kind == "healthy":
            text = "passes its health check"
        elif self.kind == "alive":
            text = "stays alive" + (f", nothing answers on port {self.port}" if self.port else "")
        elif self.kind == "refused":
            text = "cannot be started"
        else:
            text = f"ends with status {self.exit_code}"
        if self.is_out_of_memory:
            text += ", out of memory"
        if self.health == "unhealthy":
            text += ", health check fails"
        return text


@dataclass(slots=True)
class Tools:
    """An image with tools to look into a container from beside it: the one before the rewrite."""

    image: str
    programs: Mapping[str, str] = field(default_factory=dict)


class Starter:
    """Starts images of one run and observes them; every container is removed again."""

    def __init__(
        self,
        engine: Engine,
        run: str,
        options: ProbeOptions,
        tools: Tools,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.engine = engine
        self.run = run
        self.options = options
        self.tools = tools
        self.redact = redact
        self._count = 0
        self._is_published = False

    def observe(self, image: str, configuration: Configuration, like: Outcome | None = None) -> Outcome:
        """Starts ``image`` and says what it does. ``like`` is what the version before did: the same is
        waited for."""
        outcome = self._once(image, configuration, like)
        return replace(outcome, output=self.redact(outcome.output), body=self.redact(outcome.body))

    def _once(self, image: str, configuration: Configuration, like: Outcome | None) -> Outcome:
        options = self.options
        self._count += 1
        name = f"{REPOSITORY}-{self.run}-{self._count}"
        wanted = self._wanted(configuration, like)
        request = RunRequest(
            image,
            name,
            self.run,
            network=options.network,
            hostname="localhost" if options.network == "none" else None,
            memory=options.memory,
            pids=options.pids,
            is_read_only=options.is_read_only,
            env=options.env,
            env_files=options.env_files,
            has_healthcheck=bool(configuration.healthcheck),
        )
        if self._is_published:
            network = "default" if options.network == "none" else options.network
            request = replace(request, network=network, hostname=None, published=wanted)
        try:
            container = self.engine.start(request)
            start = time.monotonic()
            observation = _Observation(self, container, wanted, bool(configuration.healthcheck), like, start)
            outcome = observation.watch()
        except _NeedsPublishing:
            self._is_published = True
            self.engine.remove_container(name)
            return self._once(image, configuration, like)
        finally:
            self.engine.remove_container(name)
        return outcome

    def _wanted(self, configuration: Configuration, like: Outcome | None) -> tuple[int, ...]:
        """The ports to ask, the likeliest first."""
        if self.options.port is not None:
            return (self.options.port,)
        if like is not None and like.kind in {"http", "tcp"} and like.port is not None:
            return (like.port,)
        exposed = sorted(int(port.partition("/")[0]) for port in configuration.exposed if port.endswith("/tcp"))
        checked = re.findall(
            r"(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):(\d{1,5})", " ".join(configuration.healthcheck)
        )
        return tuple(dict.fromkeys([*exposed, *(int(port) for port in checked)]))

    def reach(self, container: str, state: State) -> Reach | None:
        """The way into a container's network, None where the container has ended meanwhile. Raises
        :class:`_NeedsPublishing` where the way has to be made at its start."""
        if self._is_published:
            return Published(self.engine, container)
        found = Namespace.open(state.pid, container) or Helper.open(
            self.engine, container, self.tools.image, dict(self.tools.programs), self.run
        )
        if found is None:
            # Nobody gets into a container that is just ending: that says nothing about the way into the next one.
            time.sleep(_POLL)
            if not self.engine.state(container).is_running:
                return None
            if self.engine.name == "buildah":
                raise EngineProblem(
                    "buildah reaches a container's port as root only; use docker or podman, or run as root"
                )
            raise _NeedsPublishing
        return found


class _NeedsPublishing(Exception):
    pass


class _Observation:
    def __init__(
        self,
        starter: Starter,
        container: str,
        wanted: tuple[int, ...],
        has_healthcheck: bool,
        like: Outcome | None,
        start: float,
    ) -> None:
        self.starter = starter
        self.engine = starter.engine
        self.options = starter.options
        self.container = container
        self.wanted = wanted
        self.has_healthcheck = has_healthcheck
        self.like = like
        self.start = start
        self.deadline = start + self.options.timeout
        self.uid: int | None = None
        self.reach: Reach | None = None
        self._odd = 0
        self._since: float | None = None
        self._answered: float | None = None

    def watch(self) -> Outcome:
        last: Outcome | None = None
        while True:
            state = self.engine.state(self.container)
            if not state.is_running:
                return self._ended(state)
            if self.uid is None:
                self.uid = _uid(state.pid, self.container)
            outcome = self._look(state)
            if outcome is not None:
                last = outcome
                if self._is_final(outcome):
                    break
            elif self._is_over(state):
                last = last or Outcome("alive", port=self.wanted[0] if self.wanted else None)
                break
            time.sleep(_POLL)
        return self._with_health(last)

    def _look(self, state: State) -> Outcome | None:
        """What can be seen now; None as long as nothing answers."""
        if self.options.command is not None:
            return self._run_probe(self.options.command)
        if state.pid == 0:
            return None
        if self.reach is None:
            self.reach = self.starter.reach(self.container, state)
        if self.reach is None:
            return None
        listening = self.reach.listening()
        for port in self._ports(listening):
            outcome = self._ask(port)
            if outcome is not None:
                return outcome
        return None

    def _ports(self, listening: frozenset[int] | None) -> list[int]:
        if listening is None:
            return list(self.wanted)
        found = [port for port in self.wanted if port in listening]
        if found or not listening:
            self._since = None
            return found
        # EXPOSE is documentation, not always the truth: what is listened on is. The version after is held to
        # the port of the version before.
        if self.options.port is not None or (self.like is not None and self.like.port is not None):
            return []
        now = time.monotonic()
        self._since = self._since or now
        return [min(listening)] if not self.wanted or now - self._since > _QUIET_SECONDS else []

    def _ask(self, port: int) -> Outcome | None:
        assert self.reach is not None
        request = (
            f"GET {self.options.path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: dockerfix\r\n"
            "Accept: text/html,application/json;q=0.9,*/*;q=0.8\r\nConnection: close\r\n\r\n"
        )
        answer = self.reach.exchange(port, request.encode("utf-8", "replace"), 5.0)
        if answer is None:
            return None
        if answer.startswith(b"HTTP/"):
            return parse_answer(answer, port)
        # Some servers accept before they are ready; only who keeps to other words speaks another protocol.
        self._odd += 1
        is_tcp = self._odd >= 3 or (self.like is not None and self.like.kind == "tcp")
        return Outcome("tcp", port=port) if is_tcp else None

    def _is_final(self, outcome: Outcome) -> bool:
        now = time.monotonic()
        self._answered = self._answered or now
        if now > self.deadline or now - self._answered > _SETTLE_SECONDS:
            return True
        if outcome.kind == "probe":
            return outcome.exit_code == 0
        if outcome.kind != "http":
            return True
        if self.like is not None and self.like.kind == "http":
            return outcome.status == self.like.status
        return outcome.status is not None and outcome.status < 500

    def _is_over(self, state: State) -> bool:
        now = time.monotonic()
        if now > self.deadline or state.health == "unhealthy":
            return True
        if self.like is not None and self.like.kind == "exit":
            return False
        expects_port = bool(self.wanted) and not (self.like is not None and self.like.kind in {"alive", "healthy"})
        return not expects_port and now - self.start > self.options.alive

    def _run_probe(self, command: str) -> Outcome:
        shell = self.starter.tools.programs.get("sh")
        if shell is None:
            raise EngineProblem("--probe needs a shell in the image before the rewrite, and it has none")
        name = f"{REPOSITORY}-{self.starter.run}-probe-{time.monotonic_ns()}"
        request = RunRequest(
            self.starter.tools.image,
            name,
            self.starter.run,
            hostname=None,
            entrypoint=shell,
            command=("-c", command),
            env=self.options.env,
            env_files=self.options.env_files,
        )
        status, out = self.engine.call(request, self.container, self.options.timeout)
        return Outcome("probe", exit_code=status, body=out[:BODY_BYTES].decode("utf-8", "replace"))

    def _ended(self, state: State) -> Outcome:
        seconds = time.monotonic() - self.start
        output = self._output()
        if state.problem:
            return Outcome("refused", seconds, output=f"{state.problem}\n{output}".strip(), exit_code=state.exit_code)
        return Outcome(
            "exit",
            seconds,
            exit_code=state.exit_code,
            output=output,
            is_out_of_memory=state.is_out_of_memory,
            uid=self.uid,
        )

    def _with_health(self, outcome: Outcome | None) -> Outcome:
        outcome = outcome or Outcome("alive")
        seconds = time.monotonic() - self.start
        health = ""
        end = time.monotonic() + _HEALTH_SECONDS
        while self.has_healthcheck:
            state = self.engine.state(self.container)
            if not state.is_running:
                return self._ended(state)
            health = state.health
            if health in {"healthy", "unhealthy"} or time.monotonic() > end:
                break
            time.sleep(_POLL)
        kind = "healthy" if outcome.kind == "alive" and health == "healthy" else outcome.kind
        how = self.reach.how if self.reach is not None and outcome.kind in {"http", "tcp"} else ""
        return replace(outcome, kind=kind, seconds=seconds, health=health, uid=self.uid, how=how, output=self._output())

    def _output(self) -> str:
        return self.engine.output(self.container, OUTPUT_BYTES).decode("utf-8", "replace")


def _uid(pid: int, container: str) -> int | None:
    if Namespace.open(pid, container) is None:
        return None
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("Uid:"):
                    return int(line.split()[2])
    except (OSError, ValueError, IndexError):
        return None
    return None


def parse_answer(answer: bytes, port: int) -> Outcome:
    """An HTTP answer as an outcome (RFC 9112: status line, fields, chunked bodies)."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    match = re.match(r"HTTP/\d(?:\.\d)? (\d{3})", lines[0])
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    return Outcome(
        "http",
        port=port,
        status=int(match.group(1)) if match else None,
        content_type=fields.get("content-type", "").partition(";")[0].strip().lower(),
        location=fields.get("location", ""),
        body=body[:BODY_BYTES].decode("utf-8", "replace"),
    )


def _unchunked(data: bytes) -> bytes:
    parts = []
    while data:
        size, found, rest = data.partition(b"\r\n")
        try:
            length = int(size.partition(b";")[0], 16)
        except ValueError:
            break
        if not found or length <= 0:
            break
        parts.append(rest[:length])
        data = rest[length + 2 :]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whether two outcomes are the same to a user, in words."""

    is_alike: bool
    text: str
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.is_alike


def compare_outcomes(before: Outcome, after: Outcome, again: Callable[[], Outcome] | None = None) -> Likeness:
    """Compares what two versions did. ``again`` starts the version before once more, to see what differs
    by itself."""
    kinds = {before.kind, after.kind}
    if (before.kind != after.kind and kinds != {"alive", "healthy"}) or before.port != after.port:
        return Likeness(False, f"before it {before}, now it {after}{_last_words(after)}")
    if after.is_out_of_memory and not before.is_out_of_memory:
        return Likeness(False, f"before it {before}, now it runs out of memory")
    if before.health == "healthy" and after.health != "healthy":
        return Likeness(False, f"the health check passed before and does not now ({after.health or 'there is none'})")
    if after.health == "unhealthy" and not before.health:
        return Likeness(False, f"there was no health check before, and the one there is now fails{_last_words(after)}")
    if before.kind in {"http", "tcp"}:
        return _compare_answers(before, after)
    if before.kind in {"exit", "probe", "refused"}:
        return _compare_ends(before, after, again)
    return Likeness(True, str(before))


def _compare_answers(before: Outcome, after: Outcome) -> Likeness:
    if before.status != after.status:
        return Likeness(
            False,
            f"HTTP {before.status} before, {after.status} now, on port {before.port}{_last_words(after)}",
        )
    if before.content_type != after.content_type:
        return Likeness(
            False,
            f"the answer was {before.content_type or 'untyped'} and is {after.content_type or 'untyped'}",
        )
    if mask(before.location) != mask(after.location):
        return Likeness(False, f"it redirected to {before.location} and now does to {after.location}")
    notes = []
    if mask(before.body) != mask(after.body):
        notes.append(f"the answers' texts differ: {_first_difference(before.body, after.body)}")
    if before.kind == "http" and not before.is_good:
        return Likeness(True, f"the same failure before and after: {before}", tuple(notes))
    return Likeness(True, str(before), tuple(notes))


def _compare_ends(before: Outcome, after: Outcome, again: Callable[[], Outcome] | None) -> Likeness:
    if before.exit_code != after.exit_code:
        return Likeness(
            False,
            f"it ended with status {before.exit_code}, now with {after.exit_code}{_last_words(after)}",
        )
    said, says = before.output or before.body, after.output or after.body
    if before.exit_code != 0:
        if mask(said) == mask(says) or (_error(said) and _error(said) == _error(says)):
            word = _error_line(said)
            return Likeness(True, f"the same failure before and after: {before}" + (f" ({word})" if word else ""))
        return Likeness(False, f"both end with status {before.exit_code}, for other reasons{_last_words(after)}")
    if mask(said) == mask(says):
        return Likeness(True, f"{before}, with the same output")
    if again is not None and mask(again().output) != mask(said):
        return Likeness(True, str(before), ("its output differs from start to start, so it was not compared",))
    return Likeness(False, f"the output differs: {_first_difference(said, says)}")


_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I), "<uuid>"),
    (
        re.compile(
            r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b"
        ),
        "<day>",
    ),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b", re.I), "<hex>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.I), "<hex>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
    (re.compile(r"<n>\s?(?:ns|µs|us|ms|s|m|h)\b"), "<n>"),
    (re.compile(r"[ \t]+"), " "),
)


def mask(text: str) -> str:
    """A text without what differs from one start to the next: numbers, dates, hexadecimal ids, colours."""
    text = _ANSI.sub("", text).replace("\r", "")
    for pattern, sign in _MASKS:
        text = pattern.sub(sign, text)
    return text.strip()


_ERROR = re.compile(
    r"error|exception|fatal|panic|refused|denied|cannot|can't|could not|couldn't|failed|not found|no such|"
    r"missing|required|not set|invalid|unable|undefined",
    re.I,
)


def _error_line(text: str) -> str:
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines() if line.strip()]
    # Frames of a stack trace name paths and lines that a rewrite may well change.
    lines = [
        line for line in lines if not re.match(r"at |File \"|\.\.\. |node:|npm (?:error|ERR!) A complete log", line)
    ]
    found = [line for line in lines if _ERROR.search(line)] or lines
    return found[-1][:200] if found else ""


def _error(text: str) -> str:
    return mask(_error_line(text))


def _last_words(outcome: Outcome) -> str:
    line = _error_line(outcome.output) or _error_line(outcome.body)
    return f": {line}" if line else ""


def _first_difference(before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    for index in range(max(len(old), len(new))):
        was = old[index] if index < len(old) else "(nothing)"
        now = new[index] if index < len(new) else "(nothing)"
        if mask(was) != mask(now):
            return f"{was.strip()[:100]!r} before, {now.strip()[:100]!r} now"
    return "blank space"
