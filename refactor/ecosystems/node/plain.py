"""Packages that install without a compiler, with all that they depend on; made by ``make_plain``."""

from refactor.ecosystems.node.tables import words

DATE = "2026-11-25"
"""Of the newest fact."""

PLAIN = words(
    """
    @arr/every @babel/runtime @cacheable/memory @cacheable/utils @emnapi/runtime @esbuild/aix-ppc64
    @esbuild/android-arm @esbuild/android-arm64 @esbuild/android-x64 @esbuild/darwin-arm64 @esbuild/darwin-x64
    @esbuild/freebsd-arm64 @esbuild/freebsd-x64 @esbuild/linux-arm @esbuild/linux-arm64 @esbuild/linux-ia32
    @esbuild/linux-loong64 @esbuild/linux-mips64el @esbuild/linux-ppc64 @esbuild/linux-riscv64 @esbuild/linux-s390x
    @esbuild/linux-x64 @esbuild/netbsd-arm64 @esbuild/netbsd-x64 @esbuild/openbsd-arm64 @esbuild/openbsd-x64
    @esbuild/openharmony-arm64 @esbuild/sunos-x64 @esbuild/win32-arm64 @esbuild/win32-ia32 @esbuild/win32-x64
    @eslint-community/eslint-utils @eslint-community/regexpp @eslint/config-array @eslint/config-helpers
    @eslint/core @eslint/object-schema @eslint/plugin-kit @humanfs/core @humanfs/node @humanfs/types
    @humanwhocodes/module-importer @humanwhocodes/retry @img/colour @img/sharp-darwin-arm64 @img/sharp-darwin-x64
    @img/sharp-libvips-darwin-arm64 @img/sharp-libvips-darwin-x64 @img/sharp-libvips-linux-arm
    @img/sharp-libvips-linux-arm64 @img/sharp-libvips-linux-ppc64 @img/sharp-libvips-linux-riscv64
    @img/sharp-libvips-linux-s390x @img/sharp-libvips-linux-x64 @img/sharp-libvips-linuxmusl-arm64
    @img/sharp-libvips-linuxmusl-x64 @img/sharp-linux-arm @img/sharp-linux-arm64 @img/sharp-linux-ppc64
    @img/sharp-linux-riscv64 @img/sharp-linux-s390x @img/sharp-linux-x64 @img/sharp-linuxmusl-arm64
    @img/sharp-linuxmusl-x64 @img/sharp-wasm32 @img/sharp-win32-arm64 @img/sharp-win32-ia32 @img/sharp-win32-x64
    @isaacs/nonrecursive-glob-match @keyv/bigmap @keyv/serialize @next/env @next/swc-darwin-arm64
    @next/swc-darwin-x64 @next/swc-linux-arm64-gnu @next/swc-linux-arm64-musl @next/swc-linux-x64-gnu
    @next/swc-linux-x64-musl @next/swc-win32-arm64-msvc @next/swc-win32-x64-msvc @opencensus/core
    @opencensus/propagation-b3 @pm2/agent @pm2/io @pm2/js-api @pm2/pm2-version-check @polka/url
    @socket.io/component-emitter @swc/counter @swc/helpers @tootallnate/once abbrev accepts acorn acorn-jsx
    acorn-walk agent-base ajv ajv-formats amp amp-message ansi-colors ansi-regex ansi-styles anymatch argparse
    array-flatten ast-types async async-function async-generator-function async-listener asynckit
    available-typed-arrays axios balanced-match base64-js base64id bignumber.js binary-extensions bl blessed bodec
    body-parser brace-expansion braces browser-stdout buffer buffer-crc32 buffer-from buffer-writer buildcheck
    busboy bytes cache-content-type cacheable call-bind call-bind-apply-helpers call-bound caniuse-lite chalk charm
    chokidar chownr cli-tableau client-only cliui cloudevents co color-convert color-name combined-stream commander
    concat-map concurrently connect content-disposition content-type continuation-local-storage cookie cookie-parser
    cookie-signature cookies core-util-is cors croner cross-fetch cross-spawn csstype culvert data-uri-to-buffer
    date-fns dayjs debug deep-equal deep-is define-data-property degenerator delayed-stream delegates depd destroy
    detect-libc devtools-protocol diff dunder-proto ee-first ejs emitter-listener emoji-regex encodeurl
    end-of-stream engine.io engine.io-parser enquirer es-define-property es-errors es-object-atoms
    es-set-tostringtag esbuild escalade escape-html escape-string-regexp escodegen eslint eslint-scope
    eslint-visitor-keys espree esprima esquery esrecurse estraverse esutils etag eventemitter2 express express-ws
    extract-zip fast-deep-equal fast-json-patch fast-json-stable-stringify fast-levenshtein fast-uri fclone
    fd-slicer file-entry-cache file-uri-to-path filelist fill-range finalhandler find-up find-up-simple flat-cache
    flatted follow-redirects for-each form-data forwarded fresh fs-constants fs-extra fs.realpath fsevents ftp
    function-bind generator-function get-caller-file get-intrinsic get-proto get-stream get-uri git-node-fs git-sha1
    glob glob-parent gopd graceful-fs has has-flag has-property-descriptors has-proto has-symbols has-tostringtag
    hashery hasown hookified http-assert http-errors http-proxy-agent https-proxy-agent iconv-lite ieee754 ignore
    ignore-by-default imurmurhash inflight inherits ini ip ipaddr.js is-arguments is-binary-path is-callable
    is-core-module is-extglob is-fullwidth-code-point is-generator-function is-glob is-number is-path-inside
    is-regex is-typed-array is-unicode-supported isarray isexe isomorphic-fetch jake js-git js-yaml json-bigint
    json-schema-traverse json-stable-stringify-without-jsonify json-stringify-safe jsonfile keygrip keyv koa
    koa-compose koa-convert kysely lazy levn locate-path lodash log-driver lru-cache marked matchit math-intrinsics
    media-typer merge-descriptors method-override methods mime mime-db mime-types minimatch minipass mkdirp
    mkdirp-classic mocha module-details-from-path ms mute-stream nan nanoid natural-compare needle negotiator
    netmask node-addon-api node-fetch node-gyp-build nodemon nopt normalize-path nssocket object-assign
    object-inspect on-finished once only optionator p-limit p-locate p-try pac-proxy-agent pac-resolver
    packet-reader pako parseurl path-exists path-is-absolute path-key path-parse path-scurry path-to-regexp pend pg
    pg-cloudflare pg-connection-string pg-int8 pg-pool pg-protocol pg-types pgpass picocolors picomatch pidusage
    pkg-dir pm2 pm2-axon pm2-axon-rpc pm2-deploy pm2-multimeter pm2-sysmonit polka possible-typed-array-names
    postcss postgres-array postgres-bytea postgres-date postgres-interval prelude-ls prettier process progress
    promptly proxy-addr proxy-agent proxy-from-env pstree.remy pump punycode puppeteer qified qs range-parser
    raw-body react react-dom read readable-stream readdirp regenerator-runtime require-directory require-from-string
    require-in-the-middle resolve rimraf run-series rxjs safe-buffer safe-regex-test safer-buffer sax scheduler
    seedrandom semver send serialize-javascript serve-static set-function-length setprototypeof shebang-command
    shebang-regex shell-quote shimmer side-channel side-channel-list side-channel-map side-channel-weakmap
    signal-exit simple-update-notifier smart-buffer socket.io socket.io-adapter socket.io-parser socks
    socks-proxy-agent source-map source-map-js source-map-support spawn-command split2 sprintf-js statuses stoppable
    streamsearch string-width string_decoder strip-ansi strip-json-comments styled-jsx supports-color
    supports-preserve-symlinks-flag systeminformation tar-fs tar-stream through to-regex-range toidentifier touch
    tr46 tree-kill trouter tslib tsscmp tsx tv4 tx2 type-check type-is typescript unbzip2-stream undefsafe
    undici-types universalify unpipe uri-js util util-deprecate utils-merge uuid vary vizion vm2 webidl-conversions
    whatwg-fetch whatwg-url which which-typed-array word-wrap workerpool wrap-ansi wrappy ws xregexp xtend y18n
    yallist yamljs yargs yargs-parser yauzl ylru yocto-queue zod
    """
)
