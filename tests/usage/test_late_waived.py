"""Late usage that was waived and goes away again, by hand: nobody gets back what they never paid, and everybody what
they paid for what does not count any more.
"""

from decimal import Decimal

import pytest

from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries, service
from billing_core.metering import ingestion, meters
from billing_core.metering.models import Aggregation, LateKind, LateUsage
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import verification
from billing_core.usage.late import ItemState
from tests.invoices.company import a_customer
from tests.plans.agreed import NOW, terms
from tests.usage.late_items import LATER, NOVEMBER, OCTOBER, TODAY, USD, bill, take_back

GIFT = "Our fault"
STEPPED = Price(USD, Scheme.GRADUATED, (Tier(Decimal(4), Decimal(1)), Tier(None, Decimal("0.5"))))
OTHER = [Aggregation.SUM, Aggregation.MAX, Aggregation.UNIQUE, Aggregation.LATEST]


def each(price):
    return Price(USD, Scheme.PER_UNIT, (Tier(None, Decimal(price)),))


def on_a_plan(session, included=0, **charged):
    """ACME: a call costs 1.00 beyond those that are included; of other meters by their kinds."""
    for kind in OTHER:
        meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
    others = {Metered(code): of_one for code, of_one in charged.items()}
    plans.create(session, SYSTEM, code="p", name="P", agreed=terms(included, "1"), charged=others, now=NOW)
    customer_id = a_customer(session, "ACME")
    plans.put_on(session, SYSTEM, customer_id, "p", valid_from=OCTOBER.start, now=NOW)
    return customer_id


def tell(session, *names, meter="api_calls", quantity="1", day=5, month=10, user="ana"):
    given = [
        {
            "id": name,
            "customer_ref": "ACME",
            "time": f"2023-{month:02}-{day:02}T12:00:00Z",
            "meter": meter,
            "quantity": Decimal(quantity),
            "user": user,
        }
        for name in names
    ]
    ingestion.record(session, SYSTEM, given, now=LATER, atomic=True)


def sent(session, customer_id, period=OCTOBER):
    made = bill(session, customer_id, period)
    if made.invoice_id:
        service.send(session, SYSTEM, made.invoice_id, now=LATER)
    return made


def items_of(session, *names):
    return [one.id for one in late.items(session, SYSTEM, open_only=True) if not names or one.event_id in names]


def waive(session, *names, reason=GIFT):
    late.waive(session, SYSTEM, items_of(session, *names), reason=reason, now=LATER)


def settle(session, *names):
    drafts = late.settle(session, SYSTEM, items_of(session, *names), now=LATER, today=TODAY)
    for invoice_id in drafts:
        service.send(session, SYSTEM, invoice_id, now=LATER)
    return drafts


def stands(session, name, kind=LateKind.WITHDRAWN):
    """The last item of the event: what it is worth in cents, its state, and why."""
    found = [one for one in late.items(session, SYSTEM) if (one.event_id, one.kind) == (name, kind)]
    return found[-1].worth.minor, found[-1].state, found[-1].reason


def next_bill(session, customer_id):
    """What November's owes and credits of earlier months, in cents, as rehearsed, proposed and made."""
    (seen,) = billing.rehearse(session, SYSTEM, [customer_id], NOVEMBER, now=LATER)
    proposed = billing.propose(session, SYSTEM, customer_id, NOVEMBER, now=LATER)
    made = bill(session, customer_id, NOVEMBER)
    assert (seen.late_minor, seen.credited_minor) == (made.late_minor, made.credited_minor)
    on_invoices = [line for id_ in made.invoice_ids for line in queries.lines(session, id_)]
    assert [(line.words, line.amount.minor) for line in proposed.lines] == [
        (line.description, line.amount_minor) for line in on_invoices
    ]
    assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []
    return made.late_minor, made.credited_minor


def test_waived_usage_that_is_withdrawn_is_not_credited_and_stays_waived(session):
    acme = on_a_plan(session)
    tell(session, *"abc")
    billed = sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "d")
    assert stands(session, "d") == (-100, ItemState.OPEN, "")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "d") == (-100, ItemState.WAIVED, GIFT)
    assert items_of(session) == []
    # What was paid for is credited as ever: 3.00 → 2.00.
    take_back(session, acme, "a")
    assert settle(session) == []
    assert stands(session, "a")[:2] == (-100, ItemState.CREDITED)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 200


def test_of_what_was_waived_the_rest_stays_waived_through_the_tiers(session):
    acme = on_a_plan(session, sum=STEPPED)
    tell(session, *"abc", meter="sum")
    sent(session, acme)
    tell(session, "d", "e", meter="sum")
    # 1.00 and 0.50.
    waive(session, "d", reason="First")
    waive(session, "e", reason="Second")
    # 4.50 → 4.00, of which one is waived still: that leaves the three at 3.00.
    take_back(session, acme, "d")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "d") == (-50, ItemState.WAIVED, "First; Second")
    assert stands(session, "e", LateKind.ARRIVED) == (50, ItemState.WAIVED, "Second")
    # 4.00 → 3.00, and two of them were paid for: 2.00.
    take_back(session, acme, "a")
    settle(session)
    assert stands(session, "a")[:2] == (-100, ItemState.CREDITED)
    # 3.00 → 2.00: both are those that were paid for.
    take_back(session, acme, "e")
    settle(session)
    assert stands(session, "e")[:2] == (-100, ItemState.WAIVED)


def test_what_was_billed_beside_waived_usage_is_credited_as_far_as_it_was_paid(session):
    acme = on_a_plan(session, sum=STEPPED)
    tell(session, *"abc", meter="sum")
    billed = sent(session, acme)
    tell(session, "d", "e", meter="sum")
    waive(session, "d")
    (own,) = settle(session, "e")
    assert queries.one(session, SYSTEM, own).total_minor == 50
    take_back(session, acme, "d")
    settle(session)
    assert stands(session, "d") == (-50, ItemState.WAIVED, GIFT)
    # 4.00 → 3.00. 3.50 was paid: 0.50 goes back.
    take_back(session, acme, "e")
    assert next_bill(session, acme) == (0, 50)
    assert stands(session, "e")[:2] == (-100, ItemState.CREDITED)
    due = [queries.one(session, SYSTEM, one).due_minor for one in (billed.invoice_id, own)]
    assert sum(due) == 300


def test_nothing_is_given_back_of_included_usage_because_some_was_waived_beyond_it(session):
    """The other meter has been paid for, and could be credited."""
    acme = on_a_plan(session, included=3, sum=each(5))
    tell(session, *"abc")
    tell(session, "s", meter="sum")
    billed = sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "a")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "a") == (-100, ItemState.WAIVED, GIFT)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 500


def test_of_the_greatest_quantity_what_was_paid_goes_back_and_what_was_waived_does_not(session):
    acme = on_a_plan(session, max=each(3))
    tell(session, "nine", meter="max", quantity="9")
    tell(session, "ten", meter="max", quantity="10")
    billed = sent(session, acme)
    tell(session, "twelve", meter="max", quantity="12")
    waive(session)
    take_back(session, acme, "ten", "twelve")
    # 36.00 → 27.00, and 30.00 was paid.
    assert [stands(session, name)[0] for name in ("ten", "twelve")] == [0, -900]
    assert next_bill(session, acme) == (0, 300)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 2_700


def test_what_a_waived_event_leaves_to_another_is_not_given_back_with_that(session):
    """Both are of a user whom nobody had seen, and the first was waived."""
    acme = on_a_plan(session, unique=each(3))
    tell(session, "a", meter="unique", user="ana")
    billed = sent(session, acme)
    for name in ("first", "second"):
        tell(session, name, meter="unique", user="ben", day=6)
    waive(session, "first")
    settle(session)
    take_back(session, acme, "first", "second")
    assert next_bill(session, acme) == (0, 0)
    assert {stands(session, name)[1:] for name in ("first", "second")} == {(ItemState.WAIVED, GIFT)}
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 300


def test_of_what_holds_on_each_period_gives_back_what_was_paid_for_it(session):
    acme = on_a_plan(session, latest=each(1))
    tell(session, "two", meter="latest", quantity="2")
    for period in (OCTOBER, NOVEMBER):
        sent(session, acme, period)
    tell(session, "five", meter="latest", quantity="5", day=6)
    october, november = late.items(session, SYSTEM)
    assert [one.worth.minor for one in (october, november)] == [300, 300]
    late.waive(session, SYSTEM, [october.id], reason=GIFT, now=LATER)
    settle(session)
    take_back(session, acme, "five")
    settle(session)
    kept = [(one.first_day, one.worth.minor, one.state) for one in late.items(session, SYSTEM)[2:]]
    assert kept == [(OCTOBER.start, -300, ItemState.WAIVED), (NOVEMBER.start, -300, ItemState.CREDITED)]
    assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


def test_what_a_bill_made_anew_left_out_is_not_credited_when_it_is_withdrawn(session):
    acme = on_a_plan(session)
    tell(session, *"abc")
    first = sent(session, acme)
    tell(session, "d", "e")
    waive(session)
    after_sending.cancel(session, SYSTEM, first.invoice_id, now=LATER, today=TODAY)
    again = sent(session, acme)
    assert queries.one(session, SYSTEM, again.invoice_id).total_minor == 300
    take_back(session, acme, "d")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "d") == (-100, ItemState.WAIVED, GIFT)
    take_back(session, acme, "a")
    settle(session)
    assert queries.one(session, SYSTEM, again.invoice_id).due_minor == 200
    # Made anew once more, two were asked for, and “e” stays waived.
    after_sending.cancel(session, SYSTEM, again.invoice_id, now=LATER, today=TODAY)
    assert queries.one(session, SYSTEM, sent(session, acme).invoice_id).total_minor == 200
    assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []


@pytest.mark.parametrize("wanted", [None, LateUsage.OWN_DOCUMENT])
def test_a_rehearsal_knows_what_the_run_waives_first(session, wanted):
    """Two calls came late and will be waived, as the business has it; of those that were billed, two went."""
    acme = on_a_plan(session, included=2, sum=each(5))
    tell(session, *"abc")
    tell(session, "s", meter="sum")
    billed = sent(session, acme)
    businesses.treat_late_usage(
        session, SYSTEM, default_business(session).id, LateUsage.WAIVE.value, reason=GIFT, now=LATER
    )
    tell(session, "d", "e")
    take_back(session, acme, "a", "b")
    # 3.00 → 2.00 → 1.00 are worth −1.00 each, and only 1.00 was paid.
    late.want(session, SYSTEM, items_of(session, "a"), LateUsage.NEXT_INVOICE, now=LATER)
    late.want(session, SYSTEM, items_of(session, "b"), wanted or LateUsage.NEXT_INVOICE, now=LATER)
    assert next_bill(session, acme) == (0, 100)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 500
    assert items_of(session) == []


def test_together_with_what_arrived_it_comes_to_nothing_and_what_arrived_is_not_waived(session):
    acme = on_a_plan(session, included=3)
    tell(session, *"abc")
    bill(session, acme)
    tell(session, "d")
    waive(session)
    tell(session, "e")
    take_back(session, acme, "a", "b")
    # +1.00 − 1.00 − 1.00, and nobody has paid for anything.
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "e", LateKind.ARRIVED) == (100, ItemState.NOTHING, "")
    assert stands(session, "b") == (-100, ItemState.NOTHING, "")


def test_what_arrived_is_owed_though_waived_usage_of_its_worth_was_withdrawn(session):
    acme = on_a_plan(session)
    tell(session, *"abc")
    sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "d")
    tell(session, "e")
    assert next_bill(session, acme) == (100, 0)
    assert stands(session, "e", LateKind.ARRIVED) == (100, ItemState.INVOICED, "")
    assert stands(session, "d") == (-100, ItemState.WAIVED, GIFT)


def test_a_credit_that_was_waived_is_not_made_up_for_when_waived_usage_goes(session):
    """Beside “a”, which stays paid for, “e” is waived at once: what arrived and what was withdrawn come to nothing."""
    acme = on_a_plan(session)
    tell(session, *"abc")
    billed = sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "a")
    tell(session, "e")
    waive(session, reason="Kept")
    take_back(session, acme, "d", "e")
    assert next_bill(session, acme) == (0, 0)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 300
    take_back(session, acme, "b")
    settle(session)
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 200


@pytest.mark.parametrize("chosen", ["a", "d"])
def test_what_was_paid_for_is_credited_though_the_waived_usage_beside_it_is_dealt_with_later(session, chosen):
    acme = on_a_plan(session)
    tell(session, *"abc")
    billed = sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "a", "d")
    settle(session, chosen)
    waive(session, reason="Was waived before")
    assert stands(session, "a")[1] is (ItemState.CREDITED if chosen == "a" else ItemState.WAIVED)
    assert stands(session, "d")[1] is ItemState.WAIVED
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == (200 if chosen == "a" else 300)


def test_a_rehearsal_knows_of_waived_withdrawals_what_the_run_credits_of_others(session):
    """The business waives everything, of which one withdrawal is of what was waived before."""
    acme = on_a_plan(session)
    tell(session, *"abc")
    billed = sent(session, acme)
    tell(session, "d", "e")
    waive(session)
    businesses.treat_late_usage(
        session, SYSTEM, default_business(session).id, LateUsage.WAIVE.value, reason="Ours", now=LATER
    )
    take_back(session, acme, "d", "a", "e", "b")
    late.want(session, SYSTEM, items_of(session, "e"), LateUsage.NEXT_INVOICE, now=LATER)
    late.want(session, SYSTEM, items_of(session, "b"), LateUsage.OWN_DOCUMENT, now=LATER)
    # “d” and “a” are waived first: 1.00 of theirs was not paid, and 1.00 of what is left.
    assert next_bill(session, acme) == (0, 100)
    assert stands(session, "d") == (-100, ItemState.WAIVED, "Ours")
    assert queries.one(session, SYSTEM, billed.invoice_id).due_minor == 200


def test_withdrawing_waived_usage_again_is_refused(session):
    acme = on_a_plan(session)
    tell(session, "a")
    sent(session, acme)
    tell(session, "d")
    waive(session)
    take_back(session, acme, "d")
    with pytest.raises(Conflict, match="was withdrawn on"):
        take_back(session, acme, "d")
    assert len(late.items(session, SYSTEM)) == 2
