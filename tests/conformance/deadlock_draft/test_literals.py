"""Dumped fields as literals, by the types of their columns."""

import pytest

from chatsim.conformance.deadlock_draft.literals import literal, unread
from chatsim.conformance.deadlock_draft.tables import made


def kind_of(declared):
    return made([f"CREATE TABLE t (id INT PRIMARY KEY, c {declared})"])["t"].columns[1].type


def read(declared, dumped):
    stored = bytes.fromhex(dumped)
    return literal(kind_of(declared), (len(stored), stored))


@pytest.mark.parametrize(
    ("kind", "dumped", "expected"),
    [
        ("INT", "80000014", "20"),
        ("INT", "7ffffffc", "-4"),
        ("INT", "8014", None),
        ("INT UNSIGNED", "ffffffff", "4294967295"),
        ("TINYINT", "81", "1"),
        ("BIGINT UNSIGNED", "13a5f0c2d1e00001", "1415802377413328897"),
        ("VARCHAR(9)", "69742773", "'it''s'"),
        ("VARCHAR(9)", "5c", r"'\\'"),
        ("VARCHAR(9)", "c3a9", "'é'"),
        ("VARCHAR(9) CHARACTER SET latin1", "e9", "'é'"),
        ("VARCHAR(9)", "ff", None),
        ("CHAR(4)", "61622020", "'ab'"),
        ("VARBINARY(9)", "00ff", "X'00ff'"),
    ],
)
def test_numbers_and_texts(kind, dumped, expected):
    assert read(kind, dumped) == expected


@pytest.mark.parametrize(
    ("kind", "dumped", "expected"),
    [
        ("DECIMAL(5,2)", "800100", "1.00"),
        ("DECIMAL(14,4)", "810dfb38d204d2", "1234567890.1234"),  # the example of decimal.cc
        ("DECIMAL(14,4)", "7ef204c72dfb2d", "-1234567890.1234"),
        ("DECIMAL(9,0)", "80000007", "7"),
        ("DECIMAL(2,2)", "85", "0.05"),
        ("DECIMAL(5,2)", "8001", None),
        ("DECIMAL(5,2)", "80010000", None),
    ],
)
def test_decimals(kind, dumped, expected):
    assert read(kind, dumped) == expected


@pytest.mark.parametrize(
    ("kind", "dumped", "expected"),
    [
        ("FLOAT", "0000c03f", "1.5"),
        ("DOUBLE", "9a9999999999b93f", "0.1"),
        ("DOUBLE", "000000000000f07f", None),  # infinity, which no column has
        ("YEAR", "7e", "2026"),
        ("YEAR", "00", "0"),
        ("BIT(4)", "05", "b'0101'"),
        ("ENUM('small','it''s')", "02", "'it''s'"),
        ("ENUM('small','large')", "03", None),
        ("ENUM('small','large')", "00", None),
        ("SET('a','b','c')", "05", "'a,c'"),
        ("SET('a','b','c')", "00", "''"),
        ("SET('a','b','c')", "08", None),
    ],
)
def test_other_numbers_and_members(kind, dumped, expected):
    assert read(kind, dumped) == expected


@pytest.mark.parametrize(
    ("kind", "dumped", "expected"),
    [
        ("DATE", "8f9f62", "'1999-11-02'"),
        ("DATETIME(3)", "99b184ae2004ce", "'2023-11-02 10:56:32.123'"),
        ("DATETIME", "99b184ae20", "'2023-11-02 10:56:32'"),
        ("TIMESTAMP(6)", "65437f7001e240", "'2023-11-02 10:52:32.123456'"),
        ("TIMESTAMP", "65437f70", "'2023-11-02 10:52:32'"),
        ("TIME(2)", "80a2d10c", "'10:11:17.12'"),
        ("TIME(2)", "7ffffece", "'-00:00:01.50'"),
        ("TIME", "7f5d2f", "'-10:11:17'"),
        ("TIME", "b46efb", "'838:59:59'"),
        ("TIME", "80a2", None),
    ],
)
def test_times(kind, dumped, expected):
    assert read(kind, dumped) == expected


@pytest.mark.parametrize(
    ("dumped", "expected"),
    [
        ("0400", "'null'"),
        ("0401", "'true'"),
        ("0c0469742773", """'"it''s"'"""),
        ("05f6ff", "'-10'"),
        ("0b000000000000f83f", "'1.5'"),
        ("0000000400", "'{}'"),
        ("000200170012000100130002000501000c15006162630178", """'{"a": 1, "bc": "x"}'"""),
        ("0203000f000501000c0d000400000162", """'[1, "b", null]'"""),
        ("0203000f000501000c0d0004000001", None),
        ("0f00", None),
        ("0001000c", None),
    ],
)
def test_json(dumped, expected):
    assert read("JSON", dumped) == expected


def test_null_and_a_value_that_was_cut():
    kind = kind_of("VARCHAR(40)")
    assert literal(kind, None) == "NULL"
    assert literal(kind, (40, b"a" * 30)) is None


def test_why_a_value_is_not_read():
    assert unread(kind_of("VARCHAR(40)"), (40, b"a" * 30)) == "the report has 30 of its 40 bytes"
    assert unread(kind_of("ENUM('a')"), (1, b"\7")) == "its bytes are of no value of this type"
