"""Protocols: ways in which a client catches up."""

from __future__ import annotations

from dataclasses import dataclass

from chatsim.chat.server.store.texts import HardenedTexts, SeedTexts, Texts

__all__ = ["PROTOCOLS", "Protocol"]


@dataclass(frozen=True)
class Protocol:
    """How a client catches up.

    Attributes:
        name: what it is called.
        bet: what it bets on.
        cursors: the kinds of cursor that it goes by, and for each how nodes keep messages.
        schema: which tables those are for.
        at_once: how many threads are asked without waiting for each other; None: all that is new, by `sync`.
    """

    name: str
    bet: str
    cursors: dict[str, Texts]
    schema: str = "seed"
    at_once: int | None = None


def _by_ids(page: int) -> dict[str, Texts]:
    return {"message_id": SeedTexts(page, locks=False), "message_id_locked": SeedTexts(page)}


_WIDE = 300
"""Messages of a page that is about as long as a frame."""

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "source", "the source's: a thread after the other, pages of 10, a round trip each", _by_ids(10), at_once=1
        ),
        Protocol("wide_pages", f"as the source's, pages of {_WIDE}", _by_ids(_WIDE), at_once=1),
        Protocol("pipelined", f"pages of {_WIDE}, sixteen threads at once", _by_ids(_WIDE), at_once=16),
        Protocol(
            "bulk",
            "what is new, then all that is missing, streamed; the newest first",
            {"user_version": HardenedTexts()},
            schema="hardened",
        ),
    )
}
"""By name."""
