"""Rows become the structs of the wire, and a reply has as many of them as a frame has room for, to the byte."""

import msgspec
import pytest

from chatsim.chat.protocol import LARGEST_BODY, HistoryReply, HistoryText, LoadThreadsReply, Thread
from chatsim.chat.server.store.rows import fitting, structs

EMPTY = LoadThreadsReply(0, 1, load_more=True)


def text(size):
    """An entry of so many bytes."""
    entry = HistoryText(1, 2, 3, 0, "", "")
    return msgspec.structs.replace(entry, msg_content="x" * (size - len(msgspec.json.encode(entry))))


def body(reply, entries):
    """How many bytes the reply has with these entries."""
    return len(msgspec.json.encode(msgspec.structs.replace(reply, texts=tuple(entries))))


def test_a_column_is_a_field_and_null_is_an_empty_string():
    rows = [(7, "private", 1, 2), (8, None, 0, 0)]
    assert structs(Thread, rows) == (Thread(7, "private", 1, 2), Thread(8, "", 0, 0))


def test_no_rows_are_no_structs_and_all_of_them_fit():
    assert structs(Thread, []) == ()
    assert fitting(EMPTY, ()) == ()


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("spare", range(-3, 4))
def test_the_last_entry_is_there_exactly_if_the_frame_has_room_for_it(count, spare):
    reply = HistoryReply(0, 5, load_more=True)
    first = [text(1_000)] * (count - 1)
    comma = 1 if first else 0
    last = text(LARGEST_BODY - body(reply, first) - comma - spare)
    assert body(reply, [*first, last]) == LARGEST_BODY - spare
    assert fitting(reply, [*first, last]) == (*first, last)[: count if spare >= 0 else count - 1]


@pytest.mark.parametrize("spare", range(-3, 4))
def test_an_entry_in_the_middle_is_left_out_with_all_behind_it_if_the_frame_has_no_room_for_it(spare):
    reply = HistoryReply(0, 5, load_more=True)
    first = [text(1_000)] * 3
    middle = text(LARGEST_BODY - body(reply, first) - 1 - spare)
    assert fitting(reply, [*first, middle, text(100), text(100)]) == (*first, middle)[: 4 if spare >= 0 else 3]
