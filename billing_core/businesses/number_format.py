"""The format of a business's document numbers, such as ``INV-{year}-{seq:03}``."""

import re
from datetime import date
from typing import Any, Final

from billing_core.database.folding import fold
from billing_core.errors import Invalid

LONGEST_NUMBER: Final = 64
LONGEST_FORMAT: Final = 48
_SEQUENCE = re.compile(r"\{seq(?::0?([1-9]))?\}")
# Characters that no document number needs, and that file names or banks' reference fields would lose.
_ALLOWED = re.compile(r"[^\W_][\w ./#-]*", re.UNICODE)


def check_format(text: str) -> str:
    """The format, if numbers can be made of it; Invalid with the reason where not.

    ``{seq}`` is needed, ``{seq:03}`` fills up with zeros, ``{year}`` starts a new series each year.
    """
    format_text = " ".join(text.split())
    rest = _SEQUENCE.sub("", format_text, count=1).replace("{year}", "")
    if len(_SEQUENCE.findall(format_text)) != 1:
        raise Invalid("needs {seq} once, such as INV-{year}-{seq:03}")
    if "{" in rest or "}" in rest:
        raise Invalid("may hold {year} and {seq} in braces, and nothing else")
    if len(format_text) > LONGEST_FORMAT or not is_number(written(series_of(format_text, date(2000, 1, 1)), 1)):
        raise Invalid("may hold letters, digits, blanks and . / # - only, and begins with a letter or a digit")
    return format_text


def is_number(text: str) -> bool:
    """Whether a document can have this number."""
    return len(text) <= LONGEST_NUMBER and bool(_ALLOWED.fullmatch(text))


def series_of(number_format: str, issued_on: date) -> str:
    """The format with its year filled in."""
    return number_format.replace("{year}", f"{issued_on.year:04}")


def counter_of(series: str) -> str:
    """The key of a counter: the series, whatever the zero padding of its numbers.

    ``R-001`` and ``R-1`` are the same place, whatever the format was when it was drawn.
    """
    return _SEQUENCE.sub("{seq}", series, count=1)


def filled_like(counter: str, number_format: str) -> str:
    """A counter's series with the zero padding of the format."""
    placeholder = _SEQUENCE.search(number_format)
    return _SEQUENCE.sub(placeholder[0], counter, count=1) if placeholder else counter


def written(series: str, sequence: int) -> str:
    """The number at one place of a series."""
    return _SEQUENCE.sub(lambda found: f"{sequence:0{found[1] or 1}}", series, count=1)


def key_of(number: str) -> str:
    """What tells numbers apart: neither the case of letters nor their accents, nor how Unicode writes them, nor blanks
    around them. ``INV-1``, ``inv-1`` and ``ＩＮＶ-１`` are the same.
    """
    return fold(" ".join(number.split()))


def key_of_row(context: Any) -> str | None:
    """The same, for the number of a row that is being inserted."""
    number = context.get_current_parameters().get("number")
    return None if number is None else key_of(number)


def place_in(series: str, number: str) -> int | None:
    """The place in a series that a number says, however many zeros it has; None where it is none of the series."""
    before, after = (re.escape(fold(part)) for part in _SEQUENCE.sub("\0", series, count=1).split("\0"))
    match = re.fullmatch(f"{before}([0-9]+){after}", key_of(number))
    return (int(match[1]) if match else 0) or None


def year_in(number_format: str, number: str) -> int | None:
    """The year of the series of this format that a number is one of; None where it is of none, or has no year."""
    if "{year}" not in number_format:
        return None
    parts = re.split(r"(\{year\}|\{seq[^}]*\})", number_format)
    first = parts.index("{year}")
    written_so = [
        ("(?P<year>[0-9]{4})" if at == first else "(?P=year)")
        if part == "{year}"
        else "[0-9]+"
        if part.startswith("{seq")
        else re.escape(fold(part))
        for at, part in enumerate(parts)
    ]
    match = re.fullmatch("".join(written_so), key_of(number))
    return (int(match["year"]) if match else 0) or None
