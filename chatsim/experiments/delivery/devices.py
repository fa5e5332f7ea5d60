"""Devices that note when an expected notice arrives, and whether they were told of the right texts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

from chatsim.chat.client.connection import Client
from chatsim.chat.client.messenger import LogIn
from chatsim.chat.protocol import Message, ReadNotice, TextsNotice
from chatsim.experiments.checks import Anomaly, disordered, repeated, unexpected
from chatsim.experiments.history import Operation
from chatsim.experiments.talk.checks import SentText

__all__ = ["LOST_AFTER", "TEXT", "Device", "check_pushed", "in_time"]

LOST_AFTER = 10.0
"""The seconds after which a notice counts as lost; a peer is given up after five."""

TEXT = "a text of thirty-two characters."

T = TypeVar("T")


class Device:
    """A device of a user. It notes when an expected notice arrives.

    Attributes:
        uid: the user.
        heard: the texts that it was told of.
    """

    client: Client

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.heard: list[SentText] = []
        self._expected: dict[object, asyncio.Future[tuple[float, Message]]] = {}

    async def enter(self, enter: LogIn) -> None:
        """Log in."""
        self.client, _ = await enter(self._hear)

    def expect(self, what: object) -> asyncio.Future[tuple[float, Message]]:
        """A future for the notice of a text with this unique id, or of this read position; with its time."""
        future: asyncio.Future[tuple[float, Message]] = asyncio.get_running_loop().create_future()
        self._expected[what] = future
        return future

    def _hear(self, notice: Message) -> None:
        now = asyncio.get_running_loop().time()
        heard: list[object] = []
        if isinstance(notice, TextsNotice):
            heard = [text.unique_id for text in notice.texts]
            self.heard += [
                SentText(notice.thread_id, text.sender, text.unique_id, text.content) for text in notice.texts
            ]
        elif isinstance(notice, ReadNotice):
            heard = [(notice.uid, notice.seq)]
        for what in heard:
            if (future := self._expected.pop(what, None)) is not None:
                future.set_result((now, notice))


def check_pushed(sent: Sequence[Operation], author: int, heard: Sequence[SentText]) -> Iterator[Anomaly]:
    """Check that a device was told of nothing but an author's texts, of each once, in the order of sending.

    Args:
        sent: the texts, in the order of sending.
        author: the author.
        heard: what the device was told, in that order.
    """
    texts = [SentText(each.asked["thread"], author, each.asked["unique_id"], TEXT) for each in sent]
    for kind, wrong, words in (
        ("forged", unexpected(texts, heard), "was pushed, and nobody sent it like that"),
        ("doubled", repeated(heard), "was pushed more than once"),
        ("disordered", disordered(texts, heard), "was pushed behind one that its author sent later"),
    ):
        for text in wrong:
            yield Anomaly(kind, text, f"{text} {words}")


async def in_time(heard: Awaitable[T]) -> T | None:
    """What has been waited for; None if it has not come within `LOST_AFTER`."""
    try:
        async with asyncio.timeout(LOST_AFTER):
            return await heard
    except TimeoutError:
        return None
