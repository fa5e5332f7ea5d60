"""From the source's tables to the hardened ones: rows in place, whatever breaks it off."""

import asyncio
import re

import pytest
from click.testing import CliRunner

from chatsim.chat import schema
from chatsim.cli import main
from chatsim.db.mysql import database_error
from chatsim.worlds.mysql.migrate import MigrationError, migrate
from chatsim.worlds.mysql.world import MySQLWorld

STATEMENTS = sum(len(each) for each in schema.migrations().values())

LOOKS = 4
"""So many statements look what there is, before the first that changes something."""

ROWS = """
    INSERT INTO user (uid, name, email) VALUES (1, 'ann', 'a'), (2, 'bob', 'b'), (3, 'cem', 'c');
    INSERT INTO friend (self_id, friend_id) VALUES (1, 2), (2, 1);
    INSERT INTO friend_apply (from_uid, to_uid, status) VALUES (1, 2, 1);
    INSERT INTO chat_thread (id, type) VALUES (11, 'private'), (12, 'private'), (13, 'private'), (14, 'group'),
      (15, 'private');
    INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (11, 2, 1), (12, 1, 2), (13, 3, 1);
    INSERT INTO group_chat (thread_id, name) VALUES (14, 'all');
    INSERT INTO group_chat_member (thread_id, user_id) VALUES (14, 1), (14, 3);
    INSERT INTO chat_message (message_id, thread_id, sender_id, recv_id, content, status) VALUES
      (1, 11, 1, 2, 'one', 2), (2, 12, 2, 1, 'two', 2), (3, 13, 3, 1, 'hi', 0), (4, 11, 1, 2, 'three', 1)"""
"""What the source's server leaves behind: the pair of 1 and 2 has two threads, 1 and 3 are written the wrong way."""


@pytest.fixture
async def world(mysql_url):
    async with MySQLWorld() as world:
        yield world


async def definitions(world):
    tables = [name for (name,) in (await world.admin.execute("SHOW TABLES")).rows if name != "schema_migration"]
    made = [(await world.admin.execute(f"SHOW CREATE TABLE `{name}`")).rows[0] for name in tables]
    return {name: re.sub(r" AUTO_INCREMENT=\d+", "", text) for name, text in made}


async def old(world):
    await world.install("source")
    await world.admin.script(ROWS)


async def rows(world, sql):
    return list((await world.admin.execute(sql)).rows)


class Breaking:
    """A session that can do so many statements, and their notes, and no more."""

    def __init__(self, session, count):
        self._session, self._left = session, count

    async def execute(self, sql, args=()):
        if sql.startswith("INSERT INTO schema_migration"):
            return await self._session.execute(sql, args)
        self._left -= 1
        if self._left < 0 and "RELEASE_LOCK" not in sql:
            raise database_error(1290, "the server is read-only")
        return await self._session.execute(sql, args)


async def check(world):
    """All that was there is there, in its one thread, in its order."""
    assert await rows(
        world, "SELECT user_id, thread_id, version, activity, read_seq, unread FROM user_thread ORDER BY 1, 3"
    ) == [
        (1, 14, 1, 0, 0, 0),
        (1, 13, 2, 2, 0, 1),
        (1, 11, 3, 3, 0, 1),
        (2, 11, 1, 1, 3, 0),
        (3, 14, 1, 0, 0, 0),
        (3, 13, 2, 2, 0, 0),
    ]
    delivered = "SELECT user_id, thread_id, delivered_seq FROM user_thread WHERE delivered_seq > 0"
    assert await rows(world, delivered) == [(2, 11, 3)], "what was read has been delivered"
    assert await rows(world, "SELECT * FROM user_version ORDER BY user_id") == [(1, 3), (2, 1), (3, 2)]
    assert await rows(world, "SELECT thread_id, user1_id, user2_id FROM private_chat ORDER BY thread_id") == [
        (11, 1, 2),
        (13, 1, 3),
    ]
    assert await rows(
        world,
        "SELECT thread_id, seq, message_id, sender_id, content, status, unique_id FROM chat_message ORDER BY 1, 2",
    ) == [
        (11, 1, 1, 1, "one", 0, None),
        (11, 2, 2, 2, "two", 0, None),
        (11, 3, 4, 1, "three", 0, None),
        (13, 1, 3, 3, "hi", 0, None),
    ]
    assert await rows(world, "SELECT id, last_seq, last_message_id FROM chat_thread ORDER BY id") == [
        (11, 3, 4),
        (13, 1, 3),
        (14, 0, 0),
        (15, 0, 0),
    ]
    assert await rows(world, "SELECT thread_id, user_id FROM group_chat_member ORDER BY 1, 2") == [(14, 1), (14, 3)]


async def test_the_tables_are_those_of_the_hardened_schema_and_all_rows_are_there(world):
    await world.install("hardened")
    wanted = await definitions(world)
    await old(world)
    said = []
    assert await migrate(world.admin, said.append) == STATEMENTS
    assert said == [*schema.migrations()]
    assert await definitions(world) == wanted
    await check(world)


async def test_a_second_time_nothing_is_left_to_do(world):
    await old(world)
    await migrate(world.admin, lambda _: None)
    assert await migrate(world.admin, pytest.fail) == 0
    await check(world)


async def test_broken_off_behind_each_statement_in_turn_it_goes_on_where_it_stopped(world):
    await old(world)
    for _ in range(STATEMENTS - 1):
        with pytest.raises(MigrationError, match="read-only"):
            await migrate(Breaking(world.admin, LOOKS + 1), lambda _: None)
    assert await migrate(world.admin, lambda _: None) == 1
    await check(world)


@pytest.mark.parametrize(
    ("wrong", "culprit"),
    [
        ("INSERT INTO friend (self_id, friend_id) VALUES (1, 99)", "0005.*friend_friend"),
        ("INSERT INTO chat_message (thread_id, sender_id, recv_id, content) VALUES (99, 1, 2, '')", "chat_message_thr"),
        ("INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (15, 3, 3)", "0002.*private_chat_ordered"),
    ],
)
async def test_a_row_that_can_not_be_kept_stops_it_and_is_named_and_once_it_is_mended_it_goes_on(world, wrong, culprit):
    await old(world)
    await world.admin.execute(wrong)
    with pytest.raises(MigrationError, match=culprit):
        await migrate(world.admin, lambda _: None)
    table = wrong.split()[2]
    mend = {
        "friend": "DELETE FROM friend WHERE friend_id = 99",
        "chat_message": "DELETE FROM chat_message WHERE thread_id = 99",
        "private_chat": "DELETE FROM private_chat WHERE thread_id = 15",
    }
    await world.admin.execute(mend[table])
    await migrate(world.admin, lambda _: None)
    await check(world)


async def test_tables_that_are_hardened_by_birth_and_others_than_the_sources_are_refused(world):
    await world.install("hardened")
    with pytest.raises(MigrationError, match="nothing to migrate"):
        await migrate(world.admin, pytest.fail)
    await world.empty()
    with pytest.raises(MigrationError, match="missing: chat_message, chat_thread, friend"):
        await migrate(world.admin, pytest.fail)


async def test_two_at_once_are_kept_apart(world):
    await old(world)
    async with world.database(1) as database, database.session() as other:
        await other.execute("DO GET_LOCK(CONCAT('chatsim:', DATABASE()), 0)")
        with pytest.raises(MigrationError, match="somebody else"):
            await migrate(world.admin, pytest.fail)
        await other.execute("DO RELEASE_ALL_LOCKS()")
    await migrate(world.admin, lambda _: None)


async def test_the_command_says_what_it_does(world, mysql_url):
    await old(world)
    words = ["mysql", "migrate", world.schema, "--mysql-url", mysql_url]
    first = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert first.output.splitlines() == [*schema.migrations(), f"{STATEMENTS} statements applied"]
    second = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert second.output == "nothing to do: all migrations have been applied\n"
    third = await asyncio.to_thread(CliRunner().invoke, main, [*words[:2], "nowhere", *words[3:]])
    assert third.exit_code == 2
    assert "Unknown database 'nowhere'" in third.output
