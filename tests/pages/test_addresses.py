"""What pages say of an address that asks for what there is not: never everything instead, and never a failure."""

import pytest

from billing_core.dates import utc_now
from billing_core.views.models import SavedView
from tests.pages.filled import fill

# A page with what opens its part; its filters, each with a word that means nothing there; the page of its list.
LISTS = [
    ("overview.py", {}, {"period": "Last decade", "known": "2026-02-30"}),
    ("overview.py", {"period": "Custom"}, {"period_days": "soon"}),
    (
        "customers.py",
        {},
        {
            "customers_country": "ZZ",
            "customers_currency": "ZZZ",
            "customers_billed": "perhaps",
            "customers_standing": "foo",
            "customers_sort": "; DROP TABLE",
        },
    ),
    ("customers.py", {"customer": "1"}, {"customer_tab": "Secrets"}),
    ("customers.py", {"customer": "1", "customer_tab": "Statement"}, {"statement_days": "2026-01-32"}),
    (
        "reports.py",
        {},
        {
            "reports_customer": "Nobody Ltd",
            "reports_state": "foo",
            "reports_currency": "eur",
            "reports_sort": "Number",
            "reports_from": "01.02.2026",
            "reports_to": "2026-02",
            "reports_after": "yesterday",
            "reports_before": "99999-01-01",
            "reports_by": "Mallory",
        },
    ),
    ("reports.py", {}, {"tab": "Foo"}),
    (
        "reports.py",
        {"tab": "Generate"},
        {"run_period": "Last decade", "run_customers": "Nobody Ltd", "run_services": "Magic"},
    ),
    ("reports.py", {"tab": "Generate"}, {"run_goal": "everything"}),
    (
        "invoices.py",
        {},
        {
            "invoices_tab": "foo",
            "invoices_customer": "Nobody Ltd",
            "invoices_currency": "ZZZ",
            "invoices_sort": "Sum",
            "invoices_issued_from": "2026-13-01",
            "invoices_issued_to": "x",
            "invoices_due_from": "0001-01-01",
            "invoices_due_to": "9999-12-31",
            "invoices_business": "Nobody GmbH",
        },
    ),
    ("payments.py", {}, {"payments_tab": "Foo"}),
    (
        "payments.py",
        {},
        {
            "payments_customer": "Nobody Ltd",
            "payments_method": "shells",
            "payments_currency": "ZZZ",
            "payments_state": "lost",
            "payments_sort": "Weight",
            "payments_from": "now",
            "payments_to": "then",
        },
    ),
    (
        "payments.py",
        {"payments_tab": "Ageing"},
        {"ageing_as_at": "2999-01-01", "ageing_currency": "ZZZ", "ageing_sort": "Age"},
    ),
    (
        "payments.py",
        {"payments_tab": "Reconciliation"},
        {"reconciliation_period": "Always", "reconciliation_agreement": "never"},
    ),
    ("payment_links.py", {}, {"links_state": "foo", "links_mode": "real", "links_sort": "Colour"}),
    ("tax.py", {}, {"tax_period": "Last decade", "tax_known": "never", "tax_business": "Nobody GmbH"}),
    ("rate_cards.py", {}, {"rate_tab": "Foo"}),
    ("plans.py", {}, {"plans_tab": "Foo"}),
    ("usage.py", {}, {"usage_list": "Foo"}),
    ("usage.py", {}, {"usage_month": "May 1066", "usage_plan": "gold", "usage_allowance": "foo", "usage_sort": "Size"}),
    ("usage.py", {"usage_list": "Late"}, {"usage_late_open": "perhaps"}),
    ("usage.py", {"organization": "1"}, {"usage_tab": "Foo"}),
    ("admin/outbox.py", {}, {"state": "foo", "about": "bar"}),
    ("admin/incoming_webhooks.py", {}, {"events_state": "foo", "events_type": "bar"}),
    ("admin/audit.py", {}, {"by": "Mallory", "action": "foo", "of": "bar", "since": "never", "until": "ever"}),
]
# What a page opens, by a word that names none.
OPENED = [
    ("customers.py", {"customer": "foo"}),
    ("customers.py", {"customer": "99999999999999999999"}),
    ("customers.py", {"customer": "0"}),
    ("customers.py", {"customer": "4711"}),
    ("reports.py", {"report": "foo"}),
    ("reports.py", {"tab": "Generate", "run": "foo"}),
    ("invoices.py", {"invoice": "foo"}),
    ("invoice_editor.py", {"invoice": "99999999999999999999"}),
    ("invoice_editor.py", {"report": "foo"}),
    ("invoice_editor.py", {"customer": "foo"}),
    ("invoice_editor.py", {"customer": "1", "business": "foo"}),
    ("invoice_editor.py", {"customer": "1", "business": "4711"}),
    ("subscriptions.py", {"subscription": "foo"}),
    ("payment_links.py", {"link": "foo"}),
    ("payments.py", {"payment": "foo"}),
    ("payments.py", {"record": "foo"}),
    ("payments.py", {"record": "4711"}),
    ("rate_cards.py", {"customer": "foo"}),
    ("rate_cards.py", {"customer": "1", "rate": "foo"}),
    ("plans.py", {"plan": "foo"}),
    ("plans.py", {"plans_tab": "Meters", "meter": "foo"}),
    ("promo_codes.py", {"code": "foo"}),
    ("usage.py", {"organization": "foo"}),
    ("admin/people.py", {"person": "foo"}),
    ("admin/keys.py", {"key": "foo"}),
    ("admin/outgoing_webhooks.py", {"endpoint": "foo"}),
    ("admin/business.py", {"business": "foo"}),
    ("admin/outbox.py", {"message": "foo"}),
    ("admin/incoming_webhooks.py", {"event": "foo"}),
    ("admin/audit.py", {"entry": "foo"}),
]


@pytest.fixture
def filled(sessions):
    return fill(sessions)


def told(page) -> str:
    assert not page.exception
    return " ".join(one.value for one in (*page.warning, *page.error)).replace("\\", "")


@pytest.mark.parametrize(("file", "opens", "asked"), LISTS)
def test_a_filter_that_means_nothing_is_told_and_nothing_is_shown(page_as, filled, file, opens, asked):
    page = page_as("admin").visit(file, **opens, **asked)
    assert [word for word in asked.values() if f"“{word}”" not in told(page)] == []
    assert not page.dataframe


@pytest.mark.parametrize(("file", "asked"), OPENED)
def test_a_thing_that_there_is_not_is_told_instead_of_the_list(page_as, filled, file, asked):
    page = page_as("admin").visit(file, **asked)
    assert "There is no" in told(page)


@pytest.mark.parametrize(
    ("file", "asked", "reason"),
    [
        ("invoices.py", {"status": "foo"}, "knows nothing called “status” = “foo”"),
        ("customers.py", {"customers_currency": ["EUR", "USD"]}, "the address names 2 values"),
        ("customers.py", {"customer": ["1", "2"]}, "The address names 2 values"),
        ("customers.py", {"customers_text": "a\0b"}, "U+0000"),
        ("customers.py", {"customers_text": "a" * 201}, "at most 200 characters"),
        ("reports.py", {"reports_page": "2"}, "there is no page “2”; there is one page only"),
        ("reports.py", {"reports_page": "last"}, "there is no page “last”"),
        ("reports.py", {"reports_page": "-1"}, "there is no page “-1”"),
        (
            "invoices.py",
            {"invoices_issued_from": "2026-03-31", "invoices_issued_to": "2026-03-01"},
            "Issued: the first day, 03/31/2026, is after the last, 03/01/2026",
        ),
        (
            "overview.py",
            {"period": "Custom", "period_days": ["2026-03-31", "2026-03-01"]},
            "the first day, 03/31/2026, is after the last, 03/01/2026",
        ),
        ("overview.py", {"period_days": ["2026-03-01", "2026-03-31"]}, "it counts with Period = Custom alone"),
    ],
)
def test_what_cannot_be_followed_is_told_with_its_reason(page_as, filled, file, asked, reason):
    page = page_as("admin").visit(file, **asked)
    assert reason in told(page)
    assert not page.dataframe


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("customers.py", {"customers_currency": "EUR", "customers_country": ""}),
        ("reports.py", {"reports_from": "2026-03-01", "reports_to": "2026-03-31", "reports_page": "1"}),
        ("overview.py", {"period": "Custom", "period_days": ["2026-03-01", "2026-03-31"], "rows_billed": "2"}),
    ],
)
def test_what_can_be_followed_is_followed(page_as, filled, file, asked):
    page = page_as("admin").visit(file, **asked)
    assert "Nothing is shown" not in told(page)


def test_a_filter_may_be_named_as_programs_call_its_choice(page_as, filled):
    page = page_as("admin").visit("reports.py", reports_customer=str(filled.bolt))
    assert page.selectbox(key="reports_customer").value == filled.bolt
    assert list(page.dataframe[-1].value["Customer"]) == ["Bolt GmbH"]


def test_choosing_something_else_ends_the_doubt(page_as, filled):
    page = page_as("admin").visit("reports.py", reports_currency="ZZZ")
    assert "“ZZZ”" in told(page.run())
    page.selectbox(key="reports_currency").select("EUR").run()
    assert told(page) == ""
    assert len(page.dataframe[-1].value) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"reports_currency": "ZZZ"},
        {"status": "foo"},
        {"report": ["1", "2"]},
        {"tab": "Foo"},
        {"reports_currency": ["EUR", "USD"]},
        {"reports_text": "a\0b"},
        {"reports_page": "7"},
        {"[x](http://evil.example)": "1"},
    ],
)
def test_the_page_can_be_shown_without_what_it_does_not_know(page_as, filled, asked):
    page = page_as("admin").visit("reports.py", **asked)
    page.button(key="address_forget").click().run()
    assert told(page) == ""
    assert len(page.dataframe[-1].value) == 3
    assert page.query_params == {}


def test_days_the_wrong_way_round_give_way_to_the_ordinary_ones(page_as, filled):
    page = page_as("admin").visit("overview.py", period="Custom", period_days=["2026-03-31", "2026-03-01"])
    page.button(key="address_forget").click().run()
    assert told(page) == ""
    first, last = page.date_input(key="period_days").value
    assert first < last


def test_another_page_knows_nothing_of_the_doubt(page_as, filled):
    visitor = page_as("admin")
    visitor.visit("reports.py", reports_currency="ZZZ")
    visitor.visit("customers.py")
    assert told(visitor.visit("reports.py")) == ""


def test_a_kept_view_that_names_what_is_gone_says_so(page_as, filled, sessions):
    visitor = page_as("admin")
    with sessions.begin() as session:
        session.add(
            SavedView(
                user_id=visitor.user_id,
                page="reports",
                name="Euros",
                query="reports_currency=XOF",
                created_at=utc_now(),
            )
        )
    page = visitor.visit("reports.py")
    next(one for one in page.button if one.label == "Euros").click().run()
    assert "“XOF”" in told(page)
    assert not page.dataframe
