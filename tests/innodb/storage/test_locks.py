"""Record locks: what conflicts with what, who waits for whom, what is granted, what a gap inherits."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locked_index import GAP, INSERT, NEXT_KEY, RECORD, LockedIndex

from chatsim.db.session import Isolation
from chatsim.innodb.storage.locks import Grant, NotGrantedError, WaitPolicy

REQUESTS = [*itertools.product("SX", (RECORD, GAP, NEXT_KEY)), ("X", INSERT)]
ON_THE_SUPREMUM = [each for each in REQUESTS if each[1] is not RECORD]  # there is only the gap before it


@pytest.fixture
def stage():
    return LockedIndex()


def conflict(wanted, held, *, supremum):
    """MySQL manual, InnoDB Locking: gaps are shared, an intention to insert waits for whatever covers the gap."""
    (wanted_mode, wanted_kind), (held_mode, held_kind) = wanted, held
    if wanted_mode == held_mode == "S" or held_kind is INSERT:
        return False
    if wanted_kind is INSERT:
        return held_kind is not RECORD
    return GAP not in (wanted_kind, held_kind) and not supremum


# --- what conflicts with what


@pytest.mark.parametrize(
    ("held", "wanted", "key"),
    [
        *((held, wanted, 20) for held in REQUESTS for wanted in REQUESTS),
        *((held, wanted, None) for held in ON_THE_SUPREMUM for wanted in ON_THE_SUPREMUM),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else "record" if each else "supremum",
)
def test_a_request_waits_for_what_it_conflicts_with(stage, held, wanted, key):
    one, other, first = stage.trx(), stage.trx(), stage.trx()
    if held[1] is INSERT:  # only one that had to wait is there to be seen
        stage.ask(first, key, "X", GAP)
        stage.ask(one, key, *held)
        stage.locks.release_all(first)
    assert held[1] is INSERT or stage.ask(one, key, *held)
    assert one.locks.wait_lock is None
    assert stage.ask(other, key, *wanted) is not conflict(wanted, held, supremum=key is None)
    assert (other.locks.blocking_trx is one) == (other.locks.wait_lock is not None)


@pytest.mark.parametrize("wanted", REQUESTS, ids="-".join)
@pytest.mark.parametrize("held", REQUESTS[:-1], ids="-".join)
def test_nobody_waits_for_himself(stage, held, wanted):
    trx = stage.trx()
    assert stage.ask(trx, 20, *held)
    assert stage.ask(trx, 20, *wanted)
    assert trx.locks.wait_lock is None


def test_locks_on_different_records_do_not_conflict(stage):
    assert all(stage.ask(stage.trx(), key, "X", NEXT_KEY) for key in (10, 20, 30))


# --- own locks are subtracted


@pytest.mark.parametrize(
    ("held", "wanted", "after"),
    [
        (("X", RECORD), ("S", RECORD), [("X", "record", 20)]),
        (("X", NEXT_KEY), ("S", GAP), [("X", "next-key", 20)]),
        (("X", NEXT_KEY), ("X", RECORD), [("X", "next-key", 20)]),
        (("X", RECORD), ("S", NEXT_KEY), [("X", "record", 20), ("S", "gap", 20)]),
        (("X", RECORD), ("X", NEXT_KEY), [("X", "record", 20), ("X", "gap", 20)]),
        (("S", RECORD), ("X", RECORD), [("S", "record", 20), ("X", "record", 20)]),
        (("S", NEXT_KEY), ("X", GAP), [("S", "next-key", 20), ("X", "gap", 20)]),
        (("X", GAP), ("X", RECORD), [("X", "gap", 20), ("X", "record", 20)]),
        (("X", GAP), ("X", NEXT_KEY), [("X", "gap", 20), ("X", "next-key", 20)]),
    ],
    ids=str,
)
def test_only_what_one_does_not_have_is_asked_for(stage, held, wanted, after):
    trx = stage.trx()
    stage.ask(trx, 20, *held)
    stage.ask(trx, 20, *wanted)
    assert stage.held(trx) == set(after)


def test_who_has_the_record_gets_its_gap_though_others_wait_for_the_record(stage):
    one, other = stage.trx(), stage.trx()
    stage.ask(one, 20, "X", RECORD)
    assert not stage.ask(other, 20, "X", NEXT_KEY)
    assert stage.ask(one, 20, "S", NEXT_KEY)
    assert not stage.deadlocks


def test_asking_twice_gives_one_lock_and_says_so(stage):
    trx = stage.trx()
    assert stage.locks.lock_record(trx, stage[20], "X", RECORD) is Grant.NEW
    assert stage.locks.lock_record(trx, stage[20], "X", RECORD) is Grant.HELD
    assert (len(trx.locks.structures), trx.weight, len(stage[20].locks)) == (1, 1, 1)


def test_records_locked_in_one_mode_and_kind_are_one_structure_and_weigh_1(stage):
    trx = stage.trx()
    for key in (10, 20, 30):
        stage.ask(trx, key, "X", NEXT_KEY)
    assert trx.weight == 1
    stage.ask(trx, 10, "S", GAP)
    stage.ask(trx, None, "S", NEXT_KEY)
    assert trx.weight == 2


@pytest.mark.parametrize(("alone", "kind", "weight"), [(True, "gap", 1), (False, "next-key", 2)])
def test_the_only_structure_of_an_index_takes_in_the_gap_before_the_supremum_as_it_is(stage, alone, kind, weight):
    trx = stage.trx()
    stage.ask(trx, 20, "S", GAP)
    if not alone:
        stage.ask(stage.trx(), 10, "S", RECORD)
    for _ in range(2):
        stage.ask(trx, None, "S", GAP)
        assert stage.held(trx) == {("S", "gap", 20), ("S", kind, None)}
        assert trx.weight == weight
    assert stage.locks.lock_record(trx, stage[None], "S", NEXT_KEY) is Grant.HELD  # there is only a gap
    assert trx.weight == weight


# --- locks on tables


def test_an_intention_is_granted_to_everybody_and_once_and_ix_covers_is(stage):
    one, other = stage.trx(), stage.trx()
    assert stage.locks.lock_table(one, stage.table.locks, "IX") is Grant.NEW
    assert stage.locks.lock_table(other, stage.table.locks, "IX") is Grant.NEW
    assert stage.locks.lock_table(one, stage.table.locks, "IX") is Grant.HELD
    assert stage.locks.lock_table(one, stage.table.locks, "IS") is Grant.HELD
    reader = stage.trx()
    assert stage.locks.lock_table(reader, stage.table.locks, "IS") is Grant.NEW
    assert stage.locks.lock_table(reader, stage.table.locks, "IX") is Grant.NEW
    assert (one.weight, reader.weight) == (1, 2)


def test_the_auto_inc_lock_goes_from_one_to_the_next_in_the_order_in_which_they_came(stage):
    queue = [stage.trx() for _ in range(4)]
    for trx in queue:
        stage.locks.lock_table(trx, stage.table.locks, "AUTO_INC")
    assert stage.locks.blocking(queue[2]) == queue[:2]
    stage.locks.cancel(queue[2].locks.wait_lock)
    for at in (0, 1):
        assert stage.locks.lock_table(queue[at], stage.table.locks, "AUTO_INC") is Grant.HELD
        assert queue[3].locks.blocking_trx is queue[at]
        stage.locks.release_auto_inc(queue[at], stage.table.locks)
        assert queue[at].locks.structures == []
    assert queue[3].locks.wait_lock is None
    stage.locks.release_all(queue[3])
    assert (stage.table.locks.granted, list(stage.table.locks.auto_inc)) == ({}, [])


def test_who_has_no_auto_inc_lock_releases_none(stage):
    holder, other = stage.trx(), stage.trx()
    stage.locks.lock_table(holder, stage.table.locks, "AUTO_INC")
    stage.locks.release_auto_inc(other, stage.table.locks)
    assert stage.locks.lock_table(holder, stage.table.locks, "AUTO_INC") is Grant.HELD


# --- implicit locks


def test_who_has_written_a_record_gets_its_lock_when_somebody_asks(stage):
    writer, other = stage.trx(), stage.trx()
    stage[20].writer = writer
    assert stage.held(writer) == set()
    assert not stage.ask(other, 20, "S", RECORD)
    assert stage.held(writer) == {("X", "record", 20)}


def test_of_a_transaction_that_has_ended_no_lock_is_implied(stage):
    writer = stage.trx()
    stage[20].writer, writer.active = writer, False
    assert stage.ask(stage.trx(), 20, "X", RECORD)


@pytest.mark.parametrize("policy", [WaitPolicy.NOWAIT, WaitPolicy.SKIP_LOCKED])
def test_who_does_not_wait_is_refused_and_leaves_nothing(stage, policy):
    one, waiter, other = stage.trx(), stage.trx(), stage.trx()
    stage.ask(one, 20, "S", RECORD)
    assert stage.locks.lock_record(other, stage[20], "S", RECORD, policy=policy) is Grant.NEW
    stage.locks.release_all(other)
    stage.ask(waiter, 20, "X", RECORD)
    with pytest.raises(NotGrantedError):
        stage.locks.lock_record(other, stage[20], "S", RECORD, policy=policy)
    assert other.locks.structures == []
    assert stage.locks.waits.started == 1


# --- the queue


def test_a_shared_request_waits_behind_an_exclusive_one_that_waits(stage):
    reader, writer, late = stage.trx(), stage.trx(), stage.trx()
    stage.ask(reader, 20, "S", RECORD)
    assert not stage.ask(writer, 20, "X", RECORD)
    assert not stage.ask(late, 20, "S", RECORD)
    assert stage.locks.blocking(late) == [writer]
    stage.locks.release_all(reader)
    assert (writer.locks.wait_lock, late.locks.blocking_trx) == (None, writer)


def test_who_waits_is_told_with_all_whom_it_waits_for(stage):
    readers, writer = [stage.trx() for _ in range(3)], stage.trx()
    for reader in readers:
        stage.ask(reader, 20, "S", RECORD)
    stage.ask(writer, 20, "X", RECORD)
    assert set(stage.locks.blocking(writer)) == set(readers)
    for reader in readers:
        assert writer.locks.wait_lock is not None
        stage.locks.release_all(reader)
    assert writer.locks.wait_lock is None
    assert stage.locks.blocking(writer) == []


def test_waiters_of_equal_weight_are_let_go_in_the_order_they_came(stage):
    queue = [stage.trx() for _ in range(5)]
    for trx in queue:
        stage.ask(trx, 20, "X", RECORD)
    for at, trx in enumerate(queue):
        assert [each.locks.wait_lock is None for each in queue[at:]] == [True, *[False] * (4 - at)]
        stage.locks.release_all(trx)
    assert stage.clear()


def test_all_shared_requests_are_let_go_at_once(stage):
    writer, *readers = (stage.trx() for _ in range(4))
    stage.ask(writer, 20, "X", RECORD)
    for trx in readers:
        stage.ask(trx, 20, "S", RECORD)
    stage.locks.release_all(writer)
    assert {trx.locks.wait_lock for trx in readers} == {None}


def test_who_holds_it_shared_passes_an_exclusive_request_that_waits_for_that(stage):
    one, other = stage.trx(), stage.trx()
    stage.ask(one, 20, "S", RECORD)
    assert not stage.ask(other, 20, "X", NEXT_KEY)
    assert stage.ask(one, 20, "X", RECORD)
    assert not stage.deadlocks
    stage.locks.release_all(one)
    assert other.locks.wait_lock is None


def test_who_holds_it_shared_does_not_pass_a_shared_request_that_waits(stage):
    one, other, reader = stage.trx(weight=9), stage.trx(weight=9), stage.trx()
    stage.ask(one, 20, "S", RECORD)
    assert not stage.ask(other, 20, "X", RECORD)
    assert not stage.ask(reader, 20, "S", RECORD)
    assert not stage.ask(one, 20, "X", RECORD)
    assert [victim for _, victim in stage.deadlocks] == [reader]


def test_an_intention_to_insert_passes_nobody_who_waits_for_the_gap_as_well(stage):
    one, other = stage.trx(), stage.trx()
    stage.ask(one, 20, "S", RECORD)
    assert not stage.ask(other, 20, "X", NEXT_KEY)
    assert not stage.ask(one, 20, "X", INSERT)
    assert [victim for _, victim in stage.deadlocks] == [other]


def test_an_intention_passes_a_request_for_the_record_alone(stage):
    one, other = stage.trx(), stage.trx()
    stage.ask(one, 20, "S", RECORD)
    assert not stage.ask(other, 20, "X", RECORD)
    assert stage.ask(one, 20, "X", INSERT)


def test_a_gap_is_had_past_an_intention_that_waits_which_then_waits_for_both(stage):
    one, inserter, late = stage.trx(), stage.trx(), stage.trx()
    stage.ask(one, 20, "X", GAP)
    assert not stage.ask(inserter, 20, "X", INSERT)
    assert stage.ask(late, 20, "S", GAP)
    stage.locks.release_all(one)
    assert inserter.locks.blocking_trx is late
    stage.locks.release_all(late)
    assert stage.held(inserter) == {("X", "insert intention", 20)}


def test_a_request_taken_back_lets_those_behind_it_go(stage):
    reader, writer, late = stage.trx(), stage.trx(), stage.trx()
    stage.ask(reader, 20, "S", RECORD)
    stage.ask(writer, 20, "X", RECORD)
    stage.ask(late, 20, "S", RECORD)
    stage.locks.cancel(writer.locks.wait_lock)
    assert (writer.locks.wait_lock, writer.locks.structures, late.locks.wait_lock) == (None, [], None)


def test_a_record_given_up_is_free_and_the_others_of_its_structure_are_not(stage):
    one, other = stage.trx(), stage.trx()
    for key in (10, 20):
        stage.ask(one, key, "X", RECORD)
    stage.ask(other, 10, "X", RECORD)
    stage.locks.unlock(one, stage[10], "X")
    assert other.locks.wait_lock is None
    assert stage.held(one) == {("X", "record", 20)}


def test_a_lock_that_was_waited_for_is_the_newest_of_the_queue_also_on_further_records(stage):
    holder, waiter, other = stage.trx(), stage.trx(), stage.trx()
    stage.ask(holder, 20, "X", RECORD)
    stage.ask(waiter, 20, "S", RECORD)
    stage.ask(other, 10, "S", RECORD)
    stage.locks.release_all(holder)
    stage.ask(waiter, 10, "S", RECORD)
    assert [lock.trx for lock in stage[10].locks] == [waiter, other]


def test_the_records_of_a_lock_are_released_in_the_order_in_which_they_were_inserted(stage):
    holder, *waiters = (stage.trx() for _ in range(4))
    for key in (30, 10, 20):
        stage.ask(holder, key, "X", RECORD)
    for key, trx in zip((30, 20, 10), waiters, strict=True):
        stage.ask(trx, key, "X", RECORD)
    stage.locks.release_all(holder)
    positions = [lock.queue_position for key in (10, 20, 30) for lock in stage[key].locks]
    assert positions == sorted(positions, reverse=True)  # the newest has the lowest


# --- records that come and go


def test_a_record_that_comes_splits_the_gaps_that_it_is_in(stage):
    gap, whole, row, end = (stage.trx() for _ in range(4))
    stage.ask(gap, 20, "S", GAP)
    stage.ask(row, 20, "X", RECORD)
    stage.ask(whole, 30, "X", NEXT_KEY)
    stage.ask(end, None, "X", NEXT_KEY)
    for key in (15, 25, 35):
        stage.locks.record_inserted(stage.index.insert((key,), (key,), None))
    assert stage.held(gap) == {("S", "gap", 20), ("S", "gap", 15)}
    assert stage.held(whole) == {("X", "next-key", 30), ("X", "gap", 25)}
    assert stage.held(row) == {("X", "record", 20)}
    assert stage.held(end) == {("X", "next-key", None), ("X", "gap", 35)}


def test_a_record_that_goes_leaves_its_locks_to_the_gap_and_who_waits_tries_again(stage):
    record, gap, waiter, reader = *(stage.trx() for _ in range(3)), stage.trx(level=Isolation.READ_COMMITTED)
    stage.ask(reader, 20, "S", RECORD)
    stage.ask(record, 20, "S", RECORD)
    stage.ask(gap, 20, "X", GAP)
    assert not stage.ask(waiter, 20, "X", NEXT_KEY)
    gone = stage[20]
    stage.index.remove(gone)
    stage.locks.record_removed(gone)
    assert (gone.locks, waiter.locks.wait_lock) == ([], None)
    assert [stage.held(each) for each in (record, gap, waiter, reader)] == [
        {("S", "gap", 30)},
        {("X", "gap", 30)},
        {("X", "gap", 30)},
        set(),
    ]


def test_at_read_committed_only_a_uniqueness_check_leaves_its_locks_to_the_gap(stage):
    checker = stage.trx(level=Isolation.READ_COMMITTED)
    checker.locks.inherit_all = True
    stage.ask(checker, 30, "S", NEXT_KEY)
    gone = stage[30]
    stage.index.remove(gone)
    stage.locks.record_removed(gone)
    assert stage.held(checker) == {("S", "next-key", None)}


# --- whatever is asked for and let go

REQUEST = st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 2, 3, None]), st.sampled_from(REQUESTS))
EVENT = st.one_of(REQUEST, REQUEST, REQUEST, st.tuples(st.sampled_from(["end", "cancel", "unlock"]), st.integers(0, 4)))


def in_order(stage):
    """No two granted locks conflict, everybody who waits has somebody to wait for, and nobody waits for himself."""
    for key in (0, 1, 2, 3, None):
        granted = [lock for lock in stage[key].locks if not lock.waiting]
        assert stage[key].locks[: len(granted)] == granted
        assert key is not None or all(lock.kind is not RECORD for lock in stage[key].locks)
        for one, other in itertools.combinations(granted, 2):
            if one.trx is not other.trx and INSERT not in (one.kind, other.kind):
                wanted, held = (one.mode, one.kind), (other.mode, other.kind)
                assert not conflict(wanted, held, supremum=key is None)
    for trx in stage.locks.waits.waiting:
        assert trx.locks.wait_lock in trx.locks.structures
        assert trx.locks.blocking_trx in stage.locks.blocking(trx)
        path = [trx]
        while path[-1].locks.blocking_trx is not None:
            assert path[-1].locks.blocking_trx not in path
            path.append(path[-1].locks.blocking_trx)
    return True


@settings(max_examples=300)
@given(events=st.lists(EVENT, max_size=60))
def test_no_granted_pair_conflicts_and_nobody_waits_for_nobody(events):
    stage = LockedIndex(0, 1, 2, 3)
    trxs = [stage.trx() for _ in range(5)]
    for event in events:
        if event[0] == "end" and trxs[event[1]].locks.wait_lock is None:
            stage.locks.release_all(trxs[event[1]])
            trxs[event[1]] = stage.trx()
        elif event[0] == "cancel" and trxs[event[1]].locks.wait_lock is not None:
            stage.locks.cancel(trxs[event[1]].locks.wait_lock)
        elif event[0] == "unlock" and trxs[event[1]].locks.wait_lock is None:
            stage.locks.unlock(trxs[event[1]], stage[1], "X")
        elif isinstance(event[0], int):
            at, key, (mode, kind) = event
            if trxs[at].locks.wait_lock is None and (key is not None or kind is not RECORD):
                stage.ask(trxs[at], key, mode, kind)
        for at, trx in enumerate(trxs):
            if trx.locks.wait_error is not None:
                stage.locks.release_all(trx)
                trxs[at] = stage.trx()
        assert in_order(stage)
    while trxs:
        ready = [trx for trx in trxs if trx.locks.wait_lock is None]
        assert ready
        stage.locks.release_all(ready[0])
        trxs.remove(ready[0])
        assert in_order(stage)
    assert stage.clear()
