"""Texts in a group, with fan-out on write and on read: who is told, and what grows with the members and the groups."""

import pytest
from msgspec.structs import replace as changed

import chatsim
from chatsim.experiments.delivery.experiment import Delivery
from chatsim.experiments.delivery.groups import GROUP_HOPS
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import BadParameterError

ALONE = {"presence": "process", "peers": "process"}


def modelled(**parameters):
    """The rows of a run in the model, on links of one latency, by path and hop; and the rows of its tables."""
    costs = changed(ModelCosts.read(), network=Topology(link=Link(Constant(0.001))))
    experiment = Delivery(**ALONE | parameters)

    async def body():
        world = ModelWorld(costs, seed=1)
        result = experiment.result("model")
        await experiment.run(world, result)
        noted = await world.admin.execute("SELECT SUM(unread) FROM user_thread")
        return result, noted.scalar()

    result, noted = run(body())
    return {(row["path"], row["hop"]): row for row in result.rows()}, int(noted or 0)


def test_there_is_a_row_for_each_size_way_and_hop():
    rows, _ = modelled(group=[3, 12], texts=2, pairs=2)
    assert list(rows) == [
        (f"a group of {size}, on {way}", hop) for size in (3, 12) for way in ("write", "read") for hop in GROUP_HOPS
    ]
    assert {(row["verdict"], row["lost"]) for row in rows.values()} == {("safe", 0)}


def test_pairs_and_groups_can_be_compared_in_one_run():
    rows, _ = modelled(group=[0, 3], texts=2, pairs=2, fan_out="write")
    assert [path for path, hop in rows if hop == "acknowledged"] == ["same", "across", "a group of 3, on write"]


@pytest.mark.parametrize(("way", "texts_for_each"), [("write", 7), ("read", 0)])
def test_on_write_each_text_is_noted_for_each_member_and_on_read_for_none(way, texts_for_each):
    _, noted = modelled(group=10, texts=2, pairs=1, fan_out=way)
    assert noted == 9 * texts_for_each  # five of them to warm up; nobody has read them, and the author need not


def test_coming_back_costs_a_row_for_each_group_on_read_and_nothing_for_quiet_ones_on_write():
    found = {}
    for quiet in (10, 200):
        rows, _ = modelled(group=5, texts=20, pairs=1, quiet_groups=quiet)
        found[quiet] = {way: rows[f"a group of 5, on {way}", "found"]["p50_ms"] for way in ("write", "read")}
    assert found[200]["write"] == pytest.approx(found[10]["write"], rel=0.05)
    assert found[200]["read"] > 1.1 * found[10]["read"]


def test_a_run_repeats_itself_in_the_model():
    again = [modelled(group=6, texts=4, pairs=2) for _ in range(2)]
    assert again[0] == again[1]


def test_so_it_is_on_a_server(mysql_url):
    result = chatsim.run(chatsim.delivery(group=30, texts=3, pairs=2, progress=False, **ALONE))
    assert [(row["hop"], row["verdict"], row["lost"]) for row in result.rows()] == [
        (hop, "safe", 0) for _ in range(2) for hop in GROUP_HOPS
    ]


def test_a_group_needs_no_second_node():
    Delivery(nodes=1, group=5)
    with pytest.raises(BadParameterError, match="the path 'across' needs two nodes"):
        Delivery(nodes=1, group=[0, 5])


def test_what_only_groups_have_is_refused_without_one():
    with pytest.raises(BadParameterError, match="quiet_groups is 7, which does nothing here: only with a group"):
        Delivery(quiet_groups=7)
