"""PHP stages: what they become, and what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.taken_apart import refusal, run, stages

SERVER = """
FROM php:8.2-cli-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git unzip libzip-dev && rm -rf /var/lib/apt/lists/*
RUN docker-php-ext-install zip
COPY --from=composer:2 /usr/bin/composer /usr/bin/composer
WORKDIR /app
COPY . .
RUN composer install
CMD ["php", "server.php"]
"""
LOCK: dict[str, object] = {"packages": [{"name": "monolog/monolog"}], "packages-dev": []}


def project(
    code: str = "", lock: object = LOCK, files: Mapping[str, str] | None = None, **manifest: object
) -> dict[str, str]:
    own = {"require": {"monolog/monolog": "^3"}, "autoload": {"psr-4": {"App\\": "src/"}}, **manifest}
    found = {"composer.json": json.dumps(own), "composer.lock": json.dumps(lock), **(files or {})}
    return {**found, "server.php": f"<?php\n{code}\n", "src/A.php": "<?php\nnamespace App;\nclass A {}\n"}


def test_extensions_are_built_once_and_composer_stays_behind() -> None:
    builder, runner = stages(SERVER, project())
    assert "COPY composer.json composer.lock ./\nRUN composer install\nCOPY . ." in builder.replace("\n\n", "\n")
    assert (
        runner
        == """\
FROM php:8.2-cli-bookworm AS runner
RUN apt-get update \\
    && apt-get install -y --no-install-recommends libzip4 \\
    && rm -rf /var/lib/apt/lists/*
RUN groupadd -r -g 10001 app \\
    && useradd --no-log-init -r -u 10001 -g app app
WORKDIR /app
COPY --from=builder /usr/local/lib/php/extensions /usr/local/lib/php/extensions
COPY --from=builder /usr/local/etc/php/conf.d /usr/local/etc/php/conf.d
COPY --from=builder /app .
USER 10001:10001
CMD ["php", "server.php"]
"""
    )


@pytest.mark.parametrize(
    ("manifest", "words", "later"),
    [
        ({"scripts": {"post-install-cmd": ["@php a"]}}, "",
         "composer dump-autoload \\\n    && composer run-script post-install-cmd"),
        ({"scripts": {"post-autoload-dump": ["@php a"]}}, "", "composer dump-autoload"),
        ({"autoload": {"classmap": ["src"]}}, " --no-dev", "composer dump-autoload --no-dev"),
        ({}, " -o --no-dev", "composer dump-autoload -o --no-dev"),
    ],
)  # fmt: skip
def test_what_reads_the_sources_comes_behind_them(manifest: dict[str, object], words: str, later: str) -> None:
    builder, _ = stages(SERVER.replace("composer install", f"composer install{words}"), project(**manifest))
    kept = words.replace(" -o", "")
    assert f"RUN composer install{kept} --no-scripts --no-autoloader\n" in builder
    assert " ".join(builder.split()).endswith(f"COPY . . RUN {' '.join(later.split())}".replace("\\ ", "")), builder[
        -200:
    ]


APACHE = """
FROM php:8.2-apache-bookworm
RUN apt-get update && apt-get install -y libpng-dev && docker-php-ext-install gd && a2enmod rewrite && mkdir -p /data
RUN sed -ri -e 's!/var/www/html!/var/www/html/public!g' /etc/apache2/sites-available/*.conf
COPY . /var/www/html
"""


def test_apache_is_set_up_in_the_runner() -> None:
    _, runner = stages(APACHE, {"public/index.php": "<?php echo 1;\n", "src/a.php": "<?php\n"})
    assert "libpng16-16 " in runner
    assert "RUN a2enmod rewrite \\\n    && mkdir -p /data\n" in runner
    assert "/etc/apache2/sites-available/*.conf" in runner
    assert "COPY . /var/www/html" in runner
    assert "CMD" not in runner


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({}, project("exec($x);"), "server.php:2 starts what only the running program knows"),
        ({" git unzip libzip-dev": " curl"}, project(), "no packages that only its build needs"),
        ({"php:8.2-cli-bookworm": "debian:12"}, project(), "is no image of PHP"),
        ({"docker-php-ext-install zip": "install-php-extensions zip"}, project(), "install-php-extensions"),
        ({'"server.php"': '"missing.php"'}, project(), "missing.php"),
        ({'"php", "server.php"': '"composer", "serve"'}, project(), "calls composer at every start"),
        ({"WORKDIR /app": "WORKDIR /"}, project(), "lies in /"),
    ],
)
def test_what_is_not_known_is_refused_by_name(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = SERVER
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    assert reason in refusal(text, files)


def test_packages_from_a_folder_keep_their_place() -> None:
    files = project(repositories=[{"type": "path", "url": "packages/*"}])
    change = run(SERVER, files)
    assert any("packages/*" in one.because for one in change.refused if one.codemod == "copy-manifests-first")
    assert "COPY . .\nRUN composer install\n" in change.after.decode()


@pytest.mark.parametrize(
    ("code", "owned"),
    [
        ("file_put_contents('data/a.txt', 1);", "/app/data"),
        ("file_put_contents(__DIR__ . '/data/a.txt', 1);", "/app/data"),
        ("fopen('logs/x', 'a');", "/app/logs"),
        ("fopen('logs/x', 'r');", ""),
        ("new PDO('sqlite:db/shop.sqlite');", "/app/db"),
        ("file_put_contents($path, 1);", None),
        ("// file_put_contents($path, 1);", ""),
        ("mkdir('uploads/' . $day);", "/app/uploads"),
    ],
)
def test_where_a_program_writes(code: str, owned: str | None) -> None:
    after = run(SERVER, project(code)).after.decode()
    if owned is None:
        assert "USER" not in after
    else:
        assert (f"chown app:app {owned}\n" in after) if owned else ("chown" not in after)
        assert "USER 10001:10001" in after


def test_packages_for_development_are_left_out_of_a_production_image() -> None:
    development = {"name": "fakerphp/faker", "autoload": {"psr-4": {"Faker\\": "src/"}}}
    lock = {**LOCK, "packages-dev": [development]}
    text = SERVER.replace("WORKDIR", "ENV APP_ENV=prod\nWORKDIR")
    builder, _ = stages(text, project(lock=lock))
    assert "RUN composer install --no-dev\n" in builder
    assert "nothing says that the image is for production" in str(run(SERVER, project(lock=lock)).refused)
    assert "server.php uses Faker" in str(run(text, project("Faker\\Factory::create();", lock)).refused)
    kept = run(text, project(lock=lock, files={"tests/T.php": "<?php\nuse Faker\\Factory;\n"})).after.decode()
    assert "composer install --no-dev" in kept


def test_laravel_writes_its_folders() -> None:
    files = {"artisan": "#!/usr/bin/env php\n<?php\n", "storage/logs/.keep": "", "bootstrap/cache/.keep": ""}
    text = SERVER.replace("RUN composer install", "RUN composer install\nRUN php artisan config:cache")
    _, runner = stages(text.replace("server.php", "artisan"), project(files=files))
    assert "chown -R app:app /app/storage /app/bootstrap/cache" in runner


def test_folders_among_the_sources_are_made_for_the_build_too() -> None:
    files = {"artisan": "#!/usr/bin/env php\n<?php\n"}
    text = SERVER.replace(
        "RUN composer", "RUN mkdir -p storage/logs bootstrap/cache\nRUN php artisan optimize\nRUN composer"
    )
    builder, runner = stages(text.replace("server.php", "artisan"), project(files=files))
    assert "mkdir -p storage/logs bootstrap/cache" in builder
    assert "mkdir -p storage/logs bootstrap/cache" in runner


def test_a_development_server_is_said_to_be_one() -> None:
    text = "FROM php:8.2-cli\nWORKDIR /app\nCOPY . .\nCMD php artisan serve --host=0.0.0.0\n"
    assert "PHP's own web server" in refusal(text, project(), codemod="use-production-server")
