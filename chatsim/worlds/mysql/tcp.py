"""The `Network` port on TCP."""

from __future__ import annotations

import asyncio
import logging
import math
import resource
import socket
import struct
from collections import deque
from contextlib import suppress
from errno import ECONNRESET, EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING

from chatsim.chat.ports import Address
from chatsim.chat.server.origin import origin
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.worlds.common.accepting import serve
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chatsim.chat.ports import Stream

__all__ = ["TcpNetwork", "reserve"]

_log = logging.getLogger(__name__)
_FILES = 65_536  # that a server wants to be able to open
_BACKLOG = 4_096  # connections that the kernel keeps while none is accepted
_AT_ONCE = 256  # connections that are taken from it in one turn of the loop
_SERVED = 8  # connections that it begins to serve in one turn
_ARRIVED = 4_096  # connections that have been taken from the kernel, and are not served yet
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, and keep nothing of it in the kernel
_PAUSE = 0.25  # seconds
_EXHAUSTED = {EMFILE, ENFILE, ENOBUFS, ENOMEM}
_SPARE = 256  # files that are open for other reasons
_LINGER = 5.0  # seconds `close` waits for a peer that doesn't read
_UNREAD = 65_536  # bytes of a peer that are taken at the end, though nobody reads them


def reserve(sockets: int) -> None:
    """Make sure that this process may open this number of sockets. Raises `WorldError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _SPARE
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise WorldError(f"{sockets:,} sockets are needed, and this process may open {hard:,} files (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class TcpNetwork:
    """The `Network` port on sockets. A host should be an IP address, since a name may have several."""

    def __init__(self) -> None:
        self._listeners: set[_TcpListener] = set()

    async def listen(
        self,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        welcomes: Callable[[Address], int] | None = None,
    ) -> _TcpListener:
        """Bind ``address``; see `chatsim.chat.ports.Network.listen`."""
        _raise_soft_limit()
        infos = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, _, _, _, where = infos[0]
        listening = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
        listening.settimeout(0)
        here = Address(address.host, listening.getsockname()[1])
        return _TcpListener(listening, here, accept, welcomes or _everybody, self._listeners)

    async def connect(self, address: Address) -> _TcpStream:
        """Open a connection; see `chatsim.chat.ports.Network.connect`."""
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = infos[0]
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(0)
            await loop.sock_connect(connection, where)
            return _TcpStream(connection, address)
        except BaseException:
            connection.close()
            raise


def _everybody(_: Address) -> int:
    return 1


def _raise_soft_limit() -> None:
    """Let this process open as many files as a server may need, as far as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _TcpListener:
    """Accepts connections. It pauses while this process, or the machine, can open no more files.

    asyncio's own server tries as often as its backlog is long, and logs a traceback each time. A connection that is not
    wanted is closed for a few system calls. Of the others the loop begins to serve a few in each turn, so that a crowd
    does not delay who is there. The order is that of `_Arrivals`: nor does a crowd delay other newcomers.

    Args:
        listening: the socket, bound and not blocking.
        address: its address.
        accept: serves a connection.
        welcomes: how welcome a connection from a peer is; see `chatsim.chat.ports.Network.listen`.
        listeners: the listeners of the network, which share the files that this process may open.
    """

    def __init__(
        self,
        listening: socket.socket,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        welcomes: Callable[[Address], int],
        listeners: set[_TcpListener],
    ) -> None:
        self._socket = listening
        self._address = address
        self._accept = accept
        self._welcomes = welcomes
        self._arrivals = _Arrivals()
        self._serving: asyncio.Handle | None = None
        self._listeners = listeners
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._warning = RepeatedWarning(_log)
        self._listeners.add(self)
        self._loop.add_reader(listening, self._accept_some)

    @property
    def address(self) -> Address:
        return self._address

    @property
    def capacity(self) -> float:
        """The files that this process may open, except some spare ones, shared equally by the listeners."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return math.inf
        return max(1, (soft - min(_SPARE, soft // 2)) // max(1, len(self._listeners)))

    async def close(self) -> None:
        if self in self._listeners:
            self._listeners.discard(self)
            self._loop.remove_reader(self._socket)
            if self._pause is not None:
                self._pause.cancel()
            if self._serving is not None:
                self._serving.cancel()
            self._socket.close()
            while self._arrivals:
                self._arrivals.take()[0].close()

    def _accept_some(self) -> None:
        """Accept what has arrived, but let others work in between if it is very much."""
        for _ in range(_AT_ONCE):
            try:
                connection, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._wait_for_room(error)
                    return
                continue  # that connection has ended already
            there = Address(*peer[:2])
            if not (welcome := self._welcomes(there)):
                _reset(connection)
                continue
            self._arrivals.put(connection, there, welcome)
            if len(self._arrivals) > _ARRIVED:
                _reset(self._arrivals.drop())
            if self._serving is None:
                self._serving = self._loop.call_soon(self._serve_some)

    def _serve_some(self) -> None:
        """Begin to serve those whose turn it is."""
        for _ in range(min(_SERVED, len(self._arrivals))):
            task = self._loop.create_task(self._serve(*self._arrivals.take()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._serving = self._loop.call_soon(self._serve_some) if self._arrivals else None

    def _wait_for_room(self, error: OSError) -> None:
        self._warning("%s accepts no connections for the moment: %s", self._address, error.strerror)
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket, self._accept_some)

    async def _serve(self, connection: socket.socket, peer: Address) -> None:
        connection.settimeout(0)
        await serve(self._accept, _TcpStream(connection, peer))


class _Arrivals:
    """Connections that nobody serves yet: the most welcome first, and of these one from each origin after the other."""

    def __init__(self) -> None:
        self._by_welcome: dict[int, dict[str, deque[tuple[socket.socket, Address]]]] = {}  # then by origin, in turn
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, connection: socket.socket, peer: Address, welcome: int) -> None:
        """Add a connection."""
        self._by_welcome.setdefault(welcome, {}).setdefault(origin(peer.host), deque()).append((connection, peer))
        self._count += 1

    def take(self) -> tuple[socket.socket, Address]:
        """The connection whose turn it is."""
        welcome = max(self._by_welcome)
        where = next(iter(self._by_welcome[welcome]))
        return self._remove(welcome, where, newest=False)

    def drop(self) -> socket.socket:
        """The connection that can be spared: of the least welcome, the newest from the origin whose turn it is last."""
        welcome = min(self._by_welcome)
        where = next(reversed(self._by_welcome[welcome]))
        return self._remove(welcome, where, newest=True)[0]

    def _remove(self, welcome: int, where: str, *, newest: bool) -> tuple[socket.socket, Address]:
        origins = self._by_welcome[welcome]
        arrived = origins.pop(where)
        found = arrived.pop() if newest else arrived.popleft()
        if arrived:  # the others have their turn first
            origins[where] = arrived
        if not origins:
            del self._by_welcome[welcome]
        self._count -= 1
        return found


def _reset(connection: socket.socket) -> None:
    """End a connection for which nothing has been made."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


class _TcpStream:
    """A connection, straight on its socket.

    asyncio's own streams have twice as many objects, in reference cycles, so that each connection that has ended waits
    for the garbage collector; while thousands come and go, its pauses delay everybody.

    Args:
        connection: the socket, connected and not blocking.
        peer: the other end's address.
    """

    def __init__(self, connection: socket.socket, peer: Address) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._peer = peer
        self._least = 1
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Future[None] | None = None  # set when there is something to read
        self._watched = False  # whether the loop looks for that
        self._writer: asyncio.Future[None] | None = None  # set when there is room to write
        self._writing = asyncio.Lock()

    @property
    def peer(self) -> Address:
        return self._peer

    async def read(self, limit: int, least: int = 1) -> bytes:
        if least != self._least:
            self._wake_at(least)
        while not self._closing:
            try:
                return self._socket.recv(limit)
            except (BlockingIOError, InterruptedError):
                pass
            except ConnectionError:
                raise
            except OSError as error:  # a host that can't be reached any more, a timeout of the kernel's
                raise ConnectionResetError(ECONNRESET, str(error)) from error
            await self._readable()
        return b""

    async def write(self, data: bytes) -> None:
        if self._closing:
            raise ConnectionResetError(ECONNRESET, "the connection is closed")
        async with self._writing:
            left = memoryview(data)
            while left:
                try:
                    left = left[self._socket.send(left) :]
                    continue
                except (BlockingIOError, InterruptedError):
                    pass
                except OSError as error:  # a broken pipe, a connection that was reset, or that `close` has given up
                    raise ConnectionResetError(ECONNRESET, str(error)) from error
                await self._writable()

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        _wake(self._reader)
        try:
            async with asyncio.timeout(_LINGER), self._writing:  # after what was written before
                pass
        except TimeoutError:  # the peer doesn't take it
            pass
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        _wake(self._writer)
        with suppress(OSError):  # the peer has closed already
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.recv(_UNREAD)  # the kernel would reset the connection, and what was written would be lost
        self._socket.close()

    def _wake_at(self, least: int) -> None:
        """Let the kernel wake this process only when so many bytes are there, or the end: socket(7), SO_RCVLOWAT."""
        self._least = least
        with suppress(OSError):  # the connection has ended
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)

    async def _readable(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.add_reader(self._socket, self._something_to_read)
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _something_to_read(self) -> None:
        if self._reader is None:  # nobody reads at the moment
            self._watched = False
            self._loop.remove_reader(self._socket)
        else:
            _wake(self._reader)

    async def _writable(self) -> None:
        self._writer = self._loop.create_future()
        self._loop.add_writer(self._socket, _wake, self._writer)
        try:
            await self._writer
        finally:
            self._writer = None
            if self._socket.fileno() >= 0:
                self._loop.remove_writer(self._socket)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
