"""Money on the page of a sent invoice: payments, credit, credit notes, refunds, and what is written off."""

from datetime import date
from decimal import Decimal

from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.models import InvoiceState
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit
from tests.invoices.company import NOW, a_line, an_invoice
from tests.pages.as_read import as_read
from tests.pages.invoices.sent import acme, invoice, opened, pay
from tests.pages.invoicing import cards, choose, press, shown, stored

__all__ = ["acme", "invoice"]


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


def test_a_payment_that_takes_the_early_discount_is_warned_of_where_it_was_recorded_before(page_as, sessions, acme):
    """2 % of 238.00 is 4.76: 233.24 settle each of two invoices."""
    with sessions.begin() as session:
        facts = {"issued_on": utc_now().date(), "payment_terms": "2% 10 days, net 30"}
        both = [an_invoice(session, acme, a_line(), **facts).id for _ in range(2)]
    warned = []
    for one in both:
        page = opened(page_as, one)
        page.button(key="do_Record payment").click().run()
        page.text_input(key=f"payment_amount_{one}").set_value("233,24")
        page.button(key="do_Record payment").click().run()
        warned.append([said.value for said in page.warning if "was recorded for this customer before" in said.value])
        press(page, "record_payment", again="do_Record payment")
        assert stored(sessions, one).state is InvoiceState.PAID
    assert [len(said) for said in warned] == [0, 1]


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
