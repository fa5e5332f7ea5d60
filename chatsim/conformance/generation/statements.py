"""All kinds of drawn statements, each as often as its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chatsim.conformance.generation import changes, queries
from chatsim.conformance.generation.columns import Draw
from chatsim.conformance.generation.tables import DrawnTable

__all__ = ["STATEMENTS", "DrawnStatement"]

DrawnStatement = Callable[[Draw[Any], Sequence[DrawnTable]], str]
"""Draws a statement over some tables."""


def _fixed(sql: str) -> DrawnStatement:
    return lambda _, __: sql


_WEIGHTS: tuple[tuple[DrawnStatement, int], ...] = (
    (queries.table_query, 10),
    (queries.join_query, 4),
    (queries.nested_query, 2),
    (queries.aggregate_query, 2),
    (queries.union_query, 1),
    (changes.insert, 13),
    (changes.update, 9),
    (changes.delete, 5),
    (changes.update_joined, 3),
    (changes.delete_joined, 2),
    (_fixed("COMMIT"), 5),
    (_fixed("ROLLBACK"), 2),
    (_fixed("SAVEPOINT one"), 2),
    (_fixed("ROLLBACK TO one"), 2),
)
STATEMENTS: tuple[DrawnStatement, ...] = tuple(each for each, weight in _WEIGHTS for _ in range(weight))
"""Each kind of statement, as often as its weight."""
