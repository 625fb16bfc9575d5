"""Images file by file: what counts as a difference, what is left out, and what a proof makes of it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest

from refactor.context import BuildContext
from refactor.proof import Proof, ProofOptions, Verdict, prove
from refactor.proof.engine import BuildRequest, Built, Image
from refactor.proof.filesystem import read_contents
from refactor.proof.progress import Step
from refactor.proof.render import as_json, render_markdown, render_text
from refactor.proof.rewrite import Rewrite
from refactor.proof.stamps import STAMPS
from refactor.proof.tree import Tree, compare_trees, less_unstable
from refactor.proof.verify import verify
from tests.test_proof import ALL, FAT, SLIM, PaperEngine


@dataclass(frozen=True)
class Made:
    """A path of an image to be."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    type: bytes = tarfile.REGTYPE
    link: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


def archive(files: dict[str, Made | bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for path, value in files.items():
            made = Made(value) if isinstance(value, bytes) else value
            member = tarfile.TarInfo(path)
            member.mode, member.uid, member.type, member.linkname = made.mode, made.uid, made.type, made.link
            member.pax_headers = dict(made.attributes)
            member.size = len(made.content)
            tar.addfile(member, io.BytesIO(made.content))
    return buffer.getvalue()


def tree(files: dict[str, Made | bytes], format: int = tarfile.PAX_FORMAT) -> Tree:
    contents = read_contents(io.BytesIO(archive(files, format)), has_tree=True)
    assert contents.is_whole
    assert contents.tree is not None
    return contents.tree


FOLDER = Made(mode=0o755, type=tarfile.DIRTYPE)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (Made(b"a"), Made(b"b"), "/app/x: content"),
        (Made(b"a"), Made(b"bb"), "/app/x: content (1 -> 2 bytes)"),
        (Made(b"a"), Made(b"a", mode=0o755), "/app/x: mode 0644 -> 0755"),
        (Made(b"a"), Made(b"a", uid=1000), "/app/x: owner 0:0 -> 1000:0"),
        (Made(b"a"), Made(b"a", uid=3_000_000), "/app/x: owner 0:0 -> 3000000:0"),
        (Made(b"a"), None, "/app/x: missing (a file)"),
        (None, FOLDER, "/app/x: new (a folder)"),
        (Made(b"a"), FOLDER, "/app/x: a file -> a folder"),
        (Made(type=tarfile.SYMTYPE, link="/a"), Made(type=tarfile.SYMTYPE, link="/" + "b" * 120), "link to /a -> /b"),
    ],
)
def test_what_differs_is_told(old: Made | None, new: Made | None, text: str, format: int) -> None:
    trees = [
        tree({"app/": FOLDER, **({"app/x": made} if made else {}), "app/y": b"same"}, format) for made in (old, new)
    ]
    comparison = compare_trees(*trees)
    assert len(comparison.differences) == 1
    assert text in str(comparison.differences[0])
    assert not comparison.is_equal
    assert compare_trees(trees[0], trees[0]).is_equal


def test_a_file_capability_is_part_of_a_file() -> None:
    able = Made(b"p", attributes=(("SCHILY.xattr.security.capability", "x"),))
    comparison = compare_trees(tree({"bin/ping": able}), tree({"bin/ping": b"p"}))
    assert str(comparison.differences[0]) == "/bin/ping: extended attributes"


def test_a_hard_link_is_the_file_that_it_names() -> None:
    linked = tree({"a": b"x", "b": Made(type=tarfile.LNKTYPE, link="a")})
    assert compare_trees(linked, tree({"a": b"x", "b": b"x"})).is_equal
    assert not compare_trees(linked, tree({"a": b"x", "b": b"y"})).is_equal


def test_what_is_below_a_missing_folder_is_counted() -> None:
    before = tree({"a/": FOLDER, "a/b": b"1", "a/c/": FOLDER, "a/c/d": b"2", "a.txt": b"3"})
    shown = [str(difference) for difference in compare_trees(before, tree({})).differences]
    assert shown == ["/a: missing (a folder), with 3 entries below", "/a.txt: missing (a file)"]


SHADOW = b"root:*:%d:0:99999:7:::\napp:!:%d::::::\n"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("var/log/dpkg.log", b"2026-01-01 install", b"2026-01-02 install"),
        ("var/log/apt/history.log", b"Start-Date: 1", b"Start-Date: 2"),
        ("var/cache/ldconfig/aux-cache", b"1", b"2"),
        ("etc/machine-id", b"1", b"2"),
        ("lib/apk/db/scripts.tar", b"1", b"2"),
        ("usr/lib/python3/dist-packages/x/__pycache__/y.cpython-311.pyc", b"1", b"2"),
        ("usr/lib/python3/dist-packages/x/__pycache__/y.cpython-311.pyc", b"1", None),
        ("usr/lib/python3.11/site-packages/flask-3.dist-info/RECORD", b"1", b"2"),
        ("root/.cache/pip/selfcheck/abc", b"1", b"2"),
        ("root/.npm/_logs/2026-01-01T00_00_00_000Z-debug-0.log", None, b"2"),
        ("root/.m2/repository/a/b/1/_remote.repositories", b"#Mon", b"#Tue"),
        ("etc/hosts", b"", b"127.0.0.1 localhost"),
    ],
)
def test_what_is_stamped_is_left_out(path: str, old: bytes | None, new: bytes | None) -> None:
    trees = [tree({path: made} if made is not None else {}) for made in (old, new)]
    comparison = compare_trees(*trees)
    assert comparison.is_equal, comparison.differences
    assert [path for path, _ in comparison.stamped] == [path]
    assert comparison.stamped[0][1] in {row.reason for row in STAMPS}


def test_the_day_in_the_shadow_file_is_no_difference() -> None:
    assert compare_trees(tree({"etc/shadow": SHADOW % (9999, 99)}), tree({"etc/shadow": SHADOW % (10000, 1)})).is_equal


@pytest.mark.parametrize(
    ("path", "old", "new", "text"),
    [
        ("etc/shadow", SHADOW % (20000, 20001), SHADOW.replace(b"!", b"$6$x") % (20000, 20001), "content"),
        ("var/log/dpkg.log", Made(b"1"), Made(b"2", mode=0o666), "mode"),
        ("var/log/dpkg.log", Made(b"1"), None, "missing"),
        ("root/.cache/app/state", b"1", b"2", "content"),
        ("app/RECORD", b"1", b"2", "content"),
        ("etc/hosts.allow", b"1", b"2", "content"),
        ("home/app/hosts", b"1", b"2", "content"),
        ("var/lib/apt/extended_states", b"1", b"2", "content"),
    ],
)
def test_a_stamp_hides_nothing_else(path: str, old: Made | bytes, new: Made | bytes | None, text: str) -> None:
    comparison = compare_trees(tree({path: old}), tree({path: new} if new is not None else {}))
    assert [text in difference.text for difference in comparison.differences] == [True]


def test_a_copy_of_the_dockerfile_is_rewritten_with_it() -> None:
    before, after = (
        tree({"app/Dockerfile": b"FROM a", "app/x": b"1"}),
        tree({"app/Dockerfile": b"FROM b", "app/x": b"1"}),
    )
    assert compare_trees(before, after, (b"FROM a", b"FROM b")).is_equal
    assert not compare_trees(before, after, (b"FROM a", b"FROM c")).is_equal
    moved = tree({"app/Dockerfile": Made(b"FROM b", mode=0o600), "app/x": b"1"})
    assert not compare_trees(before, moved, (b"FROM a", b"FROM b")).is_equal


def test_cleaned_caches_are_told_with_their_size() -> None:
    lists = {"var/lib/apt/lists/": FOLDER, "var/lib/apt/lists/main_Packages": b"x" * 500}
    comparison = compare_trees(tree(lists), tree({"var/lib/apt/lists/": FOLDER}))
    assert comparison.is_equal
    assert comparison.cleaned == (("var/lib/apt/lists/main_Packages", 500),)


def test_what_differs_from_build_to_build_is_left_out() -> None:
    before, again, after = (
        tree({"app/bundle.js": b"%d" % number, f"tmp/{name}": b"", "app/main": Made(b"m", mode=mode)})
        for number, name, mode in ((1, "a1", 0o755), (2, "b2", 0o755), (3, "c3", 0o700))
    )
    comparison = compare_trees(before, after)
    assert len(comparison.differences) == 4
    left = less_unstable(comparison, before, again)
    assert [str(difference) for difference in left.differences] == ["/app/main: mode 0755 -> 0700"]
    assert left.unstable == ("app/bundle.js", "tmp/a1", "tmp/c3")


@pytest.mark.parametrize(
    "after",
    [
        {"app/bundle.js": Made(b"3", mode=0o600), "tmp/c3": b""},
        {"tmp/c3": b""},
        {"app/bundle.js": b"3"},
        {"app/bundle.js": b"3", "tmp/c3": b"", "tmp/d4": b""},
    ],
    ids=["another mode", "missing", "fewer", "more"],
)
def test_noise_hides_nothing_else(after: dict[str, Made | bytes]) -> None:
    before, again = tree({"app/bundle.js": b"1", "tmp/a1": b""}), tree({"app/bundle.js": b"2", "tmp/b2": b""})
    comparison = compare_trees(before, tree(after))
    assert not less_unstable(comparison, before, again).is_equal


# --- in a proof ------------------------------------------------------------------------------------------------------


class FileEngine(PaperEngine):
    """A Dockerfile's ``#file PATH CONTENT`` lines are its image's files; ``#each PATH`` is another in each build, and
    ``#large SIZE`` its image's size."""

    def __init__(self) -> None:
        super().__init__()
        self.builds: dict[str, int] = {}

    def build(self, request: BuildRequest) -> Built:
        self.builds[request.image] = len(self.seen)
        return super().build(request)

    def inspect(self, image: str) -> Image:
        for line in self.images[image].decode().splitlines():
            if line.startswith("#large "):
                return replace(super().inspect(image), size=int(line[7:]))
        return super().inspect(image)

    @contextmanager
    def files(self, image: str, run: str) -> Iterator[IO[bytes]]:
        made: dict[str, Made | bytes] = {}
        for line in self.images[image].decode().splitlines():
            word, _, rest = line.partition(" ")
            path, _, content = rest.partition(" ")
            if word == "#file":
                made[path] = content.encode()
            elif word == "#each":
                made[path] = b"%d" % self.builds[image]
        yield io.BytesIO(archive(made))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "main.py").write_text("print('hello')\n")
    return root


BEFORE = FAT + b"#file app/a one\n#file app/b two\n#each app/id\n#file var/lib/apt/lists/x 1234\n"
EQUAL = BEFORE.replace(b"#file var/lib/apt/lists/x 1234\n", b"")
LOST = EQUAL.replace(b"#file app/b two\n", b"")


def judged(app: Path, after: bytes, *, is_safe: bool = True) -> tuple[Proof, FileEngine]:
    engine = FileEngine()
    return prove(BEFORE, after, str(app), may_change=ALL, is_safe=is_safe, engine=engine), engine


def test_a_safe_rewrite_proves_where_all_files_are_equal(app: Path) -> None:
    proof, _ = judged(app, EQUAL)
    assert proof.is_proved, proof.problems
    assert proof.files is not None
    assert proof.files.unstable == ("app/id",)
    assert proof.files.cleaned == (("var/lib/apt/lists/x", 4),)


def test_nothing_is_built_twice_where_nothing_differs(app: Path) -> None:
    stable = BEFORE.replace(b"#each app/id\n", b"")
    engine = FileEngine()
    proof = prove(stable, stable + b"\n", str(app), may_change=ALL, is_safe=True, engine=engine)
    assert proof.is_proved
    assert sum(request.is_cold for request in engine.seen) == 2
    _, engine = judged(app, EQUAL)
    assert sum(request.is_cold for request in engine.seen) == 3
    assert engine.images == {}


def test_a_safe_rewrite_that_loses_a_file_fails(app: Path) -> None:
    proof, _ = judged(app, LOST)
    assert proof.verdict is Verdict.FAILED
    assert proof.problems == ("files differ, though only SAFE codemods were applied: /app/b: missing (a file)",)


def test_a_rewrite_that_changes_files_on_purpose_is_listed_and_not_compared(app: Path) -> None:
    proof, _ = judged(app, LOST, is_safe=False)
    assert proof.is_proved, proof.problems
    assert proof.files is None


def test_bisect_finds_the_codemod_that_loses_a_file(app: Path) -> None:
    changes = {
        "clean-up": (b"#file var/lib/apt/lists/x 1234\n", b""),
        "lose-it": (b"#file app/b two\n", b""),
        "add-line": (b"CMD", b"\nCMD"),
    }

    def rewriter(only: object = None) -> Rewrite:
        chosen = [id for id in changes if only is None or id in only]  # type: ignore[operator]
        after = BEFORE
        for id in chosen:
            after = after.replace(*changes[id])
        return Rewrite(after, tuple(chosen), ALL, is_safe=True)

    context = BuildContext.open(app)
    found = verify("app/Dockerfile", BEFORE, rewriter, context, ProofOptions(), FileEngine(), is_bisecting=True)
    assert [culprit.codemod for culprit in found.culprits] == ["lose-it"]
    assert found.kept == ("clean-up", "add-line")
    text = render_text(found)
    assert "broken by lose-it: files differ, though only SAFE codemods were applied: /app/b: missing (a file)" in text
    assert "1 differ" in text
    assert "differs from build to build: /app/id" in text
    assert "caches that went (0.0 MB): /var/lib/apt/lists" in text
    assert "equal one by one" in text
    assert "**Files that differ**" in render_markdown(found)
    report = json.loads(json.dumps(as_json(found)))
    assert report["proof"]["files"]["differences"] == [
        {"path": "/app/b", "what": ["missing"], "text": "missing (a file)"}
    ]
    assert report["kept_proof"]["files"]["equal"] is True
    assert report["kept_proof"]["files"]["unstable"] == ["/app/id"]


# --- growth and slowness ---------------------------------------------------------------------------------------------


def test_a_rewrite_that_grows_the_image_fails(app: Path) -> None:
    proof = prove(FAT, SLIM + b"#large 3005000\n", str(app), may_change=ALL, engine=FileEngine())
    assert proof.verdict is Verdict.FAILED
    assert proof.problems == ("the image grew by 3.0 MB, from 0.0 to 3.0 MB",)
    proof = prove(FAT, SLIM + b"#large 15000\n", str(app), may_change=ALL, engine=FileEngine())
    assert proof.is_proved
    assert "the image grew by 10000 bytes, within the 100 kB of metadata" in proof.notes


class SlowEngine(PaperEngine):
    """After an edit the version after installs again, and takes longer each time."""

    times = (1.0, 7.0, 3.0)

    def build(self, request: BuildRequest) -> Built:
        built = super().build(request)
        if request.is_cold:
            return built
        number = sum(not seen.is_cold for seen in self.seen[:-1]) // 2
        is_slow = b"slim" in Path(request.dockerfile).read_bytes()
        install = Step("", "RUN pip install -r requirements.txt", not is_slow, 1.0)
        return replace(built, steps=(install, *built.steps[1:]), seconds=self.times[number] + 4 * is_slow)


def test_a_rebuild_that_becomes_slower_is_a_warning(app: Path) -> None:
    proof = prove(FAT, SLIM, str(app), ProofOptions(rebuilds=3), may_change=ALL, engine=SlowEngine())
    assert proof.is_proved, proof.problems
    assert proof.before.rebuild is not None
    assert proof.before.rebuild.seconds == 3.0
    assert proof.after is not None
    assert proof.after.rebuild is not None
    assert proof.after.rebuild.seconds == 7.0
    assert [note for note in proof.notes if note.startswith("warning")] == [
        "warning: an edit of main.py installs again in 1 steps, before in 0",
        "warning: the rebuild after an edit of main.py took 7.0 s, before 3.0 s",
    ]


def test_what_was_rebuilt_is_started_where_the_time_until_it_answers_is_wanted(app: Path) -> None:
    engine = SlowEngine()
    proof = prove(FAT, SLIM, str(app), ProofOptions(rebuilds=3, has_restart=True), may_change=ALL, engine=engine)
    assert proof.after is not None
    for rebuild in (proof.before.rebuild, proof.after.rebuild):
        assert rebuild is not None
        assert rebuild.answered is not None
        assert rebuild.seconds <= rebuild.answered < rebuild.seconds + 1
    edited = [request.image for request in engine.started if request.image.endswith("-edited")]
    assert len(edited) == 6
    assert engine.containers == {}


def test_each_rebuild_is_of_another_edit_and_none_is_left(app: Path) -> None:
    engine, seen = PaperEngine(), []
    engine.on_build = lambda request: seen.append((Path(request.context) / "main.py").read_text())
    prove(FAT, SLIM, str(app), ProofOptions(rebuilds=3), may_change=ALL, engine=engine)
    edits = [text for text in seen if "dockerfix" in text]
    assert len(edits) == 6
    assert len(set(edits)) == 3
    assert all(text.count("dockerfix") == 1 for text in edits)
