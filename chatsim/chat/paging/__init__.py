"""Paging: how a client walks its list of threads, and a thread's history, without missing, repeating or crawling.

Strategies differ in nothing but what a place in the list is. Each is given a session in autocommit and reads one page,
and one entry more, to see whether there are any. Its docstring is its statement: what it bets on. The source's own
are `source_cte` and `keyset`; nodes use `three_ranges` and `keyset`.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatsim.chat.creation import UnknownStrategyError
from chatsim.chat.paging import history, threads
from chatsim.chat.paging.strategy import WHATS, PagingStrategy

__all__ = ["DEFAULTS", "STRATEGIES", "named"]

STRATEGIES: dict[str, dict[str, PagingStrategy]] = {
    what: {strategy.name: strategy for strategy in strategies}
    for what, strategies in (
        (
            "threads",
            (threads.source_cte, threads.offset, threads.union_limited, threads.three_ranges, threads.by_activity),
        ),
        (
            "history",
            (history.offset, history.keyset, history.keyset_newest_first, history.by_time, history.by_time_and_id),
        ),
    )
}
"""Those that are shipped, by what they page, by name."""

DEFAULTS: dict[str, PagingStrategy] = {"threads": threads.three_ranges, "history": history.keyset}
"""Those that nodes use."""


def named(what: str, strategies: str | PagingStrategy | Iterable[str | PagingStrategy]) -> list[PagingStrategy]:
    """Strategies that page ``what``, by name, one or many; ``"all"`` means every one shipped.

    Raises:
        UnknownStrategyError: there is no such list, no strategy of that name, or it pages something else.
    """
    if what not in WHATS:
        raise UnknownStrategyError(f"unknown list {what!r}; there are: {', '.join(WHATS)}")
    known = STRATEGIES[what]
    if isinstance(strategies, str):
        strategies = known.values() if strategies == "all" else strategies.split(",")
    elif isinstance(strategies, PagingStrategy):
        strategies = [strategies]
    found = []
    for each in strategies:
        if not isinstance(each, str | PagingStrategy):
            raise UnknownStrategyError(f"{each!r} is no strategy; put @chatsim.paging_strategy() above its function")
        strategy = each if isinstance(each, PagingStrategy) else known.get(each.strip())
        if strategy is None:
            raise UnknownStrategyError(f"unknown paging strategy {each!r} of {what}; there are: {', '.join(known)}")
        if strategy.what != what:
            raise UnknownStrategyError(f"strategy {strategy.name!r} pages {strategy.what}, not {what}")
        found.append(strategy)
    return found
