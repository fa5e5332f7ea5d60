"""Optimizer hints, ``/*+ … */``: manual, "Optimizer Hints". Each is obeyed, or refused by its name."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.expressions import unsupported

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.from_clause import FromClause

__all__ = [
    "OF_SESSION",
    "OF_SUBQUERIES",
    "OptimizerHint",
    "apply_hints",
    "hints_of",
    "kept_tables",
    "place_hints",
    "refuse_hints",
]

OF_SUBQUERIES = ("SEMIJOIN", "NO_SEMIJOIN", "SUBQUERY")
"""Hints about how a subquery is joined or looked up, which say nothing of the query around it."""

_WITHOUT_EFFECT = (
    *("QB_NAME", "NO_MRR", "NO_BKA", "NO_SKIP_SCAN", "HASH_JOIN", "NO_HASH_JOIN", "BNL", "MERGE"),
    *("NO_DERIVED_CONDITION_PUSHDOWN", "RESOURCE_GROUP", *OF_SUBQUERIES),
)
"""Hints for what the model and the server do anyway, and that say nothing about plans."""

OF_SESSION = ("MAX_EXECUTION_TIME", "SET_VAR")
"""Hints that the session obeys."""

_OF_INDEXES = {
    "INDEX": "FORCE",
    "NO_INDEX": "IGNORE",
    "NO_INDEX_MERGE": "NO_INDEX_MERGE",
    "NO_ICP": "NO_ICP",
    "NO_RANGE_OPTIMIZATION": "NO_RANGE",
    "JOIN_INDEX": "FORCE FOR JOIN",
    "NO_JOIN_INDEX": "IGNORE FOR JOIN",
    "ORDER_INDEX": "FORCE FOR ORDER BY",
    "NO_ORDER_INDEX": "IGNORE FOR ORDER BY",
    "GROUP_INDEX": "FORCE FOR GROUP BY",
    "NO_GROUP_INDEX": "IGNORE FOR GROUP BY",
}
"""The hints about the indexes of a table, and the index hints (`index_hints`) that say the same."""

_OF_ORDER = ("JOIN_FIXED_ORDER", "JOIN_ORDER", "JOIN_PREFIX", "JOIN_SUFFIX")

_HINT = re.compile(r"\s*,?\s*(?P<name>\w+)\s*(?:\(\s*(?P<inner>(?:'[^']*'|[^()'])*)\))?\s*")


@dataclass(frozen=True)
class OptimizerHint:
    """A hint: its name in capital letters, and what stands in its parentheses."""

    name: str
    inner: str

    @property
    def words(self) -> list[str]:
        """The words in its parentheses."""
        return [each.strip("`") for each in re.split(r"[\s,]+", self.inner.strip()) if each]


def hints_of(node: exp.Expr) -> list[OptimizerHint]:
    """The hints of a query or of a change, in their order. Raises `NotImplementedError` for what is none."""
    said = node.args.get("hint")
    if said is None:
        return []
    text = " ".join(each if isinstance(each, str) else each.sql("mysql") for each in said.expressions)
    found: list[OptimizerHint] = []
    at = 0
    while at < len(text):
        match = _HINT.match(text, at)
        if match is None:
            raise unsupported(f"the hint {text[at:]}")
        found.append(OptimizerHint(match["name"].upper(), match["inner"] or ""))
        at = match.end()
    return found


_BLOCK = re.compile(r"@\s*`?([\w#]+)`?")


def place_hints(statement: exp.Expr) -> None:
    """Put each hint that names a query block, ``HINT(@block …)`` or ``HINT(table@block …)``, into that block."""
    queries = list(statement.find_all(exp.Select, bfs=False))
    blocks = {f"select#{number}": each for number, each in enumerate(queries, start=1)}
    blocks |= {hint.inner.strip(" `"): each for each in queries for hint in hints_of(each) if hint.name == "QB_NAME"}
    for node in [statement, *queries]:
        stay = []
        for hint in (found := hints_of(node)):
            named = set(_BLOCK.findall(hint.inner)) if hint.name not in OF_SESSION else set()
            target = blocks.get(named.pop()) if len(named) == 1 else None
            if target is None or target is node:
                stay.append(hint)
            else:
                said = target.args.get("hint") or exp.Hint(expressions=[])
                said.append("expressions", f"{hint.name}({_BLOCK.sub('', hint.inner)})")
                target.set("hint", said)
        if len(stay) < len(found):
            node.args["hint"].set("expressions", [f"{each.name}({each.inner})" for each in stay])


def refuse_hints(node: exp.Expr, where: str, *, but: Container[str] = (), only: Container[str] | None = None) -> None:
    """Refuse hints in a place where they would change more than the model knows: all, all but some, or only some."""
    names = [each.name for each in hints_of(node)]
    if name := next((each for each in names if each not in but and (only is None or each in only)), None):
        raise unsupported(f"hint {name} {where}")


def apply_hints(node: exp.Expr, clause: FromClause) -> bool:
    """Let the tables of a statement obey its hints.

    Args:
        node: the statement.
        clause: its tables.

    Returns:
        Whether rows may be kept in join buffers.

    Raises:
        NotImplementedError: a hint is not obeyed, or it names what there is not, of which the server only warns.
    """
    buffers = True
    for hint in hints_of(node):
        if "@" in hint.inner and hint.name not in OF_SESSION:
            raise unsupported(f"hint {hint.name} for another query block")
        if hint.name in _OF_INDEXES:
            _hint_indexes(hint, clause)
        elif hint.name in _OF_ORDER:
            _hint_order(hint, clause)
        elif hint.name == "NO_MERGE" and hint.words:
            _numbers(hint, hint.words, clause)  # `kept_tables`
        elif hint.name == "NO_BNL" and (not hint.words or len(set(hint.words)) == len(clause.tables)):
            _numbers(hint, hint.words, clause)
            buffers = False
        elif hint.name not in (*_WITHOUT_EFFECT, *OF_SESSION):
            raise unsupported(f"hint {hint.name}({hint.inner})")
    return buffers


def kept_tables(node: exp.Expr) -> frozenset[str]:
    """The derived tables that hints forbid to merge."""
    if node.args.get("hint") is None:
        return frozenset()
    return frozenset(word for each in hints_of(node) if each.name == "NO_MERGE" for word in each.words)


def _numbers(hint: OptimizerHint, names: Iterable[str], clause: FromClause) -> list[int]:
    """The numbers of tables."""
    found = []
    for name in names:
        numbers = clause.named(name)
        if not numbers:
            raise unsupported(f"hint {hint.name} of table {name}, which is not there")
        found += numbers
    return found


def _hint_indexes(hint: OptimizerHint, clause: FromClause) -> None:
    if not hint.words:
        raise unsupported(f"hint {hint.name} without a table")
    name, *indexes = hint.words
    (at, *_) = _numbers(hint, [name], clause)
    table = clause.tables[at][1]
    word, _, purpose = _OF_INDEXES[hint.name].partition(" FOR ")
    known = {each.definition.name.lower(): each.definition.name for each in table.indexes}
    if missing := next((each for each in indexes if each.lower() not in known), None):
        raise unsupported(f"hint {hint.name} of index {missing}, which is not there")
    if word not in ("FORCE", "IGNORE", "NO_RANGE") and indexes:
        raise unsupported(f"hint {hint.name} of single indexes")
    if clause.nodes[at].args.get("hints") and not clause.nodes[at].meta.get("hinted"):
        raise unsupported(f"hint {hint.name} beside {clause.nodes[at].sql('mysql')}")
    wanted = [known[each.lower()] for each in indexes] or list(known.values())
    changed = clause.nodes[at].copy()
    changed.meta["hinted"] = True
    names = [exp.to_identifier(each, quoted=True) for each in wanted]
    changed.append("hints", exp.IndexTableHint(this=word, expressions=names, target=purpose))
    clause.nodes[at] = changed


def _hint_order(hint: OptimizerHint, clause: FromClause) -> None:
    if any(each.kind == "outer" for each in clause.nests):
        raise unsupported(f"hint {hint.name} of outer joins")
    if hint.name == "JOIN_FIXED_ORDER":
        clause.keep_order()
        return
    named = _numbers(hint, hint.words, clause)
    others = [at for at in range(len(clause.tables)) if at not in named]
    _in_order(named, clause)
    if hint.name == "JOIN_PREFIX":
        for at in others:
            clause.after.setdefault(at, set()).update(named)
    elif hint.name == "JOIN_SUFFIX":
        for at in named:
            clause.after.setdefault(at, set()).update(others)


def _in_order(numbers: Sequence[int], clause: FromClause) -> None:
    for place, at in enumerate(numbers):
        clause.after.setdefault(at, set()).update(numbers[:place])
