"""Hints in a subquery about how it is joined or looked up: manual, "Subquery Optimizer Hints"."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.optimizer.join_order import Strategy
from chatsim.innodb.sql.optimizer.optimizer_hints import OF_SUBQUERIES, hints_of, refuse_hints

__all__ = ["SubqueryHints", "refuse_hints_of_joined", "subquery_hints"]

_STRATEGIES = {
    "FIRSTMATCH": {Strategy.FIRST_MATCH},
    "LOOSESCAN": {Strategy.LOOSE_SCAN},
    "MATERIALIZATION": {Strategy.LOOKUP, Strategy.SCAN},
    "DUPSWEEDOUT": {Strategy.WEEDOUT},
}


@dataclass(frozen=True)
class SubqueryHints:
    """What the hints of a subquery say.

    Attributes:
        joins: whether it may be joined.
        strategies: the strategies by which.
        strategy: how it is looked up, if it is not joined: MATERIALIZATION or INTOEXISTS; "" is what costs least.
    """

    joins: bool = True
    strategies: frozenset[Strategy] = frozenset(Strategy)
    strategy: str = ""


_NONE = SubqueryHints()


def subquery_hints(node: exp.Expr) -> SubqueryHints:
    """What the hints of a subquery say. Raises `NotImplementedError` for a strategy that there is not."""
    if node.args.get("hint") is None:
        return _NONE
    found = _NONE
    for hint in hints_of(node):
        words = [each.upper() for each in hint.words]
        if hint.name == "SUBQUERY" and words in (["MATERIALIZATION"], ["INTOEXISTS"]):
            found = SubqueryHints(joins=False, strategy=words[0])
        elif hint.name in OF_SUBQUERIES:
            if hint.name == "SUBQUERY" or not set(words) <= _STRATEGIES.keys():
                raise unsupported(f"hint {hint.name}({hint.inner})")
            named = frozenset[Strategy]().union(*(_STRATEGIES[each] for each in words))
            if hint.name == "NO_SEMIJOIN":
                found = SubqueryHints(strategies=found.strategies - named) if words else SubqueryHints(joins=False)
            elif words:
                found = SubqueryHints(strategies=named)
    return found


def refuse_hints_of_joined(node: exp.Expr) -> None:
    """Refuse hints about the tables of a subquery that become tables of the statement."""
    refuse_hints(node, "in a subquery that is joined", but=("QB_NAME", *OF_SUBQUERIES))
