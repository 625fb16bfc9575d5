from datetime import date

from flask import Flask, render_template

app = Flask(__name__)


def days_left(today: date) -> int:
    """Days until the next new year's day."""
    return (date(today.year + 1, 1, 1) - today).days


@app.route("/")
def index():
    return render_template("index.html", days=days_left(date.today()))


@app.route("/healthz")
def healthz():
    return {"status": "ok"}


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000, debug=True)
