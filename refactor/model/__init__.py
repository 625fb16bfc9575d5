"""What a Dockerfile means, read by a second reader that shares nothing with `refactor.syntax`."""

from __future__ import annotations

from .reader import instructions, why_not_readable

__all__ = ["instructions", "why_not_readable"]
