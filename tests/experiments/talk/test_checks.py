"""What must hold when people have talked: each way in which it can fail is found and named."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from chatsim.chat.client.cache import LocalText, State
from chatsim.experiments.history import Outcome
from chatsim.experiments.talk.changing import as_changed
from chatsim.experiments.talk.checks import SentText, check_stored, check_stores

FIRST, SECOND, THIRD = (SentText(1, 1 + at % 2, f"u{at}", f"text {at}") for at in range(3))


def kinds(anomalies):
    return [(each.kind, each.subject) for each in anomalies]


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ([FIRST, SECOND], []),
        ([SECOND, FIRST], []),
        ([FIRST, SECOND, FIRST], [("doubled", FIRST)]),
        ([FIRST], [("lost", SECOND)]),
        ([FIRST, SECOND, THIRD], [("invented", THIRD)]),
        ([THIRD, THIRD], [("doubled", THIRD), ("lost", FIRST), ("lost", SECOND), ("invented", THIRD)]),
    ],
)
def test_every_text_that_was_sent_is_stored_once_and_no_other(stored, found):
    assert kinds(check_stored([FIRST, SECOND], stored)) == found


def test_the_texts_of_an_author_are_stored_in_the_order_in_which_they_were_sent():
    assert FIRST.sender == THIRD.sender != SECOND.sender
    sent = [FIRST, SECOND, THIRD]
    assert kinds(check_stored(sent, [SECOND, FIRST, THIRD])) == [], "of two authors either may come first"
    assert kinds(check_stored(sent, [THIRD, SECOND, FIRST])) == [("overtaken", FIRST)]


def test_a_text_is_named_with_its_author_and_thread():
    (lost,) = check_stored([FIRST], [])
    assert lost.sentence == "the text 'text 0' of user 1 in thread 1 (u0) was sent, and is not stored"


def local(text, seq, state=State.READ):
    return LocalText(
        thread_id=text.thread_id,
        sender=text.sender,
        unique_id=text.unique_id,
        content=text.content,
        seq=seq,
        state=state,
        chat_time="",
    )


def stores(*texts):
    return check_stores({7: {1: [local(text, seq) for seq, text in enumerate(texts, start=1)]}}, [FIRST, SECOND, THIRD])


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([FIRST, SECOND, THIRD], []),
        ([FIRST, THIRD], [("missing", SECOND)]),
        ([], [("missing", FIRST)]),
        ([FIRST, SECOND, THIRD, SECOND], [("repeated", SECOND)]),
        ([FIRST, THIRD, SECOND], [("disordered", SECOND)]),
        ([FIRST, SECOND, THIRD, SentText(1, 1, "u9", "forged")], [("unknown", SentText(1, 1, "u9", "forged"))]),
    ],
)
def test_a_local_store_has_what_the_tables_have_once_and_in_order(texts, found):
    assert kinds(stores(*texts)) == found


def test_a_text_that_was_changed_must_be_there_as_it_was_changed_last():
    edited, recalled = replace(FIRST, content="edited"), replace(SECOND, content="", status=2)
    changes = [
        change("edit", FIRST, "first try"),
        change("edit", FIRST, "edited"),
        change("edit", SECOND, "edited, too"),
        change("recall", SECOND, ""),
        change("edit", SECOND, "too late", Outcome.FAIL),
    ]
    assert as_changed([FIRST, SECOND, THIRD], changes) == [edited, recalled, THIRD]
    found = stores_of([edited, recalled], [edited, SECOND])
    assert kinds(found) == [("missing", recalled), ("unknown", SECOND)]
    assert found[0].sentence.endswith("the text that was recalled of user 2 in thread 1 (u1) is missing")
    assert kinds(stores_of([edited, recalled], [edited, recalled])) == []


def change(kind, text, content, outcome=Outcome.OK):
    asked = {"thread_id": 1, "sender": text.sender, "unique_id": text.unique_id, "content": content}
    return SimpleNamespace(kind=kind, asked=asked, outcome=outcome)


def stores_of(stored, seen):
    texts = [local(text, seq, State.RECALLED if text.status else State.READ) for seq, text in enumerate(seen, start=1)]
    return [*check_stores({7: {1: texts}}, stored)]


def test_another_threads_texts_are_not_missed():
    other = SentText(2, 3, "u8", "elsewhere")
    assert [*check_stores({7: {1: [local(FIRST, 1)]}}, [FIRST, other])] == []


def test_a_text_that_has_not_been_sent_is_named():
    found = [*check_stores({7: {1: [local(FIRST, None, State.SENDING)]}}, [FIRST])]
    assert kinds(found) == [("unsent", (7, "u0"))]
    assert found[0].sentence == "user 7: 'text 0' is sending"
