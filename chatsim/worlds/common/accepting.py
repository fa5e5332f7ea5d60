"""What every `Network` does with a connection that it has accepted, in either world."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chatsim.chat.ports import Stream

__all__ = ["serve"]

_log = logging.getLogger(__name__)


S = TypeVar("S", bound=Stream)


async def serve(accept: Callable[[S], Awaitable[None]], stream: S) -> None:
    """Run ``accept`` and close its stream; an error in it costs this connection, and is logged."""
    try:
        await accept(stream)
    except Exception:  # noqa: BLE001 - whatever it is, it is this connection's alone
        _log.exception("the connection from %s is given up", stream.peer)
    finally:
        await stream.close()
