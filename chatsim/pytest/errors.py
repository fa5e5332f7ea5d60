"""Errors as a test shows them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TypeVar

__all__ = ["of_the_test"]

E = TypeVar("E", bound=Exception)

_OURS = str(Path(__file__).parents[1])


def of_the_test(error: E) -> E:
    """The same error, with a traceback that begins in a function of the test's own; without one if none has run."""
    return error.with_traceback(_beginning(error.__traceback__))


def _beginning(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    return traceback
