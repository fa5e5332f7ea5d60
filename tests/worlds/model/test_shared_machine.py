"""One machine that clients, nodes and the database share, as on a laptop."""

import asyncio

import pytest

import chatsim
from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.commit_log import WAITS
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import WorldError

LINK = {"network": {"link": {"latency": {"kind": "constant", "seconds": 0.0}, "bandwidth": 1e18}}}
DATABASE = {"database": {"statement": 0.25, "record": 0.0, "flush": 0.0, "commit": 0.0}}


def took(body, **costs):
    async def main():
        world = ModelWorld(ModelCosts.read({**LINK, **DATABASE, **costs}), seed=1)
        await body(world)
        return asyncio.get_running_loop().time(), (await world.costs()).busy

    return run(main())


def callers(count, statements="SELECT 1"):
    """So many callers straight on the database, each with one request."""

    async def body(world):
        async with world.database(count) as database:

            async def one():
                async with database.session() as tx:
                    await tx.script(statements)

            await asyncio.gather(*(one() for _ in range(count)))

    return body


def test_a_callers_work_is_half_before_a_request_and_half_behind_and_a_part_for_each_statement():
    seconds, _ = took(callers(1, "SELECT 1"), client={"request": 1.0, "statement": 0.125})
    assert seconds == 0.5 + 0.25 + 0.5 + 0.125


def test_a_caller_takes_an_answer_while_the_server_goes_on_with_the_next_statement():
    seconds, _ = took(callers(1, "SELECT 1; SELECT 2; SELECT 3"), client={"request": 1.0, "statement": 0.125})
    assert seconds == 0.5 + 3 * 0.25 + 0.5 + 0.125


def test_a_caller_that_is_slower_than_the_server_takes_one_answer_after_the_other():
    seconds, _ = took(callers(1, "SELECT 1; SELECT 2; SELECT 3"), client={"request": 1.0, "statement": 2.0})
    assert seconds == 0.5 + 0.25 + 3 * 2.0 + 0.5


def test_a_caller_works_for_each_value_that_it_is_sent():
    costs = {"request": 1.0, "value": 0.0625}
    seconds, _ = took(callers(1, "SELECT 1, 2, 3 UNION ALL SELECT 4, 5, 6"), client=costs)
    assert seconds == 0.5 + 0.25 + 0.5 + 6 * 0.0625


def test_a_caller_takes_the_answers_before_an_error_that_ends_its_request():
    async def body(world):
        async with world.database(1) as database, database.session() as tx:
            with pytest.raises(DatabaseError):
                await tx.script("SELECT 1; SELECT * FROM nowhere")

    seconds, _ = took(body, client={"request": 1.0, "statement": 4.0})
    assert seconds == 0.5 + 0.25 + 4.0 + 0.5


def test_a_callers_work_is_more_for_a_request_that_fails():
    async def body(world):
        async with world.database(1) as database, database.session() as tx:
            with pytest.raises(DatabaseError):
                await tx.execute("SELECT * FROM nowhere")

    seconds, _ = took(body, client={"request": 1.0, "statement": 8.0, "failure": 0.125})
    assert seconds == 0.5 + 0.25 + 0.5 + 0.125


def test_callers_on_machines_of_their_own_work_at_the_same_time():
    seconds, busy = took(callers(3), client={"request": 1.0}, database={**DATABASE["database"], "cores": 3})
    assert seconds == 1.25
    assert "CPU of database" in busy


def test_callers_of_one_machine_are_one_process_that_does_one_thing_at_a_time():
    seconds, busy = took(callers(3), machine={"cores": 8}, client={"request": 1.0})
    assert seconds == pytest.approx(3.0)
    assert busy["interpreter"].seconds == pytest.approx(3.0)
    assert busy["CPU of the machine"].seconds == pytest.approx(3.0 + 3 * 0.25)
    assert busy["CPU of the machine"].units == 8
    assert busy["CPU of database"].seconds == pytest.approx(3 * 0.25)


def test_the_database_and_its_callers_share_the_cores():
    alone, _ = took(callers(1), machine={"cores": 1}, client={"request": 1.0})
    assert alone == pytest.approx(1.25)
    both, busy = took(callers(2), machine={"cores": 1}, client={"request": 1.0})
    assert both == pytest.approx(2.5)
    assert busy["CPU of the machine"].seconds == pytest.approx(2.5)


def test_programs_that_were_idle_take_longer_for_what_comes_next():
    alone, _ = took(
        callers(1),
        machine={"cores": 2},
        client={"request": 1.0, "wake": 0.125, "cold": 0.125},  # all idle times are longer than 10 ms
        database={**DATABASE["database"], "wake": 0.25, "cold": 0.25},
        network={"link": {"latency": {"kind": "constant", "seconds": 0.125}}},
    )
    assert alone == pytest.approx(0.5 + 0.25 + 0.125 + 0.25 + 0.5 + 0.125 + 0.5 + 0.25)


def test_the_thread_that_writes_the_logs_needs_a_core_after_each_wait_for_the_disk():
    """On one core that others keep busy, each of its turns is behind a statement of theirs."""

    async def body(world):
        await world.admin.script("CREATE TABLE t (id INT PRIMARY KEY)")
        async with world.database(2) as database, database.session() as writes, database.session() as reads:
            written = asyncio.create_task(writes.execute("INSERT INTO t VALUES (1)"))
            while not written.done():
                await reads.execute("DO 0")

    costs = {**DATABASE["database"], "flush": 0.6, "group": 0.12}
    alone = 0.25 + 0.6 + 0.12
    seconds, _ = took(body, machine={"cores": 1}, database=costs)
    assert seconds > alone + 2 * WAITS * 0.25 / 2
    private, _ = took(body, machine={"cores": 8}, database=costs)
    assert private < seconds


def raced_through_the_stack(cores, request):
    result = chatsim.run(
        chatsim.race(
            world=chatsim.Model(costs={"machine": {"cores": cores}, "client": {"request": request}}),
            strategies="one_round_trip",
            pattern="strangers",
            layer="stack",
            nodes=2,
            clients=8,
            rounds=4,
            progress=False,
        )
    )
    return result.variants[0]


def test_a_nodes_work_on_a_machine_of_its_own_is_all_in_its_service_times():
    assert raced_through_the_stack(0, 10.0).measures == raced_through_the_stack(0, 0.0).measures


def test_on_a_shared_machine_the_driver_of_a_node_works_as_a_callers_does():
    shared, slower = raced_through_the_stack(1, 0.0), raced_through_the_stack(1, 1e-3)
    assert shared["bottleneck"] in {"interpreter", "CPU of the machine"}
    assert shared["goodput_per_s"] < raced_through_the_stack(0, 0.0)["goodput_per_s"]
    operations, trips = shared["operations"], shared["round_trips_per_op"]
    more = operations / slower["goodput_per_s"] - operations / shared["goodput_per_s"]
    assert more == pytest.approx(operations * trips * 1e-3, rel=0.05)


def test_a_run_on_a_shared_machine_repeats_itself():
    result = chatsim.run(
        chatsim.race(
            world=chatsim.Model(costs={"machine": {"cores": 2}, "client": {"request": 1e-4}}, check_determinism=True),
            strategies="for_update",
            pattern="strangers",
            clients=8,
            rounds=10,
            progress=False,
        )
    )
    assert result.variants[0]["operations"] == 80


@pytest.mark.parametrize(
    ("costs", "says"),
    [
        ({"machine": {"cores": -1}}, "cores is -1; it must be at least 0"),
        ({"client": {"request": -1.0}}, "request is -1.0; it must be at least 0"),
        ({"client": {"query": 1.0}}, "unknown field `query`"),
    ],
)
def test_wrong_costs_are_named(costs, says):
    with pytest.raises(WorldError, match=says):
        ModelCosts.read(costs)
