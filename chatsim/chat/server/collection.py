"""The removal of attachments that nobody needs any more: uploads that were never sent, and files without a row."""

from __future__ import annotations

import logging
from functools import partial

from chatsim.chat.ports import Files, FilesError
from chatsim.chat.server.handlers.context import Transact
from chatsim.chat.server.store import attachments
from chatsim.db.errors import DatabaseError

__all__ = ["Collector"]

_log = logging.getLogger(__name__)

_NOBODY = 0
"""The user for whom connections are leased."""

_PORTION = 100
"""The number of files that are looked for in the database in one round trip."""


class Collector:
    """Removes uploads that have lapsed or were recalled, and files without a row.

    Any number of nodes may do this at the same time. A row is removed before its file, and made before it. So a file
    without a row is one that nobody needs, whenever the node has stopped.

    Args:
        node: the node's name, for the log.
        files: the bytes of attachments.
        transact: runs a transaction.
        seconds: the seconds after which an upload that was not sent is removed.
    """

    def __init__(self, node: str, files: Files, transact: Transact, seconds: int) -> None:
        self._node = node
        self._files = files
        self._transact = transact
        self._seconds = seconds

    async def collect(self) -> None:
        """Remove what is there to be removed. What fails is logged, and tried again the next time."""
        try:
            await self._remove_uploads()
            await self._remove_orphans()
        except (DatabaseError, FilesError) as error:
            _log.warning("%s: attachments could not be removed: %s", self._node, error)

    async def _remove_uploads(self) -> None:
        while found := await self._transact(_NOBODY, partial(attachments.garbage, seconds=self._seconds)):
            removed = 0
            for each in found:
                if await self._transact(_NOBODY, partial(attachments.remove, each=each, seconds=self._seconds)):
                    await self._files.remove(each.file)
                    removed += 1
            if not removed:
                return  # others have removed them

    async def _remove_orphans(self) -> None:
        files = await self._files.names()
        for at in range(0, len(files), _PORTION):
            some = files[at : at + _PORTION]
            known = await self._transact(_NOBODY, partial(attachments.known_files, files=some))
            for file in some:
                if file not in known:
                    _log.info("%s: a file without a row is removed: %s", self._node, file)
                    await self._files.remove(file)
