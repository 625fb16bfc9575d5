"""Crates that link libraries of the system: which, and from which packages.

Sources: the build scripts of the crates named here (crates.io). A crate whose name ends in ``-sys`` declares a library;
most bring its sources along and link them in, the others look for the system's.
"""

from __future__ import annotations

from collections.abc import Mapping

LINKS: Mapping[str, str] = {
    "openssl-sys": "libssl-dev", "pq-sys": "libpq-dev", "mysqlclient-sys": "default-libmysqlclient-dev",
    "libsqlite3-sys": "libsqlite3-dev", "curl-sys": "libcurl4-openssl-dev", "libz-sys": "zlib1g-dev",
    "bzip2-sys": "libbz2-dev", "lzma-sys": "liblzma-dev", "libudev-sys": "libudev-dev", "alsa-sys": "libasound2-dev",
    "libdbus-sys": "libdbus-1-dev", "libsodium-sys": "libsodium-dev", "krb5-sys": "libkrb5-dev",
    "libgssapi-sys": "libkrb5-dev", "odbc-sys": "unixodbc-dev", "freetype-sys": "libfreetype6-dev",
    "servo-fontconfig-sys": "libfontconfig1-dev", "yeslogic-fontconfig-sys": "libfontconfig1-dev",
    "libxml": "libxml2-dev", "gdal-sys": "libgdal-dev", "proj-sys": "libproj-dev", "libheif-sys": "libheif-dev",
    "leptonica-sys": "libleptonica-dev", "tesseract-sys": "libtesseract-dev", "sasl2-sys": "libsasl2-dev",
    "libssh2-sys": "libssh2-1-dev", "pcap": "libpcap-dev", "libusb1-sys": "libusb-1.0-0-dev",
}  # fmt: skip
"""Crate -> Debian's package of headers whose library it links, where it does not bring it along."""
BRINGS: Mapping[str, str] = {
    "openssl-sys": "openssl-src", "libsqlite3-sys": "cc", "pq-sys": "pq-src", "curl-sys": "cc", "libz-sys": "cc",
    "bzip2-sys": "cc", "lzma-sys": "cc", "libssh2-sys": "cc", "libdbus-sys": "cc", "freetype-sys": "cc",
    "proj-sys": "cmake", "libusb1-sys": "cc",
}  # fmt: skip
"""Crate -> the crate that it builds the library with where it is told to (``vendored``, ``bundled``)."""
LOOKS_FIRST = frozenset(("curl-sys", "libz-sys", "bzip2-sys", "lzma-sys", "libssh2-sys", "libusb1-sys"))
"""Crates that take the system's library where its headers are installed, and build their own elsewhere."""
PLAIN = (
    r"(?:windows.*|clang|winapi.*|js|web|wasm.*|linux-raw|core-.*|security-framework|system-configuration|dirs|inotify|"
    r"kqueue|fsevent|jni|ndk|mach2?|objc.*|zstd|lz4|jemalloc|tikv-jemalloc|mimalloc|libmimalloc|snmalloc|ring|aws-lc|"
    r"aws-lc-fips|boring|onig|librocksdb|rocksdb|rdkafka|libgit2|brotli|snappy|lmdb|lmdb-rkv|mdbx|secp256k1|blst|"
    r"libwebp|mozjpeg|libdeflate|cmake|psm|stacker|hyperscan|tree-sitter|duckdb|libduckdb|libsql|sqlite-vec|"
    r"sqlite3-parser|protobuf|protoc|libloading|renderdoc|tracy|libfuzzer|compiler-builtins|rustix|errno-dragonfly|"
    r"redox|hermit|fuchsia.*|ittapi|dotnetcore|cryptoki|esp-idf|libnghttp2|opus|cty|libc|libm)[-_]sys\Z"
)
"""Crates of this kind that need no library of the system: sources of their own, or other systems' interfaces."""
CERTIFICATES = (
    "native-tls", "rustls-native-certs", "rustls-platform-verifier", "openssl-probe", "openssl", "curl", "isahc",
)  # fmt: skip
