"""What becomes of commits when a server dies or a connection is lost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CommitFates"]


@dataclass
class CommitFates:
    """What became of commits whose clients were not answered, or whose logs were not on disk.

    Attributes:
        unanswered: they are kept, and their clients were never told: the server died, or the connection was lost.
        undone: they are lost; nobody had seen them, and their clients were not answered.
        seen: they are lost, although others could see them; their clients were not answered.
        answered: they are lost, although their clients were answered.
    """

    unanswered: int = 0
    undone: int = 0
    seen: int = 0
    answered: int = 0
