"""How numbers are stored, searched for and shown: DECIMAL, FLOAT, DOUBLE, YEAR, BIT."""

from decimal import Decimal

import pytest

from chatsim.innodb.storage.column_types import BadValueError, Bits, Decimals, Doubles, Integer, Year
from chatsim.innodb.storage.values import BytesLiteral

TINY = Integer(1, -128, 127)
MONEY, UNSIGNED = Decimals(4, 5, 2), Decimals(4, 5, 2, signed=False)
FLOAT, DOUBLE, FIXED = Doubles(4), Doubles(8), Doubles(4, (5, 2))
YEAR, BITS = Year(1), Bits(1, 3)


def refusal(column, value):
    """The error of a value, its warning in a mode that is not strict, and what is stored then."""
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    error = caught.value
    return error.errno, error.warning("t", "c", 1)[0], error.kept


@pytest.mark.parametrize(
    ("column", "value", "errno", "warns", "kept"),
    [
        (TINY, "12abc", 1265, 1265, 12),
        (TINY, "abc", 1366, 1366, 0),
        (MONEY, "1.5x", 1366, 1265, Decimal("1.50")),
        (MONEY, "abc", 1366, 1366, Decimal("0.00")),
        (UNSIGNED, -1, 1264, 1264, Decimal("0.00")),
        (FLOAT, "1x", 1366, 1366, 1.0),
        (FLOAT, 1e40, 1264, 1264, 3.4028234663852886e38),
        (FIXED, 1000, 1264, 1264, FIXED.store(999.99)),
        (YEAR, 1800, 1264, 1264, 0),
        (YEAR, "12x", 1265, 1265, 2012),
        (YEAR, "x", 1366, 1366, 0),
        (BITS, 8, 1406, 1406, b"\7"),
        (BITS, "a", 1406, 1406, b"\7"),
    ],
)
def test_a_number_that_does_not_fit_is_an_error_or_the_nearest_one_with_a_warning(column, value, errno, warns, kept):
    assert refusal(column, value) == (errno, warns, kept)


def test_a_decimal_that_is_rounded_is_stored_with_a_note():
    with pytest.raises(BadValueError) as caught:
        MONEY.store("1.005")
    assert (caught.value.errno, caught.value.harmless, caught.value.kept) == (1265, True, Decimal("1.01"))


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (FIXED, 1.239, FLOAT.store(1.24)),
        (YEAR, 24, 2024),
        (YEAR, "70", 1970),
        (YEAR, 0, 0),
        (YEAR, "0", 2000),
        (BITS, 5, b"\5"),
        (BITS, BytesLiteral(b"\5"), b"\5"),
        (Bits(2, 12), 300, b"\1\x2c"),
        (TINY, BytesLiteral(b"A"), 65),
    ],
)
def test_a_number_is_stored_as_its_type_has_it(column, value, stored):
    assert column.store(value) == stored


def test_a_float_has_the_digits_of_four_bytes_and_shows_six():
    stored = FLOAT.store(0.1)
    assert stored != 0.1
    assert str(stored) == "0.1"
    assert str(FLOAT.store(123456789)) == "1.23457e+08"
    assert FLOAT.sought(0.1, "=") == stored


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        (MONEY, Decimal("12.50"), "0x800C32"),
        (Decimals(8, 10, 2), Decimal("12.50"), "0x8000000C32"),
        (MONEY, Decimal("-12.34"), "0x7FF3DD"),
        (Decimals(11, 20, 7), Decimal("-1234567890123.4567000"), "0x7B2DDE26AF34FFBA5027"),
        (DOUBLE, 1.5, "0x000000000000F83F"),
        (FLOAT, 1.5, "0x0000C03F"),
        (YEAR, 2024, "124"),
        (YEAR, 0, "0"),
        (BITS, b"\5", "0x05"),
        (TINY, -7, "-7"),
    ],
)
def test_data_locks_shows_the_bytes_of_a_number_or_an_integer(column, value, shown):
    assert column.shown(value) == shown


@pytest.mark.parametrize(
    ("column", "value", "operator", "key"),
    [
        (MONEY, Decimal("1.105"), "=", None),
        (MONEY, Decimal("1.105"), ">", Decimal("1.105")),
        (MONEY, "1.10", "=", Decimal("1.10")),
        (YEAR, 3, "=", 2003),
        (BITS, 2, "=", b"\2"),
        (BITS, 9, "=", None),
    ],
)
def test_an_index_of_numbers_is_searched_for_what_can_be_in_it(column, value, operator, key):
    assert column.sought(value, operator) == key


def test_bits_are_a_number_to_a_number():
    assert BITS.numbered
    assert BITS.number(b"\5") == 5


@pytest.mark.parametrize(
    ("column", "size"), [(MONEY, 3), (Decimals(1, 10, 0), 5), (FLOAT, 4), (YEAR, 1), (Bits(2, 12), 2)]
)
def test_a_key_has_the_bytes_of_the_type(column, size):
    assert column.key_size == size
