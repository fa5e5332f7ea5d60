"""A paging strategy: it reads one page of a list, and says where the next one begins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatsim.chat.strategies import SILENT_ENDS, StrategyError, broken, is_cancelled, require_async, require_parentheses
from chatsim.db.errors import DatabaseError, WrongStatementError
from chatsim.db.session import Session

__all__ = ["ORDERS", "WHATS", "Page", "PagingStrategy", "page_of", "paging_strategy"]

WHATS = ("threads", "history")
"""The lists that can be paged: the threads of a user, or the messages of a thread."""

ORDERS = ("id", "newest", "time", "activity")
"""The orders of a list: by id, ascending or descending; by ``created_at`` and id; by last message, newest first."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        rows: the entries; the first column is the id of the thread, or of the message.
        cursor: where the next page begins. Only the strategy knows what it means.
        more: whether there is a next page.
    """

    rows: Sequence[tuple[object, ...]]
    cursor: Any
    more: bool


Read = Callable[[Session, int, Any, int], Awaitable[Page]]


@dataclass(frozen=True)
class PagingStrategy:
    """A way to read a list page by page.

    Attributes:
        name: the function's name.
        what: a name in `WHATS`.
        order: a name in `ORDERS`.
        read: ``async (tx, of, cursor, size) -> Page``: at most ``size`` entries of the list of the user or thread
            ``of``, after the cursor; from the beginning if the cursor is None.
        bet: the function's docstring: what it bets on.
    """

    name: str
    what: str
    order: str
    read: Read = field(repr=False)
    bet: str = field(repr=False)

    async def __call__(self, tx: Session, of: int, cursor: Any, size: int) -> Page:
        """Read a page."""
        return await self.read(tx, of, cursor, size)


def paging_strategy(what: str, *, order: str = "id") -> Callable[[Read], PagingStrategy]:
    """Make a paging strategy of an ``async def name(tx, of, cursor, size)`` that returns a `Page`.

    Args:
        what: ``threads`` of a user, or ``history`` of a thread.
        order: the order of its entries: ``id``, ``newest`` (descending ids), ``time`` or ``activity``.

    Raises:
        ValueError: there is no such list or order.
        TypeError: the function is not a coroutine function, or the decorator has no parentheses.
    """
    require_parentheses('paging_strategy("threads")', what)
    for name, value, known in (("list", what, WHATS), ("order", order, ORDERS)):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}; there are: {', '.join(known)}")

    def decorate(read: Read) -> PagingStrategy:
        require_async("paging", read)
        return PagingStrategy(read.__name__, what, order, read, inspect.getdoc(read) or "")

    return decorate


async def page_of(strategy: PagingStrategy, tx: Session, of: int, cursor: Any, size: int) -> Page:
    """Read a page, and check that the strategy has returned one.

    Raises:
        DatabaseError: the database refused.
        StrategyError: the strategy is broken.
    """
    try:
        page = await strategy(tx, of, cursor, size)
    except (Exception, *SILENT_ENDS) as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        if isinstance(error, DatabaseError | StrategyError) and not isinstance(error, WrongStatementError):
            raise
        raise broken(strategy.name, strategy.read, error) from error
    if not isinstance(page, Page):
        raise StrategyError(f"strategy {strategy.name!r} returned {page!r}, which is no Page")
    if len(page.rows) > size:
        raise StrategyError(f"strategy {strategy.name!r} returned {len(page.rows)} entries in a page of {size}")
    return page
