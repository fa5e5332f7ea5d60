"""What is in the tables of the modelled server, and in its sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from chatsim.db.session import Isolation
from chatsim.innodb.server.session import EngineSession
from chatsim.worlds.world import TableContents

if TYPE_CHECKING:
    from chatsim.innodb.server.engine import Engine
    from chatsim.innodb.storage.structures import Index
    from chatsim.innodb.storage.tables import Table

__all__ = ["contents", "session_states"]


def contents(engine: Engine) -> Mapping[str, TableContents]:
    """All tables, by name, as they are stored now, whoever has written them."""
    return {
        table.name: TableContents(
            tuple(_definition(table)), [tuple(record.row) for record in table.clustered if not record.deleted]
        )
        for table in sorted(engine.tables.values(), key=lambda each: each.name)
    }


def _definition(table: Table) -> Iterator[str]:
    for column in table.columns:
        default = "the moment" if callable(column.default) else repr(column.default)
        rest = f"{'' if column.nullable else ' NOT NULL'}{f' DEFAULT {default}' if column.has_default else ''}"
        yield f"`{column.name}` {column.type}{rest}{' AUTO_INCREMENT' if column.auto_increment else ''}"
    for index in table.indexes:
        yield _index(table, index)
    for key in table.parents:
        yield f"CONSTRAINT `{key.name}` FOREIGN KEY ({_names(table, key.columns)}) REFERENCES `{key.parent.name}`"
    for check in table.checks:
        yield f"CONSTRAINT `{check}` CHECK"


def _index(table: Table, index: Index) -> str:
    definition = index.definition
    columns = f"({_names(table, definition.columns)})"
    if definition.clustered:
        return f"PRIMARY KEY {columns}"
    return f"{'UNIQUE ' if definition.unique else ''}KEY `{definition.name}` {columns}"


def _names(table: Table, columns: Iterable[int]) -> str:
    return ",".join(f"`{table.columns[at].name}`" for at in columns)


def session_states(engine: Engine, aside: int) -> Mapping[str, int]:
    """The states of all sessions except the one numbered ``aside``, with the number of sessions with each.

    Sessions with an open transaction are left out.
    """
    sessions = [each for number, each in engine.sessions.items() if number != aside and isinstance(each, EngineSession)]
    if not sessions:  # those that will be opened begin like that
        return {"autocommit = ON": 0, f"transaction_isolation = {Isolation.REPEATABLE_READ.replace(' ', '-')}": 0}
    return Counter(state for each in sessions if not each.under_way for state in _states(engine, each))


def _states(engine: Engine, session: EngineSession) -> Iterator[str]:
    yield f"autocommit = {'ON' if session.autocommit else 'OFF'}"
    yield f"transaction_isolation = {session.isolation.replace(' ', '-')}"
    yield f"innodb_lock_wait_timeout = {session.lock_wait_timeout:g}"
    for name, value in session.variables.items():
        if value is not None:
            yield f"the user variable @{name}"
    for name in engine.user_locks.held(session.connection_id):
        yield f"the advisory lock {name}"
