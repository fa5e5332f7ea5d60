"""cProfile's own times, summed by the room of the house that they were spent in."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Mapping


def by_room(profiler: cProfile.Profile, rooms: Mapping[str, str]) -> Counter[str]:
    """Seconds by title; ``rooms`` has a title for each part of a file's or builtin's name, the first match counts."""
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        place = name if file == "~" else file.replace("\\", "/")
        if "gc." not in place:  # before the window
            spent[next((title for part, title in rooms.items() if part in place), "other")] += own
    return spent
