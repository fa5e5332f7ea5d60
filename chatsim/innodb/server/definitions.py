"""Statements that change definitions (DDL). They commit, lock their tables exclusively, and take effect at once.

A statement has two steps: a plan, which checks whether it is possible and changes nothing, and the change, which the
plan returns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.sql import ddl
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import unsupported

__all__ = ["define"]

Change: TypeAlias = Callable[[], None]


async def define(node: exp.Expr, session: StatementContext) -> Answer:
    """Execute CREATE, DROP, TRUNCATE or ALTER.

    Raises:
        DatabaseError: it failed.
        NotImplementedError: it has something that the model does not understand; the message names it.
    """
    kind = node.args.get("kind")
    match node:
        case exp.Create() if kind == "INDEX":
            return await _create_index(node, session)
        case exp.Create() if kind == "TABLE":
            return await _create_table(node, session)
        case exp.Drop() if kind == "TABLE":
            return await _drop_tables(node, session)
        case exp.TruncateTable():
            return await _truncate(node, session)
        case exp.Alter():
            return await _add_columns(node, session)
    raise unsupported(node)


async def _execute(session: StatementContext, plan: Callable[[], Change], *names: str) -> None:
    """Commit, and change definitions, with the named tables alone."""
    with contextlib.suppress(DatabaseError):  # an error comes after the commit
        plan()  # but what the model does not have is refused before it
    await session.commit()
    try:
        for name in sorted({each.lower() for each in names}):
            await session.change_table(name)
        plan()()
    finally:
        session.engine.log.force()
        session.engine.prepared.invalidate()
        session.rollback()  # which releases the tables


async def _create_table(node: exp.Create, session: StatementContext) -> Answer:
    engine = session.engine
    name = node.find(exp.Table).name  # type: ignore[union-attr]
    if node.args.get("exists") and name.lower() in engine.tables:
        await session.commit()
        return Answer(warnings=[(1050, f"Table '{name}' already exists")])
    await _execute(session, lambda: _new_table(session, name, ddl.create_table(node, engine.tables, session)))
    return Answer()


async def _truncate(node: exp.TruncateTable, session: StatementContext) -> Answer:
    (target,) = node.expressions
    name = target.name
    table = session.engine.table
    await _execute(session, lambda: _new_table(session, name, ddl.truncate(table(name))), name)
    return Answer()


def _new_table(session: StatementContext, name: str, change: Change) -> Change:
    """A change after which a table has other indexes than before."""

    def made() -> None:
        change()
        session.engine.made(session.engine.table(name).indexes, session.connection_id)

    return made


async def _create_index(node: exp.Create, session: StatementContext) -> Answer:
    name = node.this.args["table"].name

    def plan() -> Change:
        table = session.engine.table(name)
        change = ddl.create_index(table, node)

        def made() -> None:
            before = set(table.indexes)
            change()
            session.engine.made(set(table.indexes) - before, session.connection_id)

        return made

    await _execute(session, plan, name)
    return Answer()


async def _add_columns(node: exp.Alter, session: StatementContext) -> Answer:
    name = node.this.name

    def plan() -> Change:
        table = session.engine.table(name)
        change = ddl.add_columns(table, node, session)

        def altered() -> None:
            change()
            session.engine.altered(table, session.connection_id)

        return altered

    await _execute(session, plan, name)
    return Answer()


async def _drop_tables(node: exp.Drop, session: StatementContext) -> Answer:
    names = [each.name for each in node.args["tables"]]
    exists = bool(node.args.get("exists"))
    await _execute(session, lambda: ddl.drop_tables(names, session.engine.tables, exists=exists), *names)
    return Answer()
