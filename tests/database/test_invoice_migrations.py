"""Migrations that compute what former versions did not store of invoices, their numbers, links and payments."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from billing_core.businesses.models import Business
from billing_core.businesses.number_series import NumberSeries
from billing_core.database import for_changes, migrate
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, queries, service
from billing_core.invoices.content import verification as invoice_proofs
from billing_core.invoices.content.tax_rows import InvoiceTax
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode, PaymentLink
from billing_core.ledger import service as ledger
from billing_core.ledger import verification as proofs_of_the_ledger
from billing_core.ledger.models import Account, EntryKind, LedgerPosting
from billing_core.ledger.service import Entry, Side
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.payments import received
from billing_core.payments.models import Allocation, PaymentMethod
from billing_core.payments.received import Received
from billing_core.receivables import verification as receivables
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice, content

OF_ITS_DAYS = "Nothing is owed on an invoice, or paid of it, before its own day, and never less than nothing"


def test_series_that_differ_in_their_zeros_become_one_and_a_second_one_stays_as_it_is(empty_database):
    with for_changes(empty_database.engine).begin() as connection:
        command.upgrade(migrate.configuration(connection), "0002")
        for kind, series, last in (
            ("invoice", "INV-2026-{seq:03}", 7),
            ("invoice", "INV-2026-{seq:4}", 2),
            ("invoice", "R{seq:5}/2025", 3),
            ("credit_note", "CN-2026-{seq:03}", 1),
        ):
            facts = {"kind": kind, "series": series, "last": last}
            connection.execute(text("INSERT INTO number_series VALUES (1, :kind, :series, :last)"), facts)

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        rows = session.execute(select(NumberSeries.series, NumberSeries.last)).all()
        assert {tuple(row) for row in rows} == {
            ("INV-2026-{seq}", 7),
            ("INV-2026-{seq:4}", 2),
            ("R{seq}/2025", 3),
            ("CN-2026-{seq}", 1),
        }


def test_payment_links_of_a_former_version_keep_their_state_and_when_they_became_active(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        customer_id = a_customer(session)
        invoice_ids = [an_invoice(session, customer_id).id for _ in range(2)]
        for invoice_id, state, active_since in zip(invoice_ids, ("creating", "active"), (None, NOW), strict=True):
            link = PaymentLink(
                invoice_id=invoice_id,
                mode=Mode.TEST,
                way=CollectionWay.PAYMENT_LINK,
                state=LinkState(state),
                currency="USD",
                amount_minor=238_00,
                charge={},
                url="https://pay.example/1" if active_since else None,
                activated_at=active_since,
                expires_at=NOW,
                created_at=NOW,
                created_by="Ana",
            )
            session.add(link)

    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0007")
        former = text("SELECT state, issued_at IS NULL FROM payment_links ORDER BY invoice_id")
        assert [(state, bool(never)) for state, never in connection.execute(former)] == [
            ("issuing", True),
            ("active", False),
        ]
    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        links = session.scalars(select(PaymentLink).order_by(PaymentLink.invoice_id)).all()
        assert [(link.state, link.activated_at) for link in links] == [
            (LinkState.CREATING, None),
            (LinkState.ACTIVE, NOW),
        ]
    for second in ("creating", "active"):
        with pytest.raises(IntegrityError), empty_database.begin() as session:
            session.execute(
                update(PaymentLink).values(invoice_id=invoice_ids[0], state=second, url="https://pay.example/1")
            )


def test_what_was_sent_keeps_its_sums_and_drafts_are_summed_up_by_their_rounded_lines(empty_database):
    """Three times 0.333 at 50 %: 1.00 and 0.50 tax by the exact sum; 0.99 and 0.50 (0.495) by the printed lines. With
    10 % off, 0.90 and 0.45 before; 0.89 (0.099 off) and 0.45 (0.445) now. Three times 0.334, of which 1.00 was taken
    off: it is all of 0.99 now. 10.50 at 19 % and 10.50 at 7 % less 5 %: of 1.05 the odd cent comes off the first line,
    so that 9.97 and 9.98 have 1.89 (1.8943) and 0.70 (0.6986) of tax.
    """
    two_rates = (a_line("A", "1", "10.50", "19"), a_line("B", "1", "10.50", "7"))
    thirds, more = (a_line(quantity="0.333", unit_price="1", tax_rate="50"),) * 3, (a_line("A", "0.334", "1", "0"),) * 3
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        customer_id = a_customer(session)
        former = {"lines_rounded": False}
        sent = an_invoice(session, customer_id, *thirds, **former).id
        draft = a_draft(session, customer_id, *thirds, **former).id
        discounted = a_draft(session, customer_id, *thirds, **former, discount_percent=Decimal(10)).id
        emptied = a_draft(session, customer_id, *more, **former, discount_minor=100).id
        shared = a_draft(session, customer_id, *two_rates, **former, discount_percent=Decimal(5)).id
        whole = a_draft(session, customer_id, a_line()).id
        versions = dict.fromkeys((draft, discounted, emptied, shared, whole), 1)
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0045")

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:

        def kept(invoice_id):
            invoice = session.get_one(Invoice, invoice_id)
            sums = queries.totals_of(session, invoice)
            stored = (invoice.subtotal_minor, invoice.tax_minor)
            assert (sums.subtotal_minor, sums.tax_minor) == stored
            return *stored, sums.remainder_minor

        assert kept(sent) == (100, 50, 1)
        assert kept(draft) == (99, 50, 0)
        assert kept(discounted) == (89, 45, 0)
        assert kept(emptied) == (0, 0, 0)
        assert session.get_one(Invoice, emptied).discount_minor == 99
        assert kept(shared) == (19_95, 2_59, 0)
        assert kept(whole) == (200_00, 38_00, 0)
        assert {id_: session.get_one(Invoice, id_).version for id_ in versions} == versions
    with empty_database.begin() as session:
        assert service.send(session, SYSTEM, draft, now=NOW).total_minor == 149
        assert service.send(session, SYSTEM, shared, now=NOW).total_minor == 22_54
        copy = service.duplicate(session, SYSTEM, sent, now=NOW, today=TODAY)
        assert (copy.total_minor, copy.lines_rounded) == (149, True)


def test_invoices_of_a_former_version_stay_overdue_where_they_were_marked_or_their_own_charge_failed(empty_database):
    """Marked, and failed, at 23:30 UTC of 1 March: that is 2 March in Berlin, the first late day. One failed three
    days earlier, too.
    """
    at = {"at": "2026-03-01 23:30:00.000000+00:00", "id": 0}
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        session.execute(update(Business).values(time_zone="Europe/Berlin"))
        customer_id = a_customer(session)
        marked, tried, failed, again = (an_invoice(session, customer_id) for _ in range(4))
        due_on = marked.due_on
        facts = {"mode": Mode.SANDBOX, "state": LinkState.EXPIRED, "amount_minor": 1, "currency": "USD"}
        made = {"expires_at": NOW, "created_at": NOW, "created_by": "a test", "charge": {}}
        hosted = CollectionWay.HOSTED_INVOICE
        for invoice, way in ((tried, CollectionWay.PAYMENT_LINK), (failed, hosted), (again, hosted)):
            session.add(PaymentLink(invoice_id=invoice.id, way=way, **facts, **made))
        ids = marked.id, tried.id, failed.id, again.id
        first = datetime(2026, 2, 26, 23, 30, tzinfo=UTC)
        told = {"event_id": "evt_1", "type": "invoice.payment_failed", "livemode": False, "payload": "{}"}
        instants = {"created_at": first, "received_at": first, "not_before": first}
        session.add(WebhookEvent(invoice_id=again.id, state=WebhookState.HANDLED, **told, **instants))
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0048")
        connection.execute(text("UPDATE invoices SET marked_overdue_at = :at WHERE id = :id"), at | {"id": ids[0]})
        connection.execute(text("UPDATE invoices SET payment_failed_at = :at WHERE id <> :id"), at | {"id": ids[0]})
        connection.execute(text("UPDATE payment_links SET last_failed_at = :at"), at)

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        found = [session.get_one(Invoice, id_).late_after for id_ in ids]
    assert found == [date(2026, 3, 1), due_on, date(2026, 3, 1), date(2026, 2, 26)]


def test_credit_notes_of_a_former_version_know_whether_they_are_for_early_payment(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        invoice = an_invoice(session, a_customer(session), payment_terms="2 % 14 days, net 30")
        other = an_invoice(session, invoice.customer_id)
        reduced = Received("USD", 23324, PaymentMethod.CASH, TODAY)
        received.record_for(session, SYSTEM, invoice.id, received=reduced, today=TODAY, now=NOW)
        credit_notes.issue(session, SYSTEM, other.id, reason="Late", issued_on=TODAY, today=TODAY, now=NOW)
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0051")

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        found = session.execute(select(CreditNote.total_minor, CreditNote.early_payment).order_by(CreditNote.id))
        assert [tuple(row) for row in found] == [(476, True), (23800, False)]


def test_invoices_of_a_former_version_get_their_tax_rows_as_they_are_printed(empty_database):
    """50.00 at 7 % and 100.00 at 19 %; a discount of 3.00 takes 1.00 and 2.00 off. Three times 0.333 are 1.00 by their
    exact sum: 0.67 of it at 50 %, whose tax of 0.333 is 0.33.
    """
    two_rates = (a_line("Book", "1", "50", "7"), a_line("Work", "1", "100", "19"))
    third = {"quantity": "0.333", "unit_price": "1"}
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        customer_id = a_customer(session, country="DE")
        made = {
            an_invoice(session, customer_id, a_line()).id: [(19, 200_00, 38_00)],
            an_invoice(session, customer_id, *two_rates).id: [(7, 50_00, 3_50), (19, 100_00, 19_00)],
            a_draft(session, customer_id, *two_rates, discount_minor=3_00).id: [(7, 49_00, 3_43), (19, 98_00, 18_62)],
        }
        thirds = (a_line(**third, tax_rate="0"), a_line(**third, tax_rate="50"), a_line(**third, tax_rate="50"))
        exact = an_invoice(session, customer_id, *thirds, lines_rounded=False).id
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0052")

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        rows = session.execute(
            select(InvoiceTax.invoice_id, InvoiceTax.tax_rate, InvoiceTax.net_minor, InvoiceTax.tax_minor)
        )
        found = sorted((invoice_id, int(rate), net, tax) for invoice_id, rate, net, tax in rows)
        assert found == sorted(
            [(invoice_id, *row) for invoice_id, of_one in made.items() for row in of_one]
            + [(exact, 0, 33, 0), (exact, 50, 67, 33)]
        )
        countries = session.execute(select(Invoice.state, Invoice.customer_country).distinct())
        assert {(state.value, country) for state, country in countries} == {("open", "DE"), ("draft", "")}


def test_what_a_former_version_paid_before_the_invoices_day_becomes_credit_until_then(empty_database):
    """238.00 USD of an invoice of the day after came on ``TODAY``, went again on the same day, and came once more: that
    can be undone, before the invoice's day too.
    """
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        issued = TODAY + timedelta(days=1)
        invoice = an_invoice(session, a_customer(session), issued_on=issued, due_on=issued)
        sides = [Side(Account.CASH, 238_00, "cash"), Side(Account.RECEIVABLE, -238_00, invoice_id=invoice.id)]
        owner = (invoice.business_id, invoice.customer_id, "USD")
        entry = Entry(*owner, EntryKind.PAYMENT, "payment:1", TODAY, sides)
        ledger.reverse(session, SYSTEM, ledger.post(session, SYSTEM, entry, now=NOW), effective_on=TODAY, now=NOW)
        money = Received("USD", 238_00, PaymentMethod.CASH, TODAY)
        payment = received.record_for(session, SYSTEM, invoice.id, received=money, today=TODAY, now=NOW)
        (allocation,) = session.scalars(select(Allocation)).all()
        for of_today in (allocation.entry_id, payment.entry_id):
            ledger.reverse(session, SYSTEM, of_today, effective_on=TODAY, now=NOW)
        payment.entry_id = allocation.entry_id = ledger.post(session, SYSTEM, entry, now=NOW)
        allocation.allocated_on = TODAY
        session.flush()
        wrong = [check.name for check in receivables.checks(session, today=TODAY) if check.wrong]
        assert OF_ITS_DAYS in wrong
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0056")

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        days = select(LedgerPosting.account, LedgerPosting.effective_on, func.sum(LedgerPosting.amount_minor))
        posted = session.execute(days.group_by(LedgerPosting.account, LedgerPosting.effective_on)).all()
        found = {(account, day): int(minor) for account, day, minor in posted}
        assert found[Account.RECEIVABLE, TODAY] == 0
        assert (found[Account.CUSTOMER_CREDIT, TODAY], found[Account.CUSTOMER_CREDIT, issued]) == (-238_00, 238_00)
        assert found[Account.RECEIVABLE, issued] == 0
        assert [check for check in proofs_of_the_ledger.checks(session) if check.wrong] == []

    with empty_database.begin() as session:
        received.undo(session, SYSTEM, payment.id, reason="Not ours", today=TODAY, now=NOW)
        session.flush()
        owed = (LedgerPosting.account == Account.RECEIVABLE, LedgerPosting.effective_on <= TODAY)
        assert session.scalar(select(func.sum(LedgerPosting.amount_minor)).where(*owed)) == 0
        assert [check for check in receivables.checks(session, today=TODAY) if check.wrong] == []


def test_what_a_former_version_paid_twice_on_a_day_becomes_credit_until_the_first_is_undone(empty_database):
    """238.00 USD came the day after the invoice. Two days later that was undone, and recorded once more on its day: in
    between the invoice was paid twice. The second can be undone too.
    """
    migrate.upgrade(empty_database.engine)
    days = [TODAY + timedelta(days=later) for later in range(4)]
    last = {"today": days[3], "now": NOW}
    money = Received("USD", 238_00, PaymentMethod.CASH, days[1])

    def at_the_end_of_each_day(session, account):
        total = select(func.coalesce(func.sum(LedgerPosting.amount_minor), 0)).where(LedgerPosting.account == account)
        return [int(session.scalar(total.where(LedgerPosting.effective_on <= day))) for day in days]

    with empty_database.begin() as session:
        invoice = an_invoice(session, a_customer(session), issued_on=TODAY, due_on=TODAY)
        first = received.record_for(session, SYSTEM, invoice.id, received=money, **last)
        received.undo(session, SYSTEM, first.id, reason="Recorded wrongly", **last)
        payment = received.record_for(session, SYSTEM, invoice.id, received=money, **last)
        (allocation,) = session.scalars(select(Allocation).where(Allocation.payment_id == payment.id))
        for entry_id in (allocation.entry_id, payment.entry_id):
            ledger.reverse(session, SYSTEM, entry_id, effective_on=days[1], now=NOW)
        sides = [Side(Account.CASH, 238_00, "cash"), Side(Account.RECEIVABLE, -238_00, invoice_id=invoice.id)]
        entry = Entry(invoice.business_id, invoice.customer_id, "USD", EntryKind.PAYMENT, "payment:1", days[1], sides)
        payment.entry_id = allocation.entry_id = ledger.post(session, SYSTEM, entry, now=NOW)
        allocation.allocated_on = days[1]
        session.flush()
        assert at_the_end_of_each_day(session, Account.RECEIVABLE) == [238_00, -238_00, -238_00, 0]
        assert [check.name for check in receivables.checks(session, today=days[3]) if check.wrong] == [OF_ITS_DAYS]
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0064")

    migrate.upgrade(empty_database.engine)

    with empty_database.begin() as session:
        assert at_the_end_of_each_day(session, Account.RECEIVABLE) == [238_00, 0, 0, 0]
        assert at_the_end_of_each_day(session, Account.CUSTOMER_CREDIT) == [0, -238_00, -238_00, 0]
        received.undo(session, SYSTEM, payment.id, reason="Not ours", **last)
        session.flush()
        assert at_the_end_of_each_day(session, Account.RECEIVABLE) == [238_00, 0, 0, 238_00]
        assert at_the_end_of_each_day(session, Account.CUSTOMER_CREDIT)[3] == 0
        proofs = [*proofs_of_the_ledger.checks(session), *receivables.checks(session, today=days[3])]
        assert [check for check in proofs if check.wrong] == []


def test_numbers_of_a_former_version_that_differ_in_case_alone_stay_and_are_named_by_verify(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        customer_id = a_customer(session)
        made = [service.create(session, SYSTEM, content(session, customer_id), now=NOW, number=one) for one in "ABC"]
        ids = [invoice.id for invoice in made]
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0081")
        for id_, number in zip(ids, ("Acme-7", "ACME-7", "acme-8"), strict=True):
            connection.execute(
                text("UPDATE invoices SET number = :number WHERE id = :id"), {"number": number, "id": id_}
            )

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        kept = session.execute(select(Invoice.number, Invoice.number_key).order_by(Invoice.id))
        assert [tuple(row) for row in kept] == [
            ("Acme-7", "acme-7"),
            ("ACME-7", f"acme-7 #{ids[1]}"),
            ("acme-8", "acme-8"),
        ]
        wrong = [one for check in invoice_proofs.checks(session) for one in check.wrong]
        assert wrong == [f"invoice id {ids[1]}, ACME-7, has the number of invoice id {ids[0]}, Acme-7"]
    with empty_database.begin() as session, pytest.raises(Conflict, match="already used"):
        service.create(session, SYSTEM, content(session, customer_id), now=NOW, number="aCME-7")
