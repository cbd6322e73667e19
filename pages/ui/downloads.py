"""Addresses of the downloads, which stream what a page shows as a file."""

from datetime import date
from decimal import Decimal
from urllib.parse import urlencode


def address(file: str, **facts: object) -> str:
    """Where ``file`` is, for these facts: those that are None or empty are left out, a tuple is named once for each.

    CSV is asked for as Excel reads it.
    """
    given = [
        (name, _written(item))
        for name, value in facts.items()
        for item in (value if isinstance(value, tuple) else (value,))
        if item not in (None, "")
    ]
    if file.endswith(".csv"):
        given.append(("excel", "1"))
    return f"/downloads/{file}" + (f"?{urlencode(given)}" if given else "")


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value)
