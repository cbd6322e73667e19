"""Customers: the list with the summary figures, and one customer's page."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from pages.ui import formats
from tests.pages.as_read import as_read
from tests.pages.filled import HOSTILE, fill
from tests.pages.invoicing import press, shown
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow

TABS = ["Overview", "Reports", "Invoices", "Payments", "Statement", "Subscriptions", "Orders", "Activity"]


@EVERY_ROLE
def test_without_customers_the_page_says_what_to_do(page_as, role):
    page = page_as(role).visit("customers.py")

    assert not page.exception
    assert "no customers yet" in page.info[0].value
    # Neither an empty table nor a count of nothing.
    assert [*page.dataframe, *(one.value for one in page.caption if one.value.startswith("0 "))] == []


@EVERY_ROLE
def test_the_list_has_the_summary_figures(page_as, sessions, role):
    fill(sessions)
    page = page_as(role).visit("customers.py")

    assert not page.exception
    table = page.dataframe[0].value
    columns = ["Customer", "Reports", "Billed", "Average", "Currency"]
    assert table[columns].values.tolist() == [
        [HOSTILE, 2, "20.00", "10.00", "USD"],
        ["Bolt GmbH", 1, "7.00", "7.00", "EUR"],
    ]
    # 800 pixels have room for four columns: the amount is never the one that is cut off.
    assert list(table.columns).index("Billed") < 4
    assert bool(page.link_button) == (role != "finance")


def test_search_and_filters_narrow_the_list(page_as, sessions):
    fill(sessions)
    page = page_as("finance").visit("customers.py")
    page.text_input(key="customers_text").set_value("bolt").run()
    assert list(page.dataframe[0].value["Customer"]) == ["Bolt GmbH"]

    page.selectbox(key="customers_currency").set_value("USD").run()
    assert "No customer matches" in page.info[0].value


def test_the_list_is_sorted_and_paged_by_the_database(page_as, sessions):
    with sessions.begin() as session:
        for number in range(53):
            a_customer(session, f"C{number:02}", name=f"Customer {number:02}", priced=False)
    page = page_as("finance").visit("customers.py")
    assert page.dataframe[0].value["Customer"].iloc[0] == "Customer 00"
    assert len(page.dataframe[0].value) == 50

    page = page_as("finance").visit("customers.py", customers_page="2")
    assert list(page.dataframe[0].value["Customer"]) == ["Customer 50", "Customer 51", "Customer 52"]

    page.selectbox(key="customers_sort").set_value("-customer_name").run()
    assert page.dataframe[0].value["Customer"].iloc[0] == "Customer 52"


@pytest.mark.parametrize("tab", TABS)
@EVERY_ROLE
def test_every_tab_of_a_customer_opens_for_every_role(page_as, sessions, role, tab):
    filled = fill(sessions)
    page = page_as(role).visit("customers.py", customer=str(filled.acme), customer_tab=tab)

    assert not page.exception
    assert page.title[0].value == r"Acme :color[\:]red\[\$5 \*Corp\*\]"


def test_a_customers_page_has_its_totals_and_orders(page_as, sessions):
    filled = fill(sessions)
    page = page_as("finance").visit("customers.py", customer=str(filled.acme))
    cards = {card.label: card.value.replace(formats.NO_BREAK_SPACE, " ") for card in page.metric}
    assert cards == {
        "Billed": "20.00 USD",
        "Average report": "10.00 USD",
        "Reports": "2",
        "Orders billed": "5",
        "Unbilled orders": "0",
        "Open questions": "0",
    }

    page = page_as("finance").visit("customers.py", customer=str(filled.acme), customer_tab="Orders")
    assert list(page.dataframe[0].value["Order"]) == ["M-DRAFT", "M-2", "M-1", "F-2", "F-1", "F-0"]
    page.text_input(key="customer_orders_text").set_value("ref-1").run()
    assert list(page.dataframe[0].value["Order"]) == ["M-1"]


def test_a_customer_that_is_not_theirs_is_not_there(page_as, sessions):
    filled = fill(sessions)
    page = page_as("finance", customer_id=filled.bolt).visit("customers.py", customer=str(filled.acme))

    assert [error.value for error in page.error] == [f"There is no customer {filled.acme}"]
    assert not page.metric


def test_an_admin_edits_the_details_and_the_log_keeps_both(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    for label, value in {"City": "Ulm", "Reason for 0 % tax": "Export"}.items():
        next(field for field in page.text_input if field.label == label).set_value(value)
    page.form_submit_button[0].click().run()

    assert not page.exception
    with sessions() as session:
        assert session.scalar(select(Customer.city).where(Customer.id == filled.bolt)) == "Ulm"
        entry = session.execute(
            select(AuditEntry.before, AuditEntry.after).where(AuditEntry.subject_kind == "customer")
        ).one()
    assert tuple(entry) == ({"city": "", "zero_tax_reason": ""}, {"city": "Ulm", "zero_tax_reason": "Export"})


def test_what_pdfs_cannot_show_of_a_customer_is_named_below_its_field(page_as, sessions):
    filled = fill(sessions)
    with sessions.begin() as session:
        session.get_one(Customer, filled.bolt).address = "1 Road \ua840"
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    assert "PDFs cannot show “\ua840” (phags-pa letter ka)" in shown(page)


def test_a_customers_payment_terms_are_shown_as_they_are_understood_and_kept(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    next(one for one in page.text_input if one.label == "Payment terms").set_value("30 Tage nach Monatsende").run()
    assert any("30 days after the end of the month" in one.value for one in page.caption)
    page.form_submit_button[0].click().run()
    with sessions() as session:
        kept = session.scalar(select(Customer.payment_terms).where(Customer.id == filled.bolt))
    assert kept == "30 Tage nach Monatsende"


def test_a_customers_language_is_chosen_among_all_that_have_a_catalogue(dutch, page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    choice = next(field for field in page.selectbox if field.label == "Language")
    assert choice.options == ["English", "Deutsch", "Español", "Français", "Nederlands"]
    assert choice.value == "en"
    choice.set_value("nl")
    page.form_submit_button[0].click().run()

    assert not page.exception
    with sessions() as session:
        assert session.scalar(select(Customer.language).where(Customer.id == filled.bolt)) == "nl"


def test_numbers_and_dates_are_written_as_in_the_country_that_is_chosen(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    next(field for field in page.selectbox if field.label == "Language").set_value("de").run()
    region = next(field for field in page.selectbox if field.label == "Numbers and dates")
    region.set_value("CH").run()
    captions = [as_read(one.value).replace("\xa0", " ") for one in page.caption]
    assert "For example: EUR 1’234’567.50 · 7.5% · 02.03.2026 · 2. März 2026" in captions
    page.form_submit_button[0].click().run()

    assert not page.exception
    with sessions() as session:
        bolt = session.get_one(Customer, filled.bolt)
        assert (bolt.language, bolt.format_region, bolt.locale) == ("de", "CH", "de-CH")


def test_several_receivers_are_typed_as_one_list(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("customers.py", customer=str(filled.bolt), customer_tab="Edit details")
    typed = {"E-mail": "Ana <ana@bolt.example>, ben@bolt.example", "CC": "cfo@bolt.example", "BCC": "us@ours.example"}
    for field in page.text_input:
        if field.label in typed:
            field.set_value(typed[field.label])
    page.form_submit_button[0].click().run()

    assert not page.exception
    with sessions() as session:
        bolt = session.get_one(Customer, filled.bolt)
    assert (bolt.email, bolt.further_emails) == ("ana@bolt.example", "ben@bolt.example")
    assert (bolt.cc_emails, bolt.bcc_emails) == ("cfo@bolt.example", "us@ours.example")


def test_only_admins_are_offered_to_edit(page_as, sessions):
    filled = fill(sessions)
    page = page_as("manager").visit("customers.py", customer=str(filled.bolt))
    assert [tab.label for tab in page.tabs] == TABS


def test_a_customer_is_deactivated_hidden_and_brought_back(page_as, sessions):
    acme = fill(sessions).acme
    page = page_as("admin").visit("customers.py", customer=str(acme))
    page.button(key="deactivate_customer").click().run()
    press(page, "do_deactivate", again="deactivate_customer")
    assert "nothing new is billed" in page.warning[0].value

    def listed(standing=""):
        found = page_as("admin").visit("customers.py", customers_standing=standing)
        return list(found.dataframe[0].value["Customer"])

    assert (listed(), listed("Deactivated")) == (["Bolt GmbH"], [HOSTILE])
    assert len(listed("Active or not")) == 2

    page = page_as("admin").visit("customers.py", customer=str(acme))
    page.button(key="reactivate_customer").click().run()
    assert not page.warning
    assert len(listed()) == 2


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_who_may_not_change_customers_is_offered_no_deactivating(page_as, sessions, role):
    page = page_as(role).visit("customers.py", customer=str(fill(sessions).acme))
    assert not any(one.key == "deactivate_customer" for one in page.button)


def test_a_customer_is_merged_into_another_one_and_leads_to_it(page_as, sessions):
    filled = fill(sessions)
    with sessions() as session:
        bolt = session.scalars(select(Customer.id).where(Customer.name == "Bolt GmbH")).one()
    with sessions.begin() as session:
        twin = a_customer(session, "TWIN", name="Bolt *Twin*", priced=False, currency="EUR")
    page = page_as("admin").visit("customers.py", customer=str(twin))
    page.button(key="merge_customer").click().run()
    page.selectbox(key="merge_into").set_value(filled.acme)
    press(page, "merge_customer")
    assert "Merge for good" in [one.label for one in page.button]
    page.selectbox(key="merge_into").set_value(bolt)
    press(page, "merge_customer")
    press(page, "do_merge", again="merge_customer")

    with sessions() as session:
        assert session.get_one(Customer, twin).merged_into_id == bolt
    page = page_as("admin").visit("customers.py", customer=str(twin))
    assert "Merged into Bolt GmbH" in shown(page)
    page.button(key="open_merged").click().run()
    assert page.title[0].value == "Bolt GmbH"
    assert "was merged into it. The reports" in shown(page)
    page.button(key=f"open_former_{twin}").click().run()
    assert "Twin" in page.title[0].value
