"""A report as a PDF to read, print and send: totals by service, open questions, orders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel.dates import format_date
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.dates import Period, day_in, last_of_month
from billing_core.money import Money
from billing_core.pdf_layout.page import ACCENT, MUTED, Place
from billing_core.reports import contents
from billing_core.reports.contents import ServiceTotal
from billing_core.reports.exports.pdf_paper import Column, ReportPaper
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words, question_words

# Nobody reads more on paper: the file says how many there are and which files list them all.
MOST_ORDERS = 1_000
MOST_QUESTIONS = 100
_LOCALE = "en_GB"

_TOTALS = (
    Column("Service", 48),
    Column("Charged", 42),
    Column("Quantity", 21, right=True),
    Column("Orders", 17, right=True),
    Column("Share", 18),
    Column("Amount", 28, right=True),
)
_ORDERS = (
    Column("Date", 21),
    Column("Order", 28),
    Column("Reference", 28),
    Column("Ship to", 60),
    Column("Items", 14, right=True),
    Column("Amount", 23, right=True),
)
_QUESTIONS = (Column("Order", 34), Column("Question", 72), Column("Service", 38), Column("SKU", 30))


@dataclass(frozen=True, slots=True)
class _Head:
    """Who says what to whom."""

    report: Report
    business: Business


def document(session: Session, report: Report) -> Iterator[bytes]:
    """The whole file, in one piece, as a PDF's table of objects comes last. ``MOST_ORDERS`` bounds it."""
    business = default_business(session)
    paper = ReportPaper(foot(business, report), made_at=report.created_at, size=business.paper_size)
    paper.set_title(f"Billing report {report.id}: {report.customer_name}, {report.period}")
    paper.set_author(business.name)
    paper.add_page()
    draw(paper, session, business, report)
    yield paper.finished()


def foot(business: Business, report: Report) -> str:
    return f"{business.name} · {report.customer_name} · Report {report.id}"


def draw(
    paper: ReportPaper, session: Session, business: Business, report: Report, *, lists_orders: bool = True
) -> None:
    """The report, from the top of the page that the paper has reached."""
    _letterhead(paper, _Head(report, business))
    _totals(paper, report, contents.service_totals(session, report))
    if report.question_count:
        _questions(paper, session, report)
    _orders(paper, session, report, listed=lists_orders)


def _letterhead(paper: ReportPaper, head: _Head) -> None:
    report, business = head.report, head.business
    letter_from(paper, business)
    paper.room_for(40)
    top = paper.get_y()
    paper.put(paper.l_margin, top + 2.5, "Billing report", size=24, bold=True)
    paper.put(paper.right, top - 1.5, f"Total, {report.currency}", size=8, color=MUTED, align="R")
    total = f"{report.total.amount:,}"
    room = paper.epw - paper.width_of("Billing report", size=24, bold=True) - 6
    size = paper.shrunk(total, room, size=22, bold=True)
    paper.put(paper.right, top + 3, total, size=size, bold=True, color=ACCENT, align="R")
    paper.set_y(top + 15)
    paper.rule(ACCENT, 0.7)
    paper.set_y(paper.get_y() + 4)
    _facts(paper, head)
    if report.superseded_at is not None:
        paper.note(f"This version no longer counts: report {report.superseded_by_id} has replaced it.")


def letter_from(paper: ReportPaper, business: Business) -> None:
    """Whose paper it is, at the top of the page."""
    start = Place(paper.page, paper.t_margin)
    name = paper.lines(business.name, paper.epw, size=10.5, bold=True)
    end = paper.stack(name, start, x=paper.l_margin, size=10.5, height=4.4, bold=True)
    tax_id = f"Tax id {business.tax_id}" if business.tax_id else ""
    details = [line for line in paper.lines(f"{business.address}\n{tax_id}", paper.epw, size=8) if line]
    paper.go_to(paper.stack(details, end, x=paper.l_margin, size=8, height=4.4, color=MUTED).below(8))


def _facts(paper: ReportPaper, head: _Head) -> None:
    report = head.report
    made_on = day_in(head.business.time_zone, report.created_at)
    version = f"No. {report.id}" + (f", version {report.version}" if report.version > 1 else "")
    columns = (
        ("Customer", report.customer_name, 52),
        ("Period", period_words(report.period), 44),
        ("Report", version, 38),
        ("Made", f"{day_words(made_on)}\nby {report.created_by}", 40),
    )
    start = lowest = paper.here()
    left = paper.l_margin
    for label, value, width in columns:
        paper.go_to(start)
        paper.put(left, start.top, label, size=8, color=MUTED)
        lines = paper.lines(value, width - 4, size=9.5)
        lowest = max(lowest, paper.stack(lines, start.below(4.6), x=left, size=9.5, height=4.75))
        left += width
    paper.go_to(lowest.below(7))


def _totals(paper: ReportPaper, report: Report, totals: Sequence[ServiceTotal]) -> None:
    paper.heading("Totals by service")
    if not totals:
        paper.muted_line("No order of this period was charged.")
        return
    paper.table_header(_TOTALS)
    for total in totals:
        amount = Money(total.amount_minor, report.currency).amount
        cells = (
            total.service_name,
            cost_type_words(total.cost_type),
            _decimal(total.quantity),
            f"{total.order_count:,}",
            "",
            f"{amount:,}",
        )
        top = paper.row(_TOTALS, cells)
        paper.bar(_TOTALS, 4, top, of=total.amount_minor, whole=report.total_minor)
    cells = ("Total", "", "", f"{report.order_count:,}", "", f"{report.total.amount:,} {report.currency}")
    paper.closing_row(_TOTALS, cells)


def _questions(paper: ReportPaper, session: Session, report: Report) -> None:
    counted = contents.question_totals(session, report)
    paper.heading("Open questions")
    paper.muted_line("Not billed, because something is missing that a person must settle:")
    for kind, count in counted.items():
        paper.bullet(f"{question_words(kind)}: {count:,}")
    paper.set_y(paper.get_y() + 2)
    paper.table_header(_QUESTIONS)
    for question in contents.questions(session, report, limit=MOST_QUESTIONS):
        cells = (question.order_number, question_words(question.kind), question.service_name or "", question.sku)
        paper.row(_QUESTIONS, cells)
    if report.question_count > MOST_QUESTIONS:
        paper.muted_line(f"The first {MOST_QUESTIONS} of {report.question_count:,}; the workbook has all of them.")
    paper.end_table()


def _orders(paper: ReportPaper, session: Session, report: Report, *, listed: bool) -> None:
    paper.heading("Orders")
    if not report.order_count:
        paper.muted_line("There was no order to bill in this period.")
        return
    if not listed:
        count = "1 order" if report.order_count == 1 else f"{report.order_count:,} orders"
        paper.muted_line(f"{count}, which the workbook of these reports lists with every charge.")
        return
    if report.order_count > MOST_ORDERS:
        paper.muted_line(
            f"The first {MOST_ORDERS:,} of {report.order_count:,} orders by day. "
            "The totals above are of all of them; the CSV, JSON and XLSX files list every one."
        )
    paper.table_header(_ORDERS)
    for order in contents.orders(session, report, limit=MOST_ORDERS):
        amount = Money(order.total_minor, report.currency).amount
        ship_to = ", ".join(part for part in (order.ship_to_name, order.ship_to_address) if part)
        cells = (
            day_words(order.order_date),
            order.order_number,
            order.reference_number,
            ship_to,
            _decimal(order.total_items),
            f"{amount:,}",
        )
        paper.row(_ORDERS, cells)
    paper.end_table()


def day_words(day: date) -> str:
    return str(format_date(day, "d MMM y", locale=_LOCALE))


def period_words(period: Period) -> str:
    """``October 2026`` for a whole month, otherwise both days."""
    if period.start.day == 1 and period.end == last_of_month(period.start):
        return str(format_date(period.start, "MMMM y", locale=_LOCALE))
    return f"{day_words(period.start)} –\n{day_words(period.end)}"


def _decimal(value: Decimal) -> str:
    trimmed = value.normalize()
    return f"{trimmed:,.{max(0, -int(trimmed.as_tuple().exponent))}f}"
