"""The command line as a user meets it: what is printed where, exit statuses, bad input, atomic writes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAIVE = """FROM debian:bookworm
RUN apt-get update
RUN apt-get install -y curl
CMD ["curl", "--version"]
"""
CLEAN = """FROM debian:bookworm-slim
RUN apt-get update \\
    && apt-get install -y curl \\
    && rm -rf /var/lib/apt/lists/*
CMD ["curl", "--version"]
"""


def run(
    *arguments: str | Path, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "refactor", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(NAIVE)
    return tmp_path


def test_default_reports_and_exits_with_one(folder: Path) -> None:
    done = run(cwd=folder)
    assert done.returncode == 1
    assert b"Dockerfile:2: " in done.stdout
    assert b"SAFE" in done.stdout
    assert b"why: " in done.stdout
    assert b"1 file would change" in done.stderr
    assert (folder / "Dockerfile").read_text() == NAIVE


def test_lines_are_those_of_the_file_that_people_have(folder: Path) -> None:
    lines = [
        "FROM node:20-slim",
        "WORKDIR /app",
        "COPY . .",
        "RUN cd client && npm ci && npm run build",
        "RUN cd server && npm ci",
        'CMD ["node", "server/index.js"]',
    ]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    wanted = {"dependencies": {"ms": "^2.1.3"}}
    lock = {"lockfileVersion": 3, "packages": {"": wanted, "node_modules/ms": {"version": "2.1.3"}}}
    for name in ("client", "server"):
        (folder / name).mkdir()
        (folder / name / "package.json").write_text(json.dumps({"scripts": {"build": "node build.js"}, **wanted}))
        (folder / name / "package-lock.json").write_text(json.dumps(lock))
    (folder / "client" / "build.js").write_text("require('fs').writeFileSync('index.html', '')\n")
    (folder / "server" / "index.js").write_text("require('http')\n")
    done = run("--format", "json", cwd=folder)
    [file] = json.loads(done.stdout)["files"]
    assert {(finding["codemod"], finding["line"]) for finding in file["findings"]} >= {
        ("copy-manifests-first", 4),
        ("clean-package-cache", 4),
        ("clean-package-cache", 5),
        ("run-as-user", 6),
    }
    refused = {(entry["codemod"], entry["line"]): entry["because"] for entry in file["refusals"]}
    assert "the RUN on line 4 comes between" in refused["copy-manifests-first", 5]


def test_a_diff_with_refusals_is_still_a_diff(folder: Path) -> None:
    (folder / "Dockerfile").write_text(NAIVE.replace('CMD ["curl", "--version"]', "CMD curl $URL"))
    plain, both = run("--diff", cwd=folder), run("--diff", "--explain-refusals", cwd=folder)
    assert both.stdout == plain.stdout != b""
    assert both.returncode == 1
    assert b"use-exec-form refused: `$URL` is expanded by the shell" in both.stderr
    assert b"refused" not in plain.stderr


def test_one_reason_is_said_once_for_all_codemods_it_keeps_away(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD ["node", "a.js"]\n')
    stdin = (tmp_path / "Dockerfile").read_bytes()
    done = run("--explain-refusals", "-", cwd=tmp_path, stdin=stdin)
    said = [line for line in done.stdout.decode().splitlines() if "the build context is not known" in line]
    assert len(said) == 1
    assert "run-as-user" in said[0]
    assert "use-slim-base" in said[0]
    done = run("--format", "json", "-", cwd=tmp_path, stdin=stdin)
    [refusal] = [r for r in json.loads(done.stdout)["files"][0]["refusals"] if "context is not known" in r["because"]]
    assert refusal["others"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--diff"], ["--format", "json"], ["rules"], ["--output", "/dev/full"]])
def test_output_that_cannot_be_written_is_said(folder: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "refactor", *arguments],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 2
    assert done.stderr.decode().count("No space left on device") == 1
    assert b"Traceback" not in done.stderr


def test_a_current_folder_that_was_removed_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m refactor', sys.executable],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    assert b"the current folder was removed" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_nothing(folder: Path, redirection: str) -> None:
    command = f'"$0" -m refactor --write {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=folder,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert "apt-get update \\\n" in (folder / "Dockerfile").read_text()


def test_diff_is_taken_by_git_apply_and_equals_write(folder: Path) -> None:
    done = run("--diff", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.startswith(b"--- a/Dockerfile\n+++ b/Dockerfile\n")
    patch = folder / "fix.patch"
    patch.write_bytes(done.stdout)
    subprocess.run(["git", "apply", "fix.patch"], cwd=folder, check=True)
    applied = (folder / "Dockerfile").read_bytes()
    (folder / "Dockerfile").write_text(NAIVE)
    assert run("--write", cwd=folder).returncode == 0
    assert (folder / "Dockerfile").read_bytes() == applied
    again = run(cwd=folder)
    assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")


def test_clean_file_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(CLEAN)
    for mode in ((), ("--diff",), ("--check",), ("--write",)):
        done = run(*mode, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), mode
    assert (tmp_path / "Dockerfile").read_text() == CLEAN


def test_json_has_findings_refusals_and_the_diff(folder: Path) -> None:
    done = run("--format", "json", "--diff", cwd=folder)
    (entry,) = json.loads(done.stdout)["files"]
    assert entry["changed"]
    assert {finding["codemod"] for finding in entry["findings"]} >= {"chain-runs", "clean-package-cache"}
    assert entry["diff"].startswith("--- a/Dockerfile")


def test_standard_input_with_a_name(folder: Path) -> None:
    done = run("--diff", "-", "--stdin-filename", "Dockerfile", cwd=folder, stdin=NAIVE.encode())
    assert done.returncode == 1
    assert done.stdout.startswith(b"--- a/Dockerfile\n")
    written = run("--write", "-", cwd=folder, stdin=NAIVE.encode())
    assert b"rm -rf /var/lib/apt/lists/*" in written.stdout


def test_select_ignore_and_misspelt_ids(folder: Path) -> None:
    only = run("--select", "chain-runs", "--format", "concise", cwd=folder)
    assert {line.split(b" ")[1] for line in only.stdout.splitlines()} == {b"chain-runs"}
    without = run("--ignore", "clean-package-cache", "--format", "concise", cwd=folder)
    assert b"clean-package-cache" not in without.stdout
    wrong = run("--select", "chain-run", cwd=folder)
    assert wrong.returncode == 2
    assert b"did you mean 'chain-runs'?" in wrong.stderr


def test_two_dockerfiles_have_contexts_of_their_own(tmp_path: Path) -> None:
    for name, has_lock in (("a", True), ("b", False)):
        app = tmp_path / name
        app.mkdir()
        (app / "Dockerfile").write_text(
            'FROM node:20-slim\nWORKDIR /app\nCOPY . .\nRUN npm install\nCMD ["node", "s.js"]\n'
        )
        (app / "package.json").write_text('{"name": "x", "version": "1.0.0"}')
        (app / "s.js").write_text("console.log(1)\n")
        if has_lock:
            lock = {
                "name": "x",
                "version": "1.0.0",
                "lockfileVersion": 3,
                "packages": {"": {"name": "x", "version": "1.0.0"}},
            }
            (app / "package-lock.json").write_text(json.dumps(lock))
    run("--write", cwd=tmp_path)
    assert "npm ci" in (tmp_path / "a" / "Dockerfile").read_text()
    assert "npm install" in (tmp_path / "b" / "Dockerfile").read_text()


def test_compose_names_context_and_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "web.dockerfile").write_text(
        'FROM node:20-slim\nWORKDIR /app\nCOPY . .\nRUN npm install\nCMD ["node", "s.js"]\n'
    )
    (tmp_path / "package.json").write_text('{"name": "x", "version": "1.0.0"}')
    (tmp_path / "s.js").write_text("console.log(1)\n")
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build:\n      context: .\n      dockerfile: docker/web.dockerfile\n"
    )
    done = run("--diff", cwd=tmp_path)
    assert b"+COPY package.json ./" in done.stdout


class TestBadInput:
    def check(self, done: subprocess.CompletedProcess[bytes], *words: str) -> None:
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr.decode()

    def test_missing_file(self, folder: Path) -> None:
        done = run("nope/Dockerfile", "Dockerfile", cwd=folder)
        self.check(done, "nope/Dockerfile", "does not exist")
        assert b"Dockerfile:2: " in done.stdout, "the other file is still done"

    def test_folder_without_dockerfiles(self, tmp_path: Path) -> None:
        self.check(run(cwd=tmp_path), "has no Dockerfile")

    def test_binary_file(self, folder: Path) -> None:
        (folder / "Dockerfile.bin").write_bytes(b"\x7fELF\0\0\0")
        self.check(run("Dockerfile.bin", cwd=folder), "Dockerfile.bin", "binary")

    def test_huge_file(self, folder: Path) -> None:
        with (folder / "Dockerfile.huge").open("wb") as file:
            file.truncate(100 * 1024 * 1024)
        self.check(run("Dockerfile.huge", cwd=folder), "100 MiB")

    def test_fifo_does_not_hang(self, folder: Path) -> None:
        os.mkfifo(folder / "Dockerfile.pipe")
        self.check(run("Dockerfile.pipe", cwd=folder), "not a regular file")

    def test_a_file_that_buildkit_refuses(self, folder: Path) -> None:
        bad = "FROM debian\nFROB x\nRUN apt-get install curl\n"
        (folder / "Dockerfile").write_text(bad)
        self.check(run("--write", cwd=folder), "Dockerfile:2", "FROB")
        assert (folder / "Dockerfile").read_text() == bad

    def test_broken_manifest_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(
            'FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm install\nCMD ["node", "s.js"]\n'
        )
        (tmp_path / "package.json").write_text("{broken")
        self.check(run(cwd=tmp_path), "package.json")

    def test_read_only_folder(self, folder: Path) -> None:
        if os.geteuid() == 0:
            pytest.skip("root writes everywhere")
        folder.chmod(0o555)
        try:
            self.check(run("--write", cwd=folder), "permission")
        finally:
            folder.chmod(0o755)
        assert (folder / "Dockerfile").read_text() == NAIVE

    def test_broken_configuration(self, folder: Path) -> None:
        (folder / "dockerfix.toml").write_text("selct = []\n")
        self.check(run(cwd=folder), "dockerfix.toml", "did you mean 'select'?")
        (folder / "dockerfix.toml").write_text("select = [\n")
        self.check(run(cwd=folder), "not valid TOML")
        assert run("--isolated", cwd=folder).returncode == 1

    def test_options_that_exclude_each_other(self, folder: Path) -> None:
        self.check(run("--write", "--diff", cwd=folder), "exclude each other")
        self.check(run("--safe", "--unsafe", cwd=folder), "exclude each other")
        self.check(run("--context", "nope", cwd=folder), "nope", "no folder")

    def test_deep_nesting_does_not_exhaust_the_parser(self, folder: Path) -> None:
        (folder / "Dockerfile").write_text(
            "FROM debian\nRUN " + "(" * 20000 + "true" + ")" * 20000 + "\nCMD " + "[" * 20000 + "\n"
        )
        done = run(cwd=folder)
        assert done.returncode in {0, 1, 2}
        assert b"Traceback" not in done.stderr


class TestWriting:
    def test_mode_and_symbolic_link_are_kept(self, folder: Path) -> None:
        real = folder / "real"
        real.mkdir()
        target = real / "Dockerfile"
        target.write_text(NAIVE)
        target.chmod(0o640)
        link = folder / "Dockerfile.link"
        link.symlink_to("real/Dockerfile")
        assert run("--write", "Dockerfile.link", cwd=folder).returncode == 0
        assert link.is_symlink()
        assert target.read_text() != NAIVE
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert sorted(path.name for path in real.iterdir()) == ["Dockerfile"], "no temporary file is left"

    def test_a_file_that_changes_underneath_is_left_alone(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from refactor.engine.files import FileProblem, Write, write_together

        with pytest.raises(FileProblem, match="changed while"):
            write_together([Write(str(folder / "Dockerfile"), b"something else", b"new")])
        assert (folder / "Dockerfile").read_text() == NAIVE

    def test_a_full_disk_leaves_the_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import errno

        from refactor.engine import files

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(files.FileProblem, match="free some space"):
            files.write_together([files.Write(str(folder / "Dockerfile"), NAIVE.encode(), b"new")])
        assert (folder / "Dockerfile").read_text() == NAIVE
        assert [path.name for path in folder.iterdir()] == ["Dockerfile"]

    def test_killed_at_any_time_the_file_is_whole(self, folder: Path) -> None:
        path = folder / "Dockerfile"
        run("--write", cwd=folder)
        new = path.read_text()
        for delay in (0.02, 0.05, 0.08, 0.1, 0.15, 0.2):
            path.write_text(NAIVE)
            process = subprocess.Popen(
                [sys.executable, "-m", "refactor", "--write"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert path.read_text() in {NAIVE, new}

    def test_two_runs_at_once_leave_a_whole_file(self, folder: Path) -> None:
        command = [sys.executable, "-m", "refactor", "--write"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        runs = [
            subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(4)
        ]
        for process in runs:
            process.wait()
        assert run(cwd=folder).returncode == 0
        assert (folder / "Dockerfile").read_text() != NAIVE


def test_several_processes_say_the_same_as_one(tmp_path: Path) -> None:
    for number in range(30):
        sub = tmp_path / f"{number:02}"
        sub.mkdir()
        (sub / "Dockerfile").write_text(NAIVE)
    one, two = run("-j1", "--diff", cwd=tmp_path), run("-j2", "--diff", cwd=tmp_path)
    assert one.stdout == two.stdout
    assert one.stdout.count(b"--- a/") == 30


def test_rules_and_explain(tmp_path: Path) -> None:
    rules = run("rules", cwd=tmp_path)
    assert rules.returncode == 0
    assert b"chain-runs" in rules.stdout
    explained = run("explain", "chain-runs", cwd=tmp_path)
    assert b"### When it refuses" in explained.stdout
    assert b"```diff" in explained.stdout
    assert run("explain", "nonsense", cwd=tmp_path).returncode == 2
    (tmp_path / "rules").write_text(CLEAN)
    assert run("./rules", cwd=tmp_path).stdout == b""


def test_plain_calls_are_read_alike_with_and_without_click(folder: Path) -> None:
    from refactor.cli.command import fix_command
    from refactor.cli.main import SWITCHES, read_quickly

    options = [parameter for parameter in fix_command.params if getattr(parameter, "is_flag", False)]
    flags = {name for option in options for name in option.opts}
    assert set(SWITCHES) == flags - {"--verify", "--sign-off", "--version", "--help", "-h"}
    assert read_quickly(["--diff", "a", "b"]) == (("a", "b"), frozenset({"--diff"}), None)
    assert read_quickly(["-j12", "a"]) == (("a",), frozenset(), 12)
    for words in (
        ["--diff", "--write"],
        ["--safe", "--unsafe"],
        ["-j", "2"],
        ["-j0"],
        ["-j1", "-j2"],
        ["--help"],
        ["-"],
        ["rules"],
        ["--nope"],
    ):
        assert read_quickly(words) is None, words
    for switches in (["--diff"], ["-j1"], ["--explain-refusals"], ["--safe"], ["--unsafe", "--statistics"]):
        quick, slow = run(*switches, cwd=folder), run(*switches, "--format", "text", cwd=folder)
        assert (quick.returncode, quick.stdout, quick.stderr) == (slow.returncode, slow.stdout, slow.stderr)


def test_colour_only_where_it_is_wanted(folder: Path) -> None:
    assert b"\x1b[" not in run(cwd=folder).stdout
    assert b"\x1b[" in run(cwd=folder, env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b[" not in run(cwd=folder, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout


class TestSuppression:
    def after(self, folder: Path, text: str) -> str:
        path = folder / "Dockerfile"
        path.write_text(text)
        assert run("--write", cwd=folder).returncode == 0
        return path.read_text()

    def test_a_comment_switches_one_codemod_off(self, folder: Path) -> None:
        text = NAIVE.replace(
            "RUN apt-get install", "# dockerfix: ignore=clean-package-cache # lists are wanted\nRUN apt-get install"
        )
        assert "rm -rf" not in self.after(folder, text)

    def test_the_whole_file(self, folder: Path) -> None:
        text = "# dockerfix: ignore-file\n" + NAIVE
        assert self.after(folder, text) == text

    def test_hadolint_and_check_comments_count(self, folder: Path) -> None:
        text = NAIVE.replace("RUN apt-get install", "# hadolint ignore=DL3009\nRUN apt-get install")
        assert "rm -rf" not in self.after(folder, text)

    @pytest.mark.parametrize(
        "comment",
        [
            "# dockerfix: ignore=clean-package-cache",
            "# dockerfix: ignore=chain-runs, clean-package-cache # why",
            "# dockerfix: ignore=layers",
            "# dockerfix: ignore",
            "# hadolint ignore=DL3008,DL3009",
            "# hadolint ignore=DL3009 # why",
            "# hadolint ignore=DL3009 because lists are wanted",
        ],
    )
    def test_above_an_instruction_and_between_its_lines(self, folder: Path, comment: str) -> None:
        install = "RUN apt-get update \\\n{}    && apt-get install -y curl\n"
        above = f"FROM debian:bookworm-slim\n{comment}\n{install.format('')}"
        between = f"FROM debian:bookworm-slim\n{install.format(f'    {comment}' + chr(10))}"
        assert "rm -rf" in self.after(folder, above.replace(comment, "# why"))
        assert self.after(folder, above) == above
        assert self.after(folder, between) == between

    @pytest.mark.parametrize(
        "comment",
        ["# hadolint global ignore=DL3009", "# dockerfix: ignore-file=clean-package-cache", "# dockerfix: IGNORE-FILE"],
    )
    def test_file_wide_wherever_it_stands(self, folder: Path, comment: str) -> None:
        text = f"FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl\n{comment}\n"
        assert self.after(folder, text) == text

    def test_a_global_comment_of_hadolint_names_codes(self, folder: Path) -> None:
        text = "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y curl\n"
        assert "rm -rf" in self.after(folder, text + "# hadolint global ignore=DL3008\n")

    def test_check_skip(self, folder: Path) -> None:
        text = "# check=skip=JSONArgsRecommended,StageNameCasing;error=true\nFROM debian:bookworm-slim\nCMD curl -V\n"
        assert self.after(folder, text) == text
        assert "CMD [" in self.after(folder, text.replace("JSONArgsRecommended,", ""))

    @pytest.mark.parametrize(
        ("comment", "what"),
        [
            ("# dockerfix: ignore=chain-rums", "did you mean 'chain-runs'?"),
            ("# dockerfix: ignore=chain-runs because it is slow", "unknown codemod 'chain-runs because it is slow'"),
            ("# dockerfix: ignore-file=", "names no codemod"),
            ("# dockerfix: disable=chain-runs", "no comment that dockerfix knows"),
            ("# dockerfix: ignore the next line", "no comment that dockerfix knows"),
        ],
    )
    def test_a_comment_that_cannot_be_followed_is_told_and_nothing_is_done(
        self, folder: Path, comment: str, what: str
    ) -> None:
        text = NAIVE.replace("RUN apt-get install", f"{comment}\nRUN apt-get install")
        (folder / "Dockerfile").write_text(text)
        done = run("--write", cwd=folder)
        assert done.returncode == 2
        assert what in done.stderr.decode()
        assert "Dockerfile:3: " in done.stderr.decode()
        assert (folder / "Dockerfile").read_text() == text

    def test_what_a_comment_keeps_is_said_where_refusals_are(self, folder: Path) -> None:
        text = NAIVE.replace("RUN apt-get install", "# dockerfix: ignore=clean-package-cache\nRUN apt-get install")
        (folder / "Dockerfile").write_text(text)
        said = run("--explain-refusals", cwd=folder).stdout.decode()
        assert "the comment in line 3 switches it off" in said


class TestSelection:
    TEXT = """FROM debian:bookworm
RUN apt-get update && apt-get install -y curl
RUN apt-get install -y git
"""

    def ids(self, folder: Path, *words: str) -> set[str]:
        done = run("--format", "json", *words, cwd=folder)
        assert done.returncode in (0, 1), done.stderr
        return {finding["codemod"] for finding in json.loads(done.stdout)["files"][0]["findings"]}

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "Dockerfile").write_text(self.TEXT)
        return tmp_path

    def test_presets(self, folder: Path) -> None:
        usual = self.ids(folder)
        safe = self.ids(folder, "--safe")
        assert safe < usual
        assert self.ids(folder, "--preset", "safe") == safe
        assert self.ids(folder, "--preset", "default") == usual
        assert self.ids(folder, "--preset", "modern") >= usual

    def test_a_configured_preset_gives_way_to_the_command_line(self, folder: Path) -> None:
        usual, safe = self.ids(folder), self.ids(folder, "--safe")
        (folder / ".dockerfix.toml").write_text('preset = "safe"\n')
        assert self.ids(folder) == safe
        assert self.ids(folder, "--preset", "default") == usual
        assert self.ids(folder, "--unsafe") >= usual

    def test_presets_that_contradict_a_level(self, folder: Path) -> None:
        done = run("--preset", "safe", "--unsafe", cwd=folder)
        assert (done.returncode, b"exclude each other" in done.stderr) == (2, True)
        (folder / ".dockerfix.toml").write_text('preset = "safe"\nunsafe = true\n')
        done = run(cwd=folder)
        assert (done.returncode, b"leave one of them out" in done.stderr) == (2, True)

    def test_modern_takes_in_what_declares_itself_modern(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from refactor.codemod import Settings
        from refactor.engine.selection import choose

        (tmp_path / "own" / "style").mkdir(parents=True)
        for name, lines in (("new_way", "opt_in = modern = True"), ("rare", "opt_in = True"), ("usual", "")):
            text = (
                "from refactor import Codemod, Option, Phase, Safety\nclass It(Codemod):\n    phase = Phase.STYLE\n"
                "    safety = Safety.SAFE\n    options = {'how': Option('old', '', ('old', 'new'), modern='new')}\n"
            )
            (tmp_path / "own" / "style" / f"{name}.py").write_text(f"{text}    {lines}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        chosen = {preset: choose(packages=("own",), preset=preset) for preset in ("safe", "default", "modern")}
        assert {preset: [cls.id for cls in found] for preset, found in chosen.items()} == {
            "safe": ["usual"],
            "default": ["usual"],
            "modern": ["new-way", "usual"],
        }
        usual = chosen["modern"][1]
        assert usual(Settings(preset="modern")).option("how") == "new"
        assert usual(Settings()).option("how") == "old"
        assert usual(Settings(preset="modern", tables={"usual": {"how": "old"}})).option("how") == "old"

    def test_ignores_for_some_files(self, folder: Path) -> None:
        for name in ("legacy/old", "legacy", "app"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "Dockerfile").write_text(self.TEXT)
        (folder / ".dockerfix.toml").write_text(
            '[per-file-ignores]\n"legacy/*" = ["layers"]\n"!app/*" = ["join-installs"]\n'
        )
        report = json.loads(run("--format", "json", cwd=folder).stdout)
        found = {one["path"]: {finding["codemod"] for finding in one["findings"]} for one in report["files"]}
        assert "join-installs" in found["app/Dockerfile"]
        assert "join-installs" not in found["Dockerfile"] | found["legacy/Dockerfile"]
        assert "chain-runs" in found["Dockerfile"] & found["app/Dockerfile"]
        assert "chain-runs" not in found["legacy/Dockerfile"] | found["legacy/old/Dockerfile"]
