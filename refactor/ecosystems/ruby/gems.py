"""The gems of a project by its Gemfile and Gemfile.lock, and what those need of the system.

Sources: Bundler's lockfile format (bundler/lockfile_parser.rb); the ``extconf.rb`` and the documentation of the gems
that are named here (rubygems.org).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from refactor.context import BuildContext, Unknown

LINKS: Mapping[str, str] = {
    "pg": "libpq-dev", "ruby-pg": "libpq-dev", "mysql2": "default-libmysqlclient-dev", "do_mysql":
    "default-libmysqlclient-dev", "curb": "libcurl4-openssl-dev", "patron": "libcurl4-openssl-dev",
    "charlock_holmes": "libicu-dev", "rmagick": "libmagickwand-dev", "tiny_tds": "freetds-dev", "ruby-filemagic":
    "libmagic-dev", "idn-ruby": "libidn11-dev", "gpgme": "libgpgme-dev", "rugged": "libssl-dev", "libxml-ruby":
    "libxml2-dev", "ruby-ldap": "libldap2-dev", "snappy": "libsnappy-dev", "gdbm": "libgdbm-dev",
    "curses": "libncurses-dev", "ruby-xslt": "libxslt1-dev", "sqlite3-ruby": "libsqlite3-dev",
}  # fmt: skip
"""Compiled gem -> Debian's package of headers whose library it links."""
OPENS: Mapping[str, str] = {
    "ruby-vips": "libvips-dev", "ethon": "libcurl4-openssl-dev", "typhoeus": "libcurl4-openssl-dev",
    "rbnacl": "libsodium-dev", "ffi-rzmq-core": "libzmq3-dev", "ffi-icu": "libicu-dev", "rgeo": "libgeos-dev",
}  # fmt: skip
"""Gem -> the same for a library that it opens when it runs, through ffi."""
CALLS: Mapping[str, str] = {
    "mini_magick": "convert", "streamio-ffmpeg": "ffmpeg", "rubyzip-cli": "zip", "git": "git", "pdf-toolkit": "pdftk",
}  # fmt: skip
"""Gem -> the program that it calls."""
NATIVE = frozenset(
    """
    agoo argon2 bcrypt bcrypt_pbkdf bigdecimal bindex binding_of_caller bootsnap brotli bson byebug cbor cgi
    commonmarker datadog date ddtrace debug debug_inspector digest-crc ed25519 erb escape_utils eventmachine
    fast_blank ffi ffi-compiler google-protobuf grpc hiredis hiredis-client hitimes http_parser.rb io-console
    io-event io-wait iodine itsi itsi-server jaro_winkler jemalloc json kgio levenshtein-ffi libddwaf libv8-node
    llhttp-ffi lz4-ruby mini_racer msgpack murmurhash3 nio4r nokogiri nokogumbo oj openssl ox pitchfork posix-spawn
    prism protobuf psych puma racc raindrops rbs rbtree rdkafka redcarpet ruby-prof sass-embedded sassc scrypt
    snowflake sqlite3 stackprof stringio strptime strscan tailwindcss-ruby thin thruster trilogy unf_ext unicorn
    vernier websocket-driver xxhash yajl-ruby zlib zstd-ruby
    """.split()
)
"""Gems that compile, and link nothing that the slim image of Ruby has not (openssl, zlib, libyaml, libffi)."""
_PLAIN_NAMES = frozenset(
    """
    action_text-trix actioncable actionmailbox actionmailer actionpack actiontext actionview active_link_to
    active_model_serializers activeadmin activejob activemodel activerecord activerecord-import activestorage
    activesupport acts-as-taggable-on acts_as_list acts_as_paranoid addressable administrate ahoy_matey airbrake
    alba amazing_print amq-protocol ancestry annotate anyway_config arbre arel ast attr_encrypted attr_required
    audited authlogic autoprefixer-rails awesome_nested_set awesome_print axiom-types axlsx backports bake base64
    benchmark benchmark-ips blueprinter bootstrap bootstrap-sass brakeman browser builder bullet bundler
    bundler-audit bunny cancancan capistrano capybara carrierwave case_transform caxlsx chartkick childprocess
    chronic cocoon coderay coercible coffee-rails coffee-script coffee-script-source colorize concurrent-ruby config
    connection_pool console countries crack crass css_parser cssbundling-rails csv cuba daemons dalli dartsass-rails
    database_cleaner declarative deep_merge delayed_job delayed_job_active_record descendants_tracker devise
    devise_token_auth diff-lcs discard docile domain_name doorkeeper dotenv dotenv-rails down draper drb dry-rb
    elasticsearch encryptor equalizer equatable erubi erubis et-orbi excon execjs factory_bot factory_bot_rails
    factory_girl faker falcon faraday fiber-annotation fiber-local fiber-storage flipper fog-core font-awesome-sass
    foreman formtastic friendly_id fugit geocoder get_process_mem gli globalid good_job graphiql-rails graphql
    groupdate guard haml haml-rails hamster hansi has_scope hashdiff hashery hashie highline holidays honeybadger
    htmlentities http http-2 http-accept http-cookie http-form_data httparty httpclient i18n i18n-tasks ice_nine
    image_processing importmap-rails inflecto inherited_resources interactor io-endpoint io-stream irb jbuilder
    jekyll jmespath jquery-rails jquery-ui-rails jsbundling-rails json-jwt json-schema json_pure jsonapi-renderer
    jsonapi-resources jsonapi-serializer jwt kamal kaminari kaminari-actionview kaminari-activerecord kaminari-core
    knock kramdown kramdown-parser-gfm language_server-protocol launchy letter_opener lint_roller liquid listen
    localhost logger lograge loofah loofah-activerecord lumberjack mail mapping marcel matrix memory memory-leak
    mercenary metaclass method_source metrics mime-types mime-types-data mini_mime mini_portile2 minitest
    minitest-reporters mocha monetize money money-rails mongo mongoid multi_json multi_xml multipart-post mustache
    mustermann mutex_m naught nenv nested_form net-http net-imap net-ldap net-pop net-protocol net-scp net-sftp
    net-smtp net-ssh netrc newrelic_rpm notiffany oauth oauth2 observer omniauth openai openapi3_parser orm_adapter
    os ostruct pagy paper_trail paperclip parallel paranoia parser parslet pastel pathutil pdf-core pdf-reader
    pdfkit pg_search pghero phlex phlex-rails phonelib popper_js power_assert pp prawn prawn-table premailer
    premailer-rails prettyprint prometheus-client propshaft pry pry-byebug pry-nav pry-rails public_suffix
    puma-plugin-systemd pundit quantile que r18n-core raabro rabl rails rails-controller-testing
    rails-deprecated_sanitizer rails-dom-testing rails-html-sanitizer rails-i18n rails_12factor rails_admin
    rails_serve_static_assets rails_stdout_logging railties rainbow rake ransack rb-fsevent rb-inotify rdoc
    recaptcha redis redis-actionpack redis-activesupport redis-client redis-namespace redis-rack redis-rails
    redis-store ref regexp_parser reline representable request_store responders resque resque-scheduler rest-client
    retriable rexml roda rollbar roo rotp rouge rqrcode rqrcode_core rspec rswag ruby-graphviz ruby-openai
    ruby-progressbar ruby-rc4 ruby2_keywords ruby_dep ruby_parser rubyzip rufus-scheduler safe_yaml safely_block
    samovar sanitize sass sass-rails sassc-rails sawyer scenic sdoc searchkick securecompare securerandom seed-fu
    selenium-webdriver semantic_logger semantic_range sentry-raven sequel serverengine shakapacker shellany shoulda
    shoulda-matchers shrine sidekiq sidekiq-cron sidekiq-scheduler signet simple_form simplecov simplecov-html
    simplecov_json_formatter sinatra slack-notifier slim slim-rails slop snaky_hash solargraph solid_cable
    solid_cache solid_queue spring spring-commands-rspec spring-watcher-listen sprockets sprockets-rails sshkit
    ssrf_filter standard state_machines statesman statsd-instrument statsd-ruby stimulus-rails store_model
    string-format stripe strong_migrations sucker_punch swd sys-uname tailwindcss-rails temple terminal-table
    test-unit thor thread_safe tilt timecop timeout tins traces trailblazer-option transproc treetop tsort ttfunk
    turbo-rails turbolinks turbolinks-source twilio-ruby tzinfo tzinfo-data uber uglifier unf unicode-display_width
    unicode-emoji unicode_utils uniform_notifier uri useragent valid_email2 validate_email validate_url vcr
    version_gem view_component virtus vite_rails vite_ruby warden web-console webdrivers webfinger webmock webpacker
    webrick websocket websocket-extensions wicked wicked_pdf will_paginate xpath yard zeitwerk
    """.split()
)
_PLAIN_FAMILIES = (
    r"(?:activeadmin|async|aws|capistrano|dry|elastic|elasticsearch|faraday|google-apis|google-cloud|googleapis|grape|"
    r"hanami|i18n|jekyll|mustermann|omniauth|opentelemetry|protocol|rack|rom|rspec|rubocop|sentry|sinatra|standard|tty|devise)(?:-.+)?\Z"
    r"|(?:googleauth|gapic-common|process-metrics|rackup|rackup-.*|sequel-.*|dalli-.*|mini_.*_mock)\Z"
)


def is_plain(name: str) -> bool:
    """All of the gem is Ruby, or works with what any image of Ruby has."""
    return name in _PLAIN_NAMES or name in CALLS or re.match(_PLAIN_FAMILIES, name) is not None


class Gem(NamedTuple):
    """A gem of a lockfile."""

    platforms: frozenset[str]
    """"" for the gem that is compiled where that is needed, ``x86_64-linux`` for one with compiled files."""
    needs: tuple[str, ...]
    versions: tuple[str, ...]

    def is_compiled_for(self, libc: str | None) -> bool:
        """The lockfile has it with compiled files for Linux."""
        names = {"musl": ("linux-musl",), "glibc": ("linux", "linux-gnu")}.get(libc or "glibc", ())
        return any(platform.endswith(tuple(f"-{name}" for name in names)) for platform in self.platforms)


class Lock(NamedTuple):
    """A Gemfile.lock."""

    path: str
    gems: Mapping[str, Gem]
    platforms: tuple[str, ...]
    direct: tuple[str, ...]
    git: tuple[str, ...]
    """Addresses of repositories that gems come from."""
    folders: tuple[str, ...]
    """Folders that gems come from, from the Gemfile's."""

    @property
    def is_for_linux(self) -> bool:
        return any(name == "ruby" or "linux" in name for name in self.platforms) or not self.platforms

    def closure(self, without: Collection[str]) -> frozenset[str]:
        """Gems that are installed where those that the Gemfile names in ``without`` are left out."""
        found: set[str] = set()
        waiting = [name for name in self.direct if name not in without]
        while waiting:
            name = waiting.pop()
            if name not in found and name in self.gems:
                found.add(name)
                waiting += self.gems[name].needs
        return frozenset(found)


def read_lock(context: BuildContext, path: str) -> Lock | Unknown:
    """The lockfile at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    section, current = "", ""
    lists: dict[str, list[str]] = {}
    gems: dict[str, tuple[set[str], list[str], list[str]]] = {}
    remotes: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.match(r"[A-Z]", line):
            section = line.strip()
        elif section in {"GEM", "GIT", "PATH", "PLUGIN SOURCE"}:
            remote = re.match(r"  remote: (.+)", line)
            spec = re.match(r"    ([^ ]+) \((\d[^-)]*)(?:-([^)]+))?\)", line)
            need = re.match(r"      ([^ !]+)", line)
            if remote is not None:
                remotes.setdefault(section, []).append(remote[1])
            elif spec is not None:
                current = spec[1]
                known = gems.setdefault(current, (set(), [], []))
                known[0].add(spec[3] or "")
                known[2].append(spec[2])
            elif need is not None and current:
                gems[current][1].append(need[1])
        elif line.strip():
            lists.setdefault(section, []).append(re.split(r"[ !(]", line.strip())[0])
    return Lock(
        path,
        {name: Gem(frozenset(kinds), tuple(needs), tuple(versions)) for name, (kinds, needs, versions) in gems.items()},
        tuple(lists.get("PLATFORMS", ())),
        tuple(lists.get("DEPENDENCIES", ())),
        tuple(remotes.get("GIT", ())),
        tuple(remotes.get("PATH", ())),
    )


_READS = r"\b(eval_gemfile|(?:File|IO)\.read|require_relative|file:|:file\s*=>)\s*\(?\s*(.*)"


class Gemfile(NamedTuple):
    """What a Gemfile says, as far as it is text."""

    groups: Mapping[str, frozenset[str]]
    """Gem -> its groups; ``default`` without one."""
    optional: frozenset[str]
    """Groups that are only installed where they are asked for (``BUNDLE_WITH``)."""
    reads: tuple[str, ...]
    """Context paths of other files that it reads: ``.ruby-version``, gemspecs and what these read."""
    unknown: str
    """What it reads that is not known; "" where all is."""

    def out(self, without: Collection[str], chosen: Collection[str]) -> frozenset[str]:
        """Gems that are left out with these groups left out, and these optional ones asked for."""
        away = {*without, *(self.optional - set(chosen))}
        return frozenset(name for name, groups in self.groups.items() if groups <= away)


def read_gemfile(context: BuildContext, path: str) -> Gemfile | Unknown:
    """The Gemfile at a context path."""
    text = context.read(path)
    if isinstance(text, Unknown):
        return text
    groups: dict[str, set[str]] = {}
    optional: set[str] = set()
    blocks: list[set[str]] = []
    for line in (re.sub(r"(?:^|\s)#.*", "", raw).strip() for raw in text.splitlines()):
        gem = re.match(r"gem\b\s*\(?\s*[\"']([^\"']+)[\"']", line)
        if gem is not None:
            own = re.search(r"\bgroups?(?::|\s*=>|\"?:)\s*(\[[^\]]*\]|:\w+|[\"']\w+[\"'])", line)
            names = set(re.findall(r"\w+", own[1])) if own else set[str]()
            groups.setdefault(gem[1], set()).update(names.union(*blocks) or {"default"})
        if re.match(r"(?:if|unless|case|begin)\b", line) or re.search(r"\bdo\b(?:\s*\|[^|]*\|)?$", line):
            named = (
                set(re.findall(r"[:\"'](\w+)", line.partition("optional")[0])) if line.startswith("group") else set()
            )
            optional |= named if re.search(r"optional(?::|\s*=>)\s*true", line) else set()
            blocks.append(named)
        elif line == "end" and blocks:
            blocks.pop()
    reads, unknown = _reads(context, posixpath.dirname(path), text)
    return Gemfile({name: frozenset(one) for name, one in groups.items()}, frozenset(optional), reads, unknown)


def _reads(context: BuildContext, folder: str, text: str) -> tuple[tuple[str, ...], str]:
    found: dict[str, None] = {}
    unknown = ""
    code = re.sub(r"(?m)(?:^|\s)#.*$", "", text)
    for call in re.finditer(
        r"\b(eval_gemfile|(?:File|IO)\.read|require_relative|(?:file:|:file\s*=>))\s*\(?\s*(.*)", code
    ):
        named = re.match(r"(?:File\.(?:join|expand_path)\()?(?:__dir__,\s*)?[\"']([^\"'#]+)[\"']", call[2])
        if named is None:
            unknown = unknown or f"it reads a file by {call[0].strip()[:60]}"
            continue
        name = named[1] + (".rb" if call[1] == "require_relative" and not named[1].endswith(".rb") else "")
        found[posixpath.normpath(posixpath.join(folder, name))] = None
    if re.search(r"(?m)\bDir(?:\.glob|\[)", code):
        unknown = unknown or "it lists folders"
    if re.search(r"(?m)^\s*gemspec\b", code):
        specs = context.glob(posixpath.join(folder, "*.gemspec"))
        if isinstance(specs, Unknown) or not specs:
            unknown = unknown or "it names a gemspec, which is not there"
        for spec in () if isinstance(specs, Unknown) else specs:
            found[spec] = None
            found.update(dict.fromkeys(_of_gemspec(context, folder, spec)))
    return tuple(path for path in found if context.exists(path) is True), unknown


def _of_gemspec(context: BuildContext, folder: str, spec: str) -> Iterator[str]:
    """The version file that a gemspec requires."""
    text = context.read(spec)
    for name in re.findall(
        r"\brequire(?:_relative)?\s*\(?\s*[\"']([\w./-]+)[\"']", text if isinstance(text, str) else ""
    ):
        for path in (f"{name}.rb", f"lib/{name}.rb"):
            if context.exists(posixpath.join(folder, path)) is True:
                yield posixpath.normpath(posixpath.join(folder, path))


__all__ = ["CALLS", "LINKS", "NATIVE", "OPENS", "Gem", "Gemfile", "Lock", "is_plain", "read_gemfile", "read_lock"]
