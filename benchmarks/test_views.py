"""The view of a client: what it costs to show a conversation, by scheme and by how long the conversation is.

Each is measured from the moment at which the view knows that it has something to do until its rows are right and an
interface that keeps a list of its own has followed; the cache is SQLite in memory, in a thread of its own. Beside each
time stands how many rows the interface was told of: that is what it would have had to draw.
"""

from __future__ import annotations

import pytest

from chatsim.chat.client.cache import Cache, Pending, State
from chatsim.chat.client.messenger import Event
from chatsim.chat.client.view import SCHEMES, Changed, Inserted, Removed, Reset, View
from chatsim.chat.protocol import NumberedText, ThreadState
from chatsim.worlds.mysql.local_store import SqliteStore

ME, OTHER = 1, 2
THREAD = 1
ALL = 10**6
ROUNDS = 20

# Row by row it would take longer than what is measured.
FILL = """
    INSERT INTO message
      (thread_id, seq, message_id, sender, unique_id, msg_type, content, status, chat_time)
    WITH RECURSIVE number (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM number WHERE seq < ?)
    SELECT thread_id, seq, thread_id * 1000000 + seq, CASE WHEN seq % 2 THEN user1_id ELSE user2_id END,
      thread_id || ':' || seq, 0, 'message number ' || seq, 0, '2025-01-01 12:00:00'
    FROM thread, number"""


class Interface:
    """Keeps a list that follows the view's."""

    def __init__(self, view):
        self.rows, self.told = [], 0
        view.conversation.subscribe(self._follow)

    def _follow(self, notice):
        match notice:
            case Reset(rows):
                self.rows = list(rows)
                self.told += len(rows)
            case Inserted(at, rows):
                self.rows[at:at] = rows
                self.told += len(rows)
            case Changed(at, row):
                self.rows[at] = row
                self.told += 1
            case Removed(at, count):
                del self.rows[at : at + count]
                self.told += count


class Bench:
    """A cache of so many threads of so many messages each, half of them own, none read; and a view that shows all."""

    def __init__(self, runner, rounds, scheme, *, threads, messages):
        self._runner, self._rounds = runner, rounds
        store = SqliteStore(":memory:")
        self.cache = Cache(store, ME)
        self.messages = messages
        self.threads = range(1, threads + 1)
        self._store, self._scheme = store, SCHEMES[scheme]

    def fill(self):
        """Make the rows, and a view."""
        self.do(self.cache.open())
        states = [ThreadState(each, "private", ME, OTHER + each, self.messages, 0, 0, 1, 0) for each in self.threads]
        self.do(self.cache.note_threads(states))
        self.do(self._store.execute(FILL, (self.messages,)))
        self.do(self._store.execute("UPDATE thread SET cursor = last_seq"))
        self.renew()

    def do(self, coroutine):
        """Run a coroutine to its end."""
        return self._runner.run(coroutine)

    def close(self):
        """Close the cache."""
        self.do(self.cache.close())

    def renew(self):
        """A view that has been told nothing yet but the threads."""
        self.view = View(self.cache, self._scheme, page=ALL)
        self.interface = Interface(self.view)
        self.do(self.view.update())

    def show(self, *threads):
        """Open conversations, one after the other."""
        for thread in threads:
            self.view.open(thread)
            self.do(self.view.update())

    def follow(self):
        """Let the view know that the first conversation has news."""
        self.view.note(Event(THREAD))
        self.do(self.view.update())

    def put(self, name):
        """Have a text be on its way."""
        self.do(self.cache.put(Pending(name, THREAD, OTHER, "mine", 2.0**40)))

    def measure(self, benchmark, action, setup, *, rounds=ROUNDS):
        """Time ``action``, each time after ``setup``; note the rows told, the same in each round."""
        told = set()

        def prepare():
            setup()
            self.interface.told = 0

        def note():
            told.add(self.interface.told)

        benchmark.pedantic(action, setup=prepare, teardown=note, **self._rounds(rounds))
        assert self.interface.rows == list(self.view.conversation)
        return told


@pytest.fixture
def bench(runner, rounds):
    """A function that makes a `Bench`."""
    made = []

    def bench(*args, **more):
        made.append(Bench(runner, rounds, *args, **more))
        made[-1].fill()  # it is closed also if this fails: the thread of its store would live on
        return made[-1]

    yield bench
    for each in made:
        each.close()


@pytest.fixture(params=[100, 1_000, 10_000])
def messages(request, sized):
    """The length of a conversation."""
    if request.param > sized(request.param, 100):
        pytest.skip("not short")
    return request.param


schemed = pytest.mark.parametrize("scheme", [*SCHEMES])


@schemed
def test_a_conversation_is_opened(benchmark, bench, scheme, messages):
    """A conversation is opened that was not open before."""
    benchmark.group = f"open one of {messages:,} messages"
    its = bench(scheme, threads=1, messages=messages)
    (told,) = its.measure(benchmark, lambda: its.show(THREAD), its.renew)
    benchmark.extra_info["rows_told"] = told
    assert told == messages


@schemed
@pytest.mark.parametrize("among", [2, 50])
def test_50_switches_between_conversations(benchmark, bench, scheme, messages, among):
    """Fifty switches from one conversation to the next, around among two and among fifty; all have been open before."""
    benchmark.group = f"50 switches among {among} of {messages:,} messages"
    its = bench(scheme, threads=50, messages=messages)
    around = [*its.threads[:among]] * (50 // among)
    its.show(*around)
    (told,) = its.measure(benchmark, lambda: its.show(*around), lambda: None, rounds=3)
    benchmark.extra_info["rows_told"] = told
    assert told == 50 * messages


@schemed
def test_a_message_comes_into_the_open_conversation(benchmark, bench, scheme, messages):
    """A message has come into the open conversation."""
    benchmark.group = f"append to {messages:,} messages"
    its = bench(scheme, threads=1, messages=messages)
    its.show(THREAD)
    last = messages

    def arrive():
        nonlocal last
        last += 1
        text = NumberedText(last, 10**8 + last, OTHER, f"new {last}", 0, "news", 0, "2025-01-01 12:00:01")
        its.do(its.cache.keep(THREAD, [text]))

    told = its.measure(benchmark, its.follow, arrive)
    benchmark.extra_info["rows_told"] = max(told)
    assert its.interface.rows[-1].seq == last


@schemed
def test_a_sent_message_is_acknowledged(benchmark, bench, scheme, messages):
    """The server has said of the open conversation's last message, which is on its way, that it is stored."""
    benchmark.group = f"acknowledge one behind {messages:,} messages"
    its = bench(scheme, threads=1, messages=messages)
    its.show(THREAD)
    sent = 0

    def acknowledge():
        nonlocal sent
        sent += 1
        its.put(f"{{{sent}}}")
        its.follow()
        its.do(its.cache.mark([f"{{{sent}}}"], State.UNREAD))

    told = its.measure(benchmark, its.follow, acknowledge)
    benchmark.extra_info["rows_told"] = max(told)
    assert its.interface.rows[-1].state is State.UNREAD
