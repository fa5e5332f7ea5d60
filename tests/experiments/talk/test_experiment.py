"""People talk while the database server is killed, again and again: what was acknowledged is there once, for both."""

import asyncio
import os
from functools import partial

import psutil
import pytest

from chatsim.experiments.talk.experiment import Talk
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.nodes import node_processes
from chatsim.worlds.mysql.settings import LOOPBACK, Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import Sharing

FEW = 10
SEEDS = int(os.environ.get("CHATSIM_TEST_SEEDS", "50"))

whatever_the_seed = pytest.mark.parametrize(
    "seeds",
    [range(1, FEW + 1), pytest.param(range(FEW + 1, FEW + SEEDS + 1), marks=pytest.mark.slow)],
    ids=["a few", "many"],
)


def in_model(talk):
    return Model().run(talk.run, seed=talk.seed)


@pytest.mark.needs("apt")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("crashes", "texts"), [(4, 20), pytest.param(20, 100, marks=pytest.mark.slow)])
async def test_a_server_that_is_killed_again_and_again_costs_no_text_and_doubles_none(tmp_path, crashes, texts):
    talk = Talk(pairs=2, texts=texts, crashes=crashes, pause=0.1, patience=120)
    async with MySQLWorld(Servers(mysql_via="unpacked", mysql_url=None)) as world:
        told = await talk.run(world, tmp_path)
    assert told.wrong == []
    assert (told.crashes, len(told.said)) == (crashes, 4 * texts)


@pytest.mark.timeout(3_600)
@whatever_the_seed
def test_so_it_is_in_the_model(seeds):
    cut_off = 0
    for seed in seeds:
        talk = Talk(texts=8, crashes=2, down=0.3, seed=seed, patience=600)
        told = in_model(talk)
        assert told.wrong == [], f"repeat with {talk}"
        assert (told.crashes, len(told.said)) == (2, 16)
        cut_off += told.cut_off
    assert cut_off > len(seeds) / 4  # they are killed in the middle of something, not in between


@pytest.mark.timeout(3_600)
@whatever_the_seed
def test_nor_does_a_killed_node_or_redis_cost_a_text_or_leave_anybody_online_in_the_model(seeds):
    for seed in seeds:
        talk = Talk(texts=8, crashes=4, faults=("node", "redis"), down=0.5, seed=seed, patience=600, lapses=True)
        told = in_model(talk)
        assert told.wrong == [], f"repeat with {talk}"
        assert (told.crashes, len(told.said)) == (4, 16)


@pytest.mark.needs("apt")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("crashes", "texts"), [(4, 15), pytest.param(40, 150, marks=pytest.mark.slow)])
async def test_kills_of_nodes_and_redis_cost_no_text_and_double_none_across_four_processes(
    tmp_path, mysql_url, monkeypatch, crashes, texts
):
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # a container can't be killed
    talk = Talk(pairs=2, texts=texts, nodes=4, crashes=crashes, faults=("node", "redis"), pause=0.2, patience=120)
    async with MySQLWorld() as world:
        words = ["--tables", "hardened", "--host", LOOPBACK]
        url = await world.redis_url()
        sharing = Sharing("redis", "grpc")
        processes = partial(node_processes, world, nodes=4, port=0, words=words, redis_url=url, sharing=sharing)
        told = await talk.run(world, tmp_path, processes)
    assert told.wrong == []
    assert (told.crashes, len(told.said)) == (crashes, 4 * texts)
    assert not [each for each in psutil.Process().children(recursive=True) if "chatsim" in each.cmdline()]


def test_one_seed_is_one_story():
    talk = Talk(texts=5, crashes=2, down=0.3, seed=3)
    assert in_model(talk) == in_model(talk)


def tampering(change):
    """A talk at whose end somebody changes the tables behind everybody's back."""

    class Tampered(Talk):
        async def _break(self, world, house, rng, told):
            while (await world.admin.execute("SELECT COUNT(*) FROM chat_message")).scalar() < 2 * self.texts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await world.admin.script(change)

    return Tampered


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("DELETE FROM chat_message WHERE seq = 4", "was sent, and is not stored"),
        ("UPDATE chat_message SET content = 'forged' WHERE seq = 4", "is stored, and nobody sent it"),
        ("UPDATE chat_message SET seq = 11 WHERE seq = 4", "has not what is stored of thread"),
    ],
)
def test_what_is_wrong_is_found(change, finding):
    told = in_model(tampering(change)(texts=5, crashes=0, patience=5))
    assert any(finding in sentence for sentence in told.wrong)
