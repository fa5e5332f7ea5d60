"""The row of EXPLAIN for one table: manual, "EXPLAIN Output Format"."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlglot import exp

from chatsim.innodb.sql.optimizer.access_request import AccessRequest, is_ref_or_null
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.cost_model import Candidate, key_parts
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.join_order import Position
from chatsim.innodb.sql.optimizer.key_length import index_length
from chatsim.innodb.sql.optimizer.order_and_limit import filtered_rows
from chatsim.innodb.sql.optimizer.plan import AccessPlan, PlanRow
from chatsim.innodb.sql.optimizer.range_access import range_candidates
from chatsim.innodb.storage.group_skip import GroupSkip
from chatsim.innodb.storage.index_merge import Intersection, Merge, SortedUnion
from chatsim.innodb.storage.scan import AccessPath
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess

__all__ = ["explain_access", "explain_lookup"]


def explain_access(
    plan: AccessPlan,
    attached: Sequence[exp.Expr],
    *,
    select_id: int = 1,
    select_type: str,
    constants: Collection[int] = (),
    joined_by: Collection[int] = (),
    grouped_by: Collection[int] = (),
    extra: Sequence[str] = (),
) -> PlanRow:
    """The row of EXPLAIN for one table.

    Args:
        plan: the access plan of the table.
        attached: the conditions that are checked when a row of it is read.
        select_id: the number of the SELECT.
        select_type: the type of the SELECT or the statement.
        constants: tables with only one row, which has been read before.
        joined_by: the columns that are compared with columns of other tables, also of later ones.
        grouped_by: the columns of the groups, if they are all of this table.
        extra: what the statement does with the rows.
    """
    if plan.path is None:
        return PlanRow(id=select_id, select_type=select_type, extra=(plan.why_none,))
    if plan.candidate is None or plan.request is None:  # one row, which is read although no row can meet the conditions
        return PlanRow(id=select_id, select_type=select_type, table=plan.conditions.name, type="const")
    path, request, conditions = plan.path, plan.request, plan.conditions
    ref = tuple(conditions.compared_with(column, constants) for column in _looked_up(path))
    if not request.is_select and isinstance(path, AccessPath):  # the server says so of every range
        ref = ("const",) * (_used_parts(path) or 0) if path.access in ("const", "range") else ()
    kind = _type(path, request, ref)
    keys = [] if kind == "ALL" else list(_keys(path))
    return PlanRow(
        id=select_id,
        select_type=select_type,
        table=conditions.name,
        partitions=_partitions(request),
        type=kind,
        possible_keys=tuple(
            each.definition.name for each in request.indexes if _is_possible(request, each, joined_by, grouped_by)
        ),
        key=",".join(name for name, _ in keys) or None,
        key_len=",".join(str(length) for _, length in keys) or None,
        ref=ref,
        rows=plan.candidate.rows,
        filtered=100.0 if kind == "const" or not request.is_select else _filtered(plan.candidate, request),
        extra=(*_extra(path, request, () if kind == "const" else attached), *extra),
    )


def explain_lookup(
    lookup: Lookup,
    position: Position | None,
    attached: Sequence[exp.Expr],
    *,
    select_id: int,
    select_type: str,
    constants: Collection[int],
    joined_by: Collection[int],
    grouped_by: Collection[int],
    pushes: bool,
) -> PlanRow:
    """The row of EXPLAIN for a table that is looked up by rows of others.

    For the arguments see `explain_access`; ``pushes`` is whether conditions may be pushed to an index.
    """
    index, request, conditions = lookup.index, lookup.request, lookup.conditions
    assert index is not None
    assert request is not None
    assert position is not None
    ref = tuple(conditions.source(each.node, constants) for each in lookup.equalities)
    extra = []
    stays = any(each.or_null or not conditions.settles(each.column, each.node) for each in lookup.equalities)
    may_push = pushes and request.pushes and not index.definition.clustered and not request.covers(index, entry=True)
    pushed = lookup.pushes or (stays and may_push)
    if pushed:
        extra.append("Using index condition")
    if (stays and not pushed) or any(not conditions.is_about(each, lookup.columns) for each in attached):
        extra.append("Using where")
    if request.covers(index, entry=True):
        extra.append("Using index")
    return PlanRow(
        id=select_id,
        select_type=select_type,
        table=conditions.name,
        partitions=_partitions(request),
        type="ref_or_null" if lookup.or_null and not lookup.outer else lookup.access,
        possible_keys=tuple(
            each.definition.name for each in request.indexes if _is_possible(request, each, joined_by, grouped_by)
        ),
        key=index.definition.name,
        key_len=str(index_length(conditions.table, index.definition, len(lookup.equalities))),
        ref=ref,
        rows=max(round(position.fetched), 1),
        filtered=round(min(100 * position.filter, 100.0), 2),
        extra=tuple(extra),
    )


def _partitions(request: AccessRequest) -> tuple[str, ...]:
    """The names of the partitions in which there may be rows."""
    divided = request.table.partitioning
    return () if divided is None else tuple(divided.partitions[at].name for at in sorted(request.used or ()))


def _type(path: TableAccess, request: AccessRequest, ref: Sequence[str]) -> str:
    """The access type, by EXPLAIN's name."""
    if not request.is_select:
        return {"const": "range"}.get(path.access, path.access)
    if path.access == "const" and set(ref) != {"const"}:
        return "eq_ref"
    return "ref_or_null" if isinstance(path, AccessPath) and is_ref_or_null(path) else path.access


def _is_possible(request: AccessRequest, index: Index, joined_by: Collection[int], grouped_by: Collection[int]) -> bool:
    """Whether the conditions use the first column of an index, or it has all columns of the groups."""
    first = index.definition.columns[0]
    left = request.column_ranges.get(first)
    restricted = first in joined_by or index in request.range_tree or (left is not None and left != ColumnRange())
    return restricted or (bool(grouped_by) and {*grouped_by} <= {*key_parts(index)})


def _looked_up(path: TableAccess) -> Sequence[int]:
    """The columns that are looked up with one value each, if the rows are found in this way."""
    if not isinstance(path, AccessPath) or path.access not in ("const", "ref"):
        return ()
    return key_parts(path.index)[: len(path.ranges[0].low or ())]


def _keys(path: TableAccess) -> Iterator[tuple[str, int]]:
    """The indexes that are used, each with the length of the used part of its key, in bytes."""
    match path:
        case AccessPath():
            yield path.index.definition.name, index_length(path.table, path.index.definition, _used_parts(path))
        case GroupSkip():
            parts = path.width + len(path.infix) + path.searches_values
            yield path.index.definition.name, index_length(path.table, path.index.definition, parts)
        case Intersection():
            for each in path.paths:
                yield from _keys(each)
            if path.within:
                yield from _keys(AccessPath(path.table, path.table.clustered, path.within, access="range"))
        case SortedUnion():
            for each in (*path.paths, *([path.clustered] if path.clustered else ())):
                yield from _keys(each)
        case _:
            for part in path.parts:
                yield from _keys(part)


def _used_parts(path: AccessPath) -> int | None:
    """How many columns of the index are searched; None if it is read from end to end."""
    if path.access == "index":
        return None
    return max(max(len(each.low or ()), len(each.high or ())) for each in path.ranges)


def _filtered(candidate: Candidate[TableAccess], request: AccessRequest) -> float:
    """The estimated percentage of the rows for which the conditions are true."""
    left = filtered_rows(request, range_candidates(request), candidate)
    return min(round(100 * left / candidate.rows, 2), 100.0) if candidate.rows else 100.0


def _extra(path: TableAccess, request: AccessRequest, attached: Sequence[exp.Expr]) -> Iterator[str]:
    if isinstance(path, GroupSkip):
        if attached:
            yield "Using where"
        yield "Using index for group-by"
        return
    if not isinstance(path, AccessPath):
        yield f"Using {_merge(path)}"
        if attached:
            yield "Using where"
        if isinstance(path, Intersection) and path.covering:
            yield "Using index"
        return
    if path.pushed is not None:
        yield "Using index condition"
    if any(not _is_settled(path, request, each) for each in attached):
        yield "Using where"
    if path.descending and (request.is_select or path.access == "range"):
        yield "Backward index scan"
    if path.access != "ALL" and request.covers(path.index, entry=True):
        yield "Using index"


def _is_settled(path: AccessPath, request: AccessRequest, condition: exp.Expr) -> bool:
    """Whether a condition need not be checked on the row, because the search or the index has done so."""
    if not request.is_select:
        return False
    if request.conditions.is_about(condition, _looked_up(path)):
        return True
    return path.pushed is not None and request.conditions.is_about(condition, path.index.definition.whole, pushed=True)


def _merge(path: AccessPath | Merge) -> str:
    """The name of an index merge in the column Extra."""
    match path:
        case AccessPath():
            return path.index.definition.name
        case Intersection():
            names = [*map(_merge, path.paths), *([path.table.clustered.definition.name] if path.within else ())]
            return f"intersect({','.join(names)})"
        case SortedUnion():
            return f"sort_union({','.join(_merge(each) for each in (*path.paths, *filter(None, [path.clustered])))})"
    return f"union({','.join(map(_merge, path.parts))})"
