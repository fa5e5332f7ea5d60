"""Prepared statements: parsed once for each text, bound to the tables that there are, executed by sessions.

A text of several statements is prepared as several. Each is bound when it is about to be executed, since one before it
may have changed the tables; and anew when tables have changed since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.db.text import characters, fill, placeholders
from chatsim.innodb.sql.executor.execution import Find
from chatsim.innodb.sql.executor.statements import Statement, prepare
from chatsim.innodb.sql.executor.views import ViewDefinition
from chatsim.innodb.sql.parsed_statement import ParsedStatement, parsed
from chatsim.innodb.sql.parser import Explain
from chatsim.innodb.storage.tables import Table

__all__ = ["PreparedStatement", "StatementCache"]


_OF_STATE = frozenset(("performance_schema", "information_schema", "sys"))
"""The schemas of the server's own state."""


class StatementCache:
    """The prepared statements of a server, by their texts; of those that do not fit the ones used last are kept.

    Args:
        tables: the server's tables, by their names.
        views: its views, by their names.
        find: gives one of them by its name, or raises a `DatabaseError`.
        size: how many texts are kept.

    Attributes:
        generation: how often tables have come, gone or changed.
    """

    def __init__(
        self, tables: Mapping[str, Table], views: Mapping[str, ViewDefinition], find: Find, size: int = 1024
    ) -> None:
        self.tables = tables
        self.views = views
        self.find = find
        self.generation = 0
        self._size = size
        self._texts: OrderedDict[str, tuple[PreparedStatement, ...]] = OrderedDict()

    def __len__(self) -> int:
        """How many texts are kept."""
        return len(self._texts)

    def prepare(self, sql: str) -> tuple[PreparedStatement, ...]:
        """The statements of a text, in order.

        Raises:
            DatabaseError: it is no SQL (1064), or there is no statement in it (1065).
        """
        found = self._texts.get(sql)
        if found is not None:
            self._texts.move_to_end(sql)
            return found
        parameters = placeholders(sql)
        found = tuple(PreparedStatement(each, sql, parameters, self) for each in parsed(sql))
        if not found:
            raise database_error(1065, "Query was empty")
        self._texts[sql] = found
        if len(self._texts) > self._size:
            self._texts.popitem(last=False)
        return found

    def opened_by(self, names: frozenset[str]) -> list[str]:
        """The tables and views that a statement opens which names some: those of the views' queries, too."""
        found = set[str]()
        wanted = set(names)
        while wanted:
            name = wanted.pop()
            if name in self.views:
                wanted |= self.views[name].tables - found
            if name in self.views or name in self.tables:
                found.add(name)
        return sorted(found)

    def invalidate(self) -> None:
        """Note that tables were created, dropped or changed, so that statements must be bound again."""
        self.generation += 1
        self._texts.clear()


class PreparedStatement:
    """One statement of a text.

    Args:
        parsed: its syntax tree, and what is known of that.
        sql: the text.
        parameters: how many arguments the text takes.
        cache: knows the tables.

    Attributes:
        parsed: its syntax tree, and what is known of that.
        node: its syntax tree.
        length: the characters of its text, without blanks and arguments.
        parameters: how many arguments the text takes.
        shows_state: whether it asks for the server's own state.
    """

    __slots__ = ("_bound", "_cache", "_generation", "_sql", "length", "node", "parameters", "parsed", "shows_state")

    def __init__(self, parsed: ParsedStatement, sql: str, parameters: int, cache: StatementCache) -> None:
        self.parsed = parsed
        self.node = parsed.node
        self.length = characters(parsed.node.meta.get("text", sql))
        self.parameters = parameters
        self.shows_state = isinstance(self.node, exp.Query | exp.Set) and not _OF_STATE.isdisjoint(parsed.schemas)
        self._sql = sql
        self._cache = cache
        self._bound: Statement | None = None
        self._generation = -1  # of the tables that it is bound to

    @property
    def tables(self) -> list[str]:
        """The names of the tables and views that it is about, if it is about rows."""
        if (statement := self._current()) is not None:
            names = {table.name for table in statement.tables}
            return sorted(names | (self.parsed.tables & self._cache.views.keys()) if self._cache.views else names)
        if not isinstance(self.node, exp.Query | exp.DML | Explain):
            return []
        return self._cache.opened_by(self.parsed.tables)

    @property
    def writes(self) -> bool:
        """Whether it changes rows, or locks them as if it did."""
        if (statement := self._current()) is not None:
            return statement.writes
        if isinstance(self.node, exp.Query):
            return self.parsed.locks_to_change
        return isinstance(self.node, exp.DML)

    @property
    def bound(self) -> Statement | None:
        """What it has been bound to; None if it is bound to no tables, or not to the present ones."""
        return self._current()

    def bind(self) -> Statement | None:
        """Bind it to the present tables. Returns None if it is not a statement about rows.

        Raises:
            DatabaseError: it is invalid.
            NotImplementedError: it has something that the model does not understand; the message names it.
        """
        if self._generation != self._cache.generation:
            self._bound = prepare(self.parsed, self._cache.find)
            self._generation = self._cache.generation
        return self._bound

    def check(self, args: Sequence[Any]) -> None:
        """Raise a `ValueError` unless there are as many arguments as the text takes."""
        if len(args) != self.parameters:
            raise ValueError(f"{len(args)} arguments for {self.parameters} placeholders in: {self._sql.strip()}")

    def with_arguments(self, args: Sequence[Any]) -> str:
        """Its text, with the arguments in their places."""
        numbers = sorted(each.meta["number"] for each in self.node.find_all(exp.Placeholder))
        return fill(self.node.meta["text"], [_literal(args[number]) for number in numbers])

    def _current(self) -> Statement | None:
        return self._bound if self._generation == self._cache.generation else None


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
