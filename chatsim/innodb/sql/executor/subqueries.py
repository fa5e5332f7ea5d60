"""Subqueries in expressions: manual, "Subqueries".

An expression is a plain function and can't wait for locks, but a subquery may have to. So it is run apart: the function
of a subquery whose rows are not there yet raises `SubqueryNeeded`, whoever evaluates the expression runs the subquery
(`evaluated`), and evaluates the expression again. In this way a subquery is run only if its value is asked for, and
only once for the same values of the query around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.clauses import all_true
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare, unsupported
from chatsim.innodb.sql.expressions.comparison import common_collation
from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.expressions.scope import compiled
from chatsim.innodb.sql.expressions.waiting import Needed
from chatsim.innodb.sql.optimizer.cost_model import ROW

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution, Query
    from chatsim.innodb.sql.executor.select import Select
    from chatsim.innodb.storage.column_types import ColumnType
    from chatsim.innodb.storage.values import Value

__all__ = ["Quantifier", "Subquery", "SubqueryNeeded", "all_hold", "evaluated"]

Quantifier = Literal["scalar", "row", "exists", "any", "all"]
"""What a subquery is asked for: one value, one row, whether there is a row, comparisons with any or all of them."""

T = TypeVar("T")

_CREATE = 1.0  # a temporary table in memory

_HOLDS: dict[type[exp.Expr], Callable[[int], bool]] = {
    exp.EQ: lambda sign: sign == 0,
    exp.NEQ: lambda sign: sign != 0,
    exp.LT: lambda sign: sign < 0,
    exp.LTE: lambda sign: sign <= 0,
    exp.GT: lambda sign: sign > 0,
    exp.GTE: lambda sign: sign >= 0,
}


class Subquery:
    """A subquery in an expression.

    Args:
        quantifier: what it is asked for.
        operator: how its rows are compared with the value on the left.
        materializes: whether its rows may be kept.
        random: whether it may have other rows each time.

    Attributes:
        query: the query.
        outer: the values of the queries around it that it uses, as functions of the environment of the next one.
        references: the columns of that one that it uses.
        variants: the queries of its rows that equal one value, if IN can ask for them: for each one of a UNION.
        scanned: the query, which reads the table whole, for a value that is NULL, if the variant searches an index.
        null_matters: whether rows that are NULL are needed, too.
        nulls_count: whether it makes a difference if IN is NULL and not false.
        always_kept: whether a hint says that all its rows are kept, if they can be.
    """

    query: Query

    def __init__(
        self,
        quantifier: Quantifier,
        operator: type[exp.Expr] | None,
        *,
        materializes: bool = True,
        random: bool = False,
    ) -> None:
        self.quantifier = quantifier
        self.random = random
        self.operator = operator
        self.outer: list[Function] = []
        self.references: list[exp.Expr] = []
        self.variants: list[Select] = []
        self.scanned: Select | None = None
        self.null_matters = False
        self.nulls_count = True
        self.always_kept = False
        self._materializes = materializes

    def key(self, env: Env) -> tuple[object, ...]:
        """What its rows depend on."""
        return (id(self), *[value(env) for value in self.outer])

    def keeps_rows(self, run: Execution, env: Env, *, once: bool = False) -> bool:
        """Whether all its rows are read and kept, since that costs less than to look for each value that is asked for.

        With ``once``, for one value; else for as many as the plan expects.

        Source: manual, "Optimizing Subqueries with Materialization".
        """
        if not self.variants:
            return True
        if self.outer or not self._materializes:
            return False
        if self.always_kept:
            return True
        times = 1.0 if once else env.found.get((self, "times"), 1.0)
        looked = sum(each.estimate(run, env)[0] for each in self.variants)
        whole, rows = self.query.estimate(run, env)
        return whole + _CREATE + rows * ROW + times * ROW < times * looked

    async def read_ahead(self, run: Execution, env: Env) -> None:
        """Read what the server reads when it plans the query around this one."""
        asked = self in env.found or (not self.outer and self.key(env) in env.found)
        if not asked:
            queries: Sequence[Query] = self.variants or [self.query]
            for each in queries:
                await each.read_ahead(run, env)

    async def read(self, run: Execution, env: Env, *, looks: bool, most: int | None = None) -> list[tuple[Value, ...]]:
        """Its rows, as many as are needed; with ``looks`` those that equal the value that is asked for."""
        if looks:
            return await self._look(run, env)
        query = self.query if most is None else self.scanned or self.query
        if self.quantifier in ("scalar", "row"):
            return await self._single(run, env)
        return await query.read(run, outer=env, most=1 if self.quantifier == "exists" else most)

    async def _single(self, run: Execution, env: Env) -> list[tuple[Value, ...]]:
        """The only row, or none. Raises a `DatabaseError` (1242) as soon as there is another one."""
        rows: list[tuple[Value, ...]] = []

        async def is_enough(row: tuple[Value, ...]) -> bool:
            rows.append(row)
            return len(rows) > 1

        if hasattr(self.query, "joined"):  # a SELECT, which says of each row that there is one
            rows += await cast("Select", self.query).read(run, is_enough, outer=env)
        else:
            rows += await self.query.read(run, outer=env)
        if len(rows) > 1:
            raise database_error(1242, "Subquery returns more than 1 row")
        return rows

    async def _look(self, run: Execution, env: Env) -> list[tuple[Value, ...]]:
        """The rows of the variants up to the first one without NULL, which answers the question."""
        rows: list[tuple[Value, ...]] = []

        async def is_enough(row: tuple[Value, ...]) -> bool:
            rows.append(row)
            return None not in row

        for each in self.variants[1:]:  # all are planned before one is read
            await each.read_ahead(run, env)
        for each in self.variants:
            rows += await each.read(run, is_enough, outer=env)
            if rows and None not in rows[-1]:
                break
        return rows


class SubqueryNeeded(Needed):
    """The rows of a subquery are needed, and are not there yet.

    Args:
        subquery: the subquery.
        env: the environment of the query around it.
        key: where its rows are put; None to decide how they are read.
        looks: whether only rows are needed that equal the value that is asked for.
        most: how many rows are needed; None is all.
    """

    def __init__(
        self,
        subquery: Subquery,
        env: Env,
        key: tuple[object, ...] | None,
        *,
        looks: bool = False,
        most: int | None = None,
    ) -> None:
        super().__init__()
        self._subquery = subquery
        self._env = env
        self._key = key
        self._looks = looks
        self._most = most

    async def answer(self, run: Execution) -> None:
        """Run the subquery."""
        subquery, env = self._subquery, self._env
        if self._key is None:
            env.found[subquery] = await evaluated(run, lambda: subquery.keeps_rows(run, env))
        else:
            env.found[self._key] = await subquery.read(run, env, looks=self._looks, most=self._most)


async def all_hold(run: Execution, functions: Sequence[Function], env: Env) -> bool:
    """Whether all conditions hold. Raises a `DatabaseError`."""
    try:
        return all_true(functions, env)
    except Needed as needed:
        return await evaluated(run, lambda: all_true(functions, env), needed)


async def evaluated(run: Execution, compute: Callable[[], T], needed: Needed | None = None) -> T:
    """The result of a computation that may need something: subqueries, or waits. Raises a `DatabaseError`.

    Args:
        run: the run of the statement.
        compute: the computation.
        needed: what is known to be needed first.
    """
    answered: list[Needed] = []
    while True:
        if needed is not None:
            await needed.answer(run)
            answered.append(needed)
        try:
            found = compute()
        except Needed as another:
            needed = another
            continue
        for each in answered:
            each.forget()
        return found


@compiled.register(SubqueryValue)
def _subquery_value(node: SubqueryValue, scope: Scope) -> Function:
    subquery = scope.subqueries[node.args["number"]]

    def any_row(env: Env) -> list[tuple[Value, ...]]:
        key = (*subquery.key(env), "any row")
        found: list[tuple[Value, ...]] | None = env.found.get(key)
        if found is None:
            raise SubqueryNeeded(subquery, env, key, most=1)
        return found

    def rows(env: Env, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        looks = False
        if subquery.variants and (None not in values or list(values) == [None]):
            keeps = env.found.get(subquery)
            if keeps is None:
                raise SubqueryNeeded(subquery, env, None)
            looks = not keeps
        if looks and None in values:
            return any_row(env)
        key = (*subquery.key(env), *(values if looks else ()))
        found: list[tuple[Value, ...]] | None = env.found.pop(key, None) if subquery.random else env.found.get(key)
        if found is None:
            raise SubqueryNeeded(subquery, env, key, looks=looks)
        return found

    if subquery.quantifier == "exists":
        return lambda env: int(bool(rows(env)))
    if subquery.quantifier == "scalar":
        return lambda env: found[0][0] if (found := rows(env)) else None
    return _comparison(node.this, subquery, scope, rows)


def _comparison(
    left: exp.Expr, subquery: Subquery, scope: Scope, rows: Callable[..., list[tuple[Value, ...]]]
) -> Function:
    """A comparison of a value, or of a row, with the rows of a subquery."""
    inner = left.unnest()
    parts = inner.expressions if isinstance(inner, exp.Tuple) else [left]
    functions = [scope.compile(each) for each in parts]
    kinds = [_common(scope.kind(each), kind) for each, kind in zip(parts, subquery.query.kinds, strict=True)]
    operator = subquery.operator
    assert operator is not None
    if operator not in _HOLDS or (len(parts) > 1 and operator not in (exp.EQ, exp.NEQ)):
        raise unsupported(f"{operator.__name__} with the rows of a subquery")
    holds = _HOLDS[operator]

    def held(values: list[Value], row: tuple[Value, ...]) -> bool | None:
        signs = [
            None if a is None or b is None else compare(a, b, kind)
            for a, b, kind in zip(values, row, kinds, strict=True)
        ]
        if len(signs) == 1:
            return None if signs[0] is None else holds(signs[0])
        equal = False if any(signs) else None if None in signs else True
        return equal if equal is None or operator is exp.EQ else not equal

    def value(env: Env) -> int | None:
        values = [function(env) for function in functions]
        if subquery.variants and values == [None]:  # it is NULL, unless there is no row
            return (None if rows(env, values) else 0) if subquery.nulls_count else None
        found = [held(values, row) for row in rows(env, values)]
        if subquery.quantifier == "all":
            return 0 if False in found else None if None in found else 1
        if subquery.quantifier == "row" and not found:
            return None
        return 1 if True in found else None if None in found else 0

    return value


def _common(one: ColumnType | None, other: ColumnType | None) -> ColumnType | None:
    return common_collation([one, other])
