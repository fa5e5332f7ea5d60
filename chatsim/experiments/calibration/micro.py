"""Micro-measurements: small scripts of known content, each repeated by some callers for some time.

What a script costs of processor time is measured, and not worked out from latencies: it does not depend on who waits
for whom. Latencies are used where nobody waits: of one caller alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chatsim.chat.creation import NOOP, creation_strategy
from chatsim.db.errors import DatabaseError
from chatsim.db.text import characters, statements
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.together import side_by_side
from chatsim.experiments.variant import Variant
from chatsim.simulation.run_queues import COLD_AFTER
from chatsim.worlds.loading import insert
from chatsim.worlds.world import Costs, World, WorldError

if TYPE_CHECKING:
    from chatsim.db.session import Session

__all__ = ["CALLERS", "INTERPRETER", "MICROS", "Measurement", "Micro", "OwnWork", "measure", "own_works", "prepare"]

CALLERS = (1, 4, 16)
_SOME = (4,)
"""The callers of a script that only tells what the server, and this process, do for a kind of read."""

ROWS = 1_000
_READ = 100
_PARENTS = 3
_RACING, _TURNS = 8, 100
_OWN = 4
"""Rows that each caller changes: nobody else's."""

_TEXT, _SAID = "a text as long as what people write to each other in the evening", "2026-01-01 00:00:00"

INTERPRETER = "interpreter"
_DATABASE = "CPU of database"


@dataclass(frozen=True)
class Micro:
    """A script that is repeated.

    Attributes:
        name: what it does, in words.
        sql: its statements, in one round trip.
        args: its arguments, of a caller with a number from 0 up.
        tables: how many tables its statements open.
        written: how many index entries it inserts, changes or deletes.
        undone: how many of these are undone.
        commits: how many commits with changes it has.
        temporaries: how many temporary tables it makes.
        fetched: how many rows it reads because an entry of another index leads to them.
        values: how many values it is sent.
        callers: the numbers of callers that repeat it.
        pause: how many seconds a caller waits before each run of it.
    """

    name: str
    sql: str
    args: Callable[[int], Sequence[object]] = lambda _: ()
    tables: int = 0
    written: int = 0
    undone: int = 0
    commits: int = 0
    temporaries: int = 0
    fetched: int = 0
    values: int = 0
    callers: Sequence[int] = CALLERS
    pause: float = 0.0

    @property
    def characters(self) -> int:
        """The characters of its statements, without blanks."""
        return sum(map(characters, statements(self.sql)))


_TEXT_COLUMNS, _LONG = 4, 7

_CHANGE = "UPDATE calibration SET v = v + 1 WHERE id = ?"


def _own(caller: int) -> list[int]:
    return [1 + caller * _OWN + at for at in range(_OWN)]


_SCRIPTS = (
    Micro("nothing", "DO 0"),
    Micro("nothing, four times", "DO 0; DO 0; DO 0; DO 0"),
    Micro(
        "a row is read",
        "SELECT v FROM calibration WHERE id = ?",
        lambda caller: _own(caller)[:1],
        tables=1,
        values=1,
    ),
    Micro(
        "a hundred rows are read",
        "SELECT SUM(v) FROM calibration WHERE id BETWEEN ? AND ?",
        lambda caller: (1 + caller, _READ + caller),
        tables=1,
        values=1,
    ),
    Micro(
        "a row is read by a long statement",
        "SELECT id, COALESCE(kind, CAST(0 AS UNSIGNED)), LEFT(content, 10000), CAST(said_at AS CHAR),"
        " IF(kind > 0, CAST(kind AS UNSIGNED), CAST(0 AS UNSIGNED)), COALESCE(content, ''), kind"
        " FROM calibration_text FORCE INDEX (PRIMARY)"
        " WHERE id = ? AND kind >= 0 AND kind < 1000000 ORDER BY id LIMIT 100",
        lambda caller: _own(caller)[:1],
        tables=1,
        values=_LONG,
        callers=_SOME,
    ),
    Micro(
        "a hundred rows are sent",
        "SELECT id, kind, content, said_at FROM calibration_text WHERE id BETWEEN ? AND ?",
        lambda caller: (1 + caller, _READ + caller),
        tables=1,
        values=_TEXT_COLUMNS * _READ,
        callers=_SOME,
    ),
    Micro(
        "a hundred rows are sent, by another index",
        "SELECT id, kind, content, said_at FROM calibration_text FORCE INDEX (by_kind)"
        " WHERE kind = ? ORDER BY id LIMIT 100",
        lambda caller: (caller % (ROWS // _READ),),
        tables=1,
        fetched=_READ,
        values=_TEXT_COLUMNS * _READ,
        callers=_SOME,
    ),
    Micro(
        "two rows are put into a temporary table",
        "SELECT MAX(v) FROM (SELECT v FROM calibration WHERE id = ? UNION ALL SELECT v FROM calibration WHERE id = ?)"
        " both_of_them",
        lambda caller: _own(caller)[:2],
        tables=2,
        temporaries=1,
        values=1,
        callers=_SOME,
    ),
    Micro(
        "four rows are changed and rolled back",
        f"BEGIN; {_CHANGE}; {_CHANGE}; {_CHANGE}; {_CHANGE}; ROLLBACK",
        _own,
        tables=_OWN,
        written=_OWN,
        undone=_OWN,
    ),
    Micro(
        "all change the same row and roll back",
        f"BEGIN; {_CHANGE}; ROLLBACK",
        lambda _: (ROWS,),
        tables=1,
        written=1,
        undone=1,
    ),
    Micro("a row is changed", _CHANGE, lambda caller: _own(caller)[:1], tables=1, written=1, commits=1),
    Micro(
        "a row is inserted",
        "INSERT INTO calibration_alone (v) VALUES (?)",
        lambda caller: (caller,),
        tables=1,
        written=1,
        commits=1,
    ),
    Micro(
        "a row with three parents is inserted",
        "INSERT INTO calibration_child (a, b, c) VALUES (?, ?, ?)",
        lambda caller: _own(caller)[:_PARENTS],
        tables=1,
        written=1 + _PARENTS,
        commits=1,
    ),
    Micro(
        "four rows are changed in a transaction",
        f"BEGIN; {_CHANGE}; {_CHANGE}; {_CHANGE}; {_CHANGE}; COMMIT",
        _own,
        tables=_OWN,
        written=_OWN,
        commits=1,
    ),
)

_PAUSED = {"a row is read", "a row is changed", "four rows are changed and rolled back"}

MICROS = (
    *_SCRIPTS,
    *(
        replace(each, name=f"{each.name}, after a pause", pause=COLD_AFTER, callers=(1,))
        for each in _SCRIPTS
        if each.name in _PAUSED
    ),
)
"""All of them. In one of them callers wait for each other's locks. What do this process and the server cost when they
were idle? That is what the pauses tell."""


@dataclass(frozen=True)
class Measurement:
    """A script that some callers have repeated for some time.

    Attributes:
        micro: the script.
        callers: how many.
        operations: how often it was run.
        seconds: how long that took.
        statements, examined, waits, flushes: how many statements were run, how many records were read, how often it
            waited for a lock, and how often the redo log was flushed, for one run of the script.
        client_cpu, server_cpu: seconds of a core for one run of it, of this process, and of the server.
        latencies: how long each run took, in seconds.
    """

    micro: Micro
    callers: int
    operations: int
    seconds: float
    statements: float
    examined: float
    waits: float
    flushes: float
    client_cpu: float
    server_cpu: float
    latencies: Sequence[float] = field(repr=False)


@dataclass(frozen=True)
class OwnWork:
    """What this process does for an operation of a race.

    Attributes:
        requests, statements, failures: how many requests, statements that are answered, and requests that fail the
            operation has.
        cpu: seconds of a core.
    """

    requests: float
    statements: float
    failures: float
    cpu: float


@creation_strategy()
async def four_requests(tx: Session, low: int, high: int) -> int:
    """Four round trips that read no table."""
    for _ in range(_OWN):
        await tx.execute("SELECT ? + ?", (low, high))
    return 0


@creation_strategy()
async def four_failures(tx: Session, low: int, high: int) -> int:
    """Four round trips that fail."""
    for _ in range(_OWN):
        with suppress(DatabaseError):
            await tx.execute("SELECT ? + ? FROM nowhere", (low, high))
    return 0


async def own_works(world: World) -> list[OwnWork]:
    """What this process does for operations of a race that ask the database for nothing, in three ways."""
    strategies = (NOOP, four_requests, four_failures)
    race = Race(strategies=strategies, pattern=["same_pair", "strangers"], clients=_RACING, rounds=_TURNS)
    result = race.result(world.name)
    await race.run(world, result)
    return [_own_work(each) for each in result.variants]


def _own_work(each: Variant) -> OwnWork:
    trips, statements = each["round_trips_per_op"], each["statements_per_op"]
    shares = each["utilisation"] or {}  # none where an operation takes no time at all
    assert isinstance(shares, dict)
    assert isinstance(trips, float)
    assert isinstance(statements, float)
    failures = _OWN if each.key["strategy"] == four_failures.name else 0
    return OwnWork(
        trips, statements, failures, float(shares.get(INTERPRETER, 0.0)) * each.window_s / len(each.operations)
    )


async def prepare(world: World, schema: str) -> None:
    """Make the table, beside those of a schema, and check that the world knows what its processors do.

    Raises:
        WorldError: the server is on another machine or in a container, so that nobody sees its processor time.
    """
    if _DATABASE not in (await world.costs()).busy:
        raise WorldError(
            "the server's processor time can't be seen from here: a calibration needs a MySQL on this machine, not in a"
            " container (--mysql-via path, or unpacked)"
        )
    await world.install(schema)
    await world.admin.script(
        "DROP TABLE IF EXISTS calibration_child, calibration_alone, calibration_text, calibration;"
        "CREATE TABLE calibration (id INT PRIMARY KEY, v INT NOT NULL);"
        "CREATE TABLE calibration_text (id BIGINT UNSIGNED PRIMARY KEY, kind BIGINT UNSIGNED NOT NULL,"
        " content VARCHAR(200) NOT NULL, said_at DATETIME NOT NULL, INDEX by_kind (kind, id));"
        "CREATE TABLE calibration_alone (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL);"
        "CREATE TABLE calibration_child"
        " (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, c INT NOT NULL,"
        " FOREIGN KEY (a) REFERENCES calibration (id), FOREIGN KEY (b) REFERENCES calibration (id),"
        " FOREIGN KEY (c) REFERENCES calibration (id))"
    )
    await insert(world.admin, "calibration (id, v)", [(number, 0) for number in range(1, ROWS + 1)])
    texts = [(number, number % (ROWS // _READ), _TEXT, _SAID) for number in range(1, ROWS + 1)]
    await insert(world.admin, "calibration_text (id, kind, content, said_at)", texts)
    await world.admin.execute("ANALYZE TABLE calibration, calibration_text")


async def measure(world: World, micro: Micro, callers: int, seconds: float) -> Measurement:
    """Let callers repeat a script for some time, after a fifth of that as a warm-up."""
    clock = asyncio.get_running_loop().time
    async with world.database(callers) as database:
        latencies: list[float] = []

        async def repeat(caller: int, until: float, noted: list[float]) -> None:
            async with database.session() as tx:
                await _repeat(tx, micro, caller, until, noted)

        async def together(length: float, noted: list[float]) -> float:
            begun = clock()
            await side_by_side(repeat(caller, begun + length, noted) for caller in range(callers))
            return clock() - begun

        await together(seconds / 5, [])
        before = await world.costs()
        took = await together(seconds, latencies)
        spent = await world.costs() - before
    return _measured(micro, callers, took, spent, latencies)


async def _repeat(tx: Session, micro: Micro, caller: int, until: float, noted: list[float]) -> None:
    clock = asyncio.get_running_loop().time
    args = micro.args(caller)
    now = clock()
    while now < until:
        if micro.pause:
            await asyncio.sleep(micro.pause)
            now = clock()
        await tx.script(micro.sql, args)
        noted.append(-now + (now := clock()))


def _measured(micro: Micro, callers: int, took: float, spent: Costs, latencies: Sequence[float]) -> Measurement:
    count = len(latencies)
    return Measurement(
        micro,
        callers,
        count,
        took,
        spent.statements / count,
        (spent.rows_examined or 0) / count,
        (spent.lock_waits or 0) / count,
        (spent.flushes or 0) / count,
        spent.busy[INTERPRETER].seconds / count,
        spent.busy[_DATABASE].seconds / count,
        latencies,
    )
