"""In a real Jupyter kernel: an interrupt ends a run at once, an error is one message, and `await` is asked for."""

import pytest
from kernels import kernel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

STRATEGIES = """
import time
from chatsim.chat.creation import STRATEGIES

@chatsim.creation_strategy()
async def repeats(tx, low, high):
    print("HERE", flush=True)
    while True:
        await tx.execute("SELECT 1")

@chatsim.creation_strategy()
async def spins(tx, low, high):
    print("HERE", flush=True)
    while True: pass

@chatsim.creation_strategy()
async def divides(tx, low, high):
    await tx.begin()
    return low / 0

@chatsim.creation_strategy()
async def misspelt(tx, low, high):
    return (await tx.execute("SELECT tread_id FROM private_chat")).scalar()

@chatsim.creation_strategy()
async def miscounts(tx, low, high):
    return (await tx.execute("SELECT ?, ?", (low,))).scalar()

@chatsim.creation_strategy()
async def sleeps(tx, low, high):
    await tx.begin()
    time.sleep(0.02)
    await tx.commit()
    return 1

@chatsim.creation_strategy()
async def interrupts(tx, low, high):
    raise KeyboardInterrupt

@chatsim.paging_strategy("history")
async def turns(tx, of, cursor, size):
    return cursor["page"]
"""


@pytest.fixture(scope="module")
def cell(tmp_path_factory, mysql_url):
    """A function that executes a cell."""
    with kernel(tmp_path_factory.mktemp("notebook")) as made:
        made.run(f"import os; os.environ['CHATSIM_MYSQL_URL'] = {mysql_url!r}")
        shown = made.run(STRATEGIES)
        assert not shown.traceback
        yield made.run


@pytest.mark.parametrize("world", ["mysql", "model"])
def test_an_interrupt_ends_a_run_and_what_had_finished_is_shown_and_kept(cell, world):
    # in this order, with this seed
    parameters = f"strategies=['one_round_trip', repeats], clients=4, rounds=5, seed=1, world={world!r}"
    shown = cell(f"await chatsim.race({parameters})", interrupt_at="HERE")
    assert shown.traceback == ["Interrupted; what had finished is above, and in the variable _."]
    assert shown.seconds < 10
    (table,) = shown.displays
    assert "one_round_trip" in table["text/html"]
    assert cell("print(*[each['strategy'] for each in _.variants])").streams == "one_round_trip\n"
    assert "simulation" not in cell("import threading; print([each.name for each in threading.enumerate()])").streams


def test_an_interrupt_ends_a_strategy_that_never_waits(cell):
    shown = cell("await chatsim.race(strategies=[spins], world='model')", interrupt_at="HERE")
    assert shown.traceback == ["Interrupted; nothing had finished."]
    assert shown.seconds < 10


@pytest.mark.parametrize("layer", ["store", "stack"])
@pytest.mark.parametrize("world", ["mysql", "model"])
@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("divides", "strategy 'divides' raised ZeroDivisionError: division by zero (In[3], line 18: return low / 0)"),
        (
            "misspelt",
            "strategy 'misspelt' has a wrong statement, error 1054: Unknown column 'tread_id' in 'field list' in:",
        ),
        (
            "miscounts",
            "strategy 'miscounts' raised ValueError: 1 arguments for 2 placeholders in: SELECT ?, ? (In[3], line",
        ),
        ("sleeps", "strategy 'sleeps' blocks everybody: it ran for "),
        ("interrupts", "strategy 'interrupts' raised KeyboardInterrupt (In[3], line 37: raise KeyboardInterrupt)"),
    ],
)
def test_a_wrong_strategy_is_one_message(cell, world, strategy, message, layer):
    shown = cell(f"await chatsim.race(strategies=[{strategy}], layer={layer!r}, clients=8, rounds=5, world={world!r})")
    (line,) = shown.traceback
    assert line.startswith(f"StrategyError: {message}")
    assert "In[3], " in line
    assert shown.streams == ""
    assert cell("print(1 + 1)").streams == "2\n"


def test_a_wrong_paging_strategy_is_one_message_too(cell):
    shown = cell("await chatsim.pages(what='history', strategies=[turns], existing=20, world='model')")
    (line,) = shown.traceback
    assert line.startswith(
        "StrategyError: strategy 'turns' raised TypeError: 'NoneType' object is not subscriptable (In[3], "
    )


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "await chatsim.race(strategies='nope')",
            "UnknownStrategyError: unknown creation strategy 'nope'; there are: ",
        ),
        ("await chatsim.race(strategy='upsert')", "TypeError: got an unexpected keyword argument 'strategy'"),
        ("await chatsim.race(clients=0)", "BadParameterError: clients is 0; "),
        ("await chatsim.play('nonsense', world='model')", "BadScheduleError: "),
        (
            "chatsim.run(chatsim.race())",
            "RuntimeError: an event loop is running here, as in every notebook; write: await ch",
        ),
        (
            "chatsim.race().plot()",
            "AttributeError: no 'plot' yet: chatsim.race has not run yet; write: await chatsim.race(",
        ),
    ],
)
def test_what_is_wrong_in_a_call_is_one_message(cell, code, line):
    (shown,) = cell(code).traceback
    assert shown.startswith(line)


@pytest.mark.parametrize("name", ["race", "pages", "catchup", "delivery", "talk", "anomalies"])
def test_a_run_without_await_asks_for_it(cell, name):
    shown = cell(f"chatsim.{name}()")
    assert shown.streams == ""
    assert [each["text/plain"] for each in shown.displays] == [
        f"chatsim.{name} has not run yet; write: await chatsim.{name}(...)"
    ]
