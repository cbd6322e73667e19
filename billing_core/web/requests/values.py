"""What parameters may hold, as it is written and in no other form: the library would take ``+5``, ``5.0``, and seconds
for days, too.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.errors import Invalid
from billing_core.money import currency_code

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_WHOLE: Final = re.compile(r"-?[0-9]{1,100}")


def whole(value: Any) -> int:
    """ValueError where it is no whole number; a default is one."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError("must be a whole number")


def day(value: Any) -> date:
    """ValueError where it is no day such as 2023-01-31."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("there is no such day") from None
    raise ValueError("must be a day such as 2023-01-31")


def instant(value: Any) -> datetime:
    """ValueError where it is no time with its offset."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("there is no such instant") from None
    raise ValueError("must be an instant with its offset, such as 2023-01-31T12:00:00Z (write + as %2B)")


def day_or_instant(value: Any) -> date | datetime:
    return instant(value) if isinstance(value, str) and _INSTANT.fullmatch(value) else day(value)


def _currency(value: str) -> str:
    try:
        return currency_code(value)
    except Invalid:
        raise ValueError("must be a currency such as USD or EUR") from None


# Last of what describes a parameter: what stands before it is then part of its published description.
IN_DIGITS: Final = BeforeValidator(whole)
AnyDay = Annotated[date, BeforeValidator(day)]
# A day that has neighbours.
Day = Annotated[AnyDay, Field(ge=EARLIEST_DAY, le=LATEST_DAY)]
Instant = Annotated[datetime, BeforeValidator(instant)]
DayOrInstant = Annotated[date | datetime, BeforeValidator(day_or_instant)]
Currency = Annotated[str, AfterValidator(_currency)]
