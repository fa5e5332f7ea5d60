"""A simulated user with one device: it makes one kind of request after the other, and records what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from chatsim.chat.client.connection import DEADLINE, Client, ClientError, RefusedError
from chatsim.chat.protocol import (
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    OutgoingText,
    TextReply,
    TextRequest,
)
from chatsim.db.errors import DatabaseError, Kind
from chatsim.experiments.catchup.checks import StoredText
from chatsim.experiments.history import Operation, Recorder
from chatsim.experiments.mix.local_data import LocalData
from chatsim.experiments.mix.population import Population
from chatsim.worlds.cluster import Cluster
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CATCHUP", "CREATION", "KINDS", "PAGE", "TEXT", "User", "machine"]

CREATION, TEXT, PAGE, CATCHUP = "creation", "text", "page", "catchup"

KINDS = {
    CREATION: "two users who have no chat yet ask for it at the same time, one request each",
    TEXT: "a user sends a text into one of their chats",
    PAGE: "a user reads the next page of their list of threads, or of one of these threads",
    CATCHUP: "a device loads all that it has missed since it last did so",
}
"""The kinds of operations, and what each is."""

_TRIES = 50
"""How many other users are drawn at most, to find one without a chat."""

Call = Callable[[Callable[[DatabaseError], None]], Awaitable[dict[str, object]]]


def machine(number: int) -> str:
    """The machine of a user's device."""
    return f"client{number}"


class User:
    """A user, whose id is the number of its client plus 1.

    Args:
        number: the number of the client, from 0.
        nodes: the nodes.
        population: all users with their chats.
        data: what the device keeps.
        rng: makes what it draws.

    Attributes:
        uid: the user's id.
    """

    def __init__(
        self, number: int, nodes: Cluster, population: Population, data: LocalData, rng: np.random.Generator
    ) -> None:
        self.uid = number + 1
        self._number = number
        self._nodes = nodes
        self._population = population
        self._data = data
        self._rng = rng
        self._turns = 0
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._doubt = False
        self._cursors: dict[int, int] = {}  # of the lists that it reads page by page; 0 is the list of threads

    async def enter(self) -> None:
        """Log in, and load everything that there is. Raises `WorldError`."""
        await self._data.open()
        try:
            await self._data.catch_up(await self._online())
        except ClientError as error:
            raise WorldError(f"client {self._number} can't begin as user {self.uid}: {error}") from error

    async def leave(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()

    async def catch_up_last(self) -> str:
        """Load what is missing, once more. Returns the reason if it can't be loaded; empty if it was."""
        try:
            await self._data.catch_up(await self._online())
        except ClientError as error:
            return str(error)
        return ""

    async def messages(self) -> Sequence[StoredText]:
        """What the device has, in the order in which a thread shows it."""
        return await self._data.messages()

    async def _online(self) -> Client:
        async with self._connecting:
            if self._client is None or self._client.ended is not None:
                home = self._nodes.nodes[self._number % len(self._nodes.nodes)].address
                self._client = await self._nodes.log_in(
                    self.uid, home, deadline=DEADLINE, machine=machine(self._number)
                )
            return self._client

    # --- what it does

    def stranger(self) -> int:
        """Another user, without a chat with this one if such a user is found soon. The pair has been asked for then."""
        for _ in range(_TRIES):
            other = int(self._rng.integers(1, self._population.users))
            other += other >= self.uid  # everybody else
            pair = (min(self.uid, other), max(self.uid, other))
            if pair not in self._population.paired:
                break
        self._population.paired.add(pair)
        return other

    async def create(self, other: int, begun: float, intended: float) -> Operation:
        """Ask for the chat with another user."""

        async def create(_: object) -> dict[str, object]:
            thread = await (await self._online()).create_private_chat(other)
            self._population.note(thread, self.uid, other)
            return {"thread": thread}

        return await self._record(CREATION, {"uid": self.uid, "other": other}, create, begun, intended)

    async def text(self, begun: float, intended: float) -> Operation:
        """Send a text into one of the user's chats."""
        thread, other = self._chat()
        name = f"{self._number}-{self._turns}"
        content = f"text {self._turns} of client {self._number}, as long as what people write in the evening"
        asked = {"thread": thread, "sender": self.uid, "unique_id": name, "content": content}
        request = TextRequest(self.uid, other, thread, (OutgoingText(content, name),))

        async def send(_: object) -> dict[str, object]:
            reply = await (await self._online()).request(request, TextReply)
            return {"message": reply.chat_datas[0].message_id}

        return await self._record(TEXT, asked, send, begun, intended)

    async def page(self, begun: float, intended: float) -> Operation:
        """Read the next page of the list of threads, or of one of them. At its end, a list is begun anew."""
        thread = 0 if self._rng.random() < 1 / 2 or not self._population.chats[self.uid] else self._chat()[0]
        after = self._cursors.get(thread, 0)

        async def read(_: object) -> dict[str, object]:
            client = await self._online()
            if thread:
                texts = await client.request(LoadMessagesRequest(thread, after), LoadMessagesReply)
                entries, more, last = [each.msg_id for each in texts.chat_datas], texts.load_more, texts.last_message_id
            else:
                listed = await client.request(LoadThreadsRequest(self.uid, after), LoadThreadsReply)
                entries, more = [each.thread_id for each in listed.threads], listed.load_more
                last = listed.next_last_id
            self._cursors[thread] = last if more else 0
            return {"entries": entries, "more": more}

        asked = {"uid": self.uid, "list": thread, "after": after}
        return await self._record(PAGE, asked, read, begun, intended)

    async def catch_up(self, begun: float, intended: float) -> Operation:
        """Load all that the device has missed."""

        async def load(_: object) -> dict[str, object]:
            return {"messages": await self._data.catch_up(await self._online())}

        return await self._record(CATCHUP, {"uid": self.uid}, load, begun, intended)

    def _chat(self) -> tuple[int, int]:
        chats = self._population.chats[self.uid]
        return chats[int(self._rng.integers(len(chats)))]

    async def _record(
        self, kind: str, asked: Mapping[str, object], call: Call, begun: float, intended: float
    ) -> Operation:
        turn, self._turns = self._turns, self._turns + 1
        return await Recorder(self._number, begun).record(
            kind,
            asked,
            partial(self._watched, call),
            turn=turn,
            refusable=(ClientError,),
            in_doubt=lambda: self._doubt,
            intended=intended,
        )

    async def _watched(self, call: Call, refused: Callable[[DatabaseError], None]) -> dict[str, object]:
        """Make a request. A strategy that is broken ends the run."""
        try:
            return await call(refused)
        except ClientError as error:
            if crash := self._nodes.stats.crash:
                raise crash from error
            # the reply says only that it failed; a node that has lost the database does not know more
            self._doubt = not isinstance(error, RefusedError) or Kind.CONNECTION_LOST in self._nodes.stats.refusals
            raise
