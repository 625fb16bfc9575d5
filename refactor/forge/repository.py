"""A git repository as dockerfix changes it: commits built in memory on a branch of their own.

The work tree, the index and every other branch stay as they are: files are read from the base commit, blobs, trees
and commits are written as loose objects, and one reference is moved with a lease on what it was. No hook runs, and no
filter (``.gitattributes``) sees a file, so that line endings and modes are those of the base commit.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from refactor.engine.files import MAX_BYTES, FileProblem

# Without it GitPython looks for git when it is imported and raises there, before a message could say what to do.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git
from git.exc import GitCommandError, GitCommandNotFound, InvalidGitRepositoryError, NoSuchPathError
from git.index.typ import BaseIndexEntry, IndexEntry
from gitdb import IStream

TREE_TRAILER = "Dockerfix-Tree"
"""Names the tree that dockerfix gave the commit: a commit that anybody amended no longer has it."""
GITLINK = 0o160000
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
_NOBODY = git.Actor("dockerfix", "dockerfix@localhost")


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """One commit to make: the whole new content of each file that it touches, by path from the repository's top."""

    subject: str
    body: str
    files: Mapping[str, bytes]
    codemods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as it was made: its commits, oldest first, as (SHA, subject)."""

    name: str
    base: str
    """SHA of the commit that it starts from."""
    commits: tuple[tuple[str, str], ...] = field(default=())

    @property
    def head(self) -> str:
        return self.commits[-1][0] if self.commits else self.base


class Repository:
    """An open repository; use it with ``with``, so that GitPython's processes end.

    Every method raises :class:`FileProblem` with words for the user where git, or the state of the repository, is in
    the way.
    """

    def __init__(self, path: str, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {"GIT_TERMINAL_PROMPT": "0", **(environment or {})}
        try:
            # Asks for the environment's GIT_DIR as git does, and looks in the folders above.
            self.repo = git.Repo(_nearest(path), search_parent_directories=True)
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise FileProblem(path, "is in no git repository", "run it inside one, or use --write") from None
        except ValueError as error:
            raise FileProblem(path, f"is in a repository that cannot be opened: {error}", "mend it first") from None
        try:
            self.repo.git.version()
        except (GitCommandNotFound, GitCommandError):
            self.repo.close()
            raise FileProblem("git", "is not on PATH", "install git") from None

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.repo.close()

    @property
    def top(self) -> str:
        """The folder of the work tree."""
        if self.repo.working_tree_dir is None:
            raise FileProblem(
                str(self.repo.git_dir), "is a bare repository", "clone it, and run dockerfix in the clone"
            )
        return str(self.repo.working_tree_dir)

    def commit(self, reference: str) -> git.Commit:
        """The commit that a branch, tag or SHA names."""
        if not self.repo.head.is_valid() and reference == "HEAD":
            raise FileProblem(self.name, "has no commit yet", "commit the Dockerfile first")
        try:
            found = self.repo.commit(reference) if not reference.startswith("-") else None
        except (ValueError, IndexError, git.BadName, GitCommandError, OSError):
            found = None
        if found is None:
            more = "; the clone is shallow, so it may only be missing here" if self.is_shallow else ""
            raise FileProblem(
                self.name, f"has no commit {reference!r}{more}", "name a branch, a tag or a SHA with --base"
            )
        return found

    @property
    def name(self) -> str:
        return str(self.repo.working_tree_dir or self.repo.git_dir)

    @property
    def is_shallow(self) -> bool:
        return os.path.exists(os.path.join(self.repo.common_dir, "shallow"))

    def path_inside(self, path: str) -> str:
        """``path`` from the top of the repository, "" for the top itself. Raises for one outside or in a submodule."""
        inside = os.path.relpath(os.path.realpath(path), os.path.realpath(self.top)).replace(os.sep, "/")
        if inside == ".." or inside.startswith("../"):
            raise FileProblem(
                path, f"is outside of the repository {self.top}", "run dockerfix once for each repository"
            )
        return "" if inside == "." else inside

    def why_in_submodule(self, commit: git.Commit, path: str) -> str | None:
        """The submodule of ``commit`` that a path lies in, None for files of this repository."""
        parts = path.split("/")
        tree: git.Tree = commit.tree
        for number, part in enumerate(parts):
            try:
                entry = tree / part
            except KeyError:
                return None
            if entry.mode == GITLINK:
                return "/".join(parts[: number + 1])
            if not isinstance(entry, git.Tree):
                return None
            tree = entry
        return None

    def export(self, commit: git.Commit, folder: str, is_whole: bool = False) -> None:
        """Writes the files of a commit below ``folder``, byte for byte as they are stored; links stay links, and
        programs can be started.

        A file of more than 16 MiB keeps its size and has no content, unless ``is_whole``: nothing that dockerfix reads
        is that large, but a build may need it.
        """
        for entry in commit.tree.traverse():
            if not isinstance(entry, git.Blob | git.Tree):
                # A submodule: its files are another repository's.
                continue
            target = os.path.join(folder, os.fspath(entry.path))
            if isinstance(entry, git.Tree):
                os.makedirs(target, exist_ok=True)
            elif stat.S_ISLNK(entry.mode):
                os.symlink(entry.data_stream.read(), os.fsencode(target))
            else:
                with open(target, "wb") as file:
                    if entry.size > MAX_BYTES and not is_whole:
                        file.truncate(entry.size)
                    else:
                        entry.stream_data(file)
                if entry.mode & 0o111:
                    os.chmod(target, 0o755)

    def build(
        self, base: git.Commit, plans: Sequence[CommitPlan], author: git.Actor | None = None, sign_off: bool = False
    ) -> tuple[git.Commit, ...]:
        """Writes the commits of ``plans`` one upon the other, without a reference to them.

        Names are the repository's ``user.name`` and ``user.email`` (or ``author``), dates those of the base commit:
        the same base and the same plans give the same SHAs.
        """
        actor = author or self._actor()
        index = git.IndexFile.new(self.repo, base.tree.hexsha)
        date = f"{base.committed_date} {_offset(base.committer_tz_offset)}"
        made: list[git.Commit] = []
        for plan in plans:
            for path, data in plan.files.items():
                stored = self.repo.odb.store(IStream("blob", len(data), io.BytesIO(data)))
                known = index.entries.get((path, 0))
                mode = known.mode if known is not None else 0o100644
                index.entries[(path, 0)] = IndexEntry.from_base(BaseIndexEntry((mode, stored.binsha, 0, path)))
            tree = index.write_tree()
            trailers = [*(f"Dockerfix-Codemod: {id_}" for id_ in plan.codemods), f"{TREE_TRAILER}: {tree.hexsha}"]
            if sign_off:
                trailers.append(f"Signed-off-by: {actor.name} <{actor.email}>")
            message = (
                "\n\n".join(part for part in (plan.subject, plan.body.strip(), "\n".join(trailers)) if part) + "\n"
            )
            parent = made[-1] if made else base
            made.append(
                git.Commit.create_from_tree(
                    self.repo, tree, message, [parent], False, actor, actor, author_date=date, commit_date=date
                )
            )
        return tuple(made)

    def _actor(self) -> git.Actor:
        try:
            actor = git.Actor.committer(self.repo.config_reader())
        except (OSError, KeyError):
            return _NOBODY
        return actor if actor.name and actor.email else _NOBODY

    def why_foreign(self, base: git.Commit, head: git.Commit) -> str | None:
        """A commit of ``head`` that is neither below ``base`` nor made by dockerfix, in words; None where none is."""
        for commit in self.repo.iter_commits(f"{base.hexsha}..{head.hexsha}"):
            if not is_ours(commit):
                return f"{commit.hexsha[:10]} ({str(commit.summary)[:60]}, {commit.author.name})"
        return None

    def move_branch(self, name: str, base: git.Commit, head: git.Commit) -> bool:
        """Points a local branch at ``head``, False where it does already.

        Raises where its name is none, where it is checked out, and where it holds a commit that dockerfix did not make.
        """
        reference = f"refs/heads/{name}"
        try:
            self._git("check-ref-format", "--branch", name)
        except FileProblem:
            raise FileProblem(name, "is no name for a branch", "see `git help check-ref-format`") from None
        old = self.resolve(reference)
        if old == head.hexsha:
            return False
        where = self._checked_out(reference)
        if where is not None:
            raise FileProblem(name, f"is checked out in {where}", "name another branch; a checked-out one is not moved")
        if old is not None:
            foreign = self.why_foreign(base, self.repo.commit(old))
            if foreign is not None:
                advice = "name another branch, or delete that one if nobody needs it"
                raise FileProblem(name, f"has a commit that dockerfix did not make: {foreign}", advice)
        self._git("update-ref", "-m", "dockerfix", reference, head.hexsha, old or "0" * 40)
        return True

    def resolve(self, reference: str) -> str | None:
        """The SHA that a full reference points at, None where there is none."""
        found: str = self.repo.git.for_each_ref("--format=%(objectname)", reference)
        return found or None

    def _checked_out(self, reference: str) -> str | None:
        """The folder of the work tree, this one or a linked one, in which a branch is checked out."""
        folder = None
        for line in self.repo.git.worktree("list", "--porcelain").splitlines():
            key, _, value = line.partition(" ")
            if key == "worktree":
                folder = value
            elif key == "branch" and value == reference:
                return folder
        return None

    def remote_head(self, remote: str, name: str) -> str | None:
        """The SHA of a remote's branch as the remote says now, None where it has none."""
        return self.remote_heads(remote, name).get(name)

    def remote_heads(self, remote: str, pattern: str) -> dict[str, str]:
        """The remote's branches whose name is, or begins as, ``pattern`` says (``dockerfix/*``), with their SHAs."""
        self._known_remote(remote)
        lines = self._git("ls-remote", "--heads", remote, f"refs/heads/{pattern}").splitlines()
        return {name.removeprefix("refs/heads/"): sha for sha, name in (line.split("\t") for line in lines)}

    def merges_cleanly(self, base: git.Commit, head: git.Commit) -> bool:
        """Whether a merge of ``head`` into ``base`` has no conflict (git 2.38 writes the merged tree nowhere else)."""
        try:
            self.repo.git.execute(["git", "merge-tree", "--write-tree", base.hexsha, head.hexsha])
        except GitCommandError:
            return False
        return True

    def fetch(self, remote: str, sha: str) -> git.Commit:
        """A commit of a remote's branch, fetched where it is not here, without a reference to it."""
        try:
            return self.repo.commit(sha)
        except (ValueError, git.BadName):
            self._git("fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", remote, sha)
            return self.repo.commit(sha)

    def push(self, remote: str, name: str, head: git.Commit, seen: str | None) -> None:
        """Pushes ``head`` as a branch, if the remote's is still at ``seen`` (None: still absent)."""
        self._known_remote(remote)
        reference = f"refs/heads/{name}"
        lease = f"--force-with-lease={reference}:{seen or ''}"
        self._git("push", "--no-verify", "--porcelain", lease, remote, f"{head.hexsha}:{reference}")

    def delete(self, remote: str, name: str, seen: str) -> None:
        """Deletes a remote's branch, if it is still at ``seen``."""
        self._known_remote(remote)
        reference = f"refs/heads/{name}"
        self._git(
            "push", "--no-verify", "--porcelain", f"--force-with-lease={reference}:{seen}", remote, f":{reference}"
        )

    def remote_url(self, remote: str) -> str:
        self._known_remote(remote)
        return str(next(self.repo.remote(remote).urls))

    def _known_remote(self, remote: str) -> None:
        names = [known.name for known in self.repo.remotes]
        if remote not in names:
            listed = ", ".join(names) or "none"
            raise FileProblem(
                self.name, f"has no remote {remote!r}", f"its remotes: {listed} (`git remote add` makes one)"
            )

    def _git(self, *arguments: str) -> str:
        """Runs git without hooks and without asking for a password."""
        status, output, said = self.repo.git.execute(
            ["git", *_NO_HOOKS, *arguments], env=self._environment, with_extended_output=True, with_exceptions=False
        )
        if status:
            raise FileProblem(self.name, f"git {arguments[0]} failed: {_last_line(said)}", _advice(f"{said}{output}"))
        return str(output)


def _nearest(path: str) -> str:
    """The path, or the closest folder above it that is there: the file may only be in another commit."""
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    return path or "."


def is_ours(commit: git.Commit) -> bool:
    """Whether dockerfix made a commit and nobody amended it: its message names its own tree."""
    lines = str(commit.message).splitlines()
    return f"{TREE_TRAILER}: {commit.tree.hexsha}" in lines


def _offset(seconds_west: float) -> str:
    """Git's ``+0200`` for a count of seconds west of UTC, which is what GitPython keeps."""
    minutes = int(-seconds_west // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _advice(said: str) -> str:
    if "stale info" in said or "fetch first" in said or "cannot lock ref" in said:
        return "somebody moved the branch meanwhile: run dockerfix again"
    if "could not read Username" in said or "Authentication failed" in said or "Permission denied" in said:
        return "check the credentials for the remote"
    return "nothing was changed; run the same git command by hand to see more"
