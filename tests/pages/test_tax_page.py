"""The Tax page: 200.00 at 19 % and 70.00 at 0 % in March, 20.00 of the first credited in April, 5.00 in euros."""

from datetime import date

import pytest

from billing_core.businesses.models import Business
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from pages.ui import formats
from tests.invoices.company import LATER, a_customer, a_line, an_invoice
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE

MARCH = {"tax_period": "Custom", "tax_period_days": ["2026-03-01", "2026-03-31"]}
SPRING = {"tax_period": "Custom", "tax_period_days": ["2026-03-01", "2026-04-30"]}
CREDITED = "CN-2026-001 for INV-2026-001, Acme Corp"
APRIL_9 = date(2026, 4, 9)


@pytest.fixture
def company(sessions):
    with sessions.begin() as session:
        german, american = a_customer(session, country="DE"), a_customer(session, "US", country="US")
        first = an_invoice(session, german)
        an_invoice(session, german, a_line("Work", "1", "5", "19"), currency="EUR")
        an_invoice(session, american, a_line("Work", "1", "70", "0"), zero_tax_reason="Export")
        facts = {"reason": "Late", "issued_on": APRIL_9, "today": APRIL_9, "now": LATER}
        credit_notes.issue(session, SYSTEM, first.id, amount_minor=23_80, **facts)
        return {"german": german, "american": american}


def tables(page):
    return [table.value.values.tolist() for table in page.dataframe]


@EVERY_ROLE
def test_tax_is_shown_for_each_currency_by_country_and_rate(page_as, company, role):
    page = page_as(role).visit("tax.py", **SPRING)
    assert not page.exception
    assert [subheader.value for subheader in page.subheader] == ["EUR", "USD"]
    zero = ["0.00", "0.00"]
    assert tables(page) == [
        [
            ["Germany", "19", "5.00", "0.95", "5.00", "0.95", *zero, ""],
            ["All", "", "5.00", "0.95", "5.00", "0.95", *zero, ""],
        ],
        [
            ["Germany", "19", "180.00", "34.20", "200.00", "38.00", "-20.00", "-3.80", ""],
            ["United States", "0", "70.00", "0.00", "70.00", "0.00", *zero, "Export"],
            ["All", "", "250.00", "34.20", "270.00", "38.00", "-20.00", "-3.80", ""],
        ],
    ]
    assert bool(page.link_button) == (role != "finance")


@pytest.mark.parametrize(
    ("row", "column", "figure", "found"),
    [
        (
            0,
            "Tax",
            "34.20 USD",
            [["CN-2026-001 for INV-2026-001, Acme Corp", "-3.80"], ["INV-2026-001, Acme Corp", "38.00"]],
        ),
        (1, "Invoiced", "70.00 USD", [["INV-2026-003, Acme Corp", "70.00"]]),
        (2, "Credited", "-20.00 USD", [[CREDITED, "-20.00"]]),
    ],
)
def test_every_amount_opens_into_its_documents(page_as, company, row, column, figure, found):
    page = page_as("manager").visit("tax.py", **SPRING)
    press(page, column, row=row, table=1)
    assert not page.exception
    assert page.metric[0].value.replace(formats.NO_BREAK_SPACE, " ") == figure
    assert page.success[0].value.endswith("= the figure ✓")
    (opened,) = (table.value for table in page.dataframe if "What" in table.value)
    assert opened[["What", "Amount"]].values.tolist() == found


def test_a_long_reason_stands_whole_below_rows_of_one_line(page_as, sessions, company):
    reason = "Reason " * 28 + "done"
    with sessions.begin() as session:
        an_invoice(session, company["american"], a_line("Work", "1", "70", "0"), zero_tax_reason=reason)
    page = page_as("finance").visit("tax.py", **SPRING)
    assert not page.exception
    assert [table.proto.row_height for table in page.dataframe] == [0, 0]
    assert [one.value for one in page.caption if reason in one.value] == [f"Reasons for 0 % in full:  \n{reason}"]


def test_a_period_without_documents_leads_to_the_newest_month_that_has_some(page_as, company):
    page = page_as("finance").visit("tax.py", tax_period="Custom", tax_period_days=["2025-01-01", "2025-01-31"])
    assert page.info[0].value.startswith("No invoice and no credit note is of ")
    page.button(key="tax_newest").click().run()
    assert [subheader.value for subheader in page.subheader] == ["EUR", "USD"]


def test_the_files_are_of_the_same_business_and_period(page_as, sessions, company):
    with sessions.begin() as session:
        second = Business(name="Second", currency="USD", time_zone="UTC")
        session.add(second)
        session.flush()
        an_invoice(session, company["german"], business_id=second.id)
        business_id = second.id
    page = page_as("manager").visit("tax.py", tax_business="Second", **MARCH)
    assert tables(page)[0][-1][2:4] == ["200.00", "38.00"]
    assert [link.url for link in page.link_button] == [
        f"/downloads/tax-return.csv?start_date=2026-03-01&end_date=2026-03-31&business_id={business_id}&excel=1",
        f"/downloads/tax-return.xlsx?start_date=2026-03-01&end_date=2026-03-31&business_id={business_id}",
        f"/downloads/tax-documents.csv?start_date=2026-03-01&end_date=2026-03-31&business_id={business_id}&excel=1",
    ]


def test_who_is_bound_to_a_customer_sees_that_one_alone(page_as, company):
    page = page_as("manager", customer_id=company["american"]).visit("tax.py", **SPRING)
    assert tables(page) == [
        [
            ["United States", "0", "70.00", "0.00", "70.00", "0.00", "0.00", "0.00", "Export"],
            ["All", "", "70.00", "0.00", "70.00", "0.00", "0.00", "0.00", ""],
        ]
    ]
