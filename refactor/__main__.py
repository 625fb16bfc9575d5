"""``python -m refactor``: the command line without its entry point."""

from __future__ import annotations

from refactor.cli.main import start

if __name__ == "__main__":
    start()
