"""How dates and times are stored and shown."""

from datetime import date, datetime, timedelta

import pytest

from chatsim.innodb.storage.column_types import BadValueError, Moment, TimeOfDay

DAY, SECOND, MICRO, STAMP = Moment(3, None), Moment(5, 0), Moment(5, 6), Moment(4, 2)
TIME, MILLI = TimeOfDay(3, 0), TimeOfDay(3, 3)
moment = datetime.fromisoformat


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (DAY, "2024-1-2", date(2024, 1, 2)),
        (DAY, "24-1-2", date(2024, 1, 2)),
        (DAY, 20240102, date(2024, 1, 2)),
        (SECOND, "2024-01-02T03:04:05.678", moment("2024-01-02 03:04:06")),
        (SECOND, "2024-01-02 03:04", moment("2024-01-02 03:04:00")),
        (SECOND, "2024-01-02 03:04:05+02:00", moment("2024-01-02 01:04:05")),
        (SECOND, 20240102030405, moment("2024-01-02 03:04:05")),
        (MICRO, "2024-01-02 03:04:05.1234567", moment("2024-01-02 03:04:05.123457")),
        (TIME, "10:11", timedelta(hours=10, minutes=11)),
        (TIME, 1112, timedelta(minutes=11, seconds=12)),
        (TIME, "1 10:11:12", timedelta(days=1, hours=10, minutes=11, seconds=12)),
        (TIME, "-10:11:12.6", -timedelta(hours=10, minutes=11, seconds=13)),
    ],
)
def test_a_time_is_read_as_the_server_reads_it(column, value, stored):
    assert column.store(value) == stored


@pytest.mark.parametrize(
    ("column", "value", "warns", "kept"),
    [
        (DAY, "x", 1265, "0000-00-00"),
        (DAY, "2024-02-30", 1264, "0000-00-00"),
        (DAY, "0000-00-00", 1264, "0000-00-00"),
        (DAY, "2024-01-02x", 1265, date(2024, 1, 2)),
        (DAY, 1, 1265, "0000-00-00"),
        (SECOND, "2024-01-02 25:00:00", 1265, "0000-00-00 00:00:00"),
        (STAMP, "2039-01-01", 1264, "0000-00-00 00:00:00"),
        (STAMP, "1970-01-01 00:00:00", 1264, "0000-00-00 00:00:00"),
        (TIME, "839:00:00", 1264, timedelta(hours=838, minutes=59, seconds=59)),
        (TIME, "10:61:00", 1264, timedelta()),
        (TIME, "x", 1265, timedelta()),
    ],
)
def test_what_is_no_time_is_an_error_or_the_nearest_one_with_a_warning(column, value, warns, kept):
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    assert (caught.value.errno, caught.value.harmless) == (1292, False)
    assert caught.value.warning("t", "c", 1)[0] == warns
    assert caught.value.kept == kept


@pytest.mark.parametrize(
    ("column", "value", "errno"),
    [(DAY, "2024-01-02 03:04:05", 1292), (DAY, "2024/01/02", 4095), (TIME, "2024-01-02 03:04:05", 1292)],
)
def test_a_part_that_is_left_out_or_another_mark_is_a_note(column, value, errno):
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    assert (caught.value.errno, caught.value.harmless) == (errno, True)


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        (DAY, date(2024, 1, 2), "1036322"),
        (SECOND, moment("2024-01-02 03:04:05"), "0x99B2443105"),
        (MICRO, moment("2024-01-02 03:04:05.123456"), "0x99B244310501E240"),
        (STAMP, moment("2024-01-02 03:04:05.67"), "0x65937D2543"),
        (TIME, timedelta(hours=10, minutes=11, seconds=12), "0x80A2CC"),
        (MILLI, -timedelta(hours=10, minutes=11, seconds=12, milliseconds=345), "0x7F5D33F286"),
        (DAY, "0000-00-00", "0"),
    ],
)
def test_data_locks_shows_a_time_as_it_is_packed(column, value, shown):
    assert column.shown(value) == shown


def test_the_zero_date_is_before_all_others():
    assert DAY.order("0000-00-00") < DAY.order(date(1000, 1, 1))
    assert SECOND.order(SECOND.zero) < SECOND.order(moment("1000-01-01"))
