"""``chatsim.fidelity``: predicted beside measured, for settings that no cost was fitted to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.chat.creation import named
from chatsim.experiments.calibration.calibrate import Calibration, calibrated
from chatsim.experiments.creation import workload
from chatsim.experiments.fidelity.beside import beside
from chatsim.experiments.fidelity.cases import Case, Selection, Values, measured, predicted
from chatsim.experiments.fidelity.judging import Comparison, Judgement, compared, judged, ranking, widened
from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.surroundings import OtherLoad, describe_machine
from chatsim.progress import Progress
from chatsim.worlds.choice import choose
from chatsim.worlds.notebook import in_one_message, starts_when_awaited
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from chatsim.worlds.model.settings import Model
    from chatsim.worlds.mysql.settings import Servers
    from chatsim.worlds.world import World

__all__ = ["Fidelity", "fidelity"]

BUSY = 0.1
"""A machine on which other programs take more cores than this is too busy to judge by it."""

STRATEGIES = (
    "for_update",
    "for_update_read_committed",
    "insert_first",
    "insert_ignore",
    "one_round_trip",
    "look_first",
)
CLIENTS = (3, 12, 48)


@dataclass(frozen=True, repr=False)
class Fidelity:
    """Predictions beside measurements.

    Attributes:
        calibration: the costs that the model had.
        comparisons: one for each measure of each point.
        families: by name of a case, what it is, whatever the number of clients.
        environment: the server, the machine and the software.
        runs: how often everything was measured, and predicted.
        other_load: the cores that other programs took while it was measured; None if that is not known.
        beside: what else was predicted from the same measurements: rows with ``case``, ``variant``, and the relative
            error of the throughput by the model and by each other way; None where a way can't predict it.
    """

    calibration: Calibration
    comparisons: Sequence[Comparison]
    families: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    runs: tuple[int, int] = (1, 1)
    other_load: float | None = None
    beside: Sequence[Mapping[str, object]] = ()

    @property
    def judgements(self) -> list[Judgement]:
        """What is said of each measure."""
        return judged(self.comparisons)

    @property
    def by_family(self) -> dict[str, list[Comparison]]:
        """The comparisons of each experiment and layer, whatever the number of clients."""
        found: dict[str, list[Comparison]] = {}
        for each in self.comparisons:
            found.setdefault(self.families[each.point[0]], []).append(each)
        return found

    @property
    def is_busy(self) -> bool:
        """Whether other programs have kept the machine so busy that the measurements say little about the server."""
        return self.other_load is not None and self.other_load > BUSY

    @property
    def ranking(self) -> dict[tuple[str, str], float]:
        """Kendall's tau between the predicted and the measured order of strategies, by case and rest of the key."""
        return ranking(self.comparisons)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each measure of each point: measured with its spread, predicted with its interval, the error."""
        import pandas as pd

        return pd.DataFrame([_row(each) for each in self.comparisons])

    def summary(self) -> pd.DataFrame:
        """A row for each measure of each experiment: how many points were judged, the median error, the coverage."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "experiment": family,
                    "measure": each.measure,
                    "judged": each.judged,
                    "not judged": each.left_out,
                    "median error": each.error,
                    "within 90 % interval": each.coverage,
                    "spread": each.spread,
                    "met": each.met,
                }
                for family, comparisons in self.by_family.items()
                for each in judged(comparisons)
            ]
        )

    def baselines(self) -> pd.DataFrame:
        """The median relative error of the throughput: of the model, and of other ways to predict it.

        They are the Universal Scalability Law and straight lines through the throughput at other numbers of clients,
        and mean value analysis with the calibrated costs; see `chatsim.experiments.fidelity.baselines`.
        """
        import pandas as pd

        errors = pd.DataFrame(self.beside).drop(columns=["case", "variant"], errors="ignore").astype(float)
        return errors.median().to_frame("error").T

    def plot(self) -> Figure:
        """Draw predicted against measured, with the line on which they are equal, and a tenth on either side."""
        from chatsim import figures

        return figures.predictions(self.table, caption=self.conditions())

    def save(self, folder: Path | str) -> Path:
        """Write ``fidelity.csv``, ``summary.csv``, ``fidelity.png`` and ``costs.toml`` into a folder."""
        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        self.table.to_csv(home / "fidelity.csv", index=False)
        self.summary().to_csv(home / "summary.csv", index=False)
        self.plot().savefig(home / "fidelity.png", dpi=150)
        self.calibration.save(home / "costs.toml")
        return home

    def conditions(self) -> str:
        """How it was measured, in words."""
        server = " ".join(str(self.environment.get(name)) for name in ("engine", "server_version"))
        load = "" if self.other_load is None else f", other programs took {self.other_load:.2f} cores"
        measured_, predicted_ = self.runs
        return f"{server}, {self.calibration.cores} cores{load}; {measured_} runs measured, {predicted_} predicted"

    def __repr__(self) -> str:
        return f"{self.conditions()}\n{self.summary().to_string(index=False)}"


def _row(each: Comparison) -> dict[str, object]:
    low, high = each.interval
    return {
        "case": each.point[0],
        "variant": each.variant,
        "measure": each.measure,
        "measured": each.measured,
        "spread": each.spread,
        "predicted": each.predicted,
        "low": low,
        "high": high,
        "error": None if each.why_not == "too seldom" else each.error,
        "within": each.within,
        "not judged": each.why_not,
    }


@starts_when_awaited
async def fidelity(
    *,
    world: str | Servers | Model = "mysql",
    experiments: Sequence[str] = ("race",),
    layers: Sequence[str] = ("store",),
    strategies: Sequence[str] = STRATEGIES,
    patterns: Sequence[str] = ("same_pair", "strangers"),
    clients: Sequence[int] = CLIENTS,
    fitted_clients: Sequence[int] = (),
    operations: int = 600,
    nodes: int = 2,
    pool: int | None = None,
    repeats: int = 3,
    predictions: int = 10,
    calibration: Calibration | None = None,
    busy: bool = False,
    progress: bool = True,
) -> Fidelity:
    """Calibrate the model on a MySQL of this machine, and compare what it predicts with what the server does.

    What is compared is not what the costs are fitted to. Each setting is measured several times, in turns with the
    others, and predicted several times, with costs drawn from their uncertainty.

    Args:
        world: which MySQL; or a `Model`, to see what it would be if the model were true.
        experiments: what is compared: ``race``, ``pages``, ``catchup``, ``delivery``.
        layers: ``store``, straight on the database; ``stack``, with clients, wire and chat servers before it. Delivery
            has only the latter.
        strategies: the creation strategies of races, by name.
        patterns: who asks for which pair, in races.
        clients: the numbers of callers of a race, of writers of a catch-up, and of pairs of a delivery. A page is read
            by one reader.
        fitted_clients: other numbers, which are measured for the other ways to predict, and predicted to know how far
            off the model is: its intervals are as wide. Without them there are neither.
        operations: about how many there are of each variant in a run; for a p99 it takes 500.
        nodes: the chat servers of a race or a delivery through the stack.
        pool: the connections of each of these; what the experiment takes by itself, if it is not given.
        repeats: how often everything is measured.
        predictions: how often everything is predicted.
        calibration: costs that were measured before; they are measured now if it is not given.
        busy: whether to judge also when other programs keep the machine busy.
        progress: whether to show progress bars.

    Raises:
        BadParameterError: a parameter is invalid.
        WorldError: the server is not available; its processor time can't be seen from here; the machine is busy.
    """
    named(list(strategies))
    for name, value in (("operations", operations), ("repeats", repeats), ("predictions", predictions)):
        if value < 1:
            raise BadParameterError(f"{name} is {value}; it must be a whole number of at least 1")
    if unknown := [each for each in patterns if each not in workload.PATTERNS]:
        raise BadParameterError(f"unknown pattern {unknown[0]!r}; there are: {', '.join(workload.PATTERNS)}")
    if both := {*clients} & {*fitted_clients}:
        raise BadParameterError(f"fitted_clients has {min(both)}, which is to be predicted")
    selection = Selection(experiments, layers, strategies, patterns, operations, nodes, pool)
    cases = selection.cases(clients)
    others = [case for case in selection.cases(fitted_clients) if case.clients]
    for case in (*cases, *others):
        case.made(1)
    bars = Progress(shown=progress)
    found: list[tuple[Calibration, list[Values], Mapping[str, object], float | None]] = []

    async def main(there: World) -> None:
        costs = calibration or await calibrated(there, bars)
        load = OtherLoad()
        runs = await _measured(there, [*cases, *others], repeats, bars)
        found.append((costs, runs, there.environment, load.cores()))

    with in_one_message():
        await choose(world).run_beside(main, seed=1)
        costs, runs, environment, load = found[-1]
        if load is not None and load > BUSY and not busy:
            raise WorldError(
                f"other programs took {load:.2f} cores of this machine meanwhile: what was measured says little about"
                " the server; wait until they have ended, or say that it may be busy"
            )
        said = await asyncio.to_thread(_predicted, costs, [*cases, *others], predictions, bars)
    predictable, known = {case.name for case in cases}, compared(runs, said)
    comparisons = widened(
        [each for each in known if each.point[0] in predictable],
        [each for each in known if each.point[0] not in predictable],
    )
    return Fidelity(
        costs,
        comparisons,
        {case.name: case.family for case in cases},
        describe_machine() | dict(environment),
        (repeats, predictions),
        load,
        [*beside(costs, cases, others, runs, comparisons)],
    )


async def _measured(world: World, cases: Sequence[Case], repeats: int, progress: Progress) -> list[Values]:
    """The measures of all cases, one run of everything after the other."""
    runs = []
    with progress.bar(repeats * len(cases), "case", "measured") as bar:
        for repeat in range(repeats):
            values: Values = {}
            for case in cases:
                values |= await measured(world, case, 1 + repeat)
                bar.update()
            runs.append(values)
    return runs


def _predicted(calibration: Calibration, cases: Sequence[Case], count: int, progress: Progress) -> list[Values]:
    runs = []
    with progress.bar(count * len(cases), "case", "predicted") as bar:
        for number in range(count):
            costs = calibration.drawn(number) if count > 1 else calibration.costs
            values: Values = {}
            for case in cases:
                values |= predicted(case, costs, 1 + number)
                bar.update()
            runs.append(values)
    return runs
