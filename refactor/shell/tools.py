"""The table of package managers: programs, subcommands, and the options that take a value in the next word.

Sources: apt-get(8), apk(8), dnf and yum command references, zypper(8), `pip help install`, the npm, yarn,
pnpm and bun CLI references, `gem help install`, bundle-install(1), `go help build`, the Cargo book, the Maven
and Gradle CLI references, the .NET CLI reference, and the CLI references of Composer, Poetry, uv, PDM, Pipenv
and Corepack.
"""

# No text as annotations here: typing.NamedTuple would compile that of each field, at every start.
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Verb(NamedTuple):
    """A subcommand."""

    action: str
    """Normalised name; "" for the verb itself."""
    takes_packages: bool = False
    valued: frozenset[str] = frozenset()
    verbs: "Mapping[str, Verb]" = {}
    """Subcommands of the subcommand: `go mod download`."""
    is_script: bool = False
    """The next operand names a script or program that is run."""
    script: str | None = None
    """The script's name where the verb implies it: `npm start`."""
    passes_on: bool = False
    """Options behind the first operand belong to what is run."""


class Tool(NamedTuple):
    """A package manager or build tool."""

    manager: str
    verbs: Mapping[str, Verb]
    valued: frozenset[str] = frozenset()
    """Options whose value is the next word, unless it is attached."""
    bare: str | None = None
    """What the program does without a subcommand."""
    single_dash: bool = False
    """`-name` is one option (Go, Maven), not a cluster of letters."""
    slash_options: bool = False
    """`/p:Name=value` is an option (MSBuild)."""
    optional: frozenset[str] = frozenset()
    """Options whose value may be missing: the next word if that is no option (`gem update --system 3.5`)."""
    selector: str = ""
    """First character of a word that selects a version (`cargo +nightly`, `bundle _2.4_`)."""
    greedy: frozenset[str] = frozenset()
    """Options that take all words up to the next option (Bundler's `--without a b`)."""
    booleans_take_words: bool = False
    """`--production false` (nopt, npm's option parser)."""
    runs_scripts: Verb | None = None
    """Any other first operand is a script of the project (`yarn build`)."""
    global_flags: frozenset[str] = frozenset()
    """Options that turn an install into one for the whole machine."""
    abbreviations: tuple[str, ...] = ()
    """Long options that may be shortened to a prefix that fits none of the others (optparse)."""
    goals: Callable[[tuple[str, ...]], str] | None = None
    """For tools without subcommands: the action that a list of goals or tasks amounts to."""
    is_python_module: bool = False

    def is_option(self, text: str) -> bool:
        if text.startswith("-"):
            return text != "-"
        return self.slash_options and text.startswith("/") and ":" in text and "/" not in text[1 : text.index(":")]

    def full_name(self, name: str) -> str:
        """`--no-cache` is `--no-cache-dir` for pip."""
        if not self.abbreviations or not name.startswith("--") or name in self.abbreviations:
            return name
        fits = [option for option in self.abbreviations if option.startswith(name)]
        return fits[0] if len(fits) == 1 else name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _verbs(*groups: tuple[str, Verb]) -> dict[str, Verb]:
    """("install i add", verb), ... -> name -> verb."""
    return {name: verb for names, verb in groups for name in names.split()}


INSTALL = Verb("install", takes_packages=True)
REMOVE = Verb("remove", takes_packages=True)
UPGRADE = Verb("upgrade", takes_packages=True)
DOWNLOAD = Verb("download", takes_packages=True)
UPDATE = Verb("update")
CLEAN = Verb("clean")
AUTOREMOVE = Verb("autoremove")
BUILD = Verb("build")
TEST = Verb("test")
PUBLISH = Verb("publish")
RESTORE = Verb("restore")
PRUNE = Verb("prune")
SYNC = Verb("sync")
CI = Verb("ci")
GLOBAL_INSTALL = Verb("global-install", takes_packages=True)
ITSELF = Verb("")
SCRIPT = Verb("run", is_script=True, passes_on=True)
CONFIG = Verb("config")
EXEC = Verb("exec", is_script=True, passes_on=True)


def _implied(script: str) -> Verb:
    return Verb("run", is_script=True, script=script)


def _group(verbs: dict[str, Verb]) -> Verb:
    return Verb("", verbs=verbs)


_NODE_SCRIPTS = (
    ("start", _implied("start")),
    ("test t tst", _implied("test")),
    ("stop", _implied("stop")),
    ("restart", _implied("restart")),
)

_APT = Tool(
    "apt",
    _verbs(
        ("install reinstall satisfy", INSTALL),
        ("build-dep", Verb("build-dep", takes_packages=True)),
        ("remove purge", REMOVE),
        ("autoremove autopurge auto-remove", AUTOREMOVE),
        ("update", UPDATE),
        ("upgrade dist-upgrade full-upgrade safe-upgrade", UPGRADE),
        ("clean distclean dist-clean", CLEAN),
        ("autoclean auto-clean", Verb("autoclean")),
        ("download source", DOWNLOAD),
    ),
    valued=_words(
        "-o --option -t --target-release --default-release -c --config-file -a --host-architecture "
        "-P --build-profiles --with-source --planner --solver"
    ),
)

_APK = Tool(
    "apk",
    _verbs(
        ("add", INSTALL),
        ("del", REMOVE),
        ("update", UPDATE),
        ("upgrade", UPGRADE),
        ("fetch", DOWNLOAD),
        ("fix", Verb("fix", takes_packages=True)),
        ("cache", _group(_verbs(("clean purge", CLEAN), ("download", DOWNLOAD), ("sync", SYNC)))),
    ),
    valued=_words(
        "-t --virtual -X --repository -p --root --keys-dir --repositories-file --arch --cache-dir "
        "--cache-max-age --wait --timeout --progress-fd -o --output"
    ),
)

_DNF_VALUED = _words(
    "-c --config --enablerepo --disablerepo --enable-repo --disable-repo --repo --repoid "
    "--repofrompath --add-repo --setopt -x --exclude --excludepkgs --releasever --installroot "
    "-d --debuglevel -e --errorlevel --rpmverbosity --forcearch --comment --destdir "
    "--downloaddir -R --randomwait --advisory --advisories --bz --cve --sec-severity "
    "--disableplugin --enableplugin --color --disableexcludes --disableexcludepkgs"
)


def _dnf(manager: str) -> Tool:
    return Tool(
        manager,
        _verbs(
            ("install in localinstall groupinstall reinstall install-n install-na install-nevra", INSTALL),
            (
                "group groups",
                _group(_verbs(("install", INSTALL), ("remove", REMOVE), ("upgrade update", UPGRADE))),
            ),
            ("module", _group(_verbs(("install", INSTALL), ("enable disable reset list", ITSELF)))),
            ("builddep build-dep", Verb("build-dep", takes_packages=True)),
            ("remove rm erase groupremove", REMOVE),
            ("autoremove", AUTOREMOVE),
            ("makecache check-update", UPDATE),
            ("update upgrade up distro-sync dsync update-minimal upgrade-minimal", UPGRADE),
            ("clean", CLEAN),
            ("download", DOWNLOAD),
        ),
        valued=_DNF_VALUED,
    )


_ZYPPER = Tool(
    "zypper",
    _verbs(
        ("install in", INSTALL),
        ("source-install si", Verb("build-dep", takes_packages=True)),
        ("remove rm", REMOVE),
        ("refresh ref", UPDATE),
        ("update up patch dist-upgrade dup", UPGRADE),
        ("clean cc", CLEAN),
        ("addrepo ar", Verb("addrepo")),
        ("removerepo rr", Verb("removerepo")),
    ),
    valued=_words(
        "-c --config --userdata --reposd-dir --cache-dir --raw-cache-dir --solv-cache-dir "
        "--pkg-cache-dir -R --root --installroot --releasever -r --repo --from -t --type -p "
        "--plus-repo --name --download"
    ),
)

_PIP_OPTIONS = (
    "--requirement --constraint --editable --index-url --extra-index-url --find-links --target "
    "--prefix --root --src --python --log --cert --client-cert --proxy --retries --timeout "
    "--trusted-host --cache-dir --exists-action --only-binary --no-binary --platform "
    "--python-version --implementation --abi --global-option --config-settings --build-option "
    "--install-option --progress-bar --upgrade-strategy --dest --wheel-dir --report "
    "--use-feature --use-deprecated --root-user-action --keyring-provider --format --path "
    "--exclude --group --no-cache-dir --no-color --no-input --no-deps --no-index "
    "--no-build-isolation --no-compile --no-warn-script-location --no-warn-conflicts --no-clean "
    "--no-use-pep517 --no-python-version-warning --no-dependencies --disable-pip-version-check "
    "--upgrade --user --pre --quiet --verbose --yes --force-reinstall --ignore-installed "
    "--ignore-requires-python --require-hashes --require-virtualenv --prefer-binary "
    "--use-pep517 --break-system-packages --isolated --debug --dry-run "
    "--check-build-dependencies --compile --process-dependency-links --download --build"
)
_PIP_FLAGS = _words(
    "--no-cache-dir --no-color --no-input --no-deps --no-index --no-build-isolation "
    "--no-compile --no-warn-script-location --no-warn-conflicts --no-clean --no-use-pep517 "
    "--no-python-version-warning --no-dependencies --disable-pip-version-check --upgrade --user "
    "--pre --quiet --verbose --yes --force-reinstall --ignore-installed "
    "--ignore-requires-python --require-hashes --require-virtualenv --prefer-binary "
    "--use-pep517 --break-system-packages --isolated --debug --dry-run "
    "--check-build-dependencies --compile --process-dependency-links"
)

_PIP = Tool(
    "pip",
    _verbs(
        ("install", INSTALL),
        ("uninstall", REMOVE),
        ("download", DOWNLOAD),
        ("wheel", Verb("wheel", takes_packages=True)),
        ("cache", _group(_verbs(("purge remove", CLEAN), ("dir info list", ITSELF)))),
    ),
    valued=(_words(_PIP_OPTIONS) - _PIP_FLAGS) | _words("-r -c -e -i -f -t -d -w -b -C"),
    abbreviations=tuple(_PIP_OPTIONS.split()),
    is_python_module=True,
)

_VENV = Tool("venv", {}, valued=_words("--prompt -p --python"), goals=lambda _: "create", is_python_module=True)

_NPM_VALUED = _words(
    "--registry --prefix -C --cache --loglevel -w --workspace --tag --omit --include --only "
    "--also --save-prefix --userconfig --globalconfig --script-shell --node-options "
    "--install-strategy --fetch-timeout --fetch-retries --fetch-retry-mintimeout "
    "--fetch-retry-maxtimeout --fetch-retry-factor --maxsockets --network-concurrency --scope "
    "--otp --access --before --depth --https-proxy --proxy --noproxy --cafile --ca --cert --key "
    "--user-agent --user --cpu --os --libc --audit-level --pack-destination --message -m "
    "--nodedir --python --target --arch --target_arch --disturl --runtime --logs-dir --logs-max "
    "--package -c --call"
)

_NPM = Tool(
    "npm",
    _verbs(
        ("install i add in ins inst insta instal isnt isnta isntal isntall", INSTALL),
        ("ci clean-install ic install-clean isntall-clean", CI),
        ("install-test it", INSTALL),
        ("install-ci-test cit", CI),
        ("uninstall un unlink remove rm r", REMOVE),
        ("update up upgrade udpate", UPGRADE),
        ("run run-script rum urn", SCRIPT),
        ("exec x", EXEC),
        *_NODE_SCRIPTS,
        ("prune", PRUNE),
        ("cache", _group(_verbs(("clean clear rm", CLEAN), ("add", INSTALL), ("verify ls", ITSELF)))),
        ("publish", PUBLISH),
        ("rebuild rb", Verb("rebuild")),
        ("link ln", Verb("link")),
        ("config c", Verb("config", verbs=_verbs(("set get delete list", CONFIG)))),
        ("set get audit fund pack dedupe ddp init create version view info ls list root", ITSELF),
    ),
    valued=_NPM_VALUED,
    booleans_take_words=True,
    global_flags=_words("-g --global --location=global"),
)

_YARN_VALUED = _words(
    "--cwd --registry --modules-folder --cache-folder --preferred-cache-folder --mutex "
    "--network-concurrency --network-timeout --prefix --global-folder --link-folder --proxy "
    "--https-proxy --use-yarnrc --otp --mode --pattern --tag --user-agent --child-concurrency "
    "--loglevel --emoji"
)

_YARN = Tool(
    "yarn",
    _verbs(
        ("install", INSTALL),
        ("add", INSTALL),
        ("remove", REMOVE),
        ("up upgrade upgrade-interactive", UPGRADE),
        ("run", SCRIPT),
        ("exec dlx", EXEC),
        *_NODE_SCRIPTS[:1],
        ("test", _implied("test")),
        ("cache", _group(_verbs(("clean clear", CLEAN), ("dir list", ITSELF)))),
        (
            "global",
            _group(
                _verbs(
                    ("add", GLOBAL_INSTALL),
                    ("remove", REMOVE),
                    ("upgrade", UPGRADE),
                    ("bin dir list", ITSELF),
                )
            ),
        ),
        (
            "workspaces",
            Verb("workspaces", verbs=_verbs(("focus", INSTALL), ("run foreach info list", ITSELF))),
        ),
        ("workspace", Verb("workspace")),
        ("publish", PUBLISH),
        ("prune", PRUNE),
        ("autoclean", CLEAN),
        ("config", Verb("config", verbs=_verbs(("set get delete list", CONFIG)))),
        ("set", _group(_verbs(("version", Verb("set-version")), ("resolution", ITSELF)))),
        ("npm", _group(_verbs(("publish", PUBLISH), ("login audit", ITSELF)))),
        (
            "plugin policies import link unlink pack why info init create version audit bin check dedupe",
            ITSELF,
        ),
        (
            "node list licenses login logout outdated owner patch rebuild search stage tag team unplug",
            ITSELF,
        ),
        ("versions help", ITSELF),
    ),
    valued=_YARN_VALUED,
    bare="install",
    booleans_take_words=True,
    runs_scripts=SCRIPT,
)

_PNPM = Tool(
    "pnpm",
    _verbs(
        ("install i", INSTALL),
        ("ci clean-install ic install-clean", CI),
        ("add", INSTALL),
        ("remove rm uninstall un", REMOVE),
        ("update up upgrade", UPGRADE),
        ("run run-script", SCRIPT),
        ("exec dlx", EXEC),
        *_NODE_SCRIPTS,
        ("fetch", DOWNLOAD),
        ("prune", PRUNE),
        ("store", _group(_verbs(("prune", CLEAN), ("path status add", ITSELF)))),
        ("publish", PUBLISH),
        ("deploy", Verb("deploy")),
        ("rebuild rb", Verb("rebuild")),
        ("config c", Verb("config", verbs=_verbs(("set get delete list", CONFIG)))),
        (
            "link ln unlink import audit pack setup env self-update list ls why init create patch dedupe",
            ITSELF,
        ),
        ("root bin approve-builds licenses outdated server cache help", ITSELF),
    ),
    valued=_words(
        "-C --dir --filter -F --filter-prod --registry --store-dir --virtual-store-dir "
        "--modules-dir --lockfile-dir --loglevel --reporter --network-concurrency "
        "--child-concurrency --workspace-concurrency --package-import-method --node-linker --tag "
        "--resume-from --global-dir --global-bin-dir --cpu --os --libc --config-dir --fetch-timeout"
    ),
    runs_scripts=SCRIPT,
    global_flags=_words("-g --global"),
)

_BUN = Tool(
    "bun",
    _verbs(
        ("install i", INSTALL),
        ("ci", CI),
        ("add a", INSTALL),
        ("remove rm", REMOVE),
        ("update", UPGRADE),
        ("run", SCRIPT),
        ("x", EXEC),
        ("build", BUILD),
        ("test", TEST),
        (
            "pm",
            _group(_verbs(("cache", _group(_verbs(("rm", CLEAN)))), ("ls trust untrusted bin hash", ITSELF))),
        ),
        ("publish", PUBLISH),
        ("link unlink upgrade create c init patch audit outdated repl exec", ITSELF),
    ),
    valued=_words(
        "--cwd -c --config --registry --cache-dir --backend --filter --outdir --outfile --target "
        "--format --linker --omit --concurrent-scripts --network-concurrency --cpu --os "
        "--preload -r --require --import --env-file --tsconfig-override --define -d --loader -l "
        "--conditions --main-fields --port --title --external --packages --entry-naming --public-path --root"
    ),
    runs_scripts=SCRIPT,
    global_flags=_words("-g --global"),
)

_GEM = Tool(
    "gem",
    _verbs(
        ("install i", INSTALL),
        ("uninstall", REMOVE),
        ("update", UPGRADE),
        ("cleanup clean", CLEAN),
        ("fetch", DOWNLOAD),
        ("build", BUILD),
        ("push", PUBLISH),
    ),
    valued=_words(
        "-v --version -i --install-dir -n --bindir -s --source -P --trust-policy -g --file "
        "--platform --build-root --without -p --http-proxy -B --bulk-threshold --config-file "
        "--target-rbconfig"
    ),
    optional=_words("--system --document"),
    selector="_",
)

_BUNDLE = Tool(
    "bundle",
    _verbs(
        ("install i", Verb("install")),
        ("update", UPGRADE),
        ("add", INSTALL),
        ("remove", REMOVE),
        ("exec e", EXEC),
        ("clean", CLEAN),
        ("config", Verb("config", verbs=_verbs(("set get unset list", CONFIG)))),
        ("cache package pack", Verb("cache")),
        ("lock check binstubs init show info doctor outdated pristine platform", ITSELF),
    ),
    valued=_words(
        "-j --jobs --retry --path --gemfile --without --with --trust-policy --target-rbconfig --shebang --cache-path"
    ),
    bare="install",
    greedy=_words("--without --with --standalone"),
    optional=_words("--binstubs"),
    selector="_",
)

_GO_VALUED = _words(
    "-o -ldflags -tags -mod -gcflags -asmflags -p -C -buildmode -modfile -overlay -pkgdir "
    "-toolexec -installsuffix -compiler -gccgoflags -pgo -covermode -coverpkg -run -count "
    "-timeout -coverprofile -bench -parallel -exec -cpuprofile -memprofile -replace -require "
    "-go -f"
)

_GO = Tool(
    "go",
    _verbs(
        ("build", BUILD),
        ("install", INSTALL),
        ("get", DOWNLOAD),
        ("test", TEST),
        ("run", SCRIPT),
        (
            "mod",
            _group(
                _verbs(
                    ("download", DOWNLOAD),
                    ("tidy", Verb("tidy")),
                    ("vendor", Verb("vendor")),
                    ("verify init edit graph why", ITSELF),
                )
            ),
        ),
        ("work", _group(_verbs(("sync", SYNC), ("vendor", Verb("vendor")), ("init use edit", ITSELF)))),
        ("clean", CLEAN),
        ("generate vet fmt env tool list version fix doc", ITSELF),
    ),
    valued=_GO_VALUED | {f"-{name}" for name in _GO_VALUED},
    single_dash=True,
)

_CARGO = Tool(
    "cargo",
    _verbs(
        ("build b", BUILD),
        ("rustc", BUILD),
        ("install", INSTALL),
        ("uninstall", REMOVE),
        ("binstall", INSTALL),
        ("add", INSTALL),
        ("remove rm", REMOVE),
        ("test t nextest", TEST),
        ("run r", Verb("run", passes_on=True)),
        ("fetch", DOWNLOAD),
        ("vendor", Verb("vendor")),
        ("update", UPGRADE),
        ("clean", CLEAN),
        ("publish", PUBLISH),
        ("chef", _group(_verbs(("prepare", Verb("chef-prepare")), ("cook", Verb("chef-cook"))))),
        ("check c clippy fmt doc bench init new generate-lockfile", ITSELF),
    ),
    valued=_words(
        "--target --bin -p --package -F --features --manifest-path --path --root --git --branch "
        "--tag --rev --version --vers --profile --target-dir -j --jobs --config --color --example "
        "--test --bench --index --registry -Z --recipe-path --message-format --exclude "
        "--lockfile-path --artifact-dir --out-dir -C --name --edition"
    ),
    selector="+",
)


_RUNS = frozenset({"run", "dev", "bootRun", "quarkusDev"})


def _maven_action(goals: tuple[str, ...]) -> str:
    names = set(goals)
    if any(goal.rpartition(":")[2] in _RUNS or goal.startswith("exec:") for goal in goals):
        return "run"
    if names & {"deploy"}:
        return "publish"
    if names & {
        "package",
        "install",
        "verify",
        "compile",
        "process-resources",
        "integration-test",
        "test-compile",
    }:
        return "build"
    if any(goal.startswith("dependency:") or ":go-offline" in goal or ":resolve" in goal for goal in goals):
        return "download"
    if "test" in names:
        return "test"
    if names and names <= {"clean"}:
        return "clean"
    return goals[-1] if goals else ""


_MAVEN = Tool(
    "mvn",
    {},
    valued=_words(
        "-f --file -s --settings -gs --global-settings -P --activate-profiles -pl --projects -rf "
        "--resume-from -T --threads -t --toolchains -gt --global-toolchains -l --log-file -D "
        "--define -b --builder --color -ep --encrypt-password -emp --encrypt-master-password"
    ),
    single_dash=True,
    goals=_maven_action,
)


def _gradle_action(tasks: tuple[str, ...]) -> str:
    names = [task.rpartition(":")[2] for task in tasks]
    if any(name in _RUNS for name in names):
        return "run"
    if any(name in _GRADLE_BUILDS or name.startswith("compile") for name in names):
        return "build"
    for action, known in (("publish", ("publish",)), ("test", ("test", "check"))):
        if any(name in known for name in names):
            return action
    if any(name in ("dependencies", "resolveDependencies", "downloadDependencies") for name in names):
        return "download"
    if names and all(name == "clean" for name in names):
        return "clean"
    return names[-1] if names else ""


_GRADLE_BUILDS = _words(
    "build assemble jar war bootJar bootWar shadowJar installDist distTar distZip fatJar "
    "uberJar installShadowDist classes quarkusBuild nativeCompile buildFatJar"
)

_GRADLE = Tool(
    "gradle",
    {},
    valued=_words(
        "-p --project-dir -b --build-file -c --settings-file -g --gradle-user-home -x "
        "--exclude-task -I --init-script --max-workers --console --configuration -P --project-prop "
        "-D --system-prop --include-build --project-cache-dir --warning-mode --priority --tests -F "
        "--dependency-verification --update-locks -M --write-verification-metadata"
    ),
    single_dash=True,
    goals=_gradle_action,
)

_DOTNET = Tool(
    "dotnet",
    _verbs(
        ("restore", RESTORE),
        ("build", BUILD),
        ("publish", PUBLISH),
        ("pack", Verb("pack")),
        ("test", TEST),
        ("run", Verb("run")),
        ("clean", CLEAN),
        (
            "tool",
            _group(
                _verbs(
                    ("install", INSTALL),
                    ("restore", RESTORE),
                    ("uninstall", REMOVE),
                    ("update", UPGRADE),
                    ("run", EXEC),
                )
            ),
        ),
        ("workload", _group(_verbs(("install", INSTALL), ("restore", RESTORE), ("update", UPGRADE)))),
        ("add", Verb("add", verbs=_verbs(("package", INSTALL), ("reference", ITSELF)))),
        ("nuget", _group(_verbs(("locals", CLEAN), ("push", PUBLISH), ("add", Verb("add"))))),
        ("msbuild", BUILD),
        ("new sln dev-certs vstest ef store format help", ITSELF),
    ),
    valued=_words(
        "-c --configuration -o --output -r --runtime -f --framework -s --source --configfile "
        "--packages -v --verbosity --version-suffix --os -a --arch --lock-file-path --tool-path "
        "--version --project --launch-profile --add-source --filter -l --logger --settings "
        "--manifest --artifacts-path"
    ),
    slash_options=True,
    booleans_take_words=True,
    single_dash=True,
    global_flags=_words("-g --global"),
)

_COMPOSER = Tool(
    "composer",
    _verbs(
        ("install i", Verb("install")),
        ("require r", INSTALL),
        ("remove rm", REMOVE),
        ("update u upgrade", UPGRADE),
        ("dump-autoload dumpautoload", Verb("dump-autoload")),
        ("run-script run", SCRIPT),
        ("exec", EXEC),
        ("create-project", Verb("create-project")),
        ("clear-cache clearcache cc", CLEAN),
        (
            "global",
            Verb(
                "global",
                verbs=_verbs(
                    ("require install", GLOBAL_INSTALL),
                    ("remove", REMOVE),
                    ("update", UPGRADE),
                    ("config", Verb("config")),
                ),
            ),
        ),
        ("config validate check-platform-reqs self-update selfupdate diagnose show init audit", ITSELF),
    ),
    valued=_words(
        "-d --working-dir --prefer-install --repository --repository-url --ignore-platform-req "
        "--audit-format --stability -s --install-dir --filename --timeout --apcu-autoloader-prefix"
    ),
)

_POETRY = Tool(
    "poetry",
    _verbs(
        ("install", Verb("install")),
        ("sync", SYNC),
        ("add", INSTALL),
        ("remove", REMOVE),
        ("update", UPGRADE),
        ("build", BUILD),
        ("publish", PUBLISH),
        ("run", SCRIPT),
        ("cache", _group(_verbs(("clear", CLEAN), ("list", ITSELF)))),
        ("self", _group(_verbs(("add", GLOBAL_INSTALL), ("update", UPGRADE), ("remove", REMOVE)))),
        ("export lock config check show env version shell init new source", ITSELF),
    ),
    valued=_words(
        "--with --without --only -E --extras -C --directory -P --project -f --format -o --output "
        "--python --source -G --group --platform --markers"
    ),
    is_python_module=True,
)

_UV = Tool(
    "uv",
    _verbs(
        ("sync", SYNC),
        ("add", INSTALL),
        ("remove", REMOVE),
        ("lock", Verb("lock")),
        ("run", SCRIPT),
        (
            "pip",
            Verb(
                "",
                valued=_words("--no-binary --only-binary"),  # flags without a value in `uv sync`
                verbs=_verbs(
                    ("install", INSTALL),
                    ("sync", SYNC),
                    ("uninstall", REMOVE),
                    ("compile", Verb("compile")),
                    ("freeze list check tree show", ITSELF),
                ),
            ),
        ),
        (
            "tool",
            _group(_verbs(("install", GLOBAL_INSTALL), ("run", EXEC), ("uninstall", REMOVE), ("upgrade", UPGRADE))),
        ),
        ("cache", _group(_verbs(("clean prune", CLEAN), ("dir", ITSELF)))),
        ("python", _group(_verbs(("install", Verb("python-install")), ("pin find list uninstall", ITSELF)))),
        ("build", BUILD),
        ("publish", PUBLISH),
        ("venv", Verb("venv")),
        ("export version init tree self", ITSELF),
    ),
    valued=_words(
        "-r --requirement --requirements -c --constraint --constraints -e --editable -p --python -i "
        "--index-url --extra-index-url --index --default-index -f --find-links -t --target --prefix "
        "--extra --group --only-group --no-group --package --project --directory --cache-dir "
        "--config-file --link-mode --python-preference --resolution --prerelease --exclude-newer -P "
        "--upgrade-package --reinstall-package --refresh-package --no-build-package "
        "--no-binary-package --no-install-package --no-extra --override --overrides "
        "--build-constraint --build-constraints -b -w --with --with-editable --with-requirements -o "
        "--output-file --format --index-strategy --keyring-provider --allow-insecure-host "
        "--trusted-host --env-file --color --python-version --python-platform --config-setting -C "
        "--config-settings --fork-strategy --prompt --from --out-dir --torch-backend"
    ),
    is_python_module=True,
)

_PDM = Tool(
    "pdm",
    _verbs(
        ("install", Verb("install")),
        ("sync", SYNC),
        ("add", INSTALL),
        ("remove", REMOVE),
        ("update", UPGRADE),
        ("build", BUILD),
        ("publish", PUBLISH),
        ("run", SCRIPT),
        ("cache", _group(_verbs(("clear", CLEAN), ("info list", ITSELF)))),
        ("export lock config use venv init info list self python", ITSELF),
    ),
    valued=_words(
        "-G --group --with --without -p --project -L --lockfile -o --output -f --format -k --skip -c --config"
    ),
    is_python_module=True,
)

_PIPENV = Tool(
    "pipenv",
    _verbs(
        ("install", INSTALL),
        ("sync", SYNC),
        ("uninstall", REMOVE),
        ("update upgrade", UPGRADE),
        ("run", SCRIPT),
        ("clean", CLEAN),
        ("lock requirements graph check shell verify", ITSELF),
    ),
    valued=_words("--python -r --requirements -e --editable -i --index --pypi-mirror --extra-pip-args --categories"),
    is_python_module=True,
)

_COREPACK = Tool(
    "corepack",
    _verbs(
        ("enable disable", ITSELF),
        ("prepare", Verb("prepare")),
        ("install", Verb("install")),
        ("use up pack hydrate cache", ITSELF),
    ),
    valued=_words("--install-directory -o --output"),
    global_flags=_words("-g --global"),
)

_NPX = Tool("npm", {}, valued=_words("-p --package -c --call -w --workspace"), runs_scripts=EXEC)
_PNPX = Tool("pnpm", {}, valued=_words("--package"), runs_scripts=EXEC)
_BUNX = Tool("bun", {}, runs_scripts=EXEC)
_UVX = Tool("uv", {}, valued=_UV.valued, runs_scripts=EXEC)

PROGRAMS: dict[str, Tool] = {
    "apt-get": _APT,
    "apt": _APT,
    "aptitude": _APT,
    "apk": _APK,
    "dnf": _dnf("dnf"),
    "dnf5": _dnf("dnf"),
    "yum": _dnf("yum"),
    "microdnf": _dnf("microdnf"),
    "zypper": _ZYPPER,
    "pip": _PIP,
    "pip3": _PIP,
    "venv": _VENV,
    "virtualenv": _VENV,
    "npm": _NPM,
    "npx": _NPX,
    "yarn": _YARN,
    "yarnpkg": _YARN,
    "pnpm": _PNPM,
    "pnpx": _PNPX,
    "bun": _BUN,
    "bunx": _BUNX,
    "gem": _GEM,
    "bundle": _BUNDLE,
    "bundler": _BUNDLE,
    "go": _GO,
    "cargo": _CARGO,
    "mvn": _MAVEN,
    "mvnw": _MAVEN,
    "gradle": _GRADLE,
    "gradlew": _GRADLE,
    "dotnet": _DOTNET,
    "composer": _COMPOSER,
    "composer.phar": _COMPOSER,
    "poetry": _POETRY,
    "uv": _UV,
    "uvx": _UVX,
    "pdm": _PDM,
    "pipenv": _PIPENV,
    "corepack": _COREPACK,
}
