"""What callers of a strategy ask for, and what is there before; and what the writers of a kind of cursor do."""

from __future__ import annotations

from typing import Literal

__all__ = ["NEWS", "PATTERNS", "PRESENT", "News", "Pattern", "Present"]

Pattern = Literal["same_pair", "strangers"]
Present = Literal["nothing", "pair", "neighbours"]
News = Literal["messages", "threads", "changes"]

PATTERNS: tuple[Pattern, ...] = ("same_pair", "strangers")
"""Who asks for whom: all for one pair, each user for the other in turn; or each for a pair of its own."""

PRESENT: tuple[Present, ...] = ("nothing", "pair", "neighbours")
"""The chats that there are before: none, that of the first pair, or those of the pairs on either side of all."""

NEWS: tuple[News, ...] = ("messages", "threads", "changes")
"""What writers do: each stores a message, creates a thread, or changes a message."""
