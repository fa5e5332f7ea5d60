"""Progress bars, or none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["Progress"]


class Progress:
    """Makes progress bars.

    Args:
        shown: whether they are shown. They are never shown if the variable TQDM_DISABLE is set.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._silent = not shown or "TQDM_DISABLE" in os.environ  # tqdm looks there only if it is not told

    def bar(self, total: int, unit: str, label: str = "") -> tqdm[Never]:
        """A bar for ``total`` units: a context manager with ``update`` and ``set_description``."""
        from tqdm.auto import tqdm

        # miniters: otherwise the bar stands still for up to ten seconds when a slow part follows a fast one
        return tqdm(total=total, unit=unit, desc=label or None, leave=False, miniters=1, disable=self._silent)

    @property
    def unseen(self) -> Progress:
        """The same without bars."""
        return Progress(shown=False)
