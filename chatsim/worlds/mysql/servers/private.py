"""A private instance of a server program, with its own directory and port. It ends with its owner."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chatsim.worlds.mysql.servers import supervisor

__all__ = ["Instance", "Program", "StartError", "free_port", "start"]

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.02


class StartError(Exception):
    """A private instance did not start. The message has the end of its log."""


@dataclass(frozen=True)
class Program:
    """How a program is run.

    Attributes:
        argv: the words before its options; the last one is the program itself.
        root: the folder that replaces ``/`` if it was unpacked; None if it is installed.
    """

    argv: tuple[str, ...]
    root: Path | None = None

    def run(self, *options: str) -> str:
        """Run it to its end, and return its output. Raises `StartError` with the end of its output."""
        done = subprocess.run([*self.argv, *options], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            output = (done.stdout + done.stderr).strip().splitlines()
            raise StartError(f"{Path(self.argv[-1]).name} failed: {output[-1] if output else done.returncode}")
        return done.stdout


@dataclass(frozen=True)
class Instance:
    """A running private instance.

    Attributes:
        url: its URL.
        directory: its data directory, which is removed when it is closed.
        pid: the process id of its supervisor.
        close: ends the server, and waits until its directory is removed.
        kill: kills the server, as a crash would.
        revive: starts it again with the data that the crash has left, and waits until it accepts connections.
    """

    url: str
    directory: Path
    pid: int
    close: Callable[[], None]
    kill: Callable[[], None]
    revive: Callable[[], None]


def start(
    name: str,
    command: Callable[[Path, int], list[str]],
    url: Callable[[int], str],
    *,
    prepare: Callable[[Path], None],
    port: int | None = None,
    keep: bool = False,
) -> Instance:
    """Start a server in a fresh directory and wait until it accepts connections.

    Args:
        name: the kind of server, for the directory's name and for messages.
        command: the command line, given the directory and the port.
        url: the server's URL, given the port.
        prepare: fills the fresh directory.
        port: the port to use; None is any free port.
        keep: whether it outlives this process. ``Instance.close`` ends it in both cases.

    Raises:
        StartError: the port is in use, or the server has ended. No directory and no process is left.
    """
    if port is None:
        port = free_port()
    elif _answers(port):
        raise StartError(f"port {port} is in use; name another, or none to have one chosen")
    directory = Path(tempfile.mkdtemp(prefix=f"chatsim-{name.lower()}-"))
    try:
        prepare(directory)
        watcher = subprocess.Popen(
            [
                sys.executable,
                supervisor.__file__,
                "KEPT" if keep else "OWNED",
                directory,
                *command(directory, port),
            ],
            stdin=subprocess.DEVNULL if keep else subprocess.PIPE,
            stdout=subprocess.DEVNULL if keep else subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise

    def close() -> None:
        if keep:
            watcher.terminate()
        watcher.communicate()

    def kill() -> None:
        watcher.send_signal(signal.SIGUSR1)
        while _answers(port):
            time.sleep(_LOOK_SECONDS)

    def revive() -> None:
        watcher.send_signal(signal.SIGUSR2)
        _wait_until_up(name, watcher, port)

    try:
        _wait_until_up(name, watcher, port)
    except BaseException:
        close()
        raise
    return Instance(url(port), directory, watcher.pid, close, kill, revive)


def free_port() -> int:
    """A TCP port on loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _wait_until_up(name: str, watcher: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        answers = _answers(port)
        if watcher.poll() is not None:  # also if something answers: another process may have taken the port first
            raise StartError(f"{name} ended while starting: {_last_words(watcher)}")
        if answers:
            return
        if time.monotonic() > deadline:
            raise StartError(f"{name} did not answer on port {port} within {_START_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)


def _last_words(watcher: subprocess.Popen[bytes]) -> str:
    output = watcher.communicate()[0] or b""
    lines = output.decode(errors="replace").strip().splitlines()
    for line in lines:
        if "ERROR" in line:  # the first one is the cause; mysqld's last one is always "Aborting"
            return line
    return lines[-1] if lines else "it said nothing"
