"""What is asked about interleavings: what must not happen in a step, and what must hold at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatsim.exploration.cycles import cycles
from chatsim.exploration.execution import Execution, Happened

__all__ = ["ANSWERED", "ENDS", "NO_DEADLOCK", "Question", "empty", "faults_at_end"]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        name: a word for it.
        holds: what must hold, in a few words.
        in_step: whether a step violates it.
        at_end: whether an end violates it.
    """

    name: str
    holds: str
    in_step: Callable[[Happened], bool] | None = None
    at_end: Callable[[Execution], bool] | None = None


ENDS = Question("stuck", "nobody waits for ever", at_end=lambda execution: bool(execution.stuck))
"""Every caller comes to an end. A cycle of waits for locks on rows and tables is a deadlock, and is resolved; one that
goes through other locks is not seen by the server."""

NO_DEADLOCK = Question("deadlock", "no deadlock", in_step=lambda happened: bool(cycles(happened)))
"""No deadlock is resolved, of locks of any kind, whether or not the victim tries again."""

ANSWERED = Question(
    "refusal", "nobody is refused for good", at_end=lambda execution: any(each.refused for each in execution.ended)
)
"""No caller is refused for good, after all its retries."""


def empty(name: str, holds: str, sql: str) -> Question:
    """Ask that a query returns nothing at the end."""
    return Question(name, holds, at_end=lambda execution: bool(execution.query(sql)))


def faults_at_end(questions: Sequence[Question], execution: Execution) -> list[str]:
    """The names of the questions whose answer an end is against. If somebody waits for ever, nothing else is asked."""
    if execution.stuck:
        return [ENDS.name]
    return [each.name for each in questions if each.at_end is not None and each.at_end(execution)]
