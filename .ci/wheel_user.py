"""A script of a user who has installed chatsim: it must run, and pass mypy --strict."""

from __future__ import annotations

import chatsim


@chatsim.creation_strategy(isolation="READ COMMITTED")
async def mine(tx: chatsim.Session, low: int, high: int) -> int:
    """Bets on the unique key of the pair."""
    await tx.begin()
    try:
        made = await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())",
            (made.last_id, low, high),
        )
    except chatsim.DuplicateKeyError:
        await tx.rollback()
        found = await tx.execute("SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?", (low, high))
        return int(str(found.rows[0][0]))
    await tx.commit()
    return made.last_id


@chatsim.paging_strategy("history", order="newest")
async def backwards(tx: chatsim.Session, thread: int, cursor: object, size: int) -> chatsim.Page:
    """Bets on nothing new."""
    found = await tx.execute(
        "SELECT message_id FROM chat_message WHERE thread_id = ? AND message_id < ? ORDER BY message_id DESC LIMIT ?",
        (thread, cursor or 2**63, size + 1),
    )
    page = found.rows[:size]
    return chatsim.Page(page, page[-1][0] if page else cursor, more=len(found.rows) > size)


SCRIPT = chatsim.Schedule.of(
    """
    a: BEGIN
    a: SELECT * FROM t WHERE id = 2 FOR UPDATE
    b: INSERT INTO t VALUES (2)
    """,
    setup=["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (3)"],
)


async def main() -> None:
    """Use each kind of public name once."""
    world = chatsim.Model(check_determinism=True)
    raced = await chatsim.race(world=world, strategies=[mine, "upsert"], clients=4, rounds=5, progress=False)
    print(raced)
    paged = await chatsim.pages(
        world=world, what="history", strategies=backwards, existing=30, rounds=1, progress=False
    )
    print(paged.conditions())
    played = await chatsim.play(SCRIPT, world="model")
    print(played.steps[-1].blocked["b"].by)
    try:
        await chatsim.race(strategies="none of these")
    except chatsim.UnknownStrategyError as error:
        print(error)
    try:
        chatsim.rase  # type: ignore[attr-defined]  # noqa: B018 - mypy must notice a name that does not exist
    except AttributeError as error:
        print(error)


if __name__ == "__main__":
    chatsim.run(main())
