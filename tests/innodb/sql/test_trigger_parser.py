"""CREATE TRIGGER, taken apart."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.db.text import statements
from chatsim.innodb.sql.parser import parse
from chatsim.innodb.sql.trigger_parser import If, Perform, SetValues, Signal

BLOCK = (
    "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 'a;b', @n = 1;"
    " IF NEW.b THEN INSERT INTO u VALUES (NEW.a); ELSEIF NEW.b IS NULL THEN SIGNAL SQLSTATE '45000';"
    " ELSE DELETE FROM u; END IF; UPDATE u SET b = IF(b, 1, 2) WHERE c = CASE 1 WHEN 1 THEN 2 END; END"
)


def test_the_body_of_a_trigger_is_one_statement_with_its_semicolons():
    assert statements(f"{BLOCK}; SELECT 1") == (BLOCK, "SELECT 1")
    plain = "CREATE TRIGGER x AFTER DELETE ON t FOR EACH ROW DELETE FROM u"
    assert statements(f"{plain}; SELECT 1") == (plain, "SELECT 1")


def test_a_block_has_its_statements_in_order():
    (made,) = parse(BLOCK)
    assert (made.name, made.args["table"], made.args["timing"], made.args["event"]) == ("x", "t", "BEFORE", "INSERT")
    first, second, third = made.args["steps"]
    assert isinstance(first, SetValues)
    assert [target.name for target, _ in first.targets] == ["a", "n"]
    assert isinstance(second, If)
    assert [condition is None for condition, _ in second.branches] == [False, False, True]
    assert isinstance(second.branches[1][1][0], Signal)
    assert isinstance(third, Perform)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("BEGIN DECLARE n INT; END", "DECLARE in a trigger"),
        ("BEGIN WHILE 1 DO SET @a = 1; END WHILE; END", "WHILE in a trigger"),
        ("CALL p()", "CALL in a trigger"),
        ("SIGNAL SQLSTATE '45000' SET CLASS_ORIGIN = 'x'", "SIGNAL … SET CLASS_ORIGIN"),
        ("FOLLOWS y SET NEW.a = 1", "FOLLOWS"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(body, said):
    with pytest.raises(NotImplementedError, match=said):
        parse(f"CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW {body}")


@pytest.mark.parametrize(
    "text", ["CREATE TRIGGER x", "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1;"]
)
def test_what_is_no_trigger_is_no_sql(text):
    with pytest.raises(DatabaseError) as raised:
        parse(text)
    assert raised.value.errno == 1064
