"""The graph of the states that a search has seen: which one leads to which, and where something is wrong."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Graph"]


@dataclass(slots=True)
class _State:
    following: list[bytes] = field(default_factory=list)  # one for each choice
    passed: list[bytes] = field(default_factory=list)  # where others have gone from it who came later
    faults: frozenset[str] = frozenset()
    faulty_steps: dict[bytes, frozenset[str]] = field(default_factory=dict)  # by the state that they lead to


class Graph:
    """States, by their digests, and the steps between them.

    Attributes:
        states: the states.
        ends: how many of them are ends.
    """

    def __init__(self) -> None:
        self.states: dict[bytes, _State] = {}
        self.ends = 0

    def add(self, digest: bytes) -> None:
        """Add a state. The first one is the beginning."""
        self.states[digest] = _State()

    def connect(self, one: bytes, other: bytes, faults: Iterable[str], *, counts: bool = True) -> None:
        """Add a step, with what is wrong in it. One that does not count is, or will be, also added by somebody else."""
        state = self.states[one]
        (state.following if counts else state.passed).append(other)
        if found := frozenset(faults):
            state.faulty_steps[other] = state.faulty_steps.get(other, frozenset()) | found

    def end(self, digest: bytes, faults: Iterable[str]) -> None:
        """Note that a state is an end, with what is wrong in it."""
        self.ends += 1
        self.states[digest].faults = frozenset(faults)

    def faulty(self, name: str) -> list[bytes]:
        """The states in which, or in a step from which, something is wrong."""
        return [
            digest
            for digest, state in self.states.items()
            if name in state.faults or any(name in faults for faults in state.faulty_steps.values())
        ]

    def is_faulty_step(self, one: bytes, other: bytes, name: str) -> bool:
        """Whether something is wrong in a step between two states."""
        return name in self.states[one].faulty_steps.get(other, frozenset())

    def distances(self, name: str) -> dict[bytes, int]:
        """The fewest steps from each state to something that is wrong; of states from which there are some."""
        before: dict[bytes, list[bytes]] = defaultdict(list)
        for digest, state in self.states.items():
            for other in (*state.following, *state.passed):
                before[other].append(digest)
        found = dict.fromkeys((digest for digest, state in self.states.items() if name in state.faults), 0)
        with_step = [
            digest
            for digest, state in self.states.items()
            if digest not in found and any(name in faults for faults in state.faulty_steps.values())
        ]
        left = deque(found)
        left.extend(with_step)
        found.update(dict.fromkeys(with_step, 1))
        while left:
            digest = left.popleft()
            for other in before[digest]:
                if found.get(other, len(self.states) + 1) > found[digest] + 1:
                    found[other] = found[digest] + 1
                    left.append(other)
        return found

    def has_circles(self) -> bool:
        """Whether some state can be reached again from itself."""
        return self._order() is None

    def paths(self) -> int:
        """How many ways lead from the beginning to an end. There must be no circles."""
        order = self._order()
        assert order is not None
        counts: dict[bytes, int] = {}
        for digest in order:
            following = self.states[digest].following
            counts[digest] = sum(counts[other] for other in following) if following else 1
        return counts[next(iter(self.states))] if counts else 0

    def longest(self) -> int:
        """The most steps from the beginning to an end. There must be no circles."""
        order = self._order()
        assert order is not None
        steps: dict[bytes, int] = {}
        for digest in order:
            steps[digest] = max((steps[other] + 1 for other in self.states[digest].following), default=0)
        return steps[next(iter(self.states))] if steps else 0

    def _order(self) -> list[bytes] | None:
        """The states, each after all that follow it; None if there are circles."""
        order: list[bytes] = []
        open_ones: dict[bytes, bool] = {}
        for start in self.states:
            stack = [(start, iter(self.states[start].following))] if start not in open_ones else []
            if stack:
                open_ones[start] = True
            while stack:
                digest, following = stack[-1]
                other = next(following, None)
                if other is None:
                    stack.pop()
                    open_ones[digest] = False
                    order.append(digest)
                elif open_ones.get(other):
                    return None
                elif other not in open_ones:
                    open_ones[other] = True
                    stack.append((other, iter(self.states[other].following)))
        return order
