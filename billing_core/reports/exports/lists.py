"""Lists as CSV: reports and promo codes as their pages filter them, and the rows behind a figure."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from billing_core import figures
from billing_core.customers import queries as customer_queries
from billing_core.errors import NotFound
from billing_core.figures import Figure, Scope
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import Money, decimal_places
from billing_core.plans import queries as plans
from billing_core.promotions import listing as promo_codes_listing
from billing_core.promotions.listing import CodeFilter, CodeRow
from billing_core.reports import queries, summary
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.json import instant
from billing_core.reports.exports.rows import scaled
from billing_core.reports.queries import Report, ReportFilter
from billing_core.reports.summary import SummaryFilter

REPORT_COLUMNS = (
    "id",
    "customer_id",
    "customer_name",
    "start_date",
    "end_date",
    "services",
    "version",
    "currency",
    "total_amount",
    "order_count",
    "charge_count",
    "question_count",
    "created_at",
    "created_by",
    "superseded_at",
)

# Those of the import kind ``promo-codes``, and what became of each.
PROMO_CODE_COLUMNS = (
    "code",
    "plan_code",
    "percent",
    "amount",
    "currency",
    "duration",
    "periods",
    "limit",
    "limit_per_customer",
    "valid_to",
    "status",
    "redeemed",
    "created_at",
    "ended_at",
)

CUSTOMER_COLUMNS = (
    "customer_id",
    "customer_ref",
    "customer_name",
    "city",
    "country",
    "currency",
    "report_count",
    "total_amount",
    "average_amount",
    "first_report",
    "latest_report",
    "billed_from",
    "billed_until",
    "order_count",
    "question_count",
)


def reports(session: Session, actor: Actor, filters: ReportFilter, *, for_excel: bool = False) -> Download:
    """Every report that matches, in the requested order: the page's list without its limit."""
    actor.require(Permission.EXPORT)
    queries.must_be_author(session, actor, filters.created_by)
    rows = (_report(Report(*row)) for row in exports_rows.each(session, queries.listing(session, actor, filters)))
    return csv_list("reports.csv", REPORT_COLUMNS, rows, for_excel=for_excel)


def customers(session: Session, actor: Actor, filters: SummaryFilter, *, for_excel: bool = False) -> Download:
    """What each matching customer was billed, in the requested order; each currency has its own line."""
    actor.require(Permission.EXPORT)
    customer_queries.must_occur(session, actor, filters.country)
    rows = (_customer(row) for row in exports_rows.each(session, summary.listing(actor, filters)))
    return csv_list("customers.csv", CUSTOMER_COLUMNS, rows, for_excel=for_excel)


def promo_codes(
    session: Session, actor: Actor, filters: CodeFilter, *, today: date, for_excel: bool = False
) -> Download:
    """Every promo code that matches, the newest first."""
    actor.require(Permission.EXPORT)
    plans.must_be_one(session, actor, filters.plan_code)
    found = exports_rows.each(session, promo_codes_listing.listing(actor, filters, today=today))
    rows = (_promo_code(CodeRow(*row)) for row in found)
    return csv_list("promo-codes.csv", PROMO_CODE_COLUMNS, rows, for_excel=for_excel)


def figure(session: Session, actor: Actor, requested: Figure, scope: Scope, *, for_excel: bool = False) -> Download:
    """The rows behind a figure. An actor bound to one customer cannot read another's."""
    actor.require(Permission.EXPORT)
    if actor.customer_id is not None and scope.customer_id != actor.customer_id:
        raise NotFound("There is no such figure")
    rows = (_figure_row(row) for row in figures.stream(session, actor, requested, scope))
    return csv_list(f"{requested.key}.csv", figures.COLUMNS, rows, for_excel=for_excel)


def _report(report: Report) -> tuple[Any, ...]:
    return (
        report.id,
        report.customer_id,
        report.customer_name,
        report.period_start.isoformat(),
        report.period_end.isoformat(),
        report.services,
        report.version,
        report.currency,
        scaled(report.total_minor, decimal_places(report.currency)),
        report.order_count,
        report.charge_count,
        report.question_count,
        instant(report.created_at),
        report.created_by,
        instant(report.superseded_at),
    )


def _customer(row: Any) -> tuple[Any, ...]:
    places = decimal_places(row.currency)
    total, count = int(row.total_amount), int(row.report_count)
    average = summary.average(total, count)
    return (
        *(row.customer_id, row.customer_ref, row.customer_name, row.city, row.country, row.currency),
        *(count, scaled(total, places), None if average is None else scaled(average, places)),
        *(instant(row.first_report), instant(row.latest_report)),
        *(row.billed_from, row.billed_until, int(row.order_count), int(row.question_count)),
    )


def _promo_code(row: CodeRow) -> tuple[Any, ...]:
    amount = None if row.amount_minor is None else scaled(row.amount_minor, decimal_places(row.currency or ""))
    percent = None if row.percent is None else f"{row.percent.normalize():f}"
    return (
        *(row.code, row.plan_code, percent, amount, row.currency, row.duration.value, row.periods),
        *(row.limit, row.limit_per_customer, row.valid_to, row.status.value, row.redeemed),
        *(instant(row.created_at), instant(row.ended_at)),
    )


def _figure_row(row: Any) -> tuple[Any, ...]:
    number, label, day, currency, amount = row
    # A number, not text: a text with a leading minus would be escaped, and not usable in formulas.
    return number, label, day, currency, Money(amount, currency).amount if currency else amount
