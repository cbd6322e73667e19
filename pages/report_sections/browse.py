"""Every report, filtered, sorted and paged in SQL; a month in a click, and what is done with those of it."""

from zlib import crc32

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.identity import Actor, Permission
from billing_core.reports import queries
from billing_core.reports.queries import Report, ReportFilter
from pages.report_sections import chosen_reports, invoiced, outdated
from pages.report_sections.chosen_reports import Chosen
from pages.ui import formats, tables
from pages.ui.inputs import bulk_selection, customer_names, filters, months
from pages.ui.reads import Reader

PAGE_KEY = "reports_page"
SORT_KEY = "reports_sort"
# First and last day of the reports' periods.
_DAYS = ("reports_from", "reports_to")
# In the place of the ticks, where all that match are chosen.
_CHOSEN = tables.Column("Chosen", lambda _: True, st.column_config.CheckboxColumn("Chosen", width=60))


def draw(read: Reader, actor: Actor) -> None:
    columns = _columns(read.company.time_zone)
    place = st.container()
    report_filter = _filter(read, actor, columns)
    # Drawn behind the filter whose days it shows, and above it.
    with place:
        _months(read)
    total = read(queries.count, report_filter)
    if total == 0:
        _nothing(read, actor)
    else:
        sums = (formats.money(sum_.minor, sum_.currency) for sum_ in read(queries.totals, report_filter))
        st.caption("In total " + " · ".join(sums))
    skipped = tables.pager(total, key=PAGE_KEY, noun="report", sorts_whole=True)
    rows = read(queries.page, report_filter, limit=tables.PAGE_SIZE, offset=skipped)
    bar = st.container(horizontal=True, vertical_alignment="center")
    chooses = bool(rows) and (actor.may(Permission.EXPORT) or actor.may(Permission.INVOICE_WRITE))
    with bar:
        everything = chooses and bulk_selection.everything(total, key="reports_everything", limited=False)
    ticked = tables.show(
        rows,
        # Where it was invoiced comes before who made it when, which a narrow window may hide.
        [
            *([_CHOSEN] if everything else []),
            *columns[:-2],
            *outdated.column(read, rows),
            *invoiced.column(read, actor, rows),
            *columns[-2:],
        ],
        # Of these rows alone: ticks must not move to others when the filters or the page change.
        key=f"reports_{crc32(repr([row.id for row in rows]).encode())}",
        alt="Billing reports",
        opens=open_report,
        order_key=SORT_KEY,
        choose=chooses and not everything,
    )
    if not chooses:
        return
    chosen = Chosen(report_filter, total, () if everything else tuple(ticked), everything)
    with bar:
        chosen_reports.draw(read, actor, chosen)
    st.caption("Click a row to open the report, its invoice to open that, a column's heading to sort by it.")


def _months(read: Reader) -> None:
    """The newest months with reports: a click for one of them. Any other period stands under “More”."""
    months.offer(read(queries.newest_months, limit=months.OFFERED), key="reports_month", days=_DAYS, page_key=PAGE_KEY)


def open_report(report: Report) -> None:
    st.query_params["report"] = str(report.id)


def state_of(report: Report) -> str:
    return "Current" if report.current else "Superseded"


def _columns(zone: str) -> list[tables.Column]:
    return [
        tables.computed("Report", lambda row: f"#{row.id}", width=80),
        tables.text("Customer", "customer_name", order="customer_name", width=150),
        tables.day("From", "period_start", order="start_date"),
        tables.day("To", "period_end", order="end_date"),
        tables.money("Total", "total_minor", order="total_amount"),
        tables.currency_of(order="currency"),
        tables.count("Orders", "order_count", order="order_count"),
        tables.count("Questions", "question_count", order="question_count", help="What could not be billed in full"),
        tables.badge("State", state_of, {"Current": "green", "Superseded": "gray"}),
        tables.instant("Created", "created_at", zone, order="created_at"),
        tables.text("By", "created_by", order="created_by"),
    ]


def _filter(read: Reader, actor: Actor, columns: list[tables.Column]) -> ReportFilter:
    with filters.row():
        text = filters.search(
            "Search", key="reports_text", page_key=PAGE_KEY, placeholder="Customer, author, number, total"
        )
        customer = customer_names.filter_by(read, key="reports_customer", page_key=PAGE_KEY)
        state = filters.choice(
            "State",
            ["all"],
            key="reports_state",
            page_key=PAGE_KEY,
            names={"all": "Current and superseded"},
            every="Current",
        )
        currency = filters.choice(
            "Currency", read(customers.currencies), key="reports_currency", page_key=PAGE_KEY, every="All currencies"
        )
        order = filters.order(tables.orderings(columns), "-created_at", key=SORT_KEY, page_key=PAGE_KEY)
        with st.popover("More", icon=":material/tune:"):
            start = filters.day(
                "Period from",
                key="reports_from",
                page_key=PAGE_KEY,
                help="Whose period starts on this day or later",
            )
            end = filters.day(
                "Period to",
                key="reports_to",
                page_key=PAGE_KEY,
                help="Whose period ends on this day or earlier",
            )
            after = filters.day("Created on or after", key="reports_after", page_key=PAGE_KEY)
            before = filters.day("Created on or before", key="reports_before", page_key=PAGE_KEY)
            filters.in_order(start, end, "Period", key="reports_to")
            filters.in_order(after, before, "Created", key="reports_before")
            author = filters.choice(
                "Created by", read(queries.authors), key="reports_by", page_key=PAGE_KEY, every="Anybody"
            )
        filters.saved_views(read, actor, "reports", PAGE_KEY)
    return ReportFilter(
        customer_id=customer,
        start_date=start,
        end_date=end,
        created_after=after,
        created_before=before,
        currency=currency,
        created_by=author,
        text=text,
        current_only=state != "all",
        order_by=order,
    )


def _nothing(read: Reader, actor: Actor) -> None:
    if read(queries.count, ReportFilter(current_only=False)):
        st.info(
            "No report matches these filters. Widen the period, or choose “Current and superseded”.",
            icon=":material/filter_alt_off:",
        )
    elif actor.may(Permission.REPORT_GENERATE):
        st.info("There are no reports yet. Open “Generate” to bill a month.", icon=":material/play_circle:")
    else:
        st.info("There are no reports yet. A manager generates them.", icon=":material/hourglass_empty:")
