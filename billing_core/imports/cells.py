"""Converting one cell of text to a value, or giving the reason why it cannot be. Pure; never called for blank cells.

Numbers come with a decimal point and without groups of thousands, days as ``2025-03-31``: ``writing`` sees to that.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from billing_core.csv_text import unescaped
from billing_core.database.types import stored_on_sqlite
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.email_addresses import address_fault
from billing_core.errors import Invalid
from billing_core.metering import reading
from billing_core.metering.reading import LONGEST_RESPONSE
from billing_core.money import LARGEST_PRICE, PERCENT_PLACES, PRICE_PLACES, USAGE_PRICE_PLACES
from billing_core.orders.models import sku_key
from billing_core.plans.terms import MAX_PRICE_PER_CALL
from billing_core.promotions.models import LONGEST_CODE
from billing_core.promotions.new_codes import MAX_LIMIT, MAX_PERIODS, code_of
from billing_core.rating import conditions, tiers
from billing_core.recipients import MOST, addresses, in_a_list, list_fault
from billing_core.text import control_character

LARGEST: Final = Decimal(10**9)
# A long number as a spreadsheet writes it into a CSV.
SHORTENED: Final = re.compile(r"-?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}")
DIGITS_LOST: Final = (
    "was destroyed by a spreadsheet, which shows long numbers so and forgets their digits: "
    "export the file again, and open it as text"
)


class Unreadable(ValueError):
    """Why a cell has no value, in words for the file's owner."""


def words(cell: str, *, longest: int) -> str:
    """Text, trimmed."""
    text = cell.strip()
    if len(text) > longest:
        raise Unreadable(f"is {len(text):,} characters long; at most {longest:,} are kept")
    if character := control_character(text):
        raise Unreadable(f"contains the control character {character}")
    return text


def code(cell: str, *, longest: int) -> str:
    """A key, the number of a phone or the like: a text that no spreadsheet may have taken for a number."""
    return words(cell, longest=longest)


def postal_code(cell: str) -> str:
    return words(cell, longest=32)


def sku(cell: str) -> str:
    """At most 100 characters, also as the key that SKUs are compared by: its ß is two letters."""
    text = words(cell, longest=100)
    words(sku_key(text), longest=100)
    return text


_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def quantity(cell: str) -> Decimal:
    """A number from 0 to a thousand million with at most three decimals."""
    return _bounded(cell, places=3)


def price(cell: str) -> Decimal:
    """A price, or an amount, in major units with at most six decimals."""
    return _bounded(cell, places=PRICE_PLACES, largest=LARGEST_PRICE)


def usage_quantity(cell: str) -> Decimal:
    """A number from 0 to a thousand million with at most six decimals."""
    return _bounded(cell, places=6)


def usage_price(cell: str) -> Decimal:
    """A price of one call from 0 to a million with at most twelve decimals."""
    return _bounded(cell, places=USAGE_PRICE_PLACES, largest=MAX_PRICE_PER_CALL)


def response_time(cell: str) -> Decimal:
    """Seconds, with at most six decimals."""
    return _bounded(cell, places=6, largest=Decimal(LONGEST_RESPONSE))


def instant(cell: str) -> str:
    """The instant of an event in UTC, as a text that sorts: ``2024-02-15 10:00:00.000000``."""
    try:
        return stored_on_sqlite(reading.instant(cell.strip()))
    except reading.Unreadable as problem:
        raise Unreadable(str(problem)) from None


_USUAL_INSTANTS = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)?\n)+"
)
_FIRST_INSTANT: Final = stored_on_sqlite(reading.EARLIEST)
_WHOLE_INSTANT: Final = len(_FIRST_INSTANT)


def instants(cells: Sequence[str]) -> list[str] | None:
    """As ``instant`` makes of each cell; None unless all of them are usual ones, in UTC."""
    written = "\n".join(cells) + "\n"
    if not _USUAL_INSTANTS.fullmatch(written):
        return None
    try:
        # For the calendar alone: a datetime takes longer to write than to read.
        for _ in map(datetime.fromisoformat, cells):
            pass
    except ValueError:
        return None
    bare = written.replace("+00:00", "").replace("Z", "").replace("T", " ").split("\n")[:-1]
    stored = [moment if len(moment) == _WHOLE_INSTANT else f"{moment[:19]}.{moment[20:]:0<6}" for moment in bare]
    return stored if min(stored) >= _FIRST_INSTANT else None


def event_names(field: str, *, filled: bool = False) -> Callable[[Sequence[str]], list[str] | None]:
    """As ``event_name`` makes of each cell, and an empty text of a blank one; None where one has no name, or is blank
    where it must be ``filled``.
    """
    longest = reading.LONGEST[field]

    def names(cells: Sequence[str]) -> list[str] | None:
        texts = [cell.strip() for cell in cells]
        together = "".join(texts)
        if (filled and "" in texts) or max(map(len, texts), default=0) > longest or not together.isprintable():
            return None
        # Two ids that a spreadsheet has shortened may be the same text: then one event would be missing.
        if "E+" in together or "e+" in together:
            return None
        return None if "'" in together and list(map(unescaped, texts)) != texts else texts

    return names


def event_name(field: str) -> Callable[[str], str]:
    """Parses a text of an event, which stands in one line."""

    def name(cell: str) -> str:
        text = words(cell, longest=reading.LONGEST[field])
        if SHORTENED.fullmatch(text):
            raise Unreadable(DIGITS_LOST)
        if not text.isprintable():
            raise Unreadable("has a character in it that cannot be kept")
        return text

    return name


def whole_number(cell: str) -> int:
    return int(_bounded(cell, places=0))


def percent(cell: str) -> Decimal:
    """Above 0, at most 100."""
    return _above_zero(_bounded(cell, places=PERCENT_PLACES, largest=Decimal(100)))


def amount(cell: str) -> Decimal:
    """An amount of money above 0 in major units."""
    return _above_zero(price(cell))


def periods(cell: str) -> int:
    """How many billing periods, 1 at least."""
    return int(_above_zero(_bounded(cell, places=0, largest=Decimal(MAX_PERIODS))))


def limit(cell: str) -> int:
    """How often at most, 1 at least."""
    return int(_above_zero(_bounded(cell, places=0, largest=Decimal(MAX_LIMIT))))


def _above_zero(number: Decimal) -> Decimal:
    if not number:
        raise Unreadable("must be above 0")
    return number


def _bounded(cell: str, *, places: int, largest: Decimal = LARGEST) -> Decimal:
    text = cell.strip()
    if not _NUMBER.fullmatch(text):
        raise Unreadable("is not a number")
    number = Decimal(text)
    if number < 0:
        raise Unreadable("must not be negative")
    if number > largest:
        raise Unreadable(f"is larger than {largest:,}")
    exact = number.normalize()
    if -int(exact.as_tuple().exponent) > places:
        raise Unreadable(f"has more than {places} decimals" if places else "must be a whole number")
    return number


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(cell: str) -> date:
    """A whole day of the calendar."""
    text = cell.strip()
    if not _DAY.fullmatch(text):
        raise Unreadable("is not a date such as “2025-03-31”")
    try:
        result = date.fromisoformat(text)
    except ValueError:
        raise Unreadable("is not a day of the calendar") from None
    if not EARLIEST_DAY <= result <= LATEST_DAY:
        raise Unreadable(f"lies outside the years {EARLIEST_DAY.year} to {LATEST_DAY.year}")
    return result


def moment(cell: str) -> str:
    """When something was, as ``writing`` has written it: earlier ones sort before later ones."""
    return cell.strip()


def promo_code(cell: str) -> str:
    try:
        return code_of(words(cell, longest=LONGEST_CODE))
    except Invalid as problem:
        raise Unreadable(problem.fields["code"]) from None


def email(cell: str) -> str:
    address = words(cell, longest=254)
    if len(addresses(address)) > 1:
        raise Unreadable("is not an e-mail address but several: the others belong into the column further_emails")
    if fault := address_fault(address):
        raise Unreadable(fault)
    return address


def emails(cell: str, *, most: int = MOST) -> str:
    """A list of addresses, with commas, semicolons or line breaks between them."""
    listed = addresses(cell)
    if fault := list_fault(listed, most=most):
        raise Unreadable(fault)
    return in_a_list(listed)


def sku_list(cell: str) -> str:
    """SKUs separated by semicolons, as JSON text of their keys, each once."""
    keys = dict.fromkeys(sku_key(words(part, longest=100)) for part in cell.split(";") if part.strip())
    if not keys:
        raise Unreadable("names no SKU; separate them by semicolons, or leave it empty for all")
    return json.dumps(list(keys))


def tier_list(cell: str) -> str | None:
    """``{"mode", "tiers"}`` as JSON text, in the form in which rates keep them."""
    try:
        parsed = tiers.parse(_well_formed(cell))
    except Invalid as error:
        raise Unreadable(f"is refused: {error}") from None
    return None if parsed is None else json.dumps({"mode": parsed.mode.value, "tiers": parsed.rows})


def condition(cell: str) -> str | None:
    """A condition as JSON text, in the form in which rates keep them."""
    try:
        parsed = conditions.parse(_well_formed(cell))
    except Invalid as error:
        raise Unreadable(f"is refused: {error}") from None
    return None if parsed is None else json.dumps(parsed)


def _well_formed(cell: str) -> str:
    """JSON escapes may contain what no text may contain."""
    text = words(cell, longest=100_000)
    if re.search(r"\\u(?:d[89a-f]|00[01][0-9a-f])", text, re.IGNORECASE):
        raise Unreadable("contains an escaped control character or half a surrogate pair")
    return text
