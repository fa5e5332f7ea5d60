"""Conditions taken apart: those that must all hold, and those of which one has to."""

from __future__ import annotations

from typing import TypeAlias

from sqlglot import exp

__all__ = ["Conjunct", "conjuncts", "sides"]

Conjunct: TypeAlias = exp.Expr
"""A condition that must hold, as others must."""


def conjuncts(node: exp.Expr | None) -> list[Conjunct]:
    """The parts of an AND."""
    if node is None:
        return []
    if isinstance(node, exp.Where | exp.Paren):
        return conjuncts(node.this)
    if isinstance(node, exp.And):
        return [*conjuncts(node.left), *conjuncts(node.right)]
    if isinstance(node, exp.EQ | exp.NullSafeEQ) and _are_rows_of_one_length(node.left, node.right):
        pairs = zip(node.left.expressions, node.right.expressions, strict=True)
        return [part for left, right in pairs for part in conjuncts(type(node)(this=left, expression=right))]
    if isinstance(node, exp.Not):
        inner = _is_null(node.this.unnest())
        other = _negated(inner)
        return [exp.Not(this=inner)] if other is None else conjuncts(other)
    return [_as_comparison(_is_null(node))]


def _are_rows_of_one_length(left: exp.Expr, right: exp.Expr) -> bool:
    both = isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple)
    return both and len(left.expressions) == len(right.expressions)


def _is_null(node: exp.Expr) -> exp.Expr:
    """ISNULL() of a value is IS NULL."""
    if isinstance(node, exp.Anonymous) and node.name.upper() == "ISNULL" and len(node.expressions) == 1:
        return exp.Is(this=node.expressions[0], expression=exp.Null())
    return node


def _as_comparison(node: exp.Expr) -> exp.Expr:
    """A column alone is not 0 (in the server: make_condition). BETWEEN of a literal and the same one is an equality."""
    if isinstance(node, exp.Column):
        return exp.NEQ(this=node, expression=exp.Literal.number(0))
    low = node.args.get("low")
    between = isinstance(node, exp.Between) and isinstance(low, exp.Literal) and low == node.args["high"]
    return exp.EQ(this=node.this, expression=low) if between else node


def _negated(node: exp.Expr) -> exp.Expr | None:
    """The negation of a condition without NOT; None if only NOT can express it."""
    match node:
        case exp.Or():
            return exp.And(this=exp.Not(this=node.left), expression=exp.Not(this=node.right))
        case exp.And():
            return exp.Or(this=exp.Not(this=node.left), expression=exp.Not(this=node.right))
        case exp.Not(this=exp.Expr() as inner):
            return inner
        case exp.Column():
            return exp.EQ(this=node, expression=exp.Literal.number(0))
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE() if not isinstance(node.left, exp.Tuple):
            return _OPPOSITES[type(node)](this=node.left, expression=node.right)
    return None


_OPPOSITES: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}


def sides(node: exp.Expr) -> list[exp.Expr]:
    """The sides of an OR, and of ORs within it."""
    if isinstance(node, exp.Paren):
        return sides(node.this)
    return [*sides(node.left), *sides(node.right)] if isinstance(node, exp.Or) else [node]
