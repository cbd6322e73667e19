"""The checks of ``verify`` about bills of usage hold for a company that has some, and fail where they are damaged."""

from datetime import date

import pytest

from billing_core.commands import verify
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, withdrawal
from billing_core.metering.models import UsagePeriod
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from tests.commands.proving import found_wrong, rooms_of_checks
from tests.ledger.damaging import as_if_nothing_refused
from tests.plans.agreed import a_plan, terms
from tests.reports.company import LATER, a_customer

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def company(session) -> None:
    """ACME's March of two calls at 1.00 is billed. A third came late and was waived, and the first was withdrawn."""
    acme = a_customer(session, priced=False)
    plans.put_on(session, SYSTEM, acme, a_plan(session, agreed=terms(0, "1")), valid_from=date(2026, 1, 1), now=LATER)
    told = [{"id": f"u-{day}", "customer_ref": "ACME", "time": f"2026-03-0{day}T12:00:00Z"} for day in (1, 2, 3)]
    ingestion.record(session, SYSTEM, told[:2], now=LATER)
    billing.bill(session, SYSTEM, acme, MARCH, now=LATER, today=LATER.date())
    assert ingestion.record(session, SYSTEM, told[2:], now=LATER).late == 1
    withdrawal.withdraw(session, SYSTEM, acme, "u-1", reason="A test", now=LATER)
    late.waive(session, SYSTEM, [late.items(session, SYSTEM)[0].id], reason="A test", now=LATER)
    session.add(UsagePeriod(customer_id=acme, first_day=date(2026, 4, 1), last_day=date(2026, 4, 1), billed_at=LATER))
    session.flush()


ACMES_MARCH = "customer ACME, 2026-03-01 to 2026-03-31"
BILL = f"{ACMES_MARCH}, api_calls"
# The damages by the name of the check: a statement, and what the check then names.
DAMAGES = {
    "No day of usage is in two billed periods": [
        (
            "UPDATE usage_periods SET first_day = '2026-03-31' WHERE first_day = '2026-04-01'",
            ACMES_MARCH,
            "customer ACME, 2026-03-31 to 2026-04-01",
        ),
    ],
    "Every event of a billed period is in its bill, or a late item": [
        ("UPDATE usage_lines SET whole = 3 WHERE settlement_id IS NULL", BILL),
        ("UPDATE usage_lines SET millionths = 1 WHERE settlement_id IS NULL", BILL),
        ("UPDATE usage_lines SET first_day = '2026-03-03' WHERE settlement_id IS NULL", BILL),
        ("DELETE FROM usage_lines WHERE settlement_id IS NULL", BILL),
        ("UPDATE usage_days SET calls = 2 WHERE zone_kind = 'billing' AND day = '2026-03-02'", BILL),
        ("DELETE FROM usage_late_items WHERE event_id = 'u-1'", BILL),
        ("DELETE FROM usage_late_items WHERE event_id = 'u-3'", BILL),
        ("UPDATE usage_late_items SET calls = -1, kind = 'withdrawn' WHERE event_id = 'u-3'", BILL),
    ],
    "What was settled of late usage is what its items come to": [
        ("UPDATE usage_lines SET whole = 2 WHERE settlement_id IS NOT NULL", "settlement id 1"),
        ("UPDATE usage_late_items SET settlement_id = NULL", "settlement id 1"),
        ("UPDATE usage_late_items SET settlement_id = 1", "settlement id 1"),
    ],
    "Every late event is a late item, and every late item a late event or one that was withdrawn": [
        ("DELETE FROM usage_late_items WHERE event_id = 'u-3'", "customer ACME, event “u-3”"),
        ("UPDATE usage_events SET late = true WHERE event_id = 'u-2'", "customer ACME, event “u-2”"),
        ("UPDATE usage_events SET late = false", "customer ACME, event “u-3”"),
        (
            "UPDATE usage_event_keys SET withdrawn_at = NULL, withdrawn_reason = NULL",
            "customer ACME, event “u-1”",
        ),
    ],
    "What a billed period comes to is on its invoice": [
        ("UPDATE usage_lines SET amount_minor = 300 WHERE settlement_id IS NULL", BILL),
        ("UPDATE invoice_line_items SET amount_minor = 300", BILL),
        ("UPDATE invoice_line_items SET usage_line_id = NULL", BILL),
        ("UPDATE usage_periods SET invoice_id = NULL", BILL),
        ("UPDATE invoice_line_items SET usage_line_id = 2", BILL),
        (
            "UPDATE invoice_line_items SET usage_line_id = 99",
            BILL,
            "line id 1 of an invoice bills usage that there is not",
        ),
    ],
}


def test_each_check_holds_and_fails_where_it_is_damaged(session, company, subtests):
    holding = {check.name: check for check in verify.checks(session)}
    assert [check for check in holding.values() if check.wrong] == []
    assert all(holding[name].proven for name in DAMAGES)
    rooms = rooms_of_checks(session)
    for name, damages in DAMAGES.items():
        for statement, *words in damages:
            with subtests.test(check=name, damage=statement):
                undo = session.begin_nested()
                as_if_nothing_refused(session, statement)
                found = found_wrong(session, name, rooms[name])
                undo.rollback()
                assert found == tuple(words)
