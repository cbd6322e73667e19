"""One report: totals by service, orders and their charges, questions, versions, downloads."""

from dataclasses import replace
from functools import partial

import streamlit as st

from billing_core.figures import Ratio, Scope
from billing_core.identity import Actor, Permission
from billing_core.money import Money
from billing_core.reports import contents, queries, report_figures
from billing_core.reports.contents import OrderRow, ServiceTotal
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words, question_words
from pages.report_sections import changes, invoiced, outdated, prices
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.figures import charts
from pages.ui.figures.cards import card, wall
from pages.ui.figures.drilldown import Drilldown, open_requested, request_rows
from pages.ui.reads import Reader
from pages.ui.text import md

FILES = {
    "xlsx": ("Excel", ":material/grid_on:", "A workbook with totals, orders and charges"),
    "csv": ("CSV", ":material/csv:", "Every charge with order, date, quantity and price; one row per tier"),
    "pdf": ("PDF", ":material/picture_as_pdf:", "To print or to send"),
    "short.csv": (
        "CSV, four columns",
        ":material/csv:",
        "As the published API answers: order_id, service_id, service_name, amount",
    ),
    "json": ("JSON", ":material/data_object:", "The whole report for programs"),
}


def draw(read: Reader, actor: Actor, report_id: str) -> None:
    opened.back("All reports", "report")
    report = read(queries.one, report_id)
    _header(read, actor, report)
    services, at_prices, orders, questions, versions = st.tabs(
        [
            "Services",
            "Prices",
            f"Orders ({formats.count(report.order_count)})",
            f"Questions ({formats.count(report.question_count)})",
            "Versions and changes",
        ],
        key=f"report_tab_{report.id}",
        on_change="rerun",
    )
    if services.open:
        with services:
            _services(read, report)
    if at_prices.open:
        with at_prices:
            prices.draw(read, report)
    if orders.open:
        with orders:
            _orders(report)
    if questions.open:
        with questions:
            _questions(read, report)
    if versions.open:
        with versions:
            changes.draw(read, report)


def _header(read: Reader, actor: Actor, report: Report) -> None:
    zone = read.company.time_zone
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(f"{md(report.customer_name)}, {md(formats.period(report.period))}", anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            invoiced.button(read, actor, report)
            if actor.may(Permission.EXPORT):
                _downloads(report)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if report.current:
            st.badge(f"Current, version {report.version}", icon=":material/check:", color="green")
        else:
            st.badge(f"Superseded, version {report.version}", icon=":material/history:", color="gray")
        if report.services:
            st.badge("Some services only", icon=":material/filter_alt:", color="blue")
        if report.question_count:
            st.badge(formats.counted(report.question_count, "question"), icon=":material/help:", color="orange")
        st.caption(
            f"#{report.id}, created {formats.instant(report.created_at, zone)} by {md(report.created_by)}",
            width="content",
        )
    invoiced.on_report(read, actor, report)
    if not report.current and report.superseded_by_id:
        st.warning(
            "Newer orders, rates or products changed this report: a later version replaces it.",
            icon=":material/history:",
        )
        st.button("Open the later version", on_click=_go_to, args=(report.superseded_by_id,))
    outdated.on_report(read, report)
    changes.billed_twice(read, report)
    scope = _scope(report)
    total, orders = report_figures.total_of(report.id), report_figures.orders_of(report.id)
    average = _average(report)
    with wall(4 if average else 3):
        card(total, scope, report.currency, report.total_minor, key="report")
        card(orders, scope, None, report.order_count, key="report")
        if average:
            per_order = Ratio(
                f"report_{report.id}_average",
                "Average per order",
                "What an order of this report comes to on average, rounded once.",
                "Σ order totals ÷ number of orders",
                total,
                orders,
            )
            card(per_order, scope, average.currency, average.minor, key="report")
        card(report_figures.charges_of(report.id), scope, None, report.charge_count, key="report")


def _downloads(report: Report) -> None:
    with st.popover("Download", icon=":material/download:"):
        for kind, (label, icon, meaning) in FILES.items():
            excel = "?excel=1" if kind.endswith("csv") else ""
            address = f"/downloads/reports/{report.id}.{kind}{excel}"
            st.link_button(label, address, icon=icon, help=meaning, width="stretch")


def _scope(report: Report) -> Scope:
    return Scope(period=report.period, customer_id=report.customer_id)


def _service_rows(report: Report, total: ServiceTotal) -> None:
    figure = replace(report_figures.service_of(report.id, total.service_id), title=total.service_name)
    request_rows(
        Drilldown(figure, replace(_scope(report), currency=report.currency), total.amount_minor, report.currency)
    )


def _services(read: Reader, report: Report) -> None:
    totals = read.plain(contents.service_totals, report)
    if not totals:
        st.info("Nothing was charged in this period.", icon=":material/info:")
        return
    grid = st.grid(2, min_column_width=540, gap="small")
    chart, table = grid.cell(), grid.cell()
    with chart:
        place = charts.money_by_name(
            [total.service_name for total in totals],
            [total.amount_minor for total in totals],
            report.currency,
            key="report_services_chart",
            alt=f"Total of each service in {report.currency}, the largest first",
        )
        if place is not None and place < len(totals):
            _service_rows(report, totals[place])
    with table:
        tables.show(
            totals,
            [
                tables.text("Service", "service_name"),
                tables.computed("Cost type", lambda row: formats.sentence(cost_type_words(row.cost_type))),
                tables.count("Orders", "order_count"),
                tables.quantity("Quantity", "quantity"),
                tables.money(f"Amount, {report.currency}", "amount_minor", currency=lambda _: report.currency),
            ],
            key="report_services",
            alt="Totals by service",
            opens=partial(_service_rows, report),
        )
    together = sum(total.amount_minor for total in totals)
    st.caption(
        f"Sum of the services {formats.money(together, report.currency)} "
        + ("= the report's total ✓" if together == report.total_minor else "differs from the report's total")
        + ". Click a service to see its orders."
    )
    open_requested()


@st.fragment
def _orders(report: Report) -> None:
    read = Reader(signed_in())
    columns = [
        tables.text("Order", "order_number", order="order_number"),
        tables.day("Date", "order_date", order="order_date"),
        tables.text("Reference", "reference_number", order="reference_number"),
        tables.words("Status", "status", order="status"),
        tables.text("Ship to", "ship_to_name", order="ship_to_name"),
        tables.text("Address", "ship_to_address"),
        tables.quantity("Items", "total_items", order="total_items"),
        tables.count("Lines", "line_items", order="line_items"),
        tables.money(
            f"Total, {report.currency}", "total_minor", currency=lambda _: report.currency, order="total_amount"
        ),
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search orders",
            key="report_orders_text",
            type="search",
            placeholder="Number, reference, ship to, SKU",
            width=280,
        )
        sorts = tables.orderings(columns)
        order_by = st.selectbox(
            "Sort by",
            ["order_date", *(one for one in sorts if one != "order_date")],
            format_func=sorts.__getitem__,
            key="report_orders_sort",
            width=180,
        )
    total = read.plain(contents.order_count, report, text=text or "")
    if total == 0:
        st.info(
            "No order matches the search." if text else "There were no orders to bill in this period: the report is 0.",
            icon=":material/info:",
        )
        return
    skipped = tables.pager(total, key="report_orders_page", noun="order", of=report.id, sorts_whole=True)
    rows = read.plain(
        contents.orders, report, text=text or "", order_by=order_by, limit=tables.PAGE_SIZE, offset=skipped
    )
    tables.show(
        rows,
        columns,
        key=f"report_orders_{skipped}",
        alt="Orders of this report",
        opens=_choose_order,
        order_key="report_orders_sort",
    )
    st.caption("Click an order to see each of its charges and how it came about.")
    chosen = st.session_state.pop("report_order", None)
    if chosen is not None:
        charges_of(report, chosen)


def _choose_order(row: OrderRow) -> None:
    st.session_state["report_order"] = row.order_id


@st.dialog("How this order was billed", width="large", icon=":material/receipt_long:")
def charges_of(report: Report, order_id: int) -> None:
    """Each charge of one order with its explanation, and their sum."""
    read = Reader(signed_in())
    order = read.plain(contents.order, report, order_id)
    charges = read.plain(contents.charges, report, [order_id])
    st.markdown(
        f"**Order {md(order.order_number)}** of {md(formats.day(order.order_date))}"
        + (f", reference {md(order.reference_number)}" if order.reference_number else "")
        + (f", to {md(order.ship_to_name)}" if order.ship_to_name else "")
    )
    if not charges:
        st.info("No service applied to this order; it cost nothing.", icon=":material/info:")
        return
    tables.show(
        charges,
        [
            tables.text("Service", "service_name"),
            tables.computed("Cost type", lambda row: formats.sentence(cost_type_words(row.cost_type))),
            tables.quantity("Quantity", "quantity"),
            tables.quantity("Unit price", "unit_price"),
            tables.money(f"Amount, {report.currency}", "amount_minor", currency=lambda _: report.currency),
            tables.text("How it came about", "explanation", width="large"),
        ],
        key="order_charges",
        alt="Charges of this order",
    )
    together = sum(charge.amount_minor for charge in charges)
    st.caption(
        f"Sum {formats.money(together, report.currency)} "
        + ("= the order's total ✓" if together == order.total_minor else "differs from the order's total")
    )


def _questions(read: Reader, report: Report) -> None:
    if report.question_count == 0:
        st.success("Every order of this period was billed in full.", icon=":material/check_circle:")
        return
    st.markdown("These orders were **not billed in full**. Settle the reason, then generate the report again.")
    kinds = read.plain(contents.question_totals, report)
    kind = st.pills(
        "Reason",
        list(kinds),
        format_func=lambda one: f"{question_words(one)} ({formats.count(kinds[one])})",
        key="report_question_kind",
        label_visibility="collapsed",
    )
    count = kinds[kind] if kind else report.question_count
    skipped = tables.pager(count, key="report_questions_page", noun="question", of=(report.id, kind))
    rows = read.plain(contents.questions, report, kind=kind, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        [
            tables.text("Order", "order_number"),
            tables.computed("Why", lambda row: question_words(row.kind)),
            tables.text("Service", "service_name"),
            tables.text("SKU", "sku"),
        ],
        key="report_questions",
        alt="Questions of this report",
    )


def _average(report: Report) -> Money | None:
    if report.order_count == 0:
        return None
    return Money.rounded(report.total.amount / report.order_count, report.currency)


def _go_to(report_id: int) -> None:
    st.query_params["report"] = str(report_id)
