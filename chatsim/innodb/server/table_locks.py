"""LOCK TABLES, UNLOCK TABLES and FLUSH TABLES WITH READ LOCK (MySQL manual, "LOCK TABLES Statement").

Who has locked tables may use no others. The locks are metadata locks that outlive transactions; with autocommit off
there is a table lock of the storage engine as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.session_syntax import FlushTables, LockTables, TableToLock, UnlockTables

__all__ = ["check", "unlock"]


def check(locked: dict[str, bool], node: exp.Expr, temporary: Sequence[str], *, writes: bool) -> None:
    """Raise a `DatabaseError` unless all tables of a statement are locked, as the statement needs it (1099, 1100).

    Args:
        locked: whether each table, by the name by which statements call it, is locked to be written.
        node: the statement.
        temporary: names of tables that need no lock.
        writes: whether it changes rows, or locks them as if it did.
    """
    own = {each.alias for each in node.find_all(exp.CTE)} | set(temporary)
    targets = {id(each) for each in _targets(node)} if writes else set()
    for table in node.find_all(exp.Table):
        if table.name in own or table.db:
            continue
        if table.alias_or_name not in locked:
            raise database_error(1100, f"Table '{table.alias_or_name}' was not locked with LOCK TABLES")
        if id(table) in targets and not locked[table.alias_or_name]:
            message = f"Table '{table.alias_or_name}' was locked with a READ lock and can't be updated"
            raise database_error(1099, message)


def _targets(node: exp.Expr) -> list[exp.Table]:
    """The tables that a statement changes, or all that it reads to change them later."""
    if isinstance(node, exp.Insert):
        return list(node.this.find_all(exp.Table))
    if isinstance(node, exp.Delete) and node.args.get("tables"):
        names = {each.name for each in node.args["tables"]}
        return [each for each in node.find_all(exp.Table) if each.alias_or_name in names]
    if isinstance(node, exp.Update | exp.Delete) and isinstance(node.this, exp.Table):
        return [node.this]
    return list(node.find_all(exp.Table))


@control.execute.register
async def _lock(node: LockTables, session: StatementContext, _: Sequence[Any]) -> Answer:
    if session.reads_all:
        raise unsupported("LOCK TABLES after FLUSH TABLES WITH READ LOCK")
    wanted: list[TableToLock] = node.args["tables"]
    if len({each.alias for each in wanted}) < len(wanted):
        raise database_error(1066, f"Not unique table/alias: '{wanted[-1].alias}'")
    await unlock(session)
    await session.commit()
    for each in wanted:
        if each.name in session.engine.views:
            raise unsupported(f"LOCK TABLES of view {each.name}")
        session.table(each.name)
    modes: dict[str, bool] = {}
    for each in wanted:
        if each.name not in session.temporary:
            modes[each.name] = modes.get(each.name, False) or each.writes
    try:
        for name, writes in sorted(modes.items()):
            await session.keep_table(name, writes=writes)
            if not session.autocommit:
                await session.rows().lock_table(session.table(name), "X" if writes else "S")
    except BaseException:
        session.give_tables_back()
        raise
    session.locked_tables = {each.alias: each.writes for each in wanted}
    return Answer()


async def unlock(session: StatementContext) -> None:
    """Give the tables of LOCK TABLES back, after a commit."""
    if session.locked_tables is not None:
        await session.commit()
        session.locked_tables = None
        session.give_tables_back()


@control.execute.register
async def _unlock(_: UnlockTables, session: StatementContext, __: Sequence[Any]) -> Answer:
    await unlock(session)
    session.let_writers_go()
    return Answer()


@control.execute.register
async def _flush(node: FlushTables, session: StatementContext, _: Sequence[Any]) -> Answer:
    if session.locked_tables is not None:
        raise database_error(1192, "Can't execute the given command because you have active locked tables")
    await session.commit()
    if node.this:
        if any(each.trx is not None and each.trx.locks.wait_lock for each in session.engine.sessions.values()):
            raise unsupported("FLUSH TABLES WITH READ LOCK while a statement waits for a row")
        await session.stop_writers()
    return Answer()
