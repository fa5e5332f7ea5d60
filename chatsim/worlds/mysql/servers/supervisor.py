"""The process between a private server and its owner. It ends the server and removes its directory after the owner.

``python supervisor.py OWNED|KEPT DIRECTORY COMMAND…`` runs COMMAND until it ends by itself, or SIGTERM arrives, or (if
OWNED) standard input closes. The owner holds the other end of that pipe, so that even ``kill -9`` of the owner closes
it. Then the supervisor removes DIRECTORY, and prints the end of the server's log. PR_SET_PDEATHSIG alone is not enough,
because it follows the *thread* that has forked. SIGUSR1 kills the server, as ``kill -9`` does. SIGUSR2 starts it again
with the data that it has left.

It imports nothing of chatsim, because it is run as a file, has to start fast, and may outlive the package.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_PATIENCE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_LAST_WORDS_BYTES = 4096  # less than a pipe holds, so that nobody need be reading


def _in_child() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # the mask would be the server's, too
    # the main thread forks, and lives as long as the process, so here the signal does follow the process
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Server:
    """The server program, which the owner can have killed and started again."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        self._directory = directory
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._go_on = threading.Event()
        self._over = False

    def run(self) -> int:
        """Start it, also again after it was killed, and wait until it ends. Returns its exit status."""
        while True:
            with (self._directory / "log").open("ab") as log:
                # a signal that ended this process before the child is noted would leave the child behind
                before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
                try:
                    self._child = subprocess.Popen(
                        self._command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        preexec_fn=_in_child,  # noqa: PLW1509 - the other thread holds no lock, it reads
                    )
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if self._over:  # the owner has gone meanwhile, and `end` found no child
                self.end()
            status = self._child.wait()
            if not self._killed:
                return status
            self._go_on.wait()
            if self._over:
                return status
            self._killed = False
            self._go_on.clear()

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self._killed = True
        if self._child is not None:
            self._child.kill()

    def revive(self) -> None:
        """Start it again, if it was killed."""
        if self._killed:
            self._go_on.set()

    def end(self) -> None:
        """End it, for good."""
        self._over = True
        self._go_on.set()
        if self._child is None:
            return
        self._child.terminate()
        self._child.send_signal(signal.SIGCONT)  # one that is stopped would not see it
        try:
            self._child.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def _end_with_owner(server: _Server) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    server.end()


def main(kind: str, directory: Path, command: list[str]) -> int:
    """Supervise ``command``. Returns its exit status."""
    for number in _ENDING:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's, who closes the pipe when done
    server = _Server(directory, command)
    signal.signal(signal.SIGUSR1, lambda *_: server.kill())
    signal.signal(signal.SIGUSR2, lambda *_: server.revive())
    try:
        if kind == "OWNED":
            threading.Thread(target=_end_with_owner, args=(server,), daemon=True).start()
        return server.run()
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # another one must not break off what follows
        server.end()
        with contextlib.suppress(OSError):
            os.write(sys.stdout.fileno(), (directory / "log").read_bytes()[-_LAST_WORDS_BYTES:])
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
