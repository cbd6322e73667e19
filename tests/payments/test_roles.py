"""Every verb of payments as every role: who may, can; who may not, is told which permission it takes."""

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core import payments
from billing_core.audit.models import AuditEntry
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import PERMISSIONS, Actor, Permission, Role, actor_with
from billing_core.invoices.content.early_payment import Offer
from billing_core.invoices.content.totals import Share
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.invoices.service import Details
from billing_core.money import Money
from billing_core.payments import (
    allocated,
    chargeback_queries,
    chargeback_sources,
    chargebacks,
    credit,
    crediting,
    early_discounts,
    exporting,
    opening,
    queries,
    received,
    refunds,
    sending,
    status_changes,
    write_offs,
)
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Allocation, Payment, PaymentMethod
from billing_core.payments.opening import Item
from billing_core.payments.queries import PaymentFilter
from billing_core.payments.received import GatewayNames
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import NOW, TODAY, a_customer, a_draft, accounts, an_open_invoice, bank_transfer, pay

DAY = {"today": TODAY, "now": NOW}


@dataclass(frozen=True)
class Subjects:
    """The ids of what a verb is about, so prepared that whoever may call it succeeds. 0: there is none."""

    customer: int = 0
    business: int = 0
    open: int = 0
    paid: int = 0
    written_off: int = 0
    payment: int = 0
    allocation: int = 0
    draft: int = 0
    customer_public: str = "cus_nobody"


Call = Callable[[Session, Actor, Subjects], Any]


def verbs() -> dict[str, Callable[..., Any]]:
    """Every public function of the package that takes an actor, by its module and name."""
    found = {}
    for module in (import_module(f"{payments.__name__}.{one.name}") for one in pkgutil.iter_modules(payments.__path__)):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and "actor" in inspect.signature(function).parameters:
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = function
    return found


def _record(session: Session, actor: Actor, of: Subjects) -> Any:
    facts = {"received": bank_transfer(100), "allocations": {of.open: 100}, **DAY}
    return received.record(session, actor, customer_id=of.customer, **facts)


def _record_collected(session: Session, actor: Actor, of: Subjects) -> Any:
    names = GatewayNames(Mode.TEST, "pi_1")
    facts = {"received": bank_transfer(100), "names": names, "pays": True, **DAY}
    return received.record_collected(session, actor, session.get(Invoice, of.open), **facts)


def _pay_out(session: Session, actor: Actor, of: Subjects) -> Any:
    facts = {"amount": Money(1, "EUR"), "method": PaymentMethod.CASH, "reason": "asked", **DAY}
    return credit.pay_out(session, actor, customer_id=of.customer, business_id=of.business, **facts)


def _take_back(session: Session, actor: Actor, of: Subjects) -> Any:
    taken = TakenBack("dispute:dp_1", 100, "lost")
    return chargebacks.take_back(session, actor, of.payment, taken, **DAY)


def _parts(session: Session, actor: Actor, of: Subjects) -> Any:
    payment = queries.for_change(session, actor, of.payment)
    return list(chargeback_sources.parts(session, actor, payment, 100))


def _credit(session: Session, actor: Actor, of: Subjects) -> Any:
    parts = [Share("service", Decimal(0), 100, 0)]
    return crediting.credit(session, actor, session.get(Invoice, of.open), parts, reason="less", **DAY)


def _credit_discount(session: Session, actor: Actor, of: Subjects) -> Any:
    taken = Offer(Decimal(1), TODAY, 1_00, 99_00)
    return early_discounts.credit(session, actor, session.get(Invoice, of.open), taken, TODAY, now=NOW)


def _withdraw_discount(session: Session, actor: Actor, of: Subjects) -> Any:
    invoice = session.get(Invoice, of.open)
    return early_discounts.withdraw(session, actor, invoice, reason="bounced", on=TODAY, now=NOW).minor


def _grant_discount_again(session: Session, actor: Actor, of: Subjects) -> Any:
    return early_discounts.grant_again(session, actor, session.get(Invoice, of.open), on=TODAY, now=NOW)


def _alike(session, actor, of):
    return queries.alike(session, actor, of.customer, Money(100, "EUR"), received_on=TODAY, reference="")


def _alike_of_many(session, actor, of):
    asked = [(of.customer, Money(100, "EUR"))]
    return queries.alike_of_many(session, actor, asked, received_on=TODAY, reference="")


def _as_csv(session: Session, actor: Actor, of: Subjects) -> Any:
    return b"".join(exporting.as_csv(session, actor, PaymentFilter()).chunks).splitlines()[1:]


def _allocated_as_csv(session: Session, actor: Actor, of: Subjects) -> Any:
    return b"".join(allocated.as_csv(session, actor, PaymentFilter()).chunks).splitlines()[1:]


def _allocated_workbook(session: Session, actor: Actor, of: Subjects) -> None:
    """What it finds is what the CSV finds."""
    b"".join(allocated.workbook(session, actor, PaymentFilter(), now=NOW).chunks)


def _conditions(session: Session, actor: Actor, of: Subjects) -> Any:
    return session.scalars(select(Payment.id).where(*queries.conditions(actor, ALL))).all()


def _refund(session: Session, actor: Actor, of: Subjects) -> Any:
    wanted = MoneyBack("returned", PaymentMethod.CASH, TODAY)
    return refunds.refund(session, actor, of.paid, wanted=wanted, **DAY)


READ, WRITE, OF_INVOICES = Permission.PAYMENT_READ, Permission.PAYMENT_WRITE, Permission.INVOICE_WRITE
SEND = Permission.INVOICE_SEND
ALL = PaymentFilter()

# None: it only locks, for a verb that has checked the permission.
ROWS: dict[str, tuple[Permission | None, Call]] = {
    "allocated.as_csv": (Permission.EXPORT, _allocated_as_csv),
    "allocated.workbook": (Permission.EXPORT, _allocated_workbook),
    "chargebacks.take_back": (WRITE, _take_back),
    "chargebacks.give_back": (
        WRITE,
        lambda session, actor, of: chargebacks.give_back(session, actor, "dispute:other", **DAY),
    ),
    "chargeback_sources.parts": (None, _parts),
    "credit.balances": (READ, lambda session, actor, of: credit.balances(session, actor, of.customer)),
    "credit.apply": (WRITE, lambda session, actor, of: credit.apply(session, actor, of.open, amount_minor=1, **DAY)),
    "credit.spend": (
        WRITE,
        lambda session, actor, of: credit.spend(session, actor, session.get(Invoice, of.open), **DAY),
    ),
    "credit.release": (
        WRITE,
        lambda session, actor, of: credit.release(session, actor, of.allocation, reason="wrong", **DAY),
    ),
    "credit.pay_out": (WRITE, _pay_out),
    "crediting.credit": (WRITE, _credit),
    "early_discounts.credit": (WRITE, _credit_discount),
    "early_discounts.withdraw": (WRITE, _withdraw_discount),
    "early_discounts.grant_again": (WRITE, _grant_discount_again),
    "exporting.as_csv": (Permission.EXPORT, _as_csv),
    "queries.listing": (READ, lambda session, actor, of: session.execute(queries.listing(actor, ALL)).all()),
    "queries.page": (READ, lambda session, actor, of: queries.page(session, actor, ALL)),
    "chargeback_queries.of_payment": (
        READ,
        lambda session, actor, of: chargeback_queries.of_payment(session, actor, of.payment),
    ),
    "queries.conditions": (None, _conditions),
    "queries.count": (READ, lambda session, actor, of: queries.count(session, actor, ALL)),
    "queries.totals": (READ, lambda session, actor, of: queries.totals(session, actor, ALL)),
    "queries.one": (READ, lambda session, actor, of: queries.one(session, actor, of.payment)),
    "queries.for_change": (None, lambda session, actor, of: queries.for_change(session, actor, of.payment)),
    "queries.alike": (READ, _alike),
    "queries.alike_of_many": (READ, _alike_of_many),
    "queries.allocations": (READ, lambda session, actor, of: queries.allocations(session, actor)),
    "queries.refunds": (READ, lambda session, actor, of: queries.refunds(session, actor)),
    "queries.refund_count": (READ, lambda session, actor, of: queries.refund_count(session, actor)),
    "received.record": (WRITE, _record),
    "received.record_for": (
        WRITE,
        lambda session, actor, of: received.record_for(session, actor, of.open, received=bank_transfer(100), **DAY),
    ),
    "received.record_collected": (WRITE, _record_collected),
    "received.undo": (
        WRITE,
        lambda session, actor, of: received.undo(session, actor, of.payment, reason="wrong", **DAY),
    ),
    "opening.create": (
        OF_INVOICES,
        lambda session, actor, of: opening.create(session, actor, of.customer_public, [Item("Seat", 1_00)], now=NOW),
    ),
    "refunds.refund": (WRITE, _refund),
    "sending.send": (SEND, lambda session, actor, of: sending.send(session, actor, of.draft, now=NOW)),
    "sending.send_many": (SEND, lambda session, actor, of: sending.send_many(session, actor, [of.draft], now=NOW)),
    "sending.give_number": (
        SEND,
        lambda session, actor, of: sending.give_number(session, actor, of.draft, "OWN-1", now=NOW),
    ),
    "status_changes.locked": (None, lambda session, actor, of: status_changes.locked(session, actor, of.open)),
    "status_changes.update": (
        OF_INVOICES,
        lambda session, actor, of: status_changes.update(
            session, actor, of.open, Details(), InvoiceStatus.VIEWED, **DAY
        ),
    ),
    "status_changes.cancel": (
        OF_INVOICES,
        lambda session, actor, of: status_changes.cancel(session, actor, of.open, **DAY),
    ),
    "write_offs.write_off": (
        WRITE,
        lambda session, actor, of: write_offs.write_off(session, actor, of.open, reason="gone", **DAY),
    ),
    "write_offs.undo_one": (
        WRITE,
        lambda session, actor, of: write_offs.undo_one(session, actor, of.written_off, 0, reason="back", **DAY),
    ),
    "write_offs.undo_write_off": (
        WRITE,
        lambda session, actor, of: write_offs.undo_write_off(session, actor, of.written_off, reason="back", **DAY),
    ),
}


@pytest.fixture
def subjects(session) -> Subjects:
    """A customer with 5.00 of credit, and an invoice that is open, one that is paid and one that was written off."""
    customer = a_customer(session)
    still_open, paid, written_off = (an_open_invoice(session, customer) for _ in range(3))
    pay(session, customer, 5_00)
    payment = pay(session, customer, 100_00, **{str(paid.id): 100_00})
    cash = MoneyBack("damaged", PaymentMethod.CASH, TODAY, 1_00)
    other = an_open_invoice(session, customer, "20")
    disputed = pay(session, customer, 20_00, **{str(other.id): 20_00})
    refunds.refund(session, ADMIN, other.id, wanted=cash, **DAY)
    chargebacks.take_back(session, ADMIN, disputed.id, TakenBack("dispute:other", 1_00, "lost"), **DAY)
    write_offs.write_off(session, ADMIN, written_off.id, reason="gone", **DAY)
    allocation = session.scalars(select(Allocation.id).where(Allocation.invoice_id == paid.id)).one()
    draft = a_draft(session, customer).id
    ids = (customer.id, customer.business_id, still_open.id, paid.id, written_off.id, payment.id, allocation, draft)
    return Subjects(*ids, customer.public_id)


def traces(session: Session) -> tuple[dict[str, int], int | None]:
    """What the ledger and the audit log have by now."""
    return accounts(session), session.scalar(select(func.count()).select_from(AuditEntry))


ADMIN = actor_with(Role.ADMIN, user_id=None, name="Grace Hopper")


def test_every_verb_has_its_row():
    assert set(ROWS) == set(verbs())


@pytest.mark.parametrize("role", Role)
def test_each_verb_is_for_the_roles_with_its_permission_alone(session, subjects, role, subtests):
    actor = actor_with(role, user_id=None, name="Ada Lovelace")
    before = traces(session)
    for verb, (permission, call) in ROWS.items():
        with subtests.test(verb=verb):
            undo = session.begin_nested()
            if permission is None or permission in PERMISSIONS[role]:
                call(session, actor, subjects)
            else:
                # The permission comes first: nobody finds out what there is by asking for what is not there.
                for of in (subjects, Subjects()):
                    with pytest.raises(Forbidden, match=f"“{permission}”"):
                        call(session, actor, of)
                assert traces(session) == before
            undo.rollback()
            session.expire_all()


def test_every_other_permission_together_does_not_replace_a_verbs_own(session, subjects, subtests):
    """Reading too takes its permission, though every role has it today."""
    for verb, (permission, call) in ROWS.items():
        if permission is not None:
            with subtests.test(verb=verb), pytest.raises(Forbidden, match=f"“{permission}”"):
                call(session, Actor(None, "Ada Lovelace", frozenset(Permission) - {permission}), subjects)


# They answer with what this actor may see, which is nothing.
_OF_NOBODY = ("queries", "exporting", "allocated")


def test_whoever_is_bound_to_another_customer_reaches_nothing(session, subjects, subtests):
    """Whatever its permissions are."""
    bound = Actor(None, "Bo", frozenset(Permission), customer_id=a_customer(session, "C2").id)
    before = traces(session)
    for verb, (_, call) in ROWS.items():
        with subtests.test(verb=verb):
            undo = session.begin_nested()
            try:
                found = call(session, bound, subjects)
            except NotFound:
                pass
            else:
                assert not found
                assert verb.startswith("early_discounts") or any(part in verb for part in _OF_NOBODY)
            assert traces(session) == before
            undo.rollback()
            session.expire_all()
