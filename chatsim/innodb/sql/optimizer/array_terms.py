"""Conditions on JSON arrays as terms, by which multi-valued indexes are searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.expressions.array_conditions import MEMBER, array_condition
from chatsim.innodb.sql.optimizer.conjuncts import Conjunct
from chatsim.innodb.sql.optimizer.constants import is_constant
from chatsim.innodb.sql.optimizer.terms import Term

if TYPE_CHECKING:
    from chatsim.innodb.storage.values import ArrayValue, Value

__all__ = ["MEMBER", "ArrayTerm", "array_terms"]


@dataclass(frozen=True)
class ArrayTerm(Term):
    """A comparison of the elements of an array with constants."""

    def known(self, env: Env) -> list[Value]:
        """The values, in order; none if they are not of the array's type, or if there are none."""
        found: ArrayValue | None = self.values[0](env)
        return [] if found is None else list(found.elements)

    def selectivity(self, rows: int) -> float:  # noqa: ARG002 - as the others
        """The server assumes nothing about it."""
        return 1.0


def array_terms(node: Conjunct, scope: Scope, at: int) -> Iterator[ArrayTerm]:
    """The term of a condition, if it is one on the array of a multi-valued index of a table."""
    found = array_condition(node, scope)
    if found is not None and found.at == at and is_constant(found.node):
        yield ArrayTerm(found.column, found.operator, [lambda env: found.wanted(env, skips_nulls=True)], [found.node])
