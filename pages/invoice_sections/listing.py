"""The invoices that match, paged and summed in SQL, and their files."""

from dataclasses import asdict
from zlib import crc32

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.lists.credited import CreditNoteFilter
from billing_core.invoices.queries import InvoiceFilter
from pages.invoice_sections import bulk, filtering
from pages.invoice_sections.columns import columns, open_invoice
from pages.invoice_sections.filtering import PAGE_KEY, SORT_KEY, Shown
from pages.ui import export_menu, formats, mail_words, tables
from pages.ui.export_menu import Export
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor) -> None:
    today = read.days
    table = columns(today)
    shown = filtering.draw(read, actor, table)
    if shown.count == 0:
        _nothing(read, actor, shown)
        return
    _sums(shown)
    skipped = tables.pager(shown.count, key=PAGE_KEY, noun="invoice", sorts_whole=True)
    rows = read(queries.page, shown.invoice_filter, today=today, limit=tables.PAGE_SIZE, offset=skipped)
    bar = st.container()
    chosen = tables.show(
        rows,
        columns(today, mails=mail_words.of_invoices(actor, [row.id for row in rows])),
        # Of these rows alone: ticks must not move to others when the filters or the page change.
        key=f"invoices_{crc32(repr([row.id for row in rows]).encode())}",
        alt="Invoices",
        opens=open_invoice,
        order_key=SORT_KEY,
        choose=bulk.possible(actor),
    )
    with bar:
        bulk.draw(read, actor, shown.invoice_filter, chosen, shown.count)
    st.caption("Click a row to open the invoice, a column's heading to sort by it.")
    if actor.may(Permission.EXPORT):
        _files(shown.invoice_filter)


def _sums(shown: Shown) -> None:
    if shown.sums is None:
        st.caption("Narrow the filters to see what these invoices come to.")
        return
    parts = []
    for one in shown.sums:
        due = f", {formats.money(one.due_minor, one.currency)} of it due" if one.due_minor else ""
        parts.append(formats.money(one.total_minor, one.currency) + due)
    st.caption("In total " + " · ".join(parts))


def _files(invoice_filter: InvoiceFilter) -> None:
    facts = asdict(invoice_filter)
    of_notes = {name: facts[name] for name in CreditNoteFilter.__dataclass_fields__}
    export_menu.draw(
        [
            Export("List", "A row an invoice, with what became of its total.", "invoices", facts),
            Export("Lines", "A row a line, with its part of the invoice’s discount and tax.", "invoice-lines", facts),
            Export("Tax by rate", "A row for each invoice and rate.", "invoice-taxes", facts, endings=("csv",)),
            Export(
                "Credit notes",
                "A row for each note and rate. Of the filters those of customer, business, currency, words and days of "
                "issue hold, for the notes’ own days.",
                "credit-notes",
                of_notes,
            ),
        ]
    )


def _nothing(read: Reader, actor: Actor, shown: Shown) -> None:
    if shown.filtered:
        st.info(
            "No invoice matches these filters. Clear the search, widen the days under “More”, or choose the tab “All”.",
            icon=":material/filter_alt_off:",
        )
    elif read(queries.count, InvoiceFilter(), today=read.days, at_most=1):
        st.info(_EMPTY_TABS[shown.tab], icon=":material/inbox:")
    elif actor.may(Permission.INVOICE_WRITE):
        st.info(
            "There are no invoices yet. Create one with “New invoice”, or open a report and choose “Invoice this "
            "report”; in the list of reports you can invoice several at once.",
            icon=":material/request_quote:",
        )
    else:
        st.info("There are no invoices yet. An administrator creates them.", icon=":material/hourglass_empty:")


_EMPTY_TABS = {
    "draft": "No draft waits to be sent.",
    "open": "Nobody owes anything: every invoice that was sent is paid or cancelled.",
    "overdue": "Nothing is late.",
    "paid": "No invoice is paid yet. Record payments on the invoice, or mark several as paid on the tab “Open”.",
    "cancelled": "No invoice was cancelled.",
}
