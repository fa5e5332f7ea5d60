"""How texts and bytes are stored, searched for and shown."""

import pytest

from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import BadValueError, Binary, Text

NAME, CODE = Text(20, 5), Text(20, 5, trimmed=True)
LATIN = Text(20, 5, collation_named("latin1"))
LONG = Text(30, 65_535, long=True)
BYTES, FIXED = Binary(4, 4), Binary(4, 4, fixed=True)


@pytest.mark.parametrize(
    ("column", "value", "errno", "warns", "kept"),
    [
        (NAME, "abcdef", 1406, 1265, "abcde"),
        (BYTES, b"abcde", 1406, 1265, b"abcd"),
        (LATIN, "日", 1366, 1366, "?"),
    ],
)
def test_a_text_that_does_not_fit_is_an_error_or_its_beginning_with_a_warning(column, value, errno, warns, kept):
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    assert (caught.value.errno, caught.value.warning("t", "c", 1)[0], caught.value.kept) == (errno, warns, kept)


def test_the_bytes_of_a_character_that_a_character_set_has_not_are_named():
    with pytest.raises(BadValueError) as caught:
        LATIN.store("a日本語")
    expected = r"Incorrect string value: '\xE6\x97\xA5\xE6\x9C\xAC...' for column 'c' at row 2"
    assert caught.value.message("t", "c", 2) == expected


def test_spaces_beyond_the_length_are_cut_off_with_a_note_and_from_a_char_without():
    with pytest.raises(BadValueError) as caught:
        NAME.store("abcde  ")
    assert (caught.value.harmless, caught.value.kept) == (True, "abcde")
    assert CODE.store("abcde  ") == "abcde"


def test_a_binary_is_filled_up_with_zero_bytes_also_to_be_searched_for():
    assert FIXED.store("ab") == b"ab\0\0"
    assert FIXED.sought("ab", "=") == b"ab\0\0"
    assert BYTES.store("ab") == BYTES.sought("ab", "=") == b"ab"
    assert BYTES.sought("abcde", "=") is None


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        (NAME, "ab", "'ab'"),
        (NAME, "a'b", "'a''b'"),
        (CODE, "ab", "'ab   '"),
        (CODE, "éé", "'éé '"),
        (LONG, "tex", "0x746578"),
        (BYTES, b"ab", "0x6162"),
        (FIXED, b"ab\0\0", "0x61620000"),
    ],
)
def test_data_locks_shows_a_text_in_quotes_and_bytes_in_digits(column, value, shown):
    assert column.shown(value) == shown


@pytest.mark.parametrize(
    ("column", "value", "length", "prefix"), [(NAME, "abcde", 3, "abc"), (BYTES, b"abcd", 2, b"ab")]
)
def test_an_index_of_a_prefix_has_the_beginning_of_a_value_and_of_its_sort_key(column, value, length, prefix):
    assert column.prefix(value, length) == prefix
    assert column.prefix_order(column.order(value), length) == column.order(prefix)


@pytest.mark.parametrize(("column", "size"), [(NAME, 22), (CODE, 20), (LATIN, 7), (BYTES, 6), (FIXED, 4)])
def test_a_key_has_the_most_bytes_of_the_characters_and_two_for_a_length(column, size):
    assert column.key_size == size
