"""Messages of a catch-up: one request, as many parts as it takes, one reply."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part
from chatsim.chat.protocol.texts import NumberedText

__all__ = ["CatchUpPart", "CatchUpReply", "CatchUpRequest", "ThreadTexts"]


class CatchUpRequest(Message, frozen=True):
    """Ask for the messages above ``after[i]`` in thread ``threads[i]``, and below ``below[i]`` if that is not 0."""

    ID = 1113
    threads: tuple[Id, ...]
    after: tuple[Id, ...]
    below: tuple[Id, ...]


class ThreadTexts(Part, frozen=True):
    """Messages of one thread, ordered by number."""

    thread_id: Id
    texts: tuple[NumberedText, ...]


class CatchUpPart(Message, frozen=True):
    """One part of the answer to a `CatchUpRequest`. All parts come before the reply."""

    ID = 1115
    threads: tuple[ThreadTexts, ...]


class CatchUpReply(Message, frozen=True):
    """All parts have been sent."""

    ID = 1114
    error: int
