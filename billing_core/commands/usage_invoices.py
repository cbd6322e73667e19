"""``usage invoice``: the invoices of customers' usage in a period, a transaction for each customer."""

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import Day, Period, utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.legal_content import of_invoices
from billing_core.invoices.legal_content.laws import Particular
from billing_core.invoices.legal_content.wording import in_words
from billing_core.invoices.models import InvoiceState
from billing_core.mailing import service as mailing
from billing_core.money import Money
from billing_core.payments import sending
from billing_core.settings import settings
from billing_core.usage import billing, document
from billing_core.usage.billed import lines
from billing_core.usage.billing import Billed


def invoice(arguments: Namespace) -> Answer:
    period, sessions = Period(arguments.start, arguments.end), runtime.sessions()
    with sessions() as session:
        if arguments.customer:
            chosen = [customers.id_of(session, SYSTEM, one) for one in arguments.customer]
        else:
            chosen = billing.customers_to_bill(session, SYSTEM, period)
    made, failed = [], []
    for customer_id in dict.fromkeys(chosen):
        now = utc_now()
        try:
            with sessions.begin() as session:
                today = businesses.days(session, now=now)
                made.append(_made(session, arguments, customer_id, period, now=now, today=today))
        except BillingError as refusal:
            with sessions() as session:
                failed.append(_failed(session, customer_id, refusal))
    data: dict[str, Any] = {"from": f"{period.start}", "to": f"{period.end}", "made": made, "failed": failed}
    if not period.is_one_month:
        data["warning"] = (
            f"{period} is not one month. What a plan agrees on for a period counts in full for these "
            f"{period.days} days: included units, the ends of tiers, flat fees and minimums"
        )
    if arguments.json:
        return Answer(data, document.as_json(data), refused=bool(failed), text_is_json=True)
    return Answer(data, "\n".join(_told(data)), refused=bool(failed))


def _made(
    session: Session, arguments: Namespace, customer_id: int, period: Period, *, now: datetime, today: Day
) -> dict[str, Any]:
    rate: Decimal = arguments.tax_rate
    billed = billing.bill(session, SYSTEM, customer_id, period, now=now, today=today, tax_rate=rate)
    reasons = [_sent(session, one, now=now, today=today) for one in billed.invoice_ids] if arguments.send else []
    not_mailed = next(filter(None, reasons), "")
    return _shown(session, billed) | ({"not_mailed": not_mailed} if not_mailed else {})


def _sent(session: Session, invoice_id: int, *, now: datetime, today: Day) -> str:
    """Send the draft, by mail where that can be done; otherwise why it is not mailed. One that left before is left."""
    if queries.one(session, SYSTEM, invoice_id).state is not InvoiceState.DRAFT:
        return ""
    (planned,) = mailing.rehearse(session, SYSTEM, [invoice_id], today=today)
    if planned.reason:
        sending.send(session, SYSTEM, invoice_id, now=now)
        return planned.reason
    mailing.send_many(session, SYSTEM, [invoice_id], now=now, today=today)
    return "" if settings().sends_mails else "no mail server is set up, so that its mail is kept in the outbox"


def _shown(session: Session, billed: Billed) -> dict[str, Any]:
    customer = customers.one(session, SYSTEM, billed.customer_id)
    facts: dict[str, Any] = {"customer": customer.ref, "name": customer.name, "created": billed.created}
    if not billed.invoice_ids:
        assert billed.period_id is not None  # noqa: S101  # refusals are raised
        explained = lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]
        rows = [{"description": line.words("en"), "amount": line.amount.amount} for line in explained]
        return facts | {"invoice_id": None, "invoice": None, "total": 0, "currency": customer.currency, "lines": rows}
    first, *others = (_invoice(session, one) for one in billed.invoice_ids)
    return facts | first | ({"late_usage": others} if others else {})


def _invoice(session: Session, invoice_id: int) -> dict[str, Any]:
    made = queries.one(session, SYSTEM, invoice_id)
    rows = [
        {"description": line.description, "amount": Money(line.amount_minor, made.currency).amount}
        for line in queries.lines(session, made.id)
    ]
    lacks = of_invoices.sent_without(session, made.id) if made.sent_at else []
    return {
        "invoice_id": made.id,
        "invoice": made.number,
        "status": made.state.value,
        "total": made.total.amount,
        "currency": made.currency,
        "lines": rows,
    } | ({"lacks": list(lacks)} if lacks else {})


def _failed(session: Session, customer_id: int, refusal: BillingError) -> dict[str, Any]:
    customer = customers.one(session, SYSTEM, customer_id)
    return {"customer": customer.ref, "name": customer.name, "reason": str(refusal)}


def _told(data: dict[str, Any]) -> Iterator[str]:
    if "warning" in data:
        yield f"Note: {data['warning']}."
    for one in data["made"]:
        named = "nothing to bill"
        if one["invoice_id"] is not None:
            named = " and ".join(map(_named, [one, *one.get("late_usage", [])]))
        before = "" if one["created"] else ", made before"
        mailed = f", not mailed: {one['not_mailed']}" if "not_mailed" in one else ""
        yield f"{one['customer']} ({one['name']}): {named}{before}{mailed}"
        for invoice in (one, *one.get("late_usage", [])):
            if "lacks" in invoice:
                yield f"  sent without {in_words(map(Particular, invoice['lacks']))}"
        for line in one["lines"]:
            yield f"  {line['description']}: {line['amount']:,} {one['currency']}"
    for one in data["failed"]:
        yield f"{one['customer']} ({one['name']}): failed. {one['reason']}"
    yield f"{len(data['made'])} customers billed, {len(data['failed'])} failed"


def _named(invoice: dict[str, Any]) -> str:
    name = f"invoice {invoice['invoice']}" if invoice["invoice"] else f"draft no. {invoice['invoice_id']}"
    return f"{name} of {invoice['total']:,} {invoice['currency']}"
