"""The modelled Redis: a round trip away, one core, keys that lapse; nobody gets more than the real one gives."""

import asyncio

import msgspec
import pytest

from chatsim.chat.ports import Device, LocksError, RegistryError
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import ModelCosts, RedisCosts
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.model.redis import ModelKeys

COSTS = msgspec.structs.replace(
    ModelCosts.read(), network=Topology(link=Link(Constant(0.5))), redis=RedisCosts(command=0.25)
)
PHONE, LAPTOP = Device(7, "phone", "node1"), Device(7, "laptop", "node2")


def now():
    return asyncio.get_running_loop().time()


def platform():
    return ModelPlatform(COSTS, seed=1, database=None)


def test_a_command_takes_a_round_trip_and_its_work():
    async def main():
        assert await ModelKeys(platform().redis, "node1").set_if_absent("a", "1", 10)
        assert now() == 1.25

    run(main())


def test_commands_of_different_hosts_wait_for_the_one_core():
    async def main():
        there = platform()
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(ModelKeys(there.redis, f"node{number}").set_if_absent(f"{number}", "1", 10))
        assert now() == 1 + 8 * 0.25
        assert there.redis.cpu.busy_seconds == 2.0

    run(main())


def test_a_key_is_set_once_and_again_when_it_has_lapsed_or_was_deleted_by_who_knows_its_value():
    async def main():
        keys = ModelKeys(platform().redis, "node1")
        assert await keys.set_if_absent("a", "1", 10)
        assert not await keys.set_if_absent("a", "2", 10)
        await keys.delete_if("a", "2")
        assert not await keys.set_if_absent("a", "2", 10)
        await keys.delete_if("a", "1")
        assert await keys.set_if_absent("a", "2", 10)
        await asyncio.sleep(10)
        assert await keys.set_if_absent("a", "3", 10)

    run(main())


def test_a_key_whose_answer_is_under_way_is_set_for_everybody_else():
    async def main():
        there = platform()
        outcomes = await asyncio.gather(
            *(ModelKeys(there.redis, f"n{i}").set_if_absent("a", f"{i}", 10) for i in range(5))
        )
        assert outcomes == [True, False, False, False, False]

    run(main())


@pytest.mark.parametrize("alone", [True, False])
def test_presence_is_the_same_for_all_machines_and_a_round_trip_away(alone):
    async def main():
        async with platform().shared(None, expiry=20, dead=3) as shared:
            here, there = shared.presence("node1"), shared.presence("node2")
            assert await here.enter(PHONE, alone=alone) == []
            assert now() == 1.25
            assert await there.enter(LAPTOP, alone=alone) == ([PHONE] if alone else [])
            assert await here.find(7) == ([LAPTOP] if alone else [PHONE, LAPTOP])
            assert await here.refresh([PHONE, LAPTOP]) == ([PHONE] if alone else [])
            await there.leave(LAPTOP)
            assert await here.find(7) == ([] if alone else [PHONE])
            await asyncio.sleep(20)
            assert await here.find(7) == []

    run(main())


def test_a_redis_that_is_killed_refuses_until_it_starts_again_and_has_forgotten_everything():
    async def main():
        there = platform()
        async with there.shared(None, expiry=100, dead=3) as shared:
            presence, keys = shared.presence("node1"), ModelKeys(there.redis, "node1")
            await presence.enter(PHONE, alone=False)
            assert await keys.set_if_absent("a", "1", 100)
            there.redis.kill()
            for ask, error in ((presence.find(7), RegistryError), (keys.delete_if("a", "1"), LocksError)):
                with pytest.raises(error, match="Redis can't be used: it has been killed"):
                    await ask
            there.redis.start()
            assert await presence.find(7) == []
            assert await keys.set_if_absent("a", "2", 100)

    run(main())


def test_what_a_redis_that_is_killed_was_about_to_do_is_not_done():
    async def main():
        there = platform()
        async with there.shared(None, expiry=100, dead=3) as shared:
            entering = asyncio.create_task(shared.presence("node1").enter(PHONE, alone=False))
            await asyncio.sleep(0.6)  # it is there, and being worked on
            there.redis.kill()
            there.redis.start()
            with pytest.raises(RegistryError):
                await entering
            assert await shared.presence("node1").find(7) == []

    run(main())
