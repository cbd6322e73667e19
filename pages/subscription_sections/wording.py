"""Subscriptions in words: their states, and what happens next."""

from datetime import datetime
from typing import Final, Protocol

from billing_core.dates import day_in
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview.forecast import Bill
from billing_core.subscriptions.overview.search import ListedSubscription
from pages.ui import formats
from pages.ui.colors import Color

STATES: Final[dict[SubscriptionState, tuple[str, Color]]] = {
    SubscriptionState.TRIALING: ("Trialing", "gray"),
    SubscriptionState.ACTIVE: ("Active", "gray"),
    SubscriptionState.PAST_DUE: ("Past due", "orange"),
    SubscriptionState.UNPAID: ("Unpaid", "red"),
    SubscriptionState.CANCELED: ("Canceled", "gray"),
}
HELD, PAUSED, ENDING = "Held", "Paused", "Ending"
COLORS: Final[dict[str, Color]] = dict(STATES.values()) | {HELD: "red", PAUSED: "orange", ENDING: "orange"}


class Standing(Protocol):
    """What says where a subscription stands."""

    @property
    def state(self) -> SubscriptionState: ...
    @property
    def held_at(self) -> datetime | None: ...
    @property
    def paused_at(self) -> datetime | None: ...
    @property
    def cancel_at_period_end(self) -> bool: ...
    @property
    def canceled_at(self) -> datetime | None: ...
    @property
    def next_at(self) -> datetime | None: ...


def states(one: Standing) -> list[str]:
    """Its state, and what beside it is an exception."""
    found = [STATES[one.state][0]]
    if one.state is SubscriptionState.CANCELED:
        return found
    found += [HELD] if one.held_at else []
    found += [PAUSED] if one.paused_at else []
    return found + ([ENDING] if one.cancel_at_period_end else [])


def next_event(one: Standing, zone: str) -> str:
    """What happens next, and on which day."""
    if one.state is SubscriptionState.CANCELED:
        return _on("Ended on", one.canceled_at, zone)
    if one.held_at:
        return "Waits for a decision"
    if one.next_at is None:
        return formats.NOTHING
    if one.cancel_at_period_end:
        return _on("Ends on", one.next_at, zone)
    if one.state is SubscriptionState.TRIALING:
        return _on("Trial ends on", one.next_at, zone)
    return _on("Unbilled from" if one.paused_at else "Renews on", one.next_at, zone)


def _on(words: str, moment: datetime | None, zone: str) -> str:
    """Among others it stands by the moment, whatever happens then."""
    text = f"{words} {_day(moment, zone)}"
    return text if moment is None else formats.Written(text, int(moment.timestamp()))


def price(row: ListedSubscription) -> str:
    """What it is worth a month."""
    return f"{formats.money(row.monthly_minor, row.currency)} a month at full prices"


def lines(bill: Bill) -> str:
    """What a bill is for, on one line."""
    if bill.is_paused:
        return "Paused: nothing is billed"
    parts = [line.description for line in bill.lines] + (["usage of the period before"] if bill.has_usage else [])
    return " · ".join(parts) or "Nothing has a price"


def total(bill: Bill, currency: str) -> str:
    """Of what is known today."""
    text = formats.amount(bill.total_minor, currency) + (" + usage" if bill.has_usage else "")
    return formats.Written(text, bill.total_minor, currency)


def card(brand: str | None, last4: str | None) -> str:
    """What is charged: such as ``Visa •••• 4242``; without a card the invoices are mailed with a link."""
    return formats.card(brand, last4) if brand and last4 else "Mailed link"


def _day(moment: datetime | None, zone: str) -> str:
    return formats.NOTHING if moment is None else formats.day(day_in(zone, moment))
