"""Which connections a node keeps, if there are more than it may have."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from math import inf

from chatsim.chat.ports import Address
from chatsim.chat.server.limits import Bucket, Limits
from chatsim.chat.server.origin import is_remote, origin
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.chat.server.session import ClientSession

__all__ = ["BREACH", "PER_ADDRESS", "Admission", "Welcome"]

_log = logging.getLogger(__name__)

PER_ADDRESS = 256
"""The default limit of connections from one address: the users of an office or of a mobile network may share one."""

BREACH = 16
"""A connection that breaks the protocol costs its address so many further new connections."""

_GRUDGE = 60.0
"""An address that has broken the protocol comes after others for so many seconds."""

_GRUDGES = 16_384
"""So many such addresses are remembered; the oldest are forgotten."""

_BUCKETS = 1_024
"""So many addresses are remembered before those that have connected seldom are forgotten."""


class Welcome(IntEnum):
    """How welcome a new connection is, by its address: the larger, the sooner it is served.

    ``REFUSED``: it opens connections too fast. ``LAST``: it has broken the protocol lately. ``UNKNOWN``: nobody is
    logged in from there. ``FIRST``: somebody is.
    """

    REFUSED = 0
    LAST = 1
    UNKNOWN = 2
    FIRST = 3


class Admission:
    """Keeps the number of a node's connections, and of new ones per second, within its limits.

    A connection is *waiting* until its login. If there is no room for a new connection, the one that has waited longest
    has to go: of the same address if that address has too many, otherwise of the address with the most waiting ones.
    So connections that never log in don't lock anybody out. If none is waiting, the new one is refused.

    Args:
        node: the node's name.
        limits: its limits.
        capacity: the number of connections that the network can hold for it.
    """

    def __init__(self, node: str, limits: Limits, capacity: Callable[[], float]) -> None:
        self._node = node
        self._limits = limits
        self._capacity = capacity
        self._origins: dict[ClientSession, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, dict[ClientSession, None]] = {}  # by origin, oldest first
        self._buckets: dict[str, Bucket] = {}  # by origin
        self._grudges: dict[str, float] = {}  # by origin, when it has broken the protocol; the latest is the last
        self._remembered = _BUCKETS
        self._clock = asyncio.get_running_loop().time
        self._full = RepeatedWarning(_log)
        self._hasty = RepeatedWarning(_log)

    def welcomes(self, peer: Address) -> Welcome:
        """How welcome a new connection is, asked before anything is made for it.

        An address whose number of connections is limited may also open only so many per second: `Limits.arrivals`.
        """
        where, now = origin(peer.host), self._clock()
        if self._most_from(peer.host) < inf and self._is_hasty(where, now):
            return Welcome.REFUSED
        if self._grudges.get(where, -inf) > now - _GRUDGE:
            return Welcome.LAST
        somebody = self._counts[where] > len(self._waiting.get(where, ()))
        return Welcome.FIRST if somebody else Welcome.UNKNOWN

    def _is_hasty(self, where: str, now: float) -> bool:
        """Whether an address opens connections too fast. Notes a new one."""
        if (bucket := self._buckets.get(where)) is None:
            self._forget(now)
            bucket = self._buckets[where] = Bucket(self._limits.arrivals, self._limits.arrivals_at_once, now)
        if bucket.try_to_take(now):
            return False
        self._hasty("%s: %s opens connections too fast; a new one is refused", self._node, where)
        return True

    def broken(self, peer: Address) -> None:
        """Note that a connection from ``peer`` has broken the protocol."""
        where = origin(peer.host)
        if (bucket := self._buckets.get(where)) is not None:
            bucket.lose(BREACH)
        self._grudges.pop(where, None)
        self._grudges[where] = self._clock()
        if len(self._grudges) > _GRUDGES:
            del self._grudges[next(iter(self._grudges))]

    def admit(self, session: ClientSession) -> bool:
        """Let a new connection in, if need be in place of a waiting one. Returns whether it may stay."""
        where, most = origin(session.peer.host), self._most_from(session.peer.host)
        all_of_it = min(self._limits.connections, self._capacity())
        full = None
        if self._counts[where] >= most:
            full, crowd = f"{where} has {most:g} connections", where
        elif len(self._origins) >= all_of_it:
            full = f"there are {all_of_it:g} connections"
            crowd = max(self._waiting, key=lambda each: len(self._waiting[each]), default="")
        if full is not None:
            oldest = next(iter(self._waiting.get(crowd, ())), None)
            what = "a new one is refused" if oldest is None else "one without a login makes room"
            self._full("%s: %s, as many as it may have; %s", self._node, full, what)
            if oldest is None:
                return False
            self.leave(oldest)
            oldest.drop("it has made room for others")
        self._origins[session] = where
        self._counts[where] += 1
        self._waiting.setdefault(where, {})[session] = None
        return True

    def logged_in(self, session: ClientSession) -> None:
        """Note that a connection no longer waits."""
        where = self._origins.get(session, "")
        if waiting := self._waiting.get(where):
            waiting.pop(session, None)
            if not waiting:
                del self._waiting[where]

    def leave(self, session: ClientSession) -> None:
        """Note that a connection has ended."""
        self.logged_in(session)
        if (where := self._origins.pop(session, None)) is not None:
            self._counts[where] -= 1
            if not self._counts[where]:
                del self._counts[where]

    def _forget(self, now: float) -> None:
        """Forget addresses that may open as many connections as at first, once there are many addresses."""
        if len(self._buckets) >= self._remembered:
            self._buckets = {where: bucket for where, bucket in self._buckets.items() if not bucket.is_full(now)}
            self._remembered = max(_BUCKETS, 2 * len(self._buckets))

    def _most_from(self, host: str) -> float:
        if self._limits.per_address is not None:
            return self._limits.per_address
        return PER_ADDRESS if is_remote(host) else inf
