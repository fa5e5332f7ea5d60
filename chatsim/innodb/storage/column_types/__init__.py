"""Column types: how values are stored, compared, ordered and shown (MySQL manual, "Data Types").

`base` says what a column type is; the other modules have a family of types each.
"""

from chatsim.innodb.storage.column_types.arrays import TypedArray
from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError, place
from chatsim.innodb.storage.column_types.documents import Json
from chatsim.innodb.storage.column_types.members import Enumeration, MemberSet
from chatsim.innodb.storage.column_types.moments import Moment, TimeOfDay
from chatsim.innodb.storage.column_types.numbers import Bits, Decimals, Doubles, Integer, Year
from chatsim.innodb.storage.column_types.texts import Binary, Text

__all__ = [
    "BadValueError",
    "Binary",
    "Bits",
    "ColumnType",
    "Decimals",
    "Doubles",
    "Enumeration",
    "Integer",
    "Json",
    "MemberSet",
    "Moment",
    "Text",
    "TimeOfDay",
    "TypedArray",
    "UnusableError",
    "Year",
    "place",
]
