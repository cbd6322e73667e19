"""Whose tax return, and of which period: all of it stands in the address."""

from dataclasses import dataclass
from functools import partial

from billing_core.figures import Scope
from billing_core.identity import Actor
from pages.ui import address
from pages.ui.inputs import business_names, filters
from pages.ui.reads import Reader

PAGE_KEY = "tax_page"
PERIOD_KEY = "tax_period"


@dataclass(frozen=True, slots=True)
class Asked:
    """A return is of one of our businesses."""

    scope: Scope
    business_id: int


def draw(read: Reader, actor: Actor) -> Asked:
    (first, name), *others = business_names.by_id(read).items()
    business_id: int | None = None
    with filters.row():
        if others:
            business_id = filters.one_of(
                "Business", dict(others), key="tax_business", page_key=PAGE_KEY, every=name, width=220
            )
        else:
            address.read("tax_business", "Business", partial(address.called, {first: name}), None)
        period = filters.period(read.today, key=PERIOD_KEY)
        known_at = filters.known_at(read.today, read.company.time_zone, key="tax_known")
        filters.saved_views(read, actor, "tax")
    return Asked(Scope(period, customer_id=actor.customer_id, known_at=known_at), business_id or first)
