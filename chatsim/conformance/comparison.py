"""Comparing two outcomes of a schedule, at three levels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from chatsim.conformance.schedule import Completed, Schedule, ScheduleOutcome, StepOutcome

__all__ = ["LEVELS", "Comparison", "compare", "without_row_ids"]

LEVELS = ("who waits, who ends", "rows and tables", "locks")
"""The levels: who waits, and who ends with which error; rows, counts, ids and final tables; lock rows."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        schedule: the id of the schedule.
        differences: for each of `LEVELS`, the first difference in a sentence, or None if there is none.
        raced: whether the first difference is at or after a step that frees several waiters at once. Then another
            outcome may be as correct as the expected one.
    """

    schedule: str
    differences: tuple[str | None, str | None, str | None]
    raced: bool = False

    @property
    def agrees(self) -> bool:
        """Whether there is no difference, or only one that the server itself may have."""
        return self.raced or not any(self.differences)


_ROW_ID = re.compile(r"0x[0-9A-F]{12}\b")


def without_row_ids(outcome: ScheduleOutcome) -> ScheduleOutcome:
    """Renumber the row ids of tables without a primary key, for each table, from 0x000000000001 on.

    A server counts row ids over all of its tables, so they differ between runs.
    """
    numbers: dict[str, dict[str, str]] = {}
    steps = []
    for step in outcome.steps:
        locks = step.locks or []
        for table, row_id in sorted({(lock[1], found) for lock in locks for found in _ROW_ID.findall(lock[-1] or "")}):
            known = numbers.setdefault(table, {})
            known.setdefault(row_id, f"0x{len(known) + 1:012X}")
        locks_renumbered = [(*lock[:-1], lock[-1] and _renamed(lock[-1], numbers.get(lock[1], {}))) for lock in locks]
        steps.append(msgspec.structs.replace(step, locks=None if step.locks is None else locks_renumbered))
    return msgspec.structs.replace(outcome, steps=steps)


def _renamed(data: str, names: dict[str, str]) -> str:
    return _ROW_ID.sub(lambda found: names[found[0]], data)


def compare(schedule: Schedule, outcome: ScheduleOutcome) -> Comparison:
    """Compare an outcome with the one that the schedule expects, or else with the nearest of the alternatives.

    Raises:
        ValueError: the schedule expects nothing.
    """
    if schedule.expected is None:
        raise ValueError(f"{schedule.id} does not say what to expect")
    others = (each.expected for each in schedule.alternatives)
    found = [_compare_with(each, schedule, outcome) for each in (schedule.expected, *others)]
    return min(found, key=lambda each: [difference is not None for difference in each.differences])


def _compare_with(expected: ScheduleOutcome, schedule: Schedule, outcome: ScheduleOutcome) -> Comparison:
    expected, outcome = without_row_ids(expected), without_row_ids(outcome)
    pairs = list(zip(expected.steps, outcome.steps, strict=True))
    places: list[int | None] = [None, None, None]
    found: list[str | None] = [None, None, None]
    for wanted, got in pairs:
        unstable = wanted.n in schedule.unstable_locks_at
        for level, difference in enumerate((_waits_and_ends(wanted, got), _results(wanted, got), _locks(wanted, got))):
            if difference and found[level] is None and not (level == len(LEVELS) - 1 and unstable):
                found[level], places[level] = f"step {wanted.n}: {difference}", wanted.n
    if found[1] is None and expected.final != outcome.final:
        found[1], places[1] = _final(expected, outcome), len(pairs)
    first = min((place for place in places if place is not None), default=None)
    raced = first is not None and any(step <= first for step in schedule.concurrent_wakeups)
    return Comparison(schedule.id, (found[0], found[1], found[2]), raced)


def _waits_and_ends(wanted: StepOutcome, got: StepOutcome) -> str | None:
    def ends(outcome: StepOutcome) -> set[tuple[str, int, str, int | None]]:
        return {(each.session, each.step, each.result, each.errno) for each in outcome.completed}

    if ends(wanted) != ends(got):
        return f"expected to end: {_ends(wanted.completed)}; ended: {_ends(got.completed)}"
    if _waiting(wanted) != _waiting(got):
        return f"expected to wait: {wanted.blocked or 'nobody'}; waits: {got.blocked or 'nobody'}"
    return None


def _waiting(outcome: StepOutcome) -> dict[str, tuple[int, str, tuple[str, ...]]]:
    """Who waits for whom. For locks that are not InnoDB's, a recording does not have the holders."""
    return {
        name: (each.step, each.on, tuple(each.by) if each.on == "lock" else ())
        for name, each in outcome.blocked.items()
    }


def _results(wanted: StepOutcome, got: StepOutcome) -> str | None:
    ended = {(each.session, each.step): each for each in got.completed}
    for each in wanted.completed:
        other = ended.get((each.session, each.step))
        if other is not None and _result(each) != _result(other):
            return f"{each.session} expected {_result(each)}, got {_result(other)}"
    return None


def _result(each: Completed) -> tuple[object, ...]:
    return each.affected, each.insert_id, each.rows, each.warnings


def _locks(wanted: StepOutcome, got: StepOutcome) -> str | None:
    if wanted.locks is None or got.locks is None:
        return None
    wanted_rows, got_rows = Counter(wanted.locks), Counter(got.locks)
    missing, extra = (wanted_rows - got_rows).elements(), (got_rows - wanted_rows).elements()
    if wanted_rows == got_rows:
        return None
    return f"missing {sorted(missing, key=str) or 'none'}; not expected {sorted(extra, key=str) or 'none'}"


def _final(wanted: ScheduleOutcome, got: ScheduleOutcome) -> str:
    for table in wanted.final.keys() | got.final.keys():
        if wanted.final.get(table) != got.final.get(table):
            return f"at the end {table} was expected to be {wanted.final.get(table)}, is {got.final.get(table)}"
    return "the final tables differ"


def _ends(completed: Iterable[Completed]) -> str:
    return ", ".join(f"{each.session} (step {each.step}, {each.errno or each.result})" for each in completed) or "none"
