"""How a file of order lines meets the lines that its orders have: what goes, what is in question, what was billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from sqlalchemy import FromClause, Select, Table, and_, delete, exists, func, literal, select, union, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.errors import Conflict
from billing_core.imports import Kind, Lines, merging, parts
from billing_core.imports.kind import Definition
from billing_core.imports.models import ImportRun
from billing_core.imports.writing.numbers import unmistakable
from billing_core.invoices.billed_orders import keeping
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import Invoice
from billing_core.orders.models import Order, OrderLine
from billing_core.reports import outdated

GONE_HEADER: Final = ("order_number", "sku", "quantity")


@dataclass(frozen=True, slots=True)
class GoneLine:
    """A line of an order in the file that the file does not have."""

    order_number: str
    sku: str
    quantity: str


@dataclass(frozen=True, slots=True)
class BilledOrderRow:
    """An order that the file changes, and the invoice on which it is billed."""

    order_number: str
    invoice: str


def continue_positions(connection: Connection, resolved: Table) -> None:
    """Every line of the file becomes a further one of its order."""
    last = (
        select(func.max(OrderLine.position))
        .where(OrderLine.order_id == resolved.c.order_id, OrderLine.sku_key == resolved.c.sku_key)
        .scalar_subquery()
    )
    further = update(resolved).values(position=resolved.c.position + func.coalesce(last, 0))
    connection.execute(further)


def undecided(connection: Connection, definition: Definition, resolved: Table) -> int:
    """How many orders of the file have other lines already than the file has: what becomes of these must be said."""
    of_file = exists().where(OrderLine.order_id == resolved.c.order_id)
    if connection.scalar(select(literal(1)).select_from(resolved).where(of_file).limit(1)) is None:
        return 0
    rows = merging.beside(definition, resolved)
    has_lines = exists().where(OrderLine.order_id == rows.c.order_id)
    differing = select(rows.c.order_id).where(rows.c.effect != "unchanged", has_lines)
    orders = union(differing, gone(resolved).with_only_columns(OrderLine.order_id)).subquery("orders")
    return connection.scalar(select(func.count()).select_from(orders)) or 0


def count_gone(connection: Connection, resolved: Table) -> int:
    return connection.scalar(select(func.count()).select_from(gone(resolved).subquery("gone"))) or 0


def first_gone(connection: Connection, resolved: Table, *, limit: int) -> list[GoneLine]:
    rows: Sequence[Any] = connection.execute(_named(resolved).limit(limit)).all()
    return [GoneLine(number, sku, merging.written(quantity)) for number, sku, quantity in rows]


def write_gone(connection: Connection, resolved: Table, target: BinaryIO) -> None:
    """All of them as CSV, in constant memory, safe to open in a spreadsheet."""
    rows = connection.execute(_named(resolved).execution_options(yield_per=5_000))
    written = ((number, sku, unmistakable(quantity)) for number, sku, quantity in rows)
    target.writelines(marked_for_excel(rows_as_csv(GONE_HEADER, written)))


def remove_gone(session: Session, resolved: Table) -> None:
    """Delete them; reports of their orders are outdated by it."""
    outdated.note(session, gone(resolved).with_only_columns(OrderLine.order_id).distinct())
    ids = gone(resolved).with_only_columns(OrderLine.id)
    session.connection().execute(delete(OrderLine).where(OrderLine.id.in_(ids)))


def billed(
    connection: Connection, definition: Definition, resolved: Table, lines: Lines | None, *, limit: int
) -> tuple[int, list[BilledOrderRow]]:
    """Of the orders that the file changes, how many stand on an invoice, and the first of them."""
    if not connection.scalar(select(exists().select_from(BilledOrder))):
        return 0, []
    rows = merging.beside(definition, resolved)
    changed: FromClause
    if definition.kind is Kind.ORDERS:
        changed = select(rows.c.existing_id.label("order_id")).where(rows.c.effect == "changed").subquery("changed")
    else:
        touched = select(rows.c.order_id).where(rows.c.effect != "unchanged")
        others = gone(resolved).with_only_columns(OrderLine.order_id)
        changed = (union(touched, others) if lines is Lines.REPLACE else touched.distinct()).subquery("changed")
    pairs = (
        select(changed.c.order_id, BilledOrder.invoice_id)
        .join(BilledOrder, BilledOrder.order_id == changed.c.order_id)
        .distinct()
        .subquery("pairs")
    )
    count = connection.scalar(select(func.count(func.distinct(pairs.c.order_id)))) or 0
    if not count:
        return 0, []
    first: Sequence[Any] = connection.execute(
        select(Order.number, Invoice.id, Invoice.number)
        .select_from(pairs)
        .join(Order, Order.id == pairs.c.order_id)
        .join(Invoice, Invoice.id == pairs.c.invoice_id)
        .order_by(Order.number, Invoice.id)
        .limit(limit)
    ).all()
    return count, [BilledOrderRow(number, keeping.named(invoice_id, named)) for number, invoice_id, named in first]


class File(Protocol):
    """A file to import."""

    @property
    def kind(self) -> Kind: ...
    @property
    def stream(self) -> BinaryIO: ...
    @property
    def file_name(self) -> str: ...
    @property
    def lines(self) -> Lines | None: ...


def refuse_again(session: Session, file: File) -> None:
    """A file that adds its lines would double them the second time."""
    if file.lines is not Lines.ADD:
        return
    same = select(ImportRun.created_at).where(
        ImportRun.kind == file.kind.value,
        ImportRun.checksum == parts.checksum(file.stream),
        ImportRun.taken_back_at.is_(None),
    )
    if (before := session.scalar(same.order_by(ImportRun.id.desc()).limit(1))) is not None:
        raise Conflict(f"This very file was imported on {before:%Y-%m-%d}: adding its lines again would double them")


def added_twice(file: File, added: dict[tuple[Kind, str], str]) -> Conflict | None:
    """The same of two files that are checked together. ``added``: the names of those so far that add their lines."""
    if file.lines is not Lines.ADD:
        return None
    key = (file.kind, parts.checksum(file.stream))
    if (first := added.get(key)) is not None:
        return Conflict(f"This is the very same file as {first}: adding its lines twice would double them")
    added[key] = file.file_name
    return None


def gone(resolved: Table) -> Select[*tuple[Any, ...]]:
    """The lines of the file's orders that no row of the file meets."""
    key = and_(
        resolved.c.order_id == OrderLine.order_id,
        resolved.c.sku_key == OrderLine.sku_key,
        resolved.c.position == OrderLine.position,
    )
    of_file = select(resolved.c.order_id).distinct()
    return select(OrderLine).where(OrderLine.order_id.in_(of_file), ~exists().where(key))


def _named(resolved: Table) -> Select[*tuple[Any, ...]]:
    return (
        gone(resolved)
        .join(Order, Order.id == OrderLine.order_id)
        .with_only_columns(Order.number, OrderLine.sku, OrderLine.quantity)
        .order_by(Order.number, OrderLine.sku_key, OrderLine.position)
    )
