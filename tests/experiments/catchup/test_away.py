"""A login after being away, through the stack: what it costs, what it must not depend on, what is missing."""

import asyncio
from dataclasses import replace

import pytest

from chatsim.experiments.catchup.away import Away
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import Distance

NEAR = Distance(0.0)
FAR = Distance(0.05)
BULK = Away("bulk", "user_version", FAR, threads=12, missed=30)
SOURCE = Away("source", "message_id", FAR, threads=12, missed=30)
PAIRS = [(name, cursor) for name, protocol in PROTOCOLS.items() for cursor in protocol.cursors]


def row(found):
    """What was measured, and the verdict."""
    measures, verdict, _ = found
    return {**measures, "verdict": verdict.word, "why": verdict.why}


def in_model(away):
    return row(Model().run(away.run, seed=1))


def on_mysql(away):
    async def body():
        async with MySQLWorld() as world:
            return row(await away.run(world))

    return asyncio.run(body())


def counts(row, *names):
    return {name: row[name] for name in names}


# --- what is there in the end


@pytest.mark.parametrize(("protocol", "cursor"), PAIRS)
@pytest.mark.parametrize("run", [in_model, on_mysql])
def test_everything_that_was_missed_is_there_once(run, protocol, cursor, mysql_url):
    got = run(Away(protocol, cursor, NEAR, threads=12, missed=25, quiet=3, history=2))
    assert counts(got, "lost", "repeated", "verdict") == {"lost": 0, "repeated": 0, "verdict": "not tested"}
    assert got["why"] == "nobody wrote meanwhile; ask for two writers or more"


@pytest.mark.parametrize("run", [in_model, on_mysql])
@pytest.mark.parametrize(("protocol", "cursor"), [pair for pair in PAIRS if pair[1] != "message_id"])
def test_nor_is_anything_lost_that_others_write_meanwhile(run, protocol, cursor, mysql_url):
    got = run(Away(protocol, cursor, Distance(0.005), threads=3, missed=10, writers=6))
    assert got["written"] > 0
    assert counts(got, "lost", "refused", "verdict") == {"lost": 0, "refused": 0, "verdict": "safe"}
    assert got["why"] == f"every one of {30 + got['written']} acknowledged messages is in the reader's store"


def test_what_is_missing_is_counted_and_named():
    class Forgetful(Away):
        """A run at whose end somebody has taken three messages out of the tables before the reader looked."""

        async def run(self, world):
            world.admin.execute = _after(
                "ANALYZE", world.admin, "DELETE FROM chat_message WHERE message_id IN (5, 6, 9)"
            )
            return await super().run(world)

    got = in_model(Forgetful("source", "message_id", NEAR, threads=2, missed=5))
    assert counts(got, "lost", "verdict") == {"lost": 3, "verdict": "unsafe"}
    assert got["why"] == "3 of 10 acknowledged messages are not in the reader's store, the first is 5"


def _after(begin, session, then):
    execute = session.execute

    async def also(sql, args=()):
        done = await execute(sql, args)
        if sql.startswith(begin):
            await execute(then)
        return done

    return also


def test_a_writer_that_is_refused_is_an_error():
    class Expelled(Away):
        """A run in which one of the writers is no member of the thread that it writes into."""

        async def run(self, world):
            world.admin.execute = _after(
                "ANALYZE", world.admin, "UPDATE private_chat SET user2_id = 99 WHERE thread_id = 2"
            )
            return await super().run(world)

    got = in_model(Expelled("source", "message_id_locked", NEAR, threads=2, missed=5, writers=2))
    assert got["verdict"] == "errors"
    assert got["refused"] == 1
    assert got["why"]


# --- what it takes


def test_the_source_asks_once_for_the_list_and_once_for_each_ten_messages_of_a_thread():
    got = in_model(SOURCE)
    assert counts(got, "round_trips", "requests") == {"round_trips": 37, "requests": 37}  # 1 + 12 * 3
    assert got["caught_up_ms"] > 37 * 50


def test_and_one_more_for_each_thread_that_is_quiet():
    assert in_model(replace(SOURCE, quiet=7))["round_trips"] == 37 + 7


@pytest.mark.parametrize(("threads", "missed", "trips"), [(3, 10, 1 + 3), (3, 11, 1 + 3 * 2), (3, 50, 1 + 3 * 5)])
def test_so_a_hundred_threads_of_fifty_are_501_round_trips(threads, missed, trips):
    assert in_model(replace(SOURCE, threads=threads, missed=missed))["round_trips"] == trips


def test_wide_pages_are_one_round_trip_a_thread_and_pipelined_ones_wait_for_nobody():
    wide, pipelined = (in_model(replace(SOURCE, protocol=name)) for name in ("wide_pages", "pipelined"))
    assert counts(wide, "round_trips", "requests") == {"round_trips": 13, "requests": 13}
    assert counts(pipelined, "round_trips", "requests") == {"round_trips": 2, "requests": 13}


@pytest.mark.parametrize("away", [BULK, replace(BULK, threads=60, missed=120)])
@pytest.mark.parametrize("run", [in_model, on_mysql])
def test_bulk_is_two_round_trips_however_much_it_is(run, away, mysql_url):
    assert run(replace(away, distance=NEAR))["round_trips"] == 2


def test_the_first_screen_of_bulk_is_there_within_two_round_trips_and_what_it_weighs():
    got = in_model(replace(BULK, threads=40, missed=100))
    assert 2 * 50 <= got["first_screen_ms"] < 3 * 50 < got["caught_up_ms"] + 50
    assert got["first_screen_ms"] < got["caught_up_ms"]


def test_the_lower_bound_is_a_round_trip_and_the_bytes_over_the_bandwidth():
    got = in_model(replace(BULK, distance=Distance(0.05, 1e6)))
    assert got["lower_bound_ms"] == pytest.approx(50 + got["bytes"] / 1e6 * 1e3)
    assert got["lower_bound_ms"] < got["caught_up_ms"] < 2 * got["lower_bound_ms"]


def test_connecting_and_logging_in_are_told_apart():
    got = in_model(BULK)
    assert got["connect_ms"] >= 50
    assert got["login_ms"] >= 50


# --- what it does not depend on


@pytest.mark.parametrize("run", [in_model, on_mysql])
def test_quiet_threads_and_history_cost_bulk_nothing(run, mysql_url):
    away = replace(BULK, distance=NEAR, threads=5, missed=5)
    for few, many in (({"quiet": 150}, {"quiet": 300}), ({"history": 30}, {"history": 60})):
        costs = [
            counts(run(replace(away, **more)), "round_trips", "requests", "statements", "rows_examined", "lost")
            for more in (few, many)
        ]
        assert costs[0] == costs[1]


def test_nor_do_they_weigh_anything_but_longer_numbers():
    away = replace(BULK, threads=5, missed=5)
    bare, among_quiet = (in_model(each)["bytes"] for each in (away, replace(away, quiet=300)))
    assert 0 <= among_quiet - bare < 10 * 5 * 5


def test_the_sources_way_pays_for_each_quiet_thread():
    few, many = (in_model(replace(SOURCE, distance=NEAR, threads=5, missed=5, quiet=quiet)) for quiet in (0, 50))
    assert many["round_trips"] == few["round_trips"] + 50
    assert many["bytes"] > few["bytes"]


def test_one_seed_is_one_row():
    away = replace(BULK, writers=3, threads=4)
    assert in_model(away) == in_model(away)
