"""Playing a schedule on a real server: a connection for each session, and a look at the locks after each step.

A step has settled when, by the server's own tables, every statement that has not ended waits for a lock, and there is
no circle of waits: a circle is a deadlock that the server has not resolved yet. Then the purge runs. No code here
sleeps for a fixed time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import cast

from chatsim.conformance.schedule import (
    AWAIT,
    KILL,
    UNREADABLE,
    Blocked,
    Completed,
    FinalTable,
    LockRow,
    NotPlayedError,
    Schedule,
    ScheduleOutcome,
    Step,
    StepOutcome,
    plain,
)
from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import DatabaseError, Kind
from chatsim.db.mysql import kind_of
from chatsim.db.text import quoted
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.purge import Purge
from chatsim.worlds.mysql.purge_counter import counting_purges
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

__all__ = ["play"]

_STABLE_READINGS = 200
"""The number of equal readings after which a circle of waits is accepted. InnoDB follows only one holder for each
waiter, so it does not see every circle; such a circle lasts until a wait times out."""

# A record lock that was implicit is listed under the thread that has made it explicit, which is the waiter's. A table
# lock, which every transaction with record locks has, is its own. (INNODB_TRX is a cache that may be out of date.)
_OWNERS = """
    SELECT DISTINCT l.ENGINE_TRANSACTION_ID AS trx, t.PROCESSLIST_ID AS id FROM performance_schema.data_locks l
      JOIN performance_schema.threads t ON t.THREAD_ID = l.THREAD_ID WHERE l.LOCK_TYPE = 'TABLE'"""

_LOCK_WAITS = f"""
    WITH owners AS ({_OWNERS})
    SELECT DISTINCT w.id, b.id FROM performance_schema.data_lock_waits d
      JOIN owners w ON w.trx = d.REQUESTING_ENGINE_TRANSACTION_ID
      JOIN owners b ON b.trx = d.BLOCKING_ENGINE_TRANSACTION_ID"""  # noqa: S608

_METADATA_WAITS = """
    SELECT w.PROCESSLIST_ID, b.PROCESSLIST_ID, p.OBJECT_TYPE FROM performance_schema.metadata_locks p
      JOIN performance_schema.metadata_locks g ON g.LOCK_STATUS = 'GRANTED' AND g.OWNER_THREAD_ID <> p.OWNER_THREAD_ID
       AND g.OBJECT_TYPE = p.OBJECT_TYPE AND g.OBJECT_SCHEMA <=> p.OBJECT_SCHEMA AND g.OBJECT_NAME <=> p.OBJECT_NAME
      JOIN performance_schema.threads w ON w.THREAD_ID = p.OWNER_THREAD_ID
      JOIN performance_schema.threads b ON b.THREAD_ID = g.OWNER_THREAD_ID
     WHERE p.LOCK_STATUS = 'PENDING'"""

_LOCKS = f"""
    WITH owners AS ({_OWNERS})
    SELECT o.id, l.OBJECT_NAME, l.INDEX_NAME, l.LOCK_TYPE, l.LOCK_MODE, l.LOCK_STATUS, l.LOCK_DATA
      FROM performance_schema.data_locks l JOIN owners o ON o.trx = l.ENGINE_TRANSACTION_ID
     WHERE l.OBJECT_SCHEMA = DATABASE()"""  # noqa: S608


async def play(world: MySQLWorld, schedule: Schedule) -> ScheduleOutcome:
    """Run a schedule in the world's schema, whose tables it replaces.

    Raises:
        WorldError: the server is not set as the schedule needs it.
        NotPlayedError: the setup fails, or a step goes to a session that waits.
        DatabaseError: a connection is lost.
    """
    await _check(world, schedule)
    await world.steady()
    await world.empty()
    try:
        for sql in schedule.setup:
            await world.admin.execute(sql)
        for table in await _tables(world):
            await world.admin.execute(f"ANALYZE TABLE {quoted(table)}")
    except DatabaseError as error:
        raise NotPlayedError(schedule.id, str(error)) from error
    await world.deadlock()  # an earlier one is none of this schedule
    async with AsyncExitStack() as stack:
        purge_session = await driver.connect(world.url, world.schema)
        stack.push_async_callback(purge_session.close)
        purge = Purge(purge_session)
        await stack.enter_async_context(counting_purges(purge_session, world.url))
        await purge.prepare()
        await purge.run()

        async def connect() -> driver.MySQLSession:
            session = await driver.connect(world.url, world.schema)
            stack.push_async_callback(session.close)
            await session.script(
                f"SET SESSION transaction_isolation = '{schedule.isolation.replace(' ', '-')}';"
                f" SET SESSION innodb_lock_wait_timeout = {schedule.lock_wait_timeout}"
            )
            return session

        clients = {name: _MySQLClient(name, world.schema, await connect()) for name in schedule.sessions}
        if schedule.purge == "held":
            await purge.hold()
        execution = _MySQLExecution(world, clients, connect, purge if schedule.purge == "eager" else None)
        stack.push_async_callback(execution.close)
        steps: list[StepOutcome] = []
        for step in schedule.steps:
            try:
                steps.append(await execution.step(step))
            except (WorldError, DatabaseError) as error:
                raise NotPlayedError(schedule.id, str(error), step, steps) from error
    return ScheduleOutcome(steps, await _final(world), execution.deadlocks)


async def _check(world: MySQLWorld, schedule: Schedule) -> None:
    for name, wanted in schedule.server.items():
        if not name.isidentifier():
            raise WorldError(f"{schedule.id} asks for a setting {name!r}")
        there = (await world.admin.execute(f"SELECT @@{name}")).rows[0][0]
        if str(there) != str(wanted):
            raise WorldError(f"{schedule.id} needs a server with {name} = {wanted}; this one has {there}")


@dataclass
class _MySQLClient:
    """A session, and its running statement."""

    name: str
    schema: str
    session: driver.MySQLSession
    step: int = 0
    pending: asyncio.Task[Completed] | None = None

    async def run(self, step: Step) -> Completed:
        try:
            result = await self.session.run(step.sql)
        except DatabaseError as error:
            return Completed(self.name, step.n, "error", errno=error.errno, message=error.message)
        warnings = (await self.session.run("SHOW WARNINGS")).rows or () if result.warnings else ()
        return Completed.succeeded(
            *(self.name, step.n),
            rows=result.rows and [[_without_schema(value, self.schema) for value in row] for row in result.rows],
            affected=result.affected,
            insert_id=result.insert_id,
            warnings=(int(str(code)) for _, code, _ in warnings),
        )


def _without_schema(value: object, schema: str) -> object:
    """A value without the name of the schema, which means nothing: ANALYZE TABLE answers with it before a table's."""
    return value.removeprefix(f"{schema}.") if isinstance(value, str) else value


class _MySQLExecution:
    """The sessions of a schedule on a server."""

    def __init__(
        self,
        world: MySQLWorld,
        clients: dict[str, _MySQLClient],
        connect: Callable[[], Awaitable[driver.MySQLSession]],
        purge: Purge | None,
    ) -> None:
        self._world = world
        self._connect = connect
        self._admin = world.admin
        self._purge = purge  # it runs after each step
        self._clients = clients
        self._names = {client.session.connection_id: name for name, client in clients.items()}
        self._ended: list[Completed] = []  # in the order of their ends
        self.deadlocks: dict[int, list[Deadlock]] = {}

    async def step(self, step: Step) -> StepOutcome:
        client = self._clients[step.session]
        if self._purge is not None:
            await self._purge.hold()
        if step.sql == AWAIT:
            if client.pending is not None:
                await client.pending
        elif step.sql == KILL:
            await self._kill([client])
            await self._gone([client])
            client.session = await self._connect()
            self._names[client.session.connection_id] = client.name
        elif client.pending is not None:
            raise WorldError(f"step {step.n} goes to {step.session}, which waits")
        else:
            client.step = step.n
            client.pending = asyncio.create_task(client.run(step))
        blocked = await self._settle()
        ended, self._ended = self._ended, []
        died = any(kind_of(each.errno) is Kind.DEADLOCK for each in ended)
        if died and (deadlock := await self._world.deadlock()) is not None:
            self.deadlocks[step.n] = [deadlock.named(self._names)]  # the server keeps the latest only
        return StepOutcome(step.n, ended, blocked, await self._locks())

    async def close(self) -> None:
        """End all sessions, and wait until the server has rolled back what they had begun."""
        waiting = [client for client in self._clients.values() if client.pending is not None]
        await self._kill(waiting)  # waiters first, so that none gets a lock when another session ends
        await asyncio.gather(*(client.pending for client in waiting if client.pending), return_exceptions=True)
        await self._kill(client for client in self._clients.values() if client not in waiting)
        await self._gone(self._clients.values())

    async def _gone(self, clients: Iterable[_MySQLClient]) -> None:
        """Wait until the server has no thread for the connections of sessions any more."""
        ids = ", ".join(str(client.session.connection_id) for client in clients)
        there = f"SELECT 1 FROM performance_schema.threads WHERE PROCESSLIST_ID IN ({ids})"  # noqa: S608
        while (await self._admin.execute(there)).rows:
            pass

    async def _kill(self, clients: Iterable[_MySQLClient]) -> None:
        for client in clients:
            with suppress(DatabaseError):  # it has ended by itself
                await self._admin.execute(f"KILL {client.session.connection_id}")

    async def _settle(self) -> dict[str, Blocked]:
        before, equal = None, 0
        while True:
            blocked = await self._waits()
            self._collect()
            waiting = [client.name for client in self._clients.values() if client.pending is not None]
            equal = equal + 1 if (blocked, waiting) == before else 0
            before = blocked, waiting
            if all(name in blocked for name in waiting) and (equal >= _STABLE_READINGS or not _has_cycle(blocked)):
                if self._purge is not None:
                    await self._purge.run()
                again = await self._waits()
                self._collect()
                if again == blocked and waiting == [p.name for p in self._clients.values() if p.pending]:
                    return {name: blocked[name] for name in waiting}

    def _collect(self) -> None:
        for client in self._clients.values():
            if client.pending is not None and client.pending.done():
                self._ended.append(client.pending.result())
                client.pending = None

    async def _waits(self) -> dict[str, Blocked]:
        """Who waits for whom, by the server's tables. Only sessions of this schedule."""
        found: dict[tuple[str, str], set[str]] = {}
        for waiter, holder in (await self._admin.execute(_LOCK_WAITS)).rows:
            self._note(found, waiter, holder, "lock")
        for waiter, holder, kind in (await self._admin.execute(_METADATA_WAITS)).rows:
            self._note(found, waiter, holder, "user_lock" if kind == "USER LEVEL LOCK" else "metadata_lock")
        return {
            name: Blocked(self._clients[name].step, on, sorted(by))  # type: ignore[arg-type]
            for (name, on), by in sorted(found.items())
        }

    def _note(self, found: dict[tuple[str, str], set[str]], waiter: object, holder: object, on: str) -> None:
        one, other = self._names.get(waiter), self._names.get(holder)  # type: ignore[call-overload]
        if one is not None and other is not None:
            found.setdefault((one, on), set()).add(other)

    async def _locks(self) -> list[LockRow]:
        rows = (await self._admin.execute(_LOCKS)).rows
        locks = [(self._names[row[0]], *row[1:]) for row in rows if row[0] in self._names]
        return cast("list[LockRow]", sorted(locks, key=lambda row: [part or "" for part in row]))


def _has_cycle(blocked: dict[str, Blocked]) -> bool:
    """Whether the waits for InnoDB's locks have a circle. InnoDB sees only its own locks."""
    waits = {name: each.by for name, each in blocked.items() if each.on == "lock"}
    for start, direct in waits.items():
        seen: set[str] = set()
        reach = list(direct)
        while reach:
            name = reach.pop()
            if name == start:
                return True
            if name not in seen:
                reach += waits.get(name, [])
            seen.add(name)
    return False


async def _tables(world: MySQLWorld) -> list[str]:
    rows = await world.admin.execute(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME"
    )
    return [str(name) for (name,) in rows.rows]


async def _final(world: MySQLWorld) -> dict[str, FinalTable]:
    await world.admin.execute("SET SESSION information_schema_stats_expiry = 0")
    final = {}
    for table in await _tables(world):
        columns = await world.admin.execute(
            "SELECT COLUMN_NAME, COLUMN_KEY, EXTRA FROM information_schema.COLUMNS"
            " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
            (table,),
        )
        keys = [quoted(str(name)) for name, key, _ in columns.rows if key == "PRI"]
        order = f" ORDER BY {', '.join(keys)}" if keys else ""
        try:
            rows = await world.admin.execute(f"SELECT * FROM {quoted(table)}{order}")  # noqa: S608
        except DatabaseError as error:
            if error.errno in UNREADABLE:
                continue
            raise
        following = None
        if any("auto_increment" in str(extra) for _, _, extra in columns.rows):
            following = await world.admin.execute(
                "SELECT AUTO_INCREMENT FROM information_schema.TABLES"
                " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
                (table,),
            )
        names = [str(name) for name, _, _ in columns.rows]
        final[table] = FinalTable(names, plain(rows.rows), following.scalar() if following else None)
    return final
