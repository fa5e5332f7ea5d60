"""How messages are stored and read again, in the source's tables and in the hardened ones."""

import itertools

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.protocol import FROM_SERVER, Decoder, ErrorCode, OutgoingText, encode
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.db.session import Isolation
from chatsim.worlds.loading import insert

BOTH = ("source", "hardened")
PAGE = 100
OF_THREAD = "SELECT message_id FROM chat_message WHERE thread_id = ? ORDER BY message_id"


def batch(thread, *names, sender=ANN, receiver=BOB):
    """Texts that are named, and say so."""
    return Batch(thread, sender, receiver, [OutgoingText(f"I am {name}", name) for name in names])


def sending(harness, a_batch, *, friends=True):
    async def send(tx):
        return await TEXTS[harness.schema].send(tx, a_batch, friends=friends)

    return send


async def sent(harness, a_batch, *, friends=True):
    return await harness.cluster.nodes[0].database.transact(ANN, sending(harness, a_batch, friends=friends))


async def read(harness, how, *args, **named):
    async with harness.world.database(1) as pool, pool.session(Isolation.REPEATABLE_READ) as tx:
        return await getattr(TEXTS[harness.schema], how)(tx, *args, **named)


async def filled(harness, count, *, content="x"):
    """A thread with so many messages."""
    thread = await harness.talking(ANN, BOB)
    if harness.schema == "source":
        rows = [(thread, ANN, BOB, content) for _ in range(count)]
        await insert(harness.world.admin, "chat_message (thread_id, sender_id, recv_id, content)", rows)
    else:
        rows = [(thread, seq, ANN, BOB, f"u{seq}", content) for seq in range(1, count + 1)]
        into = "chat_message (thread_id, seq, sender_id, recv_id, unique_id, content)"
        await insert(harness.world.admin, into, rows)
        await harness.world.admin.execute("UPDATE chat_thread SET last_seq = ? WHERE id = ?", (count, thread))
    return thread


def arrives(reply):
    """The reply as its client gets it."""
    decoder = Decoder(FROM_SERVER)
    decoder.feed(encode(reply))
    return decoder.next_message()


# --- storing


@in_both_worlds(BOTH)
async def test_a_batch_is_stored_in_its_order_and_unread(harness):
    thread = await harness.talking(ANN, BOB)
    done = await sent(harness, batch(thread, "c", "a", "b"))
    assert [each.content for each in done.texts] == ["I am c", "I am a", "I am b"]
    assert done.fresh == done.texts
    stored = await harness.rows(
        "SELECT message_id, content, CAST(created_at AS CHAR), sender_id, recv_id FROM chat_message ORDER BY message_id"
    )
    assert [(each.message_id, each.content, each.chat_time, each.sender, BOB) for each in done.texts] == stored
    assert await harness.rows("SELECT DISTINCT status FROM chat_message") == [(0,)]
    assert {each.status for each in done.texts} == {0}


@in_both_worlds()
async def test_messages_are_numbered_from_one_on_and_the_thread_knows_its_last(harness):
    thread, other = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    texts = [
        *(await sent(harness, batch(thread, "a", "b"))).texts,
        *(await sent(harness, batch(thread, "c", sender=BOB, receiver=ANN))).texts,
    ]
    (elsewhere,) = (await sent(harness, batch(other, "d", receiver=CAT))).texts
    assert [each.seq for each in texts] == [1, 2, 3]
    assert elsewhere.seq == 1
    last = {thread: (3, texts[-1].message_id), other: (1, elsewhere.message_id)}
    known = await harness.rows("SELECT id, last_seq, last_message_id FROM chat_thread")
    assert {each[0]: each[1:] for each in known} == last


@in_both_worlds()
async def test_a_batch_that_is_sent_again_is_there_already_and_has_its_first_ids(harness):
    thread = await harness.talking(ANN, BOB)
    first = await sent(harness, batch(thread, "a", "b", "c"))
    before = await harness.tables()
    again = await sent(harness, batch(thread, "c", "a", "b"))
    assert again.fresh == ()
    assert again.texts == (first.texts[2], first.texts[0], first.texts[1])
    assert await harness.tables() == before


@in_both_worlds()
async def test_of_a_batch_of_old_and_new_the_new_are_stored_behind(harness):
    thread = await harness.talking(ANN, BOB)
    (first,) = (await sent(harness, batch(thread, "b"))).texts
    done = await sent(harness, batch(thread, "a", "b", "c"))
    assert [each.unique_id for each in done.texts] == ["a", "b", "c"]
    assert [each.seq for each in done.texts] == [2, 1, 3]
    assert done.texts[1] == first
    assert [each.unique_id for each in done.fresh] == ["a", "c"]


@in_both_worlds()
async def test_of_a_batch_of_old_and_new_only_the_new_are_counted_in_the_thread_and_as_unread(harness):
    thread = await harness.talking(ANN, BOB)
    await sent(harness, batch(thread, "b"))
    done = await sent(harness, batch(thread, "a", "b", "c"))
    last = "SELECT last_seq, last_message_id FROM chat_thread WHERE id = ?"
    assert await harness.rows(last, thread) == [(3, done.fresh[-1].message_id)]
    unread = "SELECT user_id, unread FROM user_thread WHERE thread_id = ? ORDER BY user_id"
    assert await harness.rows(unread, thread) == [(ANN, 0), (BOB, 3)]
    assert done.fresh[-1].message_id == max(each.message_id for each in done.texts)


@in_both_worlds("source")
async def test_in_the_sources_tables_a_batch_that_is_sent_again_is_stored_again(harness):
    """SD1: they have no place for a message's name."""
    thread = await harness.talking(ANN, BOB)
    first = await sent(harness, batch(thread, "a"))
    again = await sent(harness, batch(thread, "a"))
    assert len({first.texts[0].message_id, again.texts[0].message_id}) == 2
    assert again.fresh == again.texts


@in_both_worlds()
async def test_a_name_is_its_senders_own_and_told_apart_by_every_byte(harness):
    thread = await harness.talking(ANN, BOB)
    names = ["a", "A", "a ", "á", "ａ"]
    assert len((await sent(harness, batch(thread, *names))).fresh) == len(names)
    assert len((await sent(harness, batch(thread, *names, sender=BOB, receiver=ANN))).fresh) == len(names)


@in_both_worlds()
async def test_a_name_that_is_that_of_a_message_elsewhere_is_refused(harness):
    thread, other = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    await sent(harness, batch(thread, "a"))
    before = await harness.tables()
    with pytest.raises(RefusalError, match="a unique id is that of another message of user 1") as refusal:
        await sent(harness, batch(other, "b", "a", receiver=CAT))
    assert refusal.value.code == ErrorCode.BAD_CONTENT
    assert await harness.tables() == before


@pytest.mark.parametrize("content", ["'; DROP TABLE user; -- \\ ? %s", "\0", "🙂", "\N{LINE SEPARATOR}"], ids=ascii)
@in_both_worlds(BOTH)
async def test_what_is_said_is_stored_as_it_is(harness, content):
    thread = await harness.talking(ANN, BOB)
    await sent(harness, Batch(thread, ANN, BOB, [OutgoingText(content, "a")]))
    (found,) = (await read(harness, "after", thread, 0)).chat_datas
    assert found.msg_content == content


# --- who may


@pytest.mark.parametrize(("sender", "receiver"), [(CAT, BOB), (ANN, CAT), (CAT, DAN), (ANN, ANN), (BOB, BOB)])
@in_both_worlds(BOTH)
async def test_only_the_two_of_a_thread_write_to_each_other_in_it(harness, sender, receiver):
    thread = await harness.talking(ANN, BOB)
    await harness.befriend(CAT, BOB)
    await harness.befriend(ANN, CAT)
    before = await harness.tables()
    with pytest.raises(RefusalError, match="are not the two of private thread") as refusal:
        await sent(harness, batch(thread, "a", sender=sender, receiver=receiver))
    assert refusal.value.code == ErrorCode.NOT_A_MEMBER
    assert await harness.tables() == before


@in_both_worlds(BOTH)
async def test_who_is_no_friend_any_more_is_refused_where_that_is_required(harness):
    thread = await harness.thread(ANN, BOB)
    with pytest.raises(RefusalError, match="user 2 is no friend of user 1") as refusal:
        await sent(harness, batch(thread, "a"))
    assert refusal.value.code == ErrorCode.NOT_FRIENDS
    assert len((await sent(harness, batch(thread, "a"), friends=False)).fresh) == 1


@in_both_worlds(BOTH)
async def test_a_thread_that_is_not_there_takes_nothing(harness):
    with pytest.raises(RefusalError, match="users 1 and 2 are not the two of private thread 4711"):
        await sent(harness, batch(4711, "a"))


@in_both_worlds(BOTH)
async def test_a_group_is_no_private_chat(harness):
    await insert(harness.world.admin, "chat_thread (id, type)", [(70, "group")])
    await insert(harness.world.admin, "group_chat_member (thread_id, user_id)", [(70, ANN), (70, BOB)])
    await harness.befriend(ANN, BOB)
    with pytest.raises(RefusalError, match="are not the two of private thread 70"):
        await sent(harness, batch(70, "a"))


# --- two at once


@in_both_worlds(BOTH)
async def test_a_reader_between_two_writers_misses_nothing_wherever_one_overtakes_the_other(harness):
    """P4: what is read up to the last id, and from there on, is all there is."""
    thread = await harness.talking(ANN, BOB)
    for at in itertools.count():
        seen = []

        async def overtake(tx, at=at, seen=seen):
            done = await sending(harness, batch(thread, f"b{at}", sender=BOB, receiver=ANN))(tx)
            seen.extend((await tx.execute(OF_THREAD, (thread,))).rows)
            return done

        done, overtaken = await harness.crossed(sending(harness, batch(thread, f"a{at}", f"c{at}")), overtake, at)
        assert [each for each in done if isinstance(each, Exception)] == []
        there = await harness.rows(OF_THREAD, thread)
        assert seen == there[: len(seen)], at
        if harness.schema == "hardened":
            numbers = await harness.rows("SELECT seq FROM chat_message ORDER BY message_id")
            assert numbers == [(seq,) for seq in range(1, 3 * at + 4)]
        if not overtaken:
            break
    assert at >= 1


@in_both_worlds("source")
async def test_as_the_source_does_it_a_reader_between_two_writers_misses_a_message(harness):
    """P4: what the test above is to find. D6 of docs/source.md locks nothing."""
    thread = await harness.talking(ANN, BOB)
    row = "INSERT INTO chat_message (thread_id, sender_id, recv_id, content) VALUES (?, ?, ?, 'hello')"
    missed = set()
    for at in itertools.count():
        seen = []

        async def slow(tx):
            await tx.begin()
            await tx.execute(row, (thread, ANN, BOB))
            await tx.commit()

        async def overtake(tx, seen=seen):
            await tx.execute(row, (thread, BOB, ANN))
            seen.extend((await tx.execute(OF_THREAD, (thread,))).rows)

        _, overtaken = await harness.crossed(slow, overtake, at)
        there = await harness.rows(OF_THREAD, thread)
        missed.add(seen != there[: len(seen)])
        if not overtaken:
            break
    assert missed == {True, False}


@in_both_worlds()
async def test_two_who_send_the_same_again_store_it_once_wherever_one_overtakes_the_other(harness):
    """A client's resend on a new connection meets its first try, which is still under way on another node."""
    thread = await harness.talking(ANN, BOB)
    for at in itertools.count():
        names = [f"{at}a", f"{at}b"]
        done, overtaken = await harness.crossed(*[sending(harness, batch(thread, *names))] * 2, at)
        assert done[0].texts == done[1].texts, at
        assert sorted([done[0].fresh, done[1].fresh], key=len) == [(), done[0].texts], at
        if not overtaken:
            break
    assert at >= 1
    assert await harness.rows("SELECT COUNT(*), MAX(seq) FROM chat_message") == [(2 * at + 2,) * 2]


# --- reading


@pytest.mark.parametrize("count", [0, 1, PAGE, PAGE + 1, 2 * PAGE + 1])
@in_both_worlds(BOTH)
async def test_pages_follow_each_other_and_say_whether_there_are_more(harness, count):
    thread = await filled(harness, count)
    everything = [number for (number,) in await harness.rows(OF_THREAD, thread)]
    found, cursor, more = [], 0, True
    while more:
        page = arrives(await read(harness, "after", thread, cursor))
        assert len(page.chat_datas) <= PAGE
        found += [each.msg_id for each in page.chat_datas]
        assert page.last_message_id == (found[-1] if found else cursor)
        cursor, more = page.last_message_id, page.load_more
        assert more == (len(found) < count)
    assert found == everything
    end = await read(harness, "after", thread, cursor)
    assert (end.chat_datas, end.load_more, end.last_message_id) == ((), False, cursor)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("count", [PAGE, PAGE + 1, 2 * PAGE + 1])
@in_both_worlds()
async def test_pages_by_number_follow_each_other_in_both_directions(harness, count, backward):
    thread = await filled(harness, count)
    found, more = [], True
    cursor = count + 1 if backward else 0
    while more:
        page = arrives(await read(harness, "next_to", thread, cursor, backward=backward))
        numbers = [each.seq for each in page.texts]
        assert numbers == sorted(numbers), "a page is in order, in either direction"
        found = numbers + found if backward else found + numbers
        cursor, more = (found[0] if backward else found[-1]), page.load_more
        assert more == (len(found) < count)
    assert found == list(range(1, count + 1))
    end = await read(harness, "next_to", thread, cursor, backward=backward)
    assert (end.texts, end.load_more) == ((), False)


@pytest.mark.parametrize("character", ["好", "\x01", '"'], ids=ascii)
@in_both_worlds(BOTH)
async def test_a_page_that_would_not_fit_into_a_frame_is_cut_and_there_are_more(harness, character):
    content = character * 1_000
    thread = await filled(harness, 60, content=content)
    found, cursor, sizes = [], 0, []
    more = True
    while more:
        page = arrives(await read(harness, "after", thread, cursor))
        sizes.append(len(page.chat_datas))
        found += page.chat_datas
        cursor, more = page.last_message_id, page.load_more
        assert more == (len(found) < 60)
    assert {each.msg_content for each in found} == {content}
    assert [each.msg_id for each in found] == [number for (number,) in await harness.rows(OF_THREAD, thread)]
    assert sizes[0] < 60
    room = 65_535 - len(encode(await read(harness, "after", thread, 0)))
    assert room < len(encode(await read(harness, "after", thread, found[-2].msg_id))), "one more would not have fitted"


@in_both_worlds()
async def test_so_is_a_page_backwards_and_the_messages_next_to_the_cursor_are_on_it(harness):
    thread = await filled(harness, 60, content="好" * 1_000)
    page = arrives(await read(harness, "next_to", thread, 61, backward=True))
    numbers = [each.seq for each in page.texts]
    assert numbers == list(range(61 - len(numbers), 61))
    assert len(numbers) < 60
    assert page.load_more


@in_both_worlds(BOTH)
async def test_a_message_that_no_frame_can_hold_is_cut_short_and_holds_up_nobody(harness):
    """No client of ours can send one, but the tables can hold it. A control character is six bytes in a frame."""
    content = "\x01" * 65_535
    thread = await filled(harness, 3, content=content)
    found, cursor, more = [], 0, True
    while more:
        page = arrives(await read(harness, "after", thread, cursor))
        assert page.chat_datas
        found += page.chat_datas
        cursor, more = page.last_message_id, page.load_more
    assert [each.msg_content for each in found] == [content[:10_000]] * 3


@in_both_worlds(BOTH)
async def test_a_page_is_of_its_thread_only(harness):
    thread, other = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    for number in range(3):
        await sent(harness, batch(thread, f"a{number}"))
        await sent(harness, batch(other, f"b{number}", receiver=CAT))
    page = await read(harness, "after", thread, 0)
    assert [each.msg_content for each in page.chat_datas] == ["I am a0", "I am a1", "I am a2"]
    assert {each.thread_id for each in page.chat_datas} == {thread}
