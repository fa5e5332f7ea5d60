"""JSON: what is a document, and how the server prints one."""

import pytest

from chatsim.innodb.storage.column_types import BadValueError, Json, UnusableError
from chatsim.innodb.storage.values import Document

JSON = Json(30)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ('{"b": 1, "aa": [1,2.50,"x"], "a": null}', '{"a": null, "b": 1, "aa": [1, 2.5, "x"]}'),
        ("[]", "[]"),
        ('"é\\n"', '"é\\n"'),
        ("true", "true"),
        (" 5 ", "5"),
    ],
)
def test_a_document_is_kept_as_the_server_prints_it(text, stored):
    found = JSON.store(text)
    assert (found, type(found)) == (stored, Document)
    assert JSON.store(found) == stored


@pytest.mark.parametrize(
    ("value", "why", "at"),
    [
        ("{a", "Missing a name for object member.", 1),
        ("", "The document is empty.", 0),
        ("[1,2", "Missing a comma or ']' after an array element.", 4),
        ('{"a":1', "Missing a comma or '}' after an object member.", 6),
        ('{"a" 1}', "Missing a colon after a name of object member.", 5),
        ("1 2", "The document root must not be followed by other values.", 2),
        ("x", "Invalid value.", 0),
        ("NaN", "Invalid value.", 0),
        (5, "not a JSON text, may need CAST", 0),
    ],
)
def test_what_is_no_document_is_refused_also_with_ignore(value, why, at):
    with pytest.raises(BadValueError) as caught:
        JSON.store(value)
    assert (caught.value.errno, caught.value.hopeless) == (3140, True)
    expected = f"Invalid JSON text: \"{why}\" at position {at} in value for column 't.j'."
    assert caught.value.message("t", "j", 1) == expected


def test_no_index_is_searched_for_a_document():
    with pytest.raises(UnusableError):
        JSON.sought("{}", "=")
