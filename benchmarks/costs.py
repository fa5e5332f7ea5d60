"""Compare costs that are counts with those that are recorded in ``costs.json``; exit status 1 if any is another.

    python benchmarks/costs.py                        # in the model, and on MySQL with one caller
    python benchmarks/costs.py --only "create by"     # the cases with this text in their names
    python benchmarks/costs.py --write                # record what is measured; look at the diff before you commit it

Lock waits and deadlocks of many callers on MySQL differ from run to run. They are shown, and not compared.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from counting.cases import Case
from counting.creation import CLIENTS, crowd
from counting.gate import MODEL, RECORDED, SERVERS, BadRecordError, Record, all_cases, in_model, model_process, on_mysql

from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

WORLDS = ("model", "mysql")
_CROWDS = ("for_update", "insert_first", "one_round_trip")
_VARYING = ("lock waits", "deadlocks")


def main() -> int:
    """Measure, compare or record, and return the exit status."""
    options = _parser().parse_args()
    cases = all_cases(options.only)
    if not cases:
        print(f"Error: no case has {options.only!r} in its name", file=sys.stderr)
        return 2
    try:
        record = Record.read(options.file)
        measured = _measured(cases, set(options.world or WORLDS), show=not options.only)
        if options.write:
            return _recorded(record, measured, cases, options.file)
        return _judged(record, measured, cases)
    except (BadRecordError, WorldError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", action="append", choices=WORLDS, help="where; both if it is not given")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases with this text in their names")
    parser.add_argument("--write", action="store_true", help="record what is measured")
    parser.add_argument("--file", type=Path, default=RECORDED, metavar="FILE", help="where costs are recorded")
    return parser


def _measured(cases: Sequence[Case], worlds: Collection[str], *, show: bool) -> dict[str, dict[str, int]]:
    """The costs by server. The model is measured in a process of its own while the real server is."""
    if "mysql" not in worlds or not any(case.one_caller for case in cases):
        return {MODEL: in_model(cases)} if "model" in worlds else {}
    with model_process() as process:
        modelled = process.submit(in_model, cases) if "model" in worlds else None
        server, costs = asyncio.run(_on_a_server(cases, show=show))
        return ({MODEL: modelled.result()} if modelled else {}) | {server: costs}


async def _on_a_server(cases: Sequence[Case], *, show: bool) -> tuple[str, dict[str, int]]:
    async with MySQLWorld(SERVERS) as world:
        costs = await on_mysql(world, cases)
        if show:
            await _show_crowds(world)
        version = str(world.environment["server_version"]).partition("-")[0]  # without the packager's own number
        return f"MySQL {version}", costs


async def _show_crowds(world: MySQLWorld) -> None:
    print(f"{CLIENTS} callers on MySQL, which differs from run to run and is not compared:")
    for name in _CROWDS:
        found = await crowd(name, world)
        print(f"  {name}: {', '.join(f'{cost} {value}' for cost, value in found.items() if cost.endswith(_VARYING))}")


def _recorded(record: Record, measured: Mapping[str, Mapping[str, int]], cases: Sequence[Case], file: Path) -> int:
    for server, costs in measured.items():
        record.replace(server, costs, cases)
        print(f"{len(costs):,} costs of {server} are recorded in {file}")
    record.write(file)
    return 0


def _judged(record: Record, measured: Mapping[str, Mapping[str, int]], cases: Sequence[Case]) -> int:
    failed = False
    for server, costs in measured.items():
        found = record.differences(server, costs, cases)
        for each in found:
            print(f"{server}: {each}")
        failed = failed or bool(found)
        same = len(costs) - sum(each.new is not None for each in found)
        print(f"{server}: {same:,} costs are as recorded, {len(found):,} are not")
    if failed:
        print("If these changes are meant, `make costs WRITE=1` records them.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
