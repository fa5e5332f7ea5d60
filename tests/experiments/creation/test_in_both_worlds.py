"""The race on MySQL and in the model: the same code, and the same verdict on every strategy."""

import pytest

from chatsim.chat.creation import STRATEGIES, creation_strategy
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.workload import PATTERNS
from chatsim.experiments.runner import run, run_here
from chatsim.worlds.model.settings import Model

QUICK = {"layer": "stack", "nodes": 2, "clients": 8, "rounds": 5, "pattern": PATTERNS}


@creation_strategy(isolation="READ COMMITTED")
async def count_then_insert(tx, low, high):
    """Bets that nobody comes between a count and an insert into two tables; takes a shared lock on a user's row."""
    await tx.begin()
    await tx.execute("SELECT uid FROM user WHERE uid IN (?, ?) FOR SHARE", (low, high))
    there = await tx.execute("SELECT MIN(thread_id) FROM private_chat WHERE user1_id = ? AND user2_id = ?", (low, high))
    thread = there.scalar()
    if thread is None:
        thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await tx.execute(
            "REPLACE INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)", (thread, low, high)
        )
    await tx.commit()
    return thread


@creation_strategy()
async def lock_table_of_users(tx, low, high):
    """Bets on the first user's row as a lock for everybody: one creation after the other."""
    await tx.begin()
    await tx.execute("SELECT uid FROM user ORDER BY uid LIMIT 1 FOR UPDATE")
    found = await tx.execute(
        "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ? FOR SHARE", (low, high)
    )
    thread = found.scalar()
    if thread is None:
        thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)", (thread, low, high)
        )
    await tx.commit()
    return thread


def words(result):
    return {(each["strategy"], each["pattern"]): each.verdict.word.value for each in result.variants}


async def on_mysql(race):
    return await run(race, progress=False)


def in_the_model(race):
    result = race.result("model")
    run_here(race, Model(), result, progress=False)
    return result


@pytest.mark.parametrize(
    ("ids", "existing"),
    [
        ("random", 0),
        pytest.param("rising", 2_000, marks=pytest.mark.slow),
        pytest.param("one_popular", 500, marks=pytest.mark.slow),
    ],
)
async def test_every_strategy_has_the_same_verdict_whatever_the_pattern_the_ids_and_the_table(
    mysql_url, redis_url, ids, existing
):
    race = Race(strategies="all", ids=ids, existing=existing, **QUICK)
    modelled = words(in_the_model(race))
    right = dict.fromkeys(((strategy, pattern) for strategy in STRATEGIES for pattern in PATTERNS), "safe")
    right |= {("unordered", "same_pair"): "unsafe", ("unordered", "hot_pairs"): "unsafe"}
    assert modelled == right | dict.fromkeys(((strategy, "strangers") for strategy in STRATEGIES), "not tested")
    assert modelled == words(await on_mysql(race))


async def test_so_have_strategies_that_no_document_names(mysql_url):
    race = Race(strategies=[count_then_insert, lock_table_of_users], **QUICK)
    modelled = words(in_the_model(race))
    assert modelled == words(await on_mysql(race))
    assert modelled["count_then_insert", "same_pair"] == "unsafe"
    assert modelled["lock_table_of_users", "same_pair"] == "safe"


def test_strangers_deadlock_in_the_model_as_well():
    (variant,) = in_the_model(Race(strategies="for_update", **QUICK | {"pattern": "strangers"})).variants
    assert variant["deadlocks_per_op"] > 0
    deadlock = variant.deadlock
    for one in deadlock.participants:
        assert one.waits.place == "private_chat.uniq_private_thread"
        assert [lock.kind for lock in one.holds] == ["gap"] or [lock.record for lock in one.holds] == ["supremum"]


def test_a_race_in_the_model_repeats_itself_to_the_byte():
    race = Race(strategies="for_update,upsert", **QUICK)
    first, second = in_the_model(race), in_the_model(race)
    assert [each.operations for each in first.variants] == [each.operations for each in second.variants]
    assert first.rows() == second.rows()
