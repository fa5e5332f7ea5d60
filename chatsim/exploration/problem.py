"""What is explored: the tables, the callers, and the server on which one execution is carried out after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatsim.exploration.callers import Caller
from chatsim.exploration.choices import Switches
from chatsim.exploration.stepped_loop import SteppedLoop
from chatsim.exploration.suspended import Plans
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.rewinding import Rewinding
from chatsim.innodb.server.session import EngineSession

__all__ = ["EPOCH", "FIRST_ID", "Problem", "Server", "Setup"]

EPOCH = 1_700_000_000
"""The time of the server's clock, in seconds: it stands still."""

FIRST_ID = 1_000_000_000
"""Where AUTO_INCREMENT values begin that are opaque: there are few numbers of ten digits that are something else."""


@dataclass(frozen=True)
class Setup:
    """What is there before the callers begin.

    Attributes:
        script: the statements that make the tables and their rows, in order.
    """

    script: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """What an exploration runs.

    Attributes:
        setup: what is there before.
        callers: who goes through it.
        switches: what may happen besides.
        opaque_ids: whether AUTO_INCREMENT values, which then begin at `FIRST_ID`, are only passed on and compared with
            each other, by all statements and programs. Then states are equal that differ only in what these values are,
            and not in their order.
    """

    setup: Setup
    callers: tuple[Caller, ...]
    switches: Switches = field(default_factory=Switches)
    opaque_ids: bool = False


class Server:
    """The server of one execution after the other, each of which begins with what the setup has made.

    Args:
        problem: what is run.

    Attributes:
        loop: where the callers run.
        plans: what its statements have been prepared to.

    Raises:
        DatabaseError: a statement of the setup fails.
        NotImplementedError: the model does not know one.
    """

    def __init__(self, problem: Problem) -> None:
        self._setup = problem.setup
        self.loop = SteppedLoop()  # type: ignore[abstract]  # what is missing needs the real world
        self._make()

    def start(self) -> Engine:
        """The server as it is at first."""
        if self.redefined:
            self._make()
        self._rewinding.rewind()
        return self._engine

    @property
    def redefined(self) -> bool:
        """Whether tables, views or triggers have been created, dropped or changed."""
        return not self._rewinding.possible

    def _make(self) -> None:
        self._engine = Engine(lambda: float(EPOCH), purges=False)
        self.plans = Plans(self._engine.prepared)
        self.loop.complete(self._set_up())
        self._rewinding = Rewinding(self._engine)

    async def _set_up(self) -> None:
        admin = EngineSession(self._engine)
        for sql in self._setup.script:
            await admin.run(sql)
        admin.close()
        while self._engine.purge():
            pass
        for table in self._engine.tables.values():
            table.analyze()
