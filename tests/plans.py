"""What EXPLAIN says of statements about a few tables, in the model and on a server, as a line for each table."""

import asyncio

from chatsim.chat import schema
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run
from chatsim.worlds.mysql.driver import connect

NOW = 1_700_000_000.0
SCHEMA = "chatsim_plans"


def values(rows):
    """The rows of an INSERT."""
    return ", ".join(f"({', '.join(map(repr, row))})" for row in rows)


FOUR = [
    "CREATE TABLE t (id BIGINT PRIMARY KEY, u BIGINT, k BIGINT, v VARCHAR(20), UNIQUE KEY uu (u), KEY kk (k))",
    "INSERT INTO t VALUES (10, 100, 1, 'a'), (20, 200, 1, 'b'), (30, 300, 3, 'c'), (40, 400, 5, 'd')",
]
"""A table of four rows, with a unique and another index."""

CHATS = [
    """CREATE TABLE chats (
      id BIGINT UNSIGNED NOT NULL PRIMARY KEY, one BIGINT UNSIGNED NOT NULL, other BIGINT UNSIGNED NOT NULL,
      made TIMESTAMP NOT NULL, UNIQUE KEY pair (one, other), KEY by_one (one, id), KEY by_other (other, id))""",
    f"INSERT INTO chats VALUES {values((n, n % 30, 30 + n, '2024-01-01') for n in range(1, 301))}",
]
"""300 rows, ten to each of 30 values of a column that two indexes begin with."""

TWO_INDEXES = "CREATE TABLE m (id INT PRIMARY KEY, a INT, b INT, c INT, KEY by_a (a), KEY by_b (b))"


def two_indexes(count):
    """The table with so many rows."""
    each = (f"({n}, {'NULL' if n % 7 == 0 else n % 4}, {n % 3}, {n % 2})" for n in range(1, count + 1))
    return [TWO_INDEXES, f"INSERT INTO m VALUES {', '.join(each)}"]


KINDS = [
    """CREATE TABLE kinds (
      d DECIMAL(12,2) NOT NULL, e ENUM('x','y'), c CHAR(3), v VARCHAR(9) NOT NULL, at DATETIME(3), day DATE, s SMALLINT,
      b VARBINARY(7), KEY kd (d), KEY ke (e), KEY kc (c), KEY kv (v, s), KEY kat (at), KEY kday (day), KEY kb (b))""",
    "INSERT INTO kinds VALUES "
    + values(
        (n + 0.5, "xy"[n % 2], f"c{n % 9}", f"v{n}", f"2024-01-01 00:00:{n:02}", f"2024-01-{n + 1:02}", n, f"b{n}")
        for n in range(30)
    ),
]
"""Indexes of columns of different types; no primary key."""

CHAT = [
    *schema.statements("hardened"),
    f"INSERT INTO user (uid, name, email) VALUES {values((n, f'user{n}', f'u{n}@x') for n in range(1, 41))}",
    f"INSERT INTO chat_thread (id, type) VALUES {values((n, 'private') for n in range(1, 61))}",
    "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES "
    + values((n, 1 + n % 8, 10 + n // 8) for n in range(1, 61)),
    "INSERT INTO chat_message (thread_id, seq, sender_id, unique_id, content) VALUES "
    + values((1 + n % 10, 1 + n // 10, 1 + n % 8, f"m{n}", f"text {n}") for n in range(200)),
    "INSERT INTO user_thread (user_id, thread_id, version, activity) VALUES "
    + values((1 + n % 8, n, n, n * 2) for n in range(1, 61)),
    f"INSERT INTO friend (self_id, friend_id) VALUES {values((a, b) for a in range(1, 9) for b in range(10, 25))}",
]
"""The chat's tables with some rows."""

ALL = [
    *(*FOUR, *CHATS, *two_indexes(10), *KINDS, *CHAT),
    "ANALYZE TABLE t, chats, m, kinds, user, chat_thread, private_chat, chat_message, user_thread, friend",
]


def in_model(statements, setup):
    """The plan of each statement, as lines."""

    async def body():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in setup:
            await session.run(each)
        return [lines((await session.run(f"EXPLAIN {sql}"))[0].rows) for sql in statements]

    return run(body())


def explained(sql, setup=FOUR):
    """The plan of one statement, as one text."""
    (found,) = in_model([sql], setup)
    return "\n".join(found)


def on_server(url, statements, setup):
    """The plan of each statement on a server, as lines."""

    async def body():
        session = await connect(url)
        try:
            await session.script(f"DROP DATABASE IF EXISTS {SCHEMA}; CREATE DATABASE {SCHEMA}; USE {SCHEMA}")
            for each in setup:
                await session.execute(each)
            found = [(await session.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}")).rows for sql in statements]
            await session.execute(f"DROP DATABASE {SCHEMA}")
        finally:
            await session.close()
        return [lines(rows) for rows in found]

    return asyncio.run(body())


def lines(rows):
    """Of each row: table, type, key and its length, what it is compared with, and what else is done."""
    found = []
    for _, select_type, table, _, kind, _, key, length, ref, _, _, extra in rows:
        of = (ref or "").replace(f"{SCHEMA}.", "")
        parts = (None if select_type == "SIMPLE" else select_type, table, kind, key and f"{key}({length})", of, extra)
        found.append(" | ".join(part for part in parts if part))
    return found
