"""What a machine can't hold or end is refused before anything runs, with the figure and the reason."""

import pytest
from click.testing import CliRunner

import chatsim
from chatsim.cli import main
from chatsim.experiments.demand import Demand
from chatsim.experiments.functions import EXPERIMENTS
from chatsim.worlds.choice import WORLDS
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import BadParameterError, WorldError

GB = 10**9

TOO_LARGE = [
    ("race", {"clients": 1_000_000}, "operations"),
    ("race", {"pairs": 1_000_000_000}, "100,000,000,000 pairs"),
    ("race", {"rounds": 10**400}, "operations"),
    ("race", {"existing": 10**9}, "1,000,000,000 rows before"),
    ("race", {"layer": "stack", "strategies": "upsert", "pattern": "strangers", "clients": 10**7}, "devices"),
    ("race", {"repeats": 10**6}, "operations"),
    ("pages", {"existing": 10**9}, "lists of 1,000,000,000 entries"),
    ("pages", {"page_size": 10**9}, "lists of 10,000,000,000 entries"),
    ("pages", {"rounds": 10**10}, "operations"),
    ("catchup", {"threads": 10**8}, "operations"),
    ("catchup", {"quiet_threads": 10**9, "protocols": "bulk"}, "rows before"),
    ("catchup", {"writers": 10**9}, "1,000,000,000 writers"),
    ("delivery", {"texts": 10**9}, "texts"),
    ("talk", {"pairs": 10**7}, "20,000,000 people"),
    ("mix", {"clients": 10**7, "threads": 5 * 10**6}, "10,000,000 clients"),
    ("mix", {"duration": 86_400, "rate": 1_000_000}, "operations"),
    ("mix", {"history": 10**8}, "rows before"),
]


@pytest.fixture
def _nothing_runs(monkeypatch):
    async def run(*_, **__):
        pytest.fail("it runs")

    monkeypatch.setattr("chatsim.worlds.mysql.settings.Servers.run_beside", run)
    monkeypatch.setattr("chatsim.worlds.model.settings.Model.run_beside", run)


@pytest.mark.usefixtures("_nothing_runs")
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("name", "given", "culprit"), TOO_LARGE)
async def test_what_no_machine_can_hold_is_refused_before_anything_runs(name, given, culprit, world):
    with pytest.raises(BadParameterError) as refused:
        await getattr(chatsim, name)(world=world, **given)
    said = str(refused.value)
    assert said.startswith("this run would need about ")
    assert " GB of memory, most of it for " in said
    assert culprit.rpartition(" ")[2] in said
    assert " are free on this machine" in said


@pytest.mark.parametrize(
    "words", [("race", "--clients", "1000000"), ("race", "--pairs", "1000000000", "--world", "model")]
)
def test_the_command_says_so_in_one_sentence(words):
    result = CliRunner().invoke(main, [*words])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: this run would need about ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.usefixtures("_nothing_runs")
@pytest.mark.parametrize(
    ("name", "given", "culprit"),
    [
        ("talk", {"pause": 3_600.0, "texts": 1_000}, "the pauses"),
        ("race", {"rate": 0.001}, "0.001 requests a second"),
        ("mix", {"duration": 86_400, "rate": 0.001, "repeats": 8}, "8 repetitions"),
        ("catchup", {"protocols": "source", "rtt": 60_000.0, "threads": 1_000, "missed": 1_000}, "round trips"),
    ],
)
async def test_what_takes_longer_than_a_week_is_refused_where_time_passes(name, given, culprit):
    with pytest.raises(BadParameterError, match=rf"would take about \d+ (days|years), most of it for {culprit}"):
        await getattr(chatsim, name)(world="mysql", **given)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)
def test_the_defaults_are_no_trouble(experiment, world):
    demand = experiment().demand(world)
    demand.check(2 * GB)
    demand.check_connections(151)  # MySQL's default
    assert sum(demand.memory.values()) > 0
    assert sum(demand.seconds.values()) < 600


def test_connections_are_compared_with_what_the_server_allows():
    Demand(connections=150).check_connections(151)
    with pytest.raises(WorldError, match=r"needs 152 connections at once, and the server allows 151 .*max_connections"):
        Demand(connections=151).check_connections(151)


async def test_too_many_connections_are_refused_before_the_first_statement(monkeypatch):
    monkeypatch.setattr(ModelWorld, "most_connections", 8)
    with pytest.raises(WorldError, match="needs 17 connections at once, and the server allows 8"):
        await chatsim.race(world="model", strategies="upsert", progress=False)
    result = await chatsim.race(world="model", strategies="upsert", clients=7, rounds=2, progress=False)
    assert result.variants


def test_repetitions_keep_their_operations_and_share_their_clients():
    once = Demand(memory={"10 operations": 1_000, "5 clients": 500}, seconds={"10 operations": 7}, connections=3)
    thrice = once.times(3)
    assert thrice.memory == {"10 operations": 3_000, "5 clients": 500}
    assert sum(thrice.seconds.values()) == 21
    assert thrice.connections == 3
    assert once.times(1) == once


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (60, None),
        (61, "This takes about 2 minutes, most of it for 9 texts."),
        (7_199, "This takes about 120 minutes, most of it for 9 texts."),
        (7_200, "This takes about 2 hours, most of it for 9 texts."),
        (200_000, "This takes about 2 days, most of it for 9 texts."),
    ],
)
def test_what_takes_minutes_says_so(seconds, said):
    assert Demand(seconds={"3 rows": 0, "9 texts": seconds}).announcement() == said


def test_the_command_says_how_long_it_takes_unless_it_is_to_be_quiet(monkeypatch):
    monkeypatch.setattr("chatsim.cli.experiment.run_here", lambda *_, **__: None)
    words = ("race", "--world", "model", "--rounds", "10000", "--strategies", "upsert")
    assert CliRunner().invoke(main, [*words]).stderr == (
        "This takes about 6 minutes, most of it for 160,000 operations.\n"
    )
    assert CliRunner().invoke(main, [*words, "--quiet"]).stderr == ""


async def test_a_notebook_says_so_too_unless_progress_is_off(monkeypatch, capsys):
    async def run(*_, **__):
        return None

    monkeypatch.setattr("chatsim.worlds.model.settings.Model.run_beside", run)
    await chatsim.race(world="model", rounds=10_000, strategies="upsert")
    assert capsys.readouterr().err == "This takes about 6 minutes, most of it for 160,000 operations.\n"
    await chatsim.race(world="model", rounds=10_000, strategies="upsert", progress=False)
    assert capsys.readouterr().err == ""
