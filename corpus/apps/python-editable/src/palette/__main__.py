import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import webcolors

FAVOURITES = Path(__file__).parent / "data" / "favourites.txt"


def name_of(colour: str) -> str:
    try:
        return webcolors.hex_to_name(f"#{colour}")
    except ValueError:
        return "a colour without a name"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        colours = FAVOURITES.read_text().split()
        body = "palette: " + ", ".join(f"{colour} is {name_of(colour)}" for colour in colours) + "\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
