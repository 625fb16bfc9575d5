"""Calls of package managers: what is an option, what is its value, and what is a package."""

from __future__ import annotations

import pytest

from refactor.shell import PackageCall, package_call, package_calls, read


def call(text: str) -> PackageCall:
    calls = package_calls(read(text))
    assert len(calls) == 1, calls
    return calls[0]


def packages(text: str) -> list[str]:
    return [word.text for word in call(text).packages]


@pytest.mark.parametrize(
    ("text", "manager", "action", "expected"),
    [
        ("apt-get -y -qq install curl git", "apt", "install", "curl git"),
        ("apt install curl=7.* git/bookworm libfoo-", "apt", "install", "curl=7.* git/bookworm libfoo-"),
        ("apt-get install -y -t bookworm-backports curl", "apt", "install", "curl"),
        ("apt-get install -yqt bookworm-backports curl", "apt", "install", "curl"),
        ("apt-get install -tbookworm curl", "apt", "install", "curl"),
        ('apt-get -o Dpkg::Options::="--force-confold" install curl', "apt", "install", "curl"),
        ("apt-get install -o Acquire::Retries=3 --target-release x curl", "apt", "install", "curl"),
        ("apt-get install ./a.deb $PACKAGES -- b", "apt", "install", "./a.deb $PACKAGES b"),
        ("DEBIAN_FRONTEND=noninteractive sudo -E apt-get install curl", "apt", "install", "curl"),
        ("/usr/bin/apt-get update", "apt", "update", ""),
        ("apt-get dist-upgrade -y", "apt", "upgrade", ""),
        ("apt-get purge -y --auto-remove gcc", "apt", "remove", "gcc"),
        ("apt-get autoremove -y", "apt", "autoremove", ""),
        ("apt-get autoclean", "apt", "autoclean", ""),
        ("apt-get clean", "apt", "clean", ""),
        ("apt-get build-dep -y python3", "apt", "build-dep", "python3"),
        ("aptitude install -y curl", "apt", "install", "curl"),
        ("apk add --no-cache --virtual .build-deps gcc musl-dev", "apk", "install", "gcc musl-dev"),
        ("apk --no-cache add -t .deps gcc", "apk", "install", "gcc"),
        ("apk add --repository http://x/edge gcc", "apk", "install", "gcc"),
        ("apk add -X http://x/edge 'gcc>12'", "apk", "install", "'gcc>12'"),
        ("apk del .build-deps", "apk", "remove", ".build-deps"),
        ("apk update", "apk", "update", ""),
        ("apk upgrade --available", "apk", "upgrade", ""),
        ("apk cache clean", "apk", "clean", ""),
        ("dnf -y --setopt=install_weak_deps=False install gcc", "dnf", "install", "gcc"),
        ("dnf install -y --enablerepo crb --disablerepo=\\* gcc", "dnf", "install", "gcc"),
        ("dnf -y module install nodejs:20", "dnf", "install", "nodejs:20"),
        ("dnf clean all", "dnf", "clean", ""),
        ("dnf makecache", "dnf", "update", ""),
        ("yum update -y", "yum", "upgrade", ""),
        ("yum -y groupinstall 'Development Tools'", "yum", "install", "'Development Tools'"),
        ("yum clean all", "yum", "clean", ""),
        ("microdnf install -y tar", "microdnf", "install", "tar"),
        ("zypper --non-interactive in -y --no-recommends gcc", "zypper", "install", "gcc"),
        ("zypper ref", "zypper", "update", ""),
        ("zypper -n install -r repo gcc", "zypper", "install", "gcc"),
        ("zypper clean --all", "zypper", "clean", ""),
        (
            "pip install flask 'gunicorn>=20' uvicorn[standard]",
            "pip",
            "install",
            "flask 'gunicorn>=20' uvicorn[standard]",
        ),
        ("pip install -r requirements.txt -c constraints.txt", "pip", "install", ""),
        ("pip3.11 install --index-url https://x/simple -t /opt/lib flask", "pip", "install", "flask"),
        ("pip --no-cache-dir install --target /opt flask", "pip", "install", "flask"),
        ("pip install -e .", "pip", "install", ""),
        ("pip install --upgrade pip", "pip", "install", "pip"),
        ("python -m pip install .", "pip", "install", "."),
        ("python3.11 -I -m pip install flask", "pip", "install", "flask"),
        ("/opt/venv/bin/python -um pip install flask", "pip", "install", "flask"),
        ("pip uninstall -y flask", "pip", "remove", "flask"),
        ("pip cache purge", "pip", "clean", ""),
        ("pip wheel --wheel-dir /wheels -r requirements.txt", "pip", "wheel", ""),
        ("pip download -d /w flask", "pip", "download", "flask"),
        ("python3 -m venv --copies /opt/venv", "venv", "create", ""),
        ("npm ci --omit dev", "npm", "ci", ""),
        ("npm i", "npm", "install", ""),
        ("npm install --production --registry https://x express", "npm", "install", "express"),
        ("npm install --production false express", "npm", "install", "express"),
        ("npm --prefix ui install", "npm", "install", ""),
        ("npm i -g pnpm@9", "npm", "global-install", "pnpm@9"),
        ("npm install --location=global yarn", "npm", "global-install", "yarn"),
        ("npm prune --omit=dev", "npm", "prune", ""),
        ("npm cache clean --force", "npm", "clean", ""),
        ("npm update", "npm", "upgrade", ""),
        ("npm config set registry https://x", "npm", "config", ""),
        ("yarn", "yarn", "install", ""),
        ("yarn --frozen-lockfile --production", "yarn", "install", ""),
        ("yarn install --production false --network-timeout 100000", "yarn", "install", ""),
        ("yarn --cwd ui install", "yarn", "install", ""),
        ("yarn add react", "yarn", "install", "react"),
        ("yarn global add serve", "yarn", "global-install", "serve"),
        ("yarn cache clean", "yarn", "clean", ""),
        ("yarn workspaces focus --production", "yarn", "install", ""),
        ("yarn set version 4.1.0", "yarn", "set-version", ""),
        ("pnpm i --frozen-lockfile --prod", "pnpm", "install", ""),
        ("pnpm fetch", "pnpm", "download", ""),
        ("pnpm --filter api deploy /out", "pnpm", "deploy", ""),
        ("pnpm add -g turbo", "pnpm", "global-install", "turbo"),
        ("pnpm store prune", "pnpm", "clean", ""),
        ("corepack enable", "corepack", "enable", ""),
        ("corepack prepare pnpm@9 --activate", "corepack", "prepare", ""),
        ("corepack pnpm install", "pnpm", "install", ""),
        ("bun install --production", "bun", "install", ""),
        ("bun add zod", "bun", "install", "zod"),
        ("bun pm cache rm", "bun", "clean", ""),
        ("gem install --no-document bundler -v 2.4.1", "gem", "install", "bundler"),
        ("gem update --system 3.5.11", "gem", "upgrade", ""),
        ("gem update --system --no-document", "gem", "upgrade", ""),
        ("bundle", "bundle", "install", ""),
        ("bundle install --jobs 4 --without development test", "bundle", "install", ""),
        ("bundle _2.4.1_ install", "bundle", "install", ""),
        ("bundle config set --local without 'development test'", "bundle", "config", ""),
        ("bundle clean --force", "bundle", "clean", ""),
        ("go mod download", "go", "download", ""),
        ("go mod tidy", "go", "tidy", ""),
        ("go install github.com/a/b@latest", "go", "install", "github.com/a/b@latest"),
        ("go get -u -d ./...", "go", "download", "./..."),
        ("go build -ldflags '-s -w' -o /app ./cmd/app", "go", "build", ""),
        ("go test ./...", "go", "test", ""),
        ("go clean -modcache", "go", "clean", ""),
        ("go1.22 build", "go", "build", ""),
        ("cargo build --release --bin app", "cargo", "build", ""),
        ("cargo +nightly build", "cargo", "build", ""),
        ("cargo install --path .", "cargo", "install", ""),
        ("cargo install ripgrep --version 14", "cargo", "install", "ripgrep"),
        ("cargo fetch --locked", "cargo", "download", ""),
        ("cargo chef cook --release --recipe-path recipe.json", "cargo", "chef-cook", ""),
        ("mvn -B -DskipTests clean package", "mvn", "build", ""),
        ("./mvnw -f pom.xml dependency:go-offline", "mvn", "download", ""),
        ("mvn -pl api -am install -P prod", "mvn", "build", ""),
        ("mvn clean", "mvn", "clean", ""),
        ("mvn test", "mvn", "test", ""),
        ("gradle clean build -x test --no-daemon", "gradle", "build", ""),
        ("./gradlew :app:bootJar", "gradle", "build", ""),
        ("./gradlew dependencies --configuration runtimeClasspath", "gradle", "download", ""),
        ("dotnet restore app.csproj", "dotnet", "restore", ""),
        (
            "dotnet publish -c Release -o /app --self-contained false /p:UseAppHost=false",
            "dotnet",
            "publish",
            "",
        ),
        ("dotnet build app.csproj", "dotnet", "build", ""),
        ("dotnet tool install --global dotnet-ef --version 8.0.0", "dotnet", "global-install", "dotnet-ef"),
        ("composer install --no-dev -d /app", "composer", "install", ""),
        ("composer require a/b", "composer", "install", "a/b"),
        ("php -d memory_limit=-1 /usr/bin/composer.phar install", "composer", "install", ""),
        ("composer dump-autoload -o", "composer", "dump-autoload", ""),
        ("composer global require a/b", "composer", "global-install", "a/b"),
        ("poetry install --no-root --only main", "poetry", "install", ""),
        ("python -m poetry install", "poetry", "install", ""),
        ("poetry add -G dev pytest", "poetry", "install", "pytest"),
        ("poetry config virtualenvs.create false", "poetry", "config", ""),
        ("uv sync --frozen --no-dev --group web", "uv", "sync", ""),
        ("uv pip install --system -r requirements.txt flask", "uv", "install", "flask"),
        ("uv pip install --no-binary numpy numpy", "uv", "install", "numpy"),
        ("uv tool install ruff", "uv", "global-install", "ruff"),
        ("uv cache clean", "uv", "clean", ""),
        ("pdm sync --prod --no-editable", "pdm", "sync", ""),
        ("pipenv install --system --deploy", "pipenv", "install", ""),
        ("pipenv install --python 3.11 flask", "pipenv", "install", "flask"),
    ],
)
def test_action_and_packages(text: str, manager: str, action: str, expected: str) -> None:
    found = call(text)
    assert (found.manager, found.action) == (manager, action)
    assert " ".join(packages(text)) == expected


@pytest.mark.parametrize(
    ("text", "action", "script"),
    [
        ("npm run build", "run", "build"),
        ("npm run build -- --prod", "run", "build"),
        ("npm run --silent build", "run", "build"),
        ("npm start", "run", "start"),
        ("npm test", "run", "test"),
        ("npm install", "install", None),
        ("npx tsc -p .", "exec", "tsc"),
        ("npx --yes -p typescript tsc", "exec", "tsc"),
        ("npm exec -- tsc", "exec", "tsc"),
        ("yarn build", "run", "build"),
        ("yarn run build --prod", "run", "build"),
        ("yarn --cwd ui build", "run", "build"),
        ("yarn start", "run", "start"),
        ("yarn dlx tsc", "exec", "tsc"),
        ("pnpm build", "run", "build"),
        ("pnpm -r run build", "run", "build"),
        ("pnpm dlx tsc", "exec", "tsc"),
        ("bun run build", "run", "build"),
        ("bunx tsc", "exec", "tsc"),
        ("bundle exec rake assets:precompile", "exec", "rake"),
        ("poetry run pytest", "run", "pytest"),
        ("uv run --with x pytest -q", "run", "pytest"),
        ("pipenv run pytest", "run", "pytest"),
        ("composer run-script build", "run", "build"),
        ("go run main.go -o x", "run", "main.go"),
    ],
)
def test_scripts(text: str, action: str, script: str | None) -> None:
    found = call(text)
    assert (found.action, found.script) == (action, script)


def test_option_values() -> None:
    found = call("pip install -r a.txt --requirement=b.txt -rc.txt --index-url https://x flask --no-cache-dir")
    assert found.values("-r", "--requirement") == ("a.txt", "b.txt", "c.txt")
    assert found.option("-r", "--requirement") == "c.txt"
    assert found.option("-i", "--index-url") == "https://x"
    assert found.option("--no-cache-dir") is None
    assert found.option("--target", "-t") is None
    assert found.flags == ("-r", "--requirement=b.txt", "-rc.txt", "--index-url", "--no-cache-dir")
    assert call("go build -o /app -tags=netgo .").option("-o") == "/app"
    assert call("go build -o /app -tags=netgo .").option("-tags") == "netgo"
    assert call("bundle install --without development test").option("--without") == "development test"
    assert call("npm ci --omit=dev").option("--omit") == "dev"
    assert call("npm install --production=false").option("--production") == "false"
    assert call("apk add --virtual .deps gcc").option("--virtual", "-t") == ".deps"
    assert call("dotnet publish -c Release -o /app").option("-o", "--output") == "/app"
    assert call("pip install -r $FILE").option("-r") == "$FILE"


def test_has() -> None:
    apt = call("apt-get install -yqq --no-install-recommends curl")
    assert apt.has("-y", "--yes", "--assume-yes")
    assert apt.has("-q")
    assert apt.has("-qq") is False
    assert apt.has("--no-install-recommends")
    assert not apt.has("--force-yes", "-f")
    assert call("apt-get -qq update").has("-qq")
    npm = call("npm ci --omit=dev")
    assert npm.has("--omit")
    assert npm.has("--omit=dev")
    assert not npm.has("--omit=optional")
    assert call("npm ci --omit dev").has("--omit=dev")
    assert not call("pip install --no-cache-dir-x flask").has("--no-cache-dir")
    assert not call("go build -tags y").has("-t", "-a", "-y")
    assert not call("apt-get install -t yes x").has("-y")


def test_pip_takes_shortened_options() -> None:
    assert call("pip install --no-cache flask").has("--no-cache-dir")
    assert call("pip install --req a.txt x").has("--requirement") is False
    assert call("pip install --no flask").has("--no-cache-dir") is False


def test_program_and_verb_are_as_written() -> None:
    assert call("sudo apt update").program == "apt"
    assert call("/usr/bin/apt-get purge x").program == "apt-get"
    assert call("apt-get purge x").verb == "purge"
    assert call("python3 -m pip install x").program == "python3 -m pip"
    assert call("./gradlew build").program == "gradlew"
    assert call("go mod download").verb == "mod download"
    assert call("yarn").verb == ""
    assert call("npm i x").verb == "i"


@pytest.mark.parametrize("text", ["yarn --version", "npm -v", "pip --version", "bundle --version", "apt-get"])
def test_asking_for_the_version_installs_nothing(text: str) -> None:
    found = call(text)
    assert found.action == ""
    assert found.packages == ()


@pytest.mark.parametrize(
    "text",
    [
        "echo apt-get install x",
        "rm -rf /var/lib/apt/lists/*",
        "python app.py",
        "python -m http.server",
        "python -c 'import pip'",
        "python -m npm install",
        "php artisan migrate",
        "dotnet app.dll install",
        "$PIP install flask",
        "apt-mark hold x",
        "pip-compile",
        "node --test",
        "sh -c 'apt-get install x'",
        "A=1",
        "command -v apt-get",
    ],
)
def test_no_call(text: str) -> None:
    assert [package_call(command) for command in read(text).commands] == [None]


def test_calls_of_a_script_in_order() -> None:
    script = read(
        "apt-get update && (apt-get install -y curl || apk add curl) && if true; then pip install x; fi "
        "&& yes | apt-get upgrade && rm -rf /var/lib/apt/lists/*"
    )
    assert [(c.manager, c.action) for c in package_calls(script)] == [
        ("apt", "update"),
        ("apt", "install"),
        ("apk", "install"),
        ("pip", "install"),
        ("apt", "upgrade"),
    ]
    assert package_calls(read("apt-get install 'x")) == ()


def test_package_spans_point_into_the_script() -> None:
    text = "echo é && apt-get install -y  'curl'   git"
    found = package_calls(read(text))[0]
    assert [text[slice(*word.span)] for word in found.packages] == ["'curl'", "git"]
    assert [word.value for word in found.packages] == ["curl", "git"]
