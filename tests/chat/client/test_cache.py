"""What a client remembers: what it is told in whatever order, against a memory that is a set; on both local stores."""

import asyncio
import functools

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted_server import FREE, ME, OTHER, TIME, PowerCutError, PowerCutStore

from chatsim.chat.client.cache import Cache, Pending, State, WrongOwnerError
from chatsim.chat.protocol import FriendEntry, Member, NumberedText, ThreadState
from chatsim.simulation.loop import run
from chatsim.worlds.model.local_store import ModelStore
from chatsim.worlds.mysql.local_store import SqliteStore

STRANGER = 9
THREAD = 5
LONGEST = 12


def on_both_stores(body):
    @pytest.mark.parametrize("store", ["SQLite in a thread", "SQLite in the model"])
    @functools.wraps(body)
    def test(store, tmp_path):
        path = str(tmp_path / "local.db")
        if store == "SQLite in a thread":
            asyncio.run(played(body, lambda: SqliteStore(path)))
        else:
            run(played(body, lambda: ModelStore(path, FREE)))

    del test.__wrapped__  # its parameters are not fixtures
    return test


async def played(body, new_store):
    opened = []

    async def device(uid=ME):
        """A cache on the file, as after a start of the client."""
        store = PowerCutStore(new_store())
        cache = Cache(store, uid)
        opened.append(cache)
        await cache.open()
        cache.store = store
        return cache

    try:
        await body(device)
    finally:
        for cache in opened:
            await cache.close()


def sender(seq):
    return ME if seq % 3 == 0 else OTHER


def text(seq, message_id=None):
    return NumberedText(seq, message_id or 1000 + seq, sender(seq), f"u{seq}", 0, f"text {seq}", 0, TIME)


def texts(*seqs):
    return [text(seq) for seq in seqs]


def others(after, last):
    """How many messages of the other there are above the first number, up to the second."""
    return sum(sender(seq) != ME for seq in range(after + 1, last + 1))


def state(last_seq=0, read1=0, read2=0, thread_id=THREAD, **more):
    of_thread = (thread_id, "private", ME, OTHER, last_seq, read1, read2)
    return ThreadState(*of_thread, more.pop("version", 1), others(read1, last_seq), **more)


def pending(name, thread_id=THREAD, deadline=100.0, content="hello"):
    return Pending(name, thread_id, OTHER, content, deadline)


async def here(cache):
    """What is here without a hole, the texts that are shown, and how many are unread."""
    thread = await cache.thread(THREAD)
    shown = [each.seq for each in await cache.newest(THREAD, 100)]
    return (thread.floor, thread.cursor), shown, await cache.unread(thread)


# --- texts and the cursor


@on_both_stores
async def test_the_cursor_moves_over_what_follows_it_without_a_hole(device):
    cache = await device()
    await cache.note_threads([state(last_seq=9)])
    await cache.keep(THREAD, texts(1, 2))
    assert await here(cache) == ((1, 2), [1, 2], 9)
    await cache.keep(THREAD, texts(4, 5))
    assert await here(cache) == ((1, 2), [1, 2, 4, 5], 9)


@on_both_stores
async def test_what_fills_a_hole_takes_the_cursor_over_all_that_was_waiting_behind_it(device):
    cache = await device()
    await cache.note_threads([state(last_seq=5)])
    await cache.keep(THREAD, texts(5))
    await cache.keep(THREAD, texts(2, 3))
    await cache.keep(THREAD, texts(1))
    assert (await here(cache))[0] == (1, 3)
    await cache.keep(THREAD, texts(4))
    assert (await here(cache))[0] == (1, 5)


@on_both_stores
async def test_the_end_of_a_long_thread_is_had_first_and_older_pages_join_it(device):
    cache = await device()
    await cache.note_threads([state(last_seq=300)])
    await cache.keep_newest(THREAD, texts(299, 300))
    assert (await here(cache))[0] == (299, 300)
    await cache.keep(THREAD, texts(296, 297, 298))
    assert (await here(cache))[0] == (296, 300)


@on_both_stores
async def test_the_end_of_a_thread_of_which_something_is_here_leaves_the_hole_known(device):
    cache = await device()
    await cache.note_threads([state(last_seq=9)])
    await cache.keep(THREAD, texts(1, 2))
    await cache.keep_newest(THREAD, texts(8, 9))
    assert (await here(cache))[0] == (1, 2)


@on_both_stores
async def test_what_came_long_before_the_newest_page_is_not_shown_as_if_it_were_next_to_it(device):
    cache = await device()
    await cache.note_threads([state(last_seq=50)])
    await cache.keep(THREAD, texts(50))  # a push; and the client goes away before it has fetched anything
    await cache.keep_newest(THREAD, texts(299, 300))
    assert await here(cache) == ((299, 300), [299, 300], others(0, 50) + 250 - 1)
    await cache.keep(THREAD, texts(*range(51, 299)))
    assert (await here(cache))[0] == (50, 300)


@on_both_stores
async def test_a_page_its_cursor_and_what_it_takes_off_the_way_are_one_transaction(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.put(pending("u3"))
    cache.store.left = 0
    with pytest.raises(PowerCutError):
        await cache.keep(THREAD, texts(1, 2, 3))
    assert await here(await device()) == ((1, 0), [None], 0)
    cache.store.left = 1
    await cache.keep(THREAD, texts(1, 2, 3))
    assert await here(await device()) == ((1, 3), [1, 2, 3], 2)


@on_both_stores
async def test_a_text_whose_id_is_anothers_is_no_reason_to_move_over_its_place(device):
    cache = await device()
    await cache.note_threads([state(last_seq=2)])
    await cache.keep(THREAD, [text(1), text(2, message_id=1001)])
    assert (await here(cache))[0] == (1, 1)


@on_both_stores
async def test_a_text_for_a_thread_that_is_not_known_is_kept_until_it_is(device):
    cache = await device()
    await cache.keep(THREAD, texts(1))
    assert await cache.newest(THREAD, 10) == []
    await cache.note_threads([state(last_seq=2)])
    await cache.keep(THREAD, texts(2))
    assert await here(cache) == ((1, 2), [1, 2], 2)


@on_both_stores
async def test_older_texts_are_paged_by_their_number_and_those_on_their_way_stand_behind_the_newest_only(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.keep(THREAD, texts(*range(1, 8)))
    await cache.put(pending("mine"))
    assert [each.seq for each in await cache.newest(THREAD, 3)] == [5, 6, 7, None]
    assert [each.seq for each in await cache.newest(THREAD, 3, before=5)] == [2, 3, 4]
    assert [each.seq for each in await cache.newest(THREAD, 3, before=2)] == [1]


@on_both_stores
async def test_a_message_is_read_as_far_as_the_one_who_is_to_read_it_has(device):
    cache = await device()
    await cache.note_threads([state(last_seq=6, read1=2, read2=3)])
    await cache.keep(THREAD, texts(*range(1, 7)))
    read = {each.seq for each in await cache.newest(THREAD, 10) if each.state is State.READ}
    assert read == {1, 2, 3}  # 1, 2 are the other's, 3 and 6 are mine


@on_both_stores
async def test_what_is_said_of_a_thread_takes_nothing_back(device):
    cache = await device()
    await cache.note_threads([state(last_seq=9, read1=4, read2=5)])
    await cache.note_threads([state(last_seq=8, read1=3, read2=4)])
    await cache.note_read(THREAD, ME, 2)
    await cache.note_read(THREAD, OTHER, 7)
    await cache.note_read(THREAD, STRANGER, 9)
    (thread,) = await cache.threads()
    known = (thread.last_seq, thread.read1, thread.read2, thread.floor, thread.cursor, thread.start)
    assert known == (9, 4, 7, 1, 0, 2**62)


@on_both_stores
async def test_what_the_user_has_read_is_untold_until_the_server_knows_it(device):
    cache = await device()
    theirs = ThreadState(6, "private", OTHER - 5, ME, 9, 8, 2, 1, 0)
    await cache.note_threads([state(last_seq=9, read1=2, read2=8), theirs])
    assert await cache.unreported() == []
    for thread_id in (THREAD, 6):
        await cache.note_read(thread_id, ME, 5)
    assert await (await device()).unreported() == [(THREAD, 5), (6, 5)]
    await cache.note_reported(THREAD, 4)
    await cache.note_reported(6, 5)
    assert await cache.unreported() == [(THREAD, 5)]
    await cache.note_threads([state(last_seq=9, read1=5)])
    assert await cache.unreported() == []


def group(version, last_seq=0, read=0, **more):
    return ThreadState(THREAD, "group", 0, 0, last_seq, read, 0, version, 0, **{"name": "us"} | more)


@on_both_stores
async def test_in_a_group_the_first_read_position_is_ones_own(device):
    cache = await device()
    await cache.note_threads([group(1, last_seq=6, read=2)])
    await cache.keep(THREAD, texts(*range(1, 7)))
    read = {each.seq for each in await cache.newest(THREAD, 10) if each.state is State.READ}
    assert read == {1, 2}, "of one's own, it is not known who has read them"
    await cache.note_read(THREAD, OTHER, 5)
    await cache.note_read(THREAD, ME, 4)
    thread = await cache.thread(THREAD)
    assert (thread.read_by(ME), await cache.unread(thread)) == (4, 1)
    (head,) = await cache.heads()
    assert head.unread == 1
    assert await cache.unreported() == [(THREAD, 4)]


@on_both_stores
async def test_a_group_that_was_left_goes_from_the_list_and_its_messages_stay(device):
    cache = await device()
    await cache.note_threads([group(1, last_seq=3, role=1, roster=4)])
    await cache.keep(THREAD, texts(1, 2))
    await cache.note_read(THREAD, ME, 2)
    await cache.note_threads([group(2, role=-1, name="", roster=0)])
    assert await cache.threads() == await cache.heads() == await cache.behind() == await cache.unreported() == []
    left = await cache.thread(THREAD)
    assert (left.left, left.name, left.last_seq, left.roster) == (True, "us", 3, 4)
    assert [each.seq for each in await cache.newest(THREAD, 10)] == [1, 2]
    await cache.note_threads([group(1, last_seq=3, role=1)])
    assert (await cache.thread(THREAD)).left, "an earlier state that arrives late takes nothing back"


@on_both_stores
async def test_who_is_added_later_has_no_gap_before_the_first_message(device):
    cache = await device()
    await cache.note_threads([group(1, last_seq=5, first=4)])
    assert [each.thread_id for each in await cache.behind()] == [THREAD]
    await cache.note_start(100)
    assert (await cache.thread(THREAD)).start == 4
    await cache.keep_newest(THREAD, texts(4, 5))
    assert await cache.behind() == []
    assert (await cache.thread(THREAD)).floor == 4


@on_both_stores
async def test_who_is_added_again_begins_anew_behind_the_gap(device):
    cache = await device()
    await cache.note_threads([group(1, last_seq=2)])
    await cache.keep(THREAD, texts(1, 2))
    await cache.note_threads([group(2, role=-1)])
    await cache.keep(THREAD, texts(6))  # pushed, before it is known that one is a member again
    await cache.note_threads([group(3, last_seq=7, first=6, read=5)])
    thread = await cache.thread(THREAD)
    assert (thread.left, thread.floor, thread.cursor, thread.first) == (False, 6, 6, 6)
    await cache.keep(THREAD, texts(7))
    assert await cache.behind() == []
    assert [each.seq for each in await cache.newest(THREAD, 10)] == [6, 7]


@on_both_stores
async def test_who_is_added_again_at_once_has_no_gap(device):
    cache = await device()
    await cache.note_threads([group(1, last_seq=2)])
    await cache.keep(THREAD, texts(1, 2))
    await cache.note_threads([group(2, role=-1)])
    await cache.note_threads([group(3, last_seq=2, first=3, read=2)])
    await cache.keep(THREAD, texts(3))
    assert [each.seq for each in await cache.newest(THREAD, 10)] == [1, 2, 3]


@on_both_stores
async def test_members_are_known_until_they_have_changed_and_names_for_ever(device):
    cache = await device()
    await cache.note_threads([group(1, roster=2)])
    assert (await cache.members(THREAD), await cache.listed(THREAD)) == (None, -1)
    both = [Member(1, "ann", 2, "", 0, 0), Member(2, "bob", 0, "2026-01-01 00:00:00", 0, 0)]
    await cache.note_members(THREAD, 2, both)
    assert await (await device()).members(THREAD) == both
    await cache.note_threads([group(2, roster=3)])
    assert await cache.members(THREAD) is None
    await cache.note_members(THREAD, 3, both[:1])
    assert await cache.members(THREAD) == both[:1]
    assert await cache.names(THREAD) == {1: "ann", 2: "bob"}, "texts of earlier members need their names"


@pytest.mark.parametrize("lacking", [["role"], ["name", "role", "first", "roster", "muted_until", "listed"]])
def test_a_database_of_an_earlier_version_gets_what_it_lacks(lacking, tmp_path):
    async def body():
        store = ModelStore(str(tmp_path / "local.db"), FREE)
        cache = Cache(store, ME)
        await cache.open()
        await cache.note_threads([state(last_seq=6, read1=2)])
        for column in lacking:
            await store.execute(f"ALTER TABLE thread DROP COLUMN {column}")
        await cache.open()
        await cache.note_threads([group(1, last_seq=2, role=1), state(last_seq=7, thread_id=6)])
        assert [(each.thread_id, each.role) for each in await cache.threads()] == [(THREAD, 1), (6, 0)]
        await cache.close()

    run(body())


@on_both_stores
async def test_the_version_that_is_known_does_not_go_back(device):
    cache = await device()
    assert await cache.version() == 0
    await cache.note_version(7)
    await cache.note_version(5)
    assert await (await device()).version() == 7


_NUMBERS = st.integers(1, LONGEST)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.lists(_NUMBERS, max_size=6)),
        st.builds(lambda first, count: ("keep", [*range(first, first + count)]), _NUMBERS, st.integers(1, 4)),
        st.builds(lambda first, count: ("newest", [*range(first, first + count)]), _NUMBERS, st.integers(1, 4)),
        st.tuples(st.just("newest"), st.lists(_NUMBERS, max_size=6)),
        st.tuples(st.just("state"), st.tuples(_NUMBERS, _NUMBERS, _NUMBERS)),
        st.tuples(st.just("read"), st.tuples(st.sampled_from([ME, OTHER]), _NUMBERS)),
    ),
    max_size=12,
)


class Naive:
    """A thread's memory that is a set of numbers."""

    def __init__(self):
        self.kept = set()
        self.floor, self.cursor, self.last = 1, 0, 0
        self.read = {ME: 0, OTHER: 0}
        self.counted = (0, 0)  # the server has counted what is unread between these numbers

    def take(self, what, given):
        if what == "read":
            uid, seq = given
            self.read[uid] = max(self.read[uid], seq)
        elif what == "state":
            last, read1, read2 = given
            self.last = max(self.last, last)
            self.read = {ME: max(self.read[ME], read1), OTHER: max(self.read[OTHER], read2)}
            self.counted = (read1, last)
        elif given:
            if what == "newest" and self.cursor < self.floor:
                self.floor, self.cursor = min(given), min(given) - 1
            self.kept |= {*given}
            self.last = max(self.last, *given)
        while self.cursor + 1 in self.kept:
            self.cursor += 1
        while self.floor - 1 in self.kept:
            self.floor -= 1

    def unread(self):
        since, counted = self.read[ME], 0
        if self.counted[0] == since and self.floor > since + 1:
            counted = others(*self.counted)
            since = self.counted[1]
        return counted + sum(seq not in self.kept or sender(seq) != ME for seq in range(since + 1, self.last + 1))


@given(_STEPS)
def test_pages_and_pushes_in_any_order_are_kept_once_and_leave_no_hole_behind_the_cursor(steps):
    async def main():
        cache, naive = Cache(ModelStore(":memory:", FREE), ME), Naive()
        await cache.open()
        await cache.note_threads([state()])
        cursor = 0
        for what, given_ in steps:
            match what:
                case "keep":
                    await cache.keep(THREAD, texts(*given_))
                case "newest":
                    await cache.keep_newest(THREAD, texts(*given_))
                case "state":
                    await cache.note_threads([state(*given_)])
                case "read":
                    await cache.note_read(THREAD, *given_)
            naive.take(what, given_)
            thread = await cache.thread(THREAD)
            assert (thread.floor, thread.cursor, thread.last_seq) == (naive.floor, naive.cursor, naive.last)
            assert (thread.read1, thread.read2) == (naive.read[ME], naive.read[OTHER])
            assert thread.cursor >= cursor
            cursor = thread.cursor
            shown = await cache.newest(THREAD, 100)
            assert [each.seq for each in shown] == sorted(seq for seq in naive.kept if seq >= naive.floor)
            assert all(each.content == f"text {each.seq}" and each.sender == sender(each.seq) for each in shown)
            assert await cache.unread(thread) == naive.unread()
        await cache.close()

    run(main())


# --- changes of texts


def changed(seq, revision, content):
    """Message number ``seq`` after the thread's change number ``revision``: an edit, or None for a recall."""
    return msgspec.structs.replace(
        text(seq), content=content or "", status=2 if content is None else 0, revision=revision
    )


async def contents(cache):
    return [
        (each.seq, each.content, each.state is State.RECALLED, each.edited) for each in await cache.newest(THREAD, 99)
    ]


async def revisions(cache):
    thread = await cache.thread(THREAD)
    return thread.revision, thread.last_revision


@on_both_stores
async def test_a_message_is_replaced_by_a_later_change_and_never_by_an_earlier_one(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.keep(THREAD, texts(1, 2))
    await cache.keep_changed(THREAD, [changed(1, 2, "two")])
    await cache.keep_changed(THREAD, [changed(1, 1, "one")])
    await cache.keep(THREAD, texts(1))
    assert await contents(cache) == [(1, "two", False, True), (2, "text 2", False, False)]
    await cache.keep(THREAD, [changed(1, 3, None)])
    assert await contents(await device()) == [(1, "", True, False), (2, "text 2", False, False)]


@on_both_stores
async def test_changes_are_here_up_to_the_last_one_that_follows_without_a_hole(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.keep(THREAD, texts(1, 2, 3))
    await cache.keep_changed(THREAD, [changed(1, 1, "a")])
    assert (await revisions(cache), await cache.outdated()) == ((1, 1), [])
    await cache.keep_changed(THREAD, [changed(3, 3, "c")])
    assert await revisions(cache) == (1, 3)
    assert [thread.thread_id for thread in await cache.outdated()] == [THREAD]
    await cache.keep_changes(THREAD, [changed(2, 2, "b"), changed(3, 3, "c")], 3)
    assert (await revisions(await device()), await cache.outdated()) == ((3, 3), [])
    await cache.note_threads([state(last_revision=5)])
    assert [thread.thread_id for thread in await cache.outdated()] == [THREAD]
    await cache.keep_changes(THREAD, [], 5)  # of messages that the user may not read
    assert (await revisions(cache), await cache.outdated()) == ((5, 5), [])


@on_both_stores
async def test_a_change_of_a_message_that_is_not_here_is_kept_for_when_it_comes(device):
    cache = await device()
    await cache.note_threads([state(last_seq=3)])
    await cache.keep_changed(THREAD, [changed(2, 1, None)])
    await cache.keep(THREAD, texts(1, 2, 3))  # a page that was read before the change
    assert await contents(cache) == [
        (1, "text 1", False, False),
        (2, "", True, False),
        (3, "text 3", False, False),
    ]


@on_both_stores
async def test_of_a_thread_that_is_new_here_all_changes_so_far_are_in_what_is_loaded(device):
    cache = await device()
    await cache.note_threads([state(last_seq=300, last_revision=7)])
    assert (await revisions(cache), await cache.outdated()) == ((7, 7), [])
    await cache.keep_pushed(THREAD, texts(299))  # a push that was late: the message may have been changed since
    assert await contents(cache) == []
    await cache.keep_newest(THREAD, [*texts(298), changed(299, 6, "b"), *texts(300)])
    await cache.keep_pushed(THREAD, texts(299, 301))
    assert [content for _, content, *_ in await contents(cache)] == ["text 298", "b", "text 300", "text 301"]


@on_both_stores
async def test_a_late_notice_of_a_message_that_is_not_here_is_left_to_what_is_loaded(device):
    cache = await device()
    await cache.note_threads([state(last_seq=300, last_revision=7)])
    await cache.keep_changed(THREAD, [changed(300, 6, "a")])
    assert await contents(cache) == []
    await cache.keep_newest(THREAD, [*texts(299), changed(300, 7, "b")])
    await cache.keep_changed(THREAD, [changed(300, 6, "a")])
    assert [content for _, content, *_ in await contents(cache)] == ["text 299", "b"]


@on_both_stores
async def test_of_a_thread_of_which_a_text_came_first_all_changes_are_asked_for(device):
    cache = await device()
    await cache.keep_pushed(THREAD, texts(5))
    await cache.note_threads([state(last_seq=5, last_revision=2)])
    assert await revisions(cache) == (0, 2)


@on_both_stores
async def test_a_changed_text_of_ones_own_that_was_on_its_way_is_so_no_longer(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.put(pending("u3"))
    await cache.keep_changed(THREAD, [changed(3, 1, "edited")])
    assert await cache.on_their_way(THREAD) == []


class Servers:
    """A thread as its server has it, and what is under way to a client: pushes, notices and pages, each read at a time.

    What the client is given comes in any order; pages are replies, and so are read after what was asked before them.
    """

    def __init__(self):
        self.texts, self.revision = [], 0
        self.pushes, self.notices = [], []

    def write(self):
        self.texts.append(text(len(self.texts) + 1))
        self.pushes.append(self.texts[-1])

    def change(self, seq, content):
        if seq <= len(self.texts) and self.texts[seq - 1].status == 0:
            self.revision += 1
            self.texts[seq - 1] = changed(seq, self.revision, content)
            self.notices.append(self.texts[seq - 1])

    def state(self):
        return state(len(self.texts), version=1 + len(self.texts) + self.revision, last_revision=self.revision)


_FEW = 3  # messages that are changed, so that several events are about the same one
_WHICH = st.integers(0, 2)
_EVENTS = st.lists(
    st.one_of(
        st.just(("write",)),
        st.tuples(st.just("edit"), st.integers(1, _FEW)),
        st.tuples(st.just("edit"), st.integers(1, _FEW)),
        st.tuples(st.just("recall"), st.integers(1, _FEW)),
        st.tuples(st.just("push"), _WHICH),  # one of those that are under way arrives
        st.tuples(st.just("notice"), _WHICH),
        st.tuples(st.just("notice"), st.just(0)),
        st.just(("state",)),
        st.tuples(st.just("ask"), st.integers(0, _FEW - 1), st.integers(1, _FEW)),  # a page is read at the server
        st.tuples(st.just("page"), _WHICH),  # and arrives, maybe much later
        st.just(("changes",)),
        st.just(("cut",)),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=500)
@given(st.integers(0, _FEW), _EVENTS)
@example(2, [("state",), ("ask", 0, 2), ("edit", 1), ("notice", 0), ("page", 0)])
@example(0, [("write",), ("write",), ("edit", 1), ("state",), ("push", 0)])
@example(0, [("write",), ("edit", 1), ("edit", 1), ("state",), ("notice", 0)])
def test_whatever_arrives_in_whatever_order_after_one_whole_sync_every_message_is_the_latest(  # noqa: C901
    there, events
):
    async def main():  # noqa: C901, PLR0912
        store = ModelStore(":memory:", FREE)
        cache, server, pages, known = Cache(store, ME), Servers(), [], False
        await cache.open()
        for _ in range(there):
            server.write()
        for number, (what, *given_) in enumerate(events):
            match what:
                case "write":
                    server.write()
                case "edit":
                    server.change(*given_, f"edit {number}")
                case "recall":
                    server.change(*given_, None)
                case "push" if server.pushes:
                    await cache.keep_pushed(THREAD, [server.pushes.pop(given_[0] % len(server.pushes))])
                case "notice" if server.notices:
                    await cache.keep_changed(THREAD, [server.notices.pop(given_[0] % len(server.notices))])
                case "state":
                    await cache.note_threads([server.state()])
                    known = True
                case "ask" if known:
                    after, count = given_
                    pages.append(server.texts[after : after + count])
                case "page" if pages:
                    await cache.keep(THREAD, pages.pop(given_[0] % len(pages)))
                case "changes" if known:
                    await ask_for_changes(cache, server)
                case "cut":
                    pages.clear()  # the connection has broken, and with it what was under way
                    server.pushes.clear()
                    server.notices.clear()
        await cache.note_threads([server.state()])
        await cache.keep(THREAD, server.texts[(await cache.thread(THREAD)).cursor :])
        for page in pages:  # and what still arrives afterwards changes nothing
            await cache.keep(THREAD, page)
        await ask_for_changes(cache, server)
        for late in server.pushes:
            await cache.keep_pushed(THREAD, [late])
        rows = await store.execute("SELECT seq, content, status, revision FROM message ORDER BY seq")
        latest = {text.seq: text for text in server.texts}
        assert [*rows.rows] == [
            (seq, latest[seq].content, latest[seq].status, latest[seq].revision) for seq, *_ in rows.rows
        ]
        assert (await revisions(cache))[0] == server.revision
        await cache.close()

    run(main())


async def ask_for_changes(cache, server):
    """What `sync` does: all changes after the last one that is here."""
    thread = await cache.thread(THREAD)
    if thread.revision < thread.last_revision:
        found = sorted(
            (text for text in server.texts if text.revision > thread.revision), key=lambda text: text.revision
        )
        await cache.keep_changes(THREAD, found, max([thread.last_revision, *(text.revision for text in found)]))


# --- what has been delivered


@on_both_stores
async def test_what_has_come_without_a_hole_is_to_be_reported_if_others_wrote_it_and_it_was_not_read(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.keep(THREAD, texts(1, 2, 4))
    assert await cache.undelivered() == [(THREAD, 2)]
    await cache.note_delivery_reported([(THREAD, 2)])
    assert await (await device()).undelivered() == []
    await cache.keep(THREAD, texts(3))  # the user's own
    assert await cache.undelivered() == [(THREAD, 4)]
    await cache.note_read(THREAD, ME, 4)
    await cache.note_reported(THREAD, 4)
    assert await cache.undelivered() == []
    await cache.keep(THREAD, texts(6, 5))
    await cache.note_delivery_reported([(THREAD, 5)])
    assert await cache.undelivered() == [], "number 6 is the user's own"
    assert (await cache.thread(THREAD)).cursor == 6


@on_both_stores
async def test_what_another_device_of_the_user_has_reported_is_not_reported_again(device):
    cache = await device()
    await cache.keep(THREAD, texts(1, 2))
    await cache.note_threads([state(last_seq=2, delivered1=2, delivered2=1)])
    await cache.keep(THREAD, [])
    assert await cache.undelivered() == []


@on_both_stores
async def test_a_message_of_ones_own_is_stored_then_delivered_then_read(device):
    cache = await device()
    await cache.note_threads([state(last_seq=9)])
    await cache.keep(THREAD, texts(*range(1, 10)))
    await cache.note_delivered(THREAD, OTHER, 6)
    await cache.note_delivered(THREAD, OTHER, 5)
    await cache.note_read(THREAD, OTHER, 3)
    states = {each.seq: each.state for each in await cache.newest(THREAD, 10) if each.sender == ME}
    assert states == {3: State.READ, 6: State.DELIVERED, 9: State.UNREAD}
    assert {each.state for each in await cache.newest(THREAD, 10) if each.sender == OTHER} == {State.UNREAD}


@on_both_stores
async def test_what_is_unread_above_a_gap_is_what_the_server_has_counted(device):
    cache = await device()
    await cache.note_threads([state(last_seq=300)])
    await cache.keep_newest(THREAD, texts(*range(201, 301)))
    assert (await here(cache))[2] == others(0, 300)
    await cache.keep(THREAD, texts(301, 302, 303))
    assert (await here(cache))[2] == others(0, 303)
    assert [head.unread for head in await cache.heads()] == [others(0, 303)]
    await cache.note_read(THREAD, ME, 250)
    assert (await here(cache))[2] == others(250, 303)


# --- what is to be sent


@on_both_stores
async def test_what_is_to_be_sent_stays_in_its_order_also_over_a_restart(device):
    cache = await device()
    for name in ("b", "a", "c"):
        await cache.put(pending(name))
    again = await device()
    assert await again.pending() == [pending("b"), pending("a"), pending("c")]
    assert await again.pending(2) == [pending("b"), pending("a")]


@on_both_stores
async def test_a_text_is_taken_off_the_way_when_it_has_come_back_and_only_if_it_is_ones_own(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.put(pending("u3"))
    await cache.put(pending("u4"))
    await cache.keep(THREAD, texts(3, 4))  # 4 is the other's
    assert [each.unique_id for each in await cache.on_their_way(THREAD)] == ["u4"]


@on_both_stores
async def test_a_text_fails_at_its_deadline_and_keeps_its_place_when_it_is_sent_again(device):
    cache = await device()
    for name, deadline in (("a", 10.0), ("b", 30.0), ("c", 20.0)):
        await cache.put(pending(name, deadline=deadline))
    assert await cache.next_deadline() == 10.0
    assert await cache.lapse(9.9) == []
    assert await cache.lapse(20.0) == [(THREAD, "a"), (THREAD, "c")]
    assert await cache.lapse(20.0) == []
    assert await cache.next_deadline() == 30.0
    await cache.send_again("c", 50.0)
    await cache.send_again("b", 99.0)  # it has not failed
    await cache.send_again("nobody", 99.0)
    assert [(each.unique_id, each.deadline) for each in await cache.pending()] == [("b", 30.0), ("c", 50.0)]
    way = [(each.unique_id, each.state) for each in await cache.on_their_way(THREAD)]
    assert way == [("a", State.FAILED), ("b", State.SENDING), ("c", State.SENDING)]


@on_both_stores
async def test_the_deadlines_of_texts_that_are_to_be_sent_can_be_postponed(device):
    cache = await device()
    for name, deadline in (("failed", 10.0), ("long ago", 20.0), ("much later", 1e12)):
        await cache.put(pending(name, deadline=deadline))
    await cache.lapse(10.0)
    await cache.postpone(50.0)
    assert [(each.unique_id, each.deadline) for each in await cache.pending()] == [
        ("long ago", 50.0),
        ("much later", 50.0),
    ]


@on_both_stores
async def test_what_is_acknowledged_is_not_sent_again_and_is_shown_until_it_comes_with_its_number(device):
    cache = await device()
    await cache.note_threads([state()])
    await cache.put(pending("u3"))
    await cache.mark(["u3"], State.UNREAD)
    assert (await cache.pending(), await cache.next_deadline(), await cache.lapse(1e9)) == ([], None, [])
    (shown,) = await cache.newest(THREAD, 10)
    assert (shown.seq, shown.state) == (None, State.UNREAD)
    await cache.keep(THREAD, texts(3))
    (shown,) = await cache.newest(THREAD, 10)
    assert (shown.seq, shown.unique_id) == (3, "u3")


# --- friends, the owner


@on_both_stores
async def test_a_friend_is_called_what_one_has_named_them_or_their_nick_or_their_name(device):
    cache = await device()
    entries = (("ann", 1, "annie", "boss"), ("bob", 2, "bobby", ""), ("eve", 3, "", ""))
    await cache.note_friends(FriendEntry(name, uid, "", nick, 0, "", back) for name, uid, nick, back in entries)
    assert await (await device()).friends() == {1: "boss", 2: "bobby", 3: "eve"}
    await cache.note_friends([FriendEntry("ann", 1, "", "ann!", 0, "", "")])
    await cache.note_friends([])
    assert (await cache.friends())[1] == "ann!"


@on_both_stores
async def test_a_store_has_one_owner(device):
    await device()
    await device()
    with pytest.raises(WrongOwnerError, match=f"this local store is user {ME}'s, not user {OTHER}'s"):
        await device(OTHER)
