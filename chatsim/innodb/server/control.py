"""Statements that are not about rows: transactions, savepoints, SET, DO, ANALYZE; for DDL see `definitions`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from sqlglot import exp

from chatsim.db.session import Isolation
from chatsim.innodb.server import definitions
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.variables import set_system_variable
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.parser import Analyze, Do, Release, Savepoint
from chatsim.innodb.sql.syntax import Definition
from chatsim.innodb.storage.values import Value

__all__ = ["execute"]

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
    await session.begin()
    modes = node.args.get("modes") or []
    session.read_only = "READ ONLY" in modes
    if modes != ["WITH CONSISTENT SNAPSHOT"]:
        return Answer()
    if session.transaction().isolation is Isolation.REPEATABLE_READ:
        session.view()
        return Answer()
    return Answer(warnings=[(138, _NO_SNAPSHOT)])


@execute.register
async def _commit(_: exp.Commit, session: StatementContext, __: Sequence[Any]) -> Answer:
    await session.commit()
    return Answer()


@execute.register
async def _rollback(node: exp.Rollback, session: StatementContext, _: Sequence[Any]) -> Answer:
    savepoint, warnings = node.args.get("savepoint"), session.not_undone()
    if savepoint is None:
        session.rollback()
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
        await _evaluate(each, session, args)
    return Answer()


async def _evaluate(node: exp.Expr, session: StatementContext, args: Sequence[Any]) -> Value:
    """The value of an expression without tables; user-level locks in it are waited for."""
    scope, env = Scope(), Env(session, args)
    for each in node.find_all(exp.Anonymous):
        if each.name.upper() == "GET_LOCK":
            name, *seconds = [scope.compile(part)(env) for part in each.expressions]
            env.found[id(each)] = await session.get_lock(name, seconds[0] if seconds else None)
    return scope.compile(node)(env)  # type: ignore[no-any-return]


@execute.register
async def _set(node: exp.Set, session: StatementContext, args: Sequence[Any]) -> Answer:
    for item in node.expressions:
        await _set_item(item, session, args)
    return Answer()


async def _set_item(item: exp.SetItem, session: StatementContext, args: Sequence[Any]) -> None:
    kind = item.args.get("kind")
    known = kind in (None, "SESSION", "TRANSACTION", "NAMES")
    if not known or item.args.get("global_") or item.args.get("collate"):
        raise unsupported(item)
    if kind == "TRANSACTION":
        _set_characteristics(item, session)
        return
    if kind == "NAMES" and item.this.name.lower() == "utf8mb4":
        return  # the model has no other
    if not isinstance(item.this, exp.EQ):
        raise unsupported(item)
    target, source = item.this.left, item.this.right
    if isinstance(target, exp.Parameter):
        session.variables[target.name.lower()] = await _evaluate(source, session, args)
        return
    of = target.args.get("kind") if isinstance(target, exp.SessionParameter) else "SESSION"
    if str(of or "").upper() not in ("", "SESSION", "LOCAL"):
        raise unsupported(item)
    value = source.name if isinstance(source, exp.Column | exp.Var) else await _evaluate(source, session, args)
    await set_system_variable(session, target.name.lower(), value, once=of is None)


def _set_characteristics(item: exp.SetItem, session: StatementContext) -> None:
    """``SET [SESSION] TRANSACTION ISOLATION LEVEL …``."""
    words = [each.name.upper() for each in item.expressions]
    if len(words) != 1 or not words[0].startswith("ISOLATION LEVEL "):
        raise unsupported(item)
    assert item.parent is not None
    once = "SESSION" not in item.parent.meta["text"].upper()  # the tree does not have the word
    session.set_isolation(Isolation(words[0].removeprefix("ISOLATION LEVEL ")), once=once)


# -- tables


@execute.register
async def _analyze(node: Analyze, session: StatementContext, _: Sequence[Any]) -> Answer:
    tables = [session.engine.table(each.name) for each in node.expressions]
    for table in tables:
        table.analyze()
    return Answer(rows=[(table.name, "analyze", "status", "OK") for table in tables])
