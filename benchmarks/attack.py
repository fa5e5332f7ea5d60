"""Attack a chat server on a real MySQL, and measure what innocent users notice of it.

    python benchmarks/attack.py                 # 10^6 hostile frames, 10,000 silent connections, …; about an hour
    python benchmarks/attack.py --short         # the same, small: a minute and a half
    python benchmarks/attack.py --only logins --only messages --seconds 10

Sixteen innocent users make ten requests per second each, 160 per second in all, from a process of their own. A
request's latency counts from the moment at which it was due. Each attack comes from processes of its own; beside it is
measured what the same users notice of a process that only burns as much processor time as the attackers took.

The exit status is 1 if a bound is not kept. ``--short`` prints times, and does not judge them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from attacks import plan
from attacks.rounds import make
from attacks.system import running
from attacks.verdict import Findings, broken, markdown, summary


def main() -> int:
    """Make the attacks that are asked for, print what came of them, and return the exit status."""
    options = _parser().parse_args()
    size = plan.SHORT if options.short else plan.LONG
    given = {name: value for name in ("seconds", "repeats", "frames") if (value := getattr(options, name)) is not None}
    size = replace(size, **given)
    chosen = [each for each in plan.attacks(size) if not options.only or each.name in options.only]
    found = asyncio.run(_attack(chosen, size, options.node))
    times = not options.short
    if options.json:
        report = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": " ".join(["python benchmarks/attack.py", *sys.argv[1:]]),
            "attacks": [summary(each, times=times) for each in found],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if options.markdown:
        print(markdown(found, times=times))
    sentences = [f"{each.name}: {sentence}" for each in found for sentence in broken(each, times=times)]
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    return 1 if sentences else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="small attacks, whose times are not judged")
    names = [each.name for each in plan.attacks(plan.LONG)]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--seconds", type=float, help="how long each attack lasts")
    parser.add_argument("--repeats", type=int, help="how often each attack is made")
    parser.add_argument("--frames", type=int, help="how many hostile frames are sent")
    parser.add_argument("--node", action="append", default=[], metavar="WORD", help="a word for `chatsim node`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to FILE")
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    return parser


async def _attack(chosen: list[plan.Attack], size: plan.Size, words: list[str]) -> list[Findings]:
    found = [Findings(each.name, each.what) for each in chosen]
    async with running(plan.users(), plan.friends(size), words) as system:
        start = system.sample().memory
        for attack, findings in zip(chosen, found, strict=True):
            for _ in range(size.repeats):
                await make(system, attack, size, findings, start)
            print(markdown([findings], times=False).splitlines()[-1], dict(findings.counts), file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
