"""IN as EXISTS: a subquery that looks for rows that equal one value, instead of reading all its rows.

Source: manual, "Optimizing Subqueries with the EXISTS Strategy".
"""

from __future__ import annotations

from types import UnionType

from sqlglot import exp

from chatsim.innodb.sql.expressions.queries import ComparedValue

__all__ = ["compared_variant", "exists_variant", "is_condition", "null_matters"]

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


def exists_variant(node: exp.Expr) -> exp.Select | None:
    """A copy of the query of IN to which a condition can be added; None if it is of another kind."""
    if not isinstance(node, exp.Select) or node.args.get("from_") is None:
        return None
    outputs = [each.unalias() for each in node.expressions]
    fixed = any(each.find(exp.AggFunc, exp.Star, exp.Query) for each in outputs)
    return None if fixed or any(node.args.get(part) for part in _KEEPS) else node.copy()


def compared_variant(select: exp.Select, *, may_be_null: bool) -> exp.Select:
    """The query of the rows that equal the value, and if that may make a difference, of those that are NULL."""
    for number, each in enumerate(select.expressions):
        output = each.unalias()
        condition: exp.Expr = exp.EQ(this=output.copy(), expression=ComparedValue(number=number))
        if may_be_null:
            null = exp.Is(this=output.copy(), expression=exp.Null())
            condition = exp.Paren(this=exp.Or(this=condition, expression=null))
        where = select.args.get("where")
        wanted = condition if where is None else exp.And(this=exp.Paren(this=where.this), expression=condition)
        select.set("where", exp.Where(this=wanted))
    select.set("order", None)
    return select
