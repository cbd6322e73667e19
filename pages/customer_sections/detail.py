"""One customer: totals per currency, reports, orders, what changed, and its details."""

from dataclasses import replace

import streamlit as st

from billing_core.audit import queries as audit
from billing_core.audit.queries import AuditFilter
from billing_core.businesses import queries as businesses
from billing_core.customers import queries
from billing_core.customers.models import Customer
from billing_core.dates import Period, day_in
from billing_core.identity import Actor, Permission
from billing_core.languages.available import own_name
from billing_core.recipients import in_a_list
from billing_core.reports import figures, series
from billing_core.reports import queries as reports
from billing_core.reports.queries import Report, ReportFilter
from pages.customer_sections import (
    editing,
    invoices,
    merging,
    money,
    orders,
    payments,
    reminders,
    returned_mails,
    standing,
    statement,
    subscriptions,
)
from pages.report_sections.browse import state_of
from pages.ui import formats, opened, tables
from pages.ui.figures import cards, charts
from pages.ui.figures.cards import Card
from pages.ui.figures.drilldown import Drilldown, open_requested, request_rows
from pages.ui.inputs import parts
from pages.ui.reads import Reader
from pages.ui.text import md

OVERVIEW, INVOICES, REPORTS, ORDERS = "Overview", "Invoices", "Reports", "Orders"
PAYMENTS, STATEMENT, SUBSCRIPTIONS = "Payments", "Statement", "Subscriptions"
ACTIVITY, EDIT = "Activity", "Edit details"


def draw(read: Reader, actor: Actor, customer_id: int) -> None:
    opened.back("All customers", "customer")
    customer = read(queries.one, customer_id)
    _header(read, actor, customer)
    names = [OVERVIEW, REPORTS]
    names += [INVOICES] if actor.may(Permission.INVOICE_READ) else []
    names += [PAYMENTS] if actor.may(Permission.PAYMENT_READ) else []
    names += [STATEMENT] if actor.may(Permission.INVOICE_READ) else []
    names += [SUBSCRIPTIONS] if actor.may(Permission.SUBSCRIPTION_READ) else []
    names.append(ORDERS)
    names += [ACTIVITY] if actor.may(Permission.AUDIT_READ) else []
    names += [EDIT] if actor.may(Permission.CUSTOMER_WRITE) and customer.merged_into_id is None else []
    tabs = parts.tabs(names, key="customer_tab")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == OVERVIEW:
                _overview(read, actor, customer)
            elif name == REPORTS:
                _reports(read, customer)
            elif name == INVOICES:
                invoices.draw(read, actor, customer)
            elif name == PAYMENTS:
                payments.draw(read, actor, customer)
            elif name == STATEMENT:
                statement.draw(read, actor, customer)
            elif name == SUBSCRIPTIONS:
                subscriptions.draw(read, actor, customer)
            elif name == ORDERS:
                orders.draw(customer.id)
            elif name == ACTIVITY:
                _activity(read, customer)
            else:
                editing.draw(actor, customer, read.plain(businesses.one, customer.business_id))
    open_requested()


def _header(read: Reader, actor: Actor, customer: Customer) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(md(customer.name), anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            if customer.merged_into_id is None and st.button(
                "Rate card", icon=":material/price_change:", key="to_rate_card"
            ):
                st.switch_page("rate_cards.py", query_params={"customer": str(customer.id)})
            if customer.merged_into_id is None:
                reminders.button(read, actor, customer)
                standing.button(actor, customer)
                merging.button(actor, customer)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(customer.currency, icon=":material/payments:", color="blue")
        emails = in_a_list((customer.email, customer.further_emails))
        place = ", ".join(part for part in (customer.city, customer.state, customer.country) if part)
        st.markdown(md(" · ".join(part for part in (customer.ref, place, emails) if part)), width="content")
    merging.note(read, customer)
    standing.note(customer)
    returned_mails.note(read, actor, customer)
    reminders.note(read, customer)
    if actor.may(Permission.INVOICE_READ):
        money.draw(read, actor, customer)


def _overview(read: Reader, actor: Actor, customer: Customer) -> None:
    scope = figures.scope(actor, customer_id=customer.id)
    counts = [figures.REPORTS, figures.ORDERS_BILLED, figures.UNBILLED_ORDERS, figures.OPEN_QUESTIONS]
    shown = [
        Card(figures.BILLED, scope, currency=customer.currency),
        Card(figures.AVERAGE_REPORT, scope),
        *(Card(figure, scope) for figure in counts),
    ]
    cards.draw(shown, cards.values(read, shown), key="customer")
    points = read.plain(series.by_month, scope)
    for currency in sorted({point.currency for point in points}):
        st.subheader(f"Billed by month, {currency}", anchor=False)
        of_currency = [point for point in points if point.currency == currency][-24:]
        month = charts.money_by_month(
            [point.month for point in of_currency],
            [point.amount_minor for point in of_currency],
            currency,
            key=f"customer_by_month_{currency}",
            alt=f"Billed to this customer in {currency} by month",
        )
        if month is not None and month < len(of_currency):
            of_month = replace(scope, period=Period.month_of(of_currency[month].month), currency=currency)
            request_rows(Drilldown(figures.BILLED, of_month, of_currency[month].amount_minor, currency))
    details = {
        "Address": ", ".join(part for part in (customer.address, customer.postal_code, customer.city) if part),
        "CC": customer.cc_emails,
        # Not for people of the customer.
        "BCC": customer.bcc_emails if actor.customer_id is None else "",
        "Phone": customer.phone,
        "Tax number": customer.tax_id,
        "Reason for 0 % tax": customer.zero_tax_reason,
        "Written to in": own_name(customer.locale),
        "Customer since": formats.day(day_in(read.company.time_zone, customer.created_at)),
    }
    st.table(
        {name: md(value) for name, value in details.items() if value},
        border="horizontal",
        width="content",
        alt="Details",
    )


def _reports(read: Reader, customer: Customer) -> None:
    every = st.toggle("Include superseded versions", key="customer_reports_all")
    report_filter = ReportFilter(customer_id=customer.id, current_only=not every, order_by="-start_date")
    total = read(reports.count, report_filter)
    if total == 0:
        st.info("This customer has no reports yet.", icon=":material/info:")
        return
    skipped = tables.pager(total, key="customer_reports_page", noun="report", of=report_filter)
    tables.show(
        read(reports.page, report_filter, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.computed("Report", lambda row: f"#{row.id}"),
            tables.computed("Period", lambda row: formats.period(row.period)),
            tables.money("Total", "total_minor"),
            tables.currency_of(),
            tables.count("Orders", "order_count"),
            tables.count("Questions", "question_count"),
            tables.badge("State", state_of, {"Current": "green", "Superseded": "gray"}),
            tables.instant("Created", "created_at", read.company.time_zone),
            tables.text("By", "created_by"),
        ],
        key="customer_reports",
        alt="Reports of this customer",
        opens=_open_report,
    )
    st.caption("Click a report to open it.")


def _activity(read: Reader, customer: Customer) -> None:
    entry_filter = AuditFilter(subject_kind="customer", subject_id=str(customer.id))
    total = read(audit.count, entry_filter)
    if total == 0:
        st.caption("Nobody has changed this customer since it was imported.")
        return
    skipped = tables.pager(total, key="customer_activity_page", noun="change", of=customer.id)
    tables.show(
        read(audit.page, entry_filter, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.instant("When", "at", read.company.time_zone),
            tables.text("Who", "actor_name"),
            tables.computed("What", lambda row: formats.action(row.action)),
            tables.computed("Subject", lambda row: formats.with_days(row.subject_label)),
        ],
        key="customer_activity",
        alt="What changed on this customer",
    )


def _open_report(report: Report) -> None:
    st.switch_page("reports.py", query_params={"report": str(report.id)})
