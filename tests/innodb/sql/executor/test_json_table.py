"""JSON_TABLE: which rows it makes of a document, and what it says of a value that is missing or does not fit."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run


def rows(call):
    async def selected():
        (answer,) = await EngineSession(Engine(lambda: 0.0)).run(f"SELECT * FROM {call} AS j")
        return answer.rows

    return run(selected())


def test_each_part_at_the_path_is_a_row_with_its_number():
    found = rows("""JSON_TABLE('[{"a": 1}, {}]', '$[*]' COLUMNS (n FOR ORDINALITY, a INT PATH '$.a'))""")
    assert found == [(1, 1), (2, None)]


def test_paths_within_give_the_rows_of_one_after_the_other():
    columns = "NESTED PATH '$.a[*]' COLUMNS (a INT PATH '$'), NESTED PATH '$.b[*]' COLUMNS (b INT PATH '$')"
    assert rows(f"""JSON_TABLE('{{"a": [1, 2], "b": [3]}}', '$' COLUMNS ({columns}))""") == [
        (1, None),
        (2, None),
        (None, 3),
    ]


def test_a_value_that_is_missing_or_does_not_fit_is_null_a_default_or_an_error():
    table = """JSON_TABLE('["x"]', '$[*]' COLUMNS (v INT PATH '{path}' {otherwise}))"""
    assert rows(table.format(path="$", otherwise="")) == [(None,)]
    assert rows(table.format(path="$", otherwise="DEFAULT '7' ON ERROR")) == [(7,)]
    assert rows(table.format(path="$.b", otherwise="DEFAULT '8' ON EMPTY NULL ON ERROR")) == [(8,)]
    with pytest.raises(DatabaseError, match="Missing value"):
        rows(table.format(path="$.b", otherwise="ERROR ON EMPTY"))
    with pytest.raises(DatabaseError, match="Invalid JSON value"):
        rows(table.format(path="$", otherwise="ERROR ON ERROR"))


def test_without_a_document_there_is_no_row():
    assert rows("JSON_TABLE(NULL, '$[*]' COLUMNS (v INT PATH '$'))") == []


def test_what_is_no_type_of_a_column_is_refused():
    with pytest.raises(NotImplementedError, match="BLOB"):
        rows("JSON_TABLE('[1]', '$[*]' COLUMNS (v BLOB PATH '$'))")
