"""Dates and times as MySQL reads them from texts and numbers (manual, "Date and Time Literals")."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

__all__ = ["DATE", "ZERO", "OutOfCalendarError", "as_duration", "as_moment", "digits", "parsed_moment"]

DATE = "date"
"""What `as_duration` says follows a TIME that was taken from a date."""

ZERO = datetime.min  # noqa: DTZ901 - a column has no time zone
"""What stands for ``0000-00-00``, which Python does not have."""

_MOMENT = re.compile(
    r"""\s*
    (?: (?P<year>\d{1,4}) (?P<mark>[^\w\s]+) (?P<month>\d{1,2}) [^\w\s]+ (?P<day>\d{1,2}) (?!\d)
      | (?P<digits>\d{14}|\d{12}|\d{8}|\d{6}) (?!\d) )
    (?: (?:T|\s+|[^\w\s.+-]) (?P<hour>\d{1,2})
        (?: [^\w\s.]+ (?P<minute>\d{1,2}) (?: [^\w\s.]+ (?P<second>\d{1,2}) )? )? )?
    (?: \. (?P<fraction>\d*) )?
    (?P<zone> [+-]\d\d:\d\d )?
    (?P<rest> .* )""",
    re.VERBOSE | re.DOTALL,
)
_TIME = re.compile(
    r"""\s* (?P<sign>[+-]?)
    (?: (?: (?P<days>\d+) \s+ )? (?P<hours>\d+) (?: : (?P<minutes>\d+) (?: : (?P<seconds>\d+) )? )? )
    (?: \. (?P<fraction>\d*) )?
    (?P<rest> .* )""",
    re.VERBOSE | re.DOTALL,
)
_CENTURY, _TURN = 100, 70  # years of two digits from 70 on are in the last century
_LONGEST = timedelta(hours=838, minutes=59, seconds=59)


class OutOfCalendarError(ValueError):
    """A text has the form of a time, but there is no such time."""


def parsed_moment(text: str) -> tuple[datetime, str, str]:
    """A text as a time, in UTC; what follows it in the text; and the mark between year and month, if there is one.

    Raises:
        ValueError: it does not begin with a date.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    if digits := found["digits"]:
        long = len(digits) in (8, 14)
        year, digits = int(digits[: 4 if long else 2]), digits[4 if long else 2 :]
        month, day, *clock = (int(digits[at : at + 2]) for at in range(0, len(digits), 2))
        short = not long
    else:
        year, month, day, clock = int(found["year"]), int(found["month"]), int(found["day"]), []
        short = len(found["year"]) <= 2
    if short:
        year += 1900 if year >= _TURN else 2000
    hour, minute, second = clock or [int(found[each] or 0) for each in ("hour", "minute", "second")]
    if not (month or day) and (year == 0 or (short and year == 2000)):
        return ZERO, found["rest"].strip(), found["mark"] or ""
    if month > 12 or day > 31 or hour > 23 or minute > 59 or second > 59:
        raise ValueError(text)
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        raise OutOfCalendarError(text) from None
    moment += timedelta(microseconds=_micro(found["fraction"]))
    if zone := found["zone"]:
        hours, minutes = int(zone[1:3]), int(zone[4:])
        sign = -1 if zone[0] == "-" else 1
        moment -= sign * timedelta(hours=hours, minutes=minutes)
    return moment, found["rest"].strip(), found["mark"] or ""


def _micro(fraction: str | None) -> int:
    """A fraction of a second in microseconds, rounded."""
    digits = (fraction or "").ljust(7, "0")
    return int(digits[:6]) + (digits[6] >= "5")


def as_moment(value: str | float | Decimal) -> datetime:
    """A text or a number as a time, in UTC. Raises `ValueError`."""
    if not isinstance(value, str):
        value = digits(value)
    moment, rest, _ = parsed_moment(value)
    if rest:
        raise ValueError(value)
    return moment


def digits(number: float | Decimal) -> str:
    """A number of the form YYMMDD, YYYYMMDD or with HHMMSS behind it, as digits."""
    whole = int(number)
    if whole == 0:
        return "00000000"
    for length, least in ((6, 101), (8, 10_000_101), (12, 101_000_000), (14, 10_000_101_000_000)):
        if least <= whole < 10**length:
            return str(whole).zfill(length)
    raise ValueError(str(number))


def as_duration(value: str | float | date | timedelta) -> tuple[timedelta, str]:
    """A text or a number as a TIME, and what follows it in the text.

    Raises:
        ValueError: it does not begin with a time.
        OverflowError: it is longer than 838:59:59.
    """
    if isinstance(value, timedelta):
        return value, ""
    if isinstance(value, datetime):
        return value - value.replace(hour=0, minute=0, second=0, microsecond=0), DATE
    if isinstance(value, date):
        return timedelta(), DATE
    text = value if isinstance(value, str) else str(value)
    if re.match(r"\s*\d+[^\d:.\s]+\d+[^\d:.\s]+\d+", text):
        return as_duration(as_moment(text))
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hours, minutes, seconds = (int(found[each] or 0) for each in ("hours", "minutes", "seconds"))
    if found["minutes"] is None and found["days"] is None:  # HHMMSS
        hours, minutes, seconds = hours // 10_000, hours // 100 % 100, hours % 100
    if minutes > 59 or seconds > 59:
        raise OutOfCalendarError(text)
    length = timedelta(int(found["days"] or 0), seconds, _micro(found["fraction"]), 0, minutes, hours)
    if length > _LONGEST:
        raise OverflowError(text)
    return -length if found["sign"] == "-" else length, found["rest"].strip()
