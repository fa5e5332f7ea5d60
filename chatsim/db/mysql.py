"""MySQL's numbers for errors (Server Error Message Reference; 20xx: Client Error Message Reference)."""

from __future__ import annotations

from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    DuplicateKeyError,
    Kind,
    LockNotAvailableError,
    LockWaitTimeoutError,
    WrongStatementError,
)

__all__ = ["database_error", "kind_of"]

_BY_NUMBER: dict[int, type[DatabaseError]] = {
    1062: DuplicateKeyError,  # ER_DUP_ENTRY
    1205: LockWaitTimeoutError,  # ER_LOCK_WAIT_TIMEOUT
    1213: DeadlockError,  # ER_LOCK_DEADLOCK
    2003: ConnectionLostError,  # CR_CONN_HOST_ERROR
    2006: ConnectionLostError,  # CR_SERVER_GONE_ERROR
    2013: ConnectionLostError,  # CR_SERVER_LOST
    3572: LockNotAvailableError,  # ER_LOCK_NOWAIT
} | dict.fromkeys(
    (
        1046,  # ER_NO_DB_ERROR
        1049,  # ER_BAD_DB_ERROR
        1051,  # ER_BAD_TABLE_ERROR
        1052,  # ER_NON_UNIQ_ERROR
        1054,  # ER_BAD_FIELD_ERROR
        1058,  # ER_WRONG_VALUE_COUNT
        1064,  # ER_PARSE_ERROR
        1065,  # ER_EMPTY_QUERY
        1066,  # ER_NONUNIQ_TABLE
        1109,  # ER_UNKNOWN_TABLE
        1110,  # ER_FIELD_SPECIFIED_TWICE
        1111,  # ER_INVALID_GROUP_FUNC_USE
        1136,  # ER_WRONG_VALUE_COUNT_ON_ROW
        1140,  # ER_MIX_OF_GROUP_FUNC_AND_FIELDS
        1142,  # ER_TABLEACCESS_DENIED_ERROR
        1143,  # ER_COLUMNACCESS_DENIED_ERROR
        1146,  # ER_NO_SUCH_TABLE
        1149,  # ER_SYNTAX_ERROR
        1193,  # ER_UNKNOWN_SYSTEM_VARIABLE
        1221,  # ER_WRONG_USAGE
        1222,  # ER_WRONG_NUMBER_OF_COLUMNS_IN_SELECT
        1227,  # ER_SPECIFIC_ACCESS_DENIED_ERROR
        1231,  # ER_WRONG_VALUE_FOR_VAR
        1232,  # ER_WRONG_TYPE_FOR_VAR
        1235,  # ER_NOT_SUPPORTED_YET
        1241,  # ER_OPERAND_COLUMNS
        1248,  # ER_DERIVED_MUST_HAVE_ALIAS
        1305,  # ER_SP_DOES_NOT_EXIST
        1327,  # ER_SP_UNDECLARED_VAR
        1364,  # ER_NO_DEFAULT_FOR_FIELD
        1582,  # ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT
    ),
    WrongStatementError,
)


def database_error(errno: int, message: str) -> DatabaseError:
    """The error for one of MySQL's numbers, in the class of its kind."""
    return _BY_NUMBER.get(errno, DatabaseError)(errno, message)


def kind_of(errno: int | None) -> Kind:
    """The kind of one of MySQL's numbers; `Kind.OTHER` for a number that has none."""
    return DatabaseError.kind if errno is None else _BY_NUMBER.get(errno, DatabaseError).kind
