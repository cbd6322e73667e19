"""Characters that PDFs cannot show, told where they are typed and before they are sent."""

import unicodedata
from collections.abc import Mapping, Sequence

import streamlit as st

from billing_core.pdf_layout.text import unprintable
from pages.ui import formats
from pages.ui.text import md

_MOST_CHARACTERS, _MOST_FIELDS = 5, 8


def show(text: str | None) -> None:
    """Below a field whose text gets on documents."""
    if found := unprintable(text or ""):
        st.caption(f":orange[:material/font_download_off: PDFs cannot show {md(named(found))}: no font has it.]")


def warn(found: Mapping[str, Sequence[str]]) -> None:
    """All of a document, by the words for its fields."""
    if not found:
        return
    said = [f"**{md(field)}**: {md(named(characters))}" for field, characters in list(found.items())[:_MOST_FIELDS]]
    if len(found) > _MOST_FIELDS:
        said.append(f"and {formats.counted(len(found) - _MOST_FIELDS, 'more field')}")
    st.warning(
        "No font has some of these characters. On the PDF letters become boxes, signs are named or left out. "
        f"Write them in another way. {'; '.join(said)}",
        icon=":material/font_download_off:",
    )


def named(characters: Sequence[str]) -> str:
    """Such as “𝼀” (latin small letter feng digraph with trill)."""
    names = [f"“{one}” ({unicodedata.name(one, f'U+{ord(one):04X}').lower()})" for one in characters[:_MOST_CHARACTERS]]
    if len(characters) > _MOST_CHARACTERS:
        names.append(f"{formats.count(len(characters) - _MOST_CHARACTERS)} more")
    return ", ".join(names)
