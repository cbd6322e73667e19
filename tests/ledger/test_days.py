"""The totals of days: what the migration finds sealed counts once, and what undid an entry counts under its kind."""

from datetime import timedelta

from alembic import command
from sqlalchemy import select

from billing_core.database import for_changes, migrate
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing, service, verification
from billing_core.ledger.models import Account, EntryKind, LedgerDay
from tests.ledger.books import NOW, TODAY, a_payment_entry, an_invoice_entry, parties

LATER = TODAY + timedelta(days=3)
RECEIVABLE, CASH, CREDIT = Account.RECEIVABLE, Account.CASH, Account.CUSTOMER_CREDIT
INVOICE, PAYMENT = EntryKind.INVOICE, EntryKind.PAYMENT
# An invoice of 100 and 19, and 60 paid of which 50 for it, are sealed; so is that the payment was undone, three days
# later and in another batch. A second invoice is not.
SEALED = {
    (RECEIVABLE, INVOICE, TODAY): 119,
    (Account.REVENUE, INVOICE, TODAY): -100,
    (Account.TAX_PAYABLE, INVOICE, TODAY): -19,
    (CASH, PAYMENT, TODAY): 60,
    (RECEIVABLE, PAYMENT, TODAY): -50,
    (CREDIT, PAYMENT, TODAY): -10,
    (CASH, PAYMENT, LATER): -60,
    (RECEIVABLE, PAYMENT, LATER): 50,
    (CREDIT, PAYMENT, LATER): 10,
}


def test_a_database_from_before_the_days_were_kept_gets_those_that_the_sealing_would_have_kept(sessions):
    with sessions.begin() as session:
        acme = parties(session)
        service.post(session, SYSTEM, an_invoice_entry(acme, 1, net=100, tax=19), now=NOW)
        paid = service.post(session, SYSTEM, a_payment_entry(acme, {1: 50}, kept=10), now=NOW)
        sealing.seal(session, now=NOW)
        service.reverse(session, SYSTEM, paid, effective_on=LATER, now=NOW)
        sealing.seal(session, now=NOW)
        service.post(session, SYSTEM, an_invoice_entry(acme, 2, net=7), now=NOW)
    assert kept(sessions) == SEALED

    with for_changes(sessions.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0006")
    assert migrate.upgrade(sessions.engine) is True

    assert kept(sessions) == SEALED
    with sessions.begin() as session:
        sealing.seal(session, now=NOW)
    assert kept(sessions)[RECEIVABLE, INVOICE, TODAY] == 119 + 7
    with sessions() as session:
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


def kept(sessions) -> dict:
    with sessions() as session:
        return {
            (day.account, day.kind, day.effective_on): day.amount_minor for day in session.scalars(select(LedgerDay))
        }
