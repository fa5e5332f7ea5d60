"""Plans: how a statement finds its rows, as a value that prints itself as the rows of EXPLAIN.

An `AccessPlan` is the optimizer's decision for one table, with the values that are known at that moment. The executor
follows its path, and `explain` makes a `PlanRow` of it. A `Plan` has all tables of a statement; EXPLAIN returns it
(manual, "EXPLAIN Output Format").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from chatsim.innodb.sql.optimizer.access_request import AccessRequest
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import Candidate
from chatsim.innodb.storage.table_access import TableAccess

__all__ = ["COLUMNS", "AccessPlan", "Plan", "PlanRow"]

COLUMNS = (
    *("id", "select_type", "table", "partitions", "type", "possible_keys", "key", "key_len", "ref", "rows"),
    *("filtered", "Extra"),
)
"""The columns of EXPLAIN."""

PlanValue: TypeAlias = "int | float | str | None"


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A row of EXPLAIN. None is NULL.

    Attributes:
        id: the number of the SELECT in the statement.
        select_type: SIMPLE, PRIMARY, UNION, DERIVED, UPDATE …
        table: its name in the statement; ``<derived2>``, ``<union1,2>``.
        partitions: those that are read.
        type: how the table is accessed: const, eq_ref, ref, ref_or_null, range, index_merge, index, ALL.
        possible_keys: the indexes that the conditions could use.
        key: the index that is used; several for an index merge.
        key_len: the length of the used part of the key, in bytes.
        ref: what the index is compared with: ``const``, a column, or ``func``.
        rows: the estimated number of rows that are read.
        filtered: the estimated percentage of them for which the conditions are true.
        extra: more about the execution.
    """

    id: int | None = 1
    select_type: str
    table: str | None = None
    partitions: tuple[str, ...] = ()
    type: str | None = None
    possible_keys: tuple[str, ...] = ()
    key: str | None = None
    key_len: str | None = None
    ref: tuple[str, ...] = ()
    rows: int | None = None
    filtered: float | None = None
    extra: tuple[str, ...] = ()

    def values(self) -> tuple[PlanValue, ...]:
        """The values of the row, in the order of `COLUMNS`."""
        return (
            *(self.id, self.select_type, self.table, ",".join(self.partitions) or None, self.type),
            *(",".join(self.possible_keys) or None, self.key, self.key_len, ",".join(self.ref) or None),
            *(self.rows, self.filtered, "; ".join(self.extra) or None),
        )


@dataclass(frozen=True)
class Plan:
    """How a statement finds its rows."""

    rows: tuple[PlanRow, ...]

    def values(self) -> list[tuple[PlanValue, ...]]:
        """The rows of EXPLAIN."""
        return [row.values() for row in self.rows]

    def __str__(self) -> str:
        """A line of names, and a line for each row, as MySQL's client prints them in batch mode."""
        return "\n".join("\t".join(map(_shown, row)) for row in (COLUMNS, *self.values()))


def _shown(value: PlanValue) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return "NULL" if value is None else str(value)


@dataclass(frozen=True, eq=False, slots=True)
class AccessPlan:
    """How the rows of one table are found.

    Attributes:
        conditions: the conditions on the table.
        path: the access path; None if there can be no rows.
        ordered: whether it gives the rows in the wanted order.
        candidate: the path with its estimated rows and cost; None without a path.
        request: the request for which the path was chosen; None without a path.
        why_none: why there is no path.
    """

    conditions: Conditions
    path: TableAccess | None = None
    ordered: bool = True
    candidate: Candidate[TableAccess] | None = None
    request: AccessRequest | None = None
    why_none: str = ""
