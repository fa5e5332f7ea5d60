"""Membership comes first: a stranger's request does the same for a thread of others as for one that does not exist.

So it stalls nobody, and its time tells neither that the thread exists nor how long it is.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.handlers.table import HANDLERS
from chatsim.chat.server.store import threads
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.worlds.loading import add_users, insert

LENGTH = 300  # messages
NOWHERE = 4711  # no thread
TEXT = {"content": "hello", "unique_id": "u"}
NAMES_A_THREAD = {
    1017: lambda thread, uid: {"fromuid": uid, "touid": BOB, "thread_id": thread, "text_array": [TEXT]},
    1029: lambda thread, _: {"thread_id": thread, "message_id": 0},
    1101: lambda thread, _: {"thread_id": thread, "seq": 0, "backward": False},
    1105: lambda thread, _: {"thread_id": thread, "seq": LENGTH // 2},
    1113: lambda thread, _: {"threads": [thread], "after": [0], "below": [0]},
    1119: lambda thread, _: {"thread_id": thread, "members": [BOB]},
    1121: lambda thread, _: {"thread_id": thread, "user_id": BOB},
    1123: lambda thread, _: {"thread_id": thread, "name": "them"},
    1125: lambda thread, _: {"thread_id": thread, "user_id": BOB, "role": 1},
    1127: lambda thread, _: {"thread_id": thread, "user_id": BOB, "seconds": 60},
    1129: lambda thread, _: {"thread_id": thread, "after": 0},
    1155: lambda thread, uid: {"fromuid": uid, "touid": BOB, "thread_id": thread, "unique_id": "f", "attachment_id": 1},
    1131: lambda thread, _: {"thread_id": thread, "message_id": 1},
    1133: lambda thread, _: {"thread_id": thread, "message_id": 1, "content": "hello!"},
    1137: lambda thread, _: {"thread_id": thread, "revision": 0},
    1139: lambda thread, _: {"thread_id": thread, "seq": 1},
    1141: lambda thread, _: {"threads": [thread], "seqs": [1]},
    1145: lambda thread, _: {"thread_id": thread, "time": "2020-01-01 00:00:00"},
}
"""What a user asks for about a thread, by the number of the request."""

NAMES_NO_THREAD = {
    1005: "a login",
    1007: "a search",
    1009: "an application",
    1013: "an acceptance: it names a user, who must have applied",
    1023: "a heartbeat",
    1025: "the user's own list; its thread is a position in it",
    1027: "a new chat: it names a user, who must be a friend",
    1103: "the user's own list",
    1117: "a new group: it names users, who must be friends",
    1151: "an upload of the user's own",
    1153: "an upload of the user's own",
    1157: "a message: see below",
}
ABOUT_GROUPS = {1119, 1121, 1123, 1125, 1127, 1129}
BOTH_TABLES = {1017, 1029, 1131, 1133, 1145} | ABOUT_GROUPS
AUTHORS_ONLY = {1131, 1133}
COST_LITTLE = {1137, 1141, 1145}  # for a member, too


class Traced:
    """A node's database that notes what is done on its sessions.

    Attributes:
        trace: for each round trip its SQL, the number of its arguments, the rows that it has examined, and the row
            locks that are held after it.
    """

    def __init__(self, world, database):
        self.world = world
        self.trace = []
        self._database = database

    @asynccontextmanager
    async def session(self, isolation=None):
        async with self._database.session(isolation) as tx:
            yield _Traced(tx, self)

    async def examined(self, tx):
        """How many rows the session has examined so far, by the way in which it has found them."""
        if self.world.name == "model":
            return {"examined": self.world.server.engine.examined}
        counts = (await tx.execute("SHOW SESSION STATUS LIKE 'Handler%'")).rows
        return {name: int(count) for name, count in counts if "read" in name or "write" in name}

    async def locks(self):
        """The row locks of all sessions, by table."""
        if self.world.name == "model":
            return sorted(str(each) for each in self.world.server.engine.data_locks())
        locks = "SELECT OBJECT_NAME, LOCK_TYPE, LOCK_MODE FROM performance_schema.data_locks"
        return sorted((await self.world.admin.execute(f"{locks} WHERE OBJECT_SCHEMA = DATABASE()")).rows)


class _Traced(SessionWrapper):
    def __init__(self, tx, traced):
        super().__init__(tx)
        self._traced = traced

    async def script(self, sql, args=()):
        before = await self._traced.examined(self.tx)
        try:
            return await super().script(sql, args)
        finally:
            after = await self._traced.examined(self.tx)
            costs = {name: after[name] - before[name] for name in after}
            self._traced.trace.append((sql, len(args), costs, await self._traced.locks()))


async def furnished(harness):
    """A thread of Bob's and Cat's with many messages; Ann is no member, and a friend of Bob's."""
    thread = await harness.talking(BOB, CAT)
    await harness.befriend(ANN, BOB)
    await filled(harness, thread)
    return thread


async def grouped(harness):
    """A group with many members, among them Bob and Cat, its creator, and many messages; Ann is no member."""
    many = range(100, 140)
    await add_users(harness.world.admin, many)
    group = await harness.group(CAT, BOB, *many)
    await harness.befriend(ANN, BOB)
    await filled(harness, group)
    return group


async def filled(harness, thread):
    numbers = range(1, LENGTH + 1)
    if harness.schema == "hardened":
        rows = [(thread, number, BOB, "hello") for number in numbers]
        await insert(harness.world.admin, "chat_message (thread_id, seq, sender_id, content)", rows)
        await harness.world.admin.execute("UPDATE chat_thread SET last_seq = ? WHERE id = ?", (LENGTH, thread))
        into = "message_attachment (message_id, file_url, file_type, uploader, unique_id, name, size, sha256, state)"
        whole, sent = (None, "a", 2, CAT, "f", "a.txt", 5, "0" * 64, 1), (1, "b", 2, BOB, "g", "b.txt", 5, "0" * 64, 2)
        await insert(harness.world.admin, into, [whole, sent])
    else:
        rows = [(thread, BOB, CAT, "hello") for _ in numbers]
        await insert(harness.world.admin, "chat_message (thread_id, sender_id, recv_id, content)", rows)


async def traced(harness, uid, number, thread, **changed):
    """What a request does in the database, and the error of its reply."""
    node = harness.cluster.nodes[0]
    whole = node.database.pool
    device = await harness.log_in(uid)
    node.database.pool = noting = Traced(harness.world, whole)
    await device.say(number, NAMES_A_THREAD[number](thread, uid) | changed)
    while (reply := await device.hear())[0] != number + 1:
        pass
    await harness.settled()
    node.database.pool = whole
    return noting.trace, reply[1]["error"]


def test_each_request_says_whether_it_names_a_thread():
    assert {*NAMES_A_THREAD, *NAMES_NO_THREAD} == {*HANDLERS}


@pytest.mark.parametrize("kind", [furnished, grouped])
@pytest.mark.parametrize("number", NAMES_A_THREAD)
@in_both_worlds(("hardened", "source"), pool=1)
async def test_a_strangers_request_does_the_same_for_a_thread_of_others_as_for_none(harness, number, kind):
    needs_numbers = harness.schema == "source" and number not in BOTH_TABLES
    thread = await kind(harness)
    changed = {"touid": 0} if kind is grouped and number == 1017 else {}
    await traced(harness, ANN, number, thread, **changed)  # caches are warm from here on
    of_others, refused = await traced(harness, ANN, number, thread, **changed)
    of_none, refused_too = await traced(harness, ANN, number, NOWHERE, **changed)
    assert refused == refused_too == (ErrorCode.NOT_IN_THIS_SCHEMA if needs_numbers else ErrorCode.NOT_A_MEMBER)
    assert of_others == of_none
    for _, _, costs, locks in of_others:
        assert sum(costs.values()) < 20, costs
        assert locks == []


@in_both_worlds(pool=1)
async def test_a_download_of_a_stranger_does_the_same_for_a_message_of_others_as_for_none(harness, monkeypatch):
    monkeypatch.setitem(NAMES_A_THREAD, 1157, lambda message, _: {"message_id": message, "offset": 0})
    await furnished(harness)
    await traced(harness, ANN, 1157, 1)
    of_others, refused = await traced(harness, ANN, 1157, 1)
    of_none, refused_too = await traced(harness, ANN, 1157, NOWHERE)
    assert refused == refused_too == ErrorCode.NOT_A_MEMBER
    assert [(sql, args, locks) for sql, args, _, locks in of_others] == [
        (sql, args, locks) for sql, args, _, locks in of_none
    ]
    for (*_, costs, locks), (*_, costs_of_none, _) in zip(of_others, of_none, strict=True):
        # rows with constant keys are read before conditions are looked at; the model counts only those that are found
        assert abs(sum(costs.values()) - sum(costs_of_none.values())) <= 2, "the message itself, and its attachment"
        assert locks == []


@pytest.mark.parametrize("number", sorted(NAMES_A_THREAD.keys() - COST_LITTLE))
@in_both_worlds(pool=1)
async def test_the_trace_shows_what_a_members_request_does(harness, number):
    thread = await (grouped if number in ABOUT_GROUPS | {1139} else furnished)(harness)
    trace, error = await traced(harness, BOB if number in AUTHORS_ONLY else CAT, number, thread)
    assert error == 0
    assert any(sum(costs.values()) > 20 or locks for _, _, costs, locks in trace), trace


@in_both_worlds(pool=1)
async def test_a_read_position_counts_few_messages_however_many_there_are(harness, monkeypatch):
    few = 20
    monkeypatch.setattr(threads, "_COUNTED", few)
    thread = await furnished(harness)
    state = "SELECT read_seq, unread FROM user_thread WHERE user_id = ? AND thread_id = ?"
    await harness.world.admin.execute("UPDATE user_thread SET unread = ? WHERE user_id = ?", (LENGTH, CAT))
    device = await harness.log_in(CAT)
    node = harness.cluster.nodes[0]
    node.database.pool = noting = Traced(harness.world, node.database.pool)
    # near the position before; far from both; near the end; at the end
    for seq in (few, few + 1, LENGTH // 2, LENGTH - few, LENGTH - 1, LENGTH):
        assert (await device.ask(1105, {"thread_id": thread, "seq": seq}))["error"] == 0
        assert await harness.rows(state, CAT, thread) == [(seq, LENGTH - seq)]
    for _, _, costs, _ in noting.trace:
        assert sum(costs.values()) < 2 * few + 40, costs


@pytest.mark.parametrize("number", [1017, 1105, 1131, 1133, 1155])
@in_both_worlds(nodes=1, pool=1)
async def test_who_is_removed_while_their_request_waits_for_the_thread_is_refused(harness, number):
    thread = await furnished(harness)
    device = await harness.log_in(CAT)
    admin = harness.world.admin
    await admin.begin()
    await admin.execute("SELECT id FROM chat_thread WHERE id = ? FOR UPDATE", (thread,))
    await device.say(number, NAMES_A_THREAD[number](thread, CAT))
    while not await harness.waiting():  # noqa: ASYNC110 - the first check has found that Cat is a member
        await asyncio.sleep(0.001)
    await admin.execute("DELETE FROM private_chat WHERE thread_id = ?", (thread,))
    await admin.commit()
    assert (await device.hear())[1]["error"] == ErrorCode.NOT_A_MEMBER
    assert await harness.rows("SELECT COUNT(*) FROM chat_message WHERE thread_id = ?", thread) == [(LENGTH,)]


@pytest.mark.parametrize("number", [1017, 1105, 1119, 1121, 1123, 1125, 1127, 1131, 1133])
@in_both_worlds(nodes=1, pool=1)
async def test_who_is_removed_from_a_group_while_their_request_waits_for_it_is_refused(harness, number):
    group = await grouped(harness)
    device = await harness.log_in(CAT)
    admin = harness.world.admin
    await admin.begin()
    await admin.execute("SELECT id FROM chat_thread WHERE id = ? FOR UPDATE", (group,))
    await device.say(number, NAMES_A_THREAD[number](group, CAT) | ({"touid": 0} if number == 1017 else {}))
    while not await harness.waiting():  # noqa: ASYNC110 - the first check has found that Cat is a member
        await asyncio.sleep(0.001)
    await admin.execute("DELETE FROM group_chat_member WHERE thread_id = ? AND user_id = ?", (group, CAT))
    await admin.commit()
    assert (await device.hear())[1]["error"] == ErrorCode.NOT_A_MEMBER
    assert await harness.rows("SELECT COUNT(*) FROM chat_message WHERE thread_id = ?", group) == [(LENGTH,)]
