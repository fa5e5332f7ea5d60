"""Turning outer joins into inner joins if rows without a match are excluded: manual, "Outer Join Simplification"."""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql.expressions import Scope

__all__ = ["rejects_null"]


def rejects_null(scope: Scope, at: int, node: exp.Expr) -> bool:
    """Whether a condition can't be true if the columns of the ``at``-th table are all NULL."""
    rejects = False
    match node:
        case exp.Paren():
            rejects = rejects_null(scope, at, node.this)
        case exp.And():
            rejects = rejects_null(scope, at, node.left) or rejects_null(scope, at, node.right)
        case exp.Or():
            rejects = rejects_null(scope, at, node.left) and rejects_null(scope, at, node.right)
        case exp.Not(this=exp.Is(expression=exp.Null()) as is_null):
            rejects = _is_null(scope, at, is_null.this)
        case exp.Not(this=(exp.In() | exp.Between() | exp.Like()) as inner):
            rejects = _is_null(scope, at, inner.this)
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
            rejects = _is_null(scope, at, node.left) or _is_null(scope, at, node.right)
        case exp.In() | exp.Between() | exp.Like():
            rejects = _is_null(scope, at, node.this)
    return rejects


def _is_null(scope: Scope, at: int, node: exp.Expr) -> bool:
    """Whether a value is NULL if the table's columns are NULL."""
    match node:
        case exp.Column():
            return scope.column(node)[0] == at
        case exp.Paren() | exp.Neg():
            return _is_null(scope, at, node.this)
        case exp.Add() | exp.Sub() | exp.Mul():
            return _is_null(scope, at, node.left) or _is_null(scope, at, node.right)
    return False
