"""The page of a comparison: Markdown with its figure, made by ``chatsim fidelity --page``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.experiments.fidelity.beside import MODEL
from chatsim.experiments.fidelity.judging import STEADY, TARGETS, Comparison
from chatsim.experiments.tables import in_digits

if TYPE_CHECKING:
    from chatsim.experiments.fidelity.fidelity import Fidelity

__all__ = ["page", "write_page"]

_HEAD = """\
# Predictions beside measurements

What the calibrated model predicts, beside what a MySQL did in settings that its costs were not fitted to. This page is
the output of a command. How far the model can be trusted, and what is known of the reasons, is in `docs/fidelity.md`.
"""

_HOW_TO_READ = f"""\
## How to read it

*Measured* is the median of the runs, and *spread* their standard deviation divided by their mean: a prediction can't be
closer than the server is to itself. A value whose spread is above {STEADY:.0%} is not judged; nor is a count that is
below 0.01 for each operation. *Predicted* is the median of the predictions, each with costs drawn from their
uncertainty. The *interval* has nine tenths of them; with `--fitted-clients` it is wider by what the model is off by
there. Goodput is in operations, of pages in entries, per second.
"""

_WORST = 10
"""So many of the largest errors are shown."""


def write_page(found: Fidelity, path: Path, command: str) -> None:
    """Write the page into a file, and its figure beside it, as a PNG of the same name."""
    picture = path.with_suffix(".png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    found.plot().savefig(picture, dpi=110)
    path.write_text(page(found, command, picture.name), encoding="utf-8")


def page(found: Fidelity, command: str, picture: str) -> str:
    """The page, in Markdown.

    Args:
        found: the comparison.
        command: what it was made by.
        picture: the name of the file with its figure.
    """
    parts = (
        _conditions(found, command),
        [_HOW_TO_READ],
        _in_short(found, picture),
        _orders(found),
        _other_ways(found),
        _largest(found),
        _values(found),
        _costs(found),
    )
    return "\n".join([_HEAD, *(line for part in parts for line in part)])


def _conditions(found: Fidelity, command: str) -> Iterator[str]:
    about = found.environment
    measured, predicted = found.runs
    load = "it is not known how much" if found.other_load is None else f"{found.other_load:.2f} cores"
    rows = {
        "date": str(about.get("started", ""))[:10],
        "server": f"{about.get('engine')} {about.get('server_version')}, profile {about.get('profile')}",
        "machine": f"{about.get('machine')}, {about.get('cores')} cores, {about.get('system')}",
        "software": f"chatsim {about.get('chatsim')}, Python {about.get('python')}",
        "other programs took": load,
        "runs": f"each setting measured {measured} times, in turns with the others, and predicted {predicted} times",
    }
    yield from ("```console", f"$ {command}", "```", "")
    yield from _table(("", ""), rows.items())
    yield ""
    if found.is_busy:
        yield "**The machine was busy**: what was measured says little about the server, and errors say little here."
        yield ""


def _in_short(found: Fidelity, picture: str) -> Iterator[str]:
    yield from ("## In short", "")
    rows = [
        (
            row["experiment"],
            f"`{row['measure']}`",
            row["judged"],
            row["not judged"],
            _share(row["median error"]),
            _share(TARGETS.get(str(row["measure"]))),
            _share(row["within 90 % interval"]),
            _share(row["spread"]),
        )
        for row in found.summary().astype(object).to_dict("records")
    ]
    heads = ("experiment", "measure", "judged", "too varied", "median error", "goal", "within interval", "spread")
    yield from _table(heads, rows, numbers=6)
    good = [each for each in found.comparisons if not each.why_not]
    within = sum(each.within for each in good) / len(good) if good else None
    yield ""
    yield f"Of {len(good):,} judged values, {_share(within) or 'none'} are within their interval of 90 %."
    yield from ("", f"![predicted against measured]({picture})", "")


def _orders(found: Fidelity) -> Iterator[str]:
    if not found.ranking:
        return
    yield from ("## The order of strategies", "")
    yield "Kendall's tau between the predicted and the measured order: 1 is the same order, 0 is no relation."
    yield ""
    rows = [(case, rest, f"{tau:.2f}") for (case, rest), tau in found.ranking.items()]
    yield from _table(("case", "of", "tau"), rows, numbers=1)
    yield ""


def _other_ways(found: Fidelity) -> Iterator[str]:
    """The errors of the throughput by the model and by other ways, fitted to other numbers of clients."""
    if not found.beside:
        return
    ways = [name for name in found.beside[0] if name not in ("case", "variant")]
    yield from ("## Other ways to predict throughput", "")
    yield "Relative errors. The other ways know the throughput that was measured with other numbers of clients, which"
    yield "the model does not; mean value analysis knows the calibrated costs."
    yield ""
    rows = [(row["case"], row["variant"], *(_share(row[name]) for name in ways)) for row in map(dict, found.beside)]
    medians = found.baselines().to_dict("records")[0]
    last = ("median", "", *(_share(medians[name]) for name in ways))
    yield from _table(("case", "variant", *ways), [*rows, last], numbers=len(ways))
    ahead = sum(_is_ahead(row) for row in found.beside)
    yield from ("", f"The model is nearest in {ahead} of {len(found.beside)} points.", "")


def _is_ahead(row: Mapping[str, object]) -> bool:
    errors = {name: value for name, value in row.items() if isinstance(value, float)}
    return errors[MODEL] == min(errors.values())


def _largest(found: Fidelity) -> Iterator[str]:
    judged = [each for each in found.comparisons if not each.why_not and each.measure in TARGETS]
    worst = sorted(judged, key=lambda each: -each.error / TARGETS[each.measure])[:_WORST]
    missed = [each for each in worst if each.error > TARGETS[each.measure]]
    if not missed:
        return
    yield from ("## What misses most", "")
    yield f"The {len(missed)} largest errors, as multiples of the goal for the median."
    yield ""
    rows = [
        (
            each.point[0],
            each.variant,
            f"`{each.measure}`",
            in_digits(each.measured),
            in_digits(each.predicted),
            _share(each.error),
            f"{each.error / TARGETS[each.measure]:.1f}",
        )
        for each in missed
    ]
    yield from _table(("case", "variant", "measure", "measured", "predicted", "error", "goals"), rows, numbers=4)
    yield ""


def _values(found: Fidelity) -> Iterator[str]:
    yield from ("## All values", "")
    for family, comparisons in found.by_family.items():
        for measure in dict.fromkeys(each.measure for each in comparisons):
            yield from (f"### {family[0].upper()}{family[1:]}: `{measure}`", "")
            rows = [_value(each) for each in comparisons if each.measure == measure]
            heads = ("case", "variant", "measured", "spread", "predicted", "interval", "error", "within")
            yield from _table(heads, rows, right=range(2, 7))
            yield ""


def _value(each: Comparison) -> tuple[str, ...]:
    low, high = map(in_digits, each.interval)
    error = "" if each.why_not == "too seldom" else _share(each.error)
    within = f"not judged: {each.why_not}" if each.why_not else "yes" if each.within else "no"
    numbers = (in_digits(each.measured), _share(each.spread), in_digits(each.predicted), f"{low} to {high}", error)
    return (each.point[0], each.variant, *numbers, within)


def _costs(found: Fidelity) -> Iterator[str]:
    yield from ("## The costs", "", "```", found.calibration.text().partition("\n\n")[0], "```", "")


def _share(value: object) -> str:
    """A share in percent; empty if it is not known."""
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - not a number
        return ""
    return f"{value:.1%}".replace("%", " %")


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0, right: Sequence[int] = ()
) -> Iterator[str]:
    """A table whose last so many columns, or those at some places, are on the right."""
    places = {*right, *range(len(heads) - numbers, len(heads))}
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if at in places else '---' for at in range(len(heads)))}|"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
