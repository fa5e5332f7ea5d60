"""What the names in a query mean: columns of its tables, or of a query around it; and the queries within expressions.

`Names.resolve` rewrites an expression: a column of an outer query becomes an `OuterValue`, a subquery becomes a
`SubqueryValue`, and a column that USING has made of two becomes the one that it stands for. What is left can be
compiled and searched for conditions as if there were no other query.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.from_clause import RESOLVED, FromClause, Operand
from chatsim.innodb.sql.executor.in_subqueries import compared_variant, exists_variants, is_condition, null_matters
from chatsim.innodb.sql.executor.subqueries import Quantifier, Subquery
from chatsim.innodb.sql.expressions import Env, Function, Scope
from chatsim.innodb.sql.expressions.queries import COMPARED, ComparedValue, OuterValue, SubqueryValue
from chatsim.innodb.sql.expressions.scope import compiled
from chatsim.innodb.sql.optimizer.constants import is_random
from chatsim.innodb.sql.optimizer.index_hints import IndexChoice
from chatsim.innodb.sql.optimizer.subquery_hints import subquery_hints

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Find, PrepareQuery, Query
    from chatsim.innodb.sql.executor.select import Select
    from chatsim.innodb.storage.column_types import ColumnType

__all__ = ["Names"]

_OPERATORS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ)


@compiled.register(OuterValue)
def _outer_value(node: OuterValue, scope: Scope) -> Function:
    function: Function = scope.outer_values[node.args["number"]][0]
    return function


_MIRRORED = {exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.GTE: exp.LTE}

_NAMELESS = (exp.Literal, exp.Placeholder, exp.Null, exp.Boolean)
"""The expressions without a name in them."""


class Names:
    """The names of one query.

    Args:
        clause: its tables.
        scope: names them.
        find: finds a table by its name, for subqueries.
        query: prepares a subquery.
        outer: the names of the query around it.
        merges_within: whether derived tables of subqueries may be merged.
        materializes: whether the rows of a subquery of IN may be kept: not in a statement that changes one table.

    Attributes:
        merges_within: whether derived tables of subqueries may be merged.
    """

    def __init__(
        self,
        clause: FromClause | Operand,
        scope: Scope,
        find: Find,
        query: PrepareQuery,
        outer: Names | None = None,
        *,
        merges_within: bool = True,
        materializes: bool = True,
    ) -> None:
        self.merges_within = merges_within
        self._clause = clause
        self._scope = scope
        self._find = find
        self._query = query
        self._outer = outer
        self._preparing: list[Subquery] = []
        self._compared: list[tuple[Function, ColumnType | None]] = []
        self.materializes = materializes
        self._beside: Names | None = None

    @property
    def subqueries(self) -> list[Subquery]:
        """The subqueries in the expressions so far."""
        return self._scope.subqueries

    def resolve(self, node: exp.Expr, aliases: Collection[str] = ()) -> exp.Expr:
        """An expression with its names resolved.

        Args:
            node: the expression.
            aliases: names that mean something of the select list, and no column.

        Raises:
            DatabaseError, NotImplementedError: as `chatsim.innodb.sql.executor.statements.prepare`.
        """
        if isinstance(node, _NAMELESS) or (self._are_plain and not _has_query(node)):
            return node

        def changed(part: exp.Expr) -> exp.Expr:
            if isinstance(part, ComparedValue) and self._outer is not None:
                return self._outer_value(self._outer.compared(part.args["number"]), COMPARED)
            if isinstance(part, exp.Column) and not isinstance(part.this, exp.Star):
                if not part.table and part.name.lower() in aliases:
                    return part
                return self._column(part)
            return self._subquery(part, aliases) or part

        return node.transform(changed, copy=False)

    @property
    def _are_plain(self) -> bool:
        """Whether each name means the column of that name, or nothing."""
        return self._outer is None and self._beside is None and not self._clause.rewrites

    def beside(self, operand: Operand, find: Find) -> Names:
        """The names in a query whose tables have become tables of this one: its own come first."""
        names = Names(operand, self._scope, find, self._query, self._outer, merges_within=self.merges_within)
        names._beside = self
        names._preparing = self._preparing
        return names

    def resolve_joins(self) -> None:
        """Resolve the conditions of the joins."""
        clause = self._clause
        assert isinstance(clause, FromClause)
        for conditions in (clause.wanted, *(each.on for each in clause.nests)):
            conditions[:] = [self.resolve(each) for each in conditions]

    def _column(self, node: exp.Column) -> exp.Expr:
        if node.meta.get(RESOLVED):
            return node
        found = self._clause.meanings(node)
        if len(found) == 1:
            return found[0].node.copy() if self._clause.rewrites else node
        if not found and self._beside is not None:
            return self._beside.resolve(node)
        if found or self._outer is None or (self._scope.inserted and node.table == self._scope.inserted):
            return node
        value = self._outer.value_of(node)
        if value is None:
            return node
        return self._outer_value(value, self._outer.shown(node))

    def _outer_value(self, value: tuple[Function, ColumnType | None], name: str) -> OuterValue:
        self._scope.outer_values.append(value)
        return OuterValue(number=len(self._scope.outer_values) - 1, name=name)

    def shown(self, node: exp.Column) -> str:
        """The name of a column of this query, or of one around it, with that of its table."""
        found = self._clause.meanings(node)
        if len(found) == 1 and isinstance(found[0].node, exp.Column):
            return f"{found[0].node.table}.{found[0].node.name}"
        above = self._outer if self._beside is None else self._beside
        return node.sql("mysql") if found or above is None else above.shown(node)

    def value_of(self, node: exp.Column) -> tuple[Function, ColumnType | None] | None:
        """A column of this query for one within it, as a function of the environment of that; and its type."""
        found = self._clause.meanings(node)
        if len(found) > 1:
            raise database_error(1052, f"Column '{node.name}' in where clause is ambiguous")
        if found:
            column = found[0].node.copy()
            own, kind = self._scope.compile(column), self._scope.kind(column)
            self._preparing[-1].references.append(column)
        elif self._beside is not None:
            return self._beside.value_of(node)
        else:
            above = None if self._outer is None else self._outer.value_of(node)
            if above is None:
                return None
            own, kind = above
        self._preparing[-1].outer.append(own)

        def value(env: Env) -> Any:
            assert env.outer is not None
            return own(env.outer)

        return value, kind

    # -- subqueries

    def _subquery(self, node: exp.Expr, aliases: Collection[str]) -> exp.Expr | None:
        """The value of a subquery, or of a comparison with one; None if it is nothing like that."""
        match node:
            case exp.Exists():
                return self._value(node.this, None, "exists", None, aliases)
            case exp.In() if node.args.get("query") is not None:
                return self._value(node.args["query"], node.this, "any", exp.EQ, aliases)
            case exp.Subquery() | exp.Select() | exp.SetOperation():
                return self._value(node, None, "scalar", None, aliases)
        return self._compared_subquery(node, aliases) if isinstance(node, _OPERATORS) else None

    def _compared_subquery(self, node: exp.Binary, aliases: Collection[str]) -> exp.Expr | None:
        """The comparison of a row with a subquery, or of a value with any or all of its rows; None if it is neither."""
        left, right = node.left, node.right
        if isinstance(right, exp.Any | exp.All) and _is_query(right.this):
            quantifier: Quantifier = "any" if isinstance(right, exp.Any) else "all"
            return self._value(right.this, left, quantifier, type(node), aliases)
        if isinstance(left.unnest(), exp.Tuple) and _is_query(right):
            return self._value(right, left, "row", type(node), aliases)
        if isinstance(right.unnest(), exp.Tuple) and _is_query(left):
            return self._value(left, right, "row", _MIRRORED.get(type(node), type(node)), aliases)
        return None

    def _value(
        self,
        query: exp.Expr,
        left: exp.Expr | None,
        quantifier: Quantifier,
        operator: type[exp.Expr] | None,
        aliases: Collection[str],
    ) -> SubqueryValue:
        if quantifier in ("any", "all") and _inner(query).args.get("limit"):
            raise database_error(1235, "This version of MySQL doesn't yet support 'LIMIT & IN/ALL/ANY/SOME subquery'")
        matters, materializes = null_matters(query), self.materializes and is_condition(query)
        left = None if left is None else self.resolve(left, aliases)
        strategy = subquery_hints(_inner(query)).strategy
        materializes = materializes and strategy != "INTOEXISTS" and not isinstance(_inner(query), exp.SetOperation)
        subquery = Subquery(quantifier, operator, materializes=materializes, random=is_random(query))
        variants = exists_variants(_inner(query)) if quantifier == "any" and operator is exp.EQ else []
        subquery.query = self._prepared(_inner(query), subquery)
        if variants and left is not None and len(subquery.query.names) == len(_parts(left)):
            self._prepare_variants(subquery, variants, left, matters=matters)
            subquery.always_kept = strategy == "MATERIALIZATION"
        if quantifier != "exists":
            wanted = len(left.unnest().expressions) if left is not None and isinstance(left.unnest(), exp.Tuple) else 1
            if len(subquery.query.names) != wanted:
                raise database_error(1241, f"Operand should contain {wanted} column(s)")
        self._scope.subqueries.append(subquery)
        return SubqueryValue(
            this=left,
            number=len(self._scope.subqueries) - 1,
            references=[each.copy() for each in subquery.references],
            random=subquery.random,
        )

    def prepared(self, node: exp.Expr) -> Subquery:
        """A query within this one whose rows are wanted: LATERAL."""
        subquery = Subquery("exists", None)
        subquery.query = self._prepared(_inner(node), subquery)
        return subquery

    def _prepared(self, node: exp.Expr, subquery: Subquery) -> Query:
        self._preparing.append(subquery)
        try:
            return self._query(node, self._find, strict=self._scope.strict, outer=self)
        finally:
            self._preparing.pop()

    def _prepare_variants(
        self, subquery: Subquery, variants: Sequence[exp.Select], left: exp.Expr, *, matters: bool
    ) -> None:
        """Prepare the subquery that looks for rows that equal one value."""
        parts = _parts(left)
        may_be_null = matters and any(subquery.query.nullable)
        self._compared = [(self._scope.compile(each), self._scope.kind(each)) for each in parts]
        whole = variants[0].copy()
        clause: Literal["where", "having"] = "having" if matters and len(variants) > 1 else "where"
        for each in variants:
            node = compared_variant(each, may_be_null=may_be_null, clause=clause)
            variant = cast("Select", self._prepared(node, Subquery("exists", None)))
            variant.notes_nulls = may_be_null
            subquery.variants.append(variant)
        if matters and len(variants) == 1:
            subquery.scanned = _scanned(cast("Select", self._prepared(whole, Subquery("exists", None))))
        subquery.null_matters = may_be_null
        subquery.nulls_count = matters

    def compared(self, number: int) -> tuple[Function, ColumnType | None]:
        """A part of what a subquery is compared with, as a function of the subquery's environment; and its type."""
        own, kind = self._compared[number]

        def value(env: Env) -> Any:
            assert env.outer is not None
            return own(env.outer)

        return value, kind


def _scanned(select: Select) -> Select | None:
    """A query of IN that reads its only table whole, if it is looked up by an index ("Full scan on NULL key")."""
    output = select.select_list[0].unalias()
    if select.joined.count != 1 or len(select.select_list) != 1 or not isinstance(output, exp.Column):
        return None
    _, column = select.scope.column(output)
    table, hints = select.joined.table(0), select.joined.hints
    searched = [
        each for each in table.indexes if each.definition.columns[0] == column and hints[0].search.permits(each)
    ]
    if not searched or any(each.column == column and not each.outer for each in select.joined.equalities(0)):
        return None  # it is looked up by another value, which does not depend on the one that is asked for
    whole = IndexChoice(allowed=frozenset((table.clustered.definition.name,)))
    hints[0] = replace(hints[0], search=whole, order=whole, group=whole)
    return select


def _parts(left: exp.Expr) -> list[exp.Expr]:
    inner = left.unnest()
    return list(inner.expressions) if isinstance(inner, exp.Tuple) else [left]


def _inner(node: exp.Expr) -> exp.Expr:
    """A query without the parentheses around it."""
    while isinstance(node, exp.Subquery) and not node.alias and _is_query(node.this):
        node = node.this
    return node


def _has_query(node: exp.Expr) -> bool:
    """Whether there is a query in an expression."""
    if isinstance(node, (*_NAMELESS, exp.Column, exp.Query)):
        return isinstance(node, exp.Query)
    for part in node.args.values():
        if isinstance(part, list):
            if any(isinstance(each, exp.Expr) and _has_query(each) for each in part):
                return True
        elif isinstance(part, exp.Expr) and _has_query(part):
            return True
    return False


def _is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Query)
