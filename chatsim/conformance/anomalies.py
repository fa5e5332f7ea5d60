"""What each isolation level prevents, tried out: M. Kleppmann's Hermitage, after A. Adya's phenomena, as schedules.

An anomaly is a script of two or three sessions that tries to bring it about, and a way to tell from the outcome whether
it did. A session that has to wait goes on later; one that is refused goes on no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chatsim.conformance.schedule import Completed, Play, Schedule, ScheduleOutcome, Step
from chatsim.db.session import Isolation

__all__ = ["ANOMALIES", "IsolationAnomaly", "arrange", "happened", "matrix"]

Results = Mapping[int, Completed]

_SETUP = ["CREATE TABLE test (id INT PRIMARY KEY, value INT) ENGINE=InnoDB", "INSERT INTO test VALUES (1, 10), (2, 20)"]


@dataclass(frozen=True)
class IsolationAnomaly:
    """Something that serial transactions would never show.

    Attributes:
        name: Adya's, or Hermitage's.
        title: what it is.
        steps: session and statement, in the order in which they are tried.
        shows: whether the answers to the steps, by their numbers from 1, and the final values show it.
    """

    name: str
    title: str
    steps: Sequence[tuple[str, str]]
    shows: Callable[[Results, Mapping[int, int]], bool]


def _script(text: str) -> list[tuple[str, str]]:
    """Lines of ``session: SQL`` as steps; each session begins a transaction first."""
    steps = [(step.session, step.sql) for step in Schedule.of(text).steps]
    begins = [(session, "BEGIN") for session in dict.fromkeys(session for session, _ in steps)]
    return [*begins, *steps]


def _read(results: Results, step: int) -> list[int]:
    """The last column of what a step read; nothing if it failed, or was never reached."""
    found = results.get(step)
    return [] if found is None or found.rows is None else [int(str(row[-1])) for row in found.rows]


def _worked(results: Results, *steps: int) -> bool:
    return all(step in results and results[step].result != "error" for step in steps)


ANOMALIES = [
    IsolationAnomaly(
        "G0",
        "dirty write: two transactions' writes are interleaved",
        _script("""
            a: UPDATE test SET value = 11 WHERE id = 1
            b: UPDATE test SET value = 12 WHERE id = 1
            a: UPDATE test SET value = 21 WHERE id = 2
            a: COMMIT
            b: UPDATE test SET value = 22 WHERE id = 2
            b: COMMIT
        """),
        lambda _, final: (final[1], final[2]) in ((11, 22), (12, 21)),
    ),
    IsolationAnomaly(
        "G1a",
        "aborted read: what is rolled back was read",
        _script("""
            a: UPDATE test SET value = 101 WHERE id = 1
            b: SELECT * FROM test
            a: ROLLBACK
            b: COMMIT
        """),
        lambda results, _: 101 in _read(results, 4),
    ),
    IsolationAnomaly(
        "G1b",
        "intermediate read: what was not the last write was read",
        _script("""
            a: UPDATE test SET value = 101 WHERE id = 1
            b: SELECT * FROM test
            a: UPDATE test SET value = 11 WHERE id = 1
            a: COMMIT
            b: COMMIT
        """),
        lambda results, _: 101 in _read(results, 4),
    ),
    IsolationAnomaly(
        "G1c",
        "circular information flow: each has read what the other wrote",
        _script("""
            a: UPDATE test SET value = 11 WHERE id = 1
            b: UPDATE test SET value = 22 WHERE id = 2
            a: SELECT * FROM test WHERE id = 2
            b: SELECT * FROM test WHERE id = 1
            a: COMMIT
            b: COMMIT
        """),
        lambda results, _: _read(results, 5) == [22] and _read(results, 6) == [11],
    ),
    IsolationAnomaly(
        "OTV",
        "observed transaction vanishes: seen in one row, not in the next",
        _script("""
            a: UPDATE test SET value = 11 WHERE id = 1
            a: UPDATE test SET value = 19 WHERE id = 2
            b: UPDATE test SET value = 12 WHERE id = 1
            a: COMMIT
            c: SELECT * FROM test WHERE id = 1
            c: SELECT * FROM test WHERE id = 2
            b: UPDATE test SET value = 18 WHERE id = 2
            b: COMMIT
            c: COMMIT
        """),
        lambda results, _: _read(results, 8) == [12] and _read(results, 9) == [19],
    ),
    IsolationAnomaly(
        "PMP",
        "predicate-many-preceders: a row appears that a condition has not found before",
        _script("""
            a: SELECT * FROM test WHERE value = 30
            b: INSERT INTO test VALUES (3, 30)
            b: COMMIT
            a: SELECT * FROM test WHERE value % 3 = 0
            a: COMMIT
        """),
        lambda results, _: _read(results, 6) == [30],
    ),
    IsolationAnomaly(
        "PMP, writing",
        "a DELETE meets a row that its transaction's reads do not",
        _script("""
            b: SELECT * FROM test WHERE value = 20
            a: UPDATE test SET value = value + 10
            b: DELETE FROM test WHERE value = 20
            a: COMMIT
            b: COMMIT
        """),
        lambda results, final: _worked(results, 3, 5) and results[3].rows == [[2, 20]] and 1 not in final,
    ),
    IsolationAnomaly(
        "P4",
        "lost update: both write what they have read before either wrote",
        _script("""
            a: SELECT * FROM test WHERE id = 1
            b: SELECT * FROM test WHERE id = 1
            a: UPDATE test SET value = 11 WHERE id = 1
            b: UPDATE test SET value = 12 WHERE id = 1
            a: COMMIT
            b: COMMIT
        """),
        lambda results, _: _worked(results, 5, 6, 7, 8),
    ),
    IsolationAnomaly(
        "G-single",
        "read skew: one row from before another transaction, one from after it",
        _script("""
            a: SELECT * FROM test WHERE id = 1
            b: UPDATE test SET value = 12 WHERE id = 1
            b: UPDATE test SET value = 18 WHERE id = 2
            b: COMMIT
            a: SELECT * FROM test WHERE id = 2
            a: COMMIT
        """),
        lambda results, _: _read(results, 3) == [10] and _read(results, 7) == [18],
    ),
    IsolationAnomaly(
        "G-single, writing",
        "a DELETE misses a row that its transaction's reads show",
        _script("""
            a: SELECT * FROM test
            b: UPDATE test SET value = 12 WHERE id = 1
            b: UPDATE test SET value = 18 WHERE id = 2
            b: COMMIT
            a: DELETE FROM test WHERE value = 20
            a: COMMIT
        """),
        lambda results, _: _read(results, 3) == [10, 20] and _worked(results, 4, 5, 6) and results[7].affected == 0,
    ),
    IsolationAnomaly(
        "G2-item",
        "write skew: each writes a row that the other has read",
        _script("""
            a: SELECT * FROM test WHERE id IN (1, 2)
            b: SELECT * FROM test WHERE id IN (1, 2)
            a: UPDATE test SET value = 11 WHERE id = 1
            b: UPDATE test SET value = 21 WHERE id = 2
            a: COMMIT
            b: COMMIT
        """),
        lambda results, _: _worked(results, 5, 6, 7, 8),
    ),
    IsolationAnomaly(
        "G2",
        "anti-dependency cycle: each inserts what the other's condition would have found",
        _script("""
            a: SELECT * FROM test WHERE value % 3 = 0
            b: SELECT * FROM test WHERE value % 3 = 0
            a: INSERT INTO test VALUES (3, 30)
            b: INSERT INTO test VALUES (4, 42)
            a: COMMIT
            b: COMMIT
        """),
        lambda _, final: {3, 4} <= final.keys(),
    ),
]


def arrange(anomaly: IsolationAnomaly, level: Isolation, play: Play) -> tuple[Schedule, list[int]]:
    """The anomaly as a schedule at a level: who waits goes on when it can, who was refused no further.

    Args:
        anomaly: which.
        level: of all its sessions.
        play: plays a schedule; called for each step.

    Returns:
        The schedule, and for each of its steps the number that it has in the anomaly.
    """
    done: list[Step] = []
    numbers: list[int] = []
    todo = [(number, *step) for number, step in enumerate(anomaly.steps, start=1)]
    waiting: Iterable[str] = ()
    refused: set[str] = set()
    while todo:
        place = next((at for at, (_, session, _) in enumerate(todo) if session not in waiting), None)
        if place is None:
            break
        number, session, sql = todo.pop(place)
        if session in refused:
            continue
        done.append(Step(len(done) + 1, session, sql))
        numbers.append(number)
        last = play(_schedule(anomaly, level, done)).steps[-1]
        waiting = last.blocked
        refused |= {each.session for each in last.completed if each.result == "error"}
    return _schedule(anomaly, level, done), numbers


def happened(anomaly: IsolationAnomaly, outcome: ScheduleOutcome, numbers: Sequence[int]) -> bool:
    """Whether an outcome of the schedule that `arrange` made shows the anomaly."""
    ended = {numbers[each.step - 1]: each for step in outcome.steps for each in step.completed}
    final = {int(str(row[0])): int(str(row[1])) for row in outcome.final["test"].rows}
    return anomaly.shows(ended, final)


def matrix(play: Play, arranging: Play) -> dict[str, dict[str, bool]]:
    """By anomaly and level, whether it happens.

    Args:
        play: plays a schedule in the world that is asked.
        arranging: plays the many trials that it takes to arrange one; the model is quick at it.
    """
    found: dict[str, dict[str, bool]] = {}
    for anomaly in ANOMALIES:
        row = found[anomaly.name] = {}
        for level in Isolation:
            schedule, numbers = arrange(anomaly, level, arranging)
            row[level.value] = happened(anomaly, play(schedule), numbers)
    return found


def _schedule(anomaly: IsolationAnomaly, level: Isolation, steps: Sequence[Step]) -> Schedule:
    sessions = list(dict.fromkeys(session for session, _ in anomaly.steps))
    return Schedule(
        id=f"{anomaly.name}, {level.value}",
        title=anomaly.title,
        isolation=level.value,
        setup=_SETUP,
        sessions=sessions,
        steps=list(steps),
    )
