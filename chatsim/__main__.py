"""``python -m chatsim`` is ``chatsim``."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["run"]


def run() -> None:
    """Run the program. A signal that arrives while it is being imported ends it without a traceback."""
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_at_once)
    signal.signal(signal.SIGTERM, _exit_at_once)
    from chatsim.cli import main

    signal.signal(signal.SIGINT, interrupted)
    main(prog_name="chatsim")


def _exit_at_once(number: int, _: FrameType | None) -> NoReturn:
    os.write(2, b"Interrupted.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    run()
