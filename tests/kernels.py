"""A real Jupyter kernel for tests: cells are executed and interrupted in it, and what they show is collected."""

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty

from jupyter_client.manager import start_new_kernel

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Shown:
    """What a cell has shown.

    Attributes:
        streams: the texts on stdout and stderr, together.
        displays: each rich output, as texts by MIME type.
        traceback: the lines of an error's output.
        seconds: how long it ran, or how long it ran on after the interrupt.
    """

    streams: str = ""
    displays: list = field(default_factory=list)
    traceback: list = field(default_factory=list)
    seconds: float = 0.0


class Kernel:
    """A kernel with a client."""

    def __init__(self, manager, client):
        self._manager = manager
        self._client = client

    def run(self, code, *, interrupt_at=None, seconds=120):
        """Execute a cell, and wait until it has ended.

        Args:
            code: the cell.
            interrupt_at: interrupt it once it has printed this.
            seconds: how long it may take.
        """
        begun = time.monotonic()
        mine = self._client.execute(code)
        shown = Shown()
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=begun + seconds - time.monotonic())
            except Empty:
                raise AssertionError(f"the cell has not ended within {seconds} s; until then: {shown}") from None
            if message["parent_header"].get("msg_id") != mine:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.streams += content["text"]
                if interrupt_at is not None and interrupt_at in shown.streams:
                    interrupt_at = None
                    begun = time.monotonic()
                    self._manager.interrupt_kernel()
            elif kind == "error":
                shown.traceback = _ANSI.sub("", "\n".join(content["traceback"])).splitlines()
            elif kind in ("execute_result", "display_data"):
                shown.displays.append(content["data"])
            elif kind == "status" and content["execution_state"] == "idle":
                shown.seconds = time.monotonic() - begun
                return shown


@contextmanager
def kernel(folder):
    """A new kernel, in that folder, without progress bars."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        made = Kernel(manager, client)
        made.run("import os; os.environ['TQDM_DISABLE'] = '1'; import chatsim")
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
