"""The settings of a sweep are measured on an executor: processes of this machine, or a cluster's."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.measuring import Row, measure
from chatsim.experiments.sweeping.setting import Setting
from chatsim.worlds.world import WorldError, missing_extra

__all__ = ["dask_cluster", "finished", "processes"]


@contextmanager
def processes(count: int | None = None) -> Iterator[Executor]:
    """A pool of processes of this machine, by default one for each processor. An exception ends them at once."""
    context = multiprocessing.get_context("spawn")
    before = {*multiprocessing.active_children()}
    pool = ProcessPoolExecutor(count or os.cpu_count(), mp_context=context, initializer=_ignore_interrupts)
    try:
        yield pool
    except BaseException:
        for each in {*multiprocessing.active_children()} - before:
            each.terminate()  # a simulation does not look up before it has ended
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Let the process that has started this one decide what Ctrl-C means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def dask_cluster(address: str) -> Iterator[Executor]:
    """The workers of a Dask cluster. chatsim has to be installed where they run.

    Raises:
        WorldError: Dask is not installed, or there is no scheduler at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise missing_extra("a Dask cluster", "dask") from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise WorldError(f"there is no Dask scheduler at {address}: {error}") from error
    with client:
        yield client.get_executor(pure=False)


async def finished(
    pending: Sequence[Setting], executor: Executor
) -> AsyncIterator[tuple[Setting, list[Row] | Exception]]:
    """Each setting when it is measured, with its rows, or with the error of chatsim's that it has ended with.

    Raises:
        Exception: the executor itself has failed, such as a pool of processes of which one was killed.
    """
    futures: dict[asyncio.Future[list[Row]], Setting] = {}
    try:
        for setting in pending:
            futures[asyncio.wrap_future(executor.submit(measure, setting))] = setting
        left = set(futures)
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for future in sorted(done, key=[*futures].index):
                yield futures[future], _outcome(future)
    finally:
        for future in futures:
            if not future.cancel() and not future.cancelled():
                future.exception()  # otherwise asyncio complains that nobody has asked for it


def _outcome(future: asyncio.Future[list[Row]]) -> list[Row] | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BadParameterError | WorldError):
        return error
    raise error
