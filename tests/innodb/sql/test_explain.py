"""EXPLAIN in the modelled server: a table of statements and their plans, as a MySQL 9.7 has them, too."""

from dataclasses import FrozenInstanceError, replace
from functools import partial

import pytest
from plans import ALL, FOUR, NOW, in_model, on_server

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.optimizer.plan import COLUMNS, Plan, PlanRow
from chatsim.simulation.loop import run

PLANS = [
    # one table
    ("SELECT * FROM t WHERE id = 20", "t | const | PRIMARY(8) | const"),
    ("SELECT id FROM t WHERE id = 20", "t | const | PRIMARY(8) | const | Using index"),
    ("SELECT * FROM t WHERE u = 200", "t | const | uu(9) | const"),
    ("SELECT * FROM t WHERE u = 200 AND id = 20", "t | const | PRIMARY(8) | const"),
    ("SELECT * FROM t WHERE u IS NULL", "t | ref | uu(9) | const | Using index condition"),
    ("SELECT * FROM t WHERE k = 1", "t | ref | kk(9) | const"),
    ("SELECT * FROM t WHERE k = 1 AND v = 'a'", "t | ref | kk(9) | const | Using where"),
    (
        "SELECT * FROM t WHERE k = 1 AND id > 10",
        "t | index_merge | kk,PRIMARY(17,8) | Using intersect(kk,PRIMARY); Using where",
    ),
    ("SELECT * FROM t WHERE k = 1 OR k IS NULL", "t | ref_or_null | kk(9) | const | Using index condition"),
    ("SELECT k FROM t WHERE k = 1", "t | ref | kk(9) | const | Using index"),
    ("SELECT * FROM t FORCE INDEX (kk) WHERE k >= 1", "t | range | kk(9) | Using index condition"),
    ("SELECT * FROM t IGNORE INDEX (kk) WHERE k = 1", "t | ALL | Using where"),
    ("SELECT k FROM t", "t | index | kk(9) | Using index"),
    ("SELECT COUNT(*) FROM t", "t | index | uu(9) | Using index"),
    ("SELECT * FROM t", "t | ALL"),
    ("SELECT * FROM t WHERE v = 'a'", "t | ALL | Using where"),
    ("SELECT * FROM t WHERE id > 15", "t | range | PRIMARY(8) | Using where"),
    ("SELECT id FROM t WHERE id > 15", "t | range | PRIMARY(8) | Using where; Using index"),
    ("SELECT * FROM t WHERE id IN (10, 30)", "t | range | PRIMARY(8) | Using where"),
    ("SELECT * FROM chats WHERE one BETWEEN 5 AND 12", "chats | range | pair(8) | Using index condition"),
    ("SELECT * FROM chats WHERE one BETWEEN 5 AND 25", "chats | ALL | Using where"),
    (
        "SELECT * FROM chats WHERE one = 7 AND other > 100 AND other < 150",
        "chats | range | pair(16) | Using index condition",
    ),
    (
        "SELECT other FROM chats WHERE one = 7 AND other > 100 AND other < 150",
        "chats | range | pair(16) | Using where; Using index",
    ),
    ("SELECT * FROM chats WHERE one = 7 AND made > '2023-01-01'", "chats | ref | pair(8) | const | Using where"),
    ("SELECT * FROM chats WHERE one = 7 AND id < 100", "chats | ref | pair(8) | const | Using index condition"),
    ("SELECT * FROM t WHERE id BETWEEN 10 AND 10", "t | const | PRIMARY(8) | const"),
    ("SELECT * FROM t WHERE id IN (20)", "t | const | PRIMARY(8) | const"),
    # no table read
    ("SELECT * FROM t WHERE id = 21", "no matching row in const table"),
    ("SELECT * FROM t WHERE id = 20 AND k = 7", "Impossible WHERE noticed after reading const tables"),
    ("SELECT * FROM t WHERE k = NULL", "no matching row in const table"),
    ("SELECT * FROM t WHERE id > 20 AND id < 20", "no matching row in const table"),
    ("SELECT * FROM t WHERE 1 = 0", "Impossible WHERE"),
    ("SELECT 1", "No tables used"),
    # order and limit
    ("SELECT * FROM t ORDER BY id", "t | index | PRIMARY(8)"),
    ("SELECT * FROM t ORDER BY id DESC", "t | index | PRIMARY(8) | Backward index scan"),
    ("SELECT * FROM t ORDER BY k", "t | ALL | Using filesort"),
    ("SELECT k FROM t ORDER BY k DESC", "t | index | kk(9) | Backward index scan; Using index"),
    ("SELECT * FROM t ORDER BY k DESC LIMIT 1", "t | index | kk(9) | Backward index scan"),
    ("SELECT * FROM t WHERE k = 1 ORDER BY id DESC", "t | ref | kk(9) | const | Backward index scan"),
    ("SELECT * FROM t WHERE k = 1 ORDER BY u", "t | ref | kk(9) | const | Using filesort"),
    ("SELECT * FROM chats WHERE one = 7 ORDER BY id DESC LIMIT 3", "chats | ref | pair(8) | const | Using filesort"),
    (
        "SELECT * FROM t WHERE u IN (100, 200) ORDER BY u DESC",
        "t | range | uu(9) | Using index condition; Backward index scan",
    ),
    # groups and extremes
    ("SELECT MAX(id) FROM t", "Select tables optimized away"),
    ("SELECT MIN(k) FROM t WHERE k > 1", "Select tables optimized away"),
    ("SELECT k, COUNT(*) FROM t GROUP BY k", "t | index | kk(9) | Using index"),
    ("SELECT v, COUNT(*) FROM t GROUP BY v", "t | ALL | Using temporary"),
    ("SELECT v, COUNT(*) FROM t GROUP BY v ORDER BY v", "t | ALL | Using temporary; Using filesort"),
    ("SELECT DISTINCT v FROM t", "t | ALL | Using temporary"),
    # several indexes together
    ("SELECT * FROM m WHERE a = 1 AND b = 1", "m | ref | by_a(5) | const | Using where"),
    (
        "SELECT * FROM m WHERE id < 3 AND b = 1",
        "m | index_merge | by_b,PRIMARY(9,4) | Using intersect(by_b,PRIMARY); Using where",
    ),
    (
        "SELECT a, b FROM m WHERE a = 1 AND b = 1",
        "m | index_merge | by_a,by_b(5,5) | Using intersect(by_a,by_b); Using where; Using index",
    ),
    (
        "SELECT * FROM m WHERE a = 1 OR id = 2",
        "m | index_merge | by_a,PRIMARY(5,4) | Using union(by_a,PRIMARY); Using where",
    ),
    (
        "SELECT * FROM m WHERE a > 2 OR b = 1",
        "m | index_merge | by_a,by_b(5,5) | Using sort_union(by_a,by_b); Using where",
    ),
    ("SELECT * FROM m WHERE a IS NOT NULL", "m | ALL | Using where"),
    ("SELECT * FROM m WHERE a <> 3", "m | ALL | Using where"),
    ("SELECT * FROM m WHERE a IS NULL", "m | ref | by_a(5) | const | Using index condition"),
    (
        "SELECT * FROM m WHERE id = 1 OR (a = 1 AND b = 1)",
        "m | index_merge | PRIMARY,by_a,by_b(4,5,5) | Using union(PRIMARY,intersect(by_a,by_b)); Using where",
    ),
    # changes
    (
        "DELETE FROM m WHERE a = 1 OR b = 1",
        "DELETE | m | index_merge | by_a,by_b(5,5) | Using union(by_a,by_b); Using where",
    ),
    ("UPDATE t SET v = 'x' WHERE id = 20", "UPDATE | t | range | PRIMARY(8) | const | Using where"),
    ("UPDATE t SET v = 'x' WHERE k = 1", "UPDATE | t | range | kk(9) | const | Using where"),
    ("UPDATE t SET v = 'x' WHERE v = 'a'", "UPDATE | t | index | PRIMARY(8) | Using where"),
    ("UPDATE t SET v = 'x'", "UPDATE | t | index | PRIMARY(8)"),
    ("UPDATE t SET k = k + 1 WHERE k > 1", "UPDATE | t | range | kk(9) | const | Using where; Using temporary"),
    ("UPDATE t SET k = k + 1 WHERE k = 5", "UPDATE | t | range | kk(9) | const | Using where; Using temporary"),
    ("UPDATE t SET v = 'x' ORDER BY id DESC LIMIT 1", "UPDATE | t | index | PRIMARY(8) | Using temporary"),
    ("UPDATE t SET v = 'x' WHERE k = 1 ORDER BY u", "UPDATE | t | range | kk(9) | const | Using where; Using filesort"),
    ("UPDATE t SET v = 'x' WHERE 1 = 0", "UPDATE | Impossible WHERE"),
    ("DELETE FROM t WHERE k = 5 AND v = 'd'", "DELETE | t | range | kk(9) | const | Using where"),
    ("DELETE FROM t WHERE id = 10", "DELETE | t | range | PRIMARY(8) | const | Using where"),
    ("DELETE FROM t WHERE id > 20", "DELETE | t | range | PRIMARY(8) | const | Using where"),
    ("DELETE FROM t", "DELETE | t | ALL | Deleting all rows"),
    ("DELETE FROM t WHERE id > 20 AND id < 20", "DELETE | Impossible WHERE"),
    ("DELETE FROM t WHERE v = 'a'", "DELETE | t | ALL | Using where"),
    ("UPDATE kinds SET s = 1 WHERE s = 2", "UPDATE | kinds | ALL | Using where"),
    (
        "UPDATE chats SET made = '2023-01-01' WHERE one = 3 AND other = 33",
        "UPDATE | chats | range | pair(16) | const,const | Using where",
    ),
    (
        "UPDATE chats SET made = '2023-01-01' WHERE one = 3 AND other > 100",
        "UPDATE | chats | range | pair(16) | const,const | Using where",
    ),
    ("UPDATE chats SET made = '2023-01-01' WHERE one = 3", "UPDATE | chats | range | pair(8) | const | Using where"),
    (
        "DELETE FROM chats WHERE one = 3 ORDER BY other LIMIT 1",
        "DELETE | chats | range | pair(8) | const | Using where",
    ),
    (
        "DELETE FROM chats WHERE one = 3 ORDER BY made LIMIT 1",
        "DELETE | chats | range | pair(8) | const | Using where; Using filesort",
    ),
    ("UPDATE chats SET one = 5 WHERE id IN (1, 2, 3)", "UPDATE | chats | range | PRIMARY(8) | const | Using where"),
    # inserts
    ("INSERT INTO t VALUES (1, 1, 1, 'a')", "INSERT | t | ALL"),
    ("REPLACE INTO t VALUES (1, 1, 1, 'a')", "REPLACE | t | ALL"),
    (
        "INSERT INTO t SELECT id + 1000, NULL, one, 'x' FROM chats WHERE one = 3",
        "INSERT | t | ALL",
        "chats | ref | pair(8) | const | Using index",
    ),
    (
        "INSERT INTO t SELECT id + 1000, NULL, k, v FROM t WHERE k = 1",
        "INSERT | t | ALL",
        "t | ref | kk(9) | const | Using temporary",
    ),
    # several SELECTs
    (
        "SELECT * FROM t UNION SELECT * FROM t WHERE id = 10",
        "PRIMARY | t | ALL",
        "UNION | t | const | PRIMARY(8) | const",
        "UNION RESULT | <union1,2> | ALL | Using temporary",
    ),
    (
        "SELECT id FROM t UNION ALL SELECT id FROM m",
        "PRIMARY | t | index | uu(9) | Using index",
        "UNION | m | index | by_a(5) | Using index",
    ),
    (
        "SELECT id FROM t UNION ALL SELECT id FROM m ORDER BY id",
        "PRIMARY | t | index | uu(9) | Using index",
        "UNION | m | index | by_a(5) | Using index",
        "UNION RESULT | <union1,2> | ALL | Using temporary; Using filesort",
    ),
    (
        "WITH c AS (SELECT id FROM t LIMIT 2) SELECT * FROM c JOIN t ON t.id = c.id",
        "PRIMARY | <derived2> | ALL",
        "PRIMARY | t | eq_ref | PRIMARY(8) | c.id",
        "DERIVED | t | index | uu(9) | Using index",
    ),
    # lengths of keys
    ("SELECT * FROM kinds WHERE d = 3.5", "kinds | ref | kd(6) | const"),
    ("SELECT * FROM kinds WHERE v = 'v3'", "kinds | ref | kv(38) | const"),
    ("SELECT * FROM kinds WHERE v = 'v3' AND s = 3", "kinds | ref | kv(41) | const,const"),
    ("SELECT * FROM kinds WHERE at = '2024-01-01 00:00:03'", "kinds | ref | kat(8) | const"),
    ("SELECT * FROM kinds WHERE day > '2024-01-28'", "kinds | range | kday(4) | Using index condition"),
    ("SELECT * FROM kinds WHERE v LIKE 'v2%'", "kinds | range | kv(38) | Using index condition"),
    (
        "SELECT * FROM kinds WHERE d IN (1.5, 2.5) AND s > 3",
        "kinds | range | kd(6) | Using index condition; Using where",
    ),
    # the chat's statements
    (
        "SELECT * FROM private_chat WHERE user1_id = 3 AND user2_id = 12",
        "private_chat | const | uniq_private_thread(16) | const,const",
    ),
    (
        "SELECT * FROM private_chat WHERE user1_id = 3 AND user2_id = 12 FOR UPDATE",
        "private_chat | const | uniq_private_thread(16) | const,const",
    ),
    (
        "SELECT * FROM private_chat WHERE user1_id = 3 ORDER BY thread_id LIMIT 5",
        "private_chat | ref | uniq_private_thread(8) | const | Using filesort",
    ),
    (
        "SELECT * FROM chat_message WHERE thread_id = 3 ORDER BY message_id DESC LIMIT 10",
        "chat_message | ref | uniq_thread_seq(8) | const | Using filesort",
    ),
    (
        "SELECT * FROM chat_message WHERE thread_id = 3 AND message_id < 100 ORDER BY message_id DESC LIMIT 10",
        "chat_message | ref | uniq_thread_seq(8) | const | Using index condition; Using filesort",
    ),
    (
        "SELECT * FROM chat_message WHERE thread_id = 3 AND seq > 5 ORDER BY seq",
        "chat_message | range | uniq_thread_seq(16) | Using index condition",
    ),
    (
        "SELECT * FROM chat_message WHERE sender_id = 3 AND unique_id = 'm2'",
        "chat_message | const | uniq_sender_unique(267) | const,const",
    ),
    (
        "SELECT * FROM chat_message WHERE thread_id = 3 AND created_at > '2020-01-01'",
        "chat_message | ref | uniq_thread_seq(8) | const | Using where",
    ),
    ("SELECT MAX(seq) FROM chat_message WHERE thread_id = 3", "Select tables optimized away"),
    (
        "SELECT COUNT(*) FROM chat_message WHERE thread_id = 3",
        "chat_message | ref | idx_thread_created(8) | const | Using index",
    ),
    (
        "SELECT * FROM user_thread WHERE user_id = 3 AND thread_id = 2",
        "user_thread | const | PRIMARY(16) | const,const",
    ),
    ("SELECT * FROM user WHERE email = 'u3@x'", "user | const | email(1022) | const"),
    ("SELECT * FROM user WHERE name = 'user3'", "user | ref | name(1022) | const"),
    # joins
    (
        "SELECT u.name FROM friend f JOIN user u ON u.uid = f.friend_id WHERE f.self_id = 3",
        "f | ref | self_friend(8) | const | Using index",
        "u | eq_ref | uid(8) | f.friend_id",
    ),
    (
        "SELECT * FROM friend f LEFT JOIN user u ON u.uid = f.friend_id WHERE f.self_id = 3",
        "f | ref | self_friend(8) | const",
        "u | eq_ref | uid(8) | f.friend_id",
    ),
    (
        "SELECT * FROM user_thread ut JOIN chat_thread ct ON ct.id = ut.thread_id WHERE ut.user_id = 3",
        "ut | ref | PRIMARY(8) | const",
        "ct | eq_ref | PRIMARY(8) | ut.thread_id",
    ),
    (
        "SELECT * FROM user_thread ut JOIN chat_thread ct ON ct.id = ut.thread_id WHERE user_id = 3 AND thread_id = 2",
        "ut | const | PRIMARY(16) | const,const",
        "ct | const | PRIMARY(8) | const",
    ),
    (
        "SELECT * FROM chat_thread ct JOIN chat_message cm ON cm.thread_id = ct.id WHERE ct.id = 3",
        "ct | const | PRIMARY(8) | const",
        "cm | ref | uniq_thread_seq(8) | const",
    ),
    (
        "SELECT * FROM t JOIN chats ON chats.id = t.k AND chats.one > 2",
        "t | ALL | Using where",
        "chats | eq_ref | PRIMARY(8) | t.k | Using where",
    ),
    (
        "SELECT * FROM chat_message cm JOIN user u ON u.uid = cm.sender_id WHERE cm.thread_id = 3 ORDER BY cm.seq",
        "cm | ref | uniq_thread_seq(8) | const",
        "u | eq_ref | uid(8) | cm.sender_id",
    ),
    (
        "SELECT * FROM user_thread WHERE user_id = 3 AND version > 20 ORDER BY version LIMIT 5",
        "user_thread | range | idx_user_version(16) | Using index condition",
    ),
    (
        "SELECT * FROM user_thread WHERE user_id = 3 ORDER BY activity DESC LIMIT 5",
        "user_thread | ref | idx_user_activity(8) | const | Backward index scan",
    ),
    # lookups by columns of other types
    (
        "SELECT * FROM t LEFT JOIN m ON m.a = t.k WHERE t.id > 20",
        "t | range | PRIMARY(8) | Using where",
        "m | ref | by_a(5) | t.k | Using index condition",
    ),
    (
        "SELECT * FROM t JOIN chats ON chats.one = t.k + 1 WHERE t.id > 20",
        "t | range | PRIMARY(8) | Using where",
        "chats | ref | pair(8) | func | Using index condition",
    ),
    (
        "SELECT t.*, m.id FROM t JOIN m ON m.id = t.k ORDER BY m.b",
        "t | ALL | Using where; Using temporary; Using filesort",
        "m | eq_ref | PRIMARY(4) | t.k | Using where",
    ),
    ("SELECT * FROM kinds WHERE e = 'x'", "kinds | ref | ke(2) | const | Using index condition"),
    ("SELECT * FROM kinds WHERE e = 'x' AND s > 3", "kinds | ref | ke(2) | const | Using index condition; Using where"),
    ("SELECT * FROM kinds WHERE c = 'c1'", "kinds | ref | kc(13) | const | Using index condition"),
    ("SELECT * FROM kinds WHERE b = 'b3'", "kinds | ref | kb(10) | const | Using index condition"),
]
"""Statements, and of each table: its name, type, key and how long, what that is compared with, what else is done."""

DIFFERENCES = {
    "the server looks again at numbers of different types in the index": [
        (
            "SELECT * FROM t JOIN m ON m.a = t.k WHERE t.id = 10",
            ["t | const | PRIMARY(8) | const", "m | ref | by_a(5) | const"],
            ["t | const | PRIMARY(8) | const", "m | ref | by_a(5) | const | Using index condition"],
        ),
    ],
    "the server pushes a condition on a derived table into its query": [
        (
            "SELECT * FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS g WHERE n > 1",
            ["PRIMARY | <derived2> | ALL | Using where", "DERIVED | t | index | kk(9) | Using index"],
            ["PRIMARY | <derived2> | ALL", "DERIVED | t | index | kk(9) | Using index"],
        ),
    ],
    "the server prefers an index whose entries come in the order of the rows' keys": [
        (
            "SELECT id FROM chats WHERE one = 3 OR other = 40",
            ["chats | index_merge | pair,by_other(8,8) | Using sort_union(pair,by_other); Using where"],
            ["chats | index_merge | by_one,by_other(8,8) | Using union(by_one,by_other); Using where"],
        ),
    ],
}
"""By what they differ in: statements, their plans in the model, and on the server."""


def test_the_plans_of_the_model_are_these():
    assert plans_of(in_model) == {sql: plan for sql, *plan in PLANS}


def test_a_server_has_the_same_plans(mysql_url):
    assert plans_of(partial(on_server, mysql_url)) == {sql: plan for sql, *plan in PLANS}


def plans_of(explain):
    statements = [sql for sql, *_ in PLANS]
    return dict(zip(statements, explain(statements, ALL), strict=True))


def test_where_plans_differ_it_is_known(mysql_url):
    expected = [each for cases in DIFFERENCES.values() for each in cases]
    statements = [sql for sql, _, _ in expected]
    found = zip(statements, in_model(statements, ALL), on_server(mysql_url, statements, ALL), strict=True)
    assert list(found) == expected


# --- what EXPLAIN is


def play(*statements, args=()):
    """The rows of the last statement, the locks that the session has then, and the rows of t."""

    async def body():
        engine = Engine(lambda: NOW, purges=False)
        session = EngineSession(engine)
        for each in FOUR:
            await session.run(each)
        await session.run("BEGIN")
        *before, last = statements
        for each in before:
            await session.run(each)
        (answer,) = await session.run(last, args)
        locks = len(engine.data_locks())
        await session.run("COMMIT")
        (left,) = await session.run("SELECT * FROM t")
        return answer.rows, locks, left.rows

    return run(body())


ROWS = [(10, 100, 1, "a"), (20, 200, 1, "b"), (30, 300, 3, "c"), (40, 400, 5, "d")]


def test_it_gives_the_columns_that_mysql_gives():
    ((row,), _, _) = play("EXPLAIN SELECT * FROM t WHERE k = 1 AND v = 'a'")
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "id": 1,
        "select_type": "SIMPLE",
        "table": "t",
        "partitions": None,
        "type": "ref",
        "possible_keys": "kk",
        "key": "kk",
        "key_len": "9",
        "ref": "const",
        "rows": 2,
        "filtered": 25.0,
        "Extra": "Using where",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE id = 20 FOR UPDATE",
        "SELECT * FROM t FOR SHARE",
        "UPDATE t SET v = 'x' WHERE k = 1",
        "DELETE FROM t",
        "INSERT INTO t VALUES (1, 1, 1, 'x')",
        "REPLACE INTO t VALUES (10, 1, 1, 'x')",
    ],
)
def test_it_locks_and_changes_nothing(sql):
    rows, locks, left = play(f"EXPLAIN {sql}")
    assert rows
    assert (locks, left) == (0, ROWS)


def test_plans_are_chosen_with_the_values_of_arguments_known():
    ((one,), _, _) = play("EXPLAIN SELECT * FROM t WHERE u BETWEEN ? AND ?", args=(100, 100))
    ((several,), _, _) = play("EXPLAIN SELECT * FROM t WHERE u BETWEEN ? AND ?", args=(100, 400))
    assert (one[4], several[4]) == ("const", "range")


def test_a_row_that_is_looked_up_beforehand_is_the_newest_one():
    ((row,), _, _) = play("DELETE FROM t WHERE id = 20", "EXPLAIN SELECT * FROM t WHERE id = 20")
    assert row[-1] == "no matching row in const table"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("EXPLAIN FORMAT=TREE SELECT 1", "the model's SQL has no EXPLAIN FORMAT"),
        ("EXPLAIN FORMAT=JSON SELECT 1", "the model's SQL has no EXPLAIN FORMAT"),
        ("EXPLAIN ANALYZE SELECT 1", "the model's SQL has no EXPLAIN ANALYZE"),
        ("EXPLAIN FOR CONNECTION 3", "the model's SQL has no EXPLAIN FOR"),
    ],
)
def test_other_forms_are_refused_by_name(sql, said):
    with pytest.raises(NotImplementedError, match=f"^{said}"):
        play(sql)


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("EXPLAIN SELECT * FROM nope", 1146),
        ("EXPLAIN SELECT nope FROM t", 1054),
        ("EXPLAIN SELECT * FROM t FORCE INDEX (nope)", 1176),
        ("EXPLAIN", 1064),
        ("EXPLAIN SELECT FROM WHERE", 1064),
    ],
)
def test_what_makes_no_sense_is_refused_as_the_statement_would_be(sql, errno):
    with pytest.raises(DatabaseError) as caught:
        play(sql)
    assert caught.value.errno == errno


def test_a_plan_is_a_value_that_prints_itself():
    row = PlanRow(
        select_type="SIMPLE",
        table="t",
        type="ref",
        possible_keys=("kk", "uu"),
        key="kk",
        key_len="9",
        ref=("const",),
        rows=2,
        filtered=50.0,
        extra=("Using where", "Using index"),
    )
    plan = Plan((row,))
    assert plan == Plan((replace(row),))
    assert str(plan).splitlines() == [
        "id\tselect_type\ttable\tpartitions\ttype\tpossible_keys\tkey\tkey_len\tref\trows\tfiltered\tExtra",
        "1\tSIMPLE\tt\tNULL\tref\tkk,uu\tkk\t9\tconst\t2\t50.00\tUsing where; Using index",
    ]
    with pytest.raises(FrozenInstanceError):
        row.key = "uu"
