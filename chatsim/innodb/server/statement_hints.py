"""What hints and variables say about one statement: SET_VAR and MAX_EXECUTION_TIME (manual, "Optimizer Hints")."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.variables import set_system_variable, system_variable
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.optimizer.optimizer_hints import OptimizerHint, hints_of
from chatsim.innodb.storage.values import Value

__all__ = ["with_hints"]

_HINTABLE = (
    *("foreign_key_checks", "unique_checks", "sql_mode", "timestamp", "group_concat_max_len", "max_execution_time"),
    *("sort_buffer_size", "join_buffer_size", "read_buffer_size", "tmp_table_size", "max_heap_table_size"),
    *("optimizer_switch", "bulk_insert_buffer_size", "sql_safe_updates", "eq_range_index_dive_limit"),
)


@asynccontextmanager
async def with_hints(session: StatementContext, node: exp.Expr) -> AsyncIterator[None]:
    """Run the block as the execution of a statement whose hints about the session are obeyed.

    Raises:
        NotImplementedError: the model does not obey one.
        DatabaseError: the statement was interrupted.
    """
    hints = hints_of(node)
    before: dict[str, Value] = {}
    for hint in hints:
        if hint.name == "SET_VAR":
            name, value = _assignment(hint)
            before.setdefault(name, system_variable(session, name))
            await set_system_variable(session, name, value, once=False)
    wanted = next((each for each in hints if each.name == "MAX_EXECUTION_TIME"), None)
    limit = int(wanted.inner) if wanted is not None and wanted.inner.strip().isdigit() else session.max_execution_time
    timer = None
    if limit and isinstance(node, exp.Query):
        timer = asyncio.get_running_loop().call_later(limit / 1000, _interrupt, session)
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
        for name, value in before.items():
            await set_system_variable(session, name, value, once=False)


def _assignment(hint: OptimizerHint) -> tuple[str, Value]:
    name, _, value = (each.strip() for each in hint.inner.partition("="))
    text = value.strip("'\"")
    if name.lower() not in _HINTABLE or not text:
        raise unsupported(f"hint SET_VAR({hint.inner})")
    return name.lower(), int(text) if text.isdigit() else text


def _interrupt(session: StatementContext) -> None:
    """End what the session's statement waits for."""
    error = database_error(3024, "Query execution was interrupted, maximum statement execution time exceeded")
    session.interrupt(error)
