"""What a business can choose from."""

from functools import cache
from zoneinfo import available_timezones

from babel.numbers import get_currency_name

from billing_core.money import currencies


@cache
def currency_names() -> dict[str, str]:
    """``EUR`` -> ``EUR – Euro``, in the order of the codes."""
    return {code: f"{code} – {get_currency_name(code, locale='en')}" for code in sorted(currencies())}


@cache
def time_zones() -> tuple[str, ...]:
    """UTC, then those named for a place."""
    return ("UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))
