"""dockerfix: the public API."""
