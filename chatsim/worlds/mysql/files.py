"""The `Files` port on a directory, which the nodes of a system share. Threads do the work, since a disk can be slow."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from chatsim.chat.ports import FilesError
from chatsim.worlds.common.file_names import check_file_name, is_file_name
from chatsim.worlds.world import WorldError

__all__ = ["DirectoryFiles", "temporary_directory"]

T = TypeVar("T")

_THREADS = 4
_PREFIX = "chatsim-attachments-"
_YOUNG_SECONDS = 60.0
"""A directory that is not older may not have been locked yet."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class DirectoryFiles:
    """Files in a directory, which is made if it is not there.

    Nodes that append to a file take turns by a lock on it (flock), so the directory must be on one machine, or on a
    network file system that has such locks.

    Args:
        path: the directory.

    Raises:
        WorldError: the directory can't be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise WorldError(f"the directory of attachments can't be used: {error}") from error
        self._path = path
        self._threads = ThreadPoolExecutor(_THREADS, "files")  # not asyncio's, which others need

    async def length(self, name: str) -> int:
        """The number of bytes of a file."""

        def work(path: Path) -> int:
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return 0

        return await self._do(name, work)

    async def append(self, name: str, offset: int, data: bytes) -> int:
        """Write ``data`` at the end of a file if it has exactly ``offset`` bytes."""

        def work(path: Path) -> int:
            try:
                with _opened(path, os.O_RDWR | (0 if offset else os.O_CREAT)) as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    length = os.fstat(file).st_size
                    if length != offset:
                        return length
                    _write_all(file, offset, data)
                    return offset + len(data)
            except FileNotFoundError:
                return 0

        return await self._do(name, work)

    async def read(self, name: str, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of a file."""

        def work(path: Path) -> bytes:
            try:
                with _opened(path, os.O_RDONLY) as file:
                    return os.pread(file, limit, offset)
            except FileNotFoundError:
                return b""

        return await self._do(name, work)

    async def digest(self, name: str) -> str:
        """The SHA-256 of a file."""

        def work(path: Path) -> str:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

        return await self._do(name, work)

    async def sync(self, name: str) -> None:
        """Write a file and its entry in the directory to the disk."""

        def work(path: Path) -> None:
            for each in (path, path.parent):
                with _opened(each, os.O_RDONLY) as file:
                    os.fsync(file)

        await self._do(name, work)

    async def remove(self, name: str) -> None:
        """Remove a file."""
        await self._do(name, lambda path: path.unlink(missing_ok=True))

    async def names(self) -> Sequence[str]:
        """The names of all files."""

        def work() -> list[str]:
            return sorted(name for name in os.listdir(self._path) if is_file_name(name))  # noqa: PTH208 - no paths

        return await self._run(work)

    def close(self) -> None:
        """End the threads, when they have done what they are at."""
        self._threads.shutdown(wait=False)

    async def _do(self, name: str, work: Callable[[Path], T]) -> T:
        check_file_name(name)
        return await self._run(lambda: work(self._path / name))

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            raise FilesError(f"the directory of attachments: {error}") from error


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A new directory, which is removed at the end of the block; and before, those that killed processes have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is in use, or not ours
            status = left.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > _YOUNG_SECONDS:
                with _locked(left):
                    shutil.rmtree(left)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with _locked(path):
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a directory, which ends with the process. Raises `OSError` if another process holds it."""
    with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | _FLAGS, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write_all(file: int, offset: int, data: bytes) -> None:
    """Write all of ``data``, or nothing that counts."""
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(file, data[written:], offset + written)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, offset)
        raise
