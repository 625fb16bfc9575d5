"""What packages of Hex need of the system: libraries that they link, programs that they call, or a compiler alone.

Sources: the Makefiles, rebar.config and the documentation of the packages that are named here (hex.pm).
"""

from __future__ import annotations

from collections.abc import Mapping

LINKS: Mapping[str, str] = {
    "fast_xml": "libexpat1-dev", "fast_yaml": "libyaml-dev", "fast_tls": "libssl-dev", "ezlib": "zlib1g-dev",
    "enacl": "libsodium-dev", "libsalty2": "libsodium-dev",
}  # fmt: skip
"""Package that is compiled -> Debian's package of headers whose library it links."""
CALLS: Mapping[str, str] = {
    "mogrify": "convert", "chromic_pdf": "chromium", "pdf_generator": "wkhtmltopdf", "ffmpex": "ffmpeg",
    "thumbnex": "ffmpeg", "git_cli": "git",
}  # fmt: skip
"""Package -> the program that it calls."""
NATIVE = frozenset(
    """
    argon2_elixir bcrypt bcrypt_elixir bitcask brotli cache_tab circuits_gpio circuits_i2c circuits_spi circuits_uart
    cmark crc32cer eleveldb esqlite ex_keccak ex_secp256k1 exqlite ezstd fast_html html5ever iconv jason_native jiffy
    libsecp256k1 mdex meeseeks_html5ever mjml muontrap picosat_elixir rustler rustler_precompiled snappyer stringprep
    """.split()
)
"""Compiled with what the C library and the compiler bring, or fetched as a compiled file that needs nothing else."""
PLAIN = frozenset(
    """
    acceptor_pool amqp_client backoff base64url certifi chatterbox cowboy cowboy_telemetry cowlib
    credentials_obfuscation ctx eredis esaml gen_smtp getopt goldrush gproc grpcbox gun hackney hpack_erl ibrowse idna
    iso8601 jose jsone jsx lager meck metrics mimerl mochiweb mustache opentelemetry opentelemetry_api
    opentelemetry_cowboy opentelemetry_exporter opentelemetry_semantic_conventions p1_utils parse_trans poolboy
    prometheus qdate qdate_localtime quantile_estimator rabbit_common ranch recon ssl_verify_fun telemetry
    telemetry_poller thoas tls_certificate_check unicode_util_compat worker_pool yamerl
    """.split()
)
"""Packages that rebar3 or make builds, without a line of C."""
TLS = frozenset(
    """
    bamboo ex_aws finch gen_smtp gun hackney httpoison httpotion ibrowse mint mongodb_driver myxql oauth2 postgrex
    redix req sentry swoosh tesla websockex
    """.split()
)
"""Packages that open connections, and check certificates where TLS is asked for."""

__all__ = ["CALLS", "LINKS", "NATIVE", "PLAIN", "TLS"]
