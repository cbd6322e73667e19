"""Checks of single inputs: each returns the value to store, and adds to ``reasons`` why it is refused."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from billing_core import recipients
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.email_addresses import address_fault
from billing_core.money import LARGEST_PRICE, LINE_QUANTITY_PLACES, PERCENT_PLACES, PRICE_PLACES
from billing_core.text import control_character

Reasons = dict[str, str]

# The largest quantity: its millionths fit into 64 bits.
LARGEST = 10**12


def line_of_text(reasons: Reasons, field: str, text: str, longest: int) -> str:
    """A single line; runs of blanks become one."""
    return _kept_text(reasons, field, " ".join(text.split()), longest)


def text_block(reasons: Reasons, field: str, text: str, longest: int) -> str:
    """Several lines, each trimmed at its end; empty lines between others stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    return _kept_text(reasons, field, "\n".join(line.rstrip(" ") for line in lines).strip(), longest)


def email(reasons: Reasons, field: str, text: str) -> str:
    address = text.strip()
    if address and (fault := address_fault(address)):
        reasons[field] = fault
    return address


def email_lists(reasons: Reasons, first: str, lists: Mapping[str, str]) -> dict[str, str]:
    """Who gets the mails beside the first address."""
    stored, faults = recipients.kept(first, lists)
    reasons |= faults
    return stored


def day(reasons: Reasons, field: str, value: date) -> date:
    if not EARLIEST_DAY <= value <= LATEST_DAY:
        reasons[field] = f"must lie between {EARLIEST_DAY} and {LATEST_DAY}"
    return value


def quantity(reasons: Reasons, field: str, number: Decimal) -> Decimal:
    value = _number(reasons, field, number, LINE_QUANTITY_PLACES)
    if field not in reasons and not value:
        reasons[field] = "must not be 0"
    return value


def unit_price(reasons: Reasons, field: str, number: Decimal) -> Decimal:
    price = _number(reasons, field, number, PRICE_PLACES, largest=LARGEST_PRICE)
    if number.is_finite() and abs(number) > LARGEST_PRICE:
        reasons[field] = (
            f"must be at most {LARGEST_PRICE:,}: bill more as a larger quantity of a part of it, such as 1,000 of its "
            "thousandth"
        )
    return price


def may_bill(quantity: Decimal | Fraction, unit_price: Decimal | Fraction) -> bool:
    """Whether a line may have this quantity above 0 at this price, with all their decimals."""
    exact = quantity == round(quantity, LINE_QUANTITY_PLACES) and unit_price == round(unit_price, PRICE_PLACES)
    return exact and quantity <= LARGEST and unit_price <= LARGEST_PRICE


def percentage(reasons: Reasons, field: str, number: Decimal) -> Decimal:
    value = _number(reasons, field, number, PERCENT_PLACES)
    if field not in reasons and not 0 <= value <= 100:
        reasons[field] = "must lie between 0 and 100 percent"
    return value


def discount(
    reasons: Reasons, field: str, percent: Decimal | None, minor: int | None
) -> tuple[Decimal | None, int | None]:
    """At most one of the two; a discount of 0 is none."""
    if percent is not None:
        percent = percentage(reasons, f"{field}_percent", percent)
    if minor is not None and minor < 0:
        reasons[f"{field}_minor"] = "must not be negative"
    if percent and minor:
        reasons[f"{field}_percent"] = "is either a percentage or an amount, not both"
    return percent or None, minor or None


def _kept_text(reasons: Reasons, field: str, text: str, longest: int) -> str:
    if character := control_character(text):
        reasons[field] = f"has a character in it that cannot be kept ({character})"
    elif len(text) > longest:
        reasons[field] = f"may have at most {longest:,} characters, and has {len(text):,}"
    return text


def _number(reasons: Reasons, field: str, number: Decimal, places: int, *, largest: int | Decimal = LARGEST) -> Decimal:
    """The number with exactly ``places`` decimals, so that equal numbers are stored alike."""
    if not number.is_finite():
        reasons[field] = "must be a number"
    elif number and number.adjusted() > 12:
        reasons[field] = f"must be at most {largest:,}"
    elif (scaled := number.quantize(Decimal(1).scaleb(-places))) != number:
        reasons[field] = f"may have at most {places} decimals"
    elif abs(scaled) > largest:
        reasons[field] = f"must be at most {largest:,}"
    else:
        return scaled
    return Decimal(0)
