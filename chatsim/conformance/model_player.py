"""Playing a schedule in the model: an engine session for each session. A step has settled when no callback is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from chatsim.conformance.schedule import (
    AWAIT,
    KILL,
    UNREADABLE,
    Blocked,
    Completed,
    FinalTable,
    NotPlayedError,
    ScheduleOutcome,
    StepOutcome,
    plain,
)
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server.durability import Durability
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.executor.clauses import shown_rows
from chatsim.simulation.determinism import run_twice
from chatsim.simulation.loop import current_loop, run
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    from chatsim.conformance.schedule import LockRow, Schedule, Step
    from chatsim.db.deadlock import Deadlock

__all__ = ["play"]

_INSTANT = 1e-9
_TICK = 0.001  # seconds after which it looks again whether a session still sleeps
_EPOCH = 1_700_000_000.0


def play(schedule: Schedule, *, log_bin: bool = False, check_determinism: bool = False) -> ScheduleOutcome:
    """Play a schedule on a modelled server of its own.

    Args:
        schedule: what to play.
        log_bin: whether the server has a binary log, if the schedule does not say so.
        check_determinism: play it twice, and compare the two runs.

    Raises:
        NotPlayedError: the model can't play it; the message names what it does not have.
        DivergenceError: the second run differs from the first.
    """
    if check_determinism:
        return run_twice(lambda: _play(schedule, log_bin=log_bin))
    return run(_play(schedule, log_bin=log_bin))


async def _play(schedule: Schedule, *, log_bin: bool) -> ScheduleOutcome:
    clock = current_loop().time
    mode = int(schedule.server.get("innodb_autoinc_lock_mode", 2))
    log_bin = bool(int(schedule.server.get("log_bin", log_bin)))
    if unknown := set(schedule.server) - {"innodb_autoinc_lock_mode", "log_bin"}:
        raise WorldError(f"{schedule.id} asks for a setting {min(unknown)!r}, which the model has not")
    engine = Engine(
        lambda: _EPOCH + clock(), autoinc_lock_mode=mode, durability=Durability(log_bin=int(log_bin)), purges=False
    )
    admin = EngineSession(engine)
    try:
        for sql in schedule.setup:
            await admin.run(sql)
    except (DatabaseError, NotImplementedError) as error:
        raise NotPlayedError(schedule.id, _reason(error)) from error
    engine.purge()
    for table in engine.tables.values():
        table.analyze()
    execution = _ModelExecution(engine, schedule)
    steps: list[StepOutcome] = []
    try:
        for step in schedule.steps:
            try:
                steps.append(await execution.step(step))
            except (NotImplementedError, WorldError) as error:
                raise NotPlayedError(schedule.id, _reason(error), step, steps) from error
    finally:
        execution.close()
    try:
        final = await _final(engine, admin)
    except NotImplementedError as error:
        raise NotPlayedError(schedule.id, _reason(error), schedule.steps[-1], steps) from error
    return ScheduleOutcome(steps, final, execution.deadlocks)


def _reason(error: Exception) -> str:
    """Why the model can't play something, and the way out."""
    return f"{error}; world mysql can play it" if isinstance(error, NotImplementedError) else str(error)


@dataclass
class _ModelClient:
    """A session, and its running statement."""

    name: str
    session: EngineSession
    step: int = 0
    pending: asyncio.Task[Completed] | None = None

    async def run(self, step: Step) -> Completed:
        try:
            (*_, answer) = await self.session.run(step.sql)
        except DatabaseError as error:
            return Completed(self.name, step.n, "error", errno=error.errno, message=error.message)
        return Completed.succeeded(
            *(self.name, step.n),
            rows=answer.rows,
            affected=answer.affected,
            insert_id=answer.insert_id,
            warnings=(errno for errno, _ in answer.warnings),
        )


class _ModelExecution:
    """The sessions of a schedule on an engine."""

    def __init__(self, engine: Engine, schedule: Schedule) -> None:
        self._engine = engine
        self._schedule = schedule
        self._names: dict[int, str] = {}  # by connection
        self._clients = {name: _ModelClient(name, self._connect(name)) for name in schedule.sessions}
        self._view_holder = EngineSession(engine)
        if schedule.purge == "held":
            self._view_holder.in_transaction = True
            self._view_holder.view()
        self._ended: list[Completed] = []
        self._detected: list[Deadlock] = []
        self.deadlocks: dict[int, list[Deadlock]] = {}
        engine.on_deadlock = self._detected.append

    async def step(self, step: Step) -> StepOutcome:
        client = self._clients[step.session]
        if step.sql == AWAIT:
            if client.pending is not None:
                await asyncio.wait([client.pending])
        elif step.sql == KILL:
            self._kill(client)
        elif client.pending is not None:
            raise WorldError(f"step {step.n} goes to {step.session}, which waits")
        else:
            client.step = step.n
            client.pending = asyncio.create_task(client.run(step))
            client.pending.add_done_callback(lambda task: self._end(client, task))
        await asyncio.sleep(_INSTANT)
        while any(client.session.sleeps for client in self._clients.values()):  # noqa: ASYNC110 - the time is virtual
            await asyncio.sleep(_TICK)
        while self._engine.purge():  # noqa: ASYNC110 - which may have let somebody go; the time is virtual
            await asyncio.sleep(_INSTANT)
        ended, self._ended = self._ended, []
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        if self._detected:
            self.deadlocks[step.n] = [each.named(self._names) for each in self._detected]
            self._detected.clear()
        blocked = {
            self._names[each.session]: Blocked(
                self._clients[self._names[each.session]].step,
                each.on,  # type: ignore[arg-type]
                sorted(self._names[other] for other in each.by if other in self._names) if each.on == "lock" else [],
            )
            for each in self._engine.data_lock_waits()
            if each.session in self._names
        }
        return StepOutcome(step.n, ended, dict(sorted(blocked.items())), self._locks())

    def _connect(self, name: str) -> EngineSession:
        session = EngineSession(self._engine)
        session.isolation = Isolation(self._schedule.isolation)
        session.lock_wait_timeout = self._schedule.lock_wait_timeout
        self._names[session.connection_id] = name
        return session

    def _kill(self, client: _ModelClient) -> None:
        """End a session's connection, with the statement that waits, and give it a new one."""
        if client.pending is not None:
            lost = database_error(2013, "Lost connection to MySQL server during query")
            self._ended.append(Completed(client.name, client.step, "error", errno=lost.errno, message=lost.message))
            client.pending.cancel()
        client.session.close()
        client.session = self._connect(client.name)

    def close(self) -> None:
        """End all sessions."""
        clients = sorted(self._clients.values(), key=lambda each: each.pending is None)  # waiters end first
        for client in clients:
            if client.pending is not None:
                client.pending.cancel()
            client.session.close()
        self._view_holder.close()
        self._engine.purge()

    def _end(self, client: _ModelClient, task: asyncio.Task[Completed]) -> None:
        client.pending = None
        if not task.cancelled():
            self._ended.append(task.exception() or task.result())  # type: ignore[arg-type]

    def _locks(self) -> list[LockRow]:
        found = [
            (
                *(self._names[each.session], each.table, each.index, "RECORD" if each.index else "TABLE"),
                *(each.mode, "GRANTED" if each.granted else "WAITING", each.data),
            )
            for each in self._engine.data_locks()
            if each.session in self._names
        ]
        return cast("list[LockRow]", sorted(found, key=lambda row: [part or "" for part in row]))


async def _final(engine: Engine, admin: EngineSession) -> dict[str, FinalTable]:
    """The tables and views at the end, in the order of the columns of their primary keys, as they are declared."""
    final = {}
    for name in sorted(engine.tables):
        table = engine.tables[name]
        shown, keys = table.shown, sorted(table.clustered.definition.columns)
        if table.hidden is not None:
            (answer,) = await admin.run(f"SELECT * FROM `{name}`")  # noqa: S608
            rows = answer.rows or []
        else:
            live = [record.row for record in table.clustered if not record.deleted]
            first = table.clustered.definition
            if table.partitioning is not None or tuple(keys) != first.columns or first.descending:
                live.sort(key=lambda row: [table.order(at, row[at]) for at in keys])
            rows = shown_rows([tuple(row[at] for at in shown) for row in live], [table])
        table.opened(admin.connection_id)
        following = table.next_number if table.auto is not None else None
        names = [column.name for column in table.columns if not column.hidden]
        final[table.name] = FinalTable(names, plain(rows), following)
    for view in engine.views.values():
        try:
            (answer,) = await admin.run(f"SELECT * FROM `{view.name}`")  # noqa: S608
        except DatabaseError as error:
            if error.errno in UNREADABLE:
                continue
            raise
        final[view.name] = FinalTable(list(view.columns), plain(answer.rows or []), None)
    return final
