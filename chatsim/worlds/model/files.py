"""The `Files` port in virtual time: files in memory, whose bytes take time to move."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatsim.worlds.common.file_names import check_file_name

if TYPE_CHECKING:
    from chatsim.worlds.model.costs import FilesCosts

__all__ = ["ModelFiles"]


class ModelFiles:
    """Files in memory. Any number of them can be read and written at the same time.

    Args:
        costs: how long that takes.
    """

    def __init__(self, costs: FilesCosts) -> None:
        self._costs = costs
        self._files: dict[str, bytearray] = {}
        self._synced: dict[str, int] = {}  # how many bytes of a file are on the disk

    async def length(self, name: str) -> int:
        """The number of bytes of a file."""
        return len(await self._file(name))

    async def append(self, name: str, offset: int, data: bytes) -> int:
        """Write ``data`` at the end of a file if it has exactly ``offset`` bytes."""
        file = await self._file(name, len(data))
        if len(file) == offset:
            file = self._files.setdefault(name, file)
            file += data
        return len(file)

    async def read(self, name: str, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of a file."""
        return bytes((await self._file(name, limit))[offset : offset + limit])

    async def digest(self, name: str) -> str:
        """The SHA-256 of a file."""
        return hashlib.sha256(await self._file(name, len(self._files.get(name, b"")))).hexdigest()

    async def sync(self, name: str) -> None:
        """Write a file to the disk."""
        check_file_name(name)
        await asyncio.sleep(self._costs.sync)
        if name in self._files:
            self._synced[name] = len(self._files[name])

    async def remove(self, name: str) -> None:
        """Remove a file."""
        await self._file(name)
        self._files.pop(name, None)
        self._synced.pop(name, None)

    async def names(self) -> Sequence[str]:
        """The names of all files."""
        await asyncio.sleep(self._costs.operation)
        return sorted(self._files)

    def lose_power(self) -> None:
        """Lose all bytes that have not been written to the disk."""
        for name, file in [*self._files.items()]:
            del file[self._synced.get(name, 0) :]
            if name not in self._synced:
                del self._files[name]

    async def _file(self, name: str, moved: int = 0) -> bytearray:
        """A file, after the time that it takes to move so many bytes; an empty one if it is not there."""
        check_file_name(name)
        await asyncio.sleep(self._costs.operation + moved / self._costs.bandwidth)
        return self._files.get(name, bytearray())
