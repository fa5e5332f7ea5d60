"""Adding to dates: INTERVAL, DATE_ADD, TIMESTAMPDIFF and their kin (manual, "Temporal Intervals")."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from sqlglot import exp

from chatsim.innodb.sql.expressions.date_functions import PARTS, at_midnight
from chatsim.innodb.sql.expressions.environment import Env, Function, unsupported
from chatsim.innodb.sql.expressions.native import moment
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.moments import as_duration
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["moved", "moving", "time_between"]

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_LENGTHS = {
    "MICROSECOND": timedelta(microseconds=1),
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
    "WEEK": timedelta(weeks=1),
}
_ORDER = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "MICROSECOND")
_DAYS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "YEAR_MONTH"}


def moved(start: exp.Expr, interval: exp.Interval, scope: Scope, sign: int = 1) -> Function:
    """The function of a date to which an interval is added, or from which it is taken."""
    if not isinstance(interval.args.get("unit"), exp.Var):
        raise unsupported(interval)
    return moving(start, interval.this, interval.args["unit"].name.upper(), scope, sign)


def moving(start: exp.Expr, count: exp.Expr, unit: str, scope: Scope, sign: int = 1) -> Function:
    """The function of a date that is moved by a number of units."""
    inner, amount = scope.compile(start), scope.compile(count)
    if unit not in _LENGTHS and unit not in _MONTHS and not set(unit.split("_")) <= set(_ORDER):
        raise unsupported(f"INTERVAL … {unit}")

    def value(env: Env) -> Value:
        given, size = inner(env), amount(env)
        if given is None or size is None:
            return None
        months, length = _size(size, unit)
        if isinstance(given, timedelta) and not months:
            return given + sign * length
        begin = moment(env, given)
        if begin is None:
            return None
        try:
            end = _with_months(begin, sign * months)
            found: date = end + sign * length if unit in _DAYS else at_midnight(end) + sign * length
        except (OverflowError, ValueError):
            env.session.note(1441, "Datetime function: datetime field overflow")
            return None
        return as_text(found) if isinstance(given, str) else found

    return value


def _size(amount: Value, unit: str) -> tuple[int, timedelta]:
    """An amount of a unit, in months and in time."""
    if unit in _MONTHS:
        return _whole(amount) * _MONTHS[unit], timedelta()
    if unit == "SECOND":
        exact = Decimal(str(as_number(amount)))
        return 0, timedelta(microseconds=int((exact * 10**6).to_integral_value(ROUND_HALF_UP)))
    if unit in _LENGTHS:
        return 0, _whole(amount) * _LENGTHS[unit]
    first, _, last = unit.partition("_")
    units = _ORDER[_ORDER.index(first) : _ORDER.index(last) + 1]
    text = as_text(amount).strip()
    numbers = [int(each) for each in re.findall(r"\d+", text)][-len(units) :]
    sign = -1 if text.startswith("-") else 1
    sizes = dict(zip(units[-len(numbers) :], numbers, strict=False))
    months = sizes.pop("YEAR", 0) * 12 + sizes.pop("MONTH", 0)
    return sign * months, sign * sum((count * _LENGTHS[each] for each, count in sizes.items()), timedelta())


def _whole(amount: Value) -> int:
    return int(Decimal(str(as_number(amount))).to_integral_value(ROUND_HALF_UP))


def _with_months(begin: date, months: int) -> date:
    if not months:
        return begin
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(year)
    return begin.replace(year=year, month=month + 1, day=min(begin.day, calendar.monthrange(year, month + 1)[1]))


def time_between(unit: str, start: exp.Expr, end: exp.Expr, scope: Scope) -> Function:
    """The function of TIMESTAMPDIFF: how many whole units lie between two times."""
    first, second = scope.compile(start), scope.compile(end)
    if unit not in _LENGTHS and unit not in _MONTHS:
        raise unsupported(f"TIMESTAMPDIFF of {unit}")

    def value(env: Env) -> Value:
        given = first(env), second(env)
        if None in given:
            return None
        begin, until = (moment(env, each) for each in given)
        if begin is None or until is None:
            return None
        low, high = sorted((at_midnight(begin), at_midnight(until)))
        sign = 1 if low == at_midnight(begin) else -1
        if unit in _LENGTHS:
            return sign * ((high - low) // _LENGTHS[unit])
        months = (high.year - low.year) * 12 + high.month - low.month
        if (high.day, high.time()) < (low.day, low.time()):
            months -= 1
        return sign * (months // _MONTHS[unit])

    return value


@compiled.register
def _interval(node: exp.Interval, scope: Scope) -> Function:
    """The function INTERVAL(), which only looks like an interval."""
    if not isinstance(node.this, exp.Tuple):
        raise unsupported(node)
    return scope.compile(exp.Anonymous(this="INTERVAL", expressions=node.this.expressions))


@compiled.register
def _extract(node: exp.Extract, scope: Scope) -> Function:
    inner, unit = scope.compile(node.expression), node.name.upper()
    if unit not in PARTS:
        raise unsupported(node)
    part = PARTS[unit]

    def value(env: Env) -> Value:
        given = inner(env)
        if given is None:
            return None
        if isinstance(given, timedelta) or (isinstance(given, str) and "-" not in given[1:]):
            length = as_duration(given)[0]
            sign = -1 if length < timedelta() else 1
            return sign * part(datetime(1, 1, 1) + abs(length))  # noqa: DTZ001
        found = moment(env, given)
        return None if found is None else part(at_midnight(found))

    return value
