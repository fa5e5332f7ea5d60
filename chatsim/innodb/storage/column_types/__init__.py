"""Column types: how values are stored, compared, ordered and shown (MySQL manual, "Data Types").

`base` says what a column type is; the other modules have a family of types each.
"""

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError, place
from chatsim.innodb.storage.column_types.members import Enumeration
from chatsim.innodb.storage.column_types.moments import Moment
from chatsim.innodb.storage.column_types.numbers import Decimals, Doubles, Integer
from chatsim.innodb.storage.column_types.texts import Binary, Text

__all__ = [
    "BadValueError",
    "Binary",
    "ColumnType",
    "Decimals",
    "Doubles",
    "Enumeration",
    "Integer",
    "Moment",
    "Text",
    "UnusableError",
    "place",
]
