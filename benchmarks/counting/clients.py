"""Cases of what a client does by itself: its local store, and its view. And the states of explorations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from chatsim.chat import creation
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.messenger import Event
from chatsim.chat.client.view import SCHEMES, Changed, Inserted, Reset, RowChange, View
from chatsim.chat.ports import LocalStore, Many, Statement
from chatsim.chat.protocol import NumberedText, ThreadState
from chatsim.db.session import Rows
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.worlds.world import World
from counting.cases import Case, Counts

__all__ = ["cases"]

_ME, _OTHER, _THREAD = 1, 2, 1
_MESSAGES = 200
_EXPLORED = ("for_update", "insert_first", "one_round_trip", "get_lock_script")


def cases() -> Iterator[Case]:
    """The local store, the view by each scheme, and what an exploration of two callers sees."""
    yield Case("a client keeps messages", kept)
    for scheme in SCHEMES:
        yield Case(f"a client shows a conversation by {scheme}", partial(shown, scheme))
    for name in _EXPLORED:
        yield Case(f"two callers of {name} are explored", partial(explored, name))


class _CountedStore:
    """Counts the transactions and the statements of a local store."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.transactions = self.statements = 0

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """See `LocalStore`."""
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """See `LocalStore`."""
        self.transactions += 1
        self.statements += sum(len(each.rows) if isinstance(each, Many) else 1 for each in statements)
        return await self._store.transaction(statements)

    async def close(self) -> None:
        """See `LocalStore`."""
        await self._store.close()

    def since(self, before: tuple[int, int], about: str) -> dict[str, int | None]:
        """What was done since."""
        done = {"transactions": self.transactions - before[0], "statements": self.statements - before[1]}
        return {f"{about}, {name}": count for name, count in done.items()}

    @property
    def so_far(self) -> tuple[int, int]:
        """Transactions and statements."""
        return self.transactions, self.statements


def _text(seq: int) -> NumberedText:
    return NumberedText(seq, seq, _ME if seq % 2 else _OTHER, f"u{seq}", 0, f"message {seq}", 0, "2025-01-01 12:00:00")


async def _filled(world: World) -> tuple[_CountedStore, Cache]:
    store = _CountedStore(world.local_store(":memory:"))
    cache = Cache(store, _ME)
    await cache.open()
    await cache.note_threads([ThreadState(_THREAD, "private", _ME, _OTHER, _MESSAGES, 0, 0, 1, 0)])
    return store, cache


async def kept(world: World) -> Counts:
    """A page of messages is kept, one message is kept, and the newest page is read."""
    store, cache = await _filled(world)
    found: dict[str, int | None] = {}
    for about, work in (
        ("a page of 100", partial(cache.keep_newest, _THREAD, [_text(seq) for seq in range(1, 101)])),
        ("one message", partial(cache.keep, _THREAD, [_text(101)])),
        ("the newest 50", partial(cache.newest, _THREAD, 50)),
        ("the thread list", cache.heads),
    ):
        before = store.so_far
        await work()  # type: ignore[operator]
        found |= store.since(before, about)
    await store.close()
    return found


async def shown(scheme: str, world: World) -> Counts:
    """A conversation is opened, it gets a message, it is opened again after another one."""
    store, cache = await _filled(world)
    await cache.note_threads([ThreadState(_THREAD + 1, "private", _ME, _OTHER + 1, 0, 0, 0, 2, 0)])
    await cache.keep_newest(_THREAD, [_text(seq) for seq in range(1, _MESSAGES + 1)])
    view = View(cache, SCHEMES[scheme])
    told = _Told()
    view.conversation.subscribe(told.note)
    found: dict[str, int | None] = {}

    async def after(about: str, change: Callable[[], None]) -> None:
        before, told.rows = store.so_far, 0
        change()
        await view.update()
        found.update(store.since(before, about) | {f"{about}, rows told": told.rows})

    await after("opened", lambda: view.open(_THREAD))
    await cache.keep(_THREAD, [_text(_MESSAGES + 1)])
    await after("a message more", lambda: view.note(Event(_THREAD)))
    await after("another one opened", lambda: view.open(_THREAD + 1))
    await after("opened again", lambda: view.open(_THREAD))
    await store.close()
    return found


class _Told:
    """How many rows an interface was told of."""

    rows = 0

    def note(self, notice: RowChange) -> None:
        """Take a notice."""
        match notice:
            case Reset(rows) | Inserted(_, rows):
                self.rows += len(rows)
            case Changed():
                self.rows += 1


async def explored(name: str, _: World) -> Counts:
    """All orders of two callers who ask for one new pair."""
    with ThreadPoolExecutor(1) as thread:  # an exploration has an event loop of its own
        found = thread.submit(Exploring(callers=2).strategy, creation.STRATEGIES[name]).result().found
    return {
        "states": found.states,
        "interleavings": found.interleavings,
        "steps that end in a deadlock": sum(found.deadlocks.values()),
    }
