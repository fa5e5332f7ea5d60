"""The tables of a client's local database. A database of an earlier version gets the columns that it lacks."""

from __future__ import annotations

from chatsim.chat.client import local_files
from chatsim.chat.ports import LocalStore

__all__ = ["make_tables"]

TABLES = (
    "CREATE TABLE IF NOT EXISTS owner (uid INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0)",
    """CREATE TABLE IF NOT EXISTS friend (
        uid INTEGER PRIMARY KEY, name TEXT NOT NULL, nick TEXT NOT NULL, back TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS thread (
        thread_id INTEGER PRIMARY KEY, type TEXT NOT NULL, user1_id INTEGER NOT NULL, user2_id INTEGER NOT NULL,
        last_seq INTEGER NOT NULL, read1 INTEGER NOT NULL, read2 INTEGER NOT NULL,
        reported INTEGER NOT NULL, version INTEGER NOT NULL,
        floor INTEGER NOT NULL DEFAULT 1, cursor INTEGER NOT NULL DEFAULT 0,
        start INTEGER NOT NULL DEFAULT 4611686018427387904,
        name TEXT NOT NULL DEFAULT '', role INTEGER NOT NULL DEFAULT 0, first INTEGER NOT NULL DEFAULT 1,
        roster INTEGER NOT NULL DEFAULT 0, muted_until TEXT NOT NULL DEFAULT '',
        listed INTEGER NOT NULL DEFAULT -1,
        last_revision INTEGER NOT NULL DEFAULT 0, revision INTEGER NOT NULL DEFAULT 0, noted INTEGER NOT NULL DEFAULT 0,
        delivered1 INTEGER NOT NULL DEFAULT 0, delivered2 INTEGER NOT NULL DEFAULT 0,
        delivery_reported INTEGER NOT NULL DEFAULT 0,
        counted_from INTEGER NOT NULL DEFAULT 0, counted_to INTEGER NOT NULL DEFAULT 0,
        counted INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS member (
        thread_id INTEGER NOT NULL, uid INTEGER NOT NULL, nick TEXT NOT NULL, role INTEGER NOT NULL,
        muted_until TEXT NOT NULL, PRIMARY KEY (thread_id, uid)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS message (
        thread_id INTEGER NOT NULL, seq INTEGER NOT NULL, message_id INTEGER NOT NULL UNIQUE, sender INTEGER NOT NULL,
        unique_id TEXT NOT NULL, msg_type INTEGER NOT NULL, content TEXT NOT NULL, status INTEGER NOT NULL,
        chat_time TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (thread_id, seq)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS outbox (
        n INTEGER PRIMARY KEY AUTOINCREMENT, unique_id TEXT NOT NULL UNIQUE, thread_id INTEGER NOT NULL,
        receiver INTEGER NOT NULL, content TEXT NOT NULL, deadline REAL NOT NULL, state TEXT NOT NULL)""",
    *local_files.TABLES,
)
"""The statements that make the tables, if they are not there."""

ADDED = {
    ("thread", "name"): "TEXT NOT NULL DEFAULT ''",
    ("thread", "role"): "INTEGER NOT NULL DEFAULT 0",
    ("thread", "first"): "INTEGER NOT NULL DEFAULT 1",
    ("thread", "roster"): "INTEGER NOT NULL DEFAULT 0",
    ("thread", "muted_until"): "TEXT NOT NULL DEFAULT ''",
    ("thread", "listed"): "INTEGER NOT NULL DEFAULT -1",
    ("message", "revision"): "INTEGER NOT NULL DEFAULT 0",
} | {
    ("thread", column): "INTEGER NOT NULL DEFAULT 0"
    for column in (
        *("last_revision", "revision", "noted", "delivered1", "delivered2", "delivery_reported"),
        *("counted_from", "counted_to", "counted"),
    )
}
"""The columns that a database of an earlier version may lack: tables, names and definitions."""

_INDEXES = (
    """CREATE INDEX IF NOT EXISTS undelivered ON thread (thread_id)
        WHERE cursor > delivery_reported AND cursor > reported""",
    "CREATE INDEX IF NOT EXISTS changed ON message (thread_id, revision) WHERE revision > 0",
)

_COLUMNS = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"


async def make_tables(store: LocalStore) -> None:
    """Make the tables and columns that are not there. Raises `LocalStoreError`."""
    *_, found = await store.transaction([*((statement, ()) for statement in TABLES), (_COLUMNS, ())])
    there = {(str(table), str(column)) for table, column in found.rows}
    missing = [
        (f"ALTER TABLE {table} ADD COLUMN {column} {definition}", ())
        for (table, column), definition in ADDED.items()
        if (table, column) not in there
    ]
    await store.transaction([*missing, *((statement, ()) for statement in _INDEXES)])
