"""What the kernel does with packets before the node sees them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["dropped_packets"]

_CONNECTIONS = Path("/proc/net/stat/nf_conntrack")
_COLUMNS = ("drop", "early_drop", "insert_failed")


def dropped_packets() -> int:
    """How many packets the kernel's table of connections has dropped since the machine was started; 0 without a table.

    The table is there if a firewall tracks connections, as that of a Docker engine does. It keeps a closed connection
    for two minutes, and drops new ones, whoever sends them, when it is full.
    """
    try:
        head, *lines = _CONNECTIONS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    rows = [dict(zip(head.split(), line.split(), strict=False)) for line in lines]
    return sum(int(row.get(column, "0"), 16) for row in rows for column in _COLUMNS)
