"""VALUES as a query: manual, "VALUES Statement"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.clauses import refuse, value_rows
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.expressions.result_type import common_type, converted, result_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.execution import ReadRest, Rows
    from chatsim.innodb.storage.column_types import ColumnType
    from chatsim.innodb.storage.tables import Table

__all__ = ["ValuesQuery"]


class ValuesQuery:
    """The rows of VALUES ROW(…), ….

    Args:
        node: its syntax tree.

    Raises:
        DatabaseError: its rows have different numbers of columns (1136).
    """

    duplicates: Mode = "S"
    writes = False
    tables: Sequence[Table] = ()
    direct_tables: Sequence[Table] = ()

    def __init__(self, node: exp.Values) -> None:
        refuse(node, "order", "limit", "offset", "alias")
        scope = Scope()
        self._rows = [[scope.compile(each) for each in row] for row in value_rows(node)]
        width = len(self._rows[0])
        if any(len(row) != width for row in self._rows):
            raise database_error(1136, "Column count doesn't match value count at row 2")
        self.names = [f"column_{at}" for at in range(width)]
        self.kinds: list[ColumnType | None] = [None] * width
        columns = zip(*value_rows(node), strict=True)
        self.results = [common_type(result_type(each, scope) for each in column) for column in columns]
        self.nullable = [True] * width

    async def run(self, run: Execution) -> Answer:
        """Give the rows."""
        run.answer.rows = await self.read(run)
        return run.answer

    async def read(self, run: Execution, *, outer: Env | None = None, most: int | None = None) -> Rows:
        """Its rows; see `Query`."""
        env = run.env(0, outer)
        session = run.session
        return [
            tuple(
                [converted(function(env), wanted, session) for function, wanted in zip(row, self.results, strict=True)]
            )
            for row in self._rows[:most]
        ]

    async def begin(self, run: Execution, *, outer: Env | None = None) -> ReadRest:
        """There is nothing to be planned; see `Query`."""
        return lambda: self.read(run, outer=outer)

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Nothing is read; see `Query`."""

    def has_one_row(self, run: Execution) -> bool:  # noqa: ARG002 - as in other queries
        """Whether it has no more than one row."""
        return len(self._rows) == 1

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:  # noqa: ARG002 - as above
        """What it costs, and how many rows it has; see `Query`."""
        return 0.0, float(len(self._rows))
