"""The list of invoices: tabs, filters, and what is done with several at once."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received, write_offs
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received
from pages.invoice_sections import filtering
from pages.ui import formats
from pages.ui.inputs import bulk_selection
from pages.ui.text import md
from tests.invoices.company import LATER, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.pages.as_read import as_read
from tests.pages.roles import EVERY_ROLE

NAME = "Acme :red[$5 *Corp*]"


@pytest.fixture
def company(sessions):
    """ACME (USD): a late one of 238.00, one of 119.00 due far away, a paid one of 11.90 and a draft of 200.00.
    KUMA (JPY): one of 5,000 that was cancelled; its number stays."""
    far = utc_now().date() + timedelta(days=90)
    with sessions.begin() as session:
        acme = a_customer(session, name=NAME)
        facts = {"customer_name": NAME, "customer_email": "ap@acme.example"}
        late = an_invoice(session, acme, **facts)
        open_ = an_invoice(session, acme, a_line(quantity="1"), due_on=far, **facts)
        paid = an_invoice(session, acme, a_line(quantity="0.1"), **facts)
        cash = Received("USD", 1190, PaymentMethod.CASH, TODAY)
        received.record_for(session, SYSTEM, paid.id, received=cash, today=TODAY, now=LATER)
        draft = a_draft(session, acme, a_line(tax_rate="0"), **facts)
        kuma = a_customer(session, "KUMA", name="Kuma", currency="JPY")
        yen = a_line(quantity="1", unit_price="5000", tax_rate="0")
        cancelled = an_invoice(session, kuma, yen, currency="JPY", customer_name="Kuma", customer_email="")
        after_sending.cancel(session, SYSTEM, cancelled.id, now=LATER, today=TODAY)
        return {
            "acme": acme,
            "kuma": kuma,
            "late": late.id,
            "open": open_.id,
            "paid": paid.id,
            "draft": draft.id,
            "cancelled": cancelled.id,
        }


def numbers(page) -> list[str]:
    return list(page.dataframe[0].value["Number"]) if page.dataframe else []


@EVERY_ROLE
def test_without_invoices_the_page_says_what_to_do(page_as, role):
    page = page_as(role).visit("invoices.py")

    assert not page.exception
    assert page.info[0].value.startswith("There are no invoices yet.")


@EVERY_ROLE
def test_the_list_shows_status_amounts_and_how_late_each_is(page_as, company, role):
    page = page_as(role).visit("invoices.py", invoices_sort="Number ↑")

    assert not page.exception
    shown = page.dataframe[0].value
    late = f"{(utc_now().date() - date(2026, 4, 1)).days} days"
    assert shown[["Number", "Status", "Late", "Total", "Amount due", "Currency"]].values.tolist() == [
        [f"Draft {company['draft']}", ["Draft"], "", "200.00", "0.00", "USD"],
        ["INV-2026-001", ["Overdue"], late, "238.00", "238.00", "USD"],
        ["INV-2026-002", ["Sent"], "", "119.00", "119.00", "USD"],
        ["INV-2026-003", ["Paid"], "", "11.90", "0.00", "USD"],
        ["INV-2026-004", ["Cancelled"], "", "5,000", "0", "JPY"],
    ]
    total = next(text.value for text in page.caption if text.value.startswith("In total"))
    # 238.00 + 119.00 + 11.90 + 200.00, of which the first two are due.
    said = "In total 5,000 JPY · 568.90 USD, 357.00 USD of it due"
    assert total.replace(formats.NO_BREAK_SPACE, " ") == said
    assert bool(page.link_button) == (role != "finance")


@pytest.mark.parametrize(
    ("tab", "found"),
    [
        ("draft", ["Draft"]),
        ("open", ["INV-2026-001", "INV-2026-002"]),
        ("overdue", ["INV-2026-001"]),
        ("paid", ["INV-2026-003"]),
        ("cancelled", ["INV-2026-004"]),
    ],
)
def test_a_tab_in_the_address_shows_its_invoices_alone(page_as, company, tab, found):
    page = page_as("finance").visit("invoices.py", invoices_tab=tab, invoices_sort="Number ↑")

    assert not page.exception
    assert [number.split(" ")[0] for number in numbers(page)] == found
    assert page.query_params["invoices_tab"] == tab


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ({}, ["All 5", "Draft 1", "Open 2", "Overdue 1", "Paid 1", "Cancelled 1"]),
        ({"invoices_currency": "JPY"}, ["All 1", "Draft 0", "Open 0", "Overdue 0", "Paid 0", "Cancelled 1"]),
        ({"invoices_text": "-002"}, ["All 1", "Draft 0", "Open 1", "Overdue 0", "Paid 0", "Cancelled 0"]),
    ],
)
def test_the_tabs_count_what_the_other_filters_leave(page_as, company, query, counts):
    page = page_as("finance").visit("invoices.py", **query)
    assert list(page.button_group[0].options) == counts


def test_of_very_many_invoices_the_tabs_count_no_further_than_takes_a_moment(page_as, company, monkeypatch):
    monkeypatch.setattr(filtering, "_COUNTED", 2)
    page = page_as("finance").visit("invoices.py")
    assert list(page.button_group[0].options) == [
        *("All 2+", "Draft 1", "Open 2+", "Overdue 1", "Paid 1", "Cancelled 1"),
    ]
    assert len(numbers(page)) == 5
    assert "Narrow the filters to see what these invoices come to." in [text.value for text in page.caption]

    draft = page_as("finance").visit("invoices.py", invoices_tab="draft")
    total = next(text.value for text in draft.caption if text.value.startswith("In total"))
    assert total.replace(formats.NO_BREAK_SPACE, " ") == "In total 200.00 USD"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"invoices_due_to": "2026-04-01", "invoices_smallest": "100"}, ["INV-2026-001", "INV-2026-004"]),
        ({"invoices_smallest": "11.9", "invoices_largest": "119.00"}, ["INV-2026-002", "INV-2026-003"]),
        ({"invoices_issued_from": "2026-03-03"}, []),
        ({"invoices_customer": "Kuma"}, ["INV-2026-004"]),
        ({"invoices_text": "ap@acme", "invoices_tab": "open"}, ["INV-2026-001", "INV-2026-002"]),
    ],
)
def test_filters_in_the_address_narrow_the_list_and_its_files(page_as, company, query, found):
    page = page_as("manager").visit("invoices.py", invoices_sort="Number ↑", **query)

    assert not page.exception
    assert [number for number in numbers(page) if number.startswith("INV")] == found
    if not found:
        assert page.info[0].value.startswith("No invoice matches these filters.")


def test_the_links_to_files_carry_the_filters(page_as, company):
    page = page_as("manager").visit("invoices.py", invoices_tab="open", invoices_text="acme", invoices_smallest="1.50")
    addresses = {link.url.partition("?")[0].removeprefix("/downloads/"): link.url for link in page.link_button}
    of_invoices = ["invoices.csv", "invoices.xlsx", "invoice-lines.csv", "invoice-lines.xlsx", "invoice-taxes.csv"]
    for name in of_invoices:
        assert "status=sent&status=viewed&status=overdue" in addresses[name]
        assert "smallest=1.5&text=acme" in addresses[name]
    assert [*addresses] == [*of_invoices, "credit-notes.csv", "credit-notes.xlsx"]
    assert addresses["credit-notes.xlsx"] == "/downloads/credit-notes.xlsx?text=acme"


def test_an_amount_that_is_none_is_said_at_its_field(page_as, company):
    page = page_as("finance").visit("invoices.py", invoices_smallest="many")
    assert any("Total at least is not a number" in text.value for text in page.warning)
    assert not page.dataframe


def test_a_kept_view_brings_tab_and_filters_back(page_as, company):
    visitor = page_as("manager")
    page = visitor.visit("invoices.py", invoices_tab="open", invoices_currency="USD")
    next(one for one in page.text_input if one.label == "Save these filters as").set_value("Dollars")
    page.button(key="FormSubmitter:save_view_invoices-Save view").click().run()
    page.button_group[0].set_value("cancelled").run()
    assert page.query_params["invoices_tab"] == "cancelled"
    next(one for one in page.button if one.label == "Dollars").click().run()

    assert not page.exception
    assert page.query_params["invoices_tab"] == "open"
    assert sorted(numbers(page)) == ["INV-2026-001", "INV-2026-002"]


def test_an_empty_tab_says_what_that_means(page_as, sessions):
    with sessions.begin() as session:
        a_draft(session, a_customer(session))
    page = page_as("finance").visit("invoices.py", invoices_tab="overdue")
    assert page.info[0].value == "Nothing is late."


def test_the_address_of_one_invoice_leads_to_it(page_as, company):
    page = page_as("finance").visit("invoices.py", invoice=str(company["late"]))
    assert not page.exception
    assert page.query_params == {"invoice": str(company["late"])}
    assert any(md("INV-2026-001") in title.value for title in page.title)


def test_who_is_bound_to_a_customer_sees_its_invoices_alone(page_as, company):
    page = page_as("finance", customer_id=company["kuma"]).visit("invoices.py")
    assert numbers(page) == ["INV-2026-004"]
    assert page.button_group[0].options[0] == "All 1"


def all_chosen(page_as, role="admin", **query):
    page = page_as(role).visit("invoices.py", **query)
    return next(box for box in page.checkbox if box.label.startswith("All ")).check().run()


def confirm(page, opener: str, confirming: str):
    """A click in the dialog. Here the whole page runs, not the dialog alone, so its opener is clicked again with it."""
    page.button(key=opener).click()
    next(button for button in page.button if confirming in (button.key, button.label)).click()
    return page.run()


def test_finance_may_do_nothing_with_several(page_as, company):
    page = page_as("finance").visit("invoices.py")
    assert not page.checkbox
    assert not {button.key for button in page.button} & {"bulk_send", "bulk_remind", "bulk_pay", "bulk_cancel"}


def test_a_manager_may_only_download_several(page_as, company):
    page = all_chosen(page_as, "manager", invoices_tab="open")
    assert not {button.key for button in page.button} & {"bulk_send", "bulk_remind", "bulk_pay", "bulk_cancel"}
    (address,) = [link.url for link in page.link_button if "zip" in link.url]
    assert address.startswith("/downloads/invoices.zip?status=sent&status=viewed&status=overdue")


def test_more_than_can_be_looked_through_are_not_worked_on_at_once(page_as, company, monkeypatch):
    monkeypatch.setattr(bulk_selection, "MOST", 4)
    page = page_as("admin").visit("invoices.py")
    (box,) = page.checkbox
    assert box.disabled
    assert box.help == "At most 4 can be handled at once: narrow the filters."


@pytest.mark.usefixtures("mail_server")
def test_sending_is_rehearsed_then_done_and_can_be_recalled(page_as, company, sessions):
    page = all_chosen(page_as)
    page.button(key="bulk_send").click().run()
    assert not page.exception
    left_out, going = (table.value for table in page.dataframe[-2:])
    assert left_out[["Invoice", "Why"]].values.tolist() == [["INV-2026-004", "Is cancelled"]]
    assert sorted(going["Invoice"]) == [
        *(f"Draft {company['draft']}", "INV-2026-001", "INV-2026-002", "INV-2026-003"),
    ]
    assert set(going["To"]) == {"ap@acme.example"}
    assert any("1 draft is due before today" in one.value for one in page.warning)
    (lacking,) = [one.value for one in page.warning if "what the law or usage wants" in one.value]
    assert lacking.startswith("**4 invoices** lack")
    assert f"](/invoice_editor?invoice={company['draft']})" in lacking
    with sessions() as session:
        assert session.get_one(Invoice, company["draft"]).state is InvoiceState.DRAFT
        assert session.scalars(select(OutboxMessage)).all() == []

    confirm(page, "bulk_send", "Send 4 invoices")
    assert not page.exception
    with sessions() as session:
        assert session.get_one(Invoice, company["draft"]).number == "INV-2026-005"
        states = session.execute(select(OutboxMessage.state, OutboxMessage.not_before, OutboxMessage.created_at)).all()
        assert len(states) == 4
        assert {(state, leaves - put) for state, leaves, put in states} == {
            (MessageState.WAITING, timedelta(seconds=60)),
        }

    page.button(key="recall_mails").click().run()
    assert not page.exception
    assert as_read(page.toast[0].value).startswith("Recalled: no mail was sent (4 mails).")
    with sessions() as session:
        assert set(session.scalars(select(OutboxMessage.state))) == {MessageState.RECALLED}
    assert "recall_mails" not in {button.key for button in page.button}


def test_reminding_leaves_out_who_is_held_and_what_is_not_open(page_as, company, sessions):
    tomorrow = utc_now().date() + timedelta(days=1)
    with sessions.begin() as session:
        after_sending.hold(
            session, SYSTEM, company["open"], until=tomorrow, reason="Disputed", now=LATER, today=tomorrow
        )
    page = all_chosen(page_as)
    page.button(key="bulk_remind").click().run()
    assert not page.exception
    left_out, going = (table.value for table in page.dataframe[-2:])
    assert dict(left_out[["Invoice", "Why"]].values.tolist()) == {
        f"Draft {company['draft']}": "Has not been sent yet",
        "INV-2026-002": f"The invoice is held until {tomorrow:%m/%d/%Y}: Disputed",
        "INV-2026-003": "Is paid",
        "INV-2026-004": "Is cancelled",
    }
    assert going[["Invoice", "Amount due"]].values.tolist() == [["INV-2026-001", "238.00"]]

    confirm(page, "bulk_remind", "Send 1 reminder")
    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(OutboxMessage.subject_id)).all() == [str(company["late"])]


def test_marking_paid_records_a_payment_of_what_is_due_on_each(page_as, company, sessions):
    page = all_chosen(page_as)
    page.button(key="bulk_pay").click().run()
    assert not page.exception
    left_out, going = (table.value for table in page.dataframe[-2:])
    assert sorted(left_out["Why"]) == ["Is a draft: send it first", "Is cancelled", "Is paid already"]
    assert sorted(going[["Invoice", "Payment"]].values.tolist()) == [
        ["INV-2026-001", "238.00"],
        ["INV-2026-002", "119.00"],
    ]
    page.selectbox(key="paying_method").set_value(PaymentMethod.CHEQUE)
    page.text_input(key="paying_reference").set_value("Deposit 7")
    confirm(page, "bulk_pay", "pay")

    assert not page.exception
    assert as_read(page.toast[0].value) == "2 invoices marked as paid."
    with sessions() as session:
        assert session.get_one(Invoice, company["late"]).state is InvoiceState.PAID
        assert session.get_one(Invoice, company["open"]).state is InvoiceState.PAID
        made = select(Payment.amount_minor, Payment.method, Payment.reference).where(Payment.reference != "")
        assert set(session.execute(made).all()) == {
            (23800, PaymentMethod.CHEQUE, "Deposit 7"),
            (11900, PaymentMethod.CHEQUE, "Deposit 7"),
        }


def test_marking_paid_names_payments_of_the_same_amounts_that_were_recorded_before(page_as, company, sessions):
    with sessions.begin() as session:
        same = Received("USD", 11900, PaymentMethod.CASH, TODAY, "Deposit 7")
        owner = session.get_one(Invoice, company["open"]).customer_id
        first = received.record(
            session, SYSTEM, customer_id=owner, received=same, allocations={}, today=TODAY, now=LATER
        ).id
    page = all_chosen(page_as)
    page.button(key="bulk_pay").click().run()
    page.text_input(key="paying_reference").set_value("deposit 7")
    page.button(key="bulk_pay").click().run()
    (said,) = [one.value for one in page.warning if "recorded before" in one.value]
    assert f"recorded before for 1 of these: [payment {first}](/payments?payment={first})" in said


def test_marking_paid_tells_of_discounts_for_early_payment_and_records_those_that_were_taken(page_as, sessions):
    """2 % of 238.00 are 4.76, which leaves 233.24, until the tenth day."""
    with sessions.begin() as session:
        early = an_invoice(session, a_customer(session), payment_terms="2 % 10 days, net 30").id
        usual = an_invoice(session, a_customer(session, "KUMA", name="Kuma")).id
    page = all_chosen(page_as)
    page.button(key="bulk_pay").click().run()
    assert "paying_discount" not in [box.key for box in page.checkbox]

    page.date_input(key="paying_day").set_value(TODAY + timedelta(days=10))
    page.button(key="bulk_pay").click().run()
    told = "Early payment settles 1 of these for less: INV-2026-001: 233.24\N{NO-BREAK SPACE}USD until 03/12/2026."
    assert told in [as_read(one.value) for one in page.caption]
    assert "in total **476.00\N{NO-BREAK SPACE}USD**" in as_read(page.markdown[-1].value)

    page.checkbox(key="paying_discount").check()
    page.button(key="bulk_pay").click().run()
    assert "in total **471.24\N{NO-BREAK SPACE}USD**" in as_read(page.markdown[-1].value)
    assert "each can be undone on its invoice" in as_read(page.markdown[-1].value)
    assert sorted(page.dataframe[-1].value["Payment"]) == ["233.24", "238.00"]
    confirm(page, "bulk_pay", "pay")
    assert not page.exception
    with sessions() as session:
        paid = session.get_one(Invoice, early)
        assert (paid.state, paid.paid_minor, paid.credited_minor) == (InvoiceState.PAID, 23324, 476)
        assert session.get_one(Invoice, usual).paid_minor == 23800


def test_what_was_paid_in_the_meantime_is_refused_and_the_rest_is_done(page_as, company, sessions, monkeypatch):
    record = received.record

    def record_after_somebody_else(session, actor, *, allocations, **facts):
        if company["late"] in allocations:
            some = Received("USD", 10000, PaymentMethod.CASH, TODAY)
            received.record_for(session, SYSTEM, company["late"], received=some, today=TODAY, now=LATER)
        return record(session, actor, allocations=allocations, **facts)

    monkeypatch.setattr(received, "record", record_after_somebody_else)
    page = all_chosen(page_as, invoices_tab="open")
    page.button(key="bulk_pay").click().run()
    confirm(page, "bulk_pay", "pay")

    assert not page.exception
    assert any(text.value == "1 invoice marked as paid." for text in page.markdown)
    (refused,) = [table.value for table in page.dataframe if "Why" in table.value]
    assert refused[["Invoice", "Why"]].values.tolist() == [
        ["INV-2026-001", "Only 138.00 USD is due on invoice INV-2026-001"]
    ]
    with sessions() as session:
        states = dict(session.execute(select(Invoice.id, Invoice.due_minor)).all())
    assert (states[company["late"]], states[company["open"]]) == (23800, 0)
    page.button(key="close_result").click().run()
    assert not [table for table in page.dataframe if "Why" in table.value]


def test_cancelling_asks_why_and_says_what_becomes_of_each(page_as, company, sessions):
    page = all_chosen(page_as)
    page.button(key="bulk_cancel").click().run()
    assert not page.exception
    left_out, going = (table.value for table in page.dataframe[-2:])
    assert sorted(left_out["Why"]) == ["Is cancelled already", "Is paid: refund it instead"]
    assert dict(going[["Invoice", "What happens"]].values.tolist()) == {
        f"Draft {company['draft']}": "Discarded",
        "INV-2026-001": "Cancelled, and reversed in the ledger",
        "INV-2026-002": "Cancelled, and reversed in the ledger",
    }
    confirm(page, "bulk_cancel", "cancel")
    assert page.error[0].value.startswith("Say why")
    page.text_input(key="cancelling_reason").set_value("Wrong month")
    confirm(page, "bulk_cancel", "cancel")

    assert not page.exception
    assert as_read(page.toast[0].value) == "3 invoices cancelled."
    with sessions() as session:
        states = dict(session.execute(select(Invoice.id, Invoice.state)).all())
    assert {name for name in ("late", "open", "paid", "draft") if states[company[name]] is InvoiceState.CANCELLED} == {
        *("late", "open", "draft"),
    }


def test_a_written_off_invoice_says_so_beside_its_status(page_as, sessions, company):
    with sessions.begin() as session:
        write_offs.write_off(session, SYSTEM, company["open"], reason="Insolvent", today=TODAY, now=LATER)
    page = page_as("finance").visit("invoices.py", invoices_tab="cancelled", invoices_sort="Number ↑")

    assert [list(each) for each in page.dataframe[0].value["Status"]] == [["Cancelled", "Written off"], ["Cancelled"]]
