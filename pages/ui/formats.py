"""How amounts, dates and counts are written, in the reader's own locale. Exact: integers and decimals throughout."""

import re
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Self
from zoneinfo import ZoneInfo

import streamlit as st
from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_time
from babel.numbers import NumberPattern, parse_pattern

from billing_core.dates import Period, last_of_month
from billing_core.money import Money, decimal_places

NOTHING = "–"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# Alone among other words: no part of a number such as INV-2026-03-02, of a file's name, or of what is quoted.
_WRITTEN_DAYS = re.compile(rf"(?<![\w.“/-])({_DAY})(?: to ({_DAY}))?(?![\w”/-]|\.\w)")


class Written(str):
    """A text that has not forgotten the value it writes: among others it stands by that, as tables sort it. Those of
    one ``unit``, such as a currency, stand together. Joined to other words it is a text like any other.
    """

    value: tuple[str, Decimal | int]

    def __new__(cls, text: str, value: Decimal | int = 0, unit: str = "") -> Self:
        one = super().__new__(cls, text)
        one.value = (unit, value)
        return one


@cache
def _named(name: str) -> Locale:
    try:
        return Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en", "US")


def locale() -> Locale:
    """The locale that the browser asks for; American English where it names none."""
    return _named(st.context.locale or "en-US")


@cache
def _digits(places: int, grouping: str) -> NumberPattern:
    return parse_pattern(f"{grouping}.{'0' * places}" if places else grouping)


def number(value: Decimal, places: int) -> str:
    """An exact decimal with that many digits after the point, thousands separated."""
    return Written(_in_digits(value, places, st.context.locale or "en-US"), value)


@lru_cache(maxsize=16_384)
def _in_digits(value: Decimal, places: int, locale_name: str) -> str:
    here = _named(locale_name)
    grouping = str(here.decimal_formats[None].pattern).partition(".")[0]
    return str(_digits(places, grouping).apply(value, here))


def amount(minor: int, currency: str) -> str:
    """The amount alone; its currency stands beside it."""
    text = number(Money(minor, currency).amount, decimal_places(currency))
    return Written(text, minor, currency)


def money(minor: int, currency: str) -> str:
    return Written(f"{amount(minor, currency)}{NO_BREAK_SPACE}{currency}", minor, currency)


def change_of_money(minor: int, currency: str) -> str:
    """A difference, with its sign."""
    return Written(("+" if minor > 0 else "") + money(minor, currency), minor, currency)


def change(minor: int, currency: str) -> str:
    """The same without the currency, for a table that names it."""
    return Written(("+" if minor > 0 else "") + amount(minor, currency), minor, currency)


def count(value: int) -> str:
    return number(Decimal(value), 0)


def counted(value: int, noun: str) -> str:
    """``1 order``, ``2 orders``; ``noun`` is the singular of one that takes an s."""
    return Written(f"{count(value)} {noun if value == 1 else noun + 's'}", value)


def card(brand: str, last4: str) -> str:
    """Such as ``Visa •••• 4242``."""
    return f"{words(brand)} •••• {last4}"


def decimal(value: Decimal | None) -> str:
    """A quantity or a price with the digits it has and no more."""
    if value is None:
        return ""
    trimmed = value.normalize()
    return number(trimmed, max(0, -int(trimmed.as_tuple().exponent)))


def price(value: Decimal, currency: str) -> str:
    """The price of one, with the digits it has, and no fewer than the currency's."""
    digits = -int(value.normalize().as_tuple().exponent)
    return Written(number(value, max(digits, decimal_places(currency))), value, currency)


def percent_change(now: int, before: int) -> str | None:
    """How much more or less, such as ``+12.5%``; None when there was nothing before."""
    if before == 0:
        return None
    change = (Decimal(now - before) * 100 / abs(before)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return Written(f"{'+' if change > 0 else ''}{number(change, 1)}%", change)


def day_form() -> str:
    """How dates are written, such as ``DD.MM.YYYY``: the one form of fields, tables and texts. In figures, because
    fields know nothing else.
    """
    return _day_form(st.context.locale or "en-US")


@cache
def _day_form(locale_name: str) -> str:
    pattern = str(_named(locale_name).date_formats["short"].pattern)
    order = sorted("yMd", key=pattern.index)
    separator = next((sign for sign in pattern[pattern.index(order[0]) :] if sign in "/.-"), "-")
    form = separator.join({"y": "YYYY", "M": "MM", "d": "DD"}[part] for part in order)
    return form if "YYYY" in (form[:4], form[-4:]) else "YYYY-MM-DD"


def day(value: date | None) -> str:
    return NOTHING if value is None else Written(_day(value, day_form()), value.toordinal())


def _day(value: date, form: str) -> str:
    return form.replace("YYYY", f"{value.year:04}").replace("MM", f"{value.month:02}").replace("DD", f"{value.day:02}")


def month(value: date) -> str:
    return Written(format_skeleton("yMMMM", value, locale=locale()), value.toordinal())


def short_month(value: date) -> str:
    return Written(format_skeleton("yMMM", value, locale=locale()), value.toordinal())


def month_alone(value: date) -> str:
    return str(format_skeleton("MMM", value, locale=locale()))


def instant(value: datetime | None, zone: str) -> str:
    """A moment where the business is."""
    if value is None:
        return NOTHING
    text = _at(value, zone, st.context.locale or "en-US")
    return Written(text, int(value.timestamp() * 1_000_000))


@lru_cache(maxsize=4_096)
def _at(value: datetime, zone: str, locale_name: str) -> str:
    here, there = _named(locale_name), value.astimezone(ZoneInfo(zone))
    return f"{_day(there, _day_form(locale_name))}, {format_time(there, 'short', locale=here)}"


def period(value: Period) -> str:
    """``April 1998``, ``Apr – Jun 1998`` or the two days."""
    if value.start.day == 1 and value.end == last_of_month(value.end):
        months = list(value.months())
        text = month(value.start) if len(months) == 1 else f"{short_month(months[0])} – {short_month(months[-1])}"
    else:
        text = day(value.start) if value.start == value.end else f"{day(value.start)} – {day(value.end)}"
    return Written(text, value.start.toordinal())


def days(start: date, end: date) -> str:
    return period(Period(start, end))


def with_days(text: str) -> str:
    """What a service says, or has stored, with its days (``2026-10-01``, ``2026-10-01 to 2026-10-31``) as the reader
    writes them: it knows no reader, and programs read it too.
    """
    return _WRITTEN_DAYS.sub(_as_read, text)


def _as_read(match: re.Match[str]) -> str:
    try:
        start, end = (date.fromisoformat(one or match[1]) for one in match.groups())
    except ValueError:
        return match[0]
    if match[2] is None:
        return day(start)
    # “From March 2026” would be everything since then; and a person may have typed the later day first.
    apart = match.string.endswith("from ", 0, match.start()) or end < start
    return f"{day(start)} to {day(end)}" if apart else days(start, end)


def country(code: str) -> str:
    """By its name: ``CH`` -> ``Switzerland``."""
    return str(Locale("en").territories.get(code, code))


def sentence(words_: str) -> str:
    """What a service says, as a sentence of a page: with a capital first letter."""
    told = with_days(words_)
    return told[:1].upper() + told[1:]


def action(code: str) -> str:
    """``report.generate`` -> ``Report: generate``."""
    return words(code.replace(".", ": "))


def words(code: str) -> str:
    """``per_order`` -> ``Per order``."""
    return code.replace("_", " ").capitalize()


_BY_METHOD = {"cash": "in cash", "stripe": "through Stripe", "other": "in another way"}


def by_method(method: str) -> str:
    """``bank_transfer`` -> ``by bank transfer``, ``other`` -> ``in another way``: what follows “paid”."""
    return _BY_METHOD.get(method) or f"by {words(method).lower()}"
