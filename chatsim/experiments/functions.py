"""The experiments, and their strategies, as functions for a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from chatsim.chat.creation import STRATEGIES, CreationStrategy
from chatsim.chat.paging import STRATEGIES as PAGING_STRATEGIES
from chatsim.chat.paging.strategy import PagingStrategy
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.delivery.experiment import Delivery
from chatsim.experiments.mix.experiment import Mix
from chatsim.experiments.paging.experiment import Pages
from chatsim.experiments.runner import function
from chatsim.experiments.talk.experiment import Talk
from chatsim.worlds.notebook import UnawaitedRun, in_one_message

__all__ = [
    "EXPERIMENTS",
    "catchup",
    "delivery",
    "mix",
    "pages",
    "paging_strategies",
    "race",
    "run",
    "strategies",
    "talk",
]

T = TypeVar("T")

EXPERIMENTS = (Race, Pages, CatchUp, Delivery, Talk, Mix)
"""All experiments."""

race = function(Race)
pages = function(Pages)
catchup = function(CatchUp)
delivery = function(Delivery)
talk = function(Talk)
mix = function(Mix)


def strategies() -> dict[str, CreationStrategy]:
    """The creation strategies of chatsim, by name."""
    return dict(STRATEGIES)


def paging_strategies(what: str) -> dict[str, PagingStrategy]:
    """The paging strategies of chatsim for ``threads`` or ``history``, by name."""
    return dict(PAGING_STRATEGIES[what])


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end, and return its result.

    Raises:
        RuntimeError: an event loop is running, as in a notebook: use ``await`` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    main.close()
    name = f"chatsim.{main.name}(...)" if isinstance(main, UnawaitedRun) else "it"
    with in_one_message(also=RuntimeError):
        raise RuntimeError(f"an event loop is running here, as in every notebook; write: await {name}")
