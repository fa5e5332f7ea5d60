"""Which attacks there are, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attacks import kinds
from attacks.children import Prepare
from attacks.transfers import transfers

__all__ = ["LONG", "SHORT", "Attack", "Size", "attacks", "friends", "innocents", "users"]

_HOSTILE, _ACCOMPLICE, _STRANGER = 2001, 2002, 2003
_FIRST = 1001
_PAIRS = 8
_TIMES = 290
"""How often a thread's id fits into one catch-up, if it has one digit."""
_CAUGHT_UP = 1_500
"""Texts in the thread that is caught up with: about 330 kB."""


@dataclass(frozen=True)
class Size:
    """How large the attacks are.

    Attributes:
        seconds: how long each lasts, unless it has a number of frames to send.
        repeats: how often each is made, and how often the burner runs, one after the other.
        frames: hostile frames in all repeats.
        addresses: from which they come. Each may open only so many connections per second.
        connections: silent ones.
        processes: over how many processes frames and connections are spread.
        texts: in the thread that a stranger reads.
        devices: of the user who starves the others, in one attack after the other.
    """

    seconds: float
    repeats: int
    frames: int
    addresses: int
    connections: int
    processes: int
    texts: int
    devices: tuple[int, ...]


LONG = Size(seconds=20, repeats=3, frames=1_000_000, addresses=4_000, connections=10_000, processes=2, texts=300_000,
            devices=(6, 12, 24, 48))  # fmt: skip
SHORT = Size(seconds=3.2, repeats=1, frames=5_000, addresses=32, connections=1_000, processes=2, texts=20_000,
             devices=(24,))  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: what it is called.
        what: what is sent.
        processes: what runs in each of its processes: a function, and its arguments after the place.
        counted: whether it ends by itself, when all is sent.
    """

    name: str
    what: str
    processes: Sequence[tuple[Prepare[kinds.Attacked], tuple[Any, ...]]]
    counted: bool = False


def innocents() -> list[int]:
    """The innocent users: two friends after each other."""
    return [*range(_FIRST, _FIRST + 2 * _PAIRS)]


def friends(size: Size) -> Mapping[tuple[int, int], int]:
    """Pairs of friends, and how many texts are in the thread of each."""
    users = innocents()
    hostile = {(_HOSTILE, _ACCOMPLICE): _CAUGHT_UP, (users[2], _HOSTILE): 0}
    return hostile | dict.fromkeys(zip(users[::2], users[1::2], strict=True), 0) | {(users[0], users[1]): size.texts}


def users() -> list[int]:
    """All users."""
    return [*innocents(), _HOSTILE, _ACCOMPLICE, _STRANGER]


def attacks(size: Size) -> list[Attack]:
    """All attacks, of this size."""
    first, second, friend = innocents()[:3]
    share = size.frames // size.repeats // size.processes
    own_addresses = size.addresses // size.processes
    connections = size.connections // size.processes
    return [
        Attack(
            "frames",
            f"{size.frames:,} hostile frames, from {size.addresses:,} addresses",
            [
                (kinds.frames, ((_HOSTILE, _ACCOMPLICE), at, share, 32 // size.processes, own_addresses))
                for at in range(size.processes)
            ],
            counted=True,
        ),
        Attack(
            "silent connections",
            f"{size.connections:,} connections that never log in; half of them send a byte per second",
            [(kinds.silent, (_HOSTILE, at, connections, 10)) for at in range(size.processes)],
        ),
        *(
            Attack(
                f"starvation, {devices} devices",
                f"{devices} devices of one user pipeline a cheap request, each at its rate of 200/s",
                [(kinds.starvation, (_HOSTILE, devices))],
            )
            for devices in size.devices
        ),
        Attack(
            "heartbeats",
            f"heartbeats from {max(size.devices)} devices of one user, each at its rate of 200/s",
            [(kinds.heartbeats, (_HOSTILE, max(size.devices)))],
        ),
        Attack(
            "amplification",
            f"catch-ups that name one thread of {_CAUGHT_UP:,} texts {_TIMES} times",
            [(kinds.amplification, (_HOSTILE, _ACCOMPLICE, _TIMES))],
        ),
        Attack(
            "logins", "logins from 32 connections at a time, half with a wrong token", [(kinds.logins, (_HOSTILE, 32))]
        ),
        Attack(
            "applications", "one application, repeated from 8 devices", [(kinds.applications, (_STRANGER, second, 8))]
        ),
        Attack(
            "messages",
            "texts of 1,000 characters to an innocent friend, from 8 devices",
            [(kinds.messages, (_HOSTILE, friend, 8))],
        ),
        Attack(
            "stranger",
            f"reads of and texts into a thread of {size.texts:,} texts, from 5 devices of no member",
            [(kinds.stranger, (_STRANGER, (first, second), 5))],
        ),
        Attack(
            "attachments",
            "uploads of 1 MiB with a wrong checksum, and downloads, from 16 devices of one user",
            [(transfers, (_HOSTILE, _ACCOMPLICE, 16))],
        ),
    ]
