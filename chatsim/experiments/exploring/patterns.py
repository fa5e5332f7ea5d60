"""What callers of a strategy ask for, and what is there before."""

from __future__ import annotations

from typing import Literal

__all__ = ["PATTERNS", "PRESENT", "Pattern", "Present"]

Pattern = Literal["same_pair", "strangers"]
Present = Literal["nothing", "pair", "neighbours"]

PATTERNS: tuple[Pattern, ...] = ("same_pair", "strangers")
"""Who asks for whom: all for one pair, each user for the other in turn; or each for a pair of its own."""

PRESENT: tuple[Present, ...] = ("nothing", "pair", "neighbours")
"""The chats that there are before: none, that of the first pair, or those of the pairs on either side of all."""
