"""A session that has ended is gone at once: thousands of them leave nothing that the garbage collector has to find."""

import asyncio
import gc
import weakref

import pytest
from harness import ANN, in_both_worlds


async def hangs_up(harness):
    await (await harness.connect()).close()


async def logs_in_and_goes(harness):
    await (await harness.log_in(ANN)).close()


async def breaks_the_protocol(harness):
    stranger = await harness.connect()
    await stranger.say(1023, {"fromuid": ANN})  # before the login
    assert await stranger.hear() is None
    await stranger.close()


async def has_a_wrong_token(harness):
    stranger = await harness.connect()
    assert (await stranger.ask(1005, {"uid": ANN, "token": "?"}))["error"]
    await stranger.close()


async def says_nothing(harness):
    stranger = await harness.connect()
    await until(lambda: harness.cluster.nodes[0]._sessions)
    (session,) = harness.cluster.nodes[0]._sessions
    session.drop("there is no room")
    del session
    assert await stranger.hear() is None
    await stranger.close()


async def until(true):
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.parametrize("client", [hangs_up, logs_in_and_goes, breaks_the_protocol, has_a_wrong_token, says_nothing])
@in_both_worlds(worlds=["mysql"])
async def test_a_session_that_has_ended_leaves_no_reference_cycle(harness, client):
    node, seen = harness.cluster.nodes[0], []
    add = node._admission.admit

    def admit(session):
        seen.append(weakref.ref(session))
        return add(session)

    node._admission.admit = admit
    gc.disable()
    try:
        await client(harness)
        await until(lambda: seen and all(each() is None for each in seen))
    finally:
        gc.enable()
