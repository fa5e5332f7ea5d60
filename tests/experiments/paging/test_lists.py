"""Lists that are made by rule: what is said to be in them is what is in the tables."""

import io

import pytest
from tqdm.auto import tqdm

from chatsim.experiments.paging.lists import SCHEMA, lists
from chatsim.worlds.model.settings import Model

SIZES = (1, 13, 40)


def loaded(what, ask):
    """What ``ask(admin, lists)`` gives on tables with them, in the model."""

    async def main(world):
        source = lists(what, SIZES)
        await world.install(SCHEMA)
        await source.load(world.admin, bar=lambda rows: tqdm(total=rows, disable=True))
        return await ask(world.admin, source)

    return Model().run(main, seed=1)


async def column(admin, sql, *args):
    return [row[0] for row in (await admin.execute(sql, args)).rows]


THREADS = """
    SELECT thread_id FROM private_chat WHERE user1_id = ? OR user2_id = ?
    UNION ALL SELECT thread_id FROM group_chat_member WHERE user_id = ?"""
ACTIVE = "SELECT thread_id FROM user_thread WHERE user_id = ? ORDER BY activity DESC, thread_id"
MESSAGES = "SELECT message_id FROM chat_message WHERE thread_id = ? ORDER BY message_id"


def test_a_users_threads_are_as_many_as_said():
    async def ask(admin, source):
        for size in SIZES:
            user = source.of(size)
            assert sorted(await column(admin, THREADS, user, user, user)) == source.ids(size, "id")
            assert len(source.ids(size, "id")) == size
            assert await column(admin, ACTIVE, user) == source.ids(size, "activity")
            assert source.reader(size) == user

    loaded("threads", ask)


def test_a_users_threads_are_of_all_kinds_and_lie_between_those_of_others():
    async def ask(admin, source):
        user, own = source.of(40), source.ids(40, "id")
        below, above, groups = [
            await column(admin, f"SELECT thread_id FROM {table} = ?", user)
            for table in (
                "private_chat WHERE user2_id",
                "private_chat WHERE user1_id",
                "group_chat_member WHERE user_id",
            )
        ]
        assert (len(below), len(above), len(groups)) == (10, 10, 20)
        every = await column(admin, "SELECT id FROM chat_thread WHERE id >= ? AND id <= ?", own[0], own[-1])
        assert every[::2] == own
        silent = await column(admin, "SELECT thread_id FROM user_thread WHERE user_id = ? AND activity = 0", user)
        assert len(silent) == 4

    loaded("threads", ask)


def test_a_thread_has_as_many_messages_as_said_with_others_between_and_seven_to_a_second():
    async def ask(admin, source):
        for size in SIZES:
            thread = source.of(size)
            assert await column(admin, MESSAGES, thread) == source.ids(size, "id") == source.ids(size, "newest")[::-1]
            assert len(source.ids(size, "id")) == size
            assert await column(admin, "SELECT COUNT(*) FROM chat_message WHERE thread_id = ?", thread + 1) == [
                (size - 1) // 4
            ]
        times = await column(admin, "SELECT COUNT(*) FROM chat_message GROUP BY created_at")
        assert max(times) == 7
        assert await column(admin, "SELECT MAX(seq) FROM chat_message WHERE thread_id = ?", source.of(40)) == [40]
        assert await column(admin, "SELECT user1_id FROM private_chat WHERE thread_id = ?", source.of(40)) == [
            source.reader(40)
        ]

    loaded("history", ask)


@pytest.mark.parametrize("what", ["threads", "history"])
def test_the_bar_counts_all_rows(what):
    bars = []

    async def main(world):
        def bar(rows):
            bars.append(tqdm(total=rows, file=io.StringIO()))
            return bars[0]

        await world.install(SCHEMA)
        await lists(what, SIZES).load(world.admin, bar=bar)

    Model().run(main, seed=1)
    assert bars[0].n == bars[0].total > sum(SIZES)


def test_lists_of_other_lengths_have_other_contents():
    contents = [lists(what, sizes).contents for what in ("threads", "history") for sizes in ((1, 2), (2, 1), (12,))]
    assert len({*contents}) == len(contents)
