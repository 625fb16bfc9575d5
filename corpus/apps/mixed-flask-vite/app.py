import os

from flask import Flask, render_template

app = Flask(__name__)
BERTHS = ("North", "Quay", "Sluice")


@app.get("/")
def harbour_map() -> str:
    script = os.path.join(app.static_folder or "static", "map", "map.js")
    return render_template("map.html", berths=BERTHS, size=os.path.getsize(script))
