"""The format of a business's document numbers, such as ``INV-{year}-{seq:03}``."""

import re
from datetime import date
from typing import Final

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


def sequence_in(series: str, number: str) -> int | None:
    """The place of a number in a series; None where it does not match the series."""
    before, after = (re.escape(part) for part in _SEQUENCE.sub("\0", series, count=1).split("\0"))
    match = re.fullmatch(f"{before}([0-9]{{1,9}}){after}", number)
    sequence = int(match[1]) if match else 0
    return sequence if sequence and written(series, sequence) == number else None
