"""The configuration of a node."""

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
        retry: what the node does after the database has refused a transaction or a creation.
        isolation: the isolation level of every leased connection, except in a creation, which has its strategy's level.
            A pool changes the level of a connection in a round trip, so one level for both is the cheapest.
        texts: how messages are stored in the schema.
        limits: the limits of sessions.
        rng: the random generator for session ids and for the pauses between tries. No other node may share it.
    """

    strategy: CreationStrategy
    retry: Retry
    isolation: Isolation
    texts: Texts
    limits: Limits
    rng: np.random.Generator
