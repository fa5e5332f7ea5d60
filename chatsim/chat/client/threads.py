"""What a user does in a thread: reading it, changing messages of it, asking who has read one, going to a date."""

from __future__ import annotations

from chatsim.chat.client import sync
from chatsim.chat.client.acting import Acting
from chatsim.chat.client.event import Event
from chatsim.chat.protocol import (
    DateReply,
    DateRequest,
    EditReply,
    EditRequest,
    RecallReply,
    RecallRequest,
    ReceiptsReply,
    ReceiptsRequest,
)

__all__ = ["ThreadActions"]


class ThreadActions(Acting):
    """The methods of a messenger that are about one thread."""

    async def read(self, thread_id: int) -> None:
        """Mark all stored messages of a thread as read. After a `ClientError`, they are still marked locally."""
        thread = await self.cache.thread(thread_id)
        if thread is None or thread.cursor <= thread.read_by(self.cache.uid):
            return
        await self.cache.note_read(thread_id, self.cache.uid, thread.cursor)
        self._changed(Event(thread_id))
        await sync.report_read(self._online(), self.cache, thread_id, thread.cursor)

    async def recall(self, thread_id: int, seq: int) -> None:
        """Take back a stored message. It changes here when the server says so. Raises `ClientError` or `KeyError`."""
        await self._ask(RecallRequest(thread_id, await self.cache.message_id(thread_id, seq)), RecallReply)

    async def edit(self, thread_id: int, seq: int, content: str) -> None:
        """Replace the content of a stored text of the user's. Raises `ClientError` or `KeyError`."""
        await self._ask(EditRequest(thread_id, await self.cache.message_id(thread_id, seq), content), EditReply)

    async def receipts(self, thread_id: int, seq: int) -> ReceiptsReply:
        """How many members have got, and have read, a message. Raises `ClientError`."""
        return await self._ask(ReceiptsRequest(thread_id, seq), ReceiptsReply)

    async def jump(self, thread_id: int, time: str) -> int:
        """Load a thread from its first message on that was sent at ``time`` or later: ``YYYY-MM-DD HH:MM:SS``.

        Returns its number; 0 if there is none so late. Raises `ClientError`.
        """
        connection = self._online()
        found = await connection.request(DateRequest(thread_id, time), DateReply)
        if found.seq:
            await sync.reach(connection, self.cache, thread_id, found.seq)
            self._changed(Event(thread_id))
        return found.seq

    async def earlier(self, thread_id: int) -> bool:
        """Load an older page of a thread. Returns whether there may be more. Raises `ClientError`."""
        more = await sync.earlier(self._online(), self.cache, thread_id)
        self._changed(Event(thread_id))
        return more
