"""The tables of a join that can have only one row, by constants. They are read before the plan is made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.optimizer.access_path import choose_access
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.column_types import UnusableError
from chatsim.innodb.storage.scan import AccessPath, Range

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.expressions import Env
    from chatsim.innodb.sql.optimizer.access_request import AccessRequest
    from chatsim.innodb.sql.optimizer.conditions import Equality
    from chatsim.innodb.storage.values import Value

__all__ = ["constant_path", "missing_row", "row_path"]


def constant_path(
    joined: JoinedTables,
    at: int,
    constants: Collection[int],
    env: Env,
    request_of: Callable[[int], AccessRequest | AccessPlan],
) -> AccessPath | None:
    """The path to the only row of a table, by constants and the rows of constant tables.

    Args:
        joined: the joined tables.
        at: the number of the table.
        constants: the numbers of the constant tables.
        env: has their rows.
        request_of: gives the request for the access to a table; a plan without a path if it can have no row.
    """
    values = {
        each.column
        for each in joined.equalities(at)
        if each.needs <= set(constants) and not (each.null_safe or each.outer)
    }
    if not any(each.definition.unique and values >= set(each.definition.columns) for each in joined.table(at).indexes):
        return None
    if joined.table(at).partitioning is None:
        return row_path(joined, at, constants, env)  # other conditions are looked at when the row has been read
    request = request_of(at)
    if isinstance(request, AccessPlan):
        return None
    plan = choose_access(request)
    return plan.path if isinstance(plan.path, AccessPath) and plan.path.access == "const" else None


def row_path(joined: JoinedTables, at: int, constants: Collection[int], env: Env) -> AccessPath | None:
    """The path to the row of a unique key whose values are given, though other conditions exclude this row.

    None if there is no such key. Without a range if a column of it equals NULL, by a row or a subquery: then the server
    reads nothing, but takes the table for one that has been read.
    """
    table, conditions = joined.table(at), joined.conditions(at, constants)
    if table.partitioning is not None or joined.conditions(at, ()).column_ranges(env, ()) is None:
        return None
    equal: dict[int, Equality] = {}
    for each in conditions.equalities():
        if not (each.null_safe or each.outer):
            equal.setdefault(each.column, each)
    for index in table.indexes:
        definition = index.definition
        if definition.unique and set(definition.columns) <= equal.keys() and joined.hints[at].search.permits(index):
            found = [equal[column].value(env) for column in definition.columns]
            if None in found:  # the server takes the first key, though it finds nothing by it
                return AccessPath(table, index, (), access="const")
            kinds = [table.columns[column].type for column in definition.columns]
            try:
                sought = [kind.sought(value, "=") for kind, value in zip(kinds, found, strict=True)]
            except UnusableError:
                continue
            if None in sought:
                continue
            values = tuple(index.own_part(part, key) for part, key in enumerate(sought))
            touched = joined.touched(at)
            whole = at in joined.changed or not (touched <= set(definition.place) and definition.has(touched))
            covering = definition.clustered or not whole
            return AccessPath(table, index, [Range(values, values, exact=True)], covering=covering, access="const")
    return None


def missing_row(joined: JoinedTables, at: int, env: Env) -> tuple[Value, ...]:
    """What stands for the missing row of a constant table: NULLs, but for columns that have to equal constants.

    A subquery is not asked for it.
    """
    row: list[Value] = [None] * len(joined.table(at).columns)
    if joined.nest_of(at) is None:
        for each in joined.equalities(at):
            if not (each.needs or each.outer or each.null_safe or each.node.find(SubqueryValue)):
                row[each.column] = each.value(env)
    return tuple(row)
