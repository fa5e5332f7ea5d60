"""The pieces of an index that are left by what is asked of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, product, takewhile

from chatsim.worlds.model.innodb.index import Index
from chatsim.worlds.model.innodb.scan import Range
from chatsim.worlds.model.innodb.schema import Table
from chatsim.worlds.model.innodb.sql.conditions import Span
from chatsim.worlds.model.innodb.sql.ways import searchable
from chatsim.worlds.model.innodb.values import NULL, Key

__all__ = ["end", "ranges_of"]


def ranges_of(table: Table, index: Index, alternatives: Sequence[dict[int, Span]]) -> tuple[list[Range], int] | None:
    """The ranges, in order, and how many of the index's columns narrow them; None if one alternative leaves it whole.

    Args:
        table: the index's.
        index: the index.
        alternatives: what is left of columns, by each side of an OR.
    """
    each = [_each(table, index, spans) for spans in _closed(alternatives, index)]
    if not all(parts for _, parts in each):
        return None
    ranges, parts = each[0] if len(each) == 1 else _united(found for found, _ in each)
    return (ranges, parts) if parts else None


def _each(table: Table, index: Index, spans: dict[int, Span]) -> tuple[list[Range], int]:
    """The ranges of an index that are left of its columns, and how many columns narrow them."""
    prefixes: list[Key] = [()]
    columns = searchable(index)
    parts = 0
    for column in columns:
        span = spans.get(column)
        if span is None or not span.narrows:
            break
        parts += 1
        if span.points is None:
            nullable = table.columns[column].nullable
            behind = [spans[each] for each in takewhile(spans.__contains__, columns[parts:])]
            return [_interval(prefix, span, behind, nullable=nullable) for prefix in prefixes], parts
        prefixes = [(*prefix, point) for prefix, point in product(prefixes, span.points)]
    return [Range(prefix, prefix, exact=True) for prefix in prefixes], parts


def _closed(alternatives: Sequence[dict[int, Span]], index: Index) -> Sequence[dict[int, Span]]:
    """Alternatives of which one is an interval of the first column, and another the value at its open end: as one.

    That is so if they say the same of the columns behind it, which then narrow the interval.
    """
    first, *behind = searchable(index)
    found: list[dict[int, Span]] = []
    for each in alternatives:
        for at, other in enumerate(found):
            if first in each and first in other and all(each.get(column) == other.get(column) for column in behind):
                span = each[first].closed(other[first]) or other[first].closed(each[first])
                if span is not None:
                    found[at] = {**each, first: span}
                    break
        else:
            found.append(each)
    return found


def _united(alternatives: Iterable[Sequence[Range]]) -> tuple[list[Range], int]:
    """The ranges of alternatives together, in order, those that overlap as one; and how many columns narrow them."""
    ranges = sorted(dict.fromkeys(chain.from_iterable(alternatives)), key=lambda each: (each.start, each.stop))
    found: list[Range] = []
    for each in ranges:
        if found and each.start <= found[-1].stop:
            found[-1] = found[-1].until(each)
        else:
            found.append(each)
    return found, max(len(end or ()) for each in found for end in (each.low, each.high))


def _interval(prefix: Key, span: Span, behind: Sequence[Span], *, nullable: bool) -> Range:
    """An interval of a column; what is ``behind`` it, in the next columns, can only narrow its ends, if they are in."""
    if span.low is not None:
        low, low_included = end(prefix, [span, *behind], -1)
    else:
        low, low_included = ((*prefix, NULL), False) if nullable else (prefix, True)
    high, high_included = end(prefix, [span, *behind], 1)
    return Range(low or None, high or None, low_included, high_included)


def end(prefix: Key, spans: Iterable[Span], side: int) -> tuple[Key, bool]:
    """How far a range goes to one side, the lower (-1) or the upper (1), and whether its end is in it."""
    end = prefix
    for span in spans:
        at, included = span.end(side)
        if at is None:
            break
        end = (*end, at)
        if not included:
            return end, False
    return end, True
