"""The process between a private server and its owner: it ends the server, and its directory, when the owner is gone.

``python supervisor.py OWNED|KEPT DIRECTORY COMMAND…`` runs COMMAND until it ends by itself, SIGTERM comes, or, when
OWNED, standard input closes: the owner holds the other end of that pipe, so that even ``kill -9`` of the owner closes
it. Then DIRECTORY is removed, and the end of the server's log printed. PR_SET_PDEATHSIG alone won't do: it follows
the *thread* that forked.

It imports nothing of chatsim: it is run as a file, starts fast and may outlive the package.
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


def _die_with_supervisor() -> None:
    # the main thread forks and lives as long as the process, so that here the signal does follow the process
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end_with_owner(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _end(child)


def main(kind: str, directory: Path, command: list[str]) -> int:
    """Supervise ``command``; returns its exit status."""
    for number in _ENDING:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's, who closes the pipe when done
    child = None
    try:
        with (directory / "log").open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_supervisor,  # noqa: PLW1509 - no thread runs yet
            )
        if kind == "OWNED":
            threading.Thread(target=_end_with_owner, args=(child,), daemon=True).start()
        return child.wait()
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # another one must not break off what follows
        if child is not None:
            _end(child)
        with contextlib.suppress(OSError):
            os.write(sys.stdout.fileno(), (directory / "log").read_bytes()[-_LAST_WORDS_BYTES:])
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
