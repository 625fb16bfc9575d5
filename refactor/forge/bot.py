"""The bot: one branch and one pull request for each group of findings, kept as the state of both asks for.

Every run reads everything anew (branches from git, pull requests from the forge) and does what is missing, so that a
run that was killed anywhere is finished by the next one, and a run with nothing to do writes nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from refactor.engine.record import Message, Record, fingerprint
from refactor.engine.run import Options
from refactor.forge.body import closed_body, read_measured, render_body
from refactor.forge.branch import plan_commits, rewrite_commit
from refactor.forge.marker import Marker, read_marker
from refactor.forge.protocol import Forge, ForgeProblem, PullRequest, RemoteRepository
from refactor.forge.repository import CommitPlan, Repository

if TYPE_CHECKING:
    import git

PREFIX = "dockerfix/"
"""Branches of the bot; it never pushes to, or deletes, any other."""


class Settings(NamedTuple):
    """The configuration ``[bot]``."""

    per: str = "codemod"
    """A pull request for each "codemod" or "folder", or one for "all"."""
    max_open: int = 3
    new_per_run: int = 1
    labels: tuple[str, ...] = ()
    stop_label: str = "dockerfix: stop"
    account: str | None = None
    """Who opens the pull requests; needed where the token is no user's."""


class State(enum.StrEnum):
    """What is found on the forge for one branch."""

    NONE = "none"
    ORPHAN = "orphan"
    CURRENT = "current"
    STALE = "stale"
    BEHIND = "behind"
    CONFLICTED = "conflicted"
    EDITED = "edited"
    PAUSED = "paused"
    OBSOLETE = "obsolete"
    MERGED = "merged"
    REJECTED = "rejected"
    LIMITED = "limited"
    """There is something to propose, and enough pull requests are open."""
    UNPROVED = "unproved"
    """There is something to propose, and built and started it did not stand its proof."""
    WITHDRAWN = "withdrawn"
    """It is taken back, because somebody asked for that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one branch should hold."""

    plans: tuple[CommitPlan, ...]
    head: git.Commit
    findings: tuple[str, ...]
    records: tuple[Record, ...]
    options: Options
    """What leads to the same files again."""

    @property
    def title(self) -> str:
        if len(self.plans) == 1:
            return self.plans[0].subject
        files = sorted(record.path for record in self.records if record.is_changed)
        where = files[0] if len(files) == 1 else f"{len(files)} Dockerfiles"
        return f"{where}: apply {len(self.plans)} refactorings"


@dataclass(frozen=True, slots=True)
class Item:
    """One branch: its state, in words why, and what is to be done about it, in order."""

    branch: str
    state: State
    why: str
    steps: tuple[Step, ...] = ()
    url: str = ""
    why_not: Callable[[], str] | None = None
    """Asked before a pull request is opened: why it should not be, "" where nothing speaks against it."""


class Measured(NamedTuple):
    """What building and starting both versions of a branch's files showed."""

    text: str
    """Markdown for the body; "" where nothing was built."""
    problem: str = ""
    """Why the branch is not proposed; "" where it stood its proof, or could not be judged."""


Measure = Callable[["git.Commit", Wanted], Measured]
"""Measures what a branch would hold against its base."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write. ``name`` says in words what it does, for the plan."""

    name: str
    act: Callable[[], object]


class Bot:
    """Keeps the pull requests of one repository. ``remote`` is the git remote that is the forge's repository."""

    def __init__(
        self,
        repository: Repository,
        forge: Forge,
        settings: Settings,
        options: Options,
        *,
        remote: str = "origin",
        paths: Sequence[str] = ("",),
        about: RemoteRepository | None = None,
        measure: Measure | None = None,
    ) -> None:
        self.repository, self.forge, self.settings, self.options = repository, forge, settings, options
        self.remote, self.paths, self.measure = remote, tuple(paths), measure
        self.about = about or forge.repository()
        self.errors: list[Message] = []
        """Faults of files that were met on the way."""

    def plan(self) -> tuple[Item, ...]:
        """What is there and what is to be done, without a write. Raises ForgeProblem and FileProblem."""
        account, base, heads = self._account(), self._base(), self._heads()
        rewrites = rewrite_commit(self.repository, base, self.paths, self.options)
        self.errors += [*rewrites.errors, *(error for record in rewrites.records for error in record.errors)]
        groups = dict(self._groups(rewrites.records))
        items = []
        for branch in sorted({*groups, *heads}):
            view = _View(self, account, base, branch, heads.get(branch))
            items.append(view.item(groups.get(branch)))
        return tuple(self._within_limits(items))

    def plan_withdrawal(self) -> tuple[Item, ...]:
        """What takes back all that is open and as the bot left it; its findings do not count as rejected."""
        account, base = self._account(), self._base()
        return tuple(
            _View(self, account, base, branch, head).withdrawal() for branch, head in sorted(self._heads().items())
        )

    def run(self, items: Sequence[Item]) -> None:
        """Does what a plan says. Raises as :meth:`plan`; what was not done by then is done by the next run."""
        for item in items:
            for step in item.steps:
                step.act()

    def _account(self) -> str:
        if self.about.is_archived:
            raise ForgeProblem(f"{self.about.name} is archived", "take it off the list")
        if not self.about.can_push:
            raise ForgeProblem(f"the token may not push to {self.about.name}", "give it write access to contents")
        account = self.settings.account or self.forge.account()
        if not account:
            raise ForgeProblem(
                "the token does not say whose it is", "name the account that opens pull requests: account in [bot]"
            )
        return account

    def _heads(self) -> dict[str, str]:
        return self.repository.remote_heads(self.remote, f"{PREFIX}*")

    def _base(self) -> git.Commit:
        branch = self.about.default_branch
        sha = self.repository.remote_head(self.remote, branch)
        if sha is None:
            raise ForgeProblem(f"the default branch {branch!r} is empty", "commit something first")
        return self.repository.fetch(self.remote, sha)

    def _groups(self, records: Sequence[Record]) -> Iterator[tuple[str, Group]]:
        """The branches that findings ask for: which codemods, on which files."""
        groups: dict[str, Group] = {}
        for record in records:
            for finding in record.applied:
                branch = branch_name(self.settings.per, finding.codemod, record.path)
                group = groups.get(branch, Group((), ()))
                ids = tuple(dict.fromkeys((*group.codemods, finding.codemod)))
                groups[branch] = Group(ids, tuple(dict.fromkeys((*group.paths, record.path))))
        yield from groups.items()

    def wanted(self, base: git.Commit, group: Group, rejected: frozenset[str]) -> Wanted | None:
        """The commits for a group without what people rejected, None where nothing is left."""
        options = self.options._replace(rejected=rejected)
        if self.settings.per == "codemod":
            options = options._replace(select=group.codemods, extend_select=())
        rewrites = rewrite_commit(self.repository, base, group.paths, options)
        plans = plan_commits(rewrites.steps, "all" if self.settings.per == "codemod" else "codemod")
        if not plans:
            return None
        found = {fingerprint(record.path, finding) for record in rewrites.records for finding in record.applied}
        head = self.repository.build(base, plans)[-1]
        return Wanted(plans, head, tuple(sorted(found)), rewrites.records, options)

    def _within_limits(self, items: Sequence[Item]) -> Iterator[Item]:
        kept = {State.CURRENT, State.STALE, State.BEHIND, State.CONFLICTED, State.EDITED, State.PAUSED}
        count = sum(item.state in kept and bool(item.url) for item in items)
        new = 0
        for item in items:
            if item.state in {State.NONE, State.ORPHAN} and any(step.name == OPEN for step in item.steps):
                if count >= self.settings.max_open or new >= self.settings.new_per_run:
                    yield replace(item, state=State.LIMITED, why=self._limit(count), steps=())
                    continue
                # Only now, as it may be a build of an hour.
                problem = item.why_not() if item.why_not is not None else ""
                if problem:
                    yield replace(item, state=State.UNPROVED, why=problem, steps=())
                    continue
                count, new = count + 1, new + 1
            yield item

    def _limit(self, count: int) -> str:
        if count >= self.settings.max_open:
            return f"{count} pull requests are open, which is the limit (max-open)"
        return f"{self.settings.new_per_run} new in a run is the limit (new-per-run)"


class Group(NamedTuple):
    """What one branch is about."""

    codemods: tuple[str, ...]
    paths: tuple[str, ...]


OPEN = "open the pull request"


def branch_name(per: str, codemod: str, path: str) -> str:
    """The branch of a finding: ``dockerfix/<codemod>``, ``dockerfix/all-<folder>`` or ``dockerfix/all``."""
    if per == "codemod":
        return f"{PREFIX}{codemod}"
    folder = path.rpartition("/")[0]
    if per == "all" or not folder:
        return f"{PREFIX}all"
    return f"{PREFIX}all-{re.sub(r'[^A-Za-z0-9]+', '-', folder).strip('-').lower()}"


class _View:
    """One branch as it is on the forge, and the decision about it."""

    def __init__(self, bot: Bot, account: str, base: git.Commit, branch: str, head: str | None) -> None:
        self.bot, self.base, self.branch, self.head = bot, base, branch, head
        pulls = bot.forge.pull_requests(branch)
        self.foreign_pull = next((pull for pull in pulls if pull.is_open and pull.author != account), None)
        self.pulls = [(pull, read_marker(pull.body, branch)) for pull in pulls if pull.author == account]
        nothing: tuple[PullRequest | None, Marker | None] = (None, None)
        self.open, self.marker = next((known for known in self.pulls if known[0].is_open), nothing)
        self._proof: Measured | None = None

    def item(self, group: Group | None) -> Item:
        if self.foreign_pull is not None:
            return self._is(State.EDITED, f"{self.foreign_pull.author} opened a pull request from it")
        wanted = None if group is None else self.bot.wanted(self.base, group, self._rejected())
        if self.open is not None:
            return self._kept(self.open, wanted)
        if self.head is None:
            return self._absent(wanted)
        return self._left(wanted)

    def withdrawal(self) -> Item:
        """The decision where everything is to be taken back."""
        if self.foreign_pull is not None:
            return self._is(State.EDITED, f"{self.foreign_pull.author} opened a pull request from it")
        if self.open is None:
            foreign = self._why_foreign()
            if foreign is not None:
                return self._is(State.EDITED, foreign)
            return self._is(State.WITHDRAWN, "a branch without a pull request", self._delete())
        return self._why_hands_off(self.open) or self._is(
            State.WITHDRAWN, "it was open", *self._closing(self.open, self.marker)
        )

    def _rejected(self) -> frozenset[str]:
        """Findings of pull requests that a person closed."""
        return frozenset(
            found
            for pull, marker in self.pulls
            if marker is not None and not (pull.is_open or pull.is_merged or marker.is_closed)
            for found in marker.findings
        )

    def _absent(self, wanted: Wanted | None) -> Item:
        if wanted is None and self._rejected():
            return self._is(State.REJECTED, "a person closed what was proposed")
        if wanted is None:
            return self._is(State.NONE, "nothing by itself: it follows from what other branches propose")
        return self._opening(State.NONE, _count(wanted), wanted, self._push(wanted), self._open(wanted))

    def _left(self, wanted: Wanted | None) -> Item:
        """There is a branch and no open pull request."""
        assert self.head is not None
        for pull, marker in self.pulls:
            if marker is not None and marker.head == self.head:
                return self._finished(pull, marker, wanted)
        foreign = self._why_foreign()
        if foreign is not None:
            return self._is(State.EDITED, foreign)
        if wanted is None:
            return self._is(State.OBSOLETE, "nothing is found any more", self._delete())
        steps = [self._open(wanted)]
        if wanted.head.hexsha != self.head:
            steps.insert(0, self._push(wanted))
        return self._opening(State.ORPHAN, "a branch without a pull request", wanted, *steps)

    def _finished(self, pull: PullRequest, marker: Marker, wanted: Wanted | None) -> Item:
        """The branch is as the bot left it, and its pull request is not open any more."""
        why = "merged" if pull.is_merged else "closed by dockerfix" if marker.is_closed else "closed by a person"
        if wanted is not None:
            # Found again, or found since: another pull request of the same branch.
            why = f"{_count(wanted)} since it was {why}"
            return self._opening(State.NONE, why, wanted, self._push(wanted), self._open(wanted))
        state = State.MERGED if pull.is_merged else State.OBSOLETE if marker.is_closed else State.REJECTED
        return self._is(state, why, self._delete())

    def _kept(self, pull: PullRequest, wanted: Wanted | None) -> Item:
        """There is an open pull request of the bot's."""
        left_alone, marker = self._why_hands_off(pull), self.marker
        if left_alone is not None or marker is None or self.head is None:
            return left_alone or self._is(State.EDITED, "its body has no marker any more")
        if wanted is None:
            return self._is(State.OBSOLETE, "nothing is found any more", *self._closing(pull, marker))
        is_pushed = self.head == marker.head
        if is_pushed and wanted.head.hexsha == self.head:
            if self._measured(wanted).problem:
                return self._is(State.UNPROVED, self._measured(wanted).problem)
            body = self._body(wanted, marker.replaces)
            if _is_same(pull.body, body) and pull.title == wanted.title:
                return self._is(State.CURRENT, "nothing new", *self._labels(pull))
            return self._is(State.STALE, "its words changed", self._update(pull, wanted, marker.replaces))
        if is_pushed and wanted.findings == marker.findings and marker.base != self.base.hexsha:
            head = self.bot.repository.fetch(self.bot.remote, self.head)
            if self.bot.repository.merges_cleanly(self.base, head):
                return self._is(State.BEHIND, "the base moved, and it merges cleanly")
            return self._renewal(State.CONFLICTED, "the base moved", pull, wanted)
        return self._renewal(State.STALE, _count(wanted), pull, wanted)

    def _why_hands_off(self, pull: PullRequest) -> Item | None:
        """The open pull request is not, or not only, the bot's to change."""
        if self.bot.settings.stop_label in pull.labels:
            return self._is(State.PAUSED, f"it has the label {self.bot.settings.stop_label!r}")
        if self.marker is None:
            return self._is(State.EDITED, "its body has no marker any more")
        if self.head is None:
            return self._is(State.EDITED, "somebody deleted its branch")
        if self.head not in {self.marker.head, self.marker.replaces}:
            return self._is(State.EDITED, f"its branch is at {self.head[:10]}, which dockerfix did not push")
        foreign = self._why_foreign()
        return None if foreign is None else self._is(State.EDITED, foreign)

    def _opening(self, state: State, why: str, wanted: Wanted, *steps: Step) -> Item:
        return replace(self._is(state, why, *steps), why_not=lambda: self._measured(wanted).problem)

    def _renewal(self, state: State, why: str, pull: PullRequest, wanted: Wanted) -> Item:
        if self._measured(wanted).problem:
            return self._is(State.UNPROVED, self._measured(wanted).problem)
        # The body first: its marker names both heads, so that a run which ends here is not taken for a person's push.
        return self._is(state, why, self._update(pull, wanted, self.head or ""), self._push(wanted))

    def _labels(self, pull: PullRequest) -> Iterator[Step]:
        forge, missing = self.bot.forge, self.bot.forge.missing_labels(pull, self.bot.settings.labels)
        if missing:
            yield Step(f"label it {', '.join(missing)}", lambda: forge.label(pull.number, missing))

    def _why_foreign(self) -> str | None:
        assert self.head is not None
        head = self.bot.repository.fetch(self.bot.remote, self.head)
        found = self.bot.repository.why_foreign(self.base, head)
        return None if found is None else f"somebody committed to it: {found}"

    def _is(self, state: State, why: str, *steps: Step) -> Item:
        return Item(self.branch, state, why, steps, "" if self.open is None else self.open.url)

    def _body(self, wanted: Wanted, replaces: str) -> str:
        marker = Marker(self.branch, self.base.hexsha, wanted.head.hexsha, wanted.findings, replaces)
        only = {id_ for plan in wanted.plans for id_ in plan.codemods}
        select = f" --select {','.join(sorted(only))}" if self.bot.settings.per == "codemod" else ""
        measured = self._measured(wanted).text
        return render_body(wanted.records, marker, self.bot.settings.stop_label, f"dockerfix --diff{select}", measured)

    def _measured(self, wanted: Wanted) -> Measured:
        """What was measured: that of the open pull request where it is of the same commits, so that a second run
        neither builds again nor changes a word."""
        if self._proof is None:
            kept = ""
            if self.open is not None and self.marker is not None and self.marker.head == wanted.head.hexsha:
                kept = read_measured(self.open.body)
            if kept or self.bot.measure is None:
                self._proof = Measured(kept)
            else:
                self._proof = self.bot.measure(self.base, wanted)
        return self._proof

    def _push(self, wanted: Wanted) -> Step:
        bot, branch, head = self.bot, self.branch, self.head
        assert branch.startswith(PREFIX)
        return Step(f"push {branch}", lambda: bot.repository.push(bot.remote, branch, wanted.head, head))

    def _delete(self) -> Step:
        bot, branch, head = self.bot, self.branch, self.head
        assert branch.startswith(PREFIX)
        assert head is not None
        return Step(f"delete {branch}", lambda: bot.repository.delete(bot.remote, branch, head))

    def _open(self, wanted: Wanted) -> Step:
        bot = self.bot

        def act() -> None:
            title, body = wanted.title, self._body(wanted, "")
            bot.forge.open_pull_request(self.branch, bot.about.default_branch, title, body, bot.settings.labels)

        return Step(OPEN, act)

    def _update(self, pull: PullRequest, wanted: Wanted, replaces: str) -> Step:
        def act() -> None:
            self.bot.forge.change_pull_request(pull.number, title=wanted.title, body=self._body(wanted, replaces))

        return Step("update the pull request", act)

    def _closing(self, pull: PullRequest, marker: Marker | None) -> tuple[Step, ...]:
        assert marker is not None

        def act() -> None:
            body = closed_body(pull.body, replace(marker, is_closed=True))
            self.bot.forge.change_pull_request(pull.number, title=pull.title, body=body, is_open=False)

        return (Step("close the pull request", act), self._delete())


def _is_same(one: str, other: str) -> bool:
    """Bodies are equal but for what forges do to line ends and the last ones."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def _count(wanted: Wanted) -> str:
    count = len(wanted.findings)
    return f"{count} finding{'s' if count > 1 else ''}"
