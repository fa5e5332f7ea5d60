"""What a reader must not find is found, and named: faults planted in writers and readers, and the checks alone."""

from dataclasses import replace

import pytest
from tqdm import tqdm

from chatsim.experiments.catchup.checks import StoredText, check_found, check_local_store, check_written, text_of
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.following import LOOK, WRITE, Following
from chatsim.experiments.checks import Word
from chatsim.experiments.history import Operation
from chatsim.worlds.model.settings import Model

KIND = CURSORS["user_version"]


def followed(**planted):
    """What a run comes to whose writers or reader are not what they should be."""
    following = Following(replace(KIND, **planted), writers=4, threads=2, messages=60, batch=3)
    return Model().run(lambda world: following.run(world, tqdm(disable=True)), seed=1)


def reading(change):
    """A reader whose look is changed once it has found enough: it gives messages, pairs of thread and id."""
    done = []

    async def read(tx, uid, cursor):
        found = await KIND.read(tx, uid, cursor)
        if not done and len(found.messages) >= 3:
            done.append(found)
            return replace(found, messages=change(list(found.messages)))
        return found

    return {"read": read}


def writing(change):
    """A writer whose batch, or what it says of it, is changed."""

    async def write(tx, batch):
        return await change(tx, batch)

    return {"write": write}


async def backwards(tx, batch):
    ids = await KIND.write(tx, replace(batch, texts=batch.texts[::-1]))
    return [*ids]


async def acknowledged_backwards(tx, batch):
    return [*await KIND.write(tx, batch)][::-1]


async def acknowledged_and_not_stored(tx, batch):
    first, *others = await KIND.write(tx, batch)
    await tx.execute("DELETE FROM chat_message WHERE message_id = ?", (first,))
    return [first, *others]


async def stored_twice(tx, batch):
    again = replace(batch, texts=[replace_id(each) for each in batch.texts])
    await KIND.write(tx, again)
    return await KIND.write(tx, batch)


def replace_id(text):
    return type(text)(text.content, f"again-{text.unique_id}")


async def in_another_thread(tx, batch):
    ids = await KIND.write(tx, batch)
    move = "UPDATE chat_message SET thread_id = 3 - thread_id, seq = seq + 1000 WHERE message_id = ?"
    await tx.execute(move, (ids[0],))
    return ids


PLANTED = {
    "a look backwards": (reading(lambda found: found[::-1]), "disordered", "was found behind one"),
    "a forged id": (reading(lambda found: [*found, (1, 999_999)]), "forged", "was found, and is not stored"),
    "a doubled id": (reading(lambda found: [*found, found[-1]]), "doubled", "was found more than once"),
    "an id of another thread": (
        reading(lambda found: [(3 - found[0][0], found[0][1]), *found[1:]]),
        "wrong thread",
        "was found in thread",
    ),
    "an id left out": (reading(lambda found: found[1:]), "lost", "was never found"),
    "a batch stored backwards": (writing(backwards), "wrong text", "was acknowledged as 'text"),
    "a batch acknowledged backwards": (writing(acknowledged_backwards), "wrong text", "was acknowledged as 'text"),
    "acknowledged and not stored": (writing(acknowledged_and_not_stored), "not stored", "was acknowledged, and is not"),
    "stored twice": (writing(stored_twice), "stored twice", "is stored more than once"),
    "stored in another thread": (writing(in_another_thread), "wrong text", "of thread"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_is_unsafe_and_named(what):
    planted, kind, words = PLANTED[what]
    verdict = followed(**planted).verdict()
    assert verdict.word is Word.UNSAFE
    assert verdict.count(kind) > 0
    assert any(words in each.sentence for each in verdict.anomalies if each.kind == kind)


def test_nothing_is_said_of_what_is_as_it_should_be():
    assert followed().verdict().word is Word.SAFE


def test_what_nobody_could_overtake_is_not_tested():
    alone = Following(KIND, writers=1, threads=1, messages=10)
    verdict = Model().run(lambda world: alone.run(world, tqdm(disable=True)), seed=1).verdict()
    assert verdict.word is Word.NOT_TESTED
    assert verdict.why == "no two writes overlapped, so none could be overtaken; ask for more writers than threads"


# --- the checks by themselves


def written(ids, *, thread=1, client=0):
    return Operation(client, 0, WRITE, {"thread": thread}, 0, 0, 1, value={"messages": ids})


def look(*entries, turn=0):
    threads, ids = [[*each] for each in zip(*entries, strict=True)]
    return Operation(9, turn, LOOK, {}, turn, turn, turn, value={"threads": threads, "messages": ids})


THREADS = {1: 1, 2: 1, 3: 1, 4: 2}


@pytest.mark.parametrize(
    ("looks", "options", "kinds"),
    [
        ([look((1, 1), (1, 2), (2, 4), (1, 3))], {}, []),
        ([look((1, 1), (1, 3), (1, 2))], {}, ["disordered"]),
        ([look((1, 1), (1, 3), (1, 2))], {"by_id": False}, []),
        ([look((1, 2)), look((1, 1), turn=1)], {}, ["disordered"]),
        ([look((1, 2)), look((1, 1), (1, 2), turn=1)], {"rereads": True}, []),
        ([look((1, 1)), look((1, 1), turn=1)], {}, ["doubled"]),
        ([look((1, 1)), look((1, 1), turn=1)], {"rereads": True}, []),
        ([look((1, 1), (1, 1))], {"rereads": True}, ["doubled"]),
        ([look((1, 7))], {}, ["forged"]),
        ([look((2, 1))], {}, ["wrong thread"]),
    ],
)
def test_what_is_found_is_compared_with_the_tables(looks, options, kinds):
    assert [each.kind for each in check_found(looks, [], THREADS, **options)] == kinds


def test_a_writers_messages_are_found_as_they_were_written_whatever_their_ids():
    (anomaly,) = check_found([look((1, 1), (1, 2))], [written([2]), written([1])], THREADS, by_id=False)
    assert anomaly.sentence == "message 2 of thread 1 was found behind one that writer 0 wrote later"


def test_each_text_is_stored_as_it_was_written():
    stored = [StoredText(at, 1, text_of(0, 0, 0, at - 1)) for at in (1, 2)]
    assert [*check_written([written([1, 2])], stored)] == []
    assert [each.kind for each in check_written([written([2, 1])], stored)] == ["wrong text", "wrong text"]
    assert [each.kind for each in check_written([written([1, 2], thread=2)], stored)] == ["wrong text", "wrong text"]
    assert [each.kind for each in check_written([written([1, 2, 3])], stored)] == ["not stored"]
    again = [*stored, StoredText(3, 1, stored[0].content)]
    assert [each.kind for each in check_written([written([1, 2])], again)] == ["stored twice"]


ONE, TWO, THREE = (StoredText(at, 1, f"text {at}") for at in (1, 2, 3))


@pytest.mark.parametrize(
    ("kept", "kinds"),
    [
        ([ONE, TWO, THREE], []),
        ([ONE, THREE], ["lost"]),
        ([ONE, THREE, TWO], ["disordered"]),
        ([ONE, TWO, TWO, THREE], ["doubled"]),
        ([ONE, TWO, THREE, StoredText(4, 1, "forged")], ["forged"]),
        ([ONE, TWO, replace(THREE, thread_id=2)], ["forged"]),
        ([ONE, replace(TWO, content="other"), THREE], ["forged"]),
    ],
)
def test_a_local_store_is_compared_with_the_tables(kept, kinds):
    assert [each.kind for each in check_local_store([ONE, TWO, THREE], kept, [1, 2, 3])] == kinds
