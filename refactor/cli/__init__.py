"""The command line: the only home of click and rich."""

SUBCOMMANDS = ("rules", "explain", "verify", "bot", "campaign", "config", "lsp", "workflow", "size", "flow")
