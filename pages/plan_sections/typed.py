"""Numbers and tables as people type them: everything stays as typed, and what is wrong is said at its field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from billing_core.money import Money
from pages.ui import formats
from pages.ui.inputs import number_input
from pages.ui.text import md

# What a field begins with: a text as it is, a number as the reader would write it.
Begun = Decimal | str | None


class Line(NamedTuple):
    """A line of a table that has a word in it. ``number``: as it stands there, from 1."""

    number: int
    texts: Mapping[str, str]


class Cell(NamedTuple):
    """``name``: what the checks call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a table, whose columns have these ``labels``, and where their faults are said."""

    found: tuple[Line, ...]
    labels: Mapping[str, str]
    place: DeltaGenerator

    def __iter__(self) -> Iterator[Line]:
        return iter(self.found)


@dataclass(slots=True)
class Typed:
    """Where each field's fault is said, by the name that the checks give the field, with its label. ``part``: of the
    form, in which fields are drawn at the moment; ``wrong_in``: the parts in which something was said.
    """

    places: dict[str, tuple[str, DeltaGenerator]] = field(default_factory=dict)
    part: str = ""
    wrong_in: list[str] = field(default_factory=list)
    _parts: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        return bool(self.wrong_in)

    def put(self, name: str, label: str, place: DeltaGenerator) -> None:
        """From now on the field's faults are said there."""
        self.places[name] = label, place
        self._parts[name] = self.part

    def number(
        self,
        name: str,
        label: str,
        value: Begun,
        *,
        key: str,
        help: str | None = None,  # noqa: A002
        width: int = 190,
    ) -> Decimal:
        """0 where nothing is typed, or what is no number."""
        return self.number_or_none(name, label, value, key=key, help=help, width=width) or Decimal(0)

    def number_or_none(
        self,
        name: str,
        label: str,
        value: Begun,
        *,
        key: str,
        help: str | None = None,  # noqa: A002
        width: int = 190,
    ) -> Decimal | None:
        """None where nothing is typed."""
        with st.container(width=width):
            text = st.text_input(label, _written(value), key=key, help=help)
            self.put(name, label, st.container())
        return self.read(name, text) if text.strip() else None

    def whole_or_none(
        self,
        name: str,
        label: str,
        value: int | None,
        *,
        key: str,
        help: str | None = None,  # noqa: A002
    ) -> int | None:
        number = self.number_or_none(name, label, None if value is None else Decimal(value), key=key, help=help)
        return None if number is None else self._whole(name, number)

    def table(
        self,
        labels: Mapping[str, str],
        begun: Sequence[Sequence[Begun]],
        *,
        key: str,
        alt: str,
    ) -> Lines:
        """A table to which lines can be added, filled from ``begun``. Lines without a word in them are left out."""
        cells = [list(map(_written, column)) for column in zip(*begun, strict=True)] or [[] for _ in labels]
        edited = st.data_editor(
            pd.DataFrame(dict(zip(labels.values(), cells, strict=True)), dtype="object"),
            num_rows="dynamic",
            hide_index=True,
            column_config={label: st.column_config.TextColumn(label) for label in labels.values()},
            key=key,
            alt=alt,
        )
        rows = [dict(zip(labels, map(_text, row), strict=True)) for row in edited.itertuples(index=False)]
        found = (Line(number, texts) for number, texts in enumerate(rows, start=1) if any(texts.values()))
        return Lines(tuple(found), labels, st.container())

    def cell(self, lines: Lines, line: Line, column: str, name: str) -> Cell:
        """The line's text of the column, whose faults are said under the table from now on."""
        self.put(name, f"Line {line.number}, {lines.labels[column].lower()}:", lines.place)
        return Cell(name, line.texts[column])

    def read(self, name: str, text: str) -> Decimal:
        """The number in a text whose place is known; 0 where it is empty, or none."""
        if not text.strip():
            return Decimal(0)
        try:
            return number_input.number(text, formats.locale())
        except ValueError as reason:
            self.say(name, str(reason), typed=text)
            return Decimal(0)

    def whole(self, name: str, text: str) -> int:
        """The same for a whole number."""
        return self._whole(name, self.read(name, text))

    def _whole(self, name: str, number: Decimal) -> int:
        if number != int(number):
            self.say(name, "must be a whole number")
        return int(number)

    def say(self, name: str, reason: str, *, typed: str = "") -> None:
        label, place = self.places[name]
        shown = f"“{typed.strip()[:40]}”" if typed else label
        place.markdown(f":red[:material/error: {md(formats.with_days(f'{shown} {reason}'))}]")
        self.wrong_in.append(self._parts[name])


def amount(value: Decimal | None, currency: str) -> str:
    """What the field of an amount begins with: all decimals of its currency."""
    minor = None if value is None else Money.rounded(value, currency).minor
    return number_input.written_minor(minor, currency, formats.locale())


def _written(value: Begun) -> str:
    return value if isinstance(value, str) else number_input.written(value, formats.locale())


def _text(cell: object) -> str:
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell).strip()
