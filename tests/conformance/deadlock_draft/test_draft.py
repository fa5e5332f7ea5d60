"""From a report and its tables to a schedule that ends in the same deadlock."""

from dataclasses import replace
from pathlib import Path

import pytest
from deadlock_texts import PASTED, SERVERS, mysql_8_0

from chatsim.conformance import model_player
from chatsim.conformance.deadlock_draft.draft import draft
from chatsim.conformance.files import parse
from chatsim.conformance.schedule import BadScheduleError
from chatsim.db.deadlock import Deadlock
from chatsim.db.deadlock_kinds import same_waits

RECORDED = Path(__file__).parents[2] / "db" / "deadlock_report" / "recorded"
ACCOUNT = """
CREATE TABLE account (
  id INT PRIMARY KEY, owner VARCHAR(20) NOT NULL, balance INT NOT NULL, UNIQUE KEY by_owner (owner)
);
"""
CHAT = """
CREATE TABLE private_chat (
  thread_id BIGINT UNSIGNED PRIMARY KEY, user1_id BIGINT UNSIGNED NOT NULL, user2_id BIGINT UNSIGNED NOT NULL,
  UNIQUE KEY uniq_private_thread (user1_id, user2_id)
);
"""
SEAT = "CREATE TABLE seat (id INT PRIMARY KEY, name VARCHAR(20), KEY by_name (name));"
STOCK = "CREATE TABLE stock (id INT PRIMARY KEY, amount INT NOT NULL);"


def recorded(name):
    return Deadlock.read((RECORDED / f"{name}.txt").read_text(encoding="utf-8"))


def play(text):
    """The deadlocks of a schedule file in the model."""
    return [each for found in model_player.play(parse(text, "draft")).deadlocks.values() for each in found]


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("two_transfers", ACCOUNT),
        ("three_transfers", ACCOUNT),
        ("four_transfers", ACCOUNT),
        ("two_upserts", ACCOUNT),
        ("strangers", CHAT),
        ("supremum", CHAT),
        ("duplicates", CHAT),
        ("three_way", SEAT),
        ("text_keys", SEAT),
        ("queue", "CREATE TABLE t (id INT PRIMARY KEY, a INT);"),
    ],
)
def test_what_was_recorded_on_a_server_ends_alike_as_a_draft(name, tables):
    deadlock = recorded(name)
    made = draft(deadlock, tables)
    assert made.is_same
    (played,) = play(made.sql())
    assert same_waits(played, deadlock)


def test_what_the_records_tell_of_the_statements_before():
    """Who has deleted, changed or inserted a row stands in it; the locks that remain are of reads."""
    steps = [(step.session, step.sql) for step in draft(recorded("four_transfers"), ACCOUNT).schedule.steps]
    assert [step for step in steps if step[1] != "BEGIN"][:4] == [
        ("a", "INSERT INTO `account` (`id`, `owner`, `balance`) VALUES (9, 'ina', 1)"),
        ("b", "SELECT * FROM `account` WHERE `id` = 4 FOR UPDATE"),
        ("c", "UPDATE `account` SET `balance` = `balance` + 1 WHERE `id` = 1"),
        ("d", "DELETE FROM `account` WHERE `id` = 2"),
    ]


def test_the_whole_file():
    assert draft(recorded("two_transfers"), STOCK.replace("stock", "other") + ACCOUNT).sql() == (
        """\
-- A draft from the report of a deadlock of 2026-11-29 20:09:01
-- In the model, it ends in the same cycle of waits.
-- isolation REPEATABLE READ

CREATE TABLE other (id INT PRIMARY KEY, amount INT NOT NULL);
CREATE TABLE account (
  id INT PRIMARY KEY, owner VARCHAR(20) NOT NULL, balance INT NOT NULL, UNIQUE KEY by_owner (owner)
);
INSERT INTO `account` (`id`, `owner`, `balance`) VALUES (1, 'ann', 90);
INSERT INTO `account` (`id`, `owner`, `balance`) VALUES (2, 'bob', 95);
-- To complete: the rows that the report does not show. The isolation level is not in a report.

-- session a
BEGIN;
-- To complete: the next statement stands in for what this transaction did before it waited. Its undo records: 1.
UPDATE `account` SET `balance` = `balance` + 1 WHERE `id` = 1;

-- session b
BEGIN;
-- To complete: the next statement stands in for what this transaction did before it waited. Its undo records: 1.
UPDATE `account` SET `balance` = `balance` + 1 WHERE `id` = 2;

-- session a
UPDATE account SET balance = balance + 10 WHERE id = 2;

-- session b
UPDATE account SET balance = balance + 5 WHERE id = 1;
"""
    )


@pytest.mark.parametrize("server", SERVERS)
def test_a_draft_from_what_each_server_prints(server):
    """Of old servers, what the first one holds is inferred; without records there is nothing to infer it from."""
    made = draft(Deadlock.read(SERVERS[server]()), STOCK)
    assert made.is_same == (server != "percona_5_6")
    assert bool(play(made.sql())) == made.is_same


def test_what_is_missing_is_completed_by_the_reader():
    made = draft(Deadlock.read(mysql_8_0(records=False)), STOCK)
    text = made.sql()
    assert "-- In the model, it does not end in a deadlock yet." in text
    missing = "-- To complete: what this transaction did before it waited is missing here. Its undo records: 1.\n"
    assert text.count(missing) == 2
    assert play(text) == []
    rows = "INSERT INTO stock VALUES (1, 5), (2, 5);\n-- To complete: the rows"
    completed = text.replace("-- To complete: the rows", rows, 1)
    for row in (1, 2):
        completed = completed.replace(missing, f"UPDATE stock SET amount = 7 WHERE id = {row};\n", 1)
    (played,) = play(completed)
    assert [each.waits.record for each in played.participants] == ["(2)", "(1)"]


@pytest.mark.parametrize("left", ["", "UPDATE stock SET note = 'it", "UPDATE stock /* why", "UPDATE `sto"])
def test_a_statement_that_is_cut_off_is_to_be_completed(left):
    """The server cuts it too, after 3,000 characters."""
    text = mysql_8_0()
    deadlock = Deadlock.read(text.replace("UPDATE stock SET amount = 0\n   WHERE id = 1", left))
    made = draft(deadlock, STOCK)
    assert not made.is_same
    assert "-- To complete: the report does not have the whole statement that waits." in made.sql()
    assert play(made.sql()) == []


@pytest.mark.parametrize("name", ["shop.stock", "`shop`.`stock`", "shop . stock", "`shop`.stock"])
def test_a_schedule_has_a_schema_of_its_own(name):
    text = mysql_8_0().replace("UPDATE stock SET amount = 0", f"UPDATE {name} SET amount = 0 + LENGTH('shop.stock')")
    made = draft(Deadlock.read(text), STOCK.replace("TABLE stock", f"TABLE {name}"))
    assert made.is_same
    last = made.schedule.steps[-1].sql
    assert last.startswith(("UPDATE stock SET", "UPDATE `stock` SET"))
    assert "LENGTH('shop.stock')" in last


def test_tables_that_the_model_does_not_take_are_refused():
    with pytest.raises(BadScheduleError, match="the tables can't be made in the model"):
        draft(Deadlock.read(mysql_8_0()), "CREATE TABLE stock (id INT PRIMARY KEY, place GEOMETRY)")


def test_tables_that_are_not_the_reports_leave_everything_to_complete():
    made = draft(Deadlock.read(mysql_8_0()), ACCOUNT)
    assert not made.is_same
    assert "UPDATE stock SET amount = amount - 1 WHERE id = 2;" in made.sql()


def test_a_deadlock_that_was_not_read_from_a_report_is_refused():
    deadlock = replace(Deadlock.read(mysql_8_0()), raw="")
    with pytest.raises(BadScheduleError, match="does not have the text of a report"):
        draft(deadlock, STOCK)


@pytest.mark.parametrize("pasted", PASTED)
def test_however_the_report_was_pasted_the_draft_is_the_same(pasted):
    made = draft(Deadlock.read(PASTED[pasted](mysql_8_0())), STOCK)
    assert made.is_same
    assert " ".join(made.sql().split()) == " ".join(draft(Deadlock.read(mysql_8_0()), STOCK).sql().split())


@pytest.mark.parametrize("damage", ["len 0; hex ; asc ;;", "len 4; hex 8000; asc     ;;", "len 4; hex ; asc ;;"])
def test_fields_that_are_damaged_are_not_known(damage):
    text = mysql_8_0().replace("len 7; hex 0200000174011f; asc     t  ;;", damage)
    text = text.replace("len 4; hex 80000009; asc     ;;", damage)
    assert draft(Deadlock.read(text), STOCK).sql()
