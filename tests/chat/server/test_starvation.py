"""A user who asks much with many devices does not make the others wait for long: first come, first served, by turns."""

import asyncio
from contextlib import asynccontextmanager

from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.session_wrapper import SessionWrapper

SEARCH = 1007
DEVICES, EACH = 12, 4


class Noting:
    """A node's database that notes which users were searched for, in that order."""

    def __init__(self, database):
        self._database = database
        self.searched = []

    @asynccontextmanager
    async def session(self, isolation=None):
        async with self._database.session(isolation) as tx:
            yield _Noting(tx, self.searched)


class _Noting(SessionWrapper):
    def __init__(self, tx, searched):
        super().__init__(tx)
        self._searched = searched

    async def script(self, sql, args=()):
        self._searched.extend(args)
        return await super().script(sql, args)


async def asked(node, count):
    """Wait until the node has begun so many searches."""
    while node.stats.requests[SEARCH] < count:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@in_both_worlds(pool=1, user_leases=2)
async def test_before_a_request_stand_no_more_of_another_users_than_that_user_has_turns(harness):
    node = harness.cluster.nodes[0]
    devices = [await harness.log_in(ANN) for _ in range(DEVICES)]
    other = await harness.log_in(BOB)
    database = node.database.pool
    node.database.pool = noting = Noting(database)
    async with database.session():  # the only connection
        for device in devices:
            for _ in range(EACH):
                await device.say(SEARCH, {"uid": str(CAT)})
        await asked(node, DEVICES)
        await other.say(SEARCH, {"uid": str(DAN)})
        await asked(node, DEVICES + 1)
    assert (await other.hear())[1]["uid"] == DAN
    for device in devices:
        for _ in range(EACH):
            assert (await device.hear())[1]["uid"] == CAT
    assert noting.searched.index(DAN) == 2
    assert len(noting.searched) == DEVICES * EACH + 1
