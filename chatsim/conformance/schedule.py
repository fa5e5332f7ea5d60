"""Schedules: small multi-session scripts whose outcome is a fact, in either world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

__all__ = [
    "AWAIT",
    "BadScheduleError",
    "Blocked",
    "Completed",
    "FinalTable",
    "Play",
    "Schedule",
    "ScheduleOutcome",
    "Step",
    "StepOutcome",
    "number_steps",
    "plain",
    "read",
]

AWAIT = "@await"
"""In place of SQL: let time pass until that session's pending statement has ended."""

Value = int | float | str | None

LockRow = tuple[str, str, str | None, str, str, str, str | None]
"""As in performance_schema.data_locks: session, table, index, RECORD or TABLE, mode, GRANTED or WAITING, data."""


class BadScheduleError(ValueError):
    """A file is no schedule; the message names it and the place."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement of one session.

    Attributes:
        n: its number, from 1.
        session: who runs it.
        sql: the statement, or `AWAIT`.
    """

    n: int
    session: str
    sql: str


class Completed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A statement that has ended.

    Attributes:
        session: whose it was.
        step: the number of its step.
        result: ``ok``, ``rows`` or ``error``.
        affected: rows changed, when ok.
        insert_id: the AUTO_INCREMENT value that it took, if it did.
        rows: what it read.
        errno: MySQL's number of the error.
        message: the error's text.
        warnings: their numbers.
    """

    session: str
    step: int
    result: Literal["ok", "rows", "error"]
    affected: int | None = None
    insert_id: int | None = None
    rows: list[list[Value]] | None = None
    errno: int | None = None
    message: str | None = None
    warnings: list[int] | None = None


class Blocked(msgspec.Struct, frozen=True):
    """A statement that waits: since which step, on ``lock``, ``user_lock`` or ``metadata_lock``, for which sessions."""

    step: int
    on: Literal["lock", "user_lock", "metadata_lock"]
    by: list[str]


class StepOutcome(msgspec.Struct, frozen=True):
    """How things stand when all has settled after a step.

    Attributes:
        n: the step's number.
        completed: the statements that ended during it, also other sessions'.
        blocked: who waits.
        locks: the locks held and waited for; None when they are not compared.
    """

    n: int
    completed: list[Completed]
    blocked: dict[str, Blocked]
    locks: list[LockRow] | None = None


class FinalTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table after the last step, all sessions gone."""

    columns: list[str]
    rows: list[list[Value]]
    next_auto_increment: int | None = None


class ScheduleOutcome(msgspec.Struct, frozen=True):
    """What came of a schedule."""

    steps: list[StepOutcome]
    final: dict[str, FinalTable]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A script and, where it is known, its outcome.

    Attributes:
        id: its name.
        title: what it shows.
        isolation: the level that every session starts with.
        purge: ``eager``, after each step what no read view needs is gone; ``held``, a read view keeps all.
        lock_wait_timeout: in seconds.
        server: settings of the server that matter.
        setup: statements run first.
        sessions: their names; each has a connection.
        steps: in order.
        expected: the outcome.
        mysql: the version of the server that it was recorded on.
        concurrent_wakeups: steps that free several waiters at once: who is first is a race.
        unstable_locks_at: steps whose locks differed between runs.
    """

    id: str
    title: str = ""
    isolation: str = "REPEATABLE READ"
    purge: Literal["eager", "held"] = "eager"
    lock_wait_timeout: int = 50
    server: dict[str, int | str] = msgspec.field(default_factory=dict)
    setup: list[str] = msgspec.field(default_factory=list)
    sessions: list[str]
    steps: list[Step]
    expected: ScheduleOutcome | None = None
    mysql: str = ""
    concurrent_wakeups: list[int] = msgspec.field(default_factory=list)
    unstable_locks_at: list[int] = msgspec.field(default_factory=list)

    @classmethod
    def of(cls, script: str, *, setup: Sequence[str] = (), name: str = "schedule", **options: Any) -> Self:
        """A schedule from lines of ``session: SQL``.

        Args:
            script: the steps; empty lines are left out.
            setup: statements run first.
            name: its id.
            options: the other fields.

        Raises:
            BadScheduleError: a line has no session.
        """
        steps: list[Step] = []
        for line in filter(str.strip, script.splitlines()):
            session, colon, sql = line.strip().partition(": ")
            if not colon or not session.isidentifier():
                raise BadScheduleError(f"{line.strip()!r} is not of the form 'session: SQL'")
            steps.append(Step(len(steps) + 1, session, sql))
        sessions = list(dict.fromkeys(step.session for step in steps))
        return cls(id=name, setup=list(setup), sessions=sessions, steps=steps, **options)

    def __post_init__(self) -> None:
        if [step.n for step in self.steps] != list(range(1, len(self.steps) + 1)):
            raise ValueError("the steps are not numbered 1, 2, 3 and so on")
        if unknown := {step.session for step in self.steps} - set(self.sessions):
            raise ValueError(f"a step is of session {min(unknown)!r}, which 'sessions' has not")


Play = Callable[[Schedule], ScheduleOutcome]
"""Plays a schedule in a world."""


def number_steps(steps: Iterable[tuple[str, str]]) -> list[Step]:
    """Sessions and statements as steps, numbered from 1."""
    return [Step(number, session, sql) for number, (session, sql) in enumerate(steps, 1)]


def read(path: Path) -> Schedule:
    """The schedule of a JSON file. Raises `BadScheduleError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Schedule)
    except OSError as error:
        raise BadScheduleError(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadScheduleError(f"{path}: {error}") from error


def plain(rows: Iterable[Iterable[object]]) -> list[list[Value]]:
    """Values as JSON has them; a decimal without a fraction is a number."""
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: object) -> Value:
    match value:
        case None | int() | float() | str():
            return value
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case bytes():
            return value.decode(errors="replace")
    return str(value)
