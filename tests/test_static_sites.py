"""Front ends that nginx can serve: which folder, which port, and what makes the development server more than that."""

from __future__ import annotations

import json
import re

import pytest

from refactor import BuildContext, Change, fix

SOURCE = "FROM node:22\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\n{more}CMD {cmd}\n"


def project(scripts: dict[str, str], *packages: str, **more: object) -> dict[str, str]:
    wanted = dict.fromkeys(packages, "1")
    package = {"scripts": scripts, "dependencies": wanted, **more}
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": wanted}}}
    return {
        "package.json": json.dumps(package),
        "package-lock.json": json.dumps(lock),
        "index.html": "<p>",
        "src/a.js": "",
    }


def run(files: dict[str, str], cmd: str = '["npm", "start"]', more: str = "") -> Change:
    source = SOURCE.format(cmd=cmd, more=more).encode()
    change = fix(source, BuildContext.of(files), select=["serve-static-files"])
    assert change.failure is None
    return change


CRA = {"start": "react-scripts start", "build": "react-scripts build"}
VITE = {"start": "vite", "build": "vite build"}
VUE = {"start": "vue-cli-service serve", "build": "vue-cli-service build"}
NG = {"start": "ng serve --host 0.0.0.0", "build": "ng build"}
ANGULAR = '{"projects": {"shop": {"architect": {"build": {"builder": "%s", "options": {"outputPath": "dist/shop"}}}}}}'
APPLICATION = ANGULAR % "@angular-devkit/build-angular:application"
BROWSER = ANGULAR % "@angular-devkit/build-angular:browser"
ASTRO = {"start": "astro dev --host", "build": "astro build"}
SERVE = {"start": "serve -s build -l 4000", "build": "react-scripts build"}
EXPORT = "module.exports = {output: 'export'}\n"
BUILD = "RUN npm run build\n"


@pytest.mark.parametrize(
    ("files", "more", "folder", "port", "is_single_page", "hashed"),
    [
        (project(CRA, "react-scripts"), "", "/app/build", 3000, True, "/static/"),
        (
            project({**CRA, "start": "PORT=8000 react-scripts start"}, "react-scripts"),
            "",
            "/app/build",
            8000,
            True,
            "/static/",
        ),
        (project(CRA, "react-scripts"), "ENV PORT=8001\n", "/app/build", 8001, True, "/static/"),
        (project(VITE, "vite"), "", "/app/dist", 5173, True, "/assets/"),
        ({**project(VITE, "vite"), "public/assets/logo.png": ""}, "", "/app/dist", 5173, True, ""),
        (
            {**project(VITE, "vite"), "vite.config.ts": "export default {server: {port: 80}, build: {outDir: 'out'}}"},
            *("", "/app/out", 80, True, "/assets/"),
        ),
        (project({**VITE, "start": "vite preview --port 9000"}, "vite"), BUILD, "/app/dist", 9000, True, "/assets/"),
        (project({**VITE, "start": "vite preview"}, "vite"), BUILD, "/app/dist", 4173, True, "/assets/"),
        (project(VUE, "@vue/cli-service"), "", "/app/dist", 8080, True, "~ ^/(?:js|css)/"),
        ({**project(NG, "@angular/cli"), "angular.json": APPLICATION}, "", "/app/dist/shop/browser", 4200, True, ""),
        ({**project(NG, "@angular/cli"), "angular.json": BROWSER}, "", "/app/dist/shop", 4200, True, ""),
        (project(ASTRO, "astro"), "", "/app/dist", 4321, False, "/_astro/"),
        (project(SERVE, "serve", "react-scripts"), BUILD, "/app/build", 4000, True, "/static/"),
        (
            {**project({"start": "next dev -p 3001", "build": "next build"}, "next"), "next.config.js": EXPORT},
            *("", "/app/out", 3001, False, "/_next/static/"),
        ),
        (
            project({"start": "http-server dist/shop/browser", "build": "ng build"}, "@angular/cli"),
            *(BUILD, "/app/dist/shop/browser", 8080, False, ""),
        ),
    ],
)
def test_served_as_before(
    files: dict[str, str], more: str, folder: str, port: int, is_single_page: bool, hashed: str
) -> None:
    change = run(files, more=more)
    assert change.applied, change.refused
    after = change.after.decode()
    assert f"COPY --from=builder {folder} /usr/share/nginx/html\n" in after
    assert after.count("npm run build") == 1
    assert ("USER 101" in after) == (port >= 1024)
    [conf] = change.files
    text = conf.after.decode()
    assert f"listen {port};" in text
    assert ("$uri $uri/ /index.html" in text) == is_single_page
    assert re.findall(r"location (\S.*) \{", text) == [*([hashed] if hashed else []), "/"]
    assert not fix(change.after, BuildContext.of({**files, "nginx.conf": text}), select=["serve-static-files"]).applied


@pytest.mark.parametrize(
    ("files", "more", "because"),
    [
        ({**project(CRA, "react-scripts"), "src/setupProxy.js": ""}, "", "src/setupProxy.js"),
        (project(CRA, "react-scripts", proxy="http://api"), "", '"proxy"'),
        (project(CRA, "react-scripts", homepage="https://a.b/shop"), "", "serves below /shop"),
        ({**project(CRA, "react-scripts"), ".env.development": "A=1"}, "", ".env.development has settings"),
        ({**project(VITE, "vite"), "vite.config.js": "export default {base: '/shop/'}"}, "", "another address than /"),
        ({**project(VITE, "vite"), "vite.config.js": "x({configureServer(s) {}})"}, "", "`configureServer`"),
        ({**project(VITE, "vite"), "vite.config.js": "x({server: {port: PORT}})"}, "", "the port"),
        (project(VITE, "vite", "@sveltejs/kit"), "", "SvelteKit"),
        ({**project(NG, "@angular/cli"), "angular.json": '{"a": {"proxyConfig": "p.json"}}'}, "", "`proxy`"),
        ({**project(ASTRO, "astro"), "astro.config.mjs": "x({output: 'server'})"}, "", "another `output`"),
        ({**project(SERVE, "serve", "react-scripts"), "serve.json": "{}"}, BUILD, "serve.json"),
        (project({**SERVE, "start": "serve -s build"}, "serve", "react-scripts"), BUILD, "names no port"),
        (project(VITE, "vite"), "HEALTHCHECK CMD curl localhost:5173\n", "HEALTHCHECK"),
        (project(VITE, "vite"), 'ENTRYPOINT ["./entry.sh"]\n', "ENTRYPOINT"),
        (project(VITE, "vite"), "USER node\n", "would run as this user"),
        (project(VITE, "vite"), "RUN npm run build\nENV VITE_A=1\n", "behind the RUN that builds"),
        ({**project(VITE, "vite"), "nginx.conf": "x", "static.nginx.conf": "y"}, "", "has no place"),
        ({**project(VITE, "vite"), ".dockerignore": "*.conf\n"}, "", "has no place"),
        (
            {**project(VITE, "vite"), "compose.yaml": "services: {a: {build: ., command: npm t}}"},
            "",
            "command of its own",
        ),
    ],
)
def test_refused_by_name(files: dict[str, str], more: str, because: str) -> None:
    change = run(files, more=more)
    assert not change.applied
    reasons = [refusal.because for refusal in change.refused]
    assert any(because in reason for reason in reasons) or (because == "ENTRYPOINT" and not reasons), reasons


@pytest.mark.parametrize("cmd", ['["node", "server.js"]', '["npx", "next", "start"]', '["npm", "run", "missing"]'])
def test_other_programs_are_none_of_its_business(cmd: str) -> None:
    change = run({**project(VITE, "vite"), "server.js": ""}, cmd)
    assert not change.applied
    assert not change.refused


def test_a_source_that_asks_for_development_makes_it_a_suggestion() -> None:
    files = {**project(VITE, "vite"), "src/api.js": "const url = import.meta.env.DEV ? 'http://api' : '/api'\n"}
    change = run(files)
    assert not change.applied
    [finding] = change.suggested
    assert any("src/api.js has import.meta.env.DEV" in fact for fact in finding.evidence)


def test_another_configuration_of_that_name_stays() -> None:
    change = run({**project(VITE, "vite"), "nginx.conf": "events {}\n"})
    assert [file.path for file in change.files] == ["static.nginx.conf"]
    assert b"COPY static.nginx.conf /etc/nginx/nginx.conf\n" in change.after


def test_a_second_dockerfile_takes_the_configuration_that_is_there() -> None:
    files = project(VITE, "vite")
    [conf] = run(files).files
    change = run({**files, "nginx.conf": conf.after.decode()})
    assert change.applied
    assert not change.files
