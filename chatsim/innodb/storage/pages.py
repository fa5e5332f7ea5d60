"""Pages of an index: records are inserted and removed, pages are split and merged, and locks follow (InnoDB's btr0btr).

A page that is full is split. If the last insert was beside the new record, the records are taken to come in order, and
the page is split there, so that it stays full; else in the middle. Of a clustered index, a sixteenth of a page is left
free for updates when rows come in order. A page that is less than half full is merged with a neighbour. Sources: MySQL
manual, "The Physical Structure of an InnoDB Index"; btr0btr.cc, btr0cur.cc, lock0lock.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.structures import Index, Page, Record, Transaction
from chatsim.innodb.storage.values import Key, Value

__all__ = ["distribute", "fill_pages", "insert_record", "remove_record", "replace_row"]

_SPACE = 16_252
"""The bytes of an empty page without its headers."""

_RESERVE = 1024
_HALF = 8192
"""A page with fewer bytes of records is merged with a neighbour."""


def insert_record(
    successor: Record, key: Key, row: Sequence[Value], writer: Transaction | None, locks: LockSystem
) -> Record:
    """Insert a record, which may split its page. The gap before it inherits the locks on the gap that it splits.

    Args:
        successor: what the index gives as the key's successor.
        key: its key.
        row: its columns.
        writer: the transaction that inserts it; None if every read view sees it.
        locks: the server's locks.
    """
    index = successor.index
    size = index.size_of(row)
    if not _fits(successor, size):
        _split(successor, key, size, locks)
        while not _has_space((successor := index.successor(key)).page, size):
            _split(successor, key, size, locks, again=True)
    record = index.insert_before(successor, key, row, writer, size)
    locks.record_inserted(record)
    return record


def remove_record(record: Record, locks: LockSystem) -> None:
    """Remove a record, whose locks the gap inherits, and merge its page with another one if it has become too empty."""
    record.index.remove(record)
    locks.record_removed(record)
    if not record.page.is_root:
        _merge(record.page, locks)


def replace_row(record: Record, row: Sequence[Value], locks: LockSystem) -> None:
    """Replace the columns of a row. If its size changes, its page may have to be split, or merged with another one."""
    page, size_of = record.page, record.index.size_of
    before, size = size_of(record.row), size_of(row)
    record.row = row
    if size == before:
        return
    page.used += size - before
    page.last_insert = record  # it has been taken out of the page and put back
    if page.used < _HALF:
        if not page.is_root:
            _merge(page, locks)
    elif page.used + _directory(page.count) > _SPACE and page.count > 1:
        _insert_again(record, size, locks)


def fill_pages(index: Index) -> None:
    """Distribute the records of a new index to pages, which are filled one after the other."""
    records = list(index)
    starts, used, count = [0], 0, 0
    for at, record in enumerate(records):
        size = index.size_of(record.row)
        left = _SPACE - used - size - _directory(count + 1)
        if left < 0 or (left < _reserve(index) and count > 1):
            starts.append(at)
            used = count = 0
        used += size
        count += 1
    distribute(index, [(start, records[start].key) for start in starts[1:]])


def distribute(index: Index, pages: Sequence[tuple[int, Key]]) -> None:
    """Distribute the records of an index that is one page.

    Args:
        index: the index.
        pages: of each page but the first, the number of its first record, and the least key that a search looks for.
    """
    records = list(index)
    if pages:
        _take_place(index.pages[0], Page(index))
    for start, low in pages:
        _halve(index.pages[-1], records[start:], low)


def _directory(count: int) -> int:
    """The bytes of the directory of a page with this many records."""
    return (2 * count + 3) // 4


def _fits(successor: Record, size: int) -> bool:
    """Whether a record is inserted before ``successor`` without a split."""
    page = successor.page
    if page.count < 2 or not _is_in_order(successor):
        return _has_space(page, size)
    return _has_space(page, size + _reserve(page.index))


def _has_space(page: Page, size: int) -> bool:
    return size <= _SPACE - page.used - _directory(page.count + 1) or page.count == 0


def _reserve(index: Index) -> int:
    """The bytes that are left free on a page when rows come in order."""
    return _RESERVE if index.definition.clustered else 0


def _is_in_order(successor: Record) -> bool:
    last = successor.page.last_insert
    return last is not None and last in (successor, successor.previous)


# -- splits


def _split(successor: Record, key: Key, size: int, locks: LockSystem, *, again: bool = False) -> None:
    """Split the page of ``successor``, before which a record of this key and size is to be inserted.

    If the record would be the last one of the page, it goes to the next page instead, if that has room. If it did not
    fit after a first split, the page is split ``again``, where half of the bytes are, the record's among them.
    """
    if _extends_next_page(successor, key, size, locks):
        return
    page, index = successor.page, successor.index
    records = _records(page)
    place = len(records) if successor.is_supremum else records.index(successor)
    if page.is_root:
        root, page = page, Page(index)
        _replace_page(root, page, locks)
        page.last_insert = None
    at, first, downwards = (
        _split_point_by_size(records, place, size) if again else _split_point(records, place, page.last_insert)
    )
    low = key if first is None else first.key
    if downwards:
        new = _halve_downwards(page, records[:at], low)
        locks.records_moved(records[:at], new)
        locks.inherit(new.supremum, new.supremum.following)
    else:
        new = _halve(page, records[at:], low)
        locks.records_moved(records[at:], new)
        locks.supremum_moved(page.supremum, new.supremum)
        locks.inherit(page.supremum, page.supremum.following)


def _extends_next_page(successor: Record, key: Key, size: int, locks: LockSystem) -> bool:
    """Let the next page begin with this key, if the record would be the last one before it and that has room."""
    page, index = successor.page, successor.index
    if not successor.is_supremum or successor is index.supremum:
        return False
    locks.inherit(successor.following, successor)  # the gap at the end of the page and that before the next one are one
    locks.inherit(successor, successor.following)
    if not _has_space(successor.following.page, size):
        return False
    index.lows[index.pages.index(page)] = key
    return True


def _insert_again(record: Record, size: int, locks: LockSystem) -> None:
    """Take out a record that has become too large for its page, split the page, and put the record back."""
    page, index, successor = record.page, record.index, record.following
    was_first = record.previous.is_supremum
    _join(record.previous, successor)
    page.count -= 1
    page.used -= size
    page.last_insert = page.supremum.previous  # the page was written anew to find room, one record after the other
    again = False
    while not again or not _has_space(successor.page, size):
        _split(successor, record.key, size, locks, again=again)
        again, successor = True, index.successor(record.key)
    page = successor.page
    _link(successor.previous, record, successor)
    page.count += 1
    page.used += size
    page.last_insert = record
    if record.page is not page:
        record.page, record.heap = page, page.heap
        page.heap += 1
        locks.records_moved([record], page)
    if not was_first and record.previous.is_supremum:  # while the record was out, that inherited the wrong locks
        locks.reset(record.previous)
        locks.inherit(record.previous, record)


def _split_point(records: Sequence[Record], place: int, last_insert: Record | None) -> tuple[int, Record | None, bool]:
    """Where a page is split, into whose ``records`` a new one is to come at ``place``.

    Returns:
        the number of records that stay in the lower half; the first record of the upper half, None for the new one; and
        whether it is the lower half that moves to a new page.
    """
    count = len(records)
    if last_insert is not None and place and records[place - 1] is last_insert:  # they come in order, upwards
        if place >= count - 1:
            return place, None, False
        return place + 1, records[place + 1], False
    if last_insert is not None and place < count and records[place] is last_insert:
        at = place - 1 if place > 1 else place
        return at, records[at], True
    if count == 1:
        return (1, None, False) if place else (0, records[0], False)
    return count // 2, records[count // 2], False


def _split_point_by_size(records: Sequence[Record], place: int, size: int) -> tuple[int, Record | None, bool]:
    """Where a page is split, of which the records before the split take half of the bytes; as `_split_point`."""
    size_of = records[0].index.size_of
    sizes = [size_of(record.row) for record in records]
    sizes.insert(place, size)
    half = (sum(sizes) + _directory(len(sizes))) // 2
    lower = next(count for count in range(1, len(sizes) + 1) if sum(sizes[:count]) + _directory(count) >= half)
    if sum(sizes[:lower]) + _directory(lower) > _SPACE or lower == len(sizes):
        lower -= 1
    if lower == place:
        return place, None, False
    at = lower if lower < place else lower - 1
    return at, records[at], False


def _halve(page: Page, moved: Sequence[Record], low: Key) -> Page:
    """Move the last records of a page to a new page behind it, on which a search looks for keys from ``low`` on."""
    index, new = page.index, Page(page.index)
    number = index.pages.index(page)
    index.pages.insert(number + 1, new)
    index.lows.insert(number, low)
    supremum, end = page.supremum, new.supremum
    if index.supremum is supremum:
        index.supremum = end
    _link(supremum.previous, end, supremum.following)
    following = moved[0] if moved else end
    _link(following.previous, supremum, following)
    _move(moved, new)
    new.last_insert = None
    return new


def _halve_downwards(page: Page, moved: Sequence[Record], low: Key) -> Page:
    """Move the first records of a page to a new page before it; the page keeps the keys from ``low`` on."""
    index, new = page.index, Page(page.index)
    number = index.pages.index(page)
    index.pages.insert(number, new)
    index.lows.insert(number, low)
    following = moved[-1].following if moved else _records(page)[0]
    _link(following.previous, new.supremum, following)
    _move(moved, new)
    return new


# -- merges


def _merge(page: Page, locks: LockSystem) -> None:
    """Merge a page with a neighbour, if it is less than half full and that has room; the only page becomes the root."""
    index, number = page.index, page.index.pages.index(page)
    if len(index.pages) == 1:
        _replace_page(page, Page(index, is_root=True), locks)
        locks.page_discarded(page)
    elif page.used < _HALF or not page.count:
        left = index.pages[number - 1] if number else None
        right = index.pages[number + 1] if number + 1 < len(index.pages) else None
        if left is not None and (_has_room(left, page) or not page.count):
            _merge_left(page, number, left, locks)
        elif right is not None and (_has_room(right, page) or not page.count):
            _merge_right(page, number, right, locks)


def _has_room(target: Page, page: Page) -> bool:
    return page.used <= _SPACE - target.used - _directory(target.count + page.count)


def _merge_left(page: Page, number: int, left: Page, locks: LockSystem) -> None:
    records, index, supremum = _records(page), page.index, left.supremum
    following = page.supremum.following
    del index.pages[number], index.lows[number - 1]
    if index.supremum is page.supremum:
        index.supremum = supremum
    if records:
        _join(supremum.previous, records[0])
        _link(records[-1], supremum, following)
        _move(records, left)
        locks.records_moved(records, left)
        locks.inherit(records[0], supremum)
        locks.reset(supremum)
        locks.supremum_moved(page.supremum, supremum)
    else:
        _join(supremum, following)
        locks.inherit(supremum, page.supremum)
        locks.reset(page.supremum)
    locks.page_discarded(page)


def _merge_right(page: Page, number: int, right: Page, locks: LockSystem) -> None:
    records, index, following = _records(page), page.index, page.supremum.following
    del index.pages[number], index.lows[number]
    _join(page.supremum.previous, following)
    _move(records, right)
    locks.records_moved(records, right)
    locks.inherit(following, page.supremum)
    locks.reset(page.supremum)
    locks.page_discarded(page)


# -- moving records


def _replace_page(page: Page, new: Page, locks: LockSystem) -> None:
    """Move all records of a page to a new one, which takes its place, and their locks with them."""
    records = _take_place(page, new)
    locks.records_moved(records, new)
    locks.supremum_moved(page.supremum, new.supremum)


def _take_place(page: Page, new: Page) -> list[Record]:
    index, supremum, records = page.index, page.supremum, _records(page)
    index.pages[index.pages.index(page)] = new
    if index.supremum is supremum:
        index.supremum = new.supremum
    if supremum.following is not supremum:
        _link(supremum.previous, new.supremum, supremum.following)
    _move(records, new)
    return records


def _move(records: Sequence[Record], page: Page) -> None:
    """Put records of one page on another one."""
    if not records:
        return
    source, size_of = records[0].page, page.index.size_of
    for record in records:
        record.page, record.heap = page, page.heap
        page.heap += 1
    size = sum(size_of(record.row) for record in records)
    source.count -= len(records)
    source.used -= size
    source.last_insert = None
    page.count += len(records)
    page.used += size
    page.last_insert = records[-1]


def _records(page: Page) -> list[Record]:
    """The records of a page, in order."""
    records, at = [], page.supremum
    for _ in range(page.count):
        at = at.previous
        records.append(at)
    return records[::-1]


def _join(record: Record, following: Record) -> None:
    record.following, following.previous = following, record


def _link(previous: Record, record: Record, following: Record) -> None:
    _join(previous, record)
    _join(record, following)
