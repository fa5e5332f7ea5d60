"""Tables as a test names them: text, files, folders of migrations."""

from pathlib import Path

import pytest

from chatsim.pytest.tables import read_tables
from chatsim.worlds.world import BadParameterError


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder of files, each with its name as a comment and a statement."""

    def made(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.sql").write_text(text)
        return tmp_path

    return made


def statements(tables):
    return [each.sql for each in read_tables(tables)]


def test_a_text_has_statements():
    assert statements("CREATE TABLE t (a INT); INSERT INTO t VALUES (';')") == [
        "CREATE TABLE t (a INT)",
        "INSERT INTO t VALUES (';')",
    ]


def test_the_files_of_a_folder_come_in_the_order_of_their_names(folder):
    there = folder(V10__c="SELECT 10", V2__b="SELECT 2", V1__a="SELECT 1")
    assert statements(there) == statements(str(there)) == ["SELECT 1", "SELECT 2", "SELECT 10"]
    assert [Path(each.where).name for each in read_tables(there)] == ["V1__a.sql", "V2__b.sql", "V10__c.sql"]


def test_each_migration_may_have_a_folder_of_its_own(tmp_path):
    for name in ("10_c", "2_b", "1_a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "migration.sql").write_text(f"SELECT {name.partition('_')[0]}")
    assert statements(tmp_path) == ["SELECT 1", "SELECT 2", "SELECT 10"]


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path):
    (tmp_path / "1.sql").write_bytes(b"\xef\xbb\xbfSELECT 1")
    assert statements(tmp_path) == ["SELECT 1"]


def test_other_files_of_a_folder_are_not_read(folder):
    there = folder(a="SELECT 1")
    (there / "README.md").write_text("no SQL")
    assert statements(there) == ["SELECT 1"]


def test_the_way_back_is_left_out(folder):
    there = folder(
        **{"1.up": "SELECT 1", "1.down": "SELECT -1"},
        dbmate="-- migrate:up\nSELECT 2;\n-- migrate:down\nSELECT -2;",
        goose="-- +goose Up\nSELECT 3;\n-- +goose Down\nSELECT -3;",
    )
    assert statements(there) == ["SELECT 1", "SELECT 2", "SELECT 3"]


def test_several_come_one_after_the_other(folder):
    there = folder(a="SELECT 1")
    assert statements([there, "SELECT 2; SELECT 3", there / "a.sql"]) == [
        *("SELECT 1", "SELECT 2", "SELECT 3", "SELECT 1"),
    ]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ("migrations", "there is no file or folder 'migrations'"),
        (Path("no such"), "there is no file or folder 'no such'"),
        ("-- nothing\n", "tables has no statement"),
        (7, "tables is 7; it can be DDL text, a path, or several of these"),
        (["SELECT 1", None], "tables has None"),
    ],
)
def test_what_is_wrong_is_named(tables, says):
    with pytest.raises(BadParameterError, match=says):
        read_tables(tables)


def test_an_empty_folder_and_an_empty_file_are_named(tmp_path):
    with pytest.raises(BadParameterError, match=rf"the folder {tmp_path} has no file that ends in \.sql"):
        read_tables(tmp_path)
    (tmp_path / "1.sql").write_text("-- later")
    with pytest.raises(BadParameterError, match=r"1\.sql has no statement"):
        read_tables(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "1.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(BadParameterError, match=r"1\.sql can't be read"):
        read_tables(tmp_path)
