"""Payment terms in words, such as "Net 45", and the due date they make."""

import re
from datetime import date, timedelta
from typing import Final

# Used where the terms name no days (the invoices API's default).
DEFAULT_DAYS: Final = 30
LONGEST_DAYS: Final = 730

_AT_ONCE = re.compile(r"\b(?:due|payable)\s+(?:up)?on\s+receipt\b|\bimmediate(?:ly)?\b|\bsofort\b", re.IGNORECASE)
_DAYS = re.compile(r"\bnet\s*(\d{1,3})\b|\b(\d{1,3})\s*(?:days?|tage[n]?|jours?|d[ií]as?)\b", re.IGNORECASE)


def days(terms: str) -> int:
    """Days from issue to due date."""
    if _AT_ONCE.search(terms):
        return 0
    if match := _DAYS.search(terms):
        return min(int(match[1] or match[2]), LONGEST_DAYS)
    return DEFAULT_DAYS


def due_date(issued_on: date, terms: str) -> date:
    """The last day on which payment is in time."""
    return issued_on + timedelta(days=days(terms))
