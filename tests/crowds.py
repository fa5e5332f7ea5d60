"""A crowd in the model, on a network whose latencies are random; as a program it prints its history's digest."""

import hashlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from scripted_database import scripted

from chatsim.chat.creation import named
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments import history
from chatsim.experiments.crowd import Crowd
from chatsim.simulation.links import Link, Lognormal, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.cluster import cluster
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.platform import ModelPlatform

RANDOM = Topology(link=Link(Lognormal(median=0.02, sigma=0.5), bandwidth=1e6))


def running(platform, *, nodes=4, seed=1, **limits):
    """A cluster on a platform."""
    rngs = [np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(nodes)]
    (strategy,) = named("one_round_trip")
    return cluster(
        platform,
        nodes=nodes,
        pool=5,
        strategy=strategy,
        retry=POLICIES["none"],
        limits=Limits(**limits),
        schema="source",
        rngs=rngs,
    )


async def crowded(crowd, *, nodes=4, seed=1, topology=RANDOM):
    """The visits of a crowd, on a platform of its own."""
    costs = msgspec.structs.replace(ModelCosts.read(), network=topology)
    async with running(ModelPlatform(costs, seed=seed, database=scripted), nodes=nodes, seed=seed) as there:
        return await crowd.run(there)


def digest(visits):
    with TemporaryDirectory() as home:
        path = Path(home) / "history.jsonl"
        history.write(path, (({}, visit) for visit in visits))
        return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest(run(crowded(Crowd(300), seed=int(sys.argv[1])))))
