"""The tables, as statements that a database takes one by one."""

import re

import pytest
from harness import ANN, BOB, in_both_worlds

from chatsim.chat import schema
from chatsim.chat.protocol import MessageStatus
from chatsim.db.errors import DatabaseError
from chatsim.worlds.loading import insert

TABLES = [
    "chat_message",
    "chat_thread",
    "private_chat",
    "group_chat",
    "group_chat_member",
    "user",
    "user_id",
    "friend",
    "friend_apply",
]


@pytest.fixture
def named(tmp_path, monkeypatch):
    """A function that makes ``text`` the schema ``mine``."""

    def write(text):
        (tmp_path / "mine.sql").write_text(text, encoding="utf-8")
        monkeypatch.setattr(schema, "files", lambda _: tmp_path)
        return schema.statements("mine")

    return write


def test_the_source_has_the_sources_nine_tables_in_order():
    found = [re.match(r"CREATE TABLE (\w+) \(", statement) for statement in schema.statements("source")]
    assert [match[1] for match in found] == TABLES


def test_a_statement_has_neither_comment_lines_nor_its_semicolon():
    for statement in schema.statements("source"):
        assert statement == statement.strip()
        assert not statement.endswith(";")
        assert not re.search(r"^--", statement, re.MULTILINE)


def test_the_unique_key_that_decides_everything_is_there():
    (chat,) = [each for each in schema.statements("source") if "CREATE TABLE private_chat " in each]
    assert "UNIQUE KEY uniq_private_thread (user1_id, user2_id)" in chat


def test_a_semicolon_ends_a_statement_only_at_the_end_of_a_line(named):
    text = "-- why; and how\nCREATE TABLE a (id INT COMMENT 'x; y -- z');\n\n-- more\nCREATE TABLE b (\n  id INT\n);\n"
    assert named(text) == ["CREATE TABLE a (id INT COMMENT 'x; y -- z')", "CREATE TABLE b (\n  id INT\n)"]


def test_the_last_statement_needs_no_new_line(named):
    assert named("CREATE TABLE a (id INT);\nCREATE TABLE b (id INT);") == [
        "CREATE TABLE a (id INT)",
        "CREATE TABLE b (id INT)",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "-- nothing yet\n", ";\n;\n"])
def test_no_statement_is_an_empty_one(named, text):
    assert named(text) == []


def test_an_unknown_schema_is_named():
    with pytest.raises(FileNotFoundError, match=r"nope\.sql"):
        schema.statements("nope")


def test_the_hardened_tables_are_the_sources_and_four_more():
    made = {statement.split()[2] for statement in schema.statements("hardened")}
    assert made == {*TABLES, "user_thread", "user_version", "message_attachment", "user_files"}


@in_both_worlds()
async def test_a_status_is_sent_or_recalled(harness):
    """docs/source.md, G1 and G2: in the tables it means nothing else."""
    thread = await harness.talking(ANN, BOB)
    into = "chat_message (thread_id, seq, sender_id, content, status)"
    await insert(
        harness.world.admin, into, [(thread, 1 + at, ANN, "", int(each)) for at, each in enumerate(MessageStatus)]
    )
    for status in {*range(-1, 5)} - {*MessageStatus}:
        with pytest.raises(DatabaseError):
            await insert(harness.world.admin, into, [(thread, 9, ANN, "", status)])
    assert {int(each) for each in MessageStatus} == {0, 2}


def test_migrations_are_numbered_from_one_on_without_a_hole():
    assert [int(name.split("_")[0]) for name in schema.migrations()] == [*range(1, len(schema.migrations()) + 1)]
    assert all(statements for statements in schema.migrations().values())
