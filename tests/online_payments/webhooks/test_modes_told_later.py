"""Payments that came in before their mode was kept get it from what they came by."""

from importlib import import_module

from sqlalchemy import select, text, update

from billing_core.invoices.payment_links import Mode, PaymentLink
from billing_core.online_payments.models import SandboxCharge
from billing_core.payments.models import Payment
from tests.online_payments.linked import linked, paying, tell
from tests.payments.books import NOW, a_customer, pay

migration = import_module("billing_core.database.migrations.versions.0006_collected_in")


def test_an_earlier_payment_gets_the_mode_of_its_link_and_the_sandboxs_that_of_its_books(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
        less_came, its_link = linked(session, ref="C2")
        in_sandbox, sandbox_link = linked(session, ref="C3")
        by_bank = pay(session, a_customer(session, "C4"), 500).id
        told = [
            paying(link, invoice),
            paying(its_link, less_came, amount=4_000),
            paying(sandbox_link, in_sandbox),
        ]
    tell(sessions, *(one.succeeded() for one in told))
    with sessions.begin() as session:
        session.execute(update(Payment).values(mode=None))
        session.execute(update(PaymentLink).where(PaymentLink.id == its_link.id).values(mode=Mode.LIVE))
        session.add(
            SandboxCharge(
                link_id=sandbox_link.id,
                intent_id=told[2].intent_id,
                charge_id=told[2].charge_id,
                succeeded=True,
                currency="EUR",
                amount_minor=10_000,
                created_at=NOW,
            )
        )
    with sessions.begin() as session:
        session.execute(text(migration.OF_SANDBOX))
        session.execute(text(migration.BY_LINK))
    with sessions() as session:
        modes = {row.gateway_key: row.mode for row in session.execute(select(Payment.gateway_key, Payment.mode))}
        assert modes.pop(None) is None
        assert session.get_one(Payment, by_bank).mode is None
        assert modes == {
            told[0].intent_id: Mode.TEST,
            told[1].intent_id: Mode.LIVE,
            told[2].intent_id: Mode.SANDBOX,
        }
