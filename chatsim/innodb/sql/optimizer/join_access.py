"""How one table of a join can be read: lookups by values of the tables before it, a range, or a scan.

Sources: manual, "Optimizing SELECT Statements", "Nested-Loop Join Algorithms", "Hash Join Optimization"; in the server,
``Optimize_table_order::best_access_path``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from struct import pack, unpack

from chatsim.innodb.sql.expressions import Env, Function
from chatsim.innodb.sql.optimizer.access_path import pushed_conditions
from chatsim.innodb.sql.optimizer.access_request import AccessRequest
from chatsim.innodb.sql.optimizer.conditions import Conditions, Equality
from chatsim.innodb.sql.optimizer.cost_model import PAGE, Candidate, key_parts
from chatsim.innodb.sql.optimizer.order_and_limit import filtered_rows
from chatsim.innodb.sql.optimizer.range_access import best_range_or_merge, range_candidates
from chatsim.innodb.sql.optimizer.ref_access import counted_ref, ref_cost
from chatsim.innodb.sql.optimizer.scan_access import avoided_scan_cost, cheapest_scan
from chatsim.innodb.storage.column_types import UnusableError
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.table_access import TableAccess
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Key

__all__ = ["Lookup", "LookupCost", "LooseScan", "TableEstimate"]

_DERIVED_SCAN = 2.5  # reading a temporary table
_DERIVED_MATCHES = 10  # the rows of a temporary table for one value of a column that is looked up


@dataclass(frozen=True)
class Lookup:
    """A lookup in an index, by values that are known when the tables before it have been read.

    Attributes:
        conditions: the conditions on the table.
        index: the index; None for a temporary table, which is given one.
        equalities: the value of each of its first columns.
        unique: whether there is at most one row.
        request: the request for which it was chosen; None for a temporary table.
    """

    conditions: Conditions
    index: Index | None
    equalities: tuple[Equality, ...]
    unique: bool
    request: AccessRequest | None

    @property
    def needs(self) -> frozenset[int]:
        """The tables whose rows must be known."""
        return frozenset[int]().union(*(each.needs for each in self.equalities))

    @property
    def columns(self) -> frozenset[int]:
        """The columns that are looked up."""
        return frozenset(each.column for each in self.equalities)

    @property
    def outer(self) -> bool:
        """Whether a value comes from a query around this one."""
        return any(each.outer for each in self.equalities)

    @property
    def access(self) -> str:
        """The access type, as EXPLAIN names it."""
        return "eq_ref" if self.unique else "ref"

    @property
    def or_null(self) -> bool:
        """Whether a column may be NULL instead."""
        return any(each.or_null for each in self.equalities)

    @cached_property
    def _pushed(self) -> Sequence[Function]:
        assert self.index is not None
        assert self.request is not None
        if self.index.definition.clustered or self.request.covers(self.index) or not self.request.pushes:
            return ()
        if self.request.guarded and not self.conditions.are_within(self.index):
            return ()
        looked_up = 0 if self.unique else len(self.equalities)
        return self.conditions.index_conditions(self.index, looked_up)

    @property
    def pushes(self) -> bool:
        """Whether conditions are pushed to the index."""
        return bool(self._pushed)

    def path(self, env: Env) -> AccessPath | None:
        """The access path for the rows at hand; None if no row can match."""
        index, request = self.index, self.request
        assert index is not None
        assert request is not None
        values: list[object] = []
        for part, each in enumerate(self.equalities):
            value = each.value(env)
            if value is None and not (each.null_safe and self.conditions.table.columns[each.column].nullable):
                return None
            try:
                column = self.conditions.table.columns[each.column]
                key = NULL if value is None else column.type.sought(value, "=")
            except UnusableError:
                return None
            if key is None:
                return None
            values.append(index.own_part(part, key))
        spans = [Range(each, each, exact=True) for each in self._keys(values)]
        path = AccessPath(*(self.conditions.table, index, spans), covering=request.covers(index), access=self.access)
        return pushed_conditions(path, self._pushed, self.conditions.at, env)

    def _keys(self, values: Sequence[object]) -> list[Key]:
        """The keys that are looked up: those with NULL come last."""
        assert self.index is not None
        keys = [tuple(values)]
        for part, each in enumerate(self.equalities):
            null = self.index.own_part(part, NULL)
            keys += [(*key[:part], null, *key[part + 1 :]) for key in keys if each.or_null and key[part] != null]
        return keys


@dataclass(frozen=True)
class LookupCost:
    """A lookup, and what it costs.

    Attributes:
        lookup: the lookup.
        rows: the estimated rows that it finds.
        once: the estimated cost of doing it once.
    """

    lookup: Lookup
    rows: float
    once: float


@dataclass(frozen=True)
class LooseScan:
    """A scan of an index that goes on with one row for each value of its first columns.

    Attributes:
        index: the index.
        rows: the estimated number of values.
        cost: the estimated cost of reading the entries.
        ranges: the range that is read; None for the whole index.
    """

    index: Index
    rows: float
    cost: float
    ranges: Candidate[TableAccess] | None


class TableEstimate:
    """What the optimizer expects of a table of a join.

    Args:
        conditions: the conditions on it, of which those are used whose values are constant.
        request: the request for its access path; None for a derived table.
        equalities: what its columns are compared with for equality, in other tables too.
        derived: the estimated rows of a derived table; None if it is a table of the schema.
        filters: the conditions by which fewer rows are expected; None if all are.

    Attributes:
        at: the number of the table.
        table: the table.
        request: the request for its access path; None for a derived table.
        scan: the range or scan by which all its rows are read; None for a derived table.
        rows: the estimated rows of the table.
        found: the estimated rows that the range or scan finds.
        scan_cost: the cost of the range or scan.
        is_range: whether it is a range, or several in an index merge.
    """

    def __init__(
        self,
        conditions: Conditions,
        request: AccessRequest | None,
        equalities: Sequence[Equality],
        filters: Conditions | None,
        derived: float | None = None,
    ) -> None:
        self.at = conditions.at
        self.table: Table = conditions.table
        self.conditions = conditions
        self.request = request
        self.scan: Candidate[TableAccess] | None = None
        self.equalities = equalities
        self._filters = filters
        self.ranges: Sequence[Candidate[AccessPath]] = ()
        if derived is not None:
            self.rows = self.found = derived
            self.scan_cost, self.is_range = _DERIVED_SCAN, False
            return
        assert request is not None
        self.rows = float(request.rows)
        reading = self._reading
        self.ranges = range_candidates(reading)
        scan = cheapest_scan(reading)
        below = scan.cost if scan.path.access == "index" else avoided_scan_cost(request, scan)
        best = best_range_or_merge(reading, self.ranges, below)
        self.scan = self._read_whole(best) if best is not None else cheapest_scan(request)
        self.is_range = best is not None
        self.found = float(best.rows) if best is not None else self.rows
        self.scan_cost = best.read_cost if best is not None else request.page_reads.whole

    @property
    def whole_cost(self) -> float:
        """The cost of reading the whole table: with a forced index, a page for each row."""
        return PAGE * (1 + self.rows) if self.request is not None and self.request.forced else self.scan_cost

    @cached_property
    def const_filter(self) -> float:
        """The estimated part of the found rows that meet the conditions on constants."""
        if self._filters is None:
            return 1.0
        if self.request is None:
            return self._filters.selectivity(int(self.rows), ())
        assert self.scan is not None
        request = self.request
        if request.conditions is not self._filters:
            request = replace(request, conditions=self._filters)
        return _single(min(filtered_rows(request, self.ranges, self.scan) / max(self.scan.rows, 1), 1.0))

    @cached_property
    def kept_length(self) -> int:
        """The bytes of its columns that are read, in a join buffer (in the server: ``calc_used_field_length``)."""
        columns = self.table.columns
        read = range(len(columns)) if self.request is None else self.request.touched
        nullable = sum(each.nullable for each in columns)
        bits = (nullable + 7) // 8 if any(columns[at].nullable for at in read) else 0
        return sum(columns[at].type.packed_size for at in read) + bits + self.conditions.optional

    @cached_property
    def _reading(self) -> AccessRequest:
        """The request as its costs are estimated: a covering index counts, even if the rows are going to be deleted."""
        assert self.request is not None
        return replace(self.request, whole_rows=False) if self.request.deletes else self.request

    def _read_whole(self, candidate: Candidate[TableAccess]) -> Candidate[TableAccess]:
        """A range as it is read."""
        path = candidate.path
        assert self.request is not None
        if isinstance(path, AccessPath) and path.covering and not self.request.covers(path.index):
            return replace(candidate, path=replace(path, covering=False))
        return candidate

    @property
    def covered(self) -> bool:
        """Whether an index has all columns that are read."""
        if self.request is None:
            return False
        return any(self._reading.covers(each, entry=True) for each in self.request.indexes)

    def loose_scan(self, columns: frozenset[int], *, leads: bool) -> LooseScan | None:
        """How one row is read for each value of some columns, by an index that begins with these; None if none does.

        Args:
            columns: the columns.
            leads: whether the table is the first of the join, so that a range may be read, too.
        """
        if self.request is None:
            return None
        width = len(columns)
        # a constant takes the place of what else the column of an index is compared with
        if any(each.column in columns and not each.needs for each in self.equalities):
            return None
        best: LooseScan | None = None
        for index in self.request.searchable:
            if set(index.definition.columns[:width]) != columns or any(index.definition.lengths[:width]):
                continue
            if self.request.covers(index, entry=True):
                rows = self.rows / self.table.statistics.rows_per_key(index, width)
                cost = self.request.page_reads.entries(index, self.rows)
                if best is None or cost < best.cost:
                    best = LooseScan(index, rows, cost, None)
        found = self.scan
        if leads and self.is_range and found is not None and isinstance(found.path, AccessPath):
            applies = set(found.path.index.definition.columns[:width]) == columns
            if applies and (best is None or self.scan_cost < best.cost):
                best = LooseScan(found.path.index, float(found.rows), self.scan_cost, found)
        return best

    def lookups(self, known: frozenset[int]) -> list[LookupCost]:
        """The lookups that are possible when some tables' rows are known."""
        usable: dict[int, Equality] = {}
        for each in self.equalities:
            if each.needs <= known and (each.column not in usable or not (each.needs or each.outer)):
                usable[each.column] = each
        if not usable:
            return []
        if self.request is None:
            found = Lookup(self.conditions, None, tuple(usable.values()), unique=False, request=None)
            rows = min(self.rows, _DERIVED_MATCHES)
            return [LookupCost(found, rows, PAGE * rows)]
        return [cost for index in self.request.searchable if (cost := self._lookup(index, usable)) is not None]

    def _lookup(self, index: Index, usable: Mapping[int, Equality]) -> LookupCost | None:
        request = self.request
        assert request is not None
        columns = key_parts(index)
        parts: list[Equality] = []
        for column in columns:
            if column not in usable:
                break
            parts.append(usable[column])
        if not parts:
            return None
        width = len(index.definition.columns)
        unique = index.definition.unique and len(parts) >= width and not any(each.null_safe for each in parts[:width])
        lookup = Lookup(self.conditions, index, tuple(parts[:width] if unique else parts), unique, request)
        if unique:
            return LookupCost(lookup, 1.0, PAGE)
        outer = any(each.outer for each in lookup.equalities)
        if not lookup.needs and not outer and self._range_uses_more(index, len(parts)):
            return None
        if not lookup.needs and not outer and (counted := counted_ref(self._reading, self.ranges, index)) is not None:
            return LookupCost(lookup, float(counted.rows), counted.read_cost)
        rows = self.table.statistics.rows_per_key(index, len(parts)) * (2 if lookup.or_null else 1)
        return LookupCost(lookup, rows, ref_cost(self._reading, index, rows))

    def _range_uses_more(self, index: Index, parts: int) -> bool:
        """Whether a range of an index uses more of its columns than that many."""
        return any(each.path.index is index and each.parts > parts for each in self.ranges)

    @property
    def _range_columns(self) -> set[int]:
        """The columns whose conditions the ranges of indexes answer."""
        return {column for each in self.ranges for column in each.path.index.definition.place[: each.parts]}

    def filter(self, conditions: Conditions | None, lookup: Lookup | None) -> float:
        """The estimated part of the rows that meet all conditions, if the rows of the tables before are known."""
        if conditions is None or self._filters is None:
            return 1.0
        least = 1 / max(self.rows, 1)
        if lookup is not None or self.request is None:
            used = {*lookup.columns} if lookup is not None else set[int]()
            part = 1.0
            for each in self.ranges:
                columns = {*each.path.index.definition.place[: each.parts]}
                if not columns & used:
                    part *= min(each.rows / self.rows, 1.0)
                    used |= columns
            return max(part * conditions.selectivity(int(self.rows), used), least)
        known = self._range_columns
        whole = max(conditions.selectivity(int(self.rows), known), least)
        constant = self._filters.selectivity(int(self.rows), known)
        return self.const_filter * (whole / constant if constant else 1.0)


def _single(value: float) -> float:
    """A number in single precision, in which the server keeps it: a difference in the last place may decide a plan."""
    (found,) = unpack("f", pack("f", value))
    return float(found)
