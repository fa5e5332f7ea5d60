"""Where a connection comes from: the part of an address that its owner can't choose."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["is_remote", "origin"]

_IPV6_PREFIX = 64  # a host can choose the other half of its address: RFC 4291, section 2.5.1


@lru_cache(maxsize=1024)
def origin(host: str) -> str:
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
def is_remote(host: str) -> bool:
    """Whether it is the address of another machine. The machines of the model have names, and no addresses."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not (mapped or address).is_loopback
