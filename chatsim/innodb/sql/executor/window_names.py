"""Named windows: manual, "Named Windows"."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from chatsim.db.mysql import database_error

__all__ = ["NO_NAME", "with_named_windows"]

NO_NAME = "<unnamed window>"
"""What messages call a window without a name."""


def with_named_windows(query: exp.Select) -> exp.Select:
    """A query whose windows have, each for itself, what they have from the windows that WINDOW names.

    Raises:
        DatabaseError: a window is not defined, or not so that another one can be made of it (3579 to 3583, 3591).
    """
    made = query.copy()
    definitions: dict[str, exp.Window] = {}
    for each in made.args["windows"]:
        if each.name.lower() in definitions:
            raise database_error(3591, f"Window '{each.name}' is defined twice.")
        definitions[each.name.lower()] = each
    for each in definitions.values():
        _check_circles(each, definitions)
    made.set("windows", None)
    for each in list(made.find_all(exp.Window)):
        if each.args.get("alias") is not None and each.parent_select is made:
            _inherit(each, definitions, NO_NAME)
    for each in definitions.values():
        if each.args.get("alias") is not None:
            _inherit(each, definitions, each.name)
    return made


def _check_circles(window: exp.Window, definitions: Mapping[str, exp.Window]) -> None:
    seen, at = set[str](), window
    while (alias := at.args.get("alias")) is not None and (further := definitions.get(alias.name.lower())):
        if alias.name.lower() in seen:
            raise database_error(3580, "There is a circularity in the window dependency graph.")
        seen.add(alias.name.lower())
        at = further


def _inherit(window: exp.Window, definitions: Mapping[str, exp.Window], called: str) -> None:
    """Give a window the parts of the one that it names."""
    alias = window.args["alias"]
    base = definitions.get(alias.name.lower())
    if base is None:
        raise database_error(3579, f"Window name '{alias.name}' is not defined.")
    is_the_same = not window.meta.get("in_parentheses", True)
    if base.args.get("alias") is not None:
        _inherit(base, definitions, base.name)
    if window.args.get("partition_by"):
        raise database_error(3581, "A window which depends on another cannot define partitioning.")
    if base.args.get("spec") is not None and not is_the_same:
        message = f"Window '{base.name}' has a frame definition, so cannot be referenced by another window."
        raise database_error(3582, message)
    if window.args.get("order") and base.args.get("order"):
        message = f"Window '{called}' cannot inherit '{base.name}' since both contain an ORDER BY clause."
        raise database_error(3583, message)
    window.set("alias", None)
    window.set("partition_by", [each.copy() for each in base.args.get("partition_by") or ()])
    for part in ("order", "spec"):
        if not window.args.get(part) and base.args.get(part):
            window.set(part, base.args[part].copy())
