"""Proofs on a real container engine. Skipped, with a message, where none answers or base images cannot be had."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from refactor.codemod import Codemod, Finding, Phase, Safety
from refactor.context import BuildContext
from refactor.ecosystems import flow_of
from refactor.engine.fix import fix
from refactor.engine.run import Options
from refactor.model.aspects import Aspect
from refactor.proof import EngineProblem, ProbeOptions, Proof, ProofOptions, Verdict, find_engine, prove
from refactor.proof.engine import BuildRequest, Engine, RunRequest
from refactor.proof.filesystem import read_contents
from refactor.proof.reach import Helper
from refactor.proof.rewrite import rewriter_with
from refactor.proof.verify import verify, verify_file
from refactor.syntax import Dockerfile, Replace, parse

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
SMALL, FAT = "node:20-slim", "node:20"
QUICK = ProofOptions(has_contents=False, has_rebuild=False, probe=ProbeOptions(timeout=20, alive=6))

SERVER = """\
const http = require('http');
const port = Number(process.env.PORT || 3000);
http.createServer((ask, answer) => answer.end('hello ' + ask.url)).listen(port, () => console.log('on', port));
"""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    try:
        found = find_engine()
    except EngineProblem as problem:
        pytest.skip(f"real builds are skipped: {problem}")
    folder = tmp_path_factory.mktemp("probe")
    (folder / "Dockerfile").write_text(f"FROM {SMALL}\n")
    built = found.build(request(folder, "check"))
    if built.problem is not None:
        pytest.skip(f"real builds are skipped: {SMALL} cannot be had: {built.problem}")
    found.remove_image("dockerfix-proof:check")
    return found


def request(folder: Path, tag: str) -> BuildRequest:
    network = os.environ.get("DOCKERFIX_BUILD_NETWORK")
    image = f"dockerfix-proof:{tag}"
    return BuildRequest(str(folder / "Dockerfile"), str(folder), image, tag, False, network=network)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "server.js").write_text(SERVER)
    return folder


def dockerfile(*lines: str, base: str = SMALL, cmd: str = 'CMD ["node", "server.js"]') -> bytes:
    return "\n".join([f"FROM {base}", "WORKDIR /app", "COPY . .", *lines, cmd, ""]).encode()


# --- the corpus ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("node-typescript-api", 0.75),
        ("node-native-module", 0.6),
        ("python-fastapi-libpq", 0.6),
        ("go-cmd-server", 0.98),
        ("go-templates", 0.98),
    ],
)
def test_corpus_application_is_proved(engine: Engine, name: str, saved: float) -> None:
    with open(CORPUS / "apps.toml", "rb") as file:
        app = tomllib.load(file)[name]
    options = ProofOptions(probe=ProbeOptions(port=app["port"], path=app["path"]))
    result = verify_file(str(CORPUS / "apps" / name / "Dockerfile"), Options(is_isolated=True), options, engine)
    proof = result.proof
    assert proof is not None, result.message
    assert proof.is_proved, proof.problems
    for version in (proof.before, proof.after):
        assert version is not None
        assert version.outcome is not None
        assert version.outcome.status == 200
        assert app["expect"] in version.outcome.body
    assert proof.before.described is not None
    assert proof.after is not None
    assert proof.after.described is not None
    assert proof.after.described.size <= (1 - saved) * proof.before.described.size
    assert proof.after.rebuild is not None
    assert proof.after.rebuild.installs == ()
    assert proof.after.outcome is not None
    assert proof.after.outcome.uid != 0


EDITED = {
    "node-typescript-api": "shelf-api is running",
    "go-cmd-server": "notes server is running",
    "python-fastapi-libpq": "with libpq",
    "mixed-flask-vite": "Sluice",
    "rust-std-server": "tides on port",
}
"""Words of a source that are in what its build makes."""
NAMED_ELSEWHERE = {"python-setup-py": "Counts words over HTTP"}
"""As EDITED, of applications whose answer begins with a name that other files need unchanged."""


SOURCES = (".ts", ".js", ".go", ".py", ".rs", ".java", ".rb", ".php", ".ex", ".c", ".cpp", ".html", ".ejs")


def edits() -> dict[str, tuple[str, str]]:
    """Application -> a source, and words of it that are in what its build makes: those of EDITED, and with
    DOCKERFIX_PREDICT=all every application whose answer begins with words of a source."""
    with open(CORPUS / "apps.toml", "rb") as file:
        apps = tomllib.load(file)
    is_all = os.environ.get("DOCKERFIX_PREDICT") == "all"
    found = {}
    for name in apps if is_all else EDITED:
        folder = CORPUS / "apps" / name
        files = BuildContext.open(folder, folder / "Dockerfile").files()
        assert isinstance(files, tuple)
        expected = {**NAMED_ELSEWHERE, **EDITED}.get(name, str(apps[name].get("expect", ""))).split()
        for words in (" ".join(expected[:count]) for count in range(len(expected), 0, -1)):
            holders = (one for one in files if one.endswith(SOURCES) and words in (folder / one).read_text())
            if len(words) > 3 and (source := next(holders, None)) is not None:
                found[name] = (source, words)
                break
    return found


@pytest.mark.parametrize("version", ["before", "after"])
@pytest.mark.parametrize("name", edits())
def test_the_graph_predicts_what_an_edit_builds_again(engine: Engine, name: str, version: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(CORPUS / "apps" / name, folder)
    path = folder / "Dockerfile"
    if version == "after":
        change = fix(path.read_bytes(), BuildContext.open(folder, path))
        path.write_bytes(change.after)
        for file in change.files:
            (folder / file.path).write_bytes(file.after)
    context = BuildContext.open(folder, path)
    source, words = edits()[name]
    said = sorted(step.text for step in flow_of(parse(path.read_bytes()), context).reached(source))
    tag = f"edit-{name}-{version}"
    unedited = (folder / source).read_text()
    # An engine that is short of disk throws away what it has just built (BuildKit's garbage collection), and builds it
    # again at the next edit. So an answer that differs is asked for once more: a wrong prediction stays wrong.
    for _ in range(3):
        (folder / source).write_text(unedited)
        built = engine.build(request(folder, tag))
        if built.problem is not None:
            pytest.skip(f"{name} cannot be built here: {built.problem}")
        # Words of this run alone: an engine that has seen the same edit before has its steps in the cache.
        (folder / source).write_text(unedited.replace(words, f"{words} {uuid.uuid4().hex}"))
        built = engine.build(request(folder, tag))
        assert built.problem is None
        ran = sorted(" ".join(step.text.split()) for step in built.steps if not step.is_cached)
        if ran == said:
            break
    engine.remove_image(f"dockerfix-proof:{tag}")
    assert said == ran


def corpus_files() -> list[Path]:
    return sorted(path for path in (CORPUS / "apps").glob("*/Dockerfile*") if path.suffix != ".dockerignore")


@pytest.mark.parametrize("path", corpus_files(), ids=lambda path: path.parent.name)
def test_the_builders_checks_warn_of_nothing_new(engine: Engine, path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    change = fix(before, BuildContext.open(path.parent, path))
    warnings = []
    for name, source in (("before", before), ("after", change.after)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_bytes(source)
        found = engine.check(request(folder, "check"))
        if found is None and name == "before":
            pytest.skip(
                f"{engine.name} {engine.version} cannot check this file (a `# syntax=` line that cannot be had?)"
            )
        assert found is not None
        warnings.append(found)
    assert warnings[1] <= warnings[0]


# --- what a proof finds out ------------------------------------------------------------------------------------------


def judged(engine: Engine, app: Path, before: bytes, after: bytes, options: ProofOptions = QUICK) -> Proof:
    announced = frozenset({Aspect.BASE, Aspect.USER, Aspect.CMD, Aspect.EXPOSE, Aspect.ENV, Aspect.HEALTHCHECK})
    return prove(before, after, str(app), options, may_change=announced, engine=engine)


def test_a_rebuild_counts_what_is_run_again(engine: Engine, app: Path) -> None:
    install = "RUN echo installed > /packages"
    before = dockerfile(install)
    after = before.replace(b"COPY . .\n" + install.encode(), install.encode() + b"\nCOPY . .")
    proof = judged(engine, app, before, after, ProofOptions(has_contents=False))
    assert proof.is_proved, proof.problems
    assert proof.edited == "server.js"
    assert proof.before.rebuild is not None
    assert proof.after is not None
    assert proof.after.rebuild is not None
    assert (proof.before.rebuild.ran, proof.before.rebuild.cached) == (2, 1)
    assert (proof.after.rebuild.ran, proof.after.rebuild.cached) == (1, 2)
    assert (app / "server.js").read_text() == SERVER


def test_what_is_in_the_images_is_compared(engine: Engine, app: Path) -> None:
    proof = judged(
        engine, app, dockerfile(base=FAT), dockerfile("USER node"), ProofOptions(has_rebuild=False, probe=QUICK.probe)
    )
    assert proof.is_proved, proof.problems
    assert "curl" in proof.gone.system_packages
    assert any(path == "usr/lib/gcc" for path, _ in proof.gone.folders)
    assert proof.after is not None
    assert proof.after.contents is not None
    assert "usr/bin/su" in proof.after.contents.set_uid
    assert proof.after.described is not None
    sizes = sum(layer.bytes for layer in proof.after.described.layers)
    # Podman gives the sizes of the layers as tar archives, buildah none.
    assert sizes == pytest.approx(proof.after.described.size if engine.name != "buildah" else 0, rel=0.1)
    assert [str(difference) for difference in proof.differences] == ["User: (none) -> node"]


def test_a_port_that_is_not_exposed_is_found(engine: Engine, app: Path) -> None:
    proof = judged(engine, app, dockerfile("ENV PORT=4567"), dockerfile("ENV PORT=4567", "USER node"))
    assert proof.is_proved, proof.problems
    assert proof.before.outcome is not None
    assert proof.before.outcome.port == 4567


def test_another_port_than_before_fails(engine: Engine, app: Path) -> None:
    proof = judged(engine, app, dockerfile("ENV PORT=4567"), dockerfile("ENV PORT=4568"))
    assert proof.verdict is Verdict.FAILED
    assert "does not start alike: before it HTTP 200 on port 4567" in proof.problems[0]


def test_a_health_check_whose_program_went_away_fails(engine: Engine, app: Path) -> None:
    if not engine.runs_health_checks:
        pytest.skip(f"{engine.name} runs no health checks")
    check = "HEALTHCHECK CMD curl -f http://localhost:3000/"
    proof = judged(engine, app, dockerfile(check, base=FAT), dockerfile(check))
    assert proof.verdict is Verdict.FAILED
    assert "health check" in proof.problems[0]
    assert judged(engine, app, dockerfile(check, base=FAT), dockerfile("USER node", check, base=FAT)).is_proved


def test_the_same_failure_before_and_after_is_alike_and_said(engine: Engine, app: Path) -> None:
    (app / "server.js").write_text("require('net').connect(5432, '127.0.0.1')")
    proof = judged(engine, app, dockerfile(), dockerfile("USER node"))
    assert proof.is_proved, proof.problems
    assert proof.likeness is not None
    assert "the same failure before and after" in proof.likeness.text
    assert "ECONNREFUSED" in proof.likeness.text


def test_a_command_line_image_is_judged_by_its_output(engine: Engine, app: Path) -> None:
    (app / "server.js").write_text("console.log('user', process.getuid() ? 'somebody' : 'root')")
    proof = judged(engine, app, dockerfile(), dockerfile("USER node"))
    assert proof.verdict is Verdict.FAILED
    assert "'user root' before, 'user somebody' now" in proof.problems[0]


def test_an_image_whose_program_is_missing_fails(engine: Engine, app: Path) -> None:
    proof = judged(engine, app, dockerfile(), dockerfile(cmd='CMD ["no-such-program", "server.js"]'))
    assert proof.verdict is Verdict.FAILED
    assert proof.after is not None
    assert proof.after.outcome is not None
    assert proof.after.outcome.kind in {"refused", "exit"}


def test_a_probe_of_the_user_is_run_beside_the_container(engine: Engine, app: Path) -> None:
    if engine.name == "buildah":
        pytest.skip("buildah cannot share a network between containers")
    ask = (
        "node -e \"fetch('http://127.0.0.1:3000/probe').then(answer => answer.text())"
        ".then(text => process.exit(text == 'hello /probe' ? 0 : 1), () => process.exit(2))\""
    )
    options = ProofOptions(has_contents=True, has_rebuild=False, probe=ProbeOptions(command=ask, timeout=20))
    good = judged(engine, app, dockerfile(), dockerfile("USER node"), options)
    assert good.is_proved, good.problems
    assert good.likeness is not None
    assert "passes the probe" in good.likeness.text
    bad = judged(engine, app, dockerfile(), dockerfile("ENV PORT=1234"), options)
    assert bad.verdict is Verdict.FAILED


def test_secrets_reach_the_build(engine: Engine, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app.parent / "token").write_text("swordfish-swordfish")
    options = ProofOptions(
        has_contents=False, has_rebuild=False, probe=QUICK.probe, secrets=(f"id=token,src={app.parent / 'token'}",)
    )
    use = "RUN --mount=type=secret,id=token,required=true test -s /run/secrets/token"
    assert judged(engine, app, dockerfile(use), dockerfile(use, "USER node"), options).is_proved
    tell = dockerfile("RUN --mount=type=secret,id=token,required=true cat /run/secrets/token && false")
    told = judged(engine, app, tell, dockerfile(), options)
    assert told.verdict is Verdict.UNJUDGED
    assert "swordfish" not in told.before.built.log
    assert "***" in told.before.built.log


# --- hostile images --------------------------------------------------------------------------------------------------


def test_a_build_that_never_ends_is_stopped(engine: Engine, app: Path) -> None:
    options = ProofOptions(build_timeout=4.0, has_contents=False)
    start = time.monotonic()
    proof = judged(engine, app, dockerfile(), dockerfile("RUN sleep 600"), options)
    assert proof.verdict is Verdict.FAILED
    assert "stopped after 4 s" in proof.problems[0]
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    "code",
    [
        "const line = 'x'.repeat(1 << 20); for (;;) require('fs').writeSync(1, line);",
        "const { spawn } = require('child_process'); process.on('uncaughtException', () => {});"
        "setInterval(() => { for (let i = 0; i < 20; i++) spawn('sleep', ['600']).on('error', () => {}); }, 10);",
        "const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1));",
    ],
    ids=["floods its log", "forks", "takes all memory"],
)
def test_a_hostile_container_is_bounded(engine: Engine, app: Path, code: str) -> None:
    (app / "server.js").write_text(code)
    probe = ProbeOptions(timeout=8, alive=3, memory=128 << 20, pids=40)
    options = ProofOptions(has_contents=False, has_rebuild=False, probe=probe)
    proof = judged(engine, app, dockerfile(), dockerfile("USER node"), options)
    assert proof.likeness is not None
    assert proof.before.outcome is not None
    assert len(proof.before.outcome.output) <= 64 << 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_an_interruption(
    engine: Engine, app: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (app / "before").write_bytes(dockerfile())
    (app / "after").write_bytes(dockerfile("RUN sleep 300"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom refactor.proof import *\n"
        f"app = Path({str(app)!r})\n"
        "with Prover((app / 'before').read_bytes(), str(app), ProofOptions(has_contents=False),\n"
        "            say=lambda text: print(text, flush=True)) as prover:\n"
        "    print(prover.run, prover._folder, flush=True)\n"
        "    prover.judge((app / 'after').read_bytes(), frozenset())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A job in the background of a script inherits SIGINT ignored.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert process.stdout is not None
    run, folder = process.stdout.readline().split()
    for line in process.stdout:
        if line.startswith("building the version after"):
            break
    time.sleep(2)
    assert list(engine.leftovers(run)) != []
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(engine.leftovers(run)) == []
    assert not Path(folder).exists()


def test_the_last_message_of_an_engine_that_dies(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    # Answers once, as find_engine asks, and is gone when the build has begun.
    program.write_text(
        "#!/bin/sh\n[ -e $0.dead ] && { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }\n"
        'case "$*" in "buildx build"*) touch $0.dead; echo "ERROR: closing transport"; exit 1;; esac\necho 28.0.0\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(EngineProblem, match="docker stopped answering during a build"):
        prove(dockerfile(), dockerfile("USER node"), str(app), ProofOptions(engine="docker"))


# --- ways in ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def listening(engine: Engine, app: Path) -> Iterator[str]:
    if engine.name == "buildah":
        pytest.skip("buildah cannot share a network between containers")
    (app / "Dockerfile").write_bytes(dockerfile())
    assert engine.build(request(app, "listening")).problem is None
    container = engine.start(RunRequest("dockerfix-proof:listening", "dockerfix-proof-listening", "listening"))
    try:
        yield container
    finally:
        engine.remove_container(container)
        engine.remove_image("dockerfix-proof:listening")


@pytest.mark.parametrize("tool", ["node", "perl", "bash", "python3"])
def test_a_port_is_reached_from_a_container_beside(engine: Engine, listening: str, tool: str) -> None:
    with engine.files(FAT, "listening") as pipe:
        programs = read_contents(pipe).programs
    helper = Helper.open(engine, listening, FAT, {tool: programs[tool]}, "listening")
    assert helper is not None
    for _ in range(20):
        if helper.listening():
            break
        time.sleep(0.3)
    assert helper.listening() == frozenset({3000})
    answer = helper.exchange(3000, b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 5.0)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"hello /x" in answer
    assert helper.exchange(3001, b"GET / HTTP/1.0\r\n\r\n", 2.0) is None


# --- the command -----------------------------------------------------------------------------------------------------


class BreakStart(Codemod):
    """Starts a file that is not there."""

    phase, safety = Phase.STYLE, Safety.SAFE
    may_change = frozenset({Aspect.CMD})

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding]:
        for node in file.instructions:
            if node.keyword == "CMD" and "server.js" in node.argument:
                yield Finding(node, "break", [Replace(node, [file.new('CMD ["node", "server.mjs"]')])])


class AddUser(Codemod):
    """Another user."""

    phase, safety = Phase.RUNTIME, Safety.SAFE
    may_change = frozenset({Aspect.USER})

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding]:
        for node in file.instructions:
            if node.keyword == "CMD" and b"USER" not in bytes(file):
                yield Finding(node, "user", [Replace(node, [file.new("USER node"), file.new(node.text.strip())])])


BreakStart.id, AddUser.id = "break-start", "add-user"


def test_a_broken_codemod_is_caught_and_named(engine: Engine, app: Path) -> None:
    source = dockerfile()
    context = BuildContext.open(app)
    rewriter = rewriter_with(source, context, [AddUser, BreakStart])
    result = verify("Dockerfile", source, rewriter, context, QUICK, engine, is_bisecting=True)
    assert result.status == 1
    assert [culprit.codemod for culprit in result.culprits] == ["break-start"]
    assert "Cannot find module" in result.culprits[0].problems[0]
    assert result.kept == ("add-user",)
    assert result.after == source.replace(b"CMD", b"USER node\nCMD")


def dockerfix(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "refactor", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )


class LoseFile(Codemod):
    """Drops a RUN that makes a file."""

    phase, safety = Phase.STYLE, Safety.SAFE
    may_change = frozenset({Aspect.COMMANDS, Aspect.LAYERS, Aspect.CACHE})

    def find(self, file: Dockerfile, context: BuildContext) -> Iterator[Finding]:
        for node in file.instructions:
            if node.keyword == "RUN" and "/kept" in node.argument:
                yield Finding(node, "lose", [Replace(node, [])])


LoseFile.id = "lose-file"
STAMPED = "RUN date +%s%N > /built && apt-get --version > /var/log/dpkg.log && touch /tmp/$(date +%s%N)"


def test_a_safe_codemod_that_loses_a_file_is_caught_and_named(engine: Engine, app: Path) -> None:
    source = dockerfile(STAMPED, "RUN install -m 750 -o node /dev/null /kept")
    rewriter = rewriter_with(source, BuildContext.open(app), [LoseFile])
    options = ProofOptions(has_rebuild=False, probe=QUICK.probe)
    result = verify("Dockerfile", source, rewriter, BuildContext.open(app), options, engine, is_bisecting=True)
    assert [culprit.codemod for culprit in result.culprits] == ["lose-file"]
    assert result.culprits[0].problems == (
        "files differ, though only SAFE codemods were applied: /kept: missing (a file)",
    )
    assert result.proof is not None
    assert result.proof.files is not None
    assert "built" in result.proof.files.unstable
    assert result.after is None


def test_a_safe_rewrite_leaves_every_file_as_it_was(engine: Engine, app: Path) -> None:
    (app / "Dockerfile").write_bytes(dockerfile(STAMPED, "RUN useradd -m app", cmd="CMD node server.js"))
    options = ProofOptions(has_rebuild=False, probe=QUICK.probe)
    result = verify_file(str(app / "Dockerfile"), Options(is_isolated=True, safe=True), options, engine)
    assert result.codemods == ("use-exec-form",)
    assert result.proof is not None
    assert result.proof.is_proved, result.proof.problems
    assert result.proof.files is not None
    assert result.proof.files.count > 2000
    assert "built" in result.proof.files.unstable


def test_cache_mounts_are_empty_in_a_cold_build_and_kept_for_the_rebuild(engine: Engine, app: Path) -> None:
    use = "RUN --mount=type=cache,target=/cache ls /cache && echo >> /cache/log && echo $(wc -l < /cache/log) > /uses"
    source = b"\n".join([f"FROM {SMALL}".encode(), b"COPY . .", use.encode(), b'CMD ["cat", "/uses"]', b""])
    after = source.replace(b"COPY . .", b"COPY server.js .")
    for _ in range(2):
        proof = judged(engine, app, source, after, ProofOptions(has_contents=False, rebuilds=2))
        assert proof.is_proved, proof.problems
        assert proof.before.outcome is not None
        # A mount that kept anything of an earlier proof, or of the other version, would say more.
        assert proof.before.outcome.output.strip() == "1"


def test_verify_from_the_command_line(engine: Engine, app: Path) -> None:
    (app / "Dockerfile").write_bytes(dockerfile(cmd="CMD node server.js"))
    select = ("--isolated", "--no-rebuild", "--select", "use-exec-form")
    done = dockerfix("verify", str(app), "--format", "json", *select)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["engine"]["name"] == engine.name
    proof = report["files"][0]["proof"]
    assert proof["verdict"] == "proved"
    assert proof["after"]["start"]["body"] == "hello /"
    assert (app / "Dockerfile").read_bytes() == dockerfile(cmd="CMD node server.js")
    done = dockerfix("--write", "--verify", str(app), "--isolated", "--select", "use-exec-form")
    assert done.returncode == 0, done.stderr
    assert (app / "Dockerfile").read_bytes() == dockerfile()


def test_a_dockerfile_that_does_not_build_is_said_to(engine: Engine, app: Path) -> None:
    (app / "Dockerfile").write_bytes(dockerfile("RUN false", cmd="CMD node server.js"))
    done = dockerfix("verify", str(app / "Dockerfile"), "--isolated", "--select", "use-exec-form")
    assert done.returncode == 2
    assert "does not build as it is" in done.stdout


def test_no_engine_is_exit_2(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (app / "Dockerfile").write_bytes(dockerfile())
    done = dockerfix("verify", str(app))
    assert done.returncode == 2
    assert "no container engine answers" in done.stderr
    assert done.stdout == ""
