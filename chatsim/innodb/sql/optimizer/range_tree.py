"""Range trees: the ranges of a table's indexes that conditions allow (in the server: SEL_TREE and SEL_IMERGE).

Source: manual, "Range Optimization" and "Index Merge Optimization".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chatsim.innodb.sql.optimizer.cost_model import key_parts
from chatsim.innodb.sql.optimizer.index_order import intervals_in_index
from chatsim.innodb.sql.optimizer.intervals import Interval, Intervals, intersect, unite
from chatsim.innodb.storage.structures import Index

__all__ = ["NOTHING", "RangeTree"]


@dataclass(frozen=True)
class RangeTree:
    """What a condition leaves of the indexes. Each entry alone finds all rows for which the condition holds.

    Attributes:
        by_index: the intervals of an index; an index that the condition does not restrict is not there.
        merges: index merges: of each, the sides of an OR, which are searched together.
        impossible: the condition holds for no row.
    """

    by_index: Mapping[Index, Intervals] = field(default_factory=dict)
    merges: _Merges = ()
    impossible: bool = False

    @classmethod
    def of(cls, column: int, left: Sequence[Interval], indexes: Sequence[Index], *, several: bool = False) -> RangeTree:
        """The tree of a condition that restricts one column to some intervals; for ``several`` see `Intervals`."""
        places = [(each, key_parts(each)) for each in indexes]
        by = {
            each: Intervals(part := place.index(column), intervals_in_index(each, part, left), several)
            for each, place in places
            if column in place
        }
        return cls(by) if left or not by else NOTHING  # without an index of the column, range analysis does not notice

    def __bool__(self) -> bool:
        """Whether it restricts anything."""
        return bool(self.by_index or self.merges or self.impossible)

    def __contains__(self, index: Index) -> bool:
        """Whether an index can be searched, alone or in an index merge."""
        left = self.by_index.get(index)
        within = any(index in side for sides in self.merges for side in sides)
        return within or (left is not None and left.part == 0)

    def __and__(self, other: RangeTree) -> RangeTree:
        """The tree of two conditions that both have to hold."""
        if self.impossible or other.impossible:
            return NOTHING
        by = dict(self.by_index)
        for index, left in other.by_index.items():
            by[index] = intersect(by.get(index), left) or left
        if any(not left.intervals for left in by.values()):
            return NOTHING
        return RangeTree(by, self.merges + other.merges)

    def __or__(self, other: RangeTree) -> RangeTree:
        """The tree of two conditions of which one has to hold. A side that has intervals loses its index merges."""
        if self.impossible or other.impossible:
            return other if self.impossible else self
        one, two = (replace(each, merges=()) if each.by_index else each for each in (self, other))
        if not one or not two:
            return RangeTree()
        if one._shares_index_with(two):
            both = [index for index in two.by_index if index in one.by_index]
            shared = {index: unite(one.by_index[index], two.by_index[index]) for index in both}
            return RangeTree({index: left for index, left in shared.items() if left is not None})
        if one.merges and two.merges:  # the first one of each
            merges: _Merges = (one.merges[0],)
            for side in two.merges[0]:
                merges = _add_side(merges, side)
            return RangeTree(merges=merges)
        one, two = (two, one) if two.merges else (one, two)
        one, two = (each._with_first_column() for each in (one, two))  # noqa: SLF001
        if not one or not two:
            return RangeTree()
        return RangeTree(merges=_add_side(one.merges or ((one,),), two))

    def _shares_index_with(self, other: RangeTree) -> bool:
        """Whether both restrict the same column of an index."""
        both = [index for index in other.by_index if index in self.by_index]
        return any(self.by_index[index].part == other.by_index[index].part for index in both)

    def _with_first_column(self) -> RangeTree:
        """The tree without the indexes of which it does not restrict the first column."""
        return replace(self, by_index={index: left for index, left in self.by_index.items() if left.part == 0})


_Merges: TypeAlias = tuple[tuple[RangeTree, ...], ...]

NOTHING = RangeTree(impossible=True)


def _add_side(merges: _Merges, side: RangeTree) -> _Merges:
    """Index merges with one more side: united with a side that restricts the same index, else as a further side."""
    found = []
    for sides in merges:
        at = next((at for at, each in enumerate(sides) if each._shares_index_with(side)), None)  # noqa: SLF001
        if at is None:
            found.append((*sides, side))
        elif joined := sides[at] | side:
            found.append((*sides[:at], joined, *sides[at + 1 :]))
    return tuple(found)
