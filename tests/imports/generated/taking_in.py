"""Taking in a file as a person does: drop it, answer what is asked with what was meant, import. All is rolled back."""

import io
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import BillingError, Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, Repeats, received, service, sources
from billing_core.imports.incoming import Incoming
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import Fixed, FromColumns, Origin, Together
from billing_core.imports.outcome import Outcome
from billing_core.orders.models import Order, OrderLine, Product
from billing_core.rating.models import Rate, Service
from tests.imports.generated.forms import File
from tests.imports.generated.meanings import FIELDS, Rule, Stored

_MOST_ANSWERS = 12


@dataclass
class Taken:
    """What became of a file: ``stored`` by it, with the columns that were ``used`` for each kind; or why it was not.
    ``asked``: about what. ``told``: what is said of it all the same, and which lines were ``left_out``.
    """

    stored: Stored | None = None
    used: dict[str, set[str]] = field(default_factory=dict)
    refused: str = ""
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _RolledBack(Exception):
    def __init__(self, stored: Stored) -> None:
        self.stored = stored


def take_in(sessions: Any, file: File, before: Stored, *, encoding: str | None = None) -> Taken:
    """``before``: what is there. ``encoding``: chosen by a person."""
    taken = Taken()
    try:
        with sources.contents(file.name, io.BytesIO(file.content)) as found:
            for one in found:
                content = one.stream.read()
                for chosen in received.tables_of(replace(one, stream=io.BytesIO(content))):
                    _Person(sessions, file, before, taken).take(
                        one.file_name, content, replace(chosen, encoding=encoding)
                    )
    except BillingError as refusal:
        taken.refused = taken.refused or str(refusal)
    return taken


@dataclass
class _Said:
    """What a person has said of one part."""

    changes: dict[str, Origin | None] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    readings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    repeats: Repeats | None = None


@dataclass
class _Person:
    sessions: Any
    file: File
    before: Stored
    taken: Taken

    def take(self, name: str, content: bytes, chosen: sources.Chosen) -> None:
        look = received.look_at(io.BytesIO(content), name, chosen)
        if look.columns["layout"] is None:
            raise Invalid(look.columns["problem"])
        layout = received.layout_of(look.columns["layout"])
        kinds = list(look.found.kinds)
        meant = [Kind(kind) for kind in self.file.sheet.meant.shape.kinds]
        if self.file.headless and layout.header_line != sources.NO_HEADER:
            raise Invalid("The first row is taken for the names of the columns, which a person sees")
        if not kinds:
            self.taken.asked.append("which kind")
            kinds = meant
        said = {kind: _Said() for kind in kinds}
        for kind in kinds:
            if self._fixed(kind) and "customer_ref" not in (_start(layout, kind) or {}):
                said[kind].changes["customer_ref"] = Fixed("C-100")
        for _ in range(_MOST_ANSWERS):
            try:
                if self._try(name, content, layout, kinds, said):
                    return
            except Invalid as refusal:
                if not str(refusal).startswith("No column of the file is") or not self._map(layout, kinds, said):
                    raise
        raise AssertionError(f"asked again and again: {self.taken.asked}")

    def _fixed(self, kind: Kind) -> bool:
        rule = self.file.sheet.meant.shape.kinds.get(kind.value, {}).get("customer_ref")
        return rule is not None and rule.fixed is not None

    def _map(self, layout: sources.Layout, kinds: list[Kind], said: dict[Kind, _Said]) -> bool:
        """Choose all columns; False where that was done before, or the columns have other names than the file's."""
        if "columns" in self.taken.asked or (layout.header_line == sources.NO_HEADER) != self.file.headless:
            return False
        self.taken.asked.append("columns")
        for kind in kinds:
            rules = self.file.sheet.meant.shape.kinds.get(kind.value, {})
            for name in FIELDS[kind.value]:
                said[kind].changes[name] = self._origin(layout, rules.get(name))
        return True

    def _origin(self, layout: sources.Layout, rule: Rule | None) -> Origin | None:
        if rule is None or rule.fixed is not None:
            return None if rule is None else Fixed(rule.fixed or "")
        header = self.file.sheet.header
        origin = None
        for joined in reversed(rule.alternatives):
            # The last columns of a file that does not name them may be blank in all rows.
            places = [place for column in joined if (place := header.index(column)) < len(layout.header)]
            columns = tuple(layout.header[place] for place in places)
            if columns:
                origin = FromColumns(columns, Together.JOINED, words=rule.words, or_else=origin)
        return origin

    def _try(
        self, name: str, content: bytes, layout: sources.Layout, kinds: list[Kind], said: dict[Kind, _Said]
    ) -> bool:
        """Whether there is nothing more to say."""
        incoming = [
            Incoming(
                kind,
                io.BytesIO(content),
                name,
                said[kind].changes,
                words=said[kind].words,
                readings=said[kind].readings,
                repeats=said[kind].repeats,
                layout=layout,
            )
            for kind in kinds
        ]
        outcomes: list[Outcome] = []

        def look(session: Session, found: list[Outcome]) -> None:
            outcomes.extend(found)
            session.flush()
            raise _RolledBack(stored(session))

        try:
            refused = service.apply_together(self.sessions, SYSTEM, incoming, now=utc_now(), also=look)
        except _RolledBack as imported:
            assert self.taken.stored is None, "two tables of one file went in"
            self.taken.stored = {kind: _more(rows, self.before[kind]) for kind, rows in imported.stored.items()}
            self.taken.used = {one.kind.value: _columns(one, layout, self.file.sheet.header) for one in outcomes}
            self.taken.told += [note for one in outcomes for note in one.notes]
            self.taken.left_out += [odd.text for one in outcomes for odd in one.odd_lines if not odd.taken]
            return True
        if self._answer(refused[-1], said):
            return False
        last = refused[-1]
        reasons = [f"{one.line} {one.column}: {one.value} {one.reason}" for one in last.rejections]
        self.taken.refused = f"{last.kind}: {last.question} {'; '.join(reasons)}"
        return True

    def _answer(self, outcome: Outcome, said: dict[Kind, _Said]) -> bool:
        """Whether there was something to answer that has not been."""
        mine, answered = said[outcome.kind], False
        for word in outcome.asked:
            ours = self._word(outcome, word.field, word.word)
            if ours is not None and word.word not in mine.words.get(word.field, {}):
                mine.words.setdefault(word.field, {})[word.word] = ours
                self.taken.asked.append(f"word of {word.field}")
                answered = True
        for asked in outcome.questions:
            origin = outcome.mapping[asked.field]
            assert isinstance(origin, FromColumns)
            meant = self.file.sheet.readings.get(self._named(origin.columns[0]), set())
            choice = next((one.reading for one in asked.choices if one.reading in meant), None)
            if choice is not None and choice not in mine.readings.get(asked.field, ()):
                mine.readings[asked.field] = (*mine.readings.get(asked.field, ()), choice)
                self.taken.asked.append(f"reading {choice}")
                answered = True
        if outcome.repeated and mine.repeats is None:
            mine.repeats = Repeats.FIRST
            self.taken.asked.append("repeats")
            answered = True
        return answered

    def _word(self, outcome: Outcome, field_name: str, word: str) -> str | None:
        origin = outcome.mapping[field_name]
        assert isinstance(origin, FromColumns)
        known = self.file.sheet.words
        return next(
            (
                known[column, word.casefold()]
                for column in map(self._named, origin.columns)
                if (column, word.casefold()) in known
            ),
            None,
        )

    def _named(self, column: str) -> str:
        """As the sheet names it: a headless file has numbers."""
        if self.file.headless and column.startswith("column "):
            place = int(column.removeprefix("column ")) - 1
            return self.file.sheet.header[place] if place < len(self.file.sheet.header) else column
        return column


def _start(layout: sources.Layout, kind: Kind) -> Any:
    from billing_core.imports.layouts import recognising
    from billing_core.imports.mapping import guess

    return recognising.start(layout.header, kind) or guess(DEFINITIONS[kind], layout.header)


def _columns(outcome: Outcome, layout: sources.Layout, header: list[str]) -> set[str]:
    """Those that were used, as the sheet names them."""
    origins = [origin for origin in outcome.mapping.values() if isinstance(origin, FromColumns)]
    used = [column for origin in origins for joined in origin.alternatives for column in joined]
    places = [layout.header.index(column) for column in used]
    return {header[place] if place < len(header) else "another" for place in places}


def _more(rows: list[Any], before: list[Any]) -> list[Any]:
    """Those that are new."""
    left = list(rows)
    for row in before:
        left.remove(row)
    return left


def stored(session: Session) -> Stored:
    """All that files may bring, each kind in the order of ``Meant.stored``."""
    tables = {
        "customers": select(
            *(Customer.ref, Customer.name, Customer.email, Customer.phone, Customer.address, Customer.city),
            *(Customer.state, Customer.postal_code, Customer.country, Customer.currency, Customer.tax_id),
        ),
        "products": select(Customer.ref, Product.sku, Product.name, Product.case_size).join_from(Product, Customer),
        "services": select(Service.code, Service.name, Service.cost_type),
        "rates": select(
            *(Customer.ref, Service.code, Rate.unit_price, Rate.currency, Rate.valid_from, Rate.valid_to),
            *(Rate.minimum_minor, Rate.maximum_minor),  # cents
        )
        .join_from(Rate, Customer)
        .join(Service),
        "orders": select(
            *(Order.number, Customer.ref, Order.order_date, Order.status, Order.reference_number, Order.ship_to_name),
            *(Order.ship_to_address, Order.ship_to_city, Order.ship_to_state, Order.ship_to_postal_code),
            *(Order.ship_to_country, Order.carrier, Order.weight, Order.packages, Order.notes),
        ).join_from(Order, Customer),
        "order-items": select(Order.number, OrderLine.sku, OrderLine.quantity).join_from(OrderLine, Order),
    }
    found = {kind: [tuple(map(_value, row)) for row in session.execute(rows)] for kind, rows in tables.items()}
    found["rates"] = [(*row[:-2], *map(_in_major_units, row[-2:])) for row in found["rates"]]
    return {kind: sorted(rows, key=repr) for kind, rows in found.items()}


def _in_major_units(cents: int | None) -> Decimal | None:
    return None if cents is None else _value(Decimal(cents).scaleb(-2))


def _value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return value.normalize() + 0
    return value
