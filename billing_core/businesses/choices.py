"""The options of a business's settings."""

from datetime import date
from functools import cache, lru_cache
from zoneinfo import available_timezones

import pycountry
from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name, get_territory_currencies

from billing_core.money import currencies

# How Stripe collects for a business: ``invoices.payment_links.CollectionWay``.
COLLECTS_BY = ("payment_link", "hosted_invoice")

# What happens to usage that changes a billed period: ``metering.models.LateUsage``.
LATE_USAGE = ("next_invoice", "own_document", "waive")


@lru_cache(maxsize=8)
def currency_names(today: date, *, also: str = "") -> dict[str, str]:
    """``EUR`` -> ``EUR – Euro``, by code: the currencies now in use somewhere.

    ``also``: one to offer because it was chosen before, even if it is no longer in use.
    """
    return {
        code: f"{code} – {get_currency_name(code, locale='en')}" for code in sorted(_paid_with(today) | {also} - {""})
    }


def _paid_with(today: date) -> set[str]:
    return {
        code
        for territory in get_global("territory_currencies")
        for code in get_territory_currencies(territory, today, today)
        if code in currencies()
    }


@cache
def time_zones() -> tuple[str, ...]:
    """UTC, then those named for a place."""
    return ("UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))


@cache
def countries() -> dict[str, str]:
    """``DE`` -> ``Germany``, by code, in the order of their names."""
    named = Locale("en").territories
    names = {one.alpha_2: named.get(one.alpha_2, one.name) for one in pycountry.countries}
    return dict(sorted(names.items(), key=lambda one: one[1]))
