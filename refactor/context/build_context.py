"""The files a build sees: a folder or a mapping, seen through its ``.dockerignore``.

Nothing is read before it is asked for, and no answer is an exception: what cannot be known (a folder without
permission, a link that leaves the context, a manifest cut in the middle) is :class:`Unknown` with its reason.
Names are compared with the folder's listing, not with the file system's idea of equality, because the build
runs on Linux, where ``Package.json`` is not ``package.json``.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from refactor.context.dockerignore import BadPattern, DockerIgnore, clean, match
from refactor.context.facts import Unknown
from refactor.context.storage import (
    MAX_ENTRIES,
    MAX_WEIGHED,
    Folder,
    Kind,
    Listing,
    Memory,
    Overlay,
    Source,
    Weight,
    read_file,
)

if TYPE_CHECKING:
    from refactor.context.deployment import Deployment
    from refactor.context.history import History

    _T = TypeVar("_T")
    _P = ParamSpec("_P")

_MAX_LINKS = 40
"""Links followed for one path, as Linux does (ELOOP)."""

_MAX_DEPTH = 200
"""Levels of folders walked."""


class BuildContext:
    """What a build can COPY. Make one with :meth:`open`, :meth:`of` or :meth:`unknown`."""

    __slots__ = (
        "_broken",
        "_decisions",
        "_deployment",
        "_dockerfile",
        "_documents",
        "_edits",
        "_files",
        "_history",
        "_ignore",
        "_ignore_file",
        "_listings",
        "_outside_ignore",
        "_resolved",
        "_source",
        "_texts",
        "_why_unknown",
        "root",
        "top",
    )

    root: str | None
    """Absolute path of the folder; None when the files are in memory or unknown."""
    top: str | None
    """Absolute path of the folder above which nothing is changed: the repository's, where the caller knows it."""

    def __init__(
        self,
        source: Source | None,
        *,
        why_unknown: str | None = None,
        root: str | None = None,
        dockerfile: str | None = None,
        outside_ignore: str | None = None,
    ) -> None:
        """For the class methods; use those."""
        self.root = self.top = root
        self._edits: dict[str, bytes] = {}
        self._deployment: Deployment | Callable[[], Deployment] | None = None
        self._history: History | Callable[[], History] | None = None
        self._source = source
        self._why_unknown = why_unknown
        self._dockerfile = dockerfile
        self._outside_ignore = outside_ignore
        self._ignore: DockerIgnore | Unknown | None = None
        self._ignore_file: str | None = None
        self._listings: dict[str, Listing | Unknown] = {}
        self._resolved: dict[str, tuple[Kind, str] | Unknown | None] = {}
        self._decisions: dict[str, tuple[bool, tuple[bool, ...]]] = {}
        self._files: dict[str, tuple[str, ...] | Unknown] = {}
        self._texts: dict[str, bytes | Unknown] = {}
        self._documents: dict[tuple[str, str], object] = {}
        self._broken: dict[str, str] = {}

    @classmethod
    def open(cls, root: str | os.PathLike[str], dockerfile: str | os.PathLike[str] | None = None) -> BuildContext:
        """The folder ``root``. Touches no file until something is asked.

        ``dockerfile`` is the file that will be built, absolute or relative to the current folder (as for
        ``docker build -f``), or to ``root`` if there is none; it may lie outside. It decides which ignore
        file applies: BuildKit prefers ``<dockerfile>.dockerignore`` beside it to ``.dockerignore``.
        """
        folder = os.path.abspath(os.fspath(root))
        inside: str | None = None
        outside: str | None = None
        if dockerfile is not None:
            given = os.fspath(dockerfile)
            path = os.path.abspath(given)
            if not os.path.isabs(given) and not os.path.lexists(path):
                path = os.path.abspath(os.path.join(folder, given))
            prefix = folder if folder.endswith(os.sep) else folder + os.sep
            if path.startswith(prefix):
                inside = path[len(prefix) :].replace(os.sep, "/")
            else:
                outside = path + ".dockerignore"
        return cls(Folder(folder), root=folder, dockerfile=inside, outside_ignore=outside)

    @classmethod
    def of(cls, files: Mapping[str, str | bytes], dockerfile: str | None = None) -> BuildContext:
        """Files in memory: path in the context -> content. A path that ends in ``/`` is an empty folder."""
        return cls(Memory(files), dockerfile=dockerfile)

    @classmethod
    def unknown(cls, reason: str) -> BuildContext:
        """A context nothing is known about: every question is answered with ``Unknown(reason)``."""
        return cls(None, why_unknown=reason)

    def with_files(self, edits: Mapping[str, bytes]) -> BuildContext:
        """The same context once these files are written: paths as :meth:`stored` takes them."""
        if self._source is None:
            return self
        below = Overlay(self._source, {path: data for path, data in edits.items() if not path.startswith("../")})
        after = BuildContext(below, root=self.root, dockerfile=self.dockerfile, outside_ignore=self._outside_ignore)
        after.top = self.top
        after._edits = {**self._edits, **edits}
        after._deployment = self._deployment or (lambda: self.deployment)
        after._history = lambda: self.history
        return after

    def stored(self, path: str) -> bytes | Unknown | None:
        """What a file of the repository holds, ignored or not; None where there is none in a folder that is there.

        ``path`` is relative to the context, and may lead out of it (``../compose.yaml``) as far as to :attr:`top`.
        Unknown for what is no regular file, and wherever a link is on the way: an edit must not follow it.
        """
        if self._source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        path = clean(path)
        source, listed = self._source, self._list
        edited = self._edits.get(path)
        if edited is not None:
            return edited
        if path.startswith(("../", "/")):
            where = None if self.root is None or self.top is None else os.path.join(self.root, path)
            inside = "../" if where is None else os.path.relpath(where, self.top).replace(os.sep, "/")
            if inside.startswith("../") or self.top is None:
                return Unknown(f"{path} lies outside of the repository")
            source, path = Folder(self.top), inside
            listed = source.list
        folder, _, name = path.rpartition("/")
        at = ""
        for part in folder.split("/") if folder else ():
            listing = listed(at)
            if isinstance(listing, Unknown):
                return listing
            at = _join(at, part)
            if listing.get(part) != "folder":
                return Unknown(f"{at} is no folder")
        listing = listed(folder)
        if isinstance(listing, Unknown):
            return listing
        kind = listing.get(name)
        return None if kind is None else source.read(path) if kind == "file" else Unknown(f"{path} is no regular file")

    @property
    def why_unknown(self) -> str | None:
        """Why nothing is known about this context; None if it can be asked."""
        if self._source is None:
            return self._why_unknown
        ignore = self._rules()
        return ignore.reason if isinstance(ignore, Unknown) else None

    @property
    def deployment(self) -> Deployment:
        """Who starts, asks and mounts the image; looked for at the first question.

        In memory: what the files themselves say. On disk the caller knows where the repository begins, and sets it.
        """
        found = self._deployment
        if found is None and isinstance(self._source, Memory):
            from refactor.context.repository import Repository

            found = Repository(self._source).deployment(self.dockerfile or "Dockerfile", "")
        elif found is None:
            from refactor.context.deployment import Deployment

            found = Deployment()
        self._deployment = found() if callable(found) else found
        return self._deployment

    @deployment.setter
    def deployment(self, found: Deployment | Callable[[], Deployment]) -> None:
        self._deployment = found

    @property
    def history(self) -> History:
        """How often the files of the context changed; asked for at the first question. Empty where the caller gave
        none."""
        found = self._history
        if found is None:
            from refactor.context.history import History

            found = History()
        self._history = found() if callable(found) else found
        return self._history

    @history.setter
    def history(self, found: History | Callable[[], History]) -> None:
        self._history = found

    @property
    def dockerfile(self) -> str | None:
        """Path of the Dockerfile in the context, None when it lies outside or is not known."""
        if self._dockerfile is None and self._outside_ignore is None and self._source is not None:
            root = self._list("")
            if not isinstance(root, Unknown):
                # BuildKit falls back to the lower-case name (moby#10858).
                names = ("Dockerfile", "dockerfile")
                self._dockerfile = next((name for name in names if root.get(name) == "file"), None)
        return self._dockerfile

    @property
    def ignore_file(self) -> str | None:
        """The ignore file in effect: ``.dockerignore``, ``<dockerfile>.dockerignore``, or None without one.

        A path in the context, or an absolute path when it lies beside a Dockerfile outside of it.
        """
        self._rules()
        return self._ignore_file

    @property
    def broken(self) -> tuple[tuple[str, str], ...]:
        """Manifests that were read and did not parse, with the reason, in the order they were met."""
        return tuple(self._broken.items())

    def report_broken(self, path: str, reason: str) -> Unknown:
        """Record that a manifest does not hold what its format promises; returns the Unknown to hand on."""
        self._broken.setdefault(path, reason)
        return Unknown(f"{path}: {reason}")

    def exists(self, path: str) -> bool | Unknown:
        """Whether the build sees a file or folder of this name. An ignored one does not exist for it."""
        found = self._visible(path)
        return found if isinstance(found, Unknown) else found is not None

    def there(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of some paths that the build is known to see."""
        return tuple(path for path in paths if self.exists(path) is True)

    def is_dir(self, path: str) -> bool | Unknown:
        """Whether the build sees a folder of this name (links inside the context are followed)."""
        found = self._visible(path)
        return found if isinstance(found, Unknown) else found is not None and found[0] == "folder"

    def is_on_disk(self, path: str) -> bool | Unknown:
        """Whether it is there at all, ignored or not."""
        clean_path = self._clean(path)
        if isinstance(clean_path, Unknown):
            return clean_path
        found = self._resolve(clean_path)
        return found if isinstance(found, Unknown) else found is not None

    def is_ignored(self, path: str) -> bool | Unknown:
        """Whether the ignore file leaves this path out, whether or not the path exists.

        A folder counts as ignored also when a ``!`` line brings back something in it.
        """
        clean_path = self._clean(path)
        if isinstance(clean_path, Unknown):
            return clean_path
        ignore = self._rules()
        return ignore if isinstance(ignore, Unknown) else ignore.is_ignored(clean_path)

    def keeps_below(self, folder: str) -> bool:
        """Whether a ``!`` line of the ignore file may bring something in this folder back."""
        rules = self._rules()
        return isinstance(rules, Unknown) or rules.may_keep_below(folder)

    def weight(self, path: str) -> Weight | Unknown:
        """How many files lie at or below a path, ignored or not, and their size."""
        if self._source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        files = bytes_ = 0
        pending = [path]
        while pending:
            at = pending.pop()
            folder, _, name = at.rpartition("/")
            listing = self._list(folder)
            kind = None if isinstance(listing, Unknown) else listing.get(name)
            if kind == "folder":
                below = self._source.list(at)
                if isinstance(below, Unknown):
                    return below
                self._listings[at] = below
                pending += [_join(at, entry) for entry in below]
            elif kind is not None:
                files, bytes_ = files + 1, bytes_ + self._source.size(at)
            if files >= MAX_WEIGHED:
                return Weight(files, bytes_, True)
        return Weight(files, bytes_, False)

    @property
    def built_here(self) -> tuple[str, ...]:
        """Dockerfiles that a Compose file in the context builds from the context itself."""

        def read() -> tuple[str, ...]:
            from refactor.context.repository import Repository

            return () if self._source is None else Repository(self._source).built_from("")

        return self.remember("built_here", read)

    def read_bytes(self, path: str) -> bytes | Unknown:
        """Content of a file the build sees, at most 8 MiB."""
        clean_path = self._clean(path)
        if isinstance(clean_path, Unknown):
            return clean_path
        known = self._texts.get(clean_path)
        if known is None:
            found = self._visible(clean_path)
            if isinstance(found, Unknown):
                return found
            if found is None:
                why = f"is left out by {self.ignore_file}" if self.is_ignored(clean_path) else "does not exist"
                known = Unknown(f"{clean_path} {why}")
            elif found[0] != "file" or self._source is None:
                known = Unknown(f"{clean_path} is not a regular file")
            else:
                known = self._source.read(found[1])
            self._texts[clean_path] = known
        return known

    def read(self, path: str) -> str | Unknown:
        """Text of a file the build sees, at most 8 MiB; other bytes than UTF-8 come as surrogate escapes."""
        data = self.read_bytes(path)
        return data if isinstance(data, Unknown) else data.decode("utf-8", "surrogateescape")

    def text(self, path: str) -> str:
        """The same; "" where there is no such file, or it cannot be read."""
        found = self.read(path)
        return "" if isinstance(found, Unknown) else found

    def names(self, folder: str) -> tuple[str, ...]:
        """As :meth:`children`; () where they are not known."""
        found = self.children(folder)
        return () if isinstance(found, Unknown) else found

    def children(self, folder: str = "") -> tuple[str, ...] | Unknown:
        """Sorted names in one folder, folders with a trailing ``/``. () for a folder that does not exist."""
        clean_path = self._clean(folder)
        if isinstance(clean_path, Unknown):
            return clean_path
        found = self._visible(clean_path)
        if isinstance(found, Unknown):
            return found
        if found is None or found[0] != "folder":
            return ()
        listing = self._list(found[1])
        if isinstance(listing, Unknown):
            return listing
        names = []
        for name, kind in listing.items():
            visible = self._is_entry_visible(_join(found[1], name), kind)
            if isinstance(visible, Unknown):
                return visible
            if visible:
                names.append(name + "/" if kind == "folder" else name)
        return tuple(sorted(names))

    def files(self, under: str = "", *, without: Iterable[str] = ()) -> tuple[str, ...] | Unknown:
        """Sorted paths of all files and links below a folder, as the build sees them; at most 200,000.

        Folders of a name in ``without`` (such as ``node_modules``) are not entered, wherever they are.
        """
        clean_path = self._clean(under)
        if isinstance(clean_path, Unknown):
            return clean_path
        skipped = frozenset(without)
        key = "\0".join((clean_path, *sorted(skipped)))
        known = self._files.get(key)
        if known is None:
            known = self._files[key] = self._walk(clean_path, skipped)
        return known

    def glob(self, pattern: str) -> tuple[str, ...] | Unknown:
        """What a COPY source names: paths of files and folders, ``("",)`` for the whole context.

        BuildKit's ``ResolveWildcards``: each component is matched with Go's ``filepath.Match``, so that ``*``
        takes hidden names too and stops at ``/``; a malformed pattern matches nothing. A leading ``/`` means
        the root of the context. So does a ``..`` above it, but the classic builder refuses that: Unknown.
        """
        if self._source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        cleaned = clean(pattern.lstrip("/"))
        if cleaned == ".." or cleaned.startswith("../"):
            return Unknown(f"{pattern} leaves the build context")
        if cleaned == ".":
            listing = self._list("")
            return listing if isinstance(listing, Unknown) else ("",)
        parts = cleaned.split("/")
        first = next((at for at, part in enumerate(parts) if _has_wildcard(part)), len(parts))
        if first == len(parts):
            # The copier takes the name as it stands when no component is a pattern, backslashes included.
            found = self.exists(cleaned)
            return found if isinstance(found, Unknown) else (cleaned,) if found else ()
        bases = ["/".join(parts[:first])]
        for at in range(first, len(parts)):
            matches = []
            for base in bases:
                names = self.children(base)
                if isinstance(names, Unknown):
                    return names
                for name in names:
                    is_folder = name.endswith("/")
                    name = name.removesuffix("/")
                    if (is_folder or at == len(parts) - 1) and _matches(parts[at], name):
                        matches.append(_join(base, name))
            bases = matches
        return tuple(bases)

    def json(self, path: str) -> object | Unknown:
        """A JSON document, cached; a byte order mark is skipped, as npm does. Errors name line and column."""
        return self._document(path, "JSON", _parse_json)

    def jsonc(self, path: str) -> object | Unknown:
        """JSON with comments and trailing commas, as in ``tsconfig.json``."""
        return self._document(path, "JSON with comments", _parse_jsonc)

    def toml(self, path: str) -> object | Unknown:
        """A TOML document, as a dict. Cached; Unknown names line and column."""
        return self._document(path, "TOML", _parse_toml)

    def yaml(self, path: str) -> object | Unknown:
        """The only, or the first, YAML document of a file, read with the safe loader. Cached."""
        return self._document(path, "YAML", _parse_yaml)

    def remember(self, key: str, make: Callable[[], _T]) -> _T:
        """Compute a fact about this context once. ``key`` must tell apart all facts that are remembered."""
        slot = (key, "fact")
        if slot not in self._documents:
            self._documents[slot] = make()
        return self._documents[slot]  # type: ignore[return-value]

    def _document(self, path: str, language: str, parse: Callable[[bytes], object]) -> object | Unknown:
        clean_path = self._clean(path)
        if isinstance(clean_path, Unknown):
            return clean_path
        key = (clean_path, language)
        if key not in self._documents:
            data = self.read_bytes(clean_path)
            if isinstance(data, Unknown):
                return data
            try:
                self._documents[key] = parse(data)
            except RecursionError:
                self._documents[key] = self.report_broken(clean_path, f"broken {language}: nested too deeply")
            except (ValueError, MemoryError) as error:
                self._documents[key] = self.report_broken(clean_path, f"broken {language}{error}")
        return self._documents[key]

    def _clean(self, path: str) -> str | Unknown:
        """Relative path without ``.``, ``..`` and doubled slashes; "" is the root."""
        if self._source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        if path.startswith("/"):
            return Unknown(f"{path} is an absolute path")
        if "\0" in path:
            return Unknown("a path with a NUL byte names nothing")
        cleaned = clean(path)
        if cleaned == ".":
            return ""
        if cleaned == ".." or cleaned.startswith("../"):
            return Unknown(f"{path} leaves the build context")
        return cleaned

    def _rules(self) -> DockerIgnore | Unknown:
        if self._ignore is None:
            self._ignore = self._read_rules()
        return self._ignore

    def _read_rules(self) -> DockerIgnore | Unknown:
        if self._source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        data: bytes | Unknown | None = None
        if self._outside_ignore is not None and os.path.lexists(self._outside_ignore):
            self._ignore_file = self._outside_ignore
            data = read_file(self._outside_ignore, self._outside_ignore)
        else:
            names = [".dockerignore"]
            dockerfile = self.dockerfile
            if dockerfile is not None:
                names.insert(0, dockerfile + ".dockerignore")
            for name in names:
                found = self._resolve(name)
                if isinstance(found, Unknown):
                    # A folder that cannot be listed has no readable ignore file either: say so.
                    return Unknown(found.reason)
                if found is not None and found[0] == "file":
                    self._ignore_file = name
                    data = self._source.read(found[1])
                    break
        if data is None:
            return DockerIgnore()
        if isinstance(data, Unknown):
            return data
        rules = DockerIgnore(data.decode("utf-8", "surrogateescape"))
        if rules.why_broken:
            return Unknown(f"{self._ignore_file}: {rules.why_broken}")
        return rules

    def _list(self, path: str) -> Listing | Unknown:
        listing = self._listings.get(path)
        if listing is None:
            if self._source is None:
                return Unknown(self._why_unknown or "the build context is unknown")
            listing = self._listings[path] = self._source.list(path)
        return listing

    def _resolve(self, path: str) -> tuple[Kind, str] | Unknown | None:
        """Kind and link-free path of a clean path, None if there is nothing. Follows links inside only."""
        if path in self._resolved:
            return self._resolved[path]
        result = self._resolved[path] = self._follow(path)
        return result

    def _follow(self, path: str) -> tuple[Kind, str] | Unknown | None:
        source = self._source
        if source is None:
            return Unknown(self._why_unknown or "the build context is unknown")
        left = path.split("/")[::-1] if path else []
        at = ""
        kind: Kind = "folder"
        links = 0
        if not left:
            listing = self._list("")
            return listing if isinstance(listing, Unknown) else ("folder", "")
        while left:
            name = left.pop()
            if name in ("", "."):
                continue
            if kind != "folder":
                return None
            if name == "..":
                if not at:
                    return Unknown(f"{path} is a link that leaves the build context")
                at = at.rpartition("/")[0]
                continue
            listing = self._list(at)
            if isinstance(listing, Unknown):
                return listing
            found = listing.get(name)
            if found is None:
                return None
            here = _join(at, name)
            if found == "link":
                links += 1
                if links > _MAX_LINKS:
                    return Unknown(f"{path} is a loop of links")
                target = source.link(here)
                if isinstance(target, Unknown):
                    return target
                if target.startswith("/"):
                    return Unknown(f"{path} is a link to the absolute path {target}")
                left.extend(target.split("/")[::-1])
                continue
            at, kind = here, found
        return kind, at

    def _visible(self, path: str) -> tuple[Kind, str] | Unknown | None:
        """Like :meth:`_resolve`, None also for what the ignore file leaves out."""
        clean_path = self._clean(path)
        if isinstance(clean_path, Unknown):
            return clean_path
        ignore = self._rules()
        if isinstance(ignore, Unknown):
            return ignore
        found = self._resolve(clean_path)
        if found is None or isinstance(found, Unknown):
            return found
        kind, real = found
        for name in (clean_path, real) if real != clean_path else (real,):
            visible = self._is_entry_visible(name, kind)
            if not visible:
                return visible if isinstance(visible, Unknown) else None
        return found

    def _decide(self, path: str) -> tuple[bool, tuple[bool, ...]]:
        """Decision for a clean path, through the decisions for its folders."""
        known = self._decisions.get(path)
        if known is None:
            ignore = self._rules()
            if isinstance(ignore, Unknown):
                return True, ()
            folder = path.rpartition("/")[0]
            if not folder:
                known = ignore.decide(path)
            else:
                ignored, state = self._decide(folder)
                is_skipped = ignored and not ignore.may_keep_below(folder)
                known = (True, ()) if is_skipped else ignore.decide(path, state)
            self._decisions[path] = known
        return known

    def _is_entry_visible(self, path: str, kind: Kind) -> bool | Unknown:
        if not path:
            return True
        ignore = self._rules()
        if isinstance(ignore, Unknown):
            return ignore
        if not self._decide(path)[0]:
            return True
        if kind != "folder" or not ignore.may_keep_below(path):
            return False
        # An ignored folder is sent after all if a `!` line keeps something in it.
        below = self._walk(path, frozenset(), stop_at_first=True)
        return below if isinstance(below, Unknown) else bool(below)

    def _walk(self, under: str, without: frozenset[str], *, stop_at_first: bool = False) -> tuple[str, ...] | Unknown:
        ignore = self._rules()
        if isinstance(ignore, Unknown):
            return ignore
        start = self._resolve(under)
        if isinstance(start, Unknown):
            return start
        if start is None:
            return ()
        kind, real = start
        if kind != "folder":
            return (under,) if self._is_entry_visible(under, kind) else ()
        found: list[str] = []
        waiting = [real]
        seen = 0
        while waiting:
            folder = waiting.pop()
            ignored_folder = bool(folder) and self._decide(folder)[0]
            if ignored_folder and not ignore.may_keep_below(folder):
                continue
            if folder.count("/") > _MAX_DEPTH:
                return Unknown(f"folders are nested more than {_MAX_DEPTH} levels deep")
            listing = self._list(folder)
            if isinstance(listing, Unknown):
                return listing
            seen += len(listing)
            if seen > MAX_ENTRIES:
                return Unknown(f"the context has more than {MAX_ENTRIES} entries")
            state = self._decide(folder)[1] if folder else ()
            for name, entry in listing.items():
                path = folder + "/" + name if folder else name
                if entry == "folder":
                    if name not in without:
                        waiting.append(path)
                elif entry != "other" and not ignore.decide(path, state)[0]:
                    found.append(path)
            if stop_at_first and found:
                return tuple(found)
        if under != real:
            found = [under + path[len(real) :] if real else _join(under, path) for path in found]
        found.sort()
        return tuple(found)


def upwards(folder: str) -> Iterator[str]:
    """A folder of the context and all that it lies in, up to the context itself."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _join(folder: str, name: str) -> str:
    return folder + "/" + name if folder else name


def _has_wildcard(name: str) -> bool:
    at = 0
    while at < len(name):
        if name[at] == "\\":
            at += 1
        elif name[at] in "*?[":
            return True
        at += 1
    return False


def _matches(pattern: str, name: str) -> bool:
    try:
        return match(pattern, name)
    except BadPattern:
        return False


def _parse_json(data: bytes) -> object:
    import json

    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f" at line {error.lineno} column {error.colno}: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f": {error}") from None


def _parse_jsonc(data: bytes) -> object:
    def blank(found: re.Match[str]) -> str:
        text = found.group()
        if text[0] == '"':
            return text
        # Newlines stay, so that an error still names its line.
        return re.sub(r"[^\n]", " ", text)

    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"?|//[^\n]*|/\*(?:.*?\*/|.*)', blank, text, flags=re.DOTALL)
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"?|,(?=\s*[}\]])', lambda found: found.group().removeprefix(","), text)
    return _parse_json(text.encode("utf-8", "surrogateescape"))


def _parse_toml(data: bytes) -> object:
    import tomllib

    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    # tomllib takes quadratic time for dotted keys, and nobody writes such ones.
    if re.search(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){64}", text):
        raise RecursionError
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f": {error}") from None


def _parse_yaml(data: bytes) -> object:
    from refactor.context.safe_yaml import load

    return load(data.decode("utf-8", "surrogateescape"))


def remembered(
    read: Callable[Concatenate[BuildContext, _P], _T],
) -> Callable[Concatenate[BuildContext, _P], _T]:
    """Decorator: the facts that a reader finds are computed once for a context and its arguments."""

    @wraps(read)
    def again(context: BuildContext, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        key = f"{read.__module__}.{read.__name__}{args}{sorted(kwargs.items())}"
        return context.remember(key, lambda: read(context, *args, **kwargs))

    return again
