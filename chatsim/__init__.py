"""chatsim: a laboratory for chat back ends on MySQL.

Experiments:

- `race`: which locking strategy gives two callers one private chat, and at what price
- `pages`: what a page of a list costs, and whether a reader misses anything
- `delivery`: how soon a text is acknowledged, pushed and read, on one server and across two
- `catchup`: how a client that was away catches up: how soon, at what price, and whether it has everything then
- `mix`: what a mixed load of creations, texts, pages and catch-ups costs, and whether anything is lost
- `sweep`: an experiment in the model with many settings: where each strategy reaches its limit
- `Sweep`: what that returns
- `sensitivity`: which cost of the model matters for which figure
- `Sensitivity`: what that returns
- `run`: runs an experiment where no event loop is running, in a script
- `talk`: whether anything is lost while people talk and servers are killed
- `Result`: what an experiment returns
- `load`: loads a result that was saved
- `compare`: how two results differ, with intervals over repetitions
- `Comparison`: what that returns
- `figures`: pictures of results and of deadlocks

Strategies:

- `strategies`: the creation strategies that are shipped
- `creation_strategy`: makes a creation strategy of a coroutine function of yours
- `paging_strategies`: the paging strategies that are shipped
- `paging_strategy`: makes a paging strategy of a coroutine function of yours
- `Page`: what a paging strategy returns
- `Session`: a connection to the database, which a strategy gets

Where it runs:

- `MySQL`: which MySQL to run on, if not the first that is found
- `Model`: how the model is set up: what things cost in it
- `calibrate`: measures what things cost on a MySQL of this machine, for the model
- `Calibration`: what that returns
- `fidelity`: what the calibrated model predicts, beside what a MySQL of this machine does
- `Fidelity`: what that returns

Scripts of several sessions:

- `play`: runs a script, step by step, and shows the locks after each step
- `Schedule`: such a script
- `deadlocks`: reads all deadlocks of a pasted report or an error log, and counts them by kind
- `Deadlock`: one of them, explained; `Deadlock.read` reads the latest one of a text
- `anomalies`: which anomaly happens at which isolation level, tried out
- `AnomalyMatrix`: what that returns

- `explore`: runs callers in every order that their locks allow: a proof, or the shortest interleaving that goes wrong

Errors:

- `BadParameterError`: a parameter is invalid
- `UnknownStrategyError`: there is no strategy of that name
- `StrategyError`: a strategy is broken
- `BadScheduleError`: a script can't be read
- `NoDeadlockError`: a text has no deadlock in it
- `WorldError`: a server is not available, or can't do what an experiment needs
- `DivergenceError`: a run in the model did not repeat itself
- `DatabaseError`: a database has refused a statement; the five below are kinds of it
- `DeadlockError`: the transaction was the victim of a deadlock and is gone
- `LockWaitTimeoutError`: a statement waited too long for a lock
- `DuplicateKeyError`: a row with that key exists
- `LockNotAvailableError`: a lock was held, and the statement had said NOWAIT
- `ConnectionLostError`: the connection broke; whether the last statement took effect is unknown
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatsim import figures
    from chatsim.chat.creation import creation_strategy
    from chatsim.chat.paging.strategy import Page, paging_strategy
    from chatsim.chat.strategies import StrategyError, UnknownStrategyError
    from chatsim.conformance.anomaly_matrix import AnomalyMatrix, anomalies
    from chatsim.conformance.play import play
    from chatsim.conformance.schedule import BadScheduleError, Schedule
    from chatsim.db.deadlock import Deadlock
    from chatsim.db.deadlock_report.reader import NoDeadlockError, deadlocks
    from chatsim.db.errors import (
        ConnectionLostError,
        DatabaseError,
        DeadlockError,
        DuplicateKeyError,
        LockNotAvailableError,
        LockWaitTimeoutError,
    )
    from chatsim.db.session import Session
    from chatsim.experiments.calibration.calibrate import Calibration, calibrate
    from chatsim.experiments.comparison import Comparison, compare
    from chatsim.experiments.exploring.exploring import explore
    from chatsim.experiments.fidelity.fidelity import Fidelity, fidelity
    from chatsim.experiments.functions import (
        catchup,
        delivery,
        mix,
        pages,
        paging_strategies,
        race,
        run,
        strategies,
        talk,
    )
    from chatsim.experiments.result import Result
    from chatsim.experiments.saved import load
    from chatsim.experiments.sweeping.sensitivity import Sensitivity, sensitivity
    from chatsim.experiments.sweeping.sweep import Sweep, sweep
    from chatsim.simulation.determinism import DivergenceError
    from chatsim.worlds.model.settings import Model
    from chatsim.worlds.mysql.settings import Servers as MySQL
    from chatsim.worlds.world import BadParameterError, WorldError

    __version__: str

__all__ = [
    "AnomalyMatrix",
    "BadParameterError",
    "BadScheduleError",
    "Calibration",
    "Comparison",
    "ConnectionLostError",
    "DatabaseError",
    "Deadlock",
    "DeadlockError",
    "DivergenceError",
    "DuplicateKeyError",
    "Fidelity",
    "LockNotAvailableError",
    "LockWaitTimeoutError",
    "Model",
    "MySQL",
    "NoDeadlockError",
    "Page",
    "Result",
    "Schedule",
    "Sensitivity",
    "Session",
    "StrategyError",
    "Sweep",
    "UnknownStrategyError",
    "WorldError",
    "anomalies",
    "calibrate",
    "catchup",
    "compare",
    "creation_strategy",
    "deadlocks",
    "delivery",
    "explore",
    "fidelity",
    "figures",
    "load",
    "mix",
    "pages",
    "paging_strategies",
    "paging_strategy",
    "play",
    "race",
    "run",
    "sensitivity",
    "strategies",
    "sweep",
    "talk",
]

_HOMES = {
    "AnomalyMatrix": "chatsim.conformance.anomaly_matrix:AnomalyMatrix",
    "BadParameterError": "chatsim.worlds.world:BadParameterError",
    "BadScheduleError": "chatsim.conformance.schedule:BadScheduleError",
    "Calibration": "chatsim.experiments.calibration.calibrate:Calibration",
    "Comparison": "chatsim.experiments.comparison:Comparison",
    "ConnectionLostError": "chatsim.db.errors:ConnectionLostError",
    "DatabaseError": "chatsim.db.errors:DatabaseError",
    "Deadlock": "chatsim.db.deadlock:Deadlock",
    "DeadlockError": "chatsim.db.errors:DeadlockError",
    "DivergenceError": "chatsim.simulation.determinism:DivergenceError",
    "DuplicateKeyError": "chatsim.db.errors:DuplicateKeyError",
    "Fidelity": "chatsim.experiments.fidelity.fidelity:Fidelity",
    "LockNotAvailableError": "chatsim.db.errors:LockNotAvailableError",
    "LockWaitTimeoutError": "chatsim.db.errors:LockWaitTimeoutError",
    "Model": "chatsim.worlds.model.settings:Model",
    "MySQL": "chatsim.worlds.mysql.settings:Servers",
    "NoDeadlockError": "chatsim.db.deadlock_report.reader:NoDeadlockError",
    "Page": "chatsim.chat.paging.strategy:Page",
    "Result": "chatsim.experiments.result:Result",
    "Schedule": "chatsim.conformance.schedule:Schedule",
    "Sensitivity": "chatsim.experiments.sweeping.sensitivity:Sensitivity",
    "Session": "chatsim.db.session:Session",
    "StrategyError": "chatsim.chat.strategies:StrategyError",
    "Sweep": "chatsim.experiments.sweeping.sweep:Sweep",
    "UnknownStrategyError": "chatsim.chat.strategies:UnknownStrategyError",
    "WorldError": "chatsim.worlds.world:WorldError",
    "anomalies": "chatsim.conformance.anomaly_matrix:anomalies",
    "calibrate": "chatsim.experiments.calibration.calibrate:calibrate",
    "catchup": "chatsim.experiments.functions:catchup",
    "compare": "chatsim.experiments.comparison:compare",
    "creation_strategy": "chatsim.chat.creation:creation_strategy",
    "deadlocks": "chatsim.db.deadlock_report.reader:deadlocks",
    "delivery": "chatsim.experiments.functions:delivery",
    "explore": "chatsim.experiments.exploring.exploring:explore",
    "fidelity": "chatsim.experiments.fidelity.fidelity:fidelity",
    "figures": "chatsim.figures",
    "load": "chatsim.experiments.saved:load",
    "mix": "chatsim.experiments.functions:mix",
    "pages": "chatsim.experiments.functions:pages",
    "paging_strategies": "chatsim.experiments.functions:paging_strategies",
    "paging_strategy": "chatsim.chat.paging.strategy:paging_strategy",
    "play": "chatsim.conformance.play:play",
    "race": "chatsim.experiments.functions:race",
    "run": "chatsim.experiments.functions:run",
    "sensitivity": "chatsim.experiments.sweeping.sensitivity:sensitivity",
    "strategies": "chatsim.experiments.functions:strategies",
    "sweep": "chatsim.experiments.sweeping.sweep:sweep",
    "talk": "chatsim.experiments.functions:talk",
}
"""Where each name is defined. A module is imported when the first of its names is used: see PEP 562."""

if not TYPE_CHECKING:  # a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("chatsim")
        if name not in _HOMES:
            raise AttributeError(f"module 'chatsim' has no attribute {name!r}")
        from pkgutil import resolve_name

        value = globals()[name] = resolve_name(_HOMES[name])
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, "__version__"})
