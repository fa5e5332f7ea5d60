"""The cost of writing a message so that lists can be read by activity: two more rows for each member."""

from __future__ import annotations

import asyncio
from statistics import median

from chatsim.chat.server.store.threads import written
from chatsim.db.session import Session
from chatsim.experiments.paging.lists import SCHEMA
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

__all__ = ["price"]

_MEMBERS = (2, 500)
_TIMES = 20

_WRITE = """
    BEGIN; SELECT last_seq FROM chat_thread WHERE id = ? FOR UPDATE;
    INSERT INTO chat_message (thread_id, seq, sender_id, content) VALUES (?, ?, ?, 'hello');
    UPDATE chat_thread SET last_seq = ?, last_message_id = LAST_INSERT_ID() WHERE id = ?"""


async def price(world: World) -> str:
    """A line for each number of members: written rows and time, without and with the rows that `by_activity` reads.

    It creates the tables. A message is one transaction, in one round trip, straight on the database.
    """
    lines = [f"A message, one round trip, the median of {_TIMES}:"]
    await world.install(SCHEMA)
    await add_users(world.admin, range(1, max(_MEMBERS) + 1))
    async with world.database(1) as database, database.session() as tx:
        for thread, members in enumerate(_MEMBERS, start=1):
            await insert(world.admin, "chat_thread (id, type)", [(thread, "group")])
            alone = await _write(tx, thread, 0, [])
            shared = await _write(tx, thread, _TIMES + 1, [*range(1, members + 1)])
            lines.append(
                f"{members:,} members: {alone[0]:,.0f} rows written and {alone[1] * 1e3:,.2f} ms for itself,"
                f" {shared[0]:,.0f} and {shared[1] * 1e3:,.2f} ms with each member's rows"
            )
    return "\n".join(lines)


async def _write(tx: Session, thread: int, begin: int, members: list[int]) -> tuple[float, float]:
    """The number of rows that a message changes, and the seconds that it takes. The first message is not counted."""
    clock = asyncio.get_running_loop().time
    found = []
    for seq in range(begin + 1, begin + _TIMES + 2):
        sql, args = written(thread, members, 1, 1) if members else ("DO 0", [])
        begun = clock()
        done = await tx.script(f"{_WRITE}; {sql}; COMMIT", (thread, thread, seq, 1, seq, thread, *args))
        took = clock() - begun
        message, kept, *noted, _ = (rows.affected for rows in done[2:])
        found.append((message + kept + sum(noted) / 2, took))  # a row that is updated instead counts twice
    rows, seconds = zip(*found[1:], strict=True)
    return median(rows), median(seconds)
