"""Converting one cell of text to a value, or giving the reason why it cannot be. Pure; never called for blank cells."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

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


def sku(cell: str) -> str:
    """At most 100 characters, also as the key that SKUs are compared by: its ß is two letters."""
    text = words(cell, longest=100)
    words(sku_key(text), longest=100)
    return text


_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_GROUPED_THEN_POINT = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}")
_GROUPED_THEN_COMMA = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}")
_SPACED = re.compile(r"[1-9][0-9]{0,2}(?:[ '’\u00a0\u202f][0-9]{3})+(?:[.,][0-9]+)?")
_COMMA = re.compile(r"([0-9]+),([0-9]+)")


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
        return None if "'" in together and list(map(unescaped, texts)) != texts else texts

    return names


def event_name(field: str) -> Callable[[str], str]:
    """Parses a text of an event, which stands in one line."""

    def name(cell: str) -> str:
        text = words(cell, longest=reading.LONGEST[field])
        if not text.isprintable():
            raise Unreadable("has a character in it that cannot be kept")
        return text

    return name


def whole_number(cell: str) -> int:
    return int(_bounded(cell, places=0))


def percent(cell: str) -> Decimal:
    """Above 0, at most 100; its sign may stand behind it."""
    return _above_zero(_bounded(cell.strip().removesuffix("%"), places=PERCENT_PLACES, largest=Decimal(100)))


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
    number = _number(cell.strip())
    if number < 0:
        raise Unreadable("must not be negative")
    if number > largest:
        raise Unreadable(f"is larger than {largest:,}")
    exact = number.normalize()
    if -int(exact.as_tuple().exponent) > places:
        raise Unreadable(f"has more than {places} decimals" if places else "must be a whole number")
    return number


def _number(text: str) -> Decimal:
    sign, digits = ("-", text[1:]) if text[:1] in "-−" and text else ("", text.removeprefix("+"))
    if len(digits) > 60:
        raise Unreadable("is not a number")
    if _PLAIN.fullmatch(digits):
        plain = digits
    elif _GROUPED_THEN_POINT.fullmatch(digits):
        plain = digits.replace(",", "")
    elif _GROUPED_THEN_COMMA.fullmatch(digits):
        plain = digits.replace(".", "").replace(",", ".")
    elif _SPACED.fullmatch(digits):
        plain = re.sub(r"[^0-9.,]", "", digits).replace(",", ".")
    elif comma := _COMMA.fullmatch(digits):
        # A group of thousands has three digits and does not begin with 0: only then could it be one.
        if len(comma[2]) == 3 and len(comma[1]) <= 3 and not comma[1].startswith("0"):
            raise Unreadable(
                f"is ambiguous: {comma[1]}{comma[2]} or {comma[1]}.{comma[2]}? Write it with a decimal point"
            )
        plain = f"{comma[1]}.{comma[2]}"
    elif re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", digits):
        raise Unreadable("is written with an exponent; write the number out")
    else:
        raise Unreadable("is not a number")
    return Decimal(sign + plain)


_TIME = r"(?:[T ]+(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?) *(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})(?P<gap>[-/.]?)(?P<month>[0-9]{2})(?P=gap)(?P<day>[0-9]{2})" + _TIME)
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})" + _TIME)
_SLASHED = re.compile(r"(?P<day>[0-9]{1,2})[/-](?P<month>[0-9]{1,2})[/-](?P<year>[0-9]{4})" + _TIME)


def day(cell: str, *, zone: str) -> date:
    """A whole day. A time of day is dropped, or turned into the day in ``zone`` where it names its own offset."""
    text = cell.strip()
    if match := _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text):
        return _calendar_day(match, int(match["day"]), int(match["month"]), zone)
    if match := _SLASHED.fullmatch(text):
        first, second = int(match["day"]), int(match["month"])
        if first != second and first <= 12 and second <= 12:
            day_first, month_first = f"{second:02}-{first:02}", f"{first:02}-{second:02}"
            raise Unreadable(
                "is ambiguous: day or month first? "
                f"Write “{match['year']}-{day_first}” or “{match['year']}-{month_first}”"
            )
        return _calendar_day(match, *((first, second) if second <= 12 else (second, first)), zone)
    raise Unreadable("is not a date such as “2025-03-31”")


def _calendar_day(match: re.Match[str], day_of_month: int, month: int, zone: str) -> date:
    try:
        result = date(int(match["year"]), month, day_of_month)
        if match["time"]:
            result = _day_of_instant(result, match["time"], match["zone"], zone)
    except (ValueError, OverflowError):
        raise Unreadable("is not a day of the calendar") from None
    if not EARLIEST_DAY <= result <= LATEST_DAY:
        raise Unreadable(f"lies outside the years {EARLIEST_DAY.year} to {LATEST_DAY.year}")
    return result


def _day_of_instant(on: date, time: str, offset: str | None, zone: str) -> date:
    hours, minutes, *seconds = re.split("[:.,]", time)
    moment = datetime.combine(on, clock(int(hours), int(minutes), int(seconds[0]) if seconds else 0), UTC)
    if not offset:
        return on
    if offset != "Z":
        moment = datetime.strptime(f"{moment:%Y-%m-%d %H:%M:%S} {offset}", "%Y-%m-%d %H:%M:%S %z")
    return moment.astimezone(ZoneInfo(zone)).date()


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
