"""Statements that change definitions (DDL). They commit, lock their tables exclusively, and take effect at once.

A statement has two steps: a plan, which checks whether it is possible and changes nothing, and the change, which the
plan returns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Sequence
from typing import Any, TypeAlias

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.definition_locks import check_definition
from chatsim.innodb.sql import ddl, syntax
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.executor.statements import prepare
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.parsed_statement import ParsedStatement

__all__ = ["Change", "change_definitions", "define"]

Change: TypeAlias = Callable[[], None]


async def define(node: exp.Expr, session: StatementContext, args: Sequence[Any]) -> Answer:
    """Execute a statement about tables and indexes.

    Args:
        node: its syntax tree.
        session: the session.
        args: the values of its placeholders.

    Raises:
        DatabaseError: it failed.
        NotImplementedError: it has something that the model does not understand; the message names it.
    """
    if session.only_reads and (session.reads_only or _is_about_temporary_tables(node)):  # others commit before
        raise database_error(1792, "Cannot execute statement in a READ ONLY transaction.")
    if session.locked_tables is not None and not _is_about_temporary_tables(node):
        check_definition(session.locked_tables, _names(node))
    match node:
        case syntax.CreateTable():
            return await (_create_from_query(node, session, args) if node.expression else _create_table(node, session))
        case syntax.DropTables():
            return await _drop_tables(node, session)
        case syntax.RenameTables():
            return await _rename_tables(node.args["pairs"], session)
        case exp.TruncateTable():
            return await _truncate(node, session)
        case syntax.AlterTable():
            return await _alter(node.this.name, node.args["actions"], node.args["options"], session)
    raise unsupported(node)


def _names(node: exp.Expr) -> list[str]:
    """The tables that a statement is about."""
    match node:
        case syntax.DropTables():
            return list(node.args["names"])
        case syntax.RenameTables():
            pairs = node.args["pairs"]
            return [old for at, (old, _) in enumerate(pairs) if old not in {new for _, new in pairs[:at]}]
        case exp.TruncateTable():
            return [each.name for each in node.expressions]
    return [node.this.name]


def _is_about_temporary_tables(node: exp.Expr) -> bool:
    if isinstance(node, syntax.CreateTable):
        return bool(node.args["declared"].temporary)
    return isinstance(node, syntax.DropTables) and bool(node.args["temporary"])


async def change_definitions(
    session: StatementContext, plan: Callable[[], Change], *names: str, upgrades: bool = False
) -> None:
    """Commit, and change definitions, with the named tables alone; ``upgrades``: others use them until then."""
    prepared, change = session.engine.prepared, None
    generation = prepared.generation
    with contextlib.suppress(DatabaseError):  # an error comes after the commit
        change = plan()  # but what the model does not have is refused before it
    await session.commit()
    try:
        for name in sorted(set(names)):
            await session.change_table(name, upgrades=upgrades)
        if change is None or names or prepared.generation != generation:  # others may have changed what it is about
            change = plan()
        change()
    finally:
        session.engine.log.force()
        prepared.invalidate()
        for table in session.engine.tables.values():
            for trigger in table.triggers:
                trigger.forget()
        session.rollback()  # which releases the tables


async def _create_table(node: syntax.CreateTable, session: StatementContext) -> Answer:
    engine, name, said = session.engine, node.this.name, node.args["declared"]
    if name in engine.views and not said.temporary:
        raise unsupported(f"CREATE TABLE {name}, the name of a view") if said.exists else _exists(name)
    if said.exists and name in (session.temporary if said.temporary else engine.tables):
        if not said.temporary:
            await session.commit()
        return Answer(warnings=[(1050, f"Table '{name}' already exists")])
    if said.temporary:
        ddl.create_table(node, session.temporary, session.tables, session)()
        session.note_temporary(made=True)
        return Answer(warnings=ddl.deprecations(said.items, said.options))
    await change_definitions(
        session, lambda: _new_table(session, name, ddl.create_table(node, engine.tables, session.tables, session))
    )
    return Answer(warnings=ddl.deprecations(said.items, said.options))


def _exists(name: str) -> DatabaseError:
    return database_error(1050, f"Table '{name}' already exists")


async def _create_from_query(node: syntax.CreateTable, session: StatementContext, args: Sequence[Any]) -> Answer:
    """CREATE TABLE … SELECT: the table, with the columns of the query, and its rows. All of it, or nothing."""
    engine, name, temporary = session.engine, node.this.name, node.args["declared"].temporary
    tables = session.temporary if temporary else engine.tables
    if name in engine.views and not temporary:
        raise _exists(name)
    made = ddl.with_columns_of_query(node, session.find)
    if made.args["declared"].exists and name in tables:
        return await _create_table(made, session)
    if not temporary:
        await session.commit()
        await session.change_table(name)
    try:
        ddl.create_table(made, tables, session.tables, session)()
        engine.prepared.invalidate()
        try:
            insert = prepare(ParsedStatement(ddl.insert_of_query(made)), session.find)
            assert insert is not None
            return await session.execute_on_rows(insert, args)
        except BaseException:
            ddl.drop_tables([name], tables, session, exists=True)()
            engine.prepared.invalidate()
            raise
    finally:
        if not temporary:
            await session.commit()


async def _truncate(node: exp.TruncateTable, session: StatementContext) -> Answer:
    (target,) = node.expressions
    name = target.name
    if name in session.temporary:
        await session.commit()
        ddl.truncate(session.temporary[name], session)()
        return Answer()
    table = session.engine.table
    await change_definitions(session, lambda: _new_table(session, name, ddl.truncate(table(name), session)), name)
    return Answer()


def _new_table(session: StatementContext, name: str, change: Change) -> Change:
    """A change after which a table has other indexes than before."""

    def made() -> None:
        change()
        session.engine.made(session.engine.table(name).indexes, session.connection_id)

    return made


async def _alter(name: str, actions: list[object], options: dict[str, str], session: StatementContext) -> Answer:
    engine, answer = session.engine, Answer(warnings=ddl.deprecations(actions))
    if name in session.temporary:
        alteration = ddl.alter_table(session.temporary[name], actions, options, session.tables, session)
        if alteration.rename:
            raise unsupported("RENAME of a temporary table")
        alteration.change()
        return Answer(affected=alteration.affected, warnings=answer.warnings)

    def plan() -> Change:
        if name in engine.views:
            raise database_error(1347, f"'{name}' is not BASE TABLE")
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
                _call_locked(session, name, alteration.rename)
            answer.affected = alteration.affected

        return altered

    await change_definitions(session, plan, name, upgrades=True)
    if any(isinstance(each, syntax.SwitchKeys) for each in actions):
        answer.warnings.append((1031, f"Table storage engine for '{name}' doesn't have this option"))
    return answer


async def _rename_tables(pairs: list[tuple[str, str]], session: StatementContext) -> Answer:
    names = [name for pair in pairs for name in pair]
    if view := next((name for name in names if name in session.engine.views), None):
        raise unsupported(f"RENAME TABLE of view {view}, or to its name")

    def plan() -> Change:
        rename = ddl.rename_tables(pairs, session.engine.tables)

        def renamed() -> None:
            rename()
            for old, new in pairs:
                _call_locked(session, old, new)

        return renamed

    await change_definitions(session, plan, *names)
    return Answer()


def _call_locked(session: StatementContext, table: str, name: str | None) -> None:
    """A table of LOCK TABLES stays locked by its new name; None: it is gone, and the last one ends LOCK TABLES."""
    if session.locked_tables is None or table not in session.locked_tables:
        return
    writes = session.locked_tables.pop(table)
    session.call_kept_table(table, name)
    if name is not None:
        session.locked_tables[name] = writes
    elif not session.locked_tables:
        session.locked_tables = None


async def _drop_tables(node: syntax.DropTables, session: StatementContext) -> Answer:
    names, exists, tables = node.args["names"], node.args["exists"], session.engine.tables
    if node.args["temporary"]:
        answer = Answer(warnings=_unknown(names, session.temporary) if exists else [])
        if set(names) & session.temporary.keys():
            session.note_temporary(made=False)
        ddl.drop_tables(names, session.temporary, session, exists=exists)()
        return answer
    kept = [name for name in names if name not in session.temporary]
    own = [name for name in names if name in session.temporary]
    answer = Answer(warnings=_unknown(kept, tables) if exists else [])

    def plan() -> Change:
        drop = ddl.drop_tables(kept, tables, session, exists=exists)

        def dropped() -> None:
            drop()
            for name in kept:
                _call_locked(session, name, None)

        return dropped

    await change_definitions(session, plan, *kept)
    ddl.drop_tables(own, session.temporary, session, exists=True)()
    return answer


def _unknown(names: Sequence[str], tables: Container[str]) -> list[tuple[int, str]]:
    """The warnings about tables that there are not."""
    return [(1051, f"Unknown table '{name}'") for name in names if name not in tables]
