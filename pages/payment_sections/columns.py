"""How tables show payments and refunds: the same on their own page and on a customer's."""

from billing_core.payments.chargeback_queries import ChargebackRow
from billing_core.payments.models import ChargebackSource, RefundSource
from billing_core.payments.queries import PaymentRow, RefundRow
from pages.ui import formats, opened, tables

STANDS, UNDONE = "Received", "Undone"


def payments(*, with_customer: bool = True) -> list[tables.Column]:
    customer = [tables.text("Customer", "customer_name", order="customer", width=135)] if with_customer else []
    return [
        tables.day("Received", "received_on", order="received_on"),
        *customer,
        tables.words("Method", "method"),
        # In a narrow window the amounts come before what can be scrolled to.
        tables.money("Amount", "amount_minor", order="amount"),
        tables.computed("Fee", _fee, right=True, help="What the bank or the payment service kept, where it is known"),
        tables.money("Kept as credit", "kept_minor", help="What paid no invoice when it came, or was taken off one"),
        tables.currency_of(),
        tables.badge("State", state_of, {STANDS: "green", UNDONE: "gray"}),
        tables.text("Reference", "reference"),
    ]


def refunds(*, with_customer: bool = True) -> list[tables.Column]:
    customer = [tables.text("Customer", "customer_name")] if with_customer else []
    return [
        tables.day("Paid back", "refunded_on"),
        *customer,
        tables.computed("Of", _of),
        tables.computed("Method", _method),
        tables.money("Amount", "amount_minor"),
        tables.currency_of(),
        tables.text("Reference", "reference"),
        tables.text("Reason", "reason"),
        tables.text("By", "created_by"),
    ]


def chargebacks() -> list[tables.Column]:
    return [
        tables.day("Taken back", "taken_on"),
        tables.computed("From", _taken_from),
        tables.money("Amount", "amount_minor"),
        tables.currency_of(),
        tables.computed("Booked as", _booked_as),
        tables.day("Returned", "returned_on"),
        tables.text("By", "created_by"),
    ]


def _taken_from(row: ChargebackRow) -> str:
    if row.source is ChargebackSource.INVOICE:
        return f"Invoice {row.invoice_number or row.invoice_id}"
    return "Credit" if row.source is ChargebackSource.CREDIT else "Nothing that was left"


def _booked_as(row: ChargebackRow) -> str:
    if row.source is ChargebackSource.CREDIT:
        return "Less credit"
    return "Loss" if row.written_off or row.source is ChargebackSource.LOSS else "Due again"


def _fee(row: PaymentRow) -> str:
    return formats.amount(row.fee_minor, row.currency) if row.fee_minor else formats.NOTHING


def state_of(row: PaymentRow) -> str:
    return UNDONE if row.undone_at else STANDS


def open_payment(row: PaymentRow) -> None:
    opened.go_to_payment(row.id)


def open_refunded_invoice(row: RefundRow) -> None:
    """The invoice that was taken back, if it was one."""
    if row.invoice_id is not None:
        opened.go_to_invoice(row.invoice_id)


def open_refunded(row: RefundRow) -> None:
    """The invoice that was taken back; a customer whose credit was paid out."""
    open_refunded_invoice(row)
    opened.go_to_customer(row.customer_id, "Payments")


def _of(row: RefundRow) -> str:
    return "Customer credit" if row.source is RefundSource.CREDIT else f"Invoice {row.invoice_number}"


def _method(row: RefundRow) -> str:
    return formats.words(row.method) if row.method else "Kept as credit"
