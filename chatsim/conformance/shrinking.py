"""The smallest schedule on which the server and the model still differ in the same way.

Hypothesis shrinks what it has drawn, until the budget of plays is spent. After that, single steps are left out one by
one (delta debugging), which also removes a BEGIN: Hypothesis can't, since it did not draw it.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
from hypothesis.errors import Flaky

from chatsim.conformance.generation.numbered import NumberedSchedules
from chatsim.conformance.oracle import Disagreement, NotModelledError, Oracle, UnstableError, content
from chatsim.conformance.schedule import Schedule, number_steps

__all__ = ["shrink"]

_DRAWS_PER_PLAY = 5
"""How many smaller schedules Hypothesis may draw for each that may be played. Many have the same playable part."""


class _StillDiffersError(Exception):
    """Tells Hypothesis that a smaller schedule differs in the same way."""


class _BudgetSpent(BaseException):  # no Exception, which Hypothesis would take for a failure
    """Ends the search of Hypothesis, which would go on for minutes without learning anything more."""


def shrink(number: int, found: Disagreement, source: NumberedSchedules, oracle: Oracle, budget: int) -> Disagreement:
    """Make the disagreement on a schedule as small as the budget allows.

    Args:
        number: the schedule's number.
        found: how the worlds differ on it.
        source: has drawn it.
        oracle: has judged it.
        budget: how many schedules may be played on the server, for each of the two stages.

    Raises:
        WorldError: the server can't be used any longer.
    """
    tried: dict[bytes, Disagreement | None] = {}

    def still_differs(drawn: Schedule) -> None:
        key = content(drawn)
        if key not in tried:
            if len(tried) >= budget * _DRAWS_PER_PLAY:
                raise _BudgetSpent
            tried[key] = _similar(found, drawn, oracle, budget)
        if smaller := tried[key]:
            raise _StillDiffersError(str(smaller))

    with suppress(_StillDiffersError, _BudgetSpent, Flaky):
        source.shrink(number, still_differs, _StillDiffersError)
    smallest = min(filter(None, [found, *tried.values()]), key=_size)
    return _without_needless_steps(smallest, oracle, oracle.plays + budget)


def _size(found: Disagreement) -> tuple[int, int]:
    """The number of steps, and how much there is to read."""
    return len(found.schedule.steps), len(content(found.schedule))


def _similar(found: Disagreement, drawn: Schedule, oracle: Oracle, budget: int) -> Disagreement | None:
    """How the worlds differ on another schedule, if they do so in a similar way."""
    try:
        other = oracle.judge(drawn, budget)
    except (NotModelledError, UnstableError):
        return None
    return other if other is not None and other.similar(found) else None


def _without_needless_steps(found: Disagreement, oracle: Oracle, budget: int) -> Disagreement:
    at = len(found.schedule.steps)
    while at:
        at -= 1
        steps = found.schedule.steps
        rest = number_steps((each.session, each.sql) for each in steps[:at] + steps[at + 1 :])
        found = _similar(found, msgspec.structs.replace(found.schedule, steps=rest), oracle, budget) or found
        at = min(at, len(found.schedule.steps))
    return found
