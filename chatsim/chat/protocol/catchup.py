"""Messages of a catch-up: one request, as many parts as it takes, one reply."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part
from chatsim.chat.protocol.texts import NumberedText

__all__ = ["CatchUpPart", "CatchUpReply", "CatchUpRequest", "ThreadTexts"]


class CatchUpRequest(Message, frozen=True):
    """What is above number ``after[i]`` in thread ``threads[i]``, and below number ``below[i]`` if that is not 0."""

    ID = 1113
    threads: tuple[Id, ...]
    after: tuple[Id, ...]
    below: tuple[Id, ...]


class ThreadTexts(Part, frozen=True):
    """Messages of one thread, by number."""

    thread_id: Id
    texts: tuple[NumberedText, ...]


class CatchUpPart(Message, frozen=True):
    """A part of what a `CatchUpRequest` asks for; as many of them as it takes come before the reply."""

    ID = 1115
    threads: tuple[ThreadTexts, ...]


class CatchUpReply(Message, frozen=True):
    """All of it has been sent, in the parts that came before."""

    ID = 1114
    error: int
