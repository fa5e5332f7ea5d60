"""All ways in which the rows of a table are reached."""

from __future__ import annotations

from typing import TypeAlias

from chatsim.innodb.storage.group_skip import GroupSkip, GroupSkipScan
from chatsim.innodb.storage.index_merge import Merge, MergeScan
from chatsim.innodb.storage.scan import AccessPath

__all__ = ["RowIterator", "TableAccess"]

TableAccess: TypeAlias = AccessPath | Merge | GroupSkip
"""A path along one index, a merge of several, or one from group to group."""

RowIterator: TypeAlias = MergeScan | GroupSkipScan
"""What gives the rows of a table, one by one."""
