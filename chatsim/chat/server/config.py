"""How a node works: everything about it that whoever starts it can choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.chat.creation import CreationStrategy
from chatsim.chat.retry import Retry
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.texts import Texts
from chatsim.db.session import Isolation

if TYPE_CHECKING:
    import numpy as np

__all__ = ["NodeConfig"]


@dataclass(frozen=True)
class NodeConfig:
    """The configuration of one node.

    Attributes:
        strategy: how private chats are created.
        retry: what is done when the database refuses a transaction or a creation.
        isolation: the isolation level of every leased connection, except in a creation, which has its strategy's level.
            A pool changes the level of a connection in a round trip, so one level for both is the cheapest.
        texts: how the schema keeps messages.
        limits: what sessions may do.
        rng: where session ids and the pauses between tries come from; no other node may share it.
    """

    strategy: CreationStrategy
    retry: Retry
    isolation: Isolation
    texts: Texts
    limits: Limits
    rng: np.random.Generator
