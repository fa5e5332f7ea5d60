"""One runner for all: beside a notebook's event loop, or in this thread; what was found is kept, whatever ends it."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import ClassVar

import pytest

from chatsim.chat.creation import creation_strategy
from chatsim.chat.strategies import StrategyError
from chatsim.experiments.base import Experiment
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.parameters import Whole, parameter
from chatsim.experiments.runner import function, run, run_here
from chatsim.experiments.variant import Variant
from chatsim.simulation.determinism import DivergenceError
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import BadParameterError


@dataclass(frozen=True, kw_only=True)
class Counting(Experiment):
    """Count in the world's time.

    A second paragraph.
    """

    name = "counting"
    title = "Counting"
    shown: ClassVar = {"number": "number", "at": "at"}

    most: int = parameter(3, Whole(0), "how far")
    fails: int | None = parameter(None, Whole(0), "at which number it is interrupted")

    @staticmethod
    def draw(table, caption):
        raise NotImplementedError

    async def measure(self, world, result, progress):
        with progress.bar(self.most, "number") as bar:
            for number in range(self.most):
                if number == self.fails:
                    raise KeyboardInterrupt
                await asyncio.sleep(1)
                bar.update()
                result.add(Variant({"number": number}, {"at": asyncio.get_running_loop().time()}))


counting = function(Counting)


def numbers(result):
    return [each["number"] for each in result.variants]


async def test_in_the_model_it_runs_beside_the_event_loop_of_a_notebook():
    result = await run(Counting(), "model", progress=False)
    assert [(each["number"], each["at"]) for each in result.variants] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert result.config == {
        "experiment": "counting",
        "world": "model",
        "most": 3,
        "fails": None,
        "repeats": 1,
        "seed": 1,
    }
    assert {"chatsim", "python", "cores", "started", "engine", "server_version"} <= {*result.environment}


def test_in_this_thread_it_runs_to_its_end():
    result = Counting().result("model")
    assert run_here(Counting(), Model(), result, progress=False) is None
    assert numbers(result) == [0, 1, 2]


def test_what_was_found_before_ctrl_c_is_kept():
    result = Counting(fails=2).result("model")
    with pytest.raises(KeyboardInterrupt):
        run_here(Counting(fails=2), Model(), result, progress=False)
    assert numbers(result) == [0, 1]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_strategy_that_would_end_the_program_is_named_and_the_variants_that_had_finished_are_kept(end, caplog):
    @creation_strategy()
    async def interrupted(tx, low, high):
        raise end

    race = Race(strategies=["upsert", "insert_ignore", interrupted], clients=2, rounds=2)
    result = race.result("model")
    with pytest.raises(StrategyError, match=f"^strategy 'interrupted' raised {end.__name__} "):
        run_here(race, Model(), result, progress=False)
    assert not caplog.records
    # in this order, with the default seed
    assert [each["strategy"] for each in result.variants] == ["upsert", "insert_ignore"]
    assert all(len(each.operations) == 4 for each in result.variants)


def test_a_run_that_is_repeated_to_see_whether_it_repeats_itself_is_reported_once():
    result = Counting().result("model")
    run_here(Counting(), Model(check_determinism=True), result, progress=False)
    assert numbers(result) == [0, 1, 2]


def test_what_does_not_repeat_itself_is_found():
    runs = []

    class Restless(Counting):
        async def measure(self, world, result, progress):
            runs.append(1)
            await asyncio.sleep(len(runs))

    with pytest.raises(DivergenceError):
        run_here(Restless(), Model(check_determinism=True), Restless().result("model"), progress=False)


# --- the function


async def test_the_function_is_the_experiment_in_a_world():
    result = await counting(world="model", most=2, progress=False)
    assert numbers(result) == [0, 1]
    assert inspect.iscoroutinefunction(inspect.unwrap(counting))


@pytest.mark.parametrize("world", ["nope", "", None, 3, Counting])
async def test_an_unknown_world_is_named_with_those_there_are(world):
    with pytest.raises(BadParameterError) as raised:
        await counting(world=world)
    assert str(raised.value) == f"unknown world {world!r}; there are: mysql, model"


async def test_a_parameter_that_makes_no_sense_is_refused_before_any_world_is_made():
    with pytest.raises(BadParameterError, match="most is -1; it must be a whole number of at least 0"):
        await counting(world="nope", most=-1)


async def test_a_parameter_that_there_is_not_is_an_ordinary_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'mots'"):
        await counting(world="model", mots=2)
    with pytest.raises(TypeError, match="positional"):
        await counting("model")


def test_its_signature_and_docstring_come_from_the_declaration():
    assert str(inspect.signature(counting)).startswith("(*, world: 'str | MySQL | Model' = 'mysql', most: ")
    assert inspect.getdoc(counting).splitlines()[:3] == ["Count in the world's time.", "", "A second paragraph."]
    assert "    most: how far; a whole number of at least 0." in inspect.getdoc(counting)
    assert "    BadParameterError: a parameter is invalid" in inspect.getdoc(counting)


# --- progress


async def test_progress_is_shown_unless_it_is_not_wanted(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    await counting(world="model")
    assert "/3 [" in capsys.readouterr().err
    await counting(world="model", progress=False)
    assert capsys.readouterr() == ("", "")
