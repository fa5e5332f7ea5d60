"""AUTO_INCREMENT values: manual, "AUTO_INCREMENT Handling in InnoDB"."""

from __future__ import annotations

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.tables import Table

__all__ = ["AutoIncrement"]


class AutoIncrement:
    """The AUTO_INCREMENT values of one statement.

    Args:
        table: the table.
        expected: how many rows the statement inserts; 0 if that is not known (a bulk insert).
        ahead: values are reserved for all rows at once, and those that are left over are lost; else (the traditional
            mode) one value is taken for each row, when it has been inserted.
    """

    def __init__(self, table: Table, expected: int, *, ahead: bool = True) -> None:
        self._table = table
        self._ahead = ahead
        self._expected = expected
        self._start = 0
        self._next = 0
        self._before = 0  # the next value, as it was before a row brought one of its own
        self._end = 0
        self._reservations = 0
        self._left = 0  # how many rows are still to come, as far as is known

    def take(self) -> int:
        """The next value."""
        if self._next >= self._end:
            if not self._left:
                self._left = self._expected if self._reservations == 0 and self._expected else 1 << self._reservations
            self._start = self._next = max(self._table.next_number, 1)
            self._end = self._next + (self._left if self._ahead else 1)
            if self._ahead:
                self._table.next_number = self._end
            self._reservations += 1
        self._next += 1
        return self._next - 1

    def tried(self, number: int, *, used: bool) -> None:
        """The insertion of a row has ended; if the row was not inserted, the next row gets its value."""
        self._left = max(self._left - 1, 0)
        if not used:
            self._next = number or self._before

    def changed(self, generated: int, number: int) -> None:
        """ON DUPLICATE KEY UPDATE has set the column of the duplicate to a number; the new row had a generated value.

        Raises:
            DatabaseError: it is a value that another row of the statement has, or may get (1869).
        """
        if number == generated:
            self._next = generated + 1
        elif self._start <= number < self._end:
            raise database_error(1869, "Auto-increment value in UPDATE conflicts with internally generated values")

    def passed(self, number: int) -> None:
        """A row brought a number of its own; rows after it in this statement get greater ones."""
        self._before = self._next
        if self._end and number >= self._next:
            self._next = number + 1
