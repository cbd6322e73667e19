"""What a change of an invoice leaves behind: in its state, its timeline and the audit log; and what it refuses."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.businesses.models import Business
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, lifecycle, postings, queries, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, Invoice, InvoicedReport, InvoiceState
from billing_core.invoices.service import Details
from billing_core.ledger.models import EntryKind, LedgerEntry
from tests.invoices.company import (
    GRACE,
    LATER,
    NOW,
    READER,
    TODAY,
    a_customer,
    a_draft,
    a_line,
    an_invoice,
    content,
    kinds,
)
from tests.reports import company as reports

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def sent(session) -> Invoice:
    return an_invoice(session, a_customer(session))


def last_audited(session) -> AuditEntry:
    return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


def edit(session, draft, *, now=LATER, drawn_from=None, actor=GRACE, **facts):
    wanted = replace(queries.content(session, draft), **facts)
    return service.edit(session, actor, draft.id, wanted, drawn_from=drawn_from or draft.version, now=now)


def test_seen_by_hand_is_seen_once(session, sent):
    assert after_sending.set_viewed(session, GRACE, sent.id, now=NOW).viewed_at == NOW
    assert after_sending.set_viewed(session, GRACE, sent.id, now=LATER).viewed_at == NOW
    assert kinds(session, sent.id) == ["created", "sent", "viewed"]
    with pytest.raises(Conflict, match="not open, but draft"):
        after_sending.set_viewed(session, GRACE, a_draft(session, sent.customer_id).id, now=NOW)


def test_marked_overdue_by_hand_it_stays_so_since_the_first_time(session, sent):
    assert after_sending.mark_overdue(session, GRACE, sent.id, now=NOW).marked_overdue_at == NOW
    assert after_sending.mark_overdue(session, GRACE, sent.id, now=LATER).marked_overdue_at == NOW


def test_a_paid_invoice_may_still_be_looked_at(session, sent):
    lifecycle.settle(session, SYSTEM, sent, paid=238_00, event=EventKind.PAYMENT, now=NOW)
    assert after_sending.mark_viewed(session, sent.token, now=LATER)
    assert (last_audited(session).action, last_audited(session).actor_name) == ("invoice.view", "Acme Corp")
    assert lifecycle.status(sent, TODAY) is InvoiceStatus.PAID


def test_a_hold_lasts_from_today_on_and_says_why(session, sent):
    held = after_sending.hold(session, GRACE, sent.id, until=TODAY, reason="x" * 201, now=NOW, today=TODAY)
    assert (held.held_until, held.hold_reason) == (TODAY, "x" * 200)
    event = queries.events(session, sent.id)[0]
    assert event.data == {"until": "2026-03-02", "reason": "x" * 200}
    assert last_audited(session).action == "reminder.write"
    with pytest.raises(Invalid):
        after_sending.hold(session, GRACE, sent.id, until=TODAY, reason=" ", now=NOW, today=TODAY)
    released = after_sending.release(session, GRACE, sent.id, now=LATER)
    assert (released.held_until, released.hold_reason, last_audited(session).action) == (None, "", "reminder.write")


def test_cancelling_without_a_reason_says_none_and_takes_back_no_earlier_than_it_was_posted(session):
    sent = an_invoice(session, a_customer(session), issued_on=TODAY + 5 * DAY)
    after_sending.cancel(session, GRACE, sent.id, now=LATER, today=TODAY, reason="  ")
    assert queries.events(session, sent.id)[0].data is None
    posted, reversed_ = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)).all()
    assert (reversed_.kind, reversed_.reverses_id, reversed_.effective_on) == (
        EntryKind.REVERSAL,
        posted.id,
        TODAY + 5 * DAY,
    )
    assert reversed_.memo == "INV-2026-001 cancelled"
    later = an_invoice(session, sent.customer_id)
    after_sending.cancel(session, GRACE, later.id, now=LATER, today=TODAY + DAY)
    assert session.scalar(select(LedgerEntry.effective_on).order_by(LedgerEntry.id.desc()).limit(1)) == TODAY + DAY


def test_an_invoice_of_nothing_is_not_posted(session):
    nothing = a_draft(session, a_customer(session), a_line(unit_price="0"))
    assert postings.sending(nothing, [a_line(unit_price="0").computed], memo="INV") is None
    assert after_sending.cancel(session, GRACE, nothing.id, now=NOW, today=TODAY).state is InvoiceState.CANCELLED


@pytest.mark.parametrize(("minutes", "events"), [(9, 1), (10, 2)])
def test_an_edit_within_ten_minutes_belongs_to_the_last(session, minutes, events):
    draft = a_draft(session, a_customer(session))
    edit(session, draft, notes="one", now=NOW)
    edit(session, draft, notes="two", now=NOW + minutes * MINUTE)
    assert kinds(session, draft.id) == ["created", *["edited"] * events]


def test_an_edit_of_another_draft_is_an_event_of_its_own(session):
    acme = a_customer(session)
    first, second = a_draft(session, acme), a_draft(session, acme)
    edit(session, first, notes="one")
    edit(session, second, notes="one")
    assert kinds(session, second.id) == ["created", "edited"]


def test_a_draft_may_move_to_another_customer_that_is_one(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    draft = a_draft(session, acme)
    assert edit(session, draft, customer_id=other).customer_id == other
    for wrong in ({"customer_id": 999}, {"business_id": 999}):
        with pytest.raises(Invalid) as refused:
            edit(session, draft, **wrong)
        assert list(refused.value.fields) == [*wrong]
    second = Business(name="Second", currency="USD", time_zone="UTC")
    session.add(second)
    session.flush()
    assert edit(session, draft, business_id=second.id).business_id == second.id


def test_a_draft_whose_number_is_drawn_may_change_otherwise(session):
    numbered = service.create(session, GRACE, content(session, a_customer(session)), now=NOW, numbered=True)
    assert edit(session, numbered, notes="Thanks").notes == "Thanks"
    assert last_audited(session).subject_label == "INV-2026-001"


def test_an_edit_is_audited_with_what_changed(session):
    draft = a_draft(session, a_customer(session))
    edit(session, draft, notes="Thanks")
    entry = last_audited(session)
    assert (entry.action, entry.subject_label, entry.before, entry.after) == (
        "invoice.write",
        "Acme Corp",
        {"notes": ""},
        {"notes": "Thanks"},
    )


def details(session, invoice, *, shown=None, today=TODAY, **facts):
    return service.update_details(session, GRACE, invoice.id, Details(**facts), now=LATER, today=today, shown=shown)


def test_details_that_are_as_they_were_write_nothing(session, sent):
    version = sent.version
    assert details(session, sent, notes="", customer_name=" Acme  Corp ").version == version
    assert details(session, sent).version == version
    assert kinds(session, sent.id) == ["created", "sent"]


@pytest.mark.parametrize(("days", "overdue"), [(-1, True), (0, False), (1, False)])
def test_with_a_due_date_from_today_on_it_is_no_longer_overdue(session, sent, days, overdue):
    today = date(2026, 5, 1)
    session.execute(update(Invoice).values(payment_failed_at=NOW, payment_failure="declined"))
    session.refresh(sent)
    after_sending.mark_overdue(session, GRACE, sent.id, now=NOW)
    changed = details(session, sent, due_on=today + days * DAY, today=today)
    assert (changed.marked_overdue_at is not None, changed.payment_failure) == (overdue, "declined" if overdue else "")
    assert (lifecycle.status(changed, today) is InvoiceStatus.OVERDUE) is overdue


def test_a_change_of_other_details_leaves_it_overdue(session, sent):
    after_sending.mark_overdue(session, GRACE, sent.id, now=NOW)
    assert details(session, sent, notes="Thanks").marked_overdue_at == NOW
    draft = a_draft(session, sent.customer_id)
    assert details(session, draft, notes="Thanks").notes == "Thanks"
    after_sending.cancel(session, GRACE, sent.id, now=NOW, today=TODAY)
    with pytest.raises(Conflict, match="is cancelled"):
        details(session, sent, notes="Late")


def test_a_form_that_shows_what_is_there_saves(session, sent):
    shown = Details(customer_name="Acme Corp", notes="")
    assert details(session, sent, shown=shown, notes="Thanks").notes == "Thanks"
    with pytest.raises(Conflict, match="notes is now “Thanks”"):
        details(session, sent, shown=shown, notes="Other")
    assert details(session, sent, shown=Details(notes="Thanks"), notes="Other").notes == "Other"


def test_a_draft_holds_its_report_until_it_is_discarded(session):
    customer = reports.a_customer(session)
    reports.an_order(session, customer, "A-1")
    report = reports.billed(session, customer)
    draft = a_draft(session, customer, a_line(report_id=report.id))

    def billed():
        return session.scalar(select(func.count()).select_from(InvoicedReport))

    assert billed() == 1
    with pytest.raises(Conflict, match="There is nothing to copy"):
        service.duplicate(session, GRACE, draft.id, now=NOW, today=TODAY)
    assert billed() == 1
    service.discard(session, GRACE, draft.id, now=LATER)
    assert billed() == 0
    assert (queries.one(session, GRACE, draft.id).state, draft.cancelled_at) == (InvoiceState.CANCELLED, LATER)
    for gone in (draft, service.create(session, GRACE, content(session, customer), now=NOW, numbered=True)):
        with pytest.raises(Conflict, match="cannot be discarded"):
            service.discard(session, GRACE, gone.id, now=LATER)


def test_drafts_of_several_years_and_businesses_are_numbered_apart(session):
    acme = a_customer(session)
    second = Business(name="Second", currency="USD", time_zone="UTC", invoice_format="B-{year}-{seq}")
    session.add(second)
    session.flush()
    wanted = [
        {"issued_on": date(2027, 1, 1)},
        {"business_id": second.id},
        {},
        {"issued_on": date(2027, 2, 1)},
        {},
    ]
    drafts = [a_draft(session, acme, **facts).id for facts in wanted]
    session.flush()
    sent = service.send_many(session, GRACE, drafts, now=LATER)
    assert [invoice.number for invoice in sent] == [
        *("INV-2027-001", "B-2026-1", "INV-2026-001", "INV-2027-002", "INV-2026-002"),
    ]
    assert [invoice.issuer["name"] for invoice in sent][:2] == ["My business", "Second"]
    data = queries.events(session, drafts[0])[0].data
    assert (data["number"], data["total_minor"], data["currency"]) == ("INV-2027-001", 23_800, "USD")


def test_creating_is_audited(session):
    acme = a_customer(session)
    service.create(session, GRACE, content(session, acme, a_line(), a_line()), now=NOW)
    assert last_audited(session).after == {
        "currency": "USD",
        "issued_on": "2026-03-02",
        "due_on": "2026-04-01",
        "lines": 2,
        "number": None,
    }
    service.create(session, GRACE, content(session, acme), now=NOW, number="ACME-7")
    entry = last_audited(session)
    assert (entry.action, entry.subject_label, entry.after["number"]) == ("invoice.write", "Acme Corp", "ACME-7")


def test_sending_is_audited_without_a_copy_of_the_issuer(session, sent):
    entry = last_audited(session)
    assert (entry.action, entry.subject_label) == ("invoice.send", "INV-2026-001")
    assert (entry.before["state"], entry.after["state"], entry.after["number"]) == ("draft", "open", "INV-2026-001")
    assert "issuer" not in entry.after


def test_what_an_invoice_is_called(session, sent):
    draft, nobodys = a_draft(session, sent.customer_id), a_draft(session, sent.customer_id, customer_name="")
    assert [lifecycle.named(one) for one in (sent, draft, nobodys)] == [
        *("Invoice INV-2026-001", "The draft for Acme Corp", "The draft for nobody yet"),
    ]


def test_a_payment_ends_what_a_failed_one_said(session, sent):
    session.execute(update(Invoice).values(payment_failed_at=NOW, payment_failure="declined"))
    session.refresh(sent)
    lifecycle.settle(session, SYSTEM, sent, credited=100, event=EventKind.CREDIT_NOTE, now=LATER)
    assert sent.payment_failure == "declined"
    lifecycle.settle(session, SYSTEM, sent, paid=100, event=EventKind.PAYMENT, now=LATER)
    assert (sent.payment_failed_at, sent.payment_failure) == (None, "")


def test_what_becomes_of_an_invoice_when_it_is_settled_and_unsettled(session, sent):
    lifecycle.settle(session, SYSTEM, sent, paid=237_99, event=EventKind.PAYMENT, now=NOW)
    assert (sent.state, sent.due_minor, sent.paid_at) == (InvoiceState.OPEN, 1, None)
    lifecycle.settle(session, SYSTEM, sent, paid=1, event=EventKind.PAYMENT, now=LATER)
    assert (sent.state, sent.due_minor, sent.paid_at) == (InvoiceState.PAID, 0, LATER)
    lifecycle.settle(session, SYSTEM, sent, refunded=1, event=EventKind.REFUNDED, now=LATER + DAY)
    assert sent.paid_at == LATER
    lifecycle.settle(session, SYSTEM, sent, refunded=-1, paid=-1, event=EventKind.PAYMENT_UNDONE, now=LATER)
    assert (sent.state, sent.due_minor, sent.paid_at) == (InvoiceState.OPEN, 1, None)


def test_an_invoice_of_one_cent_is_refunded_once_that_cent_is(session):
    invoice = an_invoice(session, a_customer(session), a_line(quantity="1", unit_price="0.01", tax_rate="0"))
    lifecycle.settle(session, SYSTEM, invoice, paid=1, event=EventKind.PAYMENT, now=NOW)

    def stands():
        in_sql = session.scalar(select(lifecycle.status_sql(TODAY)).select_from(Invoice))
        assert lifecycle.status(invoice, TODAY).value == in_sql
        return in_sql

    assert stands() == "paid"
    lifecycle.settle(session, SYSTEM, invoice, refunded=1, event=EventKind.REFUNDED, now=NOW)
    assert stands() == "refunded"


def test_no_change_and_no_note_write_nothing(session, sent):
    lifecycle.change(session, GRACE, [], event=EventKind.EDITED, now=LATER)
    lifecycle.note_many(session, GRACE, [], now=LATER)
    assert kinds(session, sent.id) == ["created", "sent"]


def test_many_are_changed_in_one_go_and_show_what_they_became(session):
    acme = a_customer(session)
    drafts = service.create_many(session, GRACE, [content(session, acme)] * 501, now=NOW)
    sent = service.send_many(session, GRACE, drafts, now=LATER)
    assert {(invoice.state, invoice.due_minor, invoice.version) for invoice in sent} == {(InvoiceState.OPEN, 23_800, 2)}
    assert len({invoice.number for invoice in sent}) == 501


def test_who_only_reads_changes_nothing(session, sent):
    draft = a_draft(session, sent.customer_id)
    tries = [
        lambda: after_sending.cancel(session, READER, sent.id, now=NOW, today=TODAY),
        lambda: after_sending.set_viewed(session, READER, sent.id, now=NOW),
        lambda: after_sending.mark_overdue(session, READER, sent.id, now=NOW),
        lambda: after_sending.release(session, READER, sent.id, now=NOW),
        lambda: edit(session, draft, actor=READER, notes="x"),
        lambda: service.update_details(session, READER, sent.id, Details(notes="x"), now=NOW, today=TODAY),
        lambda: service.duplicate(session, READER, sent.id, now=NOW, today=TODAY),
        lambda: service.discard(session, READER, draft.id, now=NOW),
        lambda: service.create_many(session, READER, [], now=NOW),
        lambda: service.send_many(session, READER, [], now=NOW),
    ]
    for change in tries:
        with pytest.raises(Forbidden):
            change()


def test_a_draft_whose_stored_sums_are_not_those_of_its_lines_is_not_sent(session):
    """What customers would be asked for is not what the ledger would say."""
    draft = a_draft(session, a_customer(session), a_line())
    more = {"tax_minor": Invoice.tax_minor + 1, "total_minor": Invoice.total_minor + 1}
    session.execute(update(Invoice).where(Invoice.id == draft.id).values(more))
    with pytest.raises(Conflict, match="sums are not those of its lines"):
        service.send(session, SYSTEM, draft.id, now=NOW)
