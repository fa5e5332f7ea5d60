"""Pictures of results and of deadlocks. Each function returns a `matplotlib.figure.Figure`, and measures nothing.

A notebook shows the figure that is the last expression of a cell; ``figure.savefig`` writes it to a file.

- `curves`: a measure along what a sweep varies
- `strategies`: goodput and latency of creation strategies
- `catch_up`: how long it takes to catch up, over round-trip times
- `deadlock_kinds`: the deadlocks of a log, a cycle of each kind
- `delivery`: how soon texts are delivered, hop by hop
- `mix`: goodput and latency of the operations of a mixed load
- `pages`: what a page of a list costs, over the length of the list
- `per_second`: how the operations of a run went in time
- `predictions`: what a model has predicted, against what was measured
- `talk`: how many texts were sent while servers were killed, and how much is wrong
- `lock_steps`: the locks on an index after each step of a schedule
- `wait_for_graph`: who waits for whom in a deadlock
"""

from chatsim.figures.catching_up import catch_up
from chatsim.figures.comparison import mix, strategies
from chatsim.figures.deadlocks import deadlock_kinds, wait_for_graph
from chatsim.figures.hops import delivery
from chatsim.figures.locks import lock_steps
from chatsim.figures.page_costs import pages
from chatsim.figures.predictions import predictions
from chatsim.figures.sweeps import curves
from chatsim.figures.talks import talk
from chatsim.figures.timeline import per_second

__all__ = [
    "catch_up",
    "curves",
    "deadlock_kinds",
    "delivery",
    "lock_steps",
    "mix",
    "pages",
    "per_second",
    "predictions",
    "strategies",
    "talk",
    "wait_for_graph",
]
