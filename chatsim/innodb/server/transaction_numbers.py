"""The numbers of transactions, as statements and reports show them."""

from __future__ import annotations

from chatsim.innodb.storage.structures import Transaction

__all__ = ["number_of_session", "transaction_number"]

_FIRST_NUMBER = 1000


def transaction_number(trx: Transaction) -> int:
    """A number of a transaction, of which a session has one at a time; a prepared branch has another one."""
    return number_of_session(trx.session) + trx.prepared


def number_of_session(connection_id: int) -> int:
    """The number of the transaction that a session has, or has had."""
    return _FIRST_NUMBER + 2 * connection_id
