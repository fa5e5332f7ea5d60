"""Paging: how a client reads its list of threads, and a thread's history, without missing, repeating or waiting.

Strategies differ only in how they describe a position in the list. A strategy gets a session in autocommit, and reads
one page and one more entry, to see whether there is a next page. Its docstring says what it bets on. `source_cte` and
`keyset` are the source's; nodes use `three_ranges` and `keyset`.
"""

from __future__ import annotations

from collections.abc import Iterable

from chatsim.chat.paging import history, threads
from chatsim.chat.paging.strategy import WHATS, PagingStrategy
from chatsim.chat.strategies import UnknownStrategyError, from_file, no_strategy

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
"""The strategies of this package: by the list that they page, then by name."""

DEFAULTS: dict[str, PagingStrategy] = {"threads": threads.three_ranges, "history": history.keyset}
"""The strategies that nodes use."""


def named(what: str, strategies: str | PagingStrategy | Iterable[str | PagingStrategy]) -> list[PagingStrategy]:
    """The strategies with these names that page the list ``what``; ``"all"`` means all of this package.

    ``"FILE.py:NAME"`` is a strategy of a Python file.

    Raises:
        UnknownStrategyError: there is no such list, no strategy of that name, or it pages something else.
    """
    if what not in WHATS:
        raise UnknownStrategyError(f"unknown list {what!r}; there are: {', '.join(WHATS)}")
    known = STRATEGIES[what]
    if isinstance(strategies, str):
        strategies = known.values() if strategies == "all" else strategies.split(",")
    elif not isinstance(strategies, Iterable):
        strategies = [strategies]
    found = []
    for each in strategies:
        if not isinstance(each, str | PagingStrategy):
            raise no_strategy(each, f'paging_strategy("{what}")', known)
        strategy = each if isinstance(each, PagingStrategy) else known.get(each.strip())
        if strategy is None and ":" in str(each):
            strategy = from_file(str(each), PagingStrategy, f'paging_strategy("{what}")')
        if strategy is None:
            raise UnknownStrategyError(f"unknown paging strategy {each!r} of {what}; there are: {', '.join(known)}")
        if strategy.what != what:
            raise UnknownStrategyError(f"strategy {strategy.name!r} pages {strategy.what}, not {what}")
        found.append(strategy)
    return found
