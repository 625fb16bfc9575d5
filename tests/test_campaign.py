"""Campaigns: many repositories, by processes that are killed and by a cluster, over a forge behind a socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from refactor.engine.files import FileProblem
from refactor.forge.campaign import Job, Notes, Outcome, Row, spread, work
from refactor.forge.protocol import ForgeProblem
from refactor.forge.workplace import Access, forge_of
from tests.forge.fake import TOKEN, GitHubFake, World
from tests.forge.server import ForgeServer
from tests.test_bot import SEVERAL, git

ROOT = Path(__file__).parents[1]
COUNT = int(os.environ.get("DOCKERFIX_CAMPAIGN", "12"))
"""Repositories of a campaign that is killed: `.ci/run` takes 200."""
CONFIGURATION = b'select = ["chain-runs"]\n'


class Estate:
    """Repositories of an organisation, each a bare one on this disk, on one forge."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.list = folder / "repositories"
        template = folder / "template.git"
        git(folder, "init", "-q", "--bare", str(template))
        git(folder, "clone", "-q", str(template), str(folder / "person"))
        self.push(SEVERAL)
        names = [f"octo/app{number}" for number in range(count)]
        forges = {}
        for name in names:
            bare = folder / f"{name.partition('/')[2]}.git"
            shutil.copytree(template, bare)
            forges[name] = GitHubFake(World(bare), name)
        self.list.write_text("# ours\n" + "".join(f"{name}  # active\n" for name in names))
        self.server = ForgeServer(forges)

    def push(self, dockerfile: bytes, remote: str = "origin") -> None:
        person = self.folder / "person"
        git(person, "checkout", "-q", "-B", "main")
        person.joinpath("Dockerfile").write_bytes(dockerfile)
        person.joinpath(".dockerfix.toml").write_bytes(CONFIGURATION)
        git(person, "add", "-A")
        git(person, "commit", "-q", "--allow-empty", "-m", "a person's")
        git(person, "push", "-q", remote, "main")

    def start(self, action: str, *arguments: str) -> subprocess.Popen[str]:
        options = ("--repos", str(self.list), "--api", self.server.url, "--sleep", "0", *arguments)
        command = [sys.executable, "-m", "refactor", "campaign", action, *options]
        return subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKERFIX_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, action: str, *arguments: str, status: int = 0) -> tuple[str, str]:
        process = self.start(action, *arguments)
        said = process.communicate()
        assert process.returncode == status, said
        assert TOKEN not in "".join(said)
        assert "Traceback" not in said[1]
        return said

    def check_one_each(self) -> None:
        assert self.server.failures == []
        for forge in self.server.forges.values():
            assert [pull.state for pull in forge.world.pulls] == ["open"], forge.name
            assert sorted(forge.world.heads()) == ["dockerfix/chain-runs", "main"]


@pytest.fixture
def estate(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Estate]:
    made = Estate(tmp_path, getattr(request, "param", 3))
    with made.server:
        yield made


def wait_until(server: ForgeServer, count: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while server.open_pulls() < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("estate", [COUNT], indirect=True)
@pytest.mark.parametrize("state", [(), ("--state", "done")], ids=["no notes", "notes"])
def test_killed_twice_and_started_again_each_has_one_pull_request(estate: Estate, state: Sequence[str]) -> None:
    """The coordinator alone is killed first, then all its processes at once."""
    for share, kill in ((0.25, os.kill), (0.6, os.killpg)):
        process = estate.start("run", *state)
        wait_until(estate.server, int(COUNT * share), process)
        kill(process.pid, signal.SIGKILL)
        # The pipes close when the last of its processes is gone: none is left waiting for work.
        process.communicate(timeout=60)
        assert estate.server.open_pulls() < COUNT, "it was through before it was killed"
    out, err = estate.run("run", *state)
    assert f"{COUNT} of {COUNT} repositories done" in out
    estate.check_one_each()
    assert not estate.folder.joinpath("done").exists()
    if state:
        assert err.count("\n") < COUNT, "what was noted was done again"
    before = estate.server.writes()
    out, _ = estate.run("run", *state)
    assert f"{COUNT} current" in out
    assert estate.server.writes() == before


@pytest.mark.parametrize("estate", [COUNT], indirect=True)
def test_a_cluster_of_two_workers(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("DOCKERFIX_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(estate.folder)
    ) as cluster:
        address = ("--scheduler", cluster.scheduler_address)
        for share in (0.25, 0.6):
            process = estate.start("run", *address)
            wait_until(estate.server, int(COUNT * share), process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        out, _ = estate.run("run", *address)
        assert f"{COUNT} of {COUNT} repositories done" in out
        estate.check_one_each()


def test_plan_status_and_close(estate: Estate) -> None:
    out, err = estate.run("plan")
    assert "3 none" in out
    assert "[3/3]" in err
    assert estate.server.writes() == 0
    estate.run("run", "--limit", "2")
    assert estate.server.open_pulls() == 2
    forges = list(estate.server.forges.values())
    estate.run("run")
    forges[0].world.pulls[0].labels.append("dockerfix: stop")
    forges[1].world.pulls[0].state = "closed"
    out, _ = estate.run("status", "--format", "json")
    rows = {row["repository"]: row for row in map(json.loads, out.splitlines())}
    assert [rows[forge.name]["state"] for forge in forges] == ["open", "rejected", "open"]
    out, _ = estate.run("close", "--dry-run")
    assert "would do" in out
    assert estate.server.open_pulls() == 2
    out, _ = estate.run("close")
    assert (out.count("paused"), out.count("close the pull request")) == (2, 1)
    assert [pull.state for forge in forges for pull in forge.world.pulls] == ["open", "closed", "closed"]
    assert "dockerfix/chain-runs" not in forges[2].world.heads()
    out, _ = estate.run("status")
    assert "1 open" in out
    assert "1 withdrawn" in out
    # What was taken back was not rejected: it may be proposed again.
    estate.run("run")
    assert estate.server.open_pulls() == 2
    assert estate.server.failures == []


def test_one_that_fails_does_not_stop_the_others(estate: Estate) -> None:
    estate.list.write_text(f"octo/nowhere\n{estate.list.read_text()}")
    shutil.rmtree(estate.folder / "app1.git" / "objects")
    out, err = estate.run("run", "--state", "done", status=2)
    assert "2 of 4 repositories done; 2 failed" in out
    assert "octo/nowhere: GET /repos/octo/nowhere was refused (404: Not Found)" in err
    # They are noted, and only what failed is tried again.
    _, err = estate.run("run", "--state", "done", status=2)
    assert sorted(line.partition(": ")[0].partition("] ")[2] for line in err.splitlines()) == [
        "octo/app1",
        "octo/nowhere",
    ]


def test_an_edited_branch_survives_a_withdrawal(estate: Estate) -> None:
    estate.run("run")
    bare = estate.folder / "app0.git"
    git(estate.folder, "clone", "-q", "-b", "dockerfix/chain-runs", str(bare), "edited")
    git(estate.folder / "edited", "commit", "-q", "--allow-empty", "-m", "mine")
    git(estate.folder / "edited", "push", "-q")
    out, _ = estate.run("close")
    assert "1 edited" in out
    assert estate.server.open_pulls() == 1


def test_the_pace_is_kept_between_repositories() -> None:
    from concurrent.futures import ThreadPoolExecutor

    started = time.monotonic()
    with ThreadPoolExecutor(4) as executor:
        job = Job("plan", Access(api="http://example.org"))
        outcomes = list(spread([f"octo/{n}" for n in range(5)], job, executor, width=4, batch=2, sleep=0.05))
    assert 0.2 <= time.monotonic() - started < 5
    assert sorted(outcome.name for outcome in outcomes) == [f"octo/{n}" for n in range(5)]
    assert all("no URL of an API" in outcome.problem for outcome in outcomes)


def test_a_bug_in_one_repository_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("default_branch")

    monkeypatch.setattr("refactor.forge.campaign.look_after", fail)
    (outcome,) = work(("octo/app",), Job("run"))
    assert "KeyError: 'default_branch' (test_campaign.py:" in outcome.problem
    assert "please report it" in outcome.problem


def test_notes_that_were_cut_off_are_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "done"
    notes = Notes(str(path), "run")
    whole = Outcome("octo/a", (Row("dockerfix/all", "none", "why", "", ("push",)),))
    notes.add(whole)
    notes.add(Outcome("octo/b", problem="it failed"))
    path.write_text(path.read_text() + '{"action": "run", "name": "octo/c", "ro')
    again = Notes(str(path), "run")
    assert again.done == {"octo/a": whole}
    again.add(whole._replace(name="octo/d"))
    assert set(Notes(str(path), "run").done) == {"octo/a", "octo/d"}
    assert Notes(str(path), "close").done == {}
    with pytest.raises(FileProblem, match="cannot be"):
        Notes(str(tmp_path), "run")


@pytest.mark.parametrize("url", ["http://example.org/api", "ftp://example.org", "example.org", "https:///x"])
def test_a_token_goes_over_no_open_line(url: str) -> None:
    with pytest.raises(ForgeProblem, match="no URL of an API"):
        forge_of("octo/app", Access(api=url), {"DOCKERFIX_TOKEN": TOKEN})
