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


def test_an_option_of_php_is_none_of_composer() -> None:
    text = SERVER.replace("composer install", "php -d memory_limit=-1 /usr/bin/composer install")
    builder, _ = stages(text, project(autoload={"classmap": ["src"]}))
    assert "composer install --no-scripts --no-autoloader\n" in builder


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
    assert "mkdir" not in runner, "they come over with the application"
    assert "COPY --from=builder --chown=10001:10001 /app ." in runner


def test_a_development_server_is_said_to_be_one() -> None:
    text = "FROM php:8.2-cli\nWORKDIR /app\nCOPY . .\nCMD php artisan serve --host=0.0.0.0\n"
    assert "PHP's own web server" in refusal(text, project(), codemod="use-production-server")


PACKAGED = """
FROM ubuntu:24.04
RUN apt-get update && apt-get install -y software-properties-common
RUN add-apt-repository -y ppa:ondrej/php && apt-get update
RUN apt-get install -y git nginx php8.4-fpm php8.4-cli php8.4-dev php-pear libevent-dev
RUN pecl install event-3.1.4 && echo "extension=event.so" > /etc/php/8.4/cli/conf.d/event.ini
COPY --from=composer:2 /usr/bin/composer /usr/local/bin/composer
COPY deploy/pool.conf /etc/php/8.4/fpm/pool.d/www.conf
RUN sed -i 's/8/4/' /etc/php/8.4/fpm/pool.d/www.conf
RUN chmod 640 /etc/php/8.4/fpm/php-fpm.conf
WORKDIR /shop
COPY . .
RUN composer install
CMD service php8.4-fpm start && nginx -c /shop/deploy/nginx.conf
"""
SERVED = project(
    files={
        "deploy/pool.conf": "pm.max_children = 8\n",
        "deploy/nginx.conf": "http {\n  server {\n    root /shop/front;\n  }\n}\n",
        "front/index.php": "<?php echo 1;\n",
    }
)


def test_php_of_packages_gets_them_from_the_same_archive() -> None:
    builder, runner = stages(PACKAGED, SERVED)
    assert (
        runner
        == """\
FROM ubuntu:24.04 AS runner
RUN apt-get update \\
    && apt-get install -y --no-install-recommends ca-certificates \\
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /etc/apt /etc/apt
RUN apt-get update \\
    && apt-get install -y \\
        nginx \\
        php8.4-fpm \\
        php8.4-cli \\
        libevent-2.1-7t64 \\
        libevent-core-2.1-7t64 \\
        libevent-extra-2.1-7t64 \\
        libevent-openssl-2.1-7t64 \\
        libevent-pthreads-2.1-7t64 \\
    && rm -rf /var/lib/apt/lists/*
RUN echo "extension=event.so" > /etc/php/8.4/cli/conf.d/event.ini
RUN chmod 640 /etc/php/8.4/fpm/php-fpm.conf
WORKDIR /shop
COPY --from=builder /usr/lib/php/20240924/event.so /usr/lib/php/20240924/event.so
COPY --from=builder /shop .
COPY --from=builder /etc/php/8.4/fpm/pool.d/www.conf /etc/php/8.4/fpm/pool.d/www.conf
CMD service php8.4-fpm start && exec nginx -c /shop/deploy/nginx.conf
"""
    )
    assert "sed -i" in builder, "the pool's settings are changed once, and come over as they are then"
    assert "COPY composer.json composer.lock ./\nRUN composer install\nCOPY . ." in builder.replace("\n\n", "\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"root /shop/front": "root /elsewhere"}, "no start page (index.php)"),
        ({"php8.4-cli": "php8.3-cli"}, "install packages of one version by name"),
        ({"service php8.4-fpm": "service memcached"}, "memcached"),
        ({" git nginx": " nginx", "software-properties-common": "apt-utils", "php8.4-dev php-pear libevent-dev": "",
          "RUN pecl install event-3.1.4 && echo": "RUN echo", "apt-utils": "ca-certificates"},
         "would be installed again"),
    ],
)  # fmt: skip
def test_php_of_packages_that_is_not_known_is_refused(change: dict[str, str], reason: str) -> None:
    text, files = PACKAGED, dict(SERVED)
    for old, new in change.items():
        text = text.replace(old, new)
        files["deploy/nginx.conf"] = files["deploy/nginx.conf"].replace(old, new)
    assert reason in refusal(text, files)


def test_settings_that_the_sources_bring_stay_behind_them() -> None:
    text = PACKAGED.replace(" /etc/php/8.4/fpm/pool.d/www.conf\nRUN chmod", " deploy/pool.conf\nRUN chmod")
    text = text.replace("RUN sed -i 's/8/4/' deploy/pool.conf\n", "")
    text = text.replace("RUN composer install", "RUN sed -i 's/8/4/' deploy/pool.conf\nRUN composer install")
    builder, runner = stages(text, SERVED)
    assert "COPY . .\nRUN sed -i" in builder
    assert "sed" not in runner


def test_images_on_those_of_php_keep_their_layout() -> None:
    text = SERVER.replace("php:8.2-cli-bookworm", "phpswoole/swoole:6.0-php8.3-bookworm")
    _, runner = stages(text, project())
    assert runner.startswith("FROM phpswoole/swoole:6.0-php8.3-bookworm AS runner\n")
    assert "install -y --no-install-recommends libzip4 " in runner
    assert "COPY --from=builder /usr/local/lib/php/extensions" in runner
    assert "USER" not in runner, "its entrypoint starts supervisord as root"
    _, runner = stages(text.replace("CMD [", "ENTRYPOINT ["), project())
    assert "USER 10001:10001" in runner
