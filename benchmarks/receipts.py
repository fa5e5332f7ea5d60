"""What receipts cost: a text in a thread of N members, its way to all of them, and who has read it, in the model.

    python benchmarks/receipts.py --members 2 --members 500 --texts 1 --texts 100

Everybody is online, each on one device, on one node. The author sends so many texts, one request each. Then each other
member reports once that all of them have been delivered, and once that they have been read. Then the author asks how
many have read the last one. Round trips, statements and rows are those of the node's connections to the database; bytes
are those of the frames between clients and the node, both ways. Beside them: the rows that a table with a row for
each message and member would have (docs/source.md, S12).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import click
import numpy as np

from chatsim.chat.client.connection import Client
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import (
    DeliveredReply,
    DeliveredRequest,
    Message,
    OutgoingText,
    ReadReply,
    ReadRequest,
    ReceiptsReply,
    ReceiptsRequest,
    TextReply,
    TextRequest,
    encode,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store import threads
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.db.session import Database, Isolation, Rows, Session
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import World

R = TypeVar("R", bound=Message)

_THREAD = 1
_CONTENT = "a text as long as what people write"
_WRITES = ("INSERT", "UPDATE", "DELETE")
_STAGES = ("sent", "delivered", "read", "asked")
_COLUMNS = ("round trips", "statements", "rows written", "frames", "bytes")
_A_WHILE = 60.0


class _Counted(SessionWrapper):
    """A session that counts what is done on it."""

    def __init__(self, tx: Session, counts: Counter[str]) -> None:
        super().__init__(tx)
        self._counts = counts

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        statements = [each.strip() for each in sql.split(";")]
        done = await super().script(sql, args)
        self._counts["round trips"] += 1
        self._counts["statements"] += len(statements)
        for statement, rows in zip(statements, done, strict=True):
            if statement.startswith(_WRITES):
                # of an INSERT … ON DUPLICATE KEY UPDATE, a row that was there counts twice
                self._counts["rows written"] += rows.affected // (2 if "ON DUPLICATE KEY" in statement else 1)
        return done


class _CountedDatabase:
    """A node's database that counts what is done on its sessions."""

    def __init__(self, database: Database, counts: Counter[str]) -> None:
        self._database = database
        self._counts = counts

    @asynccontextmanager
    async def session(self, isolation: Isolation | None = None) -> AsyncIterator[Session]:
        async with self._database.session(isolation) as tx:
            yield _Counted(tx, self._counts)


class _People:
    """The members of a thread, online."""

    def __init__(self, world: World, running: Cluster, members: int) -> None:
        self.counts: Counter[str] = Counter()
        self.uids = range(1, members + 1)
        self._world = world
        self._running = running
        self._clients: dict[int, Client] = {}

    async def enter(self, stack: AsyncExitStack) -> None:
        """Log everybody in, and count from then on."""
        (node,) = self._running.nodes
        network = self._world.network_at("client")
        for uid in self.uids:
            client = await Client.connect(network, node.address, deadline=_A_WHILE, heartbeat=1e9, pushed=self._heard)
            stack.push_async_callback(client.close)
            await client.log_in(uid, await self._world.tokens.issue(uid), feed=True)
            self._clients[uid] = client
        node.database.pool = _CountedDatabase(node.database.pool, self.counts)

    async def ask(self, uid: int, request: Message, reply: type[R]) -> R:
        """Send a request, and count the bytes of both ways."""
        answer = await self._clients[uid].request(request, reply)
        self._heard(request)
        self._heard(answer)
        return answer

    def _heard(self, message: Message) -> None:
        self.counts["frames"] += 1
        self.counts["bytes"] += len(encode(message))

    async def told(self) -> Counter[str]:
        """Wait until everybody has been told everything. Returns what was counted since the last call."""
        await asyncio.sleep(_A_WHILE)
        found = Counter(self.counts)
        self.counts.clear()
        return found


async def _cost(world: World, members: int, texts: int) -> dict[str, Counter[str]]:
    """What each stage costs."""
    await world.install("hardened")
    await add_users(world.admin, range(1, members + 1))
    await _thread(world.admin, members)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            cluster(
                world,
                nodes=1,
                pool=4,
                strategy=STRATEGIES["look_first"],
                retry=POLICIES["retry"],
                limits=Limits(strangers=True, rate=1e9, expiry=1e9),
                schema="hardened",
                rngs=[np.random.default_rng(1)],
            )
        )
        people = _People(world, running, members)
        await people.enter(stack)
        return await _stages(people, members, texts)


async def _stages(people: _People, members: int, texts: int) -> dict[str, Counter[str]]:
    author, *others = people.uids
    found = {}
    to = 2 if members == 2 else 0
    for number in range(texts):
        sent = (OutgoingText(_CONTENT, f"{{{number:036}}}"),)
        await people.ask(author, TextRequest(author, to, _THREAD, sent), TextReply)
    found["sent"] = await people.told()
    for uid in others:
        await people.ask(uid, DeliveredRequest((_THREAD,), (texts,)), DeliveredReply)
    found["delivered"] = await people.told()
    for uid in others:
        await people.ask(uid, ReadRequest(_THREAD, texts), ReadReply)
    found["read"] = await people.told()
    reply = await people.ask(author, ReceiptsRequest(_THREAD, texts), ReceiptsReply)
    assert (reply.members, reply.delivered, reply.read) == (members - 1,) * 3
    found["asked"] = await people.told()
    return found


async def _thread(admin: Session, members: int) -> None:
    private = members == 2
    await insert(admin, "chat_thread (id, type)", [(_THREAD, "private" if private else "group")])
    if private:
        await insert(admin, "private_chat (thread_id, user1_id, user2_id)", [(_THREAD, 1, 2)])
        await threads.joined(admin, _THREAD, (1, 2))
        return
    await insert(admin, "group_chat (thread_id, name)", [(_THREAD, "us")])
    rows = [(_THREAD, uid, 0) for uid in range(1, members + 1)]
    await insert(admin, "group_chat_member (thread_id, user_id, role)", rows)
    await admin.script(*threads.changed_in_group(_THREAD))


@click.command()
@click.option("--members", multiple=True, default=(2, 5, 50, 500), show_default=True, type=click.IntRange(2))
@click.option("--texts", multiple=True, default=(1, 100), show_default=True, type=click.IntRange(1))
def main(members: Sequence[int], texts: Sequence[int]) -> None:
    """Print what receipts cost, as a table in Markdown."""
    click.echo(f"| members | texts | what | {' | '.join(_COLUMNS)} | rows of a table by message and member |")
    click.echo(f"|{'---:|' * 2}---|{'---:|' * (len(_COLUMNS) + 1)}")
    for count in members:
        for many in texts:
            found = Model().run(lambda world, count=count, many=many: _cost(world, count, many), seed=1)
            for stage in _STAGES:
                cells = [f"{found[stage][column]:,}" for column in _COLUMNS]
                instead = f"{(count - 1) * many:,}" if stage in ("delivered", "read") else ""
                click.echo(f"| {count:,} | {many:,} | {stage} | {' | '.join(cells)} | {instead} |")


if __name__ == "__main__":
    main()
