"""One menu of the files that a list gives, each in its formats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import downloads
from pages.ui.text import md

_FORMATS = {"csv": "CSV", "xlsx": "Excel", "zip": "ZIP"}


@dataclass(frozen=True, slots=True)
class Export:
    """``file`` without its ending is made of these ``facts``; ``holds`` says what is in it, and what its sums are."""

    title: str
    holds: str
    file: str
    facts: Mapping[str, object]
    endings: Sequence[str] = ("csv", "xlsx")


def draw(exports: Sequence[Export]) -> None:
    with st.popover("Export", icon=":material/download:"):
        for one in exports:
            st.markdown(f"**{md(one.title)}**  \n{md(one.holds)}")
            with st.container(horizontal=True):
                for ending in one.endings:
                    address = downloads.address(f"{one.file}.{ending}", **one.facts)
                    st.link_button(f"{md(one.title)} as {_FORMATS[ending]}", address, width="content")
