"""Ruby stages: what they become, and what is refused by name."""

from __future__ import annotations

import pytest

from refactor import BuildContext
from refactor.context import Unknown
from refactor.ecosystems.ruby.gems import read_gemfile
from tests.taken_apart import refusal, run, stages

SERVER = """
FROM ruby:3.3
WORKDIR /app
COPY . .
RUN bundle install
EXPOSE 9292
CMD ["bundle", "exec", "puma"]
"""
APP = {"config.ru": "require './app'\nrun App\n", "app.rb": "class App\nend\n"}


def lock(*gems: str, platforms: str = "ruby x86_64-linux", more: str = "") -> str:
    """``lock("puma: nio4r", "nio4r")``"""
    lines = ["GEM", "  remote: https://rubygems.org/", "  specs:"]
    names = []
    for gem in gems:
        name, _, needs = gem.partition(": ")
        version = "1.0.0"
        if "@" in name:
            name, _, platform = name.partition("@")
            version += f"-{platform}"
        names.append(name)
        lines += [f"    {name} ({version})", *(f"      {need} (~> 1.0)" for need in needs.split())]
    lines += ["", "PLATFORMS", *(f"  {one}" for one in platforms.split()), "", "DEPENDENCIES"]
    return more + "\n".join([*lines, *(f"  {name}" for name in dict.fromkeys(names)), ""])


def project(*gems: str, gemfile: str = "", platforms: str = "ruby x86_64-linux", **files: str) -> dict[str, str]:
    names = dict.fromkeys(gem.partition(":")[0].partition("@")[0] for gem in gems)
    own = gemfile or "".join(f'gem "{name}"\n' for name in names)
    return {"Gemfile": own, "Gemfile.lock": lock(*gems, platforms=platforms), **APP, **files}


@pytest.mark.parametrize(
    ("gems", "packages"),
    [
        (("puma: nio4r", "nio4r"), ""),
        (("puma", "pg"), "libpq5"),
        (("puma", "pg", "pg@x86_64-linux"), ""),
        (("puma", "mysql2"), "libmariadb3"),
        (("puma", "sqlite3"), ""),
        (("puma", "ethon"), "libcurl4"),
    ],
)
def test_the_runner_has_the_libraries_of_the_gems(gems: tuple[str, ...], packages: str) -> None:
    builder, runner = stages(SERVER.replace("3.3", "3.3-bookworm"), project(*gems))
    assert "COPY Gemfile Gemfile.lock ./\nRUN bundle install\nCOPY . ." in builder.replace("\n\n", "\n")
    assert runner.startswith("FROM ruby:3.3-slim-bookworm AS runner\n")
    assert "COPY --from=builder /usr/local/bundle /usr/local/bundle\nCOPY --from=builder /app .\n" in runner
    assert (f"--no-install-recommends {packages} \\" in runner) if packages else ("apt-get" not in runner)
    assert "USER 10001:10001" in runner


def test_gems_that_need_no_compiler_need_no_second_stage() -> None:
    after = run(
        SERVER.replace('"bundle", "exec", "puma"', '"bundle", "exec", "rackup"'), project("rackup: rack", "rack")
    )
    assert "FROM ruby:3.3-slim\n" in after.after.decode()


def test_what_a_group_has_alone_does_not_count() -> None:
    gemfile = 'gem "puma"\ngroup :tools, optional: true do\n  gem "acme"\nend\n'
    stages(SERVER, project("puma", "acme", gemfile=gemfile))
    without = 'gem "puma"\ngem "acme", group: :development\n'
    stages(SERVER.replace("EXPOSE", "ENV X=1\nEXPOSE").replace("COPY . .", "ENV BUNDLE_WITHOUT=development\nCOPY . ."),
           project("puma", "acme", gemfile=without))  # fmt: skip


@pytest.mark.parametrize(
    ("change", "files", "reason"),
    [
        ({}, project("puma", "acme"), "whether acme links libraries of the full image is not known"),
        ({}, project("puma", platforms="arm64-darwin-23"), "Gemfile.lock is for arm64-darwin-23 only"),
        ({}, {**APP, "Gemfile": 'gem "puma"\n'}, "Gemfile.lock is not in the build context"),
        ({"RUN ": "RUN bundle config --global without test && "}, project("puma"), "kept in root's home folder"),
        ({"RUN ": "RUN gem update --system && "}, project("puma"), "changes the Ruby of the image itself"),
        ({"3.3\n": "3.3-slim\n"}, project("puma"), "no packages that only its build needs"),
        ({"WORKDIR /app": "RUN rake db:seed"}, project("puma"), "rake"),
        ({'"puma"': '"puma", "tunnel.ru"'}, project("puma"), "tunnel.ru"),
        ({"ruby:3.3": "debian:12"}, project("puma"), "is no image of Ruby"),
    ],
)
def test_what_is_not_known_is_refused_by_name(change: dict[str, str], files: dict[str, str], reason: str) -> None:
    text = SERVER
    for old, new in change.items():
        text = text.replace(old, new)
    assert reason in refusal(text, files)


@pytest.mark.parametrize(
    ("gemfile", "more", "read"),
    [
        (
            'ruby file: ".ruby-version"\ngem "puma"\n',
            {".ruby-version": "3.3.0\n"},
            "Gemfile Gemfile.lock .ruby-version",
        ),
        ('eval_gemfile "gems/web.rb"\n', {"gems/web.rb": 'gem "puma"\n'}, "gems/web.rb gems/"),
        (
            "gemspec\ngem 'puma'\n",
            {"shop.gemspec": "require_relative 'lib/shop/version'\n", "lib/shop/version.rb": ""},
            "lib/shop/version.rb lib/shop/",
        ),
    ],
)
def test_manifests_are_what_the_gemfile_reads(gemfile: str, more: dict[str, str], read: str) -> None:
    builder, _ = stages(SERVER, project("puma", gemfile=gemfile, **more))
    assert read in builder.partition("RUN bundle")[0]


@pytest.mark.parametrize("line", ['gem "x", path: "engines/x"\n', 'Dir["gems/*"].each { |one| eval_gemfile one }\n'])
def test_a_gemfile_that_reads_folders_keeps_its_place(line: str) -> None:
    files = project("puma", gemfile=f'gem "puma"\n{line}')
    if "path" in line:
        files["Gemfile.lock"] = "PATH\n  remote: engines/x\n  specs:\n    x (0.1.0)\n\n" + files["Gemfile.lock"]
    change = run(SERVER, files)
    assert any("read" in one.because for one in change.refused if one.codemod == "copy-manifests-first")
    assert "COPY . .\nRUN bundle install" in change.after.decode()


def test_settings_of_bundler_stay_above_the_manifests() -> None:
    text = SERVER.replace("RUN bundle", "RUN bundle config set --local frozen true\nRUN bundle")
    builder, _ = stages(text, project("puma"))
    assert builder.index("bundle config") < builder.index("COPY Gemfile") < builder.index("bundle install")


RAILS = {
    "config/application.rb": "require 'rails'\n",
    "bin/rails": "#!/usr/bin/env ruby\n",
    "bin/docker-entrypoint": '#!/bin/bash -e\n./bin/rails db:prepare\nexec "${@}"\n',
}


def test_rails_writes_its_folders_and_precompiles_in_the_builder() -> None:
    text = SERVER.replace("EXPOSE 9292", "RUN SECRET_KEY_BASE_DUMMY=1 ./bin/rails assets:precompile\nEXPOSE 3000")
    text = text.replace(
        'CMD ["bundle", "exec", "puma"]', 'ENTRYPOINT ["./bin/docker-entrypoint"]\nCMD ["./bin/rails", "s"]'
    )
    sqlite = "production:\n  adapter: sqlite3\n  database: storage/production.sqlite3\n"
    builder, runner = stages(text, {**project("rails", "puma"), **RAILS, "config/database.yml": sqlite})
    assert "assets:precompile" in builder
    assert "assets" not in runner
    assert (
        "RUN mkdir -p /app/storage /app/tmp /app/log \\\n    && chown app:app /app/storage \\\n"
        "    && chown -R app:app /app/tmp /app/log\nUSER 10001:10001" in runner
    )


@pytest.mark.parametrize(
    ("code", "owned"),
    [
        ("File.write('data/visits', '1')", "/app/data"),
        ('File.open(File.join(__dir__, "data", "a"), "w") { }', "/app/data"),
        ('SQLite3::Database.new "db/shop.db"', "/app/db"),
        ('File.write("logs/#{day}.txt", "1")', "/app/logs"),
        ('CSV.open("all.csv", "wb") { }', "/app"),
        ("File.write(File.expand_path('../a', __dir__), '1')", None),
        ("Logger.new($stdout)", ""),
        ("File.write(path, '1')", None),
        ("# File.write(path, '1')", ""),
        ("FileUtils.mkdir_p 'uploads'", "/app/uploads"),
    ],
)
def test_where_a_program_writes(code: str, owned: str | None) -> None:
    change = run(SERVER, {**project("puma"), "app.rb": code + "\n"})
    after = change.after.decode()
    if owned is None:
        assert "USER" not in after
        assert any("app.rb:1" in one.because for one in change.refused if one.codemod == "run-as-user")
    else:
        assert (f"chown app:app {owned}\n" in after) if owned else ("chown" not in after)
        assert "USER 10001:10001" in after


GROUPS = 'gem "puma"\ngroup :development, :test do\n  gem "rspec"\nend\n'


def test_groups_of_development_are_left_out_of_a_production_image() -> None:
    text = SERVER.replace("COPY", "ENV RACK_ENV=production\nCOPY")
    files = project("puma", "rspec", gemfile=GROUPS)
    builder, _ = stages(text, files)
    assert "RUN bundle config set --local without 'development test' \\\n    && bundle install" in builder
    assert "nothing says that the image is for production" in str(run(SERVER, files).refused)
    assert "app.rb requires rspec" in str(run(text, {**files, "app.rb": "require 'rspec'\n"}).refused)
    assert "line 6 runs rspec" in str(run(text.replace("EXPOSE", "RUN bundle exec rspec\nEXPOSE"), files).refused)


def test_rails_in_development_is_said_to_be_so() -> None:
    text = 'FROM ruby:3.3\nWORKDIR /app\nCOPY . .\nCMD ["bin/rails", "server", "-e", "development"]\n'
    assert "Rails in development" in refusal(text, project("rails"), codemod="use-production-server")


@pytest.mark.parametrize(
    "line",
    [
        'gem "pry", group: :development',
        "gem 'pry', '~> 0.14', :group => [:development, :test]",
        'gem("pry", "~> 0.14", require: false, groups: ["development"])',
        'group :development do\n  gem "pry", require: false\nend',
    ],
)
def test_groups_are_read_however_they_are_written(line: str) -> None:
    gemfile = read_gemfile(BuildContext.of({"Gemfile": f'{line}\ngem "puma", ">= 6", "< 8"\n'}), "Gemfile")
    assert not isinstance(gemfile, Unknown)
    assert gemfile.out(["development", "test"], ()) == {"pry"}
    assert gemfile.groups["puma"] == {"default"}
