"""The order of the rows of a join: which columns of ORDER BY decide."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.optimizer.join_access import Lookup
    from chatsim.innodb.sql.optimizer.join_order import Position

__all__ = ["deciding_columns"]

OrderedColumn = tuple[int, int, bool | None]
"""A column of an order: its table, its number, and whether it is descending; None if either will do."""


def deciding_columns(
    columns: Sequence[OrderedColumn],
    positions: Sequence[Position],
    constants: Collection[int],
    joined: JoinedTables,
) -> list[OrderedColumn]:
    """The columns of an order that decide (in the server: ``remove_const``).

    Those of constant tables do not, nor those of a row that is looked up by a unique key whose columns the order has.
    """
    lookups = {each.at: each.lookup for each in positions[1:]}
    found: list[OrderedColumn] = []
    for each in columns:
        at = each[0]
        lookup = lookups.get(at)
        unique = lookup is not None and lookup.unique and joined.nest_of(at) is None
        seen = any(other[0] == at for other in found)
        if at in constants or (unique and not seen and _has_key(lookup, columns, constants, joined)):
            continue
        found.append(each)
    return found


def _has_key(
    lookup: Lookup | None, columns: Sequence[OrderedColumn], constants: Collection[int], joined: JoinedTables
) -> bool:
    """Whether an order has all columns by which a row is looked up."""
    assert lookup is not None
    known = {(at, column) for at, column, _ in columns}
    nodes = (part for each in lookup.equalities for part in each.node.find_all(exp.Column))
    return {each for each in map(joined.scope.column, nodes) if each[0] not in constants} <= known
