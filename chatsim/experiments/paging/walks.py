"""Reading a list to its end while others change it, and checking what the reader has seen.

The changes are forced between two pages, and drawn from the seed: nothing depends on time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chatsim.chat.paging.strategy import Page, PagingStrategy, page_of
from chatsim.db.session import Session
from chatsim.experiments.blocking import BLOCKED_S, watched
from chatsim.experiments.checks import Anomaly, Verdict, disordered, judge, missing, repeated, unexpected
from chatsim.experiments.history import Operation, Recorder
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
"""The changes that others make: entries are inserted, deleted, changed; by condition."""

_ENTRY_S = 1e-4  # more than reading an entry takes

_EACH = 3  # changes of each kind between two pages


@dataclass
class Walk:
    """A list that was read to its end.

    Attributes:
        entry: the name of its entries.
        there: the list when reading began, in the order that the strategy promises.
        history: the pages that were read, each as an operation with the ids that it has shown.
        gone: the entries that were deleted meanwhile.
        moved: the entries that were changed meanwhile, and may have another place now.
        changes: how often somebody has changed the list between two pages.
        others: the entries that were added meanwhile.
        ended: whether the strategy came to an end; if not, it was stopped after far too many pages.
    """

    entry: str
    there: Sequence[int]
    history: list[Operation] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    changes: int = 0
    others: set[int] = field(default_factory=set)
    ended: bool = False

    @property
    def pages(self) -> list[list[int]]:
        """The ids that were shown, page by page."""
        return [page.value["entries"] for page in self.history]

    @property
    def shown(self) -> list[int]:
        """The ids that were shown."""
        return [each for page in self.pages for each in page]

    @property
    def skipped(self) -> list[int]:
        """Entries that existed all the time, and were never shown."""
        return missing((each for each in self.there if each not in self.gone), self.shown)

    @property
    def repeated(self) -> list[int]:
        """Entries that were shown more than once."""
        return repeated(self.shown)

    @property
    def disordered(self) -> list[int]:
        """Entries that were not moved, and were shown after one that belongs after them."""
        return disordered([each for each in self.there if each not in self.moved], self.shown)

    @property
    def forged(self) -> list[int]:
        """Entries that were shown, and have never been in this list."""
        return unexpected({*self.there, *self.others}, self.shown)

    def verdict(self) -> Verdict:
        """Safe if nothing was skipped, repeated, out of order or forged, although others have changed the list."""
        pages, left = f"{len(self.history):,} pages", len(self.there) - len(self.gone)
        safe = f"{pages}: each of {left:,} once, in order"
        untested = "" if self.changes else f"{safe}, but nobody changed the list meanwhile; ask for other writers"
        return judge(self.history, self._anomalies(pages), safe=safe, refused="pages were refused", untested=untested)

    def _anomalies(self, pages: str) -> Iterator[Anomaly]:
        if not self.ended:
            sentence = f"after {pages} of a list of {len(self.there):,} there was still more"
            yield Anomaly("endless", self.entry, sentence)
            return
        for kind, entries, words in (
            ("skipped", self.skipped, f"of {len(self.there):,} skipped"),
            ("repeated", self.repeated, "shown again"),
            ("disordered", self.disordered, "out of order"),
            ("forged", self.forged, "shown that are not in this list"),
        ):
            if entries:
                sentence = f"{len(entries):,} {words}, {self.entry} {entries[0]} the first"
                steps = tuple(page for page in self.history if entries[0] in page.value["entries"])
                yield Anomaly(kind, entries[0], sentence + _where(steps), steps)


def _where(pages: Sequence[Operation]) -> str:
    numbers = [str(page.round + 1) for page in pages]
    return f" (on page {' and '.join(numbers)})" if numbers else ""


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
        strategy: the paging strategy.
        tx: the reader's session.
        admin: the session of the others.
        source: the lists in the tables.
        size: the length of the list to read.
        page_size: the number of entries in a page.
        writers: what the others do, a name in `WRITERS`.
        rng: the random generator that chooses the entries to change.

    Raises:
        DatabaseError, StrategyError: as `page_of`.
    """
    # a page of many entries takes its time, too
    read = watched(strategy.name, strategy.read, allowed_s=max(BLOCKED_S, page_size * _ENTRY_S))
    strategy = replace(strategy, read=read)
    found = Walk("thread" if source.what == "threads" else "message", source.ids(size, strategy.order))
    most = 3 * (size // page_size + 2)
    recorder = Recorder(0, asyncio.get_running_loop().time())
    page: Page | None = None
    chance = 0

    async def turn_page(_: object) -> dict[str, list[int]]:
        nonlocal page
        page = await page_of(strategy, tx, source.of(size), page and page.cursor, page_size)
        return {"entries": [int(str(row[0])) for row in page.rows]}

    while len(found.history) < most:
        turn = len(found.history)
        found.history.append(await recorder.record("page", {"of": source.of(size)}, turn_page, turn=turn, refusable=()))
        assert page is not None
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
                found.changes += 1
    found.others = await source.now(admin, size) - {*found.there}
    return found
