"""Processes that load the machine at random: each burns processor time, writes to the disk, or sleeps, for a while."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["loaded"]

_LONGEST = 2.0  # seconds of one of these
_BLOCK = bytes(2**20)


@contextmanager
def loaded(processes: int | None = None) -> Iterator[None]:
    """Load the machine for the block, by so many processes; by one more than there are cores if it is not said."""
    spawn = multiprocessing.get_context("spawn")
    count = (os.cpu_count() or 1) + 1 if processes is None else processes
    running = [spawn.Process(target=_work, args=(seed,), daemon=True) for seed in range(count)]
    try:
        for each in running:
            each.start()
        yield
    finally:
        for each in running:
            each.kill()
            each.join()


def _work(seed: int) -> None:
    chance = random.Random(seed)
    owner = os.getppid()
    with tempfile.TemporaryFile() as file:
        while os.getppid() == owner:  # an owner that was killed leaves nothing behind
            until = time.monotonic() + chance.uniform(0.05, _LONGEST)
            kind = chance.choice(("burn", "burn", "write", "sleep"))
            while (left := until - time.monotonic()) > 0:
                if kind == "sleep":
                    time.sleep(left)
                elif kind == "write":
                    file.seek(0)
                    file.write(_BLOCK)
                    file.flush()
                    os.fsync(file.fileno())
                else:
                    sum(range(10_000))
