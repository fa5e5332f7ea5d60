"""The local cache of a client: messages are kept and read, in SQLite in memory, in a thread of its own.

Beside it is `noop`, an empty statement: what a call of the store costs by itself, and so the limit of a small one.
"""

from __future__ import annotations

import itertools

import pytest

from chatsim.chat.client.cache import Cache
from chatsim.chat.protocol import NumberedText, ThreadState, ThreadTexts
from chatsim.worlds.mysql.local_store import SqliteStore

ME, OTHER = 1, 2
THREADS, MESSAGES = 100, 200
ROUNDS = 50


def texts(thread, first, count):
    """Messages of a thread, from a number on."""
    return tuple(
        NumberedText(seq, thread * 10**6 + seq, OTHER, f"{thread}:{seq}", 0, f"message {seq}", 0, "2025-01-01 12:00:00")
        for seq in range(first, first + count)
    )


@pytest.fixture
def cache(runner, sized):
    """A cache of 100 threads with 200 messages each."""
    kept = Cache(SqliteStore(":memory:"), ME)
    threads, messages = range(1, sized(THREADS, 5) + 1), sized(MESSAGES, 100)

    async def fill():
        await kept.open()
        await kept.note_threads(
            [ThreadState(each, "private", ME, OTHER + each, messages, 0, 0, each, 0) for each in threads]
        )
        await kept.keep_part([ThreadTexts(each, texts(each, 1, messages)) for each in threads])

    try:
        runner.run(fill())
        yield kept
    finally:
        runner.run(kept.close())


@pytest.mark.parametrize("count", [1, 100, 1_000])
def test_new_messages_are_kept(benchmark, runner, cache, rounds, count):
    """So many messages that follow the stored ones, in one transaction; per transaction."""
    firsts = itertools.count(10_001, count)
    parts = []

    def setup():
        parts[:] = [ThreadTexts(1, texts(1, next(firsts), count))]

    benchmark.group = "messages are kept"
    benchmark.pedantic(lambda: runner.run(cache.keep_part(parts)), setup=setup, **rounds(ROUNDS))


@pytest.mark.parametrize("what", ["noop", "the newest 50 messages", "the thread list"])
def test_something_is_read(benchmark, runner, cache, rounds, what):
    """An empty statement; what a conversation shows when it is opened; all entries of the thread list. Per reading."""
    store = cache._store  # noqa: SLF001 - the statement goes past the cache
    read = {
        "noop": lambda: store.execute("SELECT 1"),
        "the newest 50 messages": lambda: cache.newest(2, 50),
        "the thread list": cache.heads,
    }[what]
    benchmark.group = "the cache is read"
    benchmark.pedantic(lambda: runner.run(read()), **rounds(ROUNDS))
    benchmark.extra_info["reference"] = what == "noop"
