"""Comparisons of a column of a table with values that are known when the table is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from chatsim.innodb.sql.expressions import Env, Function
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.sql.optimizer.column_range import IS_NULL
from chatsim.innodb.sql.optimizer.constants import is_random
from chatsim.innodb.storage.values import Value

__all__ = ["PLAIN", "Term"]

PLAIN = (exp.Literal, exp.Placeholder)
"""The most frequent values: there is nothing in them."""

_EQUALITY, _INEQUALITY, _BETWEEN = 0.1, 0.3333, 0.1111
"""The parts of the rows for which comparisons are true, where nothing is known (manual, "Condition Filtering")."""


@dataclass(frozen=True)
class Term:
    """A comparison of a column with values that are known when the table is read.

    Attributes:
        column: the number of the column.
        operator: the operator.
        values: the values.
        nodes: their expressions.
        recollated: COLLATE asks for another collation than the column's: nothing is looked up, but ranges are read.
    """

    column: int
    operator: str
    values: Sequence[Function]
    nodes: Sequence[exp.Expr]
    recollated: bool = False

    @cached_property
    def outer(self) -> bool:
        """Whether a value comes from a query around this one: no range is planned with it, but rows are looked up."""
        return any(each.find(OuterValue) for each in self.nodes if not isinstance(each, PLAIN))

    @cached_property
    def random(self) -> bool:
        """Whether a value may be another one for each row: nothing is looked up by it, but it counts as a condition."""
        return any(is_random(each) for each in self.nodes if not isinstance(each, PLAIN))

    @cached_property
    def from_row(self) -> bool:
        """Whether a value is one of another table's row."""
        return any(each.find(exp.Column) for each in self.nodes if not isinstance(each, PLAIN))

    @cached_property
    def is_subquery(self) -> bool:
        """Whether the column is compared with the value of a subquery."""
        return any(isinstance(each.unnest(), SubqueryValue) for each in self.nodes)

    def known(self, env: Env) -> list[Value] | None:
        """The values; None if the comparison can't be true, because they are NULL."""
        values = [value(env) for value in self.values]
        in_vain = None in values if self.operator == "between" else values == [None]
        return None if in_vain and self.operator not in ("<=>", IS_NULL, "or null") else values

    def selectivity(self, rows: int) -> float:
        """The estimated part of the rows for which it is true (manual, "Condition Filtering")."""
        equal = max(1 / rows, _EQUALITY)
        match self.operator:
            case "=" | "<=>" | "is null":
                return equal
            case "not null":
                return 1 - equal
            case "in":
                return min(len(self.values) * equal, 0.5)
            case "not in":
                return 1 - (equal if len(self.values) == 1 else min(len(self.values) * equal, 0.5))
            case "between" | "like":
                return max(1 / rows, _BETWEEN)
        return max(1 / rows, _INEQUALITY)
