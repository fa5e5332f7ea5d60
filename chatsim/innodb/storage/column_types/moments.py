"""Dates and times: manual, "Date and Time Data Types"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType
from chatsim.innodb.storage.values import Value, as_moment, as_text

__all__ = ["Moment"]


@dataclass(frozen=True)
class Moment(ColumnType):
    """DATE, DATETIME and TIMESTAMP, in UTC.

    Attributes:
        digits: the digits of the fraction of a second; None for a DATE.
    """

    digits: int | None

    def store(self, value: Value) -> Value:
        """The time, rounded."""
        moment = value
        if not isinstance(moment, date):
            try:
                moment = as_moment(as_text(value))
            except ValueError:
                kind = "date" if self.digits is None else "datetime"
                reason = f"Incorrect {kind} value: '{as_text(value)}' for column '{{column}}' at row {{row}}"
                raise BadValueError(1292, reason, self.zero) from None
        if self.digits is None:
            return moment.date() if isinstance(moment, datetime) else moment
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - a column has no time zone
        unit = 10 ** (6 - self.digits)
        micro = round(moment.microsecond / unit) * unit
        return moment.replace(microsecond=0) + timedelta(microseconds=micro)

    @property
    def zero(self) -> Value:
        """The beginning of the epoch, since Python does not have MySQL's ``0000-00-00``."""
        return date(1970, 1, 1) if self.digits is None else datetime(1970, 1, 1)  # noqa: DTZ001
