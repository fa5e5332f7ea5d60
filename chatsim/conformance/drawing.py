"""Schedules that chance draws, played in two worlds; where these disagree, the smallest schedule that still shows it.

A schedule is drawn from Hypothesis' strategies, as SQL over one or two small tables with small values, so that sessions
collide. What is drawn is a wish: the model says which steps can't be had, since their session waits, and where two
waiters are freed at once, and `completed` leaves these out. Thus what remains has one outcome, and only one.

The grammar avoids what a server may answer in several ways, as LIMIT without an order. What is left of that kind is
found by playing a disagreement on the server again: where it disagrees with itself, nobody is wrong.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import Flaky
from tqdm.auto import tqdm

from chatsim.conformance.comparison import LEVELS, Comparison, compare, without_row_ids
from chatsim.conformance.schedule import Completed, Schedule, ScheduleOutcome, Step, StepOutcome
from chatsim.worlds.world import WorldError

__all__ = ["BrokenError", "Disagreement", "Play", "Report", "Search", "completed", "schedules"]

Play = Callable[[Schedule], ScheduleOutcome]
"""How a world plays a schedule."""

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]

_NAMES = "abcdefgh"
_MOST_ROWS = 8
_MOST_STEPS = 14
_AUTO = "AUTO_INCREMENT"
_DEADLOCK = 1213
_LOCKS_AGREE = 0.98
_AGAIN = 5
"""So often the server must repeat what the model does not do, before the model is blamed."""
_DRAWN_AGAIN = 5
"""So many smaller schedules are drawn for each that patience allows to play on the server; many come to the same."""
_BYTES = 1 << 13
"""Of chance for one schedule, which takes a few hundred."""


# --- tables


@dataclass(frozen=True)
class _Column:
    name: str
    text: bool = False
    nullable: bool = True
    auto: bool = False

    @property
    def sql(self) -> str:
        kind = "VARCHAR(8)" if self.text else "INT"
        return f"{self.name} {kind}{'' if self.nullable else ' NOT NULL'}{f' {_AUTO}' if self.auto else ''}"


@dataclass(frozen=True)
class _Key:
    columns: tuple[str, ...]
    unique: bool = False
    name: str = ""

    @property
    def called(self) -> str:
        return self.name or "_".join(("by", *self.columns))

    @property
    def sql(self) -> str:
        columns = ", ".join(self.columns)
        if self.name:
            return f"PRIMARY KEY ({columns})"
        return f"{'UNIQUE ' if self.unique else ''}KEY {self.called} ({columns})"


@dataclass(frozen=True)
class _Shape:
    columns: tuple[_Column, ...]
    keys: tuple[_Key, ...]
    more: tuple[str, ...] = ()


def _primary(*columns: str) -> _Key:
    return _Key(columns, unique=True, name="PRIMARY")


def _number(name: str) -> _Column:
    return _Column(name, nullable=False)


_SHAPES = (
    _Shape(
        (_number("id"), _Column("u"), _Column("k"), _Column("v")),
        (_primary("id"), _Key(("u",), unique=True), _Key(("k",))),
    ),
    _Shape(
        (_number("a"), _number("b"), _Column("c"), _Column("v")),
        (_primary("a", "b"), _Key(("c", "b"))),
    ),
    _Shape(
        (_number("id"), _number("u"), _Column("w"), _Column("v")),
        (_primary("id"), _Key(("u",), unique=True), _Key(("w", "u"), unique=True)),
    ),
    _Shape((_Column("k"), _Column("u"), _Column("v")), (_Key(("k",)), _Key(("u",), unique=True))),
    _Shape(
        (_number("id"), _Column("k"), _Column("m"), _Column("v")),
        (_primary("id"), _Key(("k",)), _Key(("m",))),
    ),
    _Shape(
        (_number("id"), _number("k"), _number("n"), _Column("v")),
        (_primary("id"), _Key(("k",)), _Key(("k", "n"), unique=True)),
    ),
    _Shape(
        (_Column("id", nullable=False, auto=True), _Column("u"), _Column("v")),
        (_primary("id"), _Key(("u",), unique=True)),
    ),
    _Shape(
        (_Column("n", text=True, nullable=False), _Column("m", text=True), _Column("u"), _Column("v")),
        (_primary("n"), _Key(("m",)), _Key(("u",), unique=True)),
    ),
)
_PARENT = _Shape((_number("id"), _Column("v")), (_primary("id"),))
_REFERENCE = "CONSTRAINT of_{name} FOREIGN KEY (p) REFERENCES {parent} (id){action}"
_ACTIONS = ("", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE")


@dataclass(frozen=True)
class _Table:
    name: str
    shape: _Shape

    @property
    def create(self) -> str:
        parts = [*(each.sql for each in self.shape.columns), *(each.sql for each in self.shape.keys), *self.shape.more]
        return f"CREATE TABLE {self.name} ({', '.join(parts)}) ENGINE=InnoDB"

    def column(self, name: str) -> _Column:
        return next(each for each in self.shape.columns if each.name == name)

    @property
    def names(self) -> str:
        return ", ".join(each.name for each in self.shape.columns)


def _tables(draw: Draw[Any], *, foreign_keys: bool) -> list[_Table]:
    if foreign_keys:
        more = _REFERENCE.format(name="s", parent="t", action=draw(st.sampled_from(_ACTIONS)))
        child = _Shape((_number("id"), _Column("p"), _Column("v")), (_primary("id"), _Key(("p",))), (more,))
        return [_Table("t", _PARENT), _Table("s", child)]
    shapes = draw(st.lists(st.sampled_from(_SHAPES), min_size=1, max_size=2))
    return [_Table(name, shape) for name, shape in zip("ts", shapes, strict=False)]


# --- values and conditions

_WORDS = ("a", "B", "b", "A", "ab", "Ab", "c", "D")
_VALUES = st.integers(1, 9)
_OPERATORS = ("=", "=", "=", ">=", ">", "<=", "<", "BETWEEN", "IN", "IS", "<>", "NOT IN", "OR")


def _once_in(draw: Draw[Any], times: int) -> bool:
    """Something rare; that it does not happen is simpler."""
    return bool(draw(st.integers(0, times - 1)) == times - 1)


def _value(draw: Draw[Any], column: _Column, *, nulls: int = 8) -> int | str | None:
    """One in ``nulls`` is NULL, where it may be."""
    if (column.nullable or column.auto) and _once_in(draw, nulls):
        return None
    return draw(st.sampled_from(_WORDS) if column.text else _VALUES)  # type: ignore[no-any-return]


def _literal(value: int | str | None) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def _known(draw: Draw[Any], column: _Column) -> str:
    """A value to look for; also one beside those that rows have."""
    return _literal(draw(st.sampled_from(_WORDS) if column.text else st.integers(0, 10)))


def _test(draw: Draw[Any], column: _Column) -> str:
    operator = draw(st.sampled_from(_OPERATORS))
    match operator:
        case "BETWEEN":
            ends = [_known(draw, column), _known(draw, column)]
            low, high = ends if _once_in(draw, 8) else sorted(ends, key=lambda end: (len(end), end.lower()))
            return f"{column.name} BETWEEN {low} AND {high}"
        case "IN" | "NOT IN":
            count = draw(st.integers(2, 3))
            return f"{column.name} {operator} ({', '.join(_known(draw, column) for _ in range(count))})"
        case "OR":
            low, high = (f"{column.name} {sign} {_known(draw, column)}" for sign in ("<", draw(st.sampled_from("=>"))))
            return f"({low} OR {high})"
        case "IS":
            return f"{column.name} IS NULL" if column.nullable else f"{column.name} = {_known(draw, column)}"
    return f"{column.name} {operator} {_known(draw, column)}"


@dataclass(frozen=True)
class _Found:
    """Which rows a statement looks for, and by which index."""

    key: _Key
    forced: bool
    where: str

    @property
    def hint(self) -> str:
        return f" FORCE INDEX ({self.key.called})" if self.forced else ""


def _found(draw: Draw[Any], table: _Table, *, forced: bool) -> _Found:
    """The rows that a condition on an index gives."""
    key = draw(st.sampled_from(table.shape.keys))
    tests = [_test(draw, table.column(key.columns[0]))]
    if len(key.columns) > 1 and draw(st.booleans()):
        tests.append(_test(draw, table.column(key.columns[1])))
    if _once_in(draw, 5):
        tests.append(_test(draw, table.shape.columns[-1]))
    asked = " AND ".join(tests)
    if _once_in(draw, 4):
        other = _test(draw, table.column(draw(st.sampled_from(table.shape.keys)).columns[0]))
        asked = f"{asked} AND {other}" if draw(st.booleans()) else f"({asked} OR {other})"
    where = "" if _once_in(draw, 10) else f" WHERE {asked}"
    return _Found(key, forced, where)


def _order(draw: Draw[Any], table: _Table, found: _Found) -> str:
    """An order without ties, or one that the forced index has; only then a limit has one meaning."""
    if _once_in(draw, 4):
        key = found.key if found.forced else table.shape.keys[0]
        if key.name or found.forced:
            down = draw(st.sampled_from(("", " DESC")))
            limit = draw(st.sampled_from(("", " LIMIT 1", " LIMIT 2")))
            return f" ORDER BY {', '.join(f'{name}{down}' for name in key.columns)}{limit}"
    return ""


# --- statements

_LOCKING = ("FOR UPDATE", "FOR SHARE", "", "FOR UPDATE NOWAIT", "FOR UPDATE SKIP LOCKED", "FOR SHARE SKIP LOCKED")


def _often_forced(draw: Draw[Any]) -> bool:
    return not _once_in(draw, 3)


def _select(draw: Draw[Any], tables: Sequence[_Table]) -> str:
    table = draw(st.sampled_from(tables))
    found = _found(draw, table, forced=_often_forced(draw))
    columns = draw(st.sampled_from(("*", ", ".join(found.key.columns))))
    locking = draw(st.sampled_from(_LOCKING))
    sql = f"SELECT {columns} FROM {table.name}{found.hint}{found.where}{_order(draw, table, found)}"  # noqa: S608
    return f"{sql} {locking}".strip()


def _row(draw: Draw[Any], table: _Table) -> tuple[int | str | None, ...]:
    return tuple(_value(draw, each, nulls=2 if each.auto else 8) for each in table.shape.columns)


def _rows(draw: Draw[Any], table: _Table) -> str:
    count = draw(st.sampled_from((1, 1, 1, 2, 3)))
    rows = [_row(draw, table) for _ in range(count)]
    return ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)


def _insert(draw: Draw[Any], tables: Sequence[_Table]) -> str:
    table = draw(st.sampled_from(tables))
    verb = draw(st.sampled_from(("INSERT", "INSERT", "INSERT", "INSERT IGNORE", "REPLACE", "UPSERT")))
    more = f" ON DUPLICATE KEY UPDATE {_assignments(draw, table)}" if verb == "UPSERT" else ""
    verb = "INSERT" if verb == "UPSERT" else verb
    if _once_in(draw, 8):
        return f"{verb} INTO {table.name} ({table.names}) {_copied(draw, table, draw(st.sampled_from(tables)))}"
    return f"{verb} INTO {table.name} ({table.names}) VALUES {_rows(draw, table)}{more}"


def _copied(draw: Draw[Any], table: _Table, source: _Table) -> str:
    """A SELECT of rows for ``table``."""
    found = _found(draw, source, forced=True)
    columns = ", ".join(_filled(draw, each, source) for each in table.shape.columns)
    return f"SELECT {columns} FROM {source.name}{found.hint}{found.where}"  # noqa: S608


def _filled(draw: Draw[Any], column: _Column, source: _Table) -> str:
    """What an INSERT ... SELECT puts into a column."""
    if column.auto:
        return "NULL"
    alike = [
        each for each in source.shape.columns if each.text == column.text and not (each.nullable > column.nullable)
    ]
    if not alike or draw(st.booleans()):
        return _literal(_value(draw, column))
    name = draw(st.sampled_from(alike)).name
    more = 0 if column.text else draw(st.integers(0, 5))
    return f"{name} + {more}" if more else str(name)


def _assignments(draw: Draw[Any], table: _Table) -> str:
    columns = draw(
        st.lists(st.sampled_from(table.shape.columns[::-1]), min_size=1, max_size=2, unique_by=lambda each: each.name)
    )
    return ", ".join(_assignment(draw, each) for each in columns)


def _assignment(draw: Draw[Any], column: _Column) -> str:
    if not column.text and _once_in(draw, 4):
        return f"{column.name} = {column.name} + {draw(st.integers(0, 3))}"
    if column.auto:
        return f"{column.name} = {draw(_VALUES)}"
    return f"{column.name} = {_literal(_value(draw, column))}"


def _update(draw: Draw[Any], tables: Sequence[_Table]) -> str:
    table = draw(st.sampled_from(tables))
    found = _found(draw, table, forced=_often_forced(draw))
    order = _order(draw, table, found)
    return f"UPDATE {table.name}{found.hint} SET {_assignments(draw, table)}{found.where}{order}"  # noqa: S608


def _delete(draw: Draw[Any], tables: Sequence[_Table]) -> str:
    table = draw(st.sampled_from(tables))
    found = _found(draw, table, forced=False)  # DELETE knows no such hint
    return f"DELETE FROM {table.name}{found.where}{_order(draw, table, found)}"  # noqa: S608


_Statement = Callable[[Draw[Any], Sequence[_Table]], str]


def _always(sql: str) -> _Statement:
    return lambda _, __: sql


_STATEMENTS: tuple[_Statement, ...] = (
    *([_select] * 5),
    *([_insert] * 6),
    *([_update] * 4),
    *([_delete] * 2),
    *([_always("COMMIT")] * 2),
    _always("ROLLBACK"),
    _always("SAVEPOINT one"),
    _always("ROLLBACK TO one"),
)

# --- schedules

_ISOLATIONS = (*["REPEATABLE READ"] * 4, *["READ COMMITTED"] * 4, "SERIALIZABLE", "READ UNCOMMITTED")


@st.composite
def schedules(draw: Draw[Any], sessions: tuple[int, int] = (2, 4), *, foreign_keys: bool = False) -> Schedule:
    """Schedules as they are drawn: steps may yet go to sessions that wait, see `completed`.

    Args:
        draw: Hypothesis' own.
        sessions: how many, at least and at most.
        foreign_keys: the tables are a parent and its child.
    """
    tables = _tables(draw, foreign_keys=foreign_keys)
    names = _NAMES[: draw(st.integers(*sessions))]
    isolation: str = draw(st.sampled_from(_ISOLATIONS))
    purge: Literal["eager", "held"] = draw(st.sampled_from(("eager", "eager", "eager", "held")))
    setup = [each.create for each in tables] + [sql for each in tables for sql in _filling(draw, each)]
    step = _steps(names, tables)
    steps = draw(st.lists(step, min_size=1, max_size=_MOST_STEPS)) + draw(st.lists(step, max_size=_MOST_STEPS))
    autocommit = draw(st.sets(st.sampled_from(names), max_size=1)) if _once_in(draw, 4) else set()
    return Schedule(
        id="generated",
        isolation=isolation,
        purge=purge,
        setup=setup,
        sessions=list(names),
        steps=_numbered(_with_begins(steps, autocommit)),
    )


@st.composite
def _steps(draw: Draw[Any], names: str, tables: Sequence[_Table]) -> tuple[str, str]:
    return draw(st.sampled_from(names)), draw(st.sampled_from(_STATEMENTS))(draw, tables)


def _filling(draw: Draw[Any], table: _Table) -> list[str]:
    """The statement that fills a table, if it gets rows; of rows that share a unique key the first stays."""
    rows: list[tuple[int | str | None, ...]] = []
    names = [each.name for each in table.shape.columns]
    for row in draw(st.lists(_full_row(table), max_size=_MOST_ROWS)):
        if not any(_collide(names, each, row, other) for each in table.shape.keys if each.unique for other in rows):
            rows.append(row)
    if not rows:
        return []
    told = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return [f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {told}"]  # noqa: S608


@st.composite
def _full_row(draw: Draw[Any], table: _Table) -> tuple[int | str | None, ...]:
    """A row whose primary key is given; a child has a parent, or none."""
    return tuple(
        draw(_VALUES) if each.auto else None if each.name == "p" else _value(draw, each) for each in table.shape.columns
    )


def _collide(names: Sequence[str], key: _Key, row: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two rows have the same values in a key; the letters' case is nothing to the collation."""
    places = [names.index(each) for each in key.columns]
    return all(row[at] is not None and str(row[at]).lower() == str(other[at]).lower() for at in places)


def _with_begins(steps: Iterable[tuple[str, str]], autocommit: set[str]) -> list[tuple[str, str]]:
    """Each session's statements in transactions, but for those of ``autocommit``."""
    found: list[tuple[str, str]] = []
    begun: set[str] = set(autocommit)
    for name, sql in steps:
        if sql in ("COMMIT", "ROLLBACK"):
            if name in autocommit or name not in begun:
                continue
            begun.discard(name)
        elif name not in begun:
            found.append((name, "BEGIN"))
            begun.add(name)
        found.append((name, sql))
    return found


def _numbered(steps: Iterable[tuple[str, str]]) -> list[Step]:
    return [Step(number, name, sql) for number, (name, sql) in enumerate(steps, 1)]


# --- what can be played, and has one outcome


class BrokenError(Exception):
    """The model breaks with an error of its own.

    Attributes:
        schedule: it breaks in the last step.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(f"the model breaks in step {len(schedule.steps)}")
        self.schedule = schedule


def completed(schedule: Schedule, model: Play) -> tuple[Schedule, ScheduleOutcome]:
    """What of a schedule can be played and has only one outcome, and what the model makes of it.

    Steps of sessions that wait are left out. It ends before the first step that wakes two, as who is first is not
    determined; and before a statement that would wait to the end, if it leaves something behind when it comes through
    while the sessions are ended: outside of a transaction, or where it takes an AUTO_INCREMENT value.

    Raises:
        WorldError: the model can't play it.
        BrokenError: the model breaks.
    """
    kept: list[Step] = []
    outcome = _played(model, msgspec.structs.replace(schedule, steps=[]))
    for step in schedule.steps:
        last = outcome.steps[-1] if outcome.steps else StepOutcome(0, [], {}, [])
        if step.session in last.blocked:
            continue
        longer = [*kept, Step(len(kept) + 1, step.session, step.sql)]
        tried = _played(model, msgspec.structs.replace(schedule, steps=longer))
        if _woken(last, tried.steps[-1], step.session) > 1:
            break
        kept, outcome = longer, tried
        if len(kept) == _MOST_STEPS:
            break
    counts = any(_AUTO in sql for sql in schedule.setup)
    sound = _without_loose_ends(kept, outcome, counts=counts)
    if len(sound) < len(kept):
        kept, outcome = sound, model(msgspec.structs.replace(schedule, steps=sound))
    used = [name for name in schedule.sessions if any(step.session == name for step in kept)]
    return msgspec.structs.replace(schedule, steps=kept, sessions=used or schedule.sessions[:1]), outcome


def _played(model: Play, schedule: Schedule) -> ScheduleOutcome:
    try:
        return model(schedule)
    except WorldError:
        raise
    except Exception as error:
        raise BrokenError(schedule) from error


def _woken(before: StepOutcome, after: StepOutcome, session: str) -> int:
    """How many of the others went on in a step: their statements ended, or wait for something else."""
    ended = {each.session for each in after.completed} - {session}
    moved = {
        name
        for name in before.blocked.keys() & after.blocked.keys()
        if before.blocked[name].step != after.blocked[name].step or _wanted(before, name) != _wanted(after, name)
    }
    return len(ended | moved)


def _wanted(outcome: StepOutcome, session: str) -> list[object]:
    return [lock for lock in outcome.locks or () if lock[0] == session and lock[-2] == "WAITING"]


def _without_loose_ends(steps: Sequence[Step], outcome: ScheduleOutcome, *, counts: bool) -> list[Step]:
    """The steps up to the last after which nobody waits outside of a transaction, nor at all where a table counts."""
    inside: set[str] = set()
    sound = 0
    asked = {step.n: step.sql for step in steps}
    for step, after in zip(steps, outcome.steps, strict=True):
        for each in after.completed:
            inside = _transactions(inside, each, asked[each.step])
        if after.blocked.keys() <= (set() if counts else inside):
            sound = step.n
    return list(steps[:sound])


def _transactions(inside: set[str], ended: Completed, sql: str) -> set[str]:
    """Who is in a transaction after a statement."""
    if ended.errno == _DEADLOCK or sql in ("COMMIT", "ROLLBACK"):
        return inside - {ended.session}
    return inside | {ended.session} if sql == "BEGIN" else inside


# --- row ids

# --- the search


@dataclass(frozen=True)
class Disagreement:
    """A schedule whose outcomes differ.

    Attributes:
        schedule: it expects what the server did.
        comparison: with what the model did.
        trouble: the model's own error, where it broke.
    """

    schedule: Schedule
    comparison: Comparison
    trouble: str | None = None

    @property
    def level(self) -> int:
        """The first of `LEVELS` at which they differ."""
        return next((level for level, each in enumerate(self.comparison.differences) if each), 0)

    def __str__(self) -> str:
        return self.trouble or next(each for each in self.comparison.differences if each)

    def like(self, other: Disagreement) -> bool:
        """Of the same kind: another cause is likely where this does not hold."""
        troubles = [(each.trouble or "").partition(":")[0] for each in (self, other)]
        return self.level == other.level and troubles[0] == troubles[1]

    def named(self, name: str) -> Disagreement:
        """The same, the schedule with a name, and the difference for a title."""
        return replace(self, schedule=msgspec.structs.replace(self.schedule, id=name, title=str(self)))


@dataclass
class Report:
    """What has come of a search so far.

    Attributes:
        played: how many schedules had one outcome on the server.
        unsettled: how many had several, and so say nothing.
        not_modelled: why the model could not play what it could not, and how often.
        differing: at each of `LEVELS`, how many schedules differ.
        disagreements: the shrunk ones, each once.
    """

    played: int = 0
    unsettled: int = 0
    not_modelled: Counter[str] = field(default_factory=Counter)
    differing: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Who waits and all rows always agree, and lock rows nearly always."""
        who, rows, locks = self.differing
        return not who and not rows and locks <= self.played * (1 - _LOCKS_AGREE)

    def count(self, found: Disagreement) -> None:
        """Note at which levels a schedule differs; where the model broke there is nothing to agree with."""
        for level, difference in enumerate(found.comparison.differences):
            self.differing[level] += difference is not None or found.trouble is not None

    def add(self, found: Disagreement) -> None:
        """Keep a shrunk disagreement, unless there is the same already."""
        if all(_content(found.schedule) != _content(each.schedule) for each in self.disagreements):
            self.disagreements.append(found)


class _UnsettledError(Exception):
    """The server does not do the same every time, or patience is at its end before one knows."""


class _NotModelledError(Exception):
    """The model says that it can't play a schedule."""


class _DisagreesError(Exception):
    """Tells Hypothesis that a schedule is of the kind that is looked for."""

    def __init__(self, found: Disagreement) -> None:
        super().__init__(str(found))
        self.found = found


class Search:
    """Draws schedules, plays each in both worlds, and makes each that differs as small as it goes.

    Args:
        server: how the world that is right plays a schedule.
        model: how the world that is tested does.
        seed: of all that is drawn. A schedule hangs on it and on its number, not on how many there are.
        sessions: how many, at least and at most.
        foreign_keys: the tables are a parent and its child.
        patience: so many schedules are played on the server to make one smaller.
    """

    def __init__(
        self,
        server: Play,
        model: Play,
        *,
        seed: int,
        sessions: tuple[int, int] = (2, 4),
        foreign_keys: bool = False,
        patience: int = 150,
    ) -> None:
        self._server: Play = lambda schedule: without_row_ids(server(schedule))
        self._model: Play = lambda schedule: without_row_ids(model(schedule))
        self._seed = seed
        self._strategy = schedules(sessions, foreign_keys=foreign_keys)
        self._patience = patience
        self._known: dict[bytes, Disagreement | _UnsettledError | None] = {}

    def run(self, count: int, report: Report, *, progress: bool = True) -> None:
        """Play schedules 1 to ``count``, adding to ``report`` what comes of each.

        Raises:
            WorldError: the server can't be used.
        """
        silent = not progress or "TQDM_DISABLE" in os.environ  # tqdm looks there only if it is not told
        with tqdm(total=count, unit="schedule", leave=False, miniters=1, disable=silent) as bar:
            for number in range(1, count + 1):
                self._known.clear()
                found = self._first(number, report)
                if found is not None:
                    bar.set_description(f"makes number {number} smaller")
                    name = f"generated-{self._seed}-{number}"
                    try:
                        found = self._shrunk(number, found)
                    finally:  # also after Ctrl-C
                        report.add(found.named(name))
                    bar.set_description()
                bar.update()

    def draw(self, number: int) -> Schedule:
        """The schedule of a number, as it is drawn."""
        drawn: list[Schedule] = []
        self._tell(self._test(drawn.append), number)
        return drawn[0]

    def _first(self, number: int, report: Report) -> Disagreement | None:
        """Play the schedule of a number as it is drawn."""
        try:
            found = self._judge(self.draw(number), self._patience)
        except _UnsettledError:
            report.unsettled += 1
            return None
        except _NotModelledError as error:
            report.not_modelled[str(error)] += 1
            return None
        report.played += 1
        if found is not None:
            report.count(found)
        return found

    # -- one schedule

    def _judge(self, drawn: Schedule, patience: int) -> Disagreement | None:
        """How the worlds disagree about a schedule, or None; it is played if fewer than ``patience`` were.

        Raises:
            _NotModelledError: the model can't play it.
            _UnsettledError: one can't know.
        """
        try:
            schedule, outcome = completed(drawn, self._model)
        except WorldError as error:
            raise _NotModelledError(str(error)) from error
        except BrokenError as error:
            schedule, outcome = error.schedule, None
        key = _content(schedule)
        if key not in self._known:
            if len(self._known) >= patience:
                raise _UnsettledError
            self._known[key] = self._both(schedule, outcome)
        known = self._known[key]
        if isinstance(known, _UnsettledError):
            raise known
        return known

    def _both(self, schedule: Schedule, outcome: ScheduleOutcome | None) -> Disagreement | _UnsettledError | None:
        """Play a schedule on the server, and where that is not the model's outcome play it again."""
        schedule, real = self._really(schedule)
        expecting = msgspec.structs.replace(schedule, expected=real)
        if outcome is None or len(real.steps) < len(outcome.steps):
            try:
                outcome = self._model(schedule)
            except Exception as error:  # noqa: BLE001
                nothing = Comparison(schedule.id, (None, None, None))
                return Disagreement(expecting, nothing, f"{type(error).__name__}: {error}")
        comparison = compare(expecting, outcome)
        if comparison.agrees:
            return None
        if not all(compare(expecting, self._server(schedule)).agrees for _ in range(_AGAIN)):
            return _UnsettledError()
        return Disagreement(expecting, comparison)

    def _really(self, schedule: Schedule) -> tuple[Schedule, ScheduleOutcome]:
        """What the server does; without the last steps, if there the model lets a session go on that really waits."""
        while True:
            try:
                return schedule, self._server(schedule)
            except WorldError:
                if not schedule.steps:
                    raise
                schedule = msgspec.structs.replace(schedule, steps=schedule.steps[:-1])

    # -- Hypothesis

    def _shrunk(self, number: int, found: Disagreement) -> Disagreement:
        """The smallest schedule that differs in the same way, as far as patience goes."""
        tried: dict[bytes, Disagreement | None] = {}

        def disagrees(drawn: Schedule) -> None:
            key = _content(drawn)
            if key not in tried and len(tried) < self._patience * _DRAWN_AGAIN:
                tried[key] = self._like(found, drawn, self._patience)
            if smaller := tried.get(key):
                raise _DisagreesError(smaller)

        test = self._test(disagrees)
        with suppress(_DisagreesError):
            self._tell(test, number)
        try:
            test()
        except _DisagreesError as error:
            found = error.found
        except Flaky:
            pass
        return self._without_needless_steps(found)

    def _like(self, found: Disagreement, drawn: Schedule, patience: int) -> Disagreement | None:
        """How the worlds disagree about another schedule, if in the same way."""
        try:
            other = self._judge(drawn, patience)
        except (_NotModelledError, _UnsettledError):
            return None
        return other if other is not None and other.like(found) else None

    def _without_needless_steps(self, found: Disagreement) -> Disagreement:
        """Also without what Hypothesis had no patience left to try, or can't: a BEGIN stands for itself here."""
        patience = len(self._known) + self._patience
        at = len(found.schedule.steps)
        while at:
            at -= 1
            steps = found.schedule.steps
            left = _numbered((each.session, each.sql) for each in steps[:at] + steps[at + 1 :])
            found = self._like(found, msgspec.structs.replace(found.schedule, steps=left), patience) or found
            at = min(at, len(found.schedule.steps))
        return found

    def _test(self, body: Callable[[Schedule], object]) -> Callable[[], None]:
        @settings(
            database=InMemoryExampleDatabase(),
            deadline=None,
            phases=[Phase.reuse, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
        )
        @seeded(self._seed)  # beneath the settings, as it would take the database away
        @given(self._strategy)
        def test(drawn: Schedule) -> None:
            body(drawn)

        return test

    def _tell(self, test: Callable[[], None], number: int) -> None:
        """Have Hypothesis run a test on the schedule of a number; where it fails, Hypothesis can shrink it after that.

        A test that is run in the usual way stops at its first failure, and there are to be as many as there are.
        """
        chance = np.random.default_rng([self._seed, number]).bytes(_BYTES)
        test.hypothesis.fuzz_one_input(chance)  # type: ignore[attr-defined]


def _content(schedule: Schedule) -> bytes:
    """What of a schedule makes its outcome."""
    return msgspec.json.encode(msgspec.structs.replace(schedule, id="", title="", expected=None))
