"""Recognizing an expression, to use an index of it (manual, "Optimizer Use of Generated Column Indexes")."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["expression_key"]


def expression_key(node: exp.Expr) -> str:
    """A text that two expressions have in common if they are the same, however their names are written."""
    plain = node.copy()
    if isinstance(plain, exp.Paren):
        plain = plain.unnest()
    for each in list(plain.find_all(exp.Introducer)):
        each.replace(each.expression)
    for column in list(plain.find_all(exp.Column)):
        named = exp.column(exp.to_identifier(column.name.lower(), quoted=False))
        if column is plain:
            plain = named
        else:
            column.replace(named)
    return plain.sql("mysql")
