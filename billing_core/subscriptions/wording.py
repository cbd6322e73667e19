"""The text of an invoice line of a subscription, in the customer's language."""

from billing_core.invoices.report_wording import days
from billing_core.languages.formats import writing
from billing_core.subscriptions.models import ChargeKind
from billing_core.subscriptions.pricing import Item


def item_words(item: Item, currency: str, language: str) -> str:
    """Such as “Pro, Mar 1 – 31, 2026”, “Pro, additional seats, Mar 1 – 31, 2026” or, of a part of a period, “Pro,
    Mar 11 – 31, 2026: 21/31 × 29.99 USD”.
    """
    words = writing(language)
    named = item.name
    if item.kind is ChargeKind.SEATS:
        seats = words.gettext("additional seats")
        named = f"{item.name}, {seats}"
    told = f"{named}, {days(item.days, words)}"
    if not item.is_whole:
        quantity = "" if item.quantity == 1 else f"{item.quantity} × "
        price = f"{words.amount(item.unit_minor, currency)} {currency}"
        told += f": {quantity}{item.days.days}/{item.period.days} × {price}"
    if item.forfeited_minor:
        forfeited = words.gettext("of the discount is not used, as it exceeds the price")
        told += f" ({words.amount(item.forfeited_minor, currency)} {currency} {forfeited})"
    return told
