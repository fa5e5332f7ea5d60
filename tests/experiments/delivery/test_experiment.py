"""What becomes of texts, timed hop by hop: on one node and across, however presence is kept and peers are reached."""

import json

import msgspec
import pytest
from click.testing import CliRunner

import chatsim
from chatsim.cli import main
from chatsim.experiments.delivery.experiment import HOPS, Delivery
from chatsim.experiments.history import Operation
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import BadParameterError

COLUMNS = {"path", "presence", "peers", "hop", "world", "p50_ms", "p95_ms", "p99_ms", "per_s", "lost"}
LATENCY = 0.05


def modelled(parameters, *, before=lambda _: None):
    """The rows of a run in the model, on links of one latency, by path, presence, peers and hop."""
    costs = msgspec.structs.replace(ModelCosts.read(), network=Topology(link=Link(Constant(LATENCY))))

    async def body():
        world = ModelWorld(costs, seed=1)
        before(world)
        result = parameters.result("model")
        await parameters.run(world, result)
        return result

    result = run(body())
    return {(row["path"], row["presence"], row["peers"], row["hop"]): row for row in result.rows()}


def test_there_is_a_row_for_each_path_way_and_hop():
    rows = modelled(Delivery(pairs=2, texts=4))
    assert list(rows) == [
        (path, presence, peers, hop)
        for presence in ("process", "redis")
        for peers in ("process", "grpc")
        for path in ("same", "across")
        for hop in HOPS
    ]
    for row in rows.values():
        assert set(row) >= COLUMNS
        assert (row["world"], row["lost"], row["p50_ms"]) == ("model", 0, None), "eight texts carry no percentile"
        assert row["per_s"] > 0


def test_each_crossing_of_the_network_is_seen_in_its_hop_and_in_no_other():
    rows = modelled(Delivery(pairs=2, texts=10))

    def took(path, presence, peers, hop):
        """In crossings of the network."""
        return round(rows[path, presence, peers, hop]["p50_ms"] / LATENCY / 1e3)

    base = took("same", "process", "process", "acknowledged")
    assert base == took("across", "redis", "grpc", "acknowledged"), "nobody's acknowledgement waits for the telling"
    for presence, lookup in (("process", 0), ("redis", 2)):
        for peers, hop in (("process", 0), ("grpc", 1)):
            assert took("same", presence, peers, "pushed") == base + lookup
            assert took("across", presence, peers, "pushed") == base + lookup + hop
            assert took("across", presence, peers, "read") - took("same", presence, peers, "read") == hop


def test_what_nobody_was_told_is_counted_and_not_timed():
    rows = modelled(
        Delivery(pairs=1, texts=20, paths="across", presence="redis", peers="grpc"),
        before=lambda world: world.network.partition("node1", "node2"),
    )
    lost = {hop: rows["across", "redis", "grpc", hop]["lost"] for hop in HOPS}
    assert lost == {"acknowledged": 0, "pushed": 20, "read": 20}
    assert rows["across", "redis", "grpc", "acknowledged"]["p50_ms"] is not None
    assert rows["across", "redis", "grpc", "pushed"]["p50_ms"] is None


def test_each_text_is_an_operation_with_the_seconds_of_each_hop_and_is_there_once():
    result = chatsim.run(
        chatsim.delivery(world="model", pairs=2, texts=4, presence="process", peers="grpc", progress=False)
    )
    texts = [each for variant in result.variants for each in variant.operations]
    assert len(texts) == 2 * 8, "two paths"
    assert len({each.asked["unique_id"] for each in texts}) == len(texts)
    assert all([*each.value] == [*HOPS] for each in texts)
    for each in texts:
        assert 0 < each.value["acknowledged"] <= each.end - each.start
    assert {variant["hop"] for variant in result.variants if variant.operations} == {"acknowledged"}


def test_percentiles_are_given_only_as_far_as_the_sample_carries_them():
    texts = [
        Operation(
            0, 0, "send", {}, 0, 0, 1, value={"acknowledged": at / 1e3} | ({} if at % 2 else {"pushed": at / 1e3})
        )
        for at in range(1, 101)
    ]
    acknowledged, pushed, read = (Delivery.variant({}, hop, 2.0, texts) for hop in HOPS)
    assert [acknowledged[name] for name in ("p50_ms", "p95_ms", "p99_ms")] == [
        pytest.approx(50.5),
        pytest.approx(95.05),
        None,
    ]
    assert (pushed["lost"], pushed["p50_ms"], pushed["p95_ms"]) == (50, pytest.approx(51), None)
    assert (read["lost"], read["p50_ms"]) == (100, None)
    assert acknowledged["per_s"] == 50
    assert [each["verdict"] for each in (acknowledged, pushed, read)] == ["safe", "errors", "errors"]
    assert pushed["why"].startswith("50 of 100 texts were late: 50 by not pushed within 10 s; for one, client 0")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"presence": "memcached"}, "unknown presence 'memcached'; there are: process, redis"),
        ({"peers": ["grpc", "smtp"]}, "unknown peers 'smtp'; there are: process, grpc"),
        ({"paths": "up"}, "unknown paths 'up'; there are: same, across"),
        ({"paths": ()}, "paths is empty; name at least one"),
        ({"nodes": 0}, "nodes is 0; it must be a whole number of at least 1"),
        ({"texts": float("inf")}, "texts is inf; it must be a whole number of at least 1"),
        ({"texts": 0}, "texts is 0; it must be a whole number of at least 1"),
        ({"nodes": 1}, "the path 'across' needs two nodes"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(wrong, sentence):
    with pytest.raises(BadParameterError) as raised:
        Delivery(**wrong)
    assert str(raised.value) == sentence


def test_names_may_be_followed_by_a_space():
    assert Delivery(paths="same, across").paths == ("same", "across")


def test_a_run_repeats_itself_in_the_model():
    parameters = {"pairs": 2, "texts": 10, "presence": "redis", "peers": "grpc", "progress": False}
    first, second = (
        chatsim.run(chatsim.delivery(world=chatsim.Model(check_determinism=True), **parameters)) for _ in range(2)
    )
    assert first.rows() == second.rows()


def test_on_a_real_server_with_a_real_redis_and_grpc(mysql_url, redis_url, tmp_path):
    result = chatsim.run(chatsim.delivery(pairs=2, texts=5, presence="redis", peers="grpc", progress=False))
    assert [(row["path"], row["hop"], row["lost"]) for row in result.rows()] == [
        (path, hop, 0) for path in ("same", "across") for hop in HOPS
    ]
    assert "presence redis, peers grpc" in result.conditions()
    assert (result.save(tmp_path) / "summary.png").exists()


def test_the_command_prints_a_line_of_json_for_each_row():
    words = ["delivery", "--world", "model", "--json", "--pairs", "2", "--texts", "10", "--peers", "grpc"]
    result = CliRunner().invoke(main, [*words, "--presence", "process"])
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 6
    assert all(set(row) >= COLUMNS for row in rows)
    table = CliRunner().invoke(main, [*words[:3], *words[4:], "--presence", "process"])
    assert "Delivering texts" in table.stdout
    assert "None" not in table.stdout


def test_the_command_names_what_makes_no_sense():
    result = CliRunner().invoke(main, ["delivery", "--nodes", "1"])
    assert (result.exit_code, result.stderr) == (2, "Error: the path 'across' needs two nodes\n")
