"""Creating and dropping views: manual, "CREATE VIEW Statement", "DROP VIEW Statement"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsim.db.mysql import database_error
from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.definition_locks import check_definition
from chatsim.innodb.server.definitions import Change, change_definitions
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.executor.views import define_view
from chatsim.innodb.sql.syntax import CreateView, DropViews

__all__: list[str] = []


@control.execute.register
async def _create(node: CreateView, session: StatementContext, _: Sequence[Any]) -> Answer:
    name, engine = node.this.name, session.engine
    _check(session, [name])

    def plan() -> Change:
        if name in engine.tables and (node.args["replace"] or node.args.get("alters")):
            raise _no_view(name)
        if node.args.get("alters") and name not in engine.views:
            raise database_error(1146, f"Table '{name}' doesn't exist")
        if not node.args["replace"] and not node.args.get("alters") and name in {**engine.tables, **engine.views}:
            raise database_error(1050, f"Table '{name}' already exists")
        definition = define_view(node, engine.find)

        def change() -> None:
            engine.views[name] = definition

        return change

    await change_definitions(session, plan, name)
    return Answer()


@control.execute.register
async def _drop(node: DropViews, session: StatementContext, _: Sequence[Any]) -> Answer:
    names, engine = node.args["names"], session.engine
    _check(session, names)
    missing = [name for name in names if name not in engine.views]

    def plan() -> Change:
        if table := next((name for name in missing if name in engine.tables), None):
            raise _no_view(table)
        if missing and not node.args["exists"]:
            raise database_error(1051, f"Unknown table '{','.join(missing)}'")

        def change() -> None:
            for name in names:
                engine.views.pop(name, None)

        return change

    await change_definitions(session, plan, *names)
    return Answer(warnings=[(1051, f"Unknown table '{name}'") for name in missing])


def _check(session: StatementContext, names: Sequence[str]) -> None:
    """Raise a `DatabaseError` if the session may not change definitions now."""
    if session.only_reads and session.reads_only:
        raise database_error(1792, "Cannot execute statement in a READ ONLY transaction.")
    if session.locked_tables is not None:
        check_definition(session.locked_tables, names)


def _no_view(name: str) -> Exception:
    return database_error(1347, f"'{name}' is not VIEW")
