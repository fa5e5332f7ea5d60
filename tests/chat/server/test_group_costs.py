"""What groups cost, as exact counts: nothing but rows grows with the members, and rows do no more than that."""

from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from harness import ANN, BOB, in_both_worlds

from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.worlds.loading import add_users, insert

SIZES = (5, 50, 500)
FIRST = 1_000  # the id of the first of many users


class Counted:
    """A node's database that notes the statements of each round trip, and the rows that all of them examine.

    Attributes:
        sent: the text of each round trip, and the number of its arguments.
        examined: the number of rows.
    """

    def __init__(self, world, database):
        self.world = world
        self.sent = []
        self.examined = 0
        self._database = database

    @asynccontextmanager
    async def session(self, isolation=None):
        async with self._database.session(isolation) as tx:
            before = await self._rows(tx)
            yield _Counted(tx, self)
            self.examined += await self._rows(tx) - before

    async def _rows(self, tx):
        if self.world.name == "model":
            return self.world.server.engine.examined
        counts = (await tx.execute("SHOW SESSION STATUS LIKE 'Handler_%'")).rows
        return sum(int(count) for name, count in counts if name in {"Handler_write", "Handler_update"})


class _Counted(SessionWrapper):
    def __init__(self, tx, counted):
        super().__init__(tx)
        self._counted = counted

    async def script(self, sql, args=()):
        self._counted.sent.append((sql, len(args)))
        return await super().script(sql, args)


async def counted(harness, device, number, body):
    """What a request that is granted does in the database."""
    node = harness.cluster.nodes[0]
    whole = node.database.pool
    node.database.pool = counting = Counted(harness.world, whole)
    assert (await device.ask(number, body))["error"] == 0
    await harness.settled()
    node.database.pool = whole
    return counting


async def groups(harness):
    """A group of each size, by its size; Ann is the creator of each, and Bob a member."""
    many = range(FIRST, FIRST + max(SIZES))
    await add_users(harness.world.admin, many)
    made = {}
    for size in SIZES:
        made[size] = await harness.group(ANN, BOB, *many[: size - 2])
    return made


def text(group):
    texts = [{"content": "hello", "unique_id": f"in {group}"}]
    return {"fromuid": ANN, "touid": 0, "thread_id": group, "text_array": texts}


REQUESTS = {
    "a text": (1017, text),
    "a read position": (1105, lambda group: {"thread_id": group, "seq": 1}),
    "a new name": (1123, lambda group: {"thread_id": group, "name": "them"}),
    "a role": (1125, lambda group: {"thread_id": group, "user_id": BOB, "role": 1}),
    "a mute": (1127, lambda group: {"thread_id": group, "user_id": BOB, "seconds": 60}),
    "a removal": (1121, lambda group: {"thread_id": group, "user_id": BOB}),
    "an addition": (1119, lambda group: {"thread_id": group, "members": [3]}),
    "a page of members": (1129, lambda group: {"thread_id": group, "after": 0}),
}


@pytest.mark.parametrize("what", REQUESTS)
@in_both_worlds(pool=1, group_members=1_000)
async def test_no_statement_and_no_text_of_one_grows_with_the_members_and_rows_grow_with_them_alone(harness, what):
    made = await groups(harness)
    await harness.befriend(ANN, 3)
    bob, ann = await harness.log_in(BOB), await harness.log_in(ANN)
    number, body = REQUESTS[what]
    found = {}
    for size, group in made.items():
        if number == 1105:
            assert (await ann.ask(1017, text(group)))["error"] == 0
        found[size] = await counted(harness, bob if number == 1105 else ann, number, body(group))
    few, *larger = found.values()
    assert few.sent
    for each in larger:
        assert each.sent == few.sent, "the same texts, with as many arguments"
    grown = [
        (after.examined - before.examined) / (more - fewer)
        for (fewer, before), (more, after) in pairwise(found.items())
    ]
    if number == 1105:
        assert grown == [0, 0]
    elif number != 1129:  # a page has 100 members at most
        assert grown[0] == pytest.approx(grown[1], rel=0.1), {size: each.examined for size, each in found.items()}
        assert grown[1] <= 20


@pytest.mark.parametrize(("few", "many"), [(10, 10_000)])
@in_both_worlds(worlds=["model"])
async def test_ten_thousand_quiet_groups_cost_a_login_what_ten_do(harness, few, many):
    await quiet_groups_cost_nothing(harness, few, many)


@in_both_worlds(worlds=["mysql"])
async def test_so_it_is_on_a_server_with_two_thousand(harness):
    await quiet_groups_cost_nothing(harness, 10, 2_000)


async def quiet_groups_cost_nothing(harness, few, many):
    costs = []
    for uid, count in ((ANN, few), (BOB, many)):
        first = 100_000 * uid
        ids = range(first, first + count)
        admin = harness.world.admin
        await insert(admin, "chat_thread (id, type)", [(each, "group") for each in ids])
        await insert(admin, "group_chat (thread_id, name)", [(each, "quiet") for each in ids])
        await insert(admin, "group_chat_member (thread_id, user_id)", [(each, uid) for each in ids])
        rows = [(uid, each, number) for number, each in enumerate(ids, start=1)]
        await insert(admin, "user_thread (user_id, thread_id, version)", rows)
        await insert(admin, "user_version (user_id, version)", [(uid, count)])
        group = await harness.group(uid, 9)
        await harness.log_in(uid)  # caches are warm from here on
        before = await harness.world.costs()
        device = await harness.log_in(uid)
        news = await device.ask(1103, {"since": count, "before": 0})
        assert [each["thread_id"] for each in news["threads"]] == [group]
        assert (await device.ask(1113, {"threads": [group], "after": [0], "below": [0]}))["error"] == 0
        await harness.settled()
        costs.append(await harness.world.costs() - before)
    assert costs[0] == costs[1]
