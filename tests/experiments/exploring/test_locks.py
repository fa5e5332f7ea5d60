"""A strategy with locks outside of the database, explored: its callers take turns, whatever happens to one of them."""

import pytest

import chatsim
from chatsim.chat.creation import creation_strategy

FIND = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"


@creation_strategy(locks=True)
async def locks_after_it_has_looked(tx, low, high, locks):
    """Bets that nobody creates the pair between its read and its lock."""
    await tx.begin()
    thread = (await tx.execute(FIND, (low, high))).scalar()
    if thread is None:
        async with locks.hold("all"):
            thread = (await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")).last_id
            new = "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())"
            await tx.execute(new, (thread, low, high))
            await tx.commit()
    else:
        await tx.commit()
    return thread


@pytest.mark.parametrize("switches", [{}, {"deaths": 1}, {"losses": 1}, {"timeouts": 1}])
def test_redis_lock_is_proved(switches):
    found = chatsim.explore("redis_lock", **switches)
    assert found.proved, found.rows()


def test_a_caller_with_the_lock_keeps_the_others_out():
    one_by_one = chatsim.explore("redis_lock").found
    assert one_by_one.retries == 0
    without = chatsim.explore(locks_after_it_has_looked).found
    assert without.retries == 1  # both have looked before one of them has the lock; the second meets a duplicate key


def test_a_wait_for_a_lock_that_takes_too_long_is_a_refusal():
    found = chatsim.explore("redis_lock", timeouts=1, retries=0)
    assert found.found.outcomes["ok, refused: lock wait timeout"] == 1
    assert not found.proved
