"""Numbers as people type them or paste them from a spreadsheet: exact, in their own way of writing."""

import re
from decimal import Decimal

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

from billing_core.money import decimal_places

_BLANKS = re.compile(r"[\s'’]")
_WRITTEN = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*")
_LONGEST = 40


def number(text: str, locale: Locale) -> Decimal:
    """``1.234,50`` and ``1,234.50`` are the same number; ValueError says why something is none.

    Where one mark could mean either, as in ``1,234``, it means what it does in the reader's own locale.
    """
    plain = _BLANKS.sub("", text).replace("\N{MINUS SIGN}", "-")
    if len(plain) > _LONGEST or not _WRITTEN.fullmatch(plain) or plain[-1] in ".,":
        raise ValueError(f"is not a number such as {example(locale)}")
    sign, digits = (plain[0], plain[1:]) if plain[0] in "+-" else ("", plain)
    decimal_mark = _decimal_mark(digits, locale)
    grouping = "," if decimal_mark == "." else "."
    whole, _, rest = digits.partition(decimal_mark) if decimal_mark else (digits, "", "")
    groups = re.split(r"[.,]", whole) if not decimal_mark else whole.split(grouping)
    well_grouped = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    if (not rest.isdigit() and rest) or (len(groups) > 1 and not well_grouped):
        raise ValueError(f"is not a number such as {example(locale)}")
    return Decimal(f"{sign}{''.join(groups) or '0'}.{rest or '0'}")


def minor(text: str, currency: str, locale: Locale) -> int:
    """An amount in minor units; ValueError where the currency is not paid in such small parts."""
    places = decimal_places(currency)
    scaled = number(text, locale).scaleb(places)
    if scaled != scaled.to_integral_value():
        limit = f"at most {places} decimals" if places else "no decimals"
        raise ValueError(f"may have {limit} in {currency}")
    return int(scaled)


def written(value: Decimal | None, locale: Locale) -> str:
    """The number with the digits it has, so that ``number`` reads it back as it was."""
    if value is None:
        return ""
    return f"{value.normalize():f}".replace(".", str(get_decimal_symbol(locale)))


def unmistakable(value: Decimal, locale: Locale) -> str:
    """The same as every reader understands it, whatever their locale: one mark with three digits behind it might be a
    decimal mark or part thousands.
    """
    text = written(value, locale)
    return f"{text}0" if len(text.partition(str(get_decimal_symbol(locale)))[2]) == 3 else text


def written_minor(value: int | None, currency: str, locale: Locale) -> str:
    """An amount with all the decimals of its currency."""
    if value is None:
        return ""
    places = decimal_places(currency)
    return f"{Decimal(value).scaleb(-places):f}".replace(".", str(get_decimal_symbol(locale)))


def example(locale: Locale) -> str:
    """A number as the reader would write it."""
    return f"1234{get_decimal_symbol(locale)}50"


def _decimal_mark(digits: str, locale: Locale) -> str:
    """The mark before the decimals; empty where all marks separate thousands, or where there are none."""
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return ""
    mark, other = digits[last], "." if digits[last] == "," else ","
    if other in digits:
        return mark
    if digits.count(mark) > 1:
        return ""
    head, tail = digits[:last], digits[last + 1 :]
    could_be_thousands = len(tail) == 3 and 1 <= len(head) <= 3 and not head.startswith("0")
    return "" if could_be_thousands and mark == get_group_symbol(locale) else mark
