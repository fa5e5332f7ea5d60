"""A list read to its end while others change it, and what was wrong with that.

What others do is forced in between two pages, and drawn from the seed: nothing depends on time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatsim.chat.paging.strategy import PagingStrategy, page_of
from chatsim.db.session import Session
from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.paging.lists import Lists

if TYPE_CHECKING:
    import numpy as np

__all__ = ["WRITERS", "Walk", "walk"]

WRITERS: dict[str, tuple[str, ...]] = {
    "none": (),
    "inserts": ("inserts",),
    "deletes": ("deletes",),
    "activity": ("activity",),
    "all": ("inserts", "deletes", "activity"),
}
"""What others do while somebody reads: entries come, entries go, something happens to them; by condition."""

_EACH = 3  # of what others do between two pages


@dataclass
class Walk:
    """A list, read to its end.

    Attributes:
        entry: what its entries are called.
        there: what was in the list when reading began, in the order that the strategy promises.
        pages: the ids that were shown.
        gone: those that were taken away meanwhile.
        moved: those that something happened to, which may have another place by now.
        ended: whether the strategy said that there is no more; else it went on for far too long.
    """

    entry: str
    there: Sequence[int]
    pages: list[list[int]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    ended: bool = False

    @property
    def skipped(self) -> list[int]:
        """Entries that were there all the time, and never shown."""
        shown = {each for page in self.pages for each in page}
        return [each for each in self.there if each not in shown and each not in self.gone]

    @property
    def repeated(self) -> list[int]:
        """Entries that were shown more than once."""
        times = Counter(each for page in self.pages for each in page)
        return [each for each, count in times.items() if count > 1]

    @property
    def disordered(self) -> list[int]:
        """Entries that stayed where they were, and were shown behind one that belongs behind them."""
        place = {each: at for at, each in enumerate(self.there) if each not in self.moved}
        found, furthest, seen = [], -1, set[int]()
        for each in (each for page in self.pages for each in page if each in place):
            if place[each] < furthest and each not in seen:
                found.append(each)
            furthest = max(furthest, place[each])
            seen.add(each)
        return found

    def verdict(self) -> Verdict:
        """Safe if nothing was skipped, repeated or out of order."""
        pages = f"{len(self.pages):,} pages"
        if not self.ended:
            return Verdict(Word.UNSAFE, f"after {pages} of a list of {len(self.there):,} there was still more")
        wrong = [
            f"{len(entries):,} {said}, {self.entry} {entries[0]} the first{self._where(entries[0])}"
            for entries, said in (
                (self.skipped, f"of {len(self.there):,} skipped"),
                (self.repeated, "shown again"),
                (self.disordered, "out of order"),
            )
            if entries
        ]
        if wrong:
            return Verdict(Word.UNSAFE, "; ".join(wrong))
        return Verdict(Word.SAFE, f"{pages}: each of {len(self.there) - len(self.gone):,} once, in order")

    def _where(self, entry: int) -> str:
        """On which pages."""
        pages = [str(number) for number, page in enumerate(self.pages, start=1) if entry in page]
        return f" (on page {' and '.join(pages)})" if pages else ""


async def walk(
    strategy: PagingStrategy,
    tx: Session,
    admin: Session,
    source: Lists,
    *,
    size: int,
    page_size: int,
    writers: str,
    rng: np.random.Generator,
) -> Walk:
    """Read the list of ``size`` entries from its beginning to its end.

    Args:
        strategy: how.
        tx: the reader's session.
        admin: the others'.
        source: the lists, as they are in the tables.
        size: which of them.
        page_size: entries in a page.
        writers: what the others do, a name in `WRITERS`.
        rng: to whom they do it.

    Raises:
        DatabaseError, StrategyError: as `page_of`.
    """
    found = Walk("thread" if source.what == "threads" else "message", source.ids(size, strategy.order))
    most = 3 * (size // page_size + 2)
    cursor, chance = None, 0
    while len(found.pages) < most:
        page = await page_of(strategy, tx, source.of(size), cursor, page_size)
        found.pages.append([int(str(row[0])) for row in page.rows])
        cursor = page.cursor
        if not page.more:
            found.ended = True
            break
        for kind in WRITERS[writers]:
            for drawn in rng.choice(len(found.there), size=_EACH, replace=False):
                entry, chance = found.there[int(drawn)], chance + 1
                if kind == "inserts":
                    await source.come(admin, size, chance + 1_000 * int(drawn))
                elif entry in found.gone:
                    continue
                elif kind == "deletes":
                    await source.go(admin, entry, size)
                    found.gone.add(entry)
                else:
                    await source.touch(admin, entry, size)
                    found.moved.add(entry)
    return found
