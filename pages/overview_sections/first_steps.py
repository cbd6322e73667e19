"""What to do next while there is nothing to show."""

from typing import NamedTuple

import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.queries import visible_to
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.legal_content.missing import of_issuer
from billing_core.invoices.models import Invoice
from billing_core.orders.models import Order
from billing_core.rating.models import Rate
from billing_core.reports.models import BillingReport
from pages.ui.inputs import lacking
from pages.ui.reads import Reader
from pages.ui.text import md


class _ThereAre(NamedTuple):
    orders: bool
    rates: bool
    reports: bool
    invoices: bool


def needed(read: Reader) -> bool:
    """No report was ever generated, so every figure of reports is 0."""
    return not read(_there_are).reports


def draw(read: Reader, actor: Actor) -> None:
    there_are = read(_there_are)
    so_far = "No orders have been billed yet" if there_are.invoices else "Nothing has been billed yet"
    st.info(f"{so_far}. These three steps lead to the first report.", icon=":material/flag:")
    steps = [
        (
            "1. Import customers, orders and order lines",
            "Workbooks or CSV files as your system writes them; columns are matched for you.",
            there_are.orders,
            Permission.IMPORT,
            "imports.py",
            "Import files",
            ":material/upload_file:",
        ),
        (
            "2. Set prices",
            "A rate card per customer says which services apply and what they cost.",
            there_are.rates,
            Permission.RATE_WRITE,
            "rate_cards.py",
            "Open rate cards",
            ":material/price_change:",
        ),
        (
            "3. Generate reports",
            "Choose a month: you see a preview first, then the reports are generated.",
            False,
            Permission.REPORT_GENERATE,
            "reports.py",
            "Generate reports",
            ":material/play_circle:",
        ),
    ]
    with st.grid(3, min_column_width=230):
        for title, meaning, done, permission, page, label, icon in steps:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{title}**")
                st.caption(meaning)
                if done:
                    st.badge("Done", icon=":material/check:", color="green")
                elif not actor.may(permission):
                    st.caption("An administrator or a manager does this.")
                elif st.button(label, icon=icon, key=f"step_{page}"):
                    st.switch_page(page, query_params={"tab": "Generate"} if page == "reports.py" else {})
    if actor.may(Permission.BUSINESS_WRITE):
        _our_details(read)


def _our_details(read: Reader) -> None:
    """What invoices will say of us, before there is one."""
    for business in read.plain(businesses.every, active_only=True):
        lacks = [one.words for one in of_issuer(issuers.of_business(business))]
        lacks += [] if business.bank_details.strip() else ["our bank details"]
        if lacks:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"Invoices of {md(business.name)} would lack {md(', '.join(lacks))}.", width="content")
                lacking.to_business(business.id)


def _there_are(session: Session, actor: Actor) -> _ThereAre:
    """What there is that this actor may see. Drafts of invoices bill nothing yet."""
    tables = (Order, Rate, BillingReport)
    there_are = [select(table.id).where(visible_to(actor, table.customer_id)).exists() for table in tables]
    invoice = select(Invoice.id).where(visible_to(actor, Invoice.customer_id), Invoice.number.is_not(None)).exists()
    return _ThereAre(*map(bool, session.execute(select(*there_are, invoice)).one()))
