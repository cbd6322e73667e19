"""One organization's month: its calls against the allowance, what they cost, and who and what is behind them."""

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.metering import queries as metering
from billing_core.metering.models import ZoneKind
from billing_core.usage import activity, figures, organizations, overview
from billing_core.usage.overview import Allowance, Month
from pages.ui import formats, opened
from pages.ui.figures import cards
from pages.ui.inputs import filters, parts, usage_months
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import alerts, behind, bills, charges, events, invoice, late, trend, wording

MONTH, BEHIND, EVENTS = "Month", "Users and endpoints", "Events"
INVOICES, LATE, ALERTS = "Invoices", "Late", "Alerts"


def draw(read: Reader, actor: Actor, customer_id: int) -> None:
    opened.back("All organizations", "organization")
    customer = read(customers.one, customer_id)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(md(customer.name), anchor=False, width="content")
        actions = st.container(horizontal=True, width="content")
    facts = st.empty()
    with filters.row():
        period = usage_months.choose(read, page_key="usage_page")
    with actions:
        if st.button("Customer", icon=":material/groups:", key="to_customer"):
            opened.go_to_customer(customer.id, "Overview")
        invoice.button(actor, customer, period)
    organization = read(organizations.of_customer, customer_id, day=period.end)
    month = read(overview.one, organization, period, today=read.today)
    zone = read.plain(activity.billing_zone, customer_id)
    facts.markdown(f"{md(customer.ref)} · {md(wording.plan(month))} · days of {md(zone)}")
    _exceptions(month)
    _cards(read, month)
    _utc(read, customer, month, zone)
    names = [MONTH, BEHIND, EVENTS, *([INVOICES] if actor.may(Permission.INVOICE_READ) else []), LATE, ALERTS]
    tabs = parts.tabs(names, key="usage_tab")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == MONTH:
                trend.draw(read, month)
                charges.draw(month)
            elif name == BEHIND:
                behind.draw(read, month)
            elif name == EVENTS:
                events.draw(customer_id, period)
            elif name == INVOICES:
                bills.draw(read, customer_id)
            elif name == LATE:
                late.draw(read, actor, customer_id)
            else:
                alerts.draw(read, actor, customer_id)


def _exceptions(month: Month) -> None:
    for charge in month.questions:
        used = f"{md(formats.decimal(charge.quantity))} of {md(wording.meter(charge.meter))}"
        why = "on days on no plan" if charge.segment.version is None else "without a price in its plan"
        st.warning(
            f"{used} {why}, {md(formats.period(charge.segment.days))}: nobody has agreed on a price, so this cannot be "
            "billed.",
            icon=":material/help:",
        )
    if month.exceeds is Allowance.WILL_EXCEED:
        st.info(
            f"As it looks, the allowance is used up on {formats.day(month.exceeded_on)}.", icon=":material/trending_up:"
        )


def _cards(read: Reader, month: Month) -> None:
    scope = Scope(month.period, customer_id=month.organization.customer_id)
    used = read(metering.daily, month.organization.customer_id, month.period, zone_kind=ZoneKind.BILLING)
    seconds = activity.mean_seconds(used)

    def cost() -> None:
        expected = month.expected_cost
        st.metric(
            "Cost" if month.is_over else "Cost so far",
            wording.money(month.cost),
            None if expected is None else f"{wording.money(expected)} by the month's end",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )

    def coming() -> None:
        st.metric(
            "Forecast",
            wording.forecast(month),
            wording.forecast_range(month),
            delta_color="off",
            delta_arrow="off",
            help=wording.METHOD,
            border=True,
            height="stretch",
        )

    def speed() -> None:
        st.metric("Mean response time", wording.seconds(seconds), border=True, height="stretch")

    calls = cards.Card(figures.CALLS, scope)
    cards.draw(
        [calls], cards.values(read, [calls]), key="usage", more=[cost, *([coming] if month.forecast else []), speed]
    )


def _utc(read: Reader, customer: Customer, month: Month, zone: str) -> None:
    """Where its days are not those of the analytics API, whose documents then tell other numbers."""
    if zone in ("UTC", "Etc/UTC"):
        return
    days = read(metering.daily, customer.id, month.period)
    calls = sum(day.calls for day in days)
    differing = calls - month.calls
    told = (
        "the same"
        if not differing
        else f"{formats.counted(abs(differing), 'call')} {'more' if differing > 0 else 'fewer'}"
    )
    st.caption(
        f"Counted in the days of {md(zone)}, as invoices are. The analytics API counts the days of UTC: "
        f"{formats.count(calls)} in this month, {told}."
    )
