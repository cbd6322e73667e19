"""What becomes of late usage: a document of its own, waived, its period billed anew; and who decides it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, queries, service
from billing_core.metering.models import LateUsage, UsageEvent, UsagePeriod
from billing_core.money import Money
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from billing_core.usage.late import ItemState
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.late_items import (
    LATER,
    NOVEMBER,
    OCTOBER,
    ONE_MORE,
    TODAY,
    USD,
    acme,
    bill,
    billed,
    drafted,
    shown,
    take_back,
    tell,
    wrong_in,
)
from tests.usage.october import an_organization

__all__ = ["acme", "billed"]


def test_items_are_put_onto_a_document_of_their_own(session, acme, billed):
    tell(session, "d", "e")
    first, second = late.items(session, SYSTEM)
    (invoice_id,) = late.settle(session, SYSTEM, [second.id], now=LATER, today=TODAY, tax_rate=Decimal(10))
    # October was billed without tax.
    assert queries.one(session, SYSTEM, invoice_id).total_minor == 100
    assert [state for *_, state in shown(session)] == [ItemState.OPEN, ItemState.INVOICED]
    with pytest.raises(Conflict, match="not open any more"):
        late.settle(session, SYSTEM, [first.id, second.id], now=LATER, today=TODAY)
    audited = session.scalars(select(AuditEntry.after).where(AuditEntry.action == "usage.late")).one()
    assert audited == {"settled": 1, "invoices": [invoice_id]}
    assert wrong_in(session) == []


def test_items_of_who_cannot_be_invoiced_stay_open(session, acme, billed):
    tell(session, "d")
    (item,) = late.items(session, SYSTEM)
    customer = session.get_one(Customer, acme)
    customer.payment_terms = "as agreed"
    with pytest.raises(Invalid, match="not understood"):
        late.settle(session, SYSTEM, [item.id], now=LATER, today=TODAY)
    assert [state for *_, state in shown(session)] == [ItemState.OPEN]
    customer.payment_terms = "Net 10"
    (invoice_id,) = late.settle(session, SYSTEM, [item.id], now=LATER, today=TODAY)
    assert queries.one(session, SYSTEM, invoice_id).due_on == TODAY + timedelta(days=10)
    assert wrong_in(session) == []


def test_items_are_waived_with_a_reason(session, acme, billed):
    tell(session, "d")
    (item,) = late.items(session, SYSTEM)
    with pytest.raises(Invalid):
        late.waive(session, SYSTEM, [item.id], reason=" ", now=LATER)
    late.waive(session, SYSTEM, [item.id], reason="Our fault", now=LATER)
    (waived,) = late.items(session, SYSTEM)
    assert (waived.state, waived.reason, waived.worth) == (ItemState.WAIVED, "Our fault", Money(100, USD))
    assert bill(session, acme, NOVEMBER).invoice_id is None
    # What comes after it is priced as if it had been billed.
    tell(session, "e")
    assert shown(session, open_only=True) == [("e", Money(100, USD), ItemState.OPEN)]
    assert wrong_in(session) == []


@pytest.mark.parametrize("way", LateUsage)
def test_the_business_says_what_becomes_of_late_usage(session, acme, billed, way):
    business = default_business(session)
    businesses.treat_late_usage(session, SYSTEM, business.id, way.value, reason="Below 5.00", now=LATER)
    tell(session, "d")
    tell(session, "n1", "n2", "n3", month=11)
    made = bill(session, acme, NOVEMBER)
    (item,) = late.items(session, SYSTEM)
    november = [minor for _, minor in drafted(session, made.invoice_id)]
    match way:
        case LateUsage.NEXT_INVOICE:
            assert (november, item.invoice_id) == ([100, 100], made.invoice_id)
        case LateUsage.OWN_DOCUMENT:
            assert (november, item.state) == ([100], ItemState.INVOICED)
            assert drafted(session, item.invoice_id) == [(ONE_MORE, 100)]
        case LateUsage.WAIVE:
            assert (november, item.state, item.reason) == ([100], ItemState.WAIVED, "Below 5.00")
    assert wrong_in(session) == []


def test_what_is_chosen_for_an_item_goes_before_what_the_business_has(session, acme, billed):
    business = default_business(session)
    businesses.treat_late_usage(session, SYSTEM, business.id, "waive", reason="Below 5.00", now=LATER)
    tell(session, "d", "e", "f")
    ids = [one.id for one in late.items(session, SYSTEM)]
    late.want(session, SYSTEM, ids[:2], LateUsage.NEXT_INVOICE, now=LATER)
    late.want(session, SYSTEM, ids[:1], None, now=LATER)
    with pytest.raises(Invalid):
        late.want(session, SYSTEM, ids[:1], LateUsage.WAIVE, now=LATER)
    bill(session, acme, NOVEMBER)
    states = [state for *_, state in shown(session)]
    assert states == [ItemState.WAIVED, ItemState.INVOICED, ItemState.WAIVED]


def test_the_business_needs_a_reason_to_waive(session):
    business = default_business(session)
    with pytest.raises(Invalid):
        businesses.treat_late_usage(session, SYSTEM, business.id, "waive", now=LATER)
    with pytest.raises(Invalid):
        businesses.treat_late_usage(session, SYSTEM, business.id, "ignore", reason="Why not", now=LATER)


def test_of_a_cancelled_invoice_what_came_late_is_billed_with_its_period(session, acme, billed):
    tell(session, "d")
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    assert shown(session) == [("d", Money(100, USD), ItemState.UNBILLED)]
    assert bill(session, acme, NOVEMBER).invoice_id is None
    again = bill(session, acme)
    assert queries.one(session, SYSTEM, again.invoice_id).total_minor == 200
    assert [state for *_, state in shown(session)] == [ItemState.BILLED_ANEW]
    assert session.scalar(select(func.count()).select_from(UsageEvent).where(UsageEvent.late)) == 0
    assert wrong_in(session) == []


def test_what_was_waived_is_left_out_however_often_its_period_is_billed_anew(session):
    acme = an_organization(session)
    plans.put_on(session, SYSTEM, acme, a_plan(session, agreed=terms(0, "1")), valid_from=OCTOBER.start, now=NOW)
    tell(session, "a", "b", "c")
    billed = bill(session, acme)
    service.send(session, SYSTEM, billed.invoice_id, now=LATER)
    tell(session, "d", "e")
    late.waive(session, SYSTEM, [one.id for one in late.items(session, SYSTEM)], reason="Our fault", now=LATER)
    waived = [(name, Money(100, USD), ItemState.WAIVED) for name in "de"]
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    (seen,) = billing.rehearse(session, SYSTEM, [acme], OCTOBER, now=LATER)
    again = bill(session, acme)
    words = "API calls, Oct 1 – 31, 2023: used 5, 5 × 1.00 USD, waived −2.00 USD"
    assert (seen.total, drafted(session, again.invoice_id)) == (Money(300, USD), [(words, 300)])
    assert (shown(session), wrong_in(session)) == (waived, [])
    service.discard(session, SYSTEM, again.invoice_id, now=LATER)
    halves = Period(OCTOBER.start, date(2023, 10, 15)), Period(date(2023, 10, 16), OCTOBER.end)
    latter, former = (bill(session, acme, half) for half in reversed(halves))
    words = "API calls, Oct 1 – 15, 2023: used 5, 5 × 1.00 USD, waived −2.00 USD"
    assert (latter.invoice_id, drafted(session, former.invoice_id)) == (None, [(words, 300)])
    assert (shown(session), wrong_in(session)) == (waived, [])


def test_waived_usage_that_was_withdrawn_takes_nothing_off_its_period(session, acme, billed):
    tell(session, "d", "e")
    late.waive(session, SYSTEM, [one.id for one in late.items(session, SYSTEM)], reason="Our fault", now=LATER)
    take_back(session, acme, "d")
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    words = "API calls, Oct 1 – 31, 2023: used 4, included 2, 2 × 1.00 USD, waived −1.00 USD"
    assert drafted(session, bill(session, acme).invoice_id) == [(words, 100)]
    assert wrong_in(session) == []


def test_a_period_is_not_billed_anew_while_its_late_usage_is_on_another_invoice(session, acme, billed):
    tell(session, "d")
    (own,) = late.settle(session, SYSTEM, [late.items(session, SYSTEM)[0].id], now=LATER, today=TODAY)
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    with pytest.raises(Conflict, match=f"is on the draft no. {own}: cancel that too"):
        bill(session, acme)
    assert [state for *_, state in shown(session)] == [ItemState.INVOICED]
    service.discard(session, SYSTEM, own, now=LATER)
    assert [state for *_, state in shown(session)] == [ItemState.UNBILLED]
    assert queries.one(session, SYSTEM, bill(session, acme).invoice_id).total_minor == 200
    assert wrong_in(session) == []


def test_only_who_may_write_invoices_deals_with_late_items_and_own_people_see_their_own(session, acme, billed):
    tell(session, "d")
    (item,) = late.items(session, SYSTEM)
    reader = actor_with(Role.FINANCE, user_id=None, name="Rita")
    for work in (
        lambda: late.settle(session, reader, [item.id], now=LATER, today=TODAY),
        lambda: late.waive(session, reader, [item.id], reason="Why not", now=LATER),
        lambda: late.want(session, reader, [item.id], LateUsage.OWN_DOCUMENT, now=LATER),
    ):
        with pytest.raises(Forbidden):
            work()
    own = actor_with(Role.FINANCE, user_id=None, name="Own", customer_id=acme)
    other = actor_with(Role.FINANCE, user_id=None, name="Other", customer_id=acme + 1)
    assert len(late.items(session, own)) == len(late.items(session, reader, customer_id=acme)) == 1
    assert late.items(session, other) == late.items(session, SYSTEM, customer_id=acme + 1) == []
    assert late.of_events(session, own, [(acme, "d"), (acme, "a")]) == {(acme, "d"): [item]}
    assert late.of_events(session, other, [(acme, "d")]) == {}


def test_as_many_items_are_chosen_as_can_be_looked_at(session):
    with pytest.raises(Invalid):
        late.settle(session, SYSTEM, [], now=LATER, today=TODAY)
    with pytest.raises(Invalid):
        late.settle(session, SYSTEM, range(1, 1_002), now=LATER, today=TODAY)
    assert session.scalar(select(func.count()).select_from(UsagePeriod)) == 0
