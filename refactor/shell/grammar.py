"""RUN bodies through tree-sitter's bash grammar."""

from __future__ import annotations

import re
from functools import cache

from refactor.shell.command import Command, Span, conditional_flags, make_command
from refactor.shell.script import Item, ShellScript

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

MAX_DEPTH = 100
"""Levels of nested compound commands that are followed."""


def grammar(package: str) -> Language:
    """tree-sitter's grammar of a language, by the package that has it.

    It is loaded past the package's `__init__`, whose import of `importlib.resources` costs more than all the rest of
    tree-sitter.
    """
    from importlib import import_module
    from importlib.machinery import ExtensionFileLoader, PathFinder

    from tree_sitter import Language

    name = f"{package}._binding"
    found = PathFinder.find_spec(package)
    spec = PathFinder.find_spec(name, found.submodule_search_locations) if found else None
    if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
        binding = spec.loader.create_module(spec)
        spec.loader.exec_module(binding)
    else:
        binding = import_module(package)
    return Language(binding.language())


@cache
def _parser() -> Parser:
    from tree_sitter import Parser

    return Parser(grammar("tree_sitter_bash"))


class _Unreadable(Exception):
    """Carries the reason why a script is opaque."""


# tree-sitter counts bytes, we count characters: each character beyond plain ASCII becomes one that is part of
# a word, but of no name, number or operator. So offsets agree, and bytes that are not UTF-8 do no harm.
_ODD = r"[^\t\n -~]"
# The grammar takes an escaped blank for blank, and stumbles over other escaped characters. Each pair becomes
# two characters of a word, except those whose second half may matter to a quotation around it.
_ESCAPED = r"\\([^\n])"
_KEPT_ESCAPES = "'\"`$\\"
_HEREDOC_OR_SKIP = r"""(?s)'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\$\(\(.*?\)\)|(?:^|(?<=[\s;&|(]))\#.*|<<<|(?P<heredoc><<-?)"""


def read_tree(text: str) -> ShellScript:
    """What :func:`refactor.shell.reader.read` does, by tree-sitter alone."""
    if text.startswith("#!") and not re.match(
        r"#![ \t]*(/\S*/)?(env[ \t]+)?(-S[ \t]+)?(/\S*/)?(sh|bash|dash|ash)\b", text
    ):
        return _opaque(text, f"written for another interpreter: `{_excerpt(text, 0)}`")
    if "\0" in text:
        return _opaque(text, "it contains a NUL character")
    stripped = text.rstrip(" \t\n")
    if (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        return _opaque(text, "it ends in a backslash")
    source = re.sub(_ODD, ".", text)
    if "\\" in source:
        source = re.sub(_ESCAPED, lambda pair: pair[0] if pair[1] in _KEPT_ESCAPES else "..", source)
    has_heredoc = False
    try:
        if "<<" in text:
            source, has_heredoc = _without_heredocs(source)
        root = _parse(text, source)
        reader = _TreeReader(text, source, root)
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

    Where the bodies are not in the text (a Dockerfile's here-document follows the instruction) only the
    operator is replaced. tree-sitter hangs the rest of the line under the redirection, so bodies are blanked.
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
                        spans.append((child.start_byte, child.end_byte, "<".ljust(child.end_byte - child.start_byte)))
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

    return re.sub(_HEREDOC_OR_SKIP, mask, source), found


_SIMPLE = frozenset(
    (
        *("command", "test_command", "declaration_command", "unset_command"),
        *("variable_assignment", "variable_assignments"),
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
}
# tree-sitter nests these in ways that are not the shell's: `a && b > f` is a redirection of the whole list,
# `a && b > f | c` a pipeline of the list, `! a | b` a pipeline that begins with a negation. All of them are
# flat in the shell's grammar, so they are read as the row of their leaves.
_FLAT = frozenset(("list", "pipeline", "redirected_statement", "negated_command"))
_STATEMENTS = _SIMPLE | _COMPOUND.keys() | _FLAT
_REDIRECTS = frozenset(("file_redirect", "herestring_redirect"))
_CLAUSES = frozenset(("elif_clause", "else_clause", "do_group", "case_item"))
# Fields of compound commands that hold words, not statements.
_WORD_FIELDS = frozenset(("variable", "value", "name", "fallthrough", "termination"))


class _Place:
    """Where a command stands."""

    __slots__ = ("conditional", "depth", "pipeline", "subshell")

    def __init__(self, depth: int, pipeline: bool, subshell: bool, conditional: bool) -> None:
        self.depth, self.pipeline, self.subshell, self.conditional = depth, pipeline, subshell, conditional

    def beside(self, *, subshell: bool = False, conditional: bool = False) -> _Place:
        return _Place(self.depth, self.pipeline, self.subshell or subshell, self.conditional or conditional)

    def inner(self, *, pipeline: bool = False, subshell: bool = False, conditional: bool = False) -> _Place:
        if self.depth >= MAX_DEPTH:
            raise _Unreadable(f"nested deeper than {MAX_DEPTH} levels")
        return _Place(
            self.depth + 1,
            self.pipeline or pipeline,
            self.subshell or subshell,
            self.conditional or conditional,
        )


class _Member:
    """A command of a pipeline: a simple or compound command, if there is one, and its redirections."""

    __slots__ = ("body", "redirects")

    def __init__(self) -> None:
        self.body: Node | None = None
        self.redirects: list[Node] = []

    def nodes(self) -> list[Node]:
        return [*([self.body] if self.body is not None else []), *self.redirects]


class _Entry:
    """A pipeline of a list."""

    __slots__ = ("background", "before", "members", "negation")

    def __init__(self, before: str) -> None:
        self.before = before
        self.members = [_Member()]
        self.negation: Node | None = None
        self.background = False


class _TreeReader:
    def __init__(self, text: str, source: str, root: Node) -> None:
        self.text = text
        self.source = source
        self.commands: list[Command] = []
        self.top: list[Item] = []
        self.leaks: list[str] = []
        self.seen: list[Span] = []
        self.trailing = self._sequence(root.children, _Place(0, False, False, False), top=True)
        self._check_nothing_is_lost()

    def _check_nothing_is_lost(self) -> None:
        """The grammar drops characters here and there without calling it an error."""
        at = 0
        for start, end in sorted(self.seen):
            if start > at and (gap := self.source[at:start]) != " " and not _is_blank(gap):
                break
            at = max(at, end)
        else:
            if _is_blank(self.source[at:]):
                return
        raise _Unreadable(f"parse error near `{_excerpt(self.text, at)}`")

    def _unsupported(self, node: Node) -> _Unreadable:
        return _Unreadable(f"unsupported construct `{_excerpt(self.text, node.start_byte)}`")

    def _sequence(self, nodes: list[Node], place: _Place, top: bool = False) -> str:
        """Read a list of statements and the separators between them; returns what ends it."""
        entries: list[_Entry] = []
        and_or = 0
        separator, trailing = "", ""
        for node in nodes:
            kind = node.type
            if kind in _STATEMENTS:
                and_or = len(entries)
                self._row(node, (separator or "\n") if entries else "", entries)
                separator = trailing = ""
            elif kind == "comment":
                trailing = "comment"
                self._see(node)
            elif kind in (";", "&"):
                self._see(node)
                separator = trailing = kind
                if kind == "&" and not top:  # goes on whatever stands around it, a subshell included
                    self.leaks.append("`&` would leave a process beside the next command")
                for entry in entries[and_or:] if kind == "&" else ():
                    entry.background = True
            elif kind != "\n":
                raise self._unsupported(node)
        flags = conditional_flags([entry.before for entry in entries])
        for entry, conditional in zip(entries, flags):
            here = place.beside(subshell=entry.background, conditional=conditional)
            self._entry(entry, here, top)
        return trailing

    def _row(self, statement: Node, before: str, entries: list[_Entry]) -> None:
        """Append the pipelines of an and-or list, read by the shell's own precedence."""
        entry = _Entry(before)
        entries.append(entry)
        stack = [statement]
        while stack:
            node = stack.pop()
            kind = node.type
            member = entry.members[-1]
            if kind in _FLAT:
                stack.extend(reversed(node.children))
            elif kind in _SIMPLE or kind in _COMPOUND:
                first = node.child(0)
                if first is not None and first.type == "((":
                    raise _Unreadable("`((` is arithmetic to bash and a nested subshell to other shells")
                if member.body is not None or member.redirects:
                    raise self._unsupported(node)
                member.body = node
            elif kind in _REDIRECTS:
                member.redirects.append(node)
            elif kind in ("&&", "||"):
                entry = _Entry(kind)
                entries.append(entry)
            elif kind in ("|", "|&"):
                entry.members.append(_Member())
            elif kind == "!":
                if len(entry.members) > 1 or member.body is not None or member.redirects:
                    raise self._unsupported(node)
                entry.negation = entry.negation or node
            elif kind not in ("comment", "\n"):
                raise self._unsupported(node)
            if kind in ("&&", "||", "|", "|&", "!", "comment"):
                self._see(node)

    def _entry(self, entry: _Entry, place: _Place, top: bool) -> None:
        members = entry.members
        single = len(members) == 1 and entry.negation is None
        nodes = [node for member in members for node in member.nodes()]
        if entry.negation is not None:
            nodes.append(entry.negation)
        if not nodes or not all(member.nodes() for member in members):
            raise _Unreadable("a command is missing")
        span = (min([node.start_byte for node in nodes]), max([node.end_byte for node in nodes]))
        command: Command | None = None
        for member in members:
            here = place if single else place.inner(pipeline=len(members) > 1)
            if member.body is None or member.body.type in _SIMPLE:
                command = self._command(member, here)
            else:
                self._compound(member, here)
        if top:
            if not single:
                kind = "negation" if entry.negation is not None else "pipeline"
            elif command is not None:
                kind = "command"
            else:
                body = members[0].body
                kind = _COMPOUND[body.type] if body is not None else "command"
            self.top.append(Item(span, entry.before, command if single else None, kind))

    def _compound(self, member: _Member, place: _Place) -> None:
        node = member.body
        assert node is not None
        for redirect in member.redirects:
            target, more = _words_of_redirect(redirect)
            if more:
                raise self._unsupported(redirect)
            self.seen.append(target)
        kind = node.type
        if kind == "compound_statement" and node.named_child_count == 0:
            raise _Unreadable("`{}` is no group of commands")
        if kind == "function_definition":
            self._leak(place, f"the function `{self._field(node, 'name')}` would stay defined for the next command")
            body = node.child_by_field_name("body")
            if body is not None:
                self.seen.append((node.start_byte, body.start_byte))
                self._sequence([body], place.inner(conditional=True))
        elif kind == "c_style_for_statement":
            self._leak(place, "`for ((...))` would leak its variable into the next command")
            body = node.child_by_field_name("body")
            if body is not None:
                self.seen.append((node.start_byte, body.start_byte))
                self._clauses(body, place.inner(conditional=True))
        else:
            if kind == "for_statement":
                name = self._field(node, "variable")
                self._leak(place, f"`for` would leak its variable `{name}` into the next command")
            inner = place.inner(subshell=kind == "subshell", conditional=kind in ("for_statement", "case_statement"))
            self._clauses(node, inner)

    def _clauses(self, node: Node, place: _Place) -> None:
        """Read the statements in a compound command, in the order they stand."""
        segment: list[Node] = []
        for at, child in enumerate(node.children):
            kind = child.type
            if kind in _CLAUSES:
                self._flush(segment, place)
                self._clauses(child, place.beside(conditional=True))
            elif node.field_name_for_child(at) in _WORD_FIELDS:
                self._see(child)
            elif child.is_named or kind in (";", "&", "\n"):
                segment.append(child)
            else:
                self._flush(segment, place)
                self._see(child)
                if kind == "then":
                    place = place.beside(conditional=True)
        self._flush(segment, place)

    def _flush(self, segment: list[Node], place: _Place) -> None:
        if segment:
            self._sequence(segment, place)
            segment.clear()

    def _command(self, member: _Member, place: _Place) -> Command:
        node = member.body
        words: list[Span] = []
        assignments: list[Span] = []
        targets: list[Span] = []
        prefixed = node is not None and node.type not in ("declaration_command", "test_command")
        for child in [*(_command_parts(node) if node is not None else []), *member.redirects]:
            if child.type in _REDIRECTS:
                target, more = _words_of_redirect(child)
                targets.append(target)
                words.extend(more)
            elif (
                prefixed
                and not words
                and child.type == "variable_assignment"
                and re.match(_NAME, self.text[child.start_byte : child.end_byte])
            ):
                assignments.append((child.start_byte, child.end_byte))
            else:
                words.append((child.start_byte, child.end_byte))
        words = _join_touching(words)
        spans = words + assignments + targets
        self.seen.extend(spans)
        for start, end in targets:
            if not _is_word(self.text[start:end].lstrip("0123456789<>&|- \t")):
                raise _Unreadable(f"parse error near `{_excerpt(self.text, start)}`")
        raw = [self.text[start:end] for start, end in words]
        if raw[:1] != ["[["]:  # holds operators and patterns that are no words elsewhere
            for word, (start, _) in zip(raw, words):
                if not _is_word(word):
                    raise _Unreadable(f"parse error near `{_excerpt(self.text, start)}`")
        command = make_command(
            self.text,
            words,
            assignments,
            targets,
            (min([start for start, _ in spans]), max([end for _, end in spans])),
            place.depth,
            place.pipeline,
            place.subshell,
            place.conditional,
        )
        self.commands.append(command)
        return command

    def _see(self, node: Node) -> None:
        self.seen.append((node.start_byte, node.end_byte))

    def _field(self, node: Node, field: str) -> str:
        found = node.child_by_field_name(field)
        return self.text[found.start_byte : found.end_byte] if found else "?"

    def _leak(self, place: _Place, reason: str) -> None:
        if not place.subshell and not place.pipeline:
            self.leaks.append(reason)


def _is_blank(text: str) -> bool:
    return not text.replace("\\\n", "").strip()


_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*(?:\[|\+?=)"
_WORD = r"""(?xs)(?:
    [^\s\\'"$`&|;<>()] | [^\t\n -~] | \\. | '[^']*' | "(?:[^"\\$`] | \\. | \$(?![({]))*" | \$(?![({'"])
)+"""


def _is_word(text: str) -> bool:
    """Whether a shell reads `text` as one word. One with a substitution or a pattern is taken on trust."""
    if _NO_PLAIN_WORD.search(text) is None:
        return True
    return any(mark in text for mark in _TRUSTED) or re.fullmatch(_WORD, text) is not None


_NO_PLAIN_WORD = re.compile(r"""[\s'"\\$`&|;<>()]""")
_TRUSTED = ("$(", "`", "${", "(", "$'", '$"')


def _command_parts(node: Node) -> list[Node]:
    """The nodes of a simple command that are words, assignments or redirections."""
    kind = node.type
    if kind == "variable_assignment":
        return [node]
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
