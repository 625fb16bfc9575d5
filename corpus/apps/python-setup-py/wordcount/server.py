import argparse
import signal
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import waitress
from bottle import Bottle, request

STOPWORDS = set((Path(__file__).parent / "stopwords.txt").read_text().split())
app = Bottle()


@app.get("/")
def index():
    return f"wordcount {version('wordcount')} is running\n"


@app.post("/")
def count():
    words = request.body.read().decode("utf-8", "replace").lower().split()
    return dict(Counter(word for word in words if word not in STOPWORDS).most_common(10))


def main():
    parser = argparse.ArgumentParser(description="Counts words over HTTP")
    parser.add_argument("--port", type=int, default=8000)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(app, host="0.0.0.0", port=parser.parse_args().port)


if __name__ == "__main__":
    main()
