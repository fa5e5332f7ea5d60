"""IN as EXISTS: a subquery that looks for rows that equal one value, instead of reading all its rows.

Source: manual, "Optimizing Subqueries with the EXISTS Strategy".
"""

from __future__ import annotations

from types import UnionType
from typing import Literal

from sqlglot import exp

from chatsim.innodb.sql.expressions.queries import ComparedValue

__all__ = ["compared_variant", "exists_variants", "is_condition", "null_matters"]

_KEEPS = ("group", "having", "limit", "offset", "with_", "windows", "into", "qualify")
"""The clauses of a subquery to which no condition can be added."""


def null_matters(node: exp.Expr) -> bool:
    """Whether it makes a difference if IN is NULL and not false: not for a condition that has to hold."""
    return not isinstance(_above(node, exp.And | exp.Or | exp.Paren), exp.Where | exp.Join | None)


def is_condition(node: exp.Expr) -> bool:
    """Whether IN, or its negation, is a part of a condition, and not a value."""
    return isinstance(_above(node, exp.And | exp.Or | exp.Paren | exp.Not), exp.Where | exp.Join | None)


def _above(node: exp.Expr, kinds: type | UnionType) -> exp.Expr | None:
    """What stands around the IN of a query, and is not of some kinds."""
    above = node.parent.parent if isinstance(node.parent, exp.In) else node.parent
    while above is not None and isinstance(above, kinds):
        above = above.parent
    return above


def exists_variants(node: exp.Expr) -> list[exp.Select]:
    """Copies of the query of IN, or of those of its UNION, to which a condition can be added; none if it can't be."""
    if isinstance(node, exp.Union) and not any(node.args.get(part) for part in (*_KEEPS, "order")):
        sides = [_part_variants(_without_parentheses(each)) for each in (node.left, node.right)]
        return [*sides[0], *sides[1]] if all(sides) else []
    return [] if node.args.get("from_") is None else _part_variants(node)


def _part_variants(node: exp.Expr) -> list[exp.Select]:
    """The same of a query of a UNION, which may have no table."""
    if not isinstance(node, exp.Select):
        return exists_variants(node)
    outputs = [each.unalias() for each in node.expressions]
    fixed = any(each.find(exp.AggFunc, exp.Star, exp.Query) for each in outputs)
    return [] if fixed or any(node.args.get(part) for part in _KEEPS) else [node.copy()]


def _without_parentheses(node: exp.Expr) -> exp.Expr:
    plain = isinstance(node, exp.Subquery) and not any(value for name, value in node.args.items() if name != "this")
    return _without_parentheses(node.this) if plain else node


def compared_variant(select: exp.Select, *, may_be_null: bool, clause: Literal["where", "having"]) -> exp.Select:
    """The query of the rows that equal the value, and if that may make a difference, of those that are NULL.

    In HAVING, the condition is checked with each row that is found, and no row is looked up by it.
    """
    for number, each in enumerate(select.expressions):
        output = each.unalias()
        condition: exp.Expr = exp.EQ(this=output.copy(), expression=ComparedValue(number=number))
        if may_be_null:
            null = exp.Is(this=output.copy(), expression=exp.Null())
            condition = exp.Paren(this=exp.Or(this=condition, expression=null))
        own = select.args.get(clause)
        wanted = condition if own is None else exp.And(this=exp.Paren(this=own.this), expression=condition)
        select.set(clause, (exp.Where if clause == "where" else exp.Having)(this=wanted))
    select.set("order", None)
    return select
