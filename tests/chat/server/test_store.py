"""What a node reads from the source's tables, on a real MySQL."""

import itertools
import random

import pytest
from msgspec.structs import replace

from chatsim.chat.protocol import (
    FROM_SERVER,
    Decoder,
    FriendApplication,
    FriendEntry,
    LoginReply,
    MessageTooLongError,
    encode,
)
from chatsim.chat.server.store import profiles, threads
from chatsim.worlds.mysql.world import MySQLWorld

ME = 1
PAGE = 100
LONGEST = 255  # characters of a VARCHAR of the tables


@pytest.fixture
async def world(mysql_url):
    async with MySQLWorld() as world:
        await world.install("source")
        yield world


@pytest.fixture
async def tx(world):
    """A session of a pool, as a node has it."""
    async with world.database(1) as database, database.session() as session:
        yield session


async def insert(world, table, columns, rows):
    places = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
    await world.admin.execute(f"INSERT INTO {table} ({columns}) VALUES {places}", list(itertools.chain(*rows)))


async def users(world, uids, *, text=""):
    await insert(
        world,
        "user",
        "uid, name, email, pwd, nick, `desc`, sex, icon",
        [(n, text or f"name{n}", f"{n}@example.org", "hidden", text or f"nick{n}", text, n % 2, text) for n in uids],
    )


async def friends(world, uid, others, *, back="buddy"):
    await insert(world, "friend", "self_id, friend_id, back", [(uid, other, back) for other in others])


async def applications(world, uid, others, *, status=0):
    rows = [(other, uid, status, "let me in", "bob") for other in others]
    await insert(world, "friend_apply", "from_uid, to_uid, status, descs, back_name", rows)


async def private_chats(world, rows):
    """Rows of (thread, user1, user2)."""
    await insert(world, "private_chat", "thread_id, user1_id, user2_id", rows)


def sent(reply):
    """The reply as its client gets it."""
    decoder = Decoder(FROM_SERVER)
    decoder.feed(encode(reply))
    return decoder.next_message()


# --- profile


async def test_an_unknown_user_has_no_profile(world, tx):
    await users(world, [2])
    assert await profiles.profile(tx, 1) is None
    assert await profiles.profile(tx, 2**63 - 1) is None


async def test_a_user_without_friends_has_a_profile_and_the_password_stays_here(world, tx):
    await users(world, [ME, 2])
    assert await profiles.profile(tx, ME) == LoginReply(
        0, uid=ME, pwd="", name="name1", email="1@example.org", nick="nick1", desc="", sex=1, icon=""
    )


async def test_a_profile_has_friends_by_id_and_applications_in_the_order_they_were_made(world, tx):
    await users(world, range(1, 8))
    await friends(world, ME, [5, 3])
    await friends(world, 2, [ME, 4])
    await applications(world, ME, [6, 4], status=1)
    await applications(world, 2, [7])
    reply = await profiles.profile(tx, ME)
    assert reply.friend_list == (
        FriendEntry("name3", 3, "", "nick3", 1, "", "buddy"),
        FriendEntry("name5", 5, "", "nick5", 1, "", "buddy"),
    )
    assert reply.apply_list == (
        FriendApplication("name6", 6, "", "nick6", 0, "let me in", 1),
        FriendApplication("name4", 4, "", "nick4", 0, "let me in", 1),
    )
    assert sent(reply) == reply


async def test_the_first_ten_applications_are_shown(world, tx):
    asking = random.Random(1).sample(range(2, 100), 25)
    await users(world, [ME, *asking])
    await applications(world, ME, asking)
    assert [each.uid for each in (await profiles.profile(tx, ME)).apply_list] == asking[:10]


async def test_friends_and_applicants_who_are_no_users_any_more_are_left_out(world, tx):
    await users(world, [ME, 2])
    await friends(world, ME, [2, 3])
    await applications(world, ME, [4, 2])
    reply = await profiles.profile(tx, ME)
    assert [each.uid for each in reply.friend_list] == [2]
    assert [each.uid for each in reply.apply_list] == [2]


async def test_null_is_an_empty_string(world, tx):
    await users(world, [ME, 2])
    await friends(world, ME, [2], back=None)
    await insert(world, "friend_apply", "from_uid, to_uid, descs, back_name", [(2, ME, None, None)])
    reply = await profiles.profile(tx, ME)
    assert reply.friend_list[0].back == ""
    assert sent(reply) == reply


@pytest.mark.parametrize("name", ["", 'O\'Neil "x" \\', "你好", "🙂", "a\nb\x01", "%s ? {0}"])
async def test_whatever_is_in_a_name_arrives(name, world, tx):
    await users(world, [ME])
    await world.admin.execute("UPDATE user SET name = ?, nick = ?, `desc` = ?, icon = ?", (name,) * 4)
    reply = sent(await profiles.profile(tx, ME))
    assert (reply.name, reply.nick, reply.desc, reply.icon) == (name,) * 4


@pytest.mark.parametrize("text", ["好" * LONGEST, "🙂" * LONGEST, "\x01" * LONGEST, '"' * LONGEST, "x"], ids=ascii)
async def test_friends_that_do_not_fit_into_a_frame_are_left_out_those_with_the_largest_ids_first(text, world, tx):
    await users(world, [ME], text="me")
    await users(world, range(2, 1_002), text=text)
    await friends(world, ME, range(1_001, 1, -1), back=text)
    reply = await profiles.profile(tx, ME)
    shown = [each.uid for each in reply.friend_list]
    assert shown == list(range(2, 2 + len(shown)))
    assert len(shown) < 1_000
    assert sent(reply) == reply
    another = replace(reply, friend_list=(*reply.friend_list, reply.friend_list[-1]))
    with pytest.raises(MessageTooLongError):
        encode(another)


async def test_friends_that_fit_are_all_there(world, tx):
    await users(world, range(1, 302))
    await friends(world, ME, range(2, 302))
    assert [each.uid for each in (await profiles.profile(tx, ME)).friend_list] == list(range(2, 302))


async def test_applications_from_those_with_the_longest_names_fit_into_a_frame(world, tx):
    await users(world, range(1, 12), text="\x01" * LONGEST)
    await applications(world, ME, range(2, 12))
    assert sent(await profiles.profile(tx, ME)).uid == ME


async def test_a_profile_is_one_round_trip(world, tx):
    await users(world, [ME, 2])
    await friends(world, ME, [2])
    before = await world.costs()
    await profiles.profile(tx, ME)
    assert (await world.costs() - before).round_trips == 1


# --- threads


async def mixed_threads(world, count):
    """Private chats of both sides and groups of `ME`, their ids in a random order; other users' among them."""
    rng = random.Random(count)
    mine = sorted(rng.sample(range(1, 10 * count), count))
    kinds = [rng.choice(["first", "second", "group"]) for _ in mine]
    others = [thread for thread in range(1, 10 * count, 7) if thread not in mine]
    partner = itertools.count(1_000)
    low = [(thread, ME, next(partner)) for thread, kind in zip(mine, kinds, strict=True) if kind == "first"]
    high = [(thread, next(partner), ME) for thread, kind in zip(mine, kinds, strict=True) if kind == "second"]
    groups = [thread for thread, kind in zip(mine, kinds, strict=True) if kind == "group"]
    chats = low + high + [(thread, 500, next(partner)) for thread in others[::2]]
    rng.shuffle(chats)
    await private_chats(world, chats)
    members = [(thread, ME) for thread in groups] + [(thread, 2) for thread in groups + others[1::2]]
    rng.shuffle(members)
    await insert(world, "group_chat_member", "thread_id, user_id", members)
    return sorted(
        [(thread, "private", one, other) for thread, one, other in low + high]
        + [(thread, "group", 0, 0) for thread in groups]
    )


def rows(page):
    return [(each.thread_id, each.type, each.user1_id, each.user2_id) for each in page]


async def test_who_has_no_threads_gets_an_empty_page_and_there_are_no_more(world, tx):
    await private_chats(world, [(1, 2, 3)])
    assert await threads.threads(tx, ME, 0) == ((), False)


async def test_both_of_a_pair_see_their_thread_and_nobody_else_does(world, tx):
    await private_chats(world, [(7, 1, 2)])
    seen = {uid: rows((await threads.threads(tx, uid, 0))[0]) for uid in (1, 2, 3)}
    assert seen == {1: [(7, "private", 1, 2)], 2: [(7, "private", 1, 2)], 3: []}


async def test_pages_of_private_and_group_threads_follow_each_other_by_id(world, tx):
    expected = await mixed_threads(world, 250)
    found, after, sizes = [], 0, []
    more = True
    while more:
        page, more = await threads.threads(tx, ME, after)
        sizes.append((len(page), more))
        found += rows(page)
        after = page[-1].thread_id
    assert sizes == [(100, True), (100, True), (50, False)]
    assert {kind for _, kind, *_ in found} == {"private", "group"}
    assert found == expected


async def test_wherever_a_page_begins_nothing_is_skipped_or_repeated(world, tx):
    expected = await mixed_threads(world, 250)
    ids = [0, *(thread for thread, *_ in expected)]
    for after in sorted({cursor + step for cursor in ids for step in (-1, 0, 1)} - {-1}):
        page, more = await threads.threads(tx, ME, after)
        rest = [row for row in expected if row[0] > after]
        assert rows(page) == rest[:PAGE]
        assert more == (len(rest) > PAGE)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200, 201])
@pytest.mark.parametrize("kind", ["private, lower id", "private, higher id", "group"])
async def test_whether_there_are_more_is_right_at_the_edge_of_a_page(kind, count, world, tx):
    if kind == "group":
        await insert(world, "group_chat_member", "thread_id, user_id", [(n, ME) for n in range(1, count + 1)])
    else:
        pairs = [(n, 500 + n) for n in range(1, count + 1)]
        sides = [(n, ME, other) if kind == "private, lower id" else (n, other, ME) for n, other in pairs]
        await private_chats(world, sides)
    page, more = await threads.threads(tx, ME, 0)
    assert [each.thread_id for each in page] == list(range(1, min(count, PAGE) + 1))
    assert more == (count > PAGE)


@pytest.mark.parametrize("after", [2**31, 2**62, 2**63 - 1])
async def test_a_cursor_beyond_every_thread_is_the_end(after, world, tx):
    await private_chats(world, [(1, ME, 2)])
    assert await threads.threads(tx, ME, after) == ((), False)


async def examined(world, tx, after):
    # the server counts a statement when it has answered it, and before it reads the next one; a DO would count as a row
    await tx.execute("ROLLBACK")
    before = await world.costs()
    await threads.threads(tx, ME, after)
    await tx.execute("ROLLBACK")
    return (await world.costs() - before).rows_examined


async def test_a_page_costs_the_same_however_many_threads_there_are_and_wherever_it_is(world, tx):
    async def load(first, last, others):
        """Threads of each kind, each between so many of others."""
        ids = range(first, last)
        await private_chats(world, [(5 * n, ME, 100_000 + n) for n in ids])
        await private_chats(world, [(5 * n + 1, 100_000 + n, ME) for n in ids])
        strangers = range(200_000, 200_000 + others)
        await private_chats(world, [(20 * n + x, 300_000 + n, x) for n in ids for x in strangers])
        members = [(5 * n + 3, uid) for n in ids for uid in (ME, *strangers)]
        await insert(world, "group_chat_member", "thread_id, user_id", members)

    await load(1, 201, others=1)  # a page and more of each kind
    few = await examined(world, tx, 0)
    await load(201, 1_701, others=8)
    many = {after: await examined(world, tx, after) for after in (0, 1_000, 5_000, 7_000)}
    assert few <= 10 * PAGE
    assert max(abs(each - few) for each in many.values()) <= 3, "a row more or less, where a range ends"
