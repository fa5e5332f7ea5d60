"""What the chat system needs of the world it runs in.

A world (`chatsim.worlds`) implements these protocols and `chatsim.db.session.Database`; the system imports nothing else
of it. Rows come from `Database`, bytes from `Network`, mutual exclusion outside the database from `Locks`, proofs of a
login from `Tokens`; nodes know of each other's users by `Presence`, of each other by `Directory`, reach each other by
`Peers`; a client keeps what it knows in a `LocalStore`. Time is the running event loop's.
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
    "Listener",
    "LocalStore",
    "LocalStoreError",
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
        """Hold the lock ``name`` for the block. Raises `LocksError`; `LocksTimeoutError` when others held it."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a listener is reached. Port 0 asks for any free one."""

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

    async def read(self, limit: int) -> bytes:
        """Wait for at least one byte and return at most ``limit``; ``b""`` once the peer has closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; waits while the peer does not keep up. Raises `ConnectionResetError`."""
        ...

    async def close(self) -> None:
        """Close both directions; what was written before still arrives. May be called twice."""
        ...


class Listener(Protocol):
    """A bound address that accepts connections until closed."""

    @property
    def address(self) -> Address:
        """The address in use, with the real port."""
        ...

    async def close(self) -> None:
        """Stop accepting; connections already accepted live on."""
        ...


class Network(Protocol):
    """How bytes get from one address to another."""

    async def listen(self, address: Address, accept: Callable[[Stream], Awaitable[None]]) -> Listener:
        """Bind ``address`` and run ``accept`` as a task for each connection; its stream is closed when it returns.

        Raises `OSError` when the address is in use.
        """
        ...

    async def connect(self, address: Address) -> Stream:
        """Open a connection. Raises `ConnectionRefusedError` when nobody listens there."""
        ...


class RegistryError(Exception):
    """What servers know together can't be asked, for the reason in the message: `Tokens`, `Presence`, `Directory`.

    Whether what was to be noted has been is unknown.
    """


class TokenError(Exception):
    """A token proves nothing: it is wrong, somebody else's, or has expired; the message says which."""


class NoTokenError(TokenError):
    """No token was issued to the user, or it has expired."""


class Tokens(Protocol):
    """Proofs, handed out by the status server, that a user may log in. Its methods raise `RegistryError`."""

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
    """Which node a user is on. An entry lapses when it is not refreshed, so a dead node's users don't stay online.

    Its methods raise `RegistryError`.
    """

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Note a login; with ``alone``, the user's other sessions give way to it, and are returned."""
        ...

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Keep entries from lapsing; returns those that are not there: lapsed, given way, or lost with their store."""
        ...

    async def leave(self, device: Device) -> None:
        """Take an entry away, if it is still this session's."""
        ...

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a node says of itself.

    Attributes:
        name: its name.
        address: where it listens.
        sessions: how many are logged in.
        report: the number of this report, from 1.
        peers: where it hears its peers, if that is to be told.
    """

    name: str
    address: Address
    sessions: int
    report: int
    peers: Address | None = None


class Directory(Protocol):
    """Which nodes there are. What a node has announced lapses when it does not do so again.

    Its methods raise `RegistryError`.
    """

    async def announce(self, node: NodeStatus) -> None:
        """Say that a node is there, and how many it serves."""
        ...

    async def withdraw(self, name: str) -> None:
        """Take a node away."""
        ...

    async def nodes(self) -> Sequence[NodeStatus]:
        """The live nodes, by name."""
        ...


class Peers(Protocol):
    """How a node reaches the other nodes. What can't be told is logged, and lost.

    What waits to be told takes a bounded time, and for each node a bounded amount of memory.
    """

    @property
    def address(self) -> Address | None:
        """Where the node itself hears its peers, if they are to learn that from the directory."""
        ...

    async def kick(self, device: Device) -> None:
        """Tell the node of ``device`` that this session has given way to another."""
        ...

    async def push(self, device: Device, notice: Message) -> None:
        """Have the node of ``device`` tell it something."""
        ...


class Peer(Protocol):
    """What a node does about what its peers say."""

    async def kicked(self, device: Device) -> bool:
        """One of its sessions has given way to another; returns whether it was there."""
        ...

    async def pushed(self, device: Device, notice: Message) -> bool:
        """One of its sessions is to be told something; returns whether it is there."""
        ...


class LocalStoreError(Exception):
    """A client's local store could not do it, for the reason in the message; of the transaction nothing was done."""


@dataclass(frozen=True, slots=True)
class Many:
    """A statement that is run once for each of several rows of arguments; it reads nothing."""

    sql: str
    rows: Sequence[Sequence[object]]


Statement = tuple[str, Sequence[object]] | Many
"""A statement and its arguments."""


class LocalStore(Protocol):
    """A client's own database, on its own device: SQLite, with ``?`` for arguments."""

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement, a transaction of its own. Raises `LocalStoreError`."""
        ...

    async def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run statements, all of them or none. Raises `LocalStoreError`."""
        ...

    async def close(self) -> None:
        """Close it; what is done with it later opens it again."""
        ...


class LocksError(Exception):
    """A lock of the `Locks` port could not be had, for the reason in the message."""


class LocksTimeoutError(LocksError):
    """A named lock, of the `Locks` port or of the server's, could not be had in time."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, seconds)
        self.name = name
        self.seconds = seconds

    def __str__(self) -> str:
        return f"lock timeout: {self.name} was held by others for {self.seconds:g} s"
