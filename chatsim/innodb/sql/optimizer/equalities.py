"""Conditions that follow from equalities (in the server: ``Item_equal``).

What equals the same, is equal; and what is compared with constants, is so for each column that equals it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from sqlglot import exp

from chatsim.innodb.sql.expressions import Scope
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.storage.column_types import Bits, Decimals, Doubles, Integer, Text, Year

__all__ = ["IMPLIED", "OF_MERGED", "implied", "is_compared_alike"]

_COMPARISONS = (
    *(exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NEQ, exp.NullSafeEQ, exp.Between, exp.In, exp.Is),
    *(exp.Or, exp.Paren, exp.Not),
)
_NUMBERS = (Integer, Decimals, Doubles, Year, Bits)
IMPLIED = "implied"
"""In the ``meta`` of a condition that follows from others: the ``id`` of the one that it says of another column.

Ranges are made of it, but no fewer rows are expected. Of both, that one is checked whose table is read first."""

OF_MERGED = "of_merged"
"""In the ``meta`` of a column that is named through a merged derived table or view (in the server: ``Item_view_ref``).

What it is compared with says nothing about the columns that equal it."""


def implied(scope: Scope, conditions: Sequence[exp.Expr], above: Sequence[exp.Expr] = ()) -> list[exp.Expr]:
    """The conditions that follow from conditions that must all hold, without these themselves.

    Args:
        scope: names the tables.
        conditions: the conditions.
        above: conditions that hold as well, and whose own consequences are not wanted.
    """
    own, known = list(_equalities(conditions)), list(_equalities(above))
    named = {frozenset(each) for each in ((_key(scope, a), _key(scope, b)) for a, b in (*own, *known))}
    groups: list[dict[object, exp.Expr]] = []
    for pair in (*own, *known):
        keys = {_key(scope, each): each for each in pair}
        if not _stands_for_other(scope, pair):
            continue
        same = [each for each in groups if any(key in each and isinstance(key, tuple) for key in keys)]
        joined = keys if not same else {key: node for each in (*same, keys) for key, node in each.items()}
        groups = [each for each in groups if each not in same]
        groups.append(joined)
    found: list[exp.Expr] = []
    for group in groups:
        columns = [node for key, node in group.items() if isinstance(key, tuple)]
        values = [node for key, node in group.items() if not isinstance(key, tuple)]
        pairs = [(column, value) for column in columns for value in values[:1]] if values else combinations(columns, 2)
        for left, right in pairs:
            if frozenset((_key(scope, left), _key(scope, right))) not in named:
                found.append(exp.EQ(this=left.copy(), expression=right.copy()))
        if not values:
            found += _compared(scope, columns, conditions)
    return found


def _compared(scope: Scope, columns: Sequence[exp.Expr], conditions: Iterable[exp.Expr]) -> Iterable[exp.Expr]:
    """The comparisons of a column, for all others that equal it.

    In the server: ``substitute_for_best_equal_field``, the column that is read first stands for all.
    """
    keys = {_key(scope, each) for each in columns}
    for each in conditions:
        if not isinstance(each, _COMPARISONS):
            continue
        named = {_key(scope, part) for part in each.find_all(exp.Column) if not part.meta.get(OF_MERGED)}
        equal = named & keys
        if len(equal) != 1 or _depends_on_rows(scope, each) or _is_null_of_no_number(scope, each, equal):
            continue
        for other in columns:
            if _key(scope, other) not in equal:
                found = each.transform(lambda part, node=other, old=equal: _instead(scope, part, old, node))
                found.meta[IMPLIED] = id(each)
                yield found


def _is_null_of_no_number(scope: Scope, node: exp.Expr, columns: set[object]) -> bool:
    """Whether it asks if a column is NULL whose values are no numbers: the server keeps to the column."""
    asked = (each.this for each in node.find_all(exp.Is) if isinstance(each.this, exp.Column))
    return any(_key(scope, each) in columns and not isinstance(scope.kind(each), _NUMBERS) for each in asked)


def _instead(scope: Scope, part: exp.Expr, old: set[object], new: exp.Expr) -> exp.Expr:
    """A part of a condition, with a column in place of one of others."""
    return new.copy() if isinstance(part, exp.Column) and _key(scope, part) in old else part


def _depends_on_rows(scope: Scope, node: exp.Expr) -> bool:
    """Whether it has a value of a query around this one, or a subquery that has one of this query."""
    inner = (scope.tables_of(each) for each in node.find_all(SubqueryValue))
    return bool(node.find(OuterValue)) or any(inner)


def _equalities(conditions: Iterable[exp.Expr]) -> Iterable[tuple[exp.Expr, exp.Expr]]:
    for each in conditions:
        if isinstance(each, exp.EQ):
            left, right = each.left.unnest(), each.right.unnest()
            if isinstance(left, exp.Column) and _is_member(right):
                yield left, right
            elif isinstance(right, exp.Column) and _is_member(left):
                yield right, left


def _is_member(node: exp.Expr) -> bool:
    """Whether an expression can stand for the columns that equal it: a column or a constant."""
    return isinstance(node, exp.Column | exp.Literal | exp.Placeholder) or (
        isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)
    )


def _key(scope: Scope, node: exp.Expr) -> object:
    if isinstance(node, exp.Column):
        return scope.column(node)
    return f"?{node.meta['number']}" if isinstance(node, exp.Placeholder) else node.sql("mysql")


def _stands_for_other(scope: Scope, pair: tuple[exp.Expr, exp.Expr]) -> bool:
    """Whether what is compared with one side can be compared with the other: columns must have the same type.

    INT and BIGINT, or VARCHAR of different lengths, are not the same.
    """
    left, right = (scope.kind(each) if isinstance(each, exp.Column) else None for each in pair)
    if left is None or right is None:
        return is_compared_alike(scope, pair)
    if isinstance(left, Decimals) and isinstance(right, Decimals):  # as long in a record
        return (left.size, left.scale, left.signed) == (right.size, right.scale, right.signed)
    if isinstance(left, Bits) and isinstance(right, Bits):
        return left.size == right.size
    return left == right


def is_compared_alike(scope: Scope, pair: tuple[exp.Expr, exp.Expr]) -> bool:
    """Whether both sides are compared as the column's type compares, so that one can stand for the other."""
    left, right = scope.kind(pair[0]), scope.kind(pair[1])
    if right is None:
        node = pair[1]
        text = isinstance(node, exp.Placeholder) or (isinstance(node, exp.Literal) and node.is_string)
        return text or not isinstance(left, Text)
    if isinstance(left, Text) and isinstance(right, Text):
        return left.collation == right.collation
    return type(left) is type(right)
