"""Changes of groups, and texts in them, in whatever order their transactions meet."""

from functools import partial

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.protocol import ErrorCode, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import members, receipts, threads
from chatsim.chat.server.store.groups import GroupStore, Role
from chatsim.chat.server.store.members import MembersOnly
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.chat.session_wrapper import SessionWrapper

EVE = 5


def groups(harness, *, most=500):
    return GroupStore(numbered=harness.schema == "hardened", most=most, friends=True)


def adding(harness, group, *, by=ANN, user=DAN):
    return partial(groups(harness).add, uid=by, thread=group, users=[user])


def removing(harness, group, *, by=ANN, user=CAT):
    return partial(groups(harness).remove, uid=by, thread=group, user=user)


def adding_back(harness, group):
    return adding(harness, group, by=BOB, user=CAT)


def muting(harness, group):
    return partial(groups(harness).mute, uid=ANN, thread=group, user=CAT, seconds=60)


def renaming(harness, group):
    return partial(groups(harness).rename, uid=BOB, thread=group, name="them")


def handing_over(harness, group):
    return partial(groups(harness).set_role, uid=ANN, thread=group, user=BOB, role=Role.CREATOR)


def promoting(harness, group):
    return partial(groups(harness).set_role, uid=ANN, thread=group, user=CAT, role=Role.ADMIN)


def leaving(uid):
    def leave(harness, group):
        return removing(harness, group, by=uid, user=uid)

    return leave


def writing(harness, group, *, by=CAT, name="new"):
    batch = Batch(group, by, 0, [OutgoingText("hello", f"{group} {name}")])
    return partial(TEXTS[harness.schema].send, batch=batch, friends=True)


def reading(harness, group):
    return partial(threads.mark_read, thread=group, uid=CAT, seq=1)


async def furnished(harness):
    """A group of Ann, its creator, Bob, an admin, and Cat and Eve, members, with a text. Dan is a friend of Ann."""
    group = await harness.group(ANN, CAT, EVE, roles={BOB: 1})
    await done(harness, ANN, writing(harness, group, by=ANN, name="first"))
    return group


async def done(harness, uid, work):
    return await harness.cluster.nodes[0].database.transact(uid, work)


async def roles(harness, group):
    return dict(await harness.rows("SELECT user_id, role FROM group_chat_member WHERE thread_id = ?", group))


async def check(harness, group, case):
    """One creator, if there is anybody; and in the hardened tables every member knows of the last change."""
    there = await roles(harness, group)
    assert sorted(there.values())[-1:] == ([2] if there else []), case
    assert list(there.values()).count(2) <= 1, case
    if harness.schema == "source":
        return
    newest = await harness.rows(
        "SELECT t.user_id FROM user_thread t JOIN user_version v ON v.user_id = t.user_id"
        " WHERE t.thread_id = ? AND t.version = v.version",
        group,
    )
    assert there.keys() <= {uid for (uid,) in newest}, case


CROSSINGS = [
    (adding, removing),
    (removing, adding),
    (adding, adding),
    (removing, adding_back),
    (adding_back, removing),
    (writing, removing),
    (removing, writing),
    (writing, muting),
    (muting, writing),
    (writing, adding),
    (adding, writing),
    (writing, writing),
    (writing, leaving(CAT)),
    (leaving(CAT), writing),
    (leaving(ANN), leaving(BOB)),
    (leaving(BOB), leaving(ANN)),
    (leaving(ANN), handing_over),
    (handing_over, leaving(ANN)),
    (handing_over, leaving(BOB)),
    (leaving(BOB), handing_over),
    (promoting, leaving(CAT)),
    (renaming, removing),
    (renaming, leaving(BOB)),
    (muting, leaving(CAT)),
]


def named(crossing):
    return getattr(crossing, "__name__", None)


@pytest.mark.parametrize(("first", "second"), CROSSINGS, ids=named)
@in_both_worlds(("hardened", "source"), worlds=["model"])
async def test_whatever_overtakes_what_a_group_is_whole_and_nobody_deadlocks(harness, first, second):
    await crossed_everywhere(harness, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [(adding, removing), (removing, writing), (writing, muting), (leaving(ANN), leaving(BOB)), (writing, leaving(CAT))],
    ids=named,
)
@in_both_worlds(worlds=["mysql"])
async def test_so_it_is_on_a_server(harness, first, second):
    await crossed_everywhere(harness, first, second)


async def crossed_everywhere(harness, first, second):
    """Let the second overtake the first before each of its round trips."""
    await harness.befriend(ANN, DAN)
    await harness.befriend(BOB, CAT)
    at, overtaken = 0, True
    while overtaken:
        group = await furnished(harness)
        one, other = first(harness, group), second(harness, group)
        if first is second is writing:
            other = writing(harness, group, by=EVE, name="other")
        results, overtaken = await harness.crossed(one, other, at)
        errors = [each for each in results if isinstance(each, BaseException)]
        assert all(isinstance(each, RefusalError) for each in errors), (at, errors)
        await check(harness, group, at)
        if writing not in (first, second):
            at += 1
            continue
        stored = await harness.rows("SELECT COUNT(*) FROM chat_message WHERE thread_id = ?", group)
        assert stored == [(3 - sum(isinstance(each, RefusalError) for each in errors) - (first is not second),)], at
        at += 1
    assert at > 1


async def another_group(harness):
    return await harness.group(EVE, CAT, BOB, ANN)


async def private_chat(harness):
    return await harness.thread(BOB, CAT)


def writing_to(harness, thread, receiver):
    batch = Batch(thread, CAT, receiver, [OutgoingText("hello", f"{thread} elsewhere")])
    return partial(TEXTS[harness.schema].send, batch=batch, friends=False)


ELSEWHERE = {
    "a text in another group": (another_group, lambda harness, thread: writing_to(harness, thread, 0)),
    "a text in a private chat": (private_chat, lambda harness, thread: writing_to(harness, thread, BOB)),
    "a new member of another group": (another_group, lambda harness, thread: adding(harness, thread, by=EVE)),
    "a member less in another group": (another_group, lambda harness, thread: removing(harness, thread, by=EVE)),
}


@pytest.mark.parametrize("reversed_", [False, True])
@pytest.mark.parametrize("what", ELSEWHERE)
@in_both_worlds()
async def test_what_happens_in_two_threads_of_the_same_people_does_not_deadlock(harness, what, reversed_):
    await harness.befriend(EVE, DAN)
    await harness.befriend(BOB, CAT)
    make, change = ELSEWHERE[what]
    at, overtaken = 0, True
    while overtaken:
        works = [writing(harness, await furnished(harness), by=ANN), change(harness, await make(harness))]
        first, second = works[::-1] if reversed_ else works
        results, overtaken = await harness.crossed(first, second, at)
        assert [each for each in results if isinstance(each, BaseException)] == [], at
        await harness.world.admin.execute("DELETE FROM private_chat")
        at += 1
    assert at > 1


@in_both_worlds(("hardened", "source"))
async def test_when_the_creator_and_the_last_admin_leave_at_once_a_member_becomes_the_creator(harness):
    at, overtaken = 0, True
    while overtaken:
        group = await furnished(harness)
        first, second = leaving(ANN)(harness, group), leaving(BOB)(harness, group)
        results, overtaken = await harness.crossed(first, second, at)
        assert [each for each in results if isinstance(each, BaseException)] == [], at
        assert await roles(harness, group) == {CAT: 2, EVE: 0}, at
        at += 1


@in_both_worlds()
async def test_a_text_is_in_before_a_mute_or_is_refused(harness):
    at, overtaken, seen = 0, True, set()
    while overtaken:
        group = await furnished(harness)
        (sent, _), overtaken = await harness.crossed(writing(harness, group), muting(harness, group), at)
        stored = await harness.rows(
            "SELECT COUNT(*) FROM chat_message WHERE thread_id = ? AND sender_id = ?", group, CAT
        )
        refused = isinstance(sent, RefusalError)
        assert not refused or sent.code == ErrorCode.MUTED, at
        assert stored == [(0 if refused else 1,)], at
        seen.add(refused)
        at += 1
    assert seen == {True, False}


@in_both_worlds()
async def test_two_who_create_the_same_group_at_once_get_one(harness):
    await harness.befriend(ANN, BOB)
    create = partial(groups(harness).create, uid=ANN, name="us", others=[BOB])
    at, overtaken = 0, True
    while overtaken:
        made = partial(create, unique_id=f"u{at}")
        _, overtaken = await harness.crossed(made, made, at)
        again = await done(harness, ANN, made)
        assert not again.fresh
        found = await harness.rows("SELECT thread_id FROM group_chat WHERE unique_id = ?", f"u{at}")
        assert found == [(again.thread,)], at
        at += 1
    orphans = (
        "SELECT COUNT(*) FROM chat_thread t LEFT JOIN group_chat g ON g.thread_id = t.id WHERE g.thread_id IS NULL"
    )
    assert await harness.rows(orphans) == [(0,)]


# --- nothing is learnt of what comes after


class Split(SessionWrapper):
    """A session that sends the statements of a script one by one, and does something else before number ``at``."""

    def __init__(self, tx, at, meanwhile):
        super().__init__(tx)
        self._left = at
        self._meanwhile = meanwhile

    async def script(self, sql, args=()):
        left, found = list(args), []
        for each in sql.split(";"):
            if self._left == 0:
                await self._meanwhile()
            self._left -= 1
            count = each.count("?")
            found += await super().script(each, left[:count])
            del left[:count]
        return found


def by_number(harness, group):
    async def read(tx):
        readable = MembersOnly(tx, group, CAT, numbered=True, by="seq")
        return (await TEXTS["hardened"].next_to(readable, group, 0, backward=False)).texts

    return read


def by_id(harness, group):
    async def read(tx):
        readable = MembersOnly(tx, group, CAT, numbered=harness.schema == "hardened", by="message_id")
        return (await TEXTS[harness.schema].after(readable, group, 0)).chat_datas

    return read


def catching_up(harness, group):
    async def read(tx):
        first = await members.require(tx, CAT, [group])
        (texts,) = await TEXTS["hardened"].between(tx, [(group, first[group] - 1, 0)], 100)
        await members.require_still(tx, CAT, first)
        return texts

    return read


def listing(harness, group):
    async def read(tx):
        return (await groups(harness).members(tx, CAT, group, 0)).members

    return read


def counting(harness, group):
    async def read(tx):
        reply = await receipts.count(tx, group, CAT, 2)
        return [None] * 2 if reply.members else []

    return read


def states(harness, group):
    async def read(tx):
        found, _ = await threads.states(tx, CAT, 0, 0)
        return [None] * next(each.last_seq for each in found if each.thread_id == group)

    return read


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("reading", [by_number, by_id, catching_up, listing, counting, states])
@in_both_worlds(("hardened", "source"))
async def test_who_is_removed_while_they_read_learns_nothing_of_what_is_written_then(harness, reading, back):
    if harness.schema == "source" and (reading not in (by_id, listing) or back):
        return
    await harness.befriend(ANN, CAT)
    at, done_meanwhile, refused = 0, True, 0
    while done_meanwhile:
        group = await furnished(harness)
        so_far, done_meanwhile = (4 if reading is listing else 1), False

        async def meanwhile(group=group):
            nonlocal done_meanwhile
            done_meanwhile = True
            await done(harness, ANN, removing(harness, group))
            await done(harness, ANN, writing(harness, group, by=ANN, name="behind their back"))
            if back:
                await done(harness, ANN, adding(harness, group, user=CAT))

        async with harness.world.database(1) as pool, pool.session() as tx:
            try:
                learnt = await reading(harness, group)(Split(tx, at, meanwhile))
            except RefusalError as error:
                refused += error.code == ErrorCode.NOT_A_MEMBER
            else:
                if back and reading is states:
                    so_far = 2  # the number of the last message is told, and the message is not readable
                if not (back and reading is listing):
                    assert len(learnt) <= so_far, at
        at += 1
    assert at > 2
    assert refused > 0 or reading is states or back


@in_both_worlds()
async def test_who_was_removed_and_is_added_again_reads_on_from_there(harness):
    await harness.befriend(ANN, CAT)
    group = await furnished(harness)
    await done(harness, ANN, removing(harness, group))
    await done(harness, ANN, writing(harness, group, by=ANN, name="behind their back"))
    await done(harness, ANN, adding(harness, group, user=CAT))
    await done(harness, ANN, writing(harness, group, by=ANN, name="hello again"))
    async with harness.world.database(1) as pool, pool.session() as tx:
        assert [each.seq for each in await by_number(harness, group)(tx)] == [3]
        assert [each.unique_id for each in await catching_up(harness, group)(tx)] == [f"{group} hello again"]
        assert len(await by_id(harness, group)(tx)) == 1
        (state,), _ = await threads.states(tx, CAT, 0, 0)
    assert (state.first, state.last_seq, state.read1, state.unread, state.role) == (3, 3, 2, 1, 0)


@in_both_worlds()
async def test_the_row_of_who_was_removed_is_never_touched_again(harness):
    group = await furnished(harness)
    await done(harness, ANN, removing(harness, group))
    own = "SELECT * FROM user_thread WHERE user_id = ? AND thread_id = ?", CAT, group
    version = "SELECT version FROM user_version WHERE user_id = ?", CAT
    before = await harness.rows(*own), await harness.rows(*version)
    await done(harness, ANN, writing(harness, group, by=ANN, name="more"))
    await done(harness, BOB, renaming(harness, group))
    await done(harness, EVE, leaving(EVE)(harness, group))
    assert (await harness.rows(*own), await harness.rows(*version)) == before
    async with harness.world.database(1) as pool, pool.session() as tx:
        (state,), _ = await threads.states(tx, CAT, 0, 0)
    assert (state.role, state.last_seq, state.name, state.roster) == (-1, 0, "", 0)
