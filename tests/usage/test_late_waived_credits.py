"""Credits for late usage that were waived, and whose usage goes away again, by hand: what was never credited is not
asked for, and everybody gets back what they paid for what does not count any more.
"""

from decimal import Decimal

import pytest

from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries
from billing_core.metering.models import LateKind, LateUsage
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import late
from billing_core.usage.late import ItemState
from tests.usage.late_items import LATER, TODAY, USD, take_back
from tests.usage.test_late_waived import (
    GIFT,
    STEPPED,
    each,
    items_of,
    next_bill,
    on_a_plan,
    sent,
    settle,
    stands,
    tell,
    waive,
)

CHEAPER = Price(USD, Scheme.VOLUME, (Tier(Decimal(3), Decimal(3)), Tier(None, Decimal(1))))

NEXT, OWN = LateUsage.NEXT_INVOICE, LateUsage.OWN_DOCUMENT


def level(session, name, quantity, day):
    tell(session, name, meter="latest", quantity=quantity, day=day)


def due(session, *invoice_ids):
    return sum(queries.one(session, SYSTEM, one).due_minor for one in invoice_ids)


def waive_as_set(session):
    business_id = default_business(session).id
    businesses.treat_late_usage(session, SYSTEM, business_id, LateUsage.WAIVE.value, reason=GIFT, now=LATER)


def raised_and_lowered(session, billed="1"):
    """The customer, and its invoices: 3.33 for each, and “up” made one more, which was asked for. “down” took that back
    again, and its credit was waived. Neither counts any more.
    """
    acme = on_a_plan(session, latest=each("3.33"), sum=each(5))
    level(session, "billed", billed, day=1)
    tell(session, "s", meter="sum")
    invoice_id = sent(session, acme).invoice_id
    level(session, "up", str(int(billed) + 1), day=6)
    (own,) = settle(session)
    assert due(session, own) == 333
    level(session, "down", billed, day=7)
    assert stands(session, "down", LateKind.ARRIVED)[0] == -333
    waive(session)
    take_back(session, acme, "down", "up")
    assert [stands(session, name)[0] for name in ("down", "up")] == [333, -333]
    return acme, (invoice_id, own)


@pytest.mark.parametrize("billed", ["0", "1"])
def test_what_was_never_credited_is_not_asked_for_and_what_was_paid_is_credited(session, billed):
    acme, invoices = raised_and_lowered(session, billed)
    assert next_bill(session, acme) == (0, 333)
    assert stands(session, "down") == (333, ItemState.WAIVED, GIFT)
    assert stands(session, "up")[1] is ItemState.CREDITED
    assert due(session, *invoices) == 500 + 333 * int(billed)
    assert items_of(session) == []


@pytest.mark.parametrize("order", [("down", "up"), ("up", "down")])
def test_it_is_so_too_when_each_is_dealt_with_by_itself(session, order):
    acme, invoices = raised_and_lowered(session)
    for name in order:
        assert settle(session, name) == []
    assert stands(session, "down")[1:] == (ItemState.WAIVED, GIFT)
    assert due(session, *invoices) == 833
    assert next_bill(session, acme) == (0, 0)


@pytest.mark.parametrize(
    ("down", "up", "credited"),
    [
        (OWN, OWN, 333),
        (NEXT, OWN, 333),
        (OWN, NEXT, 333),
        (None, NEXT, 333),
        (NEXT, None, 0),
        (None, None, 0),
    ],
)
def test_whatever_is_chosen_nothing_is_asked_for(session, down, up, credited):
    acme, invoices = raised_and_lowered(session)
    # What nobody has chosen for is waived, as the business has it.
    waive_as_set(session)
    for name, wanted in (("down", down), ("up", up)):
        late.want(session, SYSTEM, items_of(session, name), wanted, now=LATER)
    assert next_bill(session, acme) == (0, credited)
    assert stands(session, "down")[1] is ItemState.WAIVED
    assert due(session, *invoices) == 1_166 - credited
    assert items_of(session) == []


def test_a_rehearsal_knows_that_a_credit_will_be_waived_whose_usage_went(session):
    """The business waives the credit in the same run in which its withdrawal would be asked for."""
    acme = on_a_plan(session, latest=each("3.33"), sum=each(5))
    level(session, "billed", "2", day=1)
    billed = sent(session, acme)
    level(session, "down", "1", day=7)
    waive_as_set(session)
    (came,) = items_of(session)
    take_back(session, acme, "down")
    (went,) = (one for one in items_of(session) if one != came)
    late.want(session, SYSTEM, [went], NEXT, now=LATER)
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "down") == (333, ItemState.WAIVED, GIFT)
    assert due(session, billed.invoice_id) == 666


def test_of_a_waived_credit_alone_that_goes_nothing_is_asked(session):
    acme = on_a_plan(session, latest=each("3.33"))
    level(session, "billed", "2", day=1)
    billed = sent(session, acme)
    level(session, "down", "1", day=7)
    waive(session)
    take_back(session, acme, "down")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "down") == (333, ItemState.WAIVED, GIFT)
    assert due(session, billed.invoice_id) == 666


def test_a_charge_that_was_waived_below_a_credit_that_was_given(session):
    """1 → 2 was waived, 2 → 1 credited: that leaves the one that came late waived, and 0 to pay."""
    acme = on_a_plan(session, latest=each("3.33"))
    level(session, "billed", "1", day=1)
    billed = sent(session, acme)
    level(session, "up", "2", day=6)
    waive(session)
    level(session, "down", "1", day=7)
    settle(session)
    assert due(session, billed.invoice_id) == 0
    # Now it is 2, of which one is waived, and then 1, which was billed.
    take_back(session, acme, "down", "up")
    assert next_bill(session, acme) == (333, 0)
    assert stands(session, "down")[:2] == (333, ItemState.INVOICED)
    assert stands(session, "up") == (-333, ItemState.WAIVED, GIFT)


def test_a_charge_and_the_credit_for_it_that_were_waived_together(session):
    acme = on_a_plan(session, latest=each("3.33"))
    level(session, "billed", "1", day=1)
    billed = sent(session, acme)
    level(session, "up", "2", day=6)
    level(session, "down", "1", day=7)
    waive(session)
    take_back(session, acme, "down")
    assert settle(session) == []
    assert stands(session, "down") == (333, ItemState.WAIVED, GIFT)
    take_back(session, acme, "up")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "up") == (-333, ItemState.WAIVED, GIFT)
    assert due(session, billed.invoice_id) == 333


@pytest.mark.parametrize("waived", ["first", "second"])
@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_of_two_that_lowered_it_only_the_waived_one_is_not_asked_for_again(session, waived, order):
    """5 → 3 → 2, of which one credit was given."""
    given, asked = ("second", 100) if waived == "first" else ("first", 200)
    acme = on_a_plan(session, latest=each(1))
    level(session, "billed", "5", day=1)
    billed = sent(session, acme)
    level(session, "first", "3", day=6)
    level(session, "second", "2", day=7)
    waive(session, waived)
    settle(session, given)
    assert due(session, billed.invoice_id) == 500 - asked
    take_back(session, acme, *order)
    # While the second holds, that the first goes changes nothing; then both are in what the second makes.
    assert stands(session, "first")[0] == (0 if order[0] == "first" else 200)
    assert next_bill(session, acme) == (asked, 0)
    assert items_of(session) == []


def test_of_two_that_lowered_it_the_one_that_was_credited_is_asked_for_while_the_other_stays_waived(session):
    acme = on_a_plan(session, latest=each(1))
    level(session, "billed", "5", day=1)
    sent(session, acme)
    level(session, "first", "4", day=6)
    waive(session)
    level(session, "second", "2", day=7)
    settle(session)
    take_back(session, acme, "second")
    assert next_bill(session, acme) == (200, 0)
    assert stands(session, "second")[:2] == (200, ItemState.INVOICED)


def test_what_a_waived_event_leaves_to_another_is_not_asked_for_with_that(session):
    """Both say 4, and the credit for the first was waived."""
    acme = on_a_plan(session, latest=each(1))
    level(session, "billed", "5", day=1)
    billed = sent(session, acme)
    level(session, "first", "4", day=6)
    waive(session)
    level(session, "second", "4", day=7)
    settle(session)
    take_back(session, acme, "first", "second")
    assert [stands(session, name)[0] for name in ("first", "second")] == [0, 100]
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "second") == (100, ItemState.WAIVED, GIFT)
    assert due(session, billed.invoice_id) == 500


def test_through_the_tiers_what_was_not_credited_is_not_asked_for(session):
    """4.50 for 5; 0.50 less for 4 was waived, and 2.00 less for 2 credited."""
    acme = on_a_plan(session, latest=STEPPED)
    level(session, "billed", "5", day=1)
    billed = sent(session, acme)
    level(session, "four", "4", day=6)
    waive(session)
    level(session, "two", "2", day=7)
    settle(session)
    assert due(session, billed.invoice_id) == 250
    take_back(session, acme, "four", "two")
    assert [stands(session, name)[0] for name in ("four", "two")] == [0, 250]
    # Together with what was not credited these are 4.50 again.
    assert next_bill(session, acme) == (200, 0)
    assert stands(session, "two")[1] is ItemState.INVOICED


@pytest.mark.parametrize(("meter", "used"), [("unique", "1111"), ("sum", "1111"), ("max", "1234")])
def test_more_that_was_cheaper_and_waived_makes_nothing_dearer_when_it_goes(session, meter, used):
    """Three cost 9.00 and four 4.00."""
    acme = on_a_plan(session, **{meter: CHEAPER})
    for name, quantity in zip("abc", used, strict=False):
        tell(session, name, meter=meter, quantity=quantity, user=name)
    billed = sent(session, acme)
    tell(session, "d", meter=meter, quantity=used[-1], user="d")
    assert stands(session, "d", LateKind.ARRIVED)[0] == -500
    waive(session)
    take_back(session, acme, "d")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "d") == (500, ItemState.WAIVED, GIFT)
    assert due(session, billed.invoice_id) == 900


def test_nobody_is_credited_for_what_a_lower_level_left_to_ask_and_was_waived(session):
    """1.00 was paid, and 5.00 of the other meter."""
    acme = on_a_plan(session, latest=each(1), sum=each(5))
    level(session, "two", "2", day=1)
    level(session, "one", "1", day=6)
    tell(session, "s", meter="sum")
    billed = sent(session, acme)
    take_back(session, acme, "one")
    waive(session)
    take_back(session, acme, "two")
    assert stands(session, "two")[0] == -200
    assert next_bill(session, acme) == (0, 100)
    assert due(session, billed.invoice_id) == 500


def test_what_is_not_given_back_of_that_is_waived_for_the_same_reason(session):
    acme = on_a_plan(session, latest=each(1))
    for day, quantity in enumerate("121", start=1):
        level(session, f"on day {day}", quantity, day)
    billed = sent(session, acme)
    take_back(session, acme, "on day 3")
    waive(session, reason="Never mind")
    # 2 → 1, and 1.00 was paid.
    take_back(session, acme, "on day 2")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "on day 2") == (-100, ItemState.WAIVED, "Never mind")
    assert due(session, billed.invoice_id) == 100


@pytest.mark.parametrize("first", [("up", "gift"), ("down",)])
def test_a_waived_charge_beside_a_waived_credit_is_not_given_back(session, first):
    """1 → 2, which was waived, → 3, which was paid, → 2, whose credit was waived."""
    acme = on_a_plan(session, latest=each(1))
    level(session, "billed", "1", day=1)
    invoices = [sent(session, acme).invoice_id]
    level(session, "gift", "2", day=6)
    waive(session)
    level(session, "up", "3", day=7)
    invoices += settle(session)
    level(session, "down", "2", day=8)
    waive(session)
    assert due(session, *invoices) == 200
    take_back(session, acme, "down", "gift", "up")
    assert [stands(session, name)[0] for name in ("down", "gift", "up")] == [100, 0, -200]
    settle(session, *first)
    assert next_bill(session, acme)[0] == 0
    assert due(session, *invoices) == 100
    assert items_of(session) == []


def test_a_bill_made_anew_gives_a_waived_credit_and_asks_for_it_when_its_usage_goes(session):
    acme = on_a_plan(session, latest=each("3.33"))
    level(session, "billed", "2", day=1)
    first = sent(session, acme)
    level(session, "down", "1", day=7)
    waive(session)
    after_sending.cancel(session, SYSTEM, first.invoice_id, now=LATER, today=TODAY)
    assert due(session, sent(session, acme).invoice_id) == 333
    take_back(session, acme, "down")
    assert next_bill(session, acme) == (333, 0)


def test_what_was_waived_of_a_withdrawn_credit_stays_so_when_another_waived_credit_goes(session):
    """5 → 4, credited and then gone, for which nobody asks; → 3, whose credit was waived and which is gone too."""
    acme = on_a_plan(session, latest=each(1))
    level(session, "billed", "5", day=1)
    billed = sent(session, acme)
    level(session, "four", "4", day=6)
    settle(session)
    take_back(session, acme, "four")
    waive(session, reason="Never mind")
    level(session, "three", "3", day=7)
    waive(session)
    take_back(session, acme, "three")
    assert next_bill(session, acme) == (0, 0)
    assert stands(session, "three")[:2] == (200, ItemState.WAIVED)
    assert due(session, billed.invoice_id) == 400


@pytest.mark.parametrize("billed", ["0", "1"])
def test_what_arrives_gives_nothing_back_of_what_was_waived(session, billed):
    """The other meter has been paid for, and could be credited. Of what was billed itself one is waived still."""
    acme = on_a_plan(session, latest=each("3.33"), sum=each(5))
    level(session, "billed", billed, day=1)
    tell(session, "s", meter="sum")
    invoice_id = sent(session, acme).invoice_id
    level(session, "up", str(int(billed) + 1), day=6)
    waive(session)
    level(session, "down", billed, day=7)
    settle(session)
    assert stands(session, "down", LateKind.ARRIVED)[1] is (ItemState.CREDITED if int(billed) else ItemState.NOTHING)
    assert due(session, invoice_id) == 500
    take_back(session, acme, "down", "up")
    assert next_bill(session, acme) == (333 * int(billed), 0)
    assert items_of(session) == []
