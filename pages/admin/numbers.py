"""Number series: every number that was drawn, and the proof that none is missing."""

import streamlit as st

from billing_core.businesses import queries as businesses
from billing_core.businesses.number_series import SeriesKind
from billing_core.identity import Permission
from billing_core.invoices import number_proof
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.number_proof import NumberedDocument
from billing_core.invoices.numbering import Series
from pages.ui import address, context, formats, opened, tables
from pages.ui.colors import Color
from pages.ui.reads import Reader
from pages.ui.text import md

actor = context.require(Permission.AUDIT_READ)
read = Reader(actor)
KINDS = {SeriesKind.INVOICE: "Invoices", SeriesKind.CREDIT_NOTE: "Credit notes"}
STATES: dict[InvoiceState, tuple[str, Color]] = {
    InvoiceState.DRAFT: ("Numbered drafts", "gray"),
    InvoiceState.OPEN: ("Open", "blue"),
    InvoiceState.PAID: ("Paid", "green"),
    InvoiceState.CANCELLED: ("Cancelled", "red"),
}


def named(one: Series) -> str:
    return f"{one.business_id}:{one.kind.value}:{one.series}"


def open_row(row: Series) -> None:
    st.query_params["series"] = named(row)
    st.query_params.pop("numbers_page", None)


def proof(one: Series) -> str:
    return "Whole" if one.whole else "Has holes"


def state_of(row: NumberedDocument) -> str:
    return STATES[row.state][0] if row.state else ""


st.title("Number series", anchor=False)
st.caption(
    "A number is drawn when an invoice is first sent, in the same step that stores it, so that none is lost. "
    "A cancelled invoice keeps its number and its document: it is counted like any other."
)

with context.reading() as session:
    names = {business.id: business.name for business in businesses.every(session)}
all_series = read(number_proof.series)
if not all_series:
    st.info("No number has been drawn yet. The first invoice that is sent begins a series.", icon=":material/tag:")
    st.stop()

broken = [one for one in all_series if not one.whole]
if broken:
    st.error(
        f"Numbers are missing in {formats.count(len(broken))} of {formats.count(len(all_series))} series. "
        "Open one to see which.",
        icon=":material/error:",
    )
else:
    total = sum(one.used for one in all_series)
    st.success(
        f"No number is missing: {formats.counted(total, 'document')} have the {formats.count(total)} numbers that were "
        f"drawn, in {formats.count(len(all_series))} series.",
        icon=":material/verified:",
    )

tables.show(
    all_series,
    [
        *([tables.computed("Business", lambda one: names[one.business_id])] if len(names) > 1 else []),
        tables.computed("Documents", lambda one: KINDS[one.kind]),
        tables.text("Series", "series"),
        tables.badge("Proof", proof, {"Whole": "green", "Has holes": "red"}),
        tables.text("First number", "first_number"),
        tables.text("Last number", "last_number"),
        tables.count("Last place", "last", help="The last place that was drawn"),
        tables.count("Count", "used", help="Documents at the places from 1 to the last. Equal: none is missing."),
        tables.count("Ahead", "ahead", help="Numbers that somebody chose before the count has reached them"),
    ],
    key="series",
    alt="Number series with their proofs",
    opens=open_row,
)
st.caption("Click a series to see its documents.")

asked = address.one("series", "series")
if not asked:
    st.stop()
chosen: Series = next((one for one in all_series if named(one) == asked), None) or address.missing("series", "series")

opened.heading(
    md(f"{KINDS[chosen.kind]} {chosen.first_number or chosen.series}, {names[chosen.business_id]}"), "series"
)

if missing := read(number_proof.holes, chosen):
    st.markdown(f":red[:material/error: **Missing:** {md(', '.join(missing))}]")
elif chosen.last:
    st.caption(
        f"From {md(chosen.first_number)} to {md(chosen.last_number)} there are {formats.count(chosen.last)} numbers "
        f"and {formats.counted(chosen.used, 'document')}, one for each number. None is missing."
    )
if chosen.kind is SeriesKind.INVOICE:
    with st.container(horizontal=True):
        for state, count in sorted(
            read(number_proof.states, chosen).items(), key=lambda one: list(STATES).index(one[0])
        ):
            label, color = STATES[state]
            st.badge(f"{label}: {formats.count(count)}", color=color)

skipped = tables.pager(
    chosen.used + chosen.ahead, key="numbers_page", noun="document", of=(chosen.business_id, chosen.kind, chosen.series)
)
tables.show(
    read(number_proof.documents, chosen, limit=tables.PAGE_SIZE, offset=skipped),
    [
        tables.count("Place", "sequence"),
        tables.text("Number", "number"),
        *([tables.badge("State", state_of, dict(STATES.values()))] if chosen.kind is SeriesKind.INVOICE else []),
        tables.text("Customer", "customer_name"),
        tables.day("Issued", "issued_on"),
        tables.money("Total", "total_minor"),
        tables.currency_of(),
    ],
    key="numbers",
    alt="The documents of the series in the order of their numbers",
    opens=lambda row: opened.go_to_invoice(row.invoice_id),
)
