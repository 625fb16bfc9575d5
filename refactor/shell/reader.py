"""RUN bodies through tree-sitter's bash grammar, and the choice between it and the fast reader."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from refactor.shell.fast import read_fast
from refactor.shell.script import Command, Item, ShellScript, Span, conditional_flags, make_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MAX_DEPTH = 100
"""Levels of nested compound commands that are followed."""


@lru_cache(maxsize=4096)
def read(text: str) -> ShellScript:
    """Take the RUN body `text` (`Instruction.argument`, or a here-document's body) apart. Never raises.

    POSIX sh and bash. What cannot be taken apart is opaque, with a reason.
    """
    return read_fast(text) or read_tree(text)


@cache
def _parser() -> Parser:
    """tree-sitter's parser for bash.

    The grammar is loaded past its package's `__init__`, whose import of `importlib.resources` costs more than all
    the rest of tree-sitter.
    """
    from importlib.machinery import ExtensionFileLoader, PathFinder

    from tree_sitter import Language, Parser

    name = "tree_sitter_bash._binding"
    package = PathFinder.find_spec("tree_sitter_bash")
    spec = PathFinder.find_spec(name, package.submodule_search_locations) if package else None
    if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
        binding = spec.loader.create_module(spec)
        spec.loader.exec_module(binding)
    else:
        import tree_sitter_bash as binding
    return Parser(Language(binding.language()))


class _Unreadable(Exception):
    """Carries the reason why a script is opaque."""


# tree-sitter counts bytes, we count characters: each character beyond plain ASCII becomes one that is part of a word,
# but of no name, number or operator. So offsets agree, and bytes that are not UTF-8 do no harm.
_ODD = re.compile(r"[^\t\n -~]")
_HEREDOC_OR_SKIP = re.compile(
    r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\$\(\(.*?\)\)|(?:^|(?<=[\s;&|(]))\#.*|<<<|(?P<heredoc><<-?)""",
    re.DOTALL,
)


def read_tree(text: str) -> ShellScript:
    """What `read` does, by tree-sitter alone."""
    if text.startswith("#!") and not re.match(
        r"#![ \t]*(/\S*/)?(env[ \t]+)?(-S[ \t]+)?(/\S*/)?(sh|bash|dash|ash)\b", text
    ):
        return _opaque(text, f"written for another interpreter: `{_excerpt(text, 0)}`")
    if "\0" in text:
        return _opaque(text, "it contains a NUL character")
    stripped = text.rstrip(" \t\n")
    if (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        return _opaque(text, "it ends in a backslash")
    source = _ODD.sub(".", text)
    has_heredoc = False
    try:
        if "<<" in text:
            source, has_heredoc = _without_heredocs(source)
        root = _parse(text, source)
        reader = _TreeReader(text, root)
        return ShellScript(
            text,
            None,
            tuple(reader.commands),
            tuple(reader.top),
            reader.trailing,
            has_heredoc,
            tuple(reader.leaks),
        )
    except _Unreadable as problem:
        return _opaque(text, str(problem))


def _opaque(text: str, reason: str) -> ShellScript:
    return ShellScript(text, reason, (), (), "")


def _parse(text: str, source: str) -> Node:
    root = _parser().parse(source.encode("ascii")).root_node
    if root.has_error:
        raise _Unreadable(_parse_error(text, root))
    return root


def _parse_error(text: str, root: Node) -> str:
    node, at = root, root.start_byte
    while True:
        if node.is_error or node.is_missing:
            at = node.start_byte
            break
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node, at = inner, inner.start_byte
    return f"parse error near `{_excerpt(text, at)}`"


def _excerpt(text: str, at: int) -> str:
    excerpt = text[at : at + 40].strip().partition("\n")[0]
    return excerpt or "end of the script"


def _without_heredocs(source: str) -> tuple[str, bool]:
    """`source` with each here-document turned into a plain redirection of the same length.

    Where the bodies are not in the text (a Dockerfile's here-document follows the instruction) only the operator is
    replaced. tree-sitter hangs what follows `<<EOF` on its line under the redirection, so bodies are blanked too.
    """
    if "\n" in source.strip("\n"):
        root = _parse(source, source)
        spans: list[tuple[int, int, str]] = []
        stack = [root]
        while stack:
            node = stack.pop()
            if node.type == "heredoc_redirect":
                for child in node.children:
                    if child.type in ("<<", "<<-"):
                        spans.append(
                            (child.start_byte, child.end_byte, "<".ljust(child.end_byte - child.start_byte))
                        )
                    elif child.type in ("heredoc_body", "heredoc_end"):
                        raw = source[child.start_byte : child.end_byte]
                        spans.append((child.start_byte, child.end_byte, re.sub(r"[^\n]", " ", raw)))
            stack.extend(node.children)
        pieces, at = [], 0
        for start, end, new in sorted(spans):
            pieces += [source[at:start], new]
            at = end
        return "".join([*pieces, source[at:]]), bool(spans)
    found = False

    def mask(match: re.Match[str]) -> str:
        nonlocal found
        if match["heredoc"] is None:
            return match[0]
        found = True
        return "<".ljust(len(match[0]))

    return _HEREDOC_OR_SKIP.sub(mask, source), found


_SIMPLE = frozenset(
    (
        "command",
        "test_command",
        "declaration_command",
        "unset_command",
        "variable_assignment",
        "variable_assignments",
    )
)
_COMPOUND = {
    "subshell": "subshell",
    "compound_statement": "group",
    "if_statement": "if",
    "for_statement": "for",
    "c_style_for_statement": "for",
    "while_statement": "while",
    "case_statement": "case",
    "function_definition": "function",
    "negated_command": "negation",
    "pipeline": "pipeline",
}
_STATEMENTS = _SIMPLE | _COMPOUND.keys() | {"redirected_statement", "list"}
_CLAUSES = frozenset(("elif_clause", "else_clause", "do_group", "case_item"))
# Fields of compound commands that hold words, not statements.
_WORD_FIELDS = frozenset(("variable", "value", "name", "initializer", "update", "fallthrough", "termination"))
_REDIRECTS = frozenset(("file_redirect", "herestring_redirect"))

Entry = tuple[str, "Node", "tuple[Node, ...]"]
"""Connector before, the statement, and redirections that tree-sitter hung on a list but that belong to it."""


class _Place:
    """Where a command stands."""

    __slots__ = ("conditional", "depth", "pipeline", "subshell")

    def __init__(self, depth: int, pipeline: bool, subshell: bool, conditional: bool) -> None:
        self.depth, self.pipeline, self.subshell, self.conditional = depth, pipeline, subshell, conditional

    def inner(self, *, pipeline: bool = False, subshell: bool = False, conditional: bool = False) -> _Place:
        if self.depth >= MAX_DEPTH:
            raise _Unreadable(f"nested deeper than {MAX_DEPTH} levels")
        return _Place(
            self.depth + 1,
            self.pipeline or pipeline,
            self.subshell or subshell,
            self.conditional or conditional,
        )


class _TreeReader:
    def __init__(self, text: str, root: Node) -> None:
        self.text = text
        self.commands: list[Command] = []
        self.top: list[Item] = []
        self.leaks: list[str] = []
        self.trailing = self._sequence(root.children, _Place(0, False, False, False), top=True)

    def _sequence(self, nodes: list[Node], place: _Place, top: bool = False) -> str:
        """Read a list of statements and the separators between them; returns what ends it."""
        entries: list[Entry] = []
        backgrounds: set[int] = set()
        separator, started = "", False
        trailing = ""
        for node in nodes:
            kind = node.type
            if kind in _STATEMENTS:
                first = len(entries)
                _flatten(node, entries)
                before = (separator or "\n") if started else ""
                entries[first] = (before, *entries[first][1:])
                separator, started, trailing = "", True, ""
            elif kind == "comment":
                trailing = "comment"
            elif kind in (";", "&"):
                separator = trailing = kind
                if kind == "&":
                    backgrounds.add(len(entries) - 1)
            elif kind != "\n":
                raise _Unreadable(f"unsupported construct `{_excerpt(self.text, node.start_byte)}`")
        flags = conditional_flags([entry[0] for entry in entries])
        hidden = _background_flags(entries, backgrounds)
        for at, (before, node, redirects) in enumerate(entries):
            here = _Place(
                place.depth, place.pipeline, place.subshell or hidden[at], place.conditional or flags[at]
            )
            self._statement(node, redirects, here, before if top else None)
        return trailing

    def _statement(self, node: Node, redirects: tuple[Node, ...], place: _Place, before: str | None) -> None:
        """Read one statement; `before` is its connector if it stands in the top-level list, else None."""
        while node.type == "redirected_statement":
            body, own = _split_redirected(node)
            redirects = own + redirects
            if body is None:
                break
            node = body
        kind = node.type
        span = _covering(node, redirects)
        if kind in _SIMPLE or kind == "redirected_statement":
            if kind == "test_command" and node.children[0].type == "((":
                self._leak(place, "an arithmetic command `((...))` may set variables")
                if before is not None:
                    self.top.append(Item(span, before, None, "arithmetic"))
                return
            command = self._command(node, redirects, place, span)
            self.commands.append(command)
            if before is not None:
                self.top.append(Item(command.span, before, command, "command"))
            return
        name = _COMPOUND.get(kind)
        if name is None:
            raise _Unreadable(f"unsupported construct `{_excerpt(self.text, node.start_byte)}`")
        if name not in ("pipeline", "negation") and any(_words_of_redirect(r)[1] for r in redirects):
            raise _Unreadable(f"parse error near `{_excerpt(self.text, redirects[0].start_byte)}`")
        if before is not None:
            at = len(self.top)
            self.top.append(Item(span, before, None, name))
        if name == "pipeline":
            members = _members(node, redirects)
            negated = members[0][0].type == "negated_command"
            if before is not None and negated:
                self.top[at] = Item(span, before, None, "negation")
            for member, own in members:
                if member.type == "negated_command":
                    member = member.named_children[-1]
                self._statement(member, own, place.inner(pipeline=True), None)
        elif name == "negation":
            for child in node.children:
                if child.is_named and child.type != "comment":
                    self._statement(child, redirects, place.inner(), None)
        elif name == "function":
            self._leak(place, f"it defines the function `{self._field(node, 'name')}`")
            body = node.child_by_field_name("body")
            if body is not None:
                self._statement(body, (), place.inner(conditional=True), None)
        else:
            self._compound(node, name, place)

    def _compound(self, node: Node, name: str, place: _Place) -> None:
        if name == "group" and node.children and node.children[0].type == "((":
            self._leak(place, "an arithmetic command `((...))` may set variables")
            return
        if node.type == "c_style_for_statement":
            self._leak(place, "`for ((...))` sets variables")
            body = node.child_by_field_name("body")
            if body is not None:
                self._clauses(body, place.inner(conditional=True))
            return
        if name == "for":
            self._leak(place, f"`for` sets the variable `{self._field(node, 'variable')}`")
        self._clauses(node, place.inner(subshell=name == "subshell", conditional=name in ("for", "case")))

    def _clauses(self, node: Node, place: _Place) -> None:
        """Read the statements in a compound command, in the order they stand."""
        segment: list[Node] = []
        for at, child in enumerate(node.children):
            kind = child.type
            if kind in _CLAUSES:
                self._flush(segment, place)
                self._clauses(child, _Place(place.depth, place.pipeline, place.subshell, True))
            elif node.field_name_for_child(at) in _WORD_FIELDS:
                continue
            elif child.is_named or kind in (";", "&", "\n"):
                segment.append(child)
            else:
                self._flush(segment, place)
                if kind == "then":
                    place = _Place(place.depth, place.pipeline, place.subshell, True)
        self._flush(segment, place)

    def _flush(self, segment: list[Node], place: _Place) -> None:
        if segment:
            self._sequence(segment, place)
            segment.clear()

    def _command(self, node: Node, redirects: tuple[Node, ...], place: _Place, span: Span) -> Command:
        words: list[Span] = []
        assignments: list[Span] = []
        targets: list[Span] = []
        for child in (*_command_parts(node), *redirects):
            if child.type in _REDIRECTS:
                target, more = _words_of_redirect(child)
                targets.append(target)
                words.extend(more)
            elif child.type == "variable_assignment" and node.type not in (
                "declaration_command",
                "test_command",
            ):
                assignments.append((child.start_byte, child.end_byte))
            else:
                words.append((child.start_byte, child.end_byte))
        words = _join_touching(words)
        return make_command(
            self.text,
            words,
            assignments,
            targets,
            span,
            place.depth,
            place.pipeline,
            place.subshell,
            place.conditional,
        )

    def _field(self, node: Node, field: str) -> str:
        found = node.child_by_field_name(field)
        return self.text[found.start_byte : found.end_byte] if found else "?"

    def _leak(self, place: _Place, reason: str) -> None:
        if not place.subshell and not place.pipeline:
            self.leaks.append(reason)


def _flatten(node: Node, entries: list[Entry]) -> None:
    """Append the members of a (left-nested) list in order.

    `a && b > f` reaches us as a redirection of the whole list; the shell hangs it on b alone.
    """
    pending: tuple[Node, ...] = ()
    parts: list[Entry] = []
    while True:
        if node.type == "list":
            left, operator, right = [child for child in node.children if child.type not in ("comment", "\n")]
            parts.append((operator.type, right, pending))
            pending = ()
            node = left
        elif node.type == "redirected_statement":
            body, redirects = _split_redirected(node)
            if body is None or body.type != "list":
                parts.append(("", node, pending))
                break
            pending = redirects + pending
            node = body
        else:
            parts.append(("", node, pending))
            break
    for operator_type, member, redirects in reversed(parts):
        inner = len(entries)
        if member.type == "list":
            _flatten(member, entries)
            entries[-1] = (entries[-1][0], entries[-1][1], entries[-1][2] + redirects)
        else:
            entries.append((operator_type, member, redirects))
        entries[inner] = (operator_type, *entries[inner][1:])


def _background_flags(entries: list[Entry], ends: set[int]) -> list[bool]:
    """For each entry, whether its and-or list is put into the background by a `&` after its last member."""
    flags = [False] * len(entries)
    hidden = False
    for at in range(len(entries) - 1, -1, -1):
        if at in ends:
            hidden = True
        elif at + 1 < len(entries) and entries[at + 1][0] not in ("&&", "||"):
            hidden = False
        flags[at] = hidden
    return flags


def _split_redirected(node: Node) -> tuple[Node | None, tuple[Node, ...]]:
    body = node.child_by_field_name("body")
    return body, tuple([child for child in node.children if child.type in _REDIRECTS])


def _members(node: Node, redirects: tuple[Node, ...]) -> list[tuple[Node, tuple[Node, ...]]]:
    """The members of a pipeline in order. `a | b > f` reaches us as a redirection of the whole pipeline."""
    parts: list[tuple[Node, tuple[Node, ...]]] = []
    stack: list[tuple[Node, tuple[Node, ...]]] = [(node, redirects)]
    while stack:
        current, own = stack.pop()
        if current.type == "redirected_statement":
            body, more = _split_redirected(current)
            if body is not None and body.type == "pipeline":
                stack.append((body, more + own))
                continue
        if current.type != "pipeline":
            parts.append((current, own))
            continue
        inner = [child for child in current.children if child.is_named and child.type != "comment"]
        for at, child in enumerate(inner):
            stack.append((child, own if at == len(inner) - 1 else ()))
    parts.reverse()
    return parts


def _command_parts(node: Node) -> list[Node]:
    """The nodes of a simple command that are words, assignments or redirections."""
    kind = node.type
    if kind in ("variable_assignment", "redirected_statement"):
        return [node] if kind == "variable_assignment" else []
    if kind == "test_command":
        return _atoms(node)
    return [child for child in node.children if child.type not in ("comment", "\n")]


def _atoms(node: Node) -> list[Node]:
    """The leaves of an expression in `[ ... ]`, as far as they are words or operators."""
    atoms: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current is node or current.type.endswith("_expression"):
            stack.extend(reversed(current.children))
        else:
            atoms.append(current)
    return atoms


def _words_of_redirect(node: Node) -> tuple[Span, list[Span]]:
    """Span of the redirection proper, and words that tree-sitter took for further targets (`a > f b`)."""
    if node.type == "herestring_redirect":
        return (node.start_byte, node.end_byte), []
    operator_end = node.start_byte
    closes = False
    targets: list[Span] = []
    for child in node.children:
        if child.type == "file_descriptor" or not child.is_named:
            operator_end = child.end_byte
            closes = child.type in (">&-", "<&-")
        else:
            targets.append((child.start_byte, child.end_byte))
    targets = _join_touching(targets)
    if closes or not targets:
        return (node.start_byte, operator_end), targets
    return (node.start_byte, targets[0][1]), targets[1:]


def _join_touching(spans: list[Span]) -> list[Span]:
    spans.sort()
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _covering(node: Node, redirects: tuple[Node, ...]) -> Span:
    return (
        min([node.start_byte, *[r.start_byte for r in redirects]]),
        max([node.end_byte, *[r.end_byte for r in redirects]]),
    )
