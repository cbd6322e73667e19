"""Drafts, sending them, and what may change afterwards."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, lifecycle, queries, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind, Invoice, InvoiceLineItem, InvoiceState, LineType
from billing_core.invoices.service import Details
from billing_core.ledger.models import Account, LedgerEntry, LedgerPosting
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


def _edit(session, draft, actor=GRACE, *, drawn_from=None, now=LATER, **facts):
    wanted = replace(queries.content(session, draft), **facts)
    return service.edit(session, actor, draft.id, wanted, drawn_from=drawn_from or draft.version, now=now)


def _audited(session):
    return session.execute(select(AuditEntry.before, AuditEntry.after).order_by(AuditEntry.id)).all()


def test_a_draft_keeps_its_content_and_what_it_comes_to(session):
    acme = a_customer(session)
    wanted = content(session, acme, a_line(), a_line("Hosting", "1", "9.995", "7"), notes="Thank you 🎉")

    draft = service.create(session, GRACE, wanted, now=NOW)

    # 200 + 9.995 -> 210.00 (half up); tax 38.00 + 0.69965 -> 38.70.
    assert (draft.subtotal_minor, draft.tax_minor, draft.total_minor) == (21000, 3870, 24870)
    assert (draft.state, draft.number, draft.due_minor) == (InvoiceState.DRAFT, None, 0)
    assert queries.content(session, draft) == replace(wanted, due_on=TODAY + timedelta(days=30))
    assert [line.amount_minor for line in queries.lines(session, draft.id)] == [20000, 1000]
    assert kinds(session, draft.id) == ["created"]


@pytest.mark.parametrize(("currency", "total"), [("JPY", 238), ("KWD", 238_000), ("EUR", 23_800)])
def test_any_currency_whatever_its_decimals_and_whatever_the_customers_own(session, currency, total):
    draft = a_draft(session, a_customer(session), currency=currency)

    assert (draft.currency, draft.total_minor) == (currency, total)


def test_nothing_of_many_is_saved_where_one_is_wrong(session):
    good = content(session, a_customer(session))

    with pytest.raises(Invalid):
        service.create_many(session, GRACE, [good, replace(good, language="xx")], now=NOW)
    with pytest.raises(Invalid) as refused:
        service.create_many(session, GRACE, [good, replace(good, customer_id=999)], now=NOW)

    assert list(refused.value.fields) == ["customer_id"]
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0


def test_sending_numbers_freezes_and_posts(session):
    acme = a_customer(session)
    default_business(session).address = "1 Main St"
    draft = a_draft(session, acme, a_line(), a_line("Setup", "1", "50", "7.5", type="fee"))

    sent = service.send(session, GRACE, draft.id, now=LATER)
    default_business(session).address = "2 Side St"

    assert (sent.state, sent.number, sent.sent_at) == (InvoiceState.OPEN, "INV-2026-001", LATER)
    assert sent.issuer["address"] == "1 Main St"
    # 250.00 net, 38.00 + 3.75 tax.
    assert sent.due_minor == sent.total_minor == 29175
    posted = select(LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor, LedgerPosting.invoice_id)
    assert sorted(map(tuple, session.execute(posted))) == [
        ("receivable", "", 29175, sent.id),
        ("revenue", "fee", -5000, None),
        ("revenue", "service", -20000, None),
        ("tax_payable", "19", -3800, None),
        ("tax_payable", "7.5", -375, None),
    ]
    entry = session.scalars(select(LedgerEntry)).one()
    assert (entry.document, entry.effective_on, entry.memo) == (f"invoice:{sent.id}", TODAY, "INV-2026-001")
    assert kinds(session, sent.id) == ["created", "sent"]


def test_sending_many_numbers_them_in_the_order_given_or_sends_none(session):
    acme = a_customer(session)
    first, second, third = (a_draft(session, acme).id for _ in range(3))

    sent = service.send_many(session, GRACE, [third, first], now=NOW)

    assert [(invoice.id, invoice.number) for invoice in sent] == [(third, "INV-2026-001"), (first, "INV-2026-002")]
    with pytest.raises(Conflict, match="INV-2026-002 has been sent"):
        service.send_many(session, GRACE, [second, first], now=NOW)
    assert queries.one(session, SYSTEM, second).state is InvoiceState.DRAFT
    assert service.send_many(session, GRACE, [], now=NOW) == []


def test_an_invoice_of_nothing_is_paid_as_soon_as_it_is_sent(session):
    sent = an_invoice(session, a_customer(session), a_line(unit_price="0"))

    assert (sent.state, sent.paid_at, sent.number) == (InvoiceState.PAID, NOW, "INV-2026-001")
    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 0


def test_what_is_billed_and_taken_off_in_full_is_posted_though_nothing_is_due(session):
    """100.00 with 22.00 of tax against a voucher of 122.00 at 0 %: the tax is owed all the same."""
    work, voucher = a_line(quantity="1", tax_rate="22"), a_line("Voucher", "-1", "122", "0", type=LineType.OTHER)
    sent = an_invoice(session, a_customer(session), work, voucher)

    assert (sent.state, sent.subtotal_minor, sent.tax_minor, sent.total_minor) == (InvoiceState.PAID, -2200, 2200, 0)
    sides = session.execute(select(LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor))
    assert sorted(map(tuple, sides)) == [
        (Account.REVENUE, "other", 12200),
        (Account.REVENUE, "service", -10000),
        (Account.TAX_PAYABLE, "22", -2200),
    ]


def test_a_voucher_lowers_its_own_revenue_and_tax_and_cancelling_gives_them_back(session):
    """238.00 less a voucher of 10.00 at 10 %, with tax 11.00: 227.00."""
    voucher = a_line("Voucher", "-1", "10", "10", type=LineType.OTHER)
    sent = an_invoice(session, a_customer(session), a_line(), voucher)
    assert sent.due_minor == 22700
    after_sending.cancel(session, GRACE, sent.id, now=LATER, today=TODAY)

    sides = session.execute(select(LedgerPosting.account, LedgerPosting.detail, LedgerPosting.amount_minor))
    assert sorted(map(tuple, sides)) == [
        (Account.RECEIVABLE, "", -22700),
        (Account.RECEIVABLE, "", 22700),
        (Account.REVENUE, "other", -1000),
        (Account.REVENUE, "other", 1000),
        (Account.REVENUE, "service", -20000),
        (Account.REVENUE, "service", 20000),
        (Account.TAX_PAYABLE, "10", -100),
        (Account.TAX_PAYABLE, "10", 100),
        (Account.TAX_PAYABLE, "19", -3800),
        (Account.TAX_PAYABLE, "19", 3800),
    ]


def test_a_number_at_creation_drawn_or_chosen(session):
    wanted = content(session, a_customer(session))

    drawn = service.create(session, GRACE, wanted, now=NOW, numbered=True)
    chosen = service.create(session, GRACE, wanted, now=NOW, number="ACME-7")

    assert (drawn.state, drawn.number, chosen.number) == (InvoiceState.DRAFT, "INV-2026-001", "ACME-7")
    assert service.send(session, GRACE, chosen.id, now=NOW).number == "ACME-7"
    with pytest.raises(Conflict, match="already used"):
        service.create(session, GRACE, wanted, now=NOW, number="ACME-7")


def test_saving_what_is_there_already_writes_nothing(session):
    draft = a_draft(session, a_customer(session))
    audited, version = len(_audited(session)), draft.version

    saved = _edit(session, draft, customer_name=" Acme  Corp", lines=(a_line(quantity="2.0"),))

    assert saved.version == version
    assert len(_audited(session)) == audited


def test_a_saved_draft_says_what_changed(session):
    draft = a_draft(session, a_customer(session), a_line(), a_line("Hosting", "1", "10"))
    untouched = queries.lines(session, draft.id)[0].public_id

    saved = _edit(session, draft, notes="Thanks", lines=(a_line(), a_line("Hosting", "3", "10"), a_line("Setup")))

    assert [line.description for line in queries.lines(session, draft.id)] == ["Consulting", "Hosting", "Setup"]
    assert queries.lines(session, draft.id)[0].public_id == untouched
    # 200 + 30 + 200, at 19 %.
    assert (saved.subtotal_minor, saved.total_minor, saved.version) == (43000, 51170, 2)
    before, after = _audited(session)[-1]
    assert (before["notes"], after["notes"]) == ("", "Thanks")
    assert (before["line 2"], after["line 2"]) == ("Hosting, 1 × 10, 19 % tax", "Hosting, 3 × 10, 19 % tax")
    assert (before["line 3"], after["line 3"]) == (None, "Consulting, 2 × 100, 19 % tax".replace("Consulting", "Setup"))
    assert "line 1" not in after


def test_a_draft_that_saves_itself_makes_one_event_a_person_and_ten_minutes(session):
    draft = a_draft(session, a_customer(session))
    grace, ada = GRACE, replace(GRACE, name="Ada")

    for minute, actor in ((1, grace), (2, grace), (3, ada), (4, grace), (5, ada), (12, grace)):
        _edit(session, draft, actor, notes=f"at {minute}", now=NOW + timedelta(minutes=minute))

    told = [(event.kind.value, event.actor_name) for event in reversed(queries.events(session, draft.id))]
    assert told == [
        ("created", "system"),
        ("edited", "Grace Hopper"),
        ("edited", "Ada"),
        ("edited", "Grace Hopper"),
    ]
    assert len(_audited(session)) == 7


def test_a_stale_save_is_refused_and_says_what_changed_meanwhile(session):
    draft = a_draft(session, a_customer(session))
    drawn_from = draft.version
    _edit(session, draft, replace(GRACE, name="Ada"), notes="By Ada", lines=(a_line("Design"), a_line("More")))

    with pytest.raises(Conflict) as refused:
        _edit(session, draft, drawn_from=drawn_from, notes="By Grace", lines=(a_line("Design", "3"),))

    assert "Ada has saved this draft in the meantime" in str(refused.value)
    assert refused.value.fields == {
        "notes": "is now “By Ada”",
        "line 1": "is now “Design, 2 × 100, 19 % tax”",
        "line 2": "is now “More, 2 × 100, 19 % tax”",
    }
    assert queries.one(session, SYSTEM, draft.id).notes == "By Ada"


def test_lines_and_amounts_change_in_drafts_only(session):
    sent = an_invoice(session, a_customer(session))

    with pytest.raises(Conflict, match="INV-2026-001 is not a draft any more"):
        _edit(session, sent, lines=(a_line("Other"),))


def test_a_numbered_draft_stays_with_the_business_that_numbered_it(session):
    numbered = service.create(session, GRACE, content(session, a_customer(session)), now=NOW, numbered=True)

    with pytest.raises(Conflict):
        _edit(session, numbered, business_id=99)


def test_a_copy_has_prices_with_tax_as_its_original_has(session):
    original = an_invoice(
        session, a_customer(session), a_line(unit_price="379", tax_rate="21"), prices_include_tax=True
    )
    copy = service.duplicate(session, GRACE, original.id, now=LATER, today=TODAY)
    assert (copy.prices_include_tax, copy.subtotal_minor, copy.total_minor) == (True, 62645, 75800)


def test_a_copy_says_the_same_today_and_without_a_number(session):
    """It is due as many days after its date as somebody has chosen for the original: seven."""
    original = an_invoice(session, a_customer(session), notes="As agreed", due_on=date(2026, 3, 9))

    copy = service.duplicate(session, GRACE, original.id, now=LATER, today=date(2026, 6, 1))

    assert (copy.number, copy.state, copy.notes) == (None, InvoiceState.DRAFT, "As agreed")
    assert (copy.issued_on, copy.due_on) == (date(2026, 6, 1), date(2026, 6, 8))
    assert copy.total_minor == original.total_minor
    assert queries.events(session, copy.id)[0].data == {"copied_from": original.id, "number": "INV-2026-001"}


def test_a_discarded_draft_leaves_the_lists_and_keeps_its_history(session):
    draft = a_draft(session, a_customer(session))

    service.discard(session, GRACE, draft.id, now=NOW)

    assert queries.page(session, SYSTEM, queries.InvoiceFilter(), today=TODAY) == []
    assert kinds(session, draft.id) == ["created", "cancelled"]
    with pytest.raises(Conflict):
        service.discard(session, GRACE, an_invoice(session, draft.customer_id).id, now=NOW)


def test_details_change_until_paid_and_a_later_due_date_ends_overdue(session):
    sent = an_invoice(session, a_customer(session))
    after = date(2026, 6, 1)
    after_sending.mark_overdue(session, GRACE, sent.id, now=NOW)
    assert lifecycle.status(sent, after) is InvoiceStatus.OVERDUE

    changed = service.update_details(
        session, GRACE, sent.id, Details(due_on=date(2026, 6, 15), notes="Extended"), now=NOW, today=after
    )

    assert lifecycle.status(changed, after) is InvoiceStatus.SENT
    assert (changed.notes, changed.customer_name, changed.total_minor) == ("Extended", "Acme Corp", 23800)
    assert queries.events(session, sent.id)[0].data == {"fields": ["due_on", "notes"]}

    lifecycle.settle(session, GRACE, changed, paid=23800, event=EventKind.PAYMENT, now=NOW)
    with pytest.raises(Conflict, match="does not change any more"):
        service.update_details(session, GRACE, sent.id, Details(notes="Late"), now=NOW, today=after)


def test_a_form_of_details_conflicts_with_what_others_saved_and_not_with_what_else_happened(session):
    sent = an_invoice(session, a_customer(session))
    shown = Details(customer_name="Acme Corp", notes="")
    after_sending.mark_viewed(session, sent.token, now=LATER)

    service.update_details(session, GRACE, sent.id, Details(notes="By Grace"), now=NOW, today=TODAY, shown=shown)

    with pytest.raises(Conflict, match="Grace Hopper has saved Invoice INV-2026-001 in the meantime") as refused:
        service.update_details(session, GRACE, sent.id, Details(notes="By Ada"), now=NOW, today=TODAY, shown=shown)
    assert refused.value.fields == {"notes": "is now “By Grace”"}


def test_wrong_details_are_named(session):
    sent = an_invoice(session, a_customer(session))
    wrong = Details(customer_email="nobody", due_on=TODAY - timedelta(days=1))

    with pytest.raises(Invalid) as refused:
        service.update_details(session, GRACE, sent.id, wrong, now=NOW, today=TODAY)

    assert set(refused.value.fields) == {"customer_email", "due_on"}


def test_five_thousand_lines_are_saved_and_sent(session):
    lines = tuple(a_line(f"Line {at}", "1", "0.01", "0") for at in range(5_000))

    sent = an_invoice(session, a_customer(session), *lines)

    assert sent.total_minor == 5_000
    assert session.scalar(select(func.count()).select_from(InvoiceLineItem)) == 5_000


def test_who_may_not_write_or_see_an_invoice_cannot(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    draft = a_draft(session, acme)
    of_other = replace(actor_with(Role.ADMIN, user_id=None, name="Bo"), customer_id=other)

    with pytest.raises(Forbidden):
        service.create(session, READER, content(session, acme), now=NOW)
    with pytest.raises(Forbidden):
        service.send(session, READER, draft.id, now=NOW)
    with pytest.raises(NotFound):
        service.send(session, of_other, draft.id, now=NOW)
    with pytest.raises(Invalid):
        service.create(session, of_other, content(session, acme), now=NOW)
    with pytest.raises(NotFound):
        queries.one(session, of_other, draft.public_id)
    assert queries.page(session, of_other, queries.InvoiceFilter(), today=TODAY) == []


def test_a_discount_lowers_tax_and_revenue_alike(session):
    """200.00 less 10 % is 180.00, its tax 34.20."""
    sent = an_invoice(session, a_customer(session), discount_percent=Decimal(10))

    assert (sent.subtotal_minor, sent.tax_minor, sent.due_minor) == (18000, 3420, 21420)
