"""The charges of many reports as one CSV."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from billing_core.money import QUANTITY_PLACES, decimal_places
from billing_core.reports.exports.explained import UNIT_PRICE_PLACES
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.rows import scaled, trimmed
from billing_core.reports.exports.together import charges
from billing_core.reports.exports.together.selection import Selection

COLUMNS = (
    "order_number",
    "reference_number",
    "order_date",
    "customer_ref",
    "customer_name",
    "service_name",
    "cost_type",
    "quantity",
    "unit_price",
    "tier",
    "bound",
    "condition",
    "currency",
    "amount",
    "report_id",
)


def charges_as_csv(session: Session, selection: Selection, *, for_excel: bool = False) -> Download:
    """One row for each charge, or each tier of it, as in the workbook."""
    rows = map(_row, charges.rows(session, selection))
    name = selection.file_name.replace("reports", "charges")
    return csv_list(f"{name}.csv", COLUMNS, rows, for_excel=for_excel)


def _row(row: charges.Charged) -> Sequence[Any]:
    return (
        *(row.order_number, row.reference_number, row.order_date, row.customer_ref, row.customer_name),
        *(row.service_name, row.cost_type.value),
        *(_number(trimmed(row.quantity, QUANTITY_PLACES)), _number(trimmed(row.unit_price, UNIT_PRICE_PLACES))),
        *(row.tier, row.bound, row.matched),
        *(row.currency, _number(scaled(row.minor, decimal_places(row.currency))), row.report_id),
    )


def _number(written: str) -> str | Decimal:
    """No text where it begins with a minus: that would be escaped, and not usable in formulas."""
    return Decimal(written) if written.startswith("-") else written
