"""What Ruby gems need of the system: libraries that they link or open, programs that they call, or a compiler alone.

Sources: the ``extconf.rb`` and the documentation of the gems that are named here (rubygems.org).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


__all__ = ["CALLS", "LINKS", "NATIVE", "OPENS", "is_plain"]
