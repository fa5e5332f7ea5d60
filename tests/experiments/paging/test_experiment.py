"""What a page costs, and whether anything is missed: the same in both worlds."""

import asyncio

import pytest

import chatsim
from chatsim.chat.paging import STRATEGIES
from chatsim.chat.paging.strategy import Page, paging_strategy
from chatsim.chat.strategies import StrategyError, UnknownStrategyError
from chatsim.experiments.paging.experiment import Pages, _Remembering
from chatsim.experiments.paging.plans import PLANS, compared
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.stale_schemas import drop_stale_schemas
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import BadParameterError

PAGE = 10
SMALL = {"existing": [30, 400], "page_size": PAGE, "rounds": 2, "writers": "none,inserts,deletes,all"}
KEYS = {
    *("strategy", "what", "world", "engine", "server_version", "existing", "depth", "writers", "page_size"),
    *("index_reads", "indexes", "temporary_rows", "rows_examined", "round_trips", "bytes", "p50_ms", "p99_ms"),
    *("messages_per_s", "stack_per_s", "skipped", "repeated", "disordered", "verdict", "why", "plan"),
}


def run(world, **parameters):
    return asyncio.run(chatsim.pages(world=world, progress=False, **parameters))


@pytest.fixture(scope="module")
def results(mysql_url):
    """By world and list: one run of all strategies."""
    there = chatsim.MySQL(mysql_url=mysql_url)
    yield {
        (name, what): run(world, what=what, **SMALL)
        for name, world in (("mysql", there), ("model", "model"))
        for what in STRATEGIES
    }
    asyncio.run(drop_stale_schemas(mysql_url))


def cell(result, name, **where):
    """The one value that the rows have there."""
    (value,) = {row[name] for row in result.rows() if all(row[key] == each for key, each in where.items())}
    return value


both_worlds = pytest.mark.parametrize("world", ["mysql", "model"])
both_lists = pytest.mark.parametrize("what", [*STRATEGIES])


@both_worlds
@both_lists
def test_there_is_a_row_for_each_strategy_length_depth_and_kind_of_writers(results, world, what):
    result = results[world, what]
    assert all(set(row) >= KEYS for row in result.rows())
    assert len(result.rows()) == len(STRATEGIES[what]) * 2 * 3 * 4
    assert {(row["world"], row["what"], row["page_size"], row["round_trips"] > 0) for row in result.rows()} == {
        (world, what, PAGE, True)
    }


@both_lists
def test_both_worlds_find_the_same_wrong_with_each_strategy(results, what):
    def judged(world):
        names = ("strategy", "existing", "depth", "writers", "skipped", "repeated", "disordered", "verdict", "why")
        return [tuple(row[name] for name in names) for row in results[world, what].rows()]

    assert judged("mysql") == judged("model")


@both_lists
def test_both_worlds_send_the_same_bytes_in_as_many_round_trips(results, what):
    def costs(world):
        # the source's zeros, which stand for no user, are a DECIMAL on the server
        rows = [row for row in results[world, what].rows() if row["strategy"] != "source_cte"]
        return [(row["strategy"], row["bytes"], row["round_trips"]) for row in rows]

    assert costs("mysql") == costs("model")


@both_worlds
@pytest.mark.parametrize(
    ("what", "strategies"),
    [
        ("threads", ["union_limited", "three_ranges", "by_activity"]),
        ("history", ["keyset", "keyset_newest_first", "by_time_and_id"]),
    ],
)
def test_a_page_costs_at_most_four_times_what_it_shows_wherever_it_is(results, world, what, strategies):
    reads = {row["index_reads"] for row in results[world, what].rows() if row["strategy"] in strategies}
    assert max(reads) <= 4 * PAGE


@both_worlds
@pytest.mark.parametrize("depth", ["first", "middle"])
def test_the_rows_examined_are_those_of_the_page_alone(results, world, depth):
    found = cell(results[world, "history"], "rows_examined", strategy="keyset", existing=400, depth=depth)
    assert found == PAGE + 1


@both_worlds
def test_the_sources_query_reads_all_that_is_left(results, world):
    first, middle, last = (
        cell(results[world, "threads"], "index_reads", strategy="source_cte", existing=400, depth=depth, writers="none")
        for depth in ("first", "middle", "last")
    )
    assert first >= 400
    assert first > middle >= 200 > last


@both_worlds
def test_an_offset_reads_all_that_lies_before(results, world):
    for what, at_first in (("threads", 3 * (PAGE + 1)), ("history", PAGE + 1)):
        result = results[world, what]
        reads = [
            cell(result, "index_reads", strategy="offset", existing=400, depth=depth, writers="none")
            for depth in ("first", "last")
        ]
        assert reads[0] == at_first
        assert reads[1] >= 400


@both_worlds
def test_who_pages_by_offset_meets_entries_again_or_never(results, world):
    threads, history = results[world, "threads"], results[world, "history"]
    for result in (threads, history):
        assert cell(result, "verdict", strategy="offset", writers="none") == "not tested"
        assert cell(result, "repeated", strategy="offset", writers="inserts") > 0
        assert cell(result, "skipped", strategy="offset", writers="deletes") > 0


@both_worlds
def test_who_pages_by_time_skips_even_when_nobody_writes_and_with_the_id_does_not(results, world):
    result = results[world, "history"]
    assert cell(result, "skipped", strategy="by_time", writers="none") > 0
    assert {row["verdict"] for row in result.rows() if row["strategy"] == "by_time_and_id"} == {"not tested", "safe"}


@both_worlds
def test_the_others_are_safe_whatever_happens(results, world):
    rows = [row for what in STRATEGIES for row in results[world, what].rows()]
    assert {row["strategy"] for row in rows if row["verdict"] not in ("safe", "not tested")} == {"offset", "by_time"}
    assert {row["writers"] for row in rows if row["verdict"] == "not tested"} == {"none"}


@both_lists
def test_mysql_reads_the_indexes_that_the_model_believes_it_does(results, what):
    for row in results["mysql", what].rows():
        plans = PLANS[what][row["strategy"]]
        assert any(plan.issuperset(row["indexes"]) for plan in plans), (row["strategy"], row["indexes"])
        assert row["plan"] == "the server's"


@both_lists
def test_the_model_says_where_mysql_may_read_others(results, what):
    said = {row["strategy"]: row["plan"] for row in results["model", what].rows()}
    cte = said.pop("source_cte", None)
    assert set(said.values()) == {"as on MySQL"}
    if what == "threads":
        assert cte.startswith("MySQL may read group_chat_member.idx_user_threads, private_chat by position")
    assert compared(what, "mine", ["t.PRIMARY"]) == "not known on MySQL"
    assert compared("history", "keyset", ["chat_message.PRIMARY"]) == "MySQL reads chat_message.idx_thread_message"


@both_worlds
@pytest.mark.parametrize(("what", "spoken"), [("threads", "three_ranges"), ("history", "keyset")])
def test_what_nodes_speak_is_measured_through_them_too(results, world, what, spoken):
    through = {row["strategy"] for row in results[world, what].rows() if row["stack_per_s"]}
    assert through == {spoken}


async def test_each_statement_of_a_script_is_remembered_with_its_own_arguments():
    class Nothing:
        async def script(self, sql, args):
            return []

    session = _Remembering(Nothing())
    await session.script("SELECT 'a;b?', ?; SELECT ? -- ;\n, 2", (1, 2))
    assert session.asked == [("SELECT 'a;b?', ?", [1]), ("SELECT ? -- ;\n, 2", [2])]


def test_the_plan_of_each_page_is_kept(results):
    notes = results["mysql", "threads"].notes
    assert {name for name in notes if name.startswith("plan-")} == {
        f"plan-{name}-{depth}" for name in STRATEGIES["threads"] for depth in ("first", "middle", "last")
    }
    first = notes["plan-union_limited-first"]
    assert "of private_chat.idx_private_user1_thread" in first
    assert "ORDER BY thread_id LIMIT ?" in first
    assert "actual time=" in first
    assert notes["plan-three_ranges-first"].count("actual time=") >= 3
    assert "actual time=" not in results["model", "threads"].notes["plan-union_limited-first"]


@both_worlds
def test_what_by_activity_costs_the_writer_is_kept(results, world):
    said = results[world, "threads"].notes["price-by_activity"].splitlines()
    assert said[1].startswith("2 members: 2 rows written and ")
    assert ", 6 and " in said[1]
    assert said[2].startswith("500 members: 2 rows written and ")
    assert ", 1,002 and " in said[2]
    assert "price-by_activity" not in results[world, "history"].notes


def test_the_figure_has_axes_for_each_depth(results, tmp_path):
    result = results["mysql", "threads"]
    figure = result.plot()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["first page", "middle page", "last page"]
    assert {ax.get_xscale() for ax in figure.axes} == {"log"}
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    marks = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines}
    for size in (30, 400):
        assert marks[f"{size} entries"] == [
            cell(result, "index_reads", strategy=name, existing=size, depth="first") for name in names
        ]
    home = result.save(tmp_path / "result")
    assert (home / "summary.png").exists()
    assert (home / "note-plan-offset-last.txt").exists()


def test_in_the_model_a_run_repeats_itself():
    rows = [
        run("model", what="history", existing=50, page_size=5, rounds=2, writers="all", seed=seed).rows()
        for seed in (3, 3, 4)
    ]
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


# --- lists that are kept


def kept_and_read(url, loads, *, contents="some"):
    async def load(admin):
        loads.append(contents)
        await admin.execute("INSERT INTO user_id VALUES (7)")

    async def main():
        async with MySQLWorld(chatsim.MySQL(mysql_url=url)) as world:
            own = world.schema
            async with (
                world.stocked("hardened", contents, load),
                world.database(1) as database,
                database.session() as tx,
            ):
                rows = (await tx.execute("SELECT id FROM user_id")).rows
                kept = world.schema
            assert world.schema == own
            await world.install("source")
            return kept, own, list(rows)

    return asyncio.run(main())


def test_on_a_server_that_goes_on_lists_are_loaded_once_and_kept(mysql_url, schemas):
    loads = []
    first, second = (kept_and_read(mysql_url, loads) for _ in range(2))
    assert loads == ["some"]
    assert first[0] == second[0] != first[1]
    assert first[2] == second[2] == [(7,)]
    assert first[0] in schemas()
    other = kept_and_read(mysql_url, loads, contents="more")
    assert loads == ["some", "more"]
    assert other[0] != first[0]
    dropped = asyncio.run(drop_stale_schemas(mysql_url))
    assert {first[0], other[0]} <= {*dropped}


def test_what_was_not_loaded_to_its_end_is_loaded_again(mysql_url):
    async def fails(admin):
        raise RuntimeError("interrupted")

    async def main():
        async with MySQLWorld() as world:
            with pytest.raises(RuntimeError, match="interrupted"):
                async with world.stocked("hardened", "some", fails):
                    pass

    asyncio.run(main())
    loads = []
    kept_and_read(mysql_url, loads)
    assert loads == ["some"]
    asyncio.run(drop_stale_schemas(mysql_url))


# --- parameters


@paging_strategy("history")
async def never_ends(tx, of, cursor, size):
    """Bets that the client gives up."""
    return Page([(1, 1, "", "")], cursor, more=True)


def test_a_strategy_of_ones_own_can_be_wrong():
    result = run("model", what="history", strategies=[never_ends], existing=20, page_size=5, rounds=1, writers="none")
    assert {(row["verdict"], row["why"]) for row in result.rows()} == {
        ("unsafe", "after 36 pages of a list of 52 there was still more")
    }


def test_a_strategy_of_ones_own_can_be_broken():
    @paging_strategy("history")
    async def broken(tx, of, cursor, size):
        return []

    with pytest.raises(StrategyError, match=r"strategy 'broken' returned \[\], which is no Page"):
        run("model", what="history", strategies=broken, existing=20, rounds=1)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"existing": 0}, "existing is 0; it must be a whole number of at least 1"),
        ({"existing": [10, -3]}, "existing is -3; it must be a whole number of at least 1"),
        ({"existing": []}, "existing is empty; name at least one"),
        ({"page_size": 0}, "page_size is 0; it must be a whole number of at least 1"),
        ({"rounds": 0}, "rounds is 0; it must be a whole number of at least 1"),
        ({"depths": "deep"}, "unknown depths 'deep'; there are: first, middle, last"),
        ({"writers": "two"}, "unknown writers 'two'; there are: none, inserts, deletes, activity, all"),
        ({"strategies": []}, "strategies is empty; name at least one"),
        ({"strategies": "offset,offset"}, "strategies are told apart by name; offset is there twice"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters, said):
    with pytest.raises(BadParameterError) as raised:
        Pages(**parameters)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("strategies", "sentence"),
    [
        (never_ends, "strategy 'never_ends' pages history, not threads"),
        ("keyset", "unknown paging strategy 'keyset' of threads; there are: source_cte, offset, "),
        (5, "5 is no strategy; there are: source_cte, offset, "),
        ([None], "None is no strategy; there are: source_cte, offset, "),
        (len, r"'len' is no strategy yet; put @chatsim\.paging_strategy\(\"threads\"\) above its function"),
    ],
)
def test_a_strategy_of_the_other_list_or_of_none_is_named(strategies, sentence):
    with pytest.raises(UnknownStrategyError, match=f"^{sentence}"):
        Pages(what="threads", strategies=strategies)


def test_a_list_that_there_is_not_is_named():
    with pytest.raises(UnknownStrategyError, match="unknown list 'friends'; there are: threads, history"):
        Pages(what="friends")


def test_seconds_pass_in_the_model_only_as_its_costs_say(tmp_path):
    costs = tmp_path / "costs.toml"
    costs.write_text('[network.link]\nlatency = { kind = "constant", seconds = 250e-6 }\n', encoding="utf-8")

    result = run(
        Model(costs),
        what="history",
        strategies="keyset",
        existing=100,
        page_size=10,
        rounds=20,
        writers="none",
    )
    p50 = {row["depth"]: row["p50_ms"] for row in result.rows()}
    assert p50["first"] == pytest.approx(p50["middle"]) == pytest.approx(p50["last"], rel=0.05)
