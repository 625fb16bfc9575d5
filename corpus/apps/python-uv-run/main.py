import os
import random
import signal
import sys

from bottle import Bottle, run

app = Bottle()
FIRST = ["An old silent pond", "Over the wintry", "The light of a lamp"]
LAST = ["Silence again", "Nothing to hear", "Snow on the mountain"]


@app.get("/")
def haiku() -> str:
    return f"a haiku of sorts:\n{random.choice(FIRST)}\nforest, winds howl in rage, and\n{random.choice(LAST)}\n"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8080")))
