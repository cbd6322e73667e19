"""Choosing one of a plan's versions."""

from billing_core.plans.listing import VersionRow
from pages.ui.inputs import parts


def choose(versions: list[VersionRow], label: str, *, key: str) -> VersionRow:
    """One of these, the latest by default; the address keeps which."""
    by_number = {one.number: one for one in versions}
    names = {number: f"Version {number}" for number in by_number}
    number = parts.one_of(label, names, key=key, width=140)
    return by_number[number]
