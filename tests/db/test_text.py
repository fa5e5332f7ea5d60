"""SQL text: where statements end and arguments go, whatever quotes and comments have in them."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from chatsim.db.text import arguments, characters, fill, placeholders, statements

# --- statements


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("", []),
        (" ;; \n;", []),
        ("SELECT 1", ["SELECT 1"]),
        (" SELECT 1 ;\n SELECT 2; ", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b?', ?", ["SELECT 'a;b?', ?"]),
        ("""'it''s;', "say "";", 'a\\';', `c``;d`; x""", ["""'it''s;', "say "";", 'a\\';', `c``;d`""", "x"]),
        ("SELECT 'a\\\\'; x", ["SELECT 'a\\\\'", "x"]),
        ("SELECT 1 -- one; two\n, 2; x", ["SELECT 1 -- one; two\n, 2", "x"]),
        ("SELECT 1 --\n, 2; x", ["SELECT 1 --\n, 2", "x"]),
        ("SELECT 1--2; x", ["SELECT 1--2", "x"]),
        ("SELECT 1 # one; two\n, 2; x", ["SELECT 1 # one; two\n, 2", "x"]),
        ("SELECT /* a; 'b */ 1; x", ["SELECT /* a; 'b */ 1", "x"]),
        ("/* first; */ SELECT 1; -- last;", ["SELECT 1"]),
        ("SELECT 4 / 2 - 1; x", ["SELECT 4 / 2 - 1", "x"]),
        ("SELECT 'a; b", ["SELECT 'a; b"]),
        ("SELECT 1 /* a; b", ["SELECT 1"]),
    ],
)
def test_a_semicolon_ends_a_statement_unless_a_string_a_name_or_a_comment_has_it(sql, found):
    assert list(statements(sql)) == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("/*!50003 UPDATE t SET a = 1 */", ["UPDATE t SET a = 1"]),
        ("/*! SELECT 1; SELECT 2 */; x", ["SELECT 1", "SELECT 2", "x"]),
        (
            "CREATE TABLE t (a INT) /*!50100 PARTITION BY KEY (a) */; x",
            ["CREATE TABLE t (a INT)          PARTITION BY KEY (a)", "x"],
        ),
        ("SELECT 1 /*!99999 , 2 */, 3; x", ["SELECT 1 /*!99999 , 2 */, 3", "x"]),
        ("SELECT '/*! a */', 3*4*/*! 5 */; x", ["SELECT '/*! a */', 3*4*    5", "x"]),
        ("SELECT 1 /*! , '*/', 2 */; x", ["SELECT 1     , '*/', 2", "x"]),
        ("/* a /*! b */ SELECT 1", ["SELECT 1"]),
        ("SELECT /*!50100 1", ["SELECT          1"]),
    ],
)
def test_what_the_server_executes_of_a_comment_is_part_of_the_text(sql, found):
    assert [each.rstrip() for each in statements(sql)] == found
    assert placeholders(f"/*! SELECT ? */, {sql}") == 1


# --- placeholders


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("", 0),
        ("SELECT ?, ?", 2),
        ("SELECT ?; SELECT ?", 2),
        ("""SELECT 'it''s ?', "?", `?`, 'a\\'?' """, 0),
        ("SELECT ? -- it's ?\n, ? # ?\n, ? /* ? '*/", 3),
        ("SELECT 1 --\n, ?", 1),
        ("SELECT 5--?", 1),
        ("SELECT 5--", 0),
        ("SELECT '?", 0),
    ],
)
def test_a_question_mark_takes_an_argument_unless_a_string_a_name_or_a_comment_has_it(sql, count):
    assert placeholders(sql) == count


def test_literals_are_put_where_the_arguments_go():
    assert fill("SELECT ?, '?' -- ?\n, ?", ["'a?'", "NULL"]) == "SELECT 'a?', '?' -- ?\n, NULL"


@pytest.mark.parametrize(
    ("sql", "args", "error", "said"),
    [
        ("SELECT ?", (), ValueError, "0 arguments for 1 placeholders in: SELECT ?"),
        ("SELECT '?'", (1,), ValueError, "1 arguments for 0 placeholders in: SELECT '?'"),
        ("SELECT %s", (1,), ValueError, "1 arguments for 0 placeholders (write ?, not %s) in: SELECT %s"),
        ("SELECT ?, ?", (1, [2]), TypeError, "no SQL literal for list: [2]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(sql, args, error, said):
    with pytest.raises(error) as raised:
        arguments(sql, args)
    assert str(raised.value) == said


def test_arguments_are_numbers_texts_bytes_and_nothing():
    given = (1, 1.5, "?", b"?", None, Decimal("1.50"))
    assert [*arguments("SELECT ?, ?, ?, ?, ?, ?, '?'", given)] == [*given]
    assert arguments("SELECT '?'", ()) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.fromisoformat("2026-01-02T03:04:05"), "2026-01-02 03:04:05"),
        (datetime.fromisoformat("2026-01-02T03:04:05.0006"), "2026-01-02 03:04:05.000600"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4, 5), "03:04:05"),
        (timedelta(hours=3, minutes=4, seconds=5), "03:04:05"),
        (timedelta(days=5, microseconds=7), "120:00:00.000007"),
        (-timedelta(hours=1, seconds=1), "-01:00:01"),
        (timedelta(0), "00:00:00"),
    ],
)
def test_dates_and_times_become_texts(value, text):
    assert arguments("SELECT ?", (value,)) == [text]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), "no SQL literal for a datetime with a time zone"),
        (time(3, tzinfo=UTC), "no SQL literal for a time with a time zone"),
        (float("nan"), "no SQL literal for float: nan"),
        (Decimal("Infinity"), "no SQL literal for Decimal: Decimal('Infinity')"),
        ({1: 2}, "no SQL literal for dict"),
    ],
)
def test_what_has_no_literal_is_refused(value, said):
    with pytest.raises(TypeError) as raised:
        arguments("SELECT ?", (value,))
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("literals", [[], ["1"], ["1", "2", "3"]])
def test_a_wrong_number_of_literals_is_refused_with_the_text(literals):
    with pytest.raises(ValueError, match=rf"{len(literals)} arguments for 2 placeholders in: SELECT \?, \?"):
        fill(" SELECT ?, ? ", literals)


# --- against the parser's tokens

PARTS = st.sampled_from(
    [
        *("SELECT", "a", "1", "'", "''", '"', '""', "`", "\\", "\\'", '\\"', "--", "-- ", "--\t", "-", "#", "/*", "*/"),
        *("/", "*", "; ", ";", " ? ", "\n", " ", "é", ",", "(", ")", "=", "%", "_"),
    ]
)


@settings(max_examples=300)
@given(parts=st.lists(PARTS, max_size=25))
@example(parts=["SELECT", " ", "1", " ", "--", "\n", " ? "])
def test_it_reads_a_text_as_the_tokenizer_of_the_models_parser_does(parts):
    sql = "".join(parts)
    try:
        found = MySQL().tokenize(sql)
    except TokenError:  # a string does not end
        return
    texts, begun = [], None
    for token in found:
        if token.token_type is not TokenType.SEMICOLON:
            begun, end = token.start if begun is None else begun, token.end
        elif begun is not None:
            texts.append(sql[begun : end + 1])
            begun = None
    if begun is not None:
        texts.append(sql[begun : end + 1])
    assert list(statements(sql)) == texts
    assert placeholders(sql) == sum(token.token_type is TokenType.PLACEHOLDER for token in found)


def test_characters_are_counted_without_white_space():
    assert characters(" SELECT  1\n FROM t;") == len("SELECT1FROMt;")
