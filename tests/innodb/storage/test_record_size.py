"""The bytes that a record takes: header, bits for NULL, lengths, values."""

from decimal import Decimal

import pytest

from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import Binary, Decimals, Integer, Text
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.record_size import record_size

INT = Integer(4, 0, 1 << 31)
LATIN = collation_named("latin1")


def size(*columns, row, clustered=True, place=None):
    """The bytes of a row of columns, each given as a type and whether it may be NULL."""
    declared = [Column(f"c{at}", kind, nullable=nullable) for at, (kind, nullable) in enumerate(columns)]
    place = tuple(range(len(columns))) if place is None else place
    return record_size(IndexDefinition("k", (0,), unique=True, clustered=clustered, place=place), declared)(row)


ROW, ENTRY = 5 + 6 + 7, 5
"""A row has the number of its transaction and a pointer to its undo record."""


def test_a_row_of_fixed_columns_has_one_size():
    assert size((INT, False), (Integer(8, 0, 9), False), row=(1, 2)) == ROW + 4 + 8
    assert size((INT, False), (Decimals(6, 12, 2), False), row=(1, Decimal("1.50"))) == ROW + 4 + 6


def test_an_entry_has_only_its_columns():
    assert size((INT, False), (INT, False), (INT, False), row=(1, 2), clustered=False, place=(2, 0)) == ENTRY + 8


def test_null_takes_a_bit_and_no_value():
    assert size((INT, False), (INT, True), row=(1, 2)) == ROW + 1 + 8
    assert size((INT, False), (INT, True), row=(1, None)) == ROW + 1 + 4
    assert size((INT, False), *[(INT, True)] * 9, row=(1, *[None] * 9)) == ROW + 2 + 4


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Text(30, 50), "", 1),
        (Text(30, 50), "x" * 50, 1 + 50),
        (Text(30, 50), "ä" * 50, 1 + 100),
        (Text(30, 300), "x" * 127, 1 + 127),
        (Text(30, 300), "x" * 128, 2 + 128),
        (Text(30, 10, trimmed=True), "x", 1 + 10),
        (Text(30, 10, LATIN, trimmed=True), "x", 10),
        (Text(30, 255, LATIN), "x" * 200, 1 + 200),
        (Text(30, 65_535, long=True), "x" * 20, 1 + 20),
        (Text(30, 255, long=True), "x" * 200, 2 + 200),
        (Binary(30, 16, fixed=True), bytes(16), 16),
        (Binary(30, 16), b"x", 1 + 1),
    ],
    ids=str,
)
def test_a_value_of_varying_length_has_its_length_with_it(kind, value, expected):
    assert size((kind, False), row=(value,)) == ROW + expected


def test_long_values_of_a_row_of_half_a_page_are_kept_elsewhere():
    text = (Text(30, 65_535, long=True), False)
    assert size((INT, False), text, row=(1, "x" * 8000)) == ROW + 4 + 2 + 8000
    assert size((INT, False), text, row=(1, "x" * 9000)) == ROW + 4 + 2 + 20
    assert size((INT, False), text, text, row=(1, "x" * 9000, "x" * 7000)) == ROW + 4 + 2 + 20 + 2 + 7000


def test_a_virtual_column_is_not_stored_with_a_row_but_in_an_index():
    columns = [Column("id", INT, nullable=False), Column("v", INT, nullable=True, virtual=True)]
    row = IndexDefinition("PRIMARY", (0,), unique=True, clustered=True, place=(0,))
    entry = IndexDefinition("k", (1,), unique=False, clustered=False, place=(1, 0))
    assert record_size(row, columns)((1, 2)) == ROW + 4
    assert record_size(entry, columns)((2, 1)) == ENTRY + 1 + 8
