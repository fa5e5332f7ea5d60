"""Creation strategies in every order: what is not proved of which, and a fault that no race can find."""

import pytest

import chatsim
from chatsim import BadParameterError
from chatsim.chat.creation import creation_strategy, named
from chatsim.experiments.exploring.creations import QUESTIONS, creations
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.experiments.exploring.patterns import PATTERNS, PRESENT
from chatsim.exploration.choices import Switches
from chatsim.exploration.problem import FIRST_ID
from chatsim.exploration.questions import ENDS, Question
from chatsim.exploration.search import explore
from chatsim.exploration.serial_orders import serializable

SCHEMAS = ("hardened", "source")
DEADLOCK, REFUSAL, THREADS = {"deadlock"}, {"refusal"}, {"threads"}
LEAVES_ORPHANS = {"orphans", "serializable"}

# of two callers for one pair, by strategy and schema: with no chat, with that of the pair, with neighbours
NOT_PROVED = {
    "for_update": {"hardened": (DEADLOCK, set(), DEADLOCK), "source": (DEADLOCK, set(), DEADLOCK)},
    "serializable": {"hardened": (DEADLOCK, set(), DEADLOCK), "source": (DEADLOCK, set(), DEADLOCK)},
    "unordered": {
        "hardened": (REFUSAL, REFUSAL, REFUSAL),
        "source": (DEADLOCK | THREADS, THREADS, DEADLOCK | THREADS),
    },
    "upsert": {
        "hardened": (LEAVES_ORPHANS, {"orphans"}, LEAVES_ORPHANS),
        "source": (LEAVES_ORPHANS, {"orphans"}, LEAVES_ORPHANS),
    },
}
ALL_PROVED = (
    *("for_update_read_committed", "check_then_insert", "insert_first", "insert_ignore", "user_row", "get_lock"),
    *("get_lock_script", "one_round_trip", "look_first", "redis_lock"),
)
EXPLORED = named("all")


def not_proved(found):
    return {name for name, proof in found.verdicts.items() if proof != "proved"}


def test_each_strategy_is_here():
    assert {each.name for each in EXPLORED} == {*NOT_PROVED, *ALL_PROVED}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("strategy", EXPLORED, ids=lambda each: each.name)
def test_what_is_not_proved_of_two_callers_for_one_pair(strategy, schema):
    nothing = (set(), set(), set())
    for present, expected in zip(PRESENT, NOT_PROVED.get(strategy.name, {}).get(schema, nothing), strict=True):
        found = Exploring(tables=schema, present=present).strategy(strategy).found
        assert not_proved(found) == expected, present
        assert found.whole


@pytest.mark.parametrize("strategy", EXPLORED, ids=lambda each: each.name)
def test_strangers_wait_for_each_other_but_all_get_their_thread(strategy):
    found = Exploring(pattern="strangers", ask=("stuck", "refusal", "threads")).strategy(strategy).found
    assert not_proved(found) == set()


# --- a fault with a window of one statement


@creation_strategy()
async def two_transactions(tx, low, high):
    """Bets that nothing happens between two transactions, behind a lock that serializes all callers."""
    name = f"chat:{low}:{high}"
    await tx.execute("SELECT GET_LOCK(?, 10)", (name,))
    find = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"
    thread = (await tx.execute(find, (low, high))).scalar()
    if thread is None:
        made = await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")
        thread = made.last_id
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())",
            (thread, low, high),
        )
    await tx.execute("DO RELEASE_LOCK(?)", (name,))
    return thread


def test_in_no_order_does_anything_go_wrong_so_that_no_race_can_find_it():
    assert not_proved(Exploring().strategy(two_transactions).found) == set()


@pytest.mark.slow
async def test_ten_thousand_tries_of_a_race_do_not_find_it():
    result = await chatsim.race(
        strategies=[two_transactions], world="model", clients=2, rounds=5_000, seed=1, progress=False
    )
    (row,) = result.rows()
    assert (row["verdict"], row["orphan_threads"], row["duplicate_pairs"]) == ("safe", 0, 0)


def test_a_caller_that_dies_between_its_two_statements_leaves_an_orphan():
    explored = Exploring(deaths=1).strategy(two_transactions)
    assert "orphans" in not_proved(explored.found)
    steps = explored.counterexamples["orphans"].schedule.steps
    (killed,) = [each.session for each in steps if each.sql == "@kill"]
    its = [each.sql.split()[0] for each in steps if each.session == killed and not each.sql.startswith("SET SESSION")]
    assert its == ["SELECT", "SELECT", "INSERT", "@kill"]


def test_a_reply_that_is_lost_leaves_an_orphan_when_the_caller_tries_again():
    explored = Exploring(losses=1).strategy(two_transactions)
    assert "orphans" in not_proved(explored.found)
    assert not_proved(Exploring(losses=1, ask=("deadlock", "refusal")).strategy(two_transactions).found) == set()


# --- ids that are only passed on and compared


def ends_of(strategy, *, opaque_ids, retries=3, merges=True, prunes=False, **more):
    """What is found, and all ends: what became of the callers, and the rows, with the ranks of ids for the ids."""
    problem = creations(strategy, opaque_ids=opaque_ids, switches=Switches(retries), **more)
    ends = set()

    def note(execution):
        threads = [thread for (thread,) in execution.query("SELECT id FROM chat_thread ORDER BY id")]
        ranks = {thread: rank for rank, thread in enumerate(threads)}
        chats = execution.query("SELECT user1_id, user2_id, thread_id FROM private_chat ORDER BY thread_id")
        became = sorted((each.outcome, ranks.get(each.value, -1)) for each in execution.ended)
        ends.add((tuple(became), tuple((*pair, ranks[thread]) for *pair, thread in chats), len(ranks)))
        return False

    asked = [*QUESTIONS, serializable(problem), Question("noted", "the end is noted", at_end=note)]
    return explore(problem, asked, merges=merges, prunes=prunes), ends


def comparable(found):
    steps = {each.question: len(each.interleaving.steps) for each in found.findings}
    return found.verdicts, set(found.outcomes), set(found.deadlocks), found.retries, found.longest, steps


def assert_only_states_are_fewer(strategy, **how):
    how["tables"] = "source" if strategy.name == "unordered" else "hardened"
    plain, ends = ends_of(strategy, opaque_ids=False, **how)
    opaque, ends_of_opaque = ends_of(strategy, opaque_ids=True, **how)
    pruned, ends_of_pruned = ends_of(strategy, opaque_ids=True, prunes=True, **how)
    assert comparable(opaque) == comparable(plain)
    assert opaque.interleavings == plain.interleavings
    assert (pruned.verdicts, set(pruned.outcomes)) == (plain.verdicts, set(plain.outcomes))
    assert ends_of_opaque == ends_of_pruned == ends
    return plain.states, opaque.states


@pytest.mark.parametrize("strategy", EXPLORED, ids=lambda each: each.name)
def test_merging_states_that_differ_in_ids_only_changes_nothing_else(strategy):
    plain, opaque = assert_only_states_are_fewer(strategy, callers=2)
    assert opaque < plain if strategy.name == "unordered" else opaque == plain


@pytest.mark.slow
@pytest.mark.parametrize("strategy", named("for_update,unordered"), ids=lambda each: each.name)
def test_merging_states_that_differ_in_ids_only_changes_nothing_else_with_three_callers(strategy):
    plain, opaque = assert_only_states_are_fewer(strategy, callers=3, retries=1)
    assert opaque < 0.9 * plain


def test_merging_states_that_differ_in_ids_only_gives_the_ends_of_each_interleaving_by_itself():
    (strategy,) = named("for_update")
    alone, ends = ends_of(strategy, opaque_ids=False, callers=2, merges=False)
    opaque, ends_of_opaque = ends_of(strategy, opaque_ids=True, callers=2)
    assert (opaque.interleavings, ends_of_opaque) == (alone.ends, ends)


@creation_strategy()
async def looks_at_its_id(tx, low, high):
    """Bets that threads with an odd id are the good ones."""
    await tx.begin()
    thread = (await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")).last_id
    await (tx.commit() if thread % 2 else tx.rollback())
    return thread


@pytest.mark.parametrize(
    ("strategy", "prune", "opaque"),
    [(*named("for_update"), True, True), (*named("for_update"), False, False), (looks_at_its_id, True, False)],
    ids=["shipped", "with nothing left out", "of the reader's"],
)
def test_only_ids_of_shipped_strategies_are_known_to_be_opaque(strategy, prune, opaque):
    problem = Exploring(prune=prune, callers=1).strategy(strategy).found.problem
    assert problem.opaque_ids == opaque
    assert (str(FIRST_ID) in "".join(problem.setup.script)) == opaque


# --- callers


def test_callers_ask_for_each_other_or_each_pair_for_its_own():
    (strategy,) = named("insert_first")
    assert [each.name for each in creations(strategy, callers=3).callers] == ["caller1", "caller2", "caller3"]
    same = creations(strategy, callers=3)
    assert len({each.alike for each in same.callers}) == 1
    assert len({each.alike for each in creations(strategy, callers=3, pattern="strangers").callers}) == 3
    (unordered,) = named("unordered")
    assert len({each.alike for each in creations(unordered, callers=3).callers}) == 2


@pytest.mark.parametrize("present", PRESENT)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_one_caller_alone_has_one_way(schema, pattern, present):
    (strategy,) = named("insert_first")
    found = explore(creations(strategy, callers=1, tables=schema, pattern=pattern, present=present), [ENDS])
    assert (found.interleavings, set(found.outcomes)) == (1, {"ok"})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"callers": 0}, "callers is 0; it must be at least 1"),
        ({"copies": 0}, "copies is 0; it must be at least 1"),
        ({"retries": -1}, "retries is -1; it must be at least 0"),
        ({"deaths": -1}, "deaths is -1"),
        ({"losses": -1}, "losses is -1"),
        ({"timeouts": -1}, "timeouts is -1"),
        ({"states": 0}, "states is 0"),
        ({"seconds": -1.0}, "seconds is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"pattern": "nope"}, "pattern is 'nope'; it can be: same_pair, strangers"),
        ({"present": "nope"}, "present is 'nope'; it can be: nothing, pair, neighbours"),
    ],
)
def test_wrong_values_name_the_field_and_what_it_can_be(fields, says):
    with pytest.raises(BadParameterError, match=says):
        Exploring(**fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"isolation": "chaos"}, "CHAOS"),
        ({"tables": "nope"}, "nope"),
        ({"ask": ("nope",)}, "ask names 'nope'; there are: stuck, deadlock, refusal, threads, orphans, serializable"),
        ({"callers": 7}, "of 7 callers not all orders"),
    ],
)
def test_what_turns_out_to_be_wrong_later_is_named_as_well(fields, says):
    with pytest.raises(BadParameterError, match=says):
        Exploring(**fields).strategy(named("insert_first")[0])


def test_more_callers_than_serial_orders_can_be_tried_of_are_fine_if_nobody_asks_for_them():
    found = Exploring(callers=7, states=5, ask=("stuck",)).strategy(named("insert_first")[0]).found
    assert found.verdicts == {"stuck": "inconclusive"}
