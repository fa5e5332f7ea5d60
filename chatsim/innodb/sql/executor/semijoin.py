"""IN and EXISTS as joins.

The tables of such a subquery become tables of the statement, in a nest of their own; its conditions, and what IN
compares, become conditions of the join. What can't be joined remains an expression
(`chatsim.innodb.sql.executor.subqueries`).

Source: manual, "Optimizing IN and EXISTS Subquery Predicates with Semijoin and Antijoin Transformations".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.from_clause import FromClause, Nest
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.json_parser import columns_of
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.subquery_hints import refuse_hints_of_joined, subquery_hints

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Find, PrepareQuery

__all__ = ["SubqueryJoiner"]

_KEEPS = ("group", "having", "limit", "offset", "with_", "windows", "into", "qualify", "operation_modifiers")
"""The clauses of a subquery that is not joined."""


class SubqueryJoiner:
    """Joins the subqueries of conditions with the tables of a statement.

    Args:
        clause: the tables of the statement.
        names: the names of the statement.
        find: finds a table by its name.
        query: prepares a query.
        merges: whether derived tables in subqueries may be merged.
    """

    def __init__(self, clause: FromClause, names: Names, find: Find, query: PrepareQuery, *, merges: bool) -> None:
        self._clause = clause
        self._names = names
        self._find = find
        self._query = query
        self._merges = merges

    def resolved(self, conditions: Iterable[exp.Expr]) -> list[exp.Expr]:
        """The conditions with their names resolved, without those that have become joins."""
        names = self._names
        found = [each for each in conditions if not self._clause.tables or not self._join(each, names, self._find)]
        found = [names.resolve(each) for each in found]
        for each, operand, find in self._clause.pending:
            found.append(self._names.beside(operand, find).resolve(each.copy()))
        return found

    def _join(self, condition: exp.Expr, names: Names, find: Find) -> bool:
        """Join the subquery of a condition, if it is IN or EXISTS, and can be joined."""
        node, anti = condition.unnest(), False
        if isinstance(node, exp.Not):
            node, anti = node.this.unnest(), True
        left: exp.Expr | None = None
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            select, left = _select(node.args["query"]), node.this.unnest()
        elif isinstance(node, exp.Exists):
            select = _select(node.this)
        else:
            return False
        if select is None or not self._can_be_joined(select, left, names, find, anti=anti):
            return False
        self._add(select.copy(), left, names, find, anti=anti)
        return True

    def _can_be_joined(
        self, select: exp.Select, left: exp.Expr | None, names: Names, find: Find, *, anti: bool
    ) -> bool:
        outputs = [each.unalias() for each in select.expressions]
        parts = _parts(left)
        if left is None and (select.args.get("distinct") or any(each.find(exp.AggFunc) for each in outputs)):
            return False
        if (
            any(columns_of(each.this) is None or each.this.find(exp.Column) for each in select.find_all(exp.Lateral))
            or select.args.get("from_") is None
            or any(select.args.get(part) for part in _KEEPS)
        ):
            return False
        if left is not None and not _are_values(parts, outputs):
            return False
        if not subquery_hints(select).joins:
            return False
        inner = FromClause(
            select.args["from_"].this.copy(),
            [each.copy() for each in select.args.get("joins") or ()],
            find,
            self._query,
            merges=self._merges,
        )
        if left is None or not anti:
            return not anti or self._is_correlated(select, inner)
        return not any(self._clause.may_be_null(names.resolve(each.copy())) for each in parts) and not any(
            inner.may_be_null(each) for each in outputs
        )

    def _is_correlated(self, select: exp.Select, inner: FromClause) -> bool:
        where = select.args.get("where")
        return where is not None and any(not inner.meanings(each) for each in where.find_all(exp.Column))

    def _add(self, select: exp.Select, left: exp.Expr | None, around: Names, find: Find, *, anti: bool) -> None:
        """Add the tables of a subquery, and its conditions."""
        refuse_hints_of_joined(select)
        inner = self._clause.add_query(select, find, merges=self._merges)
        names = around.beside(inner, find)
        nest = Nest("anti" if anti else "semi", set(inner.tables), [], number=select.meta.get("number", 0))
        nest.strategies = subquery_hints(select).strategies
        on = [names.resolve(each) for each in [*inner.wanted, *conjuncts(select.args.get("where"))]]
        if left is not None:
            for value, output in zip(_parts(left), select.expressions, strict=True):
                on.append(exp.EQ(this=around.resolve(value), expression=names.resolve(output.unalias())))
        for each in inner.nests:
            each.within = each.within or nest
            each.on[:] = [names.resolve(condition) for condition in each.on]
        nest.on = on
        self._clause.nests += [nest, *inner.nests]


def _select(node: exp.Expr) -> exp.Select | None:
    while isinstance(node, exp.Subquery) and not node.alias:
        node = node.this
    return node if isinstance(node, exp.Select) else None


def _are_values(parts: Sequence[exp.Expr], outputs: Sequence[exp.Expr]) -> bool:
    """Whether the parts of a row and the outputs of a query can be compared with one another, row by row."""
    kept = (exp.AggFunc, exp.Window, exp.Query, exp.Exists, exp.Star)
    return len(parts) == len(outputs) and not any(each.find(*kept) for each in (*parts, *outputs))


def _parts(left: exp.Expr | None) -> list[exp.Expr]:
    if left is None:
        return []
    return list(left.expressions) if isinstance(left, exp.Tuple) else [left]
