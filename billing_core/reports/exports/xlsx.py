"""Reports as a workbook: summary, orders, charges, questions, prices. Numbers are numbers, days days, text is text."""

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from billing_core.businesses.queries import default_business
from billing_core.money import QUANTITY_PLACES, Money, decimal_places
from billing_core.reports import contents, prices
from billing_core.reports.exports import explained, rows, xlsx_tables
from billing_core.reports.exports.explained import UNIT_PRICE_PLACES, Explaining
from billing_core.reports.exports.rows import scaled, trimmed
from billing_core.reports.exports.xlsx_rows import Content, day, text
from billing_core.reports.exports.xlsx_tables import Columns, Kind, Sheet, Styles
from billing_core.reports.prices import PriceRow
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words, question_words

_ORDERS: Columns = (
    ("Order", 18, Kind.TEXT),
    ("Reference", 18, Kind.TEXT),
    ("Date", 12, Kind.DAY),
    ("Status", 12, Kind.TEXT),
    ("Ship to", 26, Kind.TEXT),
    ("Address", 30, Kind.TEXT),
    ("Items", 10, Kind.NUMBER),
    ("Lines", 8, Kind.COUNT),
    ("Amount", 14, Kind.AMOUNT),
)
_CHARGES: Columns = (
    ("Order", 18, Kind.TEXT),
    ("Reference", 18, Kind.TEXT),
    ("Date", 12, Kind.DAY),
    ("Service", 28, Kind.TEXT),
    ("Charged by", 20, Kind.TEXT),
    ("Quantity", 12, Kind.NUMBER),
    ("Unit price", 12, Kind.NUMBER),
    ("Tier", 6, Kind.COUNT),
    ("Bound", 10, Kind.TEXT),
    ("Condition", 40, Kind.TEXT),
    ("Amount", 14, Kind.AMOUNT),
)
_QUESTIONS: Columns = (
    ("Order", 18, Kind.TEXT),
    ("Question", 44, Kind.TEXT),
    ("Service", 28, Kind.TEXT),
    ("SKU", 22, Kind.TEXT),
)
_PRICES: Columns = (
    ("Service", 28, Kind.TEXT),
    ("Charged by", 20, Kind.TEXT),
    ("From", 12, Kind.DAY),
    ("To", 12, Kind.DAY),
    ("Tier", 6, Kind.COUNT),
    ("Bound", 10, Kind.TEXT),
    ("Orders", 10, Kind.COUNT),
    ("Quantity", 12, Kind.NUMBER),
    ("Unit price", 12, Kind.NUMBER),
    ("Amount", 14, Kind.AMOUNT),
)


def workbook(session: Session, report: Report) -> Iterator[bytes]:
    """The file in chunks, while its rows are read."""

    def summary(sheet: Worksheet, styles: Styles) -> None:
        _summary(session, report, sheet, styles)

    return xlsx_tables.workbook(
        list(_sheets(session, report)),
        title=f"Billing report {report.id}",
        made_at=report.created_at,
        currency=report.currency,
        summary=summary,
    )


def _sheets(session: Session, report: Report) -> Iterator[Sheet]:
    yield from xlsx_tables.sheets("Orders", _ORDERS, report.order_count, _order_rows(session, report))
    explaining = explained.of_report(session, report)
    count, charges = explaining.count(session, report), _charge_rows(session, report, explaining)
    yield from xlsx_tables.sheets("Charges", _CHARGES, count, charges)
    if report.question_count:
        yield from xlsx_tables.sheets("Questions", _QUESTIONS, report.question_count, _question_rows(session, report))
    if charged_at := prices.rows(session, report):
        yield from xlsx_tables.sheets("Prices", _PRICES, len(charged_at), _price_rows(report, charged_at))


def _summary(session: Session, report: Report, sheet: Worksheet, styles: Styles) -> None:
    for column, width in enumerate((30, 30, 14, 10, 16)):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, "Billing report", styles.title)
    facts: list[tuple[str, Any]] = [
        ("Billed by", default_business(session).name),
        ("Customer", report.customer_name),
        ("From", report.period_start),
        ("To", report.period_end),
        ("Report", report.id),
        ("Version", report.version),
        ("Made on (UTC)", report.created_at.astimezone(UTC).date()),
        ("Made by", report.created_by),
        ("Orders", report.order_count),
        ("Open questions", report.question_count),
        ("Currency", report.currency),
        ("Total", report.total),
    ]
    for row, (label, value) in enumerate(facts, 2):
        sheet.write_string(row, 0, label, styles.muted)
        styles.cell(sheet, row, 1, value)

    row = len(facts) + 3
    for column, title in enumerate(("Service", "Charged by", "Quantity", "Orders", f"Amount ({report.currency})")):
        sheet.write_string(row, column, title, styles.heading)
    for total in contents.service_totals(session, report):
        row += 1
        amount = Money(total.amount_minor, report.currency)
        values = (total.service_name, cost_type_words(total.cost_type), total.quantity, total.order_count, amount)
        for column, value in enumerate(values):
            styles.cell(sheet, row, column, value)
    sheet.write_string(row + 1, 0, "Total", styles.bold)
    sheet.write_number(row + 1, 4, report.total.amount, styles.total)


def _order_rows(session: Session, report: Report) -> Iterator[Sequence[Content]]:
    places = decimal_places(report.currency)
    for batch in rows.batches(session, rows.orders(report)):
        for _, number, reference, ordered_on, status, name, address, items, lines, minor in batch:
            yield (
                *(text(number), text(reference), day(ordered_on), text(status.value), text(name), text(address)),
                *(trimmed(items, QUANTITY_PLACES), str(lines), scaled(minor, places)),
            )


def _charge_rows(session: Session, report: Report, explaining: Explaining) -> Iterator[Sequence[Content]]:
    places = decimal_places(report.currency)
    services = {
        total.service_id: (text(total.service_name), text(cost_type_words(total.cost_type)))
        for total in contents.service_totals(session, report)
    }
    for order, charges in rows.by_order(session, report, rows.explained_charges(report)):
        _, number, reference, ordered_on, *_ = order
        of_order = text(number), text(reference), day(ordered_on)
        for service_id, quantity, price, tier, bound, matched, minor in explaining.rows(charges):
            counted = trimmed(quantity, QUANTITY_PLACES), trimmed(price, UNIT_PRICE_PLACES)
            yield (
                *(*of_order, *services[service_id], *counted),
                *(str(tier) if tier else None, text(bound), text(matched), scaled(minor, places)),
            )


def _question_rows(session: Session, report: Report) -> Iterator[Sequence[Content]]:
    for batch in rows.batches(session, rows.questions(report)):
        for _, number, service, sku, kind in batch:
            yield text(number), text(question_words(kind)), text(service), text(sku)


def _price_rows(report: Report, charged_at: Sequence[PriceRow]) -> Iterator[Sequence[Content]]:
    places = decimal_places(report.currency)
    for row in charged_at:
        yield (
            *(text(row.service_name), text(cost_type_words(row.cost_type)), day(row.days.start), day(row.days.end)),
            *(str(row.tier) if row.tier else None, text(row.instead), str(row.order_count)),
            *(f"{row.quantity:f}", f"{row.unit_price:f}", scaled(row.amount_minor, places)),
        )
