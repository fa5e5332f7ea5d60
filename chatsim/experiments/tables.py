"""Results as tables: typed columns, the important ones first, and how a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style_render import CSSDict

__all__ = ["html", "summary"]

_MARKS = {
    "unsafe": "color: #b00020; font-weight: bold",
    "errors": "color: #b00020",
    "not tested": "color: #8a6d00",
}
"""How verdicts that are not safe are marked."""


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


def html(table: pd.DataFrame, precision: int = 2) -> str:
    """A table for a notebook: texts are on the left, numbers on the right; verdicts that are not safe are marked."""
    from pandas.api.types import is_numeric_dtype

    texts = [name for name in table if not is_numeric_dtype(table[name])]
    left: list[CSSDict] = [{"selector": "", "props": [("text-align", "left")]}]
    shown = table.style.format(precision=precision, thousands=",", na_rep="–").hide(axis="index")
    shown = shown.set_table_styles(dict.fromkeys(texts, left), overwrite=False)
    for name in table.columns.intersection(["verdict"]):
        shown = shown.map(lambda word: _MARKS.get(str(word), ""), subset=[name])
    return str(shown.to_html())
