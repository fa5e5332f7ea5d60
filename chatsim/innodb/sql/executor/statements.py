"""Statements about rows. They are prepared once from a syntax tree, and executed many times.

`prepare` makes a `Statement` of a tree. `Statement.run` chooses an access plan for each table, with the values of the
arguments (`optimizer.access_path`), scans along its path and locks what it meets (`storage.scan`), and treats the rows
as the statement says. `chatsim.innodb.sql` describes the whole life of a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from chatsim.innodb.sql import parser
from chatsim.innodb.sql.executor.clauses import refuse
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.explain import Explained, ExplainStatement
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.update import Delete, Update
from chatsim.innodb.sql.expressions import unsupported

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


def prepare(node: exp.Expr, find: Find) -> Statement | None:
    """A statement about rows; None if it is of another kind.

    Args:
        node: its syntax tree.
        find: finds a table by its name.

    Raises:
        NotImplementedError: it has something that the model does not know.
        DatabaseError: it is invalid.
    """
    for table in node.find_all(exp.Table):
        refuse(table, "db", "catalog", "sample", "partition", "version", "when", "pivots")
    if node.find(exp.Join, exp.Subquery, exp.Exists) is not None:
        node = node.copy()  # names are resolved in it, and it may have to be prepared again
    if (hint := node.find(exp.Hint)) is not None:
        raise unsupported(hint, "the optimizer takes no hints but of indexes")
    if isinstance(node, parser.Explain):
        statement = prepare(node.this, find)
        if not isinstance(statement, Explained):
            raise unsupported(f"EXPLAIN of {node.this.sql('mysql')}")
        return ExplainStatement(statement)
    match node:
        case exp.Query():
            return query(node, find)
        case exp.Insert():
            return Insert(node, find)
        case exp.Update():
            return Update(node, find)
        case exp.Delete():
            return Delete(node, find)
    return None
