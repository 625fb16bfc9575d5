"""Both versions of a Dockerfile built, started, edited and rebuilt, and what that shows."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from refactor.context import BuildContext
from refactor.model.aspects import Aspect
from refactor.proof.compare import Difference, differences
from refactor.proof.engine import REPOSITORY, BuildRequest, Built, Engine, EngineProblem, Image
from refactor.proof.engines import find_engine
from refactor.proof.filesystem import Contents, Gone, gone, read_contents
from refactor.proof.probe import Likeness, Outcome, ProbeOptions, Starter, Tools, compare_outcomes
from refactor.proof.progress import Step
from refactor.proof.rebuild import Rebuild, copied, rebuild_of, slower
from refactor.proof.signals import catch_signals, uninterrupted
from refactor.proof.tree import Tree, TreeComparison, compare_trees, less_unstable
from refactor.proof.workspace import WorkspaceProblem, choose_source, copy_context, edit_source, put, twin

GROWTH_BYTES = 100_000
"""How much an image may grow: logs and package databases are written once more where a RUN is taken apart."""
_PATHS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """How proofs are made. Times in seconds."""

    engine: str | None = None
    """docker, podman or buildah; None: the first that answers."""
    builder: str | None = None
    """A buildx builder, so a remote BuildKit too."""
    build_network: str | None = None
    """The network of RUN steps; None: DOCKERFIX_BUILD_NETWORK, else the engine's own choice."""
    build_args: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    target: str | None = None
    platform: str | None = None
    build_timeout: float = 1800.0
    probe: ProbeOptions = field(default_factory=ProbeOptions)
    edit: str | None = None
    """The source file to edit, relative to the context; None: one is chosen."""
    has_rebuild: bool = True
    """Measure a rebuild after a source edit."""
    rebuilds: int = 1
    """How often: each time after another edit of the same file, and the median counts."""
    has_restart: bool = False
    """Start what was rebuilt as well, and measure until it answers or ends."""
    has_contents: bool = True
    """List the images' files: packages, folders, set-uid programs, shells; and compare them one by one where only SAFE
    codemods were applied."""


class Verdict(Enum):
    PROVED = "proved"
    """Both versions build and start alike, and nothing differs that was not announced."""
    FAILED = "failed"
    UNJUDGED = "cannot be judged"
    """The version before does not build, or nothing could be compared."""


@dataclass(slots=True)
class Version:
    """One version of the Dockerfile, and what is known of its image."""

    name: str
    source: bytes
    folder: str
    dockerfile: str
    image: str
    built: Built
    described: Image | None = None
    contents: Contents | None = None
    outcome: Outcome | None = None
    rebuild: Rebuild | None = None
    warnings: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of a rewrite; ``problems`` says why it was not."""

    verdict: Verdict
    problems: tuple[str, ...]
    before: Version
    after: Version | None = None
    differences: tuple[Difference, ...] = ()
    likeness: Likeness | None = None
    gone: Gone = field(default_factory=Gone)
    files: TreeComparison | None = None
    """The images file by file; None where REVIEW or UNSAFE codemods were applied, or that was not wanted."""
    edited: str | None = None
    """The source file that was edited for the rebuild."""
    notes: tuple[str, ...] = ()
    engine: str = ""

    @property
    def is_proved(self) -> bool:
        return self.verdict is Verdict.PROVED


def prove(
    before: bytes,
    after: bytes,
    context_dir: str,
    options: ProofOptions | None = None,
    *,
    may_change: frozenset[Aspect] = frozenset(),
    files: Mapping[str, bytes] | None = None,
    is_safe: bool = False,
    context: BuildContext | None = None,
    engine: Engine | None = None,
) -> Proof:
    """Proves that ``after`` may replace ``before``: two Dockerfiles for the same build context.

    ``may_change`` is what the rewrite announces to change in the image; ``files`` are written into the
    context of the version after (a new .dockerignore, say); ``is_safe`` says that no file of the image may
    differ. Raises :class:`EngineProblem` where no engine answers, or one dies, and :class:`WorkspaceProblem`
    where the context cannot be copied.
    """
    with Prover(before, context_dir, options or ProofOptions(), context=context, engine=engine) as prover:
        return prover.judge(after, may_change, files or {}, is_safe=is_safe)


class Prover:
    """Builds the version before once, and judges versions after against it. Everything it makes goes at
    its end."""

    def __init__(
        self,
        before: bytes,
        context_dir: str,
        options: ProofOptions,
        *,
        context: BuildContext | None = None,
        engine: Engine | None = None,
        dockerfile: str | None = None,
        path: str | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.source = before
        self.context_dir = context_dir
        self.options = options
        self.context = context or BuildContext.open(context_dir, path or dockerfile)
        self.dockerfile = dockerfile
        """Its path in the context, None where it is not in there."""
        self.path = path
        """Its path on this machine: an ignore file of its own lies beside it."""
        self.say = say
        self.engine = engine or find_engine(options.engine, options.builder)
        self.run = secrets.token_hex(6)
        self.redact = _redactor(options)
        self._folder = ""
        self._before: Version | None = None
        self._versions: list[Version] = []
        self._steps: list[Step] = []
        self._number = 0
        self._since = time.time()
        self._starter: Starter | None = None
        self._has_tree = False
        self._again: Tree | None = None
        self._restore: Callable[[], None] = lambda: None

    def __enter__(self) -> Prover:
        self._restore = catch_signals()
        self._folder = tempfile.mkdtemp(prefix="dockerfix-proof-")
        return self

    def __exit__(self, *_: object) -> None:
        with uninterrupted():
            self._clean()
        self._restore()

    def _clean(self) -> None:
        shutil.rmtree(self._folder, onerror=_make_writable)
        try:
            for kind, id in self.engine.leftovers(self.run):
                if kind == "container":
                    self.engine.remove_container(id)
                else:
                    self.engine.remove_image(id)
            self.engine.remove_cache(self._steps, self._since)
        except EngineProblem as problem:
            self.say(f"could not clean up: {problem}; remove what has the label dockerfix.proof={self.run}")

    @property
    def before(self) -> Version:
        """The version before, built, described and started. Raises what :func:`prove` raises."""
        if self._before is None:
            self._before = self._build("before", self.source, {})
            if self._before.built.problem is None:
                self._describe(self._before)
        return self._before

    def judge(
        self,
        after: bytes,
        may_change: frozenset[Aspect],
        files: Mapping[str, bytes] | None = None,
        *,
        is_safe: bool = False,
        is_short: bool = False,
    ) -> Proof:
        """Judges one version after. ``is_safe``: only SAFE codemods made it, so no file may differ. ``is_short``:
        from a warm cache, without measuring; for the search of a culprit."""
        engine = f"{self.engine.name} {self.engine.version}"
        self._has_tree = is_safe and self.options.has_contents
        before = self.before
        if before.built.problem is not None:
            problem = f"the Dockerfile does not build as it is: {before.built.problem}"
            return Proof(Verdict.UNJUDGED, (problem,), before, engine=engine)
        self._number += 1
        name = "after" if self._number == 1 else f"after-{self._number}"
        version = self._build(name, after, files or {}, is_cold=not is_short)
        if version.built.problem is not None:
            problem = f"the rewrite does not build: {version.built.problem}"
            return Proof(Verdict.FAILED, (problem,), before, version, engine=engine)
        self._describe(version, is_short)
        proof = self._compare(before, version, may_change, engine)
        if self._has_tree:
            proof = self._compared_by_file(proof)
        if not is_short and self.options.has_rebuild:
            proof = self._rebuilt(proof)
        return proof

    def _compare(self, before: Version, after: Version, may_change: frozenset[Aspect], engine: str) -> Proof:
        assert before.described is not None
        assert after.described is not None
        problems: list[str] = []
        notes: list[str] = []
        found = differences(
            before.described.configuration,
            after.described.configuration,
            (before.source, after.source),
            may_change,
            self.options.target,
        )
        problems += [
            f"the image's configuration changed unannounced: {difference}"
            for difference in found
            if not difference.expected_by
        ]
        starter = self._starter or self._new_starter(before)
        if before.outcome is None:
            self.say("starting the version before")
            before.outcome = starter.observe(before.image, before.described.configuration)
        self.say("starting the version after")
        after.outcome = starter.observe(after.image, after.described.configuration, before.outcome)
        if before.outcome.kind == "alive" and after.outcome.kind == "exit":
            # What compiles when it starts (`go run`) is not done when a server would be: it has the whole time limit.
            self.say("the version after ends: waiting for the version before to end as well")
            before.outcome = starter.observe(before.image, before.described.configuration, after.outcome)

        def again() -> Outcome:
            assert before.described is not None
            return starter.observe(before.image, before.described.configuration)

        likeness = compare_outcomes(before.outcome, after.outcome, again)
        if not likeness:
            problems.append(f"it does not start alike: {likeness.text}")
        notes += likeness.notes
        if before.outcome.how.startswith("by a port published"):
            notes.append("the containers had a network: no way was found to reach a port of one without")
        if before.described.configuration.healthcheck and not self.engine.runs_health_checks:
            notes.append(f"{self.engine.name} runs no health checks, so the image's own was not tried")
        new = (after.warnings or frozenset()) - (before.warnings or frozenset())
        if before.warnings is not None and new:
            notes += [f"the builder's checks newly warn: {warning}" for warning in sorted(new)]
        growth = after.described.size - before.described.size
        if growth > GROWTH_BYTES:
            problems.append(
                f"the image grew by {growth / 1e6:.1f} MB, from {before.described.size / 1e6:.1f} to "
                f"{after.described.size / 1e6:.1f} MB"
            )
        elif growth > 0:
            notes.append(f"the image grew by {growth} bytes, within the {GROWTH_BYTES // 1000} kB of metadata")
        empty = Contents()
        return Proof(
            Verdict.FAILED if problems else Verdict.PROVED,
            tuple(problems),
            before,
            after,
            found,
            likeness,
            gone(before.contents or empty, after.contents or empty),
            notes=tuple(notes),
            engine=engine,
        )

    def _new_starter(self, before: Version) -> Starter:
        programs = before.contents.programs if before.contents is not None else {}
        self._starter = Starter(self.engine, self.run, self.options.probe, Tools(before.image, programs), self.redact)
        return self._starter

    def _build(self, name: str, source: bytes, files: Mapping[str, bytes], *, is_cold: bool = True) -> Version:
        folder = os.path.join(self._folder, name)
        original = os.path.join(self._folder, "before")
        if name == "before":
            copy_context(self.context_dir, folder, self.context)
        else:
            twin(original, folder, files)
        if self.dockerfile is not None and name != "before" and os.path.isfile(os.path.join(folder, self.dockerfile)):
            put(folder, self.dockerfile, source)
        dockerfile = os.path.join(self._folder, f"{name}.Dockerfile")
        with open(dockerfile, "wb") as file:
            file.write(source)
        ignore = self._ignore_file(folder)
        if ignore is not None and os.path.basename(ignore) not in {".dockerignore", ".containerignore"}:
            # BuildKit looks for it beside the Dockerfile that it was given.
            shutil.copyfile(ignore, f"{dockerfile}.dockerignore")
        self.say(f"building the version {name.partition('-')[0]}")
        image = f"{REPOSITORY}:{self.run}-{name}"
        version = Version(name, source, folder, dockerfile, image, Built(None, "", (), 0.0))
        version.built = self._run_build(version, image, is_cold=is_cold, ignore_file=ignore)
        self._versions.append(version)
        return version

    def _ignore_file(self, folder: str) -> str | None:
        if self.path is not None and self.dockerfile is None and os.path.isfile(f"{self.path}.dockerignore"):
            return f"{self.path}.dockerignore"
        names = [f"{self.dockerfile}.dockerignore"] if self.dockerfile else []
        for name in (*names, ".containerignore", ".dockerignore"):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                return path
        return None

    def _run_build(self, version: Version, image: str, *, is_cold: bool, ignore_file: str | None) -> Built:
        built = self.engine.build(self._request(version, image, is_cold, ignore_file))
        self._steps += built.steps
        problem = self.redact(built.problem) if built.problem is not None else None
        return replace(built, problem=problem, log=self.redact(built.log))

    def _request(self, version: Version, image: str, is_cold: bool, ignore_file: str | None) -> BuildRequest:
        options = self.options
        return BuildRequest(
            version.dockerfile,
            version.folder,
            image,
            self.run,
            is_cold,
            cache_name=f"{self.run}-{version.name}",
            ignore_file=ignore_file,
            network=options.build_network or os.environ.get("DOCKERFIX_BUILD_NETWORK") or None,
            target=options.target,
            platform=options.platform,
            build_args=options.build_args,
            secrets=options.secrets,
            ssh=options.ssh,
            timeout=options.build_timeout,
        )

    def _describe(self, version: Version, is_short: bool = False) -> None:
        version.described = self.engine.inspect(version.image)
        if is_short:
            return
        if self.options.has_contents:
            self.say(f"looking into the version {version.name.partition('-')[0]}")
            version.contents = self._read(version, has_tree=self._has_tree)
        version.warnings = self.engine.check(self._request(version, version.image, False, None))

    def _read(self, version: Version, *, has_tree: bool) -> Contents:
        with self.engine.files(version.image, self.run) as pipe:
            return read_contents(pipe, has_tree=has_tree)

    def _compared_by_file(self, proof: Proof) -> Proof:
        """The proof with the comparison of all files, which fails it where one differs.

        Two builds of one Dockerfile differ as well. So where something does, the version before is built a second
        time from cold, and what differs between its two builds is left out.
        """
        assert proof.after is not None
        before, after = self._tree(proof.before), self._tree(proof.after)
        if before is None or after is None:
            problem = "the images' files could not be read to their end, so they were not compared"
            return replace(proof, verdict=Verdict.FAILED, problems=(*proof.problems, problem))
        files, notes = compare_trees(before, after, (proof.before.source, proof.after.source)), proof.notes
        if not files.is_equal:
            again = self._built_again()
            if again is not None:
                files = less_unstable(files, before, again)
            else:
                notes = (*notes, "the version before could not be built a second time, to see what differs by itself")
        problems = proof.problems
        if not files.is_equal:
            shown = [str(difference) for difference in files.differences[:_PATHS_SHOWN]]
            if len(files.differences) > _PATHS_SHOWN:
                shown.append(f"{len(files.differences) - _PATHS_SHOWN} more")
            problems = (*problems, f"files differ, though only SAFE codemods were applied: {'; '.join(shown)}")
        verdict = Verdict.FAILED if problems else proof.verdict
        return replace(proof, verdict=verdict, problems=problems, files=files, notes=notes)

    def _tree(self, version: Version) -> Tree | None:
        contents = version.contents
        if contents is None or contents.tree is None:
            self.say(f"reading the files of the version {version.name.partition('-')[0]}")
            contents = version.contents = self._read(version, has_tree=True)
        return contents.tree if contents.is_whole else None

    def _built_again(self) -> Tree | None:
        """The files of a second build of the version before; None where it fails."""
        if self._again is None:
            version = self._build("before-again", self.source, {})
            if version.built.problem is not None:
                return None
            self._again = self._tree(version)
            self.engine.remove_image(version.image)
        return self._again

    def _rebuilt(self, proof: Proof) -> Proof:
        assert proof.after is not None
        path = self.options.edit or choose_source(self.context, copied(self.source, self.context))
        path = path or choose_source(self.context, None)
        if path is None:
            return replace(proof, notes=(*proof.notes, "no source file to edit was found, so no rebuild was measured"))
        built: dict[str, list[Built]] = {"before": [], "after": []}
        started: dict[str, list[Outcome]] = {"before": [], "after": []}
        for number in range(self.options.rebuilds):
            for when, version in (("before", proof.before), ("after", proof.after)):
                one = self._rebuild_after_edit(version, path, f"dockerfix {self.run} {number}", started[when])
                if isinstance(one, str):
                    return replace(proof, notes=(*proof.notes, one))
                built[when].append(one)
        proof.before.rebuild = rebuild_of(built["before"], started["before"])
        proof.after.rebuild = rebuild_of(built["after"], started["after"])
        warnings = slower(proof.before.rebuild, proof.after.rebuild, path)
        return replace(proof, edited=path, notes=(*proof.notes, *warnings))

    def _rebuild_after_edit(self, version: Version, path: str, mark: str, started: list[Outcome]) -> Built | str:
        """A build from the warm cache with one file edited, which is as before in the end. A text says why there is
        none. ``started`` gets what came of starting its image, where that is wanted."""
        ignore = self._ignore_file(version.folder)
        if self.engine.is_cache_ambiguous:
            self._run_build(version, version.image, is_cold=False, ignore_file=ignore)
        name, image = version.name.partition("-")[0], f"{version.image}-edited"
        try:
            original = edit_source(version.folder, path, mark)
        except WorkspaceProblem as problem:
            return f"no rebuild was measured: {problem}"
        try:
            self.say(f"rebuilding the version {name} after an edit of {path}")
            built = self._run_build(version, image, is_cold=False, ignore_file=ignore)
        finally:
            put(version.folder, path, original)
        if built.problem is not None:
            return f"after an edit of {path} the version {name} does not build: {built.problem}"
        if self.options.has_restart and self._starter is not None and version.described is not None:
            self.say(f"starting the rebuilt version {name}")
            started.append(self._starter.observe(image, version.described.configuration, version.outcome))
        self.engine.remove_image(image)
        return built


def _redactor(options: ProofOptions) -> Callable[[str], str]:
    """Takes secret values out of a text: those of secrets, build arguments and environment files."""
    values: set[str] = set()
    for entry in (*options.build_args, *options.probe.env):
        key, _, value = entry.partition("=")
        values.add(value or os.environ.get(key, ""))
    for secret in options.secrets:
        parts = dict(part.partition("=")[::2] for part in secret.split(","))
        path = parts.get("src") or parts.get("source")
        values.add(os.environ.get(parts.get("env") or parts.get("id") or "", ""))
        values.update(_lines(path) if path else ())
    for path in options.probe.env_files:
        values.update(line.partition("=")[2] for line in _lines(path))
    # Short values ("3000", "localhost") are no secrets, and masking them would make logs unreadable.
    hidden = sorted((value.strip().strip("\"'") for value in values if len(value.strip()) >= 8), key=len, reverse=True)

    def redact(text: str) -> str:
        for value in hidden:
            text = text.replace(value, "***")
        return text

    return redact


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(64 << 10).splitlines()
    except OSError:
        return []


def _make_writable(function: Callable[..., Any], path: str, _: object) -> None:
    with suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        function(path)


def clean_up(engine: Engine) -> Sequence[str]:
    """Removes what earlier runs, killed before their end, left behind. Returns what that was."""
    found = []
    for kind, id in engine.leftovers(None):
        if kind == "container":
            engine.remove_container(id)
        else:
            engine.remove_image(id)
        found.append(f"{kind} {id.removeprefix('sha256:')[:12]}")
    return found
