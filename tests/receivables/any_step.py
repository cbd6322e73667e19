"""A history in which much has happened already, and whatever may happen next.

A step takes what fits it, so that nothing is refused: a refusal is a failure.
"""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from billing_core.businesses import service as businesses
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.payments.models import PaymentMethod
from tests.arrivals import Dealt
from tests.receivables.history import History

# Of a history, which one, how much of what is possible in tenths, days that it reaches back; False where nothing fits.
Step = Callable[[History, int, int, int], bool]


def prepared(session: Session) -> History:
    """Two customers, with invoices of two businesses in each state from which a step starts.

    What is open falls due in five different months.
    """
    history = History(session)
    details = businesses.Details("Second", "Road 2", "", "USD", "UTC")
    second = businesses.create(session, SYSTEM, wanted=details, now=history.now).id
    first, other = history.a_customer("C1"), history.a_customer("C2")
    for days in (0, 60, 120):
        history.send(first, 100_00, terms=days)
    paid, paid_twice, given_up, given_up_in_part = (history.send(first, 50_00) for _ in range(4))
    of_second = [history.send(first, 30_00, terms=30, business_id=second) for _ in range(3)]
    of_other, cancelled = history.send(other, 70_00, terms=90), history.send(other, 10_00)
    history.next_step(1)
    history.pay({paid: 50_00})
    history.pay({paid_twice: 20_00})
    history.pay({paid_twice: 30_00, given_up_in_part: 5_00}, kept=25_00)
    history.pay({of_second[0]: 30_00}, kept=12_00)
    history.pay({of_other: 10_00}, kept=3_00)
    history.next_step(1)
    history.apply_credit(given_up_in_part, 5_00)
    history.write_off(given_up, 50_00)
    history.write_off(given_up_in_part, 15_00)
    history.cancel(cancelled)
    return history


def send(history: History, which: int, tenths: int, back: int) -> bool:
    customer = history.customers[which % 2]
    facts = {"currency": "EUR" if which > 6 else "USD", "business_id": history.invoices[which].business_id}
    history.send(customer, 1_000 * tenths + which, terms=10 * back, issued=back, **facts)
    return True


def pay(history: History, which: int, tenths: int, back: int) -> bool:
    if invoice := _one(_open(history), which):
        part = _part(invoice, tenths)
        history.pay({invoice: part}, days_ago=min(back, (history.day - invoice.issued_on).days), fee=part // 20)
    return invoice is not None


def pay_too_much(history: History, which: int, tenths: int, back: int) -> bool:
    if invoice := _one(_open(history), which):
        history.pay({invoice: _part(invoice, tenths)}, kept=77)
    return invoice is not None


def pay_two(history: History, which: int, tenths: int, back: int) -> bool:
    pairs = [
        (one, two)
        for one in _open(history)
        for two in _open(history)
        if one.id < two.id and _account(one) == _account(two)
    ]
    if pair := _one(pairs, which):
        history.pay({one: _part(one, tenths) for one in pair})
    return pair is not None


def undo_payment(history: History, which: int, tenths: int, back: int) -> bool:
    """Unless what it left over is spent, or one of its invoices was refunded."""
    standing = [
        payment_id
        for payment_id, invoices, change in history.paid
        if history.credit(change.business_id, change.customer_id, change.currency)
        >= -change.amount - sum(invoices.values())
        and not any(invoice.refunded_minor for invoice in invoices)
    ]
    if payment_id := _one(standing, which):
        history.undo_payment(payment_id)
    return payment_id is not None


def use_credit(history: History, which: int, tenths: int, back: int) -> bool:
    fitting = [one for one in _open(history) if history.credit(*_account(one)) > 0]
    if invoice := _one(fitting, which):
        history.apply_credit(invoice, min(_part(invoice, tenths), history.credit(*_account(invoice))))
    return invoice is not None


def credit_note(history: History, which: int, tenths: int, back: int) -> bool:
    if invoice := _one(_open(history), which):
        history.credit_note(invoice, _part(invoice, tenths))
    return invoice is not None


def write_off(history: History, which: int, tenths: int, back: int) -> bool:
    if invoice := _one(_open(history), which):
        history.write_off(invoice, _part(invoice, tenths))
    return invoice is not None


def cancel(history: History, which: int, tenths: int, back: int) -> bool:
    untouched = [one for one in _open(history) if not one.paid_minor and not one.written_off_minor]
    if invoice := _one(untouched, which):
        history.cancel(invoice)
    return invoice is not None


def refund(history: History, which: int, tenths: int, back: int) -> bool:
    return _refund(history, which, tenths, PaymentMethod.CASH)


def refund_as_credit(history: History, which: int, tenths: int, back: int) -> bool:
    return _refund(history, which, tenths, None)


def pay_out(history: History, which: int, tenths: int, back: int) -> bool:
    accounts = sorted({(one.business_id, one.customer_id, one.currency) for one in history.account})
    with_credit = [key for key in accounts if history.credit(*key) > 0]
    if key := _one(with_credit, which):
        business_id, customer_id, currency = key
        customer = next(one for one in history.customers if one.id == customer_id)
        history.pay_out(customer, -(-history.credit(*key) * tenths // 10), currency, business_id)
    return key is not None


STEPS: tuple[Step, ...] = (
    *(send, pay, pay_too_much, pay_two, undo_payment, use_credit),
    *(credit_note, write_off, cancel, refund, refund_as_credit, pay_out),
)


@st.composite
def steps(draw):
    """(step, which one, how much in tenths, days until then, days that it reaches back)."""
    dealt = Dealt(STEPS, times=1)
    facts = st.tuples(st.integers(0, 9), st.integers(1, 10), st.integers(0, 30), st.integers(0, 10))
    return [(dealt.next(draw), *draw(facts)) for _ in range(draw(st.integers(8, 14)))]


def play(history: History, wanted: list[tuple[Step, int, int, int, int]], arrived: Callable[[str], None]) -> History:
    """What goes on after a history, which itself stays as it is."""
    copied = {name: list(getattr(history, name)) for name in ("customers", "invoices", "debts", "account", "paid")}
    following = replace(history, **copied)
    for step, which, tenths, days, back in wanted:
        following.next_step(days)
        if step(following, which, tenths, back):
            arrived(step.__name__)
    return following


def _open(history: History) -> list[Invoice]:
    return [invoice for invoice in history.invoices if invoice.due_minor]


def _one(fitting: list, which: int):
    return fitting[which % len(fitting)] if fitting else None


def _part(invoice: Invoice, tenths: int) -> int:
    return -(-invoice.due_minor * tenths // 10)


def _account(invoice: Invoice) -> tuple[int, int, str]:
    return invoice.business_id, invoice.customer_id, invoice.currency


def _refund(history: History, which: int, tenths: int, method: PaymentMethod | None) -> bool:
    """Of an invoice that is paid, back to the customer or kept for them."""
    paid = [one for one in history.invoices if one.state is InvoiceState.PAID and one.refunded_minor < one.paid_minor]
    if invoice := _one(paid, which):
        left = invoice.paid_minor - invoice.refunded_minor
        history.refund(invoice, max(1, left * tenths // 10), method)
    return invoice is not None
