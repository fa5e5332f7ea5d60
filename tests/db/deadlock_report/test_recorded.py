"""Reports recorded from MySQL 9.7.4, read back. ``recorded/`` has them; nothing here needs a server."""

from pathlib import Path

import pytest

from chatsim.db.deadlock import SUPREMUM, Lock, LockKind
from chatsim.db.deadlock_report.reader import deadlocks, find_deadlocks

SCHEMA = "deadlock_rec"
COLUMNS = {(SCHEMA, "private_chat", "uniq_private_thread"): 2, (SCHEMA, "seat", "by_name"): 1}


def recorded(name):
    return (Path(__file__).parent / "recorded" / f"{name}.txt").read_text(encoding="utf-8")


def read(text, columns=None):
    (deadlock,) = find_deadlocks(text, columns)
    return deadlock


def unique(kind, key, mode="X"):
    return Lock("private_chat", "uniq_private_thread", mode, kind, key)


def test_strangers_in_one_gap():
    deadlock = read(recorded("strangers"), COLUMNS)
    one, two = deadlock.participants
    assert (one.number, two.number, deadlock.victim) == (1, 2, 2)
    assert one.statement == "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (3, 30, 31)"
    assert two.statement == "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (4, 50, 51)"
    assert one.holds == two.holds == (unique(LockKind.GAP, "(90, 95)"),)
    assert one.waits == two.waits == unique(LockKind.INSERT_INTENTION, "(90, 95)")
    assert (one.weight, two.weight) == (6, 6)  # four lock structs and two undo records each
    assert two.connection_id == one.connection_id + 1


def test_strangers_at_the_end_of_the_index():
    deadlock = read(recorded("supremum"), COLUMNS)
    for one in deadlock.participants:
        assert one.holds == (unique(LockKind.NEXT_KEY, SUPREMUM),)
        assert one.waits == unique(LockKind.INSERT_INTENTION, SUPREMUM)
    assert deadlock.explain().count("holds the gap after the last row") == 2


def test_a_cycle_of_three():
    deadlock = read(recorded("three_way"))
    assert [(waiter, holder, lock.record) for waiter, holder, lock in deadlock.waits_for()] == [
        (1, 2, "(3)"),
        (2, 3, "(1)"),
        (3, 1, "(2)"),
    ]
    for waiter, holder in zip(
        deadlock.participants, deadlock.participants[1:] + deadlock.participants[:1], strict=True
    ):
        assert holder.holds == (waiter.waits,)
        assert waiter.waits.kind is LockKind.RECORD
    assert deadlock.victim == 2


def test_three_inserts_of_one_key_the_first_rolls_back():
    deadlock = read(recorded("duplicates"))
    for one in deadlock.participants:
        assert one.holds == (Lock("private_chat", "PRIMARY", "S", LockKind.NEXT_KEY, SUPREMUM),)
        assert one.waits == Lock("private_chat", "PRIMARY", "X", LockKind.INSERT_INTENTION, SUPREMUM)


def test_a_waiting_request_is_not_held():
    one, two = read(recorded("queue")).participants
    assert one.holds == ()
    assert one.waits == Lock("t", "PRIMARY", "X", LockKind.NEXT_KEY, "(20)")
    assert two.holds == (Lock("t", "PRIMARY", "X", LockKind.RECORD, "(20)"),)
    assert two.waits.kind is LockKind.INSERT_INTENTION


def test_several_records_of_one_lock_and_keys_of_text():
    one, two = read(recorded("text_keys"), COLUMNS).participants
    assert [lock.record for lock in one.holds] == ["('ann')"]
    assert [lock.record for lock in two.holds] == [SUPREMUM, "('it's')"]


def test_without_the_number_of_columns_the_primary_key_follows():
    one, two = read(recorded("text_keys")).participants
    assert one.holds[0].record == "('ann', 1)"
    assert two.holds[1].record == "('it's', -4)"
    assert read(recorded("strangers")).participants[0].waits.record == "(90, 95, 2)"


def test_null_hex_and_empty_text():
    one, two = read(recorded("odd_keys")).participants
    assert one.holds[0].record == "(NULL, 5, 0x99bb6ed5ed, 4, 'é')"
    assert two.holds[0].record == "('')"


def test_a_key_that_innodb_cut():
    one, _ = read(recorded("long_keys")).participants
    assert one.holds[0].record == f"('{'a;' * 15}…')"


@pytest.mark.parametrize(
    ("column", "dumped", "value"),
    [
        ("bigint unsigned", "000000000000005a", "90"),
        ("bigint unsigned", "ffffffffffffffff", "18446744073709551615"),
        ("bigint unsigned", "13a5f0c2d1e00001", "1415802377413328897"),
        ("bigint", "800000000000005a", "90"),
        ("bigint", "7fffffffffffffff", "-1"),
        ("int", "80000014", "20"),
        ("int", "7ffffffc", "-4"),
        ("int unsigned", "00000005", "5"),
        ("smallint", "8003", "3"),
        ("varchar", "616e6e", "'ann'"),
    ],
)
def test_values(column, dumped, value):
    text = recorded("strangers").replace("len 8; hex 000000000000005a", f"len {len(dumped) // 2}; hex {dumped}")
    assert read(text, COLUMNS).participants[0].waits.record == f"({value}, 95)", column


def test_a_statement_keeps_its_blank_lines():
    text = recorded("strangers").replace("VALUES (3, 30, 31)", "VALUES\n\n(3, 30, 31)\n-- *** mine")
    assert read(text).participants[0].statement.endswith("VALUES\n\n(3, 30, 31)\n-- *** mine")


def test_names_with_backticks_and_partitions():
    odd = "index a b of table `deadlock_rec`.`pri``vate` /* Partition `p0` */ trx"
    text = recorded("strangers").replace("index uniq_private_thread of table `deadlock_rec`.`private_chat` trx", odd)
    waits = read(text).participants[0].waits
    assert (waits.table, waits.index) == ("pri`vate", "a b")


def test_records_of_a_busy_page():
    shown_elsewhere, shown_nowhere = recorded("busy_page_shown_elsewhere"), recorded("busy_page_shown_nowhere")
    assert "heap no 39\n" in shown_elsewhere
    assert {row["record"] for row in read(shown_elsewhere).rows()} == {"(51, 52, 1097)"}
    assert {row["record"] for row in read(shown_nowhere).rows()} == {"heap no 39"}


def test_a_cycle_of_four():
    deadlock = read(recorded("four_transfers"))
    edges = [(waiter, holder, lock.place, lock.mode, lock.kind.value) for waiter, holder, lock in deadlock.waits_for()]
    assert edges == [
        (1, 2, "account.PRIMARY", "X", "record"),
        (2, 3, "account.PRIMARY", "X", "record"),
        (3, 4, "account.PRIMARY", "X", "record"),
        (4, 1, "account.by_owner", "S", "next-key"),
    ]
    assert [each.weight for each in deadlock.participants] == [4, 3, 4, 5]
    assert [each.changes for each in deadlock.participants] == [1, 0, 1, 2]
    assert deadlock.participants[2].waits.deleted
    assert deadlock.explain().endswith("were 4, 3, 4, 5. The lightest one dies.")


def test_the_error_log_of_a_server_that_prints_all_deadlocks():
    found = deadlocks(recorded("error_log"))
    assert [len(kind) for kind in found.kinds()] == [2, 1, 1]
    assert [len(each.participants) for each in found] == [2, 4, 2, 2]
    assert found[0].time == "2026-11-29T20:26:52.641185Z"
    for each, name in zip(found, ("two_transfers", "four_transfers", "two_upserts"), strict=False):
        assert each.missing == ()
        assert each.explain() == read(recorded(name)).explain()
