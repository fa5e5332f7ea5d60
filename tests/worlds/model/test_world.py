"""The world `model`: what an experiment finds in it, and that a run of it repeats itself."""

import asyncio
import itertools
from datetime import UTC

import pytest

from chatsim.chat.creation import creation_strategy
from chatsim.db.errors import DatabaseError, DeadlockError
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.runner import run_here
from chatsim.simulation.determinism import DivergenceError
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.settings import Model
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import Costs, WorldError

TABLES = {"user", "chat_thread", "private_chat"}
QUICK = {"clients": 8, "rounds": 10, "retry": "retry"}


def there(body, *, seed=1):
    """Run a test in a world, in virtual time; gives what the test gives."""

    async def main():
        return await body(ModelWorld(ModelCosts.read(), seed=seed))

    return run(main())


def raced(model=None, **parameters):
    """The result of a race in the model."""
    race = Race(**QUICK | parameters)
    result = race.result("model")
    run_here(race, model or Model(), result, progress=False)
    return result


def words(result):
    return {each["strategy"]: each.verdict.word.value for each in result.variants}


def told(result):
    """All that a result says of what happened."""
    return [(each.window_s, each.measures, each.deadlock, list(each.operations)) for each in result.variants]


async def crossed(world, first=1, second=2):
    """Two sessions that update two rows in opposite orders; gives how many died."""
    await world.admin.execute("UPDATE t SET v = 0")
    async with world.database(2) as database:

        async def cross(one, other):
            async with database.session() as session:
                await session.begin()
                await session.execute("UPDATE t SET v = v + 1 WHERE id = ?", (one,))
                await asyncio.sleep(1)
                try:
                    await session.execute("UPDATE t SET v = v + 1 WHERE id = ?", (other,))
                    await session.commit()
                except DeadlockError:
                    return 1
            return 0

        return sum(await asyncio.gather(cross(first, second), cross(second, first)))


async def with_table(world):
    await world.admin.script("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 0), (2, 0)")


# --- tables


def test_install_makes_the_tables_anew_and_empty_however_often():
    async def body(world):
        for _ in range(2):
            await world.install("source")
            assert world.server.engine.tables.keys() >= TABLES
            assert (await world.admin.execute("SELECT COUNT(*) FROM chat_thread")).scalar() == 0
            number = (await world.admin.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
            assert number == 1
        assert await world.costs() == Costs(0, 0, 0, 0, 0)

    there(body)


def test_install_takes_away_tables_that_are_not_the_schemas():
    async def body(world):
        await with_table(world)
        await world.install("source")
        assert "t" not in world.server.engine.tables

    there(body)


def test_after_install_statements_are_about_the_new_tables():
    async def body(world):
        async with world.database(1) as database, database.session() as session:
            for _ in range(2):
                await world.install("source")
                await session.execute("INSERT INTO chat_thread (type) VALUES (?)", ("private",))
                assert (await session.execute("SELECT COUNT(*) FROM chat_thread")).scalar() == 1

    there(body)


def test_an_unknown_schema_is_named():
    async def body(world):
        with pytest.raises((FileNotFoundError, KeyError, ValueError, WorldError), match="nope"):
            await world.install("nope")

    there(body)


# --- what it tells


def test_the_environment_says_what_it_models():
    async def body(world):
        assert world.name == "model"
        assert world.environment["engine"] == "model of InnoDB"
        assert world.environment["server_version"].startswith("9.")
        assert world.environment["settings"]["innodb_deadlock_detect"] == 1
        world.reserve(1_000_000)

    there(body)


def test_a_deadlock_is_told_once_and_another_one_again():
    async def body(world):
        await with_table(world)
        assert await world.deadlock() is None
        for _ in range(2):
            assert await crossed(world) == 1
            deadlock = await world.deadlock()
            assert len(deadlock.participants) == 2
            assert {each.waits.record for each in deadlock.participants} == {"(1)", "(2)"}
            assert deadlock.participants[0].statement.startswith("UPDATE t SET v = v + 1")
            assert "died (1213)" in deadlock.explain()
            assert await world.deadlock() is None

    there(body)


def test_a_deadlocks_sentences_name_each_lock_that_is_held_and_waited_for():
    async def body(world):
        await with_table(world)
        await crossed(world)
        first, second, victim = (await world.deadlock()).explain().splitlines()
        assert first.endswith(
            "holds record (1) of t.PRIMARY (X) and waits for record (2) of t.PRIMARY (X), behind transaction 2."
        )
        assert second.endswith(
            "holds record (2) of t.PRIMARY (X) and waits for record (1) of t.PRIMARY (X), behind transaction 1."
        )
        assert victim.endswith(
            "the weights (locks plus undo records) were 4, 4. Of two equal ones, the last to wait dies."
        )

    there(body)


def test_costs_are_those_of_all_pools_together():
    async def body(world):
        await with_table(world)
        async with world.database(1, "node1") as one, world.database(1, "node2") as other:
            for database in (one, other):
                async with database.session() as session:
                    await session.execute("SELECT * FROM t")
        assert await world.costs() == Costs(round_trips=2, statements=2, rows_examined=4, lock_waits=0, lock_requests=0)

    there(body)


def test_the_clock_of_the_database_is_the_worlds():
    async def body(world):
        await world.admin.execute("CREATE TABLE t (id INT PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP)")
        for number in (1, 2):
            await world.admin.execute("INSERT INTO t (id) VALUES (?)", (number,))
            await asyncio.sleep(3600)
        (first,), (second,) = (await world.admin.execute("SELECT at FROM t ORDER BY id")).rows
        assert (second - first).total_seconds() == 3600
        assert first.replace(tzinfo=UTC).timestamp() == world.wall_time() - 2 * 3600

    there(body)


# --- runs


def test_a_run_returns_what_its_body_returns_and_raises_what_it_raises():
    async def answer(world):
        await asyncio.sleep(1_000_000)
        return world.name

    async def fail(world):
        await world.admin.execute("SELECT * FROM nope")

    assert Model().run(answer, seed=1) == "model"
    for model in (Model(), Model(check_determinism=True)):
        with pytest.raises(DatabaseError, match="nope"):
            model.run(fail, seed=1)


def test_costs_that_can_not_be_read_are_named(tmp_path):
    path = tmp_path / "costs.toml"
    with pytest.raises(WorldError, match=r"costs\.toml"):
        Model(costs=path).run(with_table, seed=1)
    path.write_text("[database]\ncores = 0\n", encoding="utf-8")
    with pytest.raises(WorldError, match="cores is 0; it must be at least 1"):
        Model(costs=path).run(with_table, seed=1)


def test_what_things_cost_can_be_said_in_a_file(tmp_path):
    path = tmp_path / "costs.toml"
    link = 'latency = { kind = "constant", seconds = 250e-6 }'
    path.write_text(f"[database]\nstatement = 3.0\n[network.link]\n{link}\n", encoding="utf-8")

    async def main(world):
        async with world.database(1) as database, database.session() as session:
            await session.execute("SELECT 1")
        return asyncio.get_running_loop().time()

    assert Model(costs=path).run(main, seed=1) == pytest.approx(3.0005)


def test_a_race_with_deadlocks_repeats_itself():
    result = raced(Model(check_determinism=True), strategies="for_update")
    (variant,) = result.variants
    assert variant.deadlock is not None
    assert variant["deadlocks_per_op"] > 0
    assert told(raced(strategies="for_update")) == told(result)


def test_another_seed_is_another_race():
    assert told(raced(strategies="for_update", seed=2)) != told(raced(strategies="for_update"))


def test_what_does_not_repeat_itself_is_found_and_named():
    runs = itertools.count()

    async def main(world):
        await with_table(world)
        pause = 0.5 * next(runs)
        async with world.database(1) as database, database.session() as session:
            await session.execute("SELECT * FROM t")
            await asyncio.create_task(asyncio.sleep(pause), name="the planted one")
            await session.execute("SELECT * FROM t")

    with pytest.raises(DivergenceError, match=r"event .* was .* in the first run, and .* in the second"):
        Model(check_determinism=True).run(main, seed=1)


# --- races


def test_a_race_gives_the_verdicts_that_the_strategies_deserve():
    result = raced(strategies="all", rounds=5)
    assert {name for name, word in words(result).items() if word != "safe"} == {"unordered"}


def test_without_retry_a_strategy_that_deadlocks_has_errors():
    (variant,) = raced(strategies="for_update", retry="none").variants
    assert variant.verdict.word is Word.ERRORS
    assert set(variant["refusals"]) == {"deadlock"}
    assert variant.deadlock is not None


@pytest.mark.parametrize("nodes", [1, 2])
def test_through_clients_wire_and_nodes_the_verdicts_are_the_same(nodes):
    names = "one_round_trip,for_update"
    result = raced(strategies=names, layer="stack", nodes=nodes)
    assert words(result) == words(raced(strategies=names)) == dict.fromkeys(names.split(","), "safe")
    first, second = result.rows()
    assert (first["deadlocks_per_op"], first["retries_per_op"]) == (0, 0)
    assert second["deadlocks_per_op"] > 0.1
    assert second["retries_per_op"] >= second["deadlocks_per_op"]


def test_a_race_through_the_stack_repeats_itself():
    race = {"strategies": "one_round_trip,for_update", "layer": "stack", "nodes": 2, "rounds": 5}
    result = raced(Model(check_determinism=True), **race)
    assert words(result) == {"one_round_trip": "safe", "for_update": "safe"}
    assert told(raced(**race)) == told(result)


def test_a_strategy_that_does_nothing_is_caught_through_the_stack():
    (variant,) = raced(strategies="noop", layer="stack", nodes=2).variants
    assert variant.verdict.word is Word.UNSAFE
    assert variant["round_trips_per_op"] == 0


def test_a_result_says_that_it_is_the_models():
    result = raced(strategies="one_round_trip", rounds=2)
    assert result.environment["engine"] == "model of InnoDB"
    assert result.config["world"] == "model"


def test_what_the_model_does_not_understand_is_named_though_a_strategy_says_it():
    @creation_strategy()
    async def windows(tx, low, high):
        await tx.execute("SELECT STD(id) OVER (ORDER BY id) FROM chat_thread")
        return 1

    with pytest.raises(Exception, match=r"(?i)over|window|row_?number"):
        raced(strategies=windows)


def test_when_a_race_has_ended_no_connection_lock_or_transaction_is_left():
    worlds = []

    async def main(world):
        race = Race(strategies="for_update,get_lock", **QUICK)
        await race.run(world, race.result(world.name))
        await asyncio.sleep(1)
        worlds.append(world)

    Model().run(main, seed=1)
    ((server, admin),) = [(world.server, world.admin) for world in worlds]
    engine = server.engine
    assert server.connections == 0
    assert list(engine.sessions) == [admin._session.connection_id]
    assert (engine.data_locks(), engine.data_lock_waits(), engine.history.views) == ([], [], {})
    assert (engine.locks.waits.waiting, engine.user_locks._locks._locks, engine.metadata_locks._locks) == ({}, {}, {})
    assert not engine.purge()
