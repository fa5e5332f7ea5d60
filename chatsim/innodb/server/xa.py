"""XA: branches of distributed transactions (MySQL manual, "XA Transactions").

A branch that is prepared leaves its session, keeps its locks, and is committed or rolled back by any session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.server import control
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.metadata_locks import SessionMetadataLocks
from chatsim.innodb.server.transactions import end_transaction
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.session_syntax import LockTables, Xa, Xid
from chatsim.innodb.sql.syntax import Definition
from chatsim.innodb.storage.structures import Transaction
from chatsim.innodb.storage.undo import roll_back

__all__ = ["Branch", "check"]

State = Literal["NON-EXISTING", "ACTIVE", "IDLE", "PREPARED", "ROLLBACK ONLY"]

_ENDS = (exp.Transaction, exp.Commit, Definition, exp.TruncateTable, LockTables)
"""Statements that would end the transaction."""


@dataclass(eq=False)
class Branch:
    """A branch.

    Attributes:
        xid: its name.
        state: what may be done with it.
        trx: its transaction, once it is prepared.
        metadata_locks: the definitions that it keeps, once it is prepared.
    """

    xid: Xid
    state: State = "ACTIVE"
    trx: Transaction | None = None
    metadata_locks: SessionMetadataLocks | None = None


def check(branch: Branch, node: exp.Expr) -> None:
    """Raise a `DatabaseError` (1399) if a session with a branch may not execute a statement now."""
    if isinstance(node, Xa):
        return
    ends = isinstance(node, _ENDS) or (isinstance(node, exp.Rollback) and node.args.get("savepoint") is None)
    if ends or branch.state == "IDLE":
        raise _not_in(branch.state)
    if branch.state == "ROLLBACK ONLY" and isinstance(node, exp.DML):
        raise unsupported("a change in a branch that was rolled back")


def _not_in(state: State) -> DatabaseError:
    return database_error(
        1399, f"XAER_RMFAIL: The command cannot be executed when global transaction is in the  {state} state"
    )


_UNKNOWN = (1397, "XAER_NOTA: Unknown XID")


@control.execute.register
async def _xa(node: Xa, session: StatementContext, _: Sequence[Any]) -> Answer:
    word, option = node.this, node.args.get("option")
    if word == "RECOVER":
        return Answer(rows=_prepared(session.engine, converts=bool(option)))
    xid: Xid = node.args["xid"]
    if option and (word, option) != ("COMMIT", "ONE PHASE"):
        raise database_error(1398, "XAER_INVAL: Invalid arguments (or unsupported command)")
    if word == "START":
        await _start(session, xid)
    elif word == "END":
        _end(session, xid)
    elif word == "PREPARE":
        _prepare(session, xid)
    elif session.branch is not None and session.branch.xid == xid:
        await _finish_own(session, session.branch, commits=word == "COMMIT", one_phase=bool(option))
    else:
        _finish_prepared(session, xid, commits=word == "COMMIT", one_phase=bool(option))
    return Answer()


async def _start(session: StatementContext, xid: Xid) -> None:
    if session.branch is not None:
        raise _not_in(session.branch.state)
    if session.under_way:
        raise database_error(1400, "XAER_OUTSIDE: Some work is done outside global transaction")
    if xid in session.engine.branches:
        raise database_error(1440, "XAER_DUPID: The XID already exists")
    await session.begin()
    session.branch = session.engine.branches[xid] = Branch(xid)


def _end(session: StatementContext, xid: Xid) -> None:
    branch = session.branch
    if branch is None:
        raise _not_in("NON-EXISTING")
    if branch.state not in ("ACTIVE", "ROLLBACK ONLY"):
        raise _not_in(branch.state)
    if branch.xid != xid:
        raise database_error(*_UNKNOWN)
    if branch.state == "ROLLBACK ONLY":
        raise database_error(1614, "XA_RBDEADLOCK: Transaction branch was rolled back: deadlock was detected")
    branch.state = "IDLE"


def _prepare(session: StatementContext, xid: Xid) -> None:
    branch = session.branch
    if branch is None or branch.state != "IDLE":
        raise _not_in("NON-EXISTING" if branch is None else branch.state)
    if branch.xid != xid:
        raise database_error(*_UNKNOWN)
    branch.state = "PREPARED"
    branch.trx, branch.metadata_locks = session.detach()
    session.branch = None


async def _finish_own(session: StatementContext, branch: Branch, *, commits: bool, one_phase: bool) -> None:
    allowed = ("IDLE",) if commits else ("IDLE", "ROLLBACK ONLY")
    if branch.state not in allowed or (commits and not one_phase):
        raise _not_in(branch.state)
    if commits:
        await session.commit()
    else:
        session.rollback()
    session.branch = None
    del session.engine.branches[branch.xid]


def _finish_prepared(session: StatementContext, xid: Xid, *, commits: bool, one_phase: bool) -> None:
    engine = session.engine
    if session.branch is not None or session.under_way:
        raise _not_in("NON-EXISTING" if session.branch is None else session.branch.state)
    branch = engine.branches.get(xid)
    if branch is None or branch.state != "PREPARED":
        raise database_error(*_UNKNOWN)
    if one_phase:
        raise database_error(1398, "XAER_INVAL: Invalid arguments (or unsupported command)")
    del engine.branches[xid]
    if (trx := branch.trx) is not None:
        if not commits:
            roll_back(trx, 0, engine.locks, engine.history.purged, partial=False)
            trx.undo_log.clear()
        end_transaction(engine, trx)
        engine.log.force()
    if branch.metadata_locks is not None:
        branch.metadata_locks.release_all()


def _prepared(engine: Engine, *, converts: bool) -> list[tuple[Any, ...]]:
    found = [each.xid for each in engine.branches.values() if each.state == "PREPARED"]
    shown = [each.gtrid + each.bqual for each in found]
    if converts:
        shown = [f"0x{each.encode().hex().upper()}" for each in shown]
    return [
        (each.format, len(each.gtrid.encode()), len(each.bqual.encode()), data)
        for each, data in zip(found, shown, strict=True)
    ]
