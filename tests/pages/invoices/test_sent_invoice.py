"""A sent invoice on its page: what it shows to whom, its details, reminders and mails."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle
from billing_core.invoices.models import EventKind, Invoice
from billing_core.invoices.rows import EventRow
from billing_core.mailing import service as mailing
from billing_core.outbox.models import OutboxMessage
from billing_core.recipients import Recipients
from pages.invoice_document_sections import timeline
from tests.invoices.company import NOW, a_customer, a_line, an_invoice
from tests.pages.as_read import as_read
from tests.pages.invoices.sent import HOSTILE, acme, invoice, opened, pay
from tests.pages.invoicing import cards, choose, field, press, shown, stored
from tests.pages.roles import EVERY_ROLE

__all__ = ["acme", "invoice"]


@EVERY_ROLE
def test_every_role_reads_the_invoice_and_only_admins_act(page_as, sessions, invoice, role):
    pay(sessions, invoice, 10_000)
    page = opened(page_as, invoice, role)

    assert cards(page) == {"Total": "297.50 USD", "Paid": "100.00 USD", "Amount due": "197.50 USD"}
    said = shown(page)
    assert "= PDF = ledger = 297.50 USD" in said
    assert "Paid 100.00 USD in cash" in said
    assert as_read(page.page_link[0].label) == HOSTILE
    assert bool(page.menu_button) == (role == "admin")
    assert page.dataframe[0].value["Description"].tolist() == ["Consulting", "Travel :red[!]"]


def test_no_amount_is_cut_off_in_a_narrow_window(page_as, sessions, acme):
    """530 pixels are there beside the menu at 800. A digit takes 7, what separates them 4, and 16 are around it."""
    with sessions.begin() as session:
        discounted = an_invoice(session, acme, a_line("Long words " * 20, discount_percent=Decimal(5))).id
        large = an_invoice(session, acme, a_line("Work", "12", "1234567.25")).id
    assert sum(widths(opened(page_as, discounted)).values()) <= 530
    wide = widths(opened(page_as, large))
    # 1,234,567.25 and 14,814,807.00
    assert (wide["Price, USD"], wide["Amount, USD"]) == (91, 98)
    assert sum(wide.values()) <= 530


def widths(page) -> dict[str, int]:
    """Of the lines' columns, in pixels."""
    configured = json.loads(page.dataframe[0].proto.columns)
    return {name: column["width"] for name, column in configured.items() if "width" in column}


def test_the_pdf_is_shown_as_it_was_drawn(page_as, invoice):
    """Not once more as a JPEG, which blurs its letters and takes its time with every click."""
    assert [Path(url).suffix for picture in opened(page_as, invoice).image for url in picture.value] == [".png"]


@pytest.mark.parametrize("key", ["total", "paid", "due"])
def test_every_amount_opens_into_its_postings(page_as, sessions, invoice, key):
    pay(sessions, invoice, 10_000)
    page = opened(page_as, invoice, "finance")
    page.button(key=f"ledger_{key}").click().run()

    assert not page.exception
    assert "= the amount ✓" in shown(page)
    rows = {"total": ["297.50"], "paid": ["100.00"], "due": ["297.50", "-100.00"]}[key]
    assert page.dataframe[-1].value["Amount"].tolist() == rows


def test_long_descriptions_have_the_lines_that_they_need(page_as, sessions, acme, invoice):
    with sessions.begin() as session:
        words = "Storage, Oct 1 – 31, 2023: used 1,260.5, included 50, 100 × 0.50 USD + fee 7.00 USD"
        long = an_invoice(session, acme, a_line(words, "1", "57"), customer_name=HOSTILE).id
    heights = [opened(page_as, one).dataframe[0].proto.row_height for one in (invoice, long)]
    # One line as ever; 83 characters on three lines of 40.
    assert heights == [0, 75]


def test_a_customers_own_user_sees_theirs_and_no_other(page_as, sessions, acme, invoice):
    with sessions.begin() as session:
        other = an_invoice(session, a_customer(session, "BOLT", name="Bolt")).id
    visitor = page_as("finance", customer_id=acme)

    assert cards(visitor.visit("invoice_editor.py", invoice=str(invoice)))["Total"] == "297.50 USD"
    page = visitor.visit("invoice_editor.py", invoice=str(other))
    assert not page.exception
    assert [error.value for error in page.error] == [f"There is no invoice {other}"]
    assert not page.metric


def test_details_change_until_it_is_paid_and_lines_do_not(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Edit details")
    field(page, "customer_email").set_value("new@example.com")
    field(page, "due_on").set_value(utc_now().date() + timedelta(days=20))
    page = press(page, "save_details", opener="Edit details")

    assert not page.exception
    assert stored(sessions, invoice).customer_email == "new@example.com"
    assert "Changed: due date, customer email" in shown(page)

    page = choose(page, "Mark as overdue")
    page = press(page, "do_mark_overdue", opener="Mark as overdue")
    assert "Marked as overdue" in shown(page)


def test_reminders_are_held_with_a_reason_and_allowed_again(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Hold reminders")
    page.text_input(key=f"hold_reason_{invoice}").set_value("They dispute a line")
    page = press(page, "do_hold", opener="Hold reminders")
    assert stored(sessions, invoice).held_until is not None
    assert "They dispute a line" in page.info[0].value

    choose(page, "Allow reminders again")
    assert stored(sessions, invoice).held_until is None


def test_reminders_are_held_again_after_a_hold_is_over(page_as, sessions, invoice):
    yesterday = utc_now().date() - timedelta(days=1)
    with sessions.begin() as session:
        session.get_one(Invoice, invoice).held_until = yesterday
    page = choose(opened(page_as, invoice), "Hold reminders")
    assert not page.exception
    # The business keeps UTC.
    assert page.date_input(key=f"hold_until_{invoice}").value == yesterday + timedelta(days=15)


@pytest.mark.parametrize("kind", list(EventKind))
@pytest.mark.parametrize("data", [None, {"amount_minor": 5, "reason": "r", "method": "cash", "until": "2026-03-01"}])
def test_everything_that_can_happen_has_its_sentence(kind, data):
    sentence = timeline.sentence(EventRow(1, NOW, kind, "Ada", data), "USD")
    assert sentence
    assert "None" not in sentence


def test_whom_a_mail_missed_is_said_before_everybody_gets_another(page_as, sessions, invoice):
    with sessions.begin() as session:
        to = Recipients.read("ap@acme.example, ben@acme.example")
        mail = session.get_one(
            OutboxMessage,
            mailing.send_invoice(session, SYSTEM, invoice, now=NOW, today=date(2026, 3, 5), to=to),
        )
        mail.state, mail.answers, mail.attempts = "failed", {"ap@acme.example": "", "ben@acme.example": "550 no"}, 1
    page = opened(page_as, invoice)
    page.button(key="do_Send by e-mail").click().run()
    assert "A mail about it reached others, but not ben@acme.example." in shown(page)


def test_who_got_a_mail_is_told_and_people_of_the_customer_do_not_read_of_blind_copies(
    page_as, sessions, acme, invoice
):
    data = {"to": "ap@acme.example", "cc": "cfo@acme.example", "bcc": "books@ours.example", "missed": "us@ours.example"}
    with sessions.begin() as session:
        lifecycle.note(session, SYSTEM, invoice, EventKind.MAILED, data, now=NOW)
        lifecycle.note(session, SYSTEM, invoice, EventKind.EDITED, {"fields": ["notes", "bcc_emails"]}, now=NOW)
    ours = shown(opened(page_as, invoice))
    assert (
        "Mailed to ap@acme.example, copy to cfo@acme.example, blind copy to books@ours.example, not to us@ours" in ours
    )
    assert "Changed: notes, bcc emails" in ours
    theirs = shown(page_as("finance", customer_id=acme).visit("invoice_editor.py", invoice=str(invoice)))
    assert "Mailed to ap@acme.example, copy to cfo@acme.example" in theirs
    assert "ours.example" not in theirs
    assert "bcc" not in theirs.lower()


def test_what_came_back_is_told_and_nobody_of_the_customer_reads_of_whom_we_copied_blindly(
    page_as, sessions, acme, invoice
):
    with sessions.begin() as session:
        reason = {"to": "ap@acme.example", "reason": "550 no <b>*mailbox*</b>"}
        blind = {"bcc": "books@ours.example", "bcc_reason": "550 <books@ours.example> is full"}
        lifecycle.note(session, SYSTEM, invoice, EventKind.BOUNCED, reason, now=NOW)
        lifecycle.note(session, SYSTEM, invoice, EventKind.DELAYED, blind, now=NOW)
    ours = shown(opened(page_as, invoice))
    assert "The mail to ap@acme.example came back: “550 no <b>*mailbox*</b>”" in ours
    assert "The mail to books@ours.example is late, and still being tried" in ours
    theirs = shown(page_as("finance", customer_id=acme).visit("invoice_editor.py", invoice=str(invoice)))
    assert "The mail to ap@acme.example came back" in theirs
    assert "The mail to somebody is late" in theirs
    assert "ours.example" not in theirs


@pytest.mark.usefixtures("mail_server")
def test_one_click_reminds_of_one_invoice_and_a_second_one_says_why_not(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Remind now")
    assert not page.exception
    with sessions() as session:
        (mail,) = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "reminder_late"))
        assert mail.subject_id == str(invoice)

    page = choose(opened(page_as, invoice), "Remind now")
    said = [toast.value for toast in page.toast]
    assert any("a reminder waits in the outbox already" in one for one in said)
