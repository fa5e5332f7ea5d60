"""Messages about texts: sent, acknowledged, pushed, and read again page by page."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "AcknowledgedText",
    "HistoryReply",
    "HistoryRequest",
    "HistoryText",
    "LoadMessagesReply",
    "LoadMessagesRequest",
    "NumberedText",
    "OutgoingText",
    "TextNotice",
    "TextReply",
    "TextRequest",
    "TextsNotice",
]


class OutgoingText(Part, frozen=True):
    """A text as its author sends it."""

    content: str
    unique_id: str


class TextRequest(Message, frozen=True):
    """A batch of texts into one thread."""

    ID = 1017
    fromuid: Id
    touid: Id
    thread_id: Id
    text_array: tuple[OutgoingText, ...]


class AcknowledgedText(Part, frozen=True):
    """A text as it was stored."""

    message_id: Id
    unique_id: str
    content: str
    status: int
    chat_time: str


class TextReply(Message, frozen=True):
    """The texts are stored: to their author."""

    ID = 1018
    error: int
    fromuid: Id = 0
    touid: Id = 0
    thread_id: Id = 0
    chat_datas: tuple[AcknowledgedText, ...] = ()


class TextNotice(Message, frozen=True):
    """The texts, to who is to read them."""

    ID = 1019
    error: int
    fromuid: Id
    touid: Id
    thread_id: Id
    chat_datas: tuple[AcknowledgedText, ...]


class NumberedText(Part, frozen=True):
    """A message with its number in the thread: ``seq`` counts from 1 and leaves nothing out."""

    seq: Id
    message_id: Id
    sender: Id
    unique_id: str
    msg_type: int
    content: str
    status: int
    chat_time: str


class TextsNotice(Message, frozen=True):
    """New texts in a thread, to all devices of its members whose clients want the feed; ``touid`` is 0 in a group."""

    ID = 1109
    thread_id: Id
    fromuid: Id
    touid: Id
    texts: tuple[NumberedText, ...]


class LoadMessagesRequest(Message, frozen=True):
    """A thread's messages after ``message_id``."""

    ID = 1029
    thread_id: Id
    message_id: Id


class HistoryText(Part, frozen=True):
    """A message of a thread's history; the source's ``unique_id`` is the number 0."""

    sender: Id
    msg_id: Id
    thread_id: Id
    unique_id: int
    msg_content: str
    chat_time: str


class LoadMessagesReply(Message, frozen=True):
    """A page of history, and where the next one begins."""

    ID = 1030
    error: int
    thread_id: Id = 0
    last_message_id: Id = 0
    load_more: bool = False
    chat_datas: tuple[HistoryText, ...] = ()


class HistoryRequest(Message, frozen=True):
    """A thread's messages next to number ``seq``: those above it, or with ``backward`` those below."""

    ID = 1101
    thread_id: Id
    seq: Id
    backward: bool


class HistoryReply(Message, frozen=True):
    """A page of history, by number, the one next to ``seq`` for certain; whether there are more in that direction."""

    ID = 1102
    error: int
    thread_id: Id = 0
    load_more: bool = False
    texts: tuple[NumberedText, ...] = ()
