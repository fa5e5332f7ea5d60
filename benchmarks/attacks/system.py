"""The system that is attacked: a real MySQL, and ``chatsim node`` in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from attacks.wire import Place
from chatsim.db.session import Session
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.mysql.nodes import TOKEN_KEY
from chatsim.worlds.mysql.servers.mysqld import MySQL
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["Sample", "System", "running"]

_BATCH = 5_000
_WORDS = ("--connections-per-address", "256")
"""The default for other machines: attackers have addresses of 127/8 that stand for them."""
_END_SECONDS = 30.0


@dataclass(frozen=True)
class Sample:
    """What the node uses at one moment.

    Attributes:
        memory: resident, in bytes.
        descriptors: open files and sockets.
        log: bytes written to the log so far.
    """

    memory: int
    descriptors: int
    log: int


class System:
    """A running node and its database.

    Attributes:
        place: what clients have to know.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path, admin: Session, place: Place) -> None:
        self.place = place
        self._process = process
        self._measured = psutil.Process(process.pid)
        self._log = log
        self._admin = admin

    def sample(self) -> Sample:
        """Measure the node. Raises `psutil.NoSuchProcess` if it has ended."""
        return Sample(self._measured.memory_info().rss, self._measured.num_fds(), self._log.stat().st_size)

    def logged(self, since: int) -> str:
        """What the node has logged since the log had ``since`` bytes."""
        with self._log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    async def settled(self, descriptors: int, seconds: float) -> Sample:
        """A sample once the node has no more than this number of descriptors, or after ``seconds``."""
        until = time.monotonic() + seconds
        while (sample := self.sample()).descriptors > descriptors and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return sample

    async def missing(self, acknowledged: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
        """Those of the acknowledged texts, named by sender and unique id, that the tables don't have."""
        stored: list[tuple[int, str]] = []
        for at in range(0, len(acknowledged), _BATCH):
            names = acknowledged[at : at + _BATCH]
            places = ", ".join(["(?, ?)"] * len(names))
            found = await self._admin.execute(
                f"SELECT sender_id, unique_id FROM chat_message WHERE (sender_id, unique_id) IN ({places})",
                [value for name in names for value in name],
            )
            stored += [(int(str(sender)), str(unique)) for sender, unique in found.rows]
        there = set(stored)
        return [name for name in acknowledged if name not in there]


@asynccontextmanager
async def running(
    users: Sequence[int], friends: Mapping[tuple[int, int], int], words: Sequence[str]
) -> AsyncIterator[System]:
    """Run a node for the block.

    Args:
        users: who there is.
        friends: pairs of friends, the smaller id first, and how many texts are in the thread of each.
        words: options of ``chatsim node``.
    """
    async with MySQLWorld(Servers(profile="durable", background=False)) as world:
        await world.install("hardened")
        await add_users(world.admin, users)
        threads = {pair: at + 1 for at, pair in enumerate(friends)}
        await _befriend(world.admin, threads)
        for pair, texts in friends.items():
            await _fill(world.admin, threads[pair], pair, texts)
        tokens = {uid: await world.tokens.issue(uid) for uid in users}
        with tempfile.TemporaryDirectory(prefix="chatsim-attack-") as folder:
            log = Path(folder) / "node.log"
            with log.open("wb") as stderr:
                process = await asyncio.create_subprocess_exec(
                    *(
                        sys.executable,
                        "-m",
                        "chatsim",
                        "node",
                        "--schema",
                        world.schema,
                        "--reports",
                        "--attachments",
                        folder,
                        *_WORDS,
                        *words,
                    ),
                    stdin=asyncio.subprocess.PIPE,  # it ends with this process, however that ends
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stderr,
                    env=os.environ | {MySQL.variable: world.url, TOKEN_KEY: world.token_key.hex()},
                )
            try:
                assert process.stdout is not None
                line = await process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the node has not started: {log.read_text()}")
                where = json.loads(line)
                reports = asyncio.create_task(_drain(process.stdout))
                yield System(process, log, world.admin, Place(where["host"], where["port"], tokens, threads))
                reports.cancel()
            finally:
                await _end(process)


async def _drain(reports: asyncio.StreamReader) -> None:
    while await reports.read(65_536):
        pass


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _befriend(admin: Session, threads: dict[tuple[int, int], int]) -> None:
    both = [pair for low, high in threads for pair in ((low, high), (high, low))]
    await insert(admin, "friend (self_id, friend_id)", both)
    await insert(admin, "chat_thread (id, type)", [(thread, "private") for thread in threads.values()])
    rows = [(thread, low, high) for (low, high), thread in threads.items()]
    await insert(admin, "private_chat (thread_id, user1_id, user2_id)", rows)
    await insert(admin, "user_version (user_id, version)", [(uid, 1) for uid in {uid for pair in both for uid in pair}])
    members = [(uid, thread, 1) for pair, thread in threads.items() for uid in pair]
    await insert(admin, "user_thread (user_id, thread_id, version)", members)


async def _fill(admin: Session, thread: int, members: tuple[int, int], texts: int) -> None:
    columns = "chat_message (thread_id, seq, sender_id, recv_id, unique_id, content)"
    for first in range(1, texts + 1, _BATCH):
        numbers = range(first, min(first + _BATCH, texts + 1))
        rows = [(thread, seq, *members, f"before-{thread}-{seq}", "said long ago") for seq in numbers]
        await insert(admin, columns, rows)
    last = "(SELECT COALESCE(MAX(message_id), 0) FROM chat_message)"
    await admin.execute(f"UPDATE chat_thread SET last_seq = ?, last_message_id = {last} WHERE id = ?", (texts, thread))
