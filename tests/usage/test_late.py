"""Late and withdrawn usage, by hand: each item's worth in the order of arrival, and what becomes of it."""

from datetime import UTC, date, datetime, timedelta
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
from billing_core.invoices import after_sending, credit_notes, queries, service
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering import verification as metering_checks
from billing_core.metering.models import NO_BUCKET, LateKind, LateUsage, UsageEvent, UsagePeriod
from billing_core.money import Money
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, document, late
from billing_core.usage.billed import explaining, lines, verification
from billing_core.usage.late import ItemState
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.october import an_organization

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
NOVEMBER = Period(date(2023, 11, 1), date(2023, 11, 30))
TODAY = date(2023, 12, 1)
LATER = datetime(2023, 12, 1, 10, tzinfo=UTC)
USD = "USD"
ONE_MORE = (
    "Late usage: API calls, Oct 1 – 31, 2023: +1 (used 4, included 2, 2 × 1.00 USD: 2.00 USD instead of 1.00 USD)"
)


def tell(session, *names, day=5, month=10):
    given = [
        {"id": name, "organization_id": document.ID, "time": f"2023-{month:02}-{day:02}T12:00:00Z", "user": name[0]}
        for name in names
    ]
    return ingestion.record(session, SYSTEM, given, now=LATER, atomic=True)


def take_back(session, customer_id, *names):
    for name in names:
        withdrawal.withdraw(session, SYSTEM, customer_id, name, reason="By mistake", now=LATER)


def bill(session, customer_id, period=OCTOBER, **options):
    return billing.bill(session, SYSTEM, customer_id, period, now=LATER, today=TODAY, **options)


def per_call(price):
    return Price(USD, Scheme.PER_UNIT, (Tier(None, Decimal(price)),))


def drafted(session, invoice_id):
    return [(line.description, line.amount_minor) for line in queries.lines(session, invoice_id)]


def shown(session, **options):
    return [(one.event_id, one.worth, one.state) for one in late.items(session, SYSTEM, **options)]


def wrong_in(session):
    return [wrong for check in verification.checks(session) for wrong in check.wrong]


@pytest.fixture
def acme(session):
    """Two calls are included, and one more costs 1.00."""
    customer_id = an_organization(session)
    code = a_plan(session, agreed=terms(2, "1"))
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=OCTOBER.start, now=NOW)
    return customer_id


@pytest.fixture
def billed(session, acme):
    """October of three calls comes to 1.00."""
    tell(session, "a", "b", "c")
    made = bill(session, acme)
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    return made


def test_who_has_left_is_billed_with_all_for_what_came_late(session, acme, billed):
    plans.take_off(session, SYSTEM, acme, valid_from=NOVEMBER.start, now=LATER)
    assert billing.customers_to_bill(session, SYSTEM, NOVEMBER) == []
    tell(session, "d", "e")
    assert billing.customers_to_bill(session, SYSTEM, NOVEMBER) == [acme]
    # For a month before there is nothing: what came late goes onto a later invoice.
    assert billing.customers_to_bill(session, SYSTEM, Period(date(2023, 9, 1), date(2023, 9, 30))) == []
    made = bill(session, acme, NOVEMBER)
    (own,) = made.late_invoice_ids
    assert (made.invoice_id, queries.one(session, SYSTEM, own).total) == (None, Money(200, USD))
    assert billing.customers_to_bill(session, SYSTEM, Period(date(2023, 12, 1), date(2023, 12, 31))) == []


def test_items_are_worth_what_each_adds_in_the_order_in_which_they_came(session, acme, billed):
    tell(session, "d")
    take_back(session, acme, "d", "a", "b")
    tell(session, "e", "f")
    take_back(session, acme, "c")
    # 3 → 4 → 3 → 2 → 1 → 2 → 3 → 2, of which two are included.
    assert shown(session) == [
        ("d", Money(100, USD), ItemState.OPEN),
        ("d", Money(-100, USD), ItemState.OPEN),
        ("a", Money(-100, USD), ItemState.OPEN),
        ("b", Money(0, USD), ItemState.OPEN),
        ("e", Money(0, USD), ItemState.OPEN),
        ("f", Money(100, USD), ItemState.OPEN),
        ("c", Money(-100, USD), ItemState.OPEN),
    ]
    first = late.items(session, SYSTEM, limit=1)[0]
    assert (first.kind, first.meter, first.quantity, first.first_day, first.last_day, first.user) == (
        LateKind.ARRIVED,
        "api_calls",
        1,
        OCTOBER.start,
        OCTOBER.end,
        "d",
    )
    assert [one.quantity for one in late.items(session, SYSTEM, after_id=first.id, limit=2)] == [-1, -1]
    assert wrong_in(session) == []


def test_late_usage_goes_onto_the_next_invoice_as_a_line_of_its_own(session, acme, billed):
    tell(session, "d", "e")
    tell(session, "n1", "n2", "n3", month=11)
    made = bill(session, acme, NOVEMBER)
    assert drafted(session, made.invoice_id) == [
        ("API calls, Nov 1 – 30, 2023: used 3, included 2, 1 × 1.00 USD", 100),
        (
            "Late usage: API calls, Oct 1 – 31, 2023: +2"
            " (used 5, included 2, 3 × 1.00 USD: 3.00 USD instead of 1.00 USD)",
            200,
        ),
    ]
    assert shown(session) == [(name, Money(100, USD), ItemState.INVOICED) for name in "de"]
    assert {one.invoice_id for one in late.items(session, SYSTEM)} == {made.invoice_id}
    assert queries.one(session, SYSTEM, billed.invoice_id).total_minor == 100
    (line,) = [one for one in queries.lines(session, made.invoice_id) if one.description.startswith("Late")]
    assert [row.id for row in explaining.events(session, SYSTEM, line.usage_line_id)] == ["d", "e"]
    assert [(day.day, day.calls) for day in explaining.days(session, SYSTEM, line.usage_line_id)] == [
        (date(2023, 10, 5), 2)
    ]
    assert lines.one(session, SYSTEM, line.usage_line_id).quantity == 2
    assert wrong_in(session) == []


def test_late_usage_alone_makes_the_next_invoice(session, acme, billed):
    tell(session, "d")
    made = bill(session, acme, NOVEMBER)
    assert made.invoice_id is None
    (item,) = late.items(session, SYSTEM)
    assert drafted(session, item.invoice_id) == [(ONE_MORE, 100)]
    assert wrong_in(session) == []


@pytest.mark.parametrize("on_its_own", [True, False])
def test_one_cent_more_is_billed_and_one_cent_less_is_credited(session, on_its_own):
    def settle():
        late.settle(session, SYSTEM, [late.items(session, SYSTEM, open_only=True)[0].id], now=LATER, today=TODAY)

    customer_id = an_organization(session)
    plans.put_on(
        session, SYSTEM, customer_id, a_plan(session, agreed=terms(2, "0.01")), valid_from=OCTOBER.start, now=NOW
    )
    tell(session, *"abc")
    service.send(session, SYSTEM, bill(session, customer_id).invoice_id, now=LATER)
    tell(session, "d")
    settle() if on_its_own else bill(session, customer_id, NOVEMBER)
    assert shown(session) == [("d", Money(1, USD), ItemState.INVOICED)]
    take_back(session, customer_id, "a")
    settle()
    assert shown(session)[-1] == ("a", Money(-1, USD), ItemState.CREDITED)
    assert wrong_in(session) == []


def test_it_is_open_again_once_the_invoice_that_it_is_on_is_cancelled(session, acme, billed):
    tell(session, "d")
    tell(session, "n1", "n2", "n3", month=11)
    made = bill(session, acme, NOVEMBER)
    service.discard(session, SYSTEM, made.invoice_id, now=LATER)
    assert shown(session, open_only=True) == [("d", Money(100, USD), ItemState.OPEN)]
    again = bill(session, acme, NOVEMBER)
    assert [minor for _, minor in drafted(session, again.invoice_id)] == [100, 100]
    assert shown(session) == [("d", Money(100, USD), ItemState.INVOICED)]
    assert wrong_in(session) == []


def test_what_cancels_out_is_closed(session, acme):
    tell(session, "a")
    bill(session, acme)
    tell(session, "b")
    bill(session, acme, NOVEMBER)
    assert shown(session) == [("b", Money(0, USD), ItemState.NOTHING)]
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert wrong_in(session) == []


def test_what_was_withdrawn_is_credited_to_the_invoice_that_billed_it(session, acme, billed):
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, billed.invoice_id)
    words = "Late usage: API calls, Oct 1 – 31, 2023: -1 (used 2, included 2: 0.00 USD instead of 1.00 USD)"
    assert (note.total_minor, note.reason) == (100, words)
    assert shown(session) == [("a", Money(-100, USD), ItemState.CREDITED)]
    assert late.items(session, SYSTEM)[0].reason == note.number
    # Credited whole, it stays the bill of its period.
    assert not bill(session, acme).created
    assert wrong_in(session) == []


def test_of_a_paid_invoice_the_credit_is_kept_for_later_ones(session, acme):
    """With tax: 2.00 at 20 % are 2.40, of which half is credited."""
    tell(session, *"abcd")
    made = bill(session, acme, tax_rate=Decimal(20))
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    money = Received(USD, 240, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, SYSTEM, made.invoice_id, received=money, today=TODAY, now=LATER)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, made.invoice_id)
    assert (note.subtotal_minor, note.tax_minor, note.refund_minor) == (100, 20, 120)
    assert credit.balances(session, SYSTEM, acme) == [(default_business(session).id, Money(120, USD))]
    assert queries.one(session, SYSTEM, made.invoice_id).state is InvoiceState.PAID
    assert wrong_in(session) == []


def test_of_an_invoice_with_a_discount_so_much_less_is_credited(session, acme):
    tell(session, *"abcdef")
    made = bill(session, acme)
    invoice = queries.one(session, SYSTEM, made.invoice_id)
    content = queries.content(session, invoice)
    known = {name: getattr(content, name) for name in content.__dataclass_fields__}
    less = content.__class__(**known | {"discount_percent": Decimal(25)})
    service.edit(session, SYSTEM, invoice.id, less, drawn_from=invoice.version, now=LATER)
    service.send(session, SYSTEM, invoice.id, now=LATER)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, made.invoice_id)
    assert note.total_minor == 75


def test_what_is_withdrawn_from_a_draft_waits_until_it_is_sent(session, acme):
    tell(session, *"abc")
    made = bill(session, acme)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    assert shown(session) == [("a", Money(-100, USD), ItemState.OPEN)]
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    assert late.settle(session, SYSTEM, [late.items(session, SYSTEM)[0].id], now=LATER, today=TODAY) == []
    assert shown(session) == [("a", Money(-100, USD), ItemState.CREDITED)]


def test_more_is_credited_than_the_first_invoice_billed_where_a_later_one_billed_the_rest(session, acme, billed):
    tell(session, "d")
    on_own = late.settle(session, SYSTEM, [late.items(session, SYSTEM)[0].id], now=LATER, today=TODAY)
    service.send(session, SYSTEM, on_own[0], now=LATER)
    take_back(session, acme, "d", "a")
    bill(session, acme, NOVEMBER)
    notes = session.execute(select(CreditNote.invoice_id, CreditNote.total_minor)).all()
    assert [tuple(note) for note in notes] == [(billed.invoice_id, 100), (on_own[0], 100)]
    assert shown(session, open_only=True) == []
    assert wrong_in(session) == []


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


GOLD = {"tier": "gold"}


def tell_of(session, name, **properties):
    given = {"id": name, "organization_id": document.ID, "time": "2023-10-06T12:00:00Z", "properties": properties}
    ingestion.record(session, SYSTEM, [given], now=LATER, atomic=True)


def a_bucket(session, code, **filters):
    meters.add_bucket(session, SYSTEM, "api_calls", code=code, name=code.title(), filters=filters, now=LATER)


def test_what_fits_a_bucket_that_came_after_the_bill_is_priced_as_the_bill_was(session, acme, billed):
    a_bucket(session, "premium", tier=["gold"])
    tell_of(session, "g", **GOLD)
    assert shown(session) == [("g", Money(100, USD), ItemState.OPEN)]
    assert drafted(session, bill(session, acme, NOVEMBER).late_invoice_ids[0]) == [(ONE_MORE, 100)]
    # Of days that are not billed it has the bucket's price, which nobody has agreed on.
    given = {"id": "n", "organization_id": document.ID, "time": "2023-12-01T05:00:00Z", "properties": GOLD}
    ingestion.record(session, SYSTEM, [given], now=LATER, atomic=True)
    in_bucket = select(UsageEvent.event_id).where(UsageEvent.bucket_id != NO_BUCKET)
    assert (session.scalars(in_bucket).all(), wrong_in(session)) == (["n"], [])
    assert [wrong for check in metering_checks.checks(session) for wrong in check.wrong] == []


def test_late_usage_falls_into_the_buckets_that_its_bill_has_lines_of(session):
    acme = an_organization(session)
    a_bucket(session, "eu", region=["eu"])
    a_bucket(session, "slow", slow=[True])
    charged = {Metered("api_calls", code): per_call(price) for code, price in (("eu", "3"), ("slow", "5"))}
    plans.create(session, SYSTEM, code="p", name="P", agreed=terms(0, "1"), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "p", valid_from=OCTOBER.start, now=NOW)
    bill(session, acme)
    a_bucket(session, "eu-gold", region=["eu"], tier=["gold"])
    meters.retire_bucket(session, SYSTEM, "api_calls", "slow", now=LATER)
    tell_of(session, "both", region="eu", **GOLD)
    tell_of(session, "gone", slow=True)
    tell_of(session, "none", region="us")
    assert [(name, worth) for name, worth, _ in shown(session)] == [
        ("both", Money(300, USD)),
        ("gone", Money(500, USD)),
        ("none", Money(100, USD)),
    ]
    assert wrong_in(session) == []


def test_late_usage_of_days_on_no_plan_has_no_worth_and_stays_open(session, acme):
    other = an_organization(session, uuid="0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11", ref="OTHER", name="Other")
    plans.put_on(session, SYSTEM, other, "basic", valid_from=date(2023, 10, 10), now=NOW)
    bill(session, other)
    given = [{"id": "x", "customer_ref": "OTHER", "time": "2023-10-05T12:00:00Z"}]
    assert ingestion.record(session, SYSTEM, given, now=LATER).late == 1
    bill(session, other, NOVEMBER)
    assert shown(session) == [("x", None, ItemState.OPEN)]
    late.waive(session, SYSTEM, [late.items(session, SYSTEM)[0].id], reason="A test call", now=LATER)
    assert shown(session) == [("x", None, ItemState.WAIVED)]


def test_a_customer_is_not_put_on_another_plan_in_a_billed_period(session, acme, billed):
    a_plan(session, "other", terms(0, "2"))
    # It is on another one again before the period begins.
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 9, 1), now=LATER)
    for day in (OCTOBER.start, OCTOBER.end):
        with pytest.raises(Conflict, match="is billed by the plan of those days"):
            plans.put_on(session, SYSTEM, acme, "other", valid_from=day, now=LATER)
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 11, 1), now=LATER)


def test_nor_on_one_that_would_count_on_a_single_day_of_it(session):
    customer_id = an_organization(session)
    plans.put_on(session, SYSTEM, customer_id, a_plan(session), valid_from=date(2023, 10, 2), now=NOW)
    assert bill(session, customer_id).invoice_id is None
    with pytest.raises(Conflict, match="is billed by the plan of those days"):
        plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=date(2023, 9, 20), now=LATER)


def test_once_the_invoice_is_cancelled_it_can_be_put_on_another_plan(session, acme, billed):
    a_plan(session, "other", terms(0, "2"))
    after_sending.cancel(session, SYSTEM, billed.invoice_id, now=LATER, today=TODAY)
    assert plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 10, 1), now=LATER)
    assert queries.one(session, SYSTEM, bill(session, acme).invoice_id).total_minor == 600


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
