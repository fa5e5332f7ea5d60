"""A crowd logs in and stays, from the same code on the real world's network and in virtual time, where it repeats."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import crowds
import pytest
from crowds import RANDOM, crowded, digest, running
from scripted_database import scripted

from chatsim.experiments.crowd import LOG_IN, Crowd, summary
from chatsim.experiments.history import Operation, Outcome
from chatsim.simulation.determinism import run_twice
from chatsim.simulation.loop import run
from chatsim.worlds.loading import add_users
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.mysql.world import MySQLWorld

SMALL = Crowd(100, seconds=60, arrival=5)
DIGEST = "b0097d0dbf8f14c30a15aadf429a3d41d353dbcb94d9f20170febf2f1a3fff6d"
"""Of the history of seed 7: the same on every version of Python, and in every process."""


def test_everybody_is_in_within_a_few_round_trips_and_stays():
    visits = run(crowded(SMALL))
    assert [visit.client for visit in visits] == list(range(100))
    assert {visit.outcome for visit in visits} == {Outcome.OK}
    for visit in visits:
        assert 0 <= visit.intended <= 5
        assert visit.start == pytest.approx(visit.intended)
        assert 0.02 < visit.end - visit.start < 1


def test_the_status_server_spreads_a_crowd_over_the_nodes_and_heartbeats_keep_it_there():
    async def main():
        async with running(ModelPlatform(ModelCosts.read(), seed=1, database=scripted), nodes=5) as there:
            coming = asyncio.create_task(SMALL.run(there))
            await asyncio.sleep(59)
            assert {node.sessions for node in there.nodes} == {20}
            assert len([uid for uid in range(1, 101) if await there.presence.find(uid)]) == 100
            await coming
            assert there.stats.requests == Counter({1005: 100, 1023: 500})

    run(main())


def test_a_node_that_dies_takes_its_clients_along_and_nobody_else():
    async def main():
        async with running(ModelPlatform(ModelCosts.read(), seed=1, database=scripted), nodes=4) as there:
            coming = asyncio.create_task(SMALL.run(there))
            await asyncio.sleep(30)
            await there.nodes[1].kill()
            await asyncio.sleep(20)
            assert len([uid for uid in range(1, 101) if await there.presence.find(uid)]) == 75
            return await coming

    visits = run(main())
    row = summary(visits)
    assert row["stayed"] == 75
    assert sum(row["reasons"].values()) == 25


def test_without_a_node_everybody_is_told_so():
    async def main():
        async with running(ModelPlatform(ModelCosts.read(), seed=1, database=scripted), nodes=1) as there:
            await there.nodes[0].kill()
            await asyncio.sleep(5)
            return await SMALL.run(there)

    assert summary(run(main()))["reasons"] == {"no chat server is live": 100}


async def test_the_same_crowd_on_a_real_network_and_a_real_database(mysql_url):
    async with MySQLWorld() as world:
        await world.install("source")
        await add_users(world.admin, range(1, 21))
        async with running(world, nodes=2) as there:
            visits = await Crowd(20, seconds=1.0, arrival=0.2).run(there)
    assert summary(visits)["stayed"] == 20


# --- it repeats


def test_the_same_seed_gives_the_same_history_and_another_seed_another():
    first, again, other = (run(crowded(SMALL, seed=seed)) for seed in (1, 1, 2))
    assert digest(first) == digest(again) != digest(other)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_every_process_has_the_same_history_to_the_byte(hash_seed):
    program = [sys.executable, crowds.__file__, "7"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(crowds.__file__).parent)}
    assert subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout == DIGEST


def test_a_run_of_the_whole_stack_repeats_itself_callback_by_callback():
    visits = run_twice(lambda: crowded(Crowd(20), topology=RANDOM))
    assert digest(visits) == digest(run(crowded(Crowd(20))))


# --- a row


def test_a_summary_counts_who_stayed_and_why_the_others_did_not():
    good = [Operation(number, 0, LOG_IN, {"uid": number + 1}, 0.0, 0.0, 0.002) for number in range(100)]
    bad = [replace(good[0], end=9.0, outcome=Outcome.FAIL, reason="closed by the server")]
    row = summary(good + bad)
    assert (row["clients"], row["stayed"], row["reasons"]) == (101, 100, {"closed by the server": 1})
    assert row["p50_ms"] == row["p95_ms"] == pytest.approx(2.0)
    assert row["p99_ms"] is None, "a hundred samples can't carry it"
