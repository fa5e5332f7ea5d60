"""The grammar of definitions: what each clause of CREATE TABLE and ALTER TABLE becomes."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.parser import parse


def declared(sql):
    """What a CREATE TABLE has declared."""
    (node,) = parse(sql)
    return node.args["declared"]


def column(text):
    """The one column of a table."""
    return declared(f"CREATE TABLE t ({text})").items[0]


def item(text):
    """The item behind a column."""
    return declared(f"CREATE TABLE t (a INT, {text})").items[1]


def action(text):
    """The one action of an ALTER TABLE."""
    (node,) = parse(f"ALTER TABLE t {text}")
    (found,) = node.args["actions"]
    return found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("bigint(20) unsigned zerofill", syntax.TypeSyntax("BIGINT", (20,), unsigned=True, zerofill=True)),
        ("double precision", syntax.TypeSyntax("DOUBLE")),
        ("float(7,3) unsigned", syntax.TypeSyntax("FLOAT", (7, 3), unsigned=True)),
        ("numeric(5)", syntax.TypeSyntax("DECIMAL", (5,))),
        ("character varying(5)", syntax.TypeSyntax("VARCHAR", (5,))),
        ("long varchar", syntax.TypeSyntax("MEDIUMTEXT")),
        ("char(5) character set latin1", syntax.TypeSyntax("CHAR", (5,), charset="latin1")),
        ("varchar(5) charset utf8mb4 binary", syntax.TypeSyntax("VARCHAR", (5,), charset="utf8mb4", binary=True)),
        ("set('a,b','c')", syntax.TypeSyntax("SET", members=("a,b", "c"))),
        ("enum('it''s')", syntax.TypeSyntax("ENUM", members=("it's",))),
        ("boolean", syntax.TypeSyntax("BOOL")),
    ],
)
def test_a_type_has_its_name_its_numbers_and_its_attributes(text, kind):
    assert column(f"a {text}").type == kind


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("NOT NULL", {"nullable": False}),
        ("NULL", {"nullable": True}),
        ("AUTO_INCREMENT PRIMARY KEY", {"auto_increment": True, "key": "PRIMARY"}),
        ("KEY", {"key": "PRIMARY"}),
        ("UNIQUE KEY COMMENT 'x'", {"key": "UNIQUE", "comment": "x"}),
        ("INVISIBLE", {"visible": False}),
        ("COLUMN_FORMAT FIXED STORAGE DISK NOT NULL", {"nullable": False}),
        ("SERIAL DEFAULT VALUE", {"nullable": False, "auto_increment": True, "key": "UNIQUE"}),
        ("AS (1) STORED NOT NULL", {"stored": True, "nullable": False}),
    ],
)
def test_an_attribute_says_something_about_its_column(text, wanted):
    found = column(f"a INT {text}")
    assert {name: getattr(found, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("DEFAULT '5'", "'5'"),
        ("DEFAULT -5", "-5"),
        ("DEFAULT b'101'", "b'101'"),
        ("DEFAULT (UUID())", "(UUID())"),
        ("DEFAULT NULL", "NULL"),
        ("DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)", "CURRENT_TIMESTAMP(3)"),
    ],
)
def test_a_default_is_an_expression(text, shown):
    assert column(f"a DATETIME(3) {text}").default.sql("mysql") == shown


def test_serial_is_a_number_with_a_unique_key():
    found = column("id SERIAL")
    assert (found.type, found.key) == (syntax.TypeSyntax("BIGINT", unsigned=True), "UNIQUE")
    assert (found.nullable, found.auto_increment) == (False, True)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("PRIMARY KEY (a ASC)", syntax.KeySyntax("PRIMARY", "PRIMARY", (syntax.KeyPart("a"),))),
        ("KEY k (a(5) DESC)", syntax.KeySyntax("INDEX", "k", (syntax.KeyPart("a", 5, descending=True),))),
        (
            "INDEX k USING BTREE (a) INVISIBLE",
            syntax.KeySyntax("INDEX", "k", (syntax.KeyPart("a"),), visible=False, using="BTREE"),
        ),
        (
            "KEY (a) USING BTREE COMMENT 'x' KEY_BLOCK_SIZE=8",
            syntax.KeySyntax("INDEX", "", (syntax.KeyPart("a"),), comment="x", using="BTREE"),
        ),
        ("UNIQUE INDEX (a)", syntax.KeySyntax("UNIQUE", "", (syntax.KeyPart("a"),))),
        ("CONSTRAINT u UNIQUE (a)", syntax.KeySyntax("UNIQUE", "u", (syntax.KeyPart("a"),))),
        ("FULLTEXT KEY f (a) WITH PARSER ngram", syntax.KeySyntax("FULLTEXT", "f", (syntax.KeyPart("a"),))),
        ("KEY `key` (`index`)", syntax.KeySyntax("INDEX", "key", (syntax.KeyPart("index"),))),
    ],
)
def test_a_key_has_a_name_and_parts(text, key):
    assert item(text) == key


def test_a_part_of_a_key_may_be_an_expression():
    (part,) = item("KEY k ((LOWER(a)))").parts
    assert part.expression.sql("mysql") == "LOWER(a)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FOREIGN KEY (a) REFERENCES u (b)", ("", ("a",), "u", ("b",), "NO ACTION", "NO ACTION")),
        (
            "CONSTRAINT f FOREIGN KEY i (a, b) REFERENCES u (c, d) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE",
            ("f", ("a", "b"), "u", ("c", "d"), "SET NULL", "CASCADE"),
        ),
    ],
)
def test_a_foreign_key_has_columns_a_parent_and_rules(text, wanted):
    found = item(text)
    assert (found.name, found.columns, found.table, found.parent_columns, found.on_delete, found.on_update) == wanted


def test_a_check_may_be_named_and_not_enforced():
    found = item("CONSTRAINT c CHECK (a > 1) NOT ENFORCED")
    assert (found.name, found.condition.sql("mysql"), found.enforced) == ("c", "a > 1", False)
    (check,) = column("a INT CHECK (a > 2)").items
    assert (check.name, check.enforced) == ("", True)


def test_reserved_words_in_backticks_are_names():
    names = [each.name for each in declared("CREATE TABLE `table` (`key` INT, `check` INT, `primary` INT)").items]
    assert names == ["key", "check", "primary"]


def test_table_options_are_kept_by_their_names():
    sql = "CREATE TABLE t (a INT) ENGINE=InnoDB, AUTO_INCREMENT 5 DEFAULT CHARACTER SET = utf8mb4 COMMENT='x; y'"
    assert declared(sql).options == {"ENGINE": "InnoDB", "AUTO_INCREMENT": "5", "CHARSET": "utf8mb4", "COMMENT": "x; y"}


def test_partitions_have_bounds_or_values():
    found = declared(
        "CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB,"
        " PARTITION p1 VALUES LESS THAN MAXVALUE)"
    ).partitioning
    assert [(each.name, each.less_than[0] and each.less_than[0].name) for each in found.partitions] == [
        ("p0", "10"),
        ("p1", None),
    ]
    found = declared("CREATE TABLE t (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN (1, NULL))").partitioning
    assert [len(each) for each in found.partitions[0].values] == [1, 1]
    found = declared("CREATE TABLE t (a INT) PARTITION BY KEY ALGORITHM=2 (a) PARTITIONS 4").partitioning
    assert (found.kind, found.columns, found.count, found.algorithm) == ("KEY", ("a",), 4, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DROP COLUMN a", syntax.DropColumn("a")),
        ("DROP a", syntax.DropColumn("a")),
        ("DROP PRIMARY KEY", syntax.DropItem("PRIMARY")),
        ("DROP KEY k", syntax.DropItem("INDEX", "k")),
        ("DROP FOREIGN KEY f", syntax.DropItem("FOREIGN", "f")),
        ("DROP CHECK c", syntax.DropItem("CHECK", "c")),
        ("RENAME COLUMN a TO b", syntax.RenameColumn("a", "b")),
        ("RENAME INDEX a TO b", syntax.RenameIndex("a", "b")),
        ("RENAME TO u", syntax.RenameTable("u")),
        ("RENAME AS u", syntax.RenameTable("u")),
        ("ALTER COLUMN a DROP DEFAULT", syntax.SetDefault("a", None)),
        ("ALTER INDEX k INVISIBLE", syntax.SetVisible("INDEX", "k", visible=False)),
        ("ALTER COLUMN a SET VISIBLE", syntax.SetVisible("COLUMN", "a", visible=True)),
        ("DISABLE KEYS", syntax.SwitchKeys()),
        ("ADD a INT FIRST", syntax.AddColumn(syntax.ColumnSyntax("a", syntax.TypeSyntax("INT")), "")),
        ("ADD COLUMN a INT AFTER b", syntax.AddColumn(syntax.ColumnSyntax("a", syntax.TypeSyntax("INT")), "b")),
        ("MODIFY a INT", syntax.ChangeColumn("a", syntax.ColumnSyntax("a", syntax.TypeSyntax("INT")))),
        ("CHANGE a b INT", syntax.ChangeColumn("a", syntax.ColumnSyntax("b", syntax.TypeSyntax("INT")))),
        ("ADD KEY (a)", syntax.AddItem(syntax.KeySyntax("INDEX", "", (syntax.KeyPart("a"),)))),
    ],
)
def test_an_action_of_alter_table_says_what_to_do(text, found):
    assert action(text) == found


def test_alter_table_takes_several_actions_and_options():
    (node,) = parse("ALTER TABLE t ADD (a INT, KEY (a)), DROP b, AUTO_INCREMENT=7, ALGORITHM=INPLACE, LOCK=NONE")
    assert [type(each) for each in node.args["actions"]] == [syntax.AddColumn, syntax.AddItem, syntax.DropColumn]
    assert node.args["options"] == {"AUTO_INCREMENT": "7", "ALGORITHM": "INPLACE", "LOCK": "NONE"}


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a INT NONSENSE)",
        "CREATE TABLE t (KEY)",
        "CREATE TABLE t (a INT, CONSTRAINT c)",
        "CREATE TABLE t (a INT, FOREIGN KEY (a))",
        "CREATE TABLE t (a INT, KEY k USING NOTHING (a))",
        "CREATE TABLE t (a INT DEFAULT)",
        "CREATE TABLE 't' (a INT)",
        "CREATE TABLE t (a INT) PARTITION BY CHANCE (a)",
        "ALTER TABLE t ADD a INT,",
        "DROP INDEX i",
        "RENAME TABLE a b",
    ],
)
def test_what_is_no_definition_is_refused_with_its_text(sql):
    with pytest.raises(NotImplementedError) as caught:
        parse(sql)
    assert str(caught.value) == f"the model's SQL has no {sql.split()[0]}: {sql}"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("CREATE TABLE s.t (a INT)", "schemas"),
        ("CREATE TABLE t (a NATIONAL CHAR(3))", "NATIONAL"),
        ("CREATE TABLE t (a INT) PARTITION BY LINEAR RANGE (a) (PARTITION x VALUES LESS THAN (2))", "CREATE"),
        ("CREATE TABLE t (a INT) PARTITION BY HASH (a) SUBPARTITION BY KEY (a)", "SUBPARTITION"),
        ("ALTER TABLE t ADD PARTITION PARTITIONS 2", "ADD PARTITION"),
        ("ALTER TABLE t COALESCE PARTITION 2", "COALESCE"),
        ("ALTER TABLE t ALTER CHECK c NOT ENFORCED", "ALTER CHECK"),
        ("ALTER TABLE t DISCARD TABLESPACE", "DISCARD"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(sql, named):
    with pytest.raises((NotImplementedError, DatabaseError), match=named):
        parse(sql)
