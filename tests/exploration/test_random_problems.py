"""Problems drawn at random: merged states and left-out orders change nothing that can be compared."""

from random import Random

import pytest
from exploration.books import explored

TABLES = """
CREATE TABLE t (id INT PRIMARY KEY, k INT, v INT NOT NULL DEFAULT 0, UNIQUE KEY k (k));
CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, t INT NOT NULL, n INT, KEY n (n),
  FOREIGN KEY (t) REFERENCES t (id) ON DELETE CASCADE);
INSERT INTO t VALUES (10, 1, 0), (20, 2, 0), (30, 5, 0);
INSERT INTO u (t, n) VALUES (10, 3), (20, 7);
"""
STATEMENTS = (
    "SELECT v FROM t WHERE id = {id}",
    "SELECT v FROM t WHERE k > {k} FOR UPDATE",
    "SELECT v, k INTO @v, @k FROM t WHERE id = {id} FOR SHARE",
    "SELECT id FROM u WHERE n = {k} FOR UPDATE SKIP LOCKED",
    "UPDATE t SET v = v + 1 WHERE id = {id}",
    "UPDATE t SET v = COALESCE(@v, 0) + 1 WHERE k = {k}",
    "UPDATE t SET k = {k} WHERE id = {id}",
    "UPDATE u SET n = n + 1 WHERE n > {k}",
    "DELETE FROM t WHERE k = {k}",
    "DELETE FROM u WHERE n >= {k}",
    "INSERT INTO t VALUES ({id} + 5, {k}, 1)",
    "INSERT INTO t VALUES ({id}, {k}, 1) ON DUPLICATE KEY UPDATE v = v + 10",
    "INSERT IGNORE INTO t VALUES ({id} + 1, {k}, 1)",
    "INSERT INTO u (t, n) VALUES ({id}, {k})",
    "INSERT INTO u (t, n) SELECT id, k FROM t WHERE k >= {k}",
    "REPLACE INTO t VALUES ({id}, {k}, 3)",
    "SELECT LAST_INSERT_ID()",
    "SELECT GET_LOCK('a', 5)",
    "DO RELEASE_ALL_LOCKS()",
)


def drawn(seed, most):
    """A problem of two callers, or of three with one statement each, who may be alike."""
    chance = Random(seed)
    count = chance.choice([2, 2, 3])
    text = TABLES
    for number in range(1 if (alike := chance.random() < 0.3) else count):
        body = [
            chance.choice(STATEMENTS).format(id=chance.choice([10, 20, 30]), k=chance.choice([1, 2, 3, 5]))
            for _ in range(chance.randint(1, most) if count == 2 else 1)
        ]
        text += f"\n-- transaction t{number}\n" + ";\n".join(body) + ";"
    level = chance.choice(["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    return text, level, count if alike else None


def compared(seed, most, **how):
    text, level, copies = drawn(seed, most)
    merged = explored(text, level, copies=copies, retries=1, **how)
    alone = explored(text, level, copies=copies, retries=1, merges=False, **how)
    pruned = explored(text, level, copies=copies, retries=1, prunes=True, **how)
    assert merged.interleavings == alone.interleavings == alone.ends
    assert (merged.longest, merged.retries) == (alone.longest, alone.retries)
    for one in (merged, pruned):
        assert one.verdicts == alone.verdicts
        assert set(one.outcomes) == set(alone.outcomes)
        assert set(one.deadlocks) == set(alone.deadlocks)
    assert pruned.ends == merged.ends
    assert pruned.states <= merged.states


@pytest.mark.parametrize("seed", range(12))
def test_every_interleaving_alone_gives_the_same(seed):
    compared(seed, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_every_interleaving_of_longer_transactions_gives_the_same(seed):
    compared(seed, 3)


@pytest.mark.parametrize("seed", range(200, 206))
def test_every_interleaving_within_statements_gives_the_same(seed):
    compared(seed, 1, inside=True)
