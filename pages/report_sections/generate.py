"""Generating reports: choose, see a preview, then make them in the background."""

from dataclasses import dataclass

import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.bill_runs import planning
from billing_core.customers import queries as customers
from billing_core.dates import Period, utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.jobs import bill_run
from billing_core.rating.models import Service
from billing_core.reports import service
from billing_core.reports.service import Preview
from pages.report_sections import preview, progress
from pages.ui import formats
from pages.ui.context import transaction
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader
from pages.ui.text import md

MOST_PREVIEWED = 300


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be billed; no customers and no services mean all of them."""

    customer_ids: tuple[int, ...]
    period: Period
    service_ids: tuple[int, ...]


def draw(read: Reader, actor: Actor) -> None:
    if not actor.may(Permission.REPORT_GENERATE):
        st.info("Managers and administrators generate reports. You can read all of them.", icon=":material/lock:")
        progress.recent_runs(read)
        return
    if run := st.query_params.get("run", ""):
        progress.draw(actor, run)
        return
    if not read(customers.count):
        st.info("There is nobody to bill yet. Import customers and their orders first.", icon=":material/groups:")
        return
    order = _chosen(read)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Preview", icon=":material/visibility:", key="preview"):
            st.session_state["previewed"] = (order, _previewed(read, actor, order))
        last_preview = st.session_state.get("previewed")
        seen = last_preview[1] if last_preview and last_preview[0] == order else None
        start = st.button(
            "Generate reports",
            icon=":material/play_circle:",
            type="primary",
            key="generate",
            disabled=seen is None,
            help="Look at the preview first." if seen is None else None,
        )
    if start:
        _begin(actor, order)
    if seen is None:
        st.caption(
            f"The preview of {md(formats.period(order.period))} shows totals, questions, orders billed twice and what "
            "changes. It stores nothing."
        )
    else:
        preview.draw(seen)
    progress.recent_runs(read)


def _chosen(read: Reader) -> Order:
    services = filters.distinct(read.plain(_services))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        period = filters.period(read.today, key="run_period", label="Period to bill")
        names = customer_names.offered(read, key="run_customers")
        with st.container(width=380):
            chosen = filters.several("Customers", names, key="run_customers", placeholder="All customers with orders")
        with st.container(width=320):
            limited = filters.several("Services", services, key="run_services", placeholder="All services")
    return Order(chosen, period, limited)


def _previewed(read: Reader, actor: Actor, order: Order) -> list[Preview]:
    """What each customer's report would be. Everything is rolled back."""
    total = len(order.customer_ids) or read(customers.count)
    every = () if order.customer_ids else read(customers.names, limit=MOST_PREVIEWED)
    ids = order.customer_ids[:MOST_PREVIEWED] or tuple(identity for identity, _, _ in every)
    if total > len(ids):
        st.info(
            f"The preview shows the first {formats.count(len(ids))} of {formats.count(total)} customers. All of them "
            "are billed.",
            icon=":material/info:",
        )
    bar = st.progress(0.0, "Computing the preview")
    seen = []
    for done, customer_id in enumerate(ids, start=1):
        try:
            with runtime.sessions().begin() as session:
                one = service.preview(
                    session,
                    actor,
                    customer_id=customer_id,
                    period=order.period,
                    service_ids=order.service_ids,
                    now=utc_now(),
                )
        except BillingError as error:
            st.error(f"{md(read(customers.name_of, customer_id))}: {md(error)}", icon=":material/error:")
            continue
        if order.customer_ids or one.report.order_count or one.current:
            seen.append(one)
        bar.progress(
            done / len(ids), f"Computing the preview: {formats.count(done)} of {formats.count(len(ids))} customers"
        )
    bar.empty()
    return seen


def _begin(actor: Actor, order: Order) -> None:
    with transaction() as session:
        run_id = planning.plan(
            session,
            actor,
            customer_ids=order.customer_ids or None,
            period=order.period,
            service_ids=order.service_ids,
            now=utc_now(),
        )
    bill_run.begin(run_id)
    st.session_state.pop("previewed", None)
    st.query_params["run"] = str(run_id)
    st.rerun()


def _services(session: Session) -> list[tuple[int, str]]:
    statement = select(Service.id, Service.name).order_by(Service.name, Service.id)
    return [(identity, name) for identity, name in session.execute(statement)]
