"""use-production-server"""

from __future__ import annotations

from collections.abc import Iterator

from refactor import (
    Aspect,
    BuildContext,
    Codemod,
    Dockerfile,
    Finding,
    Phase,
    Refusal,
    Refused,
    Replace,
    Safety,
    StageReading,
    is_within,
    leaves,
    recognise,
    refuse,
    rewrites,
)

FLASK = {
    "app.py": "from flask import Flask\n\napp = Flask(__name__)\n",
    "requirements.txt": "flask\ngunicorn\n",
}
DJANGO = {
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "shop/__init__.py": "",
    "shop/settings.py": "INSTALLED_APPS = ['django.contrib.auth']\n",
    "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n",
    "requirements.txt": "django\ngunicorn\n",
}


class UseProductionServer(Codemod):
    """Serve an application with a server that is made for that.

    Why
    ---
    `flask run` and `manage.py runserver` say it themselves: do not use them in production. They answer without limits
    of time and size, show their insides where something fails, and watch files that do not change in an image.

    What it does
    ------------
    Starts the same application on the same address with gunicorn or waitress where one of them is installed already:
    in place of `flask run`, `python app.py` that ends in `app.run(...)`, and `manage.py runserver`. Leaves `--reload`
    out of uvicorn, gunicorn and their like, and writes `fastapi run` for `fastapi dev`.

    When it refuses
    ---------------
    When no such server is installed (it says what to add), when the program does more than serve, when Django serves
    static files itself, and when Compose mounts the sources, which is meant for development.

    Safety
    ------
    REVIEW: another server answers; the source of the application and the manifest are the evidence.
    """

    phase = Phase.RUNTIME
    safety = Safety.REVIEW
    may_change = frozenset({Aspect.CMD, Aspect.ENTRYPOINT})
    examples = (
        rewrites(
            "flask run, with gunicorn among the requirements",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["flask", "run", "--host=0.0.0.0", "--debug"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["gunicorn", "--bind", "0.0.0.0:5000", "--threads", "8", "app:app"]
            """,
            files=FLASK,
        ),
        rewrites(
            "app.run at the end of a file",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install flask waitress
            CMD python app.py
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install flask waitress
            CMD ["waitress-serve", "--listen=0.0.0.0:8080", "app:app"]
            """,
            files={
                "app.py": FLASK["app.py"] + "\nif __name__ == '__main__':\n    app.run(host='0.0.0.0', port=8080)\n"
            },
        ),
        rewrites(
            "ENTRYPOINT is the interpreter",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            ENTRYPOINT ["python"]
            CMD ["app.py"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            ENTRYPOINT ["python"]
            CMD ["-m", "gunicorn", "--bind", "127.0.0.1:5000", "--threads", "8", "app:app"]
            """,
            files={**FLASK, "app.py": FLASK["app.py"] + "\nif __name__ == '__main__':\n    app.run(debug=True)\n"},
        ),
        rewrites(
            "Django's runserver",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["python", "manage.py", "runserver", "0.0.0.0:8000"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--threads", "8", "shop.wsgi:application"]
            """,
            files=DJANGO,
        ),
        rewrites(
            "uvicorn that reloads",
            before="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            CMD ["uvicorn", "main:app", "--reload", "--reload-dir", "src", "--port", "80"]
            """,
            after="""
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            CMD ["uvicorn", "main:app", "--port", "80"]
            """,
            files={"main.py": "app = None\n"},
        ),
        leaves(
            "no server is installed",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["flask", "run", "--host=0.0.0.0"]
            """,
            files={**FLASK, "requirements.txt": "flask\n"},
            because="is a development server; no server for production is installed",
        ),
        leaves(
            "the program prepares something before it serves",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["python", "app.py"]
            """,
            files={**FLASK, "app.py": FLASK["app.py"] + "\nif __name__ == '__main__':\n    prepare()\n    app.run()\n"},
            because="does more than run the application",
        ),
        leaves(
            "Django serves static files",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["python", "manage.py", "runserver", "0.0.0.0:8000"]
            """,
            files={**DJANGO, "shop/settings.py": "INSTALLED_APPS = ['django.contrib.staticfiles']\n"},
            because="django.contrib.staticfiles",
        ),
        leaves(
            "Compose mounts the sources",
            """
            FROM python:3.12-slim
            WORKDIR /app
            COPY . .
            RUN pip install -r requirements.txt
            CMD ["flask", "run", "--host=0.0.0.0"]
            """,
            files={**FLASK, "compose.yaml": "services:\n  web:\n    build: .\n    volumes: ['.:/app']\n"},
            because="the image is meant for development",
        ),
        leaves(
            "PHP's own web server",
            """
            FROM php:8.3-cli
            WORKDIR /app
            COPY . .
            CMD ["php", "-S", "0.0.0.0:8000"]
            """,
            files={"index.php": ""},
            because="PHP's own web server, a development server",
        ),
    )

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding | Refusal]:
        for stage in file.stages[-1:]:
            reading = StageReading.of(file, stage, context)
            start = reading.start
            if start is None:
                continue
            node = start.nodes[-1]
            for language in recognise(reading):
                answer = language.production_server(reading)
                if answer is None:
                    continue
                mount = next((one for one in context.deployment.mounts if is_within(reading.final_workdir, one)), None)
                if mount is not None:
                    where = context.deployment.named_by("mounts")
                    yield refuse(
                        node,
                        f"{where} mounts {mount} over the sources: the image is meant for development",
                        "build another stage for production, with a server that is made for that",
                    )
                elif isinstance(answer, Refused):
                    yield refuse(node, answer.because, answer.hint)
                else:
                    import json

                    words = json.dumps(list(answer.words), ensure_ascii=False)
                    yield Finding(
                        answer.node,
                        f"serve with `{' '.join(answer.words)}`",
                        [Replace(answer.node, [answer.node.with_argument(words)])],
                        why="a development server is made for one developer, and watches files that do not change",
                        evidence=answer.evidence,
                    )
