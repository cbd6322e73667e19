"""The lines of a draft as they stand in the grid: text that somebody typed, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from babel import Locale

from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import LineType
from pages.ui.inputs import number_input

PLACE = "place"
# So many rows the grid has at least.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line, and what it was made from, which has no cell."""

    description: str = ""
    quantity: str = ""
    unit_price: str = ""
    discount_percent: str = ""
    discount_minor: str = ""
    tax_rate: str = ""
    type: str = LineType.SERVICE.value
    service_id: int | None = None
    report_id: int | None = None
    order_id: int | None = None
    usage_line_id: int | None = None

    @property
    def untouched(self) -> bool:
        """Nothing but what a new line comes with."""
        return not (self.description or self.unit_price or self.discount_percent or self.discount_minor)


CELLS = tuple(field.name for field in fields(Row) if not field.name.endswith("_id"))


def row_of(line: DraftLine, currency: str, locale: Locale) -> Row:
    """A stored line as the grid shows it."""
    return Row(
        line.description,
        number_input.written(line.quantity, locale),
        number_input.written(line.unit_price, locale),
        number_input.written(line.discount_percent, locale),
        number_input.written_minor(line.discount_minor, currency, locale),
        number_input.written(line.tax_rate, locale),
        line.type.value,
        line.service_id,
        line.report_id,
        line.order_id,
        line.usage_line_id,
    )


def with_spare(rows: Sequence[Row]) -> list[Row]:
    """The rows that say something, and empty ones to write on."""
    filled = [row for row in rows if not row.untouched]
    empty = Row(quantity="1", tax_rate=usual_tax(filled))
    return [*filled, *[empty] * max(1, _FEWEST - len(filled))]


def usual_tax(rows: Sequence[Row]) -> str:
    """What a new line is most likely taxed at: as the one before it."""
    return rows[-1].tax_rate if rows and rows[-1].tax_rate else "0"


def edited(rows: Sequence[Row], state: Mapping[str, Any] | None) -> list[Row]:
    """The rows with what has been changed, added and deleted in the grid since they were drawn, in their new order."""
    if not state:
        return list(rows)
    places: dict[int, object] = {}
    rows_now: list[Row] = []
    deleted = set(state["deleted_rows"])
    for at, row in enumerate(rows):
        if at in deleted:
            continue
        changes = state["edited_rows"].get(at, {})
        if PLACE in changes:
            places[len(rows_now)] = changes[PLACE]
        rows_now.append(_with(row, changes))
    for added in state["added_rows"]:
        if added.get(PLACE) is not None:
            places[len(rows_now)] = added[PLACE]
        rows_now.append(_with(Row(), added))
    return _moved(rows_now, places)


def redrawn(state: Mapping[str, Any] | None) -> bool:
    """Whether the grid must be drawn anew: lines have gone or moved, so that their numbers changed."""
    if not state:
        return False
    return bool(state["deleted_rows"]) or any(
        row.get(PLACE) is not None for row in (*state["edited_rows"].values(), *state["added_rows"])
    )


def cut_up(before: Sequence[Row], now: Sequence[Row]) -> bool:
    """Whether rows were pasted with an emoji among them. The browser's table counts an emoji as one sign where it is
    two, and cuts every cell behind it in the wrong place: a price could lose its last digit without a word.

    One cell at a time is typed, which is well; half an emoji never is.
    """
    padded = [*before, *[Row()] * (len(now) - len(before))]
    texts = [
        getattr(new, name)
        for old, new in zip(padded, now, strict=False)
        for name in CELLS
        if getattr(old, name) != getattr(new, name)
    ]
    halved = any("\N{REPLACEMENT CHARACTER}" in text for text in texts)
    return halved or (len(texts) > 1 and any(sign > "\uffff" for text in texts for sign in text))


def added(state: Mapping[str, Any] | None) -> int:
    """How many lines the grid has got below those that it was drawn with."""
    return len(state["added_rows"]) if state else 0


def line_of(row: Row, at: int, currency: str, locale: Locale, reasons: dict[str, str]) -> DraftLine:
    """What a row says; ``reasons`` gets what cannot be read, under names such as ``lines.3.quantity``."""

    def number(name: str, empty: Decimal) -> Decimal:
        text = getattr(row, name).strip().removesuffix("%")
        if not text:
            return empty
        try:
            return number_input.number(text, locale)
        except ValueError as reason:
            reasons[f"lines.{at}.{name}"] = str(reason)
            return empty

    discount: int | None = None
    if row.discount_minor.strip():
        try:
            discount = number_input.minor(row.discount_minor, currency, locale)
        except ValueError as reason:
            reasons[f"lines.{at}.discount_minor"] = str(reason)
    for needed in ("quantity", "unit_price"):
        if not getattr(row, needed).strip():
            reasons[f"lines.{at}.{needed}"] = "is needed"
    return DraftLine(
        row.description,
        number("quantity", Decimal(1)),
        number("unit_price", Decimal(0)),
        LineType(row.type) if row.type in set(LineType) else LineType.SERVICE,
        number("tax_rate", Decimal(0)),
        number("discount_percent", Decimal(0)) or None,
        discount,
        row.service_id,
        row.report_id,
        row.order_id,
        row.usage_line_id,
    )


def _with(row: Row, changes: Mapping[str, Any]) -> Row:
    """An emptied cell comes as None."""
    cells: dict[str, Any] = {
        name: "" if value is None else _whole(str(value)) for name, value in changes.items() if name in CELLS
    }
    return replace(row, **cells)


def _whole(text: str) -> str:
    """Browsers count UTF-16 and the grid may send the halves of an emoji, which no table and no database takes."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _moved(rows: list[Row], places: Mapping[int, object]) -> list[Row]:
    """Each row whose number somebody changed stands where that number says, the others keep their order."""
    if not places:
        return rows
    staying = [row for at, row in enumerate(rows) if at not in places]
    for at, place in sorted(places.items(), key=lambda one: _place(one[1], len(rows))):
        staying.insert(_place(place, len(rows)) - 1, rows[at])
    return staying


def _place(place: object, last: int) -> int:
    try:
        return min(max(int(str(place)), 1), last)
    except ValueError:
        return last
