"""What a report's services were charged at: each price and tier with its quantity and amount."""

import streamlit as st

from billing_core.reports import prices
from billing_core.reports.prices import PriceRow
from billing_core.reports.queries import Report
from billing_core.reports.wording import cost_type_words
from pages.ui import formats, tables
from pages.ui.reads import Reader

_INSTEAD = {
    "minimum": "Minimum",
    "maximum": "Maximum",
    "rounding": "Rounding",
}


def draw(read: Reader, report: Report) -> None:
    rows = read.plain(prices.rows, report)
    if not rows:
        st.info("Nothing was charged in this period.", icon=":material/info:")
        return
    skipped = tables.pager(len(rows), key="report_prices_page", noun="price", of=report.id)
    tables.show(
        rows[skipped : skipped + tables.PAGE_SIZE],
        [
            tables.text("Service", "service_name"),
            tables.computed("Cost type", lambda row: formats.sentence(cost_type_words(row.cost_type))),
            tables.computed("Days", lambda row: formats.period(row.days)),
            tables.computed("Tier or limit", _tier_or_limit),
            tables.count("Orders", "order_count"),
            tables.quantity("Quantity", "quantity"),
            tables.quantity("Unit price", "unit_price"),
            tables.money(f"Amount, {report.currency}", "amount_minor", currency=lambda _: report.currency),
        ],
        key=f"report_prices_{skipped}",
        alt="What the services of this report were charged at",
    )
    together = sum(row.amount_minor for row in rows)
    st.caption(
        "In every row quantity × unit price is the amount. Minimum, maximum and rounding are those of each order. "
        f"Sum {formats.money(together, report.currency)} "
        + ("= the report's total ✓" if together == report.total_minor else "differs from the report's total")
    )


def _tier_or_limit(row: PriceRow) -> str:
    if row.instead:
        return _INSTEAD[row.instead]
    return f"Tier {row.tier}" if row.tier else ""
