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
from chatsim.innodb.sql import ddl, syntax
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import unsupported

__all__ = ["define"]

Change: TypeAlias = Callable[[], None]


async def define(node: exp.Expr, session: StatementContext) -> Answer:
    """Execute a statement about tables and indexes.

    Raises:
        DatabaseError: it failed.
        NotImplementedError: it has something that the model does not understand; the message names it.
    """
    match node:
        case syntax.CreateTable():
            return await _create_table(node, session)
        case syntax.DropTables():
            return await _drop_tables(node, session)
        case syntax.RenameTables():
            return await _rename_tables(node.args["pairs"], session)
        case exp.TruncateTable():
            return await _truncate(node, session)
        case syntax.AlterTable():
            return await _alter(node.this.name, node.args["actions"], node.args["options"], session)
    raise unsupported(node)


async def _execute(session: StatementContext, plan: Callable[[], Change], *names: str) -> None:
    """Commit, and change definitions, with the named tables alone."""
    with contextlib.suppress(DatabaseError):  # an error comes after the commit
        plan()  # but what the model does not have is refused before it
    await session.commit()
    try:
        for name in sorted(set(names)):
            await session.change_table(name)
        plan()()
    finally:
        session.engine.log.force()
        session.engine.prepared.invalidate()
        session.rollback()  # which releases the tables


async def _create_table(node: syntax.CreateTable, session: StatementContext) -> Answer:
    engine, name, said = session.engine, node.this.name, node.args["declared"]
    if said.temporary:
        raise unsupported("TEMPORARY tables")
    if node.expression:
        raise unsupported("CREATE TABLE … SELECT")
    if said.partitioning is not None:
        raise unsupported(f"PARTITION BY {said.partitioning.kind}")
    if said.exists and name in engine.tables:
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


async def _alter(name: str, actions: list[object], options: dict[str, str], session: StatementContext) -> Answer:
    engine, answer = session.engine, Answer()

    def plan() -> Change:
        table = engine.table(name)
        alteration = ddl.alter_table(table, actions, options, engine.tables, session)
        rename = ddl.rename_tables([(name, alteration.rename)], engine.tables) if alteration.rename else None

        def altered() -> None:
            before = set(table.indexes)
            alteration.change()
            if alteration.copies:
                engine.altered(table, session.connection_id)
            else:
                engine.made(set(table.indexes) - before, session.connection_id)
            if rename is not None:
                rename()
            answer.affected = alteration.affected

        return altered

    await _execute(session, plan, name)
    return answer


async def _rename_tables(pairs: list[tuple[str, str]], session: StatementContext) -> Answer:
    names = [name for pair in pairs for name in pair]
    await _execute(session, lambda: ddl.rename_tables(pairs, session.engine.tables), *names)
    return Answer()


async def _drop_tables(node: syntax.DropTables, session: StatementContext) -> Answer:
    names, exists = node.args["names"], node.args["exists"]
    tables = session.engine.tables
    answer = Answer(warnings=[(1051, f"Unknown table '{name}'") for name in names if exists and name not in tables])
    await _execute(session, lambda: ddl.drop_tables(names, tables, exists=exists), *names)
    return answer
