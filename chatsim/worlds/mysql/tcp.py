"""The `Network` port on TCP."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from errno import ECONNRESET
from typing import TYPE_CHECKING

from chatsim.chat.ports import Address
from chatsim.worlds.common.accepting import serve
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chatsim.chat.ports import Stream

__all__ = ["TcpNetwork", "reserve"]

_SPARE = 256  # files that are open for other reasons
_LINGER = 5.0  # seconds `close` waits for a peer that doesn't read


def reserve(sockets: int) -> None:
    """Make sure that this process may open this number of sockets. Raises `WorldError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _SPARE
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise WorldError(f"{sockets:,} sockets are needed, and this process may open {hard:,} files (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class TcpNetwork:
    """The `Network` port on asyncio's streams. A host should be an IP address, since a name may have several."""

    async def listen(self, address: Address, accept: Callable[[Stream], Awaitable[None]]) -> _TcpListener:
        """Bind ``address``; see `chatsim.chat.ports.Network.listen`."""
        tasks: set[asyncio.Task[None]] = set()

        # Given a coroutine function, asyncio before Python 3.13 logs an error for each accept that is cancelled.
        def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(serve(accept, _TcpStream(reader, writer)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(admit, address.host, address.port)
        return _TcpListener(server, Address(address.host, server.sockets[0].getsockname()[1]))

    async def connect(self, address: Address) -> _TcpStream:
        """Open a connection; see `chatsim.chat.ports.Network.connect`."""
        return _TcpStream(*await asyncio.open_connection(address.host, address.port))


class _TcpListener:
    def __init__(self, server: asyncio.Server, address: Address) -> None:
        self._server = server
        self._address = address

    @property
    def address(self) -> Address:
        return self._address

    async def close(self) -> None:
        self._server.close()  # and no wait_closed(): since Python 3.12 it waits for the connections, too


class _TcpStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._peer = Address(*writer.get_extra_info("peername")[:2])

    @property
    def peer(self) -> Address:
        return self._peer

    async def read(self, limit: int) -> bytes:
        try:
            return await self._reader.read(limit)
        except ConnectionError:
            raise
        except OSError as error:  # a host that can't be reached any more, a timeout of the kernel's
            raise ConnectionResetError(ECONNRESET, str(error)) from error

    async def write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError(ECONNRESET, "the connection is closed")
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError as error:  # a broken pipe, an aborted connection
            raise ConnectionResetError(ECONNRESET, str(error)) from error

    async def close(self) -> None:
        if self._writer.is_closing():
            return
        self._writer.close()
        try:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await self._writer.wait_closed()
        finally:
            if self._writer.transport.get_write_buffer_size():  # the peer hasn't taken it
                self._writer.transport.abort()
