"""Schedules: small scripts of several sessions. A schedule has one outcome, on MySQL and in the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal, Self

import msgspec

from chatsim.db.deadlock import Deadlock
from chatsim.worlds.world import WorldError

__all__ = [
    "AWAIT",
    "KILL",
    "Alternative",
    "BadScheduleError",
    "Blocked",
    "Completed",
    "FinalTable",
    "NotPlayedError",
    "Play",
    "Played",
    "Schedule",
    "ScheduleOutcome",
    "Step",
    "StepOutcome",
    "number_steps",
    "plain",
]

AWAIT = "@await"
"""In place of SQL: wait until the running statement of that session has ended."""

KILL = "@kill"
"""In place of SQL: the session's connection dies. Its transaction is rolled back, and it connects anew."""

SETUP = "setup"
"""The name in a line of `Schedule.of` that is no session: its statements run first."""

Value = int | float | str | None

LockRow = tuple[str, str, str | None, str, str, str, str | None]
"""A row of performance_schema.data_locks: session, table, index, RECORD or TABLE, mode, GRANTED or WAITING, data."""


class BadScheduleError(ValueError):
    """A file is not a schedule. The message names the file and the place."""


UNREADABLE = frozenset({1055, 1356})
"""Errors of a view that can't be read, by its query or since its tables are gone: an outcome does not have its rows."""


class NotPlayedError(WorldError):
    """A schedule can't be played to its end in a world.

    Args:
        name: of the schedule.
        reason: why the step can't be played.
        step: the step; None if it is a statement of the setup.
        before: the outcomes of the steps before it.

    Attributes:
        reason, step, before: as given.
    """

    def __init__(self, name: str, reason: str, step: Step | None = None, before: Sequence[StepOutcome] = ()) -> None:
        place = f"the setup of {name} fails" if step is None else f"{name}, step {step.n} ({step.session}: {step.sql})"
        super().__init__(f"{place}: {reason}")
        self.reason = reason
        self.step = step
        self.before = list(before)


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement of one session.

    Attributes:
        n: its number, from 1.
        session: the session that runs it.
        sql: the statement, or `AWAIT` or `KILL`.
    """

    n: int
    session: str
    sql: str


class Completed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A statement that has ended.

    Attributes:
        session: its session.
        step: the number of its step.
        result: ``ok``, ``rows`` or ``error``.
        affected: the number of changed rows, if ok.
        insert_id: the AUTO_INCREMENT value that it took, if any.
        rows: the rows that it read.
        errno: MySQL's number of the error.
        message: the text of the error.
        warnings: the numbers of its warnings.
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

    @classmethod
    def succeeded(
        cls,
        session: str,
        step: int,
        *,
        rows: Iterable[Iterable[object]] | None,
        affected: int,
        insert_id: int,
        warnings: Iterable[int],
    ) -> Self:
        """A statement that was no error; it read something unless ``rows`` is None."""
        numbers = sorted(set(warnings)) or None
        if rows is not None:
            return cls(session, step, "rows", rows=plain(rows), warnings=numbers)
        return cls(session, step, "ok", affected=affected, insert_id=insert_id or None, warnings=numbers)


class Blocked(msgspec.Struct, frozen=True):
    """A waiting statement: its step, what it waits on (``lock``, ``user_lock``, ``metadata_lock``), and for whom."""

    step: int
    on: Literal["lock", "user_lock", "metadata_lock"]
    by: list[str]


class StepOutcome(msgspec.Struct, frozen=True):
    """The state after a step, when all sessions have settled.

    Attributes:
        n: the step's number.
        completed: the statements of all sessions that have ended during the step.
        blocked: the waiting statements, by session.
        locks: the locks that are held and waited for; None if they are not compared.
    """

    n: int
    completed: list[Completed]
    blocked: dict[str, Blocked]
    locks: list[LockRow] | None = None


class FinalTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table after the last step, when all sessions have ended."""

    columns: list[str]
    rows: list[list[Value]]
    next_auto_increment: int | None = None


class ScheduleOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outcome of a schedule.

    Attributes:
        steps: the state after each step.
        final: the tables after the last step, by name.
        deadlocks: the deadlocks that ended in error 1213, by the step at which they did; several if a step has closed
            several cycles of waits. The transactions have the names of their sessions. They are not compared.
    """

    steps: list[StepOutcome]
    final: dict[str, FinalTable]
    deadlocks: dict[int, list[Deadlock]] = msgspec.field(default_factory=dict, name="deadlocks_by_step")


class Alternative(msgspec.Struct, frozen=True):
    """An outcome that a server has also had: how often, in as many runs as all alternatives together."""

    expected: ScheduleOutcome
    count: int = 1


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A script, and its outcome if it is known.

    Attributes:
        id: its name.
        title: what it shows.
        isolation: the isolation level of all sessions at the beginning.
        purge: ``eager``: after each step, everything that no read view needs is purged; ``held``: nothing is purged.
        lock_wait_timeout: the lock wait timeout, in seconds.
        server: settings of the server that matter.
        setup: statements that run first.
        sessions: the names of the sessions; each has a connection.
        steps: the steps, in order.
        expected: the expected outcome.
        alternatives: the outcomes that a race within the server allows besides.
        mysql: the version of the server on which the outcome was recorded.
        concurrent_wakeups: steps that free several waiters at once, so that the order is a race.
        unstable_locks_at: steps whose locks differ between runs.
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
    alternatives: list[Alternative] = msgspec.field(default_factory=list)
    mysql: str = ""
    concurrent_wakeups: list[int] = msgspec.field(default_factory=list)
    unstable_locks_at: list[int] = msgspec.field(default_factory=list)

    @classmethod
    def of(cls, script: str, *, setup: Sequence[str] = (), name: str = "schedule", **options: Any) -> Self:
        """A schedule from lines of ``session: SQL``.

        Args:
            script: the steps; empty lines are left out. A line ``setup: SQL`` is no step, but runs first.
            setup: statements that run before those.
            name: its id.
            options: the other fields.

        Raises:
            BadScheduleError: a line has no session.
        """
        steps: list[tuple[str, str]] = []
        first = list(setup)
        for line in filter(str.strip, script.splitlines()):
            session, colon, sql = line.strip().partition(": ")
            if not colon or not session.isidentifier():
                raise BadScheduleError(f"{line.strip()!r} is not of the form 'session: SQL'")
            if session == SETUP:
                first.append(sql)
            else:
                steps.append((session, sql))
        sessions = list(dict.fromkeys(session for session, _ in steps))
        return cls(id=name, setup=first, sessions=sessions, steps=number_steps(steps), **options)

    def __post_init__(self) -> None:
        if [step.n for step in self.steps] != list(range(1, len(self.steps) + 1)):
            raise ValueError("the steps are not numbered 1, 2, 3 and so on")
        if unknown := {step.session for step in self.steps} - set(self.sessions):
            raise ValueError(f"a step is of session {min(unknown)!r}, which 'sessions' has not")


class Played(ScheduleOutcome, frozen=True, kw_only=True):
    """An outcome together with its schedule, so that it can be shown. A notebook shows it as a table of steps.

    Attributes:
        schedule: what was played.
    """

    schedule: Schedule

    def _repr_html_(self) -> str:
        from chatsim.conformance.display import html

        return html(self.schedule, self)


Play = Callable[[Schedule], ScheduleOutcome]
"""Plays a schedule in a world."""


def number_steps(steps: Iterable[tuple[str, str]]) -> list[Step]:
    """Sessions and statements as steps, numbered from 1."""
    return [Step(number, session, sql) for number, (session, sql) in enumerate(steps, 1)]


def plain(rows: Iterable[Iterable[object]]) -> list[list[Value]]:
    """Values as in JSON. A decimal without a fraction becomes a number."""
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: object) -> Value:
    match value:
        case None | int() | float():
            return value
        case str():
            return str(value)  # a JSON document of the model is a subclass, which can't be encoded
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case bytes():
            return value.decode(errors="replace")
    return str(value)
