"""Starting a bill run: what to bill and how far to take it. The address names the run that is open."""

import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import RunSource
from billing_core.customers import queries as customers
from billing_core.database.ordering import natural
from billing_core.identity import Actor, Permission
from billing_core.orders import queries as orders
from billing_core.rating.models import Service
from pages.bill_run_sections import recent, run, starting
from pages.bill_run_sections.starting import Chosen
from pages.ui import address
from pages.ui.inputs import customer_names, filters, months
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor) -> None:
    if named := address.one("run", "run"):
        run.draw(read, actor, named)
        return
    if not actor.may(Permission.REPORT_GENERATE):
        st.info("Managers and administrators generate reports. You can read all of them.", icon=":material/lock:")
    elif not read(customers.count):
        st.info("There is nobody to bill yet. Import customers and their orders first.", icon=":material/groups:")
        return
    else:
        chosen = _chosen(read)
        starting.draw(read, actor, chosen, goals=starting.possible(actor, RunSource.ORDERS), key="run")
    recent.draw(read, RunSource.ORDERS)


def _chosen(read: Reader) -> Chosen:
    services = filters.distinct(read.plain(_services))
    ordered = read(orders.newest_months, until=read.today, limit=months.OFFERED)
    place = st.container()
    with filters.row():
        newest = months.proposed(ordered, read.today)
        period = filters.period(read.today, key="run_period", label="Period to bill", newest=newest)
        names = customer_names.offered(read, key="run_customers", active_only=True)
        with st.container(width=380):
            ids = filters.several("Customers", names, key="run_customers", placeholder="All customers with orders")
        with st.container(width=320):
            limited = filters.several("Services", services, key="run_services", placeholder="All services")
    # Drawn behind the filter whose days they show, and above it.
    with place:
        months.offer_period(ordered, period, key="run_period")
    return Chosen(ids or None, period, limited)


def _services(session: Session) -> list[tuple[int, str]]:
    statement = select(Service.id, Service.name).order_by(natural(Service.name), Service.id)
    return [(identity, name) for identity, name in session.execute(statement)]
