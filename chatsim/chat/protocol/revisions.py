"""Messages about changes of texts: recalling a text, editing it, and learning of both."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message
from chatsim.chat.protocol.texts import NumberedText

__all__ = [
    "EditReply",
    "EditRequest",
    "RecallReply",
    "RecallRequest",
    "RevisedNotice",
    "RevisionsReply",
    "RevisionsRequest",
]


class RecallRequest(Message, frozen=True):
    """Take a message back. Nobody gets its content any more."""

    ID = 1131
    thread_id: Id
    message_id: Id


class RecallReply(Message, frozen=True):
    """The message has been recalled."""

    ID = 1132
    error: int


class EditRequest(Message, frozen=True):
    """Replace the content of a text of one's own."""

    ID = 1133
    thread_id: Id
    message_id: Id
    content: str


class EditReply(Message, frozen=True):
    """The text has been edited."""

    ID = 1134
    error: int


class RevisedNotice(Message, frozen=True):
    """Messages have been recalled or edited. Each text is as it is now, with the number of this change."""

    ID = 1135
    thread_id: Id
    texts: tuple[NumberedText, ...]


class RevisionsRequest(Message, frozen=True):
    """Ask for the messages of a thread that have been changed after change number ``revision``."""

    ID = 1137
    thread_id: Id
    revision: Id


class RevisionsReply(Message, frozen=True):
    """A page of changed messages, ordered by the number of their last change."""

    ID = 1138
    error: int
    thread_id: Id = 0
    load_more: bool = False
    texts: tuple[NumberedText, ...] = ()
