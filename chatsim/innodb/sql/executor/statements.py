"""Statements about rows. They are prepared once from a syntax tree, and executed many times.

`prepare` makes a `Statement` of a tree. `Statement.run` chooses an access plan for each table, with the values of the
arguments (`optimizer.access_path`), scans along its path and locks what it meets (`storage.scan`), and treats the rows
as the statement says. `chatsim.innodb.sql` describes the whole life of a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql import parser
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.explain import Explained, ExplainStatement
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.multi_table import MultiTableDelete, MultiTableUpdate
from chatsim.innodb.sql.executor.query import outermost_query
from chatsim.innodb.sql.executor.update import Delete, Update
from chatsim.innodb.sql.executor.view_changes import through_views
from chatsim.innodb.sql.executor.views import View
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.parsed_statement import ParsedStatement

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.tables import Table

__all__ = ["Statement", "prepare"]


class Statement(Protocol):
    """A prepared statement.

    Attributes:
        duplicates: the mode in which it locks duplicates of a row that it inserts.
    """

    duplicates: Mode

    @property
    def writes(self) -> bool:
        """Whether it changes rows, or locks them as if it did."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that it uses."""
        ...

    async def run(self, run: Execution) -> Answer:
        """Execute it. After a `DatabaseError`, the caller has to undo its changes."""
        ...


def prepare(statement: ParsedStatement, find: Find) -> Statement | None:
    """A statement about rows; None if it is of another kind.

    Args:
        statement: its syntax tree, and what is known of that.
        find: finds a table by its name.

    Raises:
        NotImplementedError: it has something that the model does not know.
        DatabaseError: it is invalid.
    """
    if statement.refusal:
        raise NotImplementedError(statement.refusal)
    node = statement.node
    if isinstance(node, parser.Explain):
        explained = prepare(ParsedStatement(node.this), find)
        if not isinstance(explained, Explained):
            raise unsupported(f"EXPLAIN of {node.this.sql('mysql')}")
        return ExplainStatement(explained)
    if statement.has_queries:
        node = node.copy()  # names are resolved in it, and it may have to be prepared again
    if isinstance(node, exp.Query | exp.Values):
        return outermost_query(node, find)
    if isinstance(node, exp.Insert | exp.Update | exp.Delete):
        return _change(node, find, has_queries=statement.has_queries)
    return None


def _change(node: exp.Insert | exp.Update | exp.Delete, find: Find, *, has_queries: bool) -> Statement:
    views = set[str]()

    def noted(name: str) -> Table:
        if isinstance(found := find(name), View):
            views.add(name)
        return found

    changed = through_views(node, noted)
    joins = (has_queries or changed is not node) and _joins_subqueries(changed)
    try:
        match changed:
            case exp.Update():
                return _update(changed, noted, alone=joins or changed.this.name in views)
            case exp.Delete():
                return _delete(changed, noted, alone=joins)
        assert isinstance(changed, exp.Insert)
        return Insert(changed, noted)
    except DatabaseError as error:
        if error.errno == 1093 and views:
            message = f"The definition of table '{min(views)}' prevents operation {type(node).__name__.upper()}"
            raise database_error(1443, f"{message} on table '{changed.this.alias_or_name}'.") from error
        raise


def _update(node: exp.Update, find: Find, *, alone: bool) -> Update | MultiTableUpdate:
    if not _is_one_table(node.this):
        return MultiTableUpdate(node, find)
    return MultiTableUpdate(node, find, alone=True) if alone else Update(node, find)


def _delete(node: exp.Delete, find: Find, *, alone: bool) -> Delete | MultiTableDelete:
    if node.args.get("tables"):
        return MultiTableDelete(node, node.this, node.args["tables"], find)
    if node.args.get("using"):
        (first, *more) = node.args["using"]
        targets = [node.this, *(each.this for each in node.this.args.get("joins") or ())]
        for each in more:
            first.append("joins", exp.Join(this=each))
        return MultiTableDelete(node, first, targets, find)
    if not _is_one_table(node.this):
        raise database_error(1064, "You have an error in your SQL syntax: DELETE of joined tables names none of them")
    if alone:
        return MultiTableDelete(node, node.this, [node.this], find, alone=True)
    return Delete(node, find)


def _is_one_table(node: exp.Expr) -> bool:
    return isinstance(node, exp.Table) and not node.args.get("joins")


def _joins_subqueries(node: exp.Expr) -> bool:
    """Whether a statement about one table is executed as one about several, so that IN and EXISTS can be joined."""
    if not isinstance(node, exp.Update | exp.Delete) or node.args.get("order") or node.args.get("limit"):
        return False
    parts = [*node.expressions, *filter(None, [node.args.get("where")])]
    return any(_is_in_or_exists(each) for part in parts for each in part.walk(prune=_is_in_or_exists))


def _is_in_or_exists(node: exp.Expr) -> bool:
    return isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query") is not None)
