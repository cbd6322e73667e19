"""Drafts of usage, by hand: once for each customer and period, in the days of the billing zone, never 0 in silence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.businesses import queries as businesses
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, queries, service
from billing_core.invoices.content import content
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering import ingestion
from billing_core.metering.models import Meter, UsageEvent, UsagePeriod
from billing_core.money import Money
from billing_core.payments import write_offs
from billing_core.plans import service as plans
from billing_core.usage import billing, document, late
from billing_core.usage.billed import lines
from tests.at_once import at_once
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer
from tests.usage.october import FIRST, GENERATED, LAST, an_organization, called, october

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
TODAY = date(2023, 11, 1)
FAR = "00000000-0000-4000-8000-0000000000fa"


def bill(session, customer_id, period=OCTOBER, **options):
    return billing.bill(session, SYSTEM, customer_id, period, now=GENERATED, today=TODAY, **options)


def put_on(session, customer_id, code, day=date(2023, 10, 1)):
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=day, now=NOW)


def calls_on(session, day, count, name=None):
    begin = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    times = [begin + timedelta(seconds=number) for number in range(count)]
    called(session, document.ID, times, name=name or f"on-{day}")


def some_calls(session):
    """1,012 of which two cost 1.00 each."""
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, agreed=terms(1_010, "1")))
    calls_on(session, date(2023, 10, 5), 1_012)
    return customer_id


def test_each_draft_is_of_the_day_of_its_own_business(session):
    """Noon of 1 November in UTC is the 2nd in Auckland, whose customer's terms are 10 days."""
    ids = [an_organization(session), an_organization(session, uuid=FAR, ref="FAR")]
    far = Business(name="Far", currency="USD", time_zone="Pacific/Auckland", invoice_format="F{seq}")
    session.add(far)
    session.flush()
    customer = session.get_one(Customer, ids[1])
    customer.business_id, customer.payment_terms, customer.time_zone = far.id, "Net 10", "UTC"
    code = a_plan(session, agreed=terms(0, "1"))
    for customer_id in ids:
        put_on(session, customer_id, code)
    for uuid in (document.ID, FAR):
        called(session, uuid, [datetime(2023, 10, 5, 12, tzinfo=UTC)], name=uuid)
    today = businesses.days(session, now=datetime(2023, 11, 1, 12, tzinfo=UTC))

    made = billing.bill_many(session, SYSTEM, ids, OCTOBER, now=GENERATED, today=today)

    drafts = {one.customer_id: session.get_one(Invoice, one.invoice_id) for one in made if one.invoice_id}
    assert drafts[ids[0]].issued_on == TODAY
    assert (drafts[ids[1]].issued_on, drafts[ids[1]].due_on) == (date(2023, 11, 2), date(2023, 11, 12))
    blanks = [content.blank(session, SYSTEM, customer_id, today=today) for customer_id in ids]
    assert [blank.issued_on for blank in blanks] == [TODAY, date(2023, 11, 2)]
    # Asked for from the first business, it is of that one's day.
    assert content.blank(session, SYSTEM, ids[1], today=today, business_id=1).issued_on == TODAY


def given_away(session, invoice_id):
    draft = queries.one(session, SYSTEM, invoice_id)
    free = replace(queries.content(session, draft), discount_percent=Decimal(100))
    service.edit(session, SYSTEM, invoice_id, free, drawn_from=draft.version, now=GENERATED)


def drafted(session, invoice_id):
    return [(line.description, line.amount_minor) for line in queries.lines(session, invoice_id)]


def test_the_published_example_becomes_a_draft_of_its_cost(session):
    customer_id = october(session)
    billed = bill(session, customer_id, tax_rate=Decimal(19))
    assert billed.created
    invoice = queries.one(session, SYSTEM, billed.invoice_id)
    assert (invoice.state, invoice.number, invoice.issued_on) == (InvoiceState.DRAFT, None, TODAY)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total, invoice.currency) == (
        250,
        48,
        Money(298, "USD"),
        "USD",
    )
    words = "API calls, Oct 1 – 31, 2023: used 12,500, included 10,000, 2,500 × 0.001 USD"
    assert drafted(session, invoice.id) == [(words, 250)]
    kept = session.get_one(UsagePeriod, billed.period_id)
    assert (kept.first_day, kept.last_day, kept.invoice_id) == (OCTOBER.start, OCTOBER.end, invoice.id)
    (line,) = lines.of_periods(session, SYSTEM, [kept.id])[kept.id]
    assert (line.quantity, line.included, line.amount, line.plan, line.version) == (
        12_500,
        10_000,
        Money(250, "USD"),
        "basic",
        1,
    )
    assert line.words("en") == words
    audited = session.scalars(select(AuditEntry).where(AuditEntry.action == "usage.bill")).one()
    assert audited.after == {"period": "2023-10-01 to 2023-10-31", "total": "2.50 USD", "invoice": invoice.id}


def test_the_line_is_in_the_customers_language(session):
    customer_id = some_calls(session)
    session.get_one(Customer, customer_id).language = "de"
    billed = bill(session, customer_id)
    assert drafted(session, billed.invoice_id) == [
        ("API-Aufrufe, 1.–31. Okt. 2023: verbraucht 1.012, enthalten 1.010, 2 × 1,00 USD", 200)
    ]


def test_a_period_is_billed_once(session):
    customer_id = some_calls(session)
    first, second = bill(session, customer_id), bill(session, customer_id)
    assert (second.created, second.invoice_id, second.period_id) == (False, first.invoice_id, first.period_id)
    assert session.scalar(select(func.count()).select_from(Invoice)) == 1


@pytest.mark.slow
def test_two_at_once_make_one_draft(sessions):
    with sessions.begin() as session:
        customer_id = some_calls(session)

    def work():
        with sessions.begin() as session:
            return bill(session, customer_id)

    outcomes = at_once(*[work] * 3)
    assert sorted(one.created for one in outcomes) == [False, False, True]
    assert len({one.invoice_id for one in outcomes}) == 1
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Invoice)) == 1


@pytest.mark.slow
def test_an_event_told_while_its_period_is_billed_is_on_the_draft_or_late(sessions):
    with sessions.begin() as session:
        customer_id = an_organization(session)
        put_on(session, customer_id, a_plan(session, agreed=terms(0, "1")))
        called(session, document.ID, [FIRST], name="first")

    def tell():
        with sessions.begin() as session:
            given = [{"id": "second", "organization_id": document.ID, "time": "2023-10-05T10:00:00Z"}]
            return ingestion.record(session, SYSTEM, given, now=GENERATED).late

    def work():
        with sessions.begin() as session:
            return bill(session, customer_id)

    late, billed = at_once(tell, work)
    with sessions() as session:
        invoice = queries.one(session, SYSTEM, billed.invoice_id)
        assert (late, invoice.total_minor) in [(0, 200), (1, 100)]


def test_what_comes_after_is_late_and_changes_nothing(session):
    customer_id = some_calls(session)
    billed = bill(session, customer_id)
    given = [
        {"id": "in", "organization_id": document.ID, "time": "2023-10-31T23:59:59Z"},
        {"id": "after", "organization_id": document.ID, "time": "2023-11-01T00:00:00Z"},
    ]
    assert ingestion.record(session, SYSTEM, given, now=GENERATED).late == 1
    assert bill(session, customer_id).invoice_id == billed.invoice_id
    assert queries.one(session, SYSTEM, billed.invoice_id).total_minor == 200


def test_days_are_those_of_the_billing_zone(session):
    """In New York, October ends at 04:00 UTC on 1 November."""
    customer_id = an_organization(session)
    session.get_one(Customer, customer_id).time_zone = "America/New_York"
    session.flush()
    put_on(session, customer_id, a_plan(session, agreed=terms(0, "1")))
    edges = ["2023-10-01T03:59:59Z", "2023-10-01T04:00:00Z", "2023-11-01T03:59:59Z", "2023-11-01T04:00:00Z"]
    called(session, document.ID, [datetime.fromisoformat(edge) for edge in edges])
    billed = billing.bill(session, SYSTEM, customer_id, OCTOBER, now=datetime(2023, 11, 1, 4, tzinfo=UTC), today=TODAY)
    assert queries.one(session, SYSTEM, billed.invoice_id).total_minor == 200


@pytest.mark.parametrize(("zone", "over"), [("America/New_York", False), ("Asia/Tokyo", True)])
def test_a_period_is_billed_once_it_is_over_in_the_billing_zone(session, zone, over):
    customer_id = some_calls(session)
    session.get_one(Customer, customer_id).time_zone = zone
    now = datetime(2023, 11, 1, 3, 59, 59, tzinfo=UTC)
    (outcome,) = billing.bill_many(session, SYSTEM, [customer_id], OCTOBER, now=now, today=TODAY)
    assert outcome.created is over
    assert bool(outcome.refusal) is not over
    if not over:
        assert "is not over in America/New_York" in outcome.refusal


def test_a_plan_change_makes_a_line_of_each_segment_and_pools_nothing(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, "small", terms(31, "0.01")))
    put_on(session, customer_id, a_plan(session, "large", terms(62, "0.005")), date(2023, 10, 16))
    calls_on(session, date(2023, 10, 15), 20)
    calls_on(session, date(2023, 10, 16), 30)
    billed = bill(session, customer_id)
    assert drafted(session, billed.invoice_id) == [
        ("API calls, Oct 1 – 15, 2023: used 20, included 15, 5 × 0.01 USD", 5),
        ("API calls, Oct 16 – 31, 2023: used 30, included 32", 0),
    ]


def test_a_period_that_comes_to_nothing_is_closed_without_an_invoice(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session))
    calls_on(session, date(2023, 10, 5), 3)
    billed = bill(session, customer_id)
    assert (billed.invoice_id, billed.created) == (None, True)
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    (line,) = lines.of_periods(session, SYSTEM, [billed.period_id])[billed.period_id]
    assert line.words("en") == "API calls, Oct 1 – 31, 2023: used 3, included 10,000"
    assert not bill(session, customer_id).created
    given = [{"id": "late", "organization_id": document.ID, "time": "2023-10-05T12:00:00Z"}]
    assert ingestion.record(session, SYSTEM, given, now=GENERATED).late == 1


def test_calls_on_no_plan_are_a_question_and_not_billed_as_nothing(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session), date(2023, 10, 3))
    calls_on(session, date(2023, 10, 2), 4)
    with pytest.raises(Conflict, match="4 of api_calls from 2023-10-01 to 2023-10-02 cannot be priced"):
        bill(session, customer_id)
    (rehearsed,) = billing.rehearse(session, SYSTEM, [customer_id], OCTOBER, now=GENERATED)
    assert (rehearsed.total, rehearsed.charges[0].is_question) == (None, True)
    assert session.scalar(select(func.count()).select_from(UsagePeriod)) == 0


def test_a_meter_without_a_price_is_a_question(session):
    customer_id = an_organization(session)
    session.add(Meter(code="storage", name="Storage", aggregation="sum", unit="GB"))
    session.flush()
    put_on(session, customer_id, a_plan(session))
    given = [
        {"id": "s", "organization_id": document.ID, "time": "2023-10-05T12:00:00Z", "meter": "storage"}
        | {"quantity": Decimal("2.5")}
    ]
    ingestion.record(session, SYSTEM, given, now=GENERATED)
    with pytest.raises(Conflict, match=r"2\.5 of storage from 2023-10-01 to 2023-10-31 cannot be priced: no price"):
        bill(session, customer_id)


def test_days_are_billed_in_one_period_only(session):
    customer_id = some_calls(session)
    bill(session, customer_id, Period(date(2023, 10, 1), date(2023, 10, 15)))
    with pytest.raises(Conflict, match="billed from 2023-10-01 to 2023-10-15 already"):
        bill(session, customer_id)
    assert bill(session, customer_id, Period(date(2023, 10, 16), date(2023, 10, 31))).created


def test_a_cancelled_invoice_frees_its_period_and_what_came_late_is_billed_with_it(session):
    customer_id = an_organization(session)
    put_on(session, customer_id, a_plan(session, agreed=terms(0, "1")))
    calls_on(session, date(2023, 10, 5), 3)
    first = bill(session, customer_id)
    calls_on(session, date(2023, 10, 31), 2)
    service.discard(session, SYSTEM, first.invoice_id, now=GENERATED)
    second = bill(session, customer_id)
    assert second.created
    assert queries.one(session, SYSTEM, second.invoice_id).total_minor == 500
    assert session.scalar(select(func.count()).select_from(UsageEvent).where(UsageEvent.late)) == 0
    sent = service.send(session, SYSTEM, second.invoice_id, now=GENERATED)
    after_sending.cancel(session, SYSTEM, sent.id, now=GENERATED, today=TODAY)
    third = bill(session, customer_id, Period(date(2023, 10, 1), date(2023, 10, 30)))
    assert queries.one(session, SYSTEM, third.invoice_id).total_minor == 300
    standing = select(UsagePeriod.id).where(UsagePeriod.replaced_at.is_(None))
    assert session.scalars(standing).all() == [third.period_id]


def test_a_draft_that_was_discounted_to_nothing_frees_its_period_once_it_is_discarded(session):
    customer_id = some_calls(session)
    first = bill(session, customer_id)
    given_away(session, first.invoice_id)
    assert queries.one(session, SYSTEM, first.invoice_id).total_minor == 0
    service.discard(session, SYSTEM, first.invoice_id, now=GENERATED)
    second = bill(session, customer_id)
    assert second.created
    assert queries.one(session, SYSTEM, second.invoice_id).total_minor == 200


def test_late_usage_on_a_draft_that_was_discounted_to_nothing_is_open_once_it_is_discarded(session):
    customer_id = some_calls(session)
    bill(session, customer_id)
    calls_on(session, date(2023, 10, 6), 1)
    ids = [one.id for one in late.items(session, SYSTEM)]
    (own,) = late.settle(session, SYSTEM, ids, now=GENERATED, today=TODAY)
    given_away(session, own)
    service.discard(session, SYSTEM, own, now=GENERATED)
    assert [(one.state, one.worth) for one in late.items(session, SYSTEM)] == [(late.ItemState.OPEN, Money(100, "USD"))]


def test_an_invoice_that_was_written_off_stays_billed(session):
    customer_id = some_calls(session)
    first = bill(session, customer_id)
    service.send(session, SYSTEM, first.invoice_id, now=GENERATED)
    write_offs.write_off(session, SYSTEM, first.invoice_id, reason="Bankrupt", today=TODAY, now=GENERATED)
    assert not bill(session, customer_id).created


def test_who_can_be_billed_is_billed_beside_those_who_cannot(session):
    good = some_calls(session)
    unplanned = an_organization(session, uuid="0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11", ref="OTHER", name="Other")
    called(session, "0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11", [LAST], name="other")
    idle = a_customer(session, "IDLE", name="Idle", priced=False)
    assert billing.customers_to_bill(session, SYSTEM, OCTOBER) == [good, unplanned]
    outcomes = billing.bill_many(session, SYSTEM, [unplanned, idle, good], OCTOBER, now=GENERATED, today=TODAY)
    assert [(one.customer_id, one.created, bool(one.refusal)) for one in outcomes] == [
        (good, True, False),
        (unplanned, False, True),
        (idle, True, False),
    ]


def test_who_has_terms_that_nobody_understands_is_told_so_and_keeps_no_other_back(session):
    good = some_calls(session)
    odd = a_customer(session, "ODD", name="Odd", priced=False)
    session.get_one(Customer, odd).payment_terms = "as agreed"
    outcomes = billing.bill_many(session, SYSTEM, [odd, good], OCTOBER, now=GENERATED, today=TODAY)
    assert {one.customer_id: one.created for one in outcomes} == {good: True, odd: False}
    (refusal,) = [one.refusal for one in outcomes if one.refusal]
    assert "“as agreed” are not understood: change those of the customer" in refusal


def test_rehearsing_makes_nothing_and_says_what_billing_makes(session):
    customer_id = some_calls(session)
    (rehearsed,) = billing.rehearse(session, SYSTEM, [customer_id], OCTOBER, now=GENERATED)
    assert (rehearsed.total, rehearsed.period_id, rehearsed.refusal) == (Money(200, "USD"), None, "")
    assert session.scalar(select(func.count()).select_from(UsagePeriod)) == 0
    billed = bill(session, customer_id)
    (again,) = billing.rehearse(session, SYSTEM, [customer_id], OCTOBER, now=GENERATED)
    assert (again.period_id, again.invoice_id) == (billed.period_id, billed.invoice_id)


def test_billing_needs_the_permission_and_a_customer_that_the_actor_sees(session):
    customer_id = some_calls(session)
    reader = actor_with(Role.FINANCE, user_id=None, name="Rita")
    work = partial(billing.bill, session, customer_id=customer_id, period=OCTOBER, now=GENERATED, today=TODAY)
    with pytest.raises(Forbidden):
        work(reader)
    with pytest.raises(NotFound):
        billing.bill(session, SYSTEM, 99, OCTOBER, now=GENERATED, today=TODAY)
    bound = actor_with(Role.ADMIN, user_id=None, name="Own", customer_id=customer_id + 1)
    with pytest.raises(NotFound):
        billing.rehearse(session, bound, [customer_id], OCTOBER, now=GENERATED)
