"""Views: manual, "CREATE VIEW Statement", "View Processing Algorithms".

A view is a derived table whose query was given before. If it only filters and renames, its tables become tables of the
statement, and the statement's locking clauses hold for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Find
from chatsim.innodb.sql.executor.grammar import refuse_unknown
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.optimizer.optimizer_hints import refuse_hints
from chatsim.innodb.sql.syntax import CreateView
from chatsim.innodb.storage.tables import Table

__all__ = ["View", "ViewDefinition", "define_view", "with_views"]

_MISSING = (1054, 1146, 1356)


@dataclass(frozen=True)
class ViewDefinition:
    """What CREATE VIEW has declared.

    Attributes:
        name: the name of the view.
        columns: the names of its columns.
        query: the syntax tree of its query, with the columns of ``*``.
        tables: the names of the tables and views in the query.
        merges: whether its tables may become tables of a statement: not with ALGORITHM=TEMPTABLE.
        checks: whether rows that are written must be in the view (WITH CHECK OPTION).
    """

    name: str
    columns: tuple[str, ...]
    query: exp.Expr
    tables: frozenset[str]
    merges: bool = True
    checks: bool = False


class View(Derived):
    """A view in a statement.

    Args:
        definition: what was declared.
        find: finds the tables of its query.

    Raises:
        DatabaseError: its query is not valid any more (1356).
    """

    is_view: ClassVar[bool] = True

    def __init__(self, definition: ViewDefinition, find: Find) -> None:
        try:
            prepared = query(definition.query.copy(), find)
            super().__init__(definition.name, prepared, definition.columns, (definition.query, find))
        except DatabaseError as error:
            if error.errno not in _MISSING:
                raise
            raise database_error(
                1356,
                f"View '{definition.name}' references invalid table(s) or column(s) or function(s)"
                " or definer/invoker of view lack rights to use them",
            ) from error
        self.definition = definition

    def is_merged(self, *, plain: bool) -> bool:
        """See `Derived.is_merged`."""
        return self.definition.merges and super().is_merged(plain=plain)


def define_view(node: CreateView, find: Find) -> ViewDefinition:
    """The view of a CREATE VIEW.

    Raises:
        NotImplementedError: the model does not have what is in the query.
        DatabaseError: the query is not valid.
    """
    name, select = node.this.name, node.args["expression"].copy()
    parts = list(select.walk())
    refuse_unknown(parts)
    for each in parts:
        refuse_hints(each, "in a view")
    if any(isinstance(each, exp.Parameter | exp.SessionParameter | exp.Placeholder) for each in parts):
        raise database_error(1351, "View's SELECT contains a variable or parameter")
    prepared = query(select.copy(), find)
    if isinstance(prepared, Select):
        select.set("expressions", prepared.stars_expanded())
    columns = tuple(node.args["names"] or prepared.names)
    tables = frozenset(each.name for each in parts if isinstance(each, exp.Table))
    own = {each.alias for each in parts if isinstance(each, exp.CTE)}
    merges = node.args["algorithm"] != "TEMPTABLE"
    definition = ViewDefinition(name, columns, select, tables - own, merges, bool(node.args["checks"]))
    View(definition, find)
    return definition


def with_views(tables: Find, views: Callable[[str], ViewDefinition | None]) -> Find:
    """A function that finds tables and views by their names.

    Args:
        tables: finds a table, or raises a `DatabaseError`.
        views: gives the view of a name, if there is one.
    """

    def found(name: str) -> Table:
        definition = views(name)
        return tables(name) if definition is None else View(definition, found)

    return found
