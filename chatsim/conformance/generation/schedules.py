"""Whole schedules, as a Hypothesis strategy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from hypothesis import strategies as st

from chatsim.conformance.generation.columns import Draw, one_in
from chatsim.conformance.generation.shapes import draw_tables
from chatsim.conformance.generation.statements import STATEMENTS
from chatsim.conformance.generation.tables import DrawnTable, draw_trigger, filling
from chatsim.conformance.schedule import Schedule, number_steps

__all__ = ["MOST_STEPS", "schedules"]

MOST_STEPS = 14
_NAMES = "abcdefgh"

_ISOLATIONS = (*["REPEATABLE READ"] * 4, *["READ COMMITTED"] * 4, "SERIALIZABLE", "READ UNCOMMITTED")


@st.composite
def schedules(draw: Draw[Any], sessions: tuple[int, int] = (2, 4), *, foreign_keys: bool = False) -> Schedule:
    """Schedules as they are drawn. Steps may go to sessions that wait: see `playable_part`.

    Args:
        draw: given by Hypothesis.
        sessions: how many sessions, at least and at most.
        foreign_keys: whether the tables are a parent and its child.
    """
    tables = draw_tables(draw, foreign_keys=foreign_keys)
    names = _NAMES[: draw(st.integers(*sessions))]
    isolation: str = draw(st.sampled_from(_ISOLATIONS))
    purge: Literal["eager", "held"] = draw(st.sampled_from(("eager", "eager", "eager", "held")))
    setup = [each.create for each in tables] + [sql for each in tables for sql in filling(draw, each)]
    if len(tables) > 1 and one_in(draw, 8):
        event, trigger = draw_trigger(draw, *tables)
        tables[0] = replace(tables[0], fires=(event,))
        setup.append(trigger)
    step = _step(names, tables)
    steps = draw(st.lists(step, min_size=1, max_size=MOST_STEPS)) + draw(st.lists(step, max_size=MOST_STEPS))
    autocommit = draw(st.sets(st.sampled_from(names), max_size=1)) if one_in(draw, 4) else set()
    return Schedule(
        id="generated",
        isolation=isolation,
        purge=purge,
        setup=setup,
        sessions=list(names),
        steps=number_steps(_with_begins(steps, autocommit)),
    )


@st.composite
def _step(draw: Draw[Any], names: str, tables: Sequence[DrawnTable]) -> tuple[str, str]:
    return draw(st.sampled_from(names)), draw(st.sampled_from(STATEMENTS))(draw, tables)


def _with_begins(steps: Iterable[tuple[str, str]], autocommit: set[str]) -> list[tuple[str, str]]:
    """Put the statements of each session into transactions, except those of the sessions in ``autocommit``."""
    found: list[tuple[str, str]] = []
    begun: set[str] = set(autocommit)
    for name, sql in steps:
        if sql in ("COMMIT", "ROLLBACK"):
            if name in autocommit or name not in begun:
                continue
            begun.discard(name)
        elif name not in begun:
            found.append((name, "BEGIN"))
            begun.add(name)
        found.append((name, sql))
    return found
