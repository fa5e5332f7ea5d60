"""The anomalies that isolation levels prevent, as schedules: M. Kleppmann's Hermitage, after A. Adya's phenomena.

Each is a script of two or three sessions that tries to bring the anomaly about, and a test of the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chatsim.conformance.schedule import Completed, Schedule

__all__ = ["ANOMALIES", "SETUP", "IsolationAnomaly"]

Results = Mapping[int, Completed]

SETUP = ["CREATE TABLE test (id INT PRIMARY KEY, value INT) ENGINE=InnoDB", "INSERT INTO test VALUES (1, 10), (2, 20)"]


@dataclass(frozen=True)
class IsolationAnomaly:
    """A phenomenon that transactions never show if they run one after the other.

    Attributes:
        name: its name in Adya's thesis, or in Hermitage.
        title: what it is.
        steps: sessions and their statements, in the order in which they are tried.
        shows: a function that tells from the results of the steps (by their numbers from 1) and the final values
            whether the anomaly has happened.
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
    """The last column of the rows that a step has read; empty if it failed or was not reached."""
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
