"""Many reports as one workbook: summary, totals by service, the reports, all of their charges and open questions."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.money import QUANTITY_PLACES, Money, decimal_places
from billing_core.rating.models import Service
from billing_core.reports.exports import xlsx_tables
from billing_core.reports.exports.explained import UNIT_PRICE_PLACES
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format
from billing_core.reports.exports.rows import each, scaled, trimmed
from billing_core.reports.exports.together import charges, sums
from billing_core.reports.exports.together.selection import Selection
from billing_core.reports.exports.together.sums import CurrencySum, ServiceSum
from billing_core.reports.exports.xlsx_rows import Content, day, text
from billing_core.reports.exports.xlsx_tables import Columns, Kind, Sheet, Styles
from billing_core.reports.models import BillingReport, ReportQuestion
from billing_core.reports.wording import cost_type_words, question_words

_SERVICES: Columns = (
    ("Currency", 9, Kind.TEXT),
    ("Service", 30, Kind.TEXT),
    ("Charged by", 20, Kind.TEXT),
    ("Reports", 9, Kind.COUNT),
    ("Orders", 10, Kind.COUNT),
    ("Quantity", 14, Kind.NUMBER),
    ("Amount", 16, Kind.AMOUNT),
)
_REPORTS: Columns = (
    ("Report", 9, Kind.COUNT),
    ("Customer key", 16, Kind.TEXT),
    ("Customer", 30, Kind.TEXT),
    ("From", 12, Kind.DAY),
    ("To", 12, Kind.DAY),
    ("Version", 8, Kind.COUNT),
    ("Services", 10, Kind.TEXT),
    ("State", 11, Kind.TEXT),
    ("Orders", 10, Kind.COUNT),
    ("Charges", 10, Kind.COUNT),
    ("Open questions", 10, Kind.COUNT),
    ("Currency", 9, Kind.TEXT),
    ("Total", 16, Kind.AMOUNT),
)
_CHARGES: Columns = (
    ("Order", 18, Kind.TEXT),
    ("Reference", 18, Kind.TEXT),
    ("Date", 12, Kind.DAY),
    ("Customer key", 16, Kind.TEXT),
    ("Customer", 28, Kind.TEXT),
    ("Service", 28, Kind.TEXT),
    ("Charged by", 20, Kind.TEXT),
    ("Quantity", 12, Kind.NUMBER),
    ("Unit price", 12, Kind.NUMBER),
    ("Tier", 6, Kind.COUNT),
    ("Bound", 10, Kind.TEXT),
    ("Condition", 40, Kind.TEXT),
    ("Currency", 9, Kind.TEXT),
    ("Amount", 14, Kind.AMOUNT),
    ("Report", 9, Kind.COUNT),
)
_QUESTIONS: Columns = (
    ("Order", 18, Kind.TEXT),
    ("Customer key", 16, Kind.TEXT),
    ("Customer", 28, Kind.TEXT),
    ("Question", 44, Kind.TEXT),
    ("Service", 28, Kind.TEXT),
    ("SKU", 22, Kind.TEXT),
    ("Report", 9, Kind.COUNT),
)
_HEADS = (
    ("Currency", "currency"),
    ("Reports", "reports"),
    ("Customers", "customers"),
    ("Orders", "orders"),
    ("Charges", "charges"),
    ("Open questions", "questions"),
    ("Replaced reports", "replaced"),
)


def workbook(session: Session, selection: Selection, *, now: datetime) -> Download:
    """The file, whose rows are read while it is written. What is added up is of one currency each."""
    totals = sums.by_currency(session, selection)

    def summary(sheet: Worksheet, styles: Styles) -> None:
        _summary(session, selection, totals, sheet, styles)

    chunks = xlsx_tables.workbook(
        list(_sheets(session, selection)), title="Billing reports", made_at=now, summary=summary
    )
    return Download(f"{selection.file_name}.xlsx", MEDIA_TYPES[Format.XLSX], chunks)


def _sheets(session: Session, selection: Selection) -> Iterator[Sheet]:
    services = sums.by_service(session, selection)
    yield from xlsx_tables.sheets("By service", _SERVICES, len(services), map(_service, services))
    reports = map(_report, each(session, sums.of_each(selection)))
    yield from xlsx_tables.sheets("Reports", _REPORTS, len(selection.reports), reports)
    yield from xlsx_tables.sheets(
        "Charges", _CHARGES, charges.count(session, selection), map(_charge, charges.rows(session, selection))
    )
    if questions := sum(report.questions for report in selection.reports):
        yield from xlsx_tables.sheets("Questions", _QUESTIONS, questions, _questions(session, selection))


def _summary(
    session: Session, selection: Selection, totals: Sequence[CurrencySum], sheet: Worksheet, styles: Styles
) -> None:
    for column, width in enumerate((16, 12, 12, 12, 12, 16, 16, 18)):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, "Billing reports", styles.title)
    days = selection.period
    facts: list[tuple[str, Any]] = [
        ("Billed by", default_business(session).name),
        ("From", days.start),
        ("To", days.end),
        ("Reports", len(selection.reports)),
    ]
    for row, (label, value) in enumerate(facts, 2):
        sheet.write_string(row, 0, label, styles.muted)
        styles.cell(sheet, row, 1, value)

    row = len(facts) + 3
    for column, title in enumerate([title for title, _ in _HEADS] + ["Total"]):
        sheet.write_string(row, column, title, styles.heading)
    for total in totals:
        row += 1
        for column, (_, name) in enumerate(_HEADS):
            styles.cell(sheet, row, column, getattr(total, name))
        styles.cell(sheet, row, len(_HEADS), Money(total.total_minor, total.currency))
    if any(total.replaced for total in totals):
        told = "Replaced reports are versions that no longer count. The sums of this workbook have them all the same."
        sheet.write_string(row + 2, 0, told, styles.muted)


def _service(row: ServiceSum) -> Sequence[Content]:
    return (
        *(text(row.currency), text(row.service_name), text(cost_type_words(row.cost_type))),
        *(str(row.reports), str(row.orders), trimmed(row.quantity, QUANTITY_PLACES)),
        scaled(row.amount_minor, decimal_places(row.currency)),
    )


def _report(row: Any) -> Sequence[Content]:
    number, ref, customer, start, end, version, services, replaced_at, orders, charged, questions, currency, minor = row
    return (
        *(str(number), text(ref), text(customer), day(start), day(end), str(version)),
        *(text("some" if services else "all"), text("replaced" if replaced_at else "current")),
        *(str(orders), str(charged), str(questions)),
        *(text(currency), scaled(minor, decimal_places(currency))),
    )


def _charge(row: charges.Charged) -> Sequence[Content]:
    return (
        *(text(row.order_number), text(row.reference_number), day(row.order_date)),
        *(text(row.customer_ref), text(row.customer_name)),
        *(text(row.service_name), text(cost_type_words(row.cost_type))),
        *(trimmed(row.quantity, QUANTITY_PLACES), trimmed(row.unit_price, UNIT_PRICE_PLACES)),
        *(str(row.tier) if row.tier else None, text(row.bound), text(row.matched)),
        *(text(row.currency), scaled(row.minor, decimal_places(row.currency)), str(row.report_id)),
    )


def _questions(session: Session, selection: Selection) -> Iterator[Sequence[Content]]:
    for batch in selection.batches():
        for number, ref, customer, kind, service, sku, report_id in each(
            session, _of_questions([report.id for report in batch])
        ):
            yield (
                *(text(number), text(ref), text(customer), text(question_words(kind)), text(service), text(sku)),
                str(report_id),
            )


def _of_questions(report_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            ReportQuestion.order_number,
            Customer.ref,
            BillingReport.customer_name,
            ReportQuestion.kind,
            Service.name,
            ReportQuestion.sku,
            BillingReport.id,
        )
        .select_from(ReportQuestion)
        .join(BillingReport, BillingReport.id == ReportQuestion.report_id)
        .join(Customer, Customer.id == BillingReport.customer_id)
        .outerjoin(Service, Service.id == ReportQuestion.service_id)
        .where(among(ReportQuestion.report_id, report_ids))
        .order_by(
            BillingReport.customer_name_order,
            BillingReport.period_start,
            BillingReport.id,
            ReportQuestion.kind,
            ReportQuestion.order_id,
            ReportQuestion.id,
        )
    )
