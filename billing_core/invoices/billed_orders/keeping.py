"""Keeping which services of which orders stand on an invoice, each once.

An invoice bills an order's service by a report that charges something for it, and by a line of that report: of this
service, of this order, or of neither in particular. Once the invoice is cancelled or wholly credited it bills nothing
any more, and the orders can be billed again; what is written off stays billed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from billing_core.database.folding import folded
from billing_core.errors import Conflict
from billing_core.invoices.billed_orders.models import BilledOrder, BilledSkus
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceLineItem
from billing_core.money import Money
from billing_core.orders.models import OrderLine
from billing_core.reports.models import BillingReport, ReportCharge, ReportOrder

_COLUMNS = ("order_id", "service_id", "invoice_id", "report_id")


@dataclass(frozen=True, slots=True)
class BilledBefore:
    """What another invoice bills of a report already: how many of its charges, and what they come to on the report.
    ``order_number`` is one of their orders; ``number`` is None for a draft.
    """

    report_id: int
    invoice_id: int
    number: str | None
    order_number: str
    charge_count: int
    amount_minor: int
    currency: str

    @property
    def invoice(self) -> str:
        """What people call it, within a sentence."""
        return named(self.invoice_id, self.number)

    @property
    def sentence(self) -> str:
        charges = "one charge" if self.charge_count == 1 else f"{self.charge_count:,} charges"
        amount = Money(self.amount_minor, self.currency)
        return f"Order {self.order_number} is billed on {self.invoice} already ({charges} of this report, {amount})"


class AlreadyBilled(Conflict):
    """Some of what an invoice would bill stands on another one. ``before``: on which."""

    def __init__(self, before: Sequence[BilledBefore]) -> None:
        first, others = before[0], len(before) - 1
        more = f"; {others} more of the kind" if others else ""
        super().__init__(f"Report {first.report_id}: {first.sentence}{more}")
        self.before = tuple(before)

    @property
    def charge_count(self) -> int:
        return sum(one.charge_count for one in self.before)


def named(invoice_id: int, number: str | None) -> str:
    """What people call an invoice, within a sentence."""
    return f"invoice {number}" if number else f"a draft (no. {invoice_id})"


def _of_it(billed: type[ReportCharge] | type[BilledOrder]) -> ColumnElement[bool]:
    """In SQL: a line of its report bills this order's service."""
    line = InvoiceLineItem
    return and_(
        or_(line.service_id.is_(None), line.service_id == billed.service_id),
        or_(line.order_id.is_(None), line.order_id == billed.order_id),
    )


def billing() -> Select[*tuple[Any, ...]]:
    """order_id, service_id, invoice_id, report_id: what the lines of all invoices bill of their reports' charges."""
    line = exists().where(
        InvoiceLineItem.invoice_id == InvoicedReport.invoice_id,
        InvoiceLineItem.report_id == InvoicedReport.report_id,
        _of_it(ReportCharge),
    )
    return (
        select(ReportCharge.order_id, ReportCharge.service_id, InvoicedReport.invoice_id, InvoicedReport.report_id)
        .join(ReportCharge, ReportCharge.report_id == InvoicedReport.report_id)
        .where(ReportCharge.amount_minor != 0, line)
    )


def _numbered(rows: Subquery) -> Select[*tuple[Any, ...]]:
    """With ``again``: 0 for what nobody else bills."""
    key = (rows.c.order_id, rows.c.service_id)
    taken = exists().where(BilledOrder.order_id == key[0], BilledOrder.service_id == key[1])
    place = func.row_number().over(partition_by=key, order_by=rows.c.invoice_id)
    return select(*(rows.c[name] for name in _COLUMNS), case((or_(taken, place > 1), rows.c.invoice_id), else_=0))


def _same(wanted: Subquery) -> ColumnElement[bool]:
    """In SQL: another invoice bills it."""
    return and_(
        BilledOrder.order_id == wanted.c.order_id,
        BilledOrder.service_id == wanted.c.service_id,
        BilledOrder.invoice_id != wanted.c.invoice_id,
    )


def _any(wanted: Subquery) -> Select[int]:
    return select(literal(1)).select_from(wanted).join(BilledOrder, _same(wanted)).limit(1)


def _summed_up(wanted: Subquery) -> Select[*tuple[Any, ...]]:
    """The columns of ``BilledBefore``."""
    of_order = and_(ReportOrder.report_id == wanted.c.report_id, ReportOrder.order_id == wanted.c.order_id)
    of_charge = and_(
        ReportCharge.report_id == wanted.c.report_id,
        ReportCharge.order_id == wanted.c.order_id,
        ReportCharge.service_id == wanted.c.service_id,
    )
    return (
        select(
            wanted.c.report_id,
            Invoice.id,
            Invoice.number,
            func.min(ReportOrder.order_number),
            func.count(),
            cast(func.sum(ReportCharge.amount_minor), BigInteger),
            BillingReport.currency,
        )
        .select_from(wanted)
        .join(BilledOrder, _same(wanted))
        .join(Invoice, Invoice.id == BilledOrder.invoice_id)
        .join(BillingReport, BillingReport.id == wanted.c.report_id)
        .join(ReportOrder, of_order)
        .join(ReportCharge, of_charge)
        .group_by(wanted.c.report_id, Invoice.id, Invoice.number, BillingReport.currency)
        .order_by(wanted.c.report_id, Invoice.id)
    )


# Built once: building a statement takes as long as running it.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
# In the order of their key: of two who bill the same, one waits for the other, and not each for what the other has.
_KEY = (ReportCharge.order_id, ReportCharge.service_id)
_BILLING = billing().where(InvoicedReport.invoice_id.in_(_IDS))
_kept = and_(BilledOrder.order_id == ReportCharge.order_id, BilledOrder.service_id == ReportCharge.service_id)
_REST = _BILLING.where(~exists().where(_kept, BilledOrder.invoice_id == InvoicedReport.invoice_id))


def _keeping(rows: Select[*tuple[Any, ...]]) -> Insert:
    return insert(BilledOrder).from_select([*_COLUMNS, "again"], rows)


_skus = (
    select(BilledOrder.invoice_id, OrderLine.sku_key)
    .join(OrderLine, OrderLine.order_id == BilledOrder.order_id)
    .where(BilledOrder.invoice_id.in_(_IDS))
    .distinct()
    .order_by(BilledOrder.invoice_id, OrderLine.sku_key)
    .subquery()
)
_SKUS = folded(func.aggregate_strings(_skus.c.sku_key, "\x1f")).concat(literal_column("'\x1f\x1f'"))
_KEEP_SKUS = insert(BilledSkus).from_select(
    ["invoice_id", "words"], select(_skus.c.invoice_id, _SKUS).group_by(_skus.c.invoice_id)
)
_FORGET_SKUS = delete(BilledSkus).where(BilledSkus.invoice_id.in_(_IDS))
_KEEP = _keeping(_BILLING.add_columns(literal(0)).order_by(*_KEY))
_KEEP_REST = _keeping(_REST.add_columns(literal(0)).order_by(*_KEY))
_KEEP_AGAIN = _keeping(_numbered(_REST.subquery("wanted")))


def _holding(pairs: Select[*tuple[Any, ...]], *, shared: bool) -> Select[int]:
    """Locks whatever bills these orders' services, in the order of the key, so that no two wait for each other."""
    key = (BilledOrder.order_id, BilledOrder.service_id)
    rows = select(*key).where(tuple_(*key).in_(pairs)).order_by(*key, BilledOrder.again)
    return select(func.count()).select_from(rows.with_for_update(read=shared, key_share=shared).subquery())


# Until it is known what is billed again, nobody may give up what is billed.
_HOLD = _holding(_REST.with_only_columns(*_KEY), shared=True)
_OF_REPORTS = select(
    ReportCharge.order_id, ReportCharge.service_id, literal(0).label("invoice_id"), ReportCharge.report_id
).where(ReportCharge.amount_minor != 0, ReportCharge.report_id.in_(_IDS))
_OF_INVOICES_BEFORE = _summed_up(_BILLING.subquery("wanted"))
_ANY_BEFORE = _any(_OF_REPORTS.subquery("wanted"))
_BEFORE = _summed_up(_OF_REPORTS.subquery("wanted"))
_RELEASE = (
    update(InvoicedReport)
    .where(InvoicedReport.invoice_id.in_(_IDS), InvoicedReport.released_at.is_(None))
    .values(released_at=bindparam("now"))
)
_FORGET = delete(BilledOrder).where(BilledOrder.invoice_id.in_(_IDS))
_line = exists().where(
    InvoiceLineItem.invoice_id == BilledOrder.invoice_id,
    InvoiceLineItem.report_id == BilledOrder.report_id,
    _of_it(BilledOrder),
)
_FORGET_REST = _FORGET.where(~_line)
_other = aliased(BilledOrder)
# Of two who give up the same, one waits, and finds who is the first then.
_HOLD_TO_FORGET = _holding(select(_other.order_id, _other.service_id).where(_other.invoice_id.in_(_IDS)), shared=False)
_PROMOTE = (
    update(BilledOrder)
    .where(
        BilledOrder.again != literal_column("0"),
        ~exists().where(
            _other.order_id == BilledOrder.order_id,
            _other.service_id == BilledOrder.service_id,
            _other.again < BilledOrder.again,
        ),
    )
    .values(again=0)
)


def keep(session: Session, invoice_ids: Sequence[int], *, again: bool = False) -> None:
    """Note what these new invoices bill. AlreadyBilled where some of it stands on another one, unless ``again``."""
    _keep(session, _KEEP, invoice_ids, again=again)


def keep_as_lines_say(session: Session, invoice_id: int, *, again: bool = False) -> None:
    """The lines of a draft have changed: what they bill no more can be billed elsewhere, and what they bill besides is
    noted, or AlreadyBilled as in ``keep``. What they still bill is the draft's own, whoever has billed it again since.
    """
    _forget(session, _FORGET_REST, [invoice_id])
    _keep(session, _KEEP_REST, [invoice_id], again=again)


def _keep(session: Session, noting: Insert, invoice_ids: Sequence[int], *, again: bool) -> None:
    for start in range(0, len(invoice_ids), 500):
        some = {"ids": list(invoice_ids[start : start + 500])}
        try:
            with session.begin_nested():
                if again:
                    session.connection().execute(_HOLD, some)
                session.connection().execute(_KEEP_AGAIN if again else noting, some)
        except IntegrityError:
            if taken := _found(session, _OF_INVOICES_BEFORE, some):
                raise AlreadyBilled(taken) from None
            raise Conflict("These reports bill the same orders: an order's service is billed once") from None
        session.connection().execute(_FORGET_SKUS, some)
        session.connection().execute(_KEEP_SKUS, some)


def forget(session: Session, invoice_ids: Sequence[int]) -> None:
    """These invoices bill no orders any more. Who billed one again is now the first, so that its key is taken."""
    _forget(session, _FORGET, invoice_ids)


def _forget(session: Session, forgetting: Delete, invoice_ids: Sequence[int]) -> None:
    connection, some = session.connection(), {"ids": list(invoice_ids)}
    connection.execute(_HOLD_TO_FORGET, some)
    connection.execute(forgetting, some)
    connection.execute(_PROMOTE)


def release(session: Session, invoice_ids: Sequence[int], *, now: datetime) -> None:
    """These invoices were cancelled or wholly credited: what they billed can be billed again."""
    released = session.connection().execute(_RELEASE, {"ids": list(invoice_ids), "now": now})
    if released.rowcount:
        forget(session, invoice_ids)


def free_again(session: Session, invoice_id: int, report_ids: Sequence[int]) -> set[int]:
    """Which of an invoice's reports a copy of it may bill: it bills them no more, and no other invoice does."""
    links = select(InvoicedReport.report_id).where(
        InvoicedReport.invoice_id == invoice_id, InvoicedReport.released_at.is_(None)
    )
    return set(report_ids) - set(session.scalars(links)) - {one.report_id for one in before(session, report_ids)}


def before(session: Session, report_ids: Sequence[int]) -> list[BilledBefore]:
    """What invoices bill already of these reports: each invoice once for each report."""
    found: list[BilledBefore] = []
    for start in range(0, len(report_ids), 500):
        some = {"ids": list(report_ids[start : start + 500])}
        if session.connection().execute(_ANY_BEFORE, some).first():
            found += _found(session, _BEFORE, some)
    return found


def _found(session: Session, statement: Select[*tuple[Any, ...]], ids: dict[str, list[int]]) -> list[BilledBefore]:
    rows: Sequence[Any] = session.connection().execute(statement, ids).all()
    return [BilledBefore(*row) for row in rows]
