"""The part of a drawn schedule that can be played, and that has only one outcome.

A drawn schedule is a wish: a step may go to a session that waits, and a commit may wake two sessions that then race.
The model is asked where that happens.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatsim.conformance.generation.columns import AUTO_INCREMENT
from chatsim.conformance.generation.schedules import MOST_STEPS
from chatsim.conformance.schedule import (
    Completed,
    NotPlayedError,
    Play,
    Schedule,
    ScheduleOutcome,
    Step,
    StepOutcome,
    number_steps,
)
from chatsim.worlds.world import WorldError

__all__ = ["ModelFailedError", "playable_part"]

_DEADLOCK = 1213


class ModelFailedError(Exception):
    """The model failed with an unexpected error of its own.

    Attributes:
        schedule: the schedule up to the step in which it failed.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(f"the model failed in step {len(schedule.steps)}")
        self.schedule = schedule


def playable_part(schedule: Schedule, model: Play) -> tuple[Schedule, ScheduleOutcome]:
    """The part of a schedule that can be played and has only one outcome, and that outcome in the model.

    Steps of sessions that wait are left out. The schedule is cut before the first step that wakes two sessions, since
    either may be the first. It is also cut before a statement that would still wait at the end, if that statement could
    change something while the sessions are being closed: outside of a transaction, or if it takes an AUTO_INCREMENT
    value.

    Raises:
        WorldError: the model can't play it.
        ModelFailedError: the model failed.
    """
    kept, outcome = _kept_steps(schedule, model)
    numbers = any(AUTO_INCREMENT in sql for sql in schedule.setup)
    settled = _up_to_last_settled(kept, outcome, numbers=numbers)
    if len(settled) < len(kept):
        kept, outcome = settled, model(msgspec.structs.replace(schedule, steps=settled))
    used = [name for name in schedule.sessions if any(step.session == name for step in kept)]
    return msgspec.structs.replace(schedule, steps=kept, sessions=used or schedule.sessions[:1]), outcome


def _kept_steps(schedule: Schedule, model: Play) -> tuple[list[Step], ScheduleOutcome]:
    """The steps whose sessions don't wait, before the first step that wakes two sessions, and their outcome."""
    kept: list[Step] = []
    rest = list(schedule.steps)
    while True:
        tried = number_steps((each.session, each.sql) for each in [*kept, *rest][:MOST_STEPS])
        outcome, refusal = _try(model, msgspec.structs.replace(schedule, steps=tried))
        good = _before_two_wake(tried, outcome.steps)
        if good < len(outcome.steps):
            return tried[:good], model(msgspec.structs.replace(schedule, steps=tried[:good]))
        if refusal is None:
            return tried, outcome
        if not (good and tried[good].session in outcome.steps[-1].blocked):
            raise refusal
        rest = [*kept, *rest][good + 1 :]  # without the step that goes to a session that waits
        kept = tried[:good]


def _try(model: Play, schedule: Schedule) -> tuple[ScheduleOutcome, NotPlayedError | None]:
    """The outcome of a schedule, or of its steps before the one that can't be played, and why it can't be."""
    try:
        return model(schedule), None
    except NotPlayedError as error:
        if error.step is None:
            raise
        return ScheduleOutcome(error.before, {}), error
    except WorldError:
        raise
    except Exception as error:
        raise ModelFailedError(_up_to_failure(model, schedule)) from error


def _up_to_failure(model: Play, schedule: Schedule) -> Schedule:
    """The schedule up to the step in which the model fails."""
    for count in range(len(schedule.steps)):
        shorter = msgspec.structs.replace(schedule, steps=schedule.steps[:count])
        try:
            model(shorter)
        except Exception:  # noqa: BLE001 - whatever it is, the model has failed
            return shorter
    return schedule


def _before_two_wake(steps: Sequence[Step], outcomes: Sequence[StepOutcome]) -> int:
    """How many steps there are before the first one that wakes two sessions."""
    last = StepOutcome(0, [], {}, [])
    for number, (step, after) in enumerate(zip(steps, outcomes, strict=False)):
        if _woken(last, after, step.session) > 1:
            return number
        last = after
    return len(outcomes)


def _woken(before: StepOutcome, after: StepOutcome, session: str) -> int:
    """The number of other sessions that a step has woken: their statements have ended, or wait for another lock."""
    ended = {each.session for each in after.completed} - {session}
    moved = {
        name
        for name in before.blocked.keys() & after.blocked.keys()
        if before.blocked[name].step != after.blocked[name].step or _wanted(before, name) != _wanted(after, name)
    }
    return len(ended | moved)


def _wanted(outcome: StepOutcome, session: str) -> list[object]:
    return [lock for lock in outcome.locks or () if lock[0] == session and lock[-2] == "WAITING"]


def _up_to_last_settled(steps: Sequence[Step], outcome: ScheduleOutcome, *, numbers: bool) -> list[Step]:
    """The steps up to the last one after which every waiter is in a transaction; or nobody waits, if ``numbers``.

    ``numbers`` says that a table has an AUTO_INCREMENT column.
    """
    inside: set[str] = set()
    settled = 0
    sql = {step.n: step.sql for step in steps}
    for step, after in zip(steps, outcome.steps, strict=True):
        for each in after.completed:
            inside = _in_transaction(inside, each, sql[each.step])
        if after.blocked.keys() <= (set() if numbers else inside):
            settled = step.n
    return list(steps[:settled])


def _in_transaction(inside: set[str], ended: Completed, sql: str) -> set[str]:
    """Which sessions are in a transaction after a statement has ended."""
    if ended.errno == _DEADLOCK or sql in ("COMMIT", "ROLLBACK"):
        return inside - {ended.session}
    return inside | {ended.session} if sql == "BEGIN" else inside
