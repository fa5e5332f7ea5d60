"""Conditions that can be checked before any table is read, with the values that columns have to equal.

In the server: ``optimize_cond``, which puts constants in place of columns that equal them, and evaluates what has no
column then, also a subquery. If that is false, no table of the statement is locked ("Impossible WHERE").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.constants import is_of_kind
from chatsim.innodb.sql.optimizer.equalities import OF_MERGED
from chatsim.innodb.storage.column_types import (
    BadValueError,
    ColumnType,
    Decimals,
    Enumeration,
    Integer,
    Moment,
    Text,
)

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.subqueries import Subquery
    from chatsim.innodb.storage.values import Value

__all__ = ["FixedValues"]

_PUT = (Integer, Decimals, Enumeration, Moment, Text)
"""The types of columns in whose place a constant is put. Two constants for a column exclude each other for any type."""


class FixedValues:
    """The columns that have to equal constants, and the conditions on these alone.

    Args:
        scope: names the tables.
        tables: the conditions on each of the tables whose rows must meet them, when no row is known.
        conditions: the conditions, which must all be true.
    """

    def __init__(self, scope: Scope, tables: Iterable[Conditions], conditions: Collection[exp.Expr]) -> None:
        self._scope = scope
        self._equal: list[tuple[int, int, Function, bool]] = []  # the last ones are subqueries of what is never NULL
        self._conditions: list[Function] = []
        self._subqueries: list[Subquery] = []
        if len(conditions) > 1:  # one alone can't contradict another one
            self._compare(tables, conditions)

    def _compare(self, tables: Iterable[Conditions], conditions: Collection[exp.Expr]) -> None:
        """Find the columns that have to equal constants, and the conditions that these may not meet."""
        scope = self._scope
        sources: dict[int, tuple[int, int]] = {}
        for at, equalities in ((table.at, table.equalities()) for table in tables):
            for each in equalities:
                if isinstance(each.node, exp.Null) or not _is_equality(each.node):
                    continue
                if not (each.needs or each.outer or each.null_safe):
                    nullable = scope.tables[at][1].columns[each.column].nullable
                    computed = isinstance(each.node, SubqueryValue) and not nullable
                    self._equal.append((at, each.column, each.value, computed))
                    sources[id(each.node.parent)] = at, each.column
        self._equal.sort(key=lambda each: each[-1])
        times = Counter((at, column) for at, column, *_ in self._equal)
        fixed = {(at, column) for at, column in times if isinstance(scope.tables[at][1].columns[column].type, _PUT)}
        self._twice = {source for source, count in times.items() if count > 1}
        twice = {number for number, source in sources.items() if times[source] > 1}
        found = [each for each in conditions if self._named(each) <= fixed and _is_constant(each) and self._put(each)]
        nodes = [
            *(each for each in conditions if id(each) in twice),
            *(each for each in found if id(each) not in sources),
        ]
        self._conditions = [scope.compile(each) for each in nodes]
        asked = (part for each in nodes for part in each.find_all(SubqueryValue))
        self._subqueries = [each for part in asked if (each := scope.subqueries[part.args["number"]]).variants]

    def _named(self, node: exp.Expr) -> set[tuple[int, int]]:
        return {self._scope.column(each) for each in node.find_all(exp.Column)}

    def _put(self, node: exp.Expr) -> bool:
        """Whether constants are put in place of the columns of a condition.

        Of a CHAR they are not in IN, BETWEEN and LIKE, and of a date not where IN or ANY compares it with a query; and
        never of a column that is named through a merged derived table or view.
        """
        if any(each.meta.get(OF_MERGED) for each in node.find_all(exp.Column)):
            return False
        kinds = [self._scope.tables[at][1].columns[column].type for at, column in self._named(node)]
        trimmed = any(isinstance(each, Text) and each.trimmed for each in kinds)
        dated = any(isinstance(each, Moment) for each in kinds)
        compared = any(each.args.get("this") for each in node.find_all(SubqueryValue))
        return not (trimmed and node.find(exp.In, exp.Between, exp.Like)) and not (dated and compared)

    async def allow(self, run: Execution, env: Env) -> bool:
        """Whether no condition is false with these values. Raises a `DatabaseError`."""
        if not self._conditions:
            return True
        before = list(env.rows)
        try:
            for at, table in enumerate(self._scope.tables):
                env.rows[at] = (None,) * len(table[1].columns)
            put = set()
            for at, column, function, computed in self._equal:
                value = await evaluated(run, lambda function=function: function(env))  # type: ignore[misc]
                if computed and value is not None:  # it is not put, but compared with what is
                    if (at, column) in put:
                        continue
                    if (at, column) not in self._twice:
                        return True
                put.add((at, column))
                kind = self._scope.tables[at][1].columns[column].type
                if value is not None and not is_of_kind(kind, value):
                    return True  # they are compared as numbers, and the column keeps its place
                value = self._stored(kind, value)
                env.rows[at] = (*env.rows[at][:column], value, *env.rows[at][column + 1 :])
            for subquery in self._subqueries:  # it is asked once, so that its rows are seldom worth keeping
                env.found[subquery] = await evaluated(run, partial(subquery.keeps_rows, run, env, once=True))
            return await all_hold(run, self._conditions, env)
        finally:
            env.rows[:] = before

    def _stored(self, kind: ColumnType, value: Value) -> Value:
        """A value as a column has it, if it can have it."""
        if value is None:
            return None
        try:
            stored = kind.store(value)
        except BadValueError:
            return value
        return stored if compare(stored, value, kind) == 0 else value


def _is_equality(node: exp.Expr) -> bool:
    """Whether a value belongs to an equality as it is written, and not to a BETWEEN or an OR of the same values."""
    return not isinstance(node.parent, exp.Between) and not isinstance(node.find_ancestor(exp.Or, exp.Query), exp.Or)


def _is_constant(node: exp.Expr) -> bool:
    """Whether a condition on constants has one value for the statement: it uses no query around it, nor chance.

    One that compares with NULL is left alone, as by the server.
    """
    if any(not isinstance(each.parent, exp.Is) for each in node.find_all(exp.Null)):
        return False
    if any(each.args.get("references") for each in node.find_all(SubqueryValue)):
        return False
    return not node.find(OuterValue, exp.Parameter, exp.SessionParameter, exp.Anonymous, exp.Rand, exp.Uuid)
