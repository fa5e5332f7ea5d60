"""The race on a real MySQL: every verdict is right, and whatever goes wrong leaves nothing behind."""

import asyncio
import dataclasses

import pytest

import chatsim
from chatsim.chat.creation import STRATEGIES, creation_strategy
from chatsim.chat.strategies import StrategyError, UnknownStrategyError
from chatsim.db.errors import Kind
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.checks import TWO_THREADS, pair_of
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.workload import PATTERNS
from chatsim.experiments.history import Outcome
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import BadParameterError, WorldError

QUICK = {"clients": 8, "rounds": 20}
SMALL = {"clients": 4, "rounds": 3}


@pytest.fixture(autouse=True)
def leaves_no_schema(schemas):
    before = schemas()
    yield
    assert schemas() <= before


@pytest.fixture
def raced(mysql_url):
    """A function that runs a race in a world of its own."""

    async def run(*, result=None, **parameters):
        race = Race(**parameters)
        result = race.result("mysql") if result is None else result
        async with MySQLWorld() as world:
            await race.run(world, result)
        return result

    return run


def words(result):
    return {(each["strategy"], each["pattern"]): each.verdict.word.value for each in result.variants}


def calls(variant):
    return sorted((each.client, each.round, *each.asked.values()) for each in variant.operations)


async def no_transaction_is_open(world):
    """Wait until the server has rolled back what was under way on connections that were closed."""
    async with asyncio.timeout(30):
        while (
            await world.admin.execute(
                "SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
                " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() LIMIT 1"
            )
        ).rows:
            pass


# --- verdicts


@pytest.mark.slow  # in the first tier, `test_in_both_worlds` asks for the verdict of each
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_verdict_is_right(seed, raced, redis_url):
    result = await raced(strategies="all", pattern=PATTERNS, seed=seed, **QUICK)
    expected = dict.fromkeys(((name, pattern) for pattern in PATTERNS for name in STRATEGIES), "safe")
    # whatever the timing: it is enough that a pair is asked for from both sides, one after the other
    expected |= {("unordered", "same_pair"): "unsafe", ("unordered", "hot_pairs"): "unsafe"}
    expected |= dict.fromkeys(((name, "strangers") for name in STRATEGIES), "not tested")
    assert words(result) == expected
    for each in result.variants:
        assert len(each.operations) == 160
        assert each["orphan_threads"] == 0 or each["strategy"] == "upsert"
        if each.verdict.word is Word.SAFE:
            assert all(step.outcome is Outcome.OK for step in each.operations)


async def test_unordered_is_caught_with_two_threads_for_one_pair(raced):
    (variant,) = (await raced(strategies="unordered", **QUICK)).variants
    assert variant.verdict.word is Word.UNSAFE
    assert variant["duplicate_pairs"] == variant.verdict.count(TWO_THREADS) == 20
    anomaly = variant.verdict.anomalies[0]
    assert anomaly.kind == "two threads"
    assert {pair_of(step) for step in anomaly.steps} == {anomaly.subject}
    assert len({step.value["thread"] for step in anomaly.steps}) == 2


async def test_for_update_deadlocks_when_all_want_the_same_new_pair(raced):
    result = await raced(strategies="for_update,one_round_trip", **QUICK)
    first, second = result.rows()
    assert first["deadlocks_per_op"] > 0.1
    assert first["retries_per_op"] >= first["deadlocks_per_op"]
    assert first["verdict"] == "safe"
    assert second["deadlocks_per_op"] == 0
    assert second["retries_per_op"] == 0


async def test_without_retry_for_update_has_errors_and_says_by_what(raced):
    (variant,) = (await raced(strategies="for_update", retry="none", **QUICK)).variants
    assert variant.verdict.word is Word.ERRORS
    assert "of 160 callers got no thread" in variant.verdict.why
    assert "by 1213" in variant.verdict.why
    refused = [each for each in variant.operations if each.outcome is Outcome.FAIL]
    assert {each.refusals for each in refused} == {(Kind.DEADLOCK,)}
    assert {each.attempts for each in variant.operations} == {1}


async def test_a_deadlock_is_reported_parsed_with_the_gap_and_the_victim(raced):
    result = await raced(strategies="one_round_trip,for_update", **QUICK)
    deadlock = result.deadlock("for_update")
    assert result.deadlock("one_round_trip") is None
    assert {lock.place for _, _, lock in deadlock.waits_for()} == {"private_chat.uniq_private_thread"}
    assert deadlock.victim in {one.number for one in deadlock.participants}
    assert all("INSERT INTO private_chat" in one.statement for one in deadlock.participants)
    assert "WE ROLL BACK TRANSACTION" in deadlock.raw


async def test_upsert_leaves_an_orphan_for_every_caller_that_lost(raced):
    result = await raced(strategies="upsert", **QUICK)
    (row,) = result.rows()
    assert row["orphan_threads"] == 160 - 20, "a thread a call, a chat a round"


async def test_existing_rows_are_there_before_and_are_not_what_is_measured(raced):
    looked = []

    @creation_strategy()
    async def looks(tx, low, high):
        """Counts what was there before it."""
        counts = await tx.script(
            "SELECT COUNT(*) FROM private_chat; SELECT COUNT(*) FROM chat_thread;"
            " SELECT COUNT(*) FROM user WHERE uid IN (?, ?)",
            (low, high),
        )
        looked.append([rows.scalar() for rows in counts])
        return await STRATEGIES["one_round_trip"](tx, low, high)

    result = await raced(strategies=looks, pattern="strangers", existing=7_000, clients=1, rounds=2)
    assert looked == [[7_000, 7_000, 2], [7_001, 7_001, 2]]
    assert words(result) == {("looks", "strangers"): "not tested"}
    assert result.rows()[0]["existing"] == 7_000
    assert result.variants[0]["orphan_threads"] == 0


# --- the same seed


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_the_same_seed_asks_the_same_of_every_strategy_in_every_run(pattern, raced):
    runs = [await raced(strategies="upsert,insert_ignore", pattern=pattern, seed=seed, **SMALL) for seed in (5, 5, 6)]
    first, again, other = ([calls(variant) for variant in run.variants] for run in runs)
    assert first[0] == first[1] == again[0] == again[1]
    assert other[0] != first[0]


async def test_in_the_same_pair_all_of_a_round_are_due_at_the_same_time(raced):
    (variant,) = (await raced(strategies="upsert", **SMALL)).variants
    for turn in range(3):
        assert len({each.intended for each in variant.operations if each.round == turn}) == 1
    assert all(each.intended <= each.start <= each.end <= variant.window_s for each in variant.operations)


# --- a strategy of one's own


async def test_a_strategy_of_ones_own_needs_the_decorator_and_nothing_else(mysql_url):
    @chatsim.creation_strategy(isolation="READ COMMITTED")
    async def mine(tx, low, high):
        """Bets on REPLACE, which gives everybody a new thread."""
        thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await tx.execute(
            "REPLACE INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)", (thread, low, high)
        )
        return thread

    result = await chatsim.race(strategies=[mine, "insert_ignore"], progress=False, **SMALL)
    assert words(result) == {("mine", "same_pair"): "unsafe", ("insert_ignore", "same_pair"): "safe"}
    assert result.variants[0].verdict.anomalies[0].kind == "wrong thread"


async def test_a_strategy_that_never_commits_what_it_gave_out_loses_the_pair(raced):
    @creation_strategy()
    async def dreams(tx, low, high):
        await tx.begin()
        thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await tx.rollback()
        return thread

    (variant,) = (await raced(strategies=dreams, **SMALL)).variants
    assert variant.verdict.word is Word.UNSAFE
    assert {each.kind for each in variant.verdict.anomalies} == {"lost pair"}


@creation_strategy()
async def raises(tx, low, high):
    await tx.begin()
    await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")
    raise ZeroDivisionError("no thread for nobody")


@creation_strategy()
async def forgets(tx, low, high):
    await tx.begin()
    return (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id


@creation_strategy()
async def nothing(tx, low, high):
    await STRATEGIES["upsert"](tx, low, high)


@creation_strategy()
async def miscounts(tx, low, high):
    return (await tx.execute("SELECT ?, ?", (low,))).scalar()


@creation_strategy()
async def cancels(tx, low, high):
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (
            cancels,
            r"strategy 'cancels' raised CancelledError \(.*_experiment\.py, line \d+: raise asyncio\.CancelledError\)",
        ),
        (
            raises,
            r"strategy 'raises' raised ZeroDivisionError: no thread for nobody \(.*_experiment\.py, line \d+: .*\)",
        ),
        (forgets, r"strategy 'forgets' returned with its transaction open: it forgot to commit or to roll back"),
        (nothing, r"strategy 'nothing' returned None, which is no thread id"),
        (miscounts, r"strategy 'miscounts' raised ValueError: 1 arguments for 2 placeholders in: SELECT .*"),
    ],
)
async def test_a_broken_strategy_is_one_clear_sentence_and_leaves_nothing(strategy, sentence, mysql_url):
    race = Race(strategies=["upsert", strategy], **SMALL)
    result = race.result("mysql")
    async with MySQLWorld() as world:
        with pytest.raises(StrategyError, match=f"^{sentence}$"):
            await race.run(world, result)
        await no_transaction_is_open(world)
    assert words(result) == {("upsert", "same_pair"): "safe"}, "what had finished is kept"


def sends(sql, *args):
    @creation_strategy()
    async def mine(tx, low, high):
        await tx.begin()
        return (await tx.execute(sql, args)).scalar()

    return mine


FIND = "SELECT thread_id FROM private_chat WHERE user1_id"


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (sends("SELEKT thread_id"), r"has a wrong statement, error 1064: You have an error .* in: SELEKT thread_id"),
        (sends(f"{FIND} = %s"), rf"has a wrong statement, error 1064: You have an error .* in: {FIND} = %s"),
        (
            sends("SELECT id\n FROM nope"),
            r"has a wrong statement, error 1146: Table '.*nope' .* in: SELECT id FROM nope",
        ),
        (sends(f"{FIND} = nope"), rf"has a wrong statement, error 1054: Unknown column 'nope' .* in: {FIND} = nope"),
        (
            sends(f"{FIND} = %s", 7),
            rf"raised ValueError: 1 arguments for 0 placeholders \(write \?, not %s\) in: {FIND} = %s",
        ),
        (sends(f"{FIND} = ?"), rf"raised ValueError: 0 arguments for 1 placeholders in: {FIND} = \?"),
        (sends(f"{FIND} = ?", object), r"raised TypeError: no SQL literal for type: <class 'object'>"),
    ],
)
async def test_a_wrong_statement_ends_the_race_in_the_same_words_in_both_worlds(strategy, said, mysql_url):
    place = r" \(.*_experiment\.py, line \d+: return \(await tx\.execute\(sql, args\)\)\.scalar\(\)\)"
    for world in ("mysql", "model"):
        with pytest.raises(StrategyError, match=f"^strategy 'mine' {said}{place}$"):
            await chatsim.race(strategies=strategy, world=world, progress=False, **SMALL)


# --- interrupted


async def test_cancelled_in_the_middle_it_keeps_what_had_finished_and_leaves_no_schema(raced, schemas):
    reached = asyncio.Event()

    @creation_strategy()
    async def waits(tx, low, high):
        await tx.begin()
        await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")
        reached.set()
        await asyncio.Event().wait()

    before = await asyncio.to_thread(schemas)
    parameters = {"strategies": ["upsert", "insert_ignore", waits], **SMALL}
    result = Race(**parameters).result("mysql")
    task = asyncio.ensure_future(raced(result=result, **parameters))
    await reached.wait()
    assert len(await asyncio.to_thread(schemas) - before) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert words(result) == {("upsert", "same_pair"): "safe", ("insert_ignore", "same_pair"): "safe"}
    assert await asyncio.to_thread(schemas) <= before


@pytest.mark.parametrize(
    ("retry", "outcome", "verdict"), [("none", Outcome.UNKNOWN, "errors"), ("immediate", Outcome.OK, "safe")]
)
@pytest.mark.parametrize("when", ["before it commits", "after it has committed"])
async def test_a_connection_that_is_killed_in_the_middle_leaves_the_verdict_standing(
    when, retry, outcome, verdict, mysql_url
):
    victims = []

    @creation_strategy()
    async def killed(tx, low, high):
        """Its third operation is killed, before or after its work is done."""
        victims.append((low, high))
        if len(victims) != 3:
            return await STRATEGIES["insert_ignore"](tx, low, high)
        if when == "after it has committed":
            await STRATEGIES["insert_ignore"](tx, low, high)
        await tx.begin()
        await world.admin.execute(f"KILL {tx.connection_id}")
        return (await tx.execute("SELECT thread_id FROM private_chat")).scalar()

    race = Race(strategies=killed, retry=retry, **SMALL)
    result = race.result("mysql")
    async with MySQLWorld() as world:
        await race.run(world, result)
    (variant,) = result.variants
    (hit,) = [each for each in variant.operations if each.refusals]
    assert hit.outcome is outcome
    assert set(hit.refusals) == {Kind.CONNECTION_LOST}
    assert len(variant.operations) == 12
    assert words(result) == {("killed", "same_pair"): verdict}
    assert variant.verdict.anomalies == ()


async def test_more_clients_than_the_server_lets_in_are_named(mysql_url):
    with pytest.raises(WorldError, match="needs 401 connections at once, and the server allows 151"):
        await chatsim.race(strategies="upsert", clients=400, rounds=1, progress=False)


async def test_no_redis_is_said_by_the_strategy_that_needs_one(mysql_url):
    with pytest.raises(WorldError, match="redis"):
        await chatsim.race(
            world=Servers(mysql_url=mysql_url, redis_url="redis://127.0.0.1:1"),
            strategies="redis_lock",
            progress=False,
            **SMALL,
        )


# --- parameters


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"pattern": "nope"}, "unknown pattern 'nope'; there are: same_pair, hot_pairs, strangers"),
        ({"ids": "nope"}, "unknown ids 'nope'; there are: random, rising, one_popular"),
        ({"retry": "nope"}, "unknown retry 'nope'; there are: none, retry, immediate"),
        ({"clients": 0}, "clients is 0; it must be a whole number of at least 1"),
        ({"rounds": 0}, "rounds is 0; it must be a whole number of at least 1"),
        ({"pairs": 0}, "pairs is 0; it must be a whole number of at least 1"),
        ({"existing": -1}, "existing is -1; it must be a whole number of at least 0"),
        ({"seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ({"strategies": ["upsert", raises, "upsert"]}, "strategies are told apart by name; upsert is there twice"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named_with_what_is_allowed(parameters, sentence):
    with pytest.raises(BadParameterError) as raised:
        Race(**parameters)
    assert str(raised.value) == sentence


def test_an_unknown_strategy_is_named():
    with pytest.raises(UnknownStrategyError, match="unknown creation strategy 'nope'"):
        Race(strategies="upsert,nope")


@pytest.mark.parametrize("strategies", [5, [5], None, len])
def test_what_is_no_strategy_is_said_to_be_none(strategies):
    with pytest.raises(
        UnknownStrategyError, match=r"^(5|None) is no strategy; there are: |^'len' is no strategy yet; put @"
    ):
        Race(strategies=strategies)


def test_the_parameters_as_plain_values():
    race = Race(strategies=[raises, "upsert"], pattern=["strangers", "same_pair", "strangers"])
    assert [each.name for each in race.chosen] == ["raises", "upsert"]
    config = race.result("mysql").config
    assert config["strategies"] == ["raises", "upsert"]
    assert config["pattern"] == ["strangers", "same_pair"]
    assert (config["experiment"], config["world"], config["layer"], config["schema"]) == (
        "race",
        "mysql",
        "store",
        "source",
    )


async def test_a_private_chat_without_its_thread_is_unsafe(raced):
    @creation_strategy()
    async def dangling(tx, low, high):
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (UUID_SHORT(), ?, ?)"
            " ON DUPLICATE KEY UPDATE user1_id = user1_id",
            (low, high),
        )
        found = await tx.execute("SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?", (low, high))
        return found.scalar()

    (variant,) = (await raced(strategies=dangling, **SMALL)).variants
    assert variant.verdict.word is Word.UNSAFE
    assert {anomaly.kind for anomaly in variant.verdict.anomalies} == {"no such thread"}


async def test_the_order_of_the_heats_is_drawn_and_the_order_of_the_rows_is_as_asked(raced):
    names = ["one_round_trip", "insert_first", "upsert", "look_first"]
    ran = []

    def watched(name):
        @creation_strategy(isolation="READ COMMITTED")
        async def strategy(tx, low, high):
            if name not in ran:
                ran.append(name)
            return await STRATEGIES["one_round_trip"](tx, low, high)

        return dataclasses.replace(strategy, name=name)

    result = await raced(strategies=[watched(name) for name in names], seed=3, **SMALL)
    assert [each["strategy"] for each in result.variants] == names
    assert sorted(ran) == sorted(names)
    assert ran != names


async def test_locks_that_can_not_be_had_are_said_before_anything_is_run(mysql_url, monkeypatch):
    monkeypatch.setenv("CHATSIM_REDIS_URL", "redis://127.0.0.1:1")
    race = Race(strategies=["one_round_trip", "redis_lock"], **SMALL)
    result = race.result("mysql")
    async with MySQLWorld() as world:
        with pytest.raises(WorldError, match=r"Redis at redis://127\.0\.0\.1:1 can't be used"):
            await race.run(world, result)
    assert result.variants == []
