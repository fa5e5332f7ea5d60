"""The processor time that a MySQL server on this machine, and this process, have taken."""

from __future__ import annotations

import os
import socket
import sys
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

_HAS_CLOCKS = sys.platform.startswith("linux")
"""Whether each process has a clock of its own."""


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
    found = {"interpreter": Busy(time.process_time(), 1)}
    with suppress(OSError):  # the process has ended
        if process is not None:
            found["CPU of database"] = Busy(_cpu_seconds(process), os.cpu_count() or 1)
    return found


def _cpu_seconds(process: psutil.Process) -> float:
    """The processor time of a process with all its threads. Raises `OSError` if it has ended.

    psutil has it in steps of 10 ms. On Linux each process has a clock of its own that has nanoseconds; its number
    follows from the process's id (clock_getcpuclockid(3)).
    """
    if _HAS_CLOCKS:
        return time.clock_gettime(~process.pid << 3 | 2)
    import psutil

    try:
        spent = process.cpu_times()
    except psutil.Error as error:
        raise ProcessLookupError(str(error)) from error
    return spent.user + spent.system
