"""Files of SQL with transactions: what they say, and what is wrong with those that say nothing."""

import pytest

from chatsim.conformance.transactions import BadTransactionsError, parse
from chatsim.db.errors import DatabaseError, DeadlockError
from chatsim.db.session import Isolation, Rows
from chatsim.exploration.choices import Switches

TRANSFERS = """
CREATE TABLE account (id INT PRIMARY KEY, balance INT);
INSERT INTO account VALUES (1, 100), (2, 100);

-- transaction transfer(a, b)
UPDATE account SET balance = balance - 10 WHERE id = :a;
UPDATE account SET balance = balance + 10 WHERE id = :b;

-- call transfer(1, 2)
-- call transfer(2, 1)

-- isolation read committed

-- assert no money is lost
SELECT 1 FROM account HAVING SUM(balance) <> 200;
"""


class Asked:
    """A session that notes what it is asked, and fails at one statement."""

    def __init__(self, fails_at=None, error=None):
        self.statements = []
        self.in_transaction = False
        self._fails_at = fails_at
        self._error = error

    async def execute(self, sql, args=()):
        self.statements.append(sql)
        if sql == self._fails_at:
            raise self._error
        self.in_transaction = sql != "COMMIT"
        return Rows([(len(self.statements),)], 0, 0)

    async def rollback(self):
        self.statements.append("ROLLBACK")
        self.in_transaction = False


async def executed(body, values=(), names=""):
    """What a caller executes who runs a transaction."""
    session = Asked()
    transaction = parse(f"-- transaction t({names})\n{body}").transactions["t"]
    await transaction.program(values)(session)
    return session.statements


# --- what a file says


def test_the_parts_of_a_file():
    file = parse(TRANSFERS)
    assert [sql.split()[0] for sql in file.setup] == ["CREATE", "INSERT"]
    (transfer,) = file.transactions.values()
    assert (transfer.name, transfer.parameters, len(transfer.statements)) == ("transfer", ("a", "b"), 2)
    assert file.calls == (("transfer", ("1", "2")), ("transfer", ("2", "1")))
    assert file.assertions == {"no money is lost": "SELECT 1 FROM account HAVING SUM(balance) <> 200"}
    assert file.isolation is Isolation.READ_COMMITTED
    assert [each.name for each in file.questions()] == ["no money is lost"]


@pytest.mark.parametrize(
    "line",
    ["-- transaction t", "-- Transaction: t", "--  TRANSACTION   t  ", "-- transaction t()", "-- transaction t( )"],
)
def test_comments_are_read_however_they_are_spaced_and_written(line):
    assert list(parse(f"{line}\nSELECT 1;").transactions) == ["t"]


def test_other_comments_say_nothing():
    file = parse("-- what transactions do\n/* -- transaction no */ # -- transaction no\n-- transaction t\nSELECT 1;")
    assert list(file.transactions) == ["t"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_do_not_matter(ending):
    assert parse(TRANSFERS.replace("\n", ending)) == parse(TRANSFERS)


def test_the_last_semicolon_may_be_missing():
    assert parse("-- transaction t\nSELECT 1").transactions["t"].statements == ("SELECT 1",)


def test_each_transaction_is_run_by_one_caller_and_a_single_one_by_two():
    two = "-- transaction a\nSELECT 1;\n-- transaction b\nSELECT 2;"
    one = "-- transaction a\nSELECT 1;"
    assert names(two) == ["a", "b"]
    assert names(one) == ["a1", "a2"]
    assert names(two, copies=2) == ["a1", "a2", "b3", "b4"]
    assert names(one, copies=1) == ["a"]
    assert names(TRANSFERS) == ["transfer1", "transfer2"]


def names(text, **more):
    return [each.name for each in parse(text).problem(switches=Switches(), **more).callers]


def test_callers_are_alike_who_run_the_same_with_the_same_values():
    first, second = parse(TRANSFERS).problem(switches=Switches()).callers
    assert first.alike != second.alike
    first, second = parse("-- transaction a\nSELECT 1;").problem(switches=Switches()).callers
    assert first.alike == second.alike


@pytest.mark.parametrize(
    ("text", "asked", "level"),
    [
        (TRANSFERS, None, "READ COMMITTED"),
        (TRANSFERS, Isolation.SERIALIZABLE, "SERIALIZABLE"),
        ("-- transaction a\nSELECT 1;", None, "REPEATABLE READ"),
        ("-- isolation read-uncommitted\n-- transaction a\nSELECT 1;", None, "READ UNCOMMITTED"),
    ],
)
def test_the_level_is_the_one_that_is_asked_for_or_the_file_s_or_the_server_s(text, asked, level):
    callers = parse(text).problem(isolation=asked, switches=Switches()).callers
    assert {each.isolation.value for each in callers} == {level}


# --- what a caller executes


async def test_begin_and_commit_are_added_where_they_are_missing_and_only_there():
    assert await executed("SELECT 1") == ["BEGIN", "SELECT 1", "COMMIT"]
    assert await executed("START TRANSACTION READ ONLY; SELECT 1") == [
        *("START TRANSACTION READ ONLY", "SELECT 1", "COMMIT")
    ]
    assert await executed("begin; SELECT 1; rollback") == ["begin", "SELECT 1", "rollback"]
    assert await executed("SELECT 1; ROLLBACK TO s") == ["BEGIN", "SELECT 1", "ROLLBACK TO s", "COMMIT"]
    assert await executed("SELECT 1; ROLLBACK WORK TO SAVEPOINT s") == [
        *("BEGIN", "SELECT 1", "ROLLBACK WORK TO SAVEPOINT s", "COMMIT")
    ]
    assert await executed("SELECT 1; COMMIT; SELECT 2; COMMIT") == ["BEGIN", "SELECT 1", "COMMIT", "SELECT 2", "COMMIT"]


async def test_a_level_for_the_next_transaction_stands_in_front_of_its_begin():
    level = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    assert await executed(f"{level}; SELECT 1") == [level, "BEGIN", "SELECT 1", "COMMIT"]
    assert await executed(f"{level}; BEGIN; SELECT 1") == [level, "BEGIN", "SELECT 1", "COMMIT"]


async def test_distributed_transactions_have_their_own_words():
    body = "XA START 'x'; SELECT 1; XA END 'x'; XA COMMIT 'x' ONE PHASE"
    assert await executed(body) == body.split("; ")


async def test_values_stand_for_their_names():
    assert (await executed("SELECT :a, :ab", ["1", "2"], "a, ab"))[1] == "SELECT 1, 2"
    assert (await executed("SELECT :a", ["1"], ":a"))[1] == "SELECT 1"


@pytest.mark.parametrize(
    "text", ["SELECT ':a'", 'SELECT ":a"', "SELECT `:a` FROM t", r"SELECT 'it\'s :a'", "SELECT ''':a'"]
)
async def test_a_colon_in_a_string_or_a_name_is_left_alone(text):
    assert (await executed(text, ["1"], "a"))[1] == text


async def test_an_assignment_and_a_time_are_no_parameters():
    text = "SELECT @x := 5, '12:30:00'"
    assert (await executed(text))[1] == text


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ("1, 2", ("1", "2")),
        ("'a, b', 2", ("'a, b'", "2")),
        ("'it''s', 2", ("'it''s'", "2")),
        (r"'it\'s', 2", (r"'it\'s'", "2")),
        ("NULL, -1.5", ("NULL", "-1.5")),
        ("'', ''", ("''", "''")),
        ('"a, b", 2', ('"a, b"', "2")),
        ("CONCAT('a', 'b'), 2", ("CONCAT('a', 'b')", "2")),
        ("'(', ')'", ("'('", "')'")),
    ],
)
def test_values_may_have_quotes_commas_and_parentheses(values, read):
    text = f"-- transaction t(a, b)\nSELECT :a, :b;\n-- call t({values})"
    assert parse(text).calls == (("t", read),)


async def test_a_caller_returns_what_it_has_read():
    transaction = parse("-- transaction t\nSELECT 1; SELECT 2").transactions["t"]
    assert await transaction.program()(Asked()) == (((1,),), ((2,),), ((3,),), ((4,),))


@pytest.mark.parametrize("error", [DeadlockError(1213, "Deadlock found"), DatabaseError(1054, "Unknown column")])
async def test_behind_an_error_it_rolls_back_and_passes_it_on(error):
    session = Asked(fails_at="SELECT 2", error=error)
    with pytest.raises(type(error)) as raised:
        await parse("-- transaction t\nSELECT 1; SELECT 2; SELECT 3").transactions["t"].program()(session)
    assert raised.value is error
    assert session.statements == ["BEGIN", "SELECT 1", "SELECT 2", "ROLLBACK"]


# --- what is wrong with a file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no transaction"),
        ("CREATE TABLE t (n INT);", "there is no transaction"),
        ("-- transaction\nSELECT 1;", "'-- transaction ' is not of the form"),
        ("-- transaction a b\nSELECT 1;", r"'-- transaction a b' is not of the form '-- transaction NAME\(a, b\)'"),
        ("-- transaction t(a\nSELECT 1;", r"'-- transaction t\(a' is not of the form"),
        ("-- transaction t(a b)\nSELECT 1;", "'a b' is no name of a parameter of transaction t"),
        ("-- transaction t(a, a)\nSELECT :a;", "transaction t has two parameters 'a'"),
        ("-- transaction t\n", "transaction t has no statement"),
        ("-- transaction t\nSELECT 1;\n-- transaction t\nSELECT 2;", "there are two transactions 't'"),
        ("-- transaction t(a)\nSELECT :b;", "transaction t uses :b, which is no parameter of it"),
        ("-- transaction t\nSELECT 1;\n-- assert\nSELECT 1;", "'-- assert' says what is asserted"),
        ("-- transaction t\nSELECT 1;\n-- assert all is well", "'-- assert all is well' needs one query; it has 0"),
        ("-- transaction t\nSELECT 1;\n-- assert x\nSELECT 1; SELECT 2;", "'-- assert x' needs one query; it has 2"),
        ("-- transaction t\nSELECT 1;\n-- assert x\nSELECT 1;\n-- assert x\nSELECT 2;", "there are two assertions 'x'"),
        ("-- isolation chaos\n-- transaction t\nSELECT 1;", "CHAOS"),
        ("-- isolation\n-- transaction t\nSELECT 1;", "unknown isolation level ''; there are: READ UNCOMMITTED"),
        ("CREATE TABLE t (n INT)\n-- transaction t\nSELECT 1;", "before '-- transaction t' has no semicolon"),
        ("-- transaction t\nSELECT 1;\n-- call t(1, )", r"'-- call t\(1, \)' has an empty value"),
        ("-- transaction t\nSELECT 1;\n-- call t('a)", r"'-- call t\('a\)' has a string without an end"),
    ],
)
def test_what_is_wrong_is_named(text, says):
    with pytest.raises(BadTransactionsError, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("-- call other", "there is no transaction 'other'; there are: t"),
        ("-- call t", r"transaction t has 2 parameters \(a, b\), and is called with 0; write '-- call t\(…, …\)'"),
        ("-- call t(1)", "is called with 1"),
        ("-- call t(1, 2, 3)", "is called with 3"),
        ("", "is called with 0"),
    ],
)
def test_a_call_that_does_not_fit_is_named(call, says):
    with pytest.raises(BadTransactionsError, match=says):
        parse(f"-- transaction t(a, b)\nSELECT :a, :b;\n{call}").problem(switches=Switches())
