"""The wire, as the source's client knows it: every byte written by hand here, none by the codec under test."""

import json
import random
import struct
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.chat import protocol
from chatsim.chat.protocol import FROM_CLIENT, FROM_SERVER, LARGEST_BODY, REQUEST_LIMIT, Decoder, ProtocolError

TEXT = {"message_id": 9, "unique_id": "{u}", "content": "hi", "status": 0, "chat_time": "2026-01-01 00:00:00"}
NUMBERED = {"seq": 7, "message_id": 9, "sender": 1, "unique_id": "{u}", "msg_type": 0, "content": "你好"} | {
    "status": 0,
    "chat_time": "2026-01-01 00:00:00",
}
STATE = {"thread_id": 5, "type": "private", "user1_id": 1, "user2_id": 2, "last_seq": 7, "read1": 3, "read2": 0}
STATE |= {"version": 12, "unread": 1}
GROUP = {"thread_id": 6, "type": "group", "user1_id": 0, "user2_id": 0, "last_seq": 7, "read1": 3, "read2": 0}
GROUP |= {"version": 13, "unread": 0, "name": "us", "role": -1, "first": 4, "roster": 2}
GROUP |= {"muted_until": "2026-01-01 00:00:00"}
REVISED = NUMBERED | {"content": "", "status": 2, "revision": 4}
REVISED_STATE = STATE | {"last_revision": 4, "delivered1": 7, "delivered2": 6}
MEMBER = {"uid": 1, "nick": "ann", "role": 2, "muted_until": "", "delivered": 0, "read": 0}
FIRST = {"sender": 1, "msg_id": 9, "thread_id": 5, "unique_id": "", "msg_content": "hi"}
PERSON = {"name": "ann", "nick": "a", "icon": "i.png", "sex": 1}
BODIES = {
    1005: {"uid": 1019, "token": "t"},
    1006: {"error": 0, "uid": 1019, "pwd": "", "email": "a@example.org", "desc": "", **PERSON}
    | {"apply_list": [{"uid": 2, "desc": "hello", "status": 0, **PERSON}]}
    | {"friend_list": [{"uid": 3, "desc": "", "back": "bob", **PERSON}]},
    1009: {"uid": 1, "applyname": "hello", "bakname": "bob", "touid": 2},
    1007: {"uid": "ann"},
    1008: {"error": 0, "uid": 1, "desc": "hello", **PERSON},
    1010: {"error": 0},
    1011: {"error": 0, "applyuid": 1, "desc": "hello", **PERSON},
    1013: {"fromuid": 2, "touid": 1, "back": "ann"},
    1014: {"error": 0, "uid": 1, "chat_datas": [FIRST], **PERSON},
    1015: {"error": 0, "fromuid": 2, "touid": 1, "chat_datas": [FIRST], **PERSON},
    1017: {"fromuid": 1, "touid": 2, "thread_id": 5, "text_array": [{"content": "你好", "unique_id": "{u}"}]},
    1018: {"error": 0, "fromuid": 1, "touid": 2, "thread_id": 5, "chat_datas": [TEXT]},
    1019: {"error": 0, "fromuid": 1, "touid": 2, "thread_id": 5, "chat_datas": [TEXT]},
    1021: {"error": 0, "uid": 1},
    1023: {"fromuid": 1},
    1024: {"error": 0},
    1025: {"uid": 1, "thread_id": 0},
    1026: {"error": 0, "uid": 1, "load_more": True, "next_last_id": 5}
    | {"threads": [{"thread_id": 5, "type": "private", "user1_id": 1, "user2_id": 2}]},
    1027: {"uid": 1, "other_id": 2},
    1028: {"error": 0, "uid": 1, "other_id": 2, "thread_id": 5},
    1029: {"thread_id": 5, "message_id": 0},
    1030: {"error": 0, "thread_id": 5, "last_message_id": 9, "load_more": False}
    | {"chat_datas": [{**FIRST, "unique_id": 0, "chat_time": "2026-01-01 00:00:00"}]},
    1101: {"thread_id": 5, "seq": 7, "backward": True},
    1102: {"error": 0, "thread_id": 5, "load_more": False, "texts": [NUMBERED, REVISED]},
    1103: {"since": 11, "before": 0},
    1104: {"error": 0, "load_more": False} | {"threads": [STATE, GROUP, REVISED_STATE]},
    1105: {"thread_id": 5, "seq": 7},
    1106: {"error": 0},
    1107: {"thread_id": 5, "uid": 1, "seq": 7},
    1109: {"thread_id": 5, "fromuid": 1, "touid": 2, "texts": [NUMBERED]},
    1111: {"thread_id": 5},
    1113: {"threads": [5, 6], "after": [7, 0], "below": [0, 5]},
    1114: {"error": 0},
    1115: {"threads": [{"thread_id": 5, "texts": [NUMBERED, NUMBERED | {"msg_type": 1, "size": 5}]}]},
    1117: {"name": "us", "unique_id": "{u}", "members": [2, 3]},
    1118: {"error": 0, "thread_id": 6},
    1119: {"thread_id": 6, "members": [4]},
    1120: {"error": 0},
    1121: {"thread_id": 6, "user_id": 4},
    1122: {"error": 0},
    1123: {"thread_id": 6, "name": "them"},
    1124: {"error": 0},
    1125: {"thread_id": 6, "user_id": 2, "role": 1},
    1126: {"error": 0},
    1127: {"thread_id": 6, "user_id": 3, "seconds": 60},
    1128: {"error": 0},
    1129: {"thread_id": 6, "after": 0},
    1130: {"error": 0, "thread_id": 6, "load_more": False, "roster": 2, "members": [MEMBER]},
    1151: {"unique_id": "{u}", "name": "a.jpg", "msg_type": 1, "size": 5, "sha256": "0" * 64},
    1152: {"error": 0, "attachment_id": 8, "offset": 3},
    1153: {"attachment_id": 8, "offset": 3, "data": "bG8="},
    1154: {"error": 0, "attachment_id": 8, "offset": 5},
    1155: {"fromuid": 1, "touid": 2, "thread_id": 5, "unique_id": "{u}", "attachment_id": 8},
    1156: {"error": 0, "fromuid": 1, "touid": 2, "thread_id": 5, "chat_datas": [TEXT]},
    1157: {"message_id": 9, "offset": 3},
    1158: {"error": 0, "message_id": 9, "offset": 3, "size": 5, "sha256": "0" * 64, "data": "bG8="},
    1131: {"thread_id": 5, "message_id": 9},
    1132: {"error": 0},
    1133: {"thread_id": 5, "message_id": 9, "content": "hi!"},
    1134: {"error": 0},
    1135: {"thread_id": 5, "texts": [REVISED]},
    1137: {"thread_id": 5, "revision": 3},
    1138: {"error": 0, "thread_id": 5, "load_more": False, "texts": [REVISED]},
    1139: {"thread_id": 5, "seq": 7},
    1140: {"error": 0, "members": 5, "delivered": 4, "read": 3},
    1141: {"threads": [5, 6], "seqs": [7, 2]},
    1142: {"error": 0},
    1143: {"thread_id": 5, "uid": 2, "seq": 7},
    1145: {"thread_id": 5, "time": "2026-01-01 00:00:00"},
    1146: {"error": 0, "thread_id": 5, "seq": 7, "message_id": 9},
}
"""What each message looks like (docs/source.md, 1.2 and 3.6); from 1101 up those that the source has not."""


def frame(number, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack(">HH", number, len(raw)) + raw


def known(number):
    return FROM_CLIENT if number in FROM_CLIENT else FROM_SERVER


def decode(data, messages=FROM_CLIENT, limit=LARGEST_BODY):
    decoder = Decoder(messages, limit)
    decoder.feed(data)
    return decoder.next_message()


def values(kind):
    """Anything that a field of a message may hold."""
    match msgspec.inspect.type_info(kind) if not isinstance(kind, msgspec.inspect.Type) else kind:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: values(field.type) for field in fields})
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=2).map(tuple)
        case msgspec.inspect.IntType(ge=least, le=most):
            return st.integers(least if least is not None else -(2**31), most if most is not None else 2**31)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.BytesType():
            return st.binary(max_size=40)
        case msgspec.inspect.StrType():
            return st.text(max_size=40)
        case other:
            raise AssertionError(f"no strategy for {other}")


messages = st.sampled_from([*FROM_CLIENT.values(), *FROM_SERVER.values()]).flatmap(values)


def test_each_message_goes_one_way():
    assert not FROM_CLIENT.keys() & FROM_SERVER.keys()
    assert FROM_CLIENT.keys() | FROM_SERVER.keys() == BODIES.keys()


@pytest.mark.parametrize("number", BODIES)
def test_a_message_has_the_sources_keys_and_types(number):
    message = decode(frame(number, BODIES[number]), known(number))
    sent = protocol.encode(message)
    assert struct.unpack(">HH", sent[:4]) == (number, len(sent) - 4)
    assert json.loads(sent[4:]) == BODIES[number]


@pytest.mark.parametrize("number", BODIES)
def test_every_key_that_a_client_must_send_is_asked_for(number):
    if number in FROM_CLIENT:
        for key in BODIES[number]:
            rest = {name: value for name, value in BODIES[number].items() if name != key}
            with pytest.raises(ProtocolError, match=f"message {number}: .*`{key}`"):
                decode(frame(number, rest))


@given(messages)
def test_what_is_encoded_is_decoded(message):
    assert decode(protocol.encode(message), known(message.ID)) == message


@given(st.lists(messages, max_size=6).map(lambda sent: [each for each in sent if each.ID in FROM_CLIENT]), st.data())
def test_frames_may_arrive_in_pieces_and_together(sent, data):
    stream = b"".join(map(protocol.encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder, received = Decoder(FROM_CLIENT), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.feed(stream[start:end])
        while (message := decoder.next_message()) is not None:
            received.append(message)
    decoder.end()
    assert received == sent


def test_a_key_that_nobody_knows_is_passed_over():
    assert decode(frame(1023, {"fromuid": 1, "since": [1, {"a": None}]})).fromuid == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(4242, {}), "unknown message id 4242"),
        (frame(1028, {"error": 0}), "unknown message id 1028"),
        (frame(1023, b""), "message 1023: Input data was truncated"),
        (frame(1023, b"nope"), "message 1023: JSON is malformed"),
        (frame(1023, b"\xff\xfe"), "message 1023: JSON is malformed"),
        (frame(1005, b'{"uid":1,"token":"\xff"}'), "message 1005: "),
        (frame(1023, [1]), "message 1023: Expected `object`, got `array`"),
        (frame(1023, {"fromuid": "1"}), "message 1023: Expected `int`, got `str` - at `$.fromuid`"),
        (frame(1023, {"fromuid": 1.5}), "message 1023: Expected `int`, got `float`"),
        (frame(1023, {"fromuid": True}), "message 1023: Expected `int`, got `bool`"),
        (frame(1023, {"fromuid": None}), "message 1023: Expected `int`, got `null`"),
        (frame(1023, {"fromuid": -1}), "message 1023: Expected `int` >= 0"),
        (frame(1023, {"fromuid": 2**63}), "message 1023: Expected `int` <= 9223372036854775807"),
        (frame(1023, b'{"fromuid":1e999}'), "message 1023: Number out of range"),
        (frame(1023, b'{"fromuid":' + b"9" * 5_000 + b"}"), "message 1023: "),
        (frame(1023, b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b',"fromuid":1}'), "message 1023: maximum recursion"),
        (frame(1017, BODIES[1017] | {"text_array": {}}), "message 1017: Expected `array`, got `object`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_frame_is_refused_with_its_reason(data, reason):
    with pytest.raises(ProtocolError) as refused:
        decode(data)
    assert str(refused.value).startswith(reason)


def test_a_body_over_the_limit_is_refused_before_it_has_arrived():
    decoder = Decoder(FROM_CLIENT, REQUEST_LIMIT)
    decoder.feed(struct.pack(">HH", 1017, REQUEST_LIMIT + 1))
    with pytest.raises(ProtocolError, match="message 1017 has 2049 bytes, more than the 2048 allowed"):
        decoder.next_message()


def test_a_body_of_the_limit_passes():
    padding = REQUEST_LIMIT - len(json.dumps({"uid": 1, "token": ""}))
    assert decode(frame(1005, {"uid": 1, "token": "x" * padding}), limit=REQUEST_LIMIT).uid == 1


def test_what_was_refused_stays_refused():
    decoder = Decoder(FROM_CLIENT)
    decoder.feed(frame(4242, {}))
    for _ in range(2):
        with pytest.raises(ProtocolError):
            decoder.next_message()
        decoder.feed(frame(1023, {"fromuid": 1}))


def test_the_messages_before_a_hostile_frame_are_there():
    decoder = Decoder(FROM_CLIENT)
    decoder.feed(frame(1023, {"fromuid": 1}) + frame(4242, {}))
    assert decoder.next_message() == protocol.HeartbeatRequest(fromuid=1)
    with pytest.raises(ProtocolError):
        decoder.next_message()


def test_an_end_within_a_frame_is_said():
    decoder = Decoder(FROM_CLIENT)
    decoder.feed(frame(1023, {"fromuid": 1})[:-1])
    assert decoder.next_message() is None
    with pytest.raises(ProtocolError, match="the connection ended within a frame, after 17 bytes of it"):
        decoder.end()


def test_it_says_how_many_bytes_are_missing_of_a_header_and_then_of_a_body():
    data = frame(1023, {"fromuid": 1})
    decoder = Decoder(FROM_CLIENT)
    missing = []
    for byte in data[:-1]:
        missing.append(decoder.missing)
        decoder.feed(bytes([byte]))
        assert decoder.next_message() is None
    assert missing == [4, 3, 2, 1, *range(len(data) - 4, 1, -1)]
    decoder.feed(data[-1:])
    assert decoder.next_message() is not None
    assert decoder.missing == 4


def test_a_message_longer_than_a_frame_is_not_encoded():
    text = protocol.AcknowledgedText(message_id=1, unique_id="u", content="x" * LARGEST_BODY, status=0, chat_time="")
    long = protocol.TextReply(error=0, fromuid=1, touid=2, thread_id=3, chat_datas=(text,))
    with pytest.raises(protocol.MessageTooLongError, match=r"message 1018 has \d+ bytes"):
        protocol.encode(long)


def reply_of(size):
    """A message whose body has so many bytes."""
    text = protocol.AcknowledgedText(message_id=1, unique_id="u", content="", status=0, chat_time="")
    reply = protocol.TextReply(error=0, fromuid=1, touid=2, thread_id=3, chat_datas=(text,))
    text = msgspec.structs.replace(text, content="x" * (size - len(msgspec.json.encode(reply))))
    return msgspec.structs.replace(reply, chat_datas=(text,))


def test_a_message_of_the_longest_body_is_encoded_and_decoded_and_one_of_a_byte_more_is_not():
    longest = reply_of(65_535)
    data = protocol.encode(longest)
    assert data[:4] == struct.pack(">HH", 1018, 65_535)
    assert len(data) == 4 + 65_535
    assert decode(data, FROM_SERVER) == longest
    with pytest.raises(protocol.MessageTooLongError, match="message 1018 has 65536 bytes, more than the 65535"):
        protocol.encode(reply_of(65_536))


def test_a_hundred_thousand_mutated_frames_raise_nothing_else_and_leave_no_memory_behind():
    chance = random.Random(7)
    originals = [frame(number, BODIES[number]) for number in FROM_CLIENT]
    refused = 0

    def mutated():
        raw = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(raw))
            match chance.randrange(3):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    del raw[at : at + chance.randint(1, 8)]
                case _:
                    raw[at:at] = chance.randbytes(chance.randint(1, 8))
            raw = raw or bytearray(b"\0")
        return bytes(raw)

    def play(count):
        nonlocal refused
        for _ in range(count):
            decoder = Decoder(FROM_CLIENT, REQUEST_LIMIT)
            decoder.feed(mutated())
            try:
                while decoder.next_message() is not None:
                    pass
                decoder.end()
            except ProtocolError:
                refused += 1

    play(1_000)
    tracemalloc.start()
    play(1_000)
    before, _ = tracemalloc.get_traced_memory()
    play(98_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > 50_000
    assert after < before + 100_000
