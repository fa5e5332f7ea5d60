"""Serving an accepted connection. Every `Network` uses it, on MySQL and in the model."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chatsim.chat.ports import Stream

__all__ = ["serve"]

_log = logging.getLogger(__name__)


S = TypeVar("S", bound=Stream)


async def serve(accept: Callable[[S], Awaitable[None]], stream: S) -> None:
    """Run ``accept``, then close its stream. An error in it is logged, and ends only this connection."""
    try:
        await accept(stream)
    except Exception:  # noqa: BLE001 - whatever it is, it is this connection's alone
        _log.exception("the connection from %s is given up", stream.peer)
    finally:
        await stream.close()
