"""exec-last-command under real shells: the same programs and words, and the last one is the shell's own process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from refactor import fix

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
STUB = '#!/bin/sh\necho "$(basename "$0") [$*] in $PWD with $A" >> "$LOG"\necho $$ > "$PID"\n'
STARTS = (
    "migrate && serve --port $PORT",
    "cd sub; serve *",
    "A=1 serve 'two words' > out",
    "export A='b c' && migrate; env A=d serve \"$A\"",
    "nohup serve \\\n  --port $PORT",
    "migrate || true; serve",
    "> out serve $PORT",
)


def ran(shell: str, argument: str, folder: Path) -> tuple[str, str, int]:
    """What was logged, the exit status' text, and whether the last program had the shell's own process."""
    log, pid = folder / "log", folder / "pid"
    log.unlink(missing_ok=True)
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LOG": str(log), "PID": str(pid), "PORT": "80"}
    process = subprocess.Popen([shell, "-c", argument], cwd=folder, env=environment, stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=20)
    return log.read_text(), errors.decode() + str(process.returncode), int(pid.read_text()) - process.pid


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_last_command_takes_the_place_of_the_shell(tmp_path: Path, shell: str, start: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").touch()
    for name in ("migrate", "serve"):
        stub = tmp_path / "bin" / name
        stub.write_text(STUB)
        stub.chmod(0o755)
    source = f"FROM debian:bookworm-slim\nCMD {start}\n"
    change = fix(source.encode(), select=["exec-last-command"])
    if "||" in start:
        assert not change.applied
        return
    after = change.after.decode().partition("CMD ")[2].rstrip("\n")
    assert after != start
    before_log, before_end, _ = ran(shell, start, tmp_path)
    after_log, after_end, distance = ran(shell, after, tmp_path)
    assert (after_log, after_end) == (before_log, before_end)
    assert distance == 0
