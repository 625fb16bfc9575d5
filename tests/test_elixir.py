"""Elixir stages: what they become, and what is refused by name."""

from __future__ import annotations

import pytest

from refactor import BuildContext
from refactor.context import Unknown
from refactor.context.tables import at
from refactor.ecosystems.elixir.mix import config_files, read_lock, read_project, why_lock_moves
from refactor.images import lookup
from tests.taken_apart import refusal, run, stages

HEXPM = "hexpm/elixir:1.17.2-erlang-27.0.1-debian-bookworm-20240722-slim"
SHOP = f"""
FROM {HEXPM}
RUN apt-get update && apt-get install -y build-essential git
ENV MIX_ENV=prod
WORKDIR /app
COPY . .
RUN mix local.hex --force && mix local.rebar --force
RUN mix deps.get --only prod
RUN mix deps.compile
RUN mix assets.deploy
RUN mix compile && mix release
EXPOSE 4000
CMD ["_build/prod/rel/shop/bin/server"]
"""
MIX = """defmodule Shop.MixProject do
  use Mix.Project

  @version "0.1.0" # of the shop

  def project do
    [
      app: :shop,
      version: @version,
      elixir: "~> 1.14",
      elixirc_paths: elixirc_paths(Mix.env()),
      aliases: aliases(),
      deps: deps()
    ]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_), do: ["lib"]

  defp deps do
    [
      {:plug, "~> 1.14 and >= 1.14.2"}, # and more
      {:bcrypt_elixir, "~> 3.0"}
    ]
  end

  defp aliases do
    [setup: ["deps.get"], "assets.deploy": ["esbuild shop --minify", "phx.digest"]]
  end
end
"""


def package(name: str, version: str, *needs: str, by: str = ":mix") -> str:
    wanted = ", ".join(f'{{:{need}, "~> 1.0", [hex: :{need}, repo: "hexpm", optional: false]}}' for need in needs)
    return f'  "{name}": {{:hex, :{name}, "{version}", "00", [{by}], [{wanted}], "hexpm", "00"}},\n'


LOCK = (
    "%{\n"
    + package("bcrypt_elixir", "3.1.0", "elixir_make", by=":make, :mix")
    + package("elixir_make", "0.8.4")
    + package("plug", "1.16.1", "telemetry")
    + package("telemetry", "1.3.0", by=":rebar3")
    + "}\n"
)
FILES = {
    "mix.exs": MIX,
    "mix.lock": LOCK,
    "config/config.exs": 'import Config\n# import_config "old.exs"\nimport_config "#{config_env()}.exs"\n',
    "config/prod.exs": "import Config\n",
    "config/runtime.exs": 'import Config\nif System.get_env("PHX_SERVER"), do: config(:shop, Web, server: true)\n',
    "lib/shop.ex": 'defmodule Shop do\n  @moduledoc """\n  Calls File.write!(path) in its documentation.\n  """\nend\n',
    "rel/overlays/bin/server": "#!/bin/sh\nPHX_SERVER=true exec ./shop start\n",
}
RELEASE = "COPY --from=builder /app/_build/prod/rel/shop ./_build/prod/rel/shop\n"


def shop(code: str) -> dict[str, str]:
    return {**FILES, "lib/shop.ex": f'defmodule Shop do\n  @dir "/var/shop"\n  def a(path), do: {code}\nend\n'}


def mix(old: str, new: str) -> dict[str, str]:
    assert old in MIX
    return {**FILES, "mix.exs": MIX.replace(old, new)}


def test_a_release_goes_to_the_distribution_of_its_builder() -> None:
    builder, runner = stages(SHOP, FILES)
    assert (
        "RUN mix local.hex --force && mix local.rebar --force\nCOPY mix.exs mix.lock ./\nRUN mix deps.get --only prod\n"
        "COPY config/config.exs config/prod.exs config/\nRUN mix deps.compile\nCOPY . .\nRUN mix assets.deploy\n"
    ) in builder
    assert runner.startswith("FROM debian:bookworm-slim AS runner\nENV LANG=C.UTF-8\n")
    assert "install -y --no-install-recommends libssl3 \\" in runner
    assert RELEASE in runner
    assert "USER 10001:10001" in runner
    # Elixir 1.14 and later read runtime.exs without writing it down.
    assert "rel/shop/tmp" not in runner


@pytest.mark.parametrize(
    ("image", "runner", "packages"),
    [
        ("elixir:1.17", "elixir:1.17-slim", ""),
        ("elixir:1.17-alpine", "elixir:1.17-alpine", ""),
        ("hexpm/elixir:1.17.2-erlang-27.0.1-alpine-3.22.2", "alpine:3.22", "libstdc++ ncurses-libs openssl"),
        ("hexpm/elixir:1.17.2-erlang-27.0.1-ubuntu-noble-20240801", "ubuntu:noble", "libssl3t64"),
        ("debian:trixie", "debian:trixie-slim", "libssl3t64"),
    ],
)
def test_runners(image: str, runner: str, packages: str) -> None:
    install = (
        "apk add --no-cache build-base git" if "alpine" in image else "apt-get update && apt-get install -y elixir git"
    )
    text = SHOP.replace(HEXPM, image).replace("apt-get update && apt-get install -y build-essential git", install)
    _, final = stages(text, FILES)
    assert final.startswith(f"FROM {runner} AS runner\n")
    assert packages in final if packages else "apt-get" not in final and "apk add" not in final


def test_images_of_hexpm() -> None:
    image = lookup(HEXPM)
    assert image is not None
    assert (image.family, image.version, image.release, image.variant) == ("elixir", "1.17.2", "bookworm", "slim")
    erlang = lookup("hexpm/erlang:27.0.1-alpine-3.20.2")
    assert erlang is not None
    assert (erlang.family, erlang.version, erlang.release) == ("erlang", "27.0.1", "3.20")
    assert lookup("hexpm/elixir:1.17.2") is None
    assert lookup("hexpm/erlang:1.17.2-erlang-27.0.1-debian-bookworm-20240722-slim") is None


def test_a_release_that_is_moved_is_followed() -> None:
    text = SHOP.replace("EXPOSE", "RUN mv _build/prod/rel/shop /opt/shop\nEXPOSE")
    _, runner = stages(text.replace('"_build/prod/rel/shop/bin/server"', '"/opt/shop/bin/shop", "start"'), FILES)
    assert "COPY --from=builder /opt/shop /opt/shop\n" in runner


def test_releases_before_1_14_write_their_configuration_down() -> None:
    _, runner = stages(SHOP.replace("1.17.2-erlang-27.0.1", "1.13.4-erlang-25.0"), FILES)
    assert "chown app:app /app/_build/prod/rel/shop/tmp" in runner


def test_what_a_mix_exs_reads_is_copied_with_it() -> None:
    files = mix('"0.1.0" # of the shop', 'File.read!("VERSION") |> String.trim()')
    assert "COPY mix.exs mix.lock VERSION ./\nRUN mix deps.get" in stages(SHOP, {**files, "VERSION": "0.1.0"})[0]


def test_what_a_mix_exs_reads_besides_does_not_change_its_release() -> None:
    builder, runner = stages(SHOP, mix('"0.1.0" # of the shop', 'System.cmd("git", ["describe"]) |> elem(0)'))
    assert RELEASE in runner
    assert "mix.exs" not in builder


UMBRELLA = """defmodule Shop.MixProject do
  use Mix.Project
  def project do
    [apps_path: "apps", version: "1.0.0", deps: [], releases: [web: [applications: [web: :permanent]], jobs: []]]
  end
end
"""
CHILD = MIX.replace("app: :shop,", 'app: :web, build_path: "../../_build", lockfile: "../../mix.lock",')
UMBRELLA_FILES = {
    "mix.exs": UMBRELLA,
    "mix.lock": LOCK,
    "apps/web/mix.exs": CHILD,
    "apps/web/lib/web.ex": "defmodule Web do\nend\n",
}


def test_umbrellas_have_more_than_one_manifest() -> None:
    files = UMBRELLA_FILES
    text = SHOP.replace("RUN mix assets.deploy", "RUN cd apps/web && mix phx.digest").replace(
        "bin/server", 'bin/web", "start'
    )
    builder, runner = stages(text.replace("rel/shop", "rel/web").replace("mix release", "mix release web"), files)
    assert "COPY mix.exs mix.lock ./\nCOPY apps/web/mix.exs apps/web/\nRUN mix deps.get" in builder
    assert "/app/_build/prod/rel/web ./_build/prod/rel/web" in runner
    assert "does not say which release" in refusal(text.replace("rel/shop", "rel/web"), files)


def test_dependencies_by_path_are_compiled_with_their_sources() -> None:
    child = CHILD.replace("{:plug, ", '{:tax, path: "../../libs/tax"}, {:plug, ')
    tax = {"libs/tax/mix.exs": MIX.replace(":shop", ":tax"), "libs/tax/lib/tax.ex": "defmodule Tax do\nend\n"}
    text = SHOP.replace("RUN mix assets.deploy\n", "").replace("mix release", "mix release web")
    after = run(text, {**UMBRELLA_FILES, "apps/web/mix.exs": child, **tax}).after.decode()
    assert "COPY libs/tax/mix.exs libs/tax/\nRUN mix deps.get --only prod\nCOPY . .\nRUN mix deps.compile\n" in after


@pytest.mark.parametrize(
    ("call", "commands"),
    [
        (
            "mix do deps.get --only prod, deps.compile, compile",
            "RUN mix deps.get --only prod \\\n    && mix deps.compile\n",
        ),
        ("mix do deps.get + compile", "RUN mix deps.get\n"),
        ("mix do deps.get, , compile,", "RUN mix deps.get\n"),
        ("MIX_ENV=prod mix do deps.get, compile", "RUN MIX_ENV=prod mix deps.get\n"),
        ("mix local.hex --force && mix do deps.get, compile", "RUN mix local.hex --force \\\n    && mix deps.get\n"),
    ],
)
def test_what_a_mix_do_fetches_comes_first(call: str, commands: str) -> None:
    text = SHOP.replace("RUN mix deps.get --only prod\nRUN mix deps.compile\n", f"RUN {call}\n")
    builder, _ = stages(text, FILES)
    assert commands + "COPY . .\n" in builder


@pytest.mark.parametrize("call", ["mix do deps.compile, compile", "mix do deps.get --only prod, compile"])
def test_what_a_mix_do_fetches_does_not_come_before_what_is_fetched_already(call: str) -> None:
    """`mix deps.compile` fails without the packages that `mix deps.get` brings."""
    builder, _ = stages(SHOP.replace("RUN mix deps.compile\n", f"RUN {call}\n"), FILES)
    assert f"COPY mix.exs mix.lock ./\nRUN mix deps.get --only prod\nCOPY . .\nRUN {call}\n" in builder


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (mix("~> 1.14 and >= 1.14.2", "~> 1.17"), "mix.lock has plug 1.16.1, not known to be ~> 1.17"),
        (mix("{:plug, ", '{:jose, "~> 1.0"}, {:plug, '), "mix.exs asks for jose, which mix.lock does not have"),
        ({**UMBRELLA_FILES, "mix.lock": LOCK.replace("1.16.1", "1.13.0")}, "mix.lock has plug 1.13.0, not known"),
        ({**FILES, "deps/plug/mix.exs": ""}, "deps lies in the build context"),
        (mix('"0.1.0" # of the shop', 'System.cmd("git", ["describe"]) |> elem(0)'), "mix.exs calls System.cmd"),
    ],
)
def test_manifests_that_do_not_decide(files: dict[str, str], reason: str) -> None:
    change = run(SHOP, files)
    assert reason in next(one.because for one in change.refused if "copy-manifests-first" in (one.codemod, *one.others))


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({'["_build/prod/rel/shop/bin/server"]': "iex -S mix phx.server"}, FILES, "which needs Elixir"),
        ({}, mix("app: :shop,", "app: :shop, releases: [shop: [include_erts: false]],"), "sets include_erts"),
        ({}, {name: text for name, text in FILES.items() if name != "mix.lock"}, "mix.lock is not in the build"),
        ({}, mix('"esbuild shop --minify"', '"cmd npm run deploy"'), "what the task `cmd npm run deploy`"),
        ({}, mix("deps: deps()", "deps: deps() ++ more()"), "mix.exs names deps by more than text"),
        ({}, mix("{:plug, ", "from_git(:tax), {:plug, "), "mix.exs names deps by more than text"),
        ({}, mix("aliases: aliases()", "aliases: fn -> [] end"), "(or its alias, which is no text)"),
        ({}, mix("{:plug, ", '{:distillery, "~> 2.0"}, {:plug, '), "Distillery makes the release"),
        ({"ENV MIX_ENV=prod\n": ""}, mix("app: :shop,", "app: :shop, preferred_cli_env: [release: :prod],"),
         "chooses the environment by task, and MIX_ENV is not set"),
        ({}, mix("app: :shop,", "app: :shop, build_path: System.get_env(:out),"), "names build_path by more than text"),
        ({"mix release": "mix release --path $OUT"}, FILES, "depends on a variable"),
        ({"mix compile": "mix ecto.setup && mix compile"}, FILES, "what the task `ecto.setup`"),
        ({"ENV MIX_ENV=prod": "ENV MIX_ENV=prod MIX_TARGET=rpi"}, FILES, "MIX_TARGET moves where mix works"),
        ({HEXPM: "elixir:1.17"}, {**FILES, "mix.lock": LOCK + package("nif", "1.0.0", by=":make")},
         "whether nif links libraries of the full image is not known"),
        ({}, shop("System.cmd(path, [])"), "may start a program whose name is only known when it runs"),
        ({}, shop("System.cmd path, []"), "may start a program whose name is only known when it runs"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = SHOP
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    assert reason in refusal(text, files)


@pytest.mark.parametrize(
    ("code", "folder"),
    [
        ('File.write!("data/orders.csv", path)', "/app/data"),
        ("File.mkdir_p!(@dir)", "/var/shop"),
        ('File.open("log/shop.log", [:append])', "/app/log"),
        ('File.cp!(path, "uploads/last")', "/app/uploads"),
        ('File.open("notes.txt")', ""),
        ("File.write!(path, 1)", None),
        ('path |> File.write!("x")', None),
        ('Enum.each(path, &File.write("data/last", &1))', "/app/data"),
        ('Enum.each(path, &File.write(&1, "x"))', None),
        ("Enum.each(path, &File.rm/1)", None),
        ('File.write! "data/orders.csv", path', "/app/data"),
        ("File.write! path, 1", None),
        ('File.write!(System.get_env("EXPORT"), path)', None),
        ('path |> File.cp!("uploads/last")', "/app/uploads"),
        ('File.write!("#{path}.csv", "x")', None),
        (":mnesia.create_schema([node()])", None),
        ('File.write!(Path.join(System.tmp_dir!(), path), "x")', ""),
    ],
)
def test_where_it_writes(code: str, folder: str | None) -> None:
    change = run(SHOP, shop(code))
    after = change.after.decode()
    if folder is None:
        assert "USER" not in after
        assert any("run-as-user" in (one.codemod, *one.others) for one in change.refused)
    else:
        assert "USER 10001:10001" in after
        assert f"chown app:app {folder}\n" in after if folder else "chown" not in after


@pytest.mark.parametrize(
    ("packages", "config", "folder"),
    [
        (("exqlite",), 'config :shop, Repo, database: "/var/shop/shop.db"\n', "/var/shop"),
        (("exqlite",), 'config :shop, Repo, database: System.fetch_env!("DATABASE_PATH")\n', None),
        (("exqlite",), "", None),
        (("tzdata",), "", None),
        (("tzdata",), "config :tzdata, :autoupdate, :disabled\n", ""),
        (("cubdb",), "", None),
        ((), 'config :logger, :default_handler, config: [file: ~c"log/shop.log"]\n', "/app/log"),
    ],
)
def test_where_its_packages_and_its_configuration_write(
    packages: tuple[str, ...], config: str, folder: str | None
) -> None:
    lock = LOCK.replace("%{\n", "%{\n" + "".join(package(name, "1.0.0") for name in packages))
    change = run(SHOP, {**FILES, "mix.lock": lock, "config/prod.exs": "import Config\n" + config})
    after = change.after.decode()
    assert ("USER 10001:10001" in after) is (folder is not None)
    assert f"chown app:app {folder}\n" in after if folder else "chown" not in after


def test_places_of_the_release_bring_no_files_of_the_sources_along() -> None:
    files = {**shop('File.read!(Application.app_dir(:shop, "priv/a.txt"))'), "notes/a.txt": "", "priv/a.txt": ""}
    assert "notes" not in stages(SHOP, files)[1]
    for code in ("File.read!(path)", "File.read! path", "Enum.map(path, &File.read!/1)"):
        assert "COPY --from=builder /app/notes/a.txt" in stages(SHOP, {**files, **shop(code)})[1]


def test_programs_and_files_that_sources_name_come_along() -> None:
    files = shop('{System.cmd("git", ["log"]), File.read!("rates/euro.json")}')
    _, runner = stages(SHOP, {**files, "rates/euro.json": "{}"})
    assert "install -y git libssl3 \\" in runner
    assert "COPY --from=builder /app/rates/euro.json ./rates/euro.json\n" in runner


STARTED = SHOP.replace("mix compile && mix release", "mix compile").replace(
    '["_build/prod/rel/shop/bin/server"]', "mix phx.server"
)


def test_a_server_of_mix_becomes_a_release() -> None:
    builder, runner = stages(STARTED, FILES)
    assert builder.rstrip().endswith("RUN mix compile\nRUN mix release")
    assert RELEASE in runner
    assert 'CMD ["env", "PHX_SERVER=true", "_build/prod/rel/shop/bin/shop", "start"]' in runner


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({"ENV MIX_ENV=prod\n": ""}, FILES, "MIX_ENV is not set"),
        (
            {},
            {**FILES, "config/prod.exs": 'config :shop, url: System.get_env("URL")\n'},
            "config/prod.exs asks for what only",
        ),
        ({}, {**FILES, "config/runtime.exs": "import Config\n"}, "does not start the server of a release"),
        ({}, {name: text for name, text in FILES.items() if "runtime" not in name}, "there is no config/runtime.exs"),
        ({}, shop("Mix.env()"), "lib/shop.ex calls Mix, which a release does not have"),
    ],
)
def test_a_server_of_mix_stays_where_a_release_would_differ(
    change: dict[str, str], files: dict[str, str], reason: str
) -> None:
    text = STARTED
    for old, new in change.items():
        text = text.replace(old, new)
    assert reason in refusal(text, files, codemod="build-before-start")
    assert "which needs Elixir" in refusal(text, files)


def test_packages_of_mix_that_a_front_end_reads_keep_it_in_the_builder() -> None:
    text = SHOP.replace("git\n", "git nodejs npm\n").replace(
        "RUN mix assets", "RUN cd assets && npm ci && npm run build\nRUN mix assets"
    )
    package_json = (
        '{"scripts": {"build": "tailwindcss -i css/app.css --output=../priv/static/app.css"},'
        ' "dependencies": {"phoenix": "file:../deps/phoenix"}, "devDependencies": {"tailwindcss": "3"}}'
    )
    files = {
        **FILES,
        "assets/package.json": package_json,
        "assets/package-lock.json": '{"lockfileVersion": 3, "packages": {}}',
    }
    after = run(text, files).after.decode()
    assert "AS assets" not in after
    assert "RUN cd assets && npm ci && npm run build" in after


def test_what_is_fetched_behind_another_install_stays_there() -> None:
    text = SHOP.replace("RUN mix deps.get --only prod\n", "RUN apt-get install -y make && mix do deps.get, compile\n")
    assert any("shares its RUN with what comes before it" in one.because for one in run(text, FILES).refused)


def test_mix_exs_is_read_as_text() -> None:
    project = read_project(BuildContext.of(FILES), "mix.exs")
    assert not isinstance(project, Unknown)
    assert (project.release, list(project.asked)) == ("shop", ["plug", "bcrypt_elixir"])
    assert at(project.settings, "aliases", "assets.deploy") == ["esbuild shop --minify", "phx.digest"]
    lock = read_lock(BuildContext.of(FILES), "mix.lock")
    assert lock["bcrypt_elixir"].may_compile
    assert not lock["plug"].may_compile
    assert why_lock_moves(BuildContext.of(FILES), project) is None


GENERATED = """defmodule Hello.MixProject do
  use Mix.Project

  def project do
    [
      app: :hello,
      version: "0.1.0",
      elixir: "~> 1.15",
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      aliases: aliases(),
      deps: deps(),
      compilers: [:phoenix_live_view] ++ Mix.compilers(),
      listeners: [Phoenix.CodeReloader]
    ]
  end

  # Configuration for the OTP application.
  #
  # Type `mix help compile.app` for more information.
  def application do
    [mod: {Hello.Application, []}, extra_applications: [:logger, :runtime_tools]]
  end

  def cli do
    [preferred_envs: [precommit: :test]]
  end

  # Specifies which paths to compile per environment.
  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_), do: ["lib"]

  # Specifies your project dependencies.
  defp deps do
    [
      {:phoenix, "~> 1.8.0"},
      {:postgrex, ">= 0.0.0"},
      {:esbuild, "~> 0.10", runtime: Mix.env() == :dev},
      {:heroicons,
       github: "tailwindlabs/heroicons",
       tag: "v2.2.0",
       sparse: "optimized",
       app: false,
       compile: false,
       depth: 1},
      {:lazy_html, ">= 0.1.0", only: :test}
    ]
  end

  defp aliases do
    [
      setup: ["deps.get", "ecto.setup", "assets.setup", "assets.build"],
      test: ["ecto.create --quiet", "ecto.migrate --quiet", "test"],
      "assets.setup": ["tailwind.install --if-missing", "esbuild.install --if-missing"],
      "assets.deploy": [
        "tailwind hello --minify",
        "esbuild hello --minify",
        "phx.digest"
      ],
      precommit: ["compile --warning-as-errors", "deps.unlock --unused", "format", "test"]
    ]
  end
end
"""


def test_what_phoenix_generates_is_read() -> None:
    git = '  "heroicons": {:git, "https://github.com/tailwindlabs/heroicons.git", "0435", [tag: "v2.2.0", depth: 1]},\n'
    names = ("phoenix", "1.8.1"), ("postgrex", "0.20.0"), ("esbuild", "0.10.0"), ("lazy_html", "0.1.7")
    lock = "%{" + "".join(package(*one) for one in names).strip() + "\n" + git + "}\n"
    files = {**FILES, "mix.exs": GENERATED, "mix.lock": lock}
    builder, runner = stages(SHOP.replace("rel/shop", "rel/hello"), files)
    assert "COPY mix.exs mix.lock ./\nRUN mix deps.get --only prod\nCOPY config" in builder
    # postgrex opens connections.
    assert "ca-certificates libssl3" in runner


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ('import_config "prod.secret.exs"\n', ("config/config.exs", "config/prod.secret.exs")),
        ('import_config "#{Mix.env()}.exs"\n', ("config/config.exs", "config/prod.exs")),
        ('import_config "../apps/*/config/config.exs"\n', ("config/config.exs", "apps/web/config/config.exs")),
        ('import_config "#{System.get_env("REGION")}.exs"\n', None),
        ('if File.exists?("config/x.exs"), do: import_config("x.exs")\n', None),
    ],
)
def test_configuration_is_followed(config: str, found: tuple[str, ...] | None) -> None:
    files = {**FILES, "config/config.exs": config, "config/prod.secret.exs": "", "apps/web/config/config.exs": ""}
    context = BuildContext.of(files)
    project = read_project(context, "mix.exs")
    assert not isinstance(project, Unknown)
    answer = tuple(config_files(context, project, "prod"))
    assert answer == found if found is not None else any(isinstance(path, Unknown) for path in answer)
