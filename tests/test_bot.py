"""The bot over real git remotes and a forge that checks every exchange: each state, killed anywhere, run twice."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import git as gitpython
import httpx
import pytest

from refactor.cli.measure import measure_with_engine
from refactor.engine.configuration import load_configuration
from refactor.engine.files import FileProblem
from refactor.engine.run import Options
from refactor.forge import github
from refactor.forge.app import installation_token
from refactor.forge.bot import PREFIX, Bot, Item, Measure, Measured, Settings, State, Wanted
from refactor.forge.marker import read_marker
from refactor.forge.protocol import Forge, ForgeProblem, RemoteRepository
from refactor.forge.repository import Repository
from refactor.forge.workplace import Address, cloned, open_forge, read_address, settings_at
from tests.forge.fake import BOT, NAME, TOKEN, Fake, GiteaFake, GitHubFake, GitLabFake, Killed, Pull, World

CHAIN = b"FROM debian:bookworm-slim\nRUN apt-get update\nRUN apt-get install -y curl\n"
SEVERAL = CHAIN + b"CMD curl -V\n"
CLEAN = b"FROM scratch\nCOPY a /\n"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Place:
    """A repository on a forge, a person's clone of it, and the bot's."""

    def __init__(self, folder: Path, kind: type[Fake] = GitHubFake) -> None:
        self.bare, self.person, self.clone = folder / "remote.git", folder / "person", folder / "bot.git"
        git(folder, "init", "-q", "--bare", str(self.bare))
        git(folder, "clone", "-q", str(self.bare), str(self.person))
        git(self.person, "checkout", "-q", "-b", "main")
        self.commit(Dockerfile=SEVERAL)
        git(folder, "clone", "-q", "--bare", str(self.bare), str(self.clone))
        git(self.clone, "config", "user.name", BOT)
        git(self.clone, "config", "user.email", "bot@example.org")
        self.world = World(self.bare)
        self.fake = kind(self.world)
        self.slept: list[float] = []
        self.settings = Settings(max_open=9, new_per_run=9)
        self.options = Options(select=("chain-runs",))
        self.measure: Measure | None = None

    def commit(self, message: str = "a person's", branch: str = "main", **files: bytes) -> str:
        """A person's commit, pushed."""
        git(self.person, "fetch", "-q", "origin")
        if branch != "main" or self.person.joinpath("Dockerfile").exists():
            git(self.person, "checkout", "-q", "-B", branch, f"origin/{branch}")
        for name, data in files.items():
            self.person.joinpath(name).write_bytes(data)
        git(self.person, "add", "-A")
        git(self.person, "commit", "-q", "--allow-empty", "-m", message)
        git(self.person, "push", "-q", "origin", branch)
        return git(self.person, "rev-parse", "HEAD")

    def forge(self) -> Forge:
        host = {"github": "github.com", "gitlab": "gitlab.com", "gitea": "gitea.com"}[self.fake.kind]
        forge = open_forge(Address(self.fake.kind, host, NAME), TOKEN, self.fake.transport(), self.slept.append)
        return forge

    def run(self, is_dry: bool = False) -> dict[str, Item]:
        """One run of the bot; what it planned, by branch without its prefix."""
        with Repository(str(self.clone)) as repository:
            real_push, real_delete = repository.push, repository.delete

            def push(remote: str, name: str, head: object, seen: str | None) -> None:
                self.world.write("push", lambda: real_push(remote, name, head, seen))  # type: ignore[arg-type]

            def delete(remote: str, name: str, seen: str) -> None:
                self.world.write("delete", lambda: real_delete(remote, name, seen))

            repository.push, repository.delete = push, delete  # type: ignore[method-assign]
            bot = Bot(repository, self.forge(), self.settings, self.options, measure=self.measure)
            items = bot.plan()
            if not is_dry:
                bot.run(items)
            return {item.branch.removeprefix(PREFIX): item for item in items}

    def settle(self) -> None:
        """Runs until nothing is written any more."""
        for _ in range(12):
            before = len(self.world.writes)
            self.run()
            if len(self.world.writes) == before:
                return
        pytest.fail(f"the bot does not settle: {self.world.writes}")

    def quiet(self) -> dict[str, Item]:
        """One more run, which must write nothing."""
        before = list(self.world.writes)
        items = self.run()
        assert self.world.writes == before
        return items

    def pull(self) -> Pull:
        (pull,) = [pull for pull in self.world.pulls if pull.state == "open"]
        return pull

    def merge(self, pull: Pull, style: str = "merge") -> None:
        """Merges a pull request as the forge's button does."""
        git(self.person, "fetch", "-q", "origin")
        git(self.person, "checkout", "-q", "-B", "main", "origin/main")
        if style == "squash":
            git(self.person, "merge", "-q", "--squash", f"origin/{pull.branch}")
            git(self.person, "commit", "-q", "-m", "squashed")
        else:
            git(self.person, "merge", "-q", "--no-ff", f"origin/{pull.branch}")
        git(self.person, "push", "-q", "origin", "main")
        pull.state, pull.is_merged = "closed", True


@pytest.fixture(params=[GitHubFake, GitLabFake, GiteaFake], ids=lambda kind: kind.kind)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place(tmp_path, request.param)


def state(items: dict[str, Item], name: str = "chain-runs") -> State:
    return items[name].state


def test_none_then_current(place: Place) -> None:
    items = place.run()
    assert state(items) is State.NONE
    assert place.world.writes == ["push", "open"]
    pull = place.pull()
    assert (pull.branch, pull.base) == ("dockerfix/chain-runs", "main")
    marker = read_marker(pull.body, pull.branch)
    assert marker is not None
    assert marker.head == pull.head == place.world.heads()["dockerfix/chain-runs"]
    assert marker.base == place.world.heads()["main"]
    assert len(marker.findings) == 1
    assert "not built" in pull.body
    assert state(place.quiet()) is State.CURRENT


def test_orphan(place: Place) -> None:
    place.world.kill_at = 1
    with pytest.raises(Killed):
        place.run()
    assert not place.world.pulls
    place.world.kill_at = None
    assert state(place.run()) is State.ORPHAN
    assert place.world.writes == ["push", "open"]
    assert state(place.quiet()) is State.CURRENT


def test_a_branch_of_a_person_with_our_name_is_left_alone(place: Place) -> None:
    git(place.person, "push", "-q", "origin", "main:dockerfix/chain-runs")
    theirs = place.commit(branch="dockerfix/chain-runs", notes=b"mine\n")
    assert state(place.quiet()) is State.EDITED
    assert place.world.heads()["dockerfix/chain-runs"] == theirs


def test_stale(place: Place) -> None:
    place.run()
    old = place.pull().head
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    assert state(place.run()) is State.STALE
    assert place.world.writes[2:] == ["change", "push"]
    marker = read_marker(place.pull().body, "dockerfix/chain-runs")
    assert marker is not None
    assert (marker.replaces, len(marker.findings)) == (old, 2)
    assert place.world.heads()["dockerfix/chain-runs"] == marker.head
    assert state(place.quiet()) is State.CURRENT


def test_behind(place: Place) -> None:
    place.run()
    place.commit(readme=b"hello\n")
    assert state(place.quiet()) is State.BEHIND


def test_conflicted(place: Place) -> None:
    place.run()
    place.commit(Dockerfile=SEVERAL.replace(b"slim\n", b"slim\nLABEL a=b\n"))
    assert state(place.run()) is State.CONFLICTED
    assert state(place.quiet()) is State.CURRENT
    assert "LABEL" in place.world.git("show", "dockerfix/chain-runs:Dockerfile")


def test_edited(place: Place) -> None:
    place.run()
    theirs = place.commit(branch="dockerfix/chain-runs", notes=b"mine\n")
    place.commit(Dockerfile=CLEAN)
    items = place.quiet()
    assert state(items) is State.EDITED
    assert items["chain-runs"].url
    assert place.world.heads()["dockerfix/chain-runs"] == theirs


@pytest.mark.parametrize("edit", [("commit", "--amend", "-m", "reworded"), ("reset", "--hard", "HEAD~")])
def test_an_amended_or_shortened_branch_is_edited(place: Place, edit: tuple[str, ...]) -> None:
    place.run()
    git(place.person, "fetch", "-q", "origin")
    git(place.person, "checkout", "-q", "-B", "edited", "origin/dockerfix/chain-runs")
    git(place.person, *edit)
    git(place.person, "push", "-q", "--force", "origin", "edited:dockerfix/chain-runs")
    theirs = place.world.heads()["dockerfix/chain-runs"]
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    assert state(place.quiet()) is State.EDITED
    assert place.world.heads()["dockerfix/chain-runs"] == theirs


def test_a_body_without_its_marker_is_edited(place: Place) -> None:
    place.run()
    place.pull().body = "I know better"
    assert state(place.quiet()) is State.EDITED


def test_a_marker_in_another_accounts_pull_request_is_not_believed(place: Place) -> None:
    place.run()
    place.pull().author = "mallory"
    place.commit(Dockerfile=CLEAN)
    assert state(place.quiet()) is State.EDITED


def test_paused(place: Place) -> None:
    place.run()
    place.pull().labels.append(place.settings.stop_label)
    place.commit(Dockerfile=CLEAN)
    assert state(place.quiet()) is State.PAUSED


def test_obsolete(place: Place) -> None:
    place.run()
    place.commit(Dockerfile=CLEAN)
    assert state(place.run()) is State.OBSOLETE
    assert place.world.writes[2:] == ["change", "delete"]
    assert place.world.pulls[0].state == "closed"
    assert "closed this by itself" in place.world.pulls[0].body
    assert "dockerfix/chain-runs" not in place.world.heads()
    assert place.quiet() == {}
    # What the bot closed itself was not rejected.
    place.commit(Dockerfile=SEVERAL)
    assert state(place.run()) is State.NONE
    assert state(place.quiet()) is State.CURRENT


@pytest.mark.parametrize("style", ["merge", "squash"])
def test_merged(place: Place, style: str) -> None:
    place.run()
    place.merge(place.pull(), style)
    assert state(place.run()) is State.MERGED
    assert place.world.writes[2:] == ["delete"]
    assert place.quiet() == {}
    place.commit(Dockerfile=SEVERAL)
    assert state(place.run()) is State.NONE
    assert [pull.number for pull in place.world.pulls] == [1, 2]
    assert state(place.quiet()) is State.CURRENT


def test_rejected_for_good_and_new_findings_still_come(place: Place) -> None:
    place.run()
    place.pull().state = "closed"
    assert state(place.run()) is State.REJECTED
    assert place.world.writes[2:] == ["delete"]
    assert state(place.quiet()) is State.REJECTED
    place.commit(readme=b"later\n")
    assert state(place.quiet()) is State.REJECTED
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    assert state(place.run()) is State.NONE
    text = place.world.git("show", "dockerfix/chain-runs:Dockerfile")
    assert "RUN apt-get update\nRUN apt-get install -y curl" in text
    assert "&& apt-get install -y wget" in text
    assert state(place.quiet()) is State.CURRENT


def test_limits(place: Place) -> None:
    place.settings = Settings(max_open=2, new_per_run=1)
    place.commit(Dockerfile=SEVERAL.replace(b"CMD", b"RUN apk add bash\nCMD"))
    place.options = Options(select=("chain-runs", "clean-package-cache", "use-exec-form"))
    first = place.run()
    assert sorted(item.state for item in first.values()) == [State.LIMITED, State.LIMITED, State.NONE]
    second = place.run()
    assert sum(item.state is State.NONE for item in second.values()) == 1
    third = place.quiet()
    assert sorted(item.state for item in third.values()) == [State.CURRENT, State.CURRENT, State.LIMITED]
    assert "max-open" in next(item.why for item in third.values() if item.state is State.LIMITED)


@pytest.mark.parametrize(("per", "branches"), [("all", ["all"]), ("folder", ["all", "all-api"])])
def test_grouped(place: Place, per: str, branches: list[str]) -> None:
    place.settings = Settings(per=per, max_open=9, new_per_run=9, labels=("docker",))
    place.options = Options(select=("chain-runs", "use-exec-form"))
    (place.person / "api").mkdir()
    (place.person / "api" / "Dockerfile").write_bytes(SEVERAL)
    place.commit()
    assert sorted(place.run()) == branches
    assert sorted(place.quiet()) == branches
    assert {pull.title for pull in place.world.pulls} >= {
        f"{'2 Dockerfiles' if per == 'all' else 'Dockerfile'}: apply 2 refactorings"
    }
    assert all(pull.labels == ["docker"] for pull in place.world.pulls)


def test_a_label_that_a_person_took_away_stays_away(place: Place) -> None:
    place.settings = place.settings._replace(labels=("docker",))
    place.run()
    place.pull().labels.remove("docker")
    assert state(place.quiet()) is State.CURRENT
    assert place.pull().labels == []


def test_a_dry_run_writes_nothing(place: Place) -> None:
    items = place.run(is_dry=True)
    assert [step.name for step in items["chain-runs"].steps] == ["push dockerfix/chain-runs", "open the pull request"]
    assert place.world.writes == []
    assert {request.method for request in place.fake.requests} == {"GET"}


def test_a_persons_push_between_read_and_push_is_kept(place: Place) -> None:
    place.run()
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    theirs: list[str] = []
    place.world.before_write = lambda _: theirs.append(place.commit(branch="dockerfix/chain-runs", notes=b"mine\n"))
    with pytest.raises(Exception, match="somebody moved the branch meanwhile"):
        place.run()
    assert place.world.heads()["dockerfix/chain-runs"] == theirs[0]
    assert state(place.quiet()) is State.EDITED
    assert place.world.heads()["dockerfix/chain-runs"] == theirs[0]


def test_a_persons_branch_that_appears_before_the_first_push_is_kept(place: Place) -> None:
    def appear(_: str) -> None:
        git(place.person, "push", "-q", "origin", "main:refs/heads/dockerfix/chain-runs")

    place.world.before_write = appear
    with pytest.raises(Exception, match="somebody moved the branch meanwhile"):
        place.run()
    assert place.world.heads()["dockerfix/chain-runs"] == place.world.heads()["main"]


class Scales:
    """Measures as an engine would: other numbers each time."""

    def __init__(self, problem: str = "") -> None:
        self.count, self.problem = 0, problem

    def __call__(self, base: gitpython.Commit, wanted: Wanted) -> Measured:
        self.count += 1
        assert {path for plan in wanted.plans for path in plan.files} == {"Dockerfile"}
        return Measured("" if self.problem else f"| image size | {self.count} MB |", self.problem)


def test_a_branch_is_measured_once(place: Place) -> None:
    place.measure = scales = Scales()
    place.run()
    assert "| image size | 1 MB |" in place.pull().body
    assert "not built" not in place.pull().body
    assert state(place.quiet()) is State.CURRENT
    place.measure = None
    assert state(place.quiet()) is State.CURRENT
    assert scales.count == 1
    place.measure = scales
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    assert state(place.run()) is State.STALE
    assert "| image size | 2 MB |" in place.pull().body
    assert state(place.quiet()) is State.CURRENT
    assert scales.count == 2


def test_what_was_not_built_is_measured_later(place: Place) -> None:
    place.run()
    assert "not built" in place.pull().body
    place.measure = Scales()
    assert state(place.run()) is State.STALE
    assert "| image size | 1 MB |" in place.pull().body
    assert state(place.quiet()) is State.CURRENT


def test_what_fails_its_proof_is_not_proposed(place: Place) -> None:
    place.measure = Scales("it does not start")
    items = place.quiet()
    assert (state(items), items["chain-runs"].why) == (State.UNPROVED, "it does not start")
    assert place.world.pulls == []
    place.measure = None
    place.run()
    head = place.pull().head
    place.measure = Scales("it does not start")
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    assert state(place.quiet()) is State.UNPROVED
    assert place.world.heads()["dockerfix/chain-runs"] == head


def test_what_the_limit_keeps_back_is_not_built(place: Place) -> None:
    place.measure, place.settings = Scales(), Settings(max_open=0)
    assert state(place.quiet()) is State.LIMITED
    assert place.measure.count == 0


def test_without_an_engine_nothing_is_built_and_the_body_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("DOCKERFIX_ENGINE", "docker")
    with Repository(str(place.clone)) as repository:
        place.measure = measure_with_engine(repository)
        place.run()
        assert "The image was **not built**" in place.pull().body
        assert state(place.quiet()) is State.CURRENT


def app_key() -> tuple[str, object]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(*form).decode(), key.public_key()


def test_a_github_app_has_a_token_for_one_repository(tmp_path: Path) -> None:
    jwt = pytest.importorskip("jwt")
    place = Place(tmp_path)
    pem, public = app_key()
    assert isinstance(place.fake, GitHubFake)
    place.fake.installations = [77]
    signed: list[dict[str, object]] = []
    place.fake.check_key = lambda text: signed.append(jwt.decode(text, public, algorithms=["RS256"], issuer="1234"))
    file = tmp_path / "app.pem"
    file.write_text(pem)
    for key in (pem, pem.replace("\n", "\\n"), str(file)):
        environment = {"DOCKERFIX_APP_ID": "1234", "DOCKERFIX_APP_KEY": key}
        found = installation_token(github.API, NAME, environment, place.fake.transport())
        assert found == (TOKEN, "tidy-docker[bot]")
    assert all(set(claims) == {"iat", "exp", "iss"} for claims in signed)
    asked = [request for request in place.fake.requests if request.method == "POST"]
    assert all(b'"contents":"write"' in request.content for request in asked)
    assert not any(b"workflow" in request.content for request in asked)
    # The forge cannot be asked whose an installation's token is: the App's name says it.
    forge = open_forge(Address("github", "github.com", NAME), TOKEN, place.fake.transport(), account=found.account)
    assert forge.account() == "tidy-docker[bot]"
    place.fake.installations = []
    with pytest.raises(ForgeProblem, match=f"not installed on {NAME}"):
        installation_token(github.API, NAME, environment, place.fake.transport())


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "neither a key nor a file"),
        ("/nowhere/app.pem", "neither a key nor a file"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "no RSA key"),
    ],
)
def test_an_apps_key_that_is_none_is_said(key: str, said: str) -> None:
    pytest.importorskip("jwt")
    with pytest.raises(ForgeProblem, match=said):
        installation_token(github.API, NAME, {"DOCKERFIX_APP_ID": "1", "DOCKERFIX_APP_KEY": key})


# A story is what people do between runs of the bot; the bot is killed at each of its writes in turn.


def story_open(place: Place) -> None:
    place.settle()


def story_stale(place: Place) -> None:
    place.settle()
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    place.settle()


def story_obsolete(place: Place) -> None:
    place.settle()
    place.commit(Dockerfile=CLEAN)
    place.settle()


def story_merged_and_back(place: Place) -> None:
    place.settle()
    place.merge(place.world.pulls[-1])
    place.settle()
    place.commit(Dockerfile=SEVERAL)
    place.settle()


def story_rejected_and_more(place: Place) -> None:
    place.settle()
    place.world.pulls[-1].state = "closed"
    place.settle()
    place.commit(Dockerfile=SEVERAL + b"RUN apt-get update\nRUN apt-get install -y wget\n")
    place.settle()


STORIES: Sequence[Callable[[Place], None]] = (
    story_open,
    story_stale,
    story_obsolete,
    story_merged_and_back,
    story_rejected_and_more,
)


class Patient(Place):
    """The same, but a run that is killed is run again."""

    def run(self, is_dry: bool = False) -> dict[str, Item]:
        try:
            return super().run(is_dry)
        except Killed:
            self.world.kill_at = None
            return super().run(is_dry)


@pytest.mark.parametrize(
    ("story", "kind"),
    [(story, kind) for kind in (GitHubFake, GitLabFake, GiteaFake) for story in STORIES],
    ids=lambda value: value.__name__,
)
def test_killed_anywhere_it_converges(story: Callable[[Place], None], kind: type[Fake], tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = Place(tmp_path / "whole", kind)
    whole.settings = whole.settings._replace(labels=("docker",))
    dates = {"GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dates.items():
            patch.setenv(name, value)
        story(whole)
        for number in range(len(whole.world.writes)):
            for is_before in (True, False):
                folder = tmp_path / f"{number}-{is_before}"
                folder.mkdir()
                killed = Patient(folder, kind)
                killed.settings = whole.settings
                killed.world.kill_at, killed.world.kill_before = number, is_before
                story(killed)
                assert killed.world.kill_at is None, "it was never killed"
                assert shape(killed) == shape(whole), (number, is_before)


def shape(place: Place) -> list[tuple[object, ...]]:
    """What is open in the end and where; heads differ in their dates only."""
    place.world.look()
    pulls = [(p.branch, p.title, p.state, p.is_merged, tuple(p.labels)) for p in place.world.pulls]
    trees = [(name, place.world.git("rev-parse", f"{name}^{{tree}}")) for name in sorted(place.world.heads())]
    return [*sorted(pulls), *trees]


def test_only_branches_with_the_prefix_are_ever_pushed(place: Place) -> None:
    pushed: list[str] = []
    hook = place.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\necho "$1" >>{place.bare}/pushed\n')
    hook.chmod(0o755)
    place.options = Options()
    place.settle()
    pushed = (place.bare / "pushed").read_text().split()
    assert pushed
    assert all(name.startswith("refs/heads/dockerfix/") for name in pushed)


def test_rate_limits_are_waited_for(place: Place) -> None:
    place.fake.faults = [
        httpx.Response(429, headers={"retry-after": "7"}, json={"message": "slow down"}),
        httpx.Response(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, json={}),
        httpx.Response(502),
        httpx.ReadTimeout("slow"),
    ]
    assert state(place.run()) is State.NONE
    assert 7.0 in place.slept
    assert len(place.world.pulls) == 1


def test_writes_are_paced(place: Place) -> None:
    place.options = Options(select=("chain-runs", "use-exec-form"))
    place.settings = place.settings._replace(labels=("docker",))
    place.run()
    writes = sum(request.method != "GET" for request in place.fake.requests)
    assert sum(0 < pause <= 1 for pause in place.slept) == writes - 1 >= 1


def test_a_lost_answer_to_open_is_read_again(place: Place) -> None:
    answer, lost = place.fake.answer, list[httpx.Request]()

    def lose(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if request.method == "POST" and not lost:
            lost.append(request)
            raise httpx.ReadTimeout("the answer was lost")
        return response

    place.fake.answer = lose  # type: ignore[method-assign]
    place.run()
    assert len(place.world.pulls) == 1
    assert state(place.quiet()) is State.CURRENT


def test_many_pages(place: Place) -> None:
    place.fake.page_size = 1
    place.run()
    place.merge(place.pull())
    place.run()
    place.commit(Dockerfile=SEVERAL)
    place.run()
    assert state(place.quiet()) is State.CURRENT
    assert any("page" in request.url.params for request in place.fake.requests)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401, json={"message": "Bad credentials"}), "the token is not valid"),
        (httpx.Response(404, json={"message": "Not Found"}), "refused (404: Not Found)"),
        (httpx.Response(301, headers={"location": "https://elsewhere.example/"}), "has moved"),
        (httpx.Response(429, headers={"retry-after": "86400"}), "asks to come back later"),
    ],
)
def test_a_forge_that_refuses_is_said(place: Place, answer: httpx.Response, said: str) -> None:
    place.fake.faults = [answer]
    with pytest.raises(ForgeProblem) as problem:
        place.run()
    assert said in str(problem.value)
    assert TOKEN not in str(problem.value)


def dockerfix(place: Place, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``dockerfix bot`` in a process of its own, with a forge that nobody answers for."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "DOCKERFIX_TOKEN": TOKEN, **more}
    return subprocess.run(
        [sys.executable, "-m", "refactor", "bot", *arguments],
        cwd=place.person,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (("run",), {}, "name repositories with --repo or --repos"),
        (("run", "--repo", "a/b", "--path", "."), {}, "name repositories with --repo or --repos"),
        (("plan", "--repo", "a/b"), {"DOCKERFIX_TOKEN": "", "GH_TOKEN": "", "GITHUB_TOKEN": ""}, "there is no token"),
        (("plan", "--repo", "https://user:secret@example.org/"), {}, "names no repository on a forge"),
        (("plan", "--path", ".", "--remote", "nowhere"), {}, "has no remote 'nowhere'"),
        (("plan", "--path", "/"), {}, "is in no git repository"),
    ],
)
def test_mistakes_are_said(place: Place, arguments: tuple[str, ...], more: dict[str, str], said: str) -> None:
    done = dockerfix(place, *arguments, **more)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("octo/app", "github.com", "octo/app"),
        ("git.example.org/octo/app", "git.example.org", "octo/app"),
        ("https://user:secret@github.com/octo/app.git", "github.com", "octo/app"),
        ("git@github.com:octo/app.git", "github.com", "octo/app"),
        ("ssh://git@github.example.org/octo/app", "github.example.org", "octo/app"),
        ("https://gitlab.com/group/sub/app", "gitlab.com", "group/sub/app"),
    ],
)
def test_addresses(text: str, host: str, name: str) -> None:
    assert read_address(text)[1:] == (host, name)


def test_the_token_reaches_git_by_its_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nenv | grep GIT_CONFIG >>{tmp_path}/environment\n'
        'while [ $# -gt 1 ]; do shift; done; mkdir -p "$1"; exec /usr/bin/env -i false\n'
    )
    spy.chmod(0o755)
    monkeypatch.setattr(gitpython.Git, "GIT_PYTHON_GIT_EXECUTABLE", str(spy))
    about = RemoteRepository("octo/app", "main", "https://git.invalid/octo/app.git")
    with pytest.raises(FileProblem) as problem, cloned(about, ("x-access-token", TOKEN)):
        pass
    assert TOKEN not in str(problem.value)
    encoded = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert encoded in (tmp_path / "environment").read_text()
    arguments = (tmp_path / "arguments").read_text()
    assert "https://git.invalid/octo/app.git" in arguments
    assert TOKEN not in arguments
    assert encoded not in arguments


def test_a_clone_of_the_bots_own_works_like_the_one_that_is_there(place: Place) -> None:
    place.commit(**{".dockerfix.toml": b'select = ["chain-runs"]\n[bot]\nlabels = ["docker"]\nmax-open = 1\n'})
    with cloned(place.forge().repository(), place.forge().credentials()) as repository:
        base = repository.fetch("origin", repository.remote_heads("origin", "main")["main"])
        settings, _ = settings_at(repository, base)
        assert settings == Settings(max_open=1, labels=("docker",))
        bot = Bot(repository, place.forge(), settings, Options())
        bot.run(bot.plan())
    assert [(pull.branch, pull.labels) for pull in place.world.pulls] == [("dockerfix/chain-runs", ["docker"])]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("max-opne = 3", "did you mean 'max-open'?"),
        ("max-open = -1", "it must be a whole number"),
        ('per = "file"', "it must be codemod, folder or all"),
        ("labels = [1]", "is not a list of text"),
    ],
)
def test_a_wrong_configuration_is_said(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "dockerfix.toml"
    path.write_text(f"[bot]\n{line}\n")
    with pytest.raises(FileProblem) as problem:
        load_configuration(str(path))
    assert said in str(problem.value)
