"""The language server, driven over its standard input and output by a client that applies what it is told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from refactor import fix

pytest.importorskip("pygls")

from lsprotocol import types
from pygls.lsp.client import BaseLanguageClient

ROOT = Path(__file__).parents[1]
SOURCE = "FROM debian:bookworm-slim\nRUN apt-get update\nRUN apt-get install -y curl\nCMD curl Zoë 🐳"


class Editor:
    """One open document of an editor."""

    def __init__(self, client: BaseLanguageClient, uri: str, text: str) -> None:
        self.client, self.uri, self.text = client, uri, text
        self.published: asyncio.Queue[list[types.Diagnostic]] = asyncio.Queue()

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(list(params.diagnostics))

    async def open(self) -> list[types.Diagnostic]:
        document = types.TextDocumentItem(self.uri, types.LanguageKind.Dockerfile, 1, self.text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        return await self.diagnostics()

    async def diagnostics(self) -> list[types.Diagnostic]:
        return await asyncio.wait_for(self.published.get(), 60)

    async def actions(self, line: int, only: list[str] | None = None) -> dict[str, types.CodeAction]:
        place = types.Range(types.Position(line, 0), types.Position(line, 0))
        context = types.CodeActionContext([], only)
        document = types.TextDocumentIdentifier(self.uri)
        found = await self.client.text_document_code_action_async(types.CodeActionParams(document, place, context))
        return {action.title: action for action in found or () if isinstance(action, types.CodeAction)}

    async def format(self) -> str:
        options = types.FormattingOptions(4, True)
        document = types.TextDocumentIdentifier(self.uri)
        edits = await self.client.text_document_formatting_async(types.DocumentFormattingParams(document, options))
        return self.applied(edits or [])

    def after(self, action: types.CodeAction) -> str:
        assert action.edit is not None
        assert action.edit.changes is not None
        return self.applied(action.edit.changes[self.uri])

    def applied(self, edits: object) -> str:
        """The text after edits, with positions in UTF-16 code units."""
        assert isinstance(edits, list | tuple)
        lines = self.text.encode("utf-16-le").split("\n".encode("utf-16-le"))
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 2)
        data = self.text.encode("utf-16-le")

        def offset(place: types.Position) -> int:
            assert place.line < len(lines)
            assert 2 * place.character <= len(lines[place.line])
            return starts[place.line] + 2 * place.character

        for edit in sorted(edits, key=lambda edit: -offset(edit.range.start)):
            new = edit.new_text.encode("utf-16-le")
            data = data[: offset(edit.range.start)] + new + data[offset(edit.range.end) :]
        return data.decode("utf-16-le")


def drive(story: Callable[[Editor], Awaitable[None]], folder: Path, text: str, uri: str | None = None) -> None:
    """Starts a server, opens ``text``, lets the story run, and ends both properly."""

    async def run() -> None:
        client = BaseLanguageClient("test", "1")
        editor = Editor(client, uri or (folder / "Dockerfile").as_uri(), text)
        await client.start_io(sys.executable, "-m", "refactor", "lsp", env={**os.environ, "PYTHONPATH": str(ROOT)})
        await client.initialize_async(types.InitializeParams(types.ClientCapabilities(), root_uri=folder.as_uri()))
        client.initialized(types.InitializedParams())
        await story(editor)
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()

    asyncio.run(asyncio.wait_for(run(), 120))


def test_findings_actions_and_formatting(tmp_path: Path) -> None:
    async def story(editor: Editor) -> None:
        shown = await editor.open()
        places = {item.code: item.range.start.line for item in shown}
        assert (places["chain-runs"], places["use-exec-form"]) == (1, 3)
        assert all(item.source == "dockerfix" for item in shown)
        last = next(item for item in shown if item.code == "use-exec-form")
        assert last.range.end.character == len("CMD curl Zoë 🐳".encode("utf-16-le")) // 2

        actions = await editor.actions(3)
        (one,) = [action for title, action in actions.items() if "use-exec-form" in title]
        assert one.kind == types.CodeActionKind.QuickFix
        assert editor.after(one) == SOURCE.replace("CMD curl Zoë 🐳", 'CMD ["curl", "Zoë", "🐳"]')

        (all_,) = (await editor.actions(0, ["source.fixAll"])).values()
        assert editor.after(all_) == fix(SOURCE.encode()).after.decode()
        assert await editor.actions(3, ["refactor"]) == {}

        formatted = await editor.format()
        assert 'CMD ["curl", "Zoë", "🐳"]' in formatted
        assert formatted != SOURCE

    drive(story, tmp_path, SOURCE)


def test_formatting_is_what_is_safe(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('hello')\n")
    text = "FROM python:3.12\nCOPY app.py /app/\nCMD python /app/app.py\n"
    path = tmp_path / "Dockerfile"
    path.write_text(text)

    def cli(*switches: str) -> str:
        import subprocess

        path.write_text(text)
        subprocess.run([sys.executable, "-m", "refactor", "--write", *switches, str(path)], cwd=ROOT, check=True)
        written = path.read_text()
        path.write_text(text)
        return written

    safe, whole = cli("--safe"), cli()
    assert safe != whole

    async def story(editor: Editor) -> None:
        await editor.open()
        assert await editor.format() == safe
        (all_,) = (await editor.actions(0, ["source.fixAll.dockerfix"])).values()
        assert editor.after(all_) == whole

    drive(story, tmp_path, text)


def test_a_text_is_followed_and_its_faults_are_shown(tmp_path: Path) -> None:
    async def story(editor: Editor) -> None:
        assert await editor.open() != []
        document = types.VersionedTextDocumentIdentifier(2, editor.uri)
        for text, wanted in (("FROM scratch\nCOPY a /\n", 0), ("FROM scratch\nNONSENSE x\n", 1)):
            whole = types.TextDocumentContentChangeWholeDocument(text)
            editor.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))
            shown = await editor.diagnostics()
            assert len(shown) == wanted
        assert shown[0].severity is types.DiagnosticSeverity.Error
        assert shown[0].range.start.line == 1
        assert "NONSENSE" in shown[0].message
        closing = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(editor.uri))
        editor.client.text_document_did_close(closing)
        assert await editor.diagnostics() == []

    drive(story, tmp_path, SOURCE, "untitled:Untitled-1")
