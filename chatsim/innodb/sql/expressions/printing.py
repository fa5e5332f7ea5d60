"""Expressions as the server's messages show them (``Item::print``), but for names of schemas: the model has none."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from sqlglot import exp

__all__ = ["OPERATORS", "printed"]

OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "DIV",
    exp.Mod: "%",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
"""The operators between two operands."""


@singledispatch
def printed(node: exp.Expr) -> str:
    """An expression as messages show it."""
    return node.sql("mysql")


@printed.register(exp.Paren | exp.Alias)
def _inner(node: exp.Expr) -> str:
    return printed(node.this)


@printed.register
def _negative(node: exp.Neg) -> str:
    return f"-({printed(node.this)})"


@printed.register
def _binary(node: exp.Binary) -> str:
    return f"({printed(node.left)} {OPERATORS.get(type(node), node.key)} {printed(node.right)})"


@printed.register
def _identifier(node: exp.Identifier) -> str:
    return f"`{node.name}`"


@printed.register
def _column(node: exp.Column) -> str:
    return ".".join(f"`{part}`" for part in (node.table, node.name) if part)


@printed.register
def _variable(node: exp.Parameter) -> str:
    return f"(@`{node.name}`)"


@printed.register
def _cast(node: exp.Cast) -> str:
    unsigned = node.to.this in exp.DataType.UNSIGNED_INTEGER_TYPES
    return f"cast({printed(node.this)} as {'unsigned' if unsigned else 'signed'})"


@printed.register(exp.Coalesce | exp.Abs | exp.Min | exp.Max | exp.Least | exp.Greatest)
def _function(node: exp.Func) -> str:
    return _call(node.key, [node.this, *node.expressions])


@printed.register
def _nullif(node: exp.Nullif) -> str:
    return _call("nullif", [node.this, node.expression])


@printed.register
def _if(node: exp.If) -> str:
    return _call("if", [node.this, node.args["true"], node.args["false"]])


@printed.register
def _named(node: exp.Anonymous) -> str:
    return _call(node.name.lower(), node.expressions)


def _call(name: str, arguments: Iterable[exp.Expr]) -> str:
    return f"{name}({','.join(printed(each) for each in arguments)})"
