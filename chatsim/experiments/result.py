"""A result is a table before it is anything else: samples, a summary, and everything it takes to repeat the run."""

from __future__ import annotations

import json
import math
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.chat.server.stats import Stats
from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import Kind
from chatsim.experiments import history
from chatsim.experiments.checks import Verdict
from chatsim.experiments.history import Operation, Outcome
from chatsim.worlds.world import Costs

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Result", "Variant", "compare", "percentile"]

_BEYOND = 5
"""A percentile is given only if at least so many samples lie beyond it."""

_RESAMPLED = 2
"""The fewest samples that a bootstrap can be made of."""

_SHOWN = {
    "strategy": "strategy",
    "pattern": "pattern",
    "verdict": "verdict",
    "goodput_per_s": "ok/s",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "retries_per_op": "retries/op",
    "deadlocks_per_op": "deadlocks/op",
    "duplicate_pairs": "duplicates",
    "orphan_threads": "orphans",
}
"""The columns that are shown, with their headings; all of them are in `Result.summary`."""


@dataclass(frozen=True)
class Variant:
    """One strategy under one pattern.

    Attributes:
        strategy: its name.
        pattern: the workload's name.
        operations: the history.
        window_s: how long the measured window was, in seconds.
        costs: what the database did in it.
        verdict: what the checks say.
        orphans: rows of chat_thread that no private_chat refers to.
        deadlock: the last of its deadlocks, if there was one and the server told.
        stats: what the nodes met, if callers went through nodes; the history has only what callers saw.
    """

    strategy: str
    pattern: str
    operations: Sequence[Operation]
    window_s: float
    costs: Costs
    verdict: Verdict
    orphans: int
    deadlock: Deadlock | None = None
    stats: Stats = field(default_factory=Stats)

    def measures(self) -> dict[str, object]:
        """The row of numbers.

        Latencies are those of successful operations, in ms: from the intended start, and (service) from the real one.
        """
        import numpy as np

        count = len(self.operations)
        good = [operation for operation in self.operations if operation.outcome is Outcome.OK]
        latencies = np.array([(operation.end - operation.intended) * 1e3 for operation in good])
        services = np.array([(operation.end - operation.start) * 1e3 for operation in good])
        causes = Counter(kind for operation in self.operations for kind in operation.refusals) + self.stats.refusals
        retries = sum(operation.attempts - 1 for operation in self.operations) + self.stats.retries
        return {
            "operations": count,
            "goodput_per_s": len(good) / self.window_s if self.window_s else None,
            "p50_ms": percentile(latencies, 50),
            "p95_ms": percentile(latencies, 95),
            "p99_ms": percentile(latencies, 99),
            "service_p50_ms": percentile(services, 50),
            "service_p99_ms": percentile(services, 99),
            "retries_per_op": retries / max(count, 1),
            "deadlocks_per_op": causes[Kind.DEADLOCK] / max(count, 1),
            "duplicate_pairs": self.verdict.duplicate_pairs,
            "orphan_threads": self.orphans,
            "verdict": self.verdict.word.value,
            "why": self.verdict.why,
            "failed": count - len(good),
            "refusals": {kind.value: times for kind, times in sorted(causes.items())},
            **{
                f"{name}_per_op": None if total is None else total / max(count, 1)
                for name, total in asdict(self.costs).items()
            },
        }


@dataclass(repr=False)
class Result:
    """What an experiment found; variants are added as they finish, so that an interrupted run has a valid part.

    Attributes:
        config: the experiment's parameters.
        environment: the world, the machine and the software.
        variants: one per strategy and pattern.
    """

    config: dict[str, object]
    environment: dict[str, object] = field(default_factory=dict)
    variants: list[Variant] = field(default_factory=list)

    @property
    def samples(self) -> pd.DataFrame:
        """One row per operation, with its strategy and pattern."""
        import pandas as pd

        tables = []
        for variant in self.variants:
            table = history.frame(variant.operations)
            table.insert(0, "strategy", variant.strategy)
            table.insert(1, "pattern", variant.pattern)
            tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else history.frame(())

    def rows(self) -> list[dict[str, object]]:
        """One plain dict per variant: its conditions, then its measures."""
        conditions = {
            "world": self.config["world"],
            "layer": self.config["layer"],
            "engine": self.environment.get("engine"),
            "server_version": self.environment.get("server_version"),
            "profile": self.environment.get("profile"),
            **{name: self.config[name] for name in ("nodes", "pool", "rate")},
            **{name: self.config[name] for name in ("clients", "existing", "ids", "retry", "seed")},
        }
        return [
            {"strategy": each.strategy, "pattern": each.pattern, **conditions, **each.measures()}
            for each in self.variants
        ]

    def summary(self) -> pd.DataFrame:
        """One row per variant."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def deadlock(self, strategy: str | None = None) -> Deadlock | None:
        """A deadlock of that strategy (of any, when None), or None if there was none."""
        for variant in self.variants:
            if variant.deadlock and strategy in (None, variant.strategy):
                return variant.deadlock
        return None

    def conditions(self) -> str:
        """The conditions that a headline must carry, in one line."""
        config, environment = self.config, self.environment
        settings = environment.get("settings")
        log_bin = "?" if not isinstance(settings, Mapping) else "on" if settings.get("log_bin") else "off"
        nodes = f", {config['nodes']} nodes with {config['pool']} connections each" if config["pool"] else ""
        loop = f"open loop at {config['rate']:,}/s" if config["rate"] else "closed loop"
        return (
            f"{environment.get('engine')} {environment.get('server_version')}, profile {environment.get('profile')}, "
            f"binary log {log_bin}; layer {config['layer']}{nodes}, {loop}, {config['clients']} clients, "
            f"{config['rounds']} rounds, "
            f"{config['existing']} rows before, {config['ids']} ids, retry policy {config['retry']}, "
            f"seed {config['seed']}"
        )

    def plot(self) -> Figure:
        """The strategies compared: goodput, latency and verdict."""
        from chatsim import figures

        return figures.strategies(self.summary(), caption=self.conditions())

    def __repr__(self) -> str:
        if not self.variants:
            return "nothing was measured"
        return f"{self._shown().round(2).to_string(index=False, na_rep='–')}\n{self.conditions()}"

    def _repr_html_(self) -> str:
        if not self.variants:
            return "<p>nothing was measured</p>"
        table = self._shown().style.format(precision=2, thousands=",", na_rep="–").hide(axis="index")
        return f"{table.to_html()}<p><small>{self.conditions()}</small></p>"

    def _shown(self) -> pd.DataFrame:
        numbers = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), float)  # a column of None alone would show them
        return self.summary()[list(_SHOWN)].astype(numbers).rename(columns=_SHOWN)

    def save(self, directory: Path | str) -> Path:
        """Write samples.parquet, summary.json, environment.json, config.toml, history.jsonl, figures and deadlocks."""
        import tomli_w

        from chatsim import figures

        home = Path(directory)
        home.mkdir(parents=True, exist_ok=True)
        for stale in home.glob("deadlock-*"):  # of an earlier result in the same folder
            stale.unlink()
        self.samples.to_parquet(home / "samples.parquet")
        (home / "summary.json").write_text(json.dumps(self.rows(), indent=1) + "\n")
        (home / "environment.json").write_text(json.dumps(self.environment, indent=1, default=str) + "\n")
        config = {name: value for name, value in self.config.items() if value is not None}  # TOML knows no null
        (home / "config.toml").write_text(tomli_w.dumps(config))
        history.write(
            home / "history.jsonl",
            (
                ({"strategy": variant.strategy, "pattern": variant.pattern}, operation)
                for variant in self.variants
                for operation in variant.operations
            ),
        )
        for variant in self.variants:
            if variant.deadlock:
                name = f"deadlock-{variant.strategy}-{variant.pattern}"
                (home / f"{name}.txt").write_text(variant.deadlock.raw)
                figures.wait_for_graph(variant.deadlock).savefig(home / f"{name}.png", dpi=150)
        if self.variants:
            self.plot().savefig(home / "summary.png", dpi=150)
        return home


def percentile(values: np.ndarray, q: float) -> float | None:
    """The ``q``-th percentile, or None when fewer than five samples would lie beyond it."""
    import numpy as np

    if len(values) * min(q, 100 - q) / 100 < _BEYOND:
        return None
    return float(np.percentile(values, q))


def describe_machine() -> dict[str, object]:
    """The machine and the software, for a result's environment."""
    return {
        "chatsim": version("chatsim"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def compare(base: Result, other: Result, *, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """How ``other`` differs from ``base``: for each variant both have, the ratio of latencies with its interval.

    The interval is a percentile bootstrap over successful operations (Efron & Tibshirani 1993, chapter 13). It takes
    them for independent, though callers that wait for one commit are not, and it knows nothing of how one run differs
    from the next: it is a lower bound of the doubt. Goodput is one number a run: a bare ratio. What too few
    operations succeeded for is NaN.

    Args:
        base: what is compared with.
        other: what is compared.
        confidence: the interval's level.
        seed: for the resampling.
    """
    import numpy as np
    import pandas as pd

    rows = []
    others = {(variant.strategy, variant.pattern): variant for variant in other.variants}
    for variant in base.variants:
        twin = others.get((variant.strategy, variant.pattern))
        if twin is None:
            continue
        before, after = _latencies(variant), _latencies(twin)
        row: dict[str, object] = {"strategy": variant.strategy, "pattern": variant.pattern}
        for name, statistic in (("mean", np.mean), ("median", np.median)):
            ratio, low, high = _ratio(before, after, statistic, confidence, seed)
            row |= {f"{name}_ratio": ratio, f"{name}_low": low, f"{name}_high": high}
        rows.append(row | {"goodput_ratio": _quotient(len(after) * variant.window_s, len(before) * twin.window_s)})
    return pd.DataFrame(rows)


def _quotient(dividend: float, divisor: float) -> float:
    return dividend / divisor if divisor else math.nan


def _latencies(variant: Variant) -> np.ndarray:
    import numpy as np

    good = (each for each in variant.operations if each.outcome is Outcome.OK)
    return np.array([each.end - each.intended for each in good])


def _ratio(
    before: np.ndarray, after: np.ndarray, statistic: object, confidence: float, seed: int
) -> tuple[float, float, float]:
    import numpy as np
    from scipy import stats

    def ratio(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(statistic(b, axis=axis) / statistic(a, axis=axis))  # type: ignore[operator]

    if min(len(before), len(after)) < _RESAMPLED:
        return math.nan, math.nan, math.nan
    interval = stats.bootstrap(
        (before, after),
        ratio,
        n_resamples=1_000,
        batch=100,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(ratio(before, after)), float(interval.low), float(interval.high)
