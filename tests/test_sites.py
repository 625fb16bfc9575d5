"""Sites that a development server serves: the build with the same options, or why not."""

from __future__ import annotations

import pytest

from refactor import BuildContext, Change, fix

HUGO = {"hugo.toml": 'baseURL = "https://a.example/"\n', "layouts/index.html": "<p>", "content/a.md": "a"}
JEKYLL = {"_config.yml": "title: A\n", "Gemfile": 'source "https://rubygems.org"\ngem "jekyll"\n', "index.md": "a"}
MKDOCS = {"mkdocs.yml": "site_name: A\n", "docs/index.md": "# A\n"}
SPHINX = {"docs/conf.py": "project = 'A'\n", "docs/index.rst": "A\n"}
TEXT = "FROM {image}\nWORKDIR /site\nCOPY . .\n{more}{start}\n"


def run(files: dict[str, str], start: str, image: str = "debian:bookworm", more: str = "") -> Change:
    source = TEXT.format(image=image, start=start, more=more).encode()
    change = fix(source, BuildContext.of(files), select=["serve-static-files"])
    assert change.failure is None
    return change


@pytest.mark.parametrize(
    ("files", "image", "start", "build", "folder", "port"),
    [
        (HUGO, "debian:12", "CMD hugo server -D --bind 0.0.0.0", "hugo -D --baseURL /", "public", 1313),
        (HUGO, "debian:12", 'ENTRYPOINT ["hugo", "serve", "-p", "80"]', "hugo --baseURL /", "public", 80),
        (HUGO, "debian:12", "CMD hugo server -p8080 -d /tmp/out", "hugo -d /tmp/out --baseURL /", "/tmp/out", 8080),
        (
            *(HUGO, "debian:12", 'CMD ["hugo", "server", "--baseURL=http://h", "--appendPort=false"]'),
            *("hugo --baseURL=http://h", "public", 1313),
        ),
        (HUGO, "debian:12", "CMD hugo server -b http://h -p 81", "hugo --baseURL http://h:81/", "public", 81),
        (HUGO, "klakegg/hugo:ext", 'CMD ["server", "-D"]', "hugo -D --baseURL /", "public", 1313),
        (HUGO, "hugomods/hugo:exts", 'CMD ["hugo", "server"]', "hugo --baseURL /", "public", 1313),
        (
            {**HUGO, "hugo.toml": 'publishDir = "docs"\ntheme = "a"\n', "themes/a/layouts/index.html": ""},
            *("debian:12", "CMD hugo server", "hugo --baseURL /", "docs", 1313),
        ),
        (
            {**HUGO, "public/old.html": ""},
            "debian:12",
            "CMD hugo server",
            "rm -rf public && hugo --baseURL /",
            "public",
            1313,
        ),
        (JEKYLL, "ruby:3.3", "CMD bundle exec jekyll serve -H 0.0.0.0", "bundle exec jekyll build", "_site", 4000),
        (JEKYLL, "ruby:3.3", "CMD jekyll s --drafts -P 80 -d out", "jekyll build --drafts -d out", "out", 80),
        (
            {**JEKYLL, "_config.yml": "destination: out\nport: 81\n"},
            "ruby:3",
            "CMD jekyll serve",
            "jekyll build",
            "out",
            81,
        ),
        (MKDOCS, "python:3.12", 'CMD ["mkdocs", "serve", "-a", "0.0.0.0:80"]', "mkdocs build", "site", 80),
        (MKDOCS, "python:3.12", "CMD python -m mkdocs serve -s", "python -m mkdocs build -s", "site", 8000),
        (MKDOCS, "squidfunk/mkdocs-material:9", 'CMD ["serve", "-a", "0.0.0.0:8001"]', "mkdocs build", "site", 8001),
        (
            {
                "book/mkdocs.yml": "site_dir: ../out\ndev_addr: 0.0.0.0:90\ntheme:\n  x: !!python/name:a.b ''\n",
                "book/docs/i.md": "",
            },
            *("python:3.12", "CMD mkdocs serve -f book/mkdocs.yml", "mkdocs build -f book/mkdocs.yml", "out", 90),
        ),
        (
            *(SPHINX, "python:3.12", "CMD sphinx-autobuild --host 0.0.0.0 -b dirhtml docs out"),
            *("sphinx-build -b dirhtml docs out", "out", 8000),
        ),
    ],
)
def test_built_once_and_served(
    files: dict[str, str], image: str, start: str, build: str, folder: str, port: int
) -> None:
    change = run(files, start, image)
    assert change.applied, [one.because for one in change.refused]
    after = change.after.decode()
    assert f"\nRUN {build}\n" in after
    place = folder if folder.startswith("/") else f"/site/{folder}"
    assert f"COPY --from=builder {place} /usr/share/nginx/html\n" in after
    assert "CMD" not in after
    assert "ENTRYPOINT" not in after
    [conf] = change.files
    assert f"listen {port};" in conf.after.decode()
    assert "error_page 404 /404.html;" in conf.after.decode()


@pytest.mark.parametrize(
    ("files", "image", "start", "because"),
    [
        ({**HUGO, "hugo.toml": 'baseURL = "https://a.example/blog/"'}, "debian:12", "CMD hugo server", "below /blog"),
        (HUGO, "debian:12", "CMD hugo server -b https://a.example/blog", "below the path of https://a.example/blog"),
        (HUGO, "debian:12", "CMD hugo server -b $SITE", "gets $SITE when the container starts"),
        (HUGO, "debian:12", "CMD hugo server --tlsAuto", "what --tlsAuto of"),
        (
            {**HUGO, "hugo.toml": 'theme = "a"'},
            "debian:12",
            "CMD hugo server",
            "the theme a is not in the build context",
        ),
        (
            {**HUGO, "hugo.toml": "[[server.redirects]]\nfrom = 'a'"},
            "debian:12",
            "CMD hugo server",
            "headers or redirects",
        ),
        ({"content/a.md": ""}, "debian:12", "CMD hugo server", "no settings of a site"),
        (HUGO, "debian:12", "CMD ./prepare && hugo server", "is not all that is started"),
        (HUGO, "debian:12", "USER 1000\nCMD hugo server", "the build would run as 1000"),
        (HUGO, "debian:12", "ENV HUGO_PUBLISHDIR=x\nCMD hugo server", "ENV HUGO_PUBLISHDIR changes"),
        (HUGO, "debian:12", "HEALTHCHECK CMD true\nCMD hugo server", "HEALTHCHECK"),
        (
            {**HUGO, "compose.yaml": "services: {a: {build: ., volumes: ['./content:/site/content']}}"},
            *("debian:12", "CMD hugo server", "a setup for development"),
        ),
        ({**JEKYLL, "_config.yml": "baseurl: /docs"}, "ruby:3.3", "CMD jekyll serve", "serves below /docs"),
        (MKDOCS, "squidfunk/mkdocs-material", "EXPOSE 8000", "the development server of the base image"),
        (JEKYLL, "jekyll/jekyll:4", "CMD jekyll serve", "runs by a script of jekyll/jekyll:4"),
        (JEKYLL, "ruby:3.3", "CMD jekyll serve --ssl-cert a --ssl-key b", "what --ssl-cert of"),
        ({**MKDOCS, "mkdocs.yml": "site_url: https://a.example/docs/"}, "python:3", "CMD mkdocs serve", "below /docs"),
        ({"docs/index.rst": ""}, "python:3", "CMD sphinx-autobuild docs out", "docs/conf.py, which"),
        ({**MKDOCS, "mkdocs.yml": "INHERIT: ../a.yml"}, "python:3", "CMD mkdocs serve", "(INHERIT)"),
    ],
)
def test_why_not(files: dict[str, str], image: str, start: str, because: str) -> None:
    change = run(files, start, image)
    assert not change.applied
    assert any(because in refusal.because for refusal in change.refused), [one.because for one in change.refused]


@pytest.mark.parametrize(
    ("files", "start", "doubt"),
    [
        (
            {**HUGO, "layouts/index.html": "{{ if hugo.IsProduction }}x{{ end }}"},
            "CMD hugo server",
            "hugo.IsProduction",
        ),
        ({**HUGO, "hugo.toml": "[[module.imports]]\npath = 'a'\n"}, "CMD hugo server", "imports modules"),
        (
            {**JEKYLL, "_config.yml": "theme: just-the-docs\nurl: https://a.example\n"},
            *("CMD jekyll serve", "takes the theme just-the-docs"),
        ),
        ({**HUGO, "config/production/hugo.toml": ""}, "CMD hugo server", "settings for one environment"),
        ({**JEKYLL, "_layouts/a.html": "{{ jekyll.environment }}"}, "CMD jekyll serve", "jekyll.environment"),
        ({**MKDOCS, "mkdocs.yml": "a:\n  b: !ENV [CI, false]\n"}, "CMD mkdocs serve", "!ENV"),
    ],
)
def test_a_suggestion_where_a_build_may_differ(files: dict[str, str], start: str, doubt: str) -> None:
    source = TEXT.format(image="debian:12", start=start, more="").encode()
    change = fix(source, BuildContext.of(files), select=["serve-static-files"])
    assert not change.applied
    [finding] = [one for one in change.suggested if one.codemod == "serve-static-files"]
    assert any(doubt in line for line in finding.evidence)


@pytest.mark.parametrize(
    "start", ["CMD hugo", "CMD mkdocs build", 'CMD ["nginx", "-g", "daemon off;"]', "CMD jekyll build"]
)
def test_what_serves_nothing_is_not_asked_about(start: str) -> None:
    change = run({**HUGO, **MKDOCS, **JEKYLL}, start, more="RUN hugo\n")
    assert not change.applied
    assert not change.refused
