"""The cases that are predicted and measured: an experiment with parameters, of which each variant has measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.chat.paging import DEFAULTS
from chatsim.chat.server.stats import Stats
from chatsim.experiments.base import Experiment
from chatsim.experiments.measures import measures
from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.result import Result
from chatsim.experiments.sweeping.setting import experiment_class
from chatsim.experiments.variant import Variant, number
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import World

__all__ = [
    "COUNTS",
    "EXPERIMENTS",
    "LAYERS",
    "MEASURES",
    "Case",
    "Point",
    "Selection",
    "Values",
    "measured",
    "predicted",
]

_LATENCIES = ("p50_ms", "p95_ms", "p99_ms")
_REFUSALS = ("deadlocks_per_op", "retries_per_op")
_CATCH_UP = ("first_screen_ms", "caught_up_ms")

MEASURES = ("goodput_per_s", *_LATENCIES, *_REFUSALS, "lock_waits_per_op", *_CATCH_UP)
"""What is compared."""

COUNTS = ("round_trips_per_op", "statements_per_op", "rows_examined_per_op")
"""What an operation asks of the database."""

LAYERS = {"store": "", "stack": " through the stack"}
"""The layers: straight on the database; or clients, wire and chat servers in front of it. Their words in a name."""

Point = tuple[str, tuple[str, ...]]
"""A case and one of its variants: the case's name; what is ranked among others, and the rest of the variant's key."""

Values = dict[Point, dict[str, float]]
"""The measures of one run of a case, by point; those that are known."""


@dataclass(frozen=True)
class Case:
    """An experiment with parameters.

    Attributes:
        family: what it is, whatever the number of clients, such as ``race through the stack``.
        clients: how many clients it has; 0 if that does not vary.
        experiment: the experiment's name.
        parameters: those that are not the defaults.
        ranked: the columns of a variant's key that name what is ranked: strategies, cursors, protocols.
        rest: its other columns that are shown.
        measures: those that it has.
        renamed: measures that have another name in the experiment, by their name here.
        kind: the kind of the operations that give the measures which the experiment does not have.
        clients_are: what the clients are, in words.
    """

    family: str
    clients: int
    experiment: str
    parameters: Mapping[str, object] = field(repr=False)
    ranked: tuple[str, ...] = ("strategy",)
    rest: tuple[str, ...] = ()
    measures: tuple[str, ...] = MEASURES
    renamed: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    clients_are: str = "clients"

    @property
    def name(self) -> str:
        """In words, such as ``race, 12 clients``."""
        return f"{self.family}, {self.clients} {self.clients_are}" if self.clients else self.family

    def made(self, seed: int) -> Experiment:
        """The experiment, with a seed. Raises `BadParameterError`."""
        return experiment_class(self.experiment)(**{**self.parameters, "seed": seed})  # type: ignore[arg-type]

    def values(self, result: Result) -> Values:
        """The measures of a result, by point. A variant without any of them is left out."""
        found = {self._point(each): self._known(each) for each in result.variants}
        return {point: known for point, known in found.items() if known}

    def _point(self, variant: Variant) -> Point:
        ranked = ", ".join(str(variant.key[name]) for name in self.ranked)
        return self.name, (ranked, *(str(variant.key[name]) for name in self.rest))

    def _known(self, variant: Variant) -> dict[str, float]:
        own = [each for each in variant.operations if each.kind == self.kind]
        found = {**(measures(own, variant.window_s, Stats(), None) if own else {}), **variant.measures}
        known = {name: number(found.get(self.renamed.get(name, name))) for name in (*self.measures, *COUNTS)}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Selection:
    """Which cases there are.

    Attributes:
        experiments: names in `EXPERIMENTS`.
        layers: names in `LAYERS`.
        strategies: creation strategies, of a race.
        patterns: who asks for which pair, in a race.
        operations: about how many there are of each variant in a run.
        nodes: the chat servers of a race or a delivery through the stack.
        pool: the connections of each of these; None is what the experiment takes by itself.
    """

    experiments: Sequence[str]
    layers: Sequence[str]
    strategies: Sequence[str]
    patterns: Sequence[str]
    operations: int
    nodes: int
    pool: int | None

    def __post_init__(self) -> None:
        for name, given, known in (("experiment", self.experiments, EXPERIMENTS), ("layer", self.layers, LAYERS)):
            if not given:
                raise BadParameterError(f"there is no {name}")
            if unknown := [each for each in given if each not in known]:
                raise BadParameterError(f"unknown {name} {unknown[0]!r}; there are: {', '.join(known)}")
        if "delivery" in self.experiments and "stack" not in self.layers:
            raise BadParameterError("delivery is measured through the stack; add the layer stack")

    def cases(self, clients: Sequence[int]) -> list[Case]:
        """The cases with each number of clients. Those without a number of clients are there whatever it is."""
        return [
            case
            for name in self.experiments
            for layer in self.layers
            for case in EXPERIMENTS[name](self, layer, clients)
        ]

    @property
    def servers(self) -> dict[str, object]:
        """The parameters of the chat servers."""
        given: dict[str, int | None] = {"nodes": self.nodes, "pool": self.pool}
        return {name: value for name, value in given.items() if value is not None}


_WARM_UP = 5
"""What each caller does before it is measured: the first operations of a server find neither tables nor pages open."""


def _race(selection: Selection, layer: str, clients: Sequence[int]) -> Iterator[Case]:
    for count in clients:
        parameters = {
            "strategies": ",".join(selection.strategies),
            "pattern": [*selection.patterns],
            "layer": layer,
            "clients": count,
            "rounds": max(4, selection.operations // max(1, count)),
            "warm_up_rounds": _WARM_UP,
            **(selection.servers if layer == "stack" else {}),
        }
        yield Case(f"race{LAYERS[layer]}", count, "race", parameters, rest=("pattern",))


_ENTRIES, _PAGE = 300, 30
"""The length of the lists that are paged, and of a page: there are pages that read all, and others that read little."""


def _pages(selection: Selection, layer: str, _: Sequence[int]) -> Iterator[Case]:
    """The first and the last page of each kind of list. Goodput is in entries. Nodes have a strategy of their own."""
    renamed = {"goodput_per_s": "messages_per_s"}
    if layer == "stack":
        renamed = {"goodput_per_s": "stack_per_s", **{name: f"stack_{name}" for name in _LATENCIES}}
    for what in ("threads", "history"):
        parameters = {
            "what": what,
            "strategies": "all" if layer == "store" else DEFAULTS[what].name,
            "existing": _ENTRIES,
            "page_size": _PAGE,
            "depths": "first,last",
            "writers": "none",
            "rounds": selection.operations,
        }
        yield Case(
            f"pages of {what}{LAYERS[layer]}",
            0,
            "pages",
            parameters,
            rest=("depth",),
            measures=("goodput_per_s", *_LATENCIES),
            renamed=renamed,
        )


_THREADS, _MISSED = 20, 20
"""What a client that was away has missed."""


def _catchup(selection: Selection, layer: str, clients: Sequence[int]) -> Iterator[Case]:
    """With the layer store: so many write, and one reads. With the layer stack: one comes back, and nobody writes."""
    if layer == "stack":
        away = {"protocols": "source,pipelined,bulk", "threads": _THREADS, "missed": _MISSED, "rtt": 0}
        yield Case("catch-up through the stack", 0, "catchup", away, ranked=("protocol", "cursor"), measures=_CATCH_UP)
        return
    for count in clients:
        direct = {
            "protocols": "direct",
            "threads": 1,
            "missed": selection.operations,
            "writers": count,
            "writer_rtt": 0,
        }
        yield Case(
            "catch-up",
            count,
            "catchup",
            direct,
            ranked=("cursor",),
            measures=("goodput_per_s", *_LATENCIES, *_REFUSALS),
            kind="write",
            clients_are="writers",
        )


def _delivery(selection: Selection, layer: str, clients: Sequence[int]) -> Iterator[Case]:
    """Texts between pairs, on one chat server and across two: there is nothing to rank, and no layer store."""
    for count in clients if layer == "stack" else ():
        parameters = {
            "pairs": count,
            "texts": max(10, selection.operations // max(1, count)),
            "presence": "process",
            "peers": "process",
            **selection.servers,
        }
        yield Case(
            "delivery",
            count,
            "delivery",
            parameters,
            ranked=(),
            rest=("path", "hop"),
            measures=("goodput_per_s", *_LATENCIES),
            kind="send",
            clients_are="pairs",
        )


EXPERIMENTS: Mapping[str, Callable[[Selection, str, Sequence[int]], Iterator[Case]]] = {
    "race": _race,
    "pages": _pages,
    "catchup": _catchup,
    "delivery": _delivery,
}
"""The experiments that can be predicted and measured, and their cases in a layer with some numbers of clients."""


async def measured(world: World, case: Case, seed: int) -> Values:
    """Run a case in a world."""
    experiment = case.made(seed)
    result = experiment.result(world.name)
    await experiment.run(world, result)
    return case.values(result)


def predicted(case: Case, costs: Mapping[str, object], seed: int) -> Values:
    """Run a case in the model with these costs."""
    experiment = case.made(seed)
    result = experiment.result("model")
    Model(costs=costs).run(lambda there: experiment.run(there, result), seed=seed)
    return case.values(result)
