"""How the model is set up, as a value, and a run in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from chatsim.innodb.server.durability import Durability
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from chatsim.worlds.model.world import ModelWorld

__all__ = ["Model"]

T = TypeVar("T")

_DURABILITY = {
    "log_bin": "log_bin",
    "sync_binlog": "sync_binlog",
    "innodb_flush_log_at_trx_commit": "flush_log_at_trx_commit",
}


@dataclass(frozen=True)
class Model:
    """How a run in the model is set up.

    Attributes:
        costs: a TOML file with costs, or its content as a mapping. The defaults are used for everything that it does
            not contain.
        check_determinism: run twice, and stop where the second run differs from the first.
        settings: system variables of the database server, with their values: ``log_bin``, ``sync_binlog`` and
            ``innodb_flush_log_at_trx_commit``. The defaults are MySQL's: 1.
        name: of the world.

    Raises:
        BadParameterError: the model has no such variable, or not that value.
    """

    name: ClassVar[str] = "model"

    costs: Path | str | Mapping[str, object] | None = None
    check_determinism: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        self._durability()

    def _durability(self) -> Durability:
        values = {}
        for name, value in self.settings:
            if name not in _DURABILITY:
                raise BadParameterError(f"unknown setting {name!r}; the model's server has: {', '.join(_DURABILITY)}")
            if not str(value).isdecimal():
                raise BadParameterError(f"{name} is {value!r}; it must be a whole number")
            values[_DURABILITY[name]] = int(value)
        try:
            return Durability(**values)
        except ValueError as error:
            raise BadParameterError(str(error)) from error

    def alone(self) -> Model:
        """The same: nobody else is in it."""
        return self

    def announcement(self) -> None:
        """None: nothing has to be said of it before a run."""

    def run(self, main: Callable[[ModelWorld], Awaitable[T]], *, seed: int) -> T:
        """Run ``main`` on a new world, in virtual time, to its end. The thread is blocked meanwhile.

        Args:
            main: the experiment. It is called twice if determinism is checked.
            seed: of everything that the world draws.

        Raises:
            WorldError: the costs can't be read.
            DivergenceError: the run does not repeat itself.
        """
        from chatsim.simulation.determinism import run_twice
        from chatsim.simulation.loop import run
        from chatsim.worlds.model.world import ModelWorld

        costs = ModelCosts.read(self.costs)

        async def body() -> Any:
            return await main(ModelWorld(costs, seed=seed, durability=self._durability()))

        result: T = run_twice(body) if self.check_determinism else run(body())
        return result

    async def run_beside(self, main: Callable[[ModelWorld], Awaitable[T]], *, seed: int) -> T:
        """As `run`, in a thread of its own, so that the running event loop goes on. It ends soon if it is cancelled."""
        from chatsim.simulation.thread import in_thread

        return await in_thread(partial(self.run, seed=seed), main)
