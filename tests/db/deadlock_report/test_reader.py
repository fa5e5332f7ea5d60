"""Reading reports: what is missing is said, several are told apart, and what is none is refused."""

import re

import pytest
from deadlock_texts import PASTED, SERVERS, lock, mysql_5_7, mysql_8_0, status, transaction

from chatsim.db.deadlock import Deadlock, Lock, LockKind
from chatsim.db.deadlock_report.reader import NoDeadlockError, deadlocks, find_deadlocks

WHOLE = mysql_8_0()


def up_to(mark, text=WHOLE):
    return text[: text.index(mark)]


def test_read_returns_the_latest_one():
    later = WHOLE.replace("07:51:55", "09:00:00").replace("2944", "3944")
    assert Deadlock.read(WHOLE + later).time == "2024-08-04 09:00:00"
    assert [each.time for each in deadlocks(WHOLE + later)] == ["2024-08-04 07:51:55", "2024-08-04 09:00:00"]


def test_one_that_was_printed_several_times_is_one():
    assert len(deadlocks(WHOLE + WHOLE + PASTED["quoted"](WHOLE))) == 1


@pytest.mark.parametrize(
    "text", ["", "\n", "hello", "SHOW ENGINE INNODB STATUS", status("", "").replace("DEADLOCK", "FK")]
)
def test_a_text_without_a_deadlock_is_refused(text):
    with pytest.raises(NoDeadlockError, match="prints the latest one under LATEST DETECTED DEADLOCK"):
        deadlocks(text)
    with pytest.raises(NoDeadlockError):
        Deadlock.read(text)
    assert find_deadlocks(text) == []


def test_a_server_that_gave_up_its_search_has_found_none():
    text = "*** TOO DEEP OR LONG SEARCH IN THE LOCK TABLE WAITS-FOR GRAPH, WE WILL ROLL BACK FOLLOWING TRANSACTION\n"
    with pytest.raises(NoDeadlockError, match="gave up its search"):
        deadlocks(text)


@pytest.mark.parametrize("server", ["mysql_8_0", "mysql_5_1", "error_log_8_0", "mariadb_10_6"])
def test_wherever_it_is_cut_off_the_rest_is_read(server):
    """It is never an error if a transaction has begun, and what is missing is said."""
    whole = SERVERS[server]()
    first, last = whole.index("(1) TRANSACTION:") + 20, whole.index("*** WE ROLL BACK")
    for end in range(first, last, 7):
        (deadlock,) = deadlocks(whole[:end])
        assert deadlock.victim is None
        assert "The end of the report is cut off." in deadlock.missing
        assert deadlock.explain()
        assert deadlock.ring()
        assert deadlock._repr_html_()
        deadlock.rows()


@pytest.mark.parametrize("server", ["mysql_8_0", "mysql_5_1", "error_log_8_0", "mariadb_10_6"])
def test_wherever_it_begins_the_rest_is_read(server):
    whole = SERVERS[server]()
    for begin in range(whole.index("(1) TRANSACTION:"), whole.index("*** (2) TRANSACTION"), 7):
        (deadlock,) = deadlocks(whole[begin:])
        assert deadlock.victim == 2 or len(deadlock.participants) == 1
        assert deadlock.explain()


def test_what_is_there_of_a_report_that_is_cut_off():
    (deadlock,) = deadlocks(up_to("*** (2) WAITING"))
    one, two = deadlock.participants
    assert one.waits.record == "(2)"
    assert two.holds[0].record == "(2)"
    assert two.waits is None
    sentences = deadlock.explain().splitlines()
    assert "waits for a lock that is not in the report, behind transaction 1." in sentences[1]
    assert sentences[2:] == ["Which transaction died (1213) is not in the report.", "The end of the report is cut off."]


def test_of_one_transaction_only_it_is_said_that_the_other_is_missing():
    (deadlock,) = deadlocks(up_to("*** (2) TRANSACTION"))
    sentences = deadlock.explain().splitlines()
    assert sentences[0].endswith("waits for record (2) of stock.PRIMARY (X), behind one that is not in the report.")
    assert "The report has one transaction only; the other one is cut off." in sentences


def test_a_report_whose_beginning_is_cut_off():
    (deadlock,) = deadlocks(WHOLE[WHOLE.index("*** (1) WAITING") :])
    one, two = deadlock.participants
    assert (one.statement, one.holds, one.waits.record) == ("", None, "(2)")
    assert two.connection_id == 42
    assert deadlock.victim == 2
    assert "(its statement is not in the report)" in deadlock.explain()


def test_a_report_without_records():
    (deadlock,) = deadlocks(mysql_8_0(records=False))
    assert deadlock.participants[0].waits == Lock("stock", "PRIMARY", "X", LockKind.RECORD, "")
    assert (
        deadlock.explain()
        .splitlines()[0]
        .endswith(
            "holds a record of stock.PRIMARY (X) and waits for a record of stock.PRIMARY (X), behind transaction 2."
        )
    )
    assert "The report does not have the records of the locks." in deadlock.missing


def test_before_8_0_18_the_first_ones_locks_are_inferred_in_words():
    explained = deadlocks(mysql_5_7())[0].explain()
    assert (
        "(UPDATE stock SET amount = amount - 1 WHERE id = 2) holds locks that are not in the report, and" in explained
    )
    assert "transaction 1 holds what transaction 2 waits for, on (1) of stock.PRIMARY." in explained


def test_mariadb_10_6_may_not_know_who_died():
    (deadlock,) = deadlocks(SERVERS["mariadb_10_6"]().replace("TRANSACTION (2)\n-", "TRANSACTION (0)\n-"))
    assert deadlock.victim is None
    assert "Which transaction died (1213) is not in the report." in deadlock.explain()


def test_a_victim_that_is_not_in_the_report():
    (deadlock,) = deadlocks(WHOLE.replace("ROLL BACK TRANSACTION (2)", "ROLL BACK TRANSACTION (3)"))
    assert deadlock.victim is None
    assert "Transaction 3 was rolled back, but is not in the report." in deadlock.missing


def of_locks(held, wanted):
    """A report of two transactions with these lines as their locks."""
    parts = []
    for number in (1, 2):
        parts += [
            f"*** ({number}) TRANSACTION:\n{transaction(number)}\n",
            f"*** ({number}) HOLDS THE LOCK(S):\n{held}\n",
            f"*** ({number}) WAITING FOR THIS LOCK TO BE GRANTED:\n{wanted}\n",
        ]
    return "\n".join([*parts, "*** WE ROLL BACK TRANSACTION (2)\n"])


def test_locks_of_tables():
    held = "TABLE LOCK table `shop`.`stock` trx id 29441 lock mode IX"
    wanted = "TABLE LOCK table `shop`.`stock` trx id 29442 lock mode AUTO-INC waiting"
    (deadlock,) = deadlocks(of_locks(held, wanted))
    one = deadlock.participants[0]
    assert one.holds == (Lock("stock", "", "IX", LockKind.TABLE, ""),)
    assert one.waits == Lock("stock", "", "AUTO_INC", LockKind.TABLE, "")
    assert "holds the table stock (IX) and waits for the AUTO-INC lock of stock, behind" in deadlock.explain()
    assert deadlock.missing == ()


@pytest.mark.parametrize(
    ("old", "new", "table", "index"),
    [
        ("index PRIMARY", "index GEN_CLUST_INDEX", "stock", "GEN_CLUST_INDEX"),
        ("index PRIMARY of", "index `a ``b` of", "stock", "a `b"),
        ("`shop`.`stock`", "`shop`.`st``ock`", "st`ock", "PRIMARY"),
        ("`shop`.`stock`", "`shop`.`stock` /* Partition `p0` */", "stock", "PRIMARY"),
        ("`shop`.`stock`", "`shop`.`stock#P#p0`", "stock", "PRIMARY"),
        ("`shop`.`stock`", "shop.stock", "stock", "PRIMARY"),
        ("`shop`.`stock`", "`shop/stock`", "stock", "PRIMARY"),
        ("`shop`.`stock`", '"shop"."stock"', "stock", "PRIMARY"),
    ],
)
def test_names(old, new, table, index):
    waits = deadlocks(WHOLE.replace(old, new))[0].participants[0].waits
    assert (waits.schema, waits.table, waits.index) == ("shop", table, index)


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        ("lock_mode X", LockKind.NEXT_KEY, "X"),
        ("lock mode S", LockKind.NEXT_KEY, "S"),
        ("lock mode S locks rec but not gap", LockKind.RECORD, "S"),
        ("lock_mode X locks gap before rec", LockKind.GAP, "X"),
        ("lock_mode X locks gap before rec insert intention", LockKind.INSERT_INTENTION, "X"),
        ("lock_mode X insert intention", LockKind.INSERT_INTENTION, "X"),
    ],
)
def test_modes_and_kinds(mode, kind, expected):
    text = WHOLE.replace("lock_mode X locks rec but not gap", mode)
    waits = deadlocks(text)[0].participants[0].waits
    assert (waits.mode, waits.kind) == (expected, kind)


def test_a_delete_marked_record_is_said_to_be_one():
    text = WHOLE.replace("info bits 0", "info bits 32")
    assert "waits for record (2) (delete-marked) of stock.PRIMARY (X)" in deadlocks(text)[0].explain()


def test_a_statement_that_looks_like_a_report_is_a_statement():
    odd = "UPDATE stock SET note = '*** (1) HOLDS' -- (2) TRANSACTION: of RECORD LOCKS"
    text = WHOLE.replace("UPDATE stock SET amount = amount - 1", odd)
    assert deadlocks(text)[0].participants[0].statement.startswith(odd)


def test_what_is_dumped_may_have_any_characters():
    shown = " 4: len 20; hex 3a20343a206c656e20313b206865782030303b20; asc : 4: len 1; hex 00; ;;\n"
    text = WHOLE.replace(" 3: len 4; hex 80000009; asc     ;;\n", " 3: len 4; hex 80000009; asc     ;;\n" + shown)
    assert deadlocks(text)[0].participants[0].waits.record == "(2)"


@pytest.mark.parametrize("text", [lock(1, 1, waiting=True), "WE ROLL BACK TRANSACTION (1)", "*** (1) TRANSACT"])
def test_a_part_that_has_no_transaction_is_no_deadlock(text):
    with pytest.raises(NoDeadlockError):
        deadlocks(text)


def test_a_line_that_was_broken_elsewhere_and_joined_with_the_statement():
    """As a web page has it that breaks lines at its own width."""
    broken = ", query id 771\nlocalhost shopper updating UPDATE stock SET amount = amount - 1\nWHERE id = 2"
    text = re.sub(r", query id 771 .*\n.*", broken, WHOLE)
    assert deadlocks(text)[0].participants[0].statement == "UPDATE stock SET amount = amount - 1\nWHERE id = 2"


def test_mariadbs_first_transaction_alone_does_not_tell_what_it_holds():
    """Its locks stand below the second one."""
    (deadlock,) = deadlocks(up_to("*** (2) TRANSACTION", SERVERS["mariadb_10_6"]()))
    assert deadlock.participants[0].holds is None


@pytest.mark.parametrize(
    "filler",
    [" " * 300_000, "\n" * 300_000, "RECORD LOCKS space id 1 page no 1 n bits 1 index a " * 6_000, "1234 " * 60_000],
    ids=["spaces", "empty lines", "locks that do not end", "numbers"],
)
def test_a_long_text_that_resembles_a_report_takes_no_quadratic_time(filler):
    """Read in under a second; in quadratic time it would take minutes, and the test would time out."""
    (deadlock,) = deadlocks(f"{up_to('*** (2) TRANSACTION')}{filler}")
    assert deadlock.participants[0].waits.record == "(2)"
