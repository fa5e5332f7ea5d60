"""The choices of an interleaving: what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Choice", "Switches"]

Kind = Literal["go", "on", "first", "die", "lose", "wake", "time out"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What happens next.

    Attributes:
        kind: ``go``: a caller's statement is executed. ``on``: it goes on to the next record. ``first``: of several
            callers that a step has let go, this one goes on first. ``die``: a caller and its connection are gone.
            ``lose``: a caller's statement is executed, and the reply is lost with the connection. ``wake``: a caller's
            SLEEP() ends. ``time out``: a caller's wait for a lock takes too long.
        caller: the number of the caller.
    """

    kind: Kind
    caller: int


@dataclass(frozen=True)
class Switches:
    """What may happen besides the callers' statements.

    Attributes:
        retries: how often a caller tries again after a refusal.
        deaths: how many callers may die.
        losses: how many replies may be lost.
        timeouts: how many waits may take too long.
        inside: whether a statement may be overtaken at each record that it meets, as on a server.
    """

    retries: int = 3
    deaths: int = 0
    losses: int = 0
    timeouts: int = 0
    inside: bool = False
