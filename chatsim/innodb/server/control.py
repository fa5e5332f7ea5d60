"""Statements that are not about rows: transactions, savepoints, SET, DO, ANALYZE; for DDL see `definitions`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server import definitions
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.prepared import PreparedStatement
from chatsim.innodb.server.variables import set_global_variable, set_system_variable
from chatsim.innodb.sql.ddl.deprecations import of_characters
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.parser import Analyze, Do, Release, Savepoint
from chatsim.innodb.sql.session_syntax import Deallocate, Execute, Prepare
from chatsim.innodb.sql.syntax import Definition
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["evaluate", "execute", "prepared_statement"]

_NO_SNAPSHOT = (
    "InnoDB: WITH CONSISTENT SNAPSHOT was ignored because this phrase"
    " can only be used with REPEATABLE READ isolation level."
)


@singledispatch
async def execute(node: exp.Expr, session: StatementContext, args: Sequence[Any]) -> Answer:  # noqa: ARG001
    """Execute a statement.

    Args:
        node: its syntax tree.
        session: the session.
        args: the values of its placeholders.

    Raises:
        DatabaseError: it failed.
        NotImplementedError: it has something that the model does not understand; the message names it.
    """
    raise unsupported(node)


@execute.register(Definition | exp.TruncateTable)
async def _define(node: exp.Expr, session: StatementContext, args: Sequence[Any]) -> Answer:
    return await definitions.define(node, session, args)


# -- transactions


@execute.register
async def _begin(node: exp.Transaction, session: StatementContext, _: Sequence[Any]) -> Answer:
    modes = node.args.get("modes") or []
    if unknown := set(modes) - {"READ ONLY", "READ WRITE", "WITH CONSISTENT SNAPSHOT"}:
        raise unsupported(f"START TRANSACTION {min(unknown)}")
    only_reads = True if "READ ONLY" in modes else False if "READ WRITE" in modes else None
    if session.locked_tables is not None:
        session.locked_tables = None
        await session.commit()
        session.give_tables_back()
    await session.begin(read_only=only_reads)
    if "WITH CONSISTENT SNAPSHOT" not in modes:
        return Answer()
    if session.transaction().isolation is Isolation.REPEATABLE_READ:
        session.view()
        return Answer()
    return Answer(warnings=[(138, _NO_SNAPSHOT)])


@execute.register
async def _commit(node: exp.Commit, session: StatementContext, _: Sequence[Any]) -> Answer:
    level = session.trx.isolation if session.trx else None
    await session.commit()
    if node.args.get("chain"):
        await session.begin(level)
    session.interruption.ends_session = bool(node.meta.get("release"))
    return Answer()


@execute.register
async def _rollback(node: exp.Rollback, session: StatementContext, _: Sequence[Any]) -> Answer:
    savepoint, warnings = node.args.get("savepoint"), session.not_undone()
    if savepoint is None:
        level = session.trx.isolation if session.trx else None
        session.rollback()
        if node.args.get("chain"):
            await session.begin(level)
        session.interruption.ends_session = bool(node.meta.get("release"))
    else:
        session.rollback_to(savepoint.name)
    return Answer(warnings=warnings)


@execute.register
async def _savepoint(node: Savepoint, session: StatementContext, _: Sequence[Any]) -> Answer:
    session.set_savepoint(node.this.name)
    return Answer()


@execute.register
async def _release(node: Release, session: StatementContext, _: Sequence[Any]) -> Answer:
    session.release_savepoint(node.this.name)
    return Answer()


# -- expressions and variables


@execute.register
async def _do(node: Do, session: StatementContext, args: Sequence[Any]) -> Answer:
    for each in node.expressions:
        await evaluate(each, session, args)
    return Answer()


async def evaluate(node: exp.Expr, session: StatementContext, args: Sequence[Any]) -> Value:
    """The value of an expression without tables; user-level locks in it are waited for, and sleep is slept."""
    if node.find(exp.Query) is not None:
        return (await session.query(exp.select(node.copy()), args))[0][0]
    scope, env = Scope(), Env(session, args)
    for each in node.find_all(exp.Anonymous):
        if (name := each.name.upper()) in ("GET_LOCK", "SLEEP"):
            values = [scope.compile(part)(env) for part in each.expressions]
            env.found[id(each)] = await session.waiting_function(name, values)
    return scope.compile(node)(env)  # type: ignore[no-any-return]


@execute.register
async def _set(node: exp.Set, session: StatementContext, args: Sequence[Any]) -> Answer:
    values = [await _value_of(item, session, args) for item in node.expressions]  # before any of them is set
    kind = None
    for item, value in zip(node.expressions, values, strict=True):
        if (own := item.args.get("kind")) or isinstance(getattr(item.this, "this", None), exp.Parameter):
            kind = own
        await _set_item(item, session, value, kind)
    return Answer()


async def _value_of(item: exp.SetItem, session: StatementContext, args: Sequence[Any]) -> Value:
    if not isinstance(item.this, exp.EQ):
        return None
    target, source = item.this.left, item.this.right
    if isinstance(source, exp.Column | exp.Var) and not isinstance(target, exp.Parameter):
        return source.name
    return await evaluate(source, session, args)


async def _set_item(item: exp.SetItem, session: StatementContext, value: Value, kind: str | None) -> None:
    if kind == "TRANSACTION":
        _set_characteristics(item, session)
        return
    if kind in ("NAMES", "CHARACTER SET", "CHARSET"):
        await _set_names(item, session)
        return
    if not isinstance(item.this, exp.EQ) or kind not in (None, "SESSION", "LOCAL", "GLOBAL"):
        raise unsupported(item)
    target = item.this.left
    if isinstance(target, exp.Parameter):
        session.variables[target.name.lower()] = value
        return
    of = str(target.args.get("kind") or kind or "").upper()
    name = target.name.lower()
    if of == "GLOBAL":
        set_global_variable(name)
    elif of in ("", "SESSION", "LOCAL"):
        await set_system_variable(session, name, value, once=isinstance(target, exp.SessionParameter) and not of)
    else:
        raise unsupported(item)


async def _set_names(item: exp.SetItem, session: StatementContext) -> None:
    """``SET NAMES``: the model has UTF-8 only, and compares texts of no column by the server's own collation."""
    wanted, collation = item.this.name, item.args.get("collate")
    for name in ("character_set_client", "character_set_results", "character_set_connection"):
        await set_system_variable(session, name, wanted, once=False)
    for errno, message in of_characters(wanted, "" if collation is None else collation.name):
        session.note(errno, message)
    if collation is not None:
        await set_system_variable(session, "collation_connection", collation.name, once=False)


def _set_characteristics(item: exp.SetItem, session: StatementContext) -> None:
    """``SET [SESSION] TRANSACTION ISOLATION LEVEL …, READ ONLY``."""
    assert item.parent is not None
    once = "SESSION" not in item.parent.meta["text"].upper()  # the tree does not have the word
    if item.args.get("global_"):
        raise unsupported(item)
    for each in item.expressions:
        words = each.name.upper()
        if words in ("READ ONLY", "READ WRITE"):
            session.set_read_only(words == "READ ONLY", once=once)
        else:
            session.set_isolation(Isolation(words.removeprefix("ISOLATION LEVEL ")), once=once)


# -- prepared statements


@execute.register
async def _prepare(node: Prepare, session: StatementContext, args: Sequence[Any]) -> Answer:
    text = await evaluate(node.expression, session, args)
    session.statements.pop(node.this.lower(), None)
    found = session.engine.prepared.prepare("NULL" if text is None else as_text(text))
    if len(found) != 1:
        raise database_error(1064, f"You have an error in your SQL syntax: several statements in: {text!r}")
    found[0].bind()
    session.statements[node.this.lower()] = found[0]
    return Answer(warnings=list(found[0].parsed.warnings))


@execute.register
async def _deallocate(node: Deallocate, session: StatementContext, _: Sequence[Any]) -> Answer:
    if session.statements.pop(node.this.lower(), None) is None:
        raise _no_statement(node.this, "DEALLOCATE PREPARE")
    return Answer()


def prepared_statement(node: Execute, session: StatementContext) -> tuple[PreparedStatement, Sequence[Any]]:
    """What EXECUTE executes, with its arguments. Raises a `DatabaseError` (1243, 1210)."""
    found = session.statements.get(node.this.lower())
    if found is None:
        raise _no_statement(node.this, "EXECUTE")
    if len(node.expressions) != found.parameters:
        raise database_error(1210, "Incorrect arguments to EXECUTE")
    return found, [session.variables.get(each.name.lower()) for each in node.expressions]


def _no_statement(name: str, where: str) -> DatabaseError:
    return database_error(1243, f"Unknown prepared statement handler ({name}) given to {where}")


# -- tables


@execute.register
async def _analyze(node: Analyze, session: StatementContext, _: Sequence[Any]) -> Answer:
    tables = [session.engine.table(each.name) for each in node.expressions]
    for table in tables:
        table.analyze()
    return Answer(rows=[(table.name, "analyze", "status", "OK") for table in tables])
