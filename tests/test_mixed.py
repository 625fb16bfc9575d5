"""Stages with a front end beside a program of another language: what they become, and what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run


def front_end(folder: str = "web", **manifest: object) -> dict[str, str]:
    """A project of Vite in a folder of the context."""
    wanted = {"devDependencies": {"vite": "^6.0.0"}}
    own = {"name": "web", "scripts": {"build": "vite build"}, **wanted, **manifest}
    packages = {"": wanted, "node_modules/vite": {"version": "6.0.0", "dev": True}}
    files = {
        "package.json": json.dumps(own),
        "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages}),
        "src/main.js": "console.log(1)\n",
    }
    return {f"{folder}/{name}" if folder else name: text for name, text in files.items()}


SERVER = """package main

import "net/http"

func main() { http.ListenAndServe(":80", http.FileServer(http.Dir("web/dist"))) }
"""
GO = {**front_end(), "go.mod": "module example.org/a\n\ngo 1.22\n", "main.go": SERVER}
BUILT_BY_GO = """
FROM golang:1.22-bookworm
RUN apt-get update && apt-get install -y nodejs npm
WORKDIR /src
COPY . .
RUN cd web && npm ci && npm run build
RUN go build -o /server .
CMD ["/server"]
"""


def after(text: str, files: Mapping[str, str]) -> str:
    return run(text, files).after.decode()


def test_a_go_program_gets_its_files_from_the_stage_that_made_them() -> None:
    result = after(BUILT_BY_GO, GO)
    assets, builder, runner = result.split("\n\nFROM ")
    assert assets.startswith("FROM node:18 AS assets\nWORKDIR /src\n")
    assert "npm run build" in assets
    assert "node" not in builder.replace("assets", "")
    assert runner.startswith("gcr.io/distroless/static")
    assert "COPY --from=assets /src/web/dist ./web/dist" in runner


DJANGO = {
    **front_end(),
    "requirements.txt": "django==5.0\ngunicorn==23.0.0\npsycopg2==2.9.9\n",
    "manage.py": "import sys\n\nfrom django.core.management import execute_from_command_line\n",
    "shop/__init__.py": "",
    "shop/settings.py": "STATICFILES_DIRS = ['web/dist']\nSTATIC_ROOT = 'static'\n",
    "shop/wsgi.py": "application = None\n",
}
SERVED_BY_DJANGO = """
FROM python:3.11-bookworm
RUN curl -fsSL https://deb.nodesource.com/setup_22.x | bash - && apt-get install -y nodejs gcc libpq-dev
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
RUN cd web && npm ci && npm run build
RUN python manage.py collectstatic --noinput
CMD ["gunicorn", "shop.wsgi"]
"""


def test_static_files_are_collected_when_the_front_end_is_there() -> None:
    result = after(SERVED_BY_DJANGO, DJANGO)
    assert result.startswith("FROM node:22 AS assets\n")
    assert "RUN apt-get update && apt-get install -y gcc libpq-dev" in result, "the archive's script fetched the lists"
    assert "nodesource" not in result
    runner = result.rpartition("\n\nFROM ")[2]
    assert "COPY . .\nCOPY --from=assets /app/web/dist ./web/dist\nRUN python manage.py collectstatic" in runner


LARAVEL = {
    **front_end("", devDependencies={"vite": "^6.0.0", "laravel-vite-plugin": "^1.0.0"}),
    "vite.config.js": "export default { plugins: [laravel({ input: ['resources/js/app.js'] })] }\n",
    "artisan": "#!/usr/bin/env php\n<?php\n",
    "public/index.php": "<?php\n",
    "app/User.php": "<?php\n",
    "composer.json": '{"require": {"laravel/framework": "^11"}}',
    "composer.lock": '{"packages": [{"name": "laravel/framework"}]}',
}
SERVED_BY_PHP = """
FROM php:8.3-apache-bookworm
RUN apt-get update && apt-get install -y git unzip libpng-dev && docker-php-ext-install gd
COPY --from=node:22 /usr/local/bin /usr/local/bin
COPY --from=node:22 /usr/local/lib/node_modules /usr/local/lib/node_modules
COPY --from=composer:2 /usr/bin/composer /usr/bin/composer
WORKDIR /var/www/html
COPY . .
ENV APP_ENV=production
RUN composer install --no-dev && npm ci && npm run build
"""


def test_laravel_gets_packages_and_front_end_from_stages_of_their_own() -> None:
    result = after(SERVED_BY_PHP, LARAVEL)
    assets, builder, runner = result.split("\n\nFROM ")
    assert "COPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build" in assets
    assert "COPY --from=node" not in result
    assert "COPY composer.json composer.lock ./\nRUN composer install --no-dev\n" in builder
    assert "npm" not in builder
    assert "COPY --from=assets /var/www/html/public/build ./public/build" in runner


def test_laravel_mix_writes_to_public() -> None:
    files = {**LARAVEL, **front_end("", scripts={"build": "mix --production"}), "webpack.mix.js": "mix.js('a', 'b');\n"}
    assert "COPY --from=assets /var/www/html/public ./public" in after(SERVED_BY_PHP, files)
    files["webpack.mix.js"] = "mix.setPublicPath('web/dist').js('a', 'b');\n"
    assert "COPY --from=assets /var/www/html/web/dist ./web/dist" in after(SERVED_BY_PHP, files)


RAILS = {
    **front_end(""),
    "Gemfile": "source 'https://rubygems.org'\ngem 'rails'\ngem 'pg'\ngem 'puma'\n",
    "Gemfile.lock": "GEM\n  remote: https://rubygems.org/\n  specs:\n    pg (1.5.0)\n    puma (6.0.0)\n"
    "    rails (7.1.0)\n    uglifier (4.2.0)\n      execjs (>= 0.3.0)\n    execjs (2.8.1)\n"
    "\nPLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n  pg\n  puma\n  rails\n",
    "config.ru": "run Rails.application\n",
    "config/application.rb": "require 'rails'\n",
}
SERVED_BY_RAILS = """
FROM ruby:3.3-bookworm
RUN apt-get update && apt-get install -y nodejs npm libpq-dev
WORKDIR /rails
ENV RAILS_ENV=production
COPY Gemfile Gemfile.lock ./
RUN bundle install
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN bundle exec rails assets:precompile
CMD ["bundle", "exec", "rails", "server"]
"""


def test_rails_calls_node_itself_in_its_builder() -> None:
    result = after(SERVED_BY_RAILS, RAILS)
    builder, runner = result.split("\n\nFROM ")
    assert "RUN rm -rf /rails/node_modules" in builder
    assert "nodejs" in builder
    assert "nodejs" not in runner
    assert "libpq5" in runner


def test_a_gem_that_looks_for_node_keeps_it() -> None:
    files = {**RAILS, "Gemfile.lock": RAILS["Gemfile.lock"].replace("  rails\n", "  rails\n  uglifier\n")}
    assert "Gemfile.lock has execjs" in refusal(SERVED_BY_RAILS, files)


def test_its_stage_stands_where_the_image_did() -> None:
    text = SERVED_BY_PHP.replace("WORKDIR /var/www/html\n", "").replace("COPY . .", "COPY --chown=www-data . .")
    text = text.replace("ENV APP", "ARG API\nENV APP").replace("npm run", "VITE_API=$API npm run")
    assets = after(text, LARAVEL).partition("\n\nFROM ")[0]
    assert assets.startswith("FROM node:22 AS assets\nWORKDIR /var/www/html\n")
    assert "COPY . .\n" in assets, "without the owner: a user of PHP's image"
    assert "ARG API\n" in assets
    assert "APP_ENV" not in assets


@pytest.mark.parametrize(
    ("files", "copied"),
    [
        ({}, "COPY web ./web"),
        ({"web/vite.config.js": "export default { build: { outDir: '../static' } }\n"}, "COPY web ./web"),
        ({"web/tailwind.config.js": "export default { content: ['../templates/*.html'] }\n"}, "COPY . ."),
        ({"web/tsconfig.json": '{"extends": "../tsconfig.json"}'}, "COPY . ."),
        ({"web/vite.config.js": "export default { envDir: path.resolve(__dirname, '..') }\n"}, "COPY . ."),
    ],
)
def test_an_edit_of_the_program_builds_no_front_end(files: dict[str, str], copied: str) -> None:
    assets = after(BUILT_BY_GO, {**GO, **files}).partition("\n\nFROM ")[0]
    assert f"\n{copied}\n" in assets


def test_what_is_compiled_on_alpine_stays() -> None:
    lock = json.loads(GO["web/package-lock.json"])
    lock["packages"]["node_modules/better-sqlite3"] = {"version": "11.0.0", "hasInstallScript": True}
    text = BUILT_BY_GO.replace("1.22-bookworm", "1.22-alpine3.21").replace(
        "apt-get update && apt-get install -y", "apk add"
    )
    files = {**GO, "web/package-lock.json": json.dumps(lock)}
    assert "FROM node:22-alpine AS assets" in after(text, GO)
    assert any("better-sqlite3 may be compiled" in one.because for one in run(text, files).refused)


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({}, {"main.go": SERVER + "// exec\nvar _ = exec.Command(\"node\", \"x.js\")\n"}, "main.go:7 starts Node"),
        ({}, {"page.html": "<script src='/node_modules/a.js'></script>"}, "page.html:1 names node_modules"),
        ({"nodejs npm": "git", "RUN cd": "COPY --from=tools /node /usr/local/bin/node\nRUN cd"}, {},
         "nothing says which version of Node builds the front end"),
        ({"build\nRUN go": "build && cd .. && go", "RUN cd": "RUN --network=host cd"}, {}, "with options"),
        ({"COPY . .\n": "COPY . .\nUSER 1000\n"}, {}, "built as the user of line 5"),
        ({"RUN cd": "RUN ./web/build.sh\nRUN cd"}, {"web/build.sh": "#!/bin/sh\nfrobnicate\n"}, "frobnicate"),
        ({}, {"main.go": SERVER + "//go:generate npm run build\n"}, "main.go:6 starts Node"),
        ({"RUN cd web &&": "RUN cd web && cp .env.example .env &&"}, {"web/.env.example": "VITE_A=1\n"}, ""),
    ],
)  # fmt: skip
def test_what_keeps_a_front_end_in_its_stage(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = BUILT_BY_GO
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    found = run(text, {**GO, **files})
    reasons = [one.because for one in found.refused if "build-assets-apart" in (one.codemod, *one.others)]
    if reason:
        assert any(reason in because for because in reasons), reasons
        assert "AS assets" not in found.after.decode()
    else:
        assert "cp .env.example .env" in found.after.decode().partition("\n\nFROM ")[0]


def test_a_script_of_several_lines_keeps_the_stage_as_it_is() -> None:
    text = BUILT_BY_GO.replace("RUN cd web && npm ci && npm run build", "RUN <<EOF\ncd web\nnpm ci\nnpm run build\nEOF")
    assert "runs `npm ci`, and what that builds is not known" in refusal(text, GO)
