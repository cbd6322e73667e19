"""What an invoice comes to: the totals as on the PDF, and the strip that proves them."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from billing_core.invoices.content.content import Content
from billing_core.invoices.content.totals import Totals
from pages.ui import formats
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class Sum:
    label: str
    minor: int
    strong: bool = False


def table(totals: Totals, content: Content, more: Sequence[Sum] = ()) -> None:
    """From the lines to the total, one row a tax rate; ``more`` rows below it."""
    currency = totals.currency
    rows = []
    if totals.discount_minor or totals.remainder_minor or totals.prices_include_tax:
        rows.append(Sum("Lines with tax" if totals.prices_include_tax else "Lines", sum(totals.lines)))
    if totals.discount_minor:
        share = f" {formats.decimal(content.discount_percent)} %" if content.discount_percent else ""
        rows.append(Sum(f"Discount{share}", -totals.discount_minor))
    if totals.remainder_minor:
        rows.append(Sum("Rounding", totals.remainder_minor))
    rows.append(Sum("Net", totals.subtotal_minor))
    for row in totals.by_rate:
        on = f"Tax {formats.decimal(row.rate)} % on {formats.amount(row.net_minor, currency)}"
        rows.append(Sum(on, row.tax_minor))
    rows += [Sum("Total", totals.total_minor, strong=True), *more]
    shown = [_row(one, currency) for one in rows]
    st.markdown("\n".join([f"| | {currency} |", "| :--- | ---: |", *shown]), width="content")


def _row(one: Sum, currency: str) -> str:
    mark = "**" if one.strong else ""
    return f"| {mark}{md(one.label)}{mark} | {mark}{md(formats.amount(one.minor, currency))}{mark} |"


def strip(
    totals: Totals,
    *,
    stored_minor: int | None,
    pdf_minor: int | None,
    owed_minor: int | None = None,
    link_minor: int | None = None,
) -> None:
    """Say whether lines, tax rows, total, PDF, ledger and payment link agree: each computed from its own source.

    ``stored_minor``: the stored invoice's; ``pdf_minor``: what the PDF says; ``owed_minor``: what the ledger has
    posted as owed; ``link_minor``: what the payment link asks for, where all of the invoice is due.
    """
    currency = totals.currency
    net = sum(totals.lines) - totals.discount_minor + totals.remainder_minor
    from_rows = sum(row.net_minor + row.tax_minor for row in totals.by_rate)
    figures = [
        ("Lines with tax", net) if totals.prices_include_tax else ("Lines + tax", net + totals.tax_minor),
        ("tax rows", from_rows),
        ("total", totals.total_minor),
        *([("stored", stored_minor)] if stored_minor is not None else []),
        *([("PDF", pdf_minor)] if pdf_minor is not None else []),
        *([("ledger", owed_minor)] if owed_minor is not None else []),
        *([("payment link", link_minor)] if link_minor is not None else []),
    ]
    agree = len({minor for _, minor in figures}) == 1
    if agree:
        names = " = ".join(name for name, _ in figures)
        st.success(f"{names} = {formats.money(totals.total_minor, currency)} ✓", icon=":material/balance:")
        return
    differing = ", ".join(f"{name} {formats.money(minor, currency)}" for name, minor in figures)
    st.error(f"These should be one amount: {differing}. Reload the page; if it stays, tell an administrator.")
