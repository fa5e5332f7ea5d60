"""CREATE TRIGGER and DROP TRIGGER, and SIGNAL outside of triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.definitions import change_definitions
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.executor.statements import prepare
from chatsim.innodb.sql.executor.triggers import Trigger
from chatsim.innodb.sql.trigger_parser import CreateTrigger, DropTrigger, SignalStatement
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import as_text

__all__ = ["tables_of_triggers"]


def tables_of_triggers(session: StatementContext, node: exp.Expr) -> set[str]:
    """The tables that triggers of a statement's tables may use, which are locked before it begins."""
    found: set[str] = set()
    waiting = [each.name for each in node.find_all(exp.Table)]
    while waiting:
        table = session.engine.tables.get(waiting.pop())
        for trigger in table.triggers if table is not None else ():
            waiting += trigger.used - found
            found |= trigger.used
    return found & session.engine.tables.keys()


def _with_trigger(session: StatementContext, name: str) -> tuple[Table, Trigger] | None:
    return next(
        ((table, each) for table in session.engine.tables.values() for each in table.triggers if each.name == name),
        None,
    )


@control.execute.register
async def _create(node: CreateTrigger, session: StatementContext, _: Sequence[Any]) -> Answer:
    name, engine = node.this, session.engine
    if node.args["exists"] and _with_trigger(session, name):
        await session.commit()
        return Answer(warnings=[(1359, "Trigger already exists")])
    if node.args["table"] in session.temporary:
        raise database_error(1361, f"Trigger's '{node.args['table']}' is a view, temporary table or system table")

    def plan() -> Any:
        table = engine.table(node.args["table"])
        trigger = Trigger(name, node.args["timing"], node.args["event"], node.args["steps"], prepare, engine.table)
        trigger.check(table)
        if _with_trigger(session, name):
            raise database_error(1359, "Trigger already exists")
        return lambda: table.triggers.append(trigger)

    await change_definitions(session, plan, node.args["table"])
    return Answer()


@control.execute.register
async def _signal(node: SignalStatement, session: StatementContext, args: Sequence[Any]) -> Answer:
    said = node.args["signal"]
    message = None if said.message is None else await control.evaluate(said.message, session, args)
    text = "Unhandled user-defined exception condition" if message is None else as_text(message)
    raise database_error(said.errno, text)


@control.execute.register
async def _drop(node: DropTrigger, session: StatementContext, _: Sequence[Any]) -> Answer:
    found = _with_trigger(session, node.this)
    if found is None and node.args["exists"]:
        await session.commit()
        return Answer(warnings=[(1360, "Trigger does not exist")])

    def plan() -> Any:
        if found is None:
            raise database_error(1360, "Trigger does not exist")
        table, trigger = found
        return lambda: table.triggers.remove(trigger)

    await change_definitions(session, plan, *([found[0].name] if found else []))
    return Answer()
