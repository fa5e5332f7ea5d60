"""KILL: manual, "KILL Statement"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsim.db.mysql import database_error
from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.session_syntax import Kill
from chatsim.innodb.storage.values import as_number

__all__: list[str] = []


@control.execute.register
async def _kill(node: Kill, session: StatementContext, args: Sequence[Any]) -> Answer:
    value = await control.evaluate(node.this, session, args)
    number = 0 if value is None else int(as_number(value))
    engine, ends = session.engine, node.args["kind"] != "QUERY"
    victim = engine.sessions.get(number)
    if victim is None:
        raise database_error(1094, f"Unknown thread id: {number}")
    if number == session.connection_id:
        session.interruption.ends_session = ends
        raise database_error(1317, "Query execution was interrupted")
    victim.interruption.ends_session = ends
    if not victim.works:
        if ends:
            victim.close()
    else:
        victim.interrupt(victim.interruption.error())
    return Answer()
