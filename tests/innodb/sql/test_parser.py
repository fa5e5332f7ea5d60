"""A text becomes statements: split where they end, its placeholders numbered, what is no SQL refused."""

import pytest
from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.innodb.sql import parser, syntax
from chatsim.innodb.sql.parser import Analyze, Do, Release, Savepoint, parse


def texts(sql):
    return [each.meta["text"] for each in parse(sql)]


def placeholders(sql):
    """The numbers of each statement's placeholders, in the order of its text."""
    return [
        sorted(node.meta["number"] for node in statement.find_all(exp.Placeholder) if "number" in node.meta)
        for statement in parse(sql)
    ]


# --- statements


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        (" SELECT 1 ;\n SELECT 2 ", ["SELECT 1", "SELECT 2"]),
        (";;SELECT 1;;", ["SELECT 1"]),
        ("BEGIN; UPDATE t SET a = ';'; COMMIT", ["BEGIN", "UPDATE t SET a = ';'", "COMMIT"]),
        ("SELECT 'a;b', `c;d`", ["SELECT 'a;b', `c;d`"]),
        ("SELECT 1 -- one; not two", ["SELECT 1"]),
        ("SELECT 1 # one; not two", ["SELECT 1"]),
        ("/* first; */ SELECT 1", ["SELECT 1"]),
    ],
)
def test_a_text_is_split_where_its_statements_end_not_within_a_text_a_name_or_a_comment(sql, statements):
    assert texts(sql) == statements


@pytest.mark.parametrize("sql", ["", "  \n", ";", " ; ; "])
def test_a_text_without_a_statement_has_none(sql):
    assert parse(sql) == ()


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", exp.Select),
        ("SELECT 1 UNION ALL SELECT 2", exp.Union),
        ("INSERT INTO t VALUES (1)", exp.Insert),
        ("UPDATE t SET a = 1", exp.Update),
        ("DELETE FROM t", exp.Delete),
        ("CREATE TABLE t (id INT)", syntax.CreateTable),
        ("DROP TABLE t", syntax.DropTables),
        ("ALTER TABLE t ADD COLUMN a INT", syntax.AlterTable),
        ("TRUNCATE TABLE t", exp.TruncateTable),
        ("SET @a = 1", exp.Set),
        ("BEGIN", exp.Transaction),
        ("START TRANSACTION", exp.Transaction),
        ("COMMIT", exp.Commit),
        ("ROLLBACK", exp.Rollback),
    ],
)
def test_a_statement_is_of_its_kind(sql, kind):
    (statement,) = parse(sql)
    assert isinstance(statement, kind)


def test_replace_is_an_insert_that_replaces():
    for sql in ("REPLACE INTO t VALUES (1)", "replace t (a) SELECT 1"):
        (statement,) = parse(sql)
        assert isinstance(statement, exp.Insert)
        assert statement.args["replace"]
    (plain,) = parse("INSERT INTO t VALUES (1)")
    assert not plain.args.get("replace")


@pytest.mark.parametrize(
    ("sql", "kind", "name"),
    [
        ("SAVEPOINT s1", Savepoint, "s1"),
        ("savepoint `a b`", Savepoint, "a b"),
        ("RELEASE SAVEPOINT s1", Release, "s1"),
    ],
)
def test_savepoints_are_set_and_released_by_name(sql, kind, name):
    (statement,) = parse(sql)
    assert isinstance(statement, kind)
    assert statement.name == name


def test_rolling_back_to_a_savepoint_names_it():
    named = [parse(sql)[0].args["savepoint"].name for sql in ("ROLLBACK TO s1", "ROLLBACK TO SAVEPOINT s1")]
    assert named == ["s1", "s1"]


def test_do_has_expressions_and_analyze_has_tables():
    (do,) = parse("DO 1, RELEASE_LOCK('a')")
    (analyze,) = parse("ANALYZE TABLE t, u")
    assert isinstance(do, Do)
    assert isinstance(analyze, Analyze)
    assert len(do.expressions) == 2
    assert [each.name for each in analyze.expressions] == ["t", "u"]


def test_a_transaction_with_a_consistent_snapshot_says_so():
    (statement,) = parse("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    assert statement.args["modes"] == ["WITH CONSISTENT SNAPSHOT"]


# --- placeholders


@pytest.mark.parametrize(
    ("sql", "numbers"),
    [
        ("SELECT 1", [[]]),
        ("SELECT ?, ?", [[0, 1]]),
        ("SELECT ?; SELECT '?'; SELECT ?, ?", [[0], [], [1, 2]]),
        ("INSERT INTO t (a) VALUES (?), (?) ON DUPLICATE KEY UPDATE a = ?", [[0, 1, 2]]),
    ],
)
def test_placeholders_are_numbered_through_the_whole_text(sql, numbers):
    assert placeholders(sql) == numbers


def test_placeholders_are_numbered_as_the_text_has_them_not_as_the_tree_does():
    (statement,) = parse("SELECT a + ? FROM t JOIN u ON u.a = ? WHERE t.b = ? AND t.c = ? ORDER BY a LIMIT ? OFFSET ?")

    def number(node):
        return node.find(exp.Placeholder).meta["number"]

    assert number(statement.expressions[0]) == 0
    assert number(statement.args["joins"][0]) == 1
    assert [number(each) for each in (statement.args["where"].this.left, statement.args["where"].this.right)] == [2, 3]
    assert [number(statement.args[part]) for part in ("limit", "offset")] == [4, 5]


def test_the_offset_comes_first_where_the_text_has_it_first():
    (statement,) = parse("SELECT a FROM t LIMIT ?, ?")
    assert [statement.args[part].expression.meta["number"] for part in ("offset", "limit")] == [0, 1]


# --- what is no SQL


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("SELEC 1", " near '1' at line 1"),
        ("SELEKT a", " near 'SELEKT a' at line 1"),
        ("1 + 1", " near '1 + 1' at line 1"),
        ("SELECT 1 +", " near '+' at line 1"),
        ("SELECT (1", " near '1' at line 1"),
        ("SELECT 'abc", ": Error tokenizing 'SELECT 'ab'"),
        ("INSERT INTO", " near 'INTO' at line 1"),
        ("SELECT a FROM t\nWHERE b = %s AND c = %s", " near 'AND c = %s' at line 2"),
    ],
)
def test_what_is_no_sql_is_refused_with_the_place(sql, where):
    with pytest.raises(DatabaseError) as caught:
        parse(sql)
    assert caught.value.errno == 1064
    assert caught.value.message == f"You have an error in your SQL syntax{where}"


def test_what_the_parser_prints_is_printed_without_a_warning_of_its_library(caplog):
    (node,) = parse("SELECT SUM(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING EXCLUDE TIES) FROM t")
    assert "SUM(a)" in node.sql("mysql")
    assert not caplog.records


def test_what_the_parser_does_not_know_is_refused_without_a_warning_of_its_library(caplog):
    parse("LOCK TABLES t WRITE")
    assert not caplog.records


# --- the compiled sqlglot


def test_a_compiled_sqlglot_is_refused_by_the_name_of_the_package_that_has_to_go(monkeypatch):
    class Compiled:
        parse = dict.get  # as a method of the compiled parser, it is no function of Python's

    monkeypatch.setattr(parser, "MySQLParser", Compiled)
    with pytest.raises(RuntimeError, match=r"compiled sqlglot .* pip uninstall sqlglotc$"):
        parse("SELECT 1")


@pytest.mark.parametrize(
    ("sql", "word", "purpose"),
    [
        ("UPDATE t USE INDEX (a) SET a = 1", "USE", None),
        ("UPDATE t AS x USE INDEX FOR ORDER BY (a) SET a = 1 ORDER BY a LIMIT 1", "USE", "ORDER BY"),
        ("UPDATE t FORCE KEY FOR JOIN (a) SET a = 1", "FORCE", "JOIN"),
    ],
)
def test_an_update_may_have_index_hints(sql, word, purpose):
    (node,) = parse(sql)
    (hint,) = node.find_all(exp.IndexTableHint)
    assert (hint.this, hint.args.get("target")) == (word, purpose)


@pytest.mark.parametrize(
    "sql", ["UPDATE t SET a := 1, b = (@v := 2)", "INSERT INTO t SET a := 1, b = (@v := 2)", "REPLACE t SET a := 1"]
)
def test_a_column_may_be_assigned_with_a_colon(sql):
    (node,) = parse(sql)
    assert ":= 1" not in node.sql("mysql")
    assert len(list(node.find_all(exp.PropertyEQ))) == sql.count("@v")
