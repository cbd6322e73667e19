"""What keeps an import from being taken back, in words: what relies on what it made, and what has changed since."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, String, Table, and_, case, exists, func, literal, or_, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from billing_core.imports import Kind
from billing_core.imports.history import cells
from billing_core.imports.history.labels import LABELS
from billing_core.imports.kind import Definition
from billing_core.imports.kinds import plans
from billing_core.imports.merging import MARK
from billing_core.imports.models import ImportedChange, ImportRun, RowEffect
from billing_core.imports.taking_back import going
from billing_core.imports.taking_back.references import MADE, REFERENCES, Reference
from billing_core.invoices.billed_orders import keeping
from billing_core.invoices.billed_orders.models import BilledOrder
from billing_core.invoices.models import Invoice
from billing_core.orders.models import Order, OrderLine
from billing_core.plans.models import Plan, PlanVersion
from billing_core.rating.models import Rate
from billing_core.rating.pricing import TERMS
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder

SHOWN: Final = 20


@dataclass(slots=True)
class Obstacles:
    """How many there are, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, connection: Connection, found: Select[*tuple[Any, ...]], words: Callable[..., str]) -> None:
        """``found`` selects what ``words`` are made of, one row for each obstacle."""
        rows = connection.execute(found.limit(SHOWN)).all()
        if not rows:
            return
        everything = select(func.count()).select_from(found.subquery())
        count = len(rows) if len(rows) < SHOWN else connection.scalar(everything) or 0
        # Several references can say the same.
        told = [text for text in dict.fromkeys(words(*row) for row in rows) if text not in self.first]
        self.count += count - len(rows) + len(told)
        self.first += told[: SHOWN - len(self.first)]


def find(
    connection: Connection, definition: Definition, run: ImportRun, rows: Table, changed: Collection[str]
) -> Obstacles:
    """``rows``: those that go back."""
    found, kind = Obstacles(), definition.kind
    for model in MADE[kind]:
        for reference in REFERENCES.get(model, ()):
            if reference.has:
                _referred(connection, found, kind, model.__table__, reference, run)
    _changed_by_later_imports(connection, found, rows, run)
    _changed_since(connection, found, definition, run, changed)
    if kind is Kind.CUSTOMERS:
        merged = _labelled(kind, rows).where(rows.c.effect == going.MADE, rows.c.merged_into_id.is_not(None))
        found.add(connection, merged, lambda label: f"{label} was merged into another customer")
    elif kind in (Kind.ORDERS, Kind.ORDER_ITEMS):
        _billed_since(connection, found, definition, rows, run)
        if kind is Kind.ORDER_ITEMS:
            _of_other_lines(connection, found, rows, run)
    elif kind is Kind.RATES:
        _used_since(connection, found, rows, [name for name in TERMS if name in changed])
    elif kind is Kind.PRODUCTS:
        _counted_since(connection, found, rows, run)
    elif kind is Kind.PLANS:
        _of_later_versions(connection, found, run)
    return found


def by_the_rules(connection: Connection, found: Obstacles, definition: Definition, rows: Table) -> None:
    """What the checks of an import have against rows as they were before."""
    chosen: FromClause = select(rows).where(rows.c.effect == going.CHANGED).subquery("restored")
    checks = definition.merge_checks
    if definition.kind is Kind.PLANS:
        return  # of its rows only the names return
    if definition.kind is Kind.CUSTOMER_PLANS:
        # Whoever is on no plan any more was on one, too.
        chosen, checks = rows, (plans.billed, plans.subscribed)
    labels = LABELS[definition.kind].subquery("labels")
    for check in checks:
        faults = check(chosen).subquery("faults")
        _line, column, value, reason = faults.c
        named = select(labels.c.label, sql_cast(column, String), sql_cast(value, String), reason)
        found.add(
            connection,
            named.join(labels, labels.c.id == faults.c[0]),
            lambda label, column, value, reason: f"{label}: {column} “{value}” {reason}",
        )


def _labelled(kind: Kind, rows: Table) -> Select[*tuple[Any, ...]]:
    labels = LABELS[kind].subquery("labels")
    return select(labels.c.label).join(rows, rows.c.existing_id == labels.c.id).order_by(labels.c.label)


def _referred(
    connection: Connection, found: Obstacles, kind: Kind, target: Any, reference: Reference, run: ImportRun
) -> None:
    """Rows that refer to what the import made, unless it made them too."""
    made = target.alias("made_rows")
    by = aliased(reference.column.class_)
    column = getattr(by, reference.column.key)
    label = _label_of(kind, made)
    statement = select(label).select_from(made).join(by, column == made.c.id).where(made.c.import_id == run.id)
    if not hasattr(by, MARK):
        found.add(connection, statement.distinct(), lambda label: f"{label} {reference.has}")
        return
    statement = statement.outerjoin(ImportRun, ImportRun.id == by.import_id)
    of_others = statement.where(by.import_id.is_distinct_from(run.id))
    found.add(
        connection,
        of_others.add_columns(ImportRun.id, ImportRun.file_name).distinct(),
        lambda label, later, file: f"{label} {reference.has}{_imported(later, file)}",
    )


def _label_of(kind: Kind, made: Any) -> ColumnElement[str]:
    if made.name == "made_rows" and made.element.name == PlanVersion.__tablename__:
        code = select(Plan.code).where(Plan.id == made.c.plan_id).scalar_subquery()
        return code + " (version " + sql_cast(made.c.number, String) + ")"
    labels = LABELS[kind].subquery("labels")
    named: ColumnElement[str] = select(labels.c.label).where(labels.c.id == made.c.id).scalar_subquery()
    return named


def _imported(later: int | None, file: str | None) -> str:
    return f" from import {later} ({file}): take that back first" if later else ""


def _later(run: ImportRun) -> tuple[ColumnElement[bool], ...]:
    """Beside ``ImportRun``: later imports of the same kind that stand."""
    return ImportRun.id > run.id, ImportRun.kind == run.kind, ImportRun.taken_back_at.is_(None)


def _changed_by_later_imports(connection: Connection, found: Obstacles, rows: Table, run: ImportRun) -> None:
    """What this one made, and others have changed or removed since."""
    later = select(ImportedChange.label, ImportRun.id, ImportRun.file_name).join(
        ImportRun, ImportRun.id == ImportedChange.run_id
    )
    changed = later.where(
        *_later(run),
        ImportedChange.effect == RowEffect.CHANGED,
        ImportedChange.row_id.in_(select(rows.c.existing_id).where(rows.c.effect == going.MADE)),
    )
    found.add(connection, changed, lambda label, *by: f"{label} was changed{_by(*by)}")
    if run.kind != Kind.ORDER_ITEMS:
        return
    made = cells.cell(ImportedChange.cells.expression, OrderLine.__table__.c.import_id, cells.BEFORE) == run.id
    removed = later.where(*_later(run), ImportedChange.effect == RowEffect.REMOVED, made)
    found.add(connection, removed, lambda label, *by: f"{label} was removed{_by(*by)}")


def _by(later: int | None, file: str | None) -> str:
    return f" by import {later} ({file}): take that back first" if later else " since"


def _changed_since(
    connection: Connection, found: Obstacles, definition: Definition, run: ImportRun, changed: Collection[str]
) -> None:
    """Cells that no longer are what the import made of them, and rows that are no longer there."""
    target, labels = definition.table, LABELS[definition.kind].subquery("labels")
    given = ImportedChange.cells.expression
    other = {
        name: and_(
            cells.has(given, target.c[name]),
            ~cells.same(target.c[name], cells.cell(given, target.c[name], cells.AFTER)),
        )
        for name in changed
    }
    gone = labels.c.label.is_distinct_from(ImportedChange.label)
    again = aliased(ImportedChange)
    later = (
        select(func.max(again.run_id))
        .join(ImportRun, ImportRun.id == again.run_id)
        .where(*_later(run), again.row_id == ImportedChange.row_id)
        .correlate(ImportedChange)
        .scalar_subquery()
    )
    name = case((gone, literal("", String)), *((differs, literal(name, String)) for name, differs in other.items()))
    file = select(ImportRun.file_name).where(ImportRun.id == later).scalar_subquery()
    statement = (
        select(ImportedChange.label, name, later, file)
        .outerjoin(target, target.c.id == ImportedChange.row_id)
        .outerjoin(labels, labels.c.id == ImportedChange.row_id)
        .where(
            ImportedChange.run_id == run.id,
            ImportedChange.effect == RowEffect.CHANGED,
            or_(gone, *other.values()),
        )
    )
    found.add(
        connection,
        statement,
        lambda label, column, *by: f"{label}: {column} was changed{_by(*by)}" if column else f"{label} is gone",
    )


def _billed_since(
    connection: Connection, found: Obstacles, definition: Definition, rows: Table, run: ImportRun
) -> None:
    order_id = rows.c.existing_id if definition.kind is Kind.ORDERS else rows.c.order_id
    billed = (
        select(Order.number, Invoice.id, Invoice.number)
        .select_from(rows)
        .join(Order, Order.id == order_id)
        .join(BilledOrder, BilledOrder.order_id == Order.id)
        .join(Invoice, Invoice.id == BilledOrder.invoice_id)
        .where(Invoice.created_at >= run.created_at)
        .distinct()
    )
    if definition.kind is Kind.ORDERS:
        billed = billed.where(rows.c.effect == going.CHANGED)  # of those that it made the references tell
    found.add(connection, billed, lambda number, *invoice: f"{number} is billed on {keeping.named(*invoice)}")


def _of_other_lines(connection: Connection, found: Obstacles, rows: Table, run: ImportRun) -> None:
    """Lines of the same SKU that came later: their position counts from those that would go, or is that of those that
    would return.
    """
    same_sku = and_(OrderLine.order_id == rows.c.order_id, OrderLine.sku_key == rows.c.sku_key)
    placed = case(
        (rows.c.effect == going.MADE, OrderLine.position > rows.c.position),
        else_=OrderLine.position == rows.c.position,
    )
    others = (
        select(Order.number, OrderLine.sku, ImportRun.id, ImportRun.file_name)
        .select_from(rows)
        .join(OrderLine, and_(same_sku, placed, OrderLine.import_id.is_distinct_from(run.id)))
        .join(Order, Order.id == OrderLine.order_id)
        .outerjoin(ImportRun, ImportRun.id == OrderLine.import_id)
        .where(rows.c.effect.in_((going.MADE, going.REMOVED)))
        .distinct()
    )
    found.add(
        connection, others, lambda number, sku, *by: f"{number} · {sku} has further lines{_imported(*by) or ' since'}"
    )


def _used_since(connection: Connection, found: Obstacles, rows: Table, terms: list[str]) -> None:
    """Other terms of rates that reports have used since."""
    if not terms:
        return
    now = Rate.__table__
    used = (
        select(literal(1))
        .select_from(ReportCharge)
        .join(BillingReport, BillingReport.id == ReportCharge.report_id)
        .where(BillingReport.customer_id == rows.c.customer_id, ReportCharge.rate_id == rows.c.existing_id)
    )
    statement = (
        _labelled(Kind.RATES, rows)
        .join(now, now.c.id == rows.c.existing_id)
        .where(
            rows.c.effect == going.CHANGED,
            or_(*(~cells.same(rows.c[name], now.c[name]) for name in terms)),
            used.exists(),
        )
    )
    found.add(connection, statement, lambda label: f"{label} has priced orders of a report since")


def _counted_since(connection: Connection, found: Obstacles, rows: Table, run: ImportRun) -> None:
    """Reports since then have counted the cases of orders with these products."""
    on_report = exists().where(
        BillingReport.customer_id == rows.c.customer_id,
        BillingReport.created_at >= run.created_at,
        BillingReport.superseded_at.is_(None),
        ReportOrder.report_id == BillingReport.id,
        OrderLine.order_id == ReportOrder.order_id,
        OrderLine.sku_key == rows.c.sku_key,
    )
    found.add(
        connection,
        _labelled(Kind.PRODUCTS, rows).where(on_report),
        lambda label: f"{label} is in orders that a report has counted since",
    )


def _of_later_versions(connection: Connection, found: Obstacles, run: ImportRun) -> None:
    later = aliased(PlanVersion)
    statement = (
        select(Plan.code, PlanVersion.number, ImportRun.id, ImportRun.file_name)
        .select_from(PlanVersion)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .join(later, and_(later.plan_id == Plan.id, later.number == PlanVersion.number + 1))
        .outerjoin(ImportRun, ImportRun.id == later.import_id)
        .where(PlanVersion.import_id == run.id, Plan.import_id.is_distinct_from(run.id))
    )
    found.add(
        connection,
        statement,
        lambda code, number, *by: f"{code} has a version after version {number}{_imported(*by)}",
    )
