"""How much each resource of the model has worked: each has its share, and what is full is named."""

import asyncio

import pytest

import chatsim
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import Busy, Costs

CONSTANT = {
    "network": {"link": {"latency": {"kind": "constant", "seconds": 0.001}}},
    "database": {"cores": 2, "statement": 0.25, "record": 0.0, "flush": 0.5, "commit": 0.0},
}


def busy_after(body, costs=CONSTANT):
    async def main():
        world = ModelWorld(ModelCosts.read(costs), seed=1)
        await world.install("source")
        before, begun = await world.costs(), asyncio.get_running_loop().time()
        await body(world)
        spent, took = await world.costs() - before, asyncio.get_running_loop().time() - begun
        return spent, took

    return run(main())


async def _ask(world, *statements, host="node1"):
    async with world.database(2, host) as database, database.session() as tx:
        for each in statements:
            await tx.execute(each)
        return (await world.costs()).busy


def test_the_cores_of_the_database_work_for_each_statement():
    spent, took = busy_after(lambda world: _ask(world, "SELECT 1", "SELECT 2"))
    assert spent.busy["CPU of database"] == Busy(0.5, 2)
    assert spent.utilisation(took)["CPU of database"] == pytest.approx(0.25 / took)


def test_the_log_works_for_each_group_of_commits():
    spent, _ = busy_after(lambda world: _ask(world, "INSERT INTO user_id VALUES (1)", "INSERT INTO user_id VALUES (2)"))
    assert spent.busy["log of database"] == Busy(1.0, 1)


def test_a_pool_is_busy_while_its_connections_are_leased():
    async def body(world):
        async with world.database(4, "node1") as database:
            async with database.session() as tx:
                await tx.execute("SELECT 1")
            busy = (await world.costs()).busy
            assert busy["pool of node"].units == 4
            assert busy["pool of node"].seconds == pytest.approx(0.25 + 0.002)  # the work, there and back

    busy_after(body)


def test_row_locks_count_the_connections_that_wait():
    async def body(world):
        await world.admin.execute("INSERT INTO user_id VALUES (1)")
        async with world.database(2, "client") as database:

            async def update(pause):
                async with database.session() as tx:
                    await tx.begin()
                    await tx.execute("SELECT * FROM user_id WHERE id = 1 FOR UPDATE")
                    await asyncio.sleep(pause)
                    await tx.rollback()

            await asyncio.gather(update(10.0), update(0.0))
            waits = (await world.costs()).busy["row locks"]
            assert waits.units == 2
            assert waits.seconds == pytest.approx(10.0, rel=0.1)

    busy_after(body)


def test_machines_of_one_kind_are_one_resource():
    async def body(world):
        async with world.database(1, "node1"), world.database(1, "node2"), world.database(3, "node10"):
            assert (await world.costs()).busy["pool of node"].units == 5

    busy_after(body)


def test_costs_of_a_window_are_those_of_its_end_without_those_of_its_beginning():
    after = Costs(3, 3, 3, 3, busy={"CPU": Busy(5.0, 2), "log": Busy(1.0, 1)})
    spent = after - Costs(1, 1, 1, 1, busy={"CPU": Busy(2.0, 2)})
    assert spent.busy == {"CPU": Busy(3.0, 2), "log": Busy(1.0, 1)}
    assert spent.utilisation(3.0) == {"CPU": 0.5, "log": pytest.approx(1 / 3)}
    assert spent.utilisation(0.0) == {}


@pytest.mark.parametrize(
    ("costs", "bottleneck"),
    [
        ({"database": {"cores": 1, "statement": 0.001, "flush": 0.0}}, "CPU of database"),
        ({"database": {"statement": 0.0, "flush": 0.1}}, "log of database"),
    ],
)
def test_a_race_names_its_bottleneck(costs, bottleneck):
    result = chatsim.run(
        chatsim.race(
            world=chatsim.Model(costs=costs),
            strategies="one_round_trip",
            pattern="strangers",
            clients=32,
            rounds=20,
            progress=False,
        )
    )
    (variant,) = result.variants
    assert variant["bottleneck"] == bottleneck
    assert 0.9 < variant["bottleneck_utilisation"] <= 1.0


def test_through_the_stack_the_machines_and_pools_of_nodes_are_there():
    result = chatsim.run(
        chatsim.race(
            world=chatsim.Model(costs={"node": {"service": {"CreatePrivateChatRequest": 0.05}}}),
            strategies="one_round_trip",
            pattern="strangers",
            clients=16,
            rounds=5,
            layer="stack",
            nodes=2,
            progress=False,
        )
    )
    (variant,) = result.variants
    assert variant["bottleneck"] == "CPU of node"
    assert {"CPU of node", "pool of node", "link from client to node"} <= {*variant["utilisation"]}


def test_rows_that_a_server_shares_say_none():
    from chatsim.chat.server.stats import Stats
    from chatsim.experiments.measures import measures

    found = measures([], 1.0, Stats(), Costs(0, 0, None, None))
    assert (found["bottleneck"], found["utilisation"]) == (None, None)
