"""Data definition: making tables from their declarations (manual, "Data Definition Statements")."""

from chatsim.innodb.sql.ddl.tables import Change, add_columns, create_index, create_table, drop_tables, truncate

__all__ = ["Change", "add_columns", "create_index", "create_table", "drop_tables", "truncate"]
