"""``dockerfix lsp``: a language server for editors, over standard input and output.

Diagnostics for each finding, a code action that applies its codemod alone, one that applies all, and a formatter that
applies what is SAFE. The text is the editor's, the build context is the folder's on disk.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import click

from refactor.engine.record import Record
from refactor.engine.run import Options, Worker

if TYPE_CHECKING:
    from lsprotocol import types
    from pygls.lsp.server import LanguageServer

SOURCE = "dockerfix"
FIX_ALL = "source.fixAll.dockerfix"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
"""A line as the protocol counts them; Python's ``splitlines`` ends one at a form feed as well."""


@click.command("dockerfix lsp", context_settings={"help_option_names": ["-h", "--help"]})
def lsp_command() -> NoReturn:
    """A language server for editors, on standard input and output.

    It shows findings as diagnostics, offers each as a code action and all of them as source.fixAll.dockerfix, and
    formats a document by the refactorings that are SAFE.
    """
    try:
        server = make_server()
    except ImportError:
        click.echo("dockerfix: the language server needs pygls: pip install 'dockerfix[lsp]'", err=True)
        sys.exit(2)
    server.start_io()
    sys.exit(0)


def make_server() -> LanguageServer:
    """The server with its features. Raises ImportError without the extra ``lsp``."""
    from importlib.metadata import version

    from lsprotocol import types
    from pygls.lsp.server import LanguageServer

    server = LanguageServer(SOURCE, version("dockerfix"))

    def publish(ls: LanguageServer, uri: str) -> None:
        text = ls.workspace.get_text_document(uri).source
        found = list(_diagnostics(text, _record(text, uri, Options())))
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: LanguageServer, params: types.DidOpenTextDocumentParams) -> None:
        publish(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: LanguageServer, params: types.DidChangeTextDocumentParams) -> None:
        publish(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(ls: LanguageServer, params: types.DidSaveTextDocumentParams) -> None:
        # The context may be another one now.
        publish(ls, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: LanguageServer, params: types.DidCloseTextDocumentParams) -> None:
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(params.text_document.uri, []))

    kinds: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, FIX_ALL]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds))
    def actions(ls: LanguageServer, params: types.CodeActionParams) -> list[types.CodeAction]:
        text = ls.workspace.get_text_document(params.text_document.uri).source
        asked = params.context.only
        found = _actions(text, params.text_document.uri, params.range)
        # A kind that is asked for stands for those below it: "source" for "source.fixAll.dockerfix".
        return [action for action in found if asked is None or any(_is_below(action.kind, kind) for kind in asked)]

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def formatted(ls: LanguageServer, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        text = ls.workspace.get_text_document(params.text_document.uri).source
        return _edits(text, _record(text, params.text_document.uri, Options(safe=True)))

    return server


def _record(text: str, uri: str, options: Options) -> Record:
    """What dockerfix makes of an editor's text; one that is in no file yet has no build context."""
    from pygls.uris import to_fs_path

    path = to_fs_path(uri) if uri.startswith("file:") else None
    return Worker(options).work_on_text(text.encode("utf-8", "surrogatepass"), path)


def _diagnostics(text: str, record: Record) -> Iterator[types.Diagnostic]:
    from lsprotocol import types

    lines = _LINE.findall(text)
    for finding in record.applied:
        message = f"{finding.message}\n{finding.why}".rstrip()
        yield _diagnostic(lines, finding.line, message, types.DiagnosticSeverity.Information, finding.codemod)
    for finding in record.suggested:
        if finding.files and finding.safety != "UNSAFE":
            # An editor's buffer is one file, and these go together.
            message = f"{finding.message}; it writes {', '.join(finding.files)}, too: run dockerfix --write"
            yield _diagnostic(lines, finding.line, message, types.DiagnosticSeverity.Hint, finding.codemod)
    for error in record.errors:
        number = re.search(r":(\d+)$", error.path)
        message = f"{error.what}; {error.advice}"
        yield _diagnostic(lines, int(number[1]) if number else 1, message, types.DiagnosticSeverity.Error, None)


def _diagnostic(
    lines: list[str], line: int, message: str, severity: types.DiagnosticSeverity, code: str | None
) -> types.Diagnostic:
    from lsprotocol import types

    shown = lines[line - 1].rstrip("\r\n") if line <= len(lines) else ""
    place = types.Range(types.Position(line - 1, 0), types.Position(line - 1, _units(shown)))
    return types.Diagnostic(place, message, severity, code, source=SOURCE)


def _actions(text: str, uri: str, where: types.Range) -> Iterator[types.CodeAction]:
    """Each codemod with a finding on the lines of ``where``, alone, and then all codemods of the file."""
    from lsprotocol import types

    record = _record(text, uri, Options())
    here = [finding for finding in record.applied if where.start.line <= finding.line - 1 <= where.end.line]
    shown = {diagnostic.code: diagnostic for diagnostic in reversed(list(_diagnostics(text, record)))}
    for codemod in dict.fromkeys(finding.codemod for finding in here):
        edits = _edits(text, _record(text, uri, Options(select=(codemod,))))
        # A finding that only follows from another codemod's has nothing to show by itself.
        if edits:
            title = next(finding.message for finding in here if finding.codemod == codemod)
            change = types.WorkspaceEdit({uri: edits})
            kind = types.CodeActionKind.QuickFix
            yield types.CodeAction(f"{title} ({codemod})", kind, [shown[codemod]], edit=change)
    edits = _edits(text, record)
    if edits:
        yield types.CodeAction("Apply all refactorings of dockerfix", FIX_ALL, edit=types.WorkspaceEdit({uri: edits}))


def _is_below(kind: types.CodeActionKind | str | None, asked: types.CodeActionKind | str) -> bool:
    name, above = (getattr(word, "value", word) for word in (kind, asked))
    return above == "" or name == above or str(name).startswith(f"{above}.")


def _edits(text: str, record: Record) -> list[types.TextEdit]:
    """The lines that differ, each run of them as one edit."""
    from lsprotocol import types

    if record.after is None or not record.is_changed:
        return []
    old, new = _LINE.findall(text), _LINE.findall(record.after.decode("utf-8", "surrogatepass"))
    made = []
    for tag, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            place = types.Range(_position(old, start), _position(old, end))
            made.append(types.TextEdit(place, "".join(new[first:last])))
    return made


def _position(lines: list[str], number: int) -> types.Position:
    """The start of a line, or the end of the text, which may be on a last line that nothing ends."""
    from lsprotocol import types

    if number == len(lines) and lines and not lines[-1].endswith(("\r", "\n")):
        return types.Position(number - 1, _units(lines[-1]))
    return types.Position(number, 0)


def _units(text: str) -> int:
    """The length in UTF-16 code units, in which the protocol counts unless both sides agree on something else."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
