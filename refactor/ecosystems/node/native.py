"""Packages with compiled code: which need a toolchain to install, and which libraries when they run."""

from __future__ import annotations

from typing import NamedTuple

from refactor.context import BuildContext
from refactor.context.node_manifests import NodeLock, PackageJson
from refactor.context.tables import table
from refactor.ecosystems.node.plain import DATE, PLAIN
from refactor.ecosystems.node.tables import words

NEVER_COMPILES = words(
    """
    esbuild core-js core-js-pure core-js-bundle protobufjs @prisma/client @prisma/engines prisma husky
    nodemon puppeteer puppeteer-core cypress playwright playwright-core @playwright/test @swc/core
    @nestjs/core nx styled-components es5-ext @scarf/scarf vue-demi unrs-resolver msgpackr-extract
    bufferutil utf-8-validate @parcel/watcher aws-sdk electron electron-chromedriver chromedriver
    geckodriver @sentry/cli @firebase/util @apollo/protobufjs @bufbuild/buf fsevents preact ejs
    highlight.js event-stream ajv-formats @fortawesome/fontawesome-free
    @fortawesome/fontawesome-svg-core @fortawesome/free-solid-svg-icons
    @fortawesome/free-regular-svg-icons @fortawesome/free-brands-svg-icons date-fns @angular/cli
    @openapitools/openapi-generator-cli @compodoc/compodoc simple-git-hooks lefthook workerd
    sass-embedded ngrok ffmpeg-static ffprobe-static @ffmpeg-installer/ffmpeg @ffprobe-installer/ffprobe
    @datadog/native-metrics @tensorflow/tfjs @mapbox/mapbox-gl-native deno bun phantomjs-prebuilt
    phantomjs selenium-webdriver yo gulp-cli fast-folder-size mongodb-memory-server
    mongodb-memory-server-core redis-memory-server parse-server @newrelic/native-metrics dd-trace
    opencollective spawn-sync xhr2 sqreen jest-playwright @vercel/speed-insights @vercel/analytics
    @trivago/prettier-plugin-sort-imports cwebp-bin gifsicle mozjpeg optipng-bin pngquant-bin
    jpegtran-bin @bundled-es-modules/tough-cookie es5-shim rxdb inferno intl-messageformat
    babel-polyfill level-js svelte-preprocess react-native-elements yarn pnpm node-pre-gyp
    dtrace-provider tree-sitter-cli netlify-cli vercel wrangler lerna less @biomejs/biome @sveltejs/kit
    @tailwindcss/oxide @firebase/util autorest wd strapi @strapi/strapi ts-patch unix-dgram
    """
)
"""Packages whose install script prints, downloads a finished program, or checks one that npm brought; none of them
fails without a compiler (an optional one is left out then). From the packages' own manifests on the npm registry."""

COMPILES = words(
    """
    bcrypt argon2 sqlite3 better-sqlite3 node-sass canvas sharp cpu-features grpc libpq pg-native odbc
    ibm_db oracledb usb keytar node-rdkafka zeromq nodegit kerberos node-expat libxmljs libxmljs2 re2
    farmhash xxhash snappy isolated-vm node-pty serialport @serialport/bindings-cpp robotjs deasync ursa
    scrypt ffi-napi ref-napi leveldown classic-level rocksdb lmdb microtime mmmagic node-libcurl
    sodium-native hiredis bignum iconv weak-napi gc-stats heapdump v8-profiler-next memwatch-next
    integer sqlite-vec @journeyapps/sqlcipher @tensorflow/tfjs-node node-datachannel wrtc
    nodejs-snowflake node-webcrypto-ossl fibers pcsclite pty.js userid posix unix-dgram-native uws
    utp-native vue-native secp256k1 keccak blake-hash bcrypt-nodejs-native @discordjs/opus node-opus
    opus ed25519 tiny-secp256k1 couchbase couchbase-native aerospike libsodium nodehun spellchecker
    tree-sitter oniguruma nslog keyboard-layout cld bigint-buffer
    """
)
"""Packages known to be built by node-gyp (or CMake) where no prebuilt file fits; for lockfiles that do not say so."""

_NEEDS_NOTHING = words(
    """
    bcrypt argon2 sqlite3 better-sqlite3 cpu-features node-sass sharp grpc re2 farmhash xxhash snappy
    isolated-vm node-pty serialport @serialport/bindings-cpp deasync scrypt ffi-napi ref-napi leveldown
    classic-level rocksdb lmdb microtime sodium-native hiredis bignum iconv heapdump v8-profiler-next
    secp256k1 keccak bigint-buffer integer tree-sitter node-expat libxmljs libxmljs2 @discordjs/opus
    tiny-secp256k1 node-libcurl-none weak-napi fibers bufferutil utf-8-validate posix unix-dgram
    couchbase cld gc-stats
    """
)
"""Compiled packages that link against the C and C++ libraries alone, or bring the others' sources along."""


_HELPERS = words(
    """
    nan node-addon-api node-gyp node-gyp-build node-gyp-build-optional-packages node-pre-gyp @mapbox/node-pre-gyp
    prebuild-install bindings cmake-js buildcheck napi-build-utils node-abi @napi-rs/cli node-api-headers
    @discordjs/node-pre-gyp napi-macros
    """
)
"""Packages that what is compiled by node-gyp or CMake depends on: headers, loaders, fetchers of prebuilt files."""


class Native(NamedTuple):
    """A package that may be compiled when it is installed."""

    name: str
    why: str


class Judged(NamedTuple):
    """What is known of the packages that an installation brings."""

    compiled: tuple[Native, ...]
    """Those that may need python3, make and a C++ compiler."""
    unknown: tuple[str, ...]
    """Names of those of which nothing says whether they need that."""
    evidence: str
    """What was read, for the rest."""

    @property
    def why_unknown(self) -> str:
        """What is said of ``unknown``."""
        shown = ", ".join(self.unknown[:3]) + (f" and {len(self.unknown) - 3} more" if self.unknown[3:] else "")
        return f"nothing says whether {shown} can be installed without a compiler"


def judge(context: BuildContext, lock: NodeLock | None, package: PackageJson, *, production: bool) -> Judged:
    """Asks the lockfile which packages have an install script, else the table of plain packages."""
    found: dict[str, str] = {}
    unknown: list[str] = []
    if lock is not None and lock.records_install_scripts and (lock.manager, lock.version) != ("npm", "1"):
        installed = [one for one in lock.packages if not (production and one.is_dev)]
        scripts = lock.with_install_scripts(production=production)
        for locked in scripts:
            if locked.name in COMPILES or (lock.manager == "npm" and _has_helper(context, lock.path, locked.location)):
                found.setdefault(locked.name, f"{lock.path} says that {locked.name} has an install script")
            elif locked.name not in NEVER_COMPILES and not locked.is_optional:
                unknown.append(locked.name)
        without = f"read {lock.path}: of {len(installed)} packages that it lists,"
        named = ", ".join(dict.fromkeys(one.name for one in scripts))
        evidence = f"{without} {f'only {named} run' if named else 'none runs'} an install script" + (
            ", which compiles nothing" if named else ""
        )
        return Judged(tuple(Native(*one) for one in found.items()), tuple(dict.fromkeys(unknown)), evidence)
    if lock is not None:
        names = [one.name for one in lock.packages if not (one.is_link or (one.is_dev and production))]
        read = lock.path
    else:
        wanted = {**package.dependencies, **package.optional_dependencies}
        names = [*wanted, *(() if production else package.dev_dependencies)]
        read = package.path
    for name in dict.fromkeys(names):
        if name in COMPILES:
            found.setdefault(name, f"{name} in {read} is compiled where no prebuilt file fits")
        elif name not in PLAIN and name not in NEVER_COMPILES and not name.startswith("@types/"):
            unknown.append(name)
    evidence = f"all {len(names)} packages that {read} names are known to install without a compiler (table of {DATE})"
    return Judged(tuple(Native(*one) for one in found.items()), tuple(unknown), evidence)


def compiled(
    context: BuildContext, lock: NodeLock | None, package: PackageJson, *, production: bool
) -> tuple[Native, ...]:
    """Packages whose installation may need python3, make and a C++ compiler."""
    return judge(context, lock, package, production=production).compiled


def _has_helper(context: BuildContext, lock: str, location: str) -> bool:
    """The package depends on what compiled packages depend on, by its entry in package-lock.json."""
    entry = table(table(table(context.json(lock)).get("packages")).get(location))
    name = location.rpartition("node_modules/")[2]
    if name in NEVER_COMPILES:
        return False
    if entry.get("optional") is True or entry.get("devOptional") is True:
        # npm goes on without an optional package that does not compile.
        return False
    return bool(_HELPERS & {*table(entry.get("dependencies")), *table(entry.get("optionalDependencies"))})


def libraries(natives: tuple[Native, ...], distro: str, release: str | None) -> dict[str, str] | str:
    """System packages that the compiled packages load when they run -> why; or the name of one that is not known."""
    from refactor.images.system_packages import npm_native_needs

    needed: dict[str, str] = {}
    for native in natives:
        names = npm_native_needs(native.name, distro, release)
        for name in names:
            needed.setdefault(name, f"{native.name} is linked with it where it was compiled")
        if not names and native.name not in _NEEDS_NOTHING:
            return native.name
    return needed


__all__ = ["COMPILES", "NEVER_COMPILES", "Judged", "Native", "compiled", "judge", "libraries"]
