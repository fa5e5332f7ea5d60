"""Functions of dates and times: manual, "Date and Time Functions"."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.environment import Env
from chatsim.innodb.sql.expressions.native import bad_moment, native
from chatsim.innodb.storage.moments import as_duration
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["PARTS", "at_midnight"]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a column has no time zone
_YEAR_ZERO = 365  # days of the year 0, which Python's calendar does not have


def at_midnight(value: date) -> datetime:
    """A date as the moment at which it begins; a moment itself."""
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001


def _clock(value: date) -> timedelta:
    return at_midnight(value) - at_midnight(value).replace(hour=0, minute=0, second=0, microsecond=0)


# -- now


def _checked(env: Env, digits: int, name: str) -> datetime:
    """The moment with some digits of a second. Raises a `DatabaseError` (1426)."""
    if not 0 <= digits <= 6:
        raise database_error(1426, f"Too-big precision {digits} specified for '{name}'. Maximum is 6.")
    return env.session.now(digits)


@native("NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "SYSDATE", signature="|i", result="moment")
@native("UTC_TIMESTAMP", signature="|i", result="moment")
def _now(env: Env, digits: int = 0) -> Value:
    return _checked(env, digits, "now")


@native("CURDATE", "CURRENT_DATE", "UTC_DATE", signature="", result="moment")
def _curdate(env: Env) -> Value:
    return env.session.now().date()


@native("CURTIME", "CURRENT_TIME", "UTC_TIME", signature="|i", result="moment")
def _curtime(env: Env, digits: int = 0) -> Value:
    return _clock(_checked(env, digits, "curtime"))


@native("UNIX_TIMESTAMP", signature="|m", result="integer")
def _unix_timestamp(env: Env, moment: date | None = None) -> Value:
    seconds = (at_midnight(env.session.now() if moment is None else moment) - _EPOCH) // timedelta(microseconds=1)
    if seconds < 0:
        return 0
    whole, micro = divmod(seconds, 10**6)
    return whole if not micro else (Decimal(seconds) / 10**6).normalize()


@native("FROM_UNIXTIME", signature="n|t", result="moment")
def _from_unixtime(env: Env, seconds: float | Decimal, form: str | None = None) -> Value:
    if not 0 <= seconds < 32_536_771_200:
        return None
    exact = Decimal(str(seconds)).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    moment = _EPOCH + timedelta(microseconds=int(exact * 10**6))
    return moment if form is None else _date_format(env, moment, form)


# -- parts

PARTS: Mapping[str, Callable[[datetime], int]] = {
    "YEAR": lambda moment: moment.year,
    "QUARTER": lambda moment: (moment.month + 2) // 3,
    "MONTH": lambda moment: moment.month,
    "DAY": lambda moment: moment.day,
    "HOUR": lambda moment: moment.hour,
    "MINUTE": lambda moment: moment.minute,
    "SECOND": lambda moment: moment.second,
    "MICROSECOND": lambda moment: moment.microsecond,
    "WEEK": lambda moment: _week(moment, 0)[1],
    "YEAR_MONTH": lambda moment: moment.year * 100 + moment.month,
    "DAY_HOUR": lambda moment: moment.day * 100 + moment.hour,
    "DAY_MINUTE": lambda moment: (moment.day * 100 + moment.hour) * 100 + moment.minute,
    "DAY_SECOND": lambda moment: int(f"{moment:%d%H%M%S}"),
    "HOUR_MINUTE": lambda moment: moment.hour * 100 + moment.minute,
    "HOUR_SECOND": lambda moment: int(f"{moment:%H%M%S}"),
    "MINUTE_SECOND": lambda moment: moment.minute * 100 + moment.second,
}
"""The parts of a time, by the units of EXTRACT."""

_OF_DATE: Mapping[str, Callable[[datetime], int]] = {
    "YEAR": PARTS["YEAR"],
    "QUARTER": PARTS["QUARTER"],
    "MONTH": PARTS["MONTH"],
    "DAY": PARTS["DAY"],
    "DAYOFMONTH": PARTS["DAY"],
    "DAYOFWEEK": lambda moment: moment.isoweekday() % 7 + 1,
    "WEEKDAY": lambda moment: moment.weekday(),
    "DAYOFYEAR": lambda moment: moment.timetuple().tm_yday,
    "WEEKOFYEAR": lambda moment: moment.isocalendar().week,
    "TO_DAYS": lambda moment: moment.toordinal() + _YEAR_ZERO,
    "TO_SECONDS": lambda moment: (moment.toordinal() + _YEAR_ZERO) * 86400 + _clock(moment) // timedelta(seconds=1),
}


def _part(name: str, function: Callable[[datetime], int]) -> None:
    native(name, signature="m", result="integer")(lambda _, moment: function(at_midnight(moment)))


for _name, _function in _OF_DATE.items():
    _part(_name, _function)


def _of_time(name: str, part: Callable[[timedelta], int]) -> None:
    def value(_: Env, given: Value) -> Value:
        length = _length(given)
        return None if length is None else part(abs(length))

    native(name, signature="v", result="integer")(value)


for _name, _parted in {
    "HOUR": lambda length: length // timedelta(hours=1),
    "MINUTE": lambda length: length // timedelta(minutes=1) % 60,
    "SECOND": lambda length: length // timedelta(seconds=1) % 60,
    "MICROSECOND": lambda length: length // timedelta(microseconds=1) % 10**6,
    "TIME_TO_SEC": lambda length: length // timedelta(seconds=1),
}.items():
    _of_time(_name, _parted)


def _length(value: Value) -> timedelta | None:
    try:
        return as_duration(value if isinstance(value, date | timedelta) else as_text(value))[0]
    except (ValueError, OverflowError):
        return None


@native("DATE", signature="m", result="moment")
def _date(_: Env, moment: date) -> Value:
    return moment.date() if isinstance(moment, datetime) else moment


@native("TIME", signature="v", result="moment")
def _time(_: Env, value: Value) -> Value:
    return _length(value)


@native("TIMESTAMP", signature="m|v", result="moment")
def _timestamp(_: Env, moment: date, plus: Value = 0) -> Value:
    length = _length(plus)
    return None if length is None else at_midnight(moment) + length


@native("LAST_DAY", signature="m", result="moment")
def _last_day(_: Env, moment: date) -> Value:
    return date(moment.year, moment.month, calendar.monthrange(moment.year, moment.month)[1])


@native("DAYNAME", signature="m", result="text")
def _dayname(_: Env, moment: date) -> Value:
    return f"{moment:%A}"


@native("MONTHNAME", signature="m", result="text")
def _monthname(_: Env, moment: date) -> Value:
    return f"{moment:%B}"


def _week(moment: date, mode: int) -> tuple[int, int]:
    """The year and the number of a date's week, in one of the eight modes of WEEK()."""
    monday, from_one, first_has_day = bool(mode & 1), bool(mode & 2), bool(mode & 4)
    if not monday:
        first_has_day = not first_has_day  # in the modes that begin with Sunday, the bit means the opposite
    iso = not first_has_day if not monday else not (mode & 4)
    year = moment.year

    def start(of: int) -> date:
        first = date(of, 1, 1)
        offset = first.weekday() if monday else (first.weekday() + 1) % 7
        begin = first - timedelta(days=offset)
        return begin if offset == 0 or (iso and offset <= 3) else begin + timedelta(days=7)

    day = date(moment.year, moment.month, moment.day)
    if day < start(year):
        if not from_one:
            return year, 0
        year -= 1
    elif from_one and day >= start(year + 1):
        year += 1
    return year, (day - start(year)).days // 7 + 1


@native("WEEK", signature="m|i", result="integer")
def _week_of(_: Env, moment: date, mode: int = 0) -> Value:
    return _week(moment, mode)[1]


@native("YEARWEEK", signature="m|i", result="integer")
def _yearweek(_: Env, moment: date, mode: int = 0) -> Value:
    year, week = _week(moment, mode | 2)
    return year * 100 + week


# -- between two


@native("DATEDIFF", signature="mm", result="integer")
def _datediff(_: Env, one: date, other: date) -> Value:
    return one.toordinal() - other.toordinal()


@native("TIMEDIFF", signature="vv", result="moment")
def _timediff(_: Env, one: Value, other: Value) -> Value:
    if isinstance(one, date) and isinstance(other, date):
        return at_midnight(one) - at_midnight(other)
    left, right = _length(one), _length(other)
    return None if left is None or right is None else left - right


@native("ADDTIME", signature="vv", result="moment")
def _addtime(env: Env, value: Value, plus: Value) -> Value:
    return _later(env, value, plus, 1)


@native("SUBTIME", signature="vv", result="moment")
def _subtime(env: Env, value: Value, minus: Value) -> Value:
    return _later(env, value, minus, -1)


def _later(env: Env, value: Value, plus: Value, sign: int) -> Value:
    length = _length(plus)
    if length is None:
        return None
    if isinstance(value, date):
        return at_midnight(value) + sign * length
    text = as_text(value)
    if "-" not in text.lstrip()[1:]:
        found = _length(value)
        moved: Value = None if found is None else found + sign * length
    else:
        try:
            moved = datetime.fromisoformat(text) + sign * length
        except ValueError:
            bad_moment(env, value)
            return None
    return as_text(moved) if isinstance(value, str) and moved is not None else moved


@native("MAKEDATE", signature="ii", result="moment")
def _makedate(_: Env, year: int, day: int) -> Value:
    return date(year, 1, 1) + timedelta(days=day - 1) if day > 0 else None


@native("MAKETIME", signature="iii", result="moment")
def _maketime(_: Env, hour: int, minute: int, second: int) -> Value:
    return timedelta(hours=hour, minutes=minute, seconds=second) if minute < 60 and second < 60 else None


@native("SEC_TO_TIME", signature="i", result="moment")
def _sec_to_time(_: Env, seconds: int) -> Value:
    return timedelta(seconds=seconds)


@native("FROM_DAYS", signature="i", result="moment")
def _from_days(_: Env, days: int) -> Value:
    return date.fromordinal(days - _YEAR_ZERO) if days > _YEAR_ZERO else None


@native("PERIOD_ADD", signature="ii", result="integer")
def _period_add(_: Env, period: int, months: int) -> Value:
    count = period // 100 * 12 + period % 100 - 1 + months
    return count // 12 * 100 + count % 12 + 1


@native("PERIOD_DIFF", signature="ii", result="integer")
def _period_diff(_: Env, one: int, other: int) -> Value:
    return (one // 100 - other // 100) * 12 + one % 100 - other % 100


@native("CONVERT_TZ", signature="mtt", result="moment")
def _convert_tz(_: Env, moment: date, of: str, to: str) -> Value:
    found = [_offset(each) for each in (of, to)]
    return None if None in found else at_midnight(moment) - (found[0] or timedelta()) + (found[1] or timedelta())


def _offset(zone: str) -> timedelta | None:
    if zone.upper() in ("SYSTEM", "UTC"):
        return timedelta()
    try:
        found = datetime.strptime(zone.replace(":", "").zfill(5), "%z").utcoffset()
    except ValueError:
        return None
    return found


# -- formats


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


_FORMATS: Mapping[str, Callable[[datetime], str]] = {
    "a": lambda moment: f"{moment:%a}",
    "b": lambda moment: f"{moment:%b}",
    "c": lambda moment: str(moment.month),
    "D": lambda moment: f"{moment.day}{_ordinal(moment.day)}",
    "d": lambda moment: f"{moment:%d}",
    "e": lambda moment: str(moment.day),
    "f": lambda moment: f"{moment.microsecond:06}",
    "H": lambda moment: f"{moment:%H}",
    "h": lambda moment: f"{moment:%I}",
    "I": lambda moment: f"{moment:%I}",
    "i": lambda moment: f"{moment:%M}",
    "j": lambda moment: f"{moment:%j}",
    "k": lambda moment: str(moment.hour),
    "l": lambda moment: str((moment.hour - 1) % 12 + 1),
    "M": lambda moment: f"{moment:%B}",
    "m": lambda moment: f"{moment:%m}",
    "p": lambda moment: f"{moment:%p}",
    "r": lambda moment: f"{moment:%I:%M:%S %p}",
    "S": lambda moment: f"{moment:%S}",
    "s": lambda moment: f"{moment:%S}",
    "T": lambda moment: f"{moment:%H:%M:%S}",
    "U": lambda moment: f"{_week(moment, 0)[1]:02}",
    "u": lambda moment: f"{_week(moment, 1)[1]:02}",
    "V": lambda moment: f"{_week(moment, 2)[1]:02}",
    "v": lambda moment: f"{_week(moment, 3)[1]:02}",
    "W": lambda moment: f"{moment:%A}",
    "w": lambda moment: str(moment.isoweekday() % 7),
    "X": lambda moment: f"{_week(moment, 2)[0]:04}",
    "x": lambda moment: f"{_week(moment, 3)[0]:04}",
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment:%y}",
}


@native("DATE_FORMAT", "TIME_FORMAT", signature="mt", result="text")
def _date_format(_: Env, moment: date, form: str) -> Value:
    at, shown = iter(form), ""
    for each in at:
        letter = next(at, "") if each == "%" else ""
        shown += (_FORMATS[letter](at_midnight(moment)) if letter in _FORMATS else letter) if each == "%" else each
    return shown


_READ = {"i": "%M", "s": "%S", "S": "%S", "T": "%H:%M:%S", "M": "%B", "W": "%A", "r": "%I:%M:%S %p", "h": "%I"}
_READ |= {"c": "%m", "e": "%d", "k": "%H", "l": "%I"}


@native("STR_TO_DATE", signature="tt", result="moment")
def _str_to_date(env: Env, text: str, form: str) -> Value:
    at, read, clock = iter(form), "", False
    for each in at:
        letter = next(at, "") if each == "%" else ""
        clock = clock or (letter in "HhIikflrSsTp" and letter != "")
        read += (_READ.get(letter) or f"%{letter}") if each == "%" else each
    try:
        found = datetime.strptime(text, read).replace(tzinfo=UTC)
    except ValueError:
        env.session.note(1411, f"Incorrect datetime value: '{text}' for function str_to_date")
        return None
    return found.replace(tzinfo=None) if clock else found.date()
