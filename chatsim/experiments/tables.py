"""Results as tables: typed columns, the important ones first, and how a notebook shows them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style_render import CSSDict

__all__ = ["html", "in_digits", "summary"]

_MARKS = {
    "unsafe": "color: #b00020; font-weight: bold",
    "errors": "color: #b00020",
    "not tested": "color: #8a6d00",
}
"""How verdicts that are not safe are marked."""

_DIGITS = 3


def summary(rows: Sequence[Mapping[str, object]], first: Iterable[str], units: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a table whose columns have types: integers that are missing somewhere are ``Int64``.

    Args:
        rows: the rows, by column.
        first: the columns that come first, as far as there are such.
        units: what is added to the names of columns: their units.
    """
    import pandas as pd

    table = pd.DataFrame(rows, dtype=object)
    order = [name for name in first if name in table]
    table = table[[*order, *table.columns.difference(order, sort=False)]]
    return table.astype({name: _type(table[name]) for name in table}).rename(
        columns={name: f"{name}_{unit}" for name, unit in units.items()}
    )


def _type(column: pd.Series) -> str:
    import pandas as pd

    missing = column.isna().any()
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "integer":
        return "Int64" if missing else "int64"
    if kind == "boolean":
        return "boolean" if missing else "bool"
    if kind == "string":
        return "str"
    return "float64" if kind in ("empty", "floating", "mixed-integer-float") else "object"


def in_digits(value: float) -> str:
    """A measured number with three digits that count, and two decimals at most: more would not come out once more."""
    if not math.isfinite(value):
        return str(value)
    whole = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    decimals = min(2, _DIGITS - whole)
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def html(table: pd.DataFrame, precision: int | None = None, blank: Sequence[Collection[str]] = ()) -> str:
    """A table for a notebook: texts are on the left, numbers on the right; verdicts that are not safe are marked.

    Args:
        table: the table.
        precision: the decimals of numbers; None is as many as count (`in_digits`).
        blank: for each row, the columns that are left blank.
    """
    from pandas.api.types import is_numeric_dtype

    texts = [name for name in table if not is_numeric_dtype(table[name])]
    left: list[CSSDict] = [{"selector": "", "props": [("text-align", "left")]}]
    digits: Any = {} if precision is not None else dict.fromkeys(table.select_dtypes("float"), in_digits)
    shown = table.style.format(digits or None, precision=precision, thousands=",", na_rep="–").hide(axis="index")
    for at, names in enumerate(blank):
        if names:
            shown = shown.format("", subset=(table.index[[at]], [*names]))
    shown = shown.set_table_styles(dict.fromkeys(texts, left), overwrite=False)
    for name in table.columns.intersection(["verdict"]):
        shown = shown.map(lambda word: _MARKS.get(str(word), ""), subset=[name])
    return str(shown.to_html())
