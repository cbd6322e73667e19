"""A sent invoice on its page: what it shows to whom, and everything that can be done about it."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, from_reports, lifecycle
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.invoices.rows import EventRow
from billing_core.mailing import service as mailing
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.recipients import Recipients
from pages.invoice_document_sections import timeline
from tests.invoices.company import NOW, a_customer, a_line, an_invoice
from tests.pages.as_read import as_read
from tests.pages.filled import fill
from tests.pages.invoicing import cards, choose, content_of, field, ids, press, shown, stored
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import billed

HOSTILE = "Zoë :red[$5 *Corp*] 🚀"


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session, name=HOSTILE)


@pytest.fixture
def invoice(sessions, acme) -> int:
    """2 × 100.00 and 1 × 50.00, both at 19 %: 297.50, long overdue."""
    with sessions.begin() as session:
        return an_invoice(session, acme, a_line(), a_line("Travel :red[!]", "1", "50"), customer_name=HOSTILE).id


def pay(sessions, invoice_id: int, amount_minor: int) -> None:
    with sessions.begin() as session:
        facts = Received("USD", amount_minor, PaymentMethod.CASH, date(2026, 3, 5), "till 1")
        received.record_for(session, SYSTEM, invoice_id, received=facts, today=date(2026, 3, 5), now=NOW)


def opened(page_as, invoice_id: int, role: str = "admin"):
    page = page_as(role).visit("invoice_editor.py", invoice=str(invoice_id))
    assert not page.exception
    return page


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


def test_the_same_payment_twice_is_warned_of_and_can_be_recorded_all_the_same(page_as, sessions, invoice):
    for times in (1, 2):
        page = opened(page_as, invoice)
        page.button(key="do_Record payment").click().run()
        page.text_input(key=f"payment_amount_{invoice}").set_value("100,00")
        page.button(key="do_Record payment").click().run()
        warned = [one.value for one in page.warning if "The same amount was recorded for this customer" in one.value]
        assert len(warned) == times - 1
        press(page, "record_payment", again="do_Record payment")
        assert stored(sessions, invoice).paid_minor == times * 100_00


def test_a_payment_that_takes_the_early_discount_is_told_and_settles_the_invoice(page_as, sessions, acme):
    with sessions.begin() as session:
        today = utc_now().date()
        facts = {"issued_on": today, "payment_terms": "2% 10 days, net 30"}
        invoice = an_invoice(session, acme, a_line(), **facts).id
    page = opened(page_as, invoice)
    page.button(key="do_Record payment").click().run()
    page.text_input(key=f"payment_amount_{invoice}").set_value("233,24")
    page.button(key="do_Record payment").click().run()
    # By hand: 2 % of 238.00 is 4.76.
    assert "a credit note takes off the discount of 4.76 USD" in shown(page)
    press(page, "record_payment", again="do_Record payment")
    kept = stored(sessions, invoice)
    assert (kept.state, kept.paid_minor, kept.credited_minor) == (InvoiceState.PAID, 233_24, 4_76)


def test_an_overpayment_pays_the_invoice_and_the_rest_is_kept(page_as, sessions, invoice):
    page = opened(page_as, invoice)
    page.button(key="do_Record payment").click().run()
    assert page.text_input(key=f"payment_amount_{invoice}").value == "297.50"
    page.text_input(key=f"payment_amount_{invoice}").set_value("300,00")
    page.text_input(key=f"payment_reference_{invoice}").set_value("RF18")
    page.button(key="do_Record payment").click().run()
    assert "2.50 USD is kept as the customer's credit" in shown(page)

    press(page, "record_payment", again="do_Record payment")
    assert not page.exception
    assert stored(sessions, invoice).state is InvoiceState.PAID
    with sessions() as session:
        assert [str(kept) for _, kept in credit.balances(session, SYSTEM, stored(sessions, invoice).customer_id)] == [
            "2.50 USD"
        ]


def test_credit_pays_another_invoice(page_as, sessions, acme, invoice):
    pay(sessions, invoice, 30_000)
    with sessions.begin() as session:
        other = an_invoice(session, acme).id
    page = choose(opened(page_as, other), "Use the customer's credit")
    assert page.text_input(key=f"credit_amount_{other}").value == "2.50"
    press(page, "use_credit", opener="Use the customer's credit")

    assert stored(sessions, other).paid_minor == 250


def test_a_payment_recorded_wrongly_is_taken_back(page_as, sessions, invoice):
    pay(sessions, invoice, 29_750)
    page = opened(page_as, invoice)
    page.menu_button(key="take_back_payment").click_index(0).run()
    page.text_input(key="undo_reason_1").set_value("wrong customer")
    page.button(key="take_back").click()
    page.menu_button(key="take_back_payment").click_index(0).run()

    assert not page.exception
    assert (stored(sessions, invoice).state, stored(sessions, invoice).paid_minor) == (InvoiceState.OPEN, 0)
    assert "wrong customer" in shown(page)


def test_a_credit_note_lowers_what_is_due(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Credit note")
    page.text_input(key=f"credit_note_amount_{invoice}").set_value("97.50")
    page = press(page, "issue_credit_note", opener="Credit note")
    assert "Say why" in shown(page)

    page.text_input(key=f"credit_note_reason_{invoice}").set_value("Damaged")
    page = press(page, "issue_credit_note", opener="Credit note")
    assert stored(sessions, invoice).due_minor == 20_000
    assert cards(page)["Credited"] == "97.50 USD"
    assert "CN-2026-001" in shown(page)


def test_a_credit_note_on_chosen_lines_says_what_it_comes_to_before(page_as, sessions, invoice):
    """1 of 2 × 100.00 and half of 50.00: 125.00 with 23.75 of tax."""
    page = choose(opened(page_as, invoice), "Credit note")
    page.segmented_control(key=f"credit_note_by_{invoice}").set_value("Lines")
    page = choose(page, "Credit note")
    # What is typed stands right beside its line, where no window is too narrow for it.
    assert list(page.data_editor[0].value) == ["line", "credit", "left", "credited", "on_invoice"]
    for first, said in (("3", "Line 1: the quantity must lie between 0 and 2"), ("x", "Line 1: the quantity is not a")):
        page.session_state[f"credit_note_lines_{invoice}"] = credited(first)
        page = choose(page, "Credit note")
        assert said in shown(page)
        assert page.button(key="issue_credit_note").disabled
    page.session_state[f"credit_note_lines_{invoice}"] = credited("1", "0.5")
    page = choose(page, "Credit note")
    assert "125.00 USD and 23.75 USD tax: **148.75 USD**" in shown(page)

    page.session_state[f"credit_note_lines_{invoice}"] = credited("1", "0.5")
    page.text_input(key=f"credit_note_reason_{invoice}").set_value("Returned")
    page = press(page, "issue_credit_note", opener="Credit note")
    assert stored(sessions, invoice).due_minor == 14_875
    with sessions() as session:
        left = credit_notes.creditable(session, SYSTEM, invoice)
        assert [one.left for one in left] == [1, Decimal("0.5")]


def credited(*quantities: str) -> dict[str, object]:
    """The grid of lines as the browser tells it."""
    return {
        "edited_rows": {at: {"credit": one} for at, one in enumerate(quantities)},
        "added_rows": [],
        "deleted_rows": [],
    }


def test_a_credit_note_is_mailed_with_its_pdf(page_as, sessions, invoice):
    with sessions.begin() as session:
        note = credit_notes.issue(
            session,
            SYSTEM,
            invoice,
            reason="Damaged",
            issued_on=date(2026, 3, 5),
            today=date(2026, 3, 5),
            now=NOW,
            amount_minor=9_750,
        )
        note_id, number = note.id, note.number
    page = opened(page_as, invoice)
    page.menu_button(key="mail_credit_note").click_index(0).run()
    page.text_input(key=f"mail_credit_note_to_{note_id}").set_value("books@example.com")
    page.button(key="send_credit_note").click()
    page.menu_button(key="mail_credit_note").click_index(0).run()

    assert not page.exception
    assert as_read(page.toast[0].value) == (
        "The credit note for books@example.com is kept in the outbox: no mail server is set up, so nobody gets it"
    )
    with sessions() as session:
        (message,) = session.scalars(select(OutboxMessage))
    assert (message.topic, message.subject_id) == ("credit_note", str(note_id))
    assert message.recipient == "books@example.com"
    assert number in message.title
    assert message.content["attachments"] == [["credit_note_pdf", note_id]]


def test_a_paid_invoice_is_refunded_as_credit(page_as, sessions, invoice):
    pay(sessions, invoice, 29_750)
    page = choose(opened(page_as, invoice), "Refund")
    page.selectbox(key=f"refund_way_{invoice}").set_value("")
    page.text_input(key=f"refund_reason_{invoice}").set_value("Came too late")
    page = press(page, "record_refund", opener="Refund")

    assert not page.exception
    assert stored(sessions, invoice).refunded_minor == 29_750
    assert "Sum 297.50 USD = refunded ✓" in shown(page)
    assert ":orange-badge[Refunded]" in shown(page)


def test_a_write_off_is_made_and_undone(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Write off")
    page.text_input(key=f"write_off_reason_{invoice}").set_value("Insolvent")
    page = press(page, "do_write_off", opener="Write off")
    assert stored(sessions, invoice).state is InvoiceState.CANCELLED
    # The published status stays; what became of it stands beside.
    assert ":gray-badge[Cancelled]" in shown(page)
    assert ":orange-badge[Written off]" in shown(page)

    page = choose(page, "Undo the write-off")
    page.text_input(key=f"undo_write_off_reason_{invoice}").set_value("They paid after all")
    press(page, "do_undo_write_off", opener="Undo the write-off")
    assert stored(sessions, invoice).due_minor == 29_750


def test_cancelling_is_refused_in_words_while_money_came_in(page_as, sessions, invoice):
    pay(sessions, invoice, 100)
    page = choose(opened(page_as, invoice), "Cancel invoice")
    assert "1.00 USD was paid for this invoice, so it cannot be cancelled" in shown(page)
    assert "do_cancel" not in [button.key for button in page.button]


def test_an_open_invoice_is_cancelled_with_its_reason(page_as, sessions, invoice):
    page = choose(opened(page_as, invoice), "Cancel invoice")
    page.text_input(key=f"cancel_reason_{invoice}").set_value("Billed twice")
    page = press(page, "do_cancel", opener="Cancel invoice")

    assert stored(sessions, invoice).state is InvoiceState.CANCELLED
    assert "Cancelled: Billed twice" in shown(page)
    assert cards(page) == {"Total": "297.50 USD", "Amount due": "0.00 USD"}


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


def test_a_report_becomes_a_draft_once(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("invoice_editor.py", report=str(filled.bolts_march))
    assert "7.00 EUR" in shown(page)
    page.text_input(key="report_tax").set_value("19").run()
    page.button(key="create_from_report").click().run()

    assert not page.exception
    (invoice_id,) = ids(sessions)
    # 7.00 and 19 % of it, 1.33.
    assert stored(sessions, invoice_id).total_minor == 833
    assert f"Bills report #{filled.bolts_march}" in shown(page)

    page = page_as("admin").visit("invoice_editor.py", report=str(filled.bolts_march))
    assert "is on a draft" in page.warning[0].value
    assert page.button(key="create_from_report").disabled
    page.text_input(key="report_again").set_value("The first draft went to another address").run()
    page.radio(key="report_lines").set_value(from_reports.Grouping.TOTAL).run()
    page.button(key="create_from_report").click().run()
    assert len(ids(sessions)) == 2


def test_what_another_report_bills_needs_a_reason(page_as, sessions):
    """The month is invoiced; then somebody wants to invoice its first three days, with one order of 4.00."""
    filled = fill(sessions)
    with sessions.begin() as session:
        first = from_reports.draft_from_report(session, SYSTEM, filled.march, now=utc_now(), today=date(2026, 4, 2)).id
        days = billed(session, filled.acme, Period(date(2026, 3, 1), date(2026, 3, 3)))
    page = page_as("admin").visit("invoice_editor.py", report=str(days.id))
    assert "Order M\\-1 is billed on a draft" in page.warning[0].value
    assert "2 charges of this report, 4" in page.warning[0].value
    assert page.button(key=f"billed_before_{first}")
    assert page.button(key="create_from_report").disabled
    page.text_input(key="report_again").set_value("Delivered twice").run()
    page.button(key="create_from_report").click().run()
    assert len(ids(sessions)) == 2


def test_lines_of_a_report_stay_linked_while_they_are_edited(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("invoice_editor.py", report=str(filled.march))
    page.button(key="create_from_report").click().run()
    (invoice_id,) = ids(sessions)
    field(page, "notes").set_value("Thank you").run()

    kept = content_of(sessions, invoice_id)
    assert kept.notes == "Thank you"
    assert {line.report_id for line in kept.lines} == {filled.march}


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
