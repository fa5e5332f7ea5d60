"""Conditions as a tree of AND and OR, whose leaves are comparisons of a column with known values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlglot import exp

from chatsim.innodb.sql.expressions import Function
from chatsim.innodb.sql.optimizer.terms import Term

__all__ = ["And", "ConditionTree", "Equality", "Or", "columns_of"]


@dataclass(frozen=True)
class Equality:
    """A column that has to equal a value.

    Attributes:
        column: the number of the column.
        value: the value.
        needs: the tables from whose rows the value comes.
        null_safe: NULL equals NULL.
        node: the expression of the value.
        outer: whether it comes from a query around this one.
        or_null: whether the column may be NULL instead.
    """

    column: int
    value: Function
    needs: frozenset[int]
    null_safe: bool
    node: exp.Expr
    outer: bool = False
    or_null: bool = False


@dataclass(frozen=True)
class And:
    """Conditions that all have to hold."""

    parts: Sequence[ConditionTree]


@dataclass(frozen=True)
class Or:
    """Conditions of which one has to hold."""

    parts: Sequence[ConditionTree]


ConditionTree: TypeAlias = "Term | And | Or | Function"
"""AND and OR of terms, and of conditions that can be evaluated before a row is read."""


def columns_of(tree: ConditionTree) -> Iterator[int]:
    """The columns that are compared with values."""
    if isinstance(tree, Term):
        yield tree.column
    elif isinstance(tree, And | Or):
        for each in tree.parts:
            yield from columns_of(each)
