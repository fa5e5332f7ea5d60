"""The processor time that a MySQL server on this machine, and this process, have taken."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.db.errors import DatabaseError
from chatsim.worlds.world import Busy

if TYPE_CHECKING:
    import psutil

    from chatsim.db.session import Session

__all__ = ["busy", "server_process"]


async def server_process(admin: Session) -> psutil.Process | None:
    """The process of the server, or None if it is on another machine, or in a container."""
    with suppress(DatabaseError):
        ((host, path, port),) = (await admin.execute("SELECT @@hostname, @@pid_file, @@port")).rows
        if host == socket.gethostname():
            return _listening(Path(str(path)), int(str(port)))
    return None


def _listening(pid_file: Path, port: int) -> psutil.Process | None:
    """The process of a file with its id, if it listens on the port."""
    import psutil

    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int(pid_file.read_text(encoding="ascii")))
        if any(each.status == "LISTEN" and each.laddr.port == port for each in process.net_connections(kind="tcp")):
            return process
    return None


def busy(process: psutil.Process | None) -> Mapping[str, Busy]:
    """How much the server has worked, if it is on this machine, and the interpreter of this process."""
    import psutil

    found = {"interpreter": Busy(time.process_time(), 1)}
    with suppress(psutil.Error):
        if process is not None:
            spent = process.cpu_times()
            found["CPU of database"] = Busy(spent.user + spent.system, os.cpu_count() or 1)
    return found
