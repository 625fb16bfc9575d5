"""GitHub's fake behind a real socket, with many repositories, for bots that run in processes of their own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import httpx

from tests.forge.fake import GitHubFake


class ForgeServer:
    """Serves ``forges`` by their names at :attr:`url` for as long as it is entered; one request at a time."""

    def __init__(self, forges: dict[str, GitHubFake]) -> None:
        self.forges = forges
        self.failures: list[str] = []
        """What the fakes found wrong with requests."""
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = httpx.Request(self.command, f"{outer.url}{self.path}", headers=[*self.headers.items()])
                request = httpx.Request(self.command, request.url, headers=request.headers, content=content)
                answer = outer.answer(request)
                self.send_response(answer.status_code)
                for name in ("content-type", "link"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_one

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Bots are killed while they listen."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.split("/")
        name = "/".join(parts[2:4]) if parts[1] == "repos" else next(iter(self.forges))
        with self._lock:
            forge = self.forges.get(name)
            if forge is None:
                return httpx.Response(404, json={"message": "Not Found"})
            try:
                return forge.answer(request)
            except Exception as error:
                self.failures.append(f"{request.method} {request.url.path}: {type(error).__name__}: {error}")
                return httpx.Response(400, json={"message": str(error)})

    def open_pulls(self) -> int:
        with self._lock:
            return sum(pull.state == "open" for forge in self.forges.values() for pull in forge.world.pulls)

    def writes(self) -> int:
        return sum(len(forge.world.writes) for forge in self.forges.values())

    def __enter__(self) -> ForgeServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
