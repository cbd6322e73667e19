"""The text of an invoice line made from usage, in the customer's language."""

from collections.abc import Sequence
from decimal import Decimal

from babel.numbers import format_decimal

from billing_core.dates import Period
from billing_core.invoices.report_wording import days
from billing_core.languages.formats import Writing, writing
from billing_core.metering.models import API_CALLS
from billing_core.usage.charges import Part


def line_words(
    meter: str,
    name: str,
    period: Period,
    *,
    quantity: Decimal,
    included: Decimal,
    parts: Sequence[Part],
    currency: str,
    language: str,
) -> str:
    """Such as “API calls, Oct 1 – 31, 2023: used 12,500, included 10,000, 2,500 × 0.001 USD”. ``meter`` is its code,
    ``name`` what we call it.
    """
    words = writing(language)
    facts = [_counted(words.gettext("used"), quantity, words)]
    if included:
        facts.append(_counted(words.gettext("included"), included, words))
    facts += [
        f"{_number(part.quantity, words)} × {words.usage_price(part.price, currency)} {currency}" for part in parts
    ]
    called = words.gettext("API calls") if meter == API_CALLS else name
    return f"{called}, {days(period, words)}: {', '.join(facts)}"


def _counted(what: str, number: Decimal, words: Writing) -> str:
    return f"{what} {_number(number, words)}"


def _number(number: Decimal, words: Writing) -> str:
    return str(format_decimal(number, locale=words.locale, decimal_quantization=False))
