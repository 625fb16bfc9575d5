"""Whether ADD unpacks a file: by its content where that is seen, else as far as the name tells.

BuildKit's ``isArchivePath`` (solver/llbsolver/file/unpack.go) takes a regular file whose content, plain or behind
gzip, bzip2, xz or zstd, begins with a tar header; folders and links are copied.
"""

from __future__ import annotations

_TAR = frozenset(
    """tar tgz taz tbz tbz2 tb2 tlz txz tzst tz tpz gz bz2 bz xz lz lzma zst z gem crate apk box ova cbt
    unitypackage""".split()
)
"""Endings of tar archives, of what compressed ones are called, and of formats that are tar inside (a gem, Alpine's apk,
a Vagrant box)."""
_OTHER = frozenset(
    """a aar ac adoc am asc asm asp aspx avro avsc awk bash bashrc bat bmp c cabal cc cer cfg cjs class clj cljs cmake
    cmd cnf conf config cpp crt cs csh csproj csr css csv cts cxx db dbf ddl deb der desktop diff dll doc docx dtd
    dylib ear edn egg ejs el env eot erb erl ex exe exs fish fmb fs fsproj fsx ftl gemspec geojson gif go gpg gpx
    gql gradle graphql groovy h h5 hbs hcl hh hpp hrl hs htm html htpasswd hxx ico in ini ipynb j2 jar java jinja
    jinja2 jks jl jnlp jpeg jpg js json json5 jsonc jsonl jsp jspx jsx key keystore kml ko ksh kt kts less list
    lock log lua m m4 make map md mjs mk ml mli mm mo mod mp3 mp4 msi mts mustache nginx nim nt o ogg onnx ora otf
    owl p12 parquet patch pb pdf pem pfx php php3 phtml pkl pl plist pm png po policy pot pptx profile properties
    props proto ps1 psm1 pub py pyc pyi pyx r rake rb rc rdf repo rpm rs rsp rst rules s sass sbt scala scss sed
    service sh sig sln so socket sources sql sqlite sqlite3 sum svelte svg swift t target targets tcl template tf
    tfvars thrift timer tmpl toml tpl ts tsv tsx ttf ttl twig txt udeb v vb vbproj vcl vhost vimrc vm vue war wasm
    wav webp whl woff woff2 xhtml xls xlsx xml xsd xsl xslt yaml yml zig zip zsh""".split()
)
"""Endings of formats that are no tar archive: text, programs, and containers of another kind (zip, ar, rpm)."""
_NAMES = frozenset(
    """Makefile GNUmakefile Dockerfile Containerfile Gemfile Rakefile Procfile Vagrantfile Jenkinsfile Pipfile Brewfile
    Caddyfile Guardfile Capfile Podfile Justfile justfile Snakefile BUILD WORKSPACE LICENSE LICENCE NOTICE COPYING
    README CHANGELOG VERSION AUTHORS configure gradlew mvnw artisan known_hosts authorized_keys id_rsa id_ed25519
    crontab hosts passwd group shadow sudoers""".split()
)
_BLOCK = 512
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def is_archive(data: bytes) -> bool:
    """Whether a file of this content is a tar archive, or compressed (then it may be one inside)."""
    if data.startswith(_PACKED):
        return True
    head = data[:_BLOCK]
    try:
        checksum = int(head[148:156].strip(b" \0"), 8)
    except ValueError:
        return False
    # The sum of the header's bytes, its own field taken as blanks; old programs added them as signed ones.
    rest = head[:148] + b" " * 8 + head[156:]
    return len(head) == _BLOCK and checksum in (sum(rest), sum(byte - 256 if byte > 127 else byte for byte in rest))


def is_archive_name(name: str) -> bool | None:
    """Whether a file of this name is a tar archive, or compressed; None where the name does not tell."""
    base = name.rpartition("/")[2]
    stem, dot, ending = base.rpartition(".")
    ending = ending.lower()
    if dot and ending in _TAR:
        return True
    if base in _NAMES or (dot and ending in _OTHER):
        return False
    # .bashrc, .npmrc: the configuration of some program.
    return False if dot and not stem else None
