"""Ports: the interfaces that the chat system needs from the world in which it runs.

A world (`chatsim.worlds`) implements these protocols and `chatsim.db.session.Database`. The chat system uses nothing
else of a world. `Database` gives rows, `Network` carries bytes, `Locks` are locks outside the database, and `Tokens`
prove a login. Nodes find each other's users with `Presence` and each other with `Directory`, and call each other with
`Peers`; they keep the bytes of attachments in `Files`. A client stores its data in a `LocalStore`. Time is the time of
the running event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chatsim.chat.protocol import Message
    from chatsim.db.session import Rows

__all__ = [
    "Address",
    "Device",
    "Directory",
    "Files",
    "FilesError",
    "Listener",
    "LocalStore",
    "LocalStoreError",
    "LocalStoreUnavailableError",
    "Locks",
    "LocksError",
    "LocksTimeoutError",
    "Many",
    "Network",
    "NoTokenError",
    "NodeStatus",
    "Peer",
    "Peers",
    "Presence",
    "RegistryError",
    "Statement",
    "Stream",
    "TokenError",
    "Tokens",
]


class Locks(Protocol):
    """Named mutual exclusion that lives outside the database."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock ``name`` for the block. Raises `LocksError`, or `LocksTimeoutError` while others hold it."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The address of a listener. Port 0 asks for any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Stream(Protocol):
    """One end of a connection: bytes in order, or an error of the built-in `ConnectionError` family."""

    @property
    def peer(self) -> Address:
        """The other end's address."""
        ...

    async def read(self, limit: int, least: int = 1) -> bytes:
        """Wait for at least one byte and return at most ``limit``; ``b""`` once the peer has closed.

        ``least`` is how many bytes the reader can do something with. A network may wait for so many.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send all of ``data``. Waits while the peer reads too slowly. Raises `ConnectionResetError`."""
        ...

    async def close(self) -> None:
        """Close both directions. Bytes that were written before still arrive. May be called twice."""
        ...


class Listener(Protocol):
    """A bound address that accepts connections until closed."""

    @property
    def address(self) -> Address:
        """The address in use, with the real port."""
        ...

    @property
    def capacity(self) -> float:
        """The number of connections that can be open at the same time; it may change."""
        ...

    async def close(self) -> None:
        """Stop accepting. Connections that were accepted before stay open."""
        ...


class Network(Protocol):
    """Connections between addresses."""

    async def listen(
        self,
        address: Address,
        accept: Callable[[Stream], Awaitable[None]],
        welcomes: Callable[[Address], int] | None = None,
    ) -> Listener:
        """Bind ``address`` and run ``accept`` as a task for each connection; its stream is closed when it returns.

        ``welcomes`` says how welcome a connection from a peer is. At 0 it is refused before anything is made for it. Of
        those that wait to be served, the most welcome is served first.

        Raises `OSError` when the address is in use.
        """
        ...

    async def connect(self, address: Address) -> Stream:
        """Open a connection. Raises `ConnectionRefusedError` when nobody listens there."""
        ...


class RegistryError(Exception):
    """`Tokens`, `Presence` or `Directory` can't be reached. The message has the reason.

    Whether a change was stored is unknown.
    """


class TokenError(Exception):
    """A token is wrong, belongs to another user, or has expired. The message says which."""


class NoTokenError(TokenError):
    """No token was issued to the user, or it has expired."""


class Tokens(Protocol):
    """Login tokens, which the status server issues and nodes check. Its methods raise `RegistryError`."""

    async def issue(self, uid: int) -> str:
        """A token for ``uid``, good until it expires."""
        ...

    async def check(self, uid: int, token: str) -> None:
        """Raise a `TokenError` unless ``token`` was issued to ``uid`` and has not expired."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """A logged-in session of a user.

    Attributes:
        uid: the user.
        session: the session's id, unlike that of any other session of any node.
        node: the name of the node it is on.
    """

    uid: int
    session: str
    node: str


class Presence(Protocol):
    """Which node a user is on. An entry expires if it is not refreshed, so the users of a dead node go offline.

    Its methods raise `RegistryError`.
    """

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Store a login. With ``alone``, the user's other sessions are removed and returned."""
        ...

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Renew entries. Returns those that no longer exist: expired, removed, or lost with the store."""
        ...

    async def leave(self, device: Device) -> None:
        """Remove an entry, if it still belongs to this session."""
        ...

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The report of a node about itself.

    Attributes:
        name: its name.
        address: where it listens for clients.
        sessions: the number of logged-in sessions.
        report: the number of this report, from 1.
        peers: where it listens for its peers, if they learn that from the directory.
    """

    name: str
    address: Address
    sessions: int
    report: int
    peers: Address | None = None


class Directory(Protocol):
    """The list of live nodes. The report of a node expires if the node does not report again.

    Its methods raise `RegistryError`.
    """

    async def announce(self, node: NodeStatus) -> None:
        """Store the report of a node."""
        ...

    async def withdraw(self, name: str) -> None:
        """Remove a node."""
        ...

    async def nodes(self) -> Sequence[NodeStatus]:
        """The live nodes, by name."""
        ...


class Peers(Protocol):
    """How a node reaches the other nodes. A call that fails is logged, and its content is lost.

    A waiting call takes a bounded time; all calls that wait for one node take a bounded amount of memory.
    """

    @property
    def address(self) -> Address | None:
        """Where this node listens for its peers, if they learn that from the directory."""
        ...

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device`` to end this session, since the user has logged in elsewhere."""
        ...

    async def push(self, device: Device, notice: Message) -> None:
        """Have the node of ``device`` send it a notice."""
        ...


class Peer(Protocol):
    """A node, as its peers call it."""

    async def kicked(self, device: Device) -> bool:
        """End one of its sessions. Returns whether the session was there."""
        ...

    async def pushed(self, device: Device, notice: Message) -> bool:
        """Send a notice to one of its sessions. Returns whether the session is there."""
        ...


class FilesError(Exception):
    """The bytes of attachments can't be written or read: the disk is full, say. The message has the reason."""


class Files(Protocol):
    """The bytes of attachments, which all nodes share.

    A file is named by 32 hexadecimal digits, which the server draws; what users call it has nothing to do with that.
    The methods raise `FilesError`, also for any other name.
    """

    async def length(self, name: str) -> int:
        """The number of bytes of a file; 0 if it is not there."""
        ...

    async def append(self, name: str, offset: int, data: bytes) -> int:
        """Write ``data`` at the end of a file if it has exactly ``offset`` bytes. Returns how many it has then.

        A file is made when its first bytes are written. What was written is never overwritten, even if several nodes
        write at once.
        """
        ...

    async def read(self, name: str, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of a file, from ``offset`` on; none at its end, or if it is not there."""
        ...

    async def digest(self, name: str) -> str:
        """The SHA-256 of a file, in hexadecimal digits."""
        ...

    async def sync(self, name: str) -> None:
        """Make sure that a file survives a loss of power."""
        ...

    async def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    async def names(self) -> Sequence[str]:
        """The names of all files."""
        ...


class LocalStoreError(Exception):
    """A client's local store has failed. The message has the reason. Nothing of the transaction was stored."""


class LocalStoreUnavailableError(LocalStoreError):
    """A client's local store can't be used now, but a later try may succeed: another process has locked it, say."""


@dataclass(frozen=True, slots=True)
class Many:
    """A statement that is run once for each of several rows of arguments. It returns no rows."""

    sql: str
    rows: Sequence[Sequence[object]]


Statement = tuple[str, Sequence[object]] | Many
"""A statement and its arguments."""


class LocalStore(Protocol):
    """A client's own database, on its own device: SQLite, with ``?`` for arguments."""

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement in a transaction of its own. Raises `LocalStoreError`."""
        ...

    async def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run statements, all of them or none. Raises `LocalStoreError`."""
        ...

    async def close(self) -> None:
        """Close the database. Later calls open it again."""
        ...


class LocksError(Exception):
    """A lock of the `Locks` port could not be acquired. The message has the reason."""


class LocksTimeoutError(LocksError):
    """A named lock, of the `Locks` port or of the database server, could not be acquired in time."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, seconds)
        self.name = name
        self.seconds = seconds

    def __str__(self) -> str:
        return f"lock timeout: {self.name} was held by others for {self.seconds:g} s"
