import subprocess

from flask import Flask

app = Flask(__name__)


@app.get("/<place>")
def page(place: str) -> str:
    done = subprocess.run(["node", "web/dist/page.js", place], capture_output=True, text=True, check=True)
    return done.stdout
