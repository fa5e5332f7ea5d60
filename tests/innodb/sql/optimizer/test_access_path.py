"""The stated rule: how a statement gets at its rows, as a MySQL 9.7 told it of the same tables."""

import pytest
from plans import CHATS, FOUR, explained

RULES = {
    "a unique key is found at once": [
        ("SELECT * FROM t WHERE id = 20", "t | const | PRIMARY(8) | const"),
        ("SELECT * FROM t WHERE u = 200 FOR UPDATE", "t | const | uu(9) | const"),
        ("SELECT * FROM t WHERE u = 200 AND id = 20", "t | const | PRIMARY(8) | const"),
        ("SELECT * FROM t WHERE u IS NULL", "t | ref | uu(9) | const | Using index condition"),
        ("SELECT * FROM t WHERE id IN (20)", "t | const | PRIMARY(8) | const"),
    ],
    "hints say which indexes are looked at": [
        ("SELECT * FROM t FORCE INDEX (kk) WHERE u = 100 AND k = 1", "t | ref | kk(9) | const | Using where"),
        ("SELECT * FROM t IGNORE INDEX (kk) WHERE k = 1", "t | ALL | Using where"),
        ("SELECT * FROM t USE INDEX (kk) WHERE id = 20", "t | ALL | Using where"),
        ("SELECT * FROM t FORCE INDEX (kk) WHERE k >= 1", "t | range | kk(9) | Using index condition"),
        ("SELECT id FROM t USE INDEX (kk)", "t | index | kk(9) | Using index"),
    ],
    "a range has to be cheaper than a scan of the shortest covering index": [
        ("SELECT id FROM t WHERE id > 15 AND id < 35 FOR UPDATE", "t | index | uu(9) | Using where; Using index"),
        ("SELECT id FROM t WHERE id > 15 FOR UPDATE", "t | range | PRIMARY(8) | Using where; Using index"),
        ("SELECT COUNT(*) FROM t WHERE id > 15", "t | range | PRIMARY(8) | Using where; Using index"),
        ("SELECT * FROM t WHERE id > 15 AND id < 35 FOR UPDATE", "t | range | PRIMARY(8) | Using where"),
        ("SELECT * FROM t WHERE v = 'a'", "t | ALL | Using where"),
        ("SELECT k FROM t", "t | index | kk(9) | Using index"),
    ],
    "a scan of the table is cheaper than a wide range of a secondary index": [
        ("SELECT * FROM chats WHERE one BETWEEN 5 AND 12", "chats | range | pair(8) | Using index condition"),
        ("SELECT * FROM chats WHERE one BETWEEN 5 AND 25", "chats | ALL | Using where"),
        ("DELETE FROM chats WHERE one BETWEEN 5 AND 25", "DELETE | chats | ALL | Using where"),
        (
            "SELECT * FROM chats FORCE INDEX (pair) WHERE one BETWEEN 5 AND 25",
            "chats | range | pair(8) | Using index condition",
        ),
    ],
    "an equality on the first columns is a ref": [
        ("SELECT * FROM t WHERE k = 1 FOR UPDATE", "t | ref | kk(9) | const"),
        ("SELECT * FROM t WHERE k = 1 AND v = 'a'", "t | ref | kk(9) | const | Using where"),
        ("SELECT * FROM chats WHERE one = 7 AND made > '2023-01-01'", "chats | ref | pair(8) | const | Using where"),
    ],
    "a ref gives way to a range of its index that goes by more columns": [
        (
            "SELECT other FROM chats WHERE one = 7 AND other > 100 AND other < 150",
            "chats | range | pair(16) | Using where; Using index",
        ),
    ],
    "groups are read from one to the next where a covering index begins with them": [
        ("SELECT DISTINCT one FROM chats", "chats | range | pair(8) | Using index for group-by"),
        ("SELECT one, MIN(other) FROM chats GROUP BY one", "chats | range | pair(8) | Using index for group-by"),
        (
            "SELECT one, MAX(other) FROM chats WHERE other > 50 GROUP BY one",
            "chats | range | pair(8) | Using where; Using index for group-by",
        ),
        (
            "SELECT one, MAX(other) FROM chats WHERE other < 50 GROUP BY one",
            "chats | range | pair(16) | Using where; Using index for group-by",
        ),
        (
            "SELECT one FROM chats WHERE one < 5 GROUP BY one",
            "chats | range | pair(8) | Using where; Using index for group-by",
        ),
        ("SELECT COUNT(DISTINCT one) FROM chats", "chats | range | pair(8) | Using index for group-by"),
        (
            "SELECT one, MIN(other) FROM chats GROUP BY one ORDER BY MIN(other)",
            "chats | range | pair(8) | Using index for group-by; Using temporary; Using filesort",
        ),
        (
            "SELECT one, MIN(other) FROM chats GROUP BY one ORDER BY one",
            "chats | range | pair(8) | Using index for group-by",
        ),
        (
            "SELECT one, COUNT(*) FROM chats GROUP BY one ORDER BY one DESC",
            "chats | index | pair(16) | Backward index scan; Using index",
        ),
        ("SELECT one, COUNT(*) FROM chats GROUP BY one", "chats | index | pair(16) | Using index"),
        ("SELECT one, MIN(made) FROM chats GROUP BY one", "chats | index | pair(16)"),
    ],
    "update and delete have only ranges and push no condition": [
        ("UPDATE t SET v = 'x' WHERE k = 5 AND v = 'd'", "UPDATE | t | range | kk(9) | const | Using where"),
        ("UPDATE t SET v = 'x' WHERE v = 'a'", "UPDATE | t | index | PRIMARY(8) | Using where"),
        ("UPDATE t SET v = 'x'", "UPDATE | t | index | PRIMARY(8)"),
        ("DELETE FROM t WHERE k = 5 AND v = 'd'", "DELETE | t | range | kk(9) | const | Using where"),
        ("DELETE FROM t WHERE v = 'a'", "DELETE | t | ALL | Using where"),
        ("DELETE FROM t", "DELETE | t | ALL | Deleting all rows"),
    ],
    "the wanted order comes from the path or from an index that has all": [
        ("SELECT * FROM t ORDER BY id", "t | index | PRIMARY(8)"),
        ("SELECT * FROM t ORDER BY id DESC", "t | index | PRIMARY(8) | Backward index scan"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY id DESC", "t | ref | kk(9) | const | Backward index scan"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY k", "t | ref | kk(9) | const"),
        ("SELECT * FROM t WHERE k = 1 ORDER BY u", "t | ref | kk(9) | const | Using filesort"),
        ("SELECT * FROM t ORDER BY k", "t | ALL | Using filesort"),
        ("SELECT k FROM t ORDER BY k DESC", "t | index | kk(9) | Backward index scan; Using index"),
        ("SELECT * FROM t ORDER BY k, u", "t | ALL | Using filesort"),
        ("SELECT * FROM t FORCE INDEX (uu) ORDER BY u", "t | index | uu(9)"),
    ],
    "with a limit an index is walked in order where its keys occur more than once": [
        ("SELECT * FROM t ORDER BY k DESC LIMIT 1", "t | index | kk(9) | Backward index scan"),
        ("SELECT * FROM t ORDER BY u DESC LIMIT 1", "t | ALL | Using filesort"),
    ],
    "update and delete walk an index in order only with a limit": [
        ("DELETE FROM t ORDER BY id DESC", "DELETE | t | ALL | Using filesort"),
        ("UPDATE t SET v = 'x' ORDER BY id DESC", "UPDATE | t | index | PRIMARY(8) | Using filesort"),
        ("DELETE FROM t ORDER BY id DESC LIMIT 1", "DELETE | t | index | PRIMARY(8)"),
        ("UPDATE t SET v = 'x' ORDER BY k LIMIT 4", "UPDATE | t | index | PRIMARY(8) | Using filesort"),
    ],
    "a limit below what is expected favours a range": [
        ("SELECT * FROM chats WHERE one BETWEEN 5 AND 25 LIMIT 2", "chats | range | pair(8) | Using index condition"),
        (
            "SELECT * FROM chats WHERE one BETWEEN 5 AND 25 ORDER BY one DESC, other DESC LIMIT 2",
            "chats | range | pair(8) | Using index condition; Backward index scan",
        ),
    ],
    "what a ref went by is not pushed again": [
        ("SELECT * FROM t WHERE k = 1 AND k > 0", "t | ref | kk(9) | const"),
        ("SELECT * FROM t WHERE k = 1 AND id + 1 > 11", "t | ref | kk(9) | const | Using index condition"),
    ],
    "the end of a range goes on into the next column": [
        ("SELECT * FROM chats WHERE one >= 29 AND other >= 299", "chats | range | pair(16) | Using index condition"),
        ("SELECT * FROM chats WHERE one > 28 AND other >= 299", "chats | range | pair(8) | Using index condition"),
    ],
    "nothing is read where conditions contradict each other in an index or an equality": [
        ("SELECT * FROM t WHERE id > 20 AND id < 20", "no matching row in const table"),
        ("SELECT * FROM t WHERE k = NULL", "no matching row in const table"),
        ("SELECT * FROM t WHERE v = 'a' AND v = 'b'", "Impossible WHERE"),
        ("SELECT * FROM t WHERE v > 'b' AND v < 'b'", "t | ALL | Using where"),
        ("SELECT * FROM t USE INDEX (uu) WHERE id > 20 AND id < 20", "t | ALL | Using where"),
    ],
}
"""By what they show: statements and their plans, on tables that were not analyzed."""


@pytest.mark.parametrize(
    ("sql", "plan"),
    [pytest.param(*case, id=f"{rule}: {case[0]}") for rule, cases in RULES.items() for case in cases],
)
def test_the_rule(sql, plan):
    assert explained(sql, CHATS if "chats" in sql else FOUR) == plan


IN_THREE = "SELECT k FROM t FORCE INDEX (kk) WHERE k IN (1, 5, 6)"
ALIKE = [FOUR[0], "INSERT INTO t VALUES (10, 100, 1, 'a'), (20, 200, 1, 'b'), (30, 300, 1, 'c')"]


@pytest.mark.parametrize(
    ("setup", "sql", "plan"),
    [
        (FOUR, "SELECT u FROM t FORCE INDEX (uu) WHERE u IN (1, 2)", "t | range | uu(9) | Using where; Using index"),
        (FOUR, IN_THREE, "t | range | kk(9) | Using where; Using index"),
        (
            ALIKE,
            IN_THREE,
            "t | index | kk(9) | Using where; Using index",
        ),
    ],
)
def test_a_key_of_a_forced_unique_index_is_one_row_and_of_another_what_analyze_says(setup, sql, plan):
    assert explained(sql, [*setup, "ANALYZE TABLE t"]) == plan
