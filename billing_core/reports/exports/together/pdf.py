"""Many reports as one PDF: a list of them with the sums of each currency, then each on pages of its own."""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.dates import Period
from billing_core.money import Money
from billing_core.pdf_layout.page import ACCENT, MUTED
from billing_core.reports.exports import pdf
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format
from billing_core.reports.exports.pdf import MOST_ORDERS
from billing_core.reports.exports.pdf_paper import Column, ReportPaper
from billing_core.reports.exports.together import sums
from billing_core.reports.exports.together.selection import Selection, headers
from billing_core.reports.exports.together.sums import CurrencySum
from billing_core.reports.queries import Report

_SUMS = (
    Column("Currency", 22),
    Column("Reports", 24, right=True),
    Column("Customers", 26, right=True),
    Column("Orders", 26, right=True),
    Column("Open questions", 30, right=True),
    Column("Total", 46, right=True),
)
_REPORTS = (
    Column("Report", 18),
    Column("Customer", 50),
    Column("Period", 34),
    Column("Orders", 18, right=True),
    Column("Questions", 18, right=True),
    Column("Total", 36, right=True),
)


def document(session: Session, selection: Selection) -> Download:
    """Invalid for more than ``MOST_DOCUMENTS``. Orders are listed where they are ``MOST_ORDERS`` at most, all together:
    nobody would read thousands of pages, and the workbook has them.
    """
    selection.refuse_too_many_documents()
    return Download(f"{selection.file_name}.pdf", MEDIA_TYPES[Format.PDF], _written(session, selection))


def _written(session: Session, selection: Selection) -> Iterator[bytes]:
    business = default_business(session)
    reports = list(headers(session, selection))
    days = pdf.period_words(selection.period).replace("\n", " ")
    foot = f"{business.name} · Billing reports · {days}"
    # As old as the newest of them: the same reports are the same file.
    made_at = max(report.created_at for report in reports)
    paper = ReportPaper(foot, made_at=made_at, size=business.paper_size)
    paper.room_for_feet([foot, *(pdf.foot(business, report) for report in reports)])
    paper.set_title(f"Billing reports, {days}")
    paper.set_author(business.name)
    paper.add_page()
    _front(paper, business, selection.period, sums.by_currency(session, selection), reports)
    lists_orders = sum(report.order_count for report in reports) <= MOST_ORDERS
    for report in reports:
        paper.begin(pdf.foot(business, report))
        pdf.draw(paper, session, business, report, lists_orders=lists_orders)
    yield paper.finished()


def _front(
    paper: ReportPaper, business: Business, period: Period, totals: Sequence[CurrencySum], reports: Sequence[Report]
) -> None:
    pdf.letter_from(paper, business)
    paper.room_for(40)
    top = paper.get_y()
    paper.put(paper.l_margin, top + 2.5, "Billing reports", size=24, bold=True)
    paper.put(paper.right, top + 4, pdf.period_words(period).replace("\n", " "), size=10, color=MUTED, align="R")
    paper.set_y(top + 15)
    paper.rule(ACCENT, 0.7)
    paper.set_y(paper.get_y() + 4)
    _sums(paper, totals)
    paper.heading("Reports")
    paper.table_header(_REPORTS)
    for report in reports:
        cells = (
            f"{report.id}" + ("" if report.current else ", replaced"),
            report.customer_name,
            pdf.period_words(report.period),
            f"{report.order_count:,}",
            f"{report.question_count:,}",
            str(report.total),
        )
        paper.row(_REPORTS, cells)
    paper.end_table()


def _sums(paper: ReportPaper, totals: Sequence[CurrencySum]) -> None:
    """A line for each currency, never one for all of them."""
    paper.heading("Totals")
    paper.table_header(_SUMS)
    for total in totals:
        numbers = (total.reports, total.customers, total.orders, total.questions)
        amount = Money(total.total_minor, total.currency).amount
        paper.row(_SUMS, (total.currency, *(f"{number:,}" for number in numbers), f"{amount:,}"))
    paper.end_table()
    if replaced := sum(total.replaced for total in totals):
        are = "report of these is" if replaced == 1 else "reports of these are"
        paper.note(
            f"{replaced:,} {are} replaced by newer versions and no longer count. The totals have them all the same."
        )
