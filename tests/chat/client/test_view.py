"""What a client shows, in all three schemes: over a real cache, whose every change is made here."""

import asyncio
import functools
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.chat.client import view
from chatsim.chat.client.cache import Cache, Pending, State
from chatsim.chat.client.messenger import Event
from chatsim.chat.client.view import (
    SCHEMES,
    Changed,
    Incremental,
    Inserted,
    Pool,
    Removed,
    Reset,
    RowList,
    StartAfresh,
    View,
)
from chatsim.chat.ports import LocalStoreUnavailableError
from chatsim.chat.protocol import FriendEntry, Member, NumberedText, ThreadState
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore

ME, ANN, BEN, STRANGER = 5, 7, 8, 9
WITH_ANN, WITH_BEN, WITH_STRANGER, GROUP, UNKNOWN = 1, 2, 3, 4, 99
MEMBERS = {WITH_ANN: (ME, ANN), WITH_BEN: (ME, BEN), WITH_STRANGER: (ME, STRANGER), GROUP: (0, 0)}
FOR_EVER = 2.0**40


def apply(rows, notice):
    """What a user interface does that keeps a list of its own."""
    match notice:
        case Reset(new):
            rows[:] = new
        case Inserted(at, new):
            assert new
            assert 0 <= at <= len(rows)
            rows[at:at] = new
        case Changed(at, row):
            assert rows[at] != row
            rows[at] = row
        case Removed(at, count):
            assert 0 < count <= len(rows) - at
            del rows[at : at + count]


class Watched:
    """A view, and what somebody has seen of it who only changes what changed."""

    def __init__(self, cache, scheme, page=3):
        self.view = View(cache, scheme, page)
        self.threads, self.texts, self.changes = [], [], []
        self.view.threads.subscribe(functools.partial(apply, self.threads))
        self.view.conversation.subscribe(functools.partial(apply, self.texts))
        self.view.conversation.subscribe(self.changes.append)

    async def look(self):
        """Bring it up to date, and return what was told of the conversation."""
        self.changes.clear()
        await self.view.update()
        assert self.texts == list(self.view.conversation)
        assert self.threads == list(self.view.threads)
        return list(self.changes)


class Server:
    """What there is to be known; the tests tell the cache of it as they please, in part, twice, or in disorder."""

    def __init__(self, cache):
        self.cache = cache
        self.texts = {thread: [] for thread in MEMBERS}
        self.changes = dict.fromkeys(MEMBERS, 0)
        self._ids = 0

    def write(self, thread, sender, content="hello", unique_id=None):
        """Store a text, and tell nobody."""
        self._ids += 1
        seq = len(self.texts[thread]) + 1
        name = unique_id or f"{thread}:{seq}"
        self.texts[thread].append(NumberedText(seq, self._ids, sender, name, 0, content, 0, f"at {self._ids}"))

    async def push(self, thread, sender=ANN, content="hello"):
        """Store a text and tell the cache."""
        self.write(thread, sender, content)
        await self.cache.keep(thread, self.texts[thread][-1:])

    def change(self, thread, seq, content):
        """Edit a text, or recall it (None), and tell nobody."""
        self.changes[thread] += 1
        status = 2 if content is None else 0
        changed = {"content": content or "", "status": status, "revision": self.changes[thread]}
        self.texts[thread][seq - 1] = msgspec.structs.replace(self.texts[thread][seq - 1], **changed)
        return self.texts[thread][seq - 1]

    async def say_what_there_is(self, *threads):
        """Tell the cache of the threads."""
        await self.cache.note_threads([self.state(each) for each in threads])

    def state(self, thread):
        texts = self.texts[thread]
        kind = "private" if thread != GROUP else "group"
        unread = sum(text.sender != ME for text in texts)
        of_thread = (thread, kind, *MEMBERS[thread], len(texts), 0, 0, 1, unread)
        return ThreadState(*of_thread, last_revision=self.changes[thread])

    async def tell_changes(self, thread):
        """Give the cache the changes of texts that it lacks, as `sync` does."""
        await self.say_what_there_is(thread)
        known = await self.cache.thread(thread)
        found = sorted(
            (each for each in self.texts[thread] if each.revision > known.revision), key=lambda each: each.revision
        )
        await self.cache.keep_changes(thread, found, self.changes[thread])

    async def catch_up(self, thread):
        """Give the cache what it lacks of a thread, as `sync.fetch` does, two at a time."""
        known = await self.cache.thread(thread)
        if known is None:
            await self.say_what_there_is(thread)
        elif known.cursor < known.floor:
            await self.cache.keep_newest(thread, self.texts[thread][-2:])
        while (known := await self.cache.thread(thread)).cursor < len(self.texts[thread]):
            await self.cache.keep(thread, self.texts[thread][known.cursor : known.cursor + 2])

    async def earlier(self, thread):
        """Give the cache a page from below what it has; two at a time."""
        known = await self.cache.thread(thread)
        if known is None or known.floor <= 1:
            return False
        await self.cache.keep(thread, self.texts[thread][max(0, known.floor - 3) : known.floor - 1])
        return known.floor > 3


@asynccontextmanager
async def memory():
    cache = Cache(ModelStore(":memory:", StoreCosts(call=0, row=0, commit=0)), ME)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


@pytest.fixture
async def cache():
    async with memory() as cache:
        yield cache


@pytest.fixture
async def server(cache):
    """Knows all the threads, and so does the cache; of the friends it knows Ann and Ben."""
    await cache.note_friends([FriendEntry(name, uid, "", "", 0, "", "") for name, uid in (("ann", ANN), ("ben", BEN))])
    server = Server(cache)
    await server.say_what_there_is(*MEMBERS)
    return server


@pytest.fixture(params=SCHEMES)
def watched(request, cache):
    return Watched(cache, SCHEMES[request.param])


async def put(cache, thread, name, content="mine"):
    await cache.put(Pending(name, thread, 0, content, FOR_EVER))


def contents(rows):
    return [(row.content, str(row.state)) for row in rows]


def order(watched):
    return [row.thread_id for row in watched.view.threads]


async def shown(watched, thread):
    watched.view.open(thread)
    return await watched.look()


# --- the list of threads


async def test_the_thread_that_was_written_into_last_comes_first(server, watched):
    for thread in (WITH_BEN, WITH_ANN, WITH_STRANGER):
        await server.push(thread)
    await watched.look()
    assert order(watched) == [WITH_STRANGER, WITH_ANN, WITH_BEN, GROUP]


async def test_a_thread_with_news_moves_up_and_its_preview_is_the_news(server, watched):
    await server.push(WITH_ANN)
    await server.push(WITH_BEN)
    await watched.look()
    changes = []
    watched.view.threads.subscribe(changes.append)
    await server.push(WITH_ANN, content="news")
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert order(watched)[:2] == [WITH_ANN, WITH_BEN]
    assert watched.view.threads[0].last.content == "news"
    assert changes == [Removed(1, 1), Inserted(0, (watched.view.threads[0],))], "the other rows stay where they are"


async def test_a_text_on_its_way_moves_its_thread_up_and_one_that_failed_does_not_keep_it_there(server, cache, watched):
    await server.push(WITH_ANN)
    await put(cache, WITH_BEN, "{1}")
    await watched.look()
    assert order(watched)[0] == WITH_BEN
    assert contents([watched.view.threads[0].last]) == [("mine", "sending")]
    await cache.mark(["{1}"], State.FAILED)
    watched.view.note(Event(WITH_BEN))
    await watched.look()
    assert order(watched)[0] == WITH_ANN
    assert contents([watched.view.threads.row(WITH_BEN).last]) == [("mine", "failed")]


async def test_unread_messages_are_counted_until_they_are_read(server, cache, watched):
    for sender in (ANN, ME, ANN):
        await server.push(WITH_ANN, sender)
    await watched.look()
    assert watched.view.threads.row(WITH_ANN).unread == 2
    await cache.note_read(WITH_ANN, ME, 3)
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert watched.view.threads.row(WITH_ANN).unread == 0


async def test_strangers_and_groups_have_titles_too(server, watched):
    await watched.look()
    titles = {row.thread_id: (row.other, row.title) for row in watched.view.threads}
    assert titles == {
        WITH_ANN: (ANN, "ann"),
        WITH_BEN: (BEN, "ben"),
        WITH_STRANGER: (STRANGER, "user 9"),
        GROUP: (0, "group 4"),
    }


async def test_somebody_who_becomes_a_friend_gets_their_name(server, cache, watched):
    await watched.look()
    await cache.note_friends([FriendEntry("carl", STRANGER, "", "", 0, "", "")])
    watched.view.note(Event())
    await watched.look()
    assert watched.view.threads.row(WITH_STRANGER).title == "carl"
    assert watched.view.names[STRANGER] == "carl"


async def test_a_thread_nobody_knows_of_has_no_row(server, watched):
    await watched.look()
    assert watched.view.threads.row(UNKNOWN) is None


# --- the conversation


async def test_nothing_is_open_at_first(server, watched):
    assert await watched.look() == []
    assert watched.view.conversation.thread_id is None
    assert await watched.view.older(server.earlier) is False


async def test_own_and_others_messages_have_their_states(server, cache, watched):
    for sender in (ME, ANN, ME, ANN):
        await server.push(WITH_ANN, sender)
    await cache.note_read(WITH_ANN, ANN, 1)
    await cache.note_read(WITH_ANN, ME, 2)
    await put(cache, WITH_ANN, "{1}")
    await put(cache, WITH_ANN, "{2}")
    await cache.mark(["{1}"], State.FAILED)
    watched.view._page = 10
    await shown(watched, WITH_ANN)
    assert [(row.sender, str(row.state)) for row in watched.texts] == [
        (ME, "read"),
        (ANN, "read"),
        (ME, "unread"),
        (ANN, "unread"),
        (ME, "failed"),
        (ME, "sending"),
    ]


async def test_a_text_is_delivered_then_read_and_whatever_it_was_it_may_be_edited_or_recalled(server, cache, watched):
    for _ in range(3):
        await server.push(WITH_ANN, ME)
    await shown(watched, WITH_ANN)

    async def states():
        watched.view.note(Event(WITH_ANN))
        await watched.look()
        return [(row.content, str(row.state), row.edited) for row in watched.texts]

    await cache.note_delivered(WITH_ANN, ANN, 2)
    await cache.note_read(WITH_ANN, ANN, 1)
    assert [state for _, state, _ in await states()] == ["read", "delivered", "unread"]
    await cache.keep_changed(WITH_ANN, [server.change(WITH_ANN, 1, "edited")])
    await cache.keep_changed(WITH_ANN, [server.change(WITH_ANN, 2, None)])
    assert await states() == [("edited", "read", True), ("", "recalled", False), ("hello", "unread", False)]
    await cache.note_read(WITH_ANN, ANN, 3)
    assert await states() == [("edited", "read", True), ("", "recalled", False), ("hello", "read", False)]
    server.change(WITH_ANN, 3, "late")
    await cache.keep_changed(WITH_ANN, [server.change(WITH_ANN, 1, None)])  # the change before it has not come yet
    assert [content for content, *_ in await states()] == ["", "", "hello"]
    await server.tell_changes(WITH_ANN)
    assert [content for content, *_ in await states()] == ["", "", "late"]
    assert str(watched.view.threads[0].last.content) == "late"


async def test_a_message_that_comes_twice_is_shown_once(server, cache, watched):
    await shown(watched, WITH_ANN)
    for _ in range(2):
        await cache.keep(WITH_ANN, [NumberedText(1, 1, ANN, "{a}", 0, "once", 0, "")])
        watched.view.note(Event(WITH_ANN))
        await watched.look()
    assert contents(watched.texts) == [("once", "unread")]


async def test_what_is_on_its_way_stands_in_the_order_of_sending_behind_what_has_a_number(server, cache, watched):
    await shown(watched, WITH_ANN)
    for name in ("{z}", "{a}", "{m}"):  # by name they would stand otherwise
        await put(cache, WITH_ANN, name, content=name)
    await server.push(WITH_ANN, content="theirs")
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert [row.content for row in watched.texts] == ["theirs", "{z}", "{a}", "{m}"]
    server.write(WITH_ANN, ANN, "between")
    server.write(WITH_ANN, ME, "{z}", unique_id="{z}")
    await server.catch_up(WITH_ANN)
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert [row.content for row in watched.texts] == ["theirs", "between", "{z}", "{a}", "{m}"]


async def test_a_history_that_comes_after_a_push_stands_before_it(server, cache, watched):
    await server.push(WITH_ANN, content="1")
    await shown(watched, WITH_ANN)
    server.write(WITH_ANN, ANN, "2")
    await server.push(WITH_ANN, content="3")
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert [row.content for row in watched.texts] == ["1", "3"]
    await server.catch_up(WITH_ANN)
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    assert [row.content for row in watched.texts] == ["1", "2", "3"]


async def test_switching_keeps_what_is_pending(server, cache, watched):
    await shown(watched, WITH_ANN)
    await put(cache, WITH_ANN, "{1}")
    watched.view.note(Event(WITH_ANN))
    await shown(watched, WITH_BEN)
    assert watched.texts == []
    await cache.mark(["{1}"], State.FAILED)
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    await shown(watched, WITH_ANN)
    assert contents(watched.texts) == [("mine", "failed")]


@pytest.mark.parametrize("thread", [GROUP, WITH_STRANGER, UNKNOWN])
async def test_opening_a_group_or_the_thread_of_a_stranger_shows_nothing_of_the_one_before(server, watched, thread):
    await server.push(WITH_ANN)
    await shown(watched, WITH_ANN)
    assert len(watched.texts) == 1
    await shown(watched, thread)
    assert (watched.view.conversation.thread_id, watched.texts) == (thread, [])


def of_group(version, **more):
    return ThreadState(GROUP, "group", 0, 0, 0, 0, 0, version, 0, **more)


async def test_a_group_has_its_name_and_goes_from_the_list_when_it_was_left(server, watched):
    await server.say_what_there_is(WITH_ANN, WITH_BEN)
    await server.cache.note_threads([of_group(1, name="us")])
    await shown(watched, GROUP)
    assert watched.view.threads.row(GROUP).title == "us"
    await server.cache.note_threads([of_group(2, name="them", role=2)])
    watched.view.note(Event(GROUP))
    await watched.look()
    assert watched.view.threads.row(GROUP).title == "them"
    await server.push(GROUP)
    await server.cache.note_threads([of_group(3, role=-1)])
    for event in (Event(GROUP), Event(GROUP), Event()):
        watched.view.note(event)
        await watched.look()
        assert GROUP not in {row.thread_id for row in watched.threads}
        assert watched.view.threads.row(GROUP) is None
        assert contents(watched.texts) == [("hello", "unread")], "what is open stays open"
    await server.cache.note_threads([of_group(4, name="us again")])
    watched.view.note(Event())
    await watched.look()
    assert watched.view.threads.row(GROUP).title == "us again"


async def test_members_of_the_open_group_have_names(server, watched):
    await server.cache.note_friends([FriendEntry("ann", ANN, "", "", 0, "", "Annie")])
    await server.cache.note_threads([of_group(1, name="us", roster=1)])
    await server.push(GROUP, sender=STRANGER)
    await shown(watched, GROUP)
    assert (watched.view.name_of(STRANGER), watched.view.has_names()) == (f"user {STRANGER}", False)
    members = [Member(STRANGER, "zoe", 0, "", 0, 0), Member(ANN, "ann", 2, "", 0, 0)]
    await server.cache.note_members(GROUP, 1, members)
    watched.view.note(Event(GROUP))
    await watched.look()
    assert (watched.view.name_of(STRANGER), watched.view.has_names()) == ("zoe", True)
    assert watched.view.name_of(ANN) == "Annie", "one's own name for a friend comes first"


async def test_what_is_written_is_for_the_thread_whose_rows_are_shown(server, watched):
    await shown(watched, WITH_ANN)
    watched.view.open(WITH_BEN)
    assert watched.view.conversation.thread_id == WITH_ANN, "until the rows are there"
    seen = []
    watched.view.conversation.subscribe(lambda _: seen.append(watched.view.conversation.thread_id))
    await watched.look()
    assert seen == [WITH_BEN]


async def test_a_thread_that_is_not_known_is_shown_when_it_is(server, cache, watched):
    await shown(watched, UNKNOWN)
    await cache.note_threads([ThreadState(UNKNOWN, "private", ME, ANN, 1, 0, 0, 1, 0)])
    await cache.keep(UNKNOWN, [NumberedText(1, 1, ANN, "{a}", 0, "first", 0, "")])
    watched.view.note(Event(UNKNOWN))
    await watched.look()
    assert contents(watched.texts) == [("first", "unread")]
    assert order(watched)[0] == UNKNOWN


async def test_older_pages_come_from_the_cache_then_from_the_server(server, cache, watched):
    for content in "abcdefghij":
        server.write(WITH_ANN, ANN, content)
    await cache.keep_newest(WITH_ANN, server.texts[WITH_ANN][2:])

    async def fetch(thread):
        asked.append(thread)
        more = await server.earlier(thread)
        watched.view.note(Event(thread))
        return more

    asked = []
    await shown(watched, WITH_ANN)
    seen = [["".join(row.content for row in watched.texts), None, 0]]
    for _ in range(4):
        more = await watched.view.older(fetch)
        await watched.look()
        seen.append(["".join(row.content for row in watched.texts), more, len(asked)])
    assert seen == [
        ["hij", None, 0],
        ["efghij", True, 0],
        ["cdefghij", True, 0],
        ["abcdefghij", False, 1],
        ["abcdefghij", False, 2],
    ]


async def test_how_far_back_one_has_looked_is_kept_while_another_conversation_is_open(server, watched):
    for _ in range(8):
        await server.push(WITH_ANN)
    await shown(watched, WITH_ANN)
    await watched.view.older(server.earlier)
    await shown(watched, WITH_BEN)
    await shown(watched, WITH_ANN)
    assert len(watched.texts) == 6


async def test_it_follows_what_is_noted_while_it_runs(server, watched):
    changes = asyncio.Queue()
    watched.view.conversation.subscribe(changes.put_nowait)
    running = asyncio.create_task(watched.view.run())
    try:
        watched.view.open(WITH_ANN)
        await changes.get()
        for content in "abc":
            await server.push(WITH_ANN, content=content)
            watched.view.note(Event(WITH_ANN))
            await changes.get()
            assert watched.texts[-1].content == content
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_store_that_is_unavailable_is_looked_at_again_and_no_change_is_missed(server, watched, monkeypatch):
    failures = iter([LocalStoreUnavailableError("locked")] * 3)
    heads = watched.view._cache.heads

    async def failing(thread_id=None):
        for failure in failures:
            raise failure
        return await heads(thread_id)

    monkeypatch.setattr(view, "_PAUSE", 0.0)
    monkeypatch.setattr(watched.view._cache, "heads", failing)
    changes = asyncio.Queue()
    watched.view.conversation.subscribe(changes.put_nowait)
    await server.push(WITH_ANN, content="a")
    watched.view.open(WITH_ANN)
    running = asyncio.create_task(watched.view.run())
    try:
        await changes.get()
        assert watched.texts[-1].content == "a"
        assert next(failures, None) is None
    finally:
        running.cancel()
        await asyncio.wait([running])


# --- the schemes


async def test_resetting_fills_the_rows_anew_for_each_change(server, cache):
    watched = Watched(cache, SCHEMES["reset"])
    await server.push(WITH_ANN)
    assert len(await shown(watched, WITH_ANN)) == 1
    await server.push(WITH_ANN)
    watched.view.note(Event(WITH_ANN))
    assert await watched.look() == [Reset(tuple(watched.texts))]


async def test_incremental_rows_tell_no_more_than_what_has_changed(server, cache):
    watched = Watched(cache, SCHEMES["incremental"])
    for _ in range(3):
        await server.push(WITH_ANN, ME)
    await shown(watched, WITH_ANN)

    async def seen():
        watched.view.note(Event(WITH_ANN))
        return await watched.look()

    await put(cache, WITH_ANN, "{1}")
    assert await seen() == [Inserted(3, (watched.texts[3],))]
    await cache.mark(["{1}"], State.UNREAD)
    assert await seen() == [Changed(3, watched.texts[3])], "acknowledged"
    server.write(WITH_ANN, ME, "mine", unique_id="{1}")
    await server.catch_up(WITH_ANN)
    assert await seen() == [Changed(3, watched.texts[3])], "numbered"
    await cache.note_read(WITH_ANN, ANN, 2)
    assert await seen() == [Changed(0, watched.texts[0]), Changed(1, watched.texts[1])]
    await cache.keep_changed(WITH_ANN, [server.change(WITH_ANN, 2, "edited")])
    assert await seen() == [Changed(1, watched.texts[1])], "edited"
    await cache.note_delivered(WITH_ANN, ANN, 4)
    assert await seen() == [Changed(2, watched.texts[2]), Changed(3, watched.texts[3])], "delivered"
    await put(cache, WITH_ANN, "{2}")
    await seen()
    await server.push(WITH_ANN)
    assert await seen() == [Inserted(4, (watched.texts[4],))], "before what is on its way"
    assert await seen() == []


class Counting(Cache):
    """A cache that counts what is read of conversations."""

    reads = 0
    texts = 0

    async def excerpt(self, *args, **more):
        self.reads += 1
        found = await super().excerpt(*args, **more)
        self.texts += len(found.below) + len(found.revised) + len(found.above)
        return found


@pytest.mark.parametrize(("scheme", "texts"), [(Incremental, 1), (StartAfresh, 21)])
async def test_only_the_incremental_scheme_reads_the_new_message_alone(server, cache, scheme, texts):
    counting = Counting(cache._store, ME)
    watched = Watched(counting, scheme, page=50)
    for _ in range(20):
        await server.push(WITH_ANN)
    await shown(watched, WITH_ANN)
    await server.push(WITH_ANN)
    watched.view.note(Event(WITH_ANN))
    counting.texts = 0
    await watched.look()
    assert (len(watched.texts), counting.texts) == (21, texts)


async def test_a_pool_reads_nothing_to_go_back_to_a_quiet_conversation_that_it_has_kept(server, cache):
    counting = Counting(cache._store, ME)
    watched = Watched(counting, functools.partial(Pool, most=2))
    reads = []
    for thread in (WITH_ANN, WITH_BEN, WITH_ANN, GROUP, WITH_ANN, WITH_BEN):
        counting.reads = 0
        await shown(watched, thread)
        reads.append(counting.reads)
    assert reads == [1, 1, 0, 1, 0, 1], "Ben's had to make room for the group's, since it was shown longer ago"
    await server.push(WITH_ANN)
    watched.view.note(Event(WITH_ANN))
    await watched.look()
    await shown(watched, WITH_ANN)
    assert len(watched.texts) == 1, "what has had news is read anew"


# --- the three of them, whatever happens

THREADS = st.sampled_from([WITH_ANN, WITH_ANN, WITH_ANN, WITH_BEN, GROUP])
NUMBERS = st.integers(1, 8)
HAPPENINGS = st.one_of(
    st.tuples(st.just("written"), THREADS, st.lists(st.sampled_from([ME, ANN]), min_size=1, max_size=4)),
    st.tuples(st.just("pushed"), THREADS, NUMBERS, st.integers(1, 3)),
    st.tuples(st.just("caught_up"), THREADS),
    st.tuples(st.just("fetched_earlier"), THREADS),
    st.tuples(st.just("sent"), THREADS),
    st.tuples(st.sampled_from(["stored", "acknowledged", "failed", "sent_again"]), st.integers(1, 3)),
    st.tuples(st.just("read"), THREADS, st.sampled_from([ME, ANN, BEN]), NUMBERS),
    st.tuples(st.just("delivered"), THREADS, st.sampled_from([ME, ANN, BEN]), NUMBERS),
    st.tuples(st.just("changed"), THREADS, NUMBERS, st.sampled_from(["edited", None]), st.booleans()),
    st.tuples(st.just("told_changes"), THREADS),
    st.tuples(st.just("opened"), THREADS),
    st.tuples(st.just("wanted_older")),
    st.tuples(st.just("befriended"), st.sampled_from([ANN, STRANGER])),
)
STORIES = st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=10, max_size=40)
"""What happens, and whether the views look at it before the next."""


class Story:
    """What happens to one cache, noted to several views of it."""

    def __init__(self, cache):
        self.cache = cache
        self.watched = [Watched(cache, scheme) for scheme in (*SCHEMES.values(), functools.partial(Pool, most=1))]
        self.server = Server(cache)
        self.outgoing = []

    def note(self, thread=None):
        for each in self.watched:
            each.view.note(Event(thread))

    async def written(self, thread, senders):
        for sender in senders:
            self.server.write(thread, sender)

    async def pushed(self, thread, seq, count):
        await self.cache.keep(thread, self.server.texts[thread][seq - 1 : seq - 1 + count])
        self.note(thread)

    async def caught_up(self, thread):
        await self.server.catch_up(thread)
        self.note(thread)

    async def fetched_earlier(self, thread):
        await self.server.earlier(thread)
        self.note(thread)

    async def sent(self, thread):
        self.outgoing.append((f"{{{len(self.outgoing)}}}", thread))
        await put(self.cache, thread, self.outgoing[-1][0])
        self.note(thread)

    async def stored(self, number):
        for name, thread in self.outgoing[number - 1 : number]:
            if name not in [text.unique_id for text in self.server.texts[thread]]:
                self.server.write(thread, ME, "mine", unique_id=name)

    async def acknowledged(self, number):
        await self.marked(number, State.UNREAD)

    async def failed(self, number):
        await self.marked(number, State.FAILED)

    async def marked(self, number, state):
        for name, thread in self.outgoing[number - 1 : number]:
            await self.cache.mark([name], state)
            self.note(thread)

    async def sent_again(self, number):
        for name, _ in self.outgoing[number - 1 : number]:
            await self.cache.send_again(name, FOR_EVER)
            self.note()

    async def read(self, thread, uid, seq):
        await self.cache.note_read(thread, uid, seq)
        self.note(thread)

    async def delivered(self, thread, uid, seq):
        await self.cache.note_delivered(thread, uid, seq)
        self.note(thread)

    async def changed(self, thread, seq, content, told):
        if seq <= len(self.server.texts[thread]):
            text = self.server.change(thread, seq, content)
            if told:
                await self.cache.keep_changed(thread, [text])
                self.note(thread)

    async def told_changes(self, thread):
        await self.server.tell_changes(thread)
        self.note(thread)

    async def opened(self, thread):
        for each in self.watched:
            each.view.open(thread)

    async def wanted_older(self):
        for each in self.watched:
            await each.view.older(self.server.earlier)
        self.note()

    async def befriended(self, uid):
        await self.cache.note_friends([FriendEntry(f"friend {uid}", uid, "", "", 0, "", "")])
        self.note()

    async def look(self):
        first, *others = self.watched
        for each in self.watched:
            await each.look()
        for each in others:
            assert each.view.conversation.thread_id == first.view.conversation.thread_id
            assert each.texts == first.texts
            assert each.threads == first.threads
        if (thread := first.view.conversation.thread_id) is not None:
            await self.right(thread, first.texts)
        assert [row.thread_id for row in first.threads] == [
            head.thread.thread_id
            for head in sorted(
                await self.cache.heads(), key=lambda head: (head.active, head.thread.thread_id), reverse=True
            )
        ]

    async def right(self, thread, rows):
        """These are a thread's last messages, all that the cache knows of or as many as fill a page."""
        known = await self.cache.newest(thread, 1_000)
        assert rows == known[len(known) - len(rows) :]
        assert len(rows) >= min(len(known), 3)
        assert len({row.unique_id for row in rows}) == len(rows)
        numbers = [row.seq for row in rows if row.seq is not None]
        assert numbers == sorted(numbers)
        assert all(row.seq is None for row in rows[len(numbers) :])


@settings(max_examples=200)
@given(st.integers(-1, 8), STORIES)
def test_all_schemes_show_the_same_and_tell_exactly_what_they_show_whatever_happens(before, happenings):
    async def tell():
        async with memory() as cache:
            story = Story(cache)
            if before >= 0:
                await story.server.say_what_there_is(*MEMBERS)
                await story.written(WITH_ANN, ([ANN, ME, ME] * 3)[:before])
                await story.caught_up(WITH_ANN)
            await story.opened(WITH_ANN)
            for (what, *details), looks in happenings:
                await getattr(story, what)(*details)
                if looks:
                    await story.look()
            await story.look()

    asyncio.run(tell())


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)), st.data())
def test_rows_that_are_replaced_are_told_so_that_a_list_ends_up_the_same(old, new, data):
    rows, seen = RowList(), []
    rows.subscribe(functools.partial(apply, seen))
    rows.reset(old)
    start = data.draw(st.integers(0, len(old)))
    stop = data.draw(st.integers(start, len(old)))
    rows.replace(start, stop, new)
    assert seen == list(rows) == old[:start] + new + old[stop:]
