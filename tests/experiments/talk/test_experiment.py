"""People talk while the database server is killed, again and again: what was acknowledged is there once, for both."""

import asyncio
import os
from collections import Counter
from functools import partial

import psutil
import pytest

from chatsim.experiments.checks import Word
from chatsim.experiments.history import Outcome
from chatsim.experiments.runner import run
from chatsim.experiments.talk.experiment import Talk
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.nodes import node_processes
from chatsim.worlds.mysql.settings import LOOPBACK, Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import BadParameterError, Sharing

FEW = 10
SEEDS = int(os.environ.get("CHATSIM_TEST_SEEDS", "50"))

whatever_the_seed = pytest.mark.parametrize(
    "seeds",
    [range(1, FEW + 1), pytest.param(range(FEW + 1, FEW + SEEDS + 1), marks=pytest.mark.slow)],
    ids=["a few", "many"],
)


def in_model(talk):
    return Model().run(talk.converse, seed=talk.seed)


@pytest.mark.needs("apt")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("crashes", "texts"), [(4, 20), pytest.param(20, 100, marks=pytest.mark.slow)])
async def test_a_server_that_is_killed_again_and_again_costs_no_text_and_doubles_none(tmp_path, crashes, texts):
    talk = Talk(pairs=2, texts=texts, crashes=crashes, pause=0.1, patience=120)
    async with MySQLWorld(Servers(mysql_via="unpacked", mysql_url=None)) as world:
        talked = await talk.converse(world, tmp_path)
    assert talked.anomalies == []
    assert (talked.crashes, len(talked.sent)) == (crashes, 4 * texts)


@pytest.mark.timeout(3_600)
@whatever_the_seed
def test_so_it_is_in_the_model(seeds):
    cut_off = 0
    for seed in seeds:
        talk = Talk(texts=8, crashes=2, down=0.3, seed=seed, patience=600)
        talked = in_model(talk)
        assert talked.anomalies == [], f"repeat with {talk}"
        assert (talked.crashes, len(talked.sent)) == (2, 16)
        cut_off += talked.cut_off
    assert cut_off > len(seeds) / 4  # they are killed in the middle of something, not in between


@pytest.mark.timeout(3_600)
@whatever_the_seed
def test_nor_do_kills_cost_a_recall_or_an_edit_in_the_model(seeds):
    kinds = Counter()
    for seed in seeds:
        talk = Talk(texts=8, changes=6, crashes=2, faults="database,node", down=0.3, seed=seed, patience=600)
        talked = in_model(talk)
        assert talked.anomalies == [], f"repeat with {talk}"
        assert (talked.crashes, len(talked.sent), len(talked.changes)) == (2, 16, 12)
        kinds.update(each.kind for each in talked.changes)
        assert {each.outcome for each in talked.changes} == {Outcome.OK}
    assert min(kinds["recall"], kinds["edit"]) > len(seeds)


@pytest.mark.timeout(3_600)
@whatever_the_seed
def test_nor_does_a_killed_node_or_redis_cost_a_text_or_leave_anybody_online_in_the_model(seeds):
    for seed in seeds:
        talk = Talk(texts=8, crashes=4, faults="node,redis", down=0.5, seed=seed, patience=600, lapses=True)
        talked = in_model(talk)
        assert talked.anomalies == [], f"repeat with {talk}"
        assert (talked.crashes, len(talked.sent)) == (4, 16)


@pytest.mark.needs("apt")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("crashes", "texts"), [(4, 15), pytest.param(40, 150, marks=pytest.mark.slow)])
async def test_kills_of_nodes_and_redis_cost_no_text_and_double_none_across_four_processes(
    tmp_path, mysql_url, monkeypatch, crashes, texts
):
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")  # a container can't be killed
    talk = Talk(pairs=2, texts=texts, nodes=4, crashes=crashes, faults="node,redis", pause=0.2, patience=120)
    async with MySQLWorld() as world:
        words = ["--tables", "hardened", "--host", LOOPBACK]
        url = await world.redis_url()
        sharing = Sharing("redis", "grpc")
        processes = partial(node_processes, world, nodes=4, port=0, words=words, redis_url=url, sharing=sharing)
        talked = await talk.converse(world, tmp_path, processes)
    assert talked.anomalies == []
    assert (talked.crashes, len(talked.sent)) == (crashes, 4 * texts)
    assert not [each for each in psutil.Process().children(recursive=True) if "chatsim" in each.cmdline()]


@pytest.mark.timeout(3_600)
def test_in_a_hundred_stories_some_commits_are_never_answered_and_no_text_is_doubled_for_that():
    unanswered = resent = 0
    for seed in range(1, 101):
        talked = in_model(Talk(texts=8, crashes=2, down=0.3, seed=seed, patience=600))
        assert talked.anomalies == [], f"repeat with seed {seed}"
        assert talked.lost_commits == 0
        unanswered += talked.unanswered
        resent += talked.resent
    assert unanswered > 0
    assert resent > 0


def killed_before_an_answer(what, times):
    """A talk in which a server is killed each time that a commit has taken effect and was not answered."""

    class Killed(Talk):
        async def _break(self, world, nodes, rng, talked):
            log = world.server.engine.log
            commit, begun = log.commit, asyncio.Queue()

            async def slow_commit(trx, take_effect):
                done = await commit(trx, take_effect)
                begun.put_nowait(None)
                await asyncio.sleep(1e-6)
                return done

            log.commit = slow_commit
            for _ in range(times):
                async with asyncio.timeout(60):
                    await begun.get()
                if what == "database":
                    await world.crash(self.down)
                else:
                    await asyncio.gather(*(nodes.crash(each, self.down) for each in range(self.nodes)))
                talked.crashes += 1
                while not begun.empty():
                    begun.get_nowait()
            log.commit = commit

    return Killed


@pytest.mark.parametrize("what", ["database", "node"])
def test_a_text_whose_commit_was_not_answered_is_sent_again_and_is_stored_once(what):
    talked = in_model(killed_before_an_answer(what, 3)(texts=20, pause=0.5, down=0.01, patience=600))
    assert (talked.anomalies, talked.crashes) == ([], 3)
    assert talked.unanswered >= 3
    assert talked.resent >= 3


def lossy(**settings):
    return Model(settings=tuple((name, str(value)) for name, value in settings.items()))


@pytest.mark.parametrize(
    ("fault", "settings", "loses"),
    [
        ("database", {"innodb_flush_log_at_trx_commit": 0}, True),
        ("database", {"innodb_flush_log_at_trx_commit": 2, "sync_binlog": 0}, False),
        ("host", {"innodb_flush_log_at_trx_commit": 2}, True),
        ("host", {"sync_binlog": 0}, True),
        ("host", {}, False),
    ],
)
def test_what_a_crash_costs_is_up_to_the_settings(fault, settings, loses):
    # the times of texts are such that some were stored within the second of the crash
    talk = Talk(texts=8, crashes=2, down=0.3, faults=fault, patience=10)
    talked = lossy(**settings).run(talk.converse, seed=talk.seed)
    assert (talked.lost_commits > 0) is loses
    assert any(each.kind == "lost" for each in talked.anomalies) is loses
    assert (talked.verdict().word is Word.SAFE) is not loses


def test_one_seed_is_one_story():
    talk = Talk(texts=5, changes=4, crashes=2, down=0.3, seed=3)
    assert in_model(talk) == in_model(talk)


def tampering(change):
    """A talk at whose end somebody changes the tables behind everybody's back."""

    class Tampered(Talk):
        async def _break(self, world, nodes, rng, talked):
            while (await world.admin.execute("SELECT COUNT(*) FROM chat_message")).scalar() < 2 * self.texts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await world.admin.script(change)

    return Tampered


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("DELETE FROM chat_message WHERE seq = 4", "was sent, and is not stored"),
        ("UPDATE chat_message SET content = 'forged' WHERE seq = 4", "is stored, and nobody sent it"),
        ("UPDATE chat_message SET seq = 11 WHERE seq = 4", "has not what is stored of thread"),
    ],
)
@pytest.mark.parametrize("changes", [0, 3])
def test_what_is_wrong_is_found(change, finding, changes):
    talked = in_model(tampering(change)(texts=5, changes=changes, crashes=0, patience=5))
    assert any(finding in each.sentence for each in talked.anomalies)
    verdict = talked.verdict()
    assert (verdict.word, verdict.anomalies) == (Word.UNSAFE, tuple(talked.anomalies))


# --- as an experiment


def test_its_result_is_a_row_with_what_was_sent_killed_and_found():
    result = asyncio.run(run(Talk(pairs=2, texts=4, crashes=2, faults="database, node"), "model", progress=False))
    (row,) = result.rows()
    assert (row["faults"], row["sent"], row["crashes"], row["anomalies"]) == ("database/node", 16, 2, 0)
    assert (row["verdict"], row["why"]) == (
        "safe",
        "each of 16 texts is stored once, and both members have it, in order",
    )
    assert row["seconds"] > 0
    (variant,) = result.variants
    assert {each.kind for each in variant.operations} == {"send"}
    assert {each.client for each in variant.operations} == {1, 2, 3, 4}
    assert [*result.table().columns] == [*Talk.shown.values()]


@pytest.mark.needs("apt")
def test_so_it_is_on_a_mysql_that_is_killed():
    there = Servers(mysql_via="unpacked", mysql_url=None, profile="quick")
    result = asyncio.run(run(Talk(texts=5, changes=4, crashes=1), there, progress=False))
    (row,) = result.rows()
    assert (row["world"], row["sent"], row["changes"], row["crashes"], row["verdict"]) == ("mysql", 10, 8, 1, "safe")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"faults": "disk"}, "unknown faults 'disk'; there are: database, host, redis, node"),
        ({"faults": ()}, "faults is empty; name at least one"),
        ({"pause": -1}, "pause is -1; it must be a number from 0 to 3,600 seconds"),
        ({"lapses": 1}, "lapses is 1; it must be True or False"),
        ({"crashes": -1}, "crashes is -1; it must be a whole number of at least 0"),
        ({"changes": -1}, "changes is -1; it must be a whole number of at least 0"),
        ({"nodes": 0}, "nodes is 0; it must be a whole number of at least 1"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters, sentence):
    with pytest.raises(BadParameterError) as raised:
        Talk(**parameters)
    assert str(raised.value) == sentence
