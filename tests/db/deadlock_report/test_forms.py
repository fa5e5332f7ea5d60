"""Reports of many servers, as people paste them, are read alike."""

import pytest
from deadlock_texts import CONNECTIONS, IDS, PASTED, SERVERS, STATEMENTS

from chatsim.db.deadlock import Lock, LockKind
from chatsim.db.deadlock_report.reader import deadlocks


def row(number):
    return Lock("stock", "PRIMARY", "X", LockKind.RECORD, f"({number})")


def check(text, *, old, records=True, statements=STATEMENTS):
    (deadlock,) = deadlocks(text)
    one, two = deadlock.participants
    assert deadlock.victim == 2
    assert deadlock.time
    for number, each in ((1, one), (2, two)):
        assert each.number == number
        assert each.connection_id == CONNECTIONS[number]
        assert each.transaction_id in {str(IDS[number]), f"{IDS[number]:X}"}
        assert " ".join(each.statement.split()) == " ".join(statements[number].split())
        assert each.weight == 4
        assert each.changes == 1
        assert each.waits.schema == "shop"
    wanted, held = ((2, 1), (1, 2)) if records else ((None, None), (None, None))
    locks = [Lock("stock", "PRIMARY", "X", LockKind.RECORD, f"({n})" if n else "") for n in (*wanted, *held)]
    assert (one.waits, two.waits) == tuple(locks[:2])
    assert two.holds == (locks[3],)
    assert one.holds == (None if old else (locks[2],))
    return deadlock


OLD = {"mysql_5_0", "mysql_5_1", "mysql_5_5", "mysql_5_6", "mysql_5_7", "percona_5_6", "aurora_2", "mariadb_10_3"}
OLD |= {"error_log_5_5", "error_log_5_7"}


@pytest.mark.parametrize("server", SERVERS)
def test_what_each_server_prints(server):
    deadlock = check(SERVERS[server](), old=server in OLD, records=server != "percona_5_6")
    assert ("before 8.0.18" in " ".join(deadlock.missing)) == (server in OLD)


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("server", SERVERS)
def test_what_people_paste(server, pasted):
    text = PASTED[pasted](SERVERS[server]())
    check(text, old=server in OLD, records=server != "percona_5_6")


def test_a_log_in_a_log_in_a_mail():
    text = PASTED["quoted"](PASTED["from_a_container"](SERVERS["error_log_8_0"]()))
    check(text, old=False)
