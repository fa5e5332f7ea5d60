"""Expressions give what MySQL gives: NULL, numbers and texts compared, functions; what is not known is named."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0


def values(*texts, args=()):
    """The values of some expressions, of no table."""

    async def main():
        (answer,) = await EngineSession(Engine(lambda: NOW, purges=False)).run(f"SELECT {', '.join(texts)}", args)
        return answer.rows[0]

    return run(main())


def value(text, *args):
    return values(text, args=args)[0]


# --- leaves


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7", 7),
        ("-7", -7),
        ("1.50", Decimal("1.50")),
        ("1e3", 1000.0),
        ("'it''s'", "it's"),
        ('"dq"', "dq"),
        (r"'a\'b\\c\nd'", "a'b\\c\nd"),
        ("TRUE", 1),
        ("FALSE", 0),
        ("NULL", None),
        ("@nobody", None),
        ("@@autocommit", 1),
        ("NOW()", datetime.fromisoformat("2023-11-14 22:13:20")),
        ("CURRENT_TIMESTAMP", datetime.fromisoformat("2023-11-14 22:13:20")),
        ("CONNECTION_ID()", 1),
        ("LAST_INSERT_ID()", 0),
    ],
)
def test_a_leaf_has_its_value(text, found):
    assert (value(text), type(value(text))) == (found, type(found))


@pytest.mark.parametrize("argument", [5, "a", None, Decimal("1.5"), b"\0", 2**63, datetime.fromisoformat("2024-01-02")])
def test_a_placeholder_has_the_value_of_its_argument(argument):
    assert value("?", argument) == argument


# --- comparisons


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 = '1'", 1),
        ("10 < '9'", 0),
        ("'10' < '9'", 1),
        ("1.50 = 1.5", 1),
        ("1.5 = '1.5'", 1),
        ("0 = 'abc'", 1),
        ("2 = '2abc'", 1),
        ("9223372036854775807 = 9223372036854775806", 0),
        ("'a' = 'A'", 1),
        ("'a' < 'B'", 1),
        ("'Z' < 'a'", 0),
        ("'é' = 'E'", 1),
        ("'' < 'a'", 1),
        ("1 <> 2", 1),
        ("1 != 1", 0),
        ("NULL = NULL", None),
        ("NULL <> 1", None),
        ("NULL <=> NULL", 1),
        ("1 <=> NULL", 0),
        ("1 <=> 1", 1),
        ("NULL IS NULL", 1),
        ("0 IS NOT NULL", 1),
        ("2 IS TRUE", 1),
        ("NULL IS TRUE", 0),
        ("NULL IS NOT TRUE", 1),
        ("0 IS FALSE", 1),
        ("3 > 2 > 1", 0),
        ("(1, 2) = (1, 2)", 1),
        ("(1, NULL) = (2, 2)", 0),
        ("(1, NULL) = (1, 2)", None),
        ("2 BETWEEN 1 AND 3", 1),
        ("2 NOT BETWEEN 1 AND 3", 0),
        ("2 BETWEEN 3 AND NULL", 0),
        ("2 BETWEEN 1 AND NULL", None),
        ("'a' IN ('A', 'b')", 1),
        ("1 IN ('2', '1')", 1),
        ("3 IN (1, NULL)", None),
        ("1 IN (1, NULL)", 1),
        ("3 NOT IN (1, 2)", 1),
        ("NULL IN (1)", None),
        ("NOW() > '2020-01-01'", 1),
        ("'2024-01-01' > NOW()", 1),
    ],
)
def test_a_comparison_is_1_or_0_or_null(text, found):
    assert value(text) == found


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("abc", "a%", 1),
        ("abc", "A_C", 1),
        ("abc", "b%", 0),
        ("abc", "", 0),
        ("", "%", 1),
        ("ab", "_", 0),
        ("a.c", "a.c", 1),
        ("abc", "a.c", 0),
        ("a\nb", "a_b", 1),
        ("é", "e", 1),
        ("a", "a ", 0),
        (123, "1%", 1),
        (None, "a", None),
        ("a", None, None),
    ],
)
def test_like_knows_any_character_and_any_number_of_them(text, pattern, found):
    assert value("? LIKE ?", text, pattern) == found


def test_a_text_that_is_no_moment_is_refused_by_name_where_one_is_wanted():
    with pytest.raises(DatabaseError, match="Incorrect DATETIME value: 'soon'") as caught:
        value("NOW() > 'soon'")
    assert caught.value.errno == 1525


# --- arithmetic


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 3 - 2", 5),
        ("7 / 2", Decimal("3.5000")),
        ("7 DIV 2", 3),
        ("-7 DIV 2", -3),
        ("7 % 2", 1),
        ("-7 MOD 3", -1),
        ("7 MOD -3", 1),
        ("5.5 % 2", Decimal("1.5")),
        ("5 DIV 2.5", 2),
        ("1.1 * 1.1", Decimal("1.21")),
        ("1.50 - 1.5", Decimal("0.00")),
        ("1e2 * 1.5", 150.0),
        ("1e0 / 4", 0.25),
        ("1 / 0", None),
        ("1 DIV 0", None),
        ("1 % 0", None),
        ("NULL + 1", None),
        ("-NULL", None),
        ("'1' + '2'", 3),
        ("'1a' + 1", 2),
        ("'a' + 1", 1),
        ("NOW() + 0", 20231114221320),
    ],
)
def test_arithmetic_is_mysqls(text, found):
    assert value(text) == found


# --- functions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("IF(1, 2, 3)", 2),
        ("IF(NULL, 2, 3)", 3),
        ("IF('a', 2, 3)", 3),
        ("CASE WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END", "b"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("CASE 3 WHEN 1 THEN 'a' END", None),
        ("CASE NULL WHEN NULL THEN 1 ELSE 2 END", 2),
        ("COALESCE(NULL, NULL, 3)", 3),
        ("IFNULL(NULL, 5)", 5),
        ("NULLIF(1, 1)", None),
        ("NULLIF(1, 2)", 1),
        ("NULLIF('a', 'A')", None),
        ("NULLIF(1, NULL)", 1),
        ("CONCAT('a', 1, 1.50)", "a11.50"),
        ("CONCAT('a', NULL)", None),
        ("LENGTH('é')", 2),
        ("LENGTH(NULL)", None),
        ("UPPER('aé')", "AÉ"),
        ("LOWER('AÉ')", "aé"),
        ("LEFT('aéb', 2)", "aé"),
        ("LEFT(123, 1)", "1"),
        ("LEFT('a', -1)", ""),
        ("LEFT('a', NULL)", None),
        ("LEAST(3, 1, 2)", 1),
        ("GREATEST(1, 2.5)", Decimal("2.5")),
        ("LEAST('b', 'A')", "A"),
        ("LEAST(1, NULL)", None),
        ("ABS(-2.5)", Decimal("2.5")),
        ("ABS(NULL)", None),
        ("CAST('12abc' AS SIGNED)", 12),
        ("CAST(1.5 AS SIGNED)", 2),
        ("CAST(1.50 AS CHAR)", "1.50"),
        ("CAST(NULL AS SIGNED)", None),
        ("IS_FREE_LOCK('a')", 1),
        ("IS_USED_LOCK('a')", None),
    ],
)
def test_a_function_has_its_value(text, found):
    assert value(text) == found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("NOBODY_KNOWS(1)", "function NOBODY_KNOWS()"),
        ("UUID()", "UUID"),
        ("SLEEP(1)", "SLEEP"),
        ("(SELECT 1)", "Subquery"),
        ("1 IN (SELECT 1)", "a subquery"),
        ("'a' REGEXP 'b'", "REGEXP"),
        ("1 & 2", "1 & 2"),
        ("NOW() - INTERVAL 1 DAY", "INTERVAL"),
        ("CAST('1.5' AS DECIMAL(5, 2))", "DECIMAL(5, 2)"),
        ("ROW_NUMBER() OVER ()", "OVER"),
        ("@a := 1", "@a := 1"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(text, named):
    with pytest.raises(NotImplementedError) as caught:
        value(text)
    assert str(caught.value).startswith("the model's SQL has no ")
    assert named in str(caught.value)


def test_a_column_of_no_table_is_unknown():
    with pytest.raises(DatabaseError, match="Unknown column 'nope'") as caught:
        value("nope + 1")
    assert caught.value.errno == 1054


# --- against Python


NUMBERS = st.none() | st.integers(-9, 9) | st.decimals(-9, 9, places=2)


def literal(number):
    return "NULL" if number is None else f"({number})"


def of_two(symbol, function):
    """An operator that is NULL when one of its operands is."""
    return lambda a, b: (
        f"({a[0]} {symbol} {b[0]})",
        None if a[1] is None or b[1] is None else function(a[1], b[1]),
    )


def both(a, b):
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else 1


def either(a, b):
    return negated(both(negated(a), negated(b)))


def negated(a):
    return None if a is None else int(not a)


OPERATORS = [
    of_two("+", lambda a, b: a + b),
    of_two("-", lambda a, b: a - b),
    of_two("*", lambda a, b: a * b),
    of_two("=", lambda a, b: int(a == b)),
    of_two("<>", lambda a, b: int(a != b)),
    of_two("<", lambda a, b: int(a < b)),
    of_two(">=", lambda a, b: int(a >= b)),
    lambda a, b: (f"({a[0]} <=> {b[0]})", int(a[1] == b[1])),
    lambda a, b: (f"({a[0]} AND {b[0]})", both(a[1], b[1])),
    lambda a, b: (f"({a[0]} OR {b[0]})", either(a[1], b[1])),
    lambda a, b: (f"(NOT {a[0]} OR {b[0]} IS NULL)", either(negated(a[1]), int(b[1] is None))),
    lambda a, b: (f"COALESCE({a[0]}, {b[0]})", b[1] if a[1] is None else a[1]),
    lambda a, b: (f"NULLIF({a[0]}, {b[0]})", None if a[1] == b[1] else a[1]),
    lambda a, b: (f"IF({a[0]}, {b[0]}, -{a[0]})", b[1] if a[1] else None if a[1] is None else -a[1]),
    lambda a, b: (f"LEAST({a[0]}, {b[0]})", None if None in (a[1], b[1]) else min(a[1], b[1])),
    lambda a, b: (f"({a[0]} BETWEEN {b[0]} AND 2)", both(*(of_two("", compare)(*pair)[1] for pair in bounds(a, b)))),
]


def compare(a, b):
    return int(a <= b)


def bounds(a, b):
    return (b, a), (a, ("2", 2))


EXPRESSIONS = st.recursive(
    NUMBERS.map(lambda number: (literal(number), number)),
    lambda inner: st.builds(lambda make, a, b: make(a, b), st.sampled_from(OPERATORS), inner, inner),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.lists(EXPRESSIONS, min_size=5, max_size=5))
def test_integers_decimals_and_null_are_what_they_are_in_python_with_null_for_unknown(expressions):
    assert values(*(text for text, _ in expressions)) == tuple(found for _, found in expressions)


@given(st.integers(-(10**6), 10**6), st.integers(-50, 50).filter(bool))
def test_a_whole_quotient_and_what_is_left_of_it_go_towards_zero(a, b):
    whole, rest = values(f"{a} DIV {b}", f"{a} MOD {b}")
    assert whole * b + rest == a
    assert abs(rest) < abs(b)
    assert rest == 0 or (rest < 0) is (a < 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'a' NOT LIKE 'A'", 0),
        ("'a' NOT LIKE 'b'", 1),
        (r"'axb' LIKE 'a\%b'", 0),
        (r"'a%b' LIKE 'a\%b'", 1),
        ("'a%' LIKE 'a|%' ESCAPE '|'", 1),
        ("2.5 / 3", Decimal("0.83333")),
        ("1 / 8000", Decimal("0.0001")),
        ("CAST(2.5 AS SIGNED)", 3),
        ("CAST(-2.5 AS SIGNED)", -3),
        ("CAST('2.5' AS SIGNED)", 2),
        ("CAST(-1 AS UNSIGNED)", 2**64 - 1),
        ("CHAR_LENGTH('aä')", 2),
        ("NOW() > '2020-01-01 00:00:00+02:00'", 1),
    ],
)
def test_patterns_quotients_and_lengths_are_mysqls(text, found):
    assert value(text) == found
