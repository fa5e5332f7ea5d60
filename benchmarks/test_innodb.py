"""The modelled InnoDB by itself: how many locks it hands out in a second, how many schedules it plays."""

from __future__ import annotations

from pathlib import Path

from chatsim.conformance import model_player as schedules
from chatsim.conformance.files import read
from chatsim.db.deadlock import LockKind
from chatsim.db.session import Isolation
from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.structures import Index, Transaction

ROWS, TRANSACTIONS = 1_000, 20
CORPUS = Path(__file__).parent.parent / "tests" / "conformance" / "schedules"


def test_20_transactions_lock_1000_records(benchmark, sized):
    """Next-key locks in S by twenty transactions on a thousand records each, then all released: 20,000 requests.

    Per 20,000 requests. The limit: a lookup in a dict, and a new object for each lock.
    """
    index = Index(IndexDefinition("PRIMARY", (0,), unique=True, clustered=True, place=(0,)))
    records = [index.insert((number,), (number,), None) for number in range(sized(ROWS, 100))]

    def lock_and_release():
        locks = LockSystem(lambda *_: None)
        crowd = [Transaction(number, Isolation.REPEATABLE_READ) for number in range(TRANSACTIONS)]
        for trx in crowd:
            for record in records:
                locks.lock_record(trx, record, "S", LockKind.NEXT_KEY)
        for trx in crowd:
            locks.release_all(trx)
        return locks.requests

    requests = benchmark(lock_and_release)
    benchmark.extra_info["lock_requests"] = requests
    benchmark.extra_info["requests_per_s"] = round(requests / benchmark.stats.stats.mean)


def test_the_recorded_schedules_are_played(benchmark, sized):
    """The written part of the conformance suite, each schedule on an engine of its own; per all of them.

    The limit: making the tables, and preparing each statement, which nothing else plays again.
    """
    corpus = [read(path) for path in sorted(CORPUS.rglob("*.json"))[:: sized(1, 50)]]
    benchmark.pedantic(lambda: [schedules.play(each) for each in corpus], rounds=sized(3, 1))
    benchmark.extra_info["schedules_per_s"] = round(len(corpus) / benchmark.stats.stats.mean)
