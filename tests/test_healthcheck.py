"""Where a program answers that it is well: routes and ports as sources and start commands spell them out."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Thread

import pytest

from refactor import BuildContext, Serving, StageReading, parse, recognise
from refactor.ecosystems import Refused

NODE = 'FROM node:22-slim\nWORKDIR /app\nCOPY . .\n{env}CMD ["node", "server.js"]\n'
PYTHON = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\n{env}CMD {cmd}\n"


def serving(text: str, files: dict[str, str]) -> Serving | Refused | None:
    file = parse(text.encode())
    reading = StageReading.of(file, file.stages[-1], BuildContext.of(files))
    answers = [language.serving(reading) for language in recognise(reading)]
    return next((answer for answer in answers if answer is not None), None)


def node(source: str, env: str = "") -> Serving | Refused | None:
    return serving(NODE.format(env=env), {"package.json": "{}", "server.js": f"const app = express()\n{source}\n"})


@pytest.mark.parametrize(
    ("source", "route"),
    [
        ("app.get('/health', answer)", "/health"),
        ('app.get("/api/v1/healthz", (ask, answer) => {})', "/api/v1/healthz"),
        ("app.all(`/ping`, answer)", "/ping"),
        ("app.get('/status', a)\napp.get('/healthz', b)", "/healthz"),
        ("app.use('/health', (ask, answer) => answer.end())", "/health"),
        ("http.createServer((req, res) => { if (req.url === '/ready') res.end() })", "/ready"),
        ("app.use('/health', router)", None),
        ("router.get('/health', answer)", None),
        ("app.post('/health', answer)", None),
        ("// app.get('/health', answer)", None),
        ("fetch('/health')", None),
        ("app.get('/healthy-food', answer)", None),
    ],
)
def test_routes_of_node(source: str, route: str | None) -> None:
    found = node(f"{source}\napp.listen(3000)")
    assert isinstance(found, Serving if route else Refused)
    assert not isinstance(found, Serving) or found.route == route


@pytest.mark.parametrize(
    ("source", "env", "port"),
    [
        ("app.listen(3000)", "", (3000, "")),
        ("app.listen(process.env.PORT || 3000)", "", (3000, "PORT")),
        ("const port = Number(process.env.APP_PORT ?? '4000')\napp.listen(port, () => {})", "", (4000, "APP_PORT")),
        ("const port = parseInt(process.env.PORT, 10) || 8080\napp.listen(port)", "", (8080, "PORT")),
        ("app.listen({ host: '0.0.0.0', port: 5000 })", "", (5000, "")),
        ("const port = 5001\napp.listen({ port })", "", (5001, "")),
        ("app.listen(process.env.PORT)", "ENV PORT=8081\n", (8081, "PORT")),
        ("app.listen(process.env.PORT || 3000)", "ENV PORT=8081\n", (8081, "PORT")),
        ("app.listen(process.env.PORT)", "", None),
        ("app.listen(config.port)", "", None),
        ("app.listen(3000)\nadmin.listen(3001)", "", None),
        ("https.createServer(app).listen(443)", "", None),
    ],
)
def test_ports_of_node(source: str, env: str, port: tuple[int, str] | None) -> None:
    found = node(f"app.get('/health', answer)\n{source}", env)
    assert isinstance(found, Serving if port else Refused), found
    assert not isinstance(found, Serving) or (found.port.number, found.port.variable) == port


FLASK = "from flask import Flask\napp = Flask(__name__)\n@app.route('/health')\ndef health(): return ''\n"


@pytest.mark.parametrize(
    ("cmd", "more", "port"),
    [
        ('["flask", "run", "-p", "5001"]', "", (5001, "")),
        ('["flask", "run"]', "", (5000, "FLASK_RUN_PORT")),
        ('["gunicorn", "-b", "0.0.0.0:8001", "app:app"]', "", (8001, "")),
        ('["gunicorn", "--bind=:8002", "app:app"]', "", (8002, "")),
        ('["gunicorn", "app:app"]', "", (8000, "PORT")),
        ("gunicorn --bind :$PORT app:app", "", None),
        ("gunicorn --bind :${PORT:-8003} app:app", "", (8003, "PORT")),
        ('["python", "app.py"]', "app.run(port=5002)\n", (5002, "")),
        ('["python", "app.py"]', "import os\napp.run(port=int(os.environ.get('PORT', 5003)))\n", (5003, "PORT")),
        ('["python", "app.py"]', "", None),
        ('["uwsgi", "--http", ":8000", "--module", "app:app"]', "", None),
    ],
)
def test_ports_of_python(cmd: str, more: str, port: tuple[int, str] | None) -> None:
    found = serving(PYTHON.format(env="", cmd=cmd), {"requirements.txt": "flask\n", "app.py": FLASK + more})
    assert isinstance(found, Serving if port else Refused), found
    assert not isinstance(found, Serving) or (found.port.number, found.port.variable) == port


def test_pythons_probe_fails_where_the_route_does_not_answer() -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    for route, status in (("/health", 0), ("/ready", 1)):
        more = f"import os\napp.run(port=int(os.environ.get('PORT', {server.server_port})))\n"
        source = FLASK.replace("/health", route) + more
        text = PYTHON.format(env="", cmd='["python", "app.py"]')
        found = serving(text, {"requirements.txt": "", "app.py": source})
        assert isinstance(found, Serving)
        # A proxy of the environment is not asked.
        env = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
        assert subprocess.run([sys.executable, *found.probe[1:]], env=env, check=False).returncode == status
        closed = {**env, "PORT": "9"}
        assert subprocess.run([sys.executable, *found.probe[1:]], env=closed, stderr=-3, check=False).returncode == 1
    server.shutdown()


def test_a_second_application_of_the_project_is_not_the_one_that_is_started() -> None:
    other = FLASK.replace("/health", "/ping")
    files = {"requirements.txt": "", "app.py": FLASK.replace("/health", "/home"), "admin.py": other}
    text = PYTHON.format(env="", cmd='["flask", "--app", "app", "run"]')
    assert isinstance(serving(text, files), Refused)
    assert isinstance(serving(text, {**files, "app.py": FLASK}), Serving)


def test_a_mounted_application_stands_below_a_prefix() -> None:
    source = (
        "from fastapi import FastAPI\napp = FastAPI()\nsub = FastAPI()\n"
        "@sub.get('/health')\ndef health(): pass\napp.mount('/api', sub)\n"
    )
    text = PYTHON.format(env="", cmd='["uvicorn", "main:app"]')
    assert isinstance(serving(text, {"requirements.txt": "", "main.py": source}), Refused)


SETTINGS = "ROOT_URLCONF = 'shop.urls'\nALLOWED_HOSTS = ['shop.example', 'localhost', '127.0.0.1']\n"
URLS = "from django.urls import include, path\nurlpatterns = [path('a/', include('a')), path('health/', view)]\n"


@pytest.mark.parametrize(
    ("settings", "urls", "cmd", "port"),
    [
        (SETTINGS, URLS, '["gunicorn", "-b", ":8001", "shop.wsgi"]', 8001),
        (SETTINGS, URLS, '["python", "manage.py", "runserver", "0.0.0.0:8002"]', 8002),
        (SETTINGS.replace("'localhost', '127.0.0.1'", ""), URLS, '["gunicorn", "shop.wsgi"]', None),
        (SETTINGS + "ALLOWED_HOSTS = os.environ['HOSTS'].split()\n", URLS, '["gunicorn", "shop.wsgi"]', None),
        (SETTINGS + "SECURE_SSL_REDIRECT = True\n", URLS, '["gunicorn", "shop.wsgi"]', None),
        (SETTINGS, URLS.replace("view", "include('health')"), '["gunicorn", "shop.wsgi"]', None),
    ],
)
def test_django_answers_to_hosts_that_it_knows(settings: str, urls: str, cmd: str, port: int | None) -> None:
    files = {
        "requirements.txt": "django\n",
        "manage.py": "",
        "shop/__init__.py": "",
        "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\n",
        "shop/settings.py": settings,
        "shop/urls.py": urls,
    }
    found = serving(PYTHON.format(env="", cmd=cmd), files)
    assert isinstance(found, Serving if port else Refused), found
    assert not isinstance(found, Serving) or (found.route, found.port.number) == ("/health/", port)


JAVA = """FROM maven:3.9-eclipse-temurin-21 AS builder
WORKDIR /src
COPY . .
RUN mvn -q package
FROM eclipse-temurin:21-jre
COPY --from=builder /src/target/shop-1.0.jar /shop.jar
CMD ["java", "-jar", "/shop.jar"]
"""


@pytest.mark.parametrize(
    ("starters", "settings", "port"),
    [
        ("web actuator", {}, (8080, "SERVER_PORT")),
        ("web actuator", {"application.properties": "server.port=${PORT:8081}\n"}, (8081, "PORT")),
        ("web actuator", {"application.properties": "server.port = 8082\n"}, (8082, "SERVER_PORT")),
        ("web actuator", {"application.properties": "server.port=${PORT}\n"}, None),
        ("web actuator", {"application.yml": "a: 1\nserver:\n  x: 1\n  port: 8083\n"}, (8083, "SERVER_PORT")),
        ("web actuator", {"application.yml": "server:\n  servlet:\n    context-path: /shop\n"}, None),
        ("web actuator", {"application.properties": "management.server.port=9000\n"}, None),
        ("web actuator", {f"application{one}.properties": f"server.port=80{len(one)}\n" for one in ("", "-b")}, None),
        ("web actuator security", {}, None),
        ("actuator", {}, None),
        ("web", {}, None),
    ],
)
def test_springs_actuator(starters: str, settings: dict[str, str], port: tuple[int, str] | None) -> None:
    needs = "".join(
        f"<dependency><groupId>g</groupId><artifactId>spring-boot-starter-{name}</artifactId></dependency>"
        for name in starters.split()
    )
    pom = f"<artifactId>shop</artifactId><version>1.0</version><dependencies>{needs}</dependencies>"
    files = {
        "pom.xml": f"<project><groupId>g</groupId>{pom}</project>\n",
        "src/main/java/Shop.java": "class Shop {}\n",
        **{f"src/main/resources/{name}": text for name, text in settings.items()},
    }
    found = serving(JAVA, files)
    assert isinstance(found, Serving if port else Refused), found
    assert not isinstance(found, Serving) or (found.port.number, found.port.variable) == port
