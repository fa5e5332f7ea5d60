"""Expressions give what MySQL gives: NULL, numbers and texts compared, functions; what is not known is named."""

import re
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
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("CONCAT_WS(NULL, 'a')", None),
        ("SUBSTRING('hello', -3, 2)", "ll"),
        ("SUBSTRING('hello', 0)", ""),
        ("ROUND(2.5)", 3),
        ("ROUND(2.5e0)", 2.0),
        ("ROUND(1234, -2)", 1200),
        ("TRIM(BOTH 'x' FROM 'xxaxx')", "a"),
        ("FIND_IN_SET('', '')", 0),
        ("'ABC' REGEXP '^a'", 1),
        ("~1 & 3", 2),
        ("1 << 64", 0),
        ("1 XOR NULL", None),
        ("DATE_ADD('2019-01-31', INTERVAL 1 MONTH)", "2019-02-28"),
        ("'2019-01-31' + INTERVAL '1:30' MINUTE_SECOND", "2019-01-31 00:01:30"),
        ("DATE_ADD('bad', INTERVAL 1 DAY)", None),
        ("TIMESTAMPDIFF(MONTH, '2020-01-31', '2020-03-30')", 1),
        ("DATE_FORMAT('2020-03-04', '%D %b %y')", "4th Mar 20"),
        ("WEEK('2020-03-04')", 9),
        ("CAST('1.5' AS DECIMAL(5, 2))", Decimal("1.50")),
        ("CAST('bad' AS DATE)", None),
        ("JSON_SET('{\"a\": 1}', '$.b', TRUE)", '{"a": 1, "b": true}'),
        ("JSON_EXTRACT('[1, 2]', '$[last]')", "2"),
        ("JSON_EXTRACT('[1, 2]', '$[2]')", None),
        ("JSON_UNQUOTE(JSON_EXTRACT('{\"a\": \"x\"}', '$.a'))", "x"),
        ("1 / 0", None),
        ("@a := 1", 1),
        ("RAND(3)", 0.9057697559760601),
        ("LENGTH(UUID())", 36),
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
        ("TIMESTAMPDIFF(DAY_HOUR, '2020-01-01', '2020-01-02')", "TIMESTAMPDIFF of DAY_HOUR"),
        ("CAST('a' AS CHAR CHARACTER SET ucs2)", "ucs2"),
        ("JSON_SEARCH('[\"a\"]', 'one', '%')", "wildcards"),
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


def is_same(found, expected):
    """NULL + NULL is a DOUBLE to the server, and so is COALESCE of a number and that."""
    if isinstance(found, float) and expected is not None:
        return found == pytest.approx(float(expected))
    return found == expected


@settings(max_examples=100)
@given(st.lists(EXPRESSIONS, min_size=5, max_size=5))
def test_integers_decimals_and_null_are_what_they_are_in_python_with_null_for_unknown(expressions):
    found = values(*(text for text, _ in expressions))
    assert all(map(is_same, found, (expected for _, expected in expressions))), found


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


# --- integers have 64 bits (each as a MySQL 9.7 answers)

HIGHEST, HIGHEST_UNSIGNED = 2**63 - 1, 2**64 - 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9223372036854775807 + 1", "(9223372036854775807 + 1)"),
        ("9223372036854775807 - -1", "(9223372036854775807 - -(1))"),
        ("-9223372036854775807 - 2", "(-(9223372036854775807) - 2)"),
        ("-9223372036854775808 - 1", "(-(9223372036854775808) - 1)"),
        ("9223372036854775807 * 2", "(9223372036854775807 * 2)"),
        ("-4294967296 * 2147483649", "(-(4294967296) * 2147483649)"),
        ("-9223372036854775808 DIV -1", "(-(9223372036854775808) DIV -(1))"),
        ("ABS(-9223372036854775808)", "abs(-(9223372036854775808))"),
        ("9223372036854775807 + 1 + 1", "(9223372036854775807 + 1)"),
        ("1 + 2 * 9223372036854775807", "(2 * 9223372036854775807)"),
        ("(2 - 1) + 9223372036854775807", "((2 - 1) + 9223372036854775807)"),
        ("(1 = 1) + 9223372036854775807", "((1 = 1) + 9223372036854775807)"),
        ("IF(1, 9223372036854775807, 0) + 1", "(if(1,9223372036854775807,0) + 1)"),
        ("CAST(9223372036854775807 AS SIGNED) + 1", "(cast(9223372036854775807 as signed) + 1)"),
    ],
)
def test_a_result_that_no_bigint_holds_is_refused(text, shown):
    with pytest.raises(DatabaseError) as caught:
        value(text)
    assert (caught.value.errno, caught.value.message) == (1690, f"BIGINT value is out of range in '{shown}'")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("18446744073709551615 + 1", "(18446744073709551615 + 1)"),
        ("CAST(0 AS UNSIGNED) - 1", "(cast(0 as unsigned) - 1)"),
        ("1 - CAST(2 AS UNSIGNED)", "(1 - cast(2 as unsigned))"),
        ("CAST(1 AS UNSIGNED) + -2", "(cast(1 as unsigned) + -(2))"),
        ("CAST(2 AS UNSIGNED) * -1", "(cast(2 as unsigned) * -(1))"),
        ("CAST(4294967296 AS UNSIGNED) * 4294967296", "(cast(4294967296 as unsigned) * 4294967296)"),
        ("18446744073709551615 DIV -1", "(18446744073709551615 DIV -(1))"),
        ("5 DIV CAST(1 AS UNSIGNED) - 9", "((5 DIV cast(1 as unsigned)) - 9)"),
        ("CAST(1 AS UNSIGNED) % 7 - 5", "((cast(1 as unsigned) % 7) - 5)"),
        (
            "COALESCE(CAST(1 AS UNSIGNED), CAST(1 AS UNSIGNED)) - 9",
            "(coalesce(cast(1 as unsigned),cast(1 as unsigned)) - 9)",
        ),
        ("NULLIF(CAST(1 AS UNSIGNED), 7) - 9", None),
        ("CASE WHEN 1 THEN CAST(1 AS UNSIGNED) END - 9", None),
        ("LAST_INSERT_ID() - 1", "(last_insert_id() - 1)"),
        ("CONNECTION_ID() - 100000", "(connection_id() - 100000)"),
    ],
)
def test_a_result_that_no_bigint_unsigned_holds_is_refused(text, shown):
    with pytest.raises(DatabaseError) as caught:
        value(text)
    assert caught.value.errno == 1690
    assert caught.value.message.startswith("BIGINT UNSIGNED value is out of range in '")
    assert shown is None or caught.value.message.endswith(f" '{shown}'")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9223372036854775806 + 1", HIGHEST),
        ("-9223372036854775808", -HIGHEST - 1),
        ("-9223372036854775807 - 1", -HIGHEST - 1),
        ("18446744073709551615 + 0", HIGHEST_UNSIGNED),
        ("18446744073709551615 - 18446744073709551615", 0),
        ("9223372036854775808 - 1", HIGHEST),
        ("18446744073709551616 + 1", 2**64 + 1),  # a DECIMAL
        ("- -9223372036854775808", HIGHEST + 1),  # of a constant it is a DECIMAL
        ("-(-9223372036854775807 - 1)", HIGHEST + 1),
        ("-CAST(5 AS UNSIGNED)", -5),
        ("5 % CAST(7 AS UNSIGNED) - 9", -4),
        ("18446744073709551615 % -10", 5),
        ("COALESCE(CAST(1 AS UNSIGNED), 0) - 2", -1),  # of both kinds it is a DECIMAL
        ("9223372036854775807 + 1.0", Decimal("9223372036854775808.0")),
        ("9223372036854775807 + 1e0", 2.0**63),
        ("NULL + 9223372036854775807", None),
        ("LENGTH('abc') - 5", -2),
        ("TRUE - 2", -1),
    ],
)
def test_a_result_that_fits_or_is_no_integer_is_given(text, found):
    assert value(text) == found


@pytest.mark.parametrize(
    ("text", "argument", "found"),
    [
        ("? + 1", HIGHEST, "BIGINT value is out of range in '(? + 1)'"),
        ("? - 0", HIGHEST_UNSIGNED, HIGHEST_UNSIGNED),
        ("? + 1", HIGHEST_UNSIGNED, "BIGINT UNSIGNED value is out of range in '(? + 1)'"),
        ("1 - ?", 5, -4),
    ],
)
def test_the_value_of_a_placeholder_says_whether_it_is_unsigned(text, argument, found):
    if isinstance(found, str):
        with pytest.raises(DatabaseError, match=re.escape(found)):
            value(text, argument)
    else:
        assert value(text, argument) == found


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT big + 1 FROM t", "BIGINT value is out of range in '(`big` + 1)'"),
        ("SELECT x.big * 2 FROM t AS x", "BIGINT value is out of range in '(`x`.`big` * 2)'"),
        ("SELECT -low FROM t", "BIGINT value is out of range in '-(`low`)'"),
        ("SELECT ABS(low) FROM t", "BIGINT value is out of range in 'abs(`low`)'"),
        ("SELECT MAX(big) + 1 FROM t", "BIGINT value is out of range in '(max(`big`) + 1)'"),
        ("SELECT num - natural_ FROM t", "BIGINT UNSIGNED value is out of range in '(`num` - `natural_`)'"),
        ("SELECT MAX(natural_) - 5 FROM t", "BIGINT UNSIGNED value is out of range in '(max(`natural_`) - 5)'"),
        ("SELECT id FROM t WHERE big + 1 > 5", "BIGINT value is out of range in '(`big` + 1)'"),
        ("UPDATE t SET big = big + 1", "BIGINT value is out of range in '(`big` + 1)'"),
        ("UPDATE t SET natural_ = natural_ - 2", "BIGINT UNSIGNED value is out of range in '(`natural_` - 2)'"),
        (
            "INSERT INTO t VALUES (1, 1, 1, 1, 1) ON DUPLICATE KEY UPDATE natural_ = VALUES(natural_) - 2",
            "BIGINT UNSIGNED value is out of range in '(values(`natural_`) - 2)'",
        ),
        ("SELECT COUNT(*) - 5 FROM t", [(-4,)]),
        ("SELECT SUM(big) + 1 FROM t", [(HIGHEST + 1,)]),  # a sum is a DECIMAL
        ("SELECT -natural_ FROM t", [(-1,)]),
        ("SELECT id FROM t WHERE id = 7 AND big + 1 > 5", []),
    ],
)
def test_a_column_is_signed_or_unsigned_by_its_type(sql, shown):
    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        await session.run(
            "CREATE TABLE t (id INT PRIMARY KEY, big BIGINT, low BIGINT, natural_ INT UNSIGNED, num INT);"
            f" INSERT INTO t VALUES (1, {HIGHEST}, {-HIGHEST - 1}, 1, 0)"
        )
        try:
            (answer,) = await session.run(sql)
        except DatabaseError as error:
            return error.message
        return answer.rows

    assert run(main()) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CONCAT_WS(',')", "1582: Incorrect parameter count in the call to native function 'CONCAT_WS'"),
        ("MD5('a')", "1305: FUNCTION"),
        ("JSON_EXTRACT('{', '$.a')", "3141: Invalid JSON text"),
        ("JSON_EXTRACT('{}', 'a')", "3143: Invalid JSON path expression"),
        ("JSON_SET('{}', '$.*', 1)", "3149: "),
        ("UUID_TO_BIN('x')", "1411: Incorrect string value"),
        ("'a' REGEXP '('", "3685: "),
        ("SLEEP(-1)", "1210: Incorrect arguments to sleep"),
    ],
)
def test_a_call_that_makes_no_sense_is_an_error(text, said):
    with pytest.raises(DatabaseError) as raised:
        value(text)
    assert f"{raised.value.errno}: {raised.value.message}".startswith(said)


def of_table(*statements):
    """The result of the last statement on a table of bytes and texts: its rows, or its error, and its warnings."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        await session.run(
            "CREATE TABLE t (id INT PRIMARY KEY, b VARBINARY(4), c BLOB, n VARCHAR(9), y TEXT, KEY (n));"
            " INSERT INTO t VALUES (1, 'ab', 0x4142, 'x', 'x')"
        )
        try:
            for each in statements:
                answer = (await session.run(each))[-1]
        except DatabaseError as error:
            return error.errno
        return answer.rows, sorted({number for number, _ in answer.warnings})

    return run(main())


@pytest.mark.parametrize(
    ("sql", "result"),
    [
        ("SELECT HEX(b & c), HEX(b | c), HEX(b ^ c), HEX(~b), HEX(b << 8) FROM t", "4142 6162 2020 9E9D 6200"),
        ("SELECT c + 0, c & 1 FROM t", "0.0 0"),
    ],
)
def test_bit_operators_of_two_values_of_bytes_give_bytes(sql, result):
    ((row,), warnings) = of_table(sql)
    assert (" ".join(map(str, row)), warnings) == (result, [])


def test_bit_operators_of_bytes_need_as_many_on_both_sides():
    assert of_table("UPDATE t SET c = 'ABC'", "SELECT b & c FROM t") == 3513


_OF_TEXT = ("n", "n + 0", "NOT n", "n = 1", "n IN (1, 2)", "n <=> 1", "IF(n, 0, 1)", "'x'", "n | 0")


@pytest.mark.parametrize("condition", _OF_TEXT)
def test_a_text_that_is_no_number_warns_a_reader_and_stops_who_changes_rows(condition):
    assert of_table(f"SELECT 1 FROM t WHERE {condition} AND 1 = 0 OR {condition}")[1] == [1292]
    assert of_table(f"UPDATE t SET b = 'z' WHERE {condition}") == 1292
    assert of_table(f"UPDATE IGNORE t SET b = 'z' WHERE {condition}")[1] == [1292]
    assert of_table("SET sql_mode = ''", f"UPDATE t SET b = 'z' WHERE {condition}")[1] == [1292]


@pytest.mark.parametrize("condition", ["y", "y + 0", "NOT y", "y = 1", "y IN (1, 2)", "c", "y | 0"])
def test_nothing_is_said_of_a_long_text_that_is_no_number(condition):
    assert of_table(f"UPDATE t SET b = 'z' WHERE {condition}")[1] == []


@pytest.mark.parametrize("text", ["LOG(0)", "LN(-1)", "LOG2(0)", "LOG(1, 5)"])
def test_a_logarithm_that_is_none_is_a_warning_or_an_error(text):
    assert of_table(f"SELECT {text}") == ([(None,)], [3020])
    assert of_table(f"UPDATE t SET b = {text}") == 3020
