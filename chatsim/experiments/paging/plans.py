"""The indexes that MySQL reads for the strategies of chatsim, so that the model can say where it reads others.

The model has its own rule to choose an index (``docs/fidelity.md``). The plans here are MySQL 9.7's on lists of 10 to
10,000 entries, at every depth; a test checks them.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["PLANS", "compared"]

_MEMBER = "group_chat_member.idx_user_threads"
_PAIRS = {"private_chat.idx_private_user1_thread", "private_chat.idx_private_user2_thread"}
_BY_ID, _BY_TIME = {"chat_message.idx_thread_message"}, {"chat_message.idx_thread_created"}

PLANS: dict[str, dict[str, tuple[set[str], ...]]] = {
    "threads": {
        # all rows behind the cursor; or both indexes for their row ids, merged, and then the rows
        "source_cte": ({_MEMBER, "private_chat.PRIMARY"}, {_MEMBER, "private_chat by position", *_PAIRS}),
        "offset": ({_MEMBER, *_PAIRS},),
        "union_limited": ({_MEMBER, *_PAIRS},),
        "three_ranges": ({_MEMBER, *_PAIRS},),
        "by_activity": ({"user_thread.idx_user_activity", "chat_thread.PRIMARY", "chat_message.PRIMARY"},),
    },
    "history": {
        "offset": (_BY_ID,),
        "keyset": (_BY_ID,),
        "keyset_newest_first": (_BY_ID,),
        "by_time": (_BY_TIME,),
        "by_time_and_id": (_BY_TIME,),
    },
}
"""From a list to its strategies, and to the indexes that each may read."""


def compared(what: str, strategy: str, indexes: Iterable[str]) -> str:
    """A note about a page for which the model has read ``indexes``."""
    plans = PLANS[what].get(strategy)
    if plans is None:
        return "not known on MySQL"
    others = [plan for plan in plans if not plan.issuperset(indexes)]
    if not others:
        return "as on MySQL"
    word = "reads" if len(others) == len(plans) else "may read"
    return f"MySQL {word} {' or '.join(', '.join(sorted(plan)) for plan in others)}"
