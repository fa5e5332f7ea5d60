"""GROUPING: which expressions a group of ROLLUP is not grouped by (manual, "GROUP BY Modifiers")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import expression_key

if TYPE_CHECKING:
    from chatsim.innodb.sql.expressions import Scope

__all__ = ["grouping_places", "grouping_values"]


def grouping_places(scope: Scope, grouped_by: Sequence[exp.Expr]) -> dict[int, list[int]]:
    """For each GROUPING() of a query, by its number, the places of its arguments in GROUP BY.

    Raises:
        DatabaseError: an argument is not in GROUP BY (3602).
    """
    keys = [expression_key(each) for each in grouped_by]
    found = {}
    for node in scope.aggregates:
        if not isinstance(node, exp.Grouping):
            continue
        places = []
        for number, each in enumerate(node.expressions, start=1):
            if (key := expression_key(each)) not in keys:
                raise database_error(3602, f"Argument #{number} of GROUPING function is not in GROUP BY")
            places.append(keys.index(key))
        found[id(node)] = places
    return found


def grouping_values(places: Mapping[int, Sequence[int]], width: int) -> dict[int, int]:
    """The values of GROUPING() for a group of the first ``width`` expressions: a bit for each argument."""
    return {
        number: sum((at >= width) << (len(own) - 1 - bit) for bit, at in enumerate(own))
        for number, own in places.items()
    }
