"""Hostile frames: requests that were valid once, and bytes that never were, drawn by chance from a seed."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from chatsim.chat.protocol import FROM_CLIENT, FROM_SERVER, REQUEST_LIMIT

__all__ = ["HostileFrames", "bodies", "frame"]

T = TypeVar("T")

_LOGIN, _SEARCH, _APPLY, _ACCEPT, _TEXT = 1005, 1007, 1009, 1013, 1017
_HEARTBEAT, _THREADS, _CREATE, _LOAD = 1023, 1025, 1027, 1029
_HISTORY, _STATES, _READ, _CATCH_UP = 1101, 1103, 1105, 1113
_GROUP, _ADD, _REMOVE, _RENAME, _ROLE, _MUTE, _MEMBERS = 1117, 1119, 1121, 1123, 1125, 1127, 1129
_RECALL, _EDIT, _REVISIONS, _RECEIPTS, _DELIVERED, _DATE = 1131, 1133, 1137, 1139, 1141, 1145
_UPLOAD, _CHUNK, _ATTACH, _DOWNLOAD = 1151, 1153, 1155, 1157

_WRONG_TYPES: tuple[object, ...] = (None, True, 1.5, "1", [], {}, [{}], -1, {"a": [1]})
_HUGE_NUMBERS = (b"9" * 19, b"9" * 20, b"1e999", b"-" + b"9" * 400, b"1" + b"0" * 1_900, b"0.1e-999")
_HOSTILE_IDS = (0, 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1)
_HOSTILE_TEXTS = (
    "",
    "\0",
    "'; DROP TABLE user; -- ",
    '\\"\\',
    "\u202e\ufeff",
    "é" * 255,
    "a" * 1_025,
    "🦊" * 300,
    "%_%",
)

_MAY_LACK_AN_END = frozenset({"flipped_bits", "truncated", "wrong_length", "random_bytes"})
"""Kinds after which the server may wait for the rest of a frame."""


def frame(number: int, body: object) -> bytes:
    """The bytes of a message; ``body`` is anything that JSON can say, or bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack(">HH", number, len(raw)) + raw


def bodies(uid: int, other: int, thread: int) -> Mapping[int, dict[str, Any]]:
    """A valid request of each kind, by message id, from ``uid``."""
    return {
        _LOGIN: {"uid": uid, "token": "t"},
        _SEARCH: {"uid": str(other)},
        _APPLY: {"uid": uid, "applyname": "hello", "bakname": "bob", "touid": other},
        _ACCEPT: {"fromuid": uid, "touid": 1, "back": "ann"},
        _TEXT: {
            "fromuid": uid,
            "touid": other,
            "thread_id": thread,
            "text_array": [{"content": "你好", "unique_id": "{u}"}],
        },
        _HEARTBEAT: {"fromuid": uid},
        _THREADS: {"uid": uid, "thread_id": 0},
        _CREATE: {"uid": uid, "other_id": other},
        _LOAD: {"thread_id": thread, "message_id": 0},
        _HISTORY: {"thread_id": thread, "seq": 0, "backward": False},
        _STATES: {"since": 0, "before": 0},
        _READ: {"thread_id": thread, "seq": 1},
        _CATCH_UP: {"threads": [thread], "after": [0], "below": [0]},
        _GROUP: {"name": "us", "unique_id": "{g}", "members": [other]},
        _ADD: {"thread_id": thread, "members": [other]},
        _REMOVE: {"thread_id": thread, "user_id": other},
        _RENAME: {"thread_id": thread, "name": "them"},
        _ROLE: {"thread_id": thread, "user_id": other, "role": 1},
        _MUTE: {"thread_id": thread, "user_id": other, "seconds": 60},
        _MEMBERS: {"thread_id": thread, "after": 0},
        _RECALL: {"thread_id": thread, "message_id": 1},
        _EDIT: {"thread_id": thread, "message_id": 1, "content": "again"},
        _REVISIONS: {"thread_id": thread, "revision": 0},
        _RECEIPTS: {"thread_id": thread, "seq": 1},
        _DELIVERED: {"threads": [thread], "seqs": [1]},
        _DATE: {"thread_id": thread, "time": "2024-01-01 12:00:00"},
        _UPLOAD: {"unique_id": "{f}", "name": "a.jpg", "msg_type": 1, "size": 5, "sha256": "0" * 64},
        _CHUNK: {"attachment_id": 1, "offset": 0, "data": "aGVsbG8="},
        _ATTACH: {"fromuid": uid, "touid": other, "thread_id": thread, "unique_id": "{f}", "attachment_id": 1},
        _DOWNLOAD: {"message_id": 1, "offset": 0},
    }


class HostileFrames:
    """Draws hostile frames. The same seed and the same requests give the same frames.

    Args:
        seed: of the generator.
        requests: a valid request of each kind, as `bodies` gives them.

    Attributes:
        made: how many frames of each kind were drawn.
    """

    def __init__(self, seed: int, requests: Mapping[int, dict[str, Any]]) -> None:
        self.made: Counter[str] = Counter()
        self._chance = np.random.default_rng(seed)
        self._requests = requests
        self._kinds = sorted(name.removeprefix("_make_") for name in vars(HostileFrames) if name.startswith("_make_"))
        self._numbers = sorted(FROM_CLIENT)

    def next(self) -> tuple[bytes, bool]:
        """A frame, and whether its sender should hang up: the server may wait for the rest of it."""
        kind = self._one_of(self._kinds)
        number = self._one_of(self._numbers)
        self.made[kind] += 1
        raw = getattr(self, f"_make_{kind}")(number, dict(self._requests[number]))
        return bytes(raw), kind in _MAY_LACK_AN_END

    def below(self, limit: int) -> int:
        """A number from 0 up to, and without, ``limit``."""
        return int(self._chance.integers(limit))

    def _one_of(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def _make_flipped_bits(self, number: int, body: dict[str, Any]) -> bytes:
        raw = bytearray(frame(number, body))
        for _ in range(1 + self.below(4)):
            raw[self.below(len(raw))] ^= 1 << self.below(8)
        return bytes(raw)

    def _make_truncated(self, number: int, body: dict[str, Any]) -> bytes:
        raw = frame(number, body)
        return raw[: 1 + self.below(len(raw) - 1)]

    def _make_wrong_length(self, number: int, body: dict[str, Any]) -> bytes:
        raw = frame(number, body)[4:]
        return struct.pack(">HH", number, self.below(65_536 if self.below(2) else 2 * len(raw))) + raw

    def _make_random_bytes(self, _number: int, _body: dict[str, Any]) -> bytes:
        return self._chance.bytes(1 + self.below(200))

    def _make_wrong_type(self, number: int, body: dict[str, Any]) -> bytes:
        body[self._one_of(list(body))] = self._one_of(_WRONG_TYPES)
        return frame(number, body)

    def _make_hostile_field(self, number: int, body: dict[str, Any]) -> bytes:
        """Valid JSON of the right types: ids of nobody, texts that are too long, too many entries."""
        key = self._one_of(list(body))
        body[key] = self._hostile(body[key])
        return frame(number, body)

    def _hostile(self, value: object) -> object:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return self._one_of(_HOSTILE_IDS)
        if isinstance(value, str):
            return self._one_of(_HOSTILE_TEXTS)
        if isinstance(value, dict):
            return {key: self._hostile(each) for key, each in value.items()}
        assert isinstance(value, list)
        return [self._hostile(value[0])] * self._one_of((0, 2, 8))

    def _make_array(self, number: int, body: dict[str, Any]) -> bytes:
        return frame(number, [body] * self.below(4) if self.below(2) else list(body.values()))

    def _make_huge_number(self, number: int, body: dict[str, Any]) -> bytes:
        key = self._one_of(list(body)).encode()
        rest = json.dumps(body).encode()[1:]
        return frame(number, b'{"%s":%s,%s' % (key, self._one_of(_HUGE_NUMBERS), rest))

    def _make_deep_nesting(self, number: int, body: dict[str, Any]) -> bytes:
        depth = 1 + self.below(1_000)
        opening, closing = self._one_of([(b"[", b"]"), (b'{"a":', b"0" + b"}")])
        raw = json.dumps(body).encode()[1:]
        depth = min(depth, (REQUEST_LIMIT - len(raw) - 10) // (len(opening) + len(closing)))
        return frame(number, b'{"deep":' + opening * depth + closing[:-1] + closing[-1:] * depth + b"," + raw)

    def _make_unknown_id(self, _number: int, body: dict[str, Any]) -> bytes:
        return frame(self.below(65_536), body)

    def _make_no_json(self, number: int, _body: dict[str, Any]) -> bytes:
        return frame(number, self._chance.bytes(self.below(60)))

    def _make_reply(self, _number: int, body: dict[str, Any]) -> bytes:
        return frame(self._one_of(sorted(FROM_SERVER)), body)

    def _make_huge_length(self, number: int, body: dict[str, Any]) -> bytes:
        return struct.pack(">HH", number, REQUEST_LIMIT + 1 + self.below(65_535 - REQUEST_LIMIT)) + frame(number, body)

    def _make_no_mutation(self, number: int, body: dict[str, Any]) -> bytes:
        """Valid, but perhaps not here and now."""
        return frame(number, body)
