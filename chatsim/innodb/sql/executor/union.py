"""UNION, INTERSECT and EXCEPT: the rows of two queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.clauses import compile_limit, limit_value, refuse, shown_rows, sorted_rows
from chatsim.innodb.sql.executor.execution import Answer, Execution, Query, ReadRest
from chatsim.innodb.sql.expressions import Scope, unsupported
from chatsim.innodb.sql.expressions.comparison import common_collation
from chatsim.innodb.sql.expressions.result_type import ResultType, common_type, converted_rows
from chatsim.innodb.storage.column_types import ColumnType, place
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.expressions import Env
    from chatsim.innodb.storage.tables import Table

__all__ = ["UnionQuery", "distinct_rows", "result_nullable"]


class UnionQuery:
    """UNION, INTERSECT or EXCEPT of two queries, sorted and limited as a whole.

    Args:
        node: the syntax tree.
        first: the first query.
        second: the second one.
    """

    duplicates: Mode = "S"

    def __init__(self, node: exp.SetOperation, first: Query, second: Query) -> None:
        refuse(node, "locks")
        if isinstance(node.this, exp.Select) and node.this.args.get("locks"):  # it has to stand in parentheses
            raise database_error(1064, "You have an error in your SQL syntax near 'UNION'")
        self.parts = [first, second]
        if len(first.names) != len(second.names):
            raise database_error(1222, "The used SELECT statements have a different number of columns")
        self.names: list[str] = first.names
        self.results = [common_type(each) for each in zip(first.results, second.results, strict=True)]
        pairs = zip(first.kinds, second.kinds, strict=True)
        self.kinds: list[ColumnType | None] = list(map(_kind, pairs, self.results))
        self.nullable = result_nullable(node, first, second)
        self._operation = type(node)
        self.distinct = bool(node.args.get("distinct"))
        scope = Scope()
        self._limit = compile_limit(node.args.get("limit"), scope)
        self._offset = compile_limit(node.args.get("offset"), scope)
        order = node.args.get("order")
        self.order = [self._place(each.this) for each in order.expressions] if order else []
        self._directions = [bool(each.args.get("desc")) for each in order.expressions] if order else []

    def _place(self, node: exp.Expr) -> int:
        """The number of the column of an ORDER BY."""
        if isinstance(node, exp.Literal) and node.name.isdigit() and 1 <= int(node.name) <= len(self.names):
            return int(node.name) - 1
        lowered = [name.lower() for name in self.names]
        if not isinstance(node, exp.Column) or node.table:
            raise unsupported(node, "ORDER BY something else than a column of a UNION")
        if node.name.lower() not in lowered:
            raise database_error(1054, f"Unknown column '{node.name}' in 'order clause'")
        return lowered.index(node.name.lower())

    @property
    def writes(self) -> bool:
        """Whether a part of it locks rows as if it changed them."""
        return any(part.writes for part in self.parts)

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        return [table for part in self.parts for table in part.tables]

    @property
    def direct_tables(self) -> Sequence[Table]:
        """Those of them that it reads itself, and not by way of a derived table."""
        return [table for part in self.parts for table in part.direct_tables]

    async def run(self, run: Execution) -> Answer:
        """Run the query."""
        run.answer.rows = shown_rows(await self.read(run), self.tables)
        return run.answer

    async def read(
        self, run: Execution, *, outer: Env | None = None, most: int | None = None
    ) -> list[tuple[Value, ...]]:
        """Its rows; see `Query`."""
        if most == 1 and outer is not None and self._streams:
            return await self._read_one(run, outer)
        return await (await self.begin(run, outer=outer, most=most))()

    @property
    def _streams(self) -> bool:
        """Whether its rows are given as they are read."""
        return self._operation is exp.Union and not self.order and self._limit is None

    async def _read_one(self, run: Execution, outer: Env) -> list[tuple[Value, ...]]:
        """One row, or none: if the first query has one, the other is planned, but not read."""
        await self.read_ahead(run, outer)
        for part in self.parts:
            if found := await part.read(run, outer=outer, most=1):
                return found
        return []

    async def begin(self, run: Execution, *, outer: Env | None = None, most: int | None = None) -> ReadRest:
        """Plan both queries, before one is read; see `Query`."""
        if limit_value(self._limit, run.env()) == 0:  # nothing is read, and nothing is locked
            return self._nothing
        begun = [await part.begin(run, outer=outer) for part in self.parts]
        return lambda: self._read(run, begun, most)

    async def _nothing(self) -> list[tuple[Value, ...]]:
        return []

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Read the constant tables of both queries; see `Query`."""
        for part in self.parts:
            await part.read_ahead(run, outer)

    async def _read(self, run: Execution, begun: Sequence[ReadRest], most: int | None) -> list[tuple[Value, ...]]:
        first = await begun[0]()
        needless = self._operation is not exp.Union and not first
        second = [] if needless else await begun[1]()
        one, other = (
            converted_rows(rows, part.results, self.results, run.session)
            for part, rows in zip(self.parts, (first, second), strict=True)
        )
        rows = self._combined(one, other)
        if self.distinct or self.order or self._operation is not exp.Union:
            run.answer.temporaries += 1
        if self.distinct:
            rows = distinct_rows(rows, self.kinds)
        if self.order:
            by = [(at, self.kinds[at]) for at in self.order]
            rows = sorted_rows(rows, self._directions, lambda row: [place(row[at], kind) for at, kind in by])
        env = run.env()
        limit, offset = limit_value(self._limit, env), limit_value(self._offset, env) or 0
        if most is not None:
            limit = most if limit is None else min(limit, most)
        return rows[offset : None if limit is None else offset + limit]

    def _combined(self, first: list[tuple[Value, ...]], second: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
        """The rows of both queries, with duplicates."""
        if self._operation is exp.Union:
            return [*first, *second]
        left = Counter(self._place_of(row) for row in second)
        found = []
        for row in first:
            there = left[self._place_of(row)] > 0
            if there and not self.distinct:
                left[self._place_of(row)] -= 1
            if there == (self._operation is exp.Intersect):
                found.append(row)
        return found

    def _place_of(self, row: tuple[Value, ...]) -> tuple[object, ...]:
        return tuple(map(place, row, self.kinds))

    def has_one_row(self, run: Execution) -> bool:
        """Whether it is known before that it has no more than one row."""
        limit = limit_value(self._limit, run.env())
        return limit is not None and limit <= 1

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:
        """What it costs, and how many rows it has; see `Query`."""
        costs, rows = zip(*[part.estimate(run, outer) for part in self.parts], strict=True)
        limit = limit_value(self._limit, run.env())
        return sum(costs), sum(rows) if limit is None else min(sum(rows), float(limit))


def _kind(kinds: Sequence[ColumnType | None], result: ResultType | None) -> ColumnType | None:
    """The type of a column of a UNION: the first of those of its queries, but of a text one with a collation."""
    if result is ResultType.TEXT and kinds[0] != kinds[1]:
        return common_collation(kinds)
    return next((each for each in kinds if each is not None), None)


def result_nullable(node: exp.SetOperation, first: Query, second: Query) -> list[bool]:
    """Whether the columns of a UNION, INTERSECT or EXCEPT of two queries may be NULL."""
    pairs = zip(first.nullable, second.nullable, strict=False)
    match node:
        case exp.Except():
            return list(first.nullable)
        case exp.Intersect():
            return [a and b for a, b in pairs]
    return [a or b for a, b in pairs]


def distinct_rows(rows: Iterable[tuple[Value, ...]], kinds: Sequence[ColumnType | None]) -> list[tuple[Value, ...]]:
    """The rows without duplicates; of equal rows, the first remains."""
    first: dict[tuple[Value, ...], tuple[Value, ...]] = {}
    for row in rows:
        first.setdefault(tuple(map(place, row, kinds)), row)
    return list(first.values())
