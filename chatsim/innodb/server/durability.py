"""The settings of a server that say what a crash may cost; see `commit_log`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Durability"]


@dataclass(frozen=True)
class Durability:
    """The settings of a server that say what a crash may cost.

    Attributes:
        log_bin: whether there is a binary log.
        flush_log_at_trx_commit: ``innodb_flush_log_at_trx_commit``: a commit has its redo log flushed (1), written (2),
            or neither (0).
        sync_binlog: whether a commit has its binary log synced (1) or only written (0).

    Raises:
        ValueError: a setting has a value that the model does not have.
    """

    log_bin: int = 1
    flush_log_at_trx_commit: int = 1
    sync_binlog: int = 1

    def __post_init__(self) -> None:
        if self.log_bin not in (0, 1):
            raise ValueError(f"log_bin is {self.log_bin!r}; it must be 0 or 1")
        if self.flush_log_at_trx_commit not in (0, 1, 2):
            raise ValueError(
                f"innodb_flush_log_at_trx_commit is {self.flush_log_at_trx_commit!r}; it must be 0, 1 or 2"
            )
        if self.sync_binlog not in (0, 1):
            raise ValueError(f"sync_binlog is {self.sync_binlog!r}; it must be 0 or 1")

    @property
    def flushes(self) -> bool:
        """Whether a commit waits for the redo log."""
        return self.flush_log_at_trx_commit == 1

    @property
    def syncs(self) -> bool:
        """Whether a commit waits for the binary log."""
        return bool(self.log_bin) and self.sync_binlog == 1
