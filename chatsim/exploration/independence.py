"""Statements that concern nobody else: whenever they run, before or after anything of the others, the rest is the same.

Where a caller has such a statement next, the other orders need not be followed: it is a persistent set of one
(Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996). What a statement concerns is told
by its syntax and by its session alone, and not by the states that were seen. So this stays right where states are
merged. Callers do not run such statements only, for ever, so none is put off for ever.
"""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession

__all__ = ["concerns_nobody", "is_at_rest"]

_HARMLESS = ("LAST_INSERT_ID",)
"""The functions without a syntax of their own that depend on the session alone."""


def concerns_nobody(sql: str, engine: Engine, session: EngineSession | None) -> bool:
    """Whether nobody notices when the statements of a text are executed, nor do they notice anybody.

    What follows them is another matter: the caller may end behind them, and with it its session and its locks.

    Args:
        sql: the text.
        engine: the server.
        session: whose statements they are; None if its connection has not been opened yet.
    """
    at_rest = session is None or is_at_rest(engine, session)
    return all(_is_own(each.node, at_rest=at_rest) for each in engine.prepared.prepare(sql))


def is_at_rest(engine: Engine, session: EngineSession) -> bool:
    """Whether a session holds nothing. Otherwise others are concerned when its connection ends."""
    holders = [
        *(owner for held, _ in engine.metadata_locks.users().values() for owner, _ in held),
        *(owner for held, _ in engine.user_locks.users().values() for owner, _ in held),
    ]
    return session.trx is None and session.connection_id not in holders


def _is_own(node: exp.Expr, *, at_rest: bool) -> bool:
    match node:
        case exp.Transaction() | exp.Commit() | exp.Rollback():
            return at_rest and not node.args.get("modes") and not node.args.get("savepoint")
        case exp.Select():
            return not any(isinstance(each, exp.Table | exp.Subquery) or _may_be_shared(each) for each in node.walk())
    return False


def _may_be_shared(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.upper() not in _HARMLESS
    return isinstance(node, exp.Func) and not isinstance(node, exp.Cast | exp.Coalesce | exp.Connector)
