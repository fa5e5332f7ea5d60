"""Writes ``docs/strategies.md``: every shipped strategy and kind of cursor, explored.

python -m chatsim.experiments.exploring.page --seconds 60

What is done is kept in ``results/strategies.jsonl``. So the command can be ended at any time, and goes on when it is
started again. A case that had too little time is explored again when ``--seconds`` gives it more.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from chatsim.chat.creation import STRATEGIES
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.exploring.cases import Case, CursorCase, Kept, Observed, cases, cursor_cases, explore_all
from chatsim.experiments.exploring.creations import QUESTIONS

__all__ = ["main", "page"]

_Creation: TypeAlias = tuple[Observed, Case]

_HEAD = """\
# Strategies, explored

What the callers of each shipped strategy can do to each other, in *every* order that their locks allow: found by
`chatsim explore` in the model of InnoDB ([how to read it](explore.md)). A step is a statement, also where a script
sends several at once. Nobody dies, no reply is lost, and no wait takes too long; a refused caller tries again up to
three times.

Asked is whether anybody waits for ever (*stuck*), whether a *deadlock* is resolved, whether anybody is refused for good
(*refusal*), whether each pair has one thread, which all got (*threads*), whether a thread without a chat is left
(*orphans*), and whether the outcome is that of the callers one after the other (*serializable*). *Proved* means that no
interleaving violates any of these. Otherwise there is the number of steps of the shortest interleaving that does.
*Inconclusive* means that not all states were seen within the time: what was found is true, but there may be more, and
shorter ones.

*States* are told apart by everything that decides about what happens next; callers that ask for the same pair may stand
for each other. *Interleavings* are counted, not carried out, where all states were seen. With four callers they are not
counted, for orders are left out that differ only in when statements run that concern nobody else (`--prune`), and
states count as one that differ only in the ids of new threads, and not in the order of these
([why](explore.md#why-merged-states-are-exact)); this changes no verdict. *Outcomes* are the different ends, by what
became of the callers. *Rows before*: no chat, the chat of the pair that is asked for, or those of the pairs on either
side of it. `unordered` has the source's tables, for the hardened ones refuse a larger id before a smaller one; all
others have the hardened tables. `redis_lock` has its lock from the server, which gives it to waiters in their order.

A strategy is shown at an isolation level even where it is made for another one; its own is in bold. `serializable` is
nothing else than its level.
"""

_CURSORS = """\
## Kinds of cursor

Two writers and a reader that looks twice and goes on from its cursor ([what a cursor is](explore.md#kinds-of-cursor)).
When all have ended it looks once more. Each writer stores a *message*, creates a *thread* with the reader, or makes a
*change* of a message. Asked is whether the reader learns of everything; of a thread, by its cursor alone, without
reading its list of threads again; of a change, so that it has the new text. `overlap` reads the last hundred messages
again each time: what has more than a hundred behind it is lost, which two writers can't do. A kind that counts only the
messages of a thread has no number for anything else.
"""

_NEWS = {"messages": "message", "threads": "thread", "changes": "change"}

_TITLES = {
    (2, "same_pair"): "Two callers who ask for the same pair",
    (2, "strangers"): "Two callers who ask for different pairs",
    (3, "same_pair"): "Three callers who ask for the same pair",
    (4, "same_pair"): "Four callers who ask for the same pair",
}


def page(observed: Sequence[Observed], command: str) -> str:
    """The page, in Markdown."""
    creations = [(each, each.case) for each in observed if isinstance(each.case, Case)]
    cursors = [(each, each.case) for each in observed if isinstance(each.case, CursorCase)]
    parts = (_summary(creations), _sections(creations), _cursors(cursors), _tail(observed, command))
    return "\n".join([_HEAD, *(line for part in parts for line in part), ""])


def _summary(observed: Sequence[_Creation]) -> Iterator[str]:
    """What goes wrong with each strategy at its own level, by the number of callers."""
    counts = sorted({case.callers for _, case in observed})
    yield from (
        "## In short",
        "",
        "Each strategy at its own isolation level, whatever is there before (with four callers: nothing):",
        "",
    )
    yield "| strategy | " + " | ".join(f"{count} callers" for count in counts) + " |"
    yield "|---|" + "---|" * len(counts)
    for name in dict.fromkeys(case.strategy for _, case in observed):
        own = [(each, case) for each, case in observed if case.strategy == name and _is_own(case)]
        cells = [_verdict([each for each, case in own if case.callers == count]) for count in counts]
        yield f"| `{name}` | " + " | ".join(cells) + " |"
    yield ""


def _verdict(observed: Sequence[Observed]) -> str:
    if not observed:
        return "not explored"
    wrong = dict.fromkeys(name for each in observed for name in each.found["counterexamples"])
    whole = all(each.found["whole"] for each in observed)
    if not wrong:
        return "proved" if whole else "inconclusive"
    return ", ".join(wrong) + ("" if whole else "; inconclusive")


def _sections(observed: Sequence[_Creation]) -> Iterator[str]:
    groups = dict.fromkeys((case.callers, case.pattern) for _, case in observed)
    for callers, pattern in groups:
        yield from (f"## {_TITLES.get((callers, pattern), f'{callers} callers')}", "")
        yield "| strategy | isolation | rows before | interleavings | states | outcomes | verdict, and steps |"
        yield "|---|---|---|---:|---:|---|---|"
        rows: dict[tuple[str, ...], list[str]] = {}  # those before, by all other cells
        for each, case in observed:
            if (case.callers, case.pattern) == (callers, pattern):
                rows.setdefault(_cells(each.found, case), []).append(case.present)
        for (strategy, level, *numbers), present in rows.items():
            yield f"| {' | '.join((strategy, level, ', '.join(present), *numbers))} |"
        yield ""


def _cells(found: dict[str, Any], case: Case) -> tuple[str, ...]:
    return (
        f"`{case.strategy}`",
        f"**{case.isolation}**" if _is_own(case) else case.isolation,
        *_counts(found),
        "; ".join(f"{_outcome(name)}: {count:,}" for name, count in found["outcomes"].items()),
        _steps(found),
    )


def _counts(found: dict[str, Any]) -> tuple[str, str]:
    """The numbers of interleavings and of states."""
    ways = f"{found['interleavings']:,}" if found["interleavings"] is not None else "not counted"
    return ways, f"{found['states']:,}" + ("" if found["whole"] else " seen")


def _cursors(observed: Sequence[tuple[Observed, CursorCase]]) -> Iterator[str]:
    """What each kind of cursor skips."""
    if not observed:
        return
    yield from (
        _CURSORS,
        "| cursor | what is new | interleavings | states | verdict, and steps |",
        "|---|---|---:|---:|---|",
    )
    for each, case in observed:
        yield f"| {' | '.join((f'`{case.kind}`', _NEWS[case.news], *_counts(each.found), _steps(each.found)))} |"
    yield ""


def _steps(found: dict[str, Any]) -> str:
    """The verdict, with the steps of the shortest counterexample to each question."""
    examples = found["counterexamples"]
    at_most = "" if found["whole"] else "at most "
    wrong = ", ".join(f"{name} in {at_most}{example['steps']}" for name, example in examples.items())
    if found["whole"]:
        return wrong or "proved"
    return f"inconclusive; {wrong}" if wrong else "inconclusive"


def _outcome(name: str) -> str:
    """An outcome of all callers, with equal ones counted."""
    return ", ".join(f"{count} {what}" for what, count in Counter(name.split(", ")).items())


def _is_own(case: Case) -> bool:
    return case.isolation == STRATEGIES[case.strategy].isolation


def _tail(observed: Sequence[Observed], command: str) -> Iterator[str]:
    whole = [each.found["seconds"] for each in observed if each.found["whole"]]
    days = sorted({each.date for each in observed})
    dates = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    yield from ("## How it was made", "", f"`{command}`, {dates}.", "")
    yield (
        f"Of {len(observed)} cases, all states were seen in {len(whole)}; in"
        f" {sum(seconds < 2 for seconds in whole)} of these within two seconds, in"
        f" {sum(seconds < 60 for seconds in whole)} within a minute, on a machine with two cores and other work."
        " What is asked, in full:"
    )
    yield ""
    yield from (f"- {each.name}: {each.holds};" for each in QUESTIONS)
    yield "- serializable: the outcome is that of some serial order;"
    yield "- skipped, of a kind of cursor: the reader learns of everything that is new."


def main(arguments: Sequence[str] | None = None) -> None:
    """Explore what has not been explored, and write the page, also after Ctrl-C."""
    parser = argparse.ArgumentParser("python -m chatsim.experiments.exploring.page")
    parser.add_argument("--out", type=Path, default=Path("docs/strategies.md"), help="the page")
    parser.add_argument("--kept", type=Path, default=Path("results/strategies.jsonl"), help="what was found so far")
    parser.add_argument("--seconds", type=float, default=60.0, help="the longest time for each case")
    parser.add_argument("--workers", type=int, default=1, help="how many processes carry interleavings out")
    parser.add_argument("--callers", default="2,3,4", help="how many, separated by commas")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="their names, separated by commas")
    parser.add_argument("--cursors", default=",".join(CURSORS), help="the names of kinds, separated by commas")
    options = parser.parse_args(arguments)
    strategies = options.strategies.split(",")
    if unknown := [each for each in strategies if each not in STRATEGIES]:
        parser.error(f"{unknown[0]!r} is no shipped creation strategy; there are: {', '.join(STRATEGIES)}")
    kinds = [each for each in options.cursors.split(",") if each]
    if unknown := [each for each in kinds if each not in CURSORS]:
        parser.error(f"{unknown[0]!r} is no kind of cursor; there are: {', '.join(CURSORS)}")
    try:
        wanted: list[Case | CursorCase] = [*cases([int(each) for each in options.callers.split(",")], strategies)]
        wanted += cursor_cases(kinds)
        kept = Kept(options.kept)
    except ValueError as error:
        parser.error(str(error))

    def tell(number: int, case: Case | CursorCase) -> None:
        sys.stderr.write(f"{number + 1} of {len(wanted)}: {case}\n")

    today = datetime.now(UTC).date().isoformat()
    try:
        explore_all(wanted, kept, seconds=options.seconds, workers=options.workers, date=today, tell=tell)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        done = [kept.observed[case] for case in wanted if case in kept.observed]
        if done:
            command = (
                f"{parser.prog} --seconds {options.seconds:g} --workers {options.workers} --callers {options.callers}"
            )
            options.out.write_text(page(done, command), encoding="utf-8")


if __name__ == "__main__":
    main()
