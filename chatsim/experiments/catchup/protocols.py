"""Protocols: ways in which a client catches up."""

from __future__ import annotations

from dataclasses import dataclass

from chatsim.chat.server.store.texts import HardenedTexts, SourceTexts, Texts

__all__ = ["PROTOCOLS", "Protocol"]


@dataclass(frozen=True)
class Protocol:
    """How a client catches up.

    Attributes:
        name: its name.
        bet: what it bets on.
        cursors: the kinds of cursor that it uses, and for each how nodes store messages.
        schema: the schema that these need.
        at_once: the number of threads that are loaded at the same time; None if all of them are loaded by `sync`.
    """

    name: str
    bet: str
    cursors: dict[str, Texts]
    schema: str = "source"
    at_once: int | None = None


def _by_ids(page: int) -> dict[str, Texts]:
    return {"message_id": SourceTexts(page, locks=False), "message_id_locked": SourceTexts(page)}


_WIDE = 300
"""The number of messages in a page that nearly fills a frame."""

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
"""All protocols, by name."""
