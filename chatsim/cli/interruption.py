"""Ctrl-C and SIGTERM: how every command ends by them, whatever hangs.

The first signal interrupts the command, which then ends in order: it closes its connections, drops its schema, and
prints what it has. Where something hangs, such as a server that does not answer, this would take forever. So after a
while the command is interrupted again, which gives up what it waits for, and in the end the process exits. A second
signal exits at once.

The servers and nodes that the command has started end with it in each case: they watch a pipe that it holds open.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["INTERRUPTED", "exiting_at_once", "interruptible", "is_late"]

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the number of SIGINT."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GIVE_UP = (6.0, 7.0, 7.5)  # seconds after the first signal, at which the command is interrupted again
_BUSY = 60.0  # seconds after which it ends though it does not hang
_IDLE = 0.005  # of the time: a process that uses less of the processor hangs
_ONE_PRESS = 0.05  # signals within this time are one: `timeout` sends its signal to the process, and then to its group

_watches: list[_Watch] = []  # one while a command runs


def is_late() -> bool:
    """Whether a command that was interrupted has not ended in time, so that it has to give up what it waits for."""
    return any(watch.late for watch in _watches)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block, which is the whole command, as this module describes.

    After a signal the process exits at the end of the block: threads that hang would keep it.
    """
    if threading.current_thread() is not threading.main_thread():  # it gets no signals
        yield
        return
    watch = _Watch()
    _watches.append(watch)
    try:
        yield
    except BaseException as error:
        if watch.number:
            watch.exit(_status(error))
        raise
    else:
        if watch.number:
            watch.exit(0)
    finally:
        watch.close()
        _watches.remove(watch)


def _status(error: BaseException) -> int:
    match error:
        case SystemExit(code=int(code)):
            return code
        case SystemExit(code=None):
            return 0
        case KeyboardInterrupt():
            return INTERRUPTED
    traceback.print_exception(error)
    return 1


@contextmanager
def exiting_at_once() -> Iterator[None]:
    """Let a signal exit the process at once in the block, in which modules are imported, and nothing is started."""
    if not _watches:
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _exit_at_once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_at_once(number: int, _: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"Interrupted.\n")
    os._exit(128 + number)


class _Watch:
    """Sees each signal as it arrives, in a thread of its own, also while the main thread does not look.

    Python's signal handlers run only between two instructions of the main thread, and asyncio replaces the handler of
    SIGINT. The wakeup file descriptor is written to in both cases.

    Attributes:
        number: the first signal; 0 before it.
        late: whether the command has not ended in time.
    """

    def __init__(self) -> None:
        self.number = 0
        self.late = False
        self._main = threading.get_ident()
        self._arrived, self._wakeup = os.pipe()
        for end in (self._arrived, self._wakeup):
            os.set_blocking(end, False)
        self._fd_before = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        self._handler_before = signal.signal(signal.SIGTERM, self._terminate)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()

    def close(self) -> None:
        """Leave signals as they were. The thread waits on."""
        signal.set_wakeup_fd(self._fd_before)
        signal.signal(signal.SIGTERM, self._handler_before)

    def exit(self, status: int) -> NoReturn:
        """Exit without waiting for threads. A command that was interrupted or cut off has the status of its signal."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        _end_children()
        os._exit(128 + self.number if status == INTERRUPTED or self.late else status)

    def _watch(self) -> None:
        while not self._read(None):
            pass
        first = time.monotonic()
        for seconds in _GIVE_UP:
            while (left := first + seconds - time.monotonic()) > 0:
                if self._read(left) and time.monotonic() > first + _ONE_PRESS:
                    self._exit_at_once("Interrupted again; exits at once.")
            self.late = True
            signal.pthread_kill(self._main, signal.SIGTERM)
            self._read(_ONE_PRESS)  # our own
        while self._works() and time.monotonic() < first + _BUSY:
            pass
        self._exit_at_once("Something hangs; exits without waiting for it.")

    def _works(self) -> bool:
        """Watch for a second. Returns whether the process works, as when it saves a result, and does not hang."""
        before = time.process_time()
        if self._read(1.0):
            self._exit_at_once("Interrupted again; exits at once.")
        return time.process_time() > before + _IDLE

    def _read(self, seconds: float | None) -> bool:
        """Wait for signals. Returns whether one of those that end a command has arrived."""
        if not select.select([self._arrived], [], [], seconds)[0]:
            return False
        numbers = [number for number in os.read(self._arrived, 4096) if number in _SIGNALS]
        self.number = self.number or next(iter(numbers), 0)
        return bool(numbers)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Do for SIGTERM what is done for SIGINT at the moment."""
        if not self.number:  # a library may have replaced the wakeup file descriptor
            os.write(self._wakeup, bytes([number]))
            self.number = number
        if self.late and not _runs_a_loop():
            return  # it prints or saves what it has
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(number, frame)

    def _exit_at_once(self, reason: str) -> NoReturn:
        with suppress(OSError):
            os.write(2, f"\n{reason}\n".encode())
        _end_children()
        os._exit(128 + self.number)


def _runs_a_loop() -> bool:
    if "asyncio" not in sys.modules:  # commands start at once: it is not imported for this
        return False
    from asyncio import get_running_loop

    try:
        get_running_loop()
    except RuntimeError:
        return False
    return True


def _end_children() -> None:
    """Kill the programs that run for this command only, such as a download. Servers have sessions of their own."""
    import psutil

    with suppress(psutil.Error, OSError):
        session = os.getsid(0)
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, OSError):
                if os.getsid(child.pid) == session:
                    child.kill()
