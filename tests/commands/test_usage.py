"""``usage show``: the analytics document on the terminal. ``usage invoice``: what was made, and who failed."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core import __main__, runtime
from billing_core.businesses.models import Business
from billing_core.commands import usage, usage_invoices
from billing_core.customers.models import Customer
from billing_core.metering.models import LateUsage
from billing_core.outbox.models import OutboxMessage
from billing_core.usage import document
from tests.plans.agreed import a_plan, terms
from tests.usage.october import FIRST, GENERATED, LAST, an_organization, called, october
from tests.usage.test_billing import put_on

PERIOD = ["--from", "2023-10-01", "--to", "2023-10-31"]


@pytest.fixture
def shown(sessions, monkeypatch, capsys):
    """``shown("--customer", "C", …)``: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(usage, "utc_now", lambda: GENERATED)
    monkeypatch.setattr(usage_invoices, "utc_now", lambda: GENERATED)

    def run(*options: str, verb: str = "show", as_json: bool = False):
        code = __main__.main([*(["--json"] if as_json else []), "usage", verb, *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_it_prints_the_analytics_document(shown, sessions):
    with sessions.begin() as session:
        october(session)
    for as_json in (False, True):
        code, out, err = shown("--customer", "EXAMPLE", *PERIOD, as_json=as_json)
        assert (code, err) == (0, "")
        assert json.loads(out) == document.EXAMPLE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_unknown_customer_and_a_period_that_ends_before_it_begins_are_refused(shown):
    code, out, err = shown("--customer", "NOBODY", *PERIOD)
    assert (code, out) == (1, "")
    assert "There is no customer with the ref or id “NOBODY”" in err
    code, out, err = shown("--customer", "NOBODY", "--from", "2023-10-31", "--to", "2023-10-01")
    assert (code, out) == (1, "")
    assert "Start date must be before end date" in err


OTHER = "0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11"
LINE = "API calls, Oct 1 – 31, 2023: used 2, 2 × 1.25 USD"


@pytest.fixture
def three(sessions):
    """EXAMPLE owes 2.50, FREE is within its allowance, and OTHER is on no plan."""
    with sessions.begin() as session:
        example = an_organization(session)
        free = an_organization(session, uuid=OTHER.replace("0b", "1b"), ref="FREE", name="Free Corp")
        an_organization(session, uuid=OTHER, ref="OTHER", name="Other Corp")
        put_on(session, example, a_plan(session, agreed=terms(0, "1.25")))
        put_on(session, free, a_plan(session, "large"))
        for uuid in (document.ID, OTHER, OTHER.replace("0b", "1b")):
            called(session, uuid, [FIRST, LAST], name=uuid)


def test_invoices_are_made_of_everybody_and_who_failed_is_named(shown, three):
    code, out, err = shown(*PERIOD, verb="invoice")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "EXAMPLE (Example Corp): draft no. 1 of 2.50 USD",
        f"  {LINE}: 2.50 USD",
        "FREE (Free Corp): nothing to bill",
        "  API calls, Oct 1 – 31, 2023: used 2, included 10,000: 0.00 USD",
        "OTHER (Other Corp): failed. Other Corp: 2 of api_calls from 2023-10-01 to 2023-10-31 cannot be priced: "
        "it was on no plan",
        "2 customers billed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("first", "last", "days"), [("2023-10-01", "2023-10-10", 10), ("2023-09-01", "2023-10-31", 61)]
)
def test_of_other_days_than_a_month_it_says_that_what_is_agreed_counts_in_full(shown, three, first, last, days):
    chosen = ["--from", first, "--to", last, "--customer", "FREE"]
    warning = (
        f"{first} to {last} is not one month. What a plan agrees on for a period counts in full for these {days} days: "
        "included units, the ends of tiers, flat fees and minimums"
    )
    _, out, _ = shown(*chosen, verb="invoice")
    assert out.splitlines()[0] == f"Note: {warning}."
    _, out, _ = shown(*chosen, verb="invoice", as_json=True)
    assert json.loads(out)["warning"] == warning


def test_invoices_are_sent_by_mail_where_there_is_an_address(shown, three, sessions):
    chosen = [*PERIOD, "--customer", "EXAMPLE"]
    code, out, _ = shown(*chosen, "--tax-rate", "20", verb="invoice", as_json=True)
    made = json.loads(out)["made"]
    assert code == 0
    assert made == [
        {
            "customer": "EXAMPLE",
            "name": "Example Corp",
            "created": True,
            "invoice_id": 1,
            "invoice": None,
            "status": "draft",
            "total": 3,
            "currency": "USD",
            "lines": [{"description": LINE, "amount": 2.5}],
        }
    ]
    with sessions.begin() as session:
        session.get_one(Customer, 1).email = "ap@example.com"
    code, out, _ = shown(*chosen, "--send", verb="invoice", as_json=True)
    (again,) = json.loads(out)["made"]
    # The draft keeps the address that it was made with.
    assert (code, again["created"], again["status"]) == (0, False, "open")
    assert (again["invoice"], again["not_mailed"]) == ("INV-2023-001", "there is no e-mail address")
    code, out, _ = shown(*chosen, "--send", verb="invoice")
    assert (code, out.splitlines()[0]) == (
        0,
        "EXAMPLE (Example Corp): invoice INV-2023-001 of 3.00 USD, made before",
    )


def test_without_a_mail_server_an_invoice_that_is_sent_is_not_called_mailed(shown, three, sessions):
    with sessions.begin() as session:
        session.get_one(Customer, 1).email = "ap@example.com"
    _, out, _ = shown(*PERIOD, "--customer", "1", "--send", verb="invoice")
    assert out.splitlines()[0].endswith(
        "INV-2023-001 of 2.50 USD, not mailed: no mail server is set up, so that its mail is kept in the outbox"
    )


@pytest.mark.usefixtures("mail_server")
def test_an_invoice_is_mailed_when_it_is_sent(shown, three, sessions):
    with sessions.begin() as session:
        session.get_one(Customer, 1).email = "ap@example.com"
    code, out, _ = shown(*PERIOD, "--customer", "1", "--send", verb="invoice")
    assert (code, out.splitlines()[0]) == (0, "EXAMPLE (Example Corp): invoice INV-2023-001 of 2.50 USD")
    with sessions() as session:
        assert session.query(OutboxMessage.recipient).all() == [("ap@example.com",)]


def test_late_usage_on_a_document_of_its_own_is_sent_and_told_too(shown, three, sessions):
    with sessions.begin() as session:
        session.get_one(Customer, 1).email = "ap@example.com"
        for business in session.scalars(select(Business)):
            business.late_usage = LateUsage.OWN_DOCUMENT.value
        september = [FIRST - timedelta(days=number) for number in (1, 2)]
        put_on(session, 1, "basic", FIRST.replace(month=9).date())
        called(session, document.ID, september[:1], name="in time")
    months = (("2023-09-01", "2023-09-30"), ("2023-10-01", "2023-10-31"))
    chosen = [("--from", first, "--to", last, "--customer", "EXAMPLE", "--send") for first, last in months]
    assert shown(*chosen[0], verb="invoice")[0] == 0
    with sessions.begin() as session:
        called(session, document.ID, september[1:], name="late")
    code, out, _ = shown(*chosen[1], verb="invoice", as_json=True)
    (made,) = json.loads(out)["made"]
    (own,) = made["late_usage"]
    assert (code, made["invoice"], made["total"]) == (0, "INV-2023-002", 2.5)
    assert (own["invoice"], own["status"], own["total"]) == ("INV-2023-003", "open", 1.25)
    assert own["lines"][0]["description"].startswith("Late usage: API calls, Sep 1 – 30, 2023: +1 (")
    with sessions() as session:
        assert session.query(OutboxMessage.recipient).count() == 3


def test_events_are_exported_into_a_file(sessions, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        an_organization(session)
        called(session, document.ID, [FIRST, FIRST + timedelta(days=31)])
    file = tmp_path / "events.ndjson"
    typed = ["usage", "export", "--customer", "EXAMPLE", *PERIOD, "-o"]
    assert __main__.main([*typed, str(file)]) == 0
    assert capsys.readouterr().out == f"The events are in {file}\n"
    assert [json.loads(line)["time"] for line in file.read_text().splitlines()] == ["2023-10-01T00:00:00"]
    assert __main__.main([*typed, str(tmp_path / "none" / "events.ndjson")]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
