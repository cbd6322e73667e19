"""Invoices made from reports, linked both ways: a line per price of a service, a line per order, or one for all."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session, aliased

from billing_core.audit import service as audit
from billing_core.audit.service import Trace
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import Day, day_of
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import report_wording, service
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.billed_orders.keeping import AlreadyBilled
from billing_core.invoices.content import report_lines
from billing_core.invoices.content.content import MOST_LINES, Content, DraftLine, blank_for
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceState
from billing_core.reports import prices as prices_of
from billing_core.reports import queries as reports
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.models import BillingReport, ReportOrder, ReportServiceTotal
from billing_core.reports.queries import Report
from billing_core.text import reason_of

# The action of the audit entry for orders that are billed once more.
BILL_AGAIN: Final = "invoice.bill_again"


class Grouping(enum.StrEnum):
    """What becomes a line of the invoice."""

    SERVICE = "service"
    ORDER = "order"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An invoice that already bills a report, or another version of it. ``number`` is None for a draft."""

    report_id: int
    billed_version: int
    invoice_id: int
    number: str | None
    state: InvoiceState

    @property
    def invoice(self) -> str:
        """What people call it, within a sentence."""
        return billed_orders.named(self.invoice_id, self.number)


_ASKED, _VERSION = aliased(BillingReport), aliased(BillingReport)
# Built once: building a statement takes as long as running it.
_EARLIER = (
    select(_ASKED.id, _VERSION.version, Invoice.id, Invoice.number, Invoice.state)
    .join(
        _VERSION,
        (_VERSION.customer_id == _ASKED.customer_id)
        & (_VERSION.period_start == _ASKED.period_start)
        & (_VERSION.period_end == _ASKED.period_end)
        & (_VERSION.services == _ASKED.services),
    )
    .join(InvoicedReport, InvoicedReport.report_id == _VERSION.id)
    .join(Invoice, Invoice.id == InvoicedReport.invoice_id)
    .where(_ASKED.id.in_(bindparam("ids", expanding=True)), InvoicedReport.released_at.is_(None))
    .order_by(_ASKED.id, Invoice.id)
)


def draft_from_report(
    session: Session,
    actor: Actor,
    report_id: int,
    *,
    by: Grouping = Grouping.SERVICE,
    tax_rate: Decimal = Decimal(0),
    again_reason: str = "",
    now: datetime,
    today: Day,
) -> Invoice:
    """A draft that bills this report; its net sum is the report's total. Refuses what ``draft_many`` refuses."""
    (invoice_id,) = draft_many(
        session, actor, [report_id], by=by, tax_rate=tax_rate, again_reason=again_reason, now=now, today=today
    )
    return session.get_one(Invoice, invoice_id)


def draft_many(
    session: Session,
    actor: Actor,
    report_ids: Sequence[int],
    *,
    by: Grouping = Grouping.SERVICE,
    tax_rate: Decimal = Decimal(0),
    again_reason: str = "",
    now: datetime,
    today: Day,
) -> list[int]:
    """A draft for each report, all or none; the invoices' ids in the order of the reports.

    Conflict where one was superseded or has a total of 0; and, unless ``again_reason`` says why all the same, where one
    is invoiced already, or an order's service is (AlreadyBilled). The reason is kept and audited.
    """
    contents = contents_of(session, actor, report_ids, by=by, tax_rate=tax_rate, today=today)
    if not again_reason:
        if invoiced := earlier(session, report_ids):
            raise Conflict(_already(invoiced))
        if billed := billed_orders.before(session, report_ids):
            raise AlreadyBilled(billed)
        return service.create_many(session, actor, contents, now=now)
    why = reason_of(again_reason)
    billed = billed_orders.before(session, report_ids)
    ids = service.create_many(session, actor, contents, again_reason=why, now=now)
    traces = [
        Trace(
            ("invoice", invoice_id),
            f"{content.customer_name}, report {report_id}",
            after={"reason": why} | {one.invoice: one.charge_count for one in billed if one.report_id == report_id},
        )
        for invoice_id, content, report_id in zip(ids, contents, dict.fromkeys(report_ids), strict=True)
    ]
    audit.record_many(session, actor, BILL_AGAIN, traces, now=now)
    return ids


def contents_of(
    session: Session, actor: Actor, report_ids: Sequence[int], *, by: Grouping, tax_rate: Decimal, today: Day
) -> list[Content]:
    """The content of the drafts. The reports are locked, so that concurrent invoicing of one waits for this."""
    actor.require(Permission.INVOICE_WRITE)
    actor.require(Permission.REPORT_READ)
    reports = _locked(session, actor, report_ids)
    for report in reports:
        if not report.current:
            raise Conflict(f"Report {report.id} was replaced by report {report.superseded_by_id}: invoice that one")
        if not report.total_minor:
            raise Conflict(f"Report {report.id} bills nothing: there is nothing to invoice")
    customers = _customers(session, {report.customer_id for report in reports})
    languages = {customer_id: customer.locale for customer_id, customer in customers.items()}
    lines = _lines(session, reports, languages, by)
    businesses = {business.id: business for business in session.scalars(select(Business))}

    def blank(customer: Customer) -> Content:
        return blank_for(customer, businesses[customer.business_id], day_of(today, customer.business_id))

    return [
        replace(
            blank(customers[report.customer_id]),
            currency=report.currency,
            lines=tuple(replace(line, tax_rate=tax_rate) for line in lines[report.id]),
        )
        for report in reports
    ]


def earlier(session: Session, report_ids: Sequence[int]) -> list[Earlier]:
    """Invoices that bill these reports, or other versions of them: neither cancelled nor wholly credited."""
    invoiced: list[Earlier] = []
    for start in range(0, len(report_ids), 500):
        rows = session.execute(_EARLIER, {"ids": list(report_ids[start : start + 500])})
        invoiced += [Earlier(*row) for row in rows]
    return invoiced


def billed_reports(session: Session, invoice_id: int) -> list[Report]:
    """The reports that an invoice bills, by period."""
    statement = (
        select(*reports.COLUMNS)
        .join(InvoicedReport, InvoicedReport.report_id == BillingReport.id)
        .where(InvoicedReport.invoice_id == invoice_id)
        .order_by(BillingReport.period_start, BillingReport.id)
    )
    return [Report(*row) for row in session.execute(statement)]


def _already(invoiced: Sequence[Earlier]) -> str:
    first = invoiced[0]
    others = len({one.report_id for one in invoiced}) - 1
    more = f", and {others} more of the chosen reports too" if others else ""
    return f"Report {first.report_id} is on {first.invoice} already{more}"


def _locked(session: Session, actor: Actor, report_ids: Sequence[int]) -> list[Report]:
    by_id: dict[int, Report] = {}
    ids = sorted(set(report_ids))
    for start in range(0, len(ids), 500):
        statement = (
            select(*reports.COLUMNS)
            .where(BillingReport.id.in_(ids[start : start + 500]), visible_to(actor, BillingReport.customer_id))
            .order_by(BillingReport.id)
            .with_for_update()
        )
        by_id |= {row.id: Report(*row) for row in session.execute(statement)}
    if missing := [report_id for report_id in ids if report_id not in by_id]:
        raise NotFound(f"There is no report {missing[0]}")
    return [by_id[report_id] for report_id in dict.fromkeys(report_ids)]


def _customers(session: Session, customer_ids: Iterable[int]) -> dict[int, Customer]:
    """By these ids; of one that was merged the one into which it was."""
    ids = sorted(customer_ids)
    customers: dict[int, Customer] = {}
    for start in range(0, len(ids), 500):
        batch = select(Customer).where(Customer.id.in_(ids[start : start + 500]))
        customers |= {customer.id: customer for customer in session.scalars(batch)}
    for former in [one for one in customers.values() if one.merged_into_id is not None]:
        customers[former.id] = session.get_one(Customer, former.merged_into_id)
    return customers


def _lines(
    session: Session, reports: Sequence[Report], languages: dict[int, str], by: Grouping
) -> dict[int, list[DraftLine]]:
    """The lines of each report, by its id; amounts of 0 have no line."""
    lines: dict[int, list[DraftLine]] = {report.id: [] for report in reports}
    for report, language in ((report, languages[report.customer_id]) for report in reports):
        if by is Grouping.TOTAL:
            words = report_wording.total_words(report.order_count, report.period, language)
            lines[report.id].append(report_lines.of_amount(report, report.total_minor, words))
        elif by is Grouping.ORDER and report.order_count > MOST_LINES:
            reason = f"has {report.order_count:,} orders, and an invoice at most {MOST_LINES:,} lines"
            raise Invalid(f"Report {report.id} {reason}: make a line of each service", fields={"by": reason})
    known = {report.id: report for report in reports}
    for start in range(0, len(reports), 500):
        batch = [report.id for report in reports[start : start + 500]]
        if by is Grouping.SERVICE:
            prices = prices_of.of_services(session, [known[report_id] for report_id in batch])
            for report_id, *facts in session.execute(_service_totals(batch)):
                report, total = known[report_id], ServiceTotal(*facts)
                charged = prices[report_id, total.service_id]
                language = languages[report.customer_id]
                lines[report_id] += report_lines.of_service(report, total, charged, language)
        elif by is Grouping.ORDER:
            for order in session.execute(_orders(batch)):
                report = known[order.report_id]
                words = report_wording.order_words(order.order_number, order.order_date, languages[report.customer_id])
                lines[report.id].append(
                    report_lines.of_amount(report, order.total_minor, words, order_id=order.order_id)
                )
    return lines


def _service_totals(report_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    """The id of the report, and the columns of ``ServiceTotal``."""
    columns = (getattr(ReportServiceTotal, name) for name in ServiceTotal.__dataclass_fields__)
    return (
        select(ReportServiceTotal.report_id, *columns)
        .where(ReportServiceTotal.report_id.in_(report_ids), ReportServiceTotal.amount_minor > 0)
        .order_by(ReportServiceTotal.report_id, ReportServiceTotal.amount_minor.desc(), ReportServiceTotal.service_id)
    )


def _orders(report_ids: Sequence[int]) -> Select[int, int, str, date, int]:
    order = ReportOrder
    return (
        select(order.report_id, order.order_id, order.order_number, order.order_date, order.total_minor)
        .where(ReportOrder.report_id.in_(report_ids), ReportOrder.total_minor > 0)
        .order_by(ReportOrder.report_id, ReportOrder.order_date, ReportOrder.order_id)
    )
