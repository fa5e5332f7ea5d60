"""What was measured of one attack, the bounds that it must keep, and how both are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from chatsim.experiments.statistics import percentile

__all__ = ["LONGEST_MS", "RATIO", "Findings", "Latencies", "broken", "markdown", "summary"]

RATIO = 10.0
"""An innocent user's p99 may be this many times the p99 beside the burner."""
LONGEST_MS = 250.0
"""The slowest request of an innocent user may take this long."""
_LOG_BYTES, _LOG_RATE = 2**19, 8_192
"""What an attack may write into the log: so many bytes, and so many more per second."""
_MEMORY = 128 * 2**20
"""By how much the node's memory may have grown afterwards, in bytes."""
_DESCRIPTORS = 2
"""By how much the number of its descriptors may have grown afterwards: connections to the database come and go."""
_AMPLIFIED = 1.1
"""One answer may be this many times what it has once."""

_TIMES = ("p50", "p99", "beside the burner", "ratio", "slowest", "beside the burner")
_HEAD = ("attack", "what was sent", "cores", "burnt", *_TIMES, "failed", "met")


@dataclass
class Latencies:
    """Latencies of innocent users' requests, in seconds, by kind; and what failed."""

    by_kind: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, by_kind: Mapping[str, Sequence[float]], failed: Counter[str]) -> None:
        """Add those of one more repeat."""
        for kind, values in by_kind.items():
            self.by_kind.setdefault(kind, []).extend(values)
        self.failed.update(failed)

    def ms(self) -> np.ndarray:
        """All latencies, in ms."""
        return np.array([value * 1e3 for values in self.by_kind.values() for value in values])


@dataclass
class Findings:
    """What was found of one attack, in all repeats.

    Attributes:
        name: of the attack.
        what: what was sent.
        attacked: of innocent users during the attack.
        burnt: of innocent users beside a process that burns as much processor time as the attackers took.
        counts: what the attackers have done.
        shares: the cores that the attackers took, in each repeat, in programs and in the kernel.
        burnt_shares: the cores that the burner took, in each repeat.
        seconds: how long the attack lasted.
        tracebacks: how many are in the node's log.
        log: bytes that the node has logged.
        lost: acknowledged texts that are not in the tables.
        memory: by how many bytes the node's memory has grown since the start.
        descriptors: by how many its descriptors have grown.
        notices: messages that innocent users got unasked.
        dropped: packets that the kernel's table of connections has dropped.
    """

    name: str
    what: str
    attacked: Latencies = field(default_factory=Latencies)
    burnt: Latencies = field(default_factory=Latencies)
    counts: Counter[str] = field(default_factory=Counter)
    shares: list[float] = field(default_factory=list)
    burnt_shares: list[float] = field(default_factory=list)
    seconds: float = 0.0
    tracebacks: int = 0
    log: int = 0
    lost: int = 0
    memory: int = 0
    descriptors: int = 0
    notices: int = 0
    dropped: int = 0


def broken(found: Findings, *, times: bool) -> list[str]:
    """The bounds that were not kept, each as a sentence; those of times only if ``times`` is set."""
    said = _of_the_machine(found)
    if found.attacked.failed:
        failed = ", ".join(f"{count} × {what}" for what, count in found.attacked.failed.most_common(3))
        said.append(f"innocent users' requests have failed: {failed}")
    once, largest = found.counts["bytes of the thread"], found.counts["bytes of the largest answer"]
    if largest > once * _AMPLIFIED:
        said.append(f"one request brings {largest:,} bytes of a thread that has {once:,}")
    if not found.attacked.by_kind:
        said.append("innocent users have not had a single answer")
    elif times:
        said += _too_slow(found)
    return said


def _of_the_machine(found: Findings) -> list[str]:
    """What the attack has left in log, tables and memory, and what the kernel has dropped."""
    said = []
    if found.tracebacks:
        said.append(f"{found.tracebacks} tracebacks in the node's log")
    if found.log > (most := _LOG_BYTES + _LOG_RATE * found.seconds):
        said.append(f"the node has logged {found.log:,} bytes; {most:,.0f} are allowed")
    if found.lost:
        said.append(f"{found.lost} acknowledged texts are lost")
    if found.descriptors > _DESCRIPTORS:
        said.append(f"{found.descriptors} descriptors are still open")
    if found.memory > _MEMORY:
        said.append(f"the node has kept {found.memory / 2**20:,.0f} MiB")
    if found.dropped:
        said.append(
            f"the kernel has dropped {found.dropped:,} packets of whomever, because its table of connections was full:"
            " raise net.netfilter.nf_conntrack_max"
        )
    return said


def _too_slow(found: Findings) -> list[str]:
    said = []
    times, beside = found.attacked.ms(), found.burnt.ms()
    p99, base = percentile(times, 99), percentile(beside, 99)
    if p99 is None or base is None:
        said.append("too few requests for a p99")
    elif p99 > RATIO * base:
        said.append(f"p99 is {p99:.0f} ms, {p99 / base:.1f} times the {base:.1f} ms beside the burner")
    if times.max() > LONGEST_MS:
        said.append(f"the slowest took {times.max():.0f} ms")
    return said


def summary(found: Findings, *, times: bool) -> dict[str, object]:
    """Everything as JSON can say it."""
    rows = {"under_attack": found.attacked, "beside_burner": found.burnt}
    figures = {
        name: {
            "requests": len(ms := each.ms()),
            **{f"p{q}_ms": percentile(ms, q) for q in (50, 99)},
            "slowest_ms": float(ms.max()) if len(ms) else None,
            "slowest_ms_by_kind": {kind: max(values) * 1e3 for kind, values in sorted(each.by_kind.items())},
            "failed": dict(each.failed),
        }
        for name, each in rows.items()
    }
    rest = {
        field.name: getattr(found, field.name) for field in fields(found) if field.name not in ("attacked", "burnt")
    }
    return rest | figures | {"broken": broken(found, times=times)}


def markdown(all_found: Sequence[Findings], *, times: bool) -> str:
    """A table with a row for each attack. Latencies are in ms."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---|---|" + "---:|" * (len(_HEAD) - 3) + "---|"]
    lines += ["| " + " | ".join(_cells(found, times=times)) + " |" for found in all_found]
    return "\n".join(lines)


def _cells(found: Findings, *, times: bool) -> list[str]:
    one, other = found.attacked.ms(), found.burnt.ms()
    p50, p99, base = percentile(one, 50), percentile(one, 99), percentile(other, 99)
    ratio = p99 / base if p99 is not None and base else None
    cells = [f"{np.mean(shares):.2f}" if shares else "–" for shares in (found.shares, found.burnt_shares)]
    cells += [f"{value:.1f}" if value is not None else "–" for value in (p50, p99, base, ratio)]
    cells += [f"{values.max():.0f}" if len(values) else "–" for values in (one, other)]
    met = "**no**" if broken(found, times=times) else "yes"
    return [found.name, found.what, *cells, f"{found.attacked.failed.total():,}", met]
