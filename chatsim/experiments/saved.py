"""Results as folders: saved, and loaded again with everything.

``result.json`` has what no other file has; the history is in ``history.jsonl``, the environment in
``environment.json``, and each note in a file of its own. The other files are for readers and tools.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsim.experiments import history
from chatsim.experiments.checks import Anomaly, Verdict, Word
from chatsim.experiments.history import Operation
from chatsim.experiments.parameters import units
from chatsim.experiments.result import Result
from chatsim.experiments.variant import Variant
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from chatsim.experiments.base import Experiment

__all__ = ["check_folder", "load", "save"]

_RESULT, _ENVIRONMENT, _HISTORY = "result.json", "environment.json", "history.jsonl"

_OURS = (
    *(_RESULT, _ENVIRONMENT, _HISTORY, "samples.parquet", "summary.json", "config.toml", "summary.png"),
    *("per-second.csv", "per-second.png"),
    *("note-*.txt", "deadlock-*.txt", "deadlock-*.png"),
)
"""The files of a result."""

_REPEAT = "repeat"
"""The field of a line of the history with the number of the repetition, from 1."""


def check_folder(directory: Path | str, experiment: str) -> None:
    """Raise `BadParameterError` if a folder has the result of another experiment: two would mix in it."""
    try:
        there = json.loads((Path(directory) / _RESULT).read_text(encoding="utf-8"))["config"]["experiment"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if there != experiment:
        raise BadParameterError(f"{directory} has a result of {there}; save that of {experiment} into another folder")


def save(result: Result, directory: Path | str) -> Path:
    """Write a result into a folder: see `Result.save`."""
    import tomli_w

    home = Path(directory)
    check_folder(home, str(result.config["experiment"]))
    home.mkdir(parents=True, exist_ok=True)
    for pattern in _OURS:
        for stale in home.glob(pattern):  # of an earlier result in the same folder
            stale.unlink()
    _write_json(home / _RESULT, _as_json(result))
    _write_json(home / _ENVIRONMENT, result.environment)
    history.write(
        home / _HISTORY,
        (
            ({**variant.key, _REPEAT: repeat}, operation)
            for variant in result.variants
            for repeat, run in enumerate(variant.runs, start=1)
            for operation in run.operations
        ),
    )
    result.samples.to_parquet(home / "samples.parquet")
    _write_json(home / "summary.json", result.rows())
    config = {name: value for name, value in result.config.items() if value is not None}  # TOML knows no null
    (home / "config.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    for name, text in result.notes.items():
        (home / f"note-{name}.txt").write_text(text + "\n", encoding="utf-8")
    seconds = result.per_second()
    seconds.to_csv(home / "per-second.csv", index=False)
    if len(seconds):
        result.plot_per_second().savefig(home / "per-second.png", dpi=150)
    if result.variants:
        result.plot().savefig(home / "summary.png", dpi=150)
        _save_deadlocks(result, home)
    return home


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, default=str) + "\n", encoding="utf-8")


def _save_deadlocks(result: Result, home: Path) -> None:
    from chatsim import figures

    for variant in result.variants:
        if variant.deadlock:
            name = "-".join(["deadlock", *map(str, variant.key.values())])
            (home / f"{name}.txt").write_text(variant.deadlock.raw, encoding="utf-8")
            figures.wait_for_graph(variant.deadlock).savefig(home / f"{name}.png", dpi=150)


def _as_json(result: Result) -> dict[str, object]:
    return {
        "config": result.config,
        "setting": result.setting,
        "only": result.only,
        "variants": [
            {"key": variant.key, "runs": [_run_as_json(each) for each in variant.runs]} for variant in result.variants
        ],
    }


def _run_as_json(run: Variant) -> dict[str, object]:
    return {
        "seed": run.seed,
        "window_s": run.window_s,
        "measures": run.measures,
        "verdict": None if run.verdict is None else asdict(run.verdict),
        "deadlock": None if run.deadlock is None else asdict(run.deadlock),
    }


def load(directory: Path | str) -> Result:
    """Load a result that `Result.save` or ``--out`` has written: it is equal to the one that was saved.

    Args:
        directory: the folder.

    Raises:
        BadParameterError: there is no result of one of chatsim's experiments, or a file can't be read.
    """
    home = Path(directory)
    try:
        saved = json.loads((home / _RESULT).read_text(encoding="utf-8"))
        experiment = _experiment(saved["config"]["experiment"])
        result = Result(
            saved["config"],
            experiment.title,
            saved["setting"],
            experiment.shown,
            experiment.draw,
            experiment.totals,
            saved["only"],
            units(experiment),
            experiment.shared,
            environment=json.loads((home / _ENVIRONMENT).read_text(encoding="utf-8")),
            notes={path.stem.partition("-")[2]: path.read_text(encoding="utf-8")[:-1] for path in _notes(home)},
        )
        steps: dict[tuple[object, ...], list[Operation]] = defaultdict(list)
        for fields, operation in history.read(home / _HISTORY):
            steps[tuple(fields.items())].append(operation)
        for variant in saved["variants"]:
            for repeat, run in enumerate(variant["runs"], start=1):
                key = variant["key"]
                result.add(_run(key, run, steps[tuple((key | {_REPEAT: repeat}).items())]))
    except OSError as error:
        raise BadParameterError(f"{home} has no saved result: {error.strerror} ({error.filename})") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadParameterError(f"{home} has no saved result that can be read: {error!r}") from error
    return result


def _notes(home: Path) -> list[Path]:
    return sorted(home.glob("note-*.txt"))


def _experiment(name: str) -> type[Experiment]:
    from chatsim.experiments.functions import EXPERIMENTS

    by_name = {each.name: each for each in EXPERIMENTS}
    if name not in by_name:
        raise BadParameterError(f"unknown experiment {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def _run(key: Mapping[str, object], saved: dict[str, Any], operations: list[Operation]) -> Variant:
    import msgspec

    from chatsim.db.deadlock import Deadlock

    deadlock = None if saved["deadlock"] is None else msgspec.convert(saved["deadlock"], Deadlock)
    return Variant(
        key,
        saved["measures"],
        None if saved["verdict"] is None else _verdict(saved["verdict"]),
        operations,
        saved["window_s"],
        deadlock,
        saved["seed"],
    )


def _verdict(saved: dict[str, Any]) -> Verdict:
    anomalies = (
        Anomaly(each["kind"], _hashable(each["subject"]), each["sentence"], tuple(map(history.parse, each["steps"])))
        for each in saved.pop("anomalies")
    )
    return Verdict(**saved | {"word": Word(saved["word"])}, anomalies=tuple(anomalies))


def _hashable(subject: object) -> Any:
    """A subject as it was: JSON has lists for tuples."""
    return tuple(map(_hashable, subject)) if isinstance(subject, list) else subject
