"""Ways to talk to a port inside a container that has no network.

- :class:`Namespace`: the engine is on this machine and this process may enter the container's network
  namespace (root, or CAP_SYS_ADMIN): a thread goes there, opens a socket and ends. Nothing is needed in the
  container.
- :class:`Helper`: a second container, made from the image before the rewrite, shares the network of the first
  (``--network container:ID``) and speaks with what it has: python3, node, perl, bash or nc. This works on
  remote engines and desktop machines too, and for images that have no shell.
- :class:`Published`: where neither works, the container gets the engine's default network and its port is
  published on the loopback address; the report says so.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from refactor.proof.engine import Engine, EngineProblem, RunRequest

ANSWER_BYTES = 64 << 10
_CLONE_NEWNET = 0x40000000
_T = TypeVar("_T")


class Reach(Protocol):
    """A way into one container's network."""

    how: str

    def exchange(self, port: int, request: bytes, timeout: float) -> bytes | None:
        """Connects to a TCP port, sends ``request``, and returns at most :data:`ANSWER_BYTES` of the answer.

        None where nobody accepts the connection; ``b""`` where somebody does and says nothing.
        """

    def listening(self) -> frozenset[int] | None:
        """The TCP ports that are listened on; None where that cannot be known."""


class Namespace:
    """Sockets opened in the network namespace of a process of this machine."""

    how = "in the container's network namespace"

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.is_shared = _network_of(pid) == _network_of(os.getpid())
        """With ``--network host`` the ports of the whole machine are there."""

    @classmethod
    def open(cls, pid: int, container: str) -> Namespace | None:
        """None unless ``pid`` is a process of ``container`` on this very machine, and its namespace can be
        entered."""
        if pid <= 0 or not _is_of(pid, container):
            return None
        reach = cls(pid)
        try:
            reach._inside(lambda: None)
        except OSError:
            return None
        return reach

    def exchange(self, port: int, request: bytes, timeout: float) -> bytes | None:
        try:
            return self._inside(lambda: _talk(port, request, timeout))
        except OSError:
            # The container ended, and its namespace with it.
            return None

    def listening(self) -> frozenset[int] | None:
        if self.is_shared:
            return None
        ports: set[int] = set()
        for name in ("tcp", "tcp6"):
            try:
                with open(f"/proc/{self.pid}/net/{name}", encoding="ascii") as file:
                    ports.update(listening_ports(file.read(4 << 20)))
            except OSError:
                continue
        return frozenset(ports)

    def _inside(self, work: Callable[[], _T]) -> _T:
        """Does ``work`` in a thread that enters the namespace: this process itself stays where it is."""
        results: list[_T] = []
        errors: list[OSError] = []

        def body() -> None:
            try:
                handle = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    _enter(handle)
                finally:
                    os.close(handle)
                results.append(work())
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def _enter(handle: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "setns"):
        raise OSError("no setns(2) on this system")
    if library.setns(handle, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _is_of(pid: int, container: str) -> bool:
    # With an engine on another machine the number may be that of any process here.
    for name in ("cgroup", "mountinfo"):
        try:
            with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                if container in file.read(1 << 20):
                    return True
        except OSError:
            continue
    return _is_below(pid)


def _is_below(pid: int) -> bool:
    """Whether this process started that one, as with buildah, which runs containers in the foreground."""
    for _ in range(32):
        if pid <= 1:
            return False
        if pid == os.getpid():
            return True
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                # Behind the name in brackets, which may hold anything: state and parent.
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False


class Published:
    """A port of the container that the engine published on this machine's loopback address."""

    how = "by a port published on the engine's default network"

    def __init__(self, engine: Engine, container: str) -> None:
        self.engine = engine
        self.container = container

    def exchange(self, port: int, request: bytes, timeout: float) -> bytes | None:
        outside = self.engine.port(self.container, port)
        if outside is None:
            return None
        answer = _talk(outside, request, timeout)
        # The engine's own proxy accepts before anybody listens inside, and then closes.
        return answer or None

    def listening(self) -> frozenset[int] | None:
        return None


def _talk(port: int, request: bytes, timeout: float) -> bytes | None:
    deadline = time.monotonic() + timeout
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            client = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue
        with client:
            try:
                client.settimeout(timeout)
                client.connect((host, port))
            except OSError:
                continue
            data = b""
            try:
                client.sendall(request)
                while len(data) < ANSWER_BYTES and time.monotonic() < deadline:
                    client.settimeout(max(0.05, deadline - time.monotonic()))
                    chunk = client.recv(ANSWER_BYTES)
                    if not chunk:
                        break
                    data += chunk
            except OSError:
                return data
            return data
    return None


_PYTHON = """
import os, socket, sys
port, wait = int(sys.argv[1]), float(sys.argv[2])
if port == 0:
    for name in ("tcp", "tcp6"):
        try:
            sys.stdout.write(open("/proc/net/" + name).read())
        except OSError:
            pass
    sys.exit(0)
ask = sys.stdin.buffer.read()
for host in ("127.0.0.1", "::1"):
    try:
        s = socket.create_connection((host, port), wait)
    except OSError:
        continue
    s.settimeout(wait)
    os.write(1, b"+")
    got = 0
    try:
        s.sendall(ask)
        while got < 65536:
            data = s.recv(65536)
            if not data:
                break
            got += len(data)
            os.write(1, data)
    except OSError:
        pass
    sys.exit(0)
sys.exit(7)
"""
_NODE = """
const fs = require('fs'), net = require('net');
const port = Number(process.argv[1]), wait = Number(process.argv[2]) * 1000;
if (port === 0) {
  for (const name of ['tcp', 'tcp6']) {
    try { process.stdout.write(fs.readFileSync('/proc/net/' + name)); } catch (e) {}
  }
} else {
  const ask = fs.readFileSync(0);
  let got = 0;
  const attempt = (hosts) => {
    if (!hosts.length) process.exit(7);
    const s = net.connect({ host: hosts[0], port });
    let open = false;
    s.setTimeout(wait, () => process.exit(open ? 0 : 7));
    s.on('connect', () => { open = true; fs.writeSync(1, '+'); s.write(ask); });
    s.on('data', (data) => { fs.writeSync(1, data); got += data.length; if (got >= 65536) process.exit(0); });
    s.on('error', () => { if (open) process.exit(0); else attempt(hosts.slice(1)); });
    s.on('close', (failed) => { if (open && !failed) process.exit(0); });
  };
  attempt(['127.0.0.1', '::1']);
}
"""
_PERL = """
use IO::Socket::INET; my ($port, $wait) = @ARGV;
if ($port == 0) {
  for my $n ('tcp', 'tcp6') { open(my $f, '<', "/proc/net/$n") or next; print <$f>; }
  exit 0;
}
local $/; my $ask = <STDIN>;
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => $wait) or exit 7;
$| = 1; print '+'; alarm $wait; syswrite($s, $ask); my $got = 0;
while ($got < 65536) { my $n = sysread($s, my $d, 65536); last unless $n; $got += $n; syswrite(STDOUT, $d); }
"""
_BASH = """
if [ "$1" = 0 ]; then while IFS= read -r l; do printf '%s\\n' "$l"; done < /proc/net/tcp
  [ -r /proc/net/tcp6 ] && while IFS= read -r l; do printf '%s\\n' "$l"; done < /proc/net/tcp6; exit 0; fi
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
printf '+'; cat >&3; timeout "$2" head -c 65536 <&3; exit 0
"""
_SH = """
if [ "$1" = 0 ]; then cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; exit 0; fi
nc -z 127.0.0.1 "$1" 2>/dev/null || nc 127.0.0.1 "$1" < /dev/null > /dev/null 2>&1 || exit 7
printf '+'; (cat; sleep "$2") | nc -w "$2" 127.0.0.1 "$1" | head -c 65536; exit 0
"""
_TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("python3", ("-c", _PYTHON)),
    ("node", ("-e", _NODE)),
    ("perl", ("-e", _PERL)),
    ("bash", ("-c", _BASH, "bash")),
    ("nc", ("-c", _SH, "sh")),
)


class Helper:
    """A container beside the one that is looked at, in the same network, with the tools of another image."""

    def __init__(self, engine: Engine, container: str, image: str, tool: str, path: str, run: str) -> None:
        self.engine = engine
        self.container = container
        self.image = image
        self.arguments = dict(_TOOLS)[tool]
        self.path = path
        self.run = run
        self.how = f"from a container beside it ({tool})"

    @classmethod
    def open(cls, engine: Engine, container: str, image: str, programs: dict[str, str], run: str) -> Helper | None:
        """None where ``image`` has no program that could speak, or the engine cannot share a network.

        ``programs``: name to absolute path of what the image has.
        """
        for tool, _ in _TOOLS:
            # nc is no interpreter: the shell runs it.
            path = programs.get(tool)
            if path is not None and tool == "nc":
                path = programs.get("sh")
            if path is not None:
                helper = cls(engine, container, image, tool, path, run)
                try:
                    if helper.listening() is not None:
                        return helper
                except EngineProblem:
                    return None
        return None

    def exchange(self, port: int, request: bytes, timeout: float) -> bytes | None:
        _, data = self._call(port, timeout, request)
        return data[1:] if data.startswith(b"+") else None

    def listening(self) -> frozenset[int] | None:
        status, data = self._call(0, 5.0, b"")
        return frozenset(listening_ports(data.decode("ascii", "replace"))) if status == 0 else None

    def _call(self, port: int, timeout: float, input: bytes) -> tuple[int, bytes]:
        name = f"{self.container[:40]}-helper-{os.urandom(3).hex()}"
        request = RunRequest(
            self.image,
            name,
            self.run,
            hostname=None,
            entrypoint=self.path,
            command=(*self.arguments, str(port), str(max(1, round(timeout)))),
            memory=256 << 20,
            pids=64,
        )
        return self.engine.call(request, self.container, timeout + 20, input)


def listening_ports(text: str) -> Iterator[int]:
    """The ports in LISTEN state (0A) of /proc/net/tcp and tcp6 (proc_net_tcp.rst of the Linux kernel)."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A" and ":" in fields[1]:
            try:
                yield int(fields[1].rpartition(":")[2], 16)
            except ValueError:
                continue
