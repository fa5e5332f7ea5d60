"""Data definition: making tables from their declarations (manual, "Data Definition Statements")."""

from chatsim.innodb.sql.ddl.alter import Alteration, alter_table
from chatsim.innodb.sql.ddl.deprecations import deprecations
from chatsim.innodb.sql.ddl.from_query import insert_of_query, with_columns_of_query
from chatsim.innodb.sql.ddl.tables import Change, create_table, drop_tables, rename_tables, truncate

__all__ = [
    "Alteration",
    "Change",
    "alter_table",
    "create_table",
    "deprecations",
    "drop_tables",
    "insert_of_query",
    "rename_tables",
    "truncate",
    "with_columns_of_query",
]
