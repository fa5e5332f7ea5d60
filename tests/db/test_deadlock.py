"""The shape of a deadlock report: its edges, its table, its sentences."""

import pytest

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant

DIED = "Transaction 2 died (1213); the weights (locks plus undo records)"
GAP = Lock("private_chat", "uniq_private_thread", "X", LockKind.GAP, "(90, 95)")
INTENTION = Lock("private_chat", "uniq_private_thread", "X", LockKind.INSERT_INTENTION, "(90, 95)")


def record(key: int) -> Lock:
    return Lock("seat", "PRIMARY", "X", LockKind.RECORD, f"({key})")


def strangers() -> Deadlock:
    statements = ("INSERT INTO private_chat VALUES (3, 30, 31)", "INSERT INTO private_chat VALUES (4, 50, 51)")
    participants = (Participant(n, 100 + n, sql, (GAP,), INTENTION, 6) for n, sql in enumerate(statements, start=1))
    return Deadlock(tuple(participants), victim=2, raw="<the report>")


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [
        (LockKind.RECORD, "(30, 31)", "record (30, 31)"),
        (LockKind.GAP, "(30, 31)", "the gap before (30, 31)"),
        (LockKind.NEXT_KEY, "(30, 31)", "record (30, 31) and the gap before it"),
        (LockKind.INSERT_INTENTION, "(30, 31)", "to insert into the gap before (30, 31)"),
        (LockKind.GAP, SUPREMUM, "the gap after the last row"),
        (LockKind.NEXT_KEY, SUPREMUM, "the gap after the last row"),
        (LockKind.INSERT_INTENTION, SUPREMUM, "to insert into the gap after the last row"),
    ],
)
def test_a_lock_in_plain_words(kind, key, words):
    assert Lock("private_chat", "uniq_private_thread", "X", kind, key).words() == words


def test_each_waits_for_the_next_and_the_last_for_the_first():
    three = tuple(Participant(n, n, "", (record(n),), record(n % 3 + 1), 4) for n in (1, 2, 3))
    edges = Deadlock(three, 3, "").waits_for()
    assert edges == [(1, 2, record(2)), (2, 3, record(3)), (3, 1, record(1))]


def test_one_row_per_lock():
    rows = strangers().rows()
    assert [(row["transaction"], row["role"], row["kind"], row["died"]) for row in rows] == [
        (1, "holds", "gap", False),
        (1, "waits", "insert intention", False),
        (2, "holds", "gap", True),
        (2, "waits", "insert intention", True),
    ]
    assert rows[0] == {
        "transaction": 1,
        "connection": 101,
        "role": "holds",
        "mode": "X",
        "kind": "gap",
        "table": "private_chat",
        "index": "uniq_private_thread",
        "record": "(90, 95)",
        "died": False,
    }


def test_strangers_explained():
    gap = "holds the gap before (90, 95) of private_chat.uniq_private_thread (X) and waits to insert into that gap"
    assert strangers().explain().splitlines() == [
        f"Transaction 1 (INSERT INTO private_chat VALUES (3, 30, 31)) {gap}, behind transaction 2.",
        f"Transaction 2 (INSERT INTO private_chat VALUES (4, 50, 51)) {gap}, behind transaction 1.",
        DIED + " were 6, 6. Of two equal ones, the last to wait dies.",
    ]


def test_a_request_that_is_ahead_in_the_queue_explained():
    wish = Lock("seat", "PRIMARY", "X", LockKind.NEXT_KEY, "(20)")
    intention = Lock("seat", "PRIMARY", "X", LockKind.INSERT_INTENTION, "(20)")
    searcher = Participant(1, 1, "SELECT 1", (), wish, 2)
    inserter = Participant(2, 2, "INSERT 1", (record(20),), intention, 3)
    first, second, _ = Deadlock((searcher, inserter), 1, "").explain().splitlines()
    assert first == (
        "Transaction 1 (SELECT 1) waits for record (20) and the gap before it of seat.PRIMARY (X),"
        " behind transaction 2."
    )
    assert second == (
        "Transaction 2 (INSERT 1) holds record (20) of seat.PRIMARY (X) and waits to insert into the gap before (20)"
        " of seat.PRIMARY, behind the request of transaction 1."
    )


def test_of_many_held_records_the_sentence_names_the_one_in_the_way():
    one = Participant(1, 1, "a", tuple(record(n) for n in range(100)), record(200), 4)
    two = Participant(2, 2, "b", (record(200),), record(7), 4)
    deadlock = Deadlock((one, two), 2, "")
    assert deadlock.in_the_way(one) == (record(7),)
    assert deadlock.explain().startswith("Transaction 1 (a) holds record (7) of seat.PRIMARY (X) and waits for")
    assert len(deadlock.rows()) == 103


def test_a_long_statement_is_shortened_to_one_line():
    participant = Participant(1, 1, "SELECT *\n  FROM seat\n WHERE " + "a = 1 AND " * 50, (), record(1), 2)
    assert participant.summary(40) == "SELECT * FROM seat WHERE a = 1 AND a = …"


def test_html_shows_every_lock_and_escapes_what_users_wrote():
    deadlock = strangers()
    one = Participant(1, 1, "SELECT '<b>'", (GAP,), INTENTION, 6)
    shown = Deadlock((one, deadlock.participants[1]), 2, "<the report>")._repr_html_()
    assert shown.count("<tr>") == 5
    assert "&lt;b&gt;" in shown
    assert "&lt;the report&gt;" in shown
    assert "<b>" not in shown


def test_the_raw_text_stays_out_of_the_repr():
    assert "<the report>" not in repr(strangers())
    assert strangers().raw == "<the report>"
