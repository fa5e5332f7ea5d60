"""Talks in the model while servers are killed: commits that are never answered, and texts that are lost or doubled.

    python benchmarks/crashed_talks.py --seeds 1000 --faults database
    python benchmarks/crashed_talks.py --seeds 1000 --faults database,node --changes 6 --groups 2

Each seed is a talk of its own: 8 texts of each of two users, two kills, 0.3 s down. With ``--changes``, each of them
recalls and edits so many of their texts meanwhile. With ``--groups``, four users talk in groups, too. A talk in which a
text or a change of one is lost, doubled or out of order is named with its seed, and the exit status is 1.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter

import click

from chatsim.experiments.talk.experiment import Talk
from chatsim.worlds.model.settings import Model


@click.command()
@click.option("--seeds", default=100, show_default=True, help="How many talks, with the seeds 1, 2, 3 and so on.")
@click.option("--faults", default="database", show_default=True, help="What is killed; see chatsim talk --help.")
@click.option("--changes", default=0, show_default=True, help="How many recalls and edits each user makes.")
@click.option("--groups", default=0, show_default=True, help="In how many groups they talk, too.")
def main(seeds: int, faults: str, changes: int, groups: int) -> None:
    """Count what becomes of commits and texts in crashed talks in the model."""
    logging.getLogger("chatsim").setLevel(logging.ERROR)  # a refused request is no news here
    totals: Counter[str] = Counter()
    wrong = []
    for seed in range(1, seeds + 1):
        talk = Talk(
            texts=8,
            crashes=2,
            down=0.3,
            seed=seed,
            patience=600,
            faults=faults,
            changes=changes,
            groups=groups,
            pairs=2 if groups else 1,
        )
        talked = Model().run(talk.converse, seed=seed)
        totals += Counter(
            {
                "texts sent": len(talked.sent),
                "recalls and edits": len(talked.changes),
                "crashes": talked.crashes,
                "commits kept and never answered": talked.unanswered,
                "texts sent again": talked.resent,
                "answered commits lost": talked.lost_commits,
            }
        )
        if talked.anomalies:
            wrong.append(seed)
            click.echo(f"seed {seed}: {talked.anomalies[0].explain()}")
    for name, count in totals.items():
        click.echo(f"{name}: {count:,}")
    click.echo(f"talks with a lost, doubled or disordered text, or a lost change: {len(wrong):,} of {seeds:,}")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
