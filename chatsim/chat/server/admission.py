"""Which connections a node keeps, if there are more than it may have."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import inf

from chatsim.chat.server.limits import Limits
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.chat.server.session import ClientSession

__all__ = ["PER_ADDRESS", "Admission"]

_log = logging.getLogger(__name__)

PER_ADDRESS = 256
"""The default limit of connections from one address: the users of an office or of a mobile network may share one."""

_IPV6_PREFIX = 64  # a host can choose the other half of its address: RFC 4291, section 2.5.1


class Admission:
    """Keeps the number of a node's connections within its limits.

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
        self._warning = RepeatedWarning(_log)

    def admit(self, session: ClientSession) -> bool:
        """Let a new connection in, if need be in place of a waiting one. Returns whether it may stay."""
        origin, most = _origin(session.peer.host), self._most_from(session.peer.host)
        all_of_it = min(self._limits.connections, self._capacity())
        full = None
        if self._counts[origin] >= most:
            full, crowd = f"{origin} has {most:g} connections", origin
        elif len(self._origins) >= all_of_it:
            full = f"there are {all_of_it:g} connections"
            crowd = max(self._waiting, key=lambda each: len(self._waiting[each]), default="")
        if full is not None:
            oldest = next(iter(self._waiting.get(crowd, ())), None)
            what = "a new one is refused" if oldest is None else "one without a login makes room"
            self._warning("%s: %s, as many as it may have; %s", self._node, full, what)
            if oldest is None:
                return False
            self.leave(oldest)
            oldest.drop("it has made room for others")
        self._origins[session] = origin
        self._counts[origin] += 1
        self._waiting.setdefault(origin, {})[session] = None
        return True

    def logged_in(self, session: ClientSession) -> None:
        """Note that a connection no longer waits."""
        origin = self._origins.get(session, "")
        if waiting := self._waiting.get(origin):
            waiting.pop(session, None)
            if not waiting:
                del self._waiting[origin]

    def leave(self, session: ClientSession) -> None:
        """Note that a connection has ended."""
        self.logged_in(session)
        if (origin := self._origins.pop(session, None)) is not None:
            self._counts[origin] -= 1
            if not self._counts[origin]:
                del self._counts[origin]

    def _most_from(self, host: str) -> float:
        if self._limits.per_address is not None:
            return self._limits.per_address
        return PER_ADDRESS if _is_remote(host) else inf


@lru_cache(maxsize=1024)
def _origin(host: str) -> str:
    """The part of an address that its owner can't choose: of IPv6, the network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a machine of the model
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), _IPV6_PREFIX), strict=False))


@lru_cache(maxsize=1024)
def _is_remote(host: str) -> bool:
    """Whether it is the address of another machine. The machines of the model have names, and no addresses."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not (mapped or address).is_loopback
