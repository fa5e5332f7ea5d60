"""How texts and numbers are read as dates and times."""

from datetime import datetime, timedelta

import pytest

from chatsim.innodb.storage.moments import ZERO, OutOfCalendarError, as_duration, as_moment, digits, parsed_moment

moment = datetime.fromisoformat


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-01-02", "2024-01-02"),
        ("69-1-2", "2069-01-02"),
        ("70-1-2", "1970-01-02"),
        ("240102", "2024-01-02"),
        ("20240102030405", "2024-01-02 03:04:05"),
        ("2024-01-02 03:04:05.5", "2024-01-02 03:04:05.500000"),
        ("2024-01-02T03:04:05-01:30", "2024-01-02 04:34:05"),
        (" 2024-01-02 ", "2024-01-02"),
    ],
)
def test_a_text_is_read_as_a_time(text, found):
    assert as_moment(text) == moment(found)


def test_what_follows_a_time_and_the_mark_in_it_are_told():
    assert parsed_moment("2024/01/02 3 o'clock") == (moment("2024-01-02 03:00:00"), "o'clock", "/")
    assert parsed_moment("0000-00-00")[0] is ZERO


@pytest.mark.parametrize("text", ["", "x", "2024-13-01", "2024-01-32", "2024-01-02 24:00", "2024-01-02x"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=text or "^$") as caught:
        as_moment(text)
    assert not isinstance(caught.value, OutOfCalendarError)


@pytest.mark.parametrize("text", ["2024-02-30", "2024-00-01", "2023-02-29"])
def test_a_day_that_there_is_not_is_told_apart(text):
    with pytest.raises(OutOfCalendarError):
        as_moment(text)


@pytest.mark.parametrize(
    ("number", "found"), [(0, "00000000"), (101, "000101"), (20240102, "20240102"), (240102030405, "240102030405")]
)
def test_a_number_has_as_many_digits_as_its_form(number, found):
    assert digits(number) == found


@pytest.mark.parametrize("number", [1, 99999999999999999])
def test_a_number_of_no_form_is_refused(number):
    with pytest.raises(ValueError, match=str(number)):
        digits(number)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10:11:12", (timedelta(hours=10, minutes=11, seconds=12), "")),
        ("101112", (timedelta(hours=10, minutes=11, seconds=12), "")),
        ("5", (timedelta(seconds=5), "")),
        ("2 01:00", (timedelta(days=2, hours=1), "")),
        ("-00:00:01.5", (-timedelta(seconds=1.5), "")),
        ("2024-01-02 03:04:05", (timedelta(hours=3, minutes=4, seconds=5), "date")),
        ("10:11x", (timedelta(hours=10, minutes=11), "x")),
    ],
)
def test_a_text_is_read_as_a_length_of_time(text, found):
    assert as_duration(text) == found


def test_a_length_of_time_has_its_limits():
    with pytest.raises(OverflowError):
        as_duration("839:00:00")
    with pytest.raises(OutOfCalendarError):
        as_duration("10:60:00")
    with pytest.raises(ValueError, match="soon"):
        as_duration("soon")
